#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "raft/mesh_int.h"
#include "raft/wire.h"

#define MESH_USER_TIMEOUT_MS 2000u
#define MESH_ENCRYPT_AT_ONCE (256u * 1024u)
#define MESH_RECORD 16384u
#define MESH_DRAIN_MS 1000u

/* ---- byte queues ---- */

static bool mesh_buf_room(struct mesh_buf *b, size_t n)
{
    if (b->start == b->end)
        b->start = b->end = 0;
    if (b->cap - b->end >= n)
        return true;
    if (b->start && b->cap - (b->end - b->start) >= n && b->start >= b->cap / 2) {
        memmove(b->data, b->data + b->start, b->end - b->start);
        b->end -= b->start;
        b->start = 0;
        return true;
    }
    size_t cap = b->cap ? b->cap : 16384;
    while (cap - b->end < n)
        cap *= 2;
    uint8_t *p = realloc(b->data, cap);
    if (!p)
        return false;
    b->data = p;
    b->cap = cap;
    return true;
}

static void mesh_buf_free(struct mesh_buf *b)
{
    free(b->data);
    *b = (struct mesh_buf){0};
}

/* ---- life ---- */

static void mesh_conn_free_cb(uv_handle_t *h)
{
    struct mesh_conn *c = h->data;
    struct mesh *m = c->mesh;
    SSL_free(c->ssl);
    free(c->write_mem);
    mesh_buf_free(&c->in);
    mesh_buf_free(&c->out);
    free(c);
    mesh_handle_closed(m);
}

struct mesh_conn *mesh_conn_new(struct mesh *m, bool dialed)
{
    struct mesh_conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->mesh = m;
    c->dialed = dialed;
    c->state = MESH_CONNECT;
    c->ssl = SSL_new(m->tls);
    c->rbio = BIO_new(BIO_s_mem());
    c->wbio = BIO_new(BIO_s_mem());
    if (!c->ssl || !c->rbio || !c->wbio) {
        SSL_free(c->ssl);
        BIO_free(c->rbio);
        BIO_free(c->wbio);
        free(c);
        return NULL;
    }
    BIO_set_mem_eof_return(c->rbio, -1);
    BIO_set_mem_eof_return(c->wbio, -1);
    SSL_set_bio(c->ssl, c->rbio, c->wbio);
    if (dialed)
        SSL_set_connect_state(c->ssl);
    else
        SSL_set_accept_state(c->ssl);
    uv_tcp_init(m->loop, &c->tcp);
    c->tcp.data = c;
    m->open_handles++;
    list_push_back(&m->conns, &c->link);
    c->deadline_us = clock_mono_now().us + MESH_HANDSHAKE_MS * 1000u;
    return c;
}

static const char *mesh_conn_name(const struct mesh_conn *c)
{
    return c->hello.name[0] ? c->hello.name : c->peer ? c->peer->name : "a stranger";
}

bool mesh_conn_news(struct mesh_conn *c, const char *what)
{
    const char *name = mesh_conn_name(c), *port = strrchr(c->remote, ':');
    char who[sizeof c->remote + 16];
    if (c->hello.name[0] || c->peer)
        return mesh_told_news(&c->mesh->told, name, what);
    /* Each try of a stranger comes from another port. */
    snprintf(who, sizeof who, "stranger %.*s", port ? (int)(port - c->remote) : (int)strlen(c->remote), c->remote);
    return mesh_told_news(&c->mesh->told, who, what);
}

static void mesh_conn_end(struct mesh_conn *c, const char *why, int dial_status)
{
    struct mesh *m = c->mesh;
    if (c->state == MESH_CLOSED)
        return;
    /* One that runs out was told of when it was answered. The end of one that was up is always news. */
    if (why && c->state != MESH_CONNECT && c->state != MESH_DRAIN && (c->state == MESH_UP || mesh_conn_news(c, why)))
        log_info("mesh", "connection with %s (%s) closed: %s", mesh_conn_name(c), c->remote, why);
    c->state = MESH_CLOSED;
    list_del(&c->link);
    if (m->filling == c)
        m->filling = NULL;
    uv_close((uv_handle_t *)&c->tcp, mesh_conn_free_cb);
    mesh_lost(c, dial_status);
}

