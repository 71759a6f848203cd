/* The stream of events: server-sent events (WHATWG HTML, section 9.2) whose data are CloudEvents 1.0.
 *
 * A stream owns nothing but its place: (index, n) of the last event sent. Whenever its connection takes more, the events after
 * that place are read from the database, so a slow client costs neither memory nor other clients anything; one that
 * lags behind what is kept is closed and told 410 when it comes again. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "api/api_int.h"

#define EVENTS_BATCH 64u

struct api_stream {
    struct api_live *live; /* it follows the live lists; NULL: the events */
    struct list_node link; /* in server.streams */
    struct api_request *q;
    uint64_t index; /* place */
    uint32_t n;
    bool more;  /* events may be waiting */
    bool beat;  /* a comment is due */
    char *text; /* being sent, with LWS_PRE bytes in front */
    size_t len, sent;
};

void api_stream_free(struct api_stream *st)
{
    list_del(&st->link);
    api_live_free(st->live);
    atomic_store(&st->q->s->listening, --st->q->s->n_streams);
    free(st->text);
    free(st);
}

void api_streams_wake(struct api_server *s, uint64_t index)
{
    if (index <= s->seen_index)
        return;
    s->seen_index = index;
    list_foreach(it, &s->streams) {
        struct api_stream *st = list_entry(it, struct api_stream, link);
        if (st->live)
            continue;
        st->more = true;
        api_wake(st->q);
    }
    api_board_news(s);
}

void api_streams_live(struct api_server *s)
{
    list_foreach(it, &s->streams) {
        struct api_stream *st = list_entry(it, struct api_stream, link);
        if (!st->live)
            continue;
        st->more = true;
        api_wake(st->q);
    }
}

void api_streams_beat(struct api_server *s)
{
    list_foreach(it, &s->streams) {
        struct api_stream *st = list_entry(it, struct api_stream, link);
        if (api_token_is_gone(st->q)) { /* since the stream was opened: what it may see it saw with that token */
            lws_set_timeout(st->q->wsi, PENDING_TIMEOUT_HTTP_CONTENT, LWS_TO_KILL_ASYNC);
            continue;
        }
        st->beat = true;
        api_wake(st->q);
    }
}

/* A client that leaves is not seen by lws while an answer is going on: what it sent last (its end, most often) stays unread and wakes
 * the loop again and again until something is written. So look, and close; it has nothing else to say. */
void api_streams_look(struct api_server *s)
{
    list_foreach(it, &s->streams) {
        struct api_stream *st = list_entry(it, struct api_stream, link);
        char c;
        if (recv(lws_get_socket_fd(st->q->wsi), &c, 1, MSG_PEEK | MSG_DONTWAIT) >= 0)
            lws_set_timeout(st->q->wsi, PENDING_TIMEOUT_HTTP_CONTENT, LWS_TO_KILL_ASYNC);
    }
}

/* "INDEX.N" or "INDEX". */
static bool read_place(const char *text, uint64_t *index, uint32_t *n)
{
    char *end;
    if (text[strspn(text, "0123456789.")] || text[0] == '.')
        return false;
    errno = 0;
    unsigned long long a = strtoull(text, &end, 10), b = a ? UINT32_MAX : 0;
    if (*end == '.' && end[1] != '.' && end[1] != '\0')
        b = strtoull(end + 1, &end, 10);
    /* The database counts in signed 64 bits: what is above it would come out below all there is. */
    if (errno || *end || end == text || a > INT64_MAX || b > UINT32_MAX)
        return false;
    *index = a;
    *n = (uint32_t)b;
    return true;
}

static int take_index(void *ctx, const struct storage_row *row)
{
    *(uint64_t *)ctx = storage_row_int(row, 0);
    return 0;
}

static int first_place(struct api_request *q, struct api_stream *st, struct err_info *info)
{
    const char *after = q->last_event_id[0] ? q->last_event_id : api_query(q, "after");
    if (after)
        return read_place(after, &st->index, &st->n)
                   ? 0
                   : err_set(info, ERR_INVAL, q->last_event_id[0] ? "Last-Event-ID" : "after",
                             "must be the id of an event, \"INDEX.N\", or 0");
    st->n = UINT32_MAX; /* from now on */
    int err = storage_reader_query(q->s->reader, "SELECT idx FROM applied", NULL, 0, take_index, &st->index);
    return err ? err_set(info, err, "", "%s", err_text(err)) : 0;
}

/* A supervisor's stream: whether the event is of what he manages. What that is may change by the very events that pass. ERR_DENIED: he
 * is no supervisor any more. */
static int within_scope(struct api_stream *st, const json_t *e, bool *out)
{
    struct api_request *q = st->q;
    struct err_info info;
    *out = true;
    if (!q->scope)
        return 0;
    if (view_scope_stale(q->scope, e)) {
        struct view_scope *now = NULL;
        int err = view_scope_open(q->s->reader, view_scope_agent(q->scope), &now, &info);
        if (err)
            return err;
        view_scope_free(q->scope);
        q->scope = now;
    }
    *out = view_scope_row(q->scope, "event", e);
    return 0;
}

