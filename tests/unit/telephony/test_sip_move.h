/* Two owners of an address on one loop, and what one hands to the other: the committed dialog. */
#ifndef TEST_SIP_MOVE_H
#define TEST_SIP_MOVE_H

#include "tests/unit/telephony/test_sip_env.h"

struct saved {
    char call_id[128], local_uri[128], remote_uri[128], local_tag[64], remote_tag[64], target[160], route[256],
        flow[80];
    char invite[8192], local_sdp[2048], remote_sdp[2048], ip[64];
    struct sip_restore_params p;
};

static void save(struct sip_leg *leg, enum sip_restore_as as, const char *local_sdp, const char *remote_sdp,
                 struct env *to, struct saved *s)
{
    struct sip_dialog d;
    sip_leg_dialog(leg, &d);
    memset(s, 0, sizeof *s);
    copy_text(s->call_id, sizeof s->call_id, d.call_id);
    copy_text(s->local_uri, sizeof s->local_uri, d.local_uri);
    copy_text(s->remote_uri, sizeof s->remote_uri, d.remote_uri);
    copy_text(s->local_tag, sizeof s->local_tag, d.local_tag);
    copy_text(s->remote_tag, sizeof s->remote_tag, d.remote_tag);
    copy_text(s->target, sizeof s->target, d.remote_target);
    copy_text(s->route, sizeof s->route, d.route_set);
    copy_text(s->flow, sizeof s->flow, d.flow);
    copy_text(s->invite, sizeof s->invite, d.invite_text);
    copy_text(s->ip, sizeof s->ip, d.local_ip);
    copy_text(s->local_sdp, sizeof s->local_sdp, local_sdp);
    copy_text(s->remote_sdp, sizeof s->remote_sdp, remote_sdp);
    s->p = (struct sip_restore_params){
        .as = as,
        .call_id = s->call_id,
        .local_uri = s->local_uri,
        .remote_uri = s->remote_uri,
        .local_tag = s->local_tag,
        .remote_tag = s->remote_tag,
        .remote_target = s->target,
        .route_set = s->route,
        .flow = s->flow,
        .local_cseq = d.local_cseq,
        .remote_cseq = d.remote_cseq,
        .invite_cseq = d.invite_cseq,
        .transport = d.transport,
        .inbound = d.inbound,
        .invite_text = s->invite,
        .local_sdp = s->local_sdp,
        .remote_sdp = s->remote_sdp,
        .session_expires_s = d.session_expires_s,
        .refresher_is_us = d.refresher_is_us,
        .local_ip = s->ip,
        .cb = env_leg_cb,
        .ctx = to,
    };
}

/* A second owner on the loop of the first. */
static struct env *env_second(struct env *first, const char *ip)
{
    struct env *e = env_new();
    e->cfg = first->cfg;
    memset(e->cfg.listen, 0, sizeof e->cfg.listen);
    e->cfg.listen[0].ip = ip;
    e->root = first->root;
    env_open(e);
    return e;
}

static void env_close(struct env *e)
{
    sip_ua_stop(e->ua, false);
    free(e);
}

static void move_address(struct env *from, struct env *to, const char *ip, uint16_t port)
{
    struct err_info info = {0};
    sip_ua_drop_listen(from->ua, ip);
    int rc = sip_ua_add_listen(to->ua, ip, port, &info);
    ck_assert_msg(rc == 0, "%s: %s", info.field, info.text);
}

static struct sip_leg *restored(struct env *to, const struct saved *s)
{
    struct sip_leg *leg = NULL;
    struct err_info info = {0};
    int rc = sip_leg_restore(to->ua, &s->p, &leg, &info);
    ck_assert_msg(rc == 0, "%d %s: %s", rc, info.field, info.text);
    return leg;
}

struct rig {
    struct env *a, *b;
    struct peer *p;
    struct sip_leg *leg; /* of the old owner, then of the new one */
    struct saved s;
};

static void rig_open(struct rig *r, int family, bool tcp)
{
    const char *home = family == AF_INET6 ? "::1" : "127.0.0.1";
    memset(r, 0, sizeof *r);
    r->a = env_new();
    r->a->cfg.t1_ms = 200;
    r->a->cfg.min_se_s = 1;
    env_start_at(r->a, home);
    r->b = env_second(r->a, "127.0.0.2");
    r->p = peer_new(r->a, family, tcp);
}

static void rig_close(struct rig *r)
{
    env_no_event(r->a);
    env_no_event(r->b);
    peer_free(r->p);
    env_close(r->b);
    env_stop(r->a);
}

/* An inbound call at the old owner, not yet answered. */
static UNUSED void call_comes(struct rig *r, const char *extra)
{
    peer_request(r->p, "INVITE", extra, SDP_A);
    env_until(r->a, r->a->leg != NULL);
    r->leg = r->a->leg;
}

