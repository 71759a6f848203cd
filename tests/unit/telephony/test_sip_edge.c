/* Requests that go through to a phone's flow and back (RFC 5626 section 5.3). */
#include "tests/unit/telephony/test_sip_env.h"

static const struct way {
    int family;
    bool tcp;
} ways[] = {{AF_INET, false}, {AF_INET, true}, {AF_INET6, false}, {AF_INET6, true}};

/* The one token that is good, its flow, and the port that counts as a node. */
static struct {
    char flow[96];
    uint16_t node_port;
} known;

static int open_token(void *ctx, const char *token, const char *local, char *flow, size_t size)
{
    char own[80];
    const struct env *e = ctx;
    snprintf(own, sizeof own, e->cfg.listen[0].ip[0] == ':' ? "[%s]:%u" : "%s:%u", e->cfg.listen[0].ip, e->port);
    ck_assert_str_eq(local, own);
    if (strcmp(token, SIP_EDGE_TOKEN "good") != 0)
        return ERR_DENIED;
    snprintf(flow, size, "%s", known.flow);
    return 0;
}

static bool is_node(void *ctx, const struct sockaddr *sa, bool with_port)
{
    (void)ctx;
    (void)with_port;
    return ntohs(sa->sa_family == AF_INET6
                     ? ((const struct sockaddr_in6 *)(const void *)sa)->sin6_port
                     : ((const struct sockaddr_in *)(const void *)sa)->sin_port) == known.node_port;
}

struct scene {
    struct env *e;
    struct peer *owner, *phone;
    char route[128], record[128];
};

static void scene_begin(struct scene *s, const struct way *w)
{
    s->e = env_new();
    s->e->cfg.listen[0].ip = w->family == AF_INET6 ? "::1" : "127.0.0.1";
    env_start_at(s->e, s->e->cfg.listen[0].ip);
    struct sip_edge_handler h = {s->e, open_token, is_node};
    sip_ua_set_edge(s->e->ua, &h);
    s->owner = peer_new(s->e, w->family, w->tcp);
    s->phone = peer_new(s->e, w->family, w->tcp);
    known.node_port = s->owner->port;
    snprintf(known.flow, sizeof known.flow, "%s:%s:%u", w->tcp ? "tcp" : "udp", s->phone->host, s->phone->port);
    snprintf(s->record, sizeof s->record, "<sip:" SIP_EDGE_TOKEN "good@%s:%u%s;lr>", s->phone->host, s->e->port,
             w->tcp ? ";transport=tcp" : "");
    snprintf(s->route, sizeof s->route, "Route: %s\r\n", s->record);
    snprintf(s->owner->target, sizeof s->owner->target, "sip:8001@10.9.9.9:5099");
    /* The connections are accepted before anything is sent through them. */
    struct peer *both[] = {s->owner, s->phone};
    for (int i = 0; i < 2; i++) {
        char keep[160];
        memcpy(keep, both[i]->target, sizeof keep);
        snprintf(both[i]->target, sizeof both[i]->target, "sip:%s:%u", s->phone->host, s->e->port);
        peer_request(both[i], "OPTIONS", "", NULL);
        peer_expect(both[i], "SIP/2.0 200");
        memcpy(both[i]->target, keep, sizeof keep);
        both[i]->to_tag[0] = '\0';
        both[i]->cseq++;
    }
}

static void scene_end(struct scene *s)
{
    peer_free(s->owner);
    peer_free(s->phone);
    env_stop(s->e);
}

