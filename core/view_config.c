/* Configuration objects, with what is going on at them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "core/agent_state.h"
#include "core/core_int.h"
#include "core/estimate.h"
#include "core/notice.h"
#include "core/view_int.h"

/* ---- agents */

static void add_spent(struct view *v, json_t *o, const Ev__AgentWork *w)
{
    json_t *times = json_array();
    uint64_t now = clock_wall_now().us, sum[2] = {0, 0};
    for (size_t i = 0; w && i < w->n_spent; i++) {
        const Ev__AgentSpent *e = w->spent[i];
        uint64_t us = e->us + (i + 1 == w->present && now > w->counted_us ? now - w->counted_us : 0);
        sum[e->pause] += us;
        json_t *x = json_object();
        view_set(v, x, "state", view_text(e->state));
        view_set(v, x, "reason", view_text(e->reason));
        view_set(v, x, "counts_as", json_string(e->pause ? "break" : "work"));
        view_set(v, x, "seconds", json_integer((json_int_t)(us / 1000000)));
        view_set(v, x, "times", json_integer(e->times));
        if (json_array_append_new(times, x) != 0)
            v->err = ERR_NOMEM;
    }
    view_set(v, o, "work_s", json_integer((json_int_t)(sum[0] / 1000000)));
    view_set(v, o, "break_s", json_integer((json_int_t)(sum[1] / 1000000)));
    view_set(v, o, "times", times);
}

/* What he chose to be, when his present state ends by itself, and his times. `w` NULL: nothing is known of it. */
static void add_work(struct view *v, json_t *o, const Ev__AgentWork *w, bool in, bool ready, uint64_t until_us)
{
    const char *activity = !in ? "" : ready ? "ready" : w && w->activity[0] ? w->activity : "not_ready";
    view_set(v, o, "activity", json_string(activity));
    view_set(v, o, "until", view_time(until_us));
    add_spent(v, o, w);
}

static int state_row(void *ctx, const struct storage_row *r)
{
    struct view *v = ctx;
    json_t *o = json_object();
    if (!o)
        return ERR_NOMEM;
    uint64_t call = storage_row_int(r, 6);
    char id[17] = "";
    if (call)
        view_id(call, id);
    view_set(v, o, "state", json_string(core_agent_state_name((enum core_agent_state)storage_row_int(r, 1))));
    view_set(v, o, "reason", view_text(storage_row_text(r, 2)));
    view_set(v, o, "since", view_time(storage_row_int(r, 3)));
    view_set(v, o, "login_at", view_time(storage_row_int(r, 4)));
    view_set(v, o, "extension_in_use", json_string(storage_row_text(r, 5)));
    view_set(v, o, "call_id", id[0] ? json_string(id) : json_null());
    view_set(v, o, "answered", json_integer((json_int_t)storage_row_int(r, 7)));
    enum core_agent_state s = (enum core_agent_state)storage_row_int(r, 1);
    size_t len;
    const void *body = storage_row_blob(r, 10, &len);
    Ev__AgentWork *w = len ? ev__agent_work__unpack(NULL, len, body) : NULL;
    uint64_t until = s == CORE_AGENT_WRAP_UP ? storage_row_int(r, 9) : s == CORE_AGENT_NOT_READY && w ? w->until_us : 0;
    add_work(v, o, w, s != CORE_AGENT_LOGGED_OUT, storage_row_int(r, 8) != 0, until);
    if (w)
        ev__agent_work__free_unpacked(w, NULL);
    if (map_set(&v->agent_states, storage_row_text(r, 0), o) != 0) {
        json_decref(o);
        return ERR_NOMEM;
    }
    return v->err;
}

static int load_states(struct view *v)
{
    if (v->has_states)
        return 0;
    v->has_states = true;
    return storage_reader_query(
        v->r,
        "SELECT number, state, reason, since_us, login_us, extension, call_id, answered, ready, wrap_up_until_us, work"
        " FROM agent_state",
        NULL, 0, state_row, v);
}

