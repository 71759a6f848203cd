/* BYEs and CANCELs that are answered only when the end of the call is in the state: until then the peer repeats them, to whoever
 * carries the call on.
 *
 * One that was not answered because this node had to be silent stays here for 64*T1: of its repetitions the library tells nobody, so
 * when this process carries the dialog on again (a lease that was back a moment later), it is told of it once more.
 *
 * The library answers a CANCEL itself, before anybody is told of it: that answer is held back by the gate (sip_gate.c), as those to its
 * repetitions are, of which nobody is told. So the request is kept, and answered from here together with its INVITE. */
#include <stdlib.h>
#include <string.h>

#include "telephony/sip_int.h"

struct sip_bye {
    struct list_node link; /* ua->byes */
    struct sip_ua *ua;
    struct sip_port *port;   /* NULL: closed, and the transaction with it */
    nta_incoming_t *irq;     /* the BYE, or the INVITE that the CANCEL ends */
    msg_t *cancel;           /* NULL: it is a BYE */
    bool let_go;             /* its owner has let go of the call: nobody holds this but the list */
    struct clock_mono since; /* when */
};

/* What the leg has of it is ours then. NULL: there is none. */
static bool take(struct sip_leg *leg, struct sip_bye *out)
{
    nta_incoming_t **irq = leg->bye_in ? &leg->bye_in : leg->cancel_in ? &leg->invite_in : NULL;
    if (!irq || !*irq)
        return false;
    *out = (struct sip_bye){.ua = leg->ua, .port = leg->port, .irq = *irq};
    if (irq == &leg->invite_in) {
        out->cancel = leg->cancel_in;
        leg->cancel_in = NULL;
    }
    *irq = NULL;
    nta_incoming_bind(out->irq, NULL, NULL);
    return true;
}

static void answer_it(struct sip_bye *bye)
{
    struct sip_ua *ua = bye->ua;
    if (bye->cancel) {
        msg_t *cancel = bye->cancel;
        bye->cancel = NULL; /* consumed */
        nta_msg_treply(bye->port->agent, cancel, SIP_200_OK, SIPTAG_SERVER_STR(ua->product), TAG_END());
        nta_incoming_treply(bye->irq, SIP_487_REQUEST_CANCELLED, SIPTAG_SERVER_STR(ua->product), TAG_END());
    } else {
        nta_incoming_treply(bye->irq, SIP_200_OK, SIPTAG_SERVER_STR(ua->product), TAG_END());
    }
    nta_incoming_destroy(bye->irq);
}

/* Without a word. */
static void bye_free(struct sip_bye *bye)
{
    list_del(&bye->link);
    if (bye->port)
        sip_incoming_silence(bye->ua, bye->irq);
    msg_destroy(bye->cancel);
    free(bye);
}

struct sip_bye *sip_leg_keep_bye(struct sip_leg *leg)
{
    struct sip_bye *bye = leg->bye_in || leg->cancel_in ? malloc(sizeof *bye) : NULL;
    if (!bye || !take(leg, bye)) {
        free(bye);
        return NULL;
    }
    list_push_back(&leg->ua->byes, &bye->link);
    return bye;
}

void sip_bye_done(struct sip_bye *bye, bool answer)
{
    if (!bye)
        return;
    if (bye->port && !answer) {
        bye->let_go = true;
        bye->since = clock_mono_now();
        if (bye->cancel)
            sip_incoming_mute(bye->ua, bye->irq); /* the INVITE's provisional answers */
        return;
    }
    if (!bye->port || !sip_may_act(bye->ua)) {
        bye_free(bye);
        return;
    }
    list_del(&bye->link); /* first: its answer is held back no longer */
    answer_it(bye);
    free(bye);
}

void sip_byes_sweep(struct sip_ua *ua)
{
    uint64_t now = clock_mono_now().us;
    list_foreach_safe(it, &ua->byes) {
        struct sip_bye *bye = list_entry(it, struct sip_bye, link);
        if (bye->let_go && now - bye->since.us > (uint64_t)ua->cfg.t1x64_ms * 1000u)
            bye_free(bye);
    }
}

static bool is_text(const char *text, const char *other)
{
    return text && strcmp(text, other) == 0;
}

