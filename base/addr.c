#include "base/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int addr_parse_ip(const char *text, char out[ADDR_IP_MAX], bool *ipv6)
{
    unsigned char bin[16];
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(family, text, bin) != 1 || !inet_ntop(family, bin, out, ADDR_IP_MAX))
        return ERR_INVAL;
    *ipv6 = family == AF_INET6;
    return 0;
}

int addr_parse_port(const char *text, uint16_t *out)
{
    size_t n = strspn(text, "0123456789");
    unsigned long value = n >= 1 && n <= 5 && text[n] == '\0' ? strtoul(text, NULL, 10) : 0;
    if (value < 1 || value > 65535 || text[0] == '0')
        return ERR_INVAL;
    *out = (uint16_t)value;
    return 0;
}

int addr_parse(const char *text, struct addr *out)
{
    struct addr a = {.port = 0};
    char host[ADDR_IP_MAX];
    const char *start = text, *end, *colon;
    if (!text)
        return ERR_INVAL;
    if (*text == '[') {
        start = text + 1;
        end = strchr(start, ']');
        colon = end ? end + 1 : NULL;
    } else {
        end = colon = strchr(text, ':');
    }
    if (!end || *colon != ':' || (size_t)(end - start) >= sizeof host)
        return ERR_INVAL;
    memcpy(host, start, (size_t)(end - start));
    host[end - start] = '\0';
    if (addr_parse_ip(host, a.ip, &a.ipv6) || a.ipv6 != (*text == '[') || addr_parse_port(colon + 1, &a.port))
        return ERR_INVAL;
    (void)snprintf(a.text, sizeof a.text, a.ipv6 ? "[%s]:%u" : "%s:%u", a.ip, (unsigned)a.port);
    *out = a;
    return 0;
}

socklen_t addr_sockaddr(const struct addr *a, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (void *)out;
    struct sockaddr_in6 *v6 = (void *)out;
    memset(out, 0, sizeof *out);
    out->ss_family = a->ipv6 ? AF_INET6 : AF_INET;
    if (a->ipv6)
        v6->sin6_port = htons(a->port);
    else
        v4->sin_port = htons(a->port);
    (void)inet_pton(out->ss_family, a->ip, a->ipv6 ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr);
    return a->ipv6 ? sizeof *v6 : sizeof *v4;
}
