/* Codecs: names and numbers, sound there and back at each rate, what is no packet, Opus' parameters, and all of the way from a coder
 * through a network and the jitter buffer to an ear. */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/codec.h"
#include "telephony/jitter.h"
#include "telephony/opus_fmtp.h"
#include "telephony/sdp.h"
#include "tests/unit/suite.h"

static uint64_t rng;

static uint32_t chance(uint32_t n)
{
    rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(rng >> 33) % n;
}

static struct codec_state *opened(enum codec_id id, unsigned hz, const char *fmtp)
{
    struct codec_state *s = NULL;
    struct err_info info;
    ck_assert_int_eq(codec_open(codec_get(id), hz, CODEC_ENCODE | CODEC_DECODE, fmtp, &s, &info), 0);
    ck_assert_ptr_eq(codec_of(s), codec_get(id));
    return s;
}

START_TEST(names)
{
    ck_assert_ptr_eq(codec_find("PCMU", 8000, 0), codec_get(CODEC_PCMU));
    ck_assert_ptr_eq(codec_find("pcma", 8000, 1), codec_get(CODEC_PCMA));
    ck_assert_ptr_eq(codec_find("G722", 8000, 1), codec_get(CODEC_G722));
    ck_assert_ptr_eq(codec_find("OPUS", 48000, 2), codec_get(CODEC_OPUS));
    ck_assert_ptr_null(codec_find("G722", 16000, 1)); /* RFC 3551 section 4.5.2 */
    ck_assert_ptr_null(codec_find("opus", 48000, 1)); /* RFC 7587 section 7 */
    ck_assert_ptr_null(codec_find("opus", 8000, 2));
    ck_assert_ptr_null(codec_find("PCMU", 8000, 2));
    ck_assert_ptr_null(codec_find("G729", 8000, 1));
    ck_assert_ptr_null(codec_find("", 8000, 1));
    ck_assert_ptr_eq(codec_of_pt(0), codec_get(CODEC_PCMU));
    ck_assert_ptr_eq(codec_of_pt(8), codec_get(CODEC_PCMA));
    ck_assert_ptr_eq(codec_of_pt(9), codec_get(CODEC_G722));
    for (unsigned pt = 10; pt < 300; pt++)
        ck_assert_ptr_null(codec_of_pt(pt));
    for (unsigned i = 0; i < CODEC_COUNT; i++)
        ck_assert_uint_eq(codec_get((enum codec_id)i)->id, i);
}
END_TEST

/* What a description names is found by what sdp_parse makes of it, static types without a=rtpmap too. */
START_TEST(named_by_a_description)
{
    static const char text[] = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
                               "m=audio 4000 RTP/AVP 96 9 8 0 97 98\r\n"
                               "a=rtpmap:96 opus/48000/2\r\na=fmtp:96 minptime=10;useinbandfec=1\r\n"
                               "a=rtpmap:97 speex/8000\r\na=rtpmap:98 PCMA/8000\r\n";
    static const int want[] = {CODEC_OPUS, CODEC_G722, CODEC_PCMA, CODEC_PCMU, -1, CODEC_PCMA};
    static struct sdp sdp;
    struct err_info info;
    ck_assert_int_eq(sdp_parse(text, sizeof text - 1, &sdp, &info), 0);
    ck_assert_uint_eq(sdp.media[0].n_formats, 6);
    for (unsigned i = 0; i < 6; i++) {
        const struct sdp_format *f = &sdp.media[0].formats[i];
        const struct codec *c = codec_find(f->name, f->clock_hz, f->channels);
        ck_assert_int_eq(c ? (int)c->id : -1, want[i]);
        if (c && c->static_pt >= 0 && f->pt < 96)
            ck_assert_int_eq(c->static_pt, f->pt);
        if (!c)
            continue;
        struct codec_state *s = NULL;
        ck_assert_int_eq(codec_open(c, 8000, CODEC_ENCODE, f->fmtp, &s, &info), 0);
        codec_close(s);
    }
}
END_TEST

/* ---- there and back */

static void tone(int16_t *out, unsigned n, unsigned hz, double f)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = (int16_t)lrint(8000 * sin(2 * M_PI * f * i / hz));
}

static double level(const int16_t *pcm, unsigned n, unsigned hz, double f)
{
    double re = 0, im = 0;
    for (unsigned i = 0; i < n; i++) {
        re += pcm[i] * cos(2 * M_PI * f * i / hz);
        im += pcm[i] * sin(2 * M_PI * f * i / hz);
    }
    return 20 * log10(2 * hypot(re, im) / n / 8000 + 1e-9);
}

