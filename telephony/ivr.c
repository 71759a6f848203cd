/* The interpreter.
 *
 *   IDLE --START--> (enter start)
 *   PLAYING --PLAYED--> play: next; menu: WAITING; hangup: ENDED
 *           --KEY (barge-in)--> play: next, with the key in hand; menu: as in WAITING
 *   WAITING --KEY--> a menu's target, or more digits, or a failure (PLAYING again, or on_fail)
 *           --TIMER--> as the digits so far say, or a failure
 *   BUSY (queue, agent) --FAILED--> on_fail, or back to the menu, or ENDED
 *
 * A step walks from node to node until one plays, waits or ends; only that one is told to the caller. */
#include "telephony/ivr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/ivr_int.h"

enum ivr_phase { IVR_IDLE, IVR_PLAYING, IVR_WAITING, IVR_BUSY, IVR_ENDED };
static const char ivr_phase_letters[] = "ipwbe";

struct ivr_run {
    struct ivr_flow *flow; /* a reference */
    int node;
    enum ivr_phase phase;
    unsigned language;
    unsigned failures; /* in the present menu since it was entered */
    char digits[IVR_DIGITS_MAX + 1];
    unsigned depth;
    int stack[IVR_DEPTH_MAX]; /* menus the caller came through; the last is the present one */
};

struct ivr_steps {
    struct ivr_run *run;
    struct ivr_action *out;
    unsigned n;
    bool language_changed;
    char key; /* pressed during a play node and not used yet; 0 */
};

static struct ivr_action *ivr_act(struct ivr_steps *s, enum ivr_action_type type, const char *name)
{
    struct ivr_action *a = &s->out[s->n++];
    memset(a, 0, sizeof *a);
    a->type = type;
    a->name = name;
    return a;
}

static void ivr_act_timer(struct ivr_steps *s, uint32_t ms)
{
    ivr_act(s, IVR_ACT_TIMER, NULL)->ms = ms;
}

static void ivr_append(struct ivr_action *a, const struct ivr_prompt_list *list)
{
    for (unsigned i = 0; list && i < list->n; i++)
        a->prompts[a->n_prompts++] = list->at[i];
}

/* Tells that the run stays at its node for now. */
static const struct ivr_node *ivr_settle(struct ivr_steps *s, enum ivr_phase phase)
{
    struct ivr_run *r = s->run;
    const struct ivr_node *n = &r->flow->nodes[r->node];
    if (s->language_changed)
        ivr_act(s, IVR_ACT_LANGUAGE, r->flow->languages[r->language]);
    s->language_changed = false;
    ivr_act(s, IVR_ACT_MOVED, n->name);
    r->phase = phase;
    return n;
}

static void ivr_end(struct ivr_steps *s)
{
    s->run->phase = IVR_ENDED;
    ivr_act(s, IVR_ACT_HANGUP, NULL);
}

/* A menu, or another node that plays: `first` (may be NULL), then its prompts. */
static void ivr_play(struct ivr_steps *s, const struct ivr_prompt_list *first)
{
    const struct ivr_node *n = ivr_settle(s, IVR_PLAYING);
    if (n->prompts.n + (first ? first->n : 0) == 0) {
        s->run->phase = IVR_WAITING;
        ivr_act_timer(s, n->timeout_ms);
        return;
    }
    struct ivr_action *a = ivr_act(s, IVR_ACT_PLAY, n->name);
    a->barge_in = n->barge_in && n->type != IVR_NODE_HANGUP;
    ivr_append(a, first);
    ivr_append(a, &n->prompts);
}

/* Entering a menu that is on the stack already goes back to it. A full stack forgets the second: "top" stays right. */
static void ivr_push(struct ivr_run *r, int menu)
{
    for (unsigned i = 0; i < r->depth; i++)
        if (r->stack[i] == menu) {
            r->depth = i + 1;
            return;
        }
    if (r->depth == IVR_DEPTH_MAX) {
        memmove(&r->stack[1], &r->stack[2], (IVR_DEPTH_MAX - 2) * sizeof *r->stack);
        r->depth--;
    }
    r->stack[r->depth++] = menu;
}

