/* Inbound calls. */
#include "tests/unit/telephony/test_sip_env.h"

/* Up to the 200 and its ACK. */
static void establish(struct env *e, struct peer *p, const char *extra)
{
    peer_request(p, "INVITE", extra, SDP_A);
    env_until(e, e->leg != NULL);
    ck_assert_int_eq(sip_leg_answer(e->leg, SDP_B), 0);
    peer_expect(p, "SIP/2.0 200");
    peer_request(p, "ACK", "", NULL);
    env_event(e, SIP_EV_ACKED);
    p->cseq++;
}

START_TEST(answer_and_bye)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    peer_request(p, "INVITE", "User-Agent: raw\r\n", SDP_A);
    peer_expect(p, "SIP/2.0 100");
    env_until(e, e->leg != NULL);
    ck_assert_str_eq(e->inv_text[0], "8001");
    ck_assert_str_eq(e->inv_text[1], "Caller");
    ck_assert_str_eq(e->inv_text[3], "10000");
    ck_assert_str_eq(e->inv_text[6], "demo");
    ck_assert_str_eq(e->inv_sdp, SDP_A);
    ck_assert_int_eq(sip_leg_ring(e->leg, 180, NULL), 0);
    peer_expect(p, "SIP/2.0 180");
    ck_assert_str_eq(p->to_tag, sip_leg_local_tag(e->leg));
    struct sip_dialog d;
    sip_leg_dialog(e->leg, &d);
    ck_assert_ptr_nonnull(strstr(d.invite_text, "INVITE sip:10000@"));
    ck_assert_ptr_nonnull(strstr(d.invite_text, "rport="));
    ck_assert_int_eq(sip_leg_answer(e->leg, SDP_B), 0);
    peer_expect(p, "SIP/2.0 200");
    ck_assert_str_eq(peer_body(p), SDP_B);
    ck_assert_str_eq(p->to_tag, sip_leg_local_tag(e->leg));
    peer_expect(p, "SIP/2.0 200"); /* sent again until the ACK */
    peer_request(p, "ACK", "", NULL);
    env_event(e, SIP_EV_ACKED);
    sip_leg_dialog(e->leg, &d);
    ck_assert_str_eq(d.invite_text, "");
    ck_assert_str_eq(d.remote_tag, p->tag);
    ck_assert_str_eq(d.call_id, p->call_id);
    ck_assert_uint_eq(d.remote_cseq, 1);
    ck_assert(d.inbound);
    p->cseq++;
    peer_request(p, "BYE", "Reason: Q.850;cause=16;text=\"done\"\r\n", NULL);
    peer_expect(p, "SIP/2.0 200");
    struct seen *s = env_event(e, SIP_EV_ENDED);
    ck_assert_str_eq(s->phrase, "\"done\"");
    struct sip_stats st;
    sip_ua_get_stats(e->ua, &st);
    ck_assert_uint_eq(st.legs, 0);
    ck_assert_uint_eq(st.invites_in, 1);
}
END_TEST

/* A NUL in the number would cut it: "10000" would be called by who wrote "10000%002". */
START_TEST(nul_in_the_number)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    (void)snprintf(p->target, sizeof p->target, "sip:10000%%002@%s:%u", p->host, e->port);
    peer_request(p, "INVITE", "", SDP_A);
    peer_expect(p, "SIP/2.0 404");
    ck_assert_ptr_null(e->leg);
}
END_TEST

START_TEST(we_hang_up)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    establish(e, p, "");
    sip_leg_release(e->leg, 200, "Call \"completed\"");
    peer_expect(p, "BYE sip:8001@127.0.0.1");
    ck_assert_str_eq(peer_header(p, "Reason"), "SIP;cause=200;text=\"Call completed\"");
    peer_reply(p, 200, NULL, "", NULL);
    for (int i = 0; i < 20; i++)
        env_turn(e);
    env_no_event(e);
}
END_TEST

START_TEST(cancel)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    peer_request(p, "INVITE", "", SDP_A);
    peer_expect(p, "SIP/2.0 100");
    p->to_tag[0] = '\0';
    peer_request(p, "CANCEL", "Reason: SIP;cause=200;text=elsewhere\r\n", NULL);
    peer_expect(p, "SIP/2.0 200");
    peer_expect(p, "SIP/2.0 487");
    peer_request(p, "ACK", "", NULL);
    struct seen *s = env_event(e, SIP_EV_FAILED);
    ck_assert_int_eq(s->status, 487);
}
END_TEST

