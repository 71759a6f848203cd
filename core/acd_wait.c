/* Callers: their places, the order of service, lanes. */
#include <stdlib.h>
#include <string.h>

#include "core/acd_int.h"

/* ---- order */

/* `front` 0 sorts behind every other, so one descending comparison covers "returned first, the latest of them before others". */
int acd_cmp_order(const struct acd_order *x, const struct acd_order *y)
{
    int order = acd_cmp_u64(y->front, x->front);
    if (order == 0)
        order = (int)y->vip - (int)x->vip;
    if (order == 0)
        order = (x->deadline_us > y->deadline_us) - (x->deadline_us < y->deadline_us);
    if (order == 0)
        order = acd_cmp_u64(x->call, y->call);
    if (order == 0)
        order = acd_cmp_u64(x->tie, y->tie);
    return order;
}

int acd_cmp_place_in_queue(const struct otree_node *x, const struct otree_node *y)
{
    return acd_cmp_order(&otree_entry(x, const struct acd_place, in_queue)->order,
                         &otree_entry(y, const struct acd_place, in_queue)->order);
}

int acd_cmp_place_in_lane(const struct otree_node *x, const struct otree_node *y)
{
    return acd_cmp_order(&otree_entry(x, const struct acd_place, in_lane)->order,
                         &otree_entry(y, const struct acd_place, in_lane)->order);
}

int acd_cmp_lane(const struct otree_node *x, const struct otree_node *y)
{
    const struct acd_lane *l = otree_entry(x, const struct acd_lane, by_key),
                          *m = otree_entry(y, const struct acd_lane, by_key);
    int order = (int)l->campaign - (int)m->campaign;
    return order || l->needs == m->needs ? order : acd_set_cmp(l->needs, m->needs);
}

int acd_cmp_ready(const struct otree_node *x, const struct otree_node *y)
{
    return acd_cmp_order(&otree_entry(x, const struct acd_lane, by_head)->head->order,
                         &otree_entry(y, const struct acd_lane, by_head)->head->order);
}

int64_t acd_deadline_us(const struct acd_call *call, const struct acd_rules *r)
{
    uint64_t ageing = r->ageing_us ? r->ageing_us : ACD_STRICT_US;
    return (int64_t)(call->enqueued_us + r->target_us) - (int64_t)(call->priority * ageing);
}

static struct acd_order order_in(const struct acd_call *call, const struct acd_queue *q)
{
    return (struct acd_order){.front = call->front,
                              .call = call->call,
                              .deadline_us = acd_deadline_us(call, &q->rules),
                              .tie = (uint64_t)q->key + 1,
                              .vip = call->vip};
}

/* ---- lanes */

void acd_lane_init(struct acd_lane *l)
{
    otree_init(&l->places, acd_cmp_place_in_lane);
}

struct acd_place *acd_first_place(const struct acd_lane *l)
{
    struct otree_node *n = otree_first(&l->places);
    return n ? otree_entry(n, struct acd_place, in_lane) : NULL;
}

bool acd_can_be_served(const struct acd_lane *l)
{
    if (!l->queue)
        return l->agent->available;
    return l->supply && !(l->campaign && l->queue->available <= l->queue->rules.keep_idle);
}

void acd_ready(struct acd *a, struct acd_lane *l)
{
    struct acd_place *head = acd_can_be_served(l) ? acd_first_place(l) : NULL;
    if (l->head == head)
        return;
    if (l->head)
        otree_remove(&a->ready, &l->by_head);
    l->head = head;
    if (l->head)
        otree_insert(&a->ready, &l->by_head);
}

static uint32_t count_supply(const struct acd_queue *q, const struct acd_set *needs)
{
    uint32_t n = 0;
    for (const struct otree_node *o = otree_first(&q->open); o; o = otree_next(o))
        n += acd_set_suits(needs, otree_entry(o, const struct acd_cell, open)->skills, NULL);
    return n;
}

static struct acd_lane *need_lane(struct acd *a, struct acd_queue *q, struct acd_set *needs, bool campaign)
{
    struct acd_lane probe = {.needs = needs, .campaign = campaign};
    struct otree_node *found = otree_find(&q->lanes, &probe.by_key);
    if (found)
        return otree_entry(found, struct acd_lane, by_key);
    struct acd_lane *l = acd_alloc(a, sizeof *l);
    if (!l)
        return NULL;
    *l = probe;
    acd_lane_init(l);
    l->queue = q;
    l->needs->refs++;
    l->supply = count_supply(q, needs);
    otree_insert(&q->lanes, &l->by_key);
    return l;
}

static void tidy_lane(struct acd *a, struct acd_lane *l)
{
    if (!l || !l->queue || otree_count(&l->places))
        return;
    otree_remove(&l->queue->lanes, &l->by_key);
    acd_set_put(a, l->needs);
    free(l);
}

