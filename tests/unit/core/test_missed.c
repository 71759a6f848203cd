/* Missed calls: which kind each is, and what has become of the caller since. */
#include "core/core_int.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static void set(const char *text)
{
    fx_must_set(&f, text);
}

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 2);
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    set("[{'kind':'trunk','name':'carrier','contact':'sip:192.0.2.9:5060','outbound':true},"
        "{'kind':'parameter','name':'outside_prefix','value':'9'},"
        "{'kind':'access_number','number':'10008','extension':'8001'}]");
}

static void teardown(void)
{
    fx_close(&f);
}

static json_t *list(const char *kind, const char *filter, const char *value)
{
    json_t *want = filter ? json_pack("{s:s}", filter, value) : NULL, *out = fx_view(&f, kind, NULL, want);
    json_t *items = json_incref(json_object_get(out, "items"));
    json_decref(out);
    json_decref(want);
    return items;
}

static size_t count(const char *filter, const char *value)
{
    json_t *items = list("missed", filter, value);
    size_t n = json_array_size(items);
    json_decref(items);
    return n;
}

/* The latest: its kind (NULL: the call is not missed), and who was rung last. */
static void latest(uint64_t id, const char *kind, const char *rung)
{
    char text[17];
    core_id_text(id, text);
    fx_same_after_restart(&f);
    json_t *items = list("missed", NULL, NULL), *o = json_array_get(items, 0);
    bool is = o && strcmp(json_string_value(json_object_get(o, "call_id")), text) == 0;
    ck_assert_msg(is == (kind != NULL), "call %llu", (unsigned long long)id);
    if (kind) {
        ck_assert_str_eq(json_string_value(json_object_get(o, "kind")), kind);
        ck_assert_str_eq(json_string_value(json_object_get(o, "agent")), rung);
        ck_assert_int_eq(json_integer_value(json_object_get(o, "call_backs")), 0);
        ck_assert(json_is_null(json_object_get(o, "reached_at")));
    }
    json_decref(items);
}

static int waits(uint64_t id, const char *from)
{
    int err = fx_start(&f, id, from, "10000", true);
    return err ? err : fx_queue(&f, id, "service");
}

static uint64_t offer(uint64_t id)
{
    return core_call(f.c, id)->offer.id;
}

START_TEST(test_kinds)
{
    ck_assert_int_eq(fx_start(&f, 1, "13800000001", "10000", true), 0);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    latest(1, "menu", "");
    ck_assert_int_eq(fx_start(&f, 2, "13800000002", "10000", true), 0);
    ck_assert_int_eq(fx_end(&f, 2, "system"), 0); /* the menu has told him what he wanted */
    latest(2, NULL, "");
    ck_assert_int_eq(waits(3, "13800000003"), 0);
    ck_assert_int_eq(fx_end(&f, 3, "caller"), 0);
    latest(3, "queue", "");
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(waits(4, "13800000004"), 0);
    ck_assert_int_eq(fx_phase(&f, 4), CORE_CALL_OFFERED);
    ck_assert_int_eq(fx_end(&f, 4, "caller"), 0);
    latest(4, "ringing", "1001");
    ck_assert_int_eq(waits(5, "13800000005"), 0);
    ck_assert_int_eq(fx_fail(&f, 5, offer(5), EV__OFFER_FAILED__CAUSE__REJECTED), 0);
    ck_assert_int_eq(fx_phase(&f, 5), CORE_CALL_WAITING);
    ck_assert_int_eq(fx_end(&f, 5, "caller"), 0); /* he has waited on */
    latest(5, "unanswered", "1001");
    ck_assert_int_eq(fx_start(&f, 6, "13800000006", "10008", false), 0);
    ck_assert_int_eq(fx_fail(&f, 6, offer(6), EV__OFFER_FAILED__CAUSE__BUSY), 0);
    ck_assert_int_eq(fx_end(&f, 6, "system"), 0);
    latest(6, "unanswered", "8001");
    ck_assert_int_eq(fx_start(&f, 7, "8002", "8001", false), 0); /* inside */
    ck_assert_int_eq(fx_end(&f, 7, "caller"), 0);
    latest(7, NULL, "");
    ck_assert_int_eq(fx_start(&f, 8, "13800000008", "10008", false), 0);
    ck_assert_int_eq(fx_answer(&f, 8, offer(8)), 0);
    ck_assert_int_eq(fx_end(&f, 8, "caller"), 0);
    latest(8, NULL, "");
    set("[{'kind':'blacklist','number':'13800000009'}]");
    ck_assert_int_eq(fx_start(&f, 9, "13800000009", "10000", false), 0);
    ck_assert_int_eq(fx_end(&f, 9, "system"), 0);
    latest(9, NULL, "");
    ck_assert_uint_eq(count(NULL, NULL), 5);
    ck_assert_uint_eq(count("kind", "unanswered"), 2);
    ck_assert_uint_eq(count("kind", "menu"), 1);
    ck_assert_uint_eq(count("agent", "1001"), 2);
    ck_assert_uint_eq(count("queue", "service"), 3);
    ck_assert_uint_eq(count("caller", "13800000004"), 1);
    ck_assert_uint_eq(count("from", "2023-11-14T22:13:20Z"), 5);
    ck_assert_uint_eq(count("from", "2024-01-01T00:00:00Z"), 0);
    ck_assert_uint_eq(count("to", "2024-01-01T00:00:00Z"), 5);
    ck_assert_uint_eq(count("reached", "false"), 5);
}
END_TEST

