#include "node/flow.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/log.h"
#include "node/address.h"
#include "node/ident.h"

#define FLOW_MAC_HEX 32u
#define FLOW_BINDINGS_MAX 10u

/* ---- tokens */

/* ':', '[' and ']' may not stand in the user part of a URI. */
static void flow_translate(char *text, const char *from, const char *to)
{
    for (char *p = text; *p; p++) {
        const char *at = strchr(from, *p);
        if (at)
            *p = to[at - from];
    }
}

static int flow_mac(const struct node *n, const char *local, const char *flow, char out[FLOW_MAC_HEX + 1])
{
    uint8_t nonce[32], key[32], mac[32];
    char cluster[33], text[256];
    if (!core_secrets(n->core, nonce, key, cluster))
        return ERR_BADSTATE;
    int len = snprintf(text, sizeof text, "everline flow|%s|%s", local, flow);
    unsigned size = sizeof mac;
    if (len > 0 && (size_t)len < sizeof text)
        HMAC(EVP_sha256(), key, sizeof key, (const uint8_t *)text, (size_t)len, mac, &size);
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(nonce, sizeof nonce);
    if (len <= 0 || (size_t)len >= sizeof text)
        return ERR_TOOBIG;
    for (size_t i = 0; i < FLOW_MAC_HEX / 2; i++)
        snprintf(out + 2 * i, 3, "%02x", mac[i]);
    return 0;
}

static int flow_open_token(void *ctx, const char *token, const char *local, char *flow, size_t size)
{
    const size_t prefix = strlen(SIP_EDGE_TOKEN);
    char text[FLOW_TEXT_MAX], mac[FLOW_MAC_HEX + 1];
    size_t len = strlen(token);
    if (strncmp(token, SIP_EDGE_TOKEN, prefix) != 0 || len < prefix + FLOW_MAC_HEX + 2 ||
        len - prefix - FLOW_MAC_HEX - 1 >= sizeof text || token[prefix + FLOW_MAC_HEX] != '-')
        return ERR_INVAL;
    strcpy(text, token + prefix + FLOW_MAC_HEX + 1);
    flow_translate(text, "_()", ":[]");
    int rc = flow_mac(ctx, local, text, mac);
    if (rc)
        return rc;
    if (CRYPTO_memcmp(mac, token + prefix, FLOW_MAC_HEX) != 0)
        return ERR_DENIED;
    if (strlen(text) >= size)
        return ERR_TOOBIG;
    strcpy(flow, text);
    return 0;
}

void flow_path(struct node *n, const struct sip_register_info *info, char out[FLOW_ROUTE_MAX])
{
    out[0] = '\0';
    if (!info->path || info->natted)
        flow_path_of(n, info->flow, info->local, info->natted, out);
}

void flow_path_of(struct node *n, const char *flow, const char *local, bool natted, char out[FLOW_ROUTE_MAX])
{
    bool tcp = strncmp(flow, "tcp:", 4) == 0;
    char mac[FLOW_MAC_HEX + 1], text[FLOW_TEXT_MAX];
    out[0] = '\0';
    if ((!tcp && !natted) || strlen(flow) >= sizeof text || flow_mac(n, local, flow, mac))
        return;
    strcpy(text, flow);
    flow_translate(text, ":[]", "_()");
    /* The hop to us has the flow's transport: telephony/sip_edge.c says why. */
    int len = snprintf(out, FLOW_ROUTE_MAX, "<sip:" SIP_EDGE_TOKEN "%s-%s@%s%s;lr>", mac, text, local,
                       tcp ? ";transport=tcp" : "");
    if (len < 0 || (size_t)len >= FLOW_ROUTE_MAX)
        out[0] = '\0';
}

/* ---- nodes */

static bool flow_address_is(const char *text, const struct sockaddr *sa, bool with_port)
{
    struct addr at;
    struct sockaddr_storage ss;
    if (addr_parse(text, &at))
        return false;
    (void)addr_sockaddr(&at, &ss);
    if (sa->sa_family != ss.ss_family)
        return false;
    if (at.ipv6) {
        const struct sockaddr_in6 *s6 = (const void *)sa, *a6 = (const void *)&ss;
        return memcmp(&a6->sin6_addr, &s6->sin6_addr, sizeof a6->sin6_addr) == 0 &&
               (!with_port || at.port == ntohs(s6->sin6_port));
    }
    const struct sockaddr_in *s4 = (const void *)sa, *a4 = (const void *)&ss;
    return a4->sin_addr.s_addr == s4->sin_addr.s_addr && (!with_port || at.port == ntohs(s4->sin_port));
}

static bool flow_is_node(void *ctx, const struct sockaddr *sa, bool with_port)
{
    const struct node *n = ctx;
    for (const struct core_node *k = NULL; (k = core_node_next(n->core, k));)
        for (size_t i = 0; i < k->n_sip; i++)
            if (flow_address_is(k->sip[i], sa, with_port))
                return true;
    return false;
}

void flow_edge_handler(struct node *n, struct sip_edge_handler *out)
{
    *out = (struct sip_edge_handler){.ctx = n, .open_token = flow_open_token, .is_node = flow_is_node};
}

