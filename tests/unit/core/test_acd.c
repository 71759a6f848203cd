/* Rules of service one by one, then random histories against a model that looks at everybody each time.
 * EVERLINE_SEED=n repeats the random history that printed that seed. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/acd.h"

/* ---- rules of service */

static struct acd *a;

static void setup(void)
{
    ck_assert_int_eq(acd_new(&a), 0);
}

static void teardown(void)
{
    struct err_info info = {0};
    ck_assert_msg(acd_check(a, &info) == 0, "%s", info.text);
    acd_free(a);
}

static void queue(uint32_t q)
{
    ck_assert_int_eq(acd_queue_set(a, q, ACD_LONGEST_IDLE), 0);
}

static void member(uint32_t q, uint32_t agent)
{
    ck_assert_int_eq(acd_member_set(a, q, agent, 1), 0);
}

static void idle(uint32_t agent, uint64_t since)
{
    ck_assert_int_eq(acd_agent_idle(a, agent, since), 0);
}

static void enqueue(uint64_t call, uint32_t q, uint32_t priority, uint64_t at, uint64_t front)
{
    struct acd_call c = {.call = call, .queue = q, .priority = priority, .enqueued_us = at, .front = front};
    ck_assert_int_eq(acd_enqueue(a, &c), 0);
}

static void expect(uint64_t call, uint32_t q, uint32_t agent)
{
    struct acd_decision d;
    ck_assert(acd_decide(a, &d));
    ck_assert_uint_eq(d.call, call);
    ck_assert_uint_eq(d.queue, q);
    ck_assert_uint_eq(d.agent, agent);
    ck_assert_uint_eq(d.was.call, call);
    ck_assert_uint_eq(d.was.queue, q);
}

static void expect_nothing(void)
{
    struct acd_decision d = {.call = 77};
    ck_assert(!acd_decide(a, &d));
    ck_assert_uint_eq(d.call, 77);
}

START_TEST(test_longest_idle_first)
{
    queue(1);
    for (uint32_t agent = 1; agent <= 4; agent++)
        member(1, agent);
    idle(1, 300);
    idle(2, 100);
    idle(3, 200);
    idle(4, 100);
    for (uint64_t call = 1; call <= 5; call++)
        enqueue(call, 1, 0, call, 0);
    expect(1, 1, 2); /* equal times: the smaller key */
    expect(2, 1, 4);
    expect(3, 1, 3);
    expect(4, 1, 1);
    expect_nothing();
    ck_assert_uint_eq(acd_waiting(a, 1), 1);
    ck_assert_uint_eq(acd_available(a, 1), 0);
}
END_TEST

START_TEST(test_order_of_service)
{
    queue(1);
    enqueue(10, 1, 0, 500, 0);
    enqueue(11, 1, 0, 400, 0);
    enqueue(13, 1, 5, 600, 0);
    enqueue(12, 1, 0, 400, 0);
    enqueue(14, 1, 0, 900, 1);
    enqueue(15, 1, 0, 800, 2);
    static const uint64_t order[] = {15, 14, 13, 11, 12, 10};
    for (uint32_t i = 0; i < 6; i++) {
        uint64_t call;
        ck_assert_uint_eq(acd_position(a, order[i]), i + 1);
        ck_assert(acd_waiting_at(a, 1, i, &call));
        ck_assert_uint_eq(call, order[i]);
    }
    uint64_t call = 99;
    ck_assert(!acd_waiting_at(a, 1, 6, &call));
    ck_assert(!acd_waiting_at(a, 2, 0, &call));
    ck_assert_uint_eq(call, 99);
    member(1, 1);
    for (uint32_t i = 0; i < 6; i++) {
        expect_nothing();
        idle(1, i);
        expect(order[i], 1, 1);
    }
}
END_TEST

