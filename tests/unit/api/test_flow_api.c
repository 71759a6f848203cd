/* Flows from a client's side: what they were, back to that, and walked without a call. */
#include "tests/unit/api/api_rig.h"

#include "tests/unit/suite.h"

static struct rig R;

static void setup(void)
{
    rig_open(&R, 0, 0);
    rig_newest(&R);
}
static void teardown(void)
{
    rig_close(&R);
}

static void put_flow(const char *key, int status)
{
    char body[512];
    snprintf(body, sizeof body,
             "{\"definition\":{\"languages\":[\"en\"],\"start\":\"m\",\"nodes\":{\"m\":{\"type\":\"collect\",\"variable\":\"a\","
             "\"max\":1,\"next\":\"b\"},\"b\":{\"type\":\"branch\",\"cases\":[{\"if\":\"a == %s\",\"next\":\"bye\"}],\"else\":"
             "\"m\"},\"bye\":{\"type\":\"hangup\"}}}}",
             key);
    ck_status(rig_send(&R, "PUT", "/v1/flows/short", body), status);
}

START_TEST(versions_and_back)
{
    put_flow("1", 201);
    put_flow("2", 200);
    const struct answer *a = rig_get(&R, "/v1/flows/short/versions");
    ck_status(a, 200);
    json_t *items = json_object_get(a->json, "items");
    ck_assert_uint_eq(json_array_size(items), 2);
    ck_assert(json_is_true(json_object_get(json_array_get(items, 0), "live")));
    json_t *former = json_array_get(items, 1);
    ck_assert(json_is_false(json_object_get(former, "live")));
    char path[96], body[64];
    long long version = json_integer_value(json_object_get(former, "version"));
    snprintf(path, sizeof path, "/v1/flows/short/versions/%lld", version);
    a = rig_get(&R, path);
    ck_status(a, 200);
    ck_assert_ptr_nonnull(strstr(a->body, "a == 1"));
    snprintf(body, sizeof body, "{\"version\":%lld}", version);
    a = rig_send(&R, "POST", "/v1/flows/short:rollback", body);
    ck_status(a, 200);
    ck_assert_ptr_nonnull(strstr(a->body, "a == 1"));
    a = rig_get(&R, "/v1/flows/short/versions");
    ck_assert_uint_eq(json_array_size(json_object_get(a->json, "items")), 3);

    ck_status(rig_send(&R, "POST", "/v1/flows/short:rollback", "{\"version\":999999}"), 404);
    a = rig_send(&R, "POST", "/v1/flows/short:rollback", "{\"version\":\"1\"}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "version");
    ck_status(rig_get(&R, "/v1/flows/short/versions/999999"), 404);
    ck_status(rig_get(&R, "/v1/flows/short/versions/x"), 404);
    ck_status(rig_get(&R, "/v1/flows/gone/versions"), 404);
}
END_TEST

START_TEST(walked)
{
    put_flow("1", 201);
    const struct answer *a = rig_send(&R, "POST", "/v1/flows/short:test", "{\"keys\":[\"3\",\"1\"]}");
    ck_status(a, 200);
    ck_assert_str_eq(rig_text(a, "outcome"), "hung up");
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(a->json, "variables"), "a")), "1");
    a = rig_send(&R, "POST", "/v1/flows/short:test", "{\"keys\":[\"3\"]}");
    ck_assert_str_eq(rig_text(a, "outcome"), "waits for keys");
    /* not stored */
    a = rig_send(&R, "POST", "/v1/flows/new:test",
                 "{\"definition\":{\"languages\":[\"en\"],\"start\":\"t\",\"nodes\":{\"t\":{\"type\":\"time\",\"cases\":[{\"group\":"
                 "\"office\",\"next\":\"f\"}],\"else\":\"bye\"},\"f\":{\"type\":\"flow\",\"flow\":\"short\",\"next\":\"bye\"},"
                 "\"bye\":{\"type\":\"hangup\"}}},\"time\":\"2026-11-23T01:00:00Z\"}");
    ck_status(a, 200);
    ck_assert_str_eq(rig_text(a, "outcome"), "hung up"); /* no such group */
    ck_status(rig_send(&R, "PUT", "/v1/time-groups/office", "{\"zone\":\"Asia/Shanghai\",\"monday\":[\"08:30-12:00\"]}"), 201);
    a = rig_send(&R, "POST", "/v1/flows/new:test",
                 "{\"definition\":{\"languages\":[\"en\"],\"start\":\"t\",\"nodes\":{\"t\":{\"type\":\"time\",\"cases\":[{\"group\":"
                 "\"office\",\"next\":\"f\"}],\"else\":\"bye\"},\"f\":{\"type\":\"flow\",\"flow\":\"short\",\"next\":\"bye\"},"
                 "\"bye\":{\"type\":\"hangup\"}}},\"time\":\"2026-11-23T01:00:00Z\"}");
    ck_assert_str_eq(rig_text(a, "node"), "short/m");
    ck_status(rig_get(&R, "/v1/flows/new"), 404);
}
END_TEST

START_TEST(walks_that_are_refused)
{
    static const struct {
        const char *body, *field;
        int status;
    } cases[] = {
        {"{\"keys\":\"1\"}", "keys", 400},
        {"{\"keys\":[\"x\"]}", "keys", 400},
        {"{\"keys\":[\"\"]}", "keys", 400},
        {"{\"caller\":5}", "caller", 400},
        {"{\"time\":\"tomorrow\"}", "time", 400},
        {"{\"http\":[]}", "http", 400},
        {"{\"http\":{\"a\":{\"status\":9}}}", "http", 400},
        {"{\"other\":1}", "other", 400},
        {"{\"version\":\"3\"}", "version", 400},
        {"{\"version\":0}", "version", 400},
        {"{\"version\":-1}", "version", 400},
        {"{\"definition\":{\"languages\":[\"en\"],\"start\":\"x\",\"nodes\":{\"m\":{\"type\":\"hangup\"}}}}", "definition.start", 422},
    };
    put_flow("1", 201);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct answer *a = rig_send(&R, "POST", "/v1/flows/short:test", cases[i].body);
        ck_assert_msg(a->status == cases[i].status, "%s gave %ld: %s", cases[i].body, a->status, a->body);
        ck_assert_str_eq(rig_text(a, "field"), cases[i].field);
    }
    ck_status(rig_send(&R, "POST", "/v1/flows/gone:test", "{}"), 404);
    ck_status(rig_send(&R, "POST", "/v1/flows/short:test", "{\"version\":77}"), 404);
    ck_status(rig_ask(&R, NULL, "POST", "/v1/flows/short:test", "{}", NULL, 0), 401);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("flow api");
    TCase *t = tcase_create("flows");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, versions_and_back);
    tcase_add_test(t, walked);
    tcase_add_test(t, walks_that_are_refused);
    suite_add_tcase(s, t);
    return run_suite(s);
}
