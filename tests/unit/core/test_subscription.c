/* Subscriptions of telephones: made, refreshed, ended; who tells them when nodes go and come; what their lamps follow. */
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static void up(void)
{
    fx_open(&f);
    fx_demo(&f, 4);
}

static void down(void)
{
    fx_close(&f);
}

#define TEXT(x) ((char *)(uintptr_t)(x))

static Ev__Subscribe wish(const char *extension, const char *event, const char *target, const char *tag, uint32_t cseq,
                          uint64_t expires_us)
{
    Ev__Subscribe m = EV__SUBSCRIBE__INIT;
    m.extension = TEXT(extension);
    m.event = TEXT(event);
    m.target = TEXT(target);
    m.call_id = TEXT(tag); /* one dialog each */
    m.local_tag = TEXT(tag);
    m.remote_tag = TEXT("theirs");
    m.local_uri = m.remote_uri = TEXT("sip:x@127.0.0.1");
    m.remote_target = TEXT("sip:8001@127.0.0.1:9001");
    m.flow = TEXT("udp:127.0.0.1:9001");
    m.local_ip = TEXT("10.0.0.1");
    m.cseq = cseq;
    m.expires_us = expires_us;
    return m;
}

static int run_at(const char *node, Ev__Subscribe *m)
{
    FX_BODY(SUBSCRIBE, subscribe, *m);
    cmd.node = TEXT(node);
    return fx_run(&f, &cmd);
}

static int ask(const char *extension, const char *event, const char *target, const char *tag)
{
    Ev__Subscribe m = wish(extension, event, target, tag, 1, f.now + 600 * US);
    return run_at("n1", &m);
}

static int unsubscribe(const char *node, uint64_t id)
{
    Ev__Unsubscribe m = EV__UNSUBSCRIBE__INIT;
    m.id = id;
    FX_BODY(UNSUBSCRIBE, unsubscribe, m);
    cmd.node = TEXT(node);
    return fx_run(&f, &cmd);
}

static const struct core_subscription *of(const char *tag)
{
    return core_subscription_of(f.c, tag, tag);
}

static bool told(const char *what)
{
    return strstr(f.events, what) != NULL;
}

START_TEST(test_from_first_to_last)
{
    ck_assert_int_eq(ask("8001", "dialog", "8002", "t1"), 0);
    const struct core_subscription *s = of("t1");
    ck_assert_ptr_nonnull(s);
    uint64_t id = s->id;
    ck_assert(told("subscription:"));
    ck_assert_str_eq(s->owner, "n1");
    ck_assert_str_eq(s->at, "n1");
    ck_assert_uint_eq(s->epoch, 1);
    ck_assert_ptr_eq(core_subscription(f.c, id), s);
    ck_assert_ptr_null(core_subscription_of(f.c, "another", "t1"));
    fx_same_after_restart(&f);
    /* for longer, from elsewhere */
    Ev__Subscribe m = wish("8001", "dialog", "8002", "t1", 2, f.now + 900 * US);
    m.flow = TEXT("tcp:127.0.0.1:4444");
    m.remote_target = TEXT("sip:8001@127.0.0.1:4444;transport=tcp");
    m.path = TEXT("<sip:token@10.0.0.1;lr>");
    ck_assert_int_eq(run_at("n1", &m), 0);
    s = of("t1");
    ck_assert_uint_eq(s->id, id);
    ck_assert_str_eq(s->is->flow, "tcp:127.0.0.1:4444");
    ck_assert_str_eq(s->is->path, m.path);
    ck_assert_uint_eq(s->is->expires_us, m.expires_us);
    ck_assert_int_eq(run_at("n1", &m), ERR_STALE);
    m.cseq = 3;
    m.event = TEXT("presence");
    ck_assert_int_eq(run_at("n1", &m), ERR_NOTFOUND);
    m.event = TEXT("dialog");
    m.expires_us = 0;
    ck_assert_int_eq(run_at("n1", &m), 0);
    ck_assert_ptr_null(of("t1"));
    ck_assert(told("subscription:"));
    m.cseq = 4;
    ck_assert_int_eq(run_at("n1", &m), ERR_NOTFOUND);
    fx_same_after_restart(&f);
}
END_TEST

