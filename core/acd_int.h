/* Inside of the queue engine.
 *
 *   acd.queues ─► acd_queue ── waiting ─► acd_place   all its callers, in order of service: positions
 *                    │ ── lanes ──► acd_lane ── places ─► acd_place   callers with the same needs: the same agents can serve them
 *                    └─── cells ──► acd_cell ── agents ─► acd_member  available members whom nothing but the strategy tells apart
 *   acd.ready ─► acd_lane         lanes with a caller and somebody who can serve him, by their first caller
 *   acd.agents ─► acd_agent ── own ─► acd_lane   callers dedicated to him
 *   acd.waiters ─► acd_waiter, with its places
 *
 * Invariants (acd_check): a lane is in `ready` exactly when it holds a place and can be served, so the first of `ready` is the next
 * match and an empty `ready` proves that none is possible. `supply` of a lane counts the cells of its queue that hold somebody and
 * suit its needs. A cell lives while it has members, available or not, so that becoming available allocates nothing. A lane lives while
 * it has places. A member is in its cell's `agents` exactly when its agent is available. An agent that is neither available nor a
 * member nor in possession of anything else is forgotten.
 *
 * A lane's key in `ready` is its first place, kept in `head`, which acd_ready alone changes. */
#ifndef CORE_ACD_INT_H
#define CORE_ACD_INT_H

#include "base/list.h"
#include "core/acd.h"
#include "core/otree.h"

/* A set of skills, of agents or needed by calls; equal ones are one object. */
struct acd_set {
    struct otree_node by_content; /* acd.sets */
    uint32_t refs;
    unsigned n;
    struct acd_skill skills[ACD_SKILLS_MAX];
};

struct acd_order { /* of service */
    uint64_t front, call;
    int64_t deadline_us;
    uint64_t tie; /* places of one call: 0 its dedicated agent's, else queue key + 1 */
    bool vip;
};

struct acd_place {
    struct otree_node in_queue; /* acd_queue.waiting */
    struct otree_node in_lane;  /* acd_lane.places */
    struct acd_order order;
    struct acd_waiter *waiter;
    struct acd_queue *queue; /* NULL: the place with the dedicated agent */
    struct acd_lane *lane;   /* NULL: waits for its dedicated agent only */
};

struct acd_waiter {
    struct otree_node by_key; /* acd.waiters */
    struct acd_call call;
    struct acd_set *needs;
    struct acd_agent *dedicated; /* NULL: none */
    struct acd_place own;        /* in dedicated->own */
    struct acd_place places[ACD_PLACES_MAX];
};

struct acd_lane {
    struct otree_node by_key;  /* acd_queue.lanes */
    struct otree_node by_head; /* acd.ready */
    struct acd_place *head;    /* while in acd.ready */
    struct otree places;
    struct acd_queue *queue; /* NULL: of `agent` */
    struct acd_agent *agent;
    struct acd_set *needs;
    bool campaign;
    uint32_t supply;
};

struct acd_cell {
    struct otree_node by_key; /* acd_queue.cells */
    struct otree_node open;   /* acd_queue.open, while somebody is available */
    uint32_t level;
    uint64_t region; /* both 0 when the queue has no such preference */
    struct acd_set *skills;
    struct otree agents; /* acd_member.in_order */
    uint32_t members;
};

struct acd_queue {
    struct otree_node by_key; /* acd.queues */
    uint32_t key;
    struct acd_rules rules;
    uint32_t available, home; /* home: callers whose first queue it is */
    struct otree waiting, lanes, cells, open;
    struct list_node members; /* acd_member.of_queue */
};

struct acd_agent {
    struct otree_node by_key; /* acd.agents */
    uint32_t key;
    uint64_t region;
    bool available;
    struct acd_facts facts;
    struct acd_set *skills;
    unsigned n_members;
    struct list_node members; /* acd_member.of_agent */
    struct acd_lane own;
};

struct acd_member {
    struct otree_node in_order; /* acd_cell.agents, while the agent is available */
    uint64_t rank,
        idle_since_us; /* by which the strategy orders; beside the links: comparing touches one cache line an element */
    uint32_t agent_key, level;
    struct list_node of_queue, of_agent;
    struct acd_queue *queue;
    struct acd_agent *agent;
    struct acd_cell *cell, *next_cell;
};

