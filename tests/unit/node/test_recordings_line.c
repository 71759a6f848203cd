/* The samples of both parties in one line: each where it was heard, whoever comes, goes, or is late. */
#include <stdlib.h>
#include <string.h>

#include "node/recordings_int.h"
#include "telephony/g711.h"
#include "telephony/recorder.h"
#include "tests/unit/suite.h"

#define START 1000000ull
#define MS 1000ull
#define LEFT 0x11u
#define RIGHT 0x22u

static struct rec_line l;
static struct recorder *r[2];
static uint16_t seq[2];
static uint64_t now;

static void up(void)
{
    now = START;
    ck_assert_int_eq(rec_line_open(&l, 2, 80000), 0);
}

static void down(void)
{
    rec_line_close(&l);
    for (int i = 0; i < 2; i++) {
        recorder_unref(r[i]);
        r[i] = NULL;
        seq[i] = 0;
    }
}

static void begin(unsigned channel)
{
    recorder_unref(r[channel]);
    r[channel] = NULL;
    ck_assert_int_eq(recorder_new(&(struct recorder_params){0}, &r[channel]), 0);
    ck_assert_int_eq(rec_line_feed(&l, channel, r[channel]), 0);
    seq[channel] = 0;
}

/* So long, in steps of 20 ms, these channels speak. */
static void pass(unsigned ms, bool left, bool right)
{
    const bool speaks[2] = {left, right};
    for (unsigned t = 0; t < ms; t += 20, now += 20 * MS) {
        for (unsigned i = 0; i < 2; i++) {
            uint8_t sound[160];
            memset(sound, i ? RIGHT : LEFT, sizeof sound);
            const struct recorder_packet p = {.payload = sound, .len = 160, .seq = seq[i], .ts = 160u * seq[i]};
            seq[i]++;
            if (r[i] && speaks[i] && recorder_ended(r[i]) == RECORDER_RUNS)
                recorder_put(r[i], &p, now);
            if (r[i])
                (void)recorder_tick(r[i], now);
        }
        rec_line_take(&l);
    }
}

static uint8_t at(unsigned ms, unsigned channel)
{
    return l.buf[(ms * 8u - l.place) * 2 + channel];
}

START_TEST(each_in_its_channel)
{
    rec_line_begin(&l, 0, now);
    begin(0);
    begin(1);
    pass(1000, true, true);
    ck_assert_uint_eq(rec_line_ready(&l, now, false) % REC_CHUNK_SAMPLES, 0);
    ck_assert_uint_ge(rec_line_ready(&l, now, false), REC_CHUNK_SAMPLES * 2);
    ck_assert_uint_eq(at(500, 0), LEFT);
    ck_assert_uint_eq(at(500, 1), RIGHT);
    rec_line_written(&l, REC_CHUNK_SAMPLES * 2);
    ck_assert_uint_eq(l.place, 4000);
    ck_assert_uint_eq(at(600, 0), LEFT);
    ck_assert_uint_eq(at(600, 1), RIGHT);
}
END_TEST

START_TEST(who_comes_later_and_goes)
{
    rec_line_begin(&l, 0, now);
    begin(0);
    pass(1000, true, false);
    begin(1);
    pass(1000, true, true);
    ck_assert_uint_eq(at(900, 0), LEFT);
    ck_assert_uint_eq(at(900, 1), RECORDER_SILENCE);
    ck_assert_uint_eq(at(1500, 1), RIGHT);
    recorder_stop(r[1]);
    rec_line_take(&l);
    ck_assert_uint_eq(l.n_voices, 1);
    pass(1000, true, false);
    ck_assert_uint_eq(at(2300, 0), LEFT);
    ck_assert_uint_eq(at(2300, 1), RECORDER_SILENCE);
    ck_assert_uint_ge(rec_line_ready(&l, now, false), 8u * 2250); /* he who has gone holds nothing up */
    begin(1); /* another one, at the place where the clock is */
    pass(1000, true, true);
    ck_assert_uint_eq(at(2900, 1), RECORDER_SILENCE);
    ck_assert_uint_eq(at(3500, 0), LEFT);
    ck_assert_uint_eq(at(3500, 1), RIGHT);
}
END_TEST

