/* Flows, read: what is refused and where, what a flow refers to, lack of memory, and the flow that is shipped. */
#include "tests/unit/suite.h"
#include "tests/unit/telephony/ivr_rig.h"
#include "tests/unit/telephony/shipped.h"

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
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[\"x\",{\"number\":-1000000000001}]}}}",
         "nodes.a.prompts[1].number", "at most 1000000000000"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"number\":1000000000001}]}}}", "nodes.a.prompts[0].number",
         "at most 1000000000000"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"number\":1.5}]}}}", "nodes.a.prompts[0].number",
         "or an integer"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"number\":\"1,5\"}]}}}", "nodes.a.prompts[0].number", "-12.5"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"number\":null}]}}}", "nodes.a.prompts[0].number",
         "text between quotes"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"ordinal\":0}]}}}", "nodes.a.prompts[0].ordinal",
         "begin with 1"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"digits\":\"12a\"}]}}}", "nodes.a.prompts[0].digits", "0-9"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"digits\":110}]}}}", "nodes.a.prompts[0].digits",
         "text between quotes"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"money\":\"1.234\"}]}}}", "nodes.a.prompts[0].money",
         "at most 2 decimals"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"money\":12.5}]}}}", "nodes.a.prompts[0].money",
         "text between quotes"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"money\":12}]}}}", "nodes.a.prompts[0].money",
         "text between quotes"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[\"x\",\"y\",{\"date\":\"2026-02-31\"}]}}}",
         "nodes.a.prompts[2].date", "no such day"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"date\":20261122}]}}}", "nodes.a.prompts[0].date",
         "text between quotes"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"time\":\"25:00\"}]}}}", "nodes.a.prompts[0].time",
         "no such time"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"datetime\":\"2026-11-22\"}]}}}", "nodes.a.prompts[0].datetime",
         "has no time"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"date\":\"2026-11-22\",\"weekday\":1}]}}}",
         "nodes.a.prompts[0].weekday", "true or false"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"date\":\"11-22\",\"weekday\":true}]}}}",
         "nodes.a.prompts[0].weekday", "with its year"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"time\":\"11:22\",\"weekday\":true}]}}}",
         "nodes.a.prompts[0].weekday", "with its year"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"weekday\":true}]}}}", "nodes.a.prompts[0]", "prompt key"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"say\":\"hello\"}]}}}", "nodes.a.prompts[0]",
         "no kind of value"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"say\":\"hello\",\"weekday\":true}]}}}", "nodes.a.prompts[0]",
         "no kind of value"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{\"digits\":\"1\",\"number\":1}]}}}", "nodes.a.prompts[0]",
         "prompt key"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[{}]}}}", "nodes.a.prompts[0]", "prompt key"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[[\"x\"]]}}}", "nodes.a.prompts[0]", "prompt key"},
        {HEAD "\"a\":{\"type\":\"play\",\"prompts\":[5]}}}", "nodes.a.prompts[0]", "prompt key"},
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

static void expect_keys(const char *language, const struct speak_value *v, const char *wanted)
{
    const char *keys[SPEAK_KEYS_MAX];
    char got[512] = "";
    int n = speak_keys(language, v, keys, SPEAK_KEYS_MAX);
    for (int i = 0; i < n; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i ? " " : "", keys[i]);
    ck_assert_str_eq(got, wanted);
}

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
    json = "{\"name\": \"f\", \"languages\": [\"zh\"], \"start\": \"a\", \"nodes\": {\"a\": {\n"
           "  \"type\": \"hangup\",\n  \"prompts\": [\"due\", {\"date\": \"2026-11-22\"},\n"
           "    {\"datetime\": \"2026-11-31 15:04\", \"weekday\": true}]}}}";
    ck_assert_int_eq(ivr_flow_parse(json, strlen(json), &f, &info), ERR_INVAL);
    ck_assert_str_eq(info.field, "nodes.a.prompts[2].datetime");
    ck_assert_uint_eq(info.line, 4);
    ck_assert_uint_eq(info.column, 6);
}
END_TEST

