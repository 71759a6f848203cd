/* The writer's transactions, and groups of them.
 *
 * Each entry of the log is a unit: all of it or nothing is seen. What costs is SQLite's COMMIT: every page that was touched is
 * summed up and written once more, and most of them are the same from entry to entry. So the entries of a moment may share one:
 * their transaction stays open until storage_flush, until it holds STORAGE_GROUP_ENTRIES, or until somebody on another thread wants
 * to read: then the reader commits it itself, on the writer's connection, which the lock `writer` guards. So a reader never sees
 * less than what was applied when it asked, and no thread waits for more than one entry. */
#include "base/log.h"
#include "storage/storage_int.h"

#define STORAGE_GROUP_ENTRIES 64u

int storage_step_reset(sqlite3_stmt *s)
{
    (void)sqlite3_step(s);
    return sqlite3_reset(s);
}

int storage_step_rows(sqlite3_stmt *s, storage_row_fn *fn, void *ctx, int *ret)
{
    int rc = SQLITE_ROW;
    *ret = 0;
    while (*ret == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW)
        *ret = fn(ctx, (const struct storage_row *)s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

void storage_txn_attach(struct storage *st)
{
    struct storage_shared *sh = st->shared;
    (void)pthread_mutex_lock(&sh->writer);
    sh->group.open = false;
    sh->group.err = 0;
    sh->group.entries = 0;
    sh->group.db = st->db;
    sh->group.commit = st->commit;
    sh->group.rollback = st->rollback;
    sh->group.last = NULL;
    (void)pthread_mutex_unlock(&sh->writer);
}

int storage_txn_keep(struct storage *st, const struct storage_val *vals, unsigned n)
{
    sqlite3_stmt *s = st->stmts[STORAGE_APPLIED_PUT];
    int rc = SQLITE_OK;
    for (unsigned i = 0; i < n && rc == SQLITE_OK; i++) { /* numbers are bound by value */
        if (vals[i].type == STORAGE_BLOB)
            rc = sqlite3_bind_blob64(s, (int)i + 1, vals[i].len ? vals[i].p : "", vals[i].len, SQLITE_TRANSIENT);
        else if (vals[i].type == STORAGE_TEXT)
            rc = sqlite3_bind_text64(s, (int)i + 1, vals[i].p, vals[i].len, SQLITE_TRANSIENT, SQLITE_UTF8);
    }
    st->shared->group.last = s;
    return rc;
}

/* Under the lock. */
static int txn_commit(struct storage_group *g)
{
    bool group = g->open;
    int rc = g->last ? storage_step_reset(g->last) : SQLITE_OK;
    if (rc == SQLITE_OK)
        rc = storage_step_reset(g->commit);
    g->last = NULL;
    g->open = false;
    g->entries = 0;
    if (rc == SQLITE_OK)
        return 0;
    log_error("storage", "cannot commit: %s", sqlite3_errmsg(g->db));
    if (!sqlite3_get_autocommit(g->db)) /* SQLite itself rolls back after some errors */
        (void)storage_step_reset(g->rollback);
    int err = storage_err(rc) ? storage_err(rc) : ERR_IO;
    if (group)
        g->err = err; /* entries that were taken for done are gone: nothing may follow them */
    return err;
}

int storage_group_commit(struct storage_shared *sh)
{
    (void)pthread_mutex_lock(&sh->writer);
    int err = sh->group.open ? txn_commit(&sh->group) : sh->group.err;
    (void)pthread_mutex_unlock(&sh->writer);
    return err;
}

void storage_set_grouping(struct storage *st, bool on)
{
    st->grouping = on;
}

int storage_flush(struct storage *st)
{
    return st->in_txn ? ERR_BADSTATE : storage_group_commit(st->shared);
}

int storage_begin(struct storage *st)
{
    if (st->in_txn || !st->db)
        return ERR_BADSTATE;
    struct storage_group *g = &st->shared->group;
    (void)pthread_mutex_lock(&st->shared->writer);
    int err = g->err;
    if (!err && !g->open) {
        int rc = storage_step_reset(st->begin);
        if (rc != SQLITE_OK) {
            log_error("storage", "cannot begin a transaction: %s", sqlite3_errmsg(st->db));
            err = storage_err(rc);
        }
    }
    if (err) {
        (void)pthread_mutex_unlock(&st->shared->writer);
        return err;
    }
    st->in_txn = true;
    st->err = 0;
    return 0;
}

static void txn_over(struct storage *st)
{
    st->in_txn = false;
    st->err = 0;
    (void)pthread_mutex_unlock(&st->shared->writer);
}

void storage_rollback(struct storage *st)
{
    struct storage_group *g = &st->shared->group;
    if (!st->in_txn)
        return;
    if (!sqlite3_get_autocommit(st->db))
        (void)storage_step_reset(st->rollback);
    g->last = NULL;
    if (g->open) {
        g->open = false;
        g->entries = 0;
        g->err = st->err ? st->err : ERR_BADSTATE;
    }
    txn_over(st);
}

int storage_commit(struct storage *st, uint64_t index)
{
    struct storage_group *g = &st->shared->group;
    if (!st->in_txn)
        return ERR_BADSTATE;
    int err = st->err;
    if (err) {
        storage_rollback(st);
        return err;
    }
    /* A log of pages that has grown too long can only be begun anew between two transactions. */
    if (st->grouping && st->ckpt_told <= STORAGE_CKPT_PAGES_HARD && ++g->entries < STORAGE_GROUP_ENTRIES)
        g->open = true;
    else
        err = txn_commit(g);
    if (!err)
        st->applied = index;
    txn_over(st);
    return err;
}
