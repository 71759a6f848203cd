/* One party as one steady line of samples: order, loss, silence, new sources, ends, overflow; alone and on a stream. */
#include "telephony/recorder.h"
#include "tests/unit/suite.h"
#include "tests/unit/telephony/media_rig.h"

#define MS 1000u /* of the clock */
#define LOUD 0xAAu
#define FRAME 160u

static struct recorder *rec;
static uint8_t line[400000];
static size_t n_line;
static uint64_t now;

static void begin(uint32_t max_ms, uint32_t silence_ms)
{
    const struct recorder_params p = {.max_ms = max_ms, .silence_ms = silence_ms};
    ck_assert_int_eq(recorder_new(&p, &rec), 0);
    now = 1000000;
    n_line = 0;
}

static void take(void)
{
    n_line += recorder_take(rec, line + n_line, sizeof line - n_line);
}

static void put_from(uint16_t seq, uint32_t ts, uint8_t fill, bool ulaw, bool restart)
{
    uint8_t payload[FRAME];
    memset(payload, fill, sizeof payload);
    const struct recorder_packet p = {
        .payload = payload, .len = sizeof payload, .ulaw = ulaw, .restart = restart, .seq = seq, .ts = ts};
    recorder_put(rec, &p, now);
}

static void put(uint16_t seq, uint8_t fill)
{
    put_from(seq, seq * FRAME, fill, false, false);
}

/* 20 ms pass. */
static bool tick(void)
{
    now += 20 * MS;
    bool over = recorder_tick(rec, now);
    take();
    return over;
}

static void stop(void)
{
    recorder_stop(rec);
    take();
    ck_assert(recorder_over(rec));
}

/* What stands in the i-th frame of the line. */
static uint8_t frame(size_t i)
{
    ck_assert_uint_le((i + 1) * FRAME, n_line);
    for (size_t k = 1; k < FRAME; k++)
        ck_assert_uint_eq(line[i * FRAME + k], line[i * FRAME]);
    return line[i * FRAME];
}

START_TEST(in_order)
{
    begin(0, 0);
    for (uint16_t i = 0; i < 100; i++) {
        put(i, (uint8_t)i);
        ck_assert(!tick());
    }
    stop();
    ck_assert_uint_eq(n_line, 100 * FRAME);
    for (uint16_t i = 0; i < 100; i++)
        ck_assert_uint_eq(frame(i), i);
    ck_assert_int_eq(recorder_ended(rec), RECORDER_STOPPED);
    ck_assert_uint_eq(recorder_lost(rec), 0);
    recorder_unref(rec);
}
END_TEST

/* The stream has gone to a thread that read its clock a moment before the former one did. */
START_TEST(clock_of_another_thread)
{
    begin(0, 0);
    put(0, 7);
    now -= 25 * MS;
    ck_assert(!tick());
    ck_assert_uint_eq(n_line, 0);
    for (uint16_t i = 1; i < 10; i++) {
        put(i, 7);
        ck_assert(!tick());
    }
    stop();
    ck_assert_uint_eq(n_line, 10 * FRAME);
    recorder_unref(rec);
}
END_TEST

/* A packet with an old number and a time stamp of far ahead: neither silence up to there, nor the end of the recording. */
START_TEST(old_number_with_a_later_time)
{
    begin(3600000, 2000);
    for (uint16_t i = 10; i < 60; i++) {
        put(i, LOUD);
        ck_assert(!tick());
        put_from(i - 5, 100000000u, LOUD, false, false);
        put_from(i, (i + 400u) * FRAME, LOUD, false, false);
    }
    stop();
    ck_assert_uint_eq(n_line, 50 * FRAME);
    for (size_t i = 0; i < 50; i++)
        ck_assert_uint_eq(frame(i), LOUD);
    recorder_unref(rec);
}
END_TEST

START_TEST(out_of_order_lost_and_again)
{
    static const uint16_t came[] = {0, 2, 1, 3, 7, 6, 4, 8, 8, 9, 10, 11};
    begin(0, 0);
    for (size_t i = 0; i < sizeof came / sizeof *came; i++) {
        put(came[i], (uint8_t)(came[i] + 1));
        (void)tick();
    }
    stop();
    ck_assert_uint_eq(n_line, 12 * FRAME);
    for (unsigned i = 0; i < 12; i++)
        ck_assert_uint_eq(frame(i), i == 5 ? RECORDER_SILENCE : i + 1); /* 5 was lost */
    recorder_unref(rec);
}
END_TEST

