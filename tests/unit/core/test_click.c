/* Click to dial, and which way the calls out of agents take and what they show. Each step is followed by a restart, which must change
 * nothing. */
#include "core/core_int.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static void set(const char *text)
{
    fx_must_set(&f, text);
}

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 3);
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    set("[{'kind':'trunk','name':'carrier','contact':'sip:192.0.2.9:5060','outbound':true,'caller_id':'02155550000'},"
        "{'kind':'parameter','name':'outside_prefix','value':'9'}]");
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
}

static void teardown(void)
{
    fx_close(&f);
}

static int dial(const char *agent, const char *number, const char *to_agent, const char *to_extension, const char *caller_id)
{
    Ev__AgentDial m = EV__AGENT_DIAL__INIT;
    m.agent = (char *)(uintptr_t)agent;
    m.number = (char *)(uintptr_t)number;
    m.to_agent = (char *)(uintptr_t)to_agent;
    m.to_extension = (char *)(uintptr_t)to_extension;
    m.caller_id = (char *)(uintptr_t)caller_id;
    FX_BODY(AGENT_DIAL, agent_dial, m);
    cmd.actor = (char *)(uintptr_t) "token:admin";
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    return fx_run(&f, &cmd);
}

/* The only call there is, of whichever node. */
static const struct core_call *the_call(void)
{
    fx_same_after_restart(&f);
    const struct core_call *k = core_call_next(f.c, NULL, NULL);
    ck_assert_ptr_nonnull(k);
    ck_assert_ptr_null(core_call_next(f.c, k, NULL));
    f.node = strcmp(k->owner, "n1") == 0 ? "n1" : "n2";
    return k;
}

static const struct core_call *answered(void)
{
    const struct core_call *k = the_call();
    ck_assert_int_eq(fx_answer(&f, k->id, k->offer.id), 0);
    return the_call();
}

static json_t *record(uint64_t id)
{
    char key[17];
    core_id_text(id, key);
    return fx_view(&f, "cdr", key, NULL);
}

static void has(const json_t *o, const char *key, const char *value)
{
    const char *is = json_string_value(json_object_get(o, key));
    ck_assert_msg(is && strcmp(is, value) == 0, "%s is %s, not %s", key, is ? is : "(none)", value);
}

static void over(uint64_t id)
{
    ck_assert_int_eq(fx_end(&f, id, "caller"), 0);
    ck_assert_ptr_null(core_call_next(f.c, NULL, NULL));
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_IDLE);
    f.node = "n1";
}

START_TEST(test_outside)
{
    ck_assert_int_eq(dial("1001", "13800001111", "", "", ""), 0);
    uint64_t id = f.last.call_id;
    char text[48];
    (void)snprintf(text, sizeof text, "{\"call_id\":\"%016llx\"}", (unsigned long long)id);
    ck_assert_str_eq(f.last.json, text);
    const struct core_call *k = the_call();
    ck_assert_uint_eq(k->id, id);
    ck_assert_int_eq(k->phase, CORE_CALL_DIALLING);
    ck_assert_str_eq(k->offer.agent, "1001");
    ck_assert_str_eq(k->offer.extension, "8001");
    ck_assert_str_eq(k->via_agent, "1001");
    ck_assert_str_eq(k->called, "13800001111");
    ck_assert_uint_eq(k->n_legs, 0);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_RINGING);
    k = answered();
    ck_assert_int_eq(k->phase, CORE_CALL_DIALLING);
    ck_assert_str_eq(k->out_trunk, "carrier");
    ck_assert_str_eq(k->out_caller, "02155550000");
    ck_assert_str_eq(k->offer.extension, "13800001111");
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_TALKING);
    ck_assert_int_eq(answered()->phase, CORE_CALL_TALKING);
    over(id);
    json_t *r = record(id);
    has(r, "direction", "outbound");
    has(r, "agent", "1001");
    has(r, "caller", "8001");
    has(r, "called", "13800001111");
    has(r, "answered_by", "13800001111");
    has(r, "shown", "02155550000");
    has(r, "dialled_by", "1001");
    json_decref(r);
}
END_TEST

