/* Forwarding: when, where to, how often, by whose clock, and what the record tells. */
#include "core/explain.h"
#include "tests/unit/core/forward_rig.h"
#include "tests/unit/suite.h"

/* ---- when */

/* Each kind, and what brings it about; -1: he is not rung at all. */
static const struct {
    const char *when;
    int in_vain;
    bool talks, away;
} kinds[] = {
    {"always", -1, false, false},
    {"busy", -1, true, false},
    {"busy", EV__OFFER_FAILED__CAUSE__BUSY, false, false},
    {"busy", EV__OFFER_FAILED__CAUSE__REJECTED, false, false},
    {"no_answer", EV__OFFER_FAILED__CAUSE__NO_ANSWER, false, false},
    {"unavailable", -1, false, true},
    {"unavailable", EV__OFFER_FAILED__CAUSE__UNREACHABLE, false, false},
};
#define KINDS (sizeof kinds / sizeof kinds[0])
static const char *const whens[] = {"always", "busy", "no_answer", "unavailable"};

/* The situation of line i, with a rule for `when`: whether he is passed by without having been rung. */
static bool situation(size_t i, const char *when, uint64_t id)
{
    char fields[128];
    (void)snprintf(fields, sizeof fields, "'when':'%s','to':{'type':'agent','target':'1002'}", when);
    rule(fields);
    if (kinds[i].talks) {
        start(id + 1, "8001", "8050");
        ck_assert_int_eq(fx_answer(&f, id + 1, call(id + 1)->offer.id), 0);
    }
    if (kinds[i].away)
        ck_assert_int_eq(fx_logout(&f, "1001"), 0);
    start(id, "13800000001", "10015");
    bool rung = call(id)->phase == CORE_CALL_DIALLING && strcmp(call(id)->offer.agent, "1001") == 0;
    if (rung && kinds[i].in_vain >= 0)
        in_vain(id, (Ev__OfferFailed__Cause)kinds[i].in_vain);
    return !rung;
}

static void undo(size_t i, uint64_t id)
{
    over(id);
    if (kinds[i].talks)
        over(id + 1);
    if (kinds[i].away)
        ck_assert_int_eq(fx_login(&f, "1001"), 0);
}

START_TEST(test_kinds)
{
    for (size_t i = 0; i < KINDS; i++) {
        for (size_t w = 0; w < 4; w++) {
            uint64_t id = 1000 + i * 100 + w * 10;
            bool his = strcmp(kinds[i].when, whens[w]) == 0, passed_by = situation(i, whens[w], id);
            if (his || w == 0) {
                rings(id, "1002", "8002");
                ck_assert_int_eq(passed_by, w == 0 || kinds[i].in_vain < 0);
                ck_assert_int_eq(fx_state(&f, "1001"), kinds[i].away    ? CORE_AGENT_LOGGED_OUT
                                                       : kinds[i].talks ? CORE_AGENT_TALKING
                                                                        : CORE_AGENT_IDLE);
            } else if (kinds[i].in_vain >= 0 || kinds[i].talks || kinds[i].away) {
                ck_assert_int_eq(fx_phase(&f, id), CORE_CALL_FAILED);
            } else {
                rings(id, "1001", "8001");
            }
            undo(i, id);
            if (his)
                told(id, 0, kinds[i].away ? "1001" : "8001", "1001", kinds[i].when, "agent", "1002");
        }
    }
}
END_TEST

/* He is rung for as long as his rule says, and from then on it is somebody else's ring time. */
START_TEST(test_ring_times)
{
    rule("'when':'no_answer','after_s':7,'to':{'type':'agent','target':'1002'}");
    start(1, "13800000001", "10015");
    rings(1, "1001", "8001");
    ck_assert_uint_eq(call(1)->offer.ring_time_s, 7);
    uint64_t offer = call(1)->offer.id;
    f.now += 7 * US;
    in_vain(1, EV__OFFER_FAILED__CAUSE__NO_ANSWER);
    rings(1, "1002", "8002");
    ck_assert_uint_eq(call(1)->offer.ring_time_s, 30);
    ck_assert_uint_ge(call(1)->offer.since_us, f.now);
    ck_assert_int_eq(fx_answer(&f, 1, offer), ERR_STALE); /* too late */
    ck_assert_int_eq(fx_fail(&f, 1, offer, EV__OFFER_FAILED__CAUSE__NO_ANSWER), ERR_STALE);
    rings(1, "1002", "8002");
    over(1);
    rule("'when':'no_answer','to':{'type':'agent','target':'1002'}");
    start(2, "13800000001", "10015");
    ck_assert_uint_eq(call(2)->offer.ring_time_s, 20);
    over(2);
}
END_TEST

