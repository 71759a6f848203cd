/* REGISTER and digest. */
#include "tests/unit/telephony/test_sip_env.h"

/* An Authorization header for the challenge in p->msg that names this algorithm. */
static const char *credentials(struct peer *p, const char *alg_name, const char *password, const char *method,
                               const char *user, unsigned nc)
{
    static char out[1024];
    char nonce[128] = "", resp[DIGEST_HEX_MAX], ha1[DIGEST_HEX_MAX], ncs[9];
    bool proxy = peer_status(p) == 407;
    enum digest_alg alg;
    ck_assert_int_eq(digest_alg_parse(alg_name, &alg), 0);
    for (int i = 0; i < 2 && !nonce[0]; i++) {
        const char *h = peer_header_nth(p, proxy ? "Proxy-Authenticate" : "WWW-Authenticate", i),
                   *at = strstr(h, "nonce=\"");
        char want[40];
        snprintf(want, sizeof want, "algorithm=%s", alg_name);
        if (at && strstr(h, want))
            snprintf(nonce, sizeof nonce, "%.*s", (int)strcspn(at + 7, "\""), at + 7);
    }
    ck_assert_str_ne(nonce, "");
    snprintf(ncs, sizeof ncs, "%08x", nc);
    ck_assert_int_eq(digest_ha1(alg, user, "everline", password, ha1), 0);
    ck_assert_int_eq(digest_response(alg, ha1, nonce, ncs, "cn", "auth", method, "sip:x", resp), 0);
    snprintf(
        out, sizeof out,
        "%s: Digest username=\"%s\", realm=\"everline\", nonce=\"%s\", uri=\"sip:x\", response=\"%s\", algorithm=%s, "
        "cnonce=\"cn\", qop=auth, nc=%s\r\n",
        proxy ? "Proxy-Authorization" : "Authorization", user, nonce, resp, alg_name, ncs);
    return out;
}

static void reg_as(struct peer *p, bool named, const char *extra)
{
    peer_text(
        p, NULL,
        "REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s:%u;branch=z9hG4bKr%u;rport\r\nMax-Forwards: 70\r\n"
        "From: <sip:8001@127.0.0.1>;tag=r\r\nTo: <sip:8001@127.0.0.1>\r\nCall-ID: %s\r\nCSeq: %u REGISTER\r\n%s%s",
        p->host, p->port, ++peer_serial, p->call_id, p->cseq++, named ? "User-Agent: Phone 1\r\n" : "", extra);
}

static void reg(struct peer *p, const char *extra)
{
    reg_as(p, true, extra);
}

static const char *with_contact(const char *auth)
{
    static char out[2048];
    snprintf(out, sizeof out,
             "Contact: <sip:8001@127.0.0.1:5070>;+sip.instance=\"<urn:uuid:1>\";reg-id=1\r\nExpires: 300\r\n%s", auth);
    return out;
}

static void registers(const char *alg)
{
    struct env *e = env_new();
    e->identity = SIP_ID_PHONE;
    env_start(e);
    struct peer *p = peer_udp(e);
    reg(p, with_contact(""));
    peer_expect(p, "SIP/2.0 401");
    reg(p, with_contact(credentials(p, alg, "secret", "REGISTER", "8001", 1)));
    peer_expect(p, "SIP/2.0 200");
    ck_assert_int_eq(e->registers, 1);
    ck_assert_str_eq(e->reg_text[0], "8001");
    ck_assert_str_eq(e->reg_uri[0], "sip:8001@127.0.0.1:5070");
    ck_assert_str_eq(e->reg_instance[0], "<urn:uuid:1>");
    ck_assert_uint_eq(e->reg_contact[0].reg_id, 1);
    ck_assert_uint_eq(e->reg_contact[0].expires_s, 300);
    char flow[64];
    snprintf(flow, sizeof flow, "udp:127.0.0.1:%u", p->port);
    ck_assert_str_eq(e->reg_text[1], flow);
    ck_assert_ptr_nonnull(strstr(peer_header(p, "Contact"), "expires=300"));
    peer_free(p);
    env_stop(e);
}

START_TEST(md5)
{
    registers("MD5");
}
END_TEST

START_TEST(sha256)
{
    registers("SHA-256");
}
END_TEST

static struct env *phones(void)
{
    struct env *e = env_new();
    e->identity = SIP_ID_PHONE;
    return e;
}

