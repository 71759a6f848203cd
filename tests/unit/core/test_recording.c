/* Recordings of calls: which are made, whose they are, kept, held, deleted, grown old; each state once more after a restart. */
#include "core/core_int.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

#define SHA "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define DAY_US (86400ull * US)

static struct fx f;

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 2);
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
    ck_assert_int_eq(end_by("n2", 7, SHA), ERR_STALE);
    ck_assert_int_eq(end_by("n1", 7, SHA), 0);
    ck_assert_ptr_null(core_recording(f.c, 7));
    ck_assert_int_eq(end_by("n1", 7, SHA), ERR_NOTFOUND);
    fx_reopen(&f);
    view_says("recording", "\"agent\":\"1001\",\"answered_by\":\"8001\",\"bytes\":1048576,\"call_id\":\"0000000000000007\","
                           "\"called\":\"10003\",\"caller\":\"13800138000\",\"direction\":\"inbound\",\"duration_ms\":65000,"
                           "\"gaps\":[{\"from_ms\":1000,\"to_ms\":2250}],\"hold\":false,\"queue\":\"service\"");
    view_says("recording", "\"rule\":\"all\",\"sha256\":\"" SHA "\"");
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
    ck_assert_int_eq(end_by("n1", 8, SHA), ERR_STALE);
    ck_assert_int_eq(end_by("n2", 8, SHA), 0);
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

START_TEST(test_age_and_quota)
{
    set("[{'kind':'recording_rule','name':'all'}]");
    in("1001");
    for (uint64_t id = 1; id <= 3; id++) {
        talks(id);
        over(id);
        ck_assert_int_eq(end_by("n1", id, SHA), 0);
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

int main(void)
{
    Suite *s = suite_create("recording");
    TCase *t = tcase_create("recording");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_from_talk_to_deletion);
    tcase_add_test(t, test_rules);
    tcase_add_test(t, test_percentage);
    tcase_add_test(t, test_dropped);
    tcase_add_test(t, test_owner_goes);
    tcase_add_test(t, test_pause);
    tcase_add_test(t, test_age_and_quota);
    suite_add_tcase(s, t);
    return run_suite(s);
}
