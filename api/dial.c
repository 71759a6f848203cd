/* Click to dial: an agent's telephone first, then the other side; and calling back the other party of a call that is over. */
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/mem.h"
#include "core/config_json.h"

static const char *text_of(const json_t *o, const char *key)
{
    const char *v = json_string_value(json_object_get(o, key));
    return v ? v : "";
}

/* Answers and returns false when the body has a field that is not in `names` (NULL-terminated), or one other than data that is no text. */
static bool texts_only(struct api_request *q, const char *const *names)
{
    const char *key;
    json_t *value;
    json_object_foreach(q->json, key, value)
    {
        bool known = false;
        for (size_t i = 0; names[i]; i++)
            known = known || strcmp(key, names[i]) == 0;
        if (known && (json_is_string(value) || strcmp(key, "data") == 0))
            continue;
        api_fail_code(q, ERR_INVAL, key, "%s", known ? "must be text" : "unknown field");
        return false;
    }
    return true;
}

static void on_dialled(struct api_request *q, const struct api_result *r)
{
    if (r->code)
        api_fail_result(q, r);
    else
        api_reply(q, 202, r->json_text ? json_loads(r->json_text, 0, NULL) : NULL);
}

struct dial {
    const char *agent, *number, *to_agent, *to_extension, *caller_id;
    bool outside;
    uint64_t of_call;
    const json_t *known; /* customer, notes, data among other things: of whom he calls */
};

static bool knows(const struct dial *d)
{
    return text_of(d->known, "customer")[0] || text_of(d->known, "notes")[0] ||
           json_object_size(json_object_get(d->known, "data"));
}

/* False: out of memory. */
static bool fill_known(Ev__AgentDial *m, const struct dial *d)
{
    if (!knows(d))
        return true;
    m->known = malloc(sizeof *m->known);
    if (!m->known)
        return false;
    ev__call_data__init(m->known);
    json_t *o = json_object();
    static const char *const names[] = {"customer", "notes", "data"};
    bool good = o != NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && good; i++) {
        json_t *v = json_object_get(d->known, names[i]);
        good = (!json_is_string(v) && !json_is_object(v)) || json_object_set(o, names[i], v) == 0;
    }
    good = good && api_fill_call_data(m->known, o);
    json_decref(o);
    return good;
}

static void propose(struct api_request *q, const struct dial *d)
{
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_AGENT_DIAL);
    Ev__AgentDial *m = cmd ? malloc(sizeof *m) : NULL;
    if (!m) {
        free(cmd);
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
        return;
    }
    ev__agent_dial__init(m);
    cmd->agent_dial = m;
    m->outside = d->outside;
    m->of_call = d->of_call;
    char **const fields[] = {&m->agent, &m->number, &m->to_agent, &m->to_extension, &m->caller_id};
    const char *const texts[] = {d->agent, d->number, d->to_agent, d->to_extension, d->caller_id};
    bool good = fill_known(m, d);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        good &= (*fields[i] = mem_strdup(texts[i])) != NULL;
    if (good) {
        api_command(q, cmd, on_dialled);
        return;
    }
    ev__command__free_unpacked(cmd, NULL);
    api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
}

void api_agent_dial(struct api_request *q)
{
    static const char *const names[] = {"number", "agent", "extension", "caller_id", "customer", "notes", "data", NULL};
    if (!texts_only(q, names) || !api_check_data(q, json_object_get(q->json, "data")))
        return;
    const struct dial d = {.agent = q->params[0],
                           .number = text_of(q->json, "number"),
                           .to_agent = text_of(q->json, "agent"),
                           .to_extension = text_of(q->json, "extension"),
                           .caller_id = text_of(q->json, "caller_id"),
                           .known = q->json};
    propose(q, &d);
}

/* ---- calling back */

