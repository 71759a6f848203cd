/* Configuration: one apply changes many objects, or none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"
#include "core/parameter.h"
#include "core/refs.h"

struct cfg *core_cfg(const struct core *c, enum cfg_kind kind, const char *name)
{
    return map_get(&c->cfg[kind], name);
}

void core_cfg_free(struct cfg *o)
{
    if (!o)
        return;
    if (o->msg)
        protobuf_c_message_free_unpacked(o->msg, NULL);
    refs_free(o->refs);
    free(o->packed);
    free(o);
}

#define LOOKUP(fn, type, kind)                                \
    const type *fn(const struct core *c, const char *name)    \
    {                                                         \
        const struct cfg *o = core_cfg(c, kind, name);        \
        return o ? (const type *)(const void *)o->msg : NULL; \
    }
LOOKUP(core_extension, Ev__Extension, CFG_EXTENSION)
LOOKUP(core_agent_config, Ev__Agent, CFG_AGENT)
LOOKUP(core_queue_config, Ev__Queue, CFG_QUEUE)
LOOKUP(core_access_number, Ev__AccessNumber, CFG_ACCESS_NUMBER)
LOOKUP(core_flow, Ev__Flow, CFG_FLOW)
LOOKUP(core_prompt, Ev__Prompt, CFG_PROMPT)
LOOKUP(core_trunk, Ev__Trunk, CFG_TRUNK)
LOOKUP(core_lookup_config, Ev__Lookup, CFG_LOOKUP)
LOOKUP(core_notice_config, Ev__Notice, CFG_NOTICE)
#undef LOOKUP

void core_prompts_each(const struct core *c, void (*fn)(void *ctx, const Ev__Prompt *p), void *ctx)
{
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->cfg[CFG_PROMPT], &it, &slot);)
        fn(ctx, (const Ev__Prompt *)(const void *)((const struct cfg *)slot->value)->msg);
}

void core_notices_each(const struct core *c, void (*fn)(void *ctx, const Ev__Notice *n), void *ctx)
{
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->cfg[CFG_NOTICE], &it, &slot);)
        fn(ctx, (const Ev__Notice *)(const void *)((const struct cfg *)slot->value)->msg);
}

const char *core_secret(const struct core *c, const char *name)
{
    const struct cfg *o = core_cfg(c, CFG_SECRET, name);
    return o ? ((const Ev__Secret *)(const void *)o->msg)->value : NULL;
}

const char *core_parameter(const struct core *c, const char *name, const char *fallback)
{
    const struct cfg *o = core_cfg(c, CFG_PARAMETER, name);
    return o ? ((const Ev__Parameter *)(const void *)o->msg)->value : fallback;
}

uint32_t core_parameter_number(const struct core *c, const char *name, uint32_t fallback)
{
    struct err_info ignored;
    const char *text = core_parameter(c, name, NULL);
    return text && parameter_check(name, text, &ignored) == 0 ? (uint32_t)strtoul(text, NULL, 10) : fallback;
}

/* ---- putting objects in place */

void core_customers_set(struct core *c, struct agent *a, const Ev__Agent *old, const Ev__Agent *now)
{
    for (size_t i = 0; old && i < old->n_customers; i++) {
        if (map_get(&c->customers, old->customers[i]) == a) /* else another has taken him over in the same change */
            (void)map_del(&c->customers, old->customers[i]);
    }
    for (size_t i = 0; now && i < now->n_customers; i++) {
        if (map_set(&c->customers, now->customers[i], a) != 0)
            core_oom();
    }
}

static uint32_t free_key(void *const *by_key, uint32_t n)
{
    uint32_t key = 0;
    while (key < n && by_key[key])
        key++;
    return key;
}

static uint32_t member_level(const struct core *c, const Ev__QueueMember *m)
{
    const Ev__Agent *a = core_agent_config(c, m->agent);
    return m->level || !a ? m->level : a->level;
}

