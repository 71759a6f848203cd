/* What has been: call records, events, audit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"
#include "core/scope.h"
#include "core/view_int.h"

/* ---- WHERE from filters */

struct where {
    char sql[1536];
    struct storage_val vals[24];
    unsigned n;
};

static void and_where(struct where *w, const char *cond, struct storage_val val)
{
    (void)strcat(w->sql, " AND "); /* bounded: each filter at most once, all names are ours */
    (void)strcat(w->sql, cond);
    w->vals[w->n++] = val;
}

/* Rows are written in the order of their times: the place of a time is found by halving, without an index. */
struct timed {
    const char *table, *number, *time;
};

static int pair_row(void *ctx, const struct storage_row *r)
{
    uint64_t *out = ctx;
    out[0] = storage_row_int(r, 0);
    out[1] = storage_row_int(r, 1);
    return 0;
}

/* The smallest number whose time is at or after us; one past the last if there is none. */
static uint64_t first_since(struct view *v, const struct timed *t, uint64_t us)
{
    char sql[200];
    uint64_t range[2] = {0, 0};
    (void)snprintf(sql, sizeof sql, "SELECT coalesce(min(%s), 0), coalesce(max(%s), 0) FROM %s", t->number, t->number,
                   t->table);
    int err = storage_reader_query(v->r, sql, NULL, 0, pair_row, range);
    uint64_t lo = range[0], hi = range[1] + 1;
    (void)snprintf(sql, sizeof sql, "SELECT %s, %s FROM %s WHERE %s >= ? ORDER BY %s LIMIT 1", t->number, t->time,
                   t->table, t->number, t->number);
    while (!err && lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2, at[2] = {hi, UINT64_MAX};
        const struct storage_val val = storage_int(mid);
        err = storage_reader_query(v->r, sql, &val, 1, pair_row, at); /* numbers may have gaps: the next row there is */
        if (at[1] >= us)
            hi = mid;
        else
            lo = at[0] + 1;
    }
    if (err)
        v->err = err;
    return lo;
}

/* Few are: which of the two is asked for stands in the query itself, so that their index is used. */
static void marked(struct view *v, struct where *w, const char *text)
{
    bool yes = strcmp(text, "true") == 0;
    if (!yes && strcmp(text, "false") != 0)
        v->err = err_set(v->info, ERR_INVAL, "marked", "must be true or false");
    (void)strcat(w->sql, yes ? " AND marked=1" : " AND marked=0"); /* bounded, as above */
}

static void filters(struct view *v, struct where *w, const struct timed *t)
{
    for (const char *const *f = v->kind->filters; *f; f++) {
        const char *text = view_filter(v, *f);
        if (!text)
            continue;
        char cond[64];
        uint64_t us = 0;
        if (strcmp(*f, "from") == 0 || strcmp(*f, "to") == 0) {
            (void)config_parse_time(text, &us); /* checked before */
            uint64_t first = first_since(v, t, us);
            (void)snprintf(cond, sizeof cond, "%s %s ?", t->number, **f == 'f' ? ">=" : "<");
            and_where(w, cond, storage_int(first));
        } else if (strcmp(*f, "call_id") == 0) {
            (void)view_parse_id(text, &us); /* likewise */
            and_where(w, "call_id=?", storage_int(us));
        } else if (strcmp(*f, "marked") == 0) {
            marked(v, w, text);
        } else {
            (void)snprintf(cond, sizeof cond, "%s=?", *f);
            and_where(w, cond, storage_text(text));
        }
    }
}

/* What cannot be of a supervisor's queues and agents need not be read: of records who took part, those who left by a transfer, and whose
 * call was forwarded, stand in the segments. */
static void within(struct where *w, const struct view_scope *s)
{
    and_where(w, "(transfers>0 OR segments<>'' OR agent IN (SELECT value FROM json_each(?))",
              storage_text(view_scope_agents_json(s)));
    (void)strcat(w->sql,
                 " OR queue IN (SELECT value FROM json_each(?)) OR served_queue IN (SELECT value FROM json_each(?)))");
    w->vals[w->n++] = storage_text(view_scope_queues_json(s));
    w->vals[w->n++] = storage_text(view_scope_queues_json(s));
}

