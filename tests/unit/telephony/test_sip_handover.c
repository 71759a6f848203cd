/* Calls that were in the middle of something when they changed hands: ringing, just answered, just acknowledged. */
#include "tests/unit/telephony/test_sip_move.h"

/* ---- inbound, ringing */

START_TEST(ringing_is_answered)
{
    struct rig r;
    rig_open(&r, _i ? AF_INET6 : AF_INET, false);
    call_comes(&r, "");
    ck_assert_int_eq(sip_leg_ring(r.leg, 180, NULL), 0);
    peer_expect(r.p, "SIP/2.0 180");
    char tag[64];
    copy_text(tag, sizeof tag, r.p->to_tag);
    take_over(&r, SIP_RESTORE_RINGING);
    ck_assert_int_eq(sip_leg_ring(r.leg, 180, NULL), 0);
    peer_expect(r.p, "SIP/2.0 180");
    ck_assert_str_eq(r.p->to_tag, tag);
    r.p->to_tag[0] = '\0';
    peer_again(r.p); /* the INVITE comes again: the last provisional answer, no second call */
    peer_expect(r.p, "SIP/2.0 180");
    ck_assert_int_eq(r.b->invites, 0);
    ck_assert_int_eq(sip_leg_answer(r.leg, SDP_B), 0);
    peer_expect(r.p, "SIP/2.0 200");
    ck_assert_str_eq(peer_body(r.p), SDP_B);
    ck_assert_str_eq(r.p->to_tag, tag);
    peer_request(r.p, "ACK", "", NULL);
    env_event(r.b, SIP_EV_ACKED);
    his_reinvite(&r);
    our_reinvite(&r);
    his_bye(&r);
    rig_close(&r);
}
END_TEST

START_TEST(ringing_tcp)
{
    struct rig r;
    rig_open(&r, AF_INET, true);
    call_comes(&r, "");
    save(r.leg, SIP_RESTORE_RINGING, NULL, NULL, r.b, &r.s);
    sip_ua_drop_listen(r.a->ua, "127.0.0.1");
    ck_assert_int_eq(sip_ua_add_listen(r.b->ua, "127.0.0.1", r.a->port, NULL), 0);
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1; /* the phone takes connections where its Via says */
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(r.p->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    close(r.p->fd);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(listener, 4), 0);
    fcntl(listener, F_SETFL, O_NONBLOCK);
    r.leg = restored(r.b, &r.s);
    ck_assert_int_eq(sip_leg_answer(r.leg, SDP_B), 0);
    int fd = -1;
    env_until(r.b, (fd = accept(listener, NULL, NULL)) >= 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    r.p->fd = fd;
    r.p->len = 0;
    peer_expect(r.p, "SIP/2.0 200");
    peer_request(r.p, "ACK", "", NULL);
    env_event(r.b, SIP_EV_ACKED);
    our_reinvite(&r);
    our_bye(&r);
    close(listener);
    rig_close(&r);
}
END_TEST

START_TEST(ringing_is_cancelled)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_comes(&r, "");
    take_over(&r, SIP_RESTORE_RINGING);
    peer_request(r.p, "CANCEL", "Reason: SIP;cause=200;text=\"elsewhere\"\r\n", NULL);
    peer_expect(r.p, "SIP/2.0 200");
    peer_expect(r.p, "SIP/2.0 487");
    struct seen *s = env_event(r.b, SIP_EV_FAILED);
    ck_assert_int_eq(s->status, 487);
    peer_request(r.p, "ACK", "", NULL);
    rig_close(&r);
}
END_TEST

static struct sip_bye *kept;

static void keep(struct env *e, struct sip_leg *leg, const struct sip_event *ev)
{
    (void)e;
    if (ev->type == SIP_EV_FAILED || ev->type == SIP_EV_ENDED)
        kept = sip_leg_keep_bye(leg);
}