void mesh_conn_close(struct mesh_conn *c, const char *why)
{
    mesh_conn_end(c, why, 0);
}

/* ---- sending ---- */

uint8_t *mesh_conn_begin(struct mesh_conn *c, uint8_t type, uint16_t flags, size_t len, int *err)
{
    *err = ERR_BUSY;
    if (c->out.end - c->out.start + len > MESH_OUT_MAX)
        return NULL;
    *err = ERR_NOMEM;
    if (!mesh_buf_room(&c->out, MESH_FRAME_HEADER + len))
        return NULL;
    uint8_t *p = c->out.data + c->out.end;
    /* length, type and flags are kept in the header until mesh_end computes the checksum */
    p[5] = type;
    wire_put16(p + 6, flags);
    wire_put32(p + 8, (uint32_t)len);
    *err = 0;
    c->mesh->filling = c;
    c->mesh->filling_at = c->out.end;
    return p + MESH_FRAME_HEADER;
}

void mesh_end(struct mesh *m)
{
    struct mesh_conn *c = m->filling;
    if (!c)
        return;
    m->filling = NULL;
    uint8_t *p = c->out.data + m->filling_at;
    size_t len = (size_t)wire_load(p + 8, 4);
    mesh_frame_encode(p, p[5], (uint16_t)wire_load(p + 6, 2), p + MESH_FRAME_HEADER, len);
    c->out.end = m->filling_at + MESH_FRAME_HEADER + len;
}

void mesh_conn_send(struct mesh_conn *c, uint8_t type, const void *data, size_t len)
{
    int err;
    uint8_t *p = mesh_conn_begin(c, type, 0, len, &err);
    if (!p)
        return;
    memcpy(p, data, len);
    mesh_end(c->mesh);
}

static void mesh_conn_shutdown_cb(uv_shutdown_t *req, int status)
{
    (void)req;
    (void)status;
}

static void mesh_conn_written_cb(uv_write_t *req, int status)
{
    struct mesh_conn *c = req->data;
    free(c->write_mem);
    c->write_mem = NULL;
    c->write_busy = 0;
    if (c->state == MESH_CLOSED)
        return;
    if (status < 0)
        mesh_conn_close(c, uv_strerror(status));
    else
        mesh_conn_flush(c);
}

/* Hands what TLS has made to the socket: at once as far as it goes, the rest by a write request. */
static int mesh_conn_push(struct mesh_conn *c)
{
    char *data;
    long pending = BIO_get_mem_data(c->wbio, &data);
    if (pending <= 0 || c->write_busy)
        return 0;
    uv_buf_t buf = uv_buf_init(data, (unsigned)pending);
    int n = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
    if (n == UV_EAGAIN)
        n = 0;
    if (n < 0)
        return n;
    size_t rest = (size_t)pending - (size_t)n;
    if (rest) {
        c->write_mem = malloc(rest);
        if (!c->write_mem)
            return UV_ENOMEM;
        memcpy(c->write_mem, data + n, rest);
        buf = uv_buf_init((char *)c->write_mem, (unsigned)rest);
        c->write_req.data = c;
        int rc = uv_write(&c->write_req, (uv_stream_t *)&c->tcp, &buf, 1, mesh_conn_written_cb);
        if (rc) {
            free(c->write_mem);
            c->write_mem = NULL;
            return rc;
        }
        c->write_busy = 1;
    }
    /* Not BIO_reset: that would clear all memory the buffer ever had, at each write. The scratch memory's content is of no use. */
    while (BIO_read(c->wbio, c->mesh->scratch, (int)sizeof c->mesh->scratch) > 0)
        continue;
    return 0;
}

