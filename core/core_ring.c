/* The telephones that are rung for one call: one, or several with ring all.
 *
 * All of a ring belong to one queue, began at one time and end at one time; each is an offer of its own, with an id and epochs of its
 * own, so that who answers, refuses or has to be called off is never mistaken for another. Who drops out leaves the others
 * ringing; who answers ends the ring for all. Both are one command, and so is the ring as a whole (the one that decided it). */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/core_int.h"

_Static_assert(CORE_RING_MAX == ACD_RING_MAX, "the engine rings as many as a call has offers");

unsigned core_ring_count(const struct call *k)
{
    return k->st->offer_id ? 1 + (unsigned)k->st->n_rings : 0;
}

unsigned core_ring_find(const struct call *k, uint64_t offer_id)
{
    const Ev__CallState *s = k->st;
    unsigned n = core_ring_count(k);
    for (unsigned i = 0; i < n; i++) {
        if ((i ? s->rings[i - 1]->offer_id : s->offer_id) == offer_id)
            return i;
    }
    return n;
}

const char *core_ring_extension(const struct call *k, unsigned i)
{
    return i ? k->st->rings[i - 1]->extension : k->st->offer_extension;
}

/* ---- what others see of it */

static void publish(const struct core_call *p, Ev__Ring *const *rings, size_t n, struct core_offer *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = p->offer;
        out[i].id = rings[i]->offer_id;
        out[i].agent = rings[i]->agent;
        out[i].extension = rings[i]->extension;
        out[i].epoch = rings[i]->epoch;
        out[i].former_epoch = rings[i]->former_epoch;
    }
}

void core_ring_publish(struct call *k)
{
    const Ev__CallState *s = k->st;
    struct core_call *p = &k->pub;
    p->offer = (struct core_offer){.id = s->offer_id,
                                   .agent = s->offer_agent,
                                   .extension = s->offer_extension,
                                   .queue = s->offer_queue,
                                   .since_us = s->offer_since_us,
                                   .ring_time_s = s->offer_ring_time_s,
                                   .epoch = s->offer_epoch,
                                   .former_epoch = s->offer_former_epoch};
    p->n_offers = core_ring_count(k);
    bool in_rings = !p->n_offers && s->n_rings; /* somebody has answered: those beside him */
    p->n_called_off = (unsigned)(s->n_called_off + (in_rings ? s->n_rings : 0));
    p->offers = &p->offer;
    p->called_off = NULL;
    if (!s->n_rings && !s->n_called_off)
        return;
    k->rung = core_grow(k->rung, (1 + s->n_rings + s->n_called_off) * sizeof *k->rung);
    k->rung[0] = p->offer;
    publish(p, s->rings, s->n_rings, k->rung + 1);
    publish(p, s->called_off, s->n_called_off, k->rung + 1 + s->n_rings);
    p->offers = k->rung;
    p->called_off = k->rung + 1 + (in_rings ? 0 : s->n_rings);
}

void core_ring_kv(struct sbuf *b, const struct call *k)
{
    const Ev__CallState *s = k->st;
    if (core_ring_count(k) < 2)
        return;
    sbuf_puts(b, ",\"agents\":[");
    sbuf_str(b, s->offer_agent);
    for (size_t i = 0; i < s->n_rings; i++) {
        sbuf_puts(b, ",");
        sbuf_str(b, s->rings[i]->agent);
    }
    sbuf_puts(b, "]");
}

/* ---- who is in it */

static void forget(Ev__CallState *s, unsigned ring)
{
    ev__ring__free_unpacked(s->rings[ring], NULL);
    s->n_rings--;
    for (size_t i = ring; i < s->n_rings; i++)
        s->rings[i] = s->rings[i + 1];
}

/* The next one is rung in another ring. Who lost in those before is still to be called off, should their owner have died over it; the oldest of
 * very many are not. */
static void begin(Ev__CallState *s)
{
    while (s->n_called_off && s->n_called_off + s->n_rings > CORE_CALLED_OFF_MAX) {
        ev__ring__free_unpacked(s->called_off[0], NULL);
        s->n_called_off--;
        for (size_t i = 0; i < s->n_called_off; i++)
            s->called_off[i] = s->called_off[i + 1];
    }
    if (s->n_rings)
        s->called_off = core_grow(s->called_off, (s->n_called_off + s->n_rings) * sizeof(Ev__Ring *));
    for (size_t i = 0; i < s->n_rings; i++)
        s->called_off[s->n_called_off++] = s->rings[i];
    s->n_rings = 0;
}

