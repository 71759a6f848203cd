/* More than two parties: who joins, who hears whom, who leaves, and what becomes of the call, of agents and of records. Each step is followed by
 * a restart, which must change nothing. */
#include "core/core_int.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;
static uint64_t joined; /* the latest one */

#define T(text) ((char *)(uintptr_t)(text))
#define M 1u /* the call that others join */

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 5);
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    fx_must_set(&f, "[{'kind':'queue','name':'service','ring_time_s':15,'wrap_up_s':5,'members':[{'agent':'1001'},{'agent':'1002'}]},"
                    "{'kind':'queue','name':'sales','ring_time_s':10,'wrap_up_s':7,'members':[{'agent':'1003'},{'agent':'1004'}]},"
                    "{'kind':'trunk','name':'carrier','contact':'sip:192.0.2.9:5060','outbound':true},"
                    "{'kind':'parameter','name':'outbound_trunk','value':'carrier'}]");
}

static void teardown(void)
{
    fx_close(&f);
}

static int run(Ev__Command *cmd)
{
    cmd->actor = T("token:admin");
    int code = fx_run(&f, cmd);
    fx_same_after_restart(&f);
    return code;
}

static int join(const char *kind, const char *to, enum core_call_mode mode)
{
    Ev__CallJoin m = EV__CALL_JOIN__INIT;
    m.call_id = M;
    m.mode = (uint32_t)mode;
    *(strcmp(kind, "agent") == 0 ? &m.agent : strcmp(kind, "queue") == 0 ? &m.queue : strcmp(kind, "number") == 0 ? &m.number : &m.extension) = T(to);
    FX_BODY(CALL_JOIN, call_join, m);
    int code = run(&cmd);
    const struct core_call *last = NULL;
    for (const struct core_call *k = NULL; (k = core_joined_next(f.c, M, k));)
        last = k;
    joined = last ? last->id : 0;
    return code;
}

static int turn(Ev__CallTurn__To to)
{
    Ev__CallTurn m = EV__CALL_TURN__INIT;
    m.call_id = M;
    m.to = to;
    FX_BODY(CALL_TURN, call_turn, m);
    return run(&cmd);
}

static int mode(uint64_t from, enum core_call_mode how)
{
    Ev__CallMode m = EV__CALL_MODE__INIT;
    m.call_id = M;
    m.from = from;
    m.mode = (uint32_t)how;
    FX_BODY(CALL_MODE, call_mode, m);
    return run(&cmd);
}

static int merge(uint64_t from, const char *leg)
{
    Ev__CallMerge m = EV__CALL_MERGE__INIT;
    m.call_id = M;
    m.from = from;
    m.leg = T(leg);
    FX_BODY(CALL_MERGE, call_merge, m);
    return run(&cmd);
}

static int drop(const char *party)
{
    Ev__CallDrop m = EV__CALL_DROP__INIT;
    m.call_id = M;
    m.party = T(party);
    FX_BODY(CALL_DROP, call_drop, m);
    return run(&cmd);
}

static int left(uint32_t leg_id)
{
    Ev__CallLeft m = EV__CALL_LEFT__INIT;
    m.call_id = M;
    m.leg_id = leg_id;
    FX_BODY(CALL_LEFT, call_left, m);
    int code = fx_run(&f, &cmd);
    fx_same_after_restart(&f);
    return code;
}

static void answer(uint64_t id)
{
    ck_assert_int_eq(fx_answer(&f, id, core_call(f.c, id)->offer.id), 0);
    fx_same_after_restart(&f);
    f.now += 3 * US;
}

/* A caller from outside and agent 1001 at 8001. */
static void served(void)
{
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, M, "13800138000", "10003", true), 0);
    answer(M);
    ck_assert_int_eq(fx_phase(&f, M), CORE_CALL_TALKING);
    f.now += 10 * US;
}

static void consulting(void)
{
    served();
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    ck_assert_int_eq(join("agent", "1003", CORE_MODE_CONSULT), 0);
    answer(joined);
}

static void conference(void)
{
    consulting();
    ck_assert_int_eq(mode(0, CORE_MODE_PARTY), 0);
}

