/* The replicated call centre: applies commands to the state and answers questions about it.
 *
 * Pure with respect to the outside: no clock, socket, thread or random source; state lives in memory (rebuilt from the tables
 * at open) and in the node's SQLite database, both changed only by core_apply. Two nodes that applied the same log
 * hold the same tables, row for row, and make the same routing decisions.
 *
 * Thread: the core thread. Pointers returned by core_* lookups are valid until the next core_apply / core_reload.
 * Other threads read the database through read-only connections (core/view.h).
 * Errors: a command that cannot be done is refused in its core_answer; core_apply itself fails only when the database
 * does, and then the node must stop. Source of terms: core/README.md (commands, states). */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "core/commands.pb-c.h"

struct core;
struct storage;

/* Behaviour of apply that this program knows; see FeatureLevel. 2: why an agent was chosen is kept with the call and told by its event.
 * 3: states of agents that are configured, their limits and times (core_state.c). 4: credentials of trunks, drafts of
 * flows, call backs, areas, notices for their callers, messages that callers leave (core_message.c). */
#define CORE_FEATURE_LEVEL 4u
#define CORE_CLOCK_STEP_US 300000000ull /* the clock follows one node alone no further than this (core_clock.c) */
#define CORE_CLOCK_BEAT_US 60000000ull  /* the leader proposes a Tick at the latest so long after the last command */

/* The level that carrying the command out takes: 2 when it sets what the queue engine of level 1 does not know (strategies other than
 * longest idle, preferences, ageing, targets, skills, regions, VIP numbers), 3 with time groups, holidays, prompts, lists of callers,
 * ring all, what core_state.c does, what queues do with callers who wait too long, and what a flow says of a caller, 4 with a trunk's
 * credentials, drafts, messages, areas and notices, else 1. A proposer writes it into the command. */
uint32_t core_feature_of(const Ev__Command *cmd);
/* The level that all nodes that are known can do; CORE_FEATURE_LEVEL at most. */
uint32_t core_feature_common(const struct core *c);

/* One command out of the log, with its place in its proposer's sequence (raft/repl.h, "Exactly once"). */
struct core_item {
    uint64_t origin, incarnation, seq;
    const void *data;
    size_t len;
};
/* What became of it. Owned by core until core_apply_done. */
struct core_answer {
    bool skipped;    /* duplicate or out of sequence: nothing was done */
    int code;        /* enum err_code */
    char text[256];  /* reason of a refusal, for people */
    char field[128]; /* field path where that makes sense */
    uint64_t index;
    uint64_t version; /* ConfigApply of one object: its version now */
    uint64_t call_id; /* of call commands */
    char *json;       /* answer for API clients, also kept for the same idempotency key; may be NULL */
};

/* What happened, in order, gathered while applying. Consumed by the node (effects) and by the event stream. */
enum core_event_type {
    CORE_EV_CALL,         /* call `call_id` changed (or started, or ended): the owner reconciles */
    CORE_EV_AGENT,        /* agent `name` */
    CORE_EV_QUEUE,        /* queue `name`: waiting list changed */
    CORE_EV_NODE,         /* node `name` */
    CORE_EV_CONFIG,       /* object `kind`/`name` */
    CORE_EV_REGISTRATION, /* extension `name` */
    CORE_EV_CDR,          /* record of `call_id` written */
    CORE_EV_DIGEST,       /* compute the digest for request `name` now */
    CORE_EV_ADDRESS,      /* service address `name`: its holder or target changed, or it is gone */
    CORE_EV_MESSAGE, /* a message, or the recording of a call, has begun, was kept (`name`: its blob), changed or is gone;
                           * call_id: its id */
    CORE_EV_SUBSCRIPTION, /* subscription `call_id` came, was refreshed, has another owner, or is gone */
    CORE_EV_TELEPHONE,    /* calls at extension `name` changed; told only while somebody subscribes to it */
    CORE_EV_DELIVERY,     /* something is to be told of message `call_id`, by this node or another */
    CORE_EV_BOX,          /* messages in box `name`: one came, was heard, is gone */
};
struct core_event {
    enum core_event_type type;
    uint64_t call_id;
    const char *kind, *name; /* valid during the callback */
};

