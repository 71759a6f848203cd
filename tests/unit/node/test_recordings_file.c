/* The disk's part of recordings: pieces, holes, the WAV file at the end, a full disk. */
#include <stdlib.h>
#include <string.h>

#include "node/recordings_int.h"
#include "telephony/recorder.h"
#include "tests/folder.h"
#include "tests/unit/suite.h"

#define LOUD 0xAAu
#define SECOND 8000u

static char dir[256], path[300];
static struct blobs *blobs;
static struct rec_work *w;

static void up(void)
{
    struct err_info info = {0};
    char inner[300];
    snprintf(dir, sizeof dir, "%s/everline-rec-XXXXXX", folder_base());
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/one.part", dir);
    snprintf(inner, sizeof inner, "%s/blobs", dir);
    struct recorder *r = NULL; /* fills the tables */
    ck_assert_int_eq(recorder_new(&(struct recorder_params){0}, &r), 0);
    recorder_unref(r);
    ck_assert_int_eq(blobs_open(inner, &blobs, &info), 0);
    w = calloc(1, sizeof *w);
    ck_assert_ptr_nonnull(w);
    w->blobs = blobs;
    snprintf(w->path, sizeof w->path, "%s", path);
}

static void down(void)
{
    blobs_close(blobs);
    free(w);
    folder_remove(dir);
}

static int put(uint64_t offset, uint8_t sample, size_t n, bool truncate)
{
    w->kind = REC_WRITE;
    w->offset = offset;
    w->truncate = truncate;
    w->len = n;
    memset(w->data, sample ^ REC_MASK, n);
    rec_file_run(w);
    return w->rc;
}

static int build(uint32_t min_ms)
{
    w->kind = REC_BUILD;
    w->min_ms = min_ms;
    rec_file_run(w);
    return w->rc;
}

static uint32_t u32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

START_TEST(becomes_a_wav_file)
{
    void *data = NULL;
    size_t len = 0;
    ck_assert_int_eq(put(0, LOUD, SECOND, false), 0);
    ck_assert_int_eq(put(2 * SECOND, LOUD, SECOND + 80, false), 0); /* behind a hole */
    for (unsigned i = 0; i < 3; i++)                                /* silence at the end */
        ck_assert_int_eq(put((3 + i) * SECOND + 80, RECORDER_SILENCE, SECOND, false), 0);
    ck_assert_int_eq(build(1000), 0);
    ck_assert_uint_eq(w->duration_ms, 3520); /* whole frames with a sound, and half a second */
    ck_assert_int_eq(blobs_get(blobs, w->blob, &data, &len), 0);
    const uint8_t *p = data;
    ck_assert_uint_eq(len, w->bytes);
    ck_assert_uint_eq(len, 58 + 3520 * 8);
    ck_assert(memcmp(p, "RIFF", 4) == 0 && memcmp(p + 8, "WAVEfmt ", 8) == 0 && memcmp(p + 50, "data", 4) == 0);
    ck_assert_uint_eq(u32(p + 4), len - 8);
    ck_assert_uint_eq(p[20], 6);
    ck_assert_uint_eq(u32(p + 24), 8000);
    ck_assert_uint_eq(u32(p + 46), 3520 * 8);
    ck_assert_uint_eq(u32(p + 54), 3520 * 8);
    ck_assert_uint_eq(p[58], LOUD);
    ck_assert_uint_eq(p[58 + SECOND + 100], RECORDER_SILENCE); /* the hole */
    ck_assert_uint_eq(p[58 + 2 * SECOND], LOUD);
    ck_assert_uint_eq(p[len - 1], RECORDER_SILENCE);
    free(data);
}
END_TEST

START_TEST(nothing_to_keep)
{
    ck_assert_int_eq(build(0), ERR_NOTFOUND); /* no file */
    ck_assert_int_eq(put(0, RECORDER_SILENCE, SECOND, false), 0);
    ck_assert_int_eq(build(0), ERR_NOTFOUND);
    ck_assert_int_eq(put(SECOND, LOUD, SECOND / 2, false), 0);
    ck_assert_int_eq(build(1600), ERR_NOTFOUND); /* too short */
    ck_assert_int_eq(build(1400), 0);
}
END_TEST

START_TEST(pieces_are_read_and_overwritten)
{
    ck_assert_int_eq(put(0, 1, 1000, false), 0);
    ck_assert_int_eq(put(500, 2, 100, true), 0); /* what was behind it counts no more */
    w->kind = REC_READ;
    w->offset = 400;
    w->len = 48000;
    rec_file_run(w);
    ck_assert_int_eq(w->rc, 0);
    ck_assert_uint_eq(w->len, 200);
    ck_assert_uint_eq(w->data[99], 1 ^ REC_MASK);
    ck_assert_uint_eq(w->data[100], 2 ^ REC_MASK);
    w->kind = REC_REMOVE;
    rec_file_run(w);
    ck_assert_int_eq(w->rc, 0);
    w->kind = REC_READ;
    rec_file_run(w);
    ck_assert_int_eq(w->rc, ERR_NOTFOUND);
}
END_TEST

START_TEST(no_room)
{
    snprintf(w->path, sizeof w->path, "/dev/full");
    ck_assert_int_eq(put(0, LOUD, SECOND, false), ERR_NOSPACE);
    snprintf(w->path, sizeof w->path, "%s", path);
    ck_assert_int_eq(put(0, LOUD, 2 * SECOND, false), 0);
    blobs_set_quota(blobs, 1000);
    ck_assert_int_eq(build(0), ERR_NOSPACE);
    blobs_set_quota(blobs, 0);
    ck_assert_int_eq(build(0), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("recordings_file");
    TCase *t = tcase_create("file");
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, becomes_a_wav_file);
    tcase_add_test(t, nothing_to_keep);
    tcase_add_test(t, pieces_are_read_and_overwritten);
    tcase_add_test(t, no_room);
    suite_add_tcase(s, t);
    return run_suite(s);
}