/* "caller:hears,hears callee:... " in the words of the seats. */
static void hears(const char *want)
{
    static const char names[] = "ABSTUVWXYZ"; /* A, B: of the call */
    static const char *const sounds[] = {[CORE_SOUND_SEATS] = "", [CORE_SOUND_MUSIC] = "music", [CORE_SOUND_RINGBACK] = "ring"};
    struct core_seat seat[CORE_SEATS_MAX];
    char is[256] = "";
    unsigned n = core_seats(f.c, M, seat);
    for (unsigned i = 0; i < n; i++) {
        size_t at = strlen(is);
        at += (size_t)snprintf(is + at, sizeof is - at, "%s%c:%s", i ? " " : "", names[i], sounds[seat[i].sound]);
        for (unsigned j = 0; j < n; j++)
            if (seat[i].hears & 1u << j)
                at += (size_t)snprintf(is + at, sizeof is - at, "%c", names[j]);
    }
    ck_assert_str_eq(is, want);
}

static json_t *record(uint64_t id)
{
    char key[17];
    (void)snprintf(key, sizeof key, "%016llx", (unsigned long long)id);
    json_t *r = fx_view(&f, "cdr", key, NULL);
    ck_assert_msg(json_is_object(r), "there is no record of %s", key);
    return r;
}

static void says(uint64_t id, const char *key, const char *want)
{
    json_t *r = record(id);
    const char *is = json_string_value(json_object_get(r, key));
    ck_assert_msg(is && strcmp(is, want) == 0, "%s is %s, not %s", key, is ? is : "(none)", want);
    json_decref(r);
}

static void segment_is(uint64_t id, size_t i, const char *number, const char *agent, const char *ended, uint64_t call)
{
    json_t *r = record(id);
    const json_t *g = json_array_get(json_object_get(r, "segments"), i);
    const char *const want[][2] = {{"number", number}, {"agent", agent}, {"ended", ended}};
    for (size_t k = 0; k < 3; k++)
        ck_assert_str_eq(json_string_value(json_object_get(g, want[k][0])), want[k][1]);
    char text[17] = "";
    if (call)
        (void)snprintf(text, sizeof text, "%016llx", (unsigned long long)call);
    const char *is = json_string_value(json_object_get(g, "call_id"));
    ck_assert_str_eq(is ? is : "", text);
    json_decref(r);
}

static void leg_is(unsigned i, enum core_leg_role role, const char *number, const char *agent)
{
    const struct core_call *k = core_call(f.c, M);
    ck_assert_uint_eq(k->n_legs, 2);
    ck_assert_int_eq(k->legs[i].role, role);
    ck_assert_str_eq(k->legs[i].number, number);
    ck_assert_str_eq(k->legs[i].agent, agent);
}

static unsigned parties(void)
{
    unsigned n = 0;
    for (const struct core_call *k = NULL; (k = core_joined_next(f.c, M, k));)
        n++;
    return n;
}

START_TEST(test_consult)
{
    served();
    hears("A:B B:A");
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    ck_assert_int_eq(join("agent", "1003", CORE_MODE_CONSULT), 0);
    const struct core_call *k = core_call(f.c, joined);
    ck_assert_int_eq(k->phase, CORE_CALL_DIALLING);
    ck_assert_uint_eq(k->n_legs, 0);
    ck_assert_str_eq(k->caller, "8001");
    ck_assert_str_eq(k->caller_name, "13800138000");
    ck_assert_int_eq(fx_state(&f, "1003"), CORE_AGENT_RINGING);
    hears("A:music B:ring");
    answer(joined);
    ck_assert_int_eq(fx_phase(&f, joined), CORE_CALL_JOINED);
    ck_assert_int_eq(fx_state(&f, "1003"), CORE_AGENT_TALKING);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_TALKING);
    hears("A:music B:S S:B");
    ck_assert_int_eq(turn(EV__CALL_TURN__TO__OTHER), 0);
    hears("A:B B:A S:music");
    ck_assert_int_eq(turn(EV__CALL_TURN__TO__MAIN), 0);
    hears("A:B B:A S:music");
    ck_assert_int_eq(turn(EV__CALL_TURN__TO__CONSULTATION), 0);
    hears("A:music B:S S:B");
    ck_assert_int_eq(join("extension", "8004", CORE_MODE_CONSULT), ERR_BUSY);
    uint64_t s = joined;
    ck_assert_int_eq(drop(""), 0); /* cancelled */
    hears("A:B B:A");
    ck_assert_int_eq(fx_phase(&f, s), CORE_CALL_FAILED);
    ck_assert_str_eq(core_call(f.c, s)->fail_cause, "dropped");
    ck_assert_int_eq(fx_end(&f, s, "system"), 0);
    ck_assert_int_eq(fx_state(&f, "1003"), CORE_AGENT_IDLE);
    says(s, "direction", "internal");
    says(s, "caller", "8001");
    says(s, "called", "1003");
    says(s, "answered_by", "8003");
    says(s, "agent", "1003");
    ck_assert_int_eq(turn(EV__CALL_TURN__TO__OTHER), ERR_BADSTATE);
    ck_assert_int_eq(fx_end(&f, M, "caller"), 0);
    says(M, "agent", "1001");
}
END_TEST

