/* Hash map against a plain array as the model, its iteration, deletion while iterating, and allocation failures. */
#include "tests/unit/base/alloc_budget.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "tests/unit/suite.h"

enum { KEYS = 600, STEPS = 60000 };

static uint64_t seed;

static unsigned pick(unsigned below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % below;
}

static int values[KEYS];

START_TEST(strings_against_a_model)
{
    void *model[KEYS] = {NULL};
    size_t live = 0;
    struct map m;
    map_init(&m);
    seed = 20260301;
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned k = pick(KEYS);
        char key[16];
        snprintf(key, sizeof key, "key-%u", k);
        ck_assert_ptr_eq(map_get(&m, key), model[k]);
        if (pick(100) < (step / 10000 % 2 ? 30u : 70u)) {
            live += model[k] == NULL;
            model[k] = &values[pick(KEYS)];
            ck_assert_int_eq(map_set(&m, key, model[k]), 0);
        } else {
            ck_assert_ptr_eq(map_del(&m, key), model[k]);
            live -= model[k] != NULL;
            model[k] = NULL;
        }
        ck_assert_uint_eq(map_count(&m), live);
    }
    const struct map_slot *slot;
    size_t seen = 0;
    for (size_t it = 0; map_next(&m, &it, &slot); seen++)
        ck_assert_ptr_eq(model[atoi(slot->skey + 4)], slot->value);
    ck_assert_uint_eq(seen, live);
    map_free(&m);
    ck_assert_uint_eq(map_count(&m), 0);
    ck_assert_ptr_null(map_get(&m, "key-1"));
    ck_assert_int_eq(map_set(&m, "again", values), 0);
    ck_assert_ptr_eq(map_get(&m, "again"), values);
    map_free(&m);
}
END_TEST

START_TEST(numbers_against_a_model)
{
    void *model[KEYS] = {NULL};
    struct map m;
    map_init(&m);
    seed = 7;
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned k = pick(KEYS);
        uint64_t key = (uint64_t)k << (k % 50); /* also keys that differ in high bits only */
        void *had = map_get_u64(&m, key);
        if (pick(2)) {
            model[k] = &values[pick(KEYS)];
            ck_assert_int_eq(map_set_u64(&m, key, model[k]), 0);
            ck_assert_ptr_eq(map_get_u64(&m, key), model[k]);
        } else {
            ck_assert_ptr_eq(map_del_u64(&m, key), had);
            ck_assert_ptr_null(map_get_u64(&m, key));
        }
    }
    map_free(&m);
}
END_TEST

START_TEST(string_and_number_do_not_meet)
{
    struct map m;
    map_init(&m);
    ck_assert_ptr_null(map_get(&m, "x"));
    ck_assert_ptr_null(map_del_u64(&m, 1));
    ck_assert_int_eq(map_set(&m, "", &values[1]), 0);
    ck_assert_int_eq(map_set_u64(&m, 0, &values[2]), 0);
    ck_assert_ptr_eq(map_get(&m, ""), &values[1]);
    ck_assert_ptr_eq(map_get_u64(&m, 0), &values[2]);
    ck_assert_int_eq(map_set_u64(&m, UINT64_MAX, &values[3]), 0);
    ck_assert_ptr_eq(map_get_u64(&m, UINT64_MAX), &values[3]);
    map_free(&m);
}
END_TEST

START_TEST(keys_are_copied)
{
    struct map m;
    char key[] = "one";
    map_init(&m);
    ck_assert_int_eq(map_set(&m, key, &values[1]), 0);
    key[0] = 'X';
    ck_assert_ptr_eq(map_get(&m, "one"), &values[1]);
    ck_assert_ptr_null(map_get(&m, key));
    map_free(&m);
}
END_TEST

START_TEST(deleting_while_iterating)
{
    struct map m;
    map_init(&m);
    for (uint64_t i = 0; i < 300; i++)
        ck_assert_int_eq(map_set_u64(&m, i, &values[i]), 0);
    const struct map_slot *slot;
    size_t seen = 0;
    for (size_t it = 0; map_next(&m, &it, &slot); seen++) {
        uint64_t key = slot->nkey;
        if (key % 3)
            ck_assert_ptr_eq(map_del_u64(&m, key), &values[key]);
    }
    ck_assert_uint_eq(seen, 300);
    ck_assert_uint_eq(map_count(&m), 100);
    for (uint64_t i = 0; i < 300; i++)
        ck_assert_ptr_eq(map_get_u64(&m, i), i % 3 ? NULL : &values[i]);
    map_free(&m);
}
END_TEST

START_TEST(coming_and_going_does_not_grow_it)
{
    struct map m;
    map_init(&m);
    for (uint64_t i = 0; i < 100000; i++) {
        ck_assert_int_eq(map_set_u64(&m, i, values), 0);
        if (i >= 10)
            ck_assert_ptr_nonnull(map_del_u64(&m, i - 10));
    }
    ck_assert_uint_eq(map_count(&m), 10);
    ck_assert_uint_le(m.cap, 64);
    map_free(&m);
}
END_TEST

START_TEST(out_of_memory)
{
    char key[16];
    for (long budget = 0; alloc_budget_works() && budget < 40; budget++) {
        struct map m;
        size_t in = 0, wrong = 0;
        long live = alloc_budget_live;
        map_init(&m);
        alloc_budget_set(budget);
        for (int i = 0; i < 40; i++) {
            snprintf(key, sizeof key, "k%d", i);
            int rc = map_set(&m, key, &values[i]);
            in += rc == 0;
            wrong += rc != 0 && rc != ERR_NOMEM;
        }
        ck_assert(alloc_budget_clear());
        ck_assert_uint_eq(wrong, 0);
        ck_assert_uint_eq(map_count(&m), in);
        size_t found = 0;
        for (int i = 0; i < 40; i++) {
            snprintf(key, sizeof key, "k%d", i);
            void *v = map_get(&m, key);
            ck_assert(!v || v == &values[i]);
            found += v != NULL;
        }
        ck_assert_uint_eq(found, in);
        map_free(&m);
        ck_assert_int_eq(alloc_budget_live, live);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("map");
    TCase *t = tcase_create("map");
    tcase_add_test(t, strings_against_a_model);
    tcase_add_test(t, numbers_against_a_model);
    tcase_add_test(t, string_and_number_do_not_meet);
    tcase_add_test(t, keys_are_copied);
    tcase_add_test(t, deleting_while_iterating);
    tcase_add_test(t, coming_and_going_does_not_grow_it);
    tcase_add_test(t, out_of_memory);
    suite_add_tcase(s, t);
    return run_suite(s);
}