/* One challenge, then this request. */
static void after_challenge(struct peer *p, const char *alg, const char *password, const char *user)
{
    reg(p, with_contact(""));
    peer_expect(p, "SIP/2.0 401");
    reg(p, with_contact(credentials(p, alg, password, "REGISTER", user, 1)));
}

/* Clients that would give up at SHA-256, and those that do not name themselves, are told of MD5 alone; to others it is what comes second. */
START_TEST(clients_of_md5_alone)
{
    static const struct {
        const char *agent;
        const char *algorithms[2];
    } cases[] = {{"sipsak 0.9.8.1", {"MD5"}},
                 {"baresip v1.0.0 (x86_64/linux)", {"MD5"}},
                 {"baresip v3.1.0", {"SHA-256", "MD5"}},
                 {"SIPp/Linux", {"MD5"}},
                 {"", {"MD5"}},
                 {"Yealink 1", {"SHA-256", "MD5"}}};
    struct env *e = env_new();
    e->identity = SIP_ID_PHONE;
    env_start(e);
    struct peer *p = peer_udp(e);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char agent[80];
        snprintf(agent, sizeof agent, cases[i].agent[0] ? "User-Agent: %s\r\n" : "%s", cases[i].agent);
        reg_as(p, false, with_contact(agent));
        peer_expect(p, "SIP/2.0 401");
        for (unsigned k = 0; k < 2; k++) {
            char want[32] = "";
            if (cases[i].algorithms[k])
                snprintf(want, sizeof want, "algorithm=%s,", cases[i].algorithms[k]);
            const char *is = peer_header_nth(p, "WWW-Authenticate", k);
            ck_assert_msg(want[0] ? strstr(is, want) != NULL : !*is, "%s: %s", cases[i].agent, is);
        }
    }
    peer_free(p);
    env_stop(e);
}
END_TEST

START_TEST(wrong_password_and_unknown_user)
{
    struct env *e = phones();
    env_start(e);
    struct peer *p = peer_udp(e);
    char wrong[2][512];
    for (int i = 0; i < 2; i++) {
        after_challenge(p, "SHA-256", i ? "secret" : "guess", i ? "9999" : "8001");
        peer_expect(p, "SIP/2.0 401");
        ck_assert_ptr_null(strstr(p->msg, "stale"));
        copy_text(wrong[i], sizeof wrong[i], peer_header(p, "WWW-Authenticate"));
        char *nonce = strstr(wrong[i], "nonce=\"");
        memset(nonce + 7, '0', 56); /* all else is equal */
    }
    ck_assert_str_eq(wrong[0], wrong[1]);
    ck_assert_int_eq(e->registers, 0);
    struct sip_stats st;
    sip_ua_get_stats(e->ua, &st);
    ck_assert_uint_eq(st.auth_failures, 2);
    ck_assert_uint_eq(st.auth_challenges, 4);
    peer_free(p);
    env_stop(e);
}
END_TEST

START_TEST(stale_nonce)
{
    struct env *e = phones();
    env_start(e);
    struct peer *p = peer_udp(e);
    char nonce[DIGEST_NONCE_SIZE];
    ck_assert_int_eq(digest_nonce_make(e->cfg.nonce_key, clock_wall_now().us / 1000000 - 61, nonce), 0);
    snprintf(p->msg, sizeof p->msg, "SIP/2.0 401 x\r\nWWW-Authenticate: Digest algorithm=MD5, nonce=\"%s\"\r\n\r\n",
             nonce);
    reg(p, with_contact(credentials(p, "MD5", "secret", "REGISTER", "8001", 1)));
    peer_expect(p, "SIP/2.0 401");
    ck_assert_ptr_nonnull(strstr(peer_header(p, "WWW-Authenticate"), "stale=true"));
    reg(p, with_contact(credentials(p, "MD5", "secret", "REGISTER", "8001", 1)));
    peer_expect(p, "SIP/2.0 200");
    peer_free(p);
    env_stop(e);
}
END_TEST

