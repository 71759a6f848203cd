/* Dialogs that change hands: those that another node began and that go on here, and those that go on elsewhere.
 *
 * A restored leg has no transactions but those that are built again here: the inbound INVITE from its text (RINGING, ANSWERED), and
 * the ACK (ACK). What the peer still says to transactions of the former owner falls out of the library unmatched and comes
 * to sip_restore_stray: a 2xx for a leg of ours is ACKed in its dialog, one for nobody's is ACKed and ended by BYE.
 *
 * A forgotten leg stays in limbo for 64*T1 with the transactions of its first INVITE, muted (sip_gate.c), because the library
 * cannot end them without a word. Requests of its peer are answered 503 meanwhile: 481 would end a call that lives on elsewhere.
 * If this process carries the same dialog on again, those transactions are taken out of limbo and go on. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "telephony/sip_int.h"

#define TEXT_MAX 2048u   /* a URI, tag or Call-ID */
#define ROUTES_MAX 8192u /* a route set */
#define STRAY_GRACE_MS 1000u
#define STRAYS_PER_S 100u

/* ---- limbo ---- */

static struct sip_leg *limbo_find(const struct sip_ua *ua, const char *call_id, const char *local_tag)
{
    list_foreach(it, &ua->limbo) {
        struct sip_leg *leg = list_entry(it, struct sip_leg, link);
        if (strcmp(leg->call_id, call_id) == 0 && strcmp(leg->local_tag, local_tag) == 0)
            return leg;
    }
    return NULL;
}

bool sip_limbo_has(const struct sip_ua *ua, const char *call_id, const char *local_tag)
{
    return limbo_find(ua, call_id, local_tag) != NULL;
}

/* What the transaction of a forgotten leg hears is kept for the case that the leg comes back. */
static int limbo_heard(nta_incoming_magic_t *magic, nta_incoming_t *irq, const sip_t *sip)
{
    struct sip_leg *leg = (struct sip_leg *)magic;
    bool cancel = sip && sip->sip_request->rq_method == sip_method_cancel;
    leg->held |= !sip ? SIP_HELD_TIMEOUT : cancel ? SIP_HELD_CANCEL : SIP_HELD_ACK;
    if (cancel)
        sip_cancel_keep(leg, irq);
    return 0;
}

static char *incoming_branch(nta_incoming_t *irq)
{
    msg_t *msg = nta_incoming_getrequest(irq);
    const sip_t *sip = msg ? sip_object(msg) : NULL;
    char *branch = sip && sip->sip_via ? mem_strdup(sip->sip_via->v_branch) : NULL;
    msg_destroy(msg);
    return branch;
}

static unsigned limbo_ms(const struct sip_ua *ua)
{
    return ua->cfg.t1x64_ms + 1000u;
}

/* Twice as long as a transaction of which nothing is known any more can live. */
void sip_incoming_mute(struct sip_ua *ua, nta_incoming_t *irq)
{
    char *branch = incoming_branch(irq);
    sip_gate_mute(ua, branch, 3 * limbo_ms(ua));
    free(branch);
}

void sip_incoming_silence(struct sip_ua *ua, nta_incoming_t *irq)
{
    sip_incoming_mute(ua, irq);
    nta_incoming_bind(irq, NULL, NULL);
    if (nta_incoming_status(irq) < 200)
        nta_incoming_treply(irq, SIP_480_TEMPORARILY_UNAVAILABLE, TAG_END());
    nta_incoming_destroy(irq);
}

static void end_incoming(struct sip_leg *leg, nta_incoming_t **slot)
{
    nta_incoming_t *irq = *slot;
    *slot = NULL;
    if (irq)
        sip_incoming_silence(leg->ua, irq);
}

static void end_outgoing(struct sip_leg *leg, nta_outgoing_t **slot)
{
    nta_outgoing_t *orq = *slot;
    if (!orq)
        return;
    *slot = NULL;
    sip_gate_mute(leg->ua, nta_outgoing_branch(orq), 3 * limbo_ms(leg->ua));
    nta_outgoing_destroy(orq);
}

