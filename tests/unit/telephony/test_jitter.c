/* The jitter buffer in virtual time: a sender, a network that delays, loses, doubles and reorders, and a player that asks each 20 ms. */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/jitter.h"
#include "tests/unit/suite.h"

#define MS UINT64_C(1000)
#define START_US UINT64_C(5000000000)

static uint64_t rng;

static uint32_t chance(uint32_t n)
{
    rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return n ? (uint32_t)(rng >> 33) % n : 0;
}

/* ---- by hand: one packet, one pull */

enum { HZ = 8000, FRAME = 160 };

static struct jitter *buffer(uint32_t min_ms, uint32_t max_ms)
{
    struct jitter *j = NULL;
    struct jitter_config cfg = {.clock_hz = HZ, .min_ms = min_ms, .max_ms = max_ms, .payload_max = 480};
    ck_assert_int_eq(jitter_new(&cfg, &j), 0);
    return j;
}

/* The payload of packet n tells n. */
static enum jitter_put put_as(struct jitter *j, unsigned n, uint32_t ssrc, uint16_t seq, uint32_t ts, uint32_t duration,
                              uint64_t ms)
{
    uint8_t payload[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)};
    struct jitter_packet p = {
        .ssrc = ssrc, .seq = seq, .ts = ts, .duration = duration, .payload = payload, .len = sizeof payload};
    return jitter_put(j, &p, START_US + ms * MS);
}

static enum jitter_put put(struct jitter *j, unsigned n, uint64_t ms)
{
    return put_as(j, n, 7, (uint16_t)(65530 + n), UINT32_MAX - 500 + n * FRAME, FRAME, ms);
}

static unsigned told(const struct jitter_item *it)
{
    must_hold(it->len == 4);
    return it->payload[0] | (unsigned)it->payload[1] << 8 | (unsigned)it->payload[2] << 16 |
           (unsigned)it->payload[3] << 24;
}

/* What is given at that time: the number of a packet, or one of these. */
enum { SILENT = -1, MISSING = -2 };

static int pull(struct jitter *j, uint64_t ms)
{
    struct jitter_item it;
    jitter_pull(j, START_US + ms * MS, &it);
    must_hold(it.duration > 0);
    if (it.kind == JITTER_PACKET)
        return (int)told(&it);
    must_hold(it.duration <= FRAME);
    return it.kind == JITTER_MISSING ? MISSING : SILENT;
}

static struct jitter_stats stats_of(const struct jitter *j)
{
    struct jitter_stats st;
    jitter_get_stats(j, &st);
    return st;
}

/* In step: packet n comes at n * 20 ms, the tick of that time gives packet n - 1 (20 ms is the least delay). */
static void run(struct jitter *j, unsigned from, unsigned to)
{
    for (unsigned n = from; n < to; n++) {
        ck_assert_int_eq(put(j, n, n * 20), JITTER_KEPT);
        ck_assert_int_eq(pull(j, n * 20), n ? (int)n - 1 : SILENT);
    }
}

/* Number and time stamp go round soon after the beginning. */
START_TEST(in_step_over_wraps)
{
    struct jitter *j = buffer(20, 200);
    ck_assert_int_eq(pull(j, 0), SILENT);
    run(j, 0, 1000);
    struct jitter_stats st = stats_of(j);
    ck_assert_uint_eq(st.packets, 1000);
    ck_assert_uint_eq(st.late + st.again + st.noise + st.dropped + st.lost + st.missing_ms + st.restarts, 0);
    ck_assert_uint_eq(st.delay_ms, 20);
    ck_assert_uint_eq(st.delay_max_ms, 20);
    ck_assert_uint_eq(st.target_ms, 20);
    jitter_free(j);
}
END_TEST

