/* Outbound calls. */
#include "tests/unit/telephony/test_sip_env.h"

START_TEST(answered_and_bye)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_leg *leg = peer_called(p);
    peer_expect(p, "INVITE sip:1001@127.0.0.1");
    ck_assert_str_eq(peer_body(p), SDP_B);
    ck_assert_str_eq(peer_header(p, "CSeq"), "100 INVITE");
    ck_assert_ptr_nonnull(strstr(peer_header(p, "Via"), "z9hG4bKout"));
    ck_assert_ptr_nonnull(strstr(peer_header(p, "Via"), ";rport"));
    ck_assert_ptr_nonnull(strstr(peer_header(p, "From"), "\"Ever \\\"line\\\"\" <sip:10000@127.0.0.1>;tag=ourtag"));
    char invite[MSG_MAX];
    memcpy(invite, p->msg, sizeof invite);
    peer_reply(p, 100, NULL, "", NULL);
    peer_reply(p, 180, "callee", "", NULL);
    struct seen *s = env_event(e, SIP_EV_PROGRESS);
    ck_assert_int_eq(s->status, 180);
    peer_reply(p, 200, "callee", "", SDP_A);
    s = env_event(e, SIP_EV_ANSWERED);
    ck_assert_str_eq(s->sdp, SDP_A);
    ck_assert_int_eq(sip_leg_ack(leg), 0);
    ck_assert_int_eq(sip_leg_ack(leg), ERR_BADSTATE);
    peer_expect(p, "ACK sip:p@127.0.0.1");
    ck_assert_str_eq(peer_header(p, "CSeq"), "100 ACK");
    /* the 200 again: the ACK again */
    memcpy(p->msg, invite, sizeof invite);
    peer_reply(p, 200, "callee", "", SDP_A);
    peer_expect(p, "ACK sip:p@127.0.0.1");
    env_no_event(e);
    struct sip_dialog d;
    sip_leg_dialog(leg, &d);
    ck_assert_str_eq(d.remote_tag, "callee");
    ck_assert_str_eq(d.local_tag, "ourtag");
    ck_assert_uint_eq(d.local_cseq, 100);
    sip_leg_release(leg, 0, NULL);
    peer_expect(p, "BYE sip:p@127.0.0.1");
    ck_assert_str_eq(peer_header(p, "CSeq"), "101 BYE");
    peer_reply(p, 200, NULL, "", NULL);
}
END_TEST

static void establish(struct peer *p, struct sip_leg **leg)
{
    *leg = peer_called(p);
    peer_expect(p, "INVITE ");
    peer_reply(p, 200, "callee", "Allow: INVITE, ACK, BYE, UPDATE\r\n", SDP_A);
    env_event(p->e, SIP_EV_ANSWERED);
    ck_assert_int_eq(sip_leg_ack(*leg), 0);
    peer_expect(p, "ACK ");
}

START_TEST(refused)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    peer_called(p);
    peer_expect(p, "INVITE ");
    char invite[MSG_MAX];
    memcpy(invite, p->msg, sizeof invite);
    peer_reply(p, 180, "t", "", NULL);
    env_event(e, SIP_EV_PROGRESS);
    memcpy(p->msg, invite, sizeof invite);
    peer_reply(p, 486, "t", "Retry-After: 9\r\n", NULL);
    peer_expect(p, "ACK sip:1001@");
    struct seen *s = env_event(e, SIP_EV_FAILED);
    ck_assert_int_eq(s->status, 486);
    ck_assert_int_eq(s->retry_after_s, 9);
    peer_called(p);
    peer_expect(p, "INVITE ");
    peer_reply(p, 302, "t", "", NULL);
    peer_expect(p, "ACK ");
    s = env_event(e, SIP_EV_FAILED);
    ck_assert_int_eq(s->status, 302);
    ck_assert_int_eq(strncmp(s->redirect, "sip:p@127.0.0.1:", 16), 0);
}
END_TEST

