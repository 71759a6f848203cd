/* Calls that talk and go on elsewhere: who leaves, who stays, what becomes of agents, and what the record tells. Each step is followed by a
 * restart, which must change nothing. */
#include "core/core_int.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;
static Ev__CallTransfer to; /* of the next transfer() */

static void set(const char *text)
{
    ck_assert_msg(fx_set(&f, text) == 0, "%s: %s", f.last.field, f.last.text);
}

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 5);
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    set("[{'kind':'queue','name':'service','ring_time_s':15,'wrap_up_s':5,'members':[{'agent':'1001'},{'agent':'1002'}]},"
        "{'kind':'queue','name':'sales','ring_time_s':10,'members':[{'agent':'1003'}]},"
        "{'kind':'trunk','name':'carrier','contact':'sip:192.0.2.9:5060','outbound':true},"
        "{'kind':'access_number','number':'10013','queue':'sales','priority':7},"
        "{'kind':'parameter','name':'outside_prefix','value':'9'}]");
    ev__call_transfer__init(&to);
}

static void teardown(void)
{
    fx_close(&f);
}

#define T(text) ((char *)(uintptr_t)(text))

/* By whoever `actor` is; what to do stands in `to`, which is as new afterwards. */
static int transfer_by(uint64_t id, const char *actor)
{
    to.call_id = id;
    FX_BODY(CALL_TRANSFER, call_transfer, to);
    cmd.actor = T(actor);
    int code = fx_run(&f, &cmd);
    ev__call_transfer__init(&to);
    fx_reopen(&f);
    return code;
}

static int transfer(uint64_t id)
{
    return transfer_by(id, "token:admin");
}

static void answer(uint64_t id)
{
    ck_assert_int_eq(fx_answer(&f, id, core_call(f.c, id)->offer.id), 0);
    fx_reopen(&f);
}

/* A caller from outside and agent 1001. */
static void served(uint64_t id)
{
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, id, "13800138000", "10003", true), 0);
    answer(id);
    ck_assert_int_eq(fx_phase(&f, id), CORE_CALL_TALKING);
    f.now += 10 * US;
}

static void check_rings(uint64_t id, const char *agent, const char *extension)
{
    const struct core_call *k = core_call(f.c, id);
    ck_assert_str_eq(k->offer.agent, agent);
    ck_assert_str_eq(k->offer.extension, extension);
    ck_assert_uint_eq(k->n_legs, 1);
}

static json_t *record(uint64_t id)
{
    char key[17];
    (void)snprintf(key, sizeof key, "%016llx", (unsigned long long)id);
    return fx_view(&f, "cdr", key, NULL);
}

static void segment_is(const json_t *r, size_t i, const char *role, const char *number, const char *agent, const char *queue,
                       const char *ended)
{
    const json_t *g = json_array_get(json_object_get(r, "segments"), i);
    const char *const want[][2] = {{"role", role}, {"number", number}, {"agent", agent}, {"queue", queue}, {"ended", ended}};
    ck_assert_msg(g != NULL, "there is no segment %zu", i);
    for (size_t k = 0; k < 5; k++)
        ck_assert_str_eq(json_string_value(json_object_get(g, want[k][0])), want[k][1]);
    ck_assert_str_lt(json_string_value(json_object_get(g, "from")), json_string_value(json_object_get(g, "to")));
}

static const char *says(const json_t *r, const char *key)
{
    const char *s = json_string_value(json_object_get(r, key));
    return s ? s : "";
}