START_TEST(order_and_duplicates)
{
    struct jitter *j = buffer(60, 200);
    static const unsigned came[] = {1, 0, 2, 2, 4, 3, 5, 0};
    for (unsigned i = 0; i < sizeof came / sizeof came[0]; i++)
        ck_assert_int_eq(put(j, came[i], 0), i == 3 || i == 7 ? JITTER_AGAIN : JITTER_KEPT);
    int last = -1;
    for (unsigned tick = 0; tick < 20 && last < 5; tick++) {
        int got = pull(j, 20 * tick);
        if (got >= 0)
            ck_assert_int_eq(got, ++last);
    }
    ck_assert_int_eq(last, 5);
    ck_assert_int_eq(put(j, 3, 500), JITTER_AGAIN);
    ck_assert_uint_eq(stats_of(j).again, 3);
    jitter_free(j);
}
END_TEST

/* A packet that was lost costs one concealed frame, and no delay stays behind. */
START_TEST(one_lost)
{
    struct jitter *j = buffer(20, 200);
    run(j, 0, 10);
    ck_assert_int_eq(pull(j, 200), 9);
    ck_assert_int_eq(put(j, 11, 220), JITTER_KEPT);
    struct jitter_item it;
    jitter_pull(j, START_US + 220 * MS, &it);
    ck_assert_int_eq(it.kind, JITTER_MISSING);
    ck_assert_uint_eq(it.duration, FRAME);
    ck_assert_ptr_nonnull(it.payload); /* the one after it is there */
    ck_assert_uint_eq(told(&it), 11);
    for (unsigned n = 12; n < 40; n++) {
        ck_assert_int_eq(put(j, n, n * 20), JITTER_KEPT);
        ck_assert_int_eq(pull(j, n * 20), (int)n - 1);
    }
    ck_assert_int_eq(put(j, 10, 801), JITTER_LATE);
    struct jitter_stats st = stats_of(j);
    ck_assert_uint_eq(st.lost, 1);
    ck_assert_uint_eq(st.lost_runs, 1);
    ck_assert_uint_eq(st.late, 1);
    ck_assert_uint_eq(st.missing_ms, 20);
    jitter_free(j);
}
END_TEST

/* The buffer ran empty at a packet that was lost: what was concealed while it was waited for is the gap's, no delay stays behind. */
START_TEST(waited_for_in_vain)
{
    struct jitter *j = buffer(20, 200);
    run(j, 0, 10);
    ck_assert_int_eq(pull(j, 200), 9);
    ck_assert_int_eq(pull(j, 220), MISSING);
    ck_assert_int_eq(put(j, 11, 221), JITTER_KEPT);
    ck_assert_int_eq(put(j, 12, 240), JITTER_KEPT);
    ck_assert_int_eq(pull(j, 240), 11);
    ck_assert_int_eq(pull(j, 260), 12);
    ck_assert_uint_eq(stats_of(j).lost, 1);
    ck_assert_uint_eq(stats_of(j).missing_ms, 20);
    ck_assert_uint_eq(stats_of(j).delay_ms, 20);
    jitter_free(j);
}
END_TEST

/* One comes later than any before, while others are there: the delay rises at once, and the next one that is so late is in time. */
START_TEST(later_than_any_before)
{
    struct jitter *j = buffer(20, 200);
    run(j, 0, 10);
    ck_assert_int_eq(pull(j, 200), 9);
    static const int want[] = {MISSING, 11, MISSING, 12, MISSING, 13, 14};
    for (unsigned n = 11; n < 18; n++) {
        ck_assert_int_eq(put(j, n, n * 20), JITTER_KEPT);
        if (n == 13)
            ck_assert_int_eq(put(j, 10, 245), JITTER_LATE);
        ck_assert_int_eq(pull(j, n * 20), want[n - 11]);
    }
    for (unsigned n = 18; n < 40; n++) {
        if (n != 30)
            ck_assert_int_eq(put(j, n, n * 20), JITTER_KEPT);
        if (n == 32)
            ck_assert_int_eq(put(j, 30, 640), JITTER_KEPT);
        ck_assert_int_eq(pull(j, n * 20), (int)n - 3);
    }
    ck_assert_uint_eq(stats_of(j).lost, 1);
    ck_assert_uint_eq(stats_of(j).target_ms, 45);
    jitter_free(j);
}
END_TEST