/* Out of limbo, its transactions ended. with_agent: they go with the agent. */
static void limbo_free(struct sip_leg *leg, bool with_agent)
{
    if (with_agent) {
        leg->invite_in = NULL;
        leg->invite_out = NULL;
    } else {
        end_incoming(leg, &leg->invite_in);
        end_outgoing(leg, &leg->invite_out);
    }
    list_del(&leg->link);
    mem_unref(leg);
}

void sip_limbo_sweep(struct sip_ua *ua, const struct sip_port *port, bool all)
{
    uint64_t now = clock_mono_now().us;
    list_foreach_safe(it, &ua->limbo) {
        struct sip_leg *leg = list_entry(it, struct sip_leg, link);
        if (port && leg->port != port)
            continue;
        if (all || now - leg->forgotten.us > (uint64_t)limbo_ms(ua) * 1000u)
            limbo_free(leg, all);
    }
}

void sip_leg_abandon(struct sip_leg *leg)
{
    struct sip_ua *ua = leg->ua;
    leg->gone = true;
    leg->state = SIP_OVER;
    leg->cb = NULL;
    sip_timer_stop(leg);
    if (leg->invite_in)
        sip_incoming_mute(leg->ua, leg->invite_in);
    if (leg->rel) {
        nta_reliable_t *rel = leg->rel;
        leg->rel = NULL;
        nta_reliable_destroy(rel);
    }
    end_incoming(leg, &leg->offer_in);
    end_incoming(leg, &leg->ack_in);
    end_incoming(leg, &leg->refer_in);
    end_outgoing(leg, &leg->offer_out);
    sip_uac_drop_forks(leg, NULL);
    if (leg->nta) {
        nta_leg_destroy(leg->nta);
        leg->nta = NULL;
    }
    if (leg->invite_in)
        nta_incoming_bind(leg->invite_in, limbo_heard, (nta_incoming_magic_t *)leg);
    if (leg->invite_out)
        sip_gate_mute(leg->ua, nta_outgoing_branch(leg->invite_out), 3 * limbo_ms(ua));
    leg->held &= SIP_HELD_CANCEL; /* of its repetitions nobody is told */
    leg->forgotten = clock_mono_now();
    list_del(&leg->link);
    list_push_back(&ua->limbo, &leg->link);
}

void sip_leg_forget(struct sip_leg *leg)
{
    if (!leg->gone)
        sip_leg_abandon(leg);
}

bool sip_restore_forgotten(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip)
{
    if (!sip_limbo_has(port->ua, sip->sip_call_id->i_id, sip->sip_to->a_tag))
        return false;
    nta_incoming_treply(irq, SIP_503_SERVICE_UNAVAILABLE, SIPTAG_RETRY_AFTER_STR("1"),
                        SIPTAG_SERVER_STR(port->ua->product), TAG_END());
    return true;
}

bool sip_limbo_adopt_invite(struct sip_leg *leg)
{
    struct sip_leg *old = limbo_find(leg->ua, leg->call_id, leg->local_tag);
    if (!old || old->port != leg->port || !old->invite_out || !old->branch || strcmp(old->branch, leg->branch) != 0 ||
        nta_outgoing_status(old->invite_out) >= 200)
        return false;
    sip_gate_unmute(leg->ua, old->branch);
    leg->invite_out = old->invite_out;
    old->invite_out = NULL;
    list_del(&old->link);
    old->heir = leg;
    leg->former = old; /* keeps the reference of the list */
    return true;
}

/* ---- building ---- */

