/* Quality: what the engine reports and what it learns from reports. */
#include "tests/unit/suite.h"
#include "tests/unit/telephony/media_rig.h"

static struct rig rig;

/* Waits for the next report on this socket. */
static struct rtcp_report hear_report(struct phone *ph, int fd, uint32_t about)
{
    uint64_t end = clock_mono_now().us + RIG_DEADLINE_MS * 1000u;
    uint8_t buf[1500];
    struct rtcp_report r;
    for (;;) {
        ck_assert_msg(clock_mono_now().us < end, "no report comes");
        ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
        if (n < 0) {
            (void)rig_turn(&rig, fd);
            continue;
        }
        if (fd == ph->rtp && !rtp_looks_like_rtcp(buf, (size_t)n))
            continue;
        ck_assert_int_eq(rtcp_parse(buf, (size_t)n, about, &r), 0);
        return r;
    }
}

static void send_report(int fd, uint16_t port, const struct rtcp_report *r)
{
    uint8_t out[RTCP_BYTES_MAX];
    struct sockaddr_storage to = rig_addr(AF_INET, "127.0.0.1", port);
    size_t n = rtcp_write(r, "telephone", out);
    ck_assert_int_eq(sendto(fd, out, n, 0, (struct sockaddr *)&to, rig_addr_len(&to)), (ssize_t)n);
}

static bool has_round_trip(const struct media_stats *st)
{
    return st->rtt_us > 0;
}

START_TEST(reports_what_it_hears_and_says)
{
    struct phone a, b;
    bool mux = _i;
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMU);
    phone_open(&rig, &b, SDP_PCMU);
    struct media_remote m = phone_remote(&a, SDP_PCMU);
    m.sdp.rtcp_mux = mux;
    if (mux)
        m.sdp.remote_rtcp = m.sdp.remote;
    media_stream_set_remote(a.s, &m);
    ck_assert_int_eq(media_bridge(a.s, b.s), 0);
    rig_settle(&rig);
    uint32_t ssrc = 0;
    uint32_t base = 0;
    for (unsigned k = 0; k < 40; k++) { /* four of forty are lost on their way to us */
        if (k == 10 || k == 11 || k == 20 || k == 30) {
            a.seq++;
            a.ts += 160;
        } else {
            phone_talk(&a, 0, 1);
            (void)phone_hear(&rig, &b);
        }
        phone_talk(&b, 0, 2);
        struct heard h = phone_hear(&rig, &a);
        ssrc = h.ssrc;
        base = h.ts;
    }
    int fd = mux ? a.rtp : a.rtcp;
    struct rtcp_report r = hear_report(&a, fd, a.ssrc);
    ck_assert(r.is_sender);
    ck_assert_uint_eq(r.ssrc, ssrc);
    ck_assert_uint_eq(r.packets, 40);
    ck_assert_uint_eq(r.octets, 40 * 160);
    ck_assert_int_ge((int32_t)(r.rtp_ts - base), 0);
    ck_assert_int_lt((int32_t)(r.rtp_ts - base), 8 * RIG_DEADLINE_MS);
    ck_assert(r.has_block);
    ck_assert_int_eq(r.block.lost, 4);
    ck_assert_uint_eq(r.block.fraction, 4 * 256 / 40);
    ck_assert_uint_eq(r.block.ext_max & 0xffff, (uint16_t)(a.seq - 1));
    ck_assert_uint_eq(r.block.lsr, 0);
    uint64_t now = rtcp_ntp(clock_wall_now().us);
    ck_assert_uint_lt((now - r.ntp) >> 32, 10);

    /* Our report back: loss, jitter, and a round trip that took 30 ms beside what we say we held it. */
    struct rtcp_report back = {.ssrc = a.ssrc, .is_sender = true, .ntp = 0x1234567800000000u, .has_block = true};
    back.block = (struct rtcp_block){.ssrc = ssrc, .lost = 7, .jitter = 80, .lsr = (uint32_t)(r.ntp >> 16)};
    uint32_t held = (uint32_t)(rtcp_ntp(clock_wall_now().us) >> 16) - back.block.lsr;
    const uint32_t ms30 = 30 * 65536 / 1000;
    if (held > ms30)
        back.block.dlsr = held - ms30;
    send_report(fd, (uint16_t)(media_stream_port(a.s) + (mux ? 0 : 1)), &back);
    struct media_stats st = rig_wait_stats(&rig, a.s, has_round_trip);
    ck_assert_uint_eq(st.remote_lost, 7);
    ck_assert_uint_eq(st.remote_jitter_us, 10000);
    ck_assert_uint_lt(st.rtt_us, 2000000);
    if (held > ms30)
        ck_assert_uint_ge(st.rtt_us, 29000);
    ck_assert_uint_eq(st.rx_lost, 4);
    ck_assert_uint_eq(st.rx_packets, 36);
    ck_assert_uint_eq(st.tx_packets, 40);
    ck_assert_uint_eq(st.tx_bytes, 40 * 172);
    ck_assert_uint_gt(st.first_rx_us, 0);
    ck_assert_uint_ge(st.last_rx_us, st.first_rx_us);
    /* The next one tells when the last of theirs came. */
    r = hear_report(&a, fd, a.ssrc);
    ck_assert_uint_eq(r.block.lsr, 0x56780000);
    ck_assert_uint_lt(r.block.dlsr, 10 * 65536);
    ck_assert_uint_eq(r.block.fraction, 0);
    media_stream_close(a.s);
    r = hear_report(&a, fd, a.ssrc); /* farewell */
    ck_assert(r.bye);
    close(a.rtp);
    close(a.rtcp);
    phone_close(&b);
    rig_stop(&rig);
}
END_TEST

