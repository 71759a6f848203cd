/* Recordings while they are made, messages of callers and calls alike: on disk here and at others, and what becomes of them in the end.
 *
 * What has been recorded lies in DATA/recordings/<id>.part, a sealed file (storage/seal.h) of chunks of a quarter of a second; one that nobody
 * wrote is silence, and a gap. Half a second after it was heard it is written here, and sent to two other nodes (node/rec_msg.h), which
 * hold the same bytes as far as they were given them. Whoever gets the recording from the state goes on with the longest beginning that he finds at
 * himself or another, a gap up to now, and what he hears from now on. At its end it becomes a WAV file (A-law; of a call customer and our side, each in a
 * channel of its own), sealed with a key of its own, a blob (storage/blob.h) on the disks of a majority, and a row of the state by RecordEnd.
 * Keys: recording_key_file of the node file. Without it nothing is begun here (ERR_DENIED), and what other nodes began is left to those that have it.
 *
 * A recording belongs to its owner in the state (core_recording): a call that records is attached to it; without one it is ended.
 * Disk in libuv's workers, all else on the core thread. Bounds: RECORDINGS_MAX that are made here, RECORDINGS_HELD_MAX files in all; over
 * them nothing is begun (ERR_BUSY). Disk full: the recording ends as failed, its file goes. */
#ifndef NODE_RECORDINGS_H
#define NODE_RECORDINGS_H

#include "node/node.h"

#define RECORDINGS_MAX 512u
#define RECORDINGS_HELD_MAX 4096u

struct recorder;
struct recording;

enum recording_outcome {
    RECORDING_KEPT,
    RECORDING_EMPTY,
    RECORDING_FAILED,
    RECORDING_LOST, /* it is made here no longer: another node's in the state, or this one stops */
};
/* Called once for an attached call, then it is detached: what recording_attach gave is dead. */
typedef void recording_done_fn(void *ctx, enum recording_outcome outcome);

struct recordings_counts {
    uint64_t kept, empty, failed, adopted, lost_samples;
    size_t made, files; /* at present */
};

ERR_CHECKED int recordings_start(struct node *n, struct err_info *info);
void recordings_stop(struct node *n);
void recordings_get_counts(struct node *n, struct recordings_counts *out);

/* The sound of a message or a recording whose blob is on this node's disk: bytes of its WAV file, and some of them, malloc'ed. Any thread but the core's:
 * they wait for the disk. The whole is held against its hash; parts are authentic, as each chunk is. Errors as storage/blob.h and storage/seal.h. */
ERR_CHECKED int recordings_sound_bytes(struct node *n, const char *blob, uint64_t *bytes);
ERR_CHECKED int recordings_sound_read(struct node *n, const char *blob, uint64_t id, uint64_t from, size_t count,
                                      void **data);
/* The same sound as MP3, made for this once. Any thread but the core's. */
ERR_CHECKED int recordings_sound_mp3(struct node *n, const char *blob, uint64_t id, void **data, size_t *len);

/* An MP3 file of a recording that was kept, made if there is none yet: behind all other work of this machine, a second or so for each two minutes of
 * talk, and kept from then on. done(0): core_recording_forms names it. ERR_BUSY, ERR_DENIED (no key), ERR_NOTFOUND; ERR_CLOSED when the node
 * stops. Core thread; done may be called before it returns. */
typedef void recordings_mp3_fn(void *ctx, int status);
ERR_CHECKED int recordings_mp3(struct node *n, uint64_t id, recordings_mp3_fn *done, void *ctx);

/* The files of a recording that was kept, as they lie on this node's disk: each held against its hash in the state, opened chunk by chunk, in a worker. One that is damaged is
 * fetched anew.
 * ERR_DENIED (no key file here), ERR_NOTFOUND, ERR_CLOSED, ERR_NOMEM; done is not called then, and not before it returns. */
struct recordings_verified {
    unsigned n;
    struct {
        const char *format; /* "wav", "mp3" */
        char sha256[CORE_SHA256_MAX];
        uint64_t bytes; /* of its content; 0 when that cannot be known */
        char fault[80]; /* "": none */
    } file[2];
};
typedef void recordings_verify_fn(void *ctx, const struct recordings_verified *v);
ERR_CHECKED int recordings_verify(struct node *n, uint64_t id, recordings_verify_fn *done, void *ctx);

/* A message of a peer. False: not one of ours. */
bool recordings_message(struct node *n, uint64_t peer, const void *data, size_t len);
/* Core: the message has changed. */
void recordings_changed(struct node *n, uint64_t id);

/* ---- the call that records (node/call_record.c) */
/* This node records it from now on. `fresh`: it has just begun, so there is nothing of it elsewhere. ERR_BUSY, ERR_DENIED, ERR_NOTFOUND. */
ERR_CHECKED int recording_attach(struct node *n, uint64_t id, bool fresh, recording_done_fn *done, void *ctx,
                                 struct recording **out);
/* How much of it there may still be. */
uint32_t recording_left_ms(const struct recording *r);
/* From now on one more is heard in channel 0 (of a message the only one; of a call the customer) or 1 (our side), until his recorder is over; a
 * reference is taken. In a channel where nobody is heard is silence. ERR_TOOBIG: too many are; ERR_CLOSED: it is made here no longer. */
ERR_CHECKED int recording_feed(struct recording *r, unsigned channel, struct recorder *rec);
/* He is heard no more: what his recorder still has is not written. */
void recording_cut(struct recording *r, const struct recorder *rec);
/* It ends when what its recorders hold is written. Less than min_ms is not kept. */
void recording_finish(struct recording *r, uint32_t min_ms);
/* The call has no part in it any more; done is not called. */
void recording_detach(struct recording *r);

#endif
