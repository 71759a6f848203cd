/* What happens when a run comes to a node. Each function returns the node to go on to, or IVR_NONE when the run has settled or
 * ended. */
#include <stdio.h>
#include <string.h>

#include "telephony/ivr_int.h"

/* Entering a menu that is on the stack already goes back to it. A full stack forgets the second: "top" stays right. */
static void ivr_push(struct ivr_frame *f, int menu)
{
    for (unsigned i = 0; i < f->depth; i++)
        if (f->stack[i] == menu) {
            f->depth = i + 1;
            return;
        }
    if (f->depth == IVR_DEPTH_MAX) {
        memmove(&f->stack[1], &f->stack[2], (IVR_DEPTH_MAX - 2) * sizeof *f->stack);
        f->depth--;
    }
    f->stack[f->depth++] = menu;
}

int ivr_enter_play(struct ivr_steps *s, const struct ivr_node *n)
{
    (void)n;
    ivr_play(s, NULL);
    return IVR_NONE;
}

/* A key that was pressed during a node before, while it played, is the first one here. */
int ivr_enter_collect(struct ivr_steps *s, const struct ivr_node *n)
{
    if (s->key && n->barge_in) {
        char key = s->key;
        s->key = 0;
        return ivr_take_key(s, key);
    }
    return ivr_enter_play(s, n);
}

int ivr_enter_menu(struct ivr_steps *s, const struct ivr_node *n)
{
    ivr_push(ivr_top(s->run), ivr_top(s->run)->node);
    return ivr_enter_collect(s, n);
}

int ivr_enter_hangup(struct ivr_steps *s, const struct ivr_node *n)
{
    if (n->prompts.n)
        return ivr_enter_play(s, n);
    ivr_settle(s, IVR_ENDED);
    ivr_end(s);
    return IVR_NONE;
}

/* ---- variables */

struct ivr_taint {
    const struct ivr_run *run;
    bool secret;
};

static const char *ivr_lookup_tainted(void *ctx, const char *name)
{
    struct ivr_taint *t = ctx;
    bool secret;
    const char *value = ivr_run_variable(t->run, name, &secret);
    t->secret |= secret;
    return value;
}

/* All values are made before the first variable is set: their order does not matter. What is made of a secret is one. */
static void ivr_set_all(struct ivr_run *r, const struct ivr_node *n)
{
    char values[IVR_SETS_MAX][IVR_VALUE_MAX];
    bool secret[IVR_SETS_MAX];
    for (unsigned i = 0; i < n->n_sets; i++) {
        const struct ivr_set *set = &n->sets[i];
        struct ivr_taint t = {r, false};
        if (set->value)
            ivr_expr_text(set->value, ivr_lookup_tainted, &t, values[i], sizeof values[i]);
        else
            (void)ivr_text_fill(set->text, IVR_TEXT_PLAIN, ivr_lookup_tainted, &t, values[i], sizeof values[i]);
        secret[i] = t.secret;
    }
    for (unsigned i = 0; i < n->n_sets; i++)
        (void)ivr_vars_set(&r->vars, n->sets[i].name, values[i], secret[i]);
    explicit_bzero(values, sizeof values);
}

void ivr_declare(struct ivr_run *r, const struct ivr_flow *f)
{
    for (unsigned i = 0; i < f->n_variables; i++)
        if (!ivr_vars_get(&r->vars, f->variables[i].name, NULL))
            (void)ivr_vars_set(&r->vars, f->variables[i].name, f->variables[i].text, false);
}

int ivr_enter_set(struct ivr_steps *s, const struct ivr_node *n)
{
    ivr_set_all(s->run, n);
    return n->next;
}

int ivr_enter_branch(struct ivr_steps *s, const struct ivr_node *n)
{
    for (unsigned i = 0; i < n->n_cases; i++)
        if (ivr_expr_true(n->cases[i].condition, ivr_lookup, s->run))
            return n->cases[i].target;
    return n->next;
}

/* ---- what the owner has to do first */

int ivr_enter_ask(struct ivr_steps *s, const struct ivr_node *n)
{
    ivr_settle(s, IVR_BUSY);
    ivr_kind_of(n)->ask(s, n);
    return IVR_NONE;
}

void ivr_ask_time(struct ivr_steps *s, const struct ivr_node *n)
{
    ivr_act(s, IVR_ACT_TIME, n->name);
}

int ivr_enter_http(struct ivr_steps *s, const struct ivr_node *n)
{
    s->run->asked++;
    return ivr_enter_ask(s, n);
}

void ivr_ask_http(struct ivr_steps *s, const struct ivr_node *n)
{
    ivr_act(s, IVR_ACT_HTTP, n->name);
}

int ivr_enter_queue(struct ivr_steps *s, const struct ivr_node *n)
{
    ivr_set_all(s->run, n);
    snprintf(s->run->queue, sizeof s->run->queue, "%s", n->target);
    return ivr_enter_ask(s, n);
}