/* Whatever was to be said before is said when this is answered. */
static void nothing_was_said(struct rig *r)
{
    struct peer *other = peer_new(r->a, r->p->family, r->p->tcp);
    peer_request(other, "OPTIONS", "", NULL);
    peer_expect(other, "SIP/2.0 ");
    peer_free(other);
    ck_assert_ptr_null(peer_recv_ms(r->p, 0));
}

/* A call that comes, whose owners keep back what its hang-up is answered. */
static void keeper_is_called(struct rig *r, bool tcp)
{
    kept = NULL;
    rig_open(r, AF_INET, tcp);
    r->a->on_event = r->b->on_event = keep;
    call_comes(r, "");
    peer_expect(r->p, "SIP/2.0 100");
    r->p->to_tag[0] = '\0';
}

/* It is cancelled while its end is not in the state. */
static void cancel_kept(struct rig *r, bool tcp)
{
    keeper_is_called(r, tcp);
    save(r->leg, SIP_RESTORE_RINGING, NULL, NULL, r->b, &r->s);
    peer_request(r->p, "CANCEL", "", NULL);
    ck_assert_int_eq(env_event(r->a, SIP_EV_FAILED)->status, 487);
    ck_assert_ptr_nonnull(kept);
    nothing_was_said(r);
    peer_again(r->p);
    nothing_was_said(r);
}

static void both_answered(struct rig *r)
{
    char tag[64];
    peer_expect(r->p, "SIP/2.0 200");
    ck_assert_ptr_nonnull(strstr(peer_header(r->p, "CSeq"), "CANCEL"));
    copy_text(tag, sizeof tag, r->p->to_tag);
    peer_expect(r->p, "SIP/2.0 487");
    ck_assert_ptr_nonnull(strstr(peer_header(r->p, "CSeq"), "INVITE"));
    ck_assert_str_eq(tag, r->p->to_tag);
    r->p->to_tag[0] = '\0';
    peer_again(r->p);
    peer_expect(r->p, "SIP/2.0 200");
    peer_request(r->p, "ACK", "", NULL);
}

START_TEST(cancel_waits_for_the_state)
{
    struct rig r;
    cancel_kept(&r, _i);
    sip_bye_done(kept, true);
    both_answered(&r);
    rig_close(&r);
}
END_TEST

/* Nothing was said before the owner died: the telephone says it again, to the next one. */
START_TEST(cancel_comes_again)
{
    struct rig r;
    cancel_kept(&r, false);
    sip_bye_done(kept, false);
    peer_again(r.p);
    nothing_was_said(&r);
    move_address(r.a, r.b, "127.0.0.1", r.a->port);
    r.leg = restored(r.b, &r.s);
    kept = NULL;
    peer_again(r.p);
    ck_assert_int_eq(env_event(r.b, SIP_EV_FAILED)->status, 487);
    ck_assert_ptr_nonnull(kept);
    sip_bye_done(kept, true);
    both_answered(&r);
    rig_close(&r);
}
END_TEST

/* The same process carries it on: of a repetition nobody would be told. Cancelled while nothing may be done, or in between. */
START_TEST(cancel_is_not_forgotten)
{
    struct rig r;
    keeper_is_called(&r, false);
    save(r.leg, SIP_RESTORE_RINGING, NULL, NULL, r.a, &r.s);
    r.a->silent = true;
    if (_i)
        sip_leg_forget(r.leg);
    peer_request(r.p, "CANCEL", "", NULL);
    nothing_was_said(&r);
    env_no_event(r.a);
    if (!_i)
        sip_leg_forget(r.leg);
    r.a->silent = false;
    r.leg = restored(r.a, &r.s);
    ck_assert_int_eq(env_event(r.a, SIP_EV_FAILED)->status, 487);
    sip_bye_done(kept, true);
    both_answered(&r);
    rig_close(&r);
}
END_TEST

