/* The half-band filter measured with tones: what passes, what must not, and that pieces of any length give the same. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/resample.h"
#include "tests/unit/suite.h"

enum { N = 8000, SETTLED = 200 };

static struct resample *new_one(unsigned from_hz, unsigned to_hz)
{
    struct resample *r = NULL;
    ck_assert_int_eq(resample_new(from_hz, to_hz, &r), 0);
    return r;
}

static void tone(int16_t *out, unsigned n, unsigned hz, double f)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = (int16_t)lrint(20000 * sin(2 * M_PI * f * i / hz));
}

/* Amplitude at f, in dB to that of tone(). */
static double level(const int16_t *pcm, unsigned n, unsigned hz, double f)
{
    double re = 0, im = 0, weight = 0;
    for (unsigned i = SETTLED; i < n; i++) {
        double w = 0.5 - 0.5 * cos(2 * M_PI * (i - SETTLED) / (n - SETTLED)); /* so that other tones do not leak in */
        re += w * pcm[i] * cos(2 * M_PI * f * i / hz);
        im += w * pcm[i] * sin(2 * M_PI * f * i / hz);
        weight += w;
    }
    return 20 * log10(2 * hypot(re, im) / weight / 20000 + 1e-9);
}

START_TEST(down)
{
    static int16_t in[2 * N], out[N];
    for (double f = 100; f < 7950; f += 50) {
        struct resample *r = new_one(16000, 8000);
        tone(in, 2 * N, 16000, f);
        ck_assert_uint_eq(resample_run(r, in, 2 * N, out), N);
        if (f <= 3400)
            ck_assert_double_eq_tol(level(out, N, 8000, f), 0, 0.02);
        if (f >= 4600)
            ck_assert_double_lt(level(out, N, 8000, 8000 - f), -63);
        resample_free(r);
    }
}
END_TEST

START_TEST(up)
{
    static int16_t in[N], out[2 * N];
    for (double f = 100; f <= 3400; f += 50) {
        struct resample *r = new_one(8000, 16000);
        tone(in, N, 8000, f);
        ck_assert_uint_eq(resample_run(r, in, N, out), 2 * N);
        ck_assert_double_eq_tol(level(out, 2 * N, 16000, f), 0, 0.02);
        ck_assert_double_lt(level(out, 2 * N, 16000, 8000 - f), -63);
        resample_free(r);
    }
}
END_TEST

/* Up and down again: the same, 27.5 samples later. */
START_TEST(there_and_back)
{
    static int16_t in[N], mid[2 * N], out[N];
    struct resample *a = new_one(8000, 16000), *b = new_one(16000, 8000);
    tone(in, N, 8000, 1234);
    (void)resample_run(a, in, N, mid);
    (void)resample_run(b, mid, 2 * N, out);
    for (unsigned i = 60; i < N; i++)
        must_hold(fabs(out[i] - 20000 * sin(2 * M_PI * 1234 * (i - 27.5) / 8000)) <= 10);
    resample_free(a);
    resample_free(b);
}
END_TEST

START_TEST(pieces)
{
    static int16_t in[N], whole[2 * N], parts[2 * N];
    uint64_t rng = (uint64_t)_i + 1;
    unsigned from = _i % 2 ? 8000 : 16000, to = 24000 - from, n_whole, n_parts = 0;
    struct resample *a = new_one(from, to), *b = new_one(from, to);
    for (unsigned i = 0; i < N; i++) {
        rng = rng * UINT64_C(6364136223846793005) + 1;
        in[i] = _i < 4 ? (int16_t)(rng >> 40) : rng >> 63 ? INT16_MAX : INT16_MIN; /* the loudest must not wrap */
    }
    n_whole = resample_run(a, in, N, whole);
    for (unsigned at = 0; at < N;) {
        rng = rng * UINT64_C(6364136223846793005) + 1;
        unsigned some = 2 * (unsigned)((rng >> 33) % 500);
        some = some < N - at ? some : N - at;
        n_parts += resample_run(b, in + at, some, parts + n_parts);
        at += some;
    }
    ck_assert_uint_eq(n_parts, n_whole);
    ck_assert_mem_eq(whole, parts, n_whole * sizeof *whole);
    resample_free(a);
    resample_free(b);
}
END_TEST

/* All samples alike as loud as can be come out as they went in, at either limit. */
START_TEST(limits)
{
    static int16_t in[N], out[2 * N];
    for (unsigned i = 0; i < 4; i++) {
        struct resample *r = new_one(i % 2 ? 8000 : 16000, i % 2 ? 16000 : 8000);
        for (unsigned k = 0; k < N; k++)
            in[k] = i < 2 ? INT16_MAX : INT16_MIN;
        unsigned n = resample_run(r, in, N, out);
        for (unsigned k = SETTLED; k < n; k++)
            must_hold(out[k] == in[0]);
        resample_free(r);
    }
}
END_TEST

START_TEST(refusals)
{
    struct resample *r = NULL;
    ck_assert_int_eq(resample_new(8000, 8000, &r), ERR_INVAL);
    ck_assert_int_eq(resample_new(48000, 16000, &r), ERR_INVAL);
    ck_assert_ptr_null(r);
    resample_free(NULL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("resample");
    TCase *t = tcase_create("resample");
    tcase_add_test(t, down);
    tcase_add_test(t, up);
    tcase_add_test(t, there_and_back);
    tcase_add_loop_test(t, pieces, 0, 8);
    tcase_add_test(t, limits);
    tcase_add_test(t, refusals);
    suite_add_tcase(s, t);
    return run_suite(s);
}
