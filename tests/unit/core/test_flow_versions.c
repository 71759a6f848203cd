/* What flows leave with calls: variables, needs, and the versions that calls stand in. */
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static void up(void)
{
    fx_open(&f);
    fx_demo(&f, 1);
    ck_assert_int_eq(fx_raise(&f, 3), 0);
}

static void down(void)
{
    fx_close(&f);
}

static uint64_t set_flow(const char *start)
{
    char text[256];
    snprintf(text, sizeof text, "[{'kind':'flow','name':'menu','definition':{'name':'menu','start':'%s'}},"
                                "{'kind':'access_number','number':'10010','flow':'menu'}]", start);
    ck_assert_int_eq(fx_set(&f, text), 0);
    return core_flow_version(f.c, "menu");
}

static bool starts_with_node(uint64_t version, const char *start)
{
    char *text = NULL;
    int rc = core_flow_definition(f.c, "menu", &version, &text);
    ck_assert(rc == 0 || rc == ERR_NOTFOUND);
    bool there = rc == 0 && strstr(text, start);
    free(text);
    return there;
}

static int move(uint64_t call, const char *variables, uint64_t version, Ev__QueueNeed *need)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallMenu m = EV__CALL_MENU__INIT;
    Ev__FlowRef ref = EV__FLOW_REF__INIT, *refs[] = {&ref};
    cmd.node = "n1";
    cmd.body_case = EV__COMMAND__BODY_CALL_MENU;
    cmd.call_menu = &m;
    m.call_id = call;
    m.flow = "menu";
    m.node = "a";
    m.state = "x";
    m.has_variables = variables != NULL;
    m.variables = (char *)(uintptr_t)(variables ? variables : "");
    ref.name = "menu";
    ref.version = version;
    m.flows = refs;
    m.n_flows = version != 0;
    m.need = need;
    ck_assert_uint_eq(core_feature_of(&cmd), variables || version || need ? 3 : 1);
    return fx_run(&f, &cmd);
}

START_TEST(test_a_call_keeps_its_version)
{
    uint64_t first = set_flow("one");
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10010", true), 0);
    ck_assert_uint_eq(core_call(f.c, 1)->n_flows, 1);
    ck_assert_uint_eq(core_call(f.c, 1)->flows[0]->version, first);
    uint64_t last = 0;
    for (int i = 0; i < 30; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        last = set_flow(name);
    }
    ck_assert(starts_with_node(0, "n29"));
    ck_assert(starts_with_node(last, "n29"));
    ck_assert(starts_with_node(first, "one")); /* older than the last twenty, but a call is in it */
    fx_same_after_restart(&f);
    ck_assert(starts_with_node(first, "one"));
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    set_flow("end");
    ck_assert(!starts_with_node(first, "one")); /* nobody needs it any more */
    ck_assert(starts_with_node(last, "n29"));
    /* a flow that is removed stays for the calls in it */
    ck_assert_int_eq(fx_start(&f, 2, "13800", "10010", true), 0);
    uint64_t removed = core_flow_version(f.c, "menu");
    ck_assert_int_eq(fx_config(&f, NULL, "['flow/menu','access_number/10010']", NULL, NULL), 0);
    ck_assert_uint_eq(core_flow_version(f.c, "menu"), 0);
    ck_assert(starts_with_node(removed, "end"));
    ck_assert(!starts_with_node(0, ""));
}
END_TEST

START_TEST(test_nothing_is_kept_before_level_3)
{
    struct fx g;
    fx_open(&g);
    fx_demo(&g, 1);
    f = g;
    uint64_t first = set_flow("one");
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10010", true), 0);
    ck_assert_uint_eq(core_call(f.c, 1)->n_flows, 0);
    set_flow("two");
    ck_assert(!starts_with_node(first, "one"));
    fx_close(&f);
}
END_TEST

