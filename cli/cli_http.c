#include "cli/cli_http.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define CONNECT_MS_MAX 3000
/* A new leader is there well within this time: until then a refusal for want of one is not the last word. */
#define UNAVAILABLE_MS 3000
#define PAUSE_MS 200
#define EVENT_BYTES_MAX (4u << 20)
/* The server sends a comment at least this often; a stream without any is lost. */
#define STREAM_SILENCE_S 60L
/* A sound that is fetched from another node first takes its time. */
#define FILE_SILENCE_S 120L

struct cli_http {
    struct cli_http_options o;
    CURL *curl;
    unsigned next; /* server to ask first: the last that answered */
    char error[CURL_ERROR_SIZE];
    bool progress; /* of the request at hand */
    int percent;   /* as shown last; -1: nothing is */
    FILE *to;      /* likewise */
    bool to_failed;
    size_t shown; /* of what came, in tenths of a megabyte; SIZE_MAX: nothing is */
};

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool stopped(const struct cli_http *h)
{
    return h->o.stop && *h->o.stop;
}

#define BAR_WIDTH 40

static void show_progress(struct cli_http *h, int percent)
{
    if (percent == h->percent)
        return;
    char bar[BAR_WIDTH + 1];
    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '#', (size_t)percent * BAR_WIDTH / 100);
    bar[BAR_WIDTH] = 0;
    h->percent = percent;
    fprintf(stderr, "\r[%s] %3d%%%s", bar, percent, percent == 100 ? ", being made ready" : "");
    fflush(stderr);
}

static void clear_progress(struct cli_http *h)
{
    if (h->percent >= 0)
        fprintf(stderr, "\r%*s\r", BAR_WIDTH + 30, "");
    h->percent = -1;
}

static int on_progress(void *ctx, curl_off_t dt, curl_off_t dn, curl_off_t ut, curl_off_t un)
{
    (void)dt, (void)dn;
    struct cli_http *h = ctx;
    if (h->progress && ut > 0)
        show_progress(h, (int)(un * 100 / ut));
    return stopped(h);
}

int cli_http_new(const struct cli_http_options *o, struct cli_http **out, struct err_info *info)
{
    struct cli_http *h = calloc(1, sizeof *h);
    if (!h || curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || !(h->curl = curl_easy_init())) {
        free(h);
        return err_set(info, ERR_NOMEM, "", "out of memory");
    }
    h->o = *o;
    *out = h;
    return 0;
}

void cli_http_free(struct cli_http *h)
{
    if (!h)
        return;
    curl_easy_cleanup(h->curl);
    curl_global_cleanup();
    free(h);
}

void cli_reply_free(struct cli_reply *r)
{
    free(r->body);
    *r = (struct cli_reply){0};
}

