/* One party of a call: descriptions, media, dialog. See call_int.h. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/parameter.h"
#include "node/call_int.h"

/* Those that may be used, in the order of the parameter; what it does not name is not. Returns how many. */
static size_t call_codecs(const struct core *core, enum sdp_codec out[SDP_CODECS])
{
    char text[PARAMETER_CODECS_MAX + 1], *rest = text;
    size_t n = 0;
    snprintf(text, sizeof text, "%s", core_parameter(core, "codecs", "PCMA PCMU G722 opus"));
    for (const char *name = strsep(&rest, " "); name && n < SDP_CODECS; name = strsep(&rest, " ")) {
        enum sdp_codec c = sdp_codec_named(name);
        if (c != SDP_OTHER)
            out[n++] = c;
    }
    return n;
}

static void call_leg_prefer(struct sdp_local *local, enum sdp_codec first, const enum sdp_codec *rest, size_t n)
{
    size_t k = 0;
    memset(local->prefer, 0, sizeof local->prefer);
    if (first != SDP_OTHER)
        local->prefer[k++] = first;
    for (size_t i = 0; i < n && k < SDP_CODECS; i++) {
        if (rest[i] != first)
            local->prefer[k++] = rest[i];
    }
}

/* What an offer is answered with: the codec of the other party, so that nothing need be transcoded, else the first that the offer names,
 * of those that may be used. */
static void call_leg_prefer_offered(const struct call_leg *l, const struct sdp *offer, struct sdp_local *local)
{
    const struct call_leg *other = l->callee ? &l->call->a : l->call->b;
    enum sdp_codec may[SDP_CODECS], theirs[SDP_CODECS], order[SDP_CODECS], first = SDP_OTHER;
    size_t n_may = call_codecs(call_node(l->call)->core, may), n_order = 0;
    for (size_t m = 0; m < offer->n_media && n_order == 0; m++) {
        size_t n = sdp_codecs_of(&offer->media[m], theirs);
        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k < n_may; k++) {
                if (theirs[i] == may[k])
                    order[n_order++] = may[k];
            }
        }
    }
    for (size_t i = 0; i < n_order; i++) {
        if (other->agreed.active && order[i] == other->agreed.codec)
            first = order[i];
    }
    call_leg_prefer(local, first, order, n_order);
}

/* As it stands in the state. */
static void call_leg_address(char out[64], const char *ip, uint16_t port)
{
    snprintf(out, 64, strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip, port);
}

/* Where the SIP side stands media stands too, if it can: then both go on together when the address moves. */
int call_leg_open_media(struct call_leg *l, const char *local_ip, int family)
{
    int rc = local_ip ? call_leg_open_media_at(l, local_ip, family, 0) : ERR_NOTFOUND;
    return rc == ERR_NOTFOUND ? call_leg_open_media_at(l, NULL, family, 0) : rc;
}

static bool call_leg_spoken_for(void *ctx, const char *ip, uint16_t port)
{
    const struct call_leg *l = ctx;
    char at[64];
    call_leg_address(at, ip, port);
    return map_get(&l->call->cs->ports, at) != NULL;
}

int call_leg_open_media_at(struct call_leg *l, const char *local_ip, int family, uint16_t media_port)
{
    if (l->media)
        return 0;
    struct node *n = call_node(l->call);
    struct media_numbering numbering;
    struct media_stream_params p = {
        .ip = local_ip, .family = family, .port = media_port, .numbering = &numbering, .cb = call_on_media, .ctx = l};
    if (map_count(&l->call->cs->ports))
        p.spoken_for = call_leg_spoken_for;
    int rc = call_rtp_numbering(l, &numbering);
    if (rc == 0)
        rc = media_stream_open(n->media, &p, &l->media);
    if (rc)
        return rc;
    const char *mine = media_stream_ip(l->media);
    uint16_t port = media_stream_port(l->media);
    call_leg_address(l->media_address, mine, port);
    l->local = (struct sdp_local){
        .session_id = clock_wall_now().us,
        .version = 1,
        .ip = mine,
        .rtp_port = port,
        .dir = SDP_SENDRECV,
        .dtmf = true,
    };
    return 0;
}

