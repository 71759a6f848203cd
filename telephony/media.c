/* The engine as the core thread sees it: handles, ports, commands out, events in. */
#include "telephony/media.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/log.h"
#include "telephony/g711.h"
#include "telephony/media_int.h"

#define TOS_EF 0xB8                 /* DSCP 46, RFC 3246 */
#define RECEIVE_BUFFER (256 * 1024) /* seconds of audio: a short stop of ours loses nothing */

_Static_assert(sizeof(struct media_stats) % 8 == 0, "copied in words of 64 bits");
_Static_assert(sizeof(struct media_counters) % 8 == 0, "copied in words of 64 bits");

static void random_bytes(void *out, size_t n)
{
    if (getrandom(out, n, 0) != (ssize_t)n)
        memset(out, 0x5a, n); /* cannot be on Linux for up to 256 bytes */
}

/* ---- ports ---- */

static void set_addr_port(struct media_addr *a, uint16_t port)
{
    a->u.in.sin_port = htons(port); /* the same place in both families */
}

/* early: the address may come to this host later (ip(7), IP_FREEBIND); until then nothing can be sent. */
static int bound_socket(const struct media_addr *where, uint16_t port, bool early)
{
    static const int one = 1, tos = TOS_EF, room = RECEIVE_BUFFER;
    struct media_addr a = *where;
    int fd = socket(a.u.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    set_addr_port(&a, port);
    if (a.u.sa.sa_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
        if (early)
            (void)setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof one);
    } else {
        (void)setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
        if (early)
            (void)setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof one);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (bind(fd, &a.u.sa, a.len) != 0) {
        int saved = errno;
        (void)close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* 0, or -1 with errno of what failed. */
static int bind_pair(const struct media_engine *e, unsigned ip, uint16_t port, int fd[2])
{
    int rtp = bound_socket(&e->bind[ip], port, e->ports[ip].early);
    if (rtp < 0)
        return -1;
    int rtcp = bound_socket(&e->bind[ip], (uint16_t)(port + 1), e->ports[ip].early);
    if (rtcp < 0) {
        int saved = errno;
        (void)close(rtp);
        errno = saved;
        return -1;
    }
    fd[0] = rtp;
    fd[1] = rtcp;
    return 0;
}

/* Next fit from a random start: a port rests as long as it can before it serves another call, so that late packets of the
 * old call find nobody. Ports that other programs hold are passed over. */
static int reserve_next(struct media_engine *e, struct media_stream *s, const struct media_stream_params *p)
{
    struct media_ports *ports = &e->ports[s->ip_index];
    for (unsigned k = 0; k < e->n_pairs; k++) {
        unsigned pair = (ports->next + k) % e->n_pairs;
        if (ports->used[pair])
            continue;
        uint16_t port = (uint16_t)(e->port_min + 2 * pair);
        if (p->spoken_for && p->spoken_for(p->ctx, e->ip[s->ip_index], port))
            continue;
        if (bind_pair(e, s->ip_index, port, s->fd) != 0) {
            if (errno == EADDRINUSE || errno == EACCES)
                continue;
            return err_from_errno(errno);
        }
        ports->used[pair] = MEDIA_PORT_USED;
        ports->next = (pair + 1) % e->n_pairs;
        e->n_free--;
        s->port = port;
        return 0;
    }
    return ERR_BUSY;
}

/* Its place in the table; n_pairs when another node's range was wider than ours. */
static unsigned pair_of(const struct media_engine *e, uint16_t port)
{
    unsigned pair = port < e->port_min ? e->n_pairs : (unsigned)(port - e->port_min) / 2;
    return pair < e->n_pairs ? pair : e->n_pairs;
}

static int reserve_this(struct media_engine *e, struct media_stream *s, uint16_t port)
{
    unsigned pair = pair_of(e, port);
    if ((port & 1) || port == UINT16_MAX - 1)
        return ERR_INVAL;
    if (pair < e->n_pairs && e->ports[s->ip_index].used[pair])
        return ERR_BUSY;
    if (bind_pair(e, s->ip_index, port, s->fd) != 0)
        return errno == EADDRINUSE ? ERR_BUSY : err_from_errno(errno);
    if (pair < e->n_pairs) {
        e->ports[s->ip_index].used[pair] = MEDIA_PORT_USED;
        e->n_free--;
    }
    s->port = port;
    return 0;
}

static int reserve_ports(struct media_engine *e, struct media_stream *s, const struct media_stream_params *p)
{
    int rc = p->port ? reserve_this(e, s, p->port) : reserve_next(e, s, p);
    if (rc == 0)
        e->ports[s->ip_index].users++;
    return rc;
}

static void release_ports(struct media_engine *e, struct media_stream *s)
{
    struct media_ports *ports = &e->ports[s->ip_index];
    unsigned pair = pair_of(e, s->port);
    ports->users--;
    if (pair == e->n_pairs)
        return;
    ports->used[pair] = MEDIA_PORT_FREE;
    if (!ports->gone)
        e->n_free++;
}

/* ---- events and closed streams ---- */

static void free_stream(struct media_engine *e, struct media_stream *s)
{
    release_ports(e, s);
    list_del(&s->node);
    e->n_streams--;
    free(s);
}

static void deliver(struct media_thread *t)
{
    unsigned head = atomic_load_explicit(&t->ring_head, memory_order_relaxed);
    while (head != atomic_load_explicit(&t->ring_tail, memory_order_acquire)) {
        struct media_message m = t->ring[head % MEDIA_EVENTS_MAX];
        atomic_store_explicit(&t->ring_head, ++head, memory_order_release);
        if (!m.s->closed && m.s->cb)
            m.s->cb(m.s->ctx, m.s, &m.ev);
    }
}

/* Closed streams are taken first and freed last: every event of theirs was put on a ring before. */
static void take_back(struct media_engine *e)
{
    struct media_stream *closed = atomic_exchange_explicit(&e->closed, NULL, memory_order_acquire);
    for (unsigned k = 0; k < e->n_threads; k++)
        deliver(&e->threads[k]);
    while (closed) {
        struct media_stream *next = closed->handed_next;
        free_stream(e, closed);
        closed = next;
    }
}

static void on_wake(uv_async_t *async)
{
    take_back(async->data);
}

/* ---- engine ---- */

static int parse_ip(const char *text, struct media_addr *out)
{
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &out->u.in.sin_addr) == 1) {
        out->u.in.sin_family = AF_INET;
        out->len = sizeof out->u.in;
        return 0;
    }
    if (inet_pton(AF_INET6, text, &out->u.in6.sin6_addr) == 1) {
        out->u.in6.sin6_family = AF_INET6;
        out->len = sizeof out->u.in6;
        return 0;
    }
    return ERR_INVAL;
}