int cli_http_escape(char **out, const char *s)
{
    size_t have = *out ? strlen(*out) : 0;
    char *p = realloc(*out, have + 3 * strlen(s) + 1);
    if (!p)
        return ERR_NOMEM;
    *out = p;
    p += have;
    for (; *s; s++) {
        unsigned char ch = (unsigned char)*s;
        if ((ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') || strchr("-._~", ch))
            *p++ = *s;
        else
            p += sprintf(p, "%%%02X", ch);
    }
    *p = 0;
    return 0;
}

/* One that shows how much has come: how much there is to come nobody knows. */
static void show_count(struct cli_http *h, size_t bytes)
{
    if (!h->progress || bytes / 100000 == h->shown)
        return;
    h->shown = bytes / 100000;
    fprintf(stderr, "\r%zu.%zu MB", h->shown / 10, h->shown % 10);
    fflush(stderr);
}

static void clear_count(struct cli_http *h)
{
    if (h->shown != SIZE_MAX)
        fprintf(stderr, "\r%*s\r", 24, "");
    h->shown = SIZE_MAX;
}

/* What a refusal says is for people: not into the file. */
static size_t to_file(struct cli_http *h, struct cli_reply *r, const char *data, size_t add)
{
    h->to_failed = fwrite(data, 1, add, h->to) != add;
    r->len += add;
    show_count(h, r->len);
    return h->to_failed ? 0 : add;
}

struct taker {
    struct cli_http *h;
    struct cli_reply *r;
};

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
    const struct taker *t = ctx;
    struct cli_reply *r = t->r;
    size_t add = size * n;
    long status = 0;
    if (t->h->to && curl_easy_getinfo(t->h->curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status == 200)
        return to_file(t->h, r, data, add);
    if (r->len + add > CLI_HTTP_BODY_MAX)
        return 0;
    char *more = realloc(r->body, r->len + add + 1);
    if (!more)
        return 0;
    memcpy(more + r->len, data, add);
    r->body = more;
    r->len += add;
    more[r->len] = 0;
    return add;
}

static void header_value(const char *line, size_t len, char *to, size_t cap, const char *ends)
{
    size_t n = 0;
    while (len > 0 && (*line == ' ' || *line == '\t'))
        line++, len--;
    while (n < len && n + 1 < cap && line[n] != '\r' && line[n] != '\n' && !strchr(ends, line[n])) {
        to[n] = line[n];
        n++;
    }
    to[n] = 0;
}

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
    struct cli_reply *r = ctx;
    size_t len = size * n;
    if (len > 5 && strncasecmp(data, "etag:", 5) == 0)
        header_value(data + 5, len - 5, r->etag, sizeof r->etag, "");
    else if (len > 13 && strncasecmp(data, "content-type:", 13) == 0)
        header_value(data + 13, len - 13, r->type, sizeof r->type, "; ");
    return len;
}

static bool add_header(struct curl_slist **list, const char *name, const char *value)
{
    char *line = NULL;
    if (asprintf(&line, "%s: %s", name, value) < 0)
        return false;
    struct curl_slist *more = curl_slist_append(*list, line);
    explicit_bzero(line, strlen(line));
    free(line);
    if (!more)
        return false;
    *list = more;
    return true;
}

static void random_key(char out[33])
{
    unsigned char raw[16];
    if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw) {
        /* Only uniqueness matters here: two requests of one process never share time and address. */
        struct timespec ts;
        clock_gettime(CLOCK_REALTIME, &ts);
        memcpy(raw, &ts, sizeof raw);
    }
    for (unsigned i = 0; i < sizeof raw; i++)
        sprintf(out + 2 * i, "%02x", raw[i]);
}

static struct curl_slist *headers(const struct cli_http *h, const struct cli_http_request *q, const char *key,
                                  const char *accept, const char *last_id)
{
    struct curl_slist *list = NULL;
    bool ok = add_header(&list, "Accept", accept);
    /* No "Expect: 100-continue": it costs a round trip and servers need not know it. */
    ok = ok && add_header(&list, "Expect", "");
    if (ok && h->o.context->token) {
        char *bearer = NULL;
        ok = asprintf(&bearer, "Bearer %s", h->o.context->token) > 0 && add_header(&list, "Authorization", bearer);
        if (bearer)
            explicit_bzero(bearer, strlen(bearer));
        free(bearer);
    }
    if (ok && q->body)
        ok = add_header(&list, "Content-Type", q->type ? q->type : "application/json");
    if (ok && key)
        ok = add_header(&list, "Idempotency-Key", key);
    if (ok && q->if_match)
        ok = add_header(&list, strcmp(q->if_match, "!*") == 0 ? "If-None-Match" : "If-Match",
                        strcmp(q->if_match, "!*") == 0 ? "*" : q->if_match);
    if (ok && last_id)
        ok = add_header(&list, "Last-Event-ID", last_id);
    if (!ok) {
        curl_slist_free_all(list);
        return NULL;
    }
    return list;
}

static void common_setup(struct cli_http *h, const char *url, struct curl_slist *list, long connect_ms)
{
    CURL *c = h->curl;
    curl_easy_reset(c); /* keeps the connections */
    h->error[0] = 0;
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->error);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, h);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "ccctl");
    if (h->o.context->ca)
        curl_easy_setopt(c, CURLOPT_CAINFO, h->o.context->ca);
}

static const char *curl_reason(const struct cli_http *h, CURLcode rc)
{
    return h->error[0] ? h->error : curl_easy_strerror(rc);
}

