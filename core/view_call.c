/* Live calls and nodes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "core/queue_rules.h"
#include "core/view_int.h"

/* ---- places in queues */

struct entries {
    const char *queue;
    struct acd_rules rules;
    struct view_entry *v;
    size_t n, cap;
};

/* Whether the call stands in that queue, which is not its own. */
static bool overflows_to(const Ev__CallState *s, const char *queue)
{
    if (s->phase == CORE_CALL_OFFERED)
        return strcmp(s->offer_queue, queue) == 0;
    for (size_t i = 0; i < s->n_overflow; i++) {
        if (strcmp(s->overflow[i], queue) == 0)
            return true;
    }
    return false;
}

static int add_entry(struct entries *es, const Ev__CallState *s, bool callback)
{
    if (es->n == es->cap) {
        size_t cap = es->cap ? es->cap * 2 : 64;
        void *p = realloc(es->v, cap * sizeof *es->v);
        if (!p)
            return ERR_NOMEM;
        es->v = p;
        es->cap = cap;
    }
    struct view_entry *e = &es->v[es->n++];
    memset(e, 0, sizeof *e);
    e->id = s->call_id;
    e->phase = s->phase;
    (void)snprintf(e->queue, sizeof e->queue, "%s", s->queue);
    e->priority = s->priority;
    e->front = s->front;
    e->queued_us = s->queued_us;
    (void)snprintf(e->caller, sizeof e->caller, "%s",
                   s->we_call && !s->joined && s->phase != CORE_CALL_WAITING ? s->called : s->caller);
    e->vip = s->vip;
    e->callback = callback;
    const struct acd_call call = {.enqueued_us = e->queued_us, .priority = e->priority};
    e->deadline_us = acd_deadline_us(&call, &es->rules);
    return 0;
}

static int entry_row(void *ctx, const struct storage_row *r)
{
    struct entries *es = ctx;
    size_t len;
    const void *body = storage_row_blob(r, 0, &len);
    Ev__CallState *s = ev__call_state__unpack(NULL, len, body);
    if (!s)
        return ERR_CORRUPT;
    bool there = strcmp(s->queue, es->queue) == 0 || overflows_to(s, es->queue);
    int err = there ? add_entry(es, s, s->we_call && !s->joined) : 0;
    ev__call_state__free_unpacked(s, NULL);
    return err;
}

static int callback_row(void *ctx, const struct storage_row *r)
{
    size_t len;
    const void *body = storage_row_blob(r, 0, &len);
    Ev__CallBack *m = ev__call_back__unpack(NULL, len, body);
    if (!m)
        return ERR_CORRUPT;
    int err = m->waits ? add_entry(ctx, m->waits, true) : ERR_CORRUPT;
    ev__call_back__free_unpacked(m, NULL);
    return err;
}

