/* The record of a call: written once, when it ends; kept for ever, or for the days of the parameter cdr_keep_days. */
#include <stdio.h>
#include <string.h>

#include "core/core_int.h"

/* Hundredths; 0 is not known. */
static void mos_json(struct sbuf *b, const char *key, uint32_t mos)
{
    char text[32];
    snprintf(text, sizeof text, mos ? "%u.%02u" : "null", mos / 100, mos % 100);
    sbuf_puts(b, ",\"");
    sbuf_puts(b, key);
    sbuf_puts(b, "\":");
    sbuf_puts(b, text);
}

static const char *role_of(const Ev__CallState *s, const Ev__LegQuality *q)
{
    if (q->role)
        return q->role - 1 == CORE_LEG_CALLEE ? "callee" : "caller";
    for (size_t j = 0; j < s->n_legs; j++) {
        if (s->legs[j]->id == q->leg_id && s->legs[j]->role == CORE_LEG_CALLEE)
            return "callee";
    }
    return "caller";
}

/* The counters are a process's: of a leg that was there before the call changed hands they do not tell all. */
static bool since_takeover(const Ev__CallState *s, const Ev__LegQuality *q)
{
    for (size_t i = 0; i <= s->n_legs; i++) {
        const Ev__LegState *l = i < s->n_legs ? s->legs[i] : s->left;
        if (l && l->id == q->leg_id)
            return core_leg_joined_us(s, l) < s->taken_over_us;
    }
    return false;
}

static void quality_json(struct sbuf *b, const Ev__CallState *s, uint64_t level, size_t n, Ev__LegQuality *const *q)
{
    sbuf_add(b, "[", 1);
    for (size_t i = 0; i < n; i++) {
        sbuf_puts(b, i ? ",{" : "{");
        sbuf_kv_uint(b, "leg_id", q[i]->leg_id);
        sbuf_kv(b, "role", role_of(s, q[i]));
        sbuf_kv(b, "codec", q[i]->codec);
        sbuf_kv_uint(b, "rx_packets", q[i]->rx_packets);
        sbuf_kv_uint(b, "tx_packets", q[i]->tx_packets);
        sbuf_kv_uint(b, "rx_lost", q[i]->rx_lost);
        sbuf_kv_uint(b, "jitter_us", q[i]->jitter_us);
        sbuf_kv_uint(b, "rtt_us", q[i]->rtt_us);
        sbuf_kv_uint(b, "remote_lost", q[i]->remote_lost);
        sbuf_kv_uint(b, "remote_jitter_us", q[i]->remote_jitter_us);
        mos_json(b, "mos", q[i]->mos);
        mos_json(b, "remote_mos", q[i]->remote_mos);
        if (level >= 4 && since_takeover(s, q[i]))
            sbuf_puts(b, ",\"since_takeover\":true");
        sbuf_add(b, "}", 1);
    }
    sbuf_add(b, "]", 1);
}

#define DAY_US 86400000000ull
#define TRIM_AT_CALL 3u /* more go than come: what has piled up gets less, and no transaction is long */

void core_cdr_trim(struct core *c, unsigned at_most)
{
    uint64_t keep_us = core_parameter_number(c, "cdr_keep_days", 0) * DAY_US;
    if (c->feature_level < 4 || !keep_us || c->now_us <= keep_us)
        return;
    const struct storage_val v[] = {storage_int(c->now_us - keep_us), storage_int(at_most)};
    storage_run(c->st, STORAGE_CDR_TRIM, v, 2);
    storage_run(c->st, STORAGE_MISSED_TRIM, NULL, 0);
}

const char *core_call_direction(const Ev__CallState *s)
{
    if (s->joined && s->we_call) /* whoever answers has the caller's seat */
        return s->trunk[0] || s->out_trunk[0] ? "outbound" : "internal";
    bool out = s->we_call ? !s->via_kind[0] : s->out_trunk[0] != '\0';
    return s->trunk[0] ? "inbound" : out ? "outbound" : "internal";
}

/* What the record says of the call as it began, and of who served it last. */
struct told {
    Ev__CallBegan began;
    const char *agent, *answered_by;
};

