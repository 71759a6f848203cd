/* Calls to numbers outside: which trunk, what is shown there, what comes of them. Each step is followed by a restart, which must
 * change nothing. */
#include "core/core_int.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

#define CARRIER "{'kind':'trunk','name':'carrier','contact':'sip:192.0.2.9:5060','outbound':true%s}"

#define CARRIER_NAMED                                                                                              \
    "{'kind':'trunk','name':'carrier','contact':'sip:192.0.2.9:5060','outbound':true,'username':'ever','secret':'" \
    "carrier-key'}"

static struct fx f;

static void set(const char *text)
{
    fx_must_set(&f, text);
}

static void carrier(const char *more)
{
    char text[512];
    (void)snprintf(text, sizeof text, "[" CARRIER "]", more);
    set(text);
}

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 2);
    ck_assert_int_eq(fx_raise(&f, 3), 0);
    carrier("");
    set("[{'kind':'parameter','name':'outside_prefix','value':'9'},"
        "{'kind':'access_number','number':'4008001234','outside':'+861085551234'}]");
}

static void teardown(void)
{
    fx_close(&f);
}

static int dial(uint64_t id, const char *number, const char *trunk, const char *caller_id)
{
    Ev__CallDial m = EV__CALL_DIAL__INIT;
    m.call_id = id;
    m.number = (char *)(uintptr_t)number;
    m.trunk = (char *)(uintptr_t)trunk;
    m.caller_id = (char *)(uintptr_t)caller_id;
    m.ring_time_s = 7;
    FX_BODY(CALL_DIAL, call_dial, m);
    return fx_run(&f, &cmd);
}

static void dials(uint64_t id, const char *number, const char *trunk, const char *shown)
{
    fx_reopen(&f);
    const struct core_call *k = core_call(f.c, id);
    ck_assert_int_eq(k->phase, CORE_CALL_DIALLING);
    ck_assert_str_eq(k->offer.extension, number);
    ck_assert_str_eq(k->offer.agent, "");
    ck_assert_str_eq(k->out_trunk, trunk);
    ck_assert_str_eq(k->out_caller, shown);
}

static void failed(uint64_t id, int status, const char *cause)
{
    const struct core_call *k = core_call(f.c, id);
    ck_assert_int_eq(k->phase, CORE_CALL_FAILED);
    ck_assert_int_eq(k->fail_status, status);
    ck_assert_str_eq(k->fail_cause, cause);
}

START_TEST(test_forwarded)
{
    ck_assert_int_eq(fx_start(&f, 1, "13800138000", "4008001234", false), 0);
    dials(1, "+861085551234", "carrier", "4008001234"); /* the number that was called, not the caller's */
    ck_assert(!core_call(f.c, 1)->answered);
    ck_assert_uint_eq(core_call(f.c, 1)->offer.ring_time_s, CORE_DIAL_RING_S);
    ck_assert_int_eq(fx_answer(&f, 1, core_call(f.c, 1)->offer.id), 0);
    fx_reopen(&f);
    const struct core_call *k = core_call(f.c, 1);
    ck_assert_int_eq(k->phase, CORE_CALL_TALKING);
    ck_assert(k->answered);
    ck_assert_str_eq(k->legs[1].number, "+861085551234");
    ck_assert_str_eq(k->legs[1].agent, "");
    ck_assert_str_eq(k->out_trunk, "carrier");
    ck_assert_int_eq(fx_end(&f, 1, "callee"), 0);
}
END_TEST

/* A number outside may be the same as that of a telephone here: nobody here is busy by it. */
START_TEST(test_nobody_here_takes_part)
{
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, 1, "8002", "98001", false), 0);
    dials(1, "8001", "carrier", "");
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_IDLE);
    ck_assert_int_eq(fx_answer(&f, 1, core_call(f.c, 1)->offer.id), 0);
    fx_reopen(&f);
    ck_assert_int_eq(core_call(f.c, 1)->phase, CORE_CALL_TALKING);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_IDLE);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_IDLE);
}
END_TEST

