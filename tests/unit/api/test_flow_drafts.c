/* Drafts of flows from a client's side: saved with faults, tried, compared, published. */
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

/* A flow that says goodbye in so many nodes. */
#define FLOW(language, nodes) "{\"definition\":{\"languages\":[\"" language "\"],\"start\":\"a\",\"nodes\":{" nodes "}}}"
#define BYE FLOW("en", "\"a\":{\"type\":\"hangup\"}")
#define WAIT FLOW("en", "\"a\":{\"type\":\"collect\",\"variable\":\"n\",\"max\":1,\"next\":\"b\"},\"b\":{\"type\":\"hangup\"}")
#define FAULTY \
    FLOW("en", "\"a\":{\"type\":\"dance\"},\"b\":{\"type\":\"play\",\"prompts\":[\"x\"],\"next\":\"nowhere\"},\"c\":{\"type\":\"hangup\"}")
#define MISSING FLOW("en", "\"a\":{\"type\":\"queue\",\"queue\":\"none\",\"on_fail\":\"b\"},\"b\":{\"type\":\"agent\",\"agent\":\"77\"}")

static const json_t *faults(size_t n)
{
    const struct answer *a = rig_get(&R, "/v1/flow-drafts/short/faults");
    ck_status(a, 200);
    const json_t *items = json_object_get(a->json, "items");
    ck_assert_msg(json_array_size(items) == n, "%s", a->body);
    return items;
}

static const char *field(const json_t *items, size_t i)
{
    return json_string_value(json_object_get(json_array_get(items, i), "field"));
}

START_TEST(faulty_drafts_stay_drafts)
{
    ck_status(rig_send(&R, "PUT", "/v1/flow-drafts/short", FAULTY), 201);
    const json_t *items = faults(2);
    ck_assert_str_eq(field(items, 0), "definition.nodes.a.type");
    ck_assert_str_eq(field(items, 1), "definition.nodes.b.next");
    const struct answer *a = rig_send(&R, "POST", "/v1/flow-drafts/short:publish", "{}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "definition.nodes.a.type");
    ck_status(rig_send(&R, "PUT", "/v1/flow-drafts/short", MISSING), 200);
    items = faults(2);
    ck_assert_str_eq(field(items, 0), "definition.nodes.a.queue");
    ck_assert_str_eq(field(items, 1), "definition.nodes.b.agent");
    ck_status(rig_send(&R, "POST", "/v1/flow-drafts/short:publish", "{\"force\":true}"), 422);
    ck_status(rig_get(&R, "/v1/flows/short"), 404);
    ck_status(rig_send(&R, "PUT", "/v1/flow-drafts/short", FLOW("en", "\"a\":{\"type\":\"hangup\"},\"b\":{\"type\":\"hangup\"}")), 200);
    ck_assert_str_eq(field(faults(1), 0), "definition.nodes.b");
    ck_status(rig_send(&R, "PUT", "/v1/flow-drafts/short", "{\"definition\":7}"), 422);
    ck_status(rig_send(&R, "PUT", "/v1/flow-drafts/short", "{\"definition\":{}}"), 200);
    ck_assert_uint_gt(json_array_size(json_object_get(rig_get(&R, "/v1/flow-drafts/short/faults")->json, "items")), 1);
}
END_TEST

START_TEST(published)
{
    static const char note[] = "{\"note\":\"asks first\"}";
    ck_status(rig_send(&R, "PUT", "/v1/flows/short", BYE), 201);
    ck_status(rig_send(&R, "PUT", "/v1/flow-drafts/short", WAIT), 201);
    faults(0);
    const struct answer *a = rig_send(&R, "POST", "/v1/flows/short:test", "{\"draft\":true}");
    ck_assert_str_eq(rig_text(a, "outcome"), "waits for keys");
    ck_assert_str_eq(rig_text(rig_send(&R, "POST", "/v1/flows/short:test", "{}"), "outcome"), "hung up");
    ck_status(rig_send(&R, "POST", "/v1/flows/short:test", "{\"draft\":true,\"version\":1}"), 400);
    a = rig_get(&R, "/v1/flows/short/diff?from=live&to=draft");
    ck_status(a, 200);
    ck_assert_ptr_nonnull(strstr(a->body, "\"path\":\"nodes.a.type\",\"action\":\"changed\",\"from\":\"hangup\",\"to\":\"collect\""));
    ck_assert_ptr_nonnull(strstr(a->body, "\"path\":\"nodes.b\",\"action\":\"added\""));
    a = rig_ask(&R, RIG_ADMIN, "POST", "/v1/flow-drafts/short:publish", JSON_TYPE "\nIdempotency-Key: once", note, strlen(note));
    ck_status(a, 200);
    ck_assert_str_eq(rig_text(a, "note"), "asks first");
    ck_assert_ptr_nonnull(strstr(a->body, "collect"));
    ck_status(rig_get(&R, "/v1/flow-drafts/short"), 404);
    ck_status(rig_ask(&R, RIG_ADMIN, "POST", "/v1/flow-drafts/short:publish", JSON_TYPE "\nIdempotency-Key: once", note, strlen(note)), 200);
    ck_status(rig_send(&R, "POST", "/v1/flow-drafts/short:publish", "{}"), 404);
    a = rig_get(&R, "/v1/flows/short/versions");
    ck_assert_uint_eq(json_array_size(json_object_get(a->json, "items")), 2);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(json_object_get(a->json, "items"), 0), "note")), "asks first");
    a = rig_get(&R, "/v1/flows/short/diff");
    ck_status(a, 200);
    ck_assert_ptr_nonnull(strstr(a->body, "nodes.b"));
    a = rig_get(&R, "/v1/audit?object=flow_draft/short");
    ck_assert_uint_eq(json_array_size(json_object_get(a->json, "items")), 2); /* created, removed */
}
END_TEST