static void follows(const char *caller, int64_t backs, const char *back_by, const char *reached_by, bool reached)
{
    fx_same_after_restart(&f);
    json_t *items = list("missed", "caller", caller), *o = json_array_get(items, 0);
    ck_assert_ptr_nonnull(o);
    ck_assert_int_eq(json_integer_value(json_object_get(o, "call_backs")), backs);
    ck_assert_str_eq(json_string_value(json_object_get(o, "called_back_by")), back_by);
    ck_assert_str_eq(json_string_value(json_object_get(o, "reached_by")), reached_by);
    ck_assert_int_eq(!json_is_null(json_object_get(o, "reached_at")), reached);
    json_decref(items);
}

START_TEST(test_what_follows)
{
    const char *him = "+8613800000001";
    ck_assert_int_eq(waits(1, him), 0);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    ck_assert_int_eq(waits(2, "anonymous"), 0);
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, 3, "8001", "9013800000001", false), 0); /* in another form, in vain */
    ck_assert_int_eq(fx_fail(&f, 3, offer(3), EV__OFFER_FAILED__CAUSE__BUSY), 0);
    ck_assert_int_eq(fx_end(&f, 3, "system"), 0);
    follows(him, 1, "1001", "", false);
    ck_assert_int_eq(fx_start(&f, 4, "8001", "913800000002", false), 0); /* somebody else */
    ck_assert_int_eq(fx_answer(&f, 4, offer(4)), 0);
    ck_assert_int_eq(fx_end(&f, 4, "caller"), 0);
    follows(him, 1, "1001", "", false);
    ck_assert_int_eq(fx_start(&f, 5, "8001", "913800000001", false), 0);
    ck_assert_int_eq(fx_answer(&f, 5, offer(5)), 0);
    ck_assert_int_eq(fx_end(&f, 5, "callee"), 0);
    follows(him, 2, "1001", "1001", true);
    ck_assert_int_eq(fx_start(&f, 6, "8001", "913800000001", false), 0); /* later ones are of no account */
    ck_assert_int_eq(fx_end(&f, 6, "caller"), 0);
    follows(him, 2, "1001", "1001", true);
    follows("anonymous", 0, "", "", false);
    ck_assert_uint_eq(count("reached", "true"), 1);
    ck_assert_uint_eq(count("reached", "false"), 1);
    /* Who calls again and is served has been reached as well. */
    ck_assert_int_eq(fx_start(&f, 7, "13800000007", "10000", true), 0);
    ck_assert_int_eq(fx_end(&f, 7, "caller"), 0);
    ck_assert_int_eq(waits(8, "013800000007"), 0);
    ck_assert_int_eq(fx_answer(&f, 8, offer(8)), 0);
    ck_assert_int_eq(fx_end(&f, 8, "caller"), 0);
    follows("13800000007", 0, "", "1001", true);
    json_t *items = list("missed_count", NULL, NULL);
    ck_assert_uint_eq(json_array_size(items), 2);
    static const struct {
        const char *kind;
        int calls, back, reached;
    } want[] = {{"menu", 1, 0, 1}, {"queue", 2, 1, 1}};
    for (size_t i = 0; i < 2; i++) {
        const json_t *o = json_array_get(items, i);
        ck_assert_str_eq(json_string_value(json_object_get(o, "kind")), want[i].kind);
        ck_assert_int_eq(json_integer_value(json_object_get(o, "calls")), want[i].calls);
        ck_assert_int_eq(json_integer_value(json_object_get(o, "called_back")), want[i].back);
        ck_assert_int_eq(json_integer_value(json_object_get(o, "reached")), want[i].reached);
    }
    json_decref(items);
    items = list("missed_count", "kind", "menu");
    ck_assert_uint_eq(json_array_size(items), 1);
    json_decref(items);
}
END_TEST

/* They go with their records. */
START_TEST(test_the_oldest_go)
{
    set("[{'kind':'parameter','name':'cdr_keep_days','value':'1'}]");
    ck_assert_int_eq(fx_start(&f, 1, "13800000001", "10000", true), 0);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    ck_assert_uint_eq(count(NULL, NULL), 1);
    fx_later(&f, f.now + 2 * 86400 * US);
    ck_assert_int_eq(fx_start(&f, 2, "13800000002", "10000", true), 0);
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0);
    latest(2, "menu", "");
    ck_assert_uint_eq(count(NULL, NULL), 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core missed");
    TCase *t = tcase_create("missed");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_kinds);
    tcase_add_test(t, test_what_follows);
    tcase_add_test(t, test_the_oldest_go);
    suite_add_tcase(s, t);
    return run_suite(s);
}