/* Appends what follows the place to `out`. *gone: it is not kept any more. */
static int read_batch(struct api_stream *st, FILE *out, int *gone, size_t *n_read)
{
    json_t *events = NULL;
    *gone = 0;
    int err = view_events(st->q->s->reader, st->index, st->n, EVENTS_BATCH, &events, gone);
    if (st->index == 0) /* asked for all that is kept */
        *gone = 0;
    if (err || *gone) {
        json_decref(events);
        return err;
    }
    size_t i;
    json_t *e;
    *n_read = json_array_size(events);
    json_array_foreach(events, i, e)
    {
        const char *id = json_string_value(json_object_get(e, "id")),
                   *type = json_string_value(json_object_get(e, "type"));
        char *data = json_dumps(e, JSON_COMPACT);
        bool shown = false;
        err = !data || !id || !read_place(id, &st->index, &st->n) ? ERR_NOMEM : within_scope(st, e, &shown);
        if (err) {
            free(data);
            json_decref(events);
            return err;
        }
        if (shown)
            fprintf(out, "id: %s\nevent: %s\ndata: %s\n\n", id, type ? type : "message", data);
        free(data);
    }
    json_decref(events);
    return 0;
}

/* Fills st->text with what there is to send. Non-zero: end the stream. */
static int refill(struct api_stream *st)
{
    free(st->text);
    st->text = NULL;
    st->len = st->sent = 0;
    size_t len = 0, n = 0;
    int gone = 0;
    FILE *f = open_memstream(&st->text, &len);
    if (!f)
        return ERR_NOMEM;
    for (unsigned i = 0; i < LWS_PRE; i++)
        fputc(0, f);
    int err = !st->more ? 0 : st->live ? api_live_read(st->live, st->q, f) : read_batch(st, f, &gone, &n);
    if (!err && ftell(f) == LWS_PRE && st->beat)
        fputs(": beat\n\n", f);
    st->more = n == EVENTS_BATCH;
    st->beat = false;
    if (fclose(f) != 0 || err || gone)
        return ERR_CLOSED;
    st->len = len - LWS_PRE;
    return 0;
}

int api_stream_write(struct api_request *q)
{
    struct api_stream *st = q->stream;
    if (st->sent == st->len && refill(st))
        return -1;
    if (st->sent < st->len) {
        size_t n = st->len - st->sent < 32768 ? st->len - st->sent : 32768;
        int w = lws_write(q->wsi, (unsigned char *)st->text + LWS_PRE + st->sent, n, LWS_WRITE_HTTP);
        if (w < 0)
            return -1;
        st->sent += (size_t)w;
        q->s->n.bytes_out += (uint64_t)w;
        lws_set_timeout(q->wsi, PENDING_TIMEOUT_HTTP_CONTENT, (int)(4 * q->s->idle_s));
    }
    if (st->sent < st->len || st->more || st->beat)
        api_wake(q);
    return 0;
}

/* NULL and answered: it cannot be now. */
static struct api_stream *stream_new(struct api_request *q)
{
    bool full = q->s->n_streams >= API_STREAMS_MAX;
    struct api_stream *st = full ? NULL : calloc(1, sizeof *st);
    if (st)
        st->q = q;
    else
        api_fail_code(q, full ? ERR_BUSY : ERR_NOMEM, NULL, full ? "too many event streams are open" : "out of memory");
    return st;
}

static void stream_begin(struct api_request *q, struct api_stream *st)
{
    struct api_server *s = q->s;
    if (q->head) {
        api_live_free(st->live);
        free(st);
        api_reply_text(q, 200, "text/event-stream", NULL, 0);
        return;
    }
    st->more = true;
    st->beat = true; /* so that the client sees that it is connected */
    list_push_back(&s->streams, &st->link);
    /* Before its first look at the database: what is committed after that look is told of. */
    atomic_store(&s->listening, ++s->n_streams);
    q->stream = st;
    q->close_after = true;
    api_reply_text(q, 200, "text/event-stream", NULL, 0);
}

void api_stream_events(struct api_request *q)
{
    struct api_server *s = q->s;
    struct err_info info = {.code = 0};
    struct api_stream *st = stream_new(q);
    if (!st)
        return;
    int err = first_place(q, st, &info);
    json_t *probe = NULL;
    int gone = 0;
    if (!err && view_events(s->reader, st->index, st->n, 1, &probe, &gone))
        err = err_set(&info, ERR_IO, "", "events cannot be read");
    json_decref(probe);
    gone = gone && st->index > 0;
    if (err || gone) {
        free(st);
        if (gone)
            err_set(&info, ERR_STALE, "",
                    "events after this id are no longer kept: read the state, then follow from now");
        if (gone)
            api_fail_status(q, 410, &info);
        else if (err == ERR_INVAL)
            api_fail_status(q, 400, &info);
        else
            api_fail(q, &info);
        return;
    }
    stream_begin(q, st);
}

void api_stream_live(struct api_request *q)
{
    struct api_stream *st = stream_new(q);
    int err = st ? api_live_new(q->s, &st->live) : 0;
    if (st && err) {
        free(st);
        api_fail_code(q, err, NULL, "%s", err == ERR_BUSY ? "too many live streams are open" : err_text(err));
    } else if (st) {
        stream_begin(q, st);
    }
}