void core_ring_add(struct core *c, struct call *k, const char *agent, const char *extension)
{
    Ev__CallState *s = k->st;
    if (!s->offer_id) {
        begin(s);
        s->offer_id = ++c->offer_seq;
        s->offer_epoch = s->epoch;
        s->offer_former_epoch = 0;
        if (c->feature_level >= 4)
            core_pbset(&s->rung, agent[0] ? agent : extension);
        core_pbset(&s->offer_agent, agent);
        core_pbset(&s->offer_extension, extension);
        core_call_touch(c, k);
        core_call_set_callee(c, k, core_outside(k) ? NULL : extension);
        return;
    }
    s->rings = core_grow(s->rings, (s->n_rings + 1) * sizeof *s->rings);
    Ev__Ring *r = core_alloc(sizeof *r);
    ev__ring__init(r);
    r->offer_id = ++c->offer_seq;
    r->epoch = s->epoch;
    core_pbset(&r->agent, agent);
    core_pbset(&r->extension, extension);
    s->rings[s->n_rings++] = r;
    core_call_touch(c, k);
    core_call_join(c, k, core_ext(c, extension));
}

/* He is not rung any more, and has not answered. */
static void let_go(struct core *c, struct call *k, struct ext *e)
{
    e->let_go_us = c->now_us;
    core_call_leave(c, k, e);
}

uint64_t core_let_go_us(const struct core *c, const char *extension)
{
    const struct ext *e = core_ext_find(c, extension);
    return e ? e->let_go_us : 0;
}

void core_ring_drop(struct core *c, struct call *k, unsigned i)
{
    Ev__CallState *s = k->st;
    struct ext *e = core_ext_find(c, core_ring_extension(k, i));
    if (i == 0) { /* the next one takes his place */
        const Ev__Ring *r = s->rings[0];
        s->offer_id = r->offer_id;
        s->offer_epoch = r->epoch;
        s->offer_former_epoch = r->former_epoch;
        core_pbset(&s->offer_agent, r->agent);
        core_pbset(&s->offer_extension, r->extension);
        k->callee = core_ext_find(c, r->extension);
    }
    forget(s, i ? i - 1 : 0);
    core_call_touch(c, k);
    let_go(c, k, e);
    c->joins = true;
}

static void over(struct call *k)
{
    Ev__CallState *s = k->st;
    list_del(&k->ringing);
    s->offer_id = s->offer_since_us = 0;
    s->offer_ring_time_s = 0;
    core_pbset(&s->offer_agent, "");
    core_pbset(&s->offer_extension, "");
    core_pbset(&s->offer_queue, "");
}

void core_ring_keep(struct core *c, struct call *k, unsigned i)
{
    Ev__CallState *s = k->st;
    k->callee = core_outside(k) ? NULL : core_ext_find(c, core_ring_extension(k, i));
    for (unsigned n = core_ring_count(k); n-- > 0;) {
        if (n != i)
            let_go(c, k, core_ext_find(c, core_ring_extension(k, n)));
    }
    if (i > 0) { /* the first one's place is given up: he is one of those to be called off */
        Ev__Ring *r = s->rings[i - 1];
        r->offer_id = s->offer_id;
        r->epoch = s->offer_epoch;
        r->former_epoch = s->offer_former_epoch;
        core_pbset(&r->agent, s->offer_agent);
        core_pbset(&r->extension, s->offer_extension);
    }
    over(k);
}

void core_ring_taken(struct core *c, struct call *k)
{
    Ev__CallState *s = k->st;
    Ev__Ring *r = core_alloc(sizeof *r);
    ev__ring__init(r);
    r->offer_id = s->offer_id;
    r->epoch = s->offer_epoch;
    r->former_epoch = s->offer_former_epoch;
    core_pbset(&r->agent, s->offer_agent);
    core_pbset(&r->extension, s->offer_extension);
    for (unsigned n = core_outside(k) ? 0 : core_ring_count(k); n-- > 0;)
        let_go(c, k, core_ext_find(c, core_ring_extension(k, n)));
    k->callee = NULL;
    s->rings = core_grow(s->rings, (s->n_rings + 1) * sizeof *s->rings);
    s->rings[s->n_rings++] = r;
    over(k);
}

void core_ring_clear(struct core *c, struct call *k)
{
    while (core_ring_count(k) > 1)
        core_ring_drop(c, k, (unsigned)k->st->n_rings);
    over(k);
    core_call_publish(k);
    if (k->callee)
        k->callee->let_go_us = c->now_us;
    core_call_set_callee(c, k, NULL);
}

/* ---- who is asked to answer */

/* "talk" among what it says that it can be sent (RFC 6665 section 8.2.2). */
static bool can_talk(const struct ext *e)
{
    if (!e)
        return false;
    list_foreach(it, &e->bindings) {
        for (const char *p = list_entry(it, struct binding, link)->events; *p; p += strspn(p, ", \t")) {
            size_t n = strcspn(p, ", \t");
            if (n == 4 && strncasecmp(p, "talk", 4) == 0)
                return true;
            p += n;
        }
    }
    return false;
}

