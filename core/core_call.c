/* Calls from CallStart to CallEnd, but for offers (core_offer.c).
 *
 *   CallStart ─► APP | MENU | WAITING | DIALLING | FAILED
 *   MENU ─CallQueue─► WAITING ─(engine)─► OFFERED ─OfferAnswered─► TALKING
 *        ─CallDial─► DIALLING ───────────────────── OfferAnswered─► TALKING
 *   OFFERED ─OfferFailed─► WAITING (very front);  DIALLING ─OfferFailed─► MENU if it came from there, else FAILED
 *   TALKING ─CallTransfer─► DIALLING | WAITING | MENU with the party that stays (core_transfer.c)
 *   DIALLING | WAITING of a call that is rung for another one ─OfferAnswered─► JOINED (core_join.c)
 *   any ─CallEnd─► gone, with one record */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"

const char *core_call_phase_name(enum core_call_phase p)
{
    static const char *const names[] = {"app",     "menu",   "waiting", "offered", "dialling",
                                        "talking", "failed", "notice",  "joined"};
    return (unsigned)p < 9 ? names[p] : "unknown";
}

struct call *core_call_obj(const struct core *c, uint64_t id)
{
    return map_get_u64(&c->calls, id);
}

const struct core_call *core_call(const struct core *c, uint64_t call_id)
{
    const struct call *k = core_call_obj(c, call_id);
    return k ? &k->pub : NULL;
}

uint32_t core_queue_position(const struct core *c, uint64_t call_id)
{
    const struct call *k = core_call_obj(c, call_id);
    return k && k->st->phase == CORE_CALL_WAITING ? acd_position(c->acd, call_id) : 0;
}

static int by_id(const void *a, const void *b)
{
    const struct call *x = *(struct call *const *)a, *y = *(struct call *const *)b;
    return x->pub.id < y->pub.id ? -1 : x->pub.id > y->pub.id;
}

/* The sorted list is a cache: made when somebody walks the calls, dropped when one comes or goes. */
static void sort_calls(struct core *c)
{
    c->sorted = core_grow(c->sorted, map_count(&c->calls) * sizeof(struct call *));
    c->n_sorted = 0;
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->calls, &it, &slot);)
        c->sorted[c->n_sorted++] = slot->value;
    if (c->n_sorted)
        qsort(c->sorted, c->n_sorted, sizeof *c->sorted, by_id);
    for (size_t i = 0; i < c->n_sorted; i++)
        c->sorted[i]->order = i;
    c->sorted_ok = true;
}

const struct core_call *core_call_next(const struct core *cc, const struct core_call *after, const char *owner)
{
    struct core *c = (struct core *)(uintptr_t)cc;
    if (!c->sorted_ok)
        sort_calls(c);
    size_t i = 0;
    if (after)
        i = list_entry(after, struct call, pub)->order + 1;
    for (; i < c->n_sorted; i++) {
        if (!owner || strcmp(c->sorted[i]->st->owner, owner) == 0)
            return &c->sorted[i]->pub;
    }
    return NULL;
}

/* ---- memory and rows */

