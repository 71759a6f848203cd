/* Inbound INVITE until the ACK: checks, provisional and final answers, PRACK, CANCEL. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "telephony/sip_int.h"

#define USER_SIZE 256
#define DATAGRAM_MAX 65507u
#define ANSWER_OWN 4096u /* what an answer has of its own */

int sip_uas_overloaded(struct sip_port *port, nta_incoming_t *irq)
{
    struct sip_ua *ua = port->ua;
    const char *why = NULL;
    int wait = ua->stopping ? 1 : ua->handler.overloaded(ua->handler.ctx, &why);
    if (wait <= 0)
        return 0;
    char after[16];
    snprintf(after, sizeof after, "%d", wait);
    ua->stats.overloaded++;
    nta_incoming_treply(irq, 503, sip_phrase(503, why), SIPTAG_RETRY_AFTER_STR(after), SIPTAG_SERVER_STR(ua->product),
                        TAG_END());
    return 503;
}

bool sip_uas_silent(struct sip_port *port, nta_incoming_t *irq)
{
    if (sip_may_act(port->ua))
        return false;
    nta_incoming_treply(irq, SIP_503_SERVICE_UNAVAILABLE, SIPTAG_RETRY_AFTER_STR("1"),
                        SIPTAG_SERVER_STR(port->ua->product), TAG_END());
    return true;
}

/* 420 with Unsupported for option tags we do not know (RFC 3261 8.2.2.3). */
int sip_uas_check_required(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip)
{
    static const char *const known[] = {"100rel", "timer", "path", "outbound", "norefersub", "replaces"};
    char unknown[256];
    size_t n = 0;
    bool all = true;
    for (const sip_require_t *r = sip->sip_require; r; r = (const sip_require_t *)r->k_next)
        for (size_t i = 0; r->k_items && r->k_items[i]; i++) {
            bool found = false;
            for (size_t k = 0; k < sizeof known / sizeof known[0] && !found; k++)
                found = strcasecmp(r->k_items[i], known[k]) == 0;
            size_t len = strlen(r->k_items[i]);
            all = all && found;
            if (found || n + len + 3 > sizeof unknown)
                continue;
            n += (size_t)snprintf(unknown + n, sizeof unknown - n, "%s%s", n ? ", " : "", r->k_items[i]);
        }
    if (all)
        return 0;
    nta_incoming_treply(irq, 420, sip_phrase(420, NULL), TAG_IF(n, SIPTAG_UNSUPPORTED_STR(unknown)),
                        SIPTAG_SERVER_STR(port->ua->product), TAG_END());
    return 420;
}

static int refuse_body(struct sip_port *port, nta_incoming_t *irq, int status)
{
    nta_incoming_treply(irq, status, sip_phrase(status, NULL), TAG_IF(status == 415, SIPTAG_ACCEPT_STR(SIP_ACCEPT_SDP)),
                        TAG_IF(status == 415, SIPTAG_ACCEPT_ENCODING_STR("identity")),
                        SIPTAG_SERVER_STR(port->ua->product), TAG_END());
    return status;
}

static char *request_text(nta_incoming_t *irq)
{
    msg_t *msg = nta_incoming_getrequest(irq);
    size_t len = 0;
    char *s = msg ? msg_as_string(msg_home(msg), msg, NULL, 0, &len) : NULL;
    char *copy = s ? strndup(s, len) : NULL;
    msg_destroy(msg);
    return copy;
}

static int ring_now(struct sip_leg *leg, int status, const char *sdp);

/* What waited for the PRACK goes out. */
static void flush_held(struct sip_leg *leg)
{
    if (leg->next_answer) {
        char *sdp = leg->next_answer;
        leg->next_answer = NULL;
        sip_uas_answer(leg, sdp);
        free(sdp);
    } else if (leg->next_ring) {
        int status = leg->next_ring;
        char *sdp = leg->next_ring_sdp;
        leg->next_ring = 0;
        leg->next_ring_sdp = NULL;
        if (ring_now(leg, status, sdp) != 0)
            log_warn("sip", "call %s: cannot send %d", leg->call_id, status);
        free(sdp);
    }
}

