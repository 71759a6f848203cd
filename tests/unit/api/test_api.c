/* The API from a client's side, over TLS, with a real core behind it. */
#include "tests/unit/api/api_rig.h"
#include "tests/unit/suite.h"

static struct rig R;

static void setup(void)
{
    rig_open(&R, 0, 0);
}
static void teardown(void)
{
    rig_close(&R);
}

/* What most tests need. */
static void configure(void)
{
    const struct answer *a = rig_apply_yaml(&R, "/v1/config:apply",
                                            "extensions:\n"
                                            "  - {number: \"8001\", password: secret-1}\n"
                                            "  - {number: 8002, contact: \"sip:8002@127.0.0.1:5070\"}\n"
                                            "agents:\n"
                                            "  - {number: \"1001\", name: Li, extension: \"8001\"}\n"
                                            "  - {number: \"1002\", name: Wang, extension: \"8002\"}\n"
                                            "queues:\n"
                                            "  - name: service\n"
                                            "    members: [{agent: \"1001\", level: 1}, {agent: \"1002\", level: 2}]\n");
    ck_status(a, 200);
    ck_assert_uint_eq(json_array_size(json_object_get(a->json, "changes")), 5);
}

START_TEST(health_needs_no_token)
{
    const struct answer *a = rig_ask(&R, NULL, "GET", "/healthz", NULL, NULL, 0);
    ck_status(a, 200);
    ck_assert_str_eq(rig_text(a, "status"), "ok");
    ck_assert_str_ne(rig_header(a, "X-Request-Id"), "");
    ck_status(rig_ask(&R, NULL, "GET", "/readyz", NULL, NULL, 0), 200);
    R.not_ready = true;
    a = rig_ask(&R, NULL, "GET", "/readyz", NULL, NULL, 0);
    ck_status(a, 503);
    ck_assert_str_eq(rig_text(a, "detail"), "no quorum for 3 s");
    ck_assert_str_ne(rig_header(a, "Retry-After"), "");
    a = rig_ask(&R, NULL, "GET", "/metrics", NULL, NULL, 0);
    ck_status(a, 200);
    ck_assert_ptr_nonnull(strstr(a->body, "everline_calls 0"));
    ck_assert_ptr_nonnull(strstr(a->body, "everline_api_requests_total{class=\"5xx\"} 1"));
    a = rig_ask(&R, NULL, "HEAD", "/healthz", NULL, NULL, 0);
    ck_status(a, 200);
    ck_assert_uint_eq(a->len, 0);
}
END_TEST

START_TEST(tokens_and_roles)
{
    const struct answer *a = rig_ask(&R, NULL, "GET", "/v1/agents", NULL, NULL, 0);
    ck_status(a, 401);
    ck_assert_str_eq(rig_header(a, "Content-Type"), "application/problem+json");
    ck_assert_ptr_nonnull(strstr(rig_header(a, "WWW-Authenticate"), "Bearer"));
    ck_status(rig_ask(&R, "wrong-token-00000000", "GET", "/v1/agents", NULL, NULL, 0), 401);
    ck_status(rig_send(&R, "PUT", "/v1/tokens/wall", "{\"role\":\"read\",\"token\":\"wallboard-0123456789\"}"), 201);
    a = rig_get(&R, "/v1/tokens/wall");
    ck_assert_ptr_null(strstr(a->body, "sha256"));
    ck_status(rig_ask(&R, "wallboard-0123456789", "GET", "/v1/agents", NULL, NULL, 0), 200);
    a = rig_ask(&R, "wallboard-0123456789", "PUT", "/v1/parameters/a", JSON_TYPE, "{\"value\":\"1\"}", 13);
    ck_status(a, 403);
    ck_assert_str_eq(rig_text(a, "code"), "denied");
    /* the secret stays when only the role changes */
    ck_status(rig_send(&R, "PATCH", "/v1/tokens/wall", "{\"role\":\"admin\"}"), 200);
    ck_status(rig_ask(&R, "wallboard-0123456789", "PUT", "/v1/parameters/a", JSON_TYPE, "{\"value\":\"1\"}", 13), 201);
    ck_assert_str_eq(R.last_actor, "token:wall");
    ck_status(rig_send(&R, "PUT", "/v1/tokens/short", "{\"role\":\"read\",\"token\":\"short\"}"), 422);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/tokens/wall", NULL, NULL, 0), 204);
    ck_status(rig_ask(&R, "wallboard-0123456789", "GET", "/v1/agents", NULL, NULL, 0), 401);
}
END_TEST

START_TEST(objects_are_made_changed_and_removed)
{
    char etag[64];
    const struct answer *a = rig_send(&R, "PUT", "/v1/extensions/8001", "{\"password\":\"pw\",\"display_name\":\"Front\"}");
    ck_status(a, 201);
    ck_assert_str_eq(rig_header(a, "Location"), "/v1/extensions/8001");
    snprintf(etag, sizeof etag, "%s", rig_header(a, "ETag"));
    ck_assert_int_eq(etag[0], '"');
    ck_assert(json_is_true(json_object_get(a->json, "has_password")));
    ck_assert_ptr_null(strstr(a->body, "ha1"));
    a = rig_get(&R, "/v1/extensions/8001");
    ck_status(a, 200);
    ck_assert_str_eq(rig_header(a, "ETag"), etag);
    ck_assert_int_gt(atoll(rig_header(a, "Everline-Index")), 0);

    /* a change without the password keeps it; null takes it away */
    a = rig_send(&R, "PATCH", "/v1/extensions/8001", "{\"contact\":\"sip:8001@127.0.0.1:5080\"}");
    ck_status(a, 200);
    ck_assert(json_is_true(json_object_get(a->json, "has_password")));
    ck_assert_str_eq(rig_text(a, "display_name"), "Front");
    ck_assert_str_eq(rig_text(a, "contact"), "sip:8001@127.0.0.1:5080");
    a = rig_send(&R, "PATCH", "/v1/extensions/8001", "{\"password\":null}");
    ck_status(a, 200);
    ck_assert(json_is_false(json_object_get(a->json, "has_password")));

    /* preconditions */
    char header[128];
    snprintf(header, sizeof header, JSON_TYPE "\nIf-Match: %s", etag);
    a = rig_ask(&R, RIG_ADMIN, "PUT", "/v1/extensions/8001", header, "{}", 2);
    ck_status(a, 412);
    a = rig_ask(&R, RIG_ADMIN, "PUT", "/v1/extensions/8001", JSON_TYPE "\nIf-None-Match: *", "{}", 2);
    ck_status(a, 412);
    ck_assert_str_eq(rig_text(a, "code"), "exists");
    ck_status(rig_ask(&R, RIG_ADMIN, "PUT", "/v1/extensions/8009", JSON_TYPE "\nIf-Match: *", "{}", 2), 412);
    ck_status(rig_ask(&R, RIG_ADMIN, "PUT", "/v1/extensions/8001", JSON_TYPE "\nIf-Match: banana", "{}", 2), 400);
    a = rig_get(&R, "/v1/extensions/8001");
    snprintf(header, sizeof header, "If-Match: %s", rig_header(a, "ETag"));
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/extensions/8001", header, NULL, 0), 204);
    a = rig_get(&R, "/v1/extensions/8001");
    ck_status(a, 404);
    ck_assert_str_eq(rig_text(a, "code"), "not_found");
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/extensions/8001", NULL, NULL, 0), 404);
    ck_status(rig_send(&R, "PATCH", "/v1/extensions/8001", "{}"), 404);
}
END_TEST