START_TEST(who_only_listens_sends_receiver_reports)
{
    struct phone a;
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMU);
    phone_talk(&a, 0, 1);
    struct rtcp_report r = hear_report(&a, a.rtcp, a.ssrc);
    ck_assert(!r.is_sender);
    ck_assert(r.has_block);
    ck_assert_uint_eq(r.block.ssrc, a.ssrc);
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

static bool jitter_seen(const struct media_stats *st)
{
    return st->rx_packets >= 40 && st->jitter_us > 0;
}

START_TEST(jitter_and_lateness_are_told)
{
    struct phone a;
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMU);
    /* 40 packets at once: each comes 20 ms too early, so jitter climbs towards 20 ms. */
    for (unsigned k = 0; k < 40; k++)
        phone_talk(&a, 0, 1);
    struct media_stats st = rig_wait_stats(&rig, a.s, jitter_seen);
    ck_assert_uint_ge(st.jitter_us, 15000);
    ck_assert_uint_le(st.jitter_us, 20500);
    ck_assert_uint_eq(st.rx_lost, 0);
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

static bool late_seen(const struct media_stats *st)
{
    return st->rx_packets == 4;
}

START_TEST(late_and_repeated_packets_are_counted)
{
    struct phone a;
    uint8_t payload[160] = {1};
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMU);
    phone_send_as(&a, false, 0, 10, 1600, payload, 160);
    phone_send_as(&a, false, 0, 12, 1920, payload, 160);
    phone_send_as(&a, false, 0, 11, 1760, payload, 160);
    phone_send_as(&a, false, 0, 11, 1760, payload, 160);
    struct media_stats st = rig_wait_stats(&rig, a.s, late_seen);
    ck_assert_uint_eq(st.rx_late, 1);
    ck_assert_uint_eq(st.rx_discarded, 1);
    ck_assert_uint_eq(st.rx_lost, 0);
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

START_TEST(broken_reports_do_no_harm)
{
    struct phone a;
    struct media_engine_stats st;
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMU);
    struct sockaddr_storage to = rig_addr(AF_INET, "127.0.0.1", (uint16_t)(media_stream_port(a.s) + 1));
    uint8_t junk[64] = {0x81, 200, 0, 200};
    for (size_t n = 0; n < sizeof junk; n++)
        ck_assert_int_eq(sendto(a.rtcp, junk, n, 0, (struct sockaddr *)&to, rig_addr_len(&to)), (ssize_t)n);
    int stranger = socket(AF_INET, SOCK_DGRAM, 0); /* from another host, well-formed */
    struct sockaddr_storage from = rig_addr(AF_INET, "127.0.0.8", 0);
    ck_assert_int_eq(bind(stranger, (struct sockaddr *)&from, rig_addr_len(&from)), 0);
    struct rtcp_report r = {.ssrc = 1};
    send_report(stranger, (uint16_t)(media_stream_port(a.s) + 1), &r);
    uint64_t end = clock_mono_now().us + 5000000;
    do {
        ck_assert_uint_lt(clock_mono_now().us, end);
        (void)rig_turn(&rig, -1);
        media_engine_get_stats(rig.e, &st);
    } while (st.packets_noise < 65);
    ck_assert_uint_eq(st.packets_noise, 65);
    close(stranger);
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("media_rtcp");
    TCase *tc = tcase_create("quality");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, reports_what_it_hears_and_says, 0, 2);
    tcase_add_test(tc, who_only_listens_sends_receiver_reports);
    tcase_add_test(tc, jitter_and_lateness_are_told);
    tcase_add_test(tc, late_and_repeated_packets_are_counted);
    tcase_add_test(tc, broken_reports_do_no_harm);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
