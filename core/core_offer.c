/* Queues and offers: the glue between calls, agents and the queue engine.
 *
 * An offer is made by apply, never by a node: so no agent is in two and no call in two, whoever dies. */
#include <stdio.h>
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

void core_queues_touch(struct core *c, const struct call *k)
{
    core_queue_touch(c, k->st->queue);
    for (size_t i = 0; i < k->st->n_overflow; i++)
        core_queue_touch(c, k->st->overflow[i]);
}

static struct acd_call caller_in(const struct core *c, const struct call *k, const struct queue *q)
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
    return call;
}

int core_queue_join(struct core *c, const struct call *k, const struct queue *q)
{
    const struct acd_call call = caller_in(c, k, q);
    return acd_enqueue(c->acd, &call);
}

int core_queue_wait(struct core *c, const struct call *k, const struct queue *q)
{
    const Ev__CallState *s = k->st;
    struct acd_call call = caller_in(c, k, q);
    const struct agent *own = s->dedicated[0] ? core_agent_obj(c, s->dedicated) : NULL;
    call.dedicated = own ? own->key : ACD_NOBODY;
    call.only_dedicated = own && core_wait_for_own(c, k);
    for (size_t i = 0; i < s->n_overflow && call.n_queues < ACD_PLACES_MAX; i++) {
        const struct queue *more = core_queue_obj(c, s->overflow[i]);
        if (more != q) /* below feature level 4 he may have come home to one of them (lead_away) */
            call.queues[call.n_queues++] = more->key;
    }
    return acd_enqueue(c->acd, &call);
}

static void enqueue(struct core *c, struct call *k)
{
    Ev__CallState *s = k->st;
    const struct queue *q = core_queue_obj(c, s->queue);
    if (core_queue_wait(c, k, q) != 0)
        core_oom(); /* the only way to fail: queue and call are known to be there and not there */
    s->phase = CORE_CALL_WAITING;
    core_wait_look(c, k);
    core_queues_touch(c, k);
    core_call_touch(c, k);
    core_wait_pushed(c, core_queue_obj(c, s->queue));
    for (size_t i = 0; i < s->n_overflow; i++)
        core_wait_pushed(c, core_queue_obj(c, s->overflow[i]));
}

bool core_queue_full(const struct core *c, const char *name)
{
    const struct queue *q = core_queue_obj(c, name);
    const Ev__Queue *cfg = core_queue_config(c, name);
    return q && cfg && cfg->max_waiting && acd_waiting_home(c->acd, q->key) - q->callbacks >= cfg->max_waiting;
}

/* The queue as it stands takes nobody. */
static void turn_away(struct core *c, struct call *k)
{
    const Ev__Action *a = core_queue_config(c, k->st->queue)->full_action;
    if (!a || core_action_do(c, k, a, "queue_full") != 0)
        core_call_fail(c, k, 486, "queue_full");
}

void core_queue_enter(struct core *c, struct call *k, bool again)
{
    Ev__CallState *s = k->st;
    if (!core_queue_obj(c, s->queue)) {
        core_call_fail(c, k, 404, "no_queue");
        return;
    }
    if (core_queue_full(c, s->queue)) {
        turn_away(c, k);
        return;
    }
    s->queued_us = again ? s->queued_us : c->now_us;
    s->entered_us = again ? c->now_us : 0;
    s->front = s->tried = 0;
    core_pbset(&s->wait_notice, ""); /* what he was being told elsewhere */
    core_callback_place(c, k);
    core_served_find(c, k, core_queue_obj(c, s->queue));
    core_vip_decide(c, s);
    core_wait_enter(c, k);
    enqueue(c, k);
    core_ev_call(c, "call.queued", k);
}

void core_queue_back(struct core *c, struct call *k)
{
    Ev__CallState *s = k->st;
    core_pbset(&s->queue, s->left_queue);
    core_pbset(&s->left_queue, "");
    core_pbset(&s->app, "");
    core_pbset(&s->wait_notice, "");
    core_pbset(&s->fail_cause, "");
    core_wait_actions_done(k);
    enqueue(c, k);
    core_ev_call(c, "call.queued", k);
}

