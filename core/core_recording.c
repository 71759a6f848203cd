/* Recordings of calls: which are recorded, by rules (RecordingRule), and what becomes of them.
 *
 *   OfferAnswered (two parties talk, a rule says yes) ─► being recorded ─RecordEnd with a blob─► kept ─RecordingDelete, age─► gone
 *                                                                       ─RecordEnd without─────────────────────────────► gone
 *
 * A recording has the id of its call, which has one at most, from the first time that two parties talk to the end of the call. That it is
 * recorded and since when stands in the state by the command that joins the two, so it costs the call no commit of its own, and whoever takes
 * the call over goes on with it. One that is on hold is neither deleted nor too old. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"
#include "core/core_recording.h"

/* ---- which calls */

struct about {
    const char *direction, *queue, *agent;
};

static const struct agent *caller_agent(const struct call *k)
{
    return k->caller ? k->caller->agent : NULL;
}

/* Each agent who has part in it. fn: true ends it. */
static bool any_agent(const struct core *c, const struct call *k, const Ev__RecordingRule *r,
                      bool (*fn)(const struct core *c, const char *number, const Ev__RecordingRule *r))
{
    const struct agent *a = caller_agent(k);
    if (a && fn(c, a->number, r))
        return true;
    for (size_t i = 0; i < k->st->n_legs; i++)
        if (k->st->legs[i]->agent[0] && fn(c, k->st->legs[i]->agent, r))
            return true;
    return false;
}

static bool is_agent(const struct core *c, const char *number, const Ev__RecordingRule *r)
{
    (void)c;
    return strcmp(number, r->agent) == 0;
}

static bool in_group(const struct core *c, const char *number, const Ev__RecordingRule *r)
{
    const struct cfg *o = core_cfg(c, CFG_AGENT, number);
    return o && strcmp(((const Ev__Agent *)(const void *)o->msg)->group, r->agent_group) == 0;
}

static bool fits(const struct core *c, const struct call *k, const Ev__RecordingRule *r, const struct about *is)
{
    return !r->disabled && (strcmp(r->direction, "any") == 0 || strcmp(r->direction, is->direction) == 0) &&
           (!r->queue[0] || strcmp(r->queue, is->queue) == 0) &&
           (!r->access_number[0] || strcmp(r->access_number, k->st->called) == 0) &&
           (!r->agent[0] || any_agent(c, k, r, is_agent)) && (!r->agent_group[0] || any_agent(c, k, r, in_group));
}

static bool before(const Ev__RecordingRule *a, const Ev__RecordingRule *b)
{
    return a->order != b->order ? a->order < b->order : strcmp(a->name, b->name) < 0;
}

static const Ev__RecordingRule *rule_for(const struct core *c, const struct call *k, const struct about *is)
{
    const Ev__RecordingRule *found = NULL;
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->cfg[CFG_RECORDING_RULE], &it, &slot);) {
        const Ev__RecordingRule *r = (const void *)((const struct cfg *)slot->value)->msg;
        if ((!found || before(r, found)) && fits(c, k, r, is))
            found = r;
    }
    return found;
}

/* The same at every node, and without a pattern in consecutive ids (splitmix64). */
static bool chosen(uint64_t id, uint32_t percent)
{
    uint64_t x = id + 0x9E3779B97F4A7C15ull;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
    return (x ^ (x >> 31)) % 100 < percent;
}

/* ---- rows */

static int row_row(void *ctx, const struct storage_row *r)
{
    struct recording_row *o = ctx;
    *o = (struct recording_row){
        .state = storage_row_int(r, 0),
        .hold = storage_row_int(r, 1),
        .started_us = storage_row_int(r, 2),
        .bytes = storage_row_int(r, 3),
        .wav_bytes = storage_row_int(r, 4),
        .as_mp3 = strcmp(storage_row_text(r, 5), "mp3") == 0,
    };
    (void)snprintf(o->wav, sizeof o->wav, "%s", storage_row_text(r, 6));
    (void)snprintf(o->mp3, sizeof o->mp3, "%s", storage_row_text(r, 7));
    return 1;
}

bool core_recording_row(const struct core *c, uint64_t id, struct recording_row *out)
{
    const struct storage_val v = storage_int(id);
    return storage_query(c->st, STORAGE_RECORDING_GET, &v, 1, row_row, out) == 1;
}

/* ---- beginning */

struct sbuf *core_recording_ev_begin(struct core *c, const char *type, uint64_t id)
{
    char text[17];
    (void)snprintf(text, sizeof text, "%016llx", (unsigned long long)id);
    struct sbuf *b = core_ev_begin(c, type, "recording", text);
    sbuf_kv(b, "recording_id", text);
    return b;
}

static void event_of(struct core *c, const char *type, uint64_t id, const char *why)
{
    struct sbuf *b = core_recording_ev_begin(c, type, id);
    if (why)
        sbuf_kv(b, "reason", why);
    core_ev_end(c);
}

