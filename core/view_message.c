/* Messages that callers have left, and recordings of calls, as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/view_int.h"

static int message_row(void *ctx, const struct storage_row *r)
{
    static const char *const texts[] = {"box", "caller", "called", "queue", "flow", "sha256"};
    struct view *v = ctx;
    json_t *o = json_object();
    char id[17], key[24];
    (void)snprintf(key, sizeof key, "%llu", (unsigned long long)storage_row_int(r, 0));
    view_id(storage_row_int(r, 1), id);
    view_set(v, o, "message_id", json_string(id));
    view_id(storage_row_int(r, 2), id);
    view_set(v, o, "call_id", json_string(id));
    for (int i = 0; i < 6; i++)
        view_set(v, o, texts[i], view_text(storage_row_text(r, 3 + i)));
    view_set(v, o, "started_at", view_time(storage_row_int(r, 0) + storage_row_int(r, 9) * 1000u));
    view_set(v, o, "duration_ms", json_integer((json_int_t)storage_row_int(r, 10)));
    view_set(v, o, "bytes", json_integer((json_int_t)storage_row_int(r, 11)));
    view_set(v, o, "heard", json_boolean(storage_row_int(r, 12) != 0));
    return view_add(v, o, key);
}

#define COLUMNS                                                                                                  \
    "SELECT started_us, id, call_id, box, caller, called, queue, flow, blob, lead_ms, duration_ms, bytes, heard" \
    " FROM message WHERE state=1"

/* Newest first: rows are numbered by when they began. */
struct kept {
    const char *columns; /* up to a condition */
    struct kept_condition {
        const char *filter, *cond;
    } conditions[12];
    storage_row_fn *row;
};

/* What was checked before has a value; false: one that no row can have. */
static bool value_of(const char *filter, const char *text, struct storage_val *out)
{
    uint64_t n = 0;
    if (strcmp(filter, "heard") == 0 || strcmp(filter, "hold") == 0) {
        *out = storage_int(strcmp(text, "true") == 0);
        return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
    }
    if (strcmp(filter, "from") == 0 || strcmp(filter, "to") == 0) {
        *out = storage_int(config_parse_time(text, &n) == 0 ? n : 0);
        return true;
    }
    if (strcmp(filter, "min_duration_ms") == 0) {
        size_t len = strspn(text, "0123456789");
        *out = storage_int(strtoull(text, NULL, 10));
        return len > 0 && len < 16 && !text[len];
    }
    if (strcmp(filter, "call_id") == 0) {
        bool ok = view_parse_id(text, &n);
        *out = storage_int(n);
        return ok;
    }
    *out = storage_text(text);
    return true;
}

static int list_kept(struct view *v, const struct kept *k)
{
    char sql[768];
    struct storage_val vals[1 + sizeof k->conditions / sizeof k->conditions[0]];
    unsigned n = 0;
    uint64_t id;
    (void)snprintf(sql, sizeof sql, "%s", k->columns);
    if (v->q->key) {
        if (!view_parse_id(v->q->key, &id))
            return 0;
        const struct storage_val val = storage_int(id);
        (void)strcat(sql, " AND id=?");
        return storage_reader_query(v->r, sql, &val, 1, k->row, v);
    }
    if (v->after[0]) {
        (void)strcat(sql, " AND started_us<?");
        vals[n++] = storage_int(strtoull(v->after, NULL, 10));
    }
    for (const struct kept_condition *c = k->conditions; c->filter; c++) {
        const char *text = view_filter(v, c->filter);
        if (!text)
            continue;
        if (!value_of(c->filter, text, &vals[n]))
            return err_set(v->info, ERR_INVAL, c->filter,
                           strcmp(c->filter, "min_duration_ms") == 0 ? "must be a number" : "must be true or false");
        (void)strcat(sql, c->cond); /* bounded: each at most once, all are ours */
        n++;
    }
    (void)strcat(sql, " ORDER BY started_us DESC");
    return storage_reader_query(v->r, sql, vals, n, k->row, v);
}

int view_list_messages(struct view *v)
{
    static const struct kept messages = {
        COLUMNS,
        {{"box", " AND box=?"},
         {"queue", " AND queue=?"},
         {"caller", " AND caller=?"},
         {"called", " AND called=?"},
         {"call_id", " AND call_id=?"},
         {"heard", " AND heard=?"},
         {"from", " AND started_us>=?"},
         {"to", " AND started_us<?"}},
        message_row,
    };
    return list_kept(v, &messages);
}

/* ---- recordings of calls */

static int recording_row(void *ctx, const struct storage_row *r)
{
    static const char *const texts[] = {"direction", "caller", "called", "answered_by",
                                        "agent",     "queue",  "rule",   "sha256"};
    struct view *v = ctx;
    json_t *o = json_object();
    char id[17], key[24];
    (void)snprintf(key, sizeof key, "%llu", (unsigned long long)storage_row_int(r, 0));
    view_id(storage_row_int(r, 1), id);
    view_set(v, o, "recording_id", json_string(id));
    view_set(v, o, "call_id", json_string(id));
    for (int i = 0; i < 8; i++)
        view_set(v, o, texts[i], view_text(storage_row_text(r, 2 + i)));
    view_set(v, o, "started_at", view_time(storage_row_int(r, 0)));
    view_set(v, o, "duration_ms", json_integer((json_int_t)storage_row_int(r, 10)));
    view_set(v, o, "bytes", json_integer((json_int_t)storage_row_int(r, 11)));
    view_set(v, o, "hold", json_boolean(storage_row_int(r, 12) != 0));
    json_t *gaps = json_loads(storage_row_text(r, 13), 0, NULL);
    view_set(v, o, "gaps", gaps ? gaps : json_array());
    return view_add(v, o, key);
}

int view_list_recordings(struct view *v)
{
    static const struct kept recordings = {
        "SELECT started_us, id, direction, caller, called, answered_by, agent, queue, rule, blob, duration_ms, bytes, "
        "hold,"
        " gaps FROM recording WHERE state=1",
        {{"direction", " AND direction=?"},
         {"caller", " AND caller=?"},
         {"called", " AND called=?"},
         {"answered_by", " AND answered_by=?"},
         {"agent", " AND agent=?"},
         {"queue", " AND queue=?"},
         {"rule", " AND rule=?"},
         {"hold", " AND hold=?"},
         {"min_duration_ms", " AND duration_ms>=?"},
         {"from", " AND started_us>=?"},
         {"to", " AND started_us<?"}},
        recording_row,
    };
    return list_kept(v, &recordings);
}

struct blob_walk {
    int (*fn)(void *ctx, const char *sha256);
    void *ctx;
};

static int blob_row(void *ctx, const struct storage_row *row)
{
    const struct blob_walk *w = ctx;
    return w->fn(w->ctx, storage_row_text(row, 0));
}

int view_message_blobs(struct storage_reader *r, int (*fn)(void *ctx, const char *sha256), void *ctx)
{
    struct blob_walk w = {fn, ctx};
    return storage_reader_query(
        r, "SELECT blob FROM message WHERE state=1 UNION ALL SELECT blob FROM recording WHERE state=1", NULL, 0,
        blob_row, &w);
}
