/* What agents choose to be, with reasons, limits and the least time; wrap-up; and what is counted of it. What a restart must not
 * change is asked before and after one. */
#include "core/core_int.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static void set(const char *text)
{
    fx_must_set(&f, text);
}

static void raise_to(uint32_t level)
{
    ck_assert_int_eq(fx_raise(&f, level), 0);
}

static void at_level_2(void)
{
    fx_open(&f);
    fx_demo(&f, 3);
    raise_to(2);
}

static void setup(void)
{
    at_level_2();
    raise_to(3);
    set("[{'kind':'agent_state','name':'lunch','name_zh':'午餐','code':'5','limit_s':60,'reasons':['meal','prayer'],"
        "'reason_required':true},"
        "{'kind':'agent_state','name':'training','code':'61','limit_s':100,'then':'logout','counts_as':'work'},"
        "{'kind':'queue','name':'service','wrap_up_s':5,'members':[{'agent':'1001'},{'agent':'1002'}]},"
        "{'kind':'queue','name':'short','wrap_up_s':2,'members':[{'agent':'1001'}]},"
        "{'kind':'queue','name':'none','members':[{'agent':'1001'}]},"
        "{'kind':'access_number','number':'10004','queue':'short'},"
        "{'kind':'access_number','number':'10005','queue':'none'}]");
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
}

static void teardown(void)
{
    fx_close(&f);
}

static int choose(const char *state, const char *reason, const char *code, bool force, uint32_t extend_s)
{
    Ev__AgentSet m = EV__AGENT_SET__INIT;
    m.agent = (char *)(uintptr_t) "1001";
    m.action = EV__AGENT_SET__ACTION__SET_STATE;
    m.state = (char *)(uintptr_t)state;
    m.reason = (char *)(uintptr_t)reason;
    m.code = (char *)(uintptr_t)code;
    m.force = force;
    m.extend_s = extend_s;
    FX_BODY(AGENT_SET, agent_set, m);
    cmd.actor = (char *)(uintptr_t) "token:admin";
    return fx_run(&f, &cmd);
}

static int state(const char *name, const char *reason)
{
    return choose(name, reason, "", false, 0);
}

static void refused(int code, int want, const char *field, const char *words)
{
    ck_assert_int_eq(code, want);
    ck_assert_str_eq(f.last.field, field);
    ck_assert_msg(strstr(f.last.text, words) != NULL, "%s", f.last.text);
}

static void is(enum core_agent_state want, const char *activity, const char *reason)
{
    json_t *o = fx_view(&f, "agent", "1001", NULL);
    ck_assert_int_eq(fx_state(&f, "1001"), want);
    ck_assert_str_eq(json_string_value(json_object_get(o, "activity")), activity);
    ck_assert_str_eq(json_string_value(json_object_get(o, "reason")), reason);
    json_decref(o);
}

/* Until just before and then until after the moment that the clock of the state waits for, with a restart between. */
static void through(uint64_t due, enum core_agent_state before)
{
    ck_assert_uint_eq(core_next_due_us(f.c), due);
    if (due > f.now + CORE_CLOCK_STEP_US)
        fx_later(&f, due - US);
    f.now = due - 2; /* each command is one later */
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_int_eq(fx_state(&f, "1001"), before);
    fx_reopen(&f);
    ck_assert_uint_eq(core_next_due_us(f.c), due);
    ck_assert_int_eq(fx_tick(&f), 0);
}

/* A call that 1001 serves is at its end. */
static void serve(uint64_t id, const char *number)
{
    ck_assert_int_eq(fx_start(&f, id, "13800", number, true), 0);
    ck_assert_int_eq(fx_answer(&f, id, core_call(f.c, id)->offer.id), 0);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_TALKING);
}