static int service_order(const void *a, const void *b)
{
    const struct view_entry *x = a, *y = b;
    bool xo = x->phase == CORE_CALL_OFFERED, yo = y->phase == CORE_CALL_OFFERED;
    if (xo != yo)
        return xo ? -1 : 1;
    if (x->front != y->front)
        return x->front > y->front ? -1 : 1;
    if (x->vip != y->vip)
        return x->vip ? -1 : 1;
    if (x->deadline_us != y->deadline_us)
        return x->deadline_us < y->deadline_us ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int rules_row(void *ctx, const struct storage_row *r)
{
    size_t len;
    const void *body = storage_row_blob(r, 0, &len);
    Ev__Queue *q = ev__queue__unpack(NULL, len, body);
    if (!q)
        return ERR_CORRUPT;
    *(struct acd_rules *)ctx = queue_rules(q);
    ev__queue__free_unpacked(q, NULL);
    return 0;
}

static int overflow_row(void *ctx, const struct storage_row *r)
{
    struct view *v = ctx;
    size_t len;
    const void *body = storage_row_blob(r, 0, &len);
    Ev__Queue *q = ev__queue__unpack(NULL, len, body);
    if (!q)
        return ERR_CORRUPT;
    int err = 0;
    for (size_t i = 0; i < q->n_overflow && !err; i++)
        err = view_name_add(&v->overflows, q->overflow[i]->queue, q->name);
    ev__queue__free_unpacked(q, NULL);
    return err;
}

static int load_overflows(struct view *v)
{
    if (v->has_overflows)
        return 0;
    v->has_overflows = true;
    const struct storage_val kind = storage_int(CFG_QUEUE);
    return storage_reader_query(v->r, "SELECT body FROM config WHERE kind=? ORDER BY name", &kind, 1, overflow_row, v);
}

static int callers_of(struct view *v, const char *queue, struct entries *es)
{
    const struct storage_val vals[] = {storage_int(CORE_CALL_WAITING), storage_int(CORE_CALL_OFFERED),
                                       storage_text(queue)};
    return storage_reader_query(v->r, "SELECT body FROM call WHERE phase IN (?1, ?2) AND queue=?3", vals, 3, entry_row,
                                es);
}

static int callbacks_of(struct view *v, const char *queue, struct entries *es)
{
    const struct storage_val val = storage_text(queue);
    return storage_reader_query(v->r, "SELECT body FROM callback WHERE queue=? AND call_id=0 AND due_us=0", &val, 1,
                                callback_row, es);
}

int view_queue_entries(struct view *v, const char *queue, struct view_entry **out, size_t *n)
{
    struct entries es = {.queue = queue};
    const struct storage_val name[] = {storage_int(CFG_QUEUE), storage_text(queue)};
    int err =
        storage_reader_query(v->r, "SELECT body FROM config WHERE kind=? AND name=?", name, 2, rules_row, &es.rules);
    if (err)
        return err;
    err = load_overflows(v);
    if (!err)
        err = callers_of(v, queue, &es);
    if (!err)
        err = callbacks_of(v, queue, &es);
    const json_t *others = map_get(&v->overflows, queue);
    for (size_t i = 0; i < json_array_size(others) && !err; i++)
        err = callers_of(v, json_string_value(json_array_get(others, i)), &es);
    if (err) {
        free(es.v);
        return err;
    }
    if (es.n)
        qsort(es.v, es.n, sizeof *es.v, service_order);
    *out = es.v;
    *n = es.n;
    return 0;
}

static int position_of(struct view *v, uint64_t id, const char *queue, uint32_t *out)
{
    /* the places of all callers of a queue are worked out once for each answer */
    char seen[80];
    (void)snprintf(seen, sizeof seen, "q:%s", queue);
    char key[24];
    (void)snprintf(key, sizeof key, "c:%016llx", (unsigned long long)id);
    if (!map_get(&v->positions, seen)) {
        struct view_entry *e = NULL;
        size_t n = 0;
        int err = view_queue_entries(v, queue, &e, &n);
        uintptr_t place = 0;
        for (size_t i = 0; i < n && !err; i++) {
            char k[24];
            (void)snprintf(k, sizeof k, "c:%016llx", (unsigned long long)e[i].id);
            if (e[i].phase == CORE_CALL_WAITING)
                err = map_set(&v->positions, k, (void *)++place);
        }
        free(e);
        if (!err)
            err = map_set(&v->positions, seen, v);
        if (err)
            return err;
    }
    *out = (uint32_t)(uintptr_t)map_get(&v->positions, key);
    return 0;
}

/* ---- calls */

static json_t *leg_json(struct view *v, const Ev__LegState *l)
{
    json_t *o = json_object();
    view_set(v, o, "leg_id", json_integer((json_int_t)l->id));
    view_set(v, o, "role", json_string(l->role == CORE_LEG_CALLER ? "caller" : "callee"));
    view_set(v, o, "number", view_text(l->number));
    view_set(v, o, "agent", view_text(l->agent));
    view_set(v, o, "answered", json_boolean(l->answered));
    view_set(v, o, "held", json_boolean(l->held || l->holds));
    view_set(v, o, "muted", json_boolean(l->muted));
    view_set(v, o, "codec", view_text(l->dialog ? l->dialog->codec : ""));
    view_set(v, o, "media_address", view_text(l->dialog ? l->dialog->media_address : ""));
    view_set(v, o, "remote_target", view_text(l->dialog ? l->dialog->remote_target : ""));
    return o;
}

static json_t *rung_json(struct view *v, const char *agent, const char *extension)
{
    json_t *o = json_object();
    view_set(v, o, "agent", view_text(agent));
    view_set(v, o, "extension", view_text(extension));
    return o;
}

/* Who is rung, the one first to whom `agent` of the call points. */
static json_t *ringing_json(struct view *v, const Ev__CallState *s)
{
    json_t *list = json_array();
    if (s->offer_id && json_array_append_new(list, rung_json(v, s->offer_agent, s->offer_extension)) != 0)
        v->err = ERR_NOMEM;
    for (size_t i = 0; s->offer_id && i < s->n_rings; i++) {
        if (json_array_append_new(list, rung_json(v, s->rings[i]->agent, s->rings[i]->extension)) != 0)
            v->err = ERR_NOMEM;
    }
    return list;
}

/* Whom it was for, and where it went instead. */
static json_t *forwards_json(struct view *v, const Ev__CallState *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->n_segments; i++) {
        const Ev__CallSegment *g = s->segments[i];
        if (!g->why[0])
            continue;
        json_t *o = json_object(), *to = json_object();
        view_set(v, to, "type", view_text(g->to_type));
        view_set(v, to, "target", view_text(g->to));
        view_set(v, o, "at", view_time(g->to_us));
        view_set(v, o, "agent", view_text(g->agent));
        view_set(v, o, "number", view_text(g->number));
        view_set(v, o, "why", view_text(g->why));
        view_set(v, o, "forwarded_to", to);
        if (json_array_append_new(list, o) != 0)
            v->err = ERR_NOMEM;
    }
    return list;
}

