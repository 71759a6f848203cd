/* What the files of the SIP endpoint share; see sip.h for the contract. Core thread only.
 *
 * sip_ua.c       start, stop, transports, dispatch of requests outside dialogs
 * sip_uas.c      inbound legs until they are confirmed
 * sip_uac.c      outbound legs until they are confirmed
 * sip_leg.c      life of a leg, events to the owner, export
 * sip_listen.c   listen addresses, also while it runs
 * sip_restore.c  dialogs that another node began, and those that another node carries on
 * sip_gate.c     what may leave at all
 * sip_dialog.c   requests inside a confirmed or early dialog, both directions
 * sip_timer.c    session timers (RFC 4028) and other timers of a leg
 * sip_register.c REGISTER
 * sip_body.c     the description in a body
 * sip_bye.c      BYEs whose 200 waits
 * sip_refer.c    REFER, and what comes of it (replaces.h: what it may name)
 * sip_subscribe.c SUBSCRIBE, NOTIFY (sip_subscribe.h)
 * sip_edge.c     forwarding between a phone's flow and the node that owns the call (sip_edge.h)
 * sip_creds.c    challenges of the other side: our credentials
 * sip_auth.c     challenges and checks of credentials (digest.c does the arithmetic)
 * sip_util.c     addresses, headers, random tokens
 *
 * Life of a leg:
 *
 *   inbound   IN_RINGING --200--> IN_ANSWERED --ACK--> UP --BYE--> gone
 *   outbound  OUT_CALLING --2xx--> OUT_ANSWERED --ACK--> UP --BYE--> gone
 *             OUT_CALLING --release--> OUT_CANCELLED --final--> gone (a late 2xx is ACKed and BYEd)
 *
 * A leg is reference-counted. The endpoint holds one reference while the leg is in ua->legs; each callback into the owner
 * holds one more, since the owner may release the leg inside it. `gone` is set when no callback may come any more. */
#ifndef TELEPHONY_SIP_INT_H
#define TELEPHONY_SIP_INT_H

#include <netinet/in.h>
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_stateless.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/sip_util.h>
#include <sofia-sip/su_tag.h>
#include <sofia-sip/tport.h>
#include <sofia-sip/tport_tag.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "telephony/digest.h"
#include "telephony/sip.h"

#define SIP_ALLOW "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, REFER, REGISTER, SUBSCRIBE"
#define SIP_ALLOW_EVENTS "message-summary, dialog, presence"
#define SIP_SUPPORTED "100rel, timer, path, outbound, norefersub, replaces"
#define SIP_ACCEPT_SDP "application/sdp, multipart/mixed"
#define SIP_ACCEPT SIP_ACCEPT_SDP ", application/dtmf-relay, application/dtmf"
#define SIP_LISTEN_MAX 24
#define SIP_MUTED_BUCKETS 256
#define SIP_FORKS_MAX 8     /* early dialogs of one INVITE; more are not followed */
#define SIP_CONTACTS_MAX 10 /* in one REGISTER */
#define SIP_TAG_SIZE 20     /* room for a tag of 16 hex digits */
#define SIP_HOST_SIZE INET6_ADDRSTRLEN
#define SIP_FLOW_SIZE (SIP_HOST_SIZE + 16)
#define SIP_REINVITE_TRIES 4 /* after 491 */
#define SIP_SDP_MAX 16384    /* bodies over this are refused with 413 */

struct sip_port { /* one listen address: an nta agent with UDP and TCP */
    struct sip_ua *ua;
    nta_agent_t *agent;
    int family;
    uint16_t port;
    char ip[SIP_HOST_SIZE];
    struct clock_mono since; /* when it was opened */
};

struct sip_ua {
    struct list_node link; /* sip_gate.c */
    su_root_t *root;
    struct sip_config cfg; /* strings below, listen[] emptied */
    char *realm, *product;
    struct sip_handler handler;
    struct sip_edge_handler edge;
    uint8_t edge_key[32];                   /* of this process: branches of forwarded requests */
    struct sip_port *ports[SIP_LISTEN_MAX]; /* slots, NULL: free. A port stays where it is while it is listened to */
    struct list_node legs, regs, byes, hangups, refers, subscribes, notifies;
    struct list_node limbo;                    /* legs that were forgotten, for 64*T1 (sip_restore.c) */
    struct list_node muted[SIP_MUTED_BUCKETS]; /* sip_gate.c */
    size_t n_muted;
    struct clock_mono stray_since;
    unsigned strays; /* late answers ended in the present second */
    struct digest_replay *replay;
    struct sip_stats stats;
    su_timer_t *sweep; /* idle TCP connections */
    bool stopping;
};

