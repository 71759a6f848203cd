/* The SIP edge of the daemon: starts the endpoint once the cluster's secrets are known, and tells it who is who from the
 * replicated configuration. Core thread. */
#ifndef NODE_EDGE_H
#define NODE_EDGE_H

#include "node/node.h"

ERR_CHECKED int edge_start(struct node *n, struct err_info *info);

#endif
