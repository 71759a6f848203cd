/* Life of a leg: creation, events to the owner, the end, and what another node needs to carry it on. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "telephony/sip_int.h"

static void leg_destroy(void *obj)
{
    struct sip_leg *leg = obj;
    char *const owned[] = {
        leg->call_id,      leg->local_uri,     leg->remote_uri,    leg->remote_tag,  leg->remote_target,
        leg->route_set,    leg->invite_text,   leg->local_tag,     leg->local_addr,  leg->remote_addr,
        leg->local_sdp,    leg->remote_sdp,    leg->next_ring_sdp, leg->next_answer, leg->delayed_answer,
        leg->target,       leg->out_route,     leg->out_headers,   leg->branch,      leg->release_text,
        leg->offer_in_sdp, leg->offer_out_sdp, leg->held_sdp,      leg->warning,     leg->ack_headers,
    };
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        free(owned[i]);
    msg_destroy(leg->cancel_in);
    mem_unref(leg->former);
    mem_unref(leg->creds);
}

struct sip_leg *sip_leg_new(struct sip_port *port)
{
    struct sip_leg *leg = mem_new(sizeof *leg, leg_destroy);
    if (!leg)
        return NULL;
    leg->ua = port->ua;
    leg->port = port;
    list_push_back(&port->ua->legs, &leg->link);
    return leg;
}

static void forget_incoming(nta_incoming_t **irq, int status)
{
    if (!*irq)
        return;
    nta_incoming_t *gone = *irq;
    *irq = NULL;
    nta_incoming_bind(gone, NULL, NULL);
    if (nta_incoming_status(gone) < 200)
        nta_incoming_treply(gone, status, sip_phrase(status, NULL), TAG_END());
    nta_incoming_destroy(gone);
}

void sip_leg_drop(struct sip_leg *leg)
{
    leg->gone = true;
    leg->state = SIP_OVER;
    sip_timer_stop(leg);
    if (leg->rel) {
        nta_reliable_t *rel = leg->rel;
        leg->rel = NULL;
        nta_reliable_destroy(rel);
    }
    forget_incoming(&leg->offer_in, 487);
    forget_incoming(&leg->ack_in, 487);
    forget_incoming(&leg->refer_in, 487);
    forget_incoming(&leg->invite_in, 480);
    if (leg->offer_out) {
        nta_outgoing_t *orq = leg->offer_out;
        leg->offer_out = NULL;
        nta_outgoing_destroy(orq);
    }
    if (leg->invite_out) {
        nta_outgoing_t *orq = leg->invite_out;
        leg->invite_out = NULL;
        nta_outgoing_destroy(orq);
    }
    sip_uac_drop_forks(leg, NULL);
    if (leg->nta) {
        nta_leg_destroy(leg->nta);
        leg->nta = NULL;
    }
    list_del(&leg->link);
    mem_unref(leg);
}

void sip_leg_emit(struct sip_leg *leg, struct sip_event *ev)
{
    if (leg->gone || !leg->cb)
        return;
    if (!ev->phrase)
        ev->phrase = "";
    if (ev->sdp)
        ev->sdp_len = strlen(ev->sdp);
    leg->cb(leg->ctx, leg, ev);
}

void sip_leg_end(struct sip_leg *leg, enum sip_event_type type, int status, const char *phrase)
{
    struct sip_event ev = {.type = type, .status = status, .phrase = phrase};
    mem_ref(leg);
    if (!leg->gone) {
        leg->state = SIP_OVER;
        sip_leg_emit(leg, &ev);
    }
    sip_leg_drop(leg);
    mem_unref(leg);
}

void sip_leg_set_cb(struct sip_leg *leg, sip_leg_cb *cb, void *ctx)
{
    leg->cb = cb;
    leg->ctx = ctx;
}

void sip_leg_ack_with(struct sip_leg *leg, char *headers)
{
    free(leg->ack_headers);
    leg->ack_headers = headers;
}

int sip_leg_target(struct sip_leg *leg, const sip_contact_t *m)
{
    if (!m || !sip_url_is_sip(m->m_url) || !m->m_url->url_host)
        return ERR_INVAL;
    char *text = sip_url_text(m->m_url);
    if (!text)
        return ERR_NOMEM;
    free(leg->remote_target);
    leg->remote_target = text;
    return 0;
}

int sip_leg_routes(struct sip_leg *leg)
{
    const sip_route_t *r = NULL;
    nta_leg_get_route(leg->nta, &r, NULL);
    char *text = sip_routes_text(r);
    if (!text)
        return ERR_NOMEM;
    free(leg->route_set);
    leg->route_set = text;
    leg->routed = r != NULL;
    return 0;
}

void sip_leg_learn(struct sip_leg *leg, const sip_t *sip)
{
    if (sip->sip_allow)
        leg->peer_update = sip_is_allowed(sip->sip_allow, SIP_METHOD_UPDATE);
    if (sip->sip_supported && sip_has_feature(sip->sip_supported, "timer"))
        leg->peer_timer = true;
}

/* An answered leg may not be ended by BYE before its ACK has come (RFC 3261 15): it waits without callbacks. */
#define RESTORED_ACK_US 1000000u

