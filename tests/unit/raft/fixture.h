/* A cluster of real nodes (real sockets on loopback, real files) in one process and one loop, for the tests of raft/.
 * Its state machine is a list of the commands it was given, with the sequence rule of repl.h, and an image of it is a
 * file with these commands. */
#ifndef TESTS_UNIT_RAFT_FIXTURE_H
#define TESTS_UNIT_RAFT_FIXTURE_H

#include <uv.h>

#include "raft/repl.h"

#define FX_NODES 6
#define FX_COMMANDS 65536
#define FX_DEADLINE_MS 20000

struct fx_last {
    uint64_t origin, incarnation, seq;
};

struct fx_node {
    struct fx *fx;
    struct repl *repl;
    char name[16], dir[256], listen[64], cert[256], key[256];
    /* the state machine */
    uint32_t commands[FX_COMMANDS];
    unsigned n;
    uint64_t applied;
    struct fx_last last[64];
    unsigned n_last;
    uint64_t answers[4096]; /* index of each item, as the answer */
    bool lose_state;        /* the next start begins with an empty state */
    /* what it was told */
    unsigned fatals, installs, takes, ups, downs, refusals, changes, stopped, messages;
    int fatal_err;
    char fatal_text[256];
    char message[64];
    bool leader_ready;
};

struct fx {
    uv_loop_t loop;
    uv_timer_t deadline;
    bool expired;
    char dir[128], ca[256];
    struct fx_node nodes[FX_NODES];
    unsigned threshold, trailing, timeout_ms;
};

struct fx_req {
    struct repl_req req;
    unsigned done;
    int status;
    uint64_t answer;
};

struct fx *fx_new(void);
void fx_free(struct fx *fx);
/* Certificates signed by the fixture's authority (or by another one), CN as given. */
void fx_certify(struct fx *fx, const char *cn, const char *cert, const char *key, bool other_authority);
/* Starts node i: bootstrap, or join of node `join` when it is >= 0. Returns repl_start's result. */
int fx_start(struct fx *fx, unsigned i, bool bootstrap, int join, struct err_info *info);
/* Stops and waits for the callback. */
void fx_stop(struct fx *fx, unsigned i);
/* Turns the loop until the condition holds; false after FX_DEADLINE_MS. */
bool fx_until(struct fx *fx, bool (*cond)(struct fx *fx, void *arg), void *arg);
/* Node 0 bootstrapped, nodes 1 .. n-1 added and voters. */
void fx_cluster(struct fx *fx, unsigned n);
/* Adds node i through node `via` and starts it with an empty folder, waits until it is a voter. */
void fx_join(struct fx *fx, unsigned via, unsigned i);
int fx_leader(struct fx *fx);
bool fx_has_leader(struct fx *fx, void *arg);
int fx_propose(struct fx *fx, unsigned i, struct fx_req *req, uint32_t value);
bool fx_done(struct fx *fx, void *req);
/* Proposes and waits; returns the status. */
int fx_commit(struct fx *fx, unsigned i, uint32_t value);
/* All running nodes have applied the same number n of commands, in the same order. */
bool fx_same(struct fx *fx, unsigned n);
bool fx_wait_same(struct fx *fx, unsigned n);
int fx_member_op(struct fx *fx, unsigned via, int kind, const char *name, const char *address, uint64_t *id, char *text,
                 size_t cap);
enum { FX_ADD = 1, FX_REMOVE, FX_TRANSFER };
void fx_remove_tree(const char *dir);

#endif
