/* Requests that come twice, that name what cannot be a name, and preconditions beside other refusals. */
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

static void configure(void)
{
    ck_status(rig_apply_yaml(&R, "/v1/config:apply",
                             "extensions: [{number: \"8001\"}, {number: \"8002\"}]\n"
                             "agents: [{number: \"1001\", extension: \"8001\"}, {number: \"1002\", extension: \"8002\"}]\n"
                             "trunks: [{name: carrier, contact: \"sip:127.0.0.1:5099\", outbound: true}]\n"
                             "queues: [{name: service, members: [{agent: \"1001\"}]}]\n"),
              200);
}

static void add_callback(const char *number, char target[64])
{
    char body[80];
    snprintf(body, sizeof body, "{\"queue\":\"service\",\"number\":\"%s\"}", number);
    const struct answer *a = rig_send(&R, "POST", "/v1/callbacks", body);
    ck_status(a, 201);
    snprintf(target, 64, "/v1/callbacks/%s", rig_text(a, "callback_id"));
    ck_assert_str_eq(rig_header(a, "Location"), target);
}

/* The first answer was lost on its way: what is gone is gone because it was removed. */
START_TEST(a_removal_is_answered_as_at_first)
{
    const char *once = "Idempotency-Key: once";
    char one[64], other[64];
    configure();
    add_callback("13800138000", one);
    add_callback("13800138001", other);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", one, once, NULL, 0), 204);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", one, once, NULL, 0), 204);
    const struct answer *a = rig_ask(&R, RIG_ADMIN, "DELETE", other, once, NULL, 0);
    ck_status(a, 409);
    ck_assert_str_eq(rig_text(a, "detail"), "the idempotency key was used for another request");
    ck_status(rig_get(&R, other), 200);
    a = rig_ask(&R, RIG_ADMIN, "DELETE", one, NULL, NULL, 0);
    ck_status(a, 404);
    ck_assert_str_eq(rig_text(a, "field"), "");
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/callbacks/nothing", NULL, NULL, 0), 404);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/extensions/8001", "Idempotency-Key: used", NULL, 0), 409);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/agents/1002", "Idempotency-Key: two", NULL, 0), 204);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/agents/1002", "Idempotency-Key: two", NULL, 0), 204);
}
END_TEST

/* The call may have ended since. */
START_TEST(a_transfer_is_answered_as_at_first)
{
    static const char body[] = "{\"queue\":\"service\"}", *h = JSON_TYPE "\nIdempotency-Key: on";
    configure();
    for (int i = 0; i < 2; i++) {
        const struct answer *a = rig_ask(&R, RIG_ADMIN, "POST", "/v1/calls/0000000000000001:transfer", h, body, sizeof body - 1);
        ck_status(a, 404);
        ck_assert_str_eq(rig_text(a, "detail"), "there is no such call");
        ck_assert_str_eq(rig_text(a, "field"), "");
        ck_assert_str_eq(R.last_key, "on");
    }
    ck_status(rig_ask(&R, RIG_ADMIN, "POST", "/v1/calls/0000000000000002:transfer", h, body, sizeof body - 1), 409);
    ck_status(rig_ask(&R, RIG_ADMIN, "POST", "/v1/calls/nothing:transfer", h, body, sizeof body - 1), 404);
}
END_TEST

