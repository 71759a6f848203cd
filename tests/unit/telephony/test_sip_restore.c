/* Legs that change hands: another endpoint goes on with a dialog, on the same address or on another one. */
#include "tests/unit/telephony/test_sip_move.h"

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
    struct sip_leg *twice = NULL;
    ck_assert_int_eq(sip_leg_restore(r.b->ua, &r.s.p, &twice, NULL), ERR_EXISTS);
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

/* The address cannot move: from the new owner's own, by re-INVITE; the phone then talks to that one. */
START_TEST(another_address)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_in(&r);
    save(r.leg, SIP_RESTORE_UP, SDP_B, SDP_A, r.b, &r.s);
    sip_leg_forget(r.leg);
    r.s.p.local_ip = NULL;
    r.leg = restored(r.b, &r.s);
    peer_turn_to(r.p, "127.0.0.2", r.b->port);
    our_reinvite(&r);
    char contact[64];
    snprintf(contact, sizeof contact, "sip:127.0.0.2:%u", r.b->port);
    struct sip_dialog d;
    sip_leg_dialog(r.leg, &d);
    ck_assert_str_eq(d.local_ip, "127.0.0.2");
    his_reinvite(&r);
    his_bye(&r);
    rig_close(&r);
}
END_TEST

/* A second takeover: what the new owner exports serves the third. */
START_TEST(again_and_again)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_in(&r);
    uint32_t first = 0, last = 0;
    take_over(&r, SIP_RESTORE_UP);
    his_reinvite(&r);
    our_reinvite(&r);
    first = (uint32_t)atoi(peer_header(r.p, "CSeq"));
    for (int i = 0; i < 3; i++) {
        struct env *from = i % 2 ? r.a : r.b, *to = i % 2 ? r.b : r.a;
        save(r.leg, SIP_RESTORE_UP, SDP_B, SDP_HOLD, to, &r.s);
        move_address(from, to, "127.0.0.1", r.a->port);
        r.leg = restored(to, &r.s);
    }
    struct env *b = r.b;
    r.b = r.a; /* where it is now */
    our_reinvite(&r);
    last = (uint32_t)atoi(peer_header(r.p, "CSeq"));
    ck_assert_uint_ge(last, first + 3 * SIP_RESTORE_CSEQ_JUMP);
    his_reinvite(&r);
    his_bye(&r);
    r.b = b;
    rig_close(&r);
}
END_TEST

/* The former owner took a request of the phone, committed it and was gone before the answer: it comes again. */
START_TEST(request_comes_again)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_in(&r);
    r.p->cseq++;
    peer_request(r.p, "INVITE", "", SDP_HOLD);
    env_event(r.a, SIP_EV_REOFFER);
    take_over(&r, SIP_RESTORE_UP);
    peer_again(r.p);
    env_event(r.b, SIP_EV_REOFFER);
    ck_assert_int_eq(sip_leg_reanswer(r.leg, 200, SDP_B), 0);
    peer_expect(r.p, "SIP/2.0 200");
    peer_request(r.p, "ACK", "", NULL);
    /* and what is older than that is not taken */
    r.p->cseq--;
    peer_request(r.p, "INFO", "", NULL);
    peer_expect(r.p, "SIP/2.0 500");
    r.p->cseq++;
    his_bye(&r);
    rig_close(&r);
}
END_TEST

/* A BYE that was lost with the former owner is sent again by the phone and answered. */
START_TEST(bye_comes_again)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_in(&r);
    save(r.leg, SIP_RESTORE_UP, SDP_B, SDP_A, r.b, &r.s);
    uint16_t port = r.a->port;
    sip_ua_drop_listen(r.a->ua, "127.0.0.1");
    r.p->cseq++;
    peer_request(r.p, "BYE", "", NULL); /* to nobody */
    char refused;
    ck_assert_int_lt(recv(r.p->fd, &refused, 1, 0), 0); /* takes the socket's error */
    ck_assert_int_eq(sip_ua_add_listen(r.b->ua, "127.0.0.1", port, NULL), 0);
    r.leg = restored(r.b, &r.s);
    peer_again(r.p);
    peer_expect(r.p, "SIP/2.0 200");
    env_event(r.b, SIP_EV_ENDED);
    rig_close(&r);
}
END_TEST

