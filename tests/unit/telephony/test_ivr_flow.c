/* Flows, read: what is refused and where, what a flow refers to, lack of memory, and the flow that is shipped. */
#include "tests/unit/telephony/ivr_rig.h"

/* ---- what is refused ---- */

#define HEAD "{\"name\":\"f\",\"languages\":[\"zh\"],\"start\":\"a\",\"nodes\":{"
#define MENU "\"a\":{\"type\":\"menu\",\"keys\":{\"1\":\"b\"}}"

START_TEST(refusals)
{
    static const struct {
        const char *json, *field, *words;
    } cases[] = {
        {"", "", ""},
        {"[]", "", "object"},
        {"{", "", ""},
        {"{\"a\":1,\"a\":2}", "", "duplicate"},
        {"{\"name\":\"f\",\"extra\":1}", "extra", "unknown field"},
        {"{\"languages\":[\"zh\"]}", "name", "letters"},
        {"{\"name\":\"a b\"}", "name", "letters"},
        {"{\"name\":7}", "name", "letters"},
        {"{\"name\":\".x\"}", "name", "letters"},
        {"{\"name\":\"f\",\"languages\":[]}", "languages", "1 to 8"},
        {"{\"name\":\"f\",\"languages\":\"zh\"}", "languages", "1 to 8"},
        {"{\"name\":\"f\",\"languages\":[\"zh\",\"zh\"]}", "languages[1]", "twice"},
        {"{\"name\":\"f\",\"languages\":[5]}", "languages[0]", "language"},
        {"{\"name\":\"f\",\"languages\":[\"toggle\"]}", "languages[0]", "language"},
        {"{\"name\":\"f\",\"languages\":[\"zh\"],\"nodes\":{}}", "nodes", "1 to 256"},
        {"{\"name\":\"f\",\"languages\":[\"zh\"],\"nodes\":{\"a\":{\"type\":\"hangup\"}}}", "start", "name of a node"},
        {"{\"name\":\"f\",\"languages\":[\"zh\"],\"start\":\"b\",\"nodes\":{\"a\":{\"type\":\"hangup\"}}}", "start",
         "name of a node"},
        {HEAD "\"a\":5}}", "nodes.a", "group"},
        {HEAD "\"a b\":{}}}", "nodes.a b", "name"},
        {HEAD "\"a\":{}}}", "nodes.a.type", "play"},
        {HEAD "\"a\":{\"type\":\"dance\"}}}", "nodes.a.type", "play"},
        {HEAD "\"a\":{\"type\":\"hangup\",\"next\":\"a\"}}}", "nodes.a.next", "unknown field of a hangup"},
        {HEAD "\"a\":{\"type\":\"hangup\",\"prompts next\":\"a\"}}}", "nodes.a.prompts next", "unknown field"},
        {HEAD "\"a\":{\"type\":\"play\",\"next\":\"a\"}}}", "nodes.a.prompts", "needs prompts"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[]}}}", "nodes.a.prompts", "1 to 32"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":\"x\"}}}", "nodes.a.prompts", "1 to 32"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[\"../x\"]}}}", "nodes.a.prompts[0]", "prompt key"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[\"x\",{\"number\":-1}]}}}", "nodes.a.prompts[1]", "prompt key"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"number\":1000000000000}]}}}", "nodes.a.prompts[0]",
         "prompt key"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"digits\":\"12a\"}]}}}", "nodes.a.prompts[0]", "prompt key"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"digits\":\"1\",\"number\":1}]}}}", "nodes.a.prompts[0]",
         "prompt key"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[\"x\"],\"next\":\"b\"}}}", "nodes.a.next", "no node 'b'"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[\"x\"],\"next\":5}}}", "nodes.a.next", "name of a node"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[\"x\"],\"next\":\"a\",\"barge_in\":1}}}", "nodes.a.barge_in",
         "true or false"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[\"x\"]}}}", "nodes.a", "before any menu"},
        {HEAD "\"a\":{\"type\":\"parent\"}}}", "nodes.a", "before any menu"},
        {HEAD "\"a\":{\"type\":\"top\"}}}", "nodes.a", "before any menu"},
        {HEAD "\"a\":{\"type\":\"language\",\"language\":\"zh\"}}}", "nodes.a", "before any menu"},
        {HEAD "\"a\":{\"type\":\"language\",\"language\":\"en\"}}}", "nodes.a.language", "toggle"},
        {HEAD "\"a\":{\"type\":\"menu\"}}}", "nodes.a.keys", "1 to 64"},
        {HEAD "\"a\":{\"type\":\"menu\",\"keys\":{}}}}", "nodes.a.keys", "1 to 64"},
        {HEAD "\"a\":{\"type\":\"menu\",\"keys\":{\"x\":\"a\"}}}}", "nodes.a.keys.x", "0-9"},
        {HEAD "\"a\":{\"type\":\"menu\",\"keys\":{\"123456789\":\"a\"}}}}", "nodes.a.keys.123456789", "0-9"},
        {HEAD "\"a\":{\"type\":\"menu\",\"keys\":{\"1\":\"zz\"}}}}", "nodes.a.keys.1", "no node 'zz'"},
        {HEAD "\"a\":{\"type\":\"menu\",\"keys\":{\"1\":\"a\"},\"timeout_s\":0}}}", "nodes.a.timeout_s", "1 to 60"},
        {HEAD "\"a\":{\"type\":\"menu\",\"keys\":{\"1\":\"a\"},\"timeout_s\":\"5\"}}}", "nodes.a.timeout_s", "1 to 60"},
        {HEAD "\"a\":{\"type\":\"menu\",\"keys\":{\"1\":\"a\"},\"retries\":11}}}", "nodes.a.retries", "0 to 10"},
        {HEAD "\"a\":{\"type\":\"queue\"}}}", "nodes.a.queue", "name the queue"},
        {HEAD "\"a\":{\"type\":\"agent\",\"agent\":1001}}}", "nodes.a.agent", "name the agent"},
        {HEAD "\"a\":{\"type\":\"queue\",\"queue\":\"q\",\"on_fail\":\"a\"}}}", "nodes.a", "circle"},
        {HEAD MENU ",\"b\":{\"type\":\"language\",\"language\":\"zh\",\"next\":\"b\"}}}", "nodes.b", "circle"},
        {HEAD MENU ",\"b\":{\"type\":\"agent\",\"agent\":\"1\",\"on_fail\":\"c\"},\"c\":{\"type\":\"language\","
                   "\"language\":\"zh\","
                   "\"next\":\"b\"}}}",
         "nodes.b", "circle"},
        {HEAD MENU ",\"b\":{\"type\":\"hangup\"},\"c\":{\"type\":\"hangup\"}}}", "nodes.c", "cannot be reached"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ivr_flow *f = NULL;
        struct err_info info = {.code = 0};
        int rc = ivr_flow_parse(cases[i].json, strlen(cases[i].json), &f, &info);
        ck_assert_msg(rc == ERR_INVAL && !f, "%s was taken", cases[i].json);
        ck_assert_msg(strcmp(info.field, cases[i].field) == 0, "%s: field '%s', not '%s'", cases[i].json, info.field,
                      cases[i].field);
        ck_assert_msg(strstr(info.text, cases[i].words) != NULL, "%s: '%s'", cases[i].json, info.text);
        ck_assert_uint_ge(info.line, 1);
    }
    struct ivr_flow *f = NULL;
    ck_assert_int_eq(ivr_flow_parse("{}", (1u << 20) + 1, &f, NULL), ERR_TOOBIG);
    ck_assert_int_eq(ivr_flow_parse("{}", 2, &f, NULL), ERR_INVAL);
}
END_TEST

START_TEST(refusals_have_a_place)
{
    const char *json = "{\"name\": \"f\", \"languages\": [\"zh\"],\n \"start\": \"a\",\n \"nodes\": {\n"
                       "  \"a\": {\"type\": \"menu\",\n   \"keys\": {\"1\": \"a\",\n            \"2\": \"nowhere\"}}}}";
    struct ivr_flow *f = NULL;
    struct err_info info;
    ck_assert_int_eq(ivr_flow_parse(json, strlen(json), &f, &info), ERR_INVAL);
    ck_assert_str_eq(info.field, "nodes.a.keys.2");
    ck_assert_uint_eq(info.line, 6);
    ck_assert_uint_eq(info.column, 13);
}
END_TEST

START_TEST(too_many_prompts_together)
{
    char json[2048];
    int n = snprintf(json, sizeof json,
                     HEAD "\"a\":{\"type\":\"menu\",\"keys\":{\"1\":\"a\"},\"invalid_prompts\":[\"x\"],\"prompts\":[");
    for (int i = 0; i < IVR_PROMPTS_MAX; i++)
        n += snprintf(json + n, sizeof json - (size_t)n, "%s\"p%d\"", i ? "," : "", i);
    snprintf(json + n, sizeof json - (size_t)n, "]}}}");
    struct ivr_flow *f = NULL;
    struct err_info info;
    ck_assert_int_eq(ivr_flow_parse(json, strlen(json), &f, &info), ERR_INVAL);
    ck_assert_str_eq(info.field, "nodes.a.invalid_prompts");
}
END_TEST

/* ---- references ---- */

static void collect(void *ctx, const char *kind, const char *name, const char *path)
{
    char *out = ctx;
    size_t at = strlen(out);
    snprintf(out + at, 4096 - at, "%s %s %s\n", kind, name, path);
}

START_TEST(references)
{
    struct ivr_flow *f = flow_of(WELCOME);
    char out[4096] = "";
    ivr_flow_references(f, collect, out);
    static const char *const wanted[] = {
        "language zh languages[0]\n",
        "language en languages[1]\n",
        "prompt welcome nodes.greet.prompts[0]\n",
        "prompt invalid_key nodes.main.invalid_prompts[0]\n",
        "prompt no_input nodes.main.timeout_prompts[0]\n",
        "queue service nodes.service.queue\n",
        "agent 1001 nodes.agent.agent\n",
        "prompt goodbye nodes.bye.prompts[0]\n",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        ck_assert_msg(strstr(out, wanted[i]) != NULL, "%s is not in\n%s", wanted[i], out);
    ck_assert_ptr_null(strstr(out, "110"));
    ivr_flow_unref(f);
}
END_TEST

/* ---- memory, and the flow that is shipped ---- */

START_TEST(out_of_memory)
{
    struct ivr_flow *f = NULL;
    struct err_info info;
    char state[IVR_STATE_MAX];
    json_object_seed(1);
    for (long budget = 0; alloc_budget_works(); budget++) {
        long live = alloc_budget_live;
        alloc_budget_set(budget);
        int rc = ivr_flow_parse(WELCOME, strlen(WELCOME), &f, &info);
        if (alloc_budget_clear()) {
            ck_assert_msg(rc != 0, "parsed although allocation %ld failed", budget);
            ck_assert_msg(alloc_budget_live == live, "budget %ld: %ld blocks leaked", budget, alloc_budget_live - live);
            continue;
        }
        ck_assert_int_eq(rc, 0);
        for (long few = 0; few < 4; few++) {
            struct ivr_run *r = NULL, *q = NULL;
            alloc_budget_set(few);
            int rc_new = ivr_run_new(f, NULL, &r);
            int rc_save = r ? ivr_save(r, state, sizeof state) : 0;
            int rc_restore = r ? ivr_restore(f, state, &q) : ERR_NOMEM;
            alloc_budget_clear();
            ck_assert_int_eq(rc_new, few < 1 ? ERR_NOMEM : 0);
            ck_assert_int_eq(rc_save, 0);
            ck_assert_int_eq(rc_restore, few < 3 ? ERR_NOMEM : 0);
            ivr_run_free(r);
            ivr_run_free(q);
        }
        ivr_flow_unref(f);
        ck_assert_int_eq(alloc_budget_live, live);
        break;
    }
}
END_TEST

static json_t *shipped(const char *path)
{
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s: run from the top of the tree", path);
    static char text[1 << 16];
    size_t n = fread(text, 1, sizeof text, file);
    fclose(file);
    json_t *tree = NULL;
    struct err_info info;
    int rc = yaml_load(text, n, &tree, NULL, &info);
    ck_assert_msg(rc == 0, "%u:%u %s", info.line, info.column, info.text);
    return tree;
}

static void in_catalogues(void *ctx, const char *kind, const char *name, const char *path)
{
    json_t **catalogues = ctx;
    for (int l = 0; l < 2 && strcmp(kind, "prompt") == 0; l++)
        ck_assert_msg(json_object_get(catalogues[l], name) != NULL, "%s: no prompt %s", path, name);
}

START_TEST(demonstration)
{
    json_t *tree = shipped("etc/demo.yaml");
    json_t *catalogues[] = {shipped("etc/prompts/zh.yaml"), shipped("etc/prompts/en.yaml")};
    json_t *flow = json_array_get(json_object_get(tree, "flows"), 0);
    ck_assert_msg(json_is_object(flow), "the demonstration has no flow");
    char *text = json_dumps(flow, 0);
    struct ivr_flow *f = flow_of(text);
    free(text);
    ck_assert_str_eq(ivr_flow_name(f), "welcome");
    ivr_flow_references(f, in_catalogues, catalogues);
    struct ivr_run *r = run_of(f, NULL);
    ck_assert_str_eq(ivr_run_language(r), "zh");
    expect(r, "start", "at greet; play welcome welcome_other");
    expect(r, "key 2", "stop; at outage; play outage");
    expect(r, "played", "at main; play main_menu switch_language");
    expect(r, "key 8", "stop; language en; at main; play main_menu switch_language");
    expect(r, "key 1", "stop; at service; queue service");
    expect(r, "failed", "at main; play main_menu switch_language");
    expect(r, "key 0", "stop; at bye; play! goodbye");
    expect(r, "played", "hangup");
    ivr_run_free(r);
    ivr_flow_unref(f);
    json_decref(tree);
    json_decref(catalogues[0]);
    json_decref(catalogues[1]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ivr flow");
    TCase *t = tcase_create("ivr");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, refusals);
    tcase_add_test(t, refusals_have_a_place);
    tcase_add_test(t, too_many_prompts_together);
    tcase_add_test(t, references);
    tcase_add_test(t, out_of_memory);
    tcase_add_test(t, demonstration);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
