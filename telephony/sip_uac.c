/* Outbound INVITE until the ACK: early dialogs, reliable provisional answers, the first 2xx, CANCEL. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "telephony/sip_int.h"

#define CONTACT_SIZE (SIP_HOST_SIZE + 40)

/* ---- early dialogs ---- */

/* A PRACK that is out goes on by itself, and is not sent again. */
static void drop_prack(struct sip_fork *f)
{
    nta_outgoing_t *orq = f->prack;
    f->prack = NULL;
    if (orq)
        nta_outgoing_destroy(orq);
}

/* The last one. */
static void drop_fork(struct sip_leg *leg, const nta_leg_t *keep)
{
    struct sip_fork *f = &leg->forks[--leg->n_forks];
    drop_prack(f);
    if (f->nta != keep) {
        if (leg->nta == f->nta)
            leg->nta = NULL;
        nta_leg_destroy(f->nta);
    }
    free(f->tag);
    free(f->target);
    *f = (struct sip_fork){0};
}

void sip_uac_drop_forks(struct sip_leg *leg, const nta_leg_t *keep)
{
    while (leg->n_forks > 0)
        drop_fork(leg, keep);
}

/* The early dialog of a response, made when it is new. NULL: no tag, no memory, or too many. */
static struct sip_fork *fork_of(struct sip_leg *leg, const sip_t *sip)
{
    const char *tag = sip->sip_to->a_tag;
    if (!tag)
        tag = ""; /* RFC 3261 12.1.2: an old peer without tags */
    for (size_t i = 0; i < leg->n_forks; i++)
        if (strcmp(leg->forks[i].tag, tag) == 0)
            return &leg->forks[i];
    if (leg->n_forks == SIP_FORKS_MAX)
        return NULL;
    struct sip_fork *f = &leg->forks[leg->n_forks];
    char cseq[32];
    snprintf(cseq, sizeof cseq, "%u INVITE", leg->local_cseq);
    f->tag = mem_strdup(tag);
    f->nta = f->tag ? nta_leg_tcreate(leg->port->agent, sip_dialog_recv, (nta_leg_magic_t *)leg,
                                      SIPTAG_CALL_ID(sip->sip_call_id), SIPTAG_FROM_STR(leg->local_addr),
                                      SIPTAG_TO(sip->sip_to), SIPTAG_CSEQ_STR(cseq), TAG_END())
                    : NULL;
    if (!f->nta) {
        free(f->tag);
        f->tag = NULL;
        return NULL;
    }
    leg->n_forks++;
    nta_leg_client_reroute(f->nta, sip->sip_record_route, sip->sip_contact, 1);
    return f;
}

/* Makes the fork's dialog the leg's for as long as a request is built. */
static void turn_to(struct sip_leg *leg, const struct sip_fork *f)
{
    leg->nta = f->nta;
    if (mem_strset(&leg->remote_tag, f->tag) != 0 || sip_leg_routes(leg) != 0 ||
        (f->target && mem_strset(&leg->remote_target, f->target) != 0))
        log_warn("sip", "call %s: out of memory", leg->call_id);
}

/* Likewise, with what this answer says of it. */
static void look_at(struct sip_leg *leg, struct sip_fork *f, const sip_t *sip)
{
    if (sip->sip_contact && sip_leg_target(leg, sip->sip_contact) == 0 &&
        mem_strset(&f->target, leg->remote_target) != 0)
        log_warn("sip", "call %s: out of memory", leg->call_id);
    turn_to(leg, f);
}

/* ---- sending ---- */

static int recv_invite_answer(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip);

