/* The simulation: N replicated cores of one cluster in one process, under virtual time, with a network, call owners and
 * telephones that are driven by one seed. README.md says what is real, what is modelled, and how a failing seed is replayed.
 *
 * One thread, one world at a time. All that a world makes lives in its arena and goes with it. */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/core.h"
#include "core/core_int.h"
#include "raft/lease_rule.h"

#define SIM_NODES_MAX 5
#define SIM_CALLS_MAX 192 /* with those that we begin, each ring in vain of a call back is one */
#define SIM_ROWS_MAX 64
#define SIM_MESSAGES_MAX 32
#define SIM_TRIES 2u        /* of a call back */
#define SIM_OUTSIDE 5550000 /* callers outside are this and 1, 2 ... */
#define SIM_DIALOGS_MAX 512
#define SIM_LOG_MAX 4096
#define SIM_EXTS 6   /* telephones 8001.. */
#define SIM_AGENTS 4 /* agents 1001.. bound to the first of them */
#define SIM_MS 1000ull
#define SIM_S 1000000ull

#define SIM_DETECT_US (300 * SIM_MS)
#ifndef SIM_LEASE_US
#define SIM_LEASE_US (250 * SIM_MS)
#endif
#define SIM_DROP_US (600 * SIM_MS)
#define SIM_PING_US (SIM_DETECT_US / 3)
#define SIM_TURN_US (25 * SIM_MS) /* a node looks at its clocks this often */
#define SIM_EPOCH_US 1800000000000000ull

struct sim;
struct sim_node;

/* ---- commands on their way */
struct sim_item {
    int node; /* proposer, -1: the operator */
    uint64_t origin, incarnation, seq;
    const void *data;
    size_t len;
    int call; /* of a command about a call, and the epoch that its owner knew; else -1 */
    uint32_t epoch;
    int message; /* that it ends, else -1 */
};
struct sim_entry {
    uint64_t term;
    unsigned n;
    struct sim_item items[24];
};
enum sim_what { /* what a proposal was for: chooses what is done with its answer */
                SIM_P_NODE_UP,
                SIM_P_NODE_DOWN,
                SIM_P_TICK,
                SIM_P_ADDRESS_STATE,
                SIM_P_ADDRESS_MOVE,
                SIM_P_ADDRESS_GIVEN,
                SIM_P_DRAIN,
                SIM_P_CLIENT,
                SIM_P_RECORD,
                SIM_P_ASKED, /* by somebody, of a call that may be another node's */
                SIM_P_CALL_START,
                SIM_P_CALL, /* CallMenu, CallQueue, CallDial, OfferFailed, CallAnswered */
                SIM_P_ANSWERED,
                SIM_P_MOVE,
                SIM_P_RENEW,
                SIM_P_END,
                SIM_P_LEFT,
                SIM_P_PICKUP,
};
struct sim_prop {
    struct sim_prop *next;
    enum sim_what what;
    unsigned arg; /* call, node, address ... */
    uint64_t arg2;
    struct sim_item item;
};

/* ---- messages */
enum sim_msg_type {
    /* between nodes */
    MSG_PING,
    MSG_PONG,
    MSG_BEAT,
    MSG_NACK,
    MSG_VOTE,
    MSG_VOTED,
    MSG_APPEND,
    MSG_STORED,
    MSG_FORWARD,
    /* telephone to node */
    MSG_INVITE,
    MSG_CANCEL,
    MSG_BYE,
    MSG_ANSWERED,
    MSG_REFUSED,
    MSG_GONE,
    MSG_RENEWED,
    /* node to telephone */
    MSG_RING,
    MSG_ANSWER,
    MSG_REJECT,
    MSG_CALL_YOU,
    MSG_ACK,
    MSG_RELEASE, /* BYE or CANCEL, whatever the dialog has come to */
    MSG_RENEW,   /* re-INVITE from another address */
    MSG_BYE_OK,
};
struct sim_msg {
    enum sim_msg_type type;
    int from, to; /* nodes; -1 else */
    int place;    /* telephone's side: the address it talks to, SIM_PLACE */
    unsigned dialog;
    uint64_t term, index, a, b;
    const void *p;
};

enum sim_ev_type {
    EV_MSG,
    EV_TURN,
    EV_APPLY,
    EV_BIND,
    EV_MENU,
    EV_RING_OVER,
    EV_NEW_CALL,
    EV_DIALOG,
    EV_FAULT,
    EV_CLIENT,
    EV_ASK
};
struct sim_event {
    uint64_t at, tie;
    enum sim_ev_type type;
    int node;      /* whose process it is for, -1 none */
    uint32_t life; /* that process */
    uint64_t a, b;
    struct sim_msg m;
};

