/* The SDP reader. One pass over lines, no copying but into the caller's struct, no recursion, linear in the text.
 *
 * What is refused (with the line): no v=0 first, a missing or broken o=, an m= line that does not say kind, port and
 * protocol, a line that is not `letter=...`, NUL bytes, too many m= lines. Everything else that is odd is skipped, as the
 * world is full of it: unknown lines and attributes, broken attributes, unordered lines, payload types that are no numbers. */
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "telephony/sdp.h"

struct span {
    const char *p;
    size_t n;
};

struct parser {
    struct sdp *out;
    struct err_info *info;
    unsigned line;
    struct sockaddr_storage session_addr;
    bool session_addr_zero;
    bool media_addr_set[SDP_MEDIA_MAX];
    bool media_dir_set[SDP_MEDIA_MAX];
    struct sockaddr_storage rtcp_addr[SDP_MEDIA_MAX]; /* family 0: a=rtcp gave no address */
    uint16_t rtcp_port[SDP_MEDIA_MAX];
    enum sdp_dir session_dir;
    bool seen_version, seen_origin;
};

static int refuse(struct parser *ps, int code, const char *field, const char *why)
{
    (void)err_set(ps->info, code, field, "%s", why);
    if (ps->info)
        ps->info->line = ps->line;
    return code;
}

/* Kind, protocol and formats of a refused line are written back: nothing in them may end our line or upset a reader. */
static bool printable(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < 0x21 || s.p[i] > 0x7e)
            return false;
    }
    return true;
}

/* Takes the next word (separated by blanks) off the front of *s; empty when there is none. */
static struct span next_word(struct span *s)
{
    while (s->n > 0 && (*s->p == ' ' || *s->p == '\t')) {
        s->p++;
        s->n--;
    }
    struct span w = {s->p, 0};
    while (s->n > 0 && *s->p != ' ' && *s->p != '\t') {
        s->p++;
        s->n--;
        w.n++;
    }
    return w;
}

static bool span_is(struct span s, const char *text)
{
    return s.n == strlen(text) && strncasecmp(s.p, text, s.n) == 0;
}

static void span_copy(struct span s, char *out, size_t size)
{
    size_t n = s.n < size - 1 ? s.n : size - 1;
    memcpy(out, s.p, n);
    out[n] = '\0';
}

/* Splits at the first `c`: returns the part before it, leaves the part after it in *s (empty when `c` is not there). */
static struct span cut(struct span *s, char c)
{
    const char *at = s->n > 0 ? memchr(s->p, c, s->n) : NULL;
    struct span head = *s;
    if (at) {
        head.n = (size_t)(at - s->p);
        s->p = at + 1;
        s->n -= head.n + 1;
    } else {
        s->p += s->n;
        s->n = 0;
    }
    return head;
}

/* Decimal digits only, up to `max`. */
static bool number(struct span s, uint32_t max, uint32_t *out)
{
    if (s.n == 0 || s.n > 10)
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!isdigit((unsigned char)s.p[i]))
            return false;
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    }
    if (v > max)
        return false;
    *out = (uint32_t)v;
    return true;
}

/* Session ids of some senders have more than 64 bits; only sameness and order matter, so they may wrap. */
static bool big_number(struct span s, uint64_t *out)
{
    uint64_t v = 0;
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!isdigit((unsigned char)s.p[i]))
            return false;
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    }
    *out = v;
    return true;
}

/* "IN IP4 192.0.2.1/127": family 0 for host names, other networks and multicast (we serve unicast calls only). */
static void parse_connection(struct span v, struct sockaddr_storage *out, bool *zero)
{
    char text[64];
    struct span net = next_word(&v), type = next_word(&v), rest = next_word(&v);
    struct span addr = cut(&rest, '/');

    memset(out, 0, sizeof *out);
    *zero = false;
    if (!span_is(net, "IN") || addr.n == 0 || addr.n >= sizeof text)
        return;
    span_copy(addr, text, sizeof text);
    if (span_is(type, "IP4")) {
        struct sockaddr_in *a = (struct sockaddr_in *)(void *)out;
        if (inet_pton(AF_INET, text, &a->sin_addr) != 1 || IN_MULTICAST(ntohl(a->sin_addr.s_addr)) ||
            a->sin_addr.s_addr == htonl(INADDR_BROADCAST)) {
            memset(out, 0, sizeof *out);
            return;
        }
        a->sin_family = AF_INET;
        *zero = a->sin_addr.s_addr == 0;
    } else if (span_is(type, "IP6")) {
        struct sockaddr_in6 *a = (struct sockaddr_in6 *)(void *)out;
        if (inet_pton(AF_INET6, text, &a->sin6_addr) != 1 || IN6_IS_ADDR_MULTICAST(&a->sin6_addr)) {
            memset(out, 0, sizeof *out);
            return;
        }
        a->sin6_family = AF_INET6;
        *zero = IN6_IS_ADDR_UNSPECIFIED(&a->sin6_addr);
    }
}

