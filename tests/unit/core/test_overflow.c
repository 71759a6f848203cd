/* Further queues, own agents, and what a flow says about a caller. Each is followed by a restart, after which callers stand where they
 * stood and the same agents are chosen. */
#include "core/core_int.h"
#include "core/explain.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static void set(const char *text)
{
    fx_must_set(&f, text);
}

/* Queue service with agents 1001 and 1002, queue other with 1003. */
static void service(const char *rules)
{
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "[{'kind':'queue','name':'service','wrap_up_s':0,'members':[{'agent':'1001'},{'agent':'1002'}],%s}]", rules);
    set(text);
}

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 3);
    ck_assert_int_eq(fx_raise(&f, 3), 0);
    set("[{'kind':'queue','name':'other','wrap_up_s':9,'members':[{'agent':'1003'}]},"
        "{'kind':'access_number','number':'10005','queue':'other'}]");
}

static void teardown(void)
{
    fx_close(&f);
}

static void start(uint64_t id, const char *caller)
{
    ck_assert_int_eq(fx_start(&f, id, caller, "10003", true), 0);
}

static void offered(uint64_t id, const char *agent, const char *queue)
{
    const struct core_call *k = core_call(f.c, id);
    ck_assert_ptr_nonnull(k);
    ck_assert_msg(k->phase == CORE_CALL_OFFERED, "call %u is not offered to %s", (unsigned)id, agent);
    ck_assert_str_eq(k->offer.agent, agent);
    ck_assert_str_eq(k->offer.queue, queue);
}

static void waits(uint64_t id, const char *queue, uint32_t place)
{
    uint64_t at = 0;
    fx_reopen(&f);
    ck_assert_int_eq(fx_phase(&f, id), CORE_CALL_WAITING);
    ck_assert(acd_waiting_at(f.c->acd, core_queue_obj(f.c, queue)->key, place - 1, &at));
    ck_assert_uint_eq(at, id);
    struct err_info info = {0};
    ck_assert_msg(acd_check(f.c->acd, &info) == 0, "%s", info.text);
}

static uint32_t waiting(const char *queue)
{
    return acd_waiting(f.c->acd, core_queue_obj(f.c, queue)->key);
}

static void tick_at(uint64_t us)
{
    f.now = us - 1;
    ck_assert_int_eq(fx_tick(&f), 0);
}

static json_t *entry(const char *queue, size_t i)
{
    static json_t *q;
    json_decref(q);
    q = fx_view(&f, "queue", queue, NULL);
    return json_array_get(json_object_get(q, "entries"), i);
}

