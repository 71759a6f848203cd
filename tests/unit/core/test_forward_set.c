/* Setting rules of forwarding: by telephone and by request, what is refused, and what the audit log tells. */
#include "tests/unit/core/forward_rig.h"
#include "tests/unit/suite.h"

static Ev__ForwardSet want;

static int ask(const char *actor)
{
    FX_BODY(FORWARD_SET, forward_set, want);
    cmd.actor = T(actor);
    int code = fx_run(&f, &cmd);
    ev__forward_set__init(&want);
    fx_same_after_restart(&f);
    return code;
}

static void dialled(const char *telephone, const char *when, const char *number, int code)
{
    want.telephone = T(telephone);
    want.when = T(when);
    want.dialled = T(number);
    char actor[32];
    (void)snprintf(actor, sizeof actor, "phone:%s", telephone);
    ck_assert_msg(ask(actor) == code, "%s: %d %s: %s", number, f.last.code, f.last.field, f.last.text);
}

static void rule_is(const char *name, const char *type, const char *target)
{
    json_t *list = fx_list(&f, "forward", json_pack("{s:s}", "name", name));
    const json_t *a = json_object_get(json_array_get(json_object_get(list, "items"), 0), "to");
    ck_assert_int_eq(json_is_object(a), type != NULL);
    if (type) {
        ck_assert_str_eq(json_string_value(json_object_get(a, "type")), type);
        ck_assert_str_eq(json_string_value(json_object_get(a, "target")), target);
    }
    json_decref(list);
}

static size_t audited(const char *action, const char *object)
{
    json_t *list = fx_list(&f, "audit", json_pack("{s:s,s:s}", "action", action, "object", object));
    size_t n = json_array_size(json_object_get(list, "items"));
    json_decref(list);
    return n;
}

START_TEST(test_set_by_telephone)
{
    ev__forward_set__init(&want);
    dialled("8001", "always", "1002", 0); /* of the agent who is there */
    rule_is("agent-1001-always", "agent", "1002");
    ck_assert_uint_eq(audited("config.created", "forward/agent-1001-always"), 1);
    dialled("8001", "always", "913900000009", 0);
    rule_is("agent-1001-always", "outside", "13900000009");
    ck_assert_uint_eq(audited("config.updated", "forward/agent-1001-always"), 1);
    dialled("8001", "always", "", 0);
    rule_is("agent-1001-always", NULL, NULL);
    ck_assert_uint_eq(audited("config.removed", "forward/agent-1001-always"), 1);
    dialled("8001", "always", "", 0); /* it is not there: as asked */
    dialled("8050", "busy", "8002", 0); /* nobody is there: of the telephone */
    rule_is("extension-8050-busy", "extension", "8002");
    dialled("8050", "no_answer", "10013", 0);
    rule_is("extension-8050-no_answer", "queue", "sales");
    dialled("8050", "unavailable", "10000", 0);
    rule_is("extension-8050-unavailable", "flow", "welcome");
    dialled("8050", "busy", "8050", ERR_INVAL); /* himself */
    dialled("8001", "busy", "8001", ERR_INVAL);
    dialled("8001", "busy", "1001", ERR_INVAL);
    dialled("8001", "busy", "777", ERR_NOTFOUND);
    dialled("8001", "busy", "10001", ERR_DENIED); /* an echo */
    dialled("8001", "never", "1002", ERR_INVAL);
    ck_assert_uint_eq(audited("forward.set", "extension/8001"), 5);
    rule_is("extension-8050-busy", "extension", "8002");
}
END_TEST

START_TEST(test_set_by_request)
{
    ev__forward_set__init(&want);
    set("[{'kind':'time_group','name':'office','tz':'CST-8','monday':['09:00-17:00']}]");
    Ev__Action a = EV__ACTION__INIT;
    a.type = T("agent");
    a.target = T("1002");
    want.agent = T("1001");
    want.when = T("no_answer");
    want.after_s = 12;
    want.time_group = T("office");
    want.to = &a;
    ck_assert_int_eq(ask("agent:2001"), 0);
    rule_is("agent-1001-no_answer", "agent", "1002");
    json_t *o = fx_view(&f, "forward", "agent-1001-no_answer", NULL);
    ck_assert_int_eq(json_integer_value(json_object_get(o, "after_s")), 12);
    ck_assert_str_eq(json_string_value(json_object_get(o, "time_group")), "office");
    json_decref(o);
    want.agent = T("1001");
    want.when = T("no_answer");
    want.to = &a;
    a.target = T("1999");
    ck_assert_int_eq(ask("agent:2001"), ERR_INVAL);
    ck_assert_uint_eq(audited("forward.set", "agent/1001"), 1);
    a.target = T("1002");
    want.agent = T("1001");
    want.extension = T("8001");
    want.to = &a;
    ck_assert_int_eq(ask("agent:2001"), ERR_INVAL);
    want.agent = T("1888");
    want.when = T("busy");
    want.to = &a;
    ck_assert_int_eq(ask("agent:2001"), ERR_NOTFOUND);
    want.agent = T("1001");
    want.when = T("no_answer");
    ck_assert_int_eq(ask("agent:2001"), 0);
    rule_is("agent-1001-no_answer", NULL, NULL);
    want.agent = T("1001");
    want.when = T("busy");
    want.dialled = T("1002");
    ck_assert_int_eq(ask("agent:2001"), ERR_INVAL);
}
END_TEST