void mesh_conn_flush(struct mesh_conn *c)
{
    int rc = 0;
    if (c->state == MESH_CLOSED || c->state == MESH_CONNECT)
        return;
    while (!rc && !c->write_busy) {
        size_t taken = 0;
        while (SSL_is_init_finished(c->ssl) && c->out.start < c->out.end && taken < MESH_ENCRYPT_AT_ONCE) {
            size_t n = c->out.end - c->out.start;
            if (n > MESH_RECORD)
                n = MESH_RECORD;
            ERR_clear_error();
            int w = SSL_write(c->ssl, c->out.data + c->out.start, (int)n);
            if (w <= 0) {
                mesh_conn_close(c, "cannot encrypt");
                return;
            }
            c->out.start += (size_t)w;
            taken += (size_t)w;
        }
        bool some = taken || BIO_ctrl_pending(c->wbio);
        if (!some)
            break;
        rc = mesh_conn_push(c);
    }
    if (rc) {
        mesh_conn_close(c, uv_strerror(rc));
        return;
    }
    if (c->out.start == c->out.end && c->out.cap > 4u * MESH_FRAME_MAX)
        mesh_buf_free(&c->out); /* a burst is over */
    if (c->state == MESH_DRAIN && !c->write_busy && c->out.start == c->out.end && !c->shutdown_sent) {
        c->shutdown_sent = true;
        uv_shutdown(&c->shutdown_req, (uv_stream_t *)&c->tcp, mesh_conn_shutdown_cb);
    }
}

void mesh_conn_drain(struct mesh_conn *c)
{
    if (c->state == MESH_CLOSED || c->state == MESH_DRAIN)
        return;
    c->state = MESH_DRAIN;
    c->deadline_us = clock_mono_now().us + MESH_DRAIN_MS * 1000u;
    mesh_conn_flush(c);
}

void mesh_conn_refuse(struct mesh_conn *c, int code, const char *text)
{
    uint8_t buf[300];
    uint8_t *p = wire_put32(buf, (uint32_t)code);
    p = wire_put_str(p, text);
    if (mesh_conn_news(c, text))
        log_warn("mesh", "refused %s (%s): %s", mesh_conn_name(c), c->remote, text);
    mesh_conn_send(c, MESH_REFUSED, buf, (size_t)(p - buf));
    mesh_conn_drain(c);
}

/* ---- receiving ---- */

static void mesh_conn_on_refused(struct mesh_conn *c, const uint8_t *data, size_t len)
{
    struct wire_reader r;
    char text[256];
    wire_reader_init(&r, data, len);
    int code = (int32_t)wire_get32(&r);
    wire_get_str(&r, text, sizeof text);
    if (r.bad || code >= 0) {
        mesh_conn_close(c, "malformed refusal");
        return;
    }
    struct mesh *m = c->mesh;
    uint64_t peer = c->peer ? c->peer->id : c->hello.id;
    if (mesh_conn_news(c, text))
        log_warn("mesh", "%s (%s) refused us: %s", mesh_conn_name(c), c->remote, text);
    mesh_conn_close(c, NULL);
    m->ev.refused(m->ev.ctx, peer, code, text);
}

static void mesh_conn_on_hello(struct mesh_conn *c, const uint8_t *data, size_t len)
{
    struct mesh *m = c->mesh;
    char cn[MESH_NAME_MAX], why[256];
    struct mesh_hello h;
    if (mesh_hello_decode(data, len, &h)) {
        mesh_conn_close(c, "malformed hello");
        return;
    }
    c->hello = h;
    if (!mesh_tls_peer_name(c->ssl, cn, sizeof cn) || strcmp(cn, h.name) != 0) {
        mesh_conn_refuse(c, ERR_DENIED, "the certificate's name is not the name that was claimed");
        return;
    }
    if (!h.id) {
        struct mesh_join_reply reply = {.status = ERR_BUSY};
        uint8_t out[MESH_JOIN_REPLY_BYTES_MAX];
        if (c->dialed) {
            mesh_conn_close(c, "peer has no id yet");
            return;
        }
        if (m->self.id)
            m->ev.join(m->ev.ctx, &h, &reply);
        const char *answer = reply.status ? reply.text : "it may";
        if (mesh_conn_news(c, answer))
            log_info("mesh", "%s (%s) asks to join: %s", h.name, c->remote,
                     answer[0] ? answer : "we have not joined yet");
        mesh_conn_send(c, MESH_JOIN_REPLY, out, mesh_join_reply_encode(out, &reply));
        mesh_conn_drain(c);
        return;
    }
    if (!m->self.id) {
        mesh_conn_close(c, "we have no id yet");
        return;
    }
    if (h.cluster != m->self.cluster) {
        mesh_conn_refuse(c, ERR_CONFLICT, "belongs to another cluster");
        return;
    }
    if (h.id == m->self.id || (c->dialed && (!c->peer || c->peer->id != h.id))) {
        mesh_conn_refuse(c, ERR_CONFLICT, "is not the node that was expected at this address");
        return;
    }
    int rc = m->ev.admit(m->ev.ctx, &h, why, sizeof why);
    if (rc) {
        mesh_conn_refuse(c, rc, why);
        return;
    }
    mesh_greeted(c);
}