START_TEST(test_unanswered_offer_goes_back_to_the_very_front)
{
    queue(1);
    member(1, 1);
    enqueue(1, 1, 9, 10, 0);
    enqueue(2, 1, 0, 20, 0);
    idle(1, 0);
    struct acd_decision d;
    ck_assert(acd_decide(a, &d));
    ck_assert_uint_eq(d.call, 1);
    ck_assert_uint_eq(d.was.enqueued_us, 10);
    ck_assert_uint_eq(d.was.priority, 9);
    d.was.priority = 0;
    d.was.front = 1;
    enqueue(3, 1, 99, 5, 0);
    ck_assert_int_eq(acd_enqueue(a, &d.was), 0);
    ck_assert_uint_eq(acd_position(a, 1), 1);
    ck_assert_uint_eq(acd_position(a, 3), 2);
    expect_nothing();
}
END_TEST

START_TEST(test_best_head_among_several_queues)
{
    for (uint32_t q = 1; q <= 4; q++) {
        queue(q);
        member(q, 1);
    }
    enqueue(1, 1, 0, 100, 0);
    enqueue(2, 2, 0, 50, 0);
    enqueue(3, 3, 1, 200, 0);
    enqueue(4, 4, 0, 300, 1);
    static const uint64_t order[] = {4, 3, 2, 1};
    for (size_t i = 0; i < 4; i++) {
        idle(1, i);
        expect(order[i], (uint32_t)order[i], 1);
        expect_nothing();
    }
}
END_TEST

START_TEST(test_nobody_is_offered_twice)
{
    queue(1);
    queue(2);
    member(1, 1);
    member(2, 1);
    enqueue(1, 1, 0, 1, 0);
    enqueue(2, 2, 0, 2, 0);
    idle(1, 0);
    expect(1, 1, 1);
    expect_nothing();
    ck_assert_uint_eq(acd_available(a, 2), 0);
    ck_assert_uint_eq(acd_position(a, 1), 0);
    ck_assert_int_eq(acd_dequeue(a, 1), ERR_NOTFOUND);
    ck_assert_uint_eq(acd_position(a, 2), 1);
}
END_TEST

START_TEST(test_members_come_and_go)
{
    queue(1);
    idle(1, 5); /* available before he is a member of anything */
    enqueue(1, 1, 0, 1, 0);
    expect_nothing();
    member(1, 1);
    ck_assert_int_eq(acd_member_set(a, 1, 1, 2), 0); /* again: only the level */
    ck_assert_uint_eq(acd_available(a, 1), 1);
    ck_assert_int_eq(acd_member_del(a, 1, 1), 0);
    ck_assert_int_eq(acd_member_del(a, 1, 1), ERR_NOTFOUND);
    expect_nothing();
    member(1, 1);
    acd_agent_gone(a, 1);
    acd_agent_gone(a, 1);
    acd_agent_gone(a, 1234);
    expect_nothing();
    idle(1, 9);
    expect(1, 1, 1);
}
END_TEST

START_TEST(test_idle_again_moves)
{
    queue(1);
    member(1, 1);
    member(1, 2);
    idle(1, 10);
    idle(2, 20);
    idle(1, 30);
    enqueue(1, 1, 0, 0, 0);
    expect(1, 1, 2);
}
END_TEST

START_TEST(test_queue_deletion)
{
    ck_assert_int_eq(acd_queue_del(a, 1), ERR_NOTFOUND);
    queue(1);
    queue(2);
    member(1, 1);
    member(2, 1);
    enqueue(1, 1, 0, 0, 0);
    ck_assert_int_eq(acd_queue_del(a, 1), ERR_CONFLICT);
    ck_assert_uint_eq(acd_waiting(a, 1), 1);
    ck_assert_int_eq(acd_dequeue(a, 1), 0);
    idle(1, 0);
    ck_assert_int_eq(acd_queue_del(a, 1), 0);
    ck_assert_int_eq(acd_member_del(a, 1, 1), ERR_NOTFOUND);
    ck_assert_uint_eq(acd_available(a, 1), 0);
    ck_assert_uint_eq(acd_available(a, 2), 1);
    queue(2); /* set again: members stay */
    enqueue(2, 2, 0, 0, 0);
    expect(2, 2, 1);
}
END_TEST

