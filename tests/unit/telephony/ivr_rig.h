/* What the tests of voice menus share: a flow from text, and a run told as a line of text. */
#ifndef TESTS_IVR_RIG_H
#define TESTS_IVR_RIG_H

#include "tests/unit/base/alloc_budget.h"

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"
#include "telephony/ivr.h"

#define RIG_FN __attribute__((unused)) static

/* ---- helpers: a run as a line of text ---- */

RIG_FN struct ivr_flow *flow_of(const char *json)
{
    struct ivr_flow *f = NULL;
    struct err_info info;
    int rc = ivr_flow_parse(json, strlen(json), &f, &info);
    ck_assert_msg(rc == 0, "%u:%u %s: %s", info.line, info.column, info.field, info.text);
    return f;
}

/* Flows that flows call: by name and version; the highest version of a name is live. */
struct rig_flow {
    const char *name;
    uint64_t version;
    struct ivr_flow *flow;
};
static struct rig_flow rig_flows[8];

RIG_FN struct ivr_flow *rig_get(void *ctx, const char *name, uint64_t *version)
{
    struct rig_flow *best = NULL;
    (void)ctx;
    for (struct rig_flow *f = rig_flows; f < rig_flows + 8; f++)
        if (f->flow && strcmp(f->name, name) == 0 &&
            (*version ? f->version == *version : !best || f->version > best->version))
            best = f;
    if (!best)
        return NULL;
    *version = best->version;
    return ivr_flow_ref(best->flow);
}

static const struct ivr_flows rig_library = {rig_get, NULL};

RIG_FN struct ivr_setup setup_of(struct ivr_flow *f, const char *language)
{
    return (struct ivr_setup){.flow = f,
                              .version = 1,
                              .language = language,
                              .caller = "13800138000",
                              .called = "10000",
                              .call_id = "00000000000000a1",
                              .flows = &rig_library};
}

RIG_FN int new_run(struct ivr_flow *f, const char *language, struct ivr_run **out)
{
    struct ivr_setup setup = setup_of(f, language);
    return ivr_run_new(&setup, out);
}

RIG_FN int restore(struct ivr_flow *f, const char *state, const char *variables, struct ivr_run **out)
{
    struct ivr_setup setup = setup_of(f, NULL);
    return ivr_restore(&setup, state, variables, out);
}

RIG_FN struct ivr_run *run_of(struct ivr_flow *f, const char *language)
{
    struct ivr_run *r = NULL;
    ck_assert_int_eq(new_run(f, language, &r), 0);
    return r;
}

/* The same run as another node would have it, from nothing but what was committed. */
RIG_FN struct ivr_run *moved_run(struct ivr_flow *f, struct ivr_run *r)
{
    char state[IVR_STATE_MAX], variables[IVR_VARIABLES_TEXT_MAX];
    struct ivr_setup setup = setup_of(f, NULL);
    struct ivr_run *q = NULL;
    setup.queue = ivr_run_variable(r, "queue", NULL);
    ck_assert_int_eq(ivr_save(r, state, sizeof state), 0);
    ck_assert_int_eq(ivr_run_variables(r, variables, sizeof variables), 0);
    int rc = ivr_restore(&setup, state, variables, &q);
    ck_assert_msg(rc == 0, "%s: %s", err_text(rc), state);
    ivr_run_free(r);
    return q;
}

RIG_FN void say_prompts(char *out, size_t size, const struct ivr_action *a)
{
    for (unsigned i = 0; i < a->n_prompts; i++) {
        size_t at = strlen(out);
        const struct ivr_prompt_ref *p = &a->prompts[i];
        const char *gap = i ? " " : "";
        if (p->key)
            snprintf(out + at, size - at, "%s%s", gap, p->key);
        else if (p->text)
            snprintf(out + at, size - at, "%s<%s>", gap, p->text);
        else if (p->value->kind == SPEAK_NUMBER)
            snprintf(out + at, size - at, "%s#%llu", gap, (unsigned long long)p->value->whole);
        else if (p->value->kind == SPEAK_DIGITS)
            snprintf(out + at, size - at, "%s=%s", gap, p->value->digits);
        else
            snprintf(out + at, size - at, "%s%s!", gap, speak_kind_name(p->value->kind));
    }
}

