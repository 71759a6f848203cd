/* Reference counts and strings. */
#include "tests/unit/base/alloc_budget.h"

#include <check.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "tests/unit/suite.h"

struct thing {
    int *destroyed;
    char *name;
    long double widest;
};

static void thing_destroy(void *obj)
{
    struct thing *t = obj;
    ++*t->destroyed;
    free(t->name);
}

START_TEST(last_reference_destroys)
{
    int destroyed = 0;
    struct thing *t = mem_new(sizeof *t, thing_destroy);
    ck_assert_ptr_nonnull(t);
    ck_assert_ptr_null(t->name);
    ck_assert_uint_eq((uintptr_t)t % _Alignof(max_align_t), 0);
    t->destroyed = &destroyed;
    ck_assert_int_eq(mem_strset(&t->name, "x"), 0);
    ck_assert_ptr_eq(mem_ref(t), t);
    ck_assert_ptr_null(mem_unref(t));
    ck_assert_int_eq(destroyed, 0);
    ck_assert_str_eq(t->name, "x");
    ck_assert_ptr_null(mem_unref(t));
    ck_assert_int_eq(destroyed, 1);
}
END_TEST

START_TEST(null_and_no_destructor)
{
    ck_assert_ptr_null(mem_ref(NULL));
    ck_assert_ptr_null(mem_unref(NULL));
    char *plain = mem_new(3, NULL);
    ck_assert_mem_eq(plain, "\0\0\0", 3);
    ck_assert_ptr_null(mem_unref(plain));
}
END_TEST

START_TEST(strings)
{
    char *s = NULL;
    ck_assert_ptr_null(mem_strdup(NULL));
    ck_assert_int_eq(mem_strset(&s, "one"), 0);
    ck_assert_int_eq(mem_strset(&s, s + 1), 0); /* from itself */
    ck_assert_str_eq(s, "ne");
    ck_assert_int_eq(mem_strset(&s, NULL), 0);
    ck_assert_ptr_null(s);
}
END_TEST

START_TEST(out_of_memory)
{
    if (!alloc_budget_works())
        return;
    char *s = mem_strdup("kept");
    alloc_budget_set(0);
    void *obj = mem_new(8, NULL);
    char *copy = mem_strdup("x");
    int rc = mem_strset(&s, "new");
    ck_assert(alloc_budget_clear());
    ck_assert_ptr_null(obj);
    ck_assert_ptr_null(copy);
    ck_assert_int_eq(rc, ERR_NOMEM);
    ck_assert_str_eq(s, "kept");
    free(s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mem");
    TCase *t = tcase_create("mem");
    tcase_add_test(t, last_reference_destroys);
    tcase_add_test(t, null_and_no_destructor);
    tcase_add_test(t, strings);
    tcase_add_test(t, out_of_memory);
    suite_add_tcase(s, t);
    return run_suite(s);
}