START_TEST(test_choice)
{
    refused(state("asleep", ""), ERR_INVAL, "state", "known are away, break, busy, lunch, not_ready, ready, training");
    refused(state("lunch", ""), ERR_INVAL, "reason", "needs a reason: one of meal, prayer");
    refused(state("lunch", "sport"), ERR_INVAL, "reason", "sport is no reason of state lunch; it has meal, prayer");
    is(CORE_AGENT_IDLE, "ready", "");
    ck_assert_int_eq(state("lunch", "meal"), 0);
    ck_assert_ptr_nonnull(strstr(f.last.json, "\"activity\":\"lunch\""));
    is(CORE_AGENT_NOT_READY, "lunch", "meal");
    fx_reopen(&f);
    is(CORE_AGENT_NOT_READY, "lunch", "meal");
    ck_assert_int_eq(state("away", "dentist"), 0);
    is(CORE_AGENT_NOT_READY, "away", "dentist");
    ck_assert_int_eq(state("not_ready", ""), 0);
    is(CORE_AGENT_NOT_READY, "not_ready", "");
    ck_assert_int_eq(state("ready", "ignored"), 0);
    is(CORE_AGENT_IDLE, "ready", "");
    refused(choose("away", "", "", false, 5), ERR_INVAL, "extend_s", "wrap_up");
    ck_assert_int_eq(fx_logout(&f, "1001"), 0);
    refused(state("lunch", "meal"), ERR_BADSTATE, "agent", "not logged in");
    is(CORE_AGENT_LOGGED_OUT, "", "");
}
END_TEST

START_TEST(test_codes)
{
    ck_assert_int_eq(choose("", "", "2", false, 0), 0);
    is(CORE_AGENT_NOT_READY, "away", "");
    ck_assert_int_eq(choose("", "", "61", false, 0), 0);
    is(CORE_AGENT_NOT_READY, "training", "");
    refused(choose("", "", "5", false, 0), ERR_INVAL, "reason", "needs a reason");
    ck_assert_int_eq(choose("", "", "5*2", false, 0), 0);
    is(CORE_AGENT_NOT_READY, "lunch", "prayer");
    refused(choose("", "", "5*3", false, 0), ERR_INVAL, "code", "no reason with the number 3");
    refused(choose("", "", "5*99999999999999999999", false, 0), ERR_INVAL, "code", "no reason");
    refused(choose("", "", "2*1", false, 0), ERR_INVAL, "code", "no reason");
    refused(choose("", "", "7", false, 0), ERR_INVAL, "code", "no state with the code 7");
    refused(choose("", "", "6", false, 0), ERR_INVAL, "code", "no state");
    refused(choose("", "", "x", false, 0), ERR_INVAL, "code", "no state");
    refused(choose("", "", "*1", false, 0), ERR_INVAL, "code", "no state");
    struct core_route r;
    core_route(f.c, f.now, "8001", "*745*2", &r);
    ck_assert_int_eq(r.kind, CORE_ROUTE_APP);
    ck_assert_str_eq(r.name, "code:not_ready");
    ck_assert_str_eq(r.argument, "5*2");
    core_route(f.c, f.now, "8001", "*732", &r);
    ck_assert_int_eq(r.kind, CORE_ROUTE_NONE);
    /* a code that a state is given is no longer that of a built-in one */
    set("[{'kind':'agent_state','name':'mail','code':'1'},{'kind':'agent_state','name':'break','code':'9'}]");
    ck_assert_int_eq(choose("", "", "1", false, 0), 0);
    is(CORE_AGENT_NOT_READY, "mail", "");
    ck_assert_int_eq(choose("", "", "9", false, 0), 0);
    is(CORE_AGENT_NOT_READY, "break", "");
    refused(choose("", "", "3", false, 0), ERR_INVAL, "code", "no state");
}
END_TEST