struct core_hooks {
    void *ctx;
    /* After the transaction has been committed, once for each event, in order. */
    void (*on_event)(void *ctx, uint64_t index, const struct core_event *ev);
};

/* Opens over an opened storage and rebuilds the memory from its tables. ERR_CORRUPT: throw the database away. */
ERR_CHECKED int core_open(struct storage *st, const struct core_hooks *hooks, struct core **out, struct err_info *info);
void core_close(struct core *c);
/* After the storage's database was replaced by an image: forget and rebuild. */
ERR_CHECKED int core_reload(struct core *c, struct err_info *info);

/* Applies a log entry in one transaction together with `index`. answers: room for n pointers, filled with one answer an item. Non-zero: the node must stop. Items of an
 * index at or below core_applied_index are all skipped. on_event runs before it returns, after the commit. */
ERR_CHECKED int core_apply(struct core *c, uint64_t index, uint64_t term, const struct core_item *items, unsigned n,
                           struct core_answer **answers);
/* Frees the answers of the last core_apply. */
void core_apply_done(struct core *c);
uint64_t core_applied_index(const struct core *c);

/* Packs a command; *out is malloc'ed. */
ERR_CHECKED int core_pack(const Ev__Command *cmd, void **out, size_t *len);

/* The time of the last command, as microseconds since 1970: the replicated state's clock. 0 before the first. */
uint64_t core_now_us(const struct core *c);
/* What every member's apply can do, and so what a command may ask for: not CORE_FEATURE_LEVEL, which would stop the nodes that are
 * still of an older version while a cluster is renewed one by one. */
uint32_t core_feature_level(const struct core *c);
/* Wall-clock microseconds at which a Tick is due (ring times are the owner's; wrap-up ends, registrations expire, ...), 0: none. */
uint64_t core_next_due_us(const struct core *c);

/* ---- configuration, as protobuf objects; NULL when there is none */
const Ev__Extension *core_extension(const struct core *c, const char *number);
const Ev__Agent *core_agent_config(const struct core *c, const char *number);
const Ev__Queue *core_queue_config(const struct core *c, const char *name);
const Ev__AccessNumber *core_access_number(const struct core *c, const char *number);
const Ev__Flow *core_flow(const struct core *c, const char *name);
const Ev__Prompt *core_prompt(const struct core *c, const char *name);
/* Each of them, in no order. */
void core_prompts_each(const struct core *c, void (*fn)(void *ctx, const Ev__Prompt *p), void *ctx);
/* Of the flow that is live; 0: there is none. CORE_FLOW_VOICEMAIL, CORE_FLOW_MAILBOX and a box: the flow that the program makes. */
uint64_t core_flow_version(const struct core *c, const char *name);
/* The text of a flow in a version: *version 0 means the one that is live, and is told which that is. malloc'ed. ERR_NOTFOUND,
 * ERR_NOMEM, or the database's. Former versions are read from the table. */
ERR_CHECKED int core_flow_definition(const struct core *c, const char *name, uint64_t *version, char **out);
/* Likewise a notice (core/notice.h). */
const Ev__Notice *core_notice_config(const struct core *c, const char *name);
/* What a caller who waits is to be told next (Queue.notices), by the time of the latest command; NULL: nothing. */
const Ev__Notice *core_wait_notice_next(const struct core *c, uint64_t call_id);
void core_notices_each(const struct core *c, void (*fn)(void *ctx, const Ev__Notice *n), void *ctx);
const Ev__Lookup *core_lookup_config(const struct core *c, const char *name);
/* NULL: there is none. Not for logs, views or error texts. */
const char *core_secret(const struct core *c, const char *name);
const char *core_parameter(const struct core *c, const char *name, const char *fallback);
/* Likewise a number; fallback also when what is stored is no value that parameter_check would take. */
uint32_t core_parameter_number(const struct core *c, const char *name, uint32_t fallback);
const Ev__Trunk *core_trunk(const struct core *c, const char *name); /* NULL: there is none */
/* Trunk whose sources contain the address; NULL none. Longest prefix first, then name. */
const Ev__Trunk *core_trunk_of(const struct core *c, const struct sockaddr *source);
/* Where calls through this trunk go ("sip:..."), and NULL when none may (any more). */
const char *core_trunk_contact(const struct core *c, const char *trunk);
/* The password for challenges of the carrier behind this trunk (NULL or "": no trunk), and the user name that goes with it. NULL: none. Not
 * for logs, views or error texts. */
