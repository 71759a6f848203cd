/* Requests inside a dialog, from the peer and from us. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "telephony/sip_int.h"

#define CONTACT_SIZE (SIP_HOST_SIZE + 40)
#define OFFER_GUARD_MS 100 /* a re-INVITE waits so long for the ACK of a 200 that was sent again */

/* ---- where requests go ---- */

void sip_dialog_source(struct sip_leg *leg, const struct sip_source *src)
{
    leg->transport = src->transport;
    memcpy(leg->flow, src->flow, sizeof leg->flow);
}

int sip_numeric_hop(const char *uri, char *buf, size_t size)
{
    su_home_t home[1] = {SU_HOME_INIT(home)};
    char ip[SIP_HOST_SIZE], transport[8] = "udp";
    int family, rc = ERR_UNSUPPORTED;
    const url_t *url = sip_first_route(home, uri);
    if (url && sip_url_is_sip(url) && sip_numeric_host(url->url_host, ip, &family)) {
        if (url->url_params && url_param(url->url_params, "transport", transport, sizeof transport) &&
            strcasecmp(transport, "tcp") != 0 && strcasecmp(transport, "tls") != 0)
            strcpy(transport, "udp");
        const char *port = url->url_port && *url->url_port ? url->url_port : "5060";
        int n = snprintf(buf, size, family == AF_INET6 ? "sip:[%s]:%s;transport=%s" : "sip:%s:%s;transport=%s", ip,
                         port, transport);
        rc = n > 0 && (size_t)n < size ? 0 : ERR_TOOBIG;
    }
    su_home_deinit(home);
    return rc;
}

/* The route set decides, then the connection that the peer holds open (phones rarely take connections back), then the flow
 * of a peer behind NAT, then its Contact. A host name is never resolved: the flow stands in. */
const char *sip_dialog_hop(struct sip_leg *leg, char *buf, size_t size)
{
    if (leg->routed) {
        if (sip_numeric_hop(leg->route_set, buf, size) == 0)
            return buf;
    } else {
        bool stream = leg->transport != SIP_UDP;
        bool by_flow = leg->natted || (stream && sip_flow_alive(leg->port, leg->flow));
        if (!by_flow && leg->remote_target && sip_numeric_hop(leg->remote_target, buf, size) == 0)
            return buf;
    }
    return sip_flow_uri(leg->flow, buf, size) == 0 ? buf : NULL;
}

/* ---- ours ---- */

void sip_dialog_bye(struct sip_leg *leg, int status, const char *text)
{
    char hop[SIP_FLOW_SIZE + 24];
    if (!leg->nta || !sip_may_act(leg->ua))
        return; /* a BYE that is held back could meet a call that is another node's by then */
    char *reason = sip_reason_value(status, text);
    if (!sip_hangup_send(leg, sip_dialog_hop(leg, hop, sizeof hop), reason))
        log_warn("sip", "call %s: cannot send BYE", leg->call_id);
    free(reason);
}

static int recv_offer_answer(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip);

static int send_offer(struct sip_leg *leg)
{
    char hop[SIP_FLOW_SIZE + 24], contact[CONTACT_SIZE], se[64], least[16];
    const char *sdp = leg->offer_out_update ? NULL : leg->offer_out_sdp;
    sip_contact_value(leg->port, leg->transport, contact, sizeof contact);
    snprintf(least, sizeof least, "%u", leg->se_min > leg->ua->cfg.min_se_s ? leg->se_min : leg->ua->cfg.min_se_s);
    char *headers = sip_creds_headers(leg->creds, leg->offer_out_update ? "UPDATE" : "INVITE", leg->remote_target);
    leg->offer_out = nta_outgoing_tcreate(
        leg->nta, recv_offer_answer, (nta_outgoing_magic_t *)leg, URL_STRING_MAKE(sip_dialog_hop(leg, hop, sizeof hop)),
        leg->offer_out_update ? sip_method_update : sip_method_invite, leg->offer_out_update ? "UPDATE" : "INVITE",
        NULL, SIPTAG_CONTACT_STR(contact), SIPTAG_ALLOW_STR(SIP_ALLOW), SIPTAG_SUPPORTED_STR("timer, replaces"),
        SIPTAG_SESSION_EXPIRES_STR(sip_timer_ask(leg, se, sizeof se)), SIPTAG_MIN_SE_STR(least),
        SIPTAG_USER_AGENT_STR(leg->ua->product), TAG_IF(headers, SIPTAG_HEADER_STR(headers)),
        TAG_IF(sdp, SIPTAG_CONTENT_TYPE_STR("application/sdp")), TAG_IF(sdp, SIPTAG_PAYLOAD_STR(sdp)), TAG_END());
    if (leg->offer_out_update)
        free(headers);
    else
        sip_leg_ack_with(leg, headers);
    if (!leg->offer_out)
        return ERR_NOMEM;
    leg->local_cseq = nta_outgoing_cseq(leg->offer_out);
    return 0;
}