enum core_agent_state view_agent_state(const struct view *v, const char *number)
{
    const char *s = json_string_value(json_object_get(map_get(&v->agent_states, number), "state"));
    for (int i = CORE_AGENT_LOGGED_OUT; s && i <= CORE_AGENT_WRAP_UP; i++)
        if (strcmp(s, core_agent_state_name((enum core_agent_state)i)) == 0)
            return (enum core_agent_state)i;
    return CORE_AGENT_LOGGED_OUT;
}

int view_name_add(struct map *lists, const char *key, const char *name)
{
    json_t *list = map_get(lists, key);
    if (!list) {
        list = json_array();
        if (!list || map_set(lists, key, list) != 0) {
            json_decref(list);
            return ERR_NOMEM;
        }
    }
    return json_array_append_new(list, json_string(name)) == 0 ? 0 : ERR_NOMEM;
}

static int membership_row(void *ctx, const struct storage_row *r)
{
    struct view *v = ctx;
    size_t len;
    const void *body = storage_row_blob(r, 0, &len);
    Ev__Queue *q = ev__queue__unpack(NULL, len, body);
    if (!q)
        return ERR_CORRUPT;
    int err = 0;
    for (size_t i = 0; i < q->n_members && !err; i++)
        err = view_name_add(&v->agent_queues, q->members[i]->agent, q->name);
    ev__queue__free_unpacked(q, NULL);
    return err;
}

static int load_memberships(struct view *v)
{
    if (v->has_queues)
        return 0;
    v->has_queues = true;
    const struct storage_val kind = storage_int(CFG_QUEUE);
    return storage_reader_query(v->r, "SELECT body FROM config WHERE kind=? ORDER BY name", &kind, 1, membership_row,
                                v);
}

int view_agent_now(struct view *v, json_t *o, const char *number)
{
    int err = load_states(v);
    if (!err)
        err = load_memberships(v);
    if (err)
        return err;
    json_t *state = map_get(&v->agent_states, number);
    if (state && json_object_update(o, state) != 0)
        return ERR_NOMEM;
    if (!state) {
        view_set(v, o, "state", json_string(core_agent_state_name(CORE_AGENT_LOGGED_OUT)));
        view_set(v, o, "reason", json_string(""));
        view_set(v, o, "since", json_null());
        view_set(v, o, "login_at", json_null());
        view_set(v, o, "extension_in_use", json_string(""));
        view_set(v, o, "call_id", json_null());
        view_set(v, o, "answered", json_integer(0));
        add_work(v, o, NULL, false, false, 0);
    }
    json_t *queues = map_get(&v->agent_queues, number);
    view_set(v, o, "queues", queues ? json_incref(queues) : json_array());
    return v->err;
}

/* ---- queues */

static int history_row(void *ctx, const struct storage_row *r)
{
    struct estimate *e = ctx;
    struct estimate_history h = {0};
    size_t len;
    const void *body = storage_row_blob(r, 0, &len);
    Ev__QueueState *m = ev__queue_state__unpack(NULL, len, body);
    if (!m)
        return ERR_CORRUPT;
    core_estimate_history(&h, m);
    *e = estimate_of(&h, clock_wall_now().us, m->agents_1000);
    ev__queue_state__free_unpacked(m, NULL);
    return 0;
}

static json_t *estimated(const struct estimate *e, uint32_t place)
{
    uint32_t s = place ? estimate_wait_s(e, place) : 0;
    return s == ESTIMATE_UNKNOWN ? json_null() : json_integer(s);
}