/* ---- a telephone's side of one dialog. place: service address of node i: i; node's own address: SIM_NODES_MAX + i */
enum dialog_state { D_NONE, D_CALLING, D_RINGING, D_ANSWERED /* not acknowledged */, D_UP, D_ENDING, D_OVER };
struct sim_dialog {
    enum dialog_state state;
    bool out;     /* the telephone called */
    bool refused; /* of D_OVER: how */
    int ext;      /* index of the telephone, -1: somebody outside */
    unsigned who; /* outside: which number */
    int call;     /* call it turned out to be, -1 */
    int place;
    int trunk; /* 1 address, 2 re-INVITE, 0 none */
    char called[8];
    uint64_t offer, epoch; /* of a dialog that a node began */
    uint64_t began, over_at, answered_at;
    unsigned tries, attempt;
    uint32_t timer;  /* the only one that counts */
    uint8_t plan;    /* what its next timer does */
    bool moved;      /* it has changed its call or its seat */
    uint64_t seated; /* index of the log at which it was last seen to have a seat */
};

/* ---- call control of one node, for one call */
struct sim_ring { /* a telephone that is rung; offer 0: none */
    uint64_t offer;
    uint32_t epoch;
    int b;                     /* its dialog, -1 none */
    bool answer_pending, over; /* over: OfferFailed is on its way */
};
enum shown { SHOWN_NOTHING, SHOWN_MENU, SHOWN_QUEUE, SHOWN_DIAL, SHOWN_TALK };
struct sim_ocall {
    bool used, started, ending, menu_busy, waits; /* waits: for its address */
    bool a_released, b_released, joined;
    uint64_t id;
    uint32_t epoch;
    int a, b; /* dialogs, -1 none; b: who talks */
    struct sim_ring rings[SIM_AGENTS];
    enum shown shown;
    uint32_t timer;
    const char *by, *cause;
    uint64_t adopted_at, end_at;
    uint32_t merges, transfers; /* as far as they have been followed */
    bool leaving[2];            /* caller, callee: that he has hung up is on its way */
};

struct sim_counted { /* an answer that may count once enough is applied */
    uint64_t index, base;
};

struct sim_parked {
    struct sim_parked *next;
    struct sim_event ev;
};

enum sim_role { ROLE_FOLLOWER, ROLE_LEADER };
struct sim_node {
    int i;
    char name[4];
    struct storage *st;
    struct core *c;
    bool running, paused;
    uint32_t life;
    uint64_t incarnation, stopped_at;
    int64_t skew_us; /* of the wall clock */
    unsigned slow;   /* how slowly it applies */
    struct sim_parked *parked, *parked_tail;
    /* on its disk */
    uint64_t voted, last_index, last_term;
    struct sim_entry *tent; /* entry at last_index, as long as it is not known to be committed */
    /* replication */
    uint64_t term;
    int leader;
    enum sim_role role;
    bool ready;
    uint64_t leading_since, leader_heard, election_at, ask_term, barrier;
    unsigned votes, acks;
    struct sim_entry *inflight;
    uint64_t inflight_index;
    struct sim_item queue[256];
    unsigned n_queue;
    uint64_t commit;
    bool applying;
    struct sim_prop *props, *props_tail;
    uint64_t next_seq, sent_at;
    /* watching and the lease */
    uint64_t contact[SIM_NODES_MAX];  /* it answered a ping of ours */
    uint64_t renewed[SIM_NODES_MAX];  /* we renewed its lease */
    uint64_t answered[SIM_NODES_MAX]; /* sending of the latest ping that it answered while it followed us */
    uint64_t base;
    uint64_t dead[SIM_NODES_MAX]; /* newest incarnation that refused, or that a later one followed; 0 none */
    bool declaring[SIM_NODES_MAX];
    struct sim_counted counted[4];
    unsigned next_counted;
    uint64_t pinged_at, beat_at;
    bool announcing, announced, tick_pending, dropped;
    uint64_t core_us, core_mono;
    /* addresses and calls */
    bool bound[SIM_NODES_MAX], binding[SIM_NODES_MAX], giving[SIM_NODES_MAX], moving[SIM_NODES_MAX],
        cannot[SIM_NODES_MAX], telling[SIM_NODES_MAX];
    struct sim_ocall calls[SIM_CALLS_MAX];
    uint8_t cdrs[SIM_CALLS_MAX];
    bool dirty[SIM_CALLS_MAX];
    bool recording[SIM_MESSAGES_MAX]; /* that it is over is on its way */
    uint8_t let_go[SIM_CALLS_MAX];    /* 0, or given away with an address (its index + 1), 255: moved */
    unsigned dirty_list[SIM_CALLS_MAX], n_dirty;
};