START_TEST(faults_name_their_field)
{
    configure();
    const struct answer *a = rig_send(&R, "PUT", "/v1/queues/q", "{\"ring_time_s\":0}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "ring_time_s");
    a = rig_send(&R, "PUT", "/v1/queues/q", "{\"members\":[{\"agent\":\"1001\"},{\"agent\":\"4711\"}]}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "members[1].agent");
    a = rig_send(&R, "PUT", "/v1/queues/q", "{\"colour\":\"red\"}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "colour");
    a = rig_send(&R, "PUT", "/v1/queues/q", "{\"name\":\"other\"}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "name");
    a = rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/agents/1001", NULL, NULL, 0);
    ck_status(a, 409);
    ck_assert_str_eq(rig_text(a, "code"), "conflict");
    a = rig_send(&R, "PUT", "/v1/access-numbers/100", "{\"queue\":\"service\",\"app\":\"echo\"}");
    ck_status(a, 422);
    a = rig_send(&R, "PUT", "/v1/access-numbers/100", "{\"flow\":\"none\"}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "flow");
    /* by the same core rule, found only when it is applied */
    a = rig_send(&R, "PUT", "/v1/queues/q", "{\"members\":[{\"agent\":\"1001\"},{\"agent\":\"1001\"}]}");
    ck_status(a, 422);
    ck_assert_ptr_nonnull(strstr(rig_text(a, "detail"), "twice"));
}
END_TEST

START_TEST(parameters_take_their_values_only)
{
    static const struct {
        const char *name, *good, *bad, *told;
    } rows[] = {
        {"rtp_symmetric", "off", "no", "must be on or off"},
        {"media_dead_ms", "0", "never", "must be a whole number from 0 to 86400000"},
        {"session_expires_s", "90", "89", "must be a whole number from 90 to 86400"},
        {"min_se_s", "3600", "3601", "must be a whole number from 90 to 3600"},
        {"codecs", "opus pcma", "PCMA G729", "must be some of PCMA PCMU G722 opus, each once, with a space between"},
        {"codecs", "G722", "PCMA PCMU PCMA", "must be some of PCMA PCMU G722 opus, each once, with a space between"},
        {"codecs", "PCMU", "PCMA ", "must be some of PCMA PCMU G722 opus, each once, with a space between"},
        {"language", "en", "", "there are no prompts in a language \"\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[64], body[64];
        snprintf(path, sizeof path, "/v1/parameters/%s", rows[i].name);
        snprintf(body, sizeof body, "{\"value\":\"%s\"}", rows[i].good);
        bool again = i > 0 && strcmp(rows[i].name, rows[i - 1].name) == 0;
        ck_status(rig_send(&R, "PUT", path, body), again ? 200 : 201);
        snprintf(body, sizeof body, "{\"value\":\"%s\"}", rows[i].bad);
        const struct answer *a = rig_send(&R, "PUT", path, body);
        ck_status(a, 422);
        ck_assert_str_eq(rig_text(a, "field"), "value");
        ck_assert_str_eq(rig_text(a, "detail"), rows[i].told);
        ck_assert_str_eq(rig_text(rig_get(&R, path), "value"), rows[i].good);
    }
    const struct answer *a = rig_send(&R, "POST", "/v1/config:apply", "{\"parameters\":[{\"name\":\"min_se_s\",\"value\":\"1\"}]}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "parameters[0].value");
    ck_status(rig_send(&R, "PUT", "/v1/parameters/of_a_program", "{\"value\":\"anything\"}"), 201);
}
END_TEST

START_TEST(every_kind_can_be_listed)
{
    static const char *const paths[] = {"/v1/extensions", "/v1/agents", "/v1/queues", "/v1/trunks", "/v1/access-numbers", "/v1/flows",
                                        "/v1/parameters", "/v1/tokens", "/v1/calls", "/v1/cdrs", "/v1/audit", "/v1/nodes"};
    configure();
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const struct answer *a = rig_get(&R, paths[i]);
        ck_status(a, 200);
        ck_assert(json_is_array(json_object_get(a->json, "items")));
    }
    const struct answer *a = rig_get(&R, "/v1/agents?limit=1");
    ck_assert_uint_eq(json_array_size(json_object_get(a->json, "items")), 1);
    char path[256];
    snprintf(path, sizeof path, "/v1/agents?limit=1&cursor=%s", rig_text(a, "next_cursor"));
    a = rig_get(&R, path);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(json_object_get(a->json, "items"), 0), "number")), "1002");
    ck_assert(json_is_null(json_object_get(a->json, "next_cursor")));
    a = rig_get(&R, "/v1/agents?group=none");
    ck_assert_uint_eq(json_array_size(json_object_get(a->json, "items")), 0);
    ck_status(rig_get(&R, "/v1/agents?limit=0"), 400);
    ck_status(rig_get(&R, "/v1/agents?limit=1001"), 400);
    ck_status(rig_get(&R, "/v1/agents?cursor=rubbish"), 400);
    ck_status(rig_get(&R, "/v1/agents?what=1"), 400);
    ck_status(rig_get(&R, "/v1/agents?limit=1&limit=2"), 400);
    a = rig_get(&R, "/v1/cdrs?from=yesterday");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "from");
    a = rig_get(&R, "/v1/agents?state=sleeping");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "state");
    ck_assert_ptr_nonnull(strstr(rig_text(a, "detail"), "wrap_up"));
    ck_status(rig_get(&R, "/v1/agents?state=wrap_up"), 200);
    ck_status(rig_get(&R, "/v1/cdrs?from=2026-03-01T00:00:00%2B08:00&to=2026-03-02T00:00:00Z"), 200);
    ck_status(rig_get(&R, "/v1/cdrs/0000000000000001"), 404);
    ck_status(rig_get(&R, "/v1/calls/0000000000000001"), 404);
}
END_TEST

START_TEST(a_repeated_request_gets_the_first_answer)
{
    const char *h = JSON_TYPE "\nIdempotency-Key: k-1";
    const struct answer *a = rig_ask(&R, RIG_ADMIN, "PUT", "/v1/parameters/p", h, "{\"value\":\"1\"}", 13);
    char etag[64];
    ck_status(a, 201);
    ck_assert_str_eq(R.last_key, "k-1");
    ck_assert_str_eq(R.last_actor, "token:admin");
    snprintf(etag, sizeof etag, "%s", rig_header(a, "ETag"));
    a = rig_ask(&R, RIG_ADMIN, "PUT", "/v1/parameters/p", h, "{\"value\":\"1\"}", 13);
    ck_status(a, 201);
    ck_assert_str_eq(rig_header(a, "ETag"), etag);
    a = rig_ask(&R, RIG_ADMIN, "PUT", "/v1/parameters/p", h, "{\"value\":\"2\"}", 13);
    ck_status(a, 409);
    /* a patch is made from what is there, and yet not made twice */
    h = JSON_TYPE "\nIdempotency-Key: k-2";
    ck_status(rig_ask(&R, RIG_ADMIN, "PATCH", "/v1/parameters/p", h, "{\"value\":\"3\"}", 13), 200);
    ck_status(rig_send(&R, "PUT", "/v1/parameters/p", "{\"value\":\"4\"}"), 200);
    ck_status(rig_ask(&R, RIG_ADMIN, "PATCH", "/v1/parameters/p", h, "{\"value\":\"3\"}", 13), 200);
    ck_assert_str_eq(rig_text(rig_get(&R, "/v1/parameters/p"), "value"), "4");
    /* nor is a document */
    const char *doc = "parameters:\n  - {name: p, value: \"5\"}\n";
    h = YAML_TYPE "\nIdempotency-Key: k-3";
    a = rig_ask(&R, RIG_ADMIN, "POST", "/v1/config:apply", h, doc, strlen(doc));
    ck_status(a, 200);
    char *first = json_dumps(json_object_get(a->json, "changes"), JSON_SORT_KEYS);
    ck_status(rig_send(&R, "PUT", "/v1/parameters/p", "{\"value\":\"6\"}"), 200);
    a = rig_ask(&R, RIG_ADMIN, "POST", "/v1/config:apply", h, doc, strlen(doc));
    ck_status(a, 200);
    char *again = json_dumps(json_object_get(a->json, "changes"), JSON_SORT_KEYS);
    ck_assert_str_eq(first, again);
    free(first);
    free(again);
    ck_assert_str_eq(rig_text(rig_get(&R, "/v1/parameters/p"), "value"), "6");
    ck_status(rig_ask(&R, RIG_ADMIN, "PUT", "/v1/parameters/p", JSON_TYPE "\nIdempotency-Key: a b", "{\"value\":\"2\"}", 13), 400);
}
END_TEST

START_TEST(agents_log_in_and_out)
{
    configure();
    const struct answer *a = rig_send(&R, "POST", "/v1/agents/1002:login", "{}");
    ck_status(a, 200);
    ck_assert_str_eq(rig_text(a, "extension_in_use"), "8002");
    a = rig_ask(&R, RIG_ADMIN, "POST", "/v1/agents/1001:login", JSON_TYPE, "{\"extension\":\"8002\"}", 20);
    ck_assert_int_ge(a->status, 200); /* whether two may share a telephone is for the core to say */
    a = rig_send(&R, "POST", "/v1/agents/1002:set-state", "{\"state\":\"not_ready\",\"reason\":\"lunch\"}");
    ck_status(a, 200);
    ck_assert_str_eq(rig_text(a, "state"), "not_ready");
    ck_assert_str_eq(rig_text(a, "reason"), "lunch");
    a = rig_send(&R, "POST", "/v1/agents/1002:set-state", "{\"state\":\"asleep\"}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "state");
    ck_status(rig_send(&R, "POST", "/v1/agents/1002:set-state", "{\"reason\":\"lunch\"}"), 422);
    ck_status(rig_send(&R, "POST", "/v1/agents/1002:set-state", "{\"state\":\"ready\",\"force\":1}"), 422);
    ck_status(rig_send(&R, "POST", "/v1/agents/1002:set-state", "{\"state\":\"wrap_up\",\"extend_s\":0}"), 422);
    a = rig_send(&R, "PUT", "/v1/agent-states/break", "{\"limit_s\":900}"); /* a built-in one */
    ck_status(a, 201);
    ck_assert_str_eq(rig_text(a, "name_zh"), "小休");
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/agent-states/break", NULL, "", 0), 204);
    a = rig_get(&R, "/v1/agent-states/break");
    ck_status(a, 200);
    ck_assert_int_eq(rig_int(a, "limit_s"), 0);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/agent-states/break", NULL, "", 0), 404);
    ck_status(rig_send(&R, "POST", "/v1/agents/1002:set-state", "{\"state\":\"ready\"}"), 200);
    a = rig_get(&R, "/v1/queues/service/status");
    ck_status(a, 200);
    ck_assert_uint_eq(json_array_size(json_object_get(a->json, "agents")), 2);
    ck_assert_int_eq(rig_int(a, "logged_in"), (a->json ? rig_int(a, "logged_in") : -1));
    ck_assert_int_ge(rig_int(a, "available"), 1);
    a = rig_ask(&R, RIG_ADMIN, "POST", "/v1/agents/1002:logout", NULL, "", 0);
    ck_status(a, 200);
    ck_assert_str_eq(rig_text(a, "state"), "logged_out");
    a = rig_send(&R, "POST", "/v1/agents/4711:login", "{}");
    ck_status(a, 404);
    ck_status(rig_send(&R, "POST", "/v1/agents/1002:login", "{\"phone\":\"1\"}"), 422);
    ck_status(rig_send(&R, "POST", "/v1/agents/1002:frob", "{}"), 404);
    ck_status(rig_get(&R, "/v1/queues/none/status"), 404);
}
END_TEST

START_TEST(a_document_is_applied_as_a_whole)
{
    configure();
    const struct answer *a = rig_apply_yaml(&R, "/v1/config:apply?dry_run=true",
                                            "queues:\n  - {name: service, wrap_up_s: 5, members: [{agent: \"1001\"}]}\n"
                                            "  - {name: new}\n");
    ck_status(a, 200);
    ck_assert(json_is_true(json_object_get(a->json, "dry_run")));
    json_t *changes = json_object_get(a->json, "changes");
    ck_assert_uint_eq(json_array_size(changes), 2);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(changes, 0), "action")), "update");
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(changes, 1), "action")), "create");
    ck_status(rig_get(&R, "/v1/queues/new"), 404);

    /* what is exported can be applied, and changes nothing, passwords included */
    a = rig_ask(&R, RIG_ADMIN, "GET", "/v1/config", "Accept: application/yaml", NULL, 0);
    ck_status(a, 200);
    ck_assert_str_eq(rig_header(a, "Content-Type"), "application/yaml");
    ck_assert_ptr_null(strstr(a->body, "ha1"));
    char *yaml = strdup(a->body);
    a = rig_apply_yaml(&R, "/v1/config:apply?prune=true", yaml);
    free(yaml);
    ck_status(a, 200);
    size_t i;
    json_t *c;
    json_array_foreach(json_object_get(a->json, "changes"), i, c)
        ck_assert_str_eq(json_string_value(json_object_get(c, "action")), "unchanged");
    a = rig_get(&R, "/v1/extensions/8001");
    ck_assert(json_is_true(json_object_get(a->json, "has_password")));
    a = rig_get(&R, "/v1/config");
    ck_status(a, 200);
    ck_assert_uint_eq(json_array_size(json_object_get(a->json, "agents")), 2);
    ck_status(rig_get(&R, "/v1/config?format=xml"), 400);

    /* pruning touches the kinds that the document has */
    a = rig_apply_yaml(&R, "/v1/config:apply?prune=true", "agents: [{number: \"1001\", extension: \"8001\"}]\n");
    ck_status(a, 409); /* the queue still names the other */
    ck_assert_ptr_nonnull(strstr(rig_text(a, "detail"), "agent 1002 is in use by queue service"));
    rig_newest(&R);
    const char *flow = "{\"definition\":{\"languages\":[\"en\"],\"start\":\"a\",\"nodes\":{\"a\":{\"type\":\"queue\",\"queue\":\"spare\"}}}}";
    ck_status(rig_send(&R, "PUT", "/v1/queues/spare", "{}"), 201);
    ck_status(rig_send(&R, "PUT", "/v1/flows/f", flow), 201);
    a = rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/queues/spare", NULL, NULL, 0);
    ck_status(a, 409);
    ck_assert_str_eq(rig_text(a, "detail"), "queue spare is in use by flow f");
    const char *without = "queues: [{name: service, members: [{agent: \"1001\"},{agent: \"1002\"}]}]\n";
    a = rig_apply_yaml(&R, "/v1/config:diff?prune=true", without); /* before it is tried */
    ck_status(a, 409);
    ck_assert_ptr_nonnull(strstr(rig_text(a, "detail"), "queue spare is in use by flow f"));
    char both[256];
    snprintf(both, sizeof both, "%sflows: []\n", without);
    ck_status(rig_apply_yaml(&R, "/v1/config:apply?prune=true", both), 200);
    ck_status(rig_get(&R, "/v1/queues/spare"), 404);
    a = rig_apply_yaml(&R, "/v1/config:apply?prune=true",
                       "agents: [{number: \"1001\", extension: \"8001\"}]\nqueues: [{name: service, members: [{agent: \"1001\"}]}]\n");
    ck_status(a, 200);
    ck_status(rig_get(&R, "/v1/agents/1002"), 404);
    ck_status(rig_get(&R, "/v1/extensions/8002"), 200);

    a = rig_send(&R, "POST", "/v1/config:diff", "{\"extensions\":[{\"number\":\"8001\",\"password\":\"other\"}]}");
    ck_status(a, 200);
    c = json_array_get(json_object_get(a->json, "changes"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(c, "action")), "update");
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(c, "after"), "ha1_md5")), "***");
    a = rig_send(&R, "POST", "/v1/config:diff", "{\"extensions\":[{\"number\":\"8001\",\"password\":null}]}");
    c = json_array_get(json_object_get(a->json, "changes"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(c, "before"), "ha1_md5")), "***");
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(c, "after"), "ha1_md5")), "");
    a = rig_send(&R, "POST", "/v1/config:diff", "{\"extensions\":[{\"number\":\"8001\",\"site\":\"b\"}]}");
    c = json_array_get(json_object_get(a->json, "changes"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(c, "after"), "ha1_md5")), "***");
}
END_TEST