START_TEST(test_in_vain)
{
    served();
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    ck_assert_int_eq(join("agent", "1003", CORE_MODE_CONSULT), 0);
    uint64_t s = joined;
    ck_assert_int_eq(fx_fail(&f, s, core_call(f.c, s)->offer.id, EV__OFFER_FAILED__CAUSE__BUSY), 0);
    fx_same_after_restart(&f);
    ck_assert_ptr_null(core_call(f.c, s));
    hears("A:B B:A");
    says(s, "cause", "busy");
    says(s, "answered_by", "");
    ck_assert_int_eq(fx_state(&f, "1003"), CORE_AGENT_IDLE);
    ck_assert_int_eq(join("agent", "1005", CORE_MODE_CONSULT), ERR_BADSTATE); /* not logged in */
    ck_assert_int_eq(join("extension", "8001", CORE_MODE_CONSULT), ERR_BUSY);
    ck_assert_int_eq(join("extension", "8009", CORE_MODE_CONSULT), ERR_NOTFOUND);
    ck_assert_int_eq(join("queue", "none", CORE_MODE_CONSULT), ERR_NOTFOUND);
    ck_assert_int_eq(join("number", "abc", CORE_MODE_CONSULT), ERR_INVAL);
    ck_assert_uint_eq(parties(), 0);
}
END_TEST

START_TEST(test_complete)
{
    consulting();
    uint64_t s = joined;
    const uint64_t connected = core_call(f.c, M)->connected_us;
    ck_assert_int_eq(merge(0, ""), 0);
    ck_assert_ptr_null(core_call(f.c, s));
    const struct core_call *k = core_call(f.c, M);
    ck_assert_int_eq(k->phase, CORE_CALL_TALKING);
    ck_assert_uint_eq(k->connected_us, connected);
    leg_is(0, CORE_LEG_CALLER, "13800138000", "");
    leg_is(1, CORE_LEG_CALLEE, "8003", "1003");
    ck_assert_uint_eq(k->legs[1].from_call, s);
    ck_assert_ptr_eq(core_call_taker(f.c, s), k);
    ck_assert_str_eq(k->left->number, "8001");
    hears("A:B B:A");
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_WRAP_UP); /* of his queue */
    ck_assert_int_eq(fx_state(&f, "1003"), CORE_AGENT_TALKING);
    says(s, "cause", "merged");
    segment_is(s, 0, "8003", "1003", "merged", M);
    f.now += 5 * US;
    ck_assert_int_eq(fx_end(&f, M, "caller"), 0);
    struct core_counts counts;
    core_get_counts(f.c, &counts);
    ck_assert_uint_eq(counts.calls_total, 2);
    ck_assert_uint_eq(counts.calls + counts.talking, 0);
    ck_assert_int_eq(fx_state(&f, "1003"), CORE_AGENT_IDLE);
    says(M, "queue", "service");
    says(M, "agent", "1003");
    segment_is(M, 0, "8001", "1001", "transfer", 0);
    segment_is(M, 1, "13800138000", "", "hang_up", 0);
    segment_is(M, 2, "8003", "1003", "end", s);
}
END_TEST

