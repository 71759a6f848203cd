/* Jitter buffer: RTP packets as the network brings them in, one line of audio in order out, delayed no more than the network needs.
 *
 * What for. Wherever audio is decoded (conferences, supervision, transcoding): the decoder asks for the next piece whenever it has
 * less than a frame left, and is given a packet, or told that one is missing (to be concealed) or that nothing is said. What is relayed
 * without decoding needs none of this.
 *
 *     each packet   jitter_put
 *     each tick     while what is decoded is less than a frame: jitter_pull, then decode, conceal or be silent for item.duration
 *
 * Delay. The fastest packet of the last 4 to 8 s is what the path takes; what the slowest of them took longer is the delay that is aimed
 * at, within min_ms and max_ms. It rises as soon as a packet comes later than any before (a concealed frame is put in), and falls only where
 * nobody speaks: in the pauses of a sender that sends nothing then, or by leaving out what the caller finds to be silent (item.surplus).
 * So a drift between the clocks is followed by whole frames. What is buffered is never longer than max_ms: the oldest goes first.
 * Missing. A packet that is not there when it is its turn is concealed while it may still come, up to max_ms; if it was lost, that time is
 * the gap's. After that the sender is taken to be silent. A gap in the time stamps without one in the numbers (RFC 3551 section 4.1: silence
 * is not sent) is silence.
 * What comes: any order within 64 packets, duplicates, wraps of number and time stamp, another SSRC, another time line (RFC 3550 section 8),
 * an outage. A packet whose number is far off and whose time does not fit is dropped until a second one follows it (RFC 3550 A.1).
 * Order: what comes out is never older than what came out before.
 * Owner: who made it. Thread: one at a time. Nothing is allocated after jitter_new: 64 payloads of payload_max and 3 kB.
 * Units: durations in RTP units of clock_hz; times are microseconds of the monotonic clock. */
#ifndef TELEPHONY_JITTER_H
#define TELEPHONY_JITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define JITTER_SLOTS 64u
#define JITTER_PAYLOAD_MAX 2048u
#define JITTER_DELAY_MAX_MS 1000u
#define JITTER_PACKET_MAX_MS 120u /* longest packet (Opus) */

struct jitter;

struct jitter_config {
    uint32_t clock_hz;    /* RTP clock: 8000 for G.711 and G.722, 48000 for Opus; 8000 to 48000, a multiple of 50 */
    uint32_t min_ms;      /* delay to begin with, before anything is known; 0 to max_ms */
    uint32_t max_ms;      /* 20 to JITTER_DELAY_MAX_MS; 0: 200 */
    uint32_t payload_max; /* bytes, 1 to JITTER_PAYLOAD_MAX */
};
/* ERR_INVAL (a number outside its bounds), ERR_NOMEM. */
ERR_CHECKED int jitter_new(const struct jitter_config *cfg, struct jitter **out);
void jitter_free(struct jitter *j); /* NULL is fine */
/* As new, but the counters stay. */
void jitter_reset(struct jitter *j);

struct jitter_packet {
    uint32_t ssrc, ts;
    uint16_t seq;
    uint32_t duration; /* of the audio in it; 0 for what has a number but no audio (telephone-event, comfort noise) */
    const uint8_t *payload;
    size_t len;
};
enum jitter_put {
    JITTER_KEPT,
    JITTER_LATE,  /* its turn is over */
    JITTER_AGAIN, /* a duplicate */
    JITTER_NOISE, /* too long, too many bytes, or far off: dropped */
};
/* Copies the payload. now_us: when it arrived. */
enum jitter_put jitter_put(struct jitter *j, const struct jitter_packet *p, uint64_t now_us);

enum jitter_kind {
    JITTER_PACKET,  /* decode it: `payload` */
    JITTER_MISSING, /* conceal `duration` */
    JITTER_SILENT,  /* nothing is said for `duration` */
};
struct jitter_item {
    enum jitter_kind kind;
    uint32_t duration; /* never 0; JITTER_MISSING and _SILENT: at most 20 ms */
    /* JITTER_PACKET: it. JITTER_MISSING: the packet that follows the gap if it is there, for codecs that send a copy of the one
     * before along (Opus, in-band FEC); it comes as a packet of its own later. Else NULL. Holds until the next call. */
    const uint8_t *payload;
    size_t len;
    /* JITTER_PACKET: more is buffered than is needed. If what is decoded of it is silence, leave it out and pull again. */
    bool surplus;
};
/* now_us: when this tick was due (of a thread that is late, not when it got there). */
void jitter_pull(struct jitter *j, uint64_t now_us, struct jitter_item *out);

struct jitter_stats {
    uint64_t packets;            /* put in and kept */
    uint64_t late, again, noise; /* not kept */
    uint64_t dropped;            /* kept, and left out because too much was buffered */
    uint64_t lost, lost_runs;    /* never came, or late; runs of them without one that came between (bursts) */
    uint64_t missing_ms;         /* told to be concealed, frames put in to raise the delay among them */
    uint64_t restarts;           /* other SSRCs or time lines */
    uint32_t delay_ms;     /* between the fastest packets and their turn, of the newest packet that was given out */
    uint32_t delay_max_ms; /* the greatest so far */
    uint64_t delay_sum_ms, given; /* the mean is delay_sum_ms / given */
    uint32_t target_ms;           /* aimed at */
};
void jitter_get_stats(const struct jitter *j, struct jitter_stats *out);

#endif