int view_queue_now(struct view *v, json_t *o, const Ev__Queue *q)
{
    int err = load_states(v);
    if (err)
        return err;
    unsigned idle = 0, in = 0, talking = 0;
    for (size_t i = 0; i < q->n_members; i++) {
        enum core_agent_state is = view_agent_state(v, q->members[i]->agent);
        in += is != CORE_AGENT_LOGGED_OUT;
        idle += is == CORE_AGENT_IDLE;
        talking += is == CORE_AGENT_TALKING;
    }
    struct estimate reckoned = {0};
    const struct storage_val name = storage_text(q->name);
    err = storage_reader_query(v->r, "SELECT body FROM queue_state WHERE name=?", &name, 1, history_row, &reckoned);
    if (err)
        return err;
    struct view_entry *e = NULL;
    size_t n = 0;
    err = view_queue_entries(v, q->name, &e, &n);
    if (err)
        return err;
    json_t *entries = json_array();
    unsigned waiting = 0, own = 0; /* own: without those who have overflowed to it */
    uint64_t first = 0, now = clock_wall_now().us;
    for (size_t i = 0; i < n && entries; i++) {
        bool waits = e[i].phase == CORE_CALL_WAITING;
        waiting += waits;
        own += waits && strcmp(e[i].queue, q->name) == 0;
        if (!e[i].callback && (!first || e[i].queued_us < first))
            first = e[i].queued_us;
        char id[17];
        view_id(e[i].id, id);
        json_t *x = json_object();
        view_set(v, x, "call_id", json_string(id));
        view_set(v, x, "caller", view_text(e[i].caller));
        view_set(v, x, "callback", json_boolean(e[i].callback));
        view_set(v, x, "position", json_integer(waits ? (json_int_t)waiting : 0));
        view_set(v, x, "estimated_wait_s", estimated(&reckoned, waits ? waiting : 0));
        view_set(v, x, "home", json_string(e[i].queue));
        view_set(v, x, "priority", json_integer(e[i].priority));
        view_set(v, x, "vip", json_boolean(e[i].vip));
        view_set(v, x, "queued_at", view_time(e[i].queued_us));
        view_set(v, x, "state", json_string(core_call_phase_name((enum core_call_phase)e[i].phase)));
        if (json_array_append_new(entries, x) != 0)
            v->err = ERR_NOMEM;
    }
    free(e);
    view_set(v, o, "waiting", json_integer(waiting));
    view_set(v, o, "waiting_home", json_integer(own));
    view_set(v, o, "estimated_wait_s", estimated(&reckoned, waiting || !idle ? waiting + 1 : 0)); /* of who comes now */
    view_set(v, o, "available", json_integer(idle));
    view_set(v, o, "logged_in", json_integer(in));
    view_set(v, o, "talking", json_integer(talking));
    view_set(v, o, "longest_wait_ms", json_integer(first && now > first ? (json_int_t)((now - first) / 1000) : 0));
    view_set(v, o, "entries", entries);
    return v->err;
}

/* ---- extensions */

struct reg_list {
    struct view *v;
    json_t *list;
};

static int reg_row(void *ctx, const struct storage_row *r)
{
    struct reg_list *l = ctx;
    json_t *o = json_object();
    view_set(l->v, o, "uri", view_text(storage_row_text(r, 0)));
    view_set(l->v, o, "node", view_text(storage_row_text(r, 1)));
    view_set(l->v, o, "flow", view_text(storage_row_text(r, 2)));
    view_set(l->v, o, "user_agent", view_text(storage_row_text(r, 3)));
    view_set(l->v, o, "expires_at", view_time(storage_row_int(r, 4)));
    view_set(l->v, o, "events", view_text(storage_row_text(r, 5)));
    if (json_array_append_new(l->list, o) != 0)
        l->v->err = ERR_NOMEM;
    return l->v->err;
}

