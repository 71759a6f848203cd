/* Recordings of calls, as JSON, and finding them.
 *
 * Newest first: rows are numbered by when they began. What one looks for in particular (an agent, a number, a queue, a customer) stands in
 * recording_key, in the order of time: the first of these that is asked for leads through it, the others are asked of each row, as is all that
 * most rows have (a direction). What few have (on hold, marked, long) has an index of these few. So no search reads all rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"
#include "core/core_recording.h"
#include "core/view_int.h"

#define LONG_MS 600000u /* of the index recording_long */

static void add_times(struct view *v, json_t *segment, uint64_t started_us)
{
    uint64_t from = (uint64_t)json_integer_value(json_object_get(segment, "from_ms")),
             to = (uint64_t)json_integer_value(json_object_get(segment, "to_ms"));
    view_set(v, segment, "from", view_time(started_us + from * 1000u));
    view_set(v, segment, "to", view_time(started_us + to * 1000u));
}

/* Each agent once, in the order in which they came; of a call that still goes on the first one. */
static json_t *agents_of(const json_t *segments, const char *first)
{
    json_t *seen = json_object(), *out = json_array();
    const json_t *one;
    size_t i;
    if (first[0] && json_object_set_new(seen, first, json_true()) == 0)
        (void)json_array_append_new(out, json_string(first));
    json_array_foreach(segments, i, one)
    {
        const char *agent = json_string_value(json_object_get(one, "agent"));
        if (agent && agent[0] && !json_object_get(seen, agent) && json_object_set_new(seen, agent, json_true()) == 0)
            (void)json_array_append_new(out, json_string(agent));
    }
    json_decref(seen);
    return out;
}

static json_t *file_of(const struct storage_row *r, int column)
{
    const char *sha256 = storage_row_text(r, column);
    return sha256[0] ? json_pack("{s:s,s:I}", "sha256", sha256, "bytes", (json_int_t)storage_row_int(r, column + 1))
                     : json_null();
}

/* What it is heard as when nobody asks for one or the other: the WAV file while there is one. */
static void add_files(struct view *v, json_t *o, const struct storage_row *r)
{
    int first = storage_row_text(r, 15)[0] ? 15 : 17;
    view_set(v, o, "format", json_string(first == 15 ? "wav" : "mp3"));
    view_set(v, o, "sha256", json_string(storage_row_text(r, first)));
    view_set(v, o, "bytes", json_integer((json_int_t)storage_row_int(r, first + 1)));
    view_set(v, o, "wav", file_of(r, 15));
    view_set(v, o, "mp3", file_of(r, 17));
}

static int recording_row(void *ctx, const struct storage_row *r)
{
    static const char *const texts[] = {"direction", "caller", "called", "answered_by",
                                        "agent",     "queue",  "rule",   "customer"};
    struct view *v = ctx;
    json_t *o = json_object(), *one;
    char id[17], key[24];
    size_t n;
    uint64_t started_us = storage_row_int(r, 0);
    (void)snprintf(key, sizeof key, "%llu", (unsigned long long)started_us);
    view_id(storage_row_int(r, 1), id);
    view_set(v, o, "recording_id", json_string(id));
    view_set(v, o, "call_id", json_string(id));
    for (int i = 0; i < 8; i++)
        view_set(v, o, texts[i], view_text(storage_row_text(r, 2 + i)));
    view_set(v, o, "started_at", view_time(started_us));
    view_set(v, o, "duration_ms", json_integer((json_int_t)storage_row_int(r, 10)));
    view_set(v, o, "hold", json_boolean(storage_row_int(r, 11) != 0));
    view_set(v, o, "marked", json_boolean(storage_row_int(r, 12) != 0));
    add_files(v, o, r);
    json_t *gaps = json_loads(storage_row_text(r, 13), 0, NULL), *parts = json_loads(storage_row_text(r, 14), 0, NULL);
    json_array_foreach(parts, n, one) add_times(v, one, started_us);
    view_set(v, o, "gaps", gaps ? gaps : json_array());
    view_set(v, o, "agents", agents_of(parts, storage_row_text(r, 6)));
    view_set(v, o, "segments", parts ? parts : json_array());
    return view_add(v, o, key);
}

#define COLUMNS                                                                                       \
    "SELECT r.started_us, id, direction, caller, called, answered_by, agent, queue, rule, customer, " \
    "duration_ms, hold, marked, gaps, segments, blob, bytes, mp3, mp3_bytes FROM "

/* ---- finding */

enum value { TEXT, NUMBER, TIME, FEW }; /* FEW: true for few, whose index is of the word itself */