void core_call_publish(struct call *k)
{
    const Ev__CallState *s = k->st;
    struct core_call *p = &k->pub;
    p->id = s->call_id;
    p->owner = s->owner;
    p->epoch = s->epoch;
    p->phase = (enum core_call_phase)s->phase;
    p->caller = s->caller;
    p->caller_name = s->caller_name;
    p->called = s->called;
    p->trunk = s->trunk;
    p->extension = s->extension;
    p->we_call = s->we_call;
    p->via_agent = s->via_agent;
    p->former_owner = s->former_owner;
    p->answered = s->answered;
    p->app = s->app;
    p->app_argument = s->app_argument;
    p->flow = s->flow;
    p->flow_node = s->flow_node;
    p->flow_state = s->flow_state;
    p->language = s->language;
    p->notice = s->notice;
    p->notices_done = s->notices_done;
    p->wait_notice = s->wait_notice;
    p->callback_noted = s->callback_noted;
    p->variables = s->variables;
    p->parted_us = s->parted_us;
    p->customer = s->customer;
    p->notes = s->notes;
    p->data = s->data;
    p->n_flows = s->n_flows;
    p->flows = s->flows;
    p->queue = s->queue;
    p->priority = s->priority;
    core_ring_publish(k);
    p->out_trunk = s->out_trunk;
    p->out_caller = s->out_caller;
    p->forward = s->forward;
    p->vip = s->vip;
    p->acted = s->acted;
    p->fail_status = (int)s->fail_status;
    p->fail_cause = s->fail_cause;
    p->n_legs = s->n_legs < CORE_LEGS_MAX ? s->n_legs : CORE_LEGS_MAX;
    for (size_t i = 0; i < p->n_legs; i++) {
        const Ev__LegState *l = s->legs[i];
        p->legs[i] = (struct core_leg){.id = l->id,
                                       .role = (enum core_leg_role)l->role,
                                       .answered = l->answered,
                                       .held = l->held,
                                       .holds = l->holds,
                                       .muted = l->muted,
                                       .number = l->number,
                                       .agent = l->agent,
                                       .joined_us = l->joined_us,
                                       .from_call = l->from_call,
                                       .from_leg = l->from_leg,
                                       .from_callee = l->from_callee,
                                       .dialog = l->dialog};
    }
    p->arrived_us = s->arrived_us;
    p->answered_us = s->answered_us;
    p->menu_us = s->menu_us;
    p->queued_us = s->queued_us;
    p->entered_us = s->entered_us;
    p->offered_us = s->offered_us;
    p->connected_us = s->connected_us;
    p->held_us = s->held_us;
    p->menu_moved_us = s->menu_moved_us;
    p->taken_over_us = s->taken_over_us;
    p->recording = s->recording;
    p->transfers = s->transfers;
    p->left = s->left;
    p->left_trunk = s->left_trunk;
    p->left_us = s->left_us;
    p->n_left_before = s->n_left_before;
    p->left_before = s->left_before;
    p->recall = s->recall;
    p->answer_offer = s->answer_offer;
    p->answer_asks = s->answer_asks;
    p->hung_up = s->hung_up;
    p->supervisor = s->supervisor;
    p->supervises = s->supervises;
    p->hung_up_by = s->hung_up_by;
    p->recorded_us = s->recorded_us;
    p->recording_paused = s->recording_paused;
    p->joined = s->joined;
    p->mode = (enum core_call_mode)s->mode;
    p->joined_leg = s->joined_leg;
    p->turned_to = s->turned_to;
    p->turned_leg = s->turned_leg;
    p->merges = s->merges;
    p->went_into = s->went_into;
}

void core_call_touch(struct core *c, struct call *k)
{
    core_call_publish(k);
    core_telephones_changed(c, k);
    core_wait_set(c, k);
    if (list_empty(&k->dirty))
        list_push_back(&c->dirty_calls, &k->dirty);
    if (!k->told)
        core_tell(c, CORE_EV_CALL, k->pub.id, "", "");
    k->told = true;
}

void core_calls_flush(struct core *c)
{
    list_foreach_safe(it, &c->dirty_calls) {
        struct call *k = list_entry(it, struct call, dirty);
        const Ev__CallState *s = k->st;
        size_t len;
        const uint8_t *body = core_packed(c, &s->base, &len);
        const char *agent = s->offer_agent;
        if (!agent[0] && core_leg_served(s))
            agent = core_leg_served(s)->agent;
        const struct storage_val v[] = {storage_int(s->call_id), storage_text(s->owner),    storage_int(s->phase),
                                        storage_text(s->queue),  storage_text(agent),       storage_int(s->priority),
                                        storage_int(s->front),   storage_int(s->queued_us), storage_blob(body, len)};
        storage_run(c->st, STORAGE_CALL_PUT, v, 9);
        k->stored = true;
        k->told = false;
        list_del(it);
    }
}

void core_call_free(struct call *k)
{
    list_del(&k->dirty);
    list_del(&k->ringing);
    list_del(&k->party);
    list_del(&k->parties);
    ev__call_state__free_unpacked(k->st, NULL);
    free(k->rung);
    free(k);
}

