/* Time. */
#include <check.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/suite.h"

START_TEST(monotonic_does_not_go_back)
{
    struct clock_mono last = clock_mono_now();
    ck_assert_uint_gt(last.us, 0);
    for (int i = 0; i < 100000; i++) {
        struct clock_mono now = clock_mono_now();
        ck_assert_uint_ge(now.us, last.us);
        last = now;
    }
}
END_TEST

static uint64_t boot_us(void)
{
    struct timespec ts;
    ck_assert_int_eq(clock_gettime(CLOCK_BOOTTIME, &ts), 0);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

/* From now on children see a machine that has been suspended for an hour, where we may make them a clock of their own. */
static void an_hour_of_suspend(void)
{
    static const char offset[] = "boottime 3600 0\n";
    if (unshare(CLONE_NEWTIME) && unshare(CLONE_NEWUSER | CLONE_NEWTIME))
        return;
    int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, offset, sizeof offset - 1), (int)sizeof offset - 1);
    ck_assert_int_eq(close(fd), 0);
}

START_TEST(monotonic_goes_on_in_suspend)
{
    an_hour_of_suspend();
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        uint64_t before = boot_us(), now = clock_mono_now().us;
        _exit(now >= before && now <= boot_us() ? 0 : 1);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

START_TEST(wall_clock_is_the_systems)
{
    time_t before = time(NULL);
    struct clock_wall now = clock_wall_now();
    time_t after = time(NULL);
    ck_assert_uint_ge(now.us / 1000000 + 1, (uint64_t)before);
    ck_assert_uint_le(now.us / 1000000, (uint64_t)after + 1);
}
END_TEST

START_TEST(text_is_rfc_3339)
{
    static const struct {
        uint64_t us;
        const char *text;
    } cases[] = {
        {0, ""},
        {1, "1970-01-01T00:00:00.000Z"},
        {UINT64_C(1772357400125999), "2026-03-01T09:30:00.125Z"},
        {UINT64_C(951782399999000), "2000-02-28T23:59:59.999Z"},
        {UINT64_C(951782400000000), "2000-02-29T00:00:00.000Z"},
        {UINT64_C(4102444800000000), "2100-01-01T00:00:00.000Z"},
    };
    char out[CLOCK_TEXT_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_ptr_eq(clock_wall_text((struct clock_wall){cases[i].us}, out), out);
        ck_assert_str_eq(out, cases[i].text);
    }
    clock_wall_text((struct clock_wall){UINT64_MAX}, out);
    ck_assert_uint_lt(strlen(out), CLOCK_TEXT_MAX);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("clock");
    TCase *t = tcase_create("clock");
    tcase_add_test(t, monotonic_does_not_go_back);
    tcase_add_test(t, monotonic_goes_on_in_suspend);
    tcase_add_test(t, wall_clock_is_the_systems);
    tcase_add_test(t, text_is_rfc_3339);
    suite_add_tcase(s, t);
    return run_suite(s);
}