START_TEST(test_variables_and_needs)
{
    Ev__QueueNeed need = EV__QUEUE_NEED__INIT;
    Ev__SkillNeed skill = EV__SKILL_NEED__INIT, *skills[] = {&skill};
    uint64_t version = set_flow("one");
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10010", true), 0);
    ck_assert_int_eq(move(1, "{\"account\":\"8812\"}", version, NULL), 0);
    ck_assert_int_eq(move(1, NULL, 0, NULL), 0); /* as they were */
    ck_assert_str_eq(core_call(f.c, 1)->variables, "{\"account\":\"8812\"}");
    need.has_priority = true;
    need.priority = 7;
    skill.skill = "english";
    skill.level = 2;
    need.skills = skills;
    need.n_skills = 1;
    ck_assert_int_eq(move(1, NULL, 0, &need), 0);
    ck_assert_uint_eq(core_call(f.c, 1)->priority, 7);
    fx_reopen(&f);
    ck_assert_str_eq(core_call(f.c, 1)->variables, "{\"account\":\"8812\"}");
    ck_assert_uint_eq(core_call(f.c, 1)->flows[0]->version, version);
    json_t *o = fx_view(&f, "call", "0000000000000001", NULL);
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(o, "variables"), "account")), "8812");
    json_decref(o);
    /* nobody in the queue can do that */
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_ready(&f, "1001"), 0);
    ck_assert_int_eq(fx_queue(&f, 1, "service"), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    o = fx_view(&f, "cdr", "0000000000000001", NULL);
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(o, "variables"), "account")), "8812");
    json_decref(o);
}
END_TEST

/* A flow that names a skill twice: the higher level counts, and no node falls over it. */
START_TEST(test_a_skill_given_twice)
{
    Ev__QueueNeed need = EV__QUEUE_NEED__INIT;
    Ev__SkillNeed low = EV__SKILL_NEED__INIT, high = EV__SKILL_NEED__INIT, *skills[] = {&low, &high};
    ck_assert_int_eq(fx_set(&f, "[{'kind':'agent','number':'1001','extension':'8001','skills':[{'skill':'english','level':2}]}]"), 0);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_ready(&f, "1001"), 0);
    low.skill = high.skill = "english";
    low.level = 1;
    high.level = 3;
    need.skills = skills;
    need.n_skills = 2;
    set_flow("one");
    for (uint64_t call = 1; call <= 2; call++) {
        ck_assert_int_eq(fx_start(&f, call, "13800", "10010", true), 0);
        ck_assert_int_eq(move(call, NULL, 0, &need), 0);
        ck_assert_int_eq(fx_queue(&f, call, "service"), 0);
        ck_assert_int_eq(fx_phase(&f, call), call == 1 ? CORE_CALL_WAITING : CORE_CALL_OFFERED);
        high.level = 2;
    }
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    need.has_priority = true;
    need.priority = 1001; /* no flow has that */
    ck_assert_int_eq(fx_start(&f, 3, "13800", "10010", true), 0);
    ck_assert_int_eq(move(3, NULL, 0, &need), ERR_RANGE);
}
END_TEST

static int step(uint64_t call, const char *node, const char *left_by)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallMenu m = EV__CALL_MENU__INIT;
    cmd.node = "n1";
    cmd.body_case = EV__COMMAND__BODY_CALL_MENU;
    cmd.call_menu = &m;
    m.call_id = call;
    m.flow = "menu";
    m.node = (char *)(uintptr_t)node;
    m.state = "x";
    m.left_by = (char *)(uintptr_t)left_by;
    ck_assert_uint_eq(core_feature_of(&cmd), left_by[0] ? 4 : 1);
    f.now += 2 * US;
    return fx_run(&f, &cmd);
}