/* ---- records, newest first */

static json_t *span(uint64_t from, uint64_t to)
{
    return json_integer(from && to > from ? (json_int_t)((to - from) / 1000) : 0);
}

/* As core_segments_json wrote them, with times for people. */
static json_t *segments(struct view *v, const char *text)
{
    json_t *list = json_loads(text, 0, NULL), *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        view_set(v, one, "from", view_time((uint64_t)json_integer_value(json_object_get(one, "from_us"))));
        view_set(v, one, "to", view_time((uint64_t)json_integer_value(json_object_get(one, "to_us"))));
        json_object_del(one, "from_us");
        json_object_del(one, "to_us");
    }
    return list ? list : json_array();
}

static int cdr_row(void *ctx, const struct storage_row *r)
{
    static const char *const texts[] = {"direction", "caller",      "called", "trunk", "extension",
                                        "agent",     "answered_by", "queue",  "flow",  "owner"};
    static const char *const times[] = {"arrived_at", "answered_at",  "menu_at", "queued_at",
                                        "offered_at", "connected_at", "ended_at"};
    struct view *v = ctx;
    json_t *o = json_object();
    char id[17], key[24];
    view_id(storage_row_int(r, 1), id);
    (void)snprintf(key, sizeof key, "%llu", (unsigned long long)storage_row_int(r, 0));
    view_set(v, o, "record_id", json_string(id));
    view_set(v, o, "call_id", json_string(id));
    for (int i = 0; i < 10; i++)
        view_set(v, o, texts[i], view_text(storage_row_text(r, 2 + i)));
    uint64_t t[7];
    for (int i = 0; i < 7; i++) {
        t[i] = storage_row_int(r, 12 + i);
        view_set(v, o, times[i], view_time(t[i]));
    }
    view_set(v, o, "duration_ms", span(t[0], t[6]));
    uint64_t parted = storage_row_int(r, 41); /* nobody has talked since */
    view_set(v, o, "talk_ms", span(t[5], parted ? parted : t[6]));
    view_set(v, o, "wait_ms", span(t[3], t[5] ? t[5] : t[6]));
    view_set(v, o, "ended_by", view_text(storage_row_text(r, 19)));
    view_set(v, o, "cause", view_text(storage_row_text(r, 20)));
    view_set(v, o, "sip_status", json_integer((json_int_t)storage_row_int(r, 21)));
    view_set(v, o, "offers", json_integer((json_int_t)storage_row_int(r, 22)));
    view_set(v, o, "taken_over", json_integer((json_int_t)storage_row_int(r, 23)));
    json_t *quality = json_loads(storage_row_text(r, 24), 0, NULL);
    view_set(v, o, "quality", quality ? quality : json_array());
    view_set(v, o, "variables", view_variables(storage_row_text(r, 25)));
    const char *served = storage_row_text(r, 26);
    json_t *notices = json_loads(storage_row_text(r, 28), 0, NULL);
    view_set(v, o, "notices", notices ? notices : json_array());
    view_set(v, o, "served_queue", view_text(served[0] || !t[5] ? served : storage_row_text(r, 9)));
    json_t *menu = json_loads(storage_row_text(r, 27), 0, NULL);
    view_set(v, o, "menu", menu ? menu : json_array());
    view_set(v, o, "segments", segments(v, storage_row_text(r, 29)));
    view_set(v, o, "transfers", json_integer((json_int_t)storage_row_int(r, 30)));
    view_set(v, o, "recording_id", storage_row_int(r, 31) ? json_string(id) : json_null());
    view_set(v, o, "customer", view_text(storage_row_text(r, 32)));
    view_set(v, o, "notes", view_text(storage_row_text(r, 33)));
    view_set(v, o, "data", view_variables(storage_row_text(r, 34)));
    view_set(v, o, "shown", view_text(storage_row_text(r, 35)));
    view_set(v, o, "dialled_by", view_text(storage_row_text(r, 36)));
    char of_call[17];
    view_id(storage_row_int(r, 37), of_call);
    view_set(v, o, "calls_back", storage_row_int(r, 37) ? json_string(of_call) : json_null());
    uint64_t rating = storage_row_int(r, 38);
    view_set(v, o, "rating", rating ? json_integer((json_int_t)rating) : json_null());
    view_set(v, o, "rated_agent", view_text(storage_row_text(r, 39)));
    view_set(v, o, "rated_queue", view_text(storage_row_text(r, 40)));
    view_set(v, o, "marked", json_boolean(storage_row_int(r, 42) != 0));
    return view_add(v, o, key);
}

