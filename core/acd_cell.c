/* Members of a queue in cells: those that level, region (as far as preferred) and skills do not tell apart, in the order of the strategy. */
#include <stdlib.h>

#include "core/acd_int.h"

static int cmp_cells(const struct acd_cell *x, const struct acd_cell *y)
{
    int order = acd_cmp_u64(y->level, x->level);
    if (order == 0)
        order = acd_cmp_u64(x->region, y->region);
    return order || x->skills == y->skills ? order : acd_set_cmp(x->skills, y->skills);
}

int acd_cmp_cell(const struct otree_node *x, const struct otree_node *y)
{
    return cmp_cells(otree_entry(x, const struct acd_cell, by_key), otree_entry(y, const struct acd_cell, by_key));
}

int acd_cmp_open(const struct otree_node *x, const struct otree_node *y)
{
    return cmp_cells(otree_entry(x, const struct acd_cell, open), otree_entry(y, const struct acd_cell, open));
}

int acd_cmp_member(const struct acd_member *x, const struct acd_member *y)
{
    int order = acd_cmp_u64(x->rank, y->rank);
    if (order == 0)
        order = acd_cmp_u64(x->idle_since_us, y->idle_since_us);
    if (order == 0)
        order = acd_cmp_u64(x->agent_key, y->agent_key);
    return order;
}

static int cmp_in_order(const struct otree_node *x, const struct otree_node *y)
{
    return acd_cmp_member(otree_entry(x, const struct acd_member, in_order),
                          otree_entry(y, const struct acd_member, in_order));
}

static bool prefers(const struct acd_rules *r, enum acd_preference what)
{
    for (unsigned i = 0; i < r->n_preferences; i++)
        if (r->preferences[i] == what)
            return true;
    return false;
}

struct acd_cell *acd_cell_for(struct acd *a, const struct acd_rules *rules, struct otree *cells, uint32_t level,
                              const struct acd_agent *agent)
{
    struct acd_cell probe = {.level = prefers(rules, ACD_BY_LEVEL) ? level : 0,
                             .region = prefers(rules, ACD_BY_REGION) ? agent->region : 0,
                             .skills = agent->skills};
    struct otree_node *found = otree_find(cells, &probe.by_key);
    if (found)
        return otree_entry(found, struct acd_cell, by_key);
    struct acd_cell *cell = acd_alloc(a, sizeof *cell);
    if (!cell)
        return NULL;
    *cell = probe;
    cell->skills->refs++;
    otree_init(&cell->agents, cmp_in_order);
    otree_insert(cells, &cell->by_key);
    return cell;
}

void acd_cell_tidy(struct acd *a, struct otree *cells, struct acd_cell *cell)
{
    if (cell->members)
        return;
    otree_remove(cells, &cell->by_key);
    acd_set_put(a, cell->skills);
    free(cell);
}

/* The cell has got its first available member or lost its last. */
static void opened(struct acd *a, struct acd_queue *q, struct acd_cell *cell, bool open)
{
    if (open)
        otree_insert(&q->open, &cell->open);
    else
        otree_remove(&q->open, &cell->open);
    for (struct otree_node *n = otree_first(&q->lanes); n; n = otree_next(n)) {
        struct acd_lane *l = otree_entry(n, struct acd_lane, by_key);
        if (!acd_set_suits(l->needs, cell->skills, NULL))
            continue;
        l->supply += open ? 1u : UINT32_MAX; /* minus one */
        acd_ready(a, l);
    }
}

/* One more or less is available: lanes of campaigns, which come behind all others, may begin or cease to be served. */
static void counted(struct acd *a, struct acd_queue *q)
{
    for (struct otree_node *n = otree_first(&q->lanes); n && q->rules.keep_idle; n = otree_next(n)) {
        struct acd_lane *l = otree_entry(n, struct acd_lane, by_key);
        if (l->campaign)
            acd_ready(a, l);
    }
}

static uint64_t rank_of(const struct acd_facts *f, enum acd_strategy strategy)
{
    switch (strategy) {
    case ACD_LOGIN_ORDER:
        return f->login_us;
    case ACD_FEWEST_ANSWERED:
        return f->answered;
    case ACD_ROUND_ROBIN:
        return f->last_offer;
    case ACD_LEAST_OCCUPIED:
        return f->occupied_us;
    case ACD_LONGEST_IDLE:
    case ACD_RING_ALL:
    case ACD_RANDOM:
    case ACD_STRATEGIES:
        break;
    }
    return 0;
}

void acd_make_available(struct acd *a, struct acd_member *m)
{
    const struct acd_facts *f = &m->agent->facts;
    enum acd_strategy strategy = m->queue->rules.strategy;
    m->rank = rank_of(f, strategy);
    m->idle_since_us = strategy == ACD_RANDOM ? 0 : f->idle_since_us; /* the draw is by key */
    otree_insert(&m->cell->agents, &m->in_order);
    m->queue->available++;
    if (otree_count(&m->cell->agents) == 1)
        opened(a, m->queue, m->cell, true);
    counted(a, m->queue);
}

void acd_make_unavailable(struct acd *a, struct acd_member *m)
{
    otree_remove(&m->cell->agents, &m->in_order);
    m->queue->available--;
    if (otree_count(&m->cell->agents) == 0)
        opened(a, m->queue, m->cell, false);
    counted(a, m->queue);
}
