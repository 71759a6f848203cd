/* A blob is written to .part-N, fsynced, renamed to its hash, and the folder fsynced. So a name is either absent or stands for
 * all of its bytes; what a power failure or a bad disk does to them later is found by hashing them again. */
#include "storage/blob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/log.h"

#define BLOB_PATH_MAX (FOLDER_PATH_MAX + BLOB_NAME_MAX + 2u)
#define BLOB_PART ".part-"
#define BLOB_CHUNK 65536u

struct blobs {
    char dir[FOLDER_PATH_MAX];
    pthread_mutex_t lock;
    uint64_t bytes, quota, next_part; /* under lock; bytes: of all files and of those being written */
};

struct blob_writer {
    struct blobs *b;
    int fd;
    uint64_t expected, written;
    char want[BLOB_NAME_MAX]; /* "": any */
    char part[BLOB_PATH_MAX];
    EVP_MD_CTX *hash;
};

bool blob_name_ok(const char *name)
{
    return strlen(name) == BLOB_NAME_MAX - 1 && strspn(name, "0123456789abcdef") == BLOB_NAME_MAX - 1;
}

static int path_of(const struct blobs *b, const char *name, char out[BLOB_PATH_MAX])
{
    if (!blob_name_ok(name))
        return ERR_NOTFOUND;
    snprintf(out, BLOB_PATH_MAX, "%s/%s", b->dir, name);
    return 0;
}

static void count(struct blobs *b, int64_t change)
{
    pthread_mutex_lock(&b->lock);
    b->bytes = (uint64_t)((int64_t)b->bytes + change);
    pthread_mutex_unlock(&b->lock);
}

uint64_t blobs_bytes(struct blobs *b)
{
    pthread_mutex_lock(&b->lock);
    uint64_t bytes = b->bytes;
    pthread_mutex_unlock(&b->lock);
    return bytes;
}

void blobs_set_quota(struct blobs *b, uint64_t bytes)
{
    pthread_mutex_lock(&b->lock);
    b->quota = bytes;
    pthread_mutex_unlock(&b->lock);
}

/* ---- the folder */

static int tidy(struct blobs *b)
{
    DIR *d = opendir(b->dir);
    if (!d)
        return err_from_errno(errno);
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (strncmp(e->d_name, BLOB_PART, strlen(BLOB_PART)) == 0)
            (void)unlinkat(dirfd(d), e->d_name, 0);
        else if (blob_name_ok(e->d_name) && fstatat(dirfd(d), e->d_name, &st, 0) == 0)
            b->bytes += (uint64_t)st.st_size;
    }
    closedir(d);
    return 0;
}

int blobs_open(const char *dir, struct blobs **out, struct err_info *info)
{
    struct blobs *b = calloc(1, sizeof *b);
    if (!b)
        return err_set(info, ERR_NOMEM, "", "%s", err_text(ERR_NOMEM));
    pthread_mutex_init(&b->lock, NULL);
    int rc = (size_t)snprintf(b->dir, sizeof b->dir, "%s", dir) < sizeof b->dir ? folder_make(dir) : ERR_TOOBIG;
    if (!rc)
        rc = tidy(b);
    if (rc) {
        blobs_close(b);
        return err_set(info, rc, "", "folder %.180s: %s", dir, err_text(rc));
    }
    *out = b;
    return 0;
}

void blobs_close(struct blobs *b)
{
    if (!b)
        return;
    pthread_mutex_destroy(&b->lock);
    free(b);
}

int blobs_each(struct blobs *b, blobs_each_fn *fn, void *ctx)
{
    DIR *d = opendir(b->dir);
    if (!d)
        return err_from_errno(errno);
    int rc = 0;
    time_t now = time(NULL);
    for (struct dirent *e; !rc && (e = readdir(d));) {
        struct stat st;
        if (blob_name_ok(e->d_name) && fstatat(dirfd(d), e->d_name, &st, 0) == 0)
            rc = fn(ctx, e->d_name, (uint64_t)st.st_size, now > st.st_mtime ? (uint64_t)(now - st.st_mtime) : 0);
    }
    closedir(d);
    return rc;
}

/* With the lock, so that what the file takes is counted once, whoever stores the same one meanwhile. Unless `any`, only one that is old still:
 * it may have been stored once more since it was looked at. */
static bool remove_blob(struct blobs *b, const char *name, bool any, uint64_t grace_s)
{
    char path[BLOB_PATH_MAX];
    struct stat st;
    if (path_of(b, name, path))
        return false;
    pthread_mutex_lock(&b->lock);
    bool removed = stat(path, &st) == 0 && (any || time(NULL) - st.st_mtime > (time_t)grace_s) && unlink(path) == 0;
    if (removed)
        b->bytes -= (uint64_t)st.st_size;
    pthread_mutex_unlock(&b->lock);
    return removed;
}

void blobs_remove(struct blobs *b, const char *name)
{
    (void)remove_blob(b, name, true, 0);
}

struct sweep {
    struct blobs *b;
    blobs_keep_fn *keep;
    void *ctx;
    uint64_t grace_s;
    unsigned removed;
};

