/* SIP endpoint: transports, registrar front, and legs (one INVITE dialog each), on Sofia-SIP `nta`.
 *
 * Knows nothing of Raft or of call routing. It parses, authenticates, keeps dialogs legal, and tells its owner (node/) by
 * callbacks; the owner decides and answers, at once or later (after a commit). SDP passes as text; negotiation is
 * telephony/sdp.h and the owner's.
 *
 * Thread: all on the core thread, inside the su_root given at start; nothing blocks (no name resolution: targets are
 * numeric addresses or `localhost`; others are refused with ERR_UNSUPPORTED).
 * Ownership: a struct sip_leg belongs to the endpoint until SIP_EV_ENDED / SIP_EV_FAILED has been delivered or the owner
 * called sip_leg_release; after either no callback comes and the pointer is dead. Strings in events and infos are
 * valid during the callback only.
 *
 * Sources: RFC 3261 (core), 3262 (100rel), 3264 (offer/answer timing), 3311 (UPDATE), 3326 (Reason), 3327/5626 (path, outbound),
 * 3581 (rport), 4028 (session timers), 7616/8760 (digest MD5 and SHA-256), 3515/4488 (REFER), 3891 (Replaces). */
#ifndef TELEPHONY_SIP_H
#define TELEPHONY_SIP_H

#include <sofia-sip/su_wait.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "telephony/replaces.h"

struct sip_ua;
struct sip_leg;
struct sip_reg;
struct sip_subscribe;
struct sip_subscribe_info;

enum sip_transport { SIP_UDP, SIP_TCP, SIP_TLS };

/* Who sends a request that opens something (INVITE, REGISTER, MESSAGE, ...), by source address and From user. */
enum sip_identity {
    SIP_ID_REFUSE,       /* 403 */
    SIP_ID_TRUNK,        /* taken without credentials */
    SIP_ID_PHONE,        /* an extension of ours: must show credentials */
    SIP_ID_STATIC_PHONE, /* an extension with a static contact, recognised by address */
};

#define SIP_MAX_FORWARDS 70u /* of a request that begins here */

struct sip_invite_info {
    const char *call_id;
    const char *from_user, *from_display, *to_user, *request_user; /* percent-decoded; "" when absent */
    /* What a trunk asserts of the caller (P-Asserted-Identity, RFC 3325): the first URI that gives a number; "" when none does. */
    const char *asserted_number, *asserted_display;
    bool withheld; /* his number is to be told to nobody outside (Privacy: id or user, RFC 3323 and RFC 3325) */
    const char *from_uri, *to_uri, *request_uri, *contact_uri;
    const char *user_agent; /* "" when absent */
    const char *auth_user;  /* extension proven by digest or static address; NULL for a trunk */
    const char *trunk;      /* name from handler->identify; NULL for a phone */
    const char *sdp;        /* NULL: delayed offer */
    size_t sdp_len;
    struct sockaddr_storage source;
    enum sip_transport transport;
    const char *local_ip;                /* address of ours that it arrived at */
    bool wants_100rel;                   /* Require: 100rel */
    unsigned hops;                       /* that it has behind it by its Max-Forwards, 0 to SIP_MAX_FORWARDS - 1 */
    const struct sip_replaces *replaces; /* it is to take the place of that dialog; NULL: of none */
};

/* Whether a user part is a telephone number: digits, perhaps with '+' before them. */
bool sip_is_number(const char *user);

/* One REGISTER, already authenticated (an unauthenticated one never reaches the owner). */
struct sip_register_contact {
    const char *uri;      /* as in Contact, without <> */
    const char *instance; /* +sip.instance, or NULL (RFC 5626) */
    uint32_t reg_id;      /* RFC 5626, 0 none */
    uint32_t expires_s;   /* 0: remove */
};
struct sip_register_info {
    const char *user; /* the extension, equal to the digest user */
    const char *call_id;
    uint32_t cseq;
    const char *user_agent;
    const char *events; /* Allow-Events, "a, b"; "" none */
    const char *flow;   /* "udp:ip:port" or "tcp:ip:port": where it came from (received) */
    const char *local;  /* "ip:port" of ours that it came to */
    /* The phone is reached at its flow only: over UDP its Contact is not where it came from. With a Path: that begins with a name,
     * which is resolved nowhere here; otherwise the Path says where to send, whatever the transport (RFC 3327). */
    bool natted;
    const char *path;  /* Path values joined by ", " or NULL */
    bool star;         /* Contact: * with Expires: 0 */
    size_t n_contacts; /* 0: a question for the present bindings */
    const struct sip_register_contact *contacts;
    struct sockaddr_storage source;
};
struct sip_binding { /* a line of the 200 */
    const char *uri;
    uint32_t expires_s;
    const char *instance;
    uint32_t reg_id;
};

