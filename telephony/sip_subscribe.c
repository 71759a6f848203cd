/* SUBSCRIBE received, NOTIFY sent: see sip_subscribe.h. */
#include "telephony/sip_subscribe.h"

#include <sofia-sip/sip_extra.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "telephony/sip_int.h"

#define USER_SIZE 256
#define EXPIRES_DEFAULT_S SIP_SUBSCRIBE_MAX_S

struct sip_subscribe {
    struct list_node link; /* ua->subscribes */
    struct sip_port *port; /* NULL: its address was dropped */
    nta_incoming_t *irq;
    enum sip_transport transport;
};

struct sip_notify {
    struct list_node link; /* ua->notifies */
    struct sip_port *port;
    nta_outgoing_t *orq;
    sip_notify_cb *cb; /* NULL: nobody wants to know */
    void *ctx;
};

/* ---- SUBSCRIBE */

static const struct package {
    const char *event, *type;
} packages[] = {
    {"message-summary", "application/simple-message-summary"},
    {"dialog", "application/dialog-info+xml"},
    {"presence", "application/pidf+xml"},
};

static const struct package *package_of(const sip_t *sip)
{
    const char *type = sip->sip_event ? sip->sip_event->o_type : NULL;
    for (size_t i = 0; type && i < sizeof packages / sizeof packages[0]; i++)
        if (strcasecmp(type, packages[i].event) == 0)
            return &packages[i];
    return NULL;
}

/* RFC 3261 section 20.1: without Accept all is taken that the package says by default. */
static bool accepts(const sip_t *sip, const char *type)
{
    size_t major = strcspn(type, "/");
    if (!sip->sip_accept)
        return true;
    for (const sip_accept_t *a = sip->sip_accept; a; a = a->ac_next) {
        const char *t = a->ac_type;
        if (t && (strcasecmp(t, type) == 0 || strcmp(t, "*/*") == 0 ||
                  (strncasecmp(t, type, major + 1) == 0 && strcmp(t + major + 1, "*") == 0)))
            return true;
    }
    return false;
}

static int answer(struct sip_port *port, nta_incoming_t *irq, int status, const char *phrase)
{
    char least[16];
    snprintf(least, sizeof least, "%u", SIP_SUBSCRIBE_MIN_S);
    nta_incoming_treply(irq, status, sip_phrase(status, phrase), TAG_IF(status == 423, SIPTAG_MIN_EXPIRES_STR(least)),
                        TAG_IF(status == 489, SIPTAG_ALLOW_EVENTS_STR(SIP_ALLOW_EVENTS)),
                        SIPTAG_SERVER_STR(port->ua->product), TAG_END());
    return status;
}

/* 0, or the status to refuse with. */
static int check(const sip_t *sip, const struct package *p, uint32_t *expires_s)
{
    if (!p)
        return 489;
    if (!accepts(sip, p->type))
        return 406;
    if (!sip->sip_contact || sip->sip_contact->m_next || !sip_url_is_sip(sip->sip_contact->m_url) ||
        !sip->sip_contact->m_url->url_host || !sip->sip_from->a_tag || !sip->sip_from->a_tag[0])
        return 400;
    unsigned long asked = sip->sip_expires ? sip->sip_expires->ex_delta : EXPIRES_DEFAULT_S;
    if (asked > 0 && asked < SIP_SUBSCRIBE_MIN_S)
        return 423;
    *expires_s = asked > SIP_SUBSCRIBE_MAX_S ? SIP_SUBSCRIBE_MAX_S : (uint32_t)asked;
    return 0;
}

/* Who subscribes. 0 and *user, or the answer already given or to give. */
static int identify(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip, const struct sip_source *src,
                    char **user)
{
    struct sip_ua *ua = port->ua;
    const char *trunk = NULL, *fixed = NULL;
    char from[USER_SIZE];
    if (sip_url_user(sip->sip_from->a_url, from, sizeof from) != 0)
        return 400;
    switch (ua->handler.identify(ua->handler.ctx, (const struct sockaddr *)&src->addr, from, &trunk, &fixed)) {
    case SIP_ID_STATIC_PHONE:
        *user = mem_strdup(fixed);
        return *user ? 0 : 500;
    case SIP_ID_PHONE:
        return sip_auth_check(port, irq, sip, false, user);
    case SIP_ID_TRUNK:
    case SIP_ID_REFUSE:
        break;
    }
    return 403;
}

static bool natted(const sip_t *sip, const struct sip_source *src)
{
    char ip[SIP_HOST_SIZE];
    int family;
    return src->transport == SIP_UDP && !sip->sip_via->v_next &&
           (sip->sip_via->v_received || !sip_numeric_host(sip->sip_contact->m_url->url_host, ip, &family));
}

