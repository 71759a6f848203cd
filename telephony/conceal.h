/* Concealment of lost packets, in the manner of ITU-T G.711 Appendix I: what is missing is spoken on with the pitch that was last heard.
 *
 * What for. Audio that is decoded by a codec without concealment of its own (G.711, G.722), at 8 or 16 kHz. Each frame of the
 * decoder goes through conceal_good, in the place of each one that is missing conceal_lost makes one.
 *
 * How. The last 49 ms are kept. When a frame is missing, the pitch (66 to 200 Hz) is looked for in them, and the last period is repeated;
 * after 10 and 20 ms the last two and three, so that it does not hum. From 10 ms on it fades by a fifth each 10 ms, after 60 ms it is
 * silent. The frame after the gap is blended in over a quarter of a period and 4 ms for each further 10 ms missing, at most 10 ms.
 * Unlike the Appendix no delay is added: the beginning of what is made is bent to where the sound had stopped.
 * Owner: who made it. Thread: one at a time; nothing is allocated after conceal_new (about 6 kB). Frames that come when none is
 * missing are not changed. */
#ifndef TELEPHONY_CONCEAL_H
#define TELEPHONY_CONCEAL_H

#include <stdint.h>

#include "base/err.h"

struct conceal;

/* rate_hz: 8000 or 16000. ERR_INVAL, ERR_NOMEM. */
ERR_CHECKED int conceal_new(unsigned rate_hz, struct conceal **out);
void conceal_free(struct conceal *c); /* NULL is fine */
/* As new. */
void conceal_reset(struct conceal *c);

/* n samples that were received, any n: the first of them after a gap are blended with what was made. */
void conceal_good(struct conceal *c, int16_t *pcm, unsigned n);
/* Writes n samples in the place of missing ones, any n. */
void conceal_lost(struct conceal *c, int16_t *pcm, unsigned n);

#endif
