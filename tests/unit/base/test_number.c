/* Telephone numbers in one form, and entries of lists. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "tests/unit/suite.h"

START_TEST(test_forms)
{
    static const char *const rows[][2] = {
        {"13800138000", "13800138000"},       {"138-0013-8000", "13800138000"},   {"+86 138 0013 8000", "13800138000"},
        {"+8613800138000", "13800138000"},    {"008613800138000", "13800138000"}, {"8613800138000", "13800138000"},
        {"013800138000", "13800138000"},      {"+86013800138000", "13800138000"}, {"+868613800138000", "13800138000"},
        {"(010) 8888-6666", "01088886666"},   {"+86 10 8888 6666", "01088886666"}, {"861088886666", "01088886666"},
        {"+8601088886666", "01088886666"},    {"8675526661234", "075526661234"},  {"+869518888666", "09518888666"},
        {"+864008001000", "4008001000"},      {"+8695588", "95588"},              {"95588", "95588"},
        {"86123456", "86123456"},             {"88886666", "88886666"},           {"+852 2345 6789", "0085223456789"},
        {"0085223456789", "0085223456789"},   {"8001", "8001"},                   {"anonymous", "anonymous"},
        {"*72", "*72"},                       {"", ""},                           {"+", "+"},
        {"1+2", "1+2"},                       {"- -", "- -"},                     {"+1 (212) 555-0100", "0012125550100"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char form[NUMBER_MAX], again[NUMBER_MAX];
        number_form(rows[i][0], form);
        ck_assert_msg(strcmp(form, rows[i][1]) == 0, "%s: %s", rows[i][0], form);
        number_form(form, again);
        ck_assert_str_eq(form, again);
    }
}
END_TEST

START_TEST(test_what_is_too_long_is_cut)
{
    char text[300], form[NUMBER_MAX];
    memset(text, '7', sizeof text);
    text[sizeof text - 1] = '\0';
    number_form(text, form);
    ck_assert_uint_ge(strlen(form), 40);
    ck_assert_uint_eq(strspn(form, "7"), strlen(form));
    text[0] = '+';
    number_form(text, form);
    ck_assert_int_eq(strncmp(form, "0077", 4), 0);
    memset(text, 'x', 200);
    number_form(text, form);
    ck_assert_uint_eq(strlen(form), NUMBER_MAX - 1);
}
END_TEST

START_TEST(test_entries)
{
    static const struct {
        const char *text, *form;
        enum number_kind kind;
    } rows[] = {{"+86 138 0013 8000", "13800138000", NUMBER_ONE},
                {" 010-88886666 ", "01088886666", NUMBER_ONE},
                {"400-800-1000", "4008001000", NUMBER_ONE},
                {"0900*", "0900*", NUMBER_PREFIX},
                {"09 00 *", "0900*", NUMBER_PREFIX},
                {"+852*", "00852*", NUMBER_PREFIX},
                {"0138*", "138*", NUMBER_PREFIX},
                {"13800138000-13800138099", "13800138000-13800138099", NUMBER_RANGE},
                {"8613800138000 ~ +86 138 0013 8099", "13800138000-13800138099", NUMBER_RANGE},
                {"010-8888 6000~010-8888 6999", "01088886000-01088886999", NUMBER_RANGE},
                {"8000-8000", "8000", NUMBER_ONE},
                {"anonymous", "anonymous", NUMBER_ONE},
                {"01234567890123456789-01234567890123456790", "01234567890123456789-01234567890123456790", NUMBER_RANGE}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct number_pattern p, q;
        struct err_info info = {0};
        char form[NUMBER_MAX], again[NUMBER_MAX];
        ck_assert_msg(number_pattern_parse(rows[i].text, &p, &info) == 0, "%s: %s", rows[i].text, info.text);
        ck_assert_int_eq(p.kind, rows[i].kind);
        number_pattern_text(&p, form);
        ck_assert_str_eq(form, rows[i].form);
        ck_assert_int_eq(number_pattern_parse(form, &q, &info), 0);
        number_pattern_text(&q, again);
        ck_assert_str_eq(again, form);
    }
}
END_TEST

START_TEST(test_what_is_no_entry)
{
    static const char *const bad[][2] = {{"", "prefix"},          {" ", "prefix"},           {"*", "digits"},
                                         {"13*8", "prefix"},      {"1380013800x", "prefix"}, {"a b", "prefix"},
                                         {"+86138*", "without +86"}, {"0086*", "without +86"}, {"123~1234", "as many"},
                                         {"2000-1000", "before"}, {"~5", "each side"},       {"5~", "each side"},
                                         {"123456789012345678901", "20 digits"},             {"a*", "digits"},
                                         {"10~20~30", "each side"}, {"号码", "prefix"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct number_pattern p = {.from = "as it was"};
        struct err_info info = {0};
        ck_assert_msg(number_pattern_parse(bad[i][0], &p, &info) == ERR_INVAL, "%s", bad[i][0]);
        ck_assert_msg(strstr(info.text, bad[i][1]) != NULL, "%s: %s", bad[i][0], info.text);
        ck_assert_str_eq(p.from, "as it was");
    }
}
END_TEST

START_TEST(test_entries_cover)
{
    static const struct {
        const char *entry, *number;
        bool covers;
    } c[] = {
        {"02155550000", "021-5555-0000", true},       {"02155550000", "+86 21 5555 0000", true},
        {"02155550000", "02155550001", false},        {"0215555*", "02155559999", true},
        {"0215555*", "0215556", false},               {"0215555*", "0215555", true},
        {"02155550000-02155550099", "02155550099", true}, {"02155550000-02155550099", "02155550100", false},
        {"02155550000-02155550099", "0215555000", false}, {"95500-95599", "955990", false},
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        struct number_pattern p;
        char form[NUMBER_MAX];
        ck_assert_int_eq(number_pattern_parse(c[i].entry, &p, NULL), 0);
        number_form(c[i].number, form);
        ck_assert_msg(number_pattern_covers(&p, form) == c[i].covers, "%s, %s", c[i].entry, c[i].number);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("numbers");
    TCase *t = tcase_create("numbers");
    tcase_add_test(t, test_forms);
    tcase_add_test(t, test_what_is_too_long_is_cut);
    tcase_add_test(t, test_entries);
    tcase_add_test(t, test_what_is_no_entry);
    tcase_add_test(t, test_entries_cover);
    suite_add_tcase(s, t);
    return run_suite(s);
}
