/* Legs that change hands: another endpoint goes on with a dialog, on the same address or on another one. */
#include "tests/unit/telephony/test_sip_move.h"

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

/* An inbound call that is up at the old owner. */
static void call_in(struct rig *r)
{
    peer_request(r->p, "INVITE", "Allow: INVITE, ACK, BYE\r\n", SDP_A);
    env_until(r->a, r->a->leg != NULL);
    r->leg = r->a->leg;
    ck_assert_int_eq(sip_leg_answer(r->leg, SDP_B), 0);
    peer_expect(r->p, "SIP/2.0 200");
    peer_request(r->p, "ACK", "", NULL);
    env_event(r->a, SIP_EV_ACKED);
}

/* An outbound one. */
static void call_out(struct rig *r)
{
    r->leg = peer_called(r->p);
    peer_expect(r->p, "INVITE ");
    copy_text(r->p->call_id, sizeof r->p->call_id, peer_header(r->p, "Call-ID"));
    peer_reply(r->p, 200, "callee", "", SDP_A);
    env_event(r->a, SIP_EV_ANSWERED);
    ck_assert_int_eq(sip_leg_ack(r->leg), 0);
    peer_expect(r->p, "ACK ");
}

/* The old owner is gone, its address is the new one's. */
static void take_over(struct rig *r, enum sip_restore_as as)
{
    save(r->leg, as, SDP_B, SDP_A, r->b, &r->s);
    uint16_t port = r->a->port;
    move_address(r->a, r->b, r->s.ip, port);
    r->leg = restored(r->b, &r->s);
    if (r->p->tcp)
        peer_reconnect(r->p);
}

static void our_reinvite(struct rig *r)
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

static void his_reinvite(struct rig *r)
{
    r->p->cseq++;
    peer_request(r->p, "INVITE", "", SDP_HOLD);
    struct seen *s = env_event(r->b, SIP_EV_REOFFER);
    ck_assert_str_eq(s->sdp, SDP_HOLD);
    ck_assert_int_eq(sip_leg_reanswer(r->leg, 200, SDP_B), 0);
    peer_expect(r->p, "SIP/2.0 200");
    peer_request(r->p, "ACK", "", NULL);
}

static void his_bye(struct rig *r)
{
    r->p->cseq++;
    peer_request(r->p, "BYE", "", NULL);
    peer_expect(r->p, "SIP/2.0 200");
    env_event(r->b, SIP_EV_ENDED);
}

static void our_bye(struct rig *r)
{
    sip_leg_release(r->leg, 0, NULL);
    peer_expect(r->p, "BYE sip:");
    peer_reply(r->p, 200, NULL, "", NULL);
}

/* Both directions of everything after the address has moved: UDP, TCP, IPv6. */
static const struct {
    int family;
    bool tcp;
} ways[] = {{AF_INET, false}, {AF_INET, true}, {AF_INET6, false}, {AF_INET6, true}};

START_TEST(inbound_up)
{
    struct rig r;
    rig_open(&r, ways[_i].family, ways[_i].tcp);
    call_in(&r);
    take_over(&r, SIP_RESTORE_UP);
    struct sip_dialog d;
    sip_leg_dialog(r.leg, &d);
    ck_assert_uint_eq(d.local_cseq, r.s.p.local_cseq + SIP_RESTORE_CSEQ_JUMP);
    ck_assert_uint_eq(d.local_port, r.a->port);
    ck_assert_str_eq(d.remote_target, r.s.target);
    his_reinvite(&r);
    our_reinvite(&r);
    ck_assert_uint_eq((unsigned)atoi(peer_header(r.p, "CSeq")), r.s.p.local_cseq + SIP_RESTORE_CSEQ_JUMP + 1);
    his_bye(&r);
    rig_close(&r);
}
END_TEST

START_TEST(inbound_up_we_end)
{
    struct rig r;
    rig_open(&r, ways[_i].family, ways[_i].tcp);
    call_in(&r);
    take_over(&r, SIP_RESTORE_UP);
    if (r.p->tcp) /* its new connection is known with the first request */
        his_reinvite(&r);
    our_bye(&r);
    rig_close(&r);
}
END_TEST

START_TEST(outbound_up)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_out(&r);
    take_over(&r, SIP_RESTORE_UP);
    our_reinvite(&r);
    our_bye(&r);
    rig_close(&r);
}
END_TEST

Suite *suite(void);
Suite *suite(void)
{
    Suite *s = suite_create("sip legs that change hands");
    TCase *c = tcase_create("up");
    tcase_set_timeout(c, 30);
    tcase_add_loop_test(c, inbound_up, 0, 4);
    tcase_add_loop_test(c, inbound_up_we_end, 0, 4);
    tcase_add_test(c, outbound_up);
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    return run_suite(suite());
}
