/* The edge proxy between a phone and the node that owns its call (RFC 5626 section 5.3), for phones that can be reached only
 * through the connection, or the mapping of a NAT, that this node holds.
 *
 *   owner --[Route: <sip:TOKEN@us>]--> us --flow--> phone      INVITE is given a Record-Route with the token
 *   phone --[Route: <sip:TOKEN@us>]--> us --> owner            inside a dialog only, and to nodes of ours only
 *
 * Nothing is kept: a request goes out once for each time it comes in, so the two ends repeat as if we were not there, and
 * the hop to the owner has the transport of the flow, so that both ends agree on who has to (RFC 3261 16.11). Our branch is a
 * MAC of the Via below it: the same for INVITE, CANCEL and ACK of one transaction, and no response but one to a
 * request that went through us leads anywhere. */
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "telephony/sip_edge.h"

#define EDGE_MAX_FORWARDS 70
#define EDGE_BRANCH_SIZE 48

void sip_ua_set_edge(struct sip_ua *ua, const struct sip_edge_handler *handler)
{
    ua->edge = *handler;
}

static bool host_is(const struct sip_port *port, const char *host, const char *number)
{
    char ip[SIP_HOST_SIZE], mine[8];
    int family;
    if (!sip_numeric_host(host, ip, &family) || family != port->family || strcasecmp(ip, port->ip) != 0)
        return false;
    snprintf(mine, sizeof mine, "%u", port->port);
    return strcmp(number && *number ? number : "5060", mine) == 0;
}

bool sip_edge_takes(const struct sip_port *port, const sip_t *sip)
{
    const url_t *top = sip->sip_route ? sip->sip_route->r_url : NULL;
    return top && top->url_type == url_sip && top->url_user &&
           strncmp(top->url_user, SIP_EDGE_TOKEN, strlen(SIP_EDGE_TOKEN)) == 0 &&
           host_is(port, top->url_host, top->url_port);
}

/* ---- refusing */

static void refuse(struct sip_port *port, msg_t *msg, int status, const char *phrase)
{
    const sip_t *sip = sip_object(msg);
    if (sip->sip_request->rq_method == sip_method_ack)
        nta_msg_discard(port->agent, msg);
    else
        nta_msg_treply(port->agent, msg, status, phrase, SIPTAG_SERVER_STR(port->ua->product), TAG_END());
}

/* ---- where to */

struct hop {
    char url[SIP_FLOW_SIZE + 24];
    tport_t *connection; /* NULL: UDP, or one to a node that may have to be made */
    char record[256];    /* Record-Route to add, "" none */
};

static int to_phone(struct sip_port *port, const sip_t *sip, const char *flow, const char **why, struct hop *hop)
{
    if (strncmp(flow, "udp:", 4) != 0) {
        hop->connection = sip_flow_connection(port, flow);
        *why = "Flow Failed"; /* RFC 5626 11.5 */
        if (!hop->connection || !tport_is_clear_to_send(hop->connection))
            return 430;
    }
    *why = NULL;
    if (sip_flow_uri(flow, hop->url, sizeof hop->url) != 0)
        return 403;
    if (sip->sip_request->rq_method != sip_method_invite || sip->sip_to->a_tag)
        return 0;
    char *uri = sip_url_text(sip->sip_route->r_url);
    int n = uri ? snprintf(hop->record, sizeof hop->record, "<%s>", uri) : -1;
    free(uri);
    return n > 0 && (size_t)n < sizeof hop->record ? 0 : 500;
}

static int to_owner(struct sip_port *port, const sip_t *sip, const char **why, struct hop *hop)
{
    const struct sip_edge_handler *h = &port->ua->edge;
    const sip_route_t *second = sip->sip_route->r_next;
    const url_t *next = second ? second->r_url : sip->sip_request->rq_url;
    char ip[SIP_HOST_SIZE], transport[8] = "udp";
    struct sockaddr_storage to;
    int family;
    *why = "Only Inside A Dialog, Only To A Node";
    /* A request that opens something would reach the owner from our address, past the check of who sends it. */
    if (!sip->sip_to->a_tag || !sip->sip_to->a_tag[0])
        return 403;
    if (!sip_url_is_sip(next) || !sip_numeric_host(next->url_host, ip, &family))
        return 403;
    if (next->url_params && url_param(next->url_params, "transport", transport, sizeof transport) &&
        strcasecmp(transport, "tcp") != 0)
        strcpy(transport, "udp");
    const char *number = next->url_port && *next->url_port ? next->url_port : "5060";
    long n = strtol(number, NULL, 10);
    if (n <= 0 || n > 65535)
        return 403;
    memset(&to, 0, sizeof to);
    if (family == AF_INET6) {
        struct sockaddr_in6 *s6 = (void *)&to;
        s6->sin6_family = AF_INET6;
        s6->sin6_port = htons((uint16_t)n);
        inet_pton(AF_INET6, ip, &s6->sin6_addr);
    } else {
        struct sockaddr_in *s4 = (void *)&to;
        s4->sin_family = AF_INET;
        s4->sin_port = htons((uint16_t)n);
        inet_pton(AF_INET, ip, &s4->sin_addr);
    }
    if (!h->is_node(h->ctx, (struct sockaddr *)&to, true))
        return 403;
    *why = NULL;
    snprintf(hop->url, sizeof hop->url, family == AF_INET6 ? "sip:[%s]:%ld;transport=%s" : "sip:%s:%ld;transport=%s",
             ip, n, transport);
    return 0;
}

