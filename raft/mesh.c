#include "raft/mesh.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/log.h"
#include "raft/mesh_int.h"
#include "raft/wire.h"

#define MESH_LATE_TICK_US 500000u
#define MESH_FIRST_RETRIES 10u /* after a loss these follow at once */
#define MESH_FIRST_RETRY_MS 1u

int mesh_address_parse(const char *text, struct sockaddr_storage *out)
{
    struct addr a;
    int rc = addr_parse(text, &a);
    if (rc == 0)
        (void)addr_sockaddr(&a, out);
    return rc;
}

struct mesh_peer *mesh_peer_find(const struct mesh *m, uint64_t id)
{
    list_foreach(it, &m->peers) {
        struct mesh_peer *p = list_entry(it, struct mesh_peer, link);
        if (p->id == id)
            return p;
    }
    return NULL;
}

/* ---- dialling ---- */

static void mesh_tick_cb(uv_timer_t *t);

static void mesh_dial(struct mesh_peer *p, struct mesh *m)
{
    uint64_t now = clock_mono_now().us;
    p->next_dial_us = now + p->retry_ms * 1000u;
    p->retry_ms = p->retry_ms * 2 > MESH_RETRY_MAX_MS ? MESH_RETRY_MAX_MS : p->retry_ms * 2;
    struct mesh_conn *c = mesh_conn_new(m, true);
    if (!c)
        return;
    c->peer = p;
    p->dialing = c;
    int rc = mesh_conn_dial(c, p->address);
    if (rc)
        mesh_conn_close(c, uv_strerror(rc));
}

static void mesh_dial_due(struct mesh *m, uint64_t now)
{
    if (!m->self.id || m->closing)
        return;
    list_foreach(it, &m->peers) {
        struct mesh_peer *p = list_entry(it, struct mesh_peer, link);
        if (!p->conn && !p->dialing && now >= p->next_dial_us)
            mesh_dial(p, m);
    }
}

void mesh_join_ask(struct mesh *m, const char *address)
{
    if (m->joining || m->closing)
        return;
    struct mesh_conn *c = mesh_conn_new(m, true);
    if (!c) {
        m->ev.joined(m->ev.ctx, NULL);
        return;
    }
    c->asks_join = true;
    m->joining = c;
    int rc = mesh_conn_dial(c, address);
    if (rc)
        mesh_conn_close(c, uv_strerror(rc));
}

/* ---- up and down ---- */

/* Of two connections of a pair, does the new one win? Both sides come to the same answer. */
static bool mesh_newer_wins(const struct mesh *m, const struct mesh_conn *old, const struct mesh_conn *new)
{
    if (old->hello.incarnation != new->hello.incarnation)
        return new->hello.incarnation > old->hello.incarnation;
    bool we_are_lower = m->self.id < new->hello.id;
    bool new_by_lower = new->dialed == we_are_lower;
    bool old_by_lower = old->dialed == we_are_lower;
    return new_by_lower || !old_by_lower;
}

void mesh_greeted(struct mesh_conn *c)
{
    struct mesh *m = c->mesh;
    struct mesh_peer *p = mesh_peer_find(m, c->hello.id);
    if (!p) {
        if (mesh_peer_put(m, c->hello.id, c->hello.name, c->hello.address)) {
            mesh_conn_close(c, "out of memory");
            return;
        }
        p = mesh_peer_find(m, c->hello.id);
    }
    if (p->dialing == c)
        p->dialing = NULL;
    if (p->conn) {
        if (!mesh_newer_wins(m, p->conn, c)) {
            c->peer = NULL;
            mesh_conn_close(c, NULL);
            return;
        }
        struct mesh_conn *old = p->conn;
        p->conn = NULL;
        old->peer = NULL;
        mesh_conn_close(old, "replaced by a newer connection");
        m->ev.link(m->ev.ctx, p->id, false, false);
    }
    if (!c->dialed) {
        uint8_t buf[MESH_HELLO_BYTES_MAX];
        m->self.last_index = m->ev.last_index(m->ev.ctx);
        mesh_conn_send(c, MESH_HELLO, buf, mesh_hello_encode(buf, &m->self));
    }
    c->state = MESH_UP;
    c->peer = p;
    p->conn = c;
    p->incarnation = c->hello.incarnation;
    p->retry_ms = MESH_RETRY_MIN_MS;
    p->refused_told = false;
    mesh_told_forget(&m->told, p->name);
    log_info("mesh", "connected with %s (%s)", p->name, c->remote);
    uint64_t id = p->id;
    m->ev.link(m->ev.ctx, id, true, false);
    if (c->state != MESH_UP)
        return;
    mesh_heard(p, clock_mono_now().us);
    if (c->state == MESH_UP)
        mesh_conn_ping(c);
}