static int subscription_row(void *ctx, const struct storage_row *r)
{
    struct reg_list *l = ctx;
    size_t len;
    const void *body = storage_row_blob(r, 0, &len);
    Ev__Subscription *s = ev__subscription__unpack(NULL, len, body);
    if (!s || !s->is) {
        if (s)
            ev__subscription__free_unpacked(s, NULL);
        return ERR_CORRUPT;
    }
    json_t *o = json_object();
    view_set(l->v, o, "event", view_text(s->is->event));
    view_set(l->v, o, "target", view_text(s->is->target));
    view_set(l->v, o, "node", view_text(s->owner));
    view_set(l->v, o, "flow", view_text(s->is->flow));
    view_set(l->v, o, "expires_at", view_time(s->is->expires_us));
    ev__subscription__free_unpacked(s, NULL);
    if (json_array_append_new(l->list, o) != 0)
        l->v->err = ERR_NOMEM;
    return l->v->err;
}

static int add_extension(struct view *v, json_t *o, const Ev__Extension *x)
{
    struct reg_list l = {v, json_array()};
    if (!l.list)
        return ERR_NOMEM;
    view_set(v, o, "has_password", json_boolean(x->ha1_md5[0] || x->ha1_sha256[0]));
    view_set(v, o, "registrations", l.list);
    const struct storage_val number = storage_text(x->number);
    int err = storage_reader_query(
        v->r,
        "SELECT uri, node, flow, user_agent, expires_us, events FROM registration WHERE extension=?"
        " ORDER BY id DESC",
        &number, 1, reg_row, &l);
    struct reg_list s = {v, json_array()};
    if (err || !s.list)
        return err ? err : ERR_NOMEM;
    view_set(v, o, "subscriptions", s.list);
    return storage_reader_query(v->r, "SELECT body FROM subscription WHERE extension=? ORDER BY id", &number, 1,
                                subscription_row, &s);
}

/* ---- agent states: built-in ones are there without configuration */

static void add_agent_state(struct view *v, json_t *o, const Ev__AgentState *cfg, const char *name)
{
    struct agent_state s;
    if (!agent_state_get(cfg, name, &s))
        return;
    view_set(v, o, "name_zh", json_string(s.zh));
    view_set(v, o, "name_en", json_string(s.en));
    view_set(v, o, "code", json_string(s.code));
    view_set(v, o, "counts_as", json_string(s.pause ? "break" : "work"));
    view_set(v, o, "built_in", json_boolean(agent_state_find_builtin(name) != NULL));
}

static int add_builtin(struct view *v, const char *name)
{
    Ev__AgentState none = EV__AGENT_STATE__INIT;
    none.name = (char *)(uintptr_t)name;
    none.then = (char *)(uintptr_t) "logout"; /* by the limit of all states */
    json_t *o = config_to_json(CFG_AGENT_STATE, &none.base, false);
    if (!o)
        return ERR_NOMEM;
    view_set(v, o, "version", json_integer(0));
    view_set(v, o, "updated_at", json_null());
    add_agent_state(v, o, NULL, name);
    return view_add(v, o, name);
}

/* Those that the configuration does not have, in the order of names, before `name`; NULL: all that are left. */
static int add_builtins(struct view *v, const char *name)
{
    for (const struct agent_state *b; (b = agent_state_builtin(v->builtins)) != NULL; v->builtins++) {
        int beyond = name ? strcmp(b->name, name) : -1;
        if (beyond > 0)
            return 0;
        bool wanted = v->q->key ? strcmp(b->name, v->q->key) == 0 : strcmp(b->name, v->after) > 0;
        int err = beyond != 0 && wanted ? add_builtin(v, b->name) : 0;
        if (err)
            return err;
    }
    return 0;
}

static int add_vip(struct view *v, json_t *o, const char *entry)
{
    char number[NUMBER_MAX];
    view_set(v, o, "queue", json_string(config_vip_queue(entry, number)));
    view_set(v, o, "number", json_string(number));
    return v->err;
}

/* ---- notices */