START_TEST(test_configuration)
{
    refused(fx_set(&f, "[{'kind':'agent_state','name':'mail','code':'5'}]"), ERR_CONFLICT, "agent_state/mail.code", "lunch");
    set("[{'kind':'agent_state','name':'mail','code':'5'},{'kind':'agent_state','name':'lunch','code':'6'}]"); /* both at once */
    ck_assert_int_eq(state("mail", ""), 0);
    refused(fx_config(&f, NULL, "['agent_state/mail']", NULL, NULL), ERR_CONFLICT, "agent_state/mail", "1001");
    ck_assert_int_eq(state("ready", ""), 0);
    ck_assert_int_eq(fx_config(&f, NULL, "['agent_state/mail']", NULL, NULL), 0);
    json_t *all = fx_view(&f, "agent_state", NULL, NULL), *items = json_object_get(all, "items"), *o;
    static const char *const names[] = {"away", "break", "busy", "lunch", "not_ready", "ready", "training"};
    ck_assert_uint_eq(json_array_size(items), 7);
    size_t i;
    json_array_foreach(items, i, o) ck_assert_str_eq(json_string_value(json_object_get(o, "name")), names[i]);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(items, 1), "name_zh")), "小休");
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(items, 1), "code")), "3");
    json_decref(all);
    set("[{'kind':'agent_state','name':'break','limit_s':900}]"); /* the rest as built in */
    o = fx_view(&f, "agent_state", "break", NULL);
    ck_assert_str_eq(json_string_value(json_object_get(o, "name_zh")), "小休");
    ck_assert_str_eq(json_string_value(json_object_get(o, "counts_as")), "break");
    ck_assert_int_eq(json_integer_value(json_object_get(o, "limit_s")), 900);
    ck_assert(json_is_true(json_object_get(o, "built_in")));
    json_decref(o);
    struct err_info info = {0};
    struct Ev__ConfigObject *made = NULL;
    static const char *const bad[][2] = {{"{\"name\":\"wrap_up\"}", "name"},
                                         {"{\"name\":\"ready\"}", "name"},
                                         {"{\"name\":\"x\",\"code\":\"1a\"}", "code"},
                                         {"{\"name\":\"x\",\"code\":\"12345\"}", "code"},
                                         {"{\"name\":\"x\",\"then\":\"sleep\"}", "then"},
                                         {"{\"name\":\"x\",\"counts_as\":\"fun\"}", "counts_as"},
                                         {"{\"name\":\"x\",\"reasons\":[\"a\",\"a\"]}", "reasons[1]"},
                                         {"{\"name\":\"x\",\"limit_s\":604801}", "limit_s"}};
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *j = json_loads(bad[i][0], 0, NULL);
        ck_assert_int_ne(view_config_from_json("agent_state", j, "everline", &made, &info), 0);
        ck_assert_str_eq(info.field, bad[i][1]);
        json_decref(j);
    }
}
END_TEST

START_TEST(test_limit_to_ready)
{
    ck_assert_int_eq(state("lunch", "meal"), 0);
    uint64_t due = f.now + 60 * US;
    /* A private call does not prolong it, nor does a change of the configuration. */
    f.now += 20 * US;
    ck_assert_int_eq(fx_start(&f, 1, "8001", "10001", true), 0);
    set("[{'kind':'agent_state','name':'lunch','code':'5','limit_s':600,'reasons':['meal']}]");
    f.now += 20 * US;
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    is(CORE_AGENT_NOT_READY, "lunch", "meal");
    through(due, CORE_AGENT_NOT_READY);
    is(CORE_AGENT_IDLE, "ready", "");
    ck_assert_uint_eq(core_next_due_us(f.c), 0);
    json_t *all = fx_view(&f, "event", NULL, NULL);
    char *text = json_dumps(json_object_get(all, "items"), 0);
    ck_assert_ptr_nonnull(strstr(text, "\"cause\": \"limit\""));
    free(text);
    json_decref(all);
}
END_TEST

START_TEST(test_limit_to_logout)
{
    ck_assert_int_eq(state("training", ""), 0);
    through(f.now + 100 * US, CORE_AGENT_NOT_READY);
    is(CORE_AGENT_LOGGED_OUT, "", "");
    ck_assert_uint_eq(core_next_due_us(f.c), 0);
    /* While he talks it is done after the call. */
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(state("training", ""), 0);
    ck_assert_int_eq(fx_start(&f, 2, "8001", "10001", true), 0);
    f.now += 101 * US;
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_TALKING);
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0);
    is(CORE_AGENT_LOGGED_OUT, "", "");
}
END_TEST

