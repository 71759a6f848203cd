/* BYEs of ours: they outlive their legs, so each is kept here until it is answered.
 *
 * One that is challenged is sent again with an answer. One that could not leave (the interface is down, the address just gone) is an
 * error to the library, and over: it is tried again every second for 64*T1. Not after this node was silent meanwhile, because the
 * call may be another node's by then; unless nobody can carry that dialog on, as with a telephone that was called off. */
#include <stdlib.h>
#include <string.h>

#include "telephony/sip_int.h"

#define RETRY_MS 1000
#define ELSEWHERE 200          /* Reason of who was rung beside the one who answered: that is committed */
#define LIBRARYS_OWN (1 << 15) /* in sip_flags: a response that the library made itself */

struct sip_hangup {
    struct list_node link; /* ua->hangups */
    struct sip_port *port;
    struct sip_creds *creds; /* NULL: none */
    nta_outgoing_t *orq;
    su_timer_t *timer; /* NULL: it has not failed to leave */
    struct clock_mono since;
    unsigned tries; /* challenges */
    bool nobodys;   /* no node carries the dialog on */
    char hop[SIP_FLOW_SIZE + 24];
};

static void hangup_free(struct sip_hangup *h)
{
    list_del(&h->link);
    if (h->timer)
        su_timer_destroy(h->timer);
    if (h->orq)
        nta_outgoing_destroy(h->orq);
    mem_unref(h->creds);
    free(h);
}

static int recv_bye_answer(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip);

/* The next CSeq, and `headers` instead of former credentials. */
static int renew(msg_t *msg, sip_t *sip, const char *headers)
{
    char cseq[32];
    if (sip->sip_cseq->cs_seq >= INT32_MAX)
        return -1;
    snprintf(cseq, sizeof cseq, "%u BYE", sip->sip_cseq->cs_seq + 1);
    if (sip->sip_authorization)
        sip_header_remove(msg, sip, (sip_header_t *)sip->sip_authorization);
    if (sip->sip_proxy_authorization)
        sip_header_remove(msg, sip, (sip_header_t *)sip->sip_proxy_authorization);
    return sip_add_tl(msg, sip, SIPTAG_CSEQ_STR(cseq), SIPTAG_HEADER_STR(headers), TAG_END());
}

/* The same BYE in a new transaction. challenged: with an answer to that. */
static bool again(struct sip_hangup *h, bool challenged)
{
    msg_t *sent = nta_outgoing_getrequest(h->orq), *msg = sent ? msg_dup(sent) : NULL;
    sip_t *sip = msg ? sip_object(msg) : NULL;
    char *uri = sip ? url_as_string(msg_home(msg), sip->sip_request->rq_url) : NULL;
    char *headers = challenged ? sip_creds_headers(h->creds, "BYE", uri) : NULL;
    nta_outgoing_t *orq = NULL;
    msg_destroy(sent);
    if (sip && sip->sip_via)
        sip_header_remove(msg, sip, (sip_header_t *)sip->sip_via);
    if (sip && (!challenged || (headers && renew(msg, sip, headers) >= 0)))
        orq = nta_outgoing_mcreate(h->port->agent, recv_bye_answer, (nta_outgoing_magic_t *)h,
                                   URL_STRING_MAKE(h->hop[0] ? h->hop : NULL), msg, TAG_END());
    free(headers);
    if (!orq) {
        msg_destroy(msg);
        return false;
    }
    nta_outgoing_destroy(h->orq);
    h->orq = orq;
    return true;
}

static void retry_fired(su_root_magic_t *magic, su_timer_t *timer, su_timer_arg_t *arg);

static bool retry_later(struct sip_hangup *h)
{
    struct sip_ua *ua = h->port->ua;
    if (clock_mono_now().us - h->since.us > ua->cfg.t1x64_ms * 1000ull)
        return false;
    if (!h->timer)
        h->timer = su_timer_create(su_root_task(ua->root), RETRY_MS);
    return h->timer && su_timer_set(h->timer, retry_fired, (su_timer_arg_t *)h) == 0;
}

static void retry_fired(su_root_magic_t *magic, su_timer_t *timer, su_timer_arg_t *arg)
{
    struct sip_hangup *h = (struct sip_hangup *)arg;
    (void)magic;
    (void)timer;
    if (sip_may_act(h->port->ua) ? !again(h, false) : !h->nobodys || !retry_later(h))
        hangup_free(h);
}

static int recv_bye_answer(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip)
{
    struct sip_hangup *h = (struct sip_hangup *)magic;
    int status = sip ? sip->sip_status->st_status : nta_outgoing_status(orq);
    bool unsent = status == 503 && (!sip || (sip->sip_flags & LIBRARYS_OWN));
    if (status < 200 || orq != h->orq)
        return 0;
    if (unsent ? retry_later(h)
               : sip_creds_challenged(h->creds, sip, &h->tries) && sip_may_act(h->port->ua) && again(h, true))
        return 0;
    hangup_free(h);
    return 0;
}

bool sip_hangup_send(struct sip_leg *leg, const char *hop, const char *reason)
{
    struct sip_hangup *h = calloc(1, sizeof *h);
    if (!h)
        return false;
    char *headers = sip_creds_headers(leg->creds, "BYE", leg->remote_target);
    h->orq = nta_outgoing_tcreate(leg->nta, recv_bye_answer, (nta_outgoing_magic_t *)h, URL_STRING_MAKE(hop),
                                  SIP_METHOD_BYE, NULL, TAG_IF(reason, SIPTAG_REASON_STR(reason)),
                                  TAG_IF(headers, SIPTAG_HEADER_STR(headers)), SIPTAG_USER_AGENT_STR(leg->ua->product),
                                  TAG_END());
    free(headers);
    if (!h->orq) {
        free(h);
        return false;
    }
    h->port = leg->port;
    h->creds = leg->creds ? mem_ref(leg->creds) : NULL;
    h->since = clock_mono_now();
    h->nobodys = leg->state == SIP_OUT_CANCELLED || leg->release_status == ELSEWHERE;
    snprintf(h->hop, sizeof h->hop, "%s", hop ? hop : "");
    list_push_back(&leg->ua->hangups, &h->link);
    return true;
}

void sip_hangups_drop(struct sip_ua *ua, const struct sip_port *port)
{
    list_foreach_safe(it, &ua->hangups) {
        struct sip_hangup *h = list_entry(it, struct sip_hangup, link);
        if (!port || h->port == port)
            hangup_free(h);
    }
}
