/* Voice menus, running: what a caller hears, what is saved and restored, and properties of random flows: a run never runs away,
 * and one that was saved and restored goes on like the one that was not. */
#include "tests/unit/suite.h"
#include "tests/unit/telephony/ivr_rig.h"

/* ---- what a caller hears ---- */

START_TEST(a_call)
{
    struct ivr_flow *f = flow_of(WELCOME);
    struct ivr_run *r = run_of(f, NULL);
    ck_assert_str_eq(ivr_flow_name(f), "welcome");
    ck_assert_str_eq(ivr_run_language(r), "zh");
    expect(r, "key 1", ""); /* not answered yet */
    expect(r, "start", "at greet; play welcome");
    expect(r, "start", "");
    expect(r, "timer", "");
    expect(r, "failed", "");
    expect(r, "played", "at main; play main_menu");
    expect(r, "played", "timer 5000");
    expect(r, "key 2", "timer 0; at outage; play outage");
    expect(r, "played", "at main; play main_menu"); /* back to where it came from */
    expect(r, "key 1", "stop; at service; queue service");
    expect(r, "key 1", "");
    expect(r, "played", "");
    expect(r, "failed", "at main; play main_menu");
    expect(r, "key 4", "stop; at agent; agent 1001");
    expect(r, "failed", "at main; play main_menu"); /* no on_fail: back to the menu */
    expect(r, "key 0", "stop; at bye; play! goodbye");
    expect(r, "key 1", "");
    expect(r, "played", "hangup"); /* only now */
    expect(r, "played", "");
    expect(r, "start", "");
    expect(r, "restored", "hangup");
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(retries_are_counted_together)
{
    struct ivr_flow *f = flow_of(WELCOME);
    struct ivr_run *r = run_of(f, "en");
    ck_assert_str_eq(ivr_run_language(r), "en");
    expect(r, "start", "at greet; play welcome");
    expect(r, "played", "at main; play main_menu");
    expect(r, "key 9", "stop; at main; play invalid_key main_menu");
    expect(r, "played", "timer 5000");
    expect(r, "timer", "at main; play no_input main_menu");
    expect(r, "timer", ""); /* a late one */
    expect(r, "key 2", "stop; at outage; play outage");
    expect(r, "played", "at main; play main_menu"); /* entered again: counted from nothing */
    expect(r, "key 9", "stop; at main; play invalid_key main_menu");
    expect(r, "key 5", "stop; at main; play invalid_key main_menu");
    expect(r, "key #", "stop; at bye; play! goodbye");
    expect(r, "played", "hangup");
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(language_changes)
{
    struct ivr_flow *f = flow_of(WELCOME);
    struct ivr_run *r = run_of(f, "xx"); /* unknown: the first */
    expect(r, "start", "at greet; play welcome");
    expect(r, "key 8", "stop; language en; at main; play main_menu"); /* pressed in the greeting */
    ck_assert_str_eq(ivr_run_language(r), "en");
    ck_assert_str_eq(ivr_run_node(r), "main");
    expect(r, "key 8", "stop; language zh; at main; play main_menu");
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(parents_and_long_keys)
{
    struct ivr_flow *f = flow_of(WELCOME);
    struct ivr_run *r = run_of(f, NULL);
    expect(r, "start", "at greet; play welcome");
    expect(r, "key 3", "stop; at sub; play sub_menu #12 =110");
    expect(r, "key 1", "stop; at sub; timer 2000"); /* could become 12 */
    expect(r, "played", "");
    expect(r, "key 2", "timer 0; at outage; play outage");
    expect(r, "played", "at sub; play sub_menu #12 =110");
    expect(r, "key 1", "stop; at sub; timer 2000");
    expect(r, "timer", "at deep; timer 5000"); /* 1 it is; a silent menu waits at once */
    expect(r, "key *", "timer 0; at sub; play sub_menu #12 =110");
    expect(r, "key *", "stop; at main; play main_menu");
    expect(r, "key 3", "stop; at sub; play sub_menu #12 =110");
    expect(r, "key 1", "stop; at sub; timer 2000");
    expect(r, "key 9", "timer 0; at sub; play sub_menu #12 =110"); /* 19: wrong; no prompt of its own */
    expect(r, "key 1", "stop; at sub; timer 2000");
    expect(r, "timer", "at deep; timer 5000");
    expect(r, "key #", "timer 0; at main; play main_menu"); /* the top */
    expect(r, "key 3", "stop; at sub; play sub_menu #12 =110");
    expect(r, "key 7", "stop; at notice; play! important");
    expect(r, "key 1", ""); /* must be heard */
    expect(r, "played", "at sub; play sub_menu #12 =110");
    expect(r, "key 1", "stop; at sub; timer 2000");
    expect(r, "timer", "at deep; timer 5000");
    expect(r, "timer", "hangup"); /* no retries, no on_fail */
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(parent_of_the_first_menu_is_itself)
{
    struct ivr_flow *f =
        flow_of("{\"name\":\"f\",\"languages\":[\"zh\"],\"start\":\"m\",\"nodes\":{"
                "\"m\":{\"type\":\"menu\",\"keys\":{\"1\":\"p\",\"2\":\"t\",\"3\":\"q\",\"4\":\"end\",\"5\":\"l\"}},"
                "\"p\":{\"type\":\"parent\"},\"t\":{\"type\":\"top\"},\"end\":{\"type\":\"hangup\"},"
                "\"l\":{\"type\":\"language\",\"language\":\"zh\"},"
                "\"q\":{\"type\":\"queue\",\"queue\":\"q1\"}}}");
    struct ivr_run *r = run_of(f, NULL);
    expect(r, "start", "at m; timer 5000");
    expect(r, "key 1", "timer 0; at m; timer 5000");
    expect(r, "key 2", "timer 0; at m; timer 5000");
    expect(r, "key 5", "timer 0; language zh; at m; timer 5000");
    expect(r, "key 3", "timer 0; at q; queue q1");
    expect(r, "failed", "at m; timer 5000");
    expect(r, "key x", "");
    expect(r, "key 4", "timer 0; at end; hangup");
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(a_queue_at_once)
{
    struct ivr_flow *f = flow_of("{\"name\":\"f\",\"languages\":[\"zh\"],\"start\":\"q\",\"nodes\":{"
                                 "\"q\":{\"type\":\"queue\",\"queue\":\"service\"}}}");
    struct ivr_run *r = run_of(f, NULL);
    expect(r, "start", "at q; queue service");
    expect(r, "failed", "hangup");
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

/* 20 menus in a row: the stack forgets the second, "top" stays right. */
START_TEST(more_menus_than_the_stack_holds)
{
    char json[4096], want[64];
    int n = snprintf(json, sizeof json,
                     "{\"name\":\"f\",\"languages\":[\"zh\"],\"start\":\"m0\",\"nodes\":{"
                     "\"up\":{\"type\":\"parent\"},\"top\":{\"type\":\"top\"}");
    for (int i = 0; i < 20; i++)
        n += snprintf(json + n, sizeof json - (size_t)n,
                      ",\"m%d\":{\"type\":\"menu\",\"keys\":{\"1\":\"m%d\",\"*\":\"up\",\"#\":\"top\"}}", i,
                      i < 19 ? i + 1 : 19);
    snprintf(json + n, sizeof json - (size_t)n, "}}");
    struct ivr_flow *f = flow_of(json);
    struct ivr_run *r = run_of(f, NULL);
    expect(r, "start", "at m0; timer 5000");
    for (int i = 1; i < 20; i++) {
        snprintf(want, sizeof want, "timer 0; at m%d; timer 5000", i);
        expect(r, "key 1", want);
    }
    for (int i = 18; i > 19 - IVR_DEPTH_MAX + 1; i--) {
        snprintf(want, sizeof want, "timer 0; at m%d; timer 5000", i);
        expect(r, "key *", want);
    }
    expect(r, "key *", "timer 0; at m0; timer 5000");
    for (int i = 1; i < 20; i++)
        step(r, "key 1", json, sizeof json);
    expect(r, "key #", "timer 0; at m0; timer 5000");
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

/* A run keeps its flow alive. */
START_TEST(flow_lives_as_long_as_its_runs)
{
    struct ivr_flow *f = flow_of(WELCOME);
    struct ivr_run *r = run_of(f, NULL);
    ck_assert_ptr_eq(ivr_flow_ref(f), f);
    ivr_flow_unref(f);
    ivr_flow_unref(f);
    expect(r, "start", "at greet; play welcome");
    ivr_run_free(r);
    ivr_run_free(NULL);
}
END_TEST

/* ---- state ---- */

START_TEST(state_text)
{
    struct ivr_flow *f = flow_of(WELCOME);
    struct ivr_run *r = run_of(f, "en"), *q = NULL;
    char state[IVR_STATE_MAX], out[512];
    step(r, "start", out, sizeof out);
    step(r, "key 3", out, sizeof out);
    step(r, "key 1", out, sizeof out);
    ck_assert_int_eq(ivr_save(r, state, sizeof state), 0);
    ck_assert_str_eq(state, "1 w en sub 0 1 main,sub");
    for (size_t size = 1; size <= strlen(state); size++)
        ck_assert_int_eq(ivr_save(r, out, size), ERR_TOOBIG);
    ck_assert_int_eq(ivr_save(r, out, strlen(state) + 1), 0);
    ck_assert_int_eq(restore(f, state, NULL, &q), 0);
    expect(q, "restored", "timer 2000");
    expect(q, "key 2", "timer 0; at outage; play outage"); /* with the digit of before */
    ck_assert_str_eq(ivr_run_language(q), "en");
    ivr_run_free(q);
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

START_TEST(states_that_are_refused)
{
    static const struct {
        const char *state;
        int code;
    } cases[] = {
        {"", ERR_INVAL},
        {"1", ERR_INVAL},
        {"1 w en sub 0 1", ERR_INVAL},
        {"2 w en sub 0 1 main,sub", ERR_INVAL},
        {"1 w en sub 0 1 main,sub x", ERR_INVAL},
        {"1 z en sub 0 1 main,sub", ERR_INVAL},
        {"1 ww en sub 0 1 main,sub", ERR_INVAL},
        {"1 w fr sub 0 1 main,sub", ERR_NOTFOUND},
        {"1 w en gone 0 - main", ERR_NOTFOUND},
        {"1 w en sub 0 - main,gone", ERR_NOTFOUND},
        {"1 w en sub -1 - main,sub", ERR_INVAL},
        {"1 w en sub 9999 - main,sub", ERR_INVAL},
        {"1 w en sub 0 9 main,sub", ERR_INVAL},
        {"1 w en sub 0 12 main,sub", ERR_INVAL},
        {"1 w en sub 0 123456789 main,sub", ERR_INVAL},
        {"1 w en sub 0 - main", ERR_INVAL},
        {"1 w en sub 0 - sub,main", ERR_INVAL},
        {"1 w en sub 0 - sub,sub", ERR_INVAL},
        {"1 w en sub 0 - greet,sub", ERR_INVAL},
        {"1 w en greet 0 - -", ERR_INVAL},
        {"1 p en service 0 - main", ERR_INVAL},
        {"1 b en main 0 - main", ERR_INVAL},
        {"1 i en main 0 - main", ERR_INVAL},
        {"1 i en greet 0 - main", ERR_INVAL},
        {"1 p en lang 0 - main", ERR_INVAL},
        {"1 p en outage 1 - main", ERR_INVAL},
        {"1 p en sub 0 1 main,sub", ERR_INVAL},
        {"1 w en sub 0 - ", ERR_NOTFOUND},
        {"1 p en greet 0 - -", 0},
        {"1 i zh greet 0 - -", 0},
        {"1 b en service 0 - main", 0},
        {"1 e en bye 0 - main", 0},
    };
    struct ivr_flow *f = flow_of(WELCOME);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ivr_run *r = NULL;
        int rc = restore(f, cases[i].state, NULL, &r);
        ck_assert_msg(rc == cases[i].code, "'%s' gave %d", cases[i].state, rc);
        ck_assert((rc == 0) == (r != NULL));
        ivr_run_free(r);
    }
    char *longer = malloc(IVR_STATE_MAX + 1);
    memset(longer, '1', IVR_STATE_MAX);
    longer[IVR_STATE_MAX] = '\0';
    struct ivr_run *r = NULL;
    ck_assert_int_eq(restore(f, longer, NULL, &r), ERR_INVAL);
    free(longer);
    ivr_flow_unref(f);
}
END_TEST

/* The longest names and the deepest stack fit the stated maximum. */
START_TEST(state_fits_its_maximum)
{
    char json[16384], names[17][IVR_NAME_MAX], out[256], state[IVR_STATE_MAX];
    int n = snprintf(json, sizeof json, "{\"name\":\"f\",\"languages\":[\"zh-longest-name\"],\"start\":\"");
    for (int i = 0; i < 17; i++) {
        memset(names[i], 'a' + i, IVR_NAME_MAX - 1);
        names[i][IVR_NAME_MAX - 1] = '\0';
    }
    n += snprintf(json + n, sizeof json - (size_t)n, "%s\",\"nodes\":{", names[0]);
    for (int i = 0; i < 17; i++)
        n += snprintf(json + n, sizeof json - (size_t)n,
                      "%s\"%s\":{\"type\":\"menu\",\"keys\":{\"1\":\"%s\",\"00000001\":\"%s\"}}", i ? "," : "",
                      names[i], names[i < 16 ? i + 1 : 16], names[0]);
    snprintf(json + n, sizeof json - (size_t)n, "}}");
    struct ivr_flow *f = flow_of(json);
    struct ivr_run *r = run_of(f, NULL), *q = NULL;
    step(r, "start", out, sizeof out);
    for (int i = 0; i < 16; i++)
        step(r, "key 1", out, sizeof out);
    for (int i = 0; i < 7; i++)
        step(r, "key 0", out, sizeof out);
    ck_assert_int_eq(ivr_save(r, state, sizeof state), 0);
    ck_assert_uint_gt(strlen(state), 1000);
    ck_assert_int_eq(restore(f, state, NULL, &q), 0);
    ivr_run_free(q);
    ivr_run_free(r);
    ivr_flow_unref(f);
}
END_TEST

/* ---- random flows and random events ---- */

static uint64_t seed;

static unsigned pick(unsigned below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % below;
}

static json_t *random_prompts(void)
{
    json_t *list = json_array();
    for (unsigned i = 0, n = 1 + pick(3); i < n; i++) {
        unsigned kind = pick(4);
        if (kind == 0)
            json_array_append_new(list, json_pack("{s:i}", "number", (int)pick(1000)));
        else if (kind == 1 && pick(2))
            json_array_append_new(list, json_pack("{s:s,s:b}", "date", "2026-11-22", "weekday", (int)pick(2)));
        else
            json_array_append_new(list, json_sprintf("p%u", pick(9)));
    }
    return list;
}

static json_t *random_name(unsigned nodes)
{
    return json_sprintf("n%u", pick(nodes));
}

static json_t *random_menu(unsigned nodes)
{
    json_t *o = json_pack("{s:s,s:i,s:i}", "type", "menu", "retries", (int)pick(4), "timeout_s", (int)pick(9) + 1);
    json_t *keys = json_object();
    for (unsigned i = 0, n = 1 + pick(6); i < n; i++) {
        char key[9] = "";
        for (unsigned k = 0, len = 1 + pick(pick(4) ? 1 : 4); k < len; k++)
            key[k] = "0123456789*#"[pick(12)];
        json_object_set_new(keys, key, random_name(nodes));
    }
    json_object_set_new(o, "keys", keys);
    if (pick(4))
        json_object_set_new(o, "prompts", random_prompts());
    if (pick(2))
        json_object_set_new(o, "invalid_prompts", random_prompts());
    if (pick(2))
        json_object_set_new(o, "timeout_prompts", random_prompts());
    if (pick(2))
        json_object_set_new(o, "on_fail", random_name(nodes));
    if (pick(5) == 0)
        json_object_set_new(o, "barge_in", json_false());
    return o;
}

static json_t *random_node(unsigned nodes)
{
    static const char *const languages[] = {"zh", "en", "toggle"};
    json_t *o;
    switch (pick(9)) {
    case 0:
    case 1:
        o = json_pack("{s:s,s:o}", "type", "play", "prompts", random_prompts());
        if (pick(2))
            json_object_set_new(o, "next", random_name(nodes));
        return o;
    case 2:
        o = json_pack("{s:s,s:s}", "type", "queue", "queue", "q");
        if (pick(2))
            json_object_set_new(o, "on_fail", random_name(nodes));
        return o;
    case 3:
        return json_pack("{s:s,s:s}", "type", "agent", "agent", "1001");
    case 4:
        o = json_pack("{s:s,s:s}", "type", "language", "language", languages[pick(3)]);
        if (pick(2))
            json_object_set_new(o, "next", random_name(nodes));
        return o;
    case 5:
        return json_pack("{s:s}", "type", pick(2) ? "parent" : "top");
    case 6:
        o = json_pack("{s:s}", "type", "hangup");
        if (pick(2))
            json_object_set_new(o, "prompts", random_prompts());
        return o;
    default:
        return random_menu(nodes);
    }
}

/* Removes what cannot be reached, as the parser would refuse it, by taking the blame it gives. NULL: not a valid flow. */
static struct ivr_flow *random_flow(void)
{
    unsigned nodes = 1 + pick(14);
    json_t *all = json_object();
    for (unsigned i = 0; i < nodes; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        json_object_set_new(all, name, i == 0 ? random_menu(nodes) : random_node(nodes));
    }
    json_t *tree =
        json_pack("{s:s,s:[s,s],s:s,s:o}", "name", "random", "languages", "zh", "en", "start", "n0", "nodes", all);
    struct ivr_flow *f = NULL;
    for (;;) {
        char *text = json_dumps(tree, 0);
        struct err_info info;
        int rc = ivr_flow_parse(text, strlen(text), &f, &info);
        free(text);
        if (rc == 0 || strcmp(info.text, "cannot be reached from the start") != 0)
            break;
        ck_assert_int_eq(json_object_del(all, info.field + strlen("nodes.")), 0);
    }
    json_decref(tree);
    return f;
}

static void random_event(char *out, size_t size)
{
    static const char *const events[] = {"played", "played", "played", "timer", "timer", "failed", "restored", "start"};
    if (pick(2))
        snprintf(out, size, "key %c", "0123456789*#"[pick(12)]);
    else
        snprintf(out, size, "%s", events[pick(8)]);
}

static struct ivr_run *saved_and_restored(struct ivr_flow *f, const struct ivr_run *r)
{
    char state[IVR_STATE_MAX], again[IVR_STATE_MAX];
    struct ivr_run *q = NULL;
    ck_assert_int_eq(ivr_save(r, state, sizeof state), 0);
    int rc = restore(f, state, NULL, &q);
    ck_assert_msg(rc == 0, "'%s' was refused: %d", state, rc);
    ck_assert_int_eq(ivr_save(q, again, sizeof again), 0);
    ck_assert_str_eq(state, again);
    return q;
}

START_TEST(random_runs)
{
    unsigned valid = 0, hangups = 0;
    for (unsigned round = 0; round < 600; round++) {
        seed = 1000003u * (unsigned)_i + round;
        struct ivr_flow *f = random_flow();
        if (!f)
            continue;
        valid++;
        struct ivr_run *kept = run_of(f, NULL), *moved = run_of(f, NULL);
        char event[16] = "start", a[4096], b[4096];
        bool ended = false;
        for (unsigned i = 0; i < 60; i++) {
            step(kept, event, a, sizeof a);
            step(moved, event, b, sizeof b);
            ck_assert_msg(strcmp(a, b) == 0, "seed %d/%u step %u %s: '%s' but after restoring '%s'", _i, round, i,
                          event, a, b);
            ck_assert_msg(!ended || !*a || strcmp(event, "restored") == 0, "went on after hanging up: %s", a);
            ended = ended || strstr(a, "hangup") != NULL;
            struct ivr_run *q = saved_and_restored(f, moved);
            ivr_run_free(moved);
            moved = q;
            random_event(event, sizeof event);
        }
        hangups += ended;
        ivr_run_free(kept);
        ivr_run_free(moved);
        ivr_flow_unref(f);
    }
    ck_assert_msg(valid > 100 && hangups > 20, "only %u valid flows, %u hang-ups", valid, hangups);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ivr");
    TCase *t = tcase_create("ivr");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_call);
    tcase_add_test(t, retries_are_counted_together);
    tcase_add_test(t, language_changes);
    tcase_add_test(t, parents_and_long_keys);
    tcase_add_test(t, parent_of_the_first_menu_is_itself);
    tcase_add_test(t, a_queue_at_once);
    tcase_add_test(t, more_menus_than_the_stack_holds);
    tcase_add_test(t, flow_lives_as_long_as_its_runs);
    tcase_add_test(t, state_text);
    tcase_add_test(t, states_that_are_refused);
    tcase_add_test(t, state_fits_its_maximum);
    tcase_add_loop_test(t, random_runs, 0, 4);
    suite_add_tcase(s, t);
    return run_suite(s);
}
