/* Call backs: the place is kept exactly, tries, whoever calls again himself, and what a restart finds. Each step is followed by a restart, which
 * must change nothing. */
#include "core/core_int.h"
#include "core/explain.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static void set(const char *text)
{
    fx_must_set(&f, text);
}

/* Queue service with agents 1001 and 1002. */
static void service(const char *rules)
{
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "[{'kind':'queue','name':'service','members':[{'agent':'1001'},{'agent':'1002'}],"
                   "'keys':[{'key':'2','action':{'type':'callback'}}]%s}]",
                   rules);
    set(text);
}

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 2);
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    set("[{'kind':'trunk','name':'carrier','contact':'sip:192.0.2.9:5060','outbound':true}]");
    service("");
}

static void teardown(void)
{
    fx_close(&f);
}

static int press(uint64_t id, const char *key)
{
    Ev__CallQueue m = EV__CALL_QUEUE__INIT;
    m.call_id = id;
    m.choice = (char *)(uintptr_t)key;
    FX_BODY(CALL_QUEUE, call_queue, m);
    return fx_run(&f, &cmd);
}

static int ask(uint64_t id, const char *number)
{
    Ev__CallBackAsk m = EV__CALL_BACK_ASK__INIT;
    m.call_id = id;
    m.number = (char *)(uintptr_t)number;
    FX_BODY(CALL_BACK_ASK, call_back_ask, m);
    cmd.feature_level = core_feature_of(&cmd);
    return fx_run(&f, &cmd);
}

static int add(const char *number, uint64_t due_us)
{
    Ev__CallBackSet m = EV__CALL_BACK_SET__INIT;
    m.queue = (char *)(uintptr_t) "service";
    m.number = (char *)(uintptr_t)number;
    m.due_us = due_us;
    FX_BODY(CALL_BACK_SET, call_back_set, m);
    cmd.actor = (char *)(uintptr_t) "token:admin";
    return fx_run(&f, &cmd);
}

static int cancel(uint64_t id)
{
    Ev__CallBackSet m = EV__CALL_BACK_SET__INIT;
    m.cancel = true;
    m.id = id;
    FX_BODY(CALL_BACK_SET, call_back_set, m);
    cmd.actor = (char *)(uintptr_t) "token:admin";
    return fx_run(&f, &cmd);
}

/* The caller waits, presses 2, confirms, and is off the line. */
static void asked(uint64_t id, const char *caller)
{
    ck_assert_int_eq(fx_start(&f, id, caller, "10003", true), 0);
    ck_assert_int_eq(press(id, "2"), 0);
    ck_assert_str_eq(core_call(f.c, id)->app, "callback");
    ck_assert_int_eq(ask(id, caller), 0);
    ck_assert_str_eq(core_call(f.c, id)->app, "hangup");
    ck_assert_int_eq(fx_end(&f, id, "system"), 0);
}

static void row(uint64_t id, const char *state, uint32_t tries)
{
    fx_reopen(&f);
    const Ev__CallBack *m = core_callback(f.c, id);
    ck_assert_ptr_nonnull(m);
    ck_assert_str_eq(core_callback_state(m->call_id, m->due_us), state);
    ck_assert_uint_eq(m->tries, tries);
    struct err_info info = {0};
    ck_assert_msg(acd_check(f.c->acd, &info) == 0, "%s", info.text);
}

static void gone(uint64_t id)
{
    fx_reopen(&f);
    ck_assert_ptr_null(core_callback(f.c, id));
    ck_assert_uint_eq(acd_waiting_all(f.c->acd), 0);
}

/* The call by which the row is carried out. */
static const struct core_call *call_for(uint64_t id)
{
    const Ev__CallBack *m = core_callback(f.c, id);
    ck_assert_ptr_nonnull(m);
    const struct core_call *k = core_call(f.c, m->call_id);
    ck_assert_msg(k != NULL, "nobody is called for it");
    return k;
}

static size_t records(const char *filter, const char *value)
{
    json_t *want = json_pack("{s:s}", filter, value);
    json_t *list = fx_view(&f, "cdr", NULL, want);
    size_t n = json_array_size(json_object_get(list, "items"));
    json_decref(list);
    json_decref(want);
    return n;
}

