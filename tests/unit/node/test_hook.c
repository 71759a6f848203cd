/* The address hook: its exit code, its words, its time limit, and what it gets from us. Each test has a folder. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/hook.h"
#include "tests/unit/suite.h"

static char folder[64], hook[96], record[96];
static uv_loop_t loop;

struct outcome {
    unsigned calls;
    int status;
    char why[256];
};

static void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/hook-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(hook, sizeof hook, "%s/hook", folder);
    snprintf(record, sizeof record, "%s/record", folder);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
}

static void tear_down(void)
{
    char command[128];
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void script(const char *body)
{
    FILE *f = fopen(hook, "w");
    ck_assert_ptr_nonnull(f);
    fprintf(f, "#!/bin/sh\n%s\n", body);
    fclose(f);
    ck_assert_int_eq(chmod(hook, 0700), 0);
}

static void on_done(void *ctx, int status, const char *why)
{
    struct outcome *o = ctx;
    o->calls++;
    o->status = status;
    snprintf(o->why, sizeof o->why, "%s", why);
}

static struct outcome run(const char *verb)
{
    struct outcome o = {0};
    char why[160];
    int rc = hook_run(&loop, hook, verb, "192.0.2.7", on_done, &o, why, sizeof why);
    ck_assert_msg(rc == 0, "%s", why);
    ck_assert_uint_eq(o.calls, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_uint_eq(o.calls, 1);
    return o;
}

static const char *recorded(void)
{
    static char text[1024];
    FILE *f = fopen(record, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = '\0';
    return text;
}

START_TEST(arguments_and_an_empty_world)
{
    char body[256];
    /* A descriptor that a library opened without close-on-exec does not get there. */
    int null = open("/dev/null", O_RDONLY), stray = fcntl(null, F_DUPFD, 100);
    ck_assert_int_ge(stray, 100);
    close(null);
    ck_assert_int_eq(setenv("SECRET_OF_THE_NODE", "yes", 1), 0);
    snprintf(body, sizeof body, "echo \"$# $1 $2 [$SECRET_OF_THE_NODE] [${PATH:+path}]\" >%s\nls /proc/$$/fd >>%s",
             record, record);
    script(body);
    struct outcome o = run("add");
    ck_assert_int_eq(o.status, 0);
    char first[64], missing[16];
    ck_assert_int_eq(sscanf(recorded(), "%63[^\n]", first), 1);
    ck_assert_str_eq(first, "2 add 192.0.2.7 [] [path]");
    snprintf(missing, sizeof missing, "\n%d\n", stray);
    ck_assert_msg(!strstr(recorded(), missing), "descriptor %d is open there: %s", stray, recorded());
    close(stray);
}
END_TEST

START_TEST(failing_says_why)
{
    script("echo first >&2; echo no such device >&2; exit 3");
    struct outcome o = run("add");
    ck_assert_int_eq(o.status, ERR_IO);
    ck_assert_str_eq(o.why, "the hook said 3: no such device");
    script("kill -TERM $$");
    o = run("del");
    ck_assert_int_eq(o.status, ERR_IO);
    ck_assert_str_eq(o.why, "the hook was ended by signal 15");
}
END_TEST

START_TEST(hanging_is_ended)
{
    script("exec sleep 600");
    struct outcome o = run("add");
    ck_assert_int_eq(o.status, ERR_IO);
    ck_assert_msg(strstr(o.why, "took longer") != NULL, "%s", o.why);
}
END_TEST

/* What it leaves in the background, holding its standard error, does not keep us waiting for it. */
START_TEST(background_work_is_not_waited_for)
{
    char body[128];
    snprintf(body, sizeof body, "sleep 600 & echo $! >%s; exit 0", record);
    script(body);
    struct outcome o = run("add");
    ck_assert_int_eq(o.status, 0);
    char command[64];
    int pid = atoi(recorded());
    ck_assert_int_gt(pid, 1);
    snprintf(command, sizeof command, "kill %d", pid);
    ck_assert_int_eq(system(command), 0); /* it was still there */
}
END_TEST

START_TEST(cannot_be_run)
{
    struct outcome o = {0};
    char why[160] = "";
    ck_assert_int_eq(hook_run(&loop, hook, "add", "192.0.2.7", on_done, &o, why, sizeof why), ERR_IO);
    ck_assert_msg(strstr(why, "cannot be run") != NULL, "%s", why);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_uint_eq(o.calls, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("hook");
    TCase *t = tcase_create("hook");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, arguments_and_an_empty_world);
    tcase_add_test(t, failing_says_why);
    tcase_add_test(t, hanging_is_ended);
    tcase_add_test(t, background_work_is_not_waited_for);
    tcase_add_test(t, cannot_be_run);
    suite_add_tcase(s, t);
    return run_suite(s);
}
