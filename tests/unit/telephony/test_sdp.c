/* SDP: what strangers write, and offer/answer. */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/sdp.h"
#include "tests/unit/suite.h"

#define HEAD "v=0\r\no=- 12 34 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"

static struct sdp parse(const char *text)
{
    struct sdp s;
    struct err_info info = {0};
    int rc = sdp_parse(text, strlen(text), &s, &info);
    ck_assert_msg(rc == 0, "line %u %s: %s\n%s", info.line, info.field, info.text, text);
    return s;
}

static void expect_refusal(const char *text, int code, unsigned line)
{
    struct sdp s;
    struct err_info info = {0};
    ck_assert_int_eq(sdp_parse(text, strlen(text), &s, &info), code);
    ck_assert_int_eq(info.code, code);
    ck_assert_uint_eq(info.line, line);
    ck_assert_str_ne(info.text, "");
}

static const char *addr_text(const struct sockaddr_storage *ss)
{
    static char out[4][80];
    static unsigned next;
    char ip[INET6_ADDRSTRLEN] = "-";
    char *o = out[next++ % 4];
    unsigned port = 0;
    if (ss->ss_family == AF_INET) {
        const struct sockaddr_in *a = (const struct sockaddr_in *)(const void *)ss;
        inet_ntop(AF_INET, &a->sin_addr, ip, sizeof ip);
        port = ntohs(a->sin_port);
    } else if (ss->ss_family == AF_INET6) {
        const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)(const void *)ss;
        inet_ntop(AF_INET6, &a->sin6_addr, ip, sizeof ip);
        port = ntohs(a->sin6_port);
    }
    snprintf(o, 80, "%s %u", ip, port);
    return o;
}

static struct sdp_local ours(void)
{
    return (struct sdp_local){.session_id = 777,
                              .version = 5,
                              .ip = "198.51.100.9",
                              .rtp_port = 20002,
                              .dir = SDP_SENDRECV,
                              .prefer = {SDP_PCMA, SDP_PCMU},
                              .dtmf = true};
}

START_TEST(reads_a_usual_description)
{
    struct sdp s =
        parse("v=0\r\no=alice 2890844526 2890844527 IN IP4 host.example\r\ns=call\r\ni=x\r\nc=IN IP4 192.0.2.1\r\n"
              "b=AS:64\r\nt=0 0\r\na=sendonly\r\n"
              "m=audio 49170 RTP/AVP 8 0 96 13 18\r\nb=TIAS:64000\r\na=rtpmap:96 Telephone-Event/8000\r\n"
              "a=fmtp:96 0-15\r\na=ptime:30\r\na=rtcp:53020 IN IP4 192.0.2.7\r\n"
              "m=video 51372/2 RTP/AVP 31 32\r\nc=IN IP4 192.0.2.2\r\na=recvonly\r\na=rtcp-mux\r\n"
              "m=application 9 UDP/BFCP *\r\n");
    ck_assert_uint_eq(s.session_id, 2890844526u);
    ck_assert_uint_eq(s.session_version, 2890844527u);
    ck_assert_str_eq(s.origin_user, "alice");
    ck_assert_uint_eq(s.n_media, 3);
    const struct sdp_media *m = &s.media[0];
    ck_assert_str_eq(m->kind, "audio");
    ck_assert_str_eq(m->proto, "RTP/AVP");
    ck_assert_uint_eq(m->port, 49170);
    ck_assert_str_eq(addr_text(&m->addr), "192.0.2.1 49170");
    ck_assert_str_eq(addr_text(&m->rtcp), "192.0.2.7 53020");
    ck_assert_int_eq(m->dir, SDP_SENDONLY);
    ck_assert_uint_eq(m->ptime_ms, 30);
    ck_assert_uint_eq(m->n_formats, 5);
    ck_assert_str_eq(m->formats_raw, "8 0 96 13 18");
    static const struct {
        uint8_t pt;
        enum sdp_codec codec;
        const char *name;
    } want[] = {{8, SDP_PCMA, "PCMA"},
                {0, SDP_PCMU, "PCMU"},
                {96, SDP_TELEPHONE_EVENT, "Telephone-Event"},
                {13, SDP_CN, "CN"},
                {18, SDP_OTHER, "G729"}};
    for (unsigned k = 0; k < 5; k++) {
        ck_assert_uint_eq(m->formats[k].pt, want[k].pt);
        ck_assert_int_eq(m->formats[k].codec, want[k].codec);
        ck_assert_str_eq(m->formats[k].name, want[k].name);
        ck_assert_uint_eq(m->formats[k].clock_hz, 8000);
    }
    ck_assert_str_eq(m->formats[2].fmtp, "0-15");
    m = &s.media[1];
    ck_assert_int_eq(m->dir, SDP_RECVONLY);
    ck_assert(m->rtcp_mux);
    ck_assert_str_eq(addr_text(&m->addr), "192.0.2.2 51372");
    ck_assert_str_eq(addr_text(&m->rtcp), "192.0.2.2 51372");
    ck_assert_str_eq(s.media[2].formats_raw, "*");
    ck_assert_uint_eq(s.media[2].n_formats, 0);
}
END_TEST

