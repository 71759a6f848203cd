/* Runs seeds: sim --seeds A-B [--nodes 3|5] [--verbose]; without --seeds the kept ones, then the first --count. See README.md. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/sim/sim.h"

#define ARENA (8u << 20)

struct options {
    uint64_t first, last;
    unsigned nodes;    /* 0: 3 and 5 by turns */
    bool verbose, two; /* two: no call has more than two parties */
    uint64_t stop;     /* after so many failures */
    const char *kept;
    bool sqlite;
};
struct totals {
    uint64_t passed, failed, steps, applied, calls, takeovers, phases[16], downs, drains, leaders, restarts, stale,
        rows, messages;
};

static void run_seed(uint64_t seed, unsigned nodes, bool parties, bool verbose, char *arena, struct totals *t)
{
    static struct sim world;
    struct sim *s = &world;
    struct sim_event *heap = s->heap;
    size_t cap = s->cap_heap;
    memset(s, 0, sizeof *s);
    s->heap = heap;
    s->cap_heap = cap;
    s->seed = seed;
    s->rng = seed * 0x9e3779b97f4a7c15ull + nodes;
    s->n = nodes;
    s->verbose = verbose;
    s->parties = parties;
    s->arena = arena;
    s->arena_cap = ARENA;
    sim_run(s);
    t->steps += s->steps;
    t->applied += s->applied_total;
    t->calls += s->count.calls;
    t->takeovers += s->count.takeovers;
    t->downs += s->count.downs;
    t->drains += s->count.drains;
    t->leaders += s->count.leaders;
    t->restarts += s->count.restarts;
    t->stale += s->count.stale;
    t->rows += s->count.rows;
    t->messages += s->count.messages;
    for (unsigned i = 0; i < 16; i++)
        t->phases[i] += s->count.phases[i];
    if (!s->failed) {
        t->passed++;
        return;
    }
    t->failed++;
    printf(
        "seed %llu with %u nodes: %s (after %.3f s and %llu steps)\n  again: %s --seeds %llu --nodes %u%s --verbose\n",
        (unsigned long long)seed, nodes, s->why, (double)s->now / 1e6, (unsigned long long)s->steps,
        program_invocation_name, (unsigned long long)seed, nodes, parties ? "" : " --two");
}

/* A file of past findings: lines of "SEED NODES", "two" behind it if no call has more than two parties, and # comments. */
static int run_kept(const char *path, bool verbose, char *arena, struct totals *t)
{
    char line[256];
    FILE *f = fopen(path, "r");
    if (!f) {
        fprintf(stderr, "sim: %s: cannot be read\n", path);
        return 2;
    }
    while (fgets(line, sizeof line, f)) {
        unsigned long long seed;
        unsigned nodes;
        if (line[0] != '#' && sscanf(line, "%llu %u", &seed, &nodes) == 2 && nodes >= 1 && nodes <= SIM_NODES_MAX)
            run_seed(seed, nodes, !strstr(line, " two"), verbose, arena, t);
    }
    (void)fclose(f);
    return 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: sim [--seeds A-B | --seeds A] [--nodes 3|5] [--kept FILE] [--stop FAILURES]"
                    " [--storage memory|sqlite] [--two] [--verbose]\n");
    return 2;
}

static int options(int argc, char **argv, struct options *o)
{
    static const struct option list[] = {
        {"seeds", required_argument, NULL, 's'}, {"nodes", required_argument, NULL, 'n'},
        {"kept", required_argument, NULL, 'k'},  {"verbose", no_argument, NULL, 'v'},
        {"two", no_argument, NULL, '2'},         {"storage", required_argument, NULL, 'd'},
        {"stop", required_argument, NULL, 't'},  {NULL, 0, NULL, 0}};
    int c;
    *o = (struct options){.first = 1, .last = 200, .stop = 20};
    while ((c = getopt_long(argc, argv, "", list, NULL)) != -1) {
        char *end = NULL;
        switch (c) {
        case 's':
            o->first = o->last = strtoull(optarg, &end, 10);
            if (*end == '-')
                o->last = strtoull(end + 1, &end, 10);
            if (*end || o->last < o->first)
                return usage();
            break;
        case 'n':
            o->nodes = (unsigned)strtoul(optarg, &end, 10);
            if (*end || o->nodes < 3 || o->nodes > SIM_NODES_MAX)
                return usage();
            break;
        case 'd':
            o->sqlite = strcmp(optarg, "sqlite") == 0;
            if (!o->sqlite && strcmp(optarg, "memory") != 0)
                return usage();
            break;
        case 't':
            o->stop = strtoull(optarg, &end, 10);
            if (*end || !o->stop)
                return usage();
            break;
        case 'k':
            o->kept = optarg;
            break;
        case 'v':
            o->verbose = true;
            break;
        case '2':
            o->two = true;
            break;
        default:
            return usage();
        }
    }
    return optind == argc ? 0 : usage();
}

/* The program that is linked with the real storage stands beside this one. */
static int run_sqlite(char **argv)
{
    char path[512];
    size_t n = strlen(argv[0]);
    if (n > 7 && strcmp(argv[0] + n - 7, "-sqlite") == 0)
        return 0;
    (void)snprintf(path, sizeof path, "%s-sqlite", argv[0]);
    argv[0] = path;
    execv(path, argv);
    fprintf(stderr, "sim: %s: cannot be run\n", path);
    return 2;
}

int main(int argc, char **argv)
{
    struct options o;
    struct totals t = {0};
    int err = options(argc, argv, &o);
    if (!err && o.sqlite)
        err = run_sqlite(argv);
    char *arena = malloc(ARENA);
    if (err || !arena)
        return err ? err : 2;
    log_setup(LOG_ERROR, false, "sim");
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    if (o.kept)
        err = run_kept(o.kept, o.verbose, arena, &t);
    for (uint64_t seed = o.first; seed <= o.last && t.failed < o.stop; seed++)
        run_seed(seed, o.nodes ? o.nodes : seed % 2 ? 3 : 5, !o.two, o.verbose, arena, &t);
    clock_gettime(CLOCK_MONOTONIC, &b);
    double took = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
    printf("%llu calls, %llu carried on by another node, %llu nodes declared down, %llu restarts, %llu drains, %llu "
           "elections;"
           " %llu events, %llu entries applied in %.1f s\n",
           (unsigned long long)t.calls, (unsigned long long)t.takeovers, (unsigned long long)t.downs,
           (unsigned long long)t.restarts, (unsigned long long)t.drains, (unsigned long long)t.leaders,
           (unsigned long long)t.steps, (unsigned long long)t.applied, took);
    printf("carried on:");
    for (unsigned i = 0; i < 7; i++)
        printf(" %llu %s%s", (unsigned long long)t.phases[i], core_call_phase_name((enum core_call_phase)i),
               i < 6 ? "," : ";");
    printf(" %llu commands of former owners refused; %llu call backs, %llu messages\n", (unsigned long long)t.stale,
           (unsigned long long)t.rows, (unsigned long long)t.messages);
    printf("%llu passed, %llu failed\n", (unsigned long long)t.passed, (unsigned long long)t.failed);
    free(arena);
    return err ? err : t.failed ? 1 : 0;
}