/* 20 ms of each of those that are given, all at the same level. */
static void all_speak(struct recorder *const who[], unsigned n, unsigned ms, int16_t level)
{
    static uint16_t s;
    uint8_t sound[160];
    memset(sound, g711_alaw_encode(level), sizeof sound);
    for (unsigned t = 0; t < ms; t += 20, now += 20 * MS, s++) {
        for (unsigned i = 0; i < n; i++) {
            recorder_put(who[i], &(struct recorder_packet){.payload = sound, .len = 160, .seq = s, .ts = 160u * s}, now);
            (void)recorder_tick(who[i], now);
        }
        rec_line_take(&l);
    }
}

/* Two at once are their sum, three cut off; who goes leaves the others; too many are refused. */
START_TEST(several_in_one_channel)
{
    struct recorder *who[3];
    rec_line_begin(&l, 0, now);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(recorder_new(&(struct recorder_params){0}, &who[i]), 0);
    ck_assert_int_eq(rec_line_feed(&l, 1, who[0]), 0);
    all_speak(who, 1, 500, 12000);
    ck_assert_int_eq(rec_line_feed(&l, 1, who[1]), 0);
    all_speak(who, 2, 500, 12000);
    ck_assert_int_eq(rec_line_feed(&l, 1, who[2]), 0);
    all_speak(who, 3, 500, 12000);
    recorder_stop(who[0]);
    all_speak(who + 1, 2, 500, 12000);
    rec_line_cut(&l, who[1]); /* at once, whatever it has */
    all_speak(who + 1, 2, 500, 12000);
    ck_assert_uint_eq(l.n_voices, 1);
    const int one = g711_alaw_linear[g711_alaw_encode(12000)], two = g711_alaw_linear[g711_alaw_encode((int16_t)(2 * one))];
    ck_assert_int_eq(g711_alaw_linear[at(200, 1)], one);
    ck_assert_int_eq(g711_alaw_linear[at(800, 1)], two);
    ck_assert_int_eq(g711_alaw_linear[at(1300, 1)], g711_alaw_linear[g711_alaw_encode(INT16_MAX)]);
    ck_assert_int_eq(g711_alaw_linear[at(1700, 1)], two);
    ck_assert_int_eq(g711_alaw_linear[at(2200, 1)], one);
    ck_assert_uint_eq(at(800, 0), RECORDER_SILENCE);
    ck_assert_uint_ge(rec_line_ready(&l, now, false), 8u * 2000);
    for (unsigned i = 1; i < REC_VOICES_MAX; i++)
        ck_assert_int_eq(rec_line_feed(&l, 0, who[0]), 0);
    ck_assert_int_eq(rec_line_feed(&l, 0, who[0]), ERR_TOOBIG);
    rec_line_take(&l); /* those are over: nobody is heard there */
    ck_assert_uint_eq(l.n_voices, 1);
    for (unsigned i = 0; i < 3; i++)
        recorder_unref(who[i]);
}
END_TEST

/* Her time stamps run a second ahead of the clock: a colleague who comes is not too late for what is not over yet. */
START_TEST(one_is_ahead_of_the_clock)
{
    struct recorder *who[2];
    uint8_t sound[160];
    rec_line_begin(&l, 0, now);
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(recorder_new(&(struct recorder_params){0}, &who[i]), 0);
    ck_assert_int_eq(rec_line_feed(&l, 1, who[0]), 0);
    memset(sound, RIGHT, sizeof sound);
    for (uint16_t s = 0; s < 100; s++)
        recorder_put(who[0], &(struct recorder_packet){.payload = sound, .len = 160, .seq = s, .ts = 160u * s}, now + s * 10 * MS);
    now += 1000 * MS;
    rec_line_take(&l);
    ck_assert_uint_gt(l.voice[0].at, 8u * 1700);
    size_t n = rec_line_ready(&l, now, false);
    ck_assert_uint_le(n, 8u * 1000);
    ck_assert_uint_ge(n, 8u * 500);
    for (unsigned i = 0; i < 2; i++)
        recorder_unref(who[i]);
}
END_TEST