START_TEST(takes_what_is_merely_odd)
{
    /* Bare LF, no end of line at the end, blank lines, no s= or t=, unknown attributes and lines, broken attributes. */
    struct sdp s =
        parse("v=0\no=- 1 1 IN IP4 1.2.3.4\n\nc=IN IP4 10.0.0.1/127\nz=whatever\n"
              "m=audio 4000 RTP/AVPF 0 0 200 x 97 98 99\na=rtpmap:97\na=rtpmap:98 PCMA\na=rtpmap:98 PCMA/8000/1\n"
              "a=rtpmap:99 pcmu/16000\na=rtpmap:55 "
              "PCMU/8000\na=ptime:twenty\na=ptime:20.0\na=fmtp:98\na=rtcp:\na=\na=:\na=SENDONLY ");
    const struct sdp_media *m = &s.media[0];
    ck_assert_uint_eq(m->n_formats, 4);
    ck_assert_int_eq(m->formats[0].codec, SDP_PCMU);
    ck_assert_int_eq(m->formats[1].codec, SDP_OTHER);
    ck_assert_int_eq(m->formats[2].codec, SDP_PCMA);
    ck_assert_int_eq(m->formats[3].codec, SDP_OTHER); /* PCMU at 16 kHz is another thing */
    ck_assert_uint_eq(m->ptime_ms, 20);
    ck_assert_int_eq(m->dir, SDP_SENDONLY);
    ck_assert_str_eq(addr_text(&m->addr), "10.0.0.1 4000");
    ck_assert_str_eq(addr_text(&m->rtcp), "10.0.0.1 4001");
    /* A static number that the sender has given another meaning. */
    s = parse(HEAD "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 opus/48000/2\r\n");
    ck_assert_int_eq(s.media[0].formats[0].codec, SDP_OTHER);
    /* Session ids beyond 64 bits only need to stay numbers. */
    s = parse("v=0\r\no=- 123456789012345678901234567890 1 IN IP4 1.1.1.1\r\n");
    ck_assert_uint_eq(s.n_media, 0);
}
END_TEST

START_TEST(reads_addresses)
{
    struct sdp s = parse("v=0\r\no=- 1 1 IN IP6 ::1\r\nc=IN IP6 2001:db8::7\r\nm=audio 65535 RTP/AVP 0\r\n");
    ck_assert_str_eq(addr_text(&s.media[0].addr), "2001:db8::7 65535");
    ck_assert_str_eq(addr_text(&s.media[0].rtcp), "2001:db8::7 0"); /* there is no port beyond */
    s = parse("v=0\r\no=- 1 1 IN IP4 x\r\nc=IN IP4 phone.example.org\r\nm=audio 4 RTP/AVP 0\r\n");
    ck_assert_int_eq(s.media[0].addr.ss_family, 0);
    s = parse("v=0\r\no=- 1 1 IN IP4 x\r\nm=audio 4 RTP/AVP 0\r\n");
    ck_assert_int_eq(s.media[0].addr.ss_family, 0);
    s = parse("v=0\r\no=- 1 1 IN IP4 x\r\nc=IN IP4 224.2.1.1/127/3\r\nm=audio 4 RTP/AVP 0\r\n");
    ck_assert_int_eq(s.media[0].addr.ss_family, 0); /* no sending to groups */
    s = parse("v=0\r\no=- 1 1 IN IP4 x\r\nc=IN IP4 255.255.255.255\r\nm=audio 4 RTP/AVP 0\r\n");
    ck_assert_int_eq(s.media[0].addr.ss_family, 0);
    s = parse("v=0\r\no=- 1 1 IN IP4 x\r\nc=IN IP4 0.0.0.0\r\nm=audio 4 RTP/AVP 0\r\n");
    ck_assert(s.media[0].hold_by_zero_addr);
    s = parse("v=0\r\no=- 1 1 IN IP4 x\r\nc=IN IP4 0.0.0.0\r\nm=audio 4 RTP/AVP 0\r\nc=IN IP4 1.2.3.4\r\nc=IN IP4 "
              "0.0.0.0\r\n");
    ck_assert(!s.media[0].hold_by_zero_addr);
    ck_assert_str_eq(addr_text(&s.media[0].addr), "1.2.3.4 4");
}
END_TEST