/* The clock is that of the commands: open at nine, not at eight; and it is looked at when he has been rung in vain. */
START_TEST(test_times)
{
    set("[{'kind':'time_group','name':'office','tz':'CST-8','monday':['09:00-17:00']}]");
    rule("'when':'always','time_group':'office','to':{'type':'agent','target':'1002'}");
    fx_later(&f, MONDAY_9 - 3600 * US);
    ck_assert_int_eq(fx_login(&f, "1001"), fx_state(&f, "1001") == CORE_AGENT_LOGGED_OUT ? 0 : f.last.code);
    start(1, "13800000001", "10015");
    rings(1, "1001", "8001");
    over(1);
    fx_later(&f, MONDAY_9 + 60 * US);
    start(2, "13800000001", "10015");
    rings(2, "1002", "8002");
    over(2);
    rule("'when':'no_answer','time_group':'office','to':{'type':'agent','target':'1002'}");
    fx_later(&f, MONDAY_9 + 8 * 3600 * US - 10 * US);
    start(3, "13800000001", "10015");
    ck_assert_uint_eq(call(3)->offer.ring_time_s, 20);
    fx_later(&f, MONDAY_9 + 8 * 3600 * US + 10 * US);
    in_vain(3, EV__OFFER_FAILED__CAUSE__NO_ANSWER);
    failed(3, 480, "no_answer"); /* closed meanwhile */
    over(3);
}
END_TEST

/* His own rules before those of the telephone, by order and by name; one that is disabled is none. */
START_TEST(test_which_rule)
{
    set("[{'kind':'forward','name':'b','agent':'1001','to':{'type':'agent','target':'1002'}},"
        "{'kind':'forward','name':'a','agent':'1001','order':1,'to':{'type':'agent','target':'1003'}},"
        "{'kind':'forward','name':'t','extension':'8001','to':{'type':'extension','target':'8050'}}]");
    start(1, "13800000001", "10015");
    rings(1, "1002", "8002");
    over(1);
    set("[{'kind':'forward','name':'b','agent':'1001','order':1,'to':{'type':'agent','target':'1002'}}]");
    start(2, "13800000001", "10015");
    rings(2, "1003", "8003");
    over(2);
    set("[{'kind':'forward','name':'a','agent':'1001','disabled':true,'to':{'type':'agent','target':'1003'}},"
        "{'kind':'forward','name':'b','agent':'1001','disabled':true,'to':{'type':'agent','target':'1002'}}]");
    start(3, "13800000001", "10015");
    rings(3, "", "8050"); /* the telephone's, where he is */
    over(3);
    start(4, "8050", "8001"); /* to the telephone itself; and who called is not rung */
    failed(4, 486, "busy");
    over(4);
    ck_assert_int_eq(fx_config(&f, NULL, "['forward/t']", NULL, NULL), 0);
    start(5, "8050", "8001");
    rings(5, "", "8001");
    over(5);
    ck_assert_int_eq(fx_logout(&f, "1001"), 0);
    set("[{'kind':'forward','name':'t','extension':'8060','when':'unavailable','to':{'type':'extension','target':'8002'}}]");
    start(6, "8050", "8060");
    rings(6, "", "8002");
    over(6);
    told(6, 0, "8060", "", "unavailable", "extension", "8002");
}
END_TEST

/* He leaves, or his telephone does, while it rings. */
START_TEST(test_who_leaves_while_rung)
{
    rule("'when':'unavailable','to':{'type':'agent','target':'1002'}");
    start(1, "13800000001", "10015");
    rings(1, "1001", "8001");
    f.now += 2 * US;
    ck_assert_int_eq(fx_logout(&f, "1001"), 0);
    rings(1, "1002", "8002");
    over(1);
    told(1, 0, "8001", "1001", "unavailable", "agent", "1002");
}
END_TEST

/* ---- where to */