const char *core_trunk_credentials(const struct core *c, const char *trunk, const char **user);
/* Extension whose static contact has this source address (and, if several share it, whose number is from_user). */
const Ev__Extension *core_extension_of(const struct core *c, const struct sockaddr *source, const char *from_user);
/* Role of an API token by the hex SHA-256 of its text; NULL unknown. *name gets its name. */
const char *core_token_role(const struct core *c, const char *sha256_hex, const char **name);

/* Secrets of ClusterInit; false before it was applied. */
bool core_secrets(const struct core *c, uint8_t nonce_key[32], uint8_t identifier_key[32], char cluster_id[33]);

/* ---- registrations: newest first */
struct core_binding {
    const char *uri, *flow, *node, *instance, *path, *events;
    uint32_t reg_id;
    uint64_t expires_us;
};
size_t core_bindings(const struct core *c, const char *extension, struct core_binding *out, size_t max);

/* ---- agents */
enum core_agent_state {
    CORE_AGENT_LOGGED_OUT,
    CORE_AGENT_NOT_READY,
    CORE_AGENT_IDLE,    /* ready and waiting */
    CORE_AGENT_RINGING, /* reserved for one offer */
    CORE_AGENT_TALKING, /* on a call, from a queue or not */
    CORE_AGENT_WRAP_UP,
};
const char *core_agent_state_name(enum core_agent_state s);
struct core_agent {
    const char *number, *extension; /* extension in use; "" when logged out */
    enum core_agent_state state;
    const char *reason;
    uint64_t since_us, login_us, idle_since_us, wrap_up_until_us;
    uint64_t call_id; /* of RINGING and TALKING */
    uint32_t answered;
};
const struct core_agent *core_agent(const struct core *c, const char *number);
/* The agent state that he chose instead of ready; "" ready, not ready, or logged out. */
const char *core_agent_activity(const struct core *c, const char *number);
const struct core_agent *core_agent_at_extension(const struct core *c, const char *extension);
/* The agent whose configuration binds him to this extension; the smallest number if several. NULL none. */
const Ev__Agent *core_agent_bound_to(const struct core *c, const char *extension);

/* ---- where a number leads (used by the owner before CallStart, and again, authoritatively, inside apply) */
enum core_route_kind {
    CORE_ROUTE_NONE, /* 404 */
    CORE_ROUTE_FLOW,
    CORE_ROUTE_QUEUE,
    CORE_ROUTE_APP, /* echo, tone, and the feature codes of telephone agents: name "code:login" ... */
    CORE_ROUTE_EXTENSION,
    CORE_ROUTE_AGENT,   /* the extension where that agent is logged in */
    CORE_ROUTE_OUTSIDE, /* a number outside, through a trunk */
};
struct core_route {
    enum core_route_kind kind;
    char name[64];     /* flow, queue, app, extension, agent or number outside */
    char argument[64]; /* of a feature code: what was dialled after it */
    char language[8];
    uint32_t priority;
};
/* caller_extension NULL for a trunk call: trunks reach access numbers only, phones everything (a number that begins with the parameter
 * outside_prefix and is none of ours: outside). at_us: the time by which the time
 * groups of an access number decide; inside apply that of the command, which its proposer reckons likewise. */
void core_route(const struct core *c, uint64_t at_us, const char *caller_extension, const char *called,
                struct core_route *out);
