/* The queue engine: who serves whom.
 *
 * Pure and in memory: no I/O, no clock, no random source. Fed by apply (core/), rebuilt from the tables: what it decides depends
 * on who waits and who is available only, not on the order in which that was told.
 *
 * The rule, whole: the first place in the order of service that somebody can serve is served, by the best of those who can.
 *
 * Order of service. A caller has a place in each queue he waits in, his home queue and those he has overflowed to. Places are
 * ordered by: returned to the very front (unanswered offers, the latest returned first); VIP; deadline; call id; then, for places of one
 * call, queue key. Deadline = time of enqueueing + the queue's service target - priority times the queue's ageing: a step of priority is worth
 * that much waiting, so whoever is neither VIP nor at the front is passed only by callers who come less than
 *     (largest priority - his) * ageing + (his target - smallest target)
 * after him: that is the bound on starvation. Ageing 0 stands for ACD_STRICT_US a step: priority is absolute in practice.
 *
 * Who can serve. An agent is available between acd_agent_idle and acd_agent_gone. An available agent can serve a place when he is a
 * member of its queue and has every skill that the call needs, at its level at least; a campaign's call only while more than
 * `keep_idle` members of the queue are available. The agent whom a call is dedicated to can serve it without being a member
 * or having the skills; until acd_release nobody else can if it says only_dedicated.
 *
 * Who is best. The dedicated agent; else by the queue's preferences in their order (region: the call's own region before others; level:
 * higher first; last served: the agent who served this caller last), then by its strategy, then longest idle, then smaller key.
 * Random draws from all who are equal by the preferences, with call id and number of offers as the only source.
 * Ring all takes up to ring_max of them, best first. No agent is ever in two decisions, no call in two: acd_decide takes all out
 * before it returns.
 *
 * Cost. Trees all over: logarithmic in agents and callers. A decision also looks at each group of available members that differ in level
 * (if preferred), region (if preferred) or skills; a group that gets its first or loses its last available member is compared
 * with each kind of need that waits in the queue. Kinds of both are few; the worst case is as many groups as available agents.
 *
 * Keys of queues and agents are dense numbers given by the caller, those of skills and regions any numbers (core maps names). Thread: any one. Memory: acd owns everything. Errors:
 * ERR_NOMEM leaves the engine unchanged, as does every other error; ERR_NOTFOUND / ERR_EXISTS / ERR_INVAL for misuse. */
#ifndef CORE_ACD_H
#define CORE_ACD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct acd;

#define ACD_QUEUES_PER_AGENT_MAX 64u
#define ACD_PLACES_MAX 4u  /* queues that a call waits in at once */
#define ACD_SKILLS_MAX 16u /* of an agent */
#define ACD_NEEDS_MAX 4u   /* of a call */
#define ACD_RING_MAX 32u   /* agents that one call rings at once */
#define ACD_PRIORITY_MAX 1000u
#define ACD_STRICT_US (UINT64_C(1) << 40) /* 12.7 days */
#define ACD_NOBODY UINT32_MAX             /* no agent */

enum acd_strategy {
    ACD_LONGEST_IDLE,    /* least idle_since_us */
    ACD_LOGIN_ORDER,     /* least login_us */
    ACD_FEWEST_ANSWERED, /* least answered */
    ACD_RANDOM,
    ACD_ROUND_ROBIN,    /* least last_offer: one after the other */
    ACD_LEAST_OCCUPIED, /* least occupied_us */
    ACD_RING_ALL,       /* up to ring_max at once */
    ACD_STRATEGIES
};
enum acd_preference { ACD_BY_REGION, ACD_BY_LEVEL, ACD_BY_LAST_SERVED, ACD_PREFERENCES };

struct acd_rules {
    enum acd_strategy strategy;
    unsigned n_preferences;
    enum acd_preference preferences[ACD_PREFERENCES]; /* each at most once, the first weighs most */
    uint64_t ageing_us; /* what a step of priority is worth, at most ACD_STRICT_US; 0: that */
    uint64_t target_us; /* service target; at most a day */
    uint32_t keep_idle;
    uint32_t ring_max; /* 1 to ACD_RING_MAX; only ACD_RING_ALL looks at it */
};
struct acd_skill {
    uint64_t skill;
    uint32_t level;
};

ERR_CHECKED int acd_new(struct acd **out);
void acd_free(struct acd *a);
/* For tests and simulation: after this many further allocations each one fails. UINT64_MAX, as at the start: no limit. */
void acd_allocations(struct acd *a, uint64_t left);

/* Creates or changes. Waiting callers and members stay, in the new order. ERR_INVAL: a rule out of its range. */
ERR_CHECKED int acd_queue_set(struct acd *a, uint32_t queue, const struct acd_rules *rules);
/* ERR_CONFLICT while callers wait in it. Memberships go with it. */
ERR_CHECKED int acd_queue_del(struct acd *a, uint32_t queue);
/* Creates or changes. An agent need not be made known in any other way. ERR_TOOBIG: in too many queues. */
ERR_CHECKED int acd_member_set(struct acd *a, uint32_t queue, uint32_t agent, uint32_t level);
ERR_CHECKED int acd_member_del(struct acd *a, uint32_t queue, uint32_t agent);
/* The queues that he is a member of: how many. */
unsigned acd_queues_of(const struct acd *a, uint32_t agent, uint32_t out[ACD_QUEUES_PER_AGENT_MAX]);
/* Region (0: none) and skills, in all his queues. Skills are ascending and distinct, else ERR_INVAL. */
ERR_CHECKED int acd_agent_set(struct acd *a, uint32_t agent, uint64_t region, const struct acd_skill *skills,
                              unsigned n);