RIG_FN void say_actions(char *out, size_t size, const struct ivr_action *a, unsigned n)
{
    *out = '\0';
    for (unsigned i = 0; i < n; i++) {
        size_t at = strlen(out);
        const char *gap = i ? "; " : "";
        switch (a[i].type) {
        case IVR_ACT_PLAY:
            snprintf(out + at, size - at, "%s%s ", gap, a[i].barge_in ? "play" : "play!");
            say_prompts(out, size, &a[i]);
            break;
        case IVR_ACT_STOP:
            snprintf(out + at, size - at, "%sstop", gap);
            break;
        case IVR_ACT_TIMER:
            snprintf(out + at, size - at, "%stimer %u", gap, a[i].ms);
            break;
        case IVR_ACT_MOVED:
            snprintf(out + at, size - at, "%sat %s", gap, a[i].name);
            break;
        case IVR_ACT_LANGUAGE:
            snprintf(out + at, size - at, "%slanguage %s", gap, a[i].name);
            break;
        case IVR_ACT_QUEUE:
            snprintf(out + at, size - at, "%squeue %s", gap, a[i].name);
            break;
        case IVR_ACT_AGENT:
            snprintf(out + at, size - at, "%sagent %s", gap, a[i].name);
            break;
        case IVR_ACT_OUTSIDE:
            snprintf(out + at, size - at, "%soutside %s trunk %s shows %s for %u s", gap, a[i].name,
                     a[i].outside->trunk ? a[i].outside->trunk : "-",
                     a[i].outside->caller_id[0] ? a[i].outside->caller_id : "-", a[i].outside->ring_time_s);
            break;
        case IVR_ACT_HANGUP:
            snprintf(out + at, size - at, "%shangup", gap);
            break;
        case IVR_ACT_TIME:
            snprintf(out + at, size - at, "%stime?", gap);
            break;
        case IVR_ACT_HTTP:
            snprintf(out + at, size - at, "%shttp?", gap);
            break;
        case IVR_ACT_RECORD:
            snprintf(out + at, size - at, "%srecord into %s, %u s, silence %u, least %u, end %c%s", gap, a[i].name,
                     a[i].record->max_s, a[i].record->silence_s, a[i].record->min_s,
                     a[i].record->terminator ? a[i].record->terminator : '-', a[i].record->beep ? ", tone" : "");
            break;
        case IVR_ACT_REPLAY:
            snprintf(out + at, size - at, "%sreplay%s%s", gap, a[i].name ? " " : "", a[i].name ? a[i].name : "");
            break;
        case IVR_ACT_DISCARD:
            snprintf(out + at, size - at, "%sdiscard", gap);
            break;
        case IVR_ACT_NOTICES:
            snprintf(out + at, size - at, "%snotices %s", gap, a[i].name[0] ? a[i].name : "-");
            break;
        case IVR_ACT_BOX:
            snprintf(out + at, size - at, "%sbox %s do %d %s <%s> <%s> <%s>", gap, a[i].name, (int)a[i].box->what,
                     a[i].box->old ? "old" : "new", a[i].box->message, a[i].box->place, a[i].box->caller);
            break;
        case IVR_ACT_CALLBACK:
            snprintf(out + at, size - at, "%scallback %s by %s, %d, %d %s", gap, a[i].callback->number, a[i].name,
                     a[i].callback->has_priority ? (int)a[i].callback->priority : -1, a[i].callback->at_s,
                     a[i].callback->group ? a[i].callback->group : "-");
            break;
        }
    }
}

/* One step in words: "start", "key 1", "played", "timer", "failed", "restored", "time -1", "http 200 {...}", "recorded 0 ID". */
RIG_FN void step(struct ivr_run *r, const char *event, char *out, size_t size)
{
    static const struct {
        const char *word;
        enum ivr_event_type type;
    } words[] = {{"start", IVR_EV_START}, {"key", IVR_EV_KEY},       {"played", IVR_EV_PLAYED},
                 {"timer", IVR_EV_TIMER}, {"failed", IVR_EV_FAILED}, {"restored", IVR_EV_RESTORED},
                 {"time ", IVR_EV_TIME},  {"http", IVR_EV_HTTP},     {"recorded", IVR_EV_RECORDED},
                 {"done", IVR_EV_DONE},   {"box", IVR_EV_BOX}};
    static const struct ivr_box empty = {0, 2, "", "", "", "", ""},
                                one = {3, 2, "00000000000000ab", "7", "+8613800138000", "8613800138000", "2026-03-01 09:30"};
    struct ivr_event ev = {.digit = event[strlen(event) - 1]};
    struct ivr_action actions[IVR_ACTIONS_MAX];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(event, words[i].word, strlen(words[i].word)) == 0)
            ev.type = words[i].type;
    if (ev.type == IVR_EV_TIME)
        ev.choice = atoi(event + 5);
    if (ev.type == IVR_EV_HTTP) {
        ev.status = atoi(event + 5);
        ev.body = strchr(event + 5, ' ');
        ev.body_len = ev.body ? strlen(ev.body) : 0;
    }
    if (ev.type == IVR_EV_BOX)
        ev.box = strcmp(event, "box one") == 0 ? &one : &empty;
    if (ev.type == IVR_EV_RECORDED) {
        ev.status = atoi(event + 9);
        ev.body = strchr(event + 9, ' ') ? strchr(event + 9, ' ') + 1 : NULL;
    }
    unsigned n = ivr_step(r, &ev, actions);
    ck_assert_uint_le(n, IVR_ACTIONS_MAX);
    say_actions(out, size, actions, n);
}

