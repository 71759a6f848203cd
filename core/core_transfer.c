/* What is done with calls that talk: hold and mute by request, and transfers, by which one party leaves and the other is the caller from
 * then on.
 *
 *   TALKING ─CallTransfer─► DIALLING ─answered─► TALKING
 *      │                       │ in vain: who transferred is rung again (recall), then FAILED
 *      └─► WAITING, MENU ...   as for any caller
 *
 * Where it goes is the matter of actions (core_action.c), whose ways those of a transfer are: there is no second queue, flow or telephone
 * here. What is here is who leaves and what of him stays in the state. His leg goes out of it with his part in the call: his
 * agent has wrap-up, or is free, by the same command. His dialog stays behind as `left`, for his telephone is told after the commit only,
 * and by another node if the owner dies in between. Who stays keeps his leg, its id and its dialog; if he was called, he moves to the
 * seat of the caller, and who called is not known to the rest of the program any more. The record tells of both: it says what the call was
 * until its first transfer (CallBegan), and has a segment for each party. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"
#include "core/core_recording.h"

#define TRANSFERS_MAX 20u /* of one call: each is an action, of which it may do more (core_action.c) */

/* ---- segments */

bool core_call_connected(const Ev__CallState *s)
{
    return s->connected_us || s->began;
}

uint64_t core_leg_joined_us(const Ev__CallState *s, const Ev__LegState *l)
{
    return l->joined_us ? l->joined_us : l->role == CORE_LEG_CALLER ? s->answered_us : s->connected_us;
}

void core_segment_add(Ev__CallState *s, const Ev__LegState *l, uint64_t to_us, const char *ended, uint64_t call_id)
{
    s->segments = core_grow(s->segments, (s->n_segments + 1) * sizeof *s->segments);
    Ev__CallSegment *g = core_alloc(sizeof *g);
    ev__call_segment__init(g);
    g->role = l->role;
    core_pbset(&g->number, l->number);
    core_pbset(&g->agent, l->agent);
    core_pbset(&g->queue, l->queue);
    g->from_us = core_leg_joined_us(s, l);
    g->to_us = to_us;
    core_pbset(&g->ended, ended);
    g->call_id = call_id;
    g->side = core_recording_side(s, l->id);
    s->segments[s->n_segments++] = g;
}

/* Whether it is this one's hanging-up that ends the call. */
static bool hung_up(const Ev__CallState *s, const Ev__LegState *l, const char *by)
{
    bool agent = strcmp(by, "agent") == 0;
    if (l->role == CORE_LEG_CALLER)
        return strcmp(by, "caller") == 0 || (agent && s->we_call);
    return strcmp(by, "callee") == 0 || (agent && !s->we_call);
}

void core_stretches(const struct core *c, const struct call *k, const char *by, core_stretch_fn *fn, void *ctx)
{
    const Ev__CallState *s = k->st;
    for (size_t i = 0; i < s->n_segments; i++) {
        const Ev__CallSegment *g = s->segments[i];
        fn(ctx,
           &(struct core_stretch){g->role, g->side, g->number, g->agent, g->queue, g->ended[0] ? g->ended : "transfer",
                                  g->from_us, g->to_us, g->call_id, g->why[0] ? g : NULL});
    }
    for (size_t i = 0; i < s->n_legs; i++) {
        const Ev__LegState *l = s->legs[i];
        uint64_t from_us = core_leg_joined_us(s, l);
        if (from_us)
            fn(ctx,
               &(struct core_stretch){l->role, core_recording_side(s, l->id), l->number, l->agent, l->queue,
                                      hung_up(s, l, by) ? "hang_up" : "end", from_us, c->now_us, l->from_call, NULL});
    }
}

