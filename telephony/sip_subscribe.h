/* SUBSCRIBE and NOTIFY (RFC 6665): what the endpoint does of them. Which subscriptions there are, and what they are told, is the owner's:
 * nothing of a subscription is kept here between two messages, so that any node can go on with it (its dialog is in the owner's state).
 *
 * A SUBSCRIBE, in a dialog or not, is authenticated as REGISTER is, and handed to handler->on_subscribe; one without an event package of
 * ours is refused here (489 with Allow-Events), likewise too short ones (423), without Contact (400), with an Accept that excludes what the
 * package says (406), of trunks and strangers (403). NOTIFYs go out one at a time for each dialog: that is the owner's to see to.
 *
 * Thread: core. Strings of an info live during the callback only. */
#ifndef TELEPHONY_SIP_SUBSCRIBE_H
#define TELEPHONY_SIP_SUBSCRIBE_H

#include "telephony/sip.h"

#define SIP_SUBSCRIBE_MIN_S 60u
#define SIP_SUBSCRIBE_MAX_S 3600u
#define SIP_TAG_MAX 24u

struct sip_subscribe_info {
    const char *user;  /* the extension, as proven */
    const char *event; /* "message-summary", "dialog" or "presence" */
    const char *id;    /* parameter of Event; "" none */
    const char
        *target; /* user part of the Request-URI; "" none. Means something only in a request that begins a dialog */
    bool
        in_dialog; /* local_tag is what the telephone has; else it was made here, for a dialog that begins with the answer */
    uint32_t expires_s; /* 0: to be told once, and no more */
    const char *call_id, *local_tag, *remote_tag, *local_uri, *remote_uri;
    const char *remote_target;           /* its Contact */
    const char *route_set;               /* "" none */
    const char *flow, *local_ip, *local; /* as sip_register_info; local_ip: of `local` without the port */
    bool natted;
    uint32_t cseq;
    struct sockaddr_storage source;
};

/* A SUBSCRIBE that waits for its answer; the pointer is dead afterwards. status 200: the dialog is there, so that NOTIFYs may follow. */
struct sip_subscribe;
void sip_subscribe_reply(struct sip_subscribe *s, int status, const char *phrase, uint32_t expires_s,
                         int retry_after_s);

struct sip_notify_params {
    const char *call_id, *local_uri, *local_tag, *remote_uri;
    const char *remote_tag;    /* NULL: outside a dialog (RFC 3842 section 3.2, "unsolicited") */
    const char *remote_target; /* Request-URI */
    const char *route;         /* "<a>, <b>", or NULL */
    const char *flow;          /* it goes to this flow, of this node; NULL: to the route or the target */
    const char *local_ip;      /* NULL, or not listened to: any of the target's family */
    uint32_t cseq;
    const char *event;       /* value of Event */
    const char *state;       /* value of Subscription-State; NULL: none (unsolicited) */
    const char *type, *body; /* body NULL: none */
};
/* status: of the answer, 408 when none came. retry_after_s: 0 none. Not after sip_notify_forget. */
typedef void sip_notify_cb(void *ctx, int status, int retry_after_s);
struct sip_notify;
/* ERR_NOQUORUM: handler.may_act says no; ERR_INVAL, ERR_NOTFOUND (no address of ours of that family, or the flow's
 * connection is gone), ERR_NOMEM. cb is not called before it
 * returns, and once at most; *out is dead then. */
ERR_CHECKED int sip_notify_send(struct sip_ua *ua, const struct sip_notify_params *p, sip_notify_cb *cb, void *ctx,
                                struct sip_notify **out);
/* Nobody wants to know what becomes of it. NULL is fine. */
void sip_notify_forget(struct sip_notify *n);

#endif
