/* Many recordings as one ZIP file, made while it is sent.
 *
 *   headers ──► NEXT ─RecordingPlay─► TRACED ─fetched─► MEASURE ──► GIVE ──► NEXT ... ──► the index ──► DONE
 *                 ▲                      └ gone, or cannot be had: a line of the index says so ┘
 *                 └ a page of rows at a time, within what the token may see then
 *
 * One recording after the other: that it is listened to is in the audit trail before its first byte goes out. Its sound is read twice, piece by
 * piece: for its CRC, which stands before it, and to be given; so an archive holds one piece in memory, whatever is in it, and each turn of
 * the thread is short. The answer is sent in chunks (RFC 9112 section 7.1): one that breaks off has no end, and the client knows it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/api_int.h"
#include "api/zip.h"
#include "base/log.h"

#define PIECE 64000u /* bytes of a sound at a time */
#define PAGE 100u
#define CHUNK_HEAD 8u /* "fa00\r\n" and room */
#define WAIT_S 60
#define BOM "\xEF\xBB\xBF"

enum stage { NEXT, WAITS, MEASURE, GIVE, DONE };

struct api_archive {
    json_t *filter, *page, *row;
    size_t at_row;
    char cursor[512];
    bool last_page, broken;
    enum stage stage;
    struct zip *zip;
    FILE *index; /* the file that says what is in it */
    char *index_text;
    size_t index_len;
    unsigned n;
    /* the recording at hand */
    char sha256[65], name[ZIP_NAME_MAX + 1];
    uint64_t id, bytes, at;
    uint32_t crc;
    int64_t when_s;
    /* being sent, with LWS_PRE bytes in front */
    unsigned char *out;
    size_t len, sent;
};

void api_archive_free(struct api_server *s, struct api_archive *a)
{
    if (!a)
        return;
    s->n_archives--;
    json_decref(a->filter);
    json_decref(a->page);
    zip_free(a->zip);
    if (a->index)
        (void)fclose(a->index);
    free(a->index_text);
    free(a->out);
    free(a);
}

/* ---- what is sent */

/* A chunk of these, the first one first; nothing else is being sent. */
static int give(struct api_archive *a, const void *head, size_t head_len, const void *data, size_t len, bool last)
{
    char size[CHUNK_HEAD + 8];
    size_t n = head_len + len, at = LWS_PRE;
    int digits = snprintf(size, sizeof size, "%zx\r\n", n);
    unsigned char *p = malloc(LWS_PRE + (size_t)digits + n + 7);
    if (!p)
        return ERR_NOMEM;
    memcpy(p + at, size, (size_t)digits);
    at += (size_t)digits;
    if (head_len)
        memcpy(p + at, head, head_len);
    at += head_len;
    if (len)
        memcpy(p + at, data, len);
    at += len;
    memcpy(p + at, "\r\n0\r\n\r\n", 7);
    free(a->out);
    a->out = p;
    a->len = at - LWS_PRE + (last ? 7 : 2);
    a->sent = 0;
    return 0;
}

/* ---- the index */

/* Quoted (RFC 4180), and no formula for a spreadsheet. */
static void cell(FILE *f, const char *text)
{
    fputs(text && text[0] && strchr("=+-@\t\r", text[0]) ? "\"'" : "\"", f);
    for (const char *p = text ? text : ""; *p; p++) {
        if (*p == '"')
            fputc('"', f);
        fputc(*p, f);
    }
    fputc('"', f);
}

static void agents(FILE *f, const json_t *list)
{
    char text[512] = "";
    size_t i, n = 0;
    const json_t *one;
    json_array_foreach(list, i, one)
    {
        int w = snprintf(text + n, sizeof text - n, "%s%s", i ? " " : "", json_string_value(one));
        n += w > 0 && (size_t)w < sizeof text - n ? (size_t)w : 0;
    }
    text[n] = '\0';
    cell(f, text);
}

static void note(struct api_archive *a, const char *why)
{
    static const char *const texts[] = {"recording_id", "started_at", "direction", "caller",
                                        "called",       "agent",      "queue",     "customer"};
    cell(a->index, why ? "" : a->name);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fputc(',', a->index);
        cell(a->index, json_string_value(json_object_get(a->row, texts[i])));
    }
    fputc(',', a->index);
    agents(a->index, json_object_get(a->row, "agents"));
    fprintf(a->index, ",%lld,%s,%zu,", (long long)json_integer_value(json_object_get(a->row, "duration_ms")),
            json_is_true(json_object_get(a->row, "marked")) ? "yes" : "no",
            json_array_size(json_object_get(a->row, "gaps")));
    cell(a->index, json_string_value(json_object_get(a->row, "sha256")));
    fputc(',', a->index);
    cell(a->index, why ? why : "");
    fputs("\r\n", a->index);
    a->stage = NEXT;
}

