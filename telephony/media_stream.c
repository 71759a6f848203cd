/* Per packet: receive, check, book, rewrite, send. Owner thread only. Nothing here allocates, locks or logs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "telephony/codec.h"
#include "telephony/g711.h"
#include "telephony/media_int.h"

#define JUMP_US 2000000u /* a sender whose clock is off by more has begun anew */

static bool same_ip(const struct media_addr *a, const struct media_addr *b)
{
    if (a->u.sa.sa_family != b->u.sa.sa_family)
        return false;
    if (a->u.sa.sa_family == AF_INET)
        return a->u.in.sin_addr.s_addr == b->u.in.sin_addr.s_addr;
    return memcmp(&a->u.in6.sin6_addr, &b->u.in6.sin6_addr, sizeof a->u.in6.sin6_addr) == 0;
}

static bool same_addr(const struct media_addr *a, const struct media_addr *b)
{
    /* The port is in the same place in both families. */
    return a->u.in.sin_port == b->u.in.sin_port && same_ip(a, b);
}

static struct media_addr addr_of(const struct sockaddr_storage *ss)
{
    struct media_addr a = {0};
    if (ss->ss_family == AF_INET) {
        memcpy(&a.u.in, ss, sizeof a.u.in);
        a.len = a.u.in.sin_port ? sizeof a.u.in : 0;
    } else if (ss->ss_family == AF_INET6) {
        memcpy(&a.u.in6, ss, sizeof a.u.in6);
        a.len = a.u.in6.sin6_port ? sizeof a.u.in6 : 0;
    }
    return a;
}

static bool addr_any(const struct media_addr *a)
{
    if (a->u.sa.sa_family == AF_INET)
        return a->u.in.sin_addr.s_addr == 0;
    return IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr);
}

void media_stream_update_gates(struct media_stream *s)
{
    bool was_rx = s->rx_on;
    s->tx_on = s->have_remote && s->sdp.active && s->sdp.can_send && !s->paused && s->to.len > 0 && !addr_any(&s->to);
    s->rx_on = s->have_remote && s->sdp.active && s->sdp.can_recv;
    if (s->rx_on && !was_rx)
        s->rx_since_us = s->t->now_us;
}

static enum media_kind kind_of_codec(enum sdp_codec c)
{
    return c == SDP_PCMU   ? MEDIA_KIND_ULAW
           : c == SDP_G722 ? MEDIA_KIND_G722
           : c == SDP_OPUS ? MEDIA_KIND_OPUS
                           : MEDIA_KIND_ALAW;
}

/* Of G.711 either law may come, whichever was agreed. */
static void set_kinds(struct media_stream *s)
{
    const struct sdp_session_params *p = &s->sdp;
    memset(s->kind_of, MEDIA_KIND_NONE, sizeof s->kind_of);
    if (!p->active)
        return;
    if (media_audio_narrow(p->codec)) {
        s->kind_of[0] = MEDIA_KIND_ULAW;
        s->kind_of[8] = MEDIA_KIND_ALAW;
    }
    s->kind_of[13] = MEDIA_KIND_CN;
    s->kind_of[p->recv_pt & 127] = (uint8_t)kind_of_codec(p->codec);
    if (p->dtmf_recv_pt >= 0 && p->dtmf_recv_pt < 128)
        s->kind_of[p->dtmf_recv_pt] = MEDIA_KIND_EVENT;
}

/* Another clock is another time line at the far end as well (RFC 7160): jitter is measured anew. Ours goes on from where it is. */
static void set_clock(struct media_stream *s)
{
    uint32_t khz = s->sdp.active ? sdp_codec_clock(s->sdp.codec) / 1000u : s->clock_khz;
    if (khz == s->clock_khz || khz == 0)
        return;
    s->clock_khz = khz;
    s->rx.transit_known = false;
    s->rx.jitter_q4 = 0;
    s->map.valid = false;
}

