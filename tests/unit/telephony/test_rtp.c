/* RTP and RTCP codecs and the receiver's books, without sockets. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/rtcp.h"
#include "telephony/rtp.h"
#include "tests/unit/suite.h"

static enum rtp_seen book(struct rtp_receiver *r, uint32_t ssrc, uint16_t seq, uint32_t ts, uint32_t arrival)
{
    struct rtp_packet p = {.seq = seq, .ts = ts, .ssrc = ssrc};
    return rtp_receiver_packet(r, &p, arrival, true);
}

START_TEST(header_there_and_back)
{
    uint8_t buf[20] = {0};
    struct rtp_packet p;
    rtp_write(buf, true, 101, 0xFEDC, 0x12345678, 0x9ABCDEF0);
    ck_assert_int_eq(rtp_parse(buf, sizeof buf, &p), 0);
    ck_assert(p.marker);
    ck_assert_uint_eq(p.pt, 101);
    ck_assert_uint_eq(p.seq, 0xFEDC);
    ck_assert_uint_eq(p.ts, 0x12345678);
    ck_assert_uint_eq(p.ssrc, 0x9ABCDEF0);
    ck_assert_ptr_eq(p.payload, buf + 12);
    ck_assert_uint_eq(p.len, 8);
}
END_TEST

START_TEST(cut_packets_are_refused)
{
    uint8_t buf[64] = {0};
    struct rtp_packet p;
    rtp_write(buf, false, 0, 1, 1, 1);
    for (size_t n = 0; n < 12; n++)
        ck_assert_int_eq(rtp_parse(buf, n, &p), ERR_INVAL);
    ck_assert_int_eq(rtp_parse(buf, 12, &p), 0);
    ck_assert_uint_eq(p.len, 0);
    for (unsigned version = 0; version < 4; version++) {
        buf[0] = (uint8_t)(version << 6);
        ck_assert_int_eq(rtp_parse(buf, sizeof buf, &p), version == 2 ? 0 : ERR_INVAL);
    }
    buf[0] = 0x80 | 3; /* three CSRCs */
    ck_assert_int_eq(rtp_parse(buf, 23, &p), ERR_INVAL);
    ck_assert_int_eq(rtp_parse(buf, 24, &p), 0);
    buf[0] = 0x90;
    buf[15] = 4; /* extension of four words */
    ck_assert_int_eq(rtp_parse(buf, 15, &p), ERR_INVAL);
    ck_assert_int_eq(rtp_parse(buf, 31, &p), ERR_INVAL);
    ck_assert_int_eq(rtp_parse(buf, 33, &p), 0);
    ck_assert_uint_eq(p.len, 1);
    buf[0] = 0xA0;
    buf[39] = 29; /* more padding than payload */
    ck_assert_int_eq(rtp_parse(buf, 40, &p), ERR_INVAL);
    buf[39] = 28;
    ck_assert_int_eq(rtp_parse(buf, 40, &p), 0);
    ck_assert_uint_eq(p.len, 0);
}
END_TEST

START_TEST(counts_loss_over_wraps_and_sources)
{
    struct rtp_receiver r = {0};
    ck_assert_int_eq(book(&r, 1, 65530, 0, 0), RTP_SEEN_RESTART);
    for (unsigned k = 1; k < 20; k++) {
        if (k == 4 || k == 5 || k == 12)
            continue;
        ck_assert_int_eq(book(&r, 1, (uint16_t)(65530 + k), k * 160, k * 160), RTP_SEEN_NEXT);
    }
    ck_assert_uint_eq(rtp_receiver_lost(&r), 3);
    ck_assert_uint_eq(rtp_receiver_ext_max(&r), 65530u + 19);
    ck_assert_uint_eq(rtp_receiver_fraction(&r), 3 * 256 / 20);
    ck_assert_uint_eq(rtp_receiver_fraction(&r), 0);
    ck_assert_int_eq(book(&r, 1, (uint16_t)(65530 + 12), 0, 0), RTP_SEEN_LATE); /* late is not lost */
    ck_assert_uint_eq(rtp_receiver_lost(&r), 2);
    ck_assert_int_eq(book(&r, 1, (uint16_t)(65530 + 12), 0, 0), RTP_SEEN_AGAIN);
    ck_assert_int_eq(book(&r, 1, (uint16_t)(65530 + 19), 0, 0), RTP_SEEN_AGAIN);
    ck_assert_uint_eq(rtp_receiver_lost(&r), 2);
    ck_assert_int_eq(book(&r, 2, 100, 0, 0), RTP_SEEN_RESTART);
    ck_assert_int_eq(book(&r, 2, 102, 0, 0), RTP_SEEN_NEXT);
    ck_assert_uint_eq(rtp_receiver_lost(&r), 3); /* the old source's stay */
    ck_assert_int_eq(book(&r, 2, 30000, 0, 0), RTP_SEEN_JUMP);
    ck_assert_int_eq(book(&r, 2, 103, 0, 0), RTP_SEEN_NEXT);
    ck_assert_int_eq(book(&r, 2, 40000, 0, 0), RTP_SEEN_JUMP);
    ck_assert_int_eq(book(&r, 2, 40001, 0, 0), RTP_SEEN_RESTART);
    ck_assert_uint_eq(rtp_receiver_lost(&r), 3);
}
END_TEST