static bool is_named(const Ev__CallState *s, unsigned i, const char *leg)
{
    const char *agent = i ? s->rings[i - 1]->agent : s->offer_agent;
    const char *extension = i ? s->rings[i - 1]->extension : s->offer_extension;
    return strcmp(leg, extension) == 0 || (agent[0] && strcmp(leg, agent) == 0);
}

int core_ring_answer(struct core *c, const Ev__CallParty *m)
{
    struct call *k = core_call_obj(c, m->call_id);
    c->ans->call_id = m->call_id;
    if (!k)
        return core_refuse(c, ERR_NOTFOUND, "call_id", "there is no such call");
    Ev__CallState *s = k->st;
    unsigned n = core_ring_count(k), i = 0;
    bool only = n == 1 && (!m->leg[0] || strcmp(m->leg, "callee") == 0);
    if (!n || core_outside(k))
        return core_refuse(c, ERR_BADSTATE, "call_id", "no telephone of ours is being rung for it");
    if (!m->leg[0] && !only)
        return core_refuse(c, ERR_INVAL, "leg", "%u telephones are being rung: name one of them", n);
    while (!only && i < n && !is_named(s, i, m->leg))
        i++;
    if (i == n)
        return core_refuse(c, ERR_NOTFOUND, "leg", "%.64s is not being rung for it", m->leg);
    if (!can_talk(core_ext_find(c, core_ring_extension(k, i))))
        return core_refuse(
            c, ERR_UNSUPPORTED, "leg",
            "the telephone of extension %.64s does not say that it answers by request (Allow-Events: talk)",
            core_ring_extension(k, i));
    s->answer_offer = i ? s->rings[i - 1]->offer_id : s->offer_id;
    s->answer_asks++;
    core_call_touch(c, k);
    struct sbuf *b = core_ev_call_begin(c, "call.answer_asked", k);
    sbuf_kv(b, "extension", core_ring_extension(k, i));
    core_ev_end(c);
    return 0;
}

/* ---- who may join */

void core_ring_list(struct core *c, struct call *k)
{
    const struct queue *q = core_queue_obj(c, k->st->offer_queue);
    struct list_node *at = q->ringing.prev;
    for (; at != &q->ringing; at = at->prev) {
        const Ev__CallState *s = list_entry(at, struct call, ringing)->st;
        if (s->offer_since_us < k->st->offer_since_us ||
            (s->offer_since_us == k->st->offer_since_us && s->call_id < k->st->call_id))
            break;
    }
    list_insert_between(&k->ringing, at, at->next);
}

/* As if the call waited: the engine says who would serve it. */
static void fill(struct core *c, struct call *k, const struct queue *q)
{
    const Ev__CallState *s = k->st;
    unsigned n = core_ring_count(k);
    uint64_t over_us = s->offer_since_us + s->offer_ring_time_s * 1000000ull;
    if (n >= q->rules.ring_max || c->now_us + CORE_JOIN_LEFT_S * 1000000ull > over_us)
        return;
    struct acd_decision d;
    if (core_queue_join(c, k, q) != 0)
        core_oom();
    if (!acd_decide(c->acd, &d)) {
        if (acd_dequeue(c->acd, s->call_id) != 0)
            core_oom(); /* the only way to fail: it waits */
        return;
    }
    for (unsigned i = 0; i < d.n_agents; i++) {
        struct agent *a = c->agent_by_key[d.agents[i]];
        if (core_ring_count(k) >= q->rules.ring_max) {
            if (core_agent_offer_up(c, a) != 0)
                core_oom();
        } else if (core_reachable(c, a->extension)) {
            core_ring_add(c, k, a->number, a->extension);
        } else {
            core_agent_unready(c, a, "unreachable");
        }
    }
    if (core_ring_count(k) == n)
        return;
    core_queue_touch(c, q->name);
    struct sbuf *b = core_ev_call_begin(c, "call.offered", k);
    core_ring_kv(b, k);
    core_data_kv(b, k->st);
    core_ev_end(c);
}

void core_ring_fill(struct core *c)
{
    bool joins = c->joins && c->ring_alls;
    c->joins = false;
    for (uint32_t key = 0; joins && key < c->queue_keys; key++) {
        const struct queue *q = c->queue_by_key[key];
        if (!q || q->rules.strategy != ACD_RING_ALL)
            continue;
        list_foreach(it, &q->ringing) {
            if (acd_available(c->acd, key) == 0)
                break;
            fill(c, list_entry(it, struct call, ringing), q);
        }
    }
}