int core_call_vip(struct core *c, const Ev__CallVip *m)
{
    struct call *k = core_call_of(c, m->call_id);
    if (!k)
        return c->ans->code;
    Ev__CallState *s = k->st;
    bool waits = s->phase == CORE_CALL_WAITING;
    if ((!waits && s->phase != CORE_CALL_OFFERED) || strcmp(s->queue, m->queue) != 0)
        return core_refuse(c, ERR_STALE, "queue", "the call does not wait in queue %.64s any more", m->queue);
    if (s->vip)
        return 0;
    s->vip = true;
    core_pbset(&s->vip_said, m->by);
    if (waits) {
        if (acd_dequeue(c->acd, s->call_id) != 0)
            core_oom(); /* the only way to fail: it is known to wait */
        enqueue(c, k);
    } else {
        core_queue_touch(c, s->queue);
        core_call_touch(c, k);
    }
    return 0;
}

/* Who is rung follows (core_ring_add), then offer_made. d: who decided so, NULL outside queues. */
static void begin_offer(struct core *c, struct call *k, enum core_call_phase phase, const char *queue, uint32_t ring_s,
                        const struct acd_decision *d)
{
    Ev__CallState *s = k->st;
    s->phase = phase;
    s->next = false;
    s->offer_since_us = c->now_us;
    s->offer_ring_time_s = ring_s;
    if (!s->offered_us)
        s->offered_us = c->now_us;
    s->offers++;
    core_pbset(&s->offer_queue, queue);
    if (c->feature_level < 2)
        d = NULL; /* what older programs do not write down */
    core_pbset(&s->out_trunk, "");
    core_pbset(&s->out_caller, "");
    s->offer_why = d ? (uint32_t)d->why + 1 : 0;
    s->offer_candidates = d ? d->candidates : 0;
}

static void offer_made(struct core *c, struct call *k)
{
    const Ev__CallState *s = k->st;
    struct sbuf *b = core_ev_call_begin(c, "call.offered", k);
    core_ring_kv(b, k);
    if (s->offer_why) {
        sbuf_kv(b, "why", queue_why_name((enum acd_why)(s->offer_why - 1)));
        sbuf_kv_uint(b, "candidates", s->offer_candidates);
    }
    core_data_kv(b, s);
    core_ev_end(c);
}

/* The telephone of a dialled agent or extension; NULL with *err, *status and *cause. */
static const char *telephone_of(const struct core *c, const struct core_dial_to *to, int *err, uint32_t *status,
                                const char **cause)
{
    const char *extension = to->extension;
    *err = ERR_NOTFOUND;
    *status = 404;
    if (to->agent[0]) {
        const struct agent *a = core_agent_obj(c, to->agent);
        *cause = "no_agent";
        if (!a)
            return NULL;
        *err = ERR_BADSTATE;
        *status = 480;
        *cause = "logged_out";
        if (!a->ext || a->logout)
            return NULL;
        *err = ERR_BUSY;
        *status = 486;
        *cause = "busy";
        if (a->pub.state == CORE_AGENT_RINGING || a->pub.state == CORE_AGENT_TALKING)
            return NULL;
        extension = a->extension;
    } else if (!core_extension(c, extension)) {
        *cause = "no_extension";
        return NULL;
    }
    *err = ERR_BADSTATE;
    *status = 480;
    *cause = "unreachable";
    return core_reachable(c, extension) ? extension : NULL;
}

/* Who would be rung, and through which trunk (else NULL). */
static int dialled(const struct core *c, const struct core_dial_to *to, const char *by, const char **number,
                   const Ev__Trunk **t, uint32_t *status, const char **cause)
{
    int err = ERR_DENIED;
    bool outside = to->number[0] != '\0';
    if (outside && core_blacklisted(c, to->number, CORE_CALL_OUT)) {
        *status = 603;
        *cause = "blacklisted";
        return ERR_DENIED;
    }
    *t = outside ? core_outside_trunk(c, to->trunk, by, status, cause) : NULL;
    *number = outside ? to->number : telephone_of(c, to, &err, status, cause);
    return (outside ? *t != NULL : *number != NULL) ? 0 : err;
}