void media_stream_apply_remote(struct media_stream *s, const struct media_remote *r)
{
    struct media_addr rtp = addr_of(&r->sdp.remote), rtcp = addr_of(&r->sdp.remote_rtcp);
    if (r->sdp.rtcp_mux)
        rtcp = rtp;
    bool moved = !s->have_remote || !same_addr(&rtp, &s->signalled);
    bool rtcp_moved = moved || !same_addr(&rtcp, &s->signalled_rtcp) || r->sdp.rtcp_mux != s->sdp.rtcp_mux;

    if (s->sdp.codec != r->sdp.codec)
        s->record_anew = true; /* if it was recorded by what was decoded, its packets are on another line */
    s->sdp = r->sdp;
    s->symmetric = r->symmetric;
    s->inband_on = s->inband && r->inband_dtmf && r->sdp.dtmf_pt < 0;
    if (moved) {
        s->signalled = s->to = rtp;
        s->latched.len = 0;
    }
    if (rtcp_moved)
        s->signalled_rtcp = s->rtcp_to = rtcp;
    set_kinds(s);
    set_clock(s);
    s->have_remote = true;
    s->frame_n = 0; /* a half-filled packet may be of another codec or length */
    media_audio_drop(s);
    media_stream_update_gates(s);
}

/* RFC 3550 leaves the choice of source open; we hold on to one. Symmetric: whoever sends first, but the signalled address
 * may always take over, or a stranger who spoke in a pause of the telephone would keep the call. Else only its host. After a silence
 * another source is taken again. */
static bool source_ok(struct media_stream *s, const struct media_addr *from)
{
    uint64_t now = s->t->now_us;
    if (s->latched.len && same_addr(from, &s->latched))
        return true;
    if (!s->symmetric && !same_ip(from, &s->signalled))
        return false;
    bool free_choice = s->latched.len == 0 || now - s->last_rx_us >= MEDIA_RELEARN_US;
    bool takes_over = same_addr(from, &s->signalled);
    if (!free_choice && !takes_over)
        return false;
    s->latched = *from;
    if (s->symmetric) {
        s->to = *from;
        if (s->sdp.rtcp_mux)
            s->rtcp_to = *from;
        media_stream_update_gates(s);
    }
    return true;
}

/* Asked for each packet, with the clock of now: a process that was halted in the middle of a batch must not go on with it. */
static bool lease_over(const struct media_stream *s)
{
    uint64_t until = atomic_load_explicit(&s->e->lease_us, memory_order_relaxed);
    return until != UINT64_MAX && clock_mono_now().us > until;
}

static void transmit(struct media_stream *s, const uint8_t *packet, size_t len)
{
    /* A full socket buffer or an unreachable host loses the packet, as the network would. */
    if (lease_over(s) || sendto(s->fd[0], packet, len, MSG_DONTWAIT | MSG_NOSIGNAL, &s->to.u.sa, s->to.len) < 0)
        return;
    s->t->count.packets_out++;
    s->stats.tx_packets++;
    s->stats.tx_bytes += len;
    s->tx_payload_bytes += len - RTP_HEADER_BYTES;
}

uint32_t media_stream_resume_ts(const struct media_stream *s)
{
    const struct media_tx *tx = &s->tx;
    if (tx->last_us == 0)
        return tx->last_ts;
    uint32_t gone = media_stream_units(s, s->t->now_us - tx->last_us);
    return tx->last_ts + (gone > tx->last_dur ? gone : tx->last_dur);
}

void media_stream_send_raw(struct media_stream *s, bool marker, uint8_t pt, uint32_t ts, uint8_t *payload, size_t len)
{
    uint8_t *packet = payload - RTP_HEADER_BYTES;
    rtp_write(packet, marker, pt, s->tx.next_seq++, ts, s->tx.ssrc);
    transmit(s, packet, len + RTP_HEADER_BYTES);
    s->map.valid = false; /* what is relayed next has to be fitted behind this */
}

/* The next time stamp is that of a packet of ours, sent or not. */
static uint32_t next_local(struct media_stream *s, uint32_t units)
{
    struct media_tx *tx = &s->tx;
    uint32_t ts = tx->local ? tx->last_ts + tx->last_dur : media_stream_resume_ts(s);
    tx->last_ts = ts;
    tx->last_dur = units;
    return ts;
}

