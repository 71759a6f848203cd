/* What a supervisor manages: the same answer in memory and from the tables, for each kind of row; and calls that somebody ends. */
#include "core/core_int.h"
#include "core/scope.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

/* 2001 has group east (1001) and queue sales (1002, 1003); 1004 and 1005 are somebody else's. */
static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 6);
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    fx_must_set(&f, "[{'kind':'agent','number':'1001','extension':'8001','group':'east'},"
                    "{'kind':'agent','number':'1004','extension':'8004','group':'west'},"
                    "{'kind':'queue','name':'service','ring_time_s':15,'members':[{'agent':'1004'},{'agent':'1005'}]},"
                    "{'kind':'queue','name':'sales','ring_time_s':10,'members':[{'agent':'1002'},{'agent':'1003'}]},"
                    "{'kind':'access_number','number':'10013','queue':'sales'},"
                    "{'kind':'agent','number':'2001','extension':'8006','type':'supervisor','manages_groups':['east'],"
                    "'manages_queues':['sales']}]");
}

static void teardown(void)
{
    fx_close(&f);
}

static struct view_scope *opened(const char *supervisor, int want)
{
    struct storage_reader *r = NULL;
    struct view_scope *s = NULL;
    struct err_info info = {0};
    ck_assert_int_eq(storage_reader_open(f.st, &r, &info), 0);
    ck_assert_int_eq(view_scope_open(r, supervisor, &s, &info), want);
    ck_assert((info.text[0] != '\0') == (want != 0));
    storage_reader_close(r);
    return s;
}

/* In memory and from the table of calls. */
static void check_call(uint64_t id, bool want)
{
    char key[17];
    (void)snprintf(key, sizeof key, "%016llx", (unsigned long long)id);
    struct view_scope *s = opened("2001", 0);
    json_t *row = fx_view(&f, "call", key, NULL);
    ck_assert_int_eq(core_manages_call(f.c, "2001", id), want);
    ck_assert_int_eq(view_scope_row(s, "call", row), want);
    json_decref(row);
    view_scope_free(s);
}

START_TEST(test_agents_and_queues)
{
    static const struct {
        const char *number;
        bool his;
    } agents[] = {{"1001", true}, {"1002", true}, {"1003", true}, {"1004", false}, {"1005", false}, {"2001", true}, {"9", false}, {"", false}};
    struct view_scope *s = opened("2001", 0);
    for (size_t i = 0; i < sizeof agents / sizeof agents[0]; i++) {
        json_t *row = json_pack("{s:s}", "number", agents[i].number);
        ck_assert_msg(core_manages_agent(f.c, "2001", agents[i].number) == agents[i].his, "%s", agents[i].number);
        ck_assert_msg(view_scope_row(s, "agent", row) == agents[i].his, "%s", agents[i].number);
        ck_assert(!core_manages_agent(f.c, "1001", agents[i].number)); /* no supervisor */
        json_decref(row);
    }
    ck_assert(core_manages_queue(f.c, "2001", "sales") && view_scope_queue(s, "sales"));
    ck_assert(!core_manages_queue(f.c, "2001", "service") && !view_scope_queue(s, "service"));
    ck_assert(!core_manages_queue(f.c, "2001", ""));
    view_scope_free(s);
    ck_assert_ptr_null(opened("1001", ERR_DENIED));
    ck_assert_ptr_null(opened("2002", ERR_DENIED));
}
END_TEST

