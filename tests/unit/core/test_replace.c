/* What telephones do by naming dialogs: attended transfer (REFER with Replaces), and INVITE with Replaces. Each step is followed by a restart, which
 * must change nothing. */
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

#define T(text) ((char *)(uintptr_t)(text))

/* 1001 of group east at 8001, and so on; 1004 of group west; 1005 manages west. 8050 and 8060 are nobody's. */
static void up(void)
{
    fx_open(&f);
    fx_demo(&f, 5);
    ck_assert_int_eq(fx_raise(&f, CORE_FEATURE_LEVEL), 0);
    fx_must_set(&f, "[{'kind':'agent_group','name':'east'},{'kind':'agent_group','name':'west'},"
                    "{'kind':'agent','number':'1001','extension':'8001','group':'east'},"
                    "{'kind':'agent','number':'1002','extension':'8002','group':'east'},"
                    "{'kind':'agent','number':'1004','extension':'8004','group':'west'},"
                    "{'kind':'agent','number':'1005','extension':'8005','type':'supervisor','manages_groups':['west']},"
                    "{'kind':'queue','name':'sales','members':[{'agent':'1003'}]},"
                    "{'kind':'access_number','number':'10005','queue':'sales'},"
                    "{'kind':'trunk','name':'carrier','contact':'sip:192.0.2.9:5060','outbound':true},"
                    "{'kind':'parameter','name':'outbound_trunk','value':'carrier'},"
                    "{'kind':'parameter','name':'outside_prefix','value':'0'},"
                    "{'kind':'extension','number':'8050','contact':'sip:8050@127.0.0.1:9050'},"
                    "{'kind':'extension','number':'8060','contact':'sip:8060@127.0.0.1:9060'}]");
}

static void down(void)
{
    fx_close(&f);
}

/* The dialog of a call's caller, and of its callee: "a10" with tags "us-a10" and "he-a10". */
static const Ev__Dialog *dialog(Ev__Dialog *d, char room[3][32], char side, uint64_t id)
{
    (void)snprintf(room[0], 32, "%c%llu@test", side, (unsigned long long)id);
    (void)snprintf(room[1], 32, "us-%c%llu", side, (unsigned long long)id);
    (void)snprintf(room[2], 32, "he-%c%llu", side, (unsigned long long)id);
    ev__dialog__init(d);
    d->call_id = room[0];
    d->local_tag = room[1];
    d->remote_tag = room[2];
    d->remote_target = T("sip:x@127.0.0.1:5999");
    return d;
}

static Ev__Replaces naming(char room[3][32], char side, uint64_t id)
{
    Ev__Dialog d;
    Ev__Replaces r = EV__REPLACES__INIT;
    dialog(&d, room, side, id);
    r.call_id = room[0];
    r.to_tag = room[1];
    r.from_tag = room[2];
    return r;
}

static int start(uint64_t id, const char *from, const char *called, Ev__Replaces *replaces)
{
    Ev__Dialog d;
    char room[3][32], actor[32];
    Ev__CallStart m = EV__CALL_START__INIT;
    (void)snprintf(actor, sizeof actor, "phone:%s", from);
    m.call_id = id;
    m.caller = T(from);
    m.called = T(called);
    *(from[0] == '8' ? &m.extension : &m.trunk) = T(from[0] == '8' ? from : "demo");
    m.dialog = (Ev__Dialog *)(uintptr_t)dialog(&d, room, 'a', id);
    m.replaces = replaces;
    FX_BODY(CALL_START, call_start, m);
    cmd.actor = replaces ? actor : T("node:n1");
    int code = fx_run(&f, &cmd);
    fx_same_after_restart(&f);
    return code;
}

static int answer(uint64_t id)
{
    Ev__Dialog d;
    char room[3][32];
    Ev__OfferAnswered m = EV__OFFER_ANSWERED__INIT;
    m.call_id = id;
    m.offer_id = core_call(f.c, id)->offer.id;
    m.dialog = (Ev__Dialog *)(uintptr_t)dialog(&d, room, 'b', id);
    FX_BODY(OFFER_ANSWERED, offer_answered, m);
    int code = fx_run(&f, &cmd);
    fx_same_after_restart(&f);
    return code;
}