static const struct condition {
    const char *filter;
    enum value value;
    enum core_recording_key key; /* 0: none */
    const char *cond;            /* of the row, or of its time; NULL: the key says all */
} conditions[] = {
    {"agent", TEXT, CORE_RECORDING_AGENT, NULL},
    {"customer", TEXT, CORE_RECORDING_CUSTOMER, NULL},
    {"number", TEXT, CORE_RECORDING_NUMBER, NULL},
    {"caller", TEXT, CORE_RECORDING_NUMBER, "caller=?"},
    {"answered_by", TEXT, CORE_RECORDING_NUMBER, "answered_by=?"},
    {"called", TEXT, CORE_RECORDING_NUMBER, "called=?"},
    {"queue", TEXT, CORE_RECORDING_QUEUE, NULL},
    {"direction", TEXT, 0, "direction=?"},
    {"rule", TEXT, 0, "rule=?"},
    {"hold", FEW, 0, "hold"},
    {"marked", FEW, 0, "marked"},
    {"min_duration_ms", NUMBER, 0, "duration_ms>=?"},
    {"max_duration_ms", NUMBER, 0, "duration_ms<=?"},
    {"from", TIME, 0, ">=?"},
    {"to", TIME, 0, "<?"},
};
#define CONDITIONS (sizeof conditions / sizeof *conditions)

struct find {
    char sql[2048];
    struct storage_val vals[2 * CONDITIONS + 4];
    unsigned n;
    const struct condition *leads;
};

static void and_also(struct find *f, const char *cond)
{
    (void)strcat(f->sql, " AND "); /* bounded: each condition at most once, all are ours */
    (void)strcat(f->sql, cond);
}

static void and_time(struct find *f, const char *cond, uint64_t us)
{
    and_also(f, f->leads ? "k.started_us" : "r.started_us");
    (void)strcat(f->sql, cond);
    f->vals[f->n++] = storage_int(us);
}

static void and_key(struct find *f, const struct condition *c, const char *text)
{
    if (f->leads == c)
        return;
    and_also(f, "EXISTS (SELECT 1 FROM recording_key x WHERE x.started_us=r.started_us AND x.kind=? AND x.value=?)");
    f->vals[f->n++] = storage_int((uint64_t)c->key);
    f->vals[f->n++] = storage_text(text);
}

static int and_number(struct view *v, struct find *f, const struct condition *c, const char *text)
{
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len > 15 || text[len])
        return err_set(v->info, ERR_INVAL, c->filter, "must be a number");
    uint64_t ms = strtoull(text, NULL, 10);
    if (strcmp(c->filter, "min_duration_ms") == 0 && ms >= LONG_MS)
        and_also(f, "duration_ms>=600000");
    and_also(f, c->cond);
    f->vals[f->n++] = storage_int(ms);
    return 0;
}

static int and_few(struct view *v, struct find *f, const struct condition *c, const char *text)
{
    bool yes = strcmp(text, "true") == 0;
    if (!yes && strcmp(text, "false") != 0)
        return err_set(v->info, ERR_INVAL, c->filter, "must be true or false");
    and_also(f, c->cond);
    (void)strcat(f->sql, yes ? "=1" : "=0");
    return 0;
}

static int and_condition(struct view *v, struct find *f, const struct condition *c, const char *text)
{
    uint64_t us = 0;
    if (c->key && !c->cond) {
        and_key(f, c, text);
        return 0;
    }
    if (c->value == NUMBER)
        return and_number(v, f, c, text);
    if (c->value == FEW)
        return and_few(v, f, c, text);
    if (c->value == TIME) {
        (void)config_parse_time(text, &us); /* checked before */
        and_time(f, c->cond, us);
        return 0;
    }
    and_also(f, c->cond);
    f->vals[f->n++] = storage_text(text);
    return 0;
}

static void begin(struct view *v, struct find *f)
{
    for (size_t i = 0; i < CONDITIONS && !f->leads; i++)
        if (conditions[i].key && view_filter(v, conditions[i].filter))
            f->leads = &conditions[i];
    (void)strcpy(f->sql, COLUMNS);
    if (!f->leads) {
        (void)strcat(f->sql, "recording r WHERE state=1");
        return;
    }
    (void)strcat(f->sql, "recording_key k CROSS JOIN recording r ON r.started_us=k.started_us"
                         " WHERE k.kind=? AND k.value=? AND state=1");
    f->vals[f->n++] = storage_int((uint64_t)f->leads->key);
    f->vals[f->n++] = storage_text(view_filter(v, f->leads->filter));
}

int view_list_recordings(struct view *v)
{
    struct find f = {.n = 0};
    uint64_t id;
    if (v->q->key) {
        if (!view_parse_id(v->q->key, &id))
            return 0;
        const struct storage_val val = storage_int(id);
        return storage_reader_query(v->r, COLUMNS "recording r WHERE state=1 AND id=?", &val, 1, recording_row, v);
    }
    begin(v, &f);
    if (v->after[0])
        and_time(&f, "<?", strtoull(v->after, NULL, 10));
    for (size_t i = 0; i < CONDITIONS; i++) {
        const char *text = view_filter(v, conditions[i].filter);
        int err = text ? and_condition(v, &f, &conditions[i], text) : 0;
        if (err)
            return err;
    }
    (void)strcat(f.sql, f.leads ? " ORDER BY k.started_us DESC" : " ORDER BY r.started_us DESC");
    return storage_reader_query(v->r, f.sql, f.vals, f.n, recording_row, v);
}
