/* What agents and supervisors do: log in and out, states; and asking who serves whom, and why. */
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/mem.h"

char *api_text_of(const json_t *json, const char *name)
{
    const char *v = json_string_value(json_object_get(json, name));
    return mem_strdup(v ? v : "");
}

/* Answers and returns false when the body has a field that is not in `names` (NULL-terminated), or one of another type. */
static bool known_fields(struct api_request *q, const char *const *names)
{
    const char *key;
    json_t *value;
    json_object_foreach(q->json, key, value)
    {
        bool known = false;
        for (size_t i = 0; names[i]; i++)
            known = known || strcmp(key, names[i]) == 0;
        if (!known) {
            api_fail_code(q, ERR_INVAL, key, "unknown field");
            return false;
        }
        bool number = strcmp(key, "extend_s") == 0, truth = strcmp(key, "force") == 0;
        json_int_t n = json_integer_value(value);
        const char *wrong = number  ? json_is_integer(value) && n > 0 && n <= 86400 ? NULL : "must be 1 to 86400"
                            : truth ? json_is_boolean(value) ? NULL : "must be true or false"
                            : json_is_string(value) ? NULL
                                                    : "must be text";
        if (wrong) {
            api_fail_code(q, ERR_INVAL, key, "%s", wrong);
            return false;
        }
    }
    return true;
}

static void on_agent(struct api_request *q, const struct api_result *r)
{
    if (r->code) {
        api_fail_result(q, r);
        return;
    }
    struct view_query vq = {.kind = "agent", .key = q->params[0]};
    json_t *out = NULL;
    if (!api_view(q, &vq, &out))
        return;
    snprintf(q->etag, sizeof q->etag, "\"%lld\"", (long long)json_integer_value(json_object_get(out, "version")));
    api_reply(q, 200, out);
}

static void set_agent(struct api_request *q, Ev__AgentSet__Action action)
{
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_AGENT_SET);
    Ev__AgentSet *a = malloc(sizeof *a);
    if (!cmd || !a) {
        free(cmd);
        free(a);
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
        return;
    }
    ev__agent_set__init(a);
    cmd->agent_set = a;
    a->action = action;
    a->agent = mem_strdup(q->params[0]);
    a->extension = api_text_of(q->json, "extension");
    a->state = api_text_of(q->json, "state");
    a->reason = api_text_of(q->json, "reason");
    a->force = json_is_true(json_object_get(q->json, "force"));
    a->extend_s = (uint32_t)json_integer_value(json_object_get(q->json, "extend_s"));
    if (!a->agent || !a->extension || !a->state || !a->reason) {
        ev__command__free_unpacked(cmd, NULL);
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
        return;
    }
    api_command(q, cmd, on_agent);
}

void api_agent_login(struct api_request *q)
{
    static const char *const names[] = {"extension", NULL};
    if (known_fields(q, names))
        set_agent(q, EV__AGENT_SET__ACTION__LOGIN);
}

void api_agent_logout(struct api_request *q)
{
    set_agent(q, EV__AGENT_SET__ACTION__LOGOUT);
}

void api_agent_set_state(struct api_request *q)
{
    static const char *const names[] = {"state", "reason", "force", "extend_s", NULL};
    if (!known_fields(q, names))
        return;
    const char *state = json_string_value(json_object_get(q->json, "state"));
    if (!state || !state[0]) {
        api_fail_code(q, ERR_INVAL, "state", "is required: ready, not_ready or another agent state");
        return;
    }
    set_agent(q, EV__AGENT_SET__ACTION__SET_STATE);
}

/* ---- why */

static void on_explained(struct api_request *q, const struct api_result *r)
{
    if (r->code)
        api_fail_result(q, r);
    else
        api_reply(q, 200, json_incref(r->json));
}

void api_explain_call(struct api_request *q)
{
    api_operation(q, API_OP_EXPLAIN, json_pack("{s:s}", "call_id", q->params[0]), on_explained);
}

void api_explain_agent(struct api_request *q)
{
    api_operation(q, API_OP_EXPLAIN, json_pack("{s:s,s:s}", "queue", q->params[0], "agent", q->params[1]),
                  on_explained);
}

/* ---- lists of callers */

void api_test_blacklist(struct api_request *q)
{
    const char *direction = api_query(q, "direction");
    bool out = direction && strcmp(direction, "out") == 0;
    if (direction && !out && strcmp(direction, "in") != 0) {
        struct err_info info = {.code = 0};
        err_set(&info, ERR_INVAL, "direction", "must be in or out");
        api_fail_status(q, 400, &info);
        return;
    }
    api_operation(q, API_OP_EXPLAIN, json_pack("{s:s,s:b}", "blacklist", q->params[0], "out", out), on_explained);
}

void api_test_vip(struct api_request *q)
{
    const char *queue = api_query(q, "queue");
    api_operation(q, API_OP_EXPLAIN, json_pack("{s:s,s:s}", "vip", q->params[0], "queue", queue ? queue : ""),
                  on_explained);
}
