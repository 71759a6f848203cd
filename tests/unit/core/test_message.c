/* Messages of callers: begun, kept, dropped, handed on when nodes go, marked, deleted, grown old; each state once more after a restart. */
#include "core/core_int.h"
#include "core/explain.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

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
    fx_must_set(&f, text);
}

static void in_menu(uint64_t id)
{
    ck_assert_int_eq(fx_start(&f, id, "13800138000", "10000", true), 0);
}

static int begin(uint64_t call, uint64_t id, const char *box)
{
    Ev__CallMenu m = EV__CALL_MENU__INIT;
    Ev__RecordBegin r = EV__RECORD_BEGIN__INIT;
    m.call_id = call;
    m.flow = (char *)(uintptr_t) "welcome";
    m.node = (char *)(uintptr_t) "leave";
    m.record = &r;
    r.id = id;
    r.box = (char *)(uintptr_t)box;
    r.max_s = 60;
    r.lead_ms = 300;
    FX_BODY(CALL_MENU, call_menu, m);
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    return fx_run(&f, &cmd);
}

static int end_by(const char *node, uint64_t id, const char *sha, const char *why)
{
    Ev__RecordEnd m = EV__RECORD_END__INIT;
    m.id = id;
    m.sha256 = (char *)(uintptr_t)sha;
    m.bytes = sha[0] ? 8058 : 0;
    m.duration_ms = sha[0] ? 1000 : 0;
    m.why = (char *)(uintptr_t)why;
    FX_BODY(RECORD_END, record_end, m);
    cmd.node = (char *)(uintptr_t)node;
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    return fx_run(&f, &cmd);
}

static int heard(uint64_t id, bool on)
{
    Ev__MessageSet m = EV__MESSAGE_SET__INIT;
    m.id = id;
    m.heard = on;
    FX_BODY(MESSAGE_SET, message_set, m);
    cmd.actor = (char *)(uintptr_t) "token:admin";
    return fx_run(&f, &cmd);
}

static int delete(uint64_t id)
{
    Ev__MessageDelete m = EV__MESSAGE_DELETE__INIT;
    m.id = id;
    FX_BODY(MESSAGE_DELETE, message_delete, m);
    cmd.actor = (char *)(uintptr_t) "token:admin";
    return fx_run(&f, &cmd);
}

static size_t listed(const char *filter, const char *value)
{
    json_t *by = filter ? json_pack("{s:s}", filter, value) : NULL;
    json_t *list = fx_view(&f, "message", NULL, by);
    size_t n = json_array_size(json_object_get(list, "items"));
    json_decref(list);
    json_decref(by);
    return n;
}

static void view_says(const char *kind, const char *what)
{
    json_t *list = fx_view(&f, kind, NULL, NULL);
    char *text = json_dumps(list, JSON_COMPACT | JSON_SORT_KEYS);
    ck_assert_msg(strstr(text, what) != NULL, "no %s in %.3000s", what, text);
    free(text);
    json_decref(list);
}

/* Who ends it, before and after a restart. */
static void owner_is(uint64_t id, const char *name)
{
    for (int i = 0; i < 2; i++) {
        const struct core_recording *r = core_recording(f.c, id);
        ck_assert_ptr_nonnull(r);
        ck_assert_str_eq(r->owner, name);
        fx_reopen(&f);
    }
}

