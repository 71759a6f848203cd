/* Call backs that somebody asks for, or that are not wanted any more. Reading them: rows.c. */
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/mem.h"
#include "core/config_json.h"

static Ev__CallBackSet *new_set(Ev__Command **cmd)
{
    Ev__CallBackSet *m = malloc(sizeof *m);
    *cmd = m ? api_command_new(EV__COMMAND__BODY_CALL_BACK_SET) : NULL;
    if (!*cmd) {
        free(m);
        return NULL;
    }
    ev__call_back_set__init(m);
    (*cmd)->call_back_set = m;
    return m;
}

/* ---- a new one */

/* Answers and returns false when a field is none, or not what it must be. */
static bool check_fields(struct api_request *q, uint64_t *due_us)
{
    static const char *const texts[] = {"queue", "number", "due_at", "note", NULL};
    const char *key;
    json_t *value;
    json_object_foreach(q->json, key, value)
    {
        size_t i = 0;
        while (texts[i] && strcmp(texts[i], key) != 0)
            i++;
        bool priority = strcmp(key, "priority") == 0;
        json_int_t n = json_integer_value(value);
        const char *wrong = priority    ? json_is_integer(value) && n >= 0 && n <= 1000 ? NULL : "must be 0 to 1000"
                            : !texts[i] ? "unknown field"
                            : json_is_string(value) || (json_is_null(value) && strcmp(key, "due_at") == 0)
                                ? NULL
                                : "must be text";
        if (wrong) {
            api_fail_code(q, ERR_INVAL, key, "%s", wrong);
            return false;
        }
    }
    for (size_t i = 0; i < 2; i++) {
        const char *text = json_string_value(json_object_get(q->json, texts[i]));
        if (text && text[0])
            continue;
        api_fail_code(q, ERR_INVAL, texts[i], "is required");
        return false;
    }
    const char *due = json_string_value(json_object_get(q->json, "due_at"));
    if (due && config_parse_time(due, due_us) != 0) {
        api_fail_code(q, ERR_INVAL, "due_at", "must be a time such as 2026-03-01T09:30:00Z");
        return false;
    }
    return true;
}

static void on_added(struct api_request *q, const struct api_result *r)
{
    if (r->code) {
        api_fail_result(q, r);
        return;
    }
    json_t *answer = r->json_text ? json_loads(r->json_text, 0, NULL) : NULL, *out = NULL;
    const char *id = json_string_value(json_object_get(answer, "callback_id"));
    struct view_query vq = {.kind = "callback", .key = id ? id : ""};
    struct err_info info = {.code = 0};
    int err = api_view_try(q, &vq, &out, &info);
    snprintf(q->location, sizeof q->location, "/v1/callbacks/%s", vq.key);
    if (err == ERR_NOTFOUND) /* carried out already: an earlier request was repeated */
        api_reply(q, 200, json_pack("{s:s}", "callback_id", vq.key));
    else if (err)
        api_fail(q, &info);
    else
        api_reply(q, 201, out);
    json_decref(answer);
}

static char *text_of(const struct api_request *q, const char *name)
{
    const char *v = json_string_value(json_object_get(q->json, name));
    return mem_strdup(v ? v : "");
}

void api_add_callback(struct api_request *q)
{
    uint64_t due_us = 0;
    if (!check_fields(q, &due_us))
        return;
    Ev__Command *cmd;
    Ev__CallBackSet *m = new_set(&cmd);
    if (m) {
        m->queue = text_of(q, "queue");
        m->number = text_of(q, "number");
        m->note = text_of(q, "note");
        m->priority = (uint32_t)json_integer_value(json_object_get(q->json, "priority"));
        m->due_us = due_us;
    }
    if (!m || !m->queue || !m->number || !m->note) {
        if (m)
            ev__command__free_unpacked(cmd, NULL);
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
        return;
    }
    api_command(q, cmd, on_added);
}

/* ---- one that is not wanted any more */

void api_cancel_callback(struct api_request *q)
{
    uint64_t id; /* whether it is there is for apply to say, which knows repetitions of what was done */
    if (!api_path_id(q, &id))
        return;
    Ev__Command *cmd;
    Ev__CallBackSet *m = new_set(&cmd);
    if (!m) {
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
        return;
    }
    m->cancel = true;
    m->id = id;
    api_command(q, cmd, api_on_removed);
}
