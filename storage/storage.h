/* The node's database: one SQLite file (DIR/state.db), written only while committed commands are applied.
 *
 * What for: the tables of the replicated call centre, one transaction for each log entry together with the applied
 *   index; read-only connections for other threads; images of the whole state for snapshots; digests to compare nodes.
 *   What the tables mean is core's business; this folder owns their schema, statements and files.
 * Files in DIR: state.db, state.db-wal, state.db-shm; state.clean (the last stop was orderly); state.db.new (an image
 *   that is being installed; an interrupted installation is finished at the next open), state.db.ready (a copy of an image
 *   that is not decided upon: removed at open).
 * Threads: struct storage belongs to one thread (the core thread). Checkpoints run in a thread of its own, images and
 *   digests in another, each on its own connection. A struct storage_reader belongs to one thread at a time and may outlive
 *   neither a change of process nor be used after storage_close.
 * Durability: WAL with synchronous=NORMAL. A killed process loses nothing that was committed and flushed; a power failure may
 *   lose the latest transactions, never order or consistency: the log is applied again from storage_applied_index.
 * Errors: ERR_NOSPACE (disk full), ERR_IO, ERR_CORRUPT (the caller closes, storage_discard, and starts from snapshot and
 *   log), ERR_NOMEM. An error inside a transaction sticks: storage_commit returns it and has rolled back. */
#ifndef STORAGE_STORAGE_H
#define STORAGE_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct storage;
struct storage_reader;

#define STORAGE_SCHEMA_VERSION 5
#define STORAGE_PATH_MAX 512
#define STORAGE_TABLES_MAX 24

/* Creates DIR (0700) and the database when missing, finishes an interrupted installation, migrates, and checks: header and
 * schema always, all pages when the last stop was not orderly. ERR_UNSUPPORTED: written by a newer program. */
ERR_CHECKED int storage_open(const char *dir, struct storage **out, struct err_info *info);
/* Ends the worker threads (waits for a running image or digest), checkpoints, and marks the stop as orderly. NULL is fine. */
void storage_close(struct storage *st);
/* Removes the database files of DIR: after ERR_CORRUPT, with nothing open on it. */
ERR_CHECKED int storage_discard(const char *dir, struct err_info *info);
const char *storage_path(const struct storage *st);
/* What the database takes on disk, its write-ahead log included; 0 when the disk does not say. */
uint64_t storage_bytes(const struct storage *st);
/* Index stored by the last committed transaction, 0 in an empty database. */
uint64_t storage_applied_index(const struct storage *st);

/* ---- values and rows */
enum storage_type { STORAGE_NULL, STORAGE_INT, STORAGE_TEXT, STORAGE_BLOB };
struct storage_val {
    enum storage_type type;
    int64_t i;
    const void *p; /* must stay until the call returns */
    size_t len;
};
/* Numbers without a sign are stored as their 64 bits (order beyond 2^63 is lost: do not sort on such a column). */
static inline struct storage_val storage_int(uint64_t v)
{
    struct storage_val x = {.type = STORAGE_INT, .i = (int64_t)v};
    return x;
}
static inline struct storage_val storage_text(const char *s)
{
    struct storage_val x = {.type = s ? STORAGE_TEXT : STORAGE_NULL, .p = s, .len = s ? strlen(s) : 0};
    return x;
}
static inline struct storage_val storage_text_n(const char *s, size_t len)
{
    struct storage_val x = {.type = STORAGE_TEXT, .p = s, .len = len};
    return x;
}
static inline struct storage_val storage_blob(const void *p, size_t len)
{
    struct storage_val x = {.type = STORAGE_BLOB, .p = p, .len = len};
    return x;
}
struct storage_row; /* the row at hand; its texts and blobs are valid until the next step */
uint64_t storage_row_int(const struct storage_row *row, int column);
/* "" for NULL; never NULL. */
const char *storage_row_text(const struct storage_row *row, int column);
const void *storage_row_blob(const struct storage_row *row, int column, size_t *len);

/* Called for each row; anything but 0 ends the query and is returned by it. */
typedef int storage_row_fn(void *ctx, const struct storage_row *row);