/* ---- places */

static void into_lane(struct acd *a, struct acd_place *p, struct acd_lane *l)
{
    p->lane = l;
    otree_insert(&l->places, &p->in_lane);
    acd_ready(a, l);
}

static void out_of_lane(struct acd *a, struct acd_place *p)
{
    struct acd_lane *l = p->lane;
    if (!l)
        return;
    p->lane = NULL;
    otree_remove(&l->places, &p->in_lane);
    acd_ready(a, l);
    tidy_lane(a, l);
}

void acd_reorder_places(struct acd *a, struct acd_queue *q)
{
    /* From one tree into the other: nothing is compared under a key that has changed. */
    struct otree fresh;
    otree_init(&fresh, acd_cmp_place_in_queue);
    for (struct otree_node *n = otree_first(&q->lanes); n; n = otree_next(n)) {
        struct acd_lane *l = otree_entry(n, struct acd_lane, by_key);
        if (l->head)
            otree_remove(&a->ready, &l->by_head);
        l->head = NULL;
        acd_lane_init(l);
    }
    for (struct otree_node *n; (n = otree_first(&q->waiting));) {
        struct acd_place *p = otree_entry(n, struct acd_place, in_queue);
        struct acd_place *own = &p->waiter->own;
        otree_remove(&q->waiting, n);
        p->order = order_in(&p->waiter->call, q);
        otree_insert(&fresh, n);
        if (p->lane) {
            p->in_lane.count = 0; /* its tree is gone */
            otree_insert(&p->lane->places, &p->in_lane);
        }
        if (p == p->waiter->places && own->lane) { /* ordered as in the home queue */
            struct acd_lane *l = own->lane;
            out_of_lane(a, own);
            own->order.deadline_us = p->order.deadline_us;
            into_lane(a, own, l);
        }
    }
    q->waiting = fresh;
    for (struct otree_node *n = otree_first(&q->lanes); n; n = otree_next(n))
        acd_ready(a, otree_entry(n, struct acd_lane, by_key));
}

/* ---- calls */

struct acd_call acd_call_in(uint64_t call, uint32_t queue, uint64_t enqueued_us)
{
    return (struct acd_call){.call = call,
                             .enqueued_us = enqueued_us,
                             .dedicated = ACD_NOBODY,
                             .last_agent = ACD_NOBODY,
                             .n_queues = 1,
                             .queues = {queue}};
}

static int check_call(const struct acd *a, const struct acd_call *call)
{
    if (!call->n_queues || call->n_queues > ACD_PLACES_MAX || call->priority > ACD_PRIORITY_MAX ||
        !acd_set_valid(call->needs, call->n_needs, ACD_NEEDS_MAX) ||
        (call->only_dedicated && call->dedicated == ACD_NOBODY))
        return ERR_INVAL;
    for (unsigned i = 0; i < call->n_queues; i++) {
        if (!acd_find_queue(a, call->queues[i]))
            return ERR_NOTFOUND;
        for (unsigned j = 0; j < i; j++)
            if (call->queues[i] == call->queues[j])
                return ERR_INVAL;
    }
    return acd_find_waiter(a, call->call) ? ERR_EXISTS : 0;
}

/* Everything that can fail. */
static int prepare(struct acd *a, struct acd_waiter *w)
{
    const struct acd_call *call = &w->call;
    w->needs = acd_set_get(a, call->needs, call->n_needs);
    if (!w->needs)
        return ERR_NOMEM;
    if (call->dedicated != ACD_NOBODY) {
        w->dedicated = acd_need_agent(a, call->dedicated);
        if (!w->dedicated)
            return ERR_NOMEM;
    }
    for (unsigned i = 0; i < call->n_queues; i++) {
        struct acd_place *p = &w->places[i];
        p->waiter = w;
        p->queue = acd_find_queue(a, call->queues[i]);
        p->order = order_in(call, p->queue);
        if (!call->only_dedicated && !(p->lane = need_lane(a, p->queue, w->needs, call->campaign)))
            return ERR_NOMEM;
    }
    return 0;
}

static void unprepare(struct acd *a, struct acd_waiter *w)
{
    for (unsigned i = 0; i < w->call.n_queues; i++)
        tidy_lane(a, w->places[i].lane);
    if (w->dedicated)
        acd_forget(a, w->dedicated);
    acd_set_put(a, w->needs);
    free(w);
}