static int send_invite(struct sip_leg *leg, const char *sdp)
{
    char hop[SIP_FLOW_SIZE + 24], contact[CONTACT_SIZE], cseq[32], se[64], least[16], hops[16];
    sip_contact_value(leg->port, leg->transport, contact, sizeof contact);
    snprintf(cseq, sizeof cseq, "%u INVITE", leg->invite_cseq);
    snprintf(least, sizeof least, "%u", leg->se_min > leg->ua->cfg.min_se_s ? leg->se_min : leg->ua->cfg.min_se_s);
    snprintf(hops, sizeof hops, "%u", leg->max_forwards);
    if (sip_flow_uri(leg->flow, hop, sizeof hop) != 0)
        return ERR_INVAL;
    /* A leg without remote tag would take requests of every fork: it lives only while the INVITE is built. */
    nta_leg_t *base = nta_leg_tcreate(leg->port->agent, NULL, NULL, SIPTAG_CALL_ID_STR(leg->call_id),
                                      SIPTAG_FROM_STR(leg->local_addr), SIPTAG_TO_STR(leg->remote_addr), TAG_END());
    if (!base)
        return ERR_INVAL;
    char *headers = sip_creds_headers(leg->creds, "INVITE", leg->target);
    leg->invite_out = nta_outgoing_tcreate(
        base, recv_invite_answer, (nta_outgoing_magic_t *)leg, URL_STRING_MAKE(hop), SIP_METHOD_INVITE,
        URL_STRING_MAKE(leg->target), NTATAG_BRANCH_KEY(leg->branch), SIPTAG_CSEQ_STR(cseq),
        SIPTAG_MAX_FORWARDS_STR(hops), SIPTAG_CONTACT_STR(contact),
        TAG_IF(leg->out_route, SIPTAG_ROUTE_STR(leg->out_route)), SIPTAG_ALLOW_STR(SIP_ALLOW),
        SIPTAG_SUPPORTED_STR(leg->supports_100rel ? "100rel, timer, replaces" : "timer, replaces"),
        SIPTAG_SESSION_EXPIRES_STR(sip_timer_ask(leg, se, sizeof se)), SIPTAG_MIN_SE_STR(least),
        SIPTAG_USER_AGENT_STR(leg->ua->product), TAG_IF(leg->out_headers, SIPTAG_HEADER_STR(leg->out_headers)),
        TAG_IF(headers, SIPTAG_HEADER_STR(headers)), SIPTAG_CONTENT_TYPE_STR("application/sdp"),
        SIPTAG_PAYLOAD_STR(sdp), TAG_END());
    nta_leg_destroy(base);
    sip_leg_ack_with(leg, headers);
    if (leg->local_cseq < leg->invite_cseq)
        leg->local_cseq = leg->invite_cseq;
    return leg->invite_out ? 0 : ERR_INVAL;
}

/* Once more under a branch and a CSeq of its own. Both follow from what has been sent, and from the peer's refusals in their order: a
 * node that takes over comes to the same, so that the peer takes what it sends for a retransmission. */
static bool send_again(struct sip_leg *leg, const char *why)
{
    char *branch = sip_format("%s-%s", leg->branch, why);
    if (!branch)
        return false;
    free(leg->branch);
    leg->branch = branch;
    sip_uac_drop_forks(leg, NULL);
    leg->invite_cseq = (leg->again ? leg->invite_cseq : leg->local_cseq) + 1;
    sip_gate_unmute(leg->ua, leg->branch);
    return send_invite(leg, leg->local_sdp) == 0;
}

int sip_uac_send_ack(struct sip_leg *leg, nta_leg_t *dialog, uint32_t cseq, const char *branch)
{
    char hop[SIP_FLOW_SIZE + 24], text[32];
    snprintf(text, sizeof text, "%u ACK", cseq);
    /* The INVITE's branch ties the ACK to retransmitted 2xx; without it nta aborts when the INVITE is no longer known. */
    nta_outgoing_t *ack = nta_outgoing_tcreate(
        dialog, NULL, NULL, URL_STRING_MAKE(sip_dialog_hop(leg, hop, sizeof hop)), SIP_METHOD_ACK, NULL,
        SIPTAG_CSEQ_STR(text), NTATAG_ACK_BRANCH(branch), TAG_IF(leg->ack_headers, SIPTAG_HEADER_STR(leg->ack_headers)),
        SIPTAG_USER_AGENT_STR(leg->ua->product), TAG_END());
    if (!ack)
        return ERR_IO;
    nta_outgoing_destroy(ack); /* stays by itself to answer retransmitted 2xx */
    return 0;
}

