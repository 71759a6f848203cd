/* Each known trap of the library under us, provoked (the list is in telephony/README.md). */
#include <netdb.h>
#include <sofia-sip/sresolv.h>

#include "telephony/sip_guard.h"
#include "tests/unit/telephony/test_sip_env.h"

static void still_answers(struct env *e)
{
    struct peer *p = peer_udp(e);
    peer_request(p, "OPTIONS", "", NULL);
    peer_expect(p, "SIP/2.0 200");
    peer_free(p);
}

/* A host name in Via must not reach a name server from the loop. */
START_TEST(no_resolution)
{
    struct env *e = env_new();
    env_start(e);
    ck_assert(sip_resolve_guarded());
    struct addrinfo *ai = NULL;
    ck_assert_int_eq(getaddrinfo("www.example.com", NULL, NULL, &ai), EAI_NONAME);
    ck_assert_int_eq(getaddrinfo("127.0.0.1", "5060", NULL, &ai), 0);
    freeaddrinfo(ai);
    ck_assert_ptr_null(sres_resolver_create(e->root, NULL, TAG_END()));
    struct peer *p = peer_udp(e);
    uint64_t before = now_ms();
    for (int i = 0; i < 20; i++) {
        /* malformed (no CSeq), so that the stack refuses it by itself; with and without rport and port */
        peer_text(p, NULL,
                  "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP "
                  "host%d.nowhere.invalid%s;branch=z9hG4bKn%d%s\r\nFrom: <sip:a@b>;tag=1\r\n"
                  "To: <sip:b@c>\r\nCall-ID: n%d\r\n",
                  i, i % 2 ? ":5070" : "", i, i % 3 ? ";rport" : "", i);
        peer_text(
            p, NULL,
            "INVITE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP host%d.nowhere.invalid;maddr=m.invalid;received=r.invalid\r\n",
            i);
    }
    still_answers(e);
    ck_assert_uint_lt(now_ms() - before, 2000);
    sip_resolve_guard(false);
    ck_assert_int_eq(getaddrinfo("127.0.0.1", NULL, NULL, &ai), 0); /* other threads keep the real one */
    freeaddrinfo(ai);
    sres_resolver_t *resolver = sres_resolver_create(e->root, NULL, TAG_END()); /* and the library's own resolver */
    ck_assert_ptr_nonnull(resolver);
    sres_resolver_destroy(resolver);
    peer_free(p);
    env_stop(e);
}
END_TEST

/* The 2xx of a fork that lost names a host in its Contact: the library would ask a name server for it. */
START_TEST(no_resolution_of_contact)
{
    struct env *e = env_new();
    env_start(e);
    struct peer *p = peer_udp(e);
    struct sip_leg *leg = peer_called(p);
    peer_expect(p, "INVITE ");
    char invite[MSG_MAX], text[MSG_MAX];
    memcpy(invite, p->msg, sizeof invite);
    peer_reply(p, 200, "winner", "", SDP_A);
    env_event(e, SIP_EV_ANSWERED);
    ck_assert_int_eq(sip_leg_ack(leg), 0);
    peer_expect(p, "ACK ");
    memcpy(p->msg, invite, sizeof invite);
    snprintf(text, sizeof text,
             "SIP/2.0 200 OK\r\nVia: %s\r\nFrom: <sip:x@127.0.0.1>;tag=ourtag\r\nTo: <sip:y@127.0.0.1>;tag=loser\r\n"
             "CSeq: 100 INVITE\r\nContact: <sip:loser@host.nowhere.invalid>\r\n",
             peer_header(p, "Via"));
    peer_text(p, NULL, "%sCall-ID: %s\r\n", text, peer_header(p, "Call-ID"));
    uint64_t before = now_ms();
    still_answers(e);
    ck_assert_uint_lt(now_ms() - before, 2000);
    const char *m = peer_recv_ms(p, 200);
    ck_assert(m == NULL); /* nothing can be sent there */
    peer_free(p);
    env_stop(e);
}
END_TEST