/* Whether its callers are answered at once, rather than when somebody picks up. */
bool core_route_answers(enum core_route_kind kind);
/* Whether the time group has hours at that time; false when there is none of that name. */
bool core_time_group_open(const struct core *c, const char *name, uint64_t at_us);
/* When the clock of the time group's zone shows this second (0 to 86399) of a day the next time; ERR_NOTFOUND: there is no such group. */
ERR_CHECKED int core_time_group_next(const struct core *c, const char *name, int32_t second, uint64_t after_us,
                                     uint64_t *us);

/* ---- lists of callers. Numbers in any form (base/number.h); the answers live until the next command. */
enum core_call_direction { CORE_CALL_IN, CORE_CALL_OUT };
/* The entry that forbids a call: from this number over a trunk (CORE_CALL_IN), or to it (CORE_CALL_OUT: a call out asks before anything
 * is rung). NULL: none. */
const Ev__BlacklistEntry *core_blacklisted(const struct core *c, const char *number, enum core_call_direction d);
/* The number's entry on the global list (queue "") or the queue's own, whichever of them the queue goes by. NULL: none. */
const Ev__VipEntry *core_vip_entry(const struct core *c, const char *number, const char *queue);
/* What makes a caller a VIP of a queue: kept in its state, so never renumbered. */
enum core_vip_by { CORE_VIP_BY_NUMBER /* the access number, or nothing */, CORE_VIP_BY_GLOBAL, CORE_VIP_BY_QUEUE };

/* ---- calls */
enum core_call_phase {
    CORE_CALL_APP,      /* echo, tone, feature code */
    CORE_CALL_MENU,     /* in a flow */
    CORE_CALL_WAITING,  /* in a queue, no offer out */
    CORE_CALL_OFFERED,  /* in a queue, an agent is being rung (the caller still hears what the queue plays) */
    CORE_CALL_DIALLING, /* one extension or agent is being rung, outside any queue */
    CORE_CALL_TALKING,  /* two parties bridged */
    CORE_CALL_FAILED,   /* nothing further can be done: the owner refuses or ends it and proposes CallEnd */
    CORE_CALL_NOTICE,   /* is being told notices (core_notice.c); kept in the state, so added at the end */
    CORE_CALL_JOINED,   /* its one party takes part in another call, as `mode` says (core_join.c) */
};
const char *core_call_phase_name(enum core_call_phase p);
/* How the party of a joined call takes part. Kept in the state, so never renumbered. */
enum core_call_mode {
    CORE_MODE_CONSULT, /* talks with one party of the call, when that one is turned to it; else hears music */
    CORE_MODE_PARTY,   /* a conference: hears all, heard by all */
    CORE_MODE_LISTEN,  /* hears all, heard by nobody */
    CORE_MODE_WHISPER, /* hears all, heard by the agent of the call alone */
    CORE_MODES
};
const char *core_call_mode_name(enum core_call_mode m); /* "consult", "party", ... */
#define CORE_JOINED_MAX 8u                              /* calls that are joined to one */
enum core_leg_role { CORE_LEG_CALLER, CORE_LEG_CALLEE };
struct core_leg {
    uint64_t id; /* unique within the cluster: call id's and a number; 1 is the caller */
    enum core_leg_role role;
    bool answered, held; /* held: by its telephone, which holds the other one */
    bool holds, muted;   /* the same by request; the other one hears nothing of it */
    const char *number;  /* caller's number, or the extension */
    const char *agent;   /* "" if none */
    uint64_t joined_us;  /* when it was answered, if not at answered_us (caller) or connected_us of the call; else 0 */
    uint64_t from_call; /* whose leg `from_leg` it was until it took this seat (core_merge.c); 0: never another one's */
    uint64_t from_leg;
    bool from_callee; /* the seat that it had there */
    const Ev__Dialog *dialog;
};
struct core_offer {
    uint64_t id;           /* 0: none. Unique in the cluster */
    const char *agent;     /* "" for a plain extension */
    const char *extension; /* or, outside, the number (core_call.out_trunk) */
    const char *queue;     /* "" outside a queue */
    uint64_t since_us;
    uint32_t ring_time_s;
    /* Dialogs of this offer carry identifiers made from this epoch. It stays when the call is taken over together with its
     * address: the INVITE sent again is then taken for a retransmission and the ringing goes on. */
    uint32_t epoch;
    /* Not 0: INVITEs of this and later epochs before `epoch` may still be ringing and are to be cancelled. */
    uint32_t former_epoch;
};
/* Flows that the program makes, the box following: of who leaves a message, and of who listens to those in it. */
#define CORE_FLOW_VOICEMAIL "voicemail:"
#define CORE_FLOW_MAILBOX "mailbox:"
#define CORE_BOX_GREETING \
    "greeting:" /* a box's greeting that was recorded by telephone is a message in this one, the box following */