/* The address goes while the REGISTER waits for its commit: the owner's answer leads nowhere, and does no harm. */
START_TEST(address_goes)
{
    struct env *e = phones();
    e->hold_register = true;
    env_start(e);
    struct peer *p = peer_udp(e);
    for (int i = 0; i < 2; i++) {
        reg(p, with_contact(""));
        peer_expect(p, "SIP/2.0 401");
        reg(p, with_contact(credentials(p, "MD5", "secret", "REGISTER", "8001", 1)));
        env_until(e, e->registers == i + 1);
        sip_ua_drop_listen(e->ua, "127.0.0.1");
        if (i == 0)
            sip_register_reply(e->reg, 200, NULL, 0, NULL, 0);
        ck_assert_int_eq(sip_ua_add_listen(e->ua, "127.0.0.1", e->port, NULL), 0);
    }
    peer_free(p);
    env_stop(e); /* the second was never answered */
}
END_TEST

START_TEST(replayed_count)
{
    struct env *e = phones();
    env_start(e);
    struct peer *p = peer_udp(e);
    char challenge[2048];
    reg(p, with_contact(""));
    peer_expect(p, "SIP/2.0 401");
    copy_text(challenge, sizeof challenge, p->msg);
    reg(p, with_contact(credentials(p, "MD5", "secret", "REGISTER", "8001", 1)));
    peer_expect(p, "SIP/2.0 200");
    copy_text(p->msg, sizeof p->msg, challenge);
    reg(p, with_contact(credentials(p, "MD5", "secret", "REGISTER", "8001", 2)));
    peer_expect(p, "SIP/2.0 200");
    copy_text(p->msg, sizeof p->msg, challenge);
    reg(p, with_contact(credentials(p, "MD5", "secret", "REGISTER", "8001", 2)));
    peer_expect(p, "SIP/2.0 401");
    ck_assert_ptr_nonnull(strstr(peer_header(p, "WWW-Authenticate"), "stale=true"));
    ck_assert_int_eq(e->registers, 2);
    peer_free(p);
    env_stop(e);
}
END_TEST

START_TEST(other_from_user)
{
    struct env *e = phones();
    env_start(e);
    struct peer *p = peer_udp(e);
    static const char *const from_to[][2] = {{"8002", "8002"}, {"8001", "8002"}};
    for (int i = 0; i < 2; i++) {
        reg(p, with_contact(""));
        peer_expect(p, "SIP/2.0 401");
        const char *auth = credentials(p, "SHA-256", "secret", "REGISTER", "8001", 1);
        peer_text(
            p, NULL,
            "REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKo%d\r\nMax-Forwards: 70\r\n"
            "From: <sip:%s@127.0.0.1>;tag=r\r\nTo: <sip:%s@127.0.0.1>\r\nCall-ID: other%d\r\nCSeq: 9 REGISTER\r\n%s",
            p->port, i, from_to[i][0], from_to[i][1], i, auth);
        peer_expect(p, "SIP/2.0 403");
    }
    ck_assert_int_eq(e->registers, 0);
    peer_free(p);
    env_stop(e);
}
END_TEST

/* REGISTERs of one phone whose nonce count goes on. */
static void reg_with(struct peer *p, const char *contacts, const char *start)
{
    char all[4096];
    reg(p, contacts);
    peer_expect(p, "SIP/2.0 401");
    snprintf(all, sizeof all, "%s%s", contacts, credentials(p, "SHA-256", "secret", "REGISTER", "8001", 1));
    reg(p, all);
    peer_expect(p, start);
}

