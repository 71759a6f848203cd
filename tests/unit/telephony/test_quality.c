/* The E-model against values worked out by hand from the equations of G.107, and against what must hold of any such rating. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "telephony/quality.h"
#include "tests/unit/suite.h"

static double r_of(double loss, double burst, double delay_ms, bool concealed)
{
    struct quality_line l = {.loss = loss, .burst = burst, .delay_ms = delay_ms, .concealed = concealed};
    return quality_r(&l);
}

START_TEST(by_hand)
{
    static const struct {
        double loss, burst, delay_ms;
        bool concealed;
        double r;
    } t[] = {
        {0, 1, 0, true, 93.2},
        {0, 1, 100, true, 93.2},
        {0, 1, 200, true, 93.2 - 3.044}, /* X = 1 */
        {0, 1, 400, true, 93.2 - 24.07}, /* X = 2 */
        {0.01, 1, 0, true, 93.2 - 95 / 26.1},
        {0.01, 1, 0, false, 93.2 - 95 / 5.3},
        {0.05, 1, 50, true, 93.2 - 475 / 30.1},
        {0.05, 2, 50, true, 93.2 - 475 / 27.6}, /* in bursts it is worse */
        {1, 1, 0, true, 93.2 - 9500 / 125.1},
    };
    for (unsigned i = 0; i < sizeof t / sizeof t[0]; i++)
        ck_assert_double_eq_tol(r_of(t[i].loss, t[i].burst, t[i].delay_ms, t[i].concealed), t[i].r, 0.01);
}
END_TEST

/* G.107 Annex B, table B.1: the limits of its grades, with two digits. */
START_TEST(opinions)
{
    static const struct {
        double r, mos;
    } t[] = {{-5, 1},    {0, 1},     {50, 2.58},   {60, 3.10}, {70, 3.60},
             {80, 4.03}, {90, 4.34}, {93.2, 4.41}, {100, 4.5}, {120, 4.5}};
    for (unsigned i = 0; i < sizeof t / sizeof t[0]; i++)
        ck_assert_double_eq_tol(quality_mos(t[i].r), t[i].mos, 0.011);
}
END_TEST

START_TEST(worse_is_never_better)
{
    for (double loss = 0; loss < 0.95; loss += 0.05) {
        for (double delay = 0; delay < 900; delay += 50) {
            double r = r_of(loss, 1, delay, true);
            ck_assert_double_gt(r, r_of(loss + 0.05, 1, delay, true));
            ck_assert_double_ge(r, r_of(loss, 1, delay + 50, true));
            ck_assert_double_ge(r, r_of(loss, 1.5, delay, true));
            ck_assert_double_ge(r, r_of(loss, 1, delay, false));
            ck_assert_double_ge(quality_mos(r), quality_mos(r_of(loss + 0.05, 1, delay + 50, true)));
        }
    }
}
END_TEST

START_TEST(what_cannot_be)
{
    ck_assert_double_eq(r_of(-1, 0, -100, true), 93.2);
    ck_assert_double_eq(r_of(NAN, NAN, NAN, true), 93.2);
    ck_assert_double_eq(r_of(7, 1, 0, true), r_of(1, 1, 0, true));
    ck_assert_double_eq(r_of(0, 1, INFINITY, true), r_of(0, 1, 10000, true));
    ck_assert_double_eq(quality_mos(NAN), 1);
}
END_TEST

START_TEST(legs)
{
    struct quality_leg leg = {0};
    struct quality_line l;
    quality_of_leg(&leg, &l); /* nothing is known */
    ck_assert_double_eq(l.loss, 0);
    ck_assert_double_eq(l.burst, 1);
    ck_assert_double_eq(l.delay_ms, 40);
    ck_assert_double_eq_tol(quality_mos(quality_r(&l)), 4.41, 0.005);

    leg = (struct quality_leg){
        .packets = 900, .lost = 100, .lost_runs = 20, .jitter_us = 30000, .rtt_us = 100000, .ptime_ms = 30};
    quality_of_leg(&leg, &l);
    ck_assert_double_eq_tol(l.loss, 0.1, 1e-9);
    ck_assert_double_eq_tol(l.burst, 5 * 0.9, 1e-9);
    ck_assert_double_eq_tol(l.delay_ms, 30 + 50 + 60, 1e-9);

    leg.buffer_ms = 45;
    leg.lookahead_us = 6500;
    leg.lost_runs = 101; /* more runs than packets: not to be believed */
    quality_of_leg(&leg, &l);
    ck_assert_double_eq(l.burst, 1);
    ck_assert_double_eq_tol(l.delay_ms, 30 + 50 + 45 + 6.5, 1e-9);
    leg.lost_runs = 100; /* each alone: less than random would have */
    quality_of_leg(&leg, &l);
    ck_assert_double_eq(l.burst, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("quality");
    TCase *t = tcase_create("quality");
    tcase_add_test(t, by_hand);
    tcase_add_test(t, opinions);
    tcase_add_test(t, worse_is_never_better);
    tcase_add_test(t, what_cannot_be);
    tcase_add_test(t, legs);
    suite_add_tcase(s, t);
    return run_suite(s);
}
