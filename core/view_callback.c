/* Who is to be called back. */
#include <string.h>

#include "core/core.h"
#include "core/view_int.h"

static json_t *callback_json(struct view *v, const Ev__CallBack *m)
{
    json_t *o = json_object();
    char id[17];
    view_id(m->id, id);
    view_set(v, o, "callback_id", json_string(id));
    view_set(v, o, "queue", view_text(m->waits->queue));
    view_set(v, o, "number", view_text(m->number));
    view_set(v, o, "name", view_text(m->waits->caller_name));
    view_set(v, o, "state", json_string(core_callback_state(m->call_id, m->due_us)));
    view_set(v, o, "priority", json_integer(m->waits->priority));
    view_set(v, o, "vip", json_boolean(m->waits->vip));
    view_set(v, o, "asked_at", view_time(m->asked_us));
    view_set(v, o, "asked_by", view_text(m->by));
    view_set(v, o, "queued_at", view_time(m->waits->queued_us));
    view_set(v, o, "due_at", view_time(m->due_us));
    view_set(v, o, "tries", json_integer(m->tries));
    view_set(v, o, "tried_at", view_time(m->tried_us));
    view_set(v, o, "tried_cause", view_text(m->tried_cause));
    if (m->call_id)
        view_id(m->call_id, id);
    view_set(v, o, "call_id", m->call_id ? json_string(id) : json_null());
    view_set(v, o, "called", view_text(m->waits->called));
    view_set(v, o, "variables", view_variables(m->waits->variables));
    view_set(v, o, "customer", view_text(m->waits->customer));
    view_set(v, o, "notes", view_text(m->waits->notes));
    view_set(v, o, "data", view_variables(m->waits->data));
    view_set(v, o, "note", view_text(m->note));
    return o;
}

static int callback_row(void *ctx, const struct storage_row *r)
{
    struct view *v = ctx;
    size_t len;
    const void *body = storage_row_blob(r, 0, &len);
    Ev__CallBack *m = ev__call_back__unpack(NULL, len, body);
    if (!m || !m->waits) {
        if (m)
            ev__call_back__free_unpacked(m, NULL);
        return ERR_CORRUPT;
    }
    char key[17];
    view_id(m->id, key);
    json_t *o = callback_json(v, m);
    ev__call_back__free_unpacked(m, NULL);
    return view_add(v, o, key);
}

int view_list_callbacks(struct view *v)
{
    uint64_t id = 0;
    const char *text = v->q->key ? v->q->key : v->after;
    if (text[0] && !view_parse_id(text, &id))
        return v->q->key ? 0 : err_set(v->info, ERR_INVAL, "cursor", "this is not a cursor of a list of call backs");
    const struct storage_val val = storage_int(id);
    return storage_reader_query(
        v->r, v->q->key ? "SELECT body FROM callback WHERE id=?" : "SELECT body FROM callback WHERE id>? ORDER BY id",
        &val, 1, callback_row, v);
}
