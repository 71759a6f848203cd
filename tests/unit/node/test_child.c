/* Helper programs: what they get, what they say, and how they end. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "node/child.h"
#include "tests/unit/suite.h"

static int in, out, stop;
static struct err_info info;

static void up(void)
{
    in = memfd_create("in", MFD_CLOEXEC);
    out = memfd_create("out", MFD_CLOEXEC);
    stop = eventfd(0, EFD_CLOEXEC);
    ck_assert(in >= 0 && out >= 0 && stop >= 0);
}

static void down(void)
{
    close(in);
    close(out);
    close(stop);
}

static int shell(const char *script, unsigned timeout_ms)
{
    char *const argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)script, NULL};
    memset(&info, 0, sizeof info);
    return child_run(argv, in, out, stop, timeout_ms, &info);
}

static const char *written(void)
{
    static char buf[512];
    ssize_t n = pread(out, buf, sizeof buf - 1, 0);
    buf[n > 0 ? n : 0] = '\0';
    return buf;
}

START_TEST(input_output_and_nothing_else)
{
    ck_assert_int_eq(write(in, "text", 4), 4);
    ck_assert_int_eq(lseek(in, 0, SEEK_SET), 0);
    ck_assert_int_ge(open("/dev/null", O_RDONLY), 0); /* one that must not be inherited */
    ck_assert_int_eq(shell("cat; ls /proc/self/fd | wc -l; env | sort", 20000), 0);
    ck_assert_msg(strncmp(written(), "text4\n", 6) == 0, "%s", written()); /* three, and that of ls itself */
    ck_assert_ptr_null(strstr(written(), "HOME="));
}
END_TEST

START_TEST(complaints_are_told)
{
    ck_assert_int_eq(shell("echo first >&2; echo 'no \033[1m sound' >&2; exit 1", 20000), ERR_INVAL);
    ck_assert_str_eq(info.text, "no  [1m sound");
    ck_assert_int_eq(shell("exit 3", 20000), ERR_IO);
    ck_assert_ptr_nonnull(strstr(info.text, "failed"));
    ck_assert_int_eq(shell("kill -SEGV $$", 20000), ERR_IO);
    ck_assert_ptr_nonnull(strstr(info.text, "signal 11"));
    char *const argv[] = {(char *)(uintptr_t) "/nowhere/program", NULL};
    ck_assert_int_eq(child_run(argv, in, out, stop, 1000, &info), ERR_IO);
    ck_assert_ptr_nonnull(strstr(info.text, "cannot be run"));
}
END_TEST

/* With all that it has started: nothing of it holds `in` open any more, which a lock would show. */
START_TEST(it_is_ended_with_all_its_children)
{
    ck_assert_int_eq(shell("sleep 600 & echo $!; sleep 600", 300), ERR_TIMEOUT);
    pid_t pid = (pid_t)atoi(written());
    ck_assert_int_gt(pid, 1);
    for (uint64_t until = clock_mono_now().us + 10000000; kill(pid, 0) == 0;) {
        char path[64], line[256] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        FILE *f = fopen(path, "r");
        if (f) {
            (void)!fgets(line, sizeof line, f);
            fclose(f);
        }
        if (!line[0] || strstr(line, ") Z "))
            break; /* dead, and not yet looked at by whoever inherited it */
        ck_assert_uint_lt(clock_mono_now().us, until);
    }
}
END_TEST

START_TEST(a_stop_ends_it_at_once)
{
    ck_assert_int_eq(eventfd_write(stop, 1), 0);
    ck_assert_int_eq(shell("sleep 600", 600000), ERR_CLOSED);
}
END_TEST

static void nothing(int sig)
{
    (void)sig;
}

static void *knocks(void *arg)
{
    const pthread_t *whom = arg;
    for (int i = 0; i < 20; i++) {
        pthread_kill(*whom, SIGUSR1);
        poll(NULL, 0, 10);
    }
    return NULL;
}

/* The end of another child is a signal, which any thread may get. */
START_TEST(a_signal_is_not_the_end)
{
    pthread_t me = pthread_self(), t;
    const struct sigaction a = {.sa_handler = nothing};
    ck_assert_int_eq(sigaction(SIGUSR1, &a, NULL), 0);
    ck_assert_int_eq(pthread_create(&t, NULL, knocks, &me), 0);
    ck_assert_int_eq(shell("sleep 1; echo done", 20000), 0);
    ck_assert_int_eq(pthread_join(t, NULL), 0);
    ck_assert_str_eq(written(), "done\n");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("child");
    TCase *t = tcase_create("child");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, input_output_and_nothing_else);
    tcase_add_test(t, complaints_are_told);
    tcase_add_test(t, it_is_ended_with_all_its_children);
    tcase_add_test(t, a_stop_ends_it_at_once);
    tcase_add_test(t, a_signal_is_not_the_end);
    suite_add_tcase(s, t);
    return run_suite(s);
}