static int recv_prack(nta_reliable_magic_t *magic, nta_reliable_t *rel, nta_incoming_t *irq, const sip_t *sip)
{
    struct sip_leg *leg = (struct sip_leg *)magic;
    if (leg->rel == rel)
        leg->rel = NULL;
    nta_reliable_destroy(rel);
    if (!irq)
        return 200; /* never acknowledged, or overtaken by a final answer */
    mem_ref(leg);
    leg->ua->stats.requests_in++;
    if (sip_uas_silent(leg->port, irq)) {
        nta_incoming_destroy(irq);
        leg->held |= SIP_HELD_ANSWER;
        sip_timer_confirm(leg, 50);
        mem_unref(leg);
        return 200;
    }
    char *sdp = NULL;
    int status = sip_body_sdp(sip, &sdp);
    if (sip->sip_cseq->cs_seq > leg->remote_cseq)
        leg->remote_cseq = sip->sip_cseq->cs_seq;
    bool was_delayed = leg->delayed_offer && leg->rel_sdp && !leg->delayed_answer;
    if (leg->rel_sdp)
        leg->answered_early = true;
    if (status == 0 && sdp && was_delayed) {
        leg->delayed_answer = sdp;
        sdp = NULL;
    }
    bool async = status == 0 && sdp && sip_dialog_prack_offer(leg, irq, sdp) == 0;
    if (!async) {
        int code = status ? status : sdp ? 488 : 200;
        nta_incoming_treply(irq, code, sip_phrase(code, NULL), SIPTAG_SERVER_STR(leg->ua->product), TAG_END());
        nta_incoming_destroy(irq);
    }
    free(sdp);
    if (!leg->gone && leg->state == SIP_IN_RINGING && leg->invite_in)
        flush_held(leg);
    mem_unref(leg);
    return async ? 0 : 200;
}

static void cancelled(struct sip_leg *leg, const sip_t *sip)
{
    const char *text = sip && sip->sip_reason && sip->sip_reason->re_text ? sip->sip_reason->re_text : "";
    struct sip_event ev = {.type = SIP_EV_FAILED, .status = 487, .phrase = text};
    sip_cancel_keep(leg, leg->invite_in);
    leg->state = SIP_OVER;
    sip_leg_emit(leg, &ev);
    if (!leg->gone)
        sip_cancel_answer(leg); /* nobody wants it to wait */
    if (!leg->gone)
        sip_leg_drop(leg);
}

/* Ends the transaction of a 200 whose ACK went elsewhere: it would be sent again and again. */
static void end_invite(struct sip_leg *leg, bool acked)
{
    nta_incoming_t *irq = leg->invite_in;
    leg->invite_in = NULL;
    if (!irq)
        return;
    nta_incoming_bind(irq, NULL, NULL);
    msg_t *msg = acked ? NULL : nta_incoming_getrequest(irq);
    const sip_t *sip = msg ? sip_object(msg) : NULL;
    if (sip && sip->sip_via)
        sip_gate_mute(leg->ua, sip->sip_via->v_branch, 2 * leg->ua->cfg.t1x64_ms);
    msg_destroy(msg);
    nta_incoming_destroy(irq);
}

void sip_uas_confirmed(struct sip_leg *leg, const sip_t *sip)
{
    char *sdp = NULL;
    end_invite(leg, sip != NULL);
    free(leg->invite_text);
    leg->invite_text = NULL;
    leg->state = SIP_UP;
    if (leg->gone) { /* released between our 200 and its ACK */
        sip_dialog_bye(leg, leg->release_status, leg->release_text);
        sip_leg_drop(leg);
        return;
    }
    if (leg->delayed_offer && sip && sip_body_sdp(sip, &sdp) != 0)
        sdp = NULL;
    if (leg->delayed_offer && !sdp && leg->held_sdp)
        sdp = mem_strdup(leg->held_sdp);
    if (leg->delayed_offer && !sdp && leg->delayed_answer)
        sdp = mem_strdup(leg->delayed_answer);
    if (sdp && mem_strset(&leg->remote_sdp, sdp) != 0)
        log_warn("sip", "call %s: out of memory", leg->call_id);
    struct sip_event ev = {.type = SIP_EV_ACKED, .sdp = sdp};
    sip_leg_emit(leg, &ev);
    free(sdp);
    sip_dialog_retry(leg); /* a re-INVITE may have waited for this */
}

static void no_answer_in_time(struct sip_leg *leg)
{
    if (leg->state == SIP_IN_ANSWERED && leg->restored && !leg->gone) {
        sip_uas_confirmed(leg, NULL); /* the ACK went to the former owner */
    } else if (leg->state == SIP_IN_ANSWERED) {
        sip_dialog_bye(leg, 408, "ACK not received");
        sip_leg_end(leg, SIP_EV_FAILED, 408, "ACK not received");
    } else if (leg->state == SIP_IN_RINGING) {
        nta_incoming_treply(leg->invite_in, 504, "PRACK Not Received", SIPTAG_SERVER_STR(leg->ua->product), TAG_END());
        sip_leg_end(leg, SIP_EV_FAILED, 504, "PRACK not received");
    }
}