/* ---- the writer's statements: prepared once, named by number; the SQL is in schema.c */
enum storage_sql {
    STORAGE_APPLIED_PUT,
    STORAGE_APPLIED_GET,
    STORAGE_CLUSTER_PUT,
    STORAGE_CLUSTER_GET,
    STORAGE_IDEM_PUT,
    STORAGE_IDEM_GET,
    STORAGE_IDEM_TRIM,
    STORAGE_IDEM_OLDEST,
    STORAGE_CONFIG_PUT,
    STORAGE_CONFIG_DEL,
    STORAGE_CONFIG_ALL,
    STORAGE_NODE_PUT,
    STORAGE_NODE_DEL,
    STORAGE_NODE_ALL,
    STORAGE_ADDRESS_PUT,
    STORAGE_ADDRESS_DEL,
    STORAGE_ADDRESS_ALL,
    STORAGE_REG_PUT,
    STORAGE_REG_DEL,
    STORAGE_REG_ALL,
    STORAGE_AGENT_PUT,
    STORAGE_AGENT_DEL,
    STORAGE_AGENT_ALL,
    STORAGE_CALL_PUT,
    STORAGE_CALL_DEL,
    STORAGE_CALL_ALL,
    STORAGE_CDR_PUT,
    STORAGE_CDR_HAS,
    STORAGE_MISSED_PUT,
    STORAGE_MISSED_FOLLOW, /* of this number: at, by whom, called by us, talked with */
    STORAGE_MISSED_TRIM,   /* whose records are gone */
    STORAGE_CDR_TRIM,      /* before this time, how many at most: of the oldest */
    STORAGE_SERVED_PUT,
    STORAGE_SERVED_GET,
    STORAGE_SERVED_TRIM,
    STORAGE_FLOW_VERSION_PUT,
    STORAGE_FLOW_VERSION_GET,
    STORAGE_FLOW_VERSION_DEL,
    STORAGE_FLOW_VERSION_ALL,
    STORAGE_QUEUE_STATE_PUT,
    STORAGE_QUEUE_STATE_DEL,
    STORAGE_QUEUE_STATE_ALL,
    STORAGE_CALLBACK_PUT,
    STORAGE_CALLBACK_DEL,
    STORAGE_CALLBACK_ALL,
    STORAGE_SUBSCRIPTION_PUT,
    STORAGE_SUBSCRIPTION_DEL,
    STORAGE_SUBSCRIPTION_ALL,
    STORAGE_MESSAGE_PUT,
    STORAGE_MESSAGE_OWNER,
    STORAGE_MESSAGE_KEEP,
    STORAGE_MESSAGE_HEARD,
    STORAGE_MESSAGE_NOTE,
    STORAGE_MESSAGE_DEL,
    STORAGE_MESSAGE_GET,
    STORAGE_MESSAGE_COUNT,
    STORAGE_MESSAGE_HEARDS, /* of a box: how many are new, how many heard */
    STORAGE_MESSAGE_NEXT,   /* of a box: the first one that was heard or not, begun after a time */
    STORAGE_MESSAGE_LATEST, /* of a box: kept, and begun last */
    STORAGE_MESSAGE_PENDING,
    STORAGE_MESSAGE_OLDEST,
    STORAGE_MESSAGE_EXPIRED,
    STORAGE_DELIVERY_PUT,
    STORAGE_DELIVERY_DEL,
    STORAGE_DELIVERY_PENDING,
    STORAGE_RECORDING_PUT,
    STORAGE_RECORDING_OWNER,
    STORAGE_RECORDING_KEEP,
    STORAGE_RECORDING_HOLD,
    STORAGE_RECORDING_ABOUT,
    STORAGE_RECORDING_KEY_PUT,
    STORAGE_RECORDING_KEY_DEL,
    STORAGE_RECORDING_DEL,
    STORAGE_RECORDING_GET,
    STORAGE_RECORDING_FORM,
    STORAGE_RECORDING_UNCONVERTED,
    STORAGE_RECORDING_PENDING,
    STORAGE_RECORDING_TOTAL,
    STORAGE_RECORDING_OLDEST,
    STORAGE_RECORDING_EXPIRED,
    STORAGE_NOTICE_COUNT,
    STORAGE_NOTICE_STAT_DEL,
    STORAGE_NOTICE_HEARD_PUT,
    STORAGE_NOTICE_HEARD_GET,
    STORAGE_NOTICE_HEARD_TRIM,
    STORAGE_EVENT_PUT,
    STORAGE_EVENT_TRIM,
    STORAGE_EVENT_OLDEST,
    STORAGE_AUDIT_PUT,
    STORAGE_SQL_COUNT
};

