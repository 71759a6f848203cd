/* Shared inside core/ only: the state in memory, and who changes it.
 *
 * Memory. Everything here is rebuilt from the tables by core_load. Objects changed by commands are put on a dirty list and
 * written once, when the entry ends, however many of its commands touched them.
 * Allocation. A committed command cannot be refused on one node only: when memory runs out inside apply the process ends
 * (core_oom); it starts again from its tables and the log.
 * Determinism. Nothing here depends on the order of a hash map, on an address, or on a clock. */
#ifndef CORE_CORE_INT_H
#define CORE_CORE_INT_H

#include <stdarg.h>

#include "base/list.h"
#include "base/map.h"
#include "core/acd.h"
#include "core/config_json.h"
#include "core/core.h"
#include "core/estimate.h"
#include "core/number_list.h"
#include "core/queue_rules.h"
#include "storage/storage.h"

#define CORE_NAME_MAX 64u     /* bytes of a key, with the NUL */
#define CORE_REASON_MAX 64u   /* with the NUL */
#define CORE_BINDINGS_MAX 10u /* of one extension; the oldest gives way */
#define CORE_DIAL_RING_S 30u  /* ring time outside queues */
#define CORE_DIAL_RING_MAX_S 600u
#define CORE_EVENTS_KEPT 100000u
#define CORE_IDEM_KEPT 100000u
#define CORE_IDEM_AGE_US (24ull * 3600 * 1000000)
#define CORE_IDEM_EVERY 1024u /* keyed commands between trims that no tick asked for */
#define CORE_LEGS_MAX 4u
#define CORE_JOIN_LEFT_S 5u     /* nobody joins a ring that is over sooner */
#define CORE_LISTED_MAX 100000u /* entries of the blacklist; of all VIP lists */
#define CORE_IP_MAX 46u
#define CORE_CALLBACKS_MAX 20000u
#define CORE_CALLBACK_AHEAD_US (366ull * 24 * 3600 * 1000000)
#define CORE_NOTE_MAX 200u /* bytes */

/* ---- small tools (core_util.c) */
void *core_alloc(size_t bytes); /* zeroed; never NULL */
void *core_grow(void *p, size_t bytes);
char *core_dup(const char *s);
void core_oom(void) __attribute__((noreturn));
/* Sets a string field of a protobuf message. */
void core_pbset(char **field, const char *s);
bool core_fits(const char *s, size_t max);    /* 1 to max - 1 bytes */
void core_id_text(uint64_t id, char out[17]); /* 16 hexadecimal digits */
/* For storage_query, which then says 1: the number in the first column into a uint64_t; merely that there is a row. */
int core_row_number(void *ctx, const struct storage_row *row);
int core_row_some(void *ctx, const struct storage_row *row);

struct sbuf {
    char *p;
    size_t len, cap;
};
void sbuf_add(struct sbuf *b, const char *s, size_t n);
void sbuf_puts(struct sbuf *b, const char *s);
void sbuf_uint(struct sbuf *b, uint64_t v);
void sbuf_hex64(struct sbuf *b, uint64_t v);
/* "text" with quotes and escapes. */
void sbuf_str(struct sbuf *b, const char *s);
/* ,"key":"value" (without the comma after an opening brace) */
void sbuf_kv(struct sbuf *b, const char *key, const char *value);
void sbuf_kv_uint(struct sbuf *b, const char *key, uint64_t value);
void sbuf_kv_id(struct sbuf *b, const char *key, uint64_t value);
void sbuf_free(struct sbuf *b);

/* Binary heap by (due, tie); the element embeds the item. Ties are unique numbers, so the order is total. */
struct heap_item {
    uint64_t due, tie;
    size_t at; /* place + 1; 0: not in the heap */
};
struct heap {
    struct heap_item **v;
    size_t n, cap;
};
void heap_set(struct heap *h, struct heap_item *it, uint64_t due, uint64_t tie);
void heap_remove(struct heap *h, struct heap_item *it);
static inline struct heap_item *heap_top(const struct heap *h)
{
    return h->n ? h->v[0] : NULL;
}

/* ---- objects */
struct cfg {
    enum cfg_kind kind;
    char name[CORE_NAME_MAX];
    uint32_t key; /* dense number for the queue engine: agents and queues */
    uint64_t version, updated_us;
    ProtobufCMessage *msg;
    uint8_t *packed;
    size_t packed_len;
    struct refs *refs; /* of a flow or a draft, once somebody has asked (core_refs.c) */
};