START_TEST(test_misuse_is_refused)
{
    struct acd_call c = {.call = 1, .queue = 1};
    ck_assert_int_eq(acd_enqueue(a, &c), ERR_NOTFOUND);
    ck_assert_int_eq(acd_member_set(a, 1, 1, 0), ERR_NOTFOUND);
    ck_assert_int_eq(acd_queue_set(a, 1, (enum acd_strategy)99), ERR_INVAL);
    queue(1);
    ck_assert_int_eq(acd_enqueue(a, &c), 0);
    c.priority = 3;
    ck_assert_int_eq(acd_enqueue(a, &c), ERR_EXISTS);
    ck_assert_int_eq(acd_dequeue(a, 2), ERR_NOTFOUND);
    ck_assert_uint_eq(acd_waiting(a, 1), 1);
    ck_assert_uint_eq(acd_waiting(a, 2), 0);
    acd_free(NULL);
}
END_TEST

START_TEST(test_limit_of_queues_per_agent)
{
    for (uint32_t q = 0; q <= ACD_QUEUES_PER_AGENT_MAX; q++)
        queue(q);
    for (uint32_t q = 0; q < ACD_QUEUES_PER_AGENT_MAX; q++)
        member(q, 1);
    ck_assert_int_eq(acd_member_set(a, ACD_QUEUES_PER_AGENT_MAX, 1, 0), ERR_TOOBIG);
    member(ACD_QUEUES_PER_AGENT_MAX, 2);
    ck_assert_int_eq(acd_member_del(a, 0, 1), 0);
    member(ACD_QUEUES_PER_AGENT_MAX, 1);
}
END_TEST

/* Each operation that allocates is tried with 0, 1, 2... allocations left until it passes. */
START_TEST(test_refused_allocations_change_nothing)
{
    struct acd_call c = {.call = 5, .queue = 1};
    for (int op = 0; op < 4; op++) {
        for (uint64_t left = 0;; left++) {
            ck_assert_uint_lt(left, 8);
            acd_allocations(a, left);
            int rc = op == 0   ? acd_queue_set(a, 1, ACD_LONGEST_IDLE)
                     : op == 1 ? acd_member_set(a, 1, 1, 0)
                     : op == 2 ? acd_agent_idle(a, 2, 0)
                               : acd_enqueue(a, &c);
            acd_allocations(a, UINT64_MAX);
            struct err_info info = {0};
            ck_assert_msg(acd_check(a, &info) == 0, "%s", info.text);
            if (rc == 0)
                break;
            ck_assert_int_eq(rc, ERR_NOMEM);
            ck_assert_uint_eq(acd_waiting(a, 1), 0);
        }
    }
    idle(1, 0);
    expect(5, 1, 1);
}
END_TEST

/* ---- random histories */

enum { QUEUES = 12, AGENTS = 40, CALLS_MAX = 400, EVENTS = 60000, CHECK_EVERY = 64 };

struct model {
    uint64_t rng, next_call, next_front, now;
    struct acd *acd;
    bool queue[QUEUES], member[QUEUES][AGENTS], available[AGENTS];
    uint64_t idle_since[AGENTS];
    size_t n_calls;
    struct acd_call calls[CALLS_MAX];
    size_t n_offers; /* matches that may still be returned to the queue */
    struct acd_call offers[64];
    unsigned long decisions, refused, rebuilds;
};

