/* The addresses that the endpoint listens on, at its start and while it runs. Each is an nta agent of its own with UDP and
 * TCP: adding a transport to a live agent breaks the library. Ports stand in slots and never move, since legs and the library
 * keep pointers to them; a slot is free again once all that pointed there is gone. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "telephony/sip_int.h"

#define UDP_RMEM_BYTES (4u << 20)
/* Requests go on the transport that the target or the flow names: a phone behind NAT cannot be reached by TCP just because a
 * request grew (RFC 3261 18.1.1 would try TCP above 1300 bytes). */
#define UDP_MTU 65000

static int port_bound(struct sip_port *port)
{
    for (tport_t *tp = tport_primaries(nta_agent_tports(port->agent)); tp; tp = tport_next(tp)) {
        const su_addrinfo_t *ai = tport_get_address(tp);
        if (!ai || !ai->ai_addr)
            continue;
        const struct sockaddr *sa = ai->ai_addr;
        port->port = ntohs(sa->sa_family == AF_INET6 ? ((const struct sockaddr_in6 *)(const void *)sa)->sin6_port
                                                     : ((const struct sockaddr_in *)(const void *)sa)->sin_port);
        if (port->port)
            return 0;
    }
    return ERR_IO;
}

static bool wildcard(const char *ip, int family)
{
    struct in6_addr a6;
    struct in_addr a4;
    return family == AF_INET6 ? inet_pton(AF_INET6, ip, &a6) == 1 && IN6_IS_ADDR_UNSPECIFIED(&a6)
                              : inet_pton(AF_INET, ip, &a4) == 1 && a4.s_addr == htonl(INADDR_ANY);
}

