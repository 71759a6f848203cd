/* Calls of more than two parties that are recorded: who is heard on which side, in each state, and who is found by that. Each step is followed by a
 * restart, which must change nothing. */
#include "core/core_int.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

#define M 1u
#define T(text) ((char *)(uintptr_t)(text))

static struct fx f;

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 5);
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    fx_must_set(&f, "[{'kind':'recording_rule','name':'all'},"
                    "{'kind':'agent','number':'2001','extension':'8005','type':'supervisor','manages_queues':['service']}]");
}

static void teardown(void)
{
    fx_close(&f);
}

static void run(Ev__Command *cmd)
{
    cmd->actor = T("token:admin");
    ck_assert_msg(fx_run(&f, cmd) == 0, "%s: %s", f.last.field, f.last.text);
    fx_same_after_restart(&f);
}

static void answer(uint64_t id)
{
    ck_assert_int_eq(fx_answer(&f, id, core_call(f.c, id)->offer.id), 0);
    fx_same_after_restart(&f);
}

/* A caller from outside and agent 1001 at 8001, since 10 s. */
static void served(void)
{
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, M, "13800138000", "10003", true), 0);
    answer(M);
    f.now += 10 * US;
}

static uint64_t latest(void)
{
    uint64_t id = 0;
    for (const struct core_call *k = NULL; (k = core_joined_next(f.c, M, k));)
        id = k->id;
    return id;
}

static uint64_t join(const char *extension, enum core_call_mode mode)
{
    Ev__CallJoin m = EV__CALL_JOIN__INIT;
    m.call_id = M;
    m.mode = (uint32_t)mode;
    m.extension = T(extension);
    FX_BODY(CALL_JOIN, call_join, m);
    run(&cmd);
    uint64_t id = latest();
    answer(id);
    f.now += 5 * US;
    return id;
}

static void turn(Ev__CallTurn__To to)
{
    Ev__CallTurn m = EV__CALL_TURN__INIT;
    m.call_id = M;
    m.to = to;
    FX_BODY(CALL_TURN, call_turn, m);
    run(&cmd);
}

static void mode(uint64_t from, enum core_call_mode how)
{
    Ev__CallMode m = EV__CALL_MODE__INIT;
    m.call_id = M;
    m.from = from;
    m.mode = (uint32_t)how;
    FX_BODY(CALL_MODE, call_mode, m);
    run(&cmd);
    f.now += 5 * US;
}

static void merge(void)
{
    Ev__CallMerge m = EV__CALL_MERGE__INIT;
    m.call_id = M;
    m.leg = T("");
    FX_BODY(CALL_MERGE, call_merge, m);
    run(&cmd);
}

static void pause_it(bool on)
{
    Ev__RecordingPause m = EV__RECORDING_PAUSE__INIT;
    m.call_id = M;
    m.on = on;
    FX_BODY(RECORDING_PAUSE, recording_pause, m);
    run(&cmd);
}

/* "l" left, "r" right, "-" not recorded: the caller, the agent, then who has joined. */
static void sides(const char *want)
{
    struct core_seat seat[CORE_SEATS_MAX];
    char is[CORE_SEATS_MAX + 1] = "";
    unsigned n = core_seats(f.c, M, seat);
    for (unsigned i = 0; i < n; i++)
        is[i] = "-lr"[seat[i].side];
    ck_assert_str_eq(is, want);
}

static void kept(void)
{
    Ev__RecordEnd m = EV__RECORD_END__INIT;
    m.id = M;
    m.sha256 = T(FX_SHA);
    m.bytes = 1000;
    m.duration_ms = 60000;
    m.why = T("");
    FX_BODY(RECORD_END, record_end, m);
    cmd.node = T("n1");
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
}

/* "role number agent channel from-to, ..." in seconds. */
static void segments(const char *want)
{
    json_t *row = fx_view(&f, "recording", "0000000000000001", NULL), *g;
    char is[512] = "";
    size_t i;
    json_array_foreach(json_object_get(row, "segments"), i, g)
    {
        size_t at = strlen(is);
        (void)snprintf(is + at, sizeof is - at, "%s%s %s %s %s %lld-%lld", i ? ", " : "", json_string_value(json_object_get(g, "role")),
                       json_string_value(json_object_get(g, "number")), json_string_value(json_object_get(g, "agent")),
                       json_string_value(json_object_get(g, "channel")), json_integer_value(json_object_get(g, "from_ms")) / 1000,
                       json_integer_value(json_object_get(g, "to_ms")) / 1000);
    }
    ck_assert_str_eq(is, want);
    json_decref(row);
}

static size_t found(const char *filter, const char *value)
{
    json_t *filters = json_pack("{s:s}", filter, value), *list = fx_view(&f, "recording", NULL, filters);
    size_t n = json_array_size(json_object_get(list, "items"));
    json_decref(list);
    json_decref(filters);
    return n;
}

