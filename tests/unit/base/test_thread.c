#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/thread.h"

static int nice_now(void)
{
    errno = 0;
    int value = getpriority(PRIO_PROCESS, (id_t)gettid());
    ck_assert_int_eq(errno, 0);
    return value;
}

static void *heir(void *arg)
{
    int *seen = arg;
    seen[0] = nice_now();
    thread_ordinary();
    seen[1] = nice_now();
    return NULL;
}

static void *urgent(void *arg)
{
    int *seen = arg;
    pthread_t t;
    bool may = thread_urgent();
    seen[0] = nice_now();
    ck_assert_int_eq(pthread_create(&t, NULL, heir, seen + 1), 0);
    ck_assert_int_eq(pthread_join(t, NULL), 0);
    seen[3] = may;
    return NULL;
}

/* One thread goes first, what it makes as well until that says otherwise, and the others are as they were. */
START_TEST(each_thread_for_itself)
{
    int before = nice_now(), seen[4] = {0};
    pthread_t t;
    ck_assert_int_eq(pthread_create(&t, NULL, urgent, seen), 0);
    ck_assert_int_eq(pthread_join(t, NULL), 0);
    ck_assert_int_eq(seen[0], seen[3] ? -15 : before);
    ck_assert_int_eq(seen[1], seen[0]);
    ck_assert_int_eq(seen[2], before > 0 && !seen[3] ? before : 0);
    ck_assert_int_eq(nice_now(), before);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("thread");
    TCase *t = tcase_create("priority");
    tcase_add_test(t, each_thread_for_itself);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
