/* The process that shares the memory of another one, so that its descriptors close at once when it is killed. Each test is a reaper of
 * orphans: what a killed process leaves behind is its child. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raft/remains.h"
#include "tests/unit/suite.h"

static char folder[64];

static void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/remains-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

static void tear_down(void)
{
    char path[96];
    snprintf(path, sizeof path, "%s/remains", folder);
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

struct process {
    pid_t pid, remains;
    int fd; /* of a connection with it */
};

static void *idle(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static void live(int fd)
{
    pthread_t t;
    pid_t remains = 0;
    struct err_info info;
    if (remains_share(folder, &remains, &info) || pthread_create(&t, NULL, idle, NULL) ||
        write(fd, &remains, sizeof remains) != sizeof remains)
        _exit(1);
    for (;;)
        pause();
}

/* False when nothing shares its memory, as under sanitizers. */
static bool start(struct process *p)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    p->pid = fork();
    ck_assert_int_ge(p->pid, 0);
    if (!p->pid) {
        close(ends[0]);
        live(ends[1]);
    }
    close(ends[1]);
    p->fd = ends[0];
    ck_assert_int_eq(read(p->fd, &p->remains, sizeof p->remains), sizeof p->remains);
    return p->remains > 0;
}

static void kill_and_reap(pid_t pid)
{
    int status;
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}

static void ends(struct process *p)
{
    int status;
    if (p->remains > 0)
        ck_assert_int_eq(waitpid(p->remains, &status, __WALL), p->remains);
    close(p->fd);
}

static void closed(int fd)
{
    char c;
    ck_assert_int_eq(read(fd, &c, 1), 0);
}

static unsigned descriptors(pid_t pid)
{
    char path[64];
    unsigned n = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *d = opendir(path);
    ck_assert_ptr_nonnull(d);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

/* It stands still, and yet what the killed process had open is closed. */
START_TEST(test_descriptors_close_without_it)
{
    struct process p;
    if (start(&p)) {
        int status;
        /* it has begun by closing what it got of the other one's */
        while (descriptors(p.remains) > 2)
            sched_yield();
        ck_assert_int_eq(kill(p.remains, SIGSTOP), 0);
        kill_and_reap(p.pid);
        closed(p.fd);
        ck_assert_int_eq(waitpid(p.remains, &status, __WALL | WUNTRACED), p.remains);
        ck_assert(WIFSTOPPED(status));
        ck_assert_int_eq(kill(p.remains, SIGCONT), 0);
    } else {
        kill_and_reap(p.pid);
    }
    ends(&p);
}
END_TEST

/* A kill of the process group does not meet it. */
START_TEST(test_own_session)
{
    struct process p;
    if (start(&p)) {
        while (descriptors(p.remains) > 2)
            sched_yield();
        ck_assert_int_eq(getsid(p.remains), p.remains);
        ck_assert_int_eq(kill(p.remains, SIGTERM), 0);
        ck_assert_int_eq(kill(p.remains, 0), 0);
    }
    kill_and_reap(p.pid);
    ends(&p);
}
END_TEST

/* Somebody kills it: the other one lives on. */
START_TEST(test_killed_itself)
{
    struct process p;
    if (start(&p)) {
        char c;
        ck_assert_int_eq(kill(p.remains, SIGKILL), 0);
        ck_assert_int_eq(recv(p.fd, &c, 1, MSG_DONTWAIT), -1);
        ck_assert_int_eq(errno, EAGAIN);
    }
    kill_and_reap(p.pid);
    closed(p.fd);
    ends(&p);
}
END_TEST

/* The next process of the folder begins when the last one's memory is gone: a lock tells. */
START_TEST(test_next_one_waits)
{
    struct process p, next;
    char path[96];
    snprintf(path, sizeof path, "%s/remains", folder);
    if (start(&p)) {
        int fd = open(path, O_RDWR | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), -1);
        ck_assert_int_eq(errno, EWOULDBLOCK);
        close(fd);
    }
    kill_and_reap(p.pid);
    start(&next);
    ends(&p); /* had it not gone before, this would be no end of the test */
    kill_and_reap(next.pid);
    ends(&next);
}
END_TEST

START_TEST(test_folder_is_missing)
{
    pid_t pid;
    struct err_info info;
    ck_assert_int_eq(remains_share("/nonexistent", &pid, &info), ERR_NOTFOUND);
    ck_assert_str_eq(info.field, "dir");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("remains");
    TCase *t = tcase_create("remains");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, test_descriptors_close_without_it);
    tcase_add_test(t, test_own_session);
    tcase_add_test(t, test_killed_itself);
    tcase_add_test(t, test_next_one_waits);
    tcase_add_test(t, test_folder_is_missing);
    suite_add_tcase(s, t);
    return run_suite(s);
}
