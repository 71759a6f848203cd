/* Supervisors in the calls of what they manage.
 *
 *   CallSupervise ─► a call of the supervisor's own, joined to it (core_join.c): LISTEN ─► mode listen, WHISPER ─► whisper, BARGE ─► party
 *                    TAKE_OVER ─► listens until his telephone is there, then his leg takes the seat of the agent, who leaves (core_merge.c)
 *   again         ─► he takes part in the new way: at once, or (it still rings) when he has answered
 *
 * By whom and how is in the state (`supervisor`, `supervises`) from the start, so that a new owner goes on with it. Whose call it may be is looked at
 * here, inside apply: by what the supervisor manages at that moment, whoever asks for it, and however. */
#include <stdio.h>
#include <string.h>

#include "core/core_int.h"
#include "core/scope.h"

static uint32_t mode_of(unsigned how)
{
    static const uint32_t modes[] = {
        [EV__CALL_SUPERVISE__HOW__LISTEN] = CORE_MODE_LISTEN,
        [EV__CALL_SUPERVISE__HOW__WHISPER] = CORE_MODE_WHISPER,
        [EV__CALL_SUPERVISE__HOW__BARGE] = CORE_MODE_PARTY,
        [EV__CALL_SUPERVISE__HOW__TAKE_OVER] = CORE_MODE_LISTEN, /* for the moment until he has the seat */
    };
    return modes[how];
}

/* The agent's leg: whose place he takes. */
static unsigned agents_leg(const struct call *main)
{
    return core_call_who(main->st, 0, "");
}

static int take_over(struct core *c, struct call *main, struct call *k)
{
    Ev__CallMerge m = EV__CALL_MERGE__INIT;
    m.call_id = main->st->call_id;
    m.leg_id = (uint32_t)main->st->legs[agents_leg(main)]->id;
    m.from = k->st->call_id;
    return core_call_merge(c, &m);
}

void core_supervise_joined(struct core *c, struct call *k)
{
    struct call *main = core_join_main(c, k);
    if (main && k->st->supervisor[0] && k->st->supervises == EV__CALL_SUPERVISE__HOW__TAKE_OVER)
        (void)take_over(c, main, k); /* a call that talks, one that has joined it: there is no reason to refuse */
}

/* ---- who, and which call */

static int find_supervisor(struct core *c, const Ev__CallSupervise *m, const Ev__Agent **out)
{
    const struct call *from = m->from ? core_call_obj(c, m->from) : NULL;
    const char *number = m->supervisor, *extension = from ? from->st->extension : "";
    if (from && from->st->supervisor[0])
        number = from->st->supervisor;
    else if (!number[0] && from) {
        const struct core_agent *in = core_agent_at_extension(c, extension);
        const Ev__Agent *bound = core_agent_bound_to(c, extension);
        number = in ? in->number : bound ? bound->number : "";
    }
    if (m->from && !from)
        return core_refuse(c, ERR_NOTFOUND, "from", "there is no such call");
    const Ev__Agent *a = core_agent_config(c, number);
    if (!a)
        return core_refuse(c, ERR_DENIED, "supervisor", number[0] ? "there is no agent %.64s" : "nobody is there%.0s",
                           number);
    if (strcmp(a->type, "supervisor") != 0)
        return core_refuse(c, ERR_DENIED, "supervisor", "agent %.64s is no supervisor", number);
    *out = a;
    return 0;
}

