/* Ringing somebody for a caller, and joining the two.
 *
 * The offer (who is rung, since when) is committed state; this file rings the phone for it, one contact after another, and
 * reports the outcome as a command. Identifiers of the dialog follow from call, offer and attempt (ident.h), so they need
 * no commit of their own.
 *
 *   offer committed -> INVITE -> 18x ----> 200 -> OfferAnswered committed -> ACK, caller answered, joined
 *                         |        |--ring time over: CANCEL -> OfferFailed(no answer)
 *                         '--refused: next contact, or OfferFailed(cause)
 *
 * Who has lost a ring to another phone is free by that commit, and may be rung for the next caller before the CANCEL of the first
 * ring has reached his phone, by another node perhaps. A phone with one line says 486 to that. That it is busy is believed only when it
 * still says so a while after it was let go of (call_ring_once_more). */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "node/call_int.h"

#define CALL_TARGETS_MAX 8u      /* contacts of an extension that are tried */
#define CALL_LOSERS_US 32000000u /* so long (64 * T1) a phone is called off anew */
#define CALL_LET_GO_US 2000000u  /* so long (4 * T1) a phone may not know yet that its former ring is over */
#define CALL_BUSY_MS 400u        /* between two tries meanwhile */
#define CALL_TRIES_MAX 5u        /* below 8, call_offer_params */

/* ---- who is rung */

static void call_bye_done(struct call_leg *l, bool answer)
{
    struct sip_bye *bye = l->bye;
    l->bye = NULL;
    sip_bye_done(bye, answer);
}

static void call_ring_drop(struct call_ring *r, int reason_status, const char *reason)
{
    struct call *k = r->leg.call;
    list_del(&r->link);
    r->offer_id = 0;
    free(r->targets);
    r->targets = NULL;
    r->n_targets = r->attempt = 0;
    r->answer_pending = r->over = r->busy = false;
    r->tries = 0;
    call_leg_close(&r->leg, reason_status, reason);
    call_leg_drop_sdp(&r->leg);
    call_bye_done(&r->leg, true);
    if (&r->leg == k->b)
        k->b = &k->first.leg;
    if (r != &k->first)
        free(r);
}

/* All but one, who has answered; NULL: all. */
static void call_rings_drop(struct call *k, const struct call_ring *but, int reason_status, const char *reason)
{
    list_foreach_safe(it, &k->rings) {
        struct call_ring *r = list_entry(it, struct call_ring, link);
        if (r != but)
            call_ring_drop(r, reason_status, reason);
    }
}

void call_offer_drop(struct call *k, int reason_status, const char *reason)
{
    call_timer_stop(&k->ring_timer);
    call_timer_stop(&k->busy_timer);
    call_rings_drop(k, NULL, reason_status, reason);
}

static struct call_ring *call_ring_of(const struct call *k, uint64_t offer_id)
{
    list_foreach(it, &k->rings) {
        struct call_ring *r = list_entry(it, struct call_ring, link);
        if (r->offer_id == offer_id)
            return r;
    }
    return NULL;
}

static const struct core_offer *call_ring_offer(const struct core_call *s, uint64_t offer_id)
{
    for (unsigned i = 0; s && i < s->n_offers; i++) {
        if (s->offers[i].id == offer_id)
            return &s->offers[i];
    }
    return NULL;
}

static struct call_ring *call_ring_new(struct call *k, const struct core_offer *o)
{
    struct call_ring *r = k->first.offer_id ? calloc(1, sizeof *r) : &k->first;
    if (!r) {
        log_warn("call", "%s: out of memory: %s is not rung", k->text_id, o->extension);
        return NULL;
    }
    list_init(&r->link);
    list_push_back(&k->rings, &r->link);
    r->leg.call = k;
    r->leg.callee = true;
    r->offer_id = o->id;
    r->last_status = 0;
    snprintf(r->extension, sizeof r->extension, "%s", o->extension);
    return r;
}

