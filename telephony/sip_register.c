/* REGISTER: parsed and authenticated here, decided by the owner (RFC 3261 10.3, 3327, 5626). */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "telephony/sip_int.h"

#define EXPIRES_DEFAULT_S 3600u
#define EXPIRES_MIN_S 30u
#define EXPIRES_MAX_S 7200u

static int reply(struct sip_port *port, nta_incoming_t *irq, int status, const char *phrase)
{
    char least[16];
    snprintf(least, sizeof least, "%u", EXPIRES_MIN_S);
    nta_incoming_treply(irq, status, sip_phrase(status, phrase), TAG_IF(status == 423, SIPTAG_MIN_EXPIRES_STR(least)),
                        SIPTAG_SERVER_STR(port->ua->product), TAG_END());
    return status;
}

/* Decimal delta-seconds; a value that is none counts as the default (RFC 3261 10.3 step 7), a huge one as the most. */
static uint32_t parse_expires(const char *text, uint32_t otherwise)
{
    if (!text || !*text || strspn(text, "0123456789") != strlen(text))
        return otherwise;
    return strlen(text) > 9 ? UINT32_MAX : (uint32_t)strtoul(text, NULL, 10);
}

static char *unquote(const char *v)
{
    size_t n = v ? strlen(v) : 0;
    if (n >= 2 && v[0] == '"' && v[n - 1] == '"')
        return strndup(v + 1, n - 2);
    return mem_strdup(v);
}

struct contacts {
    struct sip_register_contact list[SIP_CONTACTS_MAX];
    size_t n;
    bool star, outbound;
};

static void contacts_free(struct contacts *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free((char *)c->list[i].uri);
        free((char *)c->list[i].instance);
    }
}

/* 0 or the status to refuse with. */
static int parse_contacts(const sip_t *sip, struct contacts *out, const char **why)
{
    uint32_t common =
        sip->sip_expires ? (uint32_t)(sip->sip_expires->ex_delta > UINT32_MAX ? UINT32_MAX : sip->sip_expires->ex_delta)
                         : EXPIRES_DEFAULT_S;
    for (const sip_contact_t *m = sip->sip_contact; m; m = m->m_next) {
        if (m->m_url->url_type == url_any) {
            *why = "Star Needs Expires: 0 And No Other Contact";
            if (m->m_next || m != sip->sip_contact || !sip->sip_expires || common != 0)
                return 400;
            out->star = true;
            return 0;
        }
        *why = "Contact Is Not A SIP URI";
        if (!sip_url_is_sip(m->m_url) || !m->m_url->url_host)
            return 400;
        *why = "Too Many Contacts";
        if (out->n == SIP_CONTACTS_MAX)
            return 403;
        *why = NULL;
        uint32_t expires = parse_expires(m->m_expires, common);
        if (expires > 0 && expires < EXPIRES_MIN_S)
            return 423;
        struct sip_register_contact *c = &out->list[out->n++];
        c->expires_s = expires > EXPIRES_MAX_S ? EXPIRES_MAX_S : expires;
        c->uri = sip_url_text(m->m_url);
        const char *instance = m->m_params ? msg_params_find(m->m_params, "+sip.instance=") : NULL;
        const char *reg_id = m->m_params ? msg_params_find(m->m_params, "reg-id=") : NULL;
        c->instance = unquote(instance);
        c->reg_id = instance ? parse_expires(reg_id, 0) : 0;
        if (c->reg_id > INT32_MAX)
            c->reg_id = 0; /* RFC 5626 6: 1 to 2^31 - 1; else the parameter is as if absent */
        out->outbound |= c->reg_id > 0;
        if (!c->uri || (instance && !c->instance))
            return 500;
    }
    return 0;
}

void sip_reg_free(struct sip_reg *reg)
{
    list_del(&reg->link);
    if (reg->irq)
        nta_incoming_destroy(reg->irq);
    free(reg->path);
    free(reg);
}