Ev__LegState *core_call_add_leg(struct call *k, enum core_leg_role role, const char *number, const char *agent)
{
    Ev__CallState *s = k->st;
    s->legs = core_grow(s->legs, (s->n_legs + 1) * sizeof(Ev__LegState *));
    Ev__LegState *l = core_alloc(sizeof *l);
    ev__leg_state__init(l);
    l->id = ++s->next_leg;
    l->role = role;
    core_pbset(&l->number, number);
    core_pbset(&l->agent, agent);
    s->legs[s->n_legs++] = l;
    return l;
}

void core_call_acked(struct call *k, bool acked)
{
    Ev__Dialog *d = k->st->n_legs ? k->st->legs[0]->dialog : NULL;
    if (acked && d)
        core_pbset(&d->invite_text, "");
}

/* ---- telephones that take part */

void core_call_part_add(struct call *k, struct ext *e)
{
    if (e->n_calls == e->cap_calls) {
        e->cap_calls = e->cap_calls ? e->cap_calls * 2 : 2;
        e->calls = core_grow(e->calls, e->cap_calls * sizeof(struct call *));
    }
    e->calls[e->n_calls++] = k;
}

void core_call_join(struct core *c, struct call *k, struct ext *e)
{
    core_call_part_add(k, e);
    core_telephone_changed(c, e);
    if (e->agent)
        core_agent_refresh(c, e->agent);
}

void core_call_leave(struct core *c, struct call *k, struct ext *e)
{
    unsigned i = 0;
    while (e->calls[i] != k)
        i++;
    e->calls[i] = e->calls[--e->n_calls];
    core_telephone_changed(c, e);
    if (e->agent)
        core_agent_refresh(c, e->agent);
    core_ext_tidy(c, e);
}

void core_call_set_caller(struct core *c, struct call *k, const char *extension)
{
    struct ext *old = k->caller;
    k->caller = NULL;
    if (extension && extension[0]) {
        k->caller = core_ext(c, extension);
        core_call_join(c, k, k->caller);
    }
    if (old)
        core_call_leave(c, k, old);
}

void core_call_set_callee(struct core *c, struct call *k, const char *extension)
{
    struct ext *old = k->callee;
    k->callee = NULL;
    if (extension && extension[0]) {
        k->callee = core_ext(c, extension);
        core_call_join(c, k, k->callee);
    }
    if (old)
        core_call_leave(c, k, old);
}

void core_call_fail(struct core *c, struct call *k, uint32_t status, const char *cause)
{
    k->st->phase = CORE_CALL_FAILED;
    k->st->fail_status = status;
    core_pbset(&k->st->fail_cause, cause);
    core_call_touch(c, k);
    core_join_leave(c, k, cause);
}

struct call *core_call_of(struct core *c, uint64_t id)
{
    struct call *k = core_call_obj(c, id);
    c->ans->call_id = id;
    if (!k) {
        (void)core_refuse(c, ERR_NOTFOUND, "call_id", "there is no such call");
        return NULL;
    }
    if (strcmp(k->st->owner, c->cmd->node) != 0) {
        (void)core_refuse(c, ERR_STALE, "node", "the call is owned by node %.64s", k->st->owner);
        return NULL;
    }
    if (c->cmd->call_epoch && c->cmd->call_epoch != k->st->epoch) {
        (void)core_refuse(c, ERR_STALE, "call_epoch", "the call has changed hands: epoch %u", k->st->epoch);
        return NULL;
    }
    return k;
}

/* ---- CallStart */

int core_call_check_new(struct core *c, const Ev__CallStart *m)
{
    c->ans->call_id = m->call_id;
    const struct core_node *n = core_node(c, c->cmd->node);
    if (!n || !n->up)
        return core_refuse(c, ERR_BADSTATE, "node", "node %.64s is not up", c->cmd->node);
    if (!m->call_id)
        return core_refuse(c, ERR_INVAL, "call_id", "a call needs an id");
    const struct storage_val id = storage_int(m->call_id);
    if (core_call_obj(c, m->call_id) || storage_query(c->st, STORAGE_CDR_HAS, &id, 1, core_row_some, NULL) == 1)
        return core_refuse(c, ERR_EXISTS, "call_id", "the id has been used");
    if ((m->trunk[0] != '\0') == (m->extension[0] != '\0'))
        return core_refuse(c, ERR_INVAL, "trunk", "a call comes from a trunk or from an extension");
    if (m->extension[0]) {
        const Ev__Extension *x = core_extension(c, m->extension);
        if (!x || x->disabled)
            return core_refuse(c, ERR_DENIED, "extension", "there is no extension %.64s in use", m->extension);
    } else {
        const struct cfg *t = core_cfg(c, CFG_TRUNK, m->trunk);
        if (!t || ((const Ev__Trunk *)(const void *)t->msg)->disabled)
            return core_refuse(c, ERR_DENIED, "trunk", "there is no trunk %.64s in use", m->trunk);
    }
    return 0;
}