/* A buffer that ran empty waits: what came late is played, only later; and the delay is learnt. */
START_TEST(late_is_not_lost)
{
    struct jitter *j = buffer(20, 200);
    run(j, 0, 10);
    ck_assert_int_eq(pull(j, 200), 9);
    ck_assert_int_eq(pull(j, 220), MISSING);
    ck_assert_int_eq(pull(j, 240), MISSING);
    for (unsigned n = 10; n < 13; n++)
        ck_assert_int_eq(put(j, n, 250), JITTER_KEPT);
    ck_assert_int_eq(pull(j, 260), 10);
    for (unsigned n = 13; n < 60; n++) {
        ck_assert_int_eq(put(j, n, n * 20), JITTER_KEPT);
        int got = pull(j, n * 20 + 20);
        ck_assert_int_eq(got, (int)n - 2);
    }
    struct jitter_stats st = stats_of(j);
    ck_assert_uint_eq(st.lost, 0);
    ck_assert_uint_eq(st.missing_ms, 40);
    ck_assert_uint_eq(st.target_ms, 50);
    jitter_free(j);
}
END_TEST

START_TEST(silence_that_is_not_sent)
{
    struct jitter *j = buffer(20, 200);
    run(j, 0, 10);
    ck_assert_int_eq(pull(j, 200), 9);
    uint64_t missing = 0, silent = 0, ms = 220;
    for (; ms < 2000; ms += 20) { /* it cannot be told from a delay at first */
        int got = pull(j, ms);
        missing += got == MISSING;
        silent += got == SILENT;
    }
    ck_assert_uint_le(missing, 10);
    ck_assert_uint_eq(missing + silent, 89);
    /* It goes on: the number is the next one, the time stamp tells how long it was silent. */
    for (unsigned n = 100; n < 120; n++) {
        ck_assert_int_eq(put_as(j, n, 7, (uint16_t)(65530 + 10 + n - 100), UINT32_MAX - 500 + n * FRAME, FRAME, n * 20),
                         JITTER_KEPT);
        ck_assert_int_eq(pull(j, n * 20), n > 100 ? (int)n - 1 : SILENT);
    }
    struct jitter_stats st = stats_of(j);
    ck_assert_uint_eq(st.lost, 0);
    ck_assert_uint_eq(st.restarts, 0);
    jitter_free(j);
}
END_TEST

/* A short one that is known in time is silence, not missing. */
START_TEST(short_silence)
{
    struct jitter *j = buffer(60, 200);
    for (unsigned n = 0; n < 4; n++)
        ck_assert_int_eq(put(j, n, n * 20), JITTER_KEPT);
    ck_assert_int_eq(put_as(j, 6, 7, 65534, UINT32_MAX - 500 + 6 * FRAME, FRAME, 120), JITTER_KEPT);
    static const int want[] = {0, 1, 2, 3, SILENT, SILENT, 6};
    for (unsigned i = 0; i < 7; i++)
        ck_assert_int_eq(pull(j, 60 + i * 20), want[i]);
    ck_assert_uint_eq(stats_of(j).missing_ms, 0);
    jitter_free(j);
}
END_TEST

/* Packets with a number and no audio (keys) are no loss. */
START_TEST(events_between)
{
    struct jitter *j = buffer(20, 200);
    run(j, 0, 5);
    ck_assert_int_eq(pull(j, 100), 4);
    for (unsigned k = 0; k < 4; k++) {
        ck_assert_int_eq(put_as(j, 99, 7, (uint16_t)(65535 + k), UINT32_MAX - 500 + 5 * FRAME, 0, 100 + k * 20),
                         JITTER_KEPT);
        ck_assert_int_eq(pull(j, 120 + k * 20), MISSING);
    }
    ck_assert_int_eq(put_as(j, 9, 7, 65539u & 0xFFFF, UINT32_MAX - 500 + 9 * FRAME, FRAME, 180), JITTER_KEPT);
    ck_assert_int_eq(pull(j, 200), 9);
    ck_assert_uint_eq(stats_of(j).lost, 0);
    jitter_free(j);
}
END_TEST

