/* Transport addresses as the project writes them: "192.0.2.1:5060" or "[2001:db8::1]:5060", always numeric: nothing here resolves a
 * name. The one parser for what stands in node files, in replicated state and in what nodes tell each other. Any thread;
 * nothing here allocates. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

#define ADDR_IP_MAX 46u   /* INET6_ADDRSTRLEN */
#define ADDR_TEXT_MAX 64u /* "[ip]:port" */

struct addr {
    char ip[ADDR_IP_MAX];     /* canonical text (RFC 5952), without brackets */
    char text[ADDR_TEXT_MAX]; /* "ip:port" or "[ip]:port" */
    uint16_t port;            /* 1 to 65535 */
    bool ipv6;
};

/* Port in decimal digits without leading zeros, IPv6 in brackets and without a zone. 0 or ERR_INVAL (also for NULL); *out untouched
 * on failure. */
ERR_CHECKED int addr_parse(const char *text, struct addr *out);
/* An address alone, without brackets: its canonical text. 0 or ERR_INVAL. */
ERR_CHECKED int addr_parse_ip(const char *text, char out[ADDR_IP_MAX], bool *ipv6);
/* 1 to 65535 in decimal digits, no leading zero. 0 or ERR_INVAL. */
ERR_CHECKED int addr_parse_port(const char *text, uint16_t *out);
/* All of *out is written. Returns the length that connect and bind want. */
socklen_t addr_sockaddr(const struct addr *a, struct sockaddr_storage *out);

#endif
