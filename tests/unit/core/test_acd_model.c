/* The queue engine against a model that looks at everybody each time: random histories for each strategy with all sets of
 * preferences, skills, regions, dedicated agents, overflow, ageing, targets, campaigns. The model follows the rule in core/acd.h word by
 * word and shares no code with the engine but the draw.
 *
 * EVERLINE_SEED=n repeats the history that printed that seed; EVERLINE_ACD_EVENTS=n sets its length. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/acd.h"
#include "tests/unit/suite.h"

enum { QUEUES = 5, AGENTS = 12, CALLS_MAX = 40, KINDS = 3, LEVELS = 3, REGIONS = 3, OFFERS_MAX = 16 };

struct model_agent {
    bool available;
    struct acd_facts facts;
    uint32_t region;
    struct acd_skill skills[KINDS];
    unsigned n_skills;
};
struct model {
    uint64_t rng, next_call, next_front, now;
    struct acd *acd;
    bool queue[QUEUES], member[QUEUES][AGENTS];
    uint32_t level[QUEUES][AGENTS];
    struct acd_rules rules[QUEUES];
    struct model_agent agents[AGENTS];
    size_t n_calls, n_offers;
    struct acd_call calls[CALLS_MAX], offers[OFFERS_MAX]; /* offers: matches that may still be returned */
    enum acd_strategy favourite;
    unsigned long decisions, by_why[ACD_WHY_STRATEGY + 1], refused, rebuilds, rung;
};

