/* The database: open and check, images, digests, readers, damage. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/core/core_fixture.h"
#include "tests/unit/storage/done.h"
#include "tests/unit/suite.h"

static struct fx f;

static void up(void)
{
    fx_open(&f);
    fx_demo(&f, 3);
}

static void down(void)
{
    fx_close(&f);
}

static void path_in(char out[256], const char *name)
{
    (void)snprintf(out, 256, "%s/%s", f.dir, name);
}

static void take_image(struct done *d)
{
    done_init(d);
    ck_assert_int_eq(storage_image_begin(f.st, f.dir, on_image, d), 0);
}

START_TEST(test_clean_mark)
{
    char mark[256];
    path_in(mark, "state.clean");
    ck_assert_int_ne(access(mark, F_OK), 0); /* while it is open a stop is not orderly */
    core_close(f.c);
    storage_close(f.st);
    ck_assert_int_eq(access(mark, F_OK), 0);
    f.c = NULL;
    uint64_t index = f.index;
    fx_reopen(&f);
    ck_assert_int_ne(access(mark, F_OK), 0);
    ck_assert_uint_eq(f.index, index);
    ck_assert_ptr_nonnull(core_extension(f.c, "8001"));
}
END_TEST

/* Every command adds to the write-ahead log; the database itself grows only when that is moved into it. */
START_TEST(test_bytes_include_the_write_ahead_log)
{
    struct stat db, wal;
    char path[256];
    uint64_t before = storage_bytes(f.st);
    for (unsigned i = 0; i < 50; i++)
        ck_assert_int_eq(fx_tick(&f), 0);
    path_in(path, "state.db");
    ck_assert_int_eq(stat(path, &db), 0);
    path_in(path, "state.db-wal");
    ck_assert_int_eq(stat(path, &wal), 0);
    ck_assert_int_gt(wal.st_size, 0);
    ck_assert_uint_gt(storage_bytes(f.st), before);
    ck_assert_uint_eq(storage_bytes(f.st), (uint64_t)(db.st_size + wal.st_size));
}
END_TEST

START_TEST(test_digest_names_the_table)
{
    struct storage_digest a, b;
    ck_assert_int_eq(storage_digest_now(f.st, &a), 0);
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_int_eq(storage_digest_now(f.st, &b), 0);
    ck_assert_uint_eq(b.index, a.index + 1);
    ck_assert_uint_eq(a.n, b.n);
    ck_assert_uint_gt(a.n, 8);
    for (unsigned i = 0; i < a.n; i++) {
        bool same = memcmp(a.tables[i].sha256, b.tables[i].sha256, 32) == 0;
        ck_assert_msg(same == (strcmp(a.tables[i].table, "applied") != 0), "%s", a.tables[i].table);
    }
    struct done d;
    done_init(&d);
    ck_assert_int_eq(storage_digest_begin(f.st, on_digest, &d), 0);
    ck_assert_int_eq(fx_tick(&f), 0); /* pinned before this */
    wait_for(&d);
    ck_assert_uint_eq(d.digest.index, b.index);
    ck_assert_mem_eq(d.digest.sha256, b.sha256, 32);
}
END_TEST

