/* REGISTER and digest. */
#include "test_sip_env.h"

/* An Authorization header for the challenge in p->msg that names this algorithm. */
static const char *credentials(struct peer *p, const char *alg_name, const char *password, const char *method, const char *user,
                               unsigned nc)
{
    static char out[1024];
    char nonce[128] = "", resp[DIGEST_HEX_MAX], ha1[DIGEST_HEX_MAX], ncs[9];
    bool proxy = peer_status(p) == 407;
    enum digest_alg alg;
    ck_assert_int_eq(digest_alg_parse(alg_name, &alg), 0);
    for (int i = 0; i < 2 && !nonce[0]; i++) {
        const char *h = peer_header_nth(p, proxy ? "Proxy-Authenticate" : "WWW-Authenticate", i), *at = strstr(h, "nonce=\"");
        char want[40];
        snprintf(want, sizeof want, "algorithm=%s", alg_name);
        if (at && strstr(h, want))
            snprintf(nonce, sizeof nonce, "%.*s", (int)strcspn(at + 7, "\""), at + 7);
    }
    ck_assert_str_ne(nonce, "");
    snprintf(ncs, sizeof ncs, "%08x", nc);
    ck_assert_int_eq(digest_ha1(alg, user, "everline", password, ha1), 0);
    ck_assert_int_eq(digest_response(alg, ha1, nonce, ncs, "cn", "auth", method, "sip:x", resp), 0);
    snprintf(out, sizeof out,
             "%s: Digest username=\"%s\", realm=\"everline\", nonce=\"%s\", uri=\"sip:x\", response=\"%s\", algorithm=%s, "
             "cnonce=\"cn\", qop=auth, nc=%s\r\n",
             proxy ? "Proxy-Authorization" : "Authorization", user, nonce, resp, alg_name, ncs);
    return out;
}

static void reg(struct peer *p, const char *extra)
{
    peer_text(p, NULL,
              "REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s:%u;branch=z9hG4bKr%u;rport\r\nMax-Forwards: 70\r\n"
              "From: <sip:8001@127.0.0.1>;tag=r\r\nTo: <sip:8001@127.0.0.1>\r\nCall-ID: %s\r\nCSeq: %u REGISTER\r\n%s",
              p->host, p->port, ++peer_serial, p->call_id, p->cseq++, extra);
}

static const char *with_contact(const char *auth)
{
    static char out[2048];
    snprintf(out, sizeof out, "Contact: <sip:8001@127.0.0.1:5070>;+sip.instance=\"<urn:uuid:1>\";reg-id=1\r\nExpires: 300\r\n%s",
             auth);
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
    ck_assert_ptr_nonnull(strstr(peer_header_nth(p, "WWW-Authenticate", 0), "algorithm=SHA-256"));
    ck_assert_ptr_nonnull(strstr(peer_header_nth(p, "WWW-Authenticate", 1), "algorithm=MD5"));
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

int main(void)
{
    Suite *s = suite_create("sip register");
    TCase *t = tcase_create("register");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, md5);
    tcase_add_test(t, sha256);
    suite_add_tcase(s, t);
    return run_suite(s);
}
