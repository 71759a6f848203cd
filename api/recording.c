/* What is done with recordings of calls: held, deleted, verified, paused while they are made. Lists and single ones are rows like any other; listening is in
 * audio.c. */
#include <stdlib.h>

#include "api/api_int.h"

void api_patch_recording(struct api_request *q)
{
    uint64_t id;
    bool hold;
    Ev__RecordingSet *m;
    if (!api_patch_bool(q, "hold", &hold) || !api_path_id(q, &id))
        return;
    Ev__Command *cmd = api_command_with(q, EV__COMMAND__BODY_RECORDING_SET, sizeof *m, (void **)&m);
    if (!cmd)
        return;
    ev__recording_set__init(m);
    m->id = id;
    m->hold = hold;
    cmd->recording_set = m;
    api_command(q, cmd, api_on_row_changed);
}

void api_delete_recording(struct api_request *q)
{
    uint64_t id;
    Ev__RecordingDelete *m;
    Ev__Command *cmd =
        api_path_id(q, &id) ? api_command_with(q, EV__COMMAND__BODY_RECORDING_DELETE, sizeof *m, (void **)&m) : NULL;
    if (!cmd)
        return;
    ev__recording_delete__init(m);
    m->id = id;
    cmd->recording_delete = m;
    api_command(q, cmd, api_on_removed);
}

static void set_paused(struct api_request *q, bool on)
{
    uint64_t id;
    Ev__RecordingPause *m;
    Ev__Command *cmd =
        api_path_id(q, &id) ? api_command_with(q, EV__COMMAND__BODY_RECORDING_PAUSE, sizeof *m, (void **)&m) : NULL;
    if (!cmd)
        return;
    ev__recording_pause__init(m);
    m->call_id = id;
    m->on = on;
    cmd->recording_pause = m;
    api_command(q, cmd, api_on_removed);
}

void api_pause_recording(struct api_request *q)
{
    set_paused(q, true);
}

void api_resume_recording(struct api_request *q)
{
    set_paused(q, false);
}

static void on_verified(struct api_request *q, const struct api_result *r)
{
    if (r->code)
        api_fail_result(q, r);
    else
        api_reply(q, 200, json_incref(r->json));
}

void api_verify_recording(struct api_request *q)
{
    uint64_t id;
    if (api_path_id(q, &id))
        api_operation(q, API_OP_RECORDING_VERIFY, json_pack("{s:s}", "recording_id", q->params[0]), on_verified);
}
