/* Who owns what when nodes die, come back, and drain. */
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static const char *const ips[] = {"10.0.0.1", "10.0.0.2", "2001:db8::3"};

static int node_up(const char *name, uint64_t id, uint64_t incarnation, const char *site, const char *ip)
{
    char *service[1] = {(char *)(uintptr_t)ip};
    Ev__NodeUp m = EV__NODE_UP__INIT;
    m.name = (char *)(uintptr_t)name;
    m.node_id = id;
    m.incarnation = incarnation;
    m.site = (char *)(uintptr_t)site;
    m.max_feature_level = CORE_FEATURE_LEVEL;
    m.service_ip = service;
    m.n_service_ip = ip != NULL;
    FX_BODY(NODE_UP, node_up, m);
    return fx_run(&f, &cmd);
}

static int drain(const char *name, bool on)
{
    Ev__NodeDrain m = EV__NODE_DRAIN__INIT;
    m.name = (char *)(uintptr_t)name;
    m.on = on;
    FX_BODY(NODE_DRAIN, node_drain, m);
    return fx_run(&f, &cmd);
}

static int move(const char *ip, const char *to)
{
    Ev__AddressMove m = EV__ADDRESS_MOVE__INIT;
    m.ip = (char *)(uintptr_t)ip;
    m.to = (char *)(uintptr_t)to;
    FX_BODY(ADDRESS_MOVE, address_move, m);
    return fx_run(&f, &cmd);
}

static int given(const char *node, const char *ip, uint32_t epoch)
{
    Ev__AddressGiven m = EV__ADDRESS_GIVEN__INIT;
    m.ip = (char *)(uintptr_t)ip;
    m.epoch = epoch;
    FX_BODY(ADDRESS_GIVEN, address_given, m);
    cmd.node = (char *)(uintptr_t)node;
    return fx_run(&f, &cmd);
}

static int state(const char *node, const char *ip, uint32_t epoch, bool bound)
{
    Ev__AddressState m = EV__ADDRESS_STATE__INIT;
    m.ip = (char *)(uintptr_t)ip;
    m.epoch = epoch;
    m.bound = bound;
    m.why = (char *)(uintptr_t) "in use";
    FX_BODY(ADDRESS_STATE, address_state, m);
    cmd.node = (char *)(uintptr_t)node;
    return fx_run(&f, &cmd);
}

static int call_move(const char *node, uint64_t id, const char *to)
{
    Ev__CallMove m = EV__CALL_MOVE__INIT;
    m.call_id = id;
    m.to = (char *)(uintptr_t)to;
    FX_BODY(CALL_MOVE, call_move, m);
    cmd.node = (char *)(uintptr_t)node;
    return fx_run(&f, &cmd);
}

/* A call that came in at `node` over its address `ip` (NULL: one that does not move), from `peer`. */
static void start(const char *node, uint64_t id, const char *called, const char *ip, const char *peer)
{
    char local[80], flow[80];
    Ev__Dialog d = EV__DIALOG__INIT;
    (void)snprintf(local, sizeof local, ip && strchr(ip, ':') ? "[%s]:5060" : "%s:5060", ip ? ip : "10.9.9.9");
    (void)snprintf(flow, sizeof flow, "udp:%s:5999", peer);
    d.call_id = (char *)(uintptr_t) "dialog@test";
    d.local_address = local;
    d.flow = flow;
    Ev__CallStart m = EV__CALL_START__INIT;
    m.call_id = id;
    m.caller = (char *)(uintptr_t) "13800";
    m.called = (char *)(uintptr_t)called;
    m.trunk = (char *)(uintptr_t) "demo";
    m.answered = true;
    m.dialog = &d;
    FX_BODY(CALL_START, call_start, m);
    cmd.node = (char *)(uintptr_t)node;
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
}

static const char *owner(uint64_t id)
{
    return core_call(f.c, id)->owner;
}

static const char *holder(unsigned i)
{
    return core_address(f.c, ips[i])->holder;
}

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 4);
    ck_assert_int_eq(node_up("n1", 1, 1, "default", ips[0]), 0);
    ck_assert_int_eq(node_up("n2", 2, 1, "default", ips[1]), 0);
    ck_assert_int_eq(node_up("n3", 3, 1, "default", ips[2]), 0);
}

static void teardown(void)
{
    fx_close(&f);
}