/* RFC 3261 section 15.1.2: the BYE is answered, and the INVITE ends by it. */
START_TEST(bye_before_the_answer)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    peer_request(p, "INVITE", "", SDP_A);
    peer_expect(p, "SIP/2.0 100");
    ck_assert_int_eq(sip_leg_ring(e->leg, 180, NULL), 0);
    peer_expect(p, "SIP/2.0 180");
    p->cseq++;
    peer_request(p, "BYE", "", NULL);
    peer_expect(p, "SIP/2.0 487");
    ck_assert_str_eq(peer_header(p, "CSeq"), "1 INVITE");
    peer_expect(p, "SIP/2.0 200");
    ck_assert_str_eq(peer_header(p, "CSeq"), "2 BYE");
    ck_assert_int_eq(env_event(e, SIP_EV_FAILED)->status, 487);
}
END_TEST

START_TEST(no_ack)
{
    struct env *e = env_new();
    e->cfg.t1_ms = 20;
    e->cfg.t1x64_ms = 600;
    env_start(e);
    struct peer *p = peer_udp(e);
    peer_request(p, "INVITE", "", SDP_A);
    env_until(e, e->leg != NULL);
    ck_assert_int_eq(sip_leg_answer(e->leg, SDP_B), 0);
    ck_assert_int_eq(sip_leg_answer(e->leg, SDP_B), ERR_BADSTATE);
    struct seen *s = env_event(e, SIP_EV_FAILED);
    ck_assert_int_eq(s->status, 408);
    while (strncmp(peer_recv_ms(p, WAIT_MS), "SIP/2.0 ", 8) == 0)
        continue;
    ck_assert_int_eq(strncmp(p->msg, "BYE ", 4), 0);
    peer_free(p);
    env_stop(e);
}
END_TEST

/* Released between our 200 and its ACK: BYE only after the ACK (RFC 3261 15). */
START_TEST(released_before_ack)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    peer_request(p, "INVITE", "", SDP_A);
    env_until(e, e->leg != NULL);
    ck_assert_int_eq(sip_leg_answer(e->leg, SDP_B), 0);
    peer_expect(p, "SIP/2.0 200");
    sip_leg_release(e->leg, 0, NULL);
    peer_expect(p, "SIP/2.0 200"); /* still the 200, no BYE */
    peer_request(p, "ACK", "", NULL);
    peer_expect(p, "BYE sip:8001@");
    peer_reply(p, 200, NULL, "", NULL);
    env_no_event(e);
}
END_TEST

START_TEST(rejected)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    peer_request(p, "INVITE", "", SDP_A);
    env_until(e, e->leg != NULL);
    sip_leg_warn(e->leg, 305, "for another status");
    sip_leg_reject(e->leg, 486, "Busy Here", 7);
    peer_expect(p, "SIP/2.0 486 Busy Here");
    ck_assert_str_eq(peer_header(p, "Retry-After"), "7");
    ck_assert_str_eq(peer_header(p, "Warning"), "");
    peer_request(p, "ACK", "", NULL);
    p->to_tag[0] = '\0';
    p->cseq++;
    e->leg = NULL;
    peer_request(p, "INVITE", "", SDP_A);
    env_until(e, e->leg != NULL);
    sip_leg_release(e->leg, 0, NULL);
    peer_expect(p, "SIP/2.0 603");
    peer_request(p, "ACK", "", NULL);
    env_no_event(e);
}
END_TEST

/* RFC 3261 section 20.43: why a description cannot be taken; once, and not with the next refusal. */
START_TEST(refused_with_a_warning)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    peer_request(p, "INVITE", "", SDP_A);
    env_until(e, e->leg != NULL);
    sip_leg_warn(e->leg, 304, "not this");
    sip_leg_warn(e->leg, 305, "Incompatible media format");
    sip_leg_reject(e->leg, 488, NULL, 0);
    peer_expect(p, "SIP/2.0 488");
    const char *warning = peer_header(p, "Warning");
    ck_assert_msg(strncmp(warning, "305 ", 4) == 0, "%s", warning);
    ck_assert_ptr_nonnull(strstr(warning, " \"Incompatible media format\""));
    peer_request(p, "ACK", "", NULL);
    p->to_tag[0] = '\0';
    p->cseq++;
    e->leg = NULL;
    establish(e, p, "");
    peer_request(p, "UPDATE", "", SDP_B);
    env_event(e, SIP_EV_REOFFER);
    sip_leg_warn(e->leg, 304, "Media type not available");
    ck_assert_int_eq(sip_leg_reanswer(e->leg, 488, NULL), 0);
    peer_expect(p, "SIP/2.0 488");
    ck_assert_ptr_nonnull(strstr(peer_header(p, "Warning"), " \"Media type not available\""));
    p->cseq++;
    peer_request(p, "UPDATE", "", SDP_B);
    env_event(e, SIP_EV_REOFFER);
    ck_assert_int_eq(sip_leg_reanswer(e->leg, 488, NULL), 0);
    peer_expect(p, "SIP/2.0 488");
    ck_assert_str_eq(peer_header(p, "Warning"), "");
}
END_TEST

