/* What must hold: after every event, after every entry, and when all has come to rest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

/* A node is about to do something on a telephone for a call. */
void check_act(struct sim *s, const struct sim_node *n, const struct sim_ocall *k)
{
    struct sim_call *w = &s->calls[k - n->calls];
    if (k->epoch < w->act_epoch)
        sim_fail(s, "%s acts on call %d of epoch %u after %s did with epoch %u", n->name, (int)(k - n->calls), k->epoch,
                 s->nodes[w->act_node].name, w->act_epoch);
    else if (k->epoch == w->act_epoch && w->act_node != n->i)
        sim_fail(s, "%s and %s act on call %d, both with epoch %u", n->name, s->nodes[w->act_node].name,
                 (int)(k - n->calls), k->epoch);
    w->act_epoch = k->epoch;
    w->act_node = n->i;
}

/* At no moment do two processes run, hold a lease, and look after one call or have one address. */
void check_step(struct sim *s)
{
    bool held[SIM_NODES_MAX];
    for (unsigned i = 0; i < s->n; i++)
        held[i] = lease_held(s, &s->nodes[i]);
    for (unsigned c = 0; c < s->n_calls; c++) {
        int owner = -1;
        for (unsigned i = 0; i < s->n; i++) {
            const struct sim_ocall *k = &s->nodes[i].calls[c];
            if (!held[i] || !k->used || !k->started || k->ending || k->waits)
                continue;
            if (owner >= 0)
                sim_fail(s, "%s and %s both act on call %u", s->nodes[owner].name, s->nodes[i].name, c);
            owner = (int)i;
        }
    }
    for (unsigned a = 0; a < s->n; a++) {
        int holder = -1;
        for (unsigned i = 0; i < s->n; i++) {
            if (!held[i] || !s->nodes[i].bound[a])
                continue;
            if (holder >= 0)
                sim_fail(s, "%s and %s both have address 10.0.0.%u", s->nodes[holder].name, s->nodes[i].name, a + 1);
            holder = (int)i;
        }
    }
}

/* ---- after an entry, on the first node that applied it */

void check_item(struct sim *s, const struct sim_item *it, const struct core_answer *a)
{
    if (it->message >= 0)
        message_check_item(s, it, a);
    if (it->call < 0 || a->skipped)
        return;
    const struct sim_call *w = &s->calls[it->call];
    if (a->code == ERR_STALE)
        s->count.stale++;
    if (a->code || !w->seen)
        return;
    if (w->owner != it->node)
        sim_fail(s, "call %d of %s: a command of %s was accepted", it->call, s->nodes[w->owner].name,
                 s->nodes[it->node].name);
    else if (w->epoch != it->epoch)
        sim_fail(s, "call %d of epoch %u: a command of epoch %u was accepted", it->call, w->epoch, it->epoch);
}

static int node_index(const char *name)
{
    return name[0] == 'n' ? atoi(name + 1) - 1 : -1;
}

static int call_index(const struct sim *s, uint64_t id)
{
    unsigned i = (unsigned)(id & 0xff) - 1;
    for (unsigned k = 0; back_is_ours(id) && k < s->n_calls; k++)
        i = s->calls[k].id == id ? k : i;
    return i < s->n_calls && s->calls[i].id == id ? (int)i : -1;
}

/* Whoever came back to the very front in this entry, in the order in which that happened: calls, and call backs. */
static void note_returned(struct sim *s, const struct core *c)
{
    uint64_t after = 0;
    for (;;) {
        uint64_t *next = NULL, least = UINT64_MAX;
        const struct map_slot *slot;
        for (size_t it = 0; map_next(&c->callbacks, &it, &slot);) {
            const Ev__CallState *st = ((const struct callback *)slot->value)->st->waits;
            struct sim_row *r = back_row(s, slot->nkey);
            if (r && st->front > r->front && st->front > after && st->front < least) {
                least = st->front;
                next = &r->returned;
            }
        }
        for (const struct core_call *k = NULL; (k = core_call_next(c, k, NULL)) != NULL;) {
            const Ev__CallState *st = list_entry(k, struct call, pub)->st;
            struct sim_call *w = &s->calls[call_index(s, k->id)];
            bool moved = w->queue[0] && k->queue[0] && strcmp(w->queue, k->queue) != 0;
            if (moved) /* by an action: the front of that queue is not his */
                w->returned = 0;
            bool returned = k->phase == CORE_CALL_WAITING && w->seen && !moved &&
                            (w->phase == CORE_CALL_OFFERED || st->offers > w->offers);
            if (returned && !st->front)
                sim_fail(s, "call %d came back, but not to the very front", call_index(s, k->id));
            if (returned && st->front > after && st->front < least) {
                least = st->front;
                next = &w->returned;
            }
        }
        if (!next)
            return;
        *next = ++s->returned;
        after = least;
    }
}