START_TEST(test_prefix)
{
    struct core_route r;
    core_route(f.c, f.now, "8001", "913800138000", &r);
    ck_assert_int_eq(r.kind, CORE_ROUTE_OUTSIDE);
    ck_assert_str_eq(r.name, "13800138000");
    core_route(f.c, f.now, NULL, "913800138000", &r); /* trunks do not get out again */
    ck_assert_int_eq(r.kind, CORE_ROUTE_NONE);
    static const char *const not [] = {"9", "9a", "13800138000", "9;x", "9+", "90000000000000000000000000000000000"};
    for (unsigned i = 0; i < sizeof not / sizeof *not ; i++) {
        core_route(f.c, f.now, "8001", not [i], &r);
        ck_assert_msg(r.kind == CORE_ROUTE_NONE, "%s leads out", not [i]);
    }
    set("[{'kind':'parameter','name':'outside_prefix','value':''}]");
    core_route(f.c, f.now, "8001", "913800138000", &r);
    ck_assert_int_eq(r.kind, CORE_ROUTE_NONE);
}
END_TEST

START_TEST(test_failures)
{
    ck_assert_int_eq(fx_start(&f, 1, "8002", "913800138000", false), 0);
    ck_assert_int_eq(fx_fail(&f, 1, core_call(f.c, 1)->offer.id, EV__OFFER_FAILED__CAUSE__BUSY), 0);
    fx_reopen(&f);
    failed(1, 486, "busy");
    carrier(",'disabled':true");
    ck_assert_int_eq(fx_start(&f, 2, "8002", "913800138000", false), 0);
    failed(2, 404, "no_trunk");
    set("[{'kind':'trunk','name':'carrier','contact':'sip:192.0.2.9:5060'},"
        "{'kind':'parameter','name':'outbound_trunk','value':'carrier'}]");
    ck_assert_int_eq(fx_start(&f, 3, "8002", "913800138000", false), 0);
    failed(3, 403, "not_allowed");
    carrier("");
    set("[{'kind':'blacklist','number':'138*','direction':'out'},{'kind':'blacklist','number':'139*'}]");
    ck_assert_int_eq(fx_start(&f, 4, "8002", "913800138000", false), 0);
    failed(4, 603, "blacklisted");
    ck_assert_int_eq(fx_start(&f, 5, "8002", "913900138000", false), 0); /* its calls in are refused, not those to it */
    dials(5, "13900138000", "carrier", "");
}
END_TEST

START_TEST(test_which_trunk)
{
    set("[{'kind':'trunk','name':'second','contact':'sip:user@[2001:db8::1]:5070;transport=tcp','outbound':true,"
        "'caller_id':'+861085550000'}]");
    ck_assert_int_eq(fx_start(&f, 1, "8002", "913800138000", false), 0);
    failed(1, 404, "no_trunk"); /* two, and nobody said which */
    set("[{'kind':'parameter','name':'outbound_trunk','value':'second'}]");
    ck_assert_int_eq(fx_start(&f, 2, "8002", "913800138000", false), 0);
    dials(2, "13800138000", "second", "+861085550000");
    ck_assert_str_eq(core_trunk_contact(f.c, "second"), "sip:user@[2001:db8::1]:5070;transport=tcp");
    ck_assert_ptr_null(core_trunk_contact(f.c, "demo"));
    ck_assert_int_eq(core_takeover_out(f.c, "second"), CORE_TAKEOVER_ADDRESS);
    set("[{'kind':'network','name':'carriers','ranges':['2001:db8::/32'],'takeover':'reinvite'}]");
    ck_assert_int_eq(core_takeover_out(f.c, "second"), CORE_TAKEOVER_REINVITE);
}
END_TEST

