/* Killed with SIGKILL again and again under load, with snapshots: the log on disk must never be refused afterwards, and no
 * command that was answered may be missing. The node runs in a process of its own and reports through a pipe; its state
 * machine lives in memory only, so each start rebuilds it from image and log. */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/raft/fixture.h"
#include "tests/unit/suite.h"

/* Each round has values of its own, so however far a child is ahead of a parent that gets no time, none is above the last. */
enum { ROUNDS = 12, GAP = 1000, ROUND_COMMANDS = FX_COMMANDS / ROUNDS - GAP };

/* A record of the child: 'S' and how many commands it has after its start, 'A' and a command that was answered, 'F' and
 * nothing when it could not start. */
struct report {
    uint32_t kind, value;
};

struct child {
    struct fx *fx;
    struct fx_req req[16];
    uint32_t next, end;
    int out;
};

static void tell(int out, uint32_t kind, uint32_t value)
{
    struct report r = {kind, value};
    if (write(out, &r, sizeof r) != (ssize_t)sizeof r)
        _exit(3);
}

static bool never(struct fx *fx, void *arg)
{
    struct child *c = arg;
    for (unsigned i = 0; i < 16; i++) {
        struct fx_req *q = &c->req[i];
        if (q->done) {
            if (q->status == 0)
                tell(c->out, 'A', (uint32_t)(uintptr_t)q->req.ctx);
            q->done = 0;
            q->req.ctx = NULL;
        }
        if (!q->req.ctx && c->next < c->end) {
            uint32_t value = c->next++;
            if (fx_propose(fx, 0, q, value))
                _exit(4);
            q->req.ctx = (void *)(uintptr_t)value;
        }
    }
    return false;
}

static void child_main(struct fx *fx, uint32_t next, int out)
{
    struct err_info info = {0};
    struct child c = {.fx = fx, .next = next, .end = next + ROUND_COMMANDS, .out = out};
    if (fx_start(fx, 0, true, -1, &info)) {
        fprintf(stderr, "%s\n", info.text);
        tell(out, 'F', 0);
        _exit(1);
    }
    if (!fx_until(fx, fx_has_leader, NULL))
        _exit(2);
    tell(out, 'S', fx->nodes[0].n);
    for (unsigned i = 0; i < fx->nodes[0].n; i++)
        tell(out, 'H', fx->nodes[0].commands[i]);
    tell(out, 'E', 0);
    /* until it is killed; should nobody do that it ends by itself */
    for (unsigned i = 0; i < 6; i++)
        (void)fx_until(fx, never, &c);
    _exit(0);
}

/* Reads reports until `stop_after` answers came; fills which values were answered and which the child had at its start. */
static void parent(int in, unsigned stop_after, uint8_t *answered, uint8_t *had, uint32_t *highest)
{
    struct report r;
    unsigned answers = 0;
    while (answers < stop_after) {
        struct pollfd p = {.fd = in, .events = POLLIN};
        ck_assert_int_eq(poll(&p, 1, FX_DEADLINE_MS), 1);
        ck_assert_int_eq(read(in, &r, sizeof r), (ssize_t)sizeof r);
        ck_assert_msg(r.kind != 'F', "the log was refused after a kill");
        ck_assert_uint_lt(r.value, FX_COMMANDS);
        if (r.kind == 'H') {
            ck_assert_msg(!had[r.value], "command %u was applied twice", r.value);
            had[r.value] = 1;
        }
        if (r.kind == 'E')
            for (uint32_t v = 0; v < FX_COMMANDS; v++)
                ck_assert_msg(!answered[v] || had[v], "command %u was answered and is lost", v);
        if (r.kind == 'A') {
            answered[r.value] = 1;
            answers++;
        }
        if (r.value > *highest)
            *highest = r.value;
    }
}

START_TEST(test_killed_again_and_again)
{
    struct fx *fx = fx_new();
    static uint8_t answered[FX_COMMANDS], had[FX_COMMANDS];
    uint32_t highest = 0;
    fx->threshold = 64;
    fx->trailing = 16;
    memset(answered, 0, sizeof answered);
    for (unsigned round = 0; round < ROUNDS; round++) {
        int pipes[2];
        ck_assert_int_eq(pipe(pipes), 0);
        memset(had, 0, sizeof had);
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (!pid) {
            close(pipes[0]);
            ck_assert_int_eq(uv_loop_fork(&fx->loop), 0);
            child_main(fx, highest + GAP, pipes[1]);
        }
        close(pipes[1]);
        parent(pipes[0], 100 + round * 37, answered, had, &highest);
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        /* what it had told before it died counts too */
        struct report r;
        while (read(pipes[0], &r, sizeof r) == (ssize_t)sizeof r) {
            ck_assert_uint_lt(r.value, FX_COMMANDS);
            if (r.kind == 'A')
                answered[r.value] = 1;
            if (r.value > highest)
                highest = r.value;
        }
        close(pipes[0]);
    }
    fx_free(fx);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("raft crash");
    TCase *tc = tcase_create("crash");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_killed_again_and_again);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