START_TEST(test_calls_follow_their_address)
{
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    start("n1", 1, "10003", ips[0], "127.0.0.9");
    start("n1", 2, "10001", ips[0], "127.0.0.9");
    start("n2", 3, "10001", ips[1], "127.0.0.9");
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_OFFERED);
    uint32_t offer_epoch = core_call(f.c, 1)->offer.epoch;
    ck_assert_int_eq(fx_node_down(&f, "n1", 7), ERR_STALE);
    ck_assert_int_eq(fx_node_down(&f, "n1", 1), 0);
    ck_assert(strstr(f.events, "address:10.0.0.1"));
    ck_assert_str_ne(holder(0), "n1");
    ck_assert_str_eq(core_address(f.c, ips[0])->home, "n1");
    ck_assert_uint_eq(core_address(f.c, ips[0])->epoch, 2);
    ck_assert_str_eq(owner(1), holder(0));
    ck_assert_str_eq(owner(2), holder(0));
    ck_assert_str_eq(owner(3), "n2");
    ck_assert_uint_eq(core_call(f.c, 1)->epoch, 2);
    ck_assert_uint_eq(core_call(f.c, 3)->epoch, 1);
    ck_assert_uint_ne(core_call(f.c, 1)->taken_over_us, 0);
    /* the phone rings on: same offer, same identifiers */
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_OFFERED);
    ck_assert_uint_eq(core_call(f.c, 1)->offer.epoch, offer_epoch);
    ck_assert_uint_eq(core_call(f.c, 1)->offer.former_epoch, 0);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_RINGING);
    /* the one that is gone has no say any more */
    f.node = "n1";
    ck_assert_int_eq(fx_answer(&f, 1, core_call(f.c, 1)->offer.id), ERR_STALE);
    f.node = owner(1);
    /* nor the new one by what it said in another epoch */
    Ev__CallEnd stale = EV__CALL_END__INIT;
    stale.call_id = 1;
    FX_BODY(CALL_END, call_end, stale);
    cmd.call_epoch = 1;
    ck_assert_int_eq(fx_run(&f, &cmd), ERR_STALE);
    ck_assert_int_eq(fx_answer(&f, 1, core_call(f.c, 1)->offer.id), 0);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    json_t *r = fx_view(&f, "cdr", "0000000000000001", NULL);
    ck_assert_int_eq(json_integer_value(json_object_get(r, "taken_over")), 1);
    json_decref(r);
}
END_TEST

START_TEST(test_other_calls_are_spread)
{
    ck_assert_int_eq(fx_set(&f, "[{'kind':'network','name':'far','ranges':['192.0.2.0/24'],'takeover':'reinvite'}]"),
                     0);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    start("n1", 1, "10003", ips[0], "192.0.2.7"); /* by its network */
    for (uint64_t id = 2; id <= 9; id++)
        start("n1", id, "10001", NULL, "127.0.0.9"); /* at an address that does not move */
    ck_assert_int_eq(fx_node_down(&f, "n1", 1), 0);
    unsigned n[2] = {0, 0};
    for (uint64_t id = 1; id <= 9; id++)
        n[strcmp(owner(id), "n3") == 0]++;
    ck_assert_uint_ge(n[0], 4);
    ck_assert_uint_ge(n[1], 4);
    /* the phone has to be rung anew */
    ck_assert_uint_eq(core_call(f.c, 1)->offer.epoch, 2);
    ck_assert_uint_eq(core_call(f.c, 1)->offer.former_epoch, 1);
    /* rebuilt from its tables it is the same */
    const char *who = strcmp(owner(1), "n2") == 0 ? "n2" : "n3";
    fx_reopen(&f);
    ck_assert_str_eq(owner(1), who);
    ck_assert_uint_eq(core_call(f.c, 1)->offer.former_epoch, 1);
    ck_assert_str_eq(core_address(f.c, ips[0])->home, "n1");
    ck_assert_str_ne(holder(0), "n1");
    ck_assert(!core_node(f.c, "n1")->up);
    /* whoever was between may not have come to calling off what he was left */
    ck_assert_int_eq(fx_node_down(&f, who, 1), 0);
    ck_assert_uint_eq(core_call(f.c, 1)->offer.epoch, 3);
    ck_assert_uint_eq(core_call(f.c, 1)->offer.former_epoch, 1);
}
END_TEST