START_TEST(reinvite_from_peer)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    establish(e, p, "");
    peer_request(p, "INVITE", "", SDP_HOLD); /* hold */
    struct seen *s = env_event(e, SIP_EV_REOFFER);
    ck_assert_str_eq(s->sdp, SDP_HOLD);
    ck_assert_int_eq(sip_leg_reinvite(e->leg, SDP_B), ERR_BUSY);
    ck_assert_int_eq(sip_leg_reanswer(e->leg, 200, SDP_B), 0);
    ck_assert_int_eq(sip_leg_reanswer(e->leg, 200, SDP_B), ERR_BADSTATE);
    peer_expect(p, "SIP/2.0 200");
    peer_request(p, "ACK", "", NULL);
    p->cseq++;
    peer_request(p, "INVITE", "", SDP_HOLD); /* the same again: a refresh, the owner hears nothing */
    peer_expect(p, "SIP/2.0 200");
    ck_assert_str_eq(peer_body(p), SDP_B);
    peer_request(p, "ACK", "", NULL);
    env_no_event(e);
    p->cseq++;
    peer_request(p, "UPDATE", "", SDP_A); /* resume by UPDATE */
    s = env_event(e, SIP_EV_REOFFER);
    ck_assert_int_eq(sip_leg_reanswer(e->leg, 488, NULL), 0);
    peer_expect(p, "SIP/2.0 488");
    p->cseq++;
    peer_request(p, "UPDATE", "", NULL); /* refresh without SDP */
    peer_expect(p, "SIP/2.0 200");
    p->cseq++;
    peer_request(p, "INVITE", "", NULL); /* wants our offer */
    s = env_event(e, SIP_EV_REOFFER);
    ck_assert(!s->has_sdp);
    ck_assert_int_eq(sip_leg_reanswer(e->leg, 200, SDP_B), 0);
    peer_expect(p, "SIP/2.0 200");
    peer_request(p, "ACK", "", SDP_A);
    s = env_event(e, SIP_EV_ACKED);
    ck_assert_str_eq(s->sdp, SDP_A);
    p->cseq++;
    peer_request(p, "INVITE", "", SDP_HOLD); /* cancelled before the answer */
    env_event(e, SIP_EV_REOFFER);
    peer_request(p, "CANCEL", "", NULL);
    peer_expect(p, "SIP/2.0 200");
    peer_expect(p, "SIP/2.0 487");
    peer_request(p, "ACK", "", NULL);
    ck_assert_int_eq(sip_leg_reanswer(e->leg, 200, SDP_B), ERR_BADSTATE);
}
END_TEST

START_TEST(reinvite_from_us)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    establish(e, p, "");
    ck_assert_int_eq(sip_leg_reinvite(e->leg, SDP_HOLD), 0);
    ck_assert_int_eq(sip_leg_reinvite(e->leg, SDP_HOLD), ERR_BUSY);
    peer_expect(p, "INVITE sip:8001@");
    char ours[MSG_MAX];
    memcpy(ours, p->msg, sizeof ours);
    /* glare: theirs is refused, ours is tried again after theirs refuses it */
    peer_request(p, "INVITE", "", SDP_HOLD);
    peer_expect(p, "SIP/2.0 491");
    peer_request(p, "ACK", "", NULL);
    p->cseq++;
    memcpy(p->msg, ours, sizeof ours);
    peer_reply(p, 491, NULL, "", NULL);
    peer_expect(p, "ACK ");
    peer_expect(p, "INVITE sip:8001@");
    ck_assert_str_eq(peer_body(p), SDP_HOLD);
    peer_reply(p, 100, NULL, "", NULL);
    peer_reply(p, 200, NULL, "", SDP_A);
    peer_expect(p, "ACK sip:p@127.0.0.1");
    struct seen *s = env_event(e, SIP_EV_REANSWERED);
    ck_assert_int_eq(s->status, 200);
    ck_assert_str_eq(s->sdp, SDP_A);
    ck_assert_int_eq(sip_leg_reinvite(e->leg, SDP_B), 0);
    peer_expect(p, "INVITE sip:p@"); /* the target followed the Contact */
    peer_reply(p, 488, NULL, "", NULL);
    peer_expect(p, "ACK ");
    s = env_event(e, SIP_EV_REANSWERED);
    ck_assert_int_eq(s->status, 488);
    ck_assert_int_eq(sip_leg_reinvite(e->leg, SDP_B), 0);
    peer_expect(p, "INVITE sip:p@");
    peer_reply(p, 481, NULL, "", NULL);
    s = env_event(e, SIP_EV_ENDED);
    ck_assert_int_eq(s->status, 481);
}
END_TEST