START_TEST(nobody_is_silence)
{
    rec_line_begin(&l, 0, now);
    ck_assert_uint_eq(rec_line_ready(&l, now + 5000 * MS, false), 0); /* not begun: where would it be? */
    begin(0);
    pass(500, true, false);
    recorder_stop(r[0]);
    rec_line_take(&l);
    now += 2000 * MS;
    ck_assert_uint_ge(rec_line_ready(&l, now, false), 8u * 2000);
    ck_assert_uint_eq(at(1500, 0), RECORDER_SILENCE);
}
END_TEST

START_TEST(the_end)
{
    rec_line_begin(&l, 0, now);
    begin(0);
    begin(1);
    pass(1010, true, true);
    ck_assert(!rec_line_over(&l));
    recorder_stop(r[0]);
    recorder_stop(r[1]);
    rec_line_take(&l);
    ck_assert(rec_line_over(&l));
    size_t n = rec_line_ready(&l, now + 9000 * MS, true); /* what there is, not what the clock says */
    ck_assert_uint_ge(n, 8u * 1000);
    ck_assert_uint_le(n, 8u * 1040);
    rec_line_written(&l, n);
    ck_assert_uint_eq(rec_line_ready(&l, now + 9000 * MS, true), 0);
}
END_TEST

/* Carried on: 10 s ago it began, 7.6 s of it were found. */
START_TEST(carried_on)
{
    rec_line_base(&l, (int64_t)(now - 9900 * MS));
    begin(0);
    begin(1);
    pass(100, true, true);
    rec_line_begin(&l, 8u * 7500, now);
    ck_assert_uint_eq(l.place % REC_CHUNK_SAMPLES, 0);
    ck_assert_uint_eq(l.place, 8u * 9750); /* what nobody has heard before is a gap, not silence */
    pass(600, true, true);
    ck_assert_uint_eq(l.max, 80000); /* 10 s */
    ck_assert_uint_eq(at(9960, 0), LEFT);
    ck_assert_uint_eq(at(9960, 1), RIGHT);
    ck_assert_uint_eq(l.place + rec_line_ready(&l, now, false), 80000); /* it ends there, with less than a chunk */
}
END_TEST

START_TEST(the_disk_stands_still)
{
    rec_line_begin(&l, 0, now);
    begin(0);
    begin(1);
    pass(6000, true, true); /* more than buf holds: the rest waits in the recorders */
    ck_assert_uint_eq(rec_line_ready(&l, now, false), REC_LINE_SAMPLES);
    rec_line_written(&l, REC_LINE_SAMPLES);
    rec_line_take(&l);
    ck_assert_uint_eq(at(5000, 0), LEFT);
    ck_assert_uint_eq(at(5000, 1), RIGHT);
    ck_assert_uint_eq(rec_line_lost(&l), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("recordings_line");
    TCase *t = tcase_create("line");
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, each_in_its_channel);
    tcase_add_test(t, who_comes_later_and_goes);
    tcase_add_test(t, several_in_one_channel);
    tcase_add_test(t, one_is_ahead_of_the_clock);
    tcase_add_test(t, nobody_is_silence);
    tcase_add_test(t, the_end);
    tcase_add_test(t, carried_on);
    tcase_add_test(t, the_disk_stands_still);
    suite_add_tcase(s, t);
    return run_suite(s);
}