/* While nothing may be done: kept until it may. */
static void hold(struct sip_leg *leg, const sip_t *sip)
{
    bool cancel = sip && sip->sip_request->rq_method == sip_method_cancel;
    leg->held |= !sip ? SIP_HELD_TIMEOUT : cancel ? SIP_HELD_CANCEL : SIP_HELD_ACK;
    if (cancel)
        sip_cancel_keep(leg, leg->invite_in);
    free(leg->held_sdp);
    leg->held_sdp = NULL;
    if (sip && sip_body_sdp(sip, &leg->held_sdp) != 0)
        leg->held_sdp = NULL;
    sip_timer_confirm(leg, 50);
}

int sip_uas_heard(nta_incoming_magic_t *magic, nta_incoming_t *irq, const sip_t *sip)
{
    struct sip_leg *leg = (struct sip_leg *)magic;
    (void)irq;
    mem_ref(leg);
    if (sip)
        leg->ua->stats.requests_in++;
    if (!sip_may_act(leg->ua))
        hold(leg, sip);
    else if (!sip)
        no_answer_in_time(leg);
    else if (sip->sip_request->rq_method == sip_method_cancel && leg->state == SIP_IN_RINGING)
        cancelled(leg, sip);
    else if (sip->sip_request->rq_method == sip_method_ack && leg->state == SIP_IN_ANSWERED)
        sip_uas_confirmed(leg, sip);
    mem_unref(leg);
    return 0;
}

/* What was heard while nothing might be done. */
void sip_uas_resume(struct sip_leg *leg)
{
    unsigned held = leg->held;
    if (!held)
        return;
    if (!sip_may_act(leg->ua)) {
        sip_timer_confirm(leg, 50);
        return;
    }
    leg->held = 0;
    mem_ref(leg);
    if (held & SIP_HELD_BYE)
        sip_bye_again(leg);
    else if (leg->state == SIP_IN_RINGING && (held & SIP_HELD_CANCEL))
        cancelled(leg, NULL);
    else if (leg->state == SIP_IN_ANSWERED && (held & SIP_HELD_ACK))
        sip_uas_confirmed(leg, NULL);
    else if (held & SIP_HELD_TIMEOUT)
        no_answer_in_time(leg);
    else if (leg->state == SIP_IN_RINGING && leg->invite_in && !leg->rel)
        flush_held(leg);
    mem_unref(leg);
}

/* Dialog state of a new INVITE. 0, or the status to refuse with. */
static int fill_dialog(struct sip_leg *leg, nta_incoming_t *irq, const sip_t *sip, const struct sip_source *src)
{
    char tag[SIP_TAG_SIZE];
    if (sip_token(tag, 16) != 0)
        return 500;
    leg->inbound = true;
    leg->local_tag = mem_strdup(tag);
    leg->call_id = mem_strdup(sip->sip_call_id->i_id);
    leg->local_uri = sip_url_text(sip->sip_to->a_url);
    leg->remote_uri = sip_url_text(sip->sip_from->a_url);
    leg->remote_tag = mem_strdup(sip->sip_from->a_tag ? sip->sip_from->a_tag : "");
    leg->remote_cseq = sip->sip_cseq->cs_seq;
    leg->invite_text = request_text(irq);
    if (sip_random(&leg->local_cseq, sizeof leg->local_cseq) != 0)
        return 500;
    leg->local_cseq = leg->local_cseq % 100000 + 1;
    sip_dialog_source(leg, src);
    leg->natted = sip->sip_via->v_received != NULL && !sip->sip_via->v_next;
    sip_leg_learn(leg, sip);
    leg->require_100rel = sip->sip_require && sip_has_feature(sip->sip_require, "100rel");
    leg->support_100rel = leg->require_100rel || (sip->sip_supported && sip_has_feature(sip->sip_supported, "100rel"));
    if (!leg->local_tag || !leg->call_id || !leg->local_uri || !leg->remote_uri || !leg->remote_tag ||
        !leg->invite_text)
        return 500;
    if (sip_leg_target(leg, sip->sip_contact) != 0)
        return 400;

    char cseq[32];
    su_home_t home[1] = {SU_HOME_INIT(home)};
    snprintf(cseq, sizeof cseq, "%u INVITE", leg->local_cseq);
    /* Made with its tag: a leg that is tagged later would also take requests without one. */
    sip_to_t *local = sip_to_dup(home, sip->sip_to);
    if (local && sip_to_tag(home, local, tag) >= 0)
        leg->nta = nta_leg_tcreate(leg->port->agent, sip_dialog_recv, (nta_leg_magic_t *)leg,
                                   SIPTAG_CALL_ID(sip->sip_call_id), SIPTAG_FROM(local), SIPTAG_TO(sip->sip_from),
                                   SIPTAG_CSEQ_STR(cseq), NTATAG_REMOTE_CSEQ(leg->remote_cseq), TAG_END());
    su_home_deinit(home);
    if (!leg->nta || nta_leg_server_route(leg->nta, sip->sip_record_route, sip->sip_contact) < 0 ||
        sip_leg_routes(leg) != 0)
        return 500;
    return nta_incoming_tag(irq, leg->local_tag) ? 0 : 500;
}

