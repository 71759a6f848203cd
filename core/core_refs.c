/* References between configuration objects (core/refs.h): everything that is named exists, and nothing that is named goes away. And what
 * several objects may not have in common. */
#include <stdio.h>
#include <string.h>

#include "core/agent_state.h"
#include "core/core_int.h"
#include "core/refs.h"

const ProtobufCMessage *core_refs_get(const struct cfg_change *ch, enum cfg_kind kind, const char *name)
{
    const struct cfg *o = map_get(&ch->set[kind], name);
    if (!o && !map_get(&ch->remove[kind], name))
        o = core_cfg(ch->c, kind, name);
    return o ? o->msg : NULL;
}

static bool there_after(void *ctx, enum cfg_kind kind, const char *name)
{
    const struct cfg_change *ch = ctx;
    return core_refs_get(ch, kind, name) || (kind == CFG_PROMPT && map_get(&ch->built_in, name));
}

static struct refs_after after(struct cfg_change *ch)
{
    return (struct refs_after){there_after, ch};
}

/* A flow is read once, for as long as it is configured. */
static int each_reference(const struct core *c, struct cfg *o, ref_fn *fn, void *ctx)
{
    int err = 0;
    if (o->kind != CFG_FLOW && o->kind != CFG_FLOW_DRAFT)
        err = refs_each(o->kind, o->msg, fn, ctx);
    else if (c->feature_level >= 4 && !o->refs && refs_keep(o->kind, o->msg, &o->refs) != 0)
        core_oom();
    else if (c->feature_level >= 4)
        err = refs_kept_each(o->refs, fn, ctx);
    if (err == ERR_NOMEM)
        core_oom();
    return err;
}

/* ---- what is set */

struct set_check {
    struct cfg_change *ch;
    const char *path;
    struct map seen;
};

static int missing(struct cfg_change *ch, const char *path, const struct ref *r)
{
    char where[192], flow[CORE_NAME_MAX];
    const char *name = r->kind == CFG_FLOW && config_draft_of(r->name, flow) ? flow : r->name;
    (void)snprintf(where, sizeof where, "%s.%s", path, r->path);
    bool goes = map_get(&ch->remove[r->kind], name) != NULL;
    return core_refuse(ch->c, goes ? ERR_CONFLICT : ERR_INVAL, where, "there is %s %s %.64s",
                       goes ? "after this no" : "no", config_kind_name(r->kind), name);
}

static int check_reference(void *ctx, const struct ref *r)
{
    struct set_check *s = ctx;
    struct cfg_change *ch = s->ch;
    const struct refs_after there = after(ch);
    if (r->loose || r->level > ch->c->feature_level)
        return 0;
    if (!refs_there(&there, r))
        return missing(ch, s->path, r);
    if (r->once && map_get(&s->seen, r->name))
        return core_refuse(ch->c, ERR_INVAL, s->path, "%s %.64s is a member twice", config_kind_name(r->kind), r->name);
    if (r->once && map_set(&s->seen, r->name, ch) != 0)
        core_oom();
    return 0;
}

/* No other state has the code, as far as the configuration says so itself. */
static int check_code(struct cfg_change *ch, const struct cfg *o, const char *path)
{
    const char *code = ((const Ev__AgentState *)(const void *)o->msg)->code, *other = NULL;
    for (int pass = 0; code[0] && pass < 2; pass++) {
        const struct map_slot *slot;
        const struct map *m = pass ? &ch->set[CFG_AGENT_STATE] : &ch->c->cfg[CFG_AGENT_STATE];
        for (size_t it = 0; map_next(m, &it, &slot);) {
            const char *name = ((const struct cfg *)slot->value)->name;
            const Ev__AgentState *s = (const Ev__AgentState *)(const void *)core_refs_get(ch, CFG_AGENT_STATE, name);
            if (s && strcmp(name, o->name) != 0 && strcmp(s->code, code) == 0 && (!other || strcmp(name, other) < 0))
                other = name;
        }
    }
    char where[160];
    (void)snprintf(where, sizeof where, "%s.code", path);
    return other ? core_refuse(ch->c, ERR_CONFLICT, where, "code %s is that of state %.64s", code, other) : 0;
}

static bool has_customer(const Ev__Agent *a, const char *number)
{
    for (size_t i = 0; a && i < a->n_customers; i++) {
        if (strcmp(a->customers[i], number) == 0)
            return true;
    }
    return false;
}

/* Each number is one agent's. Whose it is now may be changed likewise; those who are set in one change are compared once, when the
 * later of them by name has its turn. */
