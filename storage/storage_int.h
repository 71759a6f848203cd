/* Shared inside storage/ only. */
#ifndef STORAGE_STORAGE_INT_H
#define STORAGE_STORAGE_INT_H

#include <pthread.h>
#include <sqlite3.h>

#include "base/list.h"
#include "storage/storage.h"

#define STORAGE_APPLICATION_ID 0x45564c31 /* "EVL1" */

struct storage_table {
    const char *name;
    const char *columns; /* all of them: compared by the schema check, hashed by the digest */
    const char *order;   /* the key */
};
/* Every table is replicated: what only one node knows has no place in this database. */
extern const struct storage_table storage_tables[];
extern const unsigned storage_n_tables;
extern const char *const storage_statements[STORAGE_SQL_COUNT];
/* storage_migrations[v] leads from version v to v + 1. */
extern const char *const storage_migrations[STORAGE_SCHEMA_VERSION];

#define STORAGE_CKPT_PAGES_HARD \
    65536u /* 256 MB of log: the writer is made to wait, so that the disk does not fill up */

/* The writer's connection and the transaction on it that several entries share. */
struct storage_group {
    bool open;        /* entries wait for their COMMIT */
    unsigned entries; /* how many */
    int err;          /* it failed: the tables lack what memory has */
    sqlite3 *db;
    sqlite3_stmt *commit, *rollback;
    sqlite3_stmt *last; /* to be run before the COMMIT, or NULL */
};

/* What readers share with the storage; lives until the last of them is closed. */
struct storage_shared {
    pthread_mutex_t lock; /* held while a connection is opened and while the file is swapped */
    unsigned refs;        /* under lock */
    unsigned generation;  /* under lock: counts installations */
    bool closed;          /* under lock */
    char path[STORAGE_PATH_MAX];
    /* Held by the core thread from begin to commit, and by whoever ends a group. `lock` is never taken while it is held. */
    pthread_mutex_t writer;
    struct storage_group group; /* under writer */
};

/* A file as it was: another one, or one written to since, differs. */
struct storage_file_id {
    uint64_t device, inode, size;
    int64_t changed_s, changed_ns;
};

struct storage {
    char dir[STORAGE_PATH_MAX - 32];
    struct storage_shared *shared;
    /* core thread */
    sqlite3 *db;
    sqlite3_stmt *stmts[STORAGE_SQL_COUNT];
    sqlite3_stmt *begin, *commit, *rollback;
    bool in_txn;
    bool grouping;
    int err; /* first error of the transaction */
    uint64_t applied;
    /* worker.c */
    pthread_t ckpt_thread;
    sqlite3 *ckpt_db; /* the thread's alone while it runs */
    bool ckpt_running;
    unsigned ckpt_told; /* under shared->writer: log pages when the worker was last woken */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool ckpt_stop;        /* under lock */
    unsigned wal_pages;    /* under lock: 0, or pages in the log when the worker was woken */
    bool image_busy;       /* under lock */
    unsigned digest_busy;  /* under lock */
    struct list_node jobs; /* core thread: started, not yet joined */
    int replaced_fd; /* of the file that an installation replaced, -1 none: the checkpoint worker closes it first of all */
    /* install.c */
    bool preparing;                       /* under lock */
    struct storage_file_id prepared_from; /* under lock: the image that state.db.ready is a copy of; size 0: none */
};

int storage_err(int sqlite_rc);
int storage_err_set(struct err_info *info, int sqlite_rc, sqlite3 *db, const char *what);
/* Opens a connection with our settings. flags as of sqlite3_open_v2. */
int storage_connect(const char *path, int flags, sqlite3 **out, struct err_info *info);
int storage_exec(sqlite3 *db, const char *sql);
int storage_get_int(sqlite3 *db, const char *sql, int64_t *out);
int storage_bind(sqlite3_stmt *s, const struct storage_val *vals, unsigned n);
/* Header, version, tables; all pages if `thorough`. */
int storage_check(sqlite3 *db, bool thorough, struct err_info *info);
int storage_open_db(struct storage *st, bool thorough, struct err_info *info);
void storage_close_db(struct storage *st);
void storage_shared_free(struct storage_shared *sh); /* by the last who holds it */
int storage_fsync_path(const char *path, bool directory);
int storage_unlink(const char *dir, const char *name);
/* Finishes an installation that was interrupted after its image was complete. */
int storage_finish_install(const char *dir, struct err_info *info);

/* txn.c */
int storage_step_reset(sqlite3_stmt *s);
/* Gives each row to fn until it returns something else than 0, which *ret then is. SQLITE_OK or what failed; not reset. */
int storage_step_rows(sqlite3_stmt *s, storage_row_fn *fn, void *ctx, int *ret);
/* The connection has been opened: no group is. */
void storage_txn_attach(struct storage *st);
/* The row that each entry replaces is only written by the last of a group: keeps its values, which have been bound, until then. */
int storage_txn_keep(struct storage *st, const struct storage_val *vals, unsigned n);
/* Any thread: what has been applied can be read from now on. */
ERR_CHECKED int storage_group_commit(struct storage_shared *sh);

int storage_worker_start(struct storage *st);
void storage_worker_stop(struct storage *st);
/* A read connection whose transaction has begun and stands at *index. */
int storage_pin(struct storage *st, sqlite3 **out, uint64_t *index);
int storage_digest_of(sqlite3 *db, struct storage_digest *out);
int storage_sha256_file(const char *path, uint8_t out[32], uint64_t *bytes);

#endif
