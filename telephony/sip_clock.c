/* Sofia-SIP's clock, cut to whole milliseconds.
 *
 * Its loop waits in milliseconds for timers kept in microseconds: during the last part of a millisecond before a timer it asks for
 * no wait at all, again and again, and burns the processor until the timer is due. With the clock cut to milliseconds a timer is
 * always a whole number of them away. The time stays the wall clock's; a timer fires up to a millisecond late. */
#include <sofia-sip/su_time.h>
#include <time.h>

#include "telephony/sip_guard.h"

#define SIP_CLOCK_1900_TO_1970 2208988800ul

/* Exported by the library so that its time can be replaced; in no header of it. */
extern void (*_su_time)(su_time_t *tv);

static void sip_clock_now(su_time_t *tv)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    tv->tv_sec = (unsigned long)t.tv_sec + SIP_CLOCK_1900_TO_1970;
    tv->tv_usec = (unsigned long)t.tv_nsec / 1000000u * 1000u;
}

void sip_clock_coarse(void)
{
    _su_time = sip_clock_now;
}