START_TEST(refuses_with_the_line)
{
    expect_refusal("", ERR_INVAL, 0);
    expect_refusal("o=- 1 1 IN IP4 x\r\n", ERR_INVAL, 1);
    expect_refusal("v=1\r\n", ERR_INVAL, 1);
    expect_refusal("v=0\r\n", ERR_INVAL, 1);
    expect_refusal("v=0\r\ns=-\r\no=- x 1 IN IP4 y\r\n", ERR_INVAL, 3);
    expect_refusal("v=0\r\no=-\r\n", ERR_INVAL, 2);
    expect_refusal("v=0\r\no=- 1 1 IN IP4 x\r\nnonsense\r\n", ERR_INVAL, 3);
    expect_refusal("v=0\r\no=- 1 1 IN IP4 x\r\n=x\r\n", ERR_INVAL, 3);
    expect_refusal(HEAD "m=audio\r\n", ERR_INVAL, 6);
    expect_refusal(HEAD "m=audio x RTP/AVP 0\r\n", ERR_INVAL, 6);
    expect_refusal(HEAD "m=audio 65536 RTP/AVP 0\r\n", ERR_INVAL, 6);
    expect_refusal(HEAD "m=audio -1 RTP/AVP 0\r\n", ERR_INVAL, 6);
    expect_refusal(HEAD "m=audio 4000\r\n", ERR_INVAL, 6);
    expect_refusal(HEAD "m=audio 4000 RTP/AVP\r\n", ERR_INVAL, 6);
    expect_refusal(HEAD "m=aaaaaaaaaaaaaaaaaaaaaaaaaaa 4000 RTP/AVP 0\r\n", ERR_INVAL, 6);
    expect_refusal(HEAD "m=audio 4000 RTP/AVPAVPAVPAVPAVPAVPAVPAVPAVPAVP 0\r\n", ERR_INVAL, 6);
    expect_refusal(HEAD "m=au\rdio 4000 RTP/AVP 0\r\n", ERR_INVAL, 6);
    expect_refusal(HEAD "m=audio 4000 RTP\x80/AVP 0\r\n", ERR_INVAL, 6);
    char many[2048] = HEAD;
    for (unsigned k = 0; k <= SDP_MEDIA_MAX; k++)
        strcat(many, "m=audio 4000 RTP/AVP 0\r\n");
    expect_refusal(many, ERR_UNSUPPORTED, 5 + SDP_MEDIA_MAX + 1);
    struct sdp s;
    struct err_info info;
    char *big = calloc(1, SDP_TEXT_MAX + 2);
    ck_assert_ptr_nonnull(big);
    memset(big, 'a', SDP_TEXT_MAX + 1);
    ck_assert_int_eq(sdp_parse(big, SDP_TEXT_MAX + 1, &s, &info), ERR_TOOBIG);
    free(big);
    ck_assert_int_eq(sdp_parse("v=0\0x", 5, &s, &info), ERR_INVAL);
    ck_assert_int_eq(sdp_parse("v=0\r\n", 5, &s, NULL), ERR_INVAL);
}
END_TEST

START_TEST(the_line_that_hangs_others_is_harmless)
{
    struct sdp s = parse(HEAD "m=audio 9 X @\r\n");
    ck_assert_uint_eq(s.n_media, 1);
    ck_assert_uint_eq(s.media[0].n_formats, 0);
    char text[SDP_TEXT_MAX + 1] = HEAD "m=audio 4000 RTP/AVP"; /* as many formats as fit */
    size_t n = strlen(text);
    for (unsigned k = 0; n + 8 < sizeof text; k++)
        n += (size_t)snprintf(text + n, sizeof text - n, " %u", k % 300);
    s = parse(text);
    ck_assert_uint_eq(s.media[0].n_formats, SDP_FORMATS_MAX);
    ck_assert_uint_lt(strlen(s.media[0].formats_raw), sizeof s.media[0].formats_raw);
}
END_TEST

START_TEST(answers_keep_order_and_numbers)
{
    struct sdp offer =
        parse(HEAD "m=image 5000 udptl t38\r\nm=audio 6000 RTP/SAVP 0 8\r\n"
                   "m=audio 49170 RTP/AVP 18 110 111 96\r\na=rtpmap:110 PCMU/8000\r\na=rtpmap:111 PCMA/8000\r\n"
                   "a=rtpmap:96 telephone-event/8000\r\na=ptime:40\r\nm=audio 7000 RTP/AVP 0\r\n"
                   "m=video 8000 RTP/AVP 31 3\r1\r\n");
    struct sdp_local local = ours();
    struct sdp_session_params p;
    char text[2048];
    int n = sdp_write_answer(&offer, &local, text, sizeof text, &p);
    ck_assert_int_gt(n, 0);
    ck_assert_uint_eq(strlen(text), (unsigned)n);
    ck_assert_str_eq(text,
                     "v=0\r\no=everline 777 5 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\n"
                     "m=image 0 udptl t38\r\n"
                     "m=audio 0 RTP/SAVP 0\r\n"
                     "m=audio 20002 RTP/AVP 111 96\r\na=rtpmap:111 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\n"
                     "a=fmtp:96 0-15\r\na=ptime:40\r\na=sendrecv\r\n"
                     "m=audio 0 RTP/AVP 0\r\n"
                     "m=video 0 RTP/AVP 31\r\n");
    ck_assert(p.active);
    ck_assert_uint_eq(p.media_index, 2);
    ck_assert_int_eq(p.codec, SDP_PCMA);
    ck_assert_uint_eq(p.codec_pt, 111);
    ck_assert_uint_eq(p.recv_pt, 111);
    ck_assert_int_eq(p.dtmf_pt, 96);
    ck_assert_int_eq(p.dtmf_recv_pt, 96);
    ck_assert_uint_eq(p.ptime_ms, 40);
    ck_assert_str_eq(addr_text(&p.remote), "192.0.2.1 49170");
    ck_assert_str_eq(addr_text(&p.remote_rtcp), "192.0.2.1 49171");
    ck_assert(p.can_send && p.can_recv && !p.rtcp_mux);
    (void)parse(text); /* and we can read what we write */
    ck_assert_int_eq(sdp_write_answer(&offer, &local, text, 100, &p), ERR_TOOBIG);
    ck_assert_int_eq(sdp_write_answer(&offer, &local, text, 0, &p), ERR_TOOBIG);
}
END_TEST