static int index_begin(struct api_archive *a)
{
    a->index = open_memstream(&a->index_text, &a->index_len);
    if (!a->index)
        return ERR_NOMEM;
    fputs(BOM
          "file,recording_id,started_at,direction,caller,called,agent,queue,customer,agents,duration_ms,marked,gaps,"
          "sha256,why_not\r\n",
          a->index);
    return 0;
}

/* The index and the end of the file. */
static int finish(struct api_archive *a)
{
    uint8_t head[ZIP_HEAD_MAX], *end = NULL;
    size_t head_len, end_len = 0;
    int rc = fclose(a->index) == 0 ? 0 : ERR_NOMEM;
    a->index = NULL;
    if (!rc)
        rc = zip_file(a->zip, "index.csv", zip_crc(0, a->index_text, a->index_len), a->index_len, time(NULL), head,
                      &head_len);
    if (!rc)
        rc = zip_end(a->zip, &end, &end_len);
    char *all = rc ? NULL : malloc(a->index_len + end_len);
    if (all) {
        memcpy(all, a->index_text, a->index_len);
        memcpy(all + a->index_len, end, end_len);
        rc = give(a, head, head_len, all, a->index_len + end_len, true);
    } else if (!rc) {
        rc = ERR_NOMEM;
    }
    free(all);
    free(end);
    a->stage = DONE;
    return rc;
}

/* ---- one recording */