void media_stream_send_local(struct media_stream *s, uint8_t *payload, size_t len, uint32_t units)
{
    bool begins = !s->tx.local;
    uint32_t ts = next_local(s, units);
    media_stream_send_raw(s, begins, s->sdp.codec_pt, ts, payload, len);
    s->tx.last_us = s->t->now_us;
    s->tx.local = true;
}

void media_stream_skip_local(struct media_stream *s, uint32_t units)
{
    (void)next_local(s, units);
    s->tx.last_us = s->t->now_us;
    s->tx.local = true;
}

/* A packet that the other leg cannot take: close the gap in the numbers, or it would look like loss. A late packet
 * from before it will then get a number that was used, and be dropped as a duplicate: rare, and it was late. */
static void skip_number(struct media_map *m, const struct rtp_packet *p)
{
    if (!m->valid || m->ssrc != p->ssrc || (int16_t)(p->seq - m->max_seq) <= 0)
        return;
    m->seq_off--;
    m->ext += (uint16_t)(p->seq - m->max_seq);
    m->max_seq = p->seq;
}

/* Fits the packet into the outgoing numbering. False: it is older than the point where its source was switched in. */
static bool map_packet(struct media_stream *d, const struct rtp_packet *p, bool restart, bool audio, uint16_t *seq,
                       uint32_t *ts, bool *marker)
{
    struct media_map *m = &d->map;
    uint64_t now = d->t->now_us;

    *marker = p->marker;
    if (!m->valid || m->ssrc != p->ssrc || restart) {
        *m = (struct media_map){
            .valid = true,
            .ssrc = p->ssrc,
            .seq_off = (uint16_t)(d->tx.next_seq - p->seq),
            .ts_off = media_stream_resume_ts(d) - p->ts,
            .max_seq = p->seq,
            .max_ts = p->ts,
        };
        *marker = true;
    } else {
        int16_t ahead = (int16_t)(p->seq - m->max_seq);
        if (ahead > 0) {
            int32_t step = (int32_t)(p->ts - m->max_ts);
            int32_t jump = (int32_t)media_stream_units(d, JUMP_US);
            if (audio && (step < -jump || step > jump) &&
                (step < 0 || (uint32_t)step > media_stream_units(d, now - m->last_us + JUMP_US))) {
                m->ts_off = media_stream_resume_ts(d) - p->ts;
                *marker = true;
            }
            if (m->ext < UINT32_MAX / 2)
                m->ext += (uint16_t)ahead;
            m->max_seq = p->seq;
            if (audio)
                m->max_ts = p->ts;
        } else if ((int64_t)m->ext + ahead < 0) {
            return false;
        }
    }
    m->last_us = now;
    *seq = (uint16_t)(p->seq + m->seq_off);
    *ts = p->ts + m->ts_off;
    return true;
}

void media_stream_set_source(struct media_stream *s, struct media_stream *source)
{
    if (s->source == source)
        return;
    s->source = source;
    s->map.valid = false;
}

void media_stream_convert(const struct rtp_packet *p, enum media_kind *kind, enum sdp_codec to)
{
    const uint8_t *table = NULL;
    if (*kind == MEDIA_KIND_ULAW && to == SDP_PCMA)
        table = g711_ulaw_alaw;
    else if (*kind == MEDIA_KIND_ALAW && to == SDP_PCMU)
        table = g711_alaw_ulaw;
    if (!table)
        return;
    for (size_t i = 0; i < p->len; i++)
        p->payload[i] = table[p->payload[i]];
    *kind = to == SDP_PCMU ? MEDIA_KIND_ULAW : MEDIA_KIND_ALAW;
}

/* RTP units of an audio packet; those of G.711 and G.722 are its bytes. */
static uint32_t units_of(const struct rtp_packet *p, enum media_kind kind)
{
    return kind == MEDIA_KIND_OPUS ? codec_duration(codec_get(CODEC_OPUS), p->payload, p->len) : (uint32_t)p->len;
}

/* Another codec may have been agreed since it was decided who hears whom. */
static bool carries(const struct media_stream *d, enum media_kind kind)
{
    if (media_kind_g711(kind))
        return media_audio_narrow(d->sdp.codec);
    return !media_kind_sound(kind) || kind == kind_of_codec(d->sdp.codec);
}