void call_leg_close(struct call_leg *l, int reason_status, const char *reason)
{
    call_timer_stop(&l->move_timer);
    call_timer_stop(&l->keyed.timer);
    l->keyed.n = 0;
    if (l->sip) {
        struct sip_leg *sip = l->sip;
        l->sip = NULL;
        sip_leg_release(sip, reason_status, reason);
    }
    call_tape_leg_gone(l);
    if (l->media) {
        media_stream_close(l->media);
        l->media = NULL;
    }
    free(l->remote_sdp);
    l->remote_sdp = NULL;
    l->moving = l->acked = l->answered = l->held = l->holds = l->muted = l->early = l->we_offered = false;
    l->described = l->redescribed = l->line_known = l->unsure = l->unsure_known = false;
}

void call_leg_credentials(struct call_leg *l, const char *trunk)
{
    const char *user = NULL, *password = core_trunk_credentials(call_node(l->call)->core, trunk, &user);
    if (password && l->sip && sip_leg_credentials(l->sip, user, password) != 0)
        log_warn("call", "%s: out of memory: a challenge of trunk %s cannot be answered", l->call->text_id, trunk);
}

void call_leg_forget(struct call_leg *l)
{
    if (l->sip)
        sip_leg_forget(l->sip);
    if (l->media)
        media_stream_forget(l->media);
    l->sip = NULL;
    l->media = NULL;
    call_leg_close(l, 0, NULL);
}

static int call_leg_keep(char **where, const char *sdp, size_t len)
{
    char *copy = strndup(sdp, len);
    if (!copy)
        return ERR_NOMEM;
    free(*where);
    *where = copy;
    return 0;
}

const char *call_leg_sdp(const struct call_leg *l)
{
    return l->local_sdp ? l->local_sdp : "";
}

void call_leg_drop_sdp(struct call_leg *l)
{
    free(l->local_sdp);
    l->local_sdp = NULL;
}

/* A description that says something else than the one before needs a higher version (RFC 3264 section 8). */
static void call_leg_next_version(struct call_leg *l)
{
    if (l->local_sdp)
        l->local.version++;
}

/* A leg that is just taken over has no dialog yet. */
static void call_leg_warn(struct call_leg *l, unsigned code, const char *text)
{
    if (l->sip)
        sip_leg_warn(l->sip, code, text);
}

int call_leg_take_offer(struct call_leg *l, const char *sdp, size_t len, enum sdp_dir want, struct err_info *info)
{
    struct sdp offer;
    int rc = sdp_parse(sdp, len, &offer, info);
    if (rc == ERR_UNSUPPORTED)
        call_leg_warn(l, 399, "Too many media lines");
    if (rc)
        return rc;
    struct sdp_local local = l->local;
    call_leg_prefer_offered(l, &offer, &local);
    local.dir = want;
    char text[CALL_SDP_MAX];
    if (l->local_sdp)
        local.version++;
    struct sdp_session_params agreed;
    int n = sdp_write_answer(&offer, &local, text, sizeof text, &agreed);
    if (n < 0) {
        struct sdp_warning why = sdp_why_not(&offer, &local);
        call_leg_warn(l, why.code, why.text);
        return err_set(info, ERR_UNSUPPORTED, "sdp", "%s", why.text);
    }
    if (!agreed.active && !l->agreed.active) {
        call_leg_warn(l, 304, "Media type not available: no audio stream is offered");
        return err_set(info, ERR_UNSUPPORTED, "sdp", "no audio stream is offered");
    }
    rc = call_leg_keep(&l->remote_sdp, sdp, len);
    if (rc == 0)
        rc = call_leg_keep(&l->local_sdp, text, (size_t)n);
    if (rc)
        return rc;
    if (agreed.active) {
        local.line = agreed.media_index;
        sdp_keep_numbers(&local.numbers, &offer.media[local.line]);
    }
    l->local = local;
    l->agreed = agreed;
    l->we_offered = l->offered_by_us = false;
    return 0;
}