START_TEST(nobody_there)
{
    struct env *e = env_new();
    e->cfg.t1_ms = 20;
    e->cfg.t1x64_ms = 400;
    env_start(e);
    struct peer *p = peer_udp(e);
    peer_called(p);
    struct seen *s = env_event(e, SIP_EV_FAILED);
    ck_assert_int_eq(s->status, 408);
    /* nothing listens there: TCP is refused */
    struct peer *t = peer_udp(e);
    t->tcp = true;
    peer_called(t);
    s = env_event(e, SIP_EV_FAILED);
    ck_assert_int_eq(s->status, 503);
    peer_free(p);
    t->tcp = false;
    peer_free(t);
    env_stop(e);
}
END_TEST

/* Before any answer the CANCEL waits (RFC 3261 9.1). */
START_TEST(cancel_early)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_leg *leg = peer_called(p);
    peer_expect(p, "INVITE ");
    char invite[MSG_MAX];
    memcpy(invite, p->msg, sizeof invite);
    sip_leg_release(leg, 200, "Call completed elsewhere");
    const char *m = peer_recv_ms(p, 300);
    ck_assert(m == NULL);
    peer_reply(p, 180, "callee", "", NULL);
    peer_expect(p, "CANCEL sip:1001@");
    ck_assert_ptr_nonnull(strstr(peer_header(p, "Reason"), "elsewhere"));
    ck_assert_str_eq(peer_header(p, "CSeq"), "100 CANCEL");
    peer_reply(p, 200, "callee", "", NULL);
    memcpy(p->msg, invite, sizeof invite);
    peer_reply(p, 487, "callee", "", NULL);
    peer_expect(p, "ACK ");
    struct sip_stats st;
    sip_ua_get_stats(e->ua, &st);
    ck_assert_uint_eq(st.legs, 0);
    env_no_event(e);
}
END_TEST

/* The 200 crosses the CANCEL: ACK and BYE. */
static void late_200(bool tcp)
{
    struct env *e = env_new();
    env_start(e);
    struct peer *p = peer_udp(e), *l = NULL;
    if (tcp) {
        l = p;
        p = calloc(1, sizeof *p);
        *p = *l;
        int s = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof a;
        ck_assert_int_eq(bind(s, (struct sockaddr *)&a, len), 0);
        ck_assert_int_eq(listen(s, 1), 0);
        getsockname(s, (struct sockaddr *)&a, &len);
        p->port = ntohs(a.sin_port);
        p->tcp = true;
        p->fd = s;
    }
    struct sip_leg *leg = peer_called(p);
    if (tcp) {
        int s = p->fd;
        fcntl(s, F_SETFL, O_NONBLOCK);
        env_until(e, (p->fd = accept4(s, NULL, NULL, SOCK_NONBLOCK)) >= 0);
        close(s);
    }
    peer_expect(p, "INVITE ");
    char invite[MSG_MAX];
    memcpy(invite, p->msg, sizeof invite);
    peer_reply(p, 180, "callee", "", NULL);
    env_event(e, SIP_EV_PROGRESS);
    sip_leg_release(leg, 0, NULL);
    peer_expect(p, "CANCEL ");
    peer_reply(p, 481, "callee", "", NULL);
    memcpy(p->msg, invite, sizeof invite);
    peer_reply(p, 200, "callee", "", SDP_A);
    peer_expect(p, "ACK ");
    peer_expect(p, "BYE ");
    peer_reply(p, 200, NULL, "", NULL);
    struct sip_stats st;
    sip_ua_get_stats(e->ua, &st);
    ck_assert_uint_eq(st.legs, 0);
    env_no_event(e);
    peer_free(p);
    if (l)
        peer_free(l);
    env_stop(e);
}

