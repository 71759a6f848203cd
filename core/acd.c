/* Queues, agents and memberships of the engine (acd_int.h has the picture and the invariants). */
#include "core/acd.h"

#include <stdlib.h>
#include <string.h>

#include "core/acd_int.h"

#define TARGET_US_MAX (UINT64_C(24) * 3600 * 1000000)

static int cmp_queue_key(const struct otree_node *a, const struct otree_node *b)
{
    return acd_cmp_u64(otree_entry(a, const struct acd_queue, by_key)->key,
                       otree_entry(b, const struct acd_queue, by_key)->key);
}

static int cmp_agent_key(const struct otree_node *a, const struct otree_node *b)
{
    return acd_cmp_u64(otree_entry(a, const struct acd_agent, by_key)->key,
                       otree_entry(b, const struct acd_agent, by_key)->key);
}

static int cmp_waiter_key(const struct otree_node *a, const struct otree_node *b)
{
    return acd_cmp_u64(otree_entry(a, const struct acd_waiter, by_key)->call.call,
                       otree_entry(b, const struct acd_waiter, by_key)->call.call);
}

void *acd_alloc(struct acd *a, size_t bytes)
{
    if (a->allocations_left == 0)
        return NULL;
    if (a->allocations_left != UINT64_MAX)
        a->allocations_left--;
    return calloc(1, bytes);
}

void acd_allocations(struct acd *a, uint64_t left)
{
    a->allocations_left = left;
}

struct acd_queue *acd_find_queue(const struct acd *a, uint32_t key)
{
    struct acd_queue probe;
    probe.key = key;
    struct otree_node *n = otree_find(&a->queues, &probe.by_key);
    return n ? otree_entry(n, struct acd_queue, by_key) : NULL;
}

struct acd_agent *acd_find_agent(const struct acd *a, uint32_t key)
{
    struct acd_agent probe;
    probe.key = key;
    struct otree_node *n = otree_find(&a->agents, &probe.by_key);
    return n ? otree_entry(n, struct acd_agent, by_key) : NULL;
}

struct acd_waiter *acd_find_waiter(const struct acd *a, uint64_t call)
{
    struct acd_waiter probe;
    probe.call.call = call;
    struct otree_node *n = otree_find(&a->waiters, &probe.by_key);
    return n ? otree_entry(n, struct acd_waiter, by_key) : NULL;
}

struct acd_member *acd_find_member(const struct acd_agent *agent, const struct acd_queue *q)
{
    list_foreach(it, &agent->members) {
        struct acd_member *m = list_entry(it, struct acd_member, of_agent);
        if (m->queue == q)
            return m;
    }
    return NULL;
}

/* ---- life */

int acd_new(struct acd **out)
{
    struct acd *a = calloc(1, sizeof *a);
    if (!a)
        return ERR_NOMEM;
    otree_init(&a->queues, cmp_queue_key);
    otree_init(&a->agents, cmp_agent_key);
    otree_init(&a->waiters, cmp_waiter_key);
    otree_init(&a->ready, acd_cmp_ready);
    otree_init(&a->sets, acd_cmp_set);
    a->allocations_left = UINT64_MAX;
    *out = a;
    return 0;
}

static void drop_member(struct acd *a, struct acd_member *m)
{
    struct acd_agent *agent = m->agent;
    if (agent->available)
        acd_make_unavailable(a, m);
    list_del(&m->of_queue);
    list_del(&m->of_agent);
    agent->n_members--;
    m->cell->members--;
    acd_cell_tidy(a, &m->queue->cells, m->cell);
    free(m);
    acd_forget(a, agent);
}

static void drop_queue(struct acd *a, struct acd_queue *q)
{
    list_foreach_safe(it, &q->members)
        drop_member(a, list_entry(it, struct acd_member, of_queue));
    otree_remove(&a->queues, &q->by_key);
    free(q);
}

void acd_free(struct acd *a)
{
    if (!a)
        return;
    struct otree_node *n;
    while ((n = otree_first(&a->waiters)))
        acd_drop_waiter(a, otree_entry(n, struct acd_waiter, by_key));
    while ((n = otree_first(&a->queues)))
        drop_queue(a, otree_entry(n, struct acd_queue, by_key));
    while ((n = otree_first(&a->agents))) {
        struct acd_agent *agent = otree_entry(n, struct acd_agent, by_key);
        acd_set_put(a, agent->skills);
        otree_remove(&a->agents, n);
        free(agent);
    }
    free(a);
}

/* ---- queues */

static bool rules_ok(const struct acd_rules *r)
{
    unsigned seen = 0;
    for (unsigned i = 0; i < r->n_preferences && r->n_preferences <= ACD_PREFERENCES; i++) {
        if (r->preferences[i] >= ACD_PREFERENCES || (seen & (1u << r->preferences[i])))
            return false;
        seen |= 1u << r->preferences[i];
    }
    return r->strategy < ACD_STRATEGIES && r->n_preferences <= ACD_PREFERENCES && r->ageing_us <= ACD_STRICT_US &&
           r->target_us <= TARGET_US_MAX &&
           (r->strategy != ACD_RING_ALL || (r->ring_max && r->ring_max <= ACD_RING_MAX));
}

