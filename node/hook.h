/* Runs the address hook of the node file: `HOOK add|del IP` in a process of its own, with nothing of ours but a PATH: no
 * descriptors, no environment. What it writes goes to the log, line by line. After HOOK_LIMIT_MS it is killed and counts as failed.
 *
 * Core thread. A struct hook belongs to who started it until `done` was called, which is once and never before hook_run returns. */
#ifndef NODE_HOOK_H
#define NODE_HOOK_H

#include <stddef.h>
#include <uv.h>

#include "base/err.h"

#define HOOK_LIMIT_MS 1000u

/* 0: it ended with exit code 0. Else `why` says what happened, or the last line that it wrote. */
typedef void hook_done_fn(void *ctx, int status, const char *why);
/* ERR_NOMEM, or ERR_IO when it cannot be started (`why` filled): done is not called then. */
ERR_CHECKED int hook_run(uv_loop_t *loop, const char *path, const char *verb, const char *ip, hook_done_fn *done,
                         void *ctx, char *why, size_t why_size);

/* Waits for it. For a process that has no loop and nothing else to do; a failure is only logged. */
void hook_run_now(const char *path, const char *verb, const char *ip);

#endif