/* Its end was on its way into the state when the lease was over; this process has the call again before anybody else could take it. */
START_TEST(cancel_is_told_again)
{
    struct rig r;
    cancel_kept(&r, _i);
    r.s.p.ctx = r.a;
    r.a->silent = true;
    sip_bye_done(kept, false);
    kept = NULL;
    peer_again(r.p);
    nothing_was_said(&r);
    r.a->silent = false;
    peer_again(r.p);
    nothing_was_said(&r);
    r.leg = restored(r.a, &r.s);
    ck_assert_int_eq(env_event(r.a, SIP_EV_FAILED)->status, 487);
    ck_assert_ptr_nonnull(kept);
    nothing_was_said(&r);
    sip_bye_done(kept, true);
    both_answered(&r);
    rig_close(&r);
}
END_TEST

/* BYE instead of a CANCEL, while nothing may be said: neither to it nor to the INVITE, until this process has the call again. */
START_TEST(early_bye_is_not_forgotten)
{
    struct rig r;
    keeper_is_called(&r, false);
    ck_assert_int_eq(sip_leg_ring(r.leg, 180, NULL), 0);
    peer_expect(r.p, "SIP/2.0 180");
    save(r.leg, SIP_RESTORE_RINGING, NULL, NULL, r.a, &r.s);
    r.a->silent = true;
    r.p->cseq++;
    peer_request(r.p, "BYE", "", NULL);
    ck_assert_int_eq(env_event(r.a, SIP_EV_FAILED)->status, 487);
    ck_assert_ptr_nonnull(kept);
    sip_bye_done(kept, false);
    kept = NULL;
    nothing_was_said(&r);
    r.a->silent = false;
    r.leg = restored(r.a, &r.s);
    ck_assert_int_eq(env_event(r.a, SIP_EV_FAILED)->status, 487);
    peer_expect(r.p, "SIP/2.0 487");
    ck_assert_ptr_nonnull(strstr(peer_header(r.p, "CSeq"), "INVITE"));
    sip_bye_done(kept, true);
    peer_expect(r.p, "SIP/2.0 200");
    ck_assert_ptr_nonnull(strstr(peer_header(r.p, "CSeq"), "BYE"));
    rig_close(&r);
}
END_TEST

/* He hangs up while this node has to be silent; it has the call again before anybody else could take it. Of the repetitions of his BYE
 * the library tells nobody. When the dialog is another's by then, nothing is ever said. */
START_TEST(bye_is_not_forgotten)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    kept = NULL;
    r.a->on_event = keep;
    call_in(&r);
    save(r.leg, SIP_RESTORE_UP, SDP_B, SDP_A, r.a, &r.s);
    r.a->silent = true;
    r.p->cseq++;
    peer_request(r.p, "BYE", "", NULL);
    env_event(r.a, SIP_EV_ENDED);
    ck_assert_ptr_nonnull(kept);
    sip_bye_done(kept, false);
    kept = NULL;
    peer_again(r.p);
    nothing_was_said(&r);
    r.a->silent = false;
    if (_i) {
        peer_again(r.p);
        nothing_was_said(&r);
    } else {
        r.leg = restored(r.a, &r.s);
        env_event(r.a, SIP_EV_ENDED);
        ck_assert_ptr_nonnull(kept);
        nothing_was_said(&r);
        sip_bye_done(kept, true);
        peer_expect(r.p, "SIP/2.0 200");
        ck_assert_ptr_nonnull(strstr(peer_header(r.p, "CSeq"), "BYE"));
    }
    rig_close(&r);
}
END_TEST

START_TEST(ringing_is_rejected)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_comes(&r, "Require: 100rel\r\nSupported: 100rel\r\n");
    take_over(&r, SIP_RESTORE_RINGING);
    /* reliable answers cannot be counted on: none is sent, the final one still is */
    ck_assert_int_eq(sip_leg_ring(r.leg, 183, SDP_B), 0);
    sip_leg_reject(r.leg, 486, NULL, 7);
    peer_expect(r.p, "SIP/2.0 486");
    ck_assert_str_eq(peer_header(r.p, "Retry-After"), "7");
    peer_request(r.p, "ACK", "", NULL);
    rig_close(&r);
}
END_TEST

/* ---- inbound, answered */

