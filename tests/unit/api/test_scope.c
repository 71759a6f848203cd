/* Tokens of supervisors over HTTPS: what they see, what they may do, and that everything else is refused. */
#include "api/api_int.h"
#include "tests/unit/api/api_rig.h"
#include "tests/unit/suite.h"

#define DESK "supervisor-token-0123456789"

static struct rig R;

static void must(const char *method, const char *path, const char *json)
{
    const struct answer *a = rig_send(&R, method, path, json);
    ck_assert_msg(a->status == 200 || a->status == 201, "%s %s: %s", method, path, a->body);
}

static const struct answer *ask(const char *method, const char *path, const char *json)
{
    return rig_ask(&R, DESK, method, path, json ? JSON_TYPE : NULL, json, json ? strlen(json) : 0);
}

/* 2001 has group east (1001) and queue sales (1002); 1003 and queue service are not his. */
static void setup(void)
{
    rig_open(&R, 0, 0);
    rig_newest(&R);
    static const char *const agents[] = {"1001", "1002", "1003", "2001"};
    for (int i = 0; i < 4; i++) {
        char path[64], body[160];
        snprintf(path, sizeof path, "/v1/extensions/800%d", i);
        must("PUT", path, "{\"contact\":\"sip:x@127.0.0.1:9000\"}");
        snprintf(path, sizeof path, "/v1/agents/%s", agents[i]);
        snprintf(body, sizeof body, "{\"extension\":\"800%d\",\"group\":\"%s\",\"type\":\"%s\"}", i, i == 0 ? "east" : "west",
                 i == 3 ? "supervisor" : "agent");
        must("PUT", path, body);
    }
    must("PUT", "/v1/agent-groups/east", "{}");
    must("PUT", "/v1/agent-groups/west", "{}");
    must("PUT", "/v1/queues/sales", "{\"members\":[{\"agent\":\"1002\"}]}");
    must("PUT", "/v1/queues/service", "{\"members\":[{\"agent\":\"1003\"}]}");
    must("PUT", "/v1/trunks/line", "{\"sources\":[\"127.0.0.0/8\"]}");
    must("PUT", "/v1/access-numbers/10003", "{\"queue\":\"service\"}");
    must("PUT", "/v1/access-numbers/10013", "{\"queue\":\"sales\"}");
    must("PATCH", "/v1/agents/2001", "{\"manages_groups\":[\"east\"],\"manages_queues\":[\"sales\"]}");
    must("PUT", "/v1/tokens/desk", "{\"role\":\"supervisor\",\"agent\":\"2001\",\"token\":\"" DESK "\"}");
}

static void teardown(void)
{
    rig_close(&R);
}

static void call(uint64_t id, const char *called)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallStart start = EV__CALL_START__INIT;
    start.call_id = id;
    start.caller = (char *)(uintptr_t) "13800138000";
    start.called = (char *)(uintptr_t)called;
    start.trunk = (char *)(uintptr_t) "line";
    cmd.body_case = EV__COMMAND__BODY_CALL_START;
    cmd.call_start = &start;
    rig_seed(&R, &cmd);
}

static void items_are(const char *path, const char *key, const char *want)
{
    const struct answer *a = ask("GET", path, NULL);
    char have[200] = "";
    ck_status(a, 200);
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(a->json, "items"), i, one)
        snprintf(have + strlen(have), sizeof have - strlen(have), "%s%s", i ? " " : "", json_string_value(json_object_get(one, key)));
    ck_assert_msg(strcmp(have, want) == 0, "%s: %s", path, have);
}

START_TEST(lists_are_of_what_is_managed)
{
    call(1, "10013");
    call(2, "10003");
    items_are("/v1/agents", "number", "1001 1002 2001");
    items_are("/v1/agents?group=west", "number", "1002 2001");
    items_are("/v1/agents?limit=1", "number", "1001");
    items_are("/v1/queues", "name", "sales");
    items_are("/v1/agent-groups", "name", "east");
    items_are("/v1/calls", "call_id", "0000000000000001");
    items_are("/v1/cdrs", "call_id", "");
    items_are("/v1/messages", "message_id", "");
    items_are("/v1/recordings", "recording_id", "");
    items_are("/v1/callbacks", "callback_id", "");
    items_are("/v1/ratings", "rated_agent", "");
    ck_assert_uint_gt(json_array_size(json_object_get(ask("GET", "/v1/agent-states", NULL)->json, "items")), 2);
}
END_TEST

