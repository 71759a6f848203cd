/* The table of endpoints. api/openapi.yaml has the same rows; a test compares them. */
#include <string.h>

#include "api/api_int.h"

#define PAGE "limit cursor consistent"
#define LIST(path, filters, kind)                                                      \
    {                                                                                  \
        API_GET, path, API_ROLE_READ, API_BODY_NONE, PAGE filters, api_list_rows, kind \
    }
#define ONE(path, kind)                                                                \
    {API_GET, path, API_ROLE_READ, API_BODY_NONE, "consistent", api_get_row, kind},    \
        {API_PUT, path, API_ROLE_ADMIN, API_BODY_JSON, "", api_put_object, kind},      \
        {API_PATCH, path, API_ROLE_ADMIN, API_BODY_MERGE, "", api_patch_object, kind}, \
    {                                                                                  \
        API_DELETE, path, API_ROLE_ADMIN, API_BODY_NONE, "", api_delete_object, kind   \
    }

const struct api_route api_routes[] = {
    {API_GET, "/v1/cluster", API_ROLE_READ, API_BODY_NONE, "consistent", api_get_cluster, NULL},
    {API_POST, "/v1/cluster:verify", API_ROLE_ADMIN, API_BODY_NONE, "", api_verify_cluster, NULL},
    {API_POST, "/v1/cluster:transfer", API_ROLE_ADMIN, API_BODY_OPTIONAL, "", api_transfer, NULL},
    {API_GET, "/v1/nodes", API_ROLE_READ, API_BODY_NONE, PAGE, api_list_nodes, "node"},
    {API_POST, "/v1/nodes", API_ROLE_ADMIN, API_BODY_JSON, "", api_add_node, NULL},
    {API_GET, "/v1/nodes/nearest", API_ROLE_READ, API_BODY_NONE, "site address transport", api_nearest_nodes, NULL},
    {API_GET, "/v1/nodes/{name}", API_ROLE_READ, API_BODY_NONE, "consistent", api_get_node, "node"},
    {API_DELETE, "/v1/nodes/{name}", API_ROLE_ADMIN, API_BODY_NONE, "", api_remove_node, NULL},
    {API_POST, "/v1/nodes/{name}:drain", API_ROLE_ADMIN, API_BODY_NONE, "", api_node_drain, NULL},
    {API_POST, "/v1/nodes/{name}:undrain", API_ROLE_ADMIN, API_BODY_NONE, "", api_node_undrain, NULL},
    {API_GET, "/v1/nodes/{name}/status", API_ROLE_READ, API_BODY_NONE, "", api_node_status, NULL},
    LIST("/v1/addresses", " home holder target state", "address"),
    {API_GET, "/v1/addresses/{ip}", API_ROLE_READ, API_BODY_NONE, "consistent", api_get_row, "address"},
    {API_POST, "/v1/addresses/{ip}:move", API_ROLE_ADMIN, API_BODY_JSON, "", api_move_address, NULL},

    LIST("/v1/extensions", " site", "extension"),
    ONE("/v1/extensions/{number}", "extension"),
    LIST("/v1/agents", " state activity group type extension", "agent"),
    ONE("/v1/agents/{number}", "agent"),
    {API_POST, "/v1/agents/{number}:login", API_ROLE_ADMIN, API_BODY_OPTIONAL, "", api_agent_login, NULL},
    {API_POST, "/v1/agents/{number}:logout", API_ROLE_ADMIN, API_BODY_NONE, "", api_agent_logout, NULL},
    {API_POST, "/v1/agents/{number}:set-state", API_ROLE_ADMIN, API_BODY_JSON, "", api_agent_set_state, NULL},
    {API_POST, "/v1/agents/{number}:dial", API_ROLE_ADMIN, API_BODY_JSON, "", api_agent_dial, NULL},
    {API_POST, "/v1/agents/{number}:forward", API_ROLE_ADMIN, API_BODY_JSON, "", api_forward, NULL},
    {API_POST, "/v1/agents/{number}:forward-off", API_ROLE_ADMIN, API_BODY_JSON, "", api_forward_off, NULL},
    {API_POST, "/v1/extensions/{number}:forward", API_ROLE_ADMIN, API_BODY_JSON, "", api_forward, NULL},
    {API_POST, "/v1/extensions/{number}:forward-off", API_ROLE_ADMIN, API_BODY_JSON, "", api_forward_off, NULL},
    {API_POST, "/v1/agents/{number}:next-to", API_ROLE_ADMIN, API_BODY_OPTIONAL, "", api_agent_next_to, NULL},
    {API_POST, "/v1/agents/{number}:cancel-next", API_ROLE_ADMIN, API_BODY_NONE, "", api_agent_cancel_next, NULL},
    LIST("/v1/agent-states", "", "agent_state"),
    ONE("/v1/agent-states/{name}", "agent_state"),
    LIST("/v1/agent-groups", "", "agent_group"),
    ONE("/v1/agent-groups/{name}", "agent_group"),
    LIST("/v1/queues", "", "queue"),
    ONE("/v1/queues/{name}", "queue"),
    {API_GET, "/v1/queues/{name}/status", API_ROLE_READ, API_BODY_NONE, "consistent", api_queue_status, NULL},
    {API_GET, "/v1/queues/{name}/agents/{number}/explanation", API_ROLE_READ, API_BODY_NONE, "consistent",
     api_explain_agent, NULL},
    {API_POST, "/v1/queues/{name}:next-to", API_ROLE_ADMIN, API_BODY_OPTIONAL, "", api_queue_next_to, NULL},
    LIST("/v1/trunks", "", "trunk"),
    ONE("/v1/trunks/{name}", "trunk"),
    LIST("/v1/networks", " site takeover", "network"),
    ONE("/v1/networks/{name}", "network"),
    LIST("/v1/access-numbers", " flow queue", "access_number"),
    ONE("/v1/access-numbers/{number}", "access_number"),
    LIST("/v1/time-groups", " zone holidays", "time_group"),
    ONE("/v1/time-groups/{name}", "time_group"),
    {API_GET, "/v1/time-groups/{name}/test", API_ROLE_READ, API_BODY_NONE, "at consistent", api_test_time_group, NULL},
    LIST("/v1/holiday-lists", "", "holiday_list"),
    ONE("/v1/holiday-lists/{name}", "holiday_list"),
    LIST("/v1/blacklist", " direction", "blacklist"),
    ONE("/v1/blacklist/{number}", "blacklist"),
    {API_GET, "/v1/blacklist/{number}/test", API_ROLE_READ, API_BODY_NONE, "direction consistent", api_test_blacklist,
     NULL},
    LIST("/v1/vips", " number queue", "vip"),
    ONE("/v1/vips/{entry}", "vip"),
    {API_GET, "/v1/vips/{number}/test", API_ROLE_READ, API_BODY_NONE, "queue consistent", api_test_vip, NULL},
    LIST("/v1/areas", " parent numbers mass", "area"),
    ONE("/v1/areas/{name}", "area"),
    LIST("/v1/notices", " areas state automatic mass", "notice"),
    ONE("/v1/notices/{name}", "notice"),
    {API_GET, "/v1/notices:test", API_ROLE_READ, API_BODY_NONE, "caller called area at consistent", api_test_notice,
     NULL},
    LIST("/v1/flows", "", "flow"),
    ONE("/v1/flows/{name}", "flow"),
    LIST("/v1/flow-drafts", "", "flow_draft"),
    ONE("/v1/flow-drafts/{name}", "flow_draft"),
    {API_GET, "/v1/flow-drafts/{name}/faults", API_ROLE_READ, API_BODY_NONE, "consistent", api_draft_faults, NULL},
    {API_POST, "/v1/flow-drafts/{name}:publish", API_ROLE_ADMIN, API_BODY_OPTIONAL, "", api_publish_flow, "flow"},
    {API_GET, "/v1/flows/{name}/diff", API_ROLE_READ, API_BODY_NONE, "from to consistent", api_diff_flow, NULL},
    LIST("/v1/prompts", "", "prompt"),
    {API_GET, "/v1/prompts/{name}", API_ROLE_READ, API_BODY_NONE, "consistent", api_get_row, "prompt"},
    {API_PUT, "/v1/prompts/{name}", API_ROLE_ADMIN, API_BODY_SOUND, "language file", api_put_prompt, "prompt"},
    {API_DELETE, "/v1/prompts/{name}", API_ROLE_ADMIN, API_BODY_NONE, "", api_delete_object, "prompt"},
    {API_POST, "/v1/prompts/{name}:say", API_ROLE_ADMIN, API_BODY_JSON, "", api_say_prompt, "prompt"},
    {API_POST, "/v1/prompts/{name}:rollback", API_ROLE_ADMIN, API_BODY_JSON, "", api_rollback_prompt, "prompt"},
    {API_GET, "/v1/prompts/{name}/audio", API_ROLE_READ, API_BODY_NONE, "language version consistent", api_prompt_audio,
     "prompt"},
    {API_GET, "/v1/flows/{name}/versions", API_ROLE_READ, API_BODY_NONE, "consistent", api_list_flow_versions, NULL},
    {API_GET, "/v1/flows/{name}/versions/{version}", API_ROLE_READ, API_BODY_NONE, "consistent", api_get_flow_version,
     NULL},
    {API_POST, "/v1/flows/{name}:rollback", API_ROLE_ADMIN, API_BODY_JSON, "", api_rollback_flow, "flow"},
    {API_POST, "/v1/flows/{name}:test", API_ROLE_READ, API_BODY_OPTIONAL, "", api_test_flow, NULL},
    {API_GET, "/v1/flows/{name}/stats", API_ROLE_READ, API_BODY_NONE, "from to by consistent", api_flow_stats, NULL},
    {API_GET, "/v1/schemas/flow", API_ROLE_READ, API_BODY_NONE, "", api_get_flow_schema, NULL},
    LIST("/v1/parameters", "", "parameter"),
    ONE("/v1/parameters/{name}", "parameter"),
    LIST("/v1/secrets", "", "secret"),
    ONE("/v1/secrets/{name}", "secret"),
    LIST("/v1/lookups", "", "lookup"),
    ONE("/v1/lookups/{name}", "lookup"),
    LIST("/v1/tokens", " role", "token"),
    ONE("/v1/tokens/{name}", "token"),

    LIST("/v1/calls", " phase owner queue agent caller called customer", "call"),
    {API_GET, "/v1/calls/{call_id}", API_ROLE_READ, API_BODY_NONE, "consistent", api_get_row, "call"},
    {API_PATCH, "/v1/calls/{call_id}", API_ROLE_ADMIN, API_BODY_MERGE, "", api_patch_call, NULL},
    {API_GET, "/v1/calls/{call_id}/explanation", API_ROLE_READ, API_BODY_NONE, "consistent", api_explain_call, NULL},
    {API_POST, "/v1/calls/{call_id}:hangup", API_ROLE_ADMIN, API_BODY_OPTIONAL, "", api_hangup, NULL},
    {API_POST, "/v1/calls/{call_id}:listen", API_ROLE_ADMIN, API_BODY_OPTIONAL, "", api_listen_call, NULL},
    {API_POST, "/v1/calls/{call_id}:whisper", API_ROLE_ADMIN, API_BODY_OPTIONAL, "", api_whisper_call, NULL},
    {API_POST, "/v1/calls/{call_id}:barge", API_ROLE_ADMIN, API_BODY_OPTIONAL, "", api_barge_call, NULL},
    {API_POST, "/v1/calls/{call_id}:take-over", API_ROLE_ADMIN, API_BODY_OPTIONAL, "", api_take_over_call, NULL},
    {API_POST, "/v1/calls/{call_id}:hold", API_ROLE_ADMIN, API_BODY_OPTIONAL, "", api_hold_call, NULL},
    {API_POST, "/v1/calls/{call_id}:resume", API_ROLE_ADMIN, API_BODY_OPTIONAL, "", api_resume_call, NULL},
    {API_POST, "/v1/calls/{call_id}:mute", API_ROLE_ADMIN, API_BODY_OPTIONAL, "", api_mute_call, NULL},
    {API_POST, "/v1/calls/{call_id}:unmute", API_ROLE_ADMIN, API_BODY_OPTIONAL, "", api_unmute_call, NULL},
    {API_POST, "/v1/calls/{call_id}:answer", API_ROLE_ADMIN, API_BODY_OPTIONAL, "", api_answer_call, NULL},
    {API_POST, "/v1/calls/{call_id}:pickup", API_ROLE_ADMIN, API_BODY_JSON, "", api_pickup_call, NULL},
    {API_POST, "/v1/calls/{call_id}:transfer", API_ROLE_ADMIN, API_BODY_JSON, "", api_transfer_call, NULL},
    {API_POST, "/v1/calls/{call_id}:consult", API_ROLE_ADMIN, API_BODY_JSON, "", api_consult_call, NULL},
    {API_POST, "/v1/calls/{call_id}:toggle", API_ROLE_ADMIN, API_BODY_NONE, "", api_toggle_call, NULL},
    {API_POST, "/v1/calls/{call_id}:complete", API_ROLE_ADMIN, API_BODY_NONE, "", api_complete_call, NULL},
    {API_POST, "/v1/calls/{call_id}:cancel", API_ROLE_ADMIN, API_BODY_NONE, "", api_cancel_consultation, NULL},
    {API_POST, "/v1/calls/{call_id}:conference", API_ROLE_ADMIN, API_BODY_OPTIONAL, "", api_conference_call, NULL},
    {API_POST, "/v1/calls/{call_id}:drop", API_ROLE_ADMIN, API_BODY_JSON, "", api_drop_party, NULL},
    {API_POST, "/v1/calls/{call_id}:pause-recording", API_ROLE_ADMIN, API_BODY_NONE, "", api_pause_recording, NULL},
    {API_POST, "/v1/calls/{call_id}:resume-recording", API_ROLE_ADMIN, API_BODY_NONE, "", api_resume_recording, NULL},
    LIST("/v1/callbacks", " queue number state", "callback"),
    {API_POST, "/v1/callbacks", API_ROLE_ADMIN, API_BODY_JSON, "", api_add_callback, NULL},
    {API_GET, "/v1/callbacks/{callback_id}", API_ROLE_READ, API_BODY_NONE, "consistent", api_get_row, "callback"},
    {API_DELETE, "/v1/callbacks/{callback_id}", API_ROLE_ADMIN, API_BODY_NONE, "", api_cancel_callback, NULL},
    LIST("/v1/cdrs",
         " from to call_id direction caller called agent queue trunk extension owner cause customer rated_agent "
         "rated_queue marked",
         "cdr"),
    {API_GET, "/v1/cdrs/{call_id}", API_ROLE_READ, API_BODY_NONE, "consistent", api_get_row, "cdr"},
    {API_POST, "/v1/cdrs/{call_id}:call-back", API_ROLE_ADMIN, API_BODY_JSON, "", api_call_back, NULL},

    LIST("/v1/missed", " kind queue agent caller reached from to", "missed"),
    LIST("/v1/missed/counts", " kind queue agent caller reached from to", "missed_count"),
    LIST("/v1/ratings", " from to rated_agent rated_queue", "rating"),
    LIST("/v1/messages", " box queue caller called call_id heard from to", "message"),
    {API_GET, "/v1/messages/{message_id}", API_ROLE_READ, API_BODY_NONE, "consistent", api_get_row, "message"},
    {API_GET, "/v1/messages/{message_id}/audio", API_ROLE_READ, API_BODY_NONE, "consistent", api_message_audio, NULL},
    {API_PATCH, "/v1/messages/{message_id}", API_ROLE_ADMIN, API_BODY_MERGE, "", api_patch_message, "message"},
    {API_DELETE, "/v1/messages/{message_id}", API_ROLE_ADMIN, API_BODY_NONE, "", api_delete_message, NULL},
    {API_POST, "/v1/messages/{message_id}:call-back", API_ROLE_ADMIN, API_BODY_JSON, "", api_message_call_back, NULL},
    LIST("/v1/mailboxes", " agents", "mailbox"),
    ONE("/v1/mailboxes/{name}", "mailbox"),

    LIST("/v1/forwards", " agent extension when time_group disabled", "forward"),
    ONE("/v1/forwards/{name}", "forward"),
    LIST("/v1/recording-rules", " queue agent agent_group access_number direction exempt", "recording_rule"),
    ONE("/v1/recording-rules/{name}", "recording_rule"),
    LIST("/v1/recordings",
         " direction caller called answered_by number agent customer queue rule hold marked min_duration_ms "
         "max_duration_ms "
         "from to",
         "recording"),
    {API_GET, "/v1/recordings/archive", API_ROLE_READ, API_BODY_NONE,
     "direction caller called answered_by number agent customer queue rule hold marked min_duration_ms max_duration_ms "
     "from to",
     api_recordings_archive, NULL},
    {API_GET, "/v1/recordings/{recording_id}", API_ROLE_READ, API_BODY_NONE, "consistent", api_get_row, "recording"},
    {API_GET, "/v1/recordings/{recording_id}/audio", API_ROLE_READ, API_BODY_NONE, "consistent format",
     api_recording_audio, NULL},
    {API_PATCH, "/v1/recordings/{recording_id}", API_ROLE_ADMIN, API_BODY_MERGE, "", api_patch_recording, "recording"},
    {API_POST, "/v1/recordings/{recording_id}:verify", API_ROLE_READ, API_BODY_NONE, "", api_verify_recording, NULL},
    {API_DELETE, "/v1/recordings/{recording_id}", API_ROLE_ADMIN, API_BODY_NONE, "", api_delete_recording, NULL},

    {API_GET, "/v1/config", API_ROLE_READ, API_BODY_NONE, "consistent format", api_export_config, NULL},
    {API_POST, "/v1/config:apply", API_ROLE_ADMIN, API_BODY_DOCUMENT, "dry_run prune", api_apply_config, NULL},
    {API_POST, "/v1/config:diff", API_ROLE_ADMIN, API_BODY_DOCUMENT, "prune", api_diff_config, NULL},
    LIST("/v1/audit", " from to actor origin node action object", "audit"),
    {API_GET, "/v1/dns/records", API_ROLE_READ, API_BODY_NONE, "domain site ttl", api_dns_records, NULL},
    {API_GET, "/v1/events", API_ROLE_READ, API_BODY_NONE, "after", api_stream_events, NULL},

    LIST("/v1/live/agents", " group type state activity queues", "live_agent"),
    LIST("/v1/live/waiting", " queue type state caller called", "live_waiting"),
    LIST("/v1/live/queues", "", "live_queue"),
    {API_GET, "/v1/live", API_ROLE_READ, API_BODY_NONE, "", api_stream_live, NULL},

    {API_GET, "/metrics", API_ROLE_NONE, API_BODY_NONE, "", api_get_metrics, NULL},
    {API_GET, "/healthz", API_ROLE_NONE, API_BODY_NONE, "", api_get_healthz, NULL},
    {API_GET, "/readyz", API_ROLE_NONE, API_BODY_NONE, "", api_get_readyz, NULL},
};
const unsigned api_n_routes = sizeof api_routes / sizeof api_routes[0];

