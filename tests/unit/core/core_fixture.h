/* A core over a database in a folder of its own, and short ways to give it commands. */
#ifndef TESTS_CORE_FIXTURE_H
#define TESTS_CORE_FIXTURE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/core.h"
#include "core/view.h"
#include "storage/storage.h"
#include "tests/folder.h"

#define FX __attribute__((unused)) static
#define US 1000000ull

struct fx {
    char dir[128];
    struct storage *st;
    struct core *c;
    uint64_t index, now, seq, incarnation;
    const char *node, *actor;
    struct core_answer last; /* json: copied, owned by the fixture */
    char events[4096];       /* names of struct core_event, joined by blanks */
};

FX void fx_temp(char *out, size_t size)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(out, size, "%s/everline-test-XXXXXX", base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(out));
}

FX void fx_on_event(void *ctx, uint64_t index, const struct core_event *ev)
{
    static const char *const names[] = {"call", "agent", "queue", "node", "config", "registration", "cdr", "digest", "address", "message",
                                        "subscription", "telephone", "delivery", "box"};
    struct fx *f = ctx;
    char one[200];
    ck_assert_uint_eq(index, storage_applied_index(f->st));
    if (ev->call_id)
        (void)snprintf(one, sizeof one, "%s:%llu ", names[ev->type], (unsigned long long)ev->call_id);
    else
        (void)snprintf(one, sizeof one, "%s:%s ", names[ev->type], ev->name);
    if (strlen(f->events) + strlen(one) < sizeof f->events)
        (void)strcat(f->events, one);
}

FX void fx_reopen(struct fx *f)
{
    struct err_info info = {0};
    if (f->c) {
        core_close(f->c);
        storage_close(f->st);
    }
    int err = storage_open(f->dir, &f->st, &info);
    ck_assert_msg(err == 0, "%s", info.text);
    const struct core_hooks hooks = {f, fx_on_event};
    err = core_open(f->st, &hooks, &f->c, &info);
    ck_assert_msg(err == 0, "%s", info.text);
    f->index = core_applied_index(f->c);
}

FX void fx_open(struct fx *f)
{
    memset(f, 0, sizeof *f);
    fx_temp(f->dir, sizeof f->dir);
    f->now = 1700000000 * US;
    f->incarnation = 1;
    f->node = "n1";
    f->actor = "node:n1";
    fx_reopen(f);
}

FX void fx_close(struct fx *f)
{
    free(f->last.json);
    f->last.json = NULL;
    core_close(f->c);
    storage_close(f->st);
    folder_remove(f->dir);
}

/* Applies as an entry of its own; returns the code. */
FX int fx_run(struct fx *f, Ev__Command *cmd)
{
    void *data;
    size_t len;
    if (!cmd->time_us)
        cmd->time_us = ++f->now; /* no two commands have the same time */
    if (!cmd->node[0])
        cmd->node = (char *)(uintptr_t)f->node;
    if (!cmd->actor[0])
        cmd->actor = (char *)(uintptr_t)f->actor;
    ck_assert_int_eq(core_pack(cmd, &data, &len), 0);
    struct core_item it = {.origin = 1, .incarnation = f->incarnation, .seq = ++f->seq, .data = data, .len = len};
    struct core_answer *a = NULL;
    f->events[0] = '\0';
    ck_assert_int_eq(core_apply(f->c, ++f->index, 1, &it, 1, &a), 0);
    ck_assert(!a->skipped);
    free(f->last.json);
    f->last = *a;
    f->last.json = a->json ? strdup(a->json) : NULL;
    core_apply_done(f->c);
    free(data);
    return f->last.code;
}

#define FX_BODY(type_case, member, var)          \
    Ev__Command cmd = EV__COMMAND__INIT;         \
    cmd.body_case = EV__COMMAND__BODY_##type_case; \
    cmd.member = &(var)

