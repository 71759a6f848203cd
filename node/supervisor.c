#include "node/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define SUPERVISOR_STEADY_US 60000000u /* a child that lived so long crashed for a new reason */
#define SUPERVISOR_PAUSE_MAX_MS 10000u

static volatile sig_atomic_t supervisor_child_pid;
static volatile sig_atomic_t supervisor_ending;

static void supervisor_pass_on(int number)
{
    int saved = errno;
    supervisor_ending = 1;
    if (supervisor_child_pid > 0)
        kill((pid_t)supervisor_child_pid, number == SIGHUP ? SIGTERM : number);
    errno = saved;
}

static void supervisor_signals(void (*fn)(int))
{
    struct sigaction sa = {.sa_handler = fn};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);
}

static int supervisor_beat_fd = -1; /* child */

static void supervisor_say(char what)
{
    /* A full pipe tells as well that we live. */
    if (supervisor_beat_fd >= 0 && write(supervisor_beat_fd, &what, 1) < 0 && errno != EAGAIN && errno != EINTR) {
        close(supervisor_beat_fd);
        supervisor_beat_fd = -1;
    }
}

void supervisor_beat(void)
{
    supervisor_say('.');
}

void supervisor_beat_last(void)
{
    supervisor_say('!');
}

/* *beats: where the child is heard, closed when it ends. */
static pid_t supervisor_spawn(int (*child)(void *arg), void *arg, int *beats)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
        return -1;
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid != 0) {
        close(ends[1]);
        if (pid > 0)
            *beats = ends[0];
        else
            close(ends[0]);
        return pid;
    }
    close(ends[0]);
    supervisor_beat_fd = ends[1];
    supervisor_signals(SIG_DFL);
    /* Without its parent nobody would stop or restart it. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(0);
    exit(child(arg));
}

/* Reads what came; false at the end of the pipe, which is the end of the child. */
static bool supervisor_hear(int beats, unsigned *limit_ms)
{
    char buf[64];
    ssize_t n;
    while ((n = read(beats, buf, sizeof buf)) > 0)
        if (*limit_ms != SUPERVISOR_LAST_MS)
            *limit_ms = memchr(buf, '!', (size_t)n) ? SUPERVISOR_LAST_MS : SUPERVISOR_HUNG_MS;
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Until the child has ended, or had to be. */
static void supervisor_watch(pid_t pid, int beats)
{
    unsigned limit_ms = 0, silent_ms = 0; /* no limit before the first beat: opening a large database takes its time */
    for (;;) {
        struct pollfd p = {.fd = beats, .events = POLLIN};
        uint64_t before = clock_mono_now().us;
        int got = poll(&p, 1, (int)SUPERVISOR_BEAT_MS);
        if (got > 0) {
            silent_ms = 0;
            if (!supervisor_hear(beats, &limit_ms))
                return;
            continue;
        }
        uint64_t took_ms = (clock_mono_now().us - before) / 1000u;
        if (took_ms > 2u * SUPERVISOR_BEAT_MS)
            silent_ms = 0; /* we were halted too, and the child has had no time to speak since */
        else
            silent_ms += (unsigned)took_ms;
        if (limit_ms && silent_ms >= limit_ms) {
            log_error("supervisor", "node process %d hangs: silent for %u ms; it is killed", (int)pid, silent_ms);
            kill(pid, SIGKILL);
            return;
        }
    }
}

static bool supervisor_crashed(int status)
{
    if (WIFSIGNALED(status))
        return true;
    int code = WEXITSTATUS(status);
    return code != 0 && code != 1 && code != 3;
}

int supervisor_run(int (*child)(void *arg), void (*crashed)(void *arg), void *arg)
{
    supervisor_signals(supervisor_pass_on);
    unsigned pause_ms = 0;
    for (;;) {
        struct clock_mono began = clock_mono_now();
        int beats = -1;
        pid_t pid = supervisor_spawn(child, arg, &beats);
        if (pid < 0) {
            log_error("supervisor", "cannot start the node process: %s", strerror(errno));
            return 1;
        }
        supervisor_child_pid = pid;
        int status = 0;
        supervisor_watch(pid, beats);
        close(beats);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        supervisor_child_pid = 0;
        if (supervisor_ending || !supervisor_crashed(status))
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        crashed(arg);
        if (clock_mono_now().us - began.us > SUPERVISOR_STEADY_US)
            pause_ms = 0;
        if (WIFSIGNALED(status))
            log_error("supervisor", "node process %d ended by signal %d; started again in %u ms", (int)pid,
                      WTERMSIG(status), pause_ms);
        else
            log_error("supervisor", "node process %d ended with code %d; started again in %u ms", (int)pid,
                      WEXITSTATUS(status), pause_ms);
        struct timespec ts = {pause_ms / 1000u, (long)(pause_ms % 1000u) * 1000000L};
        nanosleep(&ts, NULL); /* a signal ends the pause */
        if (supervisor_ending)
            return 0;
        pause_ms =
            pause_ms ? (pause_ms * 2u > SUPERVISOR_PAUSE_MAX_MS ? SUPERVISOR_PAUSE_MAX_MS : pause_ms * 2u) : 100u;
    }
}
