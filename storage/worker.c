/* Work beside the core thread: checkpoints, images, digests; each on a connection of its own. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"
#include "storage/storage_int.h"

#define CKPT_PAGES 4000u /* 16 MB of log: time to move it into the database */

/* ---- checkpoints */

/* Passive: takes no lock that the writer needs. Under unbroken load it never catches up with the writer, and then the log
 * cannot be used again from its start: past the hard limit the remainder is moved with the writer held for moments. */
static void checkpoint(struct storage *st, sqlite3 *db)
{
    int log_pages = 0, moved = 0;
    int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, &log_pages, &moved);
    if (rc == SQLITE_OK && log_pages > (int)STORAGE_CKPT_PAGES_HARD)
        rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_RESTART, &log_pages, &moved);
    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY)
        log_error("storage", "checkpoint of %s failed: %s", st->shared->path, sqlite3_errmsg(db));
}

static void *ckpt_main(void *arg)
{
    struct storage *st = arg;
    thread_ordinary();
    if (st->replaced_fd >= 0)
        (void)close(st->replaced_fd); /* gives the room of a large file back: 80 ms for 200 MB */
    st->replaced_fd = -1;
    (void)pthread_mutex_lock(&st->lock);
    while (!st->ckpt_stop) {
        if (st->wal_pages < CKPT_PAGES) {
            (void)pthread_cond_wait(&st->wake, &st->lock);
            continue;
        }
        st->wal_pages = 0;
        (void)pthread_mutex_unlock(&st->lock);
        checkpoint(st, st->ckpt_db);
        (void)pthread_mutex_lock(&st->lock);
    }
    (void)pthread_mutex_unlock(&st->lock);
    return NULL;
}

/* After each commit, on the thread that did it, under shared->writer. A pass that could not finish (a reader stands in the way) is tried again only after
 * another quarter of the limit. */
static int wal_hook(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct storage *st = arg;
    (void)db;
    (void)name;
    unsigned n = pages > 0 ? (unsigned)pages : 0;
    if (n < st->ckpt_told)
        st->ckpt_told = 0; /* the log began anew */
    if (n < CKPT_PAGES || (st->ckpt_told && n < st->ckpt_told + CKPT_PAGES / 4))
        return SQLITE_OK;
    st->ckpt_told = n;
    (void)pthread_mutex_lock(&st->lock);
    st->wal_pages = n;
    (void)pthread_cond_signal(&st->wake);
    (void)pthread_mutex_unlock(&st->lock);
    return SQLITE_OK;
}

/* Its connection is opened here: without one the log of pages would grow without end, and nobody be told. */
int storage_worker_start(struct storage *st)
{
    struct err_info info = {0};
    int err = storage_connect(st->shared->path, SQLITE_OPEN_READWRITE, &st->ckpt_db, &info);
    if (err) {
        log_error("storage", "no connection for checkpoints: %s", info.text);
        return err;
    }
    st->ckpt_stop = false;
    st->wal_pages = st->ckpt_told = 0;
    (void)sqlite3_wal_hook(st->db, wal_hook, st);
    if (pthread_create(&st->ckpt_thread, NULL, ckpt_main, st) != 0) {
        (void)sqlite3_close_v2(st->ckpt_db);
        st->ckpt_db = NULL;
        return ERR_NOMEM;
    }
    st->ckpt_running = true;
    return 0;
}

/* ---- jobs */

struct job {
    struct list_node link; /* core thread */
    pthread_t thread;
    struct storage *st;
    sqlite3 *db;
    bool done; /* under st->lock */
    enum { JOB_IMAGE, JOB_DIGEST } kind;
    storage_image_fn *image_fn;
    storage_digest_fn *digest_fn;
    void *arg;
    struct storage_image image;
    struct storage_digest digest;
};

static void reap(struct storage *st, bool all)
{
    list_foreach_safe(it, &st->jobs) {
        struct job *j = list_entry(it, struct job, link);
        (void)pthread_mutex_lock(&st->lock);
        bool done = j->done;
        (void)pthread_mutex_unlock(&st->lock);
        if (!done && !all)
            continue;
        (void)pthread_join(j->thread, NULL);
        list_del(&j->link);
        free(j);
    }
}

void storage_worker_stop(struct storage *st)
{
    reap(st, true);
    if (!st->ckpt_running)
        return;
    (void)pthread_mutex_lock(&st->lock);
    st->ckpt_stop = true;
    (void)pthread_cond_signal(&st->wake);
    (void)pthread_mutex_unlock(&st->lock);
    (void)pthread_join(st->ckpt_thread, NULL);
    st->ckpt_running = false;
    (void)sqlite3_close_v2(st->ckpt_db);
    st->ckpt_db = NULL;
}

