/* Replacing the whole database by an image.
 *
 * Crash reasoning. The image is checked where it lies, copied to state.db.part, synced, and renamed to state.db.new (folder
 * synced): from this point the installation is decided. Then state.db-wal and -shm are removed (they belong to the old
 * file; replayed into the new one they would destroy it), state.db.new is renamed to state.db, the folder synced.
 * Killed before the decision: the old state stands, the part is removed by the next try. Killed after it: the next open
 * finds state.db.new and does the rest. Readers hold the old file until their next begin (generation).
 * Prepared. Check and copy can be done ahead in another thread, into state.db.ready. That file decides nothing: which image
 * it holds is known to this process only, so the next process removes it. storage_install takes it when its image is still
 * the file that was copied: it goes on with the renaming to state.db.new. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "storage/storage_int.h"

static int swap_in(const char *dir)
{
    char from[STORAGE_PATH_MAX + 32], to[STORAGE_PATH_MAX + 32];
    (void)snprintf(from, sizeof from, "%s/state.db.new", dir);
    (void)snprintf(to, sizeof to, "%s/state.db", dir);
    int err = storage_unlink(dir, "state.db-wal");
    if (!err)
        err = storage_unlink(dir, "state.db-shm");
    if (!err)
        err = storage_fsync_path(dir, true);
    if (!err && rename(from, to) != 0)
        err = err_from_errno(errno);
    if (!err)
        err = storage_fsync_path(dir, true);
    return err;
}

int storage_finish_install(const char *dir, struct err_info *info)
{
    char path[STORAGE_PATH_MAX + 32];
    if (storage_unlink(dir, "state.db.ready") != 0)
        log_warn("storage", "cannot remove the copy of an image in %s", dir);
    (void)snprintf(path, sizeof path, "%s/state.db.new", dir);
    if (access(path, F_OK) != 0)
        return 0;
    log_notice("storage", "finishing an interrupted installation of an image");
    int err = swap_in(dir);
    return err ? err_set(info, err, "", "cannot finish the installation of %s", path) : 0;
}

static int copy_file(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return err_from_errno(errno);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out < 0) {
        int e = err_from_errno(errno);
        (void)close(in);
        return e;
    }
    size_t size = 1u << 20;
    char *buf = malloc(size);
    int err = buf ? 0 : ERR_NOMEM;
    while (!err) {
        ssize_t got = read(in, buf, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            err = err_from_errno(errno);
        if (got <= 0)
            break;
        for (ssize_t at = 0; !err && at < got;) {
            ssize_t put = write(out, buf + at, (size_t)(got - at));
            if (put < 0 && errno != EINTR)
                err = err_from_errno(errno);
            else if (put > 0)
                at += put;
        }
    }
    if (!err && fsync(out) != 0)
        err = err_from_errno(errno);
    free(buf);
    (void)close(in);
    if (close(out) != 0 && !err)
        err = err_from_errno(errno);
    return err;
}

static int check_image(const char *path, struct err_info *info)
{
    char uri[STORAGE_PATH_MAX * 3 + 32] = "file:";
    size_t at = strlen(uri);
    for (const char *p = path; *p && at + 20 < sizeof uri; p++) {
        if (strchr("?#% ", *p))
            at += (size_t)snprintf(uri + at, 4, "%%%02X", (unsigned)(unsigned char)*p);
        else
            uri[at++] = *p;
    }
    (void)snprintf(uri + at, sizeof uri - at, "?immutable=1");
    if (access(path, R_OK) != 0)
        return err_set(info, err_from_errno(errno), "", "cannot read image %s", path);
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    int err = rc == SQLITE_OK ? storage_check(db, true, info) : storage_err_set(info, rc, db, path);
    (void)sqlite3_close_v2(db);
    return err;
}

/* ---- ahead of time */

static int file_id(const char *path, struct storage_file_id *out)
{
    struct stat s;
    if (stat(path, &s) != 0)
        return err_from_errno(errno);
    *out = (struct storage_file_id){.device = s.st_dev,
                                    .inode = s.st_ino,
                                    .size = (uint64_t)s.st_size,
                                    .changed_s = s.st_mtim.tv_sec,
                                    .changed_ns = s.st_mtim.tv_nsec};
    return 0;
}

static bool same_file(const struct storage_file_id *a, const struct storage_file_id *b)
{
    return a->size > 0 && a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed_s == b->changed_s && a->changed_ns == b->changed_ns;
}

