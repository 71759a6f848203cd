/* Hold music: eight bars of a slow chord progression in C, a soft pad with a plucked broken chord above it.
 *
 * The loop is a circle: a note that has not faded at the end goes on at the beginning, so there is no seam to hear. All
 * partials stay below 3 kHz and the level suits a telephone line: -18 dBm0 over the whole loop. */
#include <math.h>
#include <stdlib.h>

#include "telephony/prompt_int.h"

enum {
    MUSIC_BARS = 8,
    MUSIC_BAR_SAMPLES = 30000, /* 3.75 s: four beats at 64 a minute */
    MUSIC_BEATS = 4,
    MUSIC_SAMPLES = MUSIC_BARS * MUSIC_BAR_SAMPLES,
};
/* 0 dBm0 is 3.14 dB under a full-scale sine (G.711 A-law, ITU-T G.711 table 5): RMS 16141 of 32768. -18 dB of that. */
#define MUSIC_RMS 2032.0

struct music_note {
    uint32_t start;        /* sample in the loop */
    uint32_t rise, length; /* samples to full level; to silence */
    double hz, level;
};

/* Semitones above A4 (440 Hz). C, Am7, F, G, Em7, Am, Dm7, G7: bass, then the three upper voices. */
static const int music_chords[MUSIC_BARS][4] = {
    {-21, -9, -5, -2},  {-24, -9, -5, -2},  {-16, -12, -9, -5}, {-14, -10, -7, -2},
    {-17, -10, -7, -2}, {-24, -12, -9, -5}, {-19, -12, -9, -4}, {-14, -10, -7, -4},
};

static double music_hz(int semitones)
{
    return 440.0 * exp2(semitones / 12.0);
}

/* Half a cosine up, then a cosine slope down: no corner that would click. */
static double music_envelope(const struct music_note *n, uint32_t at)
{
    if (at < n->rise)
        return 0.5 - 0.5 * cos(M_PI * at / n->rise);
    double x = (double)(at - n->rise) / (n->length - n->rise);
    double fall = 0.5 + 0.5 * cos(M_PI * x);
    return fall * fall;
}

static void music_add(float *mix, const struct music_note *n)
{
    static const double partials[] = {1.0, 0.35, 0.12};
    for (unsigned k = 0; k < sizeof partials / sizeof *partials; k++) {
        double step = 2.0 * M_PI * n->hz * (k + 1) / PROMPT_RATE_HZ;
        /* A rotating unit vector instead of sin() per sample; its drift over a note is far below one bit. */
        double s = 0.0, c = 1.0, ds = sin(step), dc = cos(step), level = n->level * partials[k];
        for (uint32_t i = 0; i < n->length; i++) {
            mix[(n->start + i) % MUSIC_SAMPLES] += (float)(level * s * music_envelope(n, i));
            double next = s * dc + c * ds;
            c = c * dc - s * ds;
            s = next;
        }
    }
}

static void music_compose(float *mix)
{
    static const int broken[MUSIC_BEATS] = {1, 2, 3, 2};
    const uint32_t beat = MUSIC_BAR_SAMPLES / MUSIC_BEATS;
    for (unsigned bar = 0; bar < MUSIC_BARS; bar++) {
        uint32_t start = bar * MUSIC_BAR_SAMPLES;
        for (unsigned voice = 0; voice < 4; voice++) {
            struct music_note pad = {start, 8000, MUSIC_BAR_SAMPLES + 12000, music_hz(music_chords[bar][voice]),
                                     voice ? 0.16 : 0.24};
            music_add(mix, &pad);
        }
        for (unsigned b = 0; b < MUSIC_BEATS; b++) {
            struct music_note pluck = {start + b * beat, 160, 12000, music_hz(music_chords[bar][broken[b]] + 12), 0.14};
            music_add(mix, &pluck);
        }
    }
}

struct prompt *music_hold(void)
{
    float *mix = calloc(MUSIC_SAMPLES, sizeof *mix);
    struct prompt *p = prompt_new(MUSIC_SAMPLES);
    if (!mix || !p) {
        free(mix);
        prompt_unref(p);
        return NULL;
    }
    music_compose(mix);
    double power = 0.0;
    for (unsigned i = 0; i < MUSIC_SAMPLES; i++)
        power += (double)mix[i] * mix[i];
    double gain = MUSIC_RMS / sqrt(power / MUSIC_SAMPLES);
    for (unsigned i = 0; i < MUSIC_SAMPLES; i++)
        p->pcm[i] = (int16_t)lrint(fmax(-32767.0, fmin(32767.0, mix[i] * gain)));
    free(mix);
    return p;
}