static int ivr_back(const struct ivr_run *r)
{
    return r->depth ? r->stack[r->depth - 1] : IVR_NONE;
}

/* ---- menus ---- */

/* The target of exactly these digits or IVR_NONE; *longer: some key begins with them and goes on. */
static int ivr_match(const struct ivr_node *n, const char *digits, bool *longer)
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
static int ivr_menu_failed(struct ivr_steps *s, const struct ivr_prompt_list *prompts)
{
    struct ivr_run *r = s->run;
    const struct ivr_node *n = &r->flow->nodes[r->node];
    r->digits[0] = '\0';
    if (++r->failures <= n->retries) {
        ivr_play(s, prompts);
        return IVR_NONE;
    }
    if (n->on_fail == IVR_NONE)
        ivr_end(s);
    return n->on_fail;
}

static int ivr_menu_key(struct ivr_steps *s, char key)
{
    struct ivr_run *r = s->run;
    const struct ivr_node *n = &r->flow->nodes[r->node];
    bool longer;
    size_t len = strlen(r->digits);
    r->digits[len] = key; /* room: a run of IVR_DIGITS_MAX digits is never left waiting for more */
    r->digits[len + 1] = '\0';
    int target = ivr_match(n, r->digits, &longer);
    if (longer) {
        ivr_settle(s, IVR_WAITING);
        ivr_act_timer(s, n->digit_timeout_ms);
        return IVR_NONE;
    }
    return target == IVR_NONE ? ivr_menu_failed(s, &n->invalid) : target;
}

static int ivr_menu_timer(struct ivr_steps *s)
{
    const struct ivr_node *n = &s->run->flow->nodes[s->run->node];
    bool longer;
    if (!s->run->digits[0])
        return ivr_menu_failed(s, &n->timeout);
    int target = ivr_match(n, s->run->digits, &longer);
    return target == IVR_NONE ? ivr_menu_failed(s, &n->invalid) : target;
}

/* ---- walking ---- */

/* Enters one node. Returns the node to go on to, or IVR_NONE when the run has settled or ended. */
static int ivr_enter(struct ivr_steps *s, int at)
{
    struct ivr_run *r = s->run;
    const struct ivr_node *n = &r->flow->nodes[at];
    int to = IVR_NONE;
    r->node = at;
    r->failures = 0;
    r->digits[0] = '\0';
    switch (n->type) {
    case IVR_NODE_MENU:
        ivr_push(r, at);
        if (s->key && n->barge_in) {
            char key = s->key;
            s->key = 0;
            return ivr_menu_key(s, key);
        }
        ivr_play(s, NULL);
        return IVR_NONE;
    case IVR_NODE_PLAY:
        ivr_play(s, NULL);
        return IVR_NONE;
    case IVR_NODE_HANGUP:
        if (n->prompts.n) {
            ivr_play(s, NULL);
        } else {
            ivr_settle(s, IVR_ENDED);
            ivr_end(s);
        }
        return IVR_NONE;
    case IVR_NODE_QUEUE:
    case IVR_NODE_AGENT:
        ivr_settle(s, IVR_BUSY);
        ivr_act(s, n->type == IVR_NODE_QUEUE ? IVR_ACT_QUEUE : IVR_ACT_AGENT, n->target);
        return IVR_NONE;
    case IVR_NODE_LANGUAGE:
        r->language = n->language == IVR_TOGGLE ? (r->language + 1) % r->flow->n_languages : (unsigned)n->language;
        s->language_changed = true;
        to = n->next == IVR_NONE ? ivr_back(r) : n->next;
        break;
    case IVR_NODE_PARENT:
        if (r->depth > 1)
            r->depth--;
        to = ivr_back(r);
        break;
    case IVR_NODE_TOP:
        to = r->depth ? r->stack[0] : IVR_NONE;
        break;
    }
    if (to == IVR_NONE)
        ivr_end(s); /* the parser refuses such flows */
    return to;
}

static void ivr_walk(struct ivr_steps *s, int to)
{
    for (unsigned walked = 0; to != IVR_NONE; walked++) {
        if (walked == IVR_STEP_NODES_MAX) {
            ivr_end(s);
            return;
        }
        to = ivr_enter(s, to);
    }
}

