/* Recordings of calls: held, deleted, paused while they are made. Lists and single ones are rows like any other; listening is in audio.c. */
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"

/* False and answered: there is no such recording. */
static bool find(struct api_request *q, json_t **out)
{
    struct view_query vq = {.kind = "recording", .key = q->params[0]};
    return api_view(q, &vq, out);
}

static void on_changed(struct api_request *q, const struct api_result *r)
{
    json_t *out = NULL;
    if (r->code)
        api_fail_result(q, r);
    else if (find(q, &out))
        api_reply(q, 200, out);
}

static void on_done(struct api_request *q, const struct api_result *r)
{
    if (r->code)
        api_fail_result(q, r);
    else
        api_reply_none(q, 204);
}

static void no_memory(struct api_request *q, Ev__Command *cmd)
{
    free(cmd);
    api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
}

void api_patch_recording(struct api_request *q)
{
    const json_t *hold = json_object_get(q->json, "hold");
    uint64_t id;
    if (json_object_size(q->json) != 1 || !json_is_boolean(hold)) {
        api_fail_code(q, ERR_INVAL, "hold", "is the one thing that can be changed: true or false");
        return;
    }
    if (!api_path_id(q, &id))
        return;
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_RECORDING_SET);
    Ev__RecordingSet *m = cmd ? malloc(sizeof *m) : NULL;
    if (!m) {
        no_memory(q, cmd);
        return;
    }
    ev__recording_set__init(m);
    m->id = id;
    m->hold = json_is_true(hold);
    cmd->recording_set = m;
    api_command(q, cmd, on_changed);
}

void api_delete_recording(struct api_request *q)
{
    uint64_t id;
    if (!api_path_id(q, &id))
        return;
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_RECORDING_DELETE);
    Ev__RecordingDelete *m = cmd ? malloc(sizeof *m) : NULL;
    if (!m) {
        no_memory(q, cmd);
        return;
    }
    ev__recording_delete__init(m);
    m->id = id;
    cmd->recording_delete = m;
    api_command(q, cmd, on_done);
}

static void set_paused(struct api_request *q, bool on)
{
    uint64_t id;
    if (!api_path_id(q, &id))
        return;
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_RECORDING_PAUSE);
    Ev__RecordingPause *m = cmd ? malloc(sizeof *m) : NULL;
    if (!m) {
        no_memory(q, cmd);
        return;
    }
    ev__recording_pause__init(m);
    m->call_id = id;
    m->on = on;
    cmd->recording_pause = m;
    api_command(q, cmd, on_done);
}

void api_pause_recording(struct api_request *q)
{
    set_paused(q, true);
}

void api_resume_recording(struct api_request *q)
{
    set_paused(q, false);
}
