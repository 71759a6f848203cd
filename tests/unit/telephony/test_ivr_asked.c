/* What is asked of a flow with variables before it is stored, and what it refers to. */
#include "tests/unit/suite.h"
#include "tests/unit/telephony/ivr_rig.h"

#define END ",'z':{'type':'hangup'}"

START_TEST(refusals)
{
    static const struct {
        const char *nodes, *field, *words;
    } cases[] = {
        {"'a':{'type':'collect','next':'z'}" END, "nodes.a.variable", "a small letter"},
        {"'a':{'type':'collect','variable':'Account','next':'z'}" END, "nodes.a.variable", "a small letter"},
        {"'a':{'type':'collect','variable':'caller','next':'z'}" END, "nodes.a.variable", "cannot be set"},
        {"'a':{'type':'collect','variable':'x'}" END, "nodes.a.next", "name of a node"},
        {"'a':{'type':'collect','variable':'x','next':'z','min':5,'max':4}" END, "nodes.a.max", "from 5 to 32"},
        {"'a':{'type':'collect','variable':'x','next':'z','terminator':'##'}" END, "nodes.a.terminator", "or none"},
        {"'a':{'type':'collect','variable':'x','next':'z','secret':1}" END, "nodes.a.secret", "true or false"},
        {"'a':{'type':'set','set':{},'next':'z'}" END, "nodes.a.set", "1 to 16"},
        {"'a':{'type':'set','set':{'x':1},'next':'z'}" END, "nodes.a.set.x", "must be a text"},
        {"'a':{'type':'set','set':{'x':'${y'},'next':'z'}" END, "nodes.a.set.x", "column 1"},
        {"'a':{'type':'set','set':{'x':'${secret.k}'},'next':'z'}" END, "nodes.a.set.x", "http nodes only"},
        {"'a':{'type':'set','set':{'x':{'expr':'1 +'}},'next':'z'}" END, "nodes.a.set.x", "column 4"},
        {"'a':{'type':'set','set':{'true':'x'},'next':'z'}" END, "nodes.a.set.true", "cannot be set"},
        {"'a':{'type':'branch','cases':[],'else':'z'}" END, "nodes.a.cases", "1 to 32"},
        {"'a':{'type':'branch','cases':[{'if':'1','then':'z'}],'else':'z'}" END, "nodes.a.cases[0]", "\"if\""},
        {"'a':{'type':'branch','cases':[{'if':'1 <','next':'z'}],'else':'z'}" END, "nodes.a.cases[0].if", "column 4"},
        {"'a':{'type':'branch','cases':[{'if':'1','next':'y'}],'else':'z'}" END, "nodes.a.cases[0].next",
         "no node 'y'"},
        {"'a':{'type':'branch','cases':[{'if':'1','next':'z'}]}" END, "nodes.a.else", "name of a node"},
        {"'a':{'type':'time','cases':[{'group':'a b','next':'z'}],'else':'z'}" END, "nodes.a.cases[0].group",
         "time group"},
        {"'a':{'type':'http','url':'ftp://x','next':'z','on_error':'z'}" END, "nodes.a.url", "https://"},
        {"'a':{'type':'http','url':'https://${caller}/','next':'z','on_error':'z'}" END, "nodes.a.url",
         "without variables"},
        {"'a':{'type':'http','url':'https://u@x/','next':'z','on_error':'z'}" END, "nodes.a.url", "or user"},
        {"'a':{'type':'http','url':'https://x/a b','next':'z','on_error':'z'}" END, "nodes.a.url", "spaces"},
        {"'a':{'type':'http','url':'https://x','next':'z'}" END, "nodes.a.on_error", "name of a node"},
        {"'a':{'type':'http','url':'https://x','method':'get','next':'z','on_error':'z'}" END, "nodes.a.method", "GET"},
        {"'a':{'type':'http','url':'https://x','body':{},'next':'z','on_error':'z'}" END, "nodes.a.body",
         "GET request"},
        {"'a':{'type':'http','url':'https://x','headers':{'A b':'c'},'next':'z','on_error':'z'}" END,
         "nodes.a.headers.A b", "no name"},
        {"'a':{'type':'http','url':'https://x','headers':{'host':'c'},'next':'z','on_error':'z'}" END,
         "nodes.a.headers.host", "not for flows"},
        {"'a':{'type':'http','url':'https://x','headers':{'X':'a\\r\\nB: c'},'next':'z','on_error':'z'}" END,
         "nodes.a.headers.X", "control"},
        {"'a':{'type':'http','url':'https://x','method':'PUT','body':{'a':['${'] },'next':'z','on_error':'z'}" END,
         "nodes.a.body", "column 1"},
        {"'a':{'type':'http','url':'https://x','answer':{'n':'name'},'next':'z','on_error':'z'}" END,
         "nodes.a.answer.n", "column 1"},
        {"'a':{'type':'http','url':'https://x','timeout_s':31,'next':'z','on_error':'z'}" END, "nodes.a.timeout_s",
         "1 to 30"},
        {"'a':{'type':'queue','queue':'q','priority':1001}", "nodes.a.priority", "0 to 1000"},
        {"'a':{'type':'queue','queue':'q','skills':[{'skill':'x','level':10}]}", "nodes.a.skills[0]", "0 to 9"},
        {"'a':{'type':'queue','queue':'q','data':{'queue':'x'}}", "nodes.a.data.queue", "cannot be set"},
        {"'a':{'type':'queue','queue':'${caller}'}", "nodes.a.queue", "name the queue"},
        {"'a':{'type':'flow','next':'z'}" END, "nodes.a.flow", "name the flow"},
        {"'a':{'type':'play','prompts':[{'date':'${x','weekday':true}],'next':'z'}" END, "nodes.a.prompts[0].date",
         "column 1"},
        {"'a':{'type':'play','prompts':[{'time':'${x}','weekday':true}],'next':'z'}" END, "nodes.a.prompts[0].weekday",
         "weekday"},
        {"'a':{'type':'hangup','prompts':[{'text':' '}]}", "nodes.a.prompts[0].text", "1 to 999 bytes"},
        {"'a':{'type':'hangup','prompts':[{'text':7}]}", "nodes.a.prompts[0].text", "must be a text"},
        {"'a':{'type':'hangup','prompts':[{'text':'${x'}]}", "nodes.a.prompts[0].text", "column 1"},
        {"'a':{'type':'hangup','prompts':[{'text':'x','weekday':true}]}", "nodes.a.prompts[0].weekday", "date"},
        {"'a':{'type':'hangup','prompts':[{'text':'1'},{'text':'2'},{'text':'3'},{'text':'4'},{'text':'5'}]}",
         "nodes.a.prompts", "more than 4 texts"},
        {"'a':{'type':'set','set':{'x':'1'},'next':'b'},'b':{'type':'time','cases':[{'group':'g','next':'a'}],'else':'"
         "a'}",
         "nodes.a", "circle"},
        {"'a':{'type':'outside'}", "nodes.a.number", "text"},
        {"'a':{'type':'outside','number':'12a'}", "nodes.a.number", "digits"},
        {"'a':{'type':'outside','number':'1','caller_id':'+'}", "nodes.a.caller_id", "digits"},
        {"'a':{'type':'outside','number':'1','trunk':''}", "nodes.a.trunk", "name the trunk"},
        {"'a':{'type':'outside','number':'1','ring_time_s':601}", "nodes.a.ring_time_s", "1 to 600"},
        {"'a':{'type':'outside','number':'1','on_fail':'a'}", "nodes.a", "circle"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[2048];
        struct ivr_flow *f = NULL;
        struct err_info info = {.code = 0};
        snprintf(json, sizeof json, "{\"name\":\"f\",\"languages\":[\"zh\"],\"start\":\"a\",\"nodes\":{%s}}",
                 cases[i].nodes);
        for (char *s = json; *s; s++)
            if (*s == '\'')
                *s = '"';
        int rc = ivr_flow_parse(json, strlen(json), &f, &info);
        ck_assert_msg(rc == ERR_INVAL && !f, "%s was taken", json);
        ck_assert_msg(strcmp(info.field, cases[i].field) == 0, "%s: field '%s'", json, info.field);
        ck_assert_msg(strstr(info.text, cases[i].words) != NULL, "%s: '%s'", json, info.text);
        ck_assert_uint_eq(info.line, 1);
        ck_assert_uint_gt(info.column, 30);
    }
}
END_TEST

START_TEST(what_is_asked_of_new_flows)
{
    static const struct {
        const char *nodes, *field, *words; /* field NULL: it is taken */
    } cases[] = {
        {"'a':{'type':'play','prompts':['x'],'next':'a'}", "nodes.a", "nothing leads out"},
        {"'a':{'type':'play','prompts':['x'],'next':'b'},'b':{'type':'play','prompts':['y'],'next':'a'}", "nodes.a",
         "nothing leads out"},
        {"'a':{'type':'collect','variable':'x','next':'a','on_fail':'a'}", "nodes.a", "nothing leads out"},
        {"'a':{'type':'collect','variable':'x','next':'a'}", NULL, NULL}, /* three failures hang up */
        {"'a':{'type':'play','prompts':[{'digits':'${y}'}],'next':'z'}" END, "nodes.a.prompts[0]",
         "'y' is set on no way"},
        {"'a':{'type':'branch','cases':[{'if':'x == "
         "1','next':'z'}],'else':'b'},'b':{'type':'set','set':{'x':'1'},'next':"
         "'z'}" END,
         "nodes.a.cases[0].if", "'x' is set on no way"},
        {"'a':{'type':'branch','cases':[{'if':'x == "
         "1','next':'z'}],'else':'b'},'b':{'type':'set','set':{'x':'1'},'next':"
         "'p'},'p':{'type':'play','prompts':['h'],'next':'a'}" END,
         NULL, NULL}, /* comes round */
        {"'a':{'type':'http','url':'https://x','answer':{'n':'$.n'},'next':'z','on_error':'b'},'b':{'type':'play',"
         "'prompts':[{'digits':'${n}'}],'next':'z'}" END,
         "nodes.b.prompts[0]", "'n' is set on no way"}, /* there was no answer */
        {"'a':{'type':'http','url':'https://x','next':'z','on_error':'b'},'b':{'type':'play','prompts':[{'digits':"
         "'${http_status}'}],'next':'z'}" END,
         NULL, NULL},
        {"'a':{'type':'http','url':'https://x/${caller}/${y}','next':'z','on_error':'z'}" END, "nodes.a.url", "'y'"},
        {"'a':{'type':'queue','queue':'q','data':{'x':'${x}'}}", "nodes.a.data.x", "'x'"},
        {"'a':{'type':'agent','agent':'${x}'}", "nodes.a.agent", "'x'"},
        {"'a':{'type':'outside','number':'1${x}'}", "nodes.a.number", "'x'"},
        {"'a':{'type':'outside','number':'1','caller_id':'${x}'}", "nodes.a.caller_id", "'x'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ivr_flow *f = flow_with(cases[i].nodes);
        struct err_info info = {.code = 0};
        int rc = ivr_flow_check(f, "{}", 2, &info);
        ck_assert_msg(rc == (cases[i].field ? ERR_INVAL : 0), "%s: %d %s", cases[i].nodes, rc, info.text);
        if (cases[i].field) {
            ck_assert_msg(strcmp(info.field, cases[i].field) == 0, "%s: field '%s'", cases[i].nodes, info.field);
            ck_assert_msg(strstr(info.text, cases[i].words) != NULL, "%s: '%s'", cases[i].nodes, info.text);
        }
        ivr_flow_unref(f);
    }
    /* with the place, and a variable that is declared */
    const char *text =
        "{\"name\":\"f\",\"languages\":[\"zh\"],\"start\":\"a\",\"variables\":{\"x\":\"1\"},\"nodes\":{\n"
        " \"a\":{\"type\":\"play\",\"next\":\"z\",\n  \"prompts\":[{\"digits\":\"${x}\"},{\"digits\":\"${y}\"}]},"
        "\"z\":{\"type\":\"hangup\"}}}";
    struct ivr_flow *f = flow_of(text);
    struct err_info info;
    ck_assert_int_eq(ivr_flow_check(f, text, strlen(text), &info), ERR_INVAL);
    ck_assert_str_eq(info.field, "nodes.a.prompts[1]");
    ck_assert_uint_eq(info.line, 3);
    ck_assert_uint_eq(info.column, 32);
    ivr_flow_unref(f);
}
END_TEST

static void note_reference(void *ctx, const char *kind, const char *name, const char *path)
{
    char *out = ctx;
    size_t at = strlen(out);
    if (strcmp(kind, "language") != 0)
        snprintf(out + at, 2048 - at, "%s %s %s\n", kind, name, path);
}

START_TEST(references)
{
    char out[2048] = "";
    struct ivr_flow *f = flow_with(
        "'a':{'type':'time','cases':[{'group':'office','next':'s'}],'else':'h'},'s':{'type':'flow','flow':'ask','next':"
        "'g'},"
        "'g':{'type':'agent','agent':'${caller}'},'h':{'type':'http','method':'POST','url':'https://x/${secret.a}',"
        "'headers':{'K':'${secret.b}'},'body':['${secret.c}'],'next':'g','on_error':'g'}");
    ivr_flow_references(f, note_reference, out);
    ck_assert_str_eq(out,
                     "time_group office nodes.a.cases[0].group\nflow ask nodes.s.flow\nsecret b nodes.h.headers.K\n"
                     "secret a nodes.h.url\nsecret c nodes.h.body\n");
    ivr_flow_unref(f);
}
END_TEST

static void note_fault(void *ctx, const struct err_info *info)
{
    char *out = ctx;
    size_t at = strlen(out);
    snprintf(out + at, 2048 - at, "%s:%u ", info->field, info->line);
}

/* Whoever is writing hears of all faults at once, with where they stand in his text. */
START_TEST(all_faults)
{
    static const struct {
        const char *text, *faults;
    } cases[] = {
        {"{\"name\":\"f\",\"languages\":[\"en\"],\"start\":\"a\",\n\"nodes\":{\"a\":{\"type\":\"dance\"},\n\"b\":{\"type\":\"hangup\",\"x\":1},"
         "\n\"c\":{\"type\":\"hangup\"}}}", "nodes.a.type:2 nodes.b.x:3 "},
        {"{\"name\":\"f\",\"languages\":[],\"start\":\"q\",\"nodes\":{\"a\":{\"type\":\"hangup\"}}}", "languages:1 start:1 "},
        /* of the graph only when the nodes are right */
        {"{\"name\":\"f\",\"languages\":[\"en\"],\"start\":\"a\",\"nodes\":{\"a\":{\"type\":\"hangup\"},\n\"b\":{\"type\":\"hangup\"},"
         "\n\"c\":{\"type\":\"parent\"}}}", "nodes.b:2 nodes.c:3 "},
        {"{\"name\":\"f\",\"languages\":[\"en\"],\"start\":\"a\",\"nodes\":{\"a\":{\"type\":\"agent\",\"agent\":\"${x}\",\"on_fail\":\"b\"},"
         "\n\"b\":{\"type\":\"agent\",\"agent\":\"${y}\"}}}", "nodes.a.agent:1 nodes.b.agent:2 "},
        {"[", ":1 "},
        {"{\"name\":\"f\",\"languages\":[\"en\"],\"start\":\"a\",\"nodes\":{\"a\":{\"type\":\"hangup\"}}}", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[2048] = "";
        struct ivr_flow *f = NULL;
        unsigned told = 0;
        int n = ivr_flow_faults(cases[i].text, strlen(cases[i].text), note_fault, out, &f);
        ck_assert_msg(strcmp(out, cases[i].faults) == 0, "%s: %s", cases[i].text, out);
        for (const char *p = out; *p; p++)
            told += *p == ' ';
        ck_assert_int_eq(n, (int)told);
        ck_assert((f != NULL) == (n == 0));
        ivr_flow_unref(f);
    }
}
END_TEST

START_TEST(needs_of_queues)
{
    static const struct {
        const char *skills, *field;
    } flows[] = {
        {"[{\"skill\":\"a\"},{\"skill\":\"b\"},{\"skill\":\"a\",\"level\":2}]", "nodes.a.skills[2]"},
        {"[{\"skill\":\"a\"},{\"skill\":\"b\"},{\"skill\":\"c\"},{\"skill\":\"d\"},{\"skill\":\"e\"}]", "nodes.a.skills"},
        {"[{\"skill\":\"a\"},{\"skill\":\"b\"},{\"skill\":\"c\"},{\"skill\":\"d\"}]", NULL},
    };
    for (size_t i = 0; i < sizeof flows / sizeof *flows; i++) {
        char text[512];
        struct err_info info = {.code = 0};
        snprintf(text, sizeof text, "{\"name\":\"f\",\"languages\":[\"en\"],\"start\":\"a\",\"nodes\":{\"a\":{\"type\":\"queue\",\"queue\":\"q\",\"skills\":%s}}}",
                 flows[i].skills);
        struct ivr_flow *f = flow_of(text); /* what was stored before goes on running */
        ck_assert_int_eq(ivr_flow_check(f, text, strlen(text), &info) != 0, flows[i].field != NULL);
        if (flows[i].field)
            ck_assert_str_eq(info.field, flows[i].field);
        ivr_flow_unref(f);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ivr flows are checked");
    TCase *t = tcase_create("nodes");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, refusals);
    tcase_add_test(t, what_is_asked_of_new_flows);
    tcase_add_test(t, references);
    tcase_add_test(t, all_faults);
    tcase_add_test(t, needs_of_queues);
    suite_add_tcase(s, t);
    return run_suite(s);
}
