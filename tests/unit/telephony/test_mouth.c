/* From packets of each codec and length to frames for the mixer: sound, silence, keys, delays, and three parties in a conference. */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/mix.h"
#include "telephony/mouth.h"
#include "tests/unit/suite.h"

#define START_US UINT64_C(7000000)
#define MS UINT64_C(1000)

/* A party: its coder, its packets, its mouth at our side. */
struct party {
    struct codec_state *coder;
    struct mouth *m;
    unsigned hz, ptime_ms, sent_ms;
    uint16_t seq;
    uint32_t ts;
    double f, phase; /* what it says; 0 Hz: nothing, but it sends */
};

static struct party party(enum codec_id id, unsigned hz, unsigned ptime_ms, double f)
{
    struct party p = {.hz = hz, .ptime_ms = ptime_ms, .seq = 65500, .ts = 4294967000u, .f = f};
    struct mouth_config cfg = {.codec = codec_get(id), .rate_hz = hz, .min_ms = 20};
    ck_assert_int_eq(codec_open(cfg.codec, hz, CODEC_ENCODE, NULL, &p.coder, NULL), 0);
    ck_assert_int_eq(mouth_new(&cfg, &p.m), 0);
    return p;
}

static void leave(struct party *p)
{
    codec_close(p->coder);
    mouth_free(p->m);
}

/* One packet, that comes at that time. */
static void say(struct party *p, uint64_t ms)
{
    int16_t pcm[CODEC_SAMPLES_MAX];
    uint8_t packet[CODEC_PACKET_MAX];
    unsigned n = p->hz / 1000 * p->ptime_ms;
    for (unsigned i = 0; i < n; i++, p->phase += 2 * M_PI * p->f / p->hz)
        pcm[i] = (int16_t)(p->f > 0 ? lrint(6000 * sin(p->phase)) : 0);
    int len = codec_encode(p->coder, pcm, n, packet, sizeof packet);
    ck_assert_int_gt(len, 0);
    struct rtp_packet r = {.ssrc = 1, .seq = p->seq++, .ts = p->ts, .payload = packet, .len = (size_t)len};
    ck_assert_int_eq(mouth_put(p->m, &r, true, START_US + ms * MS), JITTER_KEPT);
    p->ts += codec_get(codec_of(p->coder)->id)->clock_hz / 1000 * p->ptime_ms;
    p->sent_ms += p->ptime_ms;
}

static void say_until(struct party *p, uint64_t ms)
{
    while (p->sent_ms <= ms)
        say(p, p->sent_ms);
}

static struct jitter_stats stats_of(const struct party *p)
{
    struct jitter_stats st;
    mouth_get_stats(p->m, &st);
    return st;
}

/* How much of f is in it, 1 for all that a party says. */
static double amount(const int16_t *pcm, unsigned n, unsigned hz, double f)
{
    double re = 0, im = 0;
    for (unsigned i = 0; i < n; i++) {
        re += pcm[i] * cos(2 * M_PI * f * i / hz);
        im += pcm[i] * sin(2 * M_PI * f * i / hz);
    }
    return 2 * hypot(re, im) / n / 6000;
}

static const struct {
    enum codec_id id;
    unsigned hz;
} kinds[] = {{CODEC_PCMU, 8000}, {CODEC_PCMA, 16000}, {CODEC_G722, 16000},
             {CODEC_G722, 8000}, {CODEC_OPUS, 8000},  {CODEC_OPUS, 48000}};
static const unsigned lengths[] = {10, 20, 30, 40, 60};

/* In step: after the first delay each frame is there, and all of the sound. */
START_TEST(every_codec_and_length)
{
    unsigned ptime = lengths[_i % 5], hz = kinds[_i / 5].hz;
    if (kinds[_i / 5].id == CODEC_OPUS && ptime == 30)
        return;
    struct party p = party(kinds[_i / 5].id, hz, ptime, 1000);
    double off = kinds[_i / 5].id == CODEC_OPUS ? 0.4 : 0.1; /* a tone is not what Opus is made for */
    unsigned quiet = 0;
    for (uint64_t ms = 0; ms < 2000; ms += 20) {
        say_until(&p, ms);
        const int16_t *frame = mouth_frame(p.m, START_US + ms * MS);
        if (!frame || amount(frame, hz / 50, hz, 1000) < 1 - off)
            quiet++;
        if (ms > 300)
            must_hold(frame && fabs(amount(frame, hz / 50, hz, 1000) - 1) < off);
    }
    ck_assert_uint_le(quiet, 8);
    ck_assert_uint_eq(stats_of(&p).lost, 0);
    leave(&p);
}
END_TEST