/* What is in it besides f, in dB to f. */
static double noise(const int16_t *pcm, unsigned n, unsigned hz, double f)
{
    double re = 0, im = 0, all = 0;
    for (unsigned i = 0; i < n; i++) {
        re += pcm[i] * cos(2 * M_PI * f * i / hz);
        im += pcm[i] * sin(2 * M_PI * f * i / hz);
        all += (double)pcm[i] * pcm[i];
    }
    double at_f = 2 * (re * re + im * im) / n;
    return 10 * log10(fmax(all - at_f, 1e-9) / at_f);
}

struct way {
    enum codec_id id;
    unsigned hz;
    double f;
    double noise_db; /* no more than that */
};
static const struct way ways[] = {
    {CODEC_PCMU, 8000, 1000, -30},  {CODEC_PCMU, 16000, 1000, -30}, {CODEC_PCMA, 8000, 3000, -30},
    {CODEC_PCMA, 16000, 500, -30},  {CODEC_G722, 16000, 1000, -35}, {CODEC_G722, 16000, 3000, -25},
    {CODEC_G722, 16000, 6000, -15}, {CODEC_G722, 8000, 1000, -35},  {CODEC_OPUS, 8000, 1000, -10},
    {CODEC_OPUS, 16000, 1000, -10}, {CODEC_OPUS, 48000, 1000, -10},
};

START_TEST(there_and_back)
{
    static int16_t in[48000], out[48000 + CODEC_SAMPLES_MAX];
    static const unsigned lengths[] = {10, 20, 30, 40, 60};
    const struct way *w = &ways[_i];
    const struct codec *c = codec_get(w->id);
    unsigned all = w->hz / 10 * 6;
    tone(in, all, w->hz, w->f);
    for (unsigned l = 0; l < 5; l++) {
        unsigned n = w->hz / 1000 * lengths[l], got = 0;
        uint8_t packet[CODEC_PACKET_MAX];
        struct codec_state *s = opened(w->id, w->hz, NULL);
        if (w->id == CODEC_OPUS && lengths[l] == 30) {
            ck_assert_int_eq(codec_encode(s, in, n, packet, sizeof packet), ERR_INVAL);
            codec_close(s);
            continue;
        }
        for (unsigned at = 0; at + n <= all; at += n) {
            int len = codec_encode(s, in + at, n, packet, sizeof packet);
            ck_assert_int_gt(len, 0);
            ck_assert_uint_eq(codec_duration(c, packet, (size_t)len), c->clock_hz / 1000 * lengths[l]);
            ck_assert_uint_eq(codec_samples(s, codec_duration(c, packet, (size_t)len)), n);
            ck_assert_int_eq(codec_decode(s, packet, (size_t)len, out + got, CODEC_SAMPLES_MAX), (int)n);
            got += n;
        }
        unsigned half = got / 2 / (w->hz / 100) * (w->hz / 100); /* whole periods */
        ck_assert_double_eq_tol(level(out + got - half, half, w->hz, w->f), 0, w->id == CODEC_OPUS ? 3 : 1);
        ck_assert_double_lt(noise(out + got - half, half, w->hz, w->f), w->noise_db);
        codec_close(s);
    }
}
END_TEST