/* Of a call that is joined to this one. */
static int party_row(void *ctx, const struct storage_row *r)
{
    json_t *list = ctx, *o = json_object();
    struct view v = {0};
    size_t len;
    const void *body = storage_row_blob(r, 0, &len);
    Ev__CallState *s = ev__call_state__unpack(NULL, len, body);
    if (!s) {
        json_decref(o);
        return ERR_CORRUPT;
    }
    char id[17];
    view_id(s->call_id, id);
    const Ev__LegState *l = s->n_legs ? s->legs[0] : NULL;
    view_set(&v, o, "call_id", json_string(id));
    view_set(&v, o, "mode", json_string(core_call_mode_name((enum core_call_mode)s->mode)));
    view_set(&v, o, "phase", json_string(core_call_phase_name((enum core_call_phase)s->phase)));
    view_set(&v, o, "party", view_text(l ? l->number : s->called));
    view_set(&v, o, "agent", view_text(l ? l->agent : s->offer_agent));
    view_set(&v, o, "supervisor", s->supervisor[0] ? json_string(s->supervisor) : json_null());
    view_set(&v, o, "since", view_time(l ? s->answered_us : s->arrived_us));
    ev__call_state__free_unpacked(s, NULL);
    if (!v.err && json_array_append_new(list, o) != 0)
        v.err = ERR_NOMEM;
    return v.err;
}

static void parties_json(struct view *v, const Ev__CallState *s, json_t *o)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->n_parties && !v->err; i++) {
        const struct storage_val id = storage_int(s->parties[i]);
        int err = storage_reader_query(v->r, "SELECT body FROM call WHERE call_id=?", &id, 1, party_row, list);
        v->err = err < 0 ? err : v->err;
    }
    view_set(v, o, "parties", list);
    char joined[17], turned[17];
    view_id(s->joined, joined);
    view_id(s->turned_to, turned);
    view_set(v, o, "joined_to", s->joined ? json_string(joined) : json_null());
    view_set(v, o, "mode", s->joined ? json_string(core_call_mode_name((enum core_call_mode)s->mode)) : json_null());
    view_set(v, o, "turned_to", s->turned_to ? json_string(turned) : json_null());
    view_set(v, o, "turned_leg", s->turned_to ? json_integer(s->turned_leg) : json_null());
}

