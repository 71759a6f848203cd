/* Shared by recordings.c (life), recordings_line.c (samples of both parties in one line), recordings_copy.c (others' copies),
 * recordings_file.c (disk, in workers), recordings_sound.c (sealed blobs), recordings_verify.c (whether they are what they were), recordings_form.c and recordings_mp3.c (MP3 of what is kept). Core thread but for that.
 *
 * The file, DATA/recordings/<id>.part, is a sealed one (storage/seal.h) of chunks of REC_CHUNK_MS: A-law, of two channels sample by sample in
 * turn. A chunk that nobody wrote is a hole, silence, and a gap of the recording. */
#ifndef NODE_RECORDINGS_INT_H
#define NODE_RECORDINGS_INT_H

#include <stdatomic.h>

#include "base/folder.h"
#include "node/rec_msg.h"
#include "node/recordings.h"
#include "storage/blob.h"
#include "storage/seal.h"

#define REC_TICK_MS 100u
#define REC_COPIES 2u
#define REC_PEERS_MAX 64u
#define REC_BUFFER_BYTES 65536u
#define REC_SAMPLES_A_MS 8u
#define REC_CHANNELS_MAX 2u
#define REC_VOICES_MAX 24u
#define REC_CHUNK_SAMPLES 2000u /* of each channel */
#define REC_LINE_SAMPLES 32000u /* of each channel: 4 s may wait for the disk */
#define REC_GAPS_MAX 32u
#define REC_BLOB_CHUNK 4000u /* bytes of the WAV file that are sealed together */

/* ---- recordings_line.c: what is heard, in its place */
struct rec_voice {
    struct recorder *rec;
    unsigned channel;
    bool placed; /* `at` is where its next sample belongs */
    uint64_t at;
};
/* Places are samples since the beginning of the recording, times are of the monotonic clock. */
struct rec_line {
    unsigned channels;
    struct rec_voice voice[REC_VOICES_MAX]; /* who speaks, or has spoken and is not written down to the end yet */
    unsigned n_voices;
    uint64_t lost; /* samples, of those who are not among them any more */
    uint64_t end;  /* behind the last sample that anybody gave */
    bool based;
    int64_t base_us; /* when place 0 was; may be before this machine began */
    bool placed;
    uint64_t place; /* of the first sample in buf: all before it is on its way to the disk, or was never there */
    uint64_t max;   /* it ends there */
    uint8_t *buf;   /* REC_LINE_SAMPLES of each channel, silence where nothing is known yet */
};
ERR_CHECKED int rec_line_open(struct rec_line *l, unsigned channels, uint64_t max);
void rec_line_close(struct rec_line *l);
/* One more is heard in this channel until it is over; a reference is taken. ERR_TOOBIG: REC_VOICES_MAX are. */
ERR_CHECKED int rec_line_feed(struct rec_line *l, unsigned channel, struct recorder *rec);
/* This one is heard no more, whatever it still has. */
void rec_line_cut(struct rec_line *l, const struct recorder *rec);
/* Place 0 was then; without it, when the first sample comes. */
void rec_line_base(struct rec_line *l, int64_t base_us);
/* What comes before `from`, a beginning of a chunk, is there already. */
void rec_line_begin(struct rec_line *l, uint64_t from, uint64_t now_us);
uint64_t rec_line_at(const struct rec_line *l, uint64_t now_us);
void rec_line_take(struct rec_line *l);
/* Nothing more will come. */
bool rec_line_over(const struct rec_line *l);
/* How many samples of each channel, from the beginning of buf, are known: whole chunks; at the end what there is. */
size_t rec_line_ready(const struct rec_line *l, uint64_t now_us, bool finishing);
void rec_line_written(struct rec_line *l, size_t samples);
/* Lost for want of room, up to now. */
uint64_t rec_line_lost(const struct rec_line *l);

struct rec_gap {
    uint32_t from_ms, to_ms;
};

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
    struct rec_line line;
    bool trims;      /* silence at its end is not kept */
    bool cuts;       /* nothing of this owner is in the file yet: what is behind `agreed` goes with the first piece */
    uint64_t agreed; /* bytes from which on it is this owner's */
    bool denied;     /* it was begun with a key that this node does not have */
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
    struct rec_gap gaps[REC_GAPS_MAX];
    size_t n_gaps;
    enum recording_outcome outcome;
    const char *why;
};

struct node_recordings {
    struct node *n;
    struct seal_keys *keys; /* NULL: nothing is recorded here */
    char dir[FOLDER_PATH_MAX - 40];
    struct map by_id; /* u64 -> struct recording */
    unsigned made, working;
    uv_timer_t tick;
    unsigned ticks;
    bool stopping;
    struct recordings_counts counts;
    struct rec_forms *forms;
};