struct binding {
    struct list_node link;   /* of its extension, newest first */
    struct heap_item expiry; /* tie: id */
    struct ext *ext;
    char *key, *uri, *flow, *node, *instance, *path, *user_agent, *call_id, *events;
    uint32_t reg_id, cseq;
    uint64_t id, expires_us;
};

/* What is going on at a telephone. Exists while there is a reason. */
struct ext {
    char number[CORE_NAME_MAX];
    struct agent *agent; /* logged in here */
    struct list_node bindings;
    unsigned n_bindings;
    unsigned n_subscriptions; /* of its own */
    unsigned watched;         /* subscriptions to what is going on at it */
    uint64_t let_go_us;       /* core_let_go_us */
    struct call **calls;      /* live calls it takes part in, caller's or callee's side */
    unsigned n_calls, cap_calls;
};

struct agent {
    struct core_agent pub;
    uint32_t key;
    char number[CORE_NAME_MAX], extension[CORE_NAME_MAX], reason[CORE_REASON_MAX];
    struct ext *ext;        /* where logged in */
    bool ready;             /* what he is when no call or wrap-up says otherwise */
    bool logout;            /* after this call */
    struct heap_item wrap;  /* tie: key */
    struct heap_item skill; /* when the next of his skills ends; tie: key */
    bool equipped;          /* the engine knows a region or skills of his */
    uint64_t occupied_us;   /* ringing, talking and in wrap-up since login, while a queue's strategy goes by it */
    uint64_t last_offer;    /* the latest of a round robin, 0 none since login */
    struct list_node dirty;
    bool told;              /* CORE_EV_AGENT of this entry is out */
    Ev__AgentWork *work;    /* NULL: nothing yet, or feature level below 3 */
    struct team *team;      /* core_team.c; NULL: in no queue, or not asked for */
    bool works;             /* how he is counted in it */
    struct heap_item limit; /* of work->until_us; tie: key */
    const char *cause;      /* while his state is changed: why, for its event; NULL: somebody asked for it */
};

struct queue {
    char name[CORE_NAME_MAX];
    uint32_t key;
    struct acd_rules rules;
    struct list_node dirty;   /* waiting list changed in this entry */
    struct list_node ringing; /* calls offered from it, the earliest first, then by id (struct call.ringing) */
    /* core_wait.c */
    uint32_t logged_in;           /* members */
    uint64_t empty_since_us;      /* nobody of them is, since then; 0 also while no rule asks */
    struct list_node state_dirty; /* its row of queue_state changed in this entry */
    struct estimate_history history;
    struct estimate estimate; /* as at `estimated`, which counts changes of the state (core.serial); 0: none yet */
    uint64_t estimated;
    uint32_t callbacks;  /* of those who wait in it: rows of core_callback.c */
    struct team **teams; /* that have it (core_team.c) */
    unsigned n_teams;
};

struct call {
    struct core_call pub; /* pointers into st */
    Ev__CallState *st;
    struct ext *caller, *callee; /* callee: who talks, or the first of those who are rung */
    struct core_offer *rung;     /* pub.offers, when there are several */
    struct list_node dirty, ringing;
    struct list_node parties,
        party; /* core_join.c: calls that are joined to this one, by id; among those of another one */
    bool stored, told;
    size_t order;          /* place in core.sorted */
    struct heap_item wait; /* when something of a waiting caller falls due; tie: id */
    uint64_t look_us;      /* when his estimated wait is looked at: core_wait.c */
};

/* Somebody who is to be called back (core_callback.c). */
struct callback {
    Ev__CallBack *st;
    struct call
        as; /* how he waits: for those who ask about whoever waits. In no table, on no list; st points into ours */
    struct heap_item due; /* tie: id */
    struct list_node dirty;
    bool waits; /* in the engine */
};

struct subscription {
    struct core_subscription pub; /* points into st */
    Ev__Subscription *st;
    struct list_node link;   /* core.subscriptions */
    struct heap_item expiry; /* tie: id */
    struct ext *ext, *of;    /* whose it is; whose calls it tells of, else NULL */
};

struct node {
    struct core_node pub;
    Ev__NodeUp *msg;
    bool draining;
    unsigned calls, held; /* while somebody is chosen: calls owned, addresses held */
    struct list_node dirty;
};

