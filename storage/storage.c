/* The writer: open and check, statements. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/log.h"
#include "storage/storage_int.h"

int storage_err(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_NOMEM:
        return ERR_NOMEM;
    case SQLITE_FULL:
        return ERR_NOSPACE;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_SCHEMA:
    case SQLITE_CONSTRAINT: /* our rows break no constraint unless the tables are not what memory says */
        return ERR_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    default:
        return ERR_IO;
    }
}

int storage_err_set(struct err_info *info, int rc, sqlite3 *db, const char *what)
{
    return err_set(info, storage_err(rc), "", "%s: %s", what, db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
}

int storage_exec(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int storage_get_int(sqlite3 *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(s);
        if (rc == SQLITE_ROW) {
            *out = sqlite3_column_int64(s, 0);
            rc = SQLITE_OK;
        } else if (rc == SQLITE_DONE) {
            *out = 0;
            rc = SQLITE_OK;
        }
    }
    sqlite3_finalize(s);
    return rc;
}

int storage_connect(const char *path, int flags, sqlite3 **out, struct err_info *info)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_extended_result_codes(db, 1);
        /* Closing a connection to a database that was swapped out must not remove the log of its successor. */
        (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        (void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        (void)sqlite3_busy_timeout(db, 5000);
        rc = storage_exec(db, "PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=0; PRAGMA temp_store=MEMORY;"
                              "PRAGMA cache_size=-16384;");
    }
    if (rc != SQLITE_OK) {
        int err = storage_err_set(info, rc, db, path);
        (void)sqlite3_close_v2(db);
        return err;
    }
    *out = db;
    return 0;
}

int storage_fsync_path(const char *path, bool directory)
{
    int fd = open(path, directory ? O_RDONLY | O_DIRECTORY | O_CLOEXEC : O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    int err = fsync(fd) == 0 ? 0 : err_from_errno(errno);
    (void)close(fd);
    return err;
}

int storage_unlink(const char *dir, const char *name)
{
    char path[STORAGE_PATH_MAX + 32];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return unlink(path) == 0 || errno == ENOENT ? 0 : err_from_errno(errno);
}

/* A file made by somebody else, or cut off in its header, is told apart before SQLite writes anything into it. */
static int check_header(const char *path, bool *fresh, struct err_info *info)
{
    unsigned char h[100];
    *fresh = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        if (errno != ENOENT)
            return err_set(info, err_from_errno(errno), "", "cannot open %s", path);
        *fresh = true;
        return 0;
    }
    ssize_t got = read(fd, h, sizeof h);
    (void)close(fd);
    if (got == 0) {
        *fresh = true; /* created, then the process died before the first page was written */
        return 0;
    }
    if (got != (ssize_t)sizeof h || memcmp(h, "SQLite format 3", 16) != 0)
        return err_set(info, ERR_CORRUPT, "", "%s is not a database", path);
    return 0;
}

int storage_check(sqlite3 *db, bool thorough, struct err_info *info)
{
    int64_t app = 0, version = 0;
    int rc = storage_get_int(db, "PRAGMA application_id", &app);
    if (rc == SQLITE_OK)
        rc = storage_get_int(db, "PRAGMA user_version", &version);
    if (rc != SQLITE_OK)
        return storage_err_set(info, rc, db, "database");
    if (app != STORAGE_APPLICATION_ID)
        return err_set(info, ERR_CORRUPT, "", "database was made by another program (application id %lld)",
                       (long long)app);
    if (version > STORAGE_SCHEMA_VERSION)
        return err_set(info, ERR_UNSUPPORTED, "",
                       "database has schema version %lld, this program knows %d: it is too old", (long long)version,
                       STORAGE_SCHEMA_VERSION);
    for (unsigned i = 0; version == STORAGE_SCHEMA_VERSION && i < storage_n_tables; i++) {
        char sql[512];
        (void)snprintf(sql, sizeof sql, "SELECT %s FROM %s LIMIT 1", storage_tables[i].columns, storage_tables[i].name);
        int64_t ignored;
        rc = storage_get_int(db, sql, &ignored);
        if (rc != SQLITE_OK)
            return err_set(info, ERR_CORRUPT, "", "table %s: %s", storage_tables[i].name, sqlite3_errmsg(db));
    }
    if (thorough) {
        sqlite3_stmt *s = NULL;
        char first[160] = "";
        rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &s, NULL);
        if (rc == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW && sqlite3_column_text(s, 0))
            (void)snprintf(first, sizeof first, "%s", (const char *)sqlite3_column_text(s, 0));
        (void)sqlite3_finalize(s);
        if (strcmp(first, "ok") != 0)
            return err_set(info, ERR_CORRUPT, "", "database check: %s", first[0] ? first : sqlite3_errmsg(db));
    }
    return 0;
}

