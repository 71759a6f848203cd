/* From SIGKILL of the leader to the first commit under the next one: by the fast way (raft/repl_elect.c) and by plain election
 * time-outs, in one run. Three processes on loopback with real disks; each keeps a small command in flight. The killed process is
 * started again before the next kill.
 *
 * Expected: the fast way at most a fifth of the plain one. */
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "bench/cluster.h"
#include "raft/repl.h"

enum { NODES = 3, KILLS_FAST = 30, KILLS_PLAIN = 8, PACE_MS = 2, LIMIT_MS = 20000 };

/* Shared by all processes. */
static struct shared {
    _Atomic uint64_t term;     /* an entry of a later term than this is waited for, */
    _Atomic uint64_t first_us; /* and was first seen applied then; 0 not yet */
    sem_t seen;                /* posted then */
    struct {
        _Atomic uint64_t leads_term; /* 0 unless a ready leader */
        _Atomic uint64_t index, voters;
    } node[NODES];
} * shared;

static char root[128];
static unsigned base_port;
static bool plain;

/* ---- one node */

static struct {
    int i;
    struct repl *repl;
    struct repl_req req;
    bool in_flight, ready;
    unsigned added;
} me;

static int node_apply(void *ctx, uint64_t index, uint64_t term, const struct repl_item *items, unsigned n,
                      struct repl_outcome *outcomes)
{
    uint64_t none = 0;
    (void)ctx, (void)items, (void)n, (void)outcomes;
    if (term > shared->term && atomic_compare_exchange_strong(&shared->first_us, &none, now_us()))
        (void)sem_post(&shared->seen);
    shared->node[me.i].index = index;
    return 0;
}

static uint64_t node_applied(void *ctx)
{
    (void)ctx;
    return 0;
}

static void node_changed(void *ctx, bool ready)
{
    (void)ctx;
    me.ready = ready;
}

static void node_fatal(void *ctx, int err, const char *text)
{
    (void)ctx, (void)err;
    die(text);
}

static void node_done(struct repl_req *req, int status, const void *answer)
{
    (void)req, (void)status, (void)answer;
    me.in_flight = false;
}

static void node_member(void *arg, int status, uint64_t id, const char *text)
{
    (void)arg, (void)id;
    if (status)
        die(text);
}

static void node_add(unsigned i)
{
    char name[16], address[32];
    snprintf(name, sizeof name, "n%u", i + 1);
    snprintf(address, sizeof address, "127.0.0.1:%u", base_port + i);
    if (repl_add(me.repl, name, address, node_member, NULL))
        die("a member was refused");
}

static void node_pace(uv_timer_t *t)
{
    struct repl_peer_info peers[NODES];
    struct repl_status s;
    (void)t;
    repl_get_status(me.repl, &s);
    size_t n = repl_peers(me.repl, peers, NODES);
    unsigned voters = 0;
    for (size_t i = 0; i < n && i < NODES; i++)
        voters += peers[i].role == REPL_VOTER && peers[i].up;
    shared->node[me.i].voters = voters;
    shared->node[me.i].leads_term = me.ready && s.state == REPL_LEADER ? s.term : 0;
    if (me.i == 0 && me.ready && voters == n && n == me.added + 1 && me.added < NODES - 1)
        node_add(++me.added);
    if (me.in_flight)
        return;
    me.req = (struct repl_req){.cb = node_done};
    me.in_flight = repl_propose(me.repl, &me.req, "x", 1, 1000) == 0;
}

static _Noreturn void node_main(int i, bool first)
{
    uv_loop_t loop;
    uv_timer_t pace;
    char dir[160];
    struct bench_texts text;
    struct err_info info = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    me.i = i;
    me.added = first ? 0 : NODES;
    snprintf(dir, sizeof dir, "%s/%s-%d", root, plain ? "plain" : "fast", i);
    struct repl_config cfg = bench_config(&text, root, dir, i, base_port);
    cfg.plain_elections = plain;
    struct repl_handler h = {
        .apply = node_apply, .applied_index = node_applied, .state_changed = node_changed, .fatal = node_fatal};
    uv_loop_init(&loop);
    if (repl_start(&loop, &cfg, &h, &me.repl, &info))
        die(info.text);
    uv_timer_init(&loop, &pace);
    uv_timer_start(&pace, node_pace, PACE_MS, PACE_MS);
    uv_run(&loop, UV_RUN_DEFAULT);
    exit(EXIT_SUCCESS);
}