bool media_stream_relay(struct media_stream *d, const struct rtp_packet *p, enum media_kind kind, bool restart)
{
    if (!d->tx_on || d->play || d->digit_tx.active) {
        d->map.valid = false;
        return true;
    }
    bool event = kind == MEDIA_KIND_EVENT;
    const struct media_stream *s = d->echo || !d->source ? d : d->source;
    if (kind == MEDIA_KIND_CN || !carries(d, kind) ||
        (event && (media_dtmf_made_anew(s, d) || media_dtmf_elsewhere(d, p)))) {
        skip_number(&d->map, p);
        return true;
    }
    uint16_t seq;
    uint32_t ts;
    bool marker;
    if (!map_packet(d, p, restart, !event, &seq, &ts, &marker))
        return false;
    if (!event)
        media_stream_convert(p, &kind, d->sdp.codec);
    uint8_t *packet = p->payload - RTP_HEADER_BYTES;
    rtp_write(packet, marker, event ? (uint8_t)d->sdp.dtmf_pt : d->sdp.codec_pt, seq, ts, d->tx.ssrc);
    transmit(d, packet, p->len + RTP_HEADER_BYTES);

    struct media_tx *tx = &d->tx;
    if ((int16_t)(seq - tx->next_seq) >= 0)
        tx->next_seq = (uint16_t)(seq + 1);
    if (tx->last_us == 0 || (int32_t)(ts - tx->last_ts) >= 0) {
        tx->last_ts = ts;
        tx->last_dur = event ? media_stream_units(d, MEDIA_TICK_US) : units_of(p, kind);
    }
    tx->last_us = d->t->now_us;
    tx->local = false;
    d->stats_changed = true;
    return true;
}

static void noise(struct media_stream *s)
{
    s->t->count.packets_noise++;
}

static void discard(struct media_stream *s)
{
    s->stats.rx_discarded++;
    s->stats_changed = true;
}

static void book_rx(struct media_stream *s, size_t bytes)
{
    struct media_thread *t = s->t;
    s->last_rx_us = t->now_us;
    s->stats.rx_packets++;
    s->stats.rx_bytes += bytes;
    if (s->stats.first_rx_us == 0)
        s->stats.first_rx_us = t->wall_us;
    s->stats.last_rx_us = t->wall_us;
    s->stats_changed = true;
}

/* Life is told once, and again after death. If the ring to the core is full it is told with a later packet. */
static void show_life(struct media_stream *s)
{
    static const struct media_event alive = {.type = MEDIA_EV_ALIVE};
    if (s->alive && !s->dead)
        return;
    if (media_thread_emit(s->t, s, &alive)) {
        s->alive = true;
        s->dead = false;
    }
}

static void record(struct media_stream *s, const struct rtp_packet *p, enum media_kind kind, bool restart)
{
    const struct recorder_packet packet = {.payload = p->payload,
                                           .len = p->len,
                                           .ulaw = kind == MEDIA_KIND_ULAW,
                                           .restart = restart || s->record_anew,
                                           .seq = p->seq,
                                           .ts = p->ts};
    recorder_put(s->recorder, &packet, s->t->now_us);
    s->record_anew = false;
}

void media_stream_let_go(struct media_stream *s)
{
    if (!s->recorder)
        return;
    recorder_stop(s->recorder);
    recorder_unref(s->recorder);
    s->recorder = NULL;
}

static void record_tick(struct media_stream *s)
{
    static const struct media_event ev = {.type = MEDIA_EV_RECORDED};
    if (recorder_tick(s->recorder, s->t->now_us) && media_thread_emit(s->t, s, &ev))
        media_stream_let_go(s);
}

/* Its sound is for who decodes it. The other law is made the one that was agreed: who decodes knows that only. */
static void look_into(struct media_stream *s, const struct rtp_packet *p, enum media_kind kind)
{
    uint8_t law[MEDIA_PACKET_MAX];
    struct rtp_packet own = *p;
    if (!s->audio)
        return;
    if (media_kind_g711(kind) && kind != kind_of_codec(s->sdp.codec)) {
        own.payload = memcpy(law, p->payload, p->len);
        media_stream_convert(&own, &kind, s->sdp.codec);
    }
    media_audio_put(s, &own, media_kind_sound(kind));
}

