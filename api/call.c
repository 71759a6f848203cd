/* What is done with a live call: hold, mute, transfer, its end. Reading calls: rows.c; why they wait: agent.c. */
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/mem.h"

static const char *const targets[] = {"agent", "extension", "queue", "flow", "box", "number"};
#define TARGETS (sizeof targets / sizeof *targets)

static bool is_target(const char *key)
{
    bool found = false;
    for (size_t i = 0; i < TARGETS; i++)
        found |= strcmp(targets[i], key) == 0;
    return found;
}

static const char *text_of(const struct api_request *q, const char *key)
{
    const char *v = json_string_value(json_object_get(q->json, key));
    return v ? v : "";
}

static bool check_transfer(struct api_request *q)
{
    const char *key;
    json_t *value;
    unsigned given = 0;
    json_object_foreach(q->json, key, value)
    {
        bool priority = strcmp(key, "priority") == 0;
        json_int_t n = json_integer_value(value);
        const char *wrong = priority ? json_is_integer(value) && n >= 0 && n <= 1000 ? NULL : "must be 0 to 1000"
                            : !is_target(key) && strcmp(key, "leg") != 0 ? "unknown field"
                            : json_is_string(value)                      ? NULL
                                                                         : "must be text";
        if (wrong) {
            api_fail_code(q, ERR_INVAL, key, "%s", wrong);
            return false;
        }
        given += is_target(key) && json_string_length(value);
    }
    if (given != 1) {
        api_fail_code(q, ERR_INVAL, "agent", "one of agent, extension, queue, flow, box, number is required");
        return false;
    }
    if (json_object_get(q->json, "priority") && !*text_of(q, "queue")) {
        api_fail_code(q, ERR_INVAL, "priority", "is for queues");
        return false;
    }
    return true;
}

void api_on_call_done(struct api_request *q, const struct api_result *r)
{
    struct api_result said = *r;
    if (r->field && strcmp(r->field, "call_id") == 0)
        said.field = NULL; /* of the command: here it stands in the path */
    if (r->code == ERR_BUSY && r->index)
        said.code =
            ERR_CONFLICT; /* a telephone or a queue is, not we: there is nothing to be tried again in a moment */
    if (r->code)
        api_fail_result(q, &said);
    else
        api_reply(q, 202, json_pack("{s:s}", "call_id", q->params[0]));
}

void api_transfer_call(struct api_request *q)
{
    uint64_t id; /* whether it is there is for apply to say, which knows repetitions of what was done */
    if (!check_transfer(q) || !api_path_id(q, &id))
        return;
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_CALL_TRANSFER);
    Ev__CallTransfer *m = cmd ? malloc(sizeof *m) : NULL;
    bool good = m != NULL;
    if (m) {
        ev__call_transfer__init(m);
        cmd->call_transfer = m;
        m->call_id = id;
        char **const fields[] = {&m->agent, &m->extension, &m->queue, &m->flow, &m->box, &m->number};
        for (size_t i = 0; i < TARGETS; i++)
            good &= (*fields[i] = mem_strdup(text_of(q, targets[i]))) != NULL;
        good &= (m->leg = mem_strdup(text_of(q, "leg"))) != NULL;
        const json_t *priority = json_object_get(q->json, "priority");
        m->priority = priority ? 1 + (uint32_t)json_integer_value(priority) : 0;
    }
    if (good) {
        api_command(q, cmd, api_on_call_done);
        return;
    }
    if (m)
        ev__command__free_unpacked(cmd, NULL);
    else
        free(cmd);
    api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
}

/* ---- hold and mute */

/* Of a body that may have this one text and nothing else; answers what is wrong. */
static bool check_text(struct api_request *q, const char *field)
{
    const char *key;
    json_t *value;
    json_object_foreach(q->json, key, value)
    {
        bool known = strcmp(key, field) == 0;
        if (known && json_is_string(value))
            continue;
        api_fail_code(q, ERR_INVAL, key, "%s", known ? "must be text" : "unknown field");
        return false;
    }
    return true;
}

/* That field for a command whose body is m. NULL: out of memory, which is answered; both are freed. */
static char *text_named(struct api_request *q, const char *field, Ev__Command *cmd, void *m)
{
    char *text = m ? mem_strdup(text_of(q, field)) : NULL;
    if (text)
        return text;
    free(m);
    free(cmd);
    api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
    return NULL;
}

static void set_party(struct api_request *q, Ev__CallParty__Action action)
{
    uint64_t id;
    if (!check_text(q, "leg") || !api_path_id(q, &id))
        return;
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_CALL_PARTY);
    Ev__CallParty *m = cmd ? malloc(sizeof *m) : NULL;
    char *leg = text_named(q, "leg", cmd, m);
    if (!leg)
        return;
    ev__call_party__init(m);
    cmd->call_party = m;
    m->call_id = id;
    m->action = action;
    m->leg = leg;
    api_command(q, cmd, api_on_call_done);
}

void api_hold_call(struct api_request *q)
{
    set_party(q, EV__CALL_PARTY__ACTION__HOLD);
}

void api_resume_call(struct api_request *q)
{
    set_party(q, EV__CALL_PARTY__ACTION__RESUME);
}

void api_mute_call(struct api_request *q)
{
    set_party(q, EV__CALL_PARTY__ACTION__MUTE);
}

void api_unmute_call(struct api_request *q)
{
    set_party(q, EV__CALL_PARTY__ACTION__UNMUTE);
}

void api_answer_call(struct api_request *q)
{
    set_party(q, EV__CALL_PARTY__ACTION__ANSWER);
}

/* ---- pick-up */

void api_pickup_call(struct api_request *q)
{
    uint64_t id;
    if (!check_text(q, "agent"))
        return;
    if (!*text_of(q, "agent")) {
        api_fail_code(q, ERR_INVAL, "agent", "is required: whose telephone is rung");
        return;
    }
    if (!api_path_id(q, &id))
        return;
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_CALL_PICKUP);
    Ev__CallPickup *m = cmd ? malloc(sizeof *m) : NULL;
    char *agent = text_named(q, "agent", cmd, m);
    if (!agent)
        return;
    ev__call_pickup__init(m);
    m->call_id = id;
    m->agent = agent;
    cmd->call_pickup = m;
    api_command(q, cmd, api_on_call_done);
}

/* ---- the end */

void api_hangup(struct api_request *q)
{
    uint64_t id;
    if (!check_text(q, "leg") || !api_path_id(q, &id))
        return;
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_CALL_HANG_UP);
    Ev__CallHangUp *m = cmd ? malloc(sizeof *m) : NULL;
    char *leg = text_named(q, "leg", cmd, m);
    if (!leg)
        return;
    ev__call_hang_up__init(m);
    m->call_id = id;
    m->leg = leg;
    cmd->call_hang_up = m;
    api_command(q, cmd, api_on_call_done);
}
