/* Calls carried on from state: after their owner died, gave them away, or this node itself had lost its lease.
 *
 * Each leg either keeps its address (the SIP address that its peer knows is bound here, with the same RTP port: nothing is sent, the
 * peer notices nothing), or is moved: it is rebuilt at our own address and the peer is told by a re-INVITE. That this is done is in the
 * state before the peer can know: should this node die in between, nobody takes the peer to be where he was. Media is sent to the
 * peer at once in both cases, and before any dialog is rebuilt: of many calls that come together the last one is silent no longer
 * than the first. What the caller is being given then follows from the phase, as for any call (calls.c). */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "node/address.h"
#include "node/call_int.h"
#include "node/lease.h"

#define ADOPT_UNSURE_US 32000000u /* so long (64 * T1) a 200 or an ACK of the former owner's may be missing */
#define ADOPT_MOVE_RETRY_MS 1000u
#define ADOPT_MOVE_TRIES 30u
#define ADOPT_VERSIONS 16u /* descriptions that a former owner may have sent and not committed */
#define ADOPT_GIVE_MAX 16u
#define ADOPT_CLOSING_MS 2u /* between two looks at a port that a stream of ours is giving back */

/* ---- addresses */

/* Where a dialog says that it stood; port 0 when it does not. */
static struct addr adopt_at(const char *text)
{
    struct addr at = {.port = 0};
    if (!text || addr_parse(text, &at))
        at = (struct addr){.port = 0};
    return at;
}

/* Whether SIP is at home on this address here: one of our own that never moves, or one that we hold. */
static enum address_here adopt_where(const struct node *n, const char *ip)
{
    enum address_here here = address_here(n, ip);
    if (here != ADDRESS_OTHER)
        return here;
    for (unsigned i = 0; i < n->cfg.n_service; i++)
        if (strcmp(n->cfg.service_ip[i], ip) == 0)
            return ADDRESS_OTHER; /* ours to serve, held by another now */
    for (unsigned i = 0; i < n->cfg.n_sip; i++)
        if (strcmp(n->cfg.sip[i].ip, ip) == 0)
            return ADDRESS_BOUND;
    return ADDRESS_OTHER;
}

static enum address_here adopt_where_leg(struct call *k, const struct core_call *s, const struct core_leg *leg)
{
    const Ev__Dialog *d = leg->dialog;
    struct addr at = adopt_at(d ? d->local_address : NULL);
    if (!at.port || d->moving)
        return ADDRESS_OTHER;
    const char *trunk = leg->role == CORE_LEG_CALLER ? s->trunk : s->out_trunk;
    enum address_here here = adopt_where(call_node(k), at.ip);
    if (here != ADDRESS_OTHER && address_here(call_node(k), at.ip) != ADDRESS_OTHER &&
        core_takeover_of(call_node(k)->core, trunk, d->flow) == CORE_TAKEOVER_REINVITE && s->taken_over_us)
        return ADDRESS_OTHER; /* its network wants to be told */
    return here;
}

/* ---- media */

void call_adopt_keep_ports(struct call *k, const struct core_call *s)
{
    for (size_t i = 0; i < s->n_legs && i < 2; i++) {
        const Ev__Dialog *d = s->legs[i].dialog;
        if (!d || !adopt_at(d->media_address).port || strlen(d->media_address) >= sizeof k->ports[i])
            continue;
        strcpy(k->ports[i], d->media_address);
        if (map_set(&k->cs->ports, k->ports[i], k))
            k->ports[i][0] = '\0'; /* then it may have to be moved */
    }
}

void call_adopt_drop_ports(struct call *k)
{
    for (size_t i = 0; i < 2; i++) {
        if (k->ports[i][0] && map_get(&k->cs->ports, k->ports[i]) == k)
            (void)map_del(&k->cs->ports, k->ports[i]);
        k->ports[i][0] = '\0';
    }
}

