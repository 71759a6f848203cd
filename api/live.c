/* The live lists as a stream: server-sent events, first `everline.live.snapshot` with all rows, then `everline.live.changed` with those that
 * are new or different, and the keys of those that are gone.
 *
 * One board for the server has the rows as they were read last, at most every LIVE_EVERY_US and only while somebody looks; a row that has
 * changed gets a new serial. A stream remembers which serial of which row it has sent. What there is to send follows from the two when its
 * connection takes more: a slow client gets fewer and larger changes, and nothing is queued for it. A list has API_LIVE_ROWS_MAX rows at
 * most; beyond that it is said to be truncated. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"

#define LIVE_EVERY_US 200000
#define LISTS 3

static const struct list {
    const char *kind, *name, *key;
} lists[LISTS] = {
    {"live_agent", "agents", "number"}, {"live_waiting", "waiting", "call_id"}, {"live_queue", "queues", "name"}};

struct row {
    char *text;
    json_t *json;
    uint64_t serial;
    bool seen;
};

struct api_board {
    struct api_server *s;
    struct map rows[LISTS];    /* key -> struct row */
    struct row **order[LISTS]; /* as the view has them */
    size_t n[LISTS];
    bool truncated;
    uint64_t serial, index;
    uint64_t managed; /* changes with the configuration of agents and queues: scopes are to be read anew */
    lws_usec_t read_at;
    bool due;
    unsigned n_streams;
    lws_sorted_usec_list_t timer;
};

struct api_live {
    struct api_board *b;
    struct map told[LISTS]; /* key -> serial */
    bool begun;
    uint64_t managed;
};

static void row_free(struct row *r)
{
    free(r->text);
    json_decref(r->json);
    free(r);
}

/* ---- the board */

static int take_row(struct api_board *b, unsigned list, json_t *item)
{
    const char *key = json_string_value(json_object_get(item, lists[list].key));
    char *text = key ? json_dumps(item, JSON_COMPACT) : NULL;
    struct row *r = text ? map_get(&b->rows[list], key) : NULL;
    if (!text)
        return ERR_NOMEM;
    if (!r) {
        r = calloc(1, sizeof *r);
        if (!r || map_set(&b->rows[list], key, r) != 0) {
            free(r);
            free(text);
            return ERR_NOMEM;
        }
    }
    if (!r->text || strcmp(r->text, text) != 0) {
        free(r->text);
        json_decref(r->json);
        r->text = text;
        r->json = json_incref(item);
        r->serial = ++b->serial;
    } else {
        free(text);
    }
    if (!r->seen) /* else seen twice: he has moved while the list was read */
        b->order[list][b->n[list]++] = r;
    r->seen = true;
    return 0;
}

static int read_list(struct api_board *b, unsigned list)
{
    char cursor[400] = "";
    bool more = true;
    int err = 0;
    b->n[list] = 0;
    while (more && !err) {
        struct view_query q = {.kind = lists[list].kind, .limit = 500, .cursor = cursor[0] ? cursor : NULL};
        struct err_info info = {.code = 0};
        json_t *out = NULL, *item;
        size_t i;
        err = view_read(b->s->reader, &q, &out, &info);
        json_array_foreach(json_object_get(out, "items"), i, item)
        {
            if (!err && b->n[list] < API_LIVE_ROWS_MAX)
                err = take_row(b, list, item);
        }
        const char *next = json_string_value(json_object_get(out, "next_cursor"));
        more = next && b->n[list] < API_LIVE_ROWS_MAX;
        b->truncated |= next && !more;
        snprintf(cursor, sizeof cursor, "%s", next ? next : "");
        if (list == 0)
            b->index = (uint64_t)json_integer_value(json_object_get(out, "index"));
        json_decref(out);
    }
    return err;
}

static void sweep(struct map *rows, bool drop)
{
    const struct map_slot *slot;
    for (size_t it = 0; map_next(rows, &it, &slot);) {
        struct row *r = slot->value;
        if (drop && !r->seen) {
            (void)map_del(rows, slot->skey);
            row_free(r);
        } else if (!drop) {
            r->seen = false;
        }
    }
}

static int managed_row(void *ctx, const struct storage_row *r)
{
    *(uint64_t *)ctx = storage_row_int(r, 0) * 31 + storage_row_int(r, 1);
    return 0;
}

static int board_read(struct api_board *b)
{
    const struct storage_val kinds[] = {storage_int(CFG_AGENT), storage_int(CFG_QUEUE)};
    int err = storage_reader_query(b->s->reader,
                                   "SELECT coalesce(max(version), 0), count(*) FROM config WHERE kind IN (?, ?)", kinds,
                                   2, managed_row, &b->managed);
    b->truncated = false;
    for (unsigned i = 0; i < LISTS; i++)
        sweep(&b->rows[i], false);
    for (unsigned i = 0; i < LISTS && !err; i++)
        err = read_list(b, i);
    for (unsigned i = 0; i < LISTS && !err; i++)
        sweep(&b->rows[i], true);
    b->read_at = err ? 0 : lws_now_usecs();
    return err;
}

static void on_timer(lws_sorted_usec_list_t *sul)
{
    struct api_board *b = lws_container_of(sul, struct api_board, timer);
    b->due = false;
    if (b->n_streams && board_read(b) == 0)
        api_streams_live(b->s);
    else if (b->n_streams)
        api_board_news(b->s); /* the database could not be read: again */
}

void api_board_news(struct api_server *s)
{
    struct api_board *b = s->board;
    if (!b || !b->n_streams || b->due)
        return;
    lws_usec_t away = b->read_at + LIVE_EVERY_US - lws_now_usecs();
    b->due = true;
    lws_sul_schedule(s->lws, 0, &b->timer, on_timer, away > 1 ? away : 1);
}