/* Why the library could not listen there: it does not say itself. */
static int refused(const char *ip, int family, uint16_t number)
{
    struct sockaddr_storage sa = {.ss_family = (sa_family_t)family};
    const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    int rc = 0, on = 1;
    socklen_t len = sizeof(struct sockaddr_in);
    if (family == AF_INET6) {
        struct sockaddr_in6 *s6 = (void *)&sa;
        s6->sin6_port = htons(number);
        len = sizeof *s6;
        if (inet_pton(family, ip, &s6->sin6_addr) != 1)
            return ERR_INVAL;
    } else {
        struct sockaddr_in *s4 = (void *)&sa;
        s4->sin_port = htons(number);
        if (inet_pton(family, ip, &s4->sin_addr) != 1)
            return ERR_INVAL;
    }
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        int fd = socket(family, types[i] | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return ERR_IO;
        if (types[i] == SOCK_STREAM)
            (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (bind(fd, (struct sockaddr *)&sa, len) != 0 || (types[i] == SOCK_STREAM && listen(fd, 1) != 0))
            rc = errno == EADDRINUSE ? ERR_BUSY : errno == EADDRNOTAVAIL ? ERR_NOTFOUND : ERR_IO;
        close(fd);
    }
    return rc ? rc : ERR_IO;
}

static nta_agent_t *make_agent(struct sip_port *port, const char *url)
{
    const struct sip_config *c = &port->ua->cfg;
    return nta_agent_create(port->ua->root, URL_STRING_MAKE(url), sip_ua_recv, (nta_agent_magic_t *)port, NTATAG_UA(1),
                            NTATAG_STATELESS(1), NTATAG_USE_NAPTR(0), NTATAG_USE_SRV(0), NTATAG_MERGE_482(1),
                            NTATAG_CANCEL_487(0), NTATAG_PASS_100(1), NTATAG_TIMEOUT_408(1), NTATAG_SERVER_RPORT(1),
                            NTATAG_CLIENT_RPORT(1), NTATAG_MAXSIZE((usize_t)c->message_max), NTATAG_UDP_MTU(UDP_MTU),
                            NTATAG_SIP_T1(c->t1_ms), NTATAG_SIP_T1X64(c->t1x64_ms), TPTAG_IDLE(c->tcp_idle_s * 1000),
                            TPTAG_UDP_RMEM(UDP_RMEM_BYTES), TPTAG_REUSE(1), TPTAG_PONG2PING(1), TAG_END());
}

struct sip_port *sip_port_open(struct sip_ua *ua, const char *ip, uint16_t number, const char *field,
                               struct err_info *info)
{
    char url[SIP_HOST_SIZE + 40], text[8] = "*";
    size_t slot = 0;
    while (slot < SIP_LISTEN_MAX && ua->ports[slot])
        slot++;
    if (slot == SIP_LISTEN_MAX) {
        (void)err_set(info, ERR_TOOBIG, field, "at most %d addresses", SIP_LISTEN_MAX);
        return NULL;
    }
    struct sip_port *port = calloc(1, sizeof *port);
    if (!port) {
        (void)err_set(info, ERR_NOMEM, field, "out of memory");
        return NULL;
    }
    port->ua = ua;
    port->since = clock_mono_now();
    if (!sip_numeric_host(ip, port->ip, &port->family) || wildcard(port->ip, port->family)) {
        (void)err_set(info, ERR_INVAL, field,
                      "not an address: \"%s\"; give one numeric IPv4 or IPv6 address of this machine", ip);
        free(port);
        return NULL;
    }
    if (number)
        snprintf(text, sizeof text, "%u", number);
    snprintf(url, sizeof url, port->family == AF_INET6 ? "sip:[%s]:%s" : "sip:%s:%s", port->ip, text);
    port->agent = make_agent(port, url);
    if (!port->agent) {
        (void)err_set(info, refused(port->ip, port->family, number), field,
                      "cannot listen on %s port %s (UDP and TCP): is it an address of this machine, "
                      "and is the port free?",
                      port->ip, text);
        free(port);
        return NULL;
    }
    ua->ports[slot] = port;
    if (port_bound(port) != 0) {
        (void)err_set(info, ERR_IO, field, "cannot learn the port of %s", port->ip);
        sip_port_close(ua, slot);
        return NULL;
    }
    return port;
}

void sip_port_close(struct sip_ua *ua, size_t slot)
{
    struct sip_port *port = ua->ports[slot];
    nta_agent_destroy(port->agent);
    ua->ports[slot] = NULL;
    free(port);
}

struct sip_port *sip_port_find(const struct sip_ua *ua, const char *local_ip, int family)
{
    for (size_t i = 0; i < SIP_LISTEN_MAX; i++)
        if (ua->ports[i] && (local_ip ? strcasecmp(ua->ports[i]->ip, local_ip) == 0 : ua->ports[i]->family == family))
            return ua->ports[i];
    return NULL;
}

int sip_ua_add_listen(struct sip_ua *ua, const char *ip, uint16_t port, struct err_info *info)
{
    char text[SIP_HOST_SIZE];
    int family;
    if (!ip || !sip_numeric_host(ip, text, &family))
        return err_set(info, ERR_INVAL, "ip", "not a numeric address: \"%s\"", ip ? ip : "");
    for (size_t i = 0; i < SIP_LISTEN_MAX; i++)
        if (ua->ports[i] && strcasecmp(ua->ports[i]->ip, text) == 0 && (port == 0 || ua->ports[i]->port == port))
            return err_set(info, ERR_EXISTS, "ip", "%s is listened to already", text);
    struct err_info why = {0};
    if (sip_port_open(ua, text, port, "ip", &why))
        return 0;
    if (info)
        *info = why;
    return why.code;
}

static void drop(struct sip_ua *ua, size_t slot)
{
    struct sip_port *port = ua->ports[slot];
    list_foreach_safe(it, &ua->legs) {
        struct sip_leg *leg = list_entry(it, struct sip_leg, link);
        if (leg->port == port)
            sip_leg_abandon(leg);
    }
    list_foreach(rit, &ua->regs) {
        struct sip_reg *reg = list_entry(rit, struct sip_reg, link);
        if (reg->port == port)
            reg->irq = NULL; /* goes with the agent; the owner's answer leads nowhere */
    }
    sip_limbo_sweep(ua, port, true);
    sip_byes_drop(ua, port);
    sip_hangups_drop(ua, port);
    sip_refers_drop(ua, port);
    sip_subscribes_drop(ua, port);
    sip_port_close(ua, slot);
}

void sip_ua_drop_listen(struct sip_ua *ua, const char *ip)
{
    char text[SIP_HOST_SIZE];
    int family;
    if (!ip || !sip_numeric_host(ip, text, &family))
        return;
    for (size_t i = 0; i < SIP_LISTEN_MAX; i++)
        if (ua->ports[i] && strcasecmp(ua->ports[i]->ip, text) == 0)
            drop(ua, i);
}