/* The same port, or any: true when it is the one that the peer knows. */
static int adopt_media(struct call_leg *l, const Ev__Dialog *d, bool *same)
{
    struct addr at = adopt_at(d->media_address);
    int family = at.ipv6 ? AF_INET6 : AF_INET, rc = ERR_NOTFOUND;
    if (*same && at.port)
        rc = call_leg_open_media_at(l, at.ip, family, at.port);
    if (rc == 0)
        return 0;
    *same = false;
    return call_leg_open_media(l, NULL, family);
}

/* ---- one leg */

static enum sip_transport adopt_transport(const char *text)
{
    return strcmp(text, "tcp") == 0 ? SIP_TCP : strcmp(text, "tls") == 0 ? SIP_TLS : SIP_UDP;
}

static enum sip_restore_as adopt_as(struct call *k, const struct core_call *s, const struct core_leg *leg)
{
    uint64_t now = node_time_us(call_node(k));
    uint64_t since = leg->role == CORE_LEG_CALLEE ? s->connected_us : s->answered_us;
    if (leg->joined_us)
        since = leg->joined_us;
    bool unsure = now < since + ADOPT_UNSURE_US;
    if (leg->answered && !leg->dialog->inbound)
        return unsure ? SIP_RESTORE_ACK : SIP_RESTORE_UP;
    if (!s->answered)
        return SIP_RESTORE_RINGING;
    return unsure && leg->dialog->invite_text[0] ? SIP_RESTORE_ANSWERED : SIP_RESTORE_UP;
}

/* The dialog as it is in the state, at the address that it stood on or (same false) at one of ours. */
static struct sip_restore_params adopt_dialog(const Ev__Dialog *d, uint32_t epoch, const struct addr *at, bool same)
{
    return (struct sip_restore_params){
        .as = SIP_RESTORE_UP,
        .call_id = d->call_id,
        .local_uri = d->local_uri,
        .remote_uri = d->remote_uri,
        .local_tag = d->local_tag,
        .remote_tag = d->remote_tag,
        .remote_target = d->remote_target,
        .route_set = d->route_set,
        .flow = d->flow,
        /* each owner before us has begun at a jump of its own */
        .local_cseq = d->local_cseq + SIP_RESTORE_CSEQ_JUMP * (epoch > 2 ? epoch - 2 : 0),
        .remote_cseq = d->remote_cseq,
        .invite_cseq = d->invite_cseq,
        .transport = adopt_transport(d->transport),
        .inbound = d->inbound,
        .invite_text = d->invite_text,
        .local_sdp = d->local_sdp,
        .remote_sdp = d->remote_sdp,
        .session_expires_s = d->session_expires_s,
        .refresher_is_us = d->refresher_is_us,
        .local_ip = same ? at->ip : NULL,
    };
}

static int adopt_sip(struct call_leg *l, const struct core_call *s, const struct core_leg *leg, bool same,
                     struct err_info *info)
{
    struct addr at = adopt_at(leg->dialog->local_address);
    struct sip_restore_params p = adopt_dialog(leg->dialog, s->epoch, &at, same);
    p.as = adopt_as(l->call, s, leg);
    p.cb = l->callee ? call_on_callee : call_on_caller;
    p.ctx = l;
    return sip_leg_restore(call_node(l->call)->ua, &p, &l->sip, info);
}

void call_adopt_hang_up(struct call *k, const struct core_call *s, const Ev__LegState *gone, const char *trunk,
                        uint64_t us)
{
    const Ev__Dialog *d = gone->dialog;
    struct err_info info = {0};
    struct call_leg l = {.call = k};
    if (!d || node_time_us(call_node(k)) > us + ADOPT_UNSURE_US)
        return;
    struct addr at = adopt_at(d->local_address);
    bool same = at.port && !d->moving && adopt_where(call_node(k), at.ip) == ADDRESS_BOUND;
    struct sip_restore_params p = adopt_dialog(d, s->epoch, &at, same);
    if (sip_leg_restore(call_node(k)->ua, &p, &l.sip, &info)) {
        log_info("call", "%s: %s is not told that he has left it: %s", k->text_id, gone->number, info.text);
        return;
    }
    call_leg_credentials(&l, trunk);
    sip_leg_release(l.sip, 0, NULL);
}

