/* The interpreter.
 *
 *   IDLE --START--> (enter start)
 *   PLAYING --PLAYED--> play: next; menu, collect: WAITING; hangup: ENDED
 *           --KEY (barge-in)--> play: next, with the key in hand; menu, collect: as in WAITING
 *   WAITING --KEY--> a menu's target, or more digits, or a failure (PLAYING again, or on_fail)
 *           --TIMER--> as the digits so far say, or a failure
 *   BUSY (queue, agent, outside) --FAILED--> on_fail, or back to the menu, or ENDED
 *        (record, voicemail; also as PLAYING and WAITING) --RECORDED--> ivr_record.c;  (http) --HTTP--> next or on_error;  (time) --TIME--> the case that holds
 *        (notices) --DONE--> next, --FAILED--> none;  (callback) --DONE--> next, --FAILED--> refused;  (mailbox) --BOX--> ivr_mailbox.c
 *
 * A step walks from node to node until one plays, waits, asks or ends; only that one is told to the caller. What happens when
 * a node is come to: ivr_enter.c. */
#include "telephony/ivr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "telephony/ivr_int.h"
#include "telephony/media.h"

struct ivr_action *ivr_act(struct ivr_steps *s, enum ivr_action_type type, const char *name)
{
    struct ivr_action *a = &s->out[s->n++];
    memset(a, 0, sizeof *a);
    a->type = type;
    a->name = name;
    return a;
}

void ivr_act_timer(struct ivr_steps *s, uint32_t ms)
{
    ivr_act(s, IVR_ACT_TIMER, NULL)->ms = ms;
}

/* ---- saying */

/* How many sounds it is; 0: it has no words. A value from variables is made now, and may turn out to be none. */
static unsigned ivr_sounds_of(struct ivr_run *r, const struct ivr_say *say, unsigned slot)
{
    const char *keys[SPEAK_KEYS_MAX];
    const struct speak_value *v = &say->value;
    if (say->key || say->speech)
        return 1;
    if (say->text) {
        char *text = r->spoken_text[slot];
        bool whole = ivr_text_fill(say->text, IVR_TEXT_PLAIN, ivr_lookup, r, text, sizeof r->spoken_text[0]);
        if (!whole || speak_parse(say->value.kind, text, &r->spoken[slot], NULL))
            return 0;
        r->spoken[slot].weekday = say->value.weekday && r->spoken[slot].year;
        v = &r->spoken[slot];
    }
    int n = speak_keys(ivr_run_language(r), v, keys, SPEAK_KEYS_MAX);
    return n > 0 ? (unsigned)n : 0;
}

/* What is fixed always fits (the parser has seen to it); values fill what is left, one that does not fit is not said. */
static unsigned ivr_fixed_sounds(struct ivr_run *r, const struct ivr_prompt_list *list)
{
    unsigned n = 0;
    for (unsigned i = 0; list && i < list->n; i++)
        n += list->at[i].text ? 0 : ivr_sounds_of(r, &list->at[i], 0);
    return n;
}

struct ivr_speech {
    const struct ivr_run *run;
    bool secret;
};

static void ivr_speech_reads(void *ctx, const char *name)
{
    struct ivr_speech *s = ctx;
    bool secret = false;
    (void)ivr_run_variable(s->run, name, &secret);
    s->secret |= secret;
}

/* A text for synthesis with its values; NULL: nothing is left of it, or a value of it is secret (its sound would be kept). */
static const char *ivr_speech_of(struct ivr_run *r, const char *speech)
{
    struct ivr_speech reads = {r, false};
    if (r->n_speech == IVR_SPEECH_MAX || ivr_text_check(speech, false, ivr_speech_reads, &reads, NULL) != 0 ||
        reads.secret)
        return NULL;
    char *text = r->speech[r->n_speech++];
    (void)ivr_text_fill(speech, IVR_TEXT_PLAIN, ivr_lookup, r, text, sizeof r->speech[0]);
    return text[strspn(text, " \t\n")] ? text : NULL;
}