/* Who leaves shortly after somebody else: both may not have been told by a former owner. What is long ago is forgotten. */
START_TEST(test_one_after_another)
{
    static const char *const next[] = {"1004", "1005"};
    consulting();
    ck_assert_int_eq(merge(0, ""), 0);
    ck_assert_uint_eq(core_call(f.c, M)->n_left_before, 0);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(fx_login(&f, next[i]), 0);
        ck_assert_int_eq(join("agent", next[i], CORE_MODE_CONSULT), 0);
        answer(joined);
        ck_assert_int_eq(merge(0, ""), 0);
        fx_same_after_restart(&f);
    }
    const struct core_call *k = core_call(f.c, M);
    ck_assert_uint_eq(k->n_left_before, 2);
    ck_assert_str_eq(k->left_before[0]->leg->number, "8001");
    ck_assert_str_eq(k->left_before[1]->leg->number, "8003");
    ck_assert_str_eq(k->left->number, "8004");
    ck_assert_uint_gt(k->left_us, k->left_before[1]->us);
    f.now += 40 * US;
    ck_assert_int_eq(join("extension", "8003", CORE_MODE_CONSULT), 0);
    answer(joined);
    ck_assert_int_eq(merge(0, ""), 0);
    k = core_call(f.c, M);
    ck_assert_uint_eq(k->n_left_before, 0);
    ck_assert_str_eq(k->left->number, "8005");
}
END_TEST

/* The customer, the agent: whoever hangs up, the other one and whom he consulted go on. */
START_TEST(test_left)
{
    consulting();
    uint64_t s = joined;
    ck_assert_int_eq(left(_i ? 2 : 1), 0);
    ck_assert_ptr_null(core_call(f.c, s));
    leg_is(0, CORE_LEG_CALLER, _i ? "13800138000" : "8003", _i ? "" : "1003");
    leg_is(1, CORE_LEG_CALLEE, _i ? "8003" : "8001", _i ? "1003" : "1001");
    hears("A:B B:A");
    ck_assert_int_eq(fx_state(&f, "1001"), _i ? CORE_AGENT_WRAP_UP : CORE_AGENT_TALKING);
    ck_assert_int_eq(left(_i ? 3 : 2), ERR_BADSTATE); /* nobody else is there */
    ck_assert_int_eq(fx_end(&f, M, _i ? "agent" : "caller"), 0);
    segment_is(M, 0, _i ? "8001" : "13800138000", _i ? "1001" : "", _i ? "transfer" : "hang_up", 0);
    ck_assert_int_eq(fx_state(&f, "1003"), CORE_AGENT_IDLE);
    says(M, "direction", "inbound");
    says(M, "caller", "13800138000");
}
END_TEST

