/* What concerns the cluster as a whole: its nodes, feature levels, the audit trail, the event stream. */
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static void up(void)
{
    fx_open(&f);
    fx_demo(&f, 3);
}

static void down(void)
{
    fx_close(&f);
}

static size_t audit_rows(json_t **newest)
{
    json_t *list = fx_view(&f, "audit", NULL, NULL), *items = json_object_get(list, "items");
    size_t n = json_array_size(items);
    if (newest)
        *newest = json_incref(json_array_get(items, 0));
    json_decref(list);
    return n;
}

START_TEST(test_one_audit_row_for_each_object)
{
    json_t *row;
    size_t n = audit_rows(NULL);
    ck_assert_int_eq(fx_set(&f, "[{'kind':'parameter','name':'p','value':'1'}]"), 0);
    ck_assert_uint_eq(audit_rows(NULL), n + 1);
    ck_assert_int_eq(fx_set(&f, "[{'kind':'parameter','name':'p','value':'1'}]"), 0); /* changes nothing */
    ck_assert_uint_eq(audit_rows(NULL), n + 1);
    ck_assert_int_eq(fx_config(&f, NULL, "['parameter/p']", NULL, NULL), 0);
    ck_assert_uint_eq(audit_rows(&row), n + 2);
    ck_assert_str_eq(json_string_value(json_object_get(row, "object")), "parameter/p");
    json_decref(row);
    ck_assert_int_eq(fx_config(&f, NULL, "['parameter/p']", NULL, NULL), ERR_NOTFOUND); /* tried */
    ck_assert_uint_eq(audit_rows(&row), n + 3);
    ck_assert_str_eq(json_string_value(json_object_get(row, "code")), "not_found");
    json_decref(row);
}
END_TEST

START_TEST(test_cluster_operations_leave_a_trace)
{
    json_t *row;
    size_t n = audit_rows(NULL);
    Ev__ClusterOperation m = EV__CLUSTER_OPERATION__INIT;
    m.node = (char *)(uintptr_t) "n4";
    m.address = (char *)(uintptr_t) "192.0.2.4:7400";
    FX_BODY(CLUSTER_OPERATION, cluster_operation, m);
    cmd.actor = (char *)(uintptr_t) "token:admin";
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    ck_assert_uint_eq(audit_rows(&row), n + 1);
    ck_assert_str_eq(json_string_value(json_object_get(row, "action")), "node.add");
    ck_assert_str_eq(json_string_value(json_object_get(row, "object")), "node/n4");
    ck_assert_str_eq(json_string_value(json_object_get(row, "actor")), "token:admin");
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(row, "after"), "address")), "192.0.2.4:7400");
    ck_assert_str_eq(json_string_value(json_object_get(row, "code")), "ok");
    json_decref(row);
    m.action = EV__CLUSTER_OPERATION__ACTION__TRANSFER;
    m.node = m.address = (char *)(uintptr_t) "";
    m.code = ERR_TIMEOUT;
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    ck_assert_uint_eq(audit_rows(&row), n + 2);
    ck_assert_str_eq(json_string_value(json_object_get(row, "action")), "cluster.transfer");
    ck_assert_str_eq(json_string_value(json_object_get(row, "object")), "cluster");
    ck_assert_str_eq(json_string_value(json_object_get(row, "code")), "timed_out");
    json_decref(row);
    m.action = (Ev__ClusterOperation__Action)7;
    ck_assert_int_eq(fx_run(&f, &cmd), ERR_INVAL);
    m.action = EV__CLUSTER_OPERATION__ACTION__NODE_REMOVE;
    ck_assert_int_eq(fx_run(&f, &cmd), ERR_INVAL); /* of no node */
    struct storage_reader *r;
    struct err_info info = {0};
    json_t *events = NULL;
    int gone;
    ck_assert_int_eq(storage_reader_open(f.st, &r, &info), 0);
    ck_assert_int_eq(view_events(r, f.index - 4, UINT32_MAX, 10, &events, &gone), 0);
    ck_assert_uint_eq(json_array_size(events), 2);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(events, 0), "type")),
                     "everline.cluster.operation");
    json_decref(events);
    storage_reader_close(r);
}
END_TEST