static void ivr_append(struct ivr_run *r, struct ivr_action *a, const struct ivr_prompt_list *list, unsigned *room)
{
    for (unsigned i = 0; list && i < list->n; i++) {
        const struct ivr_say *say = &list->at[i];
        unsigned slot = a->n_prompts;
        if (say->speech) {
            const char *text = ivr_speech_of(r, say->speech);
            if (text)
                a->prompts[a->n_prompts++] = (struct ivr_prompt_ref){.text = text};
            continue;
        }
        unsigned sounds = say->text ? ivr_sounds_of(r, say, slot) : 0;
        if (say->text && (sounds == 0 || sounds > *room))
            continue;
        *room -= sounds;
        a->prompts[a->n_prompts++] = (struct ivr_prompt_ref){.key = say->key,
                                                             .value = say->key    ? NULL
                                                                      : say->text ? &r->spoken[slot]
                                                                                  : &say->value};
    }
}

/* A menu, or another node that plays: `first` (may be NULL), then its prompts. */
void ivr_play(struct ivr_steps *s, const struct ivr_prompt_list *first)
{
    struct ivr_run *r = s->run;
    const struct ivr_node *n = ivr_present(r);
    const struct ivr_prompt_list *list = ivr_prompts_of(r);
    ivr_settle(s, IVR_PLAYING);
    if (list->n + (first ? first->n : 0) == 0) {
        r->phase = IVR_WAITING;
        ivr_act_timer(s, n->timeout_ms);
        return;
    }
    struct ivr_action *a = ivr_act(s, IVR_ACT_PLAY, n->name);
    r->n_speech = 0;
    a->barge_in = (n->barge_in && n->type != IVR_NODE_HANGUP) || ivr_record_reviews(r);
    unsigned room = MEDIA_ITEMS_MAX - ivr_fixed_sounds(r, first) - ivr_fixed_sounds(r, list);
    ivr_append(r, a, first, &room);
    ivr_append(r, a, list, &room);
}

/* ---- where it is */

/* The step ends here: the node that it came to is told once, to be committed, and the next event is awaited in this phase. */
void ivr_settle(struct ivr_steps *s, enum ivr_phase phase)
{
    struct ivr_run *r = s->run;
    if (s->language_changed)
        ivr_act(s, IVR_ACT_LANGUAGE, ivr_run_language(r));
    s->language_changed = false;
    ivr_act(s, IVR_ACT_MOVED, ivr_run_node(r));
    r->phase = phase;
    if (phase == IVR_PLAYING || phase == IVR_WAITING)
        r->walked = 0;
}

void ivr_end(struct ivr_steps *s)
{
    s->run->phase = IVR_ENDED;
    ivr_act(s, IVR_ACT_HANGUP, NULL);
}

int ivr_back(const struct ivr_run *r)
{
    const struct ivr_frame *f = &r->frames[r->n_frames - 1];
    return f->depth ? f->stack[f->depth - 1] : IVR_NONE;
}

int ivr_back_or_end(struct ivr_steps *s)
{
    int to = ivr_back(s->run);
    if (to == IVR_NONE)
        ivr_end(s);
    return to;
}

const char *ivr_lookup(void *run, const char *name)
{
    return ivr_run_variable(run, name, NULL);
}

const char *ivr_run_variable(const struct ivr_run *r, const char *name, bool *secret)
{
    const char *value = NULL;
    if (secret)
        *secret = false;
    if (strcmp(name, "caller") == 0)
        value = r->caller;
    else if (strcmp(name, "called") == 0)
        value = r->called;
    else if (strcmp(name, "call_id") == 0)
        value = r->call_id;
    else if (strcmp(name, "language") == 0)
        value = ivr_run_language(r);
    else if (strcmp(name, "queue") == 0)
        value = r->queue;
    else if (ivr_known_is(name))
        value = ivr_known_get(r, name);
    else
        value = ivr_vars_get(&r->vars, name, secret);
    return value ? value : "";
}

/* ---- menus and digits */

int ivr_menu_match(const struct ivr_node *n, const char *digits, bool *longer)
{
    size_t len = strlen(digits);
    int target = IVR_NONE;
    *longer = false;
    for (unsigned i = 0; i < n->n_keys; i++)
        if (strncmp(n->keys[i].digits, digits, len) == 0) {
            if (n->keys[i].digits[len])
                *longer = true;
            else
                target = n->keys[i].target;
        }
    return target;
}