static int recv_prack_answer(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip);

/* For the last reliable answer of the fork, which the leg looks at. */
static void send_prack(struct sip_leg *leg, struct sip_fork *f)
{
    char hop[SIP_FLOW_SIZE + 24], rack[64];
    snprintf(rack, sizeof rack, "%u %u INVITE", f->rseq, leg->invite_cseq);
    char *headers = sip_creds_headers(leg->creds, "PRACK", leg->remote_target);
    drop_prack(f);
    f->prack = nta_outgoing_tcreate(f->nta, recv_prack_answer, (nta_outgoing_magic_t *)leg,
                                    URL_STRING_MAKE(sip_dialog_hop(leg, hop, sizeof hop)), SIP_METHOD_PRACK, NULL,
                                    SIPTAG_RACK_STR(rack), TAG_IF(headers, SIPTAG_HEADER_STR(headers)),
                                    SIPTAG_USER_AGENT_STR(leg->ua->product), TAG_END());
    free(headers);
    if (f->prack)
        leg->local_cseq = nta_outgoing_cseq(f->prack);
    else
        log_warn("sip", "call %s: cannot send PRACK", leg->call_id);
}

/* Only a challenge matters. The peer sends its answer again until it gets a PRACK that it takes, but of that we hear nothing (RFC 3262
 * section 4). */
static int recv_prack_answer(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip)
{
    struct sip_leg *leg = (struct sip_leg *)magic;
    struct sip_fork *f = NULL;
    for (size_t i = 0; i < leg->n_forks && !f; i++)
        f = leg->forks[i].prack == orq ? &leg->forks[i] : NULL;
    if (!f || nta_outgoing_status(orq) < 200)
        return 0;
    bool again = sip_creds_challenged(leg->creds, sip, &f->prack_tries) && sip_may_act(leg->ua);
    drop_prack(f);
    if (again) {
        turn_to(leg, f);
        send_prack(leg, f);
    }
    return 0;
}

int sip_leg_talk(struct sip_leg *leg)
{
    char hop[SIP_FLOW_SIZE + 24], contact[CONTACT_SIZE];
    if (leg->gone || leg->state != SIP_OUT_CALLING || !leg->n_forks)
        return ERR_BADSTATE;
    if (!sip_may_act(leg->ua))
        return ERR_NOQUORUM;
    const struct sip_fork *f = &leg->forks[leg->n_forks - 1];
    turn_to(leg, f);
    sip_contact_value(leg->port, leg->transport, contact, sizeof contact);
    char *headers = sip_creds_headers(leg->creds, "NOTIFY", leg->remote_target);
    nta_outgoing_t *orq = nta_outgoing_tcreate(
        f->nta, NULL, NULL, URL_STRING_MAKE(sip_dialog_hop(leg, hop, sizeof hop)), SIP_METHOD_NOTIFY, NULL,
        SIPTAG_CONTACT_STR(contact), SIPTAG_EVENT_STR("talk"), SIPTAG_SUBSCRIPTION_STATE_STR("active"),
        TAG_IF(headers, SIPTAG_HEADER_STR(headers)), SIPTAG_USER_AGENT_STR(leg->ua->product), TAG_END());
    free(headers);
    if (!orq)
        return ERR_NOMEM;
    leg->local_cseq = nta_outgoing_cseq(orq);
    nta_outgoing_destroy(orq); /* goes on by itself */
    return 0;
}