START_TEST(test_forgotten_node)
{
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10001", true), 0);
    Ev__NodeForget m = EV__NODE_FORGET__INIT;
    m.name = (char *)(uintptr_t) "n9";
    FX_BODY(NODE_FORGET, node_forget, m);
    ck_assert_int_eq(fx_run(&f, &cmd), ERR_NOTFOUND);
    /* Proposed when it was down and no member, carried out when it is up: it may hold a lease, so its calls stay. */
    m.name = (char *)(uintptr_t) "n1";
    ck_assert_int_eq(fx_run(&f, &cmd), ERR_BADSTATE);
    ck_assert_str_eq(core_call(f.c, 1)->owner, "n1");
    ck_assert(core_node(f.c, "n1")->up);
    ck_assert_int_eq(fx_node_down(&f, "n1", 1), 0);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    ck_assert_str_eq(core_call(f.c, 1)->owner, "n2"); /* what it carried goes on */
    ck_assert_ptr_null(core_node(f.c, "n1"));
    ck_assert_str_eq(core_node_next(f.c, NULL)->name, "n2");
    ck_assert_ptr_null(core_node_next(f.c, core_node_next(f.c, NULL)));
    ck_assert_int_eq(fx_run(&f, &cmd), ERR_NOTFOUND);
    fx_reopen(&f);
    ck_assert_ptr_null(core_node(f.c, "n1"));
    ck_assert_int_eq(fx_start(&f, 2, "13800", "10001", true), ERR_BADSTATE); /* not one of us any more */
    ck_assert_int_eq(fx_node_up(&f, "n1", 1, 1), 0);                         /* added again: any process of it is new */
    ck_assert(core_node(f.c, "n1")->up);
    ck_assert_int_eq(fx_start(&f, 2, "13800", "10001", true), 0);
}
END_TEST

