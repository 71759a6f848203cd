/* Offer/answer (RFC 3264) for one G.711 stream with telephone-event (RFC 4733), and the writing of SDP. Pure. */
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "telephony/sdp.h"

#define OWN_DTMF_PT 101
#define DEFAULT_PTIME_MS 20

struct writer {
    char *out;
    size_t size, n;
    bool over;
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *w, const char *fmt, ...)
{
    va_list ap;
    if (w->over)
        return;
    va_start(ap, fmt);
    int k = vsnprintf(w->out + w->n, w->size - w->n, fmt, ap);
    va_end(ap);
    if (k < 0 || (size_t)k >= w->size - w->n)
        w->over = true;
    else
        w->n += (size_t)k;
}

static const char *dir_text(enum sdp_dir d)
{
    switch (d) {
    case SDP_SENDONLY:
        return "sendonly";
    case SDP_RECVONLY:
        return "recvonly";
    case SDP_INACTIVE:
        return "inactive";
    case SDP_SENDRECV:
    default:
        return "sendrecv";
    }
}

static bool dir_sends(enum sdp_dir d)
{
    return d == SDP_SENDRECV || d == SDP_SENDONLY;
}

static bool dir_receives(enum sdp_dir d)
{
    return d == SDP_SENDRECV || d == SDP_RECVONLY;
}

static enum sdp_dir dir_of(bool sends, bool receives)
{
    if (sends)
        return receives ? SDP_SENDRECV : SDP_SENDONLY;
    return receives ? SDP_RECVONLY : SDP_INACTIVE;
}

static int local_family(const struct sdp_local *local)
{
    return strchr(local->ip, ':') ? AF_INET6 : AF_INET;
}

static const char *codec_name(enum sdp_codec c)
{
    return c == SDP_PCMU ? "PCMU" : "PCMA";
}

static uint8_t own_pt(enum sdp_codec c)
{
    return c == SDP_PCMU ? 0 : 8;
}

static bool is_g711(enum sdp_codec c)
{
    return c == SDP_PCMU || c == SDP_PCMA;
}

/* What we can packetise; anything else is answered with 20 ms, which every G.711 receiver takes. */
static uint16_t usable_ptime(uint16_t wanted)
{
    return wanted == 10 || wanted == 30 || wanted == 40 || wanted == 60 ? wanted : DEFAULT_PTIME_MS;
}

static void put_head(struct writer *w, const struct sdp_local *local)
{
    const char *type = local_family(local) == AF_INET6 ? "IP6" : "IP4";
    put(w, "v=0\r\no=everline %llu %llu IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n",
        (unsigned long long)local->session_id, (unsigned long long)local->version, type, local->ip, type, local->ip);
}

static void put_rtpmap(struct writer *w, unsigned pt, const char *name)
{
    put(w, "a=rtpmap:%u %s/8000\r\n", pt, name);
}

static void put_dtmf(struct writer *w, unsigned pt)
{
    put_rtpmap(w, pt, "telephone-event");
    put(w, "a=fmtp:%u 0-15\r\n", pt);
}

static int finish(struct writer *w)
{
    return w->over ? ERR_TOOBIG : (int)w->n;
}

static void put_offered(struct writer *w, const struct sdp_local *local)
{
    put(w, "m=audio %u RTP/AVP", local->rtp_port);
    for (size_t i = 0; i < 2; i++) {
        if (is_g711(local->prefer[i]) && (i == 0 || local->prefer[i] != local->prefer[0]))
            put(w, " %u", own_pt(local->prefer[i]));
    }
    put(w, local->dtmf ? " %u\r\n" : "\r\n", OWN_DTMF_PT);
    for (size_t i = 0; i < 2; i++) {
        if (is_g711(local->prefer[i]) && (i == 0 || local->prefer[i] != local->prefer[0]))
            put_rtpmap(w, own_pt(local->prefer[i]), codec_name(local->prefer[i]));
    }
    if (local->dtmf)
        put_dtmf(w, OWN_DTMF_PT);
    put(w, "a=ptime:%u\r\na=%s\r\n", DEFAULT_PTIME_MS, dir_text(local->dir));
}