/* Whether this telephone made the call: the agent is there now, or it is his. */
static bool called_himself(const json_t *agent, const json_t *record)
{
    const char *caller = text_of(record, "extension");
    return caller[0] && (strcmp(caller, text_of(agent, "extension_in_use")) == 0 ||
                         strcmp(caller, text_of(agent, "extension")) == 0);
}

static bool view_of(struct api_request *q, const char *kind, const char *key, json_t **out)
{
    struct view_query vq = {.kind = kind, .key = key};
    return api_view(q, &vq, out);
}

/* The number outside that was called: a telephone has dialled the prefix before it. */
static const char *number_outside(struct api_request *q, const json_t *record, const json_t **held)
{
    const char *called = text_of(record, "called"), *answered = text_of(record, "answered_by");
    json_t *parameter = NULL;
    struct err_info info = {.code = 0};
    struct view_query vq = {.kind = "parameter", .key = "outside_prefix"};
    *held = NULL;
    if (answered[0])
        return answered;
    if (text_of(record, "dialled_by")[0] || api_view_try(q, &vq, &parameter, &info) != 0)
        return called;
    *held = parameter;
    const char *prefix = text_of(parameter, "value");
    size_t n = strlen(prefix);
    return strncmp(called, prefix, n) == 0 && config_is_outside(called + n) ? called + n : called;
}

void api_call_back(struct api_request *q)
{
    static const char *const names[] = {"agent", "caller_id", NULL};
    struct dial d = {.to_agent = "", .to_extension = "", .number = ""};
    json_t *record = NULL, *agent = NULL;
    const json_t *held = NULL;
    if (!texts_only(q, names) || !api_path_id(q, &d.of_call))
        return;
    d.agent = text_of(q->json, "agent");
    d.caller_id = text_of(q->json, "caller_id");
    if (!d.agent[0]) {
        api_fail_code(q, ERR_INVAL, "agent", "is required: whose telephone is rung first");
        return;
    }
    if (view_of(q, "cdr", q->params[0], &record) && view_of(q, "agent", d.agent, &agent)) {
        const char *direction = text_of(record, "direction");
        d.known = record;
        d.outside = strcmp(direction, "internal") != 0;
        d.number = strcmp(direction, "inbound") == 0    ? text_of(record, "caller")
                   : strcmp(direction, "outbound") == 0 ? number_outside(q, record, &held)
                   : called_himself(agent, record)      ? text_of(record, "called")
                                                        : text_of(record, "caller");
        if (d.outside && !config_is_outside(d.number))
            api_fail_code(q, ERR_INVAL, NULL, "the other party has shown no number that can be called");
        else
            propose(q, &d);
    }
    json_decref((json_t *)(uintptr_t)held);
    json_decref(record);
    json_decref(agent);
}

/* To the number that has left the message: one outside, but for one of ours that the agent's telephone may dial. */
void api_message_call_back(struct api_request *q)
{
    static const char *const names[] = {"agent", "caller_id", NULL};
    struct dial d = {.to_agent = "", .to_extension = "", .agent = text_of(q->json, "agent")};
    json_t *row = NULL, *record = NULL;
    struct err_info info = {.code = 0};
    if (!texts_only(q, names))
        return;
    d.caller_id = text_of(q->json, "caller_id");
    if (!d.agent[0])
        api_fail_code(q, ERR_INVAL, "agent", "is required: whose telephone is rung first");
    else if (view_of(q, "message", q->params[0], &row)) {
        const char *call_id = text_of(row, "call_id");
        struct view_query vq = {.kind = "cdr", .key = call_id};
        bool known = api_view_try(q, &vq, &record, &info) == 0;
        d.number = text_of(row, "caller");
        d.of_call = strtoull(call_id, NULL, 16);
        d.outside = !known || strcmp(text_of(record, "direction"), "inbound") == 0;
        if (d.outside && !config_is_outside(d.number))
            api_fail_code(q, ERR_INVAL, NULL, "who left it has shown no number that can be called");
        else
            propose(q, &d);
    }
    json_decref(row);
    json_decref(record);
}