enum sip_state {
    SIP_IN_RINGING,
    SIP_IN_ANSWERED,
    SIP_OUT_CALLING,
    SIP_OUT_ANSWERED,
    SIP_OUT_CANCELLED,
    SIP_UP,
    SIP_OVER
};

struct sip_fork {       /* one early dialog of an outbound INVITE */
    char *tag, *target; /* target: its Contact, NULL none */
    nta_leg_t *nta;
    uint32_t rseq;         /* last reliable provisional response taken, 0 none */
    nta_outgoing_t *prack; /* for that one, unanswered; NULL none */
    unsigned prack_tries;  /* challenges to it */
};

struct sip_leg {
    struct list_node link; /* ua->legs */
    struct sip_ua *ua;
    struct sip_port *port;
    sip_leg_cb *cb;
    void *ctx;
    enum sip_state state;
    bool inbound, gone;

    /* dialog */
    nta_leg_t *nta;
    char *call_id, *local_uri, *remote_uri, *remote_tag, *remote_target, *route_set, *invite_text;
    char *local_tag;
    char *warning;                  /* of the next 488, or NULL */
    struct sip_creds *creds;        /* for challenges of the other side, or NULL */
    char *ack_headers;              /* of the last INVITE sent: its ACK carries the same (RFC 3261 22.1) */
    char *local_addr, *remote_addr; /* From/To values as sent, ours with tag */
    uint32_t local_cseq, remote_cseq;
    enum sip_transport transport;
    char flow[SIP_FLOW_SIZE];
    bool natted; /* the peer's Via differs from its source: requests go to the flow */
    bool routed; /* there is a route set */
    char *local_sdp, *remote_sdp;
    bool peer_update, peer_timer;

    /* inbound INVITE */
    nta_incoming_t *invite_in;
    nta_reliable_t *rel; /* unacknowledged reliable 18x */
    bool rel_sdp;
    bool require_100rel, support_100rel, delayed_offer, answered_early;
    int next_ring;                     /* 18x that waits for the PRACK, 0 none */
    char *next_ring_sdp, *next_answer; /* held back until the PRACK */
    char *delayed_answer;              /* answer that came in a PRACK */

    /* outbound INVITE */
    nta_outgoing_t *invite_out;
    struct sip_fork forks[SIP_FORKS_MAX];
    size_t n_forks;
    char *target, *out_route, *out_headers, *branch;
    uint32_t invite_cseq, max_forwards;
    bool supports_100rel, retried_422, again;
    unsigned challenges; /* of the INVITE */
    int release_status;  /* Reason header of a BYE that follows a late 2xx */
    char *release_text;

    /* offers inside the dialog */
    nta_incoming_t *offer_in; /* their re-INVITE or UPDATE that the owner has to answer */
    nta_incoming_t *ack_in;   /* re-INVITE answered, ACK not seen */
    bool offer_in_delayed, offer_in_update;
    char *offer_in_sdp;
    nta_outgoing_t *offer_out; /* our re-INVITE or UPDATE */
    bool offer_out_refresh, offer_out_update;
    bool offer_out_old; /* waits, and what it says has been overtaken */
    char *offer_out_sdp;
    int offer_tries;
    unsigned offer_challenges;

    nta_incoming_t *refer_in; /* their REFER that the owner has to answer */
    bool refer_silent;        /* no NOTIFY is wanted for it */
    unsigned refers;          /* that have come */

    /* timers */
    su_timer_t *timer_session, *timer_retry, *timer_guard, *timer_confirm;
    uint32_t se_s;   /* agreed session interval, 0 none */
    uint32_t se_min; /* least the peer accepts, from Min-SE */
    bool refresher_is_us;
    struct clock_mono se_since; /* when the present interval began */
    bool se_refreshed;          /* our refresh of this interval is on its way or done */

    /* carried on (sip_restore.c) */
    bool restored;       /* the former owner may have done things that are not known here */
    bool remote_cseq_at; /* remote_cseq itself has not been seen here: a request with it is taken */
    unsigned held;       /* enum sip_held: what waits for may_act */
    char *held_sdp;
    struct sip_leg *former,
        *heir; /* a forgotten leg whose INVITE transaction goes on for this one, and the other way round */
    struct clock_mono forgotten;
    nta_incoming_t *bye_in; /* its BYE, while that is being told of */
    msg_t *cancel_in;       /* the CANCEL for invite_in, not yet answered */
    struct clock_mono restored_at;
};