START_TEST(test_refused)
{
    static const struct {
        const char *fields, *field;
    } wrong[] = {
        {"'to':{'type':'agent','target':'1002'}", "set[0].agent"},
        {"'agent':'1001','extension':'8001','to':{'type':'agent','target':'1002'}", "set[0].agent"},
        {"'agent':'1001'", "set[0].to"},
        {"'agent':'1001','to':{'type':'agent','target':'1001'}", "set[0].to.target"},
        {"'extension':'8050','to':{'type':'extension','target':'8050'}", "set[0].to.target"},
        {"'agent':'1001','to':{'type':'hangup'}", "set[0].to.type"},
        {"'agent':'1001','to':{'type':'outside','target':'abc'}", "set[0].to.target"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err_info info = {0};
        struct Ev__ConfigObject *o = NULL;
        char text[256];
        (void)snprintf(text, sizeof text, "{'name':'w',%s}", wrong[i].fields);
        for (char *p = text; *p; p++)
            *p = *p == '\'' ? '"' : *p;
        json_t *j = json_loads(text, 0, NULL);
        ck_assert_ptr_nonnull(j);
        ck_assert_msg(view_config_from_json("forward", j, "everline", &o, &info) != 0, "%s", text);
        ck_assert_str_eq(info.field, wrong[i].field + sizeof "set[0]");
        json_decref(j);
    }
    static const char *const refs[][2] = {
        {"'agent':'1001','to':{'type':'extension','target':'8001'}", "forward/w.to.target"}, /* his own telephone */
        {"'extension':'8001','to':{'type':'agent','target':'1001'}", "forward/w.to.target"},
        {"'agent':'1001','to':{'type':'queue','target':'none'}", "forward/w.to.target"},
        {"'agent':'1001','time_group':'none','to':{'type':'queue','target':'sales'}", "forward/w.time_group"},
    };
    for (size_t i = 0; i < 4; i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "[{'kind':'forward','name':'w',%s}]", refs[i][0]);
        ck_assert_int_eq(fx_set(&f, text), ERR_INVAL);
        ck_assert_str_eq(f.last.field, refs[i][1]);
    }
    rule("'to':{'type':'agent','target':'1002'}");
    ck_assert_int_eq(fx_config(&f, NULL, "['agent/1002']", NULL, NULL), ERR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(f.last.text, "forward one"));
}
END_TEST

/* Below level 4 nobody has such rules, and what the commands bring about is as it was. */
START_TEST(test_level)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__ForwardSet s = EV__FORWARD_SET__INIT;
    cmd.body_case = EV__COMMAND__BODY_FORWARD_SET;
    cmd.forward_set = &s;
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    Ev__ConfigApply a = EV__CONFIG_APPLY__INIT;
    Ev__ConfigObject o = EV__CONFIG_OBJECT__INIT, *list = &o;
    Ev__Forward fw = EV__FORWARD__INIT;
    Ev__Trunk t = EV__TRUNK__INIT;
    o.object_case = EV__CONFIG_OBJECT__OBJECT_FORWARD;
    o.forward = &fw;
    a.n_set = 1;
    a.set = &list;
    cmd.body_case = EV__COMMAND__BODY_CONFIG_APPLY;
    cmd.config_apply = &a;
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    o.object_case = EV__CONFIG_OBJECT__OBJECT_TRUNK;
    o.trunk = &t;
    ck_assert_uint_eq(core_feature_of(&cmd), 1);
    t.pass_caller = true;
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core forward set");
    TCase *t = tcase_create("forward");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_set_by_telephone);
    tcase_add_test(t, test_set_by_request);
    tcase_add_test(t, test_refused);
    tcase_add_test(t, test_level);
    suite_add_tcase(s, t);
    return run_suite(s);
}