static void mesh_conn_on_join_reply(struct mesh_conn *c, const uint8_t *data, size_t len)
{
    struct mesh *m = c->mesh;
    struct mesh_join_reply reply;
    if (!c->asks_join || mesh_join_reply_decode(data, len, &reply)) {
        mesh_conn_close(c, "malformed answer to join");
        return;
    }
    m->joining = NULL;
    mesh_conn_close(c, NULL);
    m->ev.joined(m->ev.ctx, &reply);
}

void mesh_conn_ping(struct mesh_conn *c)
{
    uint8_t ping[8];
    wire_put64(ping, clock_mono_now().us);
    mesh_conn_send(c, MESH_PING, ping, sizeof ping);
}

void mesh_conn_pong(struct mesh_conn *c, uint64_t sent_us)
{
    uint8_t out[8 + MESH_ANSWER_MAX];
    struct mesh *m = c->mesh;
    uint8_t *p = wire_put64(out, sent_us);
    mesh_conn_send(c, MESH_PONG, out, 8 + m->ev.answer(m->ev.ctx, c->peer->id, sent_us != 0, p));
}

static void mesh_conn_on_pong(struct mesh_conn *c, uint64_t sent_us, const uint8_t *data, size_t len)
{
    struct mesh *m = c->mesh;
    if (sent_us > clock_mono_now().us) {
        mesh_conn_close(c, "answer to a ping that was not sent");
        return;
    }
    if (sent_us)
        mesh_ponged(c, sent_us);
    if (m->ev.answered(m->ev.ctx, c->peer->id, sent_us, data, len))
        mesh_conn_close(c, "malformed answer to a ping");
}

static void mesh_conn_on_ping(struct mesh_conn *c, uint8_t type, const uint8_t *data, size_t len)
{
    if (type == MESH_PING ? len != 8 || !wire_load(data, 8) : len < 8)
        mesh_conn_close(c, "malformed ping");
    else if (type == MESH_PING)
        mesh_conn_pong(c, wire_load(data, 8));
    else
        mesh_conn_on_pong(c, wire_load(data, 8), data + 8, len - 8);
}

static void mesh_conn_dispatch(struct mesh_conn *c, const struct mesh_frame *f, const uint8_t *data)
{
    struct mesh *m = c->mesh;
    if (f->type == MESH_REFUSED)
        mesh_conn_on_refused(c, data, f->len);
    else if (c->state == MESH_GREET && f->type == MESH_HELLO)
        mesh_conn_on_hello(c, data, f->len);
    else if (c->state == MESH_GREET && f->type == MESH_JOIN_REPLY)
        mesh_conn_on_join_reply(c, data, f->len);
    else if (c->state == MESH_UP && (f->type == MESH_PING || f->type == MESH_PONG))
        mesh_conn_on_ping(c, f->type, data, f->len);
    else if (c->state == MESH_UP && f->type > MESH_PONG) {
        if (m->ev.frame(m->ev.ctx, c->peer->id, f->type, f->flags, data, f->len))
            mesh_conn_close(c, "malformed frame");
    } else
        mesh_conn_close(c, "frame out of place");
}

