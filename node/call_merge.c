/* Legs that go from one call into another (core/core_merge.c), with their dialogs and streams; and parties who hang up while others are
 * there.
 *
 *   BYE ─► CallLeft ─committed─► another one has the seat: the call goes on, the BYE is answered
 *              └─refused─► the end of the call, as without others
 *
 * The state says whose leg sits where (core_leg.from_call); a seat whose occupant here is another one changes hands. Whoever comes is
 * taken from the call that he was in, if this process has that, else built from the state like a leg that is carried on. Both ends may be
 * reconciled first: whichever it is does it. */
#include <string.h>

#include "base/log.h"
#include "node/call_int.h"
#include "node/watch.h"

void call_replaces(const struct node *n, const struct sip_replaces *r, Ev__Replaces *out)
{
    ev__replaces__init(out);
    out->call_id = (char *)(uintptr_t)r->call_id;
    out->to_tag = (char *)(uintptr_t)r->to_tag;
    out->from_tag = (char *)(uintptr_t)r->from_tag;
    out->early_only = r->early_only;
    uint64_t call, offer;
    if (watch_ringing_named(n, r, &call, &offer)) {
        out->rings_for = call;
        out->offer_id = offer;
    }
}

/* ---- a seat changes hands */

static void empty_seat(struct call *k, struct call_leg *l)
{
    if (l->callee) {
        call_leg_close(l, 0, NULL);
        call_leg_drop_sdp(l);
        call_callees_byes_done(k, true);
        call_offer_drop(k, CALL_ELSEWHERE, CALL_ELSEWHERE_TEXT); /* those who may ring, and the ring that was his */
        return;
    }
    call_leg_close(l, 0, NULL);
    call_leg_drop_sdp(l);
    sip_bye_done(l->bye, true);
    l->bye = NULL;
}

/* Where he sat before; NULL: not here. */
static struct call_leg *seat_before(struct call *k, const struct core_leg *leg, bool *hung_up)
{
    struct call *from = map_get_u64(&k->cs->by_id, leg->from_call);
    struct call_leg *l = !from ? NULL : leg->from_callee ? from->b : &from->a;
    *hung_up = l && !l->sip && (l->bye || from->ending);
    if (l && !l->sip)
        call_adopt_silence(from); /* it was being carried on */
    return l && l->sip && !from->ending ? l : NULL;
}

static void reoffer_again(struct call *k, struct call_leg *l)
{
    if (l->reoffered && call_leg_commit(l, l->held, l->callee ? call_leg_reoffer_b : call_leg_reoffer_a))
        log_info("call", "%s: a re-INVITE is not answered", k->text_id);
}

static void sit(struct call *k, const struct core_call *s, const struct core_leg *leg)
{
    struct call_leg *l = leg->role == CORE_LEG_CALLER ? &k->a : k->b;
    bool hung_up;
    struct call_leg *from = seat_before(k, leg, &hung_up);
    log_info("call", "%s: %s comes into it as its %s", k->text_id, leg->number, l->callee ? "callee" : "caller");
    empty_seat(k, l);
    l = leg->role == CORE_LEG_CALLER ? &k->a : k->b; /* of a ring no more */
    if (hung_up) {
        call_end(k, l->callee ? "callee" : "caller", "normal", 0);
        return;
    }
    if (!from) {
        if (!call_adopt_leg(k, s, leg))
            call_end(k, "system", "lost", 0);
        return;
    }
    call_answer_caller(from->call); /* a telephone that has dialled a code may not be answered yet */
    if (!from->sip) {
        call_end(k, l->callee ? "callee" : "caller", "normal", 0);
        return;
    }
    call_leg_take_seat(l, from);
    l->came = leg->from_call;
    l->answered = true;
    reoffer_again(k, l);
    if (l->unsure && !l->moving)
        call_leg_move_begin(l);
}

void call_merge_follow(struct call *k, const struct core_call *s)
{
    if (k->merges == s->merges)
        return;
    if (!k->a.sip && !k->b->sip && !k->left[0].asked && !k->left[1].asked) { /* not carried on here yet */
        k->merges = s->merges;
        call_adopt_silence(k);
        return;
    }
    if (call_yields(k))
        return;
    k->merges = s->merges;
    call_transfer_news(k, 200);
    for (size_t i = 0; i < s->n_legs && !k->ending && !k->gone; i++) {
        const struct call_leg *l = s->legs[i].role == CORE_LEG_CALLER ? &k->a : k->b;
        if (s->legs[i].from_call != l->came)
            sit(k, s, &s->legs[i]);
    }
    if (!k->ending && !k->gone && s->phase == CORE_CALL_TALKING)
        call_leg_hold_changed(&k->a);
}

void call_merge_hand_over(struct call *k)
{
    struct calls *cs = k->cs;
    const struct core_call *s = core_call_taker(cs->n->core, k->id);
    struct call *into = s && strcmp(s->owner, cs->n->cfg.name) == 0 ? call_of(cs, s->id) : NULL;
    if (!s)
        return;
    call_transfer_news(k, 200);
    call_answer_caller(k); /* who came to take a place, and has not been answered yet: his INVITE is known here only */
    if (into && into->started && !into->ending) {
        mem_ref(into);
        call_merge_follow(into, s);
        mem_unref(into);
    }
    /* Who has not been taken is carried on from the state, here or elsewhere: he must not be hung up on. */
    for (size_t i = 0; i < s->n_legs; i++) {
        if (s->legs[i].from_call == k->id)
            call_leg_forget(s->legs[i].from_callee ? k->b : &k->a);
    }
}

/* ---- hanging up while others are there */

static bool has_seat(const struct core_call *s, uint64_t leg_id)
{
    for (size_t i = 0; s && i < s->n_legs; i++) {
        if (s->legs[i].id == leg_id)
            return true;
    }
    return false;
}

static void left_done(struct call *k, bool callee, int status, const struct core_answer *a)
{
    struct call_left left = k->left[callee];
    k->left[callee].asked = false;
    if (k->gone || k->ending || (status == 0 && a->code == 0))
        return; /* the change of state does the rest */
    if (!status && !has_seat(call_state(k), left.leg_id))
        return; /* he had been sent away, or been taken over from, when he hung up */
    call_end(k, left.by, left.cause, left.status);
}

static void left_done_a(struct call *k, int status, const struct core_answer *a)
{
    left_done(k, false, status, a);
}

static void left_done_b(struct call *k, int status, const struct core_answer *a)
{
    left_done(k, true, status, a);
}

bool call_merge_awaited(struct call_leg *l, const char *by, const char *cause, int status)
{
    struct call *k = l->call;
    const struct core_call *s = call_state(k);
    if (!s || k->ending || s->phase != CORE_CALL_TALKING || !core_joined_next(call_node(k)->core, k->id, NULL))
        return false;
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallLeft left = EV__CALL_LEFT__INIT;
    cmd.body_case = EV__COMMAND__BODY_CALL_LEFT;
    cmd.call_left = &left;
    left.call_id = k->id;
    left.leg_id = (uint32_t)call_leg_id(l);
    k->left[l->callee] =
        (struct call_left){.asked = true, .leg_id = left.leg_id, .by = by, .cause = cause, .status = status};
    if (call_propose(k, &cmd, l->callee ? left_done_b : left_done_a) == 0)
        return true;
    k->left[l->callee].asked = false;
    return false;
}
