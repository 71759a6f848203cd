/* The queue between threads: order, bound, many producers. */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/xq.h"
#include "tests/unit/suite.h"

enum { PRODUCERS = 4, ITEMS = 20000, CAP = 64 };

START_TEST(first_in_first_out_with_a_bound)
{
    struct xq q;
    int items[5], was_empty = -1;
    ck_assert_int_eq(xq_init(&q, 3), 0);
    ck_assert_ptr_null(xq_pop(&q));
    for (int round = 0; round < 10; round++) {
        ck_assert_int_eq(xq_push(&q, &items[0], &was_empty), 0);
        ck_assert_int_eq(was_empty, 1);
        ck_assert_int_eq(xq_push(&q, &items[1], &was_empty), 0);
        ck_assert_int_eq(was_empty, 0);
        ck_assert_int_eq(xq_push(&q, &items[2], NULL), 0);
        was_empty = 7;
        ck_assert_int_eq(xq_push(&q, &items[3], &was_empty), ERR_BUSY);
        ck_assert_int_eq(was_empty, 7);
        ck_assert_uint_eq(xq_count(&q), 3);
        ck_assert_ptr_eq(xq_pop(&q), &items[0]);
        ck_assert_int_eq(xq_push(&q, &items[4], NULL), 0);
        ck_assert_ptr_eq(xq_pop(&q), &items[1]);
        ck_assert_ptr_eq(xq_pop(&q), &items[2]);
        ck_assert_ptr_eq(xq_pop(&q), &items[4]);
        ck_assert_ptr_null(xq_pop(&q));
        ck_assert_uint_eq(xq_count(&q), 0);
    }
    xq_destroy(&q);
}
END_TEST

struct item {
    unsigned producer, number;
};

struct producer {
    pthread_t thread;
    struct xq *q;
    struct item *items;
};

static void *produce(void *arg)
{
    struct producer *p = arg;
    for (unsigned i = 0; i < ITEMS; i++)
        while (xq_push(p->q, &p->items[i], NULL))
            sched_yield(); /* full: the consumer is at work */
    return NULL;
}

START_TEST(many_producers)
{
    struct xq q;
    struct producer p[PRODUCERS];
    unsigned next[PRODUCERS] = {0};
    ck_assert_int_eq(xq_init(&q, CAP), 0);
    for (unsigned i = 0; i < PRODUCERS; i++) {
        p[i].q = &q;
        p[i].items = calloc(ITEMS, sizeof *p[i].items);
        for (unsigned k = 0; k < ITEMS; k++)
            p[i].items[k] = (struct item){i, k};
        ck_assert_int_eq(pthread_create(&p[i].thread, NULL, produce, &p[i]), 0);
    }
    uint64_t deadline = clock_mono_now().us + 30 * UINT64_C(1000000);
    for (unsigned got = 0; got < PRODUCERS * ITEMS;) {
        struct item *it = xq_pop(&q);
        ck_assert_msg(it || clock_mono_now().us < deadline, "only %u items came", got);
        if (!it) {
            sched_yield();
            continue;
        }
        ck_assert_uint_eq(it->number, next[it->producer]++); /* each producer's own order is kept */
        got++;
    }
    for (unsigned i = 0; i < PRODUCERS; i++) {
        pthread_join(p[i].thread, NULL);
        free(p[i].items);
    }
    ck_assert_ptr_null(xq_pop(&q));
    xq_destroy(&q);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("xq");
    TCase *t = tcase_create("xq");
    tcase_add_test(t, first_in_first_out_with_a_bound);
    tcase_add_test(t, many_producers);
    suite_add_tcase(s, t);
    return run_suite(s);
}
