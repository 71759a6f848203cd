/* ccctl top without a terminal: what is drawn of what was read, and what keys do. */
#include "cli/cli_out.h"
#include "cli/cli_top.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct cli_top t;
static char text[16384];

static void setup(void)
{
    cli_out_init();
    memset(&t, 0, sizeof t);
    snprintf(t.server, sizeof t.server, "https://192.0.2.1:8443");
    snprintf(t.at, sizeof t.at, "09:30:00");
    t.view = 1;
    t.agents = json_loads("[{\"number\":\"1003\",\"name\":\"Li\",\"group\":\"east\",\"state\":\"talking\",\"answered\":12,\"call\":{\"caller\":\"138\"}},"
                          "{\"number\":\"1001\",\"name\":\"\\u738b\\u82b3\",\"group\":\"east\",\"state\":\"idle\",\"answered\":3,\"call\":null},"
                          "{\"number\":\"1002\",\"name\":\"a\\u001b[31mb\",\"group\":\"west\",\"state\":\"logged_out\",\"answered\":0}]",
                          0, NULL);
    t.waiting = json_loads("[{\"queued_at\":\"2026-03-01T09:30:00Z\"},{\"queued_at\":\"2026-03-01T09:29:00Z\"}]", 0, NULL);
    t.rows = json_incref(t.agents);
    ck_assert(t.agents && t.waiting);
}

static void teardown(void)
{
    json_decref(t.rows);
    json_decref(t.agents);
    json_decref(t.waiting);
}

static void draw(unsigned width, unsigned height)
{
    FILE *f = fmemopen(text, sizeof text, "w");
    ck_assert_int_eq(cli_top_draw(&t, f, width, height, false), 0);
    fclose(f);
}

/* The first cells of the lines of the table. */
static void rows_are(const char *want)
{
    char have[200] = "";
    draw(0, 0);
    const char *line = strchr(strchr(strchr(strchr(text, '\n') + 1, '\n') + 1, '\n') + 1, '\n') + 1;
    for (; line && strchr(line, '\n') && strchr(line, '\n')[1]; line = strchr(line, '\n') + 1)
        snprintf(have + strlen(have), sizeof have - strlen(have), "%.*s ", (int)strcspn(line, " "), line);
    ck_assert_msg(strcmp(have, want) == 0, "%s in\n%s", have, text);
}

START_TEST(sorted_and_filtered)
{
    unsigned column;
    rows_are("1001 1002 1003 ");
    ck_assert(strstr(text, "agents 1 idle, 0 ringing, 1 talking, 0 wrap-up, 0 not ready, 1 out  waiting 2, longest "));
    ck_assert(strstr(text, "NUMBER+"));
    ck_assert(strstr(text, "3 of 3 agents"));
    t.reverse[1] = true;
    rows_are("1003 1002 1001 ");
    ck_assert(cli_top_column(1, "answered", &column));
    t.sort[1] = column;
    t.reverse[1] = false;
    rows_are("1002 1001 1003 "); /* as numbers, not as texts */
    ck_assert(cli_top_column(1, "CALLER", &column));
    t.sort[1] = column;
    rows_are("1003 1001 1002 "); /* who has none comes last */
    t.reverse[1] = true;
    rows_are("1003 1001 1002 ");
    snprintf(t.filter, sizeof t.filter, "EAST");
    rows_are("1003 1001 ");
    ck_assert(strstr(text, "2 of 3 agents"));
    snprintf(t.filter, sizeof t.filter, "王");
    rows_are("1001 ");
    ck_assert(!cli_top_column(1, "NOTHING", &column));
    ck_assert(!cli_top_column(0, "NUMBER", &column));
}
END_TEST