/* Whether something can be bound there. */
static int probe(const struct media_addr *addr, bool early)
{
    int fd = bound_socket(addr, 0, early);
    if (fd < 0)
        return errno == EADDRNOTAVAIL ? ERR_NOTFOUND : err_from_errno(errno);
    (void)close(fd);
    return 0;
}

static int add_address(struct media_engine *e, const char *ip, bool early)
{
    struct media_addr addr;
    uint32_t start;
    unsigned k = 0;
    if (strlen(ip) >= sizeof e->ip[0] || parse_ip(ip, &addr) != 0)
        return ERR_INVAL;
    for (unsigned i = 0; i < e->n_ips; i++) {
        if (strcmp(e->ip[i], ip) != 0 || e->ports[i].gone)
            continue;
        int rc = early || !e->ports[i].early ? ERR_EXISTS : probe(&addr, false);
        if (rc == 0)
            e->ports[i].early = false;
        return rc;
    }
    while (k < e->n_ips && !(e->ports[k].gone && e->ports[k].users == 0))
        k++;
    if (k == MEDIA_IPS_MAX)
        return ERR_TOOBIG;
    int rc = probe(&addr, early);
    if (rc)
        return rc;
    if (!e->ports[k].used && !(e->ports[k].used = calloc(e->n_pairs, 1)))
        return ERR_NOMEM;
    random_bytes(&start, sizeof start);
    memcpy(e->ip[k], ip, strlen(ip) + 1);
    e->bind[k] = addr;
    e->ports[k].next = start % e->n_pairs;
    e->ports[k].gone = false;
    e->ports[k].early = early;
    e->n_free += e->n_pairs;
    if (k == e->n_ips)
        e->n_ips++;
    return 0;
}