START_TEST(faults_in_a_document_have_a_place)
{
    static const struct {
        const char *text;
        int status;
        const char *field;
        int line;
    } bad[] = {
        {"queues:\n  - {name: x\n", 400, "", 3},
        {"queues:\n  - name: x\n    name: y\n", 400, NULL, 3},
        {"queues:\n  - name: x\n    ring_time_s: 9999\n", 422, "queues[0].ring_time_s", 3},
        {"queues:\n  - name: x\n    colour: red\n", 422, "queues[0].colour", 3},
        {"queues:\n  - name: x\n\n  - name: x\n", 422, "queues[1].name", 4},
        {"colours: []\n", 422, "colours", 1},
        {"queues: 5\n", 422, "queues", 1},
        {"queues:\n  - 5\n", 422, "queues[0]", 2},
        {"queues:\n  - {}\n", 422, "queues[0].name", 2},
        {"extensions: [{number: \"1\"}]\nagents:\n  - {number: \"5\", extension: \"1\"}\n  - number: \"6\"\n    extension: \"2\"\n", 422,
         "agents[1].extension", 5},
        {"queues:\n  - name: x\n    members:\n      - agent: \"1\"\n", 422, "queues[0].members[0].agent", 4},
        {"flows:\n  - name: f\n    languages: [en]\n    start: a\n    nodes:\n      a: {type: queue, queue: none, on_fail: b}\n      b: {type: hangup}\n", 422,
         "flows[0].nodes.a.queue", 6},
        {"flows:\n  - name: f\n    languages: [en]\n    start: a\n    nodes:\n      a: {type: dance}\n", 422, "flows[0].nodes.a.type", 6},
        {"flows:\n  - name: f\n    languages: [en]\n    start: a\n    nodes:\n      a: {type: hangup, prompts: [nothing]}\n", 422, NULL, 6},
        {"flows:\n  - name: f\n    languages: [en]\n    start: a\n    nodes:\n      a: {type: hangup, prompts: [{date: 2026-02-28}, {date: 2026-02-31}]}\n",
         422, "flows[0].nodes.a.prompts[1].date", 6},
        {"- 1\n", 422, "", 0},
        {"\xff\xfe", 400, NULL, 1},
        {"", 400, NULL, 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct answer *a = rig_apply_yaml(&R, "/v1/config:apply", bad[i].text);
        ck_assert_msg(a->status == bad[i].status, "%zu: %ld %s", i, a->status, a->body ? a->body : "");
        if (bad[i].field)
            ck_assert_msg(strcmp(rig_text(a, "field"), bad[i].field) == 0, "%zu: %s", i, a->body);
        if (bad[i].line)
            ck_assert_msg(rig_int(a, "line") == bad[i].line, "%zu: %s", i, a->body);
    }
    const struct answer *a = rig_send(&R, "POST", "/v1/config:apply", "{\"queues\": [\n{\"name\": \"x\",\n\"quiet\": 7}]}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "queues[0].quiet");
    ck_assert_int_eq(rig_int(a, "line"), 3);
    a = rig_send(&R, "POST", "/v1/config:apply", "{\"queues\": [\n}");
    ck_status(a, 400);
    ck_assert_int_eq(rig_int(a, "line"), 2);
    ck_assert_int_eq(json_array_size(json_object_get(rig_get(&R, "/v1/queues")->json, "items")), 0);
    /* found by apply itself */
    configure();
    a = rig_apply_yaml(&R, "/v1/config:apply", "queues:\n  - name: other\n  - name: twice\n    members: [{agent: \"1001\"}, {agent: \"1001\"}]\n");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "queues[1]");
    ck_assert_int_eq(rig_int(a, "line"), 3);
}
END_TEST

START_TEST(flows_are_checked_and_kept)
{
    configure();
    const char *flow = "{\"definition\":{\"languages\":[\"zh\"],\"start\":\"m\",\"nodes\":{\"m\":{\"type\":\"menu\",\"prompts\":[\"main\"],"
                       "\"keys\":{\"1\":\"q\"},\"on_fail\":\"h\"},\"q\":{\"type\":\"queue\",\"queue\":\"service\",\"on_fail\":\"h\"},"
                       "\"h\":{\"type\":\"hangup\"}}}}";
    const struct answer *a = rig_send(&R, "PUT", "/v1/flows/welcome", flow);
    ck_status(a, 201);
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(a->json, "definition"), "start")), "m");
    a = rig_send(&R, "PATCH", "/v1/flows/welcome", "{\"definition\":{\"nodes\":{\"q\":{\"queue\":\"none\"}}}}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "definition.nodes.q.queue");
    a = rig_send(&R, "PATCH", "/v1/flows/welcome", "{\"definition\":{\"nodes\":{\"q\":null}}}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "definition.nodes.m.keys.1");
    ck_status(rig_send(&R, "PUT", "/v1/access-numbers/10000", "{\"flow\":\"welcome\"}"), 201);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/flows/welcome", NULL, NULL, 0), 409);
    a = rig_get(&R, "/v1/config?format=yaml");
    char *yaml = strdup(a->body);
    a = rig_apply_yaml(&R, "/v1/config:diff", yaml);
    free(yaml);
    ck_status(a, 200);
    size_t i;
    json_t *c;
    json_array_foreach(json_object_get(a->json, "changes"), i, c)
        ck_assert_str_eq(json_string_value(json_object_get(c, "action")), "unchanged");
}
END_TEST

START_TEST(what_is_not_there_is_said_plainly)
{
    const struct answer *a = rig_get(&R, "/v1/nonsense");
    ck_status(a, 404);
    ck_assert_str_eq(rig_text(a, "code"), "not_found");
    ck_status(rig_get(&R, "/"), 404);
    ck_status(rig_get(&R, "/v1/agents/1/2"), 404);
    a = rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/agents", NULL, NULL, 0);
    ck_status(a, 405);
    ck_assert_str_eq(rig_header(a, "Allow"), "GET");
    a = rig_ask(&R, RIG_ADMIN, "OPTIONS", "/v1/agents/1", NULL, NULL, 0);
    ck_status(a, 405);
    ck_assert_str_eq(rig_header(a, "Allow"), "GET, PUT, PATCH, DELETE");
    ck_status(rig_ask(&R, RIG_ADMIN, "PUT", "/v1/parameters/a", "Content-Type: text/plain", "{}", 2), 415);
    ck_status(rig_ask(&R, RIG_ADMIN, "POST", "/v1/config:apply", "Content-Type: text/plain", "{}", 2), 415);
    /* What a form would carry is not a sound. */
    ck_status(rig_ask(&R, RIG_ADMIN, "PUT", "/v1/prompts/hello?language=zh", "Content-Type: multipart/form-data; boundary=x", "--x--\r\n", 7), 415);
    a = rig_send(&R, "PUT", "/v1/parameters/a", "{\"value\":\n oops}");
    ck_status(a, 400);
    ck_assert_int_eq(rig_int(a, "line"), 2);
    ck_status(rig_send(&R, "PUT", "/v1/parameters/a", "[1]"), 400);
    ck_status(rig_send(&R, "PUT", "/v1/parameters/a", "{\"value\":\"1\",\"value\":\"2\"}"), 400);
    ck_status(rig_send(&R, "PUT", "/v1/parameters/a", ""), 400);
    ck_status(rig_ask(&R, RIG_ADMIN, "PUT", "/v1/parameters/a", JSON_TYPE "\nTransfer-Encoding: chunked", "{}", 2), 411);
    size_t n = API_BODY_MAX + 1;
    char *big = malloc(n);
    memset(big, ' ', n);
    a = rig_ask(&R, RIG_ADMIN, "POST", "/v1/config:apply", JSON_TYPE, big, n);
    ck_status(a, 413);
    a = rig_ask(&R, RIG_ADMIN, "POST", "/v1/config:apply", JSON_TYPE "\nExpect:", big, n);
    ck_status(a, 413);
    a = rig_ask(&R, RIG_ADMIN, "POST", "/v1/config:apply", JSON_TYPE "\nExpect:", big, n - 1);
    ck_status(a, 400);
    a = rig_ask(&R, "wrong-token-00000000", "POST", "/v1/config:apply", JSON_TYPE "\nExpect:", big, n - 1);
    ck_status(a, 401);
    free(big);
    a = rig_ask(&R, RIG_ADMIN, "GET", "/v1/agents", "X-Request-Id: mine-1", NULL, 0);
    ck_assert_str_eq(rig_header(a, "X-Request-Id"), "mine-1");
}
END_TEST

START_TEST(cluster_operations_go_to_the_node)
{
    Ev__NodeUp up = EV__NODE_UP__INIT;
    Ev__Command cmd = EV__COMMAND__INIT;
    char *sip = (char *)(uintptr_t) "127.0.0.1:5060";
    up.name = (char *)(uintptr_t) "n1";
    up.node_id = 1;
    up.incarnation = 5;
    up.site = (char *)(uintptr_t) "a";
    up.sip = &sip;
    up.n_sip = 1;
    up.https = (char *)(uintptr_t) "127.0.0.1:8443";
    up.peer = (char *)(uintptr_t) "127.0.0.1:7400";
    up.version = (char *)(uintptr_t) "0.1.0";
    up.max_feature_level = 1;
    cmd.body_case = EV__COMMAND__BODY_NODE_UP;
    cmd.node_up = &up;
    rig_seed(&R, &cmd);
    up.name = (char *)(uintptr_t) "n3";
    up.node_id = 3;
    rig_seed(&R, &cmd);

    const struct answer *a = rig_get(&R, "/v1/cluster");
    ck_status(a, 200);
    ck_assert_str_eq(rig_text(a, "leader"), "n1");
    json_t *nodes = json_object_get(a->json, "nodes");
    ck_assert_uint_eq(json_array_size(nodes), 3); /* n1 from both sides, n3 from the state, n2 from replication */
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(nodes, 0), "role")), "voter");
    ck_assert(json_is_null(json_object_get(json_array_get(nodes, 1), "role")));
    /* Cut off from the others the node says so: of itself, and of nobody else. */
    for (int cut = 0; cut < 2; cut++) {
        R.isolated = cut;
        a = rig_get(&R, "/v1/cluster");
        ck_assert(json_object_get(a->json, "isolated") == json_boolean(cut));
        json_t *rows = json_object_get(a->json, "nodes");
        size_t i;
        json_t *row;
        json_array_foreach(rows, i, row)
        {
            bool self = strcmp(json_string_value(json_object_get(row, "name")), "n1") == 0;
            ck_assert(json_object_get(row, "isolated") == json_boolean(cut && self));
        }
        a = rig_get(&R, "/v1/nodes/n1");
        ck_assert(json_object_get(a->json, "isolated") == json_boolean(cut));
    }
    R.isolated = false;
    a = rig_get(&R, "/v1/nodes/n2");
    ck_status(a, 200);
    ck_assert_int_eq(rig_int(a, "rtt_us"), 120);
    ck_status(rig_get(&R, "/v1/nodes/n9"), 404);
    ck_status(rig_get(&R, "/v1/nodes"), 200);
    a = rig_get(&R, "/v1/nodes/n1/status");
    ck_status(a, 200);
    ck_assert_str_eq(rig_text(a, "name"), "n1");
    a = rig_get(&R, "/v1/nodes/n3/status");
    ck_status(a, 421);
    ck_assert_ptr_nonnull(strstr(rig_text(a, "detail"), "https://127.0.0.1:8443"));
    ck_status(rig_get(&R, "/v1/nodes/n9/status"), 404);
    a = rig_send(&R, "POST", "/v1/nodes", "{\"name\":\"n4\",\"address\":\"127.0.0.4:7400\"}");
    ck_status(a, 202);
    ck_assert_str_eq(R.last_op, "{\"address\":\"127.0.0.4:7400\",\"name\":\"n4\"}");
    a = rig_send(&R, "POST", "/v1/nodes", "{\"name\":\"n4\"}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "address");
    static const struct {
        const char *body, *field;
    } bad[] = {
        {"{\"name\":\"n 4\",\"address\":\"127.0.0.4:7400\"}", "name"},
        {"{\"name\":\"n.4\",\"address\":\"127.0.0.4:7400\"}", "name"},
        {"{\"name\":\"n23456789012345678901234567890123\",\"address\":\"127.0.0.4:7400\"}", "name"},
        {"{\"name\":\"n4\",\"address\":\"127.0.0.4\"}", "address"},
        {"{\"name\":\"n4\",\"address\":\"node4:7400\"}", "address"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        a = rig_send(&R, "POST", "/v1/nodes", bad[i].body);
        ck_status(a, 422);
        ck_assert_str_eq(rig_text(a, "field"), bad[i].field);
        ck_assert_ptr_nonnull(strstr(rig_text(a, "detail"), "must be"));
    }
    ck_assert_str_eq(R.last_op, "{\"address\":\"127.0.0.4:7400\",\"name\":\"n4\"}"); /* none of them went to the node */
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/nodes/n3", NULL, NULL, 0), 204);
    a = rig_ask(&R, RIG_ADMIN, "POST", "/v1/cluster:verify", NULL, "", 0);
    ck_status(a, 200);
    ck_assert(json_is_false(json_object_get(a->json, "equal")));
    a = rig_ask(&R, RIG_ADMIN, "POST", "/v1/cluster:transfer", NULL, "", 0);
    ck_status(a, 200);
    ck_assert_str_eq(R.last_op, "{\"to\":null}");
    ck_status(rig_send(&R, "POST", "/v1/cluster:transfer", "{\"to\":\"n2\"}"), 200);
    ck_assert_str_eq(R.last_op, "{\"to\":\"n2\"}");
    ck_status(rig_send(&R, "POST", "/v1/cluster:transfer", "{\"to\":2}"), 422);
    ck_status(rig_get(&R, "/v1/agents?consistent=true"), 200);
    ck_status(rig_get(&R, "/v1/agents?consistent=yes"), 400);
    ck_status(rig_ask(&R, RIG_ADMIN, "POST", "/v1/calls/0000000000000001:hangup", NULL, "", 0), 404);
    ck_status(rig_send(&R, "POST", "/v1/calls/0000000000000001:transfer", "{\"queue\":\"service\",\"priority\":3}"), 404);
    static const char *const refused[] = {"{}", "{\"queue\":\"\"}", "{\"queue\":\"a\",\"agent\":\"1\"}", "{\"queue\":7}",
                                          "{\"queue\":\"a\",\"priority\":1001}", "{\"agent\":\"1\",\"priority\":1}",
                                          "{\"agent\":\"1\",\"more\":1}"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        ck_status(rig_send(&R, "POST", "/v1/calls/0000000000000001:transfer", refused[i]), 422);
    static const char *const nobody[] = {"{}", "{\"agent\":\"\"}", "{\"agent\":1001}", "{\"agent\":\"1001\",\"leg\":\"caller\"}"};
    for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++)
        ck_status(rig_send(&R, "POST", "/v1/calls/0000000000000001:pickup", nobody[i]), 422);
    ck_status(rig_send(&R, "POST", "/v1/calls/0000000000000001:pickup", "{\"agent\":\"1001\"}"), 404);
    static const char *const unknown[] = {"{}", "{\"customer\":7}", "{\"notes\":null}", "{\"data\":\"x\"}", "{\"data\":{\"x\":7}}", "{\"owner\":\"n2\"}"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        ck_status(rig_send(&R, "PATCH", "/v1/calls/0000000000000001", unknown[i]), 422);
    const char *known = "{\"customer\":\"C-1\",\"notes\":\"\",\"data\":{\"order\":\"4711\",\"tariff\":null}}";
    ck_status(rig_send(&R, "PATCH", "/v1/calls/0000000000000001", known), 404);
    ck_status(rig_ask(&R, RIG_ADMIN, "POST", "/v1/calls/0000000000000001:hold", NULL, "", 0), 404);
    static const char *const alone[] = {"toggle", "complete", "cancel", "conference"};
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++) {
        char path[80];
        (void)snprintf(path, sizeof path, "/v1/calls/0000000000000001:%s", alone[i]);
        ck_status(rig_ask(&R, RIG_ADMIN, "POST", path, NULL, "", 0), 404);
    }
    ck_status(rig_send(&R, "POST", "/v1/calls/0000000000000001:consult", "{\"agent\":\"1002\",\"leg\":\"caller\"}"), 404);
    ck_status(rig_send(&R, "POST", "/v1/calls/0000000000000001:conference", "{\"extension\":\"8002\"}"), 404);
    ck_status(rig_send(&R, "POST", "/v1/calls/0000000000000001:drop", "{\"party\":\"8002\"}"), 404);
    static const char *const whom[] = {"{}", "{\"agent\":7}", "{\"agent\":\"1\",\"queue\":\"q\"}", "{\"flow\":\"welcome\"}", "{\"party\":\"\"}"};
    for (size_t i = 0; i < sizeof whom / sizeof *whom; i++) {
        ck_status(rig_send(&R, "POST", "/v1/calls/0000000000000001:consult", whom[i]), 422);
        ck_status(rig_send(&R, "POST", "/v1/calls/0000000000000001:drop", whom[i]), 422);
        if (i)
            ck_status(rig_send(&R, "POST", "/v1/calls/0000000000000001:conference", whom[i]), 422);
    }
    ck_status(rig_send(&R, "POST", "/v1/calls/0000000000000001:mute", "{\"leg\":\"callee\"}"), 404);
    ck_status(rig_send(&R, "POST", "/v1/calls/0000000000000001:mute", "{\"leg\":7}"), 422);
    ck_status(rig_send(&R, "POST", "/v1/calls/0000000000000001:unmute", "{\"party\":\"x\"}"), 422);
}
END_TEST

static void set_code(int code)
{
    pthread_mutex_lock(&R.lock);
    R.op_code = code;
    pthread_mutex_unlock(&R.lock);
}

START_TEST(questions_why_go_to_the_node)
{
    const struct answer *a;
    ck_status(rig_send(&R, "PUT", "/v1/extensions/8001", "{}"), 201);
    ck_status(rig_send(&R, "PUT", "/v1/agents/1001", "{\"extension\":\"8001\"}"), 201);
    ck_status(rig_send(&R, "PUT", "/v1/queues/service", "{\"members\":[{\"agent\":\"1001\"}]}"), 201);
    a = rig_get(&R, "/v1/queues/service/agents/1001/explanation");
    ck_status(a, 200);
    ck_assert_str_eq(R.last_op, "{\"agent\":\"1001\",\"queue\":\"service\"}");
    ck_assert(json_is_false(json_object_get(a->json, "available")));
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(a->json, "lines"), 0)),
                     "Agent 1001 is not logged in.");
    ck_status(rig_get(&R, "/v1/calls/0000000000000007/explanation"), 200);
    ck_assert_str_eq(R.last_op, "{\"call_id\":\"0000000000000007\"}");
    ck_status(rig_get(&R, "/v1/calls/0000000000000007/explanation?verbose=1"), 400);
    ck_status(rig_send(&R, "POST", "/v1/calls/0000000000000007/explanation", "{}"), 405);
    set_code(ERR_NOTFOUND);
    ck_status(rig_get(&R, "/v1/calls/0000000000000007/explanation"), 404);
    set_code(0);
}
END_TEST