static int check_start(struct core *c, const Ev__CallStart *m, struct core_route *r)
{
    int err = core_call_check_new(c, m);
    if (err)
        return err;
    core_route(c, c->now_us, m->extension[0] ? m->extension : NULL, m->called, r);
    if (r->kind == CORE_ROUTE_NONE)
        return core_refuse(c, ERR_NOTFOUND, "called", "there is no number %.64s", m->called);
    return 0;
}

/* What the number that was called says about its callers. */
static void describe_caller(Ev__CallState *s, const Ev__AccessNumber *a)
{
    if (!a)
        return;
    s->vip = a->vip;
    core_pbset(&s->region, a->region);
    core_pbset(&s->dedicated, a->dedicated_agent);
    core_call_set_needs(s, a->n_skills, a->skills);
}

struct call *core_call_new(struct core *c, uint64_t id)
{
    struct call *k = core_alloc(sizeof *k);
    Ev__CallState *s = core_alloc(sizeof *s);
    ev__call_state__init(s);
    k->st = s;
    list_init(&k->dirty);
    list_init(&k->ringing);
    list_init(&k->parties);
    list_init(&k->party);
    s->call_id = id;
    s->epoch = 1;
    s->arrived_us = c->now_us;
    core_call_publish(k);
    if (map_set_u64(&c->calls, id, k) != 0)
        core_oom();
    c->sorted_ok = false;
    return k;
}

struct call *core_call_make(struct core *c, Ev__CallStart *m)
{
    struct call *k = core_call_new(c, m->call_id);
    Ev__CallState *s = k->st;
    c->calls_total++;
    core_pbset(&s->owner, c->cmd->node);
    core_pbset(&s->caller, m->caller);
    core_pbset(&s->caller_name, m->caller_name);
    core_pbset(&s->called, m->called);
    core_pbset(&s->trunk, m->trunk);
    core_pbset(&s->extension, m->extension);
    s->withheld = m->withheld && c->feature_level >= 4;
    Ev__LegState *l = core_call_add_leg(k, CORE_LEG_CALLER, m->extension[0] ? m->extension : m->caller, "");
    l->dialog = m->dialog; /* taken over: the command lets go of it */
    m->dialog = NULL;
    s->phase = CORE_CALL_APP;
    core_call_set_caller(c, k, m->extension);
    /* the agent who calls is shown on his own leg */
    if (k->caller && k->caller->agent)
        core_pbset(&s->legs[0]->agent, k->caller->agent->number);
    core_call_publish(k);
    return k;
}

void core_call_answer_now(struct core *c, struct call *k)
{
    k->st->answered = k->st->legs[0]->answered = true;
    k->st->answered_us = c->now_us;
    core_call_touch(c, k);
    core_ev_call(c, "call.answered", k);
}

/* A caller whom a full queue refuses is never answered: the owner sends the refusal instead of the 200. */
static bool refused_at_once(struct core *c, const struct core_route *r)
{
    if (r->kind != CORE_ROUTE_QUEUE)
        return false;
    const Ev__Queue *q = core_queue_config(c, r->name);
    if (core_queue_full(c, r->name))
        return !q->full_action || core_action_only_ends(q->full_action);
    return core_queue_unattended(c, r->name) && core_action_only_ends(q->no_agents_action);
}

/* Straight to somebody who is rung. */
static void dial_route(struct core *c, struct call *k, const struct core_route *r)
{
    struct core_dial_to to = {.agent = "", .extension = "", .number = "", .trunk = "", .caller_id = ""};
    uint32_t status;
    const char *cause;
    if (r->kind == CORE_ROUTE_AGENT)
        to.agent = r->name;
    else if (r->kind == CORE_ROUTE_EXTENSION)
        to.extension = r->name;
    else
        to.number = r->name;
    if (core_dial(c, k, &to, &status, &cause) != 0)
        core_call_fail(c, k, status, cause);
}