/* A restored leg whose ACK is still to come may offer all the same: the ACK may have gone to the former owner. */
static bool may_send_offer(const struct sip_leg *leg)
{
    return !leg->gone && (leg->state == SIP_UP || (leg->restored && leg->state == SIP_IN_ANSWERED));
}

int sip_dialog_offer(struct sip_leg *leg, const char *sdp)
{
    if (!may_send_offer(leg))
        return ERR_BADSTATE;
    if (leg->offer_out || leg->offer_out_sdp || leg->offer_in || leg->ack_in)
        return ERR_BUSY;
    leg->offer_out_refresh = sdp == NULL;
    leg->offer_out_update = sdp == NULL && (leg->peer_update || !leg->local_sdp);
    leg->offer_tries = 0;
    leg->offer_challenges = 0;
    leg->offer_out_old = false;
    leg->offer_out_sdp = mem_strdup(sdp ? sdp : leg->local_sdp ? leg->local_sdp : "");
    if (leg->offer_out_sdp && (leg->state != SIP_UP || !sip_may_act(leg->ua))) {
        sip_timer_retry(leg, OFFER_GUARD_MS);
        return 0;
    }
    int rc = leg->offer_out_sdp ? send_offer(leg) : ERR_NOMEM;
    if (rc) {
        free(leg->offer_out_sdp);
        leg->offer_out_sdp = NULL;
    }
    return rc;
}

int sip_leg_reinvite(struct sip_leg *leg, const char *sdp)
{
    if (!sdp || !*sdp)
        return ERR_INVAL;
    if (!leg->gone && (leg->state == SIP_IN_ANSWERED || leg->state == SIP_OUT_ANSWERED) && !may_send_offer(leg))
        return ERR_BUSY; /* the INVITE's ACK is still to come */
    return sip_dialog_offer(leg, sdp);
}

static void offer_done(struct sip_leg *leg, int status, const char *phrase, const char *sdp);

/* An offer of the peer's was answered while ours waited: ours is older than what is agreed now, and its version lower (RFC 3264 section
 * 8). A refresh says what is agreed; else the owner has to make it anew. False: it is over. */
static bool offer_anew(struct sip_leg *leg)
{
    leg->offer_out_old = false;
    if (leg->offer_out_refresh && mem_strset(&leg->offer_out_sdp, leg->local_sdp) == 0)
        return true;
    offer_done(leg, 491, "Overtaken by an offer of the peer", NULL);
    return false;
}

void sip_dialog_retry(struct sip_leg *leg)
{
    if (!may_send_offer(leg) || !leg->offer_out_sdp || leg->offer_out)
        return;
    if (leg->offer_out_old && !leg->offer_in && !offer_anew(leg))
        return;
    if (leg->offer_in || leg->ack_in || !sip_may_act(leg->ua) || send_offer(leg) != 0)
        sip_timer_retry(leg, 200);
}

/* RFC 3261 14.1: the owner of the Call-ID waits longer, so that the two do not collide again. */
static void back_off(struct sip_leg *leg)
{
    uint16_t r = 0;
    if (sip_random(&r, sizeof r) != 0)
        r = 77;
    sip_timer_retry(leg, leg->inbound ? (r % 200u) * 10u : 2100u + (r % 191u) * 10u);
}