START_TEST(test_calls)
{
    ck_assert_int_eq(fx_start(&f, 1, "13800138000", "10013", true), 0); /* waits in his queue */
    ck_assert_int_eq(fx_start(&f, 2, "13800138001", "10003", true), 0); /* in another one */
    check_call(1, true);
    check_call(2, false);
    ck_assert_int_eq(fx_login(&f, "1004"), 0);
    ck_assert_int_eq(core_call(f.c, 2)->phase, CORE_CALL_OFFERED);
    check_call(2, false);
    ck_assert_int_eq(fx_answer(&f, 2, core_call(f.c, 2)->offer.id), 0);
    check_call(2, false);
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0);
    /* a private call of an agent of his group: while he is rung, when he talks, when he calls himself */
    ck_assert_int_eq(fx_start(&f, 3, "8005", "8004", true), 0);
    check_call(3, false);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, 4, "8005", "1001", true), 0);
    check_call(4, true);
    ck_assert_int_eq(fx_answer(&f, 4, core_call(f.c, 4)->offer.id), 0);
    check_call(4, true);
    ck_assert_int_eq(fx_end(&f, 4, "caller"), 0);
    ck_assert_int_eq(fx_start(&f, 5, "8001", "10001", true), 0);
    check_call(5, true);
    check_call(3, false);
}
END_TEST

/* Rows that tell of what has been. */
START_TEST(test_rows)
{
    static const struct {
        const char *kind, *row;
        bool his;
    } rows[] = {
        {"cdr", "{\"queue\":\"sales\",\"agent\":\"\"}", true},
        {"cdr", "{\"queue\":\"service\",\"agent\":\"1004\"}", false},
        {"cdr", "{\"queue\":\"service\",\"agent\":\"1001\"}", true},
        {"cdr", "{\"queue\":\"\",\"agent\":\"1004\",\"segments\":[{\"agent\":\"1005\",\"queue\":\"\"},{\"agent\":\"1002\"}]}", true},
        {"cdr", "{\"queue\":\"\",\"agent\":\"1004\",\"segments\":[{\"agent\":\"1005\",\"queue\":\"sales\"}]}", true},
        {"cdr", "{\"queue\":\"\",\"agent\":\"\",\"extension\":\"8001\"}", false},
        {"rating", "{\"rated_agent\":\"1002\",\"rated_queue\":\"service\"}", true},
        {"rating", "{\"rated_agent\":\"1005\",\"rated_queue\":\"sales\"}", true},
        {"rating", "{\"rated_agent\":\"1005\",\"rated_queue\":\"service\"}", false},
        {"recording", "{\"queue\":\"\",\"agent\":\"1003\"}", true},
        {"recording", "{\"queue\":\"\",\"agent\":\"1005\"}", false},
        {"message", "{\"box\":\"sales\",\"queue\":\"\"}", true},
        {"message", "{\"box\":\"night\",\"queue\":\"service\"}", false},
        {"callback", "{\"queue\":\"sales\"}", true},
        {"callback", "{\"queue\":\"service\"}", false},
        {"agent_group", "{\"name\":\"east\"}", true},
        {"agent_group", "{\"name\":\"west\"}", false},
        {"queue", "{\"name\":\"sales\"}", true},
        {"event", "{\"type\":\"everline.call.queued\",\"data\":{\"queue\":\"sales\"}}", true},
        {"event", "{\"type\":\"everline.call.queued\",\"data\":{\"queue\":\"service\"}}", false},
        {"event", "{\"type\":\"everline.agent.state\",\"data\":{\"agent\":\"1004\"}}", false},
        {"event", "{\"type\":\"everline.node.up\",\"data\":{\"name\":\"n1\"}}", false},
        {"event", "{}", false},
        {"node", "{\"name\":\"sales\",\"queue\":\"sales\"}", false},
        {"token", "{\"agent\":\"1001\"}", false},
    };
    struct view_scope *s = opened("2001", 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *row = json_loads(rows[i].row, 0, NULL);
        ck_assert_msg(view_scope_row(s, rows[i].kind, row) == rows[i].his, "%s %s", rows[i].kind, rows[i].row);
        json_decref(row);
    }
    view_scope_free(s);
}
END_TEST