#define CDR_COLUMNS                                                                                               \
    "SELECT seq, call_id, direction, caller, called, trunk, extension, agent, answered_by, queue, flow, owner, "  \
    "arrived_us,"                                                                                                 \
    " answered_us, menu_us, queued_us, offered_us, connected_us, ended_us, ended_by, cause, sip_status, offers, " \
    "taken_over,"                                                                                                 \
    " quality, variables, served_queue, menu, notices, segments, transfers,"                                      \
    " (SELECT 1 FROM recording WHERE recording.id=cdr.call_id AND recording.state=1), customer, notes, data,"     \
    " shown, dialled_by, of_call, rating, rated_agent, rated_queue, parted_us, marked"                            \
    " FROM cdr WHERE "

int view_list_cdrs(struct view *v)
{
    uint64_t id;
    if (v->q->key) {
        if (!view_parse_id(v->q->key, &id))
            return 0;
        const struct storage_val val = storage_int(id);
        return storage_reader_query(v->r, CDR_COLUMNS "call_id=?", &val, 1, cdr_row, v);
    }
    struct where w = {.sql = CDR_COLUMNS "1"};
    if (v->after[0])
        and_where(&w, "seq < ?", storage_int(strtoull(v->after, NULL, 10)));
    filters(v, &w, &(const struct timed){"cdr", "seq", "ended_us"});
    if (v->q->scope) /* a first sieve: the rows themselves are looked at by view_add */
        within(&w, v->q->scope);
    (void)strcat(w.sql, " ORDER BY seq DESC");
    return storage_reader_query(v->r, w.sql, w.vals, w.n, cdr_row, v);
}

/* ---- ratings: from records, by agent and queue */

static int rating_row(void *ctx, const struct storage_row *r)
{
    struct view *v = ctx;
    const char *agent = storage_row_text(r, 0), *queue = storage_row_text(r, 1);
    uint64_t count = storage_row_int(r, 2), sum = storage_row_int(r, 3);
    json_t *o = json_object(), *scores = json_object();
    char key[160], name[8];
    for (int i = 1; i <= 10; i++) {
        (void)snprintf(name, sizeof name, "%d", i);
        view_set(v, scores, name, json_integer((json_int_t)storage_row_int(r, 3 + i)));
    }
    view_set(v, o, "rated_agent", view_text(agent));
    view_set(v, o, "rated_queue", view_text(queue));
    view_set(v, o, "count", json_integer((json_int_t)count));
    view_set(v, o, "average", json_real((double)(sum * 100 / count) / 100));
    view_set(v, o, "scores", scores);
    (void)snprintf(key, sizeof key, "%s/%s", agent, queue);
    return view_add(v, o, key);
}

