/* Shared inside raft/: the one struct behind repl.h and the functions between its files. Core thread only.
 *
 *   repl.c          opening, closing, the turn of the loop (repl_pump), status
 *   repl_io.c       libraft's disk and message interface wrapped, messages received, the state machine hooks
 *   repl_propose.c  commands: own pending list, forwarding, the leader's queue and batches
 *   repl_member.c   who is in, joining, adding, removing, handing over
 *   repl_read.c     read index
 *   repl_lease.c    the age of the lease, who may be declared down
 *   repl_elect.c    standing for election at once when the leader is gone
 *   repl_snapshot.c images: taking, fetching, installing
 *
 * Rule: libraft is called from repl_pump, from a received frame, and from its own callbacks, never from an API function
 * of repl.h, because those may be called from inside the state machine's apply, where libraft is not reentrant. */
#ifndef RAFT_REPL_INT_H
#define RAFT_REPL_INT_H

#include <raft.h>
#include <raft/uv.h>

#include "base/list.h"
#include "raft/disk_guard.h"
#include "raft/identity.h"
#include "raft/image.h"
#include "raft/mesh.h"
#include "raft/repl.h"
#include "raft/repl_batch.h"

#define REPL_MEMBERS_MAX 64u
#define REPL_INFLIGHT_MAX 2u              /* batches given to libraft and not yet committed */
#define REPL_QUEUE_BYTES_MAX (64u << 20)  /* commands that wait at the leader, of all nodes */
#define REPL_FORWARD_BYTES (256u * 1024u) /* payload of one forwarding frame, or one command if larger */
#define REPL_READS_MAX 4096u              /* read-index questions in the works */
#define REPL_MEMBER_OPS_MAX 16u
#define REPL_STOP_TRANSFER_MS 500u
#define REPL_DEFAULT_TIMEOUT_MS 5000u
#define REPL_RESEND_MS 1000u /* an own command sent and not applied for so long is sent again */
#define REPL_MESSAGE_MAX 65536u
#define REPL_WATCHES_MAX (2u * REPL_MEMBERS_MAX)
#define REPL_RENEWALS_MAX 8u
#define REPL_APPLIED_MAX (2u * REPL_MEMBERS_MAX)
#define REPL_PINGS 6u /* in detect_ms: a thread that was held up for long still finds its lease young */

/* A command that this node proposed, until it is applied here. It outlives its request: once sent it keeps its place in
 * the sequence even if the caller was told ERR_TIMEOUT. */
struct repl_pend {
    struct list_node link;
    struct repl_req *req; /* NULL after a time-out */
    uint64_t seq;         /* 0 until first sent */
    uint64_t deadline_us;
    size_t len;
    uint8_t data[];
};

/* What the leader has queued of one origin, within one term. */
struct repl_origin {
    uint64_t id, incarnation, term;
    uint64_t next;     /* the only sequence that is taken; 0: whichever comes first in this term */
    uint64_t awaits;   /* index of the entry with its newest command: it waits to hear that this is committed */
    bool queued;       /* has commands in a batch not yet submitted */
    bool wants_resume; /* something was refused: it must send again once there is room */
};

/* Last sequence applied per origin, for its newest incarnation: of members the same on all nodes at one index. */
struct repl_applied {
    uint64_t id, incarnation, seq;
};

struct repl_member {
    uint64_t id;
    char name[64], address[64];
    int role;             /* RAFT_VOTER ... */
    uint64_t told_commit; /* leader: commit index sent to it */
    uint64_t tell_us;     /* leader: when it is to be told of a commit it does not wait for; 0 none */
    uint64_t concerned;   /* leader: newest index that concerns it */
    struct raft_append_entries_result heard; /* leader: its latest acceptance, */
    uint64_t heard_us;                       /* and when it came; 0 none */
};

/* A node that our list of members does not have, let in because the list may be behind. */
struct repl_ahead {
    uint64_t id; /* 0: this place is free */
    char name[64];
};

/* How far a log goes. */
struct repl_place {
    uint64_t term, index;
};