/* Lists with a scope, and the sieve of records: a transfer from his agent to another one's is his as well. */
START_TEST(test_lists)
{
    ck_assert_int_eq(fx_login(&f, "1004"), 0);
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    ck_assert_int_eq(fx_start(&f, 1, "111", "10003", true), 0);
    ck_assert_int_eq(fx_answer(&f, 1, core_call(f.c, 1)->offer.id), 0);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    ck_assert_int_eq(fx_start(&f, 2, "222", "10013", true), 0);
    ck_assert_int_eq(fx_answer(&f, 2, core_call(f.c, 2)->offer.id), 0);
    Ev__CallTransfer to = EV__CALL_TRANSFER__INIT;
    to.call_id = 2;
    to.extension = (char *)(uintptr_t) "8005";
    FX_BODY(CALL_TRANSFER, call_transfer, to);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    ck_assert_int_eq(fx_answer(&f, 2, core_call(f.c, 2)->offer.id), 0);
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0);
    ck_assert_int_eq(fx_start(&f, 3, "333", "10013", true), 0);
    ck_assert_int_eq(fx_end(&f, 3, "caller"), 0);
    static const struct {
        const char *kind;
        size_t all, his;
    } lists[] = {{"cdr", 3, 2}, {"agent", 7, 4}, {"queue", 2, 1}, {"call", 0, 0}};
    struct storage_reader *r = NULL;
    struct err_info info = {0};
    ck_assert_int_eq(storage_reader_open(f.st, &r, &info), 0);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct view_scope *s = opened("2001", 0);
        for (int scoped = 0; scoped < 2; scoped++) {
            const struct view_query q = {.kind = lists[i].kind, .scope = scoped ? s : NULL};
            json_t *out = NULL;
            ck_assert_int_eq(view_read(r, &q, &out, &info), 0);
            ck_assert_msg(json_array_size(json_object_get(out, "items")) == (scoped ? lists[i].his : lists[i].all), "%s %d: %s", lists[i].kind,
                          scoped, json_dumps(out, 0));
            json_decref(out);
        }
        view_scope_free(s);
    }
    storage_reader_close(r);
}
END_TEST

START_TEST(test_what_streams_must_read_anew)
{
    static const struct {
        const char *event;
        bool stale;
    } events[] = {
        {"{\"type\":\"everline.config.changed\",\"data\":{\"kind\":\"agent\"}}", true},
        {"{\"type\":\"everline.config.changed\",\"data\":{\"kind\":\"queue\"}}", true},
        {"{\"type\":\"everline.config.changed\",\"data\":{\"kind\":\"flow\"}}", false},
        {"{\"type\":\"everline.agent.state\",\"data\":{\"agent\":\"1001\",\"extension\":\"8001\"}}", true}, /* not there before */
        {"{\"type\":\"everline.agent.state\",\"data\":{\"agent\":\"1002\",\"extension\":\"8002\"}}", false},
        {"{\"type\":\"everline.agent.state\",\"data\":{\"agent\":\"1002\"}}", true},
        {"{\"type\":\"everline.agent.state\",\"data\":{\"agent\":\"1004\"}}", false},
        {"{\"data\":{}}", false},
    };
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    struct view_scope *s = opened("2001", 0);
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        json_t *e = json_loads(events[i].event, 0, NULL);
        ck_assert_msg(view_scope_stale(s, e) == events[i].stale, "%s", events[i].event);
        json_decref(e);
    }
    view_scope_free(s);
}
END_TEST

/* What an object may not say by itself. */
static void check_field(const char *kind, const char *text, const char *field)
{
    json_t *o = json_loads(text, 0, NULL);
    struct err_info info = {0};
    struct Ev__ConfigObject *out = NULL;
    ck_assert_msg(view_config_from_json(kind, o, "everline", &out, &info) == ERR_INVAL, "%s", text);
    ck_assert_str_eq(info.field, field);
    json_decref(o);
}