START_TEST(jitter_as_in_the_appendix)
{
    struct rtp_receiver r = {0};
    double j = 0;
    uint32_t arrival = 1000;
    for (unsigned k = 0; k < 500; k++) {
        int wobble = k % 2 ? 80 : 0; /* 10 ms */
        (void)book(&r, 1, (uint16_t)k, k * 160, arrival + k * 160 + (unsigned)wobble);
        if (k > 0)
            j += (80 - j) / 16;
    }
    ck_assert_double_le(abs((int)(r.jitter_q4 >> 4) - (int)j), 2);
    /* A sender whose clock jumps is not jitter. */
    uint32_t before = r.jitter_q4;
    (void)book(&r, 1, 500, 77777777, arrival + 500 * 160);
    ck_assert_uint_eq(r.jitter_q4, before);
}
END_TEST

START_TEST(reports_there_and_back)
{
    struct rtcp_report r = {
        .ssrc = 0x11223344,
        .is_sender = true,
        .ntp = 0x8899AABBCCDDEEFFu,
        .rtp_ts = 5,
        .packets = 6,
        .octets = 7,
        .has_block = true,
        .block = {.ssrc = 0x55667788, .fraction = 9, .lost = -10, .ext_max = 11, .jitter = 12, .lsr = 13, .dlsr = 14},
        .bye = true};
    struct rtcp_report got;
    uint8_t out[RTCP_BYTES_MAX];
    static const char *const names[] = {
        "", "a", "ab", "abc", "abcd", "0123456789012345678901234567890123456789012345678901234567890123456789"};
    for (unsigned k = 0; k < sizeof names / sizeof *names; k++) {
        size_t n = rtcp_write(&r, names[k], out);
        ck_assert_uint_le(n, sizeof out);
        ck_assert_uint_eq(n % 4, 0);
        ck_assert_int_eq(rtcp_parse(out, n, 0x55667788, &got), 0);
        ck_assert_uint_eq(got.ssrc, r.ssrc);
        ck_assert(got.is_sender && got.bye && got.has_block);
        ck_assert_uint_eq(got.ntp, r.ntp);
        ck_assert_uint_eq(got.rtp_ts, 5);
        ck_assert_uint_eq(got.packets, 6);
        ck_assert_uint_eq(got.octets, 7);
        ck_assert_uint_eq(got.block.fraction, 9);
        ck_assert_int_eq(got.block.lost, -10);
        ck_assert_uint_eq(got.block.ext_max, 11);
        ck_assert_uint_eq(got.block.jitter, 12);
        ck_assert_uint_eq(got.block.lsr, 13);
        ck_assert_uint_eq(got.block.dlsr, 14);
        ck_assert_int_eq(rtcp_parse(out, n, 0x99, &got), 0);
        ck_assert(!got.has_block);             /* about somebody else */
        for (size_t cut = 0; cut < n; cut++) { /* any cut is refused or seen as a shorter compound packet */
            int rc = rtcp_parse(out, cut, 0x55667788, &got);
            ck_assert(rc == 0 || rc == ERR_INVAL);
            ck_assert(rc != 0 || cut % 4 == 0);
        }
    }
    r.is_sender = r.has_block = r.bye = false;
    size_t n = rtcp_write(&r, "x", out);
    ck_assert_int_eq(rtcp_parse(out, n, 1, &got), 0);
    ck_assert(!got.is_sender && !got.has_block && !got.bye);
    ck_assert_uint_eq(got.ssrc, r.ssrc);
    r.has_block = true;
    r.block.lost = 0x7fffffff; /* does not fit 24 bits: as much as does */
    n = rtcp_write(&r, "x", out);
    ck_assert_int_eq(rtcp_parse(out, n, 0x55667788, &got), 0);
    ck_assert_int_eq(got.block.lost, 0x7fffff);
}
END_TEST

START_TEST(broken_reports_are_refused)
{
    struct rtcp_report got = {.ssrc = 42};
    static const struct {
        uint8_t bytes[12];
        size_t n;
    } bad[] = {
        {{0}, 0},
        {{0x80, 200, 0, 1}, 4},
        {{0x40, 200, 0, 1, 0, 0, 0, 0}, 8},              /* version 1 */
        {{0x80, 100, 0, 1, 0, 0, 0, 0}, 8},              /* not RTCP */
        {{0x80, 200, 0, 1, 0, 0, 0, 0}, 8},              /* SR without its sender part */
        {{0x80, 201, 0, 0, 0x80, 201, 0, 0}, 8},         /* RR without a sender */
        {{0x80, 201, 0, 9, 0, 0, 0, 0}, 8},              /* longer than the datagram */
        {{0x80, 201, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 12}, /* rubbish behind it */
        {{0x80, 201, 0, 1, 0, 0, 0, 0, 0}, 9},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        ck_assert_int_eq(rtcp_parse(bad[k].bytes, bad[k].n, 1, &got), ERR_INVAL);
    ck_assert_uint_eq(got.ssrc, 42);
    /* More blocks announced than there are. */
    uint8_t few[8] = {0x9f, 201, 0, 1, 0, 0, 0, 9};
    ck_assert_int_eq(rtcp_parse(few, 8, 1, &got), 0);
    ck_assert_uint_eq(got.ssrc, 9);
    ck_assert(!got.has_block);
}
END_TEST

START_TEST(ntp_time)
{
    ck_assert_uint_eq(rtcp_ntp(0), (uint64_t)2208988800u << 32);
    ck_assert_uint_eq(rtcp_ntp(1500000), ((uint64_t)2208988801u << 32) + 0x80000000u);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rtp");
    TCase *tc = tcase_create("rtp");
    tcase_add_test(tc, header_there_and_back);
    tcase_add_test(tc, cut_packets_are_refused);
    tcase_add_test(tc, counts_loss_over_wraps_and_sources);
    tcase_add_test(tc, jitter_as_in_the_appendix);
    tcase_add_test(tc, reports_there_and_back);
    tcase_add_test(tc, broken_reports_are_refused);
    tcase_add_test(tc, ntp_time);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
