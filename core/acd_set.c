/* Sets of skills. Those in use are few, so equal ones share one object and are compared by address. */
#include <stdlib.h>
#include <string.h>

#include "core/acd_int.h"

int acd_set_cmp(const struct acd_set *x, const struct acd_set *y)
{
    for (unsigned i = 0; i < x->n && i < y->n; i++) {
        int order = acd_cmp_u64(x->skills[i].skill, y->skills[i].skill);
        if (order == 0)
            order = acd_cmp_u64(x->skills[i].level, y->skills[i].level);
        if (order)
            return order;
    }
    return acd_cmp_u64(x->n, y->n);
}

int acd_cmp_set(const struct otree_node *x, const struct otree_node *y)
{
    return acd_set_cmp(otree_entry(x, const struct acd_set, by_content),
                       otree_entry(y, const struct acd_set, by_content));
}

bool acd_set_valid(const struct acd_skill *skills, unsigned n, unsigned max)
{
    for (unsigned i = 1; i < n && n <= max; i++)
        if (skills[i].skill <= skills[i - 1].skill)
            return false;
    return n <= max;
}

struct acd_set *acd_set_get(struct acd *a, const struct acd_skill *skills, unsigned n)
{
    struct acd_set probe = {.n = n};
    if (n)
        memcpy(probe.skills, skills, n * sizeof *skills);
    struct otree_node *found = otree_find(&a->sets, &probe.by_content);
    struct acd_set *s = found ? otree_entry(found, struct acd_set, by_content) : acd_alloc(a, sizeof *s);
    if (s && !found) {
        *s = probe;
        otree_insert(&a->sets, &s->by_content);
    }
    if (s)
        s->refs++;
    return s;
}

void acd_set_put(struct acd *a, struct acd_set *s)
{
    if (!s || --s->refs)
        return;
    otree_remove(&a->sets, &s->by_content);
    free(s);
}

bool acd_set_suits(const struct acd_set *needs, const struct acd_set *skills, struct acd_skill *missing)
{
    unsigned at = 0;
    for (unsigned i = 0; i < needs->n; i++) {
        while (at < skills->n && skills->skills[at].skill < needs->skills[i].skill)
            at++;
        if (at < skills->n && skills->skills[at].skill == needs->skills[i].skill &&
            skills->skills[at].level >= needs->skills[i].level)
            continue;
        if (missing)
            *missing = needs->skills[i];
        return false;
    }
    return true;
}