FX int fx_node_up(struct fx *f, const char *name, uint64_t id, uint64_t incarnation)
{
    Ev__NodeUp m = EV__NODE_UP__INIT;
    m.name = (char *)(uintptr_t)name;
    m.node_id = id;
    m.incarnation = incarnation;
    m.site = (char *)(uintptr_t) "default";
    m.max_feature_level = CORE_FEATURE_LEVEL;
    FX_BODY(NODE_UP, node_up, m);
    return fx_run(f, &cmd);
}

FX int fx_raise(struct fx *f, uint32_t level)
{
    Ev__FeatureLevel m = EV__FEATURE_LEVEL__INIT;
    m.level = level;
    FX_BODY(FEATURE, feature, m);
    return fx_run(f, &cmd);
}

FX int fx_node_down(struct fx *f, const char *name, uint64_t incarnation)
{
    Ev__NodeDown m = EV__NODE_DOWN__INIT;
    m.name = (char *)(uintptr_t)name;
    m.incarnation = incarnation;
    FX_BODY(NODE_DOWN, node_down, m);
    return fx_run(f, &cmd);
}

FX int fx_tick(struct fx *f)
{
    Ev__Tick m = EV__TICK__INIT;
    FX_BODY(TICK, tick, m);
    return fx_run(f, &cmd);
}

/* Much later: the nodes that are up say so, one after the other (core/core_clock.c). */
FX void fx_later(struct fx *f, uint64_t now)
{
    const char *was = f->node;
    f->now = now;
    for (const struct core_node *n = NULL; (n = core_node_next(f->c, n)) != NULL;) {
        f->node = n->name;
        if (n->up)
            ck_assert_int_eq(fx_tick(f), 0);
    }
    f->node = was;
}

/* set: JSON list of {"kind":..., object fields...}; remove: list of "kind/name"; prune: list of kinds. Single quotes allowed. */
FX int fx_config(struct fx *f, const char *set_text, const char *remove_text, const char *prune_text, const char *idem)
{
    char text[16384];
    Ev__ConfigApply m = EV__CONFIG_APPLY__INIT;
    Ev__ConfigObject *set[256];
    Ev__ConfigRef remove[64], *remove_p[64];
    char *prune[8], names[64][128];
    size_t i;
    json_t *v, *js = NULL, *jr = NULL, *jp = NULL;
    const char *in[3] = {set_text, remove_text, prune_text};
    json_t **out[3] = {&js, &jr, &jp};
    for (int k = 0; k < 3; k++) {
        if (!in[k])
            continue;
        (void)snprintf(text, sizeof text, "%s", in[k]);
        for (char *p = text; *p; p++)
            *p = *p == '\'' ? '"' : *p;
        json_error_t e;
        *out[k] = json_loads(text, 0, &e);
        ck_assert_msg(*out[k] != NULL, "%s", e.text);
    }
    json_array_foreach(js, i, v)
    {
        char kind[32];
        struct err_info info = {0};
        struct Ev__ConfigObject *o = NULL;
        (void)snprintf(kind, sizeof kind, "%s", json_string_value(json_object_get(v, "kind")));
        uint64_t if_version = (uint64_t)json_integer_value(json_object_get(v, "if_version"));
        bool create = json_is_true(json_object_get(v, "create_only"));
        (void)json_object_del(v, "kind");
        (void)json_object_del(v, "if_version");
        (void)json_object_del(v, "create_only");
        int err = view_config_from_json(kind, v, "everline", &o, &info);
        ck_assert_msg(err == 0, "%s: %s", info.field, info.text);
        set[i] = (Ev__ConfigObject *)o;
        set[i]->if_version = if_version;
        set[i]->create_only = create;
    }
    m.n_set = json_array_size(js);
    m.set = set;
    json_array_foreach(jr, i, v)
    {
        (void)snprintf(names[i], sizeof names[i], "%s", json_string_value(v));
        char *slash = strchr(names[i], '/');
        ck_assert_ptr_nonnull(slash);
        *slash = '\0';
        ev__config_ref__init(&remove[i]);
        remove[i].kind = names[i];
        remove[i].name = slash + 1;
        remove_p[i] = &remove[i];
    }
    m.n_remove = json_array_size(jr);
    m.remove = remove_p;
    json_array_foreach(jp, i, v) prune[i] = (char *)(uintptr_t)json_string_value(v);
    m.prune = jp != NULL;
    m.n_prune_kinds = json_array_size(jp);
    m.prune_kinds = prune;
    FX_BODY(CONFIG_APPLY, config_apply, m);
    cmd.idem_key = (char *)(uintptr_t)(idem ? idem : "");
    cmd.actor = (char *)(uintptr_t) "token:admin";
    int code = fx_run(f, &cmd);
    for (i = 0; i < m.n_set; i++)
        ev__config_object__free_unpacked(set[i], NULL);
    json_decref(js);
    json_decref(jr);
    json_decref(jp);
    return code;
}

