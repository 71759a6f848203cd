/* The thread, its libwebsockets context, and the connections.
 *
 * lws reads request lines, headers and bodies (HTTP/1.1 over TLS) and calls on_http; everything else is here: limits,
 * time-outs, and the answers, whose head we write ourselves. One request at a time on a connection (struct conn holds it);
 * lws keeps what a client sends ahead until we say that the transaction is complete. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/api_int.h"

#include "api/server_int.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#define STREAMS_LOOK_US 500000
#define STOP_FLUSH_US 500000u

/* ---- connections and their sources */

struct api_source {
    char address[64];
    unsigned n;
};

/* One connection. lws has time-outs of its own for most silences; `quiet_since` catches the rest (an upgrade to HTTP/2 that
 * is never followed up). */
struct peer {
    struct api_source *src;
    struct lws *wsi;
    uint64_t quiet_since; /* monotonic microseconds; 0: a request is at hand */
};

static void set_quiet(struct api_server *s, struct lws *wsi, bool quiet)
{
    struct peer *p = map_get_u64(&s->peers, (uint64_t)(uintptr_t)wsi);
    if (p)
        p->quiet_since = quiet ? clock_mono_now().us : 0;
}

static void close_quiet(struct api_server *s)
{
    uint64_t now = clock_mono_now().us, limit = (uint64_t)s->idle_s * API_REQUEST_FACTOR * 1000000;
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&s->peers, &it, &slot);) {
        const struct peer *p = slot->value;
        if (p->quiet_since && now - p->quiet_since > limit)
            lws_set_timeout(p->wsi, PENDING_TIMEOUT_HTTP_CONTENT, LWS_TO_KILL_ASYNC);
    }
}

static void peer_address(lws_sockfd_type fd, char out[64])
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    out[0] = '\0';
    if (getpeername(fd, (struct sockaddr *)&sa, &len) != 0 ||
        getnameinfo((struct sockaddr *)&sa, len, out, 64, NULL, 0, NI_NUMERICHOST) != 0)
        snprintf(out, 64, "unknown");
}

static bool may_connect(struct api_server *s, lws_sockfd_type fd)
{
    char address[64];
    peer_address(fd, address);
    const struct api_source *src = map_get(&s->sources, address);
    if (s->n_connections < API_CONNECTIONS_MAX && (!src || src->n < API_SOURCE_CONNECTIONS_MAX))
        return true;
    s->n.refused_connections++;
    log_warn("api", "connection from %s refused: too many are open", address);
    return false;
}

/* 0, or the connection is closed. */
static int connected(struct api_server *s, struct lws *wsi)
{
    char address[64];
    peer_address(lws_get_socket_fd(wsi), address);
    struct api_source *src = map_get(&s->sources, address);
    if (!src) {
        src = calloc(1, sizeof *src);
        if (!src || map_set(&s->sources, address, src)) {
            free(src);
            return -1;
        }
        snprintf(src->address, sizeof src->address, "%s", address);
    }
    struct peer *p = calloc(1, sizeof *p);
    if (!p || map_set_u64(&s->peers, (uint64_t)(uintptr_t)wsi, p)) {
        free(p);
        if (src->n == 0) {
            (void)map_del(&s->sources, address);
            free(src);
        }
        return -1;
    }
    *p = (struct peer){.src = src, .wsi = wsi, .quiet_since = clock_mono_now().us};
    src->n++;
    s->n_connections++;
    return 0;
}

static void disconnected(struct api_server *s, struct lws *wsi)
{
    struct peer *p = map_del_u64(&s->peers, (uint64_t)(uintptr_t)wsi);
    if (!p)
        return;
    struct api_source *src = p->src;
    free(p);
    s->n_connections--;
    if (--src->n == 0) {
        (void)map_del(&s->sources, src->address);
        free(src);
    }
}

/* ---- sending */

void api_wake(struct api_request *q)
{
    if (q->wsi)
        lws_callback_on_writable(q->wsi);
}

