/* What supervisors may: which endpoints are theirs, and of those only what is about the groups and queues that they manage (core/scope.h).
 * Everything that is not in the table is refused. Lists show only what is within; what a path or body names has to be. */
#include <string.h>

#include "api/api_int.h"

const struct api_scope_rule api_scope_rules[] = {
    {API_GET, "/v1/agents", API_SCOPE_OPEN, NULL},
    {API_GET, "/v1/agents/{number}", API_SCOPE_ROW, "agent"},
    {API_POST, "/v1/agents/{number}:login", API_SCOPE_ROW, "agent"},
    {API_POST, "/v1/agents/{number}:logout", API_SCOPE_ROW, "agent"},
    {API_POST, "/v1/agents/{number}:set-state", API_SCOPE_ROW, "agent"},
    {API_POST, "/v1/agents/{number}:dial", API_SCOPE_ROW, "agent"},
    {API_POST, "/v1/agents/{number}:forward", API_SCOPE_ROW, "agent"},
    {API_POST, "/v1/agents/{number}:forward-off", API_SCOPE_ROW, "agent"},
    {API_GET, "/v1/forwards", API_SCOPE_OPEN, NULL},
    {API_GET, "/v1/forwards/{name}", API_SCOPE_ROW, "forward"},
    {API_POST, "/v1/agents/{number}:next-to", API_SCOPE_ROW, "agent"},
    {API_POST, "/v1/agents/{number}:cancel-next", API_SCOPE_ROW, "agent"},
    {API_GET, "/v1/agent-states", API_SCOPE_OPEN, NULL},
    {API_GET, "/v1/agent-states/{name}", API_SCOPE_OPEN, NULL},
    {API_GET, "/v1/agent-groups", API_SCOPE_OPEN, NULL},
    {API_GET, "/v1/agent-groups/{name}", API_SCOPE_ROW, "agent_group"},
    {API_GET, "/v1/queues", API_SCOPE_OPEN, NULL},
    {API_GET, "/v1/queues/{name}", API_SCOPE_QUEUE, NULL},
    {API_GET, "/v1/queues/{name}/status", API_SCOPE_QUEUE, NULL},
    {API_GET, "/v1/queues/{name}/agents/{number}/explanation", API_SCOPE_QUEUE, NULL},
    {API_POST, "/v1/queues/{name}:next-to", API_SCOPE_QUEUE, NULL},
    {API_GET, "/v1/calls", API_SCOPE_OPEN, NULL},
    {API_GET, "/v1/calls/{call_id}", API_SCOPE_ROW, "call"},
    {API_GET, "/v1/calls/{call_id}/explanation", API_SCOPE_ROW, "call"},
    {API_PATCH, "/v1/calls/{call_id}", API_SCOPE_ROW, "call"},
    {API_POST, "/v1/calls/{call_id}:hangup", API_SCOPE_ROW, "call"},
    {API_POST, "/v1/calls/{call_id}:listen", API_SCOPE_ROW, "call"},
    {API_POST, "/v1/calls/{call_id}:whisper", API_SCOPE_ROW, "call"},
    {API_POST, "/v1/calls/{call_id}:barge", API_SCOPE_ROW, "call"},
    {API_POST, "/v1/calls/{call_id}:take-over", API_SCOPE_ROW, "call"},
    {API_POST, "/v1/calls/{call_id}:hold", API_SCOPE_ROW, "call"},
    {API_POST, "/v1/calls/{call_id}:resume", API_SCOPE_ROW, "call"},
    {API_POST, "/v1/calls/{call_id}:mute", API_SCOPE_ROW, "call"},
    {API_POST, "/v1/calls/{call_id}:unmute", API_SCOPE_ROW, "call"},
    {API_POST, "/v1/calls/{call_id}:answer", API_SCOPE_ROW, "call"},
    {API_POST, "/v1/calls/{call_id}:pickup", API_SCOPE_ROW, "call"},
    {API_POST, "/v1/calls/{call_id}:transfer", API_SCOPE_ROW, "call"},
    {API_POST, "/v1/calls/{call_id}:consult", API_SCOPE_ROW, "call"},
    {API_POST, "/v1/calls/{call_id}:toggle", API_SCOPE_ROW, "call"},
    {API_POST, "/v1/calls/{call_id}:complete", API_SCOPE_ROW, "call"},
    {API_POST, "/v1/calls/{call_id}:cancel", API_SCOPE_ROW, "call"},
    {API_POST, "/v1/calls/{call_id}:conference", API_SCOPE_ROW, "call"},
    {API_POST, "/v1/calls/{call_id}:drop", API_SCOPE_ROW, "call"},
    {API_POST, "/v1/calls/{call_id}:pause-recording", API_SCOPE_ROW, "call"},
    {API_POST, "/v1/calls/{call_id}:resume-recording", API_SCOPE_ROW, "call"},
    {API_GET, "/v1/callbacks", API_SCOPE_OPEN, NULL},
    {API_POST, "/v1/callbacks", API_SCOPE_BODY, NULL},
    {API_GET, "/v1/callbacks/{callback_id}", API_SCOPE_ROW, "callback"},
    {API_DELETE, "/v1/callbacks/{callback_id}", API_SCOPE_ROW, "callback"},
    {API_GET, "/v1/cdrs", API_SCOPE_OPEN, NULL},
    {API_GET, "/v1/cdrs/{call_id}", API_SCOPE_ROW, "cdr"},
    {API_POST, "/v1/cdrs/{call_id}:call-back", API_SCOPE_ROW, "cdr"},
    {API_GET, "/v1/missed", API_SCOPE_OPEN, NULL},
    {API_GET, "/v1/missed/counts", API_SCOPE_OPEN, NULL},
    {API_GET, "/v1/ratings", API_SCOPE_OPEN, NULL},
    {API_GET, "/v1/messages", API_SCOPE_OPEN, NULL},
    {API_GET, "/v1/messages/{message_id}", API_SCOPE_ROW, "message"},
    {API_GET, "/v1/messages/{message_id}/audio", API_SCOPE_ROW, "message"},
    {API_PATCH, "/v1/messages/{message_id}", API_SCOPE_ROW, "message"},
    {API_DELETE, "/v1/messages/{message_id}", API_SCOPE_ROW, "message"},
    {API_POST, "/v1/messages/{message_id}:call-back", API_SCOPE_ROW, "message"},
    {API_GET, "/v1/recordings", API_SCOPE_OPEN, NULL},
    {API_GET, "/v1/recordings/archive", API_SCOPE_OPEN, NULL},
    {API_GET, "/v1/recordings/{recording_id}", API_SCOPE_ROW, "recording"},
    {API_GET, "/v1/recordings/{recording_id}/audio", API_SCOPE_ROW, "recording"},
    {API_GET, "/v1/events", API_SCOPE_OPEN, NULL},
    {API_GET, "/v1/live", API_SCOPE_OPEN, NULL},
    {API_GET, "/v1/live/agents", API_SCOPE_OPEN, NULL},
    {API_GET, "/v1/live/waiting", API_SCOPE_OPEN, NULL},
    {API_GET, "/v1/live/queues", API_SCOPE_OPEN, NULL},
};
const unsigned api_n_scope_rules = sizeof api_scope_rules / sizeof api_scope_rules[0];