START_TEST(test_image_and_install)
{
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10003", true), 0);
    ck_assert_int_eq(fx_start(&f, 2, "13800", "10003", true), 0);
    char was[65], now[65];
    fx_digest(&f, was);
    uint64_t index = f.index;
    struct done d;
    take_image(&d);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0); /* while it is being written */
    wait_for(&d);
    ck_assert_uint_eq(d.image.index, index);
    struct stat st;
    ck_assert_int_eq(stat(d.image.path, &st), 0);
    ck_assert_uint_eq((uint64_t)st.st_size, d.image.bytes);

    struct fx g;
    fx_open(&g); /* another node, with a history of its own and a reader at it */
    fx_demo(&g, 1);
    struct storage_reader *r;
    struct err_info info = {0};
    ck_assert_int_eq(storage_reader_open(g.st, &r, &info), 0);
    uint64_t seen;
    ck_assert_int_eq(storage_reader_begin(r, &seen), 0);
    storage_reader_end(r);
    ck_assert_uint_eq(seen, g.index);
    int err = storage_install(g.st, d.image.path, &info);
    ck_assert_msg(err == 0, "%s", info.text);
    ck_assert_int_eq(core_reload(g.c, &info), 0);
    ck_assert_uint_eq(core_applied_index(g.c), index);
    fx_digest(&g, now);
    ck_assert_str_eq(was, now);
    ck_assert_int_eq(storage_reader_begin(r, &seen), 0); /* looks at the new file by itself */
    storage_reader_end(r);
    ck_assert_uint_eq(seen, index);
    g.index = index;
    g.seq = f.seq - 1;
    ck_assert_int_eq(fx_end(&g, 1, "caller"), 0); /* goes on like the first */
    fx_digest(&f, was);
    fx_digest(&g, now);
    ck_assert_str_eq(was, now);
    storage_reader_close(r);
    fx_reopen(&g);
    fx_digest(&g, now);
    ck_assert_str_eq(was, now);
    fx_close(&g);
}
END_TEST

START_TEST(test_install_while_a_digest_is_computed)
{
    struct done image, digest;
    struct err_info info = {0};
    take_image(&image);
    wait_for(&image);
    ck_assert_int_eq(fx_tick(&f), 0);
    done_init(&digest);
    ck_assert_int_eq(storage_digest_begin(f.st, on_digest, &digest), 0);
    int err = storage_install(f.st, image.image.path, &info);
    ck_assert_msg(err == 0, "%s", info.text);
    wait_for(&digest);
    ck_assert_int_eq(digest.status, 0);
    ck_assert_uint_eq(digest.digest.index, image.image.index + 1); /* of the state that it pinned */
    ck_assert_int_eq(core_reload(f.c, &info), 0);
    ck_assert_uint_eq(core_applied_index(f.c), image.image.index);
}
END_TEST

static void damage(const char *path, off_t at)
{
    int fd = open(path, O_WRONLY);
    ck_assert_int_ge(fd, 0);
    char junk[512];
    memset(junk, 0xa5, sizeof junk);
    ck_assert_int_eq(pwrite(fd, junk, sizeof junk, at), (ssize_t)sizeof junk);
    (void)close(fd);
}

START_TEST(test_damaged_image_is_refused)
{
    struct done d;
    take_image(&d);
    wait_for(&d);
    char was[65], now[65];
    fx_digest(&f, was);
    struct err_info info = {0};
    damage(d.image.path, _i == 0 ? 0 : 4096 * 5);
    ck_assert_int_eq(storage_install(f.st, d.image.path, &info), ERR_CORRUPT);
    ck_assert_int_eq(storage_install(f.st, "/nonexistent/image.db", &info), ERR_NOTFOUND);
    fx_digest(&f, now);
    ck_assert_str_eq(was, now);
    ck_assert_int_eq(fx_tick(&f), 0);
}
END_TEST

START_TEST(test_interrupted_install_is_finished)
{
    struct done d;
    take_image(&d);
    wait_for(&d);
    char was[65], now[65], new_path[256];
    fx_digest(&f, was);
    ck_assert_int_eq(fx_tick(&f), 0);
    core_close(f.c);
    storage_close(f.st);
    f.c = NULL;
    path_in(new_path, "state.db.new");
    ck_assert_int_eq(rename(d.image.path, new_path), 0); /* killed after the decision, before the swap */
    fx_reopen(&f);
    ck_assert_uint_eq(f.index, d.image.index);
    fx_digest(&f, now);
    ck_assert_str_eq(was, now);
    ck_assert_int_ne(access(new_path, F_OK), 0);
}
END_TEST

static off_t wal_size(void)
{
    char path[256];
    struct stat sb;
    path_in(path, "state.db-wal");
    ck_assert_int_eq(stat(path, &sb), 0);
    return sb.st_size;
}

