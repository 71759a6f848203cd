#include "telephony/rtp.h"

#include <string.h>

#define MAX_DROPOUT 3000
#define MAX_MISORDER 100
#define SEQ_MOD (1u << 16)

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, (uint16_t)(v >> 16));
    put16(p + 2, (uint16_t)v);
}

int rtp_parse(uint8_t *buf, size_t len, struct rtp_packet *out)
{
    if (len < RTP_HEADER_BYTES || buf[0] >> 6 != 2)
        return ERR_INVAL;
    size_t at = RTP_HEADER_BYTES + 4u * (buf[0] & 15u);
    if (buf[0] & 0x10) {
        if (at + 4 > len)
            return ERR_INVAL;
        at += 4 + 4u * get16(buf + at + 2);
    }
    if (at > len)
        return ERR_INVAL;
    size_t pad = 0;
    if (buf[0] & 0x20) {
        pad = buf[len - 1];
        if (pad == 0 || at + pad > len)
            return ERR_INVAL;
    }
    out->marker = buf[1] & 0x80;
    out->pt = buf[1] & 0x7f;
    out->seq = get16(buf + 2);
    out->ts = get32(buf + 4);
    out->ssrc = get32(buf + 8);
    out->payload = buf + at;
    out->len = len - at - pad;
    return 0;
}

void rtp_write(uint8_t *buf, bool marker, uint8_t pt, uint16_t seq, uint32_t ts, uint32_t ssrc)
{
    buf[0] = 0x80;
    buf[1] = (uint8_t)((marker ? 0x80u : 0u) | (pt & 0x7fu));
    put16(buf + 2, seq);
    put32(buf + 4, ts);
    put32(buf + 8, ssrc);
}

static uint64_t expected_of(const struct rtp_receiver *r)
{
    return r->started ? (uint64_t)(rtp_receiver_ext_max(r) - r->base_seq) + 1 : 0;
}

static uint64_t lost_of(const struct rtp_receiver *r)
{
    uint64_t expected = expected_of(r);
    return expected > r->received ? expected - r->received : 0;
}

static void restart(struct rtp_receiver *r, const struct rtp_packet *p, uint32_t arrival, bool audio)
{
    uint64_t lost = r->lost_before + lost_of(r);
    *r = (struct rtp_receiver){
        .started = true,
        .ssrc = p->ssrc,
        .max_seq = p->seq,
        .base_seq = p->seq,
        .bad_seq = SEQ_MOD + 1,
        .received = 1,
        .history = 1,
        .transit = arrival - p->ts,
        .transit_known = audio,
        .lost_before = lost,
    };
}

static void book_jitter(struct rtp_receiver *r, const struct rtp_packet *p, uint32_t arrival)
{
    uint32_t transit = arrival - p->ts;
    int32_t d = (int32_t)(transit - r->transit);
    r->transit = transit;
    if (!r->transit_known) {
        r->transit_known = true;
        return;
    }
    if (d < 0)
        d = -d;
    if (d < 8000) /* a second: the sender's clock jumped, the network did not */
        r->jitter_q4 += (uint32_t)d - ((r->jitter_q4 + 8) >> 4);
}

enum rtp_seen rtp_receiver_packet(struct rtp_receiver *r, const struct rtp_packet *p, uint32_t arrival, bool audio)
{
    if (!r->started || r->ssrc != p->ssrc) {
        restart(r, p, arrival, audio);
        return RTP_SEEN_RESTART;
    }
    uint16_t ahead = (uint16_t)(p->seq - r->max_seq);
    enum rtp_seen seen = RTP_SEEN_NEXT;
    if (ahead == 0) {
        return RTP_SEEN_AGAIN;
    } else if (ahead < MAX_DROPOUT) {
        if (p->seq < r->max_seq)
            r->cycles += SEQ_MOD;
        r->max_seq = p->seq;
        r->history = ahead < 64 ? r->history << ahead | 1 : 1;
    } else if (ahead <= SEQ_MOD - MAX_MISORDER) {
        if (p->seq != r->bad_seq) {
            r->bad_seq = (uint16_t)(p->seq + 1);
            return RTP_SEEN_JUMP;
        }
        restart(r, p, arrival, audio);
        return RTP_SEEN_RESTART;
    } else {
        unsigned behind = (unsigned)(SEQ_MOD - ahead);
        if (behind < 64) {
            if (r->history >> behind & 1)
                return RTP_SEEN_AGAIN;
            r->history |= (uint64_t)1 << behind;
        }
        seen = RTP_SEEN_LATE;
    }
    r->received++;
    if (audio)
        book_jitter(r, p, arrival);
    return seen;
}

uint64_t rtp_receiver_lost(const struct rtp_receiver *r)
{
    return r->lost_before + lost_of(r);
}

uint8_t rtp_receiver_fraction(struct rtp_receiver *r)
{
    uint32_t expected = (uint32_t)expected_of(r), received = (uint32_t)r->received;
    uint32_t expected_now = expected - r->expected_prior;
    int32_t lost = (int32_t)(expected_now - (received - r->received_prior));
    r->expected_prior = expected;
    r->received_prior = received;
    if (expected_now == 0 || lost <= 0)
        return 0;
    uint64_t f = ((uint64_t)lost << 8) / expected_now;
    return (uint8_t)(f > 255 ? 255 : f);
}
