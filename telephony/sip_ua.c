#include <arpa/inet.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sofia-sip/su_log.h>

#include "telephony/sip_edge.h"
#include "telephony/sip_guard.h"
#include "telephony/sip_int.h"

#define REPLAY_NONCES 65536
#define MESSAGE_MAX (64u << 10)
/* Log handles of the library; no header declares them. */
extern su_log_t nta_log[], tport_log[];

static int recv_options(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip)
{
    struct sip_ua *ua = port->ua;
    const char *why = NULL;
    int wait = ua->stopping ? 1 : ua->handler.overloaded(ua->handler.ctx, &why);
    char after[16];
    snprintf(after, sizeof after, "%d", wait);
    if (wait > 0)
        ua->stats.overloaded++;
    int bad = sip_uas_check_required(port, irq, sip);
    if (bad)
        return bad;
    int status = wait > 0 ? 503 : 200;
    nta_incoming_treply(irq, status, wait > 0 && why ? why : sip_phrase(status, NULL), SIPTAG_ALLOW_STR(SIP_ALLOW),
                        SIPTAG_ALLOW_EVENTS_STR(SIP_ALLOW_EVENTS), SIPTAG_SUPPORTED_STR(SIP_SUPPORTED),
                        SIPTAG_ACCEPT_STR(SIP_ACCEPT), SIPTAG_SERVER_STR(ua->product),
                        TAG_IF(wait > 0, SIPTAG_RETRY_AFTER_STR(after)), TAG_END());
    return status;
}

static int refuse_method(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip)
{
    int status = sip->sip_request->rq_method == sip_method_unknown ? 501 : 405;
    nta_incoming_treply(irq, status, sip_phrase(status, NULL), SIPTAG_ALLOW_STR(SIP_ALLOW),
                        SIPTAG_SERVER_STR(port->ua->product), TAG_END());
    return status;
}

/* Requests that no dialog of ours takes. */
static int recv_request(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip)
{
    struct sip_ua *ua = port->ua;
    ua->stats.requests_in++;
    sip_method_t method = sip->sip_request->rq_method;
    if (method == sip_method_ack)
        return 481; /* never sent: nta answers no ACK */
    if (sip_uas_silent(port, irq))
        return 503;
    if (method == sip_method_subscribe)
        return sip_subscribe_recv(port, irq, sip); /* the owner knows of its dialogs */
    if (sip->sip_to->a_tag && sip->sip_to->a_tag[0])
        return sip_restore_forgotten(port, irq, sip) ? 503 : 481;
    const url_t *target = sip->sip_request->rq_url;
    if (!sip_url_is_sip(target) && target->url_type != url_tel)
        return 416;
    if (sip->sip_max_forwards && sip->sip_max_forwards->mf_count == 0 && method != sip_method_options)
        return 483;

    switch ((int)method) {
    case sip_method_invite:
        return sip_uas_invite(port, irq, sip);
    case sip_method_register:
        return sip_register_recv(port, irq, sip);
    case sip_method_options:
        return recv_options(port, irq, sip);
    case sip_method_bye:
    case sip_method_cancel:
    case sip_method_info:
    case sip_method_prack:
    case sip_method_update:
        return 481;
    case sip_method_refer: /* whose call should be transferred? */
        nta_incoming_treply(irq, 403, "Only inside a call", SIPTAG_SERVER_STR(ua->product), TAG_END());
        return 403;
    default:
        return refuse_method(port, irq, sip);
    }
}

/* What a leg of the library does with the result of its callback, but for one thing: a transaction that was ended inside
 * recv_request may be freed already, and then recv_request returns 0. */
static void serve(struct sip_port *port, msg_t *msg)
{
    nta_incoming_t *irq = nta_incoming_create(port->agent, NULL, msg, NULL, TAG_END()); /* takes msg */
    if (!irq)
        return;
    int status = recv_request(port, irq, sip_object(msg));
    if (status == 0)
        return;
    if (nta_incoming_status(irq) < 200)
        nta_incoming_treply(irq, status, sip_phrase(status, NULL), TAG_END());
    if (status >= 200)
        nta_incoming_destroy(irq);
}