static int call_json(struct view *v, const Ev__CallState *s, json_t *o)
{
    const char *agent = s->offer_agent;
    if (!agent[0] && core_leg_served(s))
        agent = core_leg_served(s)->agent;
    char id[17];
    view_id(s->call_id, id);
    view_set(v, o, "call_id", json_string(id));
    view_set(v, o, "owner", view_text(s->owner));
    view_set(v, o, "epoch", json_integer(s->epoch));
    view_set(v, o, "phase", json_string(core_call_phase_name((enum core_call_phase)s->phase)));
    view_set(v, o, "caller", view_text(s->caller));
    view_set(v, o, "caller_name", view_text(s->caller_name));
    view_set(v, o, "called", view_text(s->called));
    view_set(v, o, "trunk", view_text(s->trunk));
    view_set(v, o, "extension", view_text(s->extension));
    view_set(v, o, "direction", json_string(core_call_direction(s)));
    view_set(v, o, "dialled_by", view_text(s->via_agent));
    view_set(v, o, "out_trunk", view_text(s->out_trunk));
    view_set(v, o, "out_caller", view_text(s->out_caller));
    view_set(v, o, "agent", view_text(agent));
    view_set(v, o, "we_call", json_boolean(s->we_call));
    char callback[17];
    view_id(s->callback, callback);
    view_set(v, o, "callback_id", s->callback ? json_string(callback) : json_null());
    view_set(v, o, "queue", view_text(s->queue));
    view_set(v, o, "flow", view_text(s->flow));
    view_set(v, o, "flow_node", view_text(s->flow_node));
    view_set(v, o, "language", view_text(s->language));
    view_set(v, o, "variables", view_variables(s->variables));
    view_set(v, o, "parted_at", view_time(s->parted_us));
    view_set(v, o, "rating", s->rating ? json_integer(s->rating) : json_null());
    view_set(v, o, "customer", view_text(s->customer));
    view_set(v, o, "notes", view_text(s->notes));
    view_set(v, o, "marked", json_boolean(s->marked));
    view_set(v, o, "data", view_variables(s->data));
    const Ev__CallNoticeState *told = s->notice && s->notice->at < s->notice->n_names ? s->notice : NULL;
    view_set(v, o, "notice", view_text(told ? told->names[told->at] : ""));
    view_set(v, o, "served_queue", view_text(s->served_queue));
    view_set(v, o, "dedicated_agent", view_text(s->dedicated));
    json_t *further = json_array();
    for (size_t i = 0; i < s->n_overflow; i++) {
        if (json_array_append_new(further, json_string(s->overflow[i])) != 0)
            v->err = ERR_NOMEM;
    }
    view_set(v, o, "overflow", further);
    uint32_t position = 0;
    if (s->phase == CORE_CALL_WAITING) {
        int err = position_of(v, s->call_id, s->queue, &position);
        if (err)
            return err;
    }
    view_set(v, o, "position", position ? json_integer(position) : json_null());
    view_set(v, o, "arrived_at", view_time(s->arrived_us));
    view_set(v, o, "answered_at", view_time(s->answered_us));
    view_set(v, o, "menu_at", view_time(s->menu_us));
    view_set(v, o, "queued_at", view_time(s->queued_us));
    view_set(v, o, "offered_at", view_time(s->offered_us));
    view_set(v, o, "connected_at", view_time(s->connected_us));
    view_set(v, o, "taken_over_at", view_time(s->taken_over_us));
    view_set(v, o, "recorded_at", view_time(s->recorded_us));
    view_set(v, o, "recording_paused", json_boolean(s->recording_paused));
    view_set(v, o, "ringing", ringing_json(v, s));
    view_set(v, o, "forwards", forwards_json(v, s));
    json_t *legs = json_array();
    for (size_t i = 0; i < s->n_legs; i++) {
        if (json_array_append_new(legs, leg_json(v, s->legs[i])) != 0)
            v->err = ERR_NOMEM;
    }
    view_set(v, o, "legs", legs);
    parties_json(v, s, o);
    return v->err;
}

static int call_row(void *ctx, const struct storage_row *r)
{
    struct view *v = ctx;
    size_t len;
    const void *body = storage_row_blob(r, 0, &len);
    Ev__CallState *s = ev__call_state__unpack(NULL, len, body);
    if (!s)
        return ERR_CORRUPT;
    json_t *o = json_object();
    char key[17];
    view_id(s->call_id, key);
    int err = o ? call_json(v, s, o) : ERR_NOMEM;
    ev__call_state__free_unpacked(s, NULL);
    if (err) {
        json_decref(o);
        return err;
    }
    return view_add(v, o, key);
}

int view_list_calls(struct view *v)
{
    uint64_t id = 0;
    const char *text = v->q->key ? v->q->key : v->after;
    if (text[0] && !view_parse_id(text, &id)) {
        if (v->q->key)
            return 0; /* no such call */
        return err_set(v->info, ERR_INVAL, "cursor", "this is not a cursor of a list of calls");
    }
    struct storage_val vals[] = {storage_int(id)};
    if (v->q->key)
        return storage_reader_query(v->r, "SELECT body FROM call WHERE call_id=?", vals, 1, call_row, v);
    /* ids without a sign: the stored negative ones are the large ones */
    return storage_reader_query(v->r,
                                "SELECT body FROM call WHERE (call_id < 0, call_id) > (?1 < 0, ?1)"
                                " ORDER BY call_id < 0, call_id",
                                vals, 1, call_row, v);
}

/* ---- service addresses */