START_TEST(contacts)
{
    struct env *e = phones();
    env_start(e);
    struct peer *p = peer_udp(e);
    reg_with(p, "", "SIP/2.0 200"); /* a question */
    ck_assert_uint_eq(e->reg_info.n_contacts, 0);
    reg_with(p, "Contact: <sip:8001@127.0.0.1:1>;expires=20\r\n", "SIP/2.0 423");
    ck_assert_str_eq(peer_header(p, "Min-Expires"), "30");
    reg_with(p, "Contact: <sip:8001@127.0.0.1:1>;expires=99999\r\n", "SIP/2.0 200");
    ck_assert_uint_eq(e->reg_contact[0].expires_s, 7200);
    reg_with(p, "Contact: <sip:8001@127.0.0.1:1>;expires=0, <sip:8001@127.0.0.1:2>;expires=60\r\n", "SIP/2.0 200");
    ck_assert_uint_eq(e->reg_info.n_contacts, 2);
    ck_assert_uint_eq(e->reg_contact[0].expires_s, 0);
    ck_assert_uint_eq(e->reg_contact[1].expires_s, 60);
    ck_assert_str_eq(e->reg_uri[1], "sip:8001@127.0.0.1:2");
    reg_with(p, "Contact: *\r\nExpires: 0\r\n", "SIP/2.0 200");
    ck_assert(e->reg_info.star);
    int before = e->registers;
    reg_with(p, "Contact: *\r\n", "SIP/2.0 400");
    reg_with(p, "Contact: *\r\nExpires: 60\r\n", "SIP/2.0 400");
    reg_with(p, "Contact: <tel:8001>\r\n", "SIP/2.0 400");
    char many[1024] = "Contact: <sip:a@127.0.0.1:0>";
    for (int i = 1; i < 11; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), ", <sip:a@127.0.0.1:%d>", i);
    strcat(many, "\r\n");
    reg_with(p, many, "SIP/2.0 403");
    ck_assert_int_eq(e->registers, before);
    reg_with(p,
             "Supported: path, outbound\r\nPath: <sip:10.0.0.1;lr>\r\n"
             "Contact: <sip:8001@127.0.0.1:1>;reg-id=2;+sip.instance=\"<urn:uuid:7>\"\r\n",
             "SIP/2.0 200");
    ck_assert_str_eq(e->reg_text[2], "<sip:10.0.0.1;lr>");
    ck_assert_str_eq(peer_header(p, "Path"), "<sip:10.0.0.1;lr>");
    ck_assert_str_eq(peer_header(p, "Require"), "outbound");
    ck_assert_ptr_nonnull(strstr(peer_header(p, "Contact"), ";reg-id=2"));
    ck_assert_ptr_nonnull(strstr(peer_header(p, "Contact"), "+sip.instance=\"<urn:uuid:7>\""));
    peer_free(p);
    env_stop(e);
}
END_TEST

START_TEST(answered_later)
{
    struct env *e = phones();
    e->hold_register = true;
    env_start(e);
    struct peer *p = peer_udp(e);
    after_challenge(p, "SHA-256", "secret", "8001");
    env_until(e, e->reg != NULL);
    sip_register_reply(e->reg, 503, "No Quorum", 3, NULL, 0);
    peer_expect(p, "SIP/2.0 503 No Quorum");
    ck_assert_str_eq(peer_header(p, "Retry-After"), "3");
    e->reg = NULL;
    after_challenge(p, "SHA-256", "secret", "8001");
    env_until(e, e->reg != NULL); /* never answered: freed at stop */
    env_stop(e);
    peer_free(p);
}
END_TEST

START_TEST(invite_of_phone)
{
    struct env *e = phones();
    env_start(e);
    struct peer *p = peer_udp(e);
    peer_request(p, "INVITE", "User-Agent: Phone 1\r\n", SDP_A);
    peer_expect(p, "SIP/2.0 407");
    char *auth = strdup(credentials(p, "SHA-256", "secret", "INVITE", "8001", 1));
    peer_request(p, "ACK", "", NULL);
    p->to_tag[0] = '\0';
    p->cseq++;
    peer_request(p, "INVITE", auth, SDP_A);
    env_until(e, e->leg != NULL);
    ck_assert(e->inv_has_auth);
    ck_assert_str_eq(e->auth_user, "8001");
    ck_assert_str_eq(e->inv_text[6], "");
    free(auth);
    e->identity = SIP_ID_REFUSE;
    struct peer *q = peer_udp(e);
    peer_request(q, "INVITE", "", SDP_A);
    peer_expect(q, "SIP/2.0 403");
    peer_request(q, "ACK", "", NULL);
    q->to_tag[0] = '\0';
    e->identity = SIP_ID_STATIC_PHONE;
    e->leg = NULL;
    q->cseq++;
    peer_request(q, "INVITE", "", SDP_A);
    env_until(e, e->leg != NULL);
    ck_assert_str_eq(e->auth_user, "8002");
    peer_free(p);
    peer_free(q);
    env_stop(e);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sip register");
    TCase *t = tcase_create("register");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, md5);
    tcase_add_test(t, sha256);
    tcase_add_test(t, clients_of_md5_alone);
    tcase_add_test(t, wrong_password_and_unknown_user);
    tcase_add_test(t, stale_nonce);
    tcase_add_test(t, address_goes);
    tcase_add_test(t, replayed_count);
    tcase_add_test(t, other_from_user);
    tcase_add_test(t, contacts);
    tcase_add_test(t, answered_later);
    tcase_add_test(t, invite_of_phone);
    suite_add_tcase(s, t);
    return run_suite(s);
}
