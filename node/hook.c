#include "node/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

enum { HOOK_LINE_MAX = 200, HOOK_HANDLES = 3, HOOK_WORDS_MS = 20 };

struct hook {
    uv_poll_t process; /* its pidfd */
    int pidfd;
    pid_t pid;
    uv_pipe_t words; /* its standard error and output */
    uv_timer_t limit;
    unsigned open; /* handles that are not closed yet */
    bool exited, drained, killed;
    int status; /* of waitpid */
    char verb[8], ip[64];
    char line[HOOK_LINE_MAX], last[HOOK_LINE_MAX], buf[512];
    size_t used;
    hook_done_fn *done;
    void *ctx;
};

static void hook_closed(uv_handle_t *h)
{
    struct hook *k = h->data;
    if (--k->open)
        return;
    if (k->pidfd >= 0)
        close(k->pidfd);
    free(k);
}

static void hook_close(struct hook *k)
{
    if (k->open == HOOK_HANDLES)
        uv_close((uv_handle_t *)&k->process, hook_closed);
    uv_close((uv_handle_t *)&k->words, hook_closed);
    uv_close((uv_handle_t *)&k->limit, hook_closed);
}

/* Over when it has ended; what it left behind in the background does not keep us. */
static void hook_over(struct hook *k)
{
    char why[HOOK_LINE_MAX + 40];
    bool ok = k->status == 0;
    if (k->killed)
        snprintf(why, sizeof why, "the hook took longer than %u ms", HOOK_LIMIT_MS);
    else if (WIFSIGNALED(k->status))
        snprintf(why, sizeof why, "the hook was ended by signal %d", WTERMSIG(k->status));
    else
        snprintf(why, sizeof why, "the hook said %d%s%s", WEXITSTATUS(k->status), k->last[0] ? ": " : "", k->last);
    hook_done_fn *done = k->done;
    void *ctx = k->ctx;
    k->done = NULL;
    hook_close(k);
    done(ctx, ok ? 0 : ERR_IO, ok ? "" : why);
}

static void hook_line(struct hook *k)
{
    k->line[k->used] = '\0';
    for (char *p = k->line; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = ' ';
    if (k->used) {
        log_notice("hook", "%s %s: %s", k->verb, k->ip, k->line);
        memcpy(k->last, k->line, sizeof k->last);
    }
    k->used = 0;
}

static void hook_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *out)
{
    struct hook *k = h->data;
    (void)suggested;
    *out = uv_buf_init(k->buf, sizeof k->buf);
}

static void hook_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct hook *k = s->data;
    for (ssize_t i = 0; i < n; i++) {
        if (buf->base[i] == '\n' || k->used == sizeof k->line - 1)
            hook_line(k);
        if (buf->base[i] != '\n')
            k->line[k->used++] = buf->base[i];
    }
    if (n >= 0)
        return;
    hook_line(k);
    uv_read_stop(s);
    k->drained = true;
    if (k->exited && k->done)
        hook_over(k);
}

static void hook_limit(uv_timer_t *t)
{
    struct hook *k = t->data;
    if (!k->done)
        return;
    if (k->exited) { /* something that it started holds the pipe open */
        hook_over(k);
        return;
    }
    k->killed = true;
    (void)kill(k->pid, SIGKILL); /* not waited for yet: it is still its pid */
}

static void hook_exited(uv_poll_t *p, int status, int events)
{
    struct hook *k = p->data;
    (void)status;
    (void)events;
    if (waitpid(k->pid, &k->status, WNOHANG) == 0)
        return;
    uv_poll_stop(p);
    k->exited = true;
    if (k->done && (k->drained || k->killed))
        hook_over(k);
    else if (k->done) /* its last words may still be in the pipe */
        uv_timer_start(&k->limit, hook_limit, HOOK_WORDS_MS, 0);
}

/* Nothing of ours but the pipe. Not by uv_spawn: it forks, and a copy of a large process takes milliseconds in which nothing else is
 * done, and as much again in page faults afterwards. */
static int hook_exec(struct hook *k, const char *path, int words)
{
    char env[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *envp[] = {env, NULL};
    char *argv[] = {(char *)(uintptr_t)path, k->verb, k->ip, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    if (posix_spawn_file_actions_init(&files))
        return ENOMEM;
    if (posix_spawnattr_init(&attr)) {
        posix_spawn_file_actions_destroy(&files);
        return ENOMEM;
    }
    int rc = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    if (!rc)
        rc = posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    if (!rc)
        rc = posix_spawn_file_actions_adddup2(&files, words, 2);
    if (!rc)
        rc = posix_spawnattr_setsigmask(&attr, &none);
    if (!rc)
        rc = posix_spawnattr_setsigdefault(&attr, &all);
    if (!rc)
        rc = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    /* Not every library opens its sockets so that they stay ours; a hook that lives on must not keep a port. */
    (void)close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC);
    if (!rc)
        rc = posix_spawn(&k->pid, path, &files, &attr, argv, envp);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

/* 0 or an errno; the handles are made in any case. */
static int hook_spawn(struct hook *k, uv_loop_t *loop, const char *path)
{
    int ends[2];
    uv_pipe_init(loop, &k->words, 0);
    uv_timer_init(loop, &k->limit);
    k->words.data = k->limit.data = k->process.data = k;
    k->open = 2;
    if (pipe2(ends, O_CLOEXEC))
        return errno;
    int rc = hook_exec(k, path, ends[1]);
    close(ends[1]);
    if (rc || uv_pipe_open(&k->words, ends[0]))
        close(ends[0]);
    if (rc)
        return rc;
    k->pidfd = pidfd_open(k->pid, 0);
    if (k->pidfd < 0 || uv_poll_init(loop, &k->process, k->pidfd)) {
        rc = k->pidfd < 0 ? errno : ENOMEM;
        (void)kill(k->pid, SIGKILL);
        (void)waitpid(k->pid, &k->status, 0);
        return rc;
    }
    k->open = HOOK_HANDLES;
    (void)uv_poll_start(&k->process, UV_READABLE, hook_exited);
    return 0;
}

int hook_run(uv_loop_t *loop, const char *path, const char *verb, const char *ip, hook_done_fn *done, void *ctx,
             char *why, size_t why_size)
{
    struct hook *k = calloc(1, sizeof *k);
    if (!k) {
        snprintf(why, why_size, "%s", err_text(ERR_NOMEM));
        return ERR_NOMEM;
    }
    snprintf(k->verb, sizeof k->verb, "%s", verb);
    snprintf(k->ip, sizeof k->ip, "%s", ip);
    k->pidfd = -1;
    int rc = hook_spawn(k, loop, path);
    if (rc) {
        snprintf(why, why_size, "the hook cannot be run: %s", uv_strerror(-rc));
        hook_close(k);
        return ERR_IO;
    }
    k->done = done;
    k->ctx = ctx;
    uv_timer_start(&k->limit, hook_limit, HOOK_LIMIT_MS, 0);
    if (uv_read_start((uv_stream_t *)&k->words, hook_alloc, hook_read))
        k->drained = true;
    return 0;
}

static void hook_now_done(void *ctx, int status, const char *why)
{
    (void)ctx;
    if (status)
        log_warn("hook", "%s", why);
}

void hook_run_now(const char *path, const char *verb, const char *ip)
{
    uv_loop_t loop;
    char why[HOOK_LINE_MAX] = "";
    if (uv_loop_init(&loop))
        return;
    if (hook_run(&loop, path, verb, ip, hook_now_done, NULL, why, sizeof why))
        log_warn("hook", "%s", why);
    uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
}
