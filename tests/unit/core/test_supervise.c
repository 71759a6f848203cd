/* Supervisors in the calls of what they manage, and the next call for them. Each step is followed by a restart, which must change nothing. */
#include "core/core_int.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

#define T(text) ((char *)(uintptr_t)(text))
#define HOW(x) EV__CALL_SUPERVISE__HOW__##x

/* 2001 at 8020 supervises queue sales (1002, 1003); queue service (1004) is not hers. */
static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 7);
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    fx_must_set(&f, "[{'kind':'extension','number':'8020','contact':'sip:8020@127.0.0.1:9020'},{'kind':'extension','number':'8021'},"
                    "{'kind':'queue','name':'service','ring_time_s':15,'members':[{'agent':'1004'}]},"
                    "{'kind':'queue','name':'sales','ring_time_s':10,'wrap_up_s':5,'members':[{'agent':'1002'},{'agent':'1003'}]},"
                    "{'kind':'access_number','number':'10013','queue':'sales'},"
                    "{'kind':'agent','number':'2001','extension':'8020','type':'supervisor','manages_queues':['sales']},"
                    "{'kind':'agent','number':'2002','extension':'8021','type':'supervisor'}]");
}

static void teardown(void)
{
    fx_close(&f);
}

static void answer(uint64_t id)
{
    ck_assert_int_eq(fx_answer(&f, id, core_call(f.c, id)->offer.id), 0);
    fx_reopen(&f);
}

/* A caller and agent 1002. */
static void talking(uint64_t id)
{
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    ck_assert_int_eq(fx_start(&f, id, "13800138000", "10013", true), 0);
    answer(id);
    ck_assert_int_eq(fx_phase(&f, id), CORE_CALL_TALKING);
}

static int supervise(const char *who, uint64_t call, const char *agent, Ev__CallSupervise__How how, uint64_t from)
{
    Ev__CallSupervise m = EV__CALL_SUPERVISE__INIT;
    m.supervisor = T(who);
    m.call_id = call;
    m.agent = T(agent);
    m.how = how;
    m.from = from;
    FX_BODY(CALL_SUPERVISE, call_supervise, m);
    cmd.actor = T("agent:2001");
    int code = fx_run(&f, &cmd);
    fx_reopen(&f);
    return code;
}

static const struct core_call *hers(uint64_t main)
{
    const struct core_call *k = core_joined_next(f.c, main, NULL);
    ck_assert_ptr_nonnull(k);
    ck_assert_str_eq(k->supervisor, "2001");
    return k;
}

/* Who hears the supervisor: of the caller (0) and the agent (1). */
static void heard_by(uint64_t main, bool caller, bool agent)
{
    struct core_seat s[CORE_SEATS_MAX];
    ck_assert_uint_eq(core_seats(f.c, main, s), 3);
    ck_assert_uint_eq((s[0].hears >> 2) & 1u, caller);
    ck_assert_uint_eq((s[1].hears >> 2) & 1u, agent);
    ck_assert_uint_eq(s[2].hears, 3); /* she hears both, and they each other */
    ck_assert_uint_eq(s[0].hears & 2u, 2);
    ck_assert_uint_eq(s[1].hears & 1u, 1);
}