void sip_uac_ack_bye(struct sip_leg *leg)
{
    if (sip_uac_send_ack(leg, leg->nta, leg->invite_cseq, leg->branch) != 0)
        log_warn("sip", "call %s: cannot send ACK", leg->call_id);
    sip_dialog_bye(leg, leg->release_status, leg->release_text);
}

void sip_uac_cancel(struct sip_leg *leg)
{
    leg->state = SIP_OUT_CANCELLED;
    char *reason = sip_reason_value(leg->release_status, leg->release_text);
    /* Held back by nta until the first provisional answer (RFC 3261 9.1). */
    nta_outgoing_tcancel(leg->invite_out, NULL, NULL, TAG_IF(reason, SIPTAG_REASON_STR(reason)), TAG_END());
    free(reason);
    sip_timer_guard(leg, leg->ua->cfg.t1x64_ms + 8000);
}

/* ---- receiving ---- */

static void adopt(struct sip_leg *leg, struct sip_fork *f, const sip_t *sip)
{
    nta_leg_t *chosen = f->nta;
    nta_leg_client_reroute(chosen, sip->sip_record_route, sip->sip_contact, 2);
    look_at(leg, f, sip);
    sip_uac_drop_forks(leg, chosen);
    leg->nta = chosen;
}

static void got_2xx(struct sip_leg *leg, const sip_t *sip)
{
    struct sip_fork *f = fork_of(leg, sip);
    if (!f && leg->n_forks == SIP_FORKS_MAX) { /* a fork that was not followed has won: make room for it */
        drop_fork(leg, NULL);
        f = fork_of(leg, sip);
    }
    if (!f) {
        sip_leg_end(leg, SIP_EV_FAILED, 500, "Out of memory");
        return;
    }
    adopt(leg, f, sip);
    if (leg->state == SIP_OUT_CANCELLED) {
        sip_uac_ack_bye(leg);
        sip_leg_drop(leg);
        return;
    }
    char *sdp = NULL;
    int bad = sip_body_sdp(sip, &sdp);
    leg->state = SIP_OUT_ANSWERED;
    sip_leg_learn(leg, sip);
    sip_timer_accepted(leg, sip);
    if (sdp && mem_strset(&leg->remote_sdp, sdp) != 0)
        bad = 500;
    struct sip_event ev = {.type = SIP_EV_ANSWERED,
                           .status = sip->sip_status->st_status,
                           .phrase = sip->sip_status->st_phrase,
                           .sdp = bad ? NULL : sdp};
    sip_leg_emit(leg, &ev);
    free(sdp);
}

static void got_1xx(struct sip_leg *leg, const sip_t *sip)
{
    int status = sip->sip_status->st_status;
    if (status == 100 || leg->state != SIP_OUT_CALLING)
        return;
    struct sip_fork *f = sip->sip_to->a_tag ? fork_of(leg, sip) : NULL;
    bool reliable = false;
    if (f) {
        look_at(leg, f, sip);
        sip_leg_learn(leg, sip);
        reliable = sip->sip_rseq && sip->sip_require && sip_has_feature(sip->sip_require, "100rel");
    }
    if (reliable) {
        uint32_t rseq = (uint32_t)sip->sip_rseq->rs_response;
        if (rseq == 0 || (f->rseq && rseq != f->rseq + 1))
            return; /* a retransmission, or one that came too early: the peer sends again (RFC 3262 section 4) */
        f->rseq = rseq;
        f->prack_tries = 0;
        send_prack(leg, f);
    }
    char *sdp = NULL;
    if (sip_body_sdp(sip, &sdp) != 0)
        sdp = NULL;
    if (sdp && reliable)
        leg->answered_early = true;
    if (sdp && mem_strset(&leg->remote_sdp, sdp) != 0)
        log_warn("sip", "call %s: out of memory", leg->call_id);
    struct sip_event ev = {.type = SIP_EV_PROGRESS,
                           .status = status,
                           .phrase = sip->sip_status->st_phrase,
                           .sdp = sdp,
                           .early_reliable = reliable};
    sip_leg_emit(leg, &ev);
    free(sdp);
}