START_TEST(test_refused)
{
    ck_assert_int_eq(ask("8099", "dialog", "8002", "t1"), ERR_NOTFOUND);
    ck_assert_int_eq(ask("8001", "conference", "8002", "t1"), ERR_UNSUPPORTED);
    ck_assert_int_eq(ask("8001", "dialog", "", "t1"), ERR_INVAL);
    ck_assert_int_eq(ask("8001", "dialog", "8002", ""), ERR_INVAL);
    char big[1100];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    Ev__Subscribe m = wish("8001", "dialog", "8002", "t1", 1, f.now + 600 * US);
    m.route_set = big;
    ck_assert_int_eq(run_at("n1", &m), ERR_INVAL);
    fx_must_set(&f, "[{'kind':'extension','number':'8003','disabled':true}]");
    ck_assert_int_eq(ask("8003", "dialog", "8002", "t1"), ERR_DENIED);
    char tag[32];
    for (unsigned i = 0; i < CORE_SUBSCRIPTIONS_MAX; i++) {
        (void)snprintf(tag, sizeof tag, "many%u", i);
        ck_assert_int_eq(ask("8001", "dialog", "8002", tag), 0);
    }
    ck_assert_int_eq(ask("8001", "dialog", "8002", "one-more"), ERR_NOSPACE);
    ck_assert_int_eq(ask("8002", "dialog", "8001", "t2"), 0); /* of another one */
}
END_TEST

/* The first one's node went before its answer: the telephone sends it again, and another node begins. */
START_TEST(test_sent_twice)
{
    Ev__Subscribe m = wish("8001", "dialog", "8002", "t1", 1, f.now + 600 * US);
    ck_assert_int_eq(run_at("n1", &m), 0);
    m.local_tag = TEXT("t2");
    ck_assert_int_eq(run_at("n2", &m), 0);
    ck_assert_ptr_null(core_subscription_of(f.c, "t1", "t1"));
    ck_assert_str_eq(core_subscription_of(f.c, "t1", "t2")->owner, "n2");
    m.local_tag = TEXT("t3");
    m.event = TEXT("presence"); /* another one in the same dialog of the telephone's */
    ck_assert_int_eq(run_at("n1", &m), 0);
    ck_assert_ptr_nonnull(core_subscription_of(f.c, "t1", "t2"));
}
END_TEST

START_TEST(test_expires)
{
    ck_assert_int_eq(ask("8001", "dialog", "8002", "t1"), 0);
    uint64_t due = of("t1")->is->expires_us;
    ck_assert_uint_eq(core_next_due_us(f.c), due);
    fx_later(&f, due - 10);
    ck_assert_ptr_nonnull(of("t1"));
    f.now = due;
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_ptr_null(of("t1"));
    ck_assert(told("subscription:"));
}
END_TEST

START_TEST(test_ended_by_its_owner)
{
    ck_assert_int_eq(ask("8001", "dialog", "8002", "t1"), 0);
    uint64_t id = of("t1")->id;
    ck_assert_int_eq(unsubscribe("n2", id), ERR_STALE);
    ck_assert_int_eq(unsubscribe("n1", id), 0);
    ck_assert_int_eq(unsubscribe("n1", id), ERR_NOTFOUND);
    ck_assert_int_eq(ask("8001", "dialog", "8002", "t1"), 0);
    ck_assert_int_eq(
        fx_config(&f, NULL, "['access_number/10003','queue/service','agent/1001','extension/8001']", NULL, NULL), 0);
    ck_assert_ptr_null(of("t1"));
    fx_same_after_restart(&f);
}
END_TEST