static void lead(struct core *c, struct call *k, const struct core_route *r)
{
    Ev__CallState *s = k->st;
    switch (r->kind) {
    case CORE_ROUTE_APP:
        core_pbset(&s->app, r->name);
        core_pbset(&s->app_argument, r->argument);
        break;
    case CORE_ROUTE_FLOW:
        s->phase = CORE_CALL_MENU;
        s->menu_us = c->now_us;
        core_pbset(&s->flow, r->name);
        if (c->feature_level >= 3)
            core_flow_began(c, s);
        break;
    case CORE_ROUTE_QUEUE:
        core_pbset(&s->queue, r->name);
        core_queue_enter(c, k, false);
        break;
    case CORE_ROUTE_EXTENSION:
    case CORE_ROUTE_AGENT:
    case CORE_ROUTE_OUTSIDE:
        dial_route(c, k, r);
        break;
    case CORE_ROUTE_NONE:
        break;
    }
    core_call_touch(c, k);
}

void core_call_lead(struct core *c, struct call *k)
{
    struct core_route r;
    const char *extension = k->st->extension;
    core_route(c, c->now_us, extension[0] ? extension : NULL, k->st->called, &r);
    k->st->phase = CORE_CALL_APP;
    if (r.kind == CORE_ROUTE_NONE)
        core_call_fail(c, k, 480, "no_number"); /* it was removed meanwhile */
    else
        lead(c, k, &r);
}

int core_call_start(struct core *c, Ev__CallStart *m)
{
    struct core_route r;
    if (m->replaces)
        return core_replace_start(c, m);
    int err = check_start(c, m, &r);
    if (err)
        return err;
    struct call *k = core_call_make(c, m);
    core_pbset(&k->st->language, r.language);
    k->st->priority = r.priority;
    describe_caller(k->st, core_access_number(c, m->called));
    core_call_touch(c, k);
    core_ev_call(c, "call.started", k);
    /* From level 3 on it is where the call leads that says so: the owner asked before this, and hours may have ended since. */
    bool at_once = c->feature_level >= 3 ? core_route_answers(r.kind) : m->answered;
    if (m->trunk[0] && core_blacklisted(c, m->caller, CORE_CALL_IN)) {
        core_call_fail(c, k, 603, "blacklisted");
        return 0;
    }
    bool answer = at_once && !refused_at_once(c, &r);
    if (answer)
        core_call_answer_now(c, k);
    if (answer && (r.kind == CORE_ROUTE_FLOW || r.kind == CORE_ROUTE_QUEUE) && core_notice_begin(c, k))
        return 0;
    lead(c, k, &r);
    return 0;
}

/* ---- on the way */

void core_dialog_take(Ev__Dialog **slot, Ev__Dialog **from)
{
    if (!*from)
        return;
    if (*slot)
        ev__dialog__free_unpacked(*slot, NULL);
    *slot = *from;
    *from = NULL;
}

int core_call_answered(struct core *c, Ev__CallAnswered *m)
{
    struct call *k = core_call_of(c, m->call_id);
    if (!k)
        return c->ans->code;
    if (k->st->answered || !k->st->n_legs)
        return core_refuse(c, ERR_STALE, "call_id", "the call was answered before");
    core_dialog_take(&k->st->legs[0]->dialog, &m->dialog);
    core_call_answer_now(c, k);
    return 0;
}

