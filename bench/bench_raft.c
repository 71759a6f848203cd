/* Committed commands per second and latency of raft/repl.h against a bare libraft program, in one run.
 *
 * Both: three processes on loopback, real disk, 256-byte commands, the same number of commands in flight at the leader, a new one for each
 * that is answered. The bare program packs what waits into one entry with one entry in flight, which is the fastest
 * way to use libraft (64 commands an entry), over raft_uv's own TCP transport, without TLS; it measures from the moment
 * a command is handed in until its entry is applied at the leader, as ours does. The state machine does nothing in both.
 *
 * The two take turns, ROUNDS times; the figures are those of the median round, because other work on the machine disturbs both.
 * Expected: rate at least 0.8 of the bare one, median latency at most 1.5 times. */
#include <errno.h>
#include <raft.h>
#include <raft/uv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "bench/cluster.h"
#include "raft/repl.h"

enum { NODES = 3, COMMAND = 256, RUN_MS = 1000, WARM_MS = 200, ROUNDS = 3, SAMPLES = 1 << 20, DEPTH_MAX = 256 };

struct figures {
    double rate, p50_us, p99_us;
};

static char root[128];
static unsigned base_port;
static unsigned depth;

/* ---- measuring, the same for both ---- */

static struct {
    uint64_t start_us, warm_us, end_us;
    uint64_t done;
    uint32_t *samples;
    size_t n;
    bool over;
} m;

static void measure_begin(void)
{
    m.start_us = now_us();
    m.warm_us = m.start_us + WARM_MS * 1000u;
    m.end_us = m.warm_us + RUN_MS * 1000u;
    m.samples = malloc(SAMPLES * sizeof *m.samples);
    if (!m.samples)
        die("out of memory");
}

/* One command is answered. False when the time is over. */
static bool measure_one(uint64_t sent_us)
{
    uint64_t now = now_us();
    if (now >= m.end_us)
        m.over = true;
    else if (now >= m.warm_us) {
        m.done++;
        if (m.n < SAMPLES)
            m.samples[m.n++] = (uint32_t)(now - sent_us);
    }
    return !m.over;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static struct figures measure_end(void)
{
    struct figures f = {0};
    if (!m.n)
        return f;
    qsort(m.samples, m.n, sizeof *m.samples, by_value);
    f.rate = (double)m.done * 1000.0 / RUN_MS;
    f.p50_us = m.samples[m.n / 2];
    f.p99_us = m.samples[m.n / 100 * 99];
    return f;
}

/* ---- ours ---- */

static int ours_apply(void *ctx, uint64_t index, uint64_t term, const struct repl_item *items, unsigned n,
                      struct repl_outcome *outcomes)
{
    (void)ctx, (void)index, (void)term, (void)items, (void)n, (void)outcomes;
    return 0;
}

static uint64_t ours_applied(void *ctx)
{
    (void)ctx;
    return 0;
}

static void ours_changed(void *ctx, bool ready)
{
    (void)ctx, (void)ready;
}

static void ours_fatal(void *ctx, int err, const char *text)
{
    (void)ctx, (void)err;
    die(text);
}

struct ours_req {
    struct repl_req req;
    uint64_t sent_us;
};

static struct repl *ours;
static struct ours_req ours_reqs[DEPTH_MAX];

static void ours_propose(struct ours_req *q)
{
    static uint8_t command[COMMAND];
    q->sent_us = now_us();
    if (repl_propose(ours, &q->req, command, sizeof command, 0))
        die("a command was refused");
}

static void ours_done(struct repl_req *req, int status, const void *answer)
{
    struct ours_req *q = (struct ours_req *)req;
    (void)answer;
    if (status)
        die("a command failed");
    if (measure_one(q->sent_us))
        ours_propose(q);
}

static void ours_start(uv_loop_t *loop, int i)
{
    char dir[160];
    struct bench_texts text;
    struct err_info info = {0};
    snprintf(dir, sizeof dir, "%s/ours%d-%u", root, i, base_port);
    struct repl_config cfg = bench_config(&text, root, dir, i, base_port);
    struct repl_handler h = {
        .apply = ours_apply, .applied_index = ours_applied, .state_changed = ours_changed, .fatal = ours_fatal};
    if (repl_start(loop, &cfg, &h, &ours, &info))
        die(info.text);
}

static void ours_member_cb(void *arg, int status, uint64_t id, const char *text)
{
    (void)id;
    if (status)
        die(text);
    *(int *)arg += 1;
}

/* Node 0, which leads: adds the others, waits until all vote, then measures. */
static struct figures ours_lead(void)
{
    uv_loop_t loop;
    struct repl_peer_info peers[NODES];
    int added = 0, asked = 0, voters = 0;
    uint64_t limit = now_us() + 20000000u;
    uv_loop_init(&loop);
    ours_start(&loop, 0);
    while (voters < NODES) {
        uv_run(&loop, UV_RUN_ONCE);
        if (now_us() > limit)
            die("the cluster did not come up");
        if (asked == added && asked < NODES - 1) {
            char name[16], address[32];
            snprintf(name, sizeof name, "n%d", asked + 2);
            snprintf(address, sizeof address, "127.0.0.1:%u", base_port + (unsigned)asked + 1);
            if (repl_add(ours, name, address, ours_member_cb, &added))
                die("a member was refused");
            asked++;
        }
        size_t n = repl_peers(ours, peers, NODES);
        voters = 0;
        for (size_t i = 0; i < n && i < NODES; i++)
            voters += peers[i].role == REPL_VOTER && peers[i].up;
    }
    measure_begin();
    for (unsigned i = 0; i < depth; i++) {
        ours_reqs[i].req.cb = ours_done;
        ours_propose(&ours_reqs[i]);
    }
    while (!m.over)
        uv_run(&loop, UV_RUN_ONCE);
    return measure_end();
}

static void ours_follow(int i)
{
    uv_loop_t loop;
    uv_loop_init(&loop);
    ours_start(&loop, i);
    uv_run(&loop, UV_RUN_DEFAULT);
}

/* ---- bare libraft ---- */

struct bare_cmd {
    struct bare_cmd *next;
    uint64_t sent_us;
};

struct bare_batch {
    struct raft_apply req;
    struct bare_cmd *cmds;
};

static struct raft bare;
static struct raft_io bare_io;
static struct raft_fsm bare_fsm;
static struct raft_uv_transport bare_transport;
static struct bare_cmd bare_cmds[DEPTH_MAX], *bare_waiting;
static bool bare_busy;

static int bare_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
    (void)fsm, (void)buf;
    *result = NULL;
    return 0;
}