int media_engine_add_ip(struct media_engine *e, const char *ip)
{
    return add_address(e, ip, false);
}

int media_engine_expect_ip(struct media_engine *e, const char *ip)
{
    return add_address(e, ip, true);
}

void media_engine_drop_ip(struct media_engine *e, const char *ip)
{
    for (unsigned i = 0; i < e->n_ips; i++) {
        if (strcmp(e->ip[i], ip) != 0 || e->ports[i].gone)
            continue;
        e->ports[i].gone = true;
        for (unsigned k = 0; k < e->n_pairs; k++)
            e->n_free -= !e->ports[i].used[k];
    }
}

unsigned media_engine_users(const struct media_engine *e, const char *ip)
{
    unsigned n = 0;
    for (unsigned i = 0; i < e->n_ips; i++) {
        if (strcmp(e->ip[i], ip) == 0)
            n += e->ports[i].users;
    }
    return n;
}

bool media_engine_closing(const struct media_engine *e, const char *ip, uint16_t port)
{
    unsigned pair = pair_of(e, port);
    for (unsigned i = 0; pair < e->n_pairs && i < e->n_ips; i++)
        if (strcmp(e->ip[i], ip) == 0 && e->ports[i].used[pair] == MEDIA_PORT_CLOSING)
            return true;
    return false;
}

void media_engine_lease(struct media_engine *e, uint64_t until_mono_us)
{
    atomic_store_explicit(&e->lease_us, until_mono_us, memory_order_relaxed);
}

static int set_up_addresses(struct media_engine *e, const struct media_config *cfg, struct err_info *info)
{
    uint16_t first = (uint16_t)(cfg->port_min + (cfg->port_min & 1));
    if (cfg->port_min == 0 || first < cfg->port_min || first >= cfg->port_max)
        return err_set(info, ERR_RANGE, "media.port_min", "the range %u-%u holds no pair of ports", cfg->port_min,
                       cfg->port_max);
    e->port_min = first;
    e->n_pairs = ((unsigned)cfg->port_max - first + 1) / 2;
    for (unsigned k = 0; k < sizeof cfg->bind_ip / sizeof cfg->bind_ip[0] && cfg->bind_ip[k]; k++) {
        int rc = add_address(e, cfg->bind_ip[k], false);
        if (rc == ERR_INVAL)
            return err_set(info, rc, "media.bind_ip", "'%.60s' is not an IPv4 or IPv6 address", cfg->bind_ip[k]);
        if (rc == ERR_NOMEM)
            return err_set(info, rc, "", "no memory for the port table");
        if (rc)
            return err_set(info, rc, "media.bind_ip", "cannot bind to %s: %s", cfg->bind_ip[k],
                           rc == ERR_EXISTS ? "it is named twice" : strerror(errno));
    }
    return 0;
}

static unsigned thread_count(unsigned wanted)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (wanted == 0)
        wanted = cores > 0 ? (unsigned)cores : 1;
    return wanted > MEDIA_THREADS_MAX ? MEDIA_THREADS_MAX : wanted;
}

static int start_thread(struct media_engine *e, struct media_thread *t)
{
    t->e = e;
    t->todo_end = &t->todo;
    list_init(&t->streams);
    list_init(&t->rooms);
    random_bytes(&t->random, sizeof t->random);
    t->random |= 1;
    t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    t->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (t->epoll_fd < 0 || t->wake_fd < 0 || t->timer_fd < 0)
        return err_from_errno(errno);
    if (media_thread_prepare(t) != 0)
        return ERR_IO;
    int rc = pthread_create(&t->id, NULL, media_thread_main, t);
    if (rc)
        return err_from_errno(rc);
    t->running = true;
    return 0;
}

static int start_threads(struct media_engine *e, unsigned n, struct err_info *info)
{
    e->threads = calloc(n, sizeof *e->threads);
    if (!e->threads)
        return err_set(info, ERR_NOMEM, "", "no memory for the media threads");
    e->n_threads = n;
    for (unsigned k = 0; k < n; k++)
        e->threads[k].epoll_fd = e->threads[k].wake_fd = e->threads[k].timer_fd = -1;
    for (unsigned k = 0; k < n; k++) {
        int rc = start_thread(e, &e->threads[k]);
        if (rc)
            return err_set(info, rc, "media.threads", "cannot start a media thread: %s", err_text(rc));
    }
    return 0;
}