START_TEST(a_call)
{
    struct scene s;
    scene_begin(&s, &ways[_i]);
    peer_request(s.owner, "INVITE", s.route, SDP_A);
    peer_expect(s.phone, "INVITE sip:8001@10.9.9.9:5099 SIP/2.0");
    ck_assert_str_eq(peer_header(s.phone, "Max-Forwards"), "69");
    ck_assert_str_eq(peer_header(s.phone, "Route"), "");
    ck_assert_str_eq(peer_header(s.phone, "Record-Route"), s.record);
    ck_assert_str_eq(peer_header_nth(s.phone, "Record-Route", 1), "");
    ck_assert_ptr_nonnull(strstr(peer_header_nth(s.phone, "Via", 1), s.owner->branch));
    ck_assert_str_eq(peer_body(s.phone), SDP_A);
    char via[1024], call_id[64];
    copy_text(via, sizeof via, peer_header(s.phone, "Via"));
    copy_text(call_id, sizeof call_id, s.owner->call_id);
    /* A repetition is one, for the phone too. */
    if (!ways[_i].tcp) {
        char branch[64];
        copy_text(branch, sizeof branch, s.owner->branch);
        peer_request(s.owner, "CANCEL", s.route, NULL);
        peer_expect(s.phone, "CANCEL ");
        ck_assert_str_eq(peer_header(s.phone, "Via"), via);
        ck_assert_str_eq(s.owner->branch, branch);
        peer_reply(s.phone, 481, "", "", NULL);
        peer_expect(s.owner, "SIP/2.0 481");
        s.owner->to_tag[0] = '\0';
        s.owner->branch[0] = '\0';
        s.owner->cseq++;
        peer_request(s.owner, "INVITE", s.route, SDP_A);
        peer_expect(s.phone, "INVITE ");
        ck_assert_str_ne(peer_header(s.phone, "Via"), via);
    }
    char invite[MSG_MAX];
    memcpy(invite, s.phone->msg, sizeof invite);
    peer_reply(s.phone, 180, "phone", "", NULL);
    peer_expect(s.owner, "SIP/2.0 180");
    memcpy(s.phone->msg, invite, sizeof invite);
    peer_reply(s.phone, 200, "phone", "", SDP_B);
    peer_expect(s.owner, "SIP/2.0 200");
    ck_assert_ptr_nonnull(strstr(peer_header(s.owner, "Via"), s.owner->branch));
    ck_assert_str_eq(peer_header_nth(s.owner, "Via", 1), "");
    ck_assert_str_eq(peer_header(s.owner, "Record-Route"), s.record);
    ck_assert_str_eq(peer_body(s.owner), SDP_B);
    s.owner->branch[0] = '\0';
    peer_request(s.owner, "ACK", s.route, NULL);
    peer_expect(s.phone, "ACK sip:8001@10.9.9.9:5099");
    ck_assert_str_eq(peer_header(s.phone, "Record-Route"), "");

    /* From the phone, inside the dialog, to the owner. */
    copy_text(s.phone->call_id, sizeof s.phone->call_id, call_id);
    snprintf(s.phone->target, sizeof s.phone->target, "sip:10000@%s:%u%s", s.owner->host, s.owner->port,
             ways[_i].tcp ? ";transport=tcp" : "");
    snprintf(s.phone->to_tag, sizeof s.phone->to_tag, "%s", s.owner->tag);
    peer_request(s.phone, "BYE", s.route, NULL);
    peer_expect(s.owner, "BYE sip:10000@");
    ck_assert_str_eq(peer_header(s.owner, "Route"), "");
    peer_reply(s.owner, 200, "", "", NULL);
    peer_expect(s.phone, "SIP/2.0 200");
    ck_assert_str_eq(peer_header_nth(s.phone, "Via", 1), "");
    ck_assert_int_eq(s.e->invites, 0);
    scene_end(&s);
}
END_TEST

static void refused(struct peer *from, const char *method, const char *route, const char *status)
{
    from->branch[0] = '\0';
    peer_request(from, method, route, NULL);
    peer_expect(from, status);
    from->cseq++;
}