static uint64_t seen_by(struct storage_reader *r)
{
    uint64_t index = 0;
    ck_assert_int_eq(storage_reader_begin(r, &index), 0);
    storage_reader_end(r);
    return index;
}

static void *read_elsewhere(void *arg)
{
    static uint64_t index;
    index = seen_by(arg);
    return &index;
}

START_TEST(test_entries_share_a_commit_until_somebody_looks)
{
    struct err_info info = {0};
    struct storage_reader *r = NULL;
    struct storage_digest d;
    ck_assert_int_eq(storage_reader_open(f.st, &r, &info), 0);
    ck_assert_uint_eq(seen_by(r), f.index);
    off_t size = wal_size();
    storage_set_grouping(f.st, true);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_uint_eq(storage_applied_index(f.st), f.index);
    ck_assert_int_eq(wal_size(), size);
    pthread_t t;
    void *index;
    ck_assert_int_eq(pthread_create(&t, NULL, read_elsewhere, r), 0);
    ck_assert_int_eq(pthread_join(t, &index), 0);
    ck_assert_uint_eq(*(uint64_t *)index, f.index);
    ck_assert_int_gt(wal_size(), size);

    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_int_eq(storage_digest_now(f.st, &d), 0);
    ck_assert_uint_eq(d.index, f.index);

    size = wal_size();
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_int_gt(wal_size(), size); /* a group has an end */
    size = wal_size();
    ck_assert_int_eq(storage_flush(f.st), 0);
    ck_assert_int_gt(wal_size(), size);
    storage_reader_close(r);
}
END_TEST

START_TEST(test_a_failed_group_ends_it_all)
{
    const struct storage_val nothing[9] = {{.type = STORAGE_NULL}};
    uint64_t before = f.index;
    storage_set_grouping(f.st, true);
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_int_eq(storage_begin(f.st), 0);
    storage_run(f.st, STORAGE_CALL_PUT, nothing, 9);
    ck_assert_int_eq(storage_commit(f.st, f.index + 1), ERR_CORRUPT);
    /* the entry before it was taken for done and is gone: nothing may follow */
    ck_assert_int_eq(storage_begin(f.st), ERR_CORRUPT);
    ck_assert_int_eq(storage_flush(f.st), ERR_CORRUPT);
    fx_reopen(&f);
    ck_assert_uint_eq(f.index, before);
}
END_TEST

START_TEST(test_damaged_database_is_refused_and_discarded)
{
    core_close(f.c);
    storage_close(f.st);
    char path[256];
    path_in(path, "state.clean");
    ck_assert_int_eq(unlink(path), 0); /* as after a crash */
    path_in(path, "state.db");
    if (_i == 0)
        damage(path, 0);
    else if (_i == 1)
        damage(path, 4096 * 5);
    else
        ck_assert_int_eq(truncate(path, 60), 0);
    struct err_info info = {0};
    struct storage *st = NULL;
    ck_assert_int_eq(storage_open(f.dir, &st, &info), ERR_CORRUPT);
    ck_assert_str_ne(info.text, "");
    ck_assert_int_eq(storage_discard(f.dir, &info), 0);
    f.c = NULL;
    fx_reopen(&f);
    ck_assert_uint_eq(f.index, 0);
}
END_TEST

START_TEST(test_foreign_and_newer_databases)
{
    core_close(f.c);
    storage_close(f.st);
    f.c = NULL;
    char path[256];
    path_in(path, "state.db");
    unsigned char version[4] = {0, 0, 0, 99}; /* header bytes 60-63: user version */
    int fd = open(path, O_WRONLY);
    ck_assert_int_eq(pwrite(fd, version, 4, 60), 4);
    (void)close(fd);
    struct err_info info = {0};
    struct storage *st = NULL;
    ck_assert_int_eq(storage_open(f.dir, &st, &info), ERR_UNSUPPORTED);
    unsigned char app[4] = {1, 2, 3, 4}; /* 68-71: application id */
    fd = open(path, O_WRONLY);
    ck_assert_int_eq(pwrite(fd, app, 4, 68), 4);
    (void)close(fd);
    ck_assert_int_eq(storage_open(f.dir, &st, &info), ERR_CORRUPT);
    ck_assert_int_eq(storage_discard(f.dir, &info), 0);
    fx_reopen(&f);
}
END_TEST