START_TEST(test_limit_of_all)
{
    ck_assert_int_eq(state("not_ready", "thinks"), 0);
    through(f.now + 28800 * US, CORE_AGENT_NOT_READY); /* a working day, then he has gone home */
    is(CORE_AGENT_LOGGED_OUT, "", "");
    set("[{'kind':'parameter','name':'state_limit_s','value':'30'}]");
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(state("away", ""), 0);
    through(f.now + 30 * US, CORE_AGENT_NOT_READY);
    is(CORE_AGENT_LOGGED_OUT, "", "");
    set("[{'kind':'parameter','name':'state_limit_s','value':'0'}]");
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(state("away", ""), 0);
    ck_assert_uint_eq(core_next_due_us(f.c), 0);
}
END_TEST

START_TEST(test_limit_begins_when_he_comes_into_it)
{
    serve(1, "10003");
    ck_assert_int_eq(state("lunch", "meal"), 0);
    ck_assert_ptr_nonnull(strstr(f.last.json, "\"pending\":\"not_ready\""));
    f.now += 100 * US;
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_WRAP_UP);
    through(f.now + 5 * US, CORE_AGENT_WRAP_UP); /* what he chose during the call comes after wrap-up */
    is(CORE_AGENT_NOT_READY, "lunch", "meal");
    through(f.now + 60 * US, CORE_AGENT_NOT_READY);
    is(CORE_AGENT_IDLE, "ready", "");
}
END_TEST

START_TEST(test_not_answered)
{
    set("[{'kind':'parameter','name':'auto_ready_after_s','value':'40'},{'kind':'parameter','name':'min_busy_s','value':'500'}]");
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10004", true), 0);
    ck_assert_int_eq(fx_fail(&f, 1, core_call(f.c, 1)->offer.id, EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    is(CORE_AGENT_NOT_READY, "not_ready", "no_answer");
    through(f.now + 40 * US, CORE_AGENT_NOT_READY);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_RINGING); /* the caller is still there */
    ck_assert_int_eq(fx_fail(&f, 1, core_call(f.c, 1)->offer.id, EV__OFFER_FAILED__CAUSE__BUSY), 0);
    is(CORE_AGENT_NOT_READY, "not_ready", "busy");
    ck_assert_int_eq(state("ready", ""), 0); /* the minimum is for those who chose to be busy */
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_RINGING);
}
END_TEST

START_TEST(test_minimum)
{
    set("[{'kind':'parameter','name':'min_busy_s','value':'20'}]");
    ck_assert_int_eq(state("busy", ""), 0);
    f.now += 3 * US;
    refused(state("ready", ""), ERR_BADSTATE, "state", "17 s more: 20 s is the least");
    ck_assert_int_eq(state("lunch", "meal"), 0); /* another state of the kind: the time goes on */
    fx_reopen(&f);
    f.now += 16 * US;
    refused(state("ready", ""), ERR_BADSTATE, "state", " 1 s more");
    f.now += US;
    ck_assert_int_eq(state("ready", ""), 0);
    is(CORE_AGENT_IDLE, "ready", "");
    /* A supervisor may, both ways; and who was made busy by him is free to come back. */
    ck_assert_int_eq(state("busy", ""), 0);
    ck_assert_int_eq(choose("ready", "", "", true, 0), 0);
    ck_assert_int_eq(choose("busy", "", "", true, 0), 0);
    is(CORE_AGENT_NOT_READY, "busy", "");
    ck_assert_int_eq(state("ready", ""), 0);
    /* The group's, and the agent's own. */
    set("[{'kind':'agent_group','name':'east','min_busy_s':30},"
        "{'kind':'agent','number':'1001','extension':'8001','group':'east'}]");
    ck_assert_int_eq(state("busy", ""), 0);
    refused(state("ready", ""), ERR_BADSTATE, "state", "30 s is the least");
    set("[{'kind':'agent','number':'1001','extension':'8001','group':'east','min_busy_s':2}]");
    f.now += 2 * US;
    ck_assert_int_eq(state("ready", ""), 0);
    /* During a call it has not begun; the limit of a state is none of his doing. */
    set("[{'kind':'agent','number':'1001','extension':'8001','min_busy_s':100}]");
    serve(9, "10004");
    ck_assert_int_eq(state("busy", ""), 0);
    ck_assert_int_eq(state("ready", ""), 0);
    ck_assert_int_eq(fx_end(&f, 9, "caller"), 0);
    ck_assert_int_eq(state("lunch", "meal"), 0);
    through(f.now + 60 * US, CORE_AGENT_NOT_READY);
    is(CORE_AGENT_IDLE, "ready", "");
}
END_TEST