static const struct api_scope_rule *rule_of(const struct api_route *r)
{
    for (size_t i = 0; i < api_n_scope_rules; i++)
        if (api_scope_rules[i].method == r->method && strcmp(api_scope_rules[i].path, r->path) == 0)
            return &api_scope_rules[i];
    return NULL;
}

static void refuse(struct api_request *q, const char *kind, const char *name, const char *what)
{
    struct err_info info;
    err_set(&info, ERR_DENIED, "", "agent %.40s does not manage %s %.64s: %s", view_scope_agent(q->scope), kind, name,
            what);
    api_fail_status(q, 403, &info);
}

bool api_scope_admits(struct api_request *q)
{
    if (rule_of(q->route))
        return true;
    struct err_info info;
    err_set(&info, ERR_DENIED, "", "this is not for supervisors (agent %.40s): it takes a token of role %s",
            view_scope_agent(q->scope), q->route->role == API_ROLE_ADMIN ? "admin" : "read or admin");
    api_fail_status(q, 403, &info);
    return false;
}

static bool queue_holds(struct api_request *q, const char *queue)
{
    if (view_scope_queue(q->scope, queue))
        return true;
    refuse(q, "queue", queue, "it is none of the agent's manages_queues");
    return false;
}

/* What is not there at all is for the handler to say. */
static bool row_holds(struct api_request *q, const char *kind)
{
    const struct view_query vq = {.kind = kind, .key = q->params[0]};
    struct err_info info = {.code = 0};
    json_t *row = NULL;
    int err = api_view_try(q, &vq, &row, &info);
    bool holds = !err && view_scope_row(q->scope, kind, row);
    json_decref(row);
    if (err && err != ERR_NOTFOUND)
        api_fail(q, &info);
    else if (!err && !holds)
        refuse(q, kind, q->params[0],
               strcmp(kind, "agent") == 0         ? "neither the group nor a queue of that agent is managed"
               : strcmp(kind, "agent_group") == 0 ? "it is none of the agent's manages_groups"
                                                  : "no queue and no agent of it is managed");
    return holds || err == ERR_NOTFOUND;
}

bool api_scope_holds(struct api_request *q)
{
    const struct api_scope_rule *r = q->scope ? rule_of(q->route) : NULL;
    if (!r || r->what == API_SCOPE_OPEN)
        return true;
    if (r->what == API_SCOPE_QUEUE)
        return queue_holds(q, q->params[0]);
    if (r->what == API_SCOPE_ROW)
        return row_holds(q, r->kind);
    const char *queue = json_string_value(json_object_get(q->json, "queue"));
    return queue_holds(q, queue ? queue : "");
}