/* 422 once: again with what the peer asks for. */
static bool retry_longer(struct sip_leg *leg, const sip_t *sip)
{
    if (leg->retried_422 || !sip || !sip->sip_min_se || leg->state != SIP_OUT_CALLING)
        return false;
    leg->retried_422 = true;
    leg->se_min = (uint32_t)(sip->sip_min_se->min_delta > 86400 ? 86400 : sip->sip_min_se->min_delta);
    return send_again(leg, "422");
}

static void got_failure(struct sip_leg *leg, const sip_t *sip, int status)
{
    if (leg->state == SIP_OUT_CANCELLED) {
        sip_leg_drop(leg);
        return;
    }
    if (status == 422 && retry_longer(leg, sip))
        return;
    if (sip_creds_challenged(leg->creds, sip, &leg->challenges) && send_again(leg, "auth"))
        return;
    char *redirect = sip && status < 400 && sip->sip_contact ? sip_url_text(sip->sip_contact->m_url) : NULL;
    struct sip_event ev = {
        .type = SIP_EV_FAILED,
        .status = status,
        .phrase = sip ? sip->sip_status->st_phrase : sip_phrase(status, NULL),
        .redirect = redirect,
        .retry_after_s = sip && sip->sip_retry_after ? (int)(sip->sip_retry_after->af_delta & INT32_MAX) : 0,
    };
    leg->state = SIP_OVER;
    sip_leg_emit(leg, &ev);
    sip_leg_drop(leg);
    free(redirect);
}

static int recv_invite_answer(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip)
{
    struct sip_leg *leg = (struct sip_leg *)magic;
    int status = sip ? sip->sip_status->st_status : nta_outgoing_status(orq);
    while (leg->heir)
        leg = leg->heir;
    if (orq != leg->invite_out || (leg->state != SIP_OUT_CALLING && leg->state != SIP_OUT_CANCELLED))
        return 0;
    mem_ref(leg);
    struct sip_source src;
    sip_source_of_response(orq, &src);
    if (src.addr.ss_family != AF_UNSPEC)
        sip_dialog_source(leg, &src);
    if (status < 200) {
        if (sip)
            got_1xx(leg, sip);
    } else if (status < 300 && sip && leg->state == SIP_OUT_CANCELLED && !sip_may_act(leg->ua)) {
        /* Neither ACK nor BYE may leave. Nobody carries this dialog on: the peer's next 2xx is a stray one (sip_restore.c). */
        leg->invite_out = NULL;
        nta_outgoing_destroy(orq);
        sip_leg_drop(leg);
    } else if (status < 300 && sip) {
        got_2xx(leg, sip);
    } else {
        leg->invite_out = NULL;
        nta_outgoing_destroy(orq);
        got_failure(leg, sip, status);
    }
    mem_unref(leg);
    return 0;
}

int sip_leg_ack(struct sip_leg *leg)
{
    if (leg->gone || leg->state != SIP_OUT_ANSWERED)
        return ERR_BADSTATE;
    int rc = sip_uac_send_ack(leg, leg->nta, leg->invite_cseq, leg->branch);
    if (rc)
        return rc;
    leg->state = SIP_UP;
    nta_outgoing_t *orq = leg->invite_out;
    leg->invite_out = NULL;
    nta_outgoing_destroy(orq); /* after the ACK, which looks for it */
    sip_timer_start(leg);
    return 0;
}

/* ---- a new leg ---- */

/* "user" percent-encoded for a URI, with @. */
static char *user_part(const char *user)
{
    if (!user || !*user)
        return mem_strdup("");
    su_home_t home[1] = {SU_HOME_INIT(home)};
    static const char reserved[] = "@:/?;<>\"";
    char *escaped = su_alloc(home, url_esclen(user, reserved) + 1);
    char *out = escaped ? sip_format("%s@", url_escape(escaped, user, reserved)) : NULL;
    su_home_deinit(home);
    return out;
}

