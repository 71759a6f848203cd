/* Addresses that come and go, legs that are let go of, and an endpoint that may not act. */
#include "tests/unit/telephony/test_sip_move.h"

/* Whether the port can be had by somebody else at this moment. */
static void is_free(const char *ip, int family, uint16_t port)
{
    const int types[] = {SOCK_DGRAM, SOCK_STREAM};
    for (int i = 0; i < 2; i++) {
        struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
        struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons(port)};
        inet_pton(family, ip, family == AF_INET6 ? (void *)&a6.sin6_addr : (void *)&a4.sin_addr);
        struct sockaddr *sa = family == AF_INET6 ? (struct sockaddr *)&a6 : (struct sockaddr *)&a4;
        int fd = socket(family, types[i], 0), on = 1;
        if (types[i] == SOCK_STREAM) /* what the library sets too: connections just closed do not count */
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        ck_assert_msg(bind(fd, sa, family == AF_INET6 ? sizeof a6 : sizeof a4) == 0, "%s %u: %s", ip, port,
                      strerror(errno));
        if (types[i] == SOCK_STREAM)
            ck_assert_int_eq(listen(fd, 1), 0);
        close(fd);
    }
}

static void answers(struct peer *p)
{
    peer_request(p, "OPTIONS", "", NULL);
    peer_expect(p, "SIP/2.0 200");
    p->to_tag[0] = '\0';
}

START_TEST(comes_and_goes)
{
    static const struct {
        const char *ip;
        int family;
    } at[] = {{"127.0.0.1", AF_INET}, {"::1", AF_INET6}};
    struct env *e = env_new();
    env_start_at(e, "127.0.0.3");
    uint16_t home = e->port;
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(sip_ua_add_listen(e->ua, at[i].ip, 0, NULL), 0);
            e->port = sip_ua_port(e->ua, 1);
            ck_assert_uint_ne(e->port, 0);
            ck_assert_int_eq(sip_ua_add_listen(e->ua, at[i].ip, e->port, NULL), ERR_EXISTS);
            struct peer *udp = peer_new(e, at[i].family, false), *tcp = peer_new(e, at[i].family, true);
            answers(udp);
            answers(tcp);
            sip_ua_drop_listen(e->ua, at[i].ip);
            is_free(at[i].ip, at[i].family, e->port); /* at once: no turn of the loop */
            char c;
            env_until(e, recv(tcp->fd, &c, 1, 0) == 0 || errno == ECONNRESET); /* closed */
            ck_assert_uint_eq(sip_ua_port(e->ua, 1), 0);
            /* the same once more, as another one's */
            ck_assert_int_eq(sip_ua_add_listen(e->ua, at[i].ip, e->port, NULL), 0);
            answers(udp);
            sip_ua_drop_listen(e->ua, at[i].ip);
            peer_free(udp);
            peer_free(tcp);
        }
    sip_ua_drop_listen(e->ua, "127.0.0.1"); /* not there: nothing */
    sip_ua_drop_listen(e->ua, "garbage");
    sip_ua_drop_listen(e->ua, NULL);
    ck_assert_uint_eq(sip_ua_port(e->ua, 0), home);
    env_stop(e);
}
END_TEST

START_TEST(cannot_be_had)
{
    struct env *e = env_new();
    env_start_at(e, "127.0.0.3");
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    inet_pton(AF_INET, "127.0.0.4", &at.sin_addr);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    getsockname(fd, (struct sockaddr *)&at, &len);
    struct err_info info = {0};
    ck_assert_int_eq(sip_ua_add_listen(e->ua, "127.0.0.4", ntohs(at.sin_port), &info), ERR_BUSY);
    ck_assert_int_eq(info.code, ERR_BUSY);
    close(fd);
    ck_assert_int_eq(sip_ua_add_listen(e->ua, "203.0.113.9", 5060, &info), ERR_NOTFOUND);
    ck_assert_int_eq(sip_ua_add_listen(e->ua, "0.0.0.0", 0, &info), ERR_INVAL);
    ck_assert_int_eq(sip_ua_add_listen(e->ua, "example.com", 0, &info), ERR_INVAL);
    ck_assert_int_eq(sip_ua_add_listen(e->ua, NULL, 0, &info), ERR_INVAL);
    ck_assert_int_eq(sip_ua_add_listen(e->ua, "127.0.0.4", ntohs(at.sin_port), &info), 0);
    char ip[32];
    int rc = 0, n = 2;
    for (int i = 0; rc == 0 && i < 40; i++) { /* bounded */
        snprintf(ip, sizeof ip, "127.0.1.%d", i + 1);
        rc = sip_ua_add_listen(e->ua, ip, 0, &info);
        n += rc == 0;
    }
    ck_assert_int_eq(rc, ERR_TOOBIG);
    ck_assert_int_eq(n, 24);
    env_stop(e);
}
END_TEST