void core_stretch_json(struct sbuf *b, const struct core_stretch *p)
{
    sbuf_puts(b, b->len > 1 ? ",{" : "{"); /* behind the bracket of the list, or another one */
    sbuf_kv(b, "role", p->role == CORE_LEG_CALLER ? "caller" : p->role == CORE_STRETCH_JOINED ? "joined" : "callee");
    sbuf_kv(b, "number", p->number);
    sbuf_kv(b, "agent", p->agent);
    sbuf_kv(b, "queue", p->queue);
}

static void segment_json(void *ctx, const struct core_stretch *p)
{
    struct sbuf *b = ctx;
    core_stretch_json(b, p);
    sbuf_kv_uint(b, "from_us", p->from_us);
    sbuf_kv_uint(b, "to_us", p->to_us);
    sbuf_kv(b, "ended", p->ended);
    if (p->call_id)
        sbuf_kv_id(b, "call_id", p->call_id);
    if (p->forwarded) {
        sbuf_kv(b, "why", p->forwarded->why);
        sbuf_puts(b, ",\"forwarded_to\":{");
        sbuf_kv(b, "type", p->forwarded->to_type);
        sbuf_kv(b, "target", p->forwarded->to);
        sbuf_puts(b, "}");
    }
    sbuf_puts(b, "}");
}

void core_segments_json(struct sbuf *b, const struct core *c, const struct call *k, const char *by)
{
    sbuf_puts(b, "[");
    core_stretches(c, k, by, segment_json, b);
    sbuf_puts(b, "]");
}

/* ---- who leaves */

static bool at_telephone(const Ev__CallState *s, unsigned leg)
{
    return leg == 0 ? s->extension[0] != '\0' : !s->out_trunk[0];
}

static unsigned by_default(const Ev__CallState *s)
{
    const Ev__LegState *served = core_leg_served(s);
    if (served && served->agent[0])
        return served == s->legs[0] ? 0 : 1;
    if (s->legs[0]->agent[0])
        return 0;
    return at_telephone(s, 1) || !at_telephone(s, 0) ? 1 : 0;
}

unsigned core_call_who(const Ev__CallState *s, uint64_t leg_id, const char *name)
{
    if (!leg_id && !name[0])
        return by_default(s);
    for (unsigned i = 0; i < 2; i++) {
        const Ev__LegState *l = s->legs[i];
        if (leg_id ? l->id == leg_id
                   : strcmp(name, i == 0 ? "caller" : "callee") == 0 || strcmp(name, l->agent) == 0 ||
                         (at_telephone(s, i) && strcmp(name, l->number) == 0))
            return i;
    }
    return 2;
}

/* ---- where to */

struct target {
    struct core_route route; /* holds the text */
    Ev__Action action;
    const char *field; /* of the command, for refusals */
    const char *by;    /* the agent whose call it will be (core_outside_by) */
};

static void aim(struct target *t, const char *type, const char *name, const char *field)
{
    ev__action__init(&t->action);
    t->action.type = (char *)(uintptr_t)type;
    t->action.target = (char *)(uintptr_t)name;
    t->field = field;
}

/* To leave a message: the flow of a box is none of the configuration's. */
static const char *box_of(const struct core_route *r)
{
    size_t n = sizeof CORE_FLOW_VOICEMAIL - 1;
    return r->kind == CORE_ROUTE_FLOW && strncmp(r->name, CORE_FLOW_VOICEMAIL, n) == 0 ? r->name + n : NULL;
}

const char *core_route_type(const struct core_route *r, const char **target)
{
    static const char *const types[] = {
        [CORE_ROUTE_FLOW] = "flow",   [CORE_ROUTE_QUEUE] = "queue",     [CORE_ROUTE_EXTENSION] = "extension",
        [CORE_ROUTE_AGENT] = "agent", [CORE_ROUTE_OUTSIDE] = "outside",
    };
    const char *box = box_of(r);
    *target = box ? box : r->name;
    return box ? "voicemail" : (unsigned)r->kind < sizeof types / sizeof *types ? types[r->kind] : NULL;
}

