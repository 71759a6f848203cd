/* Concealment, measured: the error that a listener hears with it and with silence in the gaps, on voices made of harmonics. */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/conceal.h"
#include "tests/unit/suite.h"

enum { SAMPLES_MAX = 16000 * 4 };

static uint64_t rng;

static uint32_t chance(uint32_t n)
{
    rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(rng >> 33) % n;
}

static struct conceal *new_one(unsigned hz)
{
    struct conceal *c = NULL;
    ck_assert_int_eq(conceal_new(hz, &c), 0);
    return c;
}

/* A voice: harmonics of a pitch that glides from `from` to `to` Hz, formed like a vowel; with `syllables` it swells and sinks. */
static void voice(int16_t *out, unsigned n, unsigned hz, double from, double to, bool syllables)
{
    double phase = 0, top = hz / 2.0 - 200;
    for (unsigned i = 0; i < n; i++) {
        double f = from + (to - from) * i / n, v = 0;
        phase += 2 * M_PI * f / hz;
        for (unsigned k = 1; k * f < top && k < 24; k++) {
            double a = 1 / (1 + pow((k * f - 600) / 300, 2)) + 0.5 / (1 + pow((k * f - 1700) / 400, 2));
            v += a * sin(k * phase + k * k);
        }
        double envelope = syllables ? 0.55 + 0.45 * sin(2 * M_PI * 4 * i / hz) : 1;
        out[i] = (int16_t)lrint(2500 * v * envelope);
    }
}

struct errors {
    double wave, spectrum; /* energy of what differs, to that of what was lost: 1 for silence */
};

/* Magnitudes at multiples of 50 Hz, up to 3.4 kHz: which the ear goes by, whatever the phases are. */
static void spectrum(const int16_t *pcm, unsigned hz, double out[68])
{
    unsigned n = hz / 50;
    double c[320];
    for (unsigned i = 0; i < n; i++)
        c[i] = cos(2 * M_PI * i / n);
    for (unsigned f = 1; f < 68; f++) {
        double re = 0, im = 0;
        for (unsigned i = 0; i < n; i++) {
            double v = pcm[i] * (0.5 - 0.5 * c[i]);
            re += v * c[f * i % n];
            im += v * c[(f * i + n / 4) % n];
        }
        out[f] = hypot(re, im);
    }
}

/* What is heard when one in 20 frames of 20 ms is lost. */
static struct errors errors_of(const int16_t *said, unsigned n, unsigned hz)
{
    static int16_t heard[SAMPLES_MAX];
    struct conceal *c = new_one(hz);
    unsigned frame = hz / 50;
    struct errors e = {0};
    double lost_wave = 0, lost_spectrum = 0, was[68], is[68];
    memcpy(heard, said, n * sizeof *heard);
    for (unsigned at = 0; at + frame <= n; at += frame) {
        bool lost = at > hz / 10 && chance(20) == 0;
        if (lost)
            conceal_lost(c, heard + at, frame);
        else
            conceal_good(c, heard + at, frame);
        for (unsigned i = at; i < at + frame; i++) {
            e.wave += pow(heard[i] - said[i], 2);
            lost_wave += lost ? pow(said[i], 2) : 0;
        }
        if (lost) {
            spectrum(said + at, hz, was);
            spectrum(heard + at, hz, is);
        }
        for (unsigned f = 1; lost && f < 68; f++) {
            e.spectrum += pow(is[f] - was[f], 2);
            lost_spectrum += pow(was[f], 2);
        }
    }
    conceal_free(c);
    ck_assert_double_gt(lost_wave, 0);
    e.wave /= lost_wave;
    e.spectrum /= lost_spectrum;
    return e;
}

static void expect(double from, double to, double wave_max, double spectrum_max)
{
    static int16_t said[SAMPLES_MAX];
    for (unsigned hz = 8000; hz <= 16000; hz += 8000) {
        voice(said, 4 * hz, hz, from, to, from != to);
        struct errors e = errors_of(said, 4 * hz, hz);
        if (e.wave > wave_max || e.spectrum > spectrum_max)
            ck_abort_msg("%.0f to %.0f Hz at %u: %.3f, spectrum %.3f", from, to, hz, e.wave, e.spectrum);
    }
}

/* A voice that stays the same is spoken on nearly as it was: what is left is that a period is no whole number of samples. */
START_TEST(steady_voices)
{
    static const unsigned pitches[] = {70, 90, 113, 125, 137, 161, 190};
    rng = 1;
    for (unsigned i = 0; i < sizeof pitches / sizeof pitches[0]; i++)
        expect(pitches[i], pitches[i], 0.7, 0.06);
}
END_TEST

START_TEST(living_voices)
{
    rng = 2;
    expect(100, 140, 0.7, 0.2);
    expect(180, 120, 0.7, 0.2);
    expect(90, 80, 0.7, 0.2);
    expect(110, 190, 0.7, 0.2);
}
END_TEST