struct address {
    struct core_address pub;
    char ip[CORE_IP_MAX], home[CORE_NAME_MAX], holder[CORE_NAME_MAX], target[CORE_NAME_MAX], why[128];
    struct list_node dirty;
};

struct session { /* stored as they are, in the order of first appearance: 24 bytes each, little-endian */
    uint64_t origin, incarnation, last_seq;
};

struct core {
    struct storage *st;
    struct core_hooks hooks;
    /* counters of table "applied" */
    uint64_t index, term, now_us, feature_level, front, offer_seq, binding_seq, cdr_seq, idem_seq, events_kept,
        calls_total;
    uint64_t idem_oldest_us;
    bool has_cluster;
    char cluster_id[33];
    uint8_t nonce_key[32], identifier_key[32];

    struct map cfg[CFG_KINDS];
    struct map agents, queues, exts, calls, nodes;
    struct map callbacks;        /* u64 -> struct callback */
    struct map callback_numbers; /* queue and number -> struct callback */
    struct agent **agent_by_key;
    struct queue **queue_by_key;
    uint32_t agent_keys, queue_keys;
    struct call **sorted; /* by id, made when asked for */
    size_t n_sorted;
    bool sorted_ok;
    struct node **node_list; /* by name */
    size_t n_nodes;
    struct address **addresses; /* by text */
    size_t n_addresses;
    struct session *sessions;
    size_t n_sessions;
    struct heap wraps, expiries, skills, limits, waits, callbacks_due, subscriptions_due;
    struct list_node subscriptions;  /* struct subscription, by id */
    struct map subscriptions_by_id;  /* u64 */
    struct map subscriptions_by_tag; /* our tag */
    uint32_t least_occupied;         /* queues whose strategy goes by occupied_us */
    uint32_t ring_alls;              /* queues that ring several at once */
    bool joins;   /* somebody has become idle, or somebody rings no more: there may be one to join a ring */
    bool relevel; /* levels of agents have changed that queues may go by */
    struct acd *acd;
    struct number_list black[2]; /* by enum core_call_direction; of Ev__BlacklistEntry */
    struct map vips;             /* queue, "" for the global one: struct number_list of Ev__VipEntry */
    struct map customers;        /* number -> struct agent whose customer has it */
    struct map teams;            /* core_team.c: derived from the memberships, when asked for */
    bool teams_made;
    struct lookup *lookup;        /* core_lookup.c: derived from the configuration, NULL: to be made anew */
    struct notice_index *notices; /* core_notice.c: likewise */
    struct map forwards;          /* core_forward.c: likewise; empty: to be made */
    bool forwards_made;
    uint32_t talking, registrations;
    uint32_t nexts;              /* core_next.c */
    struct list_node recordings; /* struct recording, in the order in which they began */
    struct map recordings_by_id; /* u64 -> struct recording */
    struct list_node deliveries; /* struct delivery: what is to be told of messages outside */
    unsigned n_deliveries;
    uint64_t recording_oldest_us; /* of calls, kept and not on hold; 0: none */
    uint64_t recording_bytes;     /* of calls, all that are kept */
    uint64_t message_oldest_us;   /* of those that were kept; 0: none */
    uint64_t serial;              /* grows with each command, and when an entry is done */

    /* the entry at hand */
    const Ev__Command *cmd;
    struct core_answer *ans;
    struct core_answer **answers;
    unsigned n_answers;
    struct core_event *ev;
    unsigned n_ev, cap_ev;
    struct list_node dirty_calls, dirty_agents, dirty_queues, dirty_queue_states, dirty_nodes, dirty_addresses,
        dirty_callbacks;
    struct sbuf events; /* JSON array in the making */
    unsigned n_events;
    uint32_t audit_n;
    uint8_t *buf; /* for packing */
    size_t buf_cap;
    int stop; /* this program cannot go on: returned by core_apply */
    uint64_t commands_total, refused_total;
};

