/* etc/flow.schema.json against the parser, both ways: the same kinds of nodes with the same fields; what the parser takes the schema
 * takes, and what it refuses for one field the schema refuses. The judging is done by a validator of others (schema_check.py). And what
 * core/ says that a flow names (core/refs.h) against what the parser says. */
#include <dirent.h>
#include <unistd.h>

#include "core/refs.h"
#include "telephony/ivr_int.h"
#include "tests/folder.h"
#include "tests/unit/suite.h"
#include "tests/unit/telephony/ivr_rig.h"
#include "tests/unit/telephony/shipped.h"

#define SCHEMA "etc/flow.schema.json"

/* One of each kind, with every field that it may have; n is it, z the end, m the menu before it. */
static const char *const samples[] = {
    "{'type':'play','prompts':['a',{'text':'x'},{'number':1},{'ordinal':3},{'digits':'12'},{'money':'1.50'},{'date':'2026-11-22','weekday':true},"
    "{'time':'15:04'},{'datetime':'2026-11-22 15:04'}],'next':'z','barge_in':false}",
    "{'type':'menu','prompts':['a'],'keys':{'1':'z','#':'n'},'timeout_s':5,'digit_timeout_s':3,'retries':3,'invalid_prompts':['a'],"
    "'timeout_prompts':['a'],'on_fail':'z','barge_in':true}",
    "{'type':'collect','prompts':['a'],'variable':'x','min':2,'max':10,'terminator':'#','secret':true,'next':'z','timeout_s':5,"
    "'digit_timeout_s':3,'retries':3,'invalid_prompts':['a'],'timeout_prompts':['a'],'on_fail':'z','barge_in':true}",
    "{'type':'set','set':{'x':'a ${caller}','y':{'expr':'1 + 1'}},'next':'z'}",
    "{'type':'branch','cases':[{'if':'1 < 2','next':'z'}],'else':'z'}",
    "{'type':'time','cases':[{'group':'office','next':'z'}],'else':'z'}",
    "{'type':'http','method':'POST','url':'https://crm.example/a?k=$$${secret.key}','headers':{'A':'b ${secret.crm} ${secret.other}'},'body':{'c':['${caller}',1,'${secret.in-body}']},'timeout_s':3,"
    "'answer':{'x':'$.a.b'},'secret':false,'next':'z','on_error':'z'}",
    "{'type':'queue','queue':'q','agent':'1002','priority':7,'skills':[{'skill':'english','level':2}],'data':{'x':'y'},'on_fail':'z'}",
    "{'type':'agent','agent':'1001','on_fail':'z'}",
    "{'type':'outside','number':'+4930123','trunk':'t','caller_id':'4930','ring_time_s':20,'on_fail':'z'}",
    "{'type':'record','prompts':['a'],'barge_in':true,'variable':'x','box':'b','max_s':9,'silence_s':4,'min_s':2,'terminator':'#',"
    "'beep':true,'review':true,'next':'z','on_fail':'z'}",
    "{'type':'voicemail','prompts':['a'],'greeting':'${v}','barge_in':true,'box':'b','max_s':9,'silence_s':4,'min_s':2,'terminator':'any','beep':true,'review':false,"
    "'thanks':['a'],'next':'z','on_fail':'z'}",
    "{'type':'flow','flow':'other','next':'z','on_fail':'z'}",
    "{'type':'return'}",
    "{'type':'language','language':'toggle','next':'z'}",
    "{'type':'parent'}",
    "{'type':'top'}",
    "{'type':'hangup','prompts':['a']}",
    "{'type':'notices','area':'east','next':'z','none':'m'}",
    "{'type':'callback','queue':'q','number':'+4930123','priority':3,'at':'18:30','group':'office','next':'z','refused':'m'}",
    "{'type':'mailbox','box':'b','do':'next','which':'old','next':'z','none':'m'}",
    "{'type':'listen','message':'${v}','barge_in':true,'next':'z'}",
};