/* Ours was refused by glare and waits; theirs is answered meanwhile. What ours says is older than that then (RFC 3264 section 8): its
 * owner makes it anew. */
START_TEST(overtaken_by_the_peer)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    establish(e, p, "");
    ck_assert_int_eq(sip_leg_reinvite(e->leg, SDP_HOLD), 0);
    peer_expect(p, "INVITE sip:8001@");
    char ours[MSG_MAX];
    memcpy(ours, p->msg, sizeof ours);
    peer_request(p, "UPDATE", "", NULL); /* a refresh is no offer: it may cross ours */
    peer_expect(p, "SIP/2.0 200");
    p->cseq++;
    memcpy(p->msg, ours, sizeof ours);
    peer_reply(p, 491, NULL, "", NULL);
    peer_expect(p, "ACK ");
    peer_request(p, "INVITE", "", SDP_HOLD);
    env_event(e, SIP_EV_REOFFER);
    ck_assert_int_eq(sip_leg_reanswer(e->leg, 200, SDP_B), 0);
    peer_expect(p, "SIP/2.0 200");
    peer_request(p, "ACK", "", NULL);
    p->cseq++;
    struct seen *s = env_event(e, SIP_EV_REANSWERED);
    ck_assert_int_eq(s->status, 491);
    ck_assert_ptr_null(peer_recv_ms(p, 0));
    ck_assert_int_eq(sip_leg_reinvite(e->leg, SDP_A), 0);
    peer_expect(p, "INVITE ");
    ck_assert_str_eq(peer_body(p), SDP_A);
    peer_reply(p, 200, NULL, "", SDP_A);
    peer_expect(p, "ACK ");
    ck_assert_int_eq(env_event(e, SIP_EV_REANSWERED)->status, 200);
}
END_TEST

START_TEST(info_options_and_order)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    establish(e, p, "");
    static const struct {
        const char *type, *body;
        char digit;
        int status;
    } dtmf[] = {
        {"application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", '5', 200},
        {"application/dtmf-relay", "Duration=160\r\nSignal= #\r\n", '#', 200},
        {"application/dtmf", "*", '*', 200},
        {"application/dtmf-relay", "Signal=11", '#', 200},
        {"application/dtmf-relay", "Signal=12\r\n", 'A', 200},
        {"application/dtmf-relay", "Signal=15", 'D', 200},
        {"application/dtmf-relay", "Signal=1", '1', 200},
        {"application/dtmf-relay", "Signal=16", 0, 400}, /* flash hook: no key */
        {"application/dtmf", "x", 0, 400},
        {"application/dtmf-relay", "Signal", 0, 400},
        {"text/plain", "5", 0, 415},
    };
    for (size_t i = 0; i < sizeof dtmf / sizeof dtmf[0]; i++) {
        char type[80], start[16];
        snprintf(type, sizeof type, "Content-Type: %s\r\n", dtmf[i].type);
        snprintf(start, sizeof start, "SIP/2.0 %d", dtmf[i].status);
        peer_request(p, "INFO", type, dtmf[i].body);
        peer_expect(p, start);
        if (dtmf[i].digit)
            ck_assert_int_eq(env_event(e, SIP_EV_INFO_DTMF)->digit, dtmf[i].digit);
        p->cseq++;
    }
    peer_request(p, "OPTIONS", "", NULL);
    peer_expect(p, "SIP/2.0 200");
    ck_assert_ptr_nonnull(strstr(peer_header(p, "Allow"), "UPDATE"));
    p->cseq++;
    peer_request(p, "MESSAGE", "Content-Type: text/plain\r\n", "hi");
    peer_expect(p, "SIP/2.0 405");
    ck_assert_ptr_nonnull(strstr(peer_header(p, "Allow"), "INFO"));
    p->cseq++;
    peer_request(p, "DANCE", "", NULL);
    peer_expect(p, "SIP/2.0 501");
    p->cseq = 1; /* out of order (RFC 3261 12.2.2) */
    peer_request(p, "OPTIONS", "", NULL);
    peer_expect(p, "SIP/2.0 500");
    p->cseq = 50;
    peer_request(p, "INVITE", "Require: wine\r\n", SDP_HOLD);
    peer_expect(p, "SIP/2.0 420");
    ck_assert_str_eq(peer_header(p, "Unsupported"), "wine");
    env_no_event(e);
}
END_TEST