RIG_FN void expect(struct ivr_run *r, const char *event, const char *want)
{
    char got[4096];
    step(r, event, got, sizeof got);
    ck_assert_msg(strcmp(got, want) == 0, "%s gave '%s', not '%s'", event, got, want);
}

/* Likewise, and from here on the run is another node's. */
RIG_FN void told(struct ivr_flow *f, struct ivr_run **r, const char *event, const char *want)
{
    expect(*r, event, want);
    *r = moved_run(f, *r);
}

RIG_FN void variable_is(const struct ivr_run *r, const char *name, const char *want)
{
    ck_assert_str_eq(ivr_run_variable(r, name, NULL), want);
}

#define WELCOME                                                                                                     \
    "{\"name\": \"welcome\", \"languages\": [\"zh\", \"en\"], \"start\": \"greet\", \"nodes\": {\n"                 \
    "\"greet\": {\"type\": \"play\", \"prompts\": [\"welcome\"], \"next\": \"main\"},\n"                            \
    "\"main\": {\"type\": \"menu\", \"prompts\": [\"main_menu\"], \"timeout_s\": 5, \"retries\": 2,\n"              \
    " \"keys\": {\"1\": \"service\", \"2\": \"outage\", \"3\": \"sub\", \"4\": \"agent\", \"8\": \"lang\", \"0\": " \
    "\"bye\"},\n"                                                                                                   \
    " \"invalid_prompts\": [\"invalid_key\"], \"timeout_prompts\": [\"no_input\"], \"on_fail\": \"bye\"},\n"        \
    "\"sub\": {\"type\": \"menu\", \"prompts\": [\"sub_menu\", {\"number\": 12}, {\"digits\": \"110\"}],\n"         \
    " \"keys\": {\"1\": \"deep\", \"*\": \"back\", \"#\": \"top\", \"12\": \"outage\", \"7\": \"notice\"}, "        \
    "\"digit_timeout_s\": 2},\n"                                                                                    \
    "\"deep\": {\"type\": \"menu\", \"keys\": {\"*\": \"back\", \"#\": \"top\"}, \"retries\": 0},\n"                \
    "\"notice\": {\"type\": \"play\", \"prompts\": [\"important\"], \"barge_in\": false},\n"                        \
    "\"service\": {\"type\": \"queue\", \"queue\": \"service\", \"on_fail\": \"main\"},\n"                          \
    "\"agent\": {\"type\": \"agent\", \"agent\": \"1001\"},\n"                                                      \
    "\"outage\": {\"type\": \"play\", \"prompts\": [\"outage\"]},\n"                                                \
    "\"lang\": {\"type\": \"language\", \"language\": \"toggle\", \"next\": \"main\"},\n"                           \
    "\"back\": {\"type\": \"parent\"}, \"top\": {\"type\": \"top\"},\n"                                             \
    "\"bye\": {\"type\": \"hangup\", \"prompts\": [\"goodbye\"]}}}"

/* Of nodes with single quotes, which are easier to read in C. */
static inline struct ivr_flow *flow_with(const char *nodes)
{
    char json[8192];
    snprintf(json, sizeof json, "{\"name\":\"f\",\"languages\":[\"zh\",\"en\"],\"start\":\"a\",\"nodes\":{%s}}", nodes);
    for (char *s = json; *s; s++)
        if (*s == '\'')
            *s = '"';
    return flow_of(json);
}

#endif
