/* Legs that go from one call into another: how a consultation is completed, and a call goes on when one of its parties leaves it while others
 * are there.
 *
 *   M: A ── B                 M: A ── X        (B has left: his dialog stays as `left`, to be ended)
 *   S: X (joined, or any) ─►  S: gone, or what is left of it is hung up and then gone
 *
 * X brings his dialog, his telephone and his agent with him; he gets a new leg id of M, and the seat's role. M goes on talking: its owner, phase,
 * recording and whoever else has joined it stay. The record of M has a segment for whoever left, the record of S says which call he
 * went into. The owner of M finds by `from_call` whose stream and dialog it is, if it has them, or else builds them from the state. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"
#include "core/core_recording.h"

const struct core_call *core_call_taker(const struct core *c, uint64_t call_id)
{
    for (const struct core_call *k = NULL; (k = core_call_next(c, k, NULL));) {
        for (size_t i = 0; i < k->n_legs; i++) {
            if (k->legs[i].from_call == call_id)
                return k;
        }
    }
    return NULL;
}

/* ---- out of the one */

static struct ext **telephone(struct call *k, unsigned leg)
{
    return leg == 0 ? &k->caller : &k->callee;
}

/* What there is left of it, when one of its legs has gone into another call. */
static void rest(struct core *c, struct call *k, bool talked)
{
    core_join_leave(c, k, "merged");
    if (talked) {
        c->talking--;
        core_call_set_callee(c, k, NULL);
    }
    if (k->st->n_legs)
        core_call_fail(c, k, 0, "merged"); /* its owner hangs up */
    else
        core_call_finish(c, k, "system", "merged", 0, 0, NULL);
}

/* The leg, without its telephone, which stands in *e from now on and is counted in both. */
static Ev__LegState *take_out(struct core *c, struct call *k, unsigned leg, const struct call *into, struct ext **e)
{
    Ev__CallState *s = k->st;
    Ev__LegState *l = s->legs[leg];
    core_call_keep_began(k);
    core_segment_add(s, l, c->now_us, "merged", into->st->call_id);
    core_recording_joined(c, k, true);
    s->went_into = into->st->call_id;
    s->n_legs--;
    for (size_t i = leg; i < s->n_legs; i++)
        s->legs[i] = s->legs[i + 1];
    *e = *telephone(k, leg);
    *telephone(k, leg) = NULL;
    if (leg == 0)
        core_pbset(&s->extension, "");
    core_call_touch(c, k);
    return l;
}

/* ---- into the other */

static void holds_anew(struct core *c, Ev__CallState *s)
{
    bool held = false;
    for (size_t i = 0; i < s->n_legs; i++)
        held = held || s->legs[i]->held || s->legs[i]->holds;
    s->held_us = !held ? 0 : s->held_us ? s->held_us : c->now_us;
}

/* Where he comes from, as the call tells it. */
static void describe_seat(Ev__CallState *s, unsigned seat, const Ev__LegState *l, const char *trunk)
{
    if (seat == 1) {
        core_pbset(&s->out_trunk, trunk);
        core_pbset(&s->out_caller, "");
        return;
    }
    core_pbset(&s->caller, l->number);
    core_pbset(&s->caller_name, "");
    core_pbset(&s->trunk, trunk);
    core_pbset(&s->extension, trunk[0] ? "" : l->number);
}

static void put_in(struct core *c, struct call *main, unsigned seat, Ev__LegState *l, const struct call *from,
                   const char *trunk)
{
    Ev__CallState *s = main->st;
    l->from_call = from->st->call_id;
    l->from_leg = l->id;
    l->from_callee = l->role == CORE_LEG_CALLEE;
    l->id = ++s->next_leg;
    l->role = seat == 0 ? CORE_LEG_CALLER : CORE_LEG_CALLEE;
    l->joined_us = c->now_us;
    l->answered = true;
    l->holds = l->muted = false; /* as to those of the other call */
    if (s->n_legs == seat) {
        s->legs = core_grow(s->legs, (seat + 1) * sizeof *s->legs);
        s->n_legs++;
    }
    s->legs[seat] = l;
    describe_seat(s, seat, l, trunk);
    holds_anew(c, s);
    s->merges++;
}

/* His telephone was in the other call until now; it is busy all the time. */
static void move_telephone(struct core *c, struct call *main, unsigned seat, struct call *from, struct ext *e)
{
    struct ext *gone = *telephone(main, seat);
    if (e)
        core_call_join(c, main, e);
    *telephone(main, seat) = e;
    core_call_touch(c, main);
    if (e)
        core_call_leave(c, from, e);
    if (gone)
        core_call_leave(c, main, gone);
}

