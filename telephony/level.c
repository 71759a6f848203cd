#include "telephony/level.h"

#include <stdlib.h>

#define UNITY 4096u
#define TARGET (1150u << 8) /* the mean of the absolute samples of speech at -26 dBov: 0.7 of its RMS, which is 1642 */
#define SPEECH (230u << 8)  /* quieter than this, 14 dB below, is noise or a pause */
#define GAIN_MAX (4u * UNITY)
#define GAIN_MIN (UNITY / 4u)
#define UP 47u    /* 0.1 dB of unity a frame, in 1/4096 */
#define DOWN 230u /* 0.5 dB */

static uint32_t loudness(const int16_t *in, unsigned n)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum += (uint32_t)abs(in[i]);
    return n ? (uint32_t)((sum << 8) / n) : 0;
}

/* Louder than it was counts at once, quieter only after some seconds: syllables and pauses between words are quieter as well. */
static void learn(struct level *l, uint32_t now)
{
    if (l->speech == 0)
        l->speech = now;
    else if (now > l->speech)
        l->speech += (now - l->speech) / 4;
    else
        l->speech -= (l->speech - now) / 64;
}

static uint32_t wanted(const struct level *l)
{
    uint64_t g = (uint64_t)TARGET * UNITY / l->speech;
    return g > GAIN_MAX ? GAIN_MAX : g < GAIN_MIN ? GAIN_MIN : (uint32_t)g;
}

static uint32_t nearer(uint32_t gain, uint32_t to)
{
    uint32_t up = gain * UP / UNITY, down = gain * DOWN / UNITY;
    if (to > gain)
        return to - gain > up ? gain + up : to;
    return gain - to > down ? gain - down : to;
}

static int16_t cut(int32_t v)
{
    return (int16_t)(v > INT16_MAX ? INT16_MAX : v < INT16_MIN ? INT16_MIN : v);
}

uint32_t level_gain(const struct level *l)
{
    return l->gain ? l->gain : UNITY;
}

void level_run(struct level *l, const int16_t *in, unsigned n, int16_t *out)
{
    uint32_t now = loudness(in, n), from = level_gain(l), to = from;
    if (now >= SPEECH) {
        learn(l, now);
        to = nearer(from, wanted(l));
    }
    l->gain = to;
    int32_t step = n ? ((int32_t)to - (int32_t)from) * 256 / (int32_t)n : 0, gain = (int32_t)from * 256;
    for (unsigned i = 0; i < n; i++) {
        gain += step;
        out[i] = cut((int32_t)(((int64_t)in[i] * gain) / (256 * (int32_t)UNITY)));
    }
}

void level_noise(uint32_t *seed, int16_t *out, unsigned n)
{
    uint32_t s = *seed;
    for (unsigned i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        out[i] = (int16_t)(((int32_t)(s >> 25) - 64) * 45 / 64); /* evenly between -45 and 44 */
    }
    *seed = s;
}