static char *quoted_display(const char *text)
{
    if (!text || !*text)
        return mem_strdup("");
    char out[256];
    size_t n = 0;
    out[n++] = '"';
    for (const char *p = text; *p && n + 4 < sizeof out; p++) {
        if ((unsigned char)*p < ' ' || *p == 127)
            continue;
        if (*p == '"' || *p == '\\')
            out[n++] = '\\';
        out[n++] = *p;
    }
    out[n++] = '"';
    out[n++] = ' ';
    out[n] = '\0';
    return mem_strdup(out);
}

/* Where the INVITE goes: flow, else Route, else target; a numeric address in the end. Fills leg->flow and transport. */
static int first_hop(const struct sip_out_params *p, const url_t *target, int *family, char flow[SIP_FLOW_SIZE],
                     enum sip_transport *transport, struct err_info *info)
{
    char ip[SIP_HOST_SIZE], uri[SIP_FLOW_SIZE + 24], proto[8] = "udp";
    if (p->flow) {
        if (strlen(p->flow) >= SIP_FLOW_SIZE || sip_flow_uri(p->flow, uri, sizeof uri) != 0)
            return err_set(info, ERR_INVAL, "flow", "not of the form udp:ip:port or tcp:ip:port");
        strcpy(flow, p->flow);
        *transport = strncmp(flow, "tcp", 3) == 0 ? SIP_TCP : strncmp(flow, "tls", 3) == 0 ? SIP_TLS : SIP_UDP;
        *family = strchr(flow, '[') ? AF_INET6 : AF_INET;
        return 0;
    }
    su_home_t home[1] = {SU_HOME_INIT(home)};
    const url_t *hop = p->route ? sip_first_route(home, p->route) : target;
    int rc = 0;
    if (!hop || !sip_url_is_sip(hop) || !hop->url_host)
        rc = err_set(info, ERR_INVAL, "route", "not a SIP URI");
    else if (!sip_numeric_host(hop->url_host, ip, family))
        rc = err_set(info, ERR_UNSUPPORTED, p->route ? "route" : "target",
                     "the host must be a numeric address, not \"%s\"", hop->url_host);
    if (rc == 0) {
        if (hop->url_params && url_param(hop->url_params, "transport", proto, sizeof proto) &&
            strcasecmp(proto, "udp") != 0 && strcasecmp(proto, "tcp") != 0)
            rc = err_set(info, ERR_UNSUPPORTED, "target", "transport must be udp or tcp");
        *transport = strcasecmp(proto, "tcp") == 0 ? SIP_TCP : SIP_UDP;
        snprintf(flow, SIP_FLOW_SIZE, *family == AF_INET6 ? "%s:[%s]:%s" : "%s:%s:%s", sip_transport_text(*transport),
                 ip, hop->url_port && *hop->url_port ? hop->url_port : "5060");
    }
    su_home_deinit(home);
    return rc;
}