static void tell(struct core *c, const struct call *main, const Ev__LegState *comes, const char *gone)
{
    struct sbuf *b = core_ev_call_begin(c, "call.merged", main);
    sbuf_kv_id(b, "from_call_id", comes->from_call);
    sbuf_kv(b, "party", comes->number);
    if (gone)
        sbuf_kv(b, "left", gone);
    core_ev_end(c);
}

/* ---- a seat is taken */

/* Who sat there leaves; `how`: segment.ended. */
static void take_seat(struct core *c, struct call *main, unsigned seat, struct call *from, unsigned leg,
                      const char *how)
{
    Ev__CallState *s = main->st;
    Ev__LegState *gone = s->legs[seat];
    char trunk[CORE_NAME_MAX];
    struct ext *e;
    (void)snprintf(trunk, sizeof trunk, "%s", leg == 0 ? from->st->trunk : from->st->out_trunk);
    bool talked = from->st->phase == CORE_CALL_TALKING;
    if (talked) {
        core_join_over(c, from);
        core_state_wrap_up(c, from); /* of who stays behind, or whoever leaves with him: as if that call had ended */
    }
    Ev__LegState *comes = take_out(c, from, leg, main, &e);
    core_call_keep_began(main);
    if (gone == core_leg_served(s)) {
        core_estimate_ended(c, main, "");
        core_state_wrap_up(c, main);
        core_pbset(&s->left_queue, "");
        core_pbset(&s->queue, "");
        core_pbset(&s->served_queue, "");
    }
    core_segment_add(s, gone, c->now_us, how, 0);
    uint64_t id = gone->id;
    core_call_keep_left(c, s, gone);
    core_data_gain(s, from->st);
    put_in(c, main, seat, comes, from, trunk);
    core_recording_seats(main);
    move_telephone(c, main, seat, from, e);
    struct call *other = core_join_consultation(main);
    if (other && other != from && other->st->joined_leg == id)
        core_join_end(c, other, "call_over"); /* who consulted is gone */
    tell(c, main, comes, s->left->number);
    rest(c, from, talked);
}

void core_merge_seat(struct core *c, struct call *main, unsigned seat, struct call *from, unsigned leg)
{
    take_seat(c, main, seat, from, leg, "");
}

/* Instead of those who are rung. */
static void take_offer(struct core *c, struct call *main, struct call *from, unsigned leg)
{
    Ev__CallState *s = main->st;
    char trunk[CORE_NAME_MAX];
    struct ext *e;
    (void)snprintf(trunk, sizeof trunk, "%s", leg == 0 ? from->st->trunk : from->st->out_trunk);
    bool talked = from->st->phase == CORE_CALL_TALKING;
    if (talked) {
        core_join_over(c, from);
        core_state_wrap_up(c, from);
    }
    Ev__LegState *comes = take_out(c, from, leg, main, &e);
    core_pbset(&comes->queue, s->offer_queue);
    comes->direct = !s->offer_queue[0];
    core_estimate_answered(c, main);
    if (!s->we_call)
        core_pbset(&s->served_queue, strcmp(s->offer_queue, s->queue) != 0 ? s->offer_queue : "");
    core_ring_taken(c, main);
    core_data_gain(s, from->st);
    put_in(c, main, 1, comes, from, trunk);
    move_telephone(c, main, 1, from, e);
    tell(c, main, comes, NULL);
    core_offer_talks(c, main);
    rest(c, from, talked);
}

/* ---- who comes when somebody leaves */

static bool may_sit(const struct call *k, const struct call *main, unsigned seat, bool consulted)
{
    const Ev__CallState *s = k->st;
    if (s->phase != CORE_CALL_JOINED)
        return false;
    if (s->mode == CORE_MODE_PARTY)
        return !consulted;
    return s->mode == CORE_MODE_CONSULT && (!consulted || s->joined_leg == main->st->legs[seat]->id);
}

/* Whoever consulted leaves his place to the one whom he consulted; else those of the conference come before a consultation. */
static struct call *successor(const struct call *main, unsigned seat)
{
    struct call *consult = core_join_consultation(main);
    if (consult && may_sit(consult, main, seat, true))
        return consult;
    list_foreach(it, &main->parties) {
        struct call *k = list_entry(it, struct call, party);
        if (k != consult && may_sit(k, main, seat, false))
            return k;
    }
    return consult && may_sit(consult, main, seat, false) ? consult : NULL;
}

