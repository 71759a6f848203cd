/* Who served which caller last, by queue. Kept for queues that prefer it only; in the table, not in memory: it may be large and is
 * looked at once a call. */
#include <stdio.h>
#include <string.h>

#include "core/core_int.h"

#define SERVED_RECORDS 500000u /* no more than so many callers */

struct found {
    char agent[CORE_NAME_MAX];
    uint64_t time_us;
};

static int served_row(void *ctx, const struct storage_row *row)
{
    struct found *f = ctx;
    (void)snprintf(f->agent, sizeof f->agent, "%s", storage_row_text(row, 0));
    f->time_us = storage_row_int(row, 1);
    return 1;
}

void core_served_find(struct core *c, struct call *k, const struct queue *q)
{
    Ev__CallState *s = k->st;
    core_pbset(&s->last_agent, "");
    if (!s->caller[0] || !queue_prefers(&q->rules, ACD_BY_LAST_SERVED))
        return;
    struct found f = {.agent = ""};
    const struct storage_val v[] = {storage_text(q->name), storage_text(s->caller)};
    if (storage_query(c->st, STORAGE_SERVED_GET, v, 2, served_row, &f) != 1)
        return;
    if (f.time_us + queue_served_us(core_queue_config(c, q->name)) >= c->now_us && core_agent_obj(c, f.agent))
        core_pbset(&s->last_agent, f.agent);
}

void core_served_keep(struct core *c, const struct call *k)
{
    const Ev__CallState *s = k->st;
    const char *name = s->phase == CORE_CALL_TALKING ? s->queue : s->parted_us ? s->rate_queue : "";
    const struct queue *q = name[0] ? core_queue_obj(c, name) : NULL;
    const char *customer = s->we_call ? s->called : s->caller;
    if (!q || !customer[0] || !queue_prefers(&q->rules, ACD_BY_LAST_SERVED))
        return;
    const char *agent = s->parted_us ? s->rate_agent : core_leg_served(s)->agent;
    if (!agent[0])
        return;
    const struct storage_val v[] = {storage_int(c->cdr_seq), storage_text(q->name), storage_text(customer),
                                    storage_text(agent), storage_int(c->now_us)};
    storage_run(c->st, STORAGE_SERVED_PUT, v, 5);
    const uint64_t longest = CONFIG_SERVED_H_MAX * 3600ull * 1000000;
    const struct storage_val old[] = {storage_int(c->cdr_seq > SERVED_RECORDS ? c->cdr_seq - SERVED_RECORDS : 0),
                                      storage_int(c->now_us > longest ? c->now_us - longest : 0)};
    storage_run(c->st, STORAGE_SERVED_TRIM, old, 2);
}

void core_served_forget(struct core *c, const char *agent)
{
    core_callbacks_forget_agent(c, agent);
    for (const struct core_call *p = NULL; (p = core_call_next(c, p, NULL));) {
        struct call *k = core_call_obj(c, p->id);
        bool last = strcmp(k->st->last_agent, agent) == 0, own = strcmp(k->st->dedicated, agent) == 0;
        if (!last && !own)
            continue;
        core_pbset(last ? &k->st->last_agent : &k->st->dedicated, "");
        if (last && own)
            core_pbset(&k->st->dedicated, "");
        core_call_touch(c, k);
        if (k->st->phase != CORE_CALL_WAITING)
            continue;
        if (acd_dequeue(c->acd, p->id) != 0 || core_queue_wait(c, k, core_queue_obj(c, k->st->queue)) != 0)
            core_oom(); /* the only way to fail: it waits */
    }
}