static int bare_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n)
{
    (void)fsm, (void)bufs, (void)n;
    return RAFT_BUSY;
}

static int bare_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
    (void)fsm, (void)buf;
    return RAFT_CORRUPT;
}

static void bare_hand_in(struct bare_cmd *c)
{
    c->sent_us = now_us();
    c->next = bare_waiting;
    bare_waiting = c;
}

static void bare_flush(void);

static void bare_done(struct raft_apply *req, int status, void *result)
{
    struct bare_batch *b = (struct bare_batch *)req;
    (void)result;
    if (status)
        die("bare libraft lost leadership");
    bare_busy = false;
    for (struct bare_cmd *c = b->cmds, *next; c; c = next) {
        next = c->next;
        if (measure_one(c->sent_us))
            bare_hand_in(c);
    }
    free(b);
    bare_flush();
}

static void bare_flush(void)
{
    unsigned n = 0;
    if (bare_busy || !bare_waiting || m.over)
        return;
    for (struct bare_cmd *c = bare_waiting; c; c = c->next)
        n++;
    struct bare_batch *b = calloc(1, sizeof *b);
    struct raft_buffer buf = {.len = n * (size_t)COMMAND};
    buf.base = raft_malloc(buf.len);
    if (!b || !buf.base)
        die("out of memory");
    memset(buf.base, 0, buf.len);
    b->cmds = bare_waiting;
    bare_waiting = NULL;
    bare_busy = true;
    if (raft_apply(&bare, &b->req, &buf, 1, bare_done))
        die("bare libraft refused an entry");
}

static void bare_start(uv_loop_t *loop, int i)
{
    char dir[160], address[32];
    struct raft_configuration conf;
    snprintf(dir, sizeof dir, "%s/bare%d-%u", root, i, base_port);
    if (mkdir(dir, 0700))
        die("cannot make a folder");
    bare_transport.version = 1;
    if (raft_uv_tcp_init(&bare_transport, loop) || raft_uv_init(&bare_io, loop, dir, &bare_transport))
        die("bare libraft does not start");
    bare_fsm = (struct raft_fsm){.version = 1, .apply = bare_apply, .snapshot = bare_snapshot, .restore = bare_restore};
    snprintf(address, sizeof address, "127.0.0.1:%u", base_port + (unsigned)i);
    if (raft_init(&bare, &bare_io, &bare_fsm, (raft_id)i + 1, address))
        die("bare libraft does not start");
    raft_uv_set_connect_retry_delay(&bare_io, 50);
    raft_seed(&bare, (unsigned)getpid());
    /* the first node is to lead, as with ours */
    raft_set_election_timeout(&bare, i ? 2000 : 300);
    raft_set_heartbeat_timeout(&bare, 50);
    raft_set_pre_vote(&bare, true);
    raft_set_max_inflight_entries(&bare, 256);
    raft_set_snapshot_threshold(&bare, 1u << 30);
    raft_configuration_init(&conf);
    for (int k = 0; k < NODES; k++) {
        snprintf(address, sizeof address, "127.0.0.1:%u", base_port + (unsigned)k);
        if (raft_configuration_add(&conf, (raft_id)k + 1, address, RAFT_VOTER))
            die("bare libraft does not start");
    }
    if (raft_bootstrap(&bare, &conf) || raft_start(&bare))
        die("bare libraft does not start");
    raft_configuration_close(&conf);
}

