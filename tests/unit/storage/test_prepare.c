/* Images made ready ahead of their installation. */
#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/core/core_fixture.h"
#include "tests/unit/storage/done.h"
#include "tests/unit/suite.h"

static struct fx f;
static struct done d;
static char at_image[65];

/* A state, its image, and one entry more. */
static void up(void)
{
    fx_open(&f);
    fx_demo(&f, 3);
    fx_digest(&f, at_image);
    done_init(&d);
    ck_assert_int_eq(storage_image_begin(f.st, f.dir, on_image, &d), 0);
    wait_for(&d);
    ck_assert_int_eq(fx_tick(&f), 0);
}

static void down(void)
{
    fx_close(&f);
}

static bool there(const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", f.dir, name);
    return access(path, F_OK) == 0;
}

static void *prepare(void *arg)
{
    static int code;
    struct err_info info = {0};
    code = storage_image_prepare(f.st, arg, &info);
    return &code;
}

static int prepare_elsewhere(char *path)
{
    pthread_t t;
    void *code;
    ck_assert_int_eq(pthread_create(&t, NULL, prepare, path), 0);
    ck_assert_int_eq(pthread_join(t, &code), 0);
    return *(int *)code;
}

/* Damages the image; with `hide` so that it looks like the same file. */
static void damage(bool hide)
{
    struct stat st;
    char zeros[4096] = "";
    ck_assert_int_eq(stat(d.image.path, &st), 0);
    int fd = open(d.image.path, O_WRONLY);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq((int)pwrite(fd, zeros, sizeof zeros, 0), (int)sizeof zeros);
    const struct timespec times[2] = {
        st.st_atim, {.tv_sec = hide ? st.st_mtim.tv_sec : st.st_mtim.tv_sec + 1, .tv_nsec = st.st_mtim.tv_nsec}};
    ck_assert_int_eq(futimens(fd, times), 0);
    (void)close(fd);
}

static void installed(void)
{
    char now[65];
    struct err_info info = {0};
    int err = storage_install(f.st, d.image.path, &info);
    ck_assert_msg(err == 0, "%s", info.text);
    ck_assert_int_eq(core_reload(f.c, &info), 0);
    ck_assert_uint_eq(core_applied_index(f.c), d.image.index);
    fx_digest(&f, now);
    ck_assert_str_eq(now, at_image);
}

START_TEST(test_what_was_prepared_is_installed)
{
    char before[65], now[65];
    fx_digest(&f, before);
    ck_assert_int_eq(prepare_elsewhere(d.image.path), 0);
    ck_assert(there("state.db.ready"));
    fx_digest(&f, now);
    ck_assert_str_eq(before, now); /* nothing has changed yet */
    ck_assert_int_eq(fx_tick(&f), 0);
    damage(true); /* so that only the copy can be what is installed */
    installed();
    ck_assert(!there("state.db.ready") && !there("state.db.new"));
    /* it is used once */
    struct err_info info = {0};
    ck_assert_int_eq(storage_install(f.st, d.image.path, &info), ERR_CORRUPT);
    fx_digest(&f, now);
    ck_assert_str_eq(now, at_image);
}
END_TEST

START_TEST(test_another_file_is_not_taken_for_it)
{
    struct err_info info = {0};
    char before[65], now[65];
    fx_digest(&f, before);
    ck_assert_int_eq(prepare_elsewhere(d.image.path), 0);
    damage(false);
    ck_assert_int_eq(storage_install(f.st, d.image.path, &info), ERR_CORRUPT);
    ck_assert(!there("state.db.ready"));
    fx_digest(&f, now);
    ck_assert_str_eq(before, now);
    ck_assert_int_eq(fx_tick(&f), 0);
}
END_TEST

START_TEST(test_the_latest_counts)
{
    struct done e;
    done_init(&e);
    ck_assert_int_eq(storage_image_begin(f.st, f.dir, on_image, &e), 0);
    wait_for(&e);
    ck_assert_int_eq(prepare_elsewhere(e.image.path), 0);
    ck_assert_int_eq(prepare_elsewhere(d.image.path), 0);
    damage(true);
    installed();
}
END_TEST

START_TEST(test_a_bad_image_is_not_prepared)
{
    char nowhere[] = "/nonexistent/image.db";
    ck_assert_int_eq(prepare_elsewhere(d.image.path), 0);
    ck_assert_int_eq(prepare_elsewhere(nowhere), ERR_NOTFOUND);
    ck_assert(!there("state.db.ready")); /* what was there before is not trusted either */
    installed();
    damage(false);
    ck_assert_int_eq(prepare_elsewhere(d.image.path), ERR_CORRUPT);
    ck_assert(!there("state.db.ready"));
}
END_TEST

START_TEST(test_the_next_process_forgets_it)
{
    char before[65], now[65];
    fx_digest(&f, before);
    ck_assert_int_eq(prepare_elsewhere(d.image.path), 0);
    fx_reopen(&f);
    ck_assert(!there("state.db.ready"));
    fx_digest(&f, now);
    ck_assert_str_eq(before, now);
    installed();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("storage prepare");
    TCase *t = tcase_create("prepare");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, test_what_was_prepared_is_installed);
    tcase_add_test(t, test_another_file_is_not_taken_for_it);
    tcase_add_test(t, test_the_latest_counts);
    tcase_add_test(t, test_a_bad_image_is_not_prepared);
    tcase_add_test(t, test_the_next_process_forgets_it);
    suite_add_tcase(s, t);
    return run_suite(s);
}