static void on_turn(struct media_engine *e)
{
    if (atomic_load_explicit(&e->closed, memory_order_relaxed))
        take_back(e);
    for (unsigned k = 0; k < e->n_threads; k++)
        media_thread_wake(&e->threads[k]);
}

static void on_prepare(uv_prepare_t *h)
{
    on_turn(h->data);
}

static void on_check(uv_check_t *h)
{
    on_turn(h->data);
}

static void handle_closed(uv_handle_t *handle)
{
    struct media_handles *h = handle->data;
    if (--h->open == 0)
        free(h);
}

static void close_handles(struct media_handles *h)
{
    h->async.data = h->prepare.data = h->check.data = h;
    uv_close((uv_handle_t *)&h->async, handle_closed);
    uv_close((uv_handle_t *)&h->prepare, handle_closed);
    uv_close((uv_handle_t *)&h->check, handle_closed);
}

static int open_handles(struct media_engine *e, uv_loop_t *loop)
{
    struct media_handles *h = calloc(1, sizeof *h);
    if (!h || uv_async_init(loop, &h->async, on_wake) != 0) {
        free(h);
        return ERR_NOMEM;
    }
    h->open = 3;
    uv_prepare_init(loop, &h->prepare);
    uv_check_init(loop, &h->check);
    h->async.data = h->prepare.data = h->check.data = e;
    uv_prepare_start(&h->prepare, on_prepare);
    uv_check_start(&h->check, on_check);
    /* alone they are no reason for the loop to go on */
    uv_unref((uv_handle_t *)&h->prepare);
    uv_unref((uv_handle_t *)&h->check);
    e->handles = h;
    return 0;
}

static void stop_threads(struct media_engine *e)
{
    uint64_t one = 1;
    for (unsigned k = 0; k < e->n_threads; k++) {
        struct media_thread *t = &e->threads[k];
        if (!t->running)
            continue;
        atomic_store_explicit(&t->stop, true, memory_order_release);
        if (write(t->wake_fd, &one, sizeof one) < 0)
            log_error("media", "cannot wake a media thread: %s", strerror(errno));
        (void)pthread_join(t->id, NULL);
    }
}

static void drop_commands(struct media_thread *t)
{
    struct media_cmd *lists[2] = {t->todo, atomic_load(&t->commands)};
    for (unsigned k = 0; k < 2; k++) {
        while (lists[k]) {
            struct media_cmd *next = lists[k]->next;
            media_thread_free_command(lists[k]);
            lists[k] = next;
        }
    }
}

static void close_thread_files(struct media_thread *t)
{
    int fds[] = {t->epoll_fd, t->wake_fd, t->timer_fd};
    for (unsigned k = 0; k < 3; k++) {
        if (fds[k] >= 0)
            (void)close(fds[k]);
    }
}

/* With the threads gone, all that is theirs is ours. */
static void free_what_is_left(struct media_engine *e)
{
    struct media_stream *closed = atomic_exchange(&e->closed, NULL);
    while (closed) {
        struct media_stream *next = closed->handed_next;
        free_stream(e, closed);
        closed = next;
    }
    list_foreach_safe(n, &e->streams) {
        struct media_stream *s = list_entry(n, struct media_stream, node);
        (void)close(s->fd[0]);
        (void)close(s->fd[1]);
        media_playlist_free(s->play);
        media_dtmf_free(s->inband);
        media_audio_free(s->audio);
        media_stream_let_go(s);
        mouth_free(s->mouth);
        media_coder_free(s->coder);
        free_stream(e, s);
    }
    list_foreach_safe(n, &e->rooms) {
        struct media_room *r = list_entry(n, struct media_room, node);
        media_plan_free(r->plan);
        free(r);
    }
}

void media_engine_stop(struct media_engine *e)
{
    if (!e)
        return;
    stop_threads(e);
    for (unsigned k = 0; k < e->n_threads; k++) {
        drop_commands(&e->threads[k]);
        close_thread_files(&e->threads[k]);
    }
    free_what_is_left(e);
    close_handles(e->handles);
    for (unsigned k = 0; k < MEDIA_IPS_MAX; k++)
        free(e->ports[k].used);
    free(e->threads);
    free(e);
}