/* The route set is kept: requests go to the first proxy, with the rest in Route. */
START_TEST(routes)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    char extra[256];
    snprintf(extra, sizeof extra,
             "Record-Route: <sip:flow1-x@127.0.0.1:%u;lr>, <sip:127.0.0.9:5070;lr>\r\nAllow: INVITE\r\n", r.p->port);
    call_comes(&r, extra);
    ck_assert_int_eq(sip_leg_answer(r.leg, SDP_B), 0);
    peer_expect(r.p, "SIP/2.0 200");
    peer_request(r.p, "ACK", "", NULL);
    env_event(r.a, SIP_EV_ACKED);
    take_over(&r, SIP_RESTORE_UP);
    struct sip_dialog d;
    sip_leg_dialog(r.leg, &d);
    ck_assert_str_eq(d.route_set, r.s.route);
    ck_assert_int_eq(sip_leg_reinvite(r.leg, SDP_B), 0);
    peer_expect(r.p, "INVITE sip:8001@127.0.0.1");
    ck_assert_ptr_nonnull(strstr(peer_header(r.p, "Route"), "flow1-x@"));
    ck_assert_ptr_nonnull(strstr(r.p->msg, "127.0.0.9:5070"));
    peer_reply(r.p, 200, NULL, "", SDP_A);
    peer_expect(r.p, "ACK ");
    env_event(r.b, SIP_EV_REANSWERED);
    our_bye(&r);
    rig_close(&r);
}
END_TEST

/* Retransmitted 2xx of an INVITE of the former owner, first or inside the dialog, are ACKed while the leg lives. */
START_TEST(late_2xx_of_the_leg)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_out(&r);
    ck_assert_int_eq(sip_leg_reinvite(r.leg, SDP_B), 0);
    peer_expect(r.p, "INVITE ");
    char invite[MSG_MAX];
    memcpy(invite, r.p->msg, sizeof invite);
    take_over(&r, SIP_RESTORE_UP);
    for (int i = 0; i < 2; i++) {
        memcpy(r.p->msg, invite, sizeof invite);
        peer_reply(r.p, 200, NULL, "", SDP_A);
        peer_expect(r.p, "ACK ");
        ck_assert_int_eq(atoi(peer_header(r.p, "CSeq")), 101);
    }
    env_no_event(r.b);
    our_bye(&r);
    rig_close(&r);
}
END_TEST

/* The session timer goes on from the committed interval. */
START_TEST(we_refresh)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_in(&r);
    save(r.leg, SIP_RESTORE_UP, SDP_B, SDP_A, r.b, &r.s);
    r.s.p.session_expires_s = 6;
    r.s.p.refresher_is_us = true;
    move_address(r.a, r.b, "127.0.0.1", r.a->port);
    r.leg = restored(r.b, &r.s);
    peer_expect(r.p, "INVITE "); /* and not the BYE of a session that has run out */
    ck_assert_str_eq(peer_body(r.p), SDP_B);
    ck_assert_str_eq(peer_header(r.p, "Session-Expires"), "6;refresher=uac");
    peer_reply(r.p, 200, NULL, "Session-Expires: 6;refresher=uac\r\n", SDP_A);
    peer_expect(r.p, "ACK ");
    env_no_event(r.b); /* no business of the owner */
    our_bye(&r);
    rig_close(&r);
}
END_TEST

START_TEST(he_does_not_refresh)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_in(&r);
    save(r.leg, SIP_RESTORE_UP, SDP_B, SDP_A, r.b, &r.s);
    r.s.p.session_expires_s = 3;
    r.s.p.refresher_is_us = false;
    move_address(r.a, r.b, "127.0.0.1", r.a->port);
    r.leg = restored(r.b, &r.s);
    peer_expect(r.p, "BYE ");
    struct seen *s = env_event(r.b, SIP_EV_ENDED);
    ck_assert_int_eq(s->status, 408);
    rig_close(&r);
}
END_TEST