static int check_customers(struct cfg_change *ch, const Ev__Agent *a, const char *path)
{
    struct map own;
    map_init(&own);
    int err = 0;
    for (size_t i = 0; i < a->n_customers && !err; i++) {
        const char *number = a->customers[i];
        const struct agent *holder = map_get(&ch->c->customers, number);
        const ProtobufCMessage *after = holder ? core_refs_get(ch, CFG_AGENT, holder->number) : NULL;
        bool taken = holder && strcmp(holder->number, a->number) != 0 &&
                     has_customer((const Ev__Agent *)(const void *)after, number);
        if (map_get(&own, number))
            err = core_refuse(ch->c, ERR_INVAL, path, "customer %.64s is given twice", number);
        else if (taken)
            err = core_refuse(ch->c, ERR_CONFLICT, path, "%.64s is a customer of agent %.64s", number, holder->number);
        else if (map_set(&own, number, ch) != 0)
            core_oom();
    }
    const struct map_slot *slot;
    const char *with = NULL;
    for (size_t it = 0; !err && a->n_customers && map_next(&ch->set[CFG_AGENT], &it, &slot);) {
        const struct cfg *o = slot->value;
        const Ev__Agent *other = (const Ev__Agent *)(const void *)o->msg;
        if (strcmp(o->name, a->number) >= 0 || (with && strcmp(o->name, with) > 0))
            continue;
        for (size_t i = 0; i < other->n_customers; i++)
            with = map_get(&own, other->customers[i]) ? o->name : with;
    }
    map_free(&own);
    if (!err && with)
        err =
            core_refuse(ch->c, ERR_CONFLICT, path, "agents %.64s and %.64s have a customer in common", with, a->number);
    return err;
}

/* A telephone where somebody is logged in stays enabled. */
static int check_disabled(struct cfg_change *ch, const struct cfg *o, const char *path)
{
    const struct ext *e = core_ext_find(ch->c, o->name);
    return ((const Ev__Extension *)(const void *)o->msg)->disabled && e && e->agent
               ? core_refuse(ch->c, ERR_CONFLICT, path, "agent %.64s is logged in there", e->agent->number)
               : 0;
}

int core_refs_check_set(struct cfg_change *ch, struct cfg *o, const char *path)
{
    struct set_check s = {.ch = ch, .path = path};
    map_init(&s.seen);
    int err = each_reference(ch->c, o, check_reference, &s);
    map_free(&s.seen);
    if (!err && o->kind == CFG_AGENT)
        err = check_customers(ch, (const Ev__Agent *)(const void *)o->msg, path);
    else if (!err && o->kind == CFG_AGENT_STATE)
        err = check_code(ch, o, path);
    else if (!err && o->kind == CFG_EXTENSION)
        err = check_disabled(ch, o, path);
    else if (!err && o->kind == CFG_FORWARD)
        err = core_forward_check_change(ch, (const Ev__Forward *)(const void *)o->msg, path);
    return err;
}

/* ---- what is removed */

static int in_use(struct cfg_change *ch, const struct cfg *o, const char *by_kind, const char *by)
{
    char where[128];
    (void)snprintf(where, sizeof where, "%s/%s", config_kind_name(o->kind), o->name);
    return core_refuse(ch->c, ERR_CONFLICT, where, "%s %.64s is in use by %s %.64s", config_kind_name(o->kind), o->name,
                       by_kind, by);
}

struct user {
    struct cfg_change *ch;
    const struct cfg *o;
};

static int add_user(void *ctx, const struct ref *r)
{
    const struct user *u = ctx;
    if (r->level <= u->ch->c->feature_level)
        refs_users_add(u->ch->users, u->o->kind, u->o->name, r);
    return 0;
}

static void add_users(struct cfg_change *ch, struct cfg *o)
{
    struct user u = {ch, o};
    if (each_reference(ch->c, o, add_user, &u) != 0)
        core_oom(); /* the only way to fail */
}

/* Who names what goes, of all that will be there. Before feature level 4 an object that is new was only looked at as one that is set. */
static void find_users(struct cfg_change *ch)
{
    const struct refs_after there = after(ch);
    const struct map_slot *slot;
    if (refs_users_new(&there, &ch->users) != 0)
        core_oom();
    for (int kind = CFG_EXTENSION; kind < CFG_KINDS; kind++)
        for (size_t it = 0; map_next(&ch->remove[kind], &it, &slot);)
            if (refs_users_goes(ch->users, (enum cfg_kind)kind, slot->skey) != 0)
                core_oom();
    for (int kind = CFG_EXTENSION; kind < CFG_KINDS; kind++) {
        if (!refs_users_concerns(ch->users, (enum cfg_kind)kind))
            continue;
        for (size_t it = 0; map_next(&ch->c->cfg[kind], &it, &slot);)
            if (!map_get(&ch->set[kind], slot->skey) && !map_get(&ch->remove[kind], slot->skey))
                add_users(ch, slot->value);
        for (size_t it = 0; map_next(&ch->set[kind], &it, &slot);)
            if (ch->c->feature_level >= 4 || core_cfg(ch->c, (enum cfg_kind)kind, slot->skey))
                add_users(ch, slot->value);
    }
}

