/* Ring all: several telephones ring for one caller. Each step is followed by a restart, which must change nothing. */
#include "core/core_int.h"
#include "core/explain.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static const char *const agents[] = {"1001", "1002", "1003", "1004"};

static void rings(const char *more)
{
    char text[512];
    (void)snprintf(text, sizeof text,
                   "[{'kind':'queue','name':'service','strategy':'ring_all','ring_time_s':15,'wrap_up_s':30%s,'members':["
                   "{'agent':'1001'},{'agent':'1002'},{'agent':'1003'},{'agent':'1004'}]}]",
                   more);
    fx_must_set(&f, text);
}

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 4);
    ck_assert_int_eq(fx_raise(&f, 3), 0);
    rings("");
}

static void teardown(void)
{
    fx_close(&f);
}

/* Everything in memory comes from the tables. */
static void restart(void)
{
    fx_reopen(&f);
    struct err_info info = {0};
    ck_assert_msg(acd_check(f.c->acd, &info) == 0, "%s", info.text);
}

static void log_in(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        ck_assert_int_eq(fx_login(&f, agents[i]), 0);
}

/* "1001 1002": who is rung for the call, in the order of their offers. */
static const char *rung(uint64_t id)
{
    static char text[200];
    const struct core_call *k = core_call(f.c, id);
    text[0] = '\0';
    for (unsigned i = 0; i < k->n_offers; i++) {
        ck_assert_int_eq(fx_state(&f, k->offers[i].agent), CORE_AGENT_RINGING);
        ck_assert_uint_eq(core_agent(f.c, k->offers[i].agent)->call_id, id);
        (void)strcat(strcat(text, i ? " " : ""), k->offers[i].agent);
    }
    return text;
}

static uint64_t offer_of(uint64_t id, const char *agent)
{
    const struct core_call *k = core_call(f.c, id);
    for (unsigned i = 0; i < k->n_offers; i++) {
        if (strcmp(k->offers[i].agent, agent) == 0)
            return k->offers[i].id;
    }
    return 0;
}

static void start(uint64_t id, const char *who)
{
    ck_assert_int_eq(fx_start(&f, id, "13800138000", "10003", true), 0);
    restart();
    ck_assert_str_eq(rung(id), who);
}

static void is(const char *agent, enum core_agent_state state, const char *reason)
{
    ck_assert_msg(fx_state(&f, agent) == state, "%s is %s", agent, core_agent_state_name(fx_state(&f, agent)));
    ck_assert_str_eq(core_agent(f.c, agent)->reason, reason);
}

START_TEST(test_first_answer_wins)
{
    log_in(3);
    uint64_t idle = core_agent(f.c, "1003")->idle_since_us, index = f.index;
    ck_assert_int_eq(fx_start(&f, 1, "13800138000", "10003", true), 0);
    ck_assert_uint_eq(f.index, index + 1); /* one commit rings them all */
    ck_assert_str_eq(rung(1), "1001 1002 1003");
    uint64_t first = offer_of(1, "1001"), second = offer_of(1, "1002");
    restart();
    f.now += 3 * US;
    ck_assert_int_eq(fx_answer(&f, 1, second), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_TALKING);
    ck_assert_str_eq(core_call(f.c, 1)->legs[1].agent, "1002");
    ck_assert_str_eq(core_call(f.c, 1)->legs[1].number, "8002");
    ck_assert_str_eq(core_call_obj(f.c, 1)->st->legs[1]->queue, "service");
    is("1001", CORE_AGENT_IDLE, "");
    is("1002", CORE_AGENT_TALKING, "");
    is("1003", CORE_AGENT_IDLE, "");
    ck_assert_uint_eq(core_agent(f.c, "1003")->idle_since_us, idle);
    ck_assert_uint_eq(core_agent(f.c, "1001")->answered, 0);
    /* the answers have crossed: the other one's offer is over */
    ck_assert_int_eq(fx_answer(&f, 1, first), ERR_STALE);
    ck_assert_int_eq(fx_fail(&f, 1, first, EV__OFFER_FAILED__CAUSE__NO_ANSWER), ERR_STALE);
    restart();
    is("1001", CORE_AGENT_IDLE, "");
    const struct core_call *k = core_call(f.c, 1);
    ck_assert_uint_eq(k->n_legs, 2);
    ck_assert_uint_eq(k->n_offers, 0);
    /* whoever takes it over now calls these off, should that not have been done */
    ck_assert_uint_eq(k->n_called_off, 2);
    ck_assert_uint_eq(k->called_off[0].id, first);
    ck_assert_str_eq(k->called_off[0].extension, "8001");
    ck_assert_str_eq(k->called_off[1].extension, "8003");
    ck_assert_uint_eq(k->called_off[1].epoch, 1);
    /* who has not talked is there for the next one */
    start(2, "1001 1003");
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    restart();
    is("1002", CORE_AGENT_WRAP_UP, "");
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0); /* he hangs up while they ring */
    restart();
    is("1001", CORE_AGENT_IDLE, "");
    is("1003", CORE_AGENT_IDLE, "");
    ck_assert_uint_eq(core_agent(f.c, "1003")->idle_since_us, idle);
}
END_TEST

