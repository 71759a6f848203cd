/* Gain control and comfort noise. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/level.h"
#include "tests/unit/suite.h"

#define N 160u
#define SECOND 50u                                 /* frames */
#define SINE_AT_TARGET (1150.0 * 3.14159265 / 2.0) /* the peak of a sine whose mean is that of speech at -26 dBov */

static double phase;

static void sine(double peak, int16_t *pcm)
{
    for (unsigned i = 0; i < N; i++, phase += 2 * 3.14159265 * 400 / 8000)
        pcm[i] = (int16_t)lrint(peak * sin(phase));
}

/* The largest sample of what the last of so many frames became. */
static int after(struct level *l, double peak, unsigned frames)
{
    int16_t in[N], out[N];
    int most = 0;
    for (unsigned k = 0; k < frames; k++) {
        sine(peak, in);
        level_run(l, in, N, out);
    }
    for (unsigned i = 0; i < N; i++)
        most = abs(out[i]) > most ? abs(out[i]) : most;
    return most;
}

static double db(double a, double b)
{
    return 20 * log10(a / b);
}

START_TEST(low_and_loud_become_equal)
{
    struct level low = {0}, loud = {0}, right = {0};
    ck_assert_double_eq_tol(db(after(&low, SINE_AT_TARGET / 3, 10 * SECOND), SINE_AT_TARGET), 0, 0.5);
    ck_assert_double_eq_tol(db(after(&loud, SINE_AT_TARGET * 3, 10 * SECOND), SINE_AT_TARGET), 0, 0.5);
    ck_assert_double_eq_tol(db(after(&right, SINE_AT_TARGET, 10 * SECOND), SINE_AT_TARGET), 0, 0.5);
    ck_assert_uint_eq(level_gain(&(struct level){0}), 4096);
}
END_TEST

START_TEST(twelve_db_at_most)
{
    struct level low = {0}, loud = {0};
    (void)after(&low, SINE_AT_TARGET / 4.9, 60 * SECOND);
    ck_assert_uint_eq(level_gain(&low), 4 * 4096);
    (void)after(&loud, 32000, 60 * SECOND);
    ck_assert_uint_eq(level_gain(&loud), 1024);
}
END_TEST

START_TEST(pauses_change_nothing)
{
    struct level l = {0};
    (void)after(&l, SINE_AT_TARGET / 3, 10 * SECOND);
    uint32_t gain = level_gain(&l);
    (void)after(&l, SINE_AT_TARGET / 10, 60 * SECOND);
    ck_assert_uint_eq(level_gain(&l), gain);
    (void)after(&l, 0, 60 * SECOND);
    ck_assert_uint_eq(level_gain(&l), gain);
}
END_TEST

/* No frame is more than 0.1 dB louder or 0.5 dB lower than the one before, and no sample jumps. */
START_TEST(without_steps)
{
    struct level l = {0};
    int16_t in[N], out[N], last = 0;
    for (unsigned k = 0; k < 20 * SECOND; k++) {
        double before = level_gain(&l);
        sine(k / (5 * SECOND) % 2 ? SINE_AT_TARGET * 2.5 : SINE_AT_TARGET / 2.5, in);
        level_run(&l, in, N, out);
        ck_assert_double_lt(db(level_gain(&l), before), 0.11);
        ck_assert_double_gt(db(level_gain(&l), before), -0.51);
        for (unsigned i = 0; i < N; i++) {
            int slope = i ? abs(out[i] - last) : 0;
            ck_assert_int_lt(slope, (int)(4 * SINE_AT_TARGET * 2 * 3.14159265 * 400 / 8000 * 2.5));
            last = out[i];
        }
    }
}
END_TEST

START_TEST(what_does_not_fit_is_cut_off)
{
    struct level l = {.gain = 4 * 4096, .speech = 1};
    int16_t in[N], out[N];
    for (unsigned i = 0; i < N; i++)
        in[i] = i % 2 ? INT16_MAX : INT16_MIN;
    level_run(&l, in, N, out);
    ck_assert_int_eq(out[0], INT16_MIN);
    ck_assert_int_eq(out[1], INT16_MAX);
    level_run(&l, in, 0, out);
    struct level a = {0}, b = {0};
    int16_t in_place[N];
    sine(500, in);
    memcpy(in_place, in, sizeof in);
    for (unsigned k = 0; k < 3; k++)
        level_run(&a, in, N, out);
    memcpy(in, in_place, sizeof in);
    for (unsigned k = 0; k < 3; k++) {
        memcpy(in_place, in, sizeof in);
        level_run(&b, in_place, N, in_place);
    }
    ck_assert_mem_eq(out, in_place, sizeof out);
}
END_TEST

START_TEST(noise)
{
    uint32_t seed = 1, other = 1;
    double sum = 0, mean = 0;
    int16_t out[N], again[N];
    for (unsigned k = 0; k < 10 * SECOND; k++) {
        level_noise(&seed, out, N);
        level_noise(&other, again, N);
        ck_assert_mem_eq(out, again, sizeof out);
        for (unsigned i = 0; i < N; i++) {
            sum += (double)out[i] * out[i];
            mean += out[i];
        }
    }
    ck_assert_double_eq_tol(db(sqrt(sum / (10 * SECOND * N)), 32768), -62, 0.5);
    ck_assert_double_lt(fabs(mean / (10 * SECOND * N)), 2);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("level");
    TCase *tc = tcase_create("all");
    tcase_add_test(tc, low_and_loud_become_equal);
    tcase_add_test(tc, twelve_db_at_most);
    tcase_add_test(tc, pauses_change_nothing);
    tcase_add_test(tc, without_steps);
    tcase_add_test(tc, what_does_not_fit_is_cut_off);
    tcase_add_test(tc, noise);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
