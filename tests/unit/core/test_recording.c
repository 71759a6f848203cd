/* Recordings of calls: which are made, whose they are, kept, held, deleted, grown old; each state once more after a restart. */
#include <sqlite3.h>

#include "core/core_int.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

#define DAY_US (86400ull * US)

static struct fx f;

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 3);
    ck_assert_int_eq(fx_raise(&f, 4), 0);
}

static void teardown(void)
{
    fx_close(&f);
}

static void set(const char *text)
{
    ck_assert_msg(fx_set(&f, text) == 0, "%s: %s", f.last.field, f.last.text);
}

static void in(const char *agent)
{
    ck_assert_int_eq(fx_login(&f, agent), 0);
    ck_assert_int_eq(fx_ready(&f, agent), 0);
}

/* A caller from outside talks with an agent of the queue service. */
static void talks(uint64_t id)
{
    ck_assert_int_eq(fx_start(&f, id, "13800138000", "10003", true), 0);
    const struct core_call *k = core_call(f.c, id);
    ck_assert_uint_eq(k->n_offers, 1);
    ck_assert_int_eq(fx_answer(&f, id, k->offers[0].id), 0);
    ck_assert_int_eq(fx_phase(&f, id), CORE_CALL_TALKING);
}

static void over(uint64_t id)
{
    ck_assert_int_eq(fx_end(&f, id, "caller"), 0);
    fx_later(&f, f.now + US);
}

static int end_by(const char *node, uint64_t id, const char *sha)
{
    Ev__RecordEnd m = EV__RECORD_END__INIT;
    Ev__RecordGap gap = EV__RECORD_GAP__INIT, *gaps[] = {&gap};
    gap.from_ms = 1000;
    gap.to_ms = 2250;
    m.id = id;
    m.sha256 = (char *)(uintptr_t)sha;
    m.bytes = sha[0] ? 1u << 20 : 0;
    m.duration_ms = sha[0] ? 65000 : 0;
    m.why = (char *)(uintptr_t)(sha[0] ? "" : "no_space");
    m.n_gaps = 1;
    m.gaps = gaps;
    FX_BODY(RECORD_END, record_end, m);
    cmd.node = (char *)(uintptr_t)node;
    return fx_run(&f, &cmd);
}

static int hold(uint64_t id, bool on)
{
    Ev__RecordingSet m = EV__RECORDING_SET__INIT;
    m.id = id;
    m.hold = on;
    FX_BODY(RECORDING_SET, recording_set, m);
    cmd.actor = (char *)(uintptr_t) "token:admin";
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    return fx_run(&f, &cmd);
}

static int delete(uint64_t id)
{
    Ev__RecordingDelete m = EV__RECORDING_DELETE__INIT;
    m.id = id;
    FX_BODY(RECORDING_DELETE, recording_delete, m);
    cmd.actor = (char *)(uintptr_t) "token:admin";
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    return fx_run(&f, &cmd);
}

static int play(uint64_t id)
{
    Ev__RecordingPlay m = EV__RECORDING_PLAY__INIT;
    m.id = id;
    FX_BODY(RECORDING_PLAY, recording_play, m);
    cmd.actor = (char *)(uintptr_t) "token:anna";
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    return fx_run(&f, &cmd);
}

static int pause_it(uint64_t id, bool on)
{
    Ev__RecordingPause m = EV__RECORDING_PAUSE__INIT;
    m.call_id = id;
    m.on = on;
    FX_BODY(RECORDING_PAUSE, recording_pause, m);
    cmd.actor = (char *)(uintptr_t) "token:admin";
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    return fx_run(&f, &cmd);
}

/* Whose words are left. */
static int left_of(uint64_t id)
{
    struct core_seat seat[CORE_SEATS_MAX];
    unsigned n = core_seats(f.c, id, seat);
    for (unsigned i = 0; i < n; i++)
        if (seat[i].side == CORE_SIDE_LEFT)
            return (int)core_call(f.c, id)->legs[seat[i].leg].role;
    return -1;
}

