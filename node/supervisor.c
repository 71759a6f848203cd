#include "node/supervisor.h"

#include <errno.h>
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

static pid_t supervisor_spawn(int (*child)(void *arg), void *arg)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    supervisor_signals(SIG_DFL);
    /* Without its parent nobody would stop or restart it. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(0);
    exit(child(arg));
}

static bool supervisor_crashed(int status)
{
    if (WIFSIGNALED(status))
        return true;
    int code = WEXITSTATUS(status);
    return code != 0 && code != 1 && code != 3;
}

int supervisor_run(int (*child)(void *arg), void *arg)
{
    supervisor_signals(supervisor_pass_on);
    unsigned pause_ms = 0;
    for (;;) {
        struct clock_mono began = clock_mono_now();
        pid_t pid = supervisor_spawn(child, arg);
        if (pid < 0) {
            log_error("supervisor", "cannot start the node process: %s", strerror(errno));
            return 1;
        }
        supervisor_child_pid = pid;
        int status = 0;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        supervisor_child_pid = 0;
        if (supervisor_ending || !supervisor_crashed(status))
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
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