void call_ring_unseat(struct call_ring *r)
{
    call_ring_drop(r, 0, NULL);
}

void call_callees_close(struct call *k, int reason_status, const char *reason)
{
    call_leg_close(k->b, reason_status, reason);
    list_foreach(it, &k->rings)
        call_leg_close(&list_entry(it, struct call_ring, link)->leg, reason_status, reason);
}

void call_callees_forget(struct call *k)
{
    call_leg_forget(k->b);
    list_foreach(it, &k->rings)
        call_leg_forget(&list_entry(it, struct call_ring, link)->leg);
}

void call_callees_byes_done(struct call *k, bool answer)
{
    call_bye_done(k->b, answer);
    list_foreach(it, &k->rings)
        call_bye_done(&list_entry(it, struct call_ring, link)->leg, answer);
}

void call_callees_free(struct call *k)
{
    call_rings_drop(k, NULL, 0, NULL);
    free(k->first.leg.remote_sdp);
    free(k->first.leg.local_sdp);
}

bool call_offer_through(const struct call *k, const char *node)
{
    list_foreach(it, &k->rings) {
        const struct call_ring *r = list_entry(it, struct call_ring, link);
        if (r->attempt < r->n_targets && strcmp(r->targets[r->attempt].holder, node) == 0)
            return true;
    }
    return false;
}

/* ---- outcome */

static Ev__OfferFailed__Cause call_offer_cause(int sip_status)
{
    if (sip_status >= 300 && sip_status < 400) /* not followed: a telephone could lead callers anywhere */
        return EV__OFFER_FAILED__CAUSE__REJECTED;
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

/* sip_status 0: the ring time is over, for all. */
static void call_offer_fail(struct call *k, uint64_t offer_id, int sip_status)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__OfferFailed f = EV__OFFER_FAILED__INIT;
    cmd.body_case = EV__COMMAND__BODY_OFFER_FAILED;
    cmd.offer_failed = &f;
    f.call_id = k->id;
    f.offer_id = offer_id;
    f.cause = call_offer_cause(sip_status);
    f.sip_status = (uint32_t)sip_status;
    if (call_propose(k, &cmd, call_offer_failed_done))
        call_end(k, "system", "no_quorum", 503);
}

static void call_ring_quiet(struct call_ring *r)
{
    r->over = true;
    r->busy = false;
    r->attempt = r->n_targets;
    call_leg_close(&r->leg, 0, NULL);
    call_leg_drop_sdp(&r->leg);
}

/* This one is not to be had; others ring on. */
static void call_ring_fail(struct call_ring *r, int sip_status)
{
    struct call *k = r->leg.call;
    if (r->over || k->ending)
        return;
    call_ring_quiet(r);
    call_offer_fail(k, r->offer_id, sip_status);
}

