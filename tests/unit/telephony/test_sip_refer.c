/* REFER inside a dialog, and what the subscriber hears of it. */
#include "tests/unit/telephony/test_sip_env.h"

/* A call that the peer has begun, and whose owner will be asked. */
static void establish(struct env *e, struct peer *p)
{
    peer_request(p, "INVITE", "", SDP_A);
    env_until(e, e->leg != NULL);
    ck_assert_int_eq(sip_leg_answer(e->leg, SDP_B), 0);
    peer_expect(p, "SIP/2.0 200");
    peer_request(p, "ACK", "", NULL);
    env_event(e, SIP_EV_ACKED);
    p->cseq++;
}

static void refer(struct peer *p, const char *headers)
{
    peer_request(p, "REFER", headers, NULL);
    p->cseq++;
}

/* The next NOTIFY; answered. Its CSeq. */
static unsigned notified(struct peer *p, const char *fragment, const char *state, int answer)
{
    peer_expect(p, "NOTIFY sip:8001@127.0.0.1");
    ck_assert_str_eq(peer_header(p, "Event"), "refer");
    ck_assert_str_eq(peer_header(p, "Content-Type"), "message/sipfrag;version=2.0");
    ck_assert_int_eq(strncmp(peer_header(p, "Subscription-State"), state, strlen(state)), 0);
    ck_assert_str_eq(peer_header(p, "Call-ID"), p->call_id);
    ck_assert_ptr_nonnull(strstr(peer_header(p, "From"), p->to_tag));
    ck_assert_ptr_nonnull(strstr(peer_header(p, "To"), p->tag));
    ck_assert_str_eq(peer_body(p), fragment);
    unsigned cseq = (unsigned)strtoul(peer_header(p, "CSeq"), NULL, 10);
    peer_reply(p, answer, NULL, "", NULL);
    return cseq;
}

START_TEST(told_to_the_end)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_refer *r, *twice;
    establish(e, p);
    refer(p, "Refer-To: \"Next\" <sip:8002@127.0.0.1;user=phone>\r\nReferred-By: <sip:8001@127.0.0.1>\r\n");
    ck_assert_str_eq(env_event(e, SIP_EV_REFER)->refer_to, "8002");
    ck_assert_int_eq(sip_leg_refer_answer(e->leg, 202, NULL, &r), 0);
    ck_assert_ptr_nonnull(r);
    ck_assert_int_eq(sip_leg_refer_answer(e->leg, 202, NULL, &twice), ERR_BADSTATE);
    peer_expect(p, "SIP/2.0 202");
    unsigned first = notified(p, "SIP/2.0 100 Trying\r\n", "active", 200);
    sip_leg_release(e->leg, 0, NULL); /* its dialog is over, the subscription is not (RFC 5057) */
    peer_expect(p, "BYE sip:8001@127.0.0.1");
    unsigned bye = (unsigned)strtoul(peer_header(p, "CSeq"), NULL, 10);
    peer_reply(p, 200, NULL, "", NULL);
    ck_assert_uint_gt(bye, first);
    sip_refer_notify(r, 180);
    unsigned second = notified(p, "SIP/2.0 180 Ringing\r\n", "active", 200);
    ck_assert_uint_gt(second, bye);
    sip_refer_notify(r, 200);
    ck_assert_uint_eq(notified(p, "SIP/2.0 200 OK\r\n", "terminated", 200), second + 1);
    env_no_event(e);
}
END_TEST

/* One NOTIFY is out at a time; of what comes meanwhile only the latest is told. */
START_TEST(only_the_latest)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_refer *r;
    establish(e, p);
    refer(p, "Refer-To: sip:8002@127.0.0.1\r\n");
    env_event(e, SIP_EV_REFER);
    ck_assert_int_eq(sip_leg_refer_answer(e->leg, 202, NULL, &r), 0);
    peer_expect(p, "SIP/2.0 202");
    sip_refer_notify(r, 180);
    sip_refer_notify(r, 486);
    notified(p, "SIP/2.0 100 Trying\r\n", "active", 200);
    notified(p, "SIP/2.0 486 Busy Here\r\n", "terminated", 200);
    for (int i = 0; i < 20; i++)
        env_turn(e);
    ck_assert(!peer_take(p));
}
END_TEST

