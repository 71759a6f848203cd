/* Challenges to requests of ours: a carrier that wants a user and a password. */
#include "tests/unit/telephony/test_sip_move.h"

#define SHA                                                                                                  \
    "Proxy-Authenticate: Digest realm=\"carrier\", nonce=\"n1\", algorithm=SHA-256, qop=\"auth-int,auth\", " \
    "opaque=\"o\\\"1\"\r\n"
#define MD5 "Proxy-Authenticate: Digest realm=\"carrier\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"\r\n"
#define ODD "Proxy-Authenticate: Digest realm=\"carrier\", nonce=\"n1\", algorithm=SHA-512-256, qop=\"auth\"\r\n"
#define INT "Proxy-Authenticate: Digest realm=\"carrier\", nonce=\"n1\", algorithm=MD5, qop=\"auth-int\"\r\n"

/* The next INVITE of a call whose leg knows the password. */
static struct sip_leg *called(struct peer *p)
{
    struct sip_leg *leg = peer_called(p);
    ck_assert_int_eq(sip_leg_credentials(leg, "ever\"line", "top secret"), 0);
    peer_expect(p, "INVITE ");
    ck_assert_str_eq(peer_header(p, "Authorization"), "");
    ck_assert_str_eq(peer_header(p, "Proxy-Authorization"), "");
    return leg;
}

static void refuse(struct peer *p, int status, const char *extra)
{
    peer_reply(p, status, "challenger", extra, NULL);
    peer_expect(p, "ACK ");
}

static void part(const char *header, const char *name, char out[256])
{
    char key[64];
    snprintf(key, sizeof key, "%s=", name);
    const char *at = strstr(header, key);
    while (at && at > header && at[-1] != ' ' && at[-1] != ',')
        at = strstr(at + 1, key);
    out[0] = '\0';
    if (!at)
        return;
    at += strlen(key);
    bool quoted = *at == '"';
    size_t n = 0;
    for (at += quoted; *at && (quoted ? *at != '"' : *at != ',') && n < 255; at++) {
        if (quoted && *at == '\\')
            at++;
        out[n++] = *at;
    }
    out[n] = '\0';
}

/* That the header of the last message answers this challenge, as the peer reckons it. */
static void answers(struct peer *p, const char *name, const char *method, const char *alg, const char *nonce,
                    const char *count)
{
    char header[1024], user[256], realm[256], got[256], uri[256], nc[256], cnonce[256], qop[256], other[256];
    char ha1[DIGEST_HEX_MAX], want[DIGEST_HEX_MAX];
    enum digest_alg a;
    copy_text(header, sizeof header, peer_header(p, name));
    ck_assert_msg(strncmp(header, "Digest ", 7) == 0, "%s: \"%s\" of\n%s", name, header, p->msg);
    part(header, "username", user);
    part(header, "realm", realm);
    part(header, "response", got);
    part(header, "uri", uri);
    part(header, "nc", nc);
    part(header, "cnonce", cnonce);
    part(header, "qop", qop);
    part(header, "nonce", other);
    ck_assert_str_eq(other, nonce);
    part(header, "algorithm", other);
    ck_assert_str_eq(other, alg);
    ck_assert_str_eq(user, "ever\"line");
    ck_assert_str_eq(nc, count);
    const char *line = strchr(p->msg, ' ') + 1;
    ck_assert_msg(strncmp(line, uri, strlen(uri)) == 0 && line[strlen(uri)] == ' ', "%s is not in %.80s", uri, p->msg);
    ck_assert_int_eq(digest_alg_parse(alg, &a), 0);
    ck_assert_int_eq(digest_ha1(a, user, realm, "top secret", ha1), 0);
    ck_assert_int_eq(digest_response(a, ha1, nonce, nc, cnonce, *qop ? qop : NULL, method, uri, want), 0);
    ck_assert_str_eq(got, want);
}

static void answered(struct peer *p, struct sip_leg *leg)
{
    peer_reply(p, 200, "callee", "Allow: INVITE, ACK, BYE\r\n", SDP_A);
    env_event(p->e, SIP_EV_ANSWERED);
    ck_assert_int_eq(sip_leg_ack(leg), 0);
    peer_expect(p, "ACK ");
}