static void call_ring_over(struct call *k)
{
    uint64_t offer = 0;
    list_foreach(it, &k->rings) {
        const struct call_ring *r = list_entry(it, struct call_ring, link);
        if (r->answer_pending)
            return; /* answered in time; the commit is on its way */
        if (!r->over)
            offer = r->offer_id;
    }
    if (!offer || k->ending)
        return;
    log_info("call", "%s: no answer", k->text_id);
    list_foreach(it, &k->rings)
        call_ring_quiet(list_entry(it, struct call_ring, link));
    call_offer_fail(k, offer, 0);
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
    return SDP_OTHER;
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

/* What its parameters point into. */
struct call_offer_room {
    struct ident_dialog ids;
    char display[CALL_DISPLAY_MAX], headers[CALL_HEADERS_MAX];
};

/* The INVITE of one attempt. Everything that the phone tells one from another by follows from committed state. */
static int call_offer_params(struct call_ring *r, const struct core_call *s, unsigned attempt, unsigned tries,
                             uint32_t epoch, struct call_offer_room *room, struct sip_out_params *out)
{
    struct ident_dialog *ids = &room->ids;
    struct call *k = r->leg.call;
    const struct flow_target *target = &r->targets[attempt];
    uint8_t nonce[32], key[32];
    char cluster[33];
    if (!core_secrets(call_node(k)->core, nonce, key, cluster))
        return ERR_BADSTATE;
    bool first = (r->first || (s->we_call && !s->n_legs)) && !s->joined; /* he is shown whom he will be joined with */
    bool outside = s->out_trunk[0] && !first; /* nobody is told who calls, but for the number meant for him */
    const char *caller = outside ? s->out_caller : first ? s->called : s->caller;
    const char *name = outside ? "" : first ? call_first_shown(s, room->display) : s->caller_name;
    ident_dialog(key, k->id, r->offer_id, target->id | epoch << 8 | tries << 29, ids);
    *out = (struct sip_out_params){
        .target = target->uri,
        .flow = target->flow[0] ? target->flow : NULL,
        .route = target->route[0] ? target->route : NULL,
        .from_user = caller[0] ? caller : "anonymous",
        .from_display = name[0] ? name : NULL,
        .to_user = r->extension,
        .call_id = ids->call_id,
        .from_tag = ids->tag,
        .branch = ids->branch,
        .cseq = 1,
        .sdp = call_leg_sdp(&r->leg),
        .headers = (outside ? call_forward_headers : call_rung_headers)(k, s, r->extension, room->headers),
        .supports_100rel = true,
        .hops = k->hops + 1,
        .cb = call_on_callee,
        .ctx = &r->leg,
    };
    return 0;
}

static int call_offer_invite(struct call_ring *r, const struct core_call *s, const struct core_offer *o,
                             struct err_info *info)
{
    struct call *k = r->leg.call;
    const struct flow_target *target = &r->targets[r->attempt];
    struct call_offer_room room;
    struct sip_out_params p;
    char buf[64];
    const char *local_ip = call_offer_local_ip(k, target, buf);
    int rc = call_leg_open_media(&r->leg, local_ip, call_target_family(target->uri));
    if (rc == 0)
        rc = call_leg_make_offer(&r->leg, call_offer_codec(k), SDP_SENDRECV);
    if (rc == 0)
        rc = call_offer_params(r, s, r->attempt, r->tries, o->epoch, &room, &p);
    if (rc)
        return rc;
    p.local_ip = local_ip;
    p.again = r->again;
    r->rung = false;
    rc = sip_leg_invite(call_node(k)->ua, &p, &r->leg.sip, info);
    if (rc == 0)
        call_leg_credentials(&r->leg, s->out_trunk);
    return rc;
}

/* Whether the phone may have been busy with an earlier ring when this one began. */
static bool call_was_let_go(const struct call_ring *r, const struct core_offer *o)
{
    uint64_t at = core_let_go_us(call_node(r->leg.call)->core, r->extension);
    return at && at + CALL_LET_GO_US > o->since_us;
}

/* A former owner whose address did not come along may have left phones ringing: they are called off, then rung anew. */
static void call_offer_cancel_from(struct call_ring *r, const struct core_call *s, const struct core_offer *o,
                                   const char *local_address, bool elsewhere)
{
    unsigned tries = call_was_let_go(r, o) ? CALL_TRIES_MAX + 1 : 1;
    for (uint32_t epoch = o->former_epoch; epoch < o->epoch; epoch++) {
        for (unsigned i = 0; i < r->n_targets * tries; i++) {
            struct call_offer_room room;
            struct sip_out_params p;
            if (call_offer_params(r, s, i / tries, i % tries, epoch, &room, &p) == 0)
                sip_cancel_former(call_node(r->leg.call)->ua, &p, local_address, elsewhere ? CALL_ELSEWHERE : 0,
                                  CALL_ELSEWHERE_TEXT);
        }
    }
}

/* They were rung from the address that the caller's leg stands on; without one, from one of its owner's. */
static void call_offer_cancel_former(struct call_ring *r, const struct core_call *s, const struct core_offer *o,
                                     bool elsewhere)
{
    const Ev__Dialog *d = s->n_legs ? s->legs[0].dialog : NULL;
    if (!o->former_epoch)
        return;
    if (d && d->local_address[0])
        call_offer_cancel_from(r, s, o, d->local_address, elsewhere);
    const struct core_node *former = s->n_legs ? NULL : core_node(call_node(r->leg.call)->core, s->former_owner);
    for (size_t i = 0; former && i < former->n_sip; i++)
        call_offer_cancel_from(r, s, o, former->sip[i], elsewhere);
}

/* Rings the next contact that can be rung at all; with none left the offer has failed. */
static void call_offer_ring_next(struct call_ring *r)
{
    struct call *k = r->leg.call;
    const struct core_call *s = call_state(k);
    const struct core_offer *o = call_ring_offer(s, r->offer_id);
    while (o && r->attempt < r->n_targets) {
        struct err_info info = {0};
        int rc = call_offer_invite(r, s, o, &info);
        if (rc == 0)
            return;
        if (rc == ERR_NOQUORUM) {
            call_pause(k); /* no fault of the phone's: it is rung when this node may act again */
            return;
        }
        log_info("call", "%s: %s cannot be rung: %s", k->text_id, r->targets[r->attempt].uri,
                 info.text[0] ? info.text : err_text(rc));
        r->last_status = 480;
        r->attempt++;
    }
    call_ring_fail(r, r->last_status ? r->last_status : 480);
}

/* This contact is given up for another one. */
static void call_offer_ring_from(struct call_ring *r, unsigned attempt)
{
    call_leg_close(&r->leg, 0, NULL);
    call_leg_drop_sdp(&r->leg);
    r->attempt = attempt;
    call_offer_ring_next(r);
}

/* The node that the phone is rung through may have died meanwhile. A connection is gone with it; a phone on UDP can still be
 * reached where the node's address comes up again, and that is waited for when it rings already or there is no other way. */
static void call_offer_check_holder(struct call_ring *r)
{
    struct call *k = r->leg.call;
    if (r->over || !r->leg.sip || r->answer_pending || r->attempt >= r->n_targets)
        return;
    const struct flow_target *t = &r->targets[r->attempt];
    const struct core_node *holder = t->holder[0] ? core_node(call_node(k)->core, t->holder) : NULL;
    bool tcp = strstr(t->route, ";transport=tcp") != NULL;
    if (!t->holder[0] || (holder && holder->up) || (!tcp && (r->rung || r->attempt + 1 >= r->n_targets)))
        return;
    log_info("call", "%s: %s was rung through node %s, which is down", k->text_id, t->uri, t->holder);
    r->last_status = 480;
    call_offer_ring_from(r, r->attempt + 1);
}

static void call_offer_find(struct call_ring *r)
{
    struct call *k = r->leg.call;
    struct flow_target found[CALL_TARGETS_MAX];
    const struct core_call *s = call_state(k);
    size_t n = s && s->out_trunk[0] && !r->first ? flow_trunk_target(call_node(k), s->out_trunk, r->extension, found)
                                                 : flow_targets(call_node(k), r->extension, found, CALL_TARGETS_MAX);
    r->targets = n ? malloc(n * sizeof found[0]) : NULL;
    if (!r->targets && n)
        log_warn("call", "%s: out of memory: %s is not rung", k->text_id, r->extension);
    r->n_targets = r->targets ? (unsigned)n : 0;
    if (r->targets)
        memcpy(r->targets, found, n * sizeof found[0]);
}

static void call_offer_begin(struct call *k, const struct core_call *s, const struct core_offer *o)
{
    struct call_ring *r = call_ring_new(k, o);
    if (!r) {
        call_offer_fail(k, o->id, 500);
        return;
    }
    call_offer_find(r);
    uint64_t now = node_time_us(call_node(k)), ring = (uint64_t)o->ring_time_s * 1000000u;
    uint64_t over = o->since_us + ring;
    if (!k->ring_timer)
        call_timer_set(k, &k->ring_timer, over > now ? (over - now + 999u) / 1000u : 0, call_ring_over);
    log_debug("call", "%s: rings %s%s%s", k->text_id, o->extension, o->agent[0] ? " for agent " : "", o->agent);
    /* Taken over with its address, or by ourselves from ourselves: the same INVITE once more, which the phone takes for a
     * retransmission. */
    r->again = k->adopted && (o->epoch < s->epoch || o->id <= k->resumed_offer);
    if (k->adopted)
        call_offer_cancel_former(r, s, o, false);
    call_offer_ring_next(r);
}

/* As the state says: who is no longer in it is called off, who is new is rung. */
static void call_rings_follow(struct call *k, const struct core_call *s)
{
    list_foreach_safe(it, &k->rings) {
        struct call_ring *r = list_entry(it, struct call_ring, link);
        if (!call_ring_offer(s, r->offer_id))
            call_ring_drop(r, 0, NULL);
    }
    if (list_empty(&k->rings)) {
        call_timer_stop(&k->ring_timer);
        call_timer_stop(&k->busy_timer);
    }
    for (unsigned i = 0; i < s->n_offers && !k->ending && !k->gone; i++) {
        struct call_ring *r = call_ring_of(k, s->offers[i].id);
        if (r)
            call_offer_check_holder(r);
        else
            call_offer_begin(k, s, &s->offers[i]);
    }
}

/* ---- joining */

void call_bridge(struct call *k)
{
    if (!k->a.media || !k->b->media || !k->a.agreed.active || !k->b->agreed.active)
        return;
    int rc = media_bridge(k->a.media, k->b->media);
    if (rc)
        log_error("call", "%s: cannot join the parties: %s", k->text_id, err_text(rc));
}

const char *call_callee_is(const struct call *k)
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

/* Who has answered, as the state says. NULL: a leg that was carried on from state. */
static struct call_ring *call_winner(const struct call *k, const struct core_call *s)
{
    list_foreach(it, &k->rings) {
        struct call_ring *r = list_entry(it, struct call_ring, link);
        if (r->answer_pending && s->n_legs > 1 && strcmp(r->extension, s->legs[s->n_legs - 1].number) == 0)
            return r;
    }
    return NULL;
}

/* Who answered is in the state, that the others were called off is not: a former owner may have died over it. Who has picked up since is hung up on. */
void call_cancel_losers(struct call *k, const struct core_call *s)
{
    uint64_t answered = s->we_call ? s->answered_us : s->connected_us;
    uint64_t since = s->left_us > answered ? s->left_us : answered; /* who was rung before it went on elsewhere */
    bool late = s->phase != CORE_CALL_FAILED && node_time_us(call_node(k)) > since + CALL_LOSERS_US;
    if (!k->adopted || k->losers_told || late)
        return;
    k->losers_told = true;
    for (unsigned i = 0; i < s->n_called_off; i++) {
        struct core_offer o = s->called_off[i];
        struct call_ring r = {.offer_id = o.id, .leg.call = k, .first = s->we_call};
        snprintf(r.extension, sizeof r.extension, "%s", o.extension);
        if (!o.former_epoch)
            o.former_epoch = o.epoch;
        o.epoch++;
        call_offer_find(&r);
        call_offer_cancel_former(&r, s, &o, true);
        free(r.targets);
    }
}

static bool call_others_ring(const struct call *k, const struct call_ring *winner)
{
    list_foreach(it, &k->rings) {
        if (list_entry(it, struct call_ring, link) != winner)
            return true;
    }
    return false;
}

static void call_talk_begin(struct call *k, const struct core_call *s)
{
    if (k->shown == CALL_SHOWN_TALK)
        return;
    struct call_ring *winner = call_winner(k, s);
    if (call_others_ring(k, winner) && call_yields(k))
        return; /* nothing can be sent now: the others are called off when it is carried on */
    if (winner)
        k->b = &winner->leg;
    call_timer_stop(&k->ring_timer);
    call_timer_stop(&k->busy_timer);
    call_rings_drop(k, winner, CALL_ELSEWHERE, CALL_ELSEWHERE_TEXT);
    if (!k->b->sip) {
        call_end(k, call_callee_is(k), "normal", 0);
        return;
    }
    call_menu_leave(k);
    if (sip_leg_ack(k->b->sip))
        log_debug("call", "%s: the answer needs no ACK any more", k->text_id);
    k->b->answered = true;
    call_leg_apply_media(k->b);
    call_answer_caller(k);
    if (k->ending)
        return;
    bool waited_here = k->shown == CALL_SHOWN_QUEUE;
    k->shown = CALL_SHOWN_TALK;
    call_talk_limit(k);
    if (!waited_here || !call_agent_announce(k))
        call_leg_hold_changed(&k->a);
    if (winner && winner->again) { /* the phone has the former owner's description: the port in it was not known here */
        winner->again = false;
        call_leg_move(k->b);
    }
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
        call_talk_begin(k, s);
        return;
    }
    if (s->phase == CORE_CALL_DIALLING)
        call_dial_begin(k, s);
    else if (s->n_legs)
        call_wait_begin(k, s);
    if (k->ending)
        return;
    call_rings_follow(k, s);
}

