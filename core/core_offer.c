/* Queues and offers: the glue between calls, agents and the queue engine.
 *
 * An offer is made by apply, never by a node: so no agent is in two and no call in two, whoever dies. */
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"

struct queue *core_queue_obj(const struct core *c, const char *name)
{
    return map_get(&c->queues, name);
}

void core_queue_touch(struct core *c, const char *name)
{
    struct queue *q = core_queue_obj(c, name);
    if (q && list_empty(&q->dirty))
        list_push_back(&c->dirty_queues, &q->dirty);
}

int core_queue_wait(struct core *c, const struct call *k, const struct queue *q)
{
    const Ev__CallState *s = k->st;
    struct acd_call call = acd_call_in(s->call_id, q->key, s->queued_us);
    call.priority = s->priority;
    call.front = s->front;
    call.vip = s->vip;
    call.offers = s->offers;
    call.region = queue_name_number(s->region);
    call.n_needs = queue_needs(s->needs, s->n_needs, call.needs);
    const struct agent *last = s->last_agent[0] ? core_agent_obj(c, s->last_agent) : NULL;
    call.last_agent = last ? last->key : ACD_NOBODY;
    return acd_enqueue(c->acd, &call);
}

static void enqueue(struct core *c, struct call *k)
{
    Ev__CallState *s = k->st;
    const struct queue *q = core_queue_obj(c, s->queue);
    if (core_queue_wait(c, k, q) != 0)
        core_oom(); /* the only way to fail: queue and call are known to be there and not there */
    s->phase = CORE_CALL_WAITING;
    core_queue_touch(c, s->queue);
    core_call_touch(c, k);
}

bool core_queue_full(const struct core *c, const char *name)
{
    const struct queue *q = core_queue_obj(c, name);
    const Ev__Queue *cfg = core_queue_config(c, name);
    return q && cfg && cfg->max_waiting && acd_waiting(c->acd, q->key) >= cfg->max_waiting;
}

void core_queue_enter(struct core *c, struct call *k)
{
    Ev__CallState *s = k->st;
    if (!core_queue_obj(c, s->queue)) {
        core_call_fail(c, k, 404, "no_queue");
        return;
    }
    if (core_queue_full(c, s->queue)) {
        core_call_fail(c, k, 486, "queue_full");
        return;
    }
    s->queued_us = c->now_us;
    s->front = 0;
    core_served_find(c, k, core_queue_obj(c, s->queue));
    enqueue(c, k);
    core_ev_call(c, "call.queued", k);
}

static void clear_offer(struct core *c, struct call *k)
{
    Ev__CallState *s = k->st;
    s->offer_id = s->offer_since_us = 0;
    s->offer_ring_time_s = 0;
    core_pbset(&s->offer_agent, "");
    core_pbset(&s->offer_extension, "");
    core_pbset(&s->offer_queue, "");
    core_call_publish(k);
    core_call_set_callee(c, k, NULL);
}

/* d: who decided so, NULL outside queues */
static void make_offer(struct core *c, struct call *k, enum core_call_phase phase, const char *agent,
                       const char *extension, const char *queue, uint32_t ring_s, const struct acd_decision *d)
{
    Ev__CallState *s = k->st;
    s->phase = phase;
    s->offer_id = ++c->offer_seq;
    s->offer_since_us = c->now_us;
    s->offer_ring_time_s = ring_s;
    s->offer_epoch = s->epoch;
    s->offer_former_epoch = 0;
    if (!s->offered_us)
        s->offered_us = c->now_us;
    s->offers++;
    core_pbset(&s->offer_agent, agent);
    core_pbset(&s->offer_extension, extension);
    core_pbset(&s->offer_queue, queue);
    if (c->feature_level < 2)
        d = NULL; /* what older programs do not write down */
    s->offer_why = d ? (uint32_t)d->why + 1 : 0;
    s->offer_candidates = d ? d->candidates : 0;
    core_call_touch(c, k);
    core_call_set_callee(c, k, extension);
    struct sbuf *b = core_ev_call_begin(c, "call.offered", k);
    if (d) {
        sbuf_kv(b, "why", queue_why_name(d->why));
        sbuf_kv_uint(b, "candidates", d->candidates);
    }
    core_ev_end(c);
}

int core_dial(struct core *c, struct call *k, const char *agent, const char *extension, uint32_t *status,
              const char **cause)
{
    const char *to = extension;
    *status = 480;
    if (agent[0]) {
        const struct agent *a = core_agent_obj(c, agent);
        *cause = "no_agent";
        *status = 404;
        if (!a)
            return ERR_NOTFOUND;
        *cause = "logged_out";
        *status = 480;
        if (!a->ext || a->logout)
            return ERR_BADSTATE;
        *cause = "busy";
        *status = 486;
        if (a->pub.state == CORE_AGENT_RINGING || a->pub.state == CORE_AGENT_TALKING)
            return ERR_BUSY;
        *status = 480;
        to = a->extension;
    } else if (!core_extension(c, to)) {
        *cause = "no_extension";
        *status = 404;
        return ERR_NOTFOUND;
    }
    *cause = "unreachable";
    if (!core_reachable(c, to))
        return ERR_BADSTATE;
    make_offer(c, k, CORE_CALL_DIALLING, agent, to, "", CORE_DIAL_RING_S, NULL);
    return 0;
}

