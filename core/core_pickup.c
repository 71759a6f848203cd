/* Pick-up (抢接): a telephone that has dialled the code, or names what rings by Replaces (core_replace.c), answers a call that rings at a
 * colleague's, instead of him. Asked for by a program, the agent's telephone is rung beside those that ring already.
 *
 * It stands in a call of its own (application "code:pickup") until this command; then its leg goes into the call that rings (core_merge.c),
 * whichever node owns that, and whoever was rung is called off. Which call that is follows from the state: the one that rings longest among
 * those of the agent group, or at the telephone that was dialled. */
#include <string.h>

#include "core/core_int.h"

const Ev__Agent *core_pickup_agent(const struct core *c, const char *extension)
{
    const struct core_agent *there = core_agent_at_extension(c, extension);
    return there ? core_agent_config(c, there->number) : core_agent_bound_to(c, extension);
}

static bool same_group(const Ev__Agent *a, const Ev__Agent *b)
{
    return a && b && a->group[0] && strcmp(a->group, b->group) == 0;
}

struct wanted {
    const char *mine, *extension; /* extension "": any of the group */
    const Ev__Agent *me;
    bool forbidden; /* it rings, and may not be picked up */
};

static bool fits(const struct core *c, const struct call *k, struct wanted *w)
{
    const Ev__CallState *s = k->st;
    bool rings = s->n_legs == 1 && s->offer_id && (s->phase == CORE_CALL_DIALLING || s->phase == CORE_CALL_OFFERED);
    if (!rings || core_outside(k) || strcmp(s->extension, w->mine) == 0)
        return false;
    for (unsigned i = 0; i < core_ring_count(k); i++) {
        const char *at = core_ring_extension(k, i);
        const Ev__Agent *his = core_pickup_agent(c, at);
        if (w->extension[0] && strcmp(at, w->extension) != 0)
            continue;
        if (same_group(w->me, his) || (w->extension[0] && !his))
            return true;
        w->forbidden = true;
    }
    return false;
}

/* The one that rings longest; by id among those that began at once. */
static struct call *find(const struct core *c, struct wanted *w)
{
    struct call *found = NULL;
    for (const struct core_call *p = NULL; (p = core_call_next(c, p, NULL));) {
        struct call *k = core_call_obj(c, p->id);
        if (fits(c, k, w) && (!found || k->st->offer_since_us < found->st->offer_since_us))
            found = k;
    }
    return found;
}

bool core_pickup_may(const struct core *c, const char *by, const char *extension)
{
    const Ev__Agent *me = core_pickup_agent(c, by), *his = core_pickup_agent(c, extension);
    return same_group(me, his) || !his || (me && strcmp(me->number, his->number) == 0);
}

/* ---- for an agent: his telephone is rung as well, and stops others from ringing by answering */

static const char *telephone_of(struct core *c, const char *agent)
{
    const struct core_agent *a = core_agent(c, agent);
    if (!a) {
        (void)core_refuse(c, ERR_NOTFOUND, "agent", "there is no agent %.64s", agent);
        return NULL;
    }
    const struct core_dial_to to = {.agent = agent, .extension = "", .number = "", .trunk = "", .caller_id = ""};
    uint32_t status;
    const char *cause;
    int err = core_dial_check(c, &to, CORE_FORWARD_NOT, &status, &cause);
    if (err)
        (void)core_refuse(c, err, "agent", "agent %.64s cannot be rung now: %s", agent, cause);
    return err ? NULL : a->extension;
}

static int for_agent(struct core *c, const Ev__CallPickup *m)
{
    struct call *k = core_call_obj(c, m->call_id);
    c->ans->call_id = m->call_id;
    if (!k)
        return core_refuse(c, ERR_NOTFOUND, "call_id", "there is no such call");
    const char *by = telephone_of(c, m->agent);
    if (!by)
        return c->ans->code;
    unsigned n = core_ring_count(k);
    if (!core_merge_rings(k) || core_outside(k))
        return core_refuse(c, ERR_BADSTATE, "call_id", "no telephone of ours is being rung for it");
    if (strcmp(k->st->extension, by) == 0)
        return core_refuse(c, ERR_BADSTATE, "agent", "agent %.64s is a party of the call", m->agent);
    if (n >= CORE_RING_MAX)
        return core_refuse(c, ERR_TOOBIG, "call_id", "%u telephones are being rung for it", n);
    bool may = false;
    for (unsigned i = 0; i < n && !may; i++)
        may = core_pickup_may(c, by, core_ring_extension(k, i));
    if (!may)
        return core_refuse(c, ERR_DENIED, "agent", "whoever is rung is of another group than agent %.64s", m->agent);
    core_ring_add(c, k, m->agent, by);
    struct sbuf *b = core_ev_call_begin(c, "call.offered", k);
    core_ring_kv(b, k);
    core_data_kv(b, k->st);
    core_ev_end(c);
    return 0;
}

int core_call_pickup(struct core *c, const Ev__CallPickup *m)
{
    if (m->call_id)
        return for_agent(c, m);
    struct call *from = core_call_of(c, m->from);
    if (!from)
        return c->ans->code;
    const Ev__CallState *s = from->st;
    if (s->phase != CORE_CALL_APP || strcmp(s->app, "code:pickup") != 0 || !s->extension[0] || s->n_legs != 1)
        return core_refuse(c, ERR_BADSTATE, "from", "its telephone has not dialled the code");
    struct wanted w = {.mine = s->extension, .extension = m->extension, .me = core_pickup_agent(c, s->extension)};
    const struct call *rings = find(c, &w);
    if (!rings && w.extension[0] && w.forbidden)
        return core_refuse(c, ERR_DENIED, "extension", "extension %.64s is of another agent group", w.extension);
    if (!rings)
        return core_refuse(c, ERR_NOTFOUND, "extension", "nothing rings that could be picked up");
    const struct core_agent *there = core_agent_at_extension(c, s->extension);
    if (there)
        core_pbset(&from->st->legs[0]->agent, there->number);
    Ev__CallMerge merge = EV__CALL_MERGE__INIT;
    merge.call_id = rings->st->call_id;
    merge.from = m->from;
    return core_call_merge(c, &merge);
}