enum sip_event_type {
    SIP_EV_PROGRESS, /* outbound: 18x; status, sdp (early media) may be NULL. 100rel is acknowledged by us */
    SIP_EV_ANSWERED, /* outbound: 2xx with sdp (may be NULL only if we sent no offer: error). The owner must sip_leg_ack */
    SIP_EV_ACKED, /* inbound: ACK for our 2xx; sdp: the answer when our 2xx carried the offer (delayed offer), else NULL */
    SIP_EV_FAILED, /* outbound: final 3xx-6xx or time-out (408); inbound: cancelled (487) or no ACK (408). Leg is gone */
    SIP_EV_ENDED,  /* BYE received, session timer ran out, or 481/408 inside the dialog. Leg is gone */
    SIP_EV_REOFFER, /* re-INVITE or UPDATE from the peer: sdp NULL means that it wants our offer. Answer by sip_leg_reanswer */
    SIP_EV_REANSWERED, /* result of sip_leg_reinvite: status 200 with sdp, or a refusal (the dialog stays) */
    SIP_EV_INFO_DTMF,  /* INFO with application/dtmf-relay or application/dtmf: digit */
    SIP_EV_REFER,      /* REFER: the peer wants the call to go on at refer_to. Answer by sip_leg_refer_answer */
};
struct sip_event {
    enum sip_event_type type;
    int status;         /* SIP status, 0 where it has no meaning */
    const char *phrase; /* reason phrase or Reason header text; "" */
    const char *sdp;
    size_t sdp_len;
    char digit;
    bool early_reliable;
    int retry_after_s;    /* from Retry-After, 0 none */
    const char *redirect; /* Contact of a 3xx, or NULL */
    const char *refer_to; /* REFER: user part of Refer-To, percent-decoded; not empty unless there is `replaces` */
    const struct sip_replaces *replaces; /* REFER: the other dialog, which Refer-To names; NULL: none */
};
typedef void sip_leg_cb(void *ctx, struct sip_leg *leg, const struct sip_event *ev);

struct sip_handler {
    void *ctx;
    /* Identity of a sender. *trunk (static text) is set for SIP_ID_TRUNK, *user for SIP_ID_STATIC_PHONE. */
    enum sip_identity (*identify)(void *ctx, const struct sockaddr *source, const char *from_user, const char **trunk,
                                  const char **user);
    /* Hex HA1 of a user for "MD5" or "SHA-256" in config.realm; out holds 65 bytes. ERR_NOTFOUND when there is none. The
     * endpoint takes the same time and gives the same answer for unknown users as for wrong passwords. */
    int (*get_ha1)(void *ctx, const char *user, const char *algorithm, char out[65]);
    /* Before anything new is accepted: 0, or the seconds for Retry-After of a 503 with `*why`. */
    int (*overloaded)(void *ctx, const char **why);
    /* A new call. No 100 goes out by itself: the peer would not repeat the INVITE to another owner then (RFC 3261 17.2.1 wants one
     * within 200 ms, unless an answer comes by then: sip_leg_trying). The owner sets its callback at once (sip_leg_set_cb) and then rings, answers or
     * rejects, now or later. */
    void (*on_invite)(void *ctx, struct sip_leg *leg, const struct sip_invite_info *info);
    /* Whether requests may be acted on and sent at all: false while the node is cut off (its lease is over). Then every
     * request, inside a dialog too, gets 503 with Retry-After, and no request of ours leaves, not even once more. Only a BYE inside a
     * dialog of ours is told as ever (no peer repeats one that was refused): sip_leg_keep_bye keeps its answer back. Session
     * refreshes, re-INVITEs, answers to a ringing call, and what an ACK or CANCEL means, wait; sip_leg_release and sip_leg_reject
     * then let go of the leg without a word, because the call may be another node's when the lease is back. What is only
     * forwarded (sip_ua_set_edge) goes on. Asked for each message: it must be cheap. NULL: always. */
    bool (*may_act)(void *ctx);
    void (*on_register)(void *ctx, struct sip_reg *reg, const struct sip_register_info *info);
    /* telephony/sip_subscribe.h. NULL: each is refused (489). */
    void (*on_subscribe)(void *ctx, struct sip_subscribe *s, const struct sip_subscribe_info *info);
};