static bool waits_in(const Ev__CallState *s, const char *queue)
{
    bool waits = s->phase == CORE_CALL_WAITING || s->phase == CORE_CALL_OFFERED;
    if ((waits && strcmp(s->queue, queue) == 0) || (s->from_queue && strcmp(s->left_queue, queue) == 0))
        return true;
    for (size_t i = 0; (waits || s->from_queue) && i < s->n_overflow; i++) {
        if (strcmp(s->overflow[i], queue) == 0)
            return true;
    }
    return false;
}

static int check_live(struct cfg_change *ch, const struct cfg *o)
{
    const struct core *c = ch->c;
    if (o->kind == CFG_EXTENSION) {
        const struct ext *e = core_ext_find(c, o->name);
        if (e && e->agent)
            return in_use(ch, o, "logged-in agent", e->agent->number);
        if (e && e->n_calls)
            return in_use(ch, o, "a", "call");
    } else if (o->kind == CFG_AGENT) {
        const struct agent *a = core_agent_obj(c, o->name);
        if (a->pub.state != CORE_AGENT_LOGGED_OUT)
            return core_refuse(ch->c, ERR_CONFLICT, "agent", "agent %.64s is logged in", o->name);
    } else if (o->kind == CFG_QUEUE) {
        const struct map_slot *slot;
        for (size_t it = 0; map_next(&c->calls, &it, &slot);) {
            if (waits_in(((const struct call *)slot->value)->st, o->name))
                return in_use(ch, o, "a", "waiting caller");
        }
        if (core_callbacks_in(c, o->name))
            return in_use(ch, o, "a", "call back");
    }
    return 0;
}

int core_refs_check_remove(struct cfg_change *ch, const struct cfg *o)
{
    char where[128], text[REFS_TEXT_MAX];
    const char *agent;
    if (o->kind == CFG_AGENT_STATE && !agent_state_find_builtin(o->name) && core_state_in_use(ch->c, o->name, &agent))
        return in_use(ch, o, "agent", agent);
    if (!ch->users)
        find_users(ch);
    if (!refs_users_of(ch->users, o->kind, o->name, ch->c->feature_level >= 4 ? REFS_NAMED : 1, text))
        return check_live(ch, o);
    (void)snprintf(where, sizeof where, "%s/%s", config_kind_name(o->kind), o->name);
    return core_refuse(ch->c, ERR_CONFLICT, where, "%s", text);
}

static int check_list_limit(struct cfg_change *ch, enum cfg_kind kind)
{
    size_t n = map_count(&ch->c->cfg[kind]) - map_count(&ch->remove[kind]);
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&ch->set[kind], &it, &slot);)
        n += core_cfg(ch->c, kind, slot->skey) == NULL;
    if (n > CORE_LISTED_MAX && map_count(&ch->set[kind]) > 0)
        return core_refuse(ch->c, ERR_TOOBIG, config_kind_name(kind), "there can be %u entries, not %zu",
                           CORE_LISTED_MAX, n);
    return 0;
}

/* No agent in more queues than the engine takes. Only a change of queues can bring that about. */
int core_refs_check_limits(struct cfg_change *ch)
{
    int err = check_list_limit(ch, CFG_BLACKLIST);
    if (!err)
        err = check_list_limit(ch, CFG_VIP);
    if (err)
        return err;
    if (map_count(&ch->set[CFG_QUEUE]) == 0 ||
        map_count(&ch->c->cfg[CFG_QUEUE]) + map_count(&ch->set[CFG_QUEUE]) <= ACD_QUEUES_PER_AGENT_MAX)
        return 0;
    struct map count;
    map_init(&count);
    const char *over = NULL;
    for (int pass = 0; pass < 2; pass++) {
        const struct map *m = pass ? &ch->set[CFG_QUEUE] : &ch->c->cfg[CFG_QUEUE];
        const struct map_slot *slot;
        for (size_t it = 0; map_next(m, &it, &slot);) {
            const struct cfg *o = slot->value;
            if (pass == 0 && (map_get(&ch->set[CFG_QUEUE], o->name) || map_get(&ch->remove[CFG_QUEUE], o->name)))
                continue;
            const Ev__Queue *q = (const Ev__Queue *)(const void *)o->msg;
            for (size_t i = 0; i < q->n_members; i++) {
                const char *name = q->members[i]->agent;
                uintptr_t n = (uintptr_t)map_get(&count, name) + 1;
                if (map_set(&count, name, (void *)n) != 0)
                    core_oom();
                if (n > ACD_QUEUES_PER_AGENT_MAX && (!over || strcmp(name, over) < 0))
                    over = name;
            }
        }
    }
    map_free(&count);
    if (over)
        return core_refuse(ch->c, ERR_TOOBIG, "members", "agent %.64s is in more than %u queues", over,
                           ACD_QUEUES_PER_AGENT_MAX);
    return 0;
}