/* From the INVITE to the BYE. The ACK repeats the INVITE's answer; what comes later counts on. */
START_TEST(a_whole_call)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_leg *leg = called(p);
    char header[1024], opaque[256];
    refuse(p, 407, ODD INT SHA MD5);
    peer_expect(p, "INVITE ");
    ck_assert_str_eq(peer_header(p, "CSeq"), "101 INVITE");
    answers(p, "Proxy-Authorization", "INVITE", "SHA-256", "n1", "00000001");
    copy_text(header, sizeof header, peer_header(p, "Proxy-Authorization"));
    part(header, "opaque", opaque);
    ck_assert_str_eq(opaque, "o\"1");
    ck_assert_ptr_null(strstr(header, "top secret"));
    env_no_event(e);
    answered(p, leg);
    ck_assert_str_eq(peer_header(p, "Proxy-Authorization"), header);
    ck_assert_str_eq(peer_header(p, "CSeq"), "101 ACK");

    ck_assert_int_eq(sip_leg_reinvite(leg, SDP_HOLD), 0);
    peer_expect(p, "INVITE ");
    answers(p, "Proxy-Authorization", "INVITE", "SHA-256", "n1", "00000002");
    refuse(p, 407, "Proxy-Authenticate: Digest realm=\"carrier\", nonce=\"n2\", qop=\"auth\", stale=TRUE\r\n");
    peer_expect(p, "INVITE ");
    answers(p, "Proxy-Authorization", "INVITE", "MD5", "n2", "00000001");
    peer_reply(p, 200, NULL, "", SDP_A);
    peer_expect(p, "ACK ");
    ck_assert_str_ne(peer_header(p, "Proxy-Authorization"), "");
    ck_assert_int_eq(env_event(e, SIP_EV_REANSWERED)->status, 200);

    sip_leg_release(leg, 0, NULL);
    peer_expect(p, "BYE ");
    answers(p, "Proxy-Authorization", "BYE", "MD5", "n2", "00000002");
    int cseq = atoi(peer_header(p, "CSeq"));
    peer_reply(p, 401, NULL, "WWW-Authenticate: Digest realm=\"carrier\", nonce=\"n3\"\r\n", NULL);
    peer_expect(p, "BYE ");
    answers(p, "Authorization", "BYE", "MD5", "n3", "");
    answers(p, "Proxy-Authorization", "BYE", "MD5", "n2", "00000003");
    ck_assert_int_eq(atoi(peer_header(p, "CSeq")), cseq + 1);
    peer_reply(p, 200, NULL, "", NULL);
}
END_TEST

#define RELIABLE "Require: 100rel\r\nRSeq: "

/* A PRACK that is challenged is sent again, with a CSeq of its own and for the same answer; once. */
START_TEST(prack_is_sent_again)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_leg *leg = called(p);
    char invite[MSG_MAX];
    memcpy(invite, p->msg, sizeof invite);
    peer_reply(p, 183, "callee", RELIABLE "7\r\n", SDP_A);
    peer_expect(p, "PRACK ");
    env_event(e, SIP_EV_PROGRESS);
    ck_assert_str_eq(peer_header(p, "CSeq"), "101 PRACK");
    ck_assert_str_eq(peer_header(p, "Proxy-Authorization"), "");
    peer_reply(p, 407, NULL, MD5, NULL);
    peer_expect(p, "PRACK ");
    ck_assert_str_eq(peer_header(p, "CSeq"), "102 PRACK");
    ck_assert_str_eq(peer_header(p, "RAck"), "7 100 INVITE");
    answers(p, "Proxy-Authorization", "PRACK", "MD5", "n1", "00000001");
    peer_reply(p, 407, NULL, MD5, NULL); /* the password is wrong */
    ck_assert_ptr_null(peer_recv_ms(p, 100));

    memcpy(p->msg, invite, sizeof invite); /* the next answer is another request's business */
    peer_reply(p, 180, "callee", RELIABLE "8\r\n", NULL);
    peer_expect(p, "PRACK ");
    env_event(e, SIP_EV_PROGRESS);
    answers(p, "Proxy-Authorization", "PRACK", "MD5", "n1", "00000002");
    peer_reply(p, 401, NULL, "WWW-Authenticate: Digest realm=\"carrier\", nonce=\"n2\"\r\n", NULL);
    peer_expect(p, "PRACK ");
    answers(p, "Authorization", "PRACK", "MD5", "n2", "");
    ck_assert_str_eq(peer_header(p, "RAck"), "8 100 INVITE");
    int cseq = atoi(peer_header(p, "CSeq"));
    peer_reply(p, 200, NULL, "", NULL);
    memcpy(p->msg, invite, sizeof invite);
    answered(p, leg);
    sip_leg_release(leg, 0, NULL);
    peer_expect(p, "BYE ");
    ck_assert_int_eq(atoi(peer_header(p, "CSeq")), cseq + 1);
    peer_reply(p, 200, NULL, "", NULL);
}
END_TEST