/* What a muted party sends is silence of the same length. Where there is none, as of a key, its number is left out. */
static enum media_kind silenced(const struct media_stream *s, struct media_stream *d, struct rtp_packet *p,
                                enum media_kind kind)
{
    if (media_kind_g711(kind)) {
        memset(p->payload, kind == MEDIA_KIND_ULAW ? G711_ULAW_SILENCE : G711_ALAW_SILENCE, p->len);
        return kind;
    }
    if (!media_kind_sound(kind) || !d || d->play || d->digit_tx.active || media_audio_transcodes(s, d))
        return MEDIA_KIND_CN;
    size_t len = media_audio_silence(d, p->payload, units_of(p, kind));
    p->len = len;
    return len ? kind : MEDIA_KIND_CN;
}

static void take_rtp(struct media_stream *s, uint8_t *buf, size_t len, const struct media_addr *from)
{
    struct rtp_packet p;
    if (rtp_parse(buf, len, &p) != 0) {
        noise(s);
        return;
    }
    if (!s->have_remote) {
        discard(s);
        return;
    }
    enum media_kind kind = (enum media_kind)s->kind_of[p.pt];
    if (kind == MEDIA_KIND_NONE || p.len == 0 || !source_ok(s, from)) {
        noise(s);
        return;
    }
    bool audio = media_kind_sound(kind);
    enum rtp_seen seen = rtp_receiver_packet(&s->rx, &p, media_stream_units(s, s->t->now_us), audio);
    book_rx(s, len);
    if (seen == RTP_SEEN_AGAIN || seen == RTP_SEEN_JUMP) {
        discard(s);
        return;
    }
    if (seen == RTP_SEEN_LATE)
        s->stats.rx_late++;
    show_life(s);
    if (!s->rx_on) {
        discard(s);
        return;
    }
    if (kind == MEDIA_KIND_EVENT)
        media_dtmf_on_event(s, &p, seen == RTP_SEEN_LATE);
    else if (audio && s->inband_on && media_kind_g711(kind))
        media_dtmf_on_audio(s, &p, kind);
    struct media_stream *d = s->echo ? s : s->peer;
    bool in_time = true, restart = seen == RTP_SEEN_RESTART;
    look_into(s, &p, kind);
    if (media_stream_silent(s))
        kind = silenced(s, d, &p, kind);
    if (s->recorder && media_kind_g711(kind)) /* what nobody is to hear is not recorded either */
        record(s, &p, kind, restart);
    if (d)
        in_time = media_audio_transcodes(s, d) || media_stream_relay(d, &p, kind, restart);
    else if (s->room)
        in_time = media_room_packet(s, &p, kind, restart);
    if (!in_time)
        discard(s);
}

/* The round trip, from our report that the other side last saw (RFC 3550 section 6.4.1). */
static void book_round_trip(struct media_stream *s, const struct rtcp_block *b)
{
    if (b->lsr == 0)
        return;
    uint32_t now = (uint32_t)(rtcp_ntp(s->t->wall_us) >> 16);
    uint32_t rtt = now - b->lsr - b->dlsr;
    if (rtt < 60u << 16) /* else the clocks or the report are wrong */
        s->stats.rtt_us = (uint32_t)(((uint64_t)rtt * 1000000u) >> 16);
}

/* A stream that goes on counts its own losses: what the far end lost of the former node's packets, and the numbers that were
 * left out between the two, stand in the first report that has seen one of ours. */
static void book_remote_lost(struct media_stream *s, const struct rtcp_block *b)
{
    if (s->given.goes_on && !s->lost_base_known) {
        if ((int16_t)((uint16_t)b->ext_max - s->given.seq) < 0)
            return;
        s->lost_base_known = true;
        s->lost_base = b->lost;
    }
    s->stats.remote_lost = b->lost > s->lost_base ? (uint32_t)(b->lost - s->lost_base) : 0;
}