static int refer(uint64_t id, const char *leg, Ev__Replaces *replaces, const char *dialled)
{
    Ev__CallTransfer m = EV__CALL_TRANSFER__INIT;
    m.call_id = id;
    m.leg = T(leg);
    m.replaces = replaces;
    m.dialled = T(dialled);
    FX_BODY(CALL_TRANSFER, call_transfer, m);
    cmd.actor = T("phone:8001");
    int code = fx_run(&f, &cmd);
    fx_same_after_restart(&f);
    return code;
}

/* A customer talks with 1001, who serves the queue; owned by n1. */
static void customer(uint64_t id)
{
    f.node = "n1";
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_ready(&f, "1001"), 0);
    ck_assert_int_eq(start(id, "13800", "10003", NULL), 0);
    ck_assert_int_eq(answer(id), 0);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_TALKING);
}

/* His telephone calls somebody on its second line, at n2. */
static void second_line(uint64_t id, const char *called)
{
    f.node = "n2";
    ck_assert_int_eq(start(id, "8001", called, NULL), 0);
    f.node = "n1";
}

static void answered(uint64_t id)
{
    f.node = "n2";
    ck_assert_int_eq(answer(id), 0);
    f.node = "n1";
}

static void talks(uint64_t id, const char *with, const char *and)
{
    const struct core_call *k = core_call(f.c, id);
    ck_assert_ptr_nonnull(k);
    ck_assert_int_eq(k->phase, CORE_CALL_TALKING);
    ck_assert_uint_eq(k->n_legs, 2);
    ck_assert_str_eq(k->legs[0].number, with);
    ck_assert_str_eq(k->legs[1].number, and);
}

START_TEST(test_attended)
{
    char room[3][32];
    customer(10);
    second_line(11, "8050");
    answered(11);
    Ev__Replaces r = naming(room, 'a', 11);
    ck_assert_int_eq(refer(10, "1001", &r, ""), 0);
    talks(10, "13800", "8050");
    ck_assert_str_eq(core_call(f.c, 10)->legs[1].dialog->call_id, "b11@test");
    ck_assert_uint_eq(core_call(f.c, 10)->legs[1].from_call, 11);
    ck_assert_str_eq(core_call(f.c, 10)->left->number, "8001");
    ck_assert_int_eq(fx_phase(&f, 11), CORE_CALL_FAILED); /* what is left of it is for its owner to hang up */
    ck_assert_str_eq(core_call(f.c, 11)->owner, "n2");
    f.node = "n2";
    ck_assert_int_eq(fx_end(&f, 11, "system"), 0);
    f.node = "n1";
    ck_assert_int_ne(fx_state(&f, "1001"), CORE_AGENT_TALKING);
    ck_assert_int_eq(fx_end(&f, 10, "caller"), 0);
}
END_TEST

/* The REFER comes in the consultation: the customer's call goes on all the same. */
START_TEST(test_the_customers_goes_on)
{
    char room[3][32];
    customer(10);
    second_line(11, "8050");
    answered(11);
    Ev__Replaces r = naming(room, 'b', 10);
    ck_assert_int_eq(refer(11, "8001", &r, ""), 0);
    talks(10, "13800", "8050");
    ck_assert_int_eq(fx_phase(&f, 11), CORE_CALL_FAILED);
}
END_TEST

START_TEST(test_while_it_rings)
{
    char room[3][32];
    customer(10);
    second_line(11, "8050");
    Ev__Replaces r = naming(room, 'a', 11);
    ck_assert_int_eq(refer(10, "1001", &r, ""), 0);
    ck_assert_ptr_null(core_call(f.c, 11)); /* with its record */
    const struct core_call *k = core_call(f.c, 10);
    ck_assert_int_eq(k->phase, CORE_CALL_DIALLING);
    ck_assert_str_eq(k->offer.extension, "8050");
    ck_assert_uint_eq(k->n_legs, 1);
    ck_assert_int_eq(answer(10), 0);
    talks(10, "13800", "8050");
}
END_TEST