START_TEST(somebody_was_faster)
{
    ck_status(rig_send(&R, "PUT", "/v1/flow-drafts/short", WAIT), 201);
    ck_status(rig_send(&R, "PUT", "/v1/flows/short", BYE), 201);
    const struct answer *a = rig_get(&R, "/v1/flow-drafts/short/faults");
    ck_assert(json_is_true(json_object_get(a->json, "outdated")));
    a = rig_send(&R, "POST", "/v1/flow-drafts/short:publish", "{}");
    ck_status(a, 409);
    ck_assert_str_eq(rig_text(a, "field"), "based_on");
    ck_assert_ptr_nonnull(strstr(rig_text(a, "detail"), "force"));
    ck_assert_ptr_nonnull(strstr(rig_get(&R, "/v1/flows/short")->body, "hangup"));
    ck_status(rig_send(&R, "POST", "/v1/flow-drafts/short:publish", "{\"force\":true}"), 200);
    ck_assert_ptr_nonnull(strstr(rig_get(&R, "/v1/flows/short")->body, "collect"));
    /* made from what is live now, it needs no force */
    char body[400];
    ck_status(rig_send(&R, "PUT", "/v1/flow-drafts/short", WAIT), 201);
    ck_status(rig_send(&R, "PUT", "/v1/flows/short", BYE), 200);
    json_int_t live = json_integer_value(json_object_get(rig_get(&R, "/v1/flows/short")->json, "version"));
    ck_status(rig_send(&R, "POST", "/v1/flow-drafts/short:publish", "{}"), 409);
    snprintf(body, sizeof body, "{\"based_on\":%lld}", (long long)live);
    ck_status(rig_send(&R, "PATCH", "/v1/flow-drafts/short", body), 200);
    ck_status(rig_send(&R, "POST", "/v1/flow-drafts/short:publish", "{}"), 200);
}
END_TEST

START_TEST(what_is_refused)
{
    static const struct {
        const char *method, *path, *body;
        int status;
    } asks[] = {
        {"POST", "/v1/flow-drafts/short:publish", "{\"note\":7}", 422},
        {"POST", "/v1/flow-drafts/short:publish", "{\"force\":1}", 422},
        {"POST", "/v1/flow-drafts/short:publish", "{\"other\":1}", 422},
        {"GET", "/v1/flows/short/diff?from=soon", NULL, 400},
        {"GET", "/v1/flows/short/diff?from=999999", NULL, 404},
        {"GET", "/v1/flows/short/diff?to=draft", NULL, 404},
        {"GET", "/v1/flows/none/diff", NULL, 404},
        {"GET", "/v1/flow-drafts/none/faults", NULL, 404},
        {"POST", "/v1/flow-drafts/none:publish", "{}", 404},
        {"PUT", "/v1/access-numbers/100", "{\"flow\":\"none@draft\"}", 422},
        {"PUT", "/v1/access-numbers/100", "{\"flow\":\"short@drafts\"}", 422},
        {"PUT", "/v1/access-numbers/100", "{\"flow\":\"short@draft\"}", 201},
    };
    ck_status(rig_send(&R, "PUT", "/v1/flows/short", BYE), 201);
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        const struct answer *a = asks[i].body ? rig_send(&R, asks[i].method, asks[i].path, asks[i].body) : rig_get(&R, asks[i].path);
        ck_assert_msg(a->status == asks[i].status, "%s %s: %ld %s", asks[i].path, asks[i].body ? asks[i].body : "", a->status, a->body);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("flow drafts");
    TCase *t = tcase_create("drafts");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, faulty_drafts_stay_drafts);
    tcase_add_test(t, published);
    tcase_add_test(t, somebody_was_faster);
    tcase_add_test(t, what_is_refused);
    suite_add_tcase(s, t);
    return run_suite(s);
}