static void begin(struct core *c, struct call *k, const struct about *is, const Ev__RecordingRule *rule)
{
    Ev__CallState *s = k->st;
    uint32_t max_s = core_parameter_number(c, "recording_max_s", 3600);
    const char *format = rule->format[0] ? rule->format : core_parameter(c, "recording_format", "wav");
    struct core_recording *r = core_record_add(c, s->call_id, "", s->owner);
    r->of_call = true;
    r->call_id = s->call_id;
    r->started_us = c->now_us;
    r->max_s = max_s;
    s->recorded_us = c->now_us;
    s->recording_paused = false;
    const struct storage_val v[] = {storage_int(c->now_us),
                                    storage_int(s->call_id),
                                    storage_text(s->owner),
                                    storage_text(is->direction),
                                    storage_text(s->caller),
                                    storage_text(s->called),
                                    storage_text(s->legs[s->n_legs - 1]->number),
                                    storage_text(is->agent),
                                    storage_text(is->queue),
                                    storage_text(rule->name),
                                    storage_int(max_s),
                                    storage_text(format)};
    storage_run(c->st, STORAGE_RECORDING_PUT, v, 12);
    core_recording_key(c, c->now_us, CORE_RECORDING_AGENT, is->agent);
    core_recording_seats(k);
    core_record_tell(c, s->call_id, "begun");
    struct sbuf *b = core_recording_ev_begin(c, "recording.started", s->call_id);
    sbuf_kv(b, "rule", rule->name);
    core_ev_end(c);
}

void core_recording_talks(struct core *c, struct call *k)
{
    const Ev__CallState *s = k->st;
    core_recording_seats(k);
    if (c->feature_level < 4 || s->recorded_us || map_count(&c->cfg[CFG_RECORDING_RULE]) == 0)
        return;
    const Ev__LegState *callee = s->legs[s->n_legs - 1];
    const struct agent *from = caller_agent(k);
    struct about is = {
        .direction = core_call_direction(k->st),
        .queue = s->served_queue[0] ? s->served_queue : s->queue,
        .agent = callee->agent[0] ? callee->agent
                 : from           ? from->number
                                  : "",
    };
    const Ev__RecordingRule *r = rule_for(c, k, &is);
    struct recording_row old;
    if (!r || r->exempt || !chosen(s->call_id, r->percent))
        return;
    if (c->recording_bytes >= (uint64_t)core_parameter_number(c, "recording_quota_mb", 20480) << 20)
        event_of(c, "recording.refused", s->call_id, "quota");
    else if (!core_recording_row(c, s->call_id, &old))
        begin(c, k, &is, r);
}

/* ---- the end */

/* One that was kept, or a refusal. */
bool core_recording_kept(struct core *c, uint64_t id, struct recording_row *out)
{
    if (core_recording_row(c, id, out) && out->state == 1)
        return true;
    (void)core_refuse(c, ERR_NOTFOUND, "id", "there is no such recording");
    return false;
}

static int find_oldest(struct core *c)
{
    c->recording_oldest_us = 0;
    int err = storage_query(c->st, STORAGE_RECORDING_OLDEST, NULL, 0, core_row_number, &c->recording_oldest_us);
    return err < 0 ? err : 0;
}

/* What cannot be read has made the transaction fail. */
static void oldest_anew(struct core *c)
{
    if (find_oldest(c))
        c->recording_oldest_us = 0;
}

static void row_remove(struct core *c, uint64_t id, const struct recording_row *r, const char *what)
{
    const struct storage_val v = storage_int(id), at = storage_int(r->started_us);
    storage_run(c->st, STORAGE_RECORDING_DEL, &v, 1);
    storage_run(c->st, STORAGE_RECORDING_KEY_DEL, &at, 1);
    c->recording_bytes -= r->bytes < c->recording_bytes ? r->bytes : c->recording_bytes;
    core_record_tell(c, id, what);
}

static void gaps_json(struct sbuf *b, const Ev__RecordEnd *m)
{
    sbuf_add(b, "[", 1);
    for (size_t i = 0; i < m->n_gaps; i++) {
        sbuf_puts(b, i ? ",{" : "{");
        sbuf_kv_uint(b, "from_ms", m->gaps[i]->from_ms);
        sbuf_kv_uint(b, "to_ms", m->gaps[i]->to_ms);
        sbuf_add(b, "}", 1);
    }
    sbuf_add(b, "]", 1);
}

void core_recording_over(struct core *c, const struct call *k)
{
    struct recording_row now; /* one that became as long as it may be is kept, or deleted, before the call is over */
    if (k->st->recorded_us && core_recording_row(c, k->st->call_id, &now))
        core_recording_about(c, k, now.started_us);
}

