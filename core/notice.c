/* Notices: each area knows the notices that name it, by their place in the order in which they are heard; a caller's are those of his
 * area, of the areas around it, and those for everybody, merged. */
#include "core/notice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config_json.h"
#include "core/core_int.h"
#include "core/number_list.h"

/* ---- times */

static bool two_digits(const char *p, int max, int *out)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return false;
    *out = (p[0] - '0') * 10 + p[1] - '0';
    return *out <= max;
}

/* "08:00" or "08:00:00" */
static bool clock_text(const char *p, int32_t *second)
{
    int h, m, s = 0;
    if (!two_digits(p, 23, &h) || p[2] != ':' || !two_digits(p + 3, 59, &m))
        return false;
    if (p[5] && (p[5] != ':' || !two_digits(p + 6, 59, &s) || p[8]))
        return false;
    *second = h * 3600 + m * 60 + s;
    return true;
}

int notice_time(const char *text, const struct calendar_zone *zone, bool last, uint64_t *us)
{
    char date[11];
    int64_t day;
    int32_t second;
    if (strlen(text) < 16)
        return ERR_INVAL;
    memcpy(date, text, 10);
    date[10] = '\0';
    if (calendar_date_parse(date, &day) != 0 || text[10] != 'T')
        return ERR_INVAL;
    if (!clock_text(text + 11, &second))
        return config_parse_time(text, us);
    return zone ? calendar_utc(zone, day, second, last, us) : ERR_INVAL;
}

static const struct calendar_zone *zone_of(const Ev__Notice *n, struct calendar_zone *room)
{
    return n->tz[0] && calendar_zone_parse(n->tz, room) == 0 ? room : NULL;
}

void notice_times(const Ev__Notice *n, uint64_t *from_us, uint64_t *until_us)
{
    struct calendar_zone room;
    const struct calendar_zone *z = zone_of(n, &room);
    *from_us = 0;
    *until_us = UINT64_MAX;
    /* The texts were checked when the object was taken: what is not said is not told. */
    if (n->from[0] && notice_time(n->from, z, false, from_us) != 0)
        *from_us = UINT64_MAX;
    if (n->until[0] && notice_time(n->until, z, true, until_us) != 0)
        *until_us = 0;
}

static int check_time(const char *text, const struct calendar_zone *z, bool last, const char *field, uint64_t *us,
                      struct err_info *info)
{
    if (!text[0] || notice_time(text, z, last, us) == 0)
        return 0;
    return err_set(info, ERR_INVAL, field,
                   z ? "must be a time such as 2026-11-22T08:00 or 2026-11-22T08:00:00+08:00"
                     : "must be a time with its offset, such as 2026-11-22T08:00:00+08:00, unless a zone is given");
}

int notice_check(const Ev__Notice *n, struct err_info *info)
{
    struct calendar_zone room;
    const struct calendar_zone *z = zone_of(n, &room);
    uint64_t from = 0, until = UINT64_MAX;
    if (!n->text_zh[0] && !n->text_en[0] && !n->prompt[0])
        return err_set(info, ERR_INVAL, "text_zh", "one of text_zh, text_en, prompt is needed");
    int err = check_time(n->from, z, false, "from", &from, info);
    if (!err)
        err = check_time(n->until, z, true, "until", &until, info);
    if (!err && until <= from)
        err = err_set(info, ERR_INVAL, "until", "must be later than from");
    if (!err && n->mass && !n->automatic)
        err = err_set(info, ERR_INVAL, "mass", "needs automatic: repeat callers are answered before anything else");
    for (size_t i = 0; i < n->n_areas && !err; i++)
        for (size_t k = 0; k < i && !err; k++)
            if (strcmp(n->areas[i], n->areas[k]) == 0)
                err = err_set(info, ERR_INVAL, "areas", "%.64s is given twice", n->areas[i]);
    return err;
}

uint64_t notice_repeat_us(const Ev__Notice *n)
{
    return (n->repeat_h ? n->repeat_h : NOTICE_REPEAT_H) * 3600ull * 1000000;
}

bool notice_number_known(const char *caller, char form[NUMBER_MAX])
{
    if (!caller[0])
        return false;
    number_form(caller, form);
    return form[0] && form[strspn(form, "0123456789")] == '\0';
}

/* ---- the index */

struct told {
    const Ev__Notice *n;
    uint64_t from_us, until_us;
};
struct places { /* in notice_index.told, ascending */
    uint32_t *v;
    size_t n;
};
struct area {
    const Ev__Area *a;
    const struct area *parent;
    struct places told;
};
struct notice_index {
    struct area *areas; /* by name */
    size_t n_areas;
    struct map by_name;
    struct number_list numbers; /* of struct area */
    struct told *told;          /* in the order in which they are heard */
    size_t n_told;
    struct places everybody;
};

static int area_order(const void *a, const void *b)
{
    return strcmp(((const struct area *)a)->a->name, ((const struct area *)b)->a->name);
}

