#include "core/scope.h"

#include <string.h>

#include "core/core_int.h"

/* ---- configuration */

int scope_check_agent(const Ev__Agent *a, struct err_info *info)
{
    bool manages = a->n_manages_groups || a->n_manages_queues;
    if (manages && strcmp(a->type, "supervisor") != 0)
        return err_set(info, ERR_INVAL, a->n_manages_groups ? "manages_groups" : "manages_queues",
                       "is for agents of type supervisor");
    return 0;
}

int scope_check_token(const Ev__Token *t, struct err_info *info)
{
    bool supervisor = strcmp(t->role, "supervisor") == 0;
    if (supervisor && !t->agent[0])
        return err_set(info, ERR_INVAL, "agent", "is required with the role supervisor: as whom it acts");
    if (!supervisor && t->agent[0])
        return err_set(info, ERR_INVAL, "agent", "is for the role supervisor");
    return 0;
}

/* ---- in memory */

static bool is_in(const char *name, char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], name) == 0)
            return name[0] != '\0';
    return false;
}

static const Ev__Agent *supervisor_of(const struct core *c, const char *number)
{
    const Ev__Agent *a = core_agent_config(c, number);
    return a && strcmp(a->type, "supervisor") == 0 ? a : NULL;
}

static bool serves(const struct core *c, const char *queue, const char *agent)
{
    const Ev__Queue *q = core_queue_config(c, queue);
    for (size_t i = 0; q && i < q->n_members; i++)
        if (strcmp(q->members[i]->agent, agent) == 0)
            return true;
    return false;
}

static bool manages_agent(const struct core *c, const Ev__Agent *s, const char *agent)
{
    const Ev__Agent *a = agent[0] ? core_agent_config(c, agent) : NULL;
    if (!a)
        return false;
    bool his = a == s || is_in(a->group, s->manages_groups, s->n_manages_groups);
    for (size_t i = 0; !his && i < s->n_manages_queues; i++)
        his = serves(c, s->manages_queues[i], agent);
    return his;
}

bool core_manages_agent(const struct core *c, const char *supervisor, const char *agent)
{
    const Ev__Agent *s = supervisor_of(c, supervisor);
    return s && manages_agent(c, s, agent);
}

bool core_manages_queue(const struct core *c, const char *supervisor, const char *queue)
{
    const Ev__Agent *s = supervisor_of(c, supervisor);
    return s && is_in(queue, s->manages_queues, s->n_manages_queues);
}

/* A telephone counts as the agent's who is logged in there. */
static bool manages_phone(const struct core *c, const Ev__Agent *s, const char *extension)
{
    const struct core_agent *a = extension[0] ? core_agent_at_extension(c, extension) : NULL;
    return a && manages_agent(c, s, a->number);
}

bool core_manages_call(const struct core *c, const char *supervisor, uint64_t call_id)
{
    const Ev__Agent *s = supervisor_of(c, supervisor);
    const struct call *k = map_get_u64(&c->calls, call_id);
    if (!s || !k)
        return false;
    const Ev__CallState *m = k->st;
    const char *const queues[] = {m->queue, m->offer_queue, m->served_queue, m->left_queue};
    bool his = manages_agent(c, s, m->offer_agent) || manages_phone(c, s, m->extension);
    for (size_t i = 0; !his && i < sizeof queues / sizeof *queues; i++)
        his = is_in(queues[i], s->manages_queues, s->n_manages_queues);
    for (size_t i = 0; !his && i < m->n_overflow; i++)
        his = is_in(m->overflow[i], s->manages_queues, s->n_manages_queues);
    for (size_t i = 0; !his && i < m->n_rings; i++)
        his = manages_agent(c, s, m->rings[i]->agent);
    for (size_t i = 0; !his && i < m->n_legs; i++)
        his = manages_agent(c, s, m->legs[i]->agent);
    return his;
}

/* ---- CallHangUp: what was asked for is state, so that it is done whoever has the call by then */

int core_call_hang_up(struct core *c, const Ev__CallHangUp *m)
{
    struct call *k = map_get_u64(&c->calls, m->call_id);
    c->ans->call_id = m->call_id;
    if (!k)
        return core_refuse(c, ERR_NOTFOUND, "call_id", "there is no such call");
    if (m->leg[0] && !core_part_hangs_up(c, k, m->leg))
        return c->ans->code;
    if (!m->leg[0])
        k->st->hung_up = true;
    core_call_touch(c, k);
    return 0;
}