/* What a caller will be answered names where his sound is to go: here, not where it was. */
static int adopt_describe(struct call_leg *l, const Ev__Dialog *d, struct err_info *info)
{
    if (d->remote_sdp[0])
        return call_leg_take_offer(l, d->remote_sdp, strlen(d->remote_sdp), SDP_SENDRECV, info);
    return call_leg_make_offer(l, SDP_OTHER, SDP_SENDRECV);
}

static struct call_leg *adopt_leg_of(struct call *k, const struct core_leg *leg)
{
    return leg->role == CORE_LEG_CALLER ? &k->a : k->b;
}

static void adopt_leg_failed(const struct call_leg *l, int rc, const struct err_info *info)
{
    log_warn("call", "%s: its %s cannot be carried on: %s %s", l->call->text_id, l->callee ? "callee" : "caller",
             err_text(rc), info->text);
}

/* The leg's stream: the peer hears us, and is heard once the call is joined again. */
static int adopt_leg_sound(struct call_leg *l, const struct core_call *s, const struct core_leg *leg)
{
    struct err_info info = {0};
    enum address_here here = adopt_where_leg(l->call, s, leg);
    bool same = l->bound_here = here == ADDRESS_BOUND || (l->media && here == ADDRESS_PENDING);
    call_rtp_recall(l, s, leg);
    int rc = leg->dialog ? adopt_media(l, leg->dialog, &same) : ERR_INVAL;
    if (rc == 0)
        rc = call_leg_recall(l, leg->dialog, &info);
    if (rc == 0 && !leg->answered && !same)
        rc = adopt_describe(l, leg->dialog, &info);
    if (rc) {
        adopt_leg_failed(l, rc, &info);
        return rc;
    }
    l->port_kept = same;
    l->came = leg->from_call;
    l->local.version += ADOPT_VERSIONS * (s->epoch - 1);
    l->answered = leg->answered;
    l->held = leg->held;
    call_leg_set_party(l, leg);
    if (leg->answered && !l->we_offered)
        call_leg_apply_media(l);
    return 0;
}

static int adopt_leg_sip(struct call_leg *l, const struct core_call *s, const struct core_leg *leg)
{
    struct err_info info = {0};
    int rc = adopt_sip(l, s, leg, l->bound_here, &info);
    if (rc) {
        adopt_leg_failed(l, rc, &info);
        return rc;
    }
    call_leg_credentials(l, l->callee ? s->out_trunk : s->trunk);
    l->unsure_known = leg->dialog->moving;
    if (leg->answered && !l->port_kept)
        call_leg_move_begin(l);
    return 0;
}

/* ---- the call */

static bool adopt_pending(struct call *k, const struct core_call *s)
{
    for (size_t i = 0; s && i < s->n_legs; i++)
        if (adopt_where_leg(k, s, &s->legs[i]) == ADDRESS_PENDING)
            return true;
    return false;
}

/* Whether a leg's address is still being bound here, its own or of the call that it is joined to: with that both may go on to another node. */
static bool adopt_waits(struct call *k, const struct core_call *s)
{
    return adopt_pending(k, s) ||
           (s->joined && s->phase != CORE_CALL_FAILED && adopt_pending(k, core_call(call_node(k)->core, s->joined)));
}

/* This process let go of it a moment ago, and a stream of its is still closing. */
static bool adopt_port_closes(struct call *k, const struct core_call *s)
{
    for (size_t i = 0; i < s->n_legs; i++) {
        const Ev__Dialog *d = s->legs[i].dialog;
        struct addr at = adopt_at(d ? d->media_address : NULL);
        enum address_here here = adopt_where_leg(k, s, &s->legs[i]);
        if (at.port && (here == ADDRESS_BOUND || here == ADDRESS_PENDING) &&
            media_engine_closing(call_node(k)->media, at.ip, at.port))
            return true;
    }
    return false;
}

static void adopt_look_again(struct call *k)
{
    call_make_dirty(k);
    calls_reconcile(k->cs);
}