START_TEST(answer_was_lost)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_comes(&r, "");
    take_over(&r, SIP_RESTORE_ANSWERED);
    peer_expect(r.p, "SIP/2.0 200");
    ck_assert_str_eq(peer_body(r.p), SDP_B);
    peer_expect(r.p, "SIP/2.0 200"); /* again until the ACK */
    char tag[64];
    copy_text(tag, sizeof tag, r.p->to_tag);
    peer_again(r.p); /* the INVITE again: the same 200, no second call */
    peer_expect(r.p, "SIP/2.0 200");
    ck_assert_str_eq(r.p->to_tag, tag);
    ck_assert_int_eq(r.b->invites, 0);
    struct sip_dialog d;
    sip_leg_dialog(r.leg, &d);
    ck_assert_str_ne(d.invite_text, ""); /* a third owner could do the same */
    peer_request(r.p, "ACK", "", NULL);
    env_event(r.b, SIP_EV_ACKED);
    sip_leg_dialog(r.leg, &d);
    ck_assert_str_eq(d.invite_text, "");
    while (peer_recv_ms(r.p, 50)) /* those that were on their way */
        ck_assert_int_eq(peer_status(r.p), 200);
    our_reinvite(&r);
    his_bye(&r);
    rig_close(&r);
}
END_TEST

/* The ACK went to the former owner: a request of the phone confirms as well, and the 200 is not sent any more. */
START_TEST(request_instead_of_ack)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_comes(&r, "");
    take_over(&r, SIP_RESTORE_ANSWERED);
    peer_expect(r.p, "SIP/2.0 200");
    r.p->cseq++;
    peer_request(r.p, "INFO", "Content-Type: application/dtmf-relay\r\n", "Signal=5\r\nDuration=100\r\n");
    env_event(r.b, SIP_EV_ACKED);
    env_event(r.b, SIP_EV_INFO_DTMF);
    while (peer_recv_ms(r.p, 0)) /* what was on its way */
        ;
    ck_assert_ptr_null(peer_recv_ms(r.p, 700)); /* several times T1 */
    our_bye(&r);
    rig_close(&r);
}
END_TEST

/* Nothing at all comes for 64*T1: it counts as up. */
START_TEST(no_ack_at_all)
{
    struct rig r;
    memset(&r, 0, sizeof r);
    r.a = env_new();
    r.a->cfg.t1_ms = 100;
    r.a->cfg.t1x64_ms = 1500;
    env_start(r.a);
    r.b = env_second(r.a, "127.0.0.2");
    r.p = peer_udp(r.a);
    call_comes(&r, "");
    take_over(&r, SIP_RESTORE_ANSWERED);
    env_event(r.b, SIP_EV_ACKED);
    while (peer_recv_ms(r.p, 50))
        ck_assert(peer_status(r.p) == 100 || peer_status(r.p) == 200);
    our_bye(&r);
    rig_close(&r);
}
END_TEST

/* The next message that begins so; others are repetitions of what this peer has not answered. */
static void comes_next(struct peer *p, const char *start)
{
    do
        ck_assert_msg(peer_recv_ms(p, WAIT_MS), "nothing came, wanted %s", start);
    while (strncmp(p->msg, start, strlen(start)) != 0);
}

/* The new owner may move the media at once: its re-INVITE follows the ACK, or a short while. */
START_TEST(reinvite_before_the_ack)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_comes(&r, "");
    take_over(&r, SIP_RESTORE_ANSWERED);
    ck_assert_int_eq(sip_leg_reinvite(r.leg, SDP_B), 0);
    peer_expect(r.p, "SIP/2.0 200");
    peer_expect(r.p, "INVITE sip:8001");
    peer_reply(r.p, 200, NULL, "", SDP_A);
    env_event(r.b, SIP_EV_ACKED);
    peer_expect(r.p, "ACK ");
    env_event(r.b, SIP_EV_REANSWERED);
    our_bye(&r);
    rig_close(&r);
}
END_TEST