/* It is over, and its owner's to call off and to end. */
static void called_off(uint64_t id, const char *extension)
{
    const struct core_call *k = core_call(f.c, id);
    ck_assert_ptr_nonnull(k);
    ck_assert_int_eq(k->phase, CORE_CALL_FAILED);
    ck_assert_uint_eq(k->n_offers, 0);
    ck_assert_uint_eq(k->n_called_off, 1);
    ck_assert_str_eq(k->called_off[0].extension, extension);
    char cause[32];
    (void)snprintf(cause, sizeof cause, "%s", k->fail_cause);
    Ev__CallEnd m = EV__CALL_END__INIT;
    m.call_id = id;
    m.by = T("system");
    m.cause = cause;
    FX_BODY(CALL_END, call_end, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    fx_same_after_restart(&f);
    ck_assert_ptr_null(core_call(f.c, id));
}

/* Completed while it rings, by request or by hanging up: a transfer. */
START_TEST(test_while_it_rings)
{
    served();
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    const char *const kind[] = {"agent", "queue", "number"}, *const to[] = {"1003", "sales", "13900139000"};
    ck_assert_int_eq(join(kind[_i % 3], to[_i % 3], CORE_MODE_CONSULT), 0);
    uint64_t s = joined;
    ck_assert_int_eq(_i < 3 ? merge(0, "") : left(2), 0);
    called_off(s, _i % 3 == 2 ? "13900139000" : "8003");
    const struct core_call *k = core_call(f.c, M);
    ck_assert_uint_eq(k->n_legs, 1);
    ck_assert_str_eq(k->offer.extension, _i % 3 == 2 ? "13900139000" : "8003");
    ck_assert_int_eq(k->phase, _i % 3 == 1 ? CORE_CALL_OFFERED : CORE_CALL_DIALLING);
    says(s, "cause", "call_over");
    answer(M);
    leg_is(1, CORE_LEG_CALLEE, _i % 3 == 2 ? "13900139000" : "8003", _i % 3 == 2 ? "" : "1003");
}
END_TEST

/* The customer does not wait for whom his agent calls. */
START_TEST(test_left_while_it_rings)
{
    served();
    ck_assert_int_eq(join("extension", "8004", CORE_MODE_CONSULT), 0);
    uint64_t s = joined;
    ck_assert_int_eq(left(1), ERR_BADSTATE);
    ck_assert_int_eq(fx_end(&f, M, "caller"), 0);
    called_off(s, "8004");
    says(s, "cause", "call_over");
}
END_TEST

/* Whoever was asked has his wrap-up once his owner has hung up, on a node that was started anew in between as well. */
START_TEST(test_wrap_up_after_it)
{
    served();
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    ck_assert_int_eq(join("queue", "sales", CORE_MODE_CONSULT), 0);
    uint64_t s = joined;
    answer(s);
    ck_assert_int_eq(fx_end(&f, M, "caller"), 0);
    ck_assert_int_eq(fx_phase(&f, s), CORE_CALL_FAILED);
    fx_reopen(&f);
    ck_assert_int_eq(fx_end(&f, s, "system"), 0);
    ck_assert_int_eq(fx_state(&f, "1003"), CORE_AGENT_WRAP_UP);
}
END_TEST

/* Nobody rings for ever: that his telephone is to be called off is in the state, until whoever owns the call then has done so. */
START_TEST(test_owner_dies_while_it_rings)
{
    served();
    ck_assert_int_eq(join("extension", "8004", CORE_MODE_CONSULT), 0);
    uint64_t s = joined, offer = core_call(f.c, s)->offer.id;
    ck_assert_int_eq(drop(""), 0);
    ck_assert_int_eq(fx_start(&f, 5, "8001", "8004", false), 0); /* it is free meanwhile */
    ck_assert_int_eq(fx_phase(&f, 5), CORE_CALL_DIALLING);
    ck_assert_int_eq(fx_node_down(&f, "n1", 1), 0);
    fx_same_after_restart(&f);
    const struct core_call *k = core_call(f.c, s);
    ck_assert_ptr_nonnull(k);
    ck_assert_str_eq(k->owner, "n2");
    ck_assert_int_eq(k->phase, CORE_CALL_FAILED);
    ck_assert_uint_eq(k->n_called_off, 1);
    ck_assert_uint_eq(k->called_off[0].id, offer);
    ck_assert_str_eq(k->called_off[0].extension, "8004");
}
END_TEST

START_TEST(test_conference)
{
    conference();
    uint64_t s = joined;
    hears("A:BS B:AS S:AB");
    ck_assert_int_eq(join("number", "13900139000", CORE_MODE_PARTY), 0);
    uint64_t t = joined;
    hears("A:BS B:AS S:AB");
    answer(t);
    hears("A:BST B:AST S:ABT T:ABS");
    ck_assert_str_eq(core_call(f.c, t)->trunk, "carrier");
    /* one of them is consulted apart from the others */
    ck_assert_int_eq(join("extension", "8005", CORE_MODE_CONSULT), 0);
    hears("A:ST B:ring S:AT T:AS");
    answer(joined);
    hears("A:ST B:U S:AT T:AS U:B");
    ck_assert_int_eq(turn(EV__CALL_TURN__TO__OTHER), 0);
    hears("A:BST B:AST S:ABT T:ABS U:music");
    ck_assert_int_eq(drop("8005"), 0);
    ck_assert_int_eq(drop("13900139000"), 0);
    hears("A:BS B:AS S:AB");
    ck_assert_int_eq(drop("nobody"), ERR_NOTFOUND);
    ck_assert_int_eq(left(1), 0); /* the customer */
    leg_is(0, CORE_LEG_CALLER, "8003", "1003");
    leg_is(1, CORE_LEG_CALLEE, "8001", "1001");
    ck_assert_ptr_null(core_call(f.c, s));
    ck_assert_int_eq(fx_end(&f, t, "system"), 0);
    says(t, "direction", "outbound");
    says(t, "trunk", "carrier");
    says(t, "answered_by", "13900139000");
}
END_TEST

/* Sent away by name: another one takes the place, as long as there is one. */
START_TEST(test_drop_of_its_own)
{
    conference();
    ck_assert_int_eq(drop("caller"), 0);
    leg_is(0, CORE_LEG_CALLER, "8003", "1003");
    ck_assert_str_eq(core_call(f.c, M)->left->number, "13800138000");
    ck_assert_str_eq(core_call(f.c, M)->left_trunk, "demo");
    ck_assert_int_eq(drop("caller"), ERR_BADSTATE);
    ck_assert_int_eq(fx_end(&f, M, "agent"), 0);
    segment_is(M, 0, "13800138000", "", "dropped", 0);
}
END_TEST

START_TEST(test_listeners)
{
    served();
    ck_assert_int_eq(join("extension", "8004", CORE_MODE_LISTEN), 0);
    uint64_t s = joined;
    answer(s);
    hears("A:B B:A S:AB");
    ck_assert_int_eq(mode(s, CORE_MODE_WHISPER), 0);
    hears("A:B B:AS S:AB");
    ck_assert_int_eq(mode(s, CORE_MODE_PARTY), 0);
    hears("A:BS B:AS S:AB");
    ck_assert_int_eq(mode(s, CORE_MODE_LISTEN), 0);
    ck_assert_int_eq(mode(s, CORE_MODE_CONSULT), ERR_UNSUPPORTED);
    ck_assert_int_eq(mode(0, CORE_MODE_PARTY), ERR_BADSTATE);
    /* he does not take a seat, and hears what is consulted about */
    ck_assert_int_eq(left(1), ERR_BADSTATE);
    ck_assert_int_eq(join("extension", "8005", CORE_MODE_CONSULT), 0);
    uint64_t t = s == joined ? 0 : joined;
    answer(t);
    hears("A:music B:T S:ABT T:B");
    ck_assert_int_eq(merge(0, ""), 0);
    leg_is(1, CORE_LEG_CALLEE, "8005", "");
    hears("A:B B:A S:AB");
    ck_assert_int_eq(merge(s, "callee"), 0); /* a call is taken over */
    leg_is(1, CORE_LEG_CALLEE, "8004", "");
    ck_assert_uint_eq(parties(), 0);
    hears("A:B B:A");
}
END_TEST

/* Whoever holds hears nothing and is not heard; the others go on. */
START_TEST(test_holds)
{
    conference();
    Ev__CallParty m = EV__CALL_PARTY__INIT;
    m.call_id = M;
    m.leg = T("callee");
    m.action = EV__CALL_PARTY__ACTION__HOLD;
    FX_BODY(CALL_PARTY, call_party, m);
    ck_assert_int_eq(run(&cmd), 0);
    hears("A:S B: S:A");
}
END_TEST

/* As many as there may be. */
START_TEST(test_limit)
{
    served();
    fx_must_set(&f, "[{'kind':'extension','number':'8020','contact':'sip:8020@127.0.0.1:9020','password':'secret20'}]");
    for (unsigned i = 0; i < CORE_JOINED_MAX; i++) {
        char number[16];
        (void)snprintf(number, sizeof number, "1390013900%u", i);
        ck_assert_int_eq(join("number", number, CORE_MODE_PARTY), 0);
        answer(joined);
    }
    ck_assert_int_eq(join("extension", "8020", CORE_MODE_LISTEN), ERR_TOOBIG);
    struct core_seat seat[CORE_SEATS_MAX];
    ck_assert_uint_eq(core_seats(f.c, M, seat), CORE_SEATS_MAX);
    ck_assert_uint_eq(seat[0].hears, (1u << CORE_SEATS_MAX) - 2);
    ck_assert_int_eq(fx_end(&f, M, "caller"), 0);
    fx_same_after_restart(&f);
    const struct core_call *k = NULL;
    for (unsigned i = 0; i < CORE_JOINED_MAX; i++) {
        k = core_call_next(f.c, k, NULL);
        ck_assert_int_eq(k->phase, CORE_CALL_FAILED);
        ck_assert_str_eq(k->fail_cause, "call_over");
    }
    ck_assert_ptr_null(core_call_next(f.c, k, NULL));
}
END_TEST

/* A queue's agent is consulted: whoever is free, or when somebody is. */
START_TEST(test_queue)
{
    served();
    ck_assert_int_eq(join("queue", "sales", CORE_MODE_CONSULT), 0);
    uint64_t s = joined;
    ck_assert_int_eq(fx_phase(&f, s), CORE_CALL_WAITING);
    hears("A:music B:ring");
    f.now += 4 * US;
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    ck_assert_int_eq(fx_phase(&f, s), CORE_CALL_OFFERED);
    ck_assert_int_eq(fx_fail(&f, s, core_call(f.c, s)->offer.id, EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    fx_same_after_restart(&f);
    ck_assert_int_eq(fx_phase(&f, s), CORE_CALL_WAITING); /* as any caller of a queue */
    hears("A:music B:ring");
    ck_assert_int_eq(fx_ready(&f, "1003"), 0);
    answer(s);
    ck_assert_int_eq(fx_phase(&f, s), CORE_CALL_JOINED);
    ck_assert_str_eq(core_call(f.c, s)->legs[0].agent, "1003");
    ck_assert_int_eq(fx_end(&f, s, "agent"), 0);
    ck_assert_int_eq(fx_state(&f, "1003"), CORE_AGENT_WRAP_UP);
    hears("A:B B:A");
    says(s, "queue", "sales");
    says(s, "agent", "1003");
}
END_TEST

/* What a queue does with callers who wait too long is nothing for one who is not there yet: it was in vain. */
START_TEST(test_queue_sends_away)
{
    fx_must_set(&f, "[{'kind':'queue','name':'sales','max_wait_s':20,'max_wait_action':{'type':'flow','target':'welcome'},"
                    "'members':[{'agent':'1003'}]}]");
    served();
    ck_assert_int_eq(join("queue", "sales", CORE_MODE_CONSULT), 0);
    uint64_t s = joined;
    fx_later(&f, f.now + 21 * US);
    fx_same_after_restart(&f);
    ck_assert_int_eq(fx_phase(&f, s), CORE_CALL_FAILED);
    hears("A:B B:A");
    ck_assert_int_eq(fx_end(&f, s, "system"), 0);
    says(s, "agent", "");
}
END_TEST

/* The call goes elsewhere: whoever had joined it goes. */
START_TEST(test_transferred)
{
    conference();
    uint64_t s = joined;
    Ev__CallTransfer t = EV__CALL_TRANSFER__INIT;
    t.call_id = M;
    t.extension = T("8004");
    FX_BODY(CALL_TRANSFER, call_transfer, t);
    ck_assert_int_eq(run(&cmd), 0);
    ck_assert_int_eq(fx_phase(&f, s), CORE_CALL_FAILED);
    ck_assert_uint_eq(parties(), 0);
}
END_TEST

/* A telephone that has dialled a code; its call comes to the owner of the other one. */
START_TEST(test_from_a_call)
{
    served();
    f.node = "n2";
    ck_assert_int_eq(fx_start(&f, 9, "8004", "10001", true), 0);
    f.node = "n1";
    Ev__CallJoin m = EV__CALL_JOIN__INIT;
    m.call_id = M;
    m.mode = CORE_MODE_LISTEN;
    m.from = 9;
    FX_BODY(CALL_JOIN, call_join, m);
    ck_assert_int_eq(run(&cmd), 0);
    const struct core_call *k = core_call(f.c, 9);
    ck_assert_int_eq(k->phase, CORE_CALL_JOINED);
    ck_assert_str_eq(k->owner, "n1");
    ck_assert_uint_eq(k->epoch, 2);
    hears("A:B B:A S:AB");
    cmd.time_us = 0;
    ck_assert_int_eq(run(&cmd), ERR_BADSTATE);
}
END_TEST

/* Whoever is rung is spared: another telephone answers, or a party of another call. */
START_TEST(test_instead_of_who_is_rung)
{
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, M, "13800138000", "10003", true), 0);
    ck_assert_int_eq(fx_phase(&f, M), CORE_CALL_OFFERED);
    ck_assert_int_eq(fx_start(&f, 9, "8004", _i ? "8005" : "10001", !_i), 0);
    if (_i)
        answer(9);
    f.now += US;
    Ev__CallMerge m = EV__CALL_MERGE__INIT;
    m.call_id = M;
    m.from = 9;
    m.from_leg = _i ? 2 : 0;
    FX_BODY(CALL_MERGE, call_merge, m);
    ck_assert_int_eq(run(&cmd), 0);
    ck_assert_int_eq(fx_phase(&f, M), CORE_CALL_TALKING);
    leg_is(1, CORE_LEG_CALLEE, _i ? "8005" : "8004", "");
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_IDLE);
    ck_assert_uint_eq(core_call(f.c, M)->n_called_off, 1);
    ck_assert_str_eq(core_call(f.c, M)->called_off[0].extension, "8001");
    if (_i) { /* the other one of that call is hung up */
        ck_assert_int_eq(fx_phase(&f, 9), CORE_CALL_FAILED);
        ck_assert_uint_eq(core_call(f.c, 9)->went_into, M);
        ck_assert_str_eq(core_call(f.c, 9)->legs[0].number, "8004");
        ck_assert_int_eq(fx_end(&f, 9, "system"), 0);
    }
    ck_assert_ptr_null(core_call(f.c, 9));
    says(9, "cause", _i ? "normal" : "merged");
    ck_assert_int_eq(fx_end(&f, M, "caller"), 0);
}
END_TEST