int media_engine_start(uv_loop_t *loop, const struct media_config *cfg, struct media_engine **out,
                       struct err_info *info)
{
    struct media_engine *e = calloc(1, sizeof *e);
    if (!e)
        return err_set(info, ERR_NOMEM, "", "no memory for the media engine");

    list_init(&e->streams);
    list_init(&e->rooms);
    e->dead_ms = cfg->dead_ms;
    atomic_init(&e->lease_us, UINT64_MAX);
    g711_setup();
    (void)media_tone_step(1000); /* builds its table before threads need it */
    random_bytes(&e->cname, sizeof e->cname);
    if (open_handles(e, loop)) {
        free(e);
        return err_set(info, ERR_NOMEM, "", "no memory for the media engine");
    }
    int rc = set_up_addresses(e, cfg, info);
    if (rc == 0)
        rc = start_threads(e, thread_count(cfg->threads), info);
    if (rc) {
        media_engine_stop(e);
        return rc;
    }
    *out = e;
    return 0;
}

void media_engine_get_stats(struct media_engine *e, struct media_engine_stats *out)
{
    struct media_engine_stats st = {.streams = e->n_streams, .ports_free = e->n_free, .queue_full = e->refused};
    for (unsigned k = 0; k < e->n_threads; k++) {
        uint64_t words[sizeof(struct media_counters) / 8];
        struct media_counters c;
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            words[i] = atomic_load_explicit(&e->threads[k].pub[i], memory_order_relaxed);
        memcpy(&c, words, sizeof c);
        st.packets_in += c.packets_in;
        st.packets_out += c.packets_out;
        st.packets_noise += c.packets_noise;
        st.ticks_late += c.ticks_late;
        st.queue_full += c.queue_full;
    }
    *out = st;
}

/* ---- streams ---- */

static int find_ip(const struct media_engine *e, const struct media_stream_params *p, unsigned *out)
{
    for (unsigned k = 0; k < e->n_ips; k++) {
        if (e->ports[k].gone)
            continue;
        if (p->ip ? strcmp(p->ip, e->ip[k]) == 0 : !e->ports[k].early && e->bind[k].u.sa.sa_family == p->family) {
            *out = k;
            return 0;
        }
    }
    return ERR_NOTFOUND;
}

static struct media_thread *least_loaded(struct media_engine *e)
{
    struct media_thread *best = &e->threads[0];
    for (unsigned k = 1; k < e->n_threads; k++) {
        if (e->threads[k].assigned < best->assigned)
            best = &e->threads[k];
    }
    return best;
}

int media_stream_open(struct media_engine *e, const struct media_stream_params *p, struct media_stream **out)
{
    struct media_stream *s = calloc(1, sizeof *s);
    if (!s)
        return ERR_NOMEM;
    s->e = e;
    s->clock_khz = 8;
    int rc = find_ip(e, p, &s->ip_index);
    if (rc == 0)
        rc = reserve_ports(e, s, p);
    if (rc) {
        free(s);
        return rc;
    }
    s->numbered = p->numbering != NULL;
    if (p->numbering)
        s->given = *p->numbering;
    s->cb = p->cb;
    s->ctx = p->ctx;
    s->thread = least_loaded(e);
    s->thread->assigned++;
    atomic_init(&s->owner, s->thread);
    list_init(&s->tick_node);
    list_push_back(&e->streams, &s->node);
    e->n_streams++;
    s->cmd_open = (struct media_cmd){.type = MEDIA_CMD_OPEN, .embedded = true, .s = s};
    s->cmd_close = (struct media_cmd){.type = MEDIA_CMD_CLOSE, .embedded = true, .s = s};
    media_thread_push(s->thread, &s->cmd_open);
    if (p->port)
        s->thread->wake_due = true; /* a call that was taken over: its people wait */
    *out = s;
    return 0;
}

static void close_stream(struct media_stream *s, bool silent)
{
    if (!s || s->closed)
        return;
    s->closed = true;
    s->silent_close = silent;
    unsigned pair = pair_of(s->e, s->port);
    if (pair < s->e->n_pairs)
        s->e->ports[s->ip_index].used[pair] = MEDIA_PORT_CLOSING;
    media_room_forget(s);
    s->thread->assigned--;
    media_thread_push(s->thread, &s->cmd_close);
    if (silent)
        s->thread->wake_due = true; /* somebody waits for its port */
}