/* ---- the phone that is rung */

static void call_callee_progress(struct call_ring *r, const struct sip_event *ev)
{
    struct err_info info = {0};
    struct call_leg *l = &r->leg;
    struct call *k = l->call;
    r->rung = true;
    call_first_rings(r);
    bool heard = ev->sdp && !l->redescribed && call_leg_take_answer(l, ev->sdp, ev->sdp_len, &info) == 0;
    l->described |= heard;
    if (k->a.answered || !k->a.sip || k->shown != CALL_SHOWN_DIAL)
        return;
    /* Early media: the caller hears what the other side plays (only if his own description is known). */
    if (!heard || k->a.we_offered) {
        if (sip_leg_ring(k->a.sip, 180, NULL))
            log_debug("call", "%s: caller is no longer waiting for 180", k->text_id);
        return;
    }
    l->early = true;
    k->b = l; /* outside queues one phone rings */
    call_leg_apply_media(l);
    call_leg_apply_media(&k->a);
    if (sip_leg_ring(k->a.sip, ev->status, call_leg_sdp(&k->a)) == 0)
        call_bridge(k);
}

static void call_answered_done(struct call *k, int status, const struct core_answer *a)
{
    if (k->ending || k->gone || (status == 0 && a->code == 0))
        return;
    log_info("call", "%s: answer came too late: %s", k->text_id, status ? err_text(status) : a->text);
    if (status)
        call_end(k, "system", "no_quorum", 503);
    else
        call_make_dirty(k); /* the offer is over: who else has answered, or that nobody has, stands in the state */
}