/* An agent who is rung by him is busy by nothing else. */
START_TEST(test_an_agent_who_rings)
{
    char room[3][32];
    customer(10);
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    second_line(11, "1002");
    ck_assert_int_eq(fx_state(&f, "1002"), CORE_AGENT_RINGING);
    Ev__Replaces r = naming(room, 'a', 11);
    ck_assert_int_eq(refer(10, "1001", &r, ""), 0);
    ck_assert_str_eq(core_call(f.c, 10)->offer.extension, "8002");
    ck_assert_int_eq(fx_state(&f, "1002"), CORE_AGENT_RINGING);
}
END_TEST

START_TEST(test_outside_and_a_queue)
{
    char room[3][32];
    customer(10);
    second_line(11, "0013900");
    Ev__Replaces r = naming(room, 'a', 11);
    ck_assert_int_eq(refer(10, "1001", &r, ""), 0);
    ck_assert_str_eq(core_call(f.c, 10)->out_trunk, "carrier");
    ck_assert_ptr_null(core_call(f.c, 11));
    ck_assert_int_eq(fx_end(&f, 10, "caller"), 0);
    ck_assert_int_eq(fx_ready(&f, "1001"), 0);
    customer(20);
    second_line(21, "10005");
    ck_assert_int_eq(fx_phase(&f, 21), CORE_CALL_WAITING);
    r = naming(room, 'a', 21);
    ck_assert_int_eq(refer(20, "1001", &r, ""), 0);
    ck_assert_ptr_null(core_call(f.c, 21));
    ck_assert_int_eq(fx_phase(&f, 20), CORE_CALL_WAITING);
    ck_assert_str_eq(core_call(f.c, 20)->queue, "sales");
}
END_TEST

/* REFER without Replaces, to the number that its second line has called. */
START_TEST(test_to_the_number)
{
    customer(10);
    second_line(11, "8050");
    answered(11);
    ck_assert_int_eq(refer(10, "1001", NULL, "8050"), 0);
    talks(10, "13800", "8050");
    ck_assert_int_eq(fx_end(&f, 10, "caller"), 0);
    f.node = "n2";
    ck_assert_int_eq(fx_end(&f, 11, "system"), 0);
    ck_assert_int_eq(fx_ready(&f, "1001"), 0);
    customer(20);
    second_line(21, "8050");
    ck_assert_int_eq(refer(20, "1001", NULL, "8050"), 0);
    ck_assert_ptr_null(core_call(f.c, 21));
    ck_assert_int_eq(fx_phase(&f, 20), CORE_CALL_DIALLING);
    ck_assert_int_eq(answer(20), 0);
    talks(20, "13800", "8050");
}
END_TEST

START_TEST(test_refused)
{
    char room[3][32], other[3][32];
    customer(10);
    ck_assert_int_eq(start(12, "8050", "8060", NULL), 0); /* of others */
    ck_assert_int_eq(answer(12), 0);
    Ev__Replaces r = naming(room, 'a', 12), own = naming(other, 'b', 10);
    ck_assert_int_eq(refer(10, "1001", &r, ""), ERR_NOTFOUND);
    ck_assert_str_eq(f.last.field, "replaces");
    ck_assert_int_eq(refer(10, "1001", &own, ""), ERR_NOTFOUND); /* itself */
    second_line(11, "8060");
    answered(11);
    r = naming(room, 'a', 11);
    r.to_tag = T("us");
    ck_assert_int_eq(refer(10, "1001", &r, ""), ERR_NOTFOUND);
    r = naming(room, 'a', 11);
    r.early_only = true;
    ck_assert_int_eq(refer(10, "1001", &r, ""), ERR_BUSY);
    talks(10, "13800", "8001");
    talks(11, "8001", "8060");
    f.node = "n2";
    ck_assert_int_eq(fx_end(&f, 11, "callee"), 0);
    f.node = "n1";
    second_line(13, "10001"); /* an application has nobody to go to: as if it were dialled */
    r = naming(room, 'a', 13);
    ck_assert_int_eq(refer(10, "1001", &r, ""), ERR_DENIED);
    talks(10, "13800", "8001");
    ck_assert_int_eq(fx_phase(&f, 13), CORE_CALL_APP);
}
END_TEST