int storage_pin(struct storage *st, sqlite3 **out, uint64_t *index)
{
    struct err_info info = {0};
    sqlite3 *db = NULL;
    int err = storage_flush(st);
    if (err)
        return err;
    err = storage_connect(st->shared->path, SQLITE_OPEN_READONLY, &db, &info);
    if (err) {
        log_error("storage", "cannot open a reader: %s", info.text);
        return err;
    }
    int64_t idx = 0;
    int rc = storage_exec(db, "BEGIN");
    if (rc == SQLITE_OK)
        rc = storage_get_int(db, "SELECT idx FROM applied", &idx);
    if (rc != SQLITE_OK) {
        log_error("storage", "cannot read: %s", sqlite3_errmsg(db));
        (void)sqlite3_close_v2(db);
        return storage_err(rc);
    }
    *index = (uint64_t)idx;
    *out = db;
    return 0;
}

int storage_sha256_file(const char *path, uint8_t out[32], uint64_t *bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    size_t size = 1u << 18;
    unsigned char *buf = malloc(size);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int err = buf && md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 ? 0 : ERR_NOMEM;
    uint64_t total = 0;
    while (!err) {
        ssize_t got = read(fd, buf, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            err = err_from_errno(errno);
        if (got <= 0)
            break;
        total += (uint64_t)got;
        if (EVP_DigestUpdate(md, buf, (size_t)got) != 1)
            err = ERR_NOMEM;
    }
    if (!err && EVP_DigestFinal_ex(md, out, NULL) != 1)
        err = ERR_NOMEM;
    EVP_MD_CTX_free(md);
    free(buf);
    (void)close(fd);
    if (!err)
        *bytes = total;
    return err;
}

/* Copies the pinned state page by page into a file of its own. */
static int write_image(struct job *j)
{
    char tmp[STORAGE_PATH_MAX + 8];
    (void)snprintf(tmp, sizeof tmp, "%s.tmp", j->image.path);
    (void)unlink(tmp);
    sqlite3 *to = NULL;
    struct err_info info = {0};
    int err = storage_connect(tmp, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &to, &info);
    if (!err) {
        int rc = storage_exec(to, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF");
        sqlite3_backup *b = rc == SQLITE_OK ? sqlite3_backup_init(to, "main", j->db, "main") : NULL;
        if (b) {
            rc = sqlite3_backup_step(b, -1);
            int end = sqlite3_backup_finish(b);
            rc = rc == SQLITE_DONE ? end : rc;
        } else if (rc == SQLITE_OK) {
            rc = sqlite3_errcode(to);
        }
        if (rc != SQLITE_OK) {
            log_error("storage", "cannot write image %s: %s", tmp, sqlite3_errmsg(to));
            err = storage_err(rc) ? storage_err(rc) : ERR_IO;
        }
    } else {
        log_error("storage", "cannot write image: %s", info.text);
    }
    (void)sqlite3_close_v2(to);
    if (!err)
        err = storage_fsync_path(tmp, false);
    if (!err)
        err = storage_sha256_file(tmp, j->image.sha256, &j->image.bytes);
    if (!err && rename(tmp, j->image.path) != 0)
        err = err_from_errno(errno);
    if (!err) {
        char dir[STORAGE_PATH_MAX];
        (void)strcpy(dir, j->image.path);
        *strrchr(dir, '/') = '\0';
        err = storage_fsync_path(dir, true);
    }
    if (err)
        (void)unlink(tmp);
    return err;
}

/* One image, and so many digests, at a time. */
static bool take_turn(struct storage *st, const struct job *j)
{
    (void)pthread_mutex_lock(&st->lock);
    bool free_turn = j->kind == JOB_IMAGE ? !st->image_busy : st->digest_busy < STORAGE_DIGEST_JOBS_MAX;
    if (free_turn && j->kind == JOB_IMAGE)
        st->image_busy = true;
    else if (free_turn)
        st->digest_busy++;
    (void)pthread_mutex_unlock(&st->lock);
    return free_turn;
}

static void give_turn_back(struct storage *st, const struct job *j)
{
    (void)pthread_mutex_lock(&st->lock);
    if (j->kind == JOB_IMAGE)
        st->image_busy = false;
    else
        st->digest_busy--;
    (void)pthread_mutex_unlock(&st->lock);
}

static void *job_main(void *arg)
{
    struct job *j = arg;
    struct storage *st = j->st;
    thread_ordinary();
    int err = j->kind == JOB_IMAGE ? write_image(j) : storage_digest_of(j->db, &j->digest);
    (void)sqlite3_close_v2(j->db);
    if (j->kind == JOB_DIGEST && err)
        log_error("storage", "digest failed: %s", err_text(err));
    /* Free for the next one before the answer goes out: whoever gets it may ask again at once. */
    give_turn_back(st, j);
    if (j->kind == JOB_IMAGE)
        j->image_fn(j->arg, err, err ? NULL : &j->image);
    else
        j->digest_fn(j->arg, err, err ? NULL : &j->digest);
    (void)pthread_mutex_lock(&st->lock);
    j->done = true;
    (void)pthread_mutex_unlock(&st->lock);
    return NULL;
}

static int job_start(struct storage *st, struct job *j, uint64_t *index)
{
    reap(st, false);
    if (st->in_txn)
        return ERR_BADSTATE;
    if (!take_turn(st, j))
        return ERR_BUSY;
    j->st = st;
    int err = storage_pin(st, &j->db, index);
    if (err)
        give_turn_back(st, j);
    return err;
}

/* The thread begins, unless job_start has failed; without a thread nothing is left of the job. */
static int job_run(struct storage *st, struct job *j, int err)
{
    if (!err && pthread_create(&j->thread, NULL, job_main, j) != 0) {
        err = ERR_NOMEM;
        give_turn_back(st, j);
    }
    if (!err) {
        list_push_back(&st->jobs, &j->link);
        return 0;
    }
    (void)sqlite3_close_v2(j->db);
    free(j);
    return err;
}

int storage_image_begin(struct storage *st, const char *to_dir, storage_image_fn *fn, void *arg)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        return ERR_NOMEM;
    if (strlen(to_dir) + 48 > sizeof j->image.path) {
        free(j);
        return ERR_TOOBIG;
    }
    j->kind = JOB_IMAGE;
    j->image_fn = fn;
    j->arg = arg;
    int err = job_start(st, j, &j->image.index);
    (void)snprintf(j->image.path, sizeof j->image.path, "%s/image-%llu.db", to_dir, (unsigned long long)j->image.index);
    return job_run(st, j, err);
}

int storage_digest_begin(struct storage *st, storage_digest_fn *fn, void *arg)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        return ERR_NOMEM;
    j->kind = JOB_DIGEST;
    j->digest_fn = fn;
    j->arg = arg;
    int err = job_start(st, j, &j->digest.index);
    return job_run(st, j, err);
}

