/* Ringing somebody for a caller, and joining the two.
 *
 * The offer (who is rung, since when) is committed state; this file rings the phone for it, one contact after another, and
 * reports the outcome as a command. Identifiers of the dialog follow from call, offer and attempt (ident.h), so they need
 * no commit of their own.
 *
 *   offer committed -> INVITE -> 18x ----> 200 -> OfferAnswered committed -> ACK, caller answered, joined
 *                         |        |--ring time over: CANCEL -> OfferFailed(no answer)
 *                         '--refused: next contact, or OfferFailed(cause)                                            */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "node/call_int.h"

#define CALL_TARGETS_MAX 8u /* contacts of an extension that are tried */

void call_offer_drop(struct call *k, int reason_status, const char *reason)
{
    call_timer_stop(&k->ring_timer);
    k->offer_id = 0;
    free(k->offer_targets);
    k->offer_targets = NULL;
    k->n_targets = k->attempt = 0;
    k->offer_answer_pending = false;
    call_leg_close(&k->b, reason_status, reason);
    call_leg_drop_sdp(&k->b);
}

/* ---- outcome */

static Ev__OfferFailed__Cause call_offer_cause(int sip_status)
{
    switch (sip_status) {
    case 486:
    case 600:
        return EV__OFFER_FAILED__CAUSE__BUSY;
    case 603:
    case 403:
    case 606:
        return EV__OFFER_FAILED__CAUSE__REJECTED;
    case 0:
        return EV__OFFER_FAILED__CAUSE__NO_ANSWER;
    case 404:
    case 408:
    case 410:
    case 430:
    case 480:
    case 502:
    case 503:
    case 504:
        return EV__OFFER_FAILED__CAUSE__UNREACHABLE;
    default:
        return EV__OFFER_FAILED__CAUSE__ERROR;
    }
}

static void call_offer_failed_done(struct call *k, int status, const struct core_answer *a)
{
    if (status && !k->ending && !k->gone) {
        log_warn("call", "%s: outcome of ringing not committed: %s", k->text_id, err_text(status));
        call_end(k, "system", "no_quorum", 503);
    }
    (void)a; /* refused as stale: the offer is over already */
}

static void call_offer_fail(struct call *k, int sip_status)
{
    uint64_t offer = k->offer_id;
    if (!offer || k->ending)
        return;
    call_offer_drop(k, 0, NULL);
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__OfferFailed f = EV__OFFER_FAILED__INIT;
    cmd.body_case = EV__COMMAND__BODY_OFFER_FAILED;
    cmd.offer_failed = &f;
    f.call_id = k->id;
    f.offer_id = offer;
    f.cause = call_offer_cause(sip_status);
    f.sip_status = (uint32_t)sip_status;
    if (call_propose(k, &cmd, call_offer_failed_done))
        call_end(k, "system", "no_quorum", 503);
}

static void call_ring_over(struct call *k)
{
    if (k->offer_answer_pending)
        return; /* answered in time; the commit is on its way */
    log_info("call", "%s: no answer", k->text_id);
    call_offer_fail(k, 0);
}

/* ---- where to ring */

static int call_target_family(const char *uri)
{
    return strchr(uri, '[') ? AF_INET6 : AF_INET;
}

static enum sdp_codec call_offer_codec(const struct call *k)
{
    if (k->a.agreed.active)
        return k->a.agreed.codec;
    return SDP_PCMA;
}

/* The phone is rung from where the flow came in, else from the address at which the caller stands: both sides then go on
 * together when that address moves. NULL: by family. */
static const char *call_offer_local_ip(const struct call *k, const struct flow_target *target, char buf[64])
{
    struct sip_dialog d;
    if (target->local_ip[0])
        return target->local_ip;
    if (!k->a.sip)
        return NULL;
    sip_leg_dialog(k->a.sip, &d);
    if ((strchr(d.local_ip, ':') ? AF_INET6 : AF_INET) != call_target_family(target->uri))
        return NULL;
    snprintf(buf, 64, "%s", d.local_ip);
    return buf;
}

