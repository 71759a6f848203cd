#include "core/estimate.h"

#include <string.h>

#define UNIT 1000000000000ull
#define DAY_US 86400000000ull

struct estimate_window *estimate_at(struct estimate_history *h, uint64_t now_us)
{
    uint64_t number = now_us / ESTIMATE_WINDOW_US;
    struct estimate_window *w = &h->window[number % ESTIMATE_WINDOWS];
    if (w->number != number)
        *w = (struct estimate_window){.number = number};
    return w;
}

struct estimate estimate_of(const struct estimate_history *h, uint64_t now_us, uint64_t agents_1000)
{
    uint64_t number = now_us / ESTIMATE_WINDOW_US, served = ESTIMATE_PRIOR_CALLS, left = 0, waited_us = 0;
    uint64_t busy_us = ESTIMATE_PRIOR_CALLS * ESTIMATE_PRIOR_US;
    for (unsigned i = 0; i < ESTIMATE_WINDOWS; i++) {
        const struct estimate_window *w = &h->window[i];
        if (w->number > number || w->number + ESTIMATE_WINDOWS <= number)
            continue;
        served += w->served;
        busy_us += w->busy_us;
        left += w->left;
        waited_us += w->waited_us;
    }
    struct estimate e = {.handling_us = busy_us / served, .agents_1000 = agents_1000};
    e.handling_us = e.handling_us ? e.handling_us : 1;
    e.serving = agents_1000 * (UNIT / 1000) / e.handling_us;
    e.leaving = waited_us ? left * 1000000 * 1000 / (waited_us / 1000 + 1) : 0;
    return e;
}

static uint64_t wait_us(const struct estimate *e, uint32_t place, uint64_t enough_us)
{
    uint64_t sum = 0;
    for (uint32_t j = 0; j < place && sum <= enough_us; j++)
        sum += UNIT / (e->serving + j * e->leaving);
    return sum;
}

uint32_t estimate_wait_s(const struct estimate *e, uint32_t place)
{
    uint64_t us = e->serving ? wait_us(e, place, DAY_US) : 0;
    return e->serving ? (uint32_t)((us < DAY_US ? us : DAY_US) / 1000000) : ESTIMATE_UNKNOWN;
}

bool estimate_exceeds(const struct estimate *e, uint32_t place, uint32_t seconds)
{
    uint64_t limit = seconds * 1000000ull;
    return !e->serving || wait_us(e, place, limit) > limit;
}
