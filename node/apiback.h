/* The node's side of the API (api/api.h, struct api_backend): work from the API thread is put into the core thread's queue
 * (ERR_BUSY when full, the client gets 503), results are posted back. Core thread unless said otherwise. */
#ifndef NODE_APIBACK_H
#define NODE_APIBACK_H

#include "node/node.h"

ERR_CHECKED int apiback_start(struct node *n, struct err_info *info);
void apiback_stop(struct node *n);

#endif
