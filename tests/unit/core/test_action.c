/* The action set, and the conditions of queues that lead to it: a full queue, a maximum wait, nobody logged in. Each is followed by
 * a restart, after which the same falls due at the same time. */
#include "core/core_int.h"
#include "core/explain.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static void set(const char *text)
{
    fx_must_set(&f, text);
}

static void refused(const char *text, const char *field)
{
    ck_assert_int_ne(fx_set(&f, text), 0);
    ck_assert_str_eq(f.last.field, field);
}

/* What does not even become a command: the rules of the fields. */
static void invalid(const char *rules, const char *field)
{
    char text[512];
    (void)snprintf(text, sizeof text, "{\"name\":\"service\",%s}", rules);
    for (char *p = text; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    json_t *j = json_loads(text, 0, NULL);
    struct err_info info = {0};
    struct Ev__ConfigObject *o = NULL;
    ck_assert_ptr_nonnull(j);
    ck_assert_int_ne(view_config_from_json("queue", j, "everline", &o, &info), 0);
    ck_assert_msg(strcmp(info.field, field) == 0, "%s: %s", info.field, info.text);
    json_decref(j);
}

/* Queue service with agents 1001 and 1002 and these rules. */
static void service(const char *rules)
{
    char text[1024];
    (void)snprintf(
        text, sizeof text,
        "[{'kind':'queue','name':'service','ring_time_s':15,'members':[{'agent':'1001'},{'agent':'1002'}],%s}]", rules);
    set(text);
}

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 3);
    set("[{'kind':'queue','name':'other','members':[{'agent':'1003'}]},"
        "{'kind':'flow','name':'night','definition':{'name':'night'}},"
        "{'kind':'access_number','number':'10005','queue':'other'}]");
}

static void teardown(void)
{
    fx_close(&f);
}

static const Ev__CallState *state(uint64_t id)
{
    const struct call *k = core_call_obj(f.c, id);
    ck_assert_ptr_nonnull(k);
    return k->st;
}

static void start(uint64_t id)
{
    ck_assert_int_eq(fx_start(&f, id, "13800138000", "10003", true), 0);
}

/* The next thing falls due in just so many seconds after `from`, before and after a restart. */
static void due_after(uint64_t from, uint64_t seconds)
{
    ck_assert_uint_eq(core_next_due_us(f.c), from + seconds * US);
    fx_reopen(&f);
    ck_assert_uint_eq(core_next_due_us(f.c), from + seconds * US);
}

static void tick_at(uint64_t us)
{
    ck_assert_uint_gt(us, f.now);
    f.now = us - 1;
    ck_assert_int_eq(fx_tick(&f), 0);
}

static void event_says(const char *what)
{
    json_t *list = fx_view(&f, "event", NULL, NULL);
    char *text = json_dumps(list, JSON_COMPACT);
    ck_assert_msg(strstr(text, what) != NULL, "no %s in %.3000s", what, text);
    free(text);
    json_decref(list);
}

START_TEST(test_rules_of_actions)
{
    invalid("'max_wait_s':9,'max_wait_action':{'type':'dance'}", "max_wait_action.type");
    invalid("'max_wait_s':9,'max_wait_action':{'target':'night'}", "max_wait_action.type");
    invalid("'max_wait_s':9,'max_wait_action':{'type':'flow'}", "max_wait_action.target");
    invalid("'max_wait_s':9,'max_wait_action':{'type':'hangup','target':'x'}", "max_wait_action.target");
    invalid("'max_wait_s':9,'max_wait_action':{'type':'flow','target':'x','prompts':['a']}", "max_wait_action.prompts");
    invalid("'full_action':{'type':'hangup','prompts':['a b']}", "full_action.prompts[0]");
    invalid("'full_action':{'type':'outside','target':'somebody'}", "full_action.target");
    invalid("'full_action':{'type':'queue','target':'service'}", "full_action.target");
    invalid("'full_action':'hangup'", "full_action");
    invalid("'max_wait_s':9", "max_wait_action");
    invalid("'no_agents_wait_s':86401", "no_agents_wait_s");
}
END_TEST