/* Returns the node to go to, or IVR_NONE when the run has settled (or ended). */
static int ivr_input_failed(struct ivr_steps *s, const struct ivr_prompt_list *prompts)
{
    struct ivr_run *r = s->run;
    const struct ivr_node *n = ivr_present(r);
    r->digits[0] = '\0';
    if (++r->failures <= n->retries) {
        ivr_play(s, prompts);
        return IVR_NONE;
    }
    if (n->on_fail == IVR_NONE)
        ivr_end(s);
    return n->on_fail;
}

static int ivr_more_digits(struct ivr_steps *s)
{
    ivr_settle(s, IVR_WAITING);
    ivr_act_timer(s, ivr_present(s->run)->digit_timeout_ms);
    return IVR_NONE;
}

static int ivr_collected(struct ivr_steps *s)
{
    struct ivr_run *r = s->run;
    const struct ivr_node *n = ivr_present(r);
    if (strlen(r->digits) < n->collect.least)
        return ivr_input_failed(s, &n->invalid);
    (void)ivr_vars_set(&r->vars, n->collect.variable, r->digits, n->collect.secret);
    memset(r->digits, 0, sizeof r->digits);
    return n->next;
}

int ivr_take_key(struct ivr_steps *s, char key)
{
    struct ivr_run *r = s->run;
    const struct ivr_node *n = ivr_present(r);
    size_t len = strlen(r->digits);
    bool longer;
    if (n->type == IVR_NODE_COLLECT && key == n->collect.terminator)
        return ivr_collected(s);
    r->digits[len] = key; /* room: a run with as many digits as fit is never left waiting for more */
    r->digits[len + 1] = '\0';
    if (n->type == IVR_NODE_COLLECT)
        return len + 1 < n->collect.most ? ivr_more_digits(s) : ivr_collected(s);
    int target = ivr_menu_match(n, r->digits, &longer);
    if (longer)
        return ivr_more_digits(s);
    return target == IVR_NONE ? ivr_input_failed(s, &n->invalid) : target;
}

static int ivr_on_timer(struct ivr_steps *s)
{
    const struct ivr_node *n = ivr_present(s->run);
    bool longer;
    if (ivr_records(n))
        return ivr_record_silent(s);
    if (!s->run->digits[0])
        return ivr_input_failed(s, &n->timeout);
    if (n->type == IVR_NODE_COLLECT)
        return ivr_collected(s);
    int target = ivr_menu_match(n, s->run->digits, &longer);
    return target == IVR_NONE ? ivr_input_failed(s, &n->invalid) : target;
}

/* ---- walking */

static void ivr_walk(struct ivr_steps *s, int to)
{
    struct ivr_run *r = s->run;
    for (; to != IVR_NONE; r->walked++) {
        if (r->walked >= IVR_STEP_NODES_MAX) {
            ivr_end(s);
            return;
        }
        ivr_top(r)->node = to;
        r->failures = 0;
        r->digits[0] = '\0';
        const struct ivr_node *n = ivr_present(r);
        to = ivr_kind_of(n)->enter(s, n);
    }
}

static int ivr_on_key(struct ivr_steps *s, char key)
{
    struct ivr_run *r = s->run;
    const struct ivr_node *n = ivr_present(r);
    unsigned traits = ivr_kind_of(n)->traits;
    if (!key || !strchr("0123456789*#", key) || n->type == IVR_NODE_HANGUP)
        return IVR_NONE;
    if (r->phase == IVR_PLAYING) {
        if (!n->barge_in && !ivr_record_reviews(r))
            return IVR_NONE;
        ivr_act(s, IVR_ACT_STOP, NULL);
    } else {
        ivr_act_timer(s, 0);
    }
    if (traits & IVR_CAN_WAIT)
        return ivr_take_key(s, key);
    if (ivr_records(n))
        return ivr_record_key(s, key);
    s->key = key;
    return n->next == IVR_NONE ? ivr_back_or_end(s) : n->next;
}

static int ivr_on_played(struct ivr_steps *s)
{
    struct ivr_run *r = s->run;
    const struct ivr_node *n = ivr_present(r);
    if (ivr_kind_of(n)->traits & IVR_CAN_WAIT) {
        r->phase = IVR_WAITING;
        ivr_act_timer(s, n->timeout_ms);
        return IVR_NONE;
    }
    if (n->type == IVR_NODE_HANGUP) {
        ivr_end(s);
        return IVR_NONE;
    }
    if (ivr_records(n))
        return ivr_record_played(s);
    return n->next == IVR_NONE ? ivr_back_or_end(s) : n->next;
}