void ivr_ask_queue(struct ivr_steps *s, const struct ivr_node *n)
{
    struct ivr_run *r = s->run;
    if (n->needs) {
        r->need = n->need;
        (void)ivr_text_fill(n->need.agent ? n->need.agent : "", IVR_TEXT_PLAIN, ivr_lookup, r, r->need_agent,
                            sizeof r->need_agent);
        r->need.agent = r->need_agent[0] ? r->need_agent : NULL;
    }
    ivr_act(s, IVR_ACT_QUEUE, n->target)->need = n->needs ? &r->need : NULL;
}

void ivr_ask_notices(struct ivr_steps *s, const struct ivr_node *n)
{
    struct ivr_run *r = s->run;
    (void)ivr_text_fill(n->area ? n->area : "${area}", IVR_TEXT_PLAIN, ivr_lookup, r, r->target, sizeof r->target);
    ivr_act(s, IVR_ACT_NOTICES, r->target);
}

void ivr_ask_agent(struct ivr_steps *s, const struct ivr_node *n)
{
    struct ivr_run *r = s->run;
    (void)ivr_text_fill(n->target, IVR_TEXT_PLAIN, ivr_lookup, r, r->target, sizeof r->target);
    ivr_act(s, IVR_ACT_AGENT, r->target);
}

void ivr_ask_outside(struct ivr_steps *s, const struct ivr_node *n)
{
    struct ivr_run *r = s->run;
    (void)ivr_text_fill(n->number, IVR_TEXT_PLAIN, ivr_lookup, r, r->target, sizeof r->target);
    (void)ivr_text_fill(n->caller_id ? n->caller_id : "", IVR_TEXT_PLAIN, ivr_lookup, r, r->caller_id,
                        sizeof r->caller_id);
    r->outside = (struct ivr_outside){.trunk = n->target, .caller_id = r->caller_id, .ring_time_s = n->ring_time_s};
    ivr_act(s, IVR_ACT_OUTSIDE, r->target)->outside = &r->outside;
}

/* ---- flows within flows */

/* Goes on in the language that the caller hears now, if the flow has it. */
static void ivr_keep_language(struct ivr_steps *s, struct ivr_frame *f, const char *now)
{
    int same = ivr_flow_language(f->flow, now);
    if (same != IVR_NONE)
        f->language = (unsigned)same;
    s->language_changed |= strcmp(f->flow->languages[f->language], now) != 0;
}

int ivr_enter_flow(struct ivr_steps *s, const struct ivr_node *n)
{
    struct ivr_run *r = s->run;
    struct ivr_frame f = {.node = IVR_NONE};
    if (r->flows && r->n_frames <= IVR_CALLS_MAX)
        f.flow = r->flows->get(r->flows->ctx, n->target, &f.version);
    if (!f.flow)
        return n->on_fail == IVR_NONE ? ivr_back_or_end(s) : n->on_fail;
    ivr_keep_language(s, &f, ivr_run_language(r));
    r->frames[r->n_frames++] = f;
    ivr_declare(r, f.flow);
    return f.flow->start;
}

int ivr_enter_return(struct ivr_steps *s, const struct ivr_node *n)
{
    struct ivr_run *r = s->run;
    (void)n;
    if (r->n_frames == 1) { /* nobody called */
        ivr_settle(s, IVR_ENDED);
        ivr_end(s);
        return IVR_NONE;
    }
    struct ivr_frame *done = ivr_top(r);
    const char *was = done->flow->languages[done->language];
    r->n_frames--;
    /* What the called flow could not speak it has not chosen against. */
    if (ivr_flow_language(done->flow, ivr_run_language(r)) != IVR_NONE)
        ivr_keep_language(s, ivr_top(r), was);
    s->language_changed |= strcmp(ivr_run_language(r), was) != 0;
    ivr_flow_unref(done->flow);
    return ivr_present(r)->next;
}

/* ---- language, and back */

int ivr_enter_language(struct ivr_steps *s, const struct ivr_node *n)
{
    struct ivr_frame *f = ivr_top(s->run);
    f->language = n->language == IVR_TOGGLE ? (f->language + 1) % f->flow->n_languages : (unsigned)n->language;
    s->language_changed = true;
    return n->next == IVR_NONE ? ivr_back_or_end(s) : n->next;
}

int ivr_enter_parent(struct ivr_steps *s, const struct ivr_node *n)
{
    struct ivr_frame *f = ivr_top(s->run);
    (void)n;
    if (f->depth > 1)
        f->depth--;
    return ivr_back_or_end(s);
}

int ivr_enter_top(struct ivr_steps *s, const struct ivr_node *n)
{
    const struct ivr_frame *f = ivr_top(s->run);
    (void)n;
    return f->depth ? f->stack[0] : ivr_back_or_end(s);
}
