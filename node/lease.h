/* Whether this node may act on calls: its lease, renewed by contact with the leader's majority (raft/repl.h, repl_lease_age_us).
 *
 *   age <= NODE_LEASE_MS            acts
 *   older                           silent: takes no calls, sends no requests, answers 503, writes nothing, media threads are mute
 *   older than NODE_LEASE_DROP_MS   lets go: legs and streams are forgotten, service addresses unbound
 *   declared down                   the same, whatever its age, until this process's next NodeUp is applied
 *   young again                     addresses bound that are still ours, our calls carried on from state (calls_resume)
 * Both times are those of the default detect_ms (config.h) of 300 ms, and grow with it. Proposals for calls that exist already are
 * refused only once it has let go: apply refuses them if they come late (the owner check), and an election is no reason to lose one.
 *
 * A leader declares a node down after detect_ms of silence, never less than the lease; so when its calls get
 * a new owner the old one has been silent already. The argument in full: node/README.md, "One owner". Core thread, except for
 * what the media threads read (media_engine_lease). */
#ifndef NODE_LEASE_H
#define NODE_LEASE_H

#include "node/node.h"

#define NODE_LEASE_DETECT_MS 300u /* the detect_ms that these belong to */
#define NODE_LEASE_MS 250u
#define NODE_LEASE_DROP_MS 600u

enum lease_state { LEASE_NONE, LEASE_HELD, LEASE_SILENT, LEASE_DROPPED };

/* Looks at the lease and at what the state says of this node now (not at what a timer saw last): costs a microsecond. */
bool node_may_act(const struct node *n);
/* Starts renewing: extends the media threads' lease and turns the states above. ERR_NOMEM. */
ERR_CHECKED int lease_start(struct node *n);
void lease_stop(struct node *n);
enum lease_state lease_get(const struct node *n);
/* Never had, or let go: this node is cut off, and whoever asks it is sent away. */
bool lease_gone(const struct node *n);
/* How often it was lost, for metrics. */
uint64_t lease_lost_total(const struct node *n);

#endif