static void offer_done(struct sip_leg *leg, int status, const char *phrase, const char *sdp)
{
    bool refresh = leg->offer_out_refresh;
    if (status == 200 && !leg->offer_out_update && mem_strset(&leg->local_sdp, leg->offer_out_sdp) != 0)
        log_warn("sip", "call %s: out of memory", leg->call_id);
    free(leg->offer_out_sdp);
    leg->offer_out_sdp = NULL;
    if (refresh)
        return;
    struct sip_event ev = {.type = SIP_EV_REANSWERED, .status = status, .phrase = phrase, .sdp = sdp};
    sip_leg_emit(leg, &ev);
}

static void ack_offer(struct sip_leg *leg, nta_outgoing_t *orq, const sip_t *sip)
{
    if (sip->sip_contact && sip_leg_target(leg, sip->sip_contact) == 0)
        nta_leg_client_reroute(leg->nta, NULL, sip->sip_contact, 0);
    if (!leg->offer_out_update &&
        sip_uac_send_ack(leg, leg->nta, nta_outgoing_cseq(orq), nta_outgoing_branch(orq)) != 0)
        log_warn("sip", "call %s: cannot send ACK", leg->call_id);
}

static void offer_accepted(struct sip_leg *leg, const sip_t *sip)
{
    char *sdp = NULL;
    sip_leg_learn(leg, sip);
    sip_timer_accepted(leg, sip);
    sip_timer_start(leg);
    if (sip_body_sdp(sip, &sdp) != 0)
        sdp = NULL;
    if (sdp && mem_strset(&leg->remote_sdp, sdp) != 0)
        log_warn("sip", "call %s: out of memory", leg->call_id);
    offer_done(leg, 200, "", sdp);
    free(sdp);
}

/* How long a 481 may mean that; later it means that the peer has hung up. */
#define FRESH_US 2000000u

static void offer_refused(struct sip_leg *leg, const sip_t *sip, int status, const char *phrase)
{
    bool fresh = leg->restored && clock_mono_now().us - leg->restored_at.us < FRESH_US;
    if (status == 481 && leg->state == SIP_IN_ANSWERED && fresh) { /* it has not got our 200 yet, which is sent again */
        sip_timer_retry(leg, leg->ua->cfg.t1_ms);
        return;
    }
    if (status == 481 || status == 408) {
        if (status == 408)
            sip_dialog_bye(leg, 408, "No answer inside the dialog");
        sip_leg_end(leg, SIP_EV_ENDED, status, phrase);
        return;
    }
    if (sip_creds_challenged(leg->creds, sip, &leg->offer_challenges)) {
        sip_timer_retry(leg, 1);
        return;
    }
    if (status == 491 && ++leg->offer_tries < SIP_REINVITE_TRIES) {
        back_off(leg);
        return;
    }
    if (status == 422 && sip && sip->sip_min_se && sip->sip_min_se->min_delta > leg->se_min &&
        ++leg->offer_tries < SIP_REINVITE_TRIES) {
        leg->se_min = (uint32_t)(sip->sip_min_se->min_delta > 86400 ? 86400 : sip->sip_min_se->min_delta);
        sip_timer_retry(leg, 1);
        return;
    }
    if (leg->offer_out_update) {
        leg->peer_update = false; /* it said it allows UPDATE, but does not take it: re-INVITE from now on */
        leg->offer_out_update = false;
        if (++leg->offer_tries < SIP_REINVITE_TRIES) {
            sip_timer_retry(leg, 1);
            return;
        }
    }
    offer_done(leg, status, phrase, NULL);
}

static int recv_offer_answer(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip)
{
    struct sip_leg *leg = (struct sip_leg *)magic;
    int status = sip ? sip->sip_status->st_status : nta_outgoing_status(orq);
    if (status < 200)
        return 0;
    mem_ref(leg);
    if (status < 300 && sip) {
        struct sip_source src;
        sip_source_of_response(orq, &src);
        if (src.addr.ss_family != AF_UNSPEC)
            sip_dialog_source(leg, &src);
        ack_offer(leg, orq, sip);
        if (leg->state == SIP_IN_ANSWERED)
            sip_uas_confirmed(leg, NULL);
        if (leg->offer_out == orq) { /* else the leg was let go of just now, and its requests with it */
            leg->offer_out = NULL;
            offer_accepted(leg, sip);
            nta_outgoing_destroy(orq); /* after the ACK, which looks for it */
        }
    } else {
        leg->offer_out = NULL;
        nta_outgoing_destroy(orq);
        offer_refused(leg, sip, status, sip ? sip->sip_status->st_phrase : sip_phrase(status, NULL));
    }
    mem_unref(leg);
    return 0;
}

