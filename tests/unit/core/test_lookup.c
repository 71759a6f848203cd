/* Secrets, look-ups, and callers who are found to be VIPs while they wait. */
#include "core/core_int.h"
#include "core/explain.h"
#include "core/view.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 2);
}

static void teardown(void)
{
    fx_close(&f);
}

static void set(const char *text)
{
    fx_must_set(&f, text);
}

#define CRM                                                                          \
    "{'kind':'secret','name':'crm-key','value':'Bearer s3cret'},"                    \
    "{'kind':'lookup','name':'crm','url':'https://crm.example/vip?tel=${caller}',"   \
    "'headers':[{'name':'Authorization','secret':'crm-key'},{'name':'X-Site','value':'north'}]}"
#define ASKS "{'kind':'queue','name':'service','vip_lookup':'crm','members':[{'agent':'1001'}]}"

static char *shown(const char *kind, const char *key)
{
    json_t *o = fx_view(&f, kind, key, NULL);
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    ck_assert_ptr_nonnull(text);
    return text;
}

/* What a client's JSON is told before a command is made. */
static int given(const char *kind, const char *text, struct err_info *info)
{
    json_t *o = json_loads(text, 0, NULL);
    ck_assert_msg(o != NULL, "%s", text);
    struct Ev__ConfigObject *made = NULL;
    int err = view_config_from_json(kind, o, "everline", &made, info);
    json_decref(o);
    if (!err)
        ev__config_object__free_unpacked((Ev__ConfigObject *)made, NULL);
    return err;
}

/* Known to who needs it, and shown to nobody. */
START_TEST(test_secret)
{
    set("[" CRM "," ASKS "]");
    ck_assert_str_eq(core_secret(f.c, "crm-key"), "Bearer s3cret");
    ck_assert_ptr_null(core_secret(f.c, "other"));
    set("[{'kind':'secret','name':'crm-key'}]"); /* left out: it stays */
    ck_assert_str_eq(core_secret(f.c, "crm-key"), "Bearer s3cret");
    ck_assert_int_eq(fx_config(&f, "[{'kind':'secret','name':'crm-key','value':'another s3cret'}]", NULL, NULL, "key1"), 0);
    fx_reopen(&f);
    ck_assert_str_eq(core_secret(f.c, "crm-key"), "another s3cret");
    ck_assert_int_eq(fx_set(&f, "[{'kind':'secret','name':'new'}]"), ERR_INVAL);
    struct err_info info = {0};
    ck_assert_int_eq(given("secret", "{\"name\":\"new\",\"value\":\"two\\nlines s3cret\"}", &info), ERR_INVAL);
    ck_assert_ptr_null(strstr(info.text, "s3cret"));
    static const char *const kinds[] = {"secret", "lookup", "queue", "event", "audit"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char *text = shown(kinds[i], NULL);
        ck_assert_msg(!strstr(text, "s3cret"), "%s: %s", kinds[i], text);
        free(text);
    }
    char *audit = shown("audit", NULL);
    ck_assert_ptr_nonnull(strstr(audit, "\"value\":\"***\""));
    free(audit);
}
END_TEST