static void one_refused(const char *method, const char *extra, const char *body, int status, const char *header,
                        const char *value)
{
    struct env *e = env_new();
    env_start(e);
    struct peer *p = peer_udp(e);
    char start[16];
    snprintf(start, sizeof start, "SIP/2.0 %d", status);
    peer_request(p, method, extra, body);
    peer_expect(p, start);
    if (header)
        ck_assert_msg(strstr(peer_header(p, header), value) != NULL, "%s of %s: %s", header, method, p->msg);
    ck_assert_int_eq(e->invites, 0);
    env_no_event(e);
    peer_free(p);
    env_stop(e);
}

/* RFC 6086 section 4.2.2: it is no package of ours, and the answer says which are. */
START_TEST(info_of_a_package)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    establish(e, p, "");
    peer_request(p, "INFO", "Info-Package: g.3gpp.state-and-event\r\nContent-Type: application/dtmf-relay\r\n", "Signal=5\r\n");
    peer_expect(p, "SIP/2.0 469 Bad Info Package");
    ck_assert_ptr_nonnull(strstr(p->msg, "\nRecv-Info:"));
    env_no_event(e);
}
END_TEST

/* RFC 3891: a dialog that is to be replaced is told to the owner. */
START_TEST(names_a_dialog)
{
    static const char *const bad[] = {
        "Replaces: a@b;to-tag=1\r\n",
        "Replaces: a@b\r\n",
        "Replaces: ;to-tag=1;from-tag=2\r\n",
        "Replaces: a;to-tag=1;from-tag=2;to-tag=3\r\n",
        "Replaces: a;to-tag=1;from-tag=2\r\nReplaces: b;to-tag=1;from-tag=2\r\n",
    };
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        one_refused("INVITE", bad[i], SDP_A, 400, NULL, NULL);
    peer_request(p, "INVITE", "Require: replaces\r\nReplaces: 98732@sip.example.com ; from-tag=r33th4x0r;to-tag=ff87ff;early-only\r\n", SDP_A);
    env_until(e, e->leg != NULL);
    ck_assert(e->has_replaces && e->replaces.early_only);
    ck_assert_str_eq(e->replaces.call_id, "98732@sip.example.com");
    ck_assert_str_eq(e->replaces.to_tag, "ff87ff");
    ck_assert_str_eq(e->replaces.from_tag, "r33th4x0r");
    sip_leg_reject(e->leg, 481, NULL, 0);
    peer_expect(p, "SIP/2.0 481");
}
END_TEST

START_TEST(refusals)
{
    char tag[300];
    memset(tag, 'x', sizeof tag);
    memcpy(tag, "Require: ", 9);
    strcpy(tag + sizeof tag - 3, "\r\n");
    one_refused("INVITE", tag, SDP_A, 420, NULL, NULL); /* too long to be said again */
    one_refused("MESSAGE", "Content-Type: text/plain\r\n", "x", 405, "Allow", "INVITE");
    one_refused("PUBLISH", "Event: presence\r\n", NULL, 405, "Allow", "INVITE");
    one_refused("SUBSCRIBE", "Event: presence\r\n", NULL, 489, "Allow-Events", "message-summary"); /* without an owner who takes them */
    one_refused("DANCE", "", NULL, 501, "Allow", "INVITE");
    one_refused("INVITE", "Content-Type: multipart/mixed;boundary=x\r\n", "--x--", 415, "Accept", "application/sdp");
    one_refused("INVITE", "Content-Encoding: gzip\r\nContent-Type: application/sdp\r\n", "x", 415, "Accept",
                "application/sdp");
    one_refused("INVITE", "Require: nothing, 100rel\r\n", SDP_A, 420, "Unsupported", "nothing");
    one_refused("INVITE", "Supported: timer\r\nSession-Expires: 20\r\n", SDP_A, 422, "Min-SE", "90");
    one_refused("BYE", "", NULL, 481, NULL, NULL);
    one_refused("INFO", "", NULL, 481, NULL, NULL);
    one_refused("CANCEL", "", NULL, 481, NULL, NULL);
    one_refused("INVITE", "Contact: <sip:two@127.0.0.1>\r\n", SDP_A, 400, NULL, NULL);
    one_refused("OPTIONS", "", NULL, 200, "Accept", "application/sdp");
}
END_TEST