static void call_callee_answered(struct call_ring *r, const struct sip_event *ev)
{
    struct err_info info = {0};
    struct call_leg *l = &r->leg;
    struct call *k = l->call;
    int rc = l->described ? 0 : ERR_INVAL;
    if (ev->sdp && !l->redescribed)
        rc = call_leg_take_answer(l, ev->sdp, ev->sdp_len, &info);
    if (rc) {
        log_info("call", "%s: answer without usable description: %s", k->text_id, info.text);
        call_ring_fail(r, 488);
        return;
    }
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__OfferAnswered o = EV__OFFER_ANSWERED__INIT;
    Ev__Dialog callee, caller;
    struct call_dialog_room callee_room, caller_room;
    l->unsure = r->again; /* he has another port of ours until he is told */
    call_leg_dialog(l, &callee, &callee_room);
    cmd.body_case = EV__COMMAND__BODY_OFFER_ANSWERED;
    cmd.offer_answered = &o;
    o.call_id = k->id;
    o.offer_id = r->offer_id;
    o.dialog = &callee;
    o.caller_acked = k->a.acked;
    if (!k->a.answered && k->a.sip) {
        call_leg_dialog(&k->a, &caller, &caller_room);
        o.caller_dialog = &caller;
    }
    r->answer_pending = true;
    if (call_propose(k, &cmd, call_answered_done))
        call_end(k, "system", "no_quorum", 503);
}

