/* Estimated waits (core/estimate.h) against what callers really waited: working days of one queue whose agents are too few in the
 * morning, enough at noon, and fewer again in the afternoon, with log-normal talk times and callers who give up. Virtual time; the rule itself
 * runs, fed as core feeds it. Told is each caller at his entry; counted are those who waited for at least half a minute and were served. Beside
 * it, as the reference: who is told what the caller before him, who was served last, has waited. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/estimate.h"

enum { DAYS = 20, AGENTS_MAX = 24, CALLS_MAX = 6000 };

#define SECOND UINT64_C(1000000)
#define HOUR (3600 * SECOND)
#define DAY (9 * HOUR)
#define NEVER UINT64_MAX
#define HANDLING_S 180.0
#define PATIENCE_S 600.0
#define LEAST_S 30

struct caller {
    uint64_t came_us, gives_up_us;
    uint32_t told_s, last_s; /* by the rule; what the one served last had waited */
};
struct day {
    struct estimate_history history;
    uint64_t rng, now;
    uint64_t free_at[AGENTS_MAX]; /* NEVER: idle */
    uint64_t began[AGENTS_MAX];
    struct caller queue[CALLS_MAX];
    unsigned waiting;
    uint32_t last_s;
};
struct errors {
    double rule[DAYS * CALLS_MAX], last[DAYS * CALLS_MAX];
    double rule_sum, last_sum, waited_sum;
    unsigned n, gave_up, calls;
};

static double draw(struct day *d) /* in (0, 1] */
{
    d->rng = d->rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ((double)(d->rng >> 11) + 1) / 9007199254740992.0;
}

static uint64_t exponential(struct day *d, double mean_s)
{
    return (uint64_t)(-log(draw(d)) * mean_s * (double)SECOND) + 1;
}

static uint64_t handling(struct day *d)
{
    const double sigma = 0.8;
    double normal = sqrt(-2 * log(draw(d))) * cos(2 * 3.14159265358979 * draw(d));
    return (uint64_t)(HANDLING_S * exp(sigma * normal - sigma * sigma / 2) * (double)SECOND) + SECOND;
}

/* Agents at work by the hour, and how many calls come in an hour: more than they can take from nine to eleven and from three on. */
static unsigned agents_at(uint64_t now)
{
    static const unsigned at[9] = {12, 12, 14, 10, 10, 14, 12, 10, 10};
    return at[now < DAY ? now / HOUR : 8];
}

static double calls_at(uint64_t now)
{
    static const double at[9] = {200, 280, 290, 190, 170, 260, 250, 210, 120};
    return at[now < DAY ? now / HOUR : 8];
}

static unsigned busy(const struct day *d)
{
    unsigned n = 0;
    for (unsigned i = 0; i < AGENTS_MAX; i++)
        n += d->free_at[i] != NEVER;
    return n;
}

static void take_out(struct day *d, unsigned at)
{
    for (d->waiting--; at < d->waiting; at++)
        d->queue[at] = d->queue[at + 1];
}

static void serve(struct day *d, struct errors *e)
{
    struct caller c = d->queue[0];
    double waited = (double)(d->now - c.came_us) / (double)SECOND;
    estimate_at(&d->history, d->now)->waited_us += d->now - c.came_us;
    if (waited >= LEAST_S) {
        e->rule[e->n] = fabs(c.told_s - waited);
        e->last[e->n++] = fabs(c.last_s - waited);
        e->rule_sum += c.told_s - waited;
        e->last_sum += c.last_s - waited;
        e->waited_sum += waited;
    }
    d->last_s = (uint32_t)waited;
    unsigned i = 0;
    while (d->free_at[i] != NEVER)
        i++;
    d->began[i] = d->now;
    d->free_at[i] = d->now + handling(d);
    take_out(d, 0);
}

static void arrive(struct day *d, struct errors *e)
{
    struct estimate est = estimate_of(&d->history, d->now, 1000ull * agents_at(d->now));
    struct caller *c = &d->queue[d->waiting++];
    e->calls++;
    *c = (struct caller){d->now, d->now + exponential(d, PATIENCE_S), estimate_wait_s(&est, d->waiting), d->last_s};
}

static void leave(struct day *d, struct errors *e, unsigned at)
{
    struct estimate_window *w = estimate_at(&d->history, d->now);
    w->left++;
    w->waited_us += d->now - d->queue[at].came_us;
    e->gave_up++;
    take_out(d, at);
}

static void hang_up(struct day *d, unsigned agent)
{
    struct estimate_window *w = estimate_at(&d->history, d->now);
    w->served++;
    w->busy_us += d->now - d->began[agent];
    d->free_at[agent] = NEVER;
}

/* The next of: a call, an agent who is free, a caller who gives up. */
static void step(struct day *d, struct errors *e, uint64_t *next_call)
{
    uint64_t at = *next_call;
    int agent = -1, caller = -1;
    for (unsigned i = 0; i < AGENTS_MAX; i++)
        if (d->free_at[i] != NEVER && d->free_at[i] < at) {
            at = d->free_at[i];
            agent = (int)i;
        }
    for (unsigned i = 0; i < d->waiting; i++)
        if (d->queue[i].gives_up_us < at) {
            at = d->queue[i].gives_up_us;
            caller = (int)i;
        }
    d->now = at;
    if (caller >= 0) {
        leave(d, e, (unsigned)caller);
    } else if (agent >= 0) {
        hang_up(d, (unsigned)agent);
    } else {
        arrive(d, e);
        *next_call = d->now + exponential(d, 3600.0 / calls_at(d->now));
    }
    while (d->waiting && busy(d) < agents_at(d->now))
        serve(d, e);
}

static int by_value(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static void print(const char *name, double *of, unsigned n, double sum)
{
    qsort(of, n, sizeof *of, by_value);
    printf("estimate_%s_error_median: %.0f s\n", name, of[n / 2]);
    printf("estimate_%s_error_p90: %.0f s\n", name, of[n / 10 * 9]);
    printf("estimate_%s_bias: %+.0f s\n", name, sum / n);
}

int main(void)
{
    struct errors *e = calloc(1, sizeof *e);
    struct day *d = malloc(sizeof *d);
    if (!e || !d) {
        fprintf(stderr, "bench_estimate: out of memory\n");
        return EXIT_FAILURE;
    }
    for (unsigned i = 0; i < DAYS; i++) {
        *d = (struct day){.rng = i + 1};
        for (unsigned a = 0; a < AGENTS_MAX; a++)
            d->free_at[a] = NEVER;
        uint64_t next_call = exponential(d, 3600.0 / calls_at(0));
        while (d->now < DAY)
            step(d, e, &next_call);
    }
    if (!e->n) {
        fprintf(stderr, "bench_estimate: nobody waited\n");
        return EXIT_FAILURE;
    }
    printf("estimate_days: %u (%u calls, %u gave up, %u waited %u s or more and were served, %.0f s on average)\n",
           DAYS, e->calls, e->gave_up, e->n, LEAST_S, e->waited_sum / e->n);
    print("rule", e->rule, e->n, e->rule_sum);
    print("last_served", e->last, e->n, e->last_sum);
    free(d);
    free(e);
    return EXIT_SUCCESS;
}