/* Messages that belong to no transaction and no dialog of ours. The agent is stateless as to these, because a server
 * transaction would keep what has to be forwarded. */
int sip_ua_recv(nta_agent_magic_t *magic, nta_agent_t *agent, msg_t *msg, sip_t *sip)
{
    struct sip_port *port = (struct sip_port *)magic;
    if (sip && sip->sip_request) {
        if (sip_edge_takes(port, sip))
            sip_edge_request(port, msg);
        else
            serve(port, msg);
    } else if (!sip_edge_response(port, msg)) {
        port->ua->stats.malformed++;
        if (sip && sip->sip_status)
            sip_restore_stray(port, msg, sip);
        nta_msg_discard(agent, msg);
    }
    return 0;
}

static void discard_log(void *stream, char const *fmt, va_list ap)
{
    (void)stream;
    (void)fmt;
    (void)ap;
}

/* The library writes to standard error what strangers do wrong; our log is another one. */
static void silence_library(void)
{
    su_log_t *const all[] = {nta_log, tport_log, su_log_default};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        su_log_set_level(all[i], 0);
        su_log_redirect(all[i], discard_log, NULL);
    }
}

static void set_defaults(struct sip_config *c)
{
    memset(c->listen, 0, sizeof c->listen);
    c->nonce_life_s = c->nonce_life_s ? c->nonce_life_s : 60;
    c->session_expires_s = c->session_expires_s ? c->session_expires_s : 1800;
    c->min_se_s = c->min_se_s ? c->min_se_s : 90;
    c->tcp_idle_s = c->tcp_idle_s ? c->tcp_idle_s : 120;
    c->tcp_per_source = c->tcp_per_source ? c->tcp_per_source : 32;
    c->message_max = c->message_max ? c->message_max : MESSAGE_MAX;
    c->t1_ms = c->t1_ms ? c->t1_ms : NTA_SIP_T1;
    c->t1x64_ms = c->t1x64_ms ? c->t1x64_ms : 64 * NTA_SIP_T1;
    if (c->session_expires_s < c->min_se_s)
        c->session_expires_s = c->min_se_s;
}

static void ua_free(struct sip_ua *ua)
{
    sip_hangups_drop(ua, NULL);
    sip_refers_drop(ua, NULL);
    sip_subscribes_drop(ua, NULL);
    for (size_t i = 0; i < SIP_LISTEN_MAX; i++)
        if (ua->ports[i])
            sip_port_close(ua, i);
    sip_limbo_sweep(ua, NULL, true);
    sip_byes_drop(ua, NULL);
    sip_gate_remove(ua);
    if (ua->sweep)
        su_timer_destroy(ua->sweep);
    digest_replay_free(ua->replay);
    free(ua->realm);
    free(ua->product);
    explicit_bzero(ua->cfg.nonce_key, sizeof ua->cfg.nonce_key);
    free(ua);
}

static void sweep_fired(su_root_magic_t *magic, su_timer_t *timer, su_timer_arg_t *arg)
{
    struct sip_ua *ua = (struct sip_ua *)arg;
    (void)magic;
    (void)timer;
    sip_accept_sweep(ua->cfg.tcp_idle_s * 1000u);
    sip_limbo_sweep(ua, NULL, false);
    sip_byes_sweep(ua);
    sip_gate_sweep(ua);
}

/* A quarter of the idle time, at most 5 s, between looks at idle connections. */
static int start_sweep(struct sip_ua *ua)
{
    uint32_t ms = ua->cfg.tcp_idle_s * 250u;
    ua->sweep = su_timer_create(su_root_task(ua->root), ms > 5000 ? 5000 : (su_duration_t)ms);
    return ua->sweep && su_timer_set_for_ever(ua->sweep, sweep_fired, (su_timer_arg_t *)ua) == 0 ? 0 : ERR_NOMEM;
}

