/* Which threads go first when the machine has more to do than processors. Linux; each call is about the calling thread only.
 *
 * The thread that decides about calls, and what it starts, is ahead of ordinary programs: after another machine's death it has
 * hundreds of calls to carry on at once, and each millisecond that it waits for a processor their callers hear nothing. It stays an
 * ordinary thread for the scheduler: one that never ends takes most of a processor, but not all of it (sound is ahead of it with a
 * real-time class: telephony/media_thread.c). New threads and processes have what their maker has, so those that work in the
 * background are made before, or give it back first. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <stdbool.h>

/* Before ordinary ones from now on (nice -15). Needs CAP_SYS_NICE or a limit RLIMIT_NICE of 35 (LimitNICE=-15 of systemd); false
 * without it, and all goes on as it was. */
bool thread_urgent(void);
/* Like any other (nice 0), whatever its maker was. Never refused. */
void thread_ordinary(void);
/* Behind all others: it runs when nobody else wants the processor (SCHED_IDLE). Never refused. */
void thread_idle(void);

#endif