/* Each call's own queue says how long; not another one, nor what the call was in before. */
START_TEST(test_wrap_up_of_several_queues)
{
    serve(1, "10003");
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    through(f.now + 5 * US, CORE_AGENT_WRAP_UP);
    serve(2, "10004");
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0);
    uint64_t due = f.now + 2 * US;
    set("[{'kind':'queue','name':'short','wrap_up_s':9,'members':[{'agent':'1001'}]}]"); /* for the next */
    through(due, CORE_AGENT_WRAP_UP);
    serve(3, "10005");
    ck_assert_int_eq(fx_end(&f, 3, "caller"), 0);
    is(CORE_AGENT_IDLE, "ready", "");
    /* the agent's own where the queue says none, unless it says ready */
    set("[{'kind':'agent_group','name':'east','wrap_up_s':7},{'kind':'agent','number':'1001','extension':'8001','group':'east'}]");
    serve(4, "10005");
    ck_assert_int_eq(fx_end(&f, 4, "caller"), 0);
    through(f.now + 7 * US, CORE_AGENT_WRAP_UP);
    set("[{'kind':'queue','name':'none','after_call':'ready','members':[{'agent':'1001'}]},"
        "{'kind':'agent','number':'1001','extension':'8001','group':'east','wrap_up_s':3}]");
    serve(5, "10005");
    ck_assert_int_eq(fx_end(&f, 5, "caller"), 0);
    is(CORE_AGENT_IDLE, "ready", "");
}
END_TEST

START_TEST(test_wrap_up_of_direct_calls)
{
    set("[{'kind':'agent','number':'1001','extension':'8001','wrap_up_s':3}]");
    for (uint64_t id = 1; id <= 2; id++) {
        /* in a queue first, where nobody was there; then to the agent himself */
        ck_assert_int_eq(fx_not_ready(&f, "1001"), 0);
        ck_assert_int_eq(fx_start(&f, id, "13800", "10000", true), 0);
        ck_assert_int_eq(fx_dial(&f, id, "1001", ""), 0);
        list_entry(core_call(f.c, id), struct call, pub)->st->queue = strdup("service");
        ck_assert_int_eq(fx_answer(&f, id, core_call(f.c, id)->offer.id), 0);
        ck_assert_int_eq(fx_ready(&f, "1001"), 0);
        ck_assert_int_eq(fx_end(&f, id, "caller"), 0);
        if (id == 1)
            is(CORE_AGENT_IDLE, "ready", "");
        else
            through(f.now + 3 * US, CORE_AGENT_WRAP_UP);
        set("[{'kind':'parameter','name':'wrap_up_direct_calls','value':'on'}]");
    }
    is(CORE_AGENT_IDLE, "ready", "");
}
END_TEST

START_TEST(test_wrap_up_is_extended)
{
    set("[{'kind':'parameter','name':'wrap_up_max_s','value':'30'}]");
    refused(choose("wrap_up", "", "", false, 10), ERR_BADSTATE, "agent", "not in wrap-up");
    serve(1, "10003");
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    uint64_t from = f.now;
    refused(choose("wrap_up", "", "", false, 0), ERR_INVAL, "extend_s", "seconds");
    f.now += 4 * US;
    ck_assert_int_eq(choose("wrap_up", "", "", false, 10), 0);
    ck_assert_uint_eq(core_next_due_us(f.c), from + 15 * US);
    f.now += 8 * US;
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_WRAP_UP);
    ck_assert_int_eq(choose("wrap_up", "", "", false, 100), 0); /* as far as the limit */
    refused(choose("wrap_up", "", "", false, 1), ERR_BADSTATE, "extend_s", "no longer than 30 s");
    through(from + 30 * US, CORE_AGENT_WRAP_UP);
    is(CORE_AGENT_IDLE, "ready", "");
}
END_TEST

