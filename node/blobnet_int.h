/* Shared by blobnet.c (what is here, offers, serving) and blobnet_fetch.c (getting). Core thread. */
#ifndef NODE_BLOBNET_INT_H
#define NODE_BLOBNET_INT_H

#include "node/blob_msg.h"
#include "node/blobnet.h"

#define BLOBNET_TICK_MS 200u
#define BLOBNET_PEERS_MAX 64u

struct node_blobnet {
    struct node *n;
    struct blobs *store;
    struct map here; /* names on our disk */
    uv_timer_t tick;
    bool stopping;
    unsigned working; /* pieces of work in the pool, and messages that they will send */
    struct list_node spreads;
    struct list_node fetches; /* struct fetch, those that are asked for first */
    size_t n_fetches;
    unsigned serving;
    struct blobnet_counts counts;
};

/* A message to a peer; lost when it is not connected. */
void blobnet_say(struct node_blobnet *b, uint64_t peer, enum blob_msg_kind kind, const char *name, int status,
                 uint64_t total, uint64_t offset);

/* blobnet_fetch.c */
ERR_CHECKED int blobnet_fetch_from(struct node_blobnet *b, const char *name, uint64_t peer, bool urgent,
                                   blobnet_done_fn *done, void *ctx);
void blobnet_fetch_piece(struct node_blobnet *b, uint64_t peer, const struct blob_msg *m);
void blobnet_fetch_tick(struct node_blobnet *b);
/* Everything that is fetched is given up. */
void blobnet_fetch_stop(struct node_blobnet *b);

#endif
