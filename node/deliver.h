/* Sends what is to be told of messages outside (core/core_delivery.c): those deliveries that are this node's in the state, when they are due.
 *
 * E-mails one after the other, in a thread of its own; web hooks by the client of this node (node/http_client.h), DELIVER_HOOKS_MAX at a time. What became of one is
 * proposed until it is in the state or the delivery is another node's. Parameters smtp_*, http_ca, http_proxy; secrets by name. Core thread. */
#ifndef NODE_DELIVER_H
#define NODE_DELIVER_H

#include "node/node.h"

#define DELIVER_HOOKS_MAX 8u

struct deliver_counts {
    uint64_t mails, mails_failed, hooks, hooks_failed; /* tries: taken by the server, or in vain */
};

ERR_CHECKED int deliver_start(struct node *n);
void deliver_stop(struct node *n); /* before the HTTP client */
/* Core: a delivery came, or is another node's. */
void deliver_changed(struct node *n);
void deliver_get_counts(struct node *n, struct deliver_counts *out);

#endif