START_TEST(test_answered)
{
    asked(1, "13800138000");
    row(1, "waiting", 0);
    ck_assert_uint_eq(acd_waiting_home(f.c->acd, core_queue_obj(f.c, "service")->key), 1);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    fx_reopen(&f);
    const struct core_call *k = call_for(1);
    uint64_t id = k->id;
    ck_assert_int_eq(k->phase, CORE_CALL_OFFERED);
    ck_assert_str_eq(k->offer.agent, "1001");
    ck_assert_str_eq(k->offer.queue, "service");
    ck_assert_str_eq(k->called, "13800138000");
    ck_assert(k->we_call && k->n_legs == 0 && !k->answered);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_RINGING);
    f.node = k->owner[1] == '1' ? "n1" : "n2";
    ck_assert_int_eq(fx_answer(&f, id, k->offer.id), 0);
    fx_reopen(&f);
    k = call_for(1);
    ck_assert_int_eq(k->phase, CORE_CALL_DIALLING);
    ck_assert_str_eq(k->out_trunk, "carrier");
    ck_assert_str_eq(k->offer.extension, "13800138000");
    ck_assert_uint_eq(k->n_legs, 1);
    ck_assert_int_eq(k->legs[0].role, CORE_LEG_CALLER);
    ck_assert_str_eq(k->legs[0].agent, "1001");
    ck_assert(k->answered);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_TALKING);
    ck_assert_int_eq(fx_answer(&f, id, k->offer.id), 0);
    fx_reopen(&f);
    k = call_for(1);
    ck_assert_int_eq(k->phase, CORE_CALL_TALKING);
    ck_assert_str_eq(k->legs[1].number, "13800138000");
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_TALKING);
    ck_assert_int_eq(fx_end(&f, id, "callee"), 0);
    gone(1);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_IDLE);
    ck_assert_uint_eq(records("called", "13800138000"), 1);
    ck_assert_uint_eq(records("agent", "1001"), 1);
    ck_assert_uint_eq(records("direction", "outbound"), 1);
    ck_assert_uint_eq(records("queue", "service"), 2);
}
END_TEST

START_TEST(test_wrap_up)
{
    service(",'wrap_up_s':9");
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(add("13800138000", 0), 0);
    fx_reopen(&f);
    const struct core_call *k = core_call_next(f.c, NULL, NULL);
    uint64_t id = k->id;
    f.node = k->owner[1] == '1' ? "n1" : "n2";
    ck_assert_int_eq(fx_answer(&f, id, k->offer.id), 0);
    /* who was called in vain is no work to be written up */
    ck_assert_int_eq(fx_fail(&f, id, core_call(f.c, id)->offer.id, EV__OFFER_FAILED__CAUSE__BUSY), 0);
    ck_assert_int_eq(fx_phase(&f, id), CORE_CALL_FAILED);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_TALKING);
    ck_assert_int_eq(fx_end(&f, id, "system"), 0);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_IDLE);
    fx_later(&f, f.now + 300 * US);
    k = core_call_next(f.c, NULL, NULL);
    ck_assert_ptr_nonnull(k);
    f.node = k->owner[1] == '1' ? "n1" : "n2";
    id = k->id;
    ck_assert_int_eq(fx_answer(&f, id, k->offer.id), 0);
    ck_assert_int_eq(fx_answer(&f, id, core_call(f.c, id)->offer.id), 0);
    ck_assert_int_eq(fx_end(&f, id, "agent"), 0);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_WRAP_UP);
    ck_assert_uint_eq(acd_waiting_all(f.c->acd), 0);
}
END_TEST

/* One record for each time that the customer was called; the last one says that it was. */
START_TEST(test_tries)
{
    service(",'callback_tries':2,'callback_interval_s':60");
    asked(1, "13800138000");
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(i ? fx_ready(&f, "1001") : fx_login(&f, "1001"), 0);
        const struct core_call *k = call_for(1);
        uint64_t id = k->id;
        f.node = k->owner[1] == '1' ? "n1" : "n2";
        ck_assert_int_eq(fx_answer(&f, id, k->offer.id), 0);
        ck_assert_int_eq(fx_fail(&f, id, core_call(f.c, id)->offer.id, EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
        fx_reopen(&f);
        ck_assert_int_eq(fx_phase(&f, id), CORE_CALL_FAILED);
        ck_assert_int_eq(fx_end(&f, id, "system"), 0);
        if (i == 0) {
            row(1, "scheduled", 1);
            ck_assert_str_eq(core_callback(f.c, 1)->tried_cause, "no_answer");
            ck_assert_int_eq(fx_not_ready(&f, "1001"), 0);
            fx_later(&f, f.now + 59 * US);
            row(1, "scheduled", 1);
            ck_assert_uint_le(core_next_due_us(f.c), f.now + 2 * US);
            fx_later(&f, f.now + 2 * US);
            row(1, "waiting", 1);
        }
    }
    gone(1);
    ck_assert_uint_eq(records("called", "13800138000"), 2);
    ck_assert_uint_eq(records("cause", "callback_failed"), 1);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_IDLE);
}
END_TEST