/* ---- reaching a phone */

struct flow_list {
    struct flow_target *out;
    size_t n, max;
};

static struct flow_target *flow_add(struct flow_list *l, const char *uri)
{
    if (!uri || !uri[0] || l->n == l->max || strlen(uri) >= sizeof l->out->uri)
        return NULL;
    struct flow_target *t = &l->out[l->n++];
    *t = (struct flow_target){.uri = ""};
    strcpy(t->uri, uri);
    return t;
}

/* The first Path of a binding, when it is one of flow_path: its URI and the address in it. */
static bool flow_of_binding(struct node *n, const struct core_binding *b, char route[FLOW_ROUTE_MAX],
                            struct addr *local)
{
    static const char begins[] = "<sip:" SIP_EDGE_TOKEN;
    char token[FLOW_ROUTE_MAX], flow[FLOW_TEXT_MAX], text[ADDR_TEXT_MAX];
    if (!b->path || strncmp(b->path, begins, sizeof begins - 1) != 0)
        return false;
    const char *start = b->path + 1, *end = strchr(start, '>'), *at = strchr(start, '@');
    if (!end || !at || at > end || (size_t)(end - start) >= FLOW_ROUTE_MAX)
        return false;
    memcpy(route, start, (size_t)(end - start));
    route[end - start] = '\0';
    size_t len = strcspn(at + 1, ";>");
    if (len >= sizeof text)
        return false;
    memcpy(text, at + 1, len);
    text[len] = '\0';
    snprintf(token, sizeof token, "%.*s", (int)(at - start - 4), start + 4);
    return addr_parse(text, local) == 0 && flow_open_token(n, token, text, flow, sizeof flow) == 0 &&
           strcmp(flow, b->flow) == 0;
}

/* The node through which this flow is reached now. A connection lives and dies with the node that took it; the mapping of a NAT
 * is one between the phone and an address, so whoever holds that address reaches the phone. NULL: nobody does. */
static const char *flow_holder(struct node *n, const struct core_binding *b, const char *ip)
{
    const struct core_address *a = strncmp(b->flow, "udp:", 4) == 0 ? core_address(n->core, ip) : NULL;
    const char *name = a ? a->holder : b->node;
    if (strcmp(name, n->cfg.name) == 0)
        return a && address_here(n, ip) != ADDRESS_BOUND ? NULL : name;
    const struct core_node *holder = core_node(n->core, name);
    return holder && holder->up ? name : NULL;
}

/* The Path that a proxy in front of the phone has left, behind the part that is ours: it goes behind what the route has. */
static void flow_add_path(struct flow_target *t, const struct core_binding *b, bool ours)
{
    const char *rest = b->path ? b->path : "";
    if (ours) {
        rest = strchr(rest, '>');
        rest = rest ? rest + 1 + strspn(rest + 1, ", ") : "";
    }
    size_t have = strlen(t->route), more = strlen(rest);
    if (!more)
        return;
    if (have + more + 5 > sizeof t->route) {
        log_info("sip", "the Path of %s is too long and not followed", b->uri);
        return;
    }
    char route[FLOW_ROUTE_MAX];
    snprintf(route, sizeof route, "%s%s%s%s", have ? "<" : "", t->route, have ? ">, " : "", rest);
    memcpy(t->route, route, sizeof route);
}

static void flow_add_binding(struct node *n, struct flow_list *l, const struct core_binding *b)
{
    char route[FLOW_ROUTE_MAX];
    struct addr local;
    bool ours = flow_of_binding(n, b, route, &local);
    const char *holder = ours ? flow_holder(n, b, local.ip) : NULL;
    struct flow_target *t = NULL;
    if (!holder) {
        /* Its Contact, or the proxy in front of it, is all there is. */
        t = flow_add(l, b->uri);
        if (t)
            flow_add_path(t, b, ours);
        if (t && !t->route[0] && strcmp(b->node, n->cfg.name) == 0 && strncmp(b->flow, "tcp:", 4) == 0)
            snprintf(t->flow, sizeof t->flow, "%s", b->flow);
        return;
    }
    t = flow_add(l, b->uri);
    if (!t)
        return;
    if (strcmp(holder, n->cfg.name) != 0) {
        strcpy(t->route, route);
        snprintf(t->holder, sizeof t->holder, "%s", holder);
        flow_add_path(t, b, ours);
        return;
    }
    flow_add_path(t, b, ours);
    snprintf(t->flow, sizeof t->flow, "%s", b->flow);
    snprintf(t->local_ip, sizeof t->local_ip, "%s", local.ip);
}

/* Whether a Contact names the address that its flow came from: then the phone may also listen there. */
static bool flow_may_listen(const struct core_binding *b)
{
    const char *colon = strrchr(b->flow, ':');
    char host[FLOW_TEXT_MAX];
    if (strncmp(b->flow, "tcp:", 4) != 0 || !colon || colon <= b->flow + 4 || colon - b->flow >= (long)sizeof host)
        return false;
    snprintf(host, sizeof host, "%.*s", (int)(colon - b->flow - 4), b->flow + 4);
    const char *at = strchr(b->uri, '@');
    const char *said = at ? at + 1 : b->uri + strcspn(b->uri, ":") + 1;
    return strncmp(said, host, strlen(host)) == 0 && strchr(":;", said[strlen(host)]) != NULL;
}