/* ---- core.c */
/* Refuses the command at hand: fills its answer and returns the code. */
int core_refuse(struct core *c, int code, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
uint8_t *core_packed(struct core *c, const ProtobufCMessage *m, size_t *len);

/* ---- core_load.c */
int core_load(struct core *c, struct err_info *info);
void core_unload(struct core *c);

/* ---- core_event.c */
void core_tell(struct core *c, enum core_event_type type, uint64_t call_id, const char *kind, const char *name);
/* Opens an event of the stream; the caller adds key-value pairs of `data` to the buffer and calls core_ev_end. */
struct sbuf *core_ev_begin(struct core *c, const char *type, const char *subject_kind, const char *subject);
void core_ev_end(struct core *c);
struct sbuf *core_ev_call_begin(struct core *c, const char *type, const struct call *k);
void core_ev_call(struct core *c, const char *type, const struct call *k);
void core_events_flush(struct core *c);
void core_events_reset(struct core *c);

/* ---- core_audit.c */
void core_audit(struct core *c, const char *action, const char *object, const char *before, const char *after,
                int code);
/* After a command: one row if a person or token caused it and the command has not written its own. */
void core_audit_command(struct core *c);

/* ---- core_idem.c */
/* true: the key is known and the answer filled. */
bool core_idem_find(struct core *c, const char *key, uint64_t body_hash);
void core_idem_keep(struct core *c, const char *key, uint64_t body_hash);
void core_idem_trim(struct core *c, bool force);
uint64_t core_idem_hash(struct core *c);

/* ---- core_flow.c */
/* Replaces what the call needs in queues, unless there are none. */
void core_call_set_needs(Ev__CallState *s, size_t n, Ev__SkillNeed *const *needs);
/* From level 3 on: the call has begun its flow, in the version that is live now; of NAME@draft in the draft, if there is one. */
void core_flow_began(const struct core *c, Ev__CallState *s);
/* Before a flow or a draft is replaced or removed. Of a flow CORE_FLOW_VERSIONS_KEPT former versions stay, of a draft none; but
 * all that a call is in. */
#define CORE_FLOW_VERSIONS_KEPT 20u
void core_flow_keep(struct core *c, const struct cfg *o);
/* The call is over, and no longer in the table: former drafts that it alone was in go. */
void core_flow_left(struct core *c, const Ev__CallState *s);
/* The part of CallMenu that came with level 3. */
void core_flow_moved(Ev__CallState *s, const Ev__CallMenu *m, uint64_t level);
/* The level that a flow takes; 3 also when it is none, 4 when it records or tells notices. */
uint32_t core_flow_level(const char *definition);

/* ---- core_config.c */
int core_config_apply(struct core *c, const Ev__ConfigApply *m);
struct cfg *core_cfg(const struct core *c, enum cfg_kind kind, const char *name);
void core_cfg_free(struct cfg *o);
/* Puts an object that passed all checks in place (memory and engine, no table). Takes it over. */
void core_cfg_install(struct core *c, struct cfg *o);
/* The customers of the agent, as configured from now on: his former ones are nobody's. a NULL: he goes. */
void core_customers_set(struct core *c, struct agent *a, const Ev__Agent *old, const Ev__Agent *now);
/* ---- core_refs.c: `get` answers what will be there after the change */
struct cfg_change {
    struct core *c;
    struct map set[CFG_KINDS];    /* name -> struct cfg, new state */
    struct map remove[CFG_KINDS]; /* name -> any */
    struct map built_in;          /* names of prompts that there are anyhow */
    struct refs_users *users;     /* who names what is removed; NULL: not asked yet */
};
const ProtobufCMessage *core_refs_get(const struct cfg_change *ch, enum cfg_kind kind, const char *name);
/* 0 or a refusal (ERR_CONFLICT or ERR_INVAL). `path` is the prefix of field names. */
int core_refs_check_set(struct cfg_change *ch, struct cfg *o, const char *path);
int core_refs_check_remove(struct cfg_change *ch, const struct cfg *o);
int core_refs_check_limits(struct cfg_change *ch);
/* core_notice.c: how deep areas lie within each other, whose numbers are whose, and how many there may be. */
int core_notice_check_change(struct cfg_change *ch);

/* ---- core_lookup.c */
void core_lookup_drop(struct core *c);

/* ---- core_numbers.c: blacklist and VIPs; for objects of other kinds put and drop do nothing */
void core_numbers_put(struct core *c, const struct cfg *o);
void core_numbers_drop(struct core *c, const struct cfg *o);
void core_numbers_free(struct core *c);
/* The call enters the queue that its state names, which is there: whether it goes first in it, and why. All that makes a caller a VIP
 * of a queue is here. */
void core_vip_decide(const struct core *c, Ev__CallState *s);

/* ---- core_notice.c */
/* An object of this kind has come, changed or gone. */
void core_notice_changed(struct core *c, enum cfg_kind kind);
const struct notice_index *core_notice_index(const struct core *c);
/* It is removed: what was counted goes with it. */
void core_notice_forget(struct core *c, const char *name);
/* A call that has begun and is answered: whether it hears notices before core_call_lead. */
bool core_notice_begin(struct core *c, struct call *k);
int core_call_notices(struct core *c, const Ev__CallNotices *m);
int core_call_notice(struct core *c, const Ev__CallNotice *m);
int core_call_wait_notice(struct core *c, const Ev__CallWaitNotice *m);
/* [{"name": ..., "how": ...}] of what the caller has been told. */
void core_notices_json(struct sbuf *b, const Ev__CallState *s);

/* ---- core_clock.c */
void core_clock_advance(struct core *c, const Ev__Command *cmd);

/* ---- core_node.c */
int core_node_up(struct core *c, const Ev__NodeUp *m);
int core_node_down(struct core *c, const Ev__NodeDown *m);
int core_node_forget(struct core *c, const Ev__NodeForget *m);
int core_cluster_init(struct core *c, const Ev__ClusterInit *m);
int core_feature(struct core *c, const Ev__FeatureLevel *m);
int core_cluster_operation(struct core *c, const Ev__ClusterOperation *m);
void core_node_link(struct core *c, struct node *n);
void core_node_publish(struct node *n);
void core_node_free(struct node *n);
struct node *core_node_obj(const struct core *c, const char *name);
/* Row, CORE_EV_NODE, and an event of the stream unless it is NULL. */
void core_node_touch(struct core *c, struct node *n, const char *event);

/* ---- core_reg.c */
int core_register(struct core *c, const Ev__Register *m);
void core_reg_expire(struct core *c);
void core_reg_add(struct core *c, struct binding *b); /* memory only */
void core_reg_drop(struct core *c, struct binding *b, bool row);
void core_reg_drop_all(struct core *c, const char *extension);
struct ext *core_ext(struct core *c, const char *number); /* made when missing */
struct ext *core_ext_find(const struct core *c, const char *number);
void core_ext_tidy(struct core *c, struct ext *e); /* frees it when nothing needs it */
bool core_reachable(const struct core *c, const char *extension);

/* ---- core_agent.c */
int core_agent_set(struct core *c, const Ev__AgentSet *m);
/* Works out the agent's state from readiness, calls and wrap-up; the only place that changes it. */
void core_agent_refresh(struct core *c, struct agent *a);
/* His row is written when the entry ends. */
void core_agent_touch(struct core *c, struct agent *a);
void core_agent_wrap_ups(struct core *c);
/* Region and skills of his configuration, as they are now, to the engine. */
void core_agent_equip(struct core *c, struct agent *a);
void core_agent_skills_expire(struct core *c);
/* He is idle: to the engine with all that strategies go by. */
ERR_CHECKED int core_agent_offer_up(struct core *c, const struct agent *a);
/* Ready again by the clock, not by his choice. */
void core_agent_make_ready(struct core *c, struct agent *a);
void core_agent_logout(struct core *c, struct agent *a);
void core_agent_unready(struct core *c, struct agent *a, const char *reason);
/* His telephone can be reached again. */
void core_agent_reachable(struct core *c, struct ext *e);
struct agent *core_agent_obj(const struct core *c, const char *number);
struct agent *core_agent_new(struct core *c, const char *number, uint32_t key);
void core_agent_free(struct core *c, struct agent *a);
void core_agents_flush(struct core *c);

/* ---- core_state.c: what agents choose to be, how long they may and did; nothing of it below feature level 3 */
struct core_choice {
    bool ready;
    const char *name, *reason;
};
enum core_chosen_by { CORE_BY_AGENT, CORE_BY_SUPERVISOR, CORE_BY_SYSTEM };
/* What the command asks for, or a refusal. */
int core_state_choose(struct core *c, const struct agent *a, const Ev__AgentSet *m, struct core_choice *out);
/* He is (a->ready) or is not ready now, by this state; before core_agent_refresh. */
void core_state_chosen(struct core *c, struct agent *a, const char *name, enum core_chosen_by by);
int core_state_extend(struct core *c, struct agent *a, const Ev__AgentSet *m);
/* For core_agent_refresh: his state is `s` from now on. */
void core_state_settle(struct core *c, struct agent *a, enum core_agent_state s);
void core_state_watch(struct core *c, struct agent *a); /* the clock looks at his limit, as it stands */
void core_state_limits(struct core *c);
void core_state_login(struct core *c, struct agent *a);
/* The call ends that he served: his wrap-up, before his telephone is free. */
void core_state_wrap_up(struct core *c, const struct call *k);
const char *core_state_name(const struct agent *a); /* of one who is not ready */
bool core_state_in_use(const struct core *c, const char *name, const char **agent);

#include "core/core_call_int.h"

/* ---- core_action.c: 0, and the call is on its way; else it is as it was, outside the engine. reason: "max_wait", "queue_full", ...,
 * for the event and the record. */
int core_action_do(struct core *c, struct call *k, const Ev__Action *a, const char *reason);
/* The caller is told nothing more: who is not answered yet need not be. */
bool core_action_only_ends(const Ev__Action *a);

/* ---- core_wait.c: what falls due for callers who wait */
/* As the call and its queue are now. */
void core_wait_set(struct core *c, struct call *k);
/* He has come to wait: looked at by what his queue says of estimated waits, once those who can be served are. Before core_wait_set. */
void core_wait_look(struct core *c, struct call *k);
/* He has come to another queue: what that one says has not been done yet. */
void core_wait_enter(struct core *c, struct call *k);
/* Whether he waits for his own agent alone. */
bool core_wait_for_own(const struct core *c, const struct call *k);
/* Not any more: that agent was rung in vain. Before the call is enqueued. */
void core_wait_own_done(struct call *k);
/* Nor is it tried again to send him away. */
void core_wait_actions_done(struct call *k);
/* Somebody has come to wait there: others may stand behind a place now that leads to overflow. */
void core_wait_pushed(struct core *c, const struct queue *q);
/* The caller has pressed a key of his queue: 0 (also when the action cannot be done: he goes on waiting) or a refusal. */
int core_wait_choose(struct core *c, struct call *k, const char *key);
/* Does what is due first; false: nothing is. The engine may find matches after it. */
bool core_wait_due(struct core *c);
/* Rules of waiting in their order, for people: false past the last. *due_us: UINT64_MAX while it does not run. */
bool core_wait_rule(const struct core *c, const struct call *k, unsigned i, const char **reason, const Ev__Action **a,
                    uint64_t *due_us, bool *tried);
/* After a member came or went: counts those who are logged in. Then core_wait_queue_changed. */
void core_wait_members(struct core *c, struct queue *q);
/* Rules of the queue, or whether anybody is logged in. */
void core_wait_queue_changed(struct core *c, struct queue *q);
void core_wait_queue_gone(struct core *c, struct queue *q);
void core_wait_agent(struct core *c, const struct agent *a, bool in);
void core_wait_flush(struct core *c);
ERR_CHECKED int core_wait_load_queue(struct core *c, const char *name, const void *body, size_t len);
void core_wait_load(struct core *c); /* once all tables are there */
/* The row of queue_state, when the entry ends. */
void core_wait_state_touch(struct core *c, struct queue *q);
/* Whoever comes is given to no_agents_action at once. */
bool core_queue_unattended(const struct core *c, const char *name);

/* ---- core_estimate.c: what estimates go by (core/estimate.h). Nothing below feature level 3. */
void core_estimate_answered(struct core *c, const struct call *k); /* before its offer is cleared */
void core_estimate_ended(struct core *c, const struct call *k, const char *by);
const struct estimate *core_estimate(const struct core *c, struct queue *q);
void core_estimate_save(const struct queue *q, Ev__QueueState *m);
/* Any thread. */
void core_estimate_history(struct estimate_history *h, const Ev__QueueState *m);

/* ---- core_team.c: how many work for a queue, in thousandths: ready or on a call; who has other queues as well counts in part */
uint64_t core_team_at_work(const struct core *c, const struct queue *q);
/* He is ready, logged in or about to log out, or no longer so. */
void core_team_working(struct agent *a);
/* Somebody has come to a queue or left it. */
void core_teams_drop(struct core *c);

/* ---- core_served.c: who served which caller last */
/* The call's last_agent: who served its caller in this queue last, if the queue goes by that and it is not too long ago. */
void core_served_find(struct core *c, struct call *k, const struct queue *q);
/* A call of a queue ends. After its record was written. */
void core_served_keep(struct core *c, const struct call *k);
/* The agent goes: no call waits for him any more. */
void core_served_forget(struct core *c, const char *agent);

/* ---- core_takeover.c */
/* This node is away: its addresses and calls go to the others, as far as there are any. */
void core_take_over_from(struct core *c, const char *node);
/* A node comes up: 0 or a refusal; then its addresses; then the calls that nobody looks after. */
int core_addresses_check(struct core *c, const Ev__NodeUp *m);
void core_addresses_of(struct core *c, const Ev__NodeUp *m, bool other_process);
void core_calls_come_back(struct core *c, const char *node, bool other_process);
void core_addresses_adopt(struct core *c, const char *gone);
struct address *core_address_add(struct core *c, const char *ip);
void core_addresses_flush(struct core *c);
void core_addresses_free(struct core *c);
int core_node_drain(struct core *c, const Ev__NodeDrain *m);
int core_address_move(struct core *c, const Ev__AddressMove *m);
int core_address_given(struct core *c, const Ev__AddressGiven *m);
int core_address_state(struct core *c, const Ev__AddressState *m);
int core_call_move(struct core *c, const Ev__CallMove *m);
void core_call_give_to(struct core *c, struct call *k, const char *node);
/* Of the nodes that take calls the one that has the fewest, then by name; NULL: there is none. */
const char *core_least_loaded(struct core *c);

/* ---- core_path.c: the nodes of flows at which a call stood; nothing of it below feature level 4 */
void core_path_moved(const struct core *c, Ev__CallState *s, const Ev__CallMenu *m);
void core_path_left(const struct core *c, Ev__CallState *s, const char *by); /* the menu, to somebody else */
/* [{"node","after_ms","ms","by"}], nothing when there are none; of one that ended in a node `by` is "end". */
void core_path_json(struct sbuf *b, const Ev__CallState *s, uint64_t now_us);

/* ---- core_record.c: what is being recorded, messages and calls alike */
/* Text is copied. */
struct core_recording *core_record_add(struct core *c, uint64_t id, const char *box, const char *owner);
int core_record_end(struct core *c, const Ev__RecordEnd *m);
bool core_is_sha256(const char *s);
void core_record_tell(struct core *c, uint64_t id, const char *what);
/* The call's recordings go with it; the call is over, and who had it ends them. */
void core_record_given(struct core *c, const struct call *k);
void core_record_call_over(struct core *c, const struct call *k);
/* Two at a time: it catches up, and no transaction is long. */
#define CORE_EXPIRED_AT_ONCE 2u
/* The oldest of those that were kept, as far as they are to go now; false: the oldest is not old enough. `parameter` has the days, 0: for
 * ever. */
bool core_record_expired(struct core *c, uint64_t oldest_us, const char *parameter, uint32_t usual,
                         enum storage_sql sql, uint64_t id[CORE_EXPIRED_AT_ONCE], unsigned *n);
/* What is left of the recordings of a node that is away; what nobody was there for. */
void core_records_give(struct core *c, const char *from, const char *to);
void core_records_come_back(struct core *c, const char *name);
ERR_CHECKED int core_records_load(struct core *c);
void core_records_free(struct core *c);

/* ---- core_message.c: messages that callers leave */
/* What the caller does not want any more and what begins to be recorded: 0 or a refusal. */
int core_message_check(struct core *c, const struct call *k, const Ev__CallMenu *m);
void core_message_drop(struct core *c, struct call *k, uint64_t id);               /* 0: none */
void core_message_begin(struct core *c, struct call *k, const Ev__RecordBegin *m); /* NULL: nothing begins */
int core_message_end(struct core *c, const Ev__RecordEnd *m);                      /* what was checked */
int core_message_set(struct core *c, const Ev__MessageSet *m);
int core_message_delete(struct core *c, const Ev__MessageDelete *m);
int core_message_play(struct core *c, const Ev__MessagePlay *m);
/* ---- core_mailbox.c */
bool core_box_is_greeting(const char *box);
uint64_t core_box_latest(const struct core *c,
                         const char *box); /* the id of the youngest message that was kept; 0: none */
/* Whether the program makes this flow; the others are asked of such ones only. */
bool core_mailbox_flow(const char *flow);
uint64_t core_mailbox_flow_version(const struct core *c, const char *flow);
ERR_CHECKED int core_mailbox_flow_definition(const struct core *c, const char *flow, char **out);
/* ---- core_delivery.c */
void core_deliveries_begin(struct core *c, uint64_t message, const char *box); /* one was kept in it */
void core_deliveries_drop(struct core *c, uint64_t message);
int core_delivery_end(struct core *c, const Ev__DeliveryEnd *m);
void core_deliveries_give(struct core *c, const char *from, const char *to);
void core_deliveries_come_back(struct core *c, const char *name); /* those of nodes that are not up are this one's */
ERR_CHECKED int core_deliveries_load(struct core *c);
void core_deliveries_free(struct core *c);
/* Messages older than they are kept for go. */
void core_messages_expire(struct core *c);
ERR_CHECKED int core_messages_load(struct core *c);

/* ---- core_recording.c: recordings of calls */
/* Two parties begin to talk: the rules say whether it is recorded. */
void core_recording_talks(struct core *c, struct call *k);
int core_recording_end(struct core *c, const Ev__RecordEnd *m);
/* The call is over: who took part in it. */
void core_recording_over(struct core *c, const struct call *k);
int core_recording_set(struct core *c, const Ev__RecordingSet *m);
int core_recording_delete(struct core *c, const Ev__RecordingDelete *m);
int core_recording_play(struct core *c, const Ev__RecordingPlay *m);
int core_recording_pause(struct core *c, const Ev__RecordingPause *m);
void core_recordings_expire(struct core *c);
ERR_CHECKED int core_recordings_load(struct core *c);

/* ---- core_supervise.c: supervisors in the calls of what they manage */
int core_call_supervise(struct core *c, const Ev__CallSupervise *m);
/* A call has joined another one: if it is a supervisor's who is to take his agent's place, he does. k may be gone after that. */
void core_supervise_joined(struct core *c, struct call *k);
/* ---- core_next.c */
int core_agent_next(struct core *c, const Ev__AgentNext *m);
void core_next_forget(struct core *c, struct agent *a); /* what he has asked for */
/* Who waits, or comes next, goes to whoever has asked for that; before the engine's decisions. */
void core_next_serve(struct core *c);
/* The agent that the engine has chosen, or the supervisor who is to have his next call. */
struct agent *core_next_instead(struct core *c, struct agent *chosen);

/* ---- scope.c */
int core_call_hang_up(struct core *c, const Ev__CallHangUp *m);

/* ---- core_pickup.c */
int core_call_pickup(struct core *c, const Ev__CallPickup *m);
/* Who is at a telephone, or whose it is; NULL: nobody's. */
const Ev__Agent *core_pickup_agent(const struct core *c, const char *extension);
/* Whether the telephone `by` may answer what rings at another one: its agent is of the same group, or that is nobody's. */
bool core_pickup_may(const struct core *c, const char *by, const char *extension);

/* ---- core_subscription.c */
int core_subscribe(struct core *c, const Ev__Subscribe *m);
int core_unsubscribe(struct core *c, const Ev__Unsubscribe *m);
void core_subscriptions_expire(struct core *c);
/* All of an extension that goes. */
void core_subscriptions_drop(struct core *c, const char *extension);
/* Another node tells it from now on, or another process of this one. */
void core_subscription_give(struct core *c, const struct core_subscription *p, const char *to);
/* What is going on at a telephone has changed. */
void core_telephone_changed(struct core *c, const struct ext *e);
void core_telephones_changed(struct core *c, const struct call *k);
int core_subscription_load(struct core *c, Ev__Subscription *st);
void core_subscriptions_free(struct core *c);

/* ---- core_missed.c */
/* What the record says of a call that ends. */
struct core_ended {
    const char *direction, *caller, *agent, *by, *cause;
    bool connected;
};
/* After its record was written. */
void core_missed_ended(struct core *c, const struct call *k, const struct core_ended *e);

/* ---- core_cdr.c */
/* Lets go of so many at most of the oldest records, as far as cdr_keep_days says. */
void core_cdr_trim(struct core *c, unsigned at_most);
void core_cdr_write(struct core *c, const struct call *k, const char *by, const char *cause, uint32_t status,
                    size_t n_quality, Ev__LegQuality *const *quality);

#endif
