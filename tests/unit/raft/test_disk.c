/* Damaged disks: a node that is behind what it has promised refuses to start, in plain words. */
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/raft/fixture.h"
#include "tests/unit/suite.h"

/* Bootstrap leaves a segment of one entry; what follows is in the second. */
static struct fx *stopped_cluster(uint32_t commands)
{
    struct fx *fx = fx_new();
    fx_cluster(fx, 1);
    for (uint32_t i = 0; i < commands; i++)
        ck_assert_int_eq(fx_commit(fx, 0, i), 0);
    fx_stop(fx, 0);
    return fx;
}

static void refuses(struct fx *fx, const char *word)
{
    struct err_info info = {0};
    ck_assert_int_ne(fx_start(fx, 0, true, -1, &info), 0);
    ck_assert_msg(strstr(info.text, word) != NULL, "\"%s\" says nothing of \"%s\"", info.text, word);
    fx_free(fx);
}

/* Name of the n-th file (by name) of the log folder that starts with `prefix`; false when there are not as many. */
static bool log_file(struct fx *fx, const char *prefix, unsigned n, char *path, size_t cap)
{
    struct dirent **list;
    char dir[300];
    bool found = false;
    snprintf(dir, sizeof dir, "%s/log", fx->nodes[0].dir);
    int count = scandir(dir, &list, NULL, alphasort);
    ck_assert_int_gt(count, 0);
    for (int i = 0; i < count; i++) {
        if (strncmp(list[i]->d_name, prefix, strlen(prefix)) == 0 && !found && n-- == 0) {
            snprintf(path, cap, "%s/%s", dir, list[i]->d_name);
            found = true;
        }
        free(list[i]);
    }
    free(list);
    return found;
}