/* The INVITE of one attempt. Everything that the phone tells one from another by follows from committed state. */
static int call_offer_params(struct call *k, const struct core_call *s, unsigned attempt, uint32_t epoch,
                             struct ident_dialog *ids, struct sip_out_params *out)
{
    const struct flow_target *target = &k->offer_targets[attempt];
    uint8_t nonce[32], key[32];
    char cluster[33];
    if (!core_secrets(call_node(k)->core, nonce, key, cluster))
        return ERR_BADSTATE;
    ident_dialog(key, k->id, k->offer_id, target->id | epoch << 8, ids);
    *out = (struct sip_out_params){
        .target = target->uri,
        .flow = target->flow[0] ? target->flow : NULL,
        .route = target->route[0] ? target->route : NULL,
        .from_user = s->caller[0] ? s->caller : "anonymous",
        .from_display = s->caller_name[0] ? s->caller_name : NULL,
        .to_user = s->offer.extension,
        .call_id = ids->call_id,
        .from_tag = ids->tag,
        .branch = ids->branch,
        .cseq = 1,
        .sdp = call_leg_sdp(&k->b),
        .supports_100rel = true,
        .hops = k->hops + 1,
        .cb = call_on_callee,
        .ctx = &k->b,
    };
    return 0;
}

static int call_offer_invite(struct call *k, const struct core_call *s, struct err_info *info)
{
    const struct flow_target *target = &k->offer_targets[k->attempt];
    struct ident_dialog ids;
    struct sip_out_params p;
    char buf[64];
    const char *local_ip = call_offer_local_ip(k, target, buf);
    int rc = call_leg_open_media(&k->b, local_ip, call_target_family(target->uri));
    if (rc == 0)
        rc = call_leg_make_offer(&k->b, call_offer_codec(k), SDP_SENDRECV);
    if (rc == 0)
        rc = call_offer_params(k, s, k->attempt, s->offer.epoch, &ids, &p);
    if (rc)
        return rc;
    p.local_ip = local_ip;
    p.again = k->offer_again;
    k->rung = false;
    return sip_leg_invite(call_node(k)->ua, &p, &k->b.sip, info);
}

/* A former owner whose address did not come along may have left phones ringing: they are called off, then rung anew. */
static void call_offer_cancel_former(struct call *k, const struct core_call *s)
{
    const Ev__Dialog *d = s->n_legs ? s->legs[0].dialog : NULL;
    if (!s->offer.former_epoch || !d || !d->local_address[0])
        return;
    for (uint32_t epoch = s->offer.former_epoch; epoch < s->offer.epoch; epoch++) {
        for (unsigned i = 0; i < k->n_targets; i++) {
            struct ident_dialog ids;
            struct sip_out_params p;
            if (call_offer_params(k, s, i, epoch, &ids, &p) == 0)
                sip_cancel_former(call_node(k)->ua, &p, d->local_address);
        }
    }
}

/* Rings the next contact that can be rung at all; with none left the offer has failed. */
static void call_offer_ring_next(struct call *k)
{
    const struct core_call *s = call_state(k);
    while (s && k->attempt < k->n_targets) {
        struct err_info info = {0};
        int rc = call_offer_invite(k, s, &info);
        if (rc == 0)
            return;
        log_info("call", "%s: %s cannot be rung: %s", k->text_id, k->offer_targets[k->attempt].uri,
                 info.text[0] ? info.text : err_text(rc));
        k->last_status = 480;
        k->attempt++;
    }
    call_offer_fail(k, k->last_status ? k->last_status : 480);
}

/* The node that the phone is rung through may have died meanwhile. A connection is gone with it; a phone on UDP can still be
 * reached where the node's address comes up again, and that is waited for when it rings already or there is no other way. */