/* Takes whole frames off the input. */
static void mesh_conn_frames(struct mesh_conn *c)
{
    while ((c->state == MESH_UP || c->state == MESH_GREET) && c->in.end - c->in.start >= MESH_FRAME_HEADER) {
        struct mesh_frame f;
        const uint8_t *at = c->in.data + c->in.start;
        if (mesh_frame_decode(at, c->state == MESH_UP ? MESH_FRAME_MAX : MESH_FRAME_HELLO_MAX, &f)) {
            mesh_conn_close(c, "not a frame of ours");
            return;
        }
        if (c->in.end - c->in.start < MESH_FRAME_HEADER + f.len)
            return;
        if (!mesh_frame_intact(at, &f, at + MESH_FRAME_HEADER)) {
            mesh_conn_close(c, "frame fails its checksum");
            return;
        }
        mesh_conn_dispatch(c, &f, at + MESH_FRAME_HEADER);
        c->in.start += MESH_FRAME_HEADER + f.len;
    }
}

static void mesh_conn_decrypt(struct mesh_conn *c)
{
    char text[160];
    if (!SSL_is_init_finished(c->ssl)) {
        ERR_clear_error();
        int rc = SSL_do_handshake(c->ssl);
        if (rc != 1 && SSL_get_error(c->ssl, rc) != SSL_ERROR_WANT_READ) {
            const char *why = mesh_tls_error(text, sizeof text);
            mesh_conn_flush(c); /* the alert */
            mesh_conn_close(c, why[0] ? why : "TLS handshake failed");
            return;
        }
        if (rc == 1) {
            c->state = MESH_GREET;
            if (c->dialed) {
                uint8_t buf[MESH_HELLO_BYTES_MAX];
                struct mesh *m = c->mesh;
                m->self.last_index = m->ev.last_index(m->ev.ctx);
                mesh_conn_send(c, MESH_HELLO, buf, mesh_hello_encode(buf, &m->self));
            }
        }
    }
    while (c->state == MESH_GREET || c->state == MESH_UP || c->state == MESH_DRAIN) {
        if (!mesh_buf_room(&c->in, MESH_RECORD)) {
            mesh_conn_close(c, "out of memory");
            return;
        }
        ERR_clear_error();
        int n = SSL_read(c->ssl, c->in.data + c->in.end, (int)MESH_RECORD);
        if (n <= 0) {
            int e = SSL_get_error(c->ssl, n);
            if (e == SSL_ERROR_WANT_READ)
                break;
            const char *why = mesh_tls_error(text, sizeof text);
            mesh_conn_close(c, e == SSL_ERROR_ZERO_RETURN ? "closed by peer" : why[0] ? why : "TLS error");
            return;
        }
        if (c->state == MESH_DRAIN)
            continue;
        c->in.end += (size_t)n;
        mesh_conn_frames(c);
    }
    if (c->state != MESH_CLOSED)
        mesh_conn_flush(c);
}

static void mesh_conn_alloc_cb(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct mesh_conn *c = h->data;
    (void)suggested;
    *buf = uv_buf_init((char *)c->mesh->scratch, sizeof c->mesh->scratch);
}

static void mesh_conn_read_cb(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct mesh_conn *c = s->data;
    if (c->state == MESH_CLOSED || n == 0)
        return;
    if (n < 0) {
        mesh_conn_close(c, n == UV_EOF ? "closed by peer" : uv_strerror((int)n));
        return;
    }
    c->last_rx_us = clock_mono_now().us;
    if (c->state == MESH_UP)
        mesh_heard(c->peer, c->last_rx_us);
    if (c->state == MESH_CLOSED)
        return;
    if (BIO_write(c->rbio, buf->base, (int)n) != (int)n) {
        mesh_conn_close(c, "out of memory");
        return;
    }
    mesh_conn_decrypt(c);
}

/* ---- connecting ---- */