/* An INVITE has no tag of ours; its transaction has. */
static bool of_leg(const struct sip_bye *bye, const struct sip_leg *leg)
{
    msg_t *msg = bye->let_go && bye->port == leg->port ? nta_incoming_getrequest(bye->irq) : NULL;
    const sip_t *sip = msg ? sip_object(msg) : NULL;
    bool same = sip && sip->sip_call_id && sip->sip_to && sip->sip_from &&
                is_text(sip->sip_call_id->i_id, leg->call_id) &&
                is_text(bye->cancel ? nta_incoming_gettag(bye->irq) : sip->sip_to->a_tag, leg->local_tag) &&
                is_text(sip->sip_from->a_tag, leg->remote_tag);
    msg_destroy(msg);
    return same;
}

static struct sip_bye *kept_of(const struct sip_leg *leg, bool cancel)
{
    list_foreach(it, &leg->ua->byes) {
        struct sip_bye *bye = list_entry(it, struct sip_bye, link);
        if (!bye->cancel == !cancel && of_leg(bye, leg))
            return bye;
    }
    return NULL;
}

void sip_bye_recall(struct sip_leg *leg)
{
    if (!leg->remote_tag || !kept_of(leg, false))
        return;
    leg->held |= SIP_HELD_BYE;
    sip_timer_confirm(leg, 1);
}

bool sip_cancel_recall(struct sip_leg *leg)
{
    struct sip_bye *bye = kept_of(leg, true);
    if (!bye)
        return false;
    leg->invite_in = bye->irq;
    leg->cancel_in = bye->cancel;
    leg->held |= SIP_HELD_CANCEL;
    list_del(&bye->link);
    free(bye);
    return true;
}

void sip_bye_again(struct sip_leg *leg)
{
    struct sip_bye *bye = kept_of(leg, false);
    if (!bye)
        return;
    nta_incoming_t *irq = bye->irq;
    list_del(&bye->link);
    free(bye);
    sip_dialog_hung_up(leg, irq, 0, "");
    if (!leg->bye_in)
        return;
    leg->bye_in = NULL;
    nta_incoming_treply(irq, SIP_200_OK, SIPTAG_SERVER_STR(leg->ua->product), TAG_END());
    nta_incoming_destroy(irq);
}

void sip_cancel_keep(struct sip_leg *leg, nta_incoming_t *invite)
{
    if (leg->cancel_in)
        return;
    leg->cancel_in = nta_incoming_getrequest_ackcancel(invite);
    sip_t *sip = leg->cancel_in ? sip_object(leg->cancel_in) : NULL;
    /* both answers have the same tag (RFC 3261 section 9.2) */
    if (sip && sip->sip_to && !sip->sip_to->a_tag)
        (void)sip_to_tag(msg_home(leg->cancel_in), sip->sip_to, leg->local_tag);
}

void sip_cancel_answer(struct sip_leg *leg)
{
    struct sip_bye now;
    if (leg->invite_in && !leg->cancel_in) { /* out of memory before: the CANCEL is answered when it is repeated */
        nta_incoming_treply(leg->invite_in, SIP_487_REQUEST_CANCELLED, SIPTAG_SERVER_STR(leg->ua->product), TAG_END());
        return;
    }
    if (take(leg, &now))
        answer_it(&now);
}

bool sip_cancel_waits(const struct sip_ua *ua, const nta_agent_t *agent, const sip_t *sip)
{
    list_foreach(it, &ua->byes) {
        const struct sip_bye *bye = list_entry(it, struct sip_bye, link);
        const sip_t *cancel = bye->cancel ? sip_object(bye->cancel) : NULL;
        if (cancel && strcmp(cancel->sip_via->v_branch, sip->sip_via->v_branch) == 0)
            return true;
    }
    if (!sip->sip_from || !sip->sip_to || !sip->sip_call_id)
        return false;
    nta_leg_t *found =
        nta_leg_by_dialog(agent, NULL, sip->sip_call_id, sip->sip_from->a_tag, NULL, sip->sip_to->a_tag, NULL);
    const struct sip_leg *leg = found ? (const struct sip_leg *)nta_leg_magic(found, sip_dialog_recv) : NULL;
    return leg && leg->inbound && leg->state == SIP_IN_RINGING && leg->invite_in;
}

void sip_byes_drop(struct sip_ua *ua, const struct sip_port *port)
{
    list_foreach_safe(it, &ua->byes) {
        struct sip_bye *bye = list_entry(it, struct sip_bye, link);
        if (port && bye->port != port)
            continue;
        bye->port = NULL;
        if (bye->let_go) {
            bye_free(bye);
            continue;
        }
        msg_destroy(bye->cancel);
        bye->cancel = NULL;
    }
}
