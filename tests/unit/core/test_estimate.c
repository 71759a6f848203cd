/* Estimated waits: the reckoning against its definition, what it is fed with, and that a restart changes nothing. */
#include "core/core_int.h"
#include "core/explain.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static void set(const char *text)
{
    fx_must_set(&f, text);
}

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 4);
    ck_assert_int_eq(fx_raise(&f, 3), 0);
    set("[{'kind':'queue','name':'service','members':[{'agent':'1001'},{'agent':'1002'}]},"
        "{'kind':'queue','name':'other','members':[{'agent':'1002'},{'agent':'1003'}]},"
        "{'kind':'access_number','number':'10005','queue':'other'}]");
}

static void teardown(void)
{
    fx_close(&f);
}

static void start(uint64_t id, const char *number)
{
    ck_assert_int_eq(fx_start(&f, id, "139", number, true), 0);
}

static void answer(uint64_t id)
{
    ck_assert_int_eq(fx_answer(&f, id, core_call(f.c, id)->offer.id), 0);
}

/* The same before and after a restart. */
static uint32_t estimated(uint64_t id)
{
    uint32_t s = core_estimated_wait_s(f.c, id);
    fx_reopen(&f);
    ck_assert_uint_eq(core_estimated_wait_s(f.c, id), s);
    return s;
}

START_TEST(test_the_reckoning)
{
    struct estimate_history h = {0};
    uint64_t now = 1700000000 * US;
    struct estimate e = estimate_of(&h, now, 0);
    ck_assert_uint_eq(estimate_wait_s(&e, 1), ESTIMATE_UNKNOWN);
    ck_assert(estimate_exceeds(&e, 1, 86400));
    /* nothing known: three calls of 180 s; two agents */
    e = estimate_of(&h, now, 2000);
    ck_assert_uint_eq(e.handling_us, 180 * US);
    for (uint32_t place = 0; place < 10; place++)
        ck_assert_uint_le(estimate_wait_s(&e, place) - 90 * place + 1, 2); /* 10^-12 is cut off at each place */
    /* 7 calls of 80 s */
    struct estimate_window *w = estimate_at(&h, now);
    w->served = 7;
    w->busy_us = 7 * 80 * US;
    e = estimate_of(&h, now, 1000);
    ck_assert_uint_eq(e.handling_us, (3 * 180 + 7 * 80) * US / 10);
    /* one of 500 s of waiting gave up: the first of 10 in the line leaves by 1/110 and, of the others before him, j/500 a second */
    w->left = 1;
    w->waited_us = 500 * US;
    e = estimate_of(&h, now, 1000);
    double sum = 0;
    for (unsigned j = 0; j < 10; j++)
        sum += 1 / (1 / 110.0 + j / 500.0);
    ck_assert_uint_le(estimate_wait_s(&e, 10) + 1 - (uint32_t)sum, 2);
    ck_assert(estimate_exceeds(&e, 10, (uint32_t)sum - 2));
    ck_assert(!estimate_exceeds(&e, 10, (uint32_t)sum + 2));
    /* an hour later it counts no more; its place is taken by another window */
    ck_assert_uint_eq(estimate_of(&h, now + 3600 * US, 1000).handling_us, 180 * US);
    ck_assert_uint_ne(estimate_of(&h, now + 3299 * US, 1000).handling_us, 180 * US);
    ck_assert_uint_eq(estimate_at(&h, now + 3600 * US)->served, 0);
    /* never beyond a day */
    e = estimate_of(&h, now + 7200 * US, 1);
    ck_assert_uint_eq(estimate_wait_s(&e, 100000), 86400);
}
END_TEST

START_TEST(test_what_it_is_fed_with)
{
    start(1, "10003");
    ck_assert_uint_eq(estimated(1), ESTIMATE_UNKNOWN);
    ck_assert_uint_eq(core_estimated_wait_s(f.c, 77), ESTIMATE_UNKNOWN);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_uint_eq(estimated(1), 0); /* he is being rung for */
    f.now += 10 * US;
    answer(1);
    start(2, "10003");
    ck_assert_uint_eq(estimated(2), 183); /* its ringing counts already */
    f.now += 50 * US;
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    /* ringing and talking made a minute of it, (540 + 60) / 4 = 150 s a call; the second rings now */
    answer(2);
    start(3, "10003");
    start(4, "10003");
    ck_assert_uint_eq(estimated(3), 150);
    ck_assert_uint_eq(estimated(4), 300);
    /* another agent halves it, not ready again doubles it */
    ck_assert_int_eq(fx_not_ready(&f, "1001"), 0); /* after this call */
    ck_assert_uint_eq(estimated(3), ESTIMATE_UNKNOWN);
    ck_assert_int_eq(fx_ready(&f, "1001"), 0);
    /* one who gives up after 50 s, of 110 s that callers waited in all */
    f.now += 50 * US;
    ck_assert_int_eq(fx_end(&f, 3, "caller"), 0);
    ck_assert_uint_le(estimated(4), 150);
    const struct queue *q = core_queue_obj(f.c, "service");
    const struct estimate *e = core_estimate(f.c, core_queue_obj(f.c, q->name));
    ck_assert_uint_gt(e->leaving, 0);
    json_t *out = NULL;
    struct err_info info = {0};
    ck_assert_int_eq(core_explain_call(f.c, 4, &out, &info), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(out, "estimated_wait_s")), core_estimated_wait_s(f.c, 4));
    char *text = json_dumps(out, JSON_COMPACT);
    ck_assert_msg(strstr(text, "busy for 150 seconds, 1.00 agents work for it") != NULL, "%s", text);
    free(text);
    json_decref(out);
}
END_TEST

