/* What a telephone does with its other calls, or with those of others, by naming a dialog: Replaces (RFC 3891) in a REFER or an INVITE.
 *
 *   REFER in M: T ── A, naming N: T ── C (T has called C to ask him)
 *      C talks with T     ─► A ── C: C's leg takes T's seat in M (core_merge.c), what is left of N is hung up
 *      C is still rung    ─► N ends, and C is rung for A, as by a transfer (core_transfer.c)
 *   INVITE of W, naming what rings at P's      ─► W has answered it: pick-up
 *               naming a dialog of P's that talks ─► W has P's seat
 *
 * Both are one command, of the owner of the call that the request came in, whoever owns the other. Of M and N the one goes on that T
 * was called in, else M: it is the customer's, with all that is known of him. Who may do so is looked at here, inside apply, as for all that is done with other people's calls:
 * a telephone joins calls of its own only, what rings may be picked up by whoever may do so by the code (core_pickup.c), and a talk is taken over by
 * another telephone of the same extension or agent, or by a supervisor who manages the call. */
#include <stdio.h>
#include <string.h>

#include "core/core_int.h"
#include "core/scope.h"

/* ---- which dialog */

/* As the one who is asked sees the tags, which is us; or as he does whom the request is about: telephones that learnt of the dialog from a
 * notification (RFC 4235) differ in whom they mean. Nobody can make both up. */
static bool is_it(const Ev__Dialog *d, const Ev__Replaces *r)
{
    if (!d || strcmp(d->call_id, r->call_id) != 0)
        return false;
    return (strcmp(d->local_tag, r->to_tag) == 0 && strcmp(d->remote_tag, r->from_tag) == 0) ||
           (strcmp(d->local_tag, r->from_tag) == 0 && strcmp(d->remote_tag, r->to_tag) == 0);
}

/* The leg with that dialog; n_legs: none. */
static unsigned leg_of(const struct call *k, const Ev__Replaces *r)
{
    unsigned i = 0;
    while (i < k->st->n_legs && !is_it(k->st->legs[i]->dialog, r))
        i++;
    return i;
}

static struct ext *telephone(const struct call *k, unsigned leg)
{
    return leg == 0 ? k->caller : k->callee;
}

/* ---- REFER: the calls of one telephone */

/* It is still on its way: where to, as a transfer says it. */
static int transfer_there(struct core *c, struct call *k, unsigned leg, struct call *other)
{
    const Ev__CallState *s = other->st;
    char to[CORE_NAME_MAX];
    bool queue = s->phase == CORE_CALL_WAITING || s->phase == CORE_CALL_OFFERED, rung = s->offer_id && !queue;
    Ev__CallTransfer t = EV__CALL_TRANSFER__INIT;
    (void)snprintf(to, sizeof to, "%s", queue ? s->queue : rung ? s->offer_extension : s->called);
    *(queue ? &t.queue : !rung ? &t.dialled : s->out_trunk[0] ? &t.number : &t.extension) = to;
    return core_transfer_on(c, k, leg, &t, other);
}

/* A consultation, as against the call for which somebody is asked. */
static bool has_dialled(const struct call *k, unsigned leg)
{
    return leg == 0 && !k->st->we_call;
}

int core_replace_join(struct core *c, struct call *k, unsigned leg, struct call *other, unsigned others_leg)
{
    const Ev__CallState *s = other->st;
    if (s->phase == CORE_CALL_TALKING && s->n_legs == 2) {
        bool there = has_dialled(k, leg) && !has_dialled(other, others_leg);
        struct call *main = there ? other : k, *from = there ? k : other;
        c->ans->call_id = main->st->call_id;
        core_merge_seat(c, main, there ? others_leg : leg, from, 1 - (there ? leg : others_leg));
        return 0;
    }
    if (others_leg != 0 || s->n_legs != 1 || s->phase == CORE_CALL_FAILED || s->phase == CORE_CALL_JOINED)
        return core_refuse(c, ERR_BADSTATE, "replaces", "nobody can be taken out of that call now");
    return transfer_there(c, k, leg, other);
}

int core_replace_transfer(struct core *c, struct call *k, unsigned leg, const Ev__CallTransfer *m)
{
    const struct ext *e = telephone(k, leg);
    struct call *other = NULL;
    for (unsigned i = 0; e && i < e->n_calls; i++) { /* one at most has that dialog */
        struct call *one = e->calls[i];
        unsigned at = leg_of(one, m->replaces);
        if (at < one->st->n_legs && telephone(one, at) == e)
            other = one;
    }
    if (!other || other == k)
        return core_refuse(c, ERR_NOTFOUND, "replaces", "the telephone has no such other call");
    if (m->replaces->early_only && other->st->phase == CORE_CALL_TALKING)
        return core_refuse(c, ERR_BUSY, "replaces", "that call is answered");
    return core_replace_join(c, k, leg, other, leg_of(other, m->replaces));
}