START_TEST(test_to_a_queue)
{
    rule("'to':{'type':'queue','target':'sales'}");
    start(1, "13800000001", "10015");
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING);
    ck_assert_str_eq(call(1)->queue, "sales");
    ck_assert(call(1)->answered);
    ck_assert_int_eq(fx_login(&f, "1005"), 0);
    fx_same_after_restart(&f);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_OFFERED);
    ck_assert_int_eq(fx_answer(&f, 1, call(1)->offer.id), 0);
    over(1);
    told(1, 0, "8001", "1001", "always", "queue", "sales");
    says(1, "agent", "1005");
    says(1, "queue", "sales");
    set("[{'kind':'queue','name':'sales','max_waiting':1,'members':[{'agent':'1005'}]}]");
    ck_assert_int_eq(fx_not_ready(&f, "1005"), 0);
    start(2, "13800000002", "10013");
    start(3, "13800000003", "10015"); /* it is full */
    failed(3, 486, "queue_full");
    ck_assert(!call(3)->answered);
    over(3);
    over(2);
}
END_TEST

START_TEST(test_to_flow_and_box)
{
    rule("'when':'no_answer','to':{'type':'flow','target':'welcome'}");
    start(1, "13800000001", "10015");
    in_vain(1, EV__OFFER_FAILED__CAUSE__NO_ANSWER);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_MENU);
    ck_assert_str_eq(call(1)->flow, "welcome");
    ck_assert(call(1)->answered && call(1)->legs[0].answered);
    ck_assert_int_eq(call(1)->fail_status, 0);
    ck_assert_int_eq(fx_dial(&f, 1, "1001", ""), 0); /* the flow rings him: a way of its own */
    rings(1, "1001", "8001");
    in_vain(1, EV__OFFER_FAILED__CAUSE__BUSY);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_MENU); /* back in the flow */
    ck_assert_str_eq(call(1)->fail_cause, "busy");
    over(1);
    rule("'to':{'type':'voicemail'}");
    start(2, "8050", "1001");
    ck_assert_str_eq(call(2)->flow, CORE_FLOW_VOICEMAIL "1001");
    over(2);
    told(2, 0, "8001", "1001", "always", "voicemail", "1001");
    set("[{'kind':'extension','number':'8060','mailbox':'desk'},"
        "{'kind':'forward','name':'t','extension':'8060','when':'unavailable','to':{'type':'voicemail'}}]");
    start(3, "8050", "8060");
    ck_assert_str_eq(call(3)->flow, CORE_FLOW_VOICEMAIL "desk");
    over(3);
}
END_TEST