static struct figures bare_lead(void)
{
    uv_loop_t loop;
    raft_index match = 0;
    uint64_t limit = now_us() + 20000000u;
    uv_loop_init(&loop);
    bare_start(&loop, 0);
    /* leads, and both others have the log */
    while (raft_state(&bare) != RAFT_LEADER || raft_match_index(&bare, 2, &match) || match < raft_last_index(&bare) ||
           raft_match_index(&bare, 3, &match) || match < raft_last_index(&bare)) {
        uv_run(&loop, UV_RUN_ONCE);
        if (now_us() > limit)
            die("bare libraft found no leader");
    }
    measure_begin();
    for (unsigned i = 0; i < depth; i++)
        bare_hand_in(&bare_cmds[i]);
    bare_flush();
    while (!m.over)
        uv_run(&loop, UV_RUN_ONCE);
    return measure_end();
}

static void bare_follow(int i)
{
    uv_loop_t loop;
    uv_loop_init(&loop);
    bare_start(&loop, i);
    uv_run(&loop, UV_RUN_DEFAULT);
}

/* ---- three processes ---- */

/* The ports just below the range that the kernel gives out by itself, different for each run. */
static void choose_ports(void)
{
    base_port = 15000 + (unsigned)(getpid() % 300) * 36;
}

static struct figures run(struct figures (*lead)(void), void (*follow)(int i))
{
    struct figures f = {0};
    pid_t children[NODES];
    int pipes[2];
    if (pipe(pipes))
        die("no pipe");
    for (int i = 0; i < NODES; i++) {
        children[i] = fork();
        if (children[i] < 0)
            die("cannot fork");
        if (children[i])
            continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(pipes[0]);
        if (i)
            follow(i);
        struct figures mine = lead();
        if (write(pipes[1], &mine, sizeof mine) != (ssize_t)sizeof mine)
            _exit(EXIT_FAILURE);
        _exit(EXIT_SUCCESS);
    }
    close(pipes[1]);
    if (read(pipes[0], &f, sizeof f) != (ssize_t)sizeof f)
        fprintf(stderr, "bench_raft: no figures\n");
    close(pipes[0]);
    for (int i = 0; i < NODES; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    base_port += NODES;
    return f;
}

static int by_rate(const void *a, const void *b)
{
    double x = ((const struct figures *)a)->rate, y = ((const struct figures *)b)->rate;
    return (x > y) - (x < y);
}

static void print_pair(const char *what, const char *unit, double mine, double theirs)
{
    printf("raft_%s_%u_in_flight: %.0f %s (bare libraft %.0f, ratio %.2f)\n", what, depth, mine, unit, theirs,
           theirs > 0 ? mine / theirs : 0);
    fflush(stdout);
}

int main(void)
{
    static const unsigned depths[] = {1, 64};
    const char *tmp = getenv("TMPDIR");
    log_setup(LOG_ERROR, false, "bench");
    snprintf(root, sizeof root, "%s/bench-raft-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(root))
        die("cannot make a folder");
    choose_ports();
    bench_certificates(root, NODES);
    for (unsigned i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        struct figures b[ROUNDS], o[ROUNDS];
        depth = depths[i];
        for (unsigned k = 0; k < ROUNDS; k++) {
            b[k] = run(bare_lead, bare_follow);
            o[k] = run(ours_lead, ours_follow);
        }
        qsort(b, ROUNDS, sizeof b[0], by_rate);
        qsort(o, ROUNDS, sizeof o[0], by_rate);
        print_pair("commits", "commands/s", o[ROUNDS / 2].rate, b[ROUNDS / 2].rate);
        print_pair("latency_p50", "us", o[ROUNDS / 2].p50_us, b[ROUNDS / 2].p50_us);
        print_pair("latency_p99", "us", o[ROUNDS / 2].p99_us, b[ROUNDS / 2].p99_us);
    }
    bench_remove(root);
    return EXIT_SUCCESS;
}
