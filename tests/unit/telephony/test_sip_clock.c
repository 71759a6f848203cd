/* Sofia-SIP's loop waits for its timers instead of spinning through the last part of a millisecond before them. */
#include <check.h>
#include <sofia-sip/su_wait.h>
#include <stdlib.h>
#include <time.h>

#include "telephony/sip_guard.h"
#include "tests/unit/suite.h"

#define TIMES 50

static unsigned fired;

static void on_timer(su_root_magic_t *m, su_timer_t *t, su_timer_arg_t *arg)
{
    (void)m;
    (void)t;
    (void)arg;
    fired++;
}

START_TEST(a_timer_costs_few_turns)
{
    su_init();
    sip_clock_coarse();
    su_root_t *root = su_root_create(NULL);
    ck_assert_ptr_nonnull(root);
    su_root_threading(root, 0);
    su_timer_t *t = su_timer_create(su_root_task(root), 3);
    ck_assert_int_eq(su_timer_set_for_ever(t, on_timer, NULL), 0);
    unsigned turns = 0;
    while (fired < TIMES && turns < 1000 * TIMES) {
        (void)su_root_step(root, 1000);
        turns++;
    }
    ck_assert_uint_ge(fired, TIMES);
    ck_assert_uint_le(turns, 3 * TIMES); /* thousands for each, when it spins */
    su_timer_destroy(t);
    su_root_destroy(root);
    su_deinit();
}
END_TEST

START_TEST(the_time_begins_as_the_wall_clocks)
{
    sip_clock_coarse();
    su_time_t now = su_now();
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    long long gap = ((long long)t.tv_sec + 2208988800ll - (long long)now.tv_sec) * 1000 + t.tv_nsec / 1000000 - (long long)now.tv_usec / 1000;
    ck_assert_int_ge(gap, 0);
    ck_assert_int_lt(gap, 1000);
    ck_assert_uint_eq(now.tv_usec % 1000, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sip clock");
    TCase *c = tcase_create("clock");
    tcase_add_test(c, a_timer_costs_few_turns);
    tcase_add_test(c, the_time_begins_as_the_wall_clocks);
    suite_add_tcase(s, c);
    return run_suite(s);
}