static int attempt(struct cli_http *h, const char *server, const struct cli_http_request *q, const char *key,
                   int64_t ms, struct cli_reply *out, CURLcode *why)
{
    char *url = NULL;
    struct curl_slist *list = headers(h, q, key, "application/json, application/problem+json", NULL);
    if (!list || asprintf(&url, "%s%s", server, q->target) < 0) {
        curl_slist_free_all(list);
        return ERR_NOMEM;
    }
    common_setup(h, url, list, (long)(ms < CONNECT_MS_MAX ? ms : CONNECT_MS_MAX));
    CURL *c = h->curl;
    if (q->to) { /* as long as something comes */
        curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, FILE_SILENCE_S);
    } else {
        curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)ms);
    }
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
    if (q->body) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, q->body);
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(q->body_len ? q->body_len : strlen(q->body)));
    } else if (strcmp(q->method, "GET") != 0 && strcmp(q->method, "DELETE") != 0) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, "");
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, 0L);
    }
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    struct taker taker = {h, out};
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &taker);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, out);
    if (h->o.verbose)
        fprintf(stderr, "> %s %s\n", q->method, url);
    int64_t began = now_ms();
    h->progress = q->progress && isatty(STDERR_FILENO);
    h->percent = -1;
    h->shown = SIZE_MAX;
    h->to = q->to;
    h->to_failed = false;
    *why = curl_easy_perform(c);
    clear_progress(h);
    clear_count(h);
    h->to = NULL;
    h->progress = false;
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &out->status);
    if (h->o.verbose && *why == CURLE_OK)
        fprintf(stderr, "< %ld, %zu bytes after %lld ms\n", out->status, out->len, (long long)(now_ms() - began));
    else if (h->o.verbose)
        fprintf(stderr, "< %s\n", curl_reason(h, *why));
    curl_slist_free_all(list);
    free(url);
    if (*why == CURLE_OK && !out->body && !(out->body = calloc(1, 1)))
        return ERR_NOMEM;
    return 0;
}

static void note_failure(char *text, size_t cap, const char *server, const char *reason)
{
    size_t have = strlen(text);
    snprintf(text + have, cap - have, "%s%s: %s", have ? "; " : "", server + strlen("https://"), reason);
}

static void pause_ms(const struct cli_http *h, int ms)
{
    /* poll ends early when Ctrl-C comes, unlike a retried sleep. */
    if (!stopped(h))
        (void)poll(NULL, 0, ms);
}

struct rounds {
    struct cli_http *h;
    const struct cli_http_request *q;
    const char *const *servers;
    unsigned n;
    const char *key;
    int64_t deadline;
    struct cli_reply unavailable; /* last 503 */
    bool timed_out;
    char failures[sizeof((struct err_info *)0)->text];
};

/* Asks each server once. 1: *out is the answer; 0: none; negative: an error that ends it. */
static int one_round(struct rounds *r, struct cli_reply *out, struct err_info *info)
{
    r->failures[0] = 0;
    for (unsigned i = 0; i < r->n; i++) {
        unsigned s = (r->h->next + i) % r->n;
        int64_t left = r->deadline - now_ms();
        if (left <= 0) {
            r->timed_out = true;
            return 0;
        }
        /* A server that hangs must leave time to ask the others. */
        int64_t share = left / (int64_t)(r->n - i);
        struct cli_reply reply = {.server = s};
        CURLcode why;
        int rc = attempt(r->h, r->servers[s], r->q, r->key, share > 0 ? share : 1, &reply, &why);
        if (rc) {
            cli_reply_free(&reply);
            return err_set(info, rc, "", "out of memory");
        }
        if (why == CURLE_OK && reply.status != 503) {
            if (r->n == r->h->o.context->n_servers)
                r->h->next = s;
            *out = reply;
            return 1;
        }
        if (why == CURLE_OK) {
            cli_reply_free(&r->unavailable);
            r->unavailable = reply;
            continue;
        }
        size_t came = r->q->to ? reply.len : 0;
        cli_reply_free(&reply);
        if (why == CURLE_WRITE_ERROR && r->h->to_failed)
            return err_set(info, ERR_IO, "", "the file cannot be written");
        if (came && why != CURLE_ABORTED_BY_CALLBACK)
            return err_set(info, ERR_CLOSED, "", "it broke off behind %zu bytes: %s", came, curl_reason(r->h, why));
        if (why == CURLE_ABORTED_BY_CALLBACK)
            return err_set(info, ERR_CLOSED, "", "interrupted");
        if (why == CURLE_WRITE_ERROR)
            return err_set(info, ERR_TOOBIG, "", "the answer is larger than %u MiB", CLI_HTTP_BODY_MAX >> 20);
        if (why == CURLE_OPERATION_TIMEDOUT)
            r->timed_out = true;
        note_failure(r->failures, sizeof r->failures, r->servers[s], curl_reason(r->h, why));
    }
    return 0;
}

