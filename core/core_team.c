/* Who works for a queue, by teams: a team is all agents who are members of the same queues. Estimates ask at each call that comes, is
 * answered or ends, so it costs by the number of teams, which are few, and not by that of members.
 *
 * Derived from the memberships that the engine knows: made when somebody asks, dropped when a membership changes. In between each agent
 * is counted where he changes (core_team_working). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"

struct team {
    uint32_t working;
    unsigned n;
    uint32_t queues[]; /* keys, ascending */
};

static bool works(const struct agent *a)
{
    return a->ext && a->ready && !a->logout;
}

void core_teams_drop(struct core *c)
{
    const struct map_slot *slot;
    if (!c->teams_made)
        return;
    for (size_t it = 0; map_next(&c->teams, &it, &slot);)
        free(slot->value);
    map_free(&c->teams);
    for (uint32_t i = 0; i < c->agent_keys; i++)
        if (c->agent_by_key[i])
            c->agent_by_key[i]->team = NULL;
    for (uint32_t i = 0; i < c->queue_keys; i++) {
        struct queue *q = c->queue_by_key[i];
        if (!q)
            continue;
        free(q->teams);
        q->teams = NULL;
        q->n_teams = 0;
    }
    c->teams_made = false;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void add_to_queue(struct queue *q, struct team *t)
{
    if ((q->n_teams & (q->n_teams - 1)) == 0)
        q->teams = core_grow(q->teams, (q->n_teams ? q->n_teams * 2u : 1u) * sizeof *q->teams);
    q->teams[q->n_teams++] = t;
}

/* The team of these queues, which are in order. */
static struct team *team_of(struct core *c, const uint32_t *queues, unsigned n)
{
    char key[ACD_QUEUES_PER_AGENT_MAX * 9 + 1] = "";
    for (unsigned i = 0, at = 0; i < n; i++)
        at += (unsigned)snprintf(key + at, sizeof key - at, "%08x.", queues[i]);
    struct team *t = map_get(&c->teams, key);
    if (t)
        return t;
    t = core_alloc(sizeof *t + n * sizeof *queues);
    t->n = n;
    memcpy(t->queues, queues, n * sizeof *queues);
    if (map_set(&c->teams, key, t) != 0)
        core_oom();
    for (unsigned i = 0; i < n; i++)
        add_to_queue(c->queue_by_key[queues[i]], t);
    return t;
}

static void make(struct core *c)
{
    uint32_t queues[ACD_QUEUES_PER_AGENT_MAX];
    for (uint32_t i = 0; i < c->agent_keys; i++) {
        struct agent *a = c->agent_by_key[i];
        unsigned n = a ? acd_queues_of(c->acd, a->key, queues) : 0;
        if (!n)
            continue;
        qsort(queues, n, sizeof *queues, by_number);
        a->team = team_of(c, queues, n);
        a->works = works(a);
        a->team->working += a->works;
    }
    c->teams_made = true;
}

void core_team_working(struct agent *a)
{
    if (!a->team || a->works == works(a))
        return;
    a->works = !a->works;
    a->team->working += a->works ? 1u : UINT32_MAX; /* minus one */
}

/* A thousand for one who serves this queue alone; else the part of him that callers of this queue will have. */
static uint64_t part_of(const struct core *c, const struct team *t, const struct queue *q)
{
    uint64_t mine = acd_waiting(c->acd, q->key), all = 0;
    mine = mine ? mine : 1;
    for (unsigned i = 0; i < t->n; i++)
        all += t->queues[i] == q->key ? mine : acd_waiting(c->acd, t->queues[i]);
    return 1000 * mine / all;
}

uint64_t core_team_at_work(const struct core *cc, const struct queue *q)
{
    struct core *c = (struct core *)(uintptr_t)cc; /* teams are a cache */
    uint64_t sum = 0;
    if (!c->teams_made)
        make(c);
    for (unsigned i = 0; i < q->n_teams; i++)
        if (q->teams[i]->working)
            sum += q->teams[i]->working * part_of(c, q->teams[i], q);
    return sum;
}
