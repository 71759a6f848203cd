/* What the tests of forwarding share: five agents, and what to ask of a call. Each step is followed by a restart, which must change nothing. */
#ifndef TESTS_FORWARD_RIG_H
#define TESTS_FORWARD_RIG_H

#include "core/core_int.h"
#include "tests/unit/core/core_fixture.h"

static struct fx f;

#define T(text) ((char *)(uintptr_t)(text))
#define MONDAY_9 (1795395600 * US) /* 2026-11-23 09:00 at Shanghai */

FX void set(const char *text)
{
    fx_must_set(&f, text);
}

/* 1001 to 1005 at 8001 to 8005, logged in but for 1005; 8050 is nobody's telephone, 8060 cannot be reached. */
FX void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 5);
    ck_assert_int_eq(fx_raise(&f, CORE_FEATURE_LEVEL), 0);
    set("[{'kind':'extension','number':'8050','contact':'sip:8050@127.0.0.1:9050'},{'kind':'extension','number':'8060'},"
        "{'kind':'queue','name':'service','ring_time_s':15,'members':[{'agent':'1004'}]},"
        "{'kind':'queue','name':'sales','ring_time_s':10,'members':[{'agent':'1005'}]},"
        "{'kind':'trunk','name':'carrier','contact':'sip:192.0.2.9:5060','outbound':true,'caller_id':'02155550000'},"
        "{'kind':'parameter','name':'outside_prefix','value':'9'},"
        "{'kind':'access_number','number':'10013','queue':'sales'},"
        "{'kind':'access_number','number':'10015','agent':'1001'}]");
    static const char *const there[] = {"1001", "1002", "1003", "1004"};
    for (unsigned i = 0; i < 4; i++)
        ck_assert_int_eq(fx_login(&f, there[i]), 0);
    ck_assert_int_eq(fx_not_ready(&f, "1004"), 0);
}

FX void teardown(void)
{
    fx_close(&f);
}

FX const struct core_call *call(uint64_t id)
{
    const struct core_call *k = core_call(f.c, id);
    ck_assert_msg(k != NULL, "call %llu is gone", (unsigned long long)id);
    return k;
}

FX void rings(uint64_t id, const char *agent, const char *extension)
{
    fx_same_after_restart(&f);
    ck_assert_int_eq(call(id)->phase, CORE_CALL_DIALLING);
    ck_assert_str_eq(call(id)->offer.agent, agent);
    ck_assert_str_eq(call(id)->offer.extension, extension);
}

FX void failed(uint64_t id, int status, const char *cause)
{
    fx_same_after_restart(&f);
    ck_assert_int_eq(call(id)->phase, CORE_CALL_FAILED);
    ck_assert_int_eq(call(id)->fail_status, status);
    ck_assert_str_eq(call(id)->fail_cause, cause);
}

FX void start(uint64_t id, const char *from, const char *called)
{
    ck_assert_int_eq(fx_start(&f, id, from, called, false), 0);
    fx_same_after_restart(&f);
}

FX void in_vain(uint64_t id, Ev__OfferFailed__Cause cause)
{
    ck_assert_int_eq(fx_fail(&f, id, call(id)->offer.id, cause), 0);
    fx_same_after_restart(&f);
}

FX void over(uint64_t id)
{
    ck_assert_int_eq(fx_end(&f, id, "caller"), 0);
}

/* The one rule of 1001. */
FX void rule(const char *fields)
{
    char text[512];
    (void)snprintf(text, sizeof text, "[{'kind':'forward','name':'one','agent':'1001',%s}]", fields);
    set(text);
}

FX json_t *record(uint64_t id)
{
    char key[17];
    (void)snprintf(key, sizeof key, "%016llx", (unsigned long long)id);
    json_t *r = fx_view(&f, "cdr", key, NULL);
    ck_assert_msg(json_is_object(r), "there is no record of %s", key);
    return r;
}

/* Segment i of the record: who was not reached, why, and where the call went. */
FX void told(uint64_t id, size_t i, const char *number, const char *agent, const char *why, const char *type, const char *target)
{
    json_t *r = record(id);
    const json_t *g = json_array_get(json_object_get(r, "segments"), i), *to = json_object_get(g, "forwarded_to");
    const char *const want[][2] = {{"number", number}, {"agent", agent}, {"why", why}, {"ended", "forwarded"}, {"role", "callee"}};
    ck_assert_msg(g != NULL, "there is no segment %zu", i);
    for (size_t k = 0; k < 5; k++)
        ck_assert_str_eq(json_string_value(json_object_get(g, want[k][0])), want[k][1]);
    ck_assert_str_eq(json_string_value(json_object_get(to, "type")), type);
    ck_assert_str_eq(json_string_value(json_object_get(to, "target")), target);
    json_decref(r);
}

FX void says(uint64_t id, const char *key, const char *want)
{
    json_t *r = record(id);
    const char *is = json_string_value(json_object_get(r, key));
    ck_assert_msg(is && strcmp(is, want) == 0, "%s is %s, not %s", key, is ? is : "(none)", want);
    json_decref(r);
}

#endif