START_TEST(test_who_refuses_drops_out)
{
    log_in(4);
    start(1, "1001 1002 1003 1004");
    ck_assert_int_eq(fx_fail(&f, 1, offer_of(1, "1001"), EV__OFFER_FAILED__CAUSE__BUSY), 0);
    restart();
    ck_assert_str_eq(rung(1), "1002 1003 1004");
    is("1001", CORE_AGENT_NOT_READY, "busy");
    ck_assert_int_eq(fx_fail(&f, 1, offer_of(1, "1003"), EV__OFFER_FAILED__CAUSE__UNREACHABLE), 0);
    restart();
    ck_assert_str_eq(rung(1), "1002 1004");
    is("1003", CORE_AGENT_NOT_READY, "unreachable");
    ck_assert_int_eq(fx_logout(&f, "1002"), 0);
    restart();
    ck_assert_str_eq(rung(1), "1004");
    is("1002", CORE_AGENT_LOGGED_OUT, "");
    start(2, "");
    ck_assert_int_eq(fx_fail(&f, 1, offer_of(1, "1004"), EV__OFFER_FAILED__CAUSE__REJECTED), 0);
    restart();
    is("1004", CORE_AGENT_NOT_READY, "rejected");
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING);
    ck_assert_uint_eq(acd_position(f.c->acd, 1), 1);
    ck_assert_int_eq(fx_ready(&f, "1004"), 0);
    restart();
    ck_assert_str_eq(rung(1), "1004");
}
END_TEST

