/* Nodes by which somebody listens to messages. Each step goes on elsewhere, from what was committed. */
#include "telephony/ivr_trial.h"
#include "tests/unit/suite.h"
#include "tests/unit/telephony/ivr_rig.h"

#define BOX                                                                                            \
    "'a':{'type':'mailbox','box':'b-${caller}','do':'look','next':'b','none':'z'},"                    \
    "'b':{'type':'mailbox','box':'b','do':'next','which':'${which}','next':'c','none':'z'},"           \
    "'c':{'type':'mailbox','box':'b','do':'heard','next':'d','none':'z'},"                             \
    "'d':{'type':'listen','next':'e'},"                                                                \
    "'e':{'type':'menu','prompts':[{'number':'${new_messages}'},{'digits':'${message_number}'}],"      \
    "'keys':{'1':'d','2':'b','3':'f','4':'g','5':'h'},'timeout_s':7,'on_fail':'z'},"                   \
    "'f':{'type':'mailbox','box':'b','do':'delete','next':'b','none':'z'},"                            \
    "'g':{'type':'mailbox','box':'b','do':'new','next':'b','none':'z'},"                               \
    "'h':{'type':'mailbox','box':'b','do':'call','next':'e','none':'e'},"                              \
    "'z':{'type':'hangup'}"
#define ASKS(what, rest) "box b do " what " new " rest
#define HERE "<00000000000000ab> <7> <+8613800138000>"

START_TEST(one_after_another)
{
    struct ivr_flow *f = flow_with(BOX);
    struct ivr_run *r = run_of(f, NULL);
    told(f, &r, "start", "at a; box b-13800138000 do 0 new <> <> <>");
    told(f, &r, "restored", "box b-13800138000 do 0 new <> <> <>");
    told(f, &r, "box", "at b; " ASKS("1", "<> <> <>"));
    told(f, &r, "box one", "at c; " ASKS("2", HERE));
    variable_is(r, "new_messages", "3");
    variable_is(r, "old_messages", "2");
    variable_is(r, "message_time", "2026-03-01 09:30");
    told(f, &r, "key 1", "");
    told(f, &r, "restored", ASKS("2", HERE));
    told(f, &r, "box", "at d; replay 00000000000000ab");
    told(f, &r, "restored", "at d; replay 00000000000000ab");
    told(f, &r, "key 1", "stop; at d; replay 00000000000000ab"); /* which the menu takes */
    told(f, &r, "played", "at e; play #0 =8613800138000");
    told(f, &r, "played", "timer 7000");
    told(f, &r, "key 4", "timer 0; at g; " ASKS("3", HERE));
    told(f, &r, "failed", "at z; hangup");
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(what_becomes_of_them)
{
    struct ivr_flow *f = flow_with(BOX);
    struct ivr_run *r = run_of(f, NULL);
    told(f, &r, "start", "at a; box b-13800138000 do 0 new <> <> <>");
    told(f, &r, "box", "at b; " ASKS("1", "<> <> <>"));
    told(f, &r, "box one", "at c; " ASKS("2", HERE));
    told(f, &r, "box", "at d; replay 00000000000000ab");
    told(f, &r, "played", "at e; play #0 =8613800138000");
    told(f, &r, "key 5", "stop; at h; " ASKS("5", HERE));
    told(f, &r, "failed", "at e; play #0 =8613800138000"); /* he cannot be called */
    told(f, &r, "key 3", "stop; at f; " ASKS("4", HERE));
    told(f, &r, "box", "at b; " ASKS("1", HERE)); /* from where it was */
    expect(r, "box", "at z; hangup");
    variable_is(r, "message_place", "7");
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(a_greeting_of_ones_own)
{
    struct ivr_flow *f = flow_with("'a':{'type':'voicemail','box':'x','greeting':'00000000000000ef'}");
    struct ivr_run *r = run_of(f, NULL);
    told(f, &r, "start", "at a; replay 00000000000000ef");
    told(f, &r, "restored", "at a; replay 00000000000000ef");
    told(f, &r, "key 1", "stop; at a; record into x, 0 s, silence 10, least 1, end #, tone");
    told(f, &r, "recorded 0 00000000000000ab", "at a; play voicemail_thanks");
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

static void refused(const char *nodes, const char *field)
{
    char text[2048];
    struct ivr_flow *f = NULL;
    struct err_info info;
    snprintf(text, sizeof text, "{'name':'f','languages':['en'],'start':'a','nodes':{%s,'z':{'type':'hangup'}}}", nodes);
    for (char *p = text; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    ck_assert_int_eq(ivr_flow_parse(text, strlen(text), &f, &info), ERR_INVAL);
    ck_assert_str_eq(info.field, field);
}

START_TEST(what_is_refused)
{
    refused("'a':{'type':'mailbox','box':'b','do':'eat','next':'z','none':'z'}", "nodes.a.do");
    refused("'a':{'type':'mailbox','box':'b/c','do':'look','next':'z','none':'z'}", "nodes.a.box");
    refused("'a':{'type':'mailbox','do':'look','next':'z','none':'z'}", "nodes.a.box");
    refused("'a':{'type':'mailbox','box':'b','do':'look','next':'z'}", "nodes.a.none");
    refused("'a':{'type':'listen'}", "nodes.a.next");
    refused("'a':{'type':'listen','message':7,'next':'z'}", "nodes.a.message");
    refused("'a':{'type':'menu','keys':{'1':'b','2':'z'}},'b':{'type':'mailbox','box':'b','do':'next','next':'b','none':'b'}",
            "nodes.b"); /* for ever */
}
END_TEST

START_TEST(tried_out)
{
    static const char *const keys[] = {"5"};
    struct ivr_flow *f = flow_with(BOX);
    struct ivr_trial t = {.setup = setup_of(f, NULL), .keys = keys, .n_keys = 1};
    json_t *o = ivr_trial_run(&t);
    ck_assert_str_eq(json_string_value(json_object_get(o, "outcome")), "calls 13800138000");
    json_decref(o);
    ivr_flow_unref(f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mailbox nodes");
    TCase *t = tcase_create("mailbox");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, one_after_another);
    tcase_add_test(t, what_becomes_of_them);
    tcase_add_test(t, a_greeting_of_ones_own);
    tcase_add_test(t, what_is_refused);
    tcase_add_test(t, tried_out);
    suite_add_tcase(s, t);
    return run_suite(s);
}