static void view_says(const char *kind, const char *what)
{
    json_t *list = fx_view(&f, kind, NULL, NULL);
    char *text = json_dumps(list, JSON_COMPACT | JSON_SORT_KEYS);
    ck_assert_msg(strstr(text, what) != NULL, "no %s in %.3000s", what, text);
    free(text);
    json_decref(list);
}

static size_t listed(const char *filter, const char *value)
{
    json_t *by = filter ? json_pack("{s:s}", filter, value) : NULL;
    json_t *list = fx_view(&f, "recording", NULL, by);
    size_t n = json_array_size(json_object_get(list, "items"));
    json_decref(list);
    json_decref(by);
    return n;
}

static int mark(uint64_t id, bool marked)
{
    Ev__CallData m = EV__CALL_DATA__INIT;
    m.call_id = id;
    m.has_marked = true;
    m.marked = marked;
    FX_BODY(CALL_DATA, call_data, m);
    return fx_run(&f, &cmd);
}

/* As it is when the call ends, whatever was kept before. */
START_TEST(test_of_calls_that_somebody_marked)
{
    set("[{'kind':'recording_rule','name':'all'}]");
    in("1001");
    for (uint64_t id = 7; id < 10; id++) {
        talks(id);
        ck_assert_int_eq(mark(id, id != 9), 0);
        fx_reopen(&f);
        view_says("call", id != 9 ? "\"marked\":true" : "\"marked\":false");
        if (id == 8)
            ck_assert_int_eq(mark(id, false), 0);
        over(id);
        ck_assert_int_eq(end_by("n1", id, FX_SHA), 0);
        fx_reopen(&f);
    }
    ck_assert_uint_eq(listed("marked", "true"), 1);
    ck_assert_uint_eq(listed("marked", "false"), 2);
    ck_assert_int_eq(mark(7, true), ERR_NOTFOUND);
    view_says("event", "\"marked\":true");
}
END_TEST

START_TEST(test_from_talk_to_deletion)
{
    set("[{'kind':'recording_rule','name':'all'}]");
    in("1001");
    talks(7);
    uint64_t began = f.now;
    for (int i = 0; i < 2; i++) {
        const struct core_recording *r = core_recording(f.c, 7);
        ck_assert_ptr_nonnull(r);
        ck_assert(r->of_call);
        ck_assert_uint_eq(r->call_id, 7);
        ck_assert_uint_eq(r->started_us, began);
        ck_assert_uint_eq(r->max_s, 3600);
        ck_assert_str_eq(r->owner, "n1");
        ck_assert_uint_eq(core_call(f.c, 7)->recorded_us, began);
        ck_assert_uint_eq(listed(NULL, NULL), 0); /* not before it is kept */
        ck_assert_int_eq(play(7), ERR_NOTFOUND);
        fx_reopen(&f);
    }
    over(7);
    ck_assert_ptr_nonnull(core_recording(f.c, 7)); /* its end comes later */
    ck_assert_int_eq(end_by("n2", 7, FX_SHA), ERR_STALE);
    ck_assert_int_eq(end_by("n1", 7, FX_SHA), 0);
    ck_assert_ptr_null(core_recording(f.c, 7));
    ck_assert_int_eq(end_by("n1", 7, FX_SHA), ERR_NOTFOUND);
    fx_reopen(&f);
    view_says("recording", "\"agent\":\"1001\",\"agents\":[\"1001\"],\"answered_by\":\"8001\",\"bytes\":1048576,\"call_id\":\"0000000000000007\","
                           "\"called\":\"10003\",\"caller\":\"13800138000\",\"customer\":\"\",\"direction\":\"inbound\",\"duration_ms\":65000,\"format\":\"wav\","
                           "\"gaps\":[{\"from_ms\":1000,\"to_ms\":2250}],\"hold\":false,\"marked\":false,\"mp3\":null,\"queue\":\"service\","
                           "\"recording_id\":\"0000000000000007\",\"rule\":\"all\"");
    view_says("recording", "\"sha256\":\"" FX_SHA "\"");
    view_says("cdr", "\"recording_id\":\"0000000000000007\"");
    view_says("event", "everline.recording.kept");
    ck_assert_uint_eq(listed("agent", "1001"), 1);
    ck_assert_uint_eq(listed("agent", "1002"), 0);
    ck_assert_uint_eq(listed("queue", "service"), 1);
    ck_assert_uint_eq(listed("direction", "outbound"), 0);
    ck_assert_uint_eq(listed("min_duration_ms", "65000"), 1);
    ck_assert_uint_eq(listed("min_duration_ms", "65001"), 0);
    ck_assert_uint_eq(listed("hold", "true"), 0);
    ck_assert_int_eq(play(7), 0);
    view_says("audit", "\"action\":\"recording.play\",\"actor\":\"token:anna\"");
    ck_assert_int_eq(hold(7, true), 0);
    ck_assert_int_eq(delete(7), ERR_CONFLICT);
    ck_assert_uint_eq(listed("hold", "true"), 1);
    ck_assert_int_eq(hold(7, false), 0);
    ck_assert_int_eq(delete(7), 0);
    ck_assert_int_eq(delete(7), ERR_NOTFOUND);
    ck_assert_int_eq(hold(7, true), ERR_NOTFOUND);
    view_says("audit", "\"action\":\"recording.delete\"");
    view_says("cdr", "\"recording_id\":null");
    ck_assert_uint_eq(listed(NULL, NULL), 0);
}
END_TEST

