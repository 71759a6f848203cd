/* Sealed files: what is opened is what was closed, and nothing else is opened. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "storage/seal.h"
#include "tests/folder.h"
#include "tests/unit/suite.h"

#define ONE "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
#define TWO "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100\n"
#define CHUNK 400u

static char dir[256], path[300];

static void up(void)
{
    snprintf(dir, sizeof dir, "%s/everline-seal-XXXXXX", folder_base());
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/key", dir);
}

static void down(void)
{
    folder_remove(dir);
}

static void key_file(const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
}

static struct seal_keys *keys(const char *text)
{
    struct seal_keys *k = NULL;
    struct err_info info = {0};
    key_file(text, 0600);
    ck_assert_msg(seal_keys_load(path, &k, &info) == 0, "%s", info.text);
    return k;
}

static void refused(const char *text, mode_t mode, int code)
{
    struct seal_keys *k = NULL;
    struct err_info info = {0};
    key_file(text, mode);
    ck_assert_int_eq(seal_keys_load(path, &k, &info), code);
    ck_assert_str_eq(info.field, "recording_key_file");
    ck_assert_ptr_null(strstr(info.text, "001122"));
    ck_assert_ptr_null(k);
}

START_TEST(files_of_keys)
{
    struct seal_keys *k = NULL;
    struct err_info info = {0};
    ck_assert_int_eq(seal_keys_load(path, &k, &info), ERR_NOTFOUND);
    refused(ONE, 0640, ERR_DENIED);
    refused(ONE, 0604, ERR_DENIED);
    refused("", 0600, ERR_INVAL);
    refused("\n", 0600, ERR_INVAL);
    refused("0011\n", 0600, ERR_INVAL);
    refused(ONE "x\n", 0600, ERR_INVAL);
    refused("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00\n", 0600, ERR_INVAL);
    refused("00112233445566778899aabbccddeefg00112233445566778899aabbccddeeff\n", 0600, ERR_INVAL);
    refused("0000000000000000000000000000000000000000000000000000000000000000\n", 0600, ERR_INVAL);
    refused(ONE TWO ONE TWO ONE TWO ONE TWO ONE, 0600, ERR_TOOBIG);
    seal_keys_free(keys(ONE TWO));
    seal_keys_free(NULL);
}
END_TEST

START_TEST(opened_as_it_was_closed)
{
    struct seal_keys *k = keys(ONE);
    struct seal_key key, again;
    uint8_t header[SEAL_HEADER_BYTES], plain[CHUNK], sealed[CHUNK + SEAL_EXTRA_BYTES], out[CHUNK];
    memset(plain, 7, sizeof plain);
    ck_assert_int_eq(seal_new(k, 42, &key, header), 0);
    ck_assert(seal_is(header, sizeof header));
    ck_assert(!seal_is(header, sizeof header - 1));
    ck_assert_int_eq(seal_find(k, 42, header, &again), 0);
    ck_assert_mem_eq(key.bytes, again.bytes, sizeof key.bytes);
    ck_assert_int_eq(seal_close(&key, 3, plain, CHUNK, sealed), 0);
    ck_assert_ptr_null(memmem(sealed, sizeof sealed, plain, 8));
    ck_assert_int_eq(seal_open(&again, 3, sealed, sizeof sealed, out), 0);
    ck_assert_mem_eq(out, plain, CHUNK);
    uint8_t twice[sizeof sealed];
    ck_assert_int_eq(seal_close(&key, 3, plain, CHUNK, twice), 0);
    ck_assert_mem_ne(sealed, twice, sizeof sealed); /* no nonce is used again */
    ck_assert_int_eq(seal_close(&key, 4, plain, 1, twice), 0);
    ck_assert_int_eq(seal_open(&key, 4, twice, 1 + SEAL_EXTRA_BYTES, out), 0);
    seal_keys_free(k);
}
END_TEST

START_TEST(nothing_else_is_opened)
{
    struct seal_keys *k = keys(ONE), *other = keys(TWO), *both = keys(TWO ONE);
    struct seal_key key, found;
    uint8_t header[SEAL_HEADER_BYTES], plain[CHUNK] = {1}, sealed[CHUNK + SEAL_EXTRA_BYTES], out[CHUNK];
    ck_assert_int_eq(seal_new(k, 42, &key, header), 0);
    ck_assert_int_eq(seal_close(&key, 3, plain, CHUNK, sealed), 0);
    ck_assert_int_eq(seal_open(&key, 2, sealed, sizeof sealed, out), ERR_CORRUPT); /* another place */
    ck_assert_int_eq(seal_open(&key, 3, sealed, sizeof sealed - 1, out), ERR_CORRUPT);
    ck_assert_int_eq(seal_open(&key, 3, sealed, SEAL_EXTRA_BYTES - 1, out), ERR_CORRUPT);
    for (size_t i = 0; i < sizeof sealed; i += 13) {
        sealed[i] ^= 1;
        ck_assert_int_eq(seal_open(&key, 3, sealed, sizeof sealed, out), ERR_CORRUPT);
        sealed[i] ^= 1;
    }
    key.file = 43;
    ck_assert_int_eq(seal_open(&key, 3, sealed, sizeof sealed, out), ERR_CORRUPT); /* another file */
    ck_assert_int_eq(seal_find(k, 43, header, &found), ERR_CORRUPT);
    ck_assert_int_eq(seal_find(other, 42, header, &found), ERR_DENIED);
    ck_assert_int_eq(seal_find(both, 42, header, &found), 0); /* a new master key: the old one still opens */
    header[SEAL_HEADER_BYTES - 1] ^= 1;
    ck_assert_int_eq(seal_find(k, 42, header, &found), ERR_CORRUPT);
    header[0] ^= 1;
    ck_assert_int_eq(seal_find(k, 42, header, &found), ERR_CORRUPT);
    seal_keys_free(k);
    seal_keys_free(other);
    seal_keys_free(both);
}
END_TEST

START_TEST(sizes)
{
    static const uint8_t zeros[CHUNK], one[] = {0, 0, 1};
    ck_assert(seal_hole(zeros, sizeof zeros));
    ck_assert(seal_hole(zeros, 1));
    ck_assert(!seal_hole(zeros, 0));
    ck_assert(!seal_hole(one, sizeof one));
    for (uint64_t n = 0; n < 3 * CHUNK + 2; n++)
        ck_assert_uint_eq(seal_content(seal_bytes(n, CHUNK), CHUNK), n);
    ck_assert_uint_eq(seal_content(10, CHUNK), 0);
    ck_assert_uint_eq(seal_content(SEAL_HEADER_BYTES + 5, CHUNK), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("seal");
    TCase *t = tcase_create("seal");
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, files_of_keys);
    tcase_add_test(t, opened_as_it_was_closed);
    tcase_add_test(t, nothing_else_is_opened);
    tcase_add_test(t, sizes);
    suite_add_tcase(s, t);
    return run_suite(s);
}
