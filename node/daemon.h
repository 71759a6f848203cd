/* One node process from start to end: loop, order of start and stop. Core thread. */
#ifndef NODE_DAEMON_H
#define NODE_DAEMON_H

#include <stdbool.h>

#include "node/config.h"

/* Runs until a signal or a fatal fault. Takes cfg over. Returns the exit code: 0 ordered stop, 1 start failed, 3 cannot go on. */
int daemon_run(struct node_config *cfg, bool bootstrap);

#endif