/* ---- who took part */

static void transfer(uint64_t id, const char *extension, const char *leg)
{
    Ev__CallTransfer m = EV__CALL_TRANSFER__INIT;
    m.call_id = id;
    m.extension = (char *)(uintptr_t)extension;
    m.leg = (char *)(uintptr_t)leg;
    FX_BODY(CALL_TRANSFER, call_transfer, m);
    cmd.actor = (char *)(uintptr_t) "token:admin";
    f.now += 10 * US;
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    fx_reopen(&f);
    f.now += 5 * US;
    ck_assert_int_eq(fx_answer(&f, id, core_call(f.c, id)->offer.id), 0);
    fx_reopen(&f);
    f.now += 20 * US;
}

static void is_customer(uint64_t id, const char *key)
{
    Ev__CallData m = EV__CALL_DATA__INIT;
    m.call_id = id;
    m.has_customer = true;
    m.customer = (char *)(uintptr_t)key;
    FX_BODY(CALL_DATA, call_data, m);
    cmd.actor = (char *)(uintptr_t) "token:admin";
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
}

static void part_is(uint64_t id, size_t i, const char *want)
{
    char key[17], have[200];
    (void)snprintf(key, sizeof key, "%016llx", (unsigned long long)id);
    json_t *row = fx_view(&f, "recording", key, NULL), *g = json_array_get(json_object_get(row, "segments"), i);
    ck_assert_msg(g != NULL, "there is no segment %zu", i);
    (void)snprintf(have, sizeof have, "%s %s %s %s %lld-%lld", json_string_value(json_object_get(g, "role")),
                   json_string_value(json_object_get(g, "number")), json_string_value(json_object_get(g, "agent")),
                   json_string_value(json_object_get(g, "channel")), json_integer_value(json_object_get(g, "from_ms")),
                   json_integer_value(json_object_get(g, "to_ms")));
    ck_assert_str_eq(have, want);
    json_decref(row);
}