static void take_rtcp(struct media_stream *s, const uint8_t *buf, size_t len, const struct media_addr *from)
{
    struct rtcp_report r;
    const struct media_addr *expected = s->latched.len ? &s->latched : &s->signalled;
    if (rtcp_parse(buf, len, s->tx.ssrc, &r) != 0 || !s->have_remote ||
        !(same_ip(from, expected) || same_ip(from, &s->rtcp_to))) {
        noise(s);
        return;
    }
    if (s->symmetric && same_ip(from, expected))
        s->rtcp_to = *from;
    s->last_rx_us = s->t->now_us; /* a muted phone still reports: it is not dead */
    if (r.is_sender) {
        s->rtcp_lsr = (uint32_t)(r.ntp >> 16);
        s->rtcp_sr_at_us = s->t->now_us;
    }
    if (r.has_block) {
        book_remote_lost(s, &r.block);
        s->stats.remote_jitter_us = (uint32_t)((uint64_t)r.block.jitter * 1000u / s->clock_khz);
        book_round_trip(s, &r.block);
    }
    s->stats_changed = true;
}

static bool receive(struct media_thread *t, int fd, size_t *len, struct media_addr *from)
{
    from->len = sizeof from->u;
    ssize_t n = recvfrom(fd, t->buf, MEDIA_PACKET_MAX, MSG_DONTWAIT | MSG_TRUNC, &from->u.sa, &from->len);
    if (n < 0)
        return false;
    t->count.packets_in++;
    *len = (size_t)n;
    if (n > (ssize_t)MEDIA_PACKET_MAX) {
        t->count.packets_noise++;
        return false;
    }
    return true;
}

void media_stream_on_rtp(struct media_thread *t, struct media_stream *s)
{
    size_t len;
    struct media_addr from;
    if (!receive(t, s->fd[0], &len, &from))
        return;
    if (s->sdp.rtcp_mux && rtp_looks_like_rtcp(t->buf, len))
        take_rtcp(s, t->buf, len, &from);
    else
        take_rtp(s, t->buf, len, &from);
}

void media_stream_on_rtcp(struct media_thread *t, struct media_stream *s)
{
    size_t len;
    struct media_addr from;
    if (receive(t, s->fd[1], &len, &from))
        take_rtcp(s, t->buf, len, &from);
}

/* RFC 3550 section 6.3.1 for two members: the minimum of 5 s, spread over half to one and a half of it so that calls begun
 * together do not report together. (Its divisor of 1.21828 makes up for timer reconsideration, which two members lack.) */
static uint64_t rtcp_interval(struct media_stream *s)
{
    return MEDIA_RTCP_US / 2 + media_thread_random(s->t) % MEDIA_RTCP_US;
}

void media_stream_start_rtcp(struct media_stream *s)
{
    s->rtcp_next_us = s->t->now_us + rtcp_interval(s) / 2;
}

void media_stream_send_rtcp(struct media_stream *s, bool bye)
{
    struct media_thread *t = s->t;
    uint8_t out[RTCP_BYTES_MAX];
    char cname[20];

    if (!s->have_remote || !s->sdp.active || s->rtcp_to.len == 0 || addr_any(&s->rtcp_to) || lease_over(s))
        return;
    struct rtcp_report r = {
        .ssrc = s->tx.ssrc,
        /* A sender is who sent since the report before the last one (section 6.4). */
        .is_sender = s->stats.tx_packets != s->rtcp_tx_packets_prior[1],
        .ntp = rtcp_ntp(t->wall_us),
        .packets = (uint32_t)s->stats.tx_packets,
        .octets = (uint32_t)s->tx_payload_bytes,
        .bye = bye,
    };
    if (s->tx.last_us)
        r.rtp_ts = s->tx.last_ts + media_stream_units(s, t->now_us - s->tx.last_us);
    if (s->rx.started) {
        uint64_t lost = rtp_receiver_lost(&s->rx);
        r.has_block = true;
        r.block = (struct rtcp_block){
            .ssrc = s->rx.ssrc,
            .fraction = rtp_receiver_fraction(&s->rx),
            .lost = lost > INT32_MAX ? INT32_MAX : (int32_t)lost,
            .ext_max = rtp_receiver_ext_max(&s->rx),
            .jitter = s->rx.jitter_q4 >> 4,
            .lsr = s->rtcp_lsr,
            .dlsr = s->rtcp_lsr ? (uint32_t)(((t->now_us - s->rtcp_sr_at_us) << 16) / 1000000u) : 0,
        };
    }
    s->rtcp_tx_packets_prior[1] = s->rtcp_tx_packets_prior[0];
    s->rtcp_tx_packets_prior[0] = s->stats.tx_packets;
    (void)snprintf(cname, sizeof cname, "%016llx", (unsigned long long)(s->numbered ? s->given.cname : s->e->cname));
    size_t n = rtcp_write(&r, cname, out);
    (void)sendto(s->fd[s->sdp.rtcp_mux ? 0 : 1], out, n, MSG_DONTWAIT | MSG_NOSIGNAL, &s->rtcp_to.u.sa, s->rtcp_to.len);
}

