/* A disk that is full or broken: the transaction is refused with the reason, nothing of it is kept, and work goes on once there
 * is room. SQLite's own calls of write() are answered by us (its documented hook for tests); what storage writes itself is
 * stopped by a limit on the size of files. */
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "tests/unit/core/core_fixture.h"
#include "tests/unit/storage/done.h"
#include "tests/unit/suite.h"

static struct fx f;

/* ---- faults */

static _Atomic int fault;      /* errno of every write, 0: they work */
static _Atomic unsigned left;  /* writes that still work */
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);

static bool fails(void)
{
    if (!fault)
        return false;
    if (left > 0) {
        left--;
        return false;
    }
    errno = fault;
    return true;
}

static ssize_t faulty_write(int fd, const void *p, size_t n)
{
    return fails() ? -1 : real_write(fd, p, n);
}

static ssize_t faulty_pwrite(int fd, const void *p, size_t n, off_t at)
{
    return fails() ? -1 : real_pwrite(fd, p, n, at);
}

static void hook(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    ck_assert(vfs != NULL && vfs->iVersion >= 3);
    sqlite3_syscall_ptr w = vfs->xGetSystemCall(vfs, "write"), p = vfs->xGetSystemCall(vfs, "pwrite");
    real_write = w ? (ssize_t(*)(int, const void *, size_t))w : write;
    real_pwrite = p ? (ssize_t(*)(int, const void *, size_t, off_t))p : pwrite;
    /* Which of them is used was decided when SQLite was built. */
    (void)vfs->xSetSystemCall(vfs, "write", (sqlite3_syscall_ptr)faulty_write);
    (void)vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)faulty_pwrite);
    (void)vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)faulty_pwrite);
}

static void break_disk(int number, unsigned after)
{
    left = after;
    fault = number;
}

static void up(void)
{
    hook();
    fx_open(&f);
    fx_demo(&f, 3);
}

static void down(void)
{
    fault = 0;
    fx_close(&f);
}

static const struct {
    int number, code;
} faults[] = {{ENOSPC, ERR_NOSPACE}, {EIO, ERR_IO}};

/* One entry with an event, as core writes it. */
static int write_entry(uint64_t index, const char *text, size_t len, unsigned rows)
{
    ck_assert_int_eq(storage_begin(f.st), 0);
    for (unsigned i = 0; i < rows; i++) {
        const struct storage_val v[] = {storage_int(index + i), storage_int(1), storage_text_n(text, len)};
        storage_run(f.st, STORAGE_EVENT_PUT, v, 3);
    }
    return storage_commit(f.st, index);
}

/* ---- tests */

START_TEST(test_a_commit_is_refused_and_undone)
{
    char was[65], now[65];
    fx_digest(&f, was);
    uint64_t index = storage_applied_index(f.st);
    for (unsigned after = 0; after < 3; after++) { /* at the first write, or in the middle of the pages */
        break_disk(faults[_i].number, after);
        int code = write_entry(index + 1000, "[]", 2, 1);
        fault = 0;
        if (code == 0) {
            ck_assert_uint_gt(after, 0); /* it took no more writes than were left */
            break;
        }
        ck_assert_int_eq(code, faults[_i].code);
        ck_assert_uint_eq(storage_applied_index(f.st), index);
        fx_digest(&f, now);
        ck_assert_str_eq(was, now);
        fx_reopen(&f); /* and on the disk */
        ck_assert_uint_eq(storage_applied_index(f.st), index);
        fx_digest(&f, now);
        ck_assert_str_eq(was, now);
    }
    ck_assert_int_eq(write_entry(index + 2000, "[]", 2, 1), 0);
}
END_TEST

/* More than the page cache holds is written before the commit: the first error stays the answer. */
START_TEST(test_a_large_transaction_is_refused_and_undone)
{
    char was[65], now[65];
    size_t len = 1u << 20;
    char *text = malloc(len);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', len);
    fx_digest(&f, was);
    uint64_t index = storage_applied_index(f.st);
    break_disk(faults[_i].number, 0);
    ck_assert_int_eq(write_entry(index + 1, text, len, 40), faults[_i].code);
    fault = 0;
    free(text);
    ck_assert_uint_eq(storage_applied_index(f.st), index);
    fx_digest(&f, now);
    ck_assert_str_eq(was, now);
    ck_assert_int_eq(fx_tick(&f), 0);
}
END_TEST

