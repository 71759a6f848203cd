/* Flows: phones that can be reached only through the node they registered at (RFC 5626, RFC 3327).
 *
 * A phone that came over TCP, or over UDP from another address than its Contact says, is reached through its connection or
 * through the mapping of a NAT, and only its node has either. At registration that node puts a Path in front of what is
 * committed: <sip:TOKEN@ip:port;lr> with its own address. Whoever owns a call to the phone sends the INVITE there; the
 * endpoint (telephony/sip_edge.c) passes it on, and stays in the dialog by Record-Route.
 * Of a phone behind a proxy (a Path came with the REGISTER) the way is that Path: straight to the proxy, from any node, when it begins
 * with a numeric address; else through the node that it came to, ours in front of it.
 * TOKEN is "flow1-", 128 bits of an HMAC-SHA-256 with the cluster's identifier key over the node's address and the flow, and the
 * flow. Any node can check it; nobody else can make one. Core thread. */
#ifndef NODE_FLOW_H
#define NODE_FLOW_H

#include "node/node.h"
#include "telephony/sip.h"

#define FLOW_TEXT_MAX 80u /* "tcp:[ip]:port" */
#define FLOW_ROUTE_MAX 256u

/* The Path value of a phone that was heard from by this flow, at `local` ("ip:port" of ours), "<sip:...;lr>"; "" when its Contact serves
 * every node. */
void flow_path_of(struct node *n, const char *flow, const char *local, bool natted, char out[FLOW_ROUTE_MAX]);
/* Likewise of a registration. */
void flow_path(struct node *n, const struct sip_register_info *info, char out[FLOW_ROUTE_MAX]);

/* One way to reach a phone. */
struct flow_target {
    char uri[192];              /* Request-URI: the Contact */
    char flow[FLOW_TEXT_MAX];   /* of this node, or "" */
    char route[FLOW_ROUTE_MAX]; /* as in sip_out_params: the node that holds the flow, then proxies' Path; or "" */
    char local_ip[64];          /* where the flow came in, or "" */
    char holder[64];            /* the node whose flow `route` leads to, or "" */
    unsigned id;                /* the same on every node while the registrations are, whatever the order */
    unsigned phone; /* targets of one phone have the same: its flows (one instance, several reg-id) are alternatives */
};
/* How an extension is reached from this node, best first: its fixed contact; then each registration, the newest first but
 * those whose flow died with its node after all others, through its flow; last the Contacts of those whose flow may be
 * broken. One after another: a phone that registered at two nodes is never sent two INVITEs of a call at once. Returns
 * how many. */
size_t flow_targets(struct node *n, const char *extension, struct flow_target *out, size_t max);

/* The way to a telephone that has subscribed to something, by the flow that it came by; false: no node has that any more. */
bool flow_subscriber_target(struct node *n, const struct core_subscription *s, struct flow_target *out);

/* The way to a number outside through a trunk: 1, or 0 when the trunk lets nobody out (any more). */
size_t flow_trunk_target(struct node *n, const char *trunk, const char *number, struct flow_target *out);

/* For the endpoint. */
void flow_edge_handler(struct node *n, struct sip_edge_handler *out);

#endif