/* An agent who does not answer costs no try and leaves no record: the next one is rung at once. */
START_TEST(test_agent_in_vain)
{
    asked(1, "13800138000");
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    const struct core_call *k = call_for(1);
    f.node = k->owner[1] == '1' ? "n1" : "n2";
    uint64_t id = k->id;
    ck_assert_int_eq(fx_fail(&f, id, k->offer.id, EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    ck_assert_ptr_null(core_call(f.c, id));
    row(1, "waiting", 0);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_NOT_READY);
    ck_assert_int_eq(fx_answer(&f, id, 1), ERR_NOTFOUND);
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    ck_assert_str_eq(call_for(1)->offer.agent, "1002");
    ck_assert_int_eq(fx_logout(&f, "1002"), 0); /* while it rings */
    row(1, "waiting", 0);
    ck_assert_uint_eq(records("called", "13800138000"), 0);
    f.node = "n1";
}
END_TEST

START_TEST(test_ring_all)
{
    service(",'strategy':'ring_all'");
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    ck_assert_int_eq(add("13800138000", 0), 0);
    const struct core_call *k = core_call_next(f.c, NULL, NULL);
    ck_assert_uint_eq(k->n_offers, 2);
    f.node = k->owner[1] == '1' ? "n1" : "n2";
    uint64_t id = k->id;
    ck_assert_int_eq(fx_answer(&f, id, k->offers[1].id), 0);
    fx_reopen(&f);
    ck_assert_int_eq(fx_phase(&f, id), CORE_CALL_DIALLING);
    ck_assert_int_eq(fx_state(&f, "1001") == CORE_AGENT_IDLE, strcmp(core_call(f.c, id)->legs[0].agent, "1002") == 0);
    ck_assert_uint_eq((fx_state(&f, "1001") == CORE_AGENT_IDLE) + (fx_state(&f, "1002") == CORE_AGENT_IDLE), 1);
    /* whoever gets the call finds whose telephone may still ring, while the customer is called and when he has answered */
    for (unsigned i = 0; i < 2; i++) {
        k = core_call(f.c, id);
        ck_assert_uint_eq(k->n_called_off, 1);
        ck_assert_str_ne(k->called_off[0].agent, k->legs[0].agent);
        ck_assert_uint_ne(k->called_off[0].id, k->offer.id);
        ck_assert_uint_eq(k->n_offers, 1 - i);
        if (i == 0) {
            ck_assert_str_eq(k->offers[0].extension, "13800138000");
            ck_assert_int_eq(fx_answer(&f, id, k->offer.id), 0);
            fx_reopen(&f);
        }
    }
    ck_assert_int_eq(fx_end(&f, id, "agent"), 0);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_IDLE);
    ck_assert_int_eq(fx_state(&f, "1002"), CORE_AGENT_IDLE);
}
END_TEST

START_TEST(test_declined)
{
    service(",'max_wait_s':30,'max_wait_action':{'type':'callback'}");
    ck_assert_int_eq(fx_start(&f, 1, "anonymous", "10003", true), 0);
    ck_assert_int_eq(fx_start(&f, 2, "13900139000", "10003", true), 0);
    uint64_t since = core_call(f.c, 1)->queued_us;
    fx_later(&f, f.now + 30 * US);
    fx_reopen(&f);
    ck_assert_str_eq(core_call(f.c, 1)->app, "callback");
    ck_assert_int_eq(ask(1, "not a number"), ERR_INVAL);
    ck_assert_int_eq(ask(1, ""), 0);
    fx_reopen(&f);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING);
    ck_assert_uint_eq(core_call(f.c, 1)->queued_us, since);
    ck_assert_uint_eq(core_queue_position(f.c, 1), 1);
    fx_later(&f, f.now + 90 * US); /* he has said what he wants: he is not asked again */
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING);
    ck_assert_int_eq(ask(1, "13800138000"), ERR_BADSTATE);
    ck_assert_int_eq(ask(2, "13800138000"), 0); /* another number than his own */
    ck_assert_int_eq(ask(2, "13800138000"), ERR_BADSTATE);
    ck_assert_str_eq(core_callback(f.c, 2)->number, "13800138000");
}
END_TEST

