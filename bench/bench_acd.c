/* Queue engine: what a decision costs when 10 to 2,000 agents and 10 to 10,000 callers are there at once.
 *
 * Worst case for the trees: all callers and all agents of a cell are in the engine together. "decide" is acd_decide alone, "event"
 * is the whole of an agent becoming idle, the decision, and the next caller joining the queue (so that the cell keeps
 * its size). Times include two readings of the clock, given as "clock". */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/acd.h"

enum { ROUNDS = 20000, WARM_UP = 2000, MEDIAN = ROUNDS / 2, P99 = ROUNDS / 100 * 99 };

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void must(int rc)
{
    if (rc) {
        fprintf(stderr, "bench_acd: %s\n", err_text(rc));
        exit(EXIT_FAILURE);
    }
}

static int by_value(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return (a > b) - (a < b);
}

/* Spreads keys so that neighbours in order are not neighbours in memory. */
static uint64_t scatter(uint64_t i, uint64_t n)
{
    return i * 7919u % n;
}

struct cell {
    uint32_t agents, waiting, queues;
    uint64_t decide_median, decide_p99, event_median, event_p99;
};

static void fill(struct acd *a, const struct cell *c)
{
    for (uint32_t q = 0; q < c->queues; q++) {
        must(acd_queue_set(a, q, ACD_LONGEST_IDLE));
        for (uint32_t g = 0; g < c->agents; g++)
            must(acd_member_set(a, q, g, 0));
    }
    for (uint64_t i = 0; i < c->waiting; i++) {
        struct acd_call call = {.call = i, .queue = (uint32_t)(i % c->queues), .enqueued_us = scatter(i, c->waiting)};
        must(acd_enqueue(a, &call));
    }
    for (uint32_t g = 0; g < c->agents; g++)
        must(acd_agent_idle(a, g, scatter(g, c->agents)));
}

static void run(struct cell *c)
{
    static uint64_t decide[ROUNDS], event[ROUNDS];
    struct acd *a;
    must(acd_new(&a));
    fill(a, c);
    uint64_t clock_us = c->waiting + c->agents;
    for (int i = -WARM_UP; i < ROUNDS; i++) {
        struct acd_decision d;
        uint64_t t0 = now_ns();
        if (!acd_decide(a, &d))
            must(ERR_BADSTATE);
        uint64_t t1 = now_ns();
        clock_us++;
        struct acd_call next = {.call = clock_us, .queue = d.queue, .enqueued_us = clock_us};
        must(acd_agent_idle(a, d.agent, clock_us));
        must(acd_enqueue(a, &next));
        uint64_t t2 = now_ns();
        if (i >= 0) {
            decide[i] = t1 - t0;
            event[i] = t2 - t0;
        }
    }
    acd_free(a);
    qsort(decide, ROUNDS, sizeof *decide, by_value);
    qsort(event, ROUNDS, sizeof *event, by_value);
    c->decide_median = decide[MEDIAN];
    c->decide_p99 = decide[P99];
    c->event_median = event[MEDIAN];
    c->event_p99 = event[P99];
}

static void print_cell(const char *what, const struct cell *c)
{
    char name[64];
    snprintf(name, sizeof name, "acd.%s_%ux%u", what, c->agents, c->waiting);
    printf("%s_decide_median: %llu ns\n", name, (unsigned long long)c->decide_median);
    printf("%s_decide_p99: %llu ns\n", name, (unsigned long long)c->decide_p99);
    printf("%s_event_median: %llu ns\n", name, (unsigned long long)c->event_median);
    printf("%s_event_p99: %llu ns\n", name, (unsigned long long)c->event_p99);
}

static uint64_t clock_cost_ns(void)
{
    static uint64_t cost[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t t0 = now_ns();
        cost[i] = now_ns() - t0;
    }
    qsort(cost, ROUNDS, sizeof *cost, by_value);
    return cost[MEDIAN];
}

int main(void)
{
    static const uint32_t agents[] = {10, 100, 1000, 2000}, waiting[] = {10, 100, 1000, 10000};
    struct cell smallest = {0}, largest = {0};
    uint64_t worst = 0;
    printf("acd.clock: %llu ns\n", (unsigned long long)clock_cost_ns());
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 4; j++) {
            struct cell c = {.agents = agents[i], .waiting = waiting[j], .queues = 1};
            run(&c);
            print_cell("agents_waiting", &c);
            if (i == 0 && j == 0)
                smallest = c;
            largest = c;
            worst = c.event_p99 > worst ? c.event_p99 : worst;
        }
    }
    struct cell many = {.agents = 2000, .waiting = 10000, .queues = ACD_QUEUES_PER_AGENT_MAX};
    run(&many);
    print_cell("each_in_64_queues", &many);
    printf("acd.event_p99_worst: %.2f us (ratio %.2f to the bound of 20 us)\n", (double)worst / 1e3,
           (double)worst / 20e3);
    printf("acd.decide_growth: %llu ns (ratio %.2f, 2000 agents x 10000 waiting to 10 x 10)\n",
           (unsigned long long)largest.decide_median, (double)largest.decide_median / (double)smallest.decide_median);
    printf("acd.event_growth: %llu ns (ratio %.2f, 2000 agents x 10000 waiting to 10 x 10)\n",
           (unsigned long long)largest.event_median, (double)largest.event_median / (double)smallest.event_median);
    return EXIT_SUCCESS;
}