/* ---- killing */

static pid_t children[NODES];

static void spawn(int i, bool first)
{
    shared->node[i].leads_term = shared->node[i].voters = shared->node[i].index = 0;
    children[i] = fork();
    if (children[i] < 0)
        die("cannot fork");
    if (!children[i])
        node_main(i, first);
}

/* The one that leads while all vote, are connected and have the same, looked at each millisecond; -1 after a time. */
static int wait_whole(void)
{
    const struct timespec pause = {0, 1000000};
    for (unsigned k = 0; k < LIMIT_MS; k++) {
        int leader = -1;
        bool whole = true;
        uint64_t low = UINT64_MAX, high = 0;
        for (int i = 0; i < NODES; i++) {
            uint64_t index = shared->node[i].index;
            whole = whole && shared->node[i].voters == NODES;
            low = index < low ? index : low;
            high = index > high ? index : high;
            if (shared->node[i].leads_term)
                leader = i;
        }
        if (whole && leader >= 0 && low && high - low < 50)
            return leader;
        (void)nanosleep(&pause, NULL);
    }
    return -1;
}

static double kill_leader(int leader)
{
    struct timespec limit;
    shared->term = shared->node[leader].leads_term;
    while (sem_trywait(&shared->seen) == 0)
        ; /* of the time before */
    shared->first_us = 0;
    (void)clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += LIMIT_MS / 1000;
    uint64_t from = now_us();
    if (kill(children[leader], SIGKILL))
        die("cannot kill");
    if (sem_timedwait(&shared->seen, &limit))
        die("no commit after a kill");
    double ms = (double)(shared->first_us - from) / 1000.0;
    waitpid(children[leader], NULL, 0);
    return ms;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorted times in ms. */
static void run(double *ms, unsigned kills)
{
    memset(shared, 0, sizeof *shared);
    if (sem_init(&shared->seen, 1, 0))
        die("no semaphore");
    shared->term = UINT64_MAX;
    for (int i = 0; i < NODES; i++)
        spawn(i, i == 0);
    for (unsigned k = 0; k < kills; k++) {
        int leader = wait_whole();
        if (leader < 0)
            die("the cluster did not come up");
        ms[k] = kill_leader(leader);
        spawn(leader, false);
    }
    for (int i = 0; i < NODES; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    base_port += NODES;
    qsort(ms, kills, sizeof ms[0], by_value);
}

int main(void)
{
    double fast[KILLS_FAST], slow[KILLS_PLAIN];
    const char *tmp = getenv("TMPDIR");
    log_setup(LOG_ERROR, false, "bench");
    snprintf(root, sizeof root, "%s/bench-failover-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(root))
        die("cannot make a folder");
    base_port = 26000 + (unsigned)(getpid() % 400) * 12; /* below the range that the kernel gives out by itself */
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        die("no shared memory");
    bench_certificates(root, NODES);
    run(fast, KILLS_FAST);
    plain = true;
    run(slow, KILLS_PLAIN);
    printf("failover_leader_killed_p50: %.0f ms (plain time-outs %.0f, ratio %.2f)\n", fast[KILLS_FAST / 2],
           slow[KILLS_PLAIN / 2], fast[KILLS_FAST / 2] / slow[KILLS_PLAIN / 2]);
    printf("failover_leader_killed_max: %.0f ms (plain time-outs %.0f, ratio %.2f)\n", fast[KILLS_FAST - 1],
           slow[KILLS_PLAIN - 1], fast[KILLS_FAST - 1] / slow[KILLS_PLAIN - 1]);
    bench_remove(root);
    return EXIT_SUCCESS;
}
