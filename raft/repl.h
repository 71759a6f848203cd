/* Replication: the one way to change the state of the cluster.
 *
 * A node proposes opaque commands; they are appended by the leader (forwarded to it when we are not the leader),
 * written by a majority, and handed to every node's state machine in one order. libraft does consensus and disk
 * (raft_uv); messages between nodes travel on our own mesh: one mutual-TLS 1.3 connection for each pair of nodes,
 * which also carries forwarded commands, liveness, read-index questions and snapshot images.
 *
 * Thread: everything here runs on the core thread, inside the uv loop given at start; no function blocks on network.
 * Ownership: the caller owns config strings for the duration of repl_start; a struct repl_req belongs to the caller
 * and must stay until its callback. Buffers are copied before repl_propose returns.
 *
 * Exactly once. Every command carries (origin node, incarnation of its process, sequence). A node sends its commands
 * in sequence, and after a change of leader sends all that it has not yet seen applied, again in sequence. The state
 * machine keeps the last sequence applied per (origin, incarnation), in the same transaction as the effects:
 * a command with seq <= last is a duplicate, one with seq > last + 1 is out of order: both are skipped without effect
 * (the sender repeats). The answer given to a proposer is the result of its own node's apply, so a node always
 * reads its own writes.
 *
 * Errors: ERR_NOQUORUM (no leader known within the time-out), ERR_TIMEOUT (outcome unknown), ERR_BUSY (bounded queue
 * full), ERR_CLOSED (stopping), ERR_TOOBIG (command over REPL_COMMAND_MAX).
 * Source: Ongaro, "Consensus: Bridging Theory and Practice" (2014); chapters cited at the code. */
#ifndef RAFT_REPL_H
#define RAFT_REPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "base/list.h"

struct repl;

#define REPL_COMMAND_MAX (512u * 1024u)    /* bytes of one command */
#define REPL_BATCH_MAX (1024u * 1024u)     /* bytes packed into one log entry */
#define REPL_PENDING_MAX 8192u             /* commands a node may have proposed and not yet seen applied */
#define REPL_PENDING_BYTES_MAX (16u << 20) /* and their bytes */

/* One command out of a log entry, as the state machine gets it. `data` is valid during the call. */
struct repl_item {
    uint64_t origin;      /* id of the node that proposed */
    uint64_t incarnation; /* of that node's process; grows at each start */
    uint64_t seq;         /* 1, 2, 3 ... within (origin, incarnation) */
    const void *data;
    size_t len;
};

/* What the state machine made of one item. Filled by apply; `answer` is handed unchanged to the proposer's callback on
 * the proposing node only and is valid until apply_done. */
struct repl_outcome {
    bool skipped;       /* duplicate or out of order: no effect, proposer's callback is not run for it */
    const void *answer; /* state machine's own result object; may be NULL */
};

/* An image of the state at an index: a file that repl moves between nodes. */
struct repl_image {
    uint64_t index;
    char path[512]; /* in the directory given to snapshot_take */
    uint8_t sha256[32];
    uint64_t bytes;
};
typedef void repl_image_cb(void *arg, int status, const struct repl_image *image);

struct repl_peer_info {
    uint64_t id;
    char name[64];
    char address[64]; /* "ip:port" of the mesh */
    enum { REPL_SPARE, REPL_STANDBY, REPL_VOTER } role;
    bool self, leader;
    bool up;         /* a live mesh connection (always true for self) */
    bool silent;     /* nothing came from it for detect_ms (never for self) */
    uint32_t rtt_us; /* smoothed round trip on the mesh, 0 when unknown */
    uint64_t match;  /* last index known to be on its disk; 0 when unknown (only the leader knows) */
};

struct repl_status {
    uint64_t id;
    enum { REPL_FOLLOWER, REPL_CANDIDATE, REPL_LEADER, REPL_IDLE } state;
    uint64_t term, leader; /* leader 0 when unknown */
    uint64_t last_index, commit_index, applied_index, snapshot_index;
    bool has_quorum; /* as leader: heard from a majority within the election time-out; else: a live leader is known */
    size_t pending;  /* own commands in flight */
    uint64_t forwarded, proposed, refused; /* counters since start */
    uint64_t log_bytes;
};