void mesh_heard(struct mesh_peer *p, uint64_t now_us)
{
    struct mesh *m = p->mesh;
    p->heard_us = now_us;
    if (!p->silent)
        return;
    p->silent = false;
    m->ev.silent(m->ev.ctx, p->id, false);
}

/* Called when everything has been read that came before now. */
static void mesh_judge(struct mesh *m, uint64_t now)
{
    list_foreach_safe(it, &m->peers) {
        struct mesh_peer *p = list_entry(it, struct mesh_peer, link);
        if (p->silent || now - p->heard_us < m->detect_ms * 1000ull || now < p->heard_us)
            continue;
        p->silent = true;
        m->ev.silent(m->ev.ctx, p->id, true);
    }
}

void mesh_lost(struct mesh_conn *c, int dial_status)
{
    struct mesh *m = c->mesh;
    struct mesh_peer *p = c->peer;
    if (m->joining == c) {
        m->joining = NULL;
        if (!m->closing)
            m->ev.joined(m->ev.ctx, NULL);
        return;
    }
    if (!p)
        return;
    c->peer = NULL;
    if (p->dialing == c)
        p->dialing = NULL;
    if (p->conn == c) {
        p->conn = NULL;
        p->rtt_us = 0;
        p->retry_ms = MESH_RETRY_MIN_MS;
        p->quick_dials = MESH_FIRST_RETRIES;
        p->next_dial_us = 0;
        uint64_t id = p->id;
        if (!m->closing)
            m->ev.link(m->ev.ctx, id, false, false);
        /* at once: only a refused dial tells that the process is dead */
        p = mesh_peer_find(m, id);
        if (p && !p->conn && !p->dialing && !m->closing && m->self.id)
            mesh_dial(p, m);
        return;
    }
    if (dial_status == UV_ECONNREFUSED && !p->refused_told && !p->conn && !m->closing) {
        p->refused_told = true;
        m->ev.link(m->ev.ctx, p->id, false, true);
    } else if (p->quick_dials && !p->conn && !m->closing) {
        /* A process that dies closes its sockets one by one: the dial may have met one that still listened. */
        p->quick_dials--;
        p->next_dial_us = 0; /* whenever the timer comes: it counts from when this turn of the loop began */
        uv_timer_start(&m->timer, mesh_tick_cb, MESH_FIRST_RETRY_MS, m->tick_ms);
    }
}

void mesh_ponged(struct mesh_conn *c, uint64_t sent_us)
{
    uint64_t now = clock_mono_now().us;
    struct mesh_peer *p = c->peer;
    if (sent_us > now || sent_us < p->contact_us)
        return;
    uint64_t rtt = now - sent_us;
    if (rtt > 60000000u)
        rtt = 60000000u;
    p->contact_us = sent_us;
    p->rtt_us = p->rtt_us ? (uint32_t)((p->rtt_us * 7u + rtt) / 8u) : (uint32_t)rtt;
    if (!p->rtt_us)
        p->rtt_us = 1;
}

/* ---- peers ---- */

int mesh_peer_put(struct mesh *m, uint64_t id, const char *name, const char *address)
{
    struct sockaddr_storage ss;
    if (!id || strlen(name) >= MESH_NAME_MAX || strlen(address) >= MESH_ADDRESS_MAX || mesh_address_parse(address, &ss))
        return ERR_INVAL;
    struct mesh_peer *p = mesh_peer_find(m, id);
    if (!p) {
        p = calloc(1, sizeof *p);
        if (!p)
            return ERR_NOMEM;
        p->id = id;
        p->mesh = m;
        p->heard_us = clock_mono_now().us;
        p->retry_ms = MESH_RETRY_MIN_MS;
        p->next_dial_us = id > m->self.id ? 0 : clock_mono_now().us + MESH_HIGHER_WAITS_MS * 1000u;
        list_push_back(&m->peers, &p->link);
    }
    snprintf(p->name, sizeof p->name, "%s", name);
    snprintf(p->address, sizeof p->address, "%s", address);
    return 0;
}