static int ask(struct cli_http *h, const char *const *servers, unsigned n, const struct cli_http_request *q,
               struct cli_reply *out, struct err_info *info)
{
    char key[33];
    bool changes = strcmp(q->method, "GET") != 0;
    if (changes && !h->o.idempotency_key)
        random_key(key);
    int64_t began = now_ms();
    unsigned ms = q->patience_ms > h->o.timeout_ms ? q->patience_ms : h->o.timeout_ms;
    struct rounds r = {.h = h, .q = q, .servers = servers, .n = n, .deadline = began + ms};
    if (changes)
        r.key = h->o.idempotency_key ? h->o.idempotency_key : key;
    for (;;) {
        int got = one_round(&r, out, info);
        if (got) {
            cli_reply_free(&r.unavailable);
            return got > 0 ? 0 : got;
        }
        int64_t now = now_ms();
        if (r.unavailable.body && now - began < UNAVAILABLE_MS && now + PAUSE_MS < r.deadline && !stopped(h)) {
            pause_ms(h, PAUSE_MS);
            continue;
        }
        if (r.unavailable.body) {
            *out = r.unavailable;
            return 0;
        }
        if (r.timed_out)
            return err_set(info, ERR_TIMEOUT, "", "no answer within %u.%u s%s%s", ms / 1000, ms / 100 % 10,
                           r.failures[0] ? ": " : "", r.failures);
        return err_set(info, ERR_CLOSED, "", "no server could be reached: %s", r.failures);
    }
}

int cli_http_do(struct cli_http *h, const struct cli_http_request *q, struct cli_reply *out, struct err_info *info)
{
    if (q->server) {
        char *url = NULL;
        if (asprintf(&url, "https://%s", q->server) < 0)
            return err_set(info, ERR_NOMEM, "", "out of memory");
        const char *one[1] = {url};
        unsigned keep = h->next;
        h->next = 0;
        int rc = ask(h, one, 1, q, out, info);
        h->next = keep;
        free(url);
        return rc;
    }
    return ask(h, (const char *const *)h->o.context->servers, h->o.context->n_servers, q, out, info);
}

/* ---- event stream */

struct stream {
    struct cli_http *h;
    cli_http_event_fn *fn;
    void *ctx;
    struct cli_reply refusal; /* body of an answer that is no stream */
    char *line, *data;        /* line being received; data of the event so far */
    size_t line_len, line_cap, data_len;
    char id[64], last_id[64];
    bool ended; /* the callback has had enough */
    bool alive; /* this connection gave a stream */
};

static bool take_line(struct stream *s)
{
    if (s->line_len == 0) {
        if (s->data) {
            memcpy(s->last_id, s->id, sizeof s->last_id);
            bool more = s->fn(s->ctx, s->id, s->data);
            free(s->data);
            s->data = NULL;
            s->data_len = 0;
            s->ended = !more;
        }
        return !s->ended;
    }
    if (strncmp(s->line, "id:", 3) == 0) {
        header_value(s->line + 3, s->line_len - 3, s->id, sizeof s->id, "");
    } else if (strncmp(s->line, "data:", 5) == 0) {
        const char *text = s->line + 5 + (s->line[5] == ' ');
        size_t add = s->line_len - (size_t)(text - s->line);
        if (s->data_len + add + 2 > EVENT_BYTES_MAX)
            return false;
        char *more = realloc(s->data, s->data_len + add + 2);
        if (!more)
            return false;
        if (s->data)
            more[s->data_len++] = '\n';
        memcpy(more + s->data_len, text, add);
        s->data_len += add;
        more[s->data_len] = 0;
        s->data = more;
    }
    return true;
}