struct acd_facts {
    uint64_t idle_since_us, login_us, answered, occupied_us, last_offer;
};
/* The agent waits for calls. Calling it again while available moves him to his new place. */
ERR_CHECKED int acd_agent_idle(struct acd *a, uint32_t agent, const struct acd_facts *facts);
/* Not available (talking, not ready, logged out, reserved by other means). Harmless if he was not. */
void acd_agent_gone(struct acd *a, uint32_t agent);

struct acd_call {
    uint64_t call;
    uint64_t enqueued_us; /* wait clock: kept over offers and takeovers */
    uint64_t front;       /* 0, or a growing number given by the caller when it was returned to the very front */
    uint64_t region;      /* of the caller; 0: not known */
    uint32_t priority;    /* higher first, at most ACD_PRIORITY_MAX */
    uint32_t dedicated;   /* agent, or ACD_NOBODY */
    uint32_t last_agent;  /* who served him last, or ACD_NOBODY */
    uint32_t offers;      /* how often it has been offered */
    bool vip, campaign, only_dedicated;
    unsigned n_needs, n_queues;
    struct acd_skill needs[ACD_NEEDS_MAX]; /* ascending and distinct; `level` is the least that will do */
    uint32_t queues[ACD_PLACES_MAX];       /* distinct; the first is its home */
};
/* All fields empty but these. */
struct acd_call acd_call_in(uint64_t call, uint32_t queue, uint64_t enqueued_us);
/* ERR_EXISTS when it waits already. */
ERR_CHECKED int acd_enqueue(struct acd *a, const struct acd_call *call);
/* One more queue for a waiting call. ERR_TOOBIG: in ACD_PLACES_MAX already. ERR_EXISTS: in this one already. */
ERR_CHECKED int acd_overflow(struct acd *a, uint64_t call, uint32_t queue);
/* Its dedicated agent has had his time: anybody may serve it now. */
ERR_CHECKED int acd_release(struct acd *a, uint64_t call);
/* The caller left (hung up, moved on). ERR_NOTFOUND when not waiting. */
ERR_CHECKED int acd_dequeue(struct acd *a, uint64_t call);

/* The deadline in the order of service above. */
int64_t acd_deadline_us(const struct acd_call *call, const struct acd_rules *rules);

/* The draw of ACD_RANDOM: the chosen one is number acd_draw() modulo how many are equal, counted by region (if preferred), skills and key. */
uint64_t acd_draw(uint64_t call, uint32_t offers);

/* What decided between the agent and the next best. */
enum acd_why {
    ACD_WHY_DEDICATED,
    ACD_WHY_ONLY_ONE,
    ACD_WHY_REGION,
    ACD_WHY_LEVEL,
    ACD_WHY_LAST_SERVED,
    ACD_WHY_STRATEGY
};

struct acd_decision {
    uint64_t call;
    uint32_t queue;
    unsigned n_agents; /* 1, but for ACD_RING_ALL */
    uint32_t agents[ACD_RING_MAX];
    enum acd_why why;    /* of the first */
    uint32_t candidates; /* who could have served it, the chosen among them; 1 for the dedicated agent */
    struct acd_call was; /* to be given back to acd_enqueue (with a new `front`) if the offer fails */
};
/* Takes the next possible match out of the engine: the call no longer waits, its agents are gone. false: nothing to match, *out untouched.
 * After each change call it until it says false. Only what changed is looked at: cost is that of the matches found. */
bool acd_decide(struct acd *a, struct acd_decision *out);

/* Position 1..n of a waiting call in its home queue, 0 if it does not wait. Logarithmic. */
uint32_t acd_position(const struct acd *a, uint64_t call);
/* The same in the i-th queue that it waits in, whose key is *queue; 0: past the last. */
uint32_t acd_place(const struct acd *a, uint64_t call, unsigned i, uint32_t *queue);
uint32_t acd_waiting(const struct acd *a, uint32_t queue);
/* Whose home it is: without those who have overflowed to it. */
uint32_t acd_waiting_home(const struct acd *a, uint32_t queue);
/* Calls that are dedicated to the agent. */
uint32_t acd_waiting_own(const struct acd *a, uint32_t agent);
uint32_t acd_waiting_all(const struct acd *a); /* in all queues together */
uint32_t acd_available(const struct acd *a, uint32_t queue);
/* The i-th (0-based) waiting call of a queue in order of service; false past the end. Logarithmic. */
bool acd_waiting_at(const struct acd *a, uint32_t queue, uint32_t i, uint64_t *call);
/* How the call waits. false: it does not. */
bool acd_waits(const struct acd *a, uint64_t call, struct acd_call *out);

/* ---- for people: linear in the members of the queue */
enum acd_verdict {
    ACD_CAN,
    ACD_NOT_AVAILABLE,
    ACD_UNSKILLED, /* `missing` says what */
    ACD_KEPT_IDLE, /* kept for inbound calls */
    ACD_NOT_HIS,   /* the call waits for its dedicated agent */
};
struct acd_candidate {
    uint32_t agent, level;
    uint64_t region;
    enum acd_verdict verdict;
    struct acd_skill missing;
    bool dedicated, last_served, same_region;
    struct acd_facts facts; /* while available */
};
/* Those who could serve the call in this queue of its, in the order in which they would be chosen (Random: by key), then the other
 * members by key. Returns how many there are, of which at most `max` were written; 0 when the call does not wait there or memory is
 * short. */
unsigned acd_explain(const struct acd *a, uint64_t call, uint32_t queue, struct acd_candidate *out, unsigned max);
/* false: no such queue. */
bool acd_rules_of(const struct acd *a, uint32_t queue, struct acd_rules *out);

/* Walks every structure and checks all invariants; for tests and simulation. 0 or ERR_CORRUPT with a text in info. */
int acd_check(const struct acd *a, struct err_info *info);

#endif