START_TEST(test_begun_and_kept)
{
    in_menu(7);
    ck_assert_int_eq(begin(7, 71, "service"), 0);
    uint64_t began = f.now;
    for (int i = 0; i < 2; i++) {
        const struct core_recording *r = core_recording_next(f.c, NULL);
        ck_assert_ptr_nonnull(r);
        ck_assert_ptr_null(core_recording_next(f.c, r));
        ck_assert_uint_eq(r->id, 71);
        ck_assert_uint_eq(r->call_id, 7);
        ck_assert_str_eq(r->box, "service");
        ck_assert_uint_eq(r->started_us, began + 300000);
        ck_assert_uint_eq(r->max_s, 60);
        ck_assert_uint_eq(core_call(f.c, 7)->recording, 71);
        ck_assert(!core_message_kept(f.c, 71));
        ck_assert_uint_eq(listed(NULL, NULL), 0); /* not before it is kept */
        fx_reopen(&f);
    }
    ck_assert_int_eq(end_by("n1", 71, FX_SHA, ""), 0);
    ck_assert_ptr_null(core_recording(f.c, 71));
    ck_assert(core_message_kept(f.c, 71));
    view_says("message", "\"box\":\"service\",\"bytes\":8058,\"call_id\":\"0000000000000007\",\"called\":\"10000\"");
    view_says("message", "\"message_id\":\"0000000000000047\"");
    view_says("message", "\"sha256\":\"" FX_SHA "\"");
    view_says("event", "everline.message.new");
    ck_assert_int_eq(end_by("n1", 71, FX_SHA, ""), ERR_NOTFOUND);
    ck_assert_int_eq(fx_end(&f, 7, "caller"), 0);
    fx_reopen(&f);
    ck_assert_uint_eq(listed("box", "service"), 1);
    ck_assert_uint_eq(listed("box", "other"), 0);
    ck_assert_uint_eq(listed("heard", "false"), 1);
    ck_assert_uint_eq(listed("call_id", "0000000000000007"), 1);
    ck_assert_uint_eq(listed("caller", "13800138000"), 1);
}
END_TEST

START_TEST(test_what_is_refused)
{
    in_menu(7);
    ck_assert_int_eq(begin(7, 0, "x"), ERR_INVAL);
    ck_assert_int_eq(begin(7, 71, ""), ERR_INVAL);
    ck_assert_str_eq(core_call(f.c, 7)->flow_node, ""); /* the step as a whole */
    ck_assert_int_eq(begin(7, 71, "x"), 0);
    ck_assert_int_eq(begin(7, 71, "x"), ERR_EXISTS);
    ck_assert_int_eq(end_by("n2", 71, FX_SHA, ""), ERR_STALE);
    ck_assert_int_eq(end_by("n1", 71, "abc", ""), ERR_INVAL);
    ck_assert_int_eq(heard(71, true), ERR_NOTFOUND); /* it is not there yet */
    ck_assert_int_eq(delete (71), ERR_NOTFOUND);
    ck_assert_int_eq(end_by("n1", 71, "", "empty"), 0);
    ck_assert_ptr_null(core_recording(f.c, 71));
    ck_assert_uint_eq(listed(NULL, NULL), 0);
    view_says("event", "\"reason\":\"empty\"");
    ck_assert_int_eq(begin(7, 72, "x"), 0);
    ck_assert_int_eq(fx_config(&f, "[{'kind':'parameter','name':'message_box_max','value':'1'}]", NULL, NULL, NULL), 0);
    ck_assert_int_eq(begin(7, 73, "x"), ERR_NOSPACE); /* those that are being recorded count */
    ck_assert_int_eq(begin(7, 74, "y"), 0);
}
END_TEST