START_TEST(test_listen_and_on)
{
    talking(1);
    ck_assert_int_eq(supervise("2001", 1, "", HOW(LISTEN), 0), 0);
    ck_assert_uint_eq(f.last.call_id, 1);
    uint64_t k = hers(1)->id;
    ck_assert_int_eq(hers(1)->phase, CORE_CALL_DIALLING);
    ck_assert_str_eq(hers(1)->offer.extension, "8020");
    ck_assert_int_eq(supervise("2001", 1, "", HOW(LISTEN), 0), 0); /* it rings already */
    ck_assert_ptr_null(core_joined_next(f.c, 1, hers(1)));
    answer(k);
    ck_assert_int_eq(hers(1)->phase, CORE_CALL_JOINED);
    heard_by(1, false, false);
    json_t *row = fx_view(&f, "call", "0000000000000001", NULL), *party = json_array_get(json_object_get(row, "parties"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(party, "supervisor")), "2001");
    ck_assert_str_eq(json_string_value(json_object_get(party, "mode")), "listen");
    json_decref(row);
    ck_assert_int_eq(supervise("2001", 1, "", HOW(WHISPER), 0), 0);
    heard_by(1, false, true);
    ck_assert_int_eq(supervise("", 0, "", HOW(BARGE), k), 0); /* by a key of her telephone */
    heard_by(1, true, true);
    ck_assert_int_eq(supervise("2001", 0, "1002", HOW(LISTEN), 0), 0);
    heard_by(1, false, false);
    ck_assert_int_eq(supervise("2001", 1, "", HOW(TAKE_OVER), 0), 0);
    const struct core_call *c = core_call(f.c, 1);
    ck_assert_int_eq(c->phase, CORE_CALL_TALKING);
    ck_assert_str_eq(c->legs[1].number, "8020");
    ck_assert_str_eq(c->caller, "13800138000");
    ck_assert_ptr_nonnull(c->left);
    ck_assert_str_eq(c->left->number, "8002");
    ck_assert_int_eq(fx_state(&f, "1002"), CORE_AGENT_WRAP_UP);
    ck_assert_ptr_null(core_joined_next(f.c, 1, NULL));
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    ck_assert_int_eq(supervise("2001", 0, "1002", HOW(LISTEN), 0), ERR_BADSTATE); /* he is not talking */
}
END_TEST

/* What is wanted changes while her telephone rings; then the call ends before she answers. */
START_TEST(test_while_it_rings)
{
    talking(1);
    ck_assert_int_eq(supervise("2001", 1, "", HOW(LISTEN), 0), 0);
    ck_assert_int_eq(supervise("2001", 1, "", HOW(TAKE_OVER), 0), 0);
    uint64_t k = hers(1)->id;
    ck_assert_int_eq(hers(1)->phase, CORE_CALL_DIALLING);
    answer(k);
    ck_assert_str_eq(core_call(f.c, 1)->legs[1].number, "8020");
    ck_assert_int_eq(fx_end(&f, 1, "callee"), 0);
    f.now += 6 * US;
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_int_eq(fx_start(&f, 2, "13800138001", "10013", true), 0);
    answer(2);
    ck_assert_int_eq(supervise("2001", 2, "", HOW(WHISPER), 0), 0);
    k = hers(2)->id;
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0);
    ck_assert_int_eq(core_call(f.c, k)->phase, CORE_CALL_FAILED); /* her telephone is called off */
    ck_assert_uint_eq(core_call(f.c, k)->n_called_off, 1);
    ck_assert_int_eq(fx_end(&f, k, "system"), 0);
    ck_assert_ptr_null(core_call(f.c, k));
}
END_TEST

/* From her own telephone: she has dialled a code, and is answered by joining. */
START_TEST(test_dialled)
{
    talking(1);
    ck_assert_int_eq(fx_start(&f, 7, "8020", "*911002", true), 0);
    ck_assert_int_eq(fx_phase(&f, 7), CORE_CALL_APP);
    ck_assert_str_eq(core_call(f.c, 7)->app, "code:whisper");
    ck_assert_str_eq(core_call(f.c, 7)->app_argument, "1002");
    ck_assert_int_eq(supervise("", 0, "1002", HOW(WHISPER), 7), 0);
    ck_assert_int_eq(fx_phase(&f, 7), CORE_CALL_JOINED);
    ck_assert_str_eq(hers(1)->supervisor, "2001");
    heard_by(1, false, true);
    ck_assert_int_eq(fx_end(&f, 7, "caller"), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_TALKING);
    ck_assert_int_eq(fx_start(&f, 8, "8020", "*931002", true), 0);
    ck_assert_int_eq(supervise("", 0, "1002", HOW(TAKE_OVER), 8), 0);
    ck_assert_str_eq(core_call(f.c, 1)->legs[1].number, "8020");
    ck_assert_ptr_null(core_call(f.c, 8));
}
END_TEST