/* Each cycle with a leg in it: nothing is left (the leak check of the sanitizer run, and the descriptors here). */
START_TEST(a_thousand_times)
{
    struct env *e = env_new();
    env_start_at(e, "127.0.0.3");
    int first = -1, last = -1;
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(sip_ua_add_listen(e->ua, "127.0.0.1", 0, NULL), 0);
        if (i % 50 == 0) {
            e->port = sip_ua_port(e->ua, 1);
            e->leg = NULL;
            struct peer *p = peer_new(e, AF_INET, i % 100 == 0);
            peer_request(p, "INVITE", "", SDP_A);
            env_until(e, e->leg != NULL);
            if (i % 200 == 0)
                ck_assert_int_eq(sip_leg_answer(e->leg, SDP_B), 0);
            peer_free(p);
        }
        sip_ua_drop_listen(e->ua, "127.0.0.1");
        last = dup(0);
        close(last);
        if (i == 10)
            first = last;
    }
    ck_assert_int_le(last, first + 2);
    struct sip_stats st;
    sip_ua_get_stats(e->ua, &st);
    ck_assert_uint_eq(st.legs, 0);
    env_no_event(e);
    env_stop(e);
}
END_TEST

/* ---- forgotten */

static void nothing_comes(struct peer *p, unsigned ms)
{
    const char *m = peer_recv_ms(p, ms);
    ck_assert_msg(m == NULL, "not silent:\n%s", m);
}

/* Whatever it waits for: ringing, PRACK, ACK, up with an offer of ours or his, outbound in each state. */
START_TEST(forgotten_is_silent)
{
    struct rig r;
    rig_open(&r, AF_INET, _i % 2);
    struct sip_dialog d;
    bool in = true;
    switch (_i / 2) {
    case 0:
        call_comes(&r, "");
        ck_assert_int_eq(sip_leg_ring(r.leg, 180, NULL), 0);
        peer_expect(r.p, "SIP/2.0 180");
        break;
    case 1:
        call_comes(&r, "Supported: 100rel\r\nRequire: 100rel\r\n");
        ck_assert_int_eq(sip_leg_ring(r.leg, 183, SDP_B), 0);
        peer_expect(r.p, "SIP/2.0 183");
        break;
    case 2:
        call_comes(&r, "");
        ck_assert_int_eq(sip_leg_answer(r.leg, SDP_B), 0);
        peer_expect(r.p, "SIP/2.0 200");
        break;
    case 3:
        call_in(&r);
        ck_assert_int_eq(sip_leg_reinvite(r.leg, SDP_B), 0);
        peer_expect(r.p, "INVITE ");
        break;
    case 4:
        call_in(&r);
        r.p->cseq++;
        peer_request(r.p, "INVITE", "", SDP_HOLD);
        env_event(r.a, SIP_EV_REOFFER);
        if (r.p->tcp) {
            ck_assert_int_eq(sip_leg_reanswer(r.leg, 200, SDP_B), 0);
            peer_expect(r.p, "SIP/2.0 200");
        }
        break;
    case 5:
        if (r.p->tcp) { /* a phone that is called does not listen: UDP only */
            call_in(&r);
            break;
        }
        in = false;
        r.leg = peer_called(r.p);
        peer_expect(r.p, "INVITE ");
        copy_text(r.p->call_id, sizeof r.p->call_id, peer_header(r.p, "Call-ID"));
        copy_text(r.p->to_tag, sizeof r.p->to_tag, "ourtag");
        copy_text(r.p->tag, sizeof r.p->tag, "callee");
        break;
    }
    sip_leg_dialog(r.leg, &d);
    while (peer_recv_ms(r.p, 10)) /* what was on its way */
        ;
    sip_leg_forget(r.leg);
    nothing_comes(r.p, 900); /* several times T1 */
    struct sip_stats st;
    sip_ua_get_stats(r.a->ua, &st);
    ck_assert_uint_eq(st.legs, 0);
    if (in && _i / 2 < 3) {
        peer_again(r.p); /* the INVITE once more, and then a CANCEL: somebody else's to answer */
        peer_request(r.p, "CANCEL", "", NULL);
        nothing_comes(r.p, 300);
    }
    /* a request of the dialog is not told that the call is over */
    r.p->cseq += 5;
    if (!r.p->to_tag[0])
        return;
    peer_request(r.p, "UPDATE", "", NULL);
    peer_expect(r.p, "SIP/2.0 503");
    ck_assert_str_eq(peer_header(r.p, "Retry-After"), "1");
    rig_close(&r);
}
END_TEST