int call_leg_make_offer(struct call_leg *l, enum sdp_codec first, enum sdp_dir dir)
{
    struct sdp before;
    char text[CALL_SDP_MAX];
    bool again = l->local_sdp && sdp_parse(l->local_sdp, strlen(l->local_sdp), &before, NULL) == 0;
    call_leg_next_version(l);
    enum sdp_codec may[SDP_CODECS];
    call_leg_prefer(&l->local, first, may, call_codecs(call_node(l->call)->core, may));
    l->local.dir = dir;
    int n = sdp_write_offer(&l->local, again ? &before : NULL, text, sizeof text - 1);
    int rc = n < 0 ? n : call_leg_keep(&l->local_sdp, text, (size_t)n);
    if (rc)
        return rc;
    l->we_offered = true;
    return 0;
}

int call_leg_take_answer(struct call_leg *l, const char *sdp, size_t len, struct err_info *info)
{
    struct sdp answer;
    int rc = sdp_parse(sdp, len, &answer, info);
    if (rc)
        return rc;
    struct sdp_session_params agreed;
    rc = sdp_take_answer(&l->local, &answer, &agreed);
    if (rc)
        return err_set(info, rc, "sdp", "the answer takes none of the formats offered");
    rc = call_leg_keep(&l->remote_sdp, sdp, len);
    if (rc)
        return rc;
    l->agreed = agreed;
    l->we_offered = false;
    l->offered_by_us = true;
    return 0;
}

int call_leg_recall(struct call_leg *l, const Ev__Dialog *d, struct err_info *info)
{
    struct sdp ours, theirs;
    struct sdp_session_params agreed;
    char text[CALL_SDP_MAX];
    int rc = sdp_parse(d->local_sdp, strlen(d->local_sdp), &ours, info);
    if (rc == 0 && strlen(d->local_sdp) >= CALL_SDP_MAX)
        rc = ERR_TOOBIG;
    if (rc == 0)
        rc = call_leg_keep(&l->local_sdp, d->local_sdp, strlen(d->local_sdp));
    if (rc)
        return rc;
    l->local.session_id = ours.session_id;
    l->local.version = ours.session_version;
    l->local.line = sdp_own_line(&ours);
    if (l->local.line < ours.n_media) { /* what it was then, whatever may be used now */
        const struct sdp_media *m = &ours.media[l->local.line];
        memset(l->local.prefer, 0, sizeof l->local.prefer);
        (void)sdp_codecs_of(m, l->local.prefer);
        sdp_keep_numbers(&l->local.numbers, m);
    }
    if (!d->remote_sdp[0]) { /* our offer is out, its answer has not come */
        l->we_offered = true;
        return 0;
    }
    rc = sdp_parse(d->remote_sdp, strlen(d->remote_sdp), &theirs, info);
    if (rc == 0 && d->offered_by_us)
        rc = sdp_take_answer(&l->local, &theirs, &agreed);
    else if (rc == 0)
        rc = sdp_write_answer(&theirs, &l->local, text, sizeof text, &agreed) < 0 ? ERR_UNSUPPORTED : 0;
    if (rc == 0)
        rc = call_leg_keep(&l->remote_sdp, d->remote_sdp, strlen(d->remote_sdp));
    if (rc)
        return rc;
    if (agreed.active && !d->offered_by_us)
        sdp_keep_numbers(&l->local.numbers, &theirs.media[agreed.media_index]);
    l->agreed = agreed;
    l->offered_by_us = d->offered_by_us;
    return 0;
}

void call_leg_apply_media(struct call_leg *l)
{
    if (!l->media)
        return;
    if (!l->agreed.active) { /* port 0: he wants no sound at all for now */
        media_stream_pause(l->media, true);
        l->held = true;
        return;
    }
    struct core *core = call_node(l->call)->core;
    struct media_remote r = {
        .sdp = l->agreed,
        .symmetric = strcmp(core_parameter(core, "rtp_symmetric", "on"), "off") != 0,
        .inband_dtmf = l->agreed.dtmf_pt < 0,
    };
    media_stream_set_remote(l->media, &r);
    media_stream_pause(l->media, !l->agreed.can_send);
    l->held = !l->agreed.can_send;
}