/* A telephone that knows of nothing any more is left in peace. */
START_TEST(no_such_dialog)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_refer *r;
    establish(e, p);
    refer(p, "Refer-To: <sip:8002@127.0.0.1>\r\n");
    env_event(e, SIP_EV_REFER);
    ck_assert_int_eq(sip_leg_refer_answer(e->leg, 202, NULL, &r), 0);
    peer_expect(p, "SIP/2.0 202");
    notified(p, "SIP/2.0 100 Trying\r\n", "active", 481);
    for (int i = 0; i < 20; i++)
        env_turn(e);
    sip_refer_notify(r, 180);
    sip_refer_notify(r, 200);
    for (int i = 0; i < 20; i++)
        env_turn(e);
    ck_assert(!peer_take(p));
}
END_TEST

START_TEST(wants_no_news)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_refer *r;
    establish(e, p);
    refer(p, "Refer-To: <sip:8002@127.0.0.1>\r\nRefer-Sub: false\r\nRequire: norefersub\r\n");
    env_event(e, SIP_EV_REFER);
    ck_assert_int_eq(sip_leg_refer_answer(e->leg, 202, NULL, &r), 0);
    ck_assert_ptr_null(r);
    peer_expect(p, "SIP/2.0 202");
    ck_assert_str_eq(peer_header(p, "Refer-Sub"), "false");
    sip_refer_notify(r, 200);
    for (int i = 0; i < 20; i++)
        env_turn(e);
    ck_assert(!peer_take(p));
}
END_TEST

START_TEST(refused_by_its_owner)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_refer *r;
    establish(e, p);
    refer(p, "Refer-To: <sip:404@127.0.0.1>\r\n");
    env_event(e, SIP_EV_REFER);
    peer_request(p, "REFER", "Refer-To: <sip:8003@127.0.0.1>\r\n", NULL); /* one at a time */
    p->cseq++;
    peer_expect(p, "SIP/2.0 491");
    ck_assert_int_eq(sip_leg_refer_answer(e->leg, 404, NULL, &r), 0);
    ck_assert_ptr_null(r);
    peer_expect(p, "SIP/2.0 404");
    refer(p, "Refer-To: <sip:8002@127.0.0.1>\r\n"); /* the call goes on, and may be referred again */
    ck_assert_str_eq(env_event(e, SIP_EV_REFER)->refer_to, "8002");
    unsigned id = p->cseq - 1;
    ck_assert_int_eq(sip_leg_refer_answer(e->leg, 202, NULL, &r), 0);
    peer_expect(p, "SIP/2.0 202");
    peer_expect(p, "NOTIFY ");
    char event[32];
    snprintf(event, sizeof event, "refer;id=%u", id); /* RFC 3515 section 2.4.6 */
    ck_assert_str_eq(peer_header(p, "Event"), event);
    peer_reply(p, 200, NULL, "", NULL);
    sip_refer_drop(r);
}
END_TEST

START_TEST(refused_at_once)
{
    static const struct {
        const char *headers;
        int status;
    } at[] = {
        {"", 400},
        {"Refer-To: <sip:8002@127.0.0.1>\r\nRefer-To: <sip:8003@127.0.0.1>\r\n", 400},
        {"Refer-To: <\r\n", 400},
        {"Refer-To: <sip:127.0.0.1>\r\n", 400},
        {"Refer-To: <sip:80%0002@127.0.0.1>\r\n", 400},
        {"Refer-To: <http://127.0.0.1/8002>\r\n", 416},
        {"Refer-To: <sip:8002@127.0.0.1;method=BYE>\r\n", 603},
        {"Refer-To: <sip:8002@127.0.0.1?Subject=a&replaces=x>\r\n", 400},
        {"Refer-To: <sip:8002@127.0.0.1?Replaces=x%3Bto-tag%3D1>\r\n", 400},
        {"Refer-To: <sip:8002@127.0.0.1?Replaces=x%00%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\n", 400},
        {"Refer-To: <sip:8002@127.0.0.1>\r\nRequire: tdialog\r\n", 420},
    };
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    establish(e, p);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        refer(p, at[i].headers);
        while (strncmp(peer_recv_ms(p, WAIT_MS), "SIP/2.0 ", 8) != 0)
            continue;
        ck_assert_msg(peer_status(p) == at[i].status, "%s%s", at[i].headers, p->msg);
        env_no_event(e);
    }
    refer(p, "Refer-To: tel:+8613800138000\r\n");
    ck_assert_str_eq(env_event(e, SIP_EV_REFER)->refer_to, "+8613800138000");
}
END_TEST