/* The 200 crosses the CANCEL and comes while this node must be silent: its repetition afterwards gets ACK and BYE. */
START_TEST(late_200_in_silence)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_leg *leg = peer_called(p);
    peer_expect(p, "INVITE ");
    char invite[MSG_MAX];
    memcpy(invite, p->msg, sizeof invite);
    peer_reply(p, 180, "callee", "", NULL);
    env_event(e, SIP_EV_PROGRESS);
    sip_leg_release(leg, 200, "Call completed elsewhere");
    peer_expect(p, "CANCEL ");
    peer_reply(p, 200, "callee", "", NULL);
    e->silent = true;
    memcpy(p->msg, invite, sizeof invite);
    peer_reply(p, 200, "callee", "", SDP_A);
    ck_assert(peer_recv_ms(p, 300) == NULL);
    memcpy(p->msg, invite, sizeof invite);
    peer_reply(p, 200, "callee", "", SDP_A);
    ck_assert(peer_recv_ms(p, 300) == NULL);
    e->silent = false;
    const char *heard = NULL;
    for (int i = 0; !heard && i < 20; i++) { /* as a telephone does (RFC 3261 13.3.1.4) */
        memcpy(p->msg, invite, sizeof invite);
        peer_reply(p, 200, "callee", "", SDP_A);
        heard = peer_recv_ms(p, 200);
    }
    ck_assert(heard && strncmp(heard, "ACK ", 4) == 0);
    peer_expect(p, "BYE ");
    peer_reply(p, 200, NULL, "", NULL);
    struct sip_stats st;
    sip_ua_get_stats(e->ua, &st);
    ck_assert_uint_eq(st.legs, 0);
    env_no_event(e);
}
END_TEST

/* Hears nothing from the endpoint while `away`: what is sent to it is refused by its host. */
static void peer_away(struct peer *p, bool away)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    sa.sin_port = htons(away ? 9 : p->e->port);
    ck_assert_int_eq(connect(p->fd, (struct sockaddr *)&sa, sizeof sa), 0);
}

static struct sip_leg *called_and_answered(struct env *e, struct peer *p)
{
    struct sip_leg *leg = peer_called(p);
    peer_expect(p, "INVITE ");
    peer_reply(p, 200, "callee", "", SDP_A);
    env_event(e, SIP_EV_ANSWERED);
    return leg;
}

/* The library gives up a BYE when its first packet cannot be delivered. */
START_TEST(bye_cannot_leave)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_leg *leg = called_and_answered(e, p);
    ck_assert_int_eq(sip_leg_ack(leg), 0);
    peer_expect(p, "ACK ");
    peer_away(p, true);
    sip_leg_release(leg, 0, NULL);
    ck_assert(peer_recv_ms(p, 300) == NULL);
    peer_away(p, false);
    peer_expect(p, "BYE ");
    peer_reply(p, 200, NULL, "", NULL);
    ck_assert(peer_recv_ms(p, 1500) == NULL);
}
END_TEST

/* It is not sent late, when another node may carry the call on: only to who was called off. */
START_TEST(bye_and_silence)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
        struct sip_leg *leg = called_and_answered(e, p);
        peer_away(p, true);
        sip_leg_release(leg, elsewhere ? 200 : 0, "Call completed elsewhere");
        ck_assert(peer_recv_ms(p, 300) == NULL);
        e->silent = true;
        ck_assert(peer_recv_ms(p, 1200) == NULL);
        e->silent = false;
        peer_away(p, false);
        if (elsewhere) {
            peer_expect(p, "BYE ");
            peer_reply(p, 200, NULL, "", NULL);
        } else {
            ck_assert(peer_recv_ms(p, 1500) == NULL);
        }
    }
}
END_TEST

START_TEST(late_200_udp)
{
    late_200(false);
}
END_TEST

START_TEST(late_200_tcp)
{
    late_200(true);
}
END_TEST

START_TEST(released_before_ack)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_leg *leg = peer_called(p);
    peer_expect(p, "INVITE ");
    peer_reply(p, 200, "callee", "", NULL);
    struct seen *s = env_event(e, SIP_EV_ANSWERED);
    ck_assert(!s->has_sdp);
    sip_leg_release(leg, 488, "No SDP");
    peer_expect(p, "ACK ");
    peer_expect(p, "BYE ");
    ck_assert_ptr_nonnull(strstr(peer_header(p, "Reason"), "cause=488"));
}
END_TEST

