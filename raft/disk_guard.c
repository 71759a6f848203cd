#include "raft/disk_guard.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "raft/crc32c.h"
#include "raft/disk_guard_int.h"
#include "raft/identity.h"
#include "raft/wire.h"

#define DISK_GUARD_FILE "record"
#define DISK_GUARD_MAGIC 0x31475645u /* "EVG1" */
#define DISK_GUARD_BYTES 4096u
#define DISK_GUARD_SLOT 2048u /* a torn write never touches both */
#define DISK_GUARD_FIELDS 48u
#define DISK_GUARD_ZEROS (256u * 1024u)

/* One slot: u32 magic, u32 crc32c of the rest, u64 number (the higher valid one counts), last, term, vote, reserved. */
struct disk_guard {
    char log_dir[440];
    uint8_t *map;
    uint64_t number, last, term, vote;
    uint64_t bytes, bytes_at_us;
};

static bool disk_guard_slot(const uint8_t *p, struct disk_guard *g)
{
    struct wire_reader r;
    wire_reader_init(&r, p, DISK_GUARD_FIELDS);
    uint32_t magic = wire_get32(&r), crc = wire_get32(&r);
    if (magic != DISK_GUARD_MAGIC || crc != crc32c(0, p + 8, DISK_GUARD_FIELDS - 8))
        return false;
    uint64_t number = wire_get64(&r);
    if (g->number >= number)
        return true;
    g->number = number;
    g->last = wire_get64(&r);
    g->term = wire_get64(&r);
    g->vote = wire_get64(&r);
    return true;
}

static void disk_guard_fill(uint8_t *p, const struct disk_guard *g)
{
    uint8_t slot[DISK_GUARD_FIELDS] = {0};
    uint8_t *at = wire_put32(slot, DISK_GUARD_MAGIC) + 4;
    at = wire_put64(at, g->number);
    at = wire_put64(at, g->last);
    at = wire_put64(at, g->term);
    wire_put64(at, g->vote);
    wire_put32(slot + 4, crc32c(0, slot + 8, DISK_GUARD_FIELDS - 8));
    memcpy(p, slot, sizeof slot);
}

static int disk_guard_write(struct disk_guard *g, bool sync)
{
    g->number++;
    disk_guard_fill(g->map + (g->number & 1) * DISK_GUARD_SLOT, g);
    if (sync && msync(g->map, DISK_GUARD_BYTES, MS_SYNC))
        return err_from_errno(errno);
    return 0;
}

int disk_guard_prepare(const char *dir)
{
    uint8_t page[DISK_GUARD_BYTES] = {0};
    struct disk_guard g = {.number = 1};
    disk_guard_fill(page, &g);
    return identity_write_file(dir, DISK_GUARD_FILE, page, sizeof page);
}

