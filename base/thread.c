#include "base/thread.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

enum { THREAD_URGENT_NICE = -15 };

/* Linux keeps the nice value for each thread (setpriority(2), "C library/kernel differences"). */
static bool thread_nice(int value)
{
    return setpriority(PRIO_PROCESS, (id_t)gettid(), value) == 0;
}

bool thread_urgent(void)
{
    return thread_nice(THREAD_URGENT_NICE);
}

void thread_ordinary(void)
{
    (void)thread_nice(0);
}

void thread_idle(void)
{
    const struct sched_param none = {.sched_priority = 0};
    (void)sched_setscheduler(0, SCHED_IDLE, &none);
}
