#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t clock_read(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

/* Not CLOCK_MONOTONIC: that one stands still while the machine is suspended, and a lease would be as young after an hour as before.
 * Both cost the same (vDSO since Linux 5.3, no system call). */
struct clock_mono clock_mono_now(void)
{
    return (struct clock_mono){clock_read(CLOCK_BOOTTIME)};
}

struct clock_wall clock_wall_now(void)
{
    return (struct clock_wall){clock_read(CLOCK_REALTIME)};
}

char *clock_wall_text(struct clock_wall t, char out[CLOCK_TEXT_MAX])
{
    out[0] = '\0';
    if (t.us == 0)
        return out;
    time_t sec = (time_t)(t.us / 1000000u);
    struct tm tm;
    if (!gmtime_r(&sec, &tm))
        return out;
    size_t n = strftime(out, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, CLOCK_TEXT_MAX - n, ".%03uZ", (unsigned)(t.us / 1000u % 1000u));
    return out;
}