static int board_make(struct api_server *s)
{
    struct api_board *b = s->board;
    if (!b) {
        b = calloc(1, sizeof *b);
        if (!b)
            return ERR_NOMEM;
        b->s = s;
        for (unsigned i = 0; i < LISTS; i++) {
            map_init(&b->rows[i]);
            b->order[i] = calloc(API_LIVE_ROWS_MAX, sizeof(struct row *));
        }
        s->board = b;
        if (!b->order[0] || !b->order[1] || !b->order[2]) {
            api_board_free(s);
            return ERR_NOMEM;
        }
    }
    /* What was read for nobody is old. */
    return b->n_streams && b->read_at ? 0 : board_read(b);
}

void api_board_stop(struct api_server *s)
{
    if (s->board)
        lws_sul_schedule(s->lws, 0, &s->board->timer, NULL, LWS_SET_TIMER_USEC_CANCEL);
}

void api_board_free(struct api_server *s)
{
    struct api_board *b = s->board;
    if (!b)
        return;
    for (unsigned i = 0; i < LISTS; i++) {
        const struct map_slot *slot;
        for (size_t it = 0; map_next(&b->rows[i], &it, &slot);)
            row_free(slot->value);
        map_free(&b->rows[i]);
        free(b->order[i]);
    }
    free(b);
    s->board = NULL;
}

/* ---- a stream */

void api_live_free(struct api_live *l)
{
    if (!l)
        return;
    for (unsigned i = 0; i < LISTS; i++)
        map_free(&l->told[i]);
    l->b->n_streams--;
    free(l);
}

int api_live_new(struct api_server *s, struct api_live **out)
{
    int err = s->board && s->board->n_streams >= API_LIVE_STREAMS_MAX ? ERR_BUSY : board_make(s);
    struct api_live *l = err ? NULL : calloc(1, sizeof *l);
    if (!l)
        return err ? err : ERR_NOMEM;
    for (unsigned i = 0; i < LISTS; i++)
        map_init(&l->told[i]);
    l->b = s->board;
    l->b->n_streams++;
    *out = l;
    return 0;
}

/* A supervisor's: what is managed as of the board. ERR_DENIED: none any more. */
static int follow_scope(struct api_live *l, struct api_request *q)
{
    struct view_scope *now = NULL;
    struct err_info info;
    if (!q->scope || l->managed == l->b->managed)
        return 0;
    int err = view_scope_open(q->s->reader, view_scope_agent(q->scope), &now, &info);
    if (err)
        return err;
    view_scope_free(q->scope);
    q->scope = now;
    l->managed = l->b->managed;
    return 0;
}

/* What he has been told is kept by key with the serial of the row; a key that is not shown (any more) goes. */
static int write_rows(struct api_live *l, unsigned i, const struct view_scope *scope, FILE *out, size_t *n)
{
    const struct api_board *b = l->b;
    fprintf(out, ",\"%s\":[", lists[i].name);
    size_t at = 0;
    for (size_t k = 0; k < b->n[i]; k++) {
        const struct row *r = b->order[i][k];
        const char *key = json_string_value(json_object_get(r->json, lists[i].key));
        if ((scope && !view_scope_row(scope, lists[i].kind, r->json)) ||
            (uintptr_t)map_get(&l->told[i], key) == (uintptr_t)r->serial)
            continue;
        if (map_set(&l->told[i], key, (void *)(uintptr_t)r->serial) != 0)
            return ERR_NOMEM;
        fprintf(out, "%s%s", at++ ? "," : "", r->text);
    }
    fputs("]", out);
    *n += at;
    return 0;
}

static void write_gone(struct api_live *l, unsigned i, const struct view_scope *scope, FILE *out, size_t *n)
{
    const struct map_slot *slot;
    size_t at = 0;
    fprintf(out, "%s\"%s\":[", i ? "," : "", lists[i].name);
    for (size_t it = 0; map_next(&l->told[i], &it, &slot);) {
        const struct row *r = map_get(&l->b->rows[i], slot->skey);
        if (r && (!scope || view_scope_row(scope, lists[i].kind, r->json)))
            continue;
        json_t *key = json_string(slot->skey);
        char *text = key ? json_dumps(key, JSON_ENCODE_ANY) : NULL;
        fprintf(out, "%s%s", at++ ? "," : "", text ? text : "\"\"");
        free(text);
        json_decref(key);
        (void)map_del(&l->told[i], slot->skey);
    }
    fputs("]", out);
    *n += at;
}

int api_live_read(struct api_live *l, struct api_request *q, FILE *out)
{
    char *text = NULL;
    size_t len = 0, n = 0;
    int err = follow_scope(l, q);
    FILE *f = err ? NULL : open_memstream(&text, &len);
    if (!f)
        return err ? err : ERR_NOMEM;
    fprintf(f, "{\"index\":%" PRIu64 ",\"truncated\":%s", l->b->index, l->b->truncated ? "true" : "false");
    for (unsigned i = 0; i < LISTS && !err; i++)
        err = write_rows(l, i, q->scope, f, &n);
    fputs(",\"gone\":{", f);
    for (unsigned i = 0; i < LISTS; i++)
        write_gone(l, i, q->scope, f, &n);
    fputs("}}", f);
    if (fclose(f) != 0)
        err = ERR_NOMEM;
    if (!err && (n || !l->begun))
        fprintf(out, "id: %" PRIu64 "\nevent: everline.live.%s\ndata: %s\n\n", l->b->index,
                l->begun ? "changed" : "snapshot", text);
    l->begun |= !err;
    free(text);
    return err;
}
