/* The disk's part of recordings: sealed chunks, holes, pieces of peers, the WAV file at the end and listening to it, a full disk, a wrong key. */
#include <lame/lame.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/recordings_int.h"
#include "telephony/recorder.h"
#include "tests/folder.h"
#include "tests/unit/suite.h"

#define LOUD 0xAAu
#define QUIET_BYTE RECORDER_SILENCE
#define SECOND 8000u
#define CHUNK REC_CHUNK_SAMPLES
#define ID 77u

static char dir[256], path[300];
static struct blobs *blobs;
static struct seal_keys *keys;
static struct rec_work *w;

static struct seal_keys *key_of(char digit)
{
    char file[300], text[66];
    struct seal_keys *k = NULL;
    struct err_info info = {0};
    snprintf(file, sizeof file, "%s/key", dir);
    memset(text, '0', 64);
    text[63] = digit;
    memcpy(text + 64, "\n", 2);
    FILE *f = fopen(file, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(file, 0600), 0);
    ck_assert_int_eq(seal_keys_load(file, &k, &info), 0);
    return k;
}

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
    keys = key_of('1');
    w = calloc(1, sizeof *w);
    ck_assert_ptr_nonnull(w);
    w->blobs = blobs;
    w->keys = keys;
    w->id = ID;
    w->channels = 1;
    w->trims = true;
    snprintf(w->path, sizeof w->path, "%s", path);
}

static void down(void)
{
    seal_keys_free(keys);
    blobs_close(blobs);
    free(w);
    folder_remove(dir);
}