/* The state machine and the owner of the process, called by repl on the core thread. */
struct repl_handler {
    void *ctx;
    /* Applies one log entry: n items in order, in one transaction together with `index`. Returns 0; anything else is
     * fatal to this node. An index at or below what is stored must be skipped (all outcomes skipped). */
    int (*apply)(void *ctx, uint64_t index, uint64_t term, const struct repl_item *items, unsigned n,
                 struct repl_outcome *outcomes);
    /* The entry is applied and its callbacks have run: effects may be carried out, answers freed. */
    void (*apply_done)(void *ctx, uint64_t index);
    /* Index of the last entry that is safely in the state; asked once at start. */
    uint64_t (*applied_index)(void *ctx);
    /* Writes an image of the state as it is now into `dir`, without blocking the loop; cb on the core thread. */
    int (*snapshot_take)(void *ctx, const char *dir, repl_image_cb *cb, void *arg);
    /* May be NULL. In a worker thread, before snapshot_install of the same image, which has passed its hash: what takes long of the
     * installation and does not touch the state. One at a time; often no installation follows. On an error the
     * image is dropped and asked for anew, except ERR_CORRUPT and ERR_UNSUPPORTED, which are the installation's to tell. */
    int (*snapshot_prepare)(void *ctx, const struct repl_image *image);
    /* Replaces the whole state by a checked image file. Non-zero is fatal to this node. */
    int (*snapshot_install)(void *ctx, const struct repl_image *image);
    /* A peer's mesh connection came up or went down; `refused`: the reconnect was refused. `dead`: its processes up to this incarnation
     * are known to be dead, by that or because a later one greeted; 0: none are. */
    void (*peer_up)(void *ctx, uint64_t id, bool up, bool refused, uint64_t dead);
    /* Nothing came from a peer for detect_ms (silent), or something came again. */
    void (*peer_silent)(void *ctx, uint64_t id, bool silent);
    /* Leadership or membership changed (read repl_status / repl_peers). `ready` on the leader: own-term barrier passed. */
    void (*state_changed)(void *ctx, bool leader_ready);
    /* This node cannot go on (disk, corrupt log, diverged; ERR_NOTFOUND: removed): plain text for the operator. The process must
     * end. */
    void (*fatal)(void *ctx, int err, const char *text);
};

struct repl_config {
    const char *name;                           /* this node's name; equals the CN of its certificate */
    const char *dir;                            /* data folder of the log; created 0700 */
    const char *listen;                         /* "ip:port" of the mesh, as peers reach it */
    const char *ca_file, *cert_file, *key_file; /* PEM; key never logged */
    const char *join;                           /* "ip:port" of any member, or NULL */
    unsigned detect_ms;    /* silence after which a peer counts as gone; pings go out six times in it. 0: 300 */
    bool bootstrap;        /* become the first and only voter if the folder is empty (guarded by a fsynced marker) */
    unsigned election_ms;  /* default 300 */
    unsigned heartbeat_ms; /* default 50 */
    bool quick_death;      /* one of a process only: when it is killed its connections close at once, see remains.h */
    bool plain_elections;  /* a leader that is gone is replaced after the election time-out only (to measure against) */
    unsigned snapshot_threshold; /* entries between snapshots, default 8192 */
    unsigned snapshot_trailing;  /* default 2048 */
};

/* Opens the log (checked, see raft/README.md), listens, and either bootstraps, restarts, or joins: a node with an empty
 * folder and `join` asks that member over the mesh for its id (given by repl_add there under this name) and waits
 * until it has been added. *info says what is wrong on error. */
ERR_CHECKED int repl_start(uv_loop_t *loop, const struct repl_config *cfg, const struct repl_handler *handler,
                           struct repl **out, struct err_info *info);
/* Hands leadership over if leading, closes everything, then cb; after it the repl is freed. */
void repl_stop(struct repl *r, void (*cb)(void *arg), void *arg);

struct repl_req;
/* status 0: committed and applied here; `answer` as filled by apply. Negative: not applied as far as known (ERR_BUSY,
 * ERR_NOQUORUM, ERR_TOOBIG: surely not; ERR_TIMEOUT, ERR_CLOSED: unknown; the command may still be applied later, and
 * a repetition under a new sequence must carry the client's idempotency key). */
typedef void repl_req_cb(struct repl_req *req, int status, const void *answer);
struct repl_req {
    /* caller */
    repl_req_cb *cb;
    void *ctx;
    /* private */
    struct list_node link;
    uint64_t seq;
    uint64_t deadline_us;
    void *data;
    size_t len;
};

/* Proposes; never calls cb before it returns. 0 or ERR_BUSY / ERR_TOOBIG / ERR_NOMEM / ERR_CLOSED (cb not called). With
 * no leader the command waits up to `timeout_ms` (0: default 5000) and then fails with ERR_NOQUORUM if it was never
 * sent, ERR_TIMEOUT if it was. */
