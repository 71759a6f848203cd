/* Calls whose both parties are called by us (core/core_first.c): the telephone that is rung first, and how its leg becomes that of the
 * caller.
 *
 * It is rung like any other (call_offer.c). When the state says that it has answered, what was the leg of a ring takes the caller's
 * place, with its dialog and its stream: from then on the call is one whose caller dials out. Carried on by another node it comes there
 * by itself, for the state says whose leg it is. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "node/call_int.h"
#include "node/uui.h"

static struct call_ring *answered_ring(const struct call *k, const struct core_call *s)
{
    list_foreach(it, &k->rings) {
        struct call_ring *r = list_entry(it, struct call_ring, link);
        if (r->answer_pending && strcmp(r->extension, s->legs[0].number) == 0)
            return r;
    }
    return NULL;
}

void call_leg_take_seat(struct call_leg *to, struct call_leg *l)
{
    struct call *k = to->call, *from = l->call;
    bool callee = to->callee, was = l->callee;
    call_timer_stop(&l->move_timer);
    call_timer_stop(&l->keyed.timer);
    *to = *l;
    to->keyed.n = 0;
    to->call = k;
    to->callee = callee;
    sip_leg_set_cb(to->sip, callee ? call_on_callee : call_on_caller, to);
    if (to->media)
        media_stream_set_ctx(to->media, to);
    *l = (struct call_leg){.call = from, .callee = was};
}

bool call_first_answered(struct call *k, const struct core_call *s)
{
    struct call_ring *r = !k->a.sip ? answered_ring(k, s)
                                    : NULL; /* none of a caller who called: nobody is rung for him at his telephone */
    if (!r)
        return false;
    if (!r->leg.sip) { /* he has hung up since */
        call_end(k, call_caller_is(k), "normal", 0);
        return true;
    }
    bool again = r->again;
    call_leg_take_seat(&k->a, &r->leg);
    call_ring_unseat(r);
    if (sip_leg_ack(k->a.sip))
        log_debug("call", "%s: the answer needs no ACK any more", k->text_id);
    k->a.answered = k->a.acked = true;
    call_leg_apply_media(&k->a);
    if (again) /* the phone has the former owner's description */
        call_leg_move(&k->a);
    return true;
}

const char *call_caller_is(const struct call *k)
{
    const struct core_call *s = call_state(k);
    return s && s->we_call && s->n_legs && s->legs[0].agent[0] ? "agent" : "caller";
}

const char *call_first_shown(const struct core_call *s, char display[CALL_DISPLAY_MAX])
{
    snprintf(display, CALL_DISPLAY_MAX, "%s %.40s%s%.40s", s->via_agent[0] ? "Call" : "Call back",
             s->caller_name[0] ? s->caller_name : s->called, s->queue[0] ? ", " : "", s->queue);
    return display;
}

/* The two ways by which telephones are asked to answer: Call-Info with answer-after (snom, Polycom, baresip), Alert-Info with
 * info=alert-autoanswer (Yealink, Grandstream, Cisco). A telephone that knows neither rings. */
static void answers_itself(const struct node *n, const struct core_call *s, const char *extension,
                           char text[CALL_HEADERS_MAX])
{
    const Ev__Extension *x = core_extension(n->core, extension);
    if (!x || !(x->auto_answer_all || (x->auto_answer && s->via_agent[0] && !s->n_legs)))
        return;
    snprintf(text, CALL_HEADERS_MAX,
             "Call-Info: <sip:everline.invalid>;answer-after=0\r\n"
             "Alert-Info: <http://everline.invalid>;info=%.40s;delay=0\r\n",
             core_parameter(n->core, "auto_answer_info", "alert-autoanswer"));
}

const char *call_rung_headers(const struct call *k, const struct core_call *s, const char *extension,
                              char text[CALL_HEADERS_MAX])
{
    const struct node *n = call_node(k);
    text[0] = '\0';
    answers_itself(n, s, extension, text);
    size_t len = strlen(text);
    _Static_assert(CALL_HEADERS_MAX >= 256 + UUI_HEADER_MAX, "both fit");
    if (strcmp(core_parameter(n->core, "user_to_user", "off"), "on") == 0)
        uui_header(k->text_id, s->customer, s->data, text + len);
    return text;
}

/* ---- asked to answer, by NOTIFY of event "talk" (CallParty ANSWER) */

static void ask(struct call_ring *r, const struct core_call *s)
{
    if (!s->answer_offer || r->offer_id != s->answer_offer || !r->leg.sip ||
        (r->asked == r->leg.sip && r->asks == s->answer_asks))
        return;
    if (sip_leg_talk(r->leg.sip) != 0)
        return; /* it has not rung yet: once it does */
    r->asked = r->leg.sip;
    r->asks = s->answer_asks;
}

void call_first_ask(struct call *k, const struct core_call *s)
{
    ask(&k->first, s);
    list_foreach(it, &k->rings)
        ask(list_entry(it, struct call_ring, link), s);
}

void call_first_rings(struct call_ring *r)
{
    struct call *k = r->leg.call;
    const struct core_call *s = call_state(k);
    call_transfer_news(k, 180);
    if (s)
        ask(r, s);
}