static void path_is(const char *id, const char *expected)
{
    char text[2048] = "";
    json_t *o = fx_view(&f, "cdr", id, NULL), *s;
    size_t i;
    json_array_foreach(json_object_get(o, "menu"), i, s)
    {
        size_t at = strlen(text);
        snprintf(text + at, sizeof text - at, "%s+%lld %llds %s, ", json_string_value(json_object_get(s, "node")),
                 (long long)json_integer_value(json_object_get(s, "after_ms")) / 1000,
                 (long long)json_integer_value(json_object_get(s, "ms")) / 1000, json_string_value(json_object_get(s, "by")));
    }
    ck_assert_str_eq(text, expected);
    json_decref(o);
}

START_TEST(test_the_way_through_the_menu)
{
    set_flow("one");
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10010", true), 0);
    ck_assert_int_eq(step(1, "main", ""), 0);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    path_is("0000000000000001", ""); /* not before level 4 */
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    ck_assert_int_eq(fx_start(&f, 2, "13800", "10010", true), 0);
    ck_assert_int_eq(step(2, "main", ""), 0);
    ck_assert_int_eq(step(2, "main", "4"), 0); /* a digit more */
    ck_assert_int_eq(step(2, "ask/pin", "42"), 0);
    fx_reopen(&f);
    ck_assert_int_eq(step(2, "to", "digits"), 0);
    ck_assert_int_eq(fx_queue(&f, 2, "service"), 0);
    f.now += 10 * US;
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0);
    path_is("0000000000000002", "main+0 4s 42, ask/pin+4 2s digits, to+6 0s queue, ");
    ck_assert_int_eq(fx_start(&f, 3, "13800", "10010", true), 0);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(step(3, i % 2 ? "a" : "b", i <= 64 ? "1" : "9"), 0);
    ck_assert_int_eq(fx_end(&f, 3, "caller"), 0);
    json_t *o = fx_view(&f, "cdr", "0000000000000003", NULL), *menu = json_object_get(o, "menu");
    ck_assert_uint_eq(json_array_size(menu), 64);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(menu, 63), "by")), "1");
    json_decref(o);
    ck_assert_int_eq(fx_start(&f, 4, "13800", "10010", true), 0);
    ck_assert_int_eq(step(4, "main", ""), 0);
    f.now += 3 * US;
    ck_assert_int_eq(fx_end(&f, 4, "caller"), 0);
    path_is("0000000000000004", "main+0 3s end, ");
}
END_TEST

START_TEST(test_flows_that_others_call)
{
    static const char caller[] = "[{'kind':'flow','name':'outer','definition':{'nodes':{'a':{'type':'flow','flow':'inner'},"
                                 "'b':{'type':'queue','flow':'menu'}}}}]";
    ck_assert_int_eq(fx_set(&f, "[{'kind':'flow','name':'inner','definition':{'nodes':{'a':{'type':'flow','flow':'inner'}}}},"
                                "{'kind':'flow','name':'menu','definition':{'nodes':{}}}]"), 0);
    ck_assert_int_eq(fx_set(&f, caller), 0);
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    ck_assert_int_eq(fx_config(&f, NULL, "['flow/inner']", NULL, NULL), ERR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(f.last.text, "outer"));
    ck_assert_int_eq(fx_config(&f, NULL, "['flow/menu']", NULL, NULL), 0);
    ck_assert_int_eq(fx_config(&f, NULL, "['flow/inner','flow/outer']", NULL, NULL), 0); /* both at once */
    ck_assert_int_eq(fx_set(&f, "[{'kind':'flow','name':'inner','definition':{'nodes':{'a':{'type':'flow','flow':'inner'}}}}]"), 0);
    ck_assert_int_eq(fx_config(&f, NULL, "['flow/inner']", NULL, NULL), 0); /* only itself */
}
END_TEST