START_TEST(test_full)
{
    service(",'max_waiting':1,'full_action':{'type':'callback'}");
    asked(1, "13800138000");
    row(1, "waiting", 0);
    ck_assert_int_eq(fx_start(&f, 2, "13900139000", "10003", true), 0); /* a call back keeps nobody out */
    ck_assert_int_eq(fx_phase(&f, 2), CORE_CALL_WAITING);
    ck_assert_int_eq(fx_start(&f, 3, "13700137000", "10003", true), 0);
    ck_assert_int_eq(fx_phase(&f, 3), CORE_CALL_APP);
    ck_assert_int_eq(ask(3, "13700137000"), 0);
    ck_assert_int_eq(fx_end(&f, 3, "caller"), 0);
    row(3, "waiting", 0);
    ck_assert_int_eq(fx_start(&f, 4, "13600136000", "10003", true), 0);
    ck_assert_int_eq(ask(4, ""), 0); /* there is no place to go back to */
    ck_assert_int_eq(fx_phase(&f, 4), CORE_CALL_FAILED);
}
END_TEST

START_TEST(test_not_twice)
{
    asked(1, "13800138000");
    ck_assert_int_eq(add("+86 138 0013 8000", 0), ERR_INVAL);
    ck_assert_int_eq(add("+8613800138000", 0), ERR_EXISTS);
    ck_assert_ptr_nonnull(strstr(f.last.json, "0000000000000001"));
    ck_assert_uint_eq(map_count(&f.c->callbacks), 1);
    set("[{'kind':'blacklist','number':'139*','direction':'out'}]");
    ck_assert_int_eq(add("13900139000", 0), ERR_DENIED);
    ck_assert_int_eq(fx_config(&f, NULL, "['queue/service']", NULL, NULL), ERR_CONFLICT);
    ck_assert_int_eq(cancel(1), 0);
    ck_assert_int_eq(cancel(1), ERR_NOTFOUND);
    gone(1);
    ck_assert_int_eq(add("13800138000", f.now + 200 * US), 0);
    fx_reopen(&f);
    ck_assert_int_eq(add("013800138000", 0), ERR_EXISTS);
}
END_TEST

START_TEST(test_scheduled)
{
    ck_assert_int_eq(add("13800138000", f.now + 200 * US), 0);
    const Ev__CallBack *m = NULL;
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&f.c->callbacks, &it, &slot);)
        m = ((struct callback *)slot->value)->st;
    uint64_t id = m->id;
    row(id, "scheduled", 0);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, 7, "13800138000", "10003", true), 0); /* his call now has nothing to do with it */
    ck_assert_int_eq(fx_end(&f, 7, "caller"), 0);
    row(id, "scheduled", 0);
    fx_later(&f, f.now + 201 * US);
    row(id, "calling", 0);
    ck_assert_str_eq(call_for(id)->offer.agent, "1001");
    ck_assert_int_eq(add("13900139000", f.now + 400ull * 24 * 3600 * US), ERR_RANGE);
    f.node = "n1";
}
END_TEST

/* Who is to be called back calls himself: he stands where the call back stood, and that waits for what becomes of his call. */
START_TEST(test_calls_again)
{
    asked(1, "13800138000");
    ck_assert_int_eq(fx_start(&f, 2, "13900139000", "10003", true), 0);
    ck_assert_uint_eq(core_queue_position(f.c, 2), 2);
    ck_assert_int_eq(fx_start(&f, 3, "+8613800138000", "10003", true), 0);
    fx_reopen(&f);
    ck_assert_uint_eq(core_queue_position(f.c, 3), 1);
    row(1, "calling", 0);
    ck_assert_int_eq(fx_end(&f, 3, "caller"), 0); /* he gives up: he is called back all the same */
    row(1, "waiting", 0);
    ck_assert_uint_eq(core_queue_position(f.c, 2), 2);
    ck_assert_int_eq(fx_start(&f, 4, "13800138000", "10003", true), 0);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_phase(&f, 4), CORE_CALL_OFFERED);
    ck_assert_int_eq(fx_answer(&f, 4, core_call(f.c, 4)->offer.id), 0);
    ck_assert_int_eq(fx_not_ready(&f, "1001"), 0);
    ck_assert_int_eq(fx_end(&f, 4, "agent"), 0);
    fx_reopen(&f);
    ck_assert_ptr_null(core_callback(f.c, 1)); /* he has been served */
}
END_TEST