#define CORE_RING_MAX 32u       /* telephones that ring at once for one call */
#define CORE_CALLED_OFF_MAX 64u /* that rang for it, and may still be to be called off */
struct core_call {
    uint64_t id;
    const char *owner; /* node name */
    uint32_t epoch;    /* grows with each change of owner */
    enum core_call_phase phase;
    const char *caller, *caller_name, *called, *trunk, *extension;
    bool
        we_call; /* both parties are called by us: a telephone, whose leg is the caller's once it has answered, then `called` */
    const char *via_agent;    /* who asked for it by click: his telephone is or was rung first; "" nobody */
    const char *former_owner; /* of we_call, no leg yet: whose INVITEs may be ringing; "" nobody's */
    bool answered;            /* the caller's leg */
    const char *app, *app_argument;
    const char *flow, *flow_node, *flow_state, *language;
    const Ev__CallNoticeState *notice; /* NOTICE: which, and how far; else NULL */
    bool notices_done;                 /* MENU: the node of the flow that told him notices has done so */
    const char *wait_notice;           /* that he is told while he waits; "" none */
    bool callback_noted;               /* MENU: the node that asks for a call back has put him on the list */
    const char *variables;             /* of the flow, a JSON object of texts; "" none */
    uint64_t parted_us; /* since when its agent has hung up, and it is in his queue's rating flow; 0: it is not */
    const char *customer, *notes; /* "" none */
    const char *data;             /* what is known about the caller, a JSON object of texts; "" none */
    size_t n_flows;               /* that it stands in, each called by the one before; none: not known (level 2) */
    Ev__FlowRef *const *flows;
    const char *queue;
    uint32_t priority;
    bool vip;
    struct core_offer offer; /* the first of those who are rung */
    unsigned n_offers;       /* ring all: all of them, that one first; each by an offer of its own */
    const struct core_offer *offers;
    unsigned
        n_called_off; /* talking, or we_call and its second party is dialled: who else was rung when it was answered; a former owner may
                       * not have come to call them off */
    const struct core_offer *called_off;
    /* Who is rung or talks is outside: the trunk that leads there, and the number shown to him ("" none). "" a telephone of ours. */
    const char *out_trunk, *out_caller;
    const Ev__CallForward *forward; /* it goes on by rules of forwarding; NULL: it does not */
    uint32_t acted;                 /* actions (core/action.h) that it has been given to so far */
    int fail_status;                /* SIP status that fits FAILED */
    const char *fail_cause;
    size_t n_legs;
    struct core_leg legs[4];
    uint64_t arrived_us, answered_us, menu_us, queued_us, offered_us, connected_us, held_us;
    uint64_t entered_us;      /* his present queue, if he came there from another one; else 0 */
    uint64_t menu_moved_us;   /* when the flow came to flow_node */
    uint64_t taken_over_us;   /* latest change of owner; 0: never */
    uint64_t recording;       /* message that its latest recording node makes or made; 0: none */
    uint32_t transfers;       /* that it has gone through (core_transfer.c) */
    const Ev__LegState *left; /* who has left it by the latest; its role is the one that he had. NULL: nobody */
    const char *left_trunk;   /* behind which he is; "" a telephone of ours */
    uint64_t left_us;
    size_t n_left_before; /* who left shortly before that, the latest last */
    Ev__CallGone *const *left_before;
    const Ev__CallRecall *recall; /* while whom it was transferred to is being rung, or in vain who did so; else NULL */
    uint64_t answer_offer;        /* whose telephone is to answer by itself, by somebody's request; 0: nobody's */
    uint32_t answer_asks;         /* how often that was asked */
    const char *hung_up_by;       /* who, when it is one party's hanging up; "" all of it */
    bool hung_up;                 /* somebody has asked for its end, which is the owner's to bring about */
    uint64_t recorded_us;         /* since when the call itself is recorded, under its own id; 0: it is not */
    bool recording_paused;
    /* A call that is rung for, or has joined, another one. Both have one owner, always. */
    uint64_t joined;        /* 0: it is none such */
    const char *supervisor; /* who supervises that one by this one; "" nobody */
    unsigned supervises;    /* Ev__CallSupervise__How */
    enum core_call_mode mode;
    uint64_t joined_leg; /* CONSULT: the leg of that call which consults */
    /* The consultation that leg turned_leg of this call is turned to, be it that somebody is still being rung for it; 0: none. */
    uint64_t turned_to, turned_leg;
    uint32_t merges;    /* seats that have been taken by legs of other calls */
    uint64_t went_into; /* FAILED: the call that a leg of this one has gone into */
};
const struct core_call *core_call(const struct core *c, uint64_t call_id);
/* "inbound", "outbound", "internal": as it is now. */
const char *core_call_direction(const Ev__CallState *s);
/* ---- calls that are joined to another one (core_join.c) */
/* Those of a call, by their ids; after NULL: the first. Also those for whom somebody is still being rung; none that ends. */
const struct core_call *core_joined_next(const struct core *c, uint64_t call_id, const struct core_call *after);
/* The call that a leg of this one has become a leg of; NULL: there is none, or it is over. Walks all calls. */
const struct core_call *core_call_taker(const struct core *c, uint64_t call_id);