int view_list_ratings(struct view *v)
{
    struct where w = {.sql = "SELECT rated_agent, rated_queue, count(*), sum(rating), sum(rating=1), sum(rating=2),"
                             " sum(rating=3), sum(rating=4), sum(rating=5), sum(rating=6), sum(rating=7),"
                             " sum(rating=8), sum(rating=9), sum(rating=10) FROM cdr WHERE rating>0"};
    char agent[sizeof v->after];
    (void)snprintf(agent, sizeof agent, "%s", v->after);
    char *queue = strchr(agent, '/'); /* in no agent's number */
    if (queue) {
        *queue++ = '\0';
        and_where(&w, "(rated_agent, rated_queue) > (?", storage_text(agent));
        (void)strcat(w.sql, ", ?)");
        w.vals[w.n++] = storage_text(queue);
    }
    filters(v, &w, &(const struct timed){"cdr", "seq", "ended_us"});
    (void)strcat(w.sql, " GROUP BY rated_agent, rated_queue ORDER BY rated_agent, rated_queue");
    return storage_reader_query(v->r, w.sql, w.vals, w.n, rating_row, v);
}

/* ---- audit, newest first */

static json_t *object_text(const char *text)
{
    json_t *j = text[0] ? json_loads(text, 0, NULL) : NULL;
    return j ? j : json_null();
}

static int audit_row(void *ctx, const struct storage_row *r)
{
    struct view *v = ctx;
    json_t *o = json_object();
    char key[48];
    (void)snprintf(key, sizeof key, "%llu.%llu", (unsigned long long)storage_row_int(r, 0),
                   (unsigned long long)storage_row_int(r, 1));
    view_set(v, o, "index", json_integer((json_int_t)storage_row_int(r, 0)));
    view_set(v, o, "time", view_time(storage_row_int(r, 2)));
    static const char *const texts[] = {"actor", "origin", "node", "action", "object"};
    for (int i = 0; i < 5; i++)
        view_set(v, o, texts[i], view_text(storage_row_text(r, 3 + i)));
    view_set(v, o, "before", object_text(storage_row_text(r, 8)));
    view_set(v, o, "after", object_text(storage_row_text(r, 9)));
    view_set(v, o, "code", json_string(err_name((int)(int64_t)storage_row_int(r, 10))));
    return view_add(v, o, key);
}

static bool parse_pair(const char *text, uint64_t *index, uint64_t *n)
{
    char *end;
    if (!*text || *text < '0' || *text > '9')
        return false;
    *index = strtoull(text, &end, 10);
    if (*end != '.' || end[1] < '0' || end[1] > '9')
        return false;
    *n = strtoull(end + 1, &end, 10);
    return *end == '\0';
}

int view_list_audit(struct view *v)
{
    struct where w = {
        .sql = "SELECT idx, n, time_us, actor, origin, node, action, object, before, after, code FROM audit WHERE 1"};
    uint64_t index = 0, n = 0;
    const char *text = v->q->key ? v->q->key : v->after;
    if (text[0] && !parse_pair(text, &index, &n))
        return v->q->key ? 0 : err_set(v->info, ERR_INVAL, "cursor", "this is not a cursor of a list of audit");
    if (text[0]) {
        and_where(&w, v->q->key ? "(idx, n) = (?" : "(idx, n) < (?", storage_int(index));
        (void)strcat(w.sql, ", ?)");
        w.vals[w.n++] = storage_int(n);
    }
    filters(v, &w, &(const struct timed){"audit", "idx", "time_us"});
    (void)strcat(w.sql, " ORDER BY idx DESC, n DESC");
    return storage_reader_query(v->r, w.sql, w.vals, w.n, audit_row, v);
}

/* ---- events, oldest first */

struct event_scan {
    struct view *v; /* NULL: for the stream */
    json_t *out;
    uint64_t after_index, after_n;
    uint32_t limit;
    char source[64];
    int err;
};

static int cluster_row(void *ctx, const struct storage_row *r)
{
    struct event_scan *s = ctx;
    (void)snprintf(s->source, sizeof s->source, "urn:everline:%s", storage_row_text(r, 0));
    return 0;
}