START_TEST(reliable_progress)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_leg *leg = peer_called(p);
    peer_expect(p, "INVITE ");
    ck_assert_ptr_nonnull(strstr(peer_header(p, "Supported"), "100rel"));
    char invite[MSG_MAX];
    memcpy(invite, p->msg, sizeof invite);
    peer_reply(p, 183, "callee", "Require: 100rel\r\nRSeq: 7\r\n", SDP_A);
    struct seen *s = env_event(e, SIP_EV_PROGRESS);
    ck_assert(s->early_reliable);
    ck_assert_str_eq(s->sdp, SDP_A);
    peer_expect(p, "PRACK sip:p@");
    ck_assert_str_eq(peer_header(p, "RAck"), "7 100 INVITE");
    ck_assert_str_eq(peer_header(p, "CSeq"), "101 PRACK");
    peer_reply(p, 200, NULL, "", NULL);
    memcpy(p->msg, invite, sizeof invite);
    peer_reply(p, 183, "callee", "Require: 100rel\r\nRSeq: 7\r\n", SDP_A); /* a retransmission */
    memcpy(p->msg, invite, sizeof invite);
    peer_reply(p, 180, "callee", "Require: 100rel\r\nRSeq: 9\r\n", NULL); /* 8 is missing: not taken */
    memcpy(p->msg, invite, sizeof invite);
    peer_reply(p, 180, "callee", "Require: 100rel\r\nRSeq: 8\r\n", NULL);
    s = env_event(e, SIP_EV_PROGRESS);
    ck_assert_int_eq(s->status, 180);
    peer_expect(p, "PRACK ");
    ck_assert_str_eq(peer_header(p, "RAck"), "8 100 INVITE");
    peer_reply(p, 200, NULL, "", NULL);
    env_no_event(e);
    memcpy(p->msg, invite, sizeof invite);
    peer_reply(p, 200, "callee", "", SDP_A);
    env_event(e, SIP_EV_ANSWERED);
    ck_assert_int_eq(sip_leg_ack(leg), 0);
    peer_expect(p, "ACK ");
    ck_assert_str_eq(peer_header(p, "CSeq"), "100 ACK");
    sip_leg_release(leg, 0, NULL);
    peer_expect(p, "BYE ");
    ck_assert_str_eq(peer_header(p, "CSeq"), "103 BYE");
}
END_TEST

/* A proxy forks: two early dialogs, the first 2xx wins, the other branch's 2xx is ACKed and BYEd. */
START_TEST(forks)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_leg *leg = peer_called(p);
    peer_expect(p, "INVITE ");
    char invite[MSG_MAX];
    memcpy(invite, p->msg, sizeof invite);
    for (int i = 0; i < 12; i++) { /* more than are followed */
        char tag[16];
        snprintf(tag, sizeof tag, "fork%d", i);
        memcpy(p->msg, invite, sizeof invite);
        peer_reply(p, 180, tag, "", NULL);
        env_event(e, SIP_EV_PROGRESS);
    }
    memcpy(p->msg, invite, sizeof invite);
    peer_reply(p, 200, "fork10", "", SDP_A);
    env_event(e, SIP_EV_ANSWERED);
    ck_assert_int_eq(sip_leg_ack(leg), 0);
    peer_expect(p, "ACK ");
    ck_assert_ptr_nonnull(strstr(peer_header(p, "To"), "fork10"));
    memcpy(p->msg, invite, sizeof invite);
    peer_reply(p, 200, "fork3", "", SDP_A);
    peer_expect(p, "ACK ");
    ck_assert_ptr_nonnull(strstr(peer_header(p, "To"), "fork3"));
    peer_expect(p, "BYE ");
    ck_assert_ptr_nonnull(strstr(peer_header(p, "To"), "fork3"));
    peer_reply(p, 200, NULL, "", NULL);
    env_no_event(e);
    struct sip_dialog d;
    sip_leg_dialog(leg, &d);
    ck_assert_str_eq(d.remote_tag, "fork10");
}
END_TEST

START_TEST(record_routes)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_leg *leg = peer_called(p);
    peer_expect(p, "INVITE ");
    char rr[160];
    snprintf(rr, sizeof rr, "Record-Route: <sip:far.example.com;lr>\r\nRecord-Route: <sip:127.0.0.1:%u;lr>\r\n",
             p->port);
    peer_reply(p, 200, "callee", rr, SDP_A);
    env_event(e, SIP_EV_ANSWERED);
    ck_assert_int_eq(sip_leg_ack(leg), 0);
    peer_expect(p, "ACK sip:p@127.0.0.1"); /* loose: the target stays in the Request-URI */
    ck_assert_ptr_nonnull(strstr(peer_header_nth(p, "Route", 0), "127.0.0.1"));
    struct sip_dialog d;
    sip_leg_dialog(leg, &d);
    char want[160];
    snprintf(want, sizeof want, "<sip:127.0.0.1:%u;lr>, <sip:far.example.com;lr>", p->port);
    ck_assert_str_eq(d.route_set, want);
}
END_TEST

