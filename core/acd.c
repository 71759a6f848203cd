/* A queue holds two trees: its waiting callers in order of service and its available members in the order of its strategy.
 * An agent has one struct acd_member per queue he serves, each with its own place in that queue's tree; a change of his
 * availability is a change in at most ACD_QUEUES_PER_AGENT_MAX trees. Calls, queues and agents are also found by key in trees:
 * unlike a hash table they never stop to grow, so no single caller pays for the ten thousand before him.
 *
 *   acd.queues ─► acd_queue ── waiting ───► acd_waiter ◄─── acd.waiters (by call)
 *                    │ └────── available ─► acd_member ──► acd_agent ◄─── acd.agents
 *   acd.ready ───────┘ (those with both)      (in lists of its queue and of its agent)
 *
 * Invariants (acd_check): a queue is in `ready` exactly when both its trees hold something, ordered by its first caller: so the
 * first of `ready` is the next match and an empty `ready` proves that none is possible. A member is in its queue's
 * `available` exactly when its agent is available. An agent that is neither available nor a member anywhere is forgotten.
 *
 * The key of a queue in `ready` is its first caller, kept in `head`, which acd_update_ready alone changes. */
#include "core/acd.h"

#include <stdlib.h>

#include "base/list.h"
#include "core/otree.h"

struct acd_queue {
    struct otree_node by_key;    /* acd.queues */
    struct otree_node by_head;   /* acd.ready */
    const struct acd_call *head; /* first caller, while in acd.ready */
    uint32_t key;
    enum acd_strategy strategy;
    struct otree waiting;     /* acd_waiter.in_order */
    struct otree available;   /* acd_member.in_order */
    struct list_node members; /* acd_member.of_queue */
};

struct acd_agent {
    struct otree_node by_key; /* acd.agents */
    uint32_t key;
    bool available;
    uint64_t idle_since_us;
    unsigned n_members;
    struct list_node members; /* acd_member.of_agent */
};

struct acd_member {
    struct otree_node in_order; /* acd_queue.available, while the agent is available */
    uint64_t idle_since_us; /* copies of the agent's, beside the links: comparing touches one cache line an element */
    uint32_t agent_key;
    struct list_node of_queue, of_agent;
    struct acd_queue *queue;
    struct acd_agent *agent;
    uint32_t level;
};

struct acd_waiter {
    struct otree_node by_key;   /* acd.waiters */
    struct otree_node in_order; /* acd_queue.waiting */
    struct acd_queue *queue;
    struct acd_call call;
};

struct acd {
    struct otree queues, agents, waiters, ready;
    uint64_t allocations_left;
};

static int acd_cmp_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int acd_cmp_queue_key(const struct otree_node *a, const struct otree_node *b)
{
    return acd_cmp_u64(otree_entry(a, const struct acd_queue, by_key)->key,
                       otree_entry(b, const struct acd_queue, by_key)->key);
}

static int acd_cmp_agent_key(const struct otree_node *a, const struct otree_node *b)
{
    return acd_cmp_u64(otree_entry(a, const struct acd_agent, by_key)->key,
                       otree_entry(b, const struct acd_agent, by_key)->key);
}

static int acd_cmp_waiter_key(const struct otree_node *a, const struct otree_node *b)
{
    return acd_cmp_u64(otree_entry(a, const struct acd_waiter, by_key)->call.call,
                       otree_entry(b, const struct acd_waiter, by_key)->call.call);
}

/* The order of service. `front` 0 sorts behind every other, so one descending comparison covers "returned first, the latest
 * of them before the others". */
static int acd_cmp_service(const struct acd_call *a, const struct acd_call *b)
{
    int order = acd_cmp_u64(b->front, a->front);
    if (order == 0)
        order = acd_cmp_u64(b->priority, a->priority);
    if (order == 0)
        order = acd_cmp_u64(a->enqueued_us, b->enqueued_us);
    if (order == 0)
        order = acd_cmp_u64(a->call, b->call);
    return order;
}

static int acd_cmp_waiter_order(const struct otree_node *a, const struct otree_node *b)
{
    return acd_cmp_service(&otree_entry(a, const struct acd_waiter, in_order)->call,
                           &otree_entry(b, const struct acd_waiter, in_order)->call);
}

static int acd_cmp_ready(const struct otree_node *a, const struct otree_node *b)
{
    return acd_cmp_service(otree_entry(a, const struct acd_queue, by_head)->head,
                           otree_entry(b, const struct acd_queue, by_head)->head);
}

static int acd_cmp_longest_idle(const struct otree_node *a, const struct otree_node *b)
{
    const struct acd_member *x = otree_entry(a, const struct acd_member, in_order);
    const struct acd_member *y = otree_entry(b, const struct acd_member, in_order);
    int order = acd_cmp_u64(x->idle_since_us, y->idle_since_us);
    return order ? order : acd_cmp_u64(x->agent_key, y->agent_key);
}