START_TEST(test_targets_exist_and_stay)
{
    refused("[{'kind':'queue','name':'q','full_action':{'type':'flow','target':'none'}}]",
            "queue/q.full_action.target");
    refused("[{'kind':'queue','name':'q','full_action':{'type':'agent','target':'8001'}}]",
            "queue/q.full_action.target");
    service("'max_wait_s':60,'max_wait_action':{'type':'flow','target':'night'},"
            "'no_agents_action':{'type':'queue','target':'other'},'full_action':{'type':'extension','target':'8003'}");
    ck_assert_int_eq(fx_config(&f, NULL, "['flow/night']", NULL, NULL), ERR_CONFLICT);
    ck_assert_str_eq(f.last.text, "flow night is in use by queue service");
    ck_assert_int_eq(fx_config(&f, NULL, "['queue/other','access_number/10005']", NULL, NULL), ERR_CONFLICT);
    ck_assert_int_eq(fx_config(&f, NULL, "['extension/8003','agent/1003']", NULL, NULL), ERR_CONFLICT);
    json_t *q = fx_view(&f, "queue", "service", NULL);
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(q, "max_wait_action"), "target")), "night");
    json_decref(q);
    service("'max_wait_s':0,'full_action':null");
    ck_assert_int_eq(fx_config(&f, NULL, "['flow/night','queue/other','access_number/10005']", NULL, NULL), 0);
    q = fx_view(&f, "queue", "service", NULL);
    ck_assert(json_is_null(json_object_get(q, "max_wait_action")));
    json_decref(q);
}
END_TEST

START_TEST(test_level_of_the_command)
{
    Ev__Queue q = EV__QUEUE__INIT;
    Ev__Action a = EV__ACTION__INIT;
    Ev__ConfigObject o = EV__CONFIG_OBJECT__INIT, *list[1] = {&o};
    Ev__ConfigApply m = EV__CONFIG_APPLY__INIT;
    FX_BODY(CONFIG_APPLY, config_apply, m);
    o.object_case = EV__CONFIG_OBJECT__OBJECT_QUEUE;
    o.queue = &q;
    m.n_set = 1;
    m.set = list;
    ck_assert_uint_eq(core_feature_of(&cmd), 1);
    q.target_s = 20;
    ck_assert_uint_eq(core_feature_of(&cmd), 2);
    q.full_action = &a;
    ck_assert_uint_eq(core_feature_of(&cmd), 3);
}
END_TEST

START_TEST(test_maximum_wait_leads_to_a_flow)
{
    service("'max_wait_s':60,'max_wait_action':{'type':'flow','target':'night'}");
    start(1);
    uint64_t from = f.now;
    due_after(from, 60);
    tick_at(from + 60 * US - 1);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING);
    tick_at(from + 60 * US);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_MENU);
    const struct core_call *k = core_call(f.c, 1);
    ck_assert_str_eq(k->flow, "night");
    ck_assert_str_eq(k->flow_state, "");
    ck_assert_str_eq(k->queue, "");
    event_says("\"reason\":\"max_wait\",\"from_queue\":\"service\",\"action\":\"flow\",\"target\":\"night\"");
    fx_reopen(&f);
    ck_assert_uint_eq(core_next_due_us(f.c), 0);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_IDLE); /* he waits no more */
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    json_t *cdr = fx_view(&f, "cdr", "0000000000000001", NULL);
    ck_assert_str_eq(json_string_value(json_object_get(cdr, "queue")), "service");
    json_decref(cdr);
}
END_TEST

START_TEST(test_who_is_rung_is_left_to_ring)
{
    service("'max_wait_s':60,'max_wait_action':{'type':'hangup'}");
    start(1);
    uint64_t from = f.now;
    f.now = from + 50 * US;
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_OFFERED);
    fx_reopen(&f);
    ck_assert_uint_eq(core_next_due_us(f.c), 0);
    tick_at(from + 61 * US);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_OFFERED);
    ck_assert_int_eq(fx_fail(&f, 1, core_call(f.c, 1)->offer.id, EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_FAILED);
    ck_assert_str_eq(core_call(f.c, 1)->fail_cause, "max_wait");
    ck_assert_int_eq(core_call(f.c, 1)->fail_status, 480);
    /* somebody else is free just then: he is served */
    start(2);
    f.now += 50 * US;
    ck_assert_int_eq(fx_ready(&f, "1001"), 0);
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    f.now += 20 * US;
    ck_assert_int_eq(fx_fail(&f, 2, core_call(f.c, 2)->offer.id, EV__OFFER_FAILED__CAUSE__BUSY), 0);
    ck_assert_int_eq(fx_phase(&f, 2), CORE_CALL_OFFERED);
    ck_assert_str_eq(core_call(f.c, 2)->offer.agent, "1002");
}
END_TEST

