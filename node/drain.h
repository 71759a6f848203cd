/* This node is taken out of service in order.
 *
 *   drain     committed (NodeDrain): no new calls or registrations (503 with Retry-After), service addresses go to other nodes with
 *             the calls that stand on them (address.c), the other calls a few at a time (calls_give_away). It stays in that
 *             state, over restarts too, until `undrain`
 *   leave     SIGTERM while the others can go on without this node: everything is let go of without a word, then NodeDown
 *             for itself gives calls and addresses to the others at once, and the process ends. Bounded to DRAIN_LEAVE_MS;
 *             what is not handed over by then is taken over as from a dead node
 * Core thread. */
#ifndef NODE_DRAIN_H
#define NODE_DRAIN_H

#include "node/node.h"

#define DRAIN_LEAVE_MS 3000u

ERR_CHECKED int drain_start(struct node *n);
void drain_stop(struct node *n);
/* After an entry was applied, after address_reconcile. */
void drain_reconcile(struct node *n);
bool drain_active(const struct node *n);
/* SIGTERM: leaves, or, when nobody can take over, stops (calls are ended with BYE). Again: nothing. */
void drain_leave(struct node *n);
/* A majority of the voters stays without us, and one of the nodes takes calls. */
bool drain_others_go_on(const struct node *n);

#endif