/* The call and all that have joined it change hands together, and only together. */
START_TEST(test_takeover)
{
    consulting();
    ck_assert_int_eq(join("number", "13900139000", CORE_MODE_PARTY), 0); /* rings */
    uint64_t a = joined;
    uint64_t s[2], n = 0;
    for (const struct core_call *k = NULL; (k = core_joined_next(f.c, M, k));)
        s[n++] = k->id;
    ck_assert_uint_eq(n, 2);
    Ev__CallMove m = EV__CALL_MOVE__INIT;
    m.call_id = s[0];
    FX_BODY(CALL_MOVE, call_move, m);
    ck_assert_int_eq(fx_run(&f, &cmd), ERR_BADSTATE);
    if (_i == 0) {
        ck_assert_int_eq(fx_node_down(&f, "n1", 1), 0);
    } else {
        m.call_id = M;
        cmd.time_us = 0;
        ck_assert_int_eq(fx_run(&f, &cmd), 0);
    }
    fx_same_after_restart(&f);
    const struct core_call *k = core_call(f.c, M);
    ck_assert_str_eq(k->owner, "n2");
    ck_assert_uint_eq(k->epoch, 2);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_str_eq(core_call(f.c, s[i])->owner, "n2");
        ck_assert_uint_eq(core_call(f.c, s[i])->epoch, 2);
    }
    ck_assert_uint_eq(core_call(f.c, a)->offer.former_epoch, 1); /* is rung anew */
    hears("A:music B:S S:B");
    f.node = "n2";
    answer(a);
    ck_assert_int_eq(mode(0, CORE_MODE_PARTY), 0);
    hears("A:BST B:AST S:ABT T:ABS");
    ck_assert_int_eq(fx_end(&f, M, "caller"), 0);
}
END_TEST