static uint64_t returned(struct sim *s, const struct core *c, uint64_t id)
{
    return core_call(c, id) ? s->calls[call_index(s, id)].returned : back_row(s, id)->returned;
}

static bool served_before(struct sim *s, const struct core *c, uint64_t a, uint64_t b)
{
    const Ev__CallState *x = core_waiter(c, a)->st, *y = core_waiter(c, b)->st;
    uint64_t rx = returned(s, c, a), ry = returned(s, c, b);
    if (rx != ry)
        return rx > ry;
    if (x->priority != y->priority)
        return x->priority > y->priority;
    return x->queued_us != y->queued_us ? x->queued_us < y->queued_us : a < b;
}

static void check_queues(struct sim *s, const struct core *c)
{
    struct err_info info = {0};
    if (acd_check(c->acd, &info) != 0)
        sim_fail(s, "queue engine: %s", info.text);
    for (uint32_t q = 0; q < c->queue_keys; q++) {
        uint64_t id, last = 0;
        for (uint32_t i = 0; c->queue_by_key[q] && acd_waiting_at(c->acd, q, i, &id); i++) {
            if (last && !served_before(s, c, last, id))
                sim_fail(s, "%s %d lost its place in queue %s", core_call(c, id) ? "call" : "the call back of call",
                         call_index(s, id), c->queue_by_key[q]->name);
            last = id;
        }
    }
}

static bool others_there(const struct core *c, const char *but)
{
    for (const struct core_node *n = NULL; (n = core_node_next(c, n)) != NULL;)
        if (n->up && !n->draining && strcmp(n->name, but) != 0)
            return true;
    return false;
}

static void check_drain(struct sim *s, const struct core *c, const char *to, const char *what)
{
    const struct core_node *n = core_node(c, to);
    int i = node_index(to);
    if (n && n->draining && i >= 0 && s->draining[i] && others_there(c, to))
        sim_fail(s, "%s drains and is given %s", to, what);
}

/* Whoever calls again himself stands where his call back stood. */
static void check_row_of(struct sim *s, const struct core *c, const struct core_call *k, struct sim_call *w)
{
    const Ev__CallState *st = list_entry(k, struct call, pub)->st;
    const struct sim_row *r = st->callback ? back_row(s, st->callback) : NULL;
    const Ev__CallBack *m = r ? core_callback(c, r->id) : NULL;
    if (m && st->callback != w->row && !k->we_call && st->callback != k->id) {
        w->returned = r->returned;
        if (k->queued_us != r->queued_us || st->front != m->waits->front)
            sim_fail(s, "call %d has not the place of its call back", call_index(s, k->id));
    }
    w->row = st->callback ? st->callback : w->row;
    w->legged = w->legged || (k->we_call && k->n_legs);
    w->joined = w->joined || k->joined;
    if (k->transfers != w->transfers) { /* nothing of the way that it has come leads on */
        w->transfers = k->transfers;
        w->queued_us = w->returned = 0;
        w->queue[0] = '\0';
    }
}

static void check_call(struct sim *s, const struct core *c, const struct core_call *k)
{
    struct sim_call *w = &s->calls[call_index(s, k->id)];
    check_row_of(s, c, k, w);
    unsigned callees = 0;
    int owner = node_index(k->owner);
    if (w->seen && owner != w->owner)
        check_drain(s, c, k->owner, "a call");
    if (w->queued_us && k->queued_us != w->queued_us)
        sim_fail(s, "the wait clock of call %d was put from %llu to %llu", call_index(s, k->id),
                 (unsigned long long)w->queued_us, (unsigned long long)k->queued_us);
    for (size_t i = 0; i < k->n_legs; i++)
        callees += k->legs[i].role == CORE_LEG_CALLEE;
    bool remains = k->phase == CORE_CALL_FAILED && k->went_into; /* the other party has gone into another call */
    if (callees > 1 || (!remains && (callees == 1) != (k->phase == CORE_CALL_TALKING)))
        sim_fail(s, "call %d is %s with %u telephones", call_index(s, k->id), core_call_phase_name(k->phase), callees);
    if ((k->offer.id != 0) != (k->phase == CORE_CALL_OFFERED || k->phase == CORE_CALL_DIALLING) ||
        (k->offer.id != 0) != (k->n_offers != 0))
        sim_fail(s, "call %d is %s, offer %llu", call_index(s, k->id), core_call_phase_name(k->phase),
                 (unsigned long long)k->offer.id);
    parties_check(s, c, k);
    w->owner = owner;
    w->epoch = k->epoch;
    w->seen = true;
    w->phase = (uint8_t)k->phase;
    w->offers = list_entry(k, struct call, pub)->st->offers;
    w->queued_us = k->queued_us;
    (void)snprintf(w->queue, sizeof w->queue, "%s", k->queue);
}

