/* What callers did in a flow, counted from the records of their calls: each ended once, whatever became of its nodes. */
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "core/config_json.h"

#define STATS_RECORDS_MAX 50000u /* the newest of the time asked for */

static int add(json_t *o, const char *key, json_int_t n)
{
    return json_object_set_new(o, key, json_integer(json_integer_value(json_object_get(o, key)) + n));
}

/* "2026-11-22T09:14:03.5Z" of the beginning, cut to the hour or the day. */
static void period_of(const json_t *record, const char *by, char out[24])
{
    const char *at = json_string_value(json_object_get(record, "menu_at"));
    out[0] = '\0';
    if (at && strlen(at) > 13 && strcmp(by, "hour") == 0)
        snprintf(out, 24, "%.13s:00:00Z", at);
    else if (at && strlen(at) > 13 && strcmp(by, "day") == 0)
        snprintf(out, 24, "%.10sT00:00:00Z", at);
}

/* Rows by period and node, in a map of their key. */
static json_t *row_of(json_t *rows, const char *period, const char *node)
{
    char key[192];
    snprintf(key, sizeof key, "%s %.150s", period, node);
    json_t *row = json_object_get(rows, key);
    if (row)
        return row;
    row = json_pack("{s:s, s:s, s:i, s:i, s:i, s:{}}", "period", period, "node", node, "entered", 0, "ms", 0, "ended",
                    0, "left");
    return json_object_set_new(rows, key, row) ? NULL : row;
}

static int count_step(json_t *rows, const char *period, const json_t *step)
{
    const char *node = json_string_value(json_object_get(step, "node"));
    const char *by = json_string_value(json_object_get(step, "by"));
    json_t *row = row_of(rows, period, node ? node : "");
    if (!row || !by)
        return ERR_NOMEM;
    int err = add(row, "entered", 1) | add(row, "ms", json_integer_value(json_object_get(step, "ms")));
    if (strcmp(by, "end") == 0)
        err |= add(row, "ended", 1);
    else if (by[0])
        err |= add(json_object_get(row, "left"), by, 1);
    return err ? ERR_NOMEM : 0;
}

struct stats {
    json_t *rows;
    size_t calls, seen;
    const char *by;
};

static int count_page(struct stats *s, const json_t *page)
{
    size_t i, k;
    json_t *record, *step;
    int err = 0;
    json_array_foreach(json_object_get(page, "items"), i, record)
    {
        const json_t *menu = json_object_get(record, "menu");
        char period[24];
        period_of(record, s->by, period);
        s->seen++;
        s->calls += json_array_size(menu) > 0;
        json_array_foreach(menu, k, step)
        {
            err = err ? err : count_step(s->rows, period, step);
        }
    }
    return err;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* By period, then by node. */
static json_t *in_order(json_t *rows)
{
    size_t n = json_object_size(rows), i = 0;
    const char **keys = calloc(n + 1, sizeof *keys), *key;
    json_t *list = keys ? json_array() : NULL, *row;
    json_object_foreach(rows, key, row)
    {
        if (keys)
            keys[i++] = key;
    }
    if (keys && n)
        qsort(keys, n, sizeof *keys, by_key);
    for (i = 0; list && i < n; i++)
        if (json_array_append(list, json_object_get(rows, keys[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    free(keys);
    return list;
}

/* Pages of records, the newest first. */
static bool count_all(struct api_request *q, struct stats *s, json_t *filter)
{
    char cursor[160] = "";
    for (;;) {
        struct view_query vq = {
            .kind = "cdr", .limit = VIEW_LIMIT_MAX, .filter = filter, .cursor = cursor[0] ? cursor : NULL};
        json_t *page = NULL;
        if (!api_view(q, &vq, &page))
            return false;
        const char *next = json_string_value(json_object_get(page, "next_cursor"));
        bool more = next && strlen(next) < sizeof cursor && s->seen < STATS_RECORDS_MAX;
        if (more)
            strcpy(cursor, next);
        int err = count_page(s, page);
        json_decref(page);
        if (err)
            api_fail_code(q, err, NULL, "out of memory");
        if (err || !more)
            return err == 0;
    }
}

void api_flow_stats(struct api_request *q)
{
    const char *by = api_query(q, "by"), *from = api_query(q, "from"), *to = api_query(q, "to");
    struct stats s = {.rows = json_object(), .by = by ? by : ""};
    json_t *filter = json_pack("{s:s, s:s*, s:s*}", "flow", q->params[0], "from", from, "to", to), *items = NULL;
    struct err_info info;
    if (by && strcmp(by, "hour") != 0 && strcmp(by, "day") != 0) {
        (void)err_set(&info, ERR_INVAL, "by", "must be hour or day");
        api_fail_status(q, 400, &info);
    } else if (!s.rows || !filter) {
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
    } else if (count_all(q, &s, filter)) {
        items = in_order(s.rows);
        api_reply(q, 200,
                  items ? json_pack("{s:s, s:I, s:b, s:O}", "name", q->params[0], "calls", (json_int_t)s.calls,
                                    "truncated", s.seen >= STATS_RECORDS_MAX, "items", items)
                        : NULL);
    }
    json_decref(items);
    json_decref(filter);
    json_decref(s.rows);
}
