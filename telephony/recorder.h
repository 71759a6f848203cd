/* What one party says, as it comes by RTP, made into one steady line of A-law samples (8000 a second) for whoever writes it down.
 *
 * What for: messages that callers leave, and recordings of calls. A recorder is attached to a stream (media_stream_record); its media
 * thread puts packets in, another thread takes samples out.
 * Time. The line is as long as the time that has passed: packets have their place by their RTP time stamps, within a window of 200 ms in
 *   which they may come in any order; what is lost, came too late, or was never sent (mute, hold, silence suppression) is silence. A
 *   sender that begins anew (other SSRC, other time stamps, RFC 3550 section 8) goes on at the place where the clock is.
 * Threads: recorder_new, _ref, _unref, _ended, _over, _begun_us, _lost: any. recorder_take: one thread at a time, the reader. Those of the last
 *   group: the media thread that it is attached to.
 * Memory: counted by references, atomically; about 70 kB each. The media side neither allocates nor waits.
 * Overflow: 8 s may wait for the reader (RECORDER_RING_BYTES). What does not fit is lost, counted (recorder_lost), and made up for by as
 *   much silence when there is room again. */
#ifndef TELEPHONY_RECORDER_H
#define TELEPHONY_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define RECORDER_RING_BYTES 65536u
#define RECORDER_SILENCE 0xD5u /* A-law */

struct recorder;

struct recorder_params {
    uint32_t max_ms;     /* it ends by itself when it is so long; 0: it does not */
    uint32_t silence_ms; /* and after so much silence; 0: it does not */
};
enum recorder_end {
    RECORDER_RUNS,
    RECORDER_MAX, /* as long as it may be */
    RECORDER_SILENCE_END,
    RECORDER_STOPPED, /* its stream was closed, or it was detached */
};

/* With one reference. */
ERR_CHECKED int recorder_new(const struct recorder_params *p, struct recorder **out);
struct recorder *recorder_ref(struct recorder *r);
void recorder_unref(struct recorder *r); /* NULL is fine */

/* Up to `max` samples, oldest first; returns how many. */
size_t recorder_take(struct recorder *r, uint8_t *out, size_t max);
enum recorder_end recorder_ended(const struct recorder *r);
/* Nothing more will come: it has ended and all was taken. */
bool recorder_over(const struct recorder *r);
/* Monotonic microseconds of its first sample; 0: it has not begun. */
uint64_t recorder_begun_us(const struct recorder *r);
/* Samples that did not fit. */
uint64_t recorder_lost(const struct recorder *r);

/* Whether 20 ms of A-law have a sound in them, above about -44 dBm0; n samples, not 0. */
bool recorder_sounds(const uint8_t *alaw, size_t n);

/* ---- the media thread: monotonic microseconds */
struct recorder_packet {
    const uint8_t *payload;
    size_t len;         /* samples */
    bool ulaw, restart; /* restart: a new source, or one that began anew */
    uint16_t seq;
    uint32_t ts;
};
void recorder_put(struct recorder *r, const struct recorder_packet *p, uint64_t now_us);
/* Each 20 ms. True when it has ended by itself. */
bool recorder_tick(struct recorder *r, uint64_t now_us);
/* It is let go of: what waits for its order goes out. */
void recorder_stop(struct recorder *r);

#endif
