/* Lists of callers: whose calls are refused, and who goes first. Kept as the configuration changes, entry by entry, so that a list of
 * many thousands costs nothing when something else changes. */
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"

static struct number_list *vip_list(const struct core *c, const char *queue)
{
    return map_get(&c->vips, queue);
}

static struct number_list *vip_list_new(struct core *c, const char *queue)
{
    struct number_list *l = core_alloc(sizeof *l);
    if (map_set(&c->vips, queue, l) != 0)
        core_oom();
    return l;
}

/* The lists that the object is on: `n` of them. */
static unsigned lists_of(struct core *c, const struct cfg *o, struct number_list *out[2], struct number_pattern *p)
{
    char number[NUMBER_MAX];
    const char *text = o->name;
    unsigned n = 0;
    if (o->kind == CFG_BLACKLIST) {
        const char *direction = ((const Ev__BlacklistEntry *)(const void *)o->msg)->direction;
        if (strcmp(direction, "out") != 0)
            out[n++] = &c->black[CORE_CALL_IN];
        if (strcmp(direction, "in") != 0)
            out[n++] = &c->black[CORE_CALL_OUT];
    } else if (o->kind == CFG_VIP) {
        const char *queue = config_vip_queue(o->name, number);
        struct number_list *l = vip_list(c, queue);
        text = number;
        out[n++] = l ? l : vip_list_new(c, queue);
    }
    if (n > 0 && number_pattern_parse(text, p, NULL) != 0)
        return 0; /* does not happen: it was checked when it was taken */
    return n;
}

void core_numbers_put(struct core *c, const struct cfg *o)
{
    struct number_list *lists[2];
    struct number_pattern p;
    unsigned n = lists_of(c, o, lists, &p);
    for (unsigned i = 0; i < n; i++)
        number_list_put(lists[i], &p, o->msg);
}

void core_numbers_drop(struct core *c, const struct cfg *o)
{
    struct number_list *lists[2];
    struct number_pattern p;
    unsigned n = lists_of(c, o, lists, &p);
    for (unsigned i = 0; i < n; i++)
        number_list_drop(lists[i], &p);
}

void core_numbers_free(struct core *c)
{
    for (unsigned i = 0; i < 2; i++)
        number_list_free(&c->black[i]);
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->vips, &it, &slot);) {
        number_list_free(slot->value);
        free(slot->value);
    }
    map_free(&c->vips);
}

static void *find(const struct number_list *l, const char *number)
{
    char form[NUMBER_MAX];
    if (!l || !number[0])
        return NULL;
    number_form(number, form);
    return number_list_find(l, form);
}

const Ev__BlacklistEntry *core_blacklisted(const struct core *c, const char *number, enum core_call_direction d)
{
    return find(&c->black[d], number);
}

const Ev__VipEntry *core_vip_entry(const struct core *c, const char *number, const char *queue)
{
    return find(vip_list(c, queue), number);
}

void core_vip_decide(const struct core *c, Ev__CallState *s)
{
    const Ev__Queue *q = core_queue_config(c, s->queue);
    bool own = strcmp(q->vip, "list") == 0;
    if (s->vip && s->vip_by == CORE_VIP_BY_NUMBER)
        return; /* in every queue */
    const Ev__VipEntry *e = NULL;
    if (own || strcmp(q->vip, "global") == 0)
        e = core_vip_entry(c, s->caller, own ? s->queue : "");
    s->vip = e != NULL;
    s->vip_by = e ? own ? CORE_VIP_BY_QUEUE : CORE_VIP_BY_GLOBAL : CORE_VIP_BY_NUMBER;
    core_pbset(&s->vip_entry, e ? e->entry : "");
}
