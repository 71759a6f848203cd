/* Messages of callers over HTTPS: what a range of bytes is, and what is not there. The rest is asked by tests/system/test_voicemail.py of real messages. */
#include "api/api_int.h"
#include "tests/unit/api/api_rig.h"
#include "tests/unit/suite.h"

static void range(const char *text, enum api_range want, size_t want_from, size_t want_count)
{
    size_t from = 99, count = 99;
    ck_assert_msg(api_range_read(text, 1000, &from, &count) == want, "%s", text);
    if (want == API_RANGE_NONE)
        return;
    ck_assert_msg(from == want_from && count == want_count, "%s: %zu, %zu", text, from, count);
}

START_TEST(ranges_of_bytes)
{
    size_t from, count;
    range("", API_RANGE_WHOLE, 0, 1000);
    range("bytes=0-99", API_RANGE_PART, 0, 100);
    range("Bytes=500-", API_RANGE_PART, 500, 500);
    range("bytes=999-999", API_RANGE_PART, 999, 1);
    range("bytes=900-5000", API_RANGE_PART, 900, 100);
    range("bytes=0-999999999999999999", API_RANGE_PART, 0, 1000);
    range("bytes=-10", API_RANGE_PART, 990, 10);
    range("bytes=-5000", API_RANGE_PART, 0, 1000);
    range("bytes=1000-", API_RANGE_NONE, 0, 0);
    range("bytes=1000-1001", API_RANGE_NONE, 0, 0);
    range("bytes=-0", API_RANGE_NONE, 0, 0);
    static const char *const none[] = {"bytes=",    "bytes=-",      "bytes=5-4",   "bytes=a-b", "bytes=1-b",
                                       "bytes=1",   "bytes=0-1,3-4", "items=0-1",   "bytes=--1", "bytes=1--2",
                                       "bytes= 1-2", "bytes=99999999999999999999-"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        range(none[i], API_RANGE_WHOLE, 0, 1000);
    ck_assert_int_eq(api_range_read("bytes=0-", 0, &from, &count), API_RANGE_NONE);
    ck_assert_int_eq(api_range_read("bytes=-1", 0, &from, &count), API_RANGE_NONE);
}
END_TEST

static struct rig R;

START_TEST(what_is_not_there)
{
    rig_open(&R, 0, 0);
    ck_status(rig_get(&R, "/v1/messages"), 200);
    ck_status(rig_get(&R, "/v1/messages?heard=maybe"), 422);
    ck_status(rig_get(&R, "/v1/messages/00000000000000ab"), 404);
    ck_status(rig_get(&R, "/v1/messages/nothing"), 404);
    ck_status(rig_get(&R, "/v1/messages/00000000000000ab/audio"), 404);
    const char *merge = "Content-Type: application/merge-patch+json";
    ck_status(rig_ask(&R, RIG_ADMIN, "PATCH", "/v1/messages/00000000000000ab", merge, "{\"heard\":true}", 14), 404);
    ck_status(rig_ask(&R, RIG_ADMIN, "PATCH", "/v1/messages/00000000000000ab", merge, "{\"heard\":1}", 11), 422);
    ck_status(rig_ask(&R, RIG_ADMIN, "PATCH", "/v1/messages/00000000000000ab", merge, "{\"note\":\"a\"}", 12), 404);
    ck_status(rig_ask(&R, RIG_ADMIN, "PATCH", "/v1/messages/00000000000000ab", merge, "{\"note\":1}", 10), 422);
    ck_status(rig_ask(&R, RIG_ADMIN, "PATCH", "/v1/messages/00000000000000ab", merge, "{\"box\":\"a\"}", 11), 422);
    ck_status(rig_ask(&R, RIG_ADMIN, "PATCH", "/v1/messages/00000000000000ab", merge, "{}", 2), 422);
    const char *json = "Content-Type: application/json", *path = "/v1/messages/00000000000000ab:call-back";
    ck_status(rig_ask(&R, RIG_ADMIN, "POST", path, json, "{\"agent\":\"1001\"}", 16), 404);
    ck_status(rig_ask(&R, RIG_ADMIN, "POST", path, json, "{}", 2), 422);
    ck_status(rig_ask(&R, RIG_ADMIN, "POST", path, json, "{\"number\":\"1\"}", 14), 422);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/messages/00000000000000ab", NULL, NULL, 0), 404);
    rig_close(&R);
}
END_TEST

START_TEST(recordings_that_are_not_there)
{
    rig_open(&R, 0, 0);
    ck_status(rig_get(&R, "/v1/recordings"), 200);
    ck_status(rig_get(&R, "/v1/recordings?min_duration_ms=1000&direction=inbound&agent=1001&hold=true"), 200);
    ck_status(rig_get(&R, "/v1/recordings?min_duration_ms=long"), 422);
    ck_status(rig_get(&R, "/v1/recordings?hold=maybe"), 422);
    ck_status(rig_get(&R, "/v1/recordings/00000000000000ab"), 404);
    ck_status(rig_get(&R, "/v1/recordings/00000000000000ab/audio"), 404);
    const char *merge = "Content-Type: application/merge-patch+json";
    ck_status(rig_ask(&R, RIG_ADMIN, "PATCH", "/v1/recordings/00000000000000ab", merge, "{\"hold\":1}", 10), 422);
    ck_status(rig_ask(&R, RIG_ADMIN, "PATCH", "/v1/recordings/xyz", merge, "{\"hold\":true}", 13), 404);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/recordings/xyz", NULL, NULL, 0), 404);
    ck_status(rig_ask(&R, RIG_ADMIN, "POST", "/v1/calls/xyz:pause-recording", NULL, NULL, 0), 404);
    rig_close(&R);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("messages");
    TCase *t = tcase_create("messages");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, ranges_of_bytes);
    tcase_add_test(t, what_is_not_there);
    tcase_add_test(t, recordings_that_are_not_there);
    suite_add_tcase(s, t);
    return run_suite(s);
}