void call_leg_dialog(struct call_leg *l, Ev__Dialog *out, struct call_dialog_room *room)
{
    ev__dialog__init(out);
    room->local_address[0] = '\0';
    if (l->sip) {
        struct sip_dialog d;
        sip_leg_dialog(l->sip, &d);
        snprintf(room->local_address, sizeof room->local_address, strchr(d.local_ip, ':') ? "[%s]:%u" : "%s:%u",
                 d.local_ip, d.local_port);
        static char *const transports[] = {[SIP_UDP] = "udp", [SIP_TCP] = "tcp", [SIP_TLS] = "tls"};
        out->call_id = (char *)(uintptr_t)d.call_id;
        out->local_uri = (char *)(uintptr_t)d.local_uri;
        out->remote_uri = (char *)(uintptr_t)d.remote_uri;
        out->local_tag = (char *)(uintptr_t)d.local_tag;
        out->remote_tag = (char *)(uintptr_t)d.remote_tag;
        out->remote_target = (char *)(uintptr_t)d.remote_target;
        out->route_set = (char *)(uintptr_t)d.route_set;
        out->flow = (char *)(uintptr_t)d.flow;
        out->invite_text = (char *)(uintptr_t)d.invite_text;
        out->transport = transports[d.transport];
        out->local_cseq = d.local_cseq;
        out->remote_cseq = d.remote_cseq;
        out->inbound = d.inbound;
        out->session_expires_s = d.session_expires_s;
        out->refresher_is_us = d.refresher_is_us;
        out->invite_cseq = d.invite_cseq;
        if (strlen(d.invite_text) > CALL_INVITE_TEXT_MAX)
            out->invite_text = NULL;
    }
    out->local_address = room->local_address;
    out->local_sdp = (char *)(uintptr_t)call_leg_sdp(l);
    if (l->remote_sdp)
        out->remote_sdp = l->remote_sdp;
    out->media_address = l->media_address;
    if (l->agreed.active)
        out->codec = (char *)(uintptr_t)sdp_codec_name(l->agreed.codec);
    out->offered_by_us = l->offered_by_us;
    out->moving = l->unsure;
    if (l->line_known) {
        call_rtp_fill(l, &room->rtp);
        out->rtp = &room->rtp;
    }
}

/* ---- re-INVITE and UPDATE from the peer */

static bool holds(const struct call_leg *l)
{
    return l->held || l->holds;
}

bool call_leg_on_hold(const struct call *k)
{
    return holds(&k->a) || holds(k->b);
}

/* Who is held hears music, unless he holds the other one himself; when no hold is left both hear each other again. Who holds by his
 * telephone is sent nothing; who does so by request has to be told to be silent. */
void call_leg_hold_changed(struct call_leg *l)
{
    struct call *k = l->call;
    if (call_room_follow(k) || k->shown != CALL_SHOWN_TALK || !k->a.media || !k->b->media)
        return;
    if (!call_leg_on_hold(k)) {
        if (!k->joining)
            call_bridge(k);
        return;
    }
    k->joining = false;
    media_unbridge(l->media);
    struct call_leg *const both[] = {&k->a, k->b};
    for (unsigned i = 0; i < 2; i++) {
        if (!holds(both[i]))
            call_play_music(both[i]);
        else if (both[i]->holds)
            media_stream_stop_play(both[i]->media);
    }
}

void call_leg_set_party(struct call_leg *l, const struct core_leg *leg)
{
    if (l->muted != leg->muted && l->media)
        media_stream_mute(l->media, leg->muted);
    l->muted = leg->muted;
    l->holds = leg->holds;
}

void call_leg_follow(struct call *k, const struct core_call *s)
{
    for (size_t i = 0; i < s->n_legs && !k->ending && !k->gone; i++) {
        struct call_leg *l = s->legs[i].role == CORE_LEG_CALLER ? &k->a : k->b;
        bool before = l->holds;
        call_leg_set_party(l, &s->legs[i]);
        if (before != l->holds)
            call_leg_hold_changed(l);
    }
}

uint64_t call_leg_id(const struct call_leg *l)
{
    const struct core_call *s = call_state(l->call);
    for (size_t i = 0; s && i < s->n_legs; i++)
        if ((s->legs[i].role == CORE_LEG_CALLEE) == l->callee)
            return s->legs[i].id;
    return 0;
}

