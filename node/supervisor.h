/* The supervisor: parent of the node process, starts it again when it crashes.
 *
 * A node that ends by itself with code 0 (ordered stop), 1 (cannot start) or 3 (cannot go on: disk, log) stays ended: starting it
 * again would not help, and the message says what would. Anything else (a signal, an abort in a library) is a crash: it is
 * started again at once, later with growing pauses.
 *
 * Watchdog. The child's core thread says that it lives at least every SUPERVISOR_BEAT_MS, through a pipe, from its first turn on.
 * When nothing comes for SUPERVISOR_HUNG_MS it hangs: it is killed and started again, for a node that does not move must not
 * keep addresses and connections that look alive. Time in which this process itself did not run does not count. */
#ifndef NODE_SUPERVISOR_H
#define NODE_SUPERVISOR_H

#define SUPERVISOR_BEAT_MS 500u
#define SUPERVISOR_HUNG_MS 5000u
#define SUPERVISOR_LAST_MS 60000u /* for an ordered end, which may wait for disks */

/* Runs `child` in a child process under supervision; SIGTERM, SIGINT and SIGHUP are passed on. `crashed` is called here after each
 * crash, before the child is started again. Returns the exit code. */
int supervisor_run(int (*child)(void *arg), void (*crashed)(void *arg), void *arg);
/* In the child, from one thread. Without a supervisor they do nothing. */
void supervisor_beat(void);
/* The end has begun: no further beat has to come. */
void supervisor_beat_last(void);

#endif