START_TEST(test_nobody_answers)
{
    log_in(2);
    start(1, "1001 1002");
    start(2, "");
    uint64_t offer = offer_of(1, "1002"), idle = core_agent(f.c, "1002")->idle_since_us;
    f.now += 15 * US;
    ck_assert_int_eq(fx_fail(&f, 1, offer, EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    restart();
    ck_assert_str_eq(rung(1), "1001 1002"); /* at the very front: they are rung again */
    ck_assert_uint_ne(offer_of(1, "1002"), offer);
    ck_assert_uint_eq(core_agent(f.c, "1002")->idle_since_us, idle);
    ck_assert_int_eq(fx_answer(&f, 1, offer), ERR_STALE);
    rings(",'ring_no_answer':'not_ready'");
    ck_assert_int_eq(fx_fail(&f, 1, offer_of(1, "1001"), EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    restart();
    is("1001", CORE_AGENT_NOT_READY, "no_answer");
    is("1002", CORE_AGENT_NOT_READY, "no_answer");
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING);
    ck_assert_uint_eq(acd_position(f.c->acd, 1), 1);
    ck_assert_uint_eq(acd_position(f.c->acd, 2), 2);
}
END_TEST

START_TEST(test_no_more_than_ring_max)
{
    rings(",'ring_max':2");
    log_in(3);
    start(1, "1001 1002");
    start(2, "1003");
    ck_assert_int_eq(fx_login(&f, "1004"), 0); /* nobody waits: he joins the ring that has room */
    restart();
    ck_assert_str_eq(rung(2), "1003 1004");
    ck_assert_int_eq(fx_fail(&f, 1, offer_of(1, "1001"), EV__OFFER_FAILED__CAUSE__BUSY), 0);
    restart();
    ck_assert_str_eq(rung(1), "1002");
    ck_assert_int_eq(fx_answer(&f, 2, offer_of(2, "1004")), 0);
    restart();
    ck_assert_str_eq(rung(1), "1002 1003"); /* who lost the race rings for the other */
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    start(3, "1002 1003");
    f.now += 11 * US; /* a telephone that rings for a moment is of no use */
    ck_assert_int_eq(fx_fail(&f, 3, offer_of(3, "1002"), EV__OFFER_FAILED__CAUSE__BUSY), 0);
    ck_assert_int_eq(fx_ready(&f, "1001"), 0);
    restart();
    ck_assert_str_eq(rung(3), "1003");
    is("1001", CORE_AGENT_IDLE, "");
    ck_assert_int_eq(fx_fail(&f, 3, offer_of(3, "1003"), EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    restart();
    ck_assert_str_eq(rung(3), "1003 1001");
}
END_TEST

START_TEST(test_who_waits_goes_before_who_rings)
{
    log_in(1);
    start(1, "1001");
    start(2, "");
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    restart();
    ck_assert_str_eq(rung(1), "1001");
    ck_assert_str_eq(rung(2), "1002");
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    restart();
    ck_assert_str_eq(rung(1), "1001 1003"); /* the earlier one */
}
END_TEST

START_TEST(test_unreachable_are_passed_over)
{
    ck_assert_int_eq(fx_set(&f, "[{'kind':'extension','number':'8001','contact':''},{'kind':'extension','number':'8003','contact':''}]"), 0);
    log_in(3);
    start(1, "1002");
    is("1001", CORE_AGENT_NOT_READY, "unreachable");
    is("1003", CORE_AGENT_NOT_READY, "unreachable");
    ck_assert_int_eq(fx_register(&f, "8003", "sip:x@127.0.0.1:7000", "r@x", 1, f.now + 60 * US), 0);
    restart();
    ck_assert_str_eq(rung(1), "1002 1003");
}
END_TEST

/* So that a phone that has yet to hear of it may say that it is busy. */
START_TEST(test_when_one_was_let_go_of)
{
    log_in(3);
    ck_assert_uint_eq(core_let_go_us(f.c, "8001"), 0);
    ck_assert_uint_eq(core_let_go_us(f.c, "8099"), 0);
    ck_assert_int_eq(fx_start(&f, 1, "13800138000", "10003", true), 0);
    f.now += 3 * US;
    ck_assert_int_eq(fx_fail(&f, 1, offer_of(1, "1003"), EV__OFFER_FAILED__CAUSE__BUSY), 0);
    ck_assert_int_eq(fx_answer(&f, 1, offer_of(1, "1002")), 0);
    ck_assert_uint_eq(core_let_go_us(f.c, "8001"), f.c->now_us); /* has lost */
    ck_assert_uint_eq(core_let_go_us(f.c, "8002"), 0);           /* has answered */
    ck_assert_uint_eq(core_let_go_us(f.c, "8003"), 0);           /* has refused */
    ck_assert_int_eq(fx_ready(&f, "1003"), 0);
    ck_assert_int_eq(fx_start(&f, 2, "13800138000", "10003", true), 0);
    ck_assert_str_eq(rung(2), "1001 1003");
    f.now += 3 * US;
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0); /* the caller is gone */
    ck_assert_uint_eq(core_let_go_us(f.c, "8001"), f.c->now_us);
    ck_assert_uint_eq(core_let_go_us(f.c, "8003"), f.c->now_us);
}
END_TEST

START_TEST(test_each_is_called_off_after_a_takeover)
{
    log_in(3);
    start(1, "1001 1002 1003");
    ck_assert_int_eq(fx_node_down(&f, "n1", 1), 0);
    restart();
    const struct core_call *k = core_call(f.c, 1);
    ck_assert_str_eq(k->owner, "n2");
    ck_assert_str_eq(rung(1), "1001 1002 1003");
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(k->offers[i].epoch, 2);
        ck_assert_uint_eq(k->offers[i].former_epoch, 1);
    }
    f.node = "n2";
    ck_assert_int_eq(fx_fail(&f, 1, offer_of(1, "1001"), EV__OFFER_FAILED__CAUSE__BUSY), 0);
    restart();
    k = core_call(f.c, 1);
    ck_assert_uint_eq(k->offers[0].former_epoch, 1);
    ck_assert_int_eq(fx_answer(&f, 1, offer_of(1, "1003")), 0);
    restart();
    ck_assert_str_eq(core_call(f.c, 1)->legs[1].agent, "1003");
}
END_TEST

static bool explains(uint64_t id, const char *what)
{
    json_t *o = NULL, *line;
    struct err_info info = {0};
    size_t i;
    bool found = false;
    ck_assert_int_eq(core_explain_call(f.c, id, &o, &info), 0);
    json_array_foreach(json_object_get(o, "lines"), i, line)
        found |= strstr(json_string_value(line), what) != NULL;
    json_decref(o);
    return found;
}

START_TEST(test_what_is_seen_of_it)
{
    log_in(2);
    start(1, "1001 1002");
    json_t *call = fx_view(&f, "call", "0000000000000001", NULL);
    const json_t *list = json_object_get(call, "ringing");
    ck_assert_uint_eq(json_array_size(list), 2);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 1), "agent")), "1002");
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 1), "extension")), "8002");
    json_decref(call);
    ck_assert(explains(1, "Agent 1002 is being rung at extension 8002 for it too."));
    ck_assert(explains(1, "2 could serve the call when it was offered; the queue rings up to 8 at once"));
    ck_assert(explains(1, "still ready, and is rung again"));
    ck_assert_int_eq(fx_answer(&f, 1, offer_of(1, "1002")), 0);
    ck_assert(explains(1, "He was the first to answer"));
}
END_TEST