/* The customer is served by one, then by another: one recording, which is found by both. */
START_TEST(test_transferred)
{
    set("[{'kind':'recording_rule','name':'all'}]");
    in("1001");
    talks(7);
    uint64_t began = f.now;
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    transfer(7, "8002", "");
    ck_assert_uint_eq(core_call(f.c, 7)->recorded_us, began);
    ck_assert_int_eq(left_of(7), CORE_LEG_CALLER);
    f.now += 5 * US;
    is_customer(7, "C-4711");
    over(7);
    ck_assert_int_eq(fx_node_down(&f, "n1", 1), 0);
    ck_assert_int_eq(end_by("n2", 7, FX_SHA), 0);
    view_says("recording", "\"agent\":\"1001\",\"agents\":[\"1001\",\"1002\"]");
    part_is(7, 0, "callee 8001 1001 right 0-10000");
    part_is(7, 1, "caller 13800138000  left 0-40000");
    part_is(7, 2, "callee 8002 1002 right 15000-40000");
    static const struct {
        const char *filter, *value;
        size_t n;
    } found[] = {{"agent", "1001", 1}, {"agent", "1002", 1}, {"agent", "1003", 0}, {"number", "8002", 1}, {"number", "13800138000", 1},
                 {"number", "10003", 1}, {"caller", "13800138000", 1}, {"caller", "8002", 0}, {"answered_by", "8001", 1},
                 {"answered_by", "8002", 0}, {"queue", "service", 1}, {"customer", "C-4711", 1}, {"customer", "C-4712", 0}, {"called", "10003", 1}, {"max_duration_ms", "64999", 0}};
    for (size_t i = 0; i < sizeof found / sizeof *found; i++)
        ck_assert_msg(listed(found[i].filter, found[i].value) == found[i].n, "%s=%s", found[i].filter, found[i].value);
    json_t *both = json_pack("{s:s,s:s,s:s,s:s}", "agent", "1002", "queue", "service", "number", "13800138000", "direction", "inbound");
    json_t *list = fx_view(&f, "recording", NULL, both);
    ck_assert_uint_eq(json_array_size(json_object_get(list, "items")), 1);
    json_decref(list);
    json_decref(both);
    ck_assert_int_eq(delete(7), 0);
    ck_assert_uint_eq(listed("agent", "1002"), 0);
}
END_TEST

/* Between two of ours who called first is left; who stays keeps his side, whichever seat he has. */
START_TEST(test_who_stays_keeps_his_side)
{
    set("[{'kind':'recording_rule','name':'all'}]");
    for (uint64_t id = 1; id <= 2; id++) {
        const char *leaves = id == 1 ? "caller" : "callee";
        ck_assert_int_eq(fx_start(&f, id, "8001", "8002", true), 0);
        ck_assert_int_eq(fx_answer(&f, id, core_call(f.c, id)->offer.id), 0);
        ck_assert_int_eq(left_of(id), CORE_LEG_CALLER);
        transfer(id, "8003", leaves);
        ck_assert_int_eq(left_of(id), id == 1 ? CORE_LEG_CALLEE : CORE_LEG_CALLER);
        over(id);
        ck_assert_int_eq(end_by("n1", id, FX_SHA), 0);
    }
    part_is(1, 0, "caller 8001  left 0-10000");
    part_is(1, 1, "caller 8002  right 0-35000");
    part_is(1, 2, "callee 8003  left 15000-35000");
    part_is(2, 0, "callee 8002  right 0-10000");
    part_is(2, 1, "caller 8001  left 0-35000");
    part_is(2, 2, "callee 8003  right 15000-35000");
}
END_TEST

/* Who is outside is left as soon as there is one, also when he was called. */
START_TEST(test_outside_is_left)
{
    set("[{'kind':'recording_rule','name':'all'},{'kind':'trunk','name':'carrier','contact':'sip:192.0.2.9:5060','outbound':true},"
        "{'kind':'parameter','name':'outside_prefix','value':'9'}]");
    ck_assert_int_eq(fx_start(&f, 1, "8001", "913800138000", true), 0);
    ck_assert_int_eq(fx_answer(&f, 1, core_call(f.c, 1)->offer.id), 0);
    ck_assert_int_eq(left_of(1), CORE_LEG_CALLEE);
    transfer(1, "8002", "caller"); /* the one outside has the caller's seat now */
    ck_assert_int_eq(left_of(1), CORE_LEG_CALLER);
    over(1);
    ck_assert_int_eq(end_by("n1", 1, FX_SHA), 0);
    part_is(1, 1, "caller 13800138000  left 0-35000");
    ck_assert_uint_eq(listed("direction", "outbound"), 1);
}
END_TEST

/* One that is as long as it may be is kept while they talk on: it is found by who has taken part so far, and then by all. */
START_TEST(test_kept_before_the_end)
{
    set("[{'kind':'recording_rule','name':'all'}]");
    in("1001");
    talks(7);
    f.now += 20 * US;
    ck_assert_int_eq(end_by("n1", 7, FX_SHA), 0);
    ck_assert_uint_eq(listed("agent", "1001"), 1);
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    transfer(7, "8002", "");
    ck_assert_uint_eq(listed("agent", "1002"), 0);
    over(7);
    ck_assert_uint_eq(listed("agent", "1002"), 1);
    talks(8);
    f.now += 20 * US;
    ck_assert_int_eq(end_by("n1", 8, FX_SHA), 0);
    ck_assert_int_eq(delete(8), 0); /* and deleted before the end: nothing of it stays */
    over(8);
    json_t *tables = fx_view(&f, "recording", NULL, NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(tables, "items")), 1);
    json_decref(tables);
}
END_TEST