START_TEST(test_lookup)
{
    set("[" CRM "]");
    const Ev__Lookup *l = core_lookup_config(f.c, "crm");
    ck_assert_uint_eq(l->timeout_ms, 1000);
    ck_assert_uint_eq(l->cache_s, 300);
    ck_assert_str_eq(l->on_error, "normal");
    static const char *const bad[] = {
        "{'name':'a'}",
        "{'name':'a','url':'crm.example'}",
        "{'name':'a','url':'ftp://crm.example/'}",
        "{'name':'a','url':'https://${caller}/'}",
        "{'name':'a','url':'https://crm.example.${caller}/'}",
        "{'name':'a','url':'https://me:pw@crm.example/'}",
        "{'name':'a','url':'https://crm.example/${secret}'}",
        "{'name':'a','url':'https://crm.example/$x'}",
        "{'name':'a','url':'https://crm.example/a b'}",
        "{'name':'a','url':'https://crm.example/#a'}",
        "{'name':'a','url':'https://crm.example/','timeout_ms':99}",
        "{'name':'a','url':'https://crm.example/','on_error':'maybe'}",
        "{'name':'a','url':'https://crm.example/','headers':[{'name':'X'}]}",
        "{'name':'a','url':'https://crm.example/','headers':[{'name':'X','value':'a','secret':'crm-key'}]}",
        "{'name':'a','url':'https://crm.example/','headers':[{'name':'X','value':'a\\nY: b'}]}",
        "{'name':'a','url':'https://crm.example/','headers':[{'name':'X:','value':'a'}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[256];
        struct err_info info;
        snprintf(text, sizeof text, "%s", bad[i]);
        for (char *p = text; *p; p++)
            *p = *p == '\'' ? '"' : *p;
        int err = given("lookup", text, &info);
        ck_assert_msg(err == ERR_INVAL || err == ERR_RANGE, "%s: %d", bad[i], err);
    }
    ck_assert_int_eq(fx_set(&f, "[{'kind':'lookup','name':'a','url':'https://crm.example/',"
                                "'headers':[{'name':'X','secret':'none'}]}]"),
                     ERR_INVAL);
    ck_assert_ptr_nonnull(strstr(f.last.field, "headers[0].secret"));
    set("[{'kind':'lookup','name':'a','url':'http://[::1]:8080/${queue}/${called}?${caller}'}]");
}
END_TEST

START_TEST(test_what_is_in_use_stays)
{
    ck_assert_int_eq(fx_set(&f, "[" ASKS "]"), ERR_INVAL); /* there is no look-up */
    ck_assert_ptr_nonnull(strstr(f.last.field, "vip_lookup"));
    set("[" CRM "," ASKS "]");
    ck_assert_int_eq(fx_config(&f, NULL, "['lookup/crm']", NULL, NULL), ERR_CONFLICT);
    ck_assert_int_eq(fx_config(&f, NULL, "['secret/crm-key']", NULL, NULL), ERR_CONFLICT);
    set("[{'kind':'queue','name':'service','members':[{'agent':'1001'}]}]");
    ck_assert_int_eq(fx_config(&f, NULL, "['lookup/crm']", NULL, NULL), 0);
    ck_assert_int_eq(fx_config(&f, NULL, "['secret/crm-key']", NULL, NULL), 0);
}
END_TEST

static int raise(uint64_t id, const char *queue, const char *by)
{
    Ev__CallVip m = EV__CALL_VIP__INIT;
    m.call_id = id;
    m.queue = (char *)(uintptr_t)queue;
    m.by = (char *)(uintptr_t)by;
    FX_BODY(CALL_VIP, call_vip, m);
    return fx_run(&f, &cmd);
}

static void order_is(uint64_t first, uint64_t second, uint64_t third)
{
    const uint64_t want[] = {first, second, third};
    uint64_t got;
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert(acd_waiting_at(f.c->acd, core_queue_obj(f.c, "service")->key, i, &got));
        ck_assert_uint_eq(got, want[i]);
    }
}

START_TEST(test_caller_is_raised)
{
    set("[" CRM "," ASKS "]");
    for (uint64_t id = 1; id <= 3; id++)
        ck_assert_int_eq(fx_start(&f, id, "1", "10003", true), 0);
    order_is(1, 2, 3);
    uint64_t since = core_call(f.c, 3)->queued_us;
    f.now += 1000000;
    ck_assert_int_eq(raise(3, "sales", "lookup"), ERR_STALE); /* about another stay */
    ck_assert_int_eq(raise(3, "service", "lookup"), 0);
    order_is(3, 1, 2);
    ck_assert_uint_eq(core_call(f.c, 3)->queued_us, since);
    ck_assert(core_call(f.c, 3)->vip);
    ck_assert_int_eq(raise(3, "service", "lookup"), 0); /* twice is once */
    order_is(3, 1, 2);
    f.now += 1000000;
    ck_assert_int_eq(raise(2, "service", "lookup_error"), 0);
    order_is(2, 3, 1); /* both are VIPs: who came first goes first */
    fx_same_after_restart(&f);
    order_is(2, 3, 1);
    struct err_info info;
    ck_assert_int_eq(acd_check(f.c->acd, &info), 0);
}
END_TEST