/* Memberships without a level of their own follow the agent's. */
static void relevel(struct core *c)
{
    for (uint32_t key = 0; key < c->queue_keys; key++) {
        const Ev__Queue *m = c->queue_by_key[key] ? core_queue_config(c, c->queue_by_key[key]->name) : NULL;
        for (size_t i = 0; m && i < m->n_members; i++) {
            const struct agent *a = m->members[i]->level ? NULL : core_agent_obj(c, m->members[i]->agent);
            if (a && acd_member_set(c->acd, key, a->key, member_level(c, m->members[i])) != 0)
                core_oom();
        }
    }
    c->relevel = false;
}

static void link_queue(struct core *c, const struct cfg *o, const struct cfg *old)
{
    const Ev__Queue *m = (const Ev__Queue *)(const void *)o->msg;
    struct queue *q = core_queue_obj(c, o->name);
    if (!q) {
        q = core_alloc(sizeof *q);
        (void)strcpy(q->name, o->name);
        q->key = o->key;
        list_init(&q->dirty);
        list_init(&q->ringing);
        list_init(&q->state_dirty);
        if (map_set(&c->queues, o->name, q) != 0)
            core_oom();
        if (q->key >= c->queue_keys) {
            uint32_t n = q->key + 16;
            c->queue_by_key = core_grow(c->queue_by_key, n * sizeof(struct queue *));
            memset(c->queue_by_key + c->queue_keys, 0, (n - c->queue_keys) * sizeof(struct queue *));
            c->queue_keys = n;
        }
        c->queue_by_key[q->key] = q;
    }
    const struct acd_rules rules = queue_rules(m);
    c->least_occupied += rules.strategy == ACD_LEAST_OCCUPIED;
    c->least_occupied -= q->rules.strategy == ACD_LEAST_OCCUPIED;
    c->ring_alls += rules.strategy == ACD_RING_ALL;
    c->ring_alls -= q->rules.strategy == ACD_RING_ALL;
    q->rules = rules;
    int err = acd_queue_set(c->acd, q->key, &rules);
    const Ev__Queue *was = old ? (const Ev__Queue *)(const void *)old->msg : NULL;
    struct map keep;
    map_init(&keep);
    for (size_t i = 0; i < m->n_members && !err; i++)
        err = map_set(&keep, m->members[i]->agent, q);
    for (size_t i = 0; was && i < was->n_members && !err; i++) {
        const struct agent *a = core_agent_obj(c, was->members[i]->agent);
        if (a && !map_get(&keep, was->members[i]->agent))
            err = acd_member_del(c->acd, q->key, a->key);
    }
    for (size_t i = 0; i < m->n_members && !err; i++) {
        const struct agent *a = core_agent_obj(c, m->members[i]->agent);
        if (a)
            err = acd_member_set(c->acd, q->key, a->key, member_level(c, m->members[i]));
    }
    map_free(&keep);
    if (err)
        core_oom(); /* all other reasons were checked before */
    core_teams_drop(c);
    core_wait_members(c, q);
    if (c->cmd) /* else from the tables: core_wait_load */
        core_wait_queue_changed(c, q);
}

void core_cfg_install(struct core *c, struct cfg *o)
{
    struct cfg *old = map_del(&c->cfg[o->kind], o->name);
    if (map_set(&c->cfg[o->kind], o->name, o) != 0)
        core_oom();
    if (o->kind == CFG_AGENT) {
        struct agent *a = core_agent_obj(c, o->name);
        a = a ? a : core_agent_new(c, o->name, o->key);
        core_agent_equip(c, a);
        core_customers_set(c, a, old ? (const Ev__Agent *)(const void *)old->msg : NULL,
                           (const Ev__Agent *)(const void *)o->msg);
        c->relevel |= old && ((const Ev__Agent *)(const void *)old->msg)->level != ((Ev__Agent *)(void *)o->msg)->level;
    }
    if (o->kind == CFG_QUEUE)
        link_queue(c, o, old);
    if (old)
        core_numbers_drop(c, old);
    core_numbers_put(c, o);
    core_notice_changed(c, o->kind);
    core_forward_changed(c, o->kind);
    core_cfg_free(old);
    core_lookup_drop(c);
}

