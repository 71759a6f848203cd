/* Time. Monotonic and wall-clock time are different types so that they cannot be mixed up.
 *
 * Any thread. Monotonic time is for measuring and waiting inside one process, and goes on while the machine is suspended
 * (CLOCK_BOOTTIME; timers of libuv and of the kernel do not); wall-clock time is for records and is
 * what commands carry. Neither ever fails on Linux. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

struct clock_mono {
    uint64_t us; /* microseconds since an arbitrary start */
};
struct clock_wall {
    uint64_t us; /* microseconds since 1970-01-01T00:00:00Z */
};

struct clock_mono clock_mono_now(void);
struct clock_wall clock_wall_now(void);

/* RFC 3339 in UTC with milliseconds, such as "2026-03-01T09:30:00.125Z". `out` holds at least CLOCK_TEXT_MAX bytes.
 * Returns `out`; an empty string for 0 (a time that has not come to be). */
#define CLOCK_TEXT_MAX 32
char *clock_wall_text(struct clock_wall t, char out[CLOCK_TEXT_MAX]);

#endif