static int send_head(struct api_request *q)
{
    char head[LWS_PRE + 2048];
    size_t room = sizeof head - LWS_PRE;
    char *p = head + LWS_PRE;
    size_t n = 0;
#define ADD(...)                                         \
    do {                                                 \
        int w_ = snprintf(p + n, room - n, __VA_ARGS__); \
        if (w_ < 0 || (size_t)w_ >= room - n)            \
            return -1;                                   \
        n += (size_t)w_;                                 \
    } while (0)
    ADD("HTTP/1.1 %d %s\r\n", q->status, api_reason_of(q->status));
    if (q->type)
        ADD("Content-Type: %s\r\n", q->type);
    if (q->archive)
        ADD("Transfer-Encoding: chunked\r\nContent-Disposition: attachment; filename=\"recordings.zip\"\r\n");
    else if (!q->stream && q->status != 204)
        ADD("Content-Length: %zu\r\n", q->out_len);
    ADD("X-Request-Id: %s\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n", q->request_id);
    if (q->index && q->status < 300)
        ADD("Everline-Index: %llu\r\n", (unsigned long long)q->index);
    if (q->etag[0] && q->status < 300)
        ADD("ETag: %s\r\n", q->etag);
    if (q->ranges)
        ADD("Accept-Ranges: bytes\r\n");
    if (q->content_range[0])
        ADD("Content-Range: %s\r\n", q->content_range);
    if (q->location[0] && q->status == 201)
        ADD("Location: %s\r\n", q->location);
    if (q->allow[0])
        ADD("Allow: %s\r\n", q->allow);
    if (q->retry_after)
        ADD("Retry-After: %u\r\n", q->retry_after);
    if (q->status == 401)
        ADD("WWW-Authenticate: Bearer realm=\"everline\"\r\n");
    if (q->close_after)
        ADD("Connection: close\r\n");
    ADD("\r\n");
#undef ADD
    q->headers_sent = true;
    return lws_write(q->wsi, (unsigned char *)p, n, LWS_WRITE_HTTP_HEADERS) < 0 ? -1 : 0;
}

static void on_overdue(lws_sorted_usec_list_t *sul)
{
    struct conn *c = lws_container_of(sul, struct conn, overdue);
    lws_set_timeout(c->wsi, PENDING_TIMEOUT_HTTP_CONTENT, LWS_TO_KILL_ASYNC);
}

static void stop_clock(struct conn *c)
{
    if (c->q)
        lws_sul_schedule(c->q->s->lws, 0, &c->overdue, NULL, LWS_SET_TIMER_USEC_CANCEL);
}

/* The connection takes more. */
static int on_writable(struct conn *c, struct lws *wsi)
{
    struct api_request *q = c->q;
    if (!q || !q->answered)
        return 0;
    if (!q->headers_sent && send_head(q))
        return -1;
    if (q->stream)
        return api_stream_write(q);
    int archive = q->archive ? api_archive_write(q) : 1;
    if (archive != 1)
        return archive;
    static _Thread_local unsigned char buf[LWS_PRE + 32768];
    if (!q->head && q->out_sent < q->out_len) {
        size_t n = q->out_len - q->out_sent < 32768 ? q->out_len - q->out_sent : 32768;
        memcpy(buf + LWS_PRE, q->out + q->out_sent, n);
        q->out_sent += n;
        bool last = q->out_sent == q->out_len;
        if (lws_write(wsi, buf + LWS_PRE, n, last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0)
            return -1;
        q->s->n.bytes_out += n;
        if (!last) {
            lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, (int)q->s->idle_s);
            lws_callback_on_writable(wsi);
            return 0;
        }
    }
    if (q->body_dropped && q->body_len < q->body_expected) { /* what still comes is read and forgotten, for a while */
        lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, 2);
        return 0;
    }
    bool close_now = q->close_after;
    set_quiet(q->s, wsi, true);
    stop_clock(c); /* it may still run when the answer did not wait for the body */
    c->q = NULL;
    api_request_free(q);
    return close_now || lws_http_transaction_completed(wsi) ? -1 : 0;
}

/* ---- receiving */

/* The whole request is here; from now on the client waits for us. */
static void complete(struct conn *c)
{
    struct api_request *q = c->q;
    stop_clock(c);
    lws_set_timeout(q->wsi, NO_PENDING_TIMEOUT, 0);
    if (q->answered)
        api_wake(q);
    else
        api_request_run(q);
}

