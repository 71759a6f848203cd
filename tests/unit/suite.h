/* How a test program ends: the exit code of all its tests. CK_FORK=no, CK_VERBOSITY and the others of Check's variables hold. */
#ifndef TESTS_UNIT_SUITE_H
#define TESTS_UNIT_SUITE_H

#include <check.h>
#include <stdlib.h>

/* As ck_assert, for loops: Check writes a note for each assertion, also for one that holds. */
#define must_hold(expr) ((expr) ? (void)0 : ck_abort_msg("%s", #expr))

/* Runs the suite and frees it. */
static inline int run_suite(Suite *s)
{
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