START_TEST(test_nodes_go_and_come)
{
    ck_assert_int_eq(ask("8001", "dialog", "8002", "t1"), 0);
    ck_assert_int_eq(ask("8001", "presence", "8002", "t2"), 0);
    uint64_t id = of("t1")->id;
    ck_assert_int_eq(fx_node_down(&f, "n1", 1), 0);
    const struct core_subscription *s = of("t1");
    ck_assert_uint_eq(s->id, id);
    ck_assert_str_eq(s->owner, "n2");
    ck_assert_uint_eq(s->epoch, 2);
    ck_assert_str_eq(s->at, "n1"); /* it is not the one that the telephone spoke to */
    ck_assert(told("subscription:"));
    ck_assert_str_eq(of("t2")->owner, "n2");
    fx_same_after_restart(&f);
    /* nobody is left; the first that comes takes them */
    ck_assert_int_eq(fx_node_down(&f, "n2", 1), 0);
    ck_assert_str_eq(of("t1")->owner, "n2");
    ck_assert_int_eq(fx_node_up(&f, "n1", 1, 2), 0);
    ck_assert_str_eq(of("t1")->owner, "n1");
    ck_assert_uint_eq(of("t1")->epoch, 3);
    /* another process of the same node begins a new epoch */
    ck_assert_int_eq(fx_node_up(&f, "n1", 1, 3), 0);
    ck_assert_uint_eq(of("t1")->epoch, 4);
    ck_assert_int_eq(fx_node_up(&f, "n2", 2, 2), 0);
    ck_assert_str_eq(of("t1")->owner, "n1");
    /* drained */
    Ev__NodeDrain m = EV__NODE_DRAIN__INIT;
    m.name = TEXT("n1");
    m.on = true;
    FX_BODY(NODE_DRAIN, node_drain, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    ck_assert_str_eq(of("t1")->owner, "n2");
    /* the node that is asked to go on with it tells it */
    Ev__Subscribe again = wish("8001", "dialog", "8002", "t1", 2, f.now + 600 * US);
    ck_assert_int_eq(run_at("n1", &again), 0);
    ck_assert_str_eq(of("t1")->owner, "n1");
    ck_assert_uint_eq(of("t1")->epoch, 6);
    ck_assert_str_eq(of("t1")->at, "n1");
}
END_TEST

/* Told while somebody watches, of each change, and never otherwise. */
START_TEST(test_what_a_lamp_follows)
{
    const struct core_call *calls[4];
    ck_assert_int_eq(fx_start(&f, 70, "8001", "8002", false), 0);
    ck_assert(!told("telephone:"));
    ck_assert_uint_eq(core_telephone_calls(f.c, "8002", calls, 4), 1);
    ck_assert_uint_eq(calls[0]->id, 70);
    ck_assert_uint_eq(core_telephone_calls(f.c, "8003", calls, 4), 0);
    ck_assert_int_eq(fx_end(&f, 70, "caller"), 0);
    ck_assert_int_eq(ask("8003", "dialog", "8002", "t1"), 0);
    fx_same_after_restart(&f);
    ck_assert_int_eq(fx_start(&f, 71, "8001", "8002", false), 0);
    ck_assert(told("telephone:8002"));
    ck_assert(!told("telephone:8001"));
    ck_assert_int_eq(fx_answer(&f, 71, core_call(f.c, 71)->offer.id), 0);
    ck_assert(told("telephone:8002"));
    ck_assert_int_eq(fx_end(&f, 71, "caller"), 0);
    ck_assert(told("telephone:8002"));
    ck_assert_uint_eq(core_telephone_calls(f.c, "8002", calls, 4), 0);
    uint64_t id = of("t1")->id;
    ck_assert_int_eq(unsubscribe("n1", id), 0);
    ck_assert_int_eq(fx_start(&f, 72, "8001", "8002", false), 0);
    ck_assert(!told("telephone:"));
}
END_TEST

/* Of several calls the oldest ones, by id. */
START_TEST(test_several_calls)
{
    const struct core_call *calls[2];
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    for (uint64_t id = 83; id >= 81; id--)
        ck_assert_int_eq(fx_start(&f, id, "8001", "10001", true), 0);
    ck_assert_uint_eq(core_telephone_calls(f.c, "8001", calls, 2), 3);
    ck_assert_uint_eq(calls[0]->id, 81);
    ck_assert_uint_eq(calls[1]->id, 82);
}
END_TEST

START_TEST(test_whose_box)
{
    ck_assert_int_eq(fx_raise(&f, CORE_FEATURE_LEVEL), 0);
    ck_assert_str_eq(core_box_of(f.c, "8001"), "1001"); /* bound to it */
    ck_assert_str_eq(core_box_of(f.c, "8099"), "8099");
    ck_assert_int_eq(fx_agent(&f, "1002", EV__AGENT_SET__ACTION__LOGIN, "8001"), 0);
    ck_assert_str_eq(core_box_of(f.c, "8001"), "1002"); /* there */
    fx_must_set(&f, "[{'kind':'extension','number':'8001','mailbox':'night','mwi':'unsolicited'}]");
    ck_assert_str_eq(core_box_of(f.c, "8001"), "night");
    ck_assert_str_eq(core_agent_activity(f.c, "1002"), "");
    ck_assert_int_eq(fx_agent(&f, "1002", EV__AGENT_SET__ACTION__SET_STATE, "away"), 0);
    ck_assert_str_eq(core_agent_activity(f.c, "1002"), "away");
    ck_assert_str_eq(core_agent_activity(f.c, "1003"), "");
}
END_TEST

static int answer(uint64_t id, const char *leg)
{
    Ev__CallParty m = EV__CALL_PARTY__INIT;
    m.call_id = id;
    m.leg = TEXT(leg);
    m.action = EV__CALL_PARTY__ACTION__ANSWER;
    FX_BODY(CALL_PARTY, call_party, m);
    cmd.actor = TEXT("token:admin");
    return fx_run(&f, &cmd);
}

static void registers(const char *extension, const char *events, uint32_t cseq)
{
    Ev__RegisterBinding b = EV__REGISTER_BINDING__INIT, *list[1] = {&b};
    Ev__Register m = EV__REGISTER__INIT;
    b.uri = TEXT("sip:x@127.0.0.1:5999");
    b.expires_us = f.now + 3600 * US;
    m.extension = TEXT(extension);
    m.call_id = TEXT("reg");
    m.cseq = cseq;
    m.node = TEXT("n1");
    m.flow = TEXT("udp:127.0.0.1:5999");
    m.events = TEXT(events);
    m.n_bindings = 1;
    m.bindings = list;
    FX_BODY(REGISTER, register_, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
}

START_TEST(test_asked_to_answer)
{
    ck_assert_int_eq(answer(90, ""), ERR_NOTFOUND);
    ck_assert_int_eq(fx_start(&f, 90, "8001", "8002", false), 0);
    ck_assert_int_eq(answer(90, ""), ERR_UNSUPPORTED); /* it has not said that it can */
    registers("8002", "hold, walk, Talky", 1);
    ck_assert_int_eq(answer(90, ""), ERR_UNSUPPORTED);
    registers("8002", "hold, Talk", 2);
    ck_assert_int_eq(answer(90, "8003"), ERR_NOTFOUND);
    const struct core_call *k = core_call(f.c, 90);
    ck_assert_uint_eq(k->answer_offer, 0);
    ck_assert_int_eq(answer(90, "8002"), 0);
    k = core_call(f.c, 90);
    ck_assert_uint_eq(k->answer_offer, k->offer.id);
    ck_assert_uint_eq(k->answer_asks, 1);
    fx_same_after_restart(&f);
    ck_assert_int_eq(answer(90, "callee"), 0);
    ck_assert_uint_eq(core_call(f.c, 90)->answer_asks, 2);
    ck_assert_int_eq(fx_answer(&f, 90, core_call(f.c, 90)->offer.id), 0);
    ck_assert_int_eq(answer(90, ""), ERR_BADSTATE);
    ck_assert_int_eq(fx_end(&f, 90, "caller"), 0);
}
END_TEST

/* Of several that ring the one that is named, by agent or telephone. */
START_TEST(test_one_of_several_asked)
{
    fx_must_set(&f, "[{'kind':'queue','name':'all','strategy':'ring_all','members':[{'agent':'1001'},{'agent':'1002'}]},"
                    "{'kind':'access_number','number':'10009','queue':'all'}]");
    for (const char *const *a = (const char *const[]){"1001", "1002", NULL}; *a; a++) {
        ck_assert_int_eq(fx_login(&f, *a), 0);
        ck_assert_int_eq(fx_ready(&f, *a), 0);
    }
    registers("8002", "talk", 1);
    ck_assert_int_eq(fx_start(&f, 91, "13800", "10009", true), 0);
    ck_assert_uint_eq(core_call(f.c, 91)->n_offers, 2);
    ck_assert_int_eq(answer(91, ""), ERR_INVAL);
    ck_assert_int_eq(answer(91, "1001"), ERR_UNSUPPORTED);
    ck_assert_int_eq(answer(91, "1002"), 0);
    const struct core_call *k = core_call(f.c, 91);
    for (unsigned i = 0; i < k->n_offers; i++)
        ck_assert((k->offers[i].id == k->answer_offer) == (strcmp(k->offers[i].extension, "8002") == 0));
    ck_assert_int_eq(answer(91, "8003"), ERR_NOTFOUND);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("subscriptions");
    TCase *t = tcase_create("subscriptions");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, test_from_first_to_last);
    tcase_add_test(t, test_refused);
    tcase_add_test(t, test_sent_twice);
    tcase_add_test(t, test_expires);
    tcase_add_test(t, test_ended_by_its_owner);
    tcase_add_test(t, test_nodes_go_and_come);
    tcase_add_test(t, test_what_a_lamp_follows);
    tcase_add_test(t, test_several_calls);
    tcase_add_test(t, test_whose_box);
    tcase_add_test(t, test_asked_to_answer);
    tcase_add_test(t, test_one_of_several_asked);
    suite_add_tcase(s, t);
    return run_suite(s);
}