/* The late 200 of a re-INVITE of a leg that was let go of is not ended by a BYE. */
START_TEST(forgotten_is_not_ended)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_in(&r);
    ck_assert_int_eq(sip_leg_reinvite(r.leg, SDP_B), 0);
    peer_expect(r.p, "INVITE ");
    sip_leg_forget(r.leg);
    for (int i = 0; i < 5; i++) {
        char keep[MSG_MAX];
        memcpy(keep, r.p->msg, sizeof keep);
        peer_reply(r.p, 200, NULL, "", SDP_A);
        nothing_comes(r.p, 300);
        memcpy(r.p->msg, keep, sizeof keep);
    }
    rig_close(&r);
}
END_TEST

/* ---- may not act */

START_TEST(silent_node)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_in(&r);
    ck_assert_int_eq(sip_leg_reinvite(r.leg, SDP_B), 0);
    peer_expect(r.p, "INVITE ");
    peer_reply(r.p, 488, NULL, "", NULL);
    peer_expect(r.p, "ACK ");
    env_event(r.a, SIP_EV_REANSWERED);
    r.a->silent = true;
    static const char *const methods[] = {"INVITE", "UPDATE", "INFO", "OPTIONS"};
    for (size_t i = 0; i < 4; i++) {
        r.p->cseq++;
        peer_request(r.p, methods[i], "", strcmp(methods[i], "INVITE") == 0 ? SDP_HOLD : NULL);
        peer_expect(r.p, "SIP/2.0 503");
        ck_assert_str_eq(peer_header(r.p, "Retry-After"), "1");
        if (i == 0)
            peer_request(r.p, "ACK", "", NULL);
    }
    struct peer *q = peer_udp(r.a);
    static const char *const opening[] = {"INVITE", "REGISTER", "OPTIONS", "MESSAGE"};
    for (size_t i = 0; i < 4; i++) {
        peer_request(q, opening[i], "", NULL);
        peer_expect(q, "SIP/2.0 503");
        q->to_tag[0] = '\0';
        q->cseq++;
    }
    ck_assert_int_eq(r.a->registers, 0);
    ck_assert_int_eq(r.a->invites, 1);
    /* ours wait, or are refused */
    char target[160], call_id[64], branch[64];
    struct sip_out_params params = peer_params(q, target, call_id, branch);
    struct sip_leg *none = NULL;
    ck_assert_int_eq(sip_leg_invite(r.a->ua, &params, &none, NULL), ERR_NOQUORUM);
    nothing_comes(q, 50);
    ck_assert_int_eq(sip_leg_reinvite(r.leg, SDP_B), 0);
    nothing_comes(r.p, 500);
    r.a->silent = false;
    peer_expect(r.p, "INVITE ");
    peer_reply(r.p, 200, NULL, "", SDP_A);
    peer_expect(r.p, "ACK ");
    env_event(r.a, SIP_EV_REANSWERED);
    /* but a hang-up does not: the call may be another node's by then */
    r.a->silent = true;
    sip_leg_release(r.leg, 0, NULL);
    nothing_comes(r.p, 300);
    r.a->silent = false;
    nothing_comes(r.p, 300);
    peer_free(q);
    rig_close(&r);
}
END_TEST

static struct sip_bye *kept_bye;