/* What views tell. */
START_TEST(test_view)
{
    consulting();
    char id[17], key[17];
    (void)snprintf(id, sizeof id, "%016llx", (unsigned long long)joined);
    (void)snprintf(key, sizeof key, "%016llx", (unsigned long long)M);
    json_t *r = fx_view(&f, "call", key, NULL);
    const json_t *p = json_array_get(json_object_get(r, "parties"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(p, "call_id")), id);
    ck_assert_str_eq(json_string_value(json_object_get(p, "mode")), "consult");
    ck_assert_str_eq(json_string_value(json_object_get(p, "party")), "8003");
    ck_assert_str_eq(json_string_value(json_object_get(p, "agent")), "1003");
    ck_assert_str_eq(json_string_value(json_object_get(p, "phase")), "joined");
    ck_assert_str_eq(json_string_value(json_object_get(r, "turned_to")), id);
    ck_assert_int_eq(json_integer_value(json_object_get(r, "turned_leg")), 2);
    json_decref(r);
    r = fx_view(&f, "call", id, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(r, "joined_to")), key);
    json_decref(r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("join");
    TCase *t = tcase_create("join");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_consult);
    tcase_add_test(t, test_in_vain);
    tcase_add_test(t, test_complete);
    tcase_add_test(t, test_one_after_another);
    tcase_add_loop_test(t, test_left, 0, 2);
    tcase_add_loop_test(t, test_while_it_rings, 0, 6);
    tcase_add_test(t, test_left_while_it_rings);
    tcase_add_test(t, test_owner_dies_while_it_rings);
    tcase_add_test(t, test_wrap_up_after_it);
    tcase_add_test(t, test_conference);
    tcase_add_test(t, test_drop_of_its_own);
    tcase_add_test(t, test_listeners);
    tcase_add_test(t, test_holds);
    tcase_add_test(t, test_limit);
    tcase_add_test(t, test_queue);
    tcase_add_test(t, test_queue_sends_away);
    tcase_add_test(t, test_transferred);
    tcase_add_test(t, test_from_a_call);
    tcase_add_loop_test(t, test_instead_of_who_is_rung, 0, 2);
    tcase_add_loop_test(t, test_takeover, 0, 2);
    tcase_add_test(t, test_view);
    suite_add_tcase(s, t);
    return run_suite(s);
}
