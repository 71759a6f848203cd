/* Messages that callers have left: marked, deleted. Lists and single ones are rows like any other; listening is in audio.c. */
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"

/* False and answered: there is no such message. */
static bool find(struct api_request *q, json_t **out)
{
    struct view_query vq = {.kind = "message", .key = q->params[0]};
    return api_view(q, &vq, out);
}

/* ---- changing: whether the message is there is for apply to say, which knows repetitions of what was done */

static void on_marked(struct api_request *q, const struct api_result *r)
{
    json_t *out = NULL;
    if (r->code)
        api_fail_result(q, r);
    else if (find(q, &out))
        api_reply(q, 200, out);
}

static void submit(struct api_request *q, Ev__Command *cmd, ProtobufCMessage *body, api_resume_fn *resume)
{
    if (cmd && body) {
        api_command(q, cmd, resume);
        return;
    }
    free(cmd);
    free(body);
    api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
}

void api_patch_message(struct api_request *q)
{
    const json_t *heard = json_object_get(q->json, "heard");
    uint64_t id;
    if (json_object_size(q->json) != 1 || !json_is_boolean(heard)) {
        api_fail_code(q, ERR_INVAL, "heard", "is the one thing that can be changed: true or false");
        return;
    }
    if (!api_path_id(q, &id))
        return;
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_MESSAGE_SET);
    Ev__MessageSet *m = cmd ? malloc(sizeof *m) : NULL;
    if (m) {
        ev__message_set__init(m);
        m->id = id;
        m->heard = json_is_true(heard);
        cmd->message_set = m;
    }
    submit(q, cmd, m ? &m->base : NULL, on_marked);
}

void api_delete_message(struct api_request *q)
{
    uint64_t id;
    if (!api_path_id(q, &id))
        return;
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_MESSAGE_DELETE);
    Ev__MessageDelete *m = cmd ? malloc(sizeof *m) : NULL;
    if (m) {
        ev__message_delete__init(m);
        m->id = id;
        cmd->message_delete = m;
    }
    submit(q, cmd, m ? &m->base : NULL, api_on_removed);
}
