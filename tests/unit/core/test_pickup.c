/* Pick-up of a colleague's ringing call. */
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static void up(void)
{
    fx_open(&f);
    fx_demo(&f, 4);
    ck_assert_int_eq(fx_raise(&f, CORE_FEATURE_LEVEL), 0);
    /* 1004 is of another group */
    fx_must_set(&f, "[{'kind':'agent','number':'1001','extension':'8001','group':'east'},"
                    "{'kind':'agent','number':'1002','extension':'8002','group':'east'},"
                    "{'kind':'agent','number':'1003','extension':'8003','group':'east'},"
                    "{'kind':'agent','number':'1004','extension':'8004','group':'west'},"
                    "{'kind':'extension','number':'8050','contact':'sip:8050@127.0.0.1:9050'}]");
}

static void down(void)
{
    fx_close(&f);
}

/* This telephone dials the code. */
static int pickup(uint64_t id, const char *by, const char *extension)
{
    char dialled[32];
    (void)snprintf(dialled, sizeof dialled, "*8%s", extension);
    ck_assert_int_eq(fx_start(&f, id, by, dialled, true), 0);
    ck_assert_str_eq(core_call(f.c, id)->app, "code:pickup");
    ck_assert_str_eq(core_call(f.c, id)->app_argument, extension);
    Ev__CallPickup m = EV__CALL_PICKUP__INIT;
    m.from = id;
    m.extension = (char *)(uintptr_t)extension;
    FX_BODY(CALL_PICKUP, call_pickup, m);
    return fx_run(&f, &cmd);
}

static void talks(uint64_t id, const char *with)
{
    const struct core_call *k = core_call(f.c, id);
    ck_assert_ptr_nonnull(k);
    ck_assert_int_eq(k->phase, CORE_CALL_TALKING);
    ck_assert_uint_eq(k->n_legs, 2);
    ck_assert_str_eq(k->legs[1].number, with);
}

START_TEST(test_the_longest_of_the_group)
{
    ck_assert_int_eq(fx_start(&f, 10, "8050", "8004", false), 0); /* of another group */
    ck_assert_int_eq(fx_start(&f, 11, "13800", "10000", true), 0);
    ck_assert_int_eq(fx_dial(&f, 11, "", "8003"), 0);
    ck_assert_int_eq(fx_start(&f, 9, "8050", "8002", false), 0); /* rings later, whatever its id */
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(pickup(12, "8001", ""), 0);
    talks(11, "8001");
    ck_assert_str_eq(core_call(f.c, 11)->legs[1].agent, "1001");
    ck_assert_ptr_null(core_call(f.c, 12)); /* nothing is left of it */
    fx_same_after_restart(&f);
    ck_assert_int_eq(fx_phase(&f, 9), CORE_CALL_DIALLING);
    ck_assert_int_eq(fx_end(&f, 11, "caller"), 0);
    ck_assert_int_eq(pickup(13, "8001", ""), 0);
    talks(9, "8001");
    ck_assert_int_eq(fx_end(&f, 9, "caller"), 0);
    ck_assert_int_eq(pickup(14, "8001", ""), ERR_NOTFOUND);
    ck_assert_int_eq(fx_phase(&f, 14), CORE_CALL_APP); /* its owner says so, and hangs up */
}
END_TEST

START_TEST(test_that_telephone)
{
    ck_assert_int_eq(fx_start(&f, 20, "13800", "10000", true), 0);
    ck_assert_int_eq(fx_dial(&f, 20, "", "8002"), 0);
    ck_assert_int_eq(fx_start(&f, 21, "13801", "10000", true), 0);
    ck_assert_int_eq(fx_dial(&f, 21, "", "8003"), 0);
    ck_assert_int_eq(pickup(22, "8004", "8003"), ERR_DENIED);
    ck_assert_int_eq(pickup(23, "8001", "8004"), ERR_NOTFOUND); /* it does not ring */
    ck_assert_int_eq(fx_end(&f, 23, "caller"), 0);
    ck_assert_int_eq(pickup(24, "8001", "8003"), 0);
    talks(21, "8001");
    ck_assert_int_eq(fx_phase(&f, 20), CORE_CALL_DIALLING);
    /* a telephone that is no agent's */
    ck_assert_int_eq(fx_start(&f, 25, "13802", "10000", true), 0);
    ck_assert_int_eq(fx_dial(&f, 25, "", "8050"), 0);
    ck_assert_int_eq(pickup(26, "8003", "8050"), 0);
    talks(25, "8003");
}
END_TEST

/* Of a queue: the agent who was rung is free again, who picked it up serves it. */
START_TEST(test_of_a_queue)
{
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    ck_assert_int_eq(fx_ready(&f, "1002"), 0);
    ck_assert_int_eq(fx_start(&f, 30, "13800", "10003", true), 0);
    ck_assert_int_eq(fx_phase(&f, 30), CORE_CALL_OFFERED);
    ck_assert_int_eq(fx_state(&f, "1002"), CORE_AGENT_RINGING);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_not_ready(&f, "1001"), 0);
    ck_assert_int_eq(pickup(31, "8001", ""), 0);
    talks(30, "8001");
    ck_assert_int_eq(fx_state(&f, "1002"), CORE_AGENT_IDLE);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_TALKING);
    fx_same_after_restart(&f);
}
END_TEST

START_TEST(test_who_has_not_dialled_it)
{
    ck_assert_int_eq(fx_start(&f, 40, "13800", "10000", true), 0);
    Ev__CallPickup m = EV__CALL_PICKUP__INIT;
    m.from = 40;
    FX_BODY(CALL_PICKUP, call_pickup, m);
    ck_assert_int_eq(fx_run(&f, &cmd), ERR_BADSTATE);
    m.from = 41;
    cmd.time_us = 0;
    ck_assert_int_eq(fx_run(&f, &cmd), ERR_NOTFOUND);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pick-up");
    TCase *t = tcase_create("pick-up");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, test_the_longest_of_the_group);
    tcase_add_test(t, test_that_telephone);
    tcase_add_test(t, test_of_a_queue);
    tcase_add_test(t, test_who_has_not_dialled_it);
    suite_add_tcase(s, t);
    return run_suite(s);
}
