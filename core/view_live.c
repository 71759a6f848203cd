/* What supervisors look at: agents, callers who wait, queues; each row with the times from which durations follow, none that changes by
 * itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "core/view_int.h"

static int copy(struct view *v, json_t *to, const char *as, const json_t *from, const char *field)
{
    json_t *value = json_object_get(from, field);
    view_set(v, to, as, value ? json_incref(value) : json_null());
    return v->err;
}

/* ---- agents, with whom they talk to or are rung for */

static int live_call_row(void *ctx, const struct storage_row *r)
{
    struct view *v = ctx;
    size_t len;
    const void *body = storage_row_blob(r, 0, &len);
    Ev__CallState *s = ev__call_state__unpack(NULL, len, body);
    if (!s)
        return ERR_CORRUPT;
    char key[17];
    view_id(s->call_id, key);
    json_t *o = json_object();
    view_set(v, o, "caller", view_text(s->caller));
    view_set(v, o, "called", view_text(s->called));
    view_set(v, o, "queue", view_text(s->served_queue[0] ? s->served_queue : s->queue));
    view_set(v, o, "direction", json_string(s->out_trunk[0] ? "outbound" : s->trunk[0] ? "inbound" : "internal"));
    view_set(v, o, "connected_at", view_time(s->connected_us));
    ev__call_state__free_unpacked(s, NULL);
    if (!o || v->err || map_set(&v->live_calls, key, o) != 0) {
        json_decref(o);
        return ERR_NOMEM;
    }
    return 0;
}

static int load_calls(struct view *v)
{
    if (v->has_live_calls)
        return 0;
    v->has_live_calls = true;
    return storage_reader_query(v->r, "SELECT body FROM call", NULL, 0, live_call_row, v);
}

static int live_agent_row(void *ctx, const struct storage_row *r)
{
    static const char *const same[] = {"state",    "activity", "reason",  "since",  "until",
                                       "login_at", "answered", "call_id", "queues", NULL};
    static const char *const of_call[] = {"caller", "called", "queue", "direction", "connected_at", NULL};
    struct view *v = ctx;
    size_t len;
    const char *number = storage_row_text(r, 0);
    const void *body = storage_row_blob(r, 1, &len);
    Ev__Agent *a = ev__agent__unpack(NULL, len, body);
    if (!a)
        return ERR_CORRUPT;
    json_t *o = json_object(), *now = json_object();
    int err = o && now ? view_agent_now(v, now, number) : ERR_NOMEM;
    view_set(v, o, "number", view_text(number));
    view_set(v, o, "name", view_text(a->name));
    view_set(v, o, "group", view_text(a->group));
    view_set(v, o, "type", view_text(a->type));
    ev__agent__free_unpacked(a, NULL);
    for (const char *const *f = same; *f && !err; f++)
        err = copy(v, o, *f, now, *f);
    if (!err)
        err = copy(v, o, "extension", now, "extension_in_use");
    const char *call = json_string_value(json_object_get(now, "call_id"));
    const json_t *k = call ? map_get(&v->live_calls, call) : NULL;
    json_t *with = json_object();
    for (const char *const *f = of_call; *f && k && !err; f++)
        err = copy(v, with, *f, k, *f);
    view_set(v, o, "call", k ? json_incref(with) : json_null());
    json_decref(with);
    json_decref(now);
    if (err) {
        json_decref(o);
        return err;
    }
    return view_add(v, o, number);
}

int view_list_live_agents(struct view *v)
{
    int err = load_calls(v);
    const struct storage_val vals[] = {storage_int(CFG_AGENT), storage_text(v->after)};
    return err ? err
               : storage_reader_query(v->r, "SELECT name, body FROM config WHERE kind=? AND name>? ORDER BY name", vals,
                                      2, live_agent_row, v);
}

/* ---- callers who wait, and call backs: queue by queue, in the order of service */

static int name_row(void *ctx, const struct storage_row *r)
{
    return json_array_append_new(ctx, view_text(storage_row_text(r, 0))) == 0 ? 0 : ERR_NOMEM;
}

static int waiter_row(void *ctx, const struct storage_row *r)
{
    json_t *o = ctx;
    size_t len;
    const void *body = storage_row_blob(r, 0, &len);
    Ev__CallState *s = ev__call_state__unpack(NULL, len, body);
    if (!s)
        return ERR_CORRUPT;
    json_t *agents = json_array(), *further = json_array();
    int err = agents && further ? 0 : ERR_NOMEM;
    if (!err && s->offer_id && s->offer_agent[0])
        err = json_array_append_new(agents, view_text(s->offer_agent));
    for (size_t i = 0; s->offer_id && i < s->n_rings && !err; i++)
        err = json_array_append_new(agents, view_text(s->rings[i]->agent));
    for (size_t i = 0; i < s->n_overflow && !err; i++)
        err = json_array_append_new(further, view_text(s->overflow[i]));
    if (!err)
        err = json_object_set_new(o, "caller_name", view_text(s->caller_name)) ||
              json_object_set_new(o, "called", view_text(s->called)) ||
              json_object_set_new(o, "trunk", view_text(s->trunk)) ||
              json_object_set_new(o, "language", view_text(s->language)) ||
              json_object_set_new(o, "arrived_at", view_time(s->arrived_us)) || json_object_set(o, "agents", agents) ||
              json_object_set(o, "overflow", further);
    json_decref(agents);
    json_decref(further);
    ev__call_state__free_unpacked(s, NULL);
    return err ? ERR_NOMEM : 0;
}

