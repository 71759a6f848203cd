/* Offer/answer (RFC 3264) for one stream of audio with telephone-event (RFC 4733), and the writing of SDP. Pure. */
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "telephony/sdp.h"

#define DYNAMIC_FIRST 96u /* RFC 3551 section 6 */
#define EVENT_HZ 8000u
#define EVENT48_HZ 48000u
/* Lost packets are made up for from copies in the next ones (RFC 7587 section 6.1). Nothing else is said: what we relay may be of any kind. */
#define OPUS_FMTP "useinbandfec=1"
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

/* A row is a codec of audio; the order is the usual one. */
static const struct {
    enum sdp_codec codec;
    const char *name, *rtpmap;
    uint32_t clock_hz;
    uint8_t pt; /* static, or what we like to call it */
} CODECS[SDP_CODECS + 1] = {
    {SDP_PCMA, "PCMA", "PCMA/8000", 8000, 8},
    {SDP_PCMU, "PCMU", "PCMU/8000", 8000, 0},
    {SDP_G722, "G722", "G722/8000", 8000, 9},
    {SDP_OPUS, "opus", "opus/48000/2", 48000, 107},
    {SDP_OTHER, "", "", 0, 0},
};
static const struct sdp_numbers USUAL = {.opus = 107, .event = 101, .event48 = 110};

/* Its row; the last: it is not audio. */
static size_t row_of(enum sdp_codec c)
{
    size_t i = 0;
    while (i < SDP_CODECS && CODECS[i].codec != c)
        i++;
    return i;
}

static bool is_audio(enum sdp_codec c)
{
    return row_of(c) < SDP_CODECS;
}

const char *sdp_codec_name(enum sdp_codec c)
{
    return CODECS[row_of(c)].name;
}

enum sdp_codec sdp_codec_named(const char *name)
{
    for (size_t i = 0; i < SDP_CODECS; i++) {
        if (strcasecmp(CODECS[i].name, name) == 0)
            return CODECS[i].codec;
    }
    return SDP_OTHER;
}

uint32_t sdp_codec_clock(enum sdp_codec c)
{
    return CODECS[row_of(c)].clock_hz;
}

static bool among(const enum sdp_codec *list, size_t n, enum sdp_codec c)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i] == c)
            return true;
    }
    return false;
}

size_t sdp_codecs_of(const struct sdp_media *m, enum sdp_codec out[SDP_CODECS])
{
    size_t n = 0;
    for (size_t i = 0; i < m->n_formats; i++) {
        enum sdp_codec c = m->formats[i].codec;
        if (is_audio(c) && !among(out, n, c))
            out[n++] = c;
    }
    return n;
}

/* ---- numbers of ours */

static uint8_t usual(uint8_t settled, uint8_t ours)
{
    return settled ? settled : ours;
}

static uint8_t own_pt(const struct sdp_local *local, enum sdp_codec c)
{
    return c == SDP_OPUS ? usual(local->numbers.opus, USUAL.opus) : CODECS[row_of(c)].pt;
}

static uint8_t own_event_pt(const struct sdp_local *local, uint32_t clock_hz)
{
    return clock_hz == EVENT48_HZ ? usual(local->numbers.event48, USUAL.event48)
                                  : usual(local->numbers.event, USUAL.event);
}

/* What the line calls it, 0: nothing. */
static uint8_t number_in(const struct sdp_media *m, enum sdp_codec c, uint32_t clock_hz)
{
    for (size_t i = 0; i < m->n_formats; i++) {
        if (m->formats[i].codec == c && m->formats[i].clock_hz == clock_hz)
            return m->formats[i].pt;
    }
    return 0;
}

static bool number_used(const struct sdp_media *m, const struct sdp_numbers *n, uint8_t pt)
{
    bool used = pt == n->opus || pt == n->event || pt == n->event48;
    for (size_t i = 0; i < m->n_formats && !used; i++)
        used = m->formats[i].pt == pt;
    return used;
}

void sdp_keep_numbers(struct sdp_numbers *n, const struct sdp_media *m)
{
    const struct {
        uint8_t *mine, usual, theirs;
    } rows[] = {
        {&n->opus, USUAL.opus, number_in(m, SDP_OPUS, EVENT48_HZ)},
        {&n->event, USUAL.event, number_in(m, SDP_TELEPHONE_EVENT, EVENT_HZ)},
        {&n->event48, USUAL.event48, number_in(m, SDP_TELEPHONE_EVENT, EVENT48_HZ)},
    };
    for (size_t i = 0; i < 3; i++) {
        if (rows[i].theirs)
            *rows[i].mine = rows[i].theirs;
    }
    for (size_t i = 0; i < 3; i++) {
        uint8_t pt = *rows[i].mine ? *rows[i].mine : rows[i].usual;
        if (rows[i].theirs)
            continue;
        *rows[i].mine = 0;
        for (uint8_t next = DYNAMIC_FIRST; number_used(m, n, pt) && next < 128; next++)
            pt = next;
        *rows[i].mine = pt;
    }
}

/* What we can packetise; anything else is answered with 20 ms, which every receiver takes. */
static uint16_t usable_ptime(uint16_t wanted, enum sdp_codec c)
{
    bool can = wanted == 10 || (wanted == 30 && c != SDP_OPUS) || wanted == 40 || wanted == 60;
    return can ? wanted : DEFAULT_PTIME_MS;
}

static void put_head(struct writer *w, const struct sdp_local *local)
{
    const char *type = local_family(local) == AF_INET6 ? "IP6" : "IP4";
    put(w, "v=0\r\no=everline %llu %llu IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n",
        (unsigned long long)local->session_id, (unsigned long long)local->version, type, local->ip, type, local->ip);
}