nta_leg_t *sip_leg_make_dialog(struct sip_leg *leg)
{
    su_home_t home[1] = {SU_HOME_INIT(home)};
    char cseq[32];
    free(leg->local_addr);
    free(leg->remote_addr);
    leg->local_addr = sip_format("<%s>;tag=%s", leg->local_uri, leg->local_tag);
    leg->remote_addr = *leg->remote_tag ? sip_format("<%s>;tag=%s", leg->remote_uri, leg->remote_tag)
                                        : sip_format("<%s>", leg->remote_uri);
    snprintf(cseq, sizeof cseq, "%u INVITE", leg->local_cseq);
    nta_leg_t *nta = NULL;
    if (leg->local_addr && leg->remote_addr)
        nta =
            nta_leg_tcreate(leg->port->agent, sip_dialog_recv, (nta_leg_magic_t *)leg, SIPTAG_CALL_ID_STR(leg->call_id),
                            SIPTAG_FROM_STR(leg->local_addr), SIPTAG_TO_STR(leg->remote_addr), SIPTAG_CSEQ_STR(cseq),
                            NTATAG_REMOTE_CSEQ(leg->remote_cseq), TAG_END());
    char *contact = nta && leg->remote_target ? sip_format("<%s>", leg->remote_target) : NULL;
    if (contact) {
        bool routes = leg->route_set && *leg->route_set;
        sip_record_route_t *rr = routes ? sip_record_route_make(home, leg->route_set) : NULL;
        sip_contact_t *m = sip_contact_make(home, contact);
        if (!m || (routes && !rr) || nta_leg_server_route(nta, rr, m) < 0) {
            nta_leg_destroy(nta);
            nta = NULL;
        }
    }
    free(contact);
    su_home_deinit(home);
    return nta;
}

static bool plain(const char *s, size_t max, const char *bad, bool may_be_empty)
{
    if (!s || (!*s && !may_be_empty) || strnlen(s, max + 1) > max)
        return false;
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127 || strchr(bad, *p))
            return false;
    return true;
}

static bool sip_uri(const char *s, bool any_scheme)
{
    if (!plain(s, TEXT_MAX, "<>\" \t", false))
        return false;
    su_home_t home[1] = {SU_HOME_INIT(home)};
    const url_t *url = url_make(home, s);
    bool ok =
        url && url->url_host && *url->url_host && (sip_url_is_sip(url) || (any_scheme && url->url_type == url_tel));
    su_home_deinit(home);
    return ok;
}

static bool routes_ok(const char *s)
{
    if (!s || !*s)
        return true;
    if (!plain(s, ROUTES_MAX, "\"", false))
        return false;
    su_home_t home[1] = {SU_HOME_INIT(home)};
    const sip_record_route_t *rr = sip_record_route_make(home, s);
    bool ok = rr != NULL;
    for (; ok && rr; rr = rr->r_next)
        ok = sip_url_is_sip(rr->r_url) && rr->r_url->url_host;
    su_home_deinit(home);
    return ok;
}

static int check(const struct sip_restore_params *p, const struct sip_ua *ua, struct err_info *info)
{
    char uri[SIP_FLOW_SIZE + 24];
    const char *what = NULL;
    bool from_text = p->as == SIP_RESTORE_RINGING || p->as == SIP_RESTORE_ANSWERED;
    if (!plain(p->call_id, TEXT_MAX, " \t<>\"", false))
        what = "call_id";
    else if (!sip_uri(p->local_uri, true))
        what = "local_uri";
    else if (!sip_uri(p->remote_uri, true))
        what = "remote_uri";
    else if (!plain(p->local_tag, TEXT_MAX, " \t;,<>\"", false))
        what = "local_tag";
    else if (!plain(p->remote_tag, TEXT_MAX, " \t;,<>\"", true))
        what = "remote_tag";
    else if (!sip_uri(p->remote_target, false))
        what = "remote_target";
    else if (!routes_ok(p->route_set))
        what = "route_set";
    else if (p->flow && *p->flow && (strlen(p->flow) >= SIP_FLOW_SIZE || sip_flow_uri(p->flow, uri, sizeof uri) != 0))
        what = "flow";
    else if (p->local_cseq > INT32_MAX - 2 * SIP_RESTORE_CSEQ_JUMP)
        what = "local_cseq";
    else if (p->remote_cseq > INT32_MAX)
        what = "remote_cseq";
    else if (p->as == SIP_RESTORE_ACK && (p->inbound || p->invite_cseq == 0 || p->invite_cseq > INT32_MAX))
        what = "invite_cseq";
    else if (from_text && !p->inbound)
        what = "inbound";
    else if (from_text && (!p->invite_text || !*p->invite_text ||
                           strnlen(p->invite_text, ua->cfg.message_max + 1) > ua->cfg.message_max))
        what = "invite_text";
    else if (p->as == SIP_RESTORE_ANSWERED && (!p->local_sdp || !*p->local_sdp))
        what = "local_sdp";
    else if ((unsigned)p->as > SIP_RESTORE_RINGING)
        what = "as";
    return what ? err_set(info, ERR_INVAL, what, "missing, or nothing that a dialog can be carried on with") : 0;
}