START_TEST(a_telephone_is_rung_once_for_one_click)
{
    static const char to[] = "{\"number\":\"13800138000\"}", *h = JSON_TYPE "\nIdempotency-Key: click";
    char first[24] = "";
    configure();
    ck_status(rig_send(&R, "POST", "/v1/agents/1001:dial", to), 409); /* he is not logged in */
    ck_status(rig_send(&R, "PUT", "/v1/extensions/8001", "{\"contact\":\"sip:8001@127.0.0.1:5998\"}"), 200);
    ck_status(rig_send(&R, "POST", "/v1/agents/1001:login", "{}"), 200);
    for (int i = 0; i < 2; i++) {
        const struct answer *a = rig_ask(&R, RIG_ADMIN, "POST", "/v1/agents/1001:dial", h, to, sizeof to - 1);
        ck_status(a, 202);
        if (i == 0)
            snprintf(first, sizeof first, "%s", rig_text(a, "call_id"));
        ck_assert_str_eq(rig_text(a, "call_id"), first);
    }
    const struct answer *a = rig_get(&R, "/v1/calls");
    ck_assert_uint_eq(json_array_size(json_object_get(a->json, "items")), 1);
    ck_status(rig_send(&R, "POST", "/v1/agents/1001:dial", to), 409); /* it rings */
    a = rig_send(&R, "POST", "/v1/agents/1001:dial", "{\"number\":13800138000}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "number");
    ck_status(rig_send(&R, "POST", "/v1/agents/1001:dial", "{\"queue\":\"service\"}"), 422);
    ck_status(rig_send(&R, "POST", "/v1/agents/1009:dial", to), 404);
    a = rig_send(&R, "POST", "/v1/cdrs/00000000000000ab:call-back", "{}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "agent");
    ck_status(rig_send(&R, "POST", "/v1/cdrs/00000000000000ab:call-back", "{\"agent\":\"1001\"}"), 404);
    ck_status(rig_send(&R, "POST", "/v1/cdrs/nothing:call-back", "{\"agent\":\"1001\"}"), 404);
}
END_TEST

START_TEST(a_key_does_not_stand_for_two_changes)
{
    const char *h = JSON_TYPE "\nIdempotency-Key: k";
    configure();
    ck_status(rig_ask(&R, RIG_ADMIN, "PATCH", "/v1/agents/1001", h, "{\"level\":5}", 11), 200);
    ck_status(rig_ask(&R, RIG_ADMIN, "PATCH", "/v1/agents/1001", h, "{\"level\":5}", 11), 200);
    const struct answer *a = rig_ask(&R, RIG_ADMIN, "PATCH", "/v1/agents/1002", h, "{\"level\":5}", 11);
    ck_status(a, 409);
    ck_assert_str_eq(rig_text(a, "code"), "conflict");
    ck_assert_int_eq(json_integer_value(json_object_get(rig_get(&R, "/v1/agents/1002")->json, "level")), 0);
    /* a patch that changes nothing has its answer too */
    h = JSON_TYPE "\nIdempotency-Key: none";
    ck_status(rig_ask(&R, RIG_ADMIN, "PATCH", "/v1/agents/1001", h, "{\"level\":5}", 11), 200);
    ck_status(rig_ask(&R, RIG_ADMIN, "PATCH", "/v1/agents/1001", h, "{\"level\":5}", 11), 200);
    /* nor does one that only takes the draft away */
    static const char flow[] = "{\"definition\":{\"languages\":[\"en\"],\"start\":\"a\",\"nodes\":{\"a\":{\"type\":\"hangup\"}}}}";
    h = JSON_TYPE "\nIdempotency-Key: live";
    ck_status(rig_send(&R, "PUT", "/v1/flows/f", flow), 201);
    ck_status(rig_send(&R, "PUT", "/v1/flow-drafts/f", flow), 201);
    for (int i = 0; i < 2; i++)
        ck_status(rig_ask(&R, RIG_ADMIN, "POST", "/v1/flow-drafts/f:publish", h, "{}", 2), 200);
    ck_status(rig_get(&R, "/v1/flow-drafts/f"), 404);
}
END_TEST

/* Whoever reads 412 reads the object again and tries once more: not for ever, against something else. */
START_TEST(what_is_in_use_is_no_failed_precondition)
{
    char header[64];
    configure();
    snprintf(header, sizeof header, "If-Match: %s", rig_header(rig_get(&R, "/v1/agents/1001"), "ETag"));
    const struct answer *a = rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/agents/1001", header, NULL, 0);
    ck_status(a, 409);
    ck_assert_ptr_nonnull(strstr(rig_text(a, "detail"), "service"));
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/agents/1001", "If-Match: *", NULL, 0), 409);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/agents/1001", "If-Match: \"4711\"", NULL, 0), 412);
}
END_TEST

START_TEST(paths_are_text)
{
    static const char *const paths[] = {"/v1/calls/%ff/explanation", "/v1/queues/service/agents/%c3%28/explanation", "/v1/nodes/%80",
                                        "/v1/flows/%fe:test",        "/v1/agents/10%0101",                        "/v1/vips/%7f/test",
                                        "/v1/blacklist/%ed%a0%80/test"};
    configure();
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const struct answer *a = rig_get(&R, paths[i]);
        ck_assert_msg(a->status == 400, "%s: %ld", paths[i], a->status);
        ck_assert_ptr_nonnull(strstr(rig_text(a, "detail"), "UTF-8"));
    }
    ck_status(rig_send(&R, "POST", "/v1/flows/%fe:test", "{}"), 400);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/nodes/%ff", NULL, NULL, 0), 400);
    ck_status(rig_get(&R, "/v1/agents/%e5%bc%a0"), 404);
}
END_TEST

START_TEST(no_second_token_is_called_admin)
{
    const struct answer *a = rig_send(&R, "PUT", "/v1/tokens/admin", "{\"role\":\"read\",\"token\":\"0123456789abcdef\"}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "name");
    a = rig_apply_yaml(&R, "/v1/config:apply", "tokens: [{name: admin, role: admin, token: 0123456789abcdef}]\n");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "tokens[0].name");
}
END_TEST

START_TEST(days_that_are_not_there)
{
    ck_status(rig_get(&R, "/v1/cdrs?from=2026-02-28T00:00:00Z"), 200);
    ck_status(rig_get(&R, "/v1/cdrs?from=2024-02-29T23:59:60Z"), 200);
    ck_status(rig_get(&R, "/v1/cdrs?from=2026-02-29T00:00:00Z"), 422);
    ck_status(rig_get(&R, "/v1/cdrs?from=2026-04-31T00:00:00Z"), 422);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("repeats");
    TCase *t = tcase_create("requests");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_removal_is_answered_as_at_first);
    tcase_add_test(t, a_transfer_is_answered_as_at_first);
    tcase_add_test(t, a_telephone_is_rung_once_for_one_click);
    tcase_add_test(t, a_key_does_not_stand_for_two_changes);
    tcase_add_test(t, what_is_in_use_is_no_failed_precondition);
    tcase_add_test(t, paths_are_text);
    tcase_add_test(t, no_second_token_is_called_admin);
    tcase_add_test(t, days_that_are_not_there);
    suite_add_tcase(s, t);
    return run_suite(s);
}