static uint64_t draw(struct model *m, uint64_t below)
{
    m->rng += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = m->rng;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

static bool goes_before(const struct acd_call *x, const struct acd_call *y)
{
    if (x->front != y->front)
        return x->front > y->front;
    if (x->priority != y->priority)
        return x->priority > y->priority;
    if (x->enqueued_us != y->enqueued_us)
        return x->enqueued_us < y->enqueued_us;
    return x->call < y->call;
}

static int model_agent_for(const struct model *m, uint32_t q)
{
    int best = -1;
    for (int g = 0; g < AGENTS; g++)
        if (m->available[g] && m->member[q][g] && (best < 0 || m->idle_since[g] < m->idle_since[best]))
            best = g;
    return best;
}

static bool model_decide(struct model *m, struct acd_decision *d)
{
    int agent[QUEUES];
    for (uint32_t q = 0; q < QUEUES; q++)
        agent[q] = m->queue[q] ? model_agent_for(m, q) : -1;
    size_t best = m->n_calls;
    for (size_t i = 0; i < m->n_calls; i++)
        if (agent[m->calls[i].queue] >= 0 && (best == m->n_calls || goes_before(&m->calls[i], &m->calls[best])))
            best = i;
    if (best == m->n_calls)
        return false;
    const struct acd_call c = m->calls[best];
    *d = (struct acd_decision){.call = c.call, .queue = c.queue, .agent = (uint32_t)agent[c.queue], .was = c};
    m->calls[best] = m->calls[--m->n_calls];
    m->available[d->agent] = false;
    return true;
}

static void decide_all(struct model *m)
{
    for (bool more = true; more;) {
        struct acd_decision got, want;
        bool model_more = model_decide(m, &want);
        more = acd_decide(m->acd, &got);
        ck_assert_int_eq(more, model_more);
        if (!more)
            return;
        m->decisions++;
        ck_assert_uint_eq(got.call, want.call);
        ck_assert_uint_eq(got.queue, want.queue);
        ck_assert_uint_eq(got.agent, want.agent);
        ck_assert_uint_eq(got.was.enqueued_us, want.was.enqueued_us);
        ck_assert_uint_eq(got.was.priority, want.was.priority);
        ck_assert_uint_eq(got.was.front, want.was.front);
        if (m->n_offers < sizeof m->offers / sizeof *m->offers)
            m->offers[m->n_offers++] = got.was;
    }
}

/* Now and then memory is short: then the operation is refused, changes nothing, and passes when tried again. */
#define WITH_SHORTAGE(m, rc, operation)            \
    do {                                           \
        if (draw(m, 16) == 0)                      \
            acd_allocations((m)->acd, draw(m, 2)); \
        (rc) = (operation);                        \
        acd_allocations((m)->acd, UINT64_MAX);     \
        if ((rc) == ERR_NOMEM) {                   \
            (m)->refused++;                        \
            verify(m);                             \
            (rc) = (operation);                    \
        }                                          \
    } while (0)

static void verify(struct model *m)
{
    struct err_info info = {0};
    ck_assert_msg(acd_check(m->acd, &info) == 0, "%s", info.text);
    for (uint32_t q = 0; q < QUEUES; q++) {
        uint32_t waiting = 0, available = 0;
        for (size_t i = 0; i < m->n_calls; i++)
            waiting += m->calls[i].queue == q;
        for (int g = 0; g < AGENTS; g++)
            available += m->member[q][g] && m->available[g];
        ck_assert_uint_eq(acd_waiting(m->acd, q), waiting);
        ck_assert_uint_eq(acd_available(m->acd, q), available);
    }
    for (int tries = 0; tries < 4 && m->n_calls; tries++) {
        const struct acd_call *c = &m->calls[draw(m, m->n_calls)];
        uint32_t position = 1;
        for (size_t i = 0; i < m->n_calls; i++)
            position += m->calls[i].queue == c->queue && goes_before(&m->calls[i], c);
        ck_assert_uint_eq(acd_position(m->acd, c->call), position);
        uint64_t there;
        ck_assert(acd_waiting_at(m->acd, c->queue, position - 1, &there));
        ck_assert_uint_eq(there, c->call);
    }
}

static void event_enqueue(struct model *m)
{
    struct acd_call c;
    if (m->n_offers && draw(m, 4) == 0) {
        c = m->offers[--m->n_offers];
        c.front = ++m->next_front;
    } else {
        /* Few distinct times and priorities, so that ties are common. */
        c = (struct acd_call){.call = draw(m, 2) ? ++m->next_call : draw(m, m->next_call + 1),
                              .queue = (uint32_t)draw(m, QUEUES),
                              .priority = (uint32_t)draw(m, 3),
                              .enqueued_us = m->now - draw(m, 8)};
    }
    bool known = false;
    for (size_t i = 0; i < m->n_calls; i++)
        known |= m->calls[i].call == c.call;
    if (!known && m->n_calls == CALLS_MAX)
        return;
    int rc;
    WITH_SHORTAGE(m, rc, acd_enqueue(m->acd, &c));
    ck_assert_int_eq(rc, !m->queue[c.queue] ? ERR_NOTFOUND : known ? ERR_EXISTS : 0);
    if (rc == 0)
        m->calls[m->n_calls++] = c;
}

static void event_dequeue(struct model *m)
{
    if (m->n_calls && draw(m, 8)) {
        size_t i = draw(m, m->n_calls);
        ck_assert_int_eq(acd_dequeue(m->acd, m->calls[i].call), 0);
        m->calls[i] = m->calls[--m->n_calls];
    } else {
        ck_assert_int_eq(acd_dequeue(m->acd, m->next_call + 1), ERR_NOTFOUND);
    }
}

static void event_agent(struct model *m, bool comes)
{
    uint32_t g = (uint32_t)draw(m, AGENTS);
    if (comes) {
        int rc;
        uint64_t since = m->now - draw(m, 6);
        WITH_SHORTAGE(m, rc, acd_agent_idle(m->acd, g, since));
        ck_assert_int_eq(rc, 0);
        m->idle_since[g] = since;
    } else {
        acd_agent_gone(m->acd, g);
    }
    m->available[g] = comes;
}

static void event_member(struct model *m)
{
    uint32_t q = (uint32_t)draw(m, QUEUES), g = (uint32_t)draw(m, AGENTS);
    if (draw(m, 2)) {
        int rc;
        WITH_SHORTAGE(m, rc, acd_member_set(m->acd, q, g, (uint32_t)draw(m, 5)));
        ck_assert_int_eq(rc, m->queue[q] ? 0 : ERR_NOTFOUND);
        m->member[q][g] = rc == 0;
    } else {
        ck_assert_int_eq(acd_member_del(m->acd, q, g), m->member[q][g] ? 0 : ERR_NOTFOUND);
        m->member[q][g] = false;
    }
}

static void event_queue(struct model *m)
{
    uint32_t q = (uint32_t)draw(m, QUEUES);
    if (draw(m, 3)) {
        int rc;
        WITH_SHORTAGE(m, rc, acd_queue_set(m->acd, q, ACD_LONGEST_IDLE));
        ck_assert_int_eq(rc, 0);
        m->queue[q] = true;
        return;
    }
    bool waiting = false;
    for (size_t i = 0; i < m->n_calls; i++)
        waiting |= m->calls[i].queue == q;
    int rc = acd_queue_del(m->acd, q);
    ck_assert_int_eq(rc, !m->queue[q] ? ERR_NOTFOUND : waiting ? ERR_CONFLICT : 0);
    if (rc == 0) {
        m->queue[q] = false;
        memset(m->member[q], 0, sizeof m->member[q]);
    }
}

/* As after a restart: the same facts told in another order must lead to the same decisions. */
static void event_rebuild(struct model *m)
{
    acd_free(m->acd);
    ck_assert_int_eq(acd_new(&m->acd), 0);
    for (uint32_t q = 0; q < QUEUES; q++)
        if (m->queue[q])
            ck_assert_int_eq(acd_queue_set(m->acd, q, ACD_LONGEST_IDLE), 0);
    bool agents_first = draw(m, 2);
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < AGENTS; i++) {
            uint32_t g = AGENTS - 1 - i;
            if (agents_first == (pass == 0) && m->available[g])
                ck_assert_int_eq(acd_agent_idle(m->acd, g, m->idle_since[g]), 0);
            for (uint32_t q = 0; agents_first == (pass == 1) && q < QUEUES; q++)
                if (m->member[q][g])
                    ck_assert_int_eq(acd_member_set(m->acd, q, g, 0), 0);
        }
    }
    for (size_t i = m->n_calls; i > 1; i--) {
        size_t j = draw(m, i);
        struct acd_call c = m->calls[j];
        m->calls[j] = m->calls[i - 1];
        m->calls[i - 1] = c;
    }
    for (size_t i = 0; i < m->n_calls; i++)
        ck_assert_int_eq(acd_enqueue(m->acd, &m->calls[i]), 0);
    m->rebuilds++;
}