/* A phone behind proxies: the INVITE goes to the first, and says the others. */
START_TEST(path_of_proxies)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    char route[128], target[160], call_id[64], branch[64];
    struct sip_leg *leg = NULL;
    struct sip_out_params params = peer_params(p, target, call_id, branch);
    snprintf(route, sizeof route, "<sip:127.0.0.1:%u;lr>, <sip:far.example.com;lr>", p->port);
    params.target = "sip:8001@10.9.9.9:5070"; /* nobody is there */
    params.route = route;
    params.hops = 3;
    ck_assert_int_eq(sip_leg_invite(e->ua, &params, &leg, NULL), 0);
    peer_expect(p, "INVITE sip:8001@10.9.9.9:5070 ");
    ck_assert_str_eq(peer_header(p, "Max-Forwards"), "67");
    ck_assert_ptr_nonnull(strstr(route, peer_header_nth(p, "Route", 0)));
    ck_assert_str_eq(peer_header_nth(p, "Route", 1), "<sip:far.example.com;lr>");
    peer_reply(p, 486, "callee", "", NULL);
    peer_expect(p, "ACK ");
    env_event(e, SIP_EV_FAILED);
    /* A circle of calls ends. */
    params.hops = 70;
    params.cseq++;
    params.branch = "z9hG4bKlast";
    ck_assert_int_eq(sip_leg_invite(e->ua, &params, &leg, NULL), 0);
    peer_expect(p, "INVITE ");
    ck_assert_str_eq(peer_header(p, "Max-Forwards"), "0");
    peer_reply(p, 483, "callee", "", NULL);
    peer_expect(p, "ACK ");
    env_event(e, SIP_EV_FAILED);
}
END_TEST

START_TEST(too_short_session)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_leg *leg = peer_called(p);
    peer_expect(p, "INVITE ");
    ck_assert_str_eq(peer_header(p, "Session-Expires"), "1800");
    peer_reply(p, 422, "t", "Min-SE: 3600\r\n", NULL);
    peer_expect(p, "ACK ");
    peer_expect(p, "INVITE ");
    ck_assert_str_eq(peer_header(p, "CSeq"), "101 INVITE");
    ck_assert_str_eq(peer_header(p, "Session-Expires"), "3600");
    peer_reply(p, 200, "callee", "Session-Expires: 3600;refresher=uas\r\n", SDP_A);
    env_event(e, SIP_EV_ANSWERED);
    ck_assert_int_eq(sip_leg_ack(leg), 0);
    peer_expect(p, "ACK ");
    struct sip_dialog d;
    sip_leg_dialog(leg, &d);
    ck_assert_uint_eq(d.session_expires_s, 3600);
    ck_assert(!d.refresher_is_us);
}
END_TEST

START_TEST(peer_hangs_up)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_leg *leg;
    establish(p, &leg);
    struct sip_dialog d;
    sip_leg_dialog(leg, &d);
    peer_text(p, NULL,
              "BYE sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKbye%d\r\nMax-Forwards: 70\r\n"
              "From: <sip:1001@127.0.0.1>;tag=callee\r\nTo: <sip:10000@127.0.0.1>;tag=ourtag\r\nCall-ID: %s\r\nCSeq: 1 "
              "BYE\r\n",
              p->port, (int)getpid(), d.call_id);
    peer_expect(p, "SIP/2.0 200");
    env_event(e, SIP_EV_ENDED);
}
END_TEST