static int disk_guard_map(struct disk_guard *g, const char *dir, struct err_info *info)
{
    char path[440];
    struct stat st;
    snprintf(path, sizeof path, "%s/" DISK_GUARD_FILE, dir);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT
                   ? err_set(info, ERR_CORRUPT, "dir", "the log's record %s is missing. " DISK_GUARD_ADVICE, path)
                   : err_set(info, err_from_errno(errno), "dir", "cannot open %s: %s", path, strerror(errno));
    if (fstat(fd, &st) || st.st_size != DISK_GUARD_BYTES) {
        close(fd);
        return err_set(info, ERR_CORRUPT, "dir", "the log's record %s is cut short. " DISK_GUARD_ADVICE, path);
    }
    void *map = mmap(NULL, DISK_GUARD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int err = errno;
    close(fd);
    if (map == MAP_FAILED)
        return err_set(info, err_from_errno(err), "dir", "cannot map %s: %s", path, strerror(err));
    g->map = map;
    bool a = disk_guard_slot(g->map, g), b = disk_guard_slot(g->map + DISK_GUARD_SLOT, g);
    if (!a && !b)
        return err_set(info, ERR_CORRUPT, "dir", "the log's record %s fails its check. " DISK_GUARD_ADVICE, path);
    return 0;
}

static int disk_guard_compare(const struct disk_guard *g, const struct disk_guard_log *log, struct err_info *info)
{
    if (log->last < g->last)
        return err_set(info, ERR_CORRUPT, "dir",
                       "the log in %s ends at entry %llu, but entry %llu was on disk. " DISK_GUARD_ADVICE, g->log_dir,
                       (unsigned long long)log->last, (unsigned long long)g->last);
    if (log->term < g->term || (log->term == g->term && g->vote && log->vote != g->vote))
        return err_set(info, ERR_CORRUPT, "dir",
                       "the term or vote in %s is older than what was written. " DISK_GUARD_ADVICE, g->log_dir);
    return 0;
}

int disk_guard_open(const char *dir, const char *log_dir, struct disk_guard **out, struct err_info *info)
{
    struct disk_guard_log log = {0};
    struct disk_guard *g = calloc(1, sizeof *g);
    if (!g)
        return err_set(info, ERR_NOMEM, "", "out of memory");
    snprintf(g->log_dir, sizeof g->log_dir, "%s", log_dir);
    int rc = disk_guard_map(g, dir, info);
    if (!rc)
        rc = disk_guard_read_log(log_dir, &log, info);
    if (!rc)
        rc = disk_guard_compare(g, &log, info);
    if (rc) {
        disk_guard_close(g);
        return rc;
    }
    *out = g;
    return 0;
}

void disk_guard_close(struct disk_guard *g)
{
    if (!g)
        return;
    if (g->map)
        munmap(g->map, DISK_GUARD_BYTES);
    free(g);
}

int disk_guard_started(struct disk_guard *g, uint64_t last, uint64_t term, uint64_t vote)
{
    g->last = last;
    g->term = term;
    g->vote = vote;
    return disk_guard_write(g, true);
}

int disk_guard_term(struct disk_guard *g, uint64_t term, uint64_t vote)
{
    g->term = term;
    g->vote = vote;
    return disk_guard_write(g, true);
}

void disk_guard_last(struct disk_guard *g, uint64_t last)
{
    if (last <= g->last)
        return;
    g->last = last;
    (void)disk_guard_write(g, false);
}

int disk_guard_truncate(struct disk_guard *g, uint64_t last)
{
    if (last >= g->last)
        return 0;
    g->last = last;
    return disk_guard_write(g, true);
}

uint64_t disk_guard_log_bytes(struct disk_guard *g)
{
    uint64_t now = clock_mono_now().us;
    if (g->bytes_at_us && now - g->bytes_at_us < 1000000u)
        return g->bytes;
    DIR *d = opendir(g->log_dir);
    if (!d)
        return g->bytes;
    g->bytes_at_us = now;
    g->bytes = 0;
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (!fstatat(dirfd(d), e->d_name, &st, 0) && S_ISREG(st.st_mode))
            g->bytes += (uint64_t)st.st_size;
    }
    closedir(d);
    return g->bytes;
}

/* ---- new segments */

/* The program defines this symbol itself, so libraft's call, from a worker thread that prepares a segment ahead of its use, lands
 * here. A block that was only reserved costs a commit of the file system's journal at its first synchronous write, and a write that
 * begins in a used block and ends in a reserved one is refused without waiting, so that libraft hands it to another thread. In a
 * segment whose zeros have been written each append is just a write. Past the page cache: pages there would do the same. */
int posix_fallocate(int fd, off_t offset, off_t len)
{
    int (*real)(int, off_t, off_t) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "posix_fallocate");
    int rc = real ? real(fd, offset, len) : ENOSYS;
    char path[64];
    void *zeros;
    if (rc || offset % DISK_GUARD_SLOT || len % DISK_GUARD_ZEROS)
        return rc;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int direct = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
    if (direct < 0)
        return 0; /* not on this file system: slower, not wrong */
    if (!posix_memalign(&zeros, 4096, DISK_GUARD_ZEROS)) {
        memset(zeros, 0, DISK_GUARD_ZEROS);
        for (off_t at = 0; at < len && !rc; at += DISK_GUARD_ZEROS)
            rc = pwrite(direct, zeros, DISK_GUARD_ZEROS, offset + at) == (ssize_t)DISK_GUARD_ZEROS ? 0 : ENOSPC;
        if (!rc && fdatasync(direct))
            rc = errno;
        free(zeros);
    }
    (void)close(direct);
    return rc;
}
