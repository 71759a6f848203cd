/* Numbers and prefixes in hash maps; ranges in an array by length and beginning, each with the one before it or itself that reaches
 * furthest: when that one does not reach a number, none does. */
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"
#include "core/number_list.h"

struct number_range {
    char from[NUMBER_DIGITS_MAX + 1], to[NUMBER_DIGITS_MAX + 1];
    size_t len;
    size_t furthest; /* index */
    void *value;
};

void number_list_free(struct number_list *l)
{
    map_free(&l->ones);
    map_free(&l->prefixes);
    map_free(&l->spans);
    free(l->ranges);
    memset(l, 0, sizeof *l);
}

static int range_cmp(const void *a, const void *b)
{
    const struct number_range *x = a, *y = b;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    int d = strcmp(x->from, y->from);
    return d ? d : strcmp(x->to, y->to);
}

static void sort_ranges(struct number_list *l)
{
    l->ranges = core_grow(l->ranges, (map_count(&l->spans) + 1) * sizeof *l->ranges);
    l->n_ranges = 0;
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&l->spans, &it, &slot);) {
        struct number_range *r = &l->ranges[l->n_ranges++];
        r->len = strcspn(slot->skey, "-"); /* both ends have as many digits, NUMBER_DIGITS_MAX at most */
        memcpy(r->from, slot->skey, r->len);
        memcpy(r->to, slot->skey + r->len + 1, r->len);
        r->from[r->len] = r->to[r->len] = '\0';
        r->value = slot->value;
    }
    qsort(l->ranges, l->n_ranges, sizeof *l->ranges, range_cmp);
    for (size_t i = 0; i < l->n_ranges; i++) {
        const struct number_range *r = &l->ranges[i], *before = i ? &l->ranges[r[-1].furthest] : NULL;
        bool within = before && before->len == r->len && strcmp(before->to, r->to) >= 0;
        l->ranges[i].furthest = within ? r[-1].furthest : i;
    }
    l->sorted = true;
}

/* Where the entry belongs, and its key there. */
static struct map *place(struct number_list *l, const struct number_pattern *p, char key[NUMBER_MAX])
{
    if (p->kind == NUMBER_RANGE)
        number_pattern_text(p, key);
    else
        memcpy(key, p->from, NUMBER_MAX);
    return p->kind == NUMBER_RANGE ? &l->spans : p->kind == NUMBER_PREFIX ? &l->prefixes : &l->ones;
}

void number_list_put(struct number_list *l, const struct number_pattern *p, void *value)
{
    char key[NUMBER_MAX];
    struct map *m = place(l, p, key);
    if (m == &l->prefixes && !map_get(m, key))
        l->of_length[strlen(key)]++;
    if (map_set(m, key, value) != 0)
        core_oom();
    l->sorted = l->sorted && m != &l->spans;
}

void number_list_drop(struct number_list *l, const struct number_pattern *p)
{
    char key[NUMBER_MAX];
    struct map *m = place(l, p, key);
    if (map_del(m, key) && m == &l->prefixes)
        l->of_length[strlen(key)]--;
    l->sorted = l->sorted && m != &l->spans;
}

static void *find_range(const struct number_list *cl, const char *form)
{
    struct number_list *l = (struct number_list *)(uintptr_t)cl; /* the array is a cache */
    if (map_count(&l->spans) == 0)
        return NULL;
    if (!l->sorted)
        sort_ranges(l);
    size_t len = strlen(form), lo = 0, hi = l->n_ranges;
    while (lo < hi) { /* the first that begins after it */
        size_t mid = lo + (hi - lo) / 2;
        const struct number_range *r = &l->ranges[mid];
        if (r->len < len || (r->len == len && strcmp(r->from, form) <= 0))
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == 0)
        return NULL;
    const struct number_range *r = &l->ranges[l->ranges[lo - 1].furthest];
    return r->len == len && strcmp(r->to, form) >= 0 ? r->value : NULL;
}

static void *find_prefix(const struct number_list *l, const char *form)
{
    char begin[NUMBER_MAX];
    size_t len = strlen(form);
    if (map_count(&l->prefixes) == 0 || len >= sizeof begin)
        return NULL;
    memcpy(begin, form, len + 1);
    for (; len > 0; len--) {
        begin[len] = '\0';
        void *value = l->of_length[len] ? map_get(&l->prefixes, begin) : NULL;
        if (value)
            return value;
    }
    return NULL;
}

void *number_list_find(const struct number_list *l, const char *form)
{
    void *value = map_get(&l->ones, form);
    if (!value)
        value = find_range(l, form);
    return value ? value : find_prefix(l, form);
}