/* He stands for a call back and asks to be called elsewhere: that one is in its place, none is forgotten. */
START_TEST(test_replaced)
{
    asked(1, "13800138000");
    ck_assert_int_eq(fx_start(&f, 2, "13800138000", "10003", true), 0);
    row(1, "calling", 0);
    ck_assert_int_eq(press(2, "2"), 0);
    ck_assert_int_eq(ask(2, "13900139000"), 0);
    fx_reopen(&f);
    ck_assert_ptr_null(core_callback(f.c, 1));
    row(2, "calling", 0);
    ck_assert_int_eq(fx_start(&f, 3, "13700137000", "10003", true), 0);
    ck_assert_int_eq(press(3, "2"), 0);
    ck_assert_int_eq(ask(3, "13900139000"), 0); /* there already: nothing is added, nothing lost */
    ck_assert_int_eq(fx_end(&f, 3, "system"), 0);
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0);
    row(2, "waiting", 0);
    ck_assert_uint_eq(map_count(&f.c->callbacks), 1);
}
END_TEST

/* While nobody has answered, and while the customer rings: who takes the call over can do the same from the state alone. */
START_TEST(test_takeover)
{
    asked(1, "13800138000");
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    const struct core_call *k = call_for(1);
    char owner[64];
    (void)snprintf(owner, sizeof owner, "%s", k->owner);
    const char *other = strcmp(owner, "n1") == 0 ? "n2" : "n1";
    f.node = other;
    ck_assert_int_eq(fx_node_down(&f, owner, 1), 0);
    fx_reopen(&f);
    k = call_for(1);
    ck_assert_str_eq(k->owner, other);
    ck_assert_str_eq(k->former_owner, owner);
    ck_assert_int_eq(k->phase, CORE_CALL_OFFERED);
    ck_assert_uint_eq(k->offer.epoch, k->epoch);
    ck_assert_uint_eq(k->offer.former_epoch, 1);
    ck_assert_int_eq(fx_answer(&f, k->id, k->offer.id), 0);
    ck_assert_int_eq(fx_node_up(&f, owner, strcmp(owner, "n1") == 0 ? 1 : 2, 2), 0);
    ck_assert_int_eq(fx_node_down(&f, other, 1), 0);
    fx_reopen(&f);
    k = call_for(1);
    ck_assert_str_eq(k->owner, owner);
    ck_assert_str_eq(k->former_owner, "");
    ck_assert_int_eq(k->phase, CORE_CALL_DIALLING);
    ck_assert_str_eq(k->offer.extension, "13800138000");
    f.node = owner;
    ck_assert_int_eq(fx_answer(&f, k->id, k->offer.id), 0);
    ck_assert_int_eq(fx_phase(&f, call_for(1)->id), CORE_CALL_TALKING);
}
END_TEST

START_TEST(test_seen)
{
    asked(1, "13800138000");
    json_t *q = fx_view(&f, "queue", "service", NULL);
    ck_assert_int_eq(json_integer_value(json_object_get(q, "waiting")), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(q, "longest_wait_ms")), 0); /* nobody holds the line */
    json_decref(q);
    ck_assert_int_eq(fx_start(&f, 2, "13900139000", "10003", true), 0);
    q = fx_view(&f, "queue", "service", NULL);
    ck_assert_int_gt(json_integer_value(json_object_get(q, "longest_wait_ms")), 0);
    json_t *e = json_object_get(q, "entries");
    ck_assert_uint_eq(json_array_size(e), 2);
    ck_assert(json_is_true(json_object_get(json_array_get(e, 0), "callback")));
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(e, 0), "caller")), "13800138000");
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(e, 1), "position")), 2);
    json_decref(q);
    json_t *list = fx_view(&f, "callback", NULL, NULL);
    const json_t *r = json_array_get(json_object_get(list, "items"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(r, "callback_id")), "0000000000000001");
    ck_assert_str_eq(json_string_value(json_object_get(r, "state")), "waiting");
    ck_assert_str_eq(json_string_value(json_object_get(r, "asked_by")), "caller");
    json_decref(list);
    struct err_info info = {0};
    json_t *why = NULL;
    ck_assert_int_eq(core_explain_call(f.c, 1, &why, &info), 0);
    char *text = json_dumps(why, 0);
    ck_assert_ptr_nonnull(strstr(text, "A call back to 13800138000 waits in queue service"));
    free(text);
    json_decref(why);
}
END_TEST