/* One that is up. */
static UNUSED void call_in(struct rig *r)
{
    call_comes(r, "Allow: INVITE, ACK, BYE\r\n");
    ck_assert_int_eq(sip_leg_answer(r->leg, SDP_B), 0);
    peer_expect(r->p, "SIP/2.0 200");
    peer_request(r->p, "ACK", "", NULL);
    env_event(r->a, SIP_EV_ACKED);
}

/* An outbound one. */
static UNUSED void call_out(struct rig *r)
{
    r->leg = peer_called(r->p);
    peer_expect(r->p, "INVITE ");
    copy_text(r->p->call_id, sizeof r->p->call_id, peer_header(r->p, "Call-ID"));
    peer_reply(r->p, 200, "callee", "", SDP_A);
    env_event(r->a, SIP_EV_ANSWERED);
    ck_assert_int_eq(sip_leg_ack(r->leg), 0);
    peer_expect(r->p, "ACK ");
}

static void peer_reconnect(struct peer *p);

/* The old owner is gone, its address is the new one's. */
static UNUSED void take_over(struct rig *r, enum sip_restore_as as)
{
    save(r->leg, as, SDP_B, SDP_A, r->b, &r->s);
    uint16_t port = r->a->port;
    move_address(r->a, r->b, r->s.ip, port);
    r->leg = restored(r->b, &r->s);
    if (r->p->tcp)
        peer_reconnect(r->p);
}

static UNUSED void our_reinvite(struct rig *r)
{
    env_until(r->b, sip_leg_reinvite(r->leg, SDP_B) != ERR_BUSY); /* until the ACK of his is here */
    peer_expect(r->p, "INVITE sip:");
    ck_assert_ptr_nonnull(strstr(peer_header(r->p, "To"), ";tag="));
    peer_reply(r->p, 200, NULL, "", SDP_A);
    peer_expect(r->p, "ACK ");
    struct seen *s = env_event(r->b, SIP_EV_REANSWERED);
    ck_assert_int_eq(s->status, 200);
    ck_assert_str_eq(s->sdp, SDP_A);
}

static UNUSED void his_reinvite(struct rig *r)
{
    r->p->cseq++;
    peer_request(r->p, "INVITE", "", SDP_HOLD);
    struct seen *s = env_event(r->b, SIP_EV_REOFFER);
    ck_assert_str_eq(s->sdp, SDP_HOLD);
    ck_assert_int_eq(sip_leg_reanswer(r->leg, 200, SDP_B), 0);
    peer_expect(r->p, "SIP/2.0 200");
    peer_request(r->p, "ACK", "", NULL);
}

static UNUSED void his_bye(struct rig *r)
{
    r->p->cseq++;
    peer_request(r->p, "BYE", "", NULL);
    peer_expect(r->p, "SIP/2.0 200");
    env_event(r->b, SIP_EV_ENDED);
}

static UNUSED void our_bye(struct rig *r)
{
    sip_leg_release(r->leg, 0, NULL);
    peer_expect(r->p, "BYE sip:");
    peer_reply(r->p, 200, NULL, "", NULL);
}

/* The TCP phone comes again after its connection was closed, with a listener where its Contact says. */
static void peer_reconnect(struct peer *p)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    char buf[4096];
    while (recv(p->fd, buf, sizeof buf, 0) != 0) { /* until the end: what is left unread would make it a reset */
        ck_assert(errno == EAGAIN || errno == ECONNRESET);
        if (errno == ECONNRESET)
            break;
        env_turn(p->e);
    }
    memset(&sa, 0, sizeof sa);
    sa.ss_family = (sa_family_t)p->family;
    if (p->family == AF_INET6) {
        ((struct sockaddr_in6 *)&sa)->sin6_addr = in6addr_loopback;
        ((struct sockaddr_in6 *)&sa)->sin6_port = htons(p->e->port);
        len = sizeof(struct sockaddr_in6);
    } else {
        ((struct sockaddr_in *)&sa)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ((struct sockaddr_in *)&sa)->sin_port = htons(p->e->port);
        len = sizeof(struct sockaddr_in);
    }
    close(p->fd);
    p->len = 0;
    p->fd = socket(p->family, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(p->fd, (struct sockaddr *)&sa, len), 0);
    fcntl(p->fd, F_SETFL, O_NONBLOCK);
}

/* The UDP phone hears and talks to another address of ours from now on. */
static UNUSED void peer_turn_to(struct peer *p, const char *ip, uint16_t port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, ip, &sa.sin_addr);
    ck_assert_int_eq(connect(p->fd, (struct sockaddr *)&sa, sizeof sa), 0);
    snprintf(p->target, sizeof p->target, "sip:10000@%s:%u", ip, port);
}

#endif