static void check_dead(struct media_stream *s)
{
    static const struct media_event ev = {.type = MEDIA_EV_DEAD};
    uint64_t now = s->t->now_us, since = s->last_rx_us > s->rx_since_us ? s->last_rx_us : s->rx_since_us;
    if (s->dead || !s->rx_on || s->paused || s->e->dead_ms == 0 || now - since < (uint64_t)s->e->dead_ms * 1000u)
        return;
    s->dead = media_thread_emit(s->t, s, &ev);
}

/* RFC 6263: keep the holes in firewalls open, and the other side's own dead-media detection quiet. */
static void keep_alive(struct media_stream *s)
{
    uint8_t packet[RTP_HEADER_BYTES + CODEC_PACKET_MAX], *payload = packet + RTP_HEADER_BYTES;
    uint32_t units = media_stream_units(s, MEDIA_TICK_US);
    size_t len = MEDIA_TICK_SAMPLES;
    uint64_t since = s->tx.last_us > s->rx_since_us ? s->tx.last_us : s->rx_since_us;
    if (!s->tx_on || s->t->now_us - since < MEDIA_KEEPALIVE_US)
        return;
    if (media_audio_narrow(s->sdp.codec))
        memset(payload, media_stream_silence(s), len);
    else
        len = media_audio_silence(s, payload, units);
    if (len == 0)
        return;
    s->tx.local = false;
    media_stream_send_local(s, payload, len, units);
    s->tx.local = false;
    s->stats_changed = true;
}

void media_stream_publish(struct media_stream *s)
{
    uint64_t words[sizeof(struct media_stats) / 8];
    uint32_t jitter_us = (uint32_t)((uint64_t)(s->rx.jitter_q4 >> 4) * 1000u / s->clock_khz);

    if (jitter_us > s->stats.jitter_us)
        s->stats.jitter_us = jitter_us;
    s->stats.rx_lost = rtp_receiver_lost(&s->rx);
    s->stats.tx_seq = s->tx.next_seq;
    s->stats.tx_ts = s->tx.last_ts;
    s->stats.tx_at_us = s->tx.last_us;
    memcpy(words, &s->stats, sizeof words);
    unsigned seq = atomic_load_explicit(&s->pub_seq, memory_order_relaxed);
    atomic_store_explicit(&s->pub_seq, seq + 1, memory_order_relaxed);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        atomic_store_explicit(&s->pub[i], words[i], memory_order_release);
    atomic_store_explicit(&s->pub_seq, seq + 2, memory_order_release);
    s->stats_changed = false;
}

void media_stream_tick(struct media_thread *t, struct media_stream *s)
{
    if (!media_dtmf_tick(s) && s->play)
        media_play_tick(s);
    if (s->digit_rx.active)
        media_dtmf_check_lost(s);
    if (s->audio)
        media_audio_tick(s);
    if (s->recorder)
        record_tick(s);
    if (t->now_us >= s->rtcp_next_us) {
        media_stream_send_rtcp(s, false);
        s->rtcp_next_us = t->now_us + rtcp_interval(s);
    }
    check_dead(s);
    keep_alive(s);
    if (s->stats_changed)
        media_stream_publish(s);
}