static void set_port(struct sockaddr_storage *ss, uint16_t port)
{
    if (ss->ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)ss)->sin_port = htons(port);
    else if (ss->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)ss)->sin6_port = htons(port);
}

/* RFC 3551 table 4: the types that need no rtpmap. */
static const struct {
    uint8_t pt;
    enum sdp_codec codec;
    uint32_t clock_hz;
    const char *name;
} STATIC_TYPES[] = {
    {0, SDP_PCMU, 8000, "PCMU"},   {3, SDP_OTHER, 8000, "GSM"}, {4, SDP_OTHER, 8000, "G723"},
    {5, SDP_OTHER, 8000, "DVI4"},  {7, SDP_OTHER, 8000, "LPC"}, {8, SDP_PCMA, 8000, "PCMA"},
    {9, SDP_G722, 8000, "G722"},   {13, SDP_CN, 8000, "CN"},    {15, SDP_OTHER, 8000, "G728"},
    {18, SDP_OTHER, 8000, "G729"},
};

static void static_format(struct sdp_format *f)
{
    f->codec = SDP_OTHER;
    f->channels = 1;
    for (size_t i = 0; i < sizeof STATIC_TYPES / sizeof *STATIC_TYPES; i++) {
        if (STATIC_TYPES[i].pt != f->pt)
            continue;
        f->codec = STATIC_TYPES[i].codec;
        f->clock_hz = STATIC_TYPES[i].clock_hz;
        memcpy(f->name, STATIC_TYPES[i].name, strlen(STATIC_TYPES[i].name) + 1);
        return;
    }
}

/* Numbers below this have a meaning of their own (RFC 3551 section 6): what needs a dynamic one is not looked for there. */
#define DYNAMIC_FROM 35u