/* The agent leaves; the caller is served by another one. */
START_TEST(test_to_an_agent)
{
    served(1);
    ck_assert_int_eq(fx_login(&f, "1004"), 0);
    to.agent = T("1004");
    ck_assert_int_eq(transfer(1), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_DIALLING);
    check_rings(1, "1004", "8004");
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_WRAP_UP); /* of his queue, as after any call of it */
    ck_assert_int_eq(fx_state(&f, "1004"), CORE_AGENT_RINGING);
    const struct core_call *k = core_call(f.c, 1);
    ck_assert_str_eq(k->caller, "13800138000");
    ck_assert_uint_eq(k->transfers, 1);
    ck_assert_ptr_nonnull(k->left);
    ck_assert_str_eq(k->left->number, "8001");
    ck_assert_uint_eq(k->left->role, CORE_LEG_CALLEE);
    ck_assert_str_eq(k->left->dialog->call_id, "callee@test");
    f.now += 3 * US;
    answer(1);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_TALKING);
    ck_assert_int_eq(fx_state(&f, "1004"), CORE_AGENT_TALKING);
    ck_assert_ptr_null(core_call(f.c, 1)->recall);
    f.now += 20 * US;
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    ck_assert_int_eq(fx_state(&f, "1004"), CORE_AGENT_IDLE);
    json_t *r = record(1);
    ck_assert_str_eq(says(r, "direction"), "inbound");
    ck_assert_str_eq(says(r, "queue"), "service");
    ck_assert_str_eq(says(r, "agent"), "1004");
    ck_assert_int_eq(json_integer_value(json_object_get(r, "transfers")), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(r, "talk_ms")), 33000); /* from when he was first connected */
    segment_is(r, 0, "callee", "8001", "1001", "service", "transfer");
    segment_is(r, 1, "caller", "13800138000", "", "", "hang_up");
    segment_is(r, 2, "callee", "8004", "1004", "", "end");
    ck_assert_uint_eq(json_array_size(json_object_get(r, "segments")), 3);
    json_decref(r);
}
END_TEST

START_TEST(test_to_a_queue)
{
    served(1);
    to.queue = T("sales");
    to.priority = 1 + 9;
    ck_assert_int_eq(transfer(1), 0);
    const struct core_call *k = core_call(f.c, 1);
    ck_assert_int_eq(k->phase, CORE_CALL_WAITING);
    ck_assert_str_eq(k->queue, "sales");
    ck_assert_uint_eq(k->priority, 9);
    ck_assert_uint_eq(k->queued_us, f.c->now_us);
    ck_assert_uint_eq(core_queue_position(f.c, 1), 1);
    f.now += 4 * US;
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    fx_reopen(&f);
    check_rings(1, "1003", "8003");
    ck_assert_str_eq(core_call(f.c, 1)->offer.queue, "sales");
    answer(1);
    f.now += US;
    ck_assert_int_eq(fx_end(&f, 1, "agent"), 0);
    json_t *r = record(1);
    ck_assert_str_eq(says(r, "queue"), "service"); /* as it began; the segments tell the rest */
    ck_assert_str_eq(says(r, "agent"), "1003");
    segment_is(r, 2, "callee", "8003", "1003", "sales", "hang_up");
    segment_is(r, 1, "caller", "13800138000", "", "", "end");
    json_decref(r);
}
END_TEST

START_TEST(test_to_a_flow)
{
    served(1);
    to.flow = T("welcome");
    ck_assert_int_eq(transfer(1), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_MENU);
    ck_assert_str_eq(core_call(f.c, 1)->flow, "welcome");
    ck_assert_str_eq(core_call(f.c, 1)->flow_node, "");
    ck_assert_int_eq(fx_menu(&f, 1, "main"), 0);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    json_t *r = record(1);
    ck_assert_str_eq(says(r, "agent"), "1001"); /* nobody has served him since */
    ck_assert_str_eq(says(r, "answered_by"), "8001");
    json_decref(r);
}
END_TEST

/* What telephones dial is what they may refer to. */
/* In front of a box: named, or as a telephone dials it. */
START_TEST(test_to_a_box)
{
    static const struct {
        Ev__CallTransfer m;
        const char *flow;
    } at[] = {{.m = {.box = T("1004")}, "voicemail:1004"}, {.m = {.dialled = T("*978003")}, "voicemail:1003"}};
    served(1);
    to.box = T("no box");
    ck_assert_int_eq(transfer(1), ERR_INVAL);
    ck_assert_str_eq(f.last.field, "box");
    fx_end(&f, 1, "caller");
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        f.now += 10 * US;
        served(2 + i);
        char **const texts[] = {&to.box, &to.dialled};
        *texts[i] = i ? at[i].m.dialled : at[i].m.box;
        ck_assert_int_eq(transfer(2 + i), 0);
        ck_assert_int_eq(fx_phase(&f, 2 + i), CORE_CALL_MENU);
        ck_assert_str_eq(core_call(f.c, 2 + i)->flow, at[i].flow);
        ck_assert_int_eq(fx_end(&f, 2 + i, "caller"), 0);
    }
}
END_TEST