/* ---- the peer's ---- */

static int reply(struct sip_leg *leg, nta_incoming_t *irq, int status)
{
    char after[16];
    uint8_t r = 0;
    if (sip_random(&r, sizeof r) != 0)
        r = 5;
    snprintf(after, sizeof after, "%u", r % 11u);
    nta_incoming_treply(irq, status, sip_phrase(status, NULL), TAG_IF(status == 500, SIPTAG_RETRY_AFTER_STR(after)),
                        TAG_IF(status == 405 || status == 501, SIPTAG_ALLOW_STR(SIP_ALLOW)),
                        TAG_IF(status == 415, SIPTAG_ACCEPT_STR(SIP_ACCEPT)),
                        TAG_IF(status == 488 && leg->warning, SIPTAG_WARNING_STR(leg->warning)),
                        SIPTAG_SERVER_STR(leg->ua->product), TAG_END());
    if (status == 488) {
        free(leg->warning);
        leg->warning = NULL;
    }
    return status;
}

/* 200 to a re-INVITE or UPDATE; sdp may be NULL for an UPDATE. */
static void accept_offer(struct sip_leg *leg, nta_incoming_t *irq, const char *sdp)
{
    char contact[CONTACT_SIZE], se[64];
    sip_contact_value(leg->port, leg->transport, contact, sizeof contact);
    const char *expires = nta_incoming_method(irq) == sip_method_prack ? NULL : sip_timer_answer(leg, se, sizeof se);
    nta_incoming_treply(irq, SIP_200_OK, SIPTAG_CONTACT_STR(contact), SIPTAG_ALLOW_STR(SIP_ALLOW),
                        SIPTAG_SUPPORTED_STR(SIP_SUPPORTED), TAG_IF(expires, SIPTAG_SESSION_EXPIRES_STR(expires)),
                        TAG_IF(expires && leg->peer_timer, SIPTAG_REQUIRE_STR("timer")),
                        SIPTAG_SERVER_STR(leg->ua->product), TAG_IF(sdp, SIPTAG_CONTENT_TYPE_STR("application/sdp")),
                        TAG_IF(sdp, SIPTAG_PAYLOAD_STR(sdp)), TAG_END());
    if (expires && leg->state == SIP_UP)
        sip_timer_start(leg);
}

/* ACK or CANCEL of a re-INVITE, or (sip NULL) no ACK in time. */
static int recv_reinvite_ack(nta_incoming_magic_t *magic, nta_incoming_t *irq, const sip_t *sip)
{
    struct sip_leg *leg = (struct sip_leg *)magic;
    mem_ref(leg);
    if (sip && sip->sip_request->rq_method == sip_method_cancel) {
        if (leg->offer_in == irq) {
            leg->offer_in = NULL;
            nta_incoming_bind(irq, NULL, NULL);
            reply(leg, irq, 487);
            nta_incoming_destroy(irq);
        }
    } else if (leg->ack_in == irq) {
        leg->ack_in = NULL;
        nta_incoming_bind(irq, NULL, NULL);
        nta_incoming_destroy(irq);
        char *sdp = NULL;
        if (!sip) {
            sip_dialog_bye(leg, 408, "ACK not received");
            sip_leg_end(leg, SIP_EV_ENDED, 408, "ACK not received");
        } else if (leg->offer_in_delayed && sip_body_sdp(sip, &sdp) == 0) {
            if (sdp && mem_strset(&leg->remote_sdp, sdp) != 0)
                log_warn("sip", "call %s: out of memory", leg->call_id);
            struct sip_event ev = {.type = SIP_EV_ACKED, .sdp = sdp};
            sip_leg_emit(leg, &ev);
            free(sdp);
        }
    }
    mem_unref(leg);
    return 0;
}

static void wait_for_ack(struct sip_leg *leg, nta_incoming_t *irq)
{
    leg->ack_in = irq;
    nta_incoming_bind(irq, recv_reinvite_ack, (nta_incoming_magic_t *)leg);
}

