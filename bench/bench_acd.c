/* Queue engine: what a decision costs when 10 to 2,000 agents and 10 to 10,000 callers are there at once, by strategy; then a working
 * day of a large centre.
 *
 * Worst case for the trees: all callers and all agents of a case are in the engine together. "decide" is acd_decide alone, "event"
 * is the whole of an agent becoming idle, the decision, and the next caller joining the queue (so that the case keeps
 * its size). Times include two readings of the clock, given as "clock". */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/acd.h"
#include "core/otree.h"

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

struct scene {
    enum acd_strategy strategy;
    uint32_t agents, waiting, queues;
    bool rich; /* every preference, 10 levels, 30 regions, 8 sets of skills, 5 kinds of need */
    uint64_t decide_median, decide_p99, event_median, event_p99;
};

static struct acd_call caller(const struct scene *c, uint64_t id, uint32_t queue, uint64_t at_us)
{
    struct acd_call call = acd_call_in(id, queue, at_us);
    if (!c->rich)
        return call;
    call.region = 1 + (uint32_t)(id % 30);
    call.last_agent = id % 3 ? ACD_NOBODY : (uint32_t)(id % c->agents);
    call.n_needs = id % 5 ? 1 : 0;
    call.needs[0] = (struct acd_skill){.skill = (uint32_t)(id % 5), .level = 1};
    return call;
}

/* Only with the preferences do these tell agents apart. */
static void set_traits(struct acd *a, uint32_t g)
{
    struct acd_skill skills[4];
    unsigned n = 0;
    for (uint32_t s = 1; s <= 4; s++)
        if (s == 4 || (g >> s) & 1)
            skills[n++] = (struct acd_skill){.skill = s, .level = 1};
    must(acd_agent_set(a, g, 1 + g % 30, skills, n));
}

static void fill(struct acd *a, const struct scene *c)
{
    struct acd_rules rules = {.strategy = c->strategy, .ring_max = 1};
    for (unsigned p = 0; c->rich && p < ACD_PREFERENCES; p++)
        rules.preferences[rules.n_preferences++] = (enum acd_preference)p;
    for (uint32_t g = 0; c->rich && g < c->agents; g++)
        set_traits(a, g);
    for (uint32_t q = 0; q < c->queues; q++) {
        must(acd_queue_set(a, q, &rules));
        for (uint32_t g = 0; g < c->agents; g++)
            must(acd_member_set(a, q, g, g / 30 % 10));
    }
    for (uint64_t i = 0; i < c->waiting; i++) {
        struct acd_call call = caller(c, i, (uint32_t)(i % c->queues), scatter(i, c->waiting));
        must(acd_enqueue(a, &call));
    }
    for (uint32_t g = 0; g < c->agents; g++) {
        uint64_t v = scatter(g, c->agents);
        const struct acd_facts f = {
            .idle_since_us = v, .login_us = v, .answered = v, .occupied_us = v, .last_offer = v};
        must(acd_agent_idle(a, g, &f));
    }
}

static void run(struct scene *c)
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
        const struct acd_call next = caller(c, clock_us, d.queue, clock_us);
        const struct acd_facts f = {.idle_since_us = clock_us,
                                    .login_us = clock_us,
                                    .answered = clock_us,
                                    .occupied_us = clock_us,
                                    .last_offer = clock_us};
        must(acd_agent_idle(a, d.agents[0], &f));
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

static void print_scene(const char *what, const struct scene *c)
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

/* ---- a working day: 8 h, 50 calls a second, 2,000 agents busy for nine tenths of it */

enum { DAY_AGENTS = 2000, DAY_CALLS = 8 * 3600 * 50, STEP_US = 20000, TALK_US_MAX = 72 * 1000 * 1000 };

struct talk {
    struct otree_node by_end;
    uint64_t end_us;
    uint32_t agent;
};
struct day {
    struct acd *acd;
    struct otree ends;
    struct talk talks[DAY_AGENTS];
    uint64_t answered, waited_us, longest_us, rng;
};

static int cmp_end(const struct otree_node *x, const struct otree_node *y)
{
    const struct talk *a = otree_entry(x, const struct talk, by_end), *b = otree_entry(y, const struct talk, by_end);
    return a->end_us != b->end_us ? (a->end_us > b->end_us) - (a->end_us < b->end_us)
                                  : (a->agent > b->agent) - (a->agent < b->agent);
}

