/* A data folder with any files: what disk_guard accepts libraft must load, with the same last entry. libraft has no defence of its
 * own (it crashes on some of these files and shifts the entries of others), so it is only ever shown what was accepted.
 *
 * An input is a row of files: u8 which, u16 length, bytes. `which`: the low 3 bits are the kind (see enum), the next 2 its
 * number; with the highest bit set formats and checksums are put right, so that what lies behind them is reached. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <raft.h>
#include <raft/uv.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

#include "raft/crc32c.h"
#include "raft/disk_guard_int.h"
#include "raft/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum file_kind { FILE_METADATA, FILE_OPEN, FILE_CLOSED, FILE_SNAPSHOT, FILE_SNAPSHOT_META, FILE_RECORD };

#define MEND 0x80u
#define RECORD_BYTES 4096u
#define FILES_MAX 16u

static char dir[64], log_dir[72];
static bool record_given;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void leave(void)
{
    (void)rmdir(log_dir);
    (void)rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    snprintf(dir, sizeof dir, "%s/everline-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    must(mkdtemp(dir) != NULL);
    snprintf(log_dir, sizeof log_dir, "%s/log", dir);
    must(mkdir(log_dir, 0700) == 0);
    must(atexit(leave) == 0);
    return 0;
}

/* ---- making the folder ---- */

static uint32_t crc_of(const uint8_t *p, size_t len)
{
    uint32_t c = 0;
    for (size_t i = 0; i < len; i++) {
        c ^= (uint32_t)p[i] << 24;
        for (int k = 0; k < 8; k++)
            c = c & 0x80000000u ? c << 1 ^ 0x04c11db7u : c << 1;
    }
    return c;
}

static void mend_segment(uint8_t *p, size_t len)
{
    struct wire_reader r;
    if (len < 8)
        return;
    wire_store(p, 1, 8);
    wire_reader_init(&r, p, len);
    wire_take(&r, 8);
    while (wire_left(&r) >= 16) {
        uint8_t *sums = p + (len - wire_left(&r));
        wire_take(&r, 8);
        const uint8_t *header = r.at;
        uint64_t n = wire_get64(&r), bytes = 0;
        for (uint64_t i = 0; i < n && !r.bad; i++) {
            wire_take(&r, 12);
            bytes += wire_get32(&r);
        }
        if (!n || r.bad || bytes > wire_left(&r))
            return;
        wire_put32(sums, crc_of(header, (size_t)(r.at - header)));
        const uint8_t *body = wire_take(&r, (size_t)bytes);
        wire_put32(sums + 4, crc_of(body, (size_t)bytes));
    }
}

static void write_file(const char *folder, const char *name, const uint8_t *data, size_t len, size_t padded)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0);
    must(!len || write(fd, data, len) == (ssize_t)len);
    must(!padded || ftruncate(fd, (off_t)padded) == 0);
    close(fd);
}

static void one_file(uint8_t which, uint8_t *p, size_t len)
{
    char name[80];
    unsigned number = which >> 3 & 3;
    bool mend = which & MEND;
    switch (which & 7) {
    case FILE_METADATA:
        if (mend && len >= 8)
            wire_store(p, 1, 8);
        write_file(log_dir, number & 1 ? "metadata1" : "metadata2", p, len, mend ? 32 : 0);
        break;
    case FILE_OPEN:
    case FILE_CLOSED:
        if (len < 2)
            return;
        if (mend)
            mend_segment(p + 2, len - 2);
        if ((which & 7) == FILE_OPEN)
            snprintf(name, sizeof name, "open-%u", number + 1);
        else
            snprintf(name, sizeof name, "%016u-%016u", p[0], p[1]);
        write_file(log_dir, name, p + 2, len - 2, 0);
        break;
    case FILE_SNAPSHOT:
    case FILE_SNAPSHOT_META:
        if (len < 2)
            return;
        snprintf(name, sizeof name, "snapshot-%u-%u-%u%s", p[0], p[1], number,
                 (which & 7) == FILE_SNAPSHOT ? "" : ".meta");
        write_file(log_dir, name, p + 2, len - 2, 0);
        break;
    case FILE_RECORD:
        for (size_t at = 0; mend && at + 48 <= len && at <= 2048; at += 2048) {
            wire_put32(p + at, 0x31475645u);
            wire_put32(p + at + 4, crc32c(0, p + at + 8, 40));
        }
        write_file(dir, "record", p, len, mend ? RECORD_BYTES : 0);
        record_given = true;
        break;
    default:
        break;
    }
}