static void *acd_alloc(struct acd *a, size_t bytes)
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

static struct acd_queue *acd_find_queue(const struct acd *a, uint32_t key)
{
    struct acd_queue probe;
    probe.key = key;
    struct otree_node *n = otree_find(&a->queues, &probe.by_key);
    return n ? otree_entry(n, struct acd_queue, by_key) : NULL;
}

static struct acd_agent *acd_find_agent(const struct acd *a, uint32_t key)
{
    struct acd_agent probe;
    probe.key = key;
    struct otree_node *n = otree_find(&a->agents, &probe.by_key);
    return n ? otree_entry(n, struct acd_agent, by_key) : NULL;
}

static struct acd_waiter *acd_find_waiter(const struct acd *a, uint64_t call)
{
    struct acd_waiter probe;
    probe.call.call = call;
    struct otree_node *n = otree_find(&a->waiters, &probe.by_key);
    return n ? otree_entry(n, struct acd_waiter, by_key) : NULL;
}

static struct acd_waiter *acd_first_waiter(const struct acd_queue *q)
{
    return otree_entry(otree_first(&q->waiting), struct acd_waiter, in_order);
}

/* After a change of what a queue's trees hold, and before a caller taken out of them is freed. */
static void acd_update_ready(struct acd *a, struct acd_queue *q)
{
    bool both = otree_count(&q->waiting) && otree_count(&q->available);
    const struct acd_call *head = both ? &acd_first_waiter(q)->call : NULL;
    if (q->head == head)
        return;
    if (q->head)
        otree_remove(&a->ready, &q->by_head);
    q->head = head;
    if (q->head)
        otree_insert(&a->ready, &q->by_head);
}

/* The first caller does not change with the agents: only the first agent to come and the last to go matter to `ready`. */
static void acd_make_available(struct acd *a, struct acd_member *m)
{
    m->idle_since_us = m->agent->idle_since_us;
    otree_insert(&m->queue->available, &m->in_order);
    if (otree_count(&m->queue->available) == 1)
        acd_update_ready(a, m->queue);
}

static void acd_make_unavailable(struct acd *a, struct acd_member *m)
{
    otree_remove(&m->queue->available, &m->in_order);
    if (otree_count(&m->queue->available) == 0)
        acd_update_ready(a, m->queue);
}

/* The existing agent or a new one, which the caller has to make available or a member, or to give to acd_forget. */
static struct acd_agent *acd_need_agent(struct acd *a, uint32_t key)
{
    struct acd_agent *agent = acd_find_agent(a, key);
    if (agent)
        return agent;
    agent = acd_alloc(a, sizeof *agent);
    if (!agent)
        return NULL;
    agent->key = key;
    list_init(&agent->members);
    otree_insert(&a->agents, &agent->by_key);
    return agent;
}

static void acd_forget(struct acd *a, struct acd_agent *agent)
{
    if (agent->available || agent->n_members)
        return;
    otree_remove(&a->agents, &agent->by_key);
    free(agent);
}

static void acd_drop_member(struct acd *a, struct acd_member *m)
{
    struct acd_agent *agent = m->agent;
    if (agent->available)
        acd_make_unavailable(a, m);
    list_del(&m->of_queue);
    list_del(&m->of_agent);
    agent->n_members--;
    free(m);
    acd_forget(a, agent);
}

static struct acd_member *acd_find_member(const struct acd_agent *agent, const struct acd_queue *q)
{
    list_foreach(it, &agent->members) {
        struct acd_member *m = list_entry(it, struct acd_member, of_agent);
        if (m->queue == q)
            return m;
    }
    return NULL;
}

int acd_new(struct acd **out)
{
    struct acd *a = calloc(1, sizeof *a);
    if (!a)
        return ERR_NOMEM;
    otree_init(&a->queues, acd_cmp_queue_key);
    otree_init(&a->agents, acd_cmp_agent_key);
    otree_init(&a->waiters, acd_cmp_waiter_key);
    otree_init(&a->ready, acd_cmp_ready);
    a->allocations_left = UINT64_MAX;
    *out = a;
    return 0;
}

static void acd_drop_waiter(struct acd *a, struct acd_waiter *w)
{
    otree_remove(&w->queue->waiting, &w->in_order);
    otree_remove(&a->waiters, &w->by_key);
    acd_update_ready(a, w->queue);
    free(w);
}

static void acd_drop_queue(struct acd *a, struct acd_queue *q)
{
    list_foreach_safe(it, &q->members)
        acd_drop_member(a, list_entry(it, struct acd_member, of_queue));
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
        acd_drop_queue(a, otree_entry(n, struct acd_queue, by_key));
    while ((n = otree_first(&a->agents)))
        acd_agent_gone(a, otree_entry(n, struct acd_agent, by_key)->key);
    free(a);
}

