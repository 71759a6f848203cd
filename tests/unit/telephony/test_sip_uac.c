/* Outbound calls. */
#include "test_sip_env.h"

START_TEST(answered_and_bye)
{
    struct env *e = env_new();
    env_start(e);
    struct peer *p = peer_udp(e);
    struct sip_leg *leg = peer_called(p);
    peer_expect(p, "INVITE sip:1001@127.0.0.1");
    ck_assert_str_eq(peer_body(p), SDP_B);
    ck_assert_str_eq(peer_header(p, "CSeq"), "100 INVITE");
    ck_assert_ptr_nonnull(strstr(peer_header(p, "Via"), "z9hG4bKout"));
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
    peer_free(p);
    env_stop(e);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sip outbound");
    TCase *t = tcase_create("calls");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, answered_and_bye);
    suite_add_tcase(s, t);
    return run_suite(s);
}
