/* Mixing of conferences, supervision and recordings: what each ear hears of what all mouths say in 20 ms.
 *
 * What for. Up to 32 parties, each a mouth and an ear, and 8 taps, which are ears only (recordings). A matrix says with which gain each
 * ear hears each mouth; nobody hears himself (mix-minus). By it alone:
 *     conference, barge-in   all hear all others (mix_conference)
 *     listen                 the supervisor's ear hears both, his mouth is heard by nobody
 *     whisper                as listen, and the agent alone hears him
 *     consultation           agent and the one asked hear each other, the caller hears neither
 *     recording              one tap hears the caller, another one all agents; mix_stereo makes the two one
 * Sums are of 32 bits and cut off at the limits of 16, they never wrap; there is no automatic gain, so that what a mouth says is
 * heard as loud whoever else speaks.
 * Owner: who made it. Thread: one at a time; no clock, nothing is allocated after mix_new (about 28 kB).
 * Cost: a mouth that says nothing costs nothing. Ears that hear the same share one sum, an ear that hears one mouth at gain 1 is given
 * that mouth's own samples. Where many speak, all is summed once, and what an ear does not hear is taken off. */
#ifndef TELEPHONY_MIX_H
#define TELEPHONY_MIX_H

#include <stdint.h>

#include "base/err.h"

#define MIX_PARTIES_MAX 32u
#define MIX_TAPS_MAX 8u
#define MIX_EARS_MAX (MIX_PARTIES_MAX + MIX_TAPS_MAX)
#define MIX_TAP(t) (MIX_PARTIES_MAX + (t)) /* the ear of a tap */
#define MIX_UNITY 64u                      /* gain of 1 */
#define MIX_GAIN_MAX 255u                  /* just under 4, that is 12 dB */
#define MIX_FRAME_MAX 320u                 /* samples of 20 ms at 16 kHz */

struct mix;

/* rate_hz: 8000 or 16000. Nobody hears anybody yet. ERR_INVAL (another rate), ERR_NOMEM. */
ERR_CHECKED int mix_new(unsigned rate_hz, struct mix **out);
void mix_free(struct mix *m); /* NULL is fine */
/* Samples of a frame: 160 or 320. */
unsigned mix_frame(const struct mix *m);

/* Gain in 1/64; 0: not heard. ERR_RANGE: no such ear, mouth or gain; ERR_INVAL: one's own mouth. */
ERR_CHECKED int mix_hear(struct mix *m, unsigned ear, unsigned mouth, unsigned gain);
/* 0 also where there is no such ear or mouth. */
unsigned mix_gain(const struct mix *m, unsigned ear, unsigned mouth);
/* Bit p is party p: each of these hears each other one of them, at gain 1. Nothing else changes. */
void mix_conference(struct mix *m, uint32_t parties);
/* A party or a tap goes: it hears nobody and nobody hears it. One that does not exist is fine. */
void mix_drop(struct mix *m, unsigned ear);

/* One frame. in[p]: mix_frame() samples that party p says, NULL: nothing. out[e]: what ear e hears, NULL: silence. What out points to
 * is the mixer's or one of in, holds until the next call or until that input goes, and may be shared: equal pointers, equal sound, which
 * has to be encoded only once. */
void mix_run(struct mix *m, const int16_t *const in[MIX_PARTIES_MAX], const int16_t *out[MIX_EARS_MAX]);

/* Two lines as one of stereo, left first; NULL is silence. out: 2 * n samples. */
void mix_stereo(const int16_t *left, const int16_t *right, unsigned n, int16_t *out);

#endif