int call_leg_commit(struct call_leg *l, bool held, call_done_fn *done)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__LegUpdate update = EV__LEG_UPDATE__INIT;
    Ev__Dialog dialog;
    struct call_dialog_room room;
    call_leg_dialog(l, &dialog, &room);
    cmd.body_case = EV__COMMAND__BODY_LEG_UPDATE;
    cmd.leg_update = &update;
    update.call_id = l->call->id;
    update.leg_id = call_leg_id(l);
    update.dialog = &dialog;
    update.held = held;
    return call_propose(l->call, &cmd, done);
}

static void call_leg_answer_kept(struct call *k, int status, const struct core_answer *a)
{
    if ((status || a->code) && !k->ending && !k->gone)
        log_warn("call", "%s: the answer to our offer is not in the state: %s", k->text_id,
                 err_text(status ? status : a->code));
}

void call_leg_on_acked(struct call_leg *l, const struct sip_event *ev)
{
    struct call *k = l->call;
    l->acked = true;
    if (!l->we_offered || k->ending || (l->moving && !ev->sdp))
        return;
    struct err_info err = {0};
    if (!ev->sdp || call_leg_take_answer(l, ev->sdp, ev->sdp_len, &err)) {
        log_info("call", "%s: no usable answer in the ACK: %s", k->text_id, ev->sdp ? err.text : "none");
        call_end(k, "system", "no_media", 488);
        return;
    }
    call_leg_apply_media(l);
    call_leg_hold_changed(l);
    /* Our offer was committed before it went out; what came of it is known only now. */
    int rc = call_leg_commit(l, l->held, call_leg_answer_kept);
    if (rc)
        log_warn("call", "%s: the answer to our offer is not in the state: %s", k->text_id, err_text(rc));
}

void call_leg_pass_key(struct call_leg *l, char digit)
{
    struct call *k = l->call;
    struct call_leg *other = l->callee ? &k->a : k->b;
    if (k->shown == CALL_SHOWN_TALK && other->media)
        media_stream_send_dtmf(other->media, digit, 0);
    call_code_key(l, digit);
}

static void call_leg_reanswer(struct call *k, struct call_leg *l, int status)
{
    if (k->gone || k->ending || !l->sip || !l->reoffered)
        return; /* or who asked has gone elsewhere with it */
    l->reoffered = false;
    if (status) {
        if (sip_leg_reanswer(l->sip, call_sip_status(status), NULL))
            log_debug("call", "%s: re-INVITE went away before its answer", k->text_id);
        return;
    }
    if (sip_leg_reanswer(l->sip, 200, call_leg_sdp(l)))
        return;
    if (!l->we_offered) {
        call_leg_apply_media(l);
        call_leg_hold_changed(l);
    }
}

void call_leg_reoffer_a(struct call *k, int status, const struct core_answer *a)
{
    call_leg_reanswer(k, &k->a, status ? status : a->code);
}

void call_leg_reoffer_b(struct call *k, int status, const struct core_answer *a)
{
    /* He may have taken the caller's seat meanwhile. */
    call_leg_reanswer(k, !k->b->sip && k->a.was_callee ? &k->a : k->b, status ? status : a->code);
}

void call_leg_on_reoffer(struct call_leg *l, const struct sip_event *ev)
{
    struct call *k = l->call;
    struct err_info info = {0};
    int rc = ev->sdp ? call_leg_take_offer(l, ev->sdp, ev->sdp_len, SDP_SENDRECV, &info)
                     : call_leg_make_offer(l, l->agreed.codec, SDP_SENDRECV);
    if (rc) {
        log_info("call", "%s: re-INVITE refused: %s", k->text_id, info.text);
        if (sip_leg_reanswer(l->sip, call_sip_status(rc), NULL))
            log_debug("call", "%s: re-INVITE went away before its answer", k->text_id);
        return;
    }
    l->reoffered = true;
    if (l->callee && !call_leg_id(l)) { /* an early UPDATE: what it says is committed with the answer */
        l->described = l->redescribed = true;
        call_leg_reanswer(k, l, 0);
        return;
    }
    /* With an offer of ours the present hold stands until the ACK brings the answer. */
    bool held = l->we_offered ? l->held : !l->agreed.can_send;
    rc = call_leg_commit(l, held, l->callee ? call_leg_reoffer_b : call_leg_reoffer_a);
    if (rc)
        call_leg_reanswer(k, l, rc);
}
