#include <arpa/inet.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "telephony/sip_int.h"

int sip_random(void *out, size_t n)
{
    uint8_t *p = out;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got <= 0)
            return ERR_IO;
        p += got;
        n -= (size_t)got;
    }
    return 0;
}

int sip_token(char *out, size_t hex_digits)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t raw[32];
    if (hex_digits > 2 * sizeof raw)
        return ERR_RANGE;
    int rc = sip_random(raw, (hex_digits + 1) / 2);
    if (rc)
        return rc;
    for (size_t i = 0; i < hex_digits; i++)
        out[i] = digits[(raw[i / 2] >> (i % 2 ? 0 : 4)) & 15];
    out[hex_digits] = '\0';
    return 0;
}

char *sip_format(const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&s, fmt, ap);
    va_end(ap);
    return n < 0 ? NULL : s;
}

bool sip_is_ip(const char *host, int *family)
{
    char out[SIP_HOST_SIZE];
    return strcasecmp(host, "localhost") != 0 && sip_numeric_host(host, out, family);
}

bool sip_numeric_host(const char *host, char out[SIP_HOST_SIZE], int *family)
{
    struct in6_addr a6;
    struct in_addr a4;
    if (!host)
        return false;
    size_t n = strlen(host);
    if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
        if (n - 2 >= SIP_HOST_SIZE)
            return false;
        memcpy(out, host + 1, n - 2);
        out[n - 2] = '\0';
        *family = AF_INET6;
        return inet_pton(AF_INET6, out, &a6) == 1;
    }
    if (strcasecmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (strlen(host) >= SIP_HOST_SIZE)
        return false;
    strcpy(out, host);
    *family = AF_INET;
    if (inet_pton(AF_INET, out, &a4) == 1)
        return true;
    *family = AF_INET6;
    return inet_pton(AF_INET6, out, &a6) == 1;
}

const char *sip_transport_text(enum sip_transport t)
{
    switch (t) {
    case SIP_UDP:
        return "udp";
    case SIP_TCP:
        return "tcp";
    case SIP_TLS:
        return "tls";
    }
    return "udp";
}

void sip_flow_text(const struct sockaddr *sa, enum sip_transport t, char out[SIP_FLOW_SIZE])
{
    char ip[SIP_HOST_SIZE] = "";
    if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *s6 = (const void *)sa;
        if (IN6_IS_ADDR_V4MAPPED(&s6->sin6_addr)) {
            inet_ntop(AF_INET, s6->sin6_addr.s6_addr + 12, ip, sizeof ip);
            snprintf(out, SIP_FLOW_SIZE, "%s:%s:%u", sip_transport_text(t), ip, ntohs(s6->sin6_port));
        } else {
            inet_ntop(AF_INET6, &s6->sin6_addr, ip, sizeof ip);
            snprintf(out, SIP_FLOW_SIZE, "%s:[%s]:%u", sip_transport_text(t), ip, ntohs(s6->sin6_port));
        }
        return;
    }
    const struct sockaddr_in *s4 = (const void *)sa;
    inet_ntop(AF_INET, &s4->sin_addr, ip, sizeof ip);
    snprintf(out, SIP_FLOW_SIZE, "%s:%s:%u", sip_transport_text(t), ip, ntohs(s4->sin_port));
}

int sip_flow_uri(const char *flow, char *out, size_t size)
{
    const char *colon = strchr(flow, ':');
    if (!colon)
        return ERR_INVAL;
    int proto = (int)(colon - flow);
    if (proto != 3 || (strncmp(flow, "udp", 3) != 0 && strncmp(flow, "tcp", 3) != 0 && strncmp(flow, "tls", 3) != 0))
        return ERR_INVAL;
    const char *host = colon + 1, *port = strrchr(flow, ':');
    char text[SIP_HOST_SIZE + 2], ip[SIP_HOST_SIZE];
    size_t n = (size_t)(port - host);
    int family;
    if (port <= host || n >= sizeof text || strspn(port + 1, "0123456789") != strlen(port + 1) ||
        strlen(port + 1) > 5 || !port[1])
        return ERR_INVAL;
    memcpy(text, host, n);
    text[n] = '\0';
    if (!sip_numeric_host(text, ip, &family))
        return ERR_INVAL;
    int len = snprintf(out, size, family == AF_INET6 ? "sip:[%s]:%s;transport=%.*s" : "sip:%s:%s;transport=%.*s", ip,
                       port + 1, proto, flow);
    return len < 0 || (size_t)len >= size ? ERR_TOOBIG : 0;
}

char *sip_url_text(const url_t *url)
{
    char *s = url ? url_as_string(NULL, url) : NULL;
    if (!s)
        return NULL;
    char *copy = mem_strdup(s);
    su_free(NULL, s);
    return copy;
}