/* What is known of another node for leases and elections; kept for a while after it was removed. */
struct repl_watch {
    uint64_t id;
    uint64_t renewed_us;       /* leader: when its lease was last renewed by us */
    uint64_t fenced_term;      /* leader: not renewed in this term, */
    uint64_t fenced_until;     /* before our commands below this sequence are applied here; 0: before repl_unfence */
    uint64_t led_us, led_term; /* leader: the newest ping of ours that it answered in this term of ours */
    uint32_t detect_ms;        /* these as it last told: */
    bool told, hears;
    uint64_t leader;
    struct repl_place place;
    uint64_t stands_term; /* that in which it said that it stands for the next one */
    uint64_t incarnation; /* of the process that greeted last */
    uint64_t gone_term;   /* in which it led when its process was known dead: it leads no more in this term */
};

/* A renewal of our lease, valid once this much is applied. */
struct repl_renewal {
    uint64_t since_us, commit;
};

enum repl_member_op_kind { REPL_OP_ADD = 1, REPL_OP_REMOVE = 2, REPL_OP_TRANSFER = 3 };

struct repl_member_op {
    struct list_node link;
    uint8_t kind; /* enum repl_member_op_kind */
    char name[64], address[64];
    repl_member_cb *cb;
    void *arg;
    uint64_t from;  /* 0: asked here; else the node that forwarded it */
    uint64_t token; /* of the node that asked */
    uint64_t sent_to, sent_term;
    uint64_t deadline_us;
    bool running;
};

struct repl_read {
    struct list_node link;
    void (*cb)(void *arg, int status);
    void *arg;
    uint64_t from; /* leader's side: node that asked, 0 for own */
    uint64_t token;
    uint64_t index; /* to be applied; 0 while not known */
    uint64_t round; /* leader's side */
    uint64_t deadline_us, sent_us;
    enum { REPL_READ_ASK, REPL_READ_WAIT } state;
};

struct repl {
    uv_loop_t *loop;
    struct repl_handler h;
    void (*message_fn)(void *ctx, uint64_t peer, const void *data, size_t len);

    /* configuration */
    char name[64], listen[64], join[64], dir[400], log_dir[420], image_dir[420];
    unsigned election_ms, heartbeat_ms, detect_ms, snapshot_threshold, snapshot_trailing;

    struct identity ident;
    bool plain_elections;
    int lock_fd;
    struct disk_guard *guard;
    struct mesh *mesh;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_timer_t timer;
    uv_timer_t tell; /* leader: commit notices that may wait for an entry to travel with */
    uv_timer_t hold; /* own commands that may wait for others to travel with */
    int open_handles;
    uint64_t now_us; /* read once per turn */

    /* libraft */
    bool raft_inited, raft_up, raft_closing, raft_closed;
    struct raft raft;
    struct raft_io io, io_uv; /* io_uv keeps the functions that io's wrappers call */
    struct raft_fsm fsm;
    struct raft_uv_transport transport;
    raft_io_recv_cb recv;
    raft_io_tick_cb tick;
    bool in_recv_commit;   /* the answer to a commit notice need not travel */
    unsigned append_waits; /* writes given to the disk and not done */
    unsigned space_ticks;  /* timer ticks until the room on the disk is looked at again */
    unsigned append_ticks; /* timer ticks since the disk was last seen to make progress */
    uint64_t append_next;  /* index of the next entry that goes to disk */
    unsigned append_epoch; /* grows when entries are taken back: what is on its way to disk is void then */
    uint64_t state_index;  /* last index that is in the state machine */
    uint64_t seen_term, seen_leader;
    uint64_t seen_commit, seen_commit_us,
        commit_gap_us; /* leader: the newest commit, when, how long after the one before */
    int seen_state;
    bool leader_ready;
    struct raft_barrier *barrier;
    bool dead; /* fatal was called */

    /* own commands */
    struct list_node pends;
    struct list_node *cursor; /* first that is not sent in this leadership; the head when all are */
    uint64_t hold_us;         /* until when those from the cursor on may wait for others; 0 they may not */
    size_t pend_count, pend_bytes;
    uint64_t next_seq, last_send_us;
    uint64_t forwarded, proposed, refused;

