/* Shared by recordings.c (life), recordings_copy.c (others' copies) and recordings_file.c (disk, in workers). Core thread but for that. */
#ifndef NODE_RECORDINGS_INT_H
#define NODE_RECORDINGS_INT_H

#include "base/folder.h"
#include "node/rec_msg.h"
#include "node/recordings.h"
#include "storage/blob.h"

#define REC_TICK_MS 100u
#define REC_COPIES 2u
#define REC_PEERS_MAX 64u
#define REC_BUFFER_BYTES 65536u
#define REC_BYTES_A_MS 8u
#define REC_MASK 0xD5u

/* Another node that keeps a copy, as far as is known here. */
struct rec_copy {
    uint64_t peer; /* 0: none */
    bool known;    /* `held` is what it said */
    bool waiting;  /* for its answer, or for the piece to be read */
    uint64_t held, since_us;
};

/* Finding what others have of a recording that another node began. */
struct rec_search {
    bool on;
    uint64_t until_us, best_peer, best; /* who has most */
    size_t asked, answers;
    bool fetching, waiting;
};

enum rec_stage { REC_RUNS, REC_BUILDS, REC_SPREADS, REC_SPREAD_AGAIN, REC_COMMITS, REC_COMMIT_AGAIN, REC_OVER };

struct recording {
    struct node_recordings *all;
    uint64_t id, epoch;
    bool made_here; /* else it is held for another */
    uint64_t len;   /* bytes of the file, from its beginning */
    uint64_t touched_us;
    bool gone;        /* to be freed, and its file removed, when no work is under way */
    unsigned working; /* pieces of work and proposals under way */
    bool writing;

    /* made here */
    recording_done_fn *done;
    void *ctx;
    struct recorder *rec;
    uint64_t started_us, max_bytes;
    uint8_t *buf; /* to be written at `at` */
    size_t buf_len;
    uint64_t at;
    bool finishing;
    int failed; /* why it cannot be written */
    uint32_t min_ms;
    enum rec_stage stage;
    uint64_t again_us;
    struct rec_copy copies[REC_COPIES];
    struct rec_search search;
    char blob[BLOB_NAME_MAX];
    uint64_t blob_bytes;
    uint32_t duration_ms;
    enum recording_outcome outcome;
    const char *why;
};

struct node_recordings {
    struct node *n;
    char dir[FOLDER_PATH_MAX - 40];
    struct map by_id; /* u64 -> struct recording */
    unsigned made, working;
    uv_timer_t tick;
    unsigned ticks;
    bool stopping;
    struct recordings_counts counts;
};

/* A piece of work for a worker, and its answer. */
struct rec_work {
    struct recording *r;
    uv_work_t work;
    enum { REC_WRITE, REC_READ, REC_BUILD, REC_REMOVE } kind;
    char path[FOLDER_PATH_MAX];
    struct blobs *blobs; /* REC_BUILD */
    uint64_t offset;
    bool truncate; /* REC_WRITE: nothing behind `offset` counts */
    uint64_t peer; /* to whom the answer goes; 0: none */
    enum rec_msg_kind answer;
    uint32_t min_ms;
    /* the answer */
    int rc;
    char blob[BLOB_NAME_MAX];
    uint64_t bytes;
    uint32_t duration_ms;
    size_t len;
    uint8_t head[REC_MSG_HEADER]; /* before the data, to be sent in one piece */
    uint8_t data[REC_BUFFER_BYTES];
};

/* recordings.c */
struct recording *rec_find(struct node_recordings *a, uint64_t id);
struct recording *rec_hold(struct node_recordings *a, uint64_t id); /* made when missing; NULL: no room */
/* NULL: out of memory. Put to work with rec_begin; `done` is rec_done's to choose. */
struct rec_work *rec_work_new(struct recording *r);
void rec_begin(struct rec_work *w);
void rec_step(struct recording *r);
/* recordings_copy.c */
void rec_copies_step(struct recording *r, uint64_t now_us);
void rec_search_begin(struct recording *r);
/* True while it goes on: nothing is written yet. */
bool rec_search_step(struct recording *r, uint64_t now_us);
void rec_read_done(struct rec_work *w);
void rec_write_done(struct rec_work *w);
/* recordings_file.c: worker threads */
void rec_file_run(struct rec_work *w);

#endif