START_TEST(test_shared_agents)
{
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    for (uint64_t id = 1; id <= 3; id++)
        start(id, "10003");
    ck_assert_uint_eq(estimated(3), 90);
    for (uint64_t id = 4; id <= 6; id++)
        start(id, "10005");
    /* a quarter of 1002 serves the one of service, three quarters the three of other */
    ck_assert_uint_eq(core_estimate(f.c, core_queue_obj(f.c, "service"))->agents_1000, 1250);
    ck_assert_uint_eq(core_estimate(f.c, core_queue_obj(f.c, "other"))->agents_1000, 750);
    ck_assert_uint_eq(estimated(3), 144);
    ck_assert_uint_eq(estimated(4), 240);
}
END_TEST

START_TEST(test_overflow_by_estimate)
{
    set("[{'kind':'queue','name':'service','members':[{'agent':'1001'}],'overflow':[{'queue':'other','if_estimated_s':200}]}]");
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    start(1, "10003");
    answer(1);
    start(2, "10003");
    ck_assert_uint_eq(core_call_obj(f.c, 2)->st->n_overflow, 0); /* 180 s */
    start(3, "10003");
    ck_assert_uint_eq(core_call_obj(f.c, 3)->st->n_overflow, 1); /* 360 s */
    /* nobody works any more: seen at the next look */
    ck_assert_int_eq(fx_not_ready(&f, "1001"), 0);
    uint64_t due = core_next_due_us(f.c);
    ck_assert_uint_eq(due % (5 * US), 0);
    ck_assert_uint_le(due - f.now, 5 * US);
    fx_reopen(&f);
    ck_assert_uint_eq(core_next_due_us(f.c), due);
    f.now = due - 1;
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_uint_eq(core_call_obj(f.c, 2)->st->n_overflow, 1);
    ck_assert_uint_eq(core_next_due_us(f.c), 0);
}
END_TEST

/* An agent goes from one queue to the other in one change: what holds when half of it is done is nobody's estimate. */
START_TEST(test_looked_at_when_all_is_done)
{
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    start(1, "10005");
    answer(1);
    start(2, "10005");
    for (uint64_t id = 3; id <= 5; id++)
        start(id, "10003");
    ck_assert_uint_eq(estimated(2), 720); /* a quarter of 1002 */
    set("[{'kind':'queue','name':'other','members':[{'agent':'1002'}],'overflow':[{'queue':'service','if_estimated_s':200}]},"
        "{'kind':'queue','name':'service','members':[{'agent':'1001'}]}]");
    ck_assert_uint_eq(estimated(2), 180);
    ck_assert_uint_eq(core_call_obj(f.c, 2)->st->n_overflow, 0);
    /* the change itself is looked at */
    set("[{'kind':'queue','name':'other','members':[{'agent':'1002'}],'overflow':[{'queue':'service','if_estimated_s':150}]}]");
    ck_assert_uint_eq(core_call_obj(f.c, 2)->st->n_overflow, 1);
}
END_TEST

/* A restart between two looks, and below level 4: the next look of each caller is the same. */
START_TEST(test_looks_by_old_rules)
{
    set("[{'kind':'queue','name':'service','members':[{'agent':'1001'}],'overflow':[{'queue':'other','if_estimated_s':200}]}]");
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    start(1, "10003");
    answer(1);
    start(2, "10003");
    uint64_t due = core_next_due_us(f.c);
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    ck_assert_uint_eq(core_next_due_us(f.c), due);
    fx_reopen(&f);
    ck_assert_uint_eq(core_next_due_us(f.c), due);
    ck_assert_int_eq(fx_not_ready(&f, "1001"), 0);
    ck_assert_uint_eq(core_call_obj(f.c, 2)->st->n_overflow, 0); /* that is no look */
    f.now = due;
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_uint_eq(core_call_obj(f.c, 2)->st->n_overflow, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core estimated waits");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_the_reckoning);
    tcase_add_test(tc, test_what_it_is_fed_with);
    tcase_add_test(tc, test_shared_agents);
    tcase_add_test(tc, test_overflow_by_estimate);
    tcase_add_test(tc, test_looked_at_when_all_is_done);
    tcase_add_test(tc, test_looks_by_old_rules);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
