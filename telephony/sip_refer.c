/* REFER inside a dialog (RFC 3515, 4488): a telephone asks that its call go on elsewhere, or with whom it has in another one (Replaces, RFC
 * 3891); and the subscription by which it hears what became of that.
 *
 * The owner lets go of the leg as soon as it has answered 202, and what follows comes later: so a subscription keeps of the dialog what a
 * NOTIFY takes (RFC 5057), and outlives the leg. One NOTIFY is out at a time, and only the latest news wait for it: UDP keeps no
 * order. A telephone that has no such dialog any more (481) is told nothing further. The subscription is this process's alone: a
 * node that carries the call on says nothing to it, and it ends when its time is over. */
#include <sofia-sip/sip_extra.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "telephony/sip_int.h"

#define REFER_EXPIRES_S 180 /* longer than anybody is rung */
#define CSEQ_GAP 10u        /* between the dialog's own requests, of which only its BYE follows, and the NOTIFYs */

struct sip_refer {
    struct list_node link; /* ua->refers */
    struct sip_ua *ua;
    struct sip_port *port; /* NULL: closed */
    char *call_id, *local_addr, *remote_addr, *remote_target, *route_set;
    char hop[SIP_FLOW_SIZE + 24], event[32], contact[SIP_HOST_SIZE + 40];
    uint32_t cseq;
    nta_outgoing_t *orq; /* the NOTIFY that is out */
    int next;            /* status that waits for it, 0 none */
    bool final, let_go;  /* the last one is out; its owner has let go of it */
};

/* ---- the subscription */

static void refer_free(struct sip_refer *r)
{
    char *const owned[] = {r->call_id, r->local_addr, r->remote_addr, r->remote_target, r->route_set};
    list_del(&r->link);
    if (r->orq)
        nta_outgoing_destroy(r->orq);
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        free(owned[i]);
    free(r);
}

/* Nothing more is said; freed when its owner has let go of it as well. */
static void over(struct sip_refer *r)
{
    if (r->orq)
        nta_outgoing_destroy(r->orq);
    r->orq = NULL;
    r->final = true;
    r->next = 0;
    if (r->let_go)
        refer_free(r);
}

static void send_notify(struct sip_refer *r, nta_leg_t *dialog, int status);

static int recv_notify_answer(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip)
{
    struct sip_refer *r = (struct sip_refer *)magic;
    int status = sip ? sip->sip_status->st_status : nta_outgoing_status(orq), next = r->next;
    if (status < 200 || orq != r->orq)
        return 0;
    nta_outgoing_destroy(orq);
    r->orq = NULL;
    r->next = 0;
    if (status >= 300 || r->final || !r->port || !sip_may_act(r->ua))
        over(r);
    else if (next)
        send_notify(r, NULL, next);
    return 0;
}

/* In the leg's dialog while that is there; NULL: in one made for this. */
static void send_notify(struct sip_refer *r, nta_leg_t *dialog, int status)
{
    char body[160], state[48], cseq[32], *route = r->route_set[0] ? r->route_set : NULL;
    nta_leg_t *base = NULL;
    bool final = status >= 200;
    snprintf(body, sizeof body, "SIP/2.0 %d %.100s\r\n", status, sip_phrase(status, NULL));
    snprintf(state, sizeof state, final ? "terminated;reason=noresource" : "active;expires=%d", REFER_EXPIRES_S);
    snprintf(cseq, sizeof cseq, "%u NOTIFY", ++r->cseq);
    if (!dialog)
        dialog = base = nta_leg_tcreate(r->port->agent, NULL, NULL, SIPTAG_CALL_ID_STR(r->call_id),
                                        SIPTAG_FROM_STR(r->local_addr), SIPTAG_TO_STR(r->remote_addr), TAG_END());
    if (dialog)
        r->orq = nta_outgoing_tcreate(
            dialog, recv_notify_answer, (nta_outgoing_magic_t *)r, URL_STRING_MAKE(r->hop[0] ? r->hop : NULL),
            SIP_METHOD_NOTIFY, URL_STRING_MAKE(base ? r->remote_target : NULL), TAG_IF(base, SIPTAG_CSEQ_STR(cseq)),
            TAG_IF(base && route, SIPTAG_ROUTE_STR(route)), SIPTAG_CONTACT_STR(r->contact), SIPTAG_EVENT_STR(r->event),
            SIPTAG_SUBSCRIPTION_STATE_STR(state), SIPTAG_USER_AGENT_STR(r->ua->product),
            SIPTAG_CONTENT_TYPE_STR("message/sipfrag;version=2.0"), SIPTAG_PAYLOAD_STR(body), TAG_END());
    if (base)
        nta_leg_destroy(base);
    r->final = final;
    if (!r->orq) {
        log_warn("sip", "call %s: cannot send NOTIFY", r->call_id);
        over(r);
    }
}

void sip_refer_notify(struct sip_refer *r, int status)
{
    if (!r)
        return;
    r->let_go = status >= 200;
    if (r->final || !r->port || !sip_may_act(r->ua))
        over(r);
    else if (r->orq)
        r->next = status;
    else
        send_notify(r, NULL, status);
}

void sip_refer_drop(struct sip_refer *r)
{
    if (!r)
        return;
    r->let_go = true;
    over(r);
}

void sip_refers_drop(struct sip_ua *ua, const struct sip_port *port)
{
    list_foreach_safe(it, &ua->refers) {
        struct sip_refer *r = list_entry(it, struct sip_refer, link);
        if (port && r->port != port)
            continue;
        r->port = NULL;
        if (port)
            over(r);
        else
            refer_free(r);
    }
}