static int fill_leg(struct sip_leg *leg, const struct sip_out_params *p, const url_t *target, const char *ip)
{
    const char *open = strchr(ip, ':') ? "[" : "", *close = *open ? "]" : "";
    char *from_user = user_part(p->from_user), *to_user = user_part(p->to_user),
         *display = quoted_display(p->from_display);
    if (from_user && to_user && display) {
        leg->local_uri = sip_format("sip:%s%s%s%s", from_user, open, ip, close);
        leg->remote_uri = sip_format("sip:%s%s", to_user, target->url_host);
        leg->local_addr = sip_format("%s<%s>;tag=%s", display, leg->local_uri ? leg->local_uri : "", p->from_tag);
        leg->remote_addr = sip_format("<%s>", leg->remote_uri ? leg->remote_uri : "");
    }
    free(from_user);
    free(to_user);
    free(display);
    leg->call_id = mem_strdup(p->call_id);
    leg->local_tag = mem_strdup(p->from_tag);
    leg->branch = mem_strdup(p->branch);
    leg->target = mem_strdup(p->target);
    leg->local_sdp = mem_strdup(p->sdp);
    leg->out_headers = mem_strdup(p->headers);
    if (p->route)
        leg->out_route = *p->route == '<' ? mem_strdup(p->route)
                                          : sip_format(strstr(p->route, ";lr") ? "<%s>" : "<%s;lr>", p->route);
    leg->invite_cseq = leg->local_cseq = p->cseq;
    leg->supports_100rel = p->supports_100rel;
    leg->again = p->again;
    leg->max_forwards = p->hops < SIP_MAX_FORWARDS ? SIP_MAX_FORWARDS - p->hops : 0;
    leg->cb = p->cb;
    leg->ctx = p->ctx;
    return leg->local_uri && leg->remote_uri && leg->local_addr && leg->remote_addr && leg->call_id && leg->local_tag &&
                   leg->branch && leg->target && leg->local_sdp && (!p->headers || leg->out_headers) &&
                   (!p->route || leg->out_route)
               ? 0
               : ERR_NOMEM;
}

static int check_params(const struct sip_out_params *p, struct err_info *info)
{
    if (!p->target || !p->call_id || !*p->call_id || !p->from_tag || !*p->from_tag || !p->sdp || !*p->sdp ||
        !p->branch || strncmp(p->branch, "z9hG4bK", 7) != 0)
        return err_set(info, ERR_INVAL, "",
                       "target, call_id, from_tag, sdp and a branch starting z9hG4bK are required");
    if (p->cseq == 0 || p->cseq > INT32_MAX)
        return err_set(info, ERR_RANGE, "cseq", "must be from 1 to 2147483647");
    if (strpbrk(p->from_tag, " ;\r\n<>\"") || strpbrk(p->call_id, " \r\n") || strpbrk(p->branch, " ;=\r\n") ||
        strpbrk(p->target, "<> \r\n?"))
        return err_set(info, ERR_INVAL, "", "a character that has no place in call_id, from_tag, branch or target");
    return 0;
}

/* Checks the target, chooses hop and address and fills a leg that has sent nothing yet. from_ip: in From, NULL: that address. */
static int prepare(struct sip_ua *ua, const struct sip_out_params *p, const char *from_ip, struct sip_leg **out,
                   struct err_info *info)
{
    int rc = check_params(p, info), family = AF_INET;
    if (rc)
        return rc;
    su_home_t home[1] = {SU_HOME_INIT(home)};
    char flow[SIP_FLOW_SIZE] = "";
    enum sip_transport transport = SIP_UDP;
    struct sip_leg *leg = NULL;
    url_t *target = url_make(home, p->target);
    if (!target || !sip_url_is_sip(target) || !target->url_host)
        rc = err_set(info, ERR_INVAL, "target", "not a SIP URI: \"%s\"", p->target);
    if (rc == 0)
        rc = first_hop(p, target, &family, flow, &transport, info);
    struct sip_port *port = rc == 0 ? sip_port_find(ua, p->local_ip, family) : NULL;
    if (rc == 0 && !port)
        rc = err_set(info, ERR_UNSUPPORTED, "target", "no listen address of its family (or not the local_ip named)");
    if (rc == 0 && p->flow && transport != SIP_UDP && !sip_flow_alive(port, flow))
        rc = err_set(info, ERR_NOTFOUND, "flow", "the connection is gone");
    if (rc == 0 && !(leg = sip_leg_new(port)))
        rc = err_set(info, ERR_NOMEM, "", "out of memory");
    if (rc == 0) {
        leg->state = SIP_OUT_CALLING;
        leg->transport = transport;
        memcpy(leg->flow, flow, sizeof leg->flow);
        leg->natted = p->flow != NULL; /* its Contact may be an address behind NAT: stay on the flow */
        rc = fill_leg(leg, p, target, from_ip ? from_ip : port->ip);
        if (rc)
            err_set(info, rc, "", "out of memory");
    }
    su_home_deinit(home);
    if (rc && leg)
        sip_leg_drop(leg);
    if (rc == 0)
        *out = leg;
    return rc;
}