START_TEST(refusals)
{
    int16_t pcm[CODEC_SAMPLES_MAX] = {0};
    uint8_t packet[CODEC_PACKET_MAX] = {0};
    struct codec_state *s = NULL;
    struct err_info info = {0};
    for (unsigned i = 0; i < CODEC_COUNT; i++) {
        const struct codec *c = codec_get((enum codec_id)i);
        ck_assert_int_eq(codec_open(c, 44100, CODEC_DECODE, NULL, &s, &info), ERR_UNSUPPORTED);
        if (i != CODEC_OPUS)
            ck_assert_int_eq(codec_open(c, 48000, CODEC_DECODE, NULL, &s, &info), ERR_UNSUPPORTED);
        ck_assert_int_eq(codec_open(c, 8000, CODEC_DECODE, NULL, &s, &info), 0);
        ck_assert_int_eq(codec_encode(s, pcm, 160, packet, sizeof packet), ERR_INVAL);
        ck_assert_int_eq(codec_decode(s, packet, 0, pcm, CODEC_SAMPLES_MAX), ERR_INVAL);
        codec_close(s);
        s = opened((enum codec_id)i, 8000, NULL);
        int len = codec_encode(s, pcm, 160, packet, sizeof packet);
        ck_assert_int_gt(len, 0);
        ck_assert_int_eq(codec_encode(s, pcm, 159, packet, sizeof packet), ERR_INVAL);
        ck_assert_int_eq(codec_encode(s, pcm, 0, packet, sizeof packet), ERR_INVAL);
        ck_assert_int_eq(codec_encode(s, pcm, 960, packet, sizeof packet), ERR_INVAL);
        ck_assert_int_eq(codec_encode(s, pcm, 160, packet, 1), ERR_TOOBIG);
        ck_assert_int_eq(codec_decode(s, packet, (size_t)len, pcm, 159), ERR_TOOBIG);
        codec_close(s);
        s = NULL;
    }
    ck_assert_uint_eq(codec_duration(codec_get(CODEC_PCMA), packet, 960), 960);
    ck_assert_uint_eq(codec_duration(codec_get(CODEC_PCMA), packet, 961), 0); /* over 120 ms */
    static const uint8_t three_of_60[] = {0x1B, 3, 0}; /* 180 ms of SILK: RFC 6716 section 3.4, R5 */
    ck_assert_uint_eq(codec_duration(codec_get(CODEC_OPUS), three_of_60, sizeof three_of_60), 0);
    static const uint8_t no_count[] = {0x03}; /* code 3 without its count */
    ck_assert_uint_eq(codec_duration(codec_get(CODEC_OPUS), no_count, sizeof no_count), 0);
    ck_assert_int_eq(codec_open(codec_get(CODEC_OPUS), 8000, CODEC_ENCODE, "stereo=2", &s, &info), ERR_INVAL);
    ck_assert_str_eq(info.field, "stereo");
    ck_assert_ptr_null(s);
    codec_close(NULL);
}
END_TEST

/* Any number of samples can stand in for missing ones, at any rate, in any mix with packets. */
START_TEST(lost_of_any_length)
{
    static int16_t pcm[CODEC_SAMPLES_MAX + 16];
    const struct way *w = &ways[_i];
    struct codec_state *s = opened(w->id, w->hz, NULL);
    rng = (uint64_t)_i + 1;
    for (unsigned round = 0; round < 60; round++) {
        uint8_t packet[CODEC_PACKET_MAX];
        unsigned n = w->hz / 50, lost = chance(w->hz / 8 + 1);
        tone(pcm, n, w->hz, w->f);
        int len = codec_encode(s, pcm, n, packet, sizeof packet);
        ck_assert_int_eq(codec_decode(s, packet, (size_t)len, pcm, n), (int)n);
        memset(pcm, 0x5A, sizeof pcm);
        codec_lost(s, chance(2) ? packet : NULL, (size_t)len, pcm, lost);
        for (unsigned i = lost; i < lost + 16; i++)
            must_hold(pcm[i] == 0x5A5A);
        for (unsigned i = w->hz / 10 + 200; i < lost; i++) /* long gone: silent, but for what Opus makes up */
            must_hold(w->id == CODEC_OPUS || pcm[i] == 0);
    }
    codec_close(s);
}
END_TEST

/* A vowel of a gliding pitch. */
static void voice(int16_t *out, unsigned n, unsigned hz)
{
    double phase = 0;
    for (unsigned i = 0; i < n; i++) {
        double f = 140 + 20 * sin(M_PI * i / hz), v = 0;
        phase += 2 * M_PI * f / hz;
        for (unsigned k = 1; k * f < 3400; k++)
            v += (1 / (1 + pow((k * f - 600) / 300, 2)) + 0.5 / (1 + pow((k * f - 1700) / 400, 2))) *
                 sin(k * phase + k * k);
        out[i] = (int16_t)lrint(2500 * v * (0.55 + 0.45 * sin(8 * M_PI * i / hz)));
    }
}