START_TEST(test_configuration)
{
    check_field("agent", "{\"number\":\"1\",\"extension\":\"8\",\"manages_groups\":[\"east\"]}", "manages_groups");
    check_field("agent", "{\"number\":\"1\",\"extension\":\"8\",\"type\":\"agent\",\"manages_queues\":[\"q\"]}", "manages_queues");
    check_field("token", "{\"name\":\"t\",\"role\":\"supervisor\",\"token\":\"0123456789abcdef\"}", "agent");
    check_field("token", "{\"name\":\"t\",\"role\":\"read\",\"agent\":\"2001\",\"token\":\"0123456789abcdef\"}", "agent");
    ck_assert_int_eq(fx_set(&f, "[{'kind':'agent','number':'2001','extension':'8006','type':'supervisor','manages_queues':['none']}]"),
                     ERR_INVAL);
    ck_assert_int_eq(fx_config(&f, NULL, "['queue/sales']", NULL, NULL), ERR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(f.last.text, "agent 2001"));
    ck_assert_int_eq(fx_set(&f, "[{'kind':'token','name':'t','role':'supervisor','agent':'2002','token':'0123456789abcdef'}]"), ERR_INVAL);
    fx_must_set(&f, "[{'kind':'token','name':'t','role':'supervisor','agent':'2001','token':'0123456789abcdef'}]");
    ck_assert_int_eq(fx_config(&f, NULL, "['agent/2001']", NULL, NULL), ERR_CONFLICT);
}
END_TEST

static int hang_up(uint64_t id)
{
    Ev__CallHangUp m = EV__CALL_HANG_UP__INIT;
    m.call_id = id;
    FX_BODY(CALL_HANG_UP, call_hang_up, m);
    cmd.actor = (char *)(uintptr_t) "agent:2001";
    return fx_run(&f, &cmd);
}

/* That somebody wants its end is state, whoever has the call; who did is in the audit trail. */
START_TEST(test_hang_up)
{
    ck_assert_int_eq(fx_start(&f, 1, "111", "10013", true), 0);
    ck_assert_int_eq(hang_up(2), ERR_NOTFOUND);
    ck_assert(!core_call(f.c, 1)->hung_up);
    ck_assert_int_eq(hang_up(1), 0);
    fx_reopen(&f);
    ck_assert(core_call(f.c, 1)->hung_up);
    ck_assert_int_eq(hang_up(1), 0);
    json_t *filter = json_pack("{s:s}", "actor", "agent:2001"), *audit = fx_view(&f, "audit", NULL, filter);
    const json_t *items = json_object_get(audit, "items");
    ck_assert_uint_eq(json_array_size(items), 3);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(items, 1), "action")), "call.hang_up");
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(items, 1), "object")), "call/0000000000000001");
    json_decref(audit);
    json_decref(filter);
}
END_TEST

