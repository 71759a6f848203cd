/* Supervisors in calls: listening, whispering, barging in, taking over; and the next call for them. Whether the call is within what they manage
 * is for apply to say (core/core_supervise.c), whoever asks. */
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/mem.h"

static const char *text_of(const struct api_request *q, const char *key)
{
    const char *v = json_string_value(json_object_get(q->json, key));
    return v ? v : "";
}

/* Who supervises: the agent as whom a supervisor's token acts, else the one that is named. NULL and answered. */
static const char *supervisor(struct api_request *q, const char *const *fields)
{
    const char *key, *named = text_of(q, "agent");
    json_t *value;
    json_object_foreach(q->json, key, value)
    {
        bool known = false;
        for (size_t i = 0; fields[i]; i++)
            known |= strcmp(key, fields[i]) == 0;
        if (known && json_is_string(value))
            continue;
        api_fail_code(q, ERR_INVAL, key, "%s", known ? "must be text" : "unknown field");
        return NULL;
    }
    if (!q->scope && !named[0])
        api_fail_code(q, ERR_INVAL, "agent", "is required: which supervisor, whose telephone is rung");
    if (!q->scope)
        return named[0] ? named : NULL;
    const char *own = view_scope_agent(q->scope);
    if (!named[0] || strcmp(named, own) == 0)
        return own;
    struct err_info info;
    err_set(&info, ERR_DENIED, "agent", "this token acts as agent %.64s, not as %.64s", own, named);
    api_fail_status(q, 403, &info);
    return NULL;
}

void api_no_memory(struct api_request *q, Ev__Command *cmd)
{
    if (cmd)
        ev__command__free_unpacked(cmd, NULL);
    api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
}

static void supervise(struct api_request *q, Ev__CallSupervise__How how)
{
    static const char *const fields[] = {"agent", "extension", NULL};
    uint64_t id;
    const char *who = supervisor(q, fields);
    if (!who || !api_path_id(q, &id))
        return;
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_CALL_SUPERVISE);
    Ev__CallSupervise *m = cmd ? malloc(sizeof *m) : NULL;
    if (!m) {
        free(cmd);
        api_no_memory(q, NULL);
        return;
    }
    ev__call_supervise__init(m);
    cmd->call_supervise = m;
    m->call_id = id;
    m->how = how;
    m->supervisor = mem_strdup(who);
    m->extension = mem_strdup(text_of(q, "extension"));
    if (m->supervisor && m->extension)
        api_command(q, cmd, api_on_call_done);
    else
        api_no_memory(q, cmd);
}

void api_listen_call(struct api_request *q)
{
    supervise(q, EV__CALL_SUPERVISE__HOW__LISTEN);
}

void api_whisper_call(struct api_request *q)
{
    supervise(q, EV__CALL_SUPERVISE__HOW__WHISPER);
}

void api_barge_call(struct api_request *q)
{
    supervise(q, EV__CALL_SUPERVISE__HOW__BARGE);
}

void api_take_over_call(struct api_request *q)
{
    supervise(q, EV__CALL_SUPERVISE__HOW__TAKE_OVER);
}

/* ---- the next call */

static void on_next(struct api_request *q, const struct api_result *r)
{
    if (r->code)
        api_fail_result(q, r);
    else
        api_reply_none(q, 204);
}

static void send_next(struct api_request *q, const char *who, const char *queue, const char *agent)
{
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_AGENT_NEXT);
    Ev__AgentNext *m = cmd ? malloc(sizeof *m) : NULL;
    if (!m) {
        free(cmd);
        api_no_memory(q, NULL);
        return;
    }
    ev__agent_next__init(m);
    cmd->agent_next = m;
    m->supervisor = mem_strdup(who);
    m->queue = mem_strdup(queue);
    m->agent = mem_strdup(agent);
    if (m->supervisor && m->queue && m->agent)
        api_command(q, cmd, on_next);
    else
        api_no_memory(q, cmd);
}

static const char *const only_agent[] = {"agent", NULL};

void api_queue_next_to(struct api_request *q)
{
    const char *who = supervisor(q, only_agent);
    if (who)
        send_next(q, who, q->params[0], "");
}

void api_agent_next_to(struct api_request *q)
{
    const char *who = supervisor(q, only_agent);
    if (who)
        send_next(q, who, "", q->params[0]);
}

void api_agent_cancel_next(struct api_request *q)
{
    send_next(q, q->params[0], "", "");
}