    /* leader's queue */
    struct list_node batches; /* struct repl_batch; the last one is open */
    size_t batch_bytes;
    bool no_space; /* libraft refuses entries: the disks of a majority are nearly full */
    unsigned inflight;
    uint64_t inflight_index[REPL_INFLIGHT_MAX]; /* their indexes in the log, rising */
    struct repl_origin origins[REPL_MEMBERS_MAX];

    /* state machine side */
    struct repl_applied applied[REPL_APPLIED_MAX];
    unsigned n_applied;
    struct repl_item items[REPL_BATCH_ITEMS_MAX];
    struct repl_outcome outcomes[REPL_BATCH_ITEMS_MAX];

    /* members, as of configuration members_index */
    struct repl_member members[REPL_MEMBERS_MAX];
    unsigned n_members;
    struct repl_member before[REPL_MEMBERS_MAX]; /* while a change is uncommitted: as of before it */
    unsigned n_before;
    uint64_t members_committed, members_uncommitted; /* indexes of the configurations they were read from */
    struct repl_ahead ahead[REPL_MEMBERS_MAX];
    struct list_node ops;
    unsigned n_ops;
    uint64_t next_token;
    struct raft_change change;
    bool change_busy;
    struct repl_member_op *change_op;
    struct raft_transfer transfer;
    bool transfer_busy;
    uint64_t transfer_to;
    struct repl_member_op *transfer_op;
    uint64_t promote_after_us;

    /* joining */
    bool joining;
    char join_at[64];
    char join_said[248]; /* the last reason to wait that was logged */
    uint64_t join_next_us;

    /* read index */
    struct list_node reads;
    unsigned n_reads;
    uint64_t read_round, read_round_done; /* leader: rounds sent and confirmed */
    uint64_t read_round_sent_us;
    uint64_t read_acks[REPL_MEMBERS_MAX];
    unsigned n_read_acks;

    /* lease and election */
    struct repl_watch watches[REPL_WATCHES_MAX];
    struct repl_renewal renewals[REPL_RENEWALS_MAX];
    unsigned next_renewal;
    uint64_t lease_us;      /* monotonic time since which we have a lease; 0 never */
    uint64_t lead_since_us; /* leader: not before we were elected */
    struct {
        uv_timer_t timer;
        uint64_t told_leader; /* and whether we hear it, as told to all */
        bool told_hears;
        uint64_t leader, since_us, term; /* the leader that is gone, since when, the term then */
        uint64_t stood_term;
        uint64_t polls,
            due_polls; /* how often the loop has read what came; that number when our turn to stand was first seen */
        uint64_t led_term;         /* of the last message of a leader */
        uint64_t term_us, vote_us; /* how long it took to write the last term and vote */
        uint64_t agreed_us,
            agreed_last_us;  /* since when, and when last, a majority said that there is no leader; 0: there is */
        unsigned timeout_ms; /* as libraft was last told by us; 0 not yet */
    } elect;

    struct repl_snapshot *snap;

    /* stopping */
    bool stopping, mesh_closed, handed_over;
    uint64_t stop_deadline_us;
    void (*stop_cb)(void *arg);
    void *stop_arg;
    char fatal_text[256];
};

