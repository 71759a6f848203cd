/* Numbers outside: which trunk leads there, who may go there, and what he who is called sees.
 *
 * A trunk lets nobody out unless its configuration says so. A call out is an offer like any other (core_offer.c), whose telephone is
 * not one of ours: nobody's state hangs on it, and no agent is busy by it. */
#include <string.h>

#include "base/number.h"
#include "core/core_int.h"

static const Ev__Trunk *trunk_of(const struct cfg *o)
{
    return o ? (const Ev__Trunk *)(const void *)o->msg : NULL;
}

static bool lets_out(const Ev__Trunk *t)
{
    return t && t->outbound && !t->disabled && t->contact[0];
}

/* The only one that lets calls out; NULL: none does, or several. */
static const Ev__Trunk *only_trunk(const struct core *c)
{
    const Ev__Trunk *found = NULL;
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->cfg[CFG_TRUNK], &it, &slot);) {
        const Ev__Trunk *t = trunk_of(slot->value);
        if (!lets_out(t))
            continue;
        if (found)
            return NULL;
        found = t;
    }
    return found;
}

/* ---- whose call out it is */

static const Ev__AgentGroup *group_of(const struct core *c, const Ev__Agent *a)
{
    const struct cfg *o = a && a->group[0] ? core_cfg(c, CFG_AGENT_GROUP, a->group) : NULL;
    return o ? (const Ev__AgentGroup *)(const void *)o->msg : NULL;
}

const char *core_outside_by(const struct core *c, const struct call *k)
{
    const Ev__CallState *s = k->st;
    if (s->forward)
        return core_forward_agent(c, s);
    const char *agent = s->n_legs ? s->legs[0]->agent : s->joined ? s->via_agent : "";
    return agent[0] || !s->left ? agent : s->left->agent;
}

/* ---- which way */

const Ev__Trunk *core_outside_trunk(const struct core *c, const char *name, const char *by, uint32_t *status,
                                    const char **cause)
{
    const Ev__Agent *a = by[0] ? core_agent_config(c, by) : NULL;
    const Ev__AgentGroup *g = group_of(c, a);
    if (!name[0] && a)
        name = a->outbound_trunk;
    if (!name[0] && g)
        name = g->outbound_trunk;
    if (!name[0])
        name = core_parameter(c, "outbound_trunk", "");
    const Ev__Trunk *t = name[0] ? trunk_of(core_cfg(c, CFG_TRUNK, name)) : only_trunk(c);
    if (lets_out(t))
        return t;
    *status = t ? 403 : 404;
    *cause = t ? "not_allowed" : "no_trunk";
    return NULL;
}

/* ---- what is shown there */

static bool permits(const Ev__Trunk *t, const char *number)
{
    char form[NUMBER_MAX], own[NUMBER_MAX];
    struct number_pattern p;
    if (!t->n_caller_ids)
        return true;
    number_form(number, form);
    number_form(t->caller_id, own);
    bool found = t->caller_id[0] && strcmp(form, own) == 0;
    for (size_t i = 0; i < t->n_caller_ids && !found; i++)
        found = number_pattern_parse(t->caller_ids[i], &p, NULL) == 0 && number_pattern_covers(&p, form);
    return found;
}

const char *core_outside_caller(const struct core *c, const struct call *k, const Ev__Trunk *t, const char *asked)
{
    const char *by = core_outside_by(c, k);
    const Ev__Agent *a = by[0] ? core_agent_config(c, by) : NULL;
    const Ev__AgentGroup *g = group_of(c, a);
    const char *const wanted[] = {asked, a ? a->caller_id : "", g ? g->caller_id : ""};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (wanted[i][0] && permits(t, wanted[i]))
            return wanted[i];
    }
    if (t->caller_id[0])
        return t->caller_id;
    return core_access_number(c, k->st->called) && config_is_outside(k->st->called) ? k->st->called : "";
}

const char *core_trunk_credentials(const struct core *c, const char *trunk, const char **user)
{
    const Ev__Trunk *t = trunk && trunk[0] ? trunk_of(core_cfg(c, CFG_TRUNK, trunk)) : NULL;
    const char *password = t && t->username[0] ? core_secret(c, t->secret) : NULL;
    if (password)
        *user = t->username;
    return password;
}

const char *core_trunk_contact(const struct core *c, const char *trunk)
{
    const Ev__Trunk *t = trunk_of(core_cfg(c, CFG_TRUNK, trunk));
    return lets_out(t) ? t->contact : NULL;
}