/* Checks token and sender. 0, or the status to refuse with. */
static int route(struct sip_port *port, msg_t *msg, const sip_t *sip, const char **why, struct hop *hop)
{
    const struct sip_edge_handler *h = &port->ua->edge;
    char local[SIP_FLOW_SIZE], flow[SIP_FLOW_SIZE], from[SIP_FLOW_SIZE];
    snprintf(local, sizeof local, port->family == AF_INET6 ? "[%s]:%u" : "%s:%u", port->ip, port->port);
    *why = "Not A Flow Token Of Ours";
    if (!h->open_token || h->open_token(h->ctx, sip->sip_route->r_url->url_user, local, flow, sizeof flow) != 0)
        return 403;
    *why = NULL;
    if (sip->sip_max_forwards && sip->sip_max_forwards->mf_count == 0)
        return 483;
    const tport_t *by = tport_delivered_by(nta_agent_tports(port->agent), msg);
    const struct sockaddr *source = &msg_addr(msg)->su_sa;
    sip_flow_text(source, by && tport_is_tcp(by) ? SIP_TCP : SIP_UDP, from);
    /* A phone that has connected again inside a call comes from elsewhere: what is not from a node can only go to one. */
    bool outbound = strcmp(from, flow) != 0 && h->is_node(h->ctx, source, false);
    return outbound ? to_phone(port, sip, flow, why, hop) : to_owner(port, sip, why, hop);
}

/* ---- forwarding */

/* The branch of our Via above `below`. */
static void branch_of(const struct sip_ua *ua, const sip_via_t *below, char out[EDGE_BRANCH_SIZE])
{
    const char *parts[] = {below->v_protocol, below->v_host,  below->v_port,
                           below->v_received, below->v_rport, below->v_branch};
    char text[512];
    uint8_t mac[32];
    unsigned len = sizeof mac;
    size_t n = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        int more = snprintf(text + n, sizeof text - n, "%s|", parts[i] ? parts[i] : "");
        n += (size_t)more < sizeof text - n ? (size_t)more : sizeof text - n - 1;
    }
    HMAC(EVP_sha256(), ua->edge_key, sizeof ua->edge_key, (const uint8_t *)text, n, mac, &len);
    size_t at = (size_t)snprintf(out, EDGE_BRANCH_SIZE, "z9hG4bK-e");
    for (size_t i = 0; i < 16; i++)
        at += (size_t)snprintf(out + at, EDGE_BRANCH_SIZE - at, "%02x", mac[i]);
}

static int count_down(msg_t *msg, sip_t *sip)
{
    if (!sip->sip_max_forwards) {
        char text[8];
        snprintf(text, sizeof text, "%d", EDGE_MAX_FORWARDS);
        return sip_add_make(msg, sip, sip_max_forwards_class, text);
    }
    sip->sip_max_forwards->mf_count--;
    sip_fragment_clear(sip->sip_max_forwards->mf_common);
    return 0;
}

static int forward(struct sip_port *port, const msg_t *request, const struct hop *hop)
{
    msg_t *msg = msg_dup(request);
    sip_t *sip = msg ? sip_object(msg) : NULL;
    if (!sip) {
        msg_destroy(msg);
        return ERR_NOMEM;
    }
    char branch[EDGE_BRANCH_SIZE];
    branch_of(port->ua, sip->sip_via, branch);
    nta_outgoing_t *sent = NULL;
    if (sip_route_remove(msg, sip) && count_down(msg, sip) >= 0 &&
        (!hop->record[0] || sip_add_make(msg, sip, sip_record_route_class, hop->record) >= 0))
        sent = nta_outgoing_mcreate(port->agent, NULL, NULL, URL_STRING_MAKE(hop->url), msg, NTATAG_STATELESS(1),
                                    NTATAG_BRANCH_KEY(branch), TAG_IF(hop->connection, NTATAG_TPORT(hop->connection)),
                                    TAG_END());
    if (!sent)
        msg_destroy(msg);
    return sent ? 0 : ERR_IO;
}

void sip_edge_request(struct sip_port *port, msg_t *msg)
{
    const sip_t *sip = sip_object(msg);
    struct hop hop = {.url = ""};
    const char *why = NULL;
    port->ua->stats.requests_in++;
    int status = route(port, msg, sip, &why, &hop);
    if (status == 0 && forward(port, msg, &hop) != 0) {
        status = hop.connection ? 430 : 503;
        why = hop.connection ? "Flow Failed" : NULL;
    }
    if (status == 0) {
        nta_msg_discard(port->agent, msg);
        return;
    }
    log_debug("sip", "flow token in a %s: %d %s", sip->sip_request->rq_method_name, status, sip_phrase(status, why));
    refuse(port, msg, status, sip_phrase(status, why));
}

bool sip_edge_response(struct sip_port *port, msg_t *msg)
{
    const sip_t *sip = sip_object(msg);
    const sip_via_t *top = sip ? sip->sip_via : NULL;
    char branch[EDGE_BRANCH_SIZE];
    if (!top || !top->v_next || !top->v_branch || !host_is(port, top->v_host, top->v_port))
        return false;
    branch_of(port->ua, top->v_next, branch);
    if (strcmp(branch, top->v_branch) != 0)
        return false;
    sip_gate_pass_100(true);
    nta_msg_tsend(port->agent, msg, NULL, TAG_END());
    sip_gate_pass_100(false);
    return true;
}