int sip_leg_invite(struct sip_ua *ua, const struct sip_out_params *p, struct sip_leg **out, struct err_info *info)
{
    struct sip_leg *leg = NULL;
    int rc = prepare(ua, p, NULL, &leg, info);
    if (rc)
        return rc;
    if (!sip_may_act(ua)) {
        sip_leg_drop(leg);
        return err_set(info, ERR_NOQUORUM, "", "nothing may be sent now");
    }
    if (!p->again || !sip_limbo_adopt_invite(leg)) {
        sip_gate_unmute(leg->ua, leg->branch);
        rc = send_invite(leg, p->sdp);
    }
    if (rc) {
        sip_leg_drop(leg);
        return err_set(info, rc, "", "cannot build the INVITE");
    }
    if (p->again) /* PRACKs of the former owner have used some */
        leg->local_cseq = leg->invite_cseq + SIP_RESTORE_CSEQ_JUMP;
    *out = leg;
    return 0;
}

void sip_cancel_former(struct sip_ua *ua, const struct sip_out_params *p, const char *via_address, int reason_status,
                       const char *reason_text)
{
    char hop[SIP_FLOW_SIZE + 24], cseq[32], via[SIP_FLOW_SIZE + 16], ip[SIP_HOST_SIZE];
    int family;
    struct sip_leg *leg = NULL;
    snprintf(via, sizeof via, "udp:%s", via_address ? via_address : "");
    if (!via_address || strlen(via_address) >= SIP_FLOW_SIZE || sip_flow_uri(via, hop, sizeof hop) != 0)
        return;
    snprintf(hop, sizeof hop, "%s", via_address);
    *strrchr(hop, ':') = '\0';
    struct err_info info = {0};
    struct sip_out_params bare = *p;
    bare.sdp = "-"; /* an INVITE needs one, a CANCEL carries none */
    if (!sip_numeric_host(hop, ip, &family) || prepare(ua, &bare, ip, &leg, &info) != 0) {
        log_info("sip", "no CANCEL for %s: %s", p->call_id ? p->call_id : "", info.text);
        return;
    }
    snprintf(cseq, sizeof cseq, "%u CANCEL", p->cseq);
    char *line = sip_format("SIP/2.0/%s %s;rport;branch=%s", leg->transport == SIP_UDP ? "UDP" : "TCP", via_address,
                            leg->branch);
    char *reason = sip_reason_value(reason_status, reason_text);
    nta_leg_t *base = NULL;
    if (line && sip_flow_uri(leg->flow, hop, sizeof hop) == 0)
        base = nta_leg_tcreate(leg->port->agent, NULL, NULL, SIPTAG_CALL_ID_STR(leg->call_id),
                               SIPTAG_FROM_STR(leg->local_addr), SIPTAG_TO_STR(leg->remote_addr), TAG_END());
    if (base) {
        sip_gate_unmute(leg->ua, leg->branch);
        (void)nta_outgoing_tcreate(
            base, NULL, NULL, URL_STRING_MAKE(hop), SIP_METHOD_CANCEL, URL_STRING_MAKE(leg->target), NTATAG_USER_VIA(1),
            NTATAG_BRANCH_KEY(leg->branch), SIPTAG_VIA_STR(line), SIPTAG_CSEQ_STR(cseq),
            TAG_IF(leg->out_route, SIPTAG_ROUTE_STR(leg->out_route)), TAG_IF(reason, SIPTAG_REASON_STR(reason)),
            SIPTAG_USER_AGENT_STR(ua->product), TAG_END());
        nta_leg_destroy(base);
    }
    free(reason);
    free(line);
    sip_leg_drop(leg);
}