static int deliver(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip, const struct sip_source *src,
                   const struct package *package, const char *user, uint32_t expires_s)
{
    struct sip_ua *ua = port->ua;
    char tag[SIP_TAG_MAX], target[USER_SIZE], local[SIP_FLOW_SIZE];
    bool in_dialog = sip->sip_to->a_tag && sip->sip_to->a_tag[0];
    if (sip_url_user(sip->sip_request->rq_url, target, sizeof target) != 0)
        return 404;
    if (!in_dialog && sip_token(tag, 16) != 0)
        return 500;
    char *local_uri = sip_url_text(sip->sip_to->a_url), *remote_uri = sip_url_text(sip->sip_from->a_url);
    char *contact = sip_url_text(sip->sip_contact->m_url),
         *routes = sip_routes_text((const sip_route_t *)sip->sip_record_route);
    struct sip_subscribe *s = calloc(1, sizeof *s);
    int status = local_uri && remote_uri && contact && routes && s ? 0 : 500;
    if (status == 0 && !in_dialog && !nta_incoming_tag(irq, tag))
        status = 500;
    if (status == 0) {
        *s = (struct sip_subscribe){.port = port, .irq = irq, .transport = src->transport};
        list_push_back(&ua->subscribes, &s->link);
        snprintf(local, sizeof local, port->family == AF_INET6 ? "[%s]:%u" : "%s:%u", port->ip, port->port);
        const struct sip_subscribe_info info = {
            .user = user,
            .event = package->event,
            .id = sip->sip_event->o_id ? sip->sip_event->o_id : "",
            .target = target,
            .in_dialog = in_dialog,
            .expires_s = expires_s,
            .call_id = sip->sip_call_id->i_id,
            .local_tag = in_dialog ? sip->sip_to->a_tag : tag,
            .remote_tag = sip->sip_from->a_tag,
            .local_uri = local_uri,
            .remote_uri = remote_uri,
            .remote_target = contact,
            .route_set = routes,
            .flow = src->flow,
            .local_ip = port->ip,
            .local = local,
            .natted = natted(sip, src),
            .cseq = sip->sip_cseq->cs_seq,
            .source = src->addr,
        };
        ua->handler.on_subscribe(ua->handler.ctx, s, &info); /* s may be gone after this */
    } else {
        free(s);
    }
    free(local_uri);
    free(remote_uri);
    free(contact);
    free(routes);
    return status;
}

int sip_subscribe_recv(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip)
{
    struct sip_ua *ua = port->ua;
    const struct package *package = package_of(sip);
    uint32_t expires_s = 0;
    char *user = NULL;
    ua->stats.subscribes_in++;
    int status = sip_uas_overloaded(port, irq);
    if (status == 0)
        status = sip_uas_check_required(port, irq, sip);
    if (status)
        return status;
    struct sip_source src;
    sip_source_of_request(port, irq, &src);
    status = check(sip, package, &expires_s);
    if (status == 0 && !ua->handler.on_subscribe)
        status = 489;
    if (status)
        return answer(port, irq, status, NULL);
    status = identify(port, irq, sip, &src, &user);
    if (status == 0)
        status = deliver(port, irq, sip, &src, package, user, expires_s);
    free(user);
    return status;
}

static void subscribe_free(struct sip_subscribe *s)
{
    list_del(&s->link);
    if (s->irq)
        nta_incoming_destroy(s->irq);
    free(s);
}

void sip_subscribe_reply(struct sip_subscribe *s, int status, const char *phrase, uint32_t expires_s, int retry_after_s)
{
    if (s->irq) {
        char contact[SIP_HOST_SIZE + 40], expires[16], after[16];
        bool ok = status == 200;
        sip_contact_value(s->port, s->transport, contact, sizeof contact);
        snprintf(expires, sizeof expires, "%u", expires_s);
        snprintf(after, sizeof after, "%d", retry_after_s);
        nta_incoming_treply(s->irq, status, sip_phrase(status, phrase), TAG_IF(ok, SIPTAG_CONTACT_STR(contact)),
                            TAG_IF(ok, SIPTAG_EXPIRES_STR(expires)),
                            TAG_IF(ok, SIPTAG_ALLOW_EVENTS_STR(SIP_ALLOW_EVENTS)),
                            TAG_IF(retry_after_s > 0, SIPTAG_RETRY_AFTER_STR(after)),
                            SIPTAG_SERVER_STR(s->port->ua->product), TAG_END());
    }
    subscribe_free(s);
}

/* ---- NOTIFY */

static void notify_free(struct sip_notify *n)
{
    list_del(&n->link);
    if (n->orq)
        nta_outgoing_destroy(n->orq);
    free(n);
}

static int recv_notify_answer(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip)
{
    struct sip_notify *n = (struct sip_notify *)magic;
    int status = sip ? sip->sip_status->st_status : nta_outgoing_status(orq);
    if (status < 200 || orq != n->orq)
        return 0;
    unsigned long after = sip && sip->sip_retry_after ? sip->sip_retry_after->af_delta : 0;
    sip_notify_cb *cb = n->cb;
    void *ctx = n->ctx;
    notify_free(n);
    if (cb)
        cb(ctx, status, after > 3600 ? 3600 : (int)after);
    return 0;
}