struct sip_listen {
    const char *ip; /* textual IPv4 or IPv6 */
    uint16_t port;
};
struct sip_config {
    struct sip_listen listen[8]; /* ip NULL ends the list, which may be empty; UDP and TCP on each */
    const char *realm;           /* "everline" */
    const char *product;         /* User-Agent / Server, such as "Everline/0.1" */
    uint8_t nonce_key[32];       /* shared by all nodes: a nonce given by one is valid at every other */
    uint32_t nonce_life_s;       /* default 60; an older nonce gets stale=true */
    uint32_t session_expires_s;  /* default 1800; RFC 4028 */
    uint32_t min_se_s;           /* default 90 */
    uint32_t tcp_idle_s;         /* default 120; idle TCP connections are closed */
    unsigned tcp_per_source;     /* default 32 connections */
    size_t message_max;          /* default 64 KiB */
    uint32_t t1_ms;              /* default 500; RFC 3261 timer T1 */
    uint32_t t1x64_ms; /* default 32000; timers B, F, H, J. How long an ended transaction stays (14-16 kB on UDP) */
};

ERR_CHECKED int sip_ua_start(su_root_t *root, const struct sip_config *cfg, const struct sip_handler *handler,
                             struct sip_ua **out, struct err_info *info);
/* Flows of other nodes' calls (RFC 5626 section 5.3): a request whose topmost Route names one of our addresses with a user
 * part that begins with SIP_EDGE_TOKEN is forwarded: from a node to the flow that the token names, and inside dialogs from
 * elsewhere (that flow) to a node. 430 when the flow's connection is gone, 403 when the token or the sender is not ours. Without
 * a handler all are refused. */
#define SIP_EDGE_TOKEN "flow1-"
struct sip_edge_handler {
    void *ctx;
    /* The flow ("tcp:ip:port") of a token that was made for the listen address `local` ("ip:port"). 0 or ERR_*. */
    int (*open_token)(void *ctx, const char *token, const char *local, char *flow, size_t size);
    /* Whether this is a SIP address of a node of ours, or with_port false: one of its IP addresses. */
    bool (*is_node)(void *ctx, const struct sockaddr *sa, bool with_port);
};
void sip_ua_set_edge(struct sip_ua *ua, const struct sip_edge_handler *handler);
/* Port that listen[i] is bound to (config port 0 picks a free one, the same for UDP and TCP); 0 when there is no such. Addresses
 * added later take the first index that is free. */
uint16_t sip_ua_port(const struct sip_ua *ua, size_t i);
/* Ends all legs without callbacks (BYE is sent for answered ones if `bye`), closes transports. */
void sip_ua_stop(struct sip_ua *ua, bool bye);

/* Answers a REGISTER. status 200 lists bindings; other: refusal (e.g. 503 with retry_after_s > 0, 423 with min expires). */
void sip_register_reply(struct sip_reg *reg, int status, const char *phrase, int retry_after_s,
                        const struct sip_binding *bindings, size_t n);