START_TEST(test_consultation)
{
    served();
    sides("lr");
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    uint64_t s = join("8003", CORE_MODE_CONSULT);
    sides("lrr"); /* the customer hears music, and is recorded as on any hold */
    turn(EV__CALL_TURN__TO__MAIN);
    sides("lr-"); /* nobody hears the colleague */
    turn(EV__CALL_TURN__TO__CONSULTATION);
    fx_must_set(&f, "[{'kind':'parameter','name':'recording_consultations','value':'off'}]");
    sides("l--");
    turn(EV__CALL_TURN__TO__MAIN);
    sides("lr-");
    mode(s, CORE_MODE_PARTY);
    sides("lrr"); /* a conference is none */
    pause_it(true);
    ck_assert(core_call(f.c, M)->recording_paused);
    pause_it(false);
    ck_assert_int_eq(fx_end(&f, M, "caller"), 0);
    kept();
    segments("caller 13800138000  left 0-20, callee 8001 1001 right 0-20, joined 8003 1003 right 10-20");
    ck_assert_uint_eq(found("agent", "1003") + found("number", "8003"), 2);
    ck_assert_uint_eq(found("agent", "1004"), 0);
}
END_TEST

/* The colleague has the seat of the agent: on the same side, and listed as both. */
START_TEST(test_completed)
{
    served();
    (void)join("8003", CORE_MODE_CONSULT);
    merge();
    sides("lr");
    f.now += 5 * US;
    ck_assert_int_eq(fx_end(&f, M, "caller"), 0);
    kept();
    segments("callee 8001 1001 right 0-15, caller 13800138000  left 0-20, callee 8003  right 15-20, joined 8003  right 10-15");
}
END_TEST

/* Sent into a flow that asks for a card number, and back to an agent: the recording is the same, and nobody is in it meanwhile. */
START_TEST(test_digits_of_a_flow)
{
    served();
    Ev__CallTransfer m = EV__CALL_TRANSFER__INIT;
    m.call_id = M;
    m.flow = T("welcome");
    FX_BODY(CALL_TRANSFER, call_transfer, m);
    run(&cmd);
    ck_assert_int_eq(fx_phase(&f, M), CORE_CALL_MENU);
    ck_assert_uint_gt(core_call(f.c, M)->recorded_us, 0);
    sides("");
    f.now += 10 * US;
    ck_assert_int_eq(fx_queue(&f, M, "service"), 0);
    answer(M);
    sides("lr");
    ck_assert_int_eq(fx_end(&f, M, "caller"), 0);
    kept();
    segments("callee 8001 1001 right 0-10, caller 13800138000  left 0-20, callee 8001 1001 right 20-20");
}
END_TEST

START_TEST(test_supervisor)
{
    served();
    ck_assert_int_eq(fx_login(&f, "2001"), 0);
    uint64_t s = join("8005", CORE_MODE_LISTEN);
    sides("lr-");
    mode(s, CORE_MODE_WHISPER);
    sides("lr-");
    mode(s, CORE_MODE_PARTY);
    sides("lrr");
    mode(s, CORE_MODE_LISTEN);
    sides("lr-");
    (void)join("8004", CORE_MODE_PARTY);
    ck_assert_int_eq(fx_end(&f, M, "caller"), 0);
    kept();
    segments("caller 13800138000  left 0-35, callee 8001 1001 right 0-35, joined 8005 2001 right 20-25, joined 8004  right 30-35");
    ck_assert_uint_eq(found("agent", "2001"), 1);
}
END_TEST

/* One that is as long as it may be is kept while they are still there; who listens is not found. */
START_TEST(test_kept_before_the_end)
{
    served();
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
    ck_assert_int_eq(fx_login(&f, "2001"), 0);
    (void)join("8003", CORE_MODE_PARTY);
    (void)join("8005", CORE_MODE_LISTEN);
    kept();
    segments("caller 13800138000  left 0-20, callee 8001 1001 right 0-20, joined 8003 1003 right 10-20");
    ck_assert_uint_eq(found("agent", "2001"), 0);
}
END_TEST

/* A supervisor who comes and goes: so many times are listed, and the state does not grow by more. */
START_TEST(test_many_times)
{
    served();
    ck_assert_int_eq(fx_login(&f, "2001"), 0);
    uint64_t s = join("8005", CORE_MODE_LISTEN);
    for (int i = 0; i < 140; i++) {
        Ev__CallMode m = EV__CALL_MODE__INIT;
        m.call_id = M;
        m.from = s;
        m.mode = i % 2 ? CORE_MODE_LISTEN : CORE_MODE_PARTY;
        FX_BODY(CALL_MODE, call_mode, m);
        ck_assert_int_eq(fx_run(&f, &cmd), 0);
    }
    fx_same_after_restart(&f);
    ck_assert_uint_eq(core_call_obj(f.c, M)->st->n_recorded_parts, 64);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("recorded parties");
    TCase *t = tcase_create("parties");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_consultation);
    tcase_add_test(t, test_completed);
    tcase_add_test(t, test_digits_of_a_flow);
    tcase_add_test(t, test_supervisor);
    tcase_add_test(t, test_kept_before_the_end);
    tcase_add_test(t, test_many_times);
    suite_add_tcase(s, t);
    return run_suite(s);
}