static void node_knows(const char *name, uint64_t id, uint64_t incarnation, uint32_t level)
{
    Ev__NodeUp m = EV__NODE_UP__INIT;
    m.name = (char *)(uintptr_t)name;
    m.node_id = id;
    m.incarnation = incarnation;
    m.max_feature_level = level;
    FX_BODY(NODE_UP, node_up, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
}

START_TEST(test_feature_level_rises_when_all_can)
{
    uint32_t above = CORE_FEATURE_LEVEL + 1;
    ck_assert_int_eq(fx_raise(&f, 1), ERR_STALE); /* it is that already */
    ck_assert_int_eq(fx_raise(&f, CORE_FEATURE_LEVEL), 0);
    ck_assert_int_eq(fx_raise(&f, CORE_FEATURE_LEVEL), ERR_STALE);
    ck_assert_int_eq(fx_raise(&f, above), ERR_CONFLICT);
    node_knows("n1", 1, 2, above);
    ck_assert_int_eq(fx_raise(&f, above), ERR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(f.last.text, "n2"));
    ck_assert_int_eq(fx_node_down(&f, "n2", 1), 0); /* a node that is down counts: it comes back with what it knows */
    ck_assert_int_eq(fx_raise(&f, above), ERR_CONFLICT);
    node_knows("n2", 2, 2, above);
    ck_assert_uint_eq(core_feature_level(f.c),
                      CORE_FEATURE_LEVEL); /* nobody may ask for more yet, whatever a program knows */
    /* All can, but for this program: it stops rather than to go on with less, and keeps nothing of the entry. */
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__FeatureLevel m = EV__FEATURE_LEVEL__INIT;
    m.level = above;
    cmd.body_case = EV__COMMAND__BODY_FEATURE;
    cmd.feature = &m;
    void *data;
    size_t len;
    ck_assert_int_eq(core_pack(&cmd, &data, &len), 0);
    struct core_item it = {1, 1, ++f.seq, data, len};
    struct core_answer *a;
    uint64_t stored = storage_applied_index(f.st);
    ck_assert_int_eq(core_apply(f.c, f.index + 1, 1, &it, 1, &a), ERR_UNSUPPORTED);
    ck_assert_uint_eq(storage_applied_index(f.st), stored);
    free(data);
}
END_TEST

START_TEST(test_unknown_feature_level_stops_the_node)
{
    Ev__Command m = EV__COMMAND__INIT;
    Ev__Tick tick = EV__TICK__INIT;
    m.body_case = EV__COMMAND__BODY_TICK;
    m.tick = &tick;
    m.feature_level = CORE_FEATURE_LEVEL + 1;
    void *data;
    size_t len;
    ck_assert_int_eq(core_pack(&m, &data, &len), 0);
    struct core_item it = {1, 1, ++f.seq, data, len};
    struct core_answer *a;
    uint64_t stored = storage_applied_index(f.st);
    ck_assert_int_eq(core_apply(f.c, f.index + 1, 1, &it, 1, &a), ERR_UNSUPPORTED);
    ck_assert_uint_eq(storage_applied_index(f.st), stored);
    free(data);
}
END_TEST

/* ---- the clock */

#define DAY (86400 * US)

static uint64_t tick(const char *node, uint64_t time_us, uint64_t clock_us)
{
    Ev__Tick m = EV__TICK__INIT;
    FX_BODY(TICK, tick, m);
    cmd.node = (char *)(uintptr_t)node;
    cmd.time_us = time_us;
    cmd.clock_us = clock_us;
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    return core_now_us(f.c);
}

START_TEST(test_one_clock_far_ahead_is_not_followed)
{
    uint64_t now = core_now_us(f.c), future = now + 9000 * DAY;
    ck_assert_int_eq(fx_register(&f, "8002", "sip:8002@127.0.0.1:9", "c", 1, now + 3600 * US), 0);
    now = core_now_us(f.c);
    /* However it is put: as the time of the command, or told beside it; once, or again and again. */
    for (unsigned i = 1; i <= 50; i++)
        ck_assert_uint_eq(tick("n1", future + i * 1000 * US, 0), now + i);
    now = core_now_us(f.c);
    for (unsigned i = 1; i <= 50; i++)
        ck_assert_uint_eq(tick("n1", now + i * US, future + i * 1000 * US), now + i * US); /* what it reckons counts */
    now = core_now_us(f.c);
    ck_assert_uint_ge(core_node(f.c, "n1")->clock_us, future);
    struct core_counts n;
    core_get_counts(f.c, &n);
    ck_assert_uint_eq(n.registrations, 1);
    fx_reopen(&f); /* what was told is in the tables */
    ck_assert_uint_ge(core_node(f.c, "n1")->clock_us, future);
    /* The others go on in time, and a step that a working cluster makes is taken from anyone. */
    ck_assert_uint_eq(tick("n2", now + CORE_CLOCK_STEP_US, 0), now + CORE_CLOCK_STEP_US);
    ck_assert_uint_eq(core_node(f.c, "n2")->clock_us, 0);
    /* Set right, it does not witness any more. */
    now = core_now_us(f.c);
    ck_assert_uint_eq(tick("n1", now + US, 0), now + US);
    ck_assert_uint_eq(core_node(f.c, "n1")->clock_us, 0);
    ck_assert_uint_eq(tick("n2", now + 2 * US, now + DAY), now + 2 * US);
}
END_TEST

START_TEST(test_two_clocks_are_followed)
{
    uint64_t now = core_now_us(f.c);
    /* All were off for three days; n1 is wrong besides. */
    ck_assert_uint_eq(tick("n1", now + US, now + 9000 * DAY), now + US);
    ck_assert_uint_eq(tick("n2", now + 2 * US, now + 3 * DAY), now + 3 * DAY);
    now = core_now_us(f.c);
    ck_assert_uint_eq(tick("n2", now + US, 0), now + US);
    ck_assert_uint_eq(tick("n1", now + 2 * US, now + 9000 * DAY), now + 2 * US);
    /* Without a majority for an hour: the times of the commands themselves are beyond the step. */
    now = core_now_us(f.c);
    ck_assert_uint_eq(tick("n2", now + 3600 * US, 0), now + 3600 * US); /* n1 has told more */
    ck_assert_uint_eq(tick("n1", now + 3601 * US, 0), now + 3601 * US);
    now = core_now_us(f.c);
    ck_assert_uint_eq(tick("n1", now + 3600 * US, 0), now + 1);
    ck_assert_uint_eq(tick("n2", now + 3601 * US, 0), now + 3600 * US);
}
END_TEST

START_TEST(test_a_node_alone_is_followed)
{
    uint64_t now = core_now_us(f.c);
    ck_assert_uint_eq(tick("stranger", now + US, now + DAY), now + US); /* not one of us */
    ck_assert_int_eq(fx_node_down(&f, "n2", 1), 0);
    now = core_now_us(f.c);
    ck_assert_uint_eq(tick("n1", now + US, now + DAY), now + DAY);
    /* What a process tells as it comes up counts like everything else, and stays. */
    now = core_now_us(f.c);
    Ev__NodeUp m = EV__NODE_UP__INIT;
    m.name = (char *)(uintptr_t) "n2";
    m.node_id = 2;
    m.incarnation = 2;
    m.clock_us = now + 5000 * DAY; /* of the stored form: not to be sent */
    FX_BODY(NODE_UP, node_up, m);
    cmd.node = m.name;
    cmd.time_us = now + US;
    cmd.clock_us = now + 2 * DAY;
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    ck_assert_uint_eq(core_now_us(f.c), now + US);
    ck_assert_uint_eq(core_node(f.c, "n2")->clock_us, now + 2 * DAY);
    ck_assert_uint_eq(tick("n1", now + 2 * US, now + DAY), now + DAY);
}
END_TEST

/* ---- old events give way */

#define BATCH 1000u

/* One entry of many commands, each of which tells something. */
static void talkative_entry(void)
{
    static struct core_item items[BATCH];
    static struct core_answer *answers[BATCH];
    Ev__AgentSet m = EV__AGENT_SET__INIT;
    m.agent = (char *)(uintptr_t) "1001";
    m.action = EV__AGENT_SET__ACTION__SET_STATE;
    FX_BODY(AGENT_SET, agent_set, m);
    cmd.actor = (char *)(uintptr_t) "node:n1";
    cmd.node = (char *)(uintptr_t) "n1";
    for (unsigned i = 0; i < BATCH; i++) {
        m.state = (char *)(uintptr_t)(i % 2 ? "ready" : "not_ready");
        cmd.time_us = ++f.now;
        void *data;
        ck_assert_int_eq(core_pack(&cmd, &data, &items[i].len), 0);
        items[i].origin = items[i].incarnation = 1;
        items[i].seq = ++f.seq;
        items[i].data = data;
    }
    ck_assert_int_eq(core_apply(f.c, ++f.index, 1, items, BATCH, answers), 0);
    for (unsigned i = 0; i < BATCH; i++) {
        ck_assert_int_eq(answers[i]->code, 0);
        free((void *)(uintptr_t)items[i].data);
    }
    core_apply_done(f.c);
}

static bool gone_after(struct storage_reader *r, uint64_t index)
{
    json_t *events = NULL;
    int gone = -1;
    ck_assert_int_eq(view_events(r, index, UINT32_MAX, 1, &events, &gone), 0);
    json_decref(events);
    return gone == 1;
}

static int one_number(void *ctx, const struct storage_row *row)
{
    *(uint64_t *)ctx = storage_row_int(row, 0);
    return 0;
}

static uint64_t number(struct storage_reader *r, const char *sql)
{
    uint64_t v = 0;
    ck_assert_int_eq(storage_reader_query(r, sql, NULL, 0, one_number, &v), 0);
    return v;
}

START_TEST(test_old_events_give_way)
{
    const uint64_t kept = 100000; /* what docs and operations.md promise */
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    struct storage_reader *r;
    struct err_info info = {0};
    ck_assert_int_eq(storage_reader_open(f.st, &r, &info), 0);
    uint64_t first = number(r, "SELECT min(idx) FROM event");
    for (unsigned i = 0; i < 99; i++)
        talkative_entry();
    ck_assert_uint_eq(number(r, "SELECT min(idx) FROM event"), first); /* not before there are too many */
    ck_assert(!gone_after(r, 0));
    for (unsigned i = 0; i < 3; i++)
        talkative_entry();
    uint64_t oldest = number(r, "SELECT min(idx) FROM event"), n = number(r, "SELECT sum(n) FROM event");
    ck_assert_uint_gt(oldest, first);
    ck_assert_uint_ge(n, kept);
    ck_assert_uint_lt(n, kept + 2 * BATCH + 10); /* whole entries go */
    ck_assert_uint_eq(n, number(r, "SELECT events FROM applied"));
    ck_assert(gone_after(r, 0));
    ck_assert(gone_after(r, oldest - 1)); /* what lay between is not known any more */
    ck_assert(!gone_after(r, oldest));
    fx_reopen(&f); /* counted from the tables */
    talkative_entry();
    ck_assert_int_eq(storage_reader_begin(r, NULL), ERR_CLOSED);
    storage_reader_close(r);
    ck_assert_int_eq(storage_reader_open(f.st, &r, &info), 0);
    ck_assert_uint_gt(number(r, "SELECT min(idx) FROM event"), oldest);
    ck_assert_uint_eq(number(r, "SELECT sum(n) FROM event"), number(r, "SELECT events FROM applied"));
    storage_reader_close(r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core cluster");
    TCase *t = tcase_create("cluster");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, test_one_audit_row_for_each_object);
    tcase_add_test(t, test_cluster_operations_leave_a_trace);
    tcase_add_test(t, test_forgotten_node);
    tcase_add_test(t, test_feature_level_rises_when_all_can);
    tcase_add_test(t, test_unknown_feature_level_stops_the_node);
    tcase_add_test(t, test_one_clock_far_ahead_is_not_followed);
    tcase_add_test(t, test_two_clocks_are_followed);
    tcase_add_test(t, test_a_node_alone_is_followed);
    tcase_add_test(t, test_old_events_give_way);
    suite_add_tcase(s, t);
    return run_suite(s);
}
