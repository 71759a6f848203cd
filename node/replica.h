/* Between replication and the call centre: hands log entries to core, tells calls and the API what changed, announces this
 * node, watches the others (as leader), keeps the clock of the replicated state going (as leader). Core thread. */
#ifndef NODE_REPLICA_H
#define NODE_REPLICA_H

#include <jansson.h>

#include "node/node.h"

/* Opens database and core (a database that fails its check is thrown away and rebuilt from snapshot and log) and starts
 * replication. `bootstrap`: found a new cluster if the data folder is empty. */
ERR_CHECKED int replica_start(struct node *n, bool bootstrap, struct err_info *info);
/* After repl has stopped. */
void replica_close(struct node *n);
/* This node's start has been committed, and SIP may begin. */
bool replica_announced(const struct node *n);
bool replica_leader_ready(const struct node *n);

/* Compares the digest of all nodes at one index; done gets {"index","equal","nodes":[...]} (a new reference) or an error. */
typedef void replica_verify_fn(void *ctx, int status, json_t *result);
ERR_CHECKED int replica_verify(struct node *n, unsigned timeout_ms, replica_verify_fn *done, void *ctx);
/* verify.c, used by replica.c */
struct verify;
/* This node's; NULL before replica_start. */
struct verify *replica_verifier(struct node *n);
struct verify *verify_new(struct node *n);
void verify_free(struct verify *v);
void verify_on_mark(struct verify *v, const char *request);
void verify_on_report(struct verify *v, uint64_t peer, const json_t *report);

#endif
