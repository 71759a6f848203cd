#include "raft/remains.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
    __has_feature(thread_sanitizer)
#define REMAINS_SANITIZED true
#else
#define REMAINS_SANITIZED false
#endif

#define REMAINS_STACK_BYTES 16384u

struct remains_args {
    pid_t pid;
    unsigned lock;
};

/* In the other process. Its thread pointer is ours, so nothing is called that keeps a state of its thread: plain system calls, none
 * of which fails as long as we live. */
static int remains_main(void *arg)
{
    const struct remains_args a = *(const struct remains_args *)arg;
    (void)syscall(SYS_setsid);
    (void)syscall(SYS_prctl, PR_SET_NAME, "remains", 0, 0, 0);
    if (a.lock)
        (void)syscall(SYS_close_range, 0u, a.lock - 1u, 0u);
    (void)syscall(SYS_close_range, a.lock + 1u, UINT_MAX, 0u);
    struct pollfd gone = {.fd = (int)syscall(SYS_pidfd_open, a.pid, 0u), .events = POLLIN};
    while (gone.fd >= 0 && syscall(SYS_ppoll, &gone, 1ul, NULL, NULL, 0ul) != 1)
        continue;
    return 0; /* the memory goes, and waits for what is still being written; then the lock */
}

static pid_t remains_clone(int lock)
{
    static char stack[REMAINS_STACK_BYTES] __attribute__((aligned(16)));
    static struct remains_args args;
    sigset_t all, before;
    sigfillset(&all);
    args = (struct remains_args){getpid(), (unsigned)lock};
    if (pthread_sigmask(SIG_SETMASK, &all, &before))
        return -1;
    pid_t pid = clone(remains_main, stack + sizeof stack, CLONE_VM, &args);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static int remains_lock(const char *path, struct err_info *info)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(info, err_from_errno(errno), "dir", "cannot open %s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        log_info("raft", "waiting until nothing is left of the process that used %s before", path);
        while (flock(fd, LOCK_EX) && errno == EINTR)
            continue;
    }
    return fd;
}

int remains_share(const char *dir, pid_t *pid, struct err_info *info)
{
    char path[440];
    snprintf(path, sizeof path, "%s/remains", dir);
    int fd = remains_lock(path, info);
    if (fd < 0)
        return fd;
    *pid = REMAINS_SANITIZED ? -1 : remains_clone(fd);
    (void)close(fd);
    return 0;
}
