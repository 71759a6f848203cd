/* Estimated waits: what is counted. Who works for a queue: core_team.c. The reckoning itself: estimate.h. */
#include <string.h>

#include "core/core_int.h"

static struct estimate_window *window(struct core *c, const char *name)
{
    struct queue *q = c->feature_level >= 3 && name[0] ? core_queue_obj(c, name) : NULL;
    if (!q)
        return NULL;
    core_wait_state_touch(c, q);
    return estimate_at(&q->history, c->now_us);
}

static uint64_t since(const struct core *c, uint64_t us)
{
    return us && c->now_us > us ? c->now_us - us : 0;
}

/* How long somebody held on who might have given up: nobody does in whose place a call back waited. */
static uint64_t held_on(const struct core *c, const Ev__CallState *s)
{
    return s->we_call ? 0 : since(c, s->callback ? s->entered_us : s->queued_us);
}

void core_estimate_answered(struct core *c, const struct call *k)
{
    const Ev__CallState *s = k->st;
    struct estimate_window *home = s->phase == CORE_CALL_OFFERED ? window(c, s->queue) : NULL;
    if (!home)
        return;
    home->waited_us += held_on(c, s);
    struct estimate_window *of = window(c, s->offer_queue);
    if (of)
        of->busy_us += since(c, s->offer_since_us);
}

void core_estimate_ended(struct core *c, const struct call *k, const char *by)
{
    const Ev__CallState *s = k->st;
    bool waited = s->phase == CORE_CALL_WAITING || s->phase == CORE_CALL_OFFERED;
    const char *queue = s->phase == CORE_CALL_TALKING && s->served_queue[0] ? s->served_queue : s->queue;
    struct estimate_window *w = waited || s->phase == CORE_CALL_TALKING ? window(c, queue) : NULL;
    if (!w)
        return;
    if (waited) {
        w->left += !s->we_call && strcmp(by, "caller") == 0;
        w->waited_us += held_on(c, s);
        return;
    }
    w->served++;
    w->busy_us += since(c, s->connected_us) + core_queue_config(c, queue)->wrap_up_s * 1000000ull;
}

const struct estimate *core_estimate(const struct core *c, struct queue *q)
{
    if (q->estimated != c->serial + 1) {
        q->estimate = estimate_of(&q->history, c->now_us, core_team_at_work(c, q));
        q->estimated = c->serial + 1;
    }
    return &q->estimate;
}

uint32_t core_estimated_wait_s(const struct core *c, uint64_t call_id)
{
    const struct call *k = core_call_obj(c, call_id);
    uint32_t best = ESTIMATE_UNKNOWN, place, key;
    if (k && k->st->phase == CORE_CALL_OFFERED)
        return 0;
    for (unsigned i = 0; (place = acd_place(c->acd, call_id, i, &key)) != 0; i++) {
        uint32_t s = estimate_wait_s(core_estimate(c, c->queue_by_key[key]), place);
        best = s < best ? s : best;
    }
    return best;
}

void core_estimate_save(const struct queue *q, Ev__QueueState *m)
{
    for (unsigned i = 0; i < ESTIMATE_WINDOWS; i++) {
        const struct estimate_window *w = &q->history.window[i];
        if (!w->number)
            continue;
        Ev__QueueWindow *to = m->windows[m->n_windows++];
        ev__queue_window__init(to);
        to->number = w->number;
        to->served = w->served;
        to->busy_us = w->busy_us;
        to->left = w->left;
        to->waited_us = w->waited_us;
    }
}

void core_estimate_history(struct estimate_history *h, const Ev__QueueState *m)
{
    for (size_t i = 0; i < m->n_windows; i++) {
        const Ev__QueueWindow *w = m->windows[i];
        h->window[w->number % ESTIMATE_WINDOWS] = (struct estimate_window){.number = w->number,
                                                                           .served = w->served,
                                                                           .busy_us = w->busy_us,
                                                                           .left = w->left,
                                                                           .waited_us = w->waited_us};
    }
}