START_TEST(test_levels_of_flows)
{
    static const struct {
        const char *definition;
        unsigned level;
    } flows[] = {
        {"{\"nodes\":{\"a\":{\"type\":\"menu\"},\"b\":{\"type\":\"queue\",\"queue\":\"q\"}}}", 1},
        {"{\"nodes\":{\"a\":{\"type\":\"set\"}}}", 3},
        {"{\"nodes\":{\"a\":{\"type\":\"queue\",\"queue\":\"q\",\"priority\":1}}}", 3},
        {"{\"nodes\":{\"a\":{\"type\":\"queue\",\"queue\":\"q\",\"agent\":\"1\"}}}", 4},
        {"{\"nodes\":{\"a\":{\"type\":\"agent\",\"agent\":\"1\"}}}", 1},
        {"{\"nodes\":{\"a\":{\"type\":\"play\",\"prompts\":[{\"digits\":\"${caller}\"}]}}}", 3},
        {"{\"variables\":{},\"nodes\":{}}", 3},
        {"garbage", 3},
    };
    for (size_t i = 0; i < sizeof flows / sizeof *flows; i++) {
        Ev__Command cmd = EV__COMMAND__INIT;
        Ev__ConfigApply apply = EV__CONFIG_APPLY__INIT;
        Ev__ConfigObject o = EV__CONFIG_OBJECT__INIT, *list[] = {&o};
        Ev__Flow flow = EV__FLOW__INIT;
        cmd.body_case = EV__COMMAND__BODY_CONFIG_APPLY;
        cmd.config_apply = &apply;
        apply.set = list;
        apply.n_set = 1;
        o.object_case = EV__CONFIG_OBJECT__OBJECT_FLOW;
        o.flow = &flow;
        flow.definition = (char *)(uintptr_t)flows[i].definition;
        ck_assert_msg(core_feature_of(&cmd) == flows[i].level, "%s", flows[i].definition);
    }
}
END_TEST

/* ---- drafts */

static bool tried_begins_with(uint64_t version, const char *start)
{
    char *text = NULL;
    int rc = core_flow_definition(f.c, "menu@draft", &version, &text);
    bool there = rc == 0 && strstr(text, start);
    free(text);
    return there;
}

static void draft(const char *start, uint64_t based_on)
{
    char text[256];
    snprintf(text, sizeof text, "[{'kind':'flow_draft','name':'menu','definition':{'start':'%s'},'based_on':%llu}]", start,
             (unsigned long long)based_on);
    ck_assert_int_eq(fx_set(&f, text), 0);
}

static json_int_t based_on(void)
{
    json_t *o = fx_view(&f, "flow_draft", "menu", NULL);
    json_int_t n = json_integer_value(json_object_get(o, "based_on"));
    json_decref(o);
    return n;
}

START_TEST(test_what_a_draft_is_made_from)
{
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    draft("first", 0);
    ck_assert_int_eq(based_on(), 0); /* there was no such flow */
    ck_assert_int_eq(fx_config(&f, NULL, "['flow_draft/menu']", NULL, NULL), 0);
    uint64_t live = set_flow("one");
    draft("a", 0);
    ck_assert_uint_eq((uint64_t)based_on(), live);
    uint64_t later = set_flow("two");
    draft("b", 0);
    ck_assert_uint_eq((uint64_t)based_on(), live); /* somebody else's change does not get into it unseen */
    draft("b", later);
    ck_assert_uint_eq((uint64_t)based_on(), later);
    fx_reopen(&f);
    ck_assert_uint_eq((uint64_t)based_on(), later);
}
END_TEST