FX int fx_set(struct fx *f, const char *set)
{
    return fx_config(f, set, NULL, NULL, NULL);
}

FX void fx_must_set(struct fx *f, const char *set)
{
    ck_assert_msg(fx_set(f, set) == 0, "%s: %s", f->last.field, f->last.text);
}

FX int fx_register(struct fx *f, const char *ext, const char *uri, const char *call_id, uint32_t cseq, uint64_t expires_us)
{
    Ev__RegisterBinding b = EV__REGISTER_BINDING__INIT, *list[1] = {&b};
    b.uri = (char *)(uintptr_t)uri;
    b.expires_us = expires_us;
    Ev__Register m = EV__REGISTER__INIT;
    m.extension = (char *)(uintptr_t)ext;
    m.call_id = (char *)(uintptr_t)call_id;
    m.cseq = cseq;
    m.node = (char *)(uintptr_t)f->node;
    m.flow = (char *)(uintptr_t) "udp:127.0.0.1:5999";
    m.n_bindings = 1;
    m.bindings = list;
    FX_BODY(REGISTER, register_, m);
    return fx_run(f, &cmd);
}

FX int fx_agent(struct fx *f, const char *agent, Ev__AgentSet__Action action, const char *arg)
{
    Ev__AgentSet m = EV__AGENT_SET__INIT;
    m.agent = (char *)(uintptr_t)agent;
    m.action = action;
    if (arg && action == EV__AGENT_SET__ACTION__LOGIN)
        m.extension = (char *)(uintptr_t)arg;
    else if (arg)
        m.state = (char *)(uintptr_t)arg;
    FX_BODY(AGENT_SET, agent_set, m);
    cmd.actor = (char *)(uintptr_t) "token:admin";
    return fx_run(f, &cmd);
}
#define fx_login(f, a) fx_agent(f, a, EV__AGENT_SET__ACTION__LOGIN, NULL)
#define fx_logout(f, a) fx_agent(f, a, EV__AGENT_SET__ACTION__LOGOUT, NULL)
#define fx_ready(f, a) fx_agent(f, a, EV__AGENT_SET__ACTION__SET_STATE, "ready")
#define fx_not_ready(f, a) fx_agent(f, a, EV__AGENT_SET__ACTION__SET_STATE, "not_ready")

/* from: an extension when it begins with 8, else a caller on trunk "demo" */
FX int fx_start(struct fx *f, uint64_t id, const char *from, const char *called, bool answered)
{
    Ev__Dialog d = EV__DIALOG__INIT;
    d.call_id = (char *)(uintptr_t) "dialog@test";
    d.remote_target = (char *)(uintptr_t) "sip:x@127.0.0.1:5999";
    Ev__CallStart m = EV__CALL_START__INIT;
    m.call_id = id;
    m.caller = (char *)(uintptr_t)from;
    m.called = (char *)(uintptr_t)called;
    if (from[0] == '8')
        m.extension = (char *)(uintptr_t)from;
    else
        m.trunk = (char *)(uintptr_t) "demo";
    m.answered = answered;
    m.dialog = &d;
    FX_BODY(CALL_START, call_start, m);
    return fx_run(f, &cmd);
}