ERR_CHECKED int repl_propose(struct repl *r, struct repl_req *req, const void *data, size_t len, unsigned timeout_ms);
/* As repl_propose, for a command that nobody waits for at once: up to patience_ms it may stay here, so that it travels and is written
 * with the next one that is proposed here. Never after what is proposed after it. */
ERR_CHECKED int repl_propose_later(struct repl *r, struct repl_req *req, const void *data, size_t len,
                                   unsigned timeout_ms, unsigned patience_ms);
/* From inside apply: what is being applied concerns this node, or (0) every node, which should not have to wait until it hears of the
 * commit by chance. Nothing happens where we do not lead. */
void repl_tell(struct repl *r, uint64_t id);

/* Read index (dissertation 6.4): cb(status) once this node has applied everything that was committed, anywhere, when
 * the call was made. */
ERR_CHECKED int repl_read_index(struct repl *r, void (*cb)(void *arg, int status), void *arg, unsigned timeout_ms);

/* Membership. Runs at the leader; elsewhere it is forwarded. One change at a time (ERR_BUSY). `cb` exactly once.
 * repl_add gives a new node an id that was never used, waits for its join, catches it up as a spare, then makes it
 * a voter; cb(0) once the id is allotted (progress is seen in repl_peers). repl_remove of the leader hands over first.
 * repl_transfer to `name`, or, NULL, to the connected voter furthest ahead; cb's id is the new leader's. */
typedef void repl_member_cb(void *arg, int status, uint64_t id, const char *text);
ERR_CHECKED int repl_add(struct repl *r, const char *name, const char *address, repl_member_cb *cb, void *arg);
ERR_CHECKED int repl_remove(struct repl *r, const char *name, repl_member_cb *cb, void *arg);
ERR_CHECKED int repl_transfer(struct repl *r, const char *name, repl_member_cb *cb, void *arg);

void repl_get_status(const struct repl *r, struct repl_status *out);
/* Fills up to max rows, sorted by id; returns the number of members (which may exceed max). */
size_t repl_peers(const struct repl *r, struct repl_peer_info *out, size_t max);
/* This node's id (0 before it joined) and the incarnation of this process. */
uint64_t repl_id(const struct repl *r);
uint64_t repl_incarnation(const struct repl *r);
/* The base of a node's lease to act on calls: microseconds of monotonic time since this node is known to have been part of a
 * majority that follows the present leader. As leader: since the send time of the pings that a majority has answered. Else:
 * since the send time of the ping that the leader answered, plus the age that the leader had of its own when it answered. A
 * node of which a leader has heard nothing for detect_ms has thus an age above detect_ms, whoever else it can still hear.
 * UINT64_MAX: never. The argument is in node/README.md. */
uint64_t repl_lease_age_us(const struct repl *r);
/* Leader, before it proposes to give away what a node owns: that node gets no more lease from us, in this term, until
 * repl_unfence. True once no lease that it ever got can be younger than detect_ms: the last one we gave, or any that a leader
 * before us gave (so never sooner than detect_ms after our election). `dead`: its process is known dead, no need to wait,
 * not even until we are ready (before that nobody gets a lease from us). False: nothing has changed, too early, or not a (ready) leader that
 * hears a majority. The command must be void in any term but this one
 * (repl_status.term): another leader's leases know nothing of the fence. */
bool repl_fence(struct repl *r, uint64_t id, bool dead);
/* Whoever proposed that command is done with it: it is applied here, was refused (ERR_BUSY), never sent (ERR_NOQUORUM), or its outcome is
 * unknown (ERR_TIMEOUT). To be called in each case, or the node gets no lease for the rest of the term: the fence falls once all
 * that this node had sent by now is applied here. */
void repl_unfence(struct repl *r, uint64_t id);
/* Milliseconds since a majority (counting ourselves) was last heard on the mesh. */
uint64_t repl_quorum_age_ms(const struct repl *r);

/* A small message to one peer over the mesh (not replicated, may be lost): ERR_CLOSED when it is not connected. Used
 * for node-to-node business of the daemon. Handler: repl_set_message_handler. At most 64 KiB. */
ERR_CHECKED int repl_send(struct repl *r, uint64_t peer, const void *data, size_t len);
void repl_set_message_handler(struct repl *r, void (*fn)(void *ctx, uint64_t peer, const void *data, size_t len));

#endif
