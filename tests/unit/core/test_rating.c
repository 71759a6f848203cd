/* An agent hangs up and his caller is asked what he thinks of him. Each step is followed by a restart, which must change nothing. */
#include "core/core_int.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;
#define T(text) ((char *)(uintptr_t)(text))

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 3);
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    fx_must_set(&f, "[{'kind':'flow','name':'rate','definition':{'name':'rate'}},"
                    "{'kind':'queue','name':'service','wrap_up_s':5,'rating_flow':'rate','preferences':['last_served'],"
                    "'members':[{'agent':'1001'},{'agent':'1002'}]},"
                    "{'kind':'trunk','name':'carrier','contact':'sip:192.0.2.9:5060','outbound':true}]");
}

static void teardown(void)
{
    fx_close(&f);
}

static void answer(uint64_t id)
{
    ck_assert_int_eq(fx_answer(&f, id, core_call(f.c, id)->offer.id), 0);
    ck_assert_int_eq(fx_phase(&f, id), CORE_CALL_TALKING);
    f.now += 10 * US;
    fx_same_after_restart(&f);
}

static void served(uint64_t id)
{
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, id, "13800138000", "10003", true), 0);
    answer(id);
}

static int part(uint64_t id, uint32_t leg_id)
{
    Ev__CallPart m = EV__CALL_PART__INIT;
    m.call_id = id;
    m.leg_id = leg_id;
    FX_BODY(CALL_PART, call_part, m);
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    int code = fx_run(&f, &cmd);
    fx_same_after_restart(&f);
    return code;
}

static json_t *record(uint64_t id)
{
    char key[17];
    (void)snprintf(key, sizeof key, "%016llx", (unsigned long long)id);
    return fx_view(&f, "cdr", key, NULL);
}

static const char *says(const json_t *r, const char *key)
{
    const char *s = json_string_value(json_object_get(r, key));
    return s ? s : "";
}

static long long number(const json_t *r, const char *key)
{
    return json_integer_value(json_object_get(r, key));
}

static const json_t *one_rating(json_t **list, const char *agent)
{
    *list = fx_list(&f, "rating", json_pack("{s:s}", "rated_agent", agent));
    return json_array_get(json_object_get(*list, "items"), 0);
}

START_TEST(test_after_the_agent)
{
    served(1);
    uint64_t talked_us = f.now;
    ck_assert(core_rates(f.c, 1, 2));
    ck_assert(!core_rates(f.c, 1, 1)); /* a caller who hangs up is not asked */
    ck_assert_int_eq(part(1, 1), ERR_NOTFOUND);
    ck_assert_int_eq(part(1, 2), 0);
    const struct core_call *k = core_call(f.c, 1);
    ck_assert_int_eq(k->phase, CORE_CALL_MENU);
    ck_assert_str_eq(k->flow, "rate");
    ck_assert_uint_ge(k->parted_us, talked_us);
    ck_assert_uint_eq(k->n_legs, 1);
    ck_assert_str_eq(k->left->number, "8001");
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_WRAP_UP); /* at once */
    f.now += 20 * US;
    fx_says(&f, 1, "rate", "ask", "{\"rating\":\"4\"}");
    f.now += 5 * US;
    ck_assert_int_eq(fx_end(&f, 1, "system"), 0);
    json_t *r = record(1), *list;
    ck_assert_int_eq(number(r, "rating"), 4);
    ck_assert_str_eq(says(r, "rated_agent"), "1001");
    ck_assert_str_eq(says(r, "rated_queue"), "service");
    ck_assert_str_eq(says(r, "agent"), "1001");
    ck_assert_str_eq(says(r, "queue"), "service");
    ck_assert_str_eq(says(r, "ended_by"), "agent");
    ck_assert_int_eq(number(r, "transfers"), 0);
    ck_assert_int_eq(number(r, "talk_ms"), 10000); /* not while he was asked */
    ck_assert_str_eq(says(json_array_get(json_object_get(r, "segments"), 0), "ended"), "hang_up");
    json_decref(r);
    const json_t *one = one_rating(&list, "1001");
    ck_assert_int_eq(number(one, "count"), 1);
    ck_assert_int_eq(number(json_object_get(one, "scores"), "4"), 1);
    ck_assert(json_real_value(json_object_get(one, "average")) > 3.99);
    json_decref(list);
    ck_assert_ptr_null(one_rating(&list, "1002"));
    json_decref(list);
    list = fx_list(&f, "event", json_pack("{s:s}", "type", "everline.call.rated"));
    ck_assert_uint_eq(json_array_size(json_object_get(list, "items")), 1);
    json_decref(list);
    /* he was served by him */
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    ck_assert_int_eq(fx_start(&f, 2, "13800138000", "10003", true), 0);
    fx_reopen(&f);
    ck_assert_str_eq(core_call(f.c, 2)->offer.agent, "1001");
}
END_TEST