static size_t on_stream(char *bytes, size_t size, size_t n, void *ctx)
{
    struct stream *s = ctx;
    size_t len = size * n;
    long status = 0;
    curl_easy_getinfo(s->h->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) {
        struct taker taker = {s->h, &s->refusal};
        return on_body(bytes, size, n, &taker);
    }
    s->alive = true;
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\r')
            continue;
        if (bytes[i] == '\n') {
            if (s->line)
                s->line[s->line_len] = 0;
            bool more = !s->line || take_line(s);
            s->line_len = 0;
            if (!more)
                return 0;
            continue;
        }
        if (s->line_len + 1 >= s->line_cap) {
            size_t cap = s->line_cap ? s->line_cap * 2 : 1024;
            char *more = cap > EVENT_BYTES_MAX ? NULL : realloc(s->line, cap);
            if (!more)
                return 0;
            s->line = more;
            s->line_cap = cap;
        }
        s->line[s->line_len++] = bytes[i];
    }
    return len;
}

static CURLcode stream_once(struct stream *s, const char *server, const char *target)
{
    struct cli_http *h = s->h;
    const struct cli_http_request q = {.method = "GET", .target = target};
    char *url = NULL;
    struct curl_slist *list =
        headers(h, &q, NULL, "text/event-stream, application/problem+json", s->last_id[0] ? s->last_id : NULL);
    if (!list || asprintf(&url, "%s%s", server, target) < 0) {
        curl_slist_free_all(list);
        return CURLE_OUT_OF_MEMORY;
    }
    s->alive = false;
    s->line_len = 0;
    free(s->data);
    s->data = NULL;
    s->data_len = 0;
    cli_reply_free(&s->refusal);
    common_setup(h, url, list, CONNECT_MS_MAX);
    curl_easy_setopt(h->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(h->curl, CURLOPT_LOW_SPEED_TIME, STREAM_SILENCE_S);
    curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, on_stream);
    curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(h->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(h->curl, CURLOPT_HEADERDATA, &s->refusal);
    if (h->o.verbose)
        fprintf(stderr, "> GET %s (after event %s)\n", url, s->last_id[0] ? s->last_id : "now");
    CURLcode rc = curl_easy_perform(h->curl);
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &s->refusal.status);
    curl_slist_free_all(list);
    free(url);
    return rc;
}

int cli_http_events(struct cli_http *h, const char *target, const char *since, cli_http_event_fn *fn, void *ctx,
                    struct cli_reply *refusal, struct err_info *info)
{
    struct stream s = {.h = h, .fn = fn, .ctx = ctx};
    const struct cli_context *c = h->o.context;
    int64_t last_alive = now_ms();
    char failures[sizeof info->text] = "";
    int rc = 0;
    snprintf(s.last_id, sizeof s.last_id, "%s", since ? since : "");
    for (unsigned i = 0; !s.ended && !stopped(h); i++) {
        const char *server = c->servers[(h->next + i) % c->n_servers];
        CURLcode why = stream_once(&s, server, target);
        if (s.ended || stopped(h))
            break;
        if (s.alive)
            last_alive = now_ms();
        if (why == CURLE_OK && s.refusal.status != 200 && s.refusal.status != 503) {
            if (!s.refusal.body && !(s.refusal.body = calloc(1, 1))) {
                rc = err_set(info, ERR_NOMEM, "", "out of memory");
                break;
            }
            *refusal = s.refusal;
            s.refusal = (struct cli_reply){0};
            rc = err_set(info, ERR_DENIED, "", "the server refused the stream");
            break;
        }
        if (i % c->n_servers == 0)
            failures[0] = 0;
        note_failure(failures, sizeof failures, server,
                     s.refusal.status == 503 ? "not ready (503)" : curl_reason(h, why));
        if (now_ms() - last_alive > (int64_t)h->o.timeout_ms) {
            rc = err_set(info, ERR_CLOSED, "", "the stream is lost and no server gives it again: %s", failures);
            break;
        }
        if ((i + 1) % c->n_servers == 0)
            pause_ms(h, PAUSE_MS);
    }
    free(s.line);
    free(s.data);
    cli_reply_free(&s.refusal);
    return rc;
}
