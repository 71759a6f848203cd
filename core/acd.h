/* The queue engine: who serves whom.
 *
 * Pure and in memory: no I/O, no clock, no random source. Fed by apply (core/), rebuilt from the tables: what it decides depends
 * on who waits and who is available only, not on the order in which that was told. Cost of a decision does not depend
 * on how many agents or callers wait: ordered trees per queue, logarithmic.
 *
 * Rules of service. An agent is available between acd_agent_idle and acd_agent_gone. A call waits in one queue. Callers of a
 * queue are served by: returned to the very front first (unanswered offers; the latest returned first), then higher
 * priority, then earlier enqueued, then smaller id. The agent is chosen by the queue's strategy among its available members.
 * When one agent could serve several queues, the best head among them by the same order wins. Of equal agents, the smaller key.
 * No agent is ever in two offers, no call in two: acd_decide takes both out before it returns.
 *
 * Keys are dense numbers given by the caller (core maps names). Thread: any one. Memory: acd owns everything. Errors:
 * ERR_NOMEM leaves the engine unchanged, as does every other error; ERR_NOTFOUND / ERR_EXISTS / ERR_INVAL for misuse.
 * Limits: ACD_QUEUES_PER_AGENT_MAX queues per agent (ERR_TOOBIG). */
#ifndef CORE_ACD_H
#define CORE_ACD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct acd;

#define ACD_QUEUES_PER_AGENT_MAX 64u

enum acd_strategy {
    ACD_LONGEST_IDLE, /* least idle_since_us first; `level` plays no part */
};

ERR_CHECKED int acd_new(struct acd **out);
void acd_free(struct acd *a);
/* For tests and simulation: after this many further allocations each one fails. UINT64_MAX, as at the start: no limit. */
void acd_allocations(struct acd *a, uint64_t left);

/* Creates or changes. Waiting callers and members stay. ERR_INVAL: no such strategy. */
ERR_CHECKED int acd_queue_set(struct acd *a, uint32_t queue, enum acd_strategy strategy);
/* ERR_CONFLICT while callers wait in it. Memberships go with it. */
ERR_CHECKED int acd_queue_del(struct acd *a, uint32_t queue);
/* Creates or changes. An agent need not be made known in any other way. */
ERR_CHECKED int acd_member_set(struct acd *a, uint32_t queue, uint32_t agent, uint32_t level);
ERR_CHECKED int acd_member_del(struct acd *a, uint32_t queue, uint32_t agent);

/* The agent waits for calls since idle_since_us. Calling it again while available moves him to the new time. */
ERR_CHECKED int acd_agent_idle(struct acd *a, uint32_t agent, uint64_t idle_since_us);
/* Not available (talking, not ready, logged out, reserved by other means). Harmless if he was not. */
void acd_agent_gone(struct acd *a, uint32_t agent);

struct acd_call {
    uint64_t call;
    uint32_t queue;
    uint32_t priority;    /* higher first */
    uint64_t enqueued_us; /* wait clock: kept over offers and takeovers */
    uint64_t front;       /* 0, or a growing number given by the caller when it was returned to the very front */
};
/* ERR_EXISTS when it waits already. */
ERR_CHECKED int acd_enqueue(struct acd *a, const struct acd_call *call);
/* The caller left (hung up, moved on). ERR_NOTFOUND when not waiting. */
ERR_CHECKED int acd_dequeue(struct acd *a, uint64_t call);

struct acd_decision {
    uint64_t call;
    uint32_t queue, agent;
    struct acd_call was; /* to be given back to acd_enqueue (with a new `front`) if the offer fails */
};
/* Takes the next possible match out of the engine: the call no longer waits, the agent is gone. false: nothing to match. After each
 * change call it until it says false. Only what changed is looked at: cost is that of the matches found. Of several possible
 * matches the best head in the order of service comes first. */
bool acd_decide(struct acd *a, struct acd_decision *out);

/* Position 1..n of a waiting call in its queue, 0 if it does not wait. Logarithmic. */
uint32_t acd_position(const struct acd *a, uint64_t call);
uint32_t acd_waiting(const struct acd *a, uint32_t queue);
uint32_t acd_waiting_all(const struct acd *a); /* in all queues together */
uint32_t acd_available(const struct acd *a, uint32_t queue);
/* The i-th (0-based) waiting call of a queue in order of service; false past the end. Logarithmic. */
bool acd_waiting_at(const struct acd *a, uint32_t queue, uint32_t i, uint64_t *call);

/* Walks every structure and checks all invariants; for tests and simulation. 0 or ERR_CORRUPT with a text in info. */
int acd_check(const struct acd *a, struct err_info *info);

#endif