/* The way to the phone failed (RFC 5626 section 5.3.1); any other refusal is the phone's own, by whatever way it is asked. */
static bool call_flow_failed(int status)
{
    return status == 408 || status == 430 || (status >= 502 && status <= 504);
}

static void call_busy_over(struct call *k)
{
    list_foreach_safe(it, &k->rings) {
        struct call_ring *r = list_entry(it, struct call_ring, link);
        if (!r->busy || r->over)
            continue;
        r->busy = false;
        r->tries++;
        call_offer_ring_from(r, r->attempt);
    }
}

/* A busy phone that was let go of a moment ago. After a takeover with the address its former owner may have rung it so often already: it
 * says 486 to what it takes for a retransmission, and 18x to the one that it rings by. */
static bool call_ring_once_more(struct call_ring *r, int status)
{
    struct call *k = r->leg.call;
    const struct core_offer *o = call_ring_offer(call_state(k), r->offer_id);
    if (call_offer_cause(status) != EV__OFFER_FAILED__CAUSE__BUSY || !o || k->ending || r->over ||
        r->tries >= CALL_TRIES_MAX || !call_was_let_go(r, o))
        return false;
    uint64_t at = core_let_go_us(call_node(k)->core, r->extension);
    if (!r->again && node_time_us(call_node(k)) > at + CALL_LET_GO_US)
        return false;
    r->busy = true;
    if (!k->busy_timer)
        call_timer_set(k, &k->busy_timer, CALL_BUSY_MS, call_busy_over);
    return true;
}