int core_call_menu(struct core *c, const Ev__CallMenu *m)
{
    struct call *k = core_call_of(c, m->call_id);
    if (!k)
        return c->ans->code;
    Ev__CallState *s = k->st;
    if (s->phase != CORE_CALL_MENU)
        return core_refuse(c, ERR_BADSTATE, "call_id", "the call is not in a menu");
    if (c->feature_level >= 4 && m->need && m->need->has_priority && m->need->priority > ACD_PRIORITY_MAX)
        return core_refuse(c, ERR_RANGE, "need.priority", "at most %u", ACD_PRIORITY_MAX);
    if (core_message_check(c, k, m))
        return c->ans->code;
    core_pbset(&s->flow, m->flow);
    core_pbset(&s->flow_node, m->node);
    core_pbset(&s->flow_state, m->state);
    core_call_acked(k, m->caller_acked);
    core_flow_moved(s, m, c->feature_level);
    if (m->has_variables && c->feature_level >= 4)
        core_rating_said(c, k, m->variables);
    core_path_moved(c, s, m);
    core_message_drop(c, k, m->drop_message);
    core_message_begin(c, k, m->record);
    s->menu_moved_us = c->now_us;
    if (m->language[0])
        core_pbset(&s->language, m->language);
    s->fail_status = 0; /* the flow has gone on */
    s->notices_done = s->callback_noted = false;
    core_pbset(&s->fail_cause, "");
    core_call_touch(c, k);
    core_ev_call(c, "call.menu", k);
    return 0;
}

/* What the flow says about the caller. */
static int check_described(struct core *c, const Ev__CallQueue *m)
{
    struct acd_skill needs[ACD_NEEDS_MAX];
    if (m->priority > ACD_PRIORITY_MAX + 1)
        return core_refuse(c, ERR_RANGE, "priority", "at most %u", ACD_PRIORITY_MAX);
    if (m->n_needs > ACD_NEEDS_MAX)
        return core_refuse(c, ERR_TOOBIG, "needs", "at most %u skills", ACD_NEEDS_MAX);
    unsigned n = queue_needs(m->needs, m->n_needs, needs);
    for (unsigned i = 0; i < m->n_needs; i++) {
        if (!core_fits(m->needs[i]->skill, CORE_NAME_MAX))
            return core_refuse(c, ERR_INVAL, "needs", "a skill has 1 to %u bytes", CORE_NAME_MAX - 1);
    }
    if (n < m->n_needs)
        return core_refuse(c, ERR_INVAL, "needs", "a skill is given twice");
    if (m->agent[0] && !core_agent_obj(c, m->agent))
        return core_refuse(c, ERR_NOTFOUND, "agent", "there is no agent %.64s", m->agent);
    return 0;
}

static void describe(Ev__CallState *s, const Ev__CallQueue *m)
{
    s->priority = m->priority ? m->priority - 1 : s->priority;
    if (m->n_needs)
        core_call_set_needs(s, m->n_needs, m->needs);
    if (m->agent[0])
        core_pbset(&s->dedicated, m->agent);
}

int core_call_queue(struct core *c, const Ev__CallQueue *m)
{
    struct call *k = core_call_of(c, m->call_id);
    if (!k)
        return c->ans->code;
    if (m->choice[0])
        return core_wait_choose(c, k, m->choice);
    if (k->st->phase != CORE_CALL_MENU)
        return core_refuse(c, ERR_BADSTATE, "call_id", "the call is not in a menu");
    if (!core_queue_obj(c, m->queue))
        return core_refuse(c, ERR_NOTFOUND, "queue", "there is no queue %.64s", m->queue);
    if (core_queue_full(c, m->queue) && !core_queue_config(c, m->queue)->full_action)
        return core_refuse(c, ERR_BUSY, "queue", "queue %.64s is full", m->queue);
    int err = check_described(c, m);
    if (err)
        return err;
    describe(k->st, m);
    core_path_left(c, k->st, "queue");
    core_pbset(&k->st->queue, m->queue);
    core_call_acked(k, m->caller_acked);
    core_queue_enter(c, k, false);
    return 0;
}