/* Whether the peer's flow is at another address than its Contact says (UDP: requests then go to the flow). */
static bool behind_nat(const struct sip_leg *leg)
{
    char ip[SIP_HOST_SIZE], text[SIP_FLOW_SIZE];
    int family;
    if (leg->transport != SIP_UDP || !leg->flow[0])
        return false;
    su_home_t home[1] = {SU_HOME_INIT(home)};
    const url_t *url = url_make(home, leg->remote_target);
    bool elsewhere = true; /* a name is resolved nowhere here */
    if (url && sip_numeric_host(url->url_host, ip, &family)) {
        snprintf(text, sizeof text, family == AF_INET6 ? "udp:[%s]:" : "udp:%s:", ip);
        elsewhere = strncasecmp(text, leg->flow, strlen(text)) != 0;
    }
    su_home_deinit(home);
    return elsewhere;
}

static int copy(char **to, const char *from)
{
    *to = mem_strdup(from ? from : "");
    return *to ? 0 : ERR_NOMEM;
}

static int fill(struct sip_leg *leg, const struct sip_restore_params *p)
{
    const struct {
        char **to;
        const char *from;
    } texts[] = {
        {&leg->call_id, p->call_id},     {&leg->local_uri, p->local_uri},   {&leg->remote_uri, p->remote_uri},
        {&leg->local_tag, p->local_tag}, {&leg->remote_tag, p->remote_tag}, {&leg->remote_target, p->remote_target},
        {&leg->route_set, p->route_set},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (copy(texts[i].to, texts[i].from) != 0)
            return ERR_NOMEM;
    leg->local_sdp = mem_strdup(p->local_sdp && *p->local_sdp ? p->local_sdp : NULL);
    leg->remote_sdp = mem_strdup(p->remote_sdp && *p->remote_sdp ? p->remote_sdp : NULL);
    leg->restored = leg->remote_cseq_at = true;
    leg->restored_at = clock_mono_now();
    leg->inbound = p->inbound;
    leg->routed = *leg->route_set != '\0';
    leg->local_cseq = p->local_cseq + SIP_RESTORE_CSEQ_JUMP;
    leg->remote_cseq = p->remote_cseq;
    leg->invite_cseq = p->invite_cseq;
    leg->transport = p->transport;
    if (p->flow)
        snprintf(leg->flow, sizeof leg->flow, "%s", p->flow);
    leg->natted = behind_nat(leg);
    leg->se_s = p->session_expires_s > 86400 ? 86400 : p->session_expires_s;
    leg->refresher_is_us = p->refresher_is_us;
    leg->cb = p->cb;
    leg->ctx = p->ctx;
    leg->nta = sip_leg_make_dialog(leg);
    return leg->nta ? 0 : ERR_INVAL;
}

/* The transport for answers to an INVITE that came to another process: the peer's connection if it is here, else ours. */
static tport_t *answer_transport(struct sip_leg *leg)
{
    tport_t *tp = leg->transport == SIP_UDP ? NULL : sip_flow_connection(leg->port, leg->flow);
    for (tport_t *p = tport_primaries(nta_agent_tports(leg->port->agent)); !tp && p; p = tport_next(p))
        if (leg->transport == SIP_UDP ? tport_is_udp(p) : tport_is_tcp(p))
            tp = p;
    return tp;
}

/* The library takes a message that was cut short for a whole one. */
static bool is_whole(const char *text, const sip_t *sip)
{
    size_t body = sip->sip_payload ? sip->sip_payload->pl_len : 0;
    return strstr(text, "\r\n\r\n") && (!sip->sip_content_length || sip->sip_content_length->l_length == body);
}

static bool is_invite_of(const struct sip_leg *leg, const char *text, msg_t *msg, const sip_t *sip)
{
    return sip && sip->sip_request && sip->sip_request->rq_method == sip_method_invite && !sip->sip_error &&
           !msg_has_error(msg) && sip->sip_via && sip->sip_via->v_branch && sip->sip_from && sip->sip_to &&
           !sip->sip_to->a_tag && is_whole(text, sip) && sip->sip_call_id && sip->sip_cseq &&
           sip_sanity_check(sip) >= 0 && strcmp(sip->sip_call_id->i_id, leg->call_id) == 0 &&
           strcmp(sip->sip_from->a_tag ? sip->sip_from->a_tag : "", leg->remote_tag) == 0;
}

static void learn_invite(struct sip_leg *leg, const struct sip_restore_params *p, const sip_t *sip)
{
    char *sdp = NULL;
    uint32_t se_s = leg->se_s;
    bool us = leg->refresher_is_us;
    sip_leg_learn(leg, sip);
    if (sip_timer_offered(leg, sip) != 0 || se_s) {
        leg->se_s = se_s;
        leg->refresher_is_us = us;
    }
    if (sip_body_sdp(sip, &sdp) != 0)
        sdp = NULL;
    leg->delayed_offer = sdp == NULL;
    /* Our RSeq numbers are not known here: what is sent reliably now would be taken for something that came too early. */
    leg->require_100rel = sip->sip_require && sip_has_feature(sip->sip_require, "100rel");
    leg->support_100rel = false;
    if (!p->remote_sdp && sdp) {
        free(leg->remote_sdp);
        leg->remote_sdp = sdp;
        sdp = NULL;
    }
    free(sdp);
}

/* The peer's connection is gone with the former owner: answers go where its Via says that it listens (RFC 3261 18.2.2), not to
 * the port that the connection had. */
static void answer_by_sent_by(struct sip_leg *leg, sip_t *sip)
{
    if (leg->transport == SIP_UDP || sip_flow_connection(leg->port, leg->flow))
        return;
    (void)msg_header_remove_param(sip->sip_via->v_common, "rport");
    sip->sip_via->v_rport = NULL;
}

static int rebuild_invite(struct sip_leg *leg, const struct sip_restore_params *p)
{
    msg_t *msg = msg_make(sip_default_mclass(), 0, p->invite_text, (ssize_t)strlen(p->invite_text));
    sip_t *sip = msg ? sip_object(msg) : NULL;
    tport_t *tp = answer_transport(leg);
    if (!msg || !is_invite_of(leg, p->invite_text, msg, sip) || !tp) {
        msg_destroy(msg);
        return ERR_INVAL;
    }
    leg->invite_text = mem_strdup(p->invite_text);
    answer_by_sent_by(leg, sip);
    learn_invite(leg, p, sip);
    sip_gate_unmute(leg->ua, sip->sip_via->v_branch);
    struct sip_leg *old = limbo_find(leg->ua, leg->call_id, leg->local_tag);
    if (old && old->port == leg->port && old->invite_in) {
        msg_destroy(msg);
        leg->invite_in = old->invite_in;
        old->invite_in = NULL;
        leg->held = old->held;
        leg->cancel_in = old->cancel_in;
        old->cancel_in = NULL;
    } else if (sip_cancel_recall(leg)) {
        msg_destroy(msg);
    } else {
        leg->invite_in = nta_incoming_create(leg->port->agent, NULL, msg, sip, NTATAG_TPORT(tp), TAG_END());
    }
    if (!leg->invite_in || !leg->invite_text)
        return ERR_NOMEM;
    nta_incoming_bind(leg->invite_in, sip_uas_heard, (nta_incoming_magic_t *)leg);
    return nta_incoming_status(leg->invite_in) || nta_incoming_tag(leg->invite_in, leg->local_tag) ? 0 : ERR_NOMEM;
}

static int carry_on(struct sip_leg *leg, const struct sip_restore_params *p)
{
    char branch[40] = "z9hG4bK";
    int rc = 0;
    switch (p->as) {
    case SIP_RESTORE_UP:
        leg->state = SIP_UP;
        break;
    case SIP_RESTORE_ACK:
        if (sip_token(branch + 7, 24) != 0)
            return ERR_IO;
        leg->state = SIP_UP;
        if (sip_uac_send_ack(leg, leg->nta, p->invite_cseq, branch) != 0)
            log_warn("sip", "call %s: cannot send ACK", leg->call_id);
        break;
    case SIP_RESTORE_RINGING:
        leg->state = SIP_IN_RINGING;
        rc = rebuild_invite(leg, p);
        if (rc == 0 && nta_incoming_status(leg->invite_in) >= 200)
            leg->state = SIP_IN_ANSWERED; /* this very process had answered */
        else if (rc == 0 && nta_incoming_status(leg->invite_in) == 0)
            sip_gate_trying(leg->invite_in);
        break;
    case SIP_RESTORE_ANSWERED:
        leg->state = SIP_IN_RINGING;
        rc = rebuild_invite(leg, p);
        if (rc == 0 && nta_incoming_status(leg->invite_in) >= 200)
            leg->state = SIP_IN_ANSWERED;
        else if (rc == 0)
            sip_uas_answer(leg, leg->local_sdp);
        break;
    }
    if (rc == 0 && leg->state == SIP_UP)
        sip_timer_resume(leg);
    if (rc == 0 && leg->held)
        sip_timer_confirm(leg, 1);
    return rc;
}

static int family_of(const struct sip_restore_params *p)
{
    const char *at = p->flow && *p->flow ? p->flow : p->remote_target;
    return strchr(at, '[') ? AF_INET6 : AF_INET;
}

/* One dialog is one leg. */
static bool known(const struct sip_ua *ua, const struct sip_restore_params *p)
{
    list_foreach(it, &ua->legs) {
        const struct sip_leg *leg = list_entry(it, struct sip_leg, link);
        if (!leg->gone && strcmp(leg->call_id, p->call_id) == 0 && strcmp(leg->local_tag, p->local_tag) == 0 &&
            leg->remote_tag && strcmp(leg->remote_tag, p->remote_tag) == 0)
            return true;
    }
    return false;
}

int sip_leg_restore(struct sip_ua *ua, const struct sip_restore_params *p, struct sip_leg **out, struct err_info *info)
{
    int rc = check(p, ua, info);
    if (rc)
        return rc;
    struct sip_port *port = sip_port_find(ua, p->local_ip, family_of(p));
    if (!port)
        return err_set(info, ERR_NOTFOUND, "local_ip", "%s is not listened to",
                       p->local_ip ? p->local_ip : "an address of the peer's family");
    if (known(ua, p))
        return err_set(info, ERR_EXISTS, "call_id", "this dialog is carried on here already");
    struct sip_leg *leg = sip_leg_new(port);
    if (!leg)
        return err_set(info, ERR_NOMEM, "", "out of memory");
    rc = fill(leg, p);
    if (rc == 0)
        rc = carry_on(leg, p);
    if (rc) {
        sip_leg_abandon(leg); /* not a word to the peer */
        limbo_free(leg, false);
        return err_set(info, rc, rc == ERR_INVAL ? "invite_text" : "", "the dialog cannot be built again");
    }
    struct sip_leg *old = limbo_find(ua, leg->call_id, leg->local_tag);
    if (old)
        limbo_free(old, false);
    sip_bye_recall(leg);
    *out = leg;
    return 0;
}

/* ---- answers to requests of a former owner ---- */

static bool via_is(const struct sip_port *port, const sip_via_t *via)
{
    char ip[SIP_HOST_SIZE], mine[8];
    int family;
    snprintf(mine, sizeof mine, "%u", port->port);
    return via && !via->v_next && via->v_branch && sip_numeric_host(via->v_host, ip, &family) &&
           strcasecmp(ip, port->ip) == 0 && strcmp(via->v_port && *via->v_port ? via->v_port : "5060", mine) == 0;
}

/* A leg with this dialog. in_progress: our INVITE has not been answered yet, so that there is no remote tag. */
static struct sip_leg *leg_of(const struct sip_ua *ua, const sip_t *sip, bool *in_progress)
{
    const char *mine = sip->sip_from->a_tag ? sip->sip_from->a_tag : "", *theirs = sip->sip_to->a_tag;
    *in_progress = false;
    list_foreach(it, &ua->legs) {
        struct sip_leg *leg = list_entry(it, struct sip_leg, link);
        if (strcmp(leg->call_id, sip->sip_call_id->i_id) != 0 || strcmp(leg->local_tag, mine) != 0)
            continue;
        if (leg->state == SIP_OUT_CALLING || leg->state == SIP_OUT_CANCELLED || leg->state == SIP_OUT_ANSWERED) {
            *in_progress = true;
            return leg;
        }
        if (leg->nta && leg->remote_tag && strcmp(leg->remote_tag, theirs ? theirs : "") == 0)
            return leg;
    }
    return NULL;
}

static void source_of(struct sip_port *port, const msg_t *msg, struct sip_leg *leg)
{
    const tport_t *by = tport_delivered_by(nta_agent_tports(port->agent), msg);
    leg->transport = by && tport_is_tcp(by) ? SIP_TCP : SIP_UDP;
    sip_flow_text(&msg_addr((msg_t *)(uintptr_t)msg)->su_sa, leg->transport, leg->flow);
}

/* At most so many a second: each makes a BYE that is repeated until it is answered, towards whoever the answer names. */
static bool stray_allowed(struct sip_ua *ua)
{
    struct clock_mono now = clock_mono_now();
    if (now.us - ua->stray_since.us > 1000000u) {
        ua->stray_since = now;
        ua->strays = 0;
    }
    return ua->strays++ < STRAYS_PER_S;
}

/* Somebody answered an INVITE that nobody wants any more: ACK, BYE. */
static void end_stranger(struct sip_port *port, const msg_t *msg, const sip_t *sip)
{
    struct sip_leg *leg = sip_leg_new(port);
    if (!leg)
        return;
    leg->gone = true;
    leg->state = SIP_OUT_CANCELLED;
    source_of(port, msg, leg);
    leg->call_id = mem_strdup(sip->sip_call_id->i_id);
    leg->local_uri = sip_url_text(sip->sip_from->a_url);
    leg->remote_uri = sip_url_text(sip->sip_to->a_url);
    leg->local_tag = mem_strdup(sip->sip_from->a_tag ? sip->sip_from->a_tag : "");
    leg->remote_tag = mem_strdup(sip->sip_to->a_tag ? sip->sip_to->a_tag : "");
    leg->branch = mem_strdup(sip->sip_via->v_branch);
    leg->invite_cseq = sip->sip_cseq->cs_seq;
    leg->local_cseq = leg->invite_cseq + SIP_RESTORE_CSEQ_JUMP;
    if (leg->call_id && leg->local_uri && leg->remote_uri && leg->local_tag && leg->remote_tag && leg->branch &&
        leg->invite_cseq < INT32_MAX - SIP_RESTORE_CSEQ_JUMP && sip_leg_target(leg, sip->sip_contact) == 0)
        leg->nta = sip_leg_make_dialog(leg);
    if (leg->nta) {
        nta_leg_client_reroute(leg->nta, sip->sip_record_route, sip->sip_contact, 1);
        if (sip_leg_routes(leg) == 0)
            sip_uac_ack_bye(leg);
    }
    sip_leg_drop(leg);
}

/* What ends the retransmissions of a refusal (RFC 3261 17.1.1.3), to where it came from. */
static void ack_refusal(struct sip_port *port, const msg_t *msg, const sip_t *sip)
{
    struct sip_leg at = {.transport = SIP_UDP};
    char hop[SIP_FLOW_SIZE + 24], cseq[32], branch[256];
    source_of(port, msg, &at);
    if (sip_flow_uri(at.flow, hop, sizeof hop) != 0 || strlen(sip->sip_via->v_branch) >= sizeof branch)
        return;
    snprintf(cseq, sizeof cseq, "%u ACK", sip->sip_cseq->cs_seq);
    snprintf(branch, sizeof branch, "%s", sip->sip_via->v_branch);
    msg_t *ack = nta_msg_create(port->agent, 0);
    sip_t *s = ack ? sip_object(ack) : NULL;
    if (!s)
        return;
    nta_outgoing_t *sent = NULL;
    if (sip_add_tl(ack, s, SIPTAG_FROM(sip->sip_from), SIPTAG_TO(sip->sip_to), SIPTAG_CALL_ID(sip->sip_call_id),
                   SIPTAG_CSEQ_STR(cseq), SIPTAG_MAX_FORWARDS_STR("70"), TAG_END()) >= 0) {
        s->sip_request = sip_request_create(msg_home(ack), SIP_METHOD_ACK, URL_STRING_MAKE(hop), NULL);
        if (s->sip_request)
            sent = nta_outgoing_mcreate(port->agent, NULL, NULL, URL_STRING_MAKE(hop), ack, NTATAG_STATELESS(1),
                                        NTATAG_BRANCH_KEY(branch), NTATAG_ACK_BRANCH(branch), TAG_END());
    }
    if (!sent)
        msg_destroy(ack);
}

void sip_restore_stray(struct sip_port *port, const msg_t *msg, const sip_t *sip)
{
    struct sip_ua *ua = port->ua;
    int status = sip->sip_status->st_status;
    if (status < 200 || !sip->sip_cseq || sip->sip_cseq->cs_method != sip_method_invite || !sip->sip_from ||
        !sip->sip_to || !sip->sip_call_id || !via_is(port, sip->sip_via))
        return;
    bool in_progress;
    struct sip_leg *leg = leg_of(ua, sip, &in_progress);
    if (leg) {
        if (status < 300 && !in_progress &&
            sip_uac_send_ack(leg, leg->nta, sip->sip_cseq->cs_seq, sip->sip_via->v_branch) != 0)
            log_warn("sip", "call %s: cannot send ACK", leg->call_id);
        return;
    }
    /* Legs that go on here are restored when their address has come: until then nobody is known here. */
    if (clock_mono_now().us - port->since.us < STRAY_GRACE_MS * 1000u ||
        (sip->sip_from->a_tag && sip_limbo_has(ua, sip->sip_call_id->i_id, sip->sip_from->a_tag)) || !sip_may_act(ua) ||
        !stray_allowed(ua))
        return;
    if (status < 300)
        end_stranger(port, msg, sip);
    else
        ack_refusal(port, msg, sip);
}
