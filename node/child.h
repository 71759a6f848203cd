/* Runs a helper program on files and waits for it: sound conversion and speech synthesis. For worker threads only.
 *
 * The program gets three descriptors (what it reads, what it writes, its complaints), a PATH and nothing else of ours, a process group of
 * its own, and is killed with all of its group when its time is over. Limits of memory and processor time are those that
 * ccsound puts on itself or, with --run, on what it runs (sound/main.c). */
#ifndef NODE_CHILD_H
#define NODE_CHILD_H

#include "base/err.h"

#define CHILD_PATH_MAX 512u

/* argv[0] is looked for in PATH unless it has a slash. stop_fd: when it can be read the program is killed at once. 0: exit code 0. ERR_INVAL: it ended with 1, info->text is the last line of its
 * complaints; ERR_TIMEOUT; ERR_CLOSED (stop_fd); ERR_IO: it cannot be run, ended by a signal, or with another code. */
ERR_CHECKED int child_run(char *const argv[], int in_fd, int out_fd, int stop_fd, unsigned timeout_ms,
                          struct err_info *info);
/* The path of ccsound, which lies beside our own program unless the environment's CCSOUND names another. ERR_IO: it is not there. */
ERR_CHECKED int child_ccsound(char out[CHILD_PATH_MAX], struct err_info *info);

#endif
