/* Inbound calls. */
#include "test_sip_env.h"

/* Up to the 200 and its ACK. */
static void establish(struct env *e, struct peer *p, const char *extra)
{
    peer_request(p, "INVITE", extra, SDP_A);
    env_until(e, e->leg != NULL);
    ck_assert_int_eq(sip_leg_answer(e->leg, SDP_B), 0);
    peer_expect(p, "SIP/2.0 200");
    peer_request(p, "ACK", "", NULL);
    env_event(e, SIP_EV_ACKED);
    p->cseq++;
}

START_TEST(answer_and_bye)
{
    struct env *e = env_new();
    env_start(e);
    struct peer *p = peer_udp(e);
    peer_request(p, "INVITE", "User-Agent: raw\r\n", SDP_A);
    peer_expect(p, "SIP/2.0 100");
    env_until(e, e->leg != NULL);
    ck_assert_str_eq(e->inv_text[0], "8001");
    ck_assert_str_eq(e->inv_text[1], "Caller");
    ck_assert_str_eq(e->inv_text[3], "10000");
    ck_assert_str_eq(e->inv_text[6], "demo");
    ck_assert_str_eq(e->inv_sdp, SDP_A);
    ck_assert_int_eq(sip_leg_ring(e->leg, 180, NULL), 0);
    peer_expect(p, "SIP/2.0 180");
    ck_assert_str_eq(p->to_tag, sip_leg_local_tag(e->leg));
    struct sip_dialog d;
    sip_leg_dialog(e->leg, &d);
    ck_assert_ptr_nonnull(strstr(d.invite_text, "INVITE sip:10000@"));
    ck_assert_ptr_nonnull(strstr(d.invite_text, "rport="));
    ck_assert_int_eq(sip_leg_answer(e->leg, SDP_B), 0);
    peer_expect(p, "SIP/2.0 200");
    ck_assert_str_eq(peer_body(p), SDP_B);
    ck_assert_str_eq(p->to_tag, sip_leg_local_tag(e->leg));
    peer_expect(p, "SIP/2.0 200"); /* sent again until the ACK */
    peer_request(p, "ACK", "", NULL);
    env_event(e, SIP_EV_ACKED);
    sip_leg_dialog(e->leg, &d);
    ck_assert_str_eq(d.invite_text, "");
    ck_assert_str_eq(d.remote_tag, p->tag);
    ck_assert_str_eq(d.call_id, p->call_id);
    ck_assert_uint_eq(d.remote_cseq, 1);
    ck_assert(d.inbound);
    p->cseq++;
    peer_request(p, "BYE", "Reason: Q.850;cause=16;text=\"done\"\r\n", NULL);
    peer_expect(p, "SIP/2.0 200");
    struct seen *s = env_event(e, SIP_EV_ENDED);
    ck_assert_str_eq(s->phrase, "\"done\"");
    struct sip_stats st;
    sip_ua_get_stats(e->ua, &st);
    ck_assert_uint_eq(st.legs, 0);
    ck_assert_uint_eq(st.invites_in, 1);
    peer_free(p);
    env_stop(e);
}
END_TEST

START_TEST(we_hang_up)
{
    struct env *e = env_new();
    env_start(e);
    struct peer *p = peer_udp(e);
    establish(e, p, "");
    sip_leg_release(e->leg, 200, "Call \"completed\"");
    peer_expect(p, "BYE sip:8001@127.0.0.1");
    ck_assert_str_eq(peer_header(p, "Reason"), "SIP;cause=200;text=\"Call completed\"");
    peer_reply(p, 200, NULL, "", NULL);
    for (int i = 0; i < 20; i++)
        env_turn(e);
    env_no_event(e);
    peer_free(p);
    env_stop(e);
}
END_TEST

START_TEST(cancel)
{
    struct env *e = env_new();
    env_start(e);
    struct peer *p = peer_udp(e);
    peer_request(p, "INVITE", "", SDP_A);
    peer_expect(p, "SIP/2.0 100");
    p->to_tag[0] = '\0';
    peer_request(p, "CANCEL", "Reason: SIP;cause=200;text=elsewhere\r\n", NULL);
    peer_expect(p, "SIP/2.0 200");
    peer_expect(p, "SIP/2.0 487");
    peer_request(p, "ACK", "", NULL);
    struct seen *s = env_event(e, SIP_EV_FAILED);
    ck_assert_int_eq(s->status, 487);
    peer_free(p);
    env_stop(e);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sip inbound");
    TCase *t = tcase_create("calls");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, answer_and_bye);
    tcase_add_test(t, we_hang_up);
    tcase_add_test(t, cancel);
    suite_add_tcase(s, t);
    return run_suite(s);
}