/* ---- finding one among many */

#define MANY 100000u

static uint64_t steps; /* that the statements of this process's next connections took */

static int count_steps(unsigned type, void *ctx, void *stmt, void *nanoseconds)
{
    (void)type;
    (void)ctx;
    (void)nanoseconds;
    steps += (uint64_t)sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
    return 0;
}

static int watch(sqlite3 *db, const char **why, const struct sqlite3_api_routines *api)
{
    (void)why;
    (void)api;
    return sqlite3_trace_v2(db, SQLITE_TRACE_PROFILE, count_steps, NULL);
}

/* Each agent has two hundred, each customer two, each number twenty. */
static void fill(void)
{
    char path[256], sql[1600];
    sqlite3 *db = NULL;
    core_close(f.c);
    storage_close(f.st);
    f.c = NULL;
    (void)snprintf(path, sizeof path, "%s/state.db", f.dir);
    (void)snprintf(sql, sizeof sql,
                   "BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%u) INSERT INTO recording"
                   " SELECT i*1000000, i, 1, '', iif(i%%2,'inbound','outbound'), '138'||(i/20), '10003', '8001', 'a'||(i%%500), 'q'||(i%%100), 'all',"
                   " 3600, iif(i%%20000=7,3600000,30000+i%%1000), 'b', 1000, '[]', i%%25000=3, 'c'||(i/2), i%%25000=5, '[]', 'wav', '', 0 FROM n;"
                   "INSERT INTO recording_key SELECT started_us, 1, agent FROM recording UNION ALL SELECT started_us, 2, caller FROM recording"
                   " UNION ALL SELECT started_us, 3, queue FROM recording UNION ALL SELECT started_us, 4, customer FROM recording; COMMIT;",
                   MANY);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    char *why = NULL;
    int rc = sqlite3_exec(db, sql, NULL, NULL, &why);
    ck_assert_msg(rc == SQLITE_OK, "%s", why);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    fx_reopen(&f);
}

START_TEST(test_no_search_reads_all)
{
    static const struct {
        const char *filter; /* JSON */
        size_t n;           /* of the first page */
    } cases[] = {
        {"{'agent':'a7'}", 100},
        {"{'agent':'a7','from':'1970-01-02T00:00:00Z'}", 27},
        {"{'agent':'a7','to':'1970-01-01T00:20:00Z'}", 3},
        {"{'customer':'c4711'}", 2},
        {"{'customer':'nobody'}", 0},
        {"{'number':'138100'}", 20},
        {"{'caller':'138100','direction':'inbound'}", 10},
        {"{'called':'138100'}", 0},
        {"{'queue':'q9'}", 100},
        {"{'agent':'a9','queue':'q9','customer':'c4754'}", 1},
        {"{'hold':'true'}", 4},
        {"{'marked':'true'}", 4},
        {"{'min_duration_ms':'1800000'}", 5},
        {"{'min_duration_ms':'1800000','max_duration_ms':'1800001'}", 0},
        {"{'direction':'outbound','min_duration_ms':'30500'}", 100},
        {"{'from':'1970-01-02T03:46:39Z'}", 2},
        {"{}", 100},
    };
    fill();
    ck_assert_int_eq(sqlite3_auto_extension((void (*)(void))watch), SQLITE_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        (void)snprintf(text, sizeof text, "%s", cases[i].filter);
        for (char *p = text; *p; p++)
            *p = *p == '\'' ? '"' : *p;
        json_t *by = json_loads(text, 0, NULL);
        steps = 0;
        json_t *list = fx_view(&f, "recording", NULL, by);
        ck_assert_msg(json_array_size(json_object_get(list, "items")) == cases[i].n, "%s: %zu", text,
                      json_array_size(json_object_get(list, "items")));
        ck_assert_msg(steps > 0 && steps < MANY / 4, "%s: %llu steps", text, (unsigned long long)steps);
        json_decref(list);
        json_decref(by);
    }
    sqlite3_reset_auto_extension();
}
END_TEST