/* A side that is here is reached as if his telephone had dialled it. */
START_TEST(test_inside)
{
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    static const char *const ways[][3] = {{"1002", "", ""}, {"8002", "", ""}, {"", "1002", ""}, {"", "", "8002"}};
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(dial("1001", ways[i][0], ways[i][1], ways[i][2], ""), 0);
        const struct core_call *k = answered();
        ck_assert(!k->we_call);
        ck_assert_int_eq(k->phase, CORE_CALL_DIALLING);
        ck_assert_str_eq(k->offer.extension, "8002");
        ck_assert_str_eq(k->extension, "8001");
        ck_assert_str_eq(k->legs[0].agent, "1001");
        ck_assert_int_eq(fx_state(&f, "1002"), CORE_AGENT_RINGING);
        k = answered();
        ck_assert_int_eq(k->phase, CORE_CALL_TALKING);
        uint64_t id = k->id;
        over(id);
        json_t *r = record(id);
        has(r, "direction", "internal");
        has(r, "agent", "1002");
        has(r, "caller", "8001");
        has(r, "answered_by", "8002");
        has(r, "dialled_by", "1001");
        json_decref(r);
    }
}
END_TEST

START_TEST(test_what_answers_by_itself)
{
    ck_assert_int_eq(dial("1001", "10001", "", "", ""), 0);
    const struct core_call *k = answered();
    ck_assert_int_eq(k->phase, CORE_CALL_APP);
    ck_assert_str_eq(k->app, "echo");
    ck_assert(k->answered);
    over(k->id);
    ck_assert_int_eq(dial("1001", "10000", "", "", ""), 0);
    k = answered();
    ck_assert_int_eq(k->phase, CORE_CALL_MENU);
    ck_assert_str_eq(k->flow, "welcome");
    over(k->id);
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    ck_assert_int_eq(dial("1001", "10003", "", "", ""), 0);
    k = answered();
    ck_assert_int_eq(k->phase, CORE_CALL_OFFERED);
    ck_assert_str_eq(k->queue, "service");
    ck_assert_str_eq(k->offer.agent, "1002");
    over(k->id);
}
END_TEST