/* An answer that is refused is not given again: the password is wrong. */
START_TEST(wrong_password)
{
    struct peer *p = rig.peer;
    (void)called(p);
    refuse(p, 407, MD5);
    peer_expect(p, "INVITE ");
    refuse(p, 407, MD5);
    ck_assert_int_eq(env_event(p->e, SIP_EV_FAILED)->status, 407);
    ck_assert_ptr_null(peer_recv_ms(p, 100));
}
END_TEST

/* A nonce that is always stale comes to an end too. */
START_TEST(stale_for_ever)
{
    struct peer *p = rig.peer;
    char extra[160];
    (void)called(p);
    for (int i = 0; i < 4; i++) {
        snprintf(extra, sizeof extra, "WWW-Authenticate: Digest realm=\"c\", nonce=\"s%d\", qop=auth, stale=true\r\n",
                 i);
        refuse(p, 401, extra);
        peer_expect(p, "INVITE ");
    }
    refuse(p, 401, extra);
    ck_assert_int_eq(env_event(p->e, SIP_EV_FAILED)->status, 401);
}
END_TEST

/* Nothing that can be answered: no password, no such algorithm, no challenge. */
START_TEST(cannot_be_answered)
{
    static const char *const extra[] = {ODD INT,
                                        "",
                                        "Proxy-Authenticate: Basic realm=\"carrier\"\r\n",
                                        "Proxy-Authenticate: Digest realm=\"carrier\"\r\n",
                                        "WWW-Authenticate: Digest realm=\"a\", nonce=\"b\"\r\n",
                                        MD5};
    struct peer *p = rig.peer;
    for (size_t i = 0; i < sizeof extra / sizeof extra[0]; i++) {
        struct sip_leg *leg = called(p);
        if (extra[i] == extra[5])
            ck_assert_int_eq(sip_leg_credentials(leg, "", ""), 0);
        refuse(p, 407, extra[i]);
        ck_assert_int_eq(env_event(p->e, SIP_EV_FAILED)->status, 407);
    }
}
END_TEST

/* Challenged while it is called off: no further INVITE. */
START_TEST(called_off)
{
    struct peer *p = rig.peer;
    struct sip_leg *leg = called(p);
    char invite[MSG_MAX];
    memcpy(invite, p->msg, sizeof invite);
    peer_reply(p, 180, "t", "", NULL);
    env_event(p->e, SIP_EV_PROGRESS);
    sip_leg_release(leg, 0, NULL);
    peer_expect(p, "CANCEL ");
    peer_reply(p, 200, NULL, "", NULL);
    memcpy(p->msg, invite, sizeof invite);
    refuse(p, 407, MD5);
    ck_assert_ptr_null(peer_recv_ms(p, 100));
}
END_TEST