START_TEST(test_dialled)
{
    static const struct {
        const char *number;
        enum core_call_phase phase;
        const char *rung;
    } at[] = {{"8004", CORE_CALL_DIALLING, "8004"},
              {"913900139000", CORE_CALL_DIALLING, "13900139000"},
              {"10013", CORE_CALL_WAITING, ""},
              {"10000", CORE_CALL_MENU, ""}};
    for (uint64_t i = 0; i < sizeof at / sizeof *at; i++) {
        served(i + 1);
        to.dialled = T(at[i].number);
        to.leg_id = 2;
        ck_assert_int_eq(transfer_by(i + 1, "phone:8001"), 0);
        ck_assert_int_eq(fx_phase(&f, i + 1), at[i].phase);
        ck_assert_str_eq(core_call(f.c, i + 1)->offer.extension, at[i].rung);
        ck_assert_uint_eq(core_call(f.c, i + 1)->priority, at[i].phase == CORE_CALL_WAITING ? 7 : 0);
        ck_assert_int_eq(fx_end(&f, i + 1, "caller"), 0);
        f.now += 10 * US;
        fx_later(&f, f.now);
    }
    served(9);
    static const struct {
        const char *number;
        int code;
    } refused[] = {{"404", ERR_NOTFOUND}, {"10001", ERR_DENIED}, {"*73", ERR_DENIED}, {"8001", ERR_BUSY}, {"1005", ERR_BADSTATE}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        to.dialled = T(refused[i].number);
        ck_assert_int_eq(transfer_by(9, "phone:8001"), refused[i].code);
        ck_assert_int_eq(fx_phase(&f, 9), CORE_CALL_TALKING);
    }
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_TALKING);
}
END_TEST

/* A telephone that has called another one leaves: who was called is the caller now. */
START_TEST(test_caller_leaves)
{
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    ck_assert_int_eq(fx_start(&f, 1, "8001", "8002", false), 0);
    answer(1);
    f.now += 7 * US;
    uint64_t since = core_call(f.c, 1)->connected_us;
    to.leg = T("caller");
    to.queue = T("sales");
    ck_assert_int_eq(transfer(1), 0);
    const struct core_call *k = core_call(f.c, 1);
    ck_assert_int_eq(k->phase, CORE_CALL_WAITING);
    ck_assert_str_eq(k->caller, "8002");
    ck_assert_str_eq(k->extension, "8002");
    ck_assert_uint_eq(k->n_legs, 1);
    ck_assert_uint_eq(k->legs[0].id, 2); /* it is the leg that it was */
    ck_assert_int_eq(k->legs[0].role, CORE_LEG_CALLER);
    ck_assert_uint_eq(k->legs[0].joined_us, since);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_IDLE); /* as after any call that he made */
    ck_assert_int_eq(fx_state(&f, "1002"), CORE_AGENT_TALKING);
    ck_assert_uint_eq(k->left->role, CORE_LEG_CALLER);
    ck_assert_str_eq(k->left->dialog->call_id, "dialog@test");
    f.now += US;
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    answer(1);
    f.now += US;
    ck_assert_int_eq(fx_end(&f, 1, "agent"), 0);
    ck_assert_int_eq(fx_state(&f, "1002"), CORE_AGENT_IDLE);
    json_t *r = record(1);
    ck_assert_str_eq(says(r, "caller"), "8001");
    ck_assert_str_eq(says(r, "called"), "8002");
    ck_assert_str_eq(says(r, "extension"), "8001");
    ck_assert_str_eq(says(r, "direction"), "internal");
    segment_is(r, 0, "caller", "8001", "1001", "", "transfer");
    segment_is(r, 1, "caller", "8002", "1002", "", "end");
    segment_is(r, 2, "callee", "8003", "1003", "sales", "hang_up");
    json_decref(r);
}
END_TEST