/* As the telephone that leaves would dial it. */
static int aim_dialled(struct core *c, const Ev__LegState *gone, const char *dialled, struct target *t)
{
    core_route(c, c->now_us, gone->number, dialled, &t->route);
    if (t->route.kind == CORE_ROUTE_NONE)
        return core_refuse(c, ERR_NOTFOUND, "dialled", "there is no number %.64s", dialled);
    const char *target, *type = core_route_type(&t->route, &target);
    if (!type)
        return core_refuse(c, ERR_DENIED, "dialled", "nobody can be transferred to %.64s", dialled);
    aim(t, type, target, "dialled");
    return 0;
}

static int aim_at(struct core *c, const Ev__CallTransfer *m, const Ev__LegState *gone, struct target *t)
{
    const struct {
        const char *type, *name, *field;
    } named[] = {{"agent", m->agent, "agent"}, {"extension", m->extension, "extension"},
                 {"queue", m->queue, "queue"}, {"flow", m->flow, "flow"},
                 {"voicemail", m->box, "box"}, {"outside", m->number, "number"}};
    unsigned n = m->dialled[0] != '\0';
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        if (!named[i].name[0])
            continue;
        n++;
        aim(t, named[i].type, named[i].name, named[i].field);
    }
    if (n != 1)
        return core_refuse(c, ERR_INVAL, "", "where to: one of agent, extension, queue, flow, box, number");
    return m->dialled[0] ? aim_dialled(c, gone, m->dialled, t) : 0;
}

int core_check_telephone(struct core *c, const Ev__CallState *s, const char *type, const char *name, const char *by,
                         const char *field, enum core_forwarding how)
{
    const char *cause;
    struct core_dial_to to = {"", "", "", "", "", 0, by};
    if (strcmp(type, "agent") == 0)
        to.agent = name;
    else if (strcmp(type, "extension") == 0)
        to.extension = name;
    else
        to.number = name;
    if (to.number[0] && !config_is_outside(to.number))
        return core_refuse(c, ERR_INVAL, field, "is no number that can be called outside");
    for (unsigned i = 0; to.extension[0] && i < 2; i++) {
        if (at_telephone(s, i) && strcmp(s->legs[i]->number, to.extension) == 0)
            return core_refuse(c, ERR_BUSY, field, "telephone %.64s takes part in the call", to.extension);
    }
    uint32_t status;
    int err = core_dial_check(c, &to, how, &status, &cause);
    return err ? core_refuse(c, err, field, "%.64s cannot be called now: %s", name, cause) : 0;
}

static int check_target(struct core *c, const Ev__CallState *s, const struct target *t)
{
    const char *type = t->action.type, *name = t->action.target;
    if (strcmp(type, "voicemail") == 0)
        return config_is_name(name) ? 0 : core_refuse(c, ERR_INVAL, t->field, "is no name of a box");
    if (strcmp(type, "flow") == 0)
        return core_flow(c, name) ? 0 : core_refuse(c, ERR_NOTFOUND, t->field, "there is no flow %.64s", name);
    if (strcmp(type, "queue") != 0)
        return core_check_telephone(c, s, type, name, t->by, t->field, CORE_FORWARD_ANYWHERE);
    const Ev__Queue *cfg = core_queue_config(c, name);
    if (!cfg)
        return core_refuse(c, ERR_NOTFOUND, t->field, "there is no queue %.64s", name);
    if (core_queue_full(c, name) && !cfg->full_action)
        return core_refuse(c, ERR_BUSY, t->field, "queue %.64s is full", name);
    return 0;
}

/* ---- leaving */