/* Whether a phone that registers over UDP says another address than the one it is heard from. A port that differs counts
 * only when the phone promises to listen where it sends from (RFC 3581), and only one Contact can be that phone. */
static bool is_natted(const sip_t *sip, const struct sip_source *src)
{
    const sip_contact_t *m = sip->sip_contact;
    if (sip->sip_path) {
        char ip[SIP_HOST_SIZE];
        int any;
        return !sip_numeric_host(sip->sip_path->r_url->url_host, ip, &any);
    }
    if (src->transport != SIP_UDP || !m || m->m_next || !sip_url_is_sip(m->m_url))
        return false;
    if (m->m_url->url_params && url_has_param(m->m_url, "transport=tcp"))
        return false;
    char host[SIP_HOST_SIZE], said[SIP_FLOW_SIZE + 16], heard[SIP_FLOW_SIZE];
    int family;
    if (!sip_numeric_host(m->m_url->url_host, host, &family))
        return true; /* a name is resolved nowhere here */
    struct sockaddr_storage sa = {.ss_family = (sa_family_t)family};
    if (family == AF_INET6)
        inet_pton(family, host, &((struct sockaddr_in6 *)(void *)&sa)->sin6_addr);
    else
        inet_pton(family, host, &((struct sockaddr_in *)(void *)&sa)->sin_addr);
    sip_flow_text((struct sockaddr *)&sa, SIP_UDP, said);
    snprintf(heard, sizeof heard, "%s", src->flow);
    *strrchr(said, ':') = '\0';
    char *port = strrchr(heard, ':');
    *port++ = '\0';
    if (strcasecmp(said, heard) != 0)
        return true;
    const char *number = m->m_url->url_port && *m->m_url->url_port ? m->m_url->url_port : "5060";
    return sip->sip_via->v_rport && strcmp(number, port) != 0;
}

/* "a, b", as far as it goes into out. */
static void events_text(const sip_t *sip, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (const sip_allow_events_t *a = sip->sip_allow_events; a; a = (const sip_allow_events_t *)a->k_next)
        for (size_t i = 0; a->k_items && a->k_items[i]; i++) {
            size_t more = strlen(a->k_items[i]);
            if (n + more + 3 > size)
                return;
            n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "", a->k_items[i]);
        }
}

static void deliver(struct sip_port *port, struct sip_reg *reg, const sip_t *sip, const char *user,
                    const struct contacts *c)
{
    struct sip_ua *ua = port->ua;
    struct sip_source src;
    char local[SIP_FLOW_SIZE], events[200];
    events_text(sip, events, sizeof events);
    sip_source_of_request(port, reg->irq, &src);
    snprintf(local, sizeof local, port->family == AF_INET6 ? "[%s]:%u" : "%s:%u", port->ip, port->port);
    struct sip_register_info info = {
        .user = user,
        .call_id = sip->sip_call_id->i_id,
        .cseq = sip->sip_cseq->cs_seq,
        .user_agent = sip->sip_user_agent && sip->sip_user_agent->g_string ? sip->sip_user_agent->g_string : "",
        .events = events,
        .flow = src.flow,
        .local = local,
        .natted = is_natted(sip, &src),
        .path = reg->path,
        .star = c->star,
        .n_contacts = c->n,
        .contacts = c->list,
        .source = src.addr,
    };
    ua->handler.on_register(ua->handler.ctx, reg, &info);
}