/* The other dialog of the same telephone; nobody need be named beside it. */
START_TEST(names_another_call)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_refer *r;
    establish(e, p);
    refer(p, "Refer-To: <sip:8002@127.0.0.1?Replaces=a.b%40host%3Bto-tag%3Dus%3Bfrom-tag%3Dhe&Require=replaces>\r\n"
             "Target-Dialog: a.b@host;local-tag=x;remote-tag=y\r\nRequire: replaces\r\n");
    ck_assert_str_eq(env_event(e, SIP_EV_REFER)->refer_to, "8002");
    ck_assert_str_eq(e->replaces.call_id, "a.b@host");
    ck_assert_str_eq(e->replaces.to_tag, "us");
    ck_assert_str_eq(e->replaces.from_tag, "he");
    /* There is none: as an answer 481 would end the call that it asks in (RFC 5057). */
    ck_assert_int_eq(sip_leg_refer_answer(e->leg, 481, NULL, &r), 0);
    ck_assert_ptr_null(r);
    peer_expect(p, "SIP/2.0 202");
    unsigned told = notified(p, "SIP/2.0 481 Call/Transaction Does Not Exist\r\n", "terminated;reason=noresource", 200);
    refer(p, "Refer-To: <sip:127.0.0.1?Replaces=c%3Bfrom-tag%3Dhe%3Bto-tag%3Dus%3Bearly-only>\r\nRefer-Sub: false\r\n");
    ck_assert_str_eq(env_event(e, SIP_EV_REFER)->refer_to, "");
    ck_assert_str_eq(e->replaces.call_id, "c");
    ck_assert(e->replaces.early_only);
    ck_assert_int_eq(sip_leg_refer_answer(e->leg, 481, NULL, &r), 0);
    peer_expect(p, "SIP/2.0 603"); /* who wants no news has to be told at once */
    sip_leg_release(e->leg, 0, NULL); /* the dialog has gone on, and its numbers with it */
    peer_expect(p, "BYE sip:8001@127.0.0.1");
    ck_assert_uint_eq((unsigned)strtoul(peer_header(p, "CSeq"), NULL, 10), told + 1);
}
END_TEST

START_TEST(outside_a_dialog)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    peer_request(p, "REFER", "Refer-To: <sip:8002@127.0.0.1>\r\n", NULL);
    peer_expect(p, "SIP/2.0 403");
    env_no_event(e);
}
END_TEST

/* Its call ends before it is answered; and the endpoint, with a subscription that nobody holds any more. */
START_TEST(the_call_ends_first)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    establish(e, p);
    refer(p, "Refer-To: <sip:8002@127.0.0.1>\r\n");
    env_event(e, SIP_EV_REFER);
    sip_leg_release(e->leg, 0, NULL);
    bool answered = false, bye = false;
    while (!answered || !bye) {
        const char *m = peer_recv_ms(p, WAIT_MS);
        answered |= strncmp(m, "SIP/2.0 487", 11) == 0;
        bye |= strncmp(m, "BYE ", 4) == 0;
        ck_assert_msg(m[0], "neither");
    }
}
END_TEST

/* A node that may not act says nothing. */
START_TEST(cut_off)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_refer *r;
    establish(e, p);
    refer(p, "Refer-To: <sip:8002@127.0.0.1>\r\n");
    env_event(e, SIP_EV_REFER);
    ck_assert_int_eq(sip_leg_refer_answer(e->leg, 202, NULL, &r), 0);
    peer_expect(p, "SIP/2.0 202");
    notified(p, "SIP/2.0 100 Trying\r\n", "active", 200);
    for (int i = 0; i < 20; i++)
        env_turn(e);
    e->silent = true;
    sip_refer_notify(r, 200);
    for (int i = 0; i < 20; i++)
        env_turn(e);
    ck_assert(!peer_take(p));
    e->silent = false;
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sip refer");
    TCase *t = tcase_create("refer");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, rig_up, rig_down);
    tcase_add_test(t, told_to_the_end);
    tcase_add_test(t, only_the_latest);
    tcase_add_test(t, no_such_dialog);
    tcase_add_test(t, wants_no_news);
    tcase_add_test(t, refused_by_its_owner);
    tcase_add_test(t, refused_at_once);
    tcase_add_test(t, names_another_call);
    tcase_add_test(t, outside_a_dialog);
    tcase_add_test(t, the_call_ends_first);
    tcase_add_test(t, cut_off);
    suite_add_tcase(s, t);
    return run_suite(s);
}