static int ivr_on_key(struct ivr_steps *s, char key)
{
    struct ivr_run *r = s->run;
    const struct ivr_node *n = &r->flow->nodes[r->node];
    bool takes = n->type == IVR_NODE_MENU || n->type == IVR_NODE_PLAY;
    if (!key || !strchr("0123456789*#", key) || !takes)
        return IVR_NONE;
    if (r->phase == IVR_PLAYING) {
        if (!n->barge_in)
            return IVR_NONE;
        ivr_act(s, IVR_ACT_STOP, NULL);
    } else {
        ivr_act_timer(s, 0);
    }
    if (n->type == IVR_NODE_MENU)
        return ivr_menu_key(s, key);
    s->key = key;
    return n->next == IVR_NONE ? ivr_back(r) : n->next;
}

static int ivr_on_played(struct ivr_steps *s)
{
    struct ivr_run *r = s->run;
    const struct ivr_node *n = &r->flow->nodes[r->node];
    if (n->type == IVR_NODE_PLAY)
        return n->next == IVR_NONE ? ivr_back(r) : n->next;
    if (n->type == IVR_NODE_MENU) {
        r->phase = IVR_WAITING;
        ivr_act_timer(s, n->timeout_ms);
    } else {
        ivr_end(s);
    }
    return IVR_NONE;
}

static int ivr_on_failed(struct ivr_steps *s)
{
    struct ivr_run *r = s->run;
    int to = r->flow->nodes[r->node].on_fail;
    if (to == IVR_NONE)
        to = ivr_back(r);
    if (to == IVR_NONE)
        ivr_end(s);
    return to;
}

static void ivr_on_restored(struct ivr_steps *s)
{
    struct ivr_run *r = s->run;
    const struct ivr_node *n = &r->flow->nodes[r->node];
    switch (r->phase) {
    case IVR_IDLE:
        break;
    case IVR_PLAYING:
        ivr_play(s, NULL);
        break;
    case IVR_WAITING:
        ivr_act_timer(s, r->digits[0] ? n->digit_timeout_ms : n->timeout_ms);
        break;
    case IVR_BUSY:
        ivr_act(s, n->type == IVR_NODE_QUEUE ? IVR_ACT_QUEUE : IVR_ACT_AGENT, n->target);
        break;
    case IVR_ENDED:
        ivr_end(s);
        break;
    }
}

unsigned ivr_step(struct ivr_run *r, const struct ivr_event *ev, struct ivr_action *out)
{
    struct ivr_steps s = {.run = r, .out = out};
    int to = IVR_NONE;
    switch (ev->type) {
    case IVR_EV_START:
        if (r->phase == IVR_IDLE)
            to = r->flow->start;
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
            to = ivr_menu_timer(&s);
        break;
    case IVR_EV_FAILED:
        if (r->phase == IVR_BUSY)
            to = ivr_on_failed(&s);
        break;
    case IVR_EV_RESTORED:
        ivr_on_restored(&s);
        break;
    }
    ivr_walk(&s, to);
    return s.n;
}

/* ---- life and state ---- */

int ivr_run_new(struct ivr_flow *f, const char *language, struct ivr_run **out)
{
    struct ivr_run *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NOMEM;
    r->flow = ivr_flow_ref(f);
    r->node = f->start;
    for (unsigned i = 0; language && i < f->n_languages; i++)
        if (strcmp(f->languages[i], language) == 0)
            r->language = i;
    *out = r;
    return 0;
}

void ivr_run_free(struct ivr_run *r)
{
    if (!r)
        return;
    ivr_flow_unref(r->flow);
    free(r);
}

const char *ivr_run_node(const struct ivr_run *r)
{
    return r->flow->nodes[r->node].name;
}

const char *ivr_run_language(const struct ivr_run *r)
{
    return r->flow->languages[r->language];
}