struct acd {
    struct otree queues, agents, waiters, ready, sets;
    uint64_t allocations_left;
};

static inline int acd_cmp_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* ---- acd.c */
void *acd_alloc(struct acd *a, size_t bytes);
struct acd_queue *acd_find_queue(const struct acd *a, uint32_t key);
struct acd_agent *acd_find_agent(const struct acd *a, uint32_t key);
struct acd_waiter *acd_find_waiter(const struct acd *a, uint64_t call);
struct acd_member *acd_find_member(const struct acd_agent *agent, const struct acd_queue *q);
/* The existing agent or a new one, which the caller has to give a reason to stay, or to acd_forget. */
struct acd_agent *acd_need_agent(struct acd *a, uint32_t key);
void acd_forget(struct acd *a, struct acd_agent *agent);

/* ---- acd_set.c: a reference each, or NULL */
struct acd_set *acd_set_get(struct acd *a, const struct acd_skill *skills, unsigned n);
void acd_set_put(struct acd *a, struct acd_set *s);
bool acd_set_valid(const struct acd_skill *skills, unsigned n, unsigned max);
/* Whether somebody with `skills` has all that is needed; if not, *missing (unless NULL) is the first he lacks. */
bool acd_set_suits(const struct acd_set *needs, const struct acd_set *skills, struct acd_skill *missing);
int acd_set_cmp(const struct acd_set *x, const struct acd_set *y);
int acd_cmp_set(const struct otree_node *x, const struct otree_node *y);

/* ---- acd_wait.c: callers */
int acd_cmp_order(const struct acd_order *x, const struct acd_order *y);
int acd_cmp_place_in_queue(const struct otree_node *x, const struct otree_node *y);
int acd_cmp_place_in_lane(const struct otree_node *x, const struct otree_node *y);
int acd_cmp_lane(const struct otree_node *x, const struct otree_node *y);
int acd_cmp_ready(const struct otree_node *x, const struct otree_node *y);
void acd_lane_init(struct acd_lane *l);
/* After a change of the lane's places or of who can serve them, and before its first place is freed. */
void acd_ready(struct acd *a, struct acd_lane *l);
bool acd_can_be_served(const struct acd_lane *l);
struct acd_place *acd_first_place(const struct acd_lane *l);
/* The rules of the queue have changed: all places in their new order. */
void acd_reorder_places(struct acd *a, struct acd_queue *q);
void acd_drop_waiter(struct acd *a, struct acd_waiter *w);

/* ---- acd_cell.c: members in cells */
int acd_cmp_cell(const struct otree_node *x, const struct otree_node *y);
int acd_cmp_open(const struct otree_node *x, const struct otree_node *y);
int acd_cmp_member(const struct acd_member *x, const struct acd_member *y);
/* Finds or makes the cell for a member; a new one holds nothing: acd_cell_tidy frees it if it is left so. */
struct acd_cell *acd_cell_for(struct acd *a, const struct acd_rules *rules, struct otree *cells, uint32_t level,
                              const struct acd_agent *agent);
void acd_cell_tidy(struct acd *a, struct otree *cells, struct acd_cell *cell);
void acd_make_available(struct acd *a, struct acd_member *m);
void acd_make_unavailable(struct acd *a, struct acd_member *m);

/* ---- acd_choose.c */
struct acd_choice {
    struct acd_member *member;
    enum acd_why why;
    uint32_t candidates;
};
/* The best available member for the call; there is one. */
struct acd_choice acd_choose_from(const struct acd *a, const struct acd_queue *q, const struct acd_waiter *w);

#define ACD_WEIGHTS ACD_PREFERENCES
/* By the preferences, for a member who is not the last to have served the call: smaller is better. */
void acd_weigh(const struct acd_rules *r, const struct acd_call *call, uint32_t level, uint64_t region,
               bool last_served, uint32_t out[ACD_WEIGHTS]);
int acd_cmp_weights(const uint32_t x[ACD_WEIGHTS], const uint32_t y[ACD_WEIGHTS]);

#endif