/* Inbound leg. Each returns 0, ERR_BADSTATE (too late: cancelled, already answered), ERR_NOMEM. */
void sip_leg_set_cb(struct sip_leg *leg, sip_leg_cb *cb, void *ctx);
/* 100: what the INVITE said is in the state now, and its answer will take a while. */
void sip_leg_trying(struct sip_leg *leg);
/* 18x; sdp may be NULL. Sent reliably (RSeq, PRACK) when the caller requires 100rel, or supports it and sdp is there. */
ERR_CHECKED int sip_leg_ring(struct sip_leg *leg, int status, const char *sdp);
/* 200. sdp is the answer, or our offer if the INVITE had none. Sent again until ACKed (RFC 3261 13.3.1.4). */
ERR_CHECKED int sip_leg_answer(struct sip_leg *leg, const char *sdp);
/* Why the next 488 of this leg (sip_leg_reject, sip_leg_reanswer) is given, as a Warning header (RFC 3261 section 20.43); `text` is
 * printable, without quotation marks, and copied. Without memory the refusal goes without it. */
void sip_leg_warn(struct sip_leg *leg, unsigned code, const char *text);
/* Final refusal; the leg is gone when it returns. retry_after_s 0: no header. */
void sip_leg_reject(struct sip_leg *leg, int status, const char *phrase, int retry_after_s);

/* Outbound leg. Identifiers are given by the caller so that another node can compute them again. */
struct sip_out_params {
    const char *target; /* Request-URI, numeric host, such as "sip:8001@127.0.0.1:5062;transport=tcp" */
    /* "tcp:ip:port" of a connection that this node holds (ERR_NOTFOUND when it is gone), "udp:ip:port" of a phone behind NAT, or
     * NULL. */
    const char *flow;
    /* Route: a URI, or several as a Path has them, "<sip:proxy;lr>, <sip:next;lr>". It goes to the first of them unless there is a
     * flow. NULL: none. */
    const char *route;
    const char *from_user, *from_display, *to_user; /* display may be NULL */
    const char *call_id;                            /* required */
    const char *from_tag;                           /* required */
    const char *branch;                             /* "z9hG4bK..." required */
    uint32_t cseq;
    const char *sdp;      /* the offer; required */
    const char *headers;  /* further header lines, "Name: value\r\n"..., or NULL */
    bool supports_100rel; /* Supported: 100rel; default true in practice */
    unsigned hops; /* Max-Forwards is SIP_MAX_FORWARDS less so many: a call for another one has one more (RFC 7332) */
    const char *local_ip; /* which of our addresses to use, or NULL: by family */
    /* A former owner has sent this very INVITE (same identifiers, same address): the peer takes it for a retransmission and
     * says again how far it is, even with its 200. */
    bool again;
    sip_leg_cb *cb;
    void *ctx;
};
/* ERR_NOQUORUM: handler.may_act says no. */
ERR_CHECKED int sip_leg_invite(struct sip_ua *ua, const struct sip_out_params *p, struct sip_leg **out,
                               struct err_info *info);
/* ACK for the 2xx of SIP_EV_ANSWERED (or of a re-INVITE: done by the endpoint itself). */
ERR_CHECKED int sip_leg_ack(struct sip_leg *leg);
/* User and password for challenges (401, 407) of the other side to whatever is sent on this leg from now on, its BYE included (RFC
 * 3261 section 22; MD5 and SHA-256, the first that the challenge names). Copied; user NULL or "" takes them away. A node that carries
 * the dialog on sets them again, and is challenged anew. Never logged. ERR_NOMEM: as before. */
ERR_CHECKED int sip_leg_credentials(struct sip_leg *leg, const char *user, const char *password);
/* Ends the leg from our side in whatever state it is: CANCEL, BYE, or a 487/603 refusal of an unanswered inbound one.
 * `reason_status`/`reason_text` go into a Reason header (RFC 3326) when the status is not 0. No further callback; the leg
 * pointer is dead for the caller, the endpoint finishes the transactions (a late 200 is ACKed and BYEd). */
void sip_leg_release(struct sip_leg *leg, int reason_status, const char *reason_text);
/* Of a leg of ours that rings: the telephone is asked to answer, by a NOTIFY of event "talk" in the early dialog that it has said something in
 * last. What becomes of that is told by SIP_EV_ANSWERED or never. ERR_BADSTATE: it has not rung yet, or does not any more; ERR_NOQUORUM. */