/* "1 PHASE LANGUAGE NODE FAILURES DIGITS STACK": fields between single spaces, "-" for nothing, stack with commas. */
int ivr_save(const struct ivr_run *r, char *out, size_t size)
{
    int n = snprintf(out, size, "1 %c %s %s %u %s ", ivr_phase_letters[r->phase], ivr_run_language(r), ivr_run_node(r),
                     r->failures, r->digits[0] ? r->digits : "-");
    size_t at = n > 0 ? (size_t)n : 0;
    for (unsigned i = 0; i < r->depth && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? "," : "", r->flow->nodes[r->stack[i]].name);
    if (r->depth == 0 && at < size)
        at += (size_t)snprintf(out + at, size - at, "-");
    return at < size ? 0 : ERR_TOOBIG;
}

static int ivr_restore_stack(struct ivr_run *r, char *names)
{
    char *rest = names;
    for (char *name; strcmp(names, "-") != 0 && (name = strsep(&rest, ","));) {
        int at = ivr_flow_find(r->flow, name);
        if (at == IVR_NONE)
            return ERR_NOTFOUND;
        if (r->depth == IVR_DEPTH_MAX || r->flow->nodes[at].type != IVR_NODE_MENU)
            return ERR_INVAL;
        for (unsigned i = 0; i < r->depth; i++)
            if (r->stack[i] == at)
                return ERR_INVAL;
        r->stack[r->depth++] = at;
    }
    return 0;
}

/* Whether the parts fit together, so that a state from elsewhere can do no more than one of our own. */
static bool ivr_state_ok(const struct ivr_run *r)
{
    const struct ivr_node *n = &r->flow->nodes[r->node];
    bool menu = n->type == IVR_NODE_MENU, longer = true;
    if (menu && r->phase != IVR_IDLE && ivr_back(r) != r->node)
        return false;
    if (r->digits[0]) {
        ivr_match(n, r->digits, &longer);
        if (!menu || r->phase != IVR_WAITING || !longer)
            return false;
    }
    if (!menu && r->failures)
        return false;
    switch (r->phase) {
    case IVR_IDLE:
        return r->node == r->flow->start && r->depth == 0 && !r->failures;
    case IVR_PLAYING:
        return menu || n->type == IVR_NODE_PLAY || (n->type == IVR_NODE_HANGUP && n->prompts.n);
    case IVR_WAITING:
        return menu;
    case IVR_BUSY:
        return n->type == IVR_NODE_QUEUE || n->type == IVR_NODE_AGENT;
    case IVR_ENDED:
        return true;
    }
    return false;
}

static int ivr_restore_fields(struct ivr_run *r, char *text)
{
    char *field[7], *rest = text;
    unsigned n = 0;
    for (char *s; n < 7 && (s = strsep(&rest, " "));)
        field[n++] = s;
    if (n != 7 || rest || strcmp(field[0], "1") != 0 || strlen(field[1]) != 1 || strlen(field[4]) > 3 ||
        field[4][strspn(field[4], "0123456789")] || strlen(field[5]) > IVR_DIGITS_MAX)
        return ERR_INVAL;
    const char *phase = strchr(ivr_phase_letters, field[1][0]);
    if (!phase)
        return ERR_INVAL;
    r->phase = (enum ivr_phase)(phase - ivr_phase_letters);
    r->language = r->flow->n_languages;
    for (unsigned i = 0; i < r->flow->n_languages; i++)
        if (strcmp(r->flow->languages[i], field[2]) == 0)
            r->language = i;
    r->node = ivr_flow_find(r->flow, field[3]);
    if (r->node == IVR_NONE || r->language == r->flow->n_languages)
        return ERR_NOTFOUND;
    r->failures = (unsigned)strtoul(field[4], NULL, 10);
    if (strcmp(field[5], "-") != 0)
        snprintf(r->digits, sizeof r->digits, "%s", field[5]);
    int rc = ivr_restore_stack(r, field[6]);
    if (rc)
        return rc;
    return ivr_state_ok(r) ? 0 : ERR_INVAL;
}

int ivr_restore(struct ivr_flow *f, const char *state, struct ivr_run **out)
{
    if (strlen(state) >= IVR_STATE_MAX)
        return ERR_INVAL;
    char *text = strdup(state);
    struct ivr_run *r = NULL;
    int rc = text ? ivr_run_new(f, NULL, &r) : ERR_NOMEM;
    if (!rc)
        rc = ivr_restore_fields(r, text);
    free(text);
    if (rc)
        ivr_run_free(r);
    else
        *out = r;
    return rc;
}