static void flip(const char *path, long at)
{
    FILE *f = fopen(path, "r+");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    int c = fgetc(f);
    ck_assert_int_eq(fseek(f, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    fputc(c ^ 0xff, f);
    fclose(f);
}

START_TEST(test_untouched_starts)
{
    struct fx *fx = stopped_cluster(20);
    struct err_info info = {0};
    fx->nodes[0].lose_state = true;
    ck_assert_msg(fx_start(fx, 0, true, -1, &info) == 0, "%s", info.text);
    ck_assert(fx_wait_same(fx, 20));
    fx_free(fx);
}
END_TEST

START_TEST(test_damaged_closed_segment)
{
    struct fx *fx = stopped_cluster(20);
    char path[600];
    ck_assert(log_file(fx, "0", 1, path, sizeof path));
    flip(path, -20);
    refuses(fx, "damaged");
}
END_TEST

START_TEST(test_truncated_closed_segment)
{
    struct fx *fx = stopped_cluster(20);
    char path[600];
    struct stat st;
    ck_assert(log_file(fx, "0", 1, path, sizeof path));
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(truncate(path, st.st_size - 16), 0);
    refuses(fx, "cut short");
}
END_TEST

/* As a process leaves it that was killed: the log is in an open segment of full size. */
static void reopen_segment(struct fx *fx, char *path, size_t cap)
{
    char open_path[600];
    ck_assert(log_file(fx, "0", 1, path, cap));
    snprintf(open_path, sizeof open_path, "%s/log/open-1", fx->nodes[0].dir);
    ck_assert_int_eq(rename(path, open_path), 0);
    snprintf(path, cap, "%s", open_path);
}

START_TEST(test_open_segment_is_taken_up)
{
    struct fx *fx = stopped_cluster(20);
    struct err_info info = {0};
    char path[600];
    reopen_segment(fx, path, sizeof path);
    ck_assert_int_eq(truncate(path, 8 << 20), 0);
    fx->nodes[0].lose_state = true;
    ck_assert_msg(fx_start(fx, 0, true, -1, &info) == 0, "%s", info.text);
    ck_assert(fx_wait_same(fx, 20));
    fx_free(fx);
}
END_TEST

START_TEST(test_truncated_open_segment)
{
    struct fx *fx = stopped_cluster(20);
    char path[600];
    struct stat st;
    reopen_segment(fx, path, sizeof path);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(truncate(path, st.st_size - 16), 0);
    refuses(fx, "cut short");
}
END_TEST

START_TEST(test_damage_in_open_segment_loses_nothing_in_silence)
{
    struct fx *fx = stopped_cluster(20);
    char path[600];
    reopen_segment(fx, path, sizeof path);
    flip(path, -20);
    ck_assert_int_eq(truncate(path, 8 << 20), 0);
    refuses(fx, "was on disk");
}
END_TEST

START_TEST(test_missing_segment)
{
    struct fx *fx = stopped_cluster(20);
    char path[600];
    ck_assert(log_file(fx, "0", 1, path, sizeof path));
    ck_assert_int_eq(unlink(path), 0);
    refuses(fx, "was on disk");
}
END_TEST

START_TEST(test_missing_metadata)
{
    struct fx *fx = stopped_cluster(20);
    char path[600];
    while (log_file(fx, "metadata", 0, path, sizeof path))
        ck_assert_int_eq(unlink(path), 0);
    refuses(fx, "metadata");
}
END_TEST

START_TEST(test_short_metadata)
{
    struct fx *fx = stopped_cluster(20);
    char path[600];
    for (unsigned i = 0; log_file(fx, "metadata", i, path, sizeof path); i++)
        ck_assert_int_eq(truncate(path, 16), 0);
    refuses(fx, "metadata");
}
END_TEST

START_TEST(test_older_metadata)
{
    struct fx *fx = fx_new();
    char one[600], two[600];
    /* two more terms, so that both files are there; then only the older one is left */
    fx_cluster(fx, 2);
    ck_assert_int_eq(fx_member_op(fx, 0, FX_TRANSFER, "n2", NULL, NULL, NULL, 0), 0);
    ck_assert(fx_until(fx, fx_has_leader, NULL));
    ck_assert_int_eq(fx_commit(fx, 0, 1), 0);
    ck_assert_int_eq(fx_member_op(fx, 0, FX_TRANSFER, "n1", NULL, NULL, NULL, 0), 0);
    ck_assert(fx_until(fx, fx_has_leader, NULL));
    ck_assert_int_eq(fx_commit(fx, 0, 1), 0);
    fx_stop(fx, 0);
    fx_stop(fx, 1);
    ck_assert(log_file(fx, "metadata", 0, one, sizeof one) && log_file(fx, "metadata", 1, two, sizeof two));
    uint8_t a[32], b[32];
    FILE *f = fopen(one, "r");
    ck_assert_uint_eq(fread(a, 1, 32, f), 32);
    fclose(f);
    f = fopen(two, "r");
    ck_assert_uint_eq(fread(b, 1, 32, f), 32);
    fclose(f);
    ck_assert_int_eq(unlink(a[8] > b[8] ? one : two), 0);
    refuses(fx, "older than what was written");
}
END_TEST

START_TEST(test_missing_identity)
{
    struct fx *fx = stopped_cluster(5);
    char path[600];
    snprintf(path, sizeof path, "%s/identity", fx->nodes[0].dir);
    ck_assert_int_eq(unlink(path), 0);
    refuses(fx, "identity");
}
END_TEST

START_TEST(test_missing_record)
{
    struct fx *fx = stopped_cluster(5);
    char path[600];
    snprintf(path, sizeof path, "%s/record", fx->nodes[0].dir);
    ck_assert_int_eq(unlink(path), 0);
    refuses(fx, "record");
}
END_TEST

START_TEST(test_damaged_record)
{
    struct fx *fx = stopped_cluster(5);
    char path[600];
    snprintf(path, sizeof path, "%s/record", fx->nodes[0].dir);
    flip(path, 20);
    flip(path, 2048 + 20);
    refuses(fx, "record");
}
END_TEST

START_TEST(test_other_name)
{
    struct fx *fx = stopped_cluster(1);
    snprintf(fx->nodes[0].name, sizeof fx->nodes[0].name, "other");
    refuses(fx, "belongs to node");
}
END_TEST

START_TEST(test_two_processes)
{
    struct fx *fx = fx_new();
    struct err_info info = {0};
    fx_cluster(fx, 1);
    snprintf(fx->nodes[1].dir, sizeof fx->nodes[1].dir, "%s", fx->nodes[0].dir);
    ck_assert_int_eq(fx_start(fx, 1, true, -1, &info), ERR_BUSY);
    fx_free(fx);
}
END_TEST

START_TEST(test_empty_folder_needs_a_word)
{
    struct fx *fx = fx_new();
    struct err_info info = {0};
    ck_assert_int_eq(fx_start(fx, 0, false, -1, &info), ERR_BADSTATE);
    ck_assert_str_eq(info.field, "join");
    fx_free(fx);
}
END_TEST

START_TEST(test_damaged_image)
{
    struct fx *fx = fx_new();
    struct repl_status st = {0};
    struct dirent **list;
    char dir[300], path[600];
    fx->threshold = 16;
    fx->trailing = 4;
    fx_cluster(fx, 1);
    for (uint32_t i = 0; i < 100; i++) {
        ck_assert_int_eq(fx_commit(fx, 0, i), 0);
        repl_get_status(fx->nodes[0].repl, &st);
    }
    ck_assert_uint_gt(st.snapshot_index, 0);
    fx_stop(fx, 0);
    snprintf(dir, sizeof dir, "%s/images", fx->nodes[0].dir);
    int n = scandir(dir, &list, NULL, alphasort);
    ck_assert_int_gt(n, 2);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, list[i]->d_name);
        if (list[i]->d_name[0] != '.')
            flip(path, -1);
        free(list[i]);
    }
    free(list);
    fx->nodes[0].lose_state = true;
    refuses(fx, "image");
}
END_TEST

/* A block that was only reserved is a hole to whoever looks for data. */
START_TEST(test_segments_are_written_not_reserved)
{
    struct fx *fx = fx_new();
    char path[320];
    snprintf(path, sizeof path, "%s/segment", fx->dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(posix_fallocate(fd, 0, 8 << 20), 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), 8 << 20);
    ck_assert_int_eq(lseek(fd, 0, SEEK_HOLE), 8 << 20);
    close(fd);
    fx_free(fx);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("raft disk");
    TCase *tc = tcase_create("disk");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_untouched_starts);
    tcase_add_test(tc, test_damaged_closed_segment);
    tcase_add_test(tc, test_truncated_closed_segment);
    tcase_add_test(tc, test_open_segment_is_taken_up);
    tcase_add_test(tc, test_truncated_open_segment);
    tcase_add_test(tc, test_damage_in_open_segment_loses_nothing_in_silence);
    tcase_add_test(tc, test_missing_segment);
    tcase_add_test(tc, test_missing_metadata);
    tcase_add_test(tc, test_short_metadata);
    tcase_add_test(tc, test_older_metadata);
    tcase_add_test(tc, test_missing_identity);
    tcase_add_test(tc, test_missing_record);
    tcase_add_test(tc, test_damaged_record);
    tcase_add_test(tc, test_other_name);
    tcase_add_test(tc, test_two_processes);
    tcase_add_test(tc, test_empty_folder_needs_a_word);
    tcase_add_test(tc, test_damaged_image);
    tcase_add_test(tc, test_segments_are_written_not_reserved);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