static int sweep_one(void *ctx, const char *name, uint64_t bytes, uint64_t age_s)
{
    struct sweep *s = ctx;
    (void)bytes;
    if (age_s > s->grace_s && !s->keep(s->ctx, name))
        s->removed += remove_blob(s->b, name, false, s->grace_s);
    return 0;
}

unsigned blobs_sweep(struct blobs *b, blobs_keep_fn *keep, void *ctx, uint64_t grace_s)
{
    struct sweep s = {b, keep, ctx, grace_s, 0};
    int rc = blobs_each(b, sweep_one, &s);
    if (rc)
        log_warn("storage", "folder %s cannot be read: %s", b->dir, err_text(rc));
    return s.removed;
}

/* ---- reading */

static int open_blob(struct blobs *b, const char *name, uint64_t *bytes)
{
    char path[BLOB_PATH_MAX];
    struct stat st;
    int rc = path_of(b, name, path);
    if (rc)
        return rc;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return ERR_IO;
    }
    *bytes = (uint64_t)st.st_size;
    return fd;
}

int blobs_size(struct blobs *b, const char *name, uint64_t *bytes)
{
    int fd = open_blob(b, name, bytes);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

/* Reads until len bytes or the end of the file. */
static int read_at(int fd, uint64_t offset, void *buf, size_t *len)
{
    size_t n = 0;
    while (n < *len) {
        ssize_t got = pread(fd, (char *)buf + n, *len - n, (off_t)(offset + n));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_from_errno(errno);
        if (got == 0)
            break;
        n += (size_t)got;
    }
    *len = n;
    return 0;
}

int blobs_read(struct blobs *b, const char *name, uint64_t offset, void *buf, size_t *len)
{
    uint64_t bytes;
    int fd = open_blob(b, name, &bytes);
    if (fd < 0)
        return fd;
    int rc = read_at(fd, offset, buf, len);
    close(fd);
    return rc;
}

static int hash_text(EVP_MD_CTX *hash, char name[BLOB_NAME_MAX])
{
    unsigned char sum[32];
    if (EVP_DigestFinal_ex(hash, sum, NULL) != 1)
        return ERR_NOMEM;
    for (unsigned i = 0; i < sizeof sum; i++)
        snprintf(name + 2 * i, 3, "%02x", sum[i]);
    return 0;
}

static EVP_MD_CTX *hash_new(void)
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    if (hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1)
        return hash;
    EVP_MD_CTX_free(hash);
    return NULL;
}

static int spoilt(struct blobs *b, const char *name)
{
    log_error("storage", "blob %s is damaged: removed, to be fetched again", name);
    blobs_remove(b, name);
    return ERR_CORRUPT;
}

int blobs_check(struct blobs *b, const char *name)
{
    uint64_t bytes, at = 0;
    int fd = open_blob(b, name, &bytes);
    if (fd < 0)
        return fd;
    EVP_MD_CTX *hash = hash_new();
    char *buf = malloc(BLOB_CHUNK), is[BLOB_NAME_MAX] = "";
    int rc = hash && buf ? 0 : ERR_NOMEM;
    for (size_t n = BLOB_CHUNK; !rc && n == BLOB_CHUNK; at += n) {
        rc = read_at(fd, at, buf, &n);
        if (!rc && EVP_DigestUpdate(hash, buf, n) != 1)
            rc = ERR_NOMEM;
    }
    if (!rc)
        rc = hash_text(hash, is);
    EVP_MD_CTX_free(hash);
    free(buf);
    close(fd);
    return !rc && strcmp(is, name) != 0 ? spoilt(b, name) : rc;
}

int blobs_renew(struct blobs *b, const char *name)
{
    char path[BLOB_PATH_MAX];
    int rc = path_of(b, name, path);
    if (rc)
        return rc;
    pthread_mutex_lock(&b->lock); /* before it is read: from now on no sweep takes it away */
    rc = utimensat(AT_FDCWD, path, NULL, 0) != 0 ? err_from_errno(errno) : 0;
    pthread_mutex_unlock(&b->lock);
    return rc ? rc : blobs_check(b, name);
}

static int name_of(const void *data, size_t len, char name[BLOB_NAME_MAX])
{
    EVP_MD_CTX *hash = hash_new();
    int rc = hash && EVP_DigestUpdate(hash, data, len) == 1 ? hash_text(hash, name) : ERR_NOMEM;
    EVP_MD_CTX_free(hash);
    return rc;
}

int blobs_get(struct blobs *b, const char *name, void **data, size_t *len)
{
    uint64_t bytes;
    int fd = open_blob(b, name, &bytes);
    if (fd < 0)
        return fd;
    char is[BLOB_NAME_MAX] = "", *buf = NULL;
    size_t n = (size_t)bytes;
    int rc = bytes > BLOB_BYTES_MAX ? ERR_CORRUPT : 0;
    if (!rc)
        rc = (buf = malloc(n + 1)) ? read_at(fd, 0, buf, &n) : ERR_NOMEM;
    close(fd);
    if (!rc)
        rc = name_of(buf, n, is);
    if (rc == ERR_CORRUPT || (!rc && strcmp(is, name) != 0))
        rc = spoilt(b, name);
    if (rc) {
        free(buf);
        return rc;
    }
    buf[n] = '\0';
    *data = buf;
    *len = n;
    return 0;
}

