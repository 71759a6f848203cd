/* Who serves: the choice among the available members of a queue, and the next match of all. */
#include <assert.h>
#include <string.h>

#include "core/acd_int.h"

void acd_weigh(const struct acd_rules *r, const struct acd_call *call, uint32_t level, uint64_t region,
               bool last_served, uint32_t out[ACD_WEIGHTS])
{
    memset(out, 0, ACD_WEIGHTS * sizeof *out);
    for (unsigned i = 0; i < r->n_preferences; i++) {
        switch (r->preferences[i]) {
        case ACD_BY_REGION:
            out[i] = !call->region || region != call->region;
            break;
        case ACD_BY_LEVEL:
            out[i] = UINT32_MAX - level;
            break;
        case ACD_BY_LAST_SERVED:
            out[i] = !last_served;
            break;
        case ACD_PREFERENCES:
            break;
        }
    }
}

int acd_cmp_weights(const uint32_t x[ACD_WEIGHTS], const uint32_t y[ACD_WEIGHTS])
{
    for (unsigned i = 0; i < ACD_WEIGHTS; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}

/* A group of candidates that the preferences do not tell apart: the best seen, and the best of the others for comparison. */
struct contest {
    const struct acd_queue *q;
    const struct acd_waiter *w;
    struct acd_member *last; /* who served the caller last, if that is preferred and he can */
    uint32_t weights[ACD_WEIGHTS], next[ACD_WEIGHTS];
    uint32_t group, candidates;
    bool any, any_next;
    struct acd_member *best;
};

static struct acd_member *member_at(const struct acd_cell *cell, uint32_t i)
{
    return otree_entry(otree_at(&cell->agents, i), struct acd_member, in_order);
}

static void keep_next(struct contest *t, const uint32_t weights[ACD_WEIGHTS])
{
    if (!t->any_next || acd_cmp_weights(weights, t->next) < 0)
        memcpy(t->next, weights, sizeof t->next);
    t->any_next = true;
}

/* `n` candidates of equal weights, `first` by the strategy. */
static void enter(struct contest *t, const uint32_t weights[ACD_WEIGHTS], uint32_t n, struct acd_member *first)
{
    int order = t->any ? acd_cmp_weights(weights, t->weights) : -1;
    t->candidates += n;
    if (order > 0) {
        keep_next(t, weights);
    } else if (order == 0) {
        t->group += n;
        if (acd_cmp_member(first, t->best) < 0)
            t->best = first;
    } else {
        if (t->any)
            keep_next(t, t->weights);
        memcpy(t->weights, weights, sizeof t->weights);
        t->any = true;
        t->group = n;
        t->best = first;
    }
}

/* Those of a cell that take part as equals: not the last to serve, who enters alone and goes before them in any case. */
static uint32_t equals(const struct contest *t, const struct acd_cell *cell)
{
    return otree_count(&cell->agents) - (t->last && t->last->cell == cell);
}

static bool weigh_cell(const struct contest *t, const struct acd_cell *cell, uint32_t weights[ACD_WEIGHTS])
{
    if (!equals(t, cell) || !acd_set_suits(t->w->needs, cell->skills, NULL))
        return false;
    acd_weigh(&t->q->rules, &t->w->call, cell->level, cell->region, false, weights);
    return true;
}

static void find_last(struct contest *t, const struct acd_agent *agent)
{
    bool preferred = false;
    for (unsigned i = 0; i < t->q->rules.n_preferences; i++)
        preferred |= t->q->rules.preferences[i] == ACD_BY_LAST_SERVED;
    struct acd_member *m = preferred && agent && agent->available ? acd_find_member(agent, t->q) : NULL;
    if (!m || !acd_set_suits(t->w->needs, m->cell->skills, NULL))
        return;
    uint32_t weights[ACD_WEIGHTS];
    acd_weigh(&t->q->rules, &t->w->call, m->cell->level, m->cell->region, true, weights);
    enter(t, weights, 1, m);
    t->last = m;
}

/* splitmix64: call and number of offers spread over all values. */
static uint64_t scatter(uint64_t z)
{
    z += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t acd_draw(uint64_t call, uint32_t offers)
{
    return scatter(call ^ scatter(offers));
}

static struct acd_member *draw(const struct contest *t)
{
    uint64_t i = acd_draw(t->w->call.call, t->w->call.offers) % t->group;
    uint32_t weights[ACD_WEIGHTS];
    for (const struct otree_node *n = otree_first(&t->q->open); n; n = otree_next(n)) {
        const struct acd_cell *cell = otree_entry(n, const struct acd_cell, open);
        if (!weigh_cell(t, cell, weights) || acd_cmp_weights(weights, t->weights) != 0)
            continue;
        if (i < equals(t, cell))
            return member_at(cell, (uint32_t)i);
        i -= equals(t, cell);
    }
    return t->best; /* the last to serve, alone in his group */
}

static enum acd_why why(const struct contest *t)
{
    static const enum acd_why by[ACD_PREFERENCES] = {ACD_WHY_REGION, ACD_WHY_LEVEL, ACD_WHY_LAST_SERVED};
    if (t->candidates == 1)
        return ACD_WHY_ONLY_ONE;
    for (unsigned i = 0; t->group == 1 && i < ACD_WEIGHTS; i++)
        if (t->weights[i] != t->next[i])
            return by[t->q->rules.preferences[i]];
    return ACD_WHY_STRATEGY;
}

struct acd_choice acd_choose_from(const struct acd *a, const struct acd_queue *q, const struct acd_waiter *w)
{
    struct contest t = {.q = q, .w = w};
    uint32_t weights[ACD_WEIGHTS];
    find_last(&t, w->call.last_agent == ACD_NOBODY ? NULL : acd_find_agent(a, w->call.last_agent));
    for (const struct otree_node *n = otree_first(&q->open); n; n = otree_next(n)) {
        const struct acd_cell *cell = otree_entry(n, const struct acd_cell, open);
        if (weigh_cell(&t, cell, weights))
            enter(&t, weights, equals(&t, cell), member_at(cell, 0));
    }
    assert(t.group > 0);
    struct acd_choice c = {.member = t.best, .why = why(&t), .candidates = t.candidates};
    if (q->rules.strategy == ACD_RANDOM)
        c.member = draw(&t);
    return c;
}

static void ring(struct acd *a, struct acd_queue *q, const struct acd_waiter *w, struct acd_decision *out)
{
    unsigned most = q->rules.strategy == ACD_RING_ALL ? q->rules.ring_max : 1;
    struct acd_choice c = acd_choose_from(a, q, w);
    out->why = most > 1 && c.candidates > 1 ? ACD_WHY_STRATEGY : c.why;
    out->candidates = c.candidates;
    for (;;) {
        out->agents[out->n_agents++] = c.member->agent_key;
        acd_agent_gone(a, c.member->agent_key);
        if (out->n_agents == most || out->n_agents == out->candidates ||
            (w->call.campaign && q->available <= q->rules.keep_idle))
            return;
        c = acd_choose_from(a, q, w);
    }
}

bool acd_decide(struct acd *a, struct acd_decision *out)
{
    struct otree_node *first = otree_first(&a->ready);
    if (!first)
        return false;
    struct acd_place *p = otree_entry(first, struct acd_lane, by_head)->head;
    struct acd_waiter *w = p->waiter;
    struct acd_queue *q = p->queue ? p->queue : w->places[0].queue;
    memset(out, 0, sizeof *out);
    out->call = w->call.call;
    out->queue = q->key;
    out->was = w->call;
    if (w->dedicated && w->dedicated->available) {
        out->agents[out->n_agents++] = w->dedicated->key;
        out->why = ACD_WHY_DEDICATED;
        out->candidates = 1;
        acd_agent_gone(a, w->dedicated->key);
    } else {
        ring(a, q, w, out);
    }
    acd_drop_waiter(a, w);
    return true;
}
