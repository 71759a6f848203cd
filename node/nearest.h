/* Which node is best for a phone or trunk: same site first, then the measured round trip, then load.
 *
 * The round trip is the one between nodes on their mesh, as the answering node sees it: it stands for the distance between
 * sites, and is not the way to the phone. Less than a millisecond is no difference: within a house the load decides.
 * Core thread; the order itself is pure. */
#ifndef NODE_NEAREST_H
#define NODE_NEAREST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/node.h"

struct nearest_row {
    const struct core_node *node;
    bool same_site;
    bool known;      /* the round trip is */
    uint32_t rtt_us; /* 0 for this node itself */
    uint32_t calls;  /* live, that it owns */
};
/* Best first; ties by name. */
void nearest_sort(struct nearest_row *rows, size_t n);
/* API_OP_NODES_NEAREST: args as there. NULL: out of memory. */
json_t *nearest_answer(struct node *n, const json_t *args);

#endif
