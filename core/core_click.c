/* Click to dial: an agent's telephone is rung first, then whomever he asked for, outside or here (AgentDial).
 *
 * The call is one of core_first.c. Where it leads is looked at twice: now, so that who asks hears at once what is in the way, and again,
 * for good, when his telephone has answered. Outside, it stays a call whose both parties are called by us; a side that is here is reached as
 * if his telephone had dialled it, and from then on the call is an ordinary one whose caller is that telephone. */
#include <stdio.h>
#include <string.h>

#include "core/core_int.h"

/* Whom the agent wants to talk with. */
struct side {
    struct core_route route; /* holds the text */
    const char *kind, *called, *field;
    struct core_dial_to to; /* somebody who is rung at once */
};

static int dialled_side(struct core *c, const struct agent *a, const Ev__AgentDial *m, struct side *o)
{
    struct core_route *r = &o->route;
    core_route(c, c->now_us, a->extension, m->number, r);
    bool ours =
        !m->outside && r->kind != CORE_ROUTE_NONE &&
        (r->kind != CORE_ROUTE_OUTSIDE || core_access_number(c, m->number)); /* else by the prefix of telephones */
    if (!ours && !config_is_outside(m->number))
        return core_refuse(c, ERR_NOTFOUND, "number", "there is no number %.64s", m->number);
    if (ours && r->kind == CORE_ROUTE_APP && strncmp(r->name, "code:", 5) == 0)
        return core_refuse(c, ERR_DENIED, "number", "%.64s is for telephones", m->number);
    o->field = "number";
    o->kind = ours ? "dialled" : "";
    o->called = m->number;
    if (!ours)
        o->to.number = m->number;
    else if (r->kind == CORE_ROUTE_OUTSIDE)
        o->to.number = r->name;
    else if (r->kind == CORE_ROUTE_EXTENSION)
        o->to.extension = r->name;
    else if (r->kind == CORE_ROUTE_AGENT)
        o->to.agent = r->name;
    return 0;
}

static int side_of(struct core *c, const struct agent *a, const Ev__AgentDial *m, struct side *o)
{
    o->to = (struct core_dial_to){"", "", "", "", "", 0, a->number};
    if ((m->number[0] != 0) + (m->to_agent[0] != 0) + (m->to_extension[0] != 0) != 1)
        return core_refuse(c, ERR_INVAL, "number", "exactly one of number, agent, extension is needed");
    if (m->number[0])
        return dialled_side(c, a, m, o);
    bool agent = m->to_agent[0] != '\0';
    o->field = o->kind = agent ? "agent" : "extension";
    o->called = agent ? m->to_agent : m->to_extension;
    *(agent ? &o->to.agent : &o->to.extension) = o->called;
    return 0;
}

static int check_side(struct core *c, const struct agent *a, const struct side *o)
{
    const struct core_dial_to *to = &o->to;
    uint32_t status;
    const char *cause;
    if (!to->number[0] && !to->agent[0] && !to->extension[0])
        return 0; /* a queue, a flow, an echo */
    if (strcmp(to->agent, a->number) == 0 || strcmp(to->extension, a->extension) == 0)
        return core_refuse(c, ERR_CONFLICT, o->field, "that is his own telephone");
    int err = core_dial_check(c, to, CORE_FORWARD_ANYWHERE, &status, &cause);
    if (err == ERR_BUSY)
        err = ERR_CONFLICT; /* the other one's state, not a want of room */
    return err ? core_refuse(c, err, o->field, "%.64s cannot be called now: %s", o->called, cause) : 0;
}

static struct agent *caller(struct core *c, const Ev__AgentDial *m)
{
    struct agent *a = core_agent_obj(c, m->agent);
    int err;
    if (!a)
        err = core_refuse(c, ERR_NOTFOUND, "", "there is no agent %.64s", m->agent);
    else if (!a->ext || a->logout)
        err = core_refuse(c, ERR_BADSTATE, "", "agent %.64s is not logged in", m->agent);
    else if (a->ext->n_calls)
        err = core_refuse(c, ERR_CONFLICT, "", "telephone %.64s of agent %.64s is in use", a->extension, m->agent);
    else if (!core_reachable(c, a->extension))
        err = core_refuse(c, ERR_BADSTATE, "", "telephone %.64s of agent %.64s cannot be reached", a->extension,
                          m->agent);
    else
        return a;
    (void)err;
    return NULL;
}

static void answer_call(struct core *c, uint64_t id)
{
    struct sbuf b = {0};
    sbuf_puts(&b, "{");
    sbuf_kv_id(&b, "call_id", id);
    sbuf_puts(&b, "}");
    c->ans->json = b.p;
    c->ans->call_id = id;
}

/* With what is known of whom he calls; NULL: that is refused. */
static struct call *begin(struct core *c, const Ev__AgentDial *m, const struct core_first *f)
{
    Ev__CallState known = EV__CALL_STATE__INIT;
    struct call *k = !m->known || core_data_say(c, &known, m->known) == 0 ? core_first_begin(c, f) : NULL;
    if (k)
        core_data_copy(k->st, &known);
    core_pbset(&known.customer, "");
    core_pbset(&known.notes, "");
    core_pbset(&known.data, "");
    return k;
}

int core_agent_dial(struct core *c, const Ev__AgentDial *m)
{
    struct side o = {.called = ""};
    struct agent *a = caller(c, m);
    int err = a ? side_of(c, a, m, &o) : c->ans->code;
    if (!err && m->caller_id[0] && !config_is_outside(m->caller_id))
        err = core_refuse(c, ERR_INVAL, "caller_id", "is no number that can be shown outside");
    if (!err)
        err = check_side(c, a, &o);
    if (err)
        return err;
    const struct core_first f = {
        .number = o.called, .name = "", .trunk = "", .caller_id = m->caller_id, .kind = o.kind, .agent = a->number};
    struct call *k = begin(c, m, &f);
    if (!k)
        return c->ans->code;
    k->st->of_call = m->of_call;
    core_first_ring(c, k, a->number, a->extension);
    answer_call(c, k->st->call_id);
    return 0;
}

int core_click_answered(struct core *c, struct call *k, uint32_t *status, const char **cause)
{
    Ev__CallState *s = k->st;
    struct core_dial_to to = {"", "", "", "", "", 0, NULL};
    s->we_call = false;
    if (strcmp(s->via_kind, "dialled") == 0) {
        core_call_lead(c, k);
        return 0;
    }
    *(strcmp(s->via_kind, "agent") == 0 ? &to.agent : &to.extension) = s->called;
    return core_dial(c, k, &to, status, cause);
}