/* From a menu: back to it when nobody is had, and on to others, who are none of the outside. */
START_TEST(test_from_a_menu)
{
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, 1, "13800138000", "10000", true), 0);
    ck_assert_int_eq(core_call(f.c, 1)->phase, CORE_CALL_MENU);
    ck_assert_int_eq(dial(1, "12a", "", ""), ERR_INVAL);
    ck_assert_str_eq(f.last.field, "number");
    ck_assert_int_eq(dial(1, "12", "", "x"), ERR_INVAL);
    ck_assert_str_eq(f.last.field, "caller_id");
    ck_assert_int_eq(dial(1, "12", "nosuch", ""), ERR_DENIED);
    ck_assert_int_eq(dial(1, "12", "carrier", "+8610"), 0);
    dials(1, "12", "carrier", "+8610");
    ck_assert_uint_eq(core_call(f.c, 1)->offer.ring_time_s, 7);
    ck_assert_int_eq(fx_fail(&f, 1, core_call(f.c, 1)->offer.id, EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    fx_reopen(&f);
    ck_assert_int_eq(core_call(f.c, 1)->phase, CORE_CALL_MENU);
    ck_assert_int_eq(core_call(f.c, 1)->fail_status, 480);
    Ev__CallDial m = EV__CALL_DIAL__INIT;
    m.call_id = 1;
    m.agent = (char *)(uintptr_t) "1001";
    FX_BODY(CALL_DIAL, call_dial, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    fx_reopen(&f);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_RINGING);
    ck_assert_str_eq(core_call(f.c, 1)->out_trunk, "");
}
END_TEST

START_TEST(test_what_configuration_takes)
{
    static const struct {
        const char *kind, *object, *field; /* NULL: it is taken */
    } cases[] = {
        {"trunk", "{'name':'t','caller_id':'12a'}", "caller_id"},
        {"access_number", "{'number':'5','outside':'1;x'}", "outside"},
        {"access_number", "{'number':'5','outside':'12','queue':'service'}", ""},
        {"access_number", "{'number':'5','outside':'+'}", "outside"},
        {"access_number", "{'number':'5','outside':'123456789012345678901234567890123'}", "outside"},
        {"access_number", "{'number':'5','outside':'+12'}", NULL},
        {"trunk", "{'name':'t','caller_id':'+12','outbound':true}", NULL},
        {"trunk", "{'name':'t','username':'u'}", "secret"},
        {"trunk", "{'name':'t','secret':'s'}", "username"},
        {"trunk", "{'name':'t','username':'u','secret':'s'}", NULL},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err_info info = {0};
        Ev__ConfigObject *o = NULL;
        char text[128];
        (void)snprintf(text, sizeof text, "%s", cases[i].object);
        for (char *p = text; *p; p++)
            *p = *p == '\'' ? '"' : *p;
        json_t *v = json_loads(text, 0, NULL);
        int err = view_config_from_json(cases[i].kind, v, "everline", &o, &info);
        json_decref(v);
        ck_assert_msg((err == 0) == !cases[i].field, "%s: %s", text, info.text);
        if (cases[i].field)
            ck_assert_str_eq(info.field, cases[i].field);
        ev__config_object__free_unpacked(o, NULL);
    }
}
END_TEST

/* The password is a secret that exists, cannot be removed while it is used, and is followed when it changes. */
START_TEST(test_credentials)
{
    const char *user = NULL;
    ck_assert_ptr_null(core_trunk_credentials(f.c, "carrier", &user));
    ck_assert_ptr_null(core_trunk_credentials(f.c, "nosuch", &user));
    ck_assert_ptr_null(core_trunk_credentials(f.c, NULL, &user));
    ck_assert_int_eq(fx_set(&f, "[" CARRIER_NAMED "]"), ERR_INVAL);
    set("[{'kind':'secret','name':'carrier-key','value':'pass word'}]");
    set("[" CARRIER_NAMED "]");
    fx_reopen(&f);
    ck_assert_str_eq(core_trunk_credentials(f.c, "carrier", &user), "pass word");
    ck_assert_str_eq(user, "ever");
    ck_assert_int_eq(fx_config(&f, NULL, "['secret/carrier-key']", NULL, ""), ERR_CONFLICT);
    set("[{'kind':'secret','name':'carrier-key','value':'other'}]");
    ck_assert_str_eq(core_trunk_credentials(f.c, "carrier", &user), "other");
    carrier("");
    ck_assert_ptr_null(core_trunk_credentials(f.c, "carrier", &user));
    ck_assert_int_eq(fx_config(&f, NULL, "['secret/carrier-key']", NULL, ""), 0);
}
END_TEST

/* Programs that do not know of passwords would leave them out of what they keep. */
START_TEST(test_level)
{
    Ev__Trunk t = EV__TRUNK__INIT;
    Ev__ConfigObject o = EV__CONFIG_OBJECT__INIT, *set_of[] = {&o};
    Ev__ConfigApply m = EV__CONFIG_APPLY__INIT;
    o.object_case = EV__CONFIG_OBJECT__OBJECT_TRUNK;
    o.trunk = &t;
    m.n_set = 1;
    m.set = set_of;
    FX_BODY(CONFIG_APPLY, config_apply, m);
    ck_assert_uint_eq(core_feature_of(&cmd), 1);
    t.username = (char *)(uintptr_t) "u";
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core outside");
    TCase *t = tcase_create("outside");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_forwarded);
    tcase_add_test(t, test_nobody_here_takes_part);
    tcase_add_test(t, test_prefix);
    tcase_add_test(t, test_failures);
    tcase_add_test(t, test_which_trunk);
    tcase_add_test(t, test_from_a_menu);
    tcase_add_test(t, test_what_configuration_takes);
    tcase_add_test(t, test_credentials);
    tcase_add_test(t, test_level);
    suite_add_tcase(s, t);
    return run_suite(s);
}
