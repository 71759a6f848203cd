/* What one party says, from RTP packets to frames of 20 ms: jitter buffer, decoder and concealment put together.
 *
 * What for. The mixer (telephony/mix.h) takes a frame of each party every 20 ms; this makes it of what the network brought.
 *     each packet   mouth_put
 *     each tick     in[party] = mouth_frame
 * Packets may be of any length that the codec has; the rest of a long one waits for the next tick. While nobody speaks, what is buffered beyond
 * need is left out (struct jitter_item, surplus).
 * Owner: who made it; one codec for its life. Thread: one at a time. Nothing is allocated after mouth_new. */
#ifndef TELEPHONY_MOUTH_H
#define TELEPHONY_MOUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "telephony/codec.h"
#include "telephony/jitter.h"
#include "telephony/rtp.h"

struct mouth;

struct mouth_config {
    const struct codec *codec;
    unsigned rate_hz;        /* of the frames, as codec_open has it */
    uint32_t min_ms, max_ms; /* as struct jitter_config has them */
    bool level;              /* gain control, see telephony/level.h */
};
/* ERR_UNSUPPORTED (the codec has no such rate), ERR_INVAL (delays), ERR_NOMEM. */
ERR_CHECKED int mouth_new(const struct mouth_config *cfg, struct mouth **out);
void mouth_free(struct mouth *m); /* NULL is fine */

/* audio: of the codec's payload type; false: what shares its numbers and has no sound (telephone-event, comfort noise). */
enum jitter_put mouth_put(struct mouth *m, const struct rtp_packet *p, bool audio, uint64_t now_us);
/* 20 ms at rate_hz, until the next call; NULL: nothing is said. now_us: when this tick was due. */
const int16_t *mouth_frame(struct mouth *m, uint64_t now_us);
/* As new, but the counters stay: nobody has listened for a while. */
void mouth_reset(struct mouth *m);
void mouth_get_stats(const struct mouth *m, struct jitter_stats *out);

#endif