static int address_row(void *ctx, const struct storage_row *r)
{
    struct view *v = ctx;
    const char *ip = storage_row_text(r, 0), *target = storage_row_text(r, 3), *why = storage_row_text(r, 6);
    bool bound = storage_row_int(r, 5) != 0;
    json_t *o = json_object();
    view_set(v, o, "ip", view_text(ip));
    view_set(v, o, "home", view_text(storage_row_text(r, 1)));
    view_set(v, o, "holder", view_text(storage_row_text(r, 2)));
    view_set(v, o, "target", view_text(target));
    view_set(v, o, "epoch", json_integer((json_int_t)storage_row_int(r, 4)));
    view_set(v, o, "bound", json_boolean(bound));
    view_set(v, o, "state", json_string(target[0] ? "moving" : bound ? "bound" : why[0] ? "failed" : "pending"));
    view_set(v, o, "why", view_text(why));
    char key[64];
    (void)snprintf(key, sizeof key, "%s", ip);
    return view_add(v, o, key);
}

int view_list_addresses(struct view *v)
{
    const struct storage_val vals[] = {storage_text(v->q->key ? v->q->key : v->after)};
    return storage_reader_query(
        v->r,
        v->q->key ? "SELECT ip, home, holder, target, epoch, bound, why FROM address WHERE ip=?"
                  : "SELECT ip, home, holder, target, epoch, bound, why FROM address WHERE ip>? ORDER BY ip",
        vals, 1, address_row, v);
}

/* ---- nodes */

static int text_row(void *ctx, const struct storage_row *r)
{
    return json_array_append_new(ctx, view_text(storage_row_text(r, 0)));
}

static int count_row(void *ctx, const struct storage_row *r)
{
    *(uint64_t *)ctx = storage_row_int(r, 0);
    return 0;
}

/* What a drain waits for. */
static void add_holdings(struct view *v, json_t *o, const char *name)
{
    const struct storage_val val = storage_text(name);
    uint64_t calls = 0;
    json_t *home = json_array(), *held = json_array();
    int err = home && held
                  ? storage_reader_query(v->r, "SELECT count(*) FROM call WHERE owner=?", &val, 1, count_row, &calls)
                  : ERR_NOMEM;
    if (!err)
        err = storage_reader_query(v->r, "SELECT ip FROM address WHERE home=? ORDER BY ip", &val, 1, text_row, home);
    if (!err)
        err = storage_reader_query(v->r, "SELECT ip FROM address WHERE holder=? ORDER BY ip", &val, 1, text_row, held);
    view_set(v, o, "calls", json_integer((json_int_t)calls));
    view_set(v, o, "home_addresses", home);
    view_set(v, o, "held_addresses", held);
    if (err)
        v->err = err;
}

static int node_row(void *ctx, const struct storage_row *r)
{
    struct view *v = ctx;
    size_t len;
    const void *body = storage_row_blob(r, 2, &len);
    Ev__NodeUp *m = ev__node_up__unpack(NULL, len, body);
    if (!m)
        return ERR_CORRUPT;
    json_t *o = json_object(), *sip = json_array();
    for (size_t i = 0; i < m->n_sip; i++) {
        if (json_array_append_new(sip, view_text(m->sip[i])) != 0)
            v->err = ERR_NOMEM;
    }
    view_set(v, o, "name", view_text(m->name));
    view_set(v, o, "node_id", json_integer((json_int_t)m->node_id));
    view_set(v, o, "site", view_text(m->site));
    view_set(v, o, "sip", sip);
    view_set(v, o, "https", view_text(m->https));
    view_set(v, o, "peer", view_text(m->peer));
    view_set(v, o, "version", view_text(m->version));
    view_set(v, o, "up", json_boolean(storage_row_int(r, 0) != 0));
    view_set(v, o, "since", view_time(storage_row_int(r, 1)));
    view_set(v, o, "incarnation", json_integer((json_int_t)m->incarnation));
    view_set(v, o, "draining", json_boolean(storage_row_int(r, 3) != 0));
    add_holdings(v, o, m->name);
    char name[64];
    (void)snprintf(name, sizeof name, "%s", m->name);
    ev__node_up__free_unpacked(m, NULL);
    return view_add(v, o, name);
}

int view_list_nodes(struct view *v)
{
    const struct storage_val vals[] = {storage_text(v->q->key ? v->q->key : v->after)};
    return storage_reader_query(v->r,
                                v->q->key ? "SELECT up, since_us, body, draining FROM node WHERE name=?"
                                          : "SELECT up, since_us, body, draining FROM node WHERE name>? ORDER BY name",
                                vals, 1, node_row, v);
}