/* What supervisors look at, row by row; names of callers and places as they are. */
START_TEST(test_live)
{
    ck_assert_int_eq(fx_start(&f, 1, "111", "10013", true), 0);
    ck_assert_int_eq(fx_start(&f, 2, "222", "10013", true), 0);
    ck_assert_int_eq(fx_start(&f, 3, "333", "10003", true), 0);
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    json_t *w = fx_view(&f, "live_waiting", NULL, NULL);
    const json_t *items = json_object_get(w, "items");
    static const struct {
        const char *caller, *queue, *state;
        int position;
    } want[] = {{"111", "sales", "offered", 0}, {"222", "sales", "waiting", 1}, {"333", "service", "waiting", 1}};
    ck_assert_uint_eq(json_array_size(items), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *o = json_array_get(items, i);
        ck_assert_str_eq(json_string_value(json_object_get(o, "caller")), want[i].caller);
        ck_assert_str_eq(json_string_value(json_object_get(o, "queue")), want[i].queue);
        ck_assert_str_eq(json_string_value(json_object_get(o, "state")), want[i].state);
        ck_assert_int_eq((int)json_integer_value(json_object_get(o, "position")), want[i].position);
        ck_assert_str_eq(json_string_value(json_object_get(o, "type")), "caller");
        ck_assert_str_eq(json_string_value(json_object_get(o, "called")), i < 2 ? "10013" : "10003");
        ck_assert(json_is_string(json_object_get(o, "queued_at")));
    }
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(json_array_get(items, 0), "agents"), 0)), "1002");
    json_decref(w);
    ck_assert_int_eq(fx_answer(&f, 1, core_call(f.c, 1)->offer.id), 0);
    json_t *filter = json_pack("{s:s}", "state", "talking"), *a = fx_view(&f, "live_agent", NULL, filter);
    const json_t *o = json_array_get(json_object_get(a, "items"), 0), *call = json_object_get(o, "call");
    ck_assert_uint_eq(json_array_size(json_object_get(a, "items")), 1);
    ck_assert_str_eq(json_string_value(json_object_get(o, "number")), "1002");
    ck_assert_str_eq(json_string_value(json_object_get(o, "call_id")), "0000000000000001");
    ck_assert_str_eq(json_string_value(json_object_get(call, "caller")), "111");
    ck_assert_str_eq(json_string_value(json_object_get(call, "queue")), "sales");
    ck_assert_str_eq(json_string_value(json_object_get(call, "direction")), "inbound");
    ck_assert(json_is_string(json_object_get(call, "connected_at")));
    json_decref(a);
    json_decref(filter);
    json_t *q = fx_view(&f, "live_queue", NULL, NULL);
    o = json_array_get(json_object_get(q, "items"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(o, "name")), "sales");
    static const char *const counts[] = {"members", "waiting", "logged_out", "not_ready", "idle", "ringing", "talking", "wrap_up"};
    static const int numbers[] = {2, 1, 1, 0, 0, 0, 1, 0};
    for (size_t i = 0; i < 8; i++)
        ck_assert_msg(json_integer_value(json_object_get(o, counts[i])) == numbers[i], "%s", counts[i]);
    ck_assert(json_is_string(json_object_get(o, "waiting_since")));
    json_decref(q);
}
END_TEST

/* Page by page, nobody is missed nor told twice while nothing changes. */
START_TEST(test_pages_of_who_waits)
{
    char number[16], cursor[200] = "", seen[400] = "";
    for (unsigned i = 1; i <= 7; i++) {
        (void)snprintf(number, sizeof number, "%u", 100 + i);
        ck_assert_int_eq(fx_start(&f, i, number, i % 2 ? "10013" : "10003", true), 0);
    }
    struct storage_reader *r = NULL;
    struct err_info info = {0};
    ck_assert_int_eq(storage_reader_open(f.st, &r, &info), 0);
    for (unsigned page = 0; page < 4; page++) {
        const struct view_query q = {.kind = "live_waiting", .limit = 2, .cursor = cursor[0] ? cursor : NULL};
        json_t *out = NULL, *one;
        size_t i;
        ck_assert_int_eq(view_read(r, &q, &out, &info), 0);
        json_array_foreach(json_object_get(out, "items"), i, one)
            snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s ", json_string_value(json_object_get(one, "caller")));
        const char *next = json_string_value(json_object_get(out, "next_cursor"));
        ck_assert((next != NULL) == (page < 3));
        snprintf(cursor, sizeof cursor, "%s", next ? next : "");
        json_decref(out);
    }
    ck_assert_str_eq(seen, "101 103 105 107 102 104 106 ");
    storage_reader_close(r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("scope");
    TCase *t = tcase_create("scope");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_agents_and_queues);
    tcase_add_test(t, test_calls);
    tcase_add_test(t, test_rows);
    tcase_add_test(t, test_lists);
    tcase_add_test(t, test_what_streams_must_read_anew);
    tcase_add_test(t, test_configuration);
    tcase_add_test(t, test_hang_up);
    tcase_add_test(t, test_live);
    tcase_add_test(t, test_pages_of_who_waits);
    suite_add_tcase(s, t);
    return run_suite(s);
}