static void call_offer_check_holder(struct call *k)
{
    if (!k->offer_id || !k->b.sip || k->offer_answer_pending || k->attempt >= k->n_targets)
        return;
    const struct flow_target *t = &k->offer_targets[k->attempt];
    const struct core_node *holder = t->holder[0] ? core_node(call_node(k)->core, t->holder) : NULL;
    bool tcp = strstr(t->route, ";transport=tcp") != NULL;
    if (!t->holder[0] || (holder && holder->up) || (!tcp && (k->rung || k->attempt + 1 >= k->n_targets)))
        return;
    log_info("call", "%s: %s was rung through node %s, which is down", k->text_id, t->uri, t->holder);
    call_leg_close(&k->b, 0, NULL);
    call_leg_drop_sdp(&k->b);
    k->last_status = 480;
    k->attempt++;
    call_offer_ring_next(k);
}

static void call_offer_find(struct call *k, const char *extension)
{
    struct flow_target found[CALL_TARGETS_MAX];
    size_t n = flow_targets(call_node(k), extension, found, CALL_TARGETS_MAX);
    k->offer_targets = n ? malloc(n * sizeof found[0]) : NULL;
    if (!k->offer_targets && n)
        log_warn("call", "%s: out of memory: %s is not rung", k->text_id, extension);
    k->n_targets = k->offer_targets ? (unsigned)n : 0;
    if (k->offer_targets)
        memcpy(k->offer_targets, found, n * sizeof found[0]);
}

static void call_offer_begin(struct call *k, const struct core_call *s)
{
    call_offer_drop(k, 0, NULL);
    k->offer_id = s->offer.id;
    k->last_status = 0;
    call_offer_find(k, s->offer.extension);
    uint64_t now = node_time_us(call_node(k)), ring = (uint64_t)s->offer.ring_time_s * 1000000u;
    uint64_t over = s->offer.since_us + ring;
    call_timer_set(k, &k->ring_timer, over > now ? (over - now + 999u) / 1000u : 0, call_ring_over);
    log_debug("call", "%s: rings %s%s%s", k->text_id, s->offer.extension, s->offer.agent[0] ? " for agent " : "",
              s->offer.agent);
    /* Taken over with its address, or by ourselves from ourselves: the same INVITE once more, which the phone takes for a
     * retransmission. */
    k->offer_again = k->adopted && (s->offer.epoch < s->epoch || k->resumed_offer == s->offer.id);
    if (k->adopted)
        call_offer_cancel_former(k, s);
    call_offer_ring_next(k);
}

/* ---- joining */

void call_bridge(struct call *k)
{
    if (!k->a.media || !k->b.media || !k->a.agreed.active || !k->b.agreed.active)
        return;
    int rc = media_bridge(k->a.media, k->b.media);
    if (rc)
        log_error("call", "%s: cannot join the parties: %s", k->text_id, err_text(rc));
}

/* Who he is that was rung, as records name him. */
static const char *call_callee_is(const struct call *k)
{
    const struct core_call *s = call_state(k);
    return s && s->n_legs > 1 && s->legs[1].agent && s->legs[1].agent[0] ? "agent" : "callee";
}

static void call_talk_over(struct call *k)
{
    call_end(k, "system", "max_duration", 0);
}

/* From when they were joined, whoever's call it was then. */
static void call_talk_limit(struct call *k)
{
    const struct core_call *s = call_state(k);
    uint32_t most = core_parameter_number(call_node(k)->core, "max_call_s", 0);
    if (!s || !most)
        return;
    uint64_t now = node_time_us(call_node(k)), over = s->connected_us + most * 1000000ull;
    call_timer_set(k, &k->talk_timer, over > now ? (over - now + 999u) / 1000u : 0, call_talk_over);
}

