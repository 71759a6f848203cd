/* How long call records are kept. */
#include "core/core_int.h"
#include "core/parameter.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

#define DAY_US 86400000000ull
#define DAYS "[{'kind':'parameter','name':'cdr_keep_days','value':'2'}]"

static struct fx f;

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 2);
}

static void teardown(void)
{
    fx_close(&f);
}

static int has_row(void *ctx, const struct storage_row *row)
{
    (void)ctx;
    (void)row;
    return 1;
}

static bool kept(uint64_t id)
{
    const struct storage_val v = storage_int(id);
    return storage_query(f.c->st, STORAGE_CDR_HAS, &v, 1, has_row, NULL) == 1;
}

/* Calls from..to, each a second long. */
static void calls(uint64_t from, uint64_t to)
{
    for (uint64_t id = from; id <= to; id++) {
        ck_assert_int_eq(fx_start(&f, id, "13800138000", "10001", true), 0);
        f.now += 1000000;
        ck_assert_int_eq(fx_end(&f, id, "caller"), 0);
    }
}

static unsigned count(uint64_t from, uint64_t to)
{
    unsigned n = 0;
    for (uint64_t id = from; id <= to; id++)
        n += kept(id);
    return n;
}

START_TEST(test_for_ever)
{
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    calls(1, 3);
    fx_later(&f, f.now + 4000 * DAY_US);
    calls(4, 4);
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_uint_eq(count(1, 4), 4);
}
END_TEST

/* Some with each call, more with each Tick, never one that is young enough. */
START_TEST(test_the_oldest_go)
{
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    calls(1, 70);
    fx_later(&f, f.now + DAY_US);
    calls(71, 72);
    ck_assert_int_eq(fx_set(&f, DAYS), 0);
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_uint_eq(count(1, 72), 72);
    f.now += DAY_US + 3600000000ull;
    fx_later(&f, f.now);
    unsigned left = count(1, 72);
    calls(73, 73);
    ck_assert_uint_eq(count(1, 72), left > 5 ? left - 3 : 2);
    fx_reopen(&f);
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_uint_eq(count(1, 70), 0);
    ck_assert_uint_eq(count(71, 73), 3);
    /* numbers of records are not given again */
    calls(74, 74);
    ck_assert(kept(74));
}
END_TEST

/* While a program that does not know it is a member, nothing goes. */
START_TEST(test_level)
{
    ck_assert_int_eq(fx_raise(&f, 3), 0);
    ck_assert_int_eq(fx_set(&f, DAYS), 0);
    calls(1, 2);
    fx_later(&f, f.now + 9 * DAY_US);
    ck_assert_int_eq(fx_tick(&f), 0);
    calls(3, 3);
    ck_assert_uint_eq(count(1, 3), 3);
}
END_TEST

START_TEST(test_values)
{
    struct err_info info = {0};
    ck_assert_int_eq(parameter_check("cdr_keep_days", "0", &info), 0);
    ck_assert_int_eq(parameter_check("cdr_keep_days", "36500", &info), 0);
    ck_assert_int_eq(parameter_check("cdr_keep_days", "36501", &info), ERR_INVAL);
    ck_assert_int_eq(parameter_check("cdr_keep_days", "-1", &info), ERR_INVAL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core retention");
    TCase *t = tcase_create("records");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_for_ever);
    tcase_add_test(t, test_the_oldest_go);
    tcase_add_test(t, test_level);
    tcase_add_test(t, test_values);
    suite_add_tcase(s, t);
    return run_suite(s);
}