START_TEST(test_hangup_with_prompts)
{
    service("'max_wait_s':5,'max_wait_action':{'type':'hangup','prompts':['all_busy','goodbye']}");
    start(1);
    tick_at(f.now + 5 * US);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_APP);
    ck_assert_str_eq(core_call(f.c, 1)->app, "hangup");
    ck_assert_str_eq(core_call(f.c, 1)->app_argument, "all_busy goodbye");
    ck_assert_str_eq(core_call(f.c, 1)->fail_cause, "max_wait");
}
END_TEST

START_TEST(test_another_queue_keeps_the_wait_clock)
{
    service("'max_wait_s':60,'max_wait_action':{'type':'queue','target':'other'}");
    set("[{'kind':'queue','name':'other','members':[{'agent':'1003'}],'max_wait_s':30,'max_wait_action':{'type':'"
        "hangup'}}]");
    start(1);
    uint64_t from = f.now;
    f.now += 10 * US;
    ck_assert_int_eq(fx_start(&f, 2, "139", "10005", true), 0);
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0);
    f.now += 20 * US;
    ck_assert_int_eq(fx_start(&f, 3, "139", "10005", true), 0); /* later than the first, but in that queue before him */
    uint64_t third = f.now;
    tick_at(from + 60 * US);
    ck_assert_str_eq(core_call(f.c, 1)->queue, "other");
    ck_assert_uint_eq(core_call(f.c, 1)->queued_us, from);
    due_after(third, 30); /* the maximum wait of that queue runs from when one came to it */
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    ck_assert_int_eq(fx_phase(&f, 3), CORE_CALL_WAITING);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_OFFERED);
    ck_assert_int_eq(fx_fail(&f, 1, core_call(f.c, 1)->offer.id, EV__OFFER_FAILED__CAUSE__BUSY), 0);
    tick_at(third + 30 * US);
    ck_assert_int_eq(fx_phase(&f, 3), CORE_CALL_FAILED);
    due_after(from, 90);
}
END_TEST