/* A customer who was called by an agent. */
START_TEST(test_outbound)
{
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_login(&f, "1004"), 0);
    ck_assert_int_eq(fx_start(&f, 1, "8001", "913900139000", false), 0);
    answer(1);
    to.agent = T("1004"); /* nobody says who leaves: the agent */
    ck_assert_int_eq(transfer(1), 0);
    const struct core_call *k = core_call(f.c, 1);
    ck_assert_str_eq(k->caller, "13900139000");
    ck_assert_str_eq(k->trunk, "carrier");
    ck_assert_str_eq(k->extension, "");
    ck_assert_str_eq(k->out_trunk, "");
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_IDLE);
    answer(1);
    ck_assert_int_eq(fx_state(&f, "1004"), CORE_AGENT_TALKING);
    f.now += US;
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    json_t *r = record(1);
    ck_assert_str_eq(says(r, "direction"), "outbound");
    ck_assert_str_eq(says(r, "trunk"), "carrier");
    ck_assert_str_eq(says(r, "caller"), "8001");
    ck_assert_str_eq(says(r, "agent"), "1004");
    json_decref(r);
}
END_TEST

/* A customer who was called back, the agent's telephone first. */
START_TEST(test_called_back)
{
    Ev__CallBackSet m = EV__CALL_BACK_SET__INIT;
    m.queue = T("service");
    m.number = T("13700137000");
    FX_BODY(CALL_BACK_SET, call_back_set, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    uint64_t id = core_call_next(f.c, NULL, NULL)->id;
    answer(id); /* the agent */
    answer(id); /* the customer */
    ck_assert_int_eq(fx_phase(&f, id), CORE_CALL_TALKING);
    f.now += US;
    to.queue = T("sales");
    ck_assert_int_eq(transfer(id), 0);
    const struct core_call *k = core_call(f.c, id);
    ck_assert_str_eq(k->caller, "13700137000");
    ck_assert(!k->we_call);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_WRAP_UP);
    ck_assert_int_eq(fx_end(&f, id, "caller"), 0);
    ck_assert_uint_eq(map_count(&f.c->callbacks), 0); /* he was reached, and need not be called again */
    json_t *r = record(id);
    ck_assert_str_eq(says(r, "direction"), "outbound");
    ck_assert_str_eq(says(r, "agent"), "1001");
    segment_is(r, 0, "caller", "8001", "1001", "service", "transfer");
    json_decref(r);
}
END_TEST

