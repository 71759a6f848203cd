/* The order of nodes for a phone. */
#include "node/nearest.h"

#include <check.h>
#include <string.h>

#include "core/core.h"
#include "tests/unit/suite.h"

static struct core_node names[] = {{.name = "a"}, {.name = "b"}, {.name = "c"}, {.name = "d"}};

static const struct {
    const char *why;
    struct nearest_row rows[4];
    const char *order;
} cases[] = {
    {"site before all", {{.known = true, .rtt_us = 0, .calls = 0}, {.known = true, .rtt_us = 90000, .calls = 9, .same_site = true}}, "ba"},
    {"nearer before less busy", {{.known = true, .rtt_us = 4000, .calls = 0}, {.known = true, .rtt_us = 1500, .calls = 9}}, "ba"},
    {"within a millisecond the load", {{.known = true, .rtt_us = 0, .calls = 5}, {.known = true, .rtt_us = 999, .calls = 4}}, "ba"},
    {"an unknown way last", {{.known = false, .calls = 0}, {.known = true, .rtt_us = 800000, .calls = 9}}, "ba"},
    {"unknown ones by load", {{.calls = 2}, {.calls = 1}, {.calls = 1}, {.calls = 0}}, "dbca"},
    {"then the name", {{.known = true, .rtt_us = 500}, {.known = true, .rtt_us = 100}, {.known = true, .rtt_us = 0}}, "abc"},
};

START_TEST(the_best_comes_first)
{
    struct nearest_row rows[4];
    size_t n = strlen(cases[_i].order);
    char order[5] = "";
    for (size_t i = 0; i < n; i++) {
        rows[n - 1 - i] = cases[_i].rows[i];
        rows[n - 1 - i].node = &names[i];
    }
    nearest_sort(rows, n);
    for (size_t i = 0; i < n; i++)
        order[i] = rows[i].node->name[0];
    ck_assert_msg(strcmp(order, cases[_i].order) == 0, "%s: %s, not %s", cases[_i].why, order, cases[_i].order);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("nearest node");
    TCase *t = tcase_create("order");
    tcase_add_loop_test(t, the_best_comes_first, 0, sizeof cases / sizeof *cases);
    suite_add_tcase(s, t);
    return run_suite(s);
}
