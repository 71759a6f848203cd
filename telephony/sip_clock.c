/* Sofia-SIP's clock: steady, and cut to whole milliseconds.
 *
 * Its timers are set by what it takes for the time of day: when somebody sets the clock an hour ahead, every transaction that waits
 * for an answer has timed out. It is given the time of day at the start and what has passed since by the monotonic clock.
 *
 * Its loop waits in milliseconds for timers kept in microseconds: during the last part of a millisecond before a timer it asks for
 * no wait at all, again and again, and burns the processor until the timer is due. With the clock cut to milliseconds a timer is
 * always a whole number of them away; it fires up to a millisecond late. */
#include <sofia-sip/su_time.h>

#include "base/clock.h"
#include "telephony/sip_guard.h"

#define SIP_CLOCK_1900_TO_1970 2208988800ul

/* Exported by the library so that its time can be replaced; in no header of it. */
extern void (*_su_time)(su_time_t *tv);

static uint64_t sip_clock_start_us; /* time of day less the monotonic clock, when it began */

static void sip_clock_now(su_time_t *tv)
{
    uint64_t now_us = sip_clock_start_us + clock_mono_now().us;
    tv->tv_sec = (unsigned long)(now_us / 1000000u) + SIP_CLOCK_1900_TO_1970;
    tv->tv_usec = (unsigned long)(now_us % 1000000u) / 1000u * 1000u;
}

void sip_clock_coarse(void)
{
    if (sip_clock_start_us)
        return;
    sip_clock_start_us = clock_wall_now().us - clock_mono_now().us;
    _su_time = sip_clock_now;
}