/* How far what stands in for one packet in ten is from what was in it; with the packet that follows, or without. */
static double error_of_gaps(unsigned hz, const char *params, bool with_next)
{
    enum { PACKETS = 120 };
    static int16_t said[PACKETS * 960], whole[960], gap[960];
    static uint8_t packet[PACKETS][CODEC_PACKET_MAX];
    int len[PACKETS];
    unsigned n = hz / 50;
    double error = 0, all = 0;
    struct codec_state *a = opened(CODEC_OPUS, hz, params), *b = opened(CODEC_OPUS, hz, params);
    voice(said, PACKETS * n, hz);
    for (unsigned k = 0; k < PACKETS; k++)
        len[k] = codec_encode(a, said + (size_t)k * n, n, packet[k], CODEC_PACKET_MAX);
    for (unsigned k = 0; k + 1 < PACKETS; k++) {
        bool lost = k % 10 == 9;
        ck_assert_int_eq(codec_decode(a, packet[k], (size_t)len[k], whole, n), (int)n);
        if (lost)
            codec_lost(b, with_next ? packet[k + 1] : NULL, (size_t)len[k + 1], gap, n);
        else
            ck_assert_int_eq(codec_decode(b, packet[k], (size_t)len[k], gap, n), (int)n);
        for (unsigned i = 0; lost && i < n; i++) {
            error += pow(gap[i] - whole[i], 2);
            all += pow(whole[i], 2);
        }
    }
    codec_close(a);
    codec_close(b);
    return error / all;
}

START_TEST(opus_mends_from_the_next_packet)
{
    static const unsigned rates[] = {8000, 16000, 48000};
    double with = error_of_gaps(rates[_i], "useinbandfec=1", true),
           without = error_of_gaps(rates[_i], "useinbandfec=1", false);
    ck_assert_double_lt(with, without / 2);
    ck_assert_double_lt(with, 0.4);
    ck_assert_double_gt(error_of_gaps(rates[_i], "", true), with * 2); /* no copies unless they are asked for */
}
END_TEST

START_TEST(opus_sends_no_silence_where_agreed)
{
    static const int16_t nothing[960];
    uint8_t packet[CODEC_PACKET_MAX];
    for (unsigned dtx = 0; dtx < 2; dtx++) {
        struct codec_state *s = opened(CODEC_OPUS, 16000, dtx ? "usedtx=1" : "");
        unsigned sent = 0;
        for (unsigned i = 0; i < 200; i++)
            sent += codec_encode(s, nothing, 320, packet, sizeof packet) > 0;
        if (dtx)
            ck_assert_uint_lt(sent, 60);
        else
            ck_assert_uint_eq(sent, 200);
        codec_close(s);
    }
}
END_TEST

/* ---- Opus' parameters */

START_TEST(fmtp)
{
    struct opus_fmtp f;
    struct err_info info;
    char text[200];
    ck_assert_int_eq(opus_fmtp_parse("", &f, &info), 0);
    ck_assert_uint_eq(f.max_playback_hz, 48000);
    ck_assert_uint_eq(f.sprop_max_hz, 48000);
    ck_assert(!f.stereo && !f.sprop_stereo && !f.cbr && !f.in_band_fec && !f.dtx && !f.max_average_bits &&
              !f.min_ptime_ms);
    ck_assert_int_eq(opus_fmtp_write(&f, text, sizeof text), 0);
    ck_assert_str_eq(text, "");
    static const char *all =
        "maxplaybackrate=16000;sprop-maxcapturerate=8000;maxaveragebitrate=20000;minptime=10;stereo=1;"
        "sprop-stereo=1;cbr=1;useinbandfec=1;usedtx=1";
    ck_assert_int_eq(opus_fmtp_parse(all, &f, &info), 0);
    ck_assert_uint_eq(f.max_playback_hz, 16000);
    ck_assert_uint_eq(f.sprop_max_hz, 8000);
    ck_assert_uint_eq(f.max_average_bits, 20000);
    ck_assert_uint_eq(f.min_ptime_ms, 10);
    ck_assert(f.stereo && f.sprop_stereo && f.cbr && f.in_band_fec && f.dtx);
    ck_assert_int_eq(opus_fmtp_write(&f, text, sizeof text), (int)strlen(all));
    ck_assert_str_eq(text, all);
    for (size_t size = 0; size <= strlen(all); size++)
        ck_assert_int_eq(opus_fmtp_write(&f, text, size), ERR_TOOBIG);
    ck_assert_int_eq(opus_fmtp_parse(" UseInbandFEC = 1 ; x-unknown=7;; flag ;minptime=3", &f, &info), 0);
    ck_assert(f.in_band_fec);
    ck_assert_uint_eq(f.min_ptime_ms, 3);
    static const char *const bad[][2] = {
        {"stereo=2", "stereo"},
        {"stereo", "stereo"},
        {"stereo=", "stereo"},
        {"maxplaybackrate=7999", "maxplaybackrate"},
        {"minptime=121", "minptime"},
        {"cbr=-1", "cbr"},
        {"useinbandfec=1 1", "useinbandfec"},
        {"maxaveragebitrate=99999999", "maxaveragebitrate"},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(opus_fmtp_parse(bad[i][0], &f, &info), ERR_INVAL);
        ck_assert_str_eq(info.field, bad[i][1]);
        ck_assert_uint_eq(f.min_ptime_ms, 3); /* untouched */
    }
}
END_TEST

