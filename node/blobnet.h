/* Blobs between nodes: what is on this node's disk, who else has it, and getting what is lacking (storage/blob.h has the files).
 *
 * Small messages over the mesh (node/blob_msg.h), one piece of 48 KiB on its way for each fetch, two fetches at a time: bulk behind
 * which no heartbeat waits long. The disk is read and written in libuv's worker threads, never here: core thread. */
#ifndef NODE_BLOBNET_H
#define NODE_BLOBNET_H

#include "node/node.h"
#include "storage/blob.h"

#define BLOBNET_FETCHES_MAX 8192u /* wanted at once; more are refused (ERR_BUSY) */
#define BLOBNET_SPREAD_MS 15000u

/* status 0, ERR_TIMEOUT, ERR_NOSPACE, ERR_CLOSED ... */
typedef void blobnet_done_fn(void *ctx, int status);

/* Opens DATA/blobs. */
ERR_CHECKED int blobnet_start(struct node *n, struct err_info *info);
/* What is asked for is answered with ERR_CLOSED before it returns. */
void blobnet_stop(struct node *n);
struct blobs *blobnet_store(struct node *n); /* any thread */

/* A message of a peer. False: not one of ours. */
bool blobnet_message(struct node *n, uint64_t peer, const void *data, size_t len);

bool blobnet_has(struct node *n, const char *name);
/* It is on the disk now; it is not any more. */
void blobnet_note(struct node *n, const char *name, bool there);
/* Calls done(0) once a majority of the voters has it on disk, this node counted; ERR_NOQUORUM when that is not so in
 * BLOBNET_SPREAD_MS. It must be on our disk. */
ERR_CHECKED int blobnet_spread(struct node *n, const char *name, uint64_t bytes, blobnet_done_fn *done, void *ctx);
/* Gets it from whoever has it, for as long as it takes (done may be NULL: nobody waits). `urgent`: before what is fetched in the background. */
ERR_CHECKED int blobnet_fetch(struct node *n, const char *name, bool urgent, blobnet_done_fn *done, void *ctx);
/* All nodes that are up learn that the text with this key is in this blob, which is on our disk (node/spoken.h). */
void blobnet_tell_spoken(struct node *n, const char *key, const char *blob);
/* Stops asking for what nobody waits for and `wanted` does not name any more. */
void blobnet_forget(struct node *n, const struct map *wanted);

struct blobnet_counts {
    uint64_t bytes, files, fetched, sent_bytes, corrupt;
    size_t lacking;
};
/* So many were found damaged elsewhere. */
void blobnet_count_corrupt(struct node *n, unsigned count);
void blobnet_get_counts(struct node *n, struct blobnet_counts *out);

#endif