/* No click: neighbouring samples differ no more than they do in the voice itself, at both ends of a gap of any length. */
START_TEST(no_clicks)
{
    static int16_t v[SAMPLES_MAX];
    unsigned hz = _i % 2 ? 16000 : 8000, frame = hz / 100;
    struct conceal *c = new_one(hz);
    rng = (uint64_t)_i + 3;
    voice(v, hz, hz, 80 + 10 * _i, 90 + 9 * _i, false);
    int steepest = 0;
    for (unsigned i = 1; i < hz; i++)
        steepest = abs(v[i] - v[i - 1]) > steepest ? abs(v[i] - v[i - 1]) : steepest;
    unsigned lost = 0;
    for (unsigned at = 0; at + frame <= hz; at += frame) {
        if (lost == 0 && at > hz / 8 && chance(6) == 0)
            lost = 1 + chance(9);
        if (lost > 0)
            conceal_lost(c, v + at, frame);
        else
            conceal_good(c, v + at, frame);
        lost -= lost > 0;
    }
    for (unsigned i = 1; i < hz; i++)
        must_hold(abs(v[i] - v[i - 1]) <= steepest + steepest / 3);
    conceal_free(c);
}
END_TEST

START_TEST(fades_away)
{
    static int16_t v[8000], lost[1600];
    struct conceal *c = new_one(8000);
    voice(v, 8000, 8000, 120, 120, false);
    for (unsigned at = 0; at < 8000; at += 160)
        conceal_good(c, v + at, 160);
    conceal_lost(c, lost, 800);
    double before = INFINITY;
    for (unsigned at = 0; at < 480; at += 80) {
        double now = 0;
        for (unsigned i = 0; i < 80; i++)
            now += lost[at + i] * lost[at + i];
        ck_assert_double_gt(now, 0);
        if (at >= 160)
            ck_assert_double_lt(now, before);
        before = now;
    }
    for (unsigned i = 480; i < 800; i++)
        must_hold(lost[i] == 0);
    conceal_good(c, v, 160); /* and comes back softly */
    ck_assert_int_lt(abs(v[0]), 400);
    conceal_lost(c, lost, 160);
    conceal_reset(c);
    conceal_lost(c, lost, 1600);
    for (unsigned i = 0; i < 1600; i++)
        must_hold(lost[i] == 0);
    conceal_free(c);
}
END_TEST

START_TEST(nothing_lost_nothing_changed)
{
    static int16_t v[16000], same[16000];
    struct conceal *c = new_one(16000);
    rng = 5;
    for (unsigned i = 0; i < 16000; i++)
        v[i] = (int16_t)(chance(65536) - 32768);
    memcpy(same, v, sizeof v);
    for (unsigned at = 0; at < 16000;) {
        unsigned n = 1 + chance(1200);
        n = n < 16000 - at ? n : 16000 - at;
        conceal_good(c, v + at, n);
        at += n;
    }
    ck_assert_mem_eq(v, same, sizeof v);
    conceal_free(c);
}
END_TEST

/* However the gaps are cut into calls, the sound is the same; and no noise, however loud, wraps. */
START_TEST(any_lengths)
{
    static int16_t v[SAMPLES_MAX], whole[4000], parts[4000];
    unsigned hz = _i % 2 ? 16000 : 8000;
    struct conceal *a = new_one(hz), *b = new_one(hz);
    rng = (uint64_t)_i + 77;
    for (unsigned i = 0; i < hz; i++)
        v[i] =
            _i < 4 ? (int16_t)(chance(65536) - 32768) : (int16_t)(i / (10 + (unsigned)_i) % 2 ? INT16_MAX : INT16_MIN);
    conceal_good(a, v, hz);
    conceal_good(b, v, hz);
    for (unsigned round = 0; round < 20; round++) {
        unsigned n = 1 + chance(4000);
        conceal_lost(a, whole, n);
        for (unsigned at = 0; at < n;) {
            unsigned some = 1 + chance(n - at);
            conceal_lost(b, parts + at, some);
            at += some;
        }
        ck_assert_mem_eq(whole, parts, n * sizeof *whole);
        n = chance(2000);
        memcpy(whole, v, n * sizeof *whole);
        memcpy(parts, v, n * sizeof *parts);
        conceal_good(a, whole, n);
        conceal_good(b, parts, n);
        ck_assert_mem_eq(whole, parts, n * sizeof *whole);
    }
    conceal_free(a);
    conceal_free(b);
}
END_TEST

START_TEST(refusals)
{
    struct conceal *c = NULL;
    ck_assert_int_eq(conceal_new(48000, &c), ERR_INVAL);
    ck_assert_ptr_null(c);
    conceal_free(NULL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("conceal");
    TCase *t = tcase_create("conceal");
    tcase_add_test(t, steady_voices);
    tcase_add_test(t, living_voices);
    tcase_add_loop_test(t, no_clicks, 0, 12);
    tcase_add_test(t, fades_away);
    tcase_add_test(t, nothing_lost_nothing_changed);
    tcase_add_loop_test(t, any_lengths, 0, 8);
    tcase_add_test(t, refusals);
    suite_add_tcase(s, t);
    return run_suite(s);
}