START_TEST(test_telephone_in_vain)
{
    service("'max_wait_s':60,'max_wait_action':{'type':'agent','target':'1003'}");
    start(1);
    uint64_t from = f.now;
    /* not logged in: he goes on waiting, and it is not tried again */
    tick_at(from + 60 * US);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING);
    event_says("\"action\":\"agent\",\"target\":\"1003\",\"failed\":\"logged_out\"");
    fx_reopen(&f);
    ck_assert_uint_eq(core_next_due_us(f.c), 0);
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING);
    /* rung without an answer: back to where he waited */
    start(2);
    from = f.now;
    tick_at(from + 60 * US);
    ck_assert_int_eq(fx_phase(&f, 2), CORE_CALL_DIALLING);
    ck_assert_int_eq(
        fx_config(&f, "[{'kind':'access_number','number':'10003','app':'echo'}]", "['queue/service']", NULL, NULL),
        ERR_CONFLICT);
    fx_reopen(&f);
    ck_assert_int_eq(fx_fail(&f, 2, core_call(f.c, 2)->offer.id, EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    ck_assert_int_eq(fx_phase(&f, 2), CORE_CALL_WAITING);
    ck_assert_str_eq(core_call(f.c, 2)->queue, "service");
    ck_assert_uint_eq(core_call(f.c, 2)->queued_us, from);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_str_eq(core_call(f.c, 1)->offer.agent, "1001");
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    ck_assert_str_eq(core_call(f.c, 2)->offer.agent, "1002");
}
END_TEST

/* Led into a queue that is full, and by that to a telephone, in vain: he waits where he did, as he did. Below level 4 he came to the full
 * one; he may have stood there already, by overflow. */
START_TEST(test_telephone_of_a_full_queue_in_vain)
{
    if (_i)
        ck_assert_int_eq(fx_raise(&f, 4), 0);
    set("[{'kind':'queue','name':'other','max_waiting':1,'full_action':{'type':'agent','target':'1003'},'members':[]}"
        "]");
    service("'overflow':[{'queue':'other','after_wait_s':5}],'max_wait_s':10,'max_wait_action':{'type':'queue','target'"
            ":'other'}");
    ck_assert_int_eq(fx_start(&f, 9, "139", "10005", true), 0); /* the only one whom it takes */
    start(1);
    uint64_t from = f.now;
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    tick_at(from + 5 * US);
    ck_assert_uint_eq(state(1)->n_overflow, 1);
    tick_at(from + 10 * US);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_DIALLING);
    fx_reopen(&f);
    ck_assert_int_eq(fx_fail(&f, 1, core_call(f.c, 1)->offer.id, EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING);
    ck_assert_str_eq(state(1)->queue, _i ? "service" : "other");
    ck_assert_uint_eq(state(1)->n_overflow, 1);
    fx_reopen(&f);
    struct err_info info = {0};
    ck_assert_msg(acd_check(f.c->acd, &info) == 0, "%s", info.text);
    ck_assert_uint_eq(acd_position(f.c->acd, 1), _i ? 1 : 2);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
}
END_TEST

START_TEST(test_answered_by_the_telephone_of_an_action)
{
    service("'wrap_up_s':30,'max_wait_s':60,'max_wait_action':{'type':'agent','target':'1003'}");
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    start(1);
    tick_at(f.now + 60 * US);
    ck_assert_int_eq(fx_answer(&f, 1, core_call(f.c, 1)->offer.id), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_TALKING);
    ck_assert_int_eq(fx_end(&f, 1, "agent"), 0);
    ck_assert_int_eq(fx_state(&f, "1003"), CORE_AGENT_IDLE); /* no wrap-up of a queue that he does not serve */
}
END_TEST

START_TEST(test_a_number_outside)
{
    ck_assert_int_eq(fx_raise(&f, 3), 0);
    service("'max_wait_s':60,'max_wait_action':{'type':'outside','target':'+861085551234'}");
    start(1);
    tick_at(f.now + 60 * US);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING); /* no trunk leads there */
    set("[{'kind':'trunk','name':'carrier','contact':'sip:192.0.2.9:5060','outbound':true},"
        "{'kind':'parameter','name':'outbound_trunk','value':'carrier'}]");
    start(2);
    tick_at(f.now + 60 * US);
    ck_assert_int_eq(fx_phase(&f, 2), CORE_CALL_DIALLING);
    ck_assert_str_eq(core_call(f.c, 2)->offer.extension, "+861085551234");
    ck_assert_str_eq(core_call(f.c, 2)->out_trunk, "carrier");
    fx_reopen(&f);
    ck_assert_int_eq(fx_fail(&f, 2, core_call(f.c, 2)->offer.id, EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    ck_assert_int_eq(fx_phase(&f, 2), CORE_CALL_WAITING);
    ck_assert_str_eq(core_call(f.c, 2)->out_trunk, "");
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_str_eq(core_call(f.c, 1)->offer.agent, "1001");
}
END_TEST

START_TEST(test_nobody_logged_in)
{
    service("'no_agents_wait_s':20,'no_agents_action':{'type':'flow','target':'night'}");
    start(1);
    due_after(f.now, 20);
    uint64_t from = f.now;
    f.now += 10 * US;
    ck_assert_int_eq(fx_login(&f, "1001"), 0); /* and takes him */
    ck_assert_int_eq(fx_not_ready(&f, "1001"), 0);
    ck_assert_int_eq(fx_fail(&f, 1, core_call(f.c, 1)->offer.id, EV__OFFER_FAILED__CAUSE__BUSY), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING);
    fx_reopen(&f);
    ck_assert_uint_eq(core_next_due_us(f.c), 0); /* somebody is logged in */
    tick_at(from + 100 * US);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING);
    ck_assert_int_eq(fx_logout(&f, "1001"), 0);
    due_after(f.now, 20);
    /* changes of the queue do not begin it anew, a longer time counts at once */
    from = f.now;
    f.now += 5 * US;
    service("'no_agents_wait_s':30,'no_agents_action':{'type':'flow','target':'night'}");
    due_after(from, 30);
    tick_at(from + 30 * US);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_MENU);
}
END_TEST