int storage_image_prepare(struct storage *st, const char *image_path, struct err_info *info)
{
    const struct storage_file_id none = {.size = 0};
    struct storage_file_id before = none, after = none;
    char ready[STORAGE_PATH_MAX + 32];
    (void)snprintf(ready, sizeof ready, "%s/state.db.ready", st->dir);
    (void)pthread_mutex_lock(&st->lock);
    bool busy = st->preparing;
    if (!busy) {
        st->preparing = true;
        st->prepared_from = none;
    }
    (void)pthread_mutex_unlock(&st->lock);
    if (busy)
        return err_set(info, ERR_BUSY, "", "another image is being made ready");
    int err = file_id(image_path, &before);
    if (err)
        err = err_set(info, err, "", "cannot read image %s", image_path);
    else
        err = check_image(image_path, info);
    if (!err) {
        err = copy_file(image_path, ready);
        if (!err)
            err = file_id(image_path, &after);
        if (!err && !same_file(&before, &after))
            err = ERR_BADSTATE;
        if (err)
            (void)err_set(info, err, "", "cannot copy image %s into %s", image_path, st->dir);
    }
    if (err)
        (void)unlink(ready);
    (void)pthread_mutex_lock(&st->lock);
    st->preparing = false;
    st->prepared_from = err ? none : after;
    (void)pthread_mutex_unlock(&st->lock);
    return err;
}

/* Renames the copy that is ready, when it is one of this image. It is used once. */
static bool take_prepared(struct storage *st, const char *image_path, const char *to)
{
    const struct storage_file_id none = {.size = 0};
    struct storage_file_id image = none, copy = none;
    char ready[STORAGE_PATH_MAX + 32];
    (void)snprintf(ready, sizeof ready, "%s/state.db.ready", st->dir);
    (void)pthread_mutex_lock(&st->lock);
    struct storage_file_id from = st->prepared_from;
    bool mine = !st->preparing && from.size > 0;
    if (mine)
        st->prepared_from = none;
    (void)pthread_mutex_unlock(&st->lock);
    if (!mine)
        return false;
    if (file_id(image_path, &image) == 0 && same_file(&from, &image) && file_id(ready, &copy) == 0 &&
        copy.size == image.size && rename(ready, to) == 0)
        return true;
    (void)unlink(ready);
    return false;
}

/* ---- the installation */

static int make_new(struct storage *st, const char *image_path, const char *new_path, struct err_info *info)
{
    int err = check_image(image_path, info);
    if (err)
        return err;
    char part[STORAGE_PATH_MAX + 32];
    (void)snprintf(part, sizeof part, "%s/state.db.part", st->dir);
    err = copy_file(image_path, part);
    if (!err && rename(part, new_path) != 0)
        err = err_from_errno(errno);
    if (!err)
        return 0;
    (void)unlink(part);
    return err_set(info, err, "", "cannot copy image %s into %s", image_path, st->dir);
}

int storage_install(struct storage *st, const char *image_path, struct err_info *info)
{
    if (st->in_txn)
        return err_set(info, ERR_BADSTATE, "", "a transaction is open");
    char new_path[STORAGE_PATH_MAX + 32];
    (void)snprintf(new_path, sizeof new_path, "%s/state.db.new", st->dir);
    int err = take_prepared(st, image_path, new_path) ? 0 : make_new(st, image_path, new_path, info);
    if (err)
        return err;
    err = storage_fsync_path(st->dir, true);
    if (storage_flush(st) != 0)
        log_warn("storage", "the last entries were not written: the image replaces them"); /* it is newer */
    storage_worker_stop(st);
    storage_close_db(st);
    (void)pthread_mutex_lock(&st->shared->lock);
    /* the last to let go of the replaced file takes its blocks back: not in this thread */
    int old = open(st->shared->path, O_RDONLY | O_CLOEXEC);
    if (!err)
        err = swap_in(st->dir);
    if (err && old >= 0) {
        (void)close(old); /* before a connection to it is opened: closing drops the locks of the process */
        old = -1;
    }
    st->replaced_fd = old;
    st->shared->generation++;
    /* opened under the lock: no reader may be first to attach to the new file's log */
    int open_err = storage_open_db(st, false, info);
    (void)pthread_mutex_unlock(&st->shared->lock);
    if (!open_err)
        open_err = storage_worker_start(st);
    if (open_err && st->replaced_fd >= 0) {
        (void)close(st->replaced_fd); /* no worker runs */
        st->replaced_fd = -1;
    }
    if (err)
        return err_set(info, err, "", "cannot put the image in place in %s", st->dir);
    return open_err;
}

int storage_discard(const char *dir, struct err_info *info)
{
    static const char *const names[] = {"state.clean",    "state.db-wal", "state.db-shm", "state.db.part",
                                        "state.db.ready", "state.db.new", "state.db"};
    int err = 0;
    for (unsigned i = 0; i < sizeof names / sizeof names[0] && !err; i++)
        err = storage_unlink(dir, names[i]);
    if (!err)
        err = storage_fsync_path(dir, true);
    return err ? err_set(info, err, "", "cannot remove the database in %s", dir) : 0;
}
