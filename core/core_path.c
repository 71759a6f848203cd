/* The way of a call through its menus: the nodes at which it stood, for its record and for counting (feature level 4).
 *
 * Each move of a menu is committed anyway; what led to it comes along (CallMenu.left_by). A node that the flow only passes (set, branch) is
 * told to nobody and not in the way. */
#include "core/core_int.h"

#include <string.h>

#define PATH_STEPS_MAX 64u

static Ev__MenuStep *last_step(const Ev__CallState *s)
{
    return s->n_menu_path ? s->menu_path[s->n_menu_path - 1] : NULL;
}

void core_path_moved(const struct core *c, Ev__CallState *s, const Ev__CallMenu *m)
{
    if (c->feature_level < 4)
        return;
    Ev__MenuStep *last = last_step(s);
    if (last && !last->left_us && strcmp(last->node, m->node) == 0)
        return; /* one more digit, or another try */
    bool full = s->n_menu_path == PATH_STEPS_MAX;
    if (full && last->left_us)
        return; /* what leads on now led on from a node that is not told of */
    if (last && m->left_by[0])
        core_pbset(&last->by, m->left_by);
    if (last && !last->left_us)
        last->left_us = c->now_us;
    if (full)
        return;
    s->menu_path = core_grow(s->menu_path, (s->n_menu_path + 1) * sizeof *s->menu_path);
    Ev__MenuStep *step = core_alloc(sizeof *step);
    ev__menu_step__init(step);
    core_pbset(&step->node, m->node);
    step->entered_us = c->now_us;
    s->menu_path[s->n_menu_path++] = step;
}

void core_path_left(const struct core *c, Ev__CallState *s, const char *by)
{
    Ev__MenuStep *last = last_step(s);
    if (!last || last->left_us)
        return;
    last->left_us = c->now_us;
    core_pbset(&last->by, by);
}

void core_path_json(struct sbuf *b, const Ev__CallState *s, uint64_t now_us)
{
    for (size_t i = 0; i < s->n_menu_path; i++) {
        const Ev__MenuStep *step = s->menu_path[i];
        uint64_t until = step->left_us ? step->left_us : now_us;
        sbuf_puts(b, i ? ",{" : "[{");
        sbuf_kv(b, "node", step->node);
        sbuf_kv_uint(b, "after_ms", (step->entered_us - s->menu_path[0]->entered_us) / 1000);
        sbuf_kv_uint(b, "ms", (until - step->entered_us) / 1000);
        sbuf_kv(b, "by", step->left_us ? step->by : "end");
        sbuf_puts(b, "}");
    }
    if (s->n_menu_path)
        sbuf_puts(b, "]");
}