static struct acd_queue *new_queue(struct acd *a, uint32_t key)
{
    struct acd_queue *q = acd_alloc(a, sizeof *q);
    if (!q)
        return NULL;
    q->key = key;
    otree_init(&q->waiting, acd_cmp_place_in_queue);
    otree_init(&q->lanes, acd_cmp_lane);
    otree_init(&q->cells, acd_cmp_cell);
    otree_init(&q->open, acd_cmp_open);
    list_init(&q->members);
    otree_insert(&a->queues, &q->by_key);
    return q;
}

static void drop_cells(struct acd *a, struct otree *cells)
{
    for (struct otree_node *n; (n = otree_first(cells));) {
        struct acd_cell *cell = otree_entry(n, struct acd_cell, by_key);
        cell->members = 0;
        acd_cell_tidy(a, cells, cell);
    }
}

/* All members into cells of the new rules. Nothing has changed when memory does not suffice. */
static int sort_members(struct acd *a, struct acd_queue *q, const struct acd_rules *rules)
{
    struct otree cells;
    otree_init(&cells, acd_cmp_cell);
    list_foreach(it, &q->members) {
        struct acd_member *m = list_entry(it, struct acd_member, of_queue);
        m->next_cell = acd_cell_for(a, rules, &cells, m->level, m->agent);
        if (!m->next_cell) {
            drop_cells(a, &cells);
            return ERR_NOMEM;
        }
        m->next_cell->members++;
    }
    list_foreach(it, &q->members) {
        struct acd_member *m = list_entry(it, struct acd_member, of_queue);
        if (m->agent->available)
            acd_make_unavailable(a, m);
    }
    drop_cells(a, &q->cells);
    q->cells = cells;
    q->rules = *rules;
    list_foreach(it, &q->members) {
        struct acd_member *m = list_entry(it, struct acd_member, of_queue);
        m->cell = m->next_cell;
        if (m->agent->available)
            acd_make_available(a, m);
    }
    return 0;
}

int acd_queue_set(struct acd *a, uint32_t queue, const struct acd_rules *rules)
{
    if (!rules_ok(rules))
        return ERR_INVAL;
    struct acd_queue *q = acd_find_queue(a, queue);
    if (!q) {
        q = new_queue(a, queue);
        if (!q)
            return ERR_NOMEM;
        q->rules = *rules;
        return 0;
    }
    int rc = sort_members(a, q, rules);
    if (rc == 0)
        acd_reorder_places(a, q);
    return rc;
}

int acd_queue_del(struct acd *a, uint32_t queue)
{
    struct acd_queue *q = acd_find_queue(a, queue);
    if (!q)
        return ERR_NOTFOUND;
    if (otree_count(&q->waiting))
        return ERR_CONFLICT;
    drop_queue(a, q);
    return 0;
}

bool acd_rules_of(const struct acd *a, uint32_t queue, struct acd_rules *out)
{
    const struct acd_queue *q = acd_find_queue(a, queue);
    if (q)
        *out = q->rules;
    return q;
}

uint32_t acd_available(const struct acd *a, uint32_t queue)
{
    const struct acd_queue *q = acd_find_queue(a, queue);
    return q ? q->available : 0;
}

/* ---- members */

/* Level, region or skills have changed: from the present cell to `cell`. */
static void move_member(struct acd *a, struct acd_member *m, struct acd_cell *cell)
{
    struct acd_cell *old = m->cell;
    cell->members++;
    if (m->agent->available)
        acd_make_unavailable(a, m);
    m->cell = cell;
    old->members--;
    acd_cell_tidy(a, &m->queue->cells, old);
    if (m->agent->available)
        acd_make_available(a, m);
}

static int set_level(struct acd *a, struct acd_member *m, uint32_t level)
{
    struct acd_queue *q = m->queue;
    struct acd_cell *cell = acd_cell_for(a, &q->rules, &q->cells, level, m->agent);
    if (!cell)
        return ERR_NOMEM;
    m->level = level;
    if (cell != m->cell)
        move_member(a, m, cell);
    return 0;
}

static int add_member(struct acd *a, struct acd_queue *q, struct acd_agent *who, uint32_t level)
{
    if (who->n_members >= ACD_QUEUES_PER_AGENT_MAX)
        return ERR_TOOBIG;
    struct acd_cell *cell = acd_cell_for(a, &q->rules, &q->cells, level, who);
    struct acd_member *m = cell ? acd_alloc(a, sizeof *m) : NULL;
    if (!m) {
        if (cell)
            acd_cell_tidy(a, &q->cells, cell);
        return ERR_NOMEM;
    }
    m->queue = q;
    m->agent = who;
    m->agent_key = who->key;
    m->level = level;
    m->cell = cell;
    cell->members++;
    list_push_back(&q->members, &m->of_queue);
    list_push_back(&who->members, &m->of_agent);
    who->n_members++;
    if (who->available)
        acd_make_available(a, m);
    return 0;
}

