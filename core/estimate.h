/* How long a caller will wait: integers only, so that every node says the same, and few enough numbers that people can follow.
 *
 * From the last hour of a queue (12 windows of five minutes) come two figures:
 *   handling  the mean time that a call keeps an agent busy: ringing, talking, and the queue's wrap-up in full. Three calls of three
 *             minutes are reckoned in, so that a queue begins with something and few calls do not tell too much.
 *   leaving   callers who gave up, for each second that a caller waited
 * From the present come the agents who work for the queue (idle, ringing, talking or in wrap-up, ready and not about to leave), in
 * thousandths: one who serves other queues as well is divided among those by how many wait in each.
 *
 * With `agents` at work the next place is freed in handling / agents on average; while j callers stand before him, also by their
 * giving up. So who stands at place p waits
 *   the sum over j = 0 .. p-1 of 1 / (agents / handling + j * leaving)
 * which is exact for the mean in a queue of the Erlang A model (exponential talk times and patience).
 *
 * Known limits: agents who come or go later are not foreseen; who waits for a skill, or for his own agent, waits with those agents alone,
 * which is not reckoned; VIPs who come later pass; wrap-up that agents end early counts in full; talk times that hardly vary make the
 * true wait of the first places somewhat shorter than told. A mean is told: half of the callers wait up to 30 % longer.
 * Pure, any thread. */
#ifndef CORE_ESTIMATE_H
#define CORE_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

#define ESTIMATE_WINDOWS 12u
#define ESTIMATE_WINDOW_US 300000000ull
#define ESTIMATE_PRIOR_CALLS 3u
#define ESTIMATE_PRIOR_US 180000000ull
#define ESTIMATE_UNKNOWN UINT32_MAX /* nobody works for the queue */

struct estimate_window {
    uint64_t number; /* time / ESTIMATE_WINDOW_US */
    uint64_t served, busy_us, left, waited_us;
};
struct estimate_history {
    struct estimate_window window[ESTIMATE_WINDOWS]; /* by number modulo ESTIMATE_WINDOWS */
};
/* The window of now: an old one in its place is emptied. */
struct estimate_window *estimate_at(struct estimate_history *h, uint64_t now_us);

/* Rates in events for 10^12 microseconds. */
struct estimate {
    uint64_t handling_us;
    uint64_t agents_1000;
    uint64_t serving, leaving;
};
struct estimate estimate_of(const struct estimate_history *h, uint64_t now_us, uint64_t agents_1000);
/* Of who stands at this place, from 1, in seconds; at most a day. */
uint32_t estimate_wait_s(const struct estimate *e, uint32_t place);
/* Whether that is longer than so many seconds; an unknown one is. Its cost does not grow with the place. */
bool estimate_exceeds(const struct estimate *e, uint32_t place, uint32_t seconds);

#endif