static int on_request(struct api_server *s, struct conn *c, struct lws *wsi)
{
    struct lws *network = lws_get_network_wsi(wsi);
    if (network != wsi) { /* HTTP/2 by "Upgrade: h2c", which lws cannot be told to leave: close it */
        lws_set_timeout(network, PENDING_TIMEOUT_HTTP_CONTENT, LWS_TO_KILL_ASYNC);
        return -1;
    }
    if (c->q) /* the answer before was not finished: cannot be */
        return -1;
    struct api_request *q = api_request_new(s);
    if (!q)
        return -1;
    set_quiet(s, wsi, false);
    c->q = q;
    c->wsi = q->wsi = wsi;
    peer_address(lws_get_socket_fd(wsi), q->origin);
    bool body_follows = false;
    api_read_head(q, &body_follows);
    q->body_dropped = q->answered || !body_follows;
    if (!body_follows) {
        complete(c);
        return 0;
    }
    lws_sul_schedule(s->lws, 0, &c->overdue, on_overdue,
                     (lws_usec_t)(API_REQUEST_FACTOR * s->idle_s) * LWS_USEC_PER_SEC);
    if (!q->answered)
        return api_expects_continue(wsi) ? api_send_continue(wsi) : 0;
    q->close_after = q->close_after || api_expects_continue(wsi) || q->body_expected > API_BODY_MAX;
    if (q->close_after && api_expects_continue(wsi))
        q->body_expected = 0; /* it will not be sent */
    return 0;
}

/* What does not fit on the disk is read and forgotten, its sender is told. */
static int spool(struct api_request *q, const char *in, size_t len)
{
    for (size_t n = 0; n < len;) {
        ssize_t put = write(q->spool, in + n, len - n);
        if (put < 0 && errno != EINTR) {
            api_fail_code(q, ERR_NOSPACE, NULL, "no place for the file: %s", strerror(errno));
            q->body_dropped = true;
            break;
        }
        n += put > 0 ? (size_t)put : 0;
    }
    q->body_len += len;
    return 0;
}

static int on_body(struct conn *c, const void *in, size_t len)
{
    struct api_request *q = c->q;
    if (!q)
        return -1;
    q->s->n.bytes_in += len;
    if (q->body_dropped) {
        q->body_len += len;
        return q->body_len > 4 * (size_t)API_BODY_MAX ? -1 : 0;
    }
    if (len > q->body_expected - q->body_len)
        return -1;
    if (q->spool >= 0)
        return spool(q, in, len);
    memcpy(q->body + q->body_len, in, len);
    q->body_len += len;
    return 0;
}

static void forget(struct conn *c)
{
    if (!c->q)
        return;
    stop_clock(c);
    c->q->wsi = NULL;
    api_request_free(c->q);
    c->q = NULL;
}

static void on_wake(struct api_server *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t notified = s->notified;
    pthread_mutex_unlock(&s->lock);
    api_tickets_run(s);
    api_streams_wake(s, notified);
}

static int on_http(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct api_server *s = lws_context_user(lws_get_context(wsi));
    struct conn *c = user;
    switch ((int)reason) {
    case LWS_CALLBACK_FILTER_NETWORK_CONNECTION:
        return may_connect(s, (lws_sockfd_type)(intptr_t)in) ? 0 : 1;
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
        return connected(s, wsi);
    case LWS_CALLBACK_WSI_DESTROY:
        disconnected(s, wsi);
        return 0;
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
        on_wake(s);
        return 0;
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: /* no WebSocket here */
        return 1;
    case LWS_CALLBACK_HTTP:
        return on_request(s, c, wsi);
    case LWS_CALLBACK_HTTP_BODY:
        return on_body(c, in, len);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        if (c->q)
            complete(c);
        return 0;
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return on_writable(c, wsi);
    case LWS_CALLBACK_CLOSED_HTTP:
    case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
        if (c)
            forget(c);
        return 0;
    default:
        return 0;
    }
}

/* ---- the thread */

static const struct lws_protocols protocols[] = {
    {.name = "http", .callback = on_http, .per_session_data_size = sizeof(struct conn)},
    {.name = NULL},
};

