/* Reads libraft's files as it would, and refuses what it would take in silence.
 *
 *   metadata1, metadata2   u64 format 1, u64 version, u64 term, u64 vote; the higher version counts
 *   FIRST-LAST             closed segment: u64 format 1, then batches to the end of the file
 *   open-N                 open segment: the same, with zeroes after the last batch
 *   snapshot-TERM-INDEX-TIME and the same with .meta
 *
 * A batch: u32 crc of its header, u32 crc of its data, header (u64 count; per entry u64 term, u8 type, 3 zero, u32
 * length), data. The crc is CRC-32 with polynomial 04c11db7, not reflected, starting at 0. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <raft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "raft/disk_guard_int.h"
#include "raft/wire.h"

#define DISK_GUARD_SEGMENTS_MAX 4096u
#define DISK_GUARD_FORMAT 1u
#define DISK_GUARD_ENTRIES_MAX 262144u

struct disk_guard_segment {
    uint64_t first, last; /* closed */
    uint64_t counter;     /* open */
    bool open;
    char name[64];
};

struct disk_guard_dir {
    struct disk_guard_segment *segments;
    size_t n, cap;
    uint64_t snapshot; /* index of the newest one that has both files */
};

static uint32_t disk_guard_crc_table[256];

static void disk_guard_crc_fill(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i << 24;
        for (int k = 0; k < 8; k++)
            c = c & 0x80000000u ? c << 1 ^ 0x04c11db7u : c << 1;
        disk_guard_crc_table[i] = c;
    }
}

static uint32_t disk_guard_crc(const uint8_t *p, size_t len)
{
    uint32_t c = 0;
    while (len--)
        c = c << 8 ^ disk_guard_crc_table[(c >> 24 ^ *p++) & 0xff];
    return c;
}

/* ---- the folder ---- */

bool disk_guard_folder_empty(const char *log_dir)
{
    bool empty = true;
    DIR *d = opendir(log_dir);
    if (!d)
        return errno == ENOENT;
    for (struct dirent *e; (e = readdir(d));)
        empty = empty && e->d_name[0] == '.';
    closedir(d);
    return empty;
}

static bool disk_guard_name(const char *name, struct disk_guard_segment *out)
{
    int end = 0;
    memset(out, 0, sizeof *out);
    if (strlen(name) >= sizeof out->name)
        return false;
    memcpy(out->name, name, strlen(name) + 1);
    if (sscanf(name, "open-%" SCNu64 "%n", &out->counter, &end) == 1 && !name[end]) {
        out->open = true;
        return true;
    }
    end = 0;
    return sscanf(name, "%" SCNu64 "-%" SCNu64 "%n", &out->first, &out->last, &end) == 2 && !name[end] && out->first &&
           out->last >= out->first;
}

static void disk_guard_note_snapshot(const char *log_dir, const char *name, struct disk_guard_dir *d)
{
    uint64_t term, index, at;
    int end = 0;
    char path[560];
    struct stat st;
    if (sscanf(name, "snapshot-%" SCNu64 "-%" SCNu64 "-%" SCNu64 ".meta%n", &term, &index, &at, &end) != 3 || !end ||
        name[end])
        return;
    snprintf(path, sizeof path, "%s/%.*s", log_dir, end - 5, name);
    if (!stat(path, &st) && st.st_size > 0 && index > d->snapshot)
        d->snapshot = index;
}

static int disk_guard_order(const void *a, const void *b)
{
    const struct disk_guard_segment *x = a, *y = b;
    if (x->open != y->open)
        return x->open ? 1 : -1;
    uint64_t p = x->open ? x->counter : x->first, q = y->open ? y->counter : y->first;
    return p < q ? -1 : p > q ? 1 : 0;
}

static int disk_guard_scan(const char *log_dir, struct disk_guard_dir *d, struct err_info *info)
{
    DIR *dir = opendir(log_dir);
    int rc = 0;
    if (!dir)
        return err_set(info, err_from_errno(errno), "dir", "cannot read %s: %s", log_dir, strerror(errno));
    for (struct dirent *e; !rc && (e = readdir(dir));) {
        struct disk_guard_segment seg;
        disk_guard_note_snapshot(log_dir, e->d_name, d);
        if (!disk_guard_name(e->d_name, &seg))
            continue;
        if (d->n == d->cap) {
            size_t cap = d->cap ? d->cap * 2 : 64;
            void *p = cap <= DISK_GUARD_SEGMENTS_MAX ? realloc(d->segments, cap * sizeof *d->segments) : NULL;
            if (!p) {
                rc = err_set(info, ERR_NOMEM, "dir", "too many log segments in %s", log_dir);
                break;
            }
            d->segments = p;
            d->cap = cap;
        }
        d->segments[d->n++] = seg;
    }
    closedir(dir);
    if (d->n)
        qsort(d->segments, d->n, sizeof *d->segments, disk_guard_order);
    return rc;
}

