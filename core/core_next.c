/* The next call to me: what a queue, or the queues for an agent, would bring next goes to the supervisor who has asked for it, once.
 *
 * It stands in the supervisor's own row (AgentWork), as long as he is logged in. Of a queue: the first who waits in it, or the next who comes, is rung
 * at him as soon as his telephone is free, whether members are idle or not; he need be neither ready nor a member. Of an agent: when the
 * engine has chosen that agent. A call that he does not answer goes back to the front of its queue, as any. */
#include <stdio.h>
#include <string.h>

#include "core/core_int.h"
#include "core/scope.h"

#define UNKNOWN UINT32_MAX

static bool asks(const struct agent *a)
{
    return a->ext && a->work && (a->work->next_queue[0] || a->work->next_agent[0]);
}

/* How many ask for it; after a start it is in the rows only. */
static bool anybody(struct core *c)
{
    if (c->nexts == UNKNOWN) {
        c->nexts = 0;
        for (uint32_t i = 0; i < c->agent_keys; i++)
            c->nexts += c->agent_by_key[i] && asks(c->agent_by_key[i]);
    }
    return c->nexts > 0;
}

void core_next_forget(struct core *c, struct agent *a)
{
    if (a->work) {
        core_pbset(&a->work->next_queue, "");
        core_pbset(&a->work->next_agent, "");
    }
    c->nexts = UNKNOWN;
}

static bool can_take(const struct core *c, const struct agent *a)
{
    return a->ext && !a->ext->n_calls && core_reachable(c, a->extension);
}

static void serve(struct core *c, struct agent *a)
{
    struct queue *q = core_queue_obj(c, a->work->next_queue);
    uint64_t id;
    if (!q)
        core_next_forget(c, a); /* it is gone */
    for (uint32_t i = 0; q && acd_waiting_at(c->acd, q->key, i, &id); i++) {
        struct call *k = core_call_obj(c, id);
        if (!k || k->st->phase != CORE_CALL_WAITING) /* a call back: an agent's */
            continue;
        core_next_forget(c, a);
        core_offer_to(c, k, q, a);
        return;
    }
}

void core_next_serve(struct core *c)
{
    if (!anybody(c))
        return;
    for (uint32_t i = 0; i < c->agent_keys; i++) {
        struct agent *a = c->agent_by_key[i];
        if (a && asks(a) && a->work->next_queue[0] && can_take(c, a))
            serve(c, a);
    }
}

struct agent *core_next_instead(struct core *c, struct agent *chosen)
{
    if (!anybody(c))
        return chosen;
    for (uint32_t i = 0; i < c->agent_keys; i++) {
        struct agent *a = c->agent_by_key[i];
        if (!a || a == chosen || !asks(a) || strcmp(a->work->next_agent, chosen->number) != 0 || !can_take(c, a))
            continue;
        core_next_forget(c, a);
        return a;
    }
    return chosen;
}

int core_agent_next(struct core *c, const Ev__AgentNext *m)
{
    struct agent *a = core_agent_obj(c, m->supervisor);
    const Ev__Agent *cfg = core_agent_config(c, m->supervisor);
    bool queue = m->queue[0] != '\0', agent = m->agent[0] != '\0';
    if (!a || !cfg)
        return core_refuse(c, ERR_NOTFOUND, "supervisor", "there is no agent %.64s", m->supervisor);
    if (strcmp(cfg->type, "supervisor") != 0)
        return core_refuse(c, ERR_DENIED, "supervisor", "agent %.64s is no supervisor", m->supervisor);
    if (queue && agent)
        return core_refuse(c, ERR_INVAL, "queue", "one of queue, agent");
    if (queue && !core_queue_config(c, m->queue))
        return core_refuse(c, ERR_NOTFOUND, "queue", "there is no queue %.64s", m->queue);
    if (queue && !core_manages_queue(c, m->supervisor, m->queue))
        return core_refuse(c, ERR_DENIED, "queue", "agent %.64s does not manage queue %.64s", m->supervisor, m->queue);
    if (agent && !core_manages_agent(c, m->supervisor, m->agent))
        return core_refuse(c, ERR_DENIED, "agent", "agent %.64s does not manage agent %.64s", m->supervisor, m->agent);
    if ((queue || agent) && !a->ext)
        return core_refuse(c, ERR_BADSTATE, "supervisor", "agent %.64s is not logged in", m->supervisor);
    core_next_forget(c, a);
    if (a->work) {
        core_pbset(&a->work->next_queue, m->queue);
        core_pbset(&a->work->next_agent, m->agent);
    }
    core_agent_refresh(c, a); /* his row */
    return 0;
}
