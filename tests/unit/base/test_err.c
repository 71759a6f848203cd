/* Error codes and the record of a fault. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/utf8.h"
#include "tests/unit/suite.h"

START_TEST(codes_have_texts_and_names)
{
    for (int code = ERR_OK; code >= ERR_STALE; code--) {
        ck_assert_str_ne(err_text(code), "unknown error");
        ck_assert_str_ne(err_name(code), "unknown");
        for (int other = ERR_OK; other > code; other--)
            ck_assert_str_ne(err_name(code), err_name(other));
        ck_assert_uint_eq(strspn(err_name(code), "abcdefghijklmnopqrstuvwxyz_"), strlen(err_name(code)));
    }
    ck_assert_str_eq(err_text(1), "unknown error");
    ck_assert_str_eq(err_text(ERR_STALE - 1), "unknown error");
    ck_assert_str_eq(err_name(-1000), "unknown");
}
END_TEST

START_TEST(errno_is_translated)
{
    static const struct {
        int sys, code;
    } cases[] = {
        {0, ERR_OK},           {ENOMEM, ERR_NOMEM},   {ENOENT, ERR_NOTFOUND},
        {EEXIST, ERR_EXISTS},  {EACCES, ERR_DENIED},  {EPERM, ERR_DENIED},
        {ENOSPC, ERR_NOSPACE}, {EDQUOT, ERR_NOSPACE}, {ETIMEDOUT, ERR_TIMEOUT},
        {EINVAL, ERR_INVAL},   {EPIPE, ERR_CLOSED},   {ECONNRESET, ERR_CLOSED},
        {EIO, ERR_IO},         {12345, ERR_IO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_int_eq(err_from_errno(cases[i].sys), cases[i].code);
}
END_TEST

START_TEST(info_is_filled)
{
    struct err_info info;
    memset(&info, 0xa5, sizeof info);
    ck_assert_int_eq(err_set(&info, ERR_RANGE, "a.b[2]", "%d is too %s", 5, "big"), ERR_RANGE);
    ck_assert_int_eq(info.code, ERR_RANGE);
    ck_assert_uint_eq(info.line, 0);
    ck_assert_uint_eq(info.column, 0);
    ck_assert_str_eq(info.field, "a.b[2]");
    ck_assert_str_eq(info.text, "5 is too big");
    ck_assert_int_eq(err_set(&info, ERR_IO, NULL, "x"), ERR_IO);
    ck_assert_str_eq(info.field, "");
    ck_assert_int_eq(err_set(NULL, ERR_BUSY, "f", "%s", "t"), ERR_BUSY);
}
END_TEST

START_TEST(info_may_quote_itself)
{
    struct err_info info;
    err_set(&info, ERR_INVAL, "keys.1", "no such node");
    err_set(&info, info.code, info.field, "flow welcome: %s", info.text);
    ck_assert_str_eq(info.field, "keys.1");
    ck_assert_str_eq(info.text, "flow welcome: no such node");
}
END_TEST

START_TEST(long_texts_are_cut_between_characters)
{
    struct err_info info;
    char hanzi[3 * 200 + 1];
    for (size_t i = 0; i < 200; i++)
        memcpy(hanzi + 3 * i, "\xe4\xbd\xa0", 3);
    hanzi[600] = '\0';
    for (size_t shift = 0; shift < 3; shift++) {
        err_set(&info, ERR_INVAL, hanzi + shift, "%.*s%s", (int)shift, "ab", hanzi);
        ck_assert_uint_eq(strlen(info.text), ERR_INFO_TEXT_MAX - 1);
        ck_assert_uint_eq(strlen(info.field), ERR_INFO_FIELD_MAX - 1);
        ck_assert(utf8_valid(info.text));
        ck_assert(utf8_valid(info.field));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("err");
    TCase *t = tcase_create("err");
    tcase_add_test(t, codes_have_texts_and_names);
    tcase_add_test(t, errno_is_translated);
    tcase_add_test(t, info_is_filled);
    tcase_add_test(t, info_may_quote_itself);
    tcase_add_test(t, long_texts_are_cut_between_characters);
    suite_add_tcase(s, t);
    return run_suite(s);
}
