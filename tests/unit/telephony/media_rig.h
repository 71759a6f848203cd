/* A media engine and some telephones made of plain sockets, for the media tests. Everything waits for events with a
 * deadline; nothing sleeps for a fixed time. */
#ifndef TESTS_MEDIA_RIG_H
#define TESTS_MEDIA_RIG_H

#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "telephony/g711.h"
#include "telephony/media.h"
#include "telephony/media_int.h"

#define RIG_EVENTS 512
#define RIG_DEADLINE_MS 10000

struct rig_event {
    struct media_stream *s;
    struct media_event ev;
    uint64_t at_us;
};
struct rig {
    uv_loop_t loop;
    struct media_engine *e;
    struct rig_event events[RIG_EVENTS];
    unsigned n_events;
};

struct phone {
    int family, rtp, rtcp;
    struct sockaddr_storage addr, rtcp_addr, to; /* `to`: the engine's RTP address for this leg */
    struct media_stream *s;
    uint32_t ssrc, ts;
    uint16_t seq;
};

/* A packet as a telephone gets it. */
struct heard {
    bool marker;
    uint8_t pt;
    uint16_t seq;
    uint32_t ts, ssrc;
    size_t len;
    uint8_t payload[1500];
    uint64_t at_us;
};

static inline void rig_on_event(void *ctx, struct media_stream *s, const struct media_event *ev)
{
    struct rig *r = ctx;
    ck_assert_uint_lt(r->n_events, RIG_EVENTS);
    r->events[r->n_events++] = (struct rig_event){s, *ev, clock_mono_now().us};
}

static inline void rig_start_with(struct rig *r, struct media_config cfg)
{
    struct err_info info = {0};
    memset(r, 0, sizeof *r);
    ck_assert_int_eq(uv_loop_init(&r->loop), 0);
    int rc = media_engine_start(&r->loop, &cfg, &r->e, &info);
    ck_assert_msg(rc == 0, "%s: %s", info.field, info.text);
}

static inline void rig_start(struct rig *r, unsigned threads)
{
    rig_start_with(
        r, (struct media_config){.bind_ip = {"127.0.0.1"}, .port_min = 20000, .port_max = 59999, .threads = threads});
}

static inline void rig_stop(struct rig *r)
{
    media_engine_stop(r->e);
    while (uv_run(&r->loop, UV_RUN_NOWAIT) != 0) {
    }
    ck_assert_int_eq(uv_loop_close(&r->loop), 0);
}

/* Waits until the media threads have carried out all that was asked of them. */
static inline void rig_settle(struct rig *r)
{
    uint64_t end = clock_mono_now().us + RIG_DEADLINE_MS * 1000u;
    for (unsigned k = 0; k < r->e->n_threads;) {
        ck_assert_msg(clock_mono_now().us < end, "the media threads do not take their commands");
        if (atomic_load_explicit(&r->e->threads[k].n_commands, memory_order_acquire) == 0) {
            k++;
        } else {
            k = 0;
            uv_run(&r->loop, UV_RUN_NOWAIT);
            (void)poll(NULL, 0, 1);
        }
    }
}