ERR_CHECKED int sip_leg_talk(struct sip_leg *leg);
/* re-INVITE with a new offer. ERR_BUSY while another one runs (glare is retried by RFC 3261 14.1 inside). SIP_EV_REANSWERED 491: an offer
 * of the peer's was answered before it could go out, so that a description with a newer version is wanted (RFC 3264 section 8). */
ERR_CHECKED int sip_leg_reinvite(struct sip_leg *leg, const char *sdp);
/* Answers SIP_EV_REOFFER: status 200 with sdp, or 488/491... without. */
ERR_CHECKED int sip_leg_reanswer(struct sip_leg *leg, int status, const char *sdp);

/* ---- REFER (RFC 3515). One whose Refer-To cannot be read or names something else than a call is refused here, as is one outside a
 * dialog. */
struct sip_refer;
/* Answers SIP_EV_REFER, now or later. 202: *out is the subscription of the peer, its first NOTIFY (100) is on its way; NULL when it wants
 * none (Refer-Sub: false, RFC 4488), or out of memory. It outlives the leg. Another status is a refusal; 481 (the other dialog is not
 * there) is told by a NOTIFY, since as an answer it would end the telephone's own call (RFC 5057). ERR_BADSTATE: there is none to be answered
 * (any more). */
ERR_CHECKED int sip_leg_refer_answer(struct sip_leg *leg, int status, const char *phrase, struct sip_refer **out);
/* How far it is, by a NOTIFY with this status line. From 200 on it is the last one, and the pointer is dead. NULL is fine. Not after
 * sip_ua_stop. */
void sip_refer_notify(struct sip_refer *r, int status);
/* Nothing more is said; the pointer is dead. NULL is fine. Not after sip_ua_stop. */
void sip_refer_drop(struct sip_refer *r);

/* Everything another node needs to carry the dialog on. Strings live as long as the leg and until the next change. */
struct sip_dialog {
    const char *call_id, *local_uri, *remote_uri, *local_tag, *remote_tag, *remote_target;
    const char *route_set; /* comma separated, in route order; "" none */
    uint32_t local_cseq, remote_cseq;
    uint32_t invite_cseq; /* outbound: of our INVITE */
    enum sip_transport transport;
    const char *flow; /* "udp:ip:port" last source of the peer */
    const char *local_ip;
    uint16_t local_port;
    bool inbound;
    const char *invite_text; /* the INVITE as received (inbound, until its ACK), else "" */
    uint32_t session_expires_s;
    bool refresher_is_us;
};
void sip_leg_dialog(const struct sip_leg *leg, struct sip_dialog *out);

/* ---- a dialog that another node began (or an earlier process of this one) is carried on here.
 *
 * Nothing of the former owner's transactions is known but what is in the dialog and what follows from it. Local CSeq goes on
 * from local_cseq + SIP_RESTORE_CSEQ_JUMP (gaps are legal, RFC 3261 12.2.1.1); the peer's CSeq may be anything above remote_cseq.
 * What the peer retransmits to an address that is ours now is answered like a first request. */
#define SIP_RESTORE_CSEQ_JUMP 1000u
enum sip_restore_as {
    SIP_RESTORE_UP, /* confirmed, both sides know it */
    SIP_RESTORE_ANSWERED, /* inbound, the 200 is committed; whether it left, or its ACK came, is not known: invite_text is needed.
                           * The 200 with local_sdp is sent (again) and again until ACK or a request of the dialog comes, or
                           * 64*T1 pass: then the leg counts as UP, for the ACK may have gone to the former owner */
    SIP_RESTORE_ACK, /* outbound, the peer's 200 was taken and committed, the ACK may not have left: it is sent, then UP */
    SIP_RESTORE_RINGING, /* inbound, no final answer yet: the server transaction is built again from invite_text */
};
struct sip_restore_params {
    enum sip_restore_as as;
    const char *call_id, *local_uri, *remote_uri, *local_tag, *remote_tag, *remote_target, *route_set, *flow;
    uint32_t local_cseq, remote_cseq, invite_cseq; /* invite_cseq: of our INVITE (ACK) */
    enum sip_transport transport;
    bool inbound;
    const char *invite_text;            /* as received; RINGING, ANSWERED */
    const char *local_sdp, *remote_sdp; /* last agreed; what an ANSWERED leg's 200 carries */
    uint32_t session_expires_s;
    bool refresher_is_us;
    const char
        *local_ip; /* which of our addresses carries it on; must be listened to. NULL: any of the peer's family */
    sip_leg_cb *cb;
    void *ctx;
};
/* ERR_INVAL: the dialog lacks what it takes, or it is damaged. ERR_NOTFOUND: local_ip is not listened to. ERR_EXISTS: the dialog is
 * a leg here already. Without a connection to the peer a TCP leg is built all the same: requests dial. sip_leg_reinvite is allowed
 * at once, for an ANSWERED leg too: it leaves with the ACK or after 100 ms. A RINGING leg sends no more reliable 18x: the numbers of
 * the former owner's are not known (RFC 3262 section 3); if the caller requires 100rel, sip_leg_ring sends nothing. */