int core_offer_check(const struct core *c, const struct core_dial_to *to, const char *by, uint32_t *status,
                     const char **cause)
{
    const char *number;
    const Ev__Trunk *t;
    return dialled(c, to, by, &number, &t, status, cause);
}

/* The number of who called, which a trunk may show of forwarded calls. */
static const char *passed_on(const Ev__CallState *s, const Ev__Trunk *t)
{
    return s->forward && t->pass_caller && !s->withheld && s->trunk[0] && config_is_outside(s->caller) ? s->caller : "";
}

int core_offer_ring(struct core *c, struct call *k, const struct core_dial_to *to, uint32_t *status, const char **cause)
{
    const char *number;
    const Ev__Trunk *t;
    int err = dialled(c, to, core_outside_by(c, k), &number, &t, status, cause);
    if (err)
        return err;
    begin_offer(c, k, CORE_CALL_DIALLING, "", to->ring_time_s ? to->ring_time_s : CORE_DIAL_RING_S, NULL);
    k->st->dials_out = c->feature_level >= 4 && t && k->st->extension[0];
    if (t) {
        core_pbset(&k->st->out_trunk, t->name);
        if (k->st->forward)
            core_pbset(&k->st->forward->shown, core_outside_caller(c, k, t, ""));
        core_pbset(&k->st->out_caller,
                   core_outside_caller(c, k, t, to->caller_id[0] ? to->caller_id : passed_on(k->st, t)));
    }
    core_ring_add(c, k, to->agent, number);
    offer_made(c, k);
    return 0;
}

void core_first_ring(struct core *c, struct call *k, const char *agent, const char *extension)
{
    begin_offer(c, k, CORE_CALL_DIALLING, "", CORE_DIAL_RING_S, NULL);
    core_ring_add(c, k, agent, extension);
    offer_made(c, k);
}

/* Back to the very front: the latest returned is served first. */
static void requeue(struct core *c, struct call *k)
{
    k->st->front = ++c->front;
    enqueue(c, k);
}

static void withdraw_all(struct core *c, struct call *k, uint32_t status, const char *cause)
{
    bool queued = k->st->phase == CORE_CALL_OFFERED;
    bool menu = k->st->from_menu;
    if (queued && strcmp(k->st->offer_agent, k->st->dedicated) == 0)
        core_wait_own_done(k);
    char agent[CORE_NAME_MAX], extension[CORE_NAME_MAX];
    uint64_t since_us = k->st->offer_since_us;
    bool ours = !queued && !core_outside(k);
    (void)snprintf(agent, sizeof agent, "%s", k->st->offer_agent);
    (void)snprintf(extension, sizeof extension, "%s", k->st->offer_extension);
    core_ring_clear(c, k);
    if (ours && core_forward_unanswered(c, k, agent, extension, since_us, &status, &cause) == 0)
        return;
    if (core_first_rings(k) && !(queued && core_join_main(c, k))) {
        core_first_in_vain(c, k, status, cause);
    } else if (queued) {
        requeue(c, k);
    } else if (k->st->from_queue) {
        /* An action had him rung elsewhere: he waits again, where and as before. */
        k->st->from_queue = false;
        core_pbset(&k->st->queue, k->st->left_queue);
        core_pbset(&k->st->left_queue, "");
        core_pbset(&k->st->out_trunk, "");
        core_pbset(&k->st->out_caller, "");
        enqueue(c, k);
    } else if (menu) {
        k->st->from_menu = false;
        k->st->phase = CORE_CALL_MENU;
        k->st->fail_status = status;
        core_pbset(&k->st->fail_cause, cause);
        core_call_touch(c, k);
    } else if (!core_transfer_in_vain(c, k, status)) {
        core_call_fail(c, k, status, cause);
    }
}

void core_offer_withdraw(struct core *c, struct call *k, const struct ext *e, uint32_t status, const char *cause)
{
    for (unsigned i = 0; i < core_ring_count(k) && core_ring_count(k) > 1; i++) {
        if (strcmp(core_ring_extension(k, i), e->number) == 0) {
            core_ring_drop(c, k, i);
            return;
        }
    }
    withdraw_all(c, k, status, cause);
}