static int told_order(const void *a, const void *b)
{
    const Ev__Notice *x = ((const struct told *)a)->n, *y = ((const struct told *)b)->n;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void add_place(struct places *p, size_t at)
{
    if (p->n && p->v[p->n - 1] == at)
        return; /* it names an area twice */
    if ((p->n & (p->n - 1)) == 0)
        p->v = core_grow(p->v, (p->n ? p->n * 2 : 1) * sizeof *p->v);
    p->v[p->n++] = (uint32_t)at;
}

static struct area *find(const struct notice_index *ix, const char *name)
{
    return name[0] ? map_get(&ix->by_name, name) : NULL;
}

static void add_numbers(struct notice_index *ix, struct area *a)
{
    for (size_t i = 0; i < a->a->n_numbers; i++) {
        struct number_pattern p;
        if (number_pattern_parse(a->a->numbers[i], &p, NULL) == 0) /* else: it was checked when it was taken */
            number_list_put(&ix->numbers, &p, a);
    }
}

struct notice_index *notice_index_make(const Ev__Area *const *areas, size_t n_areas, const Ev__Notice *const *notices,
                                       size_t n_notices)
{
    struct notice_index *ix = core_alloc(sizeof *ix);
    map_init(&ix->by_name);
    ix->areas = core_alloc((n_areas + 1) * sizeof *ix->areas);
    ix->told = core_alloc((n_notices + 1) * sizeof *ix->told);
    for (size_t i = 0; i < n_areas; i++)
        ix->areas[ix->n_areas++].a = areas[i];
    for (size_t i = 0; i < n_notices; i++)
        if (!notices[i]->disabled)
            ix->told[ix->n_told++].n = notices[i];
    qsort(ix->areas, ix->n_areas, sizeof *ix->areas, area_order);
    qsort(ix->told, ix->n_told, sizeof *ix->told, told_order);
    for (size_t i = 0; i < ix->n_areas; i++)
        if (map_set(&ix->by_name, ix->areas[i].a->name, &ix->areas[i]) != 0)
            core_oom();
    for (size_t i = 0; i < ix->n_areas; i++) {
        ix->areas[i].parent = find(ix, ix->areas[i].a->parent);
        add_numbers(ix, &ix->areas[i]);
    }
    for (size_t i = 0; i < ix->n_told; i++) {
        const Ev__Notice *n = ix->told[i].n;
        notice_times(n, &ix->told[i].from_us, &ix->told[i].until_us);
        for (size_t k = 0; k < n->n_areas; k++) {
            struct area *a = find(ix, n->areas[k]);
            if (a)
                add_place(&a->told, i);
        }
        if (!n->n_areas)
            add_place(&ix->everybody, i);
    }
    return ix;
}

void notice_index_free(struct notice_index *ix)
{
    if (!ix)
        return;
    for (size_t i = 0; i < ix->n_areas; i++)
        free(ix->areas[i].told.v);
    number_list_free(&ix->numbers);
    map_free(&ix->by_name);
    free(ix->everybody.v);
    free(ix->areas);
    free(ix->told);
    free(ix);
}

/* ---- questions */

const Ev__Area *notice_area(const struct notice_index *ix, const char *name)
{
    const struct area *a = find(ix, name);
    return a ? a->a : NULL;
}

const Ev__Area *notice_area_of(const struct notice_index *ix, const char *number)
{
    char form[NUMBER_MAX];
    if (!number[0])
        return NULL;
    number_form(number, form);
    const struct area *a = number_list_find(&ix->numbers, form);
    return a ? a->a : NULL;
}

const Ev__Area *notice_where(const struct notice_index *ix, const char *named, const char *number, const char *region)
{
    const Ev__Area *a = notice_area(ix, named);
    if (!a)
        a = notice_area_of(ix, number);
    return a ? a : notice_area(ix, region);
}

unsigned notice_match(const struct notice_index *ix, const Ev__Area *area, uint64_t at_us, bool automatic,
                      const Ev__Notice **out, unsigned max)
{
    const struct places *from[NOTICE_DEPTH_MAX + 1] = {&ix->everybody};
    size_t at[NOTICE_DEPTH_MAX + 1] = {0};
    unsigned n_from = 1, n = 0;
    for (const struct area *a = area ? find(ix, area->name) : NULL; a && n_from <= NOTICE_DEPTH_MAX; a = a->parent)
        from[n_from++] = &a->told;
    while (n < max) {
        size_t next = SIZE_MAX;
        for (unsigned i = 0; i < n_from; i++)
            if (at[i] < from[i]->n && from[i]->v[at[i]] < next)
                next = from[i]->v[at[i]];
        if (next == SIZE_MAX)
            break;
        for (unsigned i = 0; i < n_from; i++)
            at[i] += at[i] < from[i]->n && from[i]->v[at[i]] == next;
        const struct told *t = &ix->told[next];
        if (at_us >= t->from_us && at_us < t->until_us && (t->n->automatic || !automatic))
            out[n++] = t->n;
    }
    return n;
}

bool notice_is_mass(const struct notice_index *ix, const Ev__Area *area, const Ev__Notice *n)
{
    unsigned depth = 0;
    bool mass = n->mass;
    for (const struct area *a = area ? find(ix, area->name) : NULL; a && depth < NOTICE_DEPTH_MAX;
         a = a->parent, depth++)
        mass |= a->a->mass;
    return mass;
}