static struct call *find_call(struct core *c, const Ev__CallSupervise *m, const Ev__Agent *who)
{
    uint64_t id = m->call_id;
    if (m->agent[0]) {
        const struct core_agent *a = core_agent(c, m->agent);
        if (!a) {
            (void)core_refuse(c, ERR_NOTFOUND, "agent", "there is no agent %.64s", m->agent);
            return NULL;
        }
        if (!core_manages_agent(c, who->number, m->agent)) {
            (void)core_refuse(c, ERR_DENIED, "agent", "agent %.64s does not manage agent %.64s", who->number, m->agent);
            return NULL;
        }
        if (a->state != CORE_AGENT_TALKING) {
            (void)core_refuse(c, ERR_BADSTATE, "agent", "agent %.64s is not talking", m->agent);
            return NULL;
        }
        id = a->call_id;
    } else if (!id) {
        id = m->from;
    }
    struct call *main = core_join_talking(c, id);
    if (main && !core_manages_call(c, who->number, main->st->call_id)) {
        (void)core_refuse(c, ERR_DENIED, "call_id", "agent %.64s manages no queue and no agent of the call",
                          who->number);
        return NULL;
    }
    return main;
}

/* His own call by which he is there already. */
static struct call *his(const struct call *main, const Ev__Agent *who)
{
    list_foreach(it, &main->parties) {
        struct call *k = list_entry(it, struct call, party);
        if (strcmp(k->st->supervisor, who->number) == 0)
            return k;
    }
    return NULL;
}

/* ---- what he does */

static void tell(struct core *c, const struct call *main, const Ev__Agent *who, unsigned how)
{
    static const char *const names[] = {"listen", "whisper", "barge", "take_over"};
    struct sbuf *b = core_ev_call_begin(c, "call.supervised", main);
    sbuf_kv(b, "supervisor", who->number);
    sbuf_kv(b, "how", names[how]);
    core_ev_end(c);
}

static int change(struct core *c, struct call *main, struct call *k, unsigned how)
{
    k->st->supervises = how;
    core_call_touch(c, k);
    if (k->st->phase == CORE_CALL_JOINED && how == EV__CALL_SUPERVISE__HOW__TAKE_OVER)
        return take_over(c, main, k);
    Ev__CallMode m = EV__CALL_MODE__INIT;
    m.call_id = main->st->call_id;
    m.from = k->st->call_id;
    m.mode = mode_of(how);
    return core_call_mode(c, &m);
}

static int join(struct core *c, struct call *main, const Ev__CallSupervise *m, const Ev__Agent *who)
{
    const struct core_agent *at = core_agent(c, who->number);
    Ev__CallJoin j = EV__CALL_JOIN__INIT;
    j.call_id = main->st->call_id;
    j.mode = mode_of(m->how);
    j.from = m->from;
    if (!m->from)
        j.extension = (char *)(uintptr_t)(m->extension[0]          ? m->extension
                                          : at && at->extension[0] ? at->extension
                                                                   : who->extension);
    int err = core_join(c, &j, who->number);
    if (err)
        return err;
    struct call *k = his(main, who);
    if (!k)
        return 0; /* he could not be rung after all: that call is over */
    k->st->supervises = m->how;
    core_call_touch(c, k);
    if (m->from)
        core_supervise_joined(c, k);
    return 0;
}

int core_call_supervise(struct core *c, const Ev__CallSupervise *m)
{
    const Ev__Agent *who = NULL;
    if ((unsigned)m->how > EV__CALL_SUPERVISE__HOW__TAKE_OVER)
        return core_refuse(c, ERR_UNSUPPORTED, "how", "unknown way");
    int err = find_supervisor(c, m, &who);
    struct call *main = err ? NULL : find_call(c, m, who);
    if (!main)
        return c->ans->code;
    for (unsigned i = 0; i < 2; i++) {
        if (strcmp(main->st->legs[i]->agent, who->number) == 0)
            return core_refuse(c, ERR_BADSTATE, "call_id", "agent %.64s is a party of the call", who->number);
    }
    struct call *k = his(main, who);
    if (k && m->from && k->st->call_id != m->from)
        return core_refuse(c, ERR_BUSY, "from", "agent %.64s is in the call already", who->number);
    char number[CORE_NAME_MAX];
    (void)snprintf(number, sizeof number, "%s", who->number);
    tell(c, main, who, m->how);
    err = k ? change(c, main, k, m->how) : join(c, main, m, who);
    if (!err)
        c->ans->call_id = main->st->call_id;
    return err;
}