static void uninstall(struct core *c, struct cfg *o)
{
    if (o->kind == CFG_QUEUE) {
        struct queue *q = map_del(&c->queues, o->name);
        if (acd_queue_del(c->acd, q->key) != 0)
            core_oom();
        core_teams_drop(c);
        c->queue_by_key[q->key] = NULL;
        c->least_occupied -= q->rules.strategy == ACD_LEAST_OCCUPIED;
        c->ring_alls -= q->rules.strategy == ACD_RING_ALL;
        list_del(&q->dirty);
        core_wait_queue_gone(c, q);
        free(q);
    } else if (o->kind == CFG_AGENT) {
        struct agent *a = core_agent_obj(c, o->name);
        const struct storage_val v = storage_text(o->name);
        storage_run(c->st, STORAGE_AGENT_DEL, &v, 1);
        core_served_forget(c, o->name);
        core_customers_set(c, a, (const Ev__Agent *)(const void *)o->msg, NULL);
        core_agent_free(c, a);
    } else if (o->kind == CFG_EXTENSION) {
        core_reg_drop_all(c, o->name);
        core_subscriptions_drop(c, o->name);
    } else if (o->kind == CFG_NOTICE) {
        core_notice_forget(c, o->name);
    }
    core_numbers_drop(c, o);
    core_notice_changed(c, o->kind);
    core_forward_changed(c, o->kind);
    const struct storage_val v[] = {storage_int(o->kind), storage_text(o->name)};
    storage_run(c->st, STORAGE_CONFIG_DEL, v, 2);
    (void)map_del(&c->cfg[o->kind], o->name);
    core_cfg_free(o);
    core_lookup_drop(c);
}

/* ---- reading the command */

/* What is not given of a flow: the note of a text that stays, what a draft is made from. */
static void keep_flow(const struct core *c, enum cfg_kind kind, ProtobufCMessage *msg, const struct cfg *old)
{
    if (kind == CFG_FLOW && old) {
        Ev__Flow *f = (Ev__Flow *)(void *)msg;
        const Ev__Flow *was = (const Ev__Flow *)(const void *)old->msg;
        if (!f->note[0] && strcmp(f->definition, was->definition) == 0)
            core_pbset(&f->note, was->note);
    } else if (kind == CFG_FLOW_DRAFT) {
        Ev__FlowDraft *d = (Ev__FlowDraft *)(void *)msg;
        if (!d->based_on)
            d->based_on =
                old ? ((const Ev__FlowDraft *)(const void *)old->msg)->based_on : core_flow_version(c, d->name);
    }
}

/* A password that is not given stays; "-" takes it away. */
static void keep_secrets(enum cfg_kind kind, ProtobufCMessage *msg, const struct cfg *old)
{
    if (kind == CFG_EXTENSION) {
        Ev__Extension *x = (Ev__Extension *)(void *)msg;
        const Ev__Extension *was = old ? (const Ev__Extension *)(const void *)old->msg : NULL;
        if (!x->ha1_md5[0] && !x->ha1_sha256[0] && was) {
            core_pbset(&x->ha1_md5, was->ha1_md5);
            core_pbset(&x->ha1_sha256, was->ha1_sha256);
        }
        if (strcmp(x->ha1_md5, "-") == 0)
            core_pbset(&x->ha1_md5, "");
        if (strcmp(x->ha1_sha256, "-") == 0)
            core_pbset(&x->ha1_sha256, "");
    } else if (kind == CFG_TOKEN) {
        Ev__Token *t = (Ev__Token *)(void *)msg;
        const Ev__Token *was = old ? (const Ev__Token *)(const void *)old->msg : NULL;
        if (!t->sha256[0] && was)
            core_pbset(&t->sha256, was->sha256);
    } else if (kind == CFG_SECRET && old) {
        Ev__Secret *s = (Ev__Secret *)(void *)msg;
        if (!s->value[0])
            core_pbset(&s->value, ((const Ev__Secret *)(const void *)old->msg)->value);
    }
}