/* What stands beside the description in a body of several parts. */
START_TEST(bodies)
{
#define PART_SDP "--b=1\r\nContent-Type: application/sdp\r\n\r\n%s\r\n"
    static const struct {
        const char *type, *before, *after;
        int status; /* 0: taken, with the description; 1: taken without */
    } cases[] = {
        {"multipart/mixed;boundary=\"b=1\"", "", "--b=1--\r\n", 0},
        {"multipart/mixed;boundary=\"b=1\"", "preamble\r\n",
         "--b=1\r\nContent-Type: application/isup;version=x\r\n"
         "Content-Disposition: signal;handling=optional\r\n\r\n\001\002\r\n--b=1--",
         0},
        {"Multipart/Mixed ; boundary=\"b=1\"", "--b=1\r\nContent-Type: text/plain\r\n\r\n--b=2\r\n", "--b=1--", 0},
        {"multipart/mixed;boundary=\"b=1\"",
         "--b=1\r\nContent-Type: application/pidf+xml\r\n"
         "Content-Disposition: by-reference;\r\n handling=required\r\n\r\n<x/>\r\n",
         "--b=1--", 415},
        {"multipart/alternative;boundary=\"b=1\"", "--b=1\r\nContent-Type: application/sdp\r\n\r\nv=old\r\n", "--b=1--",
         0},
        {"multipart/mixed;boundary=\"b=1\"", "", "--b=1", 400},
        {"multipart/mixed;boundary=\"b=1\"", "", "", 400},
        {"multipart/mixed;boundary=\"none\"", "", "", 415},
        {"multipart/mixed", "", "--b=1--", 415},
        {"multipart/related;boundary=\"b=1\"", "", "--b=1--", 415},
        {"application/xml\r\nContent-Disposition: render;handling=optional", "", "", 1},
        {"application/sdp\r\nContent-Encoding: identity", NULL, NULL, 0},
    };
    struct env *e = env_new();
    env_start(e);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[2048], type[256], start[16];
        size_t n = cases[i].before ? (size_t)snprintf(body, sizeof body, "%s", cases[i].before) : 0;
        n += (size_t)snprintf(body + n, sizeof body - n, cases[i].before ? PART_SDP : "%s", SDP_A);
        snprintf(body + n, sizeof body - n, "%s", cases[i].after ? cases[i].after : "");
        snprintf(type, sizeof type, "Content-Type: %s\r\n", cases[i].type);
        snprintf(start, sizeof start, "SIP/2.0 %d", cases[i].status < 100 ? 100 : cases[i].status);
        struct peer *p = peer_udp(e);
        int before = e->invites;
        peer_request(p, "INVITE", type, body);
        peer_expect(p, start);
        ck_assert_msg(e->invites == before + (cases[i].status < 100), "case %zu: %s", i, p->msg);
        if (cases[i].status < 100) {
            ck_assert_msg(e->inv_has_sdp == (cases[i].status == 0), "case %zu", i);
            if (e->inv_has_sdp)
                ck_assert_str_eq(e->inv_sdp, SDP_A);
            sip_leg_reject(e->leg, 486, NULL, 0);
        } else if (cases[i].status == 415) {
            ck_assert_ptr_nonnull(strstr(peer_header(p, "Accept"), "multipart/mixed"));
        }
        peer_free(p);
    }
    env_stop(e);
}
END_TEST