/* His telephone is rung in vain: he is free again, and told so; nothing is recorded. */
START_TEST(test_in_vain)
{
    ck_assert_int_eq(dial("1001", "13800001111", "", "", ""), 0);
    const struct core_call *k = the_call();
    uint64_t id = k->id;
    ck_assert_int_eq(fx_fail(&f, id, k->offer.id, EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    ck_assert_ptr_null(core_call(f.c, id));
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_IDLE);
    json_t *want = json_pack("{s:s}", "type", "everline.call.ended"), *events = fx_view(&f, "event", NULL, want);
    const json_t *last = json_object_get(json_array_get(json_object_get(events, "items"), 0), "data");
    ck_assert_ptr_nonnull(last);
    json_decref(want);
    has(last, "agent", "1001");
    has(last, "cause", "no_answer");
    json_decref(events);
    /* The other side does not answer: the call has failed, with a record. */
    f.node = "n1";
    ck_assert_int_eq(dial("1001", "13800001111", "", "", ""), 0);
    k = answered();
    ck_assert_int_eq(fx_fail(&f, k->id, k->offer.id, EV__OFFER_FAILED__CAUSE__BUSY), 0);
    k = the_call();
    ck_assert_int_eq(k->phase, CORE_CALL_FAILED);
    ck_assert_str_eq(k->fail_cause, "busy");
    over(k->id);
}
END_TEST

START_TEST(test_refused)
{
    set("[{'kind':'blacklist','number':'900*','direction':'out'},{'kind':'extension','number':'8050','password':'x'},"
        "{'kind':'agent','number':'1050','extension':'8050'}]");
    const struct {
        const char *agent, *number, *to_agent, *to_extension, *caller_id;
        int code;
    } bad[] = {
        {"1009", "13800001111", "", "", "", ERR_NOTFOUND}, {"1002", "13800001111", "", "", "", ERR_BADSTATE},
        {"1001", "", "", "", "", ERR_INVAL},               {"1001", "10001", "1002", "", "", ERR_INVAL},
        {"1001", "abc", "", "", "", ERR_NOTFOUND},         {"1001", "*72", "", "", "", ERR_DENIED},
        {"1001", "", "1009", "", "", ERR_NOTFOUND},        {"1001", "", "1002", "", "", ERR_BADSTATE},
        {"1001", "", "", "8050", "", ERR_BADSTATE},        {"1001", "", "1001", "", "", ERR_CONFLICT},
        {"1001", "8001", "", "", "", ERR_CONFLICT},            {"1001", "90012", "", "", "", ERR_DENIED},
        {"1001", "138", "", "", "x", ERR_INVAL},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(dial(bad[i].agent, bad[i].number, bad[i].to_agent, bad[i].to_extension, bad[i].caller_id) ==
                          bad[i].code,
                      "%u: %s", i, f.last.text);
        ck_assert_ptr_null(core_call_next(f.c, NULL, NULL));
    }
    ck_assert_int_eq(dial("1001", "10001", "", "", ""), 0);
    ck_assert_int_eq(dial("1001", "10001", "", "", ""), ERR_CONFLICT);
    /* A telephone that is not registered is not rung in vain. */
    ck_assert_int_eq(fx_login(&f, "1050"), 0);
    ck_assert_int_eq(dial("1050", "10001", "", "", ""), ERR_BADSTATE);
}
END_TEST

/* Which trunk, and what is shown: the agent's own, his group's, the trunk's. */
START_TEST(test_way_and_number)
{
    set("[{'kind':'trunk','name':'second','contact':'sip:192.0.2.10:5060','outbound':true,'caller_id':'4008001234',"
        "'caller_ids':['4008001235','02166660000-02166660099']},"
        "{'kind':'parameter','name':'outbound_trunk','value':'carrier'}]");
    const struct {
        const char *agent, *group, *trunk, *shown;
    } ways[] = {
        {"", "", "carrier", "02155550000"},
        {",'caller_id':'13911112222'", "", "carrier", "13911112222"},
        {"", ",'caller_id':'13911113333'", "carrier", "13911113333"},
        {"", ",'outbound_trunk':'second'", "second", "4008001234"},
        {",'outbound_trunk':'carrier'", ",'outbound_trunk':'second','caller_id':'4008001235'", "carrier", "4008001235"},
        {",'caller_id':'02166660042'", ",'outbound_trunk':'second'", "second", "02166660042"},
        {",'caller_id':'+862166660042'", ",'outbound_trunk':'second'", "second", "+862166660042"},
        {",'caller_id':'02166660100'", ",'outbound_trunk':'second'", "second", "4008001234"}, /* not its number */
        {",'caller_id':'02166660100'", ",'outbound_trunk':'second','caller_id':'4008001235'", "second", "4008001235"},
    };
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
        char text[512];
        (void)snprintf(text, sizeof text,
                       "[{'kind':'agent_group','name':'east'%s},{'kind':'agent','number':'1001','extension':'8001','group':'east'%s}]",
                       ways[i].group, ways[i].agent);
        set(text);
        /* By click, and from the telephone with the prefix. */
        for (unsigned by = 0; by < 2; by++) {
            if (by == 0)
                ck_assert_int_eq(dial("1001", "13800001111", "", "", ""), 0);
            const struct core_call *k;
            if (by == 0) {
                k = answered();
            } else {
                ck_assert_int_eq(fx_start(&f, 100 + i, "8001", "913800001111", false), 0);
                k = the_call();
            }
            ck_assert_msg(strcmp(k->out_trunk, ways[i].trunk) == 0, "%u: %s", i, k->out_trunk);
            ck_assert_msg(strcmp(k->out_caller, ways[i].shown) == 0, "%u: %s", i, k->out_caller);
            k = answered();
            ck_assert_int_eq(k->phase, CORE_CALL_TALKING);
            uint64_t id = k->id;
            json_t *list = fx_view(&f, "call", NULL, NULL);
            const json_t *row = json_array_get(json_object_get(list, "items"), 0);
            has(row, "direction", "outbound");
            has(row, "agent", "1001");
            json_decref(list);
            over(id);
            json_t *r = record(id);
            has(r, "agent", "1001"); /* who called, though nobody here was called */
            has(r, "shown", ways[i].shown);
            has(r, "trunk", ways[i].trunk);
            json_decref(r);
        }
    }
    /* Asked for, if the trunk permits it. */
    ck_assert_int_eq(dial("1001", "13800001111", "", "", "02166660001"), 0);
    ck_assert_str_eq(answered()->out_caller, "02166660001");
    over(the_call()->id);
    ck_assert_int_eq(dial("1001", "13800001111", "", "", "110"), 0);
    ck_assert_str_eq(answered()->out_caller, "4008001235");
}
END_TEST