int sip_url_user(const url_t *url, char *out, size_t size)
{
    out[0] = '\0';
    const char *user = url->url_user;
    if (!user && url->url_type == url_tel)
        user = url->url_host;
    if (!user)
        return 0;
    /* A number may have parameters of its own (";npdi", RFC 3261 19.1.6), which are not part of it. */
    size_t n = strcspn(user, ";");
    if (n >= size)
        return ERR_TOOBIG;
    memcpy(out, user, n);
    out[n] = '\0';
    /* A NUL inside would end the number early: another number would be called than the one that was written. */
    if (strstr(out, "%00")) {
        out[0] = '\0';
        return ERR_INVAL;
    }
    url_unescape(out, out);
    return 0;
}

bool sip_url_is_sip(const url_t *url)
{
    return url->url_type == url_sip || url->url_type == url_sips;
}

void sip_contact_value(const struct sip_port *port, enum sip_transport t, char *out, size_t size)
{
    const char *param = t == SIP_TCP ? ";transport=tcp" : t == SIP_TLS ? ";transport=tls" : "";
    snprintf(out, size, port->family == AF_INET6 ? "<sip:[%s]:%u%s>" : "<sip:%s:%u%s>", port->ip, port->port, param);
}

static enum sip_transport transport_of(const tport_t *tp)
{
    if (tp && tport_has_tls(tp))
        return SIP_TLS;
    return tp && tport_is_tcp(tp) ? SIP_TCP : SIP_UDP;
}

static void source_of_msg(msg_t *msg, enum sip_transport t, struct sip_source *out)
{
    memset(&out->addr, 0, sizeof out->addr);
    out->transport = t;
    if (msg) {
        const su_sockaddr_t *su = msg_addr(msg);
        memcpy(&out->addr, &su->su_sa, su->su_family == AF_INET6 ? sizeof su->su_sin6 : sizeof su->su_sin);
    }
    sip_flow_text((struct sockaddr *)&out->addr, t, out->flow);
}

void sip_source_of_request(struct sip_port *port, nta_incoming_t *irq, struct sip_source *out)
{
    msg_t *msg = nta_incoming_getrequest(irq);
    tport_t *tp = nta_incoming_transport(port->agent, irq, msg);
    source_of_msg(msg, transport_of(tp), out);
    if (tp)
        tport_unref(tp);
    msg_destroy(msg);
}

void sip_source_of_response(nta_outgoing_t *orq, struct sip_source *out)
{
    msg_t *msg = nta_outgoing_getresponse(orq);
    tport_t *tp = nta_outgoing_transport(orq);
    source_of_msg(msg, transport_of(tp), out);
    if (tp)
        tport_unref(tp);
    msg_destroy(msg);
}

tport_t *sip_flow_connection(struct sip_port *port, const char *flow)
{
    char text[SIP_FLOW_SIZE];
    snprintf(text, sizeof text, "%s", flow);
    char *host = strchr(text, ':'), *p = strrchr(text, ':');
    if (!host || p <= host)
        return NULL;
    *host++ = '\0';
    *p++ = '\0';
    tp_name_t tpn = {.tpn_proto = text, .tpn_canon = host, .tpn_host = host, .tpn_port = p};
    tport_t *tp = tport_by_name(nta_agent_tports(port->agent), &tpn);
    return tp && tport_is_secondary(tp) ? tp : NULL;
}

bool sip_flow_alive(struct sip_port *port, const char *flow)
{
    return sip_flow_connection(port, flow) != NULL;
}

const char *sip_phrase(int status, const char *phrase)
{
    if (phrase && *phrase)
        return phrase;
    const char *p = sip_status_phrase(status);
    return p ? p : "Unknown";
}

char *sip_reason_value(int status, const char *text)
{
    if (status <= 0)
        return NULL;
    char clean[128];
    size_t n = 0;
    for (const char *p = text ? text : ""; *p && n + 1 < sizeof clean; p++)
        if (*p != '"' && *p != '\\' && (unsigned char)*p >= ' ')
            clean[n++] = *p;
    clean[n] = '\0';
    return n ? sip_format("SIP;cause=%d;text=\"%s\"", status, clean) : sip_format("SIP;cause=%d", status);
}

char *sip_routes_text(const sip_route_t *r)
{
    char *all = mem_strdup("");
    for (; r && all; r = r->r_next) {
        char *uri = sip_url_text(r->r_url);
        char *longer = uri ? sip_format("%s%s<%s>", all, *all ? ", " : "", uri) : NULL;
        free(uri);
        free(all);
        all = longer;
    }
    return all;
}

url_t *sip_first_route(su_home_t *home, const char *routes)
{
    const char *start = strchr(routes, '<');
    if (!start)
        return url_make(home, routes);
    const char *end = strchr(start, '>');
    char *one = end ? su_strndup(home, start + 1, (isize_t)(end - start - 1)) : NULL;
    return one ? url_make(home, one) : NULL;
}