/* ---- writing */

static int reserve(struct blobs *b, uint64_t bytes, uint64_t *part, struct err_info *info)
{
    pthread_mutex_lock(&b->lock);
    bool room = !b->quota || b->bytes + bytes <= b->quota;
    uint64_t left = b->quota > b->bytes ? b->quota - b->bytes : 0;
    if (room)
        b->bytes += bytes;
    *part = b->next_part++;
    pthread_mutex_unlock(&b->lock);
    if (room)
        return 0;
    return err_set(info, ERR_NOSPACE, "", "%llu bytes are too many: %llu are left of the quota for sound",
                   (unsigned long long)bytes, (unsigned long long)left);
}

int blob_writer_open(struct blobs *b, const char *name, uint64_t bytes, struct blob_writer **out, struct err_info *info)
{
    uint64_t part = 0;
    if (bytes > BLOB_BYTES_MAX || (name && !blob_name_ok(name)))
        return err_set(info, bytes > BLOB_BYTES_MAX ? ERR_TOOBIG : ERR_INVAL, "", "over %u bytes, or no blob's name",
                       BLOB_BYTES_MAX);
    struct blob_writer *w = calloc(1, sizeof *w);
    int rc = w ? reserve(b, bytes, &part, info) : err_set(info, ERR_NOMEM, "", "%s", err_text(ERR_NOMEM));
    if (rc) {
        free(w);
        return rc;
    }
    w->b = b;
    w->fd = -1;
    w->expected = bytes;
    snprintf(w->want, sizeof w->want, "%s", name ? name : "");
    snprintf(w->part, sizeof w->part, "%s/" BLOB_PART "%llu", b->dir, (unsigned long long)part);
    w->hash = hash_new();
    if (!w->hash)
        rc = ERR_NOMEM;
    else if ((w->fd = open(w->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
        rc = err_from_errno(errno);
    if (rc) {
        blob_writer_drop(w);
        return err_set(info, rc, "", "cannot be stored: %s", err_text(rc));
    }
    *out = w;
    return 0;
}

int blob_writer_add(struct blob_writer *w, const void *data, size_t len)
{
    if (len > w->expected - w->written)
        return ERR_TOOBIG;
    if (EVP_DigestUpdate(w->hash, data, len) != 1)
        return ERR_NOMEM;
    for (size_t n = 0; n < len;) {
        ssize_t put = write(w->fd, (const char *)data + n, len - n);
        if (put < 0 && errno != EINTR)
            return err_from_errno(errno);
        n += put > 0 ? (size_t)put : 0;
    }
    w->written += len;
    return 0;
}

static void writer_free(struct blob_writer *w, bool keeps)
{
    if (w->fd >= 0)
        close(w->fd);
    if (!keeps) {
        (void)unlink(w->part);
        count(w->b, -(int64_t)w->expected);
    }
    EVP_MD_CTX_free(w->hash);
    free(w);
}

void blob_writer_drop(struct blob_writer *w)
{
    if (w)
        writer_free(w, false);
}

/* One that is there is replaced all the same: by bytes that are known to be good, and young. */
static int put_in_place(struct blob_writer *w, const char *path)
{
    struct stat st;
    pthread_mutex_lock(&w->b->lock);
    uint64_t before = stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
    int rc = rename(w->part, path) != 0 ? err_from_errno(errno) : 0;
    if (!rc)
        w->b->bytes -= before;
    pthread_mutex_unlock(&w->b->lock);
    return rc;
}

int blob_writer_finish(struct blob_writer *w, char name[BLOB_NAME_MAX])
{
    char path[BLOB_PATH_MAX] = "", is[BLOB_NAME_MAX] = "";
    int rc = w->written == w->expected ? hash_text(w->hash, is) : ERR_CORRUPT;
    if (!rc && w->want[0] && strcmp(w->want, is) != 0)
        rc = ERR_CORRUPT;
    if (!rc)
        rc = path_of(w->b, is, path);
    if (!rc && fsync(w->fd) != 0)
        rc = err_from_errno(errno);
    if (!rc)
        rc = put_in_place(w, path);
    if (!rc) {
        rc = folder_sync(w->b->dir);
        memcpy(name, is, BLOB_NAME_MAX);
        writer_free(w, true);
        return rc;
    }
    writer_free(w, false);
    return rc;
}

int blobs_put(struct blobs *b, const void *data, size_t len, char name[BLOB_NAME_MAX], struct err_info *info)
{
    struct blob_writer *w = NULL;
    int rc = blob_writer_open(b, NULL, len, &w, info);
    if (rc)
        return rc;
    rc = blob_writer_add(w, data, len);
    if (rc)
        blob_writer_drop(w);
    else
        rc = blob_writer_finish(w, name);
    return rc ? err_set(info, rc, "", "cannot be stored: %s", err_text(rc)) : 0;
}