void media_stream_close(struct media_stream *s)
{
    close_stream(s, false);
}

void media_stream_forget(struct media_stream *s)
{
    close_stream(s, true);
}

void media_stream_set_ctx(struct media_stream *s, void *ctx)
{
    s->ctx = ctx;
}

uint16_t media_stream_port(const struct media_stream *s)
{
    return s->port;
}

const char *media_stream_ip(const struct media_stream *s)
{
    return s->e->ip[s->ip_index];
}

struct media_cmd *media_command_new(struct media_engine *e, struct media_thread *t, enum media_cmd_type type,
                                    struct media_stream *s)
{
    bool room = atomic_load_explicit(&t->n_commands, memory_order_relaxed) < MEDIA_COMMANDS_MAX;
    struct media_cmd *c = room ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        e->refused++;
        return NULL;
    }
    c->type = type;
    c->s = s;
    return c;
}

static struct media_cmd *new_command(struct media_stream *s, enum media_cmd_type type)
{
    return media_command_new(s->e, s->thread, type, s);
}

static void send_switch(struct media_stream *s, enum media_cmd_type type, bool on)
{
    struct media_cmd *c = new_command(s, type);
    if (!c)
        return;
    c->u.on = on;
    media_thread_push(s->thread, c);
}

void media_stream_set_remote(struct media_stream *s, const struct media_remote *r)
{
    struct media_cmd *c = new_command(s, MEDIA_CMD_REMOTE);
    if (!c)
        return;
    bool other = media_audio_session(s, &r->sdp);
    c->u.remote.r = *r;
    if (r->inband_dtmf && r->sdp.dtmf_pt < 0)
        c->u.remote.inband = media_dtmf_detector(s);
    media_thread_push(s->thread, c);
    if (other)
        media_room_session(s);
}

void media_stream_pause(struct media_stream *s, bool paused)
{
    send_switch(s, MEDIA_CMD_PAUSE, paused);
}

void media_stream_mute(struct media_stream *s, bool muted)
{
    send_switch(s, MEDIA_CMD_MUTE, muted);
}

int media_stream_play(struct media_stream *s, const struct media_item *items, unsigned n, uint32_t start_ms,
                      uint32_t *play_id)
{
    struct media_playlist *pl;
    uint32_t id = s->e->next_play_id + 1;
    int rc = media_playlist_new(items, n, start_ms, id, &pl);
    if (rc)
        return rc;
    struct media_cmd *c = new_command(s, MEDIA_CMD_PLAY);
    if (!c) {
        media_playlist_free(pl);
        return ERR_BUSY;
    }
    c->u.play = pl;
    s->e->next_play_id = id;
    if (play_id)
        *play_id = id;
    media_thread_push(s->thread, c);
    return 0;
}

void media_stream_stop_play(struct media_stream *s)
{
    send_switch(s, MEDIA_CMD_STOP_PLAY, true);
}

int media_stream_record(struct media_stream *s, struct recorder *r)
{
    struct media_cmd *c = new_command(s, MEDIA_CMD_RECORD);
    if (!c)
        return ERR_BUSY;
    c->u.recorder = r ? recorder_ref(r) : NULL;
    media_thread_push(s->thread, c);
    return 0;
}

void media_stream_echo(struct media_stream *s, bool on)
{
    send_switch(s, MEDIA_CMD_ECHO, on);
}

void media_stream_send_dtmf(struct media_stream *s, char digit, uint32_t duration_ms)
{
    struct media_cmd *c = new_command(s, MEDIA_CMD_DTMF);
    if (!c)
        return;
    c->u.dtmf.digit = digit;
    c->u.dtmf.ms = duration_ms;
    media_thread_push(s->thread, c);
}

void media_stream_stats(struct media_stream *s, struct media_stats *out)
{
    uint64_t words[sizeof(struct media_stats) / 8];
    unsigned before, after;
    do {
        before = atomic_load_explicit(&s->pub_seq, memory_order_acquire);
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            words[k] = atomic_load_explicit(&s->pub[k], memory_order_acquire);
        after = atomic_load_explicit(&s->pub_seq, memory_order_relaxed);
    } while (before != after || (before & 1));
    memcpy(out, words, sizeof words);
}