/* As ck_assert_*, without its note to the test runner at each call: millions are made here. */
#define SAME(x, y)                                                                                             \
    do {                                                                                                       \
        if ((x) != (y))                                                                                        \
            ck_abort_msg("line %d: %s is %lld, %s is %lld", __LINE__, #x, (long long)(x), #y, (long long)(y)); \
    } while (0)

static uint64_t draw(struct model *m, uint64_t below)
{
    m->rng += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = m->rng;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

/* ---- the model: who is served */

static uint32_t available_in(const struct model *m, uint32_t q)
{
    uint32_t n = 0;
    for (int g = 0; g < AGENTS; g++)
        n += m->agents[g].available && m->member[q][g];
    return n;
}

static bool skilled(const struct model_agent *g, const struct acd_call *c)
{
    for (unsigned i = 0; i < c->n_needs; i++) {
        bool has = false;
        for (unsigned j = 0; j < g->n_skills; j++)
            has |= g->skills[j].skill == c->needs[i].skill && g->skills[j].level >= c->needs[i].level;
        if (!has)
            return false;
    }
    return true;
}

/* As a member of queue q. */
static bool can_serve(const struct model *m, uint32_t g, const struct acd_call *c, uint32_t q)
{
    const struct model_agent *who = &m->agents[g];
    return who->available && m->member[q][g] && !c->only_dedicated && skilled(who, c) &&
           !(c->campaign && available_in(m, q) <= m->rules[q].keep_idle);
}

static bool anybody(const struct model *m, const struct acd_call *c, uint32_t q)
{
    for (uint32_t g = 0; g < AGENTS; g++)
        if (can_serve(m, g, c, q))
            return true;
    return false;
}

static bool dedicated_free(const struct model *m, const struct acd_call *c)
{
    return c->dedicated != ACD_NOBODY && m->agents[c->dedicated].available;
}

struct spot { /* a place of a call */
    const struct acd_call *c;
    uint32_t queue;
    int64_t deadline, tie;
};

static struct spot spot_of(const struct model *m, const struct acd_call *c, uint32_t q, int64_t tie)
{
    const struct acd_rules *r = &m->rules[q];
    int64_t ageing = r->ageing_us ? (int64_t)r->ageing_us : (int64_t)ACD_STRICT_US;
    int64_t deadline = (int64_t)c->enqueued_us + (int64_t)r->target_us - (int64_t)c->priority * ageing;
    return (struct spot){.c = c, .queue = q, .deadline = deadline, .tie = tie};
}

static bool goes_before(const struct spot *x, const struct spot *y)
{
    if (x->c->front != y->c->front)
        return x->c->front > y->c->front;
    if (x->c->vip != y->c->vip)
        return x->c->vip;
    if (x->deadline != y->deadline)
        return x->deadline < y->deadline;
    if (x->c->call != y->c->call)
        return x->c->call < y->c->call;
    return x->tie < y->tie;
}

static bool next_spot(const struct model *m, struct spot *best)
{
    bool any = false;
    for (size_t i = 0; i < m->n_calls; i++) {
        const struct acd_call *c = &m->calls[i];
        for (unsigned j = 0; j < c->n_queues; j++) {
            struct spot s = spot_of(m, c, c->queues[j], (int64_t)c->queues[j] + 1);
            if (anybody(m, c, s.queue) && (!any || goes_before(&s, best))) {
                *best = s;
                any = true;
            }
        }
        struct spot own = spot_of(m, c, c->queues[0], 0);
        if (dedicated_free(m, c) && (!any || goes_before(&own, best))) {
            *best = own;
            any = true;
        }
    }
    return any;
}

/* ---- the model: who serves */

static int by_skills(const struct model_agent *x, const struct model_agent *y)
{
    for (unsigned i = 0; i < x->n_skills && i < y->n_skills; i++) {
        if (x->skills[i].skill != y->skills[i].skill)
            return x->skills[i].skill < y->skills[i].skill ? -1 : 1;
        if (x->skills[i].level != y->skills[i].level)
            return x->skills[i].level < y->skills[i].level ? -1 : 1;
    }
    return (int)x->n_skills - (int)y->n_skills;
}

/* The set shrinks preference by preference. *why is the last that sent somebody away. */
static void prefer(const struct model *m, const struct acd_call *c, uint32_t q, bool in[AGENTS], enum acd_why *why)
{
    const struct acd_rules *r = &m->rules[q];
    for (unsigned p = 0; p < r->n_preferences; p++) {
        uint64_t least = UINT64_MAX, value[AGENTS];
        for (uint32_t g = 0; g < AGENTS; g++) {
            if (!in[g])
                continue;
            if (r->preferences[p] == ACD_BY_REGION)
                value[g] = !(c->region && m->agents[g].region == c->region);
            else if (r->preferences[p] == ACD_BY_LEVEL)
                value[g] = 1000 - m->level[q][g];
            else
                value[g] = c->last_agent != g;
            least = value[g] < least ? value[g] : least;
        }
        for (uint32_t g = 0; g < AGENTS; g++)
            if (in[g] && value[g] != least) {
                in[g] = false;
                *why = r->preferences[p] == ACD_BY_REGION  ? ACD_WHY_REGION
                       : r->preferences[p] == ACD_BY_LEVEL ? ACD_WHY_LEVEL
                                                           : ACD_WHY_LAST_SERVED;
            }
    }
}

static uint64_t measure(const struct acd_facts *f, enum acd_strategy s)
{
    return s == ACD_LOGIN_ORDER       ? f->login_us
           : s == ACD_FEWEST_ANSWERED ? f->answered
           : s == ACD_ROUND_ROBIN     ? f->last_offer
           : s == ACD_LEAST_OCCUPIED  ? f->occupied_us
                                      : f->idle_since_us;
}

static bool serves_before(const struct model *m, uint32_t x, uint32_t y, enum acd_strategy s)
{
    uint64_t vx = measure(&m->agents[x].facts, s), vy = measure(&m->agents[y].facts, s);
    if (vx != vy)
        return vx < vy;
    if (m->agents[x].facts.idle_since_us != m->agents[y].facts.idle_since_us)
        return m->agents[x].facts.idle_since_us < m->agents[y].facts.idle_since_us;
    return x < y;
}

static uint32_t draw_lot(const struct model *m, const struct acd_call *c, uint32_t q, const bool in[AGENTS])
{
    uint32_t order[AGENTS], n = 0;
    bool by_region = false;
    for (unsigned p = 0; p < m->rules[q].n_preferences; p++)
        by_region |= m->rules[q].preferences[p] == ACD_BY_REGION;
    for (uint32_t g = 0; g < AGENTS; g++) {
        if (!in[g])
            continue;
        uint32_t at = n++;
        for (; at; at--) { /* insertion: region, skills, key */
            const struct model_agent *mine = &m->agents[g], *other = &m->agents[order[at - 1]];
            int cmp = by_region ? (int)mine->region - (int)other->region : 0;
            cmp = cmp ? cmp : by_skills(mine, other);
            if (cmp >= 0)
                break;
            order[at] = order[at - 1];
        }
        order[at] = g;
    }
    return order[acd_draw(c->call, c->offers) % n];
}

static uint32_t best_of(const struct model *m, const struct acd_call *c, uint32_t q, enum acd_why *why,
                        uint32_t *candidates)
{
    bool in[AGENTS];
    uint32_t n = 0, left = 0, best = ACD_NOBODY;
    for (uint32_t g = 0; g < AGENTS; g++)
        n += in[g] = can_serve(m, g, c, q);
    *candidates = n;
    *why = ACD_WHY_ONLY_ONE;
    prefer(m, c, q, in, why);
    for (uint32_t g = 0; g < AGENTS; g++) {
        left += in[g];
        if (in[g] && (best == ACD_NOBODY || serves_before(m, g, best, m->rules[q].strategy)))
            best = g;
    }
    if (left > 1)
        *why = ACD_WHY_STRATEGY;
    return m->rules[q].strategy == ACD_RANDOM ? draw_lot(m, c, q, in) : best;
}

static void model_ring(struct model *m, const struct acd_call *c, uint32_t q, struct acd_decision *d)
{
    const struct acd_rules *r = &m->rules[q];
    unsigned most = r->strategy == ACD_RING_ALL ? r->ring_max : 1;
    for (uint32_t candidates, first = 0; d->n_agents < most && anybody(m, c, q); d->n_agents++) {
        enum acd_why why;
        d->agents[d->n_agents] = best_of(m, c, q, &why, &candidates);
        m->agents[d->agents[d->n_agents]].available = false;
        if (first++)
            continue;
        d->why = most > 1 && candidates > 1 ? ACD_WHY_STRATEGY : why;
        d->candidates = candidates;
    }
}

static bool model_decide(struct model *m, struct acd_decision *d)
{
    struct spot s;
    if (!next_spot(m, &s))
        return false;
    const struct acd_call c = *s.c;
    *d = (struct acd_decision){.call = c.call, .queue = s.queue, .was = c};
    if (dedicated_free(m, &c)) {
        d->agents[d->n_agents++] = c.dedicated;
        d->why = ACD_WHY_DEDICATED;
        d->candidates = 1;
        m->agents[c.dedicated].available = false;
    } else {
        model_ring(m, &c, s.queue, d);
    }
    m->calls[s.c - m->calls] = m->calls[m->n_calls - 1];
    m->n_calls--;
    return true;
}

/* ---- comparing */

static void same_decision(const struct acd_decision *got, const struct acd_decision *want)
{
    SAME(got->call, want->call);
    SAME(got->queue, want->queue);
    SAME(got->n_agents, want->n_agents);
    for (unsigned i = 0; i < want->n_agents; i++)
        SAME(got->agents[i], want->agents[i]);
    SAME(got->why, want->why);
    SAME(got->candidates, want->candidates);
    SAME(memcmp(&got->was, &want->was, sizeof got->was), 0);
}

static void decide_all(struct model *m)
{
    for (;;) {
        struct acd_decision got, want;
        memset(&want, 0, sizeof want);
        bool model_more = model_decide(m, &want);
        SAME(acd_decide(m->acd, &got), model_more);
        if (!model_more)
            return;
        same_decision(&got, &want);
        m->decisions++;
        m->by_why[got.why]++;
        m->rung += got.n_agents > 1;
        if (m->n_offers < OFFERS_MAX)
            m->offers[m->n_offers++] = got.was;
    }
}

/* Where the caller stands in the queue: all who wait in it count, whoever may serve them. */
static void verify_position(const struct model *m, const struct acd_call *c)
{
    for (unsigned j = 0; j < c->n_queues; j++) {
        struct spot mine = spot_of(m, c, c->queues[j], 0);
        uint32_t position = 0;
        for (size_t i = 0; i < m->n_calls; i++)
            for (unsigned k = 0; k < m->calls[i].n_queues; k++) {
                struct spot s = spot_of(m, &m->calls[i], c->queues[j], 0);
                position += m->calls[i].queues[k] == c->queues[j] && goes_before(&s, &mine);
            }
        uint64_t there;
        SAME(acd_waiting_at(m->acd, c->queues[j], position, &there), true);
        SAME(there, c->call);
        if (j == 0)
            SAME(acd_position(m->acd, c->call), position + 1);
    }
}

static void verify_explanation(struct model *m, const struct acd_call *c)
{
    struct acd_candidate list[AGENTS + 1];
    uint32_t q = c->queues[draw(m, c->n_queues)], members = 0, candidates;
    unsigned n = acd_explain(m->acd, c->call, q, list, AGENTS + 1);
    for (uint32_t g = 0; g < AGENTS; g++)
        members += m->member[q][g];
    bool stranger = dedicated_free(m, c) && !m->member[q][c->dedicated];
    SAME(n, members + stranger);
    for (unsigned i = 0; i < n; i++) {
        uint32_t g = list[i].agent;
        bool his = dedicated_free(m, c) && c->dedicated == g;
        SAME(list[i].verdict == ACD_CAN, his || can_serve(m, g, c, q));
        SAME(list[i].verdict == ACD_NOT_AVAILABLE, !m->agents[g].available);
        if (list[i].verdict == ACD_UNSKILLED)
            SAME(skilled(&m->agents[g], c), false);
    }
    enum acd_why why;
    if (n && dedicated_free(m, c))
        SAME(list[0].agent, c->dedicated);
    else if (anybody(m, c, q) && m->rules[q].strategy != ACD_RANDOM)
        SAME(list[0].agent, best_of(m, c, q, &why, &candidates));
}

static void verify(struct model *m)
{
    struct err_info info = {0};
    if (acd_check(m->acd, &info) != 0)
        ck_abort_msg("%s", info.text);
    for (uint32_t q = 0; q < QUEUES; q++) {
        uint32_t waiting = 0;
        for (size_t i = 0; i < m->n_calls; i++)
            for (unsigned k = 0; k < m->calls[i].n_queues; k++)
                waiting += m->calls[i].queues[k] == q;
        SAME(acd_waiting(m->acd, q), waiting);
        SAME(acd_available(m->acd, q), available_in(m, q));
    }
    for (int tries = 0; tries < 3 && m->n_calls; tries++) {
        const struct acd_call *c = &m->calls[draw(m, m->n_calls)];
        struct acd_call told;
        SAME(acd_waits(m->acd, c->call, &told), true);
        SAME(memcmp(&told, c, sizeof told), 0);
        verify_position(m, c);
        verify_explanation(m, c);
    }
}

/* Now and then memory is short: then the operation is refused, changes nothing, and passes when tried again. */
#define WITH_SHORTAGE(m, rc, operation)            \
    do {                                           \
        if (draw(m, 16) == 0)                      \
            acd_allocations((m)->acd, draw(m, 4)); \
        (rc) = (operation);                        \
        acd_allocations((m)->acd, UINT64_MAX);     \
        if ((rc) == ERR_NOMEM) {                   \
            (m)->refused++;                        \
            verify(m);                             \
            (rc) = (operation);                    \
        }                                          \
    } while (0)

/* ---- events */

static unsigned draw_skills(struct model *m, struct acd_skill *out, unsigned most)
{
    unsigned n = 0;
    for (uint32_t kind = 1; kind <= KINDS && n < most; kind++)
        if (draw(m, 3) == 0)
            out[n++] = (struct acd_skill){.skill = kind, .level = (uint32_t)draw(m, LEVELS)};
    return n;
}

static void draw_queues(struct model *m, struct acd_call *c)
{
    uint32_t q = (uint32_t)draw(m, QUEUES);
    c->n_queues = 1u + (draw(m, 4) == 0) + (draw(m, 16) == 0);
    for (unsigned i = 0; i < c->n_queues; i++)
        c->queues[i] = (q + i) % QUEUES;
}

/* Few distinct times and priorities, so that ties are common. */
static struct acd_call draw_call(struct model *m)
{
    struct acd_call c;
    memset(&c, 0, sizeof c);
    c.call = draw(m, 8) ? ++m->next_call : draw(m, m->next_call + 1);
    c.enqueued_us = m->now - draw(m, 8);
    c.priority = (uint32_t)draw(m, 3);
    c.region = (uint32_t)draw(m, REGIONS);
    c.dedicated = draw(m, 8) ? ACD_NOBODY : (uint32_t)draw(m, AGENTS);
    c.last_agent = draw(m, 3) ? ACD_NOBODY : (uint32_t)draw(m, AGENTS);
    c.vip = draw(m, 10) == 0;
    c.campaign = draw(m, 10) == 0;
    c.only_dedicated = c.dedicated != ACD_NOBODY && draw(m, 2);
    c.n_needs = draw(m, 2) ? 0 : draw_skills(m, c.needs, 2);
    draw_queues(m, &c);
    return c;
}

static struct acd_call *known_call(struct model *m, uint64_t call)
{
    for (size_t i = 0; i < m->n_calls; i++)
        if (m->calls[i].call == call)
            return &m->calls[i];
    return NULL;
}

static void event_enqueue(struct model *m)
{
    struct acd_call c;
    if (m->n_offers && draw(m, 4) == 0) {
        c = m->offers[--m->n_offers];
        c.front = ++m->next_front;
        c.offers++;
    } else {
        c = draw_call(m);
    }
    bool known = known_call(m, c.call), queues = true;
    for (unsigned i = 0; i < c.n_queues; i++)
        queues &= m->queue[c.queues[i]];
    if (!known && m->n_calls == CALLS_MAX)
        return;
    int rc;
    WITH_SHORTAGE(m, rc, acd_enqueue(m->acd, &c));
    SAME(rc, !queues ? ERR_NOTFOUND : known ? ERR_EXISTS : 0);
    if (rc == 0)
        m->calls[m->n_calls++] = c;
}

static void event_dequeue(struct model *m)
{
    if (m->n_calls && draw(m, 8)) {
        size_t i = draw(m, m->n_calls);
        SAME(acd_dequeue(m->acd, m->calls[i].call), 0);
        m->calls[i] = m->calls[--m->n_calls];
    } else {
        SAME(acd_dequeue(m->acd, m->next_call + 1), ERR_NOTFOUND);
    }
}

static void event_overflow(struct model *m)
{
    if (!m->n_calls)
        return;
    struct acd_call *c = &m->calls[draw(m, m->n_calls)];
    uint32_t q = (uint32_t)draw(m, QUEUES);
    bool in = false;
    for (unsigned i = 0; i < c->n_queues; i++)
        in |= c->queues[i] == q;
    int rc;
    WITH_SHORTAGE(m, rc, acd_overflow(m->acd, c->call, q));
    SAME(rc, !m->queue[q] ? ERR_NOTFOUND : in ? ERR_EXISTS : c->n_queues == ACD_PLACES_MAX ? ERR_TOOBIG : 0);
    if (rc == 0)
        c->queues[c->n_queues++] = q;
}

static void event_release(struct model *m)
{
    if (!m->n_calls)
        return;
    struct acd_call *c = &m->calls[draw(m, m->n_calls)];
    int rc;
    WITH_SHORTAGE(m, rc, acd_release(m->acd, c->call));
    SAME(rc, 0);
    c->only_dedicated = false;
}

static void event_idle(struct model *m)
{
    uint32_t g = (uint32_t)draw(m, AGENTS);
    const struct acd_facts f = {.idle_since_us = m->now - draw(m, 6),
                                .login_us = draw(m, 8),
                                .answered = draw(m, 8),
                                .occupied_us = draw(m, 8),
                                .last_offer = draw(m, 8)};
    int rc;
    WITH_SHORTAGE(m, rc, acd_agent_idle(m->acd, g, &f));
    SAME(rc, 0);
    m->agents[g].facts = f;
    m->agents[g].available = true;
}

static void event_gone(struct model *m)
{
    uint32_t g = (uint32_t)draw(m, AGENTS);
    acd_agent_gone(m->acd, g);
    m->agents[g].available = false;
}

static void event_traits(struct model *m)
{
    uint32_t g = (uint32_t)draw(m, AGENTS), region = (uint32_t)draw(m, REGIONS);
    struct acd_skill skills[KINDS];
    unsigned n = draw(m, 3) ? draw_skills(m, skills, KINDS) : 0;
    int rc;
    WITH_SHORTAGE(m, rc, acd_agent_set(m->acd, g, region, skills, n));
    SAME(rc, 0);
    m->agents[g].region = region;
    m->agents[g].n_skills = n;
    memcpy(m->agents[g].skills, skills, n * sizeof *skills);
}

static void event_member(struct model *m)
{
    uint32_t q = (uint32_t)draw(m, QUEUES), g = (uint32_t)draw(m, AGENTS), level = (uint32_t)draw(m, LEVELS);
    if (draw(m, 4)) {
        int rc;
        WITH_SHORTAGE(m, rc, acd_member_set(m->acd, q, g, level));
        SAME(rc, m->queue[q] ? 0 : ERR_NOTFOUND);
        m->member[q][g] = rc == 0;
        m->level[q][g] = level;
    } else {
        SAME(acd_member_del(m->acd, q, g), m->member[q][g] ? 0 : ERR_NOTFOUND);
        m->member[q][g] = false;
    }
}

static struct acd_rules draw_rules(struct model *m)
{
    static const uint64_t ageings[] = {0, 1, 5, 1000}, targets[] = {0, 0, 3, 50};
    struct acd_rules r = {.strategy = draw(m, 4) ? m->favourite : (enum acd_strategy)draw(m, ACD_STRATEGIES),
                          .ageing_us = ageings[draw(m, 4)],
                          .target_us = targets[draw(m, 4)],
                          .keep_idle = (uint32_t)draw(m, 3),
                          .ring_max = 1 + (uint32_t)draw(m, 4)};
    unsigned taken = 0, wanted = (unsigned)draw(m, ACD_PREFERENCES + 1);
    while (r.n_preferences < wanted) {
        enum acd_preference p = (enum acd_preference)draw(m, ACD_PREFERENCES);
        if (!(taken & (1u << p)))
            r.preferences[r.n_preferences++] = p;
        taken |= 1u << p;
    }
    return r;
}

static void event_queue(struct model *m)
{
    uint32_t q = (uint32_t)draw(m, QUEUES);
    if (draw(m, 4)) {
        struct acd_rules r = draw_rules(m);
        int rc;
        WITH_SHORTAGE(m, rc, acd_queue_set(m->acd, q, &r));
        SAME(rc, 0);
        m->queue[q] = true;
        m->rules[q] = r;
        return;
    }
    bool waiting = false;
    for (size_t i = 0; i < m->n_calls; i++)
        for (unsigned k = 0; k < m->calls[i].n_queues; k++)
            waiting |= m->calls[i].queues[k] == q;
    int rc = acd_queue_del(m->acd, q);
    SAME(rc, !m->queue[q] ? ERR_NOTFOUND : waiting ? ERR_CONFLICT : 0);
    if (rc == 0) {
        m->queue[q] = false;
        memset(m->member[q], 0, sizeof m->member[q]);
    }
}

static void tell_agent(struct model *m, uint32_t g, bool members)
{
    const struct model_agent *who = &m->agents[g];
    for (uint32_t q = 0; members && q < QUEUES; q++)
        if (m->member[q][g])
            SAME(acd_member_set(m->acd, q, g, m->level[q][g]), 0);
    if (members)
        return;
    SAME(acd_agent_set(m->acd, g, who->region, who->skills, who->n_skills), 0);
    if (who->available)
        SAME(acd_agent_idle(m->acd, g, &who->facts), 0);
}

/* As after a restart: the same facts told in another order must lead to the same decisions. */
static void event_rebuild(struct model *m)
{
    acd_free(m->acd);
    SAME(acd_new(&m->acd), 0);
    for (uint32_t q = 0; q < QUEUES; q++)
        if (m->queue[q])
            SAME(acd_queue_set(m->acd, q, &m->rules[q]), 0);
    for (size_t i = m->n_calls; i > 1; i--) {
        size_t j = draw(m, i);
        struct acd_call c = m->calls[j];
        m->calls[j] = m->calls[i - 1];
        m->calls[i - 1] = c;
    }
    bool calls_first = draw(m, 2), members_first = draw(m, 2);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; calls_first == (pass == 0) && i < m->n_calls; i++)
            SAME(acd_enqueue(m->acd, &m->calls[i]), 0);
        for (uint32_t i = 0; i < AGENTS; i++)
            tell_agent(m, AGENTS - 1 - i, members_first == (pass == 0));
    }
    m->rebuilds++;
}