/* The formats of a refused line mean nothing, but one must stand there (RFC 3264 section 6): the first keeps the answer short. */
static void put_refused(struct writer *w, const struct sdp_media *m)
{
    int first = (int)strcspn(m->formats_raw, " ");
    put(w, "m=%s 0 %s %.*s\r\n", m->kind, m->proto, first ? first : 1, first ? m->formats_raw : "0");
}

int sdp_write_offer(const struct sdp_local *local, const struct sdp *before, char *out, size_t size)
{
    struct writer w = {.out = out, .size = size, .over = size == 0};
    size_t n = before ? before->n_media : 0, line = local->line < n ? local->line : n;

    put_head(&w, local);
    for (size_t i = 0; i < n || i == line; i++) {
        if (i == line)
            put_offered(&w, local);
        else
            put_refused(&w, &before->media[i]);
    }
    return finish(&w);
}

size_t sdp_own_line(const struct sdp *ours)
{
    size_t i = 0;
    while (i < ours->n_media && (ours->media[i].port == 0 || strcasecmp(ours->media[i].kind, "audio") != 0))
        i++;
    if (i < ours->n_media)
        return i;
    for (i = 0; i < ours->n_media; i++) { /* none is live: audio may begin where audio was */
        if (strcasecmp(ours->media[i].kind, "audio") == 0)
            return i;
    }
    return ours->n_media;
}

static const struct sdp_format *first_of(const struct sdp_media *m, enum sdp_codec c)
{
    for (size_t i = 0; i < m->n_formats; i++) {
        if (m->formats[i].codec == c)
            return &m->formats[i];
    }
    return NULL;
}

/* Audio in plain RTP. SAVP(F) is another profile: we would have to encrypt. */
static bool is_plain_audio(const struct sdp_media *m)
{
    return strcasecmp(m->kind, "audio") == 0 &&
           (strcasecmp(m->proto, "RTP/AVP") == 0 || strcasecmp(m->proto, "RTP/AVPF") == 0);
}

static const struct sdp_format *pick_by_our_order(const struct sdp_media *m, const struct sdp_local *local)
{
    for (size_t i = 0; i < 2; i++) {
        const struct sdp_format *f = is_g711(local->prefer[i]) ? first_of(m, local->prefer[i]) : NULL;
        if (f)
            return f;
    }
    return NULL;
}

static void agree_common(struct sdp_session_params *p, const struct sdp_media *m, const struct sdp_local *local)
{
    p->active = true;
    p->remote = m->addr;
    p->remote_rtcp = m->rtcp;
    p->ptime_ms = usable_ptime(m->ptime_ms);
    p->can_send = dir_sends(local->dir) && dir_receives(m->dir) && !m->hold_by_zero_addr;
    p->can_recv = dir_receives(local->dir) && dir_sends(m->dir);
}

static void put_accepted(struct writer *w, const struct sdp_media *m, const struct sdp_local *local,
                         const struct sdp_session_params *p)
{
    bool sends = dir_sends(local->dir) && dir_receives(m->dir);

    put(w, "m=%s %u %s %u", m->kind, local->rtp_port, m->proto, p->codec_pt);
    if (p->dtmf_pt >= 0)
        put(w, " %d", p->dtmf_pt);
    put(w, "\r\n");
    put_rtpmap(w, p->codec_pt, codec_name(p->codec));
    if (p->dtmf_pt >= 0)
        put_dtmf(w, (unsigned)p->dtmf_pt);
    put(w, "a=ptime:%u\r\n", p->ptime_ms);
    if (p->rtcp_mux)
        put(w, "a=rtcp-mux\r\n");
    put(w, "a=%s\r\n", dir_text(dir_of(sends, p->can_recv)));
}

/* Chooses the m= line and the codec. False: nothing in the offer that we can do. */
static bool choose(const struct sdp *offer, const struct sdp_local *local, struct sdp_session_params *p)
{
    for (size_t i = 0; i < offer->n_media; i++) {
        const struct sdp_media *m = &offer->media[i];
        if (!is_plain_audio(m) || m->port == 0 || (int)m->addr.ss_family != local_family(local))
            continue;
        const struct sdp_format *f = pick_by_our_order(m, local);
        if (!f)
            continue;
        const struct sdp_format *ev = local->dtmf ? first_of(m, SDP_TELEPHONE_EVENT) : NULL;
        agree_common(p, m, local);
        p->media_index = i;
        p->codec = f->codec;
        p->codec_pt = p->recv_pt = f->pt;
        p->dtmf_pt = p->dtmf_recv_pt = ev ? ev->pt : -1;
        p->rtcp_mux = m->rtcp_mux;
        return true;
    }
    return false;
}

