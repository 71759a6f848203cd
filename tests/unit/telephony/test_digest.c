/* Digest arithmetic (RFC 7616), nonces, replay. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/digest.h"
#include "tests/unit/suite.h"

static const uint8_t key[DIGEST_KEY_BYTES] = {1, 2, 3};

/* RFC 7616 section 3.9.1. */
START_TEST(rfc7616_example)
{
    static const struct {
        enum digest_alg alg;
        const char *response;
    } row[] = {
        {DIGEST_MD5, "8ca523f5e9506fed4657c9700eebdbec"},
        {DIGEST_SHA256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
    };
    for (size_t i = 0; i < 2; i++) {
        char ha1[DIGEST_HEX_MAX], out[DIGEST_HEX_MAX];
        ck_assert_int_eq(digest_ha1(row[i].alg, "Mufasa", "http-auth@example.org", "Circle of Life", ha1), 0);
        ck_assert_int_eq(digest_response(row[i].alg, ha1, "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "00000001",
                                         "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "auth", "GET",
                                         "/dir/index.html", out),
                         0);
        ck_assert_str_eq(out, row[i].response);
    }
}
END_TEST

/* RFC 2617 section 3.5, and the old form without qop. */
START_TEST(older_forms)
{
    char ha1[DIGEST_HEX_MAX], out[DIGEST_HEX_MAX];
    ck_assert_int_eq(digest_ha1(DIGEST_MD5, "Mufasa", "testrealm@host.com", "Circle Of Life", ha1), 0);
    ck_assert_str_eq(ha1, "939e7578ed9e3c518a452acee763bce9");
    ck_assert_int_eq(digest_response(DIGEST_MD5, ha1, "dcd98b7102dd2f0e8b11d0f600bfb0c093", "00000001", "0a4f113b",
                                     "auth", "GET", "/dir/index.html", out),
                     0);
    ck_assert_str_eq(out, "6629fae49393a05397450978507c4ef1");
    ck_assert_int_eq(digest_response(DIGEST_MD5, ha1, "dcd98b7102dd2f0e8b11d0f600bfb0c093", NULL, NULL, NULL, "GET",
                                     "/dir/index.html", out),
                     0);
    ck_assert_str_eq(out, "670fd8c2df070c60b045671b8b24ff02");
}
END_TEST

START_TEST(algorithms)
{
    enum digest_alg alg;
    ck_assert_int_eq(digest_alg_parse("sha-256", &alg), 0);
    ck_assert_int_eq((int)alg, (int)DIGEST_SHA256);
    ck_assert_int_eq(digest_alg_parse("", &alg), 0);
    ck_assert_int_eq((int)alg, (int)DIGEST_MD5);
    ck_assert_int_eq(digest_alg_parse("SHA-512-256", &alg), ERR_UNSUPPORTED);
    ck_assert_int_eq(digest_alg_parse("MD5-sess", &alg), ERR_UNSUPPORTED);
}
END_TEST

START_TEST(nonces)
{
    char a[DIGEST_NONCE_SIZE], b[DIGEST_NONCE_SIZE];
    uint8_t other[DIGEST_KEY_BYTES] = {9};
    ck_assert_int_eq(digest_nonce_make(key, 1000, a), 0);
    ck_assert_int_eq(digest_nonce_make(key, 1000, b), 0);
    ck_assert_str_ne(a, b);
    ck_assert_int_eq(digest_nonce_check(key, a, 1000, 60), 0);
    ck_assert_int_eq(digest_nonce_check(key, a, 1060, 60), 0);
    ck_assert_int_eq(digest_nonce_check(key, a, 1061, 60), ERR_STALE);
    ck_assert_int_eq(digest_nonce_check(key, a, 990, 60), ERR_STALE); /* a clock that is far behind */
    ck_assert_int_eq(digest_nonce_check(other, a, 1000, 60), ERR_DENIED);
    ck_assert_int_eq(digest_nonce_check(key, "", 1000, 60), ERR_DENIED);
    for (size_t i = 0; i < DIGEST_NONCE_SIZE - 1; i++) { /* each digit counts */
        memcpy(b, a, sizeof b);
        b[i] = b[i] == '0' ? '1' : '0';
        ck_assert_int_eq(digest_nonce_check(key, b, 1000, 60), ERR_DENIED);
    }
}
END_TEST

START_TEST(replay)
{
    struct digest_replay *r = digest_replay_new(64);
    ck_assert_ptr_nonnull(r);
    ck_assert_int_eq(digest_replay_take(r, "a", 1), 0);
    ck_assert_int_eq(digest_replay_take(r, "a", 1), ERR_STALE);
    ck_assert_int_eq(digest_replay_take(r, "a", 3), 0);
    ck_assert_int_eq(digest_replay_take(r, "a", 2), ERR_STALE);
    ck_assert_int_eq(digest_replay_take(r, "b", 1), 0);
    for (int i = 0; i < 10000; i++) { /* bounded: the oldest go */
        char n[16];
        snprintf(n, sizeof n, "n%d", i);
        ck_assert_int_eq(digest_replay_take(r, n, 1), 0);
        ck_assert_int_eq(digest_replay_take(r, n, 1), ERR_STALE);
    }
    digest_replay_free(r);
    digest_replay_free(NULL);
}
END_TEST

START_TEST(comparing)
{
    char fake[DIGEST_HEX_MAX], again[DIGEST_HEX_MAX];
    ck_assert(digest_equal("00ff", "00FF"));
    ck_assert(!digest_equal("00ff", "00fe"));
    ck_assert(!digest_equal("00ff", "00f"));
    digest_fake_ha1(key, DIGEST_MD5, "nobody", fake);
    digest_fake_ha1(key, DIGEST_MD5, "nobody", again);
    ck_assert_uint_eq(strlen(fake), 32);
    ck_assert_str_eq(fake, again);
    digest_fake_ha1(key, DIGEST_SHA256, "nobody", fake);
    ck_assert_uint_eq(strlen(fake), 64);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("digest");
    TCase *t = tcase_create("digest");
    tcase_add_test(t, rfc7616_example);
    tcase_add_test(t, older_forms);
    tcase_add_test(t, algorithms);
    tcase_add_test(t, nonces);
    tcase_add_test(t, replay);
    tcase_add_test(t, comparing);
    suite_add_tcase(s, t);
    return run_suite(s);
}