/* Every line of a picture is as wide as the terminal at most, in columns of it; wide characters stay whole. */
START_TEST(fits_the_terminal)
{
    for (unsigned width = 1; width < 140; width += width < 40 ? 1 : 17) {
        draw(width, 8);
        unsigned lines = 0;
        char *save = NULL;
        for (char *line = strtok_r(text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
            char *end = strstr(line, "\033[K");
            ck_assert_ptr_nonnull(end);
            *end = '\0';
            ck_assert_msg(cli_out_width(line) <= width, "%u: %s", width, line);
            ck_assert_ptr_null(strchr(line, '\033')); /* nor does a name reach the terminal as a command */
            ck_assert_ptr_null(strstr(line, "\xEF\xBF\xBD\xEF\xBF\xBD"));
            lines++;
        }
        ck_assert_uint_eq(lines, 8);
    }
    draw(0, 0);
    /* columns behind a name of wide characters line up */
    const char *wide = strstr(text, "王芳"), *narrow = strstr(text, "Li ");
    ck_assert(wide && narrow);
    ck_assert_uint_eq((size_t)(strstr(wide, "east") - wide) - 6 + 4, (size_t)(strstr(narrow, "east") - narrow));
}
END_TEST

static void keys(const char *s)
{
    for (; *s; s++)
        ck_assert(cli_top_key(&t, (unsigned char)*s));
}

START_TEST(what_keys_do)
{
    keys("s");
    ck_assert_uint_eq(t.sort[1], 1);
    keys("SSS");
    ck_assert_uint_gt(t.sort[1], 5); /* round from the other end */
    keys("r ");
    ck_assert(t.reverse[1] && t.paused);
    keys(" h");
    ck_assert(t.help && !t.paused);
    draw(60, 20);
    ck_assert_ptr_nonnull(strstr(text, "quit"));
    keys("x");
    ck_assert(!t.help);
    keys("/q\xE7\x8E\x8B"); /* a letter of the filter now */
    ck_assert_str_eq(t.filter, "q王");
    keys("\x7f\x7f");
    ck_assert_str_eq(t.filter, "");
    keys("12\r");
    ck_assert(!t.typing);
    ck_assert_str_eq(t.filter, "12");
    keys("/\x1b");
    ck_assert_str_eq(t.filter, "");
    keys("5");
    ck_assert_uint_eq(t.view, 4);
    ck_assert_ptr_null(t.rows); /* they were of another view */
    draw(80, 10);
    keys("\t");
    ck_assert_uint_eq(t.view, 0);
    ck_assert(cli_top_key(&t, CLI_TOP_LAST));
    ck_assert_uint_eq(t.view, 4);
    ck_assert(!cli_top_key(&t, 'q'));
}
END_TEST

START_TEST(scrolls_within_bounds)
{
    draw(80, 7); /* two rows fit: head, summary, views, titles, two, foot */
    ck_assert_uint_eq(t.page, 2);
    for (int i = 0; i < 5; i++)
        cli_top_key(&t, CLI_TOP_DOWN);
    ck_assert_uint_eq(t.first, 1);
    draw(80, 7);
    ck_assert_ptr_nonnull(strstr(text, "1003"));
    ck_assert_ptr_null(strstr(text, "1001"));
    cli_top_key(&t, CLI_TOP_PAGE_UP);
    ck_assert_uint_eq(t.first, 0);
    cli_top_key(&t, CLI_TOP_END);
    ck_assert_uint_eq(t.first, 1);
    draw(80, 30); /* the terminal grows: all of them */
    ck_assert_uint_eq(t.first, 0);
    cli_top_key(&t, CLI_TOP_UP);
    ck_assert_uint_eq(t.first, 0);
}
END_TEST

START_TEST(trouble_is_told)
{
    snprintf(t.trouble, sizeof t.trouble, "no answer\033[2J from n1");
    draw(80, 9);
    ck_assert_ptr_nonnull(strstr(text, "no answer\xEF\xBF\xBD[2J from n1"));
    ck_assert_ptr_nonnull(strstr(text, "1001")); /* what was read last stays */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("top");
    TCase *c = tcase_create("top");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, sorted_and_filtered);
    tcase_add_test(c, fits_the_terminal);
    tcase_add_test(c, what_keys_do);
    tcase_add_test(c, scrolls_within_bounds);
    tcase_add_test(c, trouble_is_told);
    suite_add_tcase(s, c);
    return run_suite(s);
}
