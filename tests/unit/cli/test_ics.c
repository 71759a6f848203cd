/* Calendar files: what is taken, what is refused and where. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli_ics.h"
#include "tests/unit/suite.h"

#define EVENT(...) "BEGIN:VEVENT\r\n" __VA_ARGS__ "END:VEVENT\r\n"
#define FILE_OF(x) "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" x "END:VCALENDAR\r\n"
#define DAY(d) "DTSTART;VALUE=DATE:" d "\r\n"

static const char *const words[] = {"班", "workday"};

/* "DATE kind name; ..." */
static char *parsed(const char *text)
{
    static char out[4096];
    json_t *days = NULL, *d;
    struct err_info info = {0};
    size_t i;
    ck_assert_msg(cli_ics_parse(text, strlen(text), words, 2, &days, &info) == 0, "line %u: %s", info.line, info.text);
    out[0] = '\0';
    json_array_foreach(days, i, d)
    {
        size_t n = strlen(out);
        snprintf(out + n, sizeof out - n, "%s%s %s %s", n ? "; " : "", json_string_value(json_object_get(d, "date")),
                 json_string_value(json_object_get(d, "kind")), json_string_value(json_object_get(d, "name")));
    }
    json_decref(days);
    return out;
}

START_TEST(what_is_taken)
{
    static const struct {
        const char *text, *days;
    } rows[] = {
        {FILE_OF(EVENT(DAY("20261001") "DTEND;VALUE=DATE:20261003\r\nSUMMARY:国庆节\r\n") EVENT(DAY("20260210") "SUMMARY:春节 补班\r\n")),
         "2026-02-10 work 春节 补班; 2026-10-01 off 国庆节; 2026-10-02 off 国庆节"},
        {FILE_OF(EVENT(DAY("20261231") "DTEND;VALUE=DATE:20270101\r\nSUMMARY:WorkDay swap\r\n")), "2026-12-31 work WorkDay swap"},
        {FILE_OF(EVENT(DAY("20240229"))), "2024-02-29 off "},
        {FILE_OF(EVENT(DAY("20261001") "DTEND;VALUE=DATE:20261001\r\n")), "2026-10-01 off "},
        {FILE_OF(EVENT("DTSTART:20261001\r\n")), "2026-10-01 off "},
        {FILE_OF(EVENT("dtstart;value=date:2026\r\n 10\r\n\t01\r\nSUMMARY;LANGUAGE=\"a:b\":One\\, two\\; \\\\\r\n  three\\nfour\r\n")), "2026-10-01 off One, two; \\ three four"},
        {FILE_OF(EVENT(DAY("20261001") "SUMMARY:a\r\n") EVENT(DAY("20261001") "SUMMARY:b\r\n")), "2026-10-01 off a"},
        {FILE_OF(EVENT(DAY("20261001") "STATUS:CANCELLED\r\n") EVENT(DAY("20261002"))), "2026-10-02 off "},
        {FILE_OF("BEGIN:VTIMEZONE\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nRRULE:FREQ=YEARLY\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n" EVENT(
             DAY("20261001") "BEGIN:VALARM\r\nDURATION:P1D\r\nSUMMARY:no\r\nEND:VALARM\r\nSUMMARY:yes\r\n")),
         "2026-10-01 off yes"},
        {"\xef\xbb\xbf" "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20261001\nEND:VEVENT\nEND:VCALENDAR", "2026-10-01 off "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_str_eq(parsed(rows[i].text), rows[i].days);
}
END_TEST

START_TEST(what_is_refused)
{
    static const struct {
        const char *text;
        int code;
        unsigned line;
        const char *part;
    } rows[] = {
        {"", ERR_INVAL, 1, "no days"},
        {"<html>", ERR_INVAL, 1, "NAME:VALUE"},
        {"VERSION:2.0\r\n", ERR_INVAL, 1, "BEGIN:VCALENDAR"},
        {"BEGIN:VEVENT\r\n", ERR_INVAL, 1, "BEGIN:VCALENDAR"},
        {FILE_OF(""), ERR_INVAL, 4, "no days"},
        {"BEGIN:VCALENDAR\r\n" EVENT(DAY("20261001")), ERR_INVAL, 5, "END:VCALENDAR"},
        {FILE_OF(EVENT(DAY("20261001") "RRULE:FREQ=YEARLY\r\n")), ERR_UNSUPPORTED, 5, "repeats"},
        {FILE_OF(EVENT(DAY("20261001") "EXDATE;VALUE=DATE:20261002\r\n")), ERR_UNSUPPORTED, 5, "repeats"},
        {FILE_OF(EVENT(DAY("20261001") "DURATION:P2D\r\n")), ERR_UNSUPPORTED, 5, "DTEND"},
        {FILE_OF(EVENT("DTSTART:20261001T080000Z\r\n")), ERR_UNSUPPORTED, 4, "time of day"},
        {FILE_OF(EVENT("DTSTART;VALUE=DATE-TIME:20261001\r\n")), ERR_UNSUPPORTED, 4, "time of day"},
        {FILE_OF(EVENT(DAY("20260229"))), ERR_INVAL, 4, "not a day"},
        {FILE_OF(EVENT(DAY("2026-10-01"))), ERR_INVAL, 4, "not a day"},
        {FILE_OF(EVENT(DAY("19691231"))), ERR_INVAL, 4, "not a day"},
        {FILE_OF(EVENT(DAY("20261001") DAY("20261002"))), ERR_INVAL, 5, "twice"},
        {FILE_OF(EVENT("SUMMARY:a\r\n")), ERR_INVAL, 3, "without DTSTART"},
        {FILE_OF(EVENT(DAY("20261002") "DTEND;VALUE=DATE:20261001\r\n")), ERR_INVAL, 3, "before it begins"},
        {FILE_OF(EVENT(DAY("20260101") "DTEND;VALUE=DATE:20270103\r\n")), ERR_TOOBIG, 3, "more than a year"},
        {FILE_OF(EVENT(DAY("20261001") "SUMMARY:a\r\n") EVENT(DAY("20261001") "SUMMARY:补班\r\n")), ERR_INVAL, 7, "2026-10-01 is both"},
        {FILE_OF(EVENT(DAY("20261001") "SUMMARY:\xff\r\n")), ERR_INVAL, 3, "UTF-8"},
        {"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VCALENDAR\r\n", ERR_INVAL, 3, "something else"},
        {"BEGIN:VCALENDAR\r\nEND:VEVENT\r\n", ERR_INVAL, 2, "something else"},
        {"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\nEND:VCALENDAR\r\n", ERR_INVAL, 3, "BEGIN:VCALENDAR"},
        {"BEGIN:VCALENDAR\r\nno colon\r\n", ERR_INVAL, 2, "NAME:VALUE"},
        {"BEGIN:VCALENDAR\r\nX;A=\"b:c\r\n", ERR_INVAL, 2, "NAME:VALUE"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *days = NULL;
        struct err_info info = {0};
        int err = cli_ics_parse(rows[i].text, strlen(rows[i].text), words, 2, &days, &info);
        ck_assert_msg(err == rows[i].code && info.line == rows[i].line && strstr(info.text, rows[i].part), "row %zu: %d, line %u: %s", i, err, info.line,
                      info.text);
        ck_assert_ptr_null(days);
    }
    json_t *days = NULL;
    struct err_info info = {0};
    static const char nul[] = FILE_OF(EVENT(DAY("20261001") "SUMMARY:a\0b\r\n"));
    ck_assert_int_eq(cli_ics_parse(nul, sizeof nul - 1, words, 2, &days, &info), ERR_INVAL);
    ck_assert_uint_eq(info.line, 5);
}
END_TEST

START_TEST(limits)
{
    size_t size = CLI_ICS_BYTES_MAX + 1;
    char *text = calloc(1, size);
    json_t *days = NULL;
    struct err_info info = {0};
    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(cli_ics_parse(text, size, words, 2, &days, &info), ERR_TOOBIG);
    /* eleven whole years are too many days, ten are not */
    for (int years = 10; years <= 11; years++) {
        size_t n = (size_t)snprintf(text, size, "BEGIN:VCALENDAR\n");
        for (int y = 0; y < years; y++)
            n += (size_t)snprintf(text + n, size - n, "BEGIN:VEVENT\nDTSTART:%d0101\nDTEND:%d0101\nEND:VEVENT\n", 2020 + y, 2021 + y);
        n += (size_t)snprintf(text + n, size - n, "END:VCALENDAR\n");
        int err = cli_ics_parse(text, n, words, 2, &days, &info);
        ck_assert_int_eq(err, years == 10 ? 0 : ERR_TOOBIG);
        if (!err)
            ck_assert_uint_eq(json_array_size(days), 3653);
        json_decref(days);
        days = NULL;
    }
    /* a name is cut at 128 bytes, never inside a character; without words nothing is worked */
    size_t n = (size_t)snprintf(text, size, "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261001\nSUMMARY:workday");
    for (int i = 0; i < 60; i++)
        n += (size_t)snprintf(text + n, size - n, "国");
    n += (size_t)snprintf(text + n, size - n, "\nEND:VEVENT\nEND:VCALENDAR\n");
    ck_assert_int_eq(cli_ics_parse(text, n, NULL, 0, &days, &info), 0);
    json_t *d = json_array_get(days, 0);
    ck_assert_uint_eq(json_string_length(json_object_get(d, "name")), 7 + 40 * 3);
    ck_assert_str_eq(json_string_value(json_object_get(d, "kind")), "off");
    json_decref(days);
    free(text);
}
END_TEST

int main(void)
{
    setenv("TZ", "Asia/Shanghai", 1); /* which must not matter */
    TCase *tc = tcase_create("ics");
    tcase_add_test(tc, what_is_taken);
    tcase_add_test(tc, what_is_refused);
    tcase_add_test(tc, limits);
    Suite *s = suite_create("ics");
    suite_add_tcase(s, tc);
    return run_suite(s);
}