/* Who hears what in a call and those joined to it: legs of the call first, in their order, then the joined. Legs only; who is being rung has
 * no seat. */
enum core_sound {
    CORE_SOUND_SEATS,    /* those that it hears; nobody: silence */
    CORE_SOUND_MUSIC,    /* hears nobody for now */
    CORE_SOUND_RINGBACK, /* somebody is being rung whom it is turned to */
};
/* Of a recording: left is the customer. */
enum core_side { CORE_SIDE_NONE, CORE_SIDE_LEFT, CORE_SIDE_RIGHT };
struct core_seat {
    uint64_t call_id;
    unsigned leg; /* index in that call's legs */
    enum core_sound sound;
    enum core_side side; /* of the call's recording on which he is heard, as long as it is not paused */
    uint32_t hears;      /* bit i: the i-th seat */
};
#define CORE_SEATS_MAX (2u + CORE_JOINED_MAX)
/* 0: the call does not talk. */
unsigned core_seats(const struct core *c, uint64_t call_id, struct core_seat out[CORE_SEATS_MAX]);

/* The leg of who serves the customer; NULL: nobody has answered. */
const Ev__LegState *core_leg_served(const Ev__CallState *s);
/* Whether this leg's hanging up leaves the other party in a rating flow (CallPart). */
bool core_rates(const struct core *c, uint64_t call_id, uint64_t leg_id);
/* Its place among those who wait in its queue, from 1; 0: it does not wait, or an agent is being rung for it. */
uint32_t core_queue_position(const struct core *c, uint64_t call_id);
/* How many seconds the call will still wait, as reckoned (core/estimate.h): for its best place, if it waits in several queues; 0 while
 * an agent is being rung. ESTIMATE_UNKNOWN (UINT32_MAX): it does not wait, or nobody works for its queues. */