START_TEST(test_in_vain)
{
    served(1);
    ck_assert_int_eq(fx_login(&f, "1004"), 0);
    to.agent = T("1004");
    ck_assert_int_eq(transfer(1), 0);
    ck_assert_int_eq(fx_fail(&f, 1, core_call(f.c, 1)->offer.id, EV__OFFER_FAILED__CAUSE__BUSY), 0);
    fx_reopen(&f);
    check_rings(1, "1001", "8001"); /* who transferred is rung again */
    const struct core_call *k = core_call(f.c, 1);
    ck_assert(k->recall && k->recall->rings);
    ck_assert_uint_eq(k->recall->status, 486);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_RINGING);
    ck_assert_int_eq(fx_state(&f, "1004"), CORE_AGENT_IDLE);
    answer(1);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_TALKING);
    ck_assert_ptr_null(core_call(f.c, 1)->recall);
    /* And he does not answer either. */
    to.agent = T("1004");
    ck_assert_int_eq(transfer(1), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(fx_fail(&f, 1, core_call(f.c, 1)->offer.id, EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    fx_reopen(&f);
    k = core_call(f.c, 1);
    ck_assert_int_eq(k->phase, CORE_CALL_FAILED);
    ck_assert_str_eq(k->fail_cause, "transfer_failed");
    ck_assert_int_eq(k->fail_status, 480);
    ck_assert_int_eq(fx_end(&f, 1, "system"), 0);
}
END_TEST

START_TEST(test_in_vain_without_recall)
{
    set("[{'kind':'parameter','name':'transfer_recall','value':'off'}]");
    served(1);
    to.extension = T("8004");
    ck_assert_int_eq(transfer(1), 0);
    ck_assert_int_eq(fx_fail(&f, 1, core_call(f.c, 1)->offer.id, EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    fx_reopen(&f);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_FAILED);
    ck_assert_str_eq(core_call(f.c, 1)->fail_cause, "transfer_failed");
    ck_assert_int_eq(core_call(f.c, 1)->recall->status, 480);
}
END_TEST

/* He serves somebody else by then: the call is over rather than he is rung twice. */
START_TEST(test_in_vain_and_busy)
{
    served(1);
    to.extension = T("8004");
    ck_assert_int_eq(transfer(1), 0);
    ck_assert_int_eq(fx_ready(&f, "1001"), 0); /* ends his wrap-up */
    ck_assert_int_eq(fx_start(&f, 2, "13800138001", "10003", true), 0);
    check_rings(2, "1001", "8001");
    ck_assert_int_eq(fx_fail(&f, 1, core_call(f.c, 1)->offer.id, EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    fx_reopen(&f);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_FAILED);
    check_rings(2, "1001", "8001");
}
END_TEST

START_TEST(test_refused)
{
    served(1);
    static const struct {
        Ev__CallTransfer m;
        int code;
        const char *field;
    } at[] = {
        {.code = ERR_INVAL, .field = ""},
        {.m = {.agent = T("1004"), .queue = T("sales")}, .code = ERR_INVAL, .field = ""},
        {.m = {.agent = T("1999")}, .code = ERR_NOTFOUND, .field = "agent"},
        {.m = {.agent = T("1005")}, .code = ERR_BADSTATE, .field = "agent"},
        {.m = {.agent = T("1001")}, .code = ERR_BUSY, .field = "agent"},
        {.m = {.extension = T("8999")}, .code = ERR_NOTFOUND, .field = "extension"},
        {.m = {.extension = T("8001")}, .code = ERR_BUSY, .field = "extension"},
        {.m = {.queue = T("none")}, .code = ERR_NOTFOUND, .field = "queue"},
        {.m = {.queue = T("sales"), .priority = 5000}, .code = ERR_RANGE, .field = "priority"},
        {.m = {.flow = T("none")}, .code = ERR_NOTFOUND, .field = "flow"},
        {.m = {.number = T("abc")}, .code = ERR_INVAL, .field = "number"},
        {.m = {.queue = T("sales"), .leg = T("1002")}, .code = ERR_NOTFOUND, .field = "leg"},
        {.m = {.queue = T("sales"), .leg_id = 7}, .code = ERR_NOTFOUND, .field = "leg"},
    };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        char **const texts[] = {&to.agent, &to.extension, &to.queue, &to.flow, &to.number, &to.leg};
        char *const given[] = {at[i].m.agent, at[i].m.extension, at[i].m.queue, at[i].m.flow, at[i].m.number, at[i].m.leg};
        for (size_t k = 0; k < 6; k++)
            *texts[k] = given[k] ? given[k] : T("");
        to.leg_id = at[i].m.leg_id;
        to.priority = at[i].m.priority;
        ck_assert_msg(transfer(1) == at[i].code, "%zu: %s", i, f.last.text);
        ck_assert_str_eq(f.last.field, at[i].field);
    }
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_TALKING);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_TALKING);
    ck_assert_uint_eq(core_call(f.c, 1)->transfers, 0);
    to.queue = T("sales");
    ck_assert_int_eq(transfer(77), ERR_NOTFOUND);
    ck_assert_int_eq(fx_start(&f, 2, "13800138001", "10000", true), 0);
    to.queue = T("sales");
    ck_assert_int_eq(transfer(2), ERR_BADSTATE); /* nobody talks in a menu */
}
END_TEST

/* Somebody who sends a call to and fro comes to an end, and the call goes on. */
START_TEST(test_no_end_of_it)
{
    served(1);
    int code = 0;
    for (unsigned i = 0; i < 30 && code == 0; i++) {
        to.extension = T(i % 2 ? "8001" : "8004");
        code = transfer(1);
        if (code == 0)
            answer(1);
    }
    ck_assert_int_eq(code, ERR_TOOBIG);
    ck_assert_uint_eq(core_call(f.c, 1)->transfers, 20);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_TALKING);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    json_t *r = record(1);
    ck_assert_uint_eq(json_array_size(json_object_get(r, "segments")), 22);
    json_decref(r);
}
END_TEST