START_TEST(too_late_is_silence)
{
    begin(0, 0);
    put(0, 1);
    for (uint16_t i = 2; i < 40; i++) {
        put(i, 2);
        (void)tick();
    }
    put(1, 9); /* after 0.8 s */
    stop();
    ck_assert_uint_eq(frame(1), RECORDER_SILENCE);
    ck_assert_uint_eq(n_line, 40 * FRAME);
    recorder_unref(rec);
}
END_TEST

/* Nothing comes for a second: the line is as long as the time all the same, whatever the time stamps say afterwards. */
static void pauses(bool stamps_go_on)
{
    begin(0, 0);
    for (uint16_t i = 0; i < 10; i++) {
        put(i, 1);
        (void)tick();
    }
    for (unsigned i = 0; i < 50; i++)
        (void)tick();
    for (uint16_t i = 0; i < 10; i++) {
        put_from((uint16_t)(10 + i), (stamps_go_on ? 60u + i : 10u + i) * FRAME, 2, false, false);
        (void)tick();
    }
    stop();
    ck_assert_uint_ge(n_line, 69 * FRAME);
    ck_assert_uint_le(n_line, 71 * FRAME);
    ck_assert_uint_eq(frame(9), 1);
    ck_assert_uint_eq(frame(30), RECORDER_SILENCE);
    size_t second = 0;
    for (size_t i = 0; i < n_line; i++)
        second += line[i] == 2;
    ck_assert_uint_eq(second, 10 * FRAME);
    recorder_unref(rec);
}

START_TEST(pauses_have_their_length)
{
    pauses(true);
    pauses(false);
}
END_TEST

START_TEST(new_sources_go_on)
{
    begin(0, 0);
    for (uint16_t i = 0; i < 20; i++) {
        put(i, 1);
        (void)tick();
    }
    for (uint16_t i = 0; i < 20; i++) { /* another SSRC: its own numbers */
        put_from((uint16_t)(40000 + i), 0xFFFFFF00u + i * FRAME, 2, false, i == 0);
        (void)tick();
    }
    for (uint16_t i = 0; i < 20; i++) { /* the same one, its time stamps somewhere else */
        put_from((uint16_t)(40020 + i), 77000000u + i * FRAME, 3, false, false);
        (void)tick();
    }
    stop();
    ck_assert_uint_eq(n_line, 60 * FRAME);
    for (unsigned i = 0; i < 60; i++)
        ck_assert_uint_eq(frame(i), i / 20 + 1);
    recorder_unref(rec);
}
END_TEST

START_TEST(mu_law_becomes_a_law)
{
    begin(0, 0);
    put_from(0, 0, 0x80, true, false);
    stop();
    ck_assert_uint_eq(frame(0), g711_ulaw_alaw[0x80]);
    recorder_unref(rec);
}
END_TEST

START_TEST(ends_by_length)
{
    bool over = false;
    begin(1010, 0);
    for (uint16_t i = 0; i < 100 && !over; i++) {
        put(i, LOUD);
        over = tick();
    }
    take();
    ck_assert(over);
    ck_assert_int_eq(recorder_ended(rec), RECORDER_MAX);
    ck_assert_uint_eq(n_line, 1010 * 8);
    put(200, LOUD);
    stop();
    ck_assert_uint_eq(n_line, 1010 * 8);
    ck_assert_int_eq(recorder_ended(rec), RECORDER_MAX);
    recorder_unref(rec);
}
END_TEST

/* Quiet frames, or none at all: both are silence; a sound between begins it anew. */
static void falls_silent(bool packets)
{
    unsigned ticks = 0;
    bool over = false;
    begin(0, 1000);
    for (uint16_t i = 0; i < 300 && !over; i++, ticks++) {
        if (i == 40 || packets)
            put(i, i == 40 ? LOUD : RECORDER_SILENCE);
        over = tick();
    }
    ck_assert(over);
    ck_assert_int_eq(recorder_ended(rec), RECORDER_SILENCE_END);
    ck_assert_uint_ge(ticks, 40 + 50); /* a second after the sound, and what the window holds back */
    ck_assert_uint_le(ticks, 40 + 50 + 16);
    recorder_unref(rec);
}

START_TEST(ends_by_silence)
{
    falls_silent(true);
    falls_silent(false);
}
END_TEST