/* What the queue engine can do is configured with complaints that name the field. */
START_TEST(rules_of_service_are_checked)
{
    static const struct {
        const char *path, *body, *field;
        int status; /* 0: 422 */
    } cases[] = {
        {"/v1/queues/service", "{\"strategy\":\"ring_some\"}", "strategy", 0},
        {"/v1/queues/service", "{\"ring_max\":33}", "ring_max", 0},
        {"/v1/queues/service", "{\"ring_no_answer\":\"asleep\"}", "ring_no_answer", 0},
        {"/v1/queues/service", "{\"preferences\":[\"level\",\"level\"]}", "preferences[1]", 0},
        {"/v1/queues/service", "{\"preferences\":[\"beauty\"]}", "preferences[0]", 0},
        {"/v1/queues/service", "{\"priority_step_s\":86401}", "priority_step_s", 0},
        {"/v1/queues/service", "{\"target_s\":-1}", "target_s", 0},
        {"/v1/queues/service", "{\"last_served_h\":2161}", "last_served_h", 0},
        {"/v1/queues/service", "{\"announce\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}", "announce", 413},
        {"/v1/queues/service", "{\"announce\":[\"\"]}", "announce[0]", 0},
        {"/v1/queues/service", "{\"announce\":[\"position\",\"nothing\"]}", "announce[1]", 0},
        {"/v1/queues/service", "{\"announce_every_s\":3601}", "announce_every_s", 0},
        {"/v1/queues/service", "{\"music\":\"two words\"}", "music", 0},
        {"/v1/queues/service", "{\"music\":\"nothing\"}", "music", 0},
        {"/v1/queues/service", "{\"welcome\":\"nothing\"}", "welcome", 0},
        {"/v1/agents/1001", "{\"skills\":[{\"skill\":\"english\",\"level\":10}]}", "skills[0].level", 0},
        {"/v1/agents/1001", "{\"skills\":[{\"level\":1}]}", "skills[0].skill", 0},
        {"/v1/agents/1001", "{\"skills\":[{\"skill\":\"a\"},{\"skill\":\"a\"}]}", "skills[1].skill", 0},
        {"/v1/agents/1001", "{\"skills\":[{\"skill\":\"a\",\"until\":\"tomorrow\"}]}", "skills[0].until", 0},
        {"/v1/agents/1001", "{\"region\":\"no blanks\"}", "region", 0},
        {"/v1/access-numbers/10003",
         "{\"skills\":[{\"skill\":\"a\"},{\"skill\":\"b\"},{\"skill\":\"c\"},{\"skill\":\"d\"},{\"skill\":\"e\"}]}", "skills", 413},
        {"/v1/access-numbers/10003", "{\"vip\":1}", "vip", 0},
    };
    ck_status(rig_send(&R, "PUT", "/v1/extensions/8001", "{}"), 201);
    ck_status(rig_send(&R, "PUT", "/v1/agents/1001", "{\"extension\":\"8001\"}"), 201);
    ck_status(rig_send(&R, "PUT", "/v1/queues/service", "{\"members\":[]}"), 201);
    ck_status(rig_send(&R, "PUT", "/v1/access-numbers/10003", "{\"queue\":\"service\"}"), 201);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct answer *a = rig_send(&R, "PATCH", cases[i].path, cases[i].body);
        ck_status(a, cases[i].status ? cases[i].status : 422);
        ck_assert_str_eq(json_string_value(json_object_get(a->json, "field")), cases[i].field);
    }
    ck_status(rig_send(&R, "PATCH", "/v1/queues/service",
                       "{\"strategy\":\"round_robin\",\"preferences\":[\"level\",\"last_served\"],\"target_s\":20}"),
              200);
    ck_status(rig_send(&R, "PATCH", "/v1/agents/1001",
                       "{\"region\":\"north\",\"skills\":[{\"skill\":\"english\",\"level\":3,\"until\":\"2099-01-01T00:00:00Z\"}]}"),
              200);
}
END_TEST