/* Each line has its answer in its place (RFC 3264 section 6), and as many as we read fit into what a call keeps. */
START_TEST(as_many_lines_as_we_read_are_answered)
{
    char offer_text[4096] = HEAD, text[2048], line[64];
    for (unsigned k = 0; k < SDP_MEDIA_MAX; k++) {
        (void)snprintf(line, sizeof line, "m=%s %u RTP/AVP 8 0 96 97 98\r\n", k == 20 ? "audio" : "video",
                       4000 + 2 * k);
        strcat(offer_text, line);
    }
    struct sdp offer, back;
    struct sdp_session_params p;
    struct sdp_local local = {.session_id = 1,
                              .version = 1,
                              .ip = "192.0.2.200",
                              .rtp_port = 20000,
                              .dir = SDP_SENDRECV,
                              .prefer = {SDP_PCMA, SDP_PCMU}};
    ck_assert_int_eq(sdp_parse(offer_text, strlen(offer_text), &offer, NULL), 0);
    ck_assert_uint_eq(offer.n_media, SDP_MEDIA_MAX);
    int n = sdp_write_answer(&offer, &local, text, sizeof text, &p);
    ck_assert_int_gt(n, 0);
    ck_assert(p.active);
    ck_assert_uint_eq(p.media_index, 20);
    ck_assert_int_eq(sdp_parse(text, (size_t)n, &back, NULL), 0);
    ck_assert_uint_eq(back.n_media, SDP_MEDIA_MAX);
    for (unsigned k = 0; k < SDP_MEDIA_MAX; k++) {
        ck_assert_uint_eq(back.media[k].port, k == 20 ? 20000 : 0);
        ck_assert_str_eq(back.media[k].kind, offer.media[k].kind);
    }
}
END_TEST

START_TEST(preference_is_ours)
{
    struct sdp offer = parse(HEAD "m=audio 49170 RTP/AVP 0 8\r\n");
    struct sdp_local local = ours();
    struct sdp_session_params p;
    char text[1024];
    ck_assert_int_gt(sdp_write_answer(&offer, &local, text, sizeof text, &p), 0);
    ck_assert_int_eq(p.codec, SDP_PCMA);
    ck_assert_int_eq(p.dtmf_pt, -1);
    ck_assert_ptr_null(strstr(text, "telephone-event"));
    local.prefer[0] = SDP_PCMU;
    local.prefer[1] = SDP_OTHER;
    ck_assert_int_gt(sdp_write_answer(&offer, &local, text, sizeof text, &p), 0);
    ck_assert_int_eq(p.codec, SDP_PCMU);
    offer = parse(HEAD "m=audio 49170 RTP/AVP 8\r\n");
    ck_assert_int_eq(sdp_write_answer(&offer, &local, text, sizeof text, &p), ERR_UNSUPPORTED);
    offer = parse(HEAD "m=audio 49170 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n");
    local.dtmf = false;
    ck_assert_int_gt(sdp_write_answer(&offer, &local, text, sizeof text, &p), 0);
    ck_assert_int_eq(p.dtmf_pt, -1);
    /* Events at another clock do not go with our audio. */
    local.dtmf = true;
    offer = parse(HEAD "m=audio 49170 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/48000\r\n");
    ck_assert_int_gt(sdp_write_answer(&offer, &local, text, sizeof text, &p), 0);
    ck_assert_int_eq(p.dtmf_pt, -1);
}
END_TEST

START_TEST(what_we_cannot_do_is_unsupported)
{
    static const struct {
        const char *offer;
        unsigned warning; /* RFC 3261 section 20.43 */
    } cases[] = {
        {HEAD "m=audio 49170 RTP/SAVP 0 8\r\n", 302},
        {HEAD "m=audio 49170 UDP/TLS/RTP/SAVPF 0\r\n", 302},
        {HEAD "m=audio 49170 RTP/AVP 18 9 4\r\n", 305},
        {HEAD "m=video 49170 RTP/AVP 0\r\n", 304},
        {HEAD "m=audio 0 RTP/AVP 0\r\nm=video 49170 RTP/AVP 0\r\n", 304},
        {HEAD "m=video 49170 RTP/AVP 0\r\nm=audio 49172 RTP/AVP 18\r\nm=audio 49174 RTP/SAVP 0\r\n", 305},
        {HEAD "m=audio 9 X @\r\n", 302},
        {"v=0\r\no=- 1 1 IN IP4 h\r\nc=IN IP4 some.host\r\nm=audio 49170 RTP/AVP 0\r\n", 301},
        {"v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 49170 RTP/AVP 0\r\n", 301},
        {"v=0\r\no=- 1 1 IN IP6 ::1\r\nc=IN IP6 2001:db8::1\r\nm=audio 49170 RTP/AVP 0\r\n", 301}, /* we are IPv4 here */
    };
    struct sdp_local local = ours();
    struct sdp_session_params p;
    char text[1024];
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct sdp offer = parse(cases[k].offer);
        ck_assert_msg(sdp_write_answer(&offer, &local, text, sizeof text, &p) == ERR_UNSUPPORTED, "%s", cases[k].offer);
        struct sdp_warning why = sdp_why_not(&offer, &local);
        ck_assert_msg(why.code == cases[k].warning, "%s: %u", cases[k].offer, why.code);
        ck_assert_ptr_null(strchr(why.text, '"'));
    }
}
END_TEST