void core_call_keep_began(const struct call *k)
{
    Ev__CallState *s = k->st;
    if (s->began)
        return;
    Ev__CallBegan *b = s->began = core_alloc(sizeof *b);
    ev__call_began__init(b);
    core_pbset(&b->direction, core_call_direction(k->st));
    core_pbset(&b->caller, s->caller);
    core_pbset(&b->trunk, s->trunk[0] ? s->trunk : s->out_trunk);
    core_pbset(&b->extension, s->extension);
    core_pbset(&b->queue, s->queue[0] ? s->queue : s->left_queue);
    core_pbset(&b->served_queue, s->served_queue);
    core_pbset(&b->flow, s->flow);
    b->menu_us = s->menu_us;
    b->queued_us = s->queued_us;
    b->offered_us = s->offered_us;
    b->connected_us = s->connected_us;
}

/* So long, and so many, may not have been told by a former owner (64 * T1, RFC 3261): what is older is history. */
#define GONE_US 32000000u
#define GONE_MAX 8u

static void forget_gone(Ev__CallState *s, size_t n)
{
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        ev__call_gone__free_unpacked(s->left_before[i], NULL);
    s->n_left_before -= n;
    memmove(s->left_before, s->left_before + n, s->n_left_before * sizeof(*s->left_before));
}

/* He who left last leaves that place to another one. */
static void left_before(const struct core *c, Ev__CallState *s)
{
    size_t old = s->n_left_before >= GONE_MAX ? s->n_left_before - GONE_MAX + 1 : 0;
    while (old < s->n_left_before && s->left_before[old]->us + GONE_US < c->now_us)
        old++;
    forget_gone(s, old);
    if (!s->left || s->left_us + GONE_US < c->now_us) {
        if (s->left)
            ev__leg_state__free_unpacked(s->left, NULL);
        return;
    }
    Ev__CallGone *g = core_alloc(sizeof *g);
    ev__call_gone__init(g);
    g->leg = s->left;
    g->us = s->left_us;
    core_pbset(&g->trunk, s->left_trunk);
    s->left_before = core_grow(s->left_before, (s->n_left_before + 1) * sizeof(*s->left_before));
    s->left_before[s->n_left_before++] = g;
}

void core_call_keep_left(struct core *c, Ev__CallState *s, Ev__LegState *gone)
{
    Ev__Dialog *d = gone->dialog;
    left_before(c, s);
    if (d) {
        core_pbset(&d->local_sdp, "");
        core_pbset(&d->remote_sdp, "");
        core_pbset(&d->invite_text, "");
    }
    s->left = gone;
    s->left_us = c->now_us;
    core_pbset(&s->left_trunk, gone->role == CORE_LEG_CALLER ? s->trunk : s->out_trunk);
}

/* He was called, and is the caller now: his telephone is busy all the time. */
static void take_seat(struct core *c, struct call *k, Ev__LegState *stays)
{
    Ev__CallState *s = k->st;
    bool outside = core_outside(k);
    struct ext *gone = k->caller;
    k->caller = k->callee;
    k->callee = NULL;
    s->legs[0] = stays;
    stays->role = CORE_LEG_CALLER;
    core_pbset(&s->caller, stays->number);
    core_pbset(&s->caller_name, "");
    core_pbset(&s->trunk, outside ? s->out_trunk : "");
    core_pbset(&s->extension, outside ? "" : stays->number);
    if (gone)
        core_call_leave(c, k, gone);
}

/* Nothing of the way that it has come leads on. */
static void begin_anew(Ev__CallState *s, Ev__LegState *stays)
{
    s->we_call = s->dials_out = s->from_menu = s->from_queue = s->notices_done = false;
    s->menu_us = s->queued_us = s->entered_us = s->offered_us = s->connected_us = 0;
    core_forward_over(s);
    stays->holds = stays->muted = false; /* as to who has left */
    s->held_us = stays->held ? s->held_us : 0;
    s->fail_status = 0;
    char **const texts[] = {&s->queue,      &s->left_queue, &s->served_queue, &s->out_trunk,
                            &s->out_caller, &s->dedicated,  &s->app,          &s->fail_cause};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        core_pbset(texts[i], "");
}