/* What the world knows of a call: what no node needs, and the checks do. */
struct sim_call {
    uint64_t id;
    bool started; /* CallStart was accepted */
    bool we_call; /* begun by apply: nobody started it */
    bool legged;  /* of such a one: somebody has answered, so it has a record */
    bool joined;  /* of such a one: to another call, so it has a record in any case */
    uint32_t transfers;
    uint64_t row;       /* call back that it stands for or did */
    uint32_t act_epoch; /* highest epoch under which a node acted */
    int act_node;
    int caller; /* dialog */
    uint64_t queued_us;
    uint64_t returned; /* order in which it came back to the very front, 0 */
    /* after the last entry */
    bool seen;
    uint8_t phase;
    uint32_t offers, epoch;
    int owner;
    char queue[16];
};

/* What the world knows of a call back, after the last entry; and of a message. */
struct sim_row {
    uint64_t id, queued_us, front;
    uint64_t returned; /* as of a call */
    unsigned tries;
    int call, last; /* that stands for it, -1 none; the last that did */
    bool there;
};
struct sim_message {
    uint64_t id;
    int owner;
    bool ended, kept; /* kept: acknowledged to whoever proposed it */
};

struct sim_client { /* an API client: one operation at a time, repeated under its key until it is answered */
    unsigned op;
    bool waiting;
    unsigned acked;
};

struct sim {
    uint64_t seed, rng, now, ties, digest;
    unsigned n;
    bool parties;                     /* calls have more than two */
    bool verbose, failed, quiet_time; /* quiet_time: no faults and no new calls any more */
    char why[256];
    struct sim_event *heap;
    size_t n_heap, cap_heap;
    uint64_t steps, applied_total;
    struct sim_node *nodes;
    bool cut[SIM_NODES_MAX][SIM_NODES_MAX];
    unsigned loss, fault_rate;
    /* the agreed log; [1] is the configuration */
    struct sim_entry **log;
    uint64_t committed;
    uint64_t *terms;  /* in which each was committed */
    uint64_t *hashes; /* digest of each index, by the first node that applied it */
    uint64_t checked; /* highest index whose effects were checked */
    struct sim_call calls[SIM_CALLS_MAX];
    unsigned n_calls;
    uint64_t returned;
    struct sim_row rows[SIM_ROWS_MAX];
    unsigned n_rows;
    struct sim_message messages[SIM_MESSAGES_MAX];
    unsigned n_messages;
    struct sim_dialog dialogs[SIM_DIALOGS_MAX];
    unsigned n_dialogs;
    struct sim_client client;
    int holder[SIM_NODES_MAX], target[SIM_NODES_MAX]; /* of each address, after the last entry */
    bool draining[SIM_NODES_MAX];
    uint64_t rest_at;
    struct {
        uint64_t calls, takeovers, phases[16], downs, drains, leaders, restarts, stale, rows, messages, joined, merged;
    } count;
    char *arena;
    size_t arena_used, arena_cap;
};