/* Every person's is in the audit trail, a telephone's too, and there is an event. */
START_TEST(test_told)
{
    served(1);
    to.queue = T("sales");
    ck_assert_int_eq(transfer_by(1, "phone:8001"), 0);
    json_t *audit = fx_view(&f, "audit", NULL, NULL), *events = fx_view(&f, "event", NULL, NULL);
    const json_t *row = json_array_get(json_object_get(audit, "items"), 0);
    ck_assert_str_eq(says(row, "action"), "call.transfer");
    ck_assert_str_eq(says(row, "actor"), "phone:8001");
    ck_assert_str_eq(says(row, "object"), "call/0000000000000001");
    size_t i, seen = 0;
    const json_t *e;
    json_array_foreach(json_object_get(events, "items"), i, e)
    {
        if (strcmp(says(e, "type"), "everline.call.transferred") != 0 && strcmp(says(e, "type"), "call.transferred") != 0)
            continue;
        seen++;
        const json_t *data = json_object_get(e, "data");
        ck_assert_str_eq(says(data, "from"), "8001");
        ck_assert_str_eq(says(data, "from_agent"), "1001");
        ck_assert_str_eq(says(data, "action"), "queue");
        ck_assert_str_eq(says(data, "target"), "sales");
    }
    ck_assert_uint_eq(seen, 1);
    json_decref(audit);
    json_decref(events);
}
END_TEST