/* Taken as they are written, and played in order; what is to be said lives as long as the flow. */
START_TEST(values)
{
    static const struct {
        const char *zh, *en;
    } said[] = {
        {"num_minus num_10 num_2 num_point num_5", "num_minus num_12 num_point num_5"},
        {"num_minus num_7", "num_minus num_7"},
        {"num_di num_3", "ord_3"},
        {"num_9 num_5 num_5 num_9 num_8", "num_9 num_5 num_5 num_9 num_8"},
        {"num_liang money_yuan num_5 money_jiao", "num_2 money_yuan num_and num_50 money_fen"},
        {"num_10 num_1 date_month num_1 date_day", "month_11 ord_1"},
        {"num_2 num_0 num_2 num_6 date_year num_10 num_1 date_month num_2 num_10 num_2 date_day weekday_7",
         "weekday_7 month_11 num_20 ord_2 num_20 num_20 num_6"},
        {"time_afternoon num_3 time_hour num_0 num_4 time_minute", "num_3 num_oh num_4 time_pm"},
        {"num_2 num_0 num_0 num_0 date_year num_1 date_month num_2 date_day time_forenoon num_9 time_hour",
         "month_1 ord_2 num_2 num_1000 time_at num_9 time_oclock_morning"},
    };
    struct ivr_flow *f =
        flow_of("{\"name\":\"f\",\"languages\":[\"zh\",\"en-GB\"],\"start\":\"a\",\"nodes\":{\"a\":{\"type\":\"menu\","
                "\"keys\":{\"1\":\"a\"},\"prompts\":[\"due\",{\"number\":\"-12.5\"},{\"number\":-7},{\"ordinal\":3},"
                "{\"digits\":\"95598\"},{\"money\":\"2.50\"},{\"date\":\"11-01\"}],\"timeout_prompts\":["
                "{\"date\":\"2026-11-22\",\"weekday\":true},{\"time\":\"15:04\"},"
                "{\"datetime\":\"2000-01-02 09:00\",\"weekday\":false}]}}}");
    struct ivr_run *r = run_of(f, NULL);
    ivr_flow_unref(f);
    static struct ivr_action act[IVR_ACTIONS_MAX];
    static const struct ivr_event events[] = {{.type = IVR_EV_START}, {.type = IVR_EV_PLAYED}, {.type = IVR_EV_TIMER}};
    unsigned n = 0;
    for (unsigned i = 0; i < 3; i++)
        n = ivr_step(r, &events[i], act);
    const struct ivr_action *play = &act[n - 1];
    ck_assert_int_eq(play->type, IVR_ACT_PLAY);
    ck_assert_uint_eq(play->n_prompts, 10);
    ck_assert_str_eq(play->prompts[3].key, "due");
    for (unsigned i = 0; i < 9; i++) {
        /* the prompts of the time-out come first */
        const struct ivr_prompt_ref *p = &play->prompts[i < 6 ? i + 4 : i - 6];
        ck_assert_ptr_null(p->key);
        expect_keys("zh", p->value, said[i].zh);
        expect_keys("en", p->value, said[i].en);
    }
    ivr_run_free(r);
}
END_TEST

/* A flow with these languages and prompts, each told so often; returns what is said about `field`. */
static int sounds_of(const char *languages, const char *field, const char *prompt, int times, struct err_info *info)
{
    char json[4096];
    int n = snprintf(json, sizeof json,
                     "{\"name\":\"f\",\"start\":\"a\",\"languages\":[%s],\"nodes\":{\"a\":{\"type\":\"menu\",\"keys\":"
                     "{\"1\":\"a\"},\"prompts\":[\"x\"],\"%s\":[",
                     languages, field);
    for (int i = 0; i < times; i++)
        n += snprintf(json + n, sizeof json - (size_t)n, "%s%s", i ? "," : "", prompt);
    snprintf(json + n, sizeof json - (size_t)n, "]}}}");
    struct ivr_flow *f = NULL;
    int rc = ivr_flow_parse(json, strlen(json), &f, info);
    if (rc == 0)
        ivr_flow_unref(f);
    return rc;
}

START_TEST(values_that_cannot_be_played)
{
    struct err_info info;
    /* six keys in Chinese, three in English; and the menu's own prompt */
    const char *time = "{\"time\":\"10:30\"}", *number = "{\"number\":\"1234567890\"}";
    ck_assert_int_eq(sounds_of("\"en\"", "invalid_prompts", time, 11, &info), 0);
    ck_assert_int_eq(sounds_of("\"en\",\"zh\"", "invalid_prompts", time, 10, &info), 0);
    ck_assert_int_eq(sounds_of("\"en\",\"zh\"", "invalid_prompts", time, 11, &info), ERR_INVAL);
    ck_assert_str_eq(info.field, "nodes.a.invalid_prompts");
    ck_assert_msg(strstr(info.text, "language 'zh', more than 64") != NULL, "%s", info.text);
    ck_assert_int_eq(sounds_of("\"zh\"", "timeout_prompts", number, 5, &info), ERR_INVAL);
    ck_assert_str_eq(info.field, "nodes.a.timeout_prompts");
    ck_assert_int_eq(sounds_of("\"zh\",\"fr\"", "timeout_prompts", "\"y\"", 5, &info), 0);
    ck_assert_int_eq(sounds_of("\"zh\",\"fr\"", "timeout_prompts", number, 1, &info), ERR_INVAL);
    ck_assert_str_eq(info.field, "nodes.a.timeout_prompts");
    ck_assert_msg(strstr(info.text, "in language 'fr'") != NULL, "%s", info.text);
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
        for (long few = 0; few < 10; few++) {
            struct ivr_run *r = NULL, *q = NULL;
            alloc_budget_set(few);
            int rc_new = new_run(f, NULL, &r);
            int rc_save = r ? ivr_save(r, state, sizeof state) : 0;
            int rc_restore = r ? restore(f, state, NULL, &q) : ERR_NOMEM;
            alloc_budget_clear();
            ck_assert_int_eq(rc_new, few < 4 ? ERR_NOMEM : 0);
            ck_assert_int_eq(rc_save, 0);
            ck_assert_int_eq(rc_restore, few < 9 ? ERR_NOMEM : 0);
            ivr_run_free(r);
            ivr_run_free(q);
        }
        ivr_flow_unref(f);
        ck_assert_int_eq(alloc_budget_live, live);
        break;
    }
}
END_TEST

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
    expect(r, "key 2", "stop; at outage; notices -");
    expect(r, "failed", "at no_outage; play notice_none");
    expect(r, "played", "at main; play main_menu switch_language");
    expect(r, "key 2", "stop; at outage; notices -");
    expect(r, "done", "at main; play main_menu switch_language");
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
    tcase_add_test(t, values);
    tcase_add_test(t, values_that_cannot_be_played);
    tcase_add_test(t, too_many_prompts_together);
    tcase_add_test(t, references);
    tcase_add_test(t, out_of_memory);
    tcase_add_test(t, demonstration);
    suite_add_tcase(s, t);
    return run_suite(s);
}
