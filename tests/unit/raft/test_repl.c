#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/raft/fixture.h"

START_TEST(test_one_node_commits)
{
    struct fx *fx = fx_new();
    fx_cluster(fx, 1);
    for (uint32_t i = 1; i <= 10; i++)
        ck_assert_int_eq(fx_commit(fx, 0, i), 0);
    ck_assert(fx_same(fx, 10));
    fx_free(fx);
}
END_TEST

START_TEST(test_three_nodes_any_proposes)
{
    struct fx *fx = fx_new();
    fx_cluster(fx, 3);
    for (uint32_t i = 0; i < 60; i++)
        ck_assert_int_eq(fx_commit(fx, i % 3, i), 0);
    ck_assert(fx_wait_same(fx, 60));
    for (uint32_t i = 0; i < 60; i++)
        ck_assert_uint_eq(fx->nodes[0].commands[i], i);
    fx_free(fx);
}
END_TEST

START_TEST(test_restart_from_disk)
{
    struct fx *fx = fx_new();
    struct err_info info = {0};
    fx_cluster(fx, 3);
    for (uint32_t i = 0; i < 30; i++)
        ck_assert_int_eq(fx_commit(fx, i % 3, i), 0);
    ck_assert(fx_wait_same(fx, 30));
    for (unsigned i = 0; i < 3; i++) {
        fx_stop(fx, i);
        fx->nodes[i].lose_state = i != 1; /* one keeps its state: entries it has are not applied twice */
    }
    for (unsigned i = 0; i < 3; i++)
        ck_assert_msg(fx_start(fx, i, i == 0, i ? 0 : -1, &info) == 0, "%s", info.text);
    ck_assert(fx_until(fx, fx_has_leader, NULL));
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_eq(repl_incarnation(fx->nodes[i].repl), 2);
    ck_assert_int_eq(fx_commit(fx, 2, 30), 0);
    ck_assert(fx_wait_same(fx, 31));
    fx_free(fx);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("repl");
    TCase *tc = tcase_create("cluster");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_one_node_commits);
    tcase_add_test(tc, test_three_nodes_any_proposes);
    tcase_add_test(tc, test_restart_from_disk);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