/* An offer that holds no live stream at all (all ports 0, or no m= line) is legal: it is answered likewise. */
static bool offers_nothing(const struct sdp *offer)
{
    for (size_t i = 0; i < offer->n_media; i++) {
        if (offer->media[i].port != 0)
            return false;
    }
    return true;
}

int sdp_write_answer(const struct sdp *offer, const struct sdp_local *local, char *out, size_t size,
                     struct sdp_session_params *agreed)
{
    struct writer w = {.out = out, .size = size, .over = size == 0};
    struct sdp_session_params p = {.dtmf_pt = -1, .dtmf_recv_pt = -1};

    if (!choose(offer, local, &p) && !offers_nothing(offer))
        return ERR_UNSUPPORTED;
    put_head(&w, local);
    for (size_t i = 0; i < offer->n_media; i++) {
        if (p.active && i == p.media_index)
            put_accepted(&w, &offer->media[i], local, &p);
        else
            put_refused(&w, &offer->media[i]);
    }
    int n = finish(&w);
    if (n >= 0)
        *agreed = p;
    return n;
}

struct sdp_warning sdp_why_not(const struct sdp *offer, const struct sdp_local *local)
{
    static const struct sdp_warning by_stage[] = {
        {304, "Media type not available: only audio is taken"},
        {302, "Incompatible transport protocol: only RTP/AVP is taken"},
        {301, "Incompatible network address formats: an address of the family of this connection is needed"},
        {305, "Incompatible media format: only G.711 (PCMA, PCMU) is taken"},
        {399, "The session description cannot be answered"},
    };
    size_t best = 0;
    for (size_t i = 0; i < offer->n_media; i++) {
        const struct sdp_media *m = &offer->media[i];
        size_t stage = 0;
        if (m->port != 0 && strcasecmp(m->kind, "audio") == 0) {
            stage = !is_plain_audio(m)                              ? 1
                    : (int)m->addr.ss_family != local_family(local) ? 2
                    : !pick_by_our_order(m, local)                  ? 3
                                                                    : 4;
        }
        best = stage > best ? stage : best;
    }
    return by_stage[best];
}

int sdp_take_answer(const struct sdp_local *offered, const struct sdp *answer, struct sdp_session_params *agreed)
{
    struct sdp_session_params p = {.dtmf_pt = -1, .dtmf_recv_pt = -1};
    const struct sdp_media *m = &answer->media[offered->line < answer->n_media ? offered->line : 0];
    const struct sdp_format *f = NULL;

    if (offered->line >= answer->n_media || !is_plain_audio(m) || m->port == 0 ||
        (int)m->addr.ss_family != local_family(offered))
        return ERR_UNSUPPORTED;
    /* The answerer's order counts now (RFC 3264 section 6.1). */
    for (size_t i = 0; i < m->n_formats && !f; i++) {
        enum sdp_codec c = m->formats[i].codec;
        if (is_g711(c) && (c == offered->prefer[0] || c == offered->prefer[1]))
            f = &m->formats[i];
    }
    if (!f)
        return ERR_UNSUPPORTED;
    const struct sdp_format *ev = offered->dtmf ? first_of(m, SDP_TELEPHONE_EVENT) : NULL;
    agree_common(&p, m, offered);
    p.media_index = offered->line;
    p.codec = f->codec;
    p.codec_pt = f->pt;
    p.recv_pt = own_pt(f->codec);
    p.dtmf_pt = ev ? ev->pt : -1;
    p.dtmf_recv_pt = ev ? OWN_DTMF_PT : -1;
    /* rtcp-mux is not in our offers, so an answer that claims it is not followed; its a=rtcp would then be equal to RTP. */
    p.rtcp_mux = false;
    *agreed = p;
    return 0;
}
