/* Flows walked without a call. */
#include "tests/unit/telephony/ivr_rig.h"

#include "telephony/ivr_trial.h"
#include "tests/unit/suite.h"

static bool office_open(void *ctx, const char *group)
{
    (void)ctx;
    return strcmp(group, "office") == 0;
}

static bool crm_answer(void *ctx, const char *node, int *status, const json_t **body)
{
    *status = 200;
    *body = ctx;
    return strcmp(node, "crm") == 0;
}

#define FLOW                                                                                                           \
    "{\"name\":\"f\",\"languages\":[\"en\",\"zh\"],\"start\":\"t\",\"nodes\":{"                                        \
    "\"t\":{\"type\":\"time\",\"cases\":[{\"group\":\"office\",\"next\":\"m\"}],\"else\":\"bye\"},"                    \
    "\"m\":{\"type\":\"menu\",\"prompts\":[\"main\"],\"keys\":{\"1\":\"ask\",\"12\":\"bye\",\"8\":\"l\"},"             \
    "\"timeout_s\":4,\"timeout_prompts\":[\"none\"]},"                                                                 \
    "\"l\":{\"type\":\"language\",\"language\":\"toggle\",\"next\":\"m\"},"                                            \
    "\"ask\":{\"type\":\"collect\",\"variable\":\"account\",\"max\":4,\"next\":\"pin\"},"                              \
    "\"pin\":{\"type\":\"collect\",\"variable\":\"pin\",\"secret\":true,\"prompts\":[\"pin\"],\"next\":\"crm\"},"      \
    "\"crm\":{\"type\":\"http\",\"method\":\"POST\",\"url\":\"https://crm/${account}\",\"body\":{\"pin\":\"${pin}\"}," \
    "\"answer\":{\"due\":\"$.due\"},\"next\":\"say\",\"on_error\":\"bye\"},"                                           \
    "\"say\":{\"type\":\"play\",\"prompts\":[\"due\",{\"number\":\"${due}\"}],\"next\":\"told\"},"                     \
    "\"told\":{\"type\":\"play\",\"prompts\":[{\"digits\":\"${pin}\"}],\"next\":\"q\"},"                               \
    "\"q\":{\"type\":\"queue\",\"queue\":\"service\",\"priority\":3,\"data\":{\"who\":\"${account}\"}},"               \
    "\"bye\":{\"type\":\"hangup\"}}}"

static json_t *walked(const char *const *keys, unsigned n, bool open, json_t *answer)
{
    struct ivr_flow *f = flow_of(FLOW);
    struct ivr_trial t = {.setup = setup_of(f, NULL), .keys = keys, .n_keys = n, .answer = crm_answer, .ctx = answer};
    t.open = open ? office_open : NULL;
    json_t *out = ivr_trial_run(&t);
    ck_assert_ptr_nonnull(out);
    ivr_flow_unref(f);
    return out;
}

static void outcome_is(json_t *walk, const char *want)
{
    ck_assert_str_eq(json_string_value(json_object_get(walk, "outcome")), want);
}

START_TEST(a_whole_walk)
{
    static const char *const keys[] = {"-", "8", "1", "4217", "73#"};
    static const char *const rows[] = {
        "t|answered|looks at the time",
        "m|office is open|plays main",
        "m|4 s pass|plays none main",
        "m|key 8|speaks zh",
        "m||plays main",
        "pin|key 7|plays pin",
        "crm|key ?|asks POST https://crm/${account}",
        "say|status 200|plays due number(num_1 num_hundred num_2 num_10 num_5)",
        "told||plays digits(?)",
        "q||to queue service, priority 3",
    };
    json_t *answer = json_pack("{s:i}", "due", 125), *walk = walked(keys, 5, true, answer);
    json_t *steps = json_object_get(walk, "steps");
    outcome_is(walk, "queue service");
    char *text = json_dumps(walk, 0);
    ck_assert_ptr_null(strstr(text, "73"));
    for (size_t i = 0; i < json_array_size(steps); i++) {
        json_t *s = json_array_get(steps, i);
        char row[512];
        snprintf(row, sizeof row, "%s|%s|%s", json_string_value(json_object_get(s, "node")),
                 json_string_value(json_object_get(s, "event")), json_string_value(json_object_get(s, "action")));
        if (i >= sizeof rows / sizeof *rows || (i != 7 && strcmp(row, rows[i]) != 0))
            ck_abort_msg("row %zu is %s in %s", i, row, text);
    }
    ck_assert_uint_eq(json_array_size(steps), sizeof rows / sizeof *rows);
    json_t *variables = json_object_get(walk, "variables");
    ck_assert_str_eq(json_string_value(json_object_get(variables, "who")), "4217");
    ck_assert_str_eq(json_string_value(json_object_get(variables, "due")), "125");
    ck_assert_ptr_null(json_object_get(variables, "pin"));
    free(text);
    json_decref(walk);
    json_decref(answer);
}
END_TEST

START_TEST(other_ends)
{
    static const char *const two[] = {"12"}, *const one[] = {"1", "55"};
    json_t *walk = walked(NULL, 0, false, NULL);
    outcome_is(walk, "hung up");
    json_decref(walk);
    walk = walked(NULL, 0, true, NULL);
    outcome_is(walk, "waits for keys");
    json_decref(walk);
    walk = walked(two, 1, true, NULL); /* both digits of a long key */
    outcome_is(walk, "hung up");
    json_decref(walk);
    walk = walked(one, 2, true, NULL); /* the digits end with the time, and then nobody presses more */
    outcome_is(walk, "waits for keys");
    ck_assert_str_eq(json_string_value(json_object_get(walk, "node")), "pin");
    json_decref(walk);
}
END_TEST

START_TEST(a_walk_ends)
{
    struct ivr_flow *f =
        flow_of("{\"name\":\"f\",\"languages\":[\"en\"],\"start\":\"a\",\"nodes\":{\"a\":{\"type\":\"play\","
                "\"prompts\":[\"x\"],\"next\":\"a\"}}}");
    struct ivr_trial t = {.setup = setup_of(f, NULL)};
    json_t *walk = ivr_trial_run(&t);
    outcome_is(walk, "goes on");
    ck_assert_uint_le(json_array_size(json_object_get(walk, "steps")), IVR_TRIAL_STEPS_MAX);
    json_decref(walk);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(called_back)
{
    static const char *const wanted[] = {"to be called back by queue s at 13800138000, priority 7, at 18:30 by office", "accepted",
                                         "to be called back by queue s at no number", "refused", "hangs up"};
    struct ivr_flow *f = flow_with("'a':{'type':'callback','queue':'s','priority':7,'at':'1830','group':'office','next':'b','refused':'z'},"
                                   "'b':{'type':'callback','queue':'s','number':'${x}','next':'a','refused':'z'},'z':{'type':'hangup'}");
    struct ivr_trial t = {.setup = setup_of(f, NULL)};
    json_t *walk = ivr_trial_run(&t);
    char *steps = json_dumps(json_object_get(walk, "steps"), JSON_COMPACT);
    const char *at = steps;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        at = strstr(at, wanted[i]);
        ck_assert_msg(at != NULL, "no %s in %s", wanted[i], steps);
    }
    free(steps);
    json_decref(walk);
    ivr_flow_unref(f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ivr trial");
    TCase *t = tcase_create("trial");
    tcase_add_test(t, a_whole_walk);
    tcase_add_test(t, other_ends);
    tcase_add_test(t, a_walk_ends);
    tcase_add_test(t, called_back);
    suite_add_tcase(s, t);
    return run_suite(s);
}