static int leg_moving(uint64_t id, const char *local, bool moving)
{
    Ev__Dialog d = EV__DIALOG__INIT;
    d.call_id = (char *)(uintptr_t) "dialog@test";
    d.local_address = (char *)(uintptr_t)local;
    d.flow = (char *)(uintptr_t) "udp:127.0.0.9:5999";
    d.moving = moving;
    Ev__LegUpdate m = EV__LEG_UPDATE__INIT;
    m.call_id = id;
    m.leg_id = core_call(f.c, id)->legs[0].id;
    m.dialog = &d;
    FX_BODY(LEG_UPDATE, leg_update, m);
    cmd.node = (char *)(uintptr_t)owner(id);
    cmd.call_epoch = core_call(f.c, id)->epoch;
    return fx_run(&f, &cmd);
}

/* Its peer may have been told another address by an owner that died over it: it follows no address, there or back, until one has
 * come to an end with telling. */
START_TEST(test_a_call_that_is_being_moved_stands_nowhere)
{
    start("n1", 1, "10001", ips[0], "127.0.0.9");
    start("n1", 2, "10001", ips[0], "127.0.0.9");
    ck_assert_int_eq(fx_node_down(&f, "n1", 1), 0);
    const char *first = strcmp(owner(1), "n2") == 0 ? "n2" : "n3";
    ck_assert_str_eq(owner(2), first);
    ck_assert_str_eq(holder(0), first);
    ck_assert_int_eq(leg_moving(1, "10.9.9.2:5060", true), 0);
    /* also while it names an address that moves */
    ck_assert_int_eq(leg_moving(1, "10.0.0.1:5060", true), 0);
    fx_reopen(&f);
    ck_assert(core_call(f.c, 1)->legs[0].dialog->moving);
    ck_assert_int_eq(node_up("n1", 1, 2, "default", ips[0]), 0);
    ck_assert_int_eq(move(ips[0], "n1"), 0);
    ck_assert_int_eq(given(first, ips[0], core_address(f.c, ips[0])->epoch), 0);
    ck_assert_str_eq(holder(0), "n1");
    ck_assert_str_eq(owner(2), "n1");
    ck_assert_str_eq(owner(1), first);
    /* its peer has answered */
    ck_assert_int_eq(leg_moving(1, "10.0.0.1:5060", false), 0);
    ck_assert(!core_call(f.c, 1)->legs[0].dialog->moving);
    ck_assert_int_eq(fx_node_down(&f, first, 1), 0);
    ck_assert_str_eq(owner(1), "n1");
}
END_TEST

START_TEST(test_same_site_first)
{
    ck_assert_int_eq(node_up("n1", 1, 1, "east", ips[0]), 0);
    ck_assert_int_eq(node_up("n3", 3, 1, "east", ips[2]), 0);
    for (uint64_t id = 1; id <= 4; id++)
        start("n1", id, "10001", NULL, "127.0.0.9");
    ck_assert_int_eq(fx_node_down(&f, "n1", 1), 0);
    ck_assert_str_eq(holder(0), "n3");
    for (uint64_t id = 1; id <= 4; id++)
        ck_assert_str_eq(owner(id), "n3");
}
END_TEST

START_TEST(test_address_goes_home)
{
    start("n1", 1, "10001", ips[0], "127.0.0.9");
    ck_assert_int_eq(fx_node_down(&f, "n1", 1), 0);
    char taker[16];
    (void)snprintf(taker, sizeof taker, "%s", holder(0));
    ck_assert_int_eq(state(taker, ips[0], 1, true), ERR_STALE);
    ck_assert_int_eq(state("n1", ips[0], 2, true), ERR_STALE);
    ck_assert_int_eq(state(taker, ips[0], 2, false), 0);
    ck_assert_str_eq(core_address(f.c, ips[0])->why, "in use");
    ck_assert_int_eq(state(taker, ips[0], 2, true), 0);
    ck_assert(core_address(f.c, ips[0])->bound);
    ck_assert_int_eq(move(ips[0], "n1"), ERR_BADSTATE);
    ck_assert_int_eq(node_up("n1", 1, 2, "default", ips[0]), 0);
    ck_assert_str_eq(holder(0), taker);
    ck_assert_str_eq(owner(1), taker);
    ck_assert_int_eq(move("10.7.7.7", "n1"), ERR_NOTFOUND);
    ck_assert_int_eq(move(ips[0], "n9"), ERR_NOTFOUND);
    ck_assert_int_eq(move(ips[0], "n1"), 0);
    ck_assert_str_eq(core_address(f.c, ips[0])->target, "n1");
    ck_assert_str_eq(holder(0), taker); /* until it has let go */
    start(taker, 2, "10001", ips[0], "127.0.0.9");
    ck_assert_int_eq(given("n1", ips[0], 2), ERR_STALE);
    ck_assert_int_eq(given(taker, ips[0], 2), 0);
    ck_assert_str_eq(holder(0), "n1");
    ck_assert_str_eq(owner(1), "n1");
    ck_assert_str_eq(owner(2), "n1");
    ck_assert_uint_eq(core_call(f.c, 1)->epoch, 3);
    ck_assert_uint_eq(core_call(f.c, 2)->epoch, 2);
}
END_TEST

