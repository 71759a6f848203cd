#include "telephony/conceal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* In samples at 8 kHz; twice as many at 16 kHz. */
#define PITCH_MIN 40u
#define PITCH_MAX 120u
#define HISTORY 390u /* three periods and a quarter */
#define WINDOW 160u  /* over which periods are compared */
#define STEP 80u     /* 10 ms */
#define BLEND_MORE 32u
#define HISTORY_MAX (2 * HISTORY)

struct conceal {
    unsigned scale;
    unsigned lost; /* samples made since the last that was received; stays when it is silent */
    unsigned pitch, quarter;
    unsigned periods, at;         /* in the cycle that is repeated: its length in periods, the next sample */
    float bend;                   /* from where the sound stopped to where the cycle begins */
    int16_t history[HISTORY_MAX]; /* newest last */
    int16_t frozen[HISTORY_MAX];  /* as it was when the gap began */
    float cycle[3 * 2 * PITCH_MAX];
    float before[2 * PITCH_MAX / 4]; /* of the shorter cycle, while the longer one is blended in */
};

int conceal_new(unsigned rate_hz, struct conceal **out)
{
    if (rate_hz != 8000 && rate_hz != 16000)
        return ERR_INVAL;
    struct conceal *c = calloc(1, sizeof *c);
    if (!c)
        return ERR_NOMEM;
    c->scale = rate_hz / 8000;
    *out = c;
    return 0;
}

void conceal_free(struct conceal *c)
{
    free(c);
}

void conceal_reset(struct conceal *c)
{
    c->lost = 0;
    memset(c->history, 0, sizeof c->history);
}

static void remember(struct conceal *c, const int16_t *pcm, unsigned n)
{
    unsigned size = HISTORY * c->scale;
    if (n >= size) {
        memcpy(c->history, pcm + (n - size), size * sizeof *pcm);
        return;
    }
    memmove(c->history, c->history + n, (size - n) * sizeof *pcm);
    memcpy(c->history + (size - n), pcm, n * sizeof *pcm);
}

/* How alike the newest samples are to those `lag` before them: -1 to 1, each `every`th looked at. */
static float likeness(const int16_t *end, unsigned window, unsigned lag, unsigned every)
{
    float product = 0, energy = 0;
    for (unsigned i = every; i <= window; i += every) {
        float now = end[-(int)i], then = end[-(int)(i + lag)];
        product += now * then;
        energy += then * then;
    }
    return product <= 0 ? 0 : product / sqrtf(energy + 1.0f);
}

/* The best of these lags, if it is better than *best. */
static void search(const struct conceal *c, unsigned from, unsigned to, unsigned every, unsigned *best, float *alike)
{
    const int16_t *end = c->frozen + HISTORY * c->scale;
    for (unsigned lag = from; lag <= to; lag += every) {
        float v = likeness(end, WINDOW * c->scale, lag, every);
        if (v > *alike) {
            *alike = v;
            *best = lag;
        }
    }
}

/* Coarse at 4 kHz, then each sample around the best, and around its double: two periods are a whole number of samples more nearly. */
static unsigned find_pitch(const struct conceal *c)
{
    unsigned every = 2 * c->scale, min = PITCH_MIN * c->scale, max = PITCH_MAX * c->scale, coarse = max, best;
    float alike = -1;
    search(c, min, max, every, &coarse, &alike);
    best = coarse;
    alike = -1;
    for (unsigned times = 1; times <= 2 && times * coarse <= max; times++) {
        unsigned around = times * coarse, from = around - times * (every - 1), to = around + times * (every - 1);
        search(c, from > min ? from : min, to < max ? to : max, 1, &best, &alike);
    }
    return best;
}

/* The last periods of the sound; their last quarter of a period leads back to their beginning. */
static void make_cycle(struct conceal *c, unsigned periods)
{
    const int16_t *end = c->frozen + HISTORY * c->scale;
    unsigned n = periods * c->pitch;
    for (unsigned i = 0; i < n; i++)
        c->cycle[i] = end[(int)i - (int)n];
    for (unsigned i = 0; i < c->quarter; i++) {
        float w = (float)(i + 1) / (float)(c->quarter + 1);
        float *to = &c->cycle[n - c->quarter + i];
        *to = *to * (1 - w) + w * end[(int)i - (int)(n + c->quarter)];
    }
    c->periods = periods;
}

static void begin(struct conceal *c)
{
    unsigned size = HISTORY * c->scale;
    memcpy(c->frozen, c->history, size * sizeof *c->frozen);
    c->pitch = find_pitch(c);
    c->quarter = c->pitch / 4;
    make_cycle(c, 1);
    c->at = 0;
    /* What comes before the first sample of the cycle is not what was heard last: the difference fades over a quarter. */
    c->bend = (float)(c->frozen[size - 1] - c->frozen[size - 1 - c->pitch]);
}

static float next(struct conceal *c)
{
    float v = c->cycle[c->at++];
    if (c->at == c->periods * c->pitch)
        c->at = 0;
    return v;
}

static void lengthen(struct conceal *c, unsigned periods)
{
    unsigned at = c->at;
    for (unsigned i = 0; i < c->quarter; i++)
        c->before[i] = next(c);
    make_cycle(c, periods);
    c->at = at % c->pitch;
}

/* The sample after c->lost others. */
static float make_one(struct conceal *c)
{
    unsigned step = STEP * c->scale, in_step = c->lost % step, steps = c->lost / step;
    if (steps >= 6)
        return 0;
    if (in_step == 0 && (steps == 1 || steps == 2))
        lengthen(c, steps + 1);
    float v = next(c);
    if (steps == 0 && in_step < c->quarter)
        v += c->bend * (1 - (float)(in_step + 1) / (float)(c->quarter + 1));
    if ((steps == 1 || steps == 2) && in_step < c->quarter) {
        float w = (float)(in_step + 1) / (float)(c->quarter + 1);
        v = v * w + c->before[in_step] * (1 - w);
    }
    if (steps > 0)
        v *= 1 - 0.2f * ((float)(c->lost - step) / (float)step);
    return v;
}

static int16_t whole(float v)
{
    return (int16_t)lrintf(fmaxf(fminf(v, 32767.0f), -32768.0f));
}

void conceal_lost(struct conceal *c, int16_t *pcm, unsigned n)
{
    unsigned over = 6 * STEP * c->scale;
    if (n == 0)
        return;
    if (c->lost == 0)
        begin(c);
    for (unsigned i = 0; i < n; i++) {
        pcm[i] = whole(make_one(c));
        c->lost += c->lost < over;
    }
    remember(c, pcm, n);
}

void conceal_good(struct conceal *c, int16_t *pcm, unsigned n)
{
    if (c->lost > 0 && n > 0) {
        unsigned step = STEP * c->scale, over = (c->lost - 1) / step;
        unsigned blend = c->quarter + over * BLEND_MORE * c->scale;
        blend = blend < step ? blend : step;
        blend = blend < n ? blend : n;
        for (unsigned i = 0; i < blend; i++) {
            float w = (float)(i + 1) / (float)(blend + 1);
            pcm[i] = whole(pcm[i] * w + make_one(c) * (1 - w));
            c->lost++;
        }
        c->lost = 0;
    }
    remember(c, pcm, n);
}
