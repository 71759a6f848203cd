#include "node/nearest.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "core/core.h"

#define NEAREST_MAX 64u

/* ---- the order */

static int nearest_compare(const void *pa, const void *pb)
{
    const struct nearest_row *a = pa, *b = pb;
    if (a->same_site != b->same_site)
        return a->same_site ? -1 : 1;
    if (a->known != b->known)
        return a->known ? -1 : 1;
    uint32_t am = a->rtt_us / 1000u, bm = b->rtt_us / 1000u;
    if (a->known && am != bm)
        return am < bm ? -1 : 1;
    if (a->calls != b->calls)
        return a->calls < b->calls ? -1 : 1;
    return strcmp(a->node->name, b->node->name);
}

void nearest_sort(struct nearest_row *rows, size_t n)
{
    qsort(rows, n, sizeof *rows, nearest_compare);
}

/* ---- addresses */

static bool is_service(const struct core_node *k, const char *ip)
{
    for (size_t i = 0; i < k->n_service; i++)
        if (strcmp(k->service_ip[i], ip) == 0)
            return true;
    return false;
}

static bool is_there(struct node *n, const struct core_node *k, const char *ip)
{
    const struct core_address *a = core_address(n->core, ip);
    return a && strcmp(a->holder, k->name) == 0 && !a->target[0];
}

/* Service addresses stand for a node where it has some: they go on when it dies. Without `all`, only those that are there now.
 * A node whose service addresses are all elsewhere takes no calls. */
static json_t *addresses_of(struct node *n, const struct core_node *k, bool all)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < k->n_sip; i++) {
        struct addr at;
        if (addr_parse(k->sip[i], &at) || (k->n_service && (!is_service(k, at.ip) || (!all && !is_there(n, k, at.ip)))))
            continue;
        if (json_array_append_new(list, json_string(k->sip[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* ---- the answer */

/* Site of the network that the address is in, or NULL. */
static const char *site_of_address(struct node *n, const char *address)
{
    struct sockaddr_storage ss = {.ss_family = AF_UNSPEC};
    struct sockaddr_in *v4 = (void *)&ss;
    struct sockaddr_in6 *v6 = (void *)&ss;
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1)
        ss.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1)
        ss.ss_family = AF_INET6;
    else
        return NULL;
    return core_site_of(n->core, (const struct sockaddr *)&ss);
}

static void note_peer(struct nearest_row *row, const struct repl_peer_info *peers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(peers[i].name, row->node->name) != 0)
            continue;
        row->known = peers[i].self || (peers[i].up && peers[i].rtt_us > 0);
        row->rtt_us = peers[i].self ? 0 : peers[i].rtt_us;
    }
}

static json_t *row_json(struct node *n, const struct nearest_row *r, json_t *sip, const char *site)
{
    const struct core_node *k = r->node;
    char reason[256], rtt[48];
    bool self = strcmp(k->name, n->cfg.name) == 0;
    if (self)
        (void)snprintf(rtt, sizeof rtt, "the answering node");
    else if (r->known)
        (void)snprintf(rtt, sizeof rtt, "round trip %.1f ms", (double)r->rtt_us / 1000.0);
    else
        (void)snprintf(rtt, sizeof rtt, "round trip unknown");
    (void)snprintf(reason, sizeof reason, "%s, %s, %u live calls",
                   !site          ? "no site known"
                   : r->same_site ? "same site"
                                  : "another site",
                   rtt, r->calls);
    return json_pack("{s:s, s:s, s:b, s:b, s:b, s:b, s:o, s:I, s:o, s:s, s:s}", "name", k->name, "site", k->site,
                     "self", self, "up", k->up, "draining", k->draining, "same_site", r->same_site, "rtt_us",
                     r->known ? json_integer(r->rtt_us) : json_null(), "calls", (json_int_t)r->calls, "sip", sip,
                     "https", k->https, "reason", reason);
}

json_t *nearest_answer(struct node *n, const json_t *args)
{
    const char *site = json_string_value(json_object_get(args, "site"));
    const char *address = json_string_value(json_object_get(args, "address"));
    bool all = json_is_true(json_object_get(args, "all"));
    struct nearest_row rows[NEAREST_MAX];
    struct repl_peer_info peers[NEAREST_MAX];
    size_t count = 0, n_peers = repl_peers(n->repl, peers, NEAREST_MAX);
    if (!site && address)
        site = site_of_address(n, address);
    for (const struct core_node *k = NULL; (k = core_node_next(n->core, k)) && count < NEAREST_MAX;) {
        if (!all && (!k->up || k->draining))
            continue;
        struct nearest_row *r = &rows[count++];
        *r = (struct nearest_row){.node = k, .same_site = site && strcmp(k->site, site) == 0};
        note_peer(r, peers, n_peers < NEAREST_MAX ? n_peers : NEAREST_MAX);
    }
    for (const struct core_call *c = NULL; (c = core_call_next(n->core, c, NULL));)
        for (size_t i = 0; i < count; i++)
            rows[i].calls += strcmp(rows[i].node->name, c->owner) == 0;
    nearest_sort(rows, count);
    json_t *items = json_array();
    for (size_t i = 0; items && i < count; i++) {
        json_t *sip = addresses_of(n, rows[i].node, all);
        if (sip && json_array_size(sip) == 0) {
            json_decref(sip);
            continue;
        }
        if (!sip || json_array_append_new(items, row_json(n, &rows[i], sip, site)) != 0) {
            json_decref(items);
            items = NULL;
        }
    }
    return items ? json_pack("{s:s, s:s?, s:s, s:o}", "node", n->cfg.name, "site", site, "own_site", n->cfg.site,
                             "items", items)
                 : NULL;
}