START_TEST(test_reader_sees_one_index)
{
    struct storage_reader *r;
    struct err_info info = {0};
    uint64_t a, b;
    ck_assert_int_eq(storage_reader_open(f.st, &r, &info), 0);
    ck_assert_int_eq(storage_reader_begin(r, &a), 0);
    ck_assert_uint_eq(a, f.index);
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_int_eq(storage_reader_begin(r, &b), ERR_BADSTATE);
    storage_reader_end(r);
    ck_assert_int_eq(storage_reader_begin(r, &b), 0);
    ck_assert_uint_eq(b, a + 1);
    storage_reader_end(r);
    storage_reader_close(r);
}
END_TEST

START_TEST(test_reader_outlives_the_storage)
{
    struct storage_reader *r;
    struct err_info info = {0};
    ck_assert_int_eq(storage_reader_open(f.st, &r, &info), 0);
    core_close(f.c);
    storage_close(f.st);
    ck_assert_int_eq(storage_reader_begin(r, NULL), ERR_CLOSED);
    storage_reader_close(r);
    f.c = NULL;
    fx_reopen(&f);
}
END_TEST

START_TEST(test_one_image_at_a_time)
{
    struct done d, e;
    take_image(&d);
    done_init(&e);
    int err = storage_image_begin(f.st, f.dir, on_image, &e);
    ck_assert(err == ERR_BUSY || err == 0); /* the first may be done by now */
    wait_for(&d);
    if (!err)
        wait_for(&e);
    take_image(&d);
    wait_for(&d);
    done_init(&d);
    ck_assert_int_eq(storage_image_begin(f.st, "/nonexistent", on_image, &d), 0);
    wait_for_any(&d);
    ck_assert_int_ne(d.status, 0);
}
END_TEST

/* What cannot begin is not under way: later ones are told what is wrong, not that it is busy, and begin once it is not. */
START_TEST(test_what_cannot_begin_takes_no_turn)
{
    struct done d;
    done_init(&d);
    storage_set_grouping(f.st, true);
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_int_eq(storage_begin(f.st), 0);
    storage_rollback(f.st); /* takes the entry before it along: the storage gives nothing more */
    for (unsigned i = 0; i <= STORAGE_DIGEST_JOBS_MAX; i++) {
        ck_assert_int_eq(storage_image_begin(f.st, f.dir, on_image, &d), ERR_BADSTATE);
        ck_assert_int_eq(storage_digest_begin(f.st, on_digest, &d), ERR_BADSTATE);
    }
    fx_reopen(&f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("storage");
    TCase *t = tcase_create("database");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, test_clean_mark);
    tcase_add_test(t, test_bytes_include_the_write_ahead_log);
    tcase_add_test(t, test_digest_names_the_table);
    tcase_add_test(t, test_image_and_install);
    tcase_add_test(t, test_install_while_a_digest_is_computed);
    tcase_add_loop_test(t, test_damaged_image_is_refused, 0, 2);
    tcase_add_test(t, test_interrupted_install_is_finished);
    tcase_add_loop_test(t, test_damaged_database_is_refused_and_discarded, 0, 3);
    tcase_add_test(t, test_foreign_and_newer_databases);
    tcase_add_test(t, test_reader_sees_one_index);
    tcase_add_test(t, test_entries_share_a_commit_until_somebody_looks);
    tcase_add_test(t, test_a_failed_group_ends_it_all);
    tcase_add_test(t, test_reader_outlives_the_storage);
    tcase_add_test(t, test_one_image_at_a_time);
    tcase_add_test(t, test_what_cannot_begin_takes_no_turn);
    suite_add_tcase(s, t);
    return run_suite(s);
}