/* Estimates go by how long callers hold on: an hour in which a call back waited says nothing of that. */
START_TEST(test_no_caller_held_on)
{
    const struct queue *q = core_queue_obj(f.c, "service");
    const struct estimate_window *w;
    asked(1, "13800138000");
    fx_later(&f, f.now + 200 * US);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    uint64_t id = call_for(1)->id;
    f.node = core_call(f.c, id)->owner;
    ck_assert_int_eq(fx_answer(&f, id, core_call(f.c, id)->offer.id), 0);
    w = estimate_at((struct estimate_history *)(uintptr_t)&q->history, f.now);
    ck_assert_uint_eq(w->waited_us, 0);
    ck_assert_uint_gt(w->busy_us, 0);
    f.node = "n1";
    asked(2, "13900139000");
    fx_later(&f, f.now + 100 * US);
    ck_assert_int_eq(fx_start(&f, 3, "13900139000", "10003", true), 0); /* in the place of his call back, for ten seconds */
    f.now += 10 * US;
    ck_assert_int_eq(fx_end(&f, 3, "caller"), 0);
    w = estimate_at((struct estimate_history *)(uintptr_t)&q->history, f.now);
    ck_assert_uint_eq(w->left, 1);
    ck_assert_uint_le(w->waited_us, 11 * US);
    ck_assert_uint_ge(w->waited_us, 10 * US);
}
END_TEST

/* ---- from a menu */

static int note(uint64_t id, const char *queue, const char *number, uint64_t due_us, int priority)
{
    Ev__CallBackNote m = EV__CALL_BACK_NOTE__INIT;
    m.call_id = id;
    m.queue = (char *)(uintptr_t)queue;
    m.number = (char *)(uintptr_t)number;
    m.due_us = due_us;
    m.has_priority = priority >= 0;
    m.priority = (uint32_t)(priority > 0 ? priority : 0);
    FX_BODY(CALL_BACK_NOTE, call_back_note, m);
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    return fx_run(&f, &cmd);
}

static size_t rows(void)
{
    json_t *list = fx_view(&f, "callback", NULL, NULL);
    size_t n = json_array_size(json_object_get(list, "items"));
    json_decref(list);
    return n;
}

/* The row that the call stands for. */
static uint64_t row_of(uint64_t call)
{
    uint64_t id = core_call_obj(f.c, call)->st->callback;
    ck_assert_uint_ne(id, 0);
    ck_assert_uint_ne(id, call); /* both may wait */
    return id;
}

/* He stays in his menu. Whoever takes the call over and asks again finds that it has been done, in the state and by the number. */
START_TEST(test_noted_in_a_menu)
{
    ck_assert_int_eq(fx_start(&f, 1, "13800138000", "10000", true), 0);
    ck_assert_int_eq(note(1, "service", "13800138000", 0, -1), 0);
    uint64_t id = row_of(1);
    row(id, "calling", 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_MENU);
    ck_assert(core_call(f.c, 1)->callback_noted);
    ck_assert_int_eq(note(1, "service", "13800138000", 0, -1), 0);
    ck_assert_uint_eq(rows(), 1);
    ck_assert_int_eq(fx_menu(&f, 1, "done"), 0);
    ck_assert(!core_call(f.c, 1)->callback_noted);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    row(id, "waiting", 0);
    ck_assert_uint_eq(rows(), 1);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_str_eq(call_for(id)->called, "13800138000");
}
END_TEST

START_TEST(test_noted_for_a_time)
{
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, 1, "13800138000", "10000", true), 0);
    uint64_t due = f.now + 600 * US;
    ck_assert_int_eq(note(1, "service", "13800138001", due, 9), 0);
    uint64_t id = row_of(1);
    row(id, "calling", 0);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    row(id, "scheduled", 0);
    ck_assert_uint_eq(core_callback(f.c, id)->due_us, due);
    fx_later(&f, due + US);
    const struct core_call *k = call_for(id);
    ck_assert_str_eq(k->called, "13800138001");
    ck_assert_uint_eq(k->priority, 9);
    ck_assert_uint_ge(core_callback(f.c, id)->waits->queued_us, due);
    /* the time is over before he hangs up: it is his turn then */
    ck_assert_int_eq(fx_start(&f, 2, "13800138002", "10000", true), 0);
    ck_assert_int_eq(note(2, "service", "13800138002", f.now + 5 * US, -1), 0);
    id = row_of(2);
    f.now += 60 * US;
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0);
    row(id, "waiting", 0);
}
END_TEST

