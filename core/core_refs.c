/* References between configuration objects: everything that is named exists, and nothing that is named goes away. */
#include <stdio.h>
#include <string.h>

#include "core/action.h"
#include "core/agent_state.h"
#include "core/core_int.h"

const ProtobufCMessage *core_refs_get(const struct cfg_change *ch, enum cfg_kind kind, const char *name)
{
    const struct cfg *o = map_get(&ch->set[kind], name);
    if (!o && !map_get(&ch->remove[kind], name))
        o = core_cfg(ch->c, kind, name);
    return o ? o->msg : NULL;
}

static int missing(struct cfg_change *ch, const char *path, const char *field, enum cfg_kind kind, const char *name)
{
    char where[192];
    (void)snprintf(where, sizeof where, "%s.%s", path, field);
    bool goes = map_get(&ch->remove[kind], name) != NULL;
    return core_refuse(ch->c, goes ? ERR_CONFLICT : ERR_INVAL, where, "there is %s %s %.64s",
                       goes ? "after this no" : "no", config_kind_name(kind), name);
}

static int need(struct cfg_change *ch, const char *path, const char *field, enum cfg_kind kind, const char *name)
{
    return name[0] && !core_refs_get(ch, kind, name) ? missing(ch, path, field, kind, name) : 0;
}

/* Whether a caller led there will find a flow: NAME@draft is the flow as well. */
static bool flow_there(const struct cfg_change *ch, const char *flow)
{
    char name[CORE_NAME_MAX];
    if (!config_draft_of(flow, name))
        return core_refs_get(ch, CFG_FLOW, flow);
    return core_refs_get(ch, CFG_FLOW_DRAFT, name) || core_refs_get(ch, CFG_FLOW, name);
}

static int need_flow(struct cfg_change *ch, const char *path, const char *flow)
{
    char name[CORE_NAME_MAX];
    if (!flow[0] || flow_there(ch, flow))
        return 0;
    return missing(ch, path, "flow", CFG_FLOW, config_draft_of(flow, name) ? name : flow);
}

/* That one of them is named has been checked (config_check). */
static int check_place(struct cfg_change *ch, const char *path, const char *flow, const char *queue,
                       const char *extension, const char *agent)
{
    int err = need_flow(ch, path, flow);
    if (!err)
        err = need(ch, path, "queue", CFG_QUEUE, queue);
    if (!err)
        err = need(ch, path, "extension", CFG_EXTENSION, extension);
    return err ? err : need(ch, path, "agent", CFG_AGENT, agent);
}