START_TEST(refusals)
{
    struct scene s;
    scene_begin(&s, &ways[_i]);
    char forged[160], more[320];
    snprintf(forged, sizeof forged, "Route: <sip:" SIP_EDGE_TOKEN "bad@%s:%u;lr>\r\n", s.phone->host, s.e->port);
    refused(s.owner, "INVITE", forged, "SIP/2.0 403");
    s.owner->to_tag[0] = '\0';
    refused(s.owner, "OPTIONS", forged, "SIP/2.0 403");
    /* From the phone: opening a dialog, to others than nodes, by a second Route to others than nodes, to a name. */
    snprintf(s.phone->target, sizeof s.phone->target, "sip:10000@%s:%u", s.owner->host, s.owner->port);
    refused(s.phone, "INVITE", s.route, "SIP/2.0 403");
    strcpy(s.phone->to_tag, "x");
    snprintf(more, sizeof more, "%sRoute: <sip:%s:9;lr>\r\n", s.route, s.phone->host);
    refused(s.phone, "BYE", more, "SIP/2.0 403");
    snprintf(s.phone->target, sizeof s.phone->target, "sip:10000@%s:9", s.owner->host);
    refused(s.phone, "BYE", s.route, "SIP/2.0 403");
    strcpy(s.phone->target, "sip:10000@www.example.com");
    refused(s.phone, "BYE", s.route, "SIP/2.0 403");
    strcpy(s.phone->target, "tel:10000");
    refused(s.phone, "BYE", s.route, "SIP/2.0 403");
    /* An ACK is never answered; and what has no hop left goes nowhere. */
    peer_request(s.phone, "ACK", forged, NULL);
    peer_text(s.owner, NULL,
              "INVITE sip:x@10.9.9.9 SIP/2.0\r\nVia: SIP/2.0/%s %s:%u;branch=z9hG4bKz;rport\r\nMax-Forwards: 0\r\n"
              "From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: zero\r\nCSeq: 1 INVITE\r\n%s",
              s.owner->tcp ? "TCP" : "UDP", s.owner->host, s.owner->port, s.route);
    peer_expect(s.owner, "SIP/2.0 483");
    ck_assert_ptr_null(peer_recv_ms(s.phone, 1));
    ck_assert_int_eq(s.e->invites, 0);
    scene_end(&s);
}
END_TEST

/* A connection that is gone is said at once. */
START_TEST(flow_failed)
{
    struct scene s;
    scene_begin(&s, &ways[1]);
    shutdown(s.phone->fd, SHUT_RDWR);
    struct sip_stats stats;
    env_until(s.e, (sip_ua_get_stats(s.e->ua, &stats), stats.tcp_connections == 1));
    refused(s.owner, "INVITE", s.route, "SIP/2.0 430");
    s.owner->to_tag[0] = '\0';
    /* And so is our own attempt to use it. */
    char target[160], call_id[64], branch[64];
    struct sip_out_params p = peer_params(s.phone, target, call_id, branch);
    struct sip_leg *leg = NULL;
    struct err_info info = {0};
    p.flow = known.flow;
    ck_assert_int_eq(sip_leg_invite(s.e->ua, &p, &leg, &info), ERR_NOTFOUND);
    scene_end(&s);
}
END_TEST

/* Responses that answer nothing of ours lead nowhere; without a handler nothing does. */
START_TEST(strays)
{
    struct scene s;
    scene_begin(&s, &ways[0]);
    for (int i = 0; i < 3; i++)
        peer_text(s.owner, NULL,
                  "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP %s:%u%s\r\nVia: SIP/2.0/UDP %s:%u;branch=z9hG4bKx\r\n"
                  "From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>;tag=2\r\nCall-ID: stray\r\nCSeq: 1 OPTIONS\r\n",
                  s.phone->host, s.e->port,
                  i == 0   ? ""
                  : i == 1 ? ";branch=z9hG4bK-e00"
                           : ";branch=z9hG4bK",
                  s.phone->host, s.phone->port);
    struct sip_edge_handler none = {0};
    sip_ua_set_edge(s.e->ua, &none);
    refused(s.owner, "INVITE", s.route, "SIP/2.0 403");
    ck_assert_ptr_null(peer_recv_ms(s.phone, 1));
    /* A Route with our address and no token is a phone's outbound proxy: the call is ours. */
    s.owner->to_tag[0] = '\0';
    char plain[128];
    snprintf(plain, sizeof plain, "Route: <sip:%s:%u;lr>\r\n", s.owner->host, s.e->port);
    snprintf(s.owner->target, sizeof s.owner->target, "sip:10000@%s:%u", s.owner->host, s.e->port);
    s.owner->branch[0] = '\0';
    peer_request(s.owner, "INVITE", plain, SDP_A);
    peer_expect(s.owner, "SIP/2.0 100");
    ck_assert_int_eq(s.e->invites, 1);
    scene_end(&s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sip edge");
    TCase *t = tcase_create("edge");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, a_call, 0, sizeof ways / sizeof *ways);
    tcase_add_loop_test(t, refusals, 0, sizeof ways / sizeof *ways);
    tcase_add_test(t, flow_failed);
    tcase_add_test(t, strays);
    suite_add_tcase(s, t);
    return run_suite(s);
}