/* ---- metadata ---- */

static bool disk_guard_metadata(const char *log_dir, const char *name, uint64_t *version, struct disk_guard_log *out)
{
    char path[560];
    uint8_t buf[33];
    snprintf(path, sizeof path, "%s/%s", log_dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, buf, sizeof buf);
    close(fd);
    if (n != 32 || wire_load(buf, 8) != DISK_GUARD_FORMAT || !wire_load(buf + 8, 8))
        return false;
    if (wire_load(buf + 8, 8) > *version) {
        *version = wire_load(buf + 8, 8);
        out->term = wire_load(buf + 16, 8);
        out->vote = wire_load(buf + 24, 8);
    }
    return true;
}

/* ---- segments ---- */

enum disk_guard_end { DISK_GUARD_EXACT, DISK_GUARD_ZEROES, DISK_GUARD_TORN, DISK_GUARD_SHORT, DISK_GUARD_ALIEN };

/* libraft frees a batch twice when it meets another type. */
static bool disk_guard_types(const uint8_t *entry, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        if (entry[i * 16 + 8] < RAFT_COMMAND || entry[i * 16 + 8] > RAFT_CHANGE)
            return false;
    return true;
}

/* Counts the entries of the batches that are whole, and says how the file ends. */
static enum disk_guard_end disk_guard_batches(const uint8_t *data, size_t len, uint64_t *entries)
{
    struct wire_reader r;
    wire_reader_init(&r, data, len);
    if (wire_get64(&r) != DISK_GUARD_FORMAT)
        return r.bad ? DISK_GUARD_SHORT : DISK_GUARD_TORN;
    while (wire_left(&r)) {
        const uint8_t *start = r.at;
        uint32_t crc_header = wire_get32(&r), crc_data = wire_get32(&r);
        const uint8_t *header = r.at;
        uint64_t n = wire_get64(&r), bytes = 0;
        if (r.bad)
            return DISK_GUARD_SHORT;
        if (!n) {
            for (const uint8_t *p = start; p < r.end; p++)
                if (*p)
                    return DISK_GUARD_TORN;
            return DISK_GUARD_ZEROES;
        }
        if (n > DISK_GUARD_ENTRIES_MAX)
            return DISK_GUARD_TORN;
        for (uint64_t i = 0; i < n; i++) {
            wire_take(&r, 12);
            bytes += wire_get32(&r);
        }
        if (r.bad)
            return DISK_GUARD_SHORT;
        if (disk_guard_crc(header, (size_t)(r.at - header)) != crc_header)
            return DISK_GUARD_TORN;
        if (!disk_guard_types(header + 8, n))
            return DISK_GUARD_ALIEN;
        if (bytes > wire_left(&r))
            return DISK_GUARD_SHORT;
        const uint8_t *body = wire_take(&r, (size_t)bytes);
        if (disk_guard_crc(body, (size_t)bytes) != crc_data)
            return DISK_GUARD_TORN;
        *entries += n;
    }
    return DISK_GUARD_EXACT;
}

static int disk_guard_segment(const char *log_dir, const struct disk_guard_segment *seg, uint64_t *entries,
                              enum disk_guard_end *end, struct err_info *info)
{
    char path[560];
    struct stat st;
    *entries = 0;
    *end = DISK_GUARD_ZEROES;
    snprintf(path, sizeof path, "%s/%s", log_dir, seg->name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st)) {
        int err = errno;
        if (fd >= 0)
            close(fd);
        return err_set(info, err_from_errno(err), "dir", "cannot read %s: %s", path, strerror(err));
    }
    if (!st.st_size) {
        close(fd);
        return seg->open ? 0 : err_set(info, ERR_CORRUPT, "dir", "log segment %s is empty. " DISK_GUARD_ADVICE, path);
    }
    const uint8_t *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    int err = errno;
    close(fd);
    if (map == MAP_FAILED)
        return err_set(info, err_from_errno(err), "dir", "cannot read %s: %s", path, strerror(err));
    /* an open segment that was never written is all zeroes */
    bool unused = seg->open && st.st_size >= 8 && !wire_load(map, 8);
    if (unused) {
        for (off_t i = 0; i < st.st_size; i++)
            if (map[i])
                unused = false;
    }
    if (!unused)
        *end = disk_guard_batches(map, (size_t)st.st_size, entries);
    munmap((void *)(uintptr_t)map, (size_t)st.st_size);
    if (*end == DISK_GUARD_SHORT)
        return err_set(info, ERR_CORRUPT, "dir", "log segment %s is cut short. " DISK_GUARD_ADVICE, path);
    if (*end == DISK_GUARD_ALIEN || (!seg->open && *end != DISK_GUARD_EXACT))
        return err_set(info, ERR_CORRUPT, "dir", "log segment %s is damaged. " DISK_GUARD_ADVICE, path);
    if (!seg->open && *entries != seg->last - seg->first + 1)
        return err_set(info, ERR_CORRUPT, "dir",
                       "log segment %s has %llu entries, not as many as its name says. " DISK_GUARD_ADVICE, path,
                       (unsigned long long)*entries);
    return 0;
}