static json_t *waiter_json(struct view *v, const struct view_entry *e, unsigned position)
{
    json_t *o = json_object();
    char id[17];
    view_id(e->id, id);
    view_set(v, o, "call_id", json_string(id));
    view_set(v, o, "caller", view_text(e->caller));
    view_set(v, o, "caller_name", json_string(""));
    view_set(v, o, "called", json_string(""));
    view_set(v, o, "trunk", json_string(""));
    view_set(v, o, "language", json_string(""));
    view_set(v, o, "arrived_at", json_null());
    view_set(v, o, "agents", json_array());
    view_set(v, o, "overflow", json_array());
    view_set(v, o, "queue", view_text(e->queue));
    view_set(v, o, "position", position ? json_integer(position) : json_null());
    view_set(v, o, "type", json_string(e->callback ? "callback" : e->vip ? "vip" : "caller"));
    view_set(v, o, "priority", json_integer(e->priority));
    view_set(v, o, "queued_at", view_time(e->queued_us));
    view_set(v, o, "state", json_string(core_call_phase_name((enum core_call_phase)e->phase)));
    const struct storage_val val = storage_int(e->id);
    int err =
        o ? storage_reader_query(v->r, "SELECT body FROM call WHERE call_id=?", &val, 1, waiter_row, o) : ERR_NOMEM;
    v->err = v->err ? v->err : err;
    return o;
}

static int queue_waiters(struct view *v, const char *queue)
{
    struct view_entry *e = NULL;
    size_t n = 0;
    unsigned place = 0;
    int rc = view_queue_entries(v, queue, &e, &n);
    for (size_t i = 0; i < n && !rc; i++) {
        bool waits = e[i].phase == CORE_CALL_WAITING;
        place += waits;
        char key[160]; /* a cursor leads on from this place of the queue, whoever has come or gone meanwhile */
        (void)snprintf(key, sizeof key, "%s %08zu", queue, i);
        if (strcmp(e[i].queue, queue) == 0 && strcmp(key, v->after) > 0)
            rc = view_add(v, waiter_json(v, &e[i], waits ? place : 0), key);
    }
    free(e);
    return rc;
}

int view_list_live_waiting(struct view *v)
{
    json_t *queues = json_array();
    const struct storage_val kind = storage_int(CFG_QUEUE);
    int rc = queues ? storage_reader_query(v->r, "SELECT name FROM config WHERE kind=? ORDER BY name", &kind, 1,
                                           name_row, queues)
                    : ERR_NOMEM;
    char first[64]; /* of the cursor */
    (void)snprintf(first, sizeof first, "%.*s", (int)strcspn(v->after, " "), v->after);
    const char *only = view_filter(v, "queue");
    for (size_t i = 0; i < json_array_size(queues) && !rc; i++) {
        const char *name = json_string_value(json_array_get(queues, i));
        if (strcmp(name, first) >= 0 && (!only || strcmp(name, only) == 0))
            rc = queue_waiters(v, name);
    }
    json_decref(queues);
    return rc;
}

/* ---- queues */

static int live_queue_row(void *ctx, const struct storage_row *r)
{
    static const char *const same[] = {"waiting", "estimated_wait_s", NULL};
    struct view *v = ctx;
    size_t len;
    const char *name = storage_row_text(r, 0);
    const void *body = storage_row_blob(r, 1, &len);
    Ev__Queue *q = ev__queue__unpack(NULL, len, body);
    if (!q)
        return ERR_CORRUPT;
    json_t *o = json_object(), *now = json_object();
    int err = o && now ? view_queue_now(v, now, q) : ERR_NOMEM;
    view_set(v, o, "name", view_text(name));
    view_set(v, o, "display_name", view_text(q->display_name));
    view_set(v, o, "members", json_integer((json_int_t)q->n_members));
    for (const char *const *f = same; *f && !err; f++)
        err = copy(v, o, *f, now, *f);
    unsigned in[CORE_AGENT_WRAP_UP + 1] = {0};
    for (size_t i = 0; i < q->n_members; i++)
        in[view_agent_state(v, q->members[i]->agent)]++;
    for (int s = CORE_AGENT_LOGGED_OUT; s <= CORE_AGENT_WRAP_UP; s++)
        view_set(v, o, core_agent_state_name((enum core_agent_state)s), json_integer(in[s]));
    /* the oldest caller, not the first in the line */
    const char *oldest = NULL;
    json_t *entries = json_object_get(now, "entries");
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *e = json_array_get(entries, i);
        const char *at = json_string_value(json_object_get(e, "queued_at"));
        if (at && !json_is_true(json_object_get(e, "callback")) && (!oldest || strcmp(at, oldest) < 0))
            oldest = at;
    }
    view_set(v, o, "waiting_since", oldest ? json_string(oldest) : json_null());
    json_decref(now);
    ev__queue__free_unpacked(q, NULL);
    if (err) {
        json_decref(o);
        return err;
    }
    return view_add(v, o, name);
}

int view_list_live_queues(struct view *v)
{
    const struct storage_val vals[] = {storage_int(CFG_QUEUE), storage_text(v->after)};
    return storage_reader_query(v->r, "SELECT name, body FROM config WHERE kind=? AND name>? ORDER BY name", vals, 2,
                                live_queue_row, v);
}
