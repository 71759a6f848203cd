/* DNS records by which phones and trunks find the nodes (RFC 2782 SRV, RFC 3403 NAPTR, RFC 3263 how SIP uses both). Pure.
 *
 * DNS is read long before a node dies and kept for long: all nodes are in the records whatever their state, with their service
 * addresses where they have some. Priorities go by site: the phone's own first. Among the other sites the nearer comes first
 * where that is known: for the site of the node that answers, which has measured it. */
#ifndef API_DNS_H
#define API_DNS_H

#include <jansson.h>

#include "base/err.h"

#define DNS_NAME_MAX 253u
#define DNS_TTL_DEFAULT 300u
#define DNS_TTL_MAX 604800u

struct dns_query {
    char domain[DNS_NAME_MAX + 1]; /* as dns_domain made it */
    const char *site;     /* only the records for its phones, under the domain itself; NULL: of each site too */
    const char *own_site; /* of the answering node */
    unsigned ttl;         /* seconds */
};

/* Letters, digits and hyphens, labels of at most 63; in lower case, without the dot at its end. ERR_INVAL with field "domain". */
ERR_CHECKED int dns_domain(const char *text, char out[DNS_NAME_MAX + 1], struct err_info *info);
/* nodes: rows of API_OP_NODES_NEAREST. *out: [{name, ttl, type, data}]. ERR_NOTFOUND: no node, or none with an address;
 * ERR_INVAL: a name gets too long; ERR_CONFLICT: two sites cannot be told apart in DNS. */
ERR_CHECKED int dns_records(const json_t *nodes, const struct dns_query *q, json_t **out, struct err_info *info);
/* The records as lines of a zone file; malloc'ed, NULL: out of memory. */
char *dns_zone(const json_t *records, const struct dns_query *q);

#endif
