/* The invariants of acd_int.h, one by one. */
#include "core/acd_int.h"

static int wrong(struct err_info *info, const char *what, uint64_t which, const char *how)
{
    return err_set(info, ERR_CORRUPT, "", "%s %llu: %s", what, (unsigned long long)which, how);
}

static int check_lane(const struct acd_lane *l, uint64_t key, struct err_info *info)
{
    const struct acd_place *first = acd_first_place(l);
    if (!otree_check(&l->places))
        return wrong(info, "lane of", key, "a tree is out of order");
    if (l->queue && !first)
        return wrong(info, "lane of queue", key, "kept without a caller");
    uint32_t supply = 0;
    for (const struct otree_node *n = l->queue ? otree_first(&l->queue->open) : NULL; n; n = otree_next(n))
        supply += acd_set_suits(l->needs, otree_entry(n, const struct acd_cell, open)->skills, NULL);
    if (supply != l->supply)
        return wrong(info, "lane of queue", key, "wrong supply");
    if (l->head != (acd_can_be_served(l) ? first : NULL) || otree_linked(&l->by_head) != (l->head != NULL))
        return wrong(info, "lane of", key, "not rightly among the ready");
    return 0;
}

static int check_lanes(const struct acd_queue *q, struct err_info *info)
{
    uint32_t placed = 0, only = 0;
    for (const struct otree_node *n = otree_first(&q->lanes); n; n = otree_next(n)) {
        const struct acd_lane *l = otree_entry(n, const struct acd_lane, by_key);
        int rc = l->queue == q ? check_lane(l, q->key, info) : wrong(info, "queue", q->key, "holds a lane of another");
        if (rc)
            return rc;
        placed += otree_count(&l->places);
    }
    for (const struct otree_node *n = otree_first(&q->waiting); n; n = otree_next(n)) {
        const struct acd_place *p = otree_entry(n, const struct acd_place, in_queue);
        only += !p->lane;
        if (p->queue != q || !p->lane != p->waiter->call.only_dedicated)
            return wrong(info, "call", p->order.call, "a place leads elsewhere");
        if (p->lane && (p->lane->queue != q || p->lane->needs != p->waiter->needs ||
                        p->lane->campaign != p->waiter->call.campaign))
            return wrong(info, "call", p->order.call, "in the wrong lane");
    }
    if (placed + only != otree_count(&q->waiting))
        return wrong(info, "queue", q->key, "callers and places in lanes differ");
    return 0;
}

static int check_cells(const struct acd_queue *q, struct err_info *info)
{
    uint32_t members = 0, available = 0, open = 0;
    for (const struct otree_node *n = otree_first(&q->cells); n; n = otree_next(n)) {
        const struct acd_cell *cell = otree_entry(n, const struct acd_cell, by_key);
        uint32_t here = otree_count(&cell->agents);
        if (!otree_check(&cell->agents) || !cell->members || otree_linked(&cell->open) != (here != 0))
            return wrong(info, "queue", q->key, "a cell is wrong");
        members += cell->members;
        available += here;
        open += here != 0;
    }
    uint32_t listed = 0;
    list_foreach(it, &q->members) {
        const struct acd_member *m = list_entry(it, const struct acd_member, of_queue);
        listed++;
        if (m->queue != q || acd_find_member(m->agent, q) != m || m->cell->skills != m->agent->skills ||
            otree_linked(&m->in_order) != m->agent->available)
            return wrong(info, "agent", m->agent_key, "wrongly listed");
    }
    if (listed != members || available != q->available || open != otree_count(&q->open))
        return wrong(info, "queue", q->key, "counts of members differ");
    return 0;
}

static int check_agent(const struct acd *a, const struct acd_agent *who, struct err_info *info)
{
    unsigned n = 0;
    list_foreach(it, &who->members) {
        const struct acd_member *m = list_entry(it, const struct acd_member, of_agent);
        if (m->agent != who || acd_find_queue(a, m->queue->key) != m->queue)
            return wrong(info, "agent", who->key, "a membership leads elsewhere");
        n++;
    }
    if (n != who->n_members || n > ACD_QUEUES_PER_AGENT_MAX)
        return wrong(info, "agent", who->key, "memberships miscounted");
    if (!n && !who->available && !who->region && !who->skills->n && !otree_count(&who->own.places))
        return wrong(info, "agent", who->key, "kept for nothing");
    return check_lane(&who->own, who->key, info);
}

static int check_waiter(const struct acd_waiter *w, struct err_info *info)
{
    for (unsigned i = 0; i < w->call.n_queues; i++) {
        const struct acd_place *p = &w->places[i];
        if (p->waiter != w || p->queue->key != w->call.queues[i] ||
            otree_find(&p->queue->waiting, &p->in_queue) != &p->in_queue)
            return wrong(info, "call", w->call.call, "not in its queue");
    }
    if (w->dedicated &&
        (w->own.lane != &w->dedicated->own || w->own.order.deadline_us != w->places[0].order.deadline_us ||
         otree_find(&w->dedicated->own.places, &w->own.in_lane) != &w->own.in_lane))
        return wrong(info, "call", w->call.call, "not with its dedicated agent");
    return 0;
}

static int check_queues(const struct acd *a, uint32_t *ready, struct err_info *info)
{
    for (const struct otree_node *n = otree_first(&a->queues); n; n = otree_next(n)) {
        const struct acd_queue *q = otree_entry(n, const struct acd_queue, by_key);
        if (!otree_check(&q->waiting) || !otree_check(&q->lanes) || !otree_check(&q->cells) || !otree_check(&q->open))
            return wrong(info, "queue", q->key, "a tree is out of order");
        uint32_t home = 0;
        for (const struct otree_node *o = otree_first(&q->waiting); o; o = otree_next(o)) {
            const struct acd_place *p = otree_entry(o, const struct acd_place, in_queue);
            home += p == p->waiter->places;
        }
        if (home != q->home)
            return wrong(info, "queue", q->key, "callers of its own miscounted");
        int rc = check_lanes(q, info);
        rc = rc ? rc : check_cells(q, info);
        if (rc)
            return rc;
        for (const struct otree_node *o = otree_first(&q->lanes); o; o = otree_next(o))
            *ready += otree_entry(o, const struct acd_lane, by_key)->head != NULL;
    }
    return 0;
}

int acd_check(const struct acd *a, struct err_info *info)
{
    uint32_t ready = 0;
    if (!otree_check(&a->queues) || !otree_check(&a->agents) || !otree_check(&a->waiters) || !otree_check(&a->ready) ||
        !otree_check(&a->sets))
        return wrong(info, "engine", 0, "a tree is out of order");
    int rc = check_queues(a, &ready, info);
    for (const struct otree_node *n = otree_first(&a->waiters); n && !rc; n = otree_next(n))
        rc = check_waiter(otree_entry(n, const struct acd_waiter, by_key), info);
    for (const struct otree_node *n = otree_first(&a->agents); n && !rc; n = otree_next(n)) {
        const struct acd_agent *who = otree_entry(n, const struct acd_agent, by_key);
        rc = check_agent(a, who, info);
        ready += who->own.head != NULL;
    }
    if (!rc && ready != otree_count(&a->ready))
        rc = wrong(info, "engine", 0, "more or fewer ready than there are");
    return rc;
}