/* ---- INVITE */

START_TEST(test_pick_up)
{
    char room[3][32];
    ck_assert_int_eq(start(10, "13800", "10000", NULL), 0);
    ck_assert_int_eq(fx_dial(&f, 10, "", "8002"), 0);
    Ev__Replaces r = naming(room, 'x', 1);
    r.rings_for = 10;
    r.offer_id = core_call(f.c, 10)->offer.id;
    ck_assert_int_eq(start(11, "8004", "8002", &r), ERR_DENIED);
    ck_assert_ptr_null(core_call(f.c, 11));
    r.offer_id++;
    ck_assert_int_eq(start(12, "8001", "8002", &r), ERR_NOTFOUND);
    r.offer_id--;
    r.early_only = true;
    f.node = "n2";
    ck_assert_int_eq(start(13, "8001", "anything", &r), 0);
    f.node = "n1";
    ck_assert_uint_eq(f.last.call_id, 10);
    talks(10, "13800", "8001");
    ck_assert_str_eq(core_call(f.c, 10)->legs[1].dialog->call_id, "a13@test");
    ck_assert_ptr_null(core_call(f.c, 13));
    ck_assert_int_eq(start(14, "8001", "8002", &r), ERR_NOTFOUND); /* it rings no more */
    r.rings_for = 99;
    ck_assert_int_eq(start(15, "8001", "8002", &r), ERR_NOTFOUND);
}
END_TEST

START_TEST(test_take_a_talk)
{
    char room[3][32];
    customer(10);
    Ev__Replaces r = naming(room, 'b', 10);
    ck_assert_int_eq(start(11, "8050", "8001", &r), ERR_DENIED);
    ck_assert_int_eq(start(12, "8005", "8001", &r), ERR_DENIED); /* a supervisor of others */
    ck_assert_int_eq(start(13, "13900", "8001", &r), ERR_DENIED); /* from outside */
    r.early_only = true;
    ck_assert_int_eq(start(14, "8001", "8001", &r), ERR_BUSY);
    r.early_only = false;
    r.from_tag = T("x");
    ck_assert_int_eq(start(15, "8001", "8001", &r), ERR_NOTFOUND);
    r = naming(room, 'b', 10);
    ck_assert_int_eq(start(16, "8001", "8001", &r), 0); /* another telephone of the extension */
    talks(10, "13800", "8001");
    ck_assert_str_eq(core_call(f.c, 10)->legs[1].dialog->call_id, "a16@test");
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_TALKING);
    r = naming(room, 'a', 16);
    r.to_tag = room[2]; /* the other way round */
    r.from_tag = room[1];
    ck_assert_int_eq(start(17, "8001", "8001", &r), 0);
    talks(10, "13800", "8001");
    ck_assert_str_eq(core_call(f.c, 10)->legs[1].dialog->call_id, "a17@test");
}
END_TEST

START_TEST(test_a_supervisor_takes_it)
{
    char room[3][32];
    ck_assert_int_eq(fx_login(&f, "1004"), 0);
    ck_assert_int_eq(fx_ready(&f, "1004"), 0);
    ck_assert_int_eq(start(10, "13800", "10003", NULL), 0);
    ck_assert_int_eq(answer(10), 0);
    Ev__Replaces r = naming(room, 'b', 10);
    ck_assert_int_eq(start(11, "8005", "8004", &r), 0);
    talks(10, "13800", "8005");
    ck_assert_str_eq(core_call(f.c, 10)->left->number, "8004");
}
END_TEST