struct caller {
    const char *trunk;
    char *user;
    const struct sip_replaces *replaces;
};

/* Who calls. 0, or the answer already given or to give. */
static int identify(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip, const struct sip_source *src,
                    const char *from_user, struct caller *out)
{
    struct sip_ua *ua = port->ua;
    const char *fixed = NULL;
    switch (
        ua->handler.identify(ua->handler.ctx, (const struct sockaddr *)&src->addr, from_user, &out->trunk, &fixed)) {
    case SIP_ID_TRUNK:
        return 0;
    case SIP_ID_STATIC_PHONE:
        out->user = mem_strdup(fixed);
        return out->user ? 0 : 500;
    case SIP_ID_PHONE:
        out->trunk = NULL;
        return sip_auth_check(port, irq, sip, true, &out->user);
    case SIP_ID_REFUSE:
        break;
    }
    return 403;
}

static unsigned hops_of(const sip_t *sip)
{
    unsigned long left = sip->sip_max_forwards ? sip->sip_max_forwards->mf_count : SIP_MAX_FORWARDS;
    return left < SIP_MAX_FORWARDS ? SIP_MAX_FORWARDS - (unsigned)left : 0;
}

static void deliver(struct sip_leg *leg, const sip_t *sip, const struct sip_source *src, const struct caller *who,
                    const char *from_user, const char *sdp)
{
    struct sip_ua *ua = leg->ua;
    char to_user[USER_SIZE], request_user[USER_SIZE], display[USER_SIZE] = "";
    if (sip_url_user(sip->sip_to->a_url, to_user, sizeof to_user) != 0)
        to_user[0] = '\0';
    if (sip_url_user(sip->sip_request->rq_url, request_user, sizeof request_user) != 0)
        request_user[0] = '\0';
    char asserted[USER_SIZE] = "", asserted_display[USER_SIZE] = "";
    sip_display_text(sip->sip_from->a_display, display, sizeof display);
    if (!who->user) /* RFC 3325 section 6: of a trusted network only */
        (void)sip_asserted(sip, asserted, sizeof asserted, asserted_display, sizeof asserted_display);
    char *request_uri = sip_url_text(sip->sip_request->rq_url);
    struct sip_invite_info info = {
        .call_id = leg->call_id,
        .from_user = from_user,
        .from_display = display,
        .asserted_number = asserted,
        .asserted_display = asserted_display,
        .withheld = sip_withheld(sip),
        .to_user = to_user,
        .request_user = request_user,
        .from_uri = leg->remote_uri,
        .to_uri = leg->local_uri,
        .request_uri = request_uri ? request_uri : "",
        .contact_uri = leg->remote_target,
        .user_agent = sip->sip_user_agent && sip->sip_user_agent->g_string ? sip->sip_user_agent->g_string : "",
        .auth_user = who->user,
        .trunk = who->user ? NULL : who->trunk,
        .sdp = sdp,
        .sdp_len = sdp ? strlen(sdp) : 0,
        .source = src->addr,
        .transport = src->transport,
        .local_ip = leg->port->ip,
        .wants_100rel = leg->require_100rel,
        .hops = hops_of(sip),
        .replaces = who->replaces,
    };
    ua->handler.on_invite(ua->handler.ctx, leg, &info);
    free(request_uri);
}