START_TEST(test_level_that_it_takes)
{
    Ev__Queue q = EV__QUEUE__INIT;
    Ev__ConfigObject object = EV__CONFIG_OBJECT__INIT, *objects[1] = {&object};
    Ev__ConfigApply m = EV__CONFIG_APPLY__INIT;
    object.object_case = EV__CONFIG_OBJECT__OBJECT_QUEUE;
    object.queue = &q;
    m.n_set = 1;
    m.set = objects;
    FX_BODY(CONFIG_APPLY, config_apply, m);
    q.strategy = (char *)(uintptr_t) "ring_all";
    ck_assert_uint_eq(core_feature_of(&cmd), 3);
    q.strategy = (char *)(uintptr_t) "random";
    ck_assert_uint_eq(core_feature_of(&cmd), 2);
    q.ring_max = 4;
    ck_assert_uint_eq(core_feature_of(&cmd), 3);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core ring all");
    TCase *t = tcase_create("ring");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_first_answer_wins);
    tcase_add_test(t, test_who_refuses_drops_out);
    tcase_add_test(t, test_nobody_answers);
    tcase_add_test(t, test_no_more_than_ring_max);
    tcase_add_test(t, test_who_waits_goes_before_who_rings);
    tcase_add_test(t, test_unreachable_are_passed_over);
    tcase_add_test(t, test_when_one_was_let_go_of);
    tcase_add_test(t, test_each_is_called_off_after_a_takeover);
    tcase_add_test(t, test_what_is_seen_of_it);
    tcase_add_test(t, test_level_that_it_takes);
    suite_add_tcase(s, t);
    return run_suite(s);
}