START_TEST(test_only_what_is_managed)
{
    static const char *const actions[] = {"call.listen", "call.take_over"};
    ck_assert_int_eq(fx_login(&f, "1004"), 0);
    ck_assert_int_eq(fx_start(&f, 2, "13800138001", "10003", true), 0);
    answer(2);
    ck_assert_int_eq(supervise("2001", 2, "", HOW(LISTEN), 0), ERR_DENIED);
    ck_assert_ptr_nonnull(strstr(f.last.text, "manages no queue and no agent"));
    ck_assert_int_eq(supervise("2001", 0, "1004", HOW(TAKE_OVER), 0), ERR_DENIED);
    ck_assert_ptr_nonnull(strstr(f.last.text, "does not manage agent 1004"));
    talking(1);
    ck_assert_int_eq(supervise("2002", 1, "", HOW(LISTEN), 0), ERR_DENIED); /* a supervisor of nothing */
    ck_assert_int_eq(supervise("1003", 1, "", HOW(LISTEN), 0), ERR_DENIED); /* none */
    ck_assert_int_eq(supervise("2009", 1, "", HOW(LISTEN), 0), ERR_DENIED);
    ck_assert_int_eq(supervise("2001", 9, "", HOW(LISTEN), 0), ERR_NOTFOUND);
    ck_assert_int_eq(supervise("2001", 0, "1009", HOW(LISTEN), 0), ERR_NOTFOUND);
    ck_assert_int_eq(supervise("2001", 0, "1003", HOW(LISTEN), 0), ERR_BADSTATE);
    ck_assert_int_eq(supervise("", 1, "", HOW(LISTEN), 9), ERR_NOTFOUND);
    ck_assert_int_eq(supervise("2001", 1, "", (Ev__CallSupervise__How)9, 0), ERR_UNSUPPORTED);
    ck_assert_int_eq(fx_start(&f, 3, "13800138002", "10013", true), 0);
    ck_assert_int_eq(supervise("2001", 3, "", HOW(LISTEN), 0), ERR_BADSTATE); /* waits */
    ck_assert_ptr_null(core_joined_next(f.c, 1, NULL));
    ck_assert_ptr_null(core_joined_next(f.c, 2, NULL));
    for (int i = 0; i < 2; i++) { /* who tried is known */
        json_t *filter = json_pack("{s:s,s:s,s:s}", "actor", "agent:2001", "object", "call/0000000000000002", "action", actions[i]);
        json_t *audit = fx_view(&f, "audit", NULL, filter);
        ck_assert_uint_eq(json_array_size(json_object_get(audit, "items")), i == 0);
        json_decref(audit);
        json_decref(filter);
    }
}
END_TEST