/* Nobody has answered him yet: whoever is consulted is rung for who stays, as by a transfer. */
static int transfer_on(struct core *c, struct call *main, unsigned seat, struct call *consult)
{
    const Ev__CallState *s = consult->st;
    char to[CORE_NAME_MAX];
    bool queue = s->phase == CORE_CALL_WAITING || s->phase == CORE_CALL_OFFERED;
    (void)snprintf(to, sizeof to, "%s", queue ? s->queue : s->offer_extension);
    Ev__CallTransfer t = EV__CALL_TRANSFER__INIT;
    t.call_id = main->st->call_id;
    t.leg_id = main->st->legs[seat]->id;
    *(queue ? &t.queue : s->out_trunk[0] ? &t.number : &t.extension) = to;
    core_call_touch(c, consult); /* he is called off before he is rung again */
    return core_call_transfer(c, &t);
}

static struct call *consults(const struct call *main, unsigned seat)
{
    struct call *k = core_join_consultation(main);
    return k && k->st->joined_leg == main->st->legs[seat]->id ? k : NULL;
}

int core_merge_drop(struct core *c, struct call *main, unsigned seat)
{
    struct call *k = successor(main, seat);
    if (!k)
        return core_refuse(c, ERR_BADSTATE, "party", "nobody can take his place: hang the call up");
    take_seat(c, main, seat, k, 0, "dropped");
    return 0;
}

int core_call_left(struct core *c, const Ev__CallLeft *m)
{
    struct call *main = core_call_of(c, m->call_id);
    if (!main)
        return c->ans->code;
    main = core_join_talking(c, m->call_id);
    if (!main)
        return c->ans->code;
    unsigned seat = core_call_who(main->st, m->leg_id, "");
    if (!m->leg_id || seat > 1)
        return core_refuse(c, ERR_NOTFOUND, "leg_id", "there is no such leg");
    struct call *k = successor(main, seat), *rung = consults(main, seat);
    if (!k && rung)
        return transfer_on(c, main, seat, rung);
    if (!k)
        return core_refuse(c, ERR_BADSTATE, "leg_id", "nobody is there who can take his place");
    take_seat(c, main, seat, k, 0, k == rung ? "" : "hang_up");
    return 0;
}

/* ---- by request */

static int merge_consultation(struct core *c, struct call *main, unsigned seat)
{
    struct call *k = core_join_consultation(main);
    if (!k)
        return core_refuse(c, ERR_BADSTATE, "call_id", "there is no consultation");
    if (seat == 2)
        seat = core_call_who(main->st, k->st->joined_leg, "");
    if (k->st->phase != CORE_CALL_JOINED)
        return transfer_on(c, main, seat, k);
    take_seat(c, main, seat, k, 0, "");
    return 0;
}

static int find_from(struct core *c, const struct call *main, const Ev__CallMerge *m, struct call **from, unsigned *leg)
{
    struct call *k = core_call_obj(c, m->from);
    if (!k || k == main)
        return core_refuse(c, ERR_NOTFOUND, "from", "there is no such call");
    const Ev__CallState *s = k->st;
    *leg = s->n_legs == 1 && !m->from_leg ? 0 : 2;
    for (unsigned i = 0; i < s->n_legs && i < 2 && m->from_leg; i++)
        *leg = s->legs[i]->id == m->from_leg ? i : *leg;
    if (*leg > 1)
        return core_refuse(c, ERR_NOTFOUND, "from_leg", "there is no such leg in that call");
    bool good = s->phase == CORE_CALL_JOINED || s->phase == CORE_CALL_TALKING ||
                (s->n_legs == 1 && !s->offer_id && (s->phase == CORE_CALL_APP || s->phase == CORE_CALL_MENU));
    if (!good)
        return core_refuse(c, ERR_BADSTATE, "from", "nobody of that call can be taken out of it now");
    *from = k;
    return 0;
}

bool core_merge_rings(const struct call *k)
{
    return k->st->n_legs == 1 && k->st->offer_id &&
           (k->st->phase == CORE_CALL_DIALLING || k->st->phase == CORE_CALL_OFFERED);
}

int core_call_merge(struct core *c, const Ev__CallMerge *m)
{
    struct call *named = core_call_obj(c, m->call_id), *from = NULL;
    bool rings = named && core_merge_rings(named) && m->from;
    struct call *main = rings ? named : core_join_talking(c, m->call_id);
    unsigned leg = 0, seat = 2;
    if (!main)
        return c->ans->code;
    c->ans->call_id = main->st->call_id;
    if (!rings && (m->leg_id || m->leg[0] || m->from)) {
        seat = core_call_who(main->st, m->leg_id, m->leg);
        if (seat > 1)
            return core_refuse(c, ERR_NOTFOUND, m->leg_id ? "leg_id" : "leg", "there is no such party in the call");
    }
    if (!m->from)
        return merge_consultation(c, main, seat);
    int err = find_from(c, main, m, &from, &leg);
    if (err)
        return err;
    if (rings)
        take_offer(c, main, from, leg);
    else
        take_seat(c, main, seat, from, leg, "");
    return 0;
}
