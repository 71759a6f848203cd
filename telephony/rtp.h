/* RTP header (RFC 3550 section 5.1) and the books a receiver keeps (appendices A.1, A.3, A.8). Pure; one thread at a time. */
#ifndef TELEPHONY_RTP_H
#define TELEPHONY_RTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define RTP_HEADER_BYTES 12u

struct rtp_packet {
    bool marker;
    uint8_t pt;
    uint16_t seq;
    uint32_t ts, ssrc;
    uint8_t *payload; /* inside the caller's buffer, at least RTP_HEADER_BYTES after its start */
    size_t len;       /* of the payload, padding taken off */
};

/* Reads the packet in buf; CSRCs and a header extension are skipped. ERR_INVAL: not RTP version 2, or cut short. */
ERR_CHECKED int rtp_parse(uint8_t *buf, size_t len, struct rtp_packet *out);
/* Writes the 12 byte header without CSRC or extension. */
void rtp_write(uint8_t *buf, bool marker, uint8_t pt, uint16_t seq, uint32_t ts, uint32_t ssrc);

/* True if a datagram on a shared port is RTCP (RFC 5761 section 4). */
static inline bool rtp_looks_like_rtcp(const uint8_t *buf, size_t len)
{
    return len >= 8 && buf[1] >= 192 && buf[1] <= 223;
}

struct rtp_receiver {
    bool started;
    uint32_t ssrc;
    uint16_t max_seq;
    uint32_t cycles; /* shifted count of sequence number wraps */
    uint32_t base_seq, bad_seq;
    uint64_t received;                       /* of this SSRC */
    uint64_t history;                        /* bit n: max_seq - n has been seen */
    uint32_t expected_prior, received_prior; /* for the fraction of the next report */
    uint32_t transit;                        /* of the last packet, RTP units */
    bool transit_known;
    uint32_t jitter_q4;   /* RFC 3550 A.8, in 1/16 RTP units */
    uint64_t lost_before; /* of SSRCs that are over */
};

enum rtp_seen {
    RTP_SEEN_NEXT,    /* newest so far */
    RTP_SEEN_LATE,    /* older than the newest, not seen before */
    RTP_SEEN_AGAIN,   /* duplicate */
    RTP_SEEN_RESTART, /* a new source, or its numbering began anew */
    RTP_SEEN_JUMP,    /* far off: dropped until a second one follows it */
};
/* Books one packet. `arrival` is the time of arrival in RTP units (8 kHz); jitter counts only for `audio` packets, as events
 * repeat a timestamp. */
enum rtp_seen rtp_receiver_packet(struct rtp_receiver *r, const struct rtp_packet *p, uint32_t arrival, bool audio);
/* All packets lost so far, over all SSRCs; never below 0. */
uint64_t rtp_receiver_lost(const struct rtp_receiver *r);
static inline uint32_t rtp_receiver_ext_max(const struct rtp_receiver *r)
{
    return r->cycles + r->max_seq;
}
/* Loss since the last call, in 1/256, as a report block wants it. */
uint8_t rtp_receiver_fraction(struct rtp_receiver *r);

#endif
