/* Work for the core thread from other threads: bounded for clients, never refused for answers. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "node/node.h"
#include "tests/unit/suite.h"

static struct node n;
static unsigned worked, answered;

static void work(struct node *node, void *ctx)
{
    ck_assert_ptr_eq(node, &n);
    worked += *(const unsigned *)ctx;
}

struct request {
    unsigned number;
    struct node_posted post;
};

static void answer(struct node *node, void *ctx)
{
    struct request *r = ctx;
    ck_assert_ptr_eq(node, &n);
    ck_assert_uint_eq(r->number, ++answered); /* oldest first */
    free(r);
}

static void *another_thread(void *arg)
{
    const unsigned *count = arg;
    for (unsigned i = 1; i <= *count; i++) {
        struct request *r = calloc(1, sizeof *r);
        ck_assert_ptr_nonnull(r);
        r->number = i;
        node_post_lend(&n, &r->post, answer, r);
    }
    return NULL;
}

static void lend(unsigned count)
{
    pthread_t t;
    ck_assert_int_eq(pthread_create(&t, NULL, another_thread, &count), 0);
    ck_assert_int_eq(pthread_join(t, NULL), 0);
}

static void setup(void)
{
    worked = answered = 0;
    ck_assert_int_eq(uv_loop_init(&n.loop), 0);
    ck_assert_int_eq(node_post_init(&n), 0);
}

static void teardown(void)
{
    node_post_close(&n);
    uv_run(&n.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&n.loop), 0);
}

START_TEST(an_answer_finds_room_when_clients_have_taken_all)
{
    unsigned one = 1;
    for (unsigned i = 0; i < NODE_POST_MAX; i++)
        ck_assert_int_eq(node_post(&n, work, &one), 0);
    ck_assert_int_eq(node_post(&n, work, &one), ERR_BUSY);
    lend(3);
    ck_assert_uint_eq(worked + answered, 0); /* in the core thread only */
    uv_run(&n.loop, UV_RUN_NOWAIT);
    ck_assert_uint_eq(worked, NODE_POST_MAX);
    ck_assert_uint_eq(answered, 3);
    ck_assert_int_eq(node_post(&n, work, &one), 0);
    uv_run(&n.loop, UV_RUN_NOWAIT); /* room again, and done while what it points to is there */
    ck_assert_uint_eq(worked, NODE_POST_MAX + 1);
}
END_TEST

START_TEST(what_waits_at_the_end_is_still_done)
{
    unsigned one = 1;
    ck_assert_int_eq(node_post(&n, work, &one), 0);
    lend(2);
    node_post_close(&n);
    ck_assert_uint_eq(worked, 1);
    ck_assert_uint_eq(answered, 2);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("post");
    TCase *t = tcase_create("post");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, an_answer_finds_room_when_clients_have_taken_all);
    tcase_add_test(t, what_waits_at_the_end_is_still_done);
    suite_add_tcase(s, t);
    return run_suite(s);
}
