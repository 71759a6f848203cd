/* Pick-up (抢接): a telephone that has dialled the code answers a call that rings at a colleague's, instead of him.
 *
 * It stands in a call of its own (application "code:pickup") until this command; then its leg goes into the call that rings (core_merge.c),
 * whichever node owns that, and whoever was rung is called off. Which call that is follows from the state: the one that rings longest among
 * those of the agent group, or at the telephone that was dialled. */
#include <string.h>

#include "core/core_int.h"

/* Who is at a telephone, or whose it is; NULL: nobody's. */
static const Ev__Agent *agent_of(const struct core *c, const char *extension)
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
        const Ev__Agent *his = agent_of(c, at);
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

int core_call_pickup(struct core *c, const Ev__CallPickup *m)
{
    struct call *from = core_call_of(c, m->from);
    if (!from)
        return c->ans->code;
    const Ev__CallState *s = from->st;
    if (s->phase != CORE_CALL_APP || strcmp(s->app, "code:pickup") != 0 || !s->extension[0] || s->n_legs != 1)
        return core_refuse(c, ERR_BADSTATE, "from", "its telephone has not dialled the code");
    struct wanted w = {.mine = s->extension, .extension = m->extension, .me = agent_of(c, s->extension)};
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