START_TEST(test_apply_says_so_and_readers_go_on)
{
    Ev__Command m = EV__COMMAND__INIT;
    Ev__Tick tick = EV__TICK__INIT;
    m.body_case = EV__COMMAND__BODY_TICK;
    m.tick = &tick;
    void *data;
    size_t len;
    ck_assert_int_eq(core_pack(&m, &data, &len), 0);
    struct core_item it = {1, 1, ++f.seq, data, len};
    struct core_answer *a;
    uint64_t index = storage_applied_index(f.st), seen;
    break_disk(faults[_i].number, 0);
    ck_assert_int_eq(core_apply(f.c, f.index + 1, 1, &it, 1, &a), faults[_i].code);
    free(data);
    struct storage_reader *r;
    struct err_info info = {0};
    ck_assert_int_eq(storage_reader_open(f.st, &r, &info), 0);
    ck_assert_int_eq(storage_reader_begin(r, &seen), 0);
    ck_assert_uint_eq(seen, index);
    storage_reader_end(r);
    storage_reader_close(r);
    fault = 0;
    fx_reopen(&f); /* as the node's next process does */
    f.seq--;
    ck_assert_uint_eq(f.index, index);
    ck_assert_int_eq(fx_tick(&f), 0);
}
END_TEST

static unsigned files_with(const char *part)
{
    DIR *d = opendir(f.dir);
    unsigned n = 0;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        n += strstr(e->d_name, part) != NULL;
    if (d)
        (void)closedir(d);
    return n;
}

START_TEST(test_an_image_that_finds_no_room)
{
    struct done d;
    done_init(&d);
    break_disk(faults[_i].number, 2);
    ck_assert_int_eq(storage_image_begin(f.st, f.dir, on_image, &d), 0);
    wait_for_any(&d);
    ck_assert_int_eq(d.status, faults[_i].code);
    fault = 0;
    ck_assert_uint_eq(files_with("image-"), 0); /* nothing half made is left */
    done_init(&d);
    ck_assert_int_eq(storage_image_begin(f.st, f.dir, on_image, &d), 0);
    wait_for(&d);
    ck_assert_uint_eq(files_with("image-"), 1);
}
END_TEST

START_TEST(test_an_installation_that_finds_no_room)
{
    struct done d;
    char was[65], now[65];
    struct err_info info = {0};
    done_init(&d);
    ck_assert_int_eq(storage_image_begin(f.st, f.dir, on_image, &d), 0);
    wait_for(&d);
    ck_assert_int_eq(fx_tick(&f), 0);
    fx_digest(&f, was);
    struct rlimit all, little;
    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &all), 0);
    little = all;
    little.rlim_cur = 8192;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &little), 0);
    int code = storage_install(f.st, d.image.path, &info);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &all), 0);
    ck_assert_int_ne(code, 0);
    ck_assert_str_ne(info.text, "");
    ck_assert_uint_eq(files_with(".part"), 0);
    ck_assert_uint_eq(files_with(".new"), 0);
    fx_digest(&f, now);
    ck_assert_str_eq(was, now);
    ck_assert_int_eq(fx_tick(&f), 0);
    int err = storage_install(f.st, d.image.path, &info);
    ck_assert_msg(err == 0, "%s", info.text);
    ck_assert_int_eq(core_reload(f.c, &info), 0);
    ck_assert_uint_eq(core_applied_index(f.c), d.image.index);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("storage faults");
    TCase *t = tcase_create("faults");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_loop_test(t, test_a_commit_is_refused_and_undone, 0, 2);
    tcase_add_loop_test(t, test_a_large_transaction_is_refused_and_undone, 0, 2);
    tcase_add_loop_test(t, test_apply_says_so_and_readers_go_on, 0, 2);
    tcase_add_loop_test(t, test_an_image_that_finds_no_room, 0, 2);
    tcase_add_test(t, test_an_installation_that_finds_no_room);
    suite_add_tcase(s, t);
    return run_suite(s);
}
