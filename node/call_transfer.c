/* Calls that talk and go on elsewhere (core/core_transfer.c): a telephone that asks for it by REFER, and what a committed transfer means for
 * legs and sound here.
 *
 *   REFER ─► CallTransfer ─committed─► 202, NOTIFY 100, BYE to who leaves ─► the phase says what the other one is given, or (Replaces)
 *                │                                                             who has come into the call (call_merge.c)
 *                └─refused─► 4xx, the call talks on
 *
 * Who leaves hangs up or is hung up on; who stays keeps his leg and his stream. If he was called, they take the caller's place, as
 * those of a telephone that was rung first do (call_first.c). Nothing here decides: a transfer that somebody asked of another
 * node, or that was committed while the call was on its way to this one, is followed by the same steps. Who has left and may not have
 * been told by a former owner is told from the state (call_adopt_hang_up). */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "node/call_int.h"

/* ---- asked by a telephone */

static struct call_leg *asking_leg(struct call *k)
{
    return k->refer.callee ? k->b : &k->a;
}

static void refuse(struct call_leg *l, int status)
{
    struct sip_refer *none;
    if (l->sip && sip_leg_refer_answer(l->sip, status, NULL, &none))
        log_debug("call", "%s: REFER went away before its answer", l->call->text_id);
}

static void asked_done(struct call *k, int status, const struct core_answer *a)
{
    int code = status ? status : a->code;
    bool hung_up = k->refer.hung_up;
    struct call_leg *l = asking_leg(k);
    k->refer.asked = k->refer.hung_up = false;
    if (k->gone || k->ending)
        return;
    if (code == 0) { /* the change of state does the rest */
        if (l->sip && sip_leg_refer_answer(l->sip, 202, NULL, &k->refer.news))
            log_debug("call", "%s: REFER went away before its answer", k->text_id);
        return;
    }
    log_info("call", "%s: not transferred: %s", k->text_id, status ? err_text(status) : a->text);
    bool no_dialog = !status && code == ERR_NOTFOUND && strcmp(a->field, "replaces") == 0;
    refuse(l, no_dialog ? 481 : code == ERR_BUSY ? 486 : call_sip_status(code));
    if (hung_up)
        call_end(k, k->refer.callee ? "callee" : "caller", "normal", 0);
}

/* One of our own, which has proved who it is when the call began. */
static bool is_telephone(const struct call_leg *l, const struct core_call *s)
{
    return l->callee ? !s->out_trunk[0] : s->extension[0] != '\0';
}

void call_transfer_asked(struct call_leg *l, const struct sip_event *ev)
{
    struct call *k = l->call;
    const struct core_call *s = call_state(k);
    if (!s || !is_telephone(l, s) || k->shown != CALL_SHOWN_TALK || k->refer.asked) {
        refuse(l, s && !is_telephone(l, s) ? 403 : 480);
        return;
    }
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallTransfer t = EV__CALL_TRANSFER__INIT;
    struct sip_dialog d;
    char actor[80], origin[80];
    sip_leg_dialog(l->sip, &d);
    snprintf(actor, sizeof actor, "phone:%s", l->callee ? s->legs[s->n_legs - 1].number : s->extension);
    snprintf(origin, sizeof origin, "%s", d.flow);
    cmd.actor = actor;
    cmd.origin = origin;
    cmd.body_case = EV__COMMAND__BODY_CALL_TRANSFER;
    cmd.call_transfer = &t;
    t.call_id = k->id;
    t.leg_id = (uint32_t)call_leg_id(l);
    Ev__Replaces replaces;
    if (ev->replaces) {
        call_replaces(call_node(k), ev->replaces, &replaces);
        t.replaces = &replaces;
    } else {
        t.dialled = (char *)(uintptr_t)ev->refer_to;
    }
    k->refer.asked = true;
    k->refer.callee = l->callee;
    if (call_propose(k, &cmd, asked_done)) {
        k->refer.asked = false;
        refuse(l, 503);
    }
}

bool call_transfer_awaited(struct call_leg *l)
{
    struct call *k = l->call;
    if (!k->refer.asked || k->refer.callee != l->callee)
        return false;
    k->refer.hung_up = true;
    return true;
}

/* ---- what the telephone that asked hears of it */

static void news(struct call *k, const struct core_call *s)
{
    int status = 200;
    if (!k->refer.news)
        return;
    if (s->recall && s->recall->rings)
        status = (int)s->recall->status;
    else if (s->phase == CORE_CALL_FAILED)
        status = s->fail_status;
    else if (s->phase == CORE_CALL_DIALLING)
        return;
    call_transfer_news(k, status >= 200 ? status : 480);
}

void call_transfer_news(struct call *k, int status)
{
    struct sip_refer *r = k->refer.news;
    if (status >= 200)
        k->refer.news = NULL;
    sip_refer_notify(r, status);
}

void call_transfer_stop(struct call *k)
{
    sip_refer_drop(k->refer.news);
    k->refer.news = NULL;
}

/* ---- as the state says */

static void callee_leaves(struct call *k)
{
    call_leg_close(k->b, 0, NULL);
    call_leg_drop_sdp(k->b);
    call_callees_byes_done(k, true);
    call_offer_drop(k, 0, NULL);
}

static void caller_leaves(struct call *k)
{
    struct call_leg *b = k->b;
    call_leg_close(&k->a, 0, NULL);
    call_leg_drop_sdp(&k->a);
    sip_bye_done(k->a.bye, true);
    k->a.bye = NULL;
    if (!b->sip) {
        call_end(k, "callee", "normal", 0);
        return;
    }
    call_leg_take_seat(&k->a, b);
    k->a.was_callee = k->a.answered = k->a.acked = true;
    call_offer_drop(k, 0, NULL); /* his ring, which is empty now */
    if (k->a.unsure && !k->a.moving)
        call_leg_move_begin(&k->a);
}

void call_transfer_follow(struct call *k, const struct core_call *s)
{
    if (k->transfers == s->transfers) {
        news(k, s);
        return;
    }
    k->transfers = s->transfers;
    if (!k->a.sip && !k->b->sip) { /* not carried on here yet, but for streams of parties as they were */
        call_adopt_silence(k);
        return;
    }
    if (call_yields(k))
        return; /* nothing can be sent now: who has left is told when it is carried on */
    call_timer_stop(&k->talk_timer);
    call_hush(k);
    call_menu_leave(k);
    ivr_run_free(k->ivr);
    k->ivr = NULL;
    k->joining = false;
    if (k->a.media)
        media_unbridge(k->a.media);
    log_info("call", "%s: %s leaves it by a transfer", k->text_id, s->left ? s->left->number : "somebody");
    bool caller = s->left && s->left->role == CORE_LEG_CALLER;
    if (s->left)
        call_quality_note(caller ? &k->a : k->b, s->left->id, s->left->role);
    if (caller)
        caller_leaves(k);
    else
        callee_leaves(k);
    k->shown = CALL_SHOWN_NOTHING;
    k->left_told = true;
    call_leg_follow(k, s); /* nothing of what was asked of him then holds */
    news(k, s);
}

void call_transfer_tell_left(struct call *k, const struct core_call *s)
{
    if (!s->left || !k->adopted || k->left_told)
        return;
    k->left_told = true;
    for (size_t i = 0; i < s->n_left_before; i++)
        call_adopt_hang_up(k, s, s->left_before[i]->leg, s->left_before[i]->trunk, s->left_before[i]->us);
    call_adopt_hang_up(k, s, s->left, s->left_trunk, s->left_us);
}