static int ivr_on_failed(struct ivr_steps *s)
{
    int to = ivr_present(s->run)->on_fail;
    return to == IVR_NONE ? ivr_back_or_end(s) : to;
}

static int ivr_on_time(struct ivr_steps *s, int choice)
{
    const struct ivr_node *n = ivr_present(s->run);
    return choice >= 0 && (unsigned)choice < n->n_cases ? n->cases[choice].target : n->next;
}

static void ivr_on_restored(struct ivr_steps *s)
{
    struct ivr_run *r = s->run;
    const struct ivr_node *n = ivr_present(r);
    switch (r->phase) {
    case IVR_IDLE:
        break;
    case IVR_PLAYING:
        if (ivr_records(n))
            ivr_record_again(s);
        else if (n->type == IVR_NODE_LISTEN)
            (void)ivr_enter_listen(s, n);
        else
            ivr_play(s, NULL);
        break;
    case IVR_WAITING:
        ivr_act_timer(s, r->digits[0] ? n->digit_timeout_ms : n->timeout_ms);
        break;
    case IVR_BUSY:
        ivr_kind_of(n)->ask(s, n);
        break;
    case IVR_ENDED:
        ivr_end(s);
        break;
    }
}

/* Where to go on from BUSY, if the event answers what was asked. */
static int ivr_on_answer(struct ivr_steps *s, const struct ivr_event *ev)
{
    enum ivr_node_type type = ivr_present(s->run)->type;
    if (type == IVR_NODE_TIME)
        return ev->type == IVR_EV_TIME ? ivr_on_time(s, ev->choice) : IVR_NONE;
    if (type == IVR_NODE_HTTP)
        return ev->type == IVR_EV_HTTP ? ivr_http_answered(s, ev) : IVR_NONE;
    if (type == IVR_NODE_RECORD || type == IVR_NODE_VOICEMAIL)
        return ev->type == IVR_EV_RECORDED ? ivr_recorded(s, ev) : IVR_NONE;
    if (type == IVR_NODE_MAILBOX && ev->type == IVR_EV_BOX)
        return ivr_box_answered(s, ev);
    if ((type == IVR_NODE_NOTICES || type == IVR_NODE_CALLBACK) && ev->type == IVR_EV_DONE)
        return ivr_present(s->run)->next;
    return ev->type == IVR_EV_FAILED ? ivr_on_failed(s) : IVR_NONE;
}

unsigned ivr_step(struct ivr_run *r, const struct ivr_event *ev, struct ivr_action *out)
{
    struct ivr_steps s = {.run = r, .out = out};
    int to = IVR_NONE;
    if (r->frames[0].flow->plain)
        r->walked = 0; /* it is not in the saved state */
    switch (ev->type) {
    case IVR_EV_START:
        if (r->phase == IVR_IDLE)
            to = r->frames[0].flow->start;
        break;
    case IVR_EV_KEY:
        if (r->phase == IVR_PLAYING || r->phase == IVR_WAITING)
            to = ivr_on_key(&s, ev->digit);
        break;
    case IVR_EV_PLAYED:
        if (r->phase == IVR_PLAYING)
            to = ivr_on_played(&s);
        break;
    case IVR_EV_TIMER:
        if (r->phase == IVR_WAITING)
            to = ivr_on_timer(&s);
        break;
    case IVR_EV_FAILED:
    case IVR_EV_TIME:
    case IVR_EV_HTTP:
    case IVR_EV_RECORDED:
    case IVR_EV_DONE:
    case IVR_EV_BOX:
        if (r->phase == IVR_BUSY)
            to = ivr_on_answer(&s, ev);
        break;
    case IVR_EV_RESTORED:
        ivr_on_restored(&s);
        break;
    }
    ivr_walk(&s, to);
    return s.n;
}