int acd_queue_set(struct acd *a, uint32_t queue, enum acd_strategy strategy)
{
    if (strategy != ACD_LONGEST_IDLE)
        return ERR_INVAL;
    struct acd_queue *q = acd_find_queue(a, queue);
    if (!q) {
        q = acd_alloc(a, sizeof *q);
        if (!q)
            return ERR_NOMEM;
        q->key = queue;
        otree_init(&q->waiting, acd_cmp_waiter_order);
        otree_init(&q->available, acd_cmp_longest_idle);
        list_init(&q->members);
        otree_insert(&a->queues, &q->by_key);
    }
    q->strategy = strategy;
    return 0;
}

int acd_queue_del(struct acd *a, uint32_t queue)
{
    struct acd_queue *q = acd_find_queue(a, queue);
    if (!q)
        return ERR_NOTFOUND;
    if (otree_count(&q->waiting))
        return ERR_CONFLICT;
    acd_drop_queue(a, q);
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
    if (m) {
        m->level = level;
        return 0;
    }
    if (who->n_members >= ACD_QUEUES_PER_AGENT_MAX)
        return ERR_TOOBIG;
    m = acd_alloc(a, sizeof *m);
    if (!m) {
        acd_forget(a, who);
        return ERR_NOMEM;
    }
    m->queue = q;
    m->agent = who;
    m->agent_key = agent;
    m->level = level;
    list_push_back(&q->members, &m->of_queue);
    list_push_back(&who->members, &m->of_agent);
    who->n_members++;
    if (who->available)
        acd_make_available(a, m);
    return 0;
}

int acd_member_del(struct acd *a, uint32_t queue, uint32_t agent)
{
    struct acd_queue *q = acd_find_queue(a, queue);
    struct acd_agent *who = acd_find_agent(a, agent);
    struct acd_member *m = q && who ? acd_find_member(who, q) : NULL;
    if (!m)
        return ERR_NOTFOUND;
    acd_drop_member(a, m);
    return 0;
}

int acd_agent_idle(struct acd *a, uint32_t agent, uint64_t idle_since_us)
{
    struct acd_agent *who = acd_need_agent(a, agent);
    if (!who)
        return ERR_NOMEM;
    if (who->available)
        list_foreach(it, &who->members)
            acd_make_unavailable(a, list_entry(it, struct acd_member, of_agent));
    who->available = true;
    who->idle_since_us = idle_since_us;
    list_foreach(it, &who->members)
        acd_make_available(a, list_entry(it, struct acd_member, of_agent));
    return 0;
}

static void acd_take_agent(struct acd *a, struct acd_agent *who)
{
    list_foreach(it, &who->members)
        acd_make_unavailable(a, list_entry(it, struct acd_member, of_agent));
    who->available = false;
    acd_forget(a, who);
}

void acd_agent_gone(struct acd *a, uint32_t agent)
{
    struct acd_agent *who = acd_find_agent(a, agent);
    if (who && who->available)
        acd_take_agent(a, who);
}

int acd_enqueue(struct acd *a, const struct acd_call *call)
{
    struct acd_queue *q = acd_find_queue(a, call->queue);
    if (!q)
        return ERR_NOTFOUND;
    if (acd_find_waiter(a, call->call))
        return ERR_EXISTS;
    struct acd_waiter *w = acd_alloc(a, sizeof *w);
    if (!w)
        return ERR_NOMEM;
    w->queue = q;
    w->call = *call;
    otree_insert(&a->waiters, &w->by_key);
    otree_insert(&q->waiting, &w->in_order);
    acd_update_ready(a, q);
    return 0;
}

int acd_dequeue(struct acd *a, uint64_t call)
{
    struct acd_waiter *w = acd_find_waiter(a, call);
    if (!w)
        return ERR_NOTFOUND;
    acd_drop_waiter(a, w);
    return 0;
}

bool acd_decide(struct acd *a, struct acd_decision *out)
{
    struct otree_node *first = otree_first(&a->ready);
    if (!first)
        return false;
    struct acd_queue *q = otree_entry(first, struct acd_queue, by_head);
    struct acd_agent *who = otree_entry(otree_first(&q->available), struct acd_member, in_order)->agent;
    struct acd_waiter *w = acd_first_waiter(q);
    *out = (struct acd_decision){.call = w->call.call, .queue = q->key, .agent = who->key, .was = w->call};
    acd_drop_waiter(a, w);
    acd_take_agent(a, who);
    return true;
}

uint32_t acd_position(const struct acd *a, uint64_t call)
{
    const struct acd_waiter *w = acd_find_waiter(a, call);
    return w ? otree_rank(&w->in_order) + 1 : 0;
}