/* A call of a telephone that rings elsewhere is none that it has begun: section 3. */
START_TEST(test_callers_early_dialog)
{
    char room[3][32];
    ck_assert_int_eq(start(10, "8001", "8002", NULL), 0);
    Ev__Replaces r = naming(room, 'a', 10);
    ck_assert_int_eq(start(11, "8001", "8001", &r), ERR_NOTFOUND);
    ck_assert_int_eq(fx_phase(&f, 10), CORE_CALL_DIALLING);
}
END_TEST

/* ---- pick-up by request */

static int pickup(uint64_t id, const char *agent)
{
    Ev__CallPickup m = EV__CALL_PICKUP__INIT;
    m.call_id = id;
    m.agent = T(agent);
    FX_BODY(CALL_PICKUP, call_pickup, m);
    cmd.actor = T("token:x");
    int code = fx_run(&f, &cmd);
    fx_same_after_restart(&f);
    return code;
}

START_TEST(test_for_an_agent)
{
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    ck_assert_int_eq(fx_ready(&f, "1002"), 0);
    ck_assert_int_eq(start(10, "13800", "10003", NULL), 0);
    ck_assert_int_eq(fx_state(&f, "1002"), CORE_AGENT_RINGING);
    ck_assert_int_eq(pickup(99, "1001"), ERR_NOTFOUND);
    ck_assert_int_eq(pickup(10, "1009"), ERR_NOTFOUND);
    ck_assert_int_eq(pickup(10, "1001"), ERR_BADSTATE); /* at no telephone */
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_login(&f, "1004"), 0);
    ck_assert_int_eq(pickup(10, "1004"), ERR_DENIED);
    ck_assert_int_eq(pickup(10, "1002"), ERR_BUSY); /* he is rung */
    ck_assert_int_eq(pickup(10, "1001"), 0);
    const struct core_call *k = core_call(f.c, 10);
    ck_assert_uint_eq(k->n_offers, 2);
    ck_assert_str_eq(k->offers[1].extension, "8001");
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_RINGING);
    ck_assert_int_eq(pickup(10, "1001"), ERR_BUSY);
    ck_assert_int_eq(fx_answer(&f, 10, core_call(f.c, 10)->offers[1].id), 0);
    fx_same_after_restart(&f);
    talks(10, "13800", "8001");
    ck_assert_str_eq(core_call(f.c, 10)->legs[1].agent, "1001");
    ck_assert_int_eq(fx_state(&f, "1002"), CORE_AGENT_IDLE);
    ck_assert_int_eq(pickup(10, "1002"), ERR_BADSTATE); /* it rings no more */
}
END_TEST

/* Outside queues, and he does not want it after all: it rings on. */
START_TEST(test_for_an_agent_in_vain)
{
    ck_assert_int_eq(start(10, "8050", "8002", NULL), 0);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(pickup(10, "1001"), 0);
    ck_assert_int_eq(fx_fail(&f, 10, core_call(f.c, 10)->offers[1].id, EV__OFFER_FAILED__CAUSE__REJECTED), 0);
    fx_same_after_restart(&f);
    ck_assert_uint_eq(core_call(f.c, 10)->n_offers, 1);
    ck_assert_str_eq(core_call(f.c, 10)->offer.extension, "8002");
    ck_assert_int_eq(fx_phase(&f, 10), CORE_CALL_DIALLING);
    ck_assert_int_eq(answer(10), 0);
    talks(10, "8050", "8002");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("replaces");
    TCase *t = tcase_create("replaces");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, test_attended);
    tcase_add_test(t, test_the_customers_goes_on);
    tcase_add_test(t, test_while_it_rings);
    tcase_add_test(t, test_an_agent_who_rings);
    tcase_add_test(t, test_outside_and_a_queue);
    tcase_add_test(t, test_to_the_number);
    tcase_add_test(t, test_refused);
    tcase_add_test(t, test_pick_up);
    tcase_add_test(t, test_take_a_talk);
    tcase_add_test(t, test_a_supervisor_takes_it);
    tcase_add_test(t, test_callers_early_dialog);
    tcase_add_test(t, test_for_an_agent);
    tcase_add_test(t, test_for_an_agent_in_vain);
    suite_add_tcase(s, t);
    return run_suite(s);
}