/* Out by the way and with the number of whose rule it is, never of who called. */
START_TEST(test_to_outside)
{
    set("[{'kind':'trunk','name':'second','contact':'sip:192.0.2.10:5060','outbound':true},"
        "{'kind':'agent','number':'1001','extension':'8001','outbound_trunk':'carrier','caller_id':'02155550001'},"
        "{'kind':'agent','number':'1002','extension':'8002','outbound_trunk':'second','caller_id':'02155550002'}]");
    rule("'to':{'type':'outside','target':'13900000009'}");
    start(1, "8002", "1001");
    rings(1, "", "13900000009");
    ck_assert_str_eq(call(1)->out_trunk, "carrier");
    ck_assert_str_eq(call(1)->out_caller, "02155550001");
    ck_assert_str_eq(call(1)->forward->number, "1001");
    ck_assert_str_eq(call(1)->forward->why, "always");
    ck_assert_str_eq(call(1)->forward->shown, "02155550001");
    ck_assert_uint_eq(call(1)->forward->hops, 1);
    ck_assert_int_eq(fx_answer(&f, 1, call(1)->offer.id), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_TALKING);
    over(1);
    says(1, "answered_by", "13900000009");
    set("[{'kind':'trunk','name':'carrier','contact':'sip:192.0.2.9:5060','outbound':true,'pass_caller':true}]");
    start(2, "13800000001", "10015");
    ck_assert_str_eq(call(2)->out_caller, "13800000001");
    ck_assert_str_eq(call(2)->forward->shown, "02155550001");
    over(2);
    Ev__CallStart m = EV__CALL_START__INIT;
    m.call_id = 8;
    m.caller = T("13800000001");
    m.called = T("10015");
    m.trunk = T("demo");
    m.withheld = true;
    FX_BODY(CALL_START, call_start, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    fx_same_after_restart(&f);
    ck_assert_str_eq(call(8)->out_caller, "02155550001"); /* he wants to be told to nobody */
    over(8);
    start(3, "8002", "1001"); /* one of ours is not shown */
    ck_assert_str_eq(call(3)->out_caller, "02155550001");
    over(3);
    start(4, "8002", "913700000000"); /* a call of his own: not forwarded, his own way */
    ck_assert_str_eq(call(4)->out_trunk, "second");
    ck_assert_ptr_null(call(4)->forward);
    over(4);
    set("[{'kind':'blacklist','number':'13900000009','direction':'out'}]");
    start(5, "8002", "1001");
    failed(5, 603, "blacklisted");
    over(5);
    set("[{'kind':'trunk','name':'carrier','contact':'sip:192.0.2.9:5060','outbound':false}]");
    rule("'to':{'type':'outside','target':'13900000008'}");
    start(6, "8002", "1001");
    failed(6, 403, "not_allowed");
    over(6);
    /* The telephone's: of whoever is there. */
    set("[{'kind':'forward','name':'t','extension':'8002','to':{'type':'outside','target':'13900000008'}}]");
    start(7, "8003", "8002");
    ck_assert_str_eq(call(7)->out_trunk, "second");
    over(7);
}
END_TEST

/* ---- how often */

START_TEST(test_loop)
{
    set("[{'kind':'forward','name':'a','agent':'1001','to':{'type':'agent','target':'1002'}},"
        "{'kind':'forward','name':'b','agent':'1002','to':{'type':'agent','target':'1001'}}]");
    start(1, "13800000001", "10015");
    failed(1, 482, "forward_loop");
    over(1);
    json_t *r = record(1);
    ck_assert_uint_eq(json_array_size(json_object_get(r, "segments")), 5);
    json_decref(r);
    told(1, 4, "8001", "1001", "always", "agent", "1002");
    /* Over telephones that ring it counts on. */
    set("[{'kind':'forward','name':'a','agent':'1001','when':'busy','to':{'type':'agent','target':'1002'}},"
        "{'kind':'forward','name':'b','agent':'1002','when':'busy','to':{'type':'agent','target':'1001'}}]");
    start(2, "13800000001", "10015");
    for (unsigned i = 0; i < 5; i++) {
        rings(2, i % 2 ? "1002" : "1001", i % 2 ? "8002" : "8001");
        in_vain(2, EV__OFFER_FAILED__CAUSE__BUSY);
    }
    in_vain(2, EV__OFFER_FAILED__CAUSE__BUSY);
    failed(2, 482, "forward_loop");
    over(2);
    /* A flow that tries once more begins anew. */
    ck_assert_int_eq(fx_start(&f, 3, "13800000001", "10000", true), 0);
    for (unsigned n = 0; n < 20; n++) {
        ck_assert_int_eq(fx_dial(&f, 3, "1001", ""), 0);
        for (unsigned i = 0; i < 6; i++)
            in_vain(3, EV__OFFER_FAILED__CAUSE__BUSY);
        ck_assert_int_eq(fx_phase(&f, 3), CORE_CALL_MENU);
        ck_assert_str_eq(call(3)->fail_cause, "forward_loop");
    }
    over(3);
    r = record(3);
    ck_assert_uint_eq(json_array_size(json_object_get(r, "segments")), 41); /* and the caller */
    json_decref(r);
}
END_TEST

/* Where it goes cannot be had: that is the outcome. */
START_TEST(test_in_vain)
{
    rule("'to':{'type':'agent','target':'1005'}");
    start(1, "13800000001", "10015");
    failed(1, 480, "logged_out");
    over(1);
    ck_assert_int_eq(fx_start(&f, 2, "13800000001", "10000", true), 0);
    ck_assert_int_eq(fx_dial(&f, 2, "1001", ""), ERR_BADSTATE); /* the flow goes on */
    ck_assert_int_eq(fx_phase(&f, 2), CORE_CALL_MENU);
    over(2);
    rule("'when':'busy','to':{'type':'agent','target':'1002'}");
    ck_assert_int_eq(fx_start(&f, 3, "13800000001", "10000", true), 0);
    ck_assert_int_eq(fx_dial(&f, 3, "1001", ""), 0);
    in_vain(3, EV__OFFER_FAILED__CAUSE__BUSY);
    rings(3, "1002", "8002");
    in_vain(3, EV__OFFER_FAILED__CAUSE__NO_ANSWER);
    ck_assert_int_eq(fx_phase(&f, 3), CORE_CALL_MENU);
    ck_assert_str_eq(call(3)->fail_cause, "no_answer");
    over(3);
}
END_TEST

/* ---- what else calls are led by */

static Ev__CallTransfer to;

static int transfer(uint64_t id)
{
    to.call_id = id;
    FX_BODY(CALL_TRANSFER, call_transfer, to);
    int code = fx_run(&f, &cmd);
    ev__call_transfer__init(&to);
    fx_same_after_restart(&f);
    return code;
}

/* Agent 1003 talks with a caller. */
static void talks(uint64_t id)
{
    ck_assert_int_eq(fx_start(&f, id, "13800000001", "10000", true), 0);
    ck_assert_int_eq(fx_dial(&f, id, "1003", ""), 0);
    ck_assert_int_eq(fx_answer(&f, id, call(id)->offer.id), 0);
    ck_assert_int_eq(fx_phase(&f, id), CORE_CALL_TALKING);
}

START_TEST(test_transfers)
{
    ev__call_transfer__init(&to);
    rule("'when':'no_answer','to':{'type':'agent','target':'1002'}");
    set("[{'kind':'forward','name':'back','agent':'1003','to':{'type':'agent','target':'1001'}}]");
    ck_assert_int_eq(fx_config(&f, NULL, "['forward/back']", NULL, NULL), 0);
    talks(1);
    set("[{'kind':'forward','name':'back','agent':'1003','to':{'type':'agent','target':'1001'}}]");
    to.agent = T("1001");
    ck_assert_int_eq(transfer(1), 0);
    rings(1, "1001", "8001");
    in_vain(1, EV__OFFER_FAILED__CAUSE__NO_ANSWER);
    rings(1, "1002", "8002");
    in_vain(1, EV__OFFER_FAILED__CAUSE__NO_ANSWER);
    rings(1, "1003", "8003"); /* who transferred is rung again, whatever his rules are */
    ck_assert_int_eq(fx_answer(&f, 1, call(1)->offer.id), 0);
    over(1);
    told(1, 1, "8001", "1001", "no_answer", "agent", "1002");
    /* To somebody who is logged out and has himself forwarded it can be transferred. */
    set("[{'kind':'forward','name':'five','agent':'1005','when':'unavailable','to':{'type':'queue','target':'sales'}}]");
    ck_assert_int_eq(fx_config(&f, NULL, "['forward/back']", NULL, NULL), 0);
    talks(2);
    to.agent = T("1005");
    ck_assert_int_eq(transfer(2), 0);
    ck_assert_int_eq(fx_phase(&f, 2), CORE_CALL_WAITING);
    ck_assert_ptr_null(call(2)->recall);
    over(2);
}
END_TEST

static int consult(uint64_t id, const char *agent)
{
    Ev__CallJoin m = EV__CALL_JOIN__INIT;
    m.call_id = id;
    m.leg = T("callee");
    m.agent = T(agent);
    m.mode = CORE_MODE_CONSULT;
    FX_BODY(CALL_JOIN, call_join, m);
    int code = fx_run(&f, &cmd);
    fx_same_after_restart(&f);
    return code;
}

/* A consultation goes to whatever rings, and to a queue; there is nobody who could hear a menu. */
START_TEST(test_consultations)
{
    talks(1);
    rule("'when':'busy','to':{'type':'agent','target':'1002'}");
    ck_assert_int_eq(consult(1, "1001"), 0);
    uint64_t k = core_joined_next(f.c, 1, NULL)->id;
    rings(k, "1001", "8001");
    in_vain(k, EV__OFFER_FAILED__CAUSE__BUSY);
    rings(k, "1002", "8002");
    ck_assert_int_eq(fx_answer(&f, k, call(k)->offer.id), 0);
    ck_assert_int_eq(fx_phase(&f, k), CORE_CALL_JOINED);
    over(k);
    told(k, 0, "8001", "1001", "busy", "agent", "1002");
    rule("'to':{'type':'flow','target':'welcome'}");
    ck_assert_int_eq(consult(1, "1001"), 0);
    k = core_joined_next(f.c, 1, NULL)->id;
    rings(k, "1001", "8001"); /* himself */
    over(k);
    rule("'to':{'type':'queue','target':'sales'}");
    ck_assert_int_eq(consult(1, "1001"), 0);
    k = core_joined_next(f.c, 1, NULL)->id;
    ck_assert_int_eq(fx_phase(&f, k), CORE_CALL_WAITING);
    ck_assert_int_eq(fx_login(&f, "1005"), 0);
    ck_assert_int_eq(fx_phase(&f, k), CORE_CALL_OFFERED);
    ck_assert_int_eq(fx_answer(&f, k, call(k)->offer.id), 0);
    ck_assert_int_eq(fx_phase(&f, k), CORE_CALL_JOINED);
    over(k);
    rule("'to':{'type':'extension','target':'8003'}"); /* who consults would be rung himself */
    ck_assert_int_eq(consult(1, "1001"), 0);
    ck_assert_ptr_null(core_joined_next(f.c, 1, NULL));
    over(1);
}
END_TEST

/* Queues choose for themselves, supervisors are rung where they are, and so is who asked for a call by click. */
START_TEST(test_not_forwarded)
{
    rule("'to':{'type':'agent','target':'1002'}");
    set("[{'kind':'agent','number':'1001','extension':'8001','type':'supervisor','manages_queues':['service']},"
        "{'kind':'forward','name':'t','extension':'8001','to':{'type':'extension','target':'8050'}},"
        "{'kind':'queue','name':'service','ring_time_s':15,'members':[{'agent':'1001'},{'agent':'1003'}]}]");
    ck_assert_int_eq(fx_not_ready(&f, "1003"), 0);
    ck_assert_int_eq(fx_start(&f, 1, "13800000001", "10003", true), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_OFFERED);
    ck_assert_str_eq(call(1)->offer.agent, "1001");
    in_vain(1, EV__OFFER_FAILED__CAUSE__NO_ANSWER);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING);
    over(1);
    talks(2);
    Ev__CallSupervise m = EV__CALL_SUPERVISE__INIT;
    m.supervisor = T("1001");
    m.agent = T("1003");
    m.how = EV__CALL_SUPERVISE__HOW__BARGE;
    FX_BODY(CALL_SUPERVISE, call_supervise, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    uint64_t k = core_joined_next(f.c, 2, NULL)->id;
    rings(k, "", "8001");
    in_vain(k, EV__OFFER_FAILED__CAUSE__BUSY);
    ck_assert_ptr_null(core_call(f.c, k));
    over(2);
    Ev__AgentDial d = EV__AGENT_DIAL__INIT;
    d.agent = T("1001");
    d.to_agent = T("1002");
    Ev__Command click = EV__COMMAND__INIT;
    click.body_case = EV__COMMAND__BODY_AGENT_DIAL;
    click.agent_dial = &d;
    ck_assert_int_eq(fx_run(&f, &click), 0);
    rings(f.last.call_id, "1001", "8001");
}
END_TEST

/* ---- records and missed calls */

static void missed(const char *kind, const char *agent)
{
    json_t *list = fx_view(&f, "missed", NULL, NULL), *items = json_object_get(list, "items"), *o = json_array_get(items, 0);
    ck_assert_int_eq(json_array_size(items) > 0, kind != NULL);
    if (kind) {
        ck_assert_str_eq(json_string_value(json_object_get(o, "kind")), kind);
        ck_assert_str_eq(json_string_value(json_object_get(o, "agent")), agent);
    }
    json_decref(list);
}

START_TEST(test_missed)
{
    rule("'when':'no_answer','to':{'type':'agent','target':'1002'}");
    start(1, "13800000001", "10015");
    in_vain(1, EV__OFFER_FAILED__CAUSE__NO_ANSWER);
    ck_assert_int_eq(fx_answer(&f, 1, call(1)->offer.id), 0);
    over(1);
    missed(NULL, "");
    says(1, "agent", "1002");
    says(1, "answered_by", "8002");
    json_t *r = record(1);
    ck_assert_uint_eq(json_array_size(json_object_get(r, "segments")), 3); /* forwarded, caller, callee */
    ck_assert_int_eq(json_integer_value(json_object_get(r, "transfers")), 0);
    json_decref(r);
    start(2, "13800000002", "10015");
    in_vain(2, EV__OFFER_FAILED__CAUSE__NO_ANSWER);
    in_vain(2, EV__OFFER_FAILED__CAUSE__NO_ANSWER);
    over(2);
    missed("unanswered", "1001");
    start(3, "13800000003", "10015");
    in_vain(3, EV__OFFER_FAILED__CAUSE__NO_ANSWER);
    over(3); /* he hangs up while 1002 rings */
    missed("ringing", "1001");
    says(3, "agent", "");
    rule("'to':{'type':'voicemail'}");
    start(4, "13800000004", "10015");
    over(4);
    missed("menu", "1001");
    rule("'to':{'type':'queue','target':'sales'}");
    start(5, "13800000005", "10015");
    over(5);
    missed("queue", "1001");
}
END_TEST

START_TEST(test_told)
{
    rule("'when':'no_answer','to':{'type':'agent','target':'1002'}");
    start(1, "13800000001", "10015");
    in_vain(1, EV__OFFER_FAILED__CAUSE__NO_ANSWER);
    json_t *x = NULL, *live = fx_view(&f, "call", "0000000000000001", NULL);
    const json_t *one = json_array_get(json_object_get(live, "forwards"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(one, "agent")), "1001");
    ck_assert_str_eq(json_string_value(json_object_get(one, "number")), "8001");
    ck_assert_str_eq(json_string_value(json_object_get(one, "why")), "no_answer");
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(one, "forwarded_to"), "target")), "1002");
    json_decref(live);
    ck_assert_int_eq(core_explain_call(f.c, 1, &x, NULL), 0);
    const char *line = json_string_value(json_array_get(json_object_get(x, "lines"), 0));
    ck_assert_msg(line && strstr(line, "has not answered") && strstr(line, "agent 1001 at 8001") && strstr(line, "to agent 1002"), "%s", line);
    json_decref(x);
    over(1);
}
END_TEST