START_TEST(test_nobody_logged_in_at_once)
{
    service("'no_agents_action':{'type':'queue','target':'other'}");
    start(1);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING);
    ck_assert_str_eq(core_call(f.c, 1)->queue, "other");
    ck_assert(core_call(f.c, 1)->answered);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    start(2);
    ck_assert_str_eq(core_call(f.c, 2)->offer.agent, "1001");
    /* the last one goes: the member is taken out of the queue */
    start(3);
    ck_assert_str_eq(core_call(f.c, 3)->queue, "service");
    set("[{'kind':'queue','name':'service','members':[{'agent':'1002'}],'no_agents_action':{'type':'hangup'}}]");
    ck_assert_int_eq(fx_phase(&f, 3), CORE_CALL_FAILED);
    ck_assert_str_eq(core_call(f.c, 3)->fail_cause, "no_agents");
    /* who only would be told that he is not served is not answered */
    start(4);
    ck_assert_int_eq(fx_phase(&f, 4), CORE_CALL_FAILED);
    ck_assert(!core_call(f.c, 4)->answered);
}
END_TEST

START_TEST(test_full_queue)
{
    service("'max_waiting':1,'full_action':{'type':'queue','target':'other'}");
    start(1);
    start(2);
    ck_assert_str_eq(core_call(f.c, 1)->queue, "service");
    ck_assert_str_eq(core_call(f.c, 2)->queue, "other");
    ck_assert_int_eq(fx_start(&f, 3, "139", "10000", true), 0);
    ck_assert_int_eq(fx_menu(&f, 3, "main"), 0);
    ck_assert_int_eq(fx_queue(&f, 3, "service"), 0); /* from a flow likewise */
    ck_assert_str_eq(core_call(f.c, 3)->queue, "other");
    /* that one is full as well, and says nothing: refused as ever, by the number and by the flow */
    set("[{'kind':'queue','name':'other','members':[{'agent':'1003'}],'max_waiting':1}]");
    start(4);
    ck_assert_int_eq(fx_phase(&f, 4), CORE_CALL_FAILED);
    ck_assert_int_eq(core_call(f.c, 4)->fail_status, 486);
    /* prompts are heard by whom is answered */
    service("'max_waiting':1,'full_action':{'type':'hangup','prompts':['all_busy']}");
    start(5);
    ck_assert_int_eq(fx_phase(&f, 5), CORE_CALL_APP);
    ck_assert(core_call(f.c, 5)->answered);
    service("'max_waiting':1,'full_action':{'type':'hangup'}");
    start(6);
    ck_assert_int_eq(core_call(f.c, 6)->fail_status, 486);
    ck_assert(!core_call(f.c, 6)->answered);
}
END_TEST

/* Two queues without agents that send their callers to each other. */
START_TEST(test_a_circle_ends)
{
    service("'no_agents_action':{'type':'queue','target':'other'}");
    set("[{'kind':'queue','name':'other','members':[{'agent':'1003'}],'no_agents_action':{'type':'queue','target':'"
        "service'}}]");
    start(1);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_FAILED);
    ck_assert_str_eq(core_call(f.c, 1)->fail_cause, "action_loop");
    /* the same by full queues, from a flow */
    service("'max_waiting':1,'full_action':{'type':'queue','target':'other'}");
    set("[{'kind':'queue','name':'other','members':[{'agent':'1003'}],'max_waiting':1,'full_action':{'type':'queue','"
        "target':'service'}}]");
    start(2);
    start(3);
    ck_assert_str_eq(core_call(f.c, 3)->queue, "other");
    ck_assert_int_eq(fx_start(&f, 4, "139", "10000", true), 0);
    ck_assert_int_eq(fx_queue(&f, 4, "service"), 0);
    ck_assert_str_eq(core_call(f.c, 4)->fail_cause, "action_loop");
    ck_assert_uint_eq(state(4)->acted, 33);
}
END_TEST

START_TEST(test_in_words)
{
    service("'max_wait_s':60,'max_wait_action':{'type':'flow','target':'night'}");
    start(1);
    json_t *e = NULL;
    struct err_info info = {0};
    ck_assert_int_eq(core_explain_call(f.c, 1, &e, &info), 0);
    char *text = json_dumps(e, JSON_COMPACT);
    ck_assert_msg(strstr(text, "if he is still waiting: flow night.") != NULL, "%s", text);
    free(text);
    json_decref(e);
}
END_TEST