START_TEST(refused_as_sent)
{
    static const struct {
        const char *line, *forwards, *to;
        int status;
    } raw[] = {
        {"INVITE sip:1@127.0.0.1 SIP/2.0", "0", "<sip:1@127.0.0.1>", 483},
        {"OPTIONS sip:1@127.0.0.1 SIP/2.0", "0", "<sip:1@127.0.0.1>", 200},
        {"INVITE sip:1@127.0.0.1 SIP/7.0", "70", "<sip:1@127.0.0.1>", 505},
        {"INVITE nobody:1@127.0.0.1 SIP/2.0", "70", "<sip:1@127.0.0.1>", 416},
        {"BYE sip:1@127.0.0.1 SIP/2.0", "70", "<sip:1@127.0.0.1>;tag=gone", 481},
        {"INVITE sip:1@127.0.0.1 SIP/2.0", "70", "<sip:1@127.0.0.1>;tag=gone", 481},
    };
    struct env *e = env_new();
    env_start(e);
    struct peer *p = peer_udp(e);
    for (size_t i = 0; i < sizeof raw / sizeof raw[0]; i++) {
        char start[16], method[16];
        sscanf(raw[i].line, "%15s", method);
        snprintf(start, sizeof start, "SIP/2.0 %d", raw[i].status);
        peer_text(p, NULL,
                  "%s\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKraw%zu;rport\r\nMax-Forwards: %s\r\nFrom: "
                  "<sip:a@b>;tag=x\r\n"
                  "To: %s\r\nCall-ID: raw%zu\r\nCSeq: 1 %s\r\nContact: <sip:a@127.0.0.1>\r\n",
                  raw[i].line, p->port, i, raw[i].forwards, raw[i].to, i, method);
        peer_expect(p, start);
    }
    ck_assert_int_eq(e->invites, 0);
    peer_free(p);
    env_stop(e);
}
END_TEST

START_TEST(merged_request)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    peer_request(p, "INVITE", "", SDP_A);
    peer_expect(p, "SIP/2.0 100");
    peer_request(p, "INVITE", "", SDP_A); /* same Call-ID, tag and CSeq by another way */
    peer_expect(p, "SIP/2.0 482");
    ck_assert_int_eq(e->invites, 1);
}
END_TEST

START_TEST(overload)
{
    struct env *e = env_new();
    e->overload = 12;
    env_start(e);
    struct peer *p = peer_udp(e);
    peer_request(p, "INVITE", "", SDP_A);
    peer_expect(p, "SIP/2.0 503 Too Busy");
    ck_assert_str_eq(peer_header(p, "Retry-After"), "12");
    peer_request(p, "ACK", "", NULL);
    p->to_tag[0] = '\0';
    peer_request(p, "OPTIONS", "", NULL);
    peer_expect(p, "SIP/2.0 503 Too Busy");
    p->to_tag[0] = '\0';
    peer_request(p, "REGISTER", "", NULL);
    peer_expect(p, "SIP/2.0 503 Too Busy");
    e->overload = 0;
    p->cseq++;
    p->to_tag[0] = '\0';
    peer_request(p, "OPTIONS", "", NULL);
    peer_expect(p, "SIP/2.0 200");
    struct sip_stats st;
    sip_ua_get_stats(e->ua, &st);
    ck_assert_uint_eq(st.overloaded, 3);
    peer_free(p);
    env_stop(e);
}
END_TEST

START_TEST(routes_of_caller)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    char rr[160];
    snprintf(rr, sizeof rr, "Record-Route: <sip:127.0.0.1:%u;lr>, <sip:far.example.com;lr>\r\n", p->port);
    establish(e, p, rr);
    struct sip_dialog d;
    sip_leg_dialog(e->leg, &d);
    char want[160];
    snprintf(want, sizeof want, "<sip:127.0.0.1:%u;lr>, <sip:far.example.com;lr>", p->port);
    ck_assert_str_eq(d.route_set, want);
    sip_leg_release(e->leg, 0, NULL);
    peer_expect(p, "BYE sip:8001@127.0.0.1"); /* loose: the target stays in the Request-URI */
    ck_assert_ptr_nonnull(strstr(peer_header_nth(p, "Route", 0), ";lr"));
    peer_reply(p, 200, NULL, "", NULL);
}
END_TEST

/* A Contact with a name is never looked up: requests go to where the peer sends from. */
START_TEST(name_in_contact)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    peer_text(p, SDP_A,
              "INVITE sip:10000@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP pc.nowhere.invalid;branch=z9hG4bKname%d;rport\r\n"
              "Max-Forwards: 70\r\nFrom: <sip:8001@x.invalid>;tag=%s\r\nTo: <sip:10000@127.0.0.1>\r\nCall-ID: %s\r\n"
              "CSeq: 1 INVITE\r\nContact: <sip:8001@pc.nowhere.invalid>\r\nContent-Type: application/sdp\r\n",
              (int)getpid(), p->tag, p->call_id);
    env_until(e, e->leg != NULL);
    ck_assert_int_eq(sip_leg_answer(e->leg, SDP_B), 0);
    peer_expect(p, "SIP/2.0 200");
    peer_request(p, "ACK", "", NULL);
    env_event(e, SIP_EV_ACKED);
    uint64_t before = now_ms();
    sip_leg_release(e->leg, 0, NULL);
    ck_assert_uint_lt(now_ms() - before, 1000);
    peer_expect(p, "BYE sip:8001@pc.nowhere.invalid");
}
END_TEST