static enum sdp_codec codec_of(const struct sdp_format *f)
{
    static const struct {
        enum sdp_codec codec;
        uint32_t clock_hz;
        uint8_t channels, from;
        const char *name;
    } known[] = {
        {SDP_PCMU, 8000, 1, 0, "PCMU"},
        {SDP_PCMA, 8000, 1, 0, "PCMA"},
        {SDP_G722, 8000, 1, 0, "G722"},
        {SDP_OPUS, 48000, 2, DYNAMIC_FROM, "opus"},
        {SDP_TELEPHONE_EVENT, 8000, 1, DYNAMIC_FROM, "telephone-event"},
        {SDP_TELEPHONE_EVENT, 48000, 1, DYNAMIC_FROM, "telephone-event"},
        {SDP_CN, 8000, 1, 0, "CN"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (f->clock_hz == known[i].clock_hz && f->channels == known[i].channels && f->pt >= known[i].from &&
            strcasecmp(f->name, known[i].name) == 0)
            return known[i].codec;
    }
    return SDP_OTHER;
}

static struct sdp_format *find_format(struct sdp_media *m, uint32_t pt)
{
    for (size_t i = 0; i < m->n_formats; i++) {
        if (m->formats[i].pt == pt)
            return &m->formats[i];
    }
    return NULL;
}

static void parse_format_list(struct sdp_media *m, struct span v)
{
    bool rtp = strncasecmp(m->proto, "RTP/", 4) == 0;
    size_t raw = 0;

    for (struct span w = next_word(&v); w.n > 0; w = next_word(&v)) {
        if (!printable(w))
            continue;
        if (raw + w.n + 2 <= sizeof m->formats_raw) {
            if (raw > 0)
                m->formats_raw[raw++] = ' ';
            memcpy(m->formats_raw + raw, w.p, w.n);
            raw += w.n;
            m->formats_raw[raw] = '\0';
        }
        uint32_t pt;
        if (!rtp || !number(w, 127, &pt) || m->n_formats == SDP_FORMATS_MAX || find_format(m, pt))
            continue;
        struct sdp_format *f = &m->formats[m->n_formats++];
        f->pt = (uint8_t)pt;
        static_format(f);
    }
}

/* m=<kind> <port>[/<count>] <proto> <formats> */
static int parse_media(struct parser *ps, struct span v)
{
    struct sdp *out = ps->out;
    if (out->n_media == SDP_MEDIA_MAX)
        return refuse(ps, ERR_UNSUPPORTED, "m", "more than 32 media lines");

    struct span kind = next_word(&v), ports = next_word(&v), proto = next_word(&v);
    struct span port = cut(&ports, '/');
    struct sdp_media *m = &out->media[out->n_media];
    uint32_t port_number;

    memset(m, 0, sizeof *m);
    if (kind.n == 0 || kind.n >= sizeof m->kind || !printable(kind))
        return refuse(ps, ERR_INVAL, "m", "media kind is missing, too long or not plain text");
    if (!number(port, 65535, &port_number))
        return refuse(ps, ERR_INVAL, "m", "port is not a number from 0 to 65535");
    if (proto.n == 0 || proto.n >= sizeof m->proto || !printable(proto))
        return refuse(ps, ERR_INVAL, "m", "transport protocol is missing, too long or not plain text");
    span_copy(kind, m->kind, sizeof m->kind);
    span_copy(proto, m->proto, sizeof m->proto);
    m->port = (uint16_t)port_number;
    parse_format_list(m, v);
    if (m->formats_raw[0] == '\0' && m->port != 0)
        return refuse(ps, ERR_INVAL, "m", "format list is empty");
    out->n_media++;
    return 0;
}

static int parse_origin(struct parser *ps, struct span v)
{
    struct span user = next_word(&v), id = next_word(&v), version = next_word(&v);
    if (!big_number(id, &ps->out->session_id) || !big_number(version, &ps->out->session_version))
        return refuse(ps, ERR_INVAL, "o", "session id and version must be numbers");
    span_copy(user, ps->out->origin_user, sizeof ps->out->origin_user);
    ps->seen_origin = true;
    return 0;
}

static void parse_rtpmap(struct sdp_media *m, struct span v)
{
    uint32_t pt, clock = 8000, channels = 1;
    struct span w = next_word(&v), map = next_word(&v);
    struct span name = cut(&map, '/'), rate = cut(&map, '/');
    struct sdp_format *f;

    if (!number(w, 127, &pt) || (f = find_format(m, pt)) == NULL || name.n == 0 || name.n >= sizeof f->name)
        return;
    if (rate.n > 0 && !number(rate, 1000000, &clock))
        return;
    if (map.n > 0 && !number(map, 255, &channels))
        return;
    span_copy(name, f->name, sizeof f->name);
    f->clock_hz = clock;
    f->channels = (uint8_t)channels;
    f->codec = codec_of(f);
}

static void parse_fmtp(struct sdp_media *m, struct span v)
{
    uint32_t pt;
    struct sdp_format *f;
    struct span w = next_word(&v);
    if (!number(w, 127, &pt) || (f = find_format(m, pt)) == NULL)
        return;
    while (v.n > 0 && *v.p == ' ') {
        v.p++;
        v.n--;
    }
    span_copy(v, f->fmtp, sizeof f->fmtp);
}

/* a=rtcp:<port> [IN IP4 <addr>], RFC 3605 */
static void parse_rtcp(struct parser *ps, size_t i, struct span v)
{
    uint32_t port;
    bool zero;
    if (!number(next_word(&v), 65535, &port) || port == 0)
        return;
    ps->rtcp_port[i] = (uint16_t)port;
    parse_connection(v, &ps->rtcp_addr[i], &zero);
    if (zero)
        memset(&ps->rtcp_addr[i], 0, sizeof ps->rtcp_addr[i]);
}

static bool parse_dir(struct span name, enum sdp_dir *out)
{
    static const struct {
        const char *text;
        enum sdp_dir dir;
    } dirs[] = {
        {"sendrecv", SDP_SENDRECV}, {"sendonly", SDP_SENDONLY}, {"recvonly", SDP_RECVONLY}, {"inactive", SDP_INACTIVE}};

    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        if (span_is(name, dirs[i].text)) {
            *out = dirs[i].dir;
            return true;
        }
    }
    return false;
}