static const Ev__AgentSpent *spent(const char *name, const char *reason)
{
    const Ev__AgentWork *w = core_agent_obj(f.c, "1001")->work;
    for (size_t i = 0; i < w->n_spent; i++) {
        if (strcmp(w->spent[i]->state, name) == 0 && strcmp(w->spent[i]->reason, reason) == 0)
            return w->spent[i];
    }
    ck_abort_msg("nothing is counted of %s %s", name, reason);
}

START_TEST(test_times)
{
    f.now += 10 * US - 1;
    ck_assert_int_eq(state("lunch", "meal"), 0);
    f.now += 20 * US - 1;
    ck_assert_int_eq(state("lunch", "prayer"), 0);
    f.now += 5 * US - 1;
    ck_assert_int_eq(state("training", ""), 0);
    fx_reopen(&f);
    f.now += 7 * US - 1;
    ck_assert_int_eq(state("lunch", "meal"), 0);
    f.now += US - 1;
    ck_assert_int_eq(state("ready", ""), 0);
    serve(1, "10003");
    f.now += 30 * US - 1;
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    ck_assert_int_eq(state("ready", ""), 0);
    ck_assert_int_eq(fx_logout(&f, "1001"), 0);
    ck_assert_uint_eq(spent("lunch", "meal")->us, 21 * US);
    ck_assert_uint_eq(spent("lunch", "meal")->times, 2);
    ck_assert(spent("lunch", "meal")->pause);
    ck_assert_uint_eq(spent("lunch", "prayer")->us, 5 * US);
    ck_assert_uint_eq(spent("training", "")->us, 7 * US);
    ck_assert(!spent("training", "")->pause);
    ck_assert_uint_eq(spent("talking", "")->us, 30 * US);
    ck_assert_uint_eq(spent("wrap_up", "")->us, 1);
    ck_assert_uint_eq(spent("ringing", "")->times, 1);
    ck_assert_uint_eq(spent("idle", "")->times, 3);
    json_t *o = fx_view(&f, "agent", "1001", NULL);
    ck_assert_int_eq(json_integer_value(json_object_get(o, "break_s")), 26);
    ck_assert_int_eq(json_integer_value(json_object_get(o, "work_s")), 47);
    ck_assert_uint_eq(json_array_size(json_object_get(o, "times")), 7);
    json_decref(o);
    /* From his login on; and no more kinds than there is room for. */
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_uint_eq(core_agent_obj(f.c, "1001")->work->n_spent, 1);
    for (unsigned i = 0; i < 60; i++) {
        char reason[16];
        (void)snprintf(reason, sizeof reason, "r%u", i);
        ck_assert_int_eq(state("away", reason), 0);
    }
    ck_assert_uint_eq(core_agent_obj(f.c, "1001")->work->n_spent, 40);
    ck_assert_uint_eq(spent("other", "")->times, 1);
    fx_reopen(&f);
    is(CORE_AGENT_NOT_READY, "away", "r59");
}
END_TEST