/* Being offered when the answer comes, he goes before the others when that agent does not take him; later it changes nothing. */
START_TEST(test_raised_while_offered)
{
    set("[" CRM "," ASKS "]");
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, 1, "1", "10003", true), 0);
    ck_assert_int_eq(fx_start(&f, 2, "2", "10003", true), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_OFFERED);
    uint64_t offer = core_call(f.c, 1)->offer.id;
    ck_assert_int_eq(raise(1, "service", "lookup"), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_OFFERED);
    ck_assert_uint_eq(core_call(f.c, 1)->offer.id, offer);
    ck_assert_int_eq(fx_fail(&f, 1, offer, EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    struct acd_call waits;
    ck_assert(acd_waits(f.c->acd, 1, &waits));
    ck_assert(waits.vip);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    ck_assert_int_eq(raise(1, "service", "lookup"), ERR_NOTFOUND);
    ck_assert_int_eq(fx_start(&f, 3, "3", "10001", true), 0);
    ck_assert_int_eq(raise(3, "", "lookup"), ERR_STALE); /* in no queue */
}
END_TEST

START_TEST(test_said_in_words)
{
    set("[" CRM "," ASKS "]");
    ck_assert_int_eq(fx_start(&f, 1, "1", "10003", true), 0);
    ck_assert_int_eq(fx_start(&f, 2, "1", "10003", true), 0);
    ck_assert_int_eq(raise(1, "service", "lookup"), 0);
    ck_assert_int_eq(raise(2, "service", "lookup_error"), 0);
    for (uint64_t id = 1; id <= 2; id++) {
        json_t *o = NULL;
        struct err_info info;
        ck_assert_int_eq(core_explain_call(f.c, id, &o, &info), 0);
        char *text = json_dumps(o, 0);
        ck_assert_ptr_nonnull(strstr(text, id == 1 ? "The business system says that the caller is a VIP"
                                                   : "The business system could not be asked"));
        free(text);
        json_decref(o);
    }
}
END_TEST

START_TEST(test_level_that_it_takes)
{
    Ev__Queue q = EV__QUEUE__INIT;
    Ev__Secret secret = EV__SECRET__INIT;
    Ev__ConfigObject object = EV__CONFIG_OBJECT__INIT, *objects[1] = {&object};
    Ev__ConfigApply m = EV__CONFIG_APPLY__INIT;
    m.n_set = 1;
    m.set = objects;
    object.object_case = EV__CONFIG_OBJECT__OBJECT_QUEUE;
    object.queue = &q;
    FX_BODY(CONFIG_APPLY, config_apply, m);
    ck_assert_uint_eq(core_feature_of(&cmd), 1);
    q.vip_lookup = (char *)(uintptr_t) "crm";
    ck_assert_uint_eq(core_feature_of(&cmd), 3);
    object.object_case = EV__CONFIG_OBJECT__OBJECT_SECRET;
    object.secret = &secret;
    ck_assert_uint_eq(core_feature_of(&cmd), 3);
    cmd.body_case = EV__COMMAND__BODY_CALL_VIP;
    ck_assert_uint_eq(core_feature_of(&cmd), 3);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core look-ups");
    TCase *t = tcase_create("lookup");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_secret);
    tcase_add_test(t, test_lookup);
    tcase_add_test(t, test_what_is_in_use_stays);
    tcase_add_test(t, test_caller_is_raised);
    tcase_add_test(t, test_raised_while_offered);
    tcase_add_test(t, test_said_in_words);
    tcase_add_test(t, test_level_that_it_takes);
    suite_add_tcase(s, t);
    return run_suite(s);
}