static void parse_attribute(struct parser *ps, struct span v)
{
    struct span name = cut(&v, ':');
    enum sdp_dir dir;
    uint32_t n;

    while (name.n > 0 && name.p[name.n - 1] == ' ')
        name.n--;
    if (ps->out->n_media == 0) {
        if (parse_dir(name, &dir))
            ps->session_dir = dir;
        return;
    }
    size_t i = ps->out->n_media - 1;
    struct sdp_media *m = &ps->out->media[i];
    if (parse_dir(name, &dir)) {
        m->dir = dir;
        ps->media_dir_set[i] = true;
    } else if (span_is(name, "rtpmap")) {
        parse_rtpmap(m, v);
    } else if (span_is(name, "fmtp")) {
        parse_fmtp(m, v);
    } else if (span_is(name, "ptime")) {
        struct span w = next_word(&v);
        if (number(cut(&w, '.'), 1000, &n))
            m->ptime_ms = (uint16_t)n;
    } else if (span_is(name, "rtcp")) {
        parse_rtcp(ps, i, v);
    } else if (span_is(name, "rtcp-mux")) {
        m->rtcp_mux = true;
    }
}

static void parse_connection_line(struct parser *ps, struct span v)
{
    if (ps->out->n_media == 0) {
        parse_connection(v, &ps->session_addr, &ps->session_addr_zero);
        return;
    }
    size_t i = ps->out->n_media - 1;
    if (ps->media_addr_set[i])
        return; /* layered encodings: the first is the base layer */
    ps->media_addr_set[i] = true;
    parse_connection(v, &ps->out->media[i].addr, &ps->out->media[i].hold_by_zero_addr);
}

static int parse_line(struct parser *ps, struct span line)
{
    if (line.n < 2 || line.p[1] != '=' || !isalpha((unsigned char)line.p[0]))
        return refuse(ps, ERR_INVAL, "", "a line must be a letter, '=' and a value");
    char type = line.p[0];
    struct span v = {line.p + 2, line.n - 2};

    if (!ps->seen_version) {
        struct span w = next_word(&v);
        if (type != 'v' || !span_is(w, "0"))
            return refuse(ps, ERR_INVAL, "v", "must begin with v=0");
        ps->seen_version = true;
        return 0;
    }
    switch (type) {
    case 'o':
        return ps->seen_origin ? 0 : parse_origin(ps, v);
    case 'c':
        parse_connection_line(ps, v);
        return 0;
    case 'm':
        return parse_media(ps, v);
    case 'a':
        parse_attribute(ps, v);
        return 0;
    default:
        return 0;
    }
}

/* What the session level says holds for each m= line that does not say otherwise. */
static void settle_media(struct parser *ps)
{
    for (size_t i = 0; i < ps->out->n_media; i++) {
        struct sdp_media *m = &ps->out->media[i];
        if (!ps->media_addr_set[i]) {
            m->addr = ps->session_addr;
            m->hold_by_zero_addr = ps->session_addr_zero;
        }
        if (!ps->media_dir_set[i])
            m->dir = ps->session_dir;
        set_port(&m->addr, m->port);
        m->rtcp = m->addr;
        if (m->rtcp_mux)
            continue;
        if (ps->rtcp_port[i]) {
            if (ps->rtcp_addr[i].ss_family != 0)
                m->rtcp = ps->rtcp_addr[i];
            set_port(&m->rtcp, ps->rtcp_port[i]);
        } else {
            set_port(&m->rtcp, m->port < 65535 ? (uint16_t)(m->port + 1) : 0);
        }
    }
}

static int parse_lines(struct parser *ps, const char *text, size_t len)
{
    size_t at = 0;
    while (at < len) {
        const char *nl = memchr(text + at, '\n', len - at);
        size_t end = nl ? (size_t)(nl - text) : len;
        struct span line = {text + at, end - at};
        at = end + 1;
        ps->line++;
        while (line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
        if (line.n == 0)
            continue;
        int rc = parse_line(ps, line);
        if (rc)
            return rc;
    }
    if (!ps->seen_version)
        return refuse(ps, ERR_INVAL, "v", "must begin with v=0");
    if (!ps->seen_origin)
        return refuse(ps, ERR_INVAL, "o", "the o= line is missing");
    return 0;
}

int sdp_parse(const char *text, size_t len, struct sdp *out, struct err_info *info)
{
    struct parser ps = {.info = info, .out = out, .session_dir = SDP_SENDRECV};

    memset(out, 0, offsetof(struct sdp, media)); /* a line's part is cleared when there is such a line */
    if (len > SDP_TEXT_MAX)
        return refuse(&ps, ERR_TOOBIG, "", "description is longer than 16384 bytes");
    if (len > 0 && memchr(text, '\0', len))
        return refuse(&ps, ERR_INVAL, "", "NUL byte in description");
    int rc = parse_lines(&ps, text, len);
    if (rc)
        return rc;
    settle_media(&ps);
    return 0;
}