START_TEST(test_owners)
{
    in_menu(7);
    in_menu(8);
    ck_assert_int_eq(begin(7, 71, "x"), 0);
    ck_assert_int_eq(begin(8, 81, "x"), 0);
    ck_assert_int_eq(begin(8, 82, "x"), 0); /* 81 is being brought to the disks */
    ck_assert_int_eq(fx_end(&f, 7, "caller"), 0);
    owner_is(71, "n1");
    f.node = "n2";
    ck_assert_int_eq(fx_node_down(&f, "n1", 1), 0);
    owner_is(71, "n2");
    owner_is(81, "n2");
    owner_is(82, "n2");
    ck_assert_str_eq(core_call(f.c, 8)->owner, "n2");
    f.node = "n1";
    ck_assert_int_eq(fx_node_down(&f, "n2", 1), 0); /* nobody is left */
    owner_is(71, "n2");
    ck_assert_int_eq(fx_node_up(&f, "n1", 1, 2), 0);
    owner_is(71, "n1");
    owner_is(82, "n1");
    ck_assert_int_eq(fx_node_up(&f, "n2", 2, 2), 0);
    owner_is(71, "n1");
    Ev__CallMove m = EV__CALL_MOVE__INIT; /* planned: the recording goes with its call, and that one alone */
    m.call_id = 8;
    m.to = (char *)(uintptr_t) "n2";
    FX_BODY(CALL_MOVE, call_move, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    owner_is(82, "n2");
    owner_is(81, "n1");
    ck_assert_int_eq(end_by("n2", 82, FX_SHA, ""), 0);
    ck_assert_int_eq(end_by("n1", 81, FX_SHA, ""), 0);
}
END_TEST

START_TEST(test_marked_and_deleted)
{
    in_menu(7);
    ck_assert_int_eq(begin(7, 71, "x"), 0);
    ck_assert_int_eq(end_by("n1", 71, FX_SHA, ""), 0);
    ck_assert_int_eq(heard(71, true), 0);
    ck_assert_uint_eq(listed("heard", "true"), 1);
    ck_assert_int_eq(heard(71, false), 0);
    ck_assert_uint_eq(listed("heard", "true"), 0);
    ck_assert_int_eq(delete (71), 0);
    ck_assert_uint_eq(listed(NULL, NULL), 0);
    ck_assert_int_eq(delete (71), ERR_NOTFOUND);
    view_says("audit", "message.heard");
    view_says("audit", "message.unheard");
    view_says("audit", "message.delete");
    view_says("audit", "message/0000000000000047");
}
END_TEST

static int note(uint64_t id, const char *text)
{
    Ev__MessageSet m = EV__MESSAGE_SET__INIT;
    m.id = id;
    m.only_note = true;
    m.has_note = true;
    m.note = (char *)(uintptr_t)text;
    FX_BODY(MESSAGE_SET, message_set, m);
    cmd.actor = (char *)(uintptr_t) "token:admin";
    return fx_run(&f, &cmd);
}

static int play(uint64_t id)
{
    Ev__MessagePlay m = EV__MESSAGE_PLAY__INIT;
    m.id = id;
    FX_BODY(MESSAGE_PLAY, message_play, m);
    cmd.actor = (char *)(uintptr_t) "token:admin";
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    return fx_run(&f, &cmd);
}

START_TEST(test_noted_and_played)
{
    char long_one[2002];
    memset(long_one, 'x', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = '\0';
    in_menu(7);
    ck_assert_int_eq(begin(7, 71, "x"), 0);
    ck_assert_int_eq(play(71), ERR_NOTFOUND); /* it is not there yet */
    ck_assert_int_eq(end_by("n1", 71, FX_SHA, ""), 0);
    ck_assert_int_eq(heard(71, true), 0);
    ck_assert_int_eq(note(71, "is content"), 0);
    ck_assert_int_eq(note(72, "nobody"), ERR_NOTFOUND);
    ck_assert_int_eq(note(71, long_one), ERR_TOOBIG);
    fx_reopen(&f);
    view_says("message", "\"note\":\"is content\"");
    ck_assert_uint_eq(listed("heard", "true"), 1); /* as it was */
    view_says("audit", "message.note");
    ck_assert_int_eq(play(71), 0);
    view_says("audit", "message.play");
    ck_assert_int_eq(note(71, ""), 0);
    view_says("message", "\"note\":\"\"");
}
END_TEST

START_TEST(test_old_ones_go)
{
    for (uint64_t i = 1; i <= 5; i++) {
        in_menu(i);
        ck_assert_int_eq(begin(i, 100 + i, "x"), 0);
        if (i < 5) /* the last one is being recorded still */
            ck_assert_int_eq(end_by("n1", 100 + i, FX_SHA, ""), 0);
        ck_assert_int_eq(fx_end(&f, i, "caller"), 0);
    }
    fx_later(&f, f.now + 89 * DAY_US);
    ck_assert_uint_eq(listed(NULL, NULL), 4);
    fx_later(&f, f.now + 1 * DAY_US);
    fx_reopen(&f);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_uint_eq(listed(NULL, NULL), 0);
    ck_assert_ptr_nonnull(core_recording(f.c, 105));

    in_menu(9);
    ck_assert_int_eq(begin(9, 109, "x"), 0);
    ck_assert_int_eq(end_by("n1", 109, FX_SHA, ""), 0);
    ck_assert_int_eq(fx_config(&f, "[{'kind':'parameter','name':'message_days','value':'0'}]", NULL, NULL, NULL), 0);
    fx_later(&f, f.now + 400 * DAY_US);
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_uint_eq(listed(NULL, NULL), 1); /* for ever */
}
END_TEST

static int drop(uint64_t call, uint64_t id, uint64_t next, const char *box)
{
    Ev__CallMenu m = EV__CALL_MENU__INIT;
    Ev__RecordBegin r = EV__RECORD_BEGIN__INIT;
    m.call_id = call;
    m.flow = (char *)(uintptr_t) "welcome";
    m.node = (char *)(uintptr_t) "leave";
    m.drop_message = id;
    m.record = next ? &r : NULL;
    r.id = next;
    r.box = (char *)(uintptr_t)box;
    r.max_s = 60;
    FX_BODY(CALL_MENU, call_menu, m);
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    return fx_run(&f, &cmd);
}

/* The caller does not want what he has recorded: gone in the commit of his next step, in which another may begin. */
START_TEST(test_reviewed)
{
    char sha[CORE_SHA256_MAX];
    set("[{'kind':'parameter','name':'message_box_max','value':'1'}]");
    in_menu(7);
    ck_assert_int_eq(begin(7, 71, "service"), 0);
    ck_assert_int_eq(core_message_blob(f.c, 71, sha), ERR_NOTFOUND);
    ck_assert_int_eq(end_by("n1", 71, FX_SHA, ""), 0);
    ck_assert_int_eq(core_message_blob(f.c, 71, sha), 0);
    ck_assert_str_eq(sha, FX_SHA);
    ck_assert_int_eq(begin(7, 72, "service"), ERR_NOSPACE);
    ck_assert_int_eq(drop(7, 70, 72, "service"), ERR_INVAL);
    ck_assert_uint_eq(listed(NULL, NULL), 1);
    ck_assert_int_eq(drop(7, 71, 72, "service"), 0); /* its room is the next one's */
    fx_reopen(&f);
    ck_assert_uint_eq(listed(NULL, NULL), 0);
    ck_assert_int_eq(core_message_blob(f.c, 71, sha), ERR_NOTFOUND);
    ck_assert_uint_eq(core_call(f.c, 7)->recording, 72);
    view_says("event", "everline.message.deleted");
    ck_assert_int_eq(end_by("n1", 72, FX_SHA, ""), 0);
    ck_assert_int_eq(drop(7, 72, 0, ""), 0);
    ck_assert_uint_eq(core_call(f.c, 7)->recording, 0);
    ck_assert_uint_eq(listed(NULL, NULL), 0);
    /* somebody was faster */
    ck_assert_int_eq(begin(7, 73, "service"), 0);
    ck_assert_int_eq(drop(7, 73, 0, ""), 0); /* not kept yet: it stays */
    ck_assert_int_eq(end_by("n1", 73, FX_SHA, ""), 0);
    ck_assert_int_eq(delete(73), 0);
    ck_assert_int_eq(drop(7, 73, 74, "service"), 0);
    ck_assert_uint_eq(core_call(f.c, 7)->recording, 74);
}
END_TEST

START_TEST(test_actions_lead_to_boxes)
{
    set("[{'kind':'queue','name':'service','max_wait_s':60,'max_wait_action':{'type':'voicemail'},"
        "'voicemail_greeting':'closed','keys':[{'key':'2','action':{'type':'voicemail','target':'complaints'}}],"
        "'members':[{'agent':'1001'}]}]");
    ck_assert_int_eq(fx_start(&f, 5, "13800138000", "10003", true), 0);
    ck_assert_int_eq(fx_start(&f, 6, "13800138001", "10003", true), 0);
    Ev__CallQueue m = EV__CALL_QUEUE__INIT;
    m.call_id = 6;
    m.choice = (char *)(uintptr_t) "2";
    FX_BODY(CALL_QUEUE, call_queue, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    ck_assert_str_eq(core_call(f.c, 6)->flow, "voicemail:complaints");
    ck_assert_int_eq(fx_phase(&f, 6), CORE_CALL_MENU);
    f.now += 60 * US;
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_str_eq(core_call(f.c, 5)->flow, "voicemail:service");
    ck_assert_uint_eq(core_call(f.c, 5)->n_flows, 1);

    uint64_t version = core_call(f.c, 5)->flows[0]->version, live = 0;
    char *text = NULL;
    ck_assert_uint_eq(version, core_flow_version(f.c, "voicemail:service"));
    ck_assert_int_eq(core_flow_definition(f.c, "voicemail:service", &version, &text), 0);
    ck_assert_ptr_nonnull(strstr(text, "\"prompts\":[\"closed\"]"));
    ck_assert_ptr_nonnull(strstr(text, "\"box\":\"service\""));
    free(text);
    ck_assert_int_eq(core_flow_definition(f.c, "voicemail:complaints", &live, &text), 0);
    ck_assert_uint_eq(live, 1);
    ck_assert_ptr_null(strstr(text, "prompts"));
    free(text);
    set("[{'kind':'queue','name':'service','members':[{'agent':'1001'}]}]");
    ck_assert_uint_ne(version, core_flow_version(f.c, "voicemail:service")); /* it is another one now */
}
END_TEST

START_TEST(test_levels)
{
    ck_assert_uint_eq(core_flow_level("{\"nodes\":{\"a\":{\"type\":\"voicemail\",\"box\":\"x\"}}}"), 4);
    ck_assert_uint_eq(core_flow_level("{\"nodes\":{\"a\":{\"type\":\"record\"},\"b\":{\"type\":\"hangup\"}}}"), 4);
    ck_assert_uint_eq(core_flow_level("{\"nodes\":{\"b\":{\"type\":\"hangup\"}}}"), 1);
    Ev__ConfigApply a = EV__CONFIG_APPLY__INIT;
    Ev__ConfigObject o = EV__CONFIG_OBJECT__INIT, *list[1] = {&o};
    Ev__Queue q = EV__QUEUE__INIT;
    Ev__Action act = EV__ACTION__INIT;
    a.n_set = 1;
    a.set = list;
    o.object_case = EV__CONFIG_OBJECT__OBJECT_QUEUE;
    o.queue = &q;
    q.full_action = &act;
    act.type = (char *)(uintptr_t) "voicemail";
    FX_BODY(CONFIG_APPLY, config_apply, a);
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    act.type = (char *)(uintptr_t) "hangup";
    ck_assert_uint_eq(core_feature_of(&cmd), 3);
    q.voicemail_greeting = (char *)(uintptr_t) "closed";
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("message");
    TCase *t = tcase_create("message");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_begun_and_kept);
    tcase_add_test(t, test_what_is_refused);
    tcase_add_test(t, test_owners);
    tcase_add_test(t, test_noted_and_played);
    tcase_add_test(t, test_marked_and_deleted);
    tcase_add_test(t, test_old_ones_go);
    tcase_add_test(t, test_reviewed);
    tcase_add_test(t, test_actions_lead_to_boxes);
    tcase_add_test(t, test_levels);
    suite_add_tcase(s, t);
    return run_suite(s);
}