START_TEST(test_restart_before_it_was_missed)
{
    start("n1", 1, "10001", ips[0], "127.0.0.9");
    start("n1", 2, "10001", NULL, "127.0.0.9");
    ck_assert_int_eq(node_up("n1", 1, 2, "default", ips[0]), 0);
    ck_assert_str_eq(holder(0), "n1");
    ck_assert_uint_eq(core_address(f.c, ips[0])->epoch, 2);
    ck_assert_str_eq(owner(1), "n1");
    ck_assert_uint_eq(core_call(f.c, 1)->epoch, 2);
    ck_assert_str_eq(owner(2), "n1");
    ck_assert_int_eq(fx_node_down(&f, "n1", 1), ERR_STALE);
}
END_TEST

/* The last one takes nothing over from itself; the first that comes up has all. */
START_TEST(test_nobody_left)
{
    start("n1", 1, "10001", ips[0], "127.0.0.9");
    start("n2", 2, "10001", ips[1], "127.0.0.9");
    ck_assert_int_eq(fx_node_down(&f, "n3", 1), 0);
    ck_assert_int_eq(fx_node_down(&f, "n2", 1), 0);
    ck_assert_str_eq(owner(2), "n1");
    ck_assert_int_eq(fx_node_down(&f, "n1", 1), 0);
    ck_assert_str_eq(owner(1), "n1");
    ck_assert_str_eq(holder(1), "n1");
    ck_assert_int_eq(node_up("n3", 3, 2, "default", ips[2]), 0);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_str_eq(holder(i), "n3");
    ck_assert_str_eq(owner(1), "n3");
    ck_assert_str_eq(owner(2), "n3");
}
END_TEST

START_TEST(test_drain)
{
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    start("n1", 1, "10001", ips[0], "127.0.0.9");
    start("n1", 2, "10003", NULL, "127.0.0.9");
    ck_assert_int_eq(drain("n9", true), ERR_NOTFOUND);
    ck_assert_int_eq(drain("n1", false), ERR_STALE);
    ck_assert_int_eq(drain("n1", true), 0);
    ck_assert(core_node(f.c, "n1")->draining);
    ck_assert_str_ne(core_address(f.c, ips[0])->target, "");
    ck_assert_str_eq(owner(1), "n1");
    ck_assert_int_eq(call_move("n2", 2, ""), ERR_STALE);
    ck_assert_int_eq(call_move("n1", 2, "n1"), ERR_BADSTATE);
    ck_assert_int_eq(call_move("n1", 2, ""), 0);
    ck_assert_str_ne(owner(2), "n1");
    ck_assert_uint_eq(core_call(f.c, 2)->offer.former_epoch, 1);
    ck_assert_int_eq(given("n1", ips[0], 1), 0);
    ck_assert_str_ne(owner(1), "n1");
    /* nothing goes to a node that drains */
    ck_assert_int_eq(fx_node_down(&f, "n2", 1), 0);
    ck_assert_str_eq(owner(1), "n3");
    ck_assert_str_eq(owner(2), "n3");
    ck_assert_str_eq(holder(0), "n3");
    ck_assert_int_eq(drain("n3", true), ERR_BADSTATE);
    fx_reopen(&f);
    ck_assert(core_node(f.c, "n1")->draining);
    /* it stays so through a restart, until it is told otherwise */
    ck_assert_int_eq(node_up("n1", 1, 2, "default", ips[0]), 0);
    ck_assert(core_node(f.c, "n1")->draining);
    ck_assert_int_eq(move(ips[0], "n1"), ERR_BADSTATE);
    ck_assert_int_eq(drain("n1", false), 0);
    ck_assert_int_eq(move(ips[0], "n1"), 0);
}
END_TEST