uint32_t core_estimated_wait_s(const struct core *c, uint64_t call_id);
/* for (const struct core_call *k = NULL; (k = core_call_next(c, k, owner)); ) — calls of one owner (NULL: all), by id. */
const struct core_call *core_call_next(const struct core *c, const struct core_call *after, const char *owner);

/* ---- call backs (core_callback.c) */
/* NULL: there is none. */
const Ev__CallBack *core_callback(const struct core *c, uint64_t id);
/* "waiting", "scheduled" or "calling". */
const char *core_callback_state(uint64_t call_id, uint64_t due_us);

/* ---- subscriptions of telephones (RFC 6665; core_subscription.c) */
#define CORE_SUBSCRIPTIONS_MAX 256u    /* of one extension */
#define CORE_SUBSCRIPTION_EPOCHS 2047u /* then it has to be made anew: its numbers are used up */
struct core_subscription {
    uint64_t id;
    const Ev__Subscribe *is;
    const char *owner;
    uint32_t epoch;
    const char *at; /* the node that it was sent to last: it has the connection that the telephone came by */
};
/* NULL: there is none (any more). */
const struct core_subscription *core_subscription(const struct core *c, uint64_t id);
/* By its dialog. */
const struct core_subscription *core_subscription_of(const struct core *c, const char *call_id, const char *local_tag);
/* In the order in which they began; after NULL: the first. */
const struct core_subscription *core_subscription_next(const struct core *c, const struct core_subscription *after);
/* Live calls that a telephone takes part in or is rung for, by id. Returns how many there are, of which `max` at most are put. */
size_t core_telephone_calls(const struct core *c, const char *extension, const struct core_call **out, size_t max);
/* Messages that were kept in a box: not heard yet, and heard. */
void core_box_counts(const struct core *c, const char *box, uint32_t *fresh, uint32_t *heard);
struct core_box_message {
    uint64_t id, place, started_us; /* place: by which messages are in the order of time */
    char caller[64];
};
/* The first one behind that place (0: of all) that was heard, or was not; false: there is none. */
bool core_box_next(const struct core *c, const char *box, bool heard, uint64_t place, struct core_box_message *out);
/* Whose messages the lamp of a telephone tells of: as configured, else of the agent who is logged in there or bound to it, else its own. */
const char *core_box_of(const struct core *c, const char *extension);
/* That one first, and those that are besides the agent's who is there or bound to it (Mailbox.agents); all count for its lamp. */
void core_boxes_each(const struct core *c, const char *extension, void (*fn)(void *ctx, const char *box), void *ctx);
/* What is configured of a box; NULL: nothing. */
const Ev__Mailbox *core_mailbox(const struct core *c, const char *box);
/* Each of them, in no order. */
void core_extensions_each(const struct core *c, void (*fn)(void *ctx, const Ev__Extension *x), void *ctx);

/* ---- messages that callers leave, as long as they are being recorded or brought to the disks */
struct core_recording {
    uint64_t id, call_id;
    bool of_call;      /* of both parties, id is the call's; else a message */
    const char *box;   /* of a message */
    const char *owner; /* the node that has to end it: the call's while the call records it, a living one after that */
    uint64_t started_us; /* when its sound begins */
    uint32_t max_s;
};
/* NULL: there is none of that id (any more). */
const struct core_recording *core_recording(const struct core *c, uint64_t id);
/* In the order in which they began; after NULL: the first. */
const struct core_recording *core_recording_next(const struct core *c, const struct core_recording *after);
/* Whether it was kept, and is still there. */
bool core_message_kept(const struct core *c, uint64_t id);
/* The name of its blob; ERR_NOTFOUND: it is not kept. */
#define CORE_SHA256_MAX 65u /* bytes, with the NUL */
ERR_CHECKED int core_message_blob(const struct core *c, uint64_t id, char out[CORE_SHA256_MAX]);
struct core_message {
    char box[64], caller[64], called[64], sha256[CORE_SHA256_MAX];
    uint64_t started_us;
    uint32_t duration_ms;
};
/* One that was kept; else ERR_NOTFOUND. */
ERR_CHECKED int core_message_get(const struct core *c, uint64_t id, struct core_message *out);