bool call_adopt_may(struct call *k, const struct core_call *s)
{
    if (!call_node(k)->ua || call_node(k)->leaving)
        return false; /* SIP has not begun: calls_reload comes again; or it ends */
    if (!node_may_act(call_node(k))) {
        k->cs->resume_due = true; /* catching up: it may be another's by now */
        return false;
    }
    if (adopt_waits(k, s)) {
        if (!k->adopting)
            list_push_back(&k->cs->adopting, &k->adopting_link);
        k->adopting = true;
        return false;
    }
    list_del(&k->adopting_link);
    k->adopting = false;
    if (adopt_port_closes(k, s)) {
        call_timer_set(k, &k->adopt_timer, ADOPT_CLOSING_MS, adopt_look_again);
        return false;
    }
    return true;
}

/* The streams of its legs, joined when they talk. What went wrong is told by call_adopt. */
static void adopt_sound(struct call *k, const struct core_call *s)
{
    k->sounds = true;
    call_adopt_drop_ports(k);
    int rc = s->n_legs ? 0 : ERR_INVAL;
    for (size_t i = 0; i < s->n_legs && rc == 0; i++)
        rc = adopt_leg_sound(adopt_leg_of(k, &s->legs[i]), s, &s->legs[i]);
    k->sound_lost = rc != 0;
    if (rc == 0 && !call_room_follow(k) && s->phase == CORE_CALL_TALKING && !call_leg_on_hold(k))
        call_bridge(k);
}

/* Lets go of what was opened too early. */
static void adopt_unsound(struct call *k)
{
    call_leg_forget(&k->a);
    call_leg_forget(k->b);
    k->sounds = k->sounds_early = false;
}

/* Whether his stream can be opened where it was, on an address that is here or about to be. */
static bool adopt_leg_early(struct call *k, const struct core_call *s, const struct core_leg *leg)
{
    enum address_here here = adopt_where_leg(k, s, leg);
    struct addr at = adopt_at(leg->dialog ? leg->dialog->media_address : NULL);
    struct call_leg *l = adopt_leg_of(k, leg);
    if (!at.port || !leg->answered)
        return false;
    if (here != ADDRESS_BOUND && !(here == ADDRESS_PENDING && address_expected(call_node(k), at.ip)))
        return false;
    call_rtp_recall(l, s, leg);
    return call_leg_open_media_at(l, at.ip, at.ipv6 ? AF_INET6 : AF_INET, at.port) == 0;
}

/* The hook that brings the address takes as long as opening the streams of a hundred calls: both at once. What is sent before it is
 * there goes nowhere. All or nothing: whatever does not go smoothly waits for the address. */
static void adopt_sound_early(struct call *k, const struct core_call *s)
{
    bool ok = s->n_legs > 0 && !adopt_port_closes(k, s);
    call_adopt_drop_ports(k);
    for (size_t i = 0; ok && i < s->n_legs; i++)
        ok = adopt_leg_early(k, s, &s->legs[i]);
    if (ok) {
        adopt_sound(k, s);
        k->sounds_early = !k->sound_lost;
    }
    if (!ok || k->sound_lost) {
        adopt_unsound(k);
        k->sound_lost = false;
        call_adopt_keep_ports(k, s);
    }
}

/* What was opened for an address that came in another way than expected is opened anew. */
static void adopt_sound_settle(struct call *k, const struct core_call *s)
{
    bool good = true;
    for (size_t i = 0; i < s->n_legs; i++)
        good = good && adopt_where_leg(k, s, &s->legs[i]) == ADDRESS_BOUND;
    if (k->sounds_early && !good)
        adopt_unsound(k);
    k->sounds_early = false;
}

void call_adopt_silence(struct call *k)
{
    const struct core_call *s = call_state(k);
    if (!k->sounds)
        return;
    adopt_unsound(k);
    k->sound_lost = false;
    if (s)
        call_adopt_keep_ports(k, s);
}

