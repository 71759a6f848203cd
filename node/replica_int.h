/* What the files of the replica share: replica.c (entries, images, leadership), replica_clock.c (the clock of the replicated
 * state), replica_watch.c (who of the others is alive). Core thread. */
#ifndef NODE_REPLICA_INT_H
#define NODE_REPLICA_INT_H

#include "node/replica.h"

#define REPLICA_PEERS_MAX 64u

struct node_replica {
    struct node *n;
    uv_timer_t check; /* every REPLICA_CHECK_MS */
    uv_timer_t due;   /* leader: when the replicated state wants a Tick */
    uv_timer_t watch; /* leader: when a node may be declared down that may not be yet */
    bool leader_ready, announced, announcing, initialising, tick_pending, raising;
    bool clock_pending, clock_warned;
    uint64_t clock_told_us;         /* monotonic: when a clock far ahead was first told; 0: never */
    uint64_t core_us, core_mono_us; /* the replicated clock when it was last moved, and the monotonic one then */
    struct map dead;                /* peer id -> newest incarnation that is known dead */
    struct map declaring;           /* peer name -> non-NULL while its NodeDown is on its way */
    struct verify *verify;
};

/* replica_clock.c */
/* The replicated clock was moved: from here on it is reckoned. */
void replica_clock_note(struct node *n);
/* Tells the others when this machine's clock is far ahead of the replicated one. */
void replica_tell_clock(struct node *n);
/* All nodes were off and may yet agree on what time it is: what begins now waits (a second at most). */
bool replica_clock_settles(const struct node *n);
/* As leader: sets the timer for the next Tick that the state wants. */
void replica_arm_due(struct node *n);

/* replica_watch.c */
/* That all processes of a node up to this incarnation are dead; kept for replica_watch. */
void replica_note_dead(struct node_replica *r, uint64_t id, bool up, uint64_t dead);
/* As leader: nodes that died, fell silent, or are no longer members. Nobody is declared down while a lease that it got may still
 * hold: repl_fence knows. That a process is dead is true whatever a new leader has still to apply, so that is proposed with the
 * first entry of its term; but not of a node that has come anew under its old name since, which the configuration, newer than the
 * state, says. */
void replica_watch(struct node *n);

#endif
