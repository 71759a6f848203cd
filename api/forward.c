/* Forwarding of one agent's or telephone's calls, by request: the rule that has no name of its own (core/core_forward.c). */
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/mem.h"
#include "core/config_json.h"

/* Answers and returns false when a field is not in `texts` or `others`, or when one of texts is none. */
static bool known_fields(struct api_request *q, const char *texts, const char *others)
{
    const char *key;
    json_t *value;
    json_object_foreach(q->json, key, value)
    {
        char word[64];
        (void)snprintf(word, sizeof word, " %.60s ", key);
        bool text = strstr(texts, word), known = text || strstr(others, word);
        if (known && (!text || json_is_string(value)))
            continue;
        api_fail_code(q, ERR_INVAL, key, known ? "must be text" : "unknown field");
        return false;
    }
    if (json_object_get(q->json, "when"))
        return true;
    api_fail_code(q, ERR_INVAL, "when", "is required: always, busy, no_answer or unavailable");
    return false;
}

static void on_set(struct api_request *q, const struct api_result *r)
{
    if (r->code)
        api_fail_result(q, r);
    else
        api_reply_none(q, 204);
}

static bool for_agent(const struct api_request *q)
{
    return strncmp(q->route->path, "/v1/agents/", 11) == 0;
}

static Ev__Command *command(struct api_request *q)
{
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_FORWARD_SET);
    Ev__ForwardSet *m = cmd ? malloc(sizeof *m) : NULL;
    if (!m) {
        free(cmd);
        return NULL;
    }
    ev__forward_set__init(m);
    cmd->forward_set = m;
    m->agent = mem_strdup(for_agent(q) ? q->params[0] : "");
    m->extension = mem_strdup(for_agent(q) ? "" : q->params[0]);
    m->when = api_text_of(q->json, "when");
    m->time_group = api_text_of(q->json, "time_group");
    if (m->agent && m->extension && m->when && m->time_group)
        return cmd;
    ev__command__free_unpacked(cmd, NULL);
    return NULL;
}

/* {"type", "target"}; NULL when it has been answered. */
static Ev__Action *where_to(struct api_request *q)
{
    const json_t *to = json_object_get(q->json, "to"), *type = json_object_get(to, "type"),
                 *target = json_object_get(to, "target"), *prompts = json_object_get(to, "prompts");
    if (!json_is_string(type) || (target && !json_is_string(target)) || json_array_size(prompts) > 0 ||
        json_object_size(to) > 1u + (target != NULL) + (prompts != NULL)) {
        api_fail_code(q, ERR_INVAL, "to", "is required: type and target, both text");
        return NULL;
    }
    Ev__Action *a = malloc(sizeof *a);
    if (a) {
        ev__action__init(a);
        a->type = api_text_of(to, "type");
        a->target = api_text_of(to, "target");
    }
    if (a && a->type && a->target)
        return a;
    if (a)
        ev__action__free_unpacked(a, NULL);
    api_no_memory(q, NULL);
    return NULL;
}

void api_forward(struct api_request *q)
{
    const json_t *after = json_object_get(q->json, "after_s");
    json_int_t s = json_integer_value(after);
    if (!known_fields(q, " when time_group ", " to after_s "))
        return;
    if (after && (!json_is_integer(after) || s < 1 || s > 300)) {
        api_fail_code(q, ERR_INVAL, "after_s", "must be 1 to 300");
        return;
    }
    Ev__Action *a = where_to(q);
    Ev__Command *cmd = a ? command(q) : NULL;
    if (!cmd) {
        if (a) {
            ev__action__free_unpacked(a, NULL);
            api_no_memory(q, NULL);
        }
        return;
    }
    cmd->forward_set->to = a;
    cmd->forward_set->after_s = (uint32_t)s;
    api_command(q, cmd, on_set);
}

void api_forward_off(struct api_request *q)
{
    if (!known_fields(q, " when ", ""))
        return;
    Ev__Command *cmd = command(q);
    if (cmd)
        api_command(q, cmd, on_set);
    else
        api_no_memory(q, NULL);
}