void mesh_peer_drop(struct mesh *m, uint64_t id, const char *why)
{
    struct mesh_peer *p = mesh_peer_find(m, id);
    if (!p)
        return;
    struct mesh_conn *up = p->conn, *dialing = p->dialing;
    list_del(&p->link);
    free(p);
    if (dialing) {
        dialing->peer = NULL;
        mesh_conn_close(dialing, NULL);
    }
    if (!up)
        return;
    up->peer = NULL;
    if (why)
        mesh_conn_refuse(up, ERR_NOTFOUND, why);
    else
        mesh_conn_close(up, "no longer a member");
    m->ev.link(m->ev.ctx, id, false, false);
}

bool mesh_peer_state(const struct mesh *m, uint64_t id, struct mesh_peer_state *out)
{
    const struct mesh_peer *p = mesh_peer_find(m, id);
    if (!p)
        return false;
    *out = (struct mesh_peer_state){.up = p->conn != NULL,
                                    .silent = p->silent,
                                    .rtt_us = p->rtt_us,
                                    .contact_us = p->contact_us,
                                    .incarnation = p->incarnation,
                                    .out_bytes = p->conn ? p->conn->out.end - p->conn->out.start : 0};
    memcpy(out->name, p->name, sizeof out->name);
    memcpy(out->address, p->address, sizeof out->address);
    return true;
}

/* ---- frames ---- */

uint8_t *mesh_begin(struct mesh *m, uint64_t peer, uint8_t type, uint16_t flags, size_t len, int *err)
{
    struct mesh_peer *p = mesh_peer_find(m, peer);
    if (!p || !p->conn) {
        *err = ERR_CLOSED;
        return NULL;
    }
    return mesh_conn_begin(p->conn, type, flags, len, err);
}

int mesh_send(struct mesh *m, uint64_t peer, uint8_t type, uint16_t flags, const void *data, size_t len)
{
    int err;
    uint8_t *p = mesh_begin(m, peer, type, flags, len, &err);
    if (!p)
        return err;
    if (len)
        memcpy(p, data, len);
    mesh_end(m);
    return 0;
}

void mesh_flush(struct mesh *m)
{
    list_foreach_safe(it, &m->conns) {
        struct mesh_conn *c = list_entry(it, struct mesh_conn, link);
        if (c->out.start < c->out.end && !c->write_busy)
            mesh_conn_flush(c);
    }
}

/* ---- timer, opening, closing ---- */

static uint64_t mesh_give_up_us(const struct mesh *m)
{
    return 1000ull * (m->detect_ms > MESH_SILENCE_MS / 3u ? m->detect_ms * 3u : MESH_SILENCE_MS);
}

static void mesh_tick_cb(uv_timer_t *t)
{
    struct mesh *m = t->data;
    uint64_t now = clock_mono_now().us;
    uint64_t since = m->last_tick_us ? now - m->last_tick_us : 0;
    /* after a pause of ours the silence is not the peers' fault: what they sent is still to be read */
    bool late = since > m->tick_ms * 1000u + MESH_LATE_TICK_US;
    m->last_tick_us = now;
    list_foreach_safe(it, &m->conns) {
        struct mesh_conn *c = list_entry(it, struct mesh_conn, link);
        if (late)
            c->last_rx_us = now;
        if (c->state == MESH_UP) {
            if (now > c->last_rx_us && now - c->last_rx_us > mesh_give_up_us(m))
                mesh_conn_close(c, "silent for too long");
            else
                mesh_conn_ping(c);
        } else if (now > c->deadline_us)
            mesh_conn_close(c, c->state == MESH_DRAIN ? NULL : "no hello in time");
    }
    /* A tick that comes late runs before the sockets are read: then silence is judged by one that follows at once. */
    if (since > m->tick_ms * 2000ull)
        uv_timer_start(&m->timer, mesh_tick_cb, 1, m->tick_ms);
    else
        mesh_judge(m, now);
    mesh_dial_due(m, now);
    mesh_flush(m);
}

void mesh_ping(struct mesh *m)
{
    list_foreach(it, &m->peers) {
        struct mesh_peer *p = list_entry(it, struct mesh_peer, link);
        if (p->conn)
            mesh_conn_ping(p->conn);
    }
}

