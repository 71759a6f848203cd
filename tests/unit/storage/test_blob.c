/* Content-addressed files: what a name promises, and what is done about files that break it. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/blob.h"
#include "tests/folder.h"
#include "tests/unit/suite.h"

/* FIPS 180-4: SHA-256 of "abc" and of nothing else. */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define NOBODY "aa7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static char dir[128];
static struct blobs *b;
static struct err_info info;

static void open_again(void)
{
    ck_assert_msg(blobs_open(dir, &b, &info) == 0, "%s", info.text);
}

static void up(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/everline-blob-XXXXXX", base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    open_again();
}

static void down(void)
{
    blobs_close(b);
    folder_remove(dir);
}

static void path_of(const char *name, char out[256])
{
    snprintf(out, 256, "%s/%s", dir, name);
}

static unsigned parts(void)
{
    unsigned n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; (e = readdir(d));)
        n += strncmp(e->d_name, ".part", 5) == 0;
    closedir(d);
    return n;
}

START_TEST(a_blob_is_named_by_its_bytes)
{
    char name[BLOB_NAME_MAX];
    void *data = NULL;
    size_t len = 0;
    uint64_t bytes = 0;
    ck_assert_int_eq(blobs_put(b, "abc", 3, name, &info), 0);
    ck_assert_str_eq(name, ABC);
    ck_assert_uint_eq(blobs_bytes(b), 3);
    ck_assert_int_eq(blobs_put(b, "abc", 3, name, &info), 0);
    ck_assert_uint_eq(blobs_bytes(b), 3); /* once */
    ck_assert_int_eq(blobs_get(b, ABC, &data, &len), 0);
    ck_assert_uint_eq(len, 3);
    ck_assert_str_eq(data, "abc");
    free(data);
    ck_assert_int_eq(blobs_size(b, ABC, &bytes), 0);
    ck_assert_uint_eq(bytes, 3);
    char buf[8] = "";
    len = sizeof buf;
    ck_assert_int_eq(blobs_read(b, ABC, 1, buf, &len), 0);
    ck_assert_uint_eq(len, 2);
    ck_assert_str_eq(buf, "bc");
    ck_assert_int_eq(blobs_get(b, NOBODY, &data, &len), ERR_NOTFOUND);
    ck_assert_int_eq(blobs_size(b, "../../etc/passwd", &bytes), ERR_NOTFOUND);
    ck_assert(!blob_name_ok("ABC") && blob_name_ok(ABC) && !blob_name_ok(ABC "0"));
}
END_TEST

START_TEST(pieces_must_make_the_name)
{
    struct blob_writer *w = NULL;
    char name[BLOB_NAME_MAX];
    uint64_t bytes;
    ck_assert_int_eq(blob_writer_open(b, ABC, 3, &w, &info), 0);
    ck_assert_int_eq(blob_writer_add(w, "ab", 2), 0);
    ck_assert_int_eq(blob_writer_add(w, "cd", 2), ERR_TOOBIG);
    ck_assert_int_eq(blob_writer_add(w, "c", 1), 0);
    ck_assert_int_eq(blob_writer_finish(w, name), 0);
    ck_assert_str_eq(name, ABC);
    ck_assert_int_eq(blob_writer_open(b, NOBODY, 3, &w, &info), 0);
    ck_assert_int_eq(blob_writer_add(w, "abc", 3), 0);
    ck_assert_int_eq(blob_writer_finish(w, name), ERR_CORRUPT);
    ck_assert_int_eq(blobs_size(b, NOBODY, &bytes), ERR_NOTFOUND);
    ck_assert_int_eq(blob_writer_open(b, NOBODY, 5, &w, &info), 0);
    ck_assert_int_eq(blob_writer_finish(w, name), ERR_CORRUPT); /* too short */
    ck_assert_int_eq(blob_writer_open(b, NULL, 5, &w, &info), 0);
    ck_assert_uint_eq(parts(), 1);
    blob_writer_drop(w);
    blob_writer_drop(NULL);
    ck_assert_uint_eq(parts(), 0);
    ck_assert_uint_eq(blobs_bytes(b), 3);
    ck_assert_int_eq(blob_writer_open(b, "x", 5, &w, &info), ERR_INVAL);
    ck_assert_int_eq(blob_writer_open(b, NULL, BLOB_BYTES_MAX + 1ull, &w, &info), ERR_TOOBIG);
}
END_TEST