/* Whether its flow, if it needs one, is at a node that lives. */
static bool flow_lives(struct node *n, const struct core_binding *b)
{
    char route[FLOW_ROUTE_MAX];
    struct addr local;
    return !b->path || !b->path[0] || strcmp(b->node, n->cfg.name) == 0 || !flow_of_binding(n, b, route, &local) ||
           flow_holder(n, b, local.ip);
}

/* Those whose flow lives before the others; otherwise as they are. order: places in rows,
 * FLOW_BINDINGS_MAX at most. */
static void flow_order(struct node *n, const struct core_binding *rows, size_t count, size_t *order)
{
    size_t dead[FLOW_BINDINGS_MAX], deads = 0, at = 0;
    for (size_t i = 0; i < count; i++) {
        if (flow_lives(n, &rows[i]))
            order[at++] = i;
        else
            dead[deads++] = i;
    }
    memcpy(order + at, dead, deads * sizeof *dead);
}

/* The first binding of the same instance, counted from 1 (RFC 5626 section 5.3: no two of them at once). */
static unsigned flow_phone(const struct core_binding *rows, size_t i)
{
    size_t k = 0;
    while (k < i && (!rows[i].instance || !rows[i].instance[0] || !rows[k].instance ||
                     strcmp(rows[k].instance, rows[i].instance) != 0))
        k++;
    return (unsigned)k + 1;
}

/* The same phone, reached in the same way. */
static bool flow_known(const struct flow_target *out, size_t n, const struct flow_target *t)
{
    for (size_t i = 0; i < n; i++)
        if (out[i].phone == t->phone && strcmp(out[i].uri, t->uri) == 0 && strcmp(out[i].flow, t->flow) == 0 &&
            strcmp(out[i].route, t->route) == 0)
            return true;
    return false;
}

size_t flow_targets(struct node *n, const char *extension, struct flow_target *out, size_t max)
{
    struct flow_list l = {.out = out, .max = max};
    const Ev__Extension *e = core_extension(n->core, extension);
    if (e && e->contact)
        flow_add(&l, e->contact);
    struct core_binding rows[FLOW_BINDINGS_MAX];
    size_t count = core_bindings(n->core, extension, rows, FLOW_BINDINGS_MAX);
    size_t first = l.n;
    if (count > FLOW_BINDINGS_MAX)
        count = FLOW_BINDINGS_MAX;
    size_t order[FLOW_BINDINGS_MAX];
    flow_order(n, rows, count, order);
    for (size_t i = 0; i < count; i++) {
        size_t at = l.n;
        flow_add_binding(n, &l, &rows[order[i]]);
        if (l.n == at)
            continue;
        out[at].id = (unsigned)(first + order[i]);
        out[at].phone = flow_phone(rows, order[i]);
        if (flow_known(out + first, at - first, &out[at]))
            l.n = at;
    }
    size_t through = l.n;
    for (size_t i = 0; i < count; i++)
        for (size_t k = first; k < through; k++)
            if ((out[k].flow[0] || out[k].route[0]) && strcmp(out[k].uri, rows[i].uri) == 0 &&
                flow_may_listen(&rows[i])) {
                struct flow_target *t = flow_add(&l, rows[i].uri);
                if (t) {
                    t->id = (unsigned)(first + count + i);
                    t->phone = flow_phone(rows, i);
                }
                break;
            }
    return l.n;
}

bool flow_subscriber_target(struct node *n, const struct core_subscription *s, struct flow_target *out)
{
    const Ev__Subscribe *is = s->is;
    const struct core_binding as = {
        .uri = is->remote_target, .flow = is->flow, .node = s->at, .instance = "", .path = is->path};
    if (!flow_lives(n, &as))
        return false;
    struct flow_list l = {.out = out, .max = 1};
    flow_add_binding(n, &l, &as);
    size_t have = l.n ? strlen(out->route) : 0;
    if (l.n && is->route_set[0] && have + strlen(is->route_set) + 5 <= sizeof out->route) {
        char route[FLOW_ROUTE_MAX];
        snprintf(route, sizeof route, "%s%s%s%s", have ? "<" : "", out->route, have ? ">, " : "", is->route_set);
        memcpy(out->route, route, sizeof route);
    }
    return l.n == 1;
}

size_t flow_trunk_target(struct node *n, const char *trunk, const char *number, struct flow_target *out)
{
    const char *contact = core_trunk_contact(n->core, trunk), *at = contact ? strchr(contact, '@') : NULL;
    if (!contact)
        return 0;
    *out = (struct flow_target){.uri = ""};
    contact = at ? at + 1 : contact + strlen("sip:");
    int len = snprintf(out->uri, sizeof out->uri, "sip:%s@%s", number, contact);
    return len > 0 && (size_t)len < sizeof out->uri;
}
