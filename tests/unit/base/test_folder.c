/* Folders: made, and written down in the folder above. */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "tests/unit/suite.h"

static ino_t synced; /* what the last fsync was for */
static bool fsync_fails;

int fsync(int fd)
{
    struct stat st;
    ck_assert_int_eq(fstat(fd, &st), 0);
    synced = st.st_ino;
    return fsync_fails ? -1 : 0;
}

static ino_t inode(const char *path)
{
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    return st.st_ino;
}

static char top[64];

static void set_up(void)
{
    (void)snprintf(top, sizeof top, "/tmp/folder-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
    ck_assert_int_eq(chdir(top), 0);
    synced = 0;
    fsync_fails = false;
}

static void tear_down(void)
{
    (void)rmdir("one/two");
    ck_assert_int_eq(rmdir("one"), 0);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(top), 0);
}

START_TEST(made_in_the_folder_above)
{
    char path[128];
    struct stat st;
    ck_assert_int_eq(folder_make("one"), 0);
    ck_assert_uint_eq(synced, inode(top));
    ck_assert_int_eq(stat("one", &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0700);
    (void)snprintf(path, sizeof path, "%s/one//two/", top);
    ck_assert_int_eq(folder_make(path), 0);
    ck_assert_uint_eq(synced, inode("one"));
    /* there already, perhaps since just before a crash */
    synced = 0;
    ck_assert_int_eq(folder_make("one/two"), 0);
    ck_assert_uint_eq(synced, inode("one"));
    ck_assert_int_eq(folder_make("/"), 0);
    ck_assert_uint_eq(synced, inode("/"));
}
END_TEST

START_TEST(what_fails_is_told)
{
    char path[FOLDER_PATH_MAX + 1];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    ck_assert_int_eq(folder_make(path), ERR_TOOBIG);
    ck_assert_int_eq(folder_make("none/two"), ERR_NOTFOUND);
    ck_assert_int_eq(folder_sync("none"), ERR_NOTFOUND);
    fsync_fails = true;
    ck_assert_int_ne(folder_make("one"), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("folder");
    TCase *t = tcase_create("folder");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, made_in_the_folder_above);
    tcase_add_test(t, what_fails_is_told);
    suite_add_tcase(s, t);
    return run_suite(s);
}
