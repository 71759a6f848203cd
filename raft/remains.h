/* That the sockets of a killed process close at once.
 *
 * The others know by its closed connections that a process is dead, and the kernel closes them late: first it takes the memory back,
 * and with it the contexts of asynchronous writes by which libraft writes its log. That waits for two grace periods of the kernel's
 * RCU, 25 to 40 ms in which callers hear nothing. Who still shares the memory spares a process that wait. So a tiny one does, with
 * two descriptors: a pidfd by which it sees that we are gone, all threads of us, and then it ends too; and a lock on the folder, which the
 * next process waits for: what was being written when we were killed is on disk by then, or never will be.
 *
 * It runs nothing of ours, blocks all signals, and has a session of its own: what is sent to our process group (by a terminal, or a
 * kill of the group) does not meet it. Who kills it as well takes us back to the slow close, no more. */
#ifndef RAFT_REMAINS_H
#define RAFT_REMAINS_H

#include <sys/types.h>

#include "base/err.h"

/* Waits until nothing is left of a former process that called this with the folder (which has to be locked by other means against
 * one that lives), then starts the process that shares our memory. Once in a process. *pid: its; -1 when there is none (the kernel refuses,
 * or sanitizers are compiled in: their run-time does not stand it), which changes nothing but the time that a death takes. */
ERR_CHECKED int remains_share(const char *dir, pid_t *pid, struct err_info *info);

#endif
