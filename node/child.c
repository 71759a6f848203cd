#include "node/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

int child_ccsound(char out[CHILD_PATH_MAX], struct err_info *info)
{
    const char *named = getenv("CCSOUND");
    if (named) {
        snprintf(out, CHILD_PATH_MAX, "%s", named);
    } else {
        ssize_t n = readlink("/proc/self/exe", out, CHILD_PATH_MAX - sizeof "ccsound");
        out[n > 0 ? n : 0] = '\0';
        char *slash = strrchr(out, '/');
        strcpy(slash ? slash + 1 : out, "ccsound");
    }
    if (access(out, X_OK) == 0)
        return 0;
    return err_set(info, ERR_IO, "", "the helper %.180s is not there", out);
}

/* The last line of what it complained, without what a terminal would obey. */
static void last_words(int fd, char *out, size_t size)
{
    char buf[1024];
    off_t end = lseek(fd, 0, SEEK_END), from = end > (off_t)sizeof buf - 1 ? end - (off_t)sizeof buf + 1 : 0;
    ssize_t n = pread(fd, buf, sizeof buf - 1, from);
    n = n > 0 ? n : 0;
    while (n > 0 && (unsigned char)buf[n - 1] <= ' ')
        n--;
    buf[n] = '\0';
    const char *line = strrchr(buf, '\n');
    snprintf(out, size, "%s", line ? line + 1 : buf);
    for (char *p = out; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = ' ';
}

static int spawn(char *const argv[], int in_fd, int out_fd, int err_fd, pid_t *pid)
{
    static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", lang[] = "LANG=C.UTF-8";
    char *const env[] = {path, lang, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    int rc = posix_spawn_file_actions_adddup2(&files, in_fd, STDIN_FILENO);
    if (!rc)
        rc = posix_spawn_file_actions_adddup2(&files, out_fd, STDOUT_FILENO);
    if (!rc)
        rc = posix_spawn_file_actions_adddup2(&files, err_fd, STDERR_FILENO);
    if (!rc)
        rc = posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    if (!rc)
        rc = posix_spawnp(pid, argv[0], &files, &attr, argv, env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

/* poll() in full, whatever signals this thread gets. */
static int poll_for(struct pollfd *what, nfds_t n, unsigned timeout_ms)
{
    uint64_t now = clock_mono_now().us, end = now + timeout_ms * 1000ull;
    int got;
    while ((got = poll(what, n, (int)((end - now + 999) / 1000))) < 0 && errno == EINTR) {
        now = clock_mono_now().us;
        now = now < end ? now : end;
    }
    return got;
}

/* 0: it has ended by itself. */
static int wait_for(pid_t pid, int stop_fd, unsigned timeout_ms, int *status)
{
    struct pollfd what[2] = {{.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN},
                             {.fd = stop_fd, .events = POLLIN}};
    int n = what[0].fd >= 0 ? poll_for(what, 2, timeout_ms) : 0;
    if (what[0].fd >= 0)
        close(what[0].fd);
    (void)kill(-pid, SIGKILL); /* and whatever it has started */
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        ;
    return n <= 0 ? ERR_TIMEOUT : what[0].revents ? 0 : ERR_CLOSED;
}

int child_run(char *const argv[], int in_fd, int out_fd, int stop_fd, unsigned timeout_ms, struct err_info *info)
{
    pid_t pid = 0;
    int status = 0;
    char words[ERR_INFO_TEXT_MAX] = "";
    int err_fd = memfd_create("complaints", MFD_CLOEXEC);
    if (err_fd < 0)
        return err_set(info, ERR_IO, "", "%s", strerror(errno));
    int rc = spawn(argv, in_fd, out_fd, err_fd, &pid);
    if (rc) {
        close(err_fd);
        return err_set(info, ERR_IO, "", "%.180s cannot be run: %s", argv[0], strerror(rc));
    }
    rc = wait_for(pid, stop_fd, timeout_ms, &status);
    last_words(err_fd, words, sizeof words);
    close(err_fd);
    if (rc == ERR_TIMEOUT)
        return err_set(info, rc, "", "took longer than %u ms", timeout_ms);
    if (rc)
        return err_set(info, rc, "", "this node is stopping");
    if (WIFSIGNALED(status))
        return err_set(info, ERR_IO, "", "the helper program was ended by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) == 0)
        return 0;
    return err_set(info, WEXITSTATUS(status) == 1 ? ERR_INVAL : ERR_IO, "", "%s",
                   words[0] ? words : "the helper program failed");
}
