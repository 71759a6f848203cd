/* Figures about this node. The core thread gathers them once a second into a text (Prometheus exposition format 0.0.4,
 * base units) and a readiness; other threads read those copies under a lock that is held for a copy only. */
#ifndef NODE_METRICS_H
#define NODE_METRICS_H

#include <jansson.h>

#include "node/node.h"

ERR_CHECKED int metrics_start(struct node *n);
void metrics_stop(struct node *n);
/* Gathers now (core thread), so that readiness follows a change at once. */
void metrics_refresh(struct node *n);

/* Any thread: a malloc'ed copy; NULL when out of memory. */
char *metrics_text(struct node *n);
/* Any thread. *why is static text. */
bool metrics_ready(struct node *n, const char **why);

/* Core thread, new references: CPU time of each thread of the process; all counters by name. */
json_t *metrics_threads(void);
json_t *metrics_counters(struct node *n);

#endif
