/* More than two parties in a call: consultation, conference (core/core_join.c, core/core_merge.c). */
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/mem.h"
#include "core/core.h"

/* What a body may have; each is text. */
static bool check_fields(struct api_request *q, const char *const *known, size_t n)
{
    const char *key;
    json_t *value;
    json_object_foreach(q->json, key, value)
    {
        bool found = false;
        for (size_t i = 0; i < n; i++)
            found = found || strcmp(known[i], key) == 0;
        if (found && json_is_string(value))
            continue;
        api_fail_code(q, ERR_INVAL, key, "%s", found ? "must be text" : "unknown field");
        return false;
    }
    return true;
}

static char *text_of(const struct api_request *q, const char *key)
{
    const char *v = json_string_value(json_object_get(q->json, key));
    return mem_strdup(v ? v : "");
}

/* Gives the command away, with its body, which is complete or (good false) lacks memory. */
static void propose(struct api_request *q, Ev__Command *cmd, bool good)
{
    if (good) {
        api_command(q, cmd, api_on_call_done);
        return;
    }
    if (cmd)
        ev__command__free_unpacked(cmd, NULL);
    api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
}

/* ---- who comes */

static const char *const targets[] = {"agent", "extension", "queue", "number", "leg"};
#define TARGETS 4u
#define FIELDS (sizeof targets / sizeof *targets)

static unsigned given(const struct api_request *q)
{
    unsigned n = 0;
    for (size_t i = 0; i < TARGETS; i++)
        n += json_string_length(json_object_get(q->json, targets[i])) > 0;
    return n;
}

static void join(struct api_request *q, uint64_t id, enum core_call_mode mode)
{
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_CALL_JOIN);
    Ev__CallJoin *m = cmd ? malloc(sizeof *m) : NULL;
    bool good = m != NULL;
    if (m) {
        ev__call_join__init(m);
        cmd->call_join = m;
        m->call_id = id;
        m->mode = (uint32_t)mode;
        char **const fields[] = {&m->agent, &m->extension, &m->queue, &m->number, &m->leg};
        for (size_t i = 0; i < FIELDS; i++)
            good &= (*fields[i] = text_of(q, targets[i])) != NULL;
    } else {
        free(cmd);
        cmd = NULL;
    }
    propose(q, cmd, good);
}

void api_consult_call(struct api_request *q)
{
    uint64_t id;
    if (!check_fields(q, targets, FIELDS))
        return;
    if (given(q) != 1) {
        api_fail_code(q, ERR_INVAL, "agent", "one of agent, extension, queue, number is required");
        return;
    }
    if (api_path_id(q, &id))
        join(q, id, CORE_MODE_CONSULT);
}

static void confer(struct api_request *q, uint64_t id)
{
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_CALL_MODE);
    Ev__CallMode *m = cmd ? malloc(sizeof *m) : NULL;
    if (m) {
        ev__call_mode__init(m);
        cmd->call_mode = m;
        m->call_id = id;
        m->mode = CORE_MODE_PARTY;
    } else {
        free(cmd);
        cmd = NULL;
    }
    propose(q, cmd, m != NULL);
}

void api_conference_call(struct api_request *q)
{
    uint64_t id;
    if (!check_fields(q, targets, TARGETS))
        return;
    if (given(q) > 1) {
        api_fail_code(q, ERR_INVAL, "agent", "one of agent, extension, queue, number, or none: whoever is consulted");
        return;
    }
    if (!api_path_id(q, &id))
        return;
    if (given(q))
        join(q, id, CORE_MODE_PARTY);
    else
        confer(q, id);
}

/* ---- turning, completing, sending away */

void api_toggle_call(struct api_request *q)
{
    uint64_t id;
    if (!api_path_id(q, &id))
        return;
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_CALL_TURN);
    Ev__CallTurn *m = cmd ? malloc(sizeof *m) : NULL;
    if (m) {
        ev__call_turn__init(m);
        cmd->call_turn = m;
        m->call_id = id;
    } else {
        free(cmd);
        cmd = NULL;
    }
    propose(q, cmd, m != NULL);
}

void api_complete_call(struct api_request *q)
{
    uint64_t id;
    if (!api_path_id(q, &id))
        return;
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_CALL_MERGE);
    Ev__CallMerge *m = cmd ? malloc(sizeof *m) : NULL;
    if (m) {
        ev__call_merge__init(m);
        cmd->call_merge = m;
        m->call_id = id;
    } else {
        free(cmd);
        cmd = NULL;
    }
    propose(q, cmd, m != NULL);
}

static void drop(struct api_request *q, uint64_t id)
{
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_CALL_DROP);
    Ev__CallDrop *m = cmd ? malloc(sizeof *m) : NULL;
    if (m) {
        ev__call_drop__init(m);
        cmd->call_drop = m;
        m->call_id = id;
        m->party = text_of(q, "party");
    } else {
        free(cmd);
        cmd = NULL;
    }
    propose(q, cmd, m && m->party);
}

void api_cancel_consultation(struct api_request *q)
{
    uint64_t id;
    if (api_path_id(q, &id))
        drop(q, id);
}

void api_drop_party(struct api_request *q)
{
    static const char *const party[] = {"party"};
    uint64_t id;
    if (!check_fields(q, party, 1))
        return;
    if (!json_string_length(json_object_get(q->json, "party"))) {
        api_fail_code(q, ERR_INVAL, "party", "is required");
        return;
    }
    if (api_path_id(q, &id))
        drop(q, id);
}