static json_t *flow_around(const char *node)
{
    char text[2048];
    snprintf(text, sizeof text,
             "{'name':'f','languages':['en','zh'],'variables':{'v':'1'},'start':'m','nodes':{'m':{'type':'menu','keys':{'1':'n','2':'z'}},"
             "'n':%s,'z':{'type':'hangup'}}}", node);
    for (char *p = text; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    json_error_t e;
    json_t *flow = json_loads(text, 0, &e);
    ck_assert_msg(flow != NULL, "%s: %s", e.text, text);
    return flow;
}

static json_t *schema_of(const json_t *schema, const char *kind)
{
    char name[64];
    snprintf(name, sizeof name, "node_%s", kind);
    return json_object_get(json_object_get(schema, "$defs"), name);
}

/* " type prompts next " against the properties */
static void same_fields(const char *kind, const char *fields, const json_t *properties)
{
    const char *name;
    json_t *v;
    char spaced[64];
    size_t n = 0;
    json_object_foreach((json_t *)(uintptr_t)properties, name, v)
    {
        snprintf(spaced, sizeof spaced, " %s ", name);
        ck_assert_msg(strstr(fields, spaced) != NULL, "%s: the schema has %s, the parser has not", kind, name);
        ck_assert_msg(strcmp(name, "type") == 0 || json_object_get(v, "description") != NULL, "%s.%s has no description", kind, name);
        n++;
    }
    for (const char *p = fields + 1; *p; p += strcspn(p, " ") + 1, n--)
        ck_assert_msg(n > 0, "%s: the parser has fields%s, the schema fewer", kind, fields);
    ck_assert_uint_eq(n, 0);
}

START_TEST(the_same_kinds_and_fields)
{
    json_t *schema = shipped(SCHEMA);
    json_t *kinds = json_object_get(json_object_get(json_object_get(json_object_get(json_object_get(schema, "$defs"), "node"), "properties"), "type"), "enum");
    ck_assert_uint_eq(json_array_size(kinds), IVR_NODE_TYPES);
    ck_assert_uint_eq(sizeof samples / sizeof *samples, IVR_NODE_TYPES);
    for (unsigned i = 0; i < IVR_NODE_TYPES; i++) {
        json_t *node = schema_of(schema, ivr_kinds[i].name), *flow = flow_around(samples[i]);
        ck_assert_msg(node != NULL, "the schema has no %s node", ivr_kinds[i].name);
        same_fields(ivr_kinds[i].name, ivr_kinds[i].fields, json_object_get(node, "properties"));
        const json_t *sample = json_object_get(json_object_get(flow, "nodes"), "n");
        ck_assert_str_eq(json_string_value(json_object_get(sample, "type")), ivr_kinds[i].name);
        for (const char *p = ivr_kinds[i].fields + 1; *p; p += strcspn(p, " ") + 1) {
            char name[64];
            snprintf(name, sizeof name, "%.*s", (int)strcspn(p, " "), p);
            ck_assert_msg(json_object_get(sample, name) != NULL, "the sample of %s has no %s", ivr_kinds[i].name, name);
        }
        json_decref(flow);
    }
    json_decref(schema);
}
END_TEST

/* ---- judged by both */

static FILE *cases;
static unsigned taken;

/* A fault that a schema can see: of one field, and not of what the flow has elsewhere. */
static bool of_one_field(const struct err_info *why)
{
    static const char *const begins[] = {"must ", "unknown field", "a menu needs", "a play node needs"};
    if (strcmp(why->field, "start") == 0 || strcmp(why->field, "name") == 0 || strstr(why->field, "prompts[") || strstr(why->text, "toggle"))
        return false;
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (strncmp(why->text, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

/* ---- names */

static void add_name(json_t *set, const char *kind, const char *name)
{
    char text[256];
    /* what a node says without being told to is built in */
    bool own = strcmp(kind, "prompt") == 0 && (strcmp(name, "voicemail_greeting") == 0 || strcmp(name, "voicemail_thanks") == 0);
    snprintf(text, sizeof text, "%s %s", kind, name);
    if (!own && strcmp(kind, "language") != 0)
        ck_assert_int_eq(json_object_set_new(set, text, json_true()), 0);
}

static void parser_names(void *ctx, const char *kind, const char *name, const char *path)
{
    ck_assert_ptr_nonnull(path);
    add_name(ctx, kind, name);
}

static int core_names(void *ctx, const struct ref *r)
{
    char node[80];
    ck_assert_msg(sscanf(r->path, "definition.nodes.%79[^.].", node) == 1, "%s", r->path);
    add_name(ctx, config_kind_name(r->kind), r->name);
    return 0;
}

static void same_names(const struct ivr_flow *f, const char *text)
{
    json_t *a = json_object(), *b = json_object();
    ivr_flow_references(f, parser_names, a);
    ck_assert_int_eq(refs_flow_each(text, false, core_names, b), 0);
    if (!json_equal(a, b)) {
        char *x = json_dumps(a, JSON_SORT_KEYS), *y = json_dumps(b, JSON_SORT_KEYS);
        ck_abort_msg("the parser says %s, core %s: %s", x, y, text);
    }
    json_decref(a);
    json_decref(b);
}

static void judge(const json_t *flow)
{
    struct err_info why = {.code = 0};
    struct ivr_flow *f = NULL;
    char *text = json_dumps(flow, JSON_COMPACT);
    ck_assert_ptr_nonnull(text);
    int rc = ivr_flow_parse(text, strlen(text), &f, &why);
    if (!rc)
        same_names(f, text);
    if (!rc)
        rc = ivr_flow_check(f, text, strlen(text), &why);
    ivr_flow_unref(f);
    json_t *row = json_pack("{s:O, s:s, s:s}", "flow", flow, "parser", !rc ? "takes" : of_one_field(&why) ? "refuses" : "open", "why",
                            rc ? why.text : "");
    ck_assert_int_eq(json_dumpf(row, cases, JSON_COMPACT), 0);
    fputc('\n', cases);
    json_decref(row);
    free(text);
    taken += rc == 0;
}

/* Each value of the tree left out, and in its place others. */
static void each_change(json_t *flow, json_t *at)
{
    static const char *const others[] = {"true", "7", "-1", "1000000", "\"x\"", "\"\"", "[]", "{}", "null", "[\"x\"]", "{\"x\":\"y\"}"};
    json_t *keys = json_array(), *key;
    const char *name;
    json_t *v;
    size_t i;
    json_object_foreach(at, name, v) ck_assert_int_eq(json_array_append_new(keys, json_string(name)), 0);
    json_array_foreach(keys, i, key)
    {
        name = json_string_value(key);
        json_t *was = json_incref(json_object_get(at, name));
        for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
            ck_assert_int_eq(json_object_set_new(at, name, json_loads(others[k], JSON_DECODE_ANY, NULL)), 0);
            judge(flow);
        }
        (void)json_object_del(at, name);
        judge(flow);
        ck_assert_int_eq(json_object_set(at, name, was), 0);
        each_change(flow, was);
        json_decref(was);
    }
    json_decref(keys);
    json_array_foreach(at, i, v) each_change(flow, v);
}

static void judge_text(const char *text, size_t len, const char *name)
{
    json_t *flow = NULL;
    if (yaml_load(text, len, &flow, NULL, NULL) == 0 && json_object_get(flow, "nodes")) {
        if (!json_object_get(flow, "name"))
            ck_assert_int_eq(json_object_set_new(flow, "name", json_string(name)), 0);
        judge(flow);
    }
    json_decref(flow);
}

static void judge_corpus(const char *folder)
{
    static char text[1 << 16];
    char path[512];
    DIR *d = opendir(folder);
    ck_assert_msg(d != NULL, "%s: run from the top of the tree", folder);
    for (struct dirent *e; (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/%.200s", folder, e->d_name);
        FILE *f = e->d_name[0] == '.' ? NULL : fopen(path, "r");
        size_t n = f ? fread(text, 1, sizeof text, f) : 0;
        if (f)
            fclose(f);
        judge_text(text, n, "f");
    }
    closedir(d);
}

/* Indented blocks of Markdown. */
static void judge_docs(const char *path)
{
    static char block[1 << 16];
    char line[1024];
    size_t n = 0;
    FILE *f = fopen(path, "r");
    ck_assert_msg(f != NULL, "%s: run from the top of the tree", path);
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "    ", 4) == 0 || line[0] == '\n') {
            n += (size_t)snprintf(block + n, sizeof block - n, "%s", line[0] == '\n' ? line : line + 4);
            continue;
        }
        judge_text(block, n, "f");
        n = 0;
    }
    fclose(f);
}

START_TEST(the_same_verdicts)
{
    char path[256], command[512];
    snprintf(path, sizeof path, "%s/everline-flows-XXXXXX", folder_base());
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    cases = fdopen(fd, "w");
    json_t *demo = shipped("etc/demo.yaml"), *flow;
    size_t i;
    json_array_foreach(json_object_get(demo, "flows"), i, flow) judge(flow);
    ck_assert_uint_ge(taken, 1);
    json_decref(demo);
    unsigned before = taken;
    judge_docs("docs/flows.md");
    ck_assert_uint_gt(taken, before);
    before = taken;
    judge_corpus("tests/fuzz/corpus/flow");
    ck_assert_uint_gt(taken, before);
    for (i = 0; i < sizeof samples / sizeof *samples; i++) {
        before = taken;
        flow = flow_around(samples[i]);
        judge(flow);
        ck_assert_msg(taken == before + 1, "sample %zu is refused", i);
        each_change(flow, json_object_get(json_object_get(flow, "nodes"), "n"));
        if (i == 0)
            each_change(flow, flow);
        json_decref(flow);
    }
    ck_assert_int_eq(fclose(cases), 0);
    snprintf(command, sizeof command, "python3 tests/unit/telephony/schema_check.py " SCHEMA " %s >&2", path);
    int rc = system(command);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rc, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("schema of flows");
    TCase *t = tcase_create("schema");
    tcase_set_timeout(t, 240);
    tcase_add_test(t, the_same_kinds_and_fields);
    tcase_add_test(t, the_same_verdicts);
    suite_add_tcase(s, t);
    return run_suite(s);
}
