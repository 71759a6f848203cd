/* UTF-8: what is well-formed (RFC 3629), and cleaning. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "tests/unit/suite.h"

START_TEST(sequences)
{
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"", 0},
        {"a", 1},
        {"\x7f", 1},
        {"\xc2\x80", 2},
        {"\xdf\xbf", 2},
        {"\xe0\xa0\x80", 3},
        {"\xe4\xbd\xa0", 3},
        {"\xed\x9f\xbf", 3},
        {"\xee\x80\x80", 3},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\x80", 0},
        {"\xbf", 0},
        {"\xc0\x80", 0},
        {"\xc1\xbf", 0},
        {"\xc2", 0},
        {"\xc2"
         "a",
         0},
        {"\xe0\x9f\xbf", 0},
        {"\xed\xa0\x80", 0},
        {"\xe4\xbd", 0},
        {"\xe4\xbd"
         "a",
         0},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xf4\x90\x80\x80", 0},
        {"\xf0\x90\x80", 0},
        {"\xf5\x80\x80\x80", 0},
        {"\xff", 0},
        {"\xfe", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(utf8_sequence(cases[i].bytes) == cases[i].len, "case %zu", i);
}
END_TEST

START_TEST(cleaning)
{
    static const struct {
        const char *dirty, *clean;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"\xe4\xbd\xa0ok", "\xe4\xbd\xa0ok"},
        {"a\xff"
         "b",
         "a?b"},
        {"\xe4\xbd", "??"},
        {"x\xe4\xbd"
         "y\xe4\xbd\xa0",
         "x??y\xe4\xbd\xa0"},
        {"\xc0\x80", "??"},
        {"\xed\xa0\x80", "???"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char s[32];
        strcpy(s, cases[i].dirty);
        ck_assert_int_eq(utf8_valid(s), strcmp(cases[i].dirty, cases[i].clean) == 0);
        utf8_clean(s);
        ck_assert_str_eq(s, cases[i].clean);
        ck_assert(utf8_valid(s));
    }
}
END_TEST

START_TEST(any_two_bytes_end_up_valid)
{
    for (unsigned a = 1; a < 256; a++)
        for (unsigned b = 0; b < 256; b++) {
            char s[4] = {(char)a, (char)b, 'z', 0};
            size_t len = strlen(s);
            utf8_clean(s);
            ck_assert(utf8_valid(s));
            ck_assert_uint_eq(strlen(s), len);
        }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("utf8");
    TCase *t = tcase_create("utf8");
    tcase_add_test(t, sequences);
    tcase_add_test(t, cleaning);
    tcase_add_test(t, any_two_bytes_end_up_valid);
    suite_add_tcase(s, t);
    return run_suite(s);
}
