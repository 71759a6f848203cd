/* The daemon from the inside: what its rooms (replica, calls, registrar, API backend) share. node/README.md says which thread
 * owns what. Everything here belongs to the core thread unless a line says otherwise; struct node lives as long as the process. */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include <pthread.h>
#include <sofia-sip/su_wait.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/version.h"
#include "core/core.h"
#include "node/config.h"
#include "raft/repl.h"

struct api_server;
struct http_client;
struct media_engine;
struct node_blobnet;
struct node_prompts;
struct node_recordings;
struct node_sounds;
struct node_spoken;
struct node_addresses;
struct node_api;
struct node_drain;
struct node_lease;
struct node_replica;
struct node_metrics;
struct node_post;
struct node_watch;
struct prompt_store;
struct sip_ua;
struct storage;

#define NODE_REALM "everline"

/* Calls of this node: see node/call.h. */
struct calls;

struct node {
    struct node_config cfg;
    uv_loop_t loop;
    su_root_t *root;
    bool stopping, stopped;
    bool leaving; /* SIGTERM: hands over what it has, then stops (node/drain.h) */
    bool removed; /* no member any more: what it has is the others' */
    int exit_code;

    struct storage *st;
    struct core *core;
    struct repl *repl;
    struct node_replica *replica;
    struct prompt_store *prompts;
    struct node_blobnet *blobnet;
    struct node_prompts *uploaded;
    struct node_recordings *recordings;
    struct node_sounds *sounds;
    struct node_spoken *spoken;
    struct media_engine *media;
    struct sip_ua *ua; /* NULL until the cluster's secrets are known */
    struct calls *calls;
    struct http_client *http;
    struct node_deliver *deliver;
    struct node_addresses *addresses;
    struct node_lease *lease;
    struct node_drain *drain;
    struct node_api *api;
    struct node_metrics *metrics;
    struct node_post *post;
    struct node_watch *watch;
    uint64_t started_us; /* wall clock */
};

/* ---- proposing (node/propose.c) */

/* status 0: committed and applied, `a` says whether it was accepted (a->code) and is valid during the callback. Negative: see
 * repl_req_cb; `a` is NULL. */
typedef void node_done_fn(void *ctx, int status, const struct core_answer *a);

/* Fills time, node and (when empty) actor and origin, packs and proposes. done may be NULL. Never calls back before it
 * returns; when it fails, done is not called. ERR_CONFLICT: a node with an older program would stop at it. The command's own memory stays the caller's. */
ERR_CHECKED int node_propose(struct node *n, Ev__Command *cmd, unsigned timeout_ms, node_done_fn *done, void *ctx);
/* As node_propose, for what may wait up to patience_ms for a command to travel with (repl_propose_later). */
ERR_CHECKED int node_propose_later(struct node *n, Ev__Command *cmd, unsigned timeout_ms, unsigned patience_ms,
                                   node_done_fn *done, void *ctx);
/* For proposals whose outcome nobody needs: logs a failure under `what`. */
void node_propose_quietly(struct node *n, Ev__Command *cmd, const char *what);

/* ---- work for the core thread from other threads (node/post.c) */

typedef void node_post_fn(struct node *n, void *ctx);
/* Any thread. 0, or ERR_BUSY when NODE_POST_MAX pieces of work wait already: the caller keeps ctx and says so to its client. */
#define NODE_POST_MAX 4096u
ERR_CHECKED int node_post(struct node *n, node_post_fn *fn, void *ctx);
/* For an answer that must arrive: the request that it answers embeds `w`, so there is always room and nothing can refuse it. It is
 * the core thread's again, with all of the request, when fn is called. As many wait as there are requests. Any thread. */
struct node_posted {
    struct list_node link;
    node_post_fn *fn;
    void *ctx;
};
void node_post_lend(struct node *n, struct node_posted *w, node_post_fn *fn, void *ctx);
ERR_CHECKED int node_post_init(struct node *n);
void node_post_close(struct node *n);
size_t node_post_waiting(struct node *n);

/* The time for whatever is replicated or held against it, in microseconds since 1970: the wall clock, unless the replicated
 * clock is ahead of it (some node's clock was wrong, or this one was set back). Then the replicated clock goes on, a little
 * slower than time itself until the wall clock has caught up, so that spans of time stay right. A wall clock that is far ahead
 * is not followed (core/core_clock.c): node_clock_us then says what it shows, for others to confirm, else 0. Core thread. */
uint64_t node_time_us(const struct node *n);
uint64_t node_clock_us(const struct node *n);

/* ---- whether this node may act (node/replica.c) */

/* 0, or the number of seconds after which a refused client may come again, with the reason in *why (static text). */
int node_refusal(struct node *n, const char **why);
/* Whether it could take calls if it were asked to: announced, SIP is up, the majority is heard. Draining, or having no address at
 * the moment, is another matter. */
bool node_fit(struct node *n);

/* Events up to `index` are in the database (node/apiback.c). */
void node_api_notify(struct node *n, uint64_t index);

/* Ends the process in order: legs are released, leadership handed over, files closed. Idempotent. */
void node_stop(struct node *n, int exit_code);

#endif