void ivr_run_left_by(const struct ivr_run *r, const struct ivr_event *ev, char out[IVR_LEFT_BY_MAX])
{
    const struct ivr_node *n = ivr_present(r);
    bool menu = n->type == IVR_NODE_MENU, digits = r->digits[0] != '\0';
    const char *word = "", *group;
    char key[2] = {ev->digit, '\0'};
    switch (ev->type) {
    case IVR_EV_KEY:
        word = n->type == IVR_NODE_COLLECT ? "digits" : ivr_record_left_by(r, ev->digit);
        break;
    case IVR_EV_TIMER:
        key[0] = '\0';
        menu &= digits;
        word = digits ? "digits" : "timeout";
        break;
    case IVR_EV_PLAYED:
        menu = false;
        word = "played";
        break;
    case IVR_EV_FAILED:
        word = n->type == IVR_NODE_CALLBACK ? "refused" : "failed";
        break;
    case IVR_EV_BOX:
        word = n->mailbox.what == IVR_BOX_NEXT && !ev->box->message[0] ? "none" : "done";
        break;
    case IVR_EV_DONE:
        word = n->type == IVR_NODE_CALLBACK ? "accepted" : "heard";
        break;
    case IVR_EV_TIME:
        group = ev->choice >= 0 ? ivr_run_time_group(r, (unsigned)ev->choice) : NULL;
        word = group ? group : "closed";
        break;
    case IVR_EV_HTTP:
        snprintf(out, IVR_LEFT_BY_MAX, "%d", ev->status);
        return;
    case IVR_EV_RECORDED:
        word = ev->status == IVR_RECORDED_KEPT ? "recorded" : ev->status == IVR_RECORDED_EMPTY ? "empty" : "failed";
        break;
    case IVR_EV_START:
    case IVR_EV_RESTORED:
        menu = false;
        break;
    }
    if (menu)
        snprintf(out, IVR_LEFT_BY_MAX, "%.32s%s", r->digits, key);
    else
        snprintf(out, IVR_LEFT_BY_MAX, "%.63s", word);
}

/* ---- life */

void ivr_run_free(struct ivr_run *r)
{
    if (!r)
        return;
    for (unsigned i = 0; i < r->n_frames; i++)
        ivr_flow_unref(r->frames[i].flow);
    free(r->caller);
    free(r->called);
    free(r->call_id);
    ivr_known_free(r);
    /* secrets do not stay behind */
    explicit_bzero(&r->vars, sizeof r->vars);
    explicit_bzero(r->digits, sizeof r->digits);
    free(r);
}

/* What strangers put into a number is made fit for JSON and headers. */
static char *ivr_fact(const char *text)
{
    char room[IVR_VALUE_MAX];
    (void)ivr_value_copy(room, sizeof room, text ? text : "");
    return strdup(room);
}

int ivr_run_new(const struct ivr_setup *setup, struct ivr_run **out)
{
    struct ivr_run *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NOMEM;
    int language = setup->language ? ivr_flow_language(setup->flow, setup->language) : IVR_NONE;
    r->flows = setup->flows;
    r->n_frames = 1;
    r->frames[0] = (struct ivr_frame){.flow = ivr_flow_ref(setup->flow),
                                      .version = setup->version,
                                      .node = setup->flow->start,
                                      .language = language == IVR_NONE ? 0 : (unsigned)language};
    r->caller = ivr_fact(setup->caller);
    r->called = ivr_fact(setup->called);
    r->call_id = ivr_fact(setup->call_id);
    (void)ivr_value_copy(r->queue, sizeof r->queue, setup->queue ? setup->queue : "");
    if (!r->caller || !r->called || !r->call_id) {
        ivr_run_free(r);
        return ERR_NOMEM;
    }
    ivr_declare(r, setup->flow);
    *out = r;
    return 0;
}

const char *ivr_run_node(const struct ivr_run *r)
{
    const char *name = ivr_present(r)->name;
    if (r->n_frames == 1)
        return name;
    char *room = (char *)(uintptr_t)r->node_name; /* a cache: the run itself does not change */
    snprintf(room, sizeof r->node_name, "%s/%s", ivr_flow_name(r->frames[r->n_frames - 1].flow), name);
    return room;
}

const char *ivr_run_language(const struct ivr_run *r)
{
    const struct ivr_frame *f = &r->frames[r->n_frames - 1];
    return f->flow->languages[f->language];
}

bool ivr_run_flow(const struct ivr_run *r, unsigned n, const char **name, uint64_t *version)
{
    if (n >= r->n_frames)
        return false;
    *name = ivr_flow_name(r->frames[n].flow);
    *version = r->frames[n].version;
    return true;
}

const char *ivr_run_time_group(const struct ivr_run *r, unsigned n)
{
    const struct ivr_node *at = ivr_present(r);
    return at->type == IVR_NODE_TIME && n < at->n_cases ? at->cases[n].group : NULL;
}