static int migrate(sqlite3 *db, bool fresh, struct err_info *info)
{
    int64_t version = 0;
    int rc = storage_get_int(db, "PRAGMA user_version", &version);
    if (rc == SQLITE_OK && fresh)
        rc = storage_exec(db, "PRAGMA application_id=1163283505"); /* STORAGE_APPLICATION_ID */
    for (; rc == SQLITE_OK && version < STORAGE_SCHEMA_VERSION; version++) {
        char set[64];
        (void)snprintf(set, sizeof set, "PRAGMA user_version=%lld", (long long)version + 1);
        rc = storage_exec(db, "BEGIN IMMEDIATE");
        if (rc == SQLITE_OK)
            rc = storage_exec(db, storage_migrations[version]);
        if (rc == SQLITE_OK)
            rc = storage_exec(db, set);
        if (rc == SQLITE_OK)
            rc = storage_exec(db, "COMMIT");
    }
    return rc == SQLITE_OK ? 0 : storage_err_set(info, rc, db, "making the tables");
}

/* Opens st->db and prepares everything. */
int storage_open_db(struct storage *st, bool thorough, struct err_info *info)
{
    _Static_assert(STORAGE_APPLICATION_ID == 1163283505, "the pragma's text says the same");
    bool fresh;
    int err = check_header(st->shared->path, &fresh, info);
    if (err)
        return err;
    err = storage_connect(st->shared->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &st->db, info);
    if (err)
        return err;
    int rc = storage_exec(st->db, fresh ? "PRAGMA page_size=4096; PRAGMA journal_mode=WAL" : "PRAGMA journal_mode=WAL");
    if (rc != SQLITE_OK) {
        err = storage_err_set(info, rc, st->db, "database");
        goto fail;
    }
    int64_t app = 0;
    rc = storage_get_int(st->db, "PRAGMA application_id", &app);
    int64_t tables = 0;
    if (rc == SQLITE_OK)
        rc = storage_get_int(st->db, "SELECT count(*) FROM sqlite_master", &tables);
    if (rc != SQLITE_OK) {
        err = storage_err_set(info, rc, st->db, "database");
        goto fail;
    }
    if (!fresh && app == 0 && tables == 0)
        fresh = true; /* died between the first page and the first table */
    if (!fresh && (err = storage_check(st->db, thorough, info)) != 0)
        goto fail;
    if ((err = migrate(st->db, fresh, info)) != 0)
        goto fail;
    if ((err = storage_check(st->db, false, info)) != 0)
        goto fail;
    for (int i = 0; i < STORAGE_SQL_COUNT && rc == SQLITE_OK; i++)
        rc = sqlite3_prepare_v3(st->db, storage_statements[i], -1, SQLITE_PREPARE_PERSISTENT, &st->stmts[i], NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v3(st->db, "BEGIN IMMEDIATE", -1, SQLITE_PREPARE_PERSISTENT, &st->begin, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v3(st->db, "COMMIT", -1, SQLITE_PREPARE_PERSISTENT, &st->commit, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v3(st->db, "ROLLBACK", -1, SQLITE_PREPARE_PERSISTENT, &st->rollback, NULL);
    int64_t idx = 0;
    if (rc == SQLITE_OK)
        rc = storage_get_int(st->db, "SELECT idx FROM applied", &idx);
    if (rc != SQLITE_OK) {
        err = storage_err_set(info, rc, st->db, "preparing the statements");
        goto fail;
    }
    st->applied = (uint64_t)idx;
    storage_txn_attach(st);
    return 0;
fail:
    storage_close_db(st);
    return err;
}

void storage_close_db(struct storage *st)
{
    for (int i = 0; i < STORAGE_SQL_COUNT; i++) {
        (void)sqlite3_finalize(st->stmts[i]);
        st->stmts[i] = NULL;
    }
    (void)sqlite3_finalize(st->begin);
    (void)sqlite3_finalize(st->commit);
    (void)sqlite3_finalize(st->rollback);
    st->begin = st->commit = st->rollback = NULL;
    (void)sqlite3_close_v2(st->db);
    st->db = NULL;
}

static bool clean_mark(const struct storage *st)
{
    char path[STORAGE_PATH_MAX + 32];
    (void)snprintf(path, sizeof path, "%s/state.clean", st->dir);
    return access(path, F_OK) == 0;
}

int storage_open(const char *dir, struct storage **out, struct err_info *info)
{
    struct storage *st = calloc(1, sizeof *st);
    struct storage_shared *sh = calloc(1, sizeof *sh);
    int err = ERR_NOMEM;
    if (!st || !sh)
        goto fail;
    if (strlen(dir) >= sizeof st->dir) {
        err = err_set(info, ERR_TOOBIG, "", "path of the data folder is too long");
        goto fail;
    }
    (void)strcpy(st->dir, dir);
    (void)snprintf(sh->path, sizeof sh->path, "%s/state.db", dir);
    list_init(&st->jobs);
    st->replaced_fd = -1;
    err = folder_make(dir);
    if (err) {
        err = err_set(info, err, "", "cannot make folder %s", dir);
        goto fail;
    }
    (void)pthread_mutex_init(&sh->lock, NULL);
    (void)pthread_mutex_init(&sh->writer, NULL);
    (void)pthread_mutex_init(&st->lock, NULL);
    (void)pthread_cond_init(&st->wake, NULL);
    sh->refs = 1;
    st->shared = sh;
    err = storage_finish_install(dir, info);
    bool clean = clean_mark(st);
    if (!err)
        err = storage_open_db(st, !clean, info);
    /* From now on a stop is not orderly until storage_close says so. */
    if (!err && clean) {
        err = storage_unlink(dir, "state.clean");
        if (!err)
            err = storage_fsync_path(dir, true);
        if (err)
            (void)err_set(info, err, "", "cannot write in folder %s", dir);
    }
    if (!err)
        err = storage_worker_start(st);
    if (err) {
        if (st->db)
            storage_close_db(st);
        (void)pthread_mutex_destroy(&sh->lock);
        (void)pthread_mutex_destroy(&sh->writer);
        (void)pthread_mutex_destroy(&st->lock);
        (void)pthread_cond_destroy(&st->wake);
        goto fail;
    }
    *out = st;
    return 0;
fail:
    free(sh);
    free(st);
    return err;
}

static void write_clean_mark(const struct storage *st)
{
    char path[STORAGE_PATH_MAX + 32];
    (void)snprintf(path, sizeof path, "%s/state.clean", st->dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return; /* the next open checks all pages: slower, not wrong */
    bool ok = fsync(fd) == 0;
    (void)close(fd);
    if (!ok || storage_fsync_path(st->dir, true) != 0)
        (void)unlink(path);
}

void storage_shared_free(struct storage_shared *sh)
{
    (void)pthread_mutex_destroy(&sh->lock);
    (void)pthread_mutex_destroy(&sh->writer);
    free(sh);
}

void storage_close(struct storage *st)
{
    if (!st)
        return;
    if (st->in_txn)
        storage_rollback(st);
    bool whole = storage_flush(st) == 0;
    storage_worker_stop(st);
    (void)pthread_mutex_lock(&st->shared->lock);
    st->shared->closed = true;
    (void)pthread_mutex_unlock(&st->shared->lock);
    int rc = SQLITE_ERROR; /* without a connection an installation failed half-way: not orderly */
    if (st->db) {
        /* Empties the log as well, unless a reader still looks into it: then everything is moved all the same. */
        (void)sqlite3_busy_timeout(st->db, 0);
        rc = sqlite3_wal_checkpoint_v2(st->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) & 0xff;
    }
    storage_close_db(st);
    if (whole && (rc == SQLITE_OK || rc == SQLITE_BUSY))
        write_clean_mark(st);
    struct storage_shared *sh = st->shared;
    (void)pthread_mutex_lock(&sh->lock);
    bool last = --sh->refs == 0;
    (void)pthread_mutex_unlock(&sh->lock);
    if (last)
        storage_shared_free(sh);
    (void)pthread_mutex_destroy(&st->lock);
    (void)pthread_cond_destroy(&st->wake);
    free(st);
}

const char *storage_path(const struct storage *st)
{
    return st->shared->path;
}

uint64_t storage_bytes(const struct storage *st)
{
    static const char *const files[] = {"", "-wal"};
    uint64_t bytes = 0;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[sizeof st->shared->path + 8];
        struct stat s;
        (void)snprintf(path, sizeof path, "%s%s", st->shared->path, files[i]);
        if (stat(path, &s) == 0)
            bytes += (uint64_t)s.st_size;
    }
    return bytes;
}

uint64_t storage_applied_index(const struct storage *st)
{
    return st->applied;
}

/* ---- rows */

uint64_t storage_row_int(const struct storage_row *row, int column)
{
    return (uint64_t)sqlite3_column_int64((sqlite3_stmt *)(uintptr_t)row, column);
}

const char *storage_row_text(const struct storage_row *row, int column)
{
    const unsigned char *t = sqlite3_column_text((sqlite3_stmt *)(uintptr_t)row, column);
    return t ? (const char *)t : "";
}

const void *storage_row_blob(const struct storage_row *row, int column, size_t *len)
{
    sqlite3_stmt *s = (sqlite3_stmt *)(uintptr_t)row;
    const void *p = sqlite3_column_blob(s, column);
    *len = (size_t)sqlite3_column_bytes(s, column);
    return p ? p : "";
}

int storage_bind(sqlite3_stmt *s, const struct storage_val *vals, unsigned n)
{
    int rc = SQLITE_OK;
    for (unsigned i = 0; i < n && rc == SQLITE_OK; i++) {
        int at = (int)i + 1;
        switch (vals[i].type) {
        case STORAGE_NULL:
            rc = sqlite3_bind_null(s, at);
            break;
        case STORAGE_INT:
            rc = sqlite3_bind_int64(s, at, vals[i].i);
            break;
        case STORAGE_TEXT:
            rc = sqlite3_bind_text64(s, at, vals[i].p, vals[i].len, SQLITE_STATIC, SQLITE_UTF8);
            break;
        case STORAGE_BLOB:
            rc = sqlite3_bind_blob64(s, at, vals[i].len ? vals[i].p : "", vals[i].len, SQLITE_STATIC);
            break;
        }
    }
    return rc;
}

/* ---- statements */

void storage_run(struct storage *st, enum storage_sql sql, const struct storage_val *vals, unsigned n)
{
    if (st->err)
        return;
    sqlite3_stmt *s = st->stmts[sql];
    int rc = storage_bind(s, vals, n);
    if (rc == SQLITE_OK && sql == STORAGE_APPLIED_PUT && (st->grouping || st->shared->group.open))
        rc = storage_txn_keep(st, vals, n);
    else if (rc == SQLITE_OK)
        rc = storage_step_reset(s);
    if (rc != SQLITE_OK) {
        log_error("storage", "statement %d failed: %s", (int)sql, sqlite3_errmsg(st->db));
        st->err = storage_err(rc) ? storage_err(rc) : ERR_IO;
    }
}

int storage_query(struct storage *st, enum storage_sql sql, const struct storage_val *vals, unsigned n,
                  storage_row_fn *fn, void *ctx)
{
    sqlite3_stmt *s = st->stmts[sql];
    int ret = 0;
    if (!st->in_txn)
        (void)pthread_mutex_lock(&st->shared->writer);
    int rc = storage_bind(s, vals, n);
    if (rc == SQLITE_OK)
        rc = storage_step_rows(s, fn, ctx, &ret);
    (void)sqlite3_reset(s);
    if (rc != SQLITE_OK) {
        log_error("storage", "query %d failed: %s", (int)sql, sqlite3_errmsg(st->db));
        ret = storage_err(rc) ? storage_err(rc) : ERR_IO;
        if (st->in_txn && !st->err)
            st->err = ret;
    }
    if (!st->in_txn)
        (void)pthread_mutex_unlock(&st->shared->writer);
    return ret;
}