/* At this chunk so many samples of all channels. */
static int put(uint64_t chunk, uint8_t sample, size_t n)
{
    w->kind = REC_WRITE;
    w->offset = chunk;
    w->len = n * w->channels;
    memset(w->data, sample, w->len);
    rec_file_run(w);
    w->truncate = false;
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

static uint8_t *play(size_t *len)
{
    void *data = NULL;
    uint64_t bytes = 0;
    ck_assert_int_eq(rec_sound_bytes(blobs, keys, w->blob, &bytes), 0);
    ck_assert_int_eq(rec_sound_read(blobs, keys, w->blob, ID, 0, (size_t)bytes, &data), 0);
    *len = (size_t)bytes;
    return data;
}

START_TEST(becomes_a_wav_file)
{
    size_t len = 0;
    ck_assert_int_eq(put(0, LOUD, SECOND), 0);
    ck_assert_uint_eq(w->end, rec_file_at(4, 1));
    ck_assert_int_eq(put(8, LOUD, SECOND + CHUNK), 0); /* behind a hole of a second */
    ck_assert_int_eq(put(13, QUIET_BYTE, 3 * SECOND), 0);
    ck_assert_int_eq(build(1000), 0);
    ck_assert_uint_eq(w->duration_ms, 3760); /* what has a sound, and half a second */
    ck_assert_uint_eq(w->n_gaps, 1);
    ck_assert_uint_eq(w->gaps[0].from_ms, 1000);
    ck_assert_uint_eq(w->gaps[0].to_ms, 2000);
    uint8_t *p = play(&len);
    ck_assert_uint_eq(len, w->bytes);
    ck_assert_uint_eq(len, 58 + 3760 * 8);
    ck_assert(memcmp(p, "RIFF", 4) == 0 && memcmp(p + 8, "WAVEfmt ", 8) == 0 && memcmp(p + 50, "data", 4) == 0);
    ck_assert_uint_eq(u32(p + 4), len - 8);
    ck_assert_uint_eq(p[20], 6);
    ck_assert_uint_eq(p[22], 1);
    ck_assert_uint_eq(u32(p + 24), 8000);
    ck_assert_uint_eq(u32(p + 46), 3760 * 8);
    ck_assert_uint_eq(u32(p + 54), 3760 * 8);
    ck_assert_uint_eq(p[58], LOUD);
    ck_assert_uint_eq(p[58 + SECOND + 100], QUIET_BYTE); /* the hole */
    ck_assert_uint_eq(p[58 + 2 * SECOND], LOUD);
    ck_assert_uint_eq(p[len - 1], QUIET_BYTE);
    free(p);
}
END_TEST

/* Who goes on begins with a whole chunk, and hears the first of it in its middle: up to there it is a gap, silence of a whole chunk is silence. */
START_TEST(gap_up_to_the_first_sound)
{
    ck_assert_int_eq(put(0, LOUD, CHUNK), 0);
    w->offset = 2;
    w->len = 2 * CHUNK;
    memset(w->data, QUIET_BYTE, 800);
    memset(w->data + 800, LOUD, 2 * CHUNK - 800);
    rec_file_run(w);
    ck_assert_int_eq(w->rc, 0);
    ck_assert_int_eq(put(6, QUIET_BYTE, CHUNK), 0);
    ck_assert_int_eq(put(7, LOUD, CHUNK), 0);
    ck_assert_int_eq(build(0), 0);
    ck_assert_uint_eq(w->n_gaps, 2);
    ck_assert_uint_eq(w->gaps[0].from_ms, 250);
    ck_assert_uint_eq(w->gaps[0].to_ms, 600);
    ck_assert_uint_eq(w->gaps[1].from_ms, 1000);
    ck_assert_uint_eq(w->gaps[1].to_ms, 1500);
}
END_TEST

/* Frames of MPEG-2.5 layer 3 at 8 kHz, stereo, of a quarter of the size, sealed as well. */
START_TEST(as_mp3)
{
    void *data = NULL;
    uint64_t bytes = 0;
    w->channels = 2;
    w->trims = false;
    for (uint64_t at = 0; at < 20; at += 4) { /* left is loud, right is not */
        w->kind = REC_WRITE;
        w->offset = at;
        w->len = 2 * SECOND;
        for (size_t i = 0; i < w->len; i++)
            w->data[i] = i % 2 || i / 2 % 10 < 5 ? QUIET_BYTE : LOUD;
        rec_file_run(w);
        ck_assert_int_eq(w->rc, 0);
    }
    ck_assert_int_eq(build(0), 0);
    struct rec_mp3 m = {.blobs = blobs, .keys = keys, .id = ID};
    memcpy(m.wav, w->blob, sizeof m.wav);
    ck_assert_int_eq(rec_mp3_make(&m), 0);
    ck_assert_int_eq(rec_sound_bytes(blobs, keys, m.mp3, &bytes), 0);
    ck_assert_uint_eq(bytes, m.bytes);
    ck_assert_uint_ge(bytes, 5 * 4000);
    ck_assert_uint_le(bytes, 5 * 4000 + 2000);
    ck_assert_int_eq(rec_sound_read(blobs, keys, m.mp3, ID, 0, (size_t)bytes, &data), 0);
    const uint8_t *p = data;
    unsigned frames = 0;
    for (uint64_t at = 0; at + 4 <= bytes; at += 72 * 32 * 1000 / 8000, frames++) {
        ck_assert_uint_eq(p[at], 0xFF);
        ck_assert_uint_eq(p[at + 1] & 0xFE, 0xE2);        /* MPEG 2.5, layer 3 */
        ck_assert_uint_eq(p[at + 2] & 0x0C, 0x08);        /* 8000 Hz */
        ck_assert_uint_eq(p[at + 3] & 0xC0, 0x00);        /* stereo, not joint */
    }
    ck_assert_uint_ge(frames, 5 * 8000 / 576);
    int16_t left[40000], right[40000];
    long sum[2] = {0, 0}, n = 0;
    hip_t decoder = hip_decode_init();
    for (uint64_t at = 0; at + 288 <= bytes; at += 288) {
        int got = hip_decode(decoder, (uint8_t *)data + at, 288, left, right);
        ck_assert_int_ge(got, 0);
        n += got;
        for (int i = 0; i < got; i++) {
            sum[0] += labs(left[i]);
            sum[1] += labs(right[i]);
        }
    }
    hip_decode_exit(decoder);
    ck_assert_int_ge(n, 4 * 8000);
    ck_assert_int_gt(sum[0] / n, 200);
    ck_assert_int_lt(sum[1] / n, 20);
    free(data);
    struct rec_mp3 stopped = {.blobs = blobs, .keys = keys, .id = ID, .stop = true}, keyless = {.blobs = blobs, .id = ID};
    memcpy(stopped.wav, w->blob, sizeof stopped.wav);
    memcpy(keyless.wav, w->blob, sizeof keyless.wav);
    ck_assert_int_eq(rec_mp3_make(&stopped), ERR_CLOSED);
    ck_assert_int_eq(rec_mp3_make(&keyless), ERR_DENIED);
    memset(stopped.wav, '0', 64);
    ck_assert_int_eq(rec_mp3_make(&stopped), ERR_NOTFOUND);
    memcpy(stopped.wav, m.mp3, sizeof stopped.wav); /* no WAV file of ours */
    ck_assert_int_eq(rec_mp3_make(&stopped), ERR_CORRUPT);
}
END_TEST

START_TEST(both_parties)
{
    size_t len = 0;
    w->channels = 2;
    w->trims = false;
    ck_assert_int_eq(put(0, LOUD, 3 * CHUNK), 0);
    ck_assert_int_eq(put(3, QUIET_BYTE, 160), 0); /* the end, as it is: silence belongs to a call */
    ck_assert_int_eq(build(0), 0);
    ck_assert_uint_eq(w->duration_ms, 770);
    ck_assert_uint_eq(w->n_gaps, 0);
    uint8_t *p = play(&len);
    ck_assert_uint_eq(len, 58 + 2 * 770 * 8);
    ck_assert_uint_eq(p[22], 2);
    ck_assert_uint_eq(u32(p + 28), 16000);
    ck_assert_uint_eq(p[32], 2);
    ck_assert_uint_eq(u32(p + 46), 770 * 8);
    ck_assert_uint_eq(u32(p + 54), 2 * 770 * 8);
    for (size_t from = 0; from < len; from += 777) { /* each part is what it is in the whole */
        void *part = NULL;
        size_t n = len - from < 5000 ? len - from : 5000;
        ck_assert_int_eq(rec_sound_read(blobs, keys, w->blob, ID, from, n, &part), 0);
        ck_assert_mem_eq(part, p + from, n);
        free(part);
    }
    void *none = NULL;
    ck_assert_int_eq(rec_sound_read(blobs, keys, w->blob, ID, len - 1, 2, &none), ERR_RANGE);
    ck_assert_int_eq(rec_sound_read(blobs, keys, w->blob, ID + 1, 0, 10, &none), ERR_CORRUPT);
    free(p);
}
END_TEST

START_TEST(nothing_is_readable_without_the_key)
{
    uint8_t raw[64];
    void *data = NULL;
    size_t len = sizeof raw;
    uint64_t bytes;
    struct seal_keys *wrong = key_of('2');
    ck_assert_int_eq(put(0, LOUD, SECOND), 0);
    ck_assert_int_eq(build(0), 0);
    ck_assert_int_eq(blobs_read(blobs, w->blob, 1000, raw, &len), 0);
    static const uint8_t loud[8] = {LOUD, LOUD, LOUD, LOUD, LOUD, LOUD, LOUD, LOUD};
    ck_assert_ptr_null(memmem(raw, len, loud, sizeof loud));
    ck_assert_int_eq(rec_sound_read(blobs, wrong, w->blob, ID, 0, 10, &data), ERR_DENIED);
    ck_assert_int_eq(rec_sound_bytes(blobs, NULL, w->blob, &bytes), ERR_DENIED);
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    char *all = malloc(10000);
    size_t n = fread(all, 1, 10000, f);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_uint_gt(n, SECOND);
    ck_assert_ptr_null(memmem(all, n, loud, sizeof loud));
    free(all);
    w->keys = wrong;
    ck_assert_int_eq(put(4, LOUD, CHUNK), ERR_DENIED);
    ck_assert_int_eq(build(0), ERR_DENIED);
    seal_keys_free(wrong);
}
END_TEST

/* Damage is told by the hash in the name, and, where that is right, by the seal of each chunk. */
START_TEST(verified)
{
    uint64_t bytes = 0, chunk = 0;
    char other[BLOB_NAME_MAX], file[400];
    void *data = NULL;
    size_t len = 0;
    struct err_info info;
    ck_assert_int_eq(put(0, LOUD, SECOND), 0);
    ck_assert_int_eq(build(0), 0);
    ck_assert_int_eq(rec_sound_verify(blobs, keys, w->blob, ID, &bytes, &chunk), 0);
    ck_assert_uint_eq(bytes, w->bytes);
    struct seal_keys *wrong = key_of('2');
    ck_assert_int_eq(rec_sound_verify(blobs, wrong, w->blob, ID, &bytes, &chunk), ERR_DENIED);
    seal_keys_free(wrong);
    ck_assert_int_eq(rec_sound_verify(blobs, keys, w->blob, ID + 1, &bytes, &chunk), ERR_CORRUPT); /* of another recording */
    ck_assert_uint_eq(chunk, REC_CHUNK_HEADER);
    /* sealed otherwise, but stored as what it is: its second chunk is not ours */
    ck_assert_int_eq(blobs_get(blobs, w->blob, &data, &len), 0);
    ((uint8_t *)data)[SEAL_HEADER_BYTES + REC_BLOB_CHUNK + SEAL_EXTRA_BYTES + 100] ^= 1;
    ck_assert_int_eq(blobs_put(blobs, data, len, other, &info), 0);
    free(data);
    ck_assert_int_eq(rec_sound_verify(blobs, keys, other, ID, &bytes, &chunk), ERR_CORRUPT);
    ck_assert_uint_eq(chunk, 1);
    /* a bit on the disk */
    snprintf(file, sizeof file, "%s/blobs/%s", dir, w->blob);
    ck_assert_int_eq(chmod(file, 0600), 0);
    FILE *f = fopen(file, "r+");
    ck_assert(f && fseek(f, 5000, SEEK_SET) == 0);
    int byte = fgetc(f);
    ck_assert(fseek(f, 5000, SEEK_SET) == 0 && fputc(byte ^ 1, f) != EOF && fclose(f) == 0);
    ck_assert_int_eq(rec_sound_verify(blobs, keys, w->blob, ID, &bytes, &chunk), ERR_CORRUPT);
    ck_assert_uint_eq(chunk, REC_CHUNK_ALL);
    ck_assert_int_eq(rec_sound_verify(blobs, keys, w->blob, ID, &bytes, &chunk), ERR_NOTFOUND); /* it has gone */
}
END_TEST

START_TEST(goes_on_behind_a_broken_chunk)
{
    w->trims = false;
    ck_assert_int_eq(put(0, LOUD, 3 * CHUNK), 0);
    ck_assert_int_eq(truncate(path, (off_t)rec_file_at(2, 1) + 700), 0); /* a copy that ends in the middle of one */
    ck_assert_uint_eq(rec_file_chunks(rec_file_at(2, 1) + 700, 1), 2);
    w->truncate = true;
    w->cut = rec_file_at(2, 1);
    ck_assert_int_eq(put(4, LOUD, CHUNK), 0);
    ck_assert_int_eq(build(0), 0);
    ck_assert_uint_eq(w->duration_ms, 1250);
    ck_assert_uint_eq(w->n_gaps, 1);
    ck_assert_uint_eq(w->gaps[0].from_ms, 500);
    ck_assert_uint_eq(w->gaps[0].to_ms, 1000);
}
END_TEST

START_TEST(nothing_to_keep)
{
    ck_assert_int_eq(build(0), ERR_NOTFOUND); /* no file */
    ck_assert_int_eq(put(0, QUIET_BYTE, SECOND), 0);
    ck_assert_int_eq(build(0), ERR_NOTFOUND);
    ck_assert_int_eq(put(4, LOUD, SECOND / 2), 0);
    ck_assert_int_eq(build(1600), ERR_NOTFOUND); /* too short */
    ck_assert_int_eq(build(1400), 0);
}
END_TEST

/* What a peer sent. */
static int store(uint64_t offset, uint8_t byte, size_t n, bool cut)
{
    w->kind = REC_STORE;
    w->offset = offset;
    w->truncate = cut;
    w->len = n;
    memset(w->data, byte, n);
    rec_file_run(w);
    w->truncate = false;
    return w->rc;
}

START_TEST(pieces_are_read_and_overwritten)
{
    ck_assert_int_eq(store(0, 1, 1000, false), 0);
    ck_assert_int_eq(store(500, 2, 100, true), 0); /* what was behind it counts no more */
    w->kind = REC_READ;
    w->offset = 400;
    w->len = 48000;
    rec_file_run(w);
    ck_assert_int_eq(w->rc, 0);
    ck_assert_uint_eq(w->len, 200);
    ck_assert_uint_eq(w->data[99], 1);
    ck_assert_uint_eq(w->data[100], 2);
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
    const struct rlimit little = {1000, RLIM_INFINITY}, much = {RLIM_INFINITY, RLIM_INFINITY};
    ck_assert_ptr_ne(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &little), 0);
    ck_assert_int_eq(put(0, LOUD, SECOND), ERR_NOSPACE);
    ck_assert_int_eq(store(0, 1, 2000, false), ERR_NOSPACE);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &much), 0);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(put(0, LOUD, 2 * SECOND), 0);
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
    tcase_add_test(t, gap_up_to_the_first_sound);
    tcase_add_test(t, as_mp3);
    tcase_add_test(t, both_parties);
    tcase_add_test(t, nothing_is_readable_without_the_key);
    tcase_add_test(t, verified);
    tcase_add_test(t, goes_on_behind_a_broken_chunk);
    tcase_add_test(t, nothing_to_keep);
    tcase_add_test(t, pieces_are_read_and_overwritten);
    tcase_add_test(t, no_room);
    suite_add_tcase(s, t);
    return run_suite(s);
}