START_TEST(test_after_a_time)
{
    service("'overflow':[{'queue':'other','after_wait_s':30}]");
    start(1, "139");
    uint64_t from = f.now;
    f.now += 20 * US;
    ck_assert_int_eq(fx_start(&f, 2, "138", "10005", true), 0);
    ck_assert_uint_eq(core_next_due_us(f.c), from + 30 * US);
    fx_reopen(&f);
    tick_at(from + 30 * US);
    /* his wait clock is kept: he goes before who came to that queue later */
    waits(1, "service", 1);
    waits(1, "other", 1);
    waits(2, "other", 2);
    ck_assert_uint_eq(core_next_due_us(f.c), 0);
    ck_assert_str_eq(json_string_value(json_object_get(entry("other", 0), "home")), "service");
    ck_assert_str_eq(json_string_value(json_object_get(entry("other", 1), "home")), "other");
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    offered(1, "1003", "other");
    ck_assert_uint_eq(waiting("service"), 0);
    /* in vain: back in both, at the very front */
    ck_assert_int_eq(fx_fail(&f, 1, core_call(f.c, 1)->offer.id, EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    waits(1, "service", 1);
    waits(1, "other", 1);
    ck_assert_int_eq(fx_ready(&f, "1003"), 0);
    ck_assert_int_eq(fx_answer(&f, 1, core_call(f.c, 1)->offer.id), 0);
    fx_reopen(&f);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    ck_assert_int_eq(fx_state(&f, "1003"), CORE_AGENT_WRAP_UP); /* of the queue that served */
    json_t *cdr = fx_view(&f, "cdr", "0000000000000001", NULL);
    ck_assert_str_eq(json_string_value(json_object_get(cdr, "queue")), "service");
    ck_assert_str_eq(json_string_value(json_object_get(cdr, "served_queue")), "other");
    json_decref(cdr);
}
END_TEST

START_TEST(test_behind_a_place)
{
    service("'overflow':[{'queue':'other','if_waiting':2}]");
    for (uint64_t id = 1; id <= 3; id++)
        start(id, "139");
    ck_assert_uint_eq(waiting("other"), 1);
    waits(3, "other", 1);
    waits(3, "service", 3);
    /* who is pushed behind it by a VIP overflows then */
    set("[{'kind':'access_number','number':'10006','queue':'service','vip':true}]");
    ck_assert_int_eq(fx_start(&f, 4, "137", "10006", true), 0);
    waits(4, "service", 1);
    waits(2, "other", 1);
    waits(3, "other", 2);
    /* and stays there when the queue is short again; whoever comes then does not */
    ck_assert_int_eq(fx_end(&f, 4, "caller"), 0);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    waits(2, "other", 1);
    ck_assert_int_eq(fx_end(&f, 3, "caller"), 0);
    start(5, "139");
    ck_assert_uint_eq(waiting("other"), 1);
    json_t *q = fx_view(&f, "queue", "other", NULL);
    ck_assert_int_eq(json_integer_value(json_object_get(q, "waiting")), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(q, "waiting_home")), 0);
    json_decref(q);
}
END_TEST

/* Callers of other queues do not fill a queue, and are not counted twice. */
START_TEST(test_a_further_queue_is_not_filled)
{
    service("'overflow':[{'queue':'other','if_waiting':1}]");
    set("[{'kind':'queue','name':'other','members':[{'agent':'1003'}],'max_waiting':1}]");
    for (uint64_t id = 1; id <= 4; id++)
        start(id, "139");
    ck_assert_uint_eq(waiting("other"), 3);
    ck_assert_int_eq(fx_start(&f, 5, "138", "10005", true), 0);
    ck_assert_int_eq(fx_phase(&f, 5), CORE_CALL_WAITING);
    ck_assert_int_eq(fx_start(&f, 6, "138", "10005", true), 0);
    ck_assert_int_eq(fx_phase(&f, 6), CORE_CALL_FAILED);
    struct core_counts n;
    core_get_counts(f.c, &n);
    ck_assert_uint_eq(n.waiting, 5);
    ck_assert_int_eq(fx_config(&f, "[{'kind':'queue','name':'service','members':[]}]", "['access_number/10005','queue/other']", NULL, NULL),
                     ERR_CONFLICT);
    for (uint64_t id = 1; id <= 6; id++)
        ck_assert_int_eq(fx_end(&f, id, "caller"), 0);
    ck_assert_int_eq(fx_config(&f, NULL, "['access_number/10005','queue/other']", NULL, NULL), ERR_CONFLICT); /* configured still */
    ck_assert_int_eq(fx_config(&f, "[{'kind':'queue','name':'service','members':[]}]", "['access_number/10005','queue/other']", NULL, NULL), 0);
}
END_TEST

START_TEST(test_overflow_rules)
{
    static const struct {
        const char *text, *field;
    } bad[] = {{"[{'queue':'other'}]", "overflow[0]"},
               {"[{'queue':'other','after_wait_s':1,'if_waiting':1}]", "overflow[0]"},
               {"[{'queue':'service','after_wait_s':1}]", "overflow[0]"},
               {"[{'queue':'a','after_wait_s':1},{'queue':'a','if_waiting':1}]", "overflow[1].queue"},
               {"[{'after_wait_s':1}]", "overflow[0].queue"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "{'name':'service','overflow':%s}", bad[i].text);
        for (char *p = text; *p; p++)
            *p = *p == '\'' ? '"' : *p;
        json_t *j = json_loads(text, 0, NULL);
        struct err_info info = {0};
        struct Ev__ConfigObject *o = NULL;
        ck_assert_int_ne(view_config_from_json("queue", j, "everline", &o, &info), 0);
        ck_assert_str_eq(info.field, bad[i].field);
        json_decref(j);
    }
    ck_assert_int_ne(fx_set(&f, "[{'kind':'queue','name':'q','overflow':[{'queue':'none','after_wait_s':1}]}]"), 0);
    ck_assert_str_eq(f.last.field, "queue/q.overflow[0].queue");
}
END_TEST

static void own_agent(const char *rules)
{
    service(rules);
    set("[{'kind':'agent','number':'1003','extension':'8003','customers':['139','138']}]");
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    ck_assert_int_eq(fx_start(&f, 99, "8003", "10001", true), 0); /* on a call of his own */
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
}

START_TEST(test_own_agent_alone_for_a_time)
{
    own_agent("'dedicated_wait_s':20");
    start(1, "139");
    start(2, "5");
    offered(2, "1001", "service"); /* who has none */
    waits(1, "service", 1);
    uint64_t from = core_call(f.c, 1)->queued_us;
    ck_assert_uint_eq(core_next_due_us(f.c), from + 20 * US);
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    json_t *e = NULL;
    struct err_info info = {0};
    ck_assert_int_eq(core_explain_call(f.c, 1, &e, &info), 0);
    char *text = json_dumps(e, JSON_COMPACT);
    ck_assert_msg(strstr(text, "he waits for his own agent 1003 alone.") != NULL, "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "not_his"));
    free(text);
    json_decref(e);
    /* he is free in time: though no member */
    f.now += 10 * US;
    ck_assert_int_eq(fx_end(&f, 99, "caller"), 0);
    offered(1, "1003", "service");
    /* in vain: anybody from now on */
    ck_assert_int_eq(fx_fail(&f, 1, core_call(f.c, 1)->offer.id, EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    offered(1, "1002", "service");
    /* not in time */
    ck_assert_int_eq(fx_ready(&f, "1003"), 0);
    ck_assert_int_eq(fx_start(&f, 98, "8003", "10001", true), 0);
    ck_assert_int_eq(fx_fail(&f, 2, core_call(f.c, 2)->offer.id, EV__OFFER_FAILED__CAUSE__BUSY), 0);
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0);
    ck_assert_int_eq(fx_ready(&f, "1001"), 0);
    start(3, "138");
    from = f.now;
    waits(3, "service", 1);
    tick_at(from + 20 * US);
    offered(3, "1001", "service");
}
END_TEST

START_TEST(test_own_agent_is_not_there)
{
    own_agent("'dedicated_wait_s':20");
    start(1, "139");
    waits(1, "service", 1);
    ck_assert_int_eq(fx_end(&f, 99, "caller"), 0);
    offered(1, "1003", "service");
    ck_assert_int_eq(fx_logout(&f, "1003"), 0);
    offered(1, "1001", "service"); /* he went: nobody waits for him */
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    start(2, "139");
    offered(2, "1001", "service");
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0);
    /* without a time of waiting he is preferred, no more */
    service("'dedicated_wait_s':0");
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    start(3, "139");
    offered(3, "1003", "service");
    start(4, "138");
    offered(4, "1001", "service");
    start(5, "138");
    waits(5, "service", 1);
    ck_assert_int_eq(fx_end(&f, 3, "caller"), 0);
    offered(5, "1003", "service");
}
END_TEST

START_TEST(test_whose_customer)
{
    ck_assert_int_ne(fx_set(&f, "[{'kind':'agent','number':'1001','extension':'8001','customers':['1','2','1']}]"), 0);
    ck_assert_int_ne(fx_set(&f, "[{'kind':'agent','number':'1001','extension':'8001','customers':['1']},"
                                "{'kind':'agent','number':'1002','extension':'8002','customers':['2','1']}]"), 0);
    ck_assert_str_eq(f.last.text, "agents 1001 and 1002 have a customer in common");
    set("[{'kind':'agent','number':'1001','extension':'8001','customers':['1','2']}]");
    ck_assert_int_eq(fx_set(&f, "[{'kind':'agent','number':'1002','extension':'8002','customers':['2']}]"), ERR_CONFLICT);
    ck_assert_str_eq(f.last.text, "2 is a customer of agent 1001");
    /* handed over in one change, either way round */
    set("[{'kind':'agent','number':'1001','extension':'8001','customers':['1']},"
        "{'kind':'agent','number':'1002','extension':'8002','customers':['2']}]");
    set("[{'kind':'agent','number':'1001','extension':'8001','customers':['2']},"
        "{'kind':'agent','number':'1002','extension':'8002','customers':['1']}]");
    fx_reopen(&f);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    start(1, "1");
    offered(1, "1002", "service");
    start(2, "2");
    offered(2, "1001", "service");
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0);
    /* the agent goes, with a caller of his on the line */
    ck_assert_int_eq(fx_logout(&f, "1002"), 0);
    ck_assert_int_eq(fx_not_ready(&f, "1001"), 0);
    start(3, "1");
    ck_assert_str_eq(core_call_obj(f.c, 3)->st->dedicated, "1002");
    ck_assert_int_eq(fx_config(&f, "[{'kind':'queue','name':'service','members':[{'agent':'1001'}]}]", "['agent/1002']", NULL, NULL), 0);
    ck_assert_str_eq(core_call_obj(f.c, 3)->st->dedicated, "");
    waits(3, "service", 1);
    set("[{'kind':'agent','number':'1003','extension':'8003','customers':['1']}]");
}
END_TEST

START_TEST(test_own_agent_by_number_called)
{
    set("[{'kind':'access_number','number':'10007','queue':'service','dedicated_agent':'1002'}]");
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    ck_assert_int_eq(fx_start(&f, 1, "7", "10007", true), 0);
    offered(1, "1002", "service");
    ck_assert_int_eq(fx_config(&f, NULL, "['agent/1002']", NULL, NULL), ERR_CONFLICT);
}
END_TEST

static int described(uint64_t id, uint32_t priority, const char *skill, const char *agent)
{
    Ev__SkillNeed need = EV__SKILL_NEED__INIT, *needs[1] = {&need};
    Ev__CallQueue m = EV__CALL_QUEUE__INIT;
    m.call_id = id;
    m.queue = (char *)(uintptr_t) "service";
    m.priority = priority;
    m.agent = (char *)(uintptr_t)agent;
    need.skill = (char *)(uintptr_t)skill;
    need.level = 2;
    m.n_needs = skill[0] != '\0';
    m.needs = needs;
    FX_BODY(CALL_QUEUE, call_queue, m);
    ck_assert_uint_eq(core_feature_of(&cmd), 3);
    return fx_run(&f, &cmd);
}

static void in_menu(uint64_t id)
{
    ck_assert_int_eq(fx_start(&f, id, "136", "10000", true), 0);
    ck_assert_int_eq(fx_menu(&f, id, "main"), 0);
}

START_TEST(test_what_a_flow_says)
{
    service("'quiet':true");
    start(1, "135");
    in_menu(2);
    ck_assert_int_eq(described(2, 4, "", ""), 0);
    waits(2, "service", 1);
    ck_assert_uint_eq(core_call(f.c, 2)->priority, 3);
    in_menu(3);
    ck_assert_int_eq(described(3, 0, "english", "1003"), 0);
    fx_reopen(&f);
    json_t *k = fx_view(&f, "call", "0000000000000003", NULL);
    ck_assert_str_eq(json_string_value(json_object_get(k, "dedicated_agent")), "1003");
    json_decref(k);
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    offered(3, "1003", "service");
    ck_assert_int_eq(fx_end(&f, 3, "caller"), 0);
    /* a skill that nobody has */
    in_menu(4);
    ck_assert_int_eq(described(4, 1, "english", ""), 0);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    offered(2, "1001", "service");
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    offered(1, "1002", "service");
    waits(4, "service", 1);
    /* what cannot be */
    in_menu(5);
    ck_assert_int_eq(described(5, 1002, "", ""), ERR_RANGE);
    ck_assert_int_eq(described(5, 0, "", "1999"), ERR_NOTFOUND);
    ck_assert_int_eq(fx_phase(&f, 5), CORE_CALL_MENU);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core further queues and own agents");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_after_a_time);
    tcase_add_test(tc, test_behind_a_place);
    tcase_add_test(tc, test_a_further_queue_is_not_filled);
    tcase_add_test(tc, test_overflow_rules);
    tcase_add_test(tc, test_own_agent_alone_for_a_time);
    tcase_add_test(tc, test_own_agent_is_not_there);
    tcase_add_test(tc, test_whose_customer);
    tcase_add_test(tc, test_own_agent_by_number_called);
    tcase_add_test(tc, test_what_a_flow_says);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