/* An offer (or the wish for one) goes to the owner; sip_leg_reanswer will come, now or later. */
static void ask_owner(struct sip_leg *leg, nta_incoming_t *irq, char *sdp)
{
    leg->offer_in = irq;
    leg->offer_in_update = nta_incoming_method(irq) != sip_method_invite;
    leg->offer_in_delayed = sdp == NULL;
    free(leg->offer_in_sdp);
    leg->offer_in_sdp = sdp;
    nta_incoming_bind(irq, recv_reinvite_ack, (nta_incoming_magic_t *)leg);
    struct sip_event ev = {.type = SIP_EV_REOFFER, .sdp = sdp};
    sip_leg_emit(leg, &ev);
}

int sip_dialog_prack_offer(struct sip_leg *leg, nta_incoming_t *irq, char *sdp)
{
    if (leg->gone || !leg->cb || leg->offer_in || leg->offer_out)
        return ERR_BUSY;
    char *copy = mem_strdup(sdp);
    if (!copy)
        return ERR_NOMEM;
    ask_owner(leg, irq, copy);
    return 0;
}

/* Whether the peer may send an offer now. 0 or the refusal. An UPDATE without one collides with nothing but another UPDATE (RFC 3311
 * section 5.2). */
static int may_offer(const struct sip_leg *leg, bool invite, bool has_sdp)
{
    if (!invite && !has_sdp)
        return leg->offer_in && leg->offer_in_update ? 500 : 0;
    if (leg->offer_out)
        return 491;
    if (leg->offer_in || leg->ack_in)
        return 500;
    if (leg->state == SIP_UP)
        return 0;
    /* Early UPDATE with an offer: only once the first offer is answered reliably (RFC 3311 5.2). */
    return !invite && leg->answered_early && !leg->rel ? 0 : 500;
}

static int recv_offer(struct sip_leg *leg, nta_leg_t *nta, nta_incoming_t *irq, const sip_t *sip, bool invite)
{
    char *sdp = NULL;
    int status = sip_uas_check_required(leg->port, irq, sip);
    if (status)
        return status;
    status = sip_body_sdp(sip, &sdp);
    if (status)
        return reply(leg, irq, status);
    status = may_offer(leg, invite, sdp != NULL);
    if (status == 0)
        status = sip_timer_offered(leg, sip);
    if (status == 422) {
        char least[16];
        snprintf(least, sizeof least, "%u", leg->ua->cfg.min_se_s);
        nta_incoming_treply(irq, 422, sip_phrase(422, NULL), SIPTAG_MIN_SE_STR(least),
                            SIPTAG_SERVER_STR(leg->ua->product), TAG_END());
    } else if (status) {
        reply(leg, irq, status);
    }
    if (status) {
        free(sdp);
        return status;
    }
    sip_leg_learn(leg, sip);
    if (sip->sip_contact && sip_leg_target(leg, sip->sip_contact) == 0)
        nta_leg_server_route(nta, NULL, sip->sip_contact);

    bool same = sdp && leg->remote_sdp && leg->local_sdp && strcmp(sdp, leg->remote_sdp) == 0;
    if (same || (!invite && !sdp)) { /* a refresh: nothing for the owner */
        accept_offer(leg, irq, same ? leg->local_sdp : NULL);
        free(sdp);
        if (!invite)
            return 200;
        leg->offer_in_delayed = false;
        wait_for_ack(leg, irq);
        return 0;
    }
    if (!leg->cb) {
        free(sdp);
        return reply(leg, irq, 488);
    }
    /* No 100 (sip_leg_trying says why); a commit takes less than the 200 ms that it may take to answer. */
    ask_owner(leg, irq, sdp);
    return 0;
}

int sip_leg_reanswer(struct sip_leg *leg, int status, const char *sdp)
{
    nta_incoming_t *irq = leg->offer_in;
    if (leg->gone || !irq)
        return ERR_BADSTATE;
    if (status == 200 ? !sdp || !*sdp : status < 300 || status > 699)
        return ERR_INVAL;
    if (status == 200 && mem_strset(&leg->local_sdp, sdp) != 0)
        return ERR_NOMEM;
    leg->offer_in = NULL;
    if (status == 200) {
        if (leg->offer_in_sdp) {
            free(leg->remote_sdp);
            leg->remote_sdp = leg->offer_in_sdp;
            leg->offer_in_sdp = NULL;
        }
        leg->offer_out_old = leg->offer_out_sdp != NULL;
        accept_offer(leg, irq, sdp);
        if (!leg->offer_in_update) {
            wait_for_ack(leg, irq);
            return 0;
        }
    } else {
        reply(leg, irq, status);
    }
    nta_incoming_bind(irq, NULL, NULL);
    nta_incoming_destroy(irq);
    return 0;
}