int acd_enqueue(struct acd *a, const struct acd_call *call)
{
    int rc = check_call(a, call);
    if (rc)
        return rc;
    struct acd_waiter *w = acd_alloc(a, sizeof *w);
    if (!w)
        return ERR_NOMEM;
    w->call = *call;
    rc = prepare(a, w);
    if (rc) {
        unprepare(a, w);
        return rc;
    }
    otree_insert(&a->waiters, &w->by_key);
    w->places[0].queue->home++;
    for (unsigned i = 0; i < call->n_queues; i++) {
        struct acd_place *p = &w->places[i];
        otree_insert(&p->queue->waiting, &p->in_queue);
        if (p->lane)
            into_lane(a, p, p->lane);
    }
    if (w->dedicated) {
        w->own.waiter = w;
        w->own.order = w->places[0].order;
        w->own.order.tie = 0;
        into_lane(a, &w->own, &w->dedicated->own);
    }
    return 0;
}

void acd_drop_waiter(struct acd *a, struct acd_waiter *w)
{
    w->places[0].queue->home--;
    for (unsigned i = 0; i < w->call.n_queues; i++) {
        otree_remove(&w->places[i].queue->waiting, &w->places[i].in_queue);
        out_of_lane(a, &w->places[i]);
    }
    if (w->dedicated) {
        out_of_lane(a, &w->own);
        acd_forget(a, w->dedicated);
    }
    otree_remove(&a->waiters, &w->by_key);
    acd_set_put(a, w->needs);
    free(w);
}

int acd_overflow(struct acd *a, uint64_t call, uint32_t queue)
{
    struct acd_waiter *w = acd_find_waiter(a, call);
    struct acd_queue *q = acd_find_queue(a, queue);
    if (!w || !q)
        return ERR_NOTFOUND;
    for (unsigned i = 0; i < w->call.n_queues; i++)
        if (w->call.queues[i] == queue)
            return ERR_EXISTS;
    if (w->call.n_queues == ACD_PLACES_MAX)
        return ERR_TOOBIG;
    struct acd_lane *l = w->call.only_dedicated ? NULL : need_lane(a, q, w->needs, w->call.campaign);
    if (!l && !w->call.only_dedicated)
        return ERR_NOMEM;
    struct acd_place *p = &w->places[w->call.n_queues];
    w->call.queues[w->call.n_queues++] = queue;
    *p = (struct acd_place){.waiter = w, .queue = q, .order = order_in(&w->call, q)};
    otree_insert(&q->waiting, &p->in_queue);
    if (l)
        into_lane(a, p, l);
    return 0;
}

int acd_release(struct acd *a, uint64_t call)
{
    struct acd_waiter *w = acd_find_waiter(a, call);
    if (!w)
        return ERR_NOTFOUND;
    if (!w->call.only_dedicated)
        return 0;
    struct acd_lane *lanes[ACD_PLACES_MAX] = {0};
    for (unsigned i = 0; i < w->call.n_queues; i++) {
        lanes[i] = need_lane(a, w->places[i].queue, w->needs, w->call.campaign);
        if (lanes[i])
            continue;
        for (unsigned j = 0; j < i; j++)
            tidy_lane(a, lanes[j]);
        return ERR_NOMEM;
    }
    w->call.only_dedicated = false;
    for (unsigned i = 0; i < w->call.n_queues; i++)
        into_lane(a, &w->places[i], lanes[i]);
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

uint32_t acd_position(const struct acd *a, uint64_t call)
{
    const struct acd_waiter *w = acd_find_waiter(a, call);
    return w ? otree_rank(&w->places[0].in_queue) + 1 : 0;
}

uint32_t acd_place(const struct acd *a, uint64_t call, unsigned i, uint32_t *queue)
{
    const struct acd_waiter *w = acd_find_waiter(a, call);
    if (!w || i >= w->call.n_queues)
        return 0;
    *queue = w->call.queues[i];
    return otree_rank(&w->places[i].in_queue) + 1;
}

uint32_t acd_waiting(const struct acd *a, uint32_t queue)
{
    const struct acd_queue *q = acd_find_queue(a, queue);
    return q ? otree_count(&q->waiting) : 0;
}

uint32_t acd_waiting_home(const struct acd *a, uint32_t queue)
{
    const struct acd_queue *q = acd_find_queue(a, queue);
    return q ? q->home : 0;
}

uint32_t acd_waiting_own(const struct acd *a, uint32_t agent)
{
    const struct acd_agent *who = acd_find_agent(a, agent);
    return who ? otree_count(&who->own.places) : 0;
}

uint32_t acd_waiting_all(const struct acd *a)
{
    return otree_count(&a->waiters);
}

bool acd_waiting_at(const struct acd *a, uint32_t queue, uint32_t i, uint64_t *call)
{
    const struct acd_queue *q = acd_find_queue(a, queue);
    const struct otree_node *n = q ? otree_at(&q->waiting, i) : NULL;
    if (!n)
        return false;
    *call = otree_entry(n, const struct acd_place, in_queue)->order.call;
    return true;
}

bool acd_waits(const struct acd *a, uint64_t call, struct acd_call *out)
{
    const struct acd_waiter *w = acd_find_waiter(a, call);
    if (w)
        *out = w->call;
    return w;
}
