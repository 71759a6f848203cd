/* Calls whose both parties are called by us: first a telephone of ours, then, once that has answered, a number outside (`called`). Call
 * backs of queues begin so (core_callback.c), and calls that agents ask for by click (core_click.c), also those to somebody here. One that is
 * rung for another call (core_join.c) begins likewise, with whomever it may be; once he has answered there is nobody else to be called.
 *
 *   begun (no leg) ─offer─► OFFERED or DIALLING ─OfferAnswered─► DIALLING outside ─OfferAnswered─► TALKING
 *        │ nobody answers: gone without a record                 │ in vain: FAILED, record
 *
 * The telephone that answered is the call's first leg, in the place where a caller stands in other calls: his dialog is one that we
 * began, and all else (holds, takeover, records, the agent's state) is as for a caller who dials out. Which number is dialled, through
 * which trunk and as whom stands in the call from its beginning: a new owner needs to know nothing else. */
#include <stdio.h>
#include <string.h>

#include "core/core_int.h"

#define NO_NODE 0xfffu /* in the place of the bits of a node (node/ident.h): made by apply */

uint64_t core_id_new(const struct core *c)
{
    uint64_t id = (c->now_us & ((UINT64_C(1) << 51) - 1)) << 12 | NO_NODE;
    for (;; id += NO_NODE + 1) {
        const struct storage_val v = storage_int(id);
        if (!core_call_obj(c, id) && !core_callback_obj(c, id) &&
            storage_query(c->st, STORAGE_CDR_HAS, &v, 1, core_row_some, NULL) != 1)
            return id;
    }
}

struct call *core_first_begin(struct core *c, const struct core_first *f)
{
    struct call *k = core_call_new(c, core_id_new(c));
    Ev__CallState *s = k->st;
    const char *owner = core_least_loaded(c);
    core_pbset(&s->owner, owner ? owner : c->cmd->node);
    core_pbset(&s->caller_name, f->name);
    core_pbset(&s->called, f->number);
    core_pbset(&s->via_trunk, f->trunk);
    core_pbset(&s->via_caller, f->caller_id);
    s->via_ring_s = f->ring_time_s;
    core_pbset(&s->via_kind, f->kind ? f->kind : "");
    core_pbset(&s->via_agent, f->agent ? f->agent : "");
    s->we_call = true;
    s->phase = CORE_CALL_DIALLING; /* whoever begins it has somebody rung at once */
    core_call_touch(c, k);
    core_ev_call(c, "call.started", k);
    return k;
}

bool core_first_rings(const struct call *k)
{
    return k->st->we_call && !k->st->n_legs && !k->st->answered; /* answered: its leg has gone into another call */
}

const Ev__LegState *core_leg_served(const Ev__CallState *s)
{
    return s->we_call || s->dials_out ? s->n_legs ? s->legs[0] : NULL : s->n_legs > 1 ? s->legs[s->n_legs - 1] : NULL;
}

void core_first_answered(struct core *c, struct call *k, unsigned i, Ev__Dialog **dialog)
{
    Ev__CallState *s = k->st;
    const char *number = core_ring_extension(k, i);
    bool joins = core_join_main(c, k), outside = core_outside(k);
    struct agent *a = outside ? NULL : core_ext_find(c, number)->agent;
    Ev__LegState *l = core_call_add_leg(k, CORE_LEG_CALLER, number, a ? a->number : "");
    l->answered = s->answered = true;
    c->calls_total++;
    s->answered_us = c->now_us;
    l->dialog = *dialog;
    *dialog = NULL;
    core_pbset(&l->queue, s->offer_queue);
    l->direct = !s->offer_queue[0];
    if (!joins) /* else it is who has him called */
        core_pbset(&s->caller, number);
    core_pbset(&s->extension, outside ? "" : number);
    core_pbset(&s->former_owner, "");
    core_pbset(&s->served_queue, strcmp(s->offer_queue, s->queue) != 0 ? s->offer_queue : "");
    core_estimate_answered(c, k);
    core_ring_keep(c, k, i);
    /* From one side of the call to the other: he is never free in between. */
    k->caller = k->callee;
    k->callee = NULL;
    if (joins) { /* he has the caller's seat, wherever he is */
        core_pbset(&s->trunk, s->out_trunk);
        core_pbset(&s->out_trunk, "");
        core_pbset(&s->out_caller, "");
    }
    s->phase = joins ? CORE_CALL_JOINED : CORE_CALL_DIALLING;
    if (a)
        a->pub.answered++;
    core_call_touch(c, k);
    if (a)
        core_agent_refresh(c, a);
    core_ev_call(c, "call.answered", k);
    if (joins) {
        core_join_answered(c, k);
        return;
    }
    const struct core_dial_to to = {.agent = "",
                                    .extension = "",
                                    .number = s->called,
                                    .trunk = s->via_trunk,
                                    .caller_id = s->via_caller,
                                    .ring_time_s = s->via_ring_s};
    uint32_t status;
    const char *cause;
    int err = s->via_kind[0] ? core_click_answered(c, k, &status, &cause) : core_dial(c, k, &to, &status, &cause);
    if (err)
        core_call_fail(c, k, status, cause);
}

void core_first_in_vain(struct core *c, struct call *k, uint32_t status, const char *cause)
{
    if (core_join_in_vain(c, k, status, cause))
        return;
    struct sbuf *b = core_ev_call_begin(c, "call.ended", k);
    if (k->st->via_agent[0])
        sbuf_kv(b, "agent", k->st->via_agent);
    sbuf_kv(b, "ended_by", "system");
    sbuf_kv(b, "cause", cause);
    core_ev_end(c);
    core_callback_unrung(c, k);
    core_call_remove(c, k);
}