static void on_beat(lws_sorted_usec_list_t *sul)
{
    struct api_server *s = lws_container_of(sul, struct api_server, beat);
    api_streams_beat(s);
    close_quiet(s);
    lws_sul_schedule(s->lws, 0, &s->beat, on_beat, (lws_usec_t)s->idle_s * LWS_USEC_PER_SEC);
}

static void on_look(lws_sorted_usec_list_t *sul)
{
    struct api_server *s = lws_container_of(sul, struct api_server, look);
    api_streams_look(s);
    lws_sul_schedule(s->lws, 0, &s->look, on_look, STREAMS_LOOK_US);
}

/* Closes what is open: their requests are freed. */
static void close_socket(struct api_server *s)
{
    if (!s->lws)
        return;
    lws_context_destroy(s->lws);
    pthread_mutex_lock(&s->lock);
    s->lws = NULL;
    pthread_mutex_unlock(&s->lock);
}

/* Answers that are there but not yet with their clients. */
static bool owes_answers(struct api_server *s)
{
    pthread_mutex_lock(&s->lock);
    bool owes = s->posted != NULL;
    pthread_mutex_unlock(&s->lock);
    list_foreach(it, &s->requests) {
        const struct api_request *q = list_entry(it, struct api_request, link);
        owes = owes ||
               (q->wsi && q->answered && !q->stream && (!q->headers_sent || (!q->head && q->out_sent < q->out_len)));
    }
    return owes;
}

static void *run(void *arg)
{
    struct api_server *s = arg;
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    thread_ordinary();
    pthread_sigmask(SIG_BLOCK, &pipe, NULL); /* TLS writes with write(2) */
    lws_sul_schedule(s->lws, 0, &s->beat, on_beat, (lws_usec_t)s->idle_s * LWS_USEC_PER_SEC);
    lws_sul_schedule(s->lws, 0, &s->look, on_look, STREAMS_LOOK_US);
    uint64_t until = 0; /* when stopping: as long as clients get to take their answers */
    for (;;) {
        pthread_mutex_lock(&s->lock);
        bool stop = s->stop;
        pthread_mutex_unlock(&s->lock);
        if (stop && !until)
            until = clock_mono_now().us + STOP_FLUSH_US;
        if (stop && (clock_mono_now().us >= until || !owes_answers(s)))
            break;
        if (lws_service(s->lws, 0) < 0)
            break;
    }
    lws_sul_schedule(s->lws, 0, &s->beat, NULL, LWS_SET_TIMER_USEC_CANCEL);
    lws_sul_schedule(s->lws, 0, &s->look, NULL, LWS_SET_TIMER_USEC_CANCEL);
    api_board_stop(s);
    close_socket(s);
    return NULL;
}

static void on_lws_log(int level, const char *line)
{
    int n = (int)strcspn(line, "\n");
    if (level & LLL_ERR)
        log_warn("api", "%.*s", n, line);
    else
        log_debug("api", "%.*s", n, line);
}

static int open_socket(struct api_server *s, struct err_info *info)
{
    lws_set_log_level(LLL_ERR | LLL_WARN, on_lws_log);
    struct lws_context_creation_info ci;
    memset(&ci, 0, sizeof ci);
    ci.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    ci.user = s;
    ci.gid = -1;
    ci.uid = -1;
    ci.pt_serv_buf_size = 65536;
    ci.max_http_header_data = API_HEADERS_MAX;
    ci.max_http_header_pool = 256;
    ci.timeout_secs = s->idle_s;
    ci.timeout_secs_ah_idle = s->idle_s;
    ci.fd_limit_per_thread = API_CONNECTIONS_MAX + 64;
    ci.ka_time = 30;
    ci.ka_probes = 3;
    ci.ka_interval = 10;
    s->lws = lws_create_context(&ci);
    if (!s->lws)
        return err_set(info, ERR_NOMEM, "", "the HTTPS context cannot be made");
    ci.port = s->port ? s->port : 0;
    ci.iface = s->listen_ip[0] && strcmp(s->listen_ip, "0.0.0.0") != 0 && strcmp(s->listen_ip, "::") != 0 ? s->listen_ip
                                                                                                          : NULL;
    ci.protocols = protocols;
    ci.vhost_name = "everline";
    ci.keepalive_timeout = (int)s->idle_s;
    ci.ssl_cert_filepath = s->cert;
    ci.ssl_private_key_filepath = s->key;
    ci.ssl_options_set = SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_RENEGOTIATION;
    ci.alpn = "http/1.1";
    ci.server_string = "everline";
    if (!strchr(s->listen_ip, ':'))
        ci.options |= LWS_SERVER_OPTION_DISABLE_IPV6;
    s->vhost = lws_create_vhost(s->lws, &ci);
    if (!s->vhost)
        return err_set(info, ERR_IO, "listen.https", "cannot listen on %s port %u with certificate %s", s->listen_ip,
                       s->port, s->cert);
    s->port = (uint16_t)lws_get_vhost_listen_port(s->vhost);
    return 0;
}