static int check_access(struct cfg_change *ch, const Ev__AccessNumber *m, const char *path)
{
    int err = check_place(ch, path, m->flow, m->queue, m->extension, m->agent);
    if (!err)
        err = need(ch, path, "dedicated_agent", CFG_AGENT, m->dedicated_agent);
    for (size_t i = 0; i < m->n_schedule && !err; i++) {
        const Ev__ScheduleEntry *e = m->schedule[i];
        char entry[160];
        (void)snprintf(entry, sizeof entry, "%s.schedule[%zu]", path, i);
        err = need(ch, entry, "time_group", CFG_TIME_GROUP, e->time_group);
        if (!err)
            err = check_place(ch, entry, e->flow, e->queue, e->extension, e->agent);
    }
    return err;
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

struct action_refs {
    struct cfg_change *ch;
    const char *path;
    const struct cfg *named; /* whether this is what an action names */
};

static int check_action(void *ctx, const Ev__Action *a, const char *path)
{
    const struct action_refs *r = ctx;
    enum cfg_kind kind = action_type(a->type)->refers;
    char field[ERR_INFO_FIELD_MAX];
    (void)snprintf(field, sizeof field, "%.100s.target", path);
    return kind && !core_refs_get(r->ch, kind, a->target) ? missing(r->ch, r->path, field, kind, a->target) : 0;
}

static int names_by_action(void *ctx, const Ev__Action *a, const char *path)
{
    const struct cfg *o = ((const struct action_refs *)ctx)->named;
    (void)path;
    return action_type(a->type)->refers == o->kind && strcmp(a->target, o->name) == 0;
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

static int check_set(struct cfg_change *ch, const struct cfg *o, const char *path)
{
    if (o->kind == CFG_AGENT) {
        const Ev__Agent *a = (const Ev__Agent *)(const void *)o->msg;
        if (!core_refs_get(ch, CFG_EXTENSION, a->extension))
            return missing(ch, path, "extension", CFG_EXTENSION, a->extension);
        return check_customers(ch, a, path);
    } else if (o->kind == CFG_QUEUE) {
        const Ev__Queue *q = (const Ev__Queue *)(const void *)o->msg;
        struct map seen;
        map_init(&seen);
        int err = 0;
        for (size_t i = 0; i < q->n_members && !err; i++) {
            char field[48];
            const char *name = q->members[i]->agent;
            (void)snprintf(field, sizeof field, "members[%zu].agent", i);
            if (!core_refs_get(ch, CFG_AGENT, name))
                err = missing(ch, path, field, CFG_AGENT, name);
            else if (map_get(&seen, name))
                err = core_refuse(ch->c, ERR_INVAL, path, "agent %.64s is a member twice", name);
            else if (map_set(&seen, name, ch) != 0)
                core_oom();
        }
        map_free(&seen);
        for (size_t i = 0; i < q->n_overflow && !err; i++) {
            char field[48];
            (void)snprintf(field, sizeof field, "overflow[%zu].queue", i);
            err = need(ch, path, field, CFG_QUEUE, q->overflow[i]->queue);
        }
        if (!err)
            err = need(ch, path, "callback_trunk", CFG_TRUNK, q->callback_trunk);
        return err ? err : need(ch, path, "vip_lookup", CFG_LOOKUP, q->vip_lookup);
    } else if (o->kind == CFG_LOOKUP) {
        const Ev__Lookup *l = (const Ev__Lookup *)(const void *)o->msg;
        int err = 0;
        for (size_t i = 0; i < l->n_headers && !err; i++) {
            char field[48];
            (void)snprintf(field, sizeof field, "headers[%zu].secret", i);
            err = need(ch, path, field, CFG_SECRET, l->headers[i]->secret);
        }
        return err;
    } else if (o->kind == CFG_TRUNK) {
        return need(ch, path, "secret", CFG_SECRET, ((const Ev__Trunk *)(const void *)o->msg)->secret);
    } else if (o->kind == CFG_ACCESS_NUMBER) {
        return check_access(ch, (const Ev__AccessNumber *)(const void *)o->msg, path);
    } else if (o->kind == CFG_VIP) {
        char number[NUMBER_MAX];
        return need(ch, path, "entry", CFG_QUEUE, config_vip_queue(o->name, number));
    } else if (o->kind == CFG_TIME_GROUP) {
        const Ev__TimeGroup *t = (const Ev__TimeGroup *)(const void *)o->msg;
        return need(ch, path, "holidays", CFG_HOLIDAY_LIST, t->holidays);
    } else if (o->kind == CFG_AGENT_STATE) {
        return check_code(ch, o, path);
    } else if (o->kind == CFG_EXTENSION) {
        const Ev__Extension *x = (const Ev__Extension *)(const void *)o->msg;
        const struct ext *e = core_ext_find(ch->c, o->name);
        if (x->disabled && e && e->agent)
            return core_refuse(ch->c, ERR_CONFLICT, path, "agent %.64s is logged in there", e->agent->number);
    }
    return 0;
}

int core_refs_check_set(struct cfg_change *ch, const struct cfg *o, const char *path)
{
    int err = check_set(ch, o, path);
    return err ? err : action_each(o->msg, check_action, &(struct action_refs){ch, path, NULL});
}

static int in_use(struct cfg_change *ch, const struct cfg *o, const char *by_kind, const char *by)
{
    char where[128];
    (void)snprintf(where, sizeof where, "%s/%s", config_kind_name(o->kind), o->name);
    return core_refuse(ch->c, ERR_CONFLICT, where, "%s %.64s is in use by %s %.64s", config_kind_name(o->kind), o->name,
                       by_kind, by);
}

/* Whether callers led to `flow` will find none without this flow or draft. */
static bool leads_to(const struct cfg_change *ch, const struct cfg *o, const char *flow)
{
    char name[CORE_NAME_MAX];
    if (!config_draft_of(flow, name))
        return o->kind == CFG_FLOW && strcmp(flow, o->name) == 0;
    return strcmp(name, o->name) == 0 && !flow_there(ch, flow);
}

static bool is_place(const struct cfg_change *ch, const struct cfg *o, const char *flow, const char *queue,
                     const char *extension, const char *agent)
{
    if (o->kind == CFG_FLOW || o->kind == CFG_FLOW_DRAFT)
        return leads_to(ch, o, flow);
    const char *name = o->kind == CFG_QUEUE       ? queue
                       : o->kind == CFG_EXTENSION ? extension
                       : o->kind == CFG_AGENT     ? agent
                                                  : "";
    return strcmp(name, o->name) == 0;
}

/* Does `other`, as it will be, name the object? */
static bool names(const struct cfg_change *ch, const struct cfg *o, enum cfg_kind other_kind,
                  const ProtobufCMessage *other)
{
    if (other_kind == CFG_AGENT)
        return o->kind == CFG_EXTENSION && strcmp(((const Ev__Agent *)(const void *)other)->extension, o->name) == 0;
    if (other_kind == CFG_LOOKUP) {
        const Ev__Lookup *l = (const Ev__Lookup *)(const void *)other;
        for (size_t i = 0; o->kind == CFG_SECRET && i < l->n_headers; i++) {
            if (strcmp(l->headers[i]->secret, o->name) == 0)
                return true;
        }
        return false;
    }
    if (other_kind == CFG_TRUNK)
        return o->kind == CFG_SECRET && strcmp(((const Ev__Trunk *)(const void *)other)->secret, o->name) == 0;
    if (other_kind == CFG_QUEUE) {
        const Ev__Queue *q = (const Ev__Queue *)(const void *)other;
        if (o->kind == CFG_LOOKUP)
            return strcmp(q->vip_lookup, o->name) == 0;
        if (o->kind == CFG_TRUNK)
            return strcmp(q->callback_trunk, o->name) == 0;
        for (size_t i = 0; o->kind == CFG_AGENT && i < q->n_members; i++) {
            if (strcmp(q->members[i]->agent, o->name) == 0)
                return true;
        }
        for (size_t i = 0; o->kind == CFG_QUEUE && i < q->n_overflow; i++) {
            if (strcmp(q->overflow[i]->queue, o->name) == 0)
                return true;
        }
        return false;
    }
    if (other_kind == CFG_FLOW)
        return o->kind == CFG_FLOW && ch->c->feature_level >= 4 &&
               core_flow_calls(((const Ev__Flow *)(const void *)other)->definition, o->name);
    char number[NUMBER_MAX];
    if (other_kind == CFG_VIP)
        return o->kind == CFG_QUEUE &&
               strcmp(config_vip_queue(((const Ev__VipEntry *)(const void *)other)->entry, number), o->name) == 0;
    if (other_kind == CFG_TIME_GROUP)
        return o->kind == CFG_HOLIDAY_LIST &&
               strcmp(((const Ev__TimeGroup *)(const void *)other)->holidays, o->name) == 0;
    const Ev__AccessNumber *m = (const Ev__AccessNumber *)(const void *)other;
    bool yes = is_place(ch, o, m->flow, m->queue, m->extension, m->agent) ||
               (o->kind == CFG_AGENT && strcmp(m->dedicated_agent, o->name) == 0);
    for (size_t i = 0; i < m->n_schedule && !yes; i++) {
        const Ev__ScheduleEntry *e = m->schedule[i];
        yes = is_place(ch, o, e->flow, e->queue, e->extension, e->agent) ||
              (o->kind == CFG_TIME_GROUP && strcmp(e->time_group, o->name) == 0);
    }
    return yes;
}

/* The first by name, so that every node says the same. */
static const char *user_in(struct cfg_change *ch, const struct cfg *o, enum cfg_kind kind)
{
    const char *first = NULL;
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&ch->c->cfg[kind], &it, &slot);) {
        const struct cfg *u = slot->value;
        const ProtobufCMessage *after = core_refs_get(ch, kind, u->name);
        if (!after || (first && strcmp(u->name, first) > 0))
            continue;
        if (names(ch, o, kind, after) || action_each(after, names_by_action, &(struct action_refs){.named = o}))
            first = u->name;
    }
    return first;
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
    static const enum cfg_kind users[] = {CFG_AGENT,      CFG_QUEUE, CFG_LOOKUP, CFG_ACCESS_NUMBER,
                                          CFG_TIME_GROUP, CFG_VIP,   CFG_TRUNK,  CFG_FLOW};
    const char *agent;
    if (o->kind == CFG_AGENT_STATE && !agent_state_find_builtin(o->name) && core_state_in_use(ch->c, o->name, &agent))
        return in_use(ch, o, "agent", agent);
    if (o->kind != CFG_EXTENSION && o->kind != CFG_AGENT && o->kind != CFG_QUEUE && o->kind != CFG_FLOW &&
        o->kind != CFG_FLOW_DRAFT && o->kind != CFG_TIME_GROUP && o->kind != CFG_HOLIDAY_LIST &&
        o->kind != CFG_SECRET && o->kind != CFG_LOOKUP && o->kind != CFG_TRUNK)
        return 0;
    for (unsigned i = 0; i < sizeof users / sizeof users[0]; i++) {
        const char *by = user_in(ch, o, users[i]);
        if (by)
            return in_use(ch, o, config_kind_name(users[i]), by);
    }
    return check_live(ch, o);
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