static void mesh_conn_started(struct mesh_conn *c)
{
    int fd, timeout = MESH_USER_TIMEOUT_MS;
    struct sockaddr_storage ss;
    int len = sizeof ss;
    char ip[INET6_ADDRSTRLEN] = "";
    uv_tcp_nodelay(&c->tcp, 1);
    if (!uv_fileno((uv_handle_t *)&c->tcp, &fd))
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
    if (!uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&ss, &len)) {
        unsigned port;
        if (ss.ss_family == AF_INET6) {
            const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)&ss;
            uv_ip6_name(a, ip, sizeof ip);
            port = ntohs(a->sin6_port);
        } else {
            const struct sockaddr_in *a = (const struct sockaddr_in *)&ss;
            uv_ip4_name(a, ip, sizeof ip);
            port = ntohs(a->sin_port);
        }
        snprintf(c->remote, sizeof c->remote, "%s:%u", ip, port);
    }
    c->state = MESH_TLS;
    c->last_rx_us = clock_mono_now().us;
    int rc = uv_read_start((uv_stream_t *)&c->tcp, mesh_conn_alloc_cb, mesh_conn_read_cb);
    if (rc) {
        mesh_conn_close(c, uv_strerror(rc));
        return;
    }
    if (c->dialed)
        mesh_conn_decrypt(c);
}

static void mesh_conn_connected_cb(uv_connect_t *req, int status)
{
    struct mesh_conn *c = req->data;
    if (c->state == MESH_CLOSED)
        return;
    if (status < 0)
        mesh_conn_end(c, NULL, status);
    else
        mesh_conn_started(c);
}

int mesh_conn_dial(struct mesh_conn *c, const char *address)
{
    struct sockaddr_storage to, from = c->mesh->listen_addr;
    if (mesh_address_parse(address, &to))
        return UV_EINVAL;
    snprintf(c->remote, sizeof c->remote, "%s", address);
    /* from our own address, so that the other side and its firewall see the node they know */
    if (from.ss_family == to.ss_family) {
        if (from.ss_family == AF_INET)
            ((struct sockaddr_in *)&from)->sin_port = 0;
        else
            ((struct sockaddr_in6 *)&from)->sin6_port = 0;
        int rc = uv_tcp_bind(&c->tcp, (const struct sockaddr *)&from, 0);
        if (rc)
            return rc;
    }
    c->connect_req.data = c;
    return uv_tcp_connect(&c->connect_req, &c->tcp, (const struct sockaddr *)&to, mesh_conn_connected_cb);
}

/* Room for one more. Not the newcomer is refused, or whoever fills the places would keep members out; the oldest goes, first of those
 * that have not shown a certificate: a member is through within a round trip or two. */
static void mesh_conn_make_room(struct mesh *m)
{
    struct mesh_conn *oldest = NULL;
    unsigned strangers = 0;
    list_foreach(it, &m->conns) { /* in the order in which they came */
        struct mesh_conn *c = list_entry(it, struct mesh_conn, link);
        if (c->dialed || c->state == MESH_UP)
            continue;
        strangers++;
        if (!oldest || (oldest->state != MESH_TLS && c->state == MESH_TLS))
            oldest = c;
    }
    if (strangers >= MESH_STRANGERS_MAX)
        mesh_conn_close(oldest, "gives way: too many connections that have not said who they are");
}

static void mesh_turned_away_cb(uv_handle_t *h)
{
    struct mesh *m = h->data;
    bool again = m->turn_away_again && !m->closing;
    m->turning_away = m->turn_away_again = false;
    mesh_handle_closed(m);
    if (again)
        mesh_conn_accept(m);
}

/* Taken and closed, for which nothing need be allocated: what is not taken stops libuv's listener for good. */
static void mesh_conn_turn_away(struct mesh *m)
{
    if (m->turning_away) {
        m->turn_away_again = true;
        return;
    }
    log_warn("mesh", "out of memory: a connection is turned away");
    uv_tcp_init(m->loop, &m->turned_away);
    m->turned_away.data = m;
    m->turning_away = true;
    m->open_handles++;
    (void)uv_accept((uv_stream_t *)&m->listener, (uv_stream_t *)&m->turned_away);
    uv_close((uv_handle_t *)&m->turned_away, mesh_turned_away_cb);
}

void mesh_conn_accept(struct mesh *m)
{
    mesh_conn_make_room(m);
    struct mesh_conn *c = mesh_conn_new(m, false);
    if (!c) {
        mesh_conn_turn_away(m);
        return;
    }
    int rc = uv_accept((uv_stream_t *)&m->listener, (uv_stream_t *)&c->tcp);
    if (rc)
        mesh_conn_close(c, uv_strerror(rc));
    else
        mesh_conn_started(c);
}