static void call_talk_begin(struct call *k)
{
    if (k->shown == CALL_SHOWN_TALK)
        return;
    if (!k->b.sip) {
        call_end(k, call_callee_is(k), "normal", 0);
        return;
    }
    call_timer_stop(&k->ring_timer);
    call_menu_leave(k);
    if (sip_leg_ack(k->b.sip))
        log_debug("call", "%s: the answer needs no ACK any more", k->text_id);
    k->b.answered = true;
    call_leg_apply_media(&k->b);
    call_answer_caller(k);
    if (k->ending)
        return;
    k->shown = CALL_SHOWN_TALK;
    call_talk_limit(k);
    call_leg_hold_changed(&k->a);
    if (k->offer_again) { /* the phone has the former owner's description: the port in it was not known here */
        k->offer_again = false;
        call_leg_move(&k->b);
    }
}

static void call_wait_begin(struct call *k, const struct core_call *s)
{
    call_answer_caller(k);
    if (k->ending || k->shown == CALL_SHOWN_QUEUE)
        return;
    call_menu_leave(k);
    k->shown = CALL_SHOWN_QUEUE;
    const struct core *core = call_node(k)->core;
    const Ev__Queue *q = core_queue_config(core, s->queue);
    const Ev__AccessNumber *number = core_access_number(core, s->called);
    if (!(q && q->quiet) && !(number && number->quiet))
        call_play_music(&k->a);
}

static void call_dial_begin(struct call *k, const struct core_call *s)
{
    if (k->shown == CALL_SHOWN_DIAL)
        return;
    call_menu_leave(k);
    k->shown = CALL_SHOWN_DIAL;
    if (s->answered)
        call_play_ringback(&k->a);
}

void call_offer_follow(struct call *k, const struct core_call *s)
{
    if (s->phase == CORE_CALL_TALKING) {
        call_talk_begin(k);
        return;
    }
    if (s->phase == CORE_CALL_DIALLING)
        call_dial_begin(k, s);
    else
        call_wait_begin(k, s);
    if (k->ending)
        return;
    if (s->offer.id == k->offer_id)
        call_offer_check_holder(k);
    else if (s->offer.id)
        call_offer_begin(k, s);
    else
        call_offer_drop(k, 0, NULL);
}

/* ---- the phone that is rung */

static void call_callee_progress(struct call *k, const struct sip_event *ev)
{
    struct err_info info = {0};
    k->rung = true;
    bool heard = ev->sdp && !k->b.redescribed && call_leg_take_answer(&k->b, ev->sdp, ev->sdp_len, &info) == 0;
    k->b.described |= heard;
    if (k->a.answered || k->shown != CALL_SHOWN_DIAL)
        return;
    /* Early media: the caller hears what the other side plays (only if his own description is known). */
    if (!heard || k->a.we_offered) {
        if (sip_leg_ring(k->a.sip, 180, NULL))
            log_debug("call", "%s: caller is no longer waiting for 180", k->text_id);
        return;
    }
    k->b.early = true;
    call_leg_apply_media(&k->b);
    call_leg_apply_media(&k->a);
    if (sip_leg_ring(k->a.sip, ev->status, call_leg_sdp(&k->a)) == 0)
        call_bridge(k);
}

static void call_answered_done(struct call *k, int status, const struct core_answer *a)
{
    k->offer_answer_pending = false;
    if (k->ending || k->gone || (status == 0 && a->code == 0))
        return;
    log_info("call", "%s: answer came too late: %s", k->text_id, status ? err_text(status) : a->text);
    if (status)
        call_end(k, "system", "no_quorum", 503);
    else
        call_leg_close(&k->b, 0, NULL);
}