uint32_t acd_waiting(const struct acd *a, uint32_t queue)
{
    const struct acd_queue *q = acd_find_queue(a, queue);
    return q ? otree_count(&q->waiting) : 0;
}

uint32_t acd_waiting_all(const struct acd *a)
{
    return otree_count(&a->waiters);
}

uint32_t acd_available(const struct acd *a, uint32_t queue)
{
    const struct acd_queue *q = acd_find_queue(a, queue);
    return q ? otree_count(&q->available) : 0;
}

bool acd_waiting_at(const struct acd *a, uint32_t queue, uint32_t i, uint64_t *call)
{
    const struct acd_queue *q = acd_find_queue(a, queue);
    const struct otree_node *n = q ? otree_at(&q->waiting, i) : NULL;
    if (!n)
        return false;
    *call = otree_entry(n, const struct acd_waiter, in_order)->call.call;
    return true;
}

static int acd_check_queue(const struct acd *a, const struct acd_queue *q, struct err_info *info)
{
    if (!otree_check(&q->waiting) || !otree_check(&q->available))
        return err_set(info, ERR_CORRUPT, "", "queue %u: a tree is out of order", q->key);
    bool both = otree_count(&q->waiting) && otree_count(&q->available);
    if (both != otree_linked(&q->by_head) || q->head != (both ? &acd_first_waiter(q)->call : NULL))
        return err_set(info, ERR_CORRUPT, "", "queue %u: not rightly among the ready", q->key);
    uint32_t available = 0;
    list_foreach(it, &q->members) {
        const struct acd_member *m = list_entry(it, const struct acd_member, of_queue);
        if (m->queue != q || acd_find_agent(a, m->agent->key) != m->agent || acd_find_member(m->agent, q) != m)
            return err_set(info, ERR_CORRUPT, "", "queue %u: a member leads elsewhere", q->key);
        available += m->agent->available;
    }
    if (available != otree_count(&q->available))
        return err_set(info, ERR_CORRUPT, "", "queue %u: %u available, %u listed", q->key, available,
                       otree_count(&q->available));
    return 0;
}

static int acd_check_agent(const struct acd *a, const struct acd_agent *who, struct err_info *info)
{
    unsigned n = 0;
    list_foreach(it, &who->members) {
        const struct acd_member *m = list_entry(it, const struct acd_member, of_agent);
        if (m->agent != who || acd_find_queue(a, m->queue->key) != m->queue)
            return err_set(info, ERR_CORRUPT, "", "agent %u: a membership leads elsewhere", who->key);
        if (otree_linked(&m->in_order) != who->available || (who->available && m->idle_since_us != who->idle_since_us))
            return err_set(info, ERR_CORRUPT, "", "agent %u: wrongly listed in queue %u", who->key, m->queue->key);
        n++;
    }
    if (n != who->n_members || n > ACD_QUEUES_PER_AGENT_MAX)
        return err_set(info, ERR_CORRUPT, "", "agent %u: %u memberships, counted as %u", who->key, n, who->n_members);
    if (!n && !who->available)
        return err_set(info, ERR_CORRUPT, "", "agent %u: neither a member nor available", who->key);
    return 0;
}

int acd_check(const struct acd *a, struct err_info *info)
{
    if (!otree_check(&a->queues) || !otree_check(&a->agents) || !otree_check(&a->waiters) || !otree_check(&a->ready))
        return err_set(info, ERR_CORRUPT, "", "a tree is out of order");
    uint32_t waiting = 0, ready = 0;
    for (const struct otree_node *n = otree_first(&a->queues); n; n = otree_next(n)) {
        const struct acd_queue *q = otree_entry(n, const struct acd_queue, by_key);
        waiting += otree_count(&q->waiting);
        ready += otree_linked(&q->by_head);
        int rc = acd_check_queue(a, q, info);
        if (rc)
            return rc;
    }
    if (waiting != otree_count(&a->waiters) || ready != otree_count(&a->ready))
        return err_set(info, ERR_CORRUPT, "", "counts of callers or of ready queues differ");
    for (const struct otree_node *n = otree_first(&a->waiters); n; n = otree_next(n)) {
        const struct acd_waiter *w = otree_entry(n, const struct acd_waiter, by_key);
        if (w->queue->key != w->call.queue || otree_find(&w->queue->waiting, &w->in_order) != &w->in_order)
            return err_set(info, ERR_CORRUPT, "", "call %llu: not in its queue", (unsigned long long)w->call.call);
    }
    for (const struct otree_node *n = otree_first(&a->agents); n; n = otree_next(n)) {
        int rc = acd_check_agent(a, otree_entry(n, const struct acd_agent, by_key), info);
        if (rc)
            return rc;
    }
    return 0;
}