/* She watches by her token alone; her telephone is registered nowhere: nothing rings, and she is told what is missing; any telephone will do. */
START_TEST(test_without_a_telephone)
{
    fx_must_set(&f, "[{'kind':'extension','number':'8023'},"
                    "{'kind':'agent','number':'2003','extension':'8023','type':'supervisor','manages_queues':['sales']}]");
    talking(1);
    ck_assert_int_ne(supervise("2003", 1, "", HOW(LISTEN), 0), 0);
    ck_assert_str_eq(f.last.field, "extension");
    ck_assert_str_eq(f.last.text, "8023 cannot be called now: unreachable");
    ck_assert_ptr_null(core_joined_next(f.c, 1, NULL));
    Ev__CallSupervise m = EV__CALL_SUPERVISE__INIT;
    m.supervisor = T("2003");
    m.call_id = 1;
    m.extension = T("8020");
    FX_BODY(CALL_SUPERVISE, call_supervise, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    ck_assert_str_eq(core_joined_next(f.c, 1, NULL)->supervisor, "2003");
}
END_TEST

/* ---- the next call */

static int next_to(const char *who, const char *queue, const char *agent)
{
    Ev__AgentNext m = EV__AGENT_NEXT__INIT;
    m.supervisor = T(who);
    m.queue = T(queue);
    m.agent = T(agent);
    FX_BODY(AGENT_NEXT, agent_next, m);
    cmd.actor = T("agent:2001");
    int code = fx_run(&f, &cmd);
    fx_reopen(&f);
    return code;
}

static const char *rung_for(uint64_t id)
{
    return core_call(f.c, id)->offer.id ? core_call(f.c, id)->offer.agent : "";
}

START_TEST(test_next_of_a_queue)
{
    ck_assert_int_eq(next_to("2001", "sales", ""), ERR_BADSTATE); /* not logged in */
    ck_assert_int_eq(fx_login(&f, "2001"), 0);
    ck_assert_int_eq(fx_agent(&f, "2001", EV__AGENT_SET__ACTION__SET_STATE, "not_ready"), 0);
    ck_assert_int_eq(next_to("2001", "service", ""), ERR_DENIED);
    ck_assert_int_eq(next_to("2001", "", "1004"), ERR_DENIED);
    ck_assert_int_eq(next_to("1002", "sales", ""), ERR_DENIED);
    ck_assert_int_eq(next_to("2001", "none", ""), ERR_NOTFOUND);
    ck_assert_int_eq(next_to("2001", "sales", "1002"), ERR_INVAL);
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    ck_assert_int_eq(next_to("2001", "sales", ""), 0);
    ck_assert_int_eq(fx_start(&f, 1, "111", "10003", true), 0); /* of another queue */
    ck_assert_int_eq(fx_start(&f, 2, "222", "10013", true), 0);
    fx_reopen(&f);
    ck_assert_str_eq(rung_for(2), "2001"); /* though a member is idle, and she is not ready */
    ck_assert_int_eq(fx_phase(&f, 2), CORE_CALL_OFFERED);
    ck_assert_int_eq(fx_state(&f, "1002"), CORE_AGENT_IDLE);
    ck_assert_int_eq(fx_start(&f, 3, "333", "10013", true), 0);
    ck_assert_str_eq(rung_for(3), "1002"); /* once only */
    /* she does not answer: it goes to whoever is free, at the very front */
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    ck_assert_int_eq(fx_fail(&f, 2, core_call(f.c, 2)->offer.id, EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    ck_assert_str_eq(rung_for(2), "1003");
    /* who waits already is hers at once */
    ck_assert_int_eq(fx_start(&f, 4, "444", "10013", true), 0);
    ck_assert_int_eq(fx_start(&f, 5, "555", "10013", true), 0);
    ck_assert_int_eq(next_to("2001", "sales", ""), 0);
    ck_assert_str_eq(rung_for(4), "2001");
    answer(4);
    ck_assert_str_eq(core_leg_served(core_call_obj(f.c, 4)->st)->agent, "2001");
    /* while she talks it is kept; cancelled, it is nobody's; logged out, neither */
    ck_assert_int_eq(next_to("2001", "sales", ""), 0);
    ck_assert_str_eq(rung_for(5), "");
    ck_assert_int_eq(next_to("2001", "", ""), 0);
    ck_assert_int_eq(fx_end(&f, 4, "caller"), 0);
    ck_assert_str_eq(rung_for(5), "");
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING);
}
END_TEST

START_TEST(test_next_of_an_agent)
{
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    f.now += US;
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    ck_assert_int_eq(fx_login(&f, "2001"), 0);
    ck_assert_int_eq(next_to("2001", "", "1002"), 0);
    ck_assert_int_eq(fx_start(&f, 1, "111", "10013", true), 0); /* 1002 is idle longest */
    fx_reopen(&f);
    ck_assert_str_eq(rung_for(1), "2001");
    ck_assert_int_eq(fx_state(&f, "1002"), CORE_AGENT_IDLE);
    ck_assert_int_eq(fx_start(&f, 2, "222", "10013", true), 0);
    ck_assert_str_eq(rung_for(2), "1002"); /* he is in turn again */
    ck_assert_int_eq(next_to("2001", "", "1003"), 0);
    ck_assert_int_eq(fx_agent(&f, "2001", EV__AGENT_SET__ACTION__LOGOUT, ""), 0);
    ck_assert_int_eq(fx_login(&f, "2001"), 0);
    ck_assert_int_eq(fx_start(&f, 3, "333", "10013", true), 0);
    ck_assert_str_eq(rung_for(1), "1003"); /* what she had asked for went with her, as did the call that rang at her */
    ck_assert_str_eq(rung_for(3), "");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("supervise");
    TCase *t = tcase_create("supervise");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_listen_and_on);
    tcase_add_test(t, test_while_it_rings);
    tcase_add_test(t, test_dialled);
    tcase_add_test(t, test_only_what_is_managed);
    tcase_add_test(t, test_without_a_telephone);
    tcase_add_test(t, test_next_of_a_queue);
    tcase_add_test(t, test_next_of_an_agent);
    suite_add_tcase(s, t);
    return run_suite(s);
}
