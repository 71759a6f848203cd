/* Read-only connections for other threads. */
#include <stdlib.h>

#include "base/log.h"
#include "storage/storage_int.h"

#define READER_STATEMENTS_MAX 64u /* kept prepared; when full, all are dropped and made again as they are needed */

struct storage_reader {
    struct storage_shared *shared;
    sqlite3 *db;
    unsigned generation;
    bool in_txn;
    unsigned n;
    struct {
        char *sql;
        sqlite3_stmt *stmt;
    } cache[READER_STATEMENTS_MAX];
};

static void drop_cache(struct storage_reader *r)
{
    for (unsigned i = 0; i < r->n; i++) {
        (void)sqlite3_finalize(r->cache[i].stmt);
        free(r->cache[i].sql);
    }
    r->n = 0;
}

static int reader_connect(struct storage_reader *r, struct err_info *info)
{
    drop_cache(r);
    (void)sqlite3_close_v2(r->db);
    r->db = NULL;
    (void)pthread_mutex_lock(&r->shared->lock);
    int err = r->shared->closed ? err_set(info, ERR_CLOSED, "", "the database is closed")
                                : storage_connect(r->shared->path, SQLITE_OPEN_READONLY, &r->db, info);
    if (!err) {
        int64_t n = 0; /* reads the schema and attaches to the log while the file cannot be swapped */
        int rc = storage_get_int(r->db, "SELECT count(*) FROM sqlite_master", &n);
        if (rc != SQLITE_OK) {
            err = storage_err_set(info, rc, r->db, "reader");
            (void)sqlite3_close_v2(r->db);
            r->db = NULL;
        }
        r->generation = r->shared->generation;
    }
    (void)pthread_mutex_unlock(&r->shared->lock);
    return err;
}

int storage_reader_open(struct storage *st, struct storage_reader **out, struct err_info *info)
{
    struct storage_reader *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NOMEM;
    r->shared = st->shared;
    (void)pthread_mutex_lock(&r->shared->lock);
    r->shared->refs++;
    (void)pthread_mutex_unlock(&r->shared->lock);
    int err = reader_connect(r, info);
    if (err) {
        storage_reader_close(r);
        return err;
    }
    *out = r;
    return 0;
}

void storage_reader_close(struct storage_reader *r)
{
    if (!r)
        return;
    drop_cache(r);
    (void)sqlite3_close_v2(r->db);
    struct storage_shared *sh = r->shared;
    (void)pthread_mutex_lock(&sh->lock);
    bool last = --sh->refs == 0;
    (void)pthread_mutex_unlock(&sh->lock);
    if (last)
        storage_shared_free(sh);
    free(r);
}

static int ensure_current(struct storage_reader *r)
{
    (void)pthread_mutex_lock(&r->shared->lock);
    bool stale = r->generation != r->shared->generation || !r->db;
    bool closed = r->shared->closed;
    (void)pthread_mutex_unlock(&r->shared->lock);
    if (closed)
        return ERR_CLOSED;
    if (!stale)
        return 0;
    struct err_info info = {0};
    int err = reader_connect(r, &info);
    if (err)
        log_error("storage", "cannot reopen a reader: %s", info.text);
    return err;
}

int storage_reader_begin(struct storage_reader *r, uint64_t *index)
{
    if (r->in_txn)
        return ERR_BADSTATE;
    int err = ensure_current(r);
    if (!err)
        err = storage_group_commit(r->shared);
    if (err)
        return err;
    int64_t idx = 0;
    int rc = storage_exec(r->db, "BEGIN");
    if (rc == SQLITE_OK)
        rc = storage_get_int(r->db, "SELECT idx FROM applied", &idx); /* the transaction begins with its first read */
    if (rc != SQLITE_OK) {
        (void)storage_exec(r->db, "ROLLBACK");
        return storage_err(rc);
    }
    r->in_txn = true;
    if (index)
        *index = (uint64_t)idx;
    return 0;
}

void storage_reader_end(struct storage_reader *r)
{
    if (!r->in_txn)
        return;
    (void)storage_exec(r->db, "ROLLBACK");
    r->in_txn = false;
}

static int reader_statement(struct storage_reader *r, const char *sql, sqlite3_stmt **out)
{
    for (unsigned i = 0; i < r->n; i++) {
        /* one that is being stepped (a query inside a row callback) is not ours to take */
        if (strcmp(r->cache[i].sql, sql) == 0 && !sqlite3_stmt_busy(r->cache[i].stmt)) {
            *out = r->cache[i].stmt;
            return SQLITE_OK;
        }
    }
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v3(r->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL);
    if (rc != SQLITE_OK)
        return rc;
    if (r->n == READER_STATEMENTS_MAX) {
        bool busy = false;
        for (unsigned i = 0; i < r->n; i++)
            busy = busy || sqlite3_stmt_busy(r->cache[i].stmt);
        if (busy) {
            (void)sqlite3_finalize(s);
            return SQLITE_BUSY;
        }
        drop_cache(r);
    }
    char *copy = strdup(sql);
    if (!copy) {
        (void)sqlite3_finalize(s);
        return SQLITE_NOMEM;
    }
    r->cache[r->n].sql = copy;
    r->cache[r->n++].stmt = s;
    *out = s;
    return SQLITE_OK;
}

int storage_reader_query(struct storage_reader *r, const char *sql, const struct storage_val *vals, unsigned n,
                         storage_row_fn *fn, void *ctx)
{
    if (!r->in_txn) {
        int err = ensure_current(r);
        if (!err)
            err = storage_group_commit(r->shared);
        if (err)
            return err;
    }
    sqlite3_stmt *s = NULL;
    int ret = 0;
    int rc = reader_statement(r, sql, &s);
    if (rc == SQLITE_OK)
        rc = storage_bind(s, vals, n);
    if (rc == SQLITE_OK)
        rc = storage_step_rows(s, fn, ctx, &ret);
    if (s)
        (void)sqlite3_reset(s);
    if (rc != SQLITE_OK) {
        log_error("storage", "reader: %s", sqlite3_errmsg(r->db));
        ret = storage_err(rc) ? storage_err(rc) : ERR_IO;
    }
    return ret;
}