void core_call_part_leaves(struct core *c, struct call *k, unsigned leg, bool hung_up)
{
    Ev__CallState *s = k->st;
    Ev__LegState *gone = s->legs[leg], *stays = s->legs[1 - leg];
    core_call_keep_began(k);
    core_join_over(c, k);
    core_estimate_ended(c, k, "");
    if (gone == core_leg_served(s))
        core_state_wrap_up(c, k);
    core_segment_add(s, gone, c->now_us, hung_up ? "hang_up" : "", 0);
    core_rating_left(s, gone);
    stays->joined_us = core_leg_joined_us(s, stays);
    core_call_keep_left(c, s, gone);
    c->talking--;
    s->n_legs = 1;
    if (leg == 0)
        take_seat(c, k, stays);
    else
        core_call_set_callee(c, k, NULL);
    begin_anew(s, stays);
    s->transfers++;
    core_call_publish(k);
}

/* ---- in vain */

void core_transfer_done(Ev__CallState *s)
{
    if (s->recall)
        ev__call_recall__free_unpacked(s->recall, NULL);
    s->recall = NULL;
}

static void keep_recall(struct core *c, Ev__CallState *s)
{
    core_transfer_done(s);
    if (s->phase != CORE_CALL_DIALLING)
        return;
    Ev__CallRecall *r = s->recall = core_alloc(sizeof *r);
    ev__call_recall__init(r);
    if (s->left_trunk[0] || strcmp(core_parameter(c, "transfer_recall", "on"), "off") == 0)
        return;
    core_pbset(&r->extension, s->left->number);
    core_pbset(&r->agent, s->left->agent);
}

/* The agent, if he is still at that telephone: then it rings only if he is free. */
static struct core_dial_to transferor(const struct core *c, const Ev__CallRecall *r)
{
    const struct agent *a = r->agent[0] ? core_agent_obj(c, r->agent) : NULL;
    bool there = a && a->ext && strcmp(a->extension, r->extension) == 0;
    return (struct core_dial_to){
        there ? r->agent : "", there ? "" : r->extension, "", "", "", 0, NULL,
    };
}

bool core_transfer_in_vain(struct core *c, struct call *k, uint32_t status)
{
    Ev__CallRecall *r = k->st->recall;
    if (!r)
        return false;
    const char *cause;
    bool again = !r->rings && r->extension[0];
    if (!r->rings)
        r->status = status;
    r->rings = true;
    const struct core_dial_to to = transferor(c, r);
    if (again && core_dial(c, k, &to, &status, &cause) == 0)
        core_ev_call(c, "call.recalled", k);
    else
        core_call_fail(c, k, 480, "transfer_failed");
    return true;
}

/* ---- the command */

static struct call *talking(struct core *c, uint64_t id)
{
    struct call *k = core_call_obj(c, id);
    c->ans->call_id = id;
    if (!k)
        (void)core_refuse(c, ERR_NOTFOUND, "call_id", "there is no such call");
    else if (c->cmd->call_epoch && c->cmd->call_epoch != k->st->epoch)
        (void)core_refuse(c, ERR_STALE, "call_epoch", "the call has changed hands: epoch %u", k->st->epoch);
    else if (k->st->phase != CORE_CALL_TALKING || k->st->n_legs != 2)
        (void)core_refuse(c, ERR_BADSTATE, "call_id", "the parties of the call are not talking");
    else
        return k;
    return NULL;
}

static void tell(struct core *c, const struct call *k, const struct target *t)
{
    const Ev__LegState *left = k->st->left;
    struct sbuf *b = core_ev_call_begin(c, "call.transferred", k);
    sbuf_kv(b, "from", left->number);
    if (left->agent[0])
        sbuf_kv(b, "from_agent", left->agent);
    sbuf_kv(b, "action", t->action.type);
    sbuf_kv(b, "target", t->action.target);
    core_ev_end(c);
}