/* ---- histories */

static const struct {
    void (*happen)(struct model *m);
    unsigned share;
} events[] = {{event_enqueue, 300}, {event_idle, 330}, {event_dequeue, 50},  {event_gone, 50},    {event_member, 100},
              {event_traits, 60},   {event_queue, 20}, {event_overflow, 50}, {event_release, 30}, {event_rebuild, 1}};

static void happen(struct model *m)
{
    uint64_t total = 0;
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        total += events[i].share;
    uint64_t dice = draw(m, total);
    size_t at = 0;
    while (dice >= events[at].share)
        dice -= events[at++].share;
    m->now += draw(m, 3);
    events[at].happen(m);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static uint64_t first_seed;

START_TEST(test_random_history)
{
    static const char *const names[ACD_STRATEGIES] = {"longest idle", "login order",    "fewest answered", "random",
                                                      "round robin",  "least occupied", "ring all"};
    struct model *m = calloc(1, sizeof *m);
    ck_assert_ptr_nonnull(m);
    m->rng = first_seed * 1000 + (uint64_t)_i;
    m->now = 1000;
    m->favourite = (enum acd_strategy)_i;
    uint64_t total = number_from("EVERLINE_ACD_EVENTS", 1000000);
    ck_assert_int_eq(acd_new(&m->acd), 0);
    for (uint64_t n = 0; n < total; n++) {
        happen(m);
        if (draw(m, 8))
            decide_all(m);
        if (n % 256 == 0)
            verify(m);
    }
    decide_all(m);
    verify(m);
    printf("  %s: %" PRIu64
           " events, %lu decisions (dedicated %lu, only one %lu, region %lu, level %lu, last served %lu, "
           "strategy %lu; several rung %lu), %lu refused allocations, %lu rebuilds, EVERLINE_SEED=%" PRIu64 "\n",
           names[_i], total, m->decisions, m->by_why[ACD_WHY_DEDICATED], m->by_why[ACD_WHY_ONLY_ONE],
           m->by_why[ACD_WHY_REGION], m->by_why[ACD_WHY_LEVEL], m->by_why[ACD_WHY_LAST_SERVED],
           m->by_why[ACD_WHY_STRATEGY], m->rung, m->refused, m->rebuilds, first_seed);
    fflush(stdout);
    for (int why = 0; why <= ACD_WHY_STRATEGY; why++)
        ck_assert_uint_gt(m->by_why[why], 0);
    ck_assert_uint_gt(m->refused, 0);
    acd_free(m->acd);
    free(m);
}
END_TEST

int main(void)
{
    first_seed = number_from("EVERLINE_SEED", (uint64_t)time(NULL));
    Suite *s = suite_create("core/acd against its model");
    TCase *random = tcase_create("random histories");
    tcase_set_timeout(random, 600);
    tcase_add_loop_test(random, test_random_history, 0, ACD_STRATEGIES);
    suite_add_tcase(s, random);
    return run_suite(s);
}
