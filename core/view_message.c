/* Messages that callers have left, as JSON, and the blobs of messages and recordings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/view_int.h"

/* What is told of it outside, and what became of that. */
static json_t *deliveries(struct view *v, const char *text)
{
    json_t *list = json_loads(text, 0, NULL), *d;
    size_t i;
    json_array_foreach(list, i, d)
    {
        uint64_t due = (uint64_t)json_integer_value(json_object_get(d, "due"));
        uint64_t at = (uint64_t)json_integer_value(json_object_get(d, "at"));
        (void)json_object_del(d, "due");
        (void)json_object_del(d, "at");
        view_set(v, d, "due_at", view_time(due));
        view_set(v, d, "changed_at", view_time(at));
    }
    return list;
}

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
    view_set(v, o, "note", view_text(storage_row_text(r, 13)));
    view_set(v, o, "deliveries", deliveries(v, storage_row_text(r, 14)));
    return view_add(v, o, key);
}

#define COLUMNS                                                                                                    \
    "SELECT started_us, id, call_id, box, caller, called, queue, flow, blob, lead_ms, duration_ms, bytes, heard"   \
    ", note, (SELECT json_group_array(json_object('kind', CASE kind WHEN 1 THEN 'email' ELSE 'hook' END, 'state'," \
    " CASE d.state WHEN 0 THEN 'pending' WHEN 1 THEN 'done' ELSE 'given_up' END, 'node', d.owner, 'tries', tries," \
    " 'due', due_us, 'at', at_us, 'reason', why)) FROM delivery d WHERE d.message=message.id)"                     \
    " FROM message WHERE state=1"

static const struct kept_condition {
    const char *filter, *cond;
} conditions[] = {
    {"box", " AND box=?"},          {"queue", " AND queue=?"},     {"caller", " AND caller=?"},
    {"called", " AND called=?"},    {"call_id", " AND call_id=?"}, {"heard", " AND heard=?"},
    {"from", " AND started_us>=?"}, {"to", " AND started_us<?"},
};
#define CONDITIONS (sizeof conditions / sizeof *conditions)

/* What was checked before has a value; false: one that no row can have. */
static bool value_of(const char *filter, const char *text, struct storage_val *out)
{
    uint64_t n = 0;
    if (strcmp(filter, "heard") == 0) {
        *out = storage_int(strcmp(text, "true") == 0);
        return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
    }
    if (strcmp(filter, "from") == 0 || strcmp(filter, "to") == 0) {
        *out = storage_int(config_parse_time(text, &n) == 0 ? n : 0);
        return true;
    }
    if (strcmp(filter, "call_id") == 0) {
        bool ok = view_parse_id(text, &n);
        *out = storage_int(n);
        return ok;
    }
    *out = storage_text(text);
    return true;
}

/* Newest first: rows are numbered by when they began. */
int view_list_messages(struct view *v)
{
    char sql[2048] = COLUMNS;
    struct storage_val vals[1 + CONDITIONS];
    unsigned n = 0;
    uint64_t id;
    if (v->q->key) {
        if (!view_parse_id(v->q->key, &id))
            return 0;
        const struct storage_val val = storage_int(id);
        return storage_reader_query(v->r, COLUMNS " AND id=?", &val, 1, message_row, v);
    }
    if (v->after[0]) {
        (void)strcat(sql, " AND started_us<?");
        vals[n++] = storage_int(strtoull(v->after, NULL, 10));
    }
    if (!view_filter(v, "box")) /* greetings are asked for by name */
        (void)strcat(sql, " AND box NOT GLOB 'greeting:*'");
    for (size_t i = 0; i < CONDITIONS; i++) {
        const char *text = view_filter(v, conditions[i].filter);
        if (!text)
            continue;
        if (!value_of(conditions[i].filter, text, &vals[n]))
            return err_set(v->info, ERR_INVAL, conditions[i].filter, "must be true or false");
        (void)strcat(sql, conditions[i].cond); /* bounded: each at most once, all are ours */
        n++;
    }
    (void)strcat(sql, " ORDER BY started_us DESC");
    return storage_reader_query(v->r, sql, vals, n, message_row, v);
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
        r,
        "SELECT blob FROM message WHERE state=1 UNION ALL SELECT blob FROM recording WHERE state=1 AND blob<>''"
        " UNION ALL SELECT mp3 FROM recording WHERE state=1 AND mp3<>''",
        NULL, 0, blob_row, &w);
}

/* ---- what is in a box */

static int numbers_row(void *ctx, const struct storage_row *row)
{
    json_int_t *n = ctx;
    for (int i = 0; i < 4; i++)
        n[i] = (json_int_t)storage_row_int(row, i);
    return 1;
}

int view_mailbox_now(struct view *v, json_t *o, const char *box)
{
    static const char *const names[] = {"new_messages", "old_messages", "pending_deliveries", "given_up_deliveries"};
    const struct storage_val val = storage_text(box);
    json_int_t n[4] = {0};
    int err = storage_reader_query(
        v->r,
        "SELECT coalesce(sum(heard=0), 0), coalesce(sum(heard<>0), 0),"
        " (SELECT count(*) FROM delivery d JOIN message m ON m.id=d.message WHERE m.box=?1 AND d.state=0),"
        " (SELECT count(*) FROM delivery d JOIN message m ON m.id=d.message WHERE m.box=?1 AND d.state=2)"
        " FROM message WHERE box=?1 AND state=1",
        &val, 1, numbers_row, n);
    for (int i = 0; i < 4; i++)
        view_set(v, o, names[i], json_integer(n[i]));
    return err < 0 ? err : v->err;
}