START_TEST(an_offer_of_nothing_is_answered_likewise)
{
    struct sdp_local local = ours();
    struct sdp_session_params p;
    char text[1024];
    struct sdp offer = parse(HEAD "m=audio 0 RTP/AVP 0\r\n");
    ck_assert_int_gt(sdp_write_answer(&offer, &local, text, sizeof text, &p), 0);
    ck_assert(!p.active);
    ck_assert_ptr_nonnull(strstr(text, "m=audio 0 RTP/AVP 0\r\n"));
    offer = parse(HEAD);
    ck_assert_int_gt(sdp_write_answer(&offer, &local, text, sizeof text, &p), 0);
    ck_assert(!p.active);
    ck_assert_ptr_null(strstr(text, "m="));
}
END_TEST

START_TEST(directions_meet)
{
    static const enum sdp_dir all[] = {SDP_SENDRECV, SDP_SENDONLY, SDP_RECVONLY, SDP_INACTIVE};
    static const char *const names[] = {"sendrecv", "sendonly", "recvonly", "inactive"};
    static const bool sends[] = {true, true, false, false}, receives[] = {true, false, true, false};
    struct sdp_session_params p;
    char text[1024], offered[512];
    for (unsigned them = 0; them < 4; them++) {
        snprintf(offered, sizeof offered, HEAD "m=audio 49170 RTP/AVP 8\r\na=%s\r\n", names[them]);
        struct sdp offer = parse(offered);
        for (unsigned us = 0; us < 4; us++) {
            struct sdp_local local = ours();
            local.dir = all[us];
            ck_assert_int_gt(sdp_write_answer(&offer, &local, text, sizeof text, &p), 0);
            ck_assert_int_eq(p.can_send, sends[us] && receives[them]);
            ck_assert_int_eq(p.can_recv, receives[us] && sends[them]);
            struct sdp back = parse(text);
            ck_assert_int_eq(sends[back.media[0].dir], p.can_send);
            ck_assert_int_eq(receives[back.media[0].dir], p.can_recv);
            /* The same as an answer to an offer of ours. */
            struct sdp answer = parse(offered);
            ck_assert_int_eq(sdp_take_answer(&local, &answer, &p), 0);
            ck_assert_int_eq(p.can_send, sends[us] && receives[them]);
            ck_assert_int_eq(p.can_recv, receives[us] && sends[them]);
        }
    }
    struct sdp_local local = ours();
    struct sdp hold = parse("v=0\r\no=- 1 2 IN IP4 x\r\nc=IN IP4 0.0.0.0\r\nm=audio 4000 RTP/AVP 8\r\n");
    ck_assert_int_gt(sdp_write_answer(&hold, &local, text, sizeof text, &p), 0);
    ck_assert(p.active && !p.can_send && p.can_recv);
}
END_TEST