static int stat_row(void *ctx, const struct storage_row *r)
{
    static const char *const names[] = {"began", "heard", "skipped", "again", "menu", "repeats", "went_on"};
    json_t *o = ctx;
    int err = json_object_set_new(o, "last_at", view_time(storage_row_int(r, 0)));
    for (int i = 0; i < 7 && !err; i++)
        err = json_object_set_new(o, names[i], json_integer((json_int_t)storage_row_int(r, 1 + i)));
    return err ? ERR_NOMEM : 0;
}

/* How often it was heard, and whether it holds now by this node's clock. */
static int add_notice(struct view *v, json_t *o, const Ev__Notice *n)
{
    uint64_t now = clock_wall_now().us, from, until;
    notice_times(n, &from, &until);
    view_set(v, o, "state",
             json_string(n->disabled    ? "disabled"
                         : now >= until ? "over"
                         : now < from   ? "later"
                                        : "now"));
    view_set(v, o, "from_at", view_time(from));
    view_set(v, o, "until_at", view_time(until == UINT64_MAX ? 0 : until));
    json_t *stats = json_pack("{s:n, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "last_at", "began", 0, "heard", 0, "skipped",
                              0, "again", 0, "menu", 0, "repeats", 0, "went_on", 0);
    const struct storage_val name = storage_text(n->name);
    int err = !stats ? ERR_NOMEM
                     : storage_reader_query(v->r,
                                            "SELECT last_us, began, heard, skipped, again, menu, repeats, went_on"
                                            " FROM notice_stat WHERE name=?",
                                            &name, 1, stat_row, stats);
    view_set(v, o, "stats", stats);
    return err ? err : v->err;
}

/* ---- all of them */

static int config_row(void *ctx, const struct storage_row *r)
{
    struct view *v = ctx;
    enum cfg_kind kind = config_kind(v->kind->name);
    const char *name = storage_row_text(r, 0);
    size_t len;
    const void *body = storage_row_blob(r, 3, &len);
    int err = kind == CFG_AGENT_STATE ? add_builtins(v, name) : 0;
    if (err)
        return err;
    ProtobufCMessage *m = protobuf_c_message_unpack(config_descriptor(kind), NULL, len, body);
    if (!m)
        return ERR_CORRUPT;
    json_t *o = config_to_json(kind, m, false);
    err = o ? 0 : ERR_NOMEM;
    if (!err) {
        view_set(v, o, "version", json_integer((json_int_t)storage_row_int(r, 1)));
        view_set(v, o, "updated_at", view_time(storage_row_int(r, 2)));
        if (kind == CFG_AGENT)
            err = view_agent_now(v, o, name);
        else if (kind == CFG_QUEUE)
            err = view_queue_now(v, o, (const Ev__Queue *)(const void *)m);
        else if (kind == CFG_MAILBOX)
            err = view_mailbox_now(v, o, name);
        else if (kind == CFG_AGENT_STATE)
            add_agent_state(v, o, (const Ev__AgentState *)(const void *)m, name);
        else if (kind == CFG_VIP)
            err = add_vip(v, o, name);
        else if (kind == CFG_NOTICE)
            err = add_notice(v, o, (const Ev__Notice *)(const void *)m);
        else if (kind == CFG_EXTENSION)
            err = add_extension(v, o, (const Ev__Extension *)(const void *)m);
    }
    protobuf_c_message_free_unpacked(m, NULL);
    if (err) {
        json_decref(o);
        return err;
    }
    return view_add(v, o, name);
}

int view_list_config(struct view *v)
{
    const struct storage_val vals[] = {storage_int(config_kind(v->kind->name)),
                                       storage_text(v->q->key ? v->q->key : v->after)};
    const char *sql = v->q->key
                          ? "SELECT name, version, updated_us, body FROM config WHERE kind=? AND name=?"
                          : "SELECT name, version, updated_us, body FROM config WHERE kind=? AND name>? ORDER BY name";
    int rc = storage_reader_query(v->r, sql, vals, 2, config_row, v);
    return rc == 0 && strcmp(v->kind->name, "agent_state") == 0 ? add_builtins(v, NULL) : rc;
}