static int tcp_connect(struct env *e)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(e->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* Whether the other side has closed, within the time. */
static bool closed_within(struct env *e, int fd, unsigned ms)
{
    uint64_t end = now_ms() + ms;
    char c;
    while (now_ms() < end) {
        ssize_t n = recv(fd, &c, 1, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return true;
        env_turn(e);
    }
    return false;
}

static uint32_t connections(struct env *e)
{
    struct sip_stats st;
    sip_ua_get_stats(e->ua, &st);
    return st.tcp_connections;
}

/* A junk first line and a close used to leave the descriptor in CLOSE_WAIT for ever. */
START_TEST(tcp_junk_is_closed)
{
    struct env *e = env_new();
    e->cfg.tcp_idle_s = 1;
    env_start(e);
    for (int i = 0; i < 5; i++) {
        int fd = tcp_connect(e);
        ck_assert_int_eq(send(fd, "\001\002 junk\r\n\r\n", 11, MSG_NOSIGNAL), 11);
        shutdown(fd, SHUT_WR);
        ck_assert(closed_within(e, fd, WAIT_MS));
        close(fd);
    }
    env_until(e, connections(e) == 0);
    int idle = tcp_connect(e); /* says nothing */
    env_until(e, connections(e) == 1);
    ck_assert(closed_within(e, idle, WAIT_MS));
    close(idle);
    env_until(e, connections(e) == 0);
    still_answers(e);
    env_stop(e);
}
END_TEST

/* RFC 5626 section 4.4.1: a phone that hears no pong takes its connection for dead, and registers again and again. */
START_TEST(pings_are_answered)
{
    struct env *e = env_new();
    env_start(e);
    int fd = tcp_connect(e);
    for (int i = 0; i < 3; i++) {
        char got[8];
        ck_assert_int_eq(send(fd, "\r\n\r\n", 4, MSG_NOSIGNAL), 4);
        ssize_t n = -1;
        env_until(e, (n = recv(fd, got, sizeof got, MSG_DONTWAIT)) >= 0);
        ck_assert_int_eq(n, 2);
        ck_assert_mem_eq(got, "\r\n", 2);
    }
    close(fd);
    still_answers(e);
    env_stop(e);
}
END_TEST

/* The library's time for a message grows with the square of its headers: a datagram of the shortest ones stopped the core thread for
 * longer than the lease. */
START_TEST(many_headers)
{
    struct env *e = env_new();
    env_start(e);
    for (int tcp = 0; tcp < 2; tcp++) {
        struct peer *p = peer_new(e, AF_INET, tcp);
        char text[8192] = "";
        for (int i = 0; i < 400; i++)
            strcat(text, "s: x\r\n");
        peer_request(p, "OPTIONS", text, NULL);
        peer_expect(p, "SIP/2.0 ");
        for (int i = 0; i < 400; i++)
            strcat(text, "s: x\r\n");
        uint64_t before = 0;
        struct sip_stats st;
        sip_ua_get_stats(e->ua, &st);
        before = st.malformed;
        peer_request(p, "OPTIONS", text, NULL);
        env_until(e, (sip_ua_get_stats(e->ua, &st), st.malformed > before));
        peer_free(p);
        p = peer_new(e, AF_INET, tcp);
        peer_request(p, "OPTIONS", "", NULL);
        peer_expect(p, "SIP/2.0 200");
        peer_free(p);
    }
    still_answers(e);
    env_stop(e);
}
END_TEST

START_TEST(tcp_cap_per_source)
{
    struct env *e = env_new();
    e->cfg.tcp_per_source = 4;
    env_start(e);
    int fd[6];
    for (int i = 0; i < 4; i++)
        fd[i] = tcp_connect(e);
    env_until(e, connections(e) == 4);
    for (int i = 4; i < 6; i++) {
        fd[i] = tcp_connect(e);
        ck_assert(closed_within(e, fd[i], WAIT_MS));
        close(fd[i]);
    }
    ck_assert_uint_eq(connections(e), 4);
    close(fd[0]); /* room for one again */
    env_until(e, connections(e) == 3);
    struct peer *p = peer_new(e, AF_INET, true);
    peer_request(p, "OPTIONS", "", NULL);
    peer_expect(p, "SIP/2.0 200");
    for (int i = 1; i < 4; i++)
        close(fd[i]);
    peer_free(p);
    env_stop(e);
}
END_TEST

/* 2xx for INVITEs that we do not know (any more), ACKs and responses out of nowhere: no abort. */
START_TEST(strays)
{
    struct env *e = env_new();
    e->cfg.t1_ms = 20;
    e->cfg.t1x64_ms = 200;
    env_start(e);
    struct peer *p = peer_udp(e);
    static const char *const start[] = {"SIP/2.0 200 OK", "SIP/2.0 180 Ringing", "SIP/2.0 486 Busy", "SIP/2.0 999 ?"};
    static const char *const cseq[] = {"1 INVITE", "1 ACK", "1 BYE", "4294967295 INVITE", "1 CANCEL"};
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 5; k++)
            peer_text(p, NULL,
                      "%s\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKs%zu%zu\r\nFrom: <sip:a@b>;tag=1\r\n"
                      "To: <sip:b@c>;tag=2\r\nCall-ID: stray\r\nCSeq: %s\r\nContact: <sip:x@127.0.0.1:%u>\r\n",
                      start[i], e->port, i, k, cseq[k], p->port);
    for (int i = 0; i < 3; i++) {
        peer_request(p, "ACK", "", NULL);
        p->branch[0] = '\0';
        snprintf(p->to_tag, sizeof p->to_tag, "%s", i ? "gone" : "");
    }
    still_answers(e);
    /* our ACK's transaction is over: the 200 that still comes is no longer known */
    p->to_tag[0] = '\0';
    struct sip_leg *leg = peer_called(p);
    peer_expect(p, "INVITE ");
    char invite[MSG_MAX];
    memcpy(invite, p->msg, sizeof invite);
    peer_reply(p, 200, "callee", "", SDP_A);
    env_event(e, SIP_EV_ANSWERED);
    uint64_t end = now_ms() + 600;
    while (now_ms() < end) /* the owner takes longer than the INVITE transaction lives */
        env_turn(e);
    ck_assert_int_eq(sip_leg_ack(leg), 0);
    peer_expect(p, "ACK ");
    end = now_ms() + 600;
    while (now_ms() < end)
        env_turn(e);
    memcpy(p->msg, invite, sizeof invite);
    peer_reply(p, 200, "callee", "", SDP_A);
    memcpy(p->msg, invite, sizeof invite);
    peer_reply(p, 200, "another", "", SDP_A);
    still_answers(e);
    peer_free(p);
    env_stop(e);
}
END_TEST

/* Where a message on a stream ends is said by its Content-Length; without one nobody waits for the end of the connection. */
START_TEST(tcp_without_length)
{
    static const char *const bodies[] = {"", "v=0\r\n"};
    struct env *e = env_new();
    env_start(e);
    for (int i = 0; i < 4; i++) {
        struct peer *p = peer_new(e, AF_INET, true);
        char text[1024];
        int n = snprintf(text, sizeof text,
                         "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:%u;branch=z9hG4bKncl%d\r\n"
                         "Max-Forwards: 70\r\nFrom: <sip:a@127.0.0.1>;tag=a\r\nTo: <sip:b@127.0.0.1>\r\n"
                         "Call-ID: ncl%d\r\nCSeq: 1 OPTIONS\r\n\r\n%s",
                         p->port, i, i, bodies[i % 2]);
        if (i < 2) {
            peer_raw(p, text, (size_t)n);
        } else { /* in two pieces */
            peer_raw(p, text, 60);
            ck_assert_ptr_null(peer_recv_ms(p, 20));
            peer_raw(p, text + 60, (size_t)n - 60);
        }
        peer_expect(p, "SIP/2.0 400");
        char byte;
        env_until(e, recv(p->fd, &byte, 1, 0) == 0);
        peer_free(p);
    }
    still_answers(e);
    env_stop(e);
}
END_TEST

/* Requests over 1300 bytes stay on UDP when the target says so; inbound ones over the limit are refused. */
START_TEST(large_messages)
{
    struct env *e = env_new();
    e->cfg.message_max = 8192;
    env_start(e);
    struct peer *p = peer_udp(e);
    char target[160], call_id[64], branch[64];
    struct sip_out_params params = peer_params(p, target, call_id, branch);
    char sdp[4000];
    snprintf(sdp, sizeof sdp, "%s", SDP_B);
    while (strlen(sdp) < 3000)
        strcat(sdp, "a=x-long:0123456789012345678901234567890123456789\r\n");
    params.sdp = sdp;
    struct sip_leg *leg = NULL;
    ck_assert_int_eq(sip_leg_invite(e->ua, &params, &leg, NULL), 0);
    peer_expect(p, "INVITE ");
    ck_assert_uint_gt(strlen(p->msg), 3000);
    struct peer *q = peer_udp(e), *t = peer_new(e, AF_INET, true);
    char huge[20000];
    memset(huge, 'x', sizeof huge);
    memcpy(huge, "Subject: ", 9);
    strcpy(huge + 15000, "\r\n");
    peer_request(q, "OPTIONS", huge, NULL);
    const char *m = peer_recv_ms(q, 300); /* dropped or refused, as the transport found it */
    ck_assert(m == NULL || peer_status(q) >= 400);
    peer_request(t, "OPTIONS", huge, NULL);
    m = peer_recv_ms(t, 300);
    ck_assert(m == NULL || peer_status(t) >= 400);
    still_answers(e);
    peer_free(p);
    peer_free(q);
    peer_free(t);
    env_stop(e);
}
END_TEST

/* An answer takes the way of its request (RFC 3261 18.2.2), in fragments if need be. */
START_TEST(large_answers)
{
    struct env *e = env_new();
    env_start(e);
    for (int lines = 20; lines <= 180; lines += 40) {
        struct peer *p = peer_udp(e);
        char routes[64000];
        size_t n = 0;
        for (int i = 0; i < lines; i++)
            n += (size_t)snprintf(routes + n, sizeof routes - n, "Record-Route: <sip:127.0.0.1:%u;lr;x=%d;y=%0*d>\r\n",
                                  p->port, i, 300, i);
        peer_request(p, "INVITE", routes, SDP_A);
        if (n > 61000) { /* so large that there is no answer with what has to be in it */
            peer_expect(p, "SIP/2.0 513");
            peer_free(p);
            continue;
        }
        env_until(e, e->invites > 0);
        e->invites = 0;
        ck_assert_int_eq(sip_leg_ring(e->leg, 180, NULL), 0);
        peer_expect(p, "SIP/2.0 180");
        ck_assert_int_eq(sip_leg_answer(e->leg, SDP_B), 0);
        peer_expect(p, "SIP/2.0 200");
        ck_assert_uint_gt(strlen(p->msg), n);
        peer_request(p, "ACK", "", NULL);
        env_event(e, SIP_EV_ACKED);
        peer_free(p);
    }
    env_stop(e);
}
END_TEST

/* Ended UDP calls go when t1x64 has passed, not after 32 s. */
START_TEST(transactions_end)
{
    struct env *e = env_new();
    e->cfg.t1_ms = 20;
    e->cfg.t1x64_ms = 200;
    env_start(e);
    struct peer *p = peer_udp(e);
    for (int i = 0; i < 3; i++) {
        peer_request(p, "INVITE", "", SDP_A);
        env_until(e, e->leg != NULL);
        sip_leg_reject(e->leg, 486, NULL, 0);
        e->leg = NULL;
        peer_expect(p, "SIP/2.0 486");
        p->to_tag[0] = '\0'; /* no ACK: the transaction runs out by itself */
        p->cseq++;
        snprintf(p->call_id, sizeof p->call_id, "end%d-%d", i, (int)getpid());
        while (peer_recv_ms(p, 150))
            continue;
    }
    struct sip_stats st;
    sip_ua_get_stats(e->ua, &st);
    ck_assert_uint_eq(st.legs, 0);
    still_answers(e);
    peer_free(p);
    env_stop(e);
}
END_TEST

/* A bad listen address says which one. */
START_TEST(bad_listen)
{
    static const struct {
        const char *ip[2];
        int rc;
        const char *field;
    } bad[] = {
        {{"0.0.0.0"}, ERR_INVAL, "listen[0].ip"},
        {{"127.0.0.1", "sip.example.com"}, ERR_INVAL, "listen[1].ip"},
        {{"203.0.113.9"}, ERR_IO, "listen[0].ip"},
    };
    su_init();
    su_root_t *root = su_root_create(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sip_config c = {.realm = "r", .product = "p"};
        struct sip_handler h = {0};
        struct sip_ua *ua = NULL;
        struct err_info info = {0};
        c.listen[0].ip = bad[i].ip[0];
        c.listen[1].ip = bad[i].ip[1];
        ck_assert_int_eq(sip_ua_start(root, &c, &h, &ua, &info), bad[i].rc);
        ck_assert_str_eq(info.field, bad[i].field);
        ck_assert_ptr_null(ua);
    }
    su_root_destroy(root);
}
END_TEST

/* The port of another endpoint is taken: a plain error, nothing left behind. */
START_TEST(port_in_use)
{
    struct env *e = env_new();
    env_start(e);
    struct sip_config c = {.realm = "r", .product = "p", .listen = {{"127.0.0.1", e->port}}};
    struct sip_handler h = {0};
    struct sip_ua *ua = NULL;
    struct err_info info = {0};
    ck_assert_int_eq(sip_ua_start(e->root, &c, &h, &ua, &info), ERR_IO);
    still_answers(e);
    env_stop(e);
}
END_TEST

/* Two addresses are two agents on one loop; legs choose by family or by name. */
START_TEST(two_addresses)
{
    struct env *e = env_new();
    e->cfg.listen[1].ip = "127.0.0.2";
    e->cfg.listen[2].ip = "::1";
    env_start(e);
    struct peer *p = peer_udp(e);
    char target[160], call_id[64], branch[64];
    struct sip_out_params params = peer_params(p, target, call_id, branch);
    params.local_ip = "127.0.0.2";
    struct sip_leg *leg = NULL;
    close(p->fd); /* connected to the first address: take a socket that hears all */
    p->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(p->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(bind(p->fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(sip_leg_invite(e->ua, &params, &leg, NULL), 0);
    peer_expect(p, "INVITE ");
    ck_assert_ptr_nonnull(strstr(peer_header(p, "Contact"), "<sip:127.0.0.2:"));
    ck_assert_ptr_nonnull(strstr(peer_header(p, "Via"), "127.0.0.2:"));
    struct sip_dialog d;
    sip_leg_dialog(leg, &d);
    ck_assert_str_eq(d.local_ip, "127.0.0.2");
    ck_assert_uint_eq(d.local_port, sip_ua_port(e->ua, 1));
    ck_assert_uint_eq(sip_ua_port(e->ua, 7), 0);
    peer_free(p);
    env_stop(e);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sip traps");
    TCase *t = tcase_create("traps");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, no_resolution);
    tcase_add_test(t, no_resolution_of_contact);
    tcase_add_test(t, tcp_junk_is_closed);
    tcase_add_test(t, pings_are_answered);
    tcase_add_test(t, many_headers);
    tcase_add_test(t, tcp_cap_per_source);
    tcase_add_test(t, strays);
    tcase_add_test(t, tcp_without_length);
    tcase_add_test(t, large_messages);
    tcase_add_test(t, large_answers);
    tcase_add_test(t, transactions_end);
    tcase_add_test(t, bad_listen);
    tcase_add_test(t, port_in_use);
    tcase_add_test(t, two_addresses);
    suite_add_tcase(s, t);
    return run_suite(s);
}