/* All others die while a node drains: it takes nothing, until it drains no more. */
START_TEST(test_undrained_alone)
{
    ck_assert_int_eq(drain("n1", true), 0);
    start("n2", 1, "10001", ips[1], "127.0.0.9");
    start("n3", 2, "10001", NULL, "127.0.0.9");
    ck_assert_int_eq(fx_node_down(&f, "n2", 1), 0);
    ck_assert_int_eq(fx_node_down(&f, "n3", 1), 0);
    ck_assert_str_ne(owner(1), "n1");
    ck_assert_str_ne(owner(2), "n1");
    ck_assert_int_eq(drain("n1", false), 0);
    ck_assert_str_eq(owner(1), "n1");
    ck_assert_str_eq(owner(2), "n1");
    for (unsigned i = 0; i < 3; i++)
        ck_assert_str_eq(holder(i), "n1");
}
END_TEST

/* The one that was to have the address dies meanwhile. */
START_TEST(test_target_dies)
{
    start("n1", 1, "10001", ips[0], "127.0.0.9");
    ck_assert_int_eq(move(ips[0], "n2"), 0);
    ck_assert_int_eq(fx_node_down(&f, "n2", 1), 0);
    ck_assert_str_eq(core_address(f.c, ips[0])->target, "");
    ck_assert_int_eq(given("n1", ips[0], 1), 0); /* it had let go already */
    ck_assert_str_eq(holder(0), "n1");
    ck_assert_str_eq(owner(1), "n1");
}
END_TEST

START_TEST(test_one_home)
{
    ck_assert_int_eq(node_up("n2", 2, 2, "default", ips[0]), ERR_CONFLICT);
    Ev__NodeForget m = EV__NODE_FORGET__INIT;
    m.name = (char *)(uintptr_t) "n1";
    FX_BODY(NODE_FORGET, node_forget, m);
    start("n1", 1, "10001", ips[0], "127.0.0.9");
    ck_assert_int_eq(fx_node_down(&f, "n1", 1), 0);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    ck_assert_str_eq(core_address(f.c, ips[0])->home, "");
    ck_assert_int_eq(node_up("n1", 91, 1, "default", ips[0]), 0); /* its successor may have it */
    ck_assert_str_eq(core_address(f.c, ips[0])->home, "n1");
    ck_assert_str_ne(holder(0), "n1");
    ck_assert_str_eq(owner(1), holder(0));
    /* an address that a node no longer has */
    ck_assert_int_eq(node_up("n3", 3, 2, "default", NULL), 0);
    ck_assert_ptr_null(core_address(f.c, ips[2]));
    fx_reopen(&f);
    ck_assert_ptr_null(core_address(f.c, ips[2]));
}
END_TEST

/* Declared by a leader that leads no more: its successor may have heard the node since, and given it its lease. */
START_TEST(test_declared_in_another_term)
{
    Ev__NodeDown m = EV__NODE_DOWN__INIT;
    m.name = (char *)(uintptr_t) "n1";
    m.incarnation = 1;
    m.term = 2; /* entries here are of term 1 */
    FX_BODY(NODE_DOWN, node_down, m);
    ck_assert_int_eq(fx_run(&f, &cmd), ERR_STALE);
    ck_assert(core_node(f.c, "n1")->up);
    m.term = 1;
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    ck_assert(!core_node(f.c, "n1")->up);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core takeover");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_calls_follow_their_address);
    tcase_add_test(t, test_other_calls_are_spread);
    tcase_add_test(t, test_a_call_that_is_being_moved_stands_nowhere);
    tcase_add_test(t, test_same_site_first);
    tcase_add_test(t, test_address_goes_home);
    tcase_add_test(t, test_restart_before_it_was_missed);
    tcase_add_test(t, test_nobody_left);
    tcase_add_test(t, test_drain);
    tcase_add_test(t, test_undrained_alone);
    tcase_add_test(t, test_target_dies);
    tcase_add_test(t, test_one_home);
    tcase_add_test(t, test_declared_in_another_term);
    suite_add_tcase(s, t);
    return run_suite(s);
}