START_TEST(bad_parameters)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    static const struct {
        const char *target, *flow, *local_ip;
        int rc;
    } bad[] = {
        {"sip:1001@phone.example.com", NULL, NULL, ERR_UNSUPPORTED},
        {"sip:1001@[::1]:5060", NULL, NULL, ERR_UNSUPPORTED},
        {"sip:1001@127.0.0.1;transport=ws", NULL, NULL, ERR_UNSUPPORTED},
        {"tel:1001", NULL, NULL, ERR_INVAL},
        {"sip:1001@127.0.0.1?Subject=x", NULL, NULL, ERR_INVAL},
        {"sip:1001@127.0.0.1", "tcp:nowhere:5060", NULL, ERR_INVAL},
        {"sip:1001@127.0.0.1", "nonsense", NULL, ERR_INVAL},
        {"sip:1001@127.0.0.1", NULL, "127.0.0.9", ERR_UNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char target[160], call_id[64], branch[64];
        struct sip_out_params params = peer_params(p, target, call_id, branch);
        params.target = bad[i].target;
        params.flow = bad[i].flow;
        params.local_ip = bad[i].local_ip;
        struct sip_leg *leg = NULL;
        struct err_info info = {0};
        ck_assert_int_eq(sip_leg_invite(e->ua, &params, &leg, &info), bad[i].rc);
        ck_assert_ptr_null(leg);
        ck_assert_str_ne(info.text, "");
    }
    struct sip_stats st;
    sip_ua_get_stats(e->ua, &st);
    ck_assert_uint_eq(st.legs, 0);
}
END_TEST

/* A name as target is fine when the flow says where to: and "localhost" is an address to us. */
START_TEST(flow_and_localhost)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    char target[160], call_id[64], branch[64], flow[64];
    struct sip_out_params params = peer_params(p, target, call_id, branch);
    snprintf(flow, sizeof flow, "udp:127.0.0.1:%u", p->port);
    params.target = "sip:1001@phone.invalid;transport=ws";
    params.flow = flow;
    params.headers = "X-One: 1\r\nX-Two: 2\r\n";
    struct sip_leg *leg = NULL;
    ck_assert_int_eq(sip_leg_invite(e->ua, &params, &leg, NULL), 0);
    peer_expect(p, "INVITE sip:1001@phone.invalid;transport=ws");
    ck_assert_str_eq(peer_header(p, "X-Two"), "2");
    peer_reply(p, 404, "t", "", NULL);
    peer_expect(p, "ACK ");
    env_event(e, SIP_EV_FAILED);
    params = peer_params(p, target, call_id, branch);
    snprintf(target, sizeof target, "sip:1001@localhost:%u", p->port);
    ck_assert_int_eq(sip_leg_invite(e->ua, &params, &leg, NULL), 0);
    peer_expect(p, "INVITE sip:1001@localhost");
}
END_TEST

/* A phone behind TCP: the call goes over the connection that the phone opened. */
START_TEST(over_phones_connection)
{
    struct env *e = env_new();
    env_start(e);
    struct peer *p = peer_new(e, AF_INET, true);
    peer_request(p, "OPTIONS", "", NULL);
    peer_expect(p, "SIP/2.0 200");
    char target[160], call_id[64], branch[64], flow[64];
    struct sip_out_params params = peer_params(p, target, call_id, branch);
    snprintf(flow, sizeof flow, "tcp:127.0.0.1:%u", p->port);
    params.flow = flow;
    struct sip_leg *leg = NULL;
    ck_assert_int_eq(sip_leg_invite(e->ua, &params, &leg, NULL), 0);
    peer_expect(p, "INVITE ");
    ck_assert_ptr_nonnull(strstr(peer_header(p, "Contact"), ";transport=tcp"));
    peer_reply(p, 200, "callee", "", SDP_A);
    env_event(e, SIP_EV_ANSWERED);
    ck_assert_int_eq(sip_leg_ack(leg), 0);
    peer_expect(p, "ACK ");
    ck_assert_int_eq(sip_leg_reinvite(leg, SDP_HOLD), 0);
    peer_expect(p, "INVITE ");
    peer_reply(p, 200, NULL, "", SDP_A);
    peer_expect(p, "ACK ");
    env_event(e, SIP_EV_REANSWERED);
    sip_leg_release(leg, 0, NULL);
    peer_expect(p, "BYE ");
    peer_reply(p, 200, NULL, "", NULL);
    ck_assert_uint_eq(sip_ua_port(e->ua, 0), e->port);
    peer_free(p);
    env_stop(e);
}
END_TEST