static bool recorded(uint64_t id)
{
    talks(id);
    bool is = core_call(f.c, id)->recorded_us != 0;
    ck_assert(is == (core_recording(f.c, id) != NULL));
    over(id);
    if (is)
        ck_assert_int_eq(end_by("n1", id, ""), 0);
    return is;
}

START_TEST(test_rules)
{
    in("1001");
    ck_assert(!recorded(100)); /* without a rule */
    static const struct {
        const char *rule;
        bool is;
    } cases[] = {
        {"'queue':'service'", true},          {"'agent':'1001'", true},     {"'agent':'1002'", false},
        {"'access_number':'10003'", true},    {"'access_number':'10000'", false}, {"'direction':'inbound'", true},
        {"'direction':'outbound'", false},    {"'direction':'internal'", false},  {"'exempt':true", false},
        {"'disabled':true", false},           {"'agent_group':'gold'", false},    {"'percent':100", true},
        {"'queue':'service','direction':'outbound'", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        (void)snprintf(text, sizeof text, "[{'kind':'recording_rule','name':'one',%s}]", cases[i].rule);
        set(text);
        ck_assert_msg(recorded(200 + i) == cases[i].is, "%s", cases[i].rule);
    }
    set("[{'kind':'agent','number':'1001','group':'gold','extension':'8001'},"
        "{'kind':'recording_rule','name':'one','agent_group':'gold'}]");
    ck_assert(recorded(300));
    /* the first that a call meets counts, by order, then by name */
    set("[{'kind':'recording_rule','name':'a','order':5,'exempt':true},{'kind':'recording_rule','name':'one','order':4}]");
    ck_assert(recorded(301));
    set("[{'kind':'recording_rule','name':'one','order':5}]");
    ck_assert(!recorded(302));
    set("[{'kind':'recording_rule','name':'a','order':5,'exempt':true,'disabled':true}]");
    ck_assert(recorded(303));
}
END_TEST

START_TEST(test_percentage)
{
    unsigned n = 0;
    in("1001");
    set("[{'kind':'recording_rule','name':'some','percent':30}]");
    for (uint64_t id = 1000; id < 1400; id++)
        n += recorded(id);
    ck_assert_uint_ge(n, 90);
    ck_assert_uint_le(n, 150);
}
END_TEST

START_TEST(test_dropped)
{
    set("[{'kind':'recording_rule','name':'all'}]");
    in("1001");
    talks(7);
    ck_assert_int_eq(end_by("n1", 7, ""), 0);
    ck_assert_uint_eq(core_call(f.c, 7)->recorded_us, 0);
    over(7);
    view_says("event", "everline.recording.dropped");
    view_says("event", "no_space");
    ck_assert_ptr_null(core_recording(f.c, 7));
    ck_assert_uint_eq(listed(NULL, NULL), 0);
}
END_TEST

START_TEST(test_owner_goes)
{
    set("[{'kind':'recording_rule','name':'all'}]");
    in("1001");
    in("1002");
    talks(7);
    talks(8);
    over(8); /* what is left of it is brought to the disks by whoever is there */
    ck_assert_int_eq(fx_node_down(&f, "n1", 1), 0);
    for (int i = 0; i < 2; i++) {
        for (uint64_t id = 7; id < 9; id++)
            ck_assert_str_eq(core_recording(f.c, id)->owner, "n2");
        ck_assert_str_eq(core_call(f.c, 7)->owner, "n2");
        fx_reopen(&f);
    }
    ck_assert_int_eq(end_by("n1", 8, FX_SHA), ERR_STALE);
    ck_assert_int_eq(end_by("n2", 8, FX_SHA), 0);
}
END_TEST

START_TEST(test_pause)
{
    set("[{'kind':'recording_rule','name':'all','agent':'1001'}]");
    in("1001");
    ck_assert_int_eq(pause_it(7, true), ERR_NOTFOUND);
    talks(7);
    ck_assert(!core_call(f.c, 7)->recording_paused);
    ck_assert_int_eq(pause_it(7, true), 0);
    ck_assert_int_eq(pause_it(7, true), 0);
    fx_reopen(&f);
    ck_assert(core_call(f.c, 7)->recording_paused);
    view_says("audit", "\"action\":\"recording.pause\"");
    view_says("call", "\"recording_paused\":true");
    ck_assert_int_eq(pause_it(7, false), 0);
    ck_assert(!core_call(f.c, 7)->recording_paused);
    over(7);
    ck_assert_int_eq(pause_it(7, true), ERR_NOTFOUND);
}
END_TEST

#define MP3 "cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34"

static int form(uint64_t id, const char *sha, uint32_t bytes)
{
    Ev__RecordingForm m = EV__RECORDING_FORM__INIT;
    m.id = id;
    m.sha256 = (char *)(uintptr_t)sha;
    m.bytes = bytes;
    FX_BODY(RECORDING_FORM, recording_form, m);
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    int code = fx_run(&f, &cmd);
    fx_reopen(&f);
    return code;
}

static unsigned unconverted(void)
{
    struct core_unconverted u;
    ck_assert_int_eq(core_recordings_unconverted(f.c, &u), 0);
    return u.n;
}

static void files_are(uint64_t id, const char *wav, const char *mp3, uint64_t all)
{
    char is[2][CORE_SHA256_MAX];
    ck_assert_int_eq(core_recording_forms(f.c, id, is[0], is[1]), 0);
    ck_assert_str_eq(is[0], wav);
    ck_assert_str_eq(is[1], mp3);
    ck_assert_uint_eq(f.c->recording_bytes, all);
}

/* As WAV by itself, with an MP3 file beside it when somebody wants one; as MP3 by parameter or rule, but for what is on hold. */
START_TEST(test_as_mp3)
{
    set("[{'kind':'recording_rule','name':'all'}]");
    in("1001");
    talks(1);
    over(1);
    ck_assert_int_eq(form(1, MP3, 9), ERR_NOTFOUND); /* not kept yet */
    ck_assert_int_eq(end_by("n1", 1, FX_SHA), 0);
    ck_assert_uint_eq(unconverted(), 0);
    ck_assert_int_eq(form(1, "", 9), ERR_INVAL);
    ck_assert_int_eq(form(1, MP3, 0), ERR_INVAL);
    ck_assert_int_eq(form(1, MP3, 250000), 0);
    files_are(1, FX_SHA, MP3, (1u << 20) + 250000);
    view_says("recording", "\"format\":\"wav\"");
    view_says("recording", "\"mp3\":{\"bytes\":250000,\"sha256\":\"" MP3 "\"}");
    ck_assert_int_eq(form(1, FX_SHA, 7), 0); /* somebody was faster */
    files_are(1, FX_SHA, MP3, (1u << 20) + 250000);
    ck_assert_int_eq(delete(1), 0);
    ck_assert_uint_eq(f.c->recording_bytes, 0);

    set("[{'kind':'parameter','name':'recording_format','value':'mp3'}]");
    talks(2);
    over(2);
    ck_assert_uint_eq(unconverted(), 0);
    ck_assert_int_eq(end_by("n1", 2, FX_SHA), 0);
    fx_reopen(&f);
    ck_assert_uint_eq(unconverted(), 1);
    ck_assert_int_eq(form(2, MP3, 250000), 0);
    ck_assert_uint_eq(unconverted(), 0);
    files_are(2, "", MP3, 250000);
    view_says("recording", "\"bytes\":250000,");
    view_says("recording", "\"format\":\"mp3\"");
    view_says("recording", "\"wav\":null");
    view_says("event", "everline.recording.converted");
    ck_assert_int_eq(delete(2), 0);

    set("[{'kind':'recording_rule','name':'all','format':'wav'}]");
    talks(3);
    over(3);
    ck_assert_int_eq(end_by("n1", 3, FX_SHA), 0);
    ck_assert_uint_eq(unconverted(), 0);
    set("[{'kind':'parameter','name':'recording_format','value':'wav'},{'kind':'recording_rule','name':'all','format':'mp3'}]");
    talks(4);
    over(4);
    ck_assert_int_eq(end_by("n1", 4, FX_SHA), 0);
    ck_assert_int_eq(hold(4, true), 0);
    ck_assert_int_eq(form(4, MP3, 250000), 0);
    files_are(4, FX_SHA, MP3, (2u << 20) + 250000);
}
END_TEST

START_TEST(test_age_and_quota)
{
    set("[{'kind':'recording_rule','name':'all'}]");
    in("1001");
    for (uint64_t id = 1; id <= 3; id++) {
        talks(id);
        over(id);
        ck_assert_int_eq(end_by("n1", id, FX_SHA), 0);
    }
    ck_assert_uint_eq(f.c->recording_bytes, 3u << 20);
    set("[{'kind':'parameter','name':'recording_quota_mb','value':'3'}]");
    fx_reopen(&f);
    ck_assert(!recorded(4)); /* there is no room */
    view_says("event", "everline.recording.refused");
    ck_assert_int_eq(delete(3), 0);
    ck_assert(recorded(5));
    ck_assert_int_eq(hold(1, true), 0);
    set("[{'kind':'parameter','name':'recording_keep_days','value':'2'}]");
    fx_later(&f, f.now + DAY_US);
    ck_assert_uint_eq(listed(NULL, NULL), 2);
    fx_later(&f, f.now + 2 * DAY_US);
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_uint_eq(listed(NULL, NULL), 1); /* the one on hold */
    fx_reopen(&f);
    ck_assert_uint_eq(f.c->recording_bytes, 1u << 20);
    ck_assert_int_eq(hold(1, false), 0);
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_uint_eq(listed(NULL, NULL), 0);
}
END_TEST

/* Whatever it is kept as; who was making the MP3 file when it became too old finds nothing to put it to. */
START_TEST(test_age_of_mp3)
{
    set("[{'kind':'recording_rule','name':'all','format':'mp3'},{'kind':'parameter','name':'recording_keep_days','value':'2'}]");
    in("1001");
    for (uint64_t id = 1; id <= 4; id++) {
        talks(id);
        over(id);
        ck_assert_int_eq(end_by("n1", id, FX_SHA), 0);
    }
    ck_assert_uint_eq(unconverted(), 4);
    ck_assert_int_eq(hold(2, true), 0);
    ck_assert_int_eq(hold(4, true), 0);
    for (uint64_t id = 1; id <= 2; id++) /* as MP3 alone, and on hold as both */
        ck_assert_int_eq(form(id, MP3, 250000), 0);
    files_are(2, FX_SHA, MP3, (3u << 20) + 500000);
    fx_later(&f, f.now + 3 * DAY_US);
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_uint_eq(listed(NULL, NULL), 2);
    ck_assert_int_eq(form(3, MP3, 250000), ERR_NOTFOUND);
    ck_assert_uint_eq(unconverted(), 1);
    fx_reopen(&f);
    ck_assert_uint_eq(f.c->recording_bytes, (2u << 20) + 250000);
    ck_assert_int_eq(hold(2, false), 0);
    ck_assert_int_eq(hold(4, false), 0);
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_uint_eq(listed(NULL, NULL), 0);
    ck_assert_uint_eq(f.c->recording_bytes, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("recording");
    TCase *t = tcase_create("recording");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_from_talk_to_deletion);
    tcase_add_test(t, test_of_calls_that_somebody_marked);
    tcase_add_test(t, test_transferred);
    tcase_add_test(t, test_who_stays_keeps_his_side);
    tcase_add_test(t, test_outside_is_left);
    tcase_add_test(t, test_kept_before_the_end);
    tcase_add_test(t, test_no_search_reads_all);
    tcase_add_test(t, test_rules);
    tcase_add_test(t, test_percentage);
    tcase_add_test(t, test_dropped);
    tcase_add_test(t, test_owner_goes);
    tcase_add_test(t, test_pause);
    tcase_add_test(t, test_as_mp3);
    tcase_add_test(t, test_age_and_quota);
    tcase_add_test(t, test_age_of_mp3);
    suite_add_tcase(s, t);
    return run_suite(s);
}