static int take(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip, const char *user)
{
    struct contacts c;
    memset(&c, 0, sizeof c);
    const char *why = NULL;
    int status = parse_contacts(sip, &c, &why);
    struct sip_reg *reg = status == 0 ? calloc(1, sizeof *reg) : NULL;
    if (status == 0 && !reg)
        status = 500;
    if (reg) {
        reg->ua = port->ua;
        reg->port = port;
        reg->irq = irq;
        list_push_back(&port->ua->regs, &reg->link);
        reg->supports_path = sip->sip_supported && sip_has_feature(sip->sip_supported, "path");
        reg->outbound = c.outbound && sip->sip_supported && sip_has_feature(sip->sip_supported, "outbound");
        if (sip->sip_path) {
            reg->path = sip_routes_text((const sip_route_t *)sip->sip_path);
            if (!reg->path)
                status = 500;
        }
        if (status == 0)
            deliver(port, reg, sip, user, &c); /* reg may be gone after this */
        else
            sip_register_reply(reg, status, NULL, 0, NULL, 0);
    }
    contacts_free(&c);
    return status && !reg ? reply(port, irq, status, why) : 0;
}

int sip_register_recv(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip)
{
    struct sip_ua *ua = port->ua;
    ua->stats.registers_in++;
    int status = sip_uas_overloaded(port, irq);
    if (status)
        return status;
    status = sip_uas_check_required(port, irq, sip);
    if (status)
        return status;
    char from[256], to[256];
    if (sip_url_user(sip->sip_from->a_url, from, sizeof from) != 0 ||
        sip_url_user(sip->sip_to->a_url, to, sizeof to) != 0)
        return reply(port, irq, 400, "User Part Too Long");
    struct sip_source src;
    sip_source_of_request(port, irq, &src);
    const char *trunk = NULL, *fixed = NULL;
    enum sip_identity who = ua->handler.identify(ua->handler.ctx, (struct sockaddr *)&src.addr, from, &trunk, &fixed);
    if (who == SIP_ID_REFUSE || who == SIP_ID_STATIC_PHONE)
        return reply(port, irq, 403, NULL);
    /* From a trunk's address too: 403 at once would tell which extensions there are not. */
    char *user = NULL;
    status = sip_auth_check(port, irq, sip, false, &user);
    if (status == 0 && strcmp(from, to) != 0)
        status = 403; /* registering for somebody else */
    if (status == 0)
        status = take(port, irq, sip, user);
    free(user);
    return status;
}

static char *binding_text(const struct sip_binding *b, size_t n)
{
    char *all = mem_strdup("");
    for (size_t i = 0; all && i < n; i++) {
        char reg_id[32] = "";
        if (b[i].reg_id)
            snprintf(reg_id, sizeof reg_id, ";reg-id=%u", b[i].reg_id);
        char *longer = sip_format("%s%s<%s>;expires=%u%s%s%s%s", all, i ? ", " : "", b[i].uri, b[i].expires_s,
                                  b[i].instance ? ";+sip.instance=\"" : "", b[i].instance ? b[i].instance : "",
                                  b[i].instance ? "\"" : "", reg_id);
        free(all);
        all = longer;
    }
    return all;
}

void sip_register_reply(struct sip_reg *reg, int status, const char *phrase, int retry_after_s,
                        const struct sip_binding *bindings, size_t n)
{
    if (!reg->irq) {
        sip_reg_free(reg);
        return;
    }
    char *contact = status == 200 && n ? binding_text(bindings, n) : NULL;
    if (status == 200 && n && !contact)
        status = 500;
    bool ok = status == 200;
    char after[16], least[16];
    snprintf(after, sizeof after, "%d", retry_after_s);
    snprintf(least, sizeof least, "%u", EXPIRES_MIN_S);
    nta_incoming_treply(
        reg->irq, status, sip_phrase(status, phrase), TAG_IF(contact != NULL, SIPTAG_CONTACT_STR(contact)),
        TAG_IF(ok && reg->path && reg->supports_path, SIPTAG_PATH_STR(reg->path)),
        TAG_IF(ok && reg->outbound, SIPTAG_REQUIRE_STR("outbound")),
        TAG_IF(retry_after_s > 0, SIPTAG_RETRY_AFTER_STR(after)), TAG_IF(status == 423, SIPTAG_MIN_EXPIRES_STR(least)),
        SIPTAG_SERVER_STR(reg->ua->product), TAG_END());
    free(contact);
    sip_reg_free(reg);
}
