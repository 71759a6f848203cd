/* What happened: for the node (struct core_event) and for the event stream (one row of JSON text for each entry). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"

void core_tell(struct core *c, enum core_event_type type, uint64_t call_id, const char *kind, const char *name)
{
    if (c->n_ev == c->cap_ev) {
        c->cap_ev = c->cap_ev ? c->cap_ev * 2 : 32;
        c->ev = core_grow(c->ev, c->cap_ev * sizeof *c->ev);
    }
    struct core_event *e = &c->ev[c->n_ev++];
    e->type = type;
    e->call_id = call_id;
    e->kind = core_dup(kind);
    e->name = core_dup(name);
}

void core_events_reset(struct core *c)
{
    for (unsigned i = 0; i < c->n_ev; i++) {
        free((char *)(uintptr_t)c->ev[i].kind);
        free((char *)(uintptr_t)c->ev[i].name);
    }
    c->n_ev = 0;
    c->n_events = 0;
    c->audit_n = 0;
    c->events.len = 0;
}

struct sbuf *core_ev_begin(struct core *c, const char *type, const char *subject_kind, const char *subject)
{
    struct sbuf *b = &c->events;
    sbuf_add(b, c->n_events ? "," : "[", 1);
    sbuf_puts(b, "{\"type\":\"everline.");
    sbuf_puts(b, type);
    char full[160];
    (void)snprintf(full, sizeof full, "%s/%s", subject_kind, subject);
    sbuf_puts(b, "\",\"subject\":");
    sbuf_str(b, full);
    sbuf_puts(b, ",\"time\":");
    sbuf_uint(b, c->now_us);
    sbuf_puts(b, ",\"data\":{");
    c->n_events++;
    return b;
}

void core_ev_end(struct core *c)
{
    sbuf_puts(&c->events, "}}");
}

struct sbuf *core_ev_call_begin(struct core *c, const char *type, const struct call *k)
{
    char id[17];
    core_id_text(k->pub.id, id);
    const Ev__CallState *s = k->st;
    struct sbuf *b = core_ev_begin(c, type, "call", id);
    sbuf_kv(b, "call_id", id);
    sbuf_kv(b, "owner", s->owner);
    sbuf_kv(b, "phase", core_call_phase_name((enum core_call_phase)s->phase));
    sbuf_kv(b, "caller", s->caller);
    sbuf_kv(b, "called", s->called);
    if (s->queue[0])
        sbuf_kv(b, "queue", s->queue);
    if (s->flow[0])
        sbuf_kv(b, "flow", s->flow);
    if (s->flow_node[0])
        sbuf_kv(b, "flow_node", s->flow_node);
    const Ev__LegState *l = core_leg_served(s);
    if (s->offer_id) {
        const char *agent = s->we_call && l ? l->agent : s->offer_agent;
        if (agent[0])
            sbuf_kv(b, "agent", agent);
        sbuf_kv(b, "extension", s->offer_extension);
    } else if (l) {
        if (l->agent[0])
            sbuf_kv(b, "agent", l->agent);
        sbuf_kv(b, "extension", l->number);
    }
    return b;
}

void core_ev_call(struct core *c, const char *type, const struct call *k)
{
    (void)core_ev_call_begin(c, type, k);
    core_ev_end(c);
}

static int oldest_row(void *ctx, const struct storage_row *row)
{
    uint64_t *out = ctx;
    out[0] = storage_row_int(row, 0);
    out[1] = storage_row_int(row, 1);
    return 1;
}

static void queue_events(struct core *c)
{
    list_foreach_safe(it, &c->dirty_queues) {
        struct queue *q = list_entry(it, struct queue, dirty);
        struct sbuf *b = core_ev_begin(c, "queue.waiting", "queue", q->name);
        sbuf_kv(b, "queue", q->name);
        sbuf_kv_uint(b, "waiting", acd_waiting(c->acd, q->key));
        sbuf_kv_uint(b, "available", acd_available(c->acd, q->key));
        if (c->feature_level >= 3)
            core_wait_state_touch(c, q); /* what views reckon with */
        core_ev_end(c);
        core_tell(c, CORE_EV_QUEUE, 0, "", q->name);
        list_del(it);
    }
}

void core_events_flush(struct core *c)
{
    queue_events(c);
    if (!c->n_events)
        return;
    sbuf_add(&c->events, "]", 1);
    const struct storage_val v[] = {storage_int(c->index), storage_int(c->n_events),
                                    storage_text_n(c->events.p, c->events.len)};
    storage_run(c->st, STORAGE_EVENT_PUT, v, 3);
    c->events_kept += c->n_events;
    /* Whole rows go, so that at least CORE_EVENTS_KEPT stay. */
    while (c->events_kept > CORE_EVENTS_KEPT) {
        uint64_t old[2] = {0, 0};
        int rc = storage_query(c->st, STORAGE_EVENT_OLDEST, NULL, 0, oldest_row, old);
        if (rc != 1 || c->events_kept - old[1] < CORE_EVENTS_KEPT)
            break;
        const struct storage_val d = storage_int(old[0]);
        storage_run(c->st, STORAGE_EVENT_TRIM, &d, 1);
        c->events_kept -= old[1];
    }
}