int acd_member_set(struct acd *a, uint32_t queue, uint32_t agent, uint32_t level)
{
    struct acd_queue *q = acd_find_queue(a, queue);
    if (!q)
        return ERR_NOTFOUND;
    struct acd_agent *who = acd_need_agent(a, agent);
    if (!who)
        return ERR_NOMEM;
    struct acd_member *m = acd_find_member(who, q);
    int rc = m ? set_level(a, m, level) : add_member(a, q, who, level);
    acd_forget(a, who);
    return rc;
}

int acd_member_del(struct acd *a, uint32_t queue, uint32_t agent)
{
    struct acd_queue *q = acd_find_queue(a, queue);
    struct acd_agent *who = acd_find_agent(a, agent);
    struct acd_member *m = q && who ? acd_find_member(who, q) : NULL;
    if (!m)
        return ERR_NOTFOUND;
    drop_member(a, m);
    return 0;
}

unsigned acd_queues_of(const struct acd *a, uint32_t agent, uint32_t out[ACD_QUEUES_PER_AGENT_MAX])
{
    const struct acd_agent *who = acd_find_agent(a, agent);
    unsigned n = 0;
    if (!who)
        return 0;
    for (const struct list_node *it = who->members.next; it != &who->members; it = it->next)
        out[n++] = list_entry(it, const struct acd_member, of_agent)->queue->key;
    return n;
}

/* ---- agents */

struct acd_agent *acd_need_agent(struct acd *a, uint32_t key)
{
    struct acd_agent *agent = acd_find_agent(a, key);
    if (agent)
        return agent;
    agent = acd_alloc(a, sizeof *agent);
    struct acd_set *none = agent ? acd_set_get(a, NULL, 0) : NULL;
    if (!none) {
        free(agent);
        return NULL;
    }
    agent->key = key;
    agent->skills = none;
    agent->own.agent = agent;
    acd_lane_init(&agent->own);
    list_init(&agent->members);
    otree_insert(&a->agents, &agent->by_key);
    return agent;
}

void acd_forget(struct acd *a, struct acd_agent *agent)
{
    if (agent->available || agent->n_members || agent->region || agent->skills->n || otree_count(&agent->own.places))
        return;
    otree_remove(&a->agents, &agent->by_key);
    acd_set_put(a, agent->skills);
    free(agent);
}

static void swap_traits(struct acd_agent *who, uint64_t *region, struct acd_set **skills)
{
    uint64_t r = who->region;
    struct acd_set *s = who->skills;
    who->region = *region;
    who->skills = *skills;
    *region = r;
    *skills = s;
}

/* The cells that his memberships will need. */
static int prepare_cells(struct acd *a, struct acd_agent *who)
{
    int rc = 0;
    list_foreach(it, &who->members) {
        struct acd_member *m = list_entry(it, struct acd_member, of_agent);
        m->next_cell = rc ? NULL : acd_cell_for(a, &m->queue->rules, &m->queue->cells, m->level, who);
        if (!m->next_cell)
            rc = ERR_NOMEM;
    }
    if (rc)
        list_foreach(it, &who->members) {
            struct acd_member *m = list_entry(it, struct acd_member, of_agent);
            if (m->next_cell)
                acd_cell_tidy(a, &m->queue->cells, m->next_cell);
        }
    return rc;
}

int acd_agent_set(struct acd *a, uint32_t agent, uint64_t region, const struct acd_skill *skills, unsigned n)
{
    if (!acd_set_valid(skills, n, ACD_SKILLS_MAX))
        return ERR_INVAL;
    struct acd_agent *who = acd_need_agent(a, agent);
    struct acd_set *set = who ? acd_set_get(a, skills, n) : NULL;
    int rc = set ? 0 : ERR_NOMEM;
    if (!rc) {
        swap_traits(who, &region, &set);
        rc = prepare_cells(a, who);
        if (rc)
            swap_traits(who, &region, &set);
    }
    if (!rc)
        list_foreach(it, &who->members) {
            struct acd_member *m = list_entry(it, struct acd_member, of_agent);
            if (m->next_cell != m->cell)
                move_member(a, m, m->next_cell);
        }
    acd_set_put(a, set);
    if (who)
        acd_forget(a, who);
    return rc;
}

int acd_agent_idle(struct acd *a, uint32_t agent, const struct acd_facts *facts)
{
    struct acd_agent *who = acd_need_agent(a, agent);
    if (!who)
        return ERR_NOMEM;
    if (who->available)
        list_foreach(it, &who->members)
            acd_make_unavailable(a, list_entry(it, struct acd_member, of_agent));
    who->available = true;
    who->facts = *facts;
    list_foreach(it, &who->members)
        acd_make_available(a, list_entry(it, struct acd_member, of_agent));
    acd_ready(a, &who->own);
    return 0;
}

void acd_agent_gone(struct acd *a, uint32_t agent)
{
    struct acd_agent *who = acd_find_agent(a, agent);
    if (!who || !who->available)
        return;
    list_foreach(it, &who->members)
        acd_make_unavailable(a, list_entry(it, struct acd_member, of_agent));
    who->available = false;
    acd_ready(a, &who->own);
    acd_forget(a, who);
}