/* One turn of the core's loop; waits up to 5 ms for the socket (or -1). True when the socket has something. */
static inline bool rig_turn(struct rig *r, int fd)
{
    struct pollfd p[2] = {{.fd = uv_backend_fd(&r->loop), .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    (void)poll(p, 2, 5);
    uv_run(&r->loop, UV_RUN_NOWAIT);
    return fd >= 0 && (p[1].revents & POLLIN);
}

static inline socklen_t rig_addr_len(const struct sockaddr_storage *ss)
{
    return ss->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static inline struct sockaddr_storage rig_addr(int family, const char *ip, uint16_t port)
{
    struct sockaddr_storage ss = {0};
    if (family == AF_INET6) {
        struct sockaddr_in6 *a = (struct sockaddr_in6 *)(void *)&ss;
        a->sin6_family = AF_INET6;
        a->sin6_port = htons(port);
        ck_assert_int_eq(inet_pton(AF_INET6, ip, &a->sin6_addr), 1);
    } else {
        struct sockaddr_in *a = (struct sockaddr_in *)(void *)&ss;
        a->sin_family = AF_INET;
        a->sin_port = htons(port);
        ck_assert_int_eq(inet_pton(AF_INET, ip, &a->sin_addr), 1);
    }
    return ss;
}

static inline int rig_socket(int family, const char *ip, struct sockaddr_storage *out)
{
    struct sockaddr_storage ss = rig_addr(family, ip, 0);
    socklen_t len = sizeof *out;
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = 1 << 20;
    ck_assert_int_ge(fd, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, rig_addr_len(&ss)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)out, &len), 0);
    return fd;
}

static inline uint8_t rig_pt(enum sdp_codec c)
{
    return c == SDP_PCMU ? 0 : c == SDP_G722 ? 9 : c == SDP_OPUS ? 107 : 8;
}

static inline struct media_remote phone_remote(const struct phone *ph, enum sdp_codec codec)
{
    struct media_remote m = {0};
    m.sdp = (struct sdp_session_params){
        .active = true,
        .remote = ph->addr,
        .remote_rtcp = ph->rtcp_addr,
        .codec = codec,
        .codec_pt = rig_pt(codec),
        .recv_pt = rig_pt(codec),
        .dtmf_pt = 101,
        .dtmf_recv_pt = 101,
        .ptime_ms = 20,
        .can_send = true,
        .can_recv = true,
    };
    return m;
}

static inline void phone_open_on(struct rig *r, struct phone *ph, int family, const char *ip)
{
    memset(ph, 0, sizeof *ph);
    ph->family = family;
    ph->rtp = rig_socket(family, ip, &ph->addr);
    ph->rtcp = rig_socket(family, ip, &ph->rtcp_addr);
    struct media_stream_params p = {.family = family, .cb = rig_on_event, .ctx = r};
    ck_assert_int_eq(media_stream_open(r->e, &p, &ph->s), 0);
    ph->to = rig_addr(family, media_stream_ip(ph->s), media_stream_port(ph->s));
    ph->ssrc = (uint32_t)random();
    ph->seq = (uint16_t)random();
    ph->ts = (uint32_t)random();
}

static inline void phone_open(struct rig *r, struct phone *ph, enum sdp_codec codec)
{
    phone_open_on(r, ph, AF_INET, "127.0.0.1");
    struct media_remote m = phone_remote(ph, codec);
    media_stream_set_remote(ph->s, &m);
    rig_settle(r);
}

static inline void phones_bridged(struct rig *r, struct phone *a, struct phone *b, enum sdp_codec ca, enum sdp_codec cb)
{
    phone_open(r, a, ca);
    phone_open(r, b, cb);
    ck_assert_int_eq(media_bridge(a->s, b->s), 0);
    rig_settle(r);
}

static inline void phone_close(struct phone *ph)
{
    media_stream_close(ph->s);
    close(ph->rtp);
    close(ph->rtcp);
}

static inline void phone_send_bytes(struct phone *ph, const void *data, size_t len)
{
    ck_assert_int_eq(sendto(ph->rtp, data, len, 0, (struct sockaddr *)&ph->to, rig_addr_len(&ph->to)), (ssize_t)len);
}

/* Sends a packet with the telephone's numbering as it stands, and does not advance it. */
static inline void phone_send_as(struct phone *ph, bool marker, uint8_t pt, uint16_t seq, uint32_t ts,
                                 const void *payload, size_t len)
{
    uint8_t buf[2048];
    rtp_write(buf, marker, pt, seq, ts, ph->ssrc);
    memcpy(buf + RTP_HEADER_BYTES, payload, len);
    phone_send_bytes(ph, buf, RTP_HEADER_BYTES + len);
}

/* 20 ms of audio, all samples `fill`. */
static inline void phone_talk(struct phone *ph, uint8_t pt, uint8_t fill)
{
    uint8_t payload[160];
    memset(payload, fill, sizeof payload);
    phone_send_as(ph, false, pt, ph->seq++, ph->ts, payload, sizeof payload);
    ph->ts += 160;
}

/* False: nothing is there now. */
static inline bool phone_heard(struct phone *ph, struct heard *h)
{
    uint8_t buf[2048];
    struct rtp_packet p;
    ssize_t n = recv(ph->rtp, buf, sizeof buf, MSG_DONTWAIT);
    if (n < 0)
        return false;
    ck_assert_int_eq(rtp_parse(buf, (size_t)n, &p), 0);
    *h = (struct heard){.marker = p.marker, .pt = p.pt, .seq = p.seq, .ts = p.ts, .ssrc = p.ssrc, .len = p.len};
    ck_assert_uint_le(p.len, sizeof h->payload);
    memcpy(h->payload, p.payload, p.len);
    h->at_us = clock_mono_now().us;
    return true;
}

/* False: nothing within the time. */
static inline bool phone_try_hear(struct rig *r, struct phone *ph, struct heard *h, unsigned ms)
{
    uint64_t end = clock_mono_now().us + ms * 1000u;
    do {
        if (phone_heard(ph, h))
            return true;
        (void)rig_turn(r, ph->rtp);
    } while (clock_mono_now().us < end);
    return false;
}

static inline struct heard phone_hear(struct rig *r, struct phone *ph)
{
    struct heard h;
    ck_assert_msg(phone_try_hear(r, ph, &h, RIG_DEADLINE_MS), "nothing heard");
    return h;
}

/* Number of events of this type and stream so far. */
static inline unsigned rig_count(const struct rig *r, const struct media_stream *s, enum media_event_type type)
{
    unsigned n = 0;
    for (unsigned k = 0; k < r->n_events; k++)
        n += r->events[k].s == s && r->events[k].ev.type == type;
    return n;
}

/* Waits for the nth (from 1) event of this type. */
static inline struct rig_event rig_wait(struct rig *r, const struct media_stream *s, enum media_event_type type,
                                        unsigned nth)
{
    uint64_t end = clock_mono_now().us + RIG_DEADLINE_MS * 1000u;
    while (rig_count(r, s, type) < nth) {
        ck_assert_msg(clock_mono_now().us < end, "event %d number %u does not come", (int)type, nth);
        (void)rig_turn(r, -1);
    }
    for (unsigned k = 0, n = 0; k < r->n_events; k++) {
        n += r->events[k].s == s && r->events[k].ev.type == type;
        if (n == nth)
            return r->events[k];
    }
    abort();
}

/* Waits until the statistics meet a condition that `ok` tests. */
static inline struct media_stats rig_wait_stats(struct rig *r, struct media_stream *s,
                                                bool (*ok)(const struct media_stats *))
{
    uint64_t end = clock_mono_now().us + RIG_DEADLINE_MS * 1000u;
    struct media_stats st;
    for (;;) {
        media_stream_stats(s, &st);
        if (ok(&st))
            return st;
        ck_assert_msg(clock_mono_now().us < end, "the statistics never become right");
        (void)rig_turn(r, -1);
    }
}

#endif