/* ---- all of the way */

/* A tone is sent for 5 s, one in 20 packets is lost, the others come up to 50 ms late; what is heard is the tone but for the gaps. */
START_TEST(through_a_network)
{
    static int16_t in[5 * 48000], heard[6 * 48000];
    const struct way *w = &ways[_i];
    const struct codec *c = codec_get(w->id);
    struct codec_state *s = opened(w->id, w->hz, "useinbandfec=1");
    struct jitter *j = NULL;
    struct jitter_config cfg = {.clock_hz = c->clock_hz, .min_ms = 60, .payload_max = CODEC_PACKET_MAX};
    ck_assert_int_eq(jitter_new(&cfg, &j), 0);
    unsigned frame = w->hz / 50, n_heard = 0, ahead = 0, packets = 250;
    uint64_t came[250];
    uint8_t packet[250][CODEC_PACKET_MAX];
    int len[250];
    rng = (uint64_t)_i + 1;
    tone(in, 5 * w->hz, w->hz, w->f);
    for (unsigned k = 0; k < packets; k++) {
        len[k] = codec_encode(s, in + (size_t)k * frame, frame, packet[k], CODEC_PACKET_MAX);
        came[k] = chance(20) ? 1000000 + k * 20000 + chance(50000) : UINT64_MAX;
    }
    for (uint64_t now = 1000000; now < 1000000 + 250 * 20000; now += 20000) {
        for (unsigned k = 0; k < packets; k++) {
            struct jitter_packet p = {.ssrc = 1,
                                      .seq = (uint16_t)k,
                                      .ts = k * (c->clock_hz / 50),
                                      .payload = packet[k],
                                      .len = (size_t)len[k]};
            p.duration = codec_duration(c, p.payload, p.len);
            if (came[k] <= now && came[k] + 20000 > now)
                ck_assert_int_eq(jitter_put(j, &p, came[k]), JITTER_KEPT);
        }
        for (; ahead < frame;) {
            struct jitter_item it;
            jitter_pull(j, now, &it);
            unsigned n = codec_samples(s, it.duration);
            if (it.kind == JITTER_PACKET)
                ck_assert_int_eq(codec_decode(s, it.payload, it.len, heard + n_heard, n), (int)n);
            else if (it.kind == JITTER_MISSING)
                codec_lost(s, it.payload, it.len, heard + n_heard, n);
            else
                memset(heard + n_heard, 0, n * sizeof *heard);
            n_heard += n;
            ahead += n;
        }
        ahead -= frame;
    }
    double loud = 0;
    unsigned quiet = 0;
    for (unsigned at = n_heard / 5; at + frame <= n_heard; at += frame) {
        double e = 0;
        for (unsigned i = 0; i < frame; i++)
            e += (double)heard[at + i] * heard[at + i] / frame;
        loud += e;
        quiet += e < 8000.0 * 8000 / 2 / 4;
    }
    if (w->id != CODEC_OPUS) /* which lets a mere tone fade in a gap */
        ck_assert_uint_le(quiet, 3);
    ck_assert_double_eq_tol(10 * log10(loud / (4.0 / 5 * n_heard / frame) / (8000.0 * 8000 / 2)), 0, 1.5);
    jitter_free(j);
    codec_close(s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("codec");
    TCase *t = tcase_create("codec");
    tcase_add_test(t, names);
    tcase_add_test(t, named_by_a_description);
    tcase_add_loop_test(t, there_and_back, 0, sizeof ways / sizeof ways[0]);
    tcase_add_test(t, refusals);
    tcase_add_loop_test(t, lost_of_any_length, 0, sizeof ways / sizeof ways[0]);
    tcase_add_loop_test(t, opus_mends_from_the_next_packet, 0, 3);
    tcase_add_test(t, opus_sends_no_silence_where_agreed);
    tcase_add_test(t, fmtp);
    tcase_add_loop_test(t, through_a_network, 0, sizeof ways / sizeof ways[0]);
    suite_add_tcase(s, t);
    return run_suite(s);
}
