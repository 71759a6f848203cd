/* What is told of messages outside: whose it is, when it is tried again, given up, and when nodes go. Each state once more after a restart. */
#include "core/core_int.h"
#include "core/parameter.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 2);
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    fx_must_set(&f, "[{'kind':'secret','name':'key','value':'x'},"
                    "{'kind':'mailbox','name':'both','email':['a@b.example'],'hook_url':'https://a.example/x','hook_secret':'key'},"
                    "{'kind':'mailbox','name':'mail','email':['a@b.example','c@b.example'],'email_format':'mp3'}]");
}

static void teardown(void)
{
    fx_close(&f);
}

static int tried(const char *node, uint64_t message, int kind, uint32_t tries, bool ok, bool for_good)
{
    Ev__DeliveryEnd m = EV__DELIVERY_END__INIT;
    m.message = message;
    m.kind = (uint32_t)kind;
    m.tries = tries;
    m.ok = ok;
    m.for_good = for_good;
    m.why = (char *)(uintptr_t)(ok ? "" : "it was in vain");
    FX_BODY(DELIVERY_END, delivery_end, m);
    cmd.node = (char *)(uintptr_t)node;
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    return fx_run(&f, &cmd);
}

static unsigned pending(void)
{
    unsigned n = 0;
    for (const struct core_delivery *d = NULL; (d = core_delivery_next(f.c, d));)
        n++;
    return n;
}

static void is_owned(uint64_t message, enum core_delivery_kind kind, const char *node, uint32_t tries)
{
    for (int i = 0; i < 2; i++) {
        const struct core_delivery *d = core_delivery(f.c, message, kind);
        ck_assert_ptr_nonnull(d);
        ck_assert_str_eq(d->owner, node);
        ck_assert_uint_eq(d->tries, tries);
        fx_reopen(&f);
    }
}

static void view_says(const char *kind, const char *what)
{
    json_t *list = fx_view(&f, kind, NULL, NULL);
    char *text = json_dumps(list, JSON_COMPACT | JSON_SORT_KEYS);
    ck_assert_msg(strstr(text, what) != NULL, "no %s in %.3000s", what, text);
    free(text);
    json_decref(list);
}

START_TEST(test_told_once)
{
    struct core_message m;
    fx_leave(&f, 1, "none");
    ck_assert_uint_eq(pending(), 0);
    fx_leave(&f, 2, "both");
    ck_assert_uint_eq(pending(), 2);
    is_owned(1002, CORE_DELIVERY_EMAIL, "n1", 0);
    is_owned(1002, CORE_DELIVERY_HOOK, "n1", 0);
    ck_assert_int_eq(core_message_get(f.c, 1002, &m), 0);
    ck_assert_str_eq(m.box, "both");
    ck_assert_str_eq(m.caller, "13800138000");
    ck_assert_str_eq(m.sha256, FX_SHA);
    ck_assert_int_eq(core_message_get(f.c, 7, &m), ERR_NOTFOUND);
    view_says("mailbox", "\"pending_deliveries\":2");
    ck_assert_int_eq(tried("n2", 1002, CORE_DELIVERY_EMAIL, 0, true, false), ERR_STALE);
    ck_assert_int_eq(tried("n1", 1002, CORE_DELIVERY_EMAIL, 1, true, false), ERR_STALE); /* not this try */
    ck_assert_int_eq(tried("n1", 1002, CORE_DELIVERY_EMAIL, 0, true, false), 0);
    ck_assert_int_eq(tried("n1", 1002, CORE_DELIVERY_EMAIL, 0, true, false), ERR_NOTFOUND);
    view_says("message", "\"kind\":\"email\",\"node\":\"\",\"reason\":\"\",\"state\":\"done\",\"tries\":1");
    view_says("event", "everline.message.delivered");
    fx_reopen(&f);
    ck_assert_uint_eq(pending(), 1);
}
END_TEST

START_TEST(test_tried_again)
{
    fx_leave(&f, 1, "mail");
    uint64_t due = core_delivery(f.c, 1001, CORE_DELIVERY_EMAIL)->due_us;
    ck_assert_int_eq(tried("n1", 1001, CORE_DELIVERY_EMAIL, 0, false, false), 0);
    is_owned(1001, CORE_DELIVERY_EMAIL, "n2", 1); /* which may reach what n1 does not */
    view_says("message", "\"reason\":\"it was in vain\",\"state\":\"pending\",\"tries\":1");
    uint64_t next = core_delivery(f.c, 1001, CORE_DELIVERY_EMAIL)->due_us;
    ck_assert_uint_ge(next - due, 5 * US);
    ck_assert_int_eq(tried("n2", 1001, CORE_DELIVERY_EMAIL, 1, false, false), 0);
    is_owned(1001, CORE_DELIVERY_EMAIL, "n1", 2);
    ck_assert_uint_ge(core_delivery(f.c, 1001, CORE_DELIVERY_EMAIL)->due_us - f.c->now_us, 10 * US);
    const char *node = "n1";
    for (uint32_t i = 2; i < 20; i++, node = strcmp(node, "n1") ? "n1" : "n2") {
        is_owned(1001, CORE_DELIVERY_EMAIL, node, i);
        ck_assert_uint_le(core_delivery(f.c, 1001, CORE_DELIVERY_EMAIL)->due_us, f.c->now_us + 14400 * US);
        ck_assert_int_eq(tried(node, 1001, CORE_DELIVERY_EMAIL, i, false, false), 0);
    }
    ck_assert_uint_eq(pending(), 0);
    view_says("message", "\"state\":\"given_up\",\"tries\":20");
    view_says("mailbox", "\"given_up_deliveries\":1");
    view_says("event", "everline.message.undelivered");

    fx_leave(&f, 2, "mail");
    ck_assert_int_eq(tried("n1", 1002, CORE_DELIVERY_EMAIL, 0, false, true), 0); /* for good */
    ck_assert_uint_eq(pending(), 0);
}
END_TEST

