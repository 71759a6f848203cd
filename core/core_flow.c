/* What flows leave with a call: the variables that are shown, the flows it stands in, what it needs in queues. */
#include <jansson.h>
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

void core_flow_moved(Ev__CallState *s, const Ev__CallMenu *m)
{
    if (m->has_variables)
        core_pbset(&s->variables, m->variables);
    set_flows(s, m->n_flows, m->flows);
    if (m->need && m->need->has_priority)
        s->priority = m->need->priority;
    if (m->need)
        core_call_set_needs(s, m->need->n_skills, m->need->skills);
}

/* ---- what programs before level 3 know of flows */

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
    return known;
}

uint32_t core_flow_level(const char *definition)
{
    json_t *flow = json_loads(definition, 0, NULL), *node;
    const char *name;
    /* variables stand in texts as ${name}; whoever sells something for $5 needs the new programs as well */
    bool old = flow && !strchr(definition, '$') && !json_object_get(flow, "variables");
    json_object_foreach(json_object_get(flow, "nodes"), name, node)
    {
        old &= node_is_of_level_1(node);
    }
    json_decref(flow);
    return old ? 1 : 3;
}
