/* How loud: automatic gain for those who speak too low or too loud, and noise for a line on which nobody speaks.
 *
 * What for. In a room (telephony/media.h) telephones of any loudness meet; gain control brings speech near the level that networks are
 * built for, -26 dBov (ITU-T G.169; the level of active speech as ITU-T P.56 has it, here a mean of frames with speech), by 12 dB at most.
 * It learns from speech alone: what is quieter than that keeps the gain, so that pauses and noise are not raised. It is fast down and slow
 * up (25 and 5 dB a second), without steps; what would not fit into 16 bits is cut off.
 * Where all are silent, mixed ears would be sent digital silence, which sounds like a line that is dead; comfort noise is at -62 dBov.
 * Owner: who made it. Thread: one at a time; no clock, nothing is allocated. The same input gives the same output. */
#ifndef TELEPHONY_LEVEL_H
#define TELEPHONY_LEVEL_H

#include <stdint.h>

#define LEVEL_FRAME_MAX 960u /* samples of 20 ms at 48 kHz */

struct level {
    uint32_t speech; /* mean of the absolute samples while speaking, in 1/256; 0: not heard yet */
    uint32_t gain;   /* in 1/4096; 0: as 4096, nothing was heard yet */
};

/* One frame of 20 ms; out may be in. n: samples, at most LEVEL_FRAME_MAX. */
void level_run(struct level *l, const int16_t *in, unsigned n, int16_t *out);
/* What is multiplied with at present, in 1/4096. */
uint32_t level_gain(const struct level *l);

/* The next n samples of noise; seed: kept between calls, any value to begin with. */
void level_noise(uint32_t *seed, int16_t *out, unsigned n);

#endif