static int copy_config(struct api_server *s, const struct api_config *cfg)
{
    s->node = mem_strdup(cfg->node);
    s->realm = mem_strdup(cfg->realm);
    s->listen_ip = mem_strdup(cfg->listen_ip ? cfg->listen_ip : "");
    s->cert = mem_strdup(cfg->cert_file);
    s->key = mem_strdup(cfg->key_file);
    s->spool = mem_strdup(cfg->spool ? cfg->spool : "/tmp");
    s->port = cfg->port;
    s->storage = cfg->storage;
    s->idle_s = cfg->idle_s ? cfg->idle_s : API_IDLE_S;
    s->answers_max = cfg->answers_max ? cfg->answers_max : API_ANSWERS_MAX;
    s->timeout_ms = cfg->command_timeout_ms ? cfg->command_timeout_ms : 5000;
    if (cfg->admin_token) {
        api_sha256(cfg->admin_token, strlen(cfg->admin_token), s->admin_sha256);
        s->has_admin = true;
    }
    return s->node && s->realm && s->listen_ip && s->cert && s->key && s->spool ? 0 : ERR_NOMEM;
}

static void destroy(struct api_server *s)
{
    close_socket(s);
    while (s->posted) {
        struct api_posted *p = s->posted;
        s->posted = p->next;
        api_posted_free(p);
    }
    api_board_free(s);
    storage_reader_close(s->reader);
    map_free(&s->tickets);
    map_free(&s->sources);
    map_free(&s->peers);
    free(s->node);
    free(s->realm);
    free(s->listen_ip);
    free(s->cert);
    free(s->key);
    free(s->spool);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

int api_start(const struct api_config *cfg, const struct api_backend *backend, struct api_server **out,
              struct err_info *info)
{
    struct api_server *s = calloc(1, sizeof *s);
    if (!s || pthread_mutex_init(&s->lock, NULL) != 0) {
        free(s);
        return err_set(info, ERR_NOMEM, "", "out of memory");
    }
    s->be = *backend;
    s->posted_end = &s->posted;
    s->boot = clock_wall_now().us;
    map_init(&s->tickets);
    map_init(&s->sources);
    map_init(&s->peers);
    list_init(&s->requests);
    list_init(&s->streams);
    int err = copy_config(s, cfg);
    if (err)
        err_set(info, err, "", "out of memory");
    else
        err = storage_reader_open(s->storage, &s->reader, info);
    if (!err)
        err = open_socket(s, info);
    if (!err && pthread_create(&s->thread, NULL, run, s) != 0)
        err = err_set(info, ERR_NOMEM, "", "the thread cannot be started");
    if (err) {
        destroy(s);
        return err;
    }
    (void)pthread_setname_np(s->thread, "api");
    *out = s;
    return 0;
}

void api_stop(struct api_server *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    lws_cancel_service(s->lws); /* under the lock: the thread destroys the context as soon as it sees stop */
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    destroy(s);
}

uint16_t api_port(const struct api_server *s)
{
    return s->port;
}

void api_notify(struct api_server *s, uint64_t index)
{
    pthread_mutex_lock(&s->lock);
    bool news = index > s->notified;
    if (news)
        s->notified = index;
    if (news && s->lws && atomic_load(&s->listening))
        lws_cancel_service(s->lws);
    pthread_mutex_unlock(&s->lock);
}