START_TEST(another_source)
{
    struct jitter *j = buffer(20, 200);
    run(j, 0, 10);
    for (unsigned n = 10; n < 30; n++) {
        ck_assert_int_eq(put_as(j, n, 8, (uint16_t)(3 + n), 77 + n * FRAME, FRAME, n * 20), JITTER_KEPT);
        ck_assert_int_eq(pull(j, n * 20), (int)n - 1);
    }
    ck_assert_uint_eq(stats_of(j).restarts, 1);
    for (unsigned n = 30; n < 50; n++) { /* other time stamps of the same source */
        ck_assert_int_eq(put_as(j, n, 8, (uint16_t)(3 + n), 900000077 + n * FRAME, FRAME, n * 20), JITTER_KEPT);
        ck_assert_int_eq(pull(j, n * 20), (int)n - 1);
    }
    ck_assert_uint_eq(stats_of(j).restarts, 2);
    /* Other numbers and time stamps: one may be a stray, a second one that follows it is not. */
    ck_assert_int_eq(put_as(j, 50, 8, 30000, 5, FRAME, 1000), JITTER_NOISE);
    ck_assert_int_eq(put_as(j, 50, 8, 9000, 5, FRAME, 1000), JITTER_NOISE);
    ck_assert_int_eq(put_as(j, 50, 8, 9001, 5, FRAME, 1000), JITTER_KEPT);
    ck_assert_int_eq(pull(j, 1000), 49);
    ck_assert_int_eq(pull(j, 1020), 50);
    ck_assert_uint_eq(stats_of(j).restarts, 3);
    ck_assert_uint_eq(stats_of(j).lost, 0);
    jitter_free(j);
}
END_TEST

/* Cut off for 5 s: 250 packets are lost, and the first after it is played. */
START_TEST(outage)
{
    struct jitter *j = buffer(20, 200);
    run(j, 0, 10);
    ck_assert_int_eq(pull(j, 200), 9);
    for (uint64_t ms = 220; ms < 5200; ms += 20)
        ck_assert_int_lt(pull(j, ms), 0);
    for (unsigned n = 260; n < 280; n++) {
        ck_assert_int_eq(put(j, n, n * 20), JITTER_KEPT);
        ck_assert_int_eq(pull(j, n * 20), n > 260 ? (int)n - 1 : SILENT);
    }
    ck_assert_uint_eq(stats_of(j).lost, 250);
    ck_assert_uint_eq(stats_of(j).lost_runs, 1);
    ck_assert_uint_eq(stats_of(j).restarts, 0);
    jitter_free(j);
}
END_TEST

/* The network stood still for 400 ms, then all comes at once: no more than max_ms is kept. */
START_TEST(stall)
{
    struct jitter *j = buffer(20, 200);
    run(j, 0, 10);
    for (uint64_t ms = 200; ms < 600; ms += 20)
        (void)pull(j, ms);
    for (unsigned n = 10; n < 30; n++)
        (void)put(j, n, 595);
    ck_assert_int_eq(pull(j, 600), 20);
    for (unsigned n = 30; n < 60; n++) {
        ck_assert_int_eq(put(j, n, n * 20), JITTER_KEPT);
        ck_assert_int_eq(pull(j, n * 20 + 20), (int)n - 9);
    }
    ck_assert_uint_eq(stats_of(j).dropped, 10);
    jitter_free(j);
}
END_TEST

/* A path that became slower by more than the buffer holds: it is another path, not one packet's delay. */
START_TEST(path_changes)
{
    struct jitter *j = buffer(20, 100);
    run(j, 0, 100);
    unsigned given = 0;
    int last = -1;
    for (unsigned n = 100; n < 300; n++) {
        (void)put(j, n, n * 20 + 500);
        int got = pull(j, n * 20 + 500);
        if (got >= 0) {
            ck_assert_int_gt(got, last);
            last = got;
            given++;
        }
    }
    ck_assert_uint_ge(given, 195);
    ck_assert_uint_le(stats_of(j).target_ms, 20);
    ck_assert_uint_le(stats_of(j).delay_ms, 40);
    jitter_free(j);
}
END_TEST