static void keep_the_bye(struct env *e, struct sip_leg *leg, const struct sip_event *ev)
{
    (void)e;
    if (ev->type == SIP_EV_ENDED)
        kept_bye = sip_leg_keep_bye(leg);
}

/* A peer does not repeat a BYE that was refused: so it is heard, and not answered, and repeated to whoever may act by then. */
START_TEST(silent_node_hears_a_hang_up)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    kept_bye = NULL;
    r.a->on_event = keep_the_bye;
    call_in(&r);
    r.a->silent = true;
    r.p->cseq++;
    peer_request(r.p, "BYE", "", NULL);
    env_event(r.a, SIP_EV_ENDED);
    ck_assert_ptr_nonnull(kept_bye);
    sip_bye_done(kept_bye, true); /* even so: it may not be said any more */
    nothing_comes(r.p, 100);
    rig_close(&r);
}
END_TEST

/* What has left already is not repeated, and a refresh that is due waits. */
START_TEST(silent_repeats_nothing)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_in(&r);
    save(r.leg, SIP_RESTORE_UP, SDP_B, SDP_A, r.b, &r.s);
    r.s.p.session_expires_s = 12;
    r.s.p.refresher_is_us = true;
    move_address(r.a, r.b, "127.0.0.1", r.a->port);
    r.b->silent = true;
    r.leg = restored(r.b, &r.s);
    nothing_comes(r.p, 1600); /* it is due after 1.5 s at the latest */
    r.b->silent = false;
    peer_expect(r.p, "INVITE ");
    r.b->silent = true;
    nothing_comes(r.p, 1500);
    r.b->silent = false;
    peer_expect(r.p, "INVITE ");
    peer_reply(r.p, 200, NULL, "", SDP_A);
    peer_expect(r.p, "ACK ");
    our_bye(&r);
    rig_close(&r);
}
END_TEST

/* A CANCEL, an ACK, an answer that is to be given: they count when the lease is back. */
START_TEST(silent_for_a_moment)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_comes(&r, "");
    r.a->silent = true;
    ck_assert_int_eq(sip_leg_answer(r.leg, SDP_B), 0);
    ck_assert_int_eq(sip_leg_answer(r.leg, SDP_B), ERR_BADSTATE);
    peer_expect(r.p, "SIP/2.0 100");
    nothing_comes(r.p, 300);
    r.a->silent = false;
    peer_expect(r.p, "SIP/2.0 200");
    r.a->silent = true;
    peer_request(r.p, "ACK", "", NULL);
    while (peer_recv_ms(r.p, 300))
        ;
    env_no_event(r.a);
    r.a->silent = false;
    env_event(r.a, SIP_EV_ACKED);
    our_bye(&r);
    /* another call, given up meanwhile */
    struct peer *q = peer_udp(r.a);
    r.a->leg = NULL;
    peer_request(q, "INVITE", "", SDP_A);
    env_until(r.a, r.a->leg != NULL);
    peer_expect(q, "SIP/2.0 100");
    r.a->silent = true;
    peer_request(q, "CANCEL", "", NULL);
    nothing_comes(q, 300);
    env_no_event(r.a);
    r.a->silent = false;
    peer_expect(q, "SIP/2.0 200");
    peer_expect(q, "SIP/2.0 487");
    env_event(r.a, SIP_EV_FAILED);
    peer_free(q);
    rig_close(&r);
}
END_TEST

Suite *suite(void);
Suite *suite(void)
{
    Suite *s = suite_create("sip addresses and silence");
    TCase *c = tcase_create("addresses");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, comes_and_goes);
    tcase_add_test(c, cannot_be_had);
    tcase_add_test(c, a_thousand_times);
    suite_add_tcase(s, c);
    TCase *f = tcase_create("forgotten and silent");
    tcase_set_timeout(f, 30);
    tcase_add_loop_test(f, forgotten_is_silent, 0, 12);
    tcase_add_test(f, forgotten_is_not_ended);
    tcase_add_test(f, silent_node);
    tcase_add_test(f, silent_node_hears_a_hang_up);
    tcase_add_test(f, silent_repeats_nothing);
    tcase_add_test(f, silent_for_a_moment);
    suite_add_tcase(s, f);
    return s;
}

int main(void)
{
    return run_suite(suite());
}