START_TEST(test_nodes_go)
{
    fx_leave(&f, 1, "both");
    f.node = "n2";
    ck_assert_int_eq(fx_node_down(&f, "n1", 1), 0);
    is_owned(1001, CORE_DELIVERY_EMAIL, "n2", 0);
    is_owned(1001, CORE_DELIVERY_HOOK, "n2", 0);
    ck_assert_int_eq(tried("n1", 1001, CORE_DELIVERY_HOOK, 0, true, false), ERR_STALE);
    f.node = "n1";
    ck_assert_int_eq(fx_node_down(&f, "n2", 1), 0); /* nobody is left */
    ck_assert_int_eq(fx_node_up(&f, "n1", 1, 2), 0);
    is_owned(1001, CORE_DELIVERY_EMAIL, "n1", 0);
}
END_TEST

START_TEST(test_the_message_goes)
{
    fx_leave(&f, 1, "both");
    Ev__MessageDelete m = EV__MESSAGE_DELETE__INIT;
    m.id = 1001;
    FX_BODY(MESSAGE_DELETE, message_delete, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    ck_assert_uint_eq(pending(), 0);
    fx_reopen(&f);
    ck_assert_uint_eq(pending(), 0);
}
END_TEST

/* One object, by what it is made of alone. */
static void refused(const char *kind, const char *text, const char *field)
{
    char json[512];
    struct Ev__ConfigObject *o = NULL;
    struct err_info info = {.code = 0};
    (void)snprintf(json, sizeof json, "{%s}", text);
    for (char *p = json; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    json_t *v = json_loads(json, 0, NULL);
    int err = view_config_from_json(kind, v, "everline", &o, &info);
    enum cfg_kind k = CFG_NONE;
    const ProtobufCMessage *m = err ? NULL : config_object((const Ev__ConfigObject *)o, &k);
    const Ev__Parameter *p = k == CFG_PARAMETER ? (const Ev__Parameter *)(const void *)m : NULL;
    if (!err)
        err = p ? parameter_check(p->name, p->value, &info) : config_check(k, m, &info);
    ck_assert_msg(err != 0, "%s", text);
    ck_assert_str_eq(info.field, field);
    if (o)
        ev__config_object__free_unpacked((Ev__ConfigObject *)o, NULL);
    json_decref(v);
}

START_TEST(test_what_is_refused)
{
    refused("mailbox", "'name':'x','email':['nobody']", "email[0]");
    refused("mailbox", "'name':'x','email':['a@b.example>']", "email[0]");
    refused("mailbox", "'name':'x','email':['a b@c.example']", "email[0]");
    refused("mailbox", "'name':'x','hook_url':'ftp://a.example/'", "hook_url");
    refused("mailbox", "'name':'x','hook_url':'https://a.example/${caller}'", "hook_url");
    refused("mailbox", "'name':'x','hook_secret':'key'", "hook_secret");
    ck_assert_int_ne(fx_set(&f, "[{'kind':'mailbox','name':'x','hook_url':'https://a.example/','hook_secret':'no'}]"), 0);
    ck_assert_str_eq(f.last.field, "mailbox/x.hook_secret");
    refused("parameter", "'name':'smtp_url','value':'http://a'", "value");
    refused("parameter", "'name':'smtp_url','value':'smtp://a:0'", "value");
    refused("parameter", "'name':'smtp_url','value':'smtp://user@a'", "value");
    refused("parameter", "'name':'smtp_from','value':'me'", "value");
    ck_assert_int_ne(fx_set(&f, "[{'kind':'parameter','name':'smtp_secret','value':'no'}]"), 0);
    ck_assert_str_eq(f.last.field, "parameter/smtp_secret.value");
    fx_must_set(&f, "[{'kind':'parameter','name':'smtp_url','value':'smtps://mail.b.example:465'},"
                    "{'kind':'parameter','name':'smtp_secret','value':'key'}]");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("delivery");
    TCase *t = tcase_create("delivery");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_told_once);
    tcase_add_test(t, test_tried_again);
    tcase_add_test(t, test_nodes_go);
    tcase_add_test(t, test_the_message_goes);
    tcase_add_test(t, test_what_is_refused);
    suite_add_tcase(s, t);
    return run_suite(s);
}