static int open_leg(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip, const struct sip_source *src,
                    const struct caller *who, const char *from_user, char *sdp)
{
    struct sip_leg *leg = sip_leg_new(port);
    if (!leg)
        return 500;
    int status = fill_dialog(leg, irq, sip, src);
    if (status == 0)
        status = sip_timer_offered(leg, sip);
    if (status) {
        char least[16];
        snprintf(least, sizeof least, "%u", port->ua->cfg.min_se_s);
        sip_leg_drop(leg);
        nta_incoming_treply(irq, status, sip_phrase(status, NULL), TAG_IF(status == 422, SIPTAG_MIN_SE_STR(least)),
                            SIPTAG_SERVER_STR(port->ua->product), TAG_END());
        return status;
    }
    leg->state = SIP_IN_RINGING;
    leg->delayed_offer = sdp == NULL;
    leg->remote_sdp = mem_strdup(sdp);
    leg->invite_in = irq;
    nta_incoming_bind(irq, sip_uas_heard, (nta_incoming_magic_t *)leg);
    mem_ref(leg);
    deliver(leg, sip, src, who, from_user, sdp);
    mem_unref(leg);
    return 0;
}

/* What is copied into the answer (Via, Record-Route) and what is added to it must go into one datagram, since the answer takes the way
 * of the request. */
static bool too_large_to_answer(struct sip_port *port, nta_incoming_t *irq)
{
    msg_t *msg = nta_incoming_getrequest(irq);
    tport_t *tp = nta_incoming_transport(port->agent, irq, msg);
    bool large = msg_size(msg) > DATAGRAM_MAX - ANSWER_OWN && tp && tport_is_udp(tp);
    if (tp)
        tport_unref(tp);
    msg_destroy(msg);
    return large;
}

/* 0, and *has says whether there is one; 400: several, or none that can be read. */
static int take_replaces(const sip_t *sip, struct sip_replaces *out, bool *has)
{
    *has = sip->sip_replaces != NULL;
    for (const sip_error_t *e = sip->sip_error; e; e = e->er_next) { /* among them second ones, which are as they are */
        bool bad = e->er_common->h_class == sip_error_class && e->er_name && strcasecmp(e->er_name, "Replaces") == 0;
        if (bad || e->er_common->h_class == sip_replaces_class)
            return 400;
    }
    if (!*has)
        return 0;
    su_home_t home[1] = {SU_HOME_INIT(home)};
    char *text = sip_header_as_string(home, (const sip_header_t *)(const void *)sip->sip_replaces);
    int rc = text ? sip_replaces_parse(text, strlen(text), out) : ERR_NOMEM;
    su_home_deinit(home);
    return rc == ERR_NOMEM ? 500 : rc ? 400 : 0;
}

int sip_uas_invite(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip)
{
    port->ua->stats.invites_in++;
    if (too_large_to_answer(port, irq))
        return 513;
    int status = sip_uas_overloaded(port, irq);
    if (status)
        return status;
    status = sip_uas_check_required(port, irq, sip);
    if (status)
        return status;
    if (!sip->sip_contact || sip->sip_contact->m_next || (sip->sip_to->a_tag && !sip->sip_to->a_tag[0]))
        return 400;
    char from_user[USER_SIZE];
    if (sip_url_user(sip->sip_from->a_url, from_user, sizeof from_user) != 0)
        return 400;
    struct sip_source src;
    sip_source_of_request(port, irq, &src);
    struct caller who = {NULL, NULL, NULL};
    struct sip_replaces replaces;
    bool has_replaces;
    char *sdp = NULL;
    status = take_replaces(sip, &replaces, &has_replaces);
    who.replaces = has_replaces ? &replaces : NULL;
    if (status == 0)
        status = identify(port, irq, sip, &src, from_user, &who);
    char called[USER_SIZE];
    if (status == 0 && sip_url_user(sip->sip_request->rq_url, called, sizeof called) != 0)
        status = 404; /* no number of ours is that long, or has a NUL in it */
    if (status == 0) {
        status = sip_body_sdp(sip, &sdp);
        if (status)
            refuse_body(port, irq, status);
    }
    if (status == 0)
        status = open_leg(port, irq, sip, &src, &who, from_user, sdp);
    free(sdp);
    free(who.user);
    return status;
}