/* ---- what is to be told of messages outside, until that is done or given up */
enum core_delivery_kind { CORE_DELIVERY_EMAIL = 1, CORE_DELIVERY_HOOK }; /* stored */
struct core_delivery {
    uint64_t message;
    enum core_delivery_kind kind;
    const char *owner; /* the node that does it, nobody else */
    uint32_t tries;    /* in vain so far */
    uint64_t due_us;
};
const char *core_delivery_name(enum core_delivery_kind kind);
/* After NULL: the first. */
const struct core_delivery *core_delivery_next(const struct core *c, const struct core_delivery *after);
const struct core_delivery *core_delivery(const struct core *c, uint64_t message, enum core_delivery_kind kind);

/* ---- recordings of calls that were kept */
/* The blobs of its files, "": there is none. ERR_NOTFOUND: there is no such recording that was kept. */
ERR_CHECKED int core_recording_forms(const struct core *c, uint64_t id, char wav[CORE_SHA256_MAX],
                                     char mp3[CORE_SHA256_MAX]);
/* Those that are to be kept as MP3 and are not yet, the oldest first. */
#define CORE_UNCONVERTED_MAX 64u
struct core_unconverted {
    uint64_t id[CORE_UNCONVERTED_MAX];
    unsigned n;
};
ERR_CHECKED int core_recordings_unconverted(const struct core *c, struct core_unconverted *out);

/* ---- nodes */
struct core_node {
    const char *name, *site, *https, *peer, *version;
    uint64_t node_id, incarnation;
    bool up, draining;
    uint64_t since_us;
    uint64_t clock_us; /* its own clock as it last told it, when that was far ahead of ours; else 0 */
    size_t n_sip;
    const char *sip[8]; /* "ip:port" */
    size_t n_service;
    const char *service_ip[8]; /* of these, the ones that may go to another node */
};
const struct core_node *core_node(const struct core *c, const char *name);
const struct core_node *core_node_next(const struct core *c, const struct core_node *after);

/* ---- service addresses: where phones and trunks find a node, and who answers there now */
struct core_address {
    const char *ip;
    const char *home;   /* the node whose it is */
    const char *holder; /* the node that has to have it bound now */
    const char *target; /* "" or the node that it is on its way to: the holder lets go (AddressGiven) */
    uint32_t epoch;     /* grows with each change of holder */
    bool bound;         /* the holder has it, as far as it said */
    const char *why;    /* why it could not, "" */
};
const struct core_address *core_address(const struct core *c, const char *ip);
/* In the order of their texts; after NULL: the first. */
const struct core_address *core_address_next(const struct core *c, const struct core_address *after);

/* How a leg goes on at another node: with its address (nothing is sent), or by a re-INVITE from the new owner's own. By its
 * trunk, else by the network of the peer's address ("udp:ip:port"); the longest range wins. */
enum core_takeover { CORE_TAKEOVER_ADDRESS, CORE_TAKEOVER_REINVITE };
enum core_takeover core_takeover_of(const struct core *c, const char *trunk, const char *flow);
/* Site of the network that the address is in; NULL none. */
const char *core_site_of(const struct core *c, const struct sockaddr *peer);

/* ---- numbers for metrics; cheap */
struct core_counts {
    uint32_t calls, waiting, talking, agents_in, agents_idle, registrations;
    uint64_t calls_total, commands_total, refused_total;
};
void core_get_counts(const struct core *c, struct core_counts *out);
/* When this extension was last rung in vain, by the clock of apply: its CANCEL may still be on its way, and the phone
 * say that it is busy. 0: not, or not since this process started (it is in no table). */
uint64_t core_let_go_us(const struct core *c, const char *extension);
/* Whether anybody waits in any queue for an agent. */
bool core_callers_wait(const struct core *c);

#endif