START_TEST(test_a_call_tries_the_draft)
{
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    set_flow("one");
    ck_assert_int_eq(fx_set(&f, "[{'kind':'access_number','number':'10011','flow':'menu@draft'}]"), 0);
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10011", true), 0);
    ck_assert_str_eq(core_call(f.c, 1)->flow, "menu"); /* there is none: what is live */
    draft("tried", 0);
    uint64_t version = core_flow_version(f.c, "menu@draft");
    ck_assert_uint_ne(version, core_flow_version(f.c, "menu"));
    ck_assert_int_eq(fx_start(&f, 2, "13800", "10011", true), 0);
    ck_assert_str_eq(core_call(f.c, 2)->flow, "menu@draft");
    ck_assert_uint_eq(core_call(f.c, 2)->flows[0]->version, version);
    draft("better", 0);
    ck_assert(tried_begins_with(0, "better"));
    ck_assert(tried_begins_with(version, "tried")); /* the call keeps what it began with */
    fx_reopen(&f);
    ck_assert(tried_begins_with(version, "tried"));
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0);
    ck_assert(!tried_begins_with(version, "tried")); /* nobody is in it any more */
    ck_assert_int_eq(fx_start(&f, 3, "13800", "10011", true), 0);
    ck_assert_int_eq(fx_start(&f, 4, "13800", "10011", true), 0);
    version = core_call(f.c, 4)->flows[0]->version;
    /* going live: both or neither; the number goes on leading to the flow */
    ck_assert_int_eq(fx_config(&f, "[{'kind':'flow','name':'menu','definition':{'start':'better'},'if_version':1}]",
                               "['flow_draft/menu']", NULL, NULL), ERR_CONFLICT);
    ck_assert(tried_begins_with(0, "better"));
    ck_assert_int_eq(fx_config(&f, "[{'kind':'flow','name':'menu','definition':{'start':'better'},'note':'summer'}]",
                               "['flow_draft/menu']", NULL, NULL), 0);
    ck_assert(starts_with_node(0, "better"));
    ck_assert_uint_eq(core_flow_version(f.c, "menu@draft"), core_flow_version(f.c, "menu"));
    ck_assert_int_eq(fx_end(&f, 3, "caller"), 0);
    ck_assert(tried_begins_with(version, "better")); /* the other one is in it yet */
    ck_assert_int_eq(fx_end(&f, 4, "caller"), 0);
    ck_assert(!tried_begins_with(version, "better"));
    /* the same text again keeps its note, and so its version */
    uint64_t live = core_flow_version(f.c, "menu");
    ck_assert_int_eq(fx_set(&f, "[{'kind':'flow','name':'menu','definition':{'start':'better'}}]"), 0);
    ck_assert_uint_eq(core_flow_version(f.c, "menu"), live);
}
END_TEST

START_TEST(test_numbers_that_lead_to_drafts)
{
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    ck_assert_int_eq(fx_set(&f, "[{'kind':'access_number','number':'10011','flow':'menu@draft'}]"), ERR_INVAL);
    draft("a", 0);
    ck_assert_int_eq(fx_set(&f, "[{'kind':'access_number','number':'10011','flow':'menu@draft'}]"), 0);
    ck_assert_int_eq(fx_config(&f, NULL, "['flow_draft/menu']", NULL, NULL), ERR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(f.last.text, "10011"));
    set_flow("one");
    ck_assert_int_eq(fx_config(&f, NULL, "['flow_draft/menu']", NULL, NULL), 0);
    ck_assert_int_eq(fx_config(&f, NULL, "['access_number/10010']", NULL, NULL), 0);
    ck_assert_int_eq(fx_config(&f, NULL, "['flow/menu']", NULL, NULL), ERR_CONFLICT);
    draft("b", 0);
    ck_assert_int_eq(fx_config(&f, NULL, "['flow/menu']", NULL, NULL), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("flow versions");
    TCase *t = tcase_create("flows");
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, test_a_call_keeps_its_version);
    tcase_add_test(t, test_variables_and_needs);
    tcase_add_test(t, test_a_skill_given_twice);
    tcase_add_test(t, test_flows_that_others_call);
    tcase_add_test(t, test_the_way_through_the_menu);
    tcase_add_test(t, test_what_a_draft_is_made_from);
    tcase_add_test(t, test_a_call_tries_the_draft);
    tcase_add_test(t, test_numbers_that_lead_to_drafts);
    suite_add_tcase(s, t);
    t = tcase_create("levels");
    tcase_add_test(t, test_nothing_is_kept_before_level_3);
    tcase_add_test(t, test_levels_of_flows);
    suite_add_tcase(s, t);
    return run_suite(s);
}
