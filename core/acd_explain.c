/* Answers for people: why him, why not her. Looks at every member, on purpose by another way than acd_choose_from. */
#include <stdlib.h>
#include <string.h>

#include "core/acd_int.h"

struct listed {
    struct acd_candidate pub;
    const struct acd_member *member; /* NULL: a dedicated agent who is none */
    uint32_t weights[ACD_WEIGHTS];
};

static enum acd_verdict judge(const struct acd_queue *q, const struct acd_waiter *w, const struct acd_member *m,
                              struct acd_skill *missing)
{
    if (!m->agent->available)
        return ACD_NOT_AVAILABLE;
    if (w->dedicated == m->agent)
        return ACD_CAN;
    if (w->call.only_dedicated)
        return ACD_NOT_HIS;
    if (!acd_set_suits(w->needs, m->agent->skills, missing))
        return ACD_UNSKILLED;
    return w->call.campaign && q->available <= q->rules.keep_idle ? ACD_KEPT_IDLE : ACD_CAN;
}

static void fill(struct listed *l, const struct acd_queue *q, const struct acd_waiter *w, const struct acd_agent *who,
                 uint32_t level)
{
    struct acd_candidate *c = &l->pub;
    c->agent = who->key;
    c->level = level;
    c->region = who->region;
    c->dedicated = w->dedicated == who;
    c->last_served = w->call.last_agent == who->key;
    c->same_region = w->call.region && who->region == w->call.region;
    if (who->available)
        c->facts = who->facts;
    acd_weigh(&q->rules, &w->call, level, who->region, c->last_served, l->weights);
}

static int cmp_listed(const void *pa, const void *pb)
{
    const struct listed *x = pa, *y = pb;
    int order = (x->pub.verdict != ACD_CAN) - (y->pub.verdict != ACD_CAN);
    if (order == 0 && x->pub.verdict == ACD_CAN) {
        order = (int)y->pub.dedicated - (int)x->pub.dedicated;
        if (order == 0)
            order = acd_cmp_weights(x->weights, y->weights);
        if (order == 0 && x->member && y->member)
            order = acd_cmp_member(x->member, y->member);
    }
    return order ? order : acd_cmp_u64(x->pub.agent, y->pub.agent);
}

static unsigned list_members(const struct acd_queue *q, const struct acd_waiter *w, struct listed *all)
{
    unsigned n = 0;
    bool seen = !w->dedicated || !w->dedicated->available;
    list_foreach(it, &q->members) {
        struct listed *l = &all[n++];
        l->member = list_entry(it, const struct acd_member, of_queue);
        fill(l, q, w, l->member->agent, l->member->level);
        l->pub.verdict = judge(q, w, l->member, &l->pub.missing);
        seen |= l->member->agent == w->dedicated;
    }
    if (!seen)
        fill(&all[n++], q, w, w->dedicated, 0);
    return n;
}

unsigned acd_explain(const struct acd *a, uint64_t call, uint32_t queue, struct acd_candidate *out, unsigned max)
{
    const struct acd_waiter *w = acd_find_waiter(a, call);
    const struct acd_queue *q = acd_find_queue(a, queue);
    bool there = false;
    for (unsigned i = 0; w && i < w->call.n_queues; i++)
        there |= w->call.queues[i] == queue;
    if (!there || !q)
        return 0;
    size_t members = 1;
    list_foreach(it, &q->members)
        members++;
    struct listed *all = calloc(members, sizeof *all);
    if (!all)
        return 0;
    unsigned n = list_members(q, w, all);
    qsort(all, n, sizeof *all, cmp_listed);
    for (unsigned i = 0; i < n && i < max; i++)
        out[i] = all[i].pub;
    free(all);
    return n;
}
