/* Session timers (RFC 4028), with short intervals. */
#include "tests/unit/telephony/test_sip_env.h"

static struct env *short_sessions(void)
{
    struct env *e = env_new();
    e->cfg.min_se_s = 2;
    e->cfg.session_expires_s = 3;
    env_start(e);
    return e;
}

static void establish(struct env *e, struct peer *p, const char *extra)
{
    peer_request(p, "INVITE", extra, SDP_A);
    env_until(e, e->leg != NULL);
    ck_assert_int_eq(sip_leg_answer(e->leg, SDP_B), 0);
    peer_expect(p, "SIP/2.0 200");
    char expires[64];
    copy_text(expires, sizeof expires, peer_header(p, "Session-Expires"));
    peer_request(p, "ACK", "", NULL);
    env_event(e, SIP_EV_ACKED);
    p->cseq++;
    snprintf(p->msg, sizeof p->msg, "\r\nSession-Expires: %s\r\n", expires);
}

START_TEST(peer_refreshes_then_stops)
{
    struct env *e = short_sessions();
    struct peer *p = peer_udp(e);
    establish(e, p, "Supported: timer\r\nSession-Expires: 3;refresher=uac\r\n");
    ck_assert_str_eq(peer_header(p, "Session-Expires"), "3;refresher=uac");
    uint64_t from = now_ms();
    while (now_ms() < from + 1200)
        env_turn(e);
    peer_request(p, "UPDATE", "Supported: timer\r\nSession-Expires: 3;refresher=uac\r\n", NULL);
    peer_expect(p, "SIP/2.0 200");
    ck_assert_str_eq(peer_header(p, "Session-Expires"), "3;refresher=uac");
    ck_assert_str_eq(peer_header(p, "Require"), "timer");
    from = now_ms();
    peer_expect(p, "BYE "); /* a third of the interval before its end */
    ck_assert_uint_ge(now_ms() - from, 1800);
    peer_reply(p, 200, NULL, "", NULL);
    struct seen *s = env_event(e, SIP_EV_ENDED);
    ck_assert_int_eq(s->status, 408);
    peer_free(p);
    env_stop(e);
}
END_TEST

START_TEST(we_refresh_by_update)
{
    struct env *e = short_sessions();
    struct peer *p = peer_udp(e);
    establish(e, p, "Supported: timer\r\nAllow: INVITE, ACK, BYE, UPDATE\r\nSession-Expires: 3;refresher=uas\r\n");
    ck_assert_str_eq(peer_header(p, "Session-Expires"), "3;refresher=uas");
    for (int i = 0; i < 2; i++) {
        peer_expect(p, "UPDATE ");
        ck_assert_str_eq(peer_body(p), "");
        ck_assert_str_eq(peer_header(p, "Session-Expires"), "3;refresher=uac");
        peer_reply(p, 200, NULL, "Session-Expires: 3;refresher=uac\r\n", NULL);
    }
    env_no_event(e);
    peer_expect(p, "UPDATE "); /* refused: the next try is a re-INVITE */
    peer_reply(p, 501, NULL, "", NULL);
    peer_expect(p, "INVITE ");
    ck_assert_str_eq(peer_body(p), SDP_B);
    peer_reply(p, 200, NULL, "Session-Expires: 3;refresher=uac\r\n", SDP_A);
    peer_expect(p, "ACK ");
    env_no_event(e);
    peer_free(p);
    env_stop(e);
}
END_TEST

/* A peer that knows no session timers gets our refreshes, and is let go when it is dead. */
START_TEST(old_peer_dies)
{
    struct env *e = env_new();
    e->cfg.min_se_s = 2;
    e->cfg.session_expires_s = 3;
    e->cfg.t1_ms = 20;
    e->cfg.t1x64_ms = 300;
    env_start(e);
    struct peer *p = peer_udp(e);
    establish(e, p, "");
    ck_assert_str_eq(peer_header(p, "Session-Expires"), "3;refresher=uas");
    peer_expect(p, "INVITE ");
    struct seen *s = env_event(e, SIP_EV_ENDED);
    ck_assert_int_eq(s->status, 408);
    peer_free(p);
    env_stop(e);
}
END_TEST

START_TEST(intervals)
{
    static const struct {
        const char *ask, *want;
    } row[] = {
        {"Supported: timer\r\nSession-Expires: 600\r\n", "600;refresher=uac"},
        {"Supported: timer\r\nSession-Expires: 7200\r\n", "1800;refresher=uac"},
        {"Supported: timer\r\nSession-Expires: 7200\r\nMin-SE: 3600\r\n", "3600;refresher=uac"},
        {"Supported: timer\r\n", "1800;refresher=uac"},
        {"Session-Expires: 20\r\n", "90;refresher=uas"},
        {"", "1800;refresher=uas"},
    };
    struct env *e = env_new();
    env_start(e);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct peer *p = peer_udp(e);
        e->leg = NULL;
        establish(e, p, row[i].ask);
        ck_assert_str_eq(peer_header(p, "Session-Expires"), row[i].want);
        struct sip_dialog d;
        sip_leg_dialog(e->leg, &d);
        ck_assert_uint_eq(d.session_expires_s, (unsigned)atoi(row[i].want));
        peer_free(p);
    }
    env_stop(e);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sip session timers");
    TCase *t = tcase_create("timers");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, peer_refreshes_then_stops);
    tcase_add_test(t, we_refresh_by_update);
    tcase_add_test(t, old_peer_dies);
    tcase_add_test(t, intervals);
    suite_add_tcase(s, t);
    return run_suite(s);
}
