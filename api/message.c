/* Messages that callers have left: marked, given a note, deleted. Lists and single ones are rows like any other; listening is in audio.c, calling back
 * in dial.c. Whether the message is there is for apply to say, which knows repetitions of what was done. */
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/mem.h"

/* Answers and returns false: something in it is not a change of a message. */
static bool check_patch(struct api_request *q)
{
    const char *key;
    json_t *value;
    json_object_foreach(q->json, key, value)
    {
        bool heard = strcmp(key, "heard") == 0, note = strcmp(key, "note") == 0;
        if ((heard && json_is_boolean(value)) || (note && json_is_string(value)))
            continue;
        api_fail_code(q, ERR_INVAL, key, "%s",
                      heard  ? "must be true or false"
                      : note ? "must be text"
                             : "unknown field");
        return false;
    }
    if (json_object_size(q->json))
        return true;
    api_fail_code(q, ERR_INVAL, "heard", "one of heard, note is needed");
    return false;
}

void api_patch_message(struct api_request *q)
{
    uint64_t id;
    Ev__MessageSet *m;
    if (!check_patch(q) || !api_path_id(q, &id))
        return;
    const json_t *heard = json_object_get(q->json, "heard"), *note = json_object_get(q->json, "note");
    char *text = note ? mem_strdup(json_string_value(note)) : NULL;
    if (note && !text) {
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
        return;
    }
    Ev__Command *cmd = api_command_with(q, EV__COMMAND__BODY_MESSAGE_SET, sizeof *m, (void **)&m);
    if (!cmd) {
        free(text);
        return;
    }
    ev__message_set__init(m);
    m->id = id;
    m->heard = json_is_true(heard);
    m->only_note = !heard;
    m->has_note = text != NULL;
    m->note = text ? text : m->note;
    cmd->message_set = m;
    api_command(q, cmd, api_on_row_changed);
}

void api_delete_message(struct api_request *q)
{
    uint64_t id;
    Ev__MessageDelete *m;
    Ev__Command *cmd =
        api_path_id(q, &id) ? api_command_with(q, EV__COMMAND__BODY_MESSAGE_DELETE, sizeof *m, (void **)&m) : NULL;
    if (!cmd)
        return;
    ev__message_delete__init(m);
    m->id = id;
    cmd->message_delete = m;
    api_command(q, cmd, api_on_removed);
}