/* Those whom the engine has chosen and who can be rung, to the front of the list. The others are passed over until their
 * telephones register. */
static unsigned choose_reachable(struct core *c, const struct acd_decision *d, struct agent **out)
{
    unsigned n = 0;
    for (unsigned i = 0; i < d->n_agents; i++) {
        struct agent *a = c->agent_by_key[d->agents[i]];
        if (core_reachable(c, a->extension))
            out[n++] = a;
    }
    return n;
}

static void pass_over(struct core *c, const struct acd_decision *d)
{
    for (unsigned i = 0; i < d->n_agents; i++) {
        struct agent *a = c->agent_by_key[d->agents[i]];
        if (!core_reachable(c, a->extension))
            core_agent_unready(c, a, "unreachable");
    }
}

void core_offer_to(struct core *c, struct call *k, struct queue *q, struct agent *a)
{
    core_queues_touch(c, k);
    if (acd_dequeue(c->acd, k->st->call_id) != 0)
        core_oom();
    begin_offer(c, k, CORE_CALL_OFFERED, q->name, core_queue_config(c, q->name)->ring_time_s, NULL);
    k->st->next = true;
    core_ring_add(c, k, a->number, a->extension);
    core_ring_list(c, k);
    offer_made(c, k);
}

/* Each match that the engine has found becomes an offer, or several. */
void core_decide(struct core *c)
{
    struct acd_decision d;
    core_next_serve(c);
    while (acd_decide(c->acd, &d)) {
        struct call *k = core_call_obj(c, d.call);
        struct agent *chosen[ACD_RING_MAX];
        const struct queue *q = c->queue_by_key[d.queue];
        unsigned n = choose_reachable(c, &d, chosen);
        core_queue_touch(c, q->name);
        if (!k && n)
            k = core_callback_call(c, d.call);
        if (k)
            core_queues_touch(c, k);
        if (n == 0) { /* the caller keeps his place */
            for (unsigned i = 0; k && i < d.n_agents; i++) {
                if (strcmp(k->st->dedicated, c->agent_by_key[d.agents[i]]->number) != 0)
                    continue;
                core_wait_own_done(k);
                d.was.only_dedicated = false;
                core_call_touch(c, k);
            }
            if (acd_enqueue(c->acd, &d.was) != 0)
                core_oom();
            pass_over(c, &d);
            continue;
        }
        const Ev__Queue *cfg = core_queue_config(c, q->name);
        struct agent *instead = n == 1 && !k->st->we_call ? core_next_instead(c, chosen[0]) : chosen[0], *spared = NULL;
        if (instead != chosen[0]) {
            spared = chosen[0];
            chosen[0] = instead;
        }
        begin_offer(c, k, CORE_CALL_OFFERED, q->name, cfg->ring_time_s, spared ? NULL : &d);
        k->st->next = spared != NULL;
        for (unsigned i = 0; i < n; i++)
            core_ring_add(c, k, chosen[i]->number, chosen[i]->extension);
        core_ring_list(c, k);
        offer_made(c, k);
        pass_over(c, &d);
        if (spared && core_agent_offer_up(c, spared) != 0)
            core_oom();
        if (q->rules.strategy == ACD_ROUND_ROBIN)
            chosen[0]->last_offer = k->st->offer_id; /* stored with the state that the offer has changed */
    }
    core_ring_fill(c);
}

/* ---- commands */

static struct call *offered(struct core *c, uint64_t call_id, uint64_t offer_id)
{
    struct call *k = core_call_of(c, call_id);
    if (!k)
        return NULL;
    if (!offer_id || core_ring_find(k, offer_id) == core_ring_count(k)) {
        (void)core_refuse(c, ERR_STALE, "offer_id", "the offer is over");
        return NULL;
    }
    return k;
}