static void check_agents(struct sim *s, const struct core *c)
{
    unsigned busy[SIM_AGENTS] = {0}, offers[SIM_AGENTS] = {0};
    for (const struct core_call *k = NULL; (k = core_call_next(c, k, NULL)) != NULL;) {
        for (unsigned o = 0; o < k->n_offers && k->phase == CORE_CALL_OFFERED; o++) {
            offers[atoi(k->offers[o].agent) - 1001]++;
            busy[atoi(k->offers[o].agent) - 1001]++;
        }
        /* what he has dialled or picked up himself is beside */
        for (size_t i = 0; k->queue[0] && k->phase != CORE_CALL_FAILED && i < k->n_legs; i++)
            if (k->legs[i].agent[0] && !k->legs[i].from_call && (k->legs[i].role == CORE_LEG_CALLEE || k->we_call))
                busy[atoi(k->legs[i].agent) - 1001]++;
    }
    for (int i = 0; i < SIM_AGENTS; i++) {
        char number[8];
        (void)snprintf(number, sizeof number, "%d", 1001 + i);
        const struct core_agent *a = core_agent(c, number);
        if (busy[i] > 1)
            sim_fail(s, "agent %s has %u calls or offers", number, busy[i]);
        if (offers[i] && a->state != CORE_AGENT_RINGING && a->state != CORE_AGENT_TALKING)
            sim_fail(s, "agent %s is offered a call and %s", number, core_agent_state_name(a->state));
        const struct agent *obj = core_agent_obj(c, number);
        if (a->state == CORE_AGENT_WRAP_UP && a->wrap_up_until_us <= c->now_us)
            sim_fail(s, "agent %s is in wrap-up beyond its limit", number);
        if (obj->work && obj->work->until_us && obj->work->until_us <= c->now_us)
            sim_fail(s, "agent %s is %s beyond its limit", number, core_agent_state_name(a->state));
        bool at_work = a->state == CORE_AGENT_RINGING || a->state == CORE_AGENT_TALKING;
        if (at_work && !core_call(c, a->call_id))
            sim_fail(s, "agent %s is %s in a call that is gone", number, core_agent_state_name(a->state));
    }
}

/* For whoever looks for the fault. */
static void tell_calls(struct sim *s, const struct core *c)
{
    for (const struct core_call *k = NULL; (k = core_call_next(c, k, NULL)) != NULL;) {
        sim_say(s, "call %d of %s: %s, joined to %d", call_index(s, k->id), k->owner, core_call_phase_name(k->phase),
                k->joined ? call_index(s, k->joined) : -1);
        for (size_t i = 0; i < k->n_legs; i++)
            sim_say(s, "  %s %s, dialog %s, agent %s", k->legs[i].role == CORE_LEG_CALLER ? "caller" : "callee",
                    k->legs[i].number, k->legs[i].dialog->call_id + 1, k->legs[i].agent);
        for (unsigned i = 0; i < k->n_offers; i++)
            sim_say(s, "  rings %s, agent %s", k->offers[i].extension, k->offers[i].agent);
    }
}

