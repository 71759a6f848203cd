/* Runs seeds: sim --seeds A-B [--nodes 3|5] [--verbose]; without --seeds the kept ones, then the first --count. See README.md. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "tests/sim/sim.h"

#define ARENA (8u << 20)

struct options {
    uint64_t first, last;
    unsigned nodes; /* 0: 3 and 5 by turns */
    bool verbose, ranged;
    unsigned long count;
    const char *kept;
};
struct totals {
    uint64_t passed, failed, steps, applied, calls, takeovers, downs, drains, leaders, restarts;
};

static void run_seed(uint64_t seed, unsigned nodes, bool verbose, char *arena, struct totals *t)
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
    if (!s->failed) {
        t->passed++;
        return;
    }
    t->failed++;
    printf("seed %llu with %u nodes: %s (after %.3f s and %llu steps)\n  again: %s --seeds %llu --nodes %u --verbose\n",
           (unsigned long long)seed, nodes, s->why, (double)s->now / 1e6, (unsigned long long)s->steps,
           program_invocation_name, (unsigned long long)seed, nodes);
}

/* A file of past findings: lines of "SEED NODES", and # comments. */
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
            run_seed(seed, nodes, verbose, arena, t);
    }
    (void)fclose(f);
    return 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: sim [--seeds A-B | --seeds A] [--nodes 3|5] [--kept FILE] [--verbose]\n");
    return 2;
}

static int options(int argc, char **argv, struct options *o)
{
    static const struct option list[] = {{"seeds", required_argument, NULL, 's'}, {"nodes", required_argument, NULL, 'n'},
                                         {"kept", required_argument, NULL, 'k'},  {"verbose", no_argument, NULL, 'v'},
                                         {NULL, 0, NULL, 0}};
    int c;
    *o = (struct options){.first = 1, .last = 200};
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
        case 'k':
            o->kept = optarg;
            break;
        case 'v':
            o->verbose = true;
            break;
        default:
            return usage();
        }
    }
    return optind == argc ? 0 : usage();
}

int main(int argc, char **argv)
{
    struct options o;
    struct totals t = {0};
    int err = options(argc, argv, &o);
    char *arena = malloc(ARENA);
    if (err || !arena)
        return err ? err : 2;
    log_setup(LOG_ERROR, false, "sim");
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    if (o.kept)
        err = run_kept(o.kept, o.verbose, arena, &t);
    for (uint64_t seed = o.first; seed <= o.last && t.failed < 20; seed++)
        run_seed(seed, o.nodes ? o.nodes : seed % 2 ? 3 : 5, o.verbose, arena, &t);
    clock_gettime(CLOCK_MONOTONIC, &b);
    double took = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
    printf("%llu calls, %llu carried on by another node, %llu nodes declared down, %llu restarts, %llu drains, %llu elections;"
           " %llu events, %llu entries applied in %.1f s\n",
           (unsigned long long)t.calls, (unsigned long long)t.takeovers, (unsigned long long)t.downs,
           (unsigned long long)t.restarts, (unsigned long long)t.drains, (unsigned long long)t.leaders,
           (unsigned long long)t.steps, (unsigned long long)t.applied, took);
    printf("%llu passed, %llu failed\n", (unsigned long long)t.passed, (unsigned long long)t.failed);
    free(arena);
    return err ? err : t.failed ? 1 : 0;
}
