/* Who goes first: the core thread, not the workers that it makes. */
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "base/thread.h"
#include "node/daemon.h"
#include "tests/unit/suite.h"

#define WORKERS 4 /* as libuv makes them */

static uv_barrier_t all_work;
static int seen[WORKERS];

static int nice_now(void)
{
    return getpriority(PRIO_PROCESS, (id_t)gettid());
}

static void look(uv_work_t *work)
{
    *(int *)work->data = nice_now();
    (void)uv_barrier_wait(&all_work); /* each of them looks */
}

static void looked(uv_work_t *work, int status)
{
    (void)work;
    ck_assert_int_eq(status, 0);
}

START_TEST(workers_are_ordinary)
{
    uv_loop_t loop;
    uv_work_t work[WORKERS];
    int before = nice_now();
    setenv("UV_THREADPOOL_SIZE", "4", 1);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    daemon_workers(&loop);
    if (!thread_urgent()) /* not permitted here: anything that differs will do */
        ck_assert_int_eq(setpriority(PRIO_PROCESS, (id_t)gettid(), before + 1), 0);
    ck_assert_int_ne(nice_now(), before);
    ck_assert_int_eq(uv_barrier_init(&all_work, WORKERS), 0);
    for (int i = 0; i < WORKERS; i++) {
        work[i].data = &seen[i];
        ck_assert_int_eq(uv_queue_work(&loop, &work[i], look, looked), 0);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    for (int i = 0; i < WORKERS; i++)
        ck_assert_int_eq(seen[i], before);
    uv_barrier_destroy(&all_work);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("daemon");
    TCase *t = tcase_create("priority");
    tcase_add_test(t, workers_are_ordinary);
    suite_add_tcase(s, t);
    return run_suite(s);
}
