#include <check.h>
#include <stdlib.h>

#include "core/otree.h"
#include "tests/unit/suite.h"

struct item {
    struct otree_node node;
    unsigned key;
};

static int item_cmp(const struct otree_node *a, const struct otree_node *b)
{
    unsigned x = otree_entry(a, const struct item, node)->key, y = otree_entry(b, const struct item, node)->key;
    return (x > y) - (x < y);
}

static unsigned key_of(const struct otree_node *n)
{
    return otree_entry(n, const struct item, node)->key;
}

enum { KEYS = 300 };

/* The slow obvious model: which keys are in. */
static void compare(const struct otree *t, struct item *items, const bool *in)
{
    uint32_t before = 0;
    const struct otree_node *walk = otree_first(t);
    ck_assert(otree_check(t));
    for (unsigned k = 0; k < KEYS; k++) {
        struct item probe = {.key = k};
        struct otree_node *found = otree_find(t, &probe.node);
        ck_assert_ptr_eq(found, in[k] ? &items[k].node : NULL);
        ck_assert_int_eq(otree_linked(&items[k].node), in[k]);
        if (!in[k])
            continue;
        ck_assert_uint_eq(otree_rank(found), before);
        ck_assert_ptr_eq(otree_at(t, before), found);
        ck_assert_ptr_eq(walk, found);
        walk = otree_next(walk);
        before++;
    }
    ck_assert_ptr_null(walk);
    ck_assert_ptr_null(otree_at(t, before));
    ck_assert_uint_eq(otree_count(t), before);
}

START_TEST(test_empty)
{
    struct otree t;
    otree_init(&t, item_cmp);
    struct item probe = {.key = 1};
    ck_assert_ptr_null(otree_first(&t));
    ck_assert_ptr_null(otree_at(&t, 0));
    ck_assert_ptr_null(otree_find(&t, &probe.node));
    ck_assert_uint_eq(otree_count(&t), 0);
    ck_assert(otree_check(&t));
}
END_TEST

START_TEST(test_same_key_is_refused)
{
    struct otree t;
    otree_init(&t, item_cmp);
    struct item a = {.key = 7}, b = {.key = 7};
    ck_assert(otree_insert(&t, &a.node));
    ck_assert(!otree_insert(&t, &b.node));
    ck_assert(!otree_linked(&b.node));
    ck_assert_ptr_eq(otree_first(&t), &a.node);
    ck_assert_uint_eq(otree_count(&t), 1);
}
END_TEST

/* 0 ascending, 1 descending, 2 from both ends to the middle */
START_TEST(test_sorted_input_stays_balanced)
{
    struct item items[KEYS] = {0};
    bool in[KEYS] = {0};
    struct otree t;
    otree_init(&t, item_cmp);
    for (unsigned i = 0; i < KEYS; i++) {
        unsigned k = _i == 0 ? i : _i == 1 ? KEYS - 1 - i : i % 2 ? KEYS - 1 - i / 2 : i / 2;
        items[k].key = k;
        ck_assert(otree_insert(&t, &items[k].node));
        in[k] = true;
        ck_assert(otree_check(&t));
    }
    compare(&t, items, in);
    for (unsigned i = 0; i < KEYS; i++) {
        unsigned k = key_of(otree_first(&t));
        ck_assert_uint_eq(k, i);
        otree_remove(&t, &items[k].node);
        in[k] = false;
        ck_assert(otree_check(&t));
    }
    compare(&t, items, in);
}
END_TEST

START_TEST(test_random_against_model)
{
    struct item items[KEYS] = {0};
    bool in[KEYS] = {0};
    struct otree t;
    otree_init(&t, item_cmp);
    for (unsigned k = 0; k < KEYS; k++)
        items[k].key = k;
    uint64_t x = 88172645463325252u + (uint64_t)_i;
    for (unsigned step = 0; step < 20000; step++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        unsigned k = (unsigned)(x >> 20) % KEYS;
        /* Swing between nearly empty and nearly full. */
        bool add = (x >> 50) % 8 < (step / 2000 % 2 ? 2u : 6u);
        if (add && !in[k])
            ck_assert(otree_insert(&t, &items[k].node));
        else if (!add && in[k])
            otree_remove(&t, &items[k].node);
        in[k] = add;
        if (step % 101 == 0)
            compare(&t, items, in);
    }
    compare(&t, items, in);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core/otree");
    TCase *tc = tcase_create("otree");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_empty);
    tcase_add_test(tc, test_same_key_is_refused);
    tcase_add_loop_test(tc, test_sorted_input_stays_balanced, 0, 3);
    tcase_add_loop_test(tc, test_random_against_model, 0, 4);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