START_TEST(test_not_noted)
{
    set("[{'kind':'blacklist','number':'13800138009','direction':'out'},{'kind':'queue','name':'small'}]");
    ck_assert_int_eq(fx_start(&f, 1, "13800138000", "10000", true), 0);
    ck_assert_int_eq(note(1, "service", "anonymous", 0, -1), ERR_INVAL);
    ck_assert_int_eq(note(1, "service", "", 0, -1), ERR_INVAL);
    ck_assert_int_eq(note(1, "service", "13800138009", 0, -1), ERR_DENIED);
    ck_assert_int_eq(note(1, "none", "13800138000", 0, -1), ERR_NOTFOUND);
    ck_assert_int_eq(note(1, "service", "13800138000", 0, 5000), ERR_RANGE);
    ck_assert_int_eq(note(1, "service", "13800138000", f.now + 400ull * 24 * 3600 * US, -1), ERR_RANGE);
    ck_assert(!core_call(f.c, 1)->callback_noted);
    ck_assert_uint_eq(rows(), 0);
    ck_assert_int_eq(note(7, "service", "13800138000", 0, -1), ERR_NOTFOUND);
    ck_assert_int_eq(fx_start(&f, 2, "13800138000", "10003", true), 0);
    ck_assert_int_eq(note(2, "service", "13800138000", 0, -1), ERR_BADSTATE);
    set("[{'kind':'trunk','name':'carrier','contact':'sip:192.0.2.9:5060','outbound':false}]");
    ck_assert_int_eq(note(1, "service", "13800138000", 0, -1), ERR_BADSTATE);
    set("[{'kind':'trunk','name':'carrier','contact':'sip:192.0.2.9:5060','outbound':true}]");
    /* one of the call at a time: the later one holds */
    ck_assert_int_eq(note(1, "service", "13800138000", 0, -1), 0);
    ck_assert_int_eq(note(1, "small", "13800138001", 0, -1), 0);
    row(row_of(1), "calling", 0);
    ck_assert_str_eq(core_callback(f.c, row_of(1))->waits->queue, "small");
    ck_assert_uint_eq(rows(), 1);
}
END_TEST

/* He goes on in the flow, into the queue, and talks: nobody has to call him. */
START_TEST(test_noted_and_served)
{
    ck_assert_int_eq(fx_start(&f, 1, "13800138000", "10000", true), 0);
    ck_assert_int_eq(note(1, "service", "13800138000", 0, -1), 0);
    uint64_t id = row_of(1);
    ck_assert_int_eq(fx_queue(&f, 1, "service"), 0);
    row(id, "calling", 0);
    ck_assert_uint_eq(acd_waiting_all(f.c->acd), 1);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_answer(&f, 1, core_call(f.c, 1)->offer.id), 0);
    ck_assert_int_eq(fx_end(&f, 1, "agent"), 0);
    gone(id);
    /* who hangs up in the queue is called */
    ck_assert_int_eq(fx_not_ready(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, 2, "13800138000", "10000", true), 0);
    ck_assert_int_eq(note(2, "service", "13800138000", 0, -1), 0);
    id = row_of(2);
    ck_assert_int_eq(fx_queue(&f, 2, "service"), 0);
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0);
    row(id, "waiting", 0);
    ck_assert_uint_eq(acd_waiting_all(f.c->acd), 1);
}
END_TEST

/* Out of the queue by an action, into a flow that asks for a call back there: his wait clock goes on. */
START_TEST(test_noted_keeps_his_place)
{
    service(",'max_wait_s':30,'max_wait_action':{'type':'flow','target':'welcome'}");
    ck_assert_int_eq(fx_start(&f, 1, "13800138000", "10003", true), 0);
    uint64_t since = core_call_obj(f.c, 1)->st->queued_us;
    f.now += 31 * US;
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_MENU);
    ck_assert_int_eq(note(1, "service", "13800138000", 0, -1), 0);
    uint64_t id = row_of(1);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    row(id, "waiting", 0);
    ck_assert_uint_eq(core_callback(f.c, id)->waits->queued_us, since);
}
END_TEST

/* Below level 4 the log does what it did. */
START_TEST(test_level)
{
    Ev__CallBackSet m = EV__CALL_BACK_SET__INIT;
    FX_BODY(CALL_BACK_SET, call_back_set, m);
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    fx_close(&f);
    fx_open(&f);
    fx_demo(&f, 1);
    ck_assert_int_eq(fx_raise(&f, 3), 0);
    ck_assert_int_eq(fx_start(&f, 1, "13800138000", "10003", true), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING);
    ck_assert_ptr_null(core_callback(f.c, 1));
}
END_TEST

/* ---- the place is kept exactly: the same callers, with and without call backs, are served in the same order */

#define CALLERS 40u

static uint32_t rnd(uint64_t *s)
{
    *s = *s * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(*s >> 33);
}