static int choose(uint64_t id, const char *key)
{
    Ev__CallQueue m = EV__CALL_QUEUE__INIT;
    m.call_id = id;
    m.choice = (char *)(uintptr_t)key;
    FX_BODY(CALL_QUEUE, call_queue, m);
    return fx_run(&f, &cmd);
}

START_TEST(test_keys_of_a_queue)
{
    invalid("'keys':[{'key':'1'},{'key':'1'}]", "keys[1].key");
    invalid("'keys':[{'key':'A'}]", "keys[0].key");
    invalid("'keys':[{'key':'12'}]", "keys[0].key");
    invalid("'keys':[{'key':'1','action':{'type':'flow'}}]", "keys[0].action.target");
    refused("[{'kind':'queue','name':'service','keys':[{'key':'2','action':{'type':'flow','target':'none'}}]}]",
            "queue/service.keys[0].action.target");
    service("'keys':[{'key':'1'},{'key':'2','action':{'type':'flow','target':'night'}},"
            "{'key':'*','action':{'type':'hangup','prompts':['goodbye']}},"
            "{'key':'#','action':{'type':'agent','target':'1003'}}]");
    for (uint64_t id = 1; id <= 4; id++)
        start(id);
    ck_assert_int_eq(choose(1, "1"), 0); /* stays where he is */
    ck_assert_int_eq(choose(1, "7"), ERR_NOTFOUND);
    ck_assert_uint_eq(core_queue_position(f.c, 1), 1);
    ck_assert_int_eq(choose(2, "2"), 0);
    ck_assert_int_eq(fx_phase(&f, 2), CORE_CALL_MENU);
    ck_assert_str_eq(state(2)->flow, "night");
    ck_assert_int_eq(choose(2, "2"), ERR_BADSTATE); /* once */
    event_says("\"reason\":\"choice\"");
    ck_assert_int_eq(choose(3, "*"), 0);
    ck_assert_int_eq(fx_phase(&f, 3), CORE_CALL_APP);
    ck_assert_uint_eq(core_queue_position(f.c, 4), 2);
    /* an agent who cannot be had: he waits as before, and may choose again */
    ck_assert_int_eq(choose(4, "#"), 0);
    ck_assert_int_eq(fx_phase(&f, 4), CORE_CALL_WAITING);
    ck_assert_uint_eq(core_queue_position(f.c, 4), 2);
    fx_reopen(&f);
    ck_assert_uint_eq(core_queue_position(f.c, 4), 2);
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    ck_assert_int_eq(fx_ready(&f, "1003"), 0);
    ck_assert_int_eq(choose(4, "#"), 0);
    ck_assert_int_eq(fx_phase(&f, 4), CORE_CALL_DIALLING);
    /* while an agent is being rung for him it counts for nothing */
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_ready(&f, "1001"), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_OFFERED);
    ck_assert_int_eq(choose(1, "2"), ERR_BADSTATE);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_OFFERED);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core actions");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_keys_of_a_queue);
    tcase_add_test(tc, test_rules_of_actions);
    tcase_add_test(tc, test_targets_exist_and_stay);
    tcase_add_test(tc, test_level_of_the_command);
    tcase_add_test(tc, test_maximum_wait_leads_to_a_flow);
    tcase_add_test(tc, test_who_is_rung_is_left_to_ring);
    tcase_add_test(tc, test_hangup_with_prompts);
    tcase_add_test(tc, test_another_queue_keeps_the_wait_clock);
    tcase_add_test(tc, test_telephone_in_vain);
    tcase_add_loop_test(tc, test_telephone_of_a_full_queue_in_vain, 0, 2);
    tcase_add_test(tc, test_answered_by_the_telephone_of_an_action);
    tcase_add_test(tc, test_a_number_outside);
    tcase_add_test(tc, test_nobody_logged_in);
    tcase_add_test(tc, test_nobody_logged_in_at_once);
    tcase_add_test(tc, test_full_queue);
    tcase_add_test(tc, test_a_circle_ends);
    tcase_add_test(tc, test_in_words);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