struct call *core_replace_dialled(const struct call *k, unsigned leg, const char *dialled)
{
    const struct ext *e = telephone(k, leg);
    struct call *found = NULL;
    for (unsigned i = 0; e && dialled[0] && i < e->n_calls; i++) { /* their order is that of no table */
        struct call *one = e->calls[i];
        const Ev__CallState *s = one->st;
        bool rings = s->phase == CORE_CALL_DIALLING && s->offer_id && s->n_legs == 1;
        bool talks = s->phase == CORE_CALL_TALKING && s->n_legs == 2;
        if (one != k && one->caller == e && !s->we_call && (rings || talks) && strcmp(s->called, dialled) == 0 &&
            (!found || s->call_id > found->st->call_id))
            found = one;
    }
    return found;
}

/* ---- INVITE */

static bool may_take(const struct core *c, const struct call *k, unsigned leg, const char *by)
{
    const Ev__LegState *l = k->st->legs[leg];
    const struct ext *e = telephone(k, leg);
    const Ev__Agent *me = core_pickup_agent(c, by);
    if (!e) /* of somebody outside */
        return false;
    if (strcmp(e->number, by) == 0 || (me && strcmp(me->number, l->agent) == 0))
        return true;
    return me && strcmp(me->type, "supervisor") == 0 && l->agent[0] && core_manages_agent(c, me->number, l->agent);
}

static int find_ringing(struct core *c, const Ev__CallStart *m, struct call **out)
{
    struct call *k = core_call_obj(c, m->replaces->rings_for);
    unsigned i = k ? core_ring_find(k, m->replaces->offer_id) : 0;
    if (!k || !core_merge_rings(k) || core_outside(k) || i == core_ring_count(k))
        return core_refuse(c, ERR_NOTFOUND, "replaces", "it does not ring any more");
    if (strcmp(k->st->extension, m->extension) == 0)
        return core_refuse(c, ERR_BADSTATE, "replaces", "telephone %.64s is a party of the call", m->extension);
    if (!core_pickup_may(c, m->extension, core_ring_extension(k, i)))
        return core_refuse(c, ERR_DENIED, "replaces", "extension %.64s may not pick up what rings at %.64s",
                           m->extension, core_ring_extension(k, i));
    *out = k;
    return 0;
}

static int find_talking(struct core *c, const Ev__CallStart *m, struct call **out, unsigned *leg)
{
    struct call *k = NULL;
    for (const struct core_call *p = NULL; !k && (p = core_call_next(c, p, NULL));) {
        struct call *one = core_call_obj(c, p->id);
        *leg = leg_of(one, m->replaces);
        k = *leg < one->st->n_legs ? one : NULL;
    }
    if (!k || (!k->st->answered && k->st->phase != CORE_CALL_FAILED))
        return core_refuse(c, ERR_NOTFOUND, "replaces",
                           "there is no such dialog"); /* or we have not begun it: section 3 */
    if (k->st->phase == CORE_CALL_FAILED)
        return core_refuse(c, ERR_STALE, "replaces", "that call is over");
    if (m->replaces->early_only)
        return core_refuse(c, ERR_BUSY, "replaces", "that call is answered");
    if (!may_take(c, k, *leg, m->extension))
        return core_refuse(c, ERR_DENIED, "replaces", "extension %.64s may not take that call over", m->extension);
    if (k->st->phase != CORE_CALL_TALKING || k->st->n_legs != 2)
        return core_refuse(c, ERR_BADSTATE, "replaces", "its parties are not talking");
    *out = k;
    return 0;
}

int core_replace_start(struct core *c, Ev__CallStart *m)
{
    struct call *main = NULL;
    unsigned leg = 0;
    int err = core_call_check_new(c, m);
    if (err)
        return err;
    if (m->trunk[0])
        return core_refuse(c, ERR_DENIED, "replaces", "only a telephone of ours takes the place of another one");
    err = m->replaces->rings_for ? find_ringing(c, m, &main) : find_talking(c, m, &main, &leg);
    if (err)
        return err;
    struct call *k = core_call_make(c, m);
    Ev__CallState *s = k->st;
    core_pbset(&s->app, "replaces");
    s->answered = s->legs[0]->answered = true;
    s->answered_us = c->now_us;
    core_call_touch(c, k);
    core_ev_call(c, "call.started", k);
    core_ev_call(c, "call.answered", k);
    c->ans->call_id = main->st->call_id;
    if (!m->replaces->rings_for) {
        core_merge_seat(c, main, leg, k, 0);
        return 0;
    }
    Ev__CallMerge merge = EV__CALL_MERGE__INIT;
    merge.call_id = main->st->call_id;
    merge.from = s->call_id;
    return core_call_merge(c, &merge);
}
