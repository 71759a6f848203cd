/* Places where the C library is stepped in front of, because Sofia-SIP offers no hook there; they work per thread. And its clock.
 *
 * resolve_guard.c: getaddrinfo() resolves no names on a guarded thread, and Sofia-SIP gets no DNS resolver there.
 * sip_accept.c: accept() on a guarded thread refuses a connection over the cap per source address (closed at once).
 * sip_clock.c: Sofia-SIP's time in whole milliseconds, for the whole process. */
#ifndef TELEPHONY_SIP_GUARD_H
#define TELEPHONY_SIP_GUARD_H

#include <stdbool.h>
#include <stdint.h>

/* Calling thread only. */
void sip_resolve_guard(bool on);
bool sip_resolve_guarded(void);

/* Calling thread only: messages with more than 512 header lines are taken for garbage. */
void sip_bounds_guard(bool enable);

/* Whole process, before timers are set: Sofia-SIP's loop does not spin through the last part of a millisecond before a timer. */
void sip_clock_coarse(void);

/* Calling thread only: at most `cap` open accepted connections per source address; 0 lifts the guard. */
void sip_accept_guard(unsigned cap);
/* Shuts accepted connections without data in either direction for longer than idle_ms. TPTAG_IDLE alone leaves one that has
 * never sent anything. */
void sip_accept_sweep(uint32_t idle_ms);
/* Open connections that this thread has accepted under the guard. */
uint32_t sip_accept_open(void);

#endif