/* Where it is sent to: the flow, the first route, the target; numeric all of them. */
static int next_hop(const struct sip_notify_params *p, char *hop, size_t size, int *family)
{
    if (p->flow ? sip_flow_uri(p->flow, hop, size) != 0
                : sip_numeric_hop(p->route && *p->route ? p->route : p->remote_target, hop, size) != 0)
        return ERR_INVAL;
    *family = hop[4] == '[' ? AF_INET6 : AF_INET;
    return 0;
}

static bool clean(const struct sip_notify_params *p)
{
    const char *const texts[] = {p->call_id, p->local_uri, p->local_tag, p->remote_uri, p->remote_target, p->event};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!texts[i] || !*texts[i] || strpbrk(texts[i], "<> \r\n"))
            return false;
    return !p->remote_tag || !strpbrk(p->remote_tag, "<>; \r\n");
}

int sip_notify_send(struct sip_ua *ua, const struct sip_notify_params *p, sip_notify_cb *cb, void *ctx,
                    struct sip_notify **out)
{
    char hop[SIP_FLOW_SIZE + 24], contact[SIP_HOST_SIZE + 40], cseq[32];
    int family;
    if (!sip_may_act(ua))
        return ERR_NOQUORUM;
    if (!clean(p) || p->cseq == 0 || p->cseq > INT32_MAX || next_hop(p, hop, sizeof hop, &family) != 0)
        return ERR_INVAL;
    struct sip_port *port = p->local_ip ? sip_port_find(ua, p->local_ip, family) : NULL;
    if (!port || port->family != family)
        port = sip_port_find(ua, NULL, family);
    if (!port || (p->flow && strncmp(p->flow, "udp:", 4) != 0 && !sip_flow_alive(port, p->flow)))
        return ERR_NOTFOUND;
    struct sip_notify *n = calloc(1, sizeof *n);
    char *from = sip_format("<%s>;tag=%s", p->local_uri, p->local_tag);
    char *to =
        p->remote_tag ? sip_format("<%s>;tag=%s", p->remote_uri, p->remote_tag) : sip_format("<%s>", p->remote_uri);
    nta_leg_t *base = n && from && to ? nta_leg_tcreate(port->agent, NULL, NULL, SIPTAG_CALL_ID_STR(p->call_id),
                                                        SIPTAG_FROM_STR(from), SIPTAG_TO_STR(to), TAG_END())
                                      : NULL;
    free(from);
    free(to);
    bool tcp = strstr(hop, "transport=tcp"), route = p->route && *p->route;
    sip_contact_value(port, tcp ? SIP_TCP : SIP_UDP, contact, sizeof contact);
    snprintf(cseq, sizeof cseq, "%u NOTIFY", p->cseq);
    if (base) {
        n->orq = nta_outgoing_tcreate(
            base, recv_notify_answer, (nta_outgoing_magic_t *)n, URL_STRING_MAKE(hop), SIP_METHOD_NOTIFY,
            URL_STRING_MAKE(p->remote_target), SIPTAG_CSEQ_STR(cseq), TAG_IF(route, SIPTAG_ROUTE_STR(p->route)),
            SIPTAG_CONTACT_STR(contact), SIPTAG_EVENT_STR(p->event),
            TAG_IF(p->state, SIPTAG_SUBSCRIPTION_STATE_STR(p->state)), SIPTAG_USER_AGENT_STR(ua->product),
            TAG_IF(p->body, SIPTAG_CONTENT_TYPE_STR(p->type)), TAG_IF(p->body, SIPTAG_PAYLOAD_STR(p->body)), TAG_END());
        nta_leg_destroy(base);
    }
    if (!n || !n->orq) {
        free(n);
        return ERR_NOMEM;
    }
    n->port = port;
    n->cb = cb;
    n->ctx = ctx;
    list_push_back(&ua->notifies, &n->link);
    *out = n;
    return 0;
}

void sip_notify_forget(struct sip_notify *n)
{
    if (n)
        n->cb = NULL;
}

/* ---- a port that closes */

void sip_subscribes_drop(struct sip_ua *ua, const struct sip_port *port)
{
    list_foreach_safe(it, &ua->subscribes) {
        struct sip_subscribe *s = list_entry(it, struct sip_subscribe, link);
        if (!port)
            subscribe_free(s);
        else if (s->port == port)
            s->irq = NULL; /* goes with the agent; the owner's answer leads nowhere */
    }
    list_foreach_safe(nit, &ua->notifies) {
        struct sip_notify *n = list_entry(nit, struct sip_notify, link);
        if (port && n->port != port)
            continue;
        sip_notify_cb *cb = port ? n->cb : NULL;
        void *ctx = n->ctx;
        notify_free(n);
        if (cb)
            cb(ctx, 503, 0);
    }
}