void calls_address_expected(struct calls *cs)
{
    list_foreach(it, &cs->adopting) {
        struct call *k = list_entry(it, struct call, adopting_link);
        const struct core_call *s = call_state(k);
        if (s && !k->ending && !k->sounds && strcmp(s->owner, cs->n->cfg.name) == 0)
            adopt_sound_early(k, s);
    }
}

void calls_adopt_sound(struct calls *cs)
{
    list_foreach(it, &cs->dirty) {
        struct call *k = list_entry(it, struct call, dirty_link);
        const struct core_call *s = call_state(k);
        bool ours = s && k->adopted && k->started && !k->ending && strcmp(s->owner, cs->n->cfg.name) == 0;
        if (!ours || !s->n_legs || k->a.sip || k->sounds)
            continue;
        if (call_adopt_may(k, s))
            adopt_sound(k, s);
        else if (k->adopting)
            adopt_sound_early(k, s);
    }
}

bool call_adopt(struct call *k, const struct core_call *s)
{
    if (!call_adopt_may(k, s))
        return false;
    adopt_sound_settle(k, s);
    if (!k->sounds)
        adopt_sound(k, s);
    k->cs->counts.taken_over++;
    int rc = k->sound_lost ? ERR_INVAL : 0;
    for (size_t i = 0; i < s->n_legs && rc == 0; i++)
        rc = adopt_leg_sip(adopt_leg_of(k, &s->legs[i]), s, &s->legs[i]);
    if (rc) {
        call_end(k, "system", "lost", 0);
        return false;
    }
    log_info("call", "%s: carried on here, %s, epoch %u", k->text_id, core_call_phase_name(s->phase), s->epoch);
    return true;
}

bool call_adopt_leg(struct call *k, const struct core_call *s, const struct core_leg *leg)
{
    struct call_leg *l = adopt_leg_of(k, leg);
    return adopt_leg_sound(l, s, leg) == 0 && adopt_leg_sip(l, s, leg) == 0;
}

static bool adopt_stands_there(const struct core_call *s, const char *ip)
{
    for (size_t i = 0; i < s->n_legs; i++)
        if (s->legs[i].dialog && strcmp(adopt_at(s->legs[i].dialog->local_address).ip, ip) == 0)
            return true;
    return false;
}

/* What may have been let go of here. Under the epoch of then our dialogs have the identifiers of then: phones take our INVITE for
 * a repetition of that one. */
static void adopt_resume(struct calls *cs, uint64_t id)
{
    const struct core_call *s = core_call(cs->n->core, id);
    bool same = s && (uintptr_t)map_del_u64(&cs->let_go, id) == (uintptr_t)s->epoch + 1;
    struct call *k = call_of(cs, id);
    if (!k)
        return;
    k->adopted |= !k->a.sip;
    if (same && !k->a.sip)
        for (unsigned i = 0; i < s->n_offers; i++)
            k->resumed_offer = s->offers[i].id > k->resumed_offer ? s->offers[i].id : k->resumed_offer;
    call_make_dirty(k);
}

/* With those who are joined to it. */
static void adopt_resume_all(struct calls *cs, uint64_t id)
{
    adopt_resume(cs, id);
    for (const struct core_call *s = NULL; (s = core_joined_next(cs->n->core, id, s));)
        adopt_resume(cs, s->id);
}

static bool adopt_went_with(struct calls *cs, const struct core_call *s, const char *ip)
{
    const struct core_call *main = s->joined ? core_call(cs->n->core, s->joined) : NULL;
    if (main && adopt_stands_there(main, ip))
        return !map_get_u64(&cs->by_id, s->id); /* it may have begun since then */
    return map_get_u64(&cs->let_go, s->id) && adopt_stands_there(s, ip);
}

/* Takes up what is ours: all of it, or (ip) what was let go of with an address that was to go, and stays. */
static void adopt_again(struct calls *cs, const char *ip)
{
    for (const struct core_call *s = NULL; (s = core_call_next(cs->n->core, s, cs->n->cfg.name));) {
        if (ip && !adopt_went_with(cs, s, ip))
            continue;
        adopt_resume(cs, s->id);
    }
}