int core_call_dial(struct core *c, const Ev__CallDial *m)
{
    struct call *k = core_call_of(c, m->call_id);
    if (!k)
        return c->ans->code;
    if (k->st->phase != CORE_CALL_MENU)
        return core_refuse(c, ERR_BADSTATE, "call_id", "the call is not in a menu");
    bool outside = m->number[0] != '\0';
    if (outside && !config_is_outside(m->number))
        return core_refuse(c, ERR_INVAL, "number", "is no number that can be called outside");
    if (m->caller_id[0] && !config_is_outside(m->caller_id))
        return core_refuse(c, ERR_INVAL, "caller_id", "is no number that can be shown outside");
    if (m->ring_time_s > CORE_DIAL_RING_MAX_S)
        return core_refuse(c, ERR_INVAL, "ring_time_s", "at most %u s", CORE_DIAL_RING_MAX_S);
    const struct core_dial_to to = {.agent = m->agent,
                                    .extension = m->extension,
                                    .number = m->number,
                                    .trunk = m->trunk,
                                    .caller_id = m->caller_id,
                                    .ring_time_s = m->ring_time_s};
    uint32_t status;
    const char *cause;
    int err = core_dial(c, k, &to, &status, &cause);
    if (err)
        return core_refuse(c, err,
                           outside       ? "number"
                           : m->agent[0] ? "agent"
                                         : "extension",
                           "cannot be called now: %s", cause);
    k->st->from_menu = k->st->phase == CORE_CALL_DIALLING; /* unless it was forwarded to where nobody rings */
    core_path_left(c, k->st, "dial");
    core_call_acked(k, m->caller_acked);
    core_call_touch(c, k);
    return 0;
}

int core_leg_update(struct core *c, Ev__LegUpdate *m)
{
    struct call *k = core_call_of(c, m->call_id);
    if (!k)
        return c->ans->code;
    Ev__LegState *l = NULL;
    bool held = false;
    for (size_t i = 0; i < k->st->n_legs; i++) {
        if (k->st->legs[i]->id == m->leg_id)
            l = k->st->legs[i];
        else
            held = held || k->st->legs[i]->held;
        held = held || k->st->legs[i]->holds;
    }
    if (!l)
        return core_refuse(c, ERR_NOTFOUND, "leg_id", "there is no such leg");
    core_dialog_take(&l->dialog, &m->dialog);
    l->held = m->held;
    held = held || m->held;
    k->st->held_us = !held ? 0 : k->st->held_us ? k->st->held_us : c->now_us;
    core_call_touch(c, k);
    return 0;
}

/* ---- the end */

void core_call_finish(struct core *c, struct call *k, const char *by, const char *cause, uint32_t status,
                      size_t n_quality, Ev__LegQuality *const *quality)
{
    Ev__CallState *s = k->st;
    core_join_over(c, k);
    core_estimate_ended(c, k, by);
    if (s->phase == CORE_CALL_WAITING) {
        if (acd_dequeue(c->acd, s->call_id) == 0)
            core_queues_touch(c, k);
    } else if (s->phase == CORE_CALL_TALKING) {
        c->talking--;
        core_state_wrap_up(c, k);
    } else if (s->phase == CORE_CALL_JOINED) {
        core_state_wrap_up(c, k);
    }
    core_join_leave(c, k, cause);
    cause = core_callback_cause(c, k, cause);
    c->calls_total += core_first_rings(k); /* counted when it is answered, or has a record without that */
    core_cdr_write(c, k, by, cause, status, n_quality, quality);
    core_served_keep(c, k);
    core_callback_ended(c, k, cause);
    core_record_call_over(c, k);
    if (!k->told)
        core_tell(c, CORE_EV_CALL, s->call_id, "", "");
    k->told = true;
    core_tell(c, CORE_EV_CDR, s->call_id, "", "");
    core_call_remove(c, k);
}

void core_call_remove(struct core *c, struct call *k)
{
    Ev__CallState *s = k->st;
    if (s->offer_id)
        core_ring_clear(c, k);
    core_call_set_callee(c, k, NULL);
    core_call_set_caller(c, k, NULL);
    if (!k->told)
        core_tell(c, CORE_EV_CALL, s->call_id, "", "");
    if (k->stored) {
        const struct storage_val v = storage_int(s->call_id);
        storage_run(c->st, STORAGE_CALL_DEL, &v, 1);
    }
    heap_remove(&c->waits, &k->wait);
    (void)map_del_u64(&c->calls, s->call_id);
    c->sorted_ok = false;
    core_flow_left(c, s);
    core_call_free(k);
}

int core_call_end(struct core *c, const Ev__CallEnd *m)
{
    struct call *k = core_call_of(c, m->call_id);
    if (!k)
        return c->ans->code;
    core_call_finish(c, k, m->by, m->cause, m->sip_status, m->n_quality, m->quality);
    return 0;
}
