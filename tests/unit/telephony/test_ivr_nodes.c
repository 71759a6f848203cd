/* Voice menus with variables: what each type of node does, that what is secret stays so, and that every run goes on elsewhere
 * from what was committed: `told` moves the run to another node, so to say, after each step. */
#include "telephony/ivr_text.h"
#include "tests/unit/suite.h"
#include "tests/unit/telephony/ivr_rig.h"

#define COLLECT(more) "'a':{'type':'collect','variable':'account','next':'b','on_fail':'c'" more "}"
#define ENDS ",'b':{'type':'hangup','prompts':[{'digits':'${account}'}]},'c':{'type':'hangup','prompts':['sorry']}"

START_TEST(digits_are_collected)
{
    struct ivr_flow *f = flow_with(COLLECT(",'prompts':['ask'],'min':2,'max':4,'retries':1,'timeout_s':7,"
                                           "'invalid_prompts':['wrong'],'timeout_prompts':['nothing']") ENDS);
    struct ivr_run *r = run_of(f, NULL);
    told(f, &r, "start", "at a; play ask");
    told(f, &r, "key 1", "stop; at a; timer 3000"); /* pressed while it is said */
    told(f, &r, "restored", "timer 3000");
    told(f, &r, "key *", "timer 0; at a; timer 3000");
    told(f, &r, "key #", "timer 0; at b; play! =1*"); /* ended by the terminator */
    variable_is(r, "account", "1*");
    told(f, &r, "played", "hangup");
    ivr_run_free(r);

    r = run_of(f, NULL);
    told(f, &r, "start", "at a; play ask");
    told(f, &r, "played", "timer 7000");
    told(f, &r, "key 5", "timer 0; at a; timer 3000");
    told(f, &r, "timer", "at a; play wrong ask"); /* too few */
    told(f, &r, "played", "timer 7000");
    for (const char *key = "678"; *key; key++)
        told(f, &r, (char[]){'k', 'e', 'y', ' ', *key, 0}, "timer 0; at a; timer 3000");
    told(f, &r, "key 9", "timer 0; at b; play! =6789"); /* as many as there may be */
    ivr_run_free(r);

    r = run_of(f, NULL);
    told(f, &r, "start", "at a; play ask");
    told(f, &r, "key #", "stop; at a; play wrong ask");
    told(f, &r, "played", "timer 7000");
    told(f, &r, "timer", "at c; play! sorry"); /* failures are counted together */
    variable_is(r, "account", "");
    ivr_run_free(r);
    ivr_flow_unref(f);

    f = flow_with(COLLECT(",'terminator':'none','max':3,'digit_timeout_s':2") ENDS);
    r = run_of(f, NULL);
    told(f, &r, "start", "at a; timer 5000");
    told(f, &r, "key #", "timer 0; at a; timer 2000");
    told(f, &r, "key 0", "timer 0; at a; timer 2000");
    told(f, &r, "timer", "at b; play! =#0"); /* enough; nothing more came */
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(a_key_in_the_greeting_is_the_first_digit)
{
    struct ivr_flow *f =
        flow_with("'a':{'type':'play','prompts':['hello'],'next':'d'},'d':{'type':'collect','variable':"
                  "'account','max':2,'prompts':['ask'],'next':'b'},'b':{'type':'hangup'}");
    struct ivr_run *r = run_of(f, NULL);
    told(f, &r, "start", "at a; play hello");
    told(f, &r, "key 4", "stop; at d; timer 3000");
    told(f, &r, "key 2", "timer 0; at b; hangup");
    variable_is(r, "account", "42");
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(set_and_branch)
{
    struct ivr_flow *f = flow_with(
        "'a':{'type':'set','set':{'n':{'expr':'0'},'to':'${called}/${caller}','twice':'${n}'},'next':'b'},"
        "'b':{'type':'branch','cases':[{'if':'n < 2','next':'more'},{'if':'starts_with(caller, \\u0027138\\u0027)',"
        "'next':'mobile'}],'else':'bye'},"
        "'more':{'type':'set','set':{'n':{'expr':'n + 1'},'old':'${n}'},'next':'b'},"
        "'mobile':{'type':'play','prompts':['mobile',{'number':'${n}'},{'number':'${to}'},{'ordinal':'${n}'}],"
        "'next':'bye'},'bye':{'type':'hangup'}");
    struct ivr_run *r = run_of(f, NULL);
    /* "to" is no number and is left out */
    told(f, &r, "start", "at mobile; play mobile #2 ordinal!");
    variable_is(r, "to", "10000/13800138000");
    variable_is(r, "old", "1"); /* all values are made before any is set */
    variable_is(r, "twice", "");
    variable_is(r, "language", "zh");
    told(f, &r, "restored", "at mobile; play mobile #2 ordinal!");
    char text[IVR_VARIABLES_TEXT_MAX];
    ck_assert_int_eq(ivr_run_variables(r, text, sizeof text), 0);
    ck_assert_str_eq(text, "{\"n\":\"2\",\"old\":\"1\",\"to\":\"10000/13800138000\",\"twice\":\"\"}");
    ck_assert_int_eq(ivr_run_variables(r, text, 20), ERR_TOOBIG);
    told(f, &r, "played", "at bye; hangup");
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

/* A loop that a branch could leave but does not is ended. */
START_TEST(a_loop_is_ended)
{
    struct ivr_flow *f = flow_with("'a':{'type':'branch','cases':[{'if':'caller == 1','next':'b'}],'else':'c'},"
                                   "'c':{'type':'set','set':{'x':'1'},'next':'a'},'b':{'type':'hangup'}");
    struct ivr_run *r = run_of(f, NULL);
    expect(r, "start", "hangup");
    ivr_run_free(r);
    ivr_flow_unref(f);
    /* and so is one that asks the business system over and over */
    f = flow_with("'a':{'type':'http','url':'https://crm.example/','next':'b','on_error':'a'},'b':{'type':'hangup'}");
    r = run_of(f, NULL);
    char got[256];
    unsigned asked = 0;
    for (step(r, "start", got, sizeof got); strcmp(got, "at a; http?") == 0; step(r, "http 0", got, sizeof got)) {
        ck_assert_uint_lt(++asked, 100);
        r = moved_run(f, r);
    }
    ck_assert_str_eq(got, "hangup");
    ck_assert_uint_gt(asked, 50);
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

/* Says it, if there is room; what is fixed is always said. */
START_TEST(values_that_do_not_fit)
{
    struct ivr_flow *f = flow_with("'a':{'type':'set','set':{'d':'12345678901234567890123456789012'},'next':'b'},"
                                   "'b':{'type':'play','prompts':[{'digits':'${d}'},{'digits':'${d}'},'x'],'next':'c'},"
                                   "'c':{'type':'hangup'}");
    struct ivr_run *r = run_of(f, NULL);
    told(f, &r, "start", "at b; play =12345678901234567890123456789012 x"); /* 32 + 32 + 1 are too many */
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(secrets_stay_secret)
{
    struct ivr_flow *f = flow_with(
        "'a':{'type':'collect','variable':'pin','secret':true,'max':4,'next':'s'},"
        "'s':{'type':'set','set':{'end':{'expr':'substr(pin, 2)'},'open':'x','both':'${open}${pin}'},'next':'h'},"
        "'h':{'type':'http','method':'POST','url':'https://crm.example/check','body':{'pin':'${pin}'},"
        "'secret':true,'answer':{'key':'$.key'},'next':'b','on_error':'c'},"
        "'b':{'type':'queue','queue':'q','data':{'who':'${pin}','at':'desk'}},'c':{'type':'hangup'}");
    struct ivr_run *r = run_of(f, NULL);
    char text[IVR_VARIABLES_TEXT_MAX], state[IVR_STATE_MAX];
    bool secret;
    told(f, &r, "start", "at a; timer 5000");
    for (const char *key = "739"; *key; key++)
        told(f, &r, (char[]){'k', 'e', 'y', ' ', *key, 0}, "timer 0; at a; timer 3000");
    told(f, &r, "key 1", "timer 0; at h; http?");
    told(f, &r, "http 200 {\"key\":\"7391-abc\"}", "at b; queue q");
    static const char *const names[] = {"pin", "end", "both", "key", "who"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ck_assert_msg(*ivr_run_variable(r, names[i], &secret), "%s is gone", names[i]);
        ck_assert_msg(secret, "%s is not secret", names[i]);
    }
    variable_is(r, "end", "91");
    ck_assert_int_eq(ivr_run_variables(r, text, sizeof text), 0);
    ck_assert_str_eq(text, "{\"at\":\"desk\",\"http_status\":\"200\",\"open\":\"x\"}");
    ck_assert_int_eq(ivr_save(r, state, sizeof state), 0);
    ck_assert_ptr_nonnull(strstr(state, "7391")); /* so that another node can go on */
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(time_groups)
{
    struct ivr_flow *f = flow_with("'a':{'type':'time','cases':[{'group':'holiday','next':'closed'},{'group':'office',"
                                   "'next':'q'}],'else':'closed'},'q':{'type':'queue','queue':'q'},"
                                   "'closed':{'type':'hangup','prompts':['closed']}");
    struct ivr_run *r = run_of(f, NULL);
    told(f, &r, "start", "at a; time?");
    ck_assert_str_eq(ivr_run_time_group(r, 0), "holiday");
    ck_assert_str_eq(ivr_run_time_group(r, 1), "office");
    ck_assert_ptr_null(ivr_run_time_group(r, 2));
    told(f, &r, "failed", "");
    told(f, &r, "http 200", "");
    told(f, &r, "restored", "time?");
    told(f, &r, "time 1", "at q; queue q");
    told(f, &r, "time 1", "");
    ck_assert_ptr_null(ivr_run_time_group(r, 0));
    ivr_run_free(r);
    r = run_of(f, NULL);
    expect(r, "start", "at a; time?");
    expect(r, "time -1", "at closed; play! closed");
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(notices)
{
    struct ivr_flow *f = flow_with("'a':{'type':'notices','next':'b','none':'no'},'b':{'type':'set','set':{'area':'pudong','x':'y'},'next':'c'},"
                                   "'c':{'type':'notices','next':'d'},'d':{'type':'notices','area':'${x}-1','next':'q'},"
                                   "'q':{'type':'queue','queue':'q'},'no':{'type':'hangup','prompts':['closed']}");
    struct ivr_run *r = run_of(f, NULL);
    told(f, &r, "start", "at a; notices -"); /* the caller's own */
    told(f, &r, "time 1", "");
    told(f, &r, "key 1", "");
    told(f, &r, "restored", "notices -");
    told(f, &r, "done", "at c; notices pudong"); /* the variable of that name */
    told(f, &r, "done", "at d; notices y-1");
    told(f, &r, "failed", "at q; queue q"); /* without "none": next */
    told(f, &r, "done", "");
    ivr_run_free(r);
    r = run_of(f, NULL);
    expect(r, "start", "at a; notices -");
    expect(r, "failed", "at no; play! closed");
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(call_backs)
{
    struct ivr_flow *f = flow_with("'a':{'type':'callback','queue':'s','next':'b','refused':'no'},"
                                   "'b':{'type':'set','set':{'x':'1830','y':'49301'},'next':'c'},"
                                   "'c':{'type':'callback','queue':'s','number':'+${y}','priority':7,'at':'${x}','group':'office','next':'d','refused':'no'},"
                                   "'d':{'type':'set','set':{'x':'24:00'},'next':'e'},"
                                   "'e':{'type':'callback','queue':'s','at':'${x}','group':'office','next':'no','refused':'q'},"
                                   "'q':{'type':'queue','queue':'q'},'no':{'type':'hangup','prompts':['closed']}");
    struct ivr_run *r = run_of(f, NULL);
    told(f, &r, "start", "at a; callback 13800138000 by s, -1, -1 -");
    told(f, &r, "time 1", "");
    told(f, &r, "key 1", "");
    told(f, &r, "restored", "callback 13800138000 by s, -1, -1 -");
    told(f, &r, "done", "at c; callback +49301 by s, 7, 66600 office");
    told(f, &r, "done", "at q; queue q"); /* 24:00 is no time of day: not even asked */
    ivr_run_free(r);
    r = run_of(f, NULL);
    expect(r, "start", "at a; callback 13800138000 by s, -1, -1 -");
    expect(r, "failed", "at no; play! closed");
    ivr_run_free(r);
    ivr_flow_unref(f);
    static const struct {
        const char *fields, *field;
    } wrong[] = {{"'queue':'s','next':'z'", "refused"},
                 {"'queue':'s','refused':'z'", "next"},
                 {"'next':'z','refused':'z'", "queue"},
                 {"'queue':'s','next':'z','refused':'z','number':'me'", "number"},
                 {"'queue':'s','next':'z','refused':'z','priority':1001", "priority"},
                 {"'queue':'s','next':'z','refused':'z','at':'18:30'", "group"},
                 {"'queue':'s','next':'z','refused':'z','group':'office'", "at"},
                 {"'queue':'s','next':'z','refused':'z','group':'office','at':'18.30'", "at"},
                 {"'queue':'s','next':'z','refused':'z','group':'office','at':'2360'", "at"},
                 {"'queue':'s','next':'z','refused':'z','on_fail':'z'", "on_fail"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[512], field[64];
        struct err_info why = {.code = 0};
        struct ivr_flow *none = NULL;
        snprintf(text, sizeof text, "{'name':'f','languages':['en'],'start':'a','nodes':{'a':{'type':'callback',%s},'z':{'type':'hangup'}}}",
                 wrong[i].fields);
        for (char *p = text; *p; p++)
            *p = *p == '\'' ? '"' : *p;
        snprintf(field, sizeof field, "nodes.a.%s", wrong[i].field);
        ck_assert_int_eq(ivr_flow_parse(text, strlen(text), &none, &why), ERR_INVAL);
        ck_assert_msg(strcmp(why.field, field) == 0, "%s: %s: %s", text, why.field, why.text);
    }
}
END_TEST

#define CRM                                                                                               \
    "'a':{'type':'set','set':{'who':'a\\\"b&c/d é','n':'7'},'next':'h'},"                                \
    "'h':{'type':'http','method':'POST','url':'https://crm.example/c/${who}?n=${n}&k=${secret.url_key}'," \
    "'headers':{'Authorization':'Bearer ${secret.crm}','X-Caller':'${caller}'},'timeout_s':3,"            \
    "'body':{'who':'${who}','list':['${n}',7,true,null],'cost':'$$5'},"                                   \
    "'answer':{'name':'$.customer.name','due':'$.bills[0].due','none':'$.no.such','ok':'$.ok'},"          \
    "'next':'good','on_error':'bad'},"                                                                    \
    "'good':{'type':'play','prompts':[{'money':'${due}'}],'next':'bad'},'bad':{'type':'hangup'}"

static const char *crm_secret(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "crm") == 0 ? "t0ken\r\nX-Evil: 1" : strcmp(name, "url_key") == 0 ? "a/b" : NULL;
}

START_TEST(requests)
{
    struct ivr_flow *f = flow_with(CRM);
    struct ivr_run *r = run_of(f, NULL);
    struct ivr_request q, again;
    ck_assert_int_eq(ivr_run_request(r, crm_secret, NULL, &q), ERR_BADSTATE);
    told(f, &r, "start", "at h; http?");
    ck_assert_int_eq(ivr_run_request(r, NULL, NULL, &q), ERR_NOTFOUND); /* no secrets */
    ck_assert_int_eq(ivr_run_request(r, crm_secret, NULL, &q), 0);
    ck_assert_str_eq(q.method, "POST");
    ck_assert_str_eq(q.url, "https://crm.example/c/a%22b%26c%2Fd%20%C3%A9?n=7&k=a%2Fb");
    ck_assert_uint_eq(q.n_headers, 3);
    ck_assert_str_eq(q.headers[0], "Authorization: Bearer t0ken  X-Evil: 1");
    ck_assert_str_eq(q.headers[1], "X-Caller: 13800138000");
    ck_assert_str_eq(q.headers[2], "Content-Type: application/json");
    ck_assert_str_eq(q.body, "{\"who\":\"a\\\"b&c/d é\",\"list\":[\"7\",7,true,null],\"cost\":\"$5\"}");
    ck_assert_uint_eq(q.body_len, strlen(q.body));
    ck_assert_uint_eq(q.timeout_ms, 3000);
    /* another node asks the same again, under the same id */
    told(f, &r, "restored", "http?");
    ck_assert_int_eq(ivr_run_request(r, crm_secret, NULL, &again), 0);
    ck_assert_str_eq(q.id, again.id);
    ck_assert_str_eq(q.body, again.body);
    ivr_request_free(&q);
    ivr_request_free(&again);
    told(f, &r, "http 200 {\"customer\":{\"name\":\"王\"},\"bills\":[{\"due\":12.5}],\"ok\":true}",
         "at good; play money!");
    variable_is(r, "name", "王");
    variable_is(r, "due", "12.5");
    variable_is(r, "none", "");
    variable_is(r, "ok", "true");
    variable_is(r, "http_status", "200");
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

/* What is known of the caller: in expressions, texts, requests; as it is now; and nobody's variable. */
START_TEST(what_is_known)
{
    struct ivr_flow *f = flow_with("'a':{'type':'play','prompts':['hello'],'next':'is'},"
                                   "'is':{'type':'branch','cases':[{'if':'data.order == 4711 and len(data.customer) > 0','next':'ask'}],'else':'no'},"
                                   "'ask':{'type':'http','method':'POST','url':'https://crm/${data.order}','body':{'who':'${data.customer}','x':'${data.Long-Name.1}'},'next':'a','on_error':'a'},"
                                   "'no':{'type':'queue','queue':'s','on_fail':'a'}");
    struct err_info why = {.code = 0};
    struct ivr_request q;
    struct ivr_run *r = run_of(f, NULL);
    char text[256];
    expect(r, "start", "at a; play hello");
    expect(r, "played", "at no; queue s");
    ck_assert_int_eq(ivr_run_know(r, "C-1", "{\"order\":\"4711\",\"Long-Name.1\":\"a\\r\\nb\\\"\"}"), 0);
    expect(r, "failed", "at a; play hello");
    expect(r, "played", "at ask; http?");
    ck_assert_int_eq(ivr_run_request(r, NULL, NULL, &q), 0);
    ck_assert_str_eq(q.url, "https://crm/4711");
    ck_assert_str_eq(q.body, "{\"who\":\"C-1\",\"x\":\"a  b\\\"\"}");
    ivr_request_free(&q);
    ck_assert_int_eq(ivr_run_variables(r, text, sizeof text), 0);
    ck_assert_str_eq(text, "");
    r = moved_run(f, r); /* it is the owner's to say it again */
    variable_is(r, "data.order", "");
    ck_assert_int_eq(ivr_run_know(r, "", "{\"order\":\"1\"}"), 0);
    variable_is(r, "data.order", "1");
    variable_is(r, "data.customer", "");
    ck_assert_int_eq(ivr_run_know(r, NULL, NULL), 0);
    variable_is(r, "data.order", "");
    ck_assert_int_eq(ivr_run_know(r, "", "no object"), ERR_NOMEM);
    ivr_run_free(r);
    ivr_flow_unref(f);
    static const char *const wrong[] = {"'set':{'data.x':'1'}", "'set':{'x':'${data.}'}", "'set':{'x':'${data.a b}'}", "'set':{'x':{'expr':'data.'}}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char json[256];
        struct ivr_flow *none = NULL;
        snprintf(json, sizeof json, "{'name':'f','languages':['en'],'start':'a','nodes':{'a':{'type':'set',%s,'next':'z'},'z':{'type':'hangup'}}}", wrong[i]);
        for (char *p = json; *p; p++)
            *p = *p == '\'' ? '"' : *p;
        ck_assert_msg(ivr_flow_parse(json, strlen(json), &none, &why) == ERR_INVAL, "%s was taken", json);
    }
}
END_TEST

START_TEST(answers_that_are_none)
{
    static const char *const answers[] = {"http 0",           "http 404 {\"ok\":true}", "http 302 {}", "http 200",
                                          "http 200 garbage", "http 200 {\"a\":",       "http 200 5"};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct ivr_flow *f = flow_with(CRM);
        struct ivr_run *r = run_of(f, NULL);
        expect(r, "start", "at h; http?");
        expect(r, "key 1", "");
        expect(r, answers[i], "at bad; hangup");
        variable_is(r, "name", "");
        ivr_run_free(r);
        ivr_flow_unref(f);
    }
    /* nothing is wanted of it: 2xx will do */
    struct ivr_flow *f = flow_with("'a':{'type':'http','method':'DELETE','url':'http://127.0.0.1:1/x','next':'b',"
                                   "'on_error':'c'},'b':{'type':'hangup'},'c':{'type':'hangup'}");
    struct ivr_run *r = run_of(f, NULL);
    expect(r, "start", "at a; http?");
    expect(r, "http 204", "at b; hangup");
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(queues_with_needs)
{
    struct ivr_flow *f =
        flow_with("'a':{'type':'queue','queue':'sales','agent':'${language}-1001','priority':5,'skills':[{'skill':'english','level':3},"
                  "{'skill':'gold'}],'data':{'from':'menu ${language}'},'on_fail':'b'},"
                  "'b':{'type':'agent','agent':'${queue}1','on_fail':'c'},'c':{'type':'hangup'}");
    struct ivr_run *r = run_of(f, "en");
    struct ivr_action act[IVR_ACTIONS_MAX];
    struct ivr_event start = {.type = IVR_EV_START};
    unsigned n = ivr_step(r, &start, act);
    ck_assert_int_eq(act[n - 1].type, IVR_ACT_QUEUE);
    const struct ivr_queue_need *need = act[n - 1].need;
    ck_assert(need && need->has_priority && need->priority == 5 && need->n_skills == 2);
    ck_assert_str_eq(need->agent, "en-1001"); /* made when the caller comes there */
    ck_assert_str_eq(need->skills[0].skill, "english");
    ck_assert_uint_eq(need->skills[0].level, 3);
    ck_assert_uint_eq(need->skills[1].level, 0);
    variable_is(r, "from", "menu en");
    r = moved_run(f, r);
    told(f, &r, "restored", "queue sales");
    told(f, &r, "failed", "at b; agent sales1");
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

/* For counting: no digit of a collect node is told, nor is one of a menu lost. */
START_TEST(what_leads_on)
{
    struct ivr_flow *f = flow_with("'a':{'type':'menu','keys':{'12':'c','3':'t'}},'c':{'type':'collect','variable':'pin','secret':true,"
                                   "'max':2,'next':'t'},'t':{'type':'time','cases':[{'group':'office','next':'p'}],'else':'p'},"
                                   "'p':{'type':'play','prompts':['x'],'next':'h'},'h':{'type':'http','url':'https://x','next':'g',"
                                   "'on_error':'g'},'g':{'type':'queue','queue':'q','on_fail':'a'}");
    static const struct {
        struct ivr_event ev;
        const char *word;
    } steps[] = {
        {{.type = IVR_EV_START}, ""},
        {{.type = IVR_EV_KEY, .digit = '1'}, "1"},
        {{.type = IVR_EV_KEY, .digit = '2'}, "12"},
        {{.type = IVR_EV_KEY, .digit = '7'}, "digits"},
        {{.type = IVR_EV_TIMER}, "digits"},
        {{.type = IVR_EV_TIME, .choice = 0}, "office"},
        {{.type = IVR_EV_PLAYED}, "played"},
        {{.type = IVR_EV_HTTP, .status = 503}, "503"},
        {{.type = IVR_EV_FAILED}, "failed"},
        {{.type = IVR_EV_TIMER}, "timeout"},
    };
    struct ivr_run *r = run_of(f, "en");
    struct ivr_action act[IVR_ACTIONS_MAX];
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        char word[IVR_LEFT_BY_MAX];
        ivr_run_left_by(r, &steps[i].ev, word);
        ck_assert_msg(strcmp(word, steps[i].word) == 0, "step %zu: %s", i, word);
        (void)ivr_step(r, &steps[i].ev, act);
    }
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(numbers_outside)
{
    struct ivr_flow *f =
        flow_with("'a':{'type':'collect','variable':'to','prompts':['x'],'next':'b','on_fail':'d','max':3},"
                  "'b':{'type':'outside','number':'+8610${to}','trunk':'carrier','caller_id':'${called}',"
                  "'ring_time_s':12,'on_fail':'c'},"
                  "'c':{'type':'outside','number':'10086','on_fail':'d'},'d':{'type':'hangup'}");
    struct ivr_run *r = run_of(f, "en");
    struct ivr_action act[IVR_ACTIONS_MAX];
    static const struct ivr_event keys[] = {{.type = IVR_EV_START},
                                            {.type = IVR_EV_KEY, .digit = '1'},
                                            {.type = IVR_EV_KEY, .digit = '2'},
                                            {.type = IVR_EV_KEY, .digit = '3'}};
    unsigned n = 0;
    for (unsigned i = 0; i < 4; i++)
        n = ivr_step(r, &keys[i], act);
    ck_assert_int_eq(act[n - 1].type, IVR_ACT_OUTSIDE);
    ck_assert_str_eq(act[n - 1].name, "+8610123");
    ck_assert_str_eq(act[n - 1].outside->trunk, "carrier");
    ck_assert_str_eq(act[n - 1].outside->caller_id, ivr_run_variable(r, "called", NULL));
    ck_assert_uint_eq(act[n - 1].outside->ring_time_s, 12);
    r = moved_run(f, r); /* the new owner dials it once more */
    struct ivr_event restored = {.type = IVR_EV_RESTORED}, failed = {.type = IVR_EV_FAILED};
    n = ivr_step(r, &restored, act);
    ck_assert_str_eq(act[n - 1].name, "+8610123");
    told(f, &r, "failed", "at c; outside 10086 trunk - shows - for 0 s");
    n = ivr_step(r, &failed, act);
    ck_assert_int_eq(act[n - 1].type, IVR_ACT_HANGUP);
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

/* ---- flows within flows */

static void library(unsigned slot, const char *name, uint64_t version, const char *languages, const char *rest)
{
    char json[4096];
    snprintf(json, sizeof json, "{'name':'%s','languages':[%s],'start':'a',%s}", name, languages, rest);
    for (char *s = json; *s; s++)
        if (*s == '\'')
            *s = '"';
    rig_flows[slot] = (struct rig_flow){name, version, flow_of(json)};
}

static void library_closes(void)
{
    for (unsigned i = 0; i < 8; i++) {
        if (rig_flows[i].flow)
            ivr_flow_unref(rig_flows[i].flow);
        rig_flows[i] = (struct rig_flow){0};
    }
}

START_TEST(flows_call_flows)
{
    struct ivr_flow *f =
        flow_with("'a':{'type':'language','language':'en','next':'m'},"
                  "'m':{'type':'menu','keys':{'1':'s'},'prompts':['main']},"
                  "'s':{'type':'flow','flow':'ask','next':'m','on_fail':'bye'},'bye':{'type':'hangup'}");
    struct ivr_run *r = run_of(f, NULL);
    const char *name;
    uint64_t version;
    library(0, "ask", 7, "'zh'",
            "'variables':{'tries':'0','account':''},'nodes':{'a':{'type':'menu','keys':{'1':'c','*':'up'},'prompts':"
            "['sub']},'up':{'type':'parent'},'c':{'type':'collect','variable':'account','max':2,'next':'r'},"
            "'r':{'type':'return'}}");
    told(f, &r, "start", "language en; at m; play main");
    told(f, &r, "key 1", "stop; language zh; at ask/a; play sub"); /* it speaks Chinese only */
    ck_assert(ivr_run_flow(r, 0, &name, &version) && strcmp(name, "f") == 0 && version == 1);
    ck_assert(ivr_run_flow(r, 1, &name, &version) && strcmp(name, "ask") == 0 && version == 7);
    ck_assert(!ivr_run_flow(r, 2, &name, &version));
    told(f, &r, "key *", "stop; at ask/a; play sub");                /* its first menu: the way back is its own */
    library(1, "ask", 8, "'zh'", "'nodes':{'a':{'type':'hangup'}}"); /* a new version does not touch the run */
    told(f, &r, "key 1", "stop; at ask/c; timer 5000");
    told(f, &r, "key 4", "timer 0; at ask/c; timer 3000");
    told(f, &r, "key 2", "timer 0; language en; at m; play main"); /* back, in the language of before */
    variable_is(r, "account", "42");
    variable_is(r, "tries", "0");
    told(f, &r, "key 1", "stop; language zh; at ask/a; hangup"); /* called again: as it is now */
    ivr_run_free(r);
    ivr_flow_unref(f);
    library_closes();
}
END_TEST

START_TEST(flows_that_are_not_there)
{
    struct ivr_flow *f = flow_with("'a':{'type':'flow','flow':'gone','next':'b','on_fail':'b'},'b':{'type':'hangup',"
                                   "'prompts':['bye']}");
    struct ivr_run *r = run_of(f, NULL), *q = NULL;
    expect(r, "start", "at b; play! bye");
    ivr_run_free(r);
    ivr_flow_unref(f);
    /* and one that calls itself comes to an end */
    library(0, "deep", 3, "'zh'",
            "'nodes':{'a':{'type':'flow','flow':'deep','next':'b','on_fail':'b'},'b':{'type':"
            "'play','prompts':['deepest'],'next':'r'},'r':{'type':'return'}}");
    f = flow_with("'a':{'type':'flow','flow':'deep','next':'b'},'b':{'type':'hangup'}");
    r = run_of(f, NULL);
    char state[IVR_STATE_MAX];
    told(f, &r, "start", "at deep/b; play deepest");
    ck_assert(ivr_run_flow(r, IVR_CALLS_MAX, &(const char *){0}, &(uint64_t){0}));
    ck_assert_int_eq(ivr_save(r, state, sizeof state), 0);
    for (int i = 0; i < IVR_CALLS_MAX - 1; i++)
        told(f, &r, "played", "at deep/b; play deepest");
    told(f, &r, "played", "at b; hangup");
    ivr_run_free(r);
    library_closes();
    ck_assert_int_eq(restore(f, state, NULL, &q), ERR_NOTFOUND); /* without the flow it stands in */
    ck_assert_ptr_null(q);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(states_that_are_refused)
{
    static const char *const states[] = {
        "{}",
        "[]",
        "{\"v\":2}",
        "{\"v\":3,\"phase\":\"i\",\"failures\":0,\"walked\":0,\"asked\":0,\"digits\":\"\",\"secret\":{},\"frames\":[{"
        "\"node\":\"a\","
        "\"language\":\"zh\",\"menus\":[]}]}",
        "{\"v\":2,\"phase\":\"i\",\"failures\":0,\"walked\":0,\"asked\":0,\"digits\":\"\",\"secret\":{},\"frames\":[]}",
        "{\"v\":2,\"phase\":\"i\",\"failures\":-1,\"walked\":0,\"asked\":0,\"digits\":\"\",\"secret\":{},\"frames\":[{"
        "\"node\":\"a\","
        "\"language\":\"zh\",\"menus\":[]}]}",
        "{\"v\":2,\"phase\":\"w\",\"failures\":0,\"walked\":0,\"asked\":0,\"digits\":\"1#\",\"secret\":{},\"frames\":[{"
        "\"node\":\"a\","
        "\"language\":\"zh\",\"menus\":[]}]}",
        "{\"v\":2,\"phase\":\"w\",\"failures\":0,\"walked\":0,\"asked\":0,\"digits\":\"1234\",\"secret\":{},\"frames\":"
        "[{\"node\":\"a\","
        "\"language\":\"zh\",\"menus\":[]}]}",
        "{\"v\":2,\"phase\":\"w\",\"failures\":0,\"walked\":0,\"asked\":0,\"digits\":\"1x\",\"secret\":{},\"frames\":[{"
        "\"node\":\"a\","
        "\"language\":\"zh\",\"menus\":[]}]}",
        "{\"v\":2,\"phase\":\"w\",\"failures\":0,\"walked\":0,\"asked\":0,\"digits\":\"1\",\"secret\":{\"A\":\"\"},"
        "\"frames\":[{\"node\":"
        "\"a\",\"language\":\"zh\",\"menus\":[]}]}",
        "{\"v\":2,\"phase\":\"w\",\"failures\":0,\"walked\":0,\"asked\":0,\"digits\":\"1\",\"secret\":{},\"frames\":[{"
        "\"node\":\"a\","
        "\"language\":\"zh\",\"menus\":[\"a\"]}]}",
        "{\"v\":2,\"phase\":\"b\",\"failures\":0,\"walked\":0,\"asked\":0,\"digits\":\"\",\"secret\":{},\"frames\":[{"
        "\"node\":\"a\","
        "\"language\":\"zh\",\"menus\":[]}]}",
        "{\"v\":2,\"phase\":\"w\",\"failures\":0,\"walked\":0,\"asked\":0,\"digits\":\"1\",\"secret\":{},\"frames\":[{"
        "\"node\":\"a\","
        "\"language\":\"zh\",\"menus\":[]},{\"node\":\"a\",\"language\":\"zh\",\"menus\":[],\"flow\":\"f\",\"version\":"
        "1}]}",
    };
    struct ivr_flow *f = flow_with(COLLECT(",'max':4") ENDS);
    struct ivr_run *r = NULL;
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        ck_assert_msg(restore(f, states[i], NULL, &r) == ERR_INVAL && !r, "%s was taken", states[i]);
    const char *good =
        "{\"v\":2,\"phase\":\"w\",\"failures\":0,\"walked\":0,\"asked\":0,\"digits\":\"12\",\"secret\":{},"
        "\"frames\":[{\"node\":\"a\",\"language\":\"zh\",\"menus\":[]}]}";
    static const char *const variables[] = {"x", "[]", "{\"a\":1}", "{\"A\":\"\"}"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        ck_assert_int_eq(restore(f, good, variables[i], &r), ERR_INVAL);
    ck_assert_int_eq(restore(f, good, "{\"x\":\"1\"}", &r), 0);
    told(f, &r, "key 3", "timer 0; at a; timer 3000");
    told(f, &r, "key #", "timer 0; at b; play! =123");
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

/* ---- texts for synthesis */

static void note_text(void *ctx, const char *language, const char *text)
{
    char *out = ctx;
    size_t at = strlen(out);
    snprintf(out + at, 200 - at, "%s:%s;", language, text);
}

START_TEST(texts_are_told_with_their_values)
{
    struct ivr_flow *f =
        flow_with("'a':{'type':'set','set':{'name':'Li'},'next':'b'},"
                  "'b':{'type':'hangup','prompts':['ding',{'text':'Hello ${name}'},{'text':'It costs $$5.'},"
                  "{'text':'${name}${name}'},{'text':'Bye.'},{'number':7}]}");
    struct ivr_run *r = run_of(f, NULL);
    char texts[200] = "";
    told(f, &r, "start", "at b; play! ding <Hello Li> <It costs $5.> <LiLi> <Bye.> #7");
    told(f, &r, "restored", "at b; play! ding <Hello Li> <It costs $5.> <LiLi> <Bye.> #7");
    ivr_flow_texts(f, note_text, texts);
    ck_assert_str_eq(texts, "zh:Bye.;en:Bye.;");
    ivr_run_free(r);
    ivr_flow_unref(f);

    /* what is secret is not kept as a sound */
    f = flow_with("'a':{'type':'collect','variable':'pin','secret':true,'max':1,'next':'b','on_fail':'b'},"
                  "'b':{'type':'hangup','prompts':[{'text':'It is ${pin}.'},{'digits':'${pin}'}]}");
    r = run_of(f, NULL);
    told(f, &r, "start", "at a; timer 5000");
    told(f, &r, "key 7", "timer 0; at b; play! =7");
    ivr_run_free(r);
    ivr_flow_unref(f);

    /* what has no words is left out */
    f = flow_with(
        "'a':{'type':'set','set':{'name':''},'next':'b'},'b':{'type':'hangup','prompts':[{'text':' ${name}'},'bye']}");
    r = run_of(f, NULL);
    told(f, &r, "start", "at b; play! bye");
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

/* ---- what is refused */

/* The deepest run with the fullest store fits what is said of it. */
START_TEST(state_fits_its_maximum)
{
    char state[IVR_STATE_MAX], variables[IVR_VARIABLES_TEXT_MAX], quotes[IVR_VALUE_MAX];
    memset(quotes, '"', sizeof quotes - 1);
    quotes[sizeof quotes - 1] = '\0';
    for (int secret = 0; secret < 2; secret++) {
        struct ivr_flow *f = flow_with(
            "'a':{'type':'collect','variable':'w','secret':true,'next':'b'},'b':{'type':'http','secret':true,'url':'"
            "http://x',"
            "'answer':{'v1':'$.q','v2':'$.q','v3':'$.q','v4':'$.q','v5':'$.q','v6':'$.q','v7':'$.q'},'next':'c','on_"
            "error':"
            "'c'},'c':{'type':'http','url':'http://x','answer':{'u1':'$.q','u2':'$.q','u3':'$.q','u4':'$.q','u5':'$.q',"
            "'u6':'$.q','u7':'$.q'},'next':'d','on_error':'d'},'d':{'type':'menu','keys':{'1':'d'}}");
        struct ivr_run *r = run_of(f, NULL);
        char answer[2 * IVR_VALUE_MAX + 64] = "http 200 {\"q\":\"", got[256];
        for (const char *q = quotes; *q; q++)
            strcat(answer, "\\\"");
        strcat(answer, "\"}");
        told(f, &r, "start", "at a; timer 5000");
        step(r, "key 1", got, sizeof got);
        step(r, "key #", got, sizeof got);
        step(r, secret ? answer : "http 0", got, sizeof got);
        step(r, secret ? "http 0" : answer, got, sizeof got);
        ck_assert_str_eq(got, "at d; timer 5000");
        ck_assert_int_eq(ivr_save(r, state, sizeof state), 0);
        ck_assert_int_eq(ivr_run_variables(r, variables, sizeof variables), 0);
        ck_assert_uint_gt(strlen(secret ? state : variables), 5500);
        r = moved_run(f, r);
        ivr_run_free(r);
        ivr_flow_unref(f);
    }
}
END_TEST

START_TEST(out_of_memory)
{
    struct ivr_flow *f = flow_with(CRM);
    char state[IVR_STATE_MAX], again[IVR_STATE_MAX], variables[IVR_VARIABLES_TEXT_MAX], got[256];
    struct ivr_run *r = run_of(f, NULL);
    step(r, "start", got, sizeof got);
    json_object_seed(1);
    bool failed = true;
    for (long budget = 0; failed && alloc_budget_works(); budget++) {
        struct ivr_request q = {0};
        long live = alloc_budget_live;
        alloc_budget_set(budget);
        int rc = ivr_save(r, state, sizeof state);
        if (!rc)
            rc = ivr_run_variables(r, variables, sizeof variables);
        if (!rc)
            rc = ivr_run_request(r, crm_secret, NULL, &q);
        failed = alloc_budget_clear();
        ck_assert_msg(failed ? rc == ERR_NOMEM : rc == 0, "budget %ld: %d", budget, rc);
        if (rc == 0)
            ivr_request_free(&q);
        ck_assert_int_eq(alloc_budget_live, live);
    }
    failed = true;
    for (long budget = 0; failed && alloc_budget_works(); budget++) {
        struct ivr_run *moved = NULL;
        long live = alloc_budget_live;
        alloc_budget_set(budget);
        int rc = restore(f, state, variables, &moved);
        failed = alloc_budget_clear();
        ck_assert_msg(rc == 0 || failed, "budget %ld: %d", budget, rc);
        if (rc == 0) { /* jansson does without some of what it asks for */
            ck_assert_int_eq(ivr_save(moved, again, sizeof again), 0);
            ck_assert_str_eq(again, state);
        }
        ivr_run_free(moved);
        ck_assert_int_eq(alloc_budget_live, live);
    }
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ivr nodes");
    TCase *t = tcase_create("nodes");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, digits_are_collected);
    tcase_add_test(t, a_key_in_the_greeting_is_the_first_digit);
    tcase_add_test(t, set_and_branch);
    tcase_add_test(t, a_loop_is_ended);
    tcase_add_test(t, values_that_do_not_fit);
    tcase_add_test(t, secrets_stay_secret);
    tcase_add_test(t, time_groups);
    tcase_add_test(t, notices);
    tcase_add_test(t, call_backs);
    tcase_add_test(t, requests);
    tcase_add_test(t, what_is_known);
    tcase_add_test(t, answers_that_are_none);
    tcase_add_test(t, queues_with_needs);
    tcase_add_test(t, what_leads_on);
    tcase_add_test(t, numbers_outside);
    tcase_add_test(t, flows_call_flows);
    tcase_add_test(t, flows_that_are_not_there);
    tcase_add_test(t, states_that_are_refused);
    tcase_add_test(t, texts_are_told_with_their_values);
    tcase_add_test(t, state_fits_its_maximum);
    tcase_add_test(t, out_of_memory);
    suite_add_tcase(s, t);
    return run_suite(s);
}
