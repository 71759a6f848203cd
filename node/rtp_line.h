/* The line on which the RTP numbers of a leg are expected to run, so that the node that takes a call over knows them without
 * having been told of any packet. Pure.
 *
 * A line is a point (sequence number and time stamp at a time of the replicated state) and a rate. It is part of the leg's dialog in
 * the replicated state and is written anew by every command that carries the dialog, and by one of its own (LegUpdate) when what is
 * really sent has strayed from it (rtp_line_strays). Each new owner of the call begins RTP_LINE_SEQ_STEP ahead of where the line is by
 * then, which is beyond all that the owner before it can have sent, and below what RFC 3550 A.1 takes for a restart:
 *     0 < STEP - STRAY <= (first number of the new owner) - (last one of the old) <= STEP + STRAY < 3000 (MAX_DROPOUT)
 * What is left to either side is for the 5 s between two looks and for clocks that differ between nodes (400 packets below: 3 s of
 * difference with packets of 10 ms, 20 s with the usual ones), above it also for one owner in between who had nothing to send. Beyond that
 * a receiver drops one packet and goes on with the next. Time stamps run at the clock of the codec (8 kHz, Opus 48) whatever is sent; a new owner's are a packet (20 ms) ahead, the
 * one that the former owner's newest packet covers. Two nodes whose clocks differ are off by that difference. */
#ifndef NODE_RTP_LINE_H
#define NODE_RTP_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define RTP_LINE_SEQ_STEP 1000u
#define RTP_LINE_SEQ_STRAY 600
#define RTP_LINE_TS_STEP_MS 20u
#define RTP_LINE_TS_STRAY_MS 40 /* a telephone whose clock is off by 50 ppm takes 13 minutes for it */
#define RTP_LINE_PER_S 50u      /* the usual packets of 20 ms */

struct rtp_line {
    uint32_t ssrc;
    uint64_t cname;
    uint16_t seq;
    uint32_t ts;
    uint64_t at_us;
    uint32_t per_s;
    uint32_t epoch; /* of the call; each later one is a new owner */
    uint32_t khz;   /* units of ts a millisecond */
};

/* A new source (RFC 3550 section 8: unpredictable); the sequence number is below 2^15. ERR_IO: no random bytes to be had. */
ERR_CHECKED int rtp_line_begin(struct rtp_line *out, uint64_t now_us, uint32_t epoch);
/* Where it is at `now_us` for the owner of `epoch`. `since_us`: when sound began to flow, 0 not yet: then the sequence number
 * stands still. */
struct rtp_line rtp_line_at(const struct rtp_line *line, uint64_t since_us, uint64_t now_us, uint32_t epoch);
/* How far the numbers are ahead of a point of the line; negative: behind. */
int32_t rtp_line_seq_ahead(const struct rtp_line *at, uint16_t seq);
int32_t rtp_line_ts_ahead(const struct rtp_line *at, uint32_t ts);
static inline bool rtp_line_strays(int32_t ahead, int32_t limit)
{
    return ahead > limit || ahead < -limit;
}

#endif