static json_t *envelope(const struct event_scan *s, const json_t *e, const char *id)
{
    return json_pack("{s:s,s:s,s:s,s:O?,s:O?,s:o?,s:O?}", "specversion", "1.0", "id", id, "source", s->source, "type",
                     json_object_get(e, "type"), "subject", json_object_get(e, "subject"), "time",
                     view_time((uint64_t)json_integer_value(json_object_get(e, "time"))), "data",
                     json_object_get(e, "data"));
}

static int event_row(void *ctx, const struct storage_row *r)
{
    struct event_scan *s = ctx;
    uint64_t index = storage_row_int(r, 0);
    json_t *list = json_loads(storage_row_text(r, 1), 0, NULL);
    if (!json_is_array(list)) {
        json_decref(list);
        return ERR_CORRUPT;
    }
    int stop = 0;
    for (size_t i = 0; i < json_array_size(list) && !stop; i++) {
        uint64_t n = i + 1;
        if (index == s->after_index && n <= s->after_n)
            continue;
        char id[48];
        (void)snprintf(id, sizeof id, "%llu.%llu", (unsigned long long)index, (unsigned long long)n);
        json_t *e = envelope(s, json_array_get(list, i), id);
        if (s->v && s->v->q->key && strcmp(s->v->q->key, id) != 0) {
            json_decref(e);
        } else if (s->v) {
            stop = view_add(s->v, e, id);
        } else if (json_array_append_new(s->out, e) != 0) {
            stop = ERR_NOMEM;
        } else {
            stop = json_array_size(s->out) >= s->limit;
        }
    }
    json_decref(list);
    return stop;
}

static int scan_events(struct storage_reader *r, struct event_scan *s, uint64_t from, uint64_t to)
{
    (void)strcpy(s->source, "urn:everline");
    int err = storage_reader_query(r, "SELECT cluster_id FROM cluster", NULL, 0, cluster_row, s);
    const struct storage_val vals[] = {storage_int(from), storage_int(to)};
    if (!err)
        err = storage_reader_query(r, "SELECT idx, body FROM event WHERE idx BETWEEN ? AND ? ORDER BY idx", vals, 2,
                                   event_row, s);
    return err < 0 ? err : 0;
}

int view_list_events(struct view *v)
{
    struct event_scan s = {.v = v};
    uint64_t index = 0, n = 0;
    const char *text = v->q->key ? v->q->key : v->after;
    if (text[0] && !parse_pair(text, &index, &n))
        return v->q->key ? 0 : err_set(v->info, ERR_INVAL, "cursor", "this is not a cursor of a list of events");
    if (!v->q->key) {
        s.after_index = index;
        s.after_n = n;
    }
    return scan_events(v->r, &s, index, v->q->key ? index : INT64_MAX);
}

static int kept_row(void *ctx, const struct storage_row *r)
{
    uint64_t *out = ctx;
    out[0] = storage_row_int(r, 0);
    out[1] = storage_row_int(r, 1);
    return 0;
}

int view_events(struct storage_reader *r, uint64_t after_index, uint32_t after_n, uint32_t limit, json_t **out,
                int *gone)
{
    struct event_scan s = {
        .after_index = after_index, .after_n = after_n, .limit = limit ? limit : 100, .out = json_array()};
    if (!s.out)
        return ERR_NOMEM;
    int err = storage_reader_begin(r, NULL);
    if (err) {
        json_decref(s.out);
        return err;
    }
    /* Rows are dropped only when as many as CORE_EVENTS_KEPT stay: fewer means that all there ever were are there. */
    uint64_t kept[2] = {0, 0};
    err = storage_reader_query(
        r, "SELECT coalesce((SELECT min(idx) FROM event), 0), coalesce((SELECT events FROM applied), 0)", NULL, 0,
        kept_row, kept);
    if (!err)
        err = scan_events(r, &s, after_index, INT64_MAX);
    storage_reader_end(r);
    if (err) {
        json_decref(s.out);
        return err;
    }
    *gone = kept[1] >= CORE_EVENTS_KEPT && after_index < kept[0];
    *out = s.out;
    return 0;
}