START_TEST(silence_is_nothing)
{
    struct party p = party(CODEC_PCMA, 8000, 20, 440);
    ck_assert_ptr_null(mouth_frame(p.m, START_US));
    for (uint64_t ms = 0; ms < 200; ms += 20) {
        say_until(&p, ms);
        (void)mouth_frame(p.m, START_US + ms * MS);
    }
    unsigned sound = 0, none = 0;
    for (uint64_t ms = 200; ms < 1000; ms += 20) {
        if (mouth_frame(p.m, START_US + ms * MS))
            sound++;
        else
            none++;
    }
    ck_assert_uint_le(sound, 12); /* what is left, and what may still come */
    ck_assert_uint_eq(none, 40 - sound);
    leave(&p);
}
END_TEST

/* Keys take numbers and no time: nothing is lost. What is not of the codec is noise. */
START_TEST(keys_and_noise)
{
    struct party p = party(CODEC_PCMA, 8000, 20, 440);
    uint8_t some[2000] = {0};
    for (uint64_t ms = 0; ms < 1000; ms += 20) {
        if (ms < 400 || ms >= 600) {
            say_until(&p, ms);
        } else {
            struct rtp_packet r = {
                .ssrc = 1, .seq = p.seq++, .ts = p.ts - (uint32_t)(ms - 400) * 8, .payload = some, .len = 4};
            ck_assert_int_eq(mouth_put(p.m, &r, false, START_US + ms * MS), JITTER_KEPT);
            p.ts += 160;
            p.sent_ms += 20;
        }
        (void)mouth_frame(p.m, START_US + ms * MS);
    }
    ck_assert_uint_eq(stats_of(&p).lost, 0);
    struct rtp_packet r = {.ssrc = 1, .seq = p.seq, .ts = p.ts, .payload = some, .len = 1000};
    ck_assert_int_eq(mouth_put(p.m, &r, true, START_US + 1000 * MS), JITTER_NOISE); /* 125 ms */
    r.len = sizeof some;
    ck_assert_int_eq(mouth_put(p.m, &r, true, START_US + 1000 * MS), JITTER_NOISE);
    leave(&p);
}
END_TEST

/* A delay of 150 ms once: it is waited for, and given back while nobody speaks, not before. */
START_TEST(delay_is_given_back_in_silence)
{
    struct party p = party(CODEC_PCMU, 8000, 20, 440);
    for (uint64_t ms = 0; ms < 30000; ms += 20) {
        bool stuck = ms > 1000 && ms < 1150;
        while (p.sent_ms <= ms && !stuck)
            say(&p, ms);
        p.f = ms < 20000 ? 440 : 0;
        (void)mouth_frame(p.m, START_US + ms * MS);
        if (ms == 19980)
            ck_assert_uint_ge(stats_of(&p).delay_ms, 140);
    }
    struct jitter_stats st = stats_of(&p);
    ck_assert_uint_eq(st.lost, 0);
    ck_assert_uint_le(st.delay_ms, 60);
    leave(&p);
}
END_TEST

/* Three phones of three kinds: each hears the two others, and not itself. */
START_TEST(conference)
{
    static const double f[3] = {600, 1000, 1400};
    struct party p[3] = {party(CODEC_PCMA, 8000, 20, f[0]), party(CODEC_G722, 8000, 30, f[1]),
                         party(CODEC_OPUS, 8000, 60, f[2])};
    struct mix *m = NULL;
    ck_assert_int_eq(mix_new(8000, &m), 0);
    mix_conference(m, 7);
    for (uint64_t ms = 0; ms < 1000; ms += 20) {
        const int16_t *in[MIX_PARTIES_MAX] = {NULL}, *out[MIX_EARS_MAX];
        for (unsigned i = 0; i < 3; i++) {
            say_until(&p[i], ms);
            in[i] = mouth_frame(p[i].m, START_US + ms * MS);
        }
        mix_run(m, in, out);
        for (unsigned i = 0; i < 3 && ms > 300; i++) {
            for (unsigned k = 0; k < 3; k++) {
                double heard = amount(out[i], 160, 8000, f[k]);
                if (i == k)
                    ck_assert_double_lt(heard, 0.2);
                else
                    ck_assert_double_gt(heard, 0.7);
            }
        }
    }
    mix_free(m);
    for (unsigned i = 0; i < 3; i++)
        leave(&p[i]);
}
END_TEST

START_TEST(refusals)
{
    struct mouth *m = NULL;
    struct mouth_config cfg = {.codec = codec_get(CODEC_PCMA), .rate_hz = 48000};
    ck_assert_int_eq(mouth_new(&cfg, &m), ERR_UNSUPPORTED);
    cfg.rate_hz = 8000;
    cfg.min_ms = 300;
    ck_assert_int_eq(mouth_new(&cfg, &m), ERR_INVAL);
    ck_assert_ptr_null(m);
    mouth_free(NULL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mouth");
    TCase *t = tcase_create("mouth");
    tcase_add_loop_test(t, every_codec_and_length, 0, 30);
    tcase_add_test(t, silence_is_nothing);
    tcase_add_test(t, keys_and_noise);
    tcase_add_test(t, delay_is_given_back_in_silence);
    tcase_add_test(t, conference);
    tcase_add_test(t, refusals);
    suite_add_tcase(s, t);
    return run_suite(s);
}
