/* The supervisor: parent of the node process, starts it again when it crashes.
 *
 * A node that ends by itself with code 0 (ordered stop), 1 (cannot start) or 3 (cannot go on: disk, log) stays ended: starting it
 * again would not help, and the message says what would. Anything else (a signal, an abort in a library) is a crash: it is
 * started again at once, later with growing pauses. */
#ifndef NODE_SUPERVISOR_H
#define NODE_SUPERVISOR_H

/* Runs `child` in a child process under supervision; SIGTERM, SIGINT and SIGHUP are passed on. Returns the exit code. */
int supervisor_run(int (*child)(void *arg), void *arg);

#endif
