/* Nodes that record. Each run goes on elsewhere from what was committed after each step. */
#include "telephony/ivr_trial.h"
#include "tests/unit/suite.h"
#include "tests/unit/telephony/ivr_rig.h"

#define ENDS ",'b':{'type':'hangup','prompts':[{'digits':'${note}'}]},'c':{'type':'hangup','prompts':['sorry']}"

START_TEST(a_message)
{
    struct ivr_flow *f = flow_with("'a':{'type':'record','variable':'note','prompts':['ask'],'max_s':30,'silence_s':4,"
                                   "'min_s':2,'terminator':'any','next':'b','on_fail':'c'}" ENDS);
    struct ivr_run *r = run_of(f, NULL);
    told(f, &r, "start", "at a; play ask");
    told(f, &r, "restored", "at a; play ask");
    told(f, &r, "played", "at a; record into record, 30 s, silence 4, least 2, end ?, tone");
    told(f, &r, "restored", "record into record, 30 s, silence 4, least 2, end ?, tone");
    told(f, &r, "key 1", ""); /* keys are for who records */
    told(f, &r, "played", "");
    told(f, &r, "failed", "");
    told(f, &r, "recorded 0 00000000000000ab", "at b; play! ");
    variable_is(r, "note", "00000000000000ab");
    ivr_run_free(r);

    r = run_of(f, NULL);
    told(f, &r, "start", "at a; play ask");
    told(f, &r, "key 1", "stop; at a; record into record, 30 s, silence 4, least 2, end ?, tone");
    told(f, &r, "recorded 1", "at c; play! sorry"); /* nothing was said */
    variable_is(r, "note", "");
    ivr_run_free(r);
    ivr_flow_unref(f);

    f = flow_with("'a':{'type':'record','variable':'note','beep':false,'terminator':'none','box':'of-${caller}',"
                  "'next':'b'},'b':{'type':'hangup','prompts':['bye']}");
    r = run_of(f, NULL);
    told(f, &r, "start", "at a; record into of-13800138000, 0 s, silence 10, least 1, end -");
    told(f, &r, "recorded 2", "at b; play! bye"); /* no on_fail: it goes on */
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(voicemail)
{
    struct ivr_flow *f = flow_with("'a':{'type':'voicemail','box':'service'}");
    struct ivr_run *r = run_of(f, NULL);
    told(f, &r, "start", "at a; play voicemail_greeting");
    told(f, &r, "played", "at a; record into service, 0 s, silence 10, least 1, end #, tone");
    told(f, &r, "recorded 0 00000000000000ab", "at a; play voicemail_thanks");
    told(f, &r, "restored", "at a; play voicemail_thanks"); /* and not the greeting */
    told(f, &r, "played", "hangup");
    ivr_run_free(r);

    r = run_of(f, NULL);
    told(f, &r, "start", "at a; play voicemail_greeting");
    told(f, &r, "played", "at a; record into service, 0 s, silence 10, least 1, end #, tone");
    told(f, &r, "recorded 2", "at a; play voicemail_failed");
    told(f, &r, "restored", "at a; play voicemail_failed");
    told(f, &r, "played", "hangup");
    ivr_run_free(r);

    r = run_of(f, NULL);
    told(f, &r, "start", "at a; play voicemail_greeting");
    told(f, &r, "played", "at a; record into service, 0 s, silence 10, least 1, end #, tone");
    expect(r, "recorded 1", "hangup");
    ivr_run_free(r);
    ivr_flow_unref(f);

    f = flow_with("'a':{'type':'voicemail','box':'x','prompts':['ask'],'thanks':['ok'],'next':'b','on_fail':'c'},"
                  "'b':{'type':'hangup','prompts':['bye']},'c':{'type':'hangup','prompts':['sorry']}");
    r = run_of(f, NULL);
    told(f, &r, "start", "at a; play ask");
    told(f, &r, "played", "at a; record into x, 0 s, silence 10, least 1, end #, tone");
    told(f, &r, "recorded 0 00000000000000ab", "at a; play ok");
    told(f, &r, "key 5", "stop; at b; play! bye");
    ivr_run_free(r);

    r = run_of(f, NULL);
    told(f, &r, "start", "at a; play ask");
    told(f, &r, "played", "at a; record into x, 0 s, silence 10, least 1, end #, tone");
    told(f, &r, "recorded 2", "at c; play! sorry");
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

#define RECORDS "at a; record into service, 0 s, silence 10, least 1, end #, tone"

/* Listened to, recorded again, kept; discarded; and nothing pressed. Each step goes on elsewhere. */
START_TEST(reviewed)
{
    struct ivr_flow *f = flow_with("'a':{'type':'voicemail','box':'service','review':true,'barge_in':false}");
    struct ivr_run *r = run_of(f, NULL);
    told(f, &r, "start", "at a; play! voicemail_greeting");
    told(f, &r, "played", RECORDS);
    told(f, &r, "recorded 0 00000000000000ab", "at a; play review_menu");
    told(f, &r, "restored", "at a; play review_menu");
    told(f, &r, "key 1", "stop; at a; replay");
    told(f, &r, "restored", "at a; replay");
    told(f, &r, "played", "at a; play review_menu");
    told(f, &r, "played", "timer 6000");
    told(f, &r, "restored", "timer 6000");
    told(f, &r, "key 1", "timer 0; at a; replay");
    told(f, &r, "key 3", "stop; discard; " RECORDS);
    told(f, &r, "restored", &RECORDS[6]); /* without "at a; " */
    told(f, &r, "key 1", "");
    told(f, &r, "recorded 0 00000000000000ac", "at a; play review_menu");
    told(f, &r, "key 7", "stop; at a; play review_menu"); /* no choice */
    told(f, &r, "key 2", "stop; at a; play! voicemail_thanks"); /* as the node says of its own */
    told(f, &r, "played", "hangup");
    ivr_run_free(r);

    r = run_of(f, NULL);
    told(f, &r, "start", "at a; play! voicemail_greeting");
    told(f, &r, "played", RECORDS);
    told(f, &r, "recorded 0 00000000000000ab", "at a; play review_menu");
    told(f, &r, "key *", "stop; discard; at a; play! review_discarded");
    told(f, &r, "restored", "at a; play! review_discarded");
    told(f, &r, "played", "hangup");
    ivr_run_free(r);

    r = run_of(f, NULL);
    told(f, &r, "start", "at a; play! voicemail_greeting");
    told(f, &r, "played", RECORDS);
    told(f, &r, "recorded 0 00000000000000ab", "at a; play review_menu");
    told(f, &r, "played", "timer 6000");
    told(f, &r, "timer", "at a; play review_menu");
    told(f, &r, "played", "timer 6000");
    told(f, &r, "timer", "at a; play review_menu");
    told(f, &r, "played", "timer 6000");
    told(f, &r, "timer", "at a; play! voicemail_thanks"); /* who says nothing keeps it */
    ivr_run_free(r);

    r = run_of(f, NULL);
    told(f, &r, "start", "at a; play! voicemail_greeting");
    told(f, &r, "played", RECORDS);
    expect(r, "recorded 1", "hangup"); /* nothing to review */
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(reviewed_into_a_variable)
{
    struct ivr_flow *f = flow_with("'a':{'type':'record','variable':'note','box':'service','review':true,'next':'b','on_fail':'c'}" ENDS);
    struct ivr_run *r = run_of(f, NULL);
    told(f, &r, "start", RECORDS);
    told(f, &r, "recorded 0 00000000000000ab", "at a; play review_menu");
    ck_assert_str_eq(ivr_run_variable(r, "note", NULL), "00000000000000ab");
    told(f, &r, "key #", "stop; at b; play! ");
    ivr_run_free(r);
    r = run_of(f, NULL);
    told(f, &r, "start", RECORDS);
    told(f, &r, "recorded 0 00000000000000ab", "at a; play review_menu");
    told(f, &r, "key *", "stop; discard; at c; play! sorry");
    ck_assert_str_eq(ivr_run_variable(r, "note", NULL), "");
    ivr_run_free(r);
    static const struct {
        char key;
        const char *word;
    } ways[] = {{'1', ""}, {'2', "kept"}, {'#', "kept"}, {'3', ""}, {'*', "discarded"}};
    r = run_of(f, NULL);
    told(f, &r, "start", RECORDS);
    told(f, &r, "recorded 0 00000000000000ab", "at a; play review_menu");
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char word[IVR_LEFT_BY_MAX];
        ivr_run_left_by(r, &(struct ivr_event){.type = IVR_EV_KEY, .digit = ways[i].key}, word);
        ck_assert_str_eq(word, ways[i].word);
    }
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

/* Keys "1" and "*" of who walks it without a call. */
START_TEST(reviewed_on_trial)
{
    static const char *const keys[] = {"1", "3", "*"};
    static const char *const rows[] = {"plays review_menu", "plays what was recorded", "plays review_menu", "discards what was recorded",
                                       "records into box service after a tone", "plays review_menu", "discards what was recorded",
                                       "plays review_discarded", "hangs up"};
    struct ivr_flow *f = flow_with("'a':{'type':'voicemail','box':'service','review':true}");
    struct ivr_trial t = {.setup = setup_of(f, NULL), .keys = keys, .n_keys = 3};
    json_t *out = ivr_trial_run(&t);
    char *steps = json_dumps(json_object_get(out, "steps"), JSON_COMPACT);
    const char *at = steps;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        at = strstr(at, rows[i]);
        ck_assert_msg(at != NULL, "no %s in %s", rows[i], steps);
        at++;
    }
    free(steps);
    json_decref(out);
    ivr_flow_unref(f);
}
END_TEST

static void refused(const char *node, const char *field)
{
    char json[1024];
    struct ivr_flow *f = NULL;
    struct err_info info = {0};
    snprintf(json, sizeof json,
             "{'name':'f','languages':['zh'],'start':'a','nodes':{'a':{%s},'b':{'type':'hangup'}}}", node);
    for (char *s = json; *s; s++)
        *s = *s == '\'' ? '"' : *s;
    ck_assert_int_ne(ivr_flow_parse(json, strlen(json), &f, &info), 0);
    ck_assert_msg(strcmp(info.field, field) == 0, "%s: %s", info.field, info.text);
}

START_TEST(what_is_refused)
{
    refused("'type':'record','next':'b'", "nodes.a.variable");
    refused("'type':'record','variable':'caller','next':'b'", "nodes.a.variable");
    refused("'type':'record','variable':'note'", "nodes.a.next");
    refused("'type':'record','variable':'note','next':'b','max_s':3601", "nodes.a.max_s");
    refused("'type':'record','variable':'note','next':'b','silence_s':61", "nodes.a.silence_s");
    refused("'type':'record','variable':'note','next':'b','terminator':'12'", "nodes.a.terminator");
    refused("'type':'record','variable':'note','next':'b','thanks':['x']", "nodes.a.thanks");
    refused("'type':'record','variable':'note','next':'b','review':1", "nodes.a.review");
    refused("'type':'voicemail','next':'b'", "nodes.a.box");
    refused("'type':'voicemail','next':'b','box':'a b'", "nodes.a.box");
    refused("'type':'voicemail','next':'b','box':'${'", "nodes.a.box");
    refused("'type':'voicemail','box':'x','variable':'note','next':'b'", "nodes.a.variable");
}
END_TEST

static void bad_state(struct ivr_flow *f, const char *phase, unsigned says)
{
    char state[256];
    struct ivr_run *r = NULL;
    snprintf(state, sizeof state,
             "{\"v\":2,\"phase\":\"%s\",\"failures\":%u,\"walked\":0,\"asked\":0,\"digits\":\"\",\"secret\":{},"
             "\"frames\":[{\"node\":\"a\",\"language\":\"zh\",\"menus\":[]}]}",
             phase, says);
    ck_assert_int_eq(restore(f, state, "", &r), ERR_INVAL);
}

START_TEST(states_that_cannot_be)
{
    struct ivr_flow *f = flow_with("'a':{'type':'voicemail','box':'service'}");
    bad_state(f, "b", 1);
    bad_state(f, "b", 2);
    bad_state(f, "p", 3);
    bad_state(f, "w", 0);
    bad_state(f, "p", 4);
    bad_state(f, "w", 4);
    ivr_flow_unref(f);
    f = flow_with("'a':{'type':'record','variable':'note','prompts':['ask'],'next':'b'},'b':{'type':'hangup'}");
    bad_state(f, "p", 1);
    ivr_flow_unref(f);
    f = flow_with("'a':{'type':'record','variable':'note','review':true,'next':'b'},'b':{'type':'hangup'}");
    bad_state(f, "p", 0);
    bad_state(f, "p", 1);
    bad_state(f, "p", 3);
    bad_state(f, "w", 7);
    bad_state(f, "b", 4);
    bad_state(f, "p", 8);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(checked_and_tried)
{
    const char *text = "{\"name\":\"f\",\"languages\":[\"zh\"],\"start\":\"a\",\"nodes\":{"
                       "\"a\":{\"type\":\"record\",\"variable\":\"note\",\"next\":\"b\"},"
                       "\"b\":{\"type\":\"voicemail\",\"box\":\"v-${note}\"}}}";
    struct ivr_flow *f = flow_of(text);
    struct err_info info = {0};
    ck_assert_int_eq(ivr_flow_check(f, text, strlen(text), &info), 0); /* note is set on the way */
    struct ivr_trial t = {.setup = setup_of(f, NULL)};
    json_t *out = ivr_trial_run(&t);
    ck_assert_str_eq(json_string_value(json_object_get(out, "outcome")), "hung up");
    char *steps = json_dumps(json_object_get(out, "steps"), JSON_COMPACT);
    ck_assert_ptr_nonnull(strstr(steps, "records into box record after a tone"));
    ck_assert_ptr_nonnull(strstr(steps, "records into box v-" IVR_TRIAL_MESSAGE " after a tone"));
    ck_assert_ptr_nonnull(strstr(steps, "plays voicemail_thanks"));
    free(steps);
    json_decref(out);
    ivr_flow_unref(f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ivr_record");
    TCase *t = tcase_create("record");
    tcase_add_test(t, a_message);
    tcase_add_test(t, voicemail);
    tcase_add_test(t, reviewed);
    tcase_add_test(t, reviewed_into_a_variable);
    tcase_add_test(t, reviewed_on_trial);
    tcase_add_test(t, what_is_refused);
    tcase_add_test(t, states_that_cannot_be);
    tcase_add_test(t, checked_and_tried);
    suite_add_tcase(s, t);
    return run_suite(s);
}