static struct sip_refer *subscribe(struct sip_leg *leg, const sip_t *refer)
{
    struct sip_refer *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->ua = leg->ua;
    r->port = leg->port;
    list_push_back(&leg->ua->refers, &r->link);
    r->call_id = mem_strdup(leg->call_id);
    r->local_addr = sip_format("<%s>;tag=%s", leg->local_uri, leg->local_tag);
    r->remote_addr = sip_format("<%s>;tag=%s", leg->remote_uri, leg->remote_tag);
    r->remote_target = mem_strdup(leg->remote_target);
    r->route_set = mem_strdup(leg->route_set ? leg->route_set : "");
    if (!r->call_id || !r->local_addr || !r->remote_addr || !r->remote_target || !r->route_set) {
        refer_free(r);
        return NULL;
    }
    if (!sip_dialog_hop(leg, r->hop, sizeof r->hop))
        r->hop[0] = '\0';
    sip_contact_value(leg->port, leg->transport, r->contact, sizeof r->contact);
    if (leg->refers > 1) /* RFC 3515 section 2.4.6 */
        snprintf(r->event, sizeof r->event, "refer;id=%u", refer->sip_cseq->cs_seq);
    else
        strcpy(r->event, "refer");
    return r;
}

/* ---- the request */

static bool wants_no_news(const sip_t *sip)
{
    const sip_refer_sub_t *sub = sip_refer_sub((sip_t *)(uintptr_t)sip);
    return sub && sub->rs_value && strcasecmp(sub->rs_value, "false") == 0;
}

static int refuse(struct sip_leg *leg, nta_incoming_t *irq, int status, const char *phrase)
{
    nta_incoming_treply(irq, status, sip_phrase(status, phrase), TAG_IF(status == 500, SIPTAG_RETRY_AFTER_STR("1")),
                        SIPTAG_SERVER_STR(leg->ua->product), TAG_END());
    return status;
}

struct where {
    char user[256];
    struct sip_replaces replaces;
    bool has_replaces;
    const char *why; /* refused, if the status alone does not tell */
};

/* 0; else the status to refuse with. */
static int where_to(const sip_t *sip, struct where *w)
{
    const sip_refer_to_t *to = sip->sip_refer_to;
    char method[16] = "INVITE";
    w->why = "Bad Refer-To";
    w->has_replaces = false;
    if (!to || sip->sip_error) /* none, several, or none that can be read */
        return 400;
    const url_t *url = to->r_url;
    w->why = NULL;
    if (!sip_url_is_sip(url) && url->url_type != url_tel)
        return 416;
    if (url->url_params && url_has_param(url, "method") &&
        (url_param(url->url_params, "method", method, sizeof method) >= (isize_t)sizeof method ||
         strcasecmp(method, "INVITE") != 0)) {
        w->why = "Only calls can be referred to";
        return 603;
    }
    int rc = url->url_headers ? sip_replaces_in_uri(url->url_headers, &w->replaces) : ERR_NOTFOUND;
    w->has_replaces = rc == 0;
    w->why = rc && rc != ERR_NOTFOUND ? "Bad Replaces" : "Bad Refer-To";
    if (rc && rc != ERR_NOTFOUND)
        return 400;
    return sip_url_user(url, w->user, sizeof w->user) == 0 && (w->user[0] || w->has_replaces) ? 0 : 400;
}

int sip_refer_recv(struct sip_leg *leg, nta_incoming_t *irq, const sip_t *sip)
{
    struct where w = {.why = NULL};
    int status = sip_uas_check_required(leg->port, irq, sip);
    if (status)
        return status;
    status = leg->refer_in ? 491 : leg->state != SIP_UP ? 500 : where_to(sip, &w);
    if (status || !leg->cb)
        return refuse(leg, irq, status ? status : 603, w.why);
    leg->refers++;
    leg->refer_in = irq;
    leg->refer_silent = wants_no_news(sip);
    nta_incoming_bind(irq, NULL, NULL);
    struct sip_event ev = {.type = SIP_EV_REFER, .refer_to = w.user, .replaces = w.has_replaces ? &w.replaces : NULL};
    sip_leg_emit(leg, &ev);
    return 0;
}

int sip_leg_refer_answer(struct sip_leg *leg, int status, const char *phrase, struct sip_refer **out)
{
    nta_incoming_t *irq = leg->refer_in;
    *out = NULL;
    if (leg->gone || !irq)
        return ERR_BADSTATE;
    leg->refer_in = NULL;
    int told = status == 481 && !leg->refer_silent ? status : 0;
    status = told ? 202 : status == 481 ? 603 : status;
    if (status != 202) {
        refuse(leg, irq, status < 300 || status > 699 ? 500 : status, phrase);
        nta_incoming_destroy(irq);
        return 0;
    }
    char contact[SIP_HOST_SIZE + 40];
    msg_t *msg = nta_incoming_getrequest(irq);
    sip_contact_value(leg->port, leg->transport, contact, sizeof contact);
    nta_incoming_treply(irq, SIP_202_ACCEPTED, SIPTAG_CONTACT_STR(contact), SIPTAG_SERVER_STR(leg->ua->product),
                        TAG_IF(leg->refer_silent, SIPTAG_HEADER_STR("Refer-Sub: false")), TAG_END());
    struct sip_refer *r = !leg->refer_silent && msg ? subscribe(leg, sip_object(msg)) : NULL;
    msg_destroy(msg);
    nta_incoming_destroy(irq);
    if (!r)
        return 0;
    send_notify(r, leg->nta, told ? told : 100);
    if (r->orq)
        leg->local_cseq = r->cseq = nta_outgoing_cseq(r->orq);
    if (told) { /* the dialog goes on: no NOTIFY of any number of its own may follow */
        r->let_go = true;
        if (!r->orq)
            refer_free(r);
        return 0;
    }
    r->cseq += CSEQ_GAP;
    *out = r;
    return 0;
}