/* Whom the only agent serves next, as the number of a caller from 0; the call is ended. */
static unsigned served(struct fx *x)
{
    ck_assert_int_eq(fx_ready(x, "1001"), 0);
    const struct core_call *k = NULL;
    for (const struct core_call *n = NULL; (n = core_call_next(x->c, n, NULL)) != NULL;)
        if (n->phase == CORE_CALL_OFFERED)
            k = n;
    ck_assert_ptr_nonnull(k);
    unsigned number = (unsigned)strtoul((k->we_call ? k->called : k->caller) + 7, NULL, 10);
    uint64_t id = k->id;
    bool two = k->we_call;
    char owner[64];
    (void)snprintf(owner, sizeof owner, "%s", k->owner);
    x->node = owner;
    ck_assert_int_eq(fx_answer(x, id, k->offer.id), 0);
    if (two)
        ck_assert_int_eq(fx_answer(x, id, core_call(x->c, id)->offer.id), 0);
    x->node = "n1";
    ck_assert_int_eq(fx_not_ready(x, "1001"), 0);
    x->node = owner;
    ck_assert_int_eq(fx_end(x, id, "agent"), 0);
    x->node = "n1";
    return number;
}

static void comes(struct fx *x, unsigned i, bool asks)
{
    char number[16];
    static const char *const called[] = {"10003", "10004", "10005"};
    (void)snprintf(number, sizeof number, "1380000%04u", i);
    uint64_t at = x->now;
    x->now = at + 10;
    ck_assert_int_eq(fx_start(x, 1 + i, number, called[i % 3], true), 0);
    struct fx was = f;
    if (asks) {
        f = *x;
        ck_assert_int_eq(press(1 + i, "2"), 0);
        ck_assert_int_eq(ask(1 + i, number), 0);
        ck_assert_int_eq(fx_end(&f, 1 + i, "caller"), 0);
        *x = f;
        f = was;
    }
    x->now = at + 20;
}

START_TEST(test_order)
{
    uint64_t seed = 8800 + (uint64_t)_i;
    struct fx x[2];
    unsigned order[2][CALLERS];
    for (unsigned w = 0; w < 2; w++) {
        uint64_t s = seed;
        unsigned n = 0, come = 0;
        fx_open(&x[w]);
        fx_demo(&x[w], 1);
        ck_assert_int_eq(fx_raise(&x[w], 4), 0);
        ck_assert_int_eq(fx_set(&x[w], "[{'kind':'trunk','name':'carrier','contact':'sip:192.0.2.9:5060','outbound':true},"
                                       "{'kind':'queue','name':'service','priority_step_s':1,'members':[{'agent':'1001'}],"
                                       "'keys':[{'key':'2','action':{'type':'callback'}}]},"
                                       "{'kind':'access_number','number':'10004','queue':'service','priority':3},"
                                       "{'kind':'access_number','number':'10005','queue':'service','vip':true}]"),
                         0);
        ck_assert_int_eq(fx_login(&x[w], "1001"), 0);
        ck_assert_int_eq(fx_not_ready(&x[w], "1001"), 0);
        while (n < CALLERS) {
            uint32_t r = rnd(&s);
            bool asks = rnd(&s) % 2;
            if (come < CALLERS && (come == n || r % 3)) {
                comes(&x[w], come++, asks && w);
            } else {
                order[w][n++] = served(&x[w]);
            }
            if (w && r % 16 == 0)
                fx_reopen(&x[w]);
        }
        fx_close(&x[w]);
    }
    for (unsigned i = 0; i < CALLERS; i++)
        ck_assert_msg(order[0][i] == order[1][i], "seed %llu: place %u is %u's, without call backs %u's",
                      (unsigned long long)seed, i, order[1][i], order[0][i]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core callback");
    TCase *tc = tcase_create("callback");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_answered);
    tcase_add_test(tc, test_wrap_up);
    tcase_add_test(tc, test_tries);
    tcase_add_test(tc, test_agent_in_vain);
    tcase_add_test(tc, test_ring_all);
    tcase_add_test(tc, test_declined);
    tcase_add_test(tc, test_full);
    tcase_add_test(tc, test_not_twice);
    tcase_add_test(tc, test_scheduled);
    tcase_add_test(tc, test_calls_again);
    tcase_add_test(tc, test_replaced);
    tcase_add_test(tc, test_takeover);
    tcase_add_test(tc, test_seen);
    tcase_add_test(tc, test_no_caller_held_on);
    tcase_add_test(tc, test_noted_in_a_menu);
    tcase_add_test(tc, test_noted_for_a_time);
    tcase_add_test(tc, test_not_noted);
    tcase_add_test(tc, test_noted_and_served);
    tcase_add_test(tc, test_noted_keeps_his_place);
    tcase_add_test(tc, test_level);
    tcase_add_loop_test(tc, test_order, 0, 10);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