/* The call ends while that re-INVITE is out: its 200 gets an ACK, then comes the BYE. */
START_TEST(released_before_the_ack)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_comes(&r, "");
    take_over(&r, SIP_RESTORE_ANSWERED);
    ck_assert_int_eq(sip_leg_reinvite(r.leg, SDP_B), 0);
    comes_next(r.p, "INVITE sip:8001");
    sip_leg_release(r.leg, 0, NULL);
    int cseq = atoi(peer_header(r.p, "CSeq"));
    peer_reply(r.p, 200, NULL, "", SDP_A);
    comes_next(r.p, "ACK ");
    ck_assert_int_eq(atoi(peer_header(r.p, "CSeq")), cseq);
    comes_next(r.p, "BYE ");
    peer_reply(r.p, 200, NULL, "", NULL);
    rig_close(&r);
}
END_TEST

/* The phone has not got the 200 when the re-INVITE comes, and says so: no reason to give the call up. */
START_TEST(reinvite_before_the_200)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_comes(&r, "");
    take_over(&r, SIP_RESTORE_ANSWERED);
    ck_assert_int_eq(sip_leg_reinvite(r.leg, SDP_B), 0);
    comes_next(r.p, "INVITE ");
    peer_reply(r.p, 481, NULL, "", NULL);
    do
        peer_recv_ms(r.p, WAIT_MS);
    while (peer_status(r.p) != 200);
    snprintf(r.p->to_tag, sizeof r.p->to_tag, "%s", r.s.local_tag);
    peer_request(r.p, "ACK", "", NULL);
    env_event(r.b, SIP_EV_ACKED);
    comes_next(r.p, "INVITE ");
    peer_reply(r.p, 200, NULL, "", SDP_A);
    peer_expect(r.p, "ACK ");
    env_event(r.b, SIP_EV_REANSWERED);
    our_bye(&r);
    rig_close(&r);
}
END_TEST

/* ---- outbound */

START_TEST(ack_was_lost)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    r.leg = peer_called(r.p);
    peer_expect(r.p, "INVITE ");
    copy_text(r.p->call_id, sizeof r.p->call_id, peer_header(r.p, "Call-ID"));
    char invite[MSG_MAX];
    memcpy(invite, r.p->msg, sizeof invite);
    peer_reply(r.p, 200, "callee", "", SDP_A);
    env_event(r.a, SIP_EV_ANSWERED);
    take_over(&r, SIP_RESTORE_ACK);
    peer_expect(r.p, "ACK ");
    ck_assert_int_eq(atoi(peer_header(r.p, "CSeq")), 100);
    for (int i = 0; i < 3; i++) {
        memcpy(r.p->msg, invite, sizeof invite);
        peer_reply(r.p, 200, "callee", "", SDP_A);
        peer_expect(r.p, "ACK ");
        ck_assert_int_eq(atoi(peer_header(r.p, "CSeq")), 100);
    }
    our_reinvite(&r);
    our_bye(&r);
    rig_close(&r);
}
END_TEST

static void params_again(struct rig *r, struct sip_out_params *params, char texts[3][160])
{
    *params = peer_params(r->p, texts[0], texts[1], texts[2]);
    params->ctx = r->a;
    ck_assert_int_eq(sip_leg_invite(r->a->ua, params, &r->leg, NULL), 0);
    peer_expect(r->p, "INVITE ");
}

/* The same INVITE from the new owner: the phone says again how far it is. */
START_TEST(invite_again)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    struct sip_out_params params;
    char texts[3][160], first[MSG_MAX];
    params_again(&r, &params, texts);
    memcpy(first, r.p->msg, sizeof first);
    char same[5][512];
    static const char *const names[5] = {"Via", "From", "To", "Call-ID", "CSeq"};
    for (int i = 0; i < 5; i++)
        copy_text(same[i], sizeof same[i], peer_header(r.p, names[i]));
    peer_reply(r.p, 180, "callee", "", NULL);
    env_event(r.a, SIP_EV_PROGRESS);
    move_address(r.a, r.b, "127.0.0.1", r.a->port);
    params.again = true;
    params.local_ip = "127.0.0.1";
    params.ctx = r.b;
    ck_assert_int_eq(sip_leg_invite(r.b->ua, &params, &r.leg, NULL), 0);
    peer_expect(r.p, "INVITE ");
    for (int i = 0; i < 5; i++)
        ck_assert_str_eq(peer_header(r.p, names[i]), same[i]);
    ck_assert(strncmp(r.p->msg, first, strcspn(first, "\r\n")) == 0);
    peer_reply(r.p, 200, "callee", "", SDP_A);
    struct seen *s = env_event(r.b, SIP_EV_ANSWERED);
    ck_assert_str_eq(s->sdp, SDP_A);
    ck_assert_int_eq(sip_leg_ack(r.leg), 0);
    peer_expect(r.p, "ACK ");
    our_reinvite(&r);
    our_bye(&r);
    rig_close(&r);
}
END_TEST

