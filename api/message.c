/* Messages that callers have left: marked, deleted. Lists and single ones are rows like any other; listening is in audio.c. Whether the message is
 * there is for apply to say, which knows repetitions of what was done. */
#include <stdlib.h>

#include "api/api_int.h"

void api_patch_message(struct api_request *q)
{
    uint64_t id;
    bool heard;
    Ev__MessageSet *m;
    if (!api_patch_bool(q, "heard", &heard) || !api_path_id(q, &id))
        return;
    Ev__Command *cmd = api_command_with(q, EV__COMMAND__BODY_MESSAGE_SET, sizeof *m, (void **)&m);
    if (!cmd)
        return;
    ev__message_set__init(m);
    m->id = id;
    m->heard = heard;
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
