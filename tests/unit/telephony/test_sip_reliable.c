/* Before a call is answered: reliable provisional answers (RFC 3262), offers and answers in them, early UPDATE (RFC 3311). */
#include "tests/unit/telephony/test_sip_env.h"

static void prack(struct peer *p, const char *body)
{
    char rack[64];
    snprintf(rack, sizeof rack, "RAck: %s 1 INVITE\r\n", peer_header(p, "RSeq"));
    p->cseq++;
    peer_request(p, "PRACK", rack, body);
}

START_TEST(reliable_ring)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    peer_request(p, "INVITE", "Require: 100rel\r\n", SDP_A);
    env_until(e, e->leg != NULL);
    ck_assert(e->inv.wants_100rel);
    ck_assert_uint_eq(e->inv.hops, 0); /* Max-Forwards: 70 */
    ck_assert_int_eq(sip_leg_ring(e->leg, 180, NULL), 0);
    peer_expect(p, "SIP/2.0 180");
    ck_assert_str_eq(peer_header(p, "Require"), "100rel");
    char first[64];
    copy_text(first, sizeof first, peer_header(p, "RSeq"));
    peer_expect(p, "SIP/2.0 180"); /* again until the PRACK */
    ck_assert_str_eq(peer_header(p, "RSeq"), first);
    /* early media and the answer wait for the PRACKs */
    ck_assert_int_eq(sip_leg_ring(e->leg, 183, SDP_B), 0);
    prack(p, NULL);
    peer_expect(p, "SIP/2.0 200");
    ck_assert_str_eq(peer_header(p, "CSeq"), "2 PRACK");
    peer_expect(p, "SIP/2.0 183");
    ck_assert_str_eq(peer_body(p), SDP_B);
    ck_assert_int_eq(atoi(peer_header(p, "RSeq")), atoi(first) + 1);
    ck_assert_int_eq(sip_leg_answer(e->leg, SDP_B), 0);
    prack(p, NULL);
    peer_expect(p, "SIP/2.0 200");
    ck_assert_str_eq(peer_header(p, "CSeq"), "3 PRACK");
    peer_expect(p, "SIP/2.0 200");
    ck_assert_str_eq(peer_header(p, "CSeq"), "1 INVITE");
    unsigned last = p->cseq;
    p->cseq = 1;
    peer_request(p, "ACK", "", NULL);
    env_event(e, SIP_EV_ACKED);
    p->cseq = last + 1;
    peer_request(p, "PRACK", "RAck: 77 1 INVITE\r\n", NULL);
    peer_expect(p, "SIP/2.0 481");
    p->cseq++;
    peer_request(p, "BYE", "", NULL);
    peer_expect(p, "SIP/2.0 200");
    env_event(e, SIP_EV_ENDED);
}
END_TEST

/* What was said and acknowledged is not said once more in the next provisional answer, which then needs no PRACK either. */
START_TEST(said_once)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    peer_request(p, "INVITE", "Supported: 100rel\r\n", SDP_A);
    env_until(e, e->leg != NULL);
    ck_assert_int_eq(sip_leg_ring(e->leg, 183, SDP_B), 0);
    peer_expect(p, "SIP/2.0 183");
    prack(p, NULL);
    peer_expect(p, "SIP/2.0 200");
    ck_assert_int_eq(sip_leg_ring(e->leg, 180, SDP_B), 0);
    peer_expect(p, "SIP/2.0 180");
    ck_assert_str_eq(peer_header(p, "Require"), "");
    ck_assert_str_eq(peer_body(p), "");
    ck_assert_int_eq(sip_leg_answer(e->leg, SDP_B), 0);
    peer_expect(p, "SIP/2.0 200");
    ck_assert_str_eq(peer_header(p, "CSeq"), "1 INVITE");
}
END_TEST

START_TEST(prack_never_comes)
{
    struct env *e = env_new();
    e->cfg.t1_ms = 20;
    e->cfg.t1x64_ms = 600;
    env_start(e);
    struct peer *p = peer_udp(e);
    peer_request(p, "INVITE", "Supported: 100rel\r\n", SDP_A);
    env_until(e, e->leg != NULL);
    ck_assert_int_eq(sip_leg_ring(e->leg, 180, NULL), 0); /* supported only, no SDP: not reliable */
    peer_expect(p, "SIP/2.0 180");
    ck_assert_str_eq(peer_header(p, "RSeq"), "");
    ck_assert_int_eq(sip_leg_ring(e->leg, 183, SDP_B), 0);
    struct seen *s = env_event(e, SIP_EV_FAILED);
    ck_assert_int_eq(s->status, 504);
    while (strncmp(peer_recv_ms(p, WAIT_MS), "SIP/2.0 183", 11) == 0)
        continue;
    ck_assert_int_eq(peer_status(p), 504);
    peer_request(p, "ACK", "", NULL);
    for (int i = 0; i < 100; i++)
        env_turn(e);
    env_no_event(e);
    peer_free(p);
    env_stop(e);
}
END_TEST

