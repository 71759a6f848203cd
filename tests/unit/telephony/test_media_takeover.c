/* What a call needs that goes on at another node: the same port, addresses that come and go, silence when the lease is over. */
#include "tests/unit/suite.h"
#include "tests/unit/telephony/media_rig.h"

static struct rig rig;

static struct phone taken_over(struct phone *from, struct media_stream *s)
{
    struct phone ph = *from;
    ph.s = s;
    ph.to = rig_addr(AF_INET, media_stream_ip(s), media_stream_port(s));
    return ph;
}

static void until_unused(const char *ip)
{
    uint64_t end = clock_mono_now().us + RIG_DEADLINE_MS * 1000u;
    while (media_engine_users(rig.e, ip)) {
        ck_assert_msg(clock_mono_now().us < end, "the sockets on %s stay open", ip);
        (void)rig_turn(&rig, -1);
    }
}

#define STEP 1500u

/* What the next node gives its stream: numbers ahead, on the same time line, which runs from when `h` was heard. */
static struct media_numbering going_on(const struct heard *h)
{
    return (struct media_numbering){
        .ssrc = h->ssrc,
        .seq = (uint16_t)(h->seq + STEP),
        .ts = h->ts,
        .at_us = h->at_us,
        .cname = 0x0123456789abcdef,
        .goes_on = true,
    };
}

/* The same source, no number that a receiver takes for an old one or for a restart (RFC 3550 A.1), and the time stamp has gone on
 * by the time that has passed, within a packet. */
static void follows(const struct heard *before, const struct heard *after)
{
    uint16_t ahead = (uint16_t)(after->seq - before->seq);
    uint32_t passed = (uint32_t)((after->at_us - before->at_us) * 8u / 1000u);
    ck_assert_uint_eq(after->ssrc, before->ssrc);
    ck_assert_uint_gt(ahead, 0);
    ck_assert_uint_lt(ahead, 3000);
    ck_assert_int_gt((int32_t)(after->ts - before->ts), 0);
    ck_assert_int_le(abs((int32_t)(after->ts - before->ts - passed)), 160);
}

/* Everything on the RTCP socket so far; true when one of them says farewell. */
static bool said_bye(const struct phone *ph)
{
    uint8_t buf[512];
    struct rtcp_report r;
    bool bye = false;
    ssize_t n;
    while ((n = recv(ph->rtcp, buf, sizeof buf, MSG_DONTWAIT)) >= 0)
        bye |= rtcp_parse(buf, (size_t)n, 0, &r) == 0 && r.bye;
    return bye;
}

START_TEST(goes_on_at_its_port)
{
    struct phone a, b;
    struct media_stream *other;
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMA);
    uint16_t port = media_stream_port(a.s);
    media_stream_echo(a.s, true);
    rig_settle(&rig);
    phone_talk(&a, 8, 1);
    struct heard before = phone_hear(&rig, &a);
    struct media_numbering next = going_on(&before);
    struct media_stream_params p = {.ip = "127.0.0.1", .port = port, .numbering = &next};
    ck_assert_int_eq(media_stream_open(rig.e, &p, &other), ERR_BUSY);
    ck_assert(!media_engine_closing(rig.e, "127.0.0.1", port));
    media_stream_forget(a.s);
    ck_assert(media_engine_closing(rig.e, "127.0.0.1", port));
    ck_assert(!media_engine_closing(rig.e, "127.0.0.1", (uint16_t)(port + 2)));
    ck_assert_int_eq(media_stream_open(rig.e, &p, &other), ERR_BUSY);
    until_unused("127.0.0.1");
    ck_assert(!media_engine_closing(rig.e, "127.0.0.1", port));
    ck_assert(!said_bye(&a));
    ck_assert_int_eq(media_stream_open(rig.e, &p, &other), 0);
    ck_assert_uint_eq(media_stream_port(other), port);
    b = taken_over(&a, other);
    struct media_remote m = phone_remote(&b, SDP_PCMA);
    media_stream_set_remote(b.s, &m);
    media_stream_echo(b.s, true);
    rig_settle(&rig);
    phone_talk(&b, 8, 2);
    struct heard after = phone_hear(&rig, &b);
    follows(&before, &after);
    ck_assert_uint_eq(after.seq, next.seq);
    ck_assert(after.marker);
    media_stream_close(b.s);
    until_unused("127.0.0.1");
    ck_assert(said_bye(&b)); /* an end is told, other than a move */
    p.port = 20001;
    ck_assert_int_eq(media_stream_open(rig.e, &p, &other), ERR_INVAL);
    p.port = 19998; /* out of our own range: the former owner's may have been another */
    ck_assert_int_eq(media_stream_open(rig.e, &p, &other), 0);
    media_stream_close(other);
    close(a.rtp);
    close(a.rtcp);
    rig_stop(&rig);
}
END_TEST