/* The same process lets go of a ringing call and carries it on again. */
START_TEST(invite_comes_back)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    struct sip_out_params params;
    char texts[3][160], first[MSG_MAX];
    params_again(&r, &params, texts);
    memcpy(first, r.p->msg, sizeof first);
    peer_reply(r.p, 180, "callee", "", NULL);
    env_event(r.a, SIP_EV_PROGRESS);
    sip_leg_forget(r.leg);
    params.again = true;
    ck_assert_int_eq(sip_leg_invite(r.a->ua, &params, &r.leg, NULL), 0);
    memcpy(r.p->msg, first, sizeof first);
    peer_reply(r.p, 200, "callee", "", SDP_A);
    env_event(r.a, SIP_EV_ANSWERED);
    ck_assert_int_eq(sip_leg_ack(r.leg), 0);
    peer_expect(r.p, "ACK ");
    our_bye(&r);
    rig_close(&r);
}
END_TEST

START_TEST(ringing_comes_back)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_comes(&r, "");
    save(r.leg, SIP_RESTORE_RINGING, NULL, NULL, r.a, &r.s);
    sip_leg_forget(r.leg);
    r.leg = restored(r.a, &r.s);
    ck_assert_int_eq(sip_leg_answer(r.leg, SDP_B), 0);
    peer_expect(r.p, "SIP/2.0 200");
    peer_request(r.p, "ACK", "", NULL);
    env_event(r.a, SIP_EV_ACKED);
    our_bye(&r);
    rig_close(&r);
}
END_TEST

START_TEST(cancel_of_the_former)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    struct sip_out_params params;
    char texts[3][160], via[512], from[256], at[64];
    params_again(&r, &params, texts);
    copy_text(via, sizeof via, peer_header(r.p, "Via"));
    copy_text(from, sizeof from, peer_header(r.p, "From"));
    char first[MSG_MAX];
    memcpy(first, r.p->msg, sizeof first);
    peer_reply(r.p, 180, "callee", "", NULL);
    env_event(r.a, SIP_EV_PROGRESS);
    sip_ua_drop_listen(r.a->ua, "127.0.0.1");
    snprintf(at, sizeof at, "127.0.0.1:%u", r.a->port);
    peer_turn_to(r.p, "127.0.0.2", r.b->port);
    sip_cancel_former(r.b->ua, &params, "no address", 0, NULL); /* nothing, and no harm */
    sip_cancel_former(r.b->ua, &params, NULL, 0, NULL);
    sip_cancel_former(r.b->ua, &params, at, 200, "Call completed elsewhere");
    peer_expect(r.p, "CANCEL sip:1001@127.0.0.1");
    ck_assert_str_eq(peer_header(r.p, "Via"), via);
    ck_assert_str_eq(peer_header(r.p, "From"), from);
    ck_assert_str_eq(peer_header(r.p, "CSeq"), "100 CANCEL");
    ck_assert_str_eq(peer_header(r.p, "Reason"), "SIP;cause=200;text=\"Call completed elsewhere\"");
    peer_expect(r.p, "CANCEL sip:1001@127.0.0.1"); /* the first one is lost */
    ck_assert_str_eq(peer_header(r.p, "Via"), via);
    peer_reply(r.p, 200, "callee", "", NULL);
    memcpy(r.p->msg, first, sizeof first);
    peer_reply(r.p, 487, "callee", "", NULL);
    peer_raw(r.p, "SIP/2.0 481\r\n\r\n", 15);
    peer_request(r.p, "OPTIONS", "", NULL);
    peer_expect(r.p, "SIP/2.0 200"); /* alive, and nothing else was sent */
    struct sip_stats st;
    sip_ua_get_stats(r.b->ua, &st);
    ck_assert_uint_eq(st.legs, 0);
    rig_close(&r);
}
END_TEST