START_TEST(refusals)
{
    struct jitter *j = NULL;
    static const struct jitter_config bad[] = {
        {.clock_hz = 0, .payload_max = 1},
        {.clock_hz = 7999, .payload_max = 1},
        {.clock_hz = 8001, .payload_max = 1},
        {.clock_hz = 96000, .payload_max = 1},
        {.clock_hz = 8000, .payload_max = 0},
        {.clock_hz = 8000, .payload_max = JITTER_PAYLOAD_MAX + 1},
        {.clock_hz = 8000, .payload_max = 1, .max_ms = 19},
        {.clock_hz = 8000, .payload_max = 1, .max_ms = JITTER_DELAY_MAX_MS + 1},
        {.clock_hz = 8000, .payload_max = 1, .max_ms = 100, .min_ms = 101},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(jitter_new(&bad[i], &j), ERR_INVAL);
    ck_assert_ptr_null(j);
    j = buffer(0, 0);
    uint8_t payload[481] = {0};
    struct jitter_packet p = {.duration = FRAME, .payload = payload, .len = sizeof payload};
    ck_assert_int_eq(jitter_put(j, &p, START_US), JITTER_NOISE);
    p.len = 0;
    ck_assert_int_eq(jitter_put(j, &p, START_US), JITTER_NOISE);
    p.len = 480;
    p.duration = JITTER_PACKET_MAX_MS * HZ / 1000 + 1;
    ck_assert_int_eq(jitter_put(j, &p, START_US), JITTER_NOISE);
    p.duration--;
    ck_assert_int_eq(jitter_put(j, &p, START_US), JITTER_KEPT);
    ck_assert_uint_eq(stats_of(j).noise, 3);
    jitter_reset(j);
    ck_assert_int_eq(pull(j, 1000), SILENT);
    ck_assert_uint_eq(stats_of(j).packets, 1);
    jitter_free(j);
    jitter_free(NULL);
}
END_TEST

/* ---- random networks */

struct world {
    /* The sender. */
    unsigned packet_ms, silence_per_mille, talk_ms; /* of DTX; 0: it always sends */
    int drift_ppm;
    /* The network. */
    unsigned path_ms, jitter_ms, loss_per_mille, double_per_mille;
    bool spikes;
    /* The buffer. */
    unsigned hz, min_ms, max_ms;
    bool leave_out; /* all is silence, so surplus is left out */

    struct jitter *j;
    int64_t last;             /* number of the newest packet that came out */
    uint64_t sent, out, gone; /* packets sent; given out; of which left out */
    int64_t ahead;
    uint64_t missing_late;   /* ms concealed after the first 3 s, while it was sent */
    unsigned delay_late_max; /* from sending to the turn, after the first 3 s */
};

enum { SECONDS = 30, PACKETS_MAX = 2 * SECONDS * 100 };

struct flight {
    uint64_t at_us, sent_us;
    unsigned n;
    uint16_t seq;
    uint32_t ts;
};

static int by_arrival(const void *x, const void *y)
{
    const struct flight *a = x, *b = y;
    if (a->at_us != b->at_us)
        return a->at_us < b->at_us ? -1 : 1;
    return a->n < b->n ? -1 : a->n > b->n;
}

static uint64_t sent_at[PACKETS_MAX];

static size_t send_all(struct world *w, struct flight *out)
{
    size_t n = 0;
    uint64_t us = 0;
    uint32_t ts = (uint32_t)rng;
    uint16_t seq = (uint16_t)(rng >> 40);
    for (unsigned k = 0; us < SECONDS * 1000 * MS; k++) {
        uint64_t real = START_US + us + (uint64_t)((int64_t)us / 1000000 * w->drift_ppm);
        sent_at[k] = real;
        unsigned copies = chance(1000) < w->loss_per_mille ? 0 : chance(1000) < w->double_per_mille ? 2 : 1;
        for (; copies > 0; copies--) {
            uint64_t late = chance(w->jitter_ms * 1000 + 1) + (w->spikes && chance(300) == 0 ? 150 * MS : 0);
            out[n++] = (struct flight){.at_us = real + w->path_ms * MS + late, .n = k, .seq = seq, .ts = ts};
        }
        seq++;
        uint32_t pause_ms = w->talk_ms && chance(w->talk_ms / w->packet_ms) == 0 ? 20 * chance(100) : 0;
        us += (w->packet_ms + pause_ms) * MS;
        ts += w->hz / 1000 * (w->packet_ms + pause_ms);
        w->sent++;
    }
    qsort(out, n, sizeof *out, by_arrival);
    return n;
}

static void take(struct world *w, const struct jitter_item *it, uint64_t now_us, bool settled)
{
    must_hold(it->duration > 0);
    if (it->kind != JITTER_PACKET) {
        must_hold(it->duration <= w->hz / 50);
        w->ahead += it->duration;
        if (settled && it->kind == JITTER_MISSING)
            w->missing_late += it->duration * 1000 / w->hz;
        return;
    }
    int64_t n = told(it);
    must_hold(n > w->last); /* order is never broken, nothing comes twice */
    w->last = n;
    w->out++;
    must_hold(it->duration == w->hz / 1000 * w->packet_ms);
    uint64_t age_ms = (now_us - sent_at[n]) / 1000;
    if (settled && age_ms > w->delay_late_max)
        w->delay_late_max = (unsigned)age_ms;
    if (it->surplus && w->leave_out)
        w->gone++;
    else
        w->ahead += it->duration;
}

static void live(struct world *w)
{
    static struct flight flights[2 * PACKETS_MAX];
    struct jitter_config cfg = {.clock_hz = w->hz, .min_ms = w->min_ms, .max_ms = w->max_ms, .payload_max = 4};
    ck_assert_int_eq(jitter_new(&cfg, &w->j), 0);
    size_t n = send_all(w, flights), at = 0;
    w->last = -1;
    uint64_t phase = chance(20000);
    for (unsigned tick = 0; tick < (SECONDS + 2) * 50; tick++) {
        uint64_t now = START_US + phase + tick * 20 * MS;
        for (; at < n && flights[at].at_us <= now; at++) {
            uint8_t b[4] = {(uint8_t)flights[at].n, (uint8_t)(flights[at].n >> 8), 0, 0};
            struct jitter_packet p = {.ssrc = 1,
                                      .seq = flights[at].seq,
                                      .ts = flights[at].ts,
                                      .duration = w->hz / 1000 * w->packet_ms,
                                      .payload = b,
                                      .len = 4};
            (void)jitter_put(w->j, &p, flights[at].at_us);
        }
        unsigned pulls = 0;
        for (w->ahead -= tick ? w->hz / 50 : 0; w->ahead < w->hz / 50; pulls++) {
            struct jitter_item it;
            must_hold(pulls < 100);
            jitter_pull(w->j, now, &it);
            take(w, &it, now, tick > 150 && tick < SECONDS * 50);
        }
    }
    struct jitter_stats st = stats_of(w->j);
    ck_assert_uint_eq(st.packets + st.late + st.again + st.noise, n);
    jitter_free(w->j);
}

static const unsigned lengths[] = {10, 20, 30, 40, 60};

/* Jitter within what the buffer begins with: nothing is late, nothing is concealed, the delay stays. */
START_TEST(jitter_inside)
{
    rng = (uint64_t)_i + 1;
    struct world w = {.packet_ms = lengths[_i % 5], .hz = _i % 2 ? 48000 : 8000, .min_ms = 60, .max_ms = 200};
    w.path_ms = chance(300);
    w.jitter_ms = chance(50);
    w.drift_ppm = 0;
    live(&w);
    ck_assert_uint_eq(w.out, w.sent);
    ck_assert_uint_eq(w.missing_late, 0);
    ck_assert_uint_le(w.delay_late_max, w.path_ms + 60 + 20 + w.packet_ms + 20);
}
END_TEST

/* Not known before: it is learnt within seconds, and then hardly anything is missing. */
START_TEST(jitter_is_learnt)
{
    rng = (uint64_t)_i + 1000;
    struct world w = {.packet_ms = lengths[_i % 5], .hz = _i % 2 ? 48000 : 8000, .min_ms = 0, .max_ms = 200};
    w.path_ms = chance(300);
    w.jitter_ms = 20 + chance(120);
    w.drift_ppm = (int)chance(400) - 200;
    w.leave_out = true;
    live(&w);
    ck_assert_uint_ge(w.out + 4, w.sent);
    ck_assert_uint_le(w.missing_late, 400); /* of 27 s */
    ck_assert_uint_le(w.delay_late_max, w.path_ms + w.jitter_ms + 80 + 3 * w.packet_ms);
}
END_TEST

/* Loss, duplicates, spikes, pauses: whatever comes, in order, and each only once. What was lost is what is missing. */
START_TEST(anything)
{
    rng = (uint64_t)_i + 5000;
    struct world w = {
        .packet_ms = lengths[chance(5)], .hz = chance(2) ? 48000 : 8000, .min_ms = 20 * chance(3), .max_ms = 200};
    w.path_ms = chance(300);
    w.jitter_ms = chance(300);
    w.loss_per_mille = chance(3) ? chance(200) : 0;
    w.double_per_mille = chance(2) ? chance(200) : 0;
    w.spikes = chance(2);
    w.talk_ms = chance(2) ? 1000 : 0;
    w.drift_ppm = (int)chance(1000) - 500;
    w.leave_out = chance(2);
    live(&w);
    ck_assert_uint_gt(w.out, 0);
    ck_assert_uint_le(w.delay_late_max, w.path_ms + w.jitter_ms + 150 + 200 + 200 + 2 * w.packet_ms);
}
END_TEST

/* Whatever numbers a sender makes up: pieces of at most the promised length, order of arrival kept where numbers say nothing. */
START_TEST(nonsense)
{
    rng = (uint64_t)_i + 9000;
    struct jitter *j = buffer(20 * chance(3), 0);
    uint64_t ms = 0;
    unsigned kept = 0, given = 0;
    for (unsigned k = 0; k < 3000; k++) {
        uint32_t duration = chance(5) ? FRAME : 80 * chance(13);
        if (put_as(j, k, chance(50) == 0, (uint16_t)(chance(4) ? k : rng), chance(4) ? k * FRAME : (uint32_t)rng,
                   duration, ms) == JITTER_KEPT)
            kept++;
        ms += chance(40);
        if (chance(2))
            given += pull(j, ms) >= 0;
    }
    struct jitter_stats st = stats_of(j);
    ck_assert_uint_eq(st.packets, kept);
    ck_assert_uint_eq(st.given, given);
    ck_assert_uint_gt(given, 0);
    jitter_free(j);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("jitter");
    TCase *t = tcase_create("jitter");
    tcase_add_test(t, in_step_over_wraps);
    tcase_add_test(t, order_and_duplicates);
    tcase_add_test(t, one_lost);
    tcase_add_test(t, waited_for_in_vain);
    tcase_add_test(t, later_than_any_before);
    tcase_add_test(t, late_is_not_lost);
    tcase_add_test(t, silence_that_is_not_sent);
    tcase_add_test(t, short_silence);
    tcase_add_test(t, events_between);
    tcase_add_test(t, another_source);
    tcase_add_test(t, outage);
    tcase_add_test(t, stall);
    tcase_add_test(t, path_changes);
    tcase_add_test(t, refusals);
    tcase_add_loop_test(t, jitter_inside, 0, 20);
    tcase_add_loop_test(t, jitter_is_learnt, 0, 20);
    tcase_add_loop_test(t, anything, 0, 40);
    tcase_add_loop_test(t, nonsense, 0, 20);
    suite_add_tcase(s, t);
    return run_suite(s);
}