enum { EV_ENQUEUE, EV_DEQUEUE, EV_IDLE, EV_GONE, EV_MEMBER, EV_QUEUE, EV_REBUILD, EV_KINDS };

static const struct mix {
    const char *what;
    unsigned share[EV_KINDS]; /* in ten thousand, in the order of the enum */
    unsigned decide_of_8;     /* how often decisions are asked for after an event */
} mixes[] = {
    {"balanced", {3000, 600, 3890, 600, 1500, 400, 10}, 8},
    {"rush: many callers", {6000, 800, 1590, 600, 800, 200, 10}, 8},
    {"quiet: many agents", {1500, 600, 6090, 600, 1000, 200, 10}, 8},
    {"decisions late", {3500, 500, 4090, 600, 1100, 200, 10}, 1},
    {"configuration churn", {2000, 600, 2090, 600, 3000, 1700, 10}, 6},
    {"hang-ups", {3500, 2800, 1590, 1500, 500, 100, 10}, 4},
};

static int draw_event(struct model *m, const struct mix *x)
{
    uint64_t total = 0;
    for (int e = 0; e < EV_KINDS; e++)
        total += x->share[e];
    uint64_t dice = draw(m, total);
    int e = 0;
    while (dice >= x->share[e])
        dice -= x->share[e++];
    return e;
}