/* A phone answered an INVITE that nobody here knows: it must not hang in a dead call. */
START_TEST(stranger_is_ended)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    struct sip_out_params params;
    char texts[3][160], first[MSG_MAX];
    params_again(&r, &params, texts);
    memcpy(first, r.p->msg, sizeof first);
    move_address(r.a, r.b, "127.0.0.1", r.a->port);
    uint64_t end = now_ms() + WAIT_MS;
    const char *m = NULL;
    while (!m && now_ms() < end) { /* as phones do, until the ACK; at first it is not believed */
        memcpy(r.p->msg, first, sizeof first);
        peer_reply(r.p, 200, "callee", "", SDP_A);
        m = peer_recv_ms(r.p, 300);
    }
    ck_assert_ptr_nonnull(m);
    ck_assert_msg(strncmp(m, "ACK ", 4) == 0, "%s", m);
    while (m && strncmp(m, "BYE ", 4) != 0)
        m = peer_recv_ms(r.p, WAIT_MS);
    ck_assert_ptr_nonnull(m);
    ck_assert(strncmp(m, "BYE sip:p@127.0.0.1", 19) == 0);
    ck_assert_ptr_nonnull(strstr(peer_header(r.p, "To"), ";tag=callee"));
    ck_assert_ptr_nonnull(strstr(peer_header(r.p, "From"), ";tag=ourtag"));
    peer_reply(r.p, 200, NULL, "", NULL);
    /* a refusal is only acknowledged */
    memcpy(r.p->msg, first, sizeof first);
    peer_reply(r.p, 486, "other", "", NULL);
    do
        m = peer_recv_ms(r.p, WAIT_MS);
    while (m && !strstr(peer_header(r.p, "To"), ";tag=other"));
    ck_assert_ptr_nonnull(m);
    ck_assert(strncmp(m, "ACK ", 4) == 0);
    rig_close(&r);
}
END_TEST

Suite *suite(void);
Suite *suite(void)
{
    Suite *s = suite_create("sip handover");
    TCase *c = tcase_create("in the middle");
    tcase_set_timeout(c, 30);
    tcase_add_loop_test(c, ringing_is_answered, 0, 2);
    tcase_add_test(c, ringing_tcp);
    tcase_add_test(c, ringing_is_cancelled);
    tcase_add_loop_test(c, cancel_waits_for_the_state, 0, 2);
    tcase_add_test(c, cancel_comes_again);
    tcase_add_loop_test(c, cancel_is_not_forgotten, 0, 2);
    tcase_add_loop_test(c, cancel_is_told_again, 0, 2);
    tcase_add_test(c, early_bye_is_not_forgotten);
    tcase_add_loop_test(c, bye_is_not_forgotten, 0, 2);
    tcase_add_test(c, ringing_is_rejected);
    tcase_add_test(c, answer_was_lost);
    tcase_add_test(c, request_instead_of_ack);
    tcase_add_test(c, no_ack_at_all);
    tcase_add_test(c, reinvite_before_the_ack);
    tcase_add_test(c, released_before_the_ack);
    tcase_add_test(c, reinvite_before_the_200);
    tcase_add_test(c, ack_was_lost);
    tcase_add_test(c, invite_again);
    tcase_add_test(c, invite_comes_back);
    tcase_add_test(c, ringing_comes_back);
    tcase_add_test(c, cancel_of_the_former);
    tcase_add_test(c, stranger_is_ended);
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    return run_suite(suite());
}