int sip_ua_start(su_root_t *root, const struct sip_config *cfg, const struct sip_handler *handler, struct sip_ua **out,
                 struct err_info *info)
{
    struct sip_ua *ua = calloc(1, sizeof *ua);
    if (!ua)
        return err_set(info, ERR_NOMEM, "", "out of memory");
    ua->root = root;
    ua->cfg = *cfg;
    ua->handler = *handler;
    list_init(&ua->legs);
    list_init(&ua->regs);
    list_init(&ua->byes);
    list_init(&ua->hangups);
    list_init(&ua->refers);
    list_init(&ua->subscribes);
    list_init(&ua->notifies);
    list_init(&ua->limbo);
    sip_gate_add(ua);
    set_defaults(&ua->cfg);
    ua->realm = mem_strdup(cfg->realm ? cfg->realm : "everline");
    ua->product = mem_strdup(cfg->product ? cfg->product : "Everline");
    ua->replay = digest_replay_new(REPLAY_NONCES);
    int rc = ua->realm && ua->product && ua->replay ? 0 : err_set(info, ERR_NOMEM, "", "out of memory");
    if (rc == 0 && sip_random(ua->edge_key, sizeof ua->edge_key) != 0)
        rc = err_set(info, ERR_IO, "", "no random numbers");
    silence_library();
    sip_resolve_guard(true);
    sip_bounds_guard(true);
    sip_clock_coarse();
    sip_accept_guard(ua->cfg.tcp_per_source);
    for (size_t i = 0; rc == 0 && i < sizeof cfg->listen / sizeof *cfg->listen && cfg->listen[i].ip; i++) {
        char field[40];
        snprintf(field, sizeof field, "listen[%zu].ip", i);
        struct err_info why = {0};
        if (!sip_port_open(ua, cfg->listen[i].ip, cfg->listen[i].port, field, &why)) {
            rc = why.code == ERR_BUSY || why.code == ERR_NOTFOUND ? ERR_IO : why.code;
            if (info)
                *info = why;
        }
    }
    if (rc == 0 && start_sweep(ua) != 0)
        rc = err_set(info, ERR_NOMEM, "", "out of memory");
    if (rc) {
        ua_free(ua);
        return rc;
    }
    *out = ua;
    return 0;
}

uint16_t sip_ua_port(const struct sip_ua *ua, size_t i)
{
    return i < SIP_LISTEN_MAX && ua->ports[i] ? ua->ports[i]->port : 0;
}

void sip_ua_stop(struct sip_ua *ua, bool bye)
{
    if (!ua)
        return;
    ua->stopping = true;
    list_foreach_safe(it, &ua->legs) {
        struct sip_leg *leg = list_entry(it, struct sip_leg, link);
        leg->gone = true;
        if (bye && (leg->state == SIP_UP || leg->state == SIP_IN_ANSWERED || leg->state == SIP_OUT_ANSWERED))
            sip_dialog_bye(leg, 0, NULL);
        sip_leg_drop(leg);
    }
    list_foreach_safe(rit, &ua->regs)
        sip_reg_free(list_entry(rit, struct sip_reg, link));
    ua_free(ua);
}

void sip_ua_get_stats(const struct sip_ua *ua, struct sip_stats *out)
{
    *out = ua->stats;
    for (size_t i = 0; i < SIP_LISTEN_MAX; i++) {
        if (!ua->ports[i])
            continue;
        usize_t bad = 0, responses = 0;
        nta_agent_get_stats(ua->ports[i]->agent, NTATAG_S_BAD_MESSAGE_REF(bad), NTATAG_S_RECV_RESPONSE_REF(responses),
                            TAG_END());
        out->malformed += bad;
        out->responses_in += responses;
    }
    out->tcp_connections = sip_accept_open();
    out->legs = 0;
    list_foreach(it, &ua->legs)
        out->legs++;
}