/* Back to the very front: the latest returned is served first. */
static void requeue(struct core *c, struct call *k)
{
    k->st->front = ++c->front;
    enqueue(c, k);
}

void core_offer_withdraw(struct core *c, struct call *k, uint32_t status, const char *cause)
{
    bool queued = k->st->phase == CORE_CALL_OFFERED;
    bool menu = k->st->from_menu;
    clear_offer(c, k);
    if (queued) {
        requeue(c, k);
    } else if (menu) {
        k->st->from_menu = false;
        k->st->phase = CORE_CALL_MENU;
        k->st->fail_status = status;
        core_pbset(&k->st->fail_cause, cause);
        core_call_touch(c, k);
    } else {
        core_call_fail(c, k, status, cause);
    }
}

/* Each match that the engine has found becomes an offer. */
void core_decide(struct core *c)
{
    struct acd_decision d;
    while (acd_decide(c->acd, &d)) {
        struct call *k = core_call_obj(c, d.call);
        struct agent *a = c->agent_by_key[d.agents[0]];
        const struct queue *q = c->queue_by_key[d.queue];
        core_queue_touch(c, q->name);
        if (!core_reachable(c, a->extension)) {
            /* Nothing to ring: he is passed over until his telephone registers, the caller keeps his place. */
            if (acd_enqueue(c->acd, &d.was) != 0)
                core_oom();
            core_agent_unready(c, a, "unreachable");
            continue;
        }
        const Ev__Queue *cfg = core_queue_config(c, q->name);
        make_offer(c, k, CORE_CALL_OFFERED, a->number, a->extension, q->name, cfg->ring_time_s, &d);
        if (q->rules.strategy == ACD_ROUND_ROBIN)
            a->last_offer = k->st->offer_id; /* stored with the state that the offer has changed */
    }
}

/* ---- commands */

static struct call *offered(struct core *c, uint64_t call_id, uint64_t offer_id)
{
    struct call *k = core_call_of(c, call_id);
    if (!k)
        return NULL;
    if (!offer_id || k->st->offer_id != offer_id) {
        (void)core_refuse(c, ERR_STALE, "offer_id", "the offer is over");
        return NULL;
    }
    return k;
}

static void take(Ev__Dialog **slot, Ev__Dialog **from)
{
    if (*from && *slot)
        ev__dialog__free_unpacked(*slot, NULL);
    if (*from)
        *slot = *from;
    *from = NULL;
}

int core_offer_answered(struct core *c, Ev__OfferAnswered *m)
{
    struct call *k = offered(c, m->call_id, m->offer_id);
    if (!k)
        return c->ans->code;
    Ev__CallState *s = k->st;
    if (s->n_legs >= CORE_LEGS_MAX)
        return core_refuse(c, ERR_BADSTATE, "call_id", "the call has too many legs");
    struct agent *a = k->callee ? k->callee->agent : NULL;
    Ev__LegState *l = core_call_add_leg(k, CORE_LEG_CALLEE, s->offer_extension, a ? a->number : "");
    l->answered = true;
    if (c->feature_level >= 3) {
        core_pbset(&l->queue, s->offer_queue);
        l->direct = !s->offer_queue[0];
    }
    take(&l->dialog, &m->dialog);
    take(&s->legs[0]->dialog, &m->caller_dialog);
    core_call_acked(k, m->caller_acked);
    bool caller_now = !s->answered;
    if (caller_now) {
        s->answered = s->legs[0]->answered = true;
        s->answered_us = c->now_us;
    }
    s->phase = CORE_CALL_TALKING;
    s->connected_us = c->now_us;
    s->offer_id = s->offer_since_us = 0;
    s->offer_ring_time_s = 0;
    s->from_menu = false;
    core_pbset(&s->offer_agent, "");
    core_pbset(&s->offer_extension, "");
    core_pbset(&s->offer_queue, "");
    c->talking++;
    core_call_touch(c, k);
    if (a) {
        a->pub.answered++;
        core_agent_refresh(c, a);
    }
    if (caller_now)
        core_ev_call(c, "call.answered", k);
    core_ev_call(c, "call.connected", k);
    return 0;
}

int core_offer_failed(struct core *c, const Ev__OfferFailed *m)
{
    static const char *const causes[] = {"no_answer", "busy", "rejected", "unreachable", "error"};
    static const uint32_t statuses[] = {480, 486, 603, 480, 500};
    struct call *k = offered(c, m->call_id, m->offer_id);
    if (!k)
        return c->ans->code;
    unsigned cause = (unsigned)m->cause < 5 ? (unsigned)m->cause : EV__OFFER_FAILED__CAUSE__ERROR;
    struct agent *a = k->callee ? k->callee->agent : NULL;
    bool queued = k->st->phase == CORE_CALL_OFFERED;
    if (queued && a && a->ready) {
        /* He is not rung again until he says so; set before his telephone is free, or he would be idle for a moment. */
        core_agent_unready(c, a, causes[cause]);
    }
    core_offer_withdraw(c, k, m->sip_status ? m->sip_status : statuses[cause], causes[cause]);
    return 0;
}