/* Who carries a dialog on knows no challenge: the first request meets one, and is sent again. */
START_TEST(after_a_takeover)
{
    struct rig r;
    rig_open(&r, AF_INET, false);
    r.leg = called(r.p);
    refuse(r.p, 407, MD5);
    peer_expect(r.p, "INVITE ");
    answered(r.p, r.leg);
    save(r.leg, SIP_RESTORE_UP, SDP_B, SDP_A, r.b, &r.s);
    move_address(r.a, r.b, "127.0.0.1", r.a->port);
    r.p->e = r.b;
    r.leg = restored(r.b, &r.s);
    ck_assert_int_eq(sip_leg_credentials(r.leg, "ever\"line", "top secret"), 0);
    ck_assert_int_eq(sip_leg_reinvite(r.leg, SDP_HOLD), 0);
    peer_expect(r.p, "INVITE ");
    ck_assert_str_eq(peer_header(r.p, "Proxy-Authorization"), "");
    refuse(r.p, 407, MD5);
    peer_expect(r.p, "INVITE ");
    answers(r.p, "Proxy-Authorization", "INVITE", "MD5", "n1", "00000001");
    /* the former owner has used that count */
    refuse(r.p, 407, "Proxy-Authenticate: Digest realm=\"carrier\", nonce=\"n9\", qop=\"auth\", stale=true\r\n");
    peer_expect(r.p, "INVITE ");
    answers(r.p, "Proxy-Authorization", "INVITE", "MD5", "n9", "00000001");
    peer_reply(r.p, 200, NULL, "", SDP_A);
    peer_expect(r.p, "ACK ");
    ck_assert_int_eq(env_event(r.b, SIP_EV_REANSWERED)->status, 200);
    sip_leg_release(r.leg, 0, NULL);
    peer_expect(r.p, "BYE ");
    answers(r.p, "Proxy-Authorization", "BYE", "MD5", "n9", "00000002");
    peer_reply(r.p, 200, NULL, "", NULL);
    rig_close(&r);
}
END_TEST

/* Ringing outside when its node dies: the new owner comes to the very request that the peer is working at, branch and CSeq. */
START_TEST(ringing_at_a_takeover)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    char target[160], call_id[64], branch[64], via[2][256], cseq[2][64];
    struct sip_out_params params = peer_params(p, target, call_id, branch);
    for (int i = 0; i < 2; i++) {
        struct sip_leg *leg = NULL;
        params.again = i == 1;
        ck_assert_int_eq(sip_leg_invite(e->ua, &params, &leg, NULL), 0);
        ck_assert_int_eq(sip_leg_credentials(leg, "ever\"line", "top secret"), 0);
        peer_expect(p, "INVITE ");
        ck_assert_str_eq(peer_header(p, "CSeq"), "100 INVITE");
        refuse(p, 407, MD5);
        peer_expect(p, "INVITE ");
        copy_text(via[i], sizeof via[i], peer_header(p, "Via"));
        copy_text(cseq[i], sizeof cseq[i], peer_header(p, "CSeq"));
        if (i == 0) { /* all that the process knows of it goes with its address */
            sip_ua_drop_listen(e->ua, "127.0.0.1");
            ck_assert_int_eq(sip_ua_add_listen(e->ua, "127.0.0.1", e->port, NULL), 0);
            continue;
        }
        ck_assert_str_eq(via[1], via[0]);
        ck_assert_str_eq(cseq[1], cseq[0]);
        answered(p, leg);
        sip_leg_release(leg, 0, NULL);
        peer_expect(p, "BYE ");
        ck_assert_int_gt(atoi(peer_header(p, "CSeq")), 100 + (int)SIP_RESTORE_CSEQ_JUMP);
        peer_reply(p, 200, NULL, "", NULL);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sip credentials");
    TCase *plain = tcase_create("one UDP peer"), *two = tcase_create("two owners");
    tcase_set_timeout(plain, 60);
    tcase_set_timeout(two, 60);
    tcase_add_checked_fixture(plain, rig_up, rig_down);
    tcase_add_test(plain, a_whole_call);
    tcase_add_test(plain, prack_is_sent_again);
    tcase_add_test(plain, wrong_password);
    tcase_add_test(plain, stale_for_ever);
    tcase_add_test(plain, cannot_be_answered);
    tcase_add_test(plain, called_off);
    tcase_add_test(two, after_a_takeover);
    tcase_add_test(plain, ringing_at_a_takeover);
    suite_add_tcase(s, plain);
    suite_add_tcase(s, two);
    return run_suite(s);
}