START_TEST(a_reader_that_sleeps)
{
    begin(0, 0);
    uint16_t i = 0;
    for (; i < 600; i++) { /* 12 s, nobody takes */
        put(i, 1);
        now += 20 * MS;
        (void)recorder_tick(rec, now);
    }
    uint64_t lost = recorder_lost(rec);
    ck_assert_uint_gt(lost, 0);
    take();
    for (; i < 700; i++) {
        put(i, 2);
        (void)tick();
    }
    stop();
    ck_assert_uint_eq(n_line, 700 * FRAME); /* silence stands for what was lost */
    ck_assert_uint_eq(line[n_line - 1], 2);
    size_t silent = 0;
    for (size_t k = 0; k < n_line; k++)
        silent += line[k] == RECORDER_SILENCE;
    ck_assert_uint_eq(silent, lost);
    ck_assert_uint_eq(recorder_lost(rec), lost);
    recorder_unref(rec);
}
END_TEST

/* ---- on a stream */

static struct rig rig;

/* Takes until `n` samples are there. */
static void hear(size_t n)
{
    uint64_t end = clock_mono_now().us + RIG_DEADLINE_MS * 1000u;
    while (n_line < n) {
        ck_assert_msg(clock_mono_now().us < end, "%zu of %zu samples", n_line, n);
        (void)rig_turn(&rig, -1);
        take();
    }
}

static size_t count(uint8_t fill)
{
    size_t n = 0;
    for (size_t i = 0; i < n_line; i++)
        n += line[i] == fill;
    return n;
}

START_TEST(a_stream_is_recorded)
{
    struct phone a;
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMA);
    begin(0, 0);
    ck_assert_int_eq(media_stream_record(a.s, rec), 0);
    rig_settle(&rig);
    for (unsigned i = 0; i < 5; i++)
        phone_talk(&a, 8, 0x11);
    a.ssrc++; /* it begins anew */
    a.seq = 3;
    a.ts = 9;
    for (unsigned i = 0; i < 5; i++)
        phone_talk(&a, 0, 0x22); /* and in the other law */
    hear(4000);
    ck_assert_int_eq(media_stream_record(a.s, NULL), 0);
    rig_settle(&rig);
    take();
    ck_assert(recorder_over(rec));
    ck_assert_uint_eq(count(0x11), 5 * FRAME);
    ck_assert_uint_eq(count(g711_ulaw_alaw[0x22]), 5 * FRAME);
    recorder_unref(rec);
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

START_TEST(a_stream_tells_of_the_end)
{
    struct phone a;
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMA);
    begin(300, 0);
    ck_assert_int_eq(media_stream_record(a.s, rec), 0);
    rig_wait(&rig, a.s, MEDIA_EV_RECORDED, 1);
    take();
    ck_assert_uint_eq(n_line, 300 * 8);
    recorder_unref(rec);

    begin(0, 0); /* closing ends it without a word */
    ck_assert_int_eq(media_stream_record(a.s, rec), 0);
    rig_settle(&rig);
    phone_close(&a);
    uint64_t end = clock_mono_now().us + RIG_DEADLINE_MS * 1000u;
    while (recorder_ended(rec) == RECORDER_RUNS) {
        ck_assert_uint_lt(clock_mono_now().us, end);
        (void)rig_turn(&rig, -1);
    }
    ck_assert_int_eq(recorder_ended(rec), RECORDER_STOPPED);
    ck_assert_uint_eq(rig_count(&rig, a.s, MEDIA_EV_RECORDED), 1);
    recorder_unref(rec);
    rig_stop(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recorder");
    TCase *tc = tcase_create("recorder");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, in_order);
    tcase_add_test(tc, clock_of_another_thread);
    tcase_add_test(tc, old_number_with_a_later_time);
    tcase_add_test(tc, out_of_order_lost_and_again);
    tcase_add_test(tc, too_late_is_silence);
    tcase_add_test(tc, pauses_have_their_length);
    tcase_add_test(tc, new_sources_go_on);
    tcase_add_test(tc, mu_law_becomes_a_law);
    tcase_add_test(tc, ends_by_length);
    tcase_add_test(tc, ends_by_silence);
    tcase_add_test(tc, a_reader_that_sleeps);
    tcase_add_test(tc, a_stream_is_recorded);
    tcase_add_test(tc, a_stream_tells_of_the_end);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