int core_transfer_on(struct core *c, struct call *k, unsigned leg, const Ev__CallTransfer *m, struct call *instead)
{
    Ev__CallState *s = k->st;
    const char *stays = s->legs[1 - leg]->agent;
    struct target t = {.field = "", .by = stays[0] ? stays : s->legs[leg]->agent};
    int err = aim_at(c, m, s->legs[leg], &t);
    bool person =
        t.route.kind == CORE_ROUTE_EXTENSION || t.route.kind == CORE_ROUTE_AGENT || t.route.kind == CORE_ROUTE_OUTSIDE;
    struct call *there = err || !person ? NULL : core_replace_dialled(k, leg, m->dialled);
    if (there)
        return core_replace_join(c, k, leg, there, 0);
    if (!err)
        err = check_target(c, s, &t);
    if (err)
        return err;
    core_call_part_leaves(c, k, leg, false);
    if (instead)
        core_call_finish(c, instead, "system", "merged", 487, 0, NULL);
    if (m->priority || t.route.kind == CORE_ROUTE_QUEUE)
        s->priority = m->priority ? m->priority - 1 : t.route.priority;
    if (core_action_do(c, k, &t.action, "transfer") != 0)
        core_call_fail(c, k, 480, "transfer_failed"); /* what has been looked at is different once he has left */
    keep_recall(c, s);
    core_call_touch(c, k);
    tell(c, k, &t);
    return 0;
}

int core_call_transfer(struct core *c, const Ev__CallTransfer *m)
{
    struct call *k = talking(c, m->call_id);
    if (!k)
        return c->ans->code;
    const Ev__CallState *s = k->st;
    if (s->transfers - s->parts >= TRANSFERS_MAX)
        return core_refuse(c, ERR_TOOBIG, "call_id", "it has been transferred %u times", TRANSFERS_MAX);
    unsigned leg = core_call_who(s, m->leg_id, m->leg);
    if (leg > 1)
        return core_refuse(c, ERR_NOTFOUND, "leg", "there is no such party in the call");
    if (m->priority > ACD_PRIORITY_MAX + 1)
        return core_refuse(c, ERR_RANGE, "priority", "at most %u", ACD_PRIORITY_MAX);
    return m->replaces ? core_replace_transfer(c, k, leg, m) : core_transfer_on(c, k, leg, m, NULL);
}

/* ---- hold and mute, by request */

int core_call_party(struct core *c, const Ev__CallParty *m)
{
    static const char *const events[] = {"call.held", "call.resumed", "call.muted", "call.unmuted"};
    if (m->action == EV__CALL_PARTY__ACTION__ANSWER)
        return core_ring_answer(c, m);
    struct call *k = talking(c, m->call_id);
    if (!k)
        return c->ans->code;
    Ev__CallState *s = k->st;
    unsigned i = core_call_who(s, 0, m->leg);
    if (i > 1)
        return core_refuse(c, ERR_NOTFOUND, "leg", "there is no such party in the call");
    if ((unsigned)m->action > EV__CALL_PARTY__ACTION__UNMUTE)
        return core_refuse(c, ERR_UNSUPPORTED, "action", "unknown action");
    bool on = m->action == EV__CALL_PARTY__ACTION__HOLD || m->action == EV__CALL_PARTY__ACTION__MUTE;
    bool hold = m->action == EV__CALL_PARTY__ACTION__HOLD || m->action == EV__CALL_PARTY__ACTION__RESUME;
    protobuf_c_boolean *is = hold ? &s->legs[i]->holds : &s->legs[i]->muted;
    if (!!*is == on)
        return 0; /* as asked */
    *is = on;
    bool held = false;
    for (size_t n = 0; n < s->n_legs; n++)
        held = held || s->legs[n]->held || s->legs[n]->holds;
    s->held_us = !held ? 0 : s->held_us ? s->held_us : c->now_us;
    core_call_touch(c, k);
    struct sbuf *b = core_ev_call_begin(c, events[m->action], k);
    sbuf_kv(b, "party", s->legs[i]->number);
    core_ev_end(c);
    return 0;
}