static void release_answered(struct sip_leg *leg, int status, const char *text)
{
    leg->gone = true;
    leg->release_status = status;
    leg->release_text = mem_strdup(text);
}

static void refuse(struct sip_leg *leg, int status, const char *phrase, int retry_after_s, const char *reason)
{
    char after[16];
    snprintf(after, sizeof after, "%d", retry_after_s);
    nta_incoming_treply(
        leg->invite_in, status, sip_phrase(status, phrase), TAG_IF(retry_after_s > 0, SIPTAG_RETRY_AFTER_STR(after)),
        TAG_IF(reason, SIPTAG_REASON_STR(reason)), TAG_IF(status == 415, SIPTAG_ACCEPT_STR(SIP_ACCEPT_SDP)),
        TAG_IF(status == 405, SIPTAG_ALLOW_STR(SIP_ALLOW)),
        TAG_IF(status == 488 && leg->warning, SIPTAG_WARNING_STR(leg->warning)), SIPTAG_SERVER_STR(leg->ua->product),
        TAG_END());
}

void sip_leg_warn(struct sip_leg *leg, unsigned code, const char *text)
{
    const struct sip_port *p = leg->port;
    bool v6 = strchr(p->ip, ':') != NULL;
    free(leg->warning);
    leg->warning = sip_format("%u %s%s%s:%u \"%s\"", code, v6 ? "[" : "", p->ip, v6 ? "]" : "", p->port, text);
}

void sip_leg_reject(struct sip_leg *leg, int status, const char *phrase, int retry_after_s)
{
    if (leg->gone || leg->state != SIP_IN_RINGING || !leg->invite_in)
        return;
    if (!sip_may_act(leg->ua)) {
        sip_leg_abandon(leg);
        return;
    }
    leg->gone = true;
    refuse(leg, status < 300 || status > 699 ? 500 : status, phrase, retry_after_s, NULL);
    sip_leg_drop(leg);
}

void sip_leg_release(struct sip_leg *leg, int reason_status, const char *reason_text)
{
    if (leg->gone)
        return;
    if (!sip_may_act(leg->ua)) {
        sip_leg_abandon(leg); /* what was kept back now could meet a call that is another node's by then */
        return;
    }
    leg->gone = true;
    char *reason;
    switch (leg->state) {
    case SIP_IN_RINGING:
        reason = sip_reason_value(reason_status, reason_text);
        refuse(leg, reason_status == 487 ? 487 : 603, NULL, 0, reason);
        free(reason);
        sip_leg_drop(leg);
        break;
    case SIP_IN_ANSWERED:
        if (leg->restored && clock_mono_now().us - leg->restored_at.us > RESTORED_ACK_US) {
            sip_dialog_bye(leg, reason_status, reason_text); /* its ACK has gone to the former owner, or never comes */
            sip_leg_drop(leg);
        } else {
            release_answered(leg, reason_status, reason_text);
        }
        break;
    case SIP_OUT_CALLING:
        release_answered(leg, reason_status, reason_text);
        sip_uac_cancel(leg);
        break;
    case SIP_OUT_ANSWERED:
        release_answered(leg, reason_status, reason_text);
        sip_uac_ack_bye(leg);
        sip_leg_drop(leg);
        break;
    case SIP_UP:
        sip_dialog_bye(leg, reason_status, reason_text);
        sip_leg_drop(leg);
        break;
    case SIP_OUT_CANCELLED:
    case SIP_OVER:
        break;
    }
}

const char *sip_leg_local_tag(const struct sip_leg *leg)
{
    return leg->local_tag;
}

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

void sip_leg_dialog(const struct sip_leg *leg, struct sip_dialog *out)
{
    bool unanswered = leg->inbound && (leg->state == SIP_IN_RINGING || leg->state == SIP_IN_ANSWERED);
    *out = (struct sip_dialog){
        .call_id = or_empty(leg->call_id),
        .local_uri = or_empty(leg->local_uri),
        .remote_uri = or_empty(leg->remote_uri),
        .local_tag = or_empty(leg->local_tag),
        .remote_tag = or_empty(leg->remote_tag),
        .remote_target = or_empty(leg->remote_target),
        .route_set = or_empty(leg->route_set),
        .local_cseq = leg->local_cseq,
        .remote_cseq = leg->remote_cseq,
        .invite_cseq = leg->invite_cseq,
        .transport = leg->transport,
        .flow = leg->flow,
        .local_ip = leg->port->ip,
        .local_port = leg->port->port,
        .inbound = leg->inbound,
        .invite_text = unanswered ? or_empty(leg->invite_text) : "",
        .session_expires_s = leg->se_s,
        .refresher_is_us = leg->refresher_is_us,
    };
}
