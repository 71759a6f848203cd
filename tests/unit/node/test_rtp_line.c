/* The RTP numbers that a node finds which takes a call over. */
#include "node/rtp_line.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>

#define S 1000000u

static const struct rtp_line line = {
    .ssrc = 1, .cname = 2, .seq = 65000, .ts = 0xffff0000u, .at_us = 50u * S, .per_s = 50, .epoch = 1, .khz = 8};

START_TEST(runs_by_the_clock)
{
    struct rtp_line at = rtp_line_at(&line, 50u * S, 60u * S, 1);
    ck_assert_uint_eq(at.seq, 65500);
    ck_assert_uint_eq(at.ts, (uint32_t)(line.ts + 80000u));
    ck_assert_uint_eq(at.ssrc, 1);
    ck_assert_uint_eq(at.cname, 2);
    /* sound that began later, or has not begun: the time line runs all the same */
    ck_assert_uint_eq(rtp_line_at(&line, 58u * S, 60u * S, 1).seq, 65100);
    ck_assert_uint_eq(rtp_line_at(&line, 0, 60u * S, 1).seq, 65000);
    ck_assert_uint_eq(rtp_line_at(&line, 0, 60u * S, 1).ts, at.ts);
    /* a clock that is behind the one that wrote the line */
    ck_assert_uint_eq(rtp_line_at(&line, 50u * S, 49u * S, 1).seq, 65000);
    ck_assert_uint_eq(rtp_line_at(&line, 50u * S, 49u * S, 1).ts, line.ts);
    /* from where it is written down again it is the same line, over wraps too */
    struct rtp_line far = rtp_line_at(&line, 50u * S, 90000u * S, 1);
    struct rtp_line by_steps = rtp_line_at(&at, 50u * S, 90000u * S, 1);
    ck_assert_uint_eq(far.seq, by_steps.seq);
    ck_assert_uint_eq(far.ts, by_steps.ts);
}
END_TEST

/* As RFC 3550 A.1 looks at it: whatever the former owner has sent within the limit, clocks 5 s apart or together. */
START_TEST(each_owner_is_ahead_of_the_one_before)
{
    for (uint32_t epoch = 1; epoch < 6; epoch++) {
        for (int64_t clock = -5; clock <= 5; clock += 5) {
            struct rtp_line old = rtp_line_at(&line, 50u * S, 100u * S, epoch);
            uint64_t at_us = (uint64_t)((100 + clock) * (int64_t)S);
            struct rtp_line next = rtp_line_at(&line, 50u * S, at_us, epoch + 1);
            struct rtp_line after = rtp_line_at(&line, 50u * S, at_us, epoch + 2); /* the one between sent nothing */
            for (int stray = -RTP_LINE_SEQ_STRAY; stray <= RTP_LINE_SEQ_STRAY; stray += RTP_LINE_SEQ_STRAY) {
                uint16_t sent = (uint16_t)(old.seq + stray), jump = (uint16_t)(next.seq - sent);
                ck_assert(!rtp_line_strays(rtp_line_seq_ahead(&old, sent), RTP_LINE_SEQ_STRAY));
                ck_assert_uint_gt(jump, 100);
                ck_assert_uint_lt(jump, 3000);
                ck_assert_uint_lt((uint16_t)(after.seq - sent), 3000);
            }
            if (clock == 0)
                ck_assert_int_eq(rtp_line_ts_ahead(&old, next.ts), (int32_t)(RTP_LINE_TS_STEP_MS * 8));
        }
    }
}
END_TEST

START_TEST(strays)
{
    struct rtp_line at = rtp_line_at(&line, 50u * S, 70u * S, 1); /* 66000: wrapped */
    ck_assert_uint_eq(at.seq, 464);
    ck_assert_int_eq(rtp_line_seq_ahead(&at, 465), 1);
    ck_assert_int_eq(rtp_line_seq_ahead(&at, 65000), -1000);
    ck_assert(rtp_line_strays(rtp_line_seq_ahead(&at, 65000), RTP_LINE_SEQ_STRAY));
    ck_assert(rtp_line_strays(rtp_line_seq_ahead(&at, 464 + 601), RTP_LINE_SEQ_STRAY));
    ck_assert(!rtp_line_strays(rtp_line_seq_ahead(&at, 464 + 600), RTP_LINE_SEQ_STRAY));
    ck_assert_int_eq(rtp_line_ts_ahead(&at, at.ts - 5), -5);
}
END_TEST

START_TEST(begins_unpredictably)
{
    struct rtp_line a, b;
    for (unsigned k = 0; k < 50; k++) {
        ck_assert_int_eq(rtp_line_begin(&a, 7, 3), 0);
        ck_assert_int_eq(rtp_line_begin(&b, 7, 3), 0);
        ck_assert_uint_lt(a.seq, 0x8000);
        ck_assert(a.ssrc != b.ssrc || a.ts != b.ts);
        ck_assert_uint_ne(a.cname, b.cname);
        ck_assert_uint_eq(a.per_s, RTP_LINE_PER_S);
        ck_assert_uint_eq(a.epoch, 3);
        ck_assert_uint_eq(a.at_us, 7);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rtp line");
    TCase *tc = tcase_create("all");
    tcase_add_test(tc, runs_by_the_clock);
    tcase_add_test(tc, each_owner_is_ahead_of_the_one_before);
    tcase_add_test(tc, strays);
    tcase_add_test(tc, begins_unpredictably);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