/* Closed segments must follow each other from the snapshot on; what lies behind the snapshot does not matter. */
static int disk_guard_closed(const char *log_dir, const struct disk_guard_dir *d, uint64_t *last, struct err_info *info)
{
    size_t n = 0, from = 0;
    while (n < d->n && !d->segments[n].open)
        n++;
    for (size_t i = 1; i < n; i++) {
        const struct disk_guard_segment *a = &d->segments[i - 1], *b = &d->segments[i];
        if (b->first == a->last + 1)
            continue;
        if (a->last > d->snapshot)
            return err_set(info, ERR_CORRUPT, "dir",
                           "log entries between %s and %s are missing in %s. " DISK_GUARD_ADVICE, a->name, b->name,
                           log_dir);
        from = i;
    }
    *last = d->snapshot;
    if (!n)
        return 0;
    if (d->segments[from].first > d->snapshot + 1)
        return err_set(info, ERR_CORRUPT, "dir", "log entries before %s are missing in %s. " DISK_GUARD_ADVICE,
                       d->segments[from].name, log_dir);
    for (size_t i = from; i < n; i++) {
        uint64_t entries;
        enum disk_guard_end end;
        int rc = disk_guard_segment(log_dir, &d->segments[i], &entries, &end, info);
        if (rc)
            return rc;
        *last = d->segments[i].last;
    }
    return 0;
}

static int disk_guard_open_ones(const char *log_dir, const struct disk_guard_dir *d, uint64_t *last,
                                struct err_info *info)
{
    const struct disk_guard_segment *torn = NULL;
    for (size_t i = 0; i < d->n; i++) {
        uint64_t entries;
        enum disk_guard_end end;
        if (!d->segments[i].open)
            continue;
        int rc = disk_guard_segment(log_dir, &d->segments[i], &entries, &end, info);
        if (rc)
            return rc;
        /* libraft would go on with the next segment and give its entries wrong indexes */
        if (entries && torn)
            return err_set(info, ERR_CORRUPT, "dir", "log segment %s/%s is damaged. " DISK_GUARD_ADVICE, log_dir,
                           torn->name);
        if (end == DISK_GUARD_TORN)
            torn = &d->segments[i];
        *last += entries;
    }
    return 0;
}

int disk_guard_read_log(const char *log_dir, struct disk_guard_log *out, struct err_info *info)
{
    struct disk_guard_dir d = {0};
    struct disk_guard_log log = {0};
    uint64_t version = 0;
    disk_guard_crc_fill();
    int rc = disk_guard_scan(log_dir, &d, info);
    if (!rc) {
        bool one = disk_guard_metadata(log_dir, "metadata1", &version, &log);
        bool two = disk_guard_metadata(log_dir, "metadata2", &version, &log);
        if (!one && !two && (d.n || d.snapshot))
            rc = err_set(info, ERR_CORRUPT, "dir",
                         "%s holds a log, but term and vote (metadata1, metadata2) are missing "
                         "or damaged. " DISK_GUARD_ADVICE,
                         log_dir);
    }
    if (!rc)
        rc = disk_guard_closed(log_dir, &d, &log.last, info);
    if (!rc)
        rc = disk_guard_open_ones(log_dir, &d, &log.last, info);
    /* killed between the installing of a snapshot and the dropping of the log that it replaces: libraft drops that now */
    if (log.last < d.snapshot)
        log.last = d.snapshot;
    free(d.segments);
    if (!rc)
        *out = log;
    return rc;
}