int core_recording_end(struct core *c, const Ev__RecordEnd *m)
{
    struct recording_row now;
    struct call *k = core_call_obj(c, m->id);
    if (!core_recording_row(c, m->id, &now)) /* the transaction fails: the query could not be made */
        return core_refuse(c, ERR_NOTFOUND, "id", "this is not being recorded");
    if (!m->sha256[0]) {
        row_remove(c, m->id, &now, "dropped");
        if (k) { /* while the two still talk */
            k->st->recorded_us = 0;
            core_call_touch(c, k);
        }
        event_of(c, "recording.dropped", m->id, m->why);
        return 0;
    }
    struct sbuf gaps = {0};
    gaps_json(&gaps, m);
    const struct storage_val v[] = {storage_int(m->id), storage_text(m->sha256), storage_int(m->bytes),
                                    storage_int(m->duration_ms), storage_text_n(gaps.p, gaps.len)};
    storage_run(c->st, STORAGE_RECORDING_KEEP, v, 5);
    sbuf_free(&gaps);
    if (k)
        core_recording_about(c, k, now.started_us);
    c->recording_bytes += m->bytes;
    if (!c->recording_oldest_us || now.started_us < c->recording_oldest_us)
        c->recording_oldest_us = now.started_us;
    core_tell(c, CORE_EV_MESSAGE, m->id, "kept", m->sha256);
    struct sbuf *b = core_recording_ev_begin(c, "recording.kept", m->id);
    sbuf_kv_uint(b, "duration_ms", m->duration_ms);
    sbuf_kv_uint(b, "gaps", m->n_gaps);
    core_ev_end(c);
    return 0;
}

/* ---- afterwards */

int core_recording_set(struct core *c, const Ev__RecordingSet *m)
{
    struct recording_row now;
    if (!core_recording_kept(c, m->id, &now))
        return c->ans->code;
    if ((now.hold != 0) == m->hold)
        return 0;
    const struct storage_val v[] = {storage_int(m->id), storage_int(m->hold ? 1u : 0u)};
    storage_run(c->st, STORAGE_RECORDING_HOLD, v, 2);
    oldest_anew(c);
    event_of(c, m->hold ? "recording.held" : "recording.released", m->id, NULL);
    return 0;
}

int core_recording_delete(struct core *c, const Ev__RecordingDelete *m)
{
    struct recording_row now;
    if (!core_recording_kept(c, m->id, &now))
        return c->ans->code;
    if (now.hold)
        return core_refuse(c, ERR_CONFLICT, "id", "the recording is on hold: release it first");
    row_remove(c, m->id, &now, "deleted");
    event_of(c, "recording.deleted", m->id, NULL);
    return 0;
}

int core_recording_play(struct core *c, const Ev__RecordingPlay *m)
{
    struct recording_row now;
    return core_recording_kept(c, m->id, &now) ? 0 : c->ans->code;
}

int core_recording_pause(struct core *c, const Ev__RecordingPause *m)
{
    struct call *k = core_call_obj(c, m->call_id);
    if (!k || !k->st->recorded_us || !core_recording(c, m->call_id))
        return core_refuse(c, ERR_NOTFOUND, "call_id", "there is no such call that is being recorded");
    if ((k->st->recording_paused != 0) == (m->on != 0))
        return 0;
    k->st->recording_paused = m->on;
    core_call_touch(c, k);
    event_of(c, m->on ? "recording.paused" : "recording.resumed", m->call_id, NULL);
    return 0;
}

/* ---- age */

void core_recordings_expire(struct core *c)
{
    uint64_t old[CORE_EXPIRED_AT_ONCE];
    unsigned n = 0;
    if (!core_record_expired(c, c->recording_oldest_us, "recording_keep_days", 0, STORAGE_RECORDING_EXPIRED, old, &n))
        return;
    for (unsigned i = 0; i < n; i++) {
        struct recording_row r;
        if (core_recording_row(c, old[i], &r))
            row_remove(c, old[i], &r, "expired");
    }
    oldest_anew(c);
}

/* ---- from the table */

static int pending_row(void *ctx, const struct storage_row *row)
{
    const char *owner = storage_row_text(row, 2);
    if (!core_fits(owner, CORE_NAME_MAX))
        return ERR_CORRUPT;
    struct core_recording *r = core_record_add(ctx, storage_row_int(row, 1), "", owner);
    r->of_call = true;
    r->call_id = r->id;
    r->started_us = storage_row_int(row, 0);
    r->max_s = (uint32_t)storage_row_int(row, 3);
    return 0;
}

int core_recordings_load(struct core *c)
{
    int err = storage_query(c->st, STORAGE_RECORDING_PENDING, NULL, 0, pending_row, c);
    c->recording_bytes = 0;
    if (err >= 0)
        err = storage_query(c->st, STORAGE_RECORDING_TOTAL, NULL, 0, core_row_number, &c->recording_bytes);
    return err < 0 ? err : find_oldest(c);
}