/* Requests of the callee before it answers, in either early dialog. */
START_TEST(early_requests)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_leg *leg = peer_called(p);
    peer_expect(p, "INVITE ");
    char cid[128];
    copy_text(cid, sizeof cid, peer_header(p, "Call-ID"));
    for (int i = 0; i < 2; i++) {
        char tag[16];
        snprintf(tag, sizeof tag, "early%d", i);
        if (i == 0)
            peer_reply(p, 183, tag, "", NULL);
        if (i == 0)
            env_event(e, SIP_EV_PROGRESS);
        peer_text(
            p, NULL,
            "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKe%d%d\r\nMax-Forwards: 70\r\n"
            "From: <sip:1001@127.0.0.1>;tag=%s\r\nTo: <sip:10000@127.0.0.1>;tag=ourtag\r\nCall-ID: %s\r\nCSeq: 1 "
            "OPTIONS\r\n",
            p->port, i, (int)getpid(), tag, cid);
        peer_expect(p, i == 0 ? "SIP/2.0 200" : "SIP/2.0 481"); /* the second dialog was never made */
    }
    sip_leg_release(leg, 0, NULL);
    peer_expect(p, "CANCEL ");
}
END_TEST

/* RFC 6665 NOTIFY without a subscription, as telephones with Allow-Events: talk take it. */
START_TEST(asked_to_answer)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_leg *leg = peer_called(p);
    peer_expect(p, "INVITE ");
    char invite[MSG_MAX];
    snprintf(invite, sizeof invite, "%s", p->msg);
    ck_assert_int_eq(sip_leg_talk(leg), ERR_BADSTATE); /* it has not rung yet */
    peer_reply(p, 180, "early", "", NULL);
    env_event(e, SIP_EV_PROGRESS);
    e->silent = true;
    ck_assert_int_eq(sip_leg_talk(leg), ERR_NOQUORUM);
    e->silent = false;
    ck_assert_int_eq(sip_leg_talk(leg), 0);
    peer_expect(p, "NOTIFY ");
    ck_assert_str_eq(peer_header(p, "Event"), "talk");
    ck_assert_ptr_nonnull(strstr(peer_header(p, "To"), ";tag=early"));
    unsigned cseq = (unsigned)strtoul(peer_header(p, "CSeq"), NULL, 10);
    ck_assert_uint_gt(cseq, 100);
    peer_reply(p, 200, NULL, "", NULL);
    snprintf(p->msg, sizeof p->msg, "%s", invite);
    peer_reply(p, 200, "early", "", SDP_A);
    env_event(e, SIP_EV_ANSWERED);
    ck_assert_int_eq(sip_leg_talk(leg), ERR_BADSTATE);
    ck_assert_int_eq(sip_leg_ack(leg), 0);
    peer_expect(p, "ACK ");
    struct sip_dialog d;
    sip_leg_dialog(leg, &d);
    ck_assert_uint_eq(d.local_cseq, cseq);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sip outbound");
    TCase *t = tcase_create("calls");
    tcase_set_timeout(t, 60);
    TCase *plain = tcase_create("calls of one UDP peer");
    tcase_set_timeout(plain, 60);
    tcase_add_checked_fixture(plain, rig_up, rig_down);
    tcase_add_test(plain, answered_and_bye);
    tcase_add_test(plain, refused);
    tcase_add_test(t, nobody_there);
    tcase_add_test(plain, cancel_early);
    tcase_add_test(plain, late_200_in_silence);
    tcase_add_test(plain, bye_cannot_leave);
    tcase_add_test(plain, bye_and_silence);
    tcase_add_test(t, late_200_udp);
    tcase_add_test(t, late_200_tcp);
    tcase_add_test(plain, released_before_ack);
    tcase_add_test(plain, reliable_progress);
    tcase_add_test(plain, forks);
    tcase_add_test(plain, record_routes);
    tcase_add_test(plain, path_of_proxies);
    tcase_add_test(plain, too_short_session);
    tcase_add_test(plain, peer_hangs_up);
    tcase_add_test(plain, bad_parameters);
    tcase_add_test(plain, flow_and_localhost);
    tcase_add_test(t, over_phones_connection);
    tcase_add_test(plain, early_requests);
    tcase_add_test(plain, asked_to_answer);
    suite_add_tcase(s, t);
    suite_add_tcase(s, plain);
    return run_suite(s);
}