/* Hung up, silent, nonsense: no rating; the record tells of the agent all the same. */
START_TEST(test_none)
{
    static const char *const nothing[] = {"", "{}", "{\"rating\":\"0\"}", "{\"rating\":\"11\"}", "{\"rating\":\"x\"}", "{\"rating\":\"\"}", "{\"other\":\"5\"}"};
    for (uint64_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        served(i + 1);
        ck_assert_int_eq(part(i + 1, 2), 0);
        fx_says(&f, i + 1, "rate", "ask", nothing[i]);
        ck_assert_int_eq(fx_end(&f, i + 1, "caller"), 0);
        json_t *r = record(i + 1);
        ck_assert(json_is_null(json_object_get(r, "rating")));
        ck_assert_str_eq(says(r, "rated_agent"), "");
        ck_assert_str_eq(says(r, "agent"), "1001");
        json_decref(r);
        f.now += 20 * US;
        fx_later(&f, f.now);
    }
    /* before an agent has left it a flow's variable of that name means nothing */
    ck_assert_int_eq(fx_start(&f, 90, "13800138000", "10000", true), 0);
    fx_says(&f, 90, "rate", "ask", "{\"rating\":\"5\"}");
    ck_assert_int_eq(fx_end(&f, 90, "caller"), 0);
    json_t *r = record(90);
    ck_assert(json_is_null(json_object_get(r, "rating")));
    json_decref(r);
}
END_TEST

/* An agent asks for it, then another one serves the caller and hangs up: the last one counts. */
START_TEST(test_on_demand)
{
    served(1);
    Ev__CallTransfer to = EV__CALL_TRANSFER__INIT;
    to.call_id = 1;
    to.flow = T("rate");
    FX_BODY(CALL_TRANSFER, call_transfer, to);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    fx_says(&f, 1, "rate", "ask", "{\"rating\":\"2\"}");
    fx_says(&f, 1, "rate", "ask", "{\"rating\":\"3\"}");
    ck_assert_int_eq(fx_agent(&f, "1001", EV__AGENT_SET__ACTION__LOGOUT, ""), 0);
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    ck_assert_int_eq(fx_queue(&f, 1, "service"), 0);
    answer(1);
    ck_assert_uint_eq(core_call(f.c, 1)->parted_us, 0);
    ck_assert_int_eq(part(1, (uint32_t)core_call(f.c, 1)->legs[1].id), 0);
    fx_says(&f, 1, "rate", "ask", "{\"rating\":\"5\"}");
    ck_assert_int_eq(fx_end(&f, 1, "system"), 0);
    json_t *r = record(1), *list;
    ck_assert_int_eq(number(r, "rating"), 5);
    ck_assert_str_eq(says(r, "rated_agent"), "1002");
    ck_assert_int_eq(number(r, "transfers"), 1);
    json_decref(r);
    ck_assert_ptr_nonnull(one_rating(&list, "1002"));
    json_decref(list);
}
END_TEST

/* A queue without one, a call to the agent himself, an agent whose call it is not: they end. */
START_TEST(test_no_flow)
{
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, 1, "8002", "8001", false), 0);
    answer(1);
    ck_assert(!core_rates(f.c, 1, 2));
    ck_assert_int_eq(part(1, 2), ERR_NOTFOUND);
    ck_assert_int_eq(fx_end(&f, 1, "callee"), 0);
    served(2);
    fx_must_set(&f, "[{'kind':'queue','name':'service','members':[{'agent':'1001'}]}]");
    ck_assert(!core_rates(f.c, 2, 2));
    ck_assert_int_eq(part(2, 2), ERR_NOTFOUND);
    ck_assert_int_eq(part(3, 2), ERR_NOTFOUND);
    ck_assert_int_eq(fx_end(&f, 2, "agent"), 0);
    ck_assert_int_eq(fx_start(&f, 4, "13800138000", "10003", true), 0);
    ck_assert_int_eq(part(4, 1), ERR_BADSTATE);
    ck_assert_int_eq(fx_config(&f, "[{'kind':'queue','name':'service','rating_flow':'nowhere','members':[{'agent':'1001'}]}]", NULL, NULL, NULL),
                     ERR_INVAL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("rating");
    TCase *t = tcase_create("rating");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_after_the_agent);
    tcase_add_test(t, test_none);
    tcase_add_test(t, test_on_demand);
    tcase_add_test(t, test_no_flow);
    suite_add_tcase(s, t);
    return run_suite(s);
}