/* ---- the node dies */

/* While the first telephone rings, and while the second does: rung once each, by whoever has the call then. */
START_TEST(test_takeover)
{
    rule("'when':'no_answer','to':{'type':'agent','target':'1002'}");
    start(1, "13800000001", "10015");
    uint64_t offer = call(1)->offer.id, since = call(1)->offer.since_us;
    ck_assert_int_eq(fx_node_down(&f, "n1", 1), 0);
    fx_same_after_restart(&f);
    ck_assert_str_eq(call(1)->owner, "n2");
    rings(1, "1001", "8001");
    ck_assert_uint_eq(call(1)->offer.id, offer); /* the same ring, and its time goes on */
    ck_assert_uint_eq(call(1)->offer.since_us, since);
    ck_assert_int_eq(fx_fail(&f, 1, offer, EV__OFFER_FAILED__CAUSE__NO_ANSWER), ERR_STALE); /* too late from n1 */
    f.node = "n2";
    in_vain(1, EV__OFFER_FAILED__CAUSE__NO_ANSWER);
    rings(1, "1002", "8002");
    ck_assert_int_eq(fx_node_up(&f, "n1", 1, 2), 0);
    ck_assert_int_eq(fx_node_down(&f, "n2", 1), 0);
    f.node = "n1";
    rings(1, "1002", "8002");
    ck_assert_int_eq(fx_answer(&f, 1, call(1)->offer.id), 0);
    over(1);
    json_t *r = record(1);
    ck_assert_uint_eq(json_array_size(json_object_get(r, "segments")), 3);
    json_decref(r);
    told(1, 0, "8001", "1001", "no_answer", "agent", "1002");
    /* Answered by its going to a flow, and the node dies before it has said so. */
    rule("'when':'busy','to':{'type':'flow','target':'welcome'}");
    start(2, "13800000001", "10015");
    in_vain(2, EV__OFFER_FAILED__CAUSE__BUSY);
    ck_assert_int_eq(fx_node_up(&f, "n2", 2, 2), 0);
    ck_assert_int_eq(fx_node_down(&f, "n1", 2), 0);
    f.node = "n2";
    ck_assert_int_eq(fx_phase(&f, 2), CORE_CALL_MENU);
    ck_assert(call(2)->legs[0].answered);
    over(2);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core forward");
    TCase *t = tcase_create("forward");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_kinds);
    tcase_add_test(t, test_ring_times);
    tcase_add_test(t, test_times);
    tcase_add_test(t, test_which_rule);
    tcase_add_test(t, test_who_leaves_while_rung);
    tcase_add_test(t, test_to_a_queue);
    tcase_add_test(t, test_to_flow_and_box);
    tcase_add_test(t, test_to_outside);
    tcase_add_test(t, test_loop);
    tcase_add_test(t, test_in_vain);
    tcase_add_test(t, test_transfers);
    tcase_add_test(t, test_consultations);
    tcase_add_test(t, test_not_forwarded);
    tcase_add_test(t, test_missed);
    tcase_add_test(t, test_told);
    tcase_add_test(t, test_takeover);
    suite_add_tcase(s, t);
    return run_suite(s);
}