/* Opens a stream for this phone that another node has begun. */
static void open_going_on(struct phone *ph, const struct media_numbering *numbering)
{
    memset(ph, 0, sizeof *ph);
    ph->family = AF_INET;
    ph->rtp = rig_socket(AF_INET, "127.0.0.1", &ph->addr);
    ph->rtcp = rig_socket(AF_INET, "127.0.0.1", &ph->rtcp_addr);
    struct media_stream_params p = {.family = AF_INET, .numbering = numbering, .cb = rig_on_event, .ctx = &rig};
    ck_assert_int_eq(media_stream_open(rig.e, &p, &ph->s), 0);
    ph->to = rig_addr(AF_INET, media_stream_ip(ph->s), media_stream_port(ph->s));
    ph->ssrc = 77;
    ph->seq = 100;
    ph->ts = 5000;
    struct media_remote m = phone_remote(ph, SDP_PCMA);
    media_stream_set_remote(ph->s, &m);
    rig_settle(&rig);
}

static struct media_numbering numbers(uint64_t at_us)
{
    return (struct media_numbering){
        .ssrc = 0xabcdef01, .seq = 65500, .ts = 0xfffff000, .at_us = at_us, .cname = 0xfeed, .goes_on = true};
}

/* What is played begins on the time line too, and the numbers wrap. */
START_TEST(plays_on_its_time_line)
{
    struct phone a;
    rig_start(&rig, 1);
    struct media_numbering n = numbers(clock_mono_now().us - 3000000u);
    open_going_on(&a, &n);
    struct media_item tone = {.kind = MEDIA_TONE, .hz1 = 425, .level_dbm0 = -10, .ms = 2000};
    ck_assert_int_eq(media_stream_play(a.s, &tone, 1, 0, NULL), 0);
    struct heard before = {.ssrc = n.ssrc, .seq = (uint16_t)(n.seq - 1), .ts = n.ts, .at_us = n.at_us};
    for (unsigned k = 0; k < 60; k++) {
        struct heard h = phone_hear(&rig, &a);
        if (k == 0)
            follows(&before, &h);
        ck_assert_int_eq(h.marker, k == 0);
        ck_assert_uint_eq(h.ssrc, n.ssrc);
        ck_assert_uint_eq(h.seq, (uint16_t)(n.seq + k));
        before = h;
    }
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

static void send_key(struct phone *ph, bool marker, uint8_t event, bool end, uint16_t dur)
{
    uint8_t p[4] = {event, (uint8_t)(end ? 0x8a : 0x0a), (uint8_t)(dur >> 8), (uint8_t)dur};
    phone_send_as(ph, marker, 101, ph->seq++, ph->ts, p, 4);
}

/* A key that was down while the call changed hands: the other phone had its beginning from the former node, and would take the
 * rest, with another time stamp, for a second key. Keys pressed afterwards go through. */
START_TEST(a_key_in_flight_is_not_relayed_again)
{
    struct phone a, b;
    rig_start(&rig, 1);
    struct media_numbering n = numbers(clock_mono_now().us + 60000000u);
    phone_open(&rig, &a, SDP_PCMA);
    open_going_on(&b, &n);
    ck_assert_int_eq(media_bridge(a.s, b.s), 0);
    rig_settle(&rig);
    send_key(&a, false, 5, false, 1600);
    send_key(&a, false, 5, false, 1760);
    for (unsigned k = 0; k < 3; k++)
        send_key(&a, false, 5, true, 1760);
    a.ts += 1760;
    phone_talk(&a, 8, 3);
    struct heard h = phone_hear(&rig, &b);
    ck_assert_int_eq(h.pt, 8);
    ck_assert_uint_eq(h.seq, n.seq);
    ck_assert_uint_eq(h.ssrc, n.ssrc);
    send_key(&a, true, 6, false, 160);
    h = phone_hear(&rig, &b);
    ck_assert_int_eq(h.pt, 101);
    ck_assert_uint_eq(h.payload[0], 6);
    ck_assert_uint_eq(h.seq, (uint16_t)(n.seq + 1));
    phone_close(&a);
    phone_close(&b);
    rig_stop(&rig);
}
END_TEST

/* A key's end is sent three times: when the first of them was the former node's, the others are not reported again. A key that is
 * still down is, when it is let go, as the former node has not done so. */
START_TEST(an_end_is_not_reported_again)
{
    struct phone a;
    rig_start(&rig, 1);
    struct media_numbering n = numbers(clock_mono_now().us + 60000000u);
    open_going_on(&a, &n);
    send_key(&a, false, 1, true, 1600);
    send_key(&a, false, 1, true, 1600);
    a.ts += 4000;
    send_key(&a, false, 2, false, 1600);
    send_key(&a, false, 2, true, 1760);
    struct rig_event ev = rig_wait(&rig, a.s, MEDIA_EV_DTMF, 1);
    ck_assert_int_eq(ev.ev.digit, '2');
    phone_close(&a);
    rig_stop(&rig);
    ck_assert_uint_eq(rig_count(&rig, a.s, MEDIA_EV_DTMF), 1);
}
END_TEST

static bool lost_seven(const struct media_stats *st)
{
    return st->remote_lost == 7;
}

static void report_lost(struct phone *ph, uint16_t ext_max, int32_t lost)
{
    uint8_t buf[RTCP_BYTES_MAX];
    struct rtcp_report r = {.ssrc = ph->ssrc, .has_block = true};
    r.block = (struct rtcp_block){.ssrc = 0xabcdef01, .ext_max = ext_max, .lost = lost};
    size_t len = rtcp_write(&r, "phone", buf);
    struct sockaddr_storage to = rig_addr(AF_INET, media_stream_ip(ph->s), (uint16_t)(media_stream_port(ph->s) + 1));
    ck_assert_int_eq(sendto(ph->rtcp, buf, len, 0, (struct sockaddr *)&to, rig_addr_len(&to)), (ssize_t)len);
}

/* The report of the first 5 s pairs a wall clock with the time stamp that a packet would have then; numbers left out between the two
 * nodes are not told as lost. */
START_TEST(reports_go_on)
{
    struct phone a;
    rig_start(&rig, 1);
    struct media_numbering n = numbers(clock_mono_now().us);
    open_going_on(&a, &n);
    struct media_item tone = {.kind = MEDIA_TONE, .hz1 = 425, .level_dbm0 = -10, .ms = 0};
    ck_assert_int_eq(media_stream_play(a.s, &tone, 1, 0, NULL), 0);
    struct heard h = phone_hear(&rig, &a);
    report_lost(&a, (uint16_t)(h.seq - 1500), 3); /* of the former node's packets */
    report_lost(&a, h.seq, 1502);
    report_lost(&a, h.seq, 1509);
    (void)rig_wait_stats(&rig, a.s, lost_seven);
    uint8_t buf[512];
    struct rtcp_report r;
    ssize_t len = -1;
    for (uint64_t end = clock_mono_now().us + RIG_DEADLINE_MS * 1000u; len < 0;) {
        ck_assert_uint_lt(clock_mono_now().us, end);
        (void)rig_turn(&rig, a.rtcp);
        len = recv(a.rtcp, buf, sizeof buf, MSG_DONTWAIT);
    }
    ck_assert_int_eq(rtcp_parse(buf, (size_t)len, 0, &r), 0);
    ck_assert(r.is_sender);
    ck_assert_uint_eq(r.ssrc, n.ssrc);
    ck_assert_ptr_nonnull(memmem(buf, (size_t)len, "000000000000feed", 16));
    uint64_t since_us = clock_mono_now().us - n.at_us;
    uint32_t on_line = (uint32_t)(n.ts + since_us * 8u / 1000u);
    ck_assert_int_le(abs((int32_t)(r.rtp_ts - on_line)), 800);
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

static bool all_but_one(void *ctx, const char *ip, uint16_t port)
{
    ck_assert_str_eq(ip, "127.0.0.1");
    return port != *(const uint16_t *)ctx;
}

/* Ports of calls that are still to be carried on here are given to no other. */
START_TEST(passes_over_ports_of_others)
{
    struct media_stream *s, *t;
    uint16_t free_one = 31004;
    rig_start_with(&rig,
                   (struct media_config){.bind_ip = {"127.0.0.1"}, .port_min = 31000, .port_max = 31009, .threads = 1});
    struct media_stream_params p = {.family = AF_INET, .spoken_for = all_but_one, .ctx = &free_one};
    ck_assert_int_eq(media_stream_open(rig.e, &p, &s), 0);
    ck_assert_uint_eq(media_stream_port(s), free_one);
    ck_assert_int_eq(media_stream_open(rig.e, &p, &t), ERR_BUSY);
    p.port = 31000; /* who comes for it gets it */
    ck_assert_int_eq(media_stream_open(rig.e, &p, &t), 0);
    media_stream_close(s);
    media_stream_close(t);
    until_unused("127.0.0.1");
    rig_stop(&rig);
}
END_TEST

/* Streams are opened on an address before it is there; nobody who did not ask for it gets one. */
START_TEST(address_is_expected)
{
    struct media_stream *s, *t;
    rig_start(&rig, 2);
    struct media_stream_params named = {.ip = "192.0.2.77", .port = 30200}, any = {.family = AF_INET},
                               six = {.ip = "2001:db8::77"};
    ck_assert_int_eq(media_stream_open(rig.e, &named, &s), ERR_NOTFOUND);
    ck_assert_int_eq(media_engine_expect_ip(rig.e, "192.0.2.77"), 0);
    ck_assert_int_eq(media_engine_expect_ip(rig.e, "192.0.2.77"), ERR_EXISTS);
    ck_assert_int_eq(media_stream_open(rig.e, &named, &s), 0);
    ck_assert_str_eq(media_stream_ip(s), "192.0.2.77");
    ck_assert_uint_eq(media_stream_port(s), 30200);
    ck_assert_int_eq(media_stream_open(rig.e, &any, &t), 0);
    ck_assert_str_eq(media_stream_ip(t), "127.0.0.1");
    media_stream_close(t);
    ck_assert_int_eq(media_engine_add_ip(rig.e, "192.0.2.77"), ERR_NOTFOUND); /* not yet */
    media_engine_drop_ip(rig.e, "192.0.2.77");
    media_stream_forget(s);
    until_unused("192.0.2.77");
    ck_assert_int_eq(media_engine_expect_ip(rig.e, "2001:db8::77"), 0);
    ck_assert_int_eq(media_stream_open(rig.e, &six, &s), 0);
    media_stream_forget(s);
    media_engine_drop_ip(rig.e, "2001:db8::77");
    until_unused("2001:db8::77");
    ck_assert_int_eq(media_engine_expect_ip(rig.e, "127.0.0.9"), 0); /* one that is there, as far as anybody can tell */
    ck_assert_int_eq(media_engine_add_ip(rig.e, "127.0.0.9"), 0);
    ck_assert_int_eq(media_engine_add_ip(rig.e, "127.0.0.9"), ERR_EXISTS);
    rig_stop(&rig);
}
END_TEST

START_TEST(addresses_come_and_go)
{
    struct media_stream *s, *t;
    struct media_engine_stats st;
    rig_start(&rig, 2);
    media_engine_get_stats(rig.e, &st);
    uint32_t free_before = st.ports_free;
    struct media_stream_params p = {.ip = "127.0.0.9"};
    ck_assert_int_eq(media_stream_open(rig.e, &p, &s), ERR_NOTFOUND);
    ck_assert_int_eq(media_engine_add_ip(rig.e, "nothing"), ERR_INVAL);
    ck_assert_int_eq(media_engine_add_ip(rig.e, "192.0.2.77"), ERR_NOTFOUND);
    ck_assert_int_eq(media_engine_add_ip(rig.e, "127.0.0.1"), ERR_EXISTS);
    for (unsigned round = 0; round < 3u * MEDIA_IPS_MAX; round++) { /* slots are used again */
        ck_assert_int_eq(media_engine_add_ip(rig.e, "127.0.0.9"), 0);
        ck_assert_int_eq(media_stream_open(rig.e, &p, &s), 0);
        ck_assert_str_eq(media_stream_ip(s), "127.0.0.9");
        ck_assert_uint_eq(media_engine_users(rig.e, "127.0.0.9"), 1);
        media_engine_drop_ip(rig.e, "127.0.0.9");
        ck_assert_int_eq(media_stream_open(rig.e, &p, &t), ERR_NOTFOUND);
        media_stream_forget(s);
        until_unused("127.0.0.9");
    }
    struct media_stream_params any = {.family = AF_INET};
    ck_assert_int_eq(media_stream_open(rig.e, &any, &s), 0);
    ck_assert_str_eq(media_stream_ip(s), "127.0.0.1");
    media_stream_close(s);
    until_unused("127.0.0.1");
    media_engine_get_stats(rig.e, &st);
    ck_assert_uint_eq(st.ports_free, free_before);
    rig_stop(&rig);
}
END_TEST

START_TEST(is_silent_when_the_lease_is_over)
{
    struct phone a;
    struct heard h;
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMA);
    media_stream_echo(a.s, true);
    rig_settle(&rig);
    media_engine_lease(rig.e, clock_mono_now().us + 60000000u);
    phone_talk(&a, 8, 1);
    ck_assert_uint_eq(phone_hear(&rig, &a).payload[0], 1);
    media_engine_lease(rig.e, clock_mono_now().us - 1);
    phone_talk(&a, 8, 2);
    struct media_engine_stats st;
    uint64_t end = clock_mono_now().us + RIG_DEADLINE_MS * 1000u;
    do { /* the packet has been taken in */
        ck_assert_uint_lt(clock_mono_now().us, end);
        (void)rig_turn(&rig, -1);
        media_engine_get_stats(rig.e, &st);
    } while (st.packets_in < 2);
    media_engine_lease(rig.e, UINT64_MAX);
    phone_talk(&a, 8, 3);
    h = phone_hear(&rig, &a);
    ck_assert_uint_eq(h.payload[0], 3); /* the one between was never sent */
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("media takeover");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, goes_on_at_its_port);
    tcase_add_test(tc, plays_on_its_time_line);
    tcase_add_test(tc, a_key_in_flight_is_not_relayed_again);
    tcase_add_test(tc, an_end_is_not_reported_again);
    tcase_add_test(tc, reports_go_on);
    tcase_add_test(tc, passes_over_ports_of_others);
    tcase_add_test(tc, address_is_expected);
    tcase_add_test(tc, addresses_come_and_go);
    tcase_add_test(tc, is_silent_when_the_lease_is_over);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