/* As on the clock of its beginning (UTC); only what every file system takes. */
static void describe(struct api_archive *a, const json_t *row)
{
    static const char good[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.";
    const char *at = json_string_value(json_object_get(row, "started_at")),
               *id = json_string_value(json_object_get(row, "recording_id")),
               *caller = json_string_value(json_object_get(row, "caller")),
               *called = json_string_value(json_object_get(row, "called")),
               *format = json_string_value(json_object_get(row, "format"));
    struct tm tm = {.tm_mday = 1, .tm_year = 80};
    char when[24] = "";
    if (at && strptime(at, "%Y-%m-%dT%H:%M:%S", &tm))
        (void)strftime(when, sizeof when, "%Y%m%d-%H%M%S", &tm);
    a->when_s = timegm(&tm);
    snprintf(a->name, sizeof a->name, "%s_%.40s_%.40s_%s.%s", when, caller ? caller : "", called ? called : "",
             id ? id : "", format ? format : "wav");
    for (char *p = a->name; *p; p++)
        if (!strchr(good, *p))
            *p = '_';
    const char *sha256 = json_string_value(json_object_get(row, "sha256"));
    snprintf(a->sha256, sizeof a->sha256, "%s", sha256 ? sha256 : "");
    a->id = strtoull(id ? id : "", NULL, 16);
}

static void go_on(struct api_request *q, bool broken)
{
    q->archive->broken |= broken;
    api_wake(q);
}

static void on_there(struct api_request *q, const struct api_result *r)
{
    struct api_archive *a = q->archive;
    int rc = r->code ? r->code : q->s->be.sound_bytes(q->s->be.ctx, a->sha256, &a->bytes);
    a->at = a->crc = 0;
    a->stage = MEASURE;
    if (rc)
        note(a, rc == ERR_DENIED ? "this node has no key for it" : err_text(rc));
    go_on(q, false);
}

/* Without a place in the audit trail nothing is given. */
static void on_traced(struct api_request *q, const struct api_result *r)
{
    struct api_archive *a = q->archive;
    if (r->code == ERR_NOTFOUND) {
        note(a, "it is gone");
        go_on(q, false);
        return;
    }
    if (!r->code)
        api_operation(q, API_OP_BLOB_FETCH, json_pack("{s:s}", "sha256", a->sha256), on_there);
    if (r->code || !q->ticket)
        go_on(q, true);
}

static int trace(struct api_request *q)
{
    struct api_archive *a = q->archive;
    Ev__RecordingPlay *m;
    Ev__Command *cmd = api_command_with(q, EV__COMMAND__BODY_RECORDING_PLAY, sizeof *m, (void **)&m);
    if (!cmd)
        return ERR_NOMEM;
    ev__recording_play__init(m);
    m->id = a->id;
    cmd->recording_play = m;
    a->stage = WAITS;
    api_command(q, cmd, on_traced);
    return q->ticket ? 0 : ERR_BUSY;
}

/* The next piece, to be measured or given. */
static int piece(struct api_request *q)
{
    struct api_archive *a = q->archive;
    uint8_t head[ZIP_HEAD_MAX];
    size_t n = a->bytes - a->at < PIECE ? (size_t)(a->bytes - a->at) : PIECE, head_len = 0;
    void *data = NULL;
    int rc = n ? q->s->be.sound_read(q->s->be.ctx, a->sha256, a->id, a->at, n, &data) : 0;
    if (rc && a->stage == MEASURE) {
        note(a, rc == ERR_DENIED ? "this node has no key for it" : err_text(rc));
        return 0;
    }
    if (!rc && a->stage == MEASURE)
        a->crc = zip_crc(a->crc, data, n);
    else if (!rc)
        rc = give(a, NULL, 0, data, n, false);
    free(data);
    a->at += n;
    if (rc || a->at < a->bytes)
        return rc;
    if (a->stage == GIVE) {
        note(a, NULL);
        return 0;
    }
    a->at = 0;
    a->stage = GIVE;
    rc = zip_file(a->zip, a->name, a->crc, a->bytes, a->when_s, head, &head_len);
    return rc ? rc : give(a, head, head_len, NULL, 0, false);
}

/* ---- one after the other */

/* What a supervisor manages may be other than a page ago. */
static int look_again(struct api_request *q)
{
    struct err_info info;
    struct view_scope *now = NULL;
    if (!q->scope)
        return 0;
    int rc = view_scope_open(q->s->reader, view_scope_agent(q->scope), &now, &info);
    if (rc)
        return rc;
    view_scope_free(q->scope);
    q->scope = now;
    return 0;
}

static int read_page(struct api_request *q, struct api_archive *a, struct err_info *info)
{
    const struct view_query vq = {.kind = "recording",
                                  .filter = json_object_size(a->filter) ? a->filter : NULL,
                                  .cursor = a->cursor[0] ? a->cursor : NULL,
                                  .limit = PAGE,
                                  .scope = q->scope};
    json_t *page = NULL;
    int rc = api_view_try(q, &vq, &page, info);
    if (rc)
        return rc;
    const char *next = json_string_value(json_object_get(page, "next_cursor"));
    a->last_page = !next || strlen(next) >= sizeof a->cursor;
    snprintf(a->cursor, sizeof a->cursor, "%s", a->last_page ? "" : next);
    json_decref(a->page);
    a->page = page;
    a->at_row = 0;
    return next && a->last_page ? ERR_TOOBIG : 0;
}

static int next(struct api_request *q)
{
    struct api_archive *a = q->archive;
    struct err_info info;
    const json_t *rows = json_object_get(a->page, "items");
    if (a->at_row == json_array_size(rows) && a->last_page)
        return finish(a);
    if (a->n == API_ARCHIVE_MAX || api_token_is_gone(q))
        return ERR_DENIED;
    if (a->at_row == json_array_size(rows)) {
        int rc = look_again(q);
        return rc ? rc : read_page(q, a, &info);
    }
    a->row = json_array_get(rows, a->at_row++);
    a->n++;
    describe(a, a->row);
    return trace(q);
}

static int step(struct api_request *q)
{
    switch (q->archive->stage) {
    case NEXT:
        return next(q);
    case MEASURE:
    case GIVE:
        return piece(q);
    case WAITS:
    case DONE:
        break;
    }
    return 0;
}

int api_archive_write(struct api_request *q)
{
    struct api_archive *a = q->archive;
    int rc = a->broken ? ERR_CLOSED : 0;
    if (!rc && a->sent == a->len && a->stage == DONE)
        return 1;
    if (!rc && a->sent == a->len)
        rc = step(q);
    if (rc) {
        log_warn("api", "an archive for %s breaks off behind %u recordings: %s", q->actor, a->n,
                 a->n == API_ARCHIVE_MAX ? "no archive has more" : err_text(rc));
        return -1;
    }
    if (a->sent < a->len) {
        size_t n = a->len - a->sent < 32768 ? a->len - a->sent : 32768;
        int w = lws_write(q->wsi, a->out + LWS_PRE + a->sent, n, LWS_WRITE_HTTP);
        if (w < 0)
            return -1;
        a->sent += (size_t)w;
        q->s->n.bytes_out += (uint64_t)w;
    }
    lws_set_timeout(q->wsi, PENDING_TIMEOUT_HTTP_CONTENT, WAIT_S);
    if (a->stage != WAITS || a->sent < a->len)
        api_wake(q);
    return 0;
}

static struct api_archive *archive_new(struct api_request *q)
{
    struct api_archive *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    q->s->n_archives++;
    a->filter = json_copy(q->query);
    if (!a->filter || zip_new(&a->zip) || index_begin(a)) {
        api_archive_free(q->s, a);
        return NULL;
    }
    return a;
}

void api_recordings_archive(struct api_request *q)
{
    struct err_info info = {.code = 0};
    bool full = q->s->n_archives >= API_ARCHIVES_MAX;
    struct api_archive *a = full || !q->s->be.sound_read ? NULL : archive_new(q);
    if (!a) {
        api_fail_code(q,
                      full                  ? ERR_BUSY
                      : q->s->be.sound_read ? ERR_NOMEM
                                            : ERR_UNSUPPORTED,
                      NULL, full ? "too many archives are being sent: try again later" : "sounds cannot be read here");
        return;
    }
    q->idem[0] = '\0'; /* each of its recordings has a row of its own in the audit trail */
    if (read_page(q, a, &info)) {
        api_archive_free(q->s, a);
        api_fail(q, &info);
        return;
    }
    q->close_after = true;
    if (q->head)
        api_archive_free(q->s, a);
    else
        q->archive = a;
    api_reply_text(q, 200, "application/zip", NULL, 0);
}