void check_entry(struct sim *s, struct sim_node *n, uint64_t index, uint64_t hash)
{
    if (index <= s->checked) {
        if (hash != s->hashes[index])
            sim_fail(s, "%s differs at index %llu", n->name, (unsigned long long)index);
        return;
    }
    s->hashes[index] = hash;
    s->checked = index;
    const struct core *c = n->c;
    for (const struct core_call *k = NULL; (k = core_call_next(c, k, NULL)) != NULL;) {
        if (call_index(s, k->id) < 0) {
            sim_fail(s, "call %llu was never begun", (unsigned long long)k->id);
            return;
        }
    }
    note_returned(s, c);
    for (const struct core_call *k = NULL; (k = core_call_next(c, k, NULL)) != NULL;)
        check_call(s, c, k);
    back_check(s, c);
    check_queues(s, c);
    check_agents(s, c);
    message_check(s, c);
    for (const struct core_address *a = NULL; (a = core_address_next(c, a)) != NULL;) {
        int i = address_index(a->ip), holder = node_index(a->holder), target = node_index(a->target);
        if (holder != s->holder[i])
            check_drain(s, c, a->holder, "an address");
        if (target >= 0 && target != s->target[i])
            check_drain(s, c, a->target, "an address");
        s->holder[i] = holder;
        s->target[i] = target;
    }
    for (const struct core_node *k = NULL; (k = core_node_next(c, k)) != NULL;)
        s->draining[node_index(k->name)] = k->draining;
    if (s->failed)
        tell_calls(s, c);
}

/* ---- at rest */

static const char *restless(const struct sim *s, const struct sim_node *n)
{
    struct core_counts counts;
    if (!sim_alive(n) || !n->announced || n->props)
        return "is not at work, or waits for an answer";
    if (core_applied_index(n->c) != s->committed)
        return "has not applied everything";
    core_get_counts(n->c, &counts);
    if (counts.calls)
        return "still has calls";
    if (counts.waiting)
        return "still has waiting callers";
    if (map_count(&n->c->callbacks))
        return "still has somebody to call back";
    if (core_recording_next(n->c, NULL))
        return "still records a message";
    for (unsigned i = 0; i < s->n_calls; i++)
        if (n->calls[i].used)
            return "still looks after a call";
    for (const struct core_address *a = NULL; (a = core_address_next(n->c, a)) != NULL;) {
        int i = address_index(a->ip);
        if (strcmp(a->holder, a->home) != 0 || a->target[0] || !a->bound)
            return "sees an address that is not at home";
        if ((i == n->i) != n->bound[i])
            return "does not have its address, or has another's";
    }
    return NULL;
}

bool check_resting(const struct sim *s)
{
    if (s->now < s->rest_at + 2500 * SIM_MS || s->client.waiting || !phone_quiet(s))
        return false;
    for (unsigned i = 0; i < s->n; i++)
        if (restless(s, &s->nodes[i]))
            return false;
    return true;
}

static void check_node_at_rest(struct sim *s, struct sim_node *n)
{
    const char *why = restless(s, n);
    char name[16];
    if (why) {
        sim_fail(s, "at rest %s %s", n->name, why);
        return;
    }
    for (unsigned i = 0; i < s->n_calls; i++) {
        const struct sim_call *w = &s->calls[i];
        unsigned want = w->we_call ? w->legged || w->joined : w->started || w->seen;
        if (n->cdrs[i] != want && (n->cdrs[i] != 1 || w->started || w->legged))
            sim_fail(s, "%s has %u records of call %u", n->name, n->cdrs[i], i);
        if (n->cdrs[i] != s->nodes[0].cdrs[i])
            sim_fail(s, "%s and n1 have not the same records of call %u", n->name, i);
    }
    for (int i = 0; i < SIM_AGENTS; i++) {
        char number[8];
        (void)snprintf(number, sizeof number, "%d", 1001 + i);
        const struct core_agent *a = core_agent(n->c, number);
        bool rests = a->state == CORE_AGENT_IDLE || a->state == CORE_AGENT_WRAP_UP ||
                     (a->state == CORE_AGENT_NOT_READY && a->reason[0]);
        if (!rests || !a->extension[0] || a->call_id)
            sim_fail(s, "at rest agent %s is %s (%s)", number, core_agent_state_name(a->state), a->reason);
    }
    back_check_rest(s, n);
    message_check_rest(s, n);
    for (unsigned i = 1; i <= s->client.acked; i++) {
        (void)snprintf(name, sizeof name, "p%u", i);
        if (!core_parameter(n->c, name, NULL))
            sim_fail(s, "%s has lost acknowledged command %u", n->name, i);
    }
    if (sim_store_digest(n->st) != sim_store_digest(s->nodes[0].st))
        sim_fail(s, "at rest %s and n1 differ", n->name);
}

void check_rest(struct sim *s)
{
    for (unsigned i = 0; i < s->n_dialogs; i++)
        if (s->dialogs[i].state != D_NONE && s->dialogs[i].state != D_OVER)
            sim_fail(s, "at rest dialog %u is in state %d", i, (int)s->dialogs[i].state);
    for (unsigned i = 0; i < s->n && !s->failed; i++)
        check_node_at_rest(s, &s->nodes[i]);
}