FX int fx_menu(struct fx *f, uint64_t id, const char *node)
{
    Ev__CallMenu m = EV__CALL_MENU__INIT;
    m.call_id = id;
    m.flow = (char *)(uintptr_t) "welcome";
    m.node = (char *)(uintptr_t)node;
    FX_BODY(CALL_MENU, call_menu, m);
    return fx_run(f, &cmd);
}

FX int fx_queue(struct fx *f, uint64_t id, const char *queue)
{
    Ev__CallQueue m = EV__CALL_QUEUE__INIT;
    m.call_id = id;
    m.queue = (char *)(uintptr_t)queue;
    FX_BODY(CALL_QUEUE, call_queue, m);
    return fx_run(f, &cmd);
}

FX int fx_dial(struct fx *f, uint64_t id, const char *agent, const char *extension)
{
    Ev__CallDial m = EV__CALL_DIAL__INIT;
    m.call_id = id;
    m.agent = (char *)(uintptr_t)agent;
    m.extension = (char *)(uintptr_t)extension;
    FX_BODY(CALL_DIAL, call_dial, m);
    return fx_run(f, &cmd);
}

FX int fx_answer(struct fx *f, uint64_t id, uint64_t offer)
{
    Ev__Dialog d = EV__DIALOG__INIT;
    d.call_id = (char *)(uintptr_t) "callee@test";
    d.media_address = (char *)(uintptr_t) "127.0.0.1:20000";
    Ev__OfferAnswered m = EV__OFFER_ANSWERED__INIT;
    m.call_id = id;
    m.offer_id = offer;
    m.dialog = &d;
    FX_BODY(OFFER_ANSWERED, offer_answered, m);
    return fx_run(f, &cmd);
}

FX int fx_fail(struct fx *f, uint64_t id, uint64_t offer, Ev__OfferFailed__Cause cause)
{
    Ev__OfferFailed m = EV__OFFER_FAILED__INIT;
    m.call_id = id;
    m.offer_id = offer;
    m.cause = cause;
    FX_BODY(OFFER_FAILED, offer_failed, m);
    return fx_run(f, &cmd);
}

FX int fx_end(struct fx *f, uint64_t id, const char *by)
{
    Ev__LegQuality q = EV__LEG_QUALITY__INIT, *list[1] = {&q};
    q.leg_id = 1;
    q.rx_packets = 50;
    Ev__CallEnd m = EV__CALL_END__INIT;
    m.call_id = id;
    m.by = (char *)(uintptr_t)by;
    m.cause = (char *)(uintptr_t) "normal";
    m.n_quality = 1;
    m.quality = list;
    FX_BODY(CALL_END, call_end, m);
    return fx_run(f, &cmd);
}

/* Extensions 8001.. with a static contact, agents 1001.. bound to them and members of queue service; numbers as in the demo. */
FX void fx_demo(struct fx *f, unsigned agents)
{
    ck_assert_int_eq(fx_node_up(f, "n1", 1, 1), 0);
    ck_assert_int_eq(fx_node_up(f, "n2", 2, 1), 0);
    char text[16384] = "[{'kind':'trunk','name':'demo','sources':['127.0.0.0/8']},";
    for (unsigned i = 1; i <= agents; i++) {
        size_t at = strlen(text);
        (void)snprintf(text + at, sizeof text - at,
                       "{'kind':'extension','number':'8%03u','contact':'sip:8%03u@127.0.0.1:%u','password':'secret%u'},"
                       "{'kind':'agent','number':'1%03u','extension':'8%03u'},",
                       i, i, 9000 + i, i, i, i);
    }
    (void)strcat(text, "{'kind':'queue','name':'service','ring_time_s':15,'members':[");
    for (unsigned i = 1; i <= agents; i++) {
        size_t at = strlen(text);
        (void)snprintf(text + at, sizeof text - at, "%s{'agent':'1%03u'}", i > 1 ? "," : "", i);
    }
    (void)strcat(text, "]},{'kind':'flow','name':'welcome','definition':{'name':'welcome'}},"
                       "{'kind':'access_number','number':'10000','flow':'welcome','language':'zh'},"
                       "{'kind':'access_number','number':'10001','app':'echo'},"
                       "{'kind':'access_number','number':'10003','queue':'service'}]");
    int err = fx_set(f, text);
    ck_assert_msg(err == 0, "%s: %s", f->last.field, f->last.text);
}