static void call_callee_answered(struct call *k, const struct sip_event *ev)
{
    struct err_info info = {0};
    int rc = k->b.described ? 0 : ERR_INVAL;
    if (ev->sdp && !k->b.redescribed)
        rc = call_leg_take_answer(&k->b, ev->sdp, ev->sdp_len, &info);
    if (rc) {
        log_info("call", "%s: answer without usable description: %s", k->text_id, info.text);
        call_offer_fail(k, 488);
        return;
    }
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__OfferAnswered o = EV__OFFER_ANSWERED__INIT;
    Ev__Dialog callee, caller;
    struct call_dialog_room callee_room, caller_room;
    k->b.unsure = k->offer_again; /* he has another port of ours until he is told */
    call_leg_dialog(&k->b, &callee, &callee_room);
    cmd.body_case = EV__COMMAND__BODY_OFFER_ANSWERED;
    cmd.offer_answered = &o;
    o.call_id = k->id;
    o.offer_id = k->offer_id;
    o.dialog = &callee;
    o.caller_acked = k->a.acked;
    if (!k->a.answered) {
        call_leg_dialog(&k->a, &caller, &caller_room);
        o.caller_dialog = &caller;
    }
    k->offer_answer_pending = true;
    if (call_propose(k, &cmd, call_answered_done)) {
        k->offer_answer_pending = false;
        call_end(k, "system", "no_quorum", 503);
    }
}

/* The way to the phone failed (RFC 5626 section 5.3.1); any other refusal is the phone's own, by whatever way it is asked. */
static bool call_flow_failed(int status)
{
    return status == 408 || status == 430 || (status >= 502 && status <= 504);
}

static void call_callee_failed(struct call *k, const struct sip_event *ev)
{
    k->b.sip = NULL;
    k->last_status = ev->status;
    if (k->attempt >= k->n_targets) {
        call_offer_fail(k, ev->status);
        return;
    }
    log_info("call", "%s: %s answers %d %s", k->text_id, k->offer_targets[k->attempt].uri, ev->status, ev->phrase);
    unsigned phone = k->offer_targets[k->attempt].phone, next = k->attempt + 1;
    while (!call_flow_failed(ev->status) && next < k->n_targets && k->offer_targets[next].phone == phone)
        next++;
    if (call_offer_cause(ev->status) != EV__OFFER_FAILED__CAUSE__UNREACHABLE || next >= k->n_targets) {
        call_offer_fail(k, ev->status);
        return;
    }
    call_leg_close(&k->b, 0, NULL);
    call_leg_drop_sdp(&k->b);
    k->attempt = next;
    call_offer_ring_next(k);
}

static void call_callee_ended(struct call *k, const struct sip_event *ev)
{
    k->b.sip = NULL;
    if (k->offer_answer_pending)
        return; /* the commit comes first; then the missing leg ends the call */
    call_end(k, call_callee_is(k), ev->status >= 400 ? "lost" : "normal", ev->status >= 400 ? ev->status : 0);
}

void call_on_callee(void *ctx, struct sip_leg *leg, const struct sip_event *ev)
{
    struct call_leg *l = ctx;
    struct call *k = l->call;
    if (ev->type == SIP_EV_FAILED || ev->type == SIP_EV_ENDED)
        l->sip = NULL; /* gone, whatever follows */
    if (ev->type == SIP_EV_ENDED && !l->bye)
        l->bye = sip_leg_keep_bye(leg);
    if (call_yields(k))
        return;
    mem_ref(k);
    switch (ev->type) {
    case SIP_EV_PROGRESS:
        call_callee_progress(k, ev);
        break;
    case SIP_EV_ANSWERED:
        call_callee_answered(k, ev);
        break;
    case SIP_EV_FAILED:
        call_callee_failed(k, ev);
        break;
    case SIP_EV_ENDED:
        call_callee_ended(k, ev);
        break;
    case SIP_EV_REOFFER:
        call_leg_on_reoffer(l, ev);
        break;
    case SIP_EV_ACKED:
        call_leg_on_acked(l, ev);
        break;
    case SIP_EV_INFO_DTMF:
        call_leg_pass_key(l, ev->digit);
        break;
    case SIP_EV_REANSWERED:
        call_adopt_on_reanswered(l, ev);
        break;
    }
    mem_unref(k);
}