static uint64_t first_seed(void)
{
    static uint64_t seed;
    const char *text = getenv("EVERLINE_SEED");
    if (text)
        seed = strtoull(text, NULL, 10);
    else if (!seed)
        seed = (uint64_t)time(NULL);
    return seed;
}

START_TEST(test_random_history)
{
    const struct mix *x = &mixes[_i];
    struct model *m = calloc(1, sizeof *m);
    ck_assert_ptr_nonnull(m);
    m->rng = first_seed() * 1000 + (uint64_t)_i;
    m->now = 1000;
    ck_assert_int_eq(acd_new(&m->acd), 0);
    for (uint32_t q = 0; q < QUEUES; q++)
        m->queue[q] = acd_queue_set(m->acd, q, ACD_LONGEST_IDLE) == 0;
    for (unsigned long n = 0; n < EVENTS; n++) {
        m->now += draw(m, 3);
        switch (draw_event(m, x)) {
        case EV_ENQUEUE:
            event_enqueue(m);
            break;
        case EV_DEQUEUE:
            event_dequeue(m);
            break;
        case EV_IDLE:
            event_agent(m, true);
            break;
        case EV_GONE:
            event_agent(m, false);
            break;
        case EV_MEMBER:
            event_member(m);
            break;
        case EV_QUEUE:
            event_queue(m);
            break;
        case EV_REBUILD:
            event_rebuild(m);
            break;
        default:
            ck_abort_msg("shares of %s", x->what);
        }
        if (draw(m, 8) < x->decide_of_8)
            decide_all(m);
        if (n % CHECK_EVERY == 0)
            verify(m);
    }
    decide_all(m);
    verify(m);
    printf("  %s: %d events, %lu decisions, %lu refused allocations, %lu rebuilds, EVERLINE_SEED=%" PRIu64 "\n",
           x->what, EVENTS, m->decisions, m->refused, m->rebuilds, first_seed());
    fflush(stdout);
    ck_assert_uint_gt(m->decisions, EVENTS / 100);
    ck_assert_uint_gt(m->refused, 0);
    acd_free(m->acd);
    free(m);
}
END_TEST

int main(void)
{
    printf("EVERLINE_SEED=%" PRIu64 "\n", first_seed());
    fflush(stdout);
    Suite *s = suite_create("core/acd");
    TCase *rules = tcase_create("rules");
    tcase_add_checked_fixture(rules, setup, teardown);
    tcase_add_test(rules, test_longest_idle_first);
    tcase_add_test(rules, test_order_of_service);
    tcase_add_test(rules, test_unanswered_offer_goes_back_to_the_very_front);
    tcase_add_test(rules, test_best_head_among_several_queues);
    tcase_add_test(rules, test_nobody_is_offered_twice);
    tcase_add_test(rules, test_members_come_and_go);
    tcase_add_test(rules, test_idle_again_moves);
    tcase_add_test(rules, test_queue_deletion);
    tcase_add_test(rules, test_misuse_is_refused);
    tcase_add_test(rules, test_limit_of_queues_per_agent);
    tcase_add_test(rules, test_refused_allocations_change_nothing);
    suite_add_tcase(s, rules);
    TCase *random = tcase_create("random histories");
    tcase_set_timeout(random, 300);
    tcase_add_loop_test(random, test_random_history, 0, sizeof mixes / sizeof *mixes);
    suite_add_tcase(s, random);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