/* "Signal=5\r\nDuration=160" (application/dtmf-relay) or "5" (application/dtmf). 0 when there is no digit in it. */
static char dtmf_digit(const sip_t *sip)
{
    const sip_content_type_t *c = sip->sip_content_type;
    if (!sip->sip_payload || !c || !c->c_type)
        return 0;
    const char *p = sip->sip_payload->pl_data, *end = p + sip->sip_payload->pl_len;
    if (strcasecmp(c->c_type, "application/dtmf-relay") == 0) {
        static const char name[] = "signal";
        while (p < end && (size_t)(end - p) >= sizeof name && strncasecmp(p, name, sizeof name - 1) != 0)
            p++;
        if ((size_t)(end - p) < sizeof name)
            return 0;
        p += sizeof name - 1;
        while (p < end && (*p == ' ' || *p == '='))
            p++;
    } else if (strcasecmp(c->c_type, "application/dtmf") == 0) {
        while (p < end && *p == ' ')
            p++;
    } else {
        return 0;
    }
    if (p >= end || *p == '\0')
        return 0;
    if (*p == '1' && p + 1 < end && p[1] >= '0' && p[1] <= '9')
        return p[1] <= '5' ? "*#ABCD"[p[1] - '0'] : 0; /* event numbers (RFC 4733 section 3.2) */
    char d = *p >= 'a' && *p <= 'd' ? (char)(*p - 32) : *p;
    return strchr("0123456789*#ABCD", d) ? d : 0;
}

/* Of a package (RFC 6086): we have said that we take none. */
static bool of_a_package(const sip_t *sip)
{
    for (const sip_unknown_t *h = sip->sip_unknown; h; h = h->un_next)
        if (h->un_name && strcasecmp(h->un_name, "Info-Package") == 0)
            return true;
    return false;
}

static int recv_info(struct sip_leg *leg, nta_incoming_t *irq, const sip_t *sip)
{
    int status = sip_uas_check_required(leg->port, irq, sip);
    if (status)
        return status;
    if (of_a_package(sip)) {
        nta_incoming_treply(irq, 469, "Bad Info Package", SIPTAG_HEADER_STR("Recv-Info: "),
                            SIPTAG_SERVER_STR(leg->ua->product), TAG_END());
        return 469;
    }
    if (!sip->sip_payload || sip->sip_payload->pl_len == 0)
        return reply(leg, irq, 200);
    const sip_content_type_t *c = sip->sip_content_type;
    if (!c || !c->c_type ||
        (strcasecmp(c->c_type, "application/dtmf-relay") != 0 && strcasecmp(c->c_type, "application/dtmf") != 0))
        return reply(leg, irq, 415);
    char digit = dtmf_digit(sip);
    status = reply(leg, irq, digit ? 200 : 400);
    if (digit) {
        struct sip_event ev = {.type = SIP_EV_INFO_DTMF, .digit = digit};
        sip_leg_emit(leg, &ev);
    }
    return status;
}

/* The caller may end an early dialog by BYE; his INVITE ends with it (RFC 3261 section 15.1.2). */
static void caller_left(struct sip_leg *leg, const char *text)
{
    struct sip_event ev = {.type = SIP_EV_FAILED, .status = 487, .phrase = text};
    if (sip_may_act(leg->ua)) {
        if (leg->invite_in)
            nta_incoming_treply(leg->invite_in, SIP_487_REQUEST_CANCELLED, SIPTAG_SERVER_STR(leg->ua->product),
                                TAG_END());
        sip_leg_end(leg, ev.type, ev.status, text);
        return;
    }
    leg->state = SIP_OVER;
    sip_leg_emit(leg, &ev);
    if (!leg->gone)
        sip_leg_abandon(leg); /* nothing may be said now, to his INVITE neither */
}