void core_offer_talks(struct core *c, struct call *k)
{
    Ev__CallState *s = k->st;
    struct agent *a = k->callee ? k->callee->agent : NULL;
    bool caller_now = !s->answered;
    if (caller_now) {
        s->answered = s->legs[0]->answered = true;
        s->answered_us = c->now_us;
    }
    s->phase = CORE_CALL_TALKING;
    s->connected_us = c->now_us;
    s->from_menu = s->from_queue = false;
    core_transfer_done(s);
    s->parted_us = 0;
    c->talking++;
    core_recording_talks(c, k);
    core_call_touch(c, k);
    if (a) {
        a->pub.answered++;
        core_agent_refresh(c, a);
    }
    if (caller_now)
        core_ev_call(c, "call.answered", k);
    core_data_kv(core_ev_call_begin(c, "call.connected", k), s);
    core_ev_end(c);
}

int core_offer_answered(struct core *c, Ev__OfferAnswered *m)
{
    struct call *k = offered(c, m->call_id, m->offer_id);
    if (!k)
        return c->ans->code;
    Ev__CallState *s = k->st;
    if (s->n_legs >= CORE_LEGS_MAX)
        return core_refuse(c, ERR_BADSTATE, "call_id", "the call has too many legs");
    unsigned i = core_ring_find(k, m->offer_id);
    if (core_first_rings(k)) {
        core_first_answered(c, k, i, &m->dialog);
        return 0;
    }
    const char *number = core_ring_extension(k, i);
    struct agent *a = core_outside(k) ? NULL : core_ext_find(c, number)->agent;
    Ev__LegState *l = core_call_add_leg(k, CORE_LEG_CALLEE, number, a ? a->number : "");
    l->answered = true;
    if (c->feature_level >= 3) {
        core_pbset(&l->queue, s->offer_queue);
        l->direct = !s->offer_queue[0];
    }
    core_estimate_answered(c, k);
    if (!s->we_call)
        core_pbset(&s->served_queue, strcmp(s->offer_queue, s->queue) != 0 ? s->offer_queue : "");
    core_ring_keep(c, k, i);
    core_dialog_take(&l->dialog, &m->dialog);
    core_dialog_take(&s->legs[0]->dialog, &m->caller_dialog);
    core_call_acked(k, m->caller_acked);
    core_offer_talks(c, k);
    return 0;
}

/* He is not rung again until he says so; set before his telephone is free, or he would be idle for a moment. */
static void unready(struct core *c, struct call *k, unsigned i, const char *why)
{
    struct agent *a = core_ext_find(c, core_ring_extension(k, i))->agent;
    if (a && a->ready)
        core_agent_unready(c, a, why);
}

/* Nobody has answered in time. */
static void ring_over(struct core *c, struct call *k)
{
    const Ev__Queue *cfg = core_queue_config(c, k->st->offer_queue);
    for (unsigned i = 0; cfg && queue_unready_unanswered(cfg) && i < core_ring_count(k); i++)
        unready(c, k, i, "no_answer");
}

int core_offer_failed(struct core *c, const Ev__OfferFailed *m)
{
    static const char *const causes[] = {"no_answer", "busy", "rejected", "unreachable", "error"};
    static const uint32_t statuses[] = {480, 486, 603, 480, 500};
    struct call *k = offered(c, m->call_id, m->offer_id);
    if (!k)
        return c->ans->code;
    unsigned cause = (unsigned)m->cause < 5 ? (unsigned)m->cause : EV__OFFER_FAILED__CAUSE__ERROR;
    unsigned i = core_ring_find(k, m->offer_id);
    bool over = cause == EV__OFFER_FAILED__CAUSE__NO_ANSWER;
    if (k->st->phase == CORE_CALL_OFFERED && over)
        ring_over(c, k);
    else if (k->st->phase == CORE_CALL_OFFERED)
        unready(c, k, i, causes[cause]);
    const struct ext *e = core_ext_find(c, core_ring_extension(k, i));
    uint64_t let_go_us = e ? e->let_go_us : 0;
    char number[CORE_NAME_MAX];
    (void)snprintf(number, sizeof number, "%s", core_ring_extension(k, i));
    if (core_ring_count(k) > 1 && !over)
        core_ring_drop(c, k, i);
    else
        withdraw_all(c, k, m->sip_status ? m->sip_status : statuses[cause], causes[cause]);
    if (!over && core_ext_find(c, number))
        core_ext_find(c, number)->let_go_us = let_go_us; /* he has refused: there is nothing to be called off */
    return 0;
}