static void serve(struct day *d, uint64_t now_us)
{
    struct acd_decision got;
    while (acd_decide(d->acd, &got)) {
        uint64_t waited = now_us - got.was.enqueued_us;
        struct talk *t = &d->talks[got.agents[0]];
        d->rng = d->rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        t->end_us = now_us + (d->rng >> 33) % TALK_US_MAX;
        otree_insert(&d->ends, &t->by_end);
        d->answered++;
        d->waited_us += waited;
        d->longest_us = waited > d->longest_us ? waited : d->longest_us;
    }
}

static void finish(struct day *d, uint64_t now_us)
{
    for (struct otree_node *n; (n = otree_first(&d->ends)) && otree_entry(n, struct talk, by_end)->end_us <= now_us;) {
        struct talk *t = otree_entry(n, struct talk, by_end);
        otree_remove(&d->ends, n);
        const struct acd_facts f = {.idle_since_us = t->end_us};
        must(acd_agent_idle(d->acd, t->agent, &f));
        serve(d, t->end_us);
    }
}

static void working_day(void)
{
    static struct day d;
    d.rng = 1;
    must(acd_new(&d.acd));
    otree_init(&d.ends, cmp_end);
    const struct scene centre = {.agents = DAY_AGENTS, .queues = 8, .rich = true};
    uint64_t t0 = now_ns();
    fill(d.acd, &centre);
    for (uint32_t g = 0; g < DAY_AGENTS; g++)
        d.talks[g].agent = g;
    for (uint64_t i = 0; i < DAY_CALLS; i++) {
        finish(&d, DAY_AGENTS + i * STEP_US);
        const struct acd_call call = caller(&centre, i, (uint32_t)(i % centre.queues), DAY_AGENTS + i * STEP_US);
        must(acd_enqueue(d.acd, &call));
        serve(&d, DAY_AGENTS + i * STEP_US);
    }
    double seconds = (double)(now_ns() - t0) / 1e9;
    printf("acd.day_calls: %llu calls (of %d, mean wait %.1f ms, longest %.1f s)\n", (unsigned long long)d.answered,
           DAY_CALLS, (double)d.waited_us / 1e3 / (double)d.answered, (double)d.longest_us / 1e6);
    printf("acd.day: %.1f s (ratio %.2f to the bound of a minute)\n", seconds, seconds / 60);
    acd_free(d.acd);
}

/* ---- */

static uint64_t by_strategy(void)
{
    static const char *const names[ACD_STRATEGIES] = {"longest_idle", "login_order",    "fewest_answered", "random",
                                                      "round_robin",  "least_occupied", "ring_all"};
    uint64_t worst = 0;
    for (int s = 0; s < ACD_STRATEGIES; s++) {
        struct scene small = {.strategy = (enum acd_strategy)s, .agents = 10, .waiting = 10, .queues = 1};
        struct scene large = {.strategy = (enum acd_strategy)s, .agents = 2000, .waiting = 10000, .queues = 1};
        run(&small);
        run(&large);
        print_scene(names[s], &large);
        printf("acd.%s_growth: %llu ns (ratio %.2f, 2000 agents x 10000 waiting to 10 x 10)\n", names[s],
               (unsigned long long)large.event_median, (double)large.event_median / (double)small.event_median);
        worst = large.event_p99 > worst ? large.event_p99 : worst;
    }
    return worst;
}

int main(void)
{
    static const uint32_t agents[] = {10, 100, 1000, 2000}, waiting[] = {10, 100, 1000, 10000};
    printf("acd.clock: %llu ns\n", (unsigned long long)clock_cost_ns());
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 4; j++) {
            struct scene c = {.agents = agents[i], .waiting = waiting[j], .queues = 1};
            run(&c);
            print_scene("agents_waiting", &c);
        }
    }
    uint64_t worst = by_strategy();
    printf("acd.event_p99_worst: %.2f us (ratio %.2f to the bound of 20 us)\n", (double)worst / 1e3,
           (double)worst / 20e3);
    struct scene many = {.agents = 2000, .waiting = 10000, .queues = ACD_QUEUES_PER_AGENT_MAX};
    run(&many);
    print_scene("each_in_64_queues", &many);
    struct scene rich = {.agents = 2000, .waiting = 10000, .queues = 1, .rich = true};
    run(&rich);
    print_scene("all_preferences_and_skills", &rich);
    working_day();
    return EXIT_SUCCESS;
}