static struct told told_of(const struct call *k)
{
    Ev__CallState *s = k->st;
    const Ev__LegState *callee = s->n_legs > 1 ? s->legs[s->n_legs - 1] : NULL, *served = core_leg_served(s);
    bool joined = s->joined && s->we_call; /* its only party was called */
    callee = joined && s->n_legs ? s->legs[0] : callee;
    struct told t = {.agent = served ? served->agent : "", .answered_by = callee ? callee->number : ""};
    ev__call_began__init(&t.began);
    t.began.direction = (char *)(uintptr_t)core_call_direction(k->st);
    t.began.caller = s->caller;
    t.began.trunk = s->trunk[0] ? s->trunk : s->out_trunk; /* both: the callee's number tells the way out */
    t.began.extension = s->extension;
    t.began.queue = s->queue[0] ? s->queue : s->left_queue;
    t.began.served_queue = s->served_queue;
    t.began.flow = s->flow;
    t.began.menu_us = s->menu_us;
    t.began.queued_us = s->queued_us;
    t.began.offered_us = s->offered_us;
    t.began.connected_us = s->connected_us;
    if (s->began)
        t.began = *s->began;
    for (size_t i = s->n_segments; i-- > 0;) {
        const Ev__CallSegment *g = s->segments[i];
        if (g->why[0])
            continue; /* the call was merely meant for him */
        t.agent = t.agent[0] ? t.agent : g->agent;
        t.answered_by = t.answered_by[0] || (g->role == CORE_LEG_CALLER && !joined) ? t.answered_by : g->number;
    }
    return t;
}

void core_cdr_write(struct core *c, const struct call *k, const char *by, const char *cause, uint32_t status,
                    size_t n_quality, Ev__LegQuality *const *quality)
{
    const Ev__CallState *s = k->st;
    const struct told t = told_of(k);
    if (s->parted_us)
        by = "agent"; /* the conversation; the caller was merely asked afterwards */
    if (!status)
        status = s->fail_status ? s->fail_status : s->answered ? 200 : 487;
    struct sbuf q = {0}, path = {0}, told = {0}, parts = {0};
    if (s->began || s->n_segments)
        core_segments_json(&parts, c, k, by);
    core_path_json(&path, s, c->now_us);
    core_notices_json(&told, s);
    quality_json(&q, s, c->feature_level, n_quality, quality);
    const struct storage_val v[] = {
        storage_int(++c->cdr_seq),
        storage_int(s->call_id),
        storage_text(t.began.direction),
        storage_text(t.began.caller),
        storage_text(s->called),
        storage_text(t.began.trunk),
        storage_text(t.began.extension),
        storage_text(t.agent),
        storage_text(t.answered_by),
        storage_text(t.began.queue),
        storage_text(t.began.flow),
        storage_text(s->owner),
        storage_int(s->arrived_us),
        storage_int(s->answered_us),
        storage_int(t.began.menu_us),
        storage_int(t.began.queued_us),
        storage_int(t.began.offered_us),
        storage_int(t.began.connected_us),
        storage_int(c->now_us),
        storage_text(by),
        storage_text(cause),
        storage_int(status),
        storage_int(s->offers),
        storage_int(s->epoch - 1),
        storage_text_n(q.p, q.len),
        storage_text(s->variables),
        storage_text(t.began.served_queue), /* empty as well when it is `queue`, or none */
        storage_text_n(path.p ? path.p : "", path.len),
        s->n_notices ? storage_text_n(told.p, told.len) : storage_text(""),
        storage_text_n(parts.p ? parts.p : "", parts.len),
        storage_int(s->transfers + s->merges - s->parts),
        storage_text(s->customer),
        storage_text(s->notes),
        storage_text(s->data),
        storage_text(c->feature_level >= 4 ? s->out_caller : ""),
        storage_text(s->via_agent),
        storage_int(s->of_call),
        storage_int(s->rating),
        storage_text(s->rating ? s->rate_agent : ""),
        storage_text(s->rating ? s->rate_queue : ""),
        storage_int(s->parted_us),
        storage_int(s->marked ? 1u : 0u),
    };
    storage_run(c->st, STORAGE_CDR_PUT, v, sizeof v / sizeof *v);
    core_missed_ended(c, k,
                      &(struct core_ended){.direction = t.began.direction,
                                           .caller = t.began.caller,
                                           .agent = t.agent,
                                           .by = by,
                                           .cause = cause,
                                           .connected = core_call_connected(s)});
    core_cdr_trim(c, TRIM_AT_CALL);
    sbuf_free(&q);
    sbuf_free(&path);
    sbuf_free(&told);
    sbuf_free(&parts);

    struct sbuf *b = core_ev_call_begin(c, "call.ended", k);
    sbuf_kv(b, "ended_by", by);
    sbuf_kv(b, "cause", cause);
    sbuf_kv_uint(b, "sip_status", status);
    core_ev_end(c);
    char id[17];
    core_id_text(s->call_id, id);
    b = core_ev_begin(c, "cdr.written", "cdr", id);
    sbuf_kv(b, "record_id", id);
    core_ev_end(c);
}