void calls_address_ready(struct calls *cs, const char *ip)
{
    adopt_again(cs, ip);
    /* those that wait for another one are put back */
    list_foreach_safe(it, &cs->adopting) {
        struct call *k = list_entry(it, struct call, adopting_link);
        list_del(&k->adopting_link);
        k->adopting = false;
        call_make_dirty(k);
    }
    calls_reconcile(cs);
}

/* ---- telling a peer our address */

static void adopt_move_again(struct call *k, struct call_leg *l)
{
    if (!k->ending && !k->gone && l->sip && call_leg_id(l)) /* else it is another one's: he has left */
        call_leg_move_begin(l);
}

static void adopt_move_again_a(struct call *k)
{
    adopt_move_again(k, &k->a);
}

static void adopt_move_again_b(struct call *k)
{
    adopt_move_again(k, k->b);
}

static void adopt_move_later(struct call_leg *l)
{
    struct call *k = l->call;
    if (++l->move_tries > ADOPT_MOVE_TRIES)
        call_end(k, "system", "lost", 0);
    else
        call_timer_set(k, &l->move_timer, ADOPT_MOVE_RETRY_MS, l->callee ? adopt_move_again_b : adopt_move_again_a);
}

static void adopt_noted(struct call *k, struct call_leg *l, int status, const struct core_answer *a)
{
    if (k->ending || k->gone || !l->sip || !call_leg_id(l))
        return;
    l->unsure_known = !status && !a->code;
    if (l->unsure_known) {
        call_leg_move(l);
        return;
    }
    log_info("call", "%s: that it is being moved is not in the state: %s", k->text_id,
             err_text(status ? status : a->code));
    adopt_move_later(l);
}

static void adopt_noted_a(struct call *k, int status, const struct core_answer *a)
{
    adopt_noted(k, &k->a, status, a);
}

static void adopt_noted_b(struct call *k, int status, const struct core_answer *a)
{
    adopt_noted(k, k->b, status, a);
}

/* First it is in the state that he may be told. */
void call_leg_move_begin(struct call_leg *l)
{
    l->unsure = true;
    if (l->unsure_known)
        call_leg_move(l);
    else if (call_leg_commit(l, l->held, l->callee ? adopt_noted_b : adopt_noted_a))
        adopt_move_later(l);
}

void call_leg_move(struct call_leg *l)
{
    enum sdp_codec codec = l->agreed.active ? l->agreed.codec : SDP_OTHER;
    int rc = call_leg_make_offer(l, codec, SDP_SENDRECV);
    if (rc == 0)
        rc = sip_leg_reinvite(l->sip, call_leg_sdp(l));
    l->moving = rc == 0;
    if (rc) {
        log_debug("call", "%s: re-INVITE has to wait: %s", l->call->text_id, err_text(rc));
        adopt_move_later(l);
    }
}

static void adopt_moved(struct call *k, int status, const struct core_answer *a)
{
    if ((status || a->code) && !k->ending && !k->gone)
        log_warn("call", "%s: its new address is not in the state: %s", k->text_id,
                 err_text(status ? status : a->code));
}

void call_adopt_on_reanswered(struct call_leg *l, const struct sip_event *ev)
{
    struct call *k = l->call;
    struct err_info info = {0};
    l->moving = false;
    if (k->ending)
        return;
    if (ev->status != 200 || !ev->sdp || call_leg_take_answer(l, ev->sdp, ev->sdp_len, &info)) {
        log_info("call", "%s: re-INVITE answered %d %s%s", k->text_id, ev->status, ev->phrase, info.text);
        adopt_move_later(l);
        return;
    }
    l->move_tries = 0;
    l->unsure = l->unsure_known = false;
    call_leg_apply_media(l);
    call_leg_hold_changed(l);
    int rc = call_leg_commit(l, l->held, adopt_moved);
    if (rc)
        log_warn("call", "%s: its new address is not in the state: %s", k->text_id, err_text(rc));
}

/* ---- letting go */

