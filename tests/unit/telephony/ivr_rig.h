/* What the tests of voice menus share: a flow from text, and a run told as a line of text. */
#ifndef TESTS_IVR_RIG_H
#define TESTS_IVR_RIG_H

#include "tests/unit/base/alloc_budget.h"

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/yaml.h"
#include "telephony/ivr.h"

/* ---- helpers: a run as a line of text ---- */

static struct ivr_flow *flow_of(const char *json)
{
    struct ivr_flow *f = NULL;
    struct err_info info;
    int rc = ivr_flow_parse(json, strlen(json), &f, &info);
    ck_assert_msg(rc == 0, "%u:%u %s: %s", info.line, info.column, info.field, info.text);
    return f;
}

static struct ivr_run *run_of(struct ivr_flow *f, const char *language)
{
    struct ivr_run *r = NULL;
    ck_assert_int_eq(ivr_run_new(f, language, &r), 0);
    return r;
}

static void say_prompts(char *out, size_t size, const struct ivr_action *a)
{
    for (unsigned i = 0; i < a->n_prompts; i++) {
        size_t at = strlen(out);
        const struct ivr_prompt_ref *p = &a->prompts[i];
        const char *gap = i ? " " : "";
        if (p->key)
            snprintf(out + at, size - at, "%s%s", gap, p->key);
        else if (p->value->kind == SPEAK_NUMBER)
            snprintf(out + at, size - at, "%s#%llu", gap, (unsigned long long)p->value->whole);
        else if (p->value->kind == SPEAK_DIGITS)
            snprintf(out + at, size - at, "%s=%s", gap, p->value->digits);
        else
            snprintf(out + at, size - at, "%s%s!", gap, speak_kind_name(p->value->kind));
    }
}

static void say_actions(char *out, size_t size, const struct ivr_action *a, unsigned n)
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
        case IVR_ACT_HANGUP:
            snprintf(out + at, size - at, "%shangup", gap);
            break;
        }
    }
}

/* One step in words: "start", "key 1", "played", "timer", "failed", "restored". */
static void step(struct ivr_run *r, const char *event, char *out, size_t size)
{
    static const struct {
        const char *word;
        enum ivr_event_type type;
    } words[] = {{"start", IVR_EV_START}, {"key", IVR_EV_KEY},       {"played", IVR_EV_PLAYED},
                 {"timer", IVR_EV_TIMER}, {"failed", IVR_EV_FAILED}, {"restored", IVR_EV_RESTORED}};
    struct ivr_event ev = {.digit = event[strlen(event) - 1]};
    struct ivr_action actions[IVR_ACTIONS_MAX];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(event, words[i].word, strlen(words[i].word)) == 0)
            ev.type = words[i].type;
    unsigned n = ivr_step(r, &ev, actions);
    ck_assert_uint_le(n, IVR_ACTIONS_MAX);
    say_actions(out, size, actions, n);
}

static void expect(struct ivr_run *r, const char *event, const char *want)
{
    char got[4096];
    step(r, event, got, sizeof got);
    ck_assert_msg(strcmp(got, want) == 0, "%s gave '%s', not '%s'", event, got, want);
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

#endif