const char *api_method_name(enum api_method m)
{
    switch (m) {
    case API_GET:
        return "GET";
    case API_POST:
        return "POST";
    case API_PUT:
        return "PUT";
    case API_PATCH:
        return "PATCH";
    case API_DELETE:
        return "DELETE";
    }
    return "";
}

/* How much of the path a parameter takes: up to '/' or ':', which no name has; but an address has colons, and takes all but what
 * follows it in the pattern. */
static size_t param_length(const char *pattern, const char *path)
{
    const char *rest = strchr(pattern, '}') + 1;
    size_t len = strcspn(path, "/"), tail = strlen(rest);
    if (strncmp(pattern, "{ip}", 4) != 0)
        return strcspn(path, "/:");
    return tail && len > tail && strcmp(path + len - tail, rest) == 0 ? len - tail : tail ? 0 : len;
}

static bool match(const char *pattern, const char *path, char params[API_PARAMS_MAX][API_PARAM_MAX])
{
    unsigned n = 0;
    while (*pattern) {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        size_t len = param_length(pattern, path);
        pattern = strchr(pattern, '}') + 1;
        if (len == 0 || len >= API_PARAM_MAX || n == API_PARAMS_MAX)
            return false;
        memcpy(params[n], path, len);
        params[n++][len] = '\0';
        path += len;
    }
    return *path == '\0';
}

int api_route_find(enum api_method method, const char *path, const struct api_route **out,
                   char params[API_PARAMS_MAX][API_PARAM_MAX], unsigned *allowed)
{
    *allowed = 0;
    for (unsigned i = 0; i < api_n_routes; i++) {
        if (!match(api_routes[i].path, path, params))
            continue;
        *allowed |= api_routes[i].method;
        if (api_routes[i].method == method) {
            *out = &api_routes[i];
            return 0;
        }
    }
    return *allowed ? ERR_UNSUPPORTED : ERR_NOTFOUND;
}