static int ring_now(struct sip_leg *leg, int status, const char *sdp)
{
    char contact[SIP_HOST_SIZE + 40];
    sip_contact_value(leg->port, leg->transport, contact, sizeof contact);
    if (leg->answered_early)
        sdp =
            NULL; /* it has been said and acknowledged: once more, reliably, it would look like a new one (RFC 6337 section 3.1) */
    bool reliable = leg->require_100rel || (leg->support_100rel && sdp);
    if (sdp && mem_strset(&leg->local_sdp, sdp) != 0)
        return ERR_NOMEM;
#define RING_TAGS                                                                                  \
    SIPTAG_CONTACT_STR(contact), SIPTAG_ALLOW_STR(SIP_ALLOW), SIPTAG_SERVER_STR(leg->ua->product), \
        TAG_IF(sdp, SIPTAG_CONTENT_TYPE_STR("application/sdp")), TAG_IF(sdp, SIPTAG_PAYLOAD_STR(sdp)), TAG_END()
    if (!reliable)
        return nta_incoming_treply(leg->invite_in, status, sip_phrase(status, NULL), RING_TAGS) < 0 ? ERR_IO : 0;
    leg->rel_sdp = sdp != NULL;
    leg->rel = nta_reliable_treply(leg->invite_in, recv_prack, (nta_reliable_magic_t *)leg, status,
                                   sip_phrase(status, NULL), RING_TAGS);
#undef RING_TAGS
    return leg->rel ? 0 : ERR_IO;
}

void sip_leg_trying(struct sip_leg *leg)
{
    if (!leg->gone && leg->state == SIP_IN_RINGING && leg->invite_in && nta_incoming_status(leg->invite_in) <= 100)
        sip_gate_trying(leg->invite_in);
}

int sip_leg_ring(struct sip_leg *leg, int status, const char *sdp)
{
    if (leg->gone || leg->state != SIP_IN_RINGING || !leg->invite_in || leg->next_answer)
        return ERR_BADSTATE;
    if (status <= 100 || status > 199)
        return ERR_RANGE;
    if (leg->restored && leg->require_100rel)
        return 0; /* it would have to be reliable, and the former owner has counted (RFC 3262 section 3) */
    bool may = sip_may_act(leg->ua);
    if (!leg->rel && may)
        return ring_now(leg, status, sdp);
    if (!may) {
        leg->held |= SIP_HELD_RING;
        sip_timer_confirm(leg, 50);
    }
    /* One reliable answer at a time (RFC 3262 section 3): the newest waits. */
    if (mem_strset(&leg->next_ring_sdp, sdp) != 0)
        return ERR_NOMEM;
    leg->next_ring = status;
    return 0;
}

void sip_uas_answer(struct sip_leg *leg, const char *sdp)
{
    char contact[SIP_HOST_SIZE + 40], se[64];
    sip_contact_value(leg->port, leg->transport, contact, sizeof contact);
    const char *expires = sip_timer_answer(leg, se, sizeof se);
    leg->state = SIP_IN_ANSWERED;
    nta_incoming_treply(leg->invite_in, SIP_200_OK, SIPTAG_CONTACT_STR(contact), SIPTAG_ALLOW_STR(SIP_ALLOW),
                        SIPTAG_SUPPORTED_STR(SIP_SUPPORTED), TAG_IF(expires, SIPTAG_SESSION_EXPIRES_STR(expires)),
                        TAG_IF(expires && leg->peer_timer, SIPTAG_REQUIRE_STR("timer")),
                        SIPTAG_SERVER_STR(leg->ua->product), SIPTAG_CONTENT_TYPE_STR("application/sdp"),
                        SIPTAG_PAYLOAD_STR(sdp), TAG_END());
    sip_timer_start(leg);
}

int sip_leg_answer(struct sip_leg *leg, const char *sdp)
{
    if (leg->gone || leg->state != SIP_IN_RINGING || !leg->invite_in || leg->next_answer)
        return ERR_BADSTATE;
    if (!sdp || !*sdp)
        return ERR_INVAL;
    if (mem_strset(&leg->local_sdp, sdp) != 0)
        return ERR_NOMEM;
    bool may = sip_may_act(leg->ua);
    if (!may) {
        leg->held |= SIP_HELD_ANSWER;
        sip_timer_confirm(leg, 50);
    }
    if (!may || (leg->rel && leg->rel_sdp)) {
        /* RFC 3262 section 3: no 2xx while an offer or answer in a provisional answer waits for its PRACK. */
        leg->next_answer = mem_strdup(sdp);
        return leg->next_answer ? 0 : ERR_NOMEM;
    }
    sip_uas_answer(leg, sdp);
    return 0;
}