/* Held by who left: nobody holds it any more. */
START_TEST(test_held)
{
    served(1);
    Ev__LegUpdate m = EV__LEG_UPDATE__INIT;
    m.call_id = 1;
    m.leg_id = 2;
    m.held = true;
    FX_BODY(LEG_UPDATE, leg_update, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    ck_assert_uint_ne(core_call(f.c, 1)->held_us, 0);
    to.queue = T("sales");
    ck_assert_int_eq(transfer(1), 0);
    ck_assert_uint_eq(core_call(f.c, 1)->held_us, 0);
    ck_assert(!core_call(f.c, 1)->legs[0].held);
}
END_TEST

static int party(uint64_t id, const char *leg, Ev__CallParty__Action action)
{
    Ev__CallParty m = EV__CALL_PARTY__INIT;
    m.call_id = id;
    m.leg = T(leg);
    m.action = action;
    FX_BODY(CALL_PARTY, call_party, m);
    cmd.actor = T("token:admin");
    int code = fx_run(&f, &cmd);
    fx_reopen(&f);
    return code;
}

static void phone_holds(uint64_t id, bool held)
{
    Ev__LegUpdate m = EV__LEG_UPDATE__INIT;
    m.call_id = id;
    m.leg_id = 1;
    m.held = held;
    FX_BODY(LEG_UPDATE, leg_update, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    fx_reopen(&f);
}

/* By request and by telephone: a call is on hold as long as anybody holds by either. */
START_TEST(test_hold_and_mute)
{
    served(1);
    ck_assert_int_eq(party(1, "", EV__CALL_PARTY__ACTION__HOLD), 0);
    uint64_t since = core_call(f.c, 1)->held_us;
    ck_assert_uint_ne(since, 0);
    ck_assert(core_call(f.c, 1)->legs[1].holds && !core_call(f.c, 1)->legs[1].held && !core_call(f.c, 1)->legs[0].holds);
    f.now += US;
    ck_assert_int_eq(party(1, "1001", EV__CALL_PARTY__ACTION__HOLD), 0); /* once more: as it is */
    phone_holds(1, true);
    ck_assert_uint_eq(core_call(f.c, 1)->held_us, since);
    ck_assert_int_eq(party(1, "callee", EV__CALL_PARTY__ACTION__RESUME), 0);
    ck_assert_uint_eq(core_call(f.c, 1)->held_us, since); /* the caller's telephone still does */
    phone_holds(1, false);
    ck_assert_uint_eq(core_call(f.c, 1)->held_us, 0);
    ck_assert_int_eq(party(1, "caller", EV__CALL_PARTY__ACTION__HOLD), 0);
    phone_holds(1, true);
    phone_holds(1, false);
    ck_assert_uint_ne(core_call(f.c, 1)->held_us, 0);
    ck_assert(core_call(f.c, 1)->legs[0].holds);
    ck_assert_int_eq(party(1, "caller", EV__CALL_PARTY__ACTION__MUTE), 0);
    ck_assert(core_call(f.c, 1)->legs[0].muted && !core_call(f.c, 1)->legs[1].muted);
    to.queue = T("sales"); /* nothing of it holds against who comes next */
    ck_assert_int_eq(transfer(1), 0);
    const struct core_call *k = core_call(f.c, 1);
    ck_assert(!k->legs[0].muted && !k->legs[0].holds && !k->held_us);
    ck_assert_int_eq(party(1, "", EV__CALL_PARTY__ACTION__MUTE), ERR_BADSTATE);
    ck_assert_int_eq(party(9, "", EV__CALL_PARTY__ACTION__MUTE), ERR_NOTFOUND);
    json_t *audit = fx_view(&f, "audit", NULL, NULL);
    const json_t *row = json_array_get(json_object_get(audit, "items"), 1);
    ck_assert_str_eq(says(row, "action"), "call.mute");
    json_decref(audit);
}
END_TEST

START_TEST(test_party_unknown)
{
    served(1);
    ck_assert_int_eq(party(1, "1002", EV__CALL_PARTY__ACTION__HOLD), ERR_NOTFOUND);
    ck_assert_str_eq(f.last.field, "leg");
    ck_assert_int_eq(party(1, "", (Ev__CallParty__Action)9), ERR_UNSUPPORTED);
}
END_TEST

/* Its owner dies at each moment: the call has a new one, and all that it needs. */
START_TEST(test_owner_dies)
{
    served(1);
    to.extension = T("8004");
    ck_assert_int_eq(transfer(1), 0);
    ck_assert_int_eq(fx_node_up(&f, "n2", 2, 1), 0);
    f.node = "n2";
    ck_assert_int_eq(fx_node_down(&f, "n1", 1), 0);
    fx_reopen(&f);
    const struct core_call *k = core_call(f.c, 1);
    ck_assert_str_eq(k->owner, "n2");
    check_rings(1, "", "8004");
    ck_assert_str_eq(k->left->number, "8001");
    ck_assert_str_eq(k->left->dialog->remote_target, ""); /* as it was given by the fixture */
    ck_assert_uint_ne(k->left_us, 0);
    answer(1);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_TALKING);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
}
END_TEST

static void quality_is(const json_t *r, size_t i, const char *role, const char *codec, double mos, bool reported)
{
    const json_t *q = json_array_get(json_object_get(r, "quality"), i);
    ck_assert_str_eq(says(q, "role"), role);
    ck_assert_str_eq(says(q, "codec"), codec);
    ck_assert_double_eq_tol(json_number_value(json_object_get(q, "mos")), mos, 0.0001);
    ck_assert_int_eq(json_is_null(json_object_get(q, "mos")), mos == 0);
    ck_assert_int_eq(json_is_null(json_object_get(q, "remote_mos")), !reported);
}

/* Who has left is in the record with how he sounded, in the role that he had; what an older program says has no rating. */
START_TEST(test_quality_of_all)
{
    Ev__LegQuality q[3] = {EV__LEG_QUALITY__INIT, EV__LEG_QUALITY__INIT, EV__LEG_QUALITY__INIT};
    Ev__LegQuality *list[] = {&q[0], &q[1], &q[2]};
    Ev__CallEnd m = EV__CALL_END__INIT;
    served(1);
    ck_assert_int_eq(fx_login(&f, "1004"), 0);
    to.agent = T("1004");
    ck_assert_int_eq(transfer(1), 0);
    const uint32_t gone = core_call(f.c, 1)->left->id;
    answer(1);
    q[0].leg_id = gone;
    q[0].role = 1 + CORE_LEG_CALLEE;
    q[0].codec = T("opus");
    q[0].mos = 405;
    q[0].remote_mos = 441;
    q[0].remote_jitter_us = 1500;
    q[1].leg_id = core_call(f.c, 1)->legs[0].id;
    q[1].role = 1 + CORE_LEG_CALLER;
    q[1].codec = T("PCMA");
    q[1].mos = 100;
    q[2].leg_id = core_call(f.c, 1)->legs[1].id;
    m.call_id = 1;
    m.by = T("caller");
    m.cause = T("normal");
    m.n_quality = 3;
    m.quality = list;
    FX_BODY(CALL_END, call_end, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    json_t *r = record(1);
    ck_assert_uint_eq(json_array_size(json_object_get(r, "quality")), 3);
    quality_is(r, 0, "callee", "opus", 4.05, true);
    quality_is(r, 1, "caller", "PCMA", 1, false);
    quality_is(r, 2, "callee", "", 0, false);
    for (size_t i = 0; i < 3; i++)
        ck_assert_ptr_null(json_object_get(json_array_get(json_object_get(r, "quality"), i), "since_takeover"));
    const json_t *first = json_array_get(json_object_get(r, "quality"), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(first, "remote_jitter_us")), 1500);
    json_decref(r);
}
END_TEST

/* What a new owner has counted of a leg that was there before is not all, and the record says so; of who has come since it is. */
START_TEST(test_quality_since_takeover)
{
    Ev__LegQuality q[2] = {EV__LEG_QUALITY__INIT, EV__LEG_QUALITY__INIT}, *list[] = {&q[0], &q[1]};
    Ev__CallEnd m = EV__CALL_END__INIT;
    served(1);
    ck_assert_int_eq(fx_node_up(&f, "n2", 2, 1), 0);
    f.node = "n2";
    ck_assert_int_eq(fx_node_down(&f, "n1", 1), 0);
    ck_assert_int_eq(fx_login(&f, "1004"), 0);
    to.agent = T("1004");
    ck_assert_int_eq(transfer(1), 0);
    answer(1);
    q[0].leg_id = core_call(f.c, 1)->legs[0].id;
    q[1].leg_id = core_call(f.c, 1)->legs[1].id;
    m.call_id = 1;
    m.by = T("caller");
    m.cause = T("normal");
    m.n_quality = 2;
    m.quality = list;
    FX_BODY(CALL_END, call_end, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    json_t *r = record(1);
    ck_assert(json_is_true(json_object_get(json_array_get(json_object_get(r, "quality"), 0), "since_takeover")));
    ck_assert_ptr_null(json_object_get(json_array_get(json_object_get(r, "quality"), 1), "since_takeover"));
    json_decref(r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core transfer");
    TCase *t = tcase_create("transfer");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_to_an_agent);
    tcase_add_test(t, test_to_a_queue);
    tcase_add_test(t, test_to_a_flow);
    tcase_add_test(t, test_to_a_box);
    tcase_add_test(t, test_dialled);
    tcase_add_test(t, test_caller_leaves);
    tcase_add_test(t, test_outbound);
    tcase_add_test(t, test_called_back);
    tcase_add_test(t, test_in_vain);
    tcase_add_test(t, test_in_vain_without_recall);
    tcase_add_test(t, test_in_vain_and_busy);
    tcase_add_test(t, test_refused);
    tcase_add_test(t, test_no_end_of_it);
    tcase_add_test(t, test_told);
    tcase_add_test(t, test_held);
    tcase_add_test(t, test_hold_and_mute);
    tcase_add_test(t, test_party_unknown);
    tcase_add_test(t, test_owner_dies);
    tcase_add_test(t, test_quality_of_all);
    tcase_add_test(t, test_quality_since_takeover);
    suite_add_tcase(s, t);
    return run_suite(s);
}