FX enum core_agent_state fx_state(const struct fx *f, const char *agent)
{
    const struct core_agent *a = core_agent(f->c, agent);
    ck_assert_ptr_nonnull(a);
    return a->state;
}

FX enum core_call_phase fx_phase(const struct fx *f, uint64_t id)
{
    const struct core_call *k = core_call(f->c, id);
    ck_assert_ptr_nonnull(k);
    return k->phase;
}

FX void fx_digest(struct fx *f, char out[65])
{
    struct storage_digest d;
    ck_assert_int_eq(storage_digest_now(f->st, &d), 0);
    for (int i = 0; i < 32; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", d.sha256[i]);
}

/* All in memory comes from the tables, and what is read from them is written as it was. */
FX void fx_same_after_restart(struct fx *f)
{
    char was[65], is[65];
    fx_digest(f, was);
    fx_reopen(f);
    fx_digest(f, is);
    ck_assert_str_eq(was, is);
}

FX json_t *fx_view(struct fx *f, const char *kind, const char *key, json_t *filter)
{
    struct storage_reader *r;
    struct err_info info = {0};
    ck_assert_int_eq(storage_reader_open(f->st, &r, &info), 0);
    struct view_query q = {.kind = kind, .key = key, .filter = filter};
    json_t *out = NULL;
    int err = view_read(r, &q, &out, &info);
    ck_assert_msg(err == 0, "%s %s: %s %s", kind, key ? key : "", info.field, info.text);
    storage_reader_close(r);
    return out;
}

/* A list; `filters` is taken. */
FX json_t *fx_list(struct fx *f, const char *kind, json_t *filters)
{
    json_t *list = fx_view(f, kind, NULL, filters);
    json_decref(filters);
    return list;
}

/* What a flow has found out, while the call is at this node of it. */
FX void fx_says(struct fx *f, uint64_t id, const char *flow, const char *node, const char *variables)
{
    Ev__CallMenu m = EV__CALL_MENU__INIT;
    m.call_id = id;
    m.flow = (char *)(uintptr_t)flow;
    m.node = (char *)(uintptr_t)node;
    m.has_variables = true;
    m.variables = (char *)(uintptr_t)variables;
    FX_BODY(CALL_MENU, call_menu, m);
    ck_assert_int_eq(fx_run(f, &cmd), 0);
    fx_same_after_restart(f);
}

#define FX_SHA "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/* Message 1000 + id is left in a box, in a call of its own. */
FX void fx_leave(struct fx *f, uint64_t id, const char *box)
{
    Ev__CallMenu m = EV__CALL_MENU__INIT;
    Ev__RecordBegin r = EV__RECORD_BEGIN__INIT;
    ck_assert_int_eq(fx_start(f, id, "13800138000", "10000", true), 0);
    m.call_id = id;
    m.flow = (char *)(uintptr_t) "welcome";
    m.node = (char *)(uintptr_t) "leave";
    m.record = &r;
    r.id = 1000 + id;
    r.box = (char *)(uintptr_t)box;
    r.max_s = 60;
    {
        FX_BODY(CALL_MENU, call_menu, m);
        ck_assert_int_eq(fx_run(f, &cmd), 0);
    }
    Ev__RecordEnd end = EV__RECORD_END__INIT;
    end.id = r.id;
    end.sha256 = (char *)(uintptr_t)FX_SHA;
    end.bytes = 8058;
    end.duration_ms = 1000;
    FX_BODY(RECORD_END, record_end, end);
    ck_assert_int_eq(fx_run(f, &cmd), 0);
    ck_assert_int_eq(fx_end(f, id, "caller"), 0);
}

#endif