void sip_dialog_hung_up(struct sip_leg *leg, nta_incoming_t *irq, int cause, const char *text)
{
    leg->bye_in = irq;
    if (leg->state == SIP_IN_RINGING)
        caller_left(leg, text);
    else
        sip_leg_end(leg, SIP_EV_ENDED, cause, text);
}

static int recv_bye(struct sip_leg *leg, nta_incoming_t *irq, const sip_t *sip)
{
    char text[128] = "";
    int cause = 0;
    if (sip->sip_reason) {
        snprintf(text, sizeof text, "%s", sip->sip_reason->re_text ? sip->sip_reason->re_text : "");
        cause = sip->sip_reason->re_cause ? atoi(sip->sip_reason->re_cause) : 0;
    }
    if (leg->state == SIP_OUT_CALLING || leg->state == SIP_OUT_CANCELLED)
        return reply(leg, irq, 200); /* not allowed to the callee; its INVITE answer still comes */
    sip_dialog_hung_up(leg, irq, cause, text);
    return leg->bye_in ? reply(leg, irq, 200) : 0;
}

static int recv_options(struct sip_leg *leg, nta_incoming_t *irq)
{
    nta_incoming_treply(irq, SIP_200_OK, SIPTAG_ALLOW_STR(SIP_ALLOW), SIPTAG_SUPPORTED_STR(SIP_SUPPORTED),
                        SIPTAG_ACCEPT_STR(SIP_ACCEPT), SIPTAG_SERVER_STR(leg->ua->product), TAG_END());
    return 200;
}

static int dispatch(struct sip_leg *leg, nta_leg_t *nta, nta_incoming_t *irq, const sip_t *sip)
{
    switch ((int)sip->sip_request->rq_method) {
    case sip_method_bye:
        return recv_bye(leg, irq, sip);
    case sip_method_invite:
        return recv_offer(leg, nta, irq, sip, true);
    case sip_method_update:
        return recv_offer(leg, nta, irq, sip, false);
    case sip_method_info:
        return recv_info(leg, irq, sip);
    case sip_method_options:
        return recv_options(leg, irq);
    case sip_method_refer:
        return sip_refer_recv(leg, irq, sip);
    case sip_method_prack: /* of a provisional answer of the former owner */
        return reply(leg, irq, leg->restored && leg->state == SIP_IN_RINGING ? 200 : 481);
    case sip_method_unknown:
        return reply(leg, irq, 501);
    default:
        return reply(leg, irq, 405);
    }
}

int sip_dialog_recv(nta_leg_magic_t *magic, nta_leg_t *nta, nta_incoming_t *irq, const sip_t *sip)
{
    struct sip_leg *leg = (struct sip_leg *)magic;
    leg->ua->stats.requests_in++;
    sip_method_t method = sip->sip_request->rq_method;
    if (method == sip_method_ack || method == sip_method_cancel)
        return 481; /* of no transaction of ours; an ACK is never answered */
    /* A hang-up is heard all the same: the owner keeps its answer back, and the peer repeats it to whoever has the call by then. */
    if (method != sip_method_bye && sip_uas_silent(leg->port, irq))
        return 503;
    bool early = leg->state == SIP_OUT_CALLING || leg->state == SIP_OUT_CANCELLED;
    if (!early) { /* forks count for themselves; they only send UPDATE and BYE here */
        uint32_t cseq = sip->sip_cseq->cs_seq;
        if (leg->remote_cseq && cseq <= leg->remote_cseq && !(leg->remote_cseq_at && cseq == leg->remote_cseq))
            return reply(leg, irq, 500);
        leg->remote_cseq = cseq;
        leg->remote_cseq_at = false;
    }
    if (leg->gone && method != sip_method_bye)
        return 481;
    struct sip_source src;
    sip_source_of_request(leg->port, irq, &src);
    sip_dialog_source(leg, &src);
    mem_ref(leg);
    if (leg->restored && leg->state == SIP_IN_ANSWERED && !leg->gone && method != sip_method_prack)
        sip_uas_confirmed(leg, NULL);
    int status = 481;
    if (leg->state != SIP_OVER)
        status = dispatch(leg, nta, irq, sip);
    else if (sip_restore_forgotten(leg->port, irq, sip)) /* the owner let go of it just now */
        status = 503;
    mem_unref(leg);
    return status;
}