START_TEST(cancel_while_reliable)
{
    struct env *e = env_new();
    env_start(e);
    struct peer *p = peer_udp(e);
    peer_request(p, "INVITE", "Require: 100rel\r\n", SDP_A);
    env_until(e, e->leg != NULL);
    ck_assert_int_eq(sip_leg_ring(e->leg, 183, SDP_B), 0);
    peer_expect(p, "SIP/2.0 183");
    ck_assert_int_eq(sip_leg_answer(e->leg, SDP_B), 0); /* held */
    p->to_tag[0] = '\0';
    peer_request(p, "CANCEL", "", NULL);
    peer_expect(p, "SIP/2.0 200");
    peer_expect(p, "SIP/2.0 487");
    peer_request(p, "ACK", "", NULL);
    env_event(e, SIP_EV_FAILED);
    env_stop(e);
    peer_free(p);
}
END_TEST

START_TEST(delayed_offer)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    peer_request(p, "INVITE", "", NULL);
    env_until(e, e->leg != NULL);
    ck_assert(!e->inv_has_sdp);
    ck_assert_int_eq(sip_leg_answer(e->leg, SDP_B), 0);
    peer_expect(p, "SIP/2.0 200");
    ck_assert_str_eq(peer_body(p), SDP_B);
    peer_request(p, "ACK", "", SDP_A);
    struct seen *s = env_event(e, SIP_EV_ACKED);
    ck_assert_str_eq(s->sdp, SDP_A);
}
END_TEST

/* Our offer goes out in a reliable 183, the answer comes in its PRACK. */
START_TEST(delayed_offer_early)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    peer_request(p, "INVITE", "Supported: 100rel\r\nAllow: INVITE, UPDATE\r\n", NULL);
    env_until(e, e->leg != NULL);
    ck_assert_int_eq(sip_leg_ring(e->leg, 183, SDP_B), 0);
    peer_expect(p, "SIP/2.0 183");
    ck_assert_str_eq(peer_body(p), SDP_B);
    prack(p, SDP_A);
    peer_expect(p, "SIP/2.0 200");
    p->cseq++;
    peer_request(p, "UPDATE", "", SDP_HOLD); /* the first offer is answered: an early UPDATE may offer again */
    struct seen *s = env_event(e, SIP_EV_REOFFER);
    ck_assert_str_eq(s->sdp, SDP_HOLD);
    ck_assert_int_eq(sip_leg_reanswer(e->leg, 200, SDP_B), 0);
    peer_expect(p, "SIP/2.0 200");
    ck_assert_str_eq(peer_body(p), SDP_B);
    ck_assert_int_eq(sip_leg_answer(e->leg, SDP_B), 0);
    peer_expect(p, "SIP/2.0 200");
    p->cseq = 1;
    peer_request(p, "ACK", "", NULL);
    s = env_event(e, SIP_EV_ACKED);
    ck_assert_str_eq(s->sdp, SDP_A);
}
END_TEST

START_TEST(early_update_too_soon)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    peer_request(p, "INVITE", "", SDP_A);
    env_until(e, e->leg != NULL);
    ck_assert_int_eq(sip_leg_ring(e->leg, 180, NULL), 0);
    peer_expect(p, "SIP/2.0 180");
    p->cseq++;
    peer_request(p, "UPDATE", "", SDP_HOLD);
    peer_expect(p, "SIP/2.0 500");
    ck_assert_str_ne(peer_header(p, "Retry-After"), "");
    p->cseq++;
    peer_request(p, "INVITE", "", SDP_HOLD);
    peer_expect(p, "SIP/2.0 500");
    env_no_event(e);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sip before the answer");
    TCase *t = tcase_create("calls");
    tcase_set_timeout(t, 60);
    TCase *plain = tcase_create("calls of one UDP peer");
    tcase_set_timeout(plain, 60);
    tcase_add_checked_fixture(plain, rig_up, rig_down);
    tcase_add_test(plain, reliable_ring);
    tcase_add_test(plain, said_once);
    tcase_add_test(t, prack_never_comes);
    tcase_add_test(t, cancel_while_reliable);
    tcase_add_test(plain, delayed_offer);
    tcase_add_test(plain, delayed_offer_early);
    tcase_add_test(plain, early_update_too_soon);
    suite_add_tcase(s, t);
    suite_add_tcase(s, plain);
    return run_suite(s);
}