static void call_callee_failed(struct call_ring *r, const struct sip_event *ev)
{
    struct call *k = r->leg.call;
    r->last_status = ev->status;
    if (r->attempt >= r->n_targets) {
        call_ring_fail(r, ev->status);
        return;
    }
    log_info("call", "%s: %s answers %d %s", k->text_id, r->targets[r->attempt].uri, ev->status, ev->phrase);
    if (call_ring_once_more(r, ev->status))
        return;
    unsigned phone = r->targets[r->attempt].phone, next = r->attempt + 1;
    while (!call_flow_failed(ev->status) && next < r->n_targets && r->targets[next].phone == phone)
        next++;
    if (call_offer_cause(ev->status) != EV__OFFER_FAILED__CAUSE__UNREACHABLE || next >= r->n_targets)
        call_ring_fail(r, ev->status);
    else
        call_offer_ring_from(r, next);
}

static void call_callee_ended(struct call_ring *r, const struct sip_event *ev)
{
    struct call *k = r->leg.call;
    const char *cause = ev->status >= 400 ? "lost" : "normal", *by = call_callee_is(k);
    int status = ev->status >= 400 ? ev->status : 0;
    if ((r->answer_pending && k->shown != CALL_SHOWN_TALK) || call_transfer_awaited(&r->leg))
        return; /* the commit comes first; then the missing leg ends the call, or its part in it */
    if (!call_merge_awaited(&r->leg, by, cause, status) && (status || !call_part_over(&r->leg)))
        call_end(k, by, cause, status);
}

void call_on_callee(void *ctx, struct sip_leg *leg, const struct sip_event *ev)
{
    struct call_leg *l = ctx;
    struct call_ring *r = list_entry(l, struct call_ring, leg);
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
        call_callee_progress(r, ev);
        break;
    case SIP_EV_ANSWERED:
        call_callee_answered(r, ev);
        break;
    case SIP_EV_FAILED:
        call_callee_failed(r, ev);
        break;
    case SIP_EV_ENDED:
        call_callee_ended(r, ev);
        break;
    case SIP_EV_REFER:
        call_transfer_asked(l, ev);
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
