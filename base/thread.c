#include "base/thread.h"

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