START_TEST(profile_and_mux_are_mirrored)
{
    struct sdp offer = parse(HEAD "m=audio 4000 RTP/AVPF 8\r\na=rtcp-mux\r\na=rtcp:4000\r\n");
    struct sdp_local local = ours();
    struct sdp_session_params p;
    char text[1024];
    ck_assert_int_gt(sdp_write_answer(&offer, &local, text, sizeof text, &p), 0);
    ck_assert(p.rtcp_mux);
    ck_assert_str_eq(addr_text(&p.remote_rtcp), "192.0.2.1 4000");
    ck_assert_ptr_nonnull(strstr(text, "m=audio 20002 RTP/AVPF 8\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "a=rtcp-mux\r\n"));
}
END_TEST

START_TEST(offers_and_takes_answers)
{
    struct sdp_local local = ours();
    struct sdp_session_params p;
    char text[1024];
    ck_assert_int_gt(sdp_write_offer(&local, NULL, text, sizeof text), 0);
    ck_assert_str_eq(text, "v=0\r\no=everline 777 5 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\n"
                           "m=audio 20002 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
                           "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n");
    ck_assert_int_eq(sdp_write_offer(&local, NULL, text, 60), ERR_TOOBIG);
    struct sdp answer = parse(HEAD "m=audio 9000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n");
    ck_assert_int_eq(sdp_take_answer(&local, &answer, &p), 0);
    ck_assert_int_eq(p.codec, SDP_PCMU); /* the answerer's order */
    ck_assert_uint_eq(p.codec_pt, 0);
    ck_assert_int_eq(p.dtmf_pt, 101);
    ck_assert_uint_eq(p.ptime_ms, 20);
    ck_assert_str_eq(addr_text(&p.remote), "192.0.2.1 9000");
    /* An answerer that numbers for itself: we send its number and expect ours. */
    answer =
        parse(HEAD "m=audio 9000 RTP/AVP 100 99\r\na=rtpmap:99 telephone-event/8000\r\na=rtpmap:100 PCMA/8000\r\n");
    ck_assert_int_eq(sdp_take_answer(&local, &answer, &p), 0);
    ck_assert_uint_eq(p.codec_pt, 100);
    ck_assert_uint_eq(p.recv_pt, 8);
    ck_assert_int_eq(p.dtmf_pt, 99);
    ck_assert_int_eq(p.dtmf_recv_pt, 101);
    static const char *const bad[] = {HEAD,
                                      HEAD "m=audio 0 RTP/AVP 8\r\n",
                                      HEAD "m=audio 9000 RTP/AVP 18\r\n",
                                      HEAD "m=audio 9000 RTP/SAVP 8\r\n",
                                      HEAD "m=video 9000 RTP/AVP 8\r\n",
                                      "v=0\r\no=- 1 1 IN IP4 x\r\nc=IN IP4 a.host\r\nm=audio 9000 RTP/AVP 8\r\n"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        answer = parse(bad[k]);
        ck_assert_int_eq(sdp_take_answer(&local, &answer, &p), ERR_UNSUPPORTED);
    }
    local.prefer[1] = SDP_OTHER; /* only A-law was offered */
    answer = parse(HEAD "m=audio 9000 RTP/AVP 0\r\n");
    ck_assert_int_eq(sdp_take_answer(&local, &answer, &p), ERR_UNSUPPORTED);
}
END_TEST

/* Who has once offered video keeps its m= line: an offer of ours that lacked it would put the audio in its place. */
START_TEST(later_offers_keep_the_lines)
{
    struct sdp_local local = ours();
    struct sdp_session_params p;
    char text[1024];
    struct sdp offer =
        parse(HEAD "m=video 9002 RTP/AVP 97\r\nm=audio 9000 RTP/AVP 8\r\nm=application 9004 UDP/BFCP *\r\n");
    ck_assert_int_gt(sdp_write_answer(&offer, &local, text, sizeof text, &p), 0);
    struct sdp before = parse(text);
    ck_assert_uint_eq(sdp_own_line(&before), 1);
    local.line = p.media_index;
    ck_assert_int_gt(sdp_write_offer(&local, &before, text, sizeof text), 0);
    const char *video = strstr(text, "m=video 0 RTP/AVP 97\r\n"),
               *audio = strstr(text, "m=audio 20002 RTP/AVP 8 0 101\r\n"),
               *more = strstr(text, "m=application 0 UDP/BFCP *\r\n");
    ck_assert_msg(video && audio > video && more > audio, "%s", text);
    struct sdp answer = parse(HEAD "m=video 0 RTP/AVP 97\r\nm=audio 9000 RTP/AVP 0\r\nm=application 0 UDP/BFCP *\r\n");
    ck_assert_int_eq(sdp_take_answer(&local, &answer, &p), 0);
    ck_assert_uint_eq(p.media_index, 1);
    ck_assert_str_eq(addr_text(&p.remote), "192.0.2.1 9000");
    answer = parse(HEAD "m=video 0 RTP/AVP 97\r\n"); /* too few lines */
    ck_assert_int_eq(sdp_take_answer(&local, &answer, &p), ERR_UNSUPPORTED);
    before =
        parse(HEAD "m=video 0 RTP/AVP 97\r\nm=audio 0 RTP/AVP 8\r\n"); /* all is off: audio comes back where it was */
    ck_assert_uint_eq(sdp_own_line(&before), 1);
    before = parse(HEAD);
    local.line = sdp_own_line(&before);
    ck_assert_int_gt(sdp_write_offer(&local, &before, text, sizeof text), 0);
    ck_assert_ptr_nonnull(strstr(text, "m=audio 20002 "));
}
END_TEST

START_TEST(ipv6_both_ways)
{
    struct sdp_local local = ours();
    struct sdp_session_params p;
    char text[1024];
    local.ip = "2001:db8::9";
    ck_assert_int_gt(sdp_write_offer(&local, NULL, text, sizeof text), 0);
    ck_assert_ptr_nonnull(strstr(text, "c=IN IP6 2001:db8::9\r\n"));
    struct sdp offer = parse(text);
    ck_assert_int_gt(sdp_write_answer(&offer, &local, text, sizeof text, &p), 0);
    ck_assert_str_eq(addr_text(&p.remote), "2001:db8::9 20002");
    offer = parse(HEAD "m=audio 9000 RTP/AVP 8\r\n");
    ck_assert_int_eq(sdp_write_answer(&offer, &local, text, sizeof text, &p), ERR_UNSUPPORTED);
}
END_TEST

/* ---- codecs */

#define OPUS_FULL                                                                                                      \
    "maxplaybackrate=48000;sprop-maxcapturerate=48000;maxaveragebitrate=510000;stereo=1;sprop-stereo=1;cbr=0;"         \
    "useinbandfec=1;usedtx=1;minptime=10;ptime=20;maxptime=120"
#define PHONE_OF_ALL                                                                                                   \
    HEAD "m=audio 49170 RTP/AVP 96 9 0 8 97 101\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 " OPUS_FULL                   \
         "\r\na=rtpmap:9 G722/8000\r\na=rtpmap:97 telephone-event/48000\r\na=rtpmap:101 telephone-event/8000\r\n"

static const enum sdp_codec codecs[SDP_CODECS] = {SDP_PCMU, SDP_PCMA, SDP_G722, SDP_OPUS};

/* An offer of all of them, answered in each order of preference; and back. */
START_TEST(every_codec_is_agreed)
{
    struct sdp offer = parse(PHONE_OF_ALL);
    struct sdp_local local = ours();
    struct sdp_session_params p;
    char text[SDP_TEXT_MAX];
    enum sdp_codec in_order[SDP_CODECS];
    ck_assert_uint_eq(sdp_codecs_of(&offer.media[0], in_order), SDP_CODECS);
    ck_assert_int_eq(in_order[0], SDP_OPUS);
    ck_assert_int_eq(in_order[3], SDP_PCMA);
    enum sdp_codec c = codecs[_i];
    for (unsigned place = 0; place < SDP_CODECS; place++) {
        memset(local.prefer, 0, sizeof local.prefer);
        local.prefer[place] = c; /* what is not one of audio is passed over */
        int n = sdp_write_answer(&offer, &local, text, sizeof text, &p);
        ck_assert_int_gt(n, 0);
        ck_assert_int_eq(p.codec, c);
        ck_assert_uint_eq(p.codec_pt, c == SDP_OPUS ? 96 : c == SDP_G722 ? 9 : c == SDP_PCMA ? 8 : 0);
        ck_assert_uint_eq(p.recv_pt, p.codec_pt);
        ck_assert_int_eq(p.dtmf_pt, c == SDP_OPUS ? 97 : 101);
        ck_assert_uint_eq(p.dtmf_clock_hz, c == SDP_OPUS ? 48000 : 8000);
        ck_assert_str_eq(p.fmtp, c == SDP_OPUS ? OPUS_FULL : "");
        struct sdp answer = parse(text);
        const struct sdp_media *m = &answer.media[0];
        ck_assert_uint_eq(m->n_formats, 2);
        ck_assert_int_eq(m->formats[0].codec, c);
        ck_assert_int_eq(m->formats[1].codec, SDP_TELEPHONE_EVENT);
        ck_assert_uint_eq(m->formats[1].clock_hz, p.dtmf_clock_hz);
        ck_assert_str_eq(m->formats[0].fmtp, c == SDP_OPUS ? "useinbandfec=1" : "");
    }
}
END_TEST

/* Our offer, answered with one of them: each side sends by the numbers of the other. */
START_TEST(every_codec_is_offered)
{
    struct sdp_local local = ours();
    struct sdp_session_params p;
    char text[SDP_TEXT_MAX], answer[1024];
    memcpy(local.prefer, codecs, sizeof codecs);
    ck_assert_int_gt(sdp_write_offer(&local, NULL, text, sizeof text), 0);
    struct sdp offer = parse(text);
    ck_assert_str_eq(offer.media[0].formats_raw, "0 8 9 107 101 110");
    ck_assert_uint_eq(offer.media[0].formats[4].clock_hz, 8000);
    ck_assert_uint_eq(offer.media[0].formats[5].clock_hz, 48000);
    static const struct {
        const char *formats;
        enum sdp_codec codec;
        uint8_t send, receive;
        int event, event_receive;
    } rows[] = {
        {"0 101\r\na=rtpmap:101 telephone-event/8000", SDP_PCMU, 0, 0, 101, 101},
        {"8", SDP_PCMA, 8, 8, -1, -1},
        {"9 99\r\na=rtpmap:99 telephone-event/8000", SDP_G722, 9, 9, 99, 101},
        {"107 110\r\na=rtpmap:107 opus/48000/2\r\na=rtpmap:110 telephone-event/48000", SDP_OPUS, 107, 107, 110, 110},
        {"96 101\r\na=rtpmap:96 OPUS/48000/2\r\na=rtpmap:101 telephone-event/8000", SDP_OPUS, 96, 107, 101, 101},
        {"18 9 107\r\na=rtpmap:107 opus/48000/2", SDP_G722, 9, 9, -1, -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(answer, sizeof answer, HEAD "m=audio 4000 RTP/AVP %s\r\n", rows[i].formats);
        struct sdp theirs = parse(answer);
        ck_assert_int_eq(sdp_take_answer(&local, &theirs, &p), 0);
        ck_assert_int_eq(p.codec, rows[i].codec);
        ck_assert_uint_eq(p.codec_pt, rows[i].send);
        ck_assert_uint_eq(p.recv_pt, rows[i].receive);
        ck_assert_int_eq(p.dtmf_pt, rows[i].event);
        ck_assert_int_eq(p.dtmf_recv_pt, rows[i].event_receive);
    }
    /* What was not offered is not taken, whoever answers it. */
    memset(local.prefer, 0, sizeof local.prefer);
    local.prefer[0] = SDP_PCMA;
    struct sdp theirs = parse(HEAD "m=audio 4000 RTP/AVP 9 107\r\na=rtpmap:107 opus/48000/2\r\n");
    ck_assert_int_eq(sdp_take_answer(&local, &theirs, &p), ERR_UNSUPPORTED);
}
END_TEST

/* What is only nearly one of them is none. */
START_TEST(nearly_a_codec)
{
    static const char *const rows[] = {
        "96\r\na=rtpmap:96 opus/48000",     "96\r\na=rtpmap:96 opus/48000/1", "96\r\na=rtpmap:96 opus/16000/2",
        "96\r\na=rtpmap:96 opus/8000",      "96\r\na=rtpmap:96 G722/16000",   "96\r\na=rtpmap:96 G722/8000/2",
        "9\r\na=rtpmap:9 G722/16000",       "96\r\na=rtpmap:96 opusx/48000/2", "20\r\na=rtpmap:20 opus/48000/2",
        "96\r\na=fmtp:96 useinbandfec=1",   "96\r\na=rtpmap:97 opus/48000/2", "101\r\na=rtpmap:101 telephone-event/8000",
        "96\r\na=rtpmap:96 opus/4294967296/2", "96\r\na=rtpmap:96 opus/48000/258",
    };
    struct sdp_local local = ours();
    struct sdp_session_params p;
    char text[SDP_TEXT_MAX], offer[512];
    memcpy(local.prefer, codecs, sizeof codecs);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(offer, sizeof offer, HEAD "m=audio 4000 RTP/AVP %s\r\n", rows[i]);
        struct sdp s = parse(offer);
        ck_assert_msg(sdp_write_answer(&s, &local, text, sizeof text, &p) == ERR_UNSUPPORTED, "%s", rows[i]);
        ck_assert_uint_eq(sdp_why_not(&s, &local).code, 305);
    }
}
END_TEST

/* A number never changes its meaning in a call, and no two things have one. */
START_TEST(numbers_stay)
{
    struct sdp_local local = ours();
    char text[SDP_TEXT_MAX];
    memcpy(local.prefer, codecs, sizeof codecs);
    struct sdp theirs = parse(PHONE_OF_ALL);
    sdp_keep_numbers(&local.numbers, &theirs.media[0]);
    ck_assert_int_gt(sdp_write_offer(&local, NULL, text, sizeof text), 0);
    ck_assert_str_eq(parse(text).media[0].formats_raw, "0 8 9 96 101 97");
    /* 101, 107 and 110 are others' here. */
    theirs = parse(HEAD "m=audio 4000 RTP/AVP 101 107 110 8\r\na=rtpmap:101 opus/48000/2\r\na=rtpmap:107 speex/8000\r\n"
                        "a=rtpmap:110 speex/16000\r\n");
    local.numbers = (struct sdp_numbers){0};
    sdp_keep_numbers(&local.numbers, &theirs.media[0]);
    ck_assert_int_gt(sdp_write_offer(&local, NULL, text, sizeof text), 0);
    struct sdp again = parse(text);
    const struct sdp_media *m = &again.media[0];
    ck_assert_uint_eq(m->n_formats, 6);
    ck_assert_uint_eq(m->formats[3].pt, 101);
    for (unsigned i = 4; i < 6; i++)
        ck_assert_msg(m->formats[i].pt >= 96 && m->formats[i].pt != 101 && m->formats[i].pt != 107 &&
                          m->formats[i].pt != 110,
                      "%s", m->formats_raw);
    ck_assert_uint_ne(m->formats[4].pt, m->formats[5].pt);
    /* And all of them. */
    char all[1024], *at = all + sprintf(all, HEAD "m=audio 4000 RTP/AVP");
    for (unsigned pt = 96; pt < 128; pt++)
        at += sprintf(at, " %u", pt);
    sprintf(at, "\r\n");
    theirs = parse(all);
    sdp_keep_numbers(&local.numbers, &theirs.media[0]);
    ck_assert_int_gt(sdp_write_offer(&local, NULL, text, sizeof text), 0);
}
END_TEST

START_TEST(lengths_of_packets)
{
    static const struct {
        unsigned offered, g722, opus;
    } rows[] = {{0, 20, 20}, {10, 10, 10}, {20, 20, 20}, {30, 30, 20}, {40, 40, 40}, {60, 60, 60}, {120, 20, 20}, {5, 20, 20}};
    struct sdp_local local = ours();
    struct sdp_session_params p;
    char offer[512], text[SDP_TEXT_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(offer, sizeof offer,
                 HEAD "m=audio 4000 RTP/AVP 96 9\r\na=rtpmap:96 opus/48000/2\r\na=ptime:%u\r\n", rows[i].offered);
        struct sdp s = parse(offer);
        memset(local.prefer, 0, sizeof local.prefer);
        local.prefer[0] = SDP_G722;
        ck_assert_int_gt(sdp_write_answer(&s, &local, text, sizeof text, &p), 0);
        ck_assert_uint_eq(p.ptime_ms, rows[i].g722);
        local.prefer[0] = SDP_OPUS;
        ck_assert_int_gt(sdp_write_answer(&s, &local, text, sizeof text, &p), 0);
        ck_assert_uint_eq(p.ptime_ms, rows[i].opus);
        ck_assert_uint_eq(parse(text).media[0].ptime_ms, rows[i].opus);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sdp");
    TCase *tc = tcase_create("sdp");
    tcase_add_test(tc, as_many_lines_as_we_read_are_answered);
    tcase_add_test(tc, reads_a_usual_description);
    tcase_add_test(tc, takes_what_is_merely_odd);
    tcase_add_test(tc, reads_addresses);
    tcase_add_test(tc, refuses_with_the_line);
    tcase_add_test(tc, the_line_that_hangs_others_is_harmless);
    tcase_add_test(tc, answers_keep_order_and_numbers);
    tcase_add_test(tc, preference_is_ours);
    tcase_add_test(tc, what_we_cannot_do_is_unsupported);
    tcase_add_test(tc, an_offer_of_nothing_is_answered_likewise);
    tcase_add_test(tc, directions_meet);
    tcase_add_test(tc, profile_and_mux_are_mirrored);
    tcase_add_test(tc, offers_and_takes_answers);
    tcase_add_test(tc, later_offers_keep_the_lines);
    tcase_add_test(tc, ipv6_both_ways);
    tcase_add_loop_test(tc, every_codec_is_agreed, 0, SDP_CODECS);
    tcase_add_test(tc, every_codec_is_offered);
    tcase_add_test(tc, nearly_a_codec);
    tcase_add_test(tc, numbers_stay);
    tcase_add_test(tc, lengths_of_packets);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