static int collect_set(struct core *c, const Ev__ConfigApply *m, struct cfg_change *ch)
{
    for (size_t i = 0; i < m->n_set; i++) {
        enum cfg_kind kind;
        ProtobufCMessage *msg = config_object(m->set[i], &kind);
        char path[32];
        (void)snprintf(path, sizeof path, "set[%zu]", i);
        if (!msg)
            return core_refuse(c, ERR_INVAL, path, "no object of a known kind");
        const char *name = config_key(kind, msg);
        const struct cfg *old = core_cfg(c, kind, name);
        keep_secrets(kind, msg, old);
        keep_flow(c, kind, msg, old);
        struct err_info info = {0};
        if (config_defaults(kind, msg) != 0)
            core_oom();
        int err = config_check(kind, msg, &info);
        if (err == ERR_NOMEM)
            core_oom();
        if (err) {
            char field[200];
            (void)snprintf(field, sizeof field, "%s.%s", path, info.field);
            return core_refuse(c, err, field, "%s", info.text);
        }
        if (map_get(&ch->set[kind], name))
            return core_refuse(c, ERR_INVAL, path, "%s %.64s is given twice", config_kind_name(kind), name);
        if (old && m->set[i]->create_only)
            return core_refuse(c, ERR_EXISTS, path, "%s %.64s is there already", config_kind_name(kind), name);
        uint64_t version = old ? old->version : 0;
        if (m->set[i]->if_version && m->set[i]->if_version != version)
            return core_refuse(c, ERR_CONFLICT, path, "%s %.64s has version %llu, not %llu", config_kind_name(kind),
                               name, (unsigned long long)version, (unsigned long long)m->set[i]->if_version);
        struct cfg *o = core_alloc(sizeof *o);
        o->kind = kind;
        (void)snprintf(o->name, sizeof o->name, "%s", name);
        o->packed_len = protobuf_c_message_get_packed_size(msg);
        o->packed = core_alloc(o->packed_len);
        (void)protobuf_c_message_pack(msg, o->packed);
        o->msg = protobuf_c_message_unpack(msg->descriptor, NULL, o->packed_len, o->packed);
        if (!o->msg || map_set(&ch->set[kind], name, o) != 0)
            core_oom();
    }
    return 0;
}

static void mark_removed(struct cfg_change *ch, struct cfg *o)
{
    if (map_set(&ch->remove[o->kind], o->name, o) != 0)
        core_oom();
}

static int collect_remove(struct core *c, const Ev__ConfigApply *m, struct cfg_change *ch)
{
    for (size_t i = 0; i < m->n_remove; i++) {
        const Ev__ConfigRef *r = m->remove[i];
        char path[32];
        (void)snprintf(path, sizeof path, "remove[%zu]", i);
        enum cfg_kind kind = config_kind(r->kind);
        struct cfg *o = kind ? core_cfg(c, kind, r->name) : NULL;
        if (!o)
            return core_refuse(c, kind ? ERR_NOTFOUND : ERR_INVAL, path, "there is no %.32s %.64s", r->kind, r->name);
        if (r->if_version && r->if_version != o->version)
            return core_refuse(c, ERR_CONFLICT, path, "%s %.64s has version %llu, not %llu", r->kind, r->name,
                               (unsigned long long)o->version, (unsigned long long)r->if_version);
        if (map_get(&ch->set[kind], r->name))
            return core_refuse(c, ERR_INVAL, path, "%s %.64s is both set and removed", r->kind, r->name);
        mark_removed(ch, o);
    }
    for (size_t i = 0; m->prune && i < m->n_prune_kinds; i++) {
        enum cfg_kind kind = config_kind(m->prune_kinds[i]);
        if (!kind)
            return core_refuse(c, ERR_INVAL, "prune_kinds", "there is no kind %.32s", m->prune_kinds[i]);
        const struct map_slot *slot;
        for (size_t it = 0; map_next(&c->cfg[kind], &it, &slot);) {
            struct cfg *o = slot->value;
            if (!map_get(&ch->set[kind], o->name))
                mark_removed(ch, o);
        }
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct cfg *const *)a)->name, (*(struct cfg *const *)b)->name);
}