enum sip_held {
    SIP_HELD_ACK = 1,
    SIP_HELD_CANCEL = 2,
    SIP_HELD_ANSWER = 4,
    SIP_HELD_RING = 8,
    SIP_HELD_TIMEOUT = 16,
    SIP_HELD_BYE = 32
};

struct sip_reg {
    struct list_node link;
    struct sip_ua *ua;
    struct sip_port *port;
    nta_incoming_t *irq; /* NULL: its address was dropped */
    char *path;
    bool supports_path, outbound;
};

/* sip_util.c */
int sip_random(void *out, size_t n);
int sip_token(char *out, size_t hex_digits); /* hex digits and NUL */
bool sip_is_ip(const char *host, int *family);
/* A numeric address or localhost; copies it without brackets. false: a name. */
bool sip_numeric_host(const char *host, char out[SIP_HOST_SIZE], int *family);
void sip_flow_text(const struct sockaddr *sa, enum sip_transport t, char out[SIP_FLOW_SIZE]);
/* "tcp:[::1]:5060" to a URI "sip:[::1]:5060;transport=tcp". ERR_INVAL. */
int sip_flow_uri(const char *flow, char *out, size_t size);
const char *sip_transport_text(enum sip_transport t);
char *sip_url_text(const url_t *url); /* malloc, NULL when out of memory or no url */
int sip_url_user(const url_t *url, char *out,
                 size_t size); /* without parameters, percent-decoded, "" when absent; ERR_TOOBIG, ERR_INVAL (%00) */
/* Display name without its quotation marks and escapes; NULL is "". */
void sip_display_text(const char *display, char *out, size_t size);
/* First SIP or tel URI of P-Asserted-Identity that gives a number (RFC 3325 section 9.1), and its display name; both "" and false when
 * there is none. Only to be asked of a sender that is trusted. */
bool sip_withheld(const sip_t *sip);
bool sip_asserted(const sip_t *sip, char *number, size_t number_size, char *display, size_t display_size);
char *sip_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool sip_url_is_sip(const url_t *url);
void sip_contact_value(const struct sip_port *port, enum sip_transport t, char *out, size_t size);
struct sip_source {
    struct sockaddr_storage addr;
    enum sip_transport transport;
    char flow[SIP_FLOW_SIZE];
};
void sip_source_of_request(struct sip_port *port, nta_incoming_t *irq, struct sip_source *out);
void sip_source_of_response(nta_outgoing_t *orq, struct sip_source *out);
/* The open connection of a flow ("tcp:ip:port"), NULL when there is none. */
tport_t *sip_flow_connection(struct sip_port *port, const char *flow);
bool sip_flow_alive(struct sip_port *port, const char *flow);
char *sip_reason_value(int status, const char *text);
const char *sip_phrase(int status, const char *phrase);
char *sip_routes_text(const sip_route_t *r);
/* The first URI of "<a>, <b>", or of a URI alone. NULL: none, or out of memory. */
url_t *sip_first_route(su_home_t *home, const char *routes);

/* sip_body.c: the description in the body as a NUL-terminated copy (free), NULL when there is none: no body, or one that need
 * not be understood (handling=optional). Returns 0 or the status to refuse with. */
int sip_body_sdp(const sip_t *sip, char **sdp);

/* sip_auth.c: 0 when the sender is proven, *user then set (malloc); else the request is answered and the status returned. */
int sip_auth_check(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip, bool proxy, char **user);
/* Value of a parameter ("realm=") without quotes and backslashes. false: absent or too long. */
bool sip_auth_param(const msg_param_t *params, const char *name, char *out, size_t size);

/* sip_creds.c: challenges to requests of ours. NULL credentials are none. */
/* Takes a 401 or 407; *tries belongs to the request and begins at 0. true: it may be sent once more, with sip_creds_headers. */
bool sip_creds_challenged(struct sip_creds *c, const sip_t *sip, unsigned *tries);
/* Header lines that answer what is known of challenges, with the next nonce count; NULL: none is known, or out of memory. free. */
char *sip_creds_headers(struct sip_creds *c, const char *method, const char *uri);
/* sip_hangup.c */
/* A BYE in the leg's dialog that goes on by itself, challenges and failures to send it included. false: it cannot be built. */
bool sip_hangup_send(struct sip_leg *leg, const char *hop, const char *reason);
/* Those of a port that closes (NULL: all). */
void sip_hangups_drop(struct sip_ua *ua, const struct sip_port *port);