/* A piece of work for a worker, and its answer. */
struct rec_work {
    struct recording *r;
    uv_work_t work;
    /* REC_WRITE: samples of this node, to be sealed; REC_STORE: bytes of a peer, sealed by him */
    enum { REC_WRITE, REC_STORE, REC_READ, REC_BUILD, REC_REMOVE } kind;
    char path[FOLDER_PATH_MAX];
    uint64_t id;
    const struct seal_keys *keys; /* REC_WRITE, REC_BUILD */
    struct blobs *blobs;          /* REC_BUILD */
    unsigned channels;
    bool trims;
    uint64_t offset; /* REC_WRITE: the chunk */
    bool truncate;   /* REC_STORE: nothing behind `offset` counts; REC_WRITE: behind `cut` */
    uint64_t cut;
    uint64_t peer; /* to whom the answer goes; 0: none */
    enum rec_msg_kind answer;
    uint32_t min_ms;
    /* the answer */
    int rc;
    char blob[BLOB_NAME_MAX];
    uint64_t bytes;
    uint64_t end; /* REC_WRITE, REC_STORE: of what was written */
    uint32_t duration_ms;
    struct rec_gap gaps[REC_GAPS_MAX];
    size_t n_gaps;
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
/* recordings_sound.c: any thread that may wait for the disk. keys NULL: there are none. */
ERR_CHECKED int rec_sound_bytes(struct blobs *b, const struct seal_keys *keys, const char *blob, uint64_t *bytes);
ERR_CHECKED int rec_sound_read(struct blobs *b, const struct seal_keys *keys, const char *blob, uint64_t id,
                               uint64_t from, size_t count, void **data);
/* The whole of it, as it lies there: ERR_NOTFOUND; ERR_CORRUPT with the chunk whose seal is broken, REC_CHUNK_HEADER: it is no sealed file, or another
 * one's, REC_CHUNK_ALL: it is not what its name is the hash of, and has gone; ERR_DENIED: it was sealed with another key. */
#define REC_CHUNK_ALL UINT64_MAX
#define REC_CHUNK_HEADER (UINT64_MAX - 1)
ERR_CHECKED int rec_sound_verify(struct blobs *b, const struct seal_keys *keys, const char *blob, uint64_t id,
                                 uint64_t *bytes, uint64_t *chunk);
/* A sealed blob that is being made, of the content that is added, `bytes` in all; any thread that may wait for the disk. */
struct rec_target {
    struct blob_writer *out;
    struct seal_key key;
    uint64_t chunk;
    size_t n;
    uint8_t plain[REC_BLOB_CHUNK];
};
ERR_CHECKED int rec_target_open(struct rec_target *t, struct blobs *b, const struct seal_keys *keys, uint64_t id,
                                uint64_t bytes);
ERR_CHECKED int rec_target_add(struct rec_target *t, const uint8_t *data, size_t len);
/* With rc, what has gone wrong meanwhile, there is no blob, and the same is returned. */
ERR_CHECKED int rec_target_finish(struct rec_target *t, int rc, char blob[BLOB_NAME_MAX]);
/* recordings_mp3.c: likewise */
struct rec_mp3 {
    struct blobs *blobs;
    const struct seal_keys *keys;
    uint64_t id;
    char wav[BLOB_NAME_MAX];
    atomic_bool stop; /* by another thread: ERR_CLOSED soon */
    /* the answer */
    char mp3[BLOB_NAME_MAX];
    uint64_t bytes;
};
/* ERR_DENIED, ERR_CORRUPT, ERR_NOSPACE ... */
ERR_CHECKED int rec_mp3_make(struct rec_mp3 *m);
/* The same without keeping it: malloc'ed. */
ERR_CHECKED int rec_mp3_bytes(struct rec_mp3 *m, void **data, size_t *len);
/* recordings_form.c: core thread */
/* Which of the nodes that are up, counted from 0 in the order of the state, makes the MP3 file of this one now: always one of them, and each in its turn. */
unsigned rec_forms_turn(uint64_t id, uint64_t now_us, unsigned up);
ERR_CHECKED int rec_forms_start(struct node_recordings *a);
void rec_forms_stop(struct node_recordings *a);
void rec_forms_tick(struct node_recordings *a); /* each second */
/* recordings_file.c: worker threads */
void rec_file_run(struct rec_work *w);
/* Where chunk `chunk` begins in the file. */
uint64_t rec_file_at(uint64_t chunk, unsigned channels);
/* Whole chunks in so many bytes. */
uint64_t rec_file_chunks(uint64_t bytes, unsigned channels);

#endif