/* Objects of one kind in the order of their names: the order of a map is nobody's. malloc'ed. */
static struct cfg **sorted(const struct map *m, size_t *n)
{
    struct cfg **v = core_alloc((map_count(m) + 1) * sizeof(struct cfg *));
    const struct map_slot *slot;
    *n = 0;
    for (size_t it = 0; map_next(m, &it, &slot);)
        v[(*n)++] = slot->value;
    if (*n)
        qsort(v, *n, sizeof *v, by_name);
    return v;
}

static int check_references(struct core *c, struct cfg_change *ch)
{
    int err = 0;
    for (int kind = CFG_EXTENSION; kind < CFG_KINDS && !err; kind++) {
        size_t n;
        struct cfg **v = sorted(&ch->set[kind], &n);
        for (size_t i = 0; i < n && !err; i++) {
            char path[128];
            (void)snprintf(path, sizeof path, "%s/%s", config_kind_name((enum cfg_kind)kind), v[i]->name);
            err = core_refs_check_set(ch, v[i], path);
        }
        free(v);
        v = sorted(&ch->remove[kind], &n);
        for (size_t i = 0; i < n && !err; i++)
            err = core_refs_check_remove(ch, v[i]);
        free(v);
    }
    (void)c;
    if (!err)
        err = core_notice_check_change(ch);
    return err ? err : core_refs_check_limits(ch);
}

/* ---- carrying it out */

struct outcome {
    struct sbuf json;
    unsigned changed;
};

static char *json_of(const struct cfg *o)
{
    json_t *j = o ? config_to_json(o->kind, o->msg, true) : NULL;
    char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
    if (o && !text)
        core_oom();
    json_decref(j);
    return text;
}

static void report(struct core *c, struct outcome *out, const struct cfg *before, const struct cfg *after)
{
    const struct cfg *o = after ? after : before;
    const char *kind = config_kind_name(o->kind), *action = !before ? "created" : after ? "updated" : "removed";
    char object[128], what[32];
    (void)snprintf(object, sizeof object, "%s/%s", kind, o->name);
    (void)snprintf(what, sizeof what, "config.%s", action);
    char *was = json_of(before), *is = json_of(after);
    core_audit(c, what, object, was, is, 0);
    free(was);
    free(is);
    core_tell(c, CORE_EV_CONFIG, 0, kind, o->name);
    struct sbuf *b = core_ev_begin(c, "config.changed", kind, o->name);
    sbuf_kv(b, "kind", kind);
    sbuf_kv(b, "name", o->name);
    sbuf_kv(b, "action", action);
    sbuf_kv_uint(b, "version", after ? c->index : 0);
    core_ev_end(c);
    sbuf_puts(&out->json, out->changed++ ? ",{" : "{");
    sbuf_kv(&out->json, "kind", kind);
    sbuf_kv(&out->json, "name", o->name);
    sbuf_kv(&out->json, "action", action);
    sbuf_kv_uint(&out->json, "version", after ? c->index : 0);
    sbuf_puts(&out->json, "}");
}

static bool keeps_versions(const struct core *c, enum cfg_kind kind)
{
    return kind == CFG_FLOW_DRAFT || (kind == CFG_FLOW && c->feature_level >= 3);
}