static bool adopt_stands_on(const struct call_leg *l, const char *ip)
{
    struct sip_dialog d;
    if (l->media && strcmp(media_stream_ip(l->media), ip) == 0)
        return true;
    if (!l->sip)
        return false;
    sip_leg_dialog(l->sip, &d);
    return strcmp(d.local_ip, ip) == 0;
}

static bool adopt_any_stands_on(const struct call *k, const char *ip)
{
    list_foreach(it, &k->rings) {
        if (adopt_stands_on(&list_entry(it, struct call_ring, link)->leg, ip))
            return true;
    }
    return adopt_stands_on(&k->a, ip) || adopt_stands_on(k->b, ip);
}

/* With those who are joined to it, wherever they stand: they have the same owner, always. They leave the table, which a walk allows
 * (base/map.h). */
static void adopt_let_go(struct calls *cs, struct call *k)
{
    for (const struct core_call *p = NULL; (p = core_joined_next(cs->n->core, k->id, p));) {
        struct call *along = map_get_u64(&cs->by_id, p->id);
        if (along)
            call_let_go(along);
    }
    call_let_go(k);
}

/* Needs no memory: a call that is not let go of would speak on with an address that is another node's. */
static void adopt_forget_where(struct calls *cs, const char *ip)
{
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&cs->by_id, &it, &slot);) {
        struct call *k = slot->value;
        if (!ip || adopt_any_stands_on(k, ip))
            adopt_let_go(cs, k);
    }
}

void calls_forget_address(struct calls *cs, const char *ip)
{
    adopt_forget_where(cs, ip);
}

void calls_suspend(struct calls *cs)
{
    adopt_forget_where(cs, NULL);
}

void calls_lease_held(struct calls *cs)
{
    if (cs->resume_due)
        calls_resume(cs);
}

void calls_resume(struct calls *cs)
{
    cs->resume_due = false;
    adopt_again(cs, NULL);
    calls_reconcile(cs);
}

/* ---- giving away */

struct adopt_give {
    struct node *n; /* its calls may have gone when the outcome comes */
    uint64_t id;
};

static void adopt_given(void *ctx, int status, const struct core_answer *a)
{
    struct adopt_give *g = ctx;
    struct calls *cs = g->n->calls;
    if (cs)
        cs->moving--;
    if (cs && (status || a->code)) { /* nobody takes it: it stays */
        adopt_resume_all(cs, g->id);
        calls_reconcile(cs);
    }
    free(g);
}

static int adopt_give(struct call *k)
{
    struct calls *cs = k->cs;
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallMove m = EV__CALL_MOVE__INIT;
    struct adopt_give *g = malloc(sizeof *g);
    if (!g)
        return ERR_NOMEM;
    *g = (struct adopt_give){cs->n, k->id};
    const struct core_call *s = call_state(k);
    cmd.call_epoch = s ? s->epoch : 0;
    cmd.body_case = EV__COMMAND__BODY_CALL_MOVE;
    cmd.call_move = &m;
    m.call_id = k->id;
    /* silent before it is proposed: nobody may answer for the call any more once another may */
    adopt_let_go(cs, k);
    int rc = node_propose(cs->n, &cmd, 0, adopt_given, g);
    if (rc) {
        free(g);
        adopt_resume_all(cs, m.call_id);
        return rc;
    }
    cs->moving++;
    return 0;
}

size_t calls_give_away(struct calls *cs)
{
    size_t left = 0;
    uint64_t give[ADOPT_GIVE_MAX];
    size_t n = 0;
    for (const struct core_call *s = NULL; (s = core_call_next(cs->n->core, s, cs->n->cfg.name));) {
        struct call *k = map_get_u64(&cs->by_id, s->id);
        left++;
        bool along = s->joined && s->phase != CORE_CALL_FAILED; /* goes with the one that it has joined */
        if (!along && k && k->started && !k->ending && cs->moving + n < ADOPT_GIVE_MAX)
            give[n++] = s->id;
    }
    for (size_t i = 0; i < n; i++) {
        struct call *k = map_get_u64(&cs->by_id, give[i]);
        if (k && adopt_give(k))
            break;
    }
    if (n)
        calls_reconcile(cs);
    return left;
}