ERR_CHECKED int sip_leg_restore(struct sip_ua *ua, const struct sip_restore_params *p, struct sip_leg **out,
                                struct err_info *info);
/* Lets go of a leg that is no longer ours: nothing is sent, no callback comes, the pointer is dead. For 64*T1 requests of its
 * peer that still come here get 503, and retransmissions of what was in progress no answer. If the same dialog is restored here
 * in that time (or its INVITE sent `again`), what was in progress goes on. */
void sip_leg_forget(struct sip_leg *leg);
/* CANCEL for an INVITE that a former owner sent and nobody here has a transaction of: made from its params (branch, CSeq, tags,
 * target) and the "ip:port" that stood in its Via; with a Reason as sip_leg_release. Over the present address; again, as any request,
 * until it is answered (RFC 3261 17.1.2), for 64*T1 if its answer goes to an address that has not come along. What the answer is is of no
 * interest. */
void sip_cancel_former(struct sip_ua *ua, const struct sip_out_params *p, const char *via_address, int reason_status,
                       const char *reason_text);

/* ---- the end of a dialog that is told only once it is in the state */
struct sip_bye;
/* Inside the callback of SIP_EV_ENDED or SIP_EV_FAILED: the 200 to the peer's BYE, or the 200 to its CANCEL and the 487 to its INVITE,
 * waits for sip_bye_done, and the peer repeats it meanwhile (not on TCP): to whoever carries the call on, should this node die before.
 * NULL: it was neither, or out of memory (answered at once). */
struct sip_bye *sip_leg_keep_bye(struct sip_leg *leg);
/* answer: they go out. Else nothing is said here, unless this process carries the dialog on again (sip_leg_restore) within 64*T1: then
 * it is told of anew. The pointer is dead afterwards; NULL is fine. Not after sip_ua_stop. */
void sip_bye_done(struct sip_bye *bye, bool answer);

/* ---- listen addresses that come and go while it runs */
/* Port 0 picks a free one. ERR_EXISTS: listened to already; ERR_BUSY: in use by another process; ERR_NOTFOUND: not an address of
 * this host; ERR_TOOBIG: more than 24; ERR_INVAL. A 2xx for an INVITE that nobody here knows is ACKed and ended by BYE, though not in
 * the first second after the address has come: restore the legs that stand on it in that time. */
ERR_CHECKED int sip_ua_add_listen(struct sip_ua *ua, const char *ip, uint16_t port, struct err_info *info);
/* Closes its sockets and connections; the port is free when it returns. Legs that stand on it are forgotten (sip_leg_forget)
 * first. Not from inside a callback of the endpoint. */
void sip_ua_drop_listen(struct sip_ua *ua, const char *ip);
/* The tag that our answers to this inbound leg carry (fixed from the first moment). */
const char *sip_leg_local_tag(const struct sip_leg *leg);

struct sip_stats {
    uint64_t requests_in, responses_in, invites_in, registers_in, subscribes_in, malformed, auth_challenges,
        auth_failures, overloaded;
    uint32_t legs, tcp_connections;
};
void sip_ua_get_stats(const struct sip_ua *ua, struct sip_stats *out);

#endif