/* A log of older programs gives the same rows as they made, whatever it holds by names that mean something now. */
START_TEST(test_nothing_of_it_before_its_level)
{
    set("[{'kind':'parameter','name':'min_busy_s','value':'50'},{'kind':'parameter','name':'state_limit_s','value':'5'}]");
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(state("away", ""), ERR_INVAL);
    ck_assert_str_eq(f.last.text, "a state is \"ready\" or \"not_ready\"");
    ck_assert_int_eq(state("wrap_up", ""), ERR_INVAL);
    ck_assert_int_eq(state("not_ready", "x"), 0);
    ck_assert_ptr_null(strstr(f.last.json, "activity"));
    ck_assert_uint_eq(core_next_due_us(f.c), 0);
    ck_assert_int_eq(state("ready", ""), 0);
    ck_assert_ptr_null(core_agent_obj(f.c, "1001")->work);
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10003", true), 0);
    ck_assert_int_eq(fx_answer(&f, 1, core_call(f.c, 1)->offer.id), 0);
    ck_assert_int_eq(list_entry(core_call(f.c, 1), struct call, pub)->st->legs[1]->direct, 0);
    struct core_route r;
    core_route(f.c, f.now, "8001", "*742", &r);
    ck_assert_int_eq(r.kind, CORE_ROUTE_NONE);
    /* A call that was answered before is wrapped up after. */
    set("[{'kind':'queue','name':'service','wrap_up_s':5,'members':[{'agent':'1001'}]}]");
    raise_to(3);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_WRAP_UP);
    is(CORE_AGENT_WRAP_UP, "ready", "");
    Ev__AgentSet m = EV__AGENT_SET__INIT;
    m.action = EV__AGENT_SET__ACTION__SET_STATE;
    m.state = (char *)(uintptr_t) "not_ready";
    FX_BODY(AGENT_SET, agent_set, m);
    ck_assert_uint_eq(core_feature_of(&cmd), 1);
    m.state = (char *)(uintptr_t) "away";
    ck_assert_uint_eq(core_feature_of(&cmd), 3);
    m.state = (char *)(uintptr_t) "ready";
    m.force = true;
    ck_assert_uint_eq(core_feature_of(&cmd), 3);
}
END_TEST

static void last_audit_says(const char *action, const char *key, const char *value)
{
    json_t *list = fx_view(&f, "audit", NULL, NULL), *row = json_array_get(json_object_get(list, "items"), 0);
    const char *is = json_string_value(json_object_get(json_object_get(row, "after"), key));
    ck_assert_str_eq(json_string_value(json_object_get(row, "action")), action);
    ck_assert_str_eq(is ? is : "", value);
    json_decref(list);
}

/* All states but one are "not ready": the audit tells which it was. */
START_TEST(test_audit_names_the_state)
{
    raise_to(4);
    ck_assert_int_eq(choose("lunch", "meal", "", false, 0), 0);
    last_audit_says("agent.not_ready", "state", "lunch");
    last_audit_says("agent.not_ready", "reason", "meal");
    ck_assert_int_eq(choose("", "", "61", false, 0), 0);
    last_audit_says("agent.not_ready", "code", "61");
    ck_assert_int_eq(choose("wrap_up", "", "", false, 30), ERR_BADSTATE);
    last_audit_says("agent.wrap_up", "state", "wrap_up");
    ck_assert_int_eq(fx_logout(&f, "1001"), 0);
    last_audit_says("agent.logout", "state", "");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core states of agents");
    TCase *t = tcase_create("states");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_choice);
    tcase_add_test(t, test_codes);
    tcase_add_test(t, test_configuration);
    tcase_add_test(t, test_limit_to_ready);
    tcase_add_test(t, test_limit_to_logout);
    tcase_add_test(t, test_limit_of_all);
    tcase_add_test(t, test_limit_begins_when_he_comes_into_it);
    tcase_add_test(t, test_not_answered);
    tcase_add_test(t, test_minimum);
    tcase_add_test(t, test_wrap_up_of_several_queues);
    tcase_add_test(t, test_wrap_up_of_direct_calls);
    tcase_add_test(t, test_wrap_up_is_extended);
    tcase_add_test(t, test_times);
    tcase_add_test(t, test_audit_names_the_state);
    suite_add_tcase(s, t);
    TCase *before = tcase_create("before");
    tcase_add_checked_fixture(before, at_level_2, teardown);
    tcase_add_test(before, test_nothing_of_it_before_its_level);
    suite_add_tcase(s, before);
    return run_suite(s);
}