/* ---- digest */

static int hash_value(EVP_MD_CTX *md, sqlite3_stmt *s, int col)
{
    /* type, length, bytes: no two different rows give the same stream */
    unsigned char head[9];
    int type = sqlite3_column_type(s, col);
    uint64_t v = type == SQLITE_INTEGER ? (uint64_t)sqlite3_column_int64(s, col) : 0;
    const void *p = NULL;
    if (type == SQLITE_TEXT || type == SQLITE_BLOB) {
        p = type == SQLITE_TEXT ? (const void *)sqlite3_column_text(s, col) : sqlite3_column_blob(s, col);
        v = (uint64_t)sqlite3_column_bytes(s, col);
    }
    head[0] = (unsigned char)type;
    for (int i = 0; i < 8; i++)
        head[1 + i] = (unsigned char)(v >> (8 * i));
    if (EVP_DigestUpdate(md, head, sizeof head) != 1)
        return ERR_NOMEM;
    if (p && v > 0 && EVP_DigestUpdate(md, p, (size_t)v) != 1)
        return ERR_NOMEM;
    return 0;
}

static int digest_table(sqlite3 *db, const struct storage_table *t, EVP_MD_CTX *md, uint64_t *rows, uint8_t out[32])
{
    char sql[640];
    (void)snprintf(sql, sizeof sql, "SELECT %s FROM %s ORDER BY %s", t->columns, t->name, t->order);
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    if (rc != SQLITE_OK)
        return storage_err(rc);
    int err = EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 ? 0 : ERR_NOMEM;
    int cols = sqlite3_column_count(s);
    *rows = 0;
    while (!err && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        for (int i = 0; i < cols && !err; i++)
            err = hash_value(md, s, i);
        ++*rows;
    }
    if (!err && rc != SQLITE_DONE)
        err = storage_err(rc) ? storage_err(rc) : ERR_IO;
    (void)sqlite3_finalize(s);
    if (!err && EVP_DigestFinal_ex(md, out, NULL) != 1)
        err = ERR_NOMEM;
    return err;
}

int storage_digest_of(sqlite3 *db, struct storage_digest *out)
{
    EVP_MD_CTX *all = EVP_MD_CTX_new(), *md = EVP_MD_CTX_new();
    int err = all && md && EVP_DigestInit_ex(all, EVP_sha256(), NULL) == 1 ? 0 : ERR_NOMEM;
    out->n = 0;
    for (unsigned i = 0; i < storage_n_tables && !err; i++) {
        const struct storage_table *t = &storage_tables[i];
        err = digest_table(db, t, md, &out->tables[i].rows, out->tables[i].sha256);
        out->tables[i].table = t->name;
        out->n = i + 1;
        if (!err && (EVP_DigestUpdate(all, t->name, strlen(t->name) + 1) != 1 ||
                     EVP_DigestUpdate(all, out->tables[i].sha256, 32) != 1))
            err = ERR_NOMEM;
    }
    if (!err && EVP_DigestFinal_ex(all, out->sha256, NULL) != 1)
        err = ERR_NOMEM;
    EVP_MD_CTX_free(all);
    EVP_MD_CTX_free(md);
    return err;
}

int storage_digest_now(struct storage *st, struct storage_digest *out)
{
    sqlite3 *db = NULL;
    int err = storage_pin(st, &db, &out->index);
    if (err)
        return err;
    err = storage_digest_of(db, out);
    (void)sqlite3_close_v2(db);
    return err;
}