/* true: put in place (o belongs to the core now) */
static bool put_object(struct core *c, struct cfg *o, struct outcome *out)
{
    const struct cfg *old = core_cfg(c, o->kind, o->name);
    if (old && old->packed_len == o->packed_len && memcmp(old->packed, o->packed, o->packed_len) == 0) {
        c->ans->version = old->version;
        return false;
    }
    o->version = c->index;
    o->updated_us = c->now_us;
    o->key = old                    ? old->key
             : o->kind == CFG_AGENT ? free_key((void *const *)c->agent_by_key, c->agent_keys)
             : o->kind == CFG_QUEUE ? free_key((void *const *)c->queue_by_key, c->queue_keys)
                                    : 0;
    report(c, out, old, o);
    if (old && keeps_versions(c, o->kind))
        core_flow_keep(c, old);
    const struct storage_val v[] = {storage_int(o->kind),       storage_text(o->name),
                                    storage_int(o->key),        storage_int(o->version),
                                    storage_int(o->updated_us), storage_blob(o->packed, o->packed_len)};
    storage_run(c->st, STORAGE_CONFIG_PUT, v, 6);
    core_cfg_install(c, o);
    c->ans->version = o->version;
    return true;
}

static void carry_out(struct core *c, struct cfg_change *ch)
{
    struct outcome out = {0};
    sbuf_puts(&out.json, "{\"changed\":[");
    /* What refers goes before what is referred to; what is referred to comes before what refers. */
    for (int kind = CFG_KINDS - 1; kind >= CFG_EXTENSION; kind--) {
        size_t n;
        struct cfg **v = sorted(&ch->remove[kind], &n);
        for (size_t i = 0; i < n; i++) {
            report(c, &out, v[i], NULL);
            if (keeps_versions(c, (enum cfg_kind)kind))
                core_flow_keep(c, v[i]);
            if (kind != CFG_AGENT && kind != CFG_EXTENSION)
                uninstall(c, v[i]);
        }
        free(v);
    }
    for (int kind = CFG_EXTENSION; kind < CFG_KINDS; kind++) {
        size_t n;
        struct cfg **v = sorted(&ch->set[kind], &n);
        for (size_t i = 0; i < n; i++) {
            if (put_object(c, v[i], &out))
                (void)map_del(&ch->set[kind], v[i]->name);
        }
        free(v);
    }
    if (c->relevel)
        relevel(c);
    /* Agents leave after the queues that lost them, telephones after their agents. */
    for (int kind = CFG_AGENT; kind >= CFG_EXTENSION; kind--) {
        size_t n;
        struct cfg **v = sorted(&ch->remove[kind], &n);
        for (size_t i = 0; i < n; i++)
            uninstall(c, v[i]);
        free(v);
    }
    sbuf_puts(&out.json, "]}");
    c->ans->json = out.json.p;
}

int core_config_apply(struct core *c, const Ev__ConfigApply *m)
{
    struct cfg_change ch = {.c = c};
    map_init(&ch.built_in);
    for (int i = 0; i < CFG_KINDS; i++) {
        map_init(&ch.set[i]);
        map_init(&ch.remove[i]);
    }
    for (size_t i = 0; i < m->n_built_in; i++)
        if (map_set(&ch.built_in, m->built_in[i], &ch) != 0)
            core_oom();
    int err = collect_set(c, m, &ch);
    if (!err)
        err = collect_remove(c, m, &ch);
    if (!err)
        err = check_references(c, &ch);
    if (!err)
        carry_out(c, &ch);
    for (int i = 0; i < CFG_KINDS; i++) {
        const struct map_slot *slot;
        for (size_t it = 0; map_next(&ch.set[i], &it, &slot);)
            core_cfg_free(slot->value);
        map_free(&ch.set[i]);
        map_free(&ch.remove[i]);
    }
    map_free(&ch.built_in);
    refs_users_free(ch.users);
    return err;
}