START_TEST(refusals_of_the_node_have_their_status)
{
    static const struct {
        int code, status;
    } map[] = {{ERR_NOQUORUM, 503}, {ERR_TIMEOUT, 504}, {ERR_BUSY, 503}, {ERR_CLOSED, 503}, {ERR_NOMEM, 500}, {ERR_TOOBIG, 413},
               {ERR_DENIED, 403}};
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        set_code(map[i].code);
        const struct answer *a = rig_send(&R, "PUT", "/v1/parameters/a", "{\"value\":\"1\"}");
        ck_status(a, map[i].status);
        ck_assert_str_eq(rig_text(a, "code"), err_name(map[i].code));
        if (map[i].status == 503)
            ck_assert_int_gt(atoi(rig_header(a, "Retry-After")), 0);
    }
    set_code(ERR_NOQUORUM);
    ck_status(rig_get(&R, "/v1/agents?consistent=true"), 503);
    ck_status(rig_get(&R, "/v1/agents"), 200);
    set_code(0);
    pthread_mutex_lock(&R.lock);
    R.busy = true;
    pthread_mutex_unlock(&R.lock);
    ck_status(rig_send(&R, "PUT", "/v1/parameters/a", "{\"value\":\"1\"}"), 503);
    ck_status(rig_get(&R, "/v1/cluster"), 503);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("api");
    TCase *t = tcase_create("requests");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, health_needs_no_token);
    tcase_add_test(t, tokens_and_roles);
    tcase_add_test(t, objects_are_made_changed_and_removed);
    tcase_add_test(t, faults_name_their_field);
    tcase_add_test(t, parameters_take_their_values_only);
    tcase_add_test(t, every_kind_can_be_listed);
    tcase_add_test(t, a_repeated_request_gets_the_first_answer);
    tcase_add_test(t, agents_log_in_and_out);
    tcase_add_test(t, a_document_is_applied_as_a_whole);
    tcase_add_test(t, faults_in_a_document_have_a_place);
    tcase_add_test(t, flows_are_checked_and_kept);
    tcase_add_test(t, what_is_not_there_is_said_plainly);
    tcase_add_test(t, cluster_operations_go_to_the_node);
    tcase_add_test(t, questions_why_go_to_the_node);
    tcase_add_test(t, rules_of_service_are_checked);
    tcase_add_test(t, refusals_of_the_node_have_their_status);
    suite_add_tcase(s, t);
    return run_suite(s);
}