static void refused(const char *method, const char *path, const char *json, const char *why)
{
    const struct answer *a = ask(method, path, json);
    ck_assert_msg(a->status == 403, "%s %s: %ld", method, path, a->status);
    const char *detail = json_string_value(json_object_get(a->json, "detail"));
    ck_assert_msg(detail && strstr(detail, why), "%s %s: %s", method, path, detail ? detail : "nothing");
}

START_TEST(the_rest_is_refused)
{
    call(1, "10013");
    call(2, "10003");
    ck_status(ask("GET", "/v1/agents/1001", NULL), 200);
    ck_status(ask("GET", "/v1/agents/1009", NULL), 404);
    ck_status(ask("GET", "/v1/queues/sales/status", NULL), 200);
    ck_status(ask("GET", "/v1/calls/0000000000000001", NULL), 200);
    ck_status(ask("GET", "/v1/calls/0000000000000009", NULL), 404);
    refused("GET", "/v1/agents/1003", NULL, "agent 2001 does not manage agent 1003: neither the group nor a queue");
    refused("POST", "/v1/agents/1003:login", "{}", "1003");
    refused("POST", "/v1/agents/1003:set-state", "{\"state\":\"ready\"}", "1003");
    refused("GET", "/v1/agent-groups/west", NULL, "manages_groups");
    refused("GET", "/v1/queues/service", NULL, "queue service: it is none of the agent's manages_queues");
    refused("GET", "/v1/queues/service/agents/1001/explanation", NULL, "service");
    refused("GET", "/v1/calls/0000000000000002", NULL, "no queue and no agent of it");
    refused("POST", "/v1/calls/0000000000000002:hangup", NULL, "call 0000000000000002");
    refused("POST", "/v1/calls/0000000000000002:transfer", "{\"queue\":\"sales\"}", "call 0000000000000002");
    refused("POST", "/v1/callbacks", "{\"queue\":\"service\",\"number\":\"13800138000\"}", "service");
    refused("POST", "/v1/callbacks", "{\"number\":\"13800138000\"}", "does not manage");
    /* what is nobody's to manage */
    refused("PATCH", "/v1/agents/1001", "{\"level\":3}", "it takes a token of role admin");
    refused("PUT", "/v1/queues/sales", "{}", "admin");
    refused("GET", "/v1/tokens", NULL, "read or admin");
    refused("GET", "/v1/config", NULL, "not for supervisors");
    refused("GET", "/v1/audit", NULL, "not for supervisors");
    refused("DELETE", "/v1/recordings/0000000000000001", NULL, "admin");
    refused("POST", "/v1/nodes/n1:drain", NULL, "admin");
}
END_TEST

