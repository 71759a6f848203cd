/* The log: one line per event, whatever the text; JSON that a parser takes. Standard error goes to a file meanwhile. */
#include <check.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/unit/suite.h"

static char logged[1 << 20];

/* Runs `fn` and leaves what it logged in `logged`. */
static void capture(void (*fn)(void))
{
    FILE *f = tmpfile();
    ck_assert_ptr_nonnull(f);
    int saved = dup(STDERR_FILENO);
    dup2(fileno(f), STDERR_FILENO);
    fn();
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(f);
    size_t n = fread(logged, 1, sizeof logged - 1, f);
    logged[n] = '\0';
    fclose(f);
}

static void log_levels(void)
{
    log_debug("part", "never %d", 1);
    log_info("part", "never %d", 2);
    log_notice("part", "yes %d", 3);
    log_warn("part", "yes %d", 4);
    log_error("part", "yes %d", 5);
}

START_TEST(levels_and_text_form)
{
    log_setup(LOG_NOTICE, false, "node1");
    ck_assert(!log_enabled(LOG_INFO));
    ck_assert(log_enabled(LOG_NOTICE));
    capture(log_levels);
    ck_assert_ptr_null(strstr(logged, "never"));
    char *line = strtok(logged, "\n");
    static const char *const ends[] = {"notice node1 part: yes 3", "warn   node1 part: yes 4",
                                       "error  node1 part: yes 5"};
    for (int i = 0; i < 3; i++, line = strtok(NULL, "\n")) {
        ck_assert_ptr_nonnull(line);
        ck_assert_msg(strlen(line) == 25 + strlen(ends[i]) && strcmp(line + 25, ends[i]) == 0, "'%s'", line);
        ck_assert_int_eq(line[10], 'T');
        ck_assert_int_eq(line[23], 'Z');
    }
    ck_assert_ptr_null(line);
}
END_TEST

static const char *evil = "one\ntwo\r\x1b[31m \"quoted\" \\ \x01 \xff\xfe \xe4\xbd\xa0";

static void log_evil(void)
{
    log_error("sip", "%s", evil);
}

START_TEST(a_line_stays_a_line)
{
    log_setup(LOG_INFO, false, "n");
    capture(log_evil);
    ck_assert_ptr_eq(strchr(logged, '\n'), logged + strlen(logged) - 1);
    for (char *s = logged; *s && *s != '\n'; s++)
        ck_assert_int_ge((unsigned char)*s, 0x20);
    ck_assert_ptr_nonnull(strstr(logged, "\xe4\xbd\xa0"));
}
END_TEST

START_TEST(json_form)
{
    log_setup(LOG_INFO, true, "n-1");
    capture(log_evil);
    json_error_t e;
    json_t *v = json_loads(logged, 0, &e);
    ck_assert_msg(v != NULL, "%s: %s", e.text, logged);
    ck_assert_str_eq(json_string_value(json_object_get(v, "level")), "error");
    ck_assert_str_eq(json_string_value(json_object_get(v, "node")), "n-1");
    ck_assert_str_eq(json_string_value(json_object_get(v, "part")), "sip");
    ck_assert_str_eq(json_string_value(json_object_get(v, "text")),
                     "one\ntwo\r\x1b[31m \"quoted\" \\ \x01 ?? \xe4\xbd\xa0");
    ck_assert_uint_eq(strlen(json_string_value(json_object_get(v, "time"))), 24);
    json_decref(v);
}
END_TEST

static char huge[5000];

static void log_huge(void)
{
    log_error("x", "%s", huge);
}

START_TEST(long_texts_are_cut)
{
    static const char *const fills[] = {"a", "\"", "\x01", "\xe4\xbd\xa0", "\xff"};
    for (size_t i = 0; i < sizeof fills / sizeof *fills; i++)
        for (size_t shift = 0; shift < 3; shift++) {
            size_t n = strlen(fills[i]), at = shift;
            memset(huge, 'a', sizeof huge);
            for (; at + n < sizeof huge; at += n)
                memcpy(huge + at, fills[i], n);
            huge[at] = '\0';
            log_setup(LOG_INFO, true, "n");
            capture(log_huge);
            json_error_t e;
            json_t *v = json_loads(logged, 0, &e);
            ck_assert_msg(v != NULL, "fill %zu: %s", i, e.text);
            ck_assert_uint_ge(strlen(json_string_value(json_object_get(v, "text"))), 1000);
            json_decref(v);
            log_setup(LOG_INFO, false, "n");
            capture(log_huge);
            ck_assert_ptr_eq(strchr(logged, '\n'), logged + strlen(logged) - 1);
        }
}
END_TEST

static void *log_many(void *arg)
{
    for (int i = 0; i < 500; i++)
        log_info("t", "%s %d end", (const char *)arg, i);
    return NULL;
}

static void log_from_threads(void)
{
    pthread_t t[4];
    static char names[4][2] = {"A", "B", "C", "D"};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, log_many, names[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
}

START_TEST(lines_never_interleave)
{
    log_setup(LOG_INFO, false, "n");
    capture(log_from_threads);
    int next[4] = {0}, lines = 0, number;
    char who;
    for (char *line = strtok(logged, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        ck_assert_int_eq(sscanf(line + 25, "info   n t: %c %d end", &who, &number), 2);
        ck_assert_int_eq(number, next[who - 'A']++);
    }
    ck_assert_int_eq(lines, 2000);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("log");
    TCase *t = tcase_create("log");
    tcase_add_test(t, levels_and_text_form);
    tcase_add_test(t, a_line_stays_a_line);
    tcase_add_test(t, json_form);
    tcase_add_test(t, long_texts_are_cut);
    tcase_add_test(t, lines_never_interleave);
    suite_add_tcase(s, t);
    return run_suite(s);
}