/* repl.c */
void repl_pump(struct repl *r);
void repl_fatal(struct repl *r, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
ERR_CHECKED int repl_raft_begin(struct repl *r, struct err_info *info);
uint64_t repl_leader(const struct repl *r);
bool repl_leading(const struct repl *r);
int repl_err_from_raft(int rc);
void repl_free_if_closed(struct repl *r);

/* repl_io.c */
ERR_CHECKED int repl_io_init(struct repl *r, struct err_info *info);
int repl_io_frame(struct repl *r, uint64_t peer, const uint8_t *data, size_t len);
int repl_io_commit_frame(struct repl *r, uint64_t peer, const uint8_t *data, size_t len);
void repl_io_tell_commit(struct repl *r);
void repl_io_tell_concerned(struct repl *r); /* between apply and what follows from it */
/* Ends this node when the disk takes nothing any more: libraft would try again for ever without a word. */
void repl_io_watch_disk(struct repl *r);
/* Gives a message to libraft, which then owns what it holds. */
void repl_io_deliver(struct repl *r, struct raft_message *m, uint64_t peer);

/* repl_propose.c */
void repl_propose_pump(struct repl *r);
void repl_propose_rewind(struct repl *r); /* send all that is pending again */
void repl_propose_expire(struct repl *r);
void repl_propose_fail_all(struct repl *r, int status);
void repl_propose_lost(struct repl *r); /* no longer the leader */
int repl_propose_frame(struct repl *r, uint64_t peer, const uint8_t *data, size_t len);
int repl_propose_apply(struct repl *r, uint64_t index, const void *data, size_t len);
/* True, and fatal, when these were sent under our identity but not by us. */
bool repl_propose_alien(struct repl *r, uint64_t origin, uint64_t incarnation, uint64_t seq);
/* The state was replaced by an image: own commands that it already holds are answered ERR_TIMEOUT (outcome unknown). */
void repl_propose_installed(struct repl *r);

/* repl_member.c */
const char *repl_member_field(const char *name, const char *address, char *out, size_t cap);
void repl_member_refresh(struct repl *r);
void repl_member_pump(struct repl *r);
void repl_member_fail_all(struct repl *r, int status, const char *text);
struct repl_member *repl_member_find(struct repl *r, uint64_t id);
/* Also one whose removal is not committed. */
bool repl_member_listed(struct repl *r, uint64_t id);
int repl_member_admit(void *ctx, const struct mesh_hello *hello, char *why, size_t cap);
void repl_member_join(void *ctx, const struct mesh_hello *hello, struct mesh_join_reply *out);
void repl_member_joined(void *ctx, const struct mesh_join_reply *reply);
void repl_member_refused(void *ctx, uint64_t peer, int code, const char *text);
int repl_member_frame(struct repl *r, uint64_t peer, const uint8_t *data, size_t len);
int repl_member_answer_frame(struct repl *r, uint64_t peer, const uint8_t *data, size_t len);
bool repl_member_start_transfer(struct repl *r, uint64_t to);

/* repl_read.c */
void repl_read_pump(struct repl *r);
void repl_read_fail_all(struct repl *r, int status);
void repl_read_reset(struct repl *r); /* another leadership: all questions are asked anew */
int repl_read_frame(struct repl *r, uint64_t peer, uint8_t type, const uint8_t *data, size_t len);

/* repl_lease.c */
struct repl_watch *repl_watch_find(struct repl *r, uint64_t id);
struct repl_watch *repl_watch_get(struct repl *r, uint64_t id);
size_t repl_lease_answer(void *ctx, uint64_t peer, bool asked, uint8_t *out);
int repl_lease_answered(void *ctx, uint64_t peer, uint64_t sent_us, const uint8_t *data, size_t len);
void repl_lease_silent(void *ctx, uint64_t peer, bool silent);

/* repl_elect.c */
void repl_elect_pump(struct repl *r);
/* Whether something comes from this leader; true when it is this node, false for 0. */
bool repl_elect_hears(const struct repl *r, uint64_t leader);
struct repl_place repl_elect_place(const struct repl *r);

/* repl_snapshot.c */
ERR_CHECKED int repl_snapshot_open(struct repl *r, struct err_info *info);
/* True when nobody holds a pointer into it: no image is being taken, no worker runs. */
bool repl_snapshot_idle(const struct repl *r);
void repl_snapshot_close(struct repl *r);
void repl_snapshot_pump(struct repl *r);
int repl_snapshot_take(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs);
int repl_snapshot_restore(struct raft_fsm *fsm, struct raft_buffer *buf);
int repl_snapshot_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *req,
                      const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb);
/* An InstallSnapshot came; takes it over. */
void repl_snapshot_received(struct repl *r, uint64_t peer, struct raft_message *m);
void repl_snapshot_cancel(struct repl *r); /* raft is about to close */
void repl_snapshot_down(struct repl *r, uint64_t peer);
/* While an image comes from this peer, its messages of libraft are answered as stale. */
bool repl_snapshot_fetching_from(const struct repl *r, uint64_t peer);
int repl_snapshot_frame(struct repl *r, uint64_t peer, uint8_t type, const uint8_t *data, size_t len);

#endif