START_TEST(test_what_configuration_takes)
{
    ck_assert_int_eq(fx_set(&f, "[{'kind':'agent','number':'1001','extension':'8001','outbound_trunk':'none'}]"), ERR_INVAL);
    ck_assert_int_eq(fx_set(&f, "[{'kind':'agent_group','name':'east','outbound_trunk':'none'}]"), ERR_INVAL);
    static const char *const numbers[] = {"021-5555", "20000-10000", "+8613800138000", ""};
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        json_t *t = json_pack("{s:s,s:[s]}", "name", "carrier", "caller_ids", numbers[i]);
        struct Ev__ConfigObject *o = NULL;
        struct err_info info = {0};
        ck_assert_int_eq(view_config_from_json("trunk", t, "everline", &o, &info), ERR_INVAL);
        ck_assert_str_eq(info.field, "caller_ids[0]");
        json_decref(t);
    }
    set("[{'kind':'agent','number':'1001','extension':'8001','outbound_trunk':'carrier'}]");
    ck_assert_int_eq(fx_config(&f, NULL, "['trunk/carrier']", NULL, NULL), ERR_CONFLICT);
}
END_TEST

/* A node dies while the agent's telephone rings, and when it has answered: the new owner goes on from the state. */
START_TEST(test_taken_over)
{
    ck_assert_int_eq(dial("1001", "", "1002", "", ""), ERR_BADSTATE);
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    ck_assert_int_eq(dial("1001", "", "1002", "", ""), 0);
    const struct core_call *k = the_call();
    const char *dead = f.node, *alive = strcmp(dead, "n1") == 0 ? "n2" : "n1";
    f.node = alive;
    ck_assert_int_eq(fx_node_down(&f, dead, 1), 0);
    k = the_call();
    ck_assert_str_eq(k->owner, alive);
    ck_assert_str_eq(k->former_owner, dead);
    k = answered();
    ck_assert_str_eq(k->offer.agent, "1002");
    ck_assert_int_eq(fx_node_up(&f, dead, strcmp(dead, "n1") == 0 ? 1 : 2, 2), 0);
    f.node = dead;
    ck_assert_int_eq(fx_node_down(&f, alive, 1), 0);
    k = the_call();
    ck_assert_str_eq(k->owner, dead);
    ck_assert_str_eq(k->offer.agent, "1002");
    ck_assert_int_eq(answered()->phase, CORE_CALL_TALKING);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core click");
    TCase *t = tcase_create("click");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_outside);
    tcase_add_test(t, test_inside);
    tcase_add_test(t, test_what_answers_by_itself);
    tcase_add_test(t, test_in_vain);
    tcase_add_test(t, test_refused);
    tcase_add_test(t, test_way_and_number);
    tcase_add_test(t, test_what_configuration_takes);
    tcase_add_test(t, test_taken_over);
    suite_add_tcase(s, t);
    return run_suite(s);
}