/* ---- sim_world.c: time, chance, network, faults */
void *sim_alloc(struct sim *s, size_t bytes);
uint64_t sim_rand(struct sim *s);
uint64_t sim_below(struct sim *s, uint64_t n); /* 0 .. n-1 */
static inline uint64_t sim_between(struct sim *s, uint64_t lo, uint64_t hi)
{
    return lo + sim_below(s, hi - lo + 1);
}
bool sim_chance(struct sim *s, unsigned percent);
void sim_fail(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sim_say(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sim_at(struct sim *s, uint64_t at, struct sim_event ev);
void sim_send(struct sim *s, struct sim_msg m);                 /* node to node */
void sim_send_phone(struct sim *s, int node, struct sim_msg m); /* node to telephone */
void sim_send_place(struct sim *s, struct sim_msg m);           /* telephone to the address m.place */
void sim_run(struct sim *s);
static inline bool sim_alive(const struct sim_node *n)
{
    return n->running && !n->paused;
}
/* Something befalls this node within the next milliseconds, in so many of a hundred cases. */
void sim_maybe_strike(struct sim *s, struct sim_node *n, unsigned percent);
void sim_kill(struct sim *s, struct sim_node *n);
void sim_start(struct sim *s, struct sim_node *n);

/* ---- sim_raft.c */
void raft_begin(struct sim *s);
void raft_reset(struct sim *s, struct sim_node *n); /* a new process */
void raft_turn(struct sim *s, struct sim_node *n);
void raft_message(struct sim *s, struct sim_node *n, const struct sim_msg *m);
void raft_apply(struct sim *s, struct sim_node *n);
void raft_propose(struct sim *s, struct sim_node *n, Ev__Command *cmd, enum sim_what what, unsigned arg, uint64_t arg2);
uint64_t raft_lease_base(const struct sim *s, const struct sim_node *n);
uint64_t raft_wall_us(const struct sim *s, const struct sim_node *n);

/* ---- sim_lease.c: watching, announcing, the lease */
bool lease_held(const struct sim *s, const struct sim_node *n);
void lease_turn(struct sim *s, struct sim_node *n);
void lease_applied(struct sim *s, struct sim_node *n);
void lease_pong(struct sim *s, struct sim_node *n, const struct sim_msg *m);

/* ---- sim_owner.c */
void owner_turn(struct sim *s, struct sim_node *n);
void owner_event(struct sim *s, struct sim_node *n, const struct core_event *ev);
void owner_applied(struct sim *s, struct sim_node *n);
void owner_answer(struct sim *s, struct sim_node *n, const struct sim_prop *p, const struct core_answer *a);
void owner_message(struct sim *s, struct sim_node *n, const struct sim_msg *m);
void owner_timer(struct sim *s, struct sim_node *n, const struct sim_event *ev);

/* ---- sim_adopt.c: calls that change hands */
void owner_forget_all(struct sim_node *n);
void owner_resume(struct sim *s, struct sim_node *n);
void owner_forget_address(struct sim *s, struct sim_node *n, int ip);
void owner_address_lost(struct sim *s, struct sim_node *n, int ip);
void owner_address_ready(struct sim *s, struct sim_node *n);
size_t owner_give_away(struct sim *s, struct sim_node *n);
/* It is on its way to another node, or joined to one that is. */
bool owner_let_go(struct sim *s, struct sim_node *n, const struct core_call *c);
/* What became of a call that was given away is known. */
void owner_moved(struct sim *s, struct sim_node *n, unsigned call);

/* ---- sim_back.c: call backs */
bool back_is_ours(uint64_t id); /* a call that apply began */
/* Its index in the world's calls, where it is from now on. */
unsigned back_know(struct sim *s, uint64_t id);
struct sim_row *back_row(struct sim *s, uint64_t id); /* NULL: there never was one */
void back_check(struct sim *s, const struct core *c);
void back_check_rest(struct sim *s, const struct sim_node *n);

/* ---- sim_parties.c: calls with more than two parties */
void parties_plan(struct sim *s);
void parties_ask(struct sim *s);
void parties_check(struct sim *s, const struct core *c, const struct core_call *k);

/* ---- sim_message.c */
/* false: as many as there may be have been left. */
bool message_begin(struct sim *s, const struct sim_node *n, Ev__RecordBegin *m);
void message_turn(struct sim *s, struct sim_node *n);
void message_answer(struct sim *s, struct sim_node *n, const struct sim_prop *p, const struct core_answer *a);
void message_check_item(struct sim *s, const struct sim_item *it, const struct core_answer *a);
void message_check(struct sim *s, const struct core *c);
void message_check_rest(struct sim *s, const struct sim_node *n);

/* ---- sim_client.c */
void client_turn(struct sim *s);
void client_answer(struct sim *s, const struct sim_prop *p, const struct core_answer *a);

/* ---- sim_address.c */
/* Lets go of what is another's now. */
void address_release(struct sim *s, struct sim_node *n);
void address_turn(struct sim *s, struct sim_node *n);
void address_bind_done(struct sim *s, struct sim_node *n, int ip);
int address_index(const char *ip);
void address_answer(struct sim_node *n, const struct sim_prop *p);

/* ---- sim_phone.c */
void phone_new_call(struct sim *s);
void phone_message(struct sim *s, const struct sim_msg *m, int from_node);
void phone_timer(struct sim *s, unsigned dialog, uint32_t timer);
bool phone_busy(const struct sim *s, int ext);
bool phone_quiet(const struct sim *s);

/* ---- sim_check.c */
void check_step(struct sim *s);
void check_entry(struct sim *s, struct sim_node *n, uint64_t index, uint64_t hash);
/* What the owner of a call proposed, and what came of it on the first node that applied it. */
void check_item(struct sim *s, const struct sim_item *it, const struct core_answer *a);
void check_rest(struct sim *s);
bool check_resting(const struct sim *s);
void check_act(struct sim *s, const struct sim_node *n, const struct sim_ocall *k);

/* ---- sim_storage.c or sim_sqlite.c */
struct storage *sim_store_new(struct sim *s, int node);
void sim_store_free(struct storage *st);
/* Rolling digest of all that was written. With SQLite 0: tables are compared by sim_store_digest. */
uint64_t sim_store_hash(const struct storage *st);
uint64_t sim_store_digest(struct storage *st);
/* The process has ended and starts again. */
struct storage *sim_store_reopen(struct storage *st);

#endif
