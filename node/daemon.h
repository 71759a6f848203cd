/* One node process from start to end: loop, order of start and stop. Core thread. */
#ifndef NODE_DAEMON_H
#define NODE_DAEMON_H

#include <stdbool.h>

#include "node/config.h"

/* Runs until a signal or a fatal fault. Takes cfg over. Returns the exit code: 0 ordered stop, 1 start failed, 3 cannot go on. */
int daemon_run(struct node_config *cfg, bool bootstrap);

struct uv_loop_s;
/* Makes libuv's workers (uv_queue_work), which are one set for the process. They get the priority of the thread that asks first: this is
 * to be the core thread before it goes ahead of others, since they hash blobs, write recordings and check snapshots. The log of raft
 * is written without them. */
void daemon_workers(struct uv_loop_s *loop);

#endif
