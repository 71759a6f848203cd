#include "telephony/ivr_trial.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/ivr_int.h"

#define TRIAL_TEXT_MAX 2048u

struct trial {
    const struct ivr_trial *t;
    struct ivr_run *run;
    json_t *steps;
    bool failed;                /* out of memory */
    unsigned key;               /* the entry of the list */
    size_t key_at;              /* in it */
    char event[TRIAL_TEXT_MAX]; /* what the latest event was, until a row says so */
    char outcome[IVR_VALUE_MAX + 32];
};

__attribute__((format(printf, 2, 3))) static void trial_row(struct trial *w, const char *fmt, ...)
{
    char action[TRIAL_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(action, sizeof action, fmt, ap);
    va_end(ap);
    json_t *row = json_pack("{s:s, s:s, s:s}", "node", ivr_run_node(w->run), "event", w->event, "action", action);
    w->failed |= json_array_append_new(w->steps, row) != 0;
    w->event[0] = '\0';
}

/* ---- actions in words */

static void trial_prompt(char *out, size_t size, const char *language, const struct ivr_prompt_ref *p)
{
    const char *keys[SPEAK_KEYS_MAX];
    size_t at = strlen(out);
    if (p->key) {
        snprintf(out + at, size - at, " %s", p->key);
        return;
    }
    if (p->text) {
        snprintf(out + at, size - at, " text(%s)", p->text);
        return;
    }
    int n = speak_keys(language, p->value, keys, SPEAK_KEYS_MAX);
    at += (size_t)snprintf(out + at, size - at, " %s(", speak_kind_name(p->value->kind));
    for (int i = 0; i < n && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? " " : "", keys[i]);
    if (at < size)
        snprintf(out + at, size - at, ")");
}

struct trial_secret {
    const struct ivr_run *run;
    bool said;
};

static void trial_note_secret(void *ctx, const char *name, const char *field)
{
    struct trial_secret *s = ctx;
    bool secret;
    (void)ivr_run_variable(s->run, name, &secret);
    s->said |= secret && strstr(field, "prompts");
}

/* A node that says something secret shows none of its values. */
static void trial_play(struct trial *w, const struct ivr_action *a)
{
    char text[TRIAL_TEXT_MAX] = "";
    struct trial_secret s = {w->run, false};
    ivr_node_reads(ivr_present(w->run), trial_note_secret, &s);
    for (unsigned i = 0; i < a->n_prompts; i++) {
        size_t at = strlen(text);
        if (s.said && a->prompts[i].value)
            snprintf(text + at, sizeof text - at, " %s(?)", speak_kind_name(a->prompts[i].value->kind));
        else
            trial_prompt(text, sizeof text, ivr_run_language(w->run), &a->prompts[i]);
    }
    trial_row(w, "plays%s%s", text, a->barge_in ? "" : " (to its end)");
}

static void trial_queue(struct trial *w, const struct ivr_action *a)
{
    char text[TRIAL_TEXT_MAX] = "";
    size_t at = 0;
    if (a->need && a->need->has_priority)
        at += (size_t)snprintf(text, sizeof text, ", priority %u", a->need->priority);
    for (unsigned i = 0; a->need && i < a->need->n_skills; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, ", skill %.64s:%u", a->need->skills[i].skill,
                               a->need->skills[i].level);
    if (a->need && a->need->agent)
        snprintf(text + at, sizeof text - at, ", own agent %.64s", a->need->agent);
    snprintf(w->outcome, sizeof w->outcome, "queue %s", a->name);
    trial_row(w, "to queue %s%s", a->name, text);
}

/* ---- what comes next */

static const char *trial_no_secret(void *ctx, const char *name)
{
    (void)ctx, (void)name;
    return "***";
}

static void trial_ask_http(struct trial *w, struct ivr_event *ev, char **body)
{
    struct ivr_request q;
    const json_t *answer = NULL;
    int status = 0;
    const char *node = ivr_run_node(w->run);
    bool came = w->t->answer && w->t->answer(w->t->ctx, node, &status, &answer);
    int rc = ivr_run_request(w->run, trial_no_secret, NULL, &q);
    *ev = (struct ivr_event){.type = IVR_EV_HTTP};
    if (rc) {
        trial_row(w, "cannot ask: %s", err_text(rc));
    } else {
        /* what was made of secret variables is not shown: the flow's own text is */
        trial_row(w, "asks %s %s", q.method, ivr_present(w->run)->http.url);
        ivr_request_free(&q);
    }
    if (!rc && came) {
        *body = answer ? json_dumps(answer, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        w->failed |= answer && !*body;
        ev->status = status;
        ev->body = *body;
        ev->body_len = *body ? strlen(*body) : 0;
    }
    snprintf(w->event, sizeof w->event, ev->status ? "status %d" : "no answer", ev->status);
}

static void trial_ask_time(struct trial *w, struct ivr_event *ev)
{
    const char *group;
    *ev = (struct ivr_event){.type = IVR_EV_TIME, .choice = -1};
    for (unsigned i = 0; ev->choice < 0 && (group = ivr_run_time_group(w->run, i)); i++)
        if (w->t->open && w->t->open(w->t->ctx, group))
            ev->choice = (int)i;
    trial_row(w, "looks at the time");
    if (ev->choice < 0)
        snprintf(w->event, sizeof w->event, "none is open");
    else
        snprintf(w->event, sizeof w->event, "%s is open", ivr_run_time_group(w->run, (unsigned)ev->choice));
}

/* The caller says something, and ends it as he may. */
static void trial_record(struct trial *w, const struct ivr_action *a, struct ivr_event *ev)
{
    *ev = (struct ivr_event){.type = IVR_EV_RECORDED, .status = IVR_RECORDED_KEPT, .body = IVR_TRIAL_MESSAGE};
    trial_row(w, "records into box %s%s", a->name, a->record->beep ? " after a tone" : "");
    snprintf(w->event, sizeof w->event, "recorded");
}

static void trial_notices(struct trial *w, const char *area, struct ivr_event *ev)
{
    char names[TRIAL_TEXT_MAX] = "";
    unsigned n = w->t->notices ? w->t->notices(w->t->ctx, area, names, sizeof names) : 0;
    *ev = (struct ivr_event){.type = n ? IVR_EV_DONE : IVR_EV_FAILED};
    trial_row(w, "tells notices%s%s", area[0] ? " of area " : "", area);
    snprintf(w->event, sizeof w->event, n ? "%u heard: %.1900s" : "there are none", n, names);
}

/* Whoever can be called is put on the list: what is on the blacklist, and whether the list is full, is not looked at. */
static void trial_callback(struct trial *w, const struct ivr_action *a, struct ivr_event *ev)
{
    const struct ivr_callback *cb = a->callback;
    const char *digits = cb->number + (cb->number[0] == '+');
    size_t n = strspn(digits, "0123456789");
    bool taken = n > 0 && n <= IVR_OUTSIDE_MAX && !digits[n];
    char more[96] = "";
    size_t at = 0;
    if (cb->has_priority)
        at = (size_t)snprintf(more, sizeof more, ", priority %u", cb->priority);
    if (cb->at_s >= 0)
        snprintf(more + at, sizeof more - at, ", at %02d:%02d by %.64s", cb->at_s / 3600, cb->at_s / 60 % 60,
                 cb->group);
    trial_row(w, "to be called back by queue %s at %s%s", a->name, cb->number[0] ? cb->number : "no number", more);
    *ev = (struct ivr_event){.type = taken ? IVR_EV_DONE : IVR_EV_FAILED};
    snprintf(w->event, sizeof w->event, taken ? "accepted" : "refused");
}

/* A box with a new message of this caller and an old one; false: he is called. */
static bool trial_box(struct trial *w, const struct ivr_action *a, struct ivr_event *ev)
{
    static const char *const words[] = {"looks at box",           "takes the next message of box",
                                        "marks as heard, in box", "keeps as new, in box",
                                        "deletes, in box",        "calls back, from box"};
    static const struct ivr_box some = {1, 1, IVR_TRIAL_MESSAGE, "1", "13800138000", "13800138000", "2026-03-01 09:30"};
    static const struct ivr_box none = {1, 1, "", "", "", "", ""};
    const struct ivr_box_ask *ask = a->box;
    bool found = ask->what == IVR_BOX_NEXT && !ask->place[0];
    trial_row(w, "%s %s", words[ask->what], a->name);
    if (ask->what == IVR_BOX_CALL) {
        snprintf(w->outcome, sizeof w->outcome, "calls %.64s", ask->caller);
        return false;
    }
    *ev = (struct ivr_event){.type = IVR_EV_BOX, .box = found ? &some : &none};
    snprintf(w->event, sizeof w->event, found ? "a message" : ask->what == IVR_BOX_NEXT ? "no message" : "done");
    return true;
}

/* The flow waits for a key: false when there are no more. */
static bool trial_press(struct trial *w, uint32_t ms, struct ivr_event *ev)
{
    const struct ivr_node *n = ivr_present(w->run);
    const char *keys = w->key < w->t->n_keys ? w->t->keys[w->key] : NULL;
    bool between = w->run->digits[0] != '\0';
    if (keys && !keys[w->key_at]) { /* all of this entry pressed */
        w->key++;
        w->key_at = 0;
        keys = w->key < w->t->n_keys ? w->t->keys[w->key] : NULL;
    }
    bool next_entry = w->key_at == 0;
    if (between && next_entry) { /* nothing more comes before the time between digits is over */
        *ev = (struct ivr_event){.type = IVR_EV_TIMER};
        snprintf(w->event, sizeof w->event, "%u s pass", ms / 1000);
        return true;
    }
    if (!keys)
        return false;
    if (strcmp(keys, "-") == 0) {
        *ev = (struct ivr_event){.type = IVR_EV_TIMER};
        w->key_at = 1;
        snprintf(w->event, sizeof w->event, "%u s pass", ms / 1000);
        return true;
    }
    *ev = (struct ivr_event){.type = IVR_EV_KEY, .digit = keys[w->key_at++]};
    bool secret = n->type == IVR_NODE_COLLECT && n->collect.secret;
    snprintf(w->event, sizeof w->event, "key %c", secret ? '?' : ev->digit);
    return true;
}

/* Does what the flow wants and fills in what it is told next; false at the end. */
static bool trial_follow(struct trial *w, const struct ivr_action *a, unsigned n, struct ivr_event *ev, char **body)
{
    bool more = false;
    for (unsigned i = 0; i < n; i++)
        switch (a[i].type) {
        case IVR_ACT_PLAY:
            trial_play(w, &a[i]);
            *ev = (struct ivr_event){.type = IVR_EV_PLAYED};
            more = true;
            break;
        case IVR_ACT_TIMER:
            more = a[i].ms && trial_press(w, a[i].ms, ev);
            if (a[i].ms && !more)
                snprintf(w->outcome, sizeof w->outcome, "waits for keys");
            break;
        case IVR_ACT_LANGUAGE:
            trial_row(w, "speaks %s", a[i].name);
            break;
        case IVR_ACT_QUEUE:
            trial_queue(w, &a[i]);
            break;
        case IVR_ACT_AGENT:
            snprintf(w->outcome, sizeof w->outcome, "agent %s", a[i].name);
            trial_row(w, "to agent %s", a[i].name);
            break;
        case IVR_ACT_OUTSIDE:
            snprintf(w->outcome, sizeof w->outcome, "outside %s", a[i].name);
            trial_row(w, "to %s outside%s%s", a[i].name, a[i].outside->trunk ? " through trunk " : "",
                      a[i].outside->trunk ? a[i].outside->trunk : "");
            break;
        case IVR_ACT_HANGUP:
            snprintf(w->outcome, sizeof w->outcome, "hung up");
            trial_row(w, "hangs up");
            break;
        case IVR_ACT_TIME:
            trial_ask_time(w, ev);
            more = true;
            break;
        case IVR_ACT_HTTP:
            trial_ask_http(w, ev, body);
            more = true;
            break;
        case IVR_ACT_RECORD:
            trial_record(w, &a[i], ev);
            more = true;
            break;
        case IVR_ACT_REPLAY:
            trial_row(w, "plays %s", a[i].name ? a[i].name : "what was recorded");
            *ev = (struct ivr_event){.type = IVR_EV_PLAYED};
            more = true;
            break;
        case IVR_ACT_DISCARD:
            trial_row(w, "discards what was recorded");
            break;
        case IVR_ACT_NOTICES:
            trial_notices(w, a[i].name, ev);
            more = true;
            break;
        case IVR_ACT_CALLBACK:
            trial_callback(w, &a[i], ev);
            more = true;
            break;
        case IVR_ACT_BOX:
            more = trial_box(w, &a[i], ev);
            break;
        case IVR_ACT_MOVED:
        case IVR_ACT_STOP:
            break;
        }
    return more && !w->failed;
}

json_t *ivr_trial_run(const struct ivr_trial *t)
{
    struct trial w = {.t = t, .steps = json_array()};
    struct ivr_action actions[IVR_ACTIONS_MAX];
    struct ivr_event ev = {.type = IVR_EV_START};
    json_t *variables = NULL, *out = NULL;
    char *body = NULL;
    if (!w.steps || ivr_run_new(&t->setup, &w.run) || ivr_run_know(w.run, t->customer, t->data)) {
        ivr_run_free(w.run);
        json_decref(w.steps);
        return NULL;
    }
    snprintf(w.outcome, sizeof w.outcome, "goes on");
    snprintf(w.event, sizeof w.event, "answered");
    for (bool more = true; more && json_array_size(w.steps) < IVR_TRIAL_STEPS_MAX;) {
        unsigned n = ivr_step(w.run, &ev, actions);
        free(body);
        body = NULL;
        more = trial_follow(&w, actions, n, &ev, &body);
    }
    free(body);
    if (!w.failed)
        variables = ivr_vars_json(&w.run->vars, false);
    if (variables)
        out = json_pack("{s:s, s:s, s:s, s:O, s:O}", "outcome", w.outcome, "node", ivr_run_node(w.run), "language",
                        ivr_run_language(w.run), "variables", variables, "steps", w.steps);
    json_decref(variables);
    json_decref(w.steps);
    ivr_run_free(w.run);
    return out;
}