/* sip_register.c */
int sip_register_recv(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip);
void sip_reg_free(struct sip_reg *reg);

/* sip_uas.c */
int sip_uas_invite(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip);
int sip_uas_overloaded(struct sip_port *port, nta_incoming_t *irq);
int sip_uas_check_required(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip);

/* What an inbound INVITE's transaction hears: ACK, CANCEL, or (sip NULL) neither in time. */
int sip_uas_heard(nta_incoming_magic_t *magic, nta_incoming_t *irq, const sip_t *sip);
void sip_uas_resume(struct sip_leg *leg);
void sip_uas_answer(struct sip_leg *leg, const char *sdp);
/* The peer knows of our 200: the leg is UP. sip: the ACK, or NULL when it is known otherwise. */
void sip_uas_confirmed(struct sip_leg *leg, const sip_t *sip);
/* 503 when nothing may be done now (handler.may_act): answered, true. */
bool sip_uas_silent(struct sip_port *port, nta_incoming_t *irq);

/* sip_bye.c */
/* The CANCEL that this INVITE's callback is being told of: not answered yet. */
void sip_cancel_keep(struct sip_leg *leg, nta_incoming_t *invite);
/* The INVITE of this leg and the CANCEL kept of it, unless sip_leg_keep_bye took them, are answered now. */
void sip_cancel_answer(struct sip_leg *leg);
/* Whether the library's answer to a CANCEL is not to go out yet. */
bool sip_cancel_waits(const struct sip_ua *ua, const nta_agent_t *agent, const sip_t *answer);
/* Those kept back on a port that closes (NULL: all): their transactions go with the agent. */
void sip_byes_drop(struct sip_ua *ua, const struct sip_port *port);
/* Those that were let go of and whose dialog nobody has carried on here since. */
void sip_byes_sweep(struct sip_ua *ua);
/* The peer of a restored leg may have hung up while this process had to be silent: it is told of that in a moment. */
void sip_bye_recall(struct sip_leg *leg);
/* The same for a CANCEL: the leg gets its INVITE's transaction back. */
bool sip_cancel_recall(struct sip_leg *leg);
/* Now. The leg may be gone afterwards: hold a reference. */
void sip_bye_again(struct sip_leg *leg);
/* Nothing more is said in a transaction; or it is ended so. */
void sip_incoming_mute(struct sip_ua *ua, nta_incoming_t *irq);
void sip_incoming_silence(struct sip_ua *ua, nta_incoming_t *irq);

/* sip_refer.c */
int sip_refer_recv(struct sip_leg *leg, nta_incoming_t *irq, const sip_t *sip);
/* Subscriptions on a port that closes (NULL: all) end without a word. */
void sip_refers_drop(struct sip_ua *ua, const struct sip_port *port);

/* sip_subscribe.c */
int sip_subscribe_recv(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip);
/* What waits on a port that closes (NULL: all, without a word to the owner). */
void sip_subscribes_drop(struct sip_ua *ua, const struct sip_port *port);

/* sip_uac.c */
void sip_uac_ack_bye(struct sip_leg *leg);
int sip_uac_send_ack(struct sip_leg *leg, nta_leg_t *dialog, uint32_t cseq, const char *branch);
void sip_uac_drop_forks(struct sip_leg *leg, const nta_leg_t *keep);
void sip_uac_cancel(struct sip_leg *leg);

/* sip_dialog.c */
int sip_dialog_recv(nta_leg_magic_t *magic, nta_leg_t *nta, nta_incoming_t *irq, const sip_t *sip);
void sip_dialog_bye(struct sip_leg *leg, int status, const char *text);
/* The peer has hung up by this BYE, which is answered by whoever finds it in leg->bye_in afterwards. The leg may be gone: hold a reference. */
void sip_dialog_hung_up(struct sip_leg *leg, nta_incoming_t *irq, int cause, const char *text);
/* A re-INVITE (sdp set) or a session refresh (sdp NULL: UPDATE if the peer allows it, else re-INVITE with the last SDP). */
int sip_dialog_offer(struct sip_leg *leg, const char *sdp);
void sip_dialog_source(struct sip_leg *leg, const struct sip_source *src);
/* "sip:ip:port;transport=x" of a URI with a numeric host, or of the first in a route set. ERR_UNSUPPORTED, ERR_TOOBIG. */
int sip_numeric_hop(const char *uri, char *buf, size_t size);
/* Where requests of this dialog are sent to; NULL: let the Request-URI or Route decide. */
const char *sip_dialog_hop(struct sip_leg *leg, char *buf, size_t size);
int sip_dialog_prack_offer(struct sip_leg *leg, nta_incoming_t *irq, char *sdp);
void sip_dialog_retry(struct sip_leg *leg);