static void put_codec(struct writer *w, unsigned pt, enum sdp_codec c)
{
    put(w, "a=rtpmap:%u %s\r\n", pt, CODECS[row_of(c)].rtpmap);
    if (c == SDP_OPUS)
        put(w, "a=fmtp:%u " OPUS_FMTP "\r\n", pt);
}

static void put_dtmf(struct writer *w, unsigned pt, uint32_t clock_hz)
{
    put(w, "a=rtpmap:%u telephone-event/%u\r\na=fmtp:%u 0-15\r\n", pt, clock_hz, pt);
}

static int finish(struct writer *w)
{
    return w->over ? ERR_TOOBIG : (int)w->n;
}

/* What is offered or taken, in order, each once; returns how many. */
static size_t preferred(const struct sdp_local *local, enum sdp_codec out[SDP_CODECS])
{
    size_t n = 0;
    for (size_t i = 0; i < SDP_CODECS; i++) {
        enum sdp_codec c = local->prefer[i];
        if (is_audio(c) && !among(out, n, c))
            out[n++] = c;
    }
    return n;
}

static void put_offered(struct writer *w, const struct sdp_local *local)
{
    enum sdp_codec codecs[SDP_CODECS];
    size_t n = preferred(local, codecs);
    bool dtmf48 = local->dtmf && among(codecs, n, SDP_OPUS);

    put(w, "m=audio %u RTP/AVP", local->rtp_port);
    for (size_t i = 0; i < n; i++)
        put(w, " %u", own_pt(local, codecs[i]));
    if (local->dtmf)
        put(w, " %u", own_event_pt(local, EVENT_HZ));
    if (dtmf48)
        put(w, " %u", own_event_pt(local, EVENT48_HZ));
    put(w, "\r\n");
    for (size_t i = 0; i < n; i++)
        put_codec(w, own_pt(local, codecs[i]), codecs[i]);
    if (local->dtmf)
        put_dtmf(w, own_event_pt(local, EVENT_HZ), EVENT_HZ);
    if (dtmf48)
        put_dtmf(w, own_event_pt(local, EVENT48_HZ), EVENT48_HZ);
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
    enum sdp_codec codecs[SDP_CODECS];
    size_t n = preferred(local, codecs);
    for (size_t i = 0; i < n; i++) {
        const struct sdp_format *f = first_of(m, codecs[i]);
        if (f)
            return f;
    }
    return NULL;
}

/* Keys by the clock of the codec, else by 8000, else none. */
static const struct sdp_format *events_of(const struct sdp_media *m, uint32_t clock_hz)
{
    const struct sdp_format *found = NULL;
    for (size_t i = 0; i < m->n_formats; i++) {
        const struct sdp_format *f = &m->formats[i];
        if (f->codec != SDP_TELEPHONE_EVENT)
            continue;
        if (f->clock_hz == clock_hz)
            return f;
        if (!found && f->clock_hz == EVENT_HZ)
            found = f;
    }
    return found;
}

static void agree_format(struct sdp_session_params *p, const struct sdp_media *m, const struct sdp_local *local,
                         const struct sdp_format *f)
{
    const struct sdp_format *ev = local->dtmf ? events_of(m, f->clock_hz) : NULL;
    p->codec = f->codec;
    p->codec_pt = f->pt;
    memcpy(p->fmtp, f->fmtp, sizeof p->fmtp);
    p->dtmf_pt = ev ? ev->pt : -1;
    p->dtmf_clock_hz = ev ? ev->clock_hz : EVENT_HZ;
    p->ptime_ms = usable_ptime(m->ptime_ms, f->codec);
}

static void agree_common(struct sdp_session_params *p, const struct sdp_media *m, const struct sdp_local *local)
{
    p->active = true;
    p->remote = m->addr;
    p->remote_rtcp = m->rtcp;
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
    put_codec(w, p->codec_pt, p->codec);
    if (p->dtmf_pt >= 0)
        put_dtmf(w, (unsigned)p->dtmf_pt, p->dtmf_clock_hz);
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
        agree_common(p, m, local);
        agree_format(p, m, local, f);
        p->media_index = i;
        p->recv_pt = p->codec_pt;
        p->dtmf_recv_pt = p->dtmf_pt;
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
        {305, "Incompatible media format: none of the codecs that are taken here (of G.711, G.722, Opus) is offered"},
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
    enum sdp_codec codecs[SDP_CODECS];
    size_t n = preferred(offered, codecs);

    if (offered->line >= answer->n_media || !is_plain_audio(m) || m->port == 0 ||
        (int)m->addr.ss_family != local_family(offered))
        return ERR_UNSUPPORTED;
    /* The answerer's order counts now (RFC 3264 section 6.1). */
    for (size_t i = 0; i < m->n_formats && !f; i++) {
        if (among(codecs, n, m->formats[i].codec))
            f = &m->formats[i];
    }
    if (!f)
        return ERR_UNSUPPORTED;
    agree_common(&p, m, offered);
    agree_format(&p, m, offered, f);
    p.media_index = offered->line;
    p.recv_pt = own_pt(offered, f->codec);
    p.dtmf_recv_pt = p.dtmf_pt >= 0 ? own_event_pt(offered, p.dtmf_clock_hz) : -1;
    /* rtcp-mux is not in our offers, so an answer that claims it is not followed; its a=rtcp would then be equal to RTP. */
    p.rtcp_mux = false;
    *agreed = p;
    return 0;
}