/* One transaction at a time. begin: 0 or an error. */
ERR_CHECKED int storage_begin(struct storage *st);
/* 0, or the first error since begin (everything undone). `index`: what storage_applied_index says from now on. */
ERR_CHECKED int storage_commit(struct storage *st, uint64_t index);
void storage_rollback(struct storage *st);
/* From now on several transactions may share one COMMIT (off after storage_open). Each still is all or nothing to see, readers, images
 * and digests see all that storage_commit was called for, and storage_applied_index counts it. A killed process may lose them as
 * a power failure does. The caller calls storage_flush soon, and after an error of it starts anew from the log. */
void storage_set_grouping(struct storage *st, bool on);
ERR_CHECKED int storage_flush(struct storage *st);
/* Runs a statement that gives no rows. Errors stick until storage_commit or storage_rollback. */
void storage_run(struct storage *st, enum storage_sql sql, const struct storage_val *vals, unsigned n);
/* Runs a query of the writer. 0, an error, or what `fn` returned. */
ERR_CHECKED int storage_query(struct storage *st, enum storage_sql sql, const struct storage_val *vals, unsigned n,
                              storage_row_fn *fn, void *ctx);

/* ---- readers: any thread, one connection each */
/* Opened on the core thread or, while the storage stays open, on any other. */
ERR_CHECKED int storage_reader_open(struct storage *st, struct storage_reader **out, struct err_info *info);
void storage_reader_close(struct storage_reader *r);
/* Between begin and end all queries see one state: that of *index. After an installation begin reopens by itself. */
ERR_CHECKED int storage_reader_begin(struct storage_reader *r, uint64_t *index);
void storage_reader_end(struct storage_reader *r);
/* `sql` is text made by the program (values only as ?). Outside begin/end the query is its own transaction. */
ERR_CHECKED int storage_reader_query(struct storage_reader *r, const char *sql, const struct storage_val *vals,
                                     unsigned n, storage_row_fn *fn, void *ctx);

/* ---- image of the whole state */
struct storage_image {
    uint64_t index;
    char path[STORAGE_PATH_MAX];
    uint8_t sha256[32];
    uint64_t bytes;
};
/* On a worker thread, exactly once; `image` is NULL unless status is 0. */
typedef void storage_image_fn(void *arg, int status, const struct storage_image *image);
/* Pins the state as it is now (outside a transaction) and writes it in the background to TO_DIR/image-INDEX.db, synced.
 * ERR_BUSY: one is being made. On an error fn is not called. */
ERR_CHECKED int storage_image_begin(struct storage *st, const char *to_dir, storage_image_fn *fn, void *arg);
/* Does the slow part of storage_install ahead of it, on any thread, while the storage is in use: checks the image and makes a synced
 * copy beside the database. One copy is kept, the latest; nothing else changes. ERR_BUSY: another is being made. Must
 * have returned before storage_close. */
ERR_CHECKED int storage_image_prepare(struct storage *st, const char *image_path, struct err_info *info);
/* Checks the image (pages, schema) and puts a copy of it in the place of the database, atomically; the image file stays.
 * After storage_image_prepare of the same, unchanged file only the swap is left to do; otherwise it takes its time.
 * ERR_CORRUPT, ERR_UNSUPPORTED: the present state is untouched. Afterwards core_reload. Waits for an image or digest that runs. */
ERR_CHECKED int storage_install(struct storage *st, const char *image_path, struct err_info *info);

/* ---- digest of the replicated tables, in key order: equal on all nodes at an equal index */
struct storage_digest {
    uint64_t index;
    uint8_t sha256[32]; /* over names and digests of the tables */
    unsigned n;
    struct {
        const char *table;
        uint64_t rows;
        uint8_t sha256[32];
    } tables[STORAGE_TABLES_MAX];
};
typedef void storage_digest_fn(void *arg, int status, const struct storage_digest *digest);
/* Pins the state as it is now and computes in the background; fn on a worker thread, exactly once. ERR_BUSY: too many run. */
ERR_CHECKED int storage_digest_begin(struct storage *st, storage_digest_fn *fn, void *arg);
/* The same at once, in the calling thread. */
ERR_CHECKED int storage_digest_now(struct storage *st, struct storage_digest *out);
#define STORAGE_DIGEST_JOBS_MAX 4u

#endif
