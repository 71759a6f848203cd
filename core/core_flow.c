/* What flows leave with a call: the variables that are shown, the flows it stands in, what it needs in queues. And what flows
 * were before: a call goes on in the versions that it began with, so those stay while a call names them. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"

void core_call_set_needs(Ev__CallState *s, size_t n, Ev__SkillNeed *const *needs)
{
    if (!n)
        return;
    for (size_t i = 0; i < s->n_needs; i++)
        ev__skill_need__free_unpacked(s->needs[i], NULL);
    s->needs = core_grow(s->needs, n * sizeof(Ev__SkillNeed *));
    for (s->n_needs = 0; s->n_needs < n; s->n_needs++) {
        Ev__SkillNeed *need = core_alloc(sizeof *need);
        ev__skill_need__init(need);
        core_pbset(&need->skill, needs[s->n_needs]->skill);
        need->level = needs[s->n_needs]->level;
        s->needs[s->n_needs] = need;
    }
}

static void set_flows(Ev__CallState *s, size_t n, Ev__FlowRef *const *flows)
{
    if (!n)
        return;
    for (size_t i = 0; i < s->n_flows; i++)
        ev__flow_ref__free_unpacked(s->flows[i], NULL);
    s->flows = core_grow(s->flows, n * sizeof(Ev__FlowRef *));
    for (s->n_flows = 0; s->n_flows < n; s->n_flows++) {
        Ev__FlowRef *f = core_alloc(sizeof *f);
        ev__flow_ref__init(f);
        core_pbset(&f->name, flows[s->n_flows]->name);
        f->version = flows[s->n_flows]->version;
        s->flows[s->n_flows] = f;
    }
}

void core_flow_moved(Ev__CallState *s, const Ev__CallMenu *m, uint64_t level)
{
    if (m->has_variables)
        core_pbset(&s->variables, m->variables);
    if (m->has_variables && level >= 4)
        core_data_learn(s, m->variables);
    set_flows(s, m->n_flows, m->flows);
    if (m->need && m->need->has_priority)
        s->priority = m->need->priority;
    if (m->need)
        core_call_set_needs(s, m->need->n_skills, m->need->skills);
}

/* ---- versions: the present one is the configuration's, former ones have a table */

/* What a call that comes now gets: of NAME@draft the draft, or what is live while there is none. */
static const struct cfg *stands_for(const struct core *c, const char *name)
{
    char flow[CORE_NAME_MAX];
    if (!config_draft_of(name, flow))
        return core_cfg(c, CFG_FLOW, name);
    const struct cfg *draft = core_cfg(c, CFG_FLOW_DRAFT, flow);
    return draft ? draft : core_cfg(c, CFG_FLOW, flow);
}

static const char *definition_of(const struct cfg *o)
{
    return o->kind == CFG_FLOW_DRAFT ? ((const Ev__FlowDraft *)(const void *)o->msg)->definition
                                     : ((const Ev__Flow *)(const void *)o->msg)->definition;
}

void core_flow_began(const struct core *c, Ev__CallState *s)
{
    const struct cfg *f = stands_for(c, s->flow);
    Ev__FlowRef ref = EV__FLOW_REF__INIT, *one = &ref;
    if (f && f->kind == CFG_FLOW && strcmp(s->flow, f->name) != 0)
        core_pbset(&s->flow, f->name);
    ref.name = s->flow;
    ref.version = core_flow_version(c, s->flow);
    if (ref.version)
        set_flows(s, 1, &one);
}

static bool in_use(const struct core *c, const char *name, uint64_t version)
{
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->calls, &it, &slot);) {
        const Ev__CallState *s = ((const struct call *)slot->value)->st;
        for (size_t i = 0; i < s->n_flows; i++)
            if (s->flows[i]->version == version && strcmp(s->flows[i]->name, name) == 0)
                return true;
    }
    return false;
}

struct versions {
    uint64_t *v;
    size_t n;
};

static int version_row(void *ctx, const struct storage_row *row)
{
    struct versions *old = ctx;
    old->v = core_grow(old->v, (old->n + 1) * sizeof *old->v);
    old->v[old->n++] = storage_row_int(row, 0);
    return 0;
}

