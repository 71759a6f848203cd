/* Missed calls, one by one and counted (core_missed.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/scope.h"
#include "core/view_int.h"

#define FROM_MISSED " FROM missed m JOIN cdr ON cdr.seq = m.seq WHERE 1"

struct where {
    char sql[1024];
    struct storage_val vals[12];
    unsigned n;
};

static void add(struct where *w, const char *cond, const struct storage_val *val)
{
    (void)strcat(w->sql, " AND "); /* bounded: each filter at most once, all names are ours */
    (void)strcat(w->sql, cond);
    if (val)
        w->vals[w->n++] = *val;
}

static void filters(struct view *v, struct where *w)
{
    static const struct {
        const char *name, *cond;
    } texts[] = {{"kind", "m.kind=?"}, {"queue", "cdr.queue=?"}, {"agent", "m.rung=?"}, {"caller", "cdr.caller=?"}},
      times[] = {{"from", "cdr.ended_us>=?"}, {"to", "cdr.ended_us<?"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *text = view_filter(v, texts[i].name);
        const struct storage_val val = storage_text(text ? text : "");
        if (text)
            add(w, texts[i].cond, &val);
    }
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        const char *text = view_filter(v, times[i].name);
        uint64_t us = 0;
        if (!text || config_parse_time(text, &us) != 0) /* checked before */
            continue;
        const struct storage_val val = storage_int(us);
        add(w, times[i].cond, &val);
    }
    if (v->q->scope) { /* of a supervisor: his queues and agents */
        const struct storage_val queues = storage_text(view_scope_queues_json(v->q->scope));
        add(w, "(cdr.queue IN (SELECT value FROM json_each(?))", &queues);
        (void)strcat(w->sql, " OR m.rung IN (SELECT value FROM json_each(?)))");
        w->vals[w->n++] = storage_text(view_scope_agents_json(v->q->scope));
    }
    const char *reached = view_filter(v, "reached");
    if (reached)
        add(w, strcmp(reached, "true") == 0 ? "m.reached_us>0" : "m.reached_us=0", NULL);
}

static int missed_row(void *ctx, const struct storage_row *r)
{
    static const char *const texts[] = {"kind", "caller", "called", "queue", "flow", "agent", "cause"};
    struct view *v = ctx;
    json_t *o = json_object();
    char id[17], key[24];
    view_id(storage_row_int(r, 1), id);
    (void)snprintf(key, sizeof key, "%llu", (unsigned long long)storage_row_int(r, 0));
    view_set(v, o, "call_id", json_string(id));
    for (int i = 0; i < 7; i++)
        view_set(v, o, texts[i], view_text(storage_row_text(r, 2 + i)));
    uint64_t arrived = storage_row_int(r, 9), ended = storage_row_int(r, 10);
    view_set(v, o, "arrived_at", view_time(arrived));
    view_set(v, o, "ended_at", view_time(ended));
    view_set(v, o, "duration_ms", json_integer(ended > arrived ? (json_int_t)((ended - arrived) / 1000) : 0));
    view_set(v, o, "call_backs", json_integer((json_int_t)storage_row_int(r, 11)));
    view_set(v, o, "called_back_by", view_text(storage_row_text(r, 12)));
    view_set(v, o, "called_back_at", view_time(storage_row_int(r, 13)));
    view_set(v, o, "reached_by", view_text(storage_row_text(r, 14)));
    view_set(v, o, "reached_at", view_time(storage_row_int(r, 15)));
    return view_add(v, o, key);
}

int view_list_missed(struct view *v)
{
    struct where w = {.sql = "SELECT m.seq, cdr.call_id, m.kind, cdr.caller, cdr.called, cdr.queue, cdr.flow, m.rung,"
                             " cdr.cause, cdr.arrived_us, cdr.ended_us, m.backs, m.back_by, m.back_us, m.reached_by,"
                             " m.reached_us" FROM_MISSED};
    const struct storage_val after = storage_int(strtoull(v->after, NULL, 10));
    if (v->after[0])
        add(&w, "m.seq < ?", &after);
    filters(v, &w);
    (void)strcat(w.sql, " ORDER BY m.seq DESC");
    return storage_reader_query(v->r, w.sql, w.vals, w.n, missed_row, v);
}

static int count_row(void *ctx, const struct storage_row *r)
{
    struct view *v = ctx;
    json_t *o = json_object();
    view_set(v, o, "kind", view_text(storage_row_text(r, 0)));
    view_set(v, o, "calls", json_integer((json_int_t)storage_row_int(r, 1)));
    view_set(v, o, "called_back", json_integer((json_int_t)storage_row_int(r, 2)));
    view_set(v, o, "reached", json_integer((json_int_t)storage_row_int(r, 3)));
    return view_add(v, o, storage_row_text(r, 0));
}

int view_list_missed_counts(struct view *v)
{
    struct where w = {.sql = "SELECT m.kind, count(*), sum(m.backs>0), sum(m.reached_us>0)" FROM_MISSED};
    const struct storage_val after = storage_text(v->after);
    if (v->after[0])
        add(&w, "m.kind > ?", &after);
    filters(v, &w);
    (void)strcat(w.sql, " GROUP BY m.kind ORDER BY m.kind");
    return storage_reader_query(v->r, w.sql, w.vals, w.n, count_row, v);
}