/* sip_leg.c */
struct sip_leg *sip_leg_new(struct sip_port *port);
void sip_leg_emit(struct sip_leg *leg, struct sip_event *ev);
/* Emits a last event and lets go of the leg. */
void sip_leg_end(struct sip_leg *leg, enum sip_event_type type, int status, const char *phrase);
/* Frees all transactions and timers and drops the endpoint's reference. Nothing is sent. */
void sip_leg_drop(struct sip_leg *leg);
/* Header lines (malloc, or NULL) that the ACK of the INVITE just sent has to carry. */
void sip_leg_ack_with(struct sip_leg *leg, char *headers);
int sip_leg_target(struct sip_leg *leg, const sip_contact_t *m);
void sip_leg_learn(struct sip_leg *leg, const sip_t *sip);
int sip_leg_routes(struct sip_leg *leg);

/* sip_ua.c */
int sip_ua_recv(nta_agent_magic_t *magic, nta_agent_t *agent, msg_t *msg, sip_t *sip);

/* sip_listen.c */
struct sip_port *sip_port_find(const struct sip_ua *ua, const char *local_ip, int family);
struct sip_port *sip_port_open(struct sip_ua *ua, const char *ip, uint16_t number, const char *field,
                               struct err_info *info);
void sip_port_close(struct sip_ua *ua, size_t slot);

/* sip_gate.c */
void sip_gate_add(struct sip_ua *ua);
void sip_gate_remove(struct sip_ua *ua);
bool sip_may_act(const struct sip_ua *ua);
/* Nothing more of the transaction with this branch leaves. */
void sip_gate_mute(struct sip_ua *ua, const char *branch, unsigned ms);
void sip_gate_unmute(struct sip_ua *ua, const char *branch);
/* Answers 100; the library's own are held back. */
void sip_gate_trying(nta_incoming_t *irq);
void sip_gate_pass_100(bool pass); /* while one of somebody else's is forwarded */
void sip_gate_sweep(struct sip_ua *ua);

/* sip_restore.c */
/* A response that belongs to no transaction: true when it was dealt with (msg is not taken). */
void sip_restore_stray(struct sip_port *port, const msg_t *msg, const sip_t *sip);
/* A request inside a dialog that is no longer ours. */
bool sip_restore_forgotten(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip);
/* Like sip_leg_forget, also for a leg that the owner has released or that is being torn down. */
void sip_leg_abandon(struct sip_leg *leg);
bool sip_limbo_has(const struct sip_ua *ua, const char *call_id, const char *local_tag);
void sip_limbo_sweep(struct sip_ua *ua, const struct sip_port *port, bool all);
/* The transaction of an INVITE of a forgotten leg with the same identifiers goes on for this one. */
bool sip_limbo_adopt_invite(struct sip_leg *leg);
/* The dialog of a leg with both tags. */
nta_leg_t *sip_leg_make_dialog(struct sip_leg *leg);

/* sip_timer.c */
/* Like sip_timer_start for an interval that began somewhere else at an unknown time. */
void sip_timer_resume(struct sip_leg *leg);
void sip_timer_confirm(struct sip_leg *leg, unsigned ms);
/* Session-Expires for an answer of ours (NULL: none); fills the leg. Returns 422 when the peer asks for too little. */
int sip_timer_offered(struct sip_leg *leg, const sip_t *sip);
void sip_timer_accepted(struct sip_leg *leg, const sip_t *sip); /* a 2xx to a request of ours */
void sip_timer_start(struct sip_leg *leg);
void sip_timer_stop(struct sip_leg *leg);
const char *sip_timer_answer(const struct sip_leg *leg, char *buf, size_t size);
const char *sip_timer_ask(const struct sip_leg *leg, char *buf, size_t size);
void sip_timer_retry(struct sip_leg *leg, unsigned ms);
void sip_timer_guard(struct sip_leg *leg, unsigned ms);

#endif