void mesh_tell(struct mesh *m)
{
    list_foreach(it, &m->peers) {
        struct mesh_peer *p = list_entry(it, struct mesh_peer, link);
        if (p->conn)
            mesh_conn_pong(p->conn, 0);
    }
}

static void mesh_listen_cb(uv_stream_t *s, int status)
{
    struct mesh *m = s->data;
    if (status < 0)
        log_warn("mesh", "cannot accept a connection: %s", uv_strerror(status));
    else
        mesh_conn_accept(m);
}

void mesh_handle_closed(struct mesh *m)
{
    if (--m->open_handles || !m->closing)
        return;
    void (*cb)(void *) = m->close_cb;
    void *arg = m->close_arg;
    list_foreach_safe(it, &m->peers)
        free(list_entry(it, struct mesh_peer, link));
    SSL_CTX_free(m->tls);
    free(m);
    if (cb)
        cb(arg);
}

static void mesh_handle_close_cb(uv_handle_t *h)
{
    mesh_handle_closed(h->data);
}

void mesh_close(struct mesh *m, void (*cb)(void *arg), void *arg)
{
    m->closing = true;
    m->close_cb = cb;
    m->close_arg = arg;
    uv_close((uv_handle_t *)&m->timer, mesh_handle_close_cb);
    uv_close((uv_handle_t *)&m->listener, mesh_handle_close_cb);
    list_foreach_safe(it, &m->conns) {
        struct mesh_conn *c = list_entry(it, struct mesh_conn, link);
        mesh_conn_flush(c);
        mesh_conn_close(c, NULL);
    }
}

/* libuv writes without MSG_NOSIGNAL: a peer that dies would take us with it. */
static void mesh_ignore_sigpipe(void)
{
    struct sigaction sa;
    if (sigaction(SIGPIPE, NULL, &sa) || sa.sa_handler != SIG_DFL)
        return;
    sa.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &sa, NULL);
}

int mesh_open(uv_loop_t *loop, const struct mesh_config *cfg, const struct mesh_events *events, struct mesh **out,
              struct err_info *info)
{
    struct mesh *m = calloc(1, sizeof *m);
    if (!m)
        return err_set(info, ERR_NOMEM, "", "out of memory");
    mesh_ignore_sigpipe();
    m->loop = loop;
    m->ev = *events;
    m->tick_ms = cfg->tick_ms;
    m->detect_ms = cfg->detect_ms;
    list_init(&m->peers);
    list_init(&m->conns);
    snprintf(m->self.name, sizeof m->self.name, "%s", cfg->name);
    snprintf(m->self.address, sizeof m->self.address, "%s", cfg->listen);
    m->self.incarnation = cfg->incarnation;
    int rc = mesh_address_parse(cfg->listen, &m->listen_addr);
    if (rc) {
        free(m);
        return err_set(info, rc, "listen", "\"%s\" is not ip:port", cfg->listen);
    }
    rc = mesh_tls_open(m, cfg, info);
    if (rc) {
        free(m);
        return rc;
    }
    uv_tcp_init(loop, &m->listener);
    uv_timer_init(loop, &m->timer);
    m->listener.data = m->timer.data = m;
    m->open_handles = 2;
    rc = uv_timer_start(&m->timer, mesh_tick_cb, m->tick_ms, m->tick_ms);
    if (rc) {
        err_set(info, ERR_IO, "", "cannot start a timer: %s", uv_strerror(rc));
        mesh_close(m, NULL, NULL);
        return ERR_IO;
    }
    *out = m;
    return 0;
}

int mesh_listen(struct mesh *m, struct err_info *info)
{
    int rc = uv_tcp_bind(&m->listener, (const struct sockaddr *)&m->listen_addr, 0);
    if (!rc)
        rc = uv_listen((uv_stream_t *)&m->listener, 64, mesh_listen_cb);
    return rc ? err_set(info, ERR_IO, "listen", "cannot listen on %s: %s", m->self.address, uv_strerror(rc)) : 0;
}

void mesh_identify(struct mesh *m, uint64_t id, uint64_t cluster, uint64_t incarnation)
{
    m->self.id = id;
    m->self.cluster = cluster;
    m->self.incarnation = incarnation;
}