static void empty_folder(const char *folder)
{
    DIR *d = opendir(folder);
    must(d != NULL);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_type != DT_DIR)
            (void)unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
}

/* ---- libraft ---- */

/* libraft tries out asynchronous I/O whenever it opens a folder, and giving its context back takes the kernel 30 ms. Told that there
 * is none it goes without, which makes no difference to loading and inputs a hundred times as many. */
long syscall(long number, ...)
{
    static long (*real)(long, ...);
    long a[6];
    va_list ap;
    va_start(ap, number);
    for (unsigned i = 0; i < 6; i++)
        a[i] = va_arg(ap, long);
    va_end(ap);
    if (number == SYS_io_setup || number == SYS_io_destroy)
        return 0;
    if (number == SYS_io_submit) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if (!real) {
        void *found = dlsym(RTLD_NEXT, "syscall");
        memcpy(&real, &found, sizeof real);
    }
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static int transport_init(struct raft_uv_transport *t, raft_id id, const char *address)
{
    (void)t;
    (void)id;
    (void)address;
    return 0;
}

static void transport_close(struct raft_uv_transport *t, raft_uv_transport_close_cb cb)
{
    cb(t);
}

static void io_closed(struct raft_io *io)
{
    (void)io;
}

static void free_loaded(struct raft_snapshot *snapshot, struct raft_entry *entries, size_t n)
{
    void *batch = NULL;
    for (size_t i = 0; i < n; i++) {
        if (entries[i].batch != batch)
            raft_free(entries[i].batch);
        batch = entries[i].batch;
    }
    raft_free(entries);
    if (!snapshot)
        return;
    raft_configuration_close(&snapshot->configuration);
    for (unsigned i = 0; i < snapshot->n_bufs; i++)
        raft_free(snapshot->bufs[i].base);
    raft_free(snapshot->bufs);
    raft_free(snapshot);
}

static void hold_against_libraft(const struct disk_guard_log *seen)
{
    struct raft_uv_transport t = {.version = 1, .init = transport_init, .close = transport_close};
    struct raft_io io = {0};
    uv_loop_t loop;
    raft_term term;
    raft_id vote;
    struct raft_snapshot *snapshot = NULL;
    raft_index start = 0;
    struct raft_entry *entries = NULL;
    size_t n = 0;
    must(uv_loop_init(&loop) == 0);
    must(raft_uv_init(&io, &loop, log_dir, &t) == 0);
    raft_uv_set_auto_recovery(&io, false);
    int rc = io.init(&io, 1, "1");
    /* that libraft refuses a folder is well: it says so, and the node does not start */
    if (!rc && io.load(&io, &term, &vote, &snapshot, &start, &entries, &n) == 0) {
        uint64_t last = n ? start + n - 1 : snapshot ? snapshot->index : 0;
        if (last != seen->last)
            fprintf(stderr, "accepted up to entry %llu, but libraft loads up to %llu\n", (unsigned long long)seen->last,
                    (unsigned long long)last);
        must(last == seen->last && term == seen->term && vote == seen->vote);
        free_loaded(snapshot, entries, n);
    }
    io.close(&io, io_closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    raft_uv_close(&io);
    must(uv_loop_close(&loop) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_reader r;
    struct err_info info = {0};
    struct disk_guard_log log = {0};
    struct disk_guard *guard;
    record_given = false;
    wire_reader_init(&r, data, size);
    for (unsigned i = 0; i < FILES_MAX && wire_left(&r) >= 3; i++) {
        uint8_t which = wire_get8(&r);
        size_t len = wire_get16(&r);
        if (len > wire_left(&r))
            len = wire_left(&r);
        uint8_t *copy = malloc(len + 1);
        if (!copy)
            break;
        memcpy(copy, wire_take(&r, len), len);
        one_file(which, copy, len);
        free(copy);
    }
    bool good = disk_guard_read_log(log_dir, &log, &info) == 0;
    must(good || info.text[0]);
    if (record_given && disk_guard_open(dir, log_dir, &guard, &info) == 0) {
        must(good);
        disk_guard_last(guard, log.last + 1);
        disk_guard_close(guard);
    }
    if (good)
        hold_against_libraft(&log);
    empty_folder(log_dir);
    empty_folder(dir);
    return 0;
}