/* What was committed may be damaged: refused, never worse. */
static void refused(struct rig *r, const struct sip_restore_params *p, int want)
{
    struct sip_leg *leg = NULL;
    struct err_info info = {0};
    int rc = sip_leg_restore(r->b->ua, p, &leg, &info);
    if (want)
        ck_assert_msg(rc == want, "%d %s: %s", rc, info.field, info.text);
    if (rc == 0)
        sip_leg_forget(leg);
}

START_TEST(damaged)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    call_comes(&r, "");
    save(r.leg, SIP_RESTORE_RINGING, SDP_B, SDP_A, r.b, &r.s);
    move_address(r.a, r.b, "127.0.0.1", r.a->port);
    char *huge = malloc(200001);
    memset(huge, 'a', 200000);
    huge[200000] = '\0';
    const char *const garbage[] = {NULL,         "",         "sip:",     "<",         "\r\nVia: x",
                                   "sip:a@b>;x", "\xff\xfe", "sip:[::1", "http://x/", huge};
    static const enum sip_restore_as kinds[] = {SIP_RESTORE_UP, SIP_RESTORE_ANSWERED, SIP_RESTORE_ACK,
                                                SIP_RESTORE_RINGING};
    for (size_t k = 0; k < 4; k++) {
        struct sip_restore_params good = r.s.p;
        good.as = kinds[k];
        if (kinds[k] == SIP_RESTORE_ACK) {
            good.inbound = false;
            good.invite_cseq = 1;
        }
        for (size_t g = 0; g < sizeof garbage / sizeof *garbage; g++) {
            struct sip_restore_params p = good;
            const char **const must[] = {&p.local_uri, &p.remote_uri, &p.remote_target};
            const char **const may[] = {&p.call_id, &p.local_tag,   &p.remote_tag, &p.route_set,
                                        &p.flow,    &p.invite_text, &p.local_sdp,  &p.remote_sdp};
            for (size_t i = 0; i < sizeof must / sizeof *must; i++) {
                const char *was = *must[i];
                *must[i] = garbage[g];
                refused(&r, &p, ERR_INVAL);
                *must[i] = was;
            }
            for (size_t i = 0; i < sizeof may / sizeof *may; i++) {
                const char *was = *may[i];
                *may[i] = garbage[g];
                refused(&r, &p, 0);
                *may[i] = was;
            }
        }
        struct sip_restore_params p = good;
        p.local_cseq = UINT32_MAX;
        refused(&r, &p, ERR_INVAL);
        p = good;
        p.local_ip = "127.0.0.77";
        refused(&r, &p, ERR_NOTFOUND);
    }
    /* every length of the text, and each byte of it changed */
    struct sip_restore_params p = r.s.p;
    size_t n = strlen(r.s.invite);
    char text[sizeof r.s.invite];
    for (size_t i = 0; i < n; i++) {
        memcpy(text, r.s.invite, n + 1);
        text[i] = '\0';
        p.invite_text = text;
        refused(&r, &p, ERR_INVAL); /* cut short: not the whole of it */
        memcpy(text, r.s.invite, n + 1);
        text[i] = (char)(text[i] ^ (i % 3 == 0 ? 0x80 : i % 3 == 1 ? 0x0d : 0x01));
        if (text[i])
            refused(&r, &p, 0);
    }
    free(huge);
    struct sip_stats st;
    sip_ua_get_stats(r.b->ua, &st);
    ck_assert_uint_eq(st.legs, 0);
    while (peer_recv_ms(r.p, 20)) /* some were good enough to be answered */
        ;
    snprintf(r.p->call_id, sizeof r.p->call_id, "another-%d", (int)getpid());
    peer_request(r.p, "INVITE", "", SDP_A);
    do
        peer_recv_ms(r.p, WAIT_MS);
    while (strcmp(peer_header(r.p, "Call-ID"), r.p->call_id) != 0);
    ck_assert_int_eq(peer_status(r.p), 100);
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
    tcase_add_test(c, another_address);
    tcase_add_test(c, again_and_again);
    tcase_add_test(c, request_comes_again);
    tcase_add_test(c, bye_comes_again);
    tcase_add_test(c, routes);
    tcase_add_test(c, late_2xx_of_the_leg);
    tcase_add_test(c, we_refresh);
    tcase_add_test(c, he_does_not_refresh);
    tcase_add_test(c, damaged);
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    return run_suite(suite());
}