void core_flow_keep(struct core *c, const struct cfg *o)
{
    bool draft = o->kind == CFG_FLOW_DRAFT;
    char name[CORE_NAME_MAX + sizeof CONFIG_DRAFT];
    (void)snprintf(name, sizeof name, "%s%s", o->name, draft ? CONFIG_DRAFT : "");
    const struct storage_val v[] = {storage_text(name),
                                    storage_int(o->version),
                                    storage_int(o->updated_us),
                                    storage_int(c->now_us),
                                    storage_text(definition_of(o)),
                                    storage_text(draft ? "" : ((const Ev__Flow *)(const void *)o->msg)->note)};
    if (!draft || in_use(c, name, o->version))
        storage_run(c->st, STORAGE_FLOW_VERSION_PUT, v, 6);
    struct versions old = {NULL, 0};
    /* A query that fails has made the transaction fail: nothing of this is kept. */
    if (storage_query(c->st, STORAGE_FLOW_VERSION_ALL, v, 1, version_row, &old) == 0)
        for (size_t i = draft ? 0 : CORE_FLOW_VERSIONS_KEPT; i < old.n; i++) {
            const struct storage_val gone[] = {storage_text(name), storage_int(old.v[i])};
            if (!in_use(c, name, old.v[i]))
                storage_run(c->st, STORAGE_FLOW_VERSION_DEL, gone, 2);
        }
    free(old.v);
}

void core_flow_left(struct core *c, const Ev__CallState *s)
{
    char flow[CORE_NAME_MAX];
    for (size_t i = 0; i < s->n_flows; i++) {
        const Ev__FlowRef *f = s->flows[i];
        if (!config_draft_of(f->name, flow) || in_use(c, f->name, f->version))
            continue;
        const struct storage_val gone[] = {storage_text(f->name), storage_int(f->version)};
        storage_run(c->st, STORAGE_FLOW_VERSION_DEL, gone, 2); /* the present draft is not in the table */
    }
}

uint64_t core_flow_version(const struct core *c, const char *name)
{
    const struct cfg *f = stands_for(c, name);
    return core_mailbox_flow(name) ? core_mailbox_flow_version(c, name) : f ? f->version : 0;
}

static int definition_row(void *ctx, const struct storage_row *row)
{
    char **text = ctx;
    *text = strdup(storage_row_text(row, 0));
    return *text ? 1 : ERR_NOMEM;
}

int core_flow_definition(const struct core *c, const char *name, uint64_t *version, char **out)
{
    const struct cfg *f = stands_for(c, name);
    char *text = NULL;
    if (core_mailbox_flow(name)) {
        *version = *version ? *version : core_flow_version(c, name);
        return core_mailbox_flow_definition(c, name, out);
    }
    if (f && (!*version || *version == f->version)) {
        text = strdup(definition_of(f));
        if (!text)
            return ERR_NOMEM;
        *version = f->version;
    } else if (*version) {
        const struct storage_val v[] = {storage_text(name), storage_int(*version)};
        int rc = storage_query(c->st, STORAGE_FLOW_VERSION_GET, v, 2, definition_row, &text);
        if (rc < 0)
            return rc;
    }
    if (!text)
        return ERR_NOTFOUND;
    *out = text;
    return 0;
}

/* ---- what programs before level 3 know of flows */

/* {"text": ...}, for synthesis */
static bool says_texts(const json_t *node, const char *field)
{
    size_t i;
    const json_t *prompt;
    json_array_foreach(json_object_get(node, field), i, prompt)
    {
        if (json_object_get(prompt, "text"))
            return true;
    }
    return false;
}

/* Fields and types that came with level 4. */
static bool node_is_of_level_4(const json_t *node)
{
    const char *type = json_string_value(json_object_get(node, "type"));
    static const char *const types[] = {"record", "voicemail", "notices", "callback", "mailbox", "listen"};
    bool newest = type && strcmp(type, "queue") == 0 && json_object_get(node, "agent");
    for (size_t i = 0; type && i < sizeof types / sizeof *types; i++)
        newest |= strcmp(type, types[i]) == 0;
    return newest;
}

static bool node_is_of_level_1(const json_t *node)
{
    static const char *const types[] = {"play", "menu", "queue", "agent", "language", "parent", "top", "hangup"};
    static const char *const later[] = {"priority", "skills", "data"};
    const char *type = json_string_value(json_object_get(node, "type"));
    bool known = false;
    for (size_t i = 0; type && i < sizeof types / sizeof *types; i++)
        known |= strcmp(types[i], type) == 0;
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        known &= !json_object_get(node, later[i]);
    return known && !says_texts(node, "prompts") && !says_texts(node, "invalid_prompts") &&
           !says_texts(node, "timeout_prompts");
}

uint32_t core_flow_level(const char *definition)
{
    json_t *flow = json_loads(definition, 0, NULL), *node;
    const char *name;
    /* variables stand in texts as ${name}; whoever sells something for $5 needs the new programs as well */
    bool old = flow && !strchr(definition, '$') && !json_object_get(flow, "variables");
    bool newest = false;
    json_object_foreach(json_object_get(flow, "nodes"), name, node)
    {
        old &= node_is_of_level_1(node);
        newest |= node_is_of_level_4(node);
    }
    json_decref(flow);
    newest |= strstr(definition, "data.") != NULL; /* what is known of the caller is read */
    return newest ? 4 : old ? 1 : 3;
}