static void damage(const char *name)
{
    char path[256];
    path_of(name, path);
    int fd = open(path, O_WRONLY);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, "X", 1, 1), 1);
    close(fd);
}

START_TEST(damage_is_found_and_removed)
{
    char name[BLOB_NAME_MAX];
    void *data = NULL;
    size_t len;
    uint64_t bytes;
    for (int how = 0; how < 2; how++) {
        ck_assert_int_eq(blobs_put(b, "abc", 3, name, &info), 0);
        ck_assert_int_eq(blobs_check(b, ABC), 0);
        damage(ABC);
        ck_assert_int_eq(how ? blobs_renew(b, ABC) : blobs_get(b, ABC, &data, &len), ERR_CORRUPT);
        ck_assert_int_eq(blobs_size(b, ABC, &bytes), ERR_NOTFOUND);
        ck_assert_uint_eq(blobs_bytes(b), 0);
    }
    ck_assert_int_eq(blobs_check(b, ABC), ERR_NOTFOUND);
}
END_TEST

START_TEST(there_is_a_quota)
{
    char name[BLOB_NAME_MAX];
    blobs_set_quota(b, 5);
    ck_assert_int_eq(blobs_put(b, "abc", 3, name, &info), 0);
    ck_assert_int_eq(blobs_put(b, "abcd", 4, name, &info), ERR_NOSPACE);
    ck_assert_ptr_nonnull(strstr(info.text, "2 are left"));
    ck_assert_uint_eq(blobs_bytes(b), 3);
    blobs_remove(b, ABC);
    ck_assert_int_eq(blobs_put(b, "abcd", 4, name, &info), 0);
}
END_TEST

START_TEST(what_a_crash_leaves_is_removed)
{
    char name[BLOB_NAME_MAX], path[256];
    ck_assert_int_eq(blobs_put(b, "abc", 3, name, &info), 0);
    blobs_close(b);
    path_of(".part-7", path);
    FILE *f = fopen(path, "w");
    ck_assert(f && fputs("half", f) >= 0 && fclose(f) == 0);
    open_again();
    ck_assert_uint_eq(parts(), 0);
    ck_assert_uint_eq(blobs_bytes(b), 3);
}
END_TEST

static bool keeps(void *ctx, const char *name)
{
    return strcmp(ctx, name) == 0;
}

static void grow_old(const char *name)
{
    char path[256];
    path_of(name, path);
    const struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    ck_assert_int_eq(utimensat(AT_FDCWD, path, old, 0), 0);
}

START_TEST(only_old_files_that_nobody_wants_are_swept)
{
    char a[BLOB_NAME_MAX], wanted[BLOB_NAME_MAX], again[BLOB_NAME_MAX];
    uint64_t bytes;
    ck_assert_int_eq(blobs_put(b, "a", 1, a, &info), 0);
    ck_assert_int_eq(blobs_put(b, "bb", 2, wanted, &info), 0);
    ck_assert_uint_eq(blobs_sweep(b, keeps, wanted, 60), 0); /* both are young */
    grow_old(a);
    grow_old(wanted);
    ck_assert_int_eq(blobs_put(b, "a", 1, again, &info), 0); /* stored once more: young again */
    ck_assert_uint_eq(blobs_sweep(b, keeps, wanted, 60), 0);
    grow_old(a);
    ck_assert_int_eq(blobs_renew(b, a), 0);
    ck_assert_uint_eq(blobs_sweep(b, keeps, wanted, 60), 0);
    ck_assert_int_eq(blobs_renew(b, NOBODY), ERR_NOTFOUND);
    grow_old(a);
    ck_assert_uint_eq(blobs_sweep(b, keeps, wanted, 60), 1);
    ck_assert_int_eq(blobs_size(b, a, &bytes), ERR_NOTFOUND);
    ck_assert_int_eq(blobs_size(b, wanted, &bytes), 0);
    ck_assert_uint_eq(blobs_bytes(b), 2);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("blob");
    TCase *t = tcase_create("blob");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, a_blob_is_named_by_its_bytes);
    tcase_add_test(t, pieces_must_make_the_name);
    tcase_add_test(t, damage_is_found_and_removed);
    tcase_add_test(t, there_is_a_quota);
    tcase_add_test(t, what_a_crash_leaves_is_removed);
    tcase_add_test(t, only_old_files_that_nobody_wants_are_swept);
    suite_add_tcase(s, t);
    return run_suite(s);
}
