#include "telephony/rtcp.h"

#include <string.h>

#define PT_SR 200
#define PT_RR 201
#define PT_SDES 202
#define PT_BYE 203
#define NTP_1970 2208988800u
#define CNAME_MAX 64u

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
    return p + 4;
}

/* `end` is one past the packet that began at `at`; its length is a multiple of 4. */
static void put_head(uint8_t *at, unsigned count, uint8_t type, const uint8_t *end)
{
    size_t words = (size_t)(end - at) / 4 - 1;
    at[0] = (uint8_t)(0x80u | count);
    at[1] = type;
    at[2] = (uint8_t)(words >> 8);
    at[3] = (uint8_t)words;
}

static uint8_t *put_block(uint8_t *p, const struct rtcp_block *b)
{
    int32_t lost = b->lost > 0x7fffff ? 0x7fffff : b->lost < -0x800000 ? -0x800000 : b->lost;
    p = put32(p, b->ssrc);
    p = put32(p, (uint32_t)b->fraction << 24 | ((uint32_t)lost & 0xffffffu));
    p = put32(p, b->ext_max);
    p = put32(p, b->jitter);
    p = put32(p, b->lsr);
    return put32(p, b->dlsr);
}

size_t rtcp_write(const struct rtcp_report *r, const char *cname, uint8_t out[RTCP_BYTES_MAX])
{
    uint8_t *p = put32(out + 4, r->ssrc);
    if (r->is_sender) {
        p = put32(p, (uint32_t)(r->ntp >> 32));
        p = put32(p, (uint32_t)r->ntp);
        p = put32(p, r->rtp_ts);
        p = put32(p, r->packets);
        p = put32(p, r->octets);
    }
    if (r->has_block)
        p = put_block(p, &r->block);
    put_head(out, r->has_block ? 1 : 0, r->is_sender ? PT_SR : PT_RR, p);

    uint8_t *sdes = p;
    size_t n = strlen(cname);
    if (n > CNAME_MAX)
        n = CNAME_MAX;
    p = put32(sdes + 4, r->ssrc);
    *p++ = 1; /* CNAME */
    *p++ = (uint8_t)n;
    memcpy(p, cname, n);
    p += n;
    do {
        *p++ = 0; /* the list ends with one to four zeros */
    } while ((p - sdes) % 4 != 0);
    put_head(sdes, 1, PT_SDES, p);

    if (r->bye) {
        uint8_t *bye = p;
        p = put32(bye + 4, r->ssrc);
        put_head(bye, 1, PT_BYE, p);
    }
    return (size_t)(p - out);
}

static void take_blocks(const uint8_t *p, const uint8_t *end, unsigned count, uint32_t about, struct rtcp_report *out)
{
    for (unsigned i = 0; i < count && p + 24 <= end; i++, p += 24) {
        if (get32(p) != about)
            continue;
        uint32_t w = get32(p + 4), lost = w & 0xffffffu;
        out->has_block = true;
        out->block = (struct rtcp_block){
            .ssrc = about,
            .fraction = (uint8_t)(w >> 24),
            .lost = (int32_t)(lost & 0x800000u ? lost | 0xff000000u : lost),
            .ext_max = get32(p + 8),
            .jitter = get32(p + 12),
            .lsr = get32(p + 16),
            .dlsr = get32(p + 20),
        };
    }
}

static int take_packet(const uint8_t *p, size_t bytes, uint32_t about, struct rtcp_report *out)
{
    unsigned count = p[0] & 31u;
    if (p[1] == PT_SR) {
        if (bytes < 28)
            return ERR_INVAL;
        out->ssrc = get32(p + 4);
        out->is_sender = true;
        out->ntp = (uint64_t)get32(p + 8) << 32 | get32(p + 12);
        out->rtp_ts = get32(p + 16);
        out->packets = get32(p + 20);
        out->octets = get32(p + 24);
        take_blocks(p + 28, p + bytes, count, about, out);
    } else if (p[1] == PT_RR) {
        if (bytes < 8)
            return ERR_INVAL;
        out->ssrc = get32(p + 4);
        take_blocks(p + 8, p + bytes, count, about, out);
    } else if (p[1] == PT_BYE) {
        out->bye = true;
    }
    return 0;
}

int rtcp_parse(const uint8_t *buf, size_t len, uint32_t about_ssrc, struct rtcp_report *out)
{
    struct rtcp_report r = {0};
    /* A.2, but reduced-size packets (RFC 5506) may begin with another type. */
    if (len < 8 || len % 4 != 0 || buf[0] >> 6 != 2 || buf[1] < 192 || buf[1] > 223)
        return ERR_INVAL;
    for (size_t at = 0; at < len;) {
        if (len - at < 4 || buf[at] >> 6 != 2)
            return ERR_INVAL;
        size_t bytes = 4u * ((size_t)(buf[at + 2] << 8 | buf[at + 3]) + 1);
        if (bytes > len - at)
            return ERR_INVAL;
        if (take_packet(buf + at, bytes, about_ssrc, &r))
            return ERR_INVAL;
        at += bytes;
    }
    *out = r;
    return 0;
}

uint64_t rtcp_ntp(uint64_t wall_us)
{
    uint64_t s = wall_us / 1000000u, us = wall_us % 1000000u;
    return (s + NTP_1970) << 32 | (us << 32) / 1000000u;
}