START_TEST(forwarding_of_his_agents)
{
    static const char busy[] = "{\"when\":\"busy\",\"to\":{\"type\":\"agent\",\"target\":\"1003\"}}";
    must("PUT", "/v1/forwards/other", "{\"agent\":\"1003\",\"to\":{\"type\":\"voicemail\"}}");
    must("PUT", "/v1/forwards/phone", "{\"extension\":\"8000\",\"to\":{\"type\":\"voicemail\"}}");
    ck_status(ask("POST", "/v1/agents/1001:forward", busy), 204);
    ck_assert_str_eq(R.last_actor, "agent:2001");
    items_are("/v1/forwards", "name", "agent-1001-busy");
    items_are("/v1/forwards?agent=1003", "name", "");
    ck_status(ask("GET", "/v1/forwards/agent-1001-busy", NULL), 200);
    ck_status(ask("GET", "/v1/forwards/other", NULL), 403);
    refused("POST", "/v1/agents/1003:forward", busy, "1003");
    refused("POST", "/v1/agents/1003:forward-off", "{\"when\":\"always\"}", "1003");
    refused("POST", "/v1/extensions/8000:forward", busy, "admin");
    refused("PUT", "/v1/forwards/more", "{\"agent\":\"1001\",\"to\":{\"type\":\"voicemail\"}}", "admin");
    static const char *const wrong[] = {"{}",
                                        "{\"when\":\"busy\"}",
                                        "{\"when\":\"busy\",\"to\":\"1003\"}",
                                        "{\"when\":\"busy\",\"to\":{\"type\":\"agent\",\"target\":\"1003\",\"more\":1}}",
                                        "{\"when\":\"never\",\"to\":{\"type\":\"agent\",\"target\":\"1003\"}}",
                                        "{\"when\":\"busy\",\"to\":{\"type\":\"agent\",\"target\":\"1001\"}}",
                                        "{\"when\":\"busy\",\"to\":{\"type\":\"agent\",\"target\":\"1888\"}}",
                                        "{\"when\":\"busy\",\"after_s\":0,\"to\":{\"type\":\"agent\",\"target\":\"1003\"}}",
                                        "{\"when\":7,\"to\":{\"type\":\"agent\",\"target\":\"1003\"}}",
                                        "{\"when\":\"busy\",\"what\":1,\"to\":{\"type\":\"agent\",\"target\":\"1003\"}}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ck_status(ask("POST", "/v1/agents/1001:forward", wrong[i]), 422);
    ck_status(ask("POST", "/v1/agents/1001:forward-off", "{\"when\":\"busy\"}"), 204);
    ck_status(ask("POST", "/v1/agents/1001:forward-off", "{\"when\":\"busy\"}"), 204); /* as asked */
    items_are("/v1/forwards", "name", "");
}
END_TEST

START_TEST(powers_are_used_as_the_agent)
{
    call(1, "10013");
    ck_status(ask("POST", "/v1/agents/1001:login", "{}"), 200);
    ck_status(ask("POST", "/v1/agents/1001:set-state", "{\"state\":\"not_ready\",\"force\":true}"), 200);
    ck_status(ask("POST", "/v1/agents/1001:logout", NULL), 200);
    ck_status(ask("POST", "/v1/calls/0000000000000001:hangup", NULL), 202);
    ck_assert_str_eq(R.last_actor, "agent:2001");
    const struct answer *a = rig_get(&R, "/v1/audit?actor=agent:2001");
    static const char *const want[] = {"call.hang_up", "agent.logout", "agent.not_ready", "agent.login"};
    const json_t *items = json_object_get(a->json, "items");
    ck_assert_uint_eq(json_array_size(items), 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert_str_eq(json_string_value(json_object_get(json_array_get(items, i), "action")), want[i]);
    ck_assert_int_eq((int)json_integer_value(json_object_get(json_object_get(json_array_get(items, 2), "after"), "force")), 1);
}
END_TEST

/* What he manages holds from the next request on; so does that he is no supervisor any more, or of another agent. */
START_TEST(changes_hold_at_once)
{
    ck_status(rig_send(&R, "PATCH", "/v1/agents/2001", "{\"manages_groups\":[\"west\"],\"manages_queues\":[]}"), 200);
    items_are("/v1/agents", "number", "1002 1003 2001");
    items_are("/v1/queues", "name", "");
    must("PATCH", "/v1/agents/2001", "{\"manages_groups\":[],\"type\":\"agent\"}");
    refused("GET", "/v1/agents", NULL, "agent 2001 is no supervisor");
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/tokens/desk", NULL, NULL, 0), 204);
    ck_status(ask("GET", "/v1/agents", NULL), 401);
}
END_TEST

START_TEST(each_rule_is_an_endpoint)
{
    for (unsigned i = 0; i < api_n_scope_rules; i++) {
        const struct api_scope_rule *s = &api_scope_rules[i];
        unsigned n = 0;
        for (unsigned k = 0; k < api_n_routes; k++)
            n += api_routes[k].method == s->method && strcmp(api_routes[k].path, s->path) == 0;
        ck_assert_msg(n == 1, "%s %s", api_method_name(s->method), s->path);
        ck_assert_msg((s->kind != NULL) == (s->what == API_SCOPE_ROW), "%s", s->path);
        /* whatever changes something is within the scope */
        ck_assert_msg(s->method == API_GET || s->what != API_SCOPE_OPEN, "%s", s->path);
        ck_assert_msg(!strchr(s->path, '{') || s->what != API_SCOPE_OPEN || strstr(s->path, "/agent-states/"), "%s", s->path);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("scope");
    TCase *t = tcase_create("scope");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, lists_are_of_what_is_managed);
    tcase_add_test(t, the_rest_is_refused);
    tcase_add_test(t, forwarding_of_his_agents);
    tcase_add_test(t, powers_are_used_as_the_agent);
    tcase_add_test(t, changes_hold_at_once);
    tcase_add_test(t, each_rule_is_an_endpoint);
    suite_add_tcase(s, t);
    return run_suite(s);
}