START_TEST(over_tcp)
{
    struct env *e = env_new();
    env_start(e);
    struct peer *p = peer_new(e, AF_INET, true);
    establish(e, p, "");
    ck_assert_int_eq(e->inv.transport, SIP_TCP);
    struct sip_dialog d;
    sip_leg_dialog(e->leg, &d);
    char want[64];
    snprintf(want, sizeof want, "tcp:127.0.0.1:%u", p->port);
    ck_assert_str_eq(d.flow, want);
    sip_leg_release(e->leg, 0, NULL); /* the BYE comes on the connection that the peer opened */
    peer_expect(p, "BYE sip:8001@");
    peer_reply(p, 200, NULL, "", NULL);
    peer_free(p);
    env_stop(e);
}
END_TEST

START_TEST(over_ipv6)
{
    for (int tcp = 0; tcp < 2; tcp++) {
        struct env *e = env_new();
        env_start_at(e, "::1");
        struct peer *p = peer_new(e, AF_INET6, tcp);
        establish(e, p, "");
        ck_assert_str_eq(e->inv_text[7], "::1");
        ck_assert_ptr_nonnull(strstr(peer_header(p, "Contact"), "<sip:[::1]:"));
        sip_leg_release(e->leg, 0, NULL);
        peer_expect(p, "BYE sip:8001@[::1]");
        peer_reply(p, 200, NULL, "", NULL);
        peer_free(p);
        env_stop(e);
    }
}
END_TEST

/* A proxy of RFC 2543 without lr: it becomes the Request-URI, the target goes last in Route. */
START_TEST(strict_router)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    char rr[160];
    snprintf(rr, sizeof rr, "Record-Route: <sip:strict@127.0.0.1:%u>\r\n", p->port);
    establish(e, p, rr);
    sip_leg_release(e->leg, 0, NULL);
    peer_expect(p, "BYE sip:strict@127.0.0.1");
    ck_assert_ptr_nonnull(strstr(peer_header(p, "Route"), "sip:8001@127.0.0.1"));
    peer_reply(p, 200, NULL, "", NULL);
}
END_TEST

START_TEST(stop_hangs_up)
{
    struct env *e = env_new();
    env_start(e);
    struct peer *p = peer_udp(e);
    establish(e, p, "");
    sip_ua_stop(e->ua, true);
    ck_assert(peer_take(p) && strncmp(p->msg, "BYE ", 4) == 0);
    env_no_event(e);
    peer_free(p);
    su_root_destroy(e->root);
    su_deinit();
    free(e);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sip inbound");
    TCase *t = tcase_create("calls");
    tcase_set_timeout(t, 60);
    TCase *plain = tcase_create("calls of one UDP peer");
    tcase_set_timeout(plain, 60);
    tcase_add_checked_fixture(plain, rig_up, rig_down);
    tcase_add_test(plain, answer_and_bye);
    tcase_add_test(plain, nul_in_the_number);
    tcase_add_test(plain, we_hang_up);
    tcase_add_test(plain, cancel);
    tcase_add_test(plain, bye_before_the_answer);
    tcase_add_test(t, no_ack);
    tcase_add_test(plain, released_before_ack);
    tcase_add_test(plain, rejected);
    tcase_add_test(plain, refused_with_a_warning);
    tcase_add_test(plain, reinvite_from_peer);
    tcase_add_test(plain, reinvite_from_us);
    tcase_add_test(plain, overtaken_by_the_peer);
    tcase_add_test(plain, info_options_and_order);
    tcase_add_test(plain, info_of_a_package);
    tcase_add_test(plain, names_a_dialog);
    tcase_add_test(t, refusals);
    tcase_add_test(t, bodies);
    tcase_add_test(t, refused_as_sent);
    tcase_add_test(plain, merged_request);
    tcase_add_test(t, overload);
    tcase_add_test(plain, routes_of_caller);
    tcase_add_test(plain, name_in_contact);
    tcase_add_test(t, over_tcp);
    tcase_add_test(t, over_ipv6);
    tcase_add_test(plain, strict_router);
    tcase_add_test(t, stop_hangs_up);
    suite_add_tcase(s, t);
    suite_add_tcase(s, plain);
    return run_suite(s);
}
