/* Streams of every codec: what is made for them, what is decoded of them, and bridges between two that differ. Tones tell who is heard. */
#include <math.h>

#include "telephony/codec.h"
#include "telephony/recorder.h"
#include "tests/unit/suite.h"
#include "tests/unit/telephony/media_rig.h"

#define RATE 8000u
#define FRAME 160u
#define LOUD 6000.0
#define SETTLE_FRAMES 30u /* 600 ms: the jitter buffer begins, Opus learns what it hears */
#define HEAR_FRAMES 20u   /* 400 ms, that are looked at */

static struct rig rig;
static const enum sdp_codec all[SDP_CODECS] = {SDP_PCMU, SDP_PCMA, SDP_G722, SDP_OPUS};

/* A telephone with a voice and an ear: all at 8 kHz, whatever its codec's rate is. */
struct talker {
    struct phone ph;
    enum sdp_codec codec;
    struct codec_state *coder;
    double hz, phase;
    uint64_t next_us;
    unsigned frames, at;
    bool begun;
    uint16_t seq;
    uint32_t ts, units;
    int16_t heard[(SETTLE_FRAMES + HEAR_FRAMES) * FRAME];
};

static const struct codec *codec_of_sdp(enum sdp_codec c)
{
    return codec_find(sdp_codec_name(c), sdp_codec_clock(c), c == SDP_OPUS ? 2 : 1);
}

static struct media_remote remote_of(const struct talker *t)
{
    struct media_remote m = phone_remote(&t->ph, t->codec);
    m.sdp.dtmf_clock_hz = t->codec == SDP_OPUS ? 48000 : 8000;
    return m;
}

static void agree(struct talker *t, enum sdp_codec codec)
{
    codec_close(t->coder);
    t->coder = NULL;
    t->codec = codec;
    ck_assert_int_eq(codec_open(codec_of_sdp(codec), RATE, CODEC_ENCODE | CODEC_DECODE, NULL, &t->coder, NULL), 0);
    struct media_remote m = remote_of(t);
    media_stream_set_remote(t->ph.s, &m);
    rig_settle(&rig);
    for (struct heard h; phone_try_hear(&rig, &t->ph, &h, 0);) /* of the codec before */
        continue;
    t->begun = false;
}

static void talker_open(struct talker *t, enum sdp_codec codec, double hz)
{
    *t = (struct talker){.hz = hz};
    phone_open_on(&rig, &t->ph, AF_INET, "127.0.0.1");
    agree(t, codec);
    t->next_us = clock_mono_now().us;
}

static void talker_close(struct talker *t)
{
    phone_close(&t->ph);
    codec_close(t->coder);
}

static uint32_t units_of_frame(const struct talker *t)
{
    return sdp_codec_clock(t->codec) / 50u;
}

/* Says its tone up to now; 0 Hz: silence; less than 0: sends nothing. */
static void speak(struct talker *t)
{
    while (t->hz >= 0 && clock_mono_now().us >= t->next_us) {
        int16_t pcm[FRAME];
        uint8_t packet[CODEC_PACKET_MAX];
        for (unsigned i = 0; i < FRAME; i++, t->phase += 2 * M_PI * t->hz / RATE)
            pcm[i] = (int16_t)(t->hz > 0 ? lrint(LOUD * sin(t->phase)) : 0);
        int n = codec_encode(t->coder, pcm, FRAME, packet, sizeof packet);
        ck_assert_int_gt(n, 0);
        phone_send_as(&t->ph, false, rig_pt(t->codec), t->ph.seq++, t->ph.ts, packet, (size_t)n);
        t->ph.ts += units_of_frame(t);
        t->next_us += 20000;
    }
}

/* One packet, if there is one: its numbers follow those before it, its sound is kept. */
static void listen_to(struct talker *t)
{
    struct heard h;
    int16_t pcm[CODEC_SAMPLES_MAX];
    if (!phone_try_hear(&rig, &t->ph, &h, 0))
        return;
    if (h.pt == 101)
        return;
    ck_assert_uint_eq(h.pt, rig_pt(t->codec));
    int n = codec_decode(t->coder, h.payload, h.len, pcm, CODEC_SAMPLES_MAX);
    ck_assert_int_gt(n, 0);
    if (t->begun && !h.marker) {
        ck_assert_uint_eq(h.seq, (uint16_t)(t->seq + 1));
        ck_assert_uint_eq(h.ts, t->ts + t->units);
    }
    t->begun = true;
    t->seq = h.seq;
    t->ts = h.ts;
    t->units = codec_duration(codec_of_sdp(t->codec), h.payload, h.len);
    for (int i = 0; i < n && t->at < sizeof t->heard / sizeof *t->heard; i++)
        t->heard[t->at++] = pcm[i];
}

static bool full(const struct talker *t)
{
    return t->at == sizeof t->heard / sizeof *t->heard;
}

static void forget_heard(struct talker *t)
{
    t->at = 0;
}

/* All talk and listen until each of them has heard enough. */
static void converse(struct talker *const *t, unsigned n, unsigned listeners)
{
    uint64_t end = clock_mono_now().us + RIG_DEADLINE_MS * 1000u;
    for (unsigned ready = 0; ready < listeners;) {
        ck_assert_msg(clock_mono_now().us < end, "a telephone hears nothing");
        ready = 0;
        for (unsigned i = 0; i < n; i++) {
            speak(t[i]);
            listen_to(t[i]);
            ready += full(t[i]);
        }
        (void)rig_turn(&rig, -1);
    }
}

/* How much of f is in the second part of what was heard, 1 for all of a tone that is said. */
static double amount(const int16_t *pcm, unsigned n, double f)
{
    double re = 0, im = 0;
    for (unsigned i = 0; i < n; i++) {
        re += pcm[i] * cos(2 * M_PI * f * i / RATE);
        im += pcm[i] * sin(2 * M_PI * f * i / RATE);
    }
    return 2 * hypot(re, im) / n / LOUD;
}

static double hears(const struct talker *t, double f)
{
    return amount(t->heard + SETTLE_FRAMES * FRAME, HEAR_FRAMES * FRAME, f);
}

static void expect_tone(const struct talker *t, double f, double other)
{
    double got = hears(t, f), rest = hears(t, other);
    ck_assert_msg(got > 0.6 && got < 1.4, "%s hears %.2f of %.0f Hz", sdp_codec_name(t->codec), got, f);
    ck_assert_msg(rest < 0.05, "%s hears %.2f of %.0f Hz", sdp_codec_name(t->codec), rest, other);
}

/* Each codec with each, both ways at once; nobody hears himself. */
START_TEST(every_pair_hears_each_other)
{
    struct talker a[SDP_CODECS], b[SDP_CODECS], *both[2 * SDP_CODECS];
    rig_start(&rig, 2);
    for (unsigned i = 0; i < SDP_CODECS; i++) {
        talker_open(&a[i], all[_i], 600 + 50 * i);
        talker_open(&b[i], all[i], 1200 + 50 * i);
        ck_assert_int_eq(media_bridge(a[i].ph.s, b[i].ph.s), 0);
        both[2 * i] = &a[i];
        both[2 * i + 1] = &b[i];
    }
    rig_settle(&rig);
    converse(both, 2 * SDP_CODECS, 2 * SDP_CODECS);
    for (unsigned i = 0; i < SDP_CODECS; i++) {
        expect_tone(&a[i], b[i].hz, a[i].hz);
        expect_tone(&b[i], a[i].hz, b[i].hz);
        talker_close(&a[i]);
        talker_close(&b[i]);
    }
    rig_stop(&rig);
}
END_TEST

START_TEST(tones_and_echo)
{
    struct talker t;
    struct talker *one = &t;
    struct media_item tone = {.kind = MEDIA_TONE, .hz1 = 800, .level_dbm0 = -11};
    rig_start(&rig, 1);
    talker_open(&t, all[_i], -1);
    uint32_t id;
    ck_assert_int_eq(media_stream_play(t.ph.s, &tone, 1, 0, &id), 0);
    converse(&one, 1, 1);
    double want = 32767.0 * pow(10.0, (-11 - 3.14) / 20.0) / LOUD, got = hears(&t, 800);
    ck_assert_msg(got > want * 0.8 && got < want * 1.2, "%.2f, not %.2f", got, want);
    media_stream_stop_play(t.ph.s);
    media_stream_echo(t.ph.s, true);
    rig_settle(&rig);
    t.hz = 500;
    t.next_us = clock_mono_now().us;
    forget_heard(&t);
    converse(&one, 1, 1);
    expect_tone(&t, 500, 800);
    talker_close(&t);
    rig_stop(&rig);
}
END_TEST

/* A prompt that is no whole number of packets is heard to its end, and told of. */
START_TEST(lists_end)
{
    struct talker t;
    struct media_item tone = {.kind = MEDIA_TONE, .hz1 = 800, .level_dbm0 = -11, .ms = 130};
    rig_start(&rig, 1);
    talker_open(&t, all[_i], -1);
    struct media_remote m = remote_of(&t);
    m.sdp.ptime_ms = 40;
    media_stream_set_remote(t.ph.s, &m);
    uint32_t id;
    ck_assert_int_eq(media_stream_play(t.ph.s, &tone, 1, 0, &id), 0);
    struct rig_event ev = rig_wait(&rig, t.ph.s, MEDIA_EV_PLAYED, 1);
    ck_assert_uint_eq(ev.ev.play_id, id);
    for (unsigned ms = 0; ms < 160; ms += 40) {
        struct heard h = phone_hear(&rig, &t.ph);
        ck_assert_uint_eq(codec_duration(codec_of_sdp(t.codec), h.payload, h.len), 40 * sdp_codec_clock(t.codec) / 1000);
    }
    struct heard more;
    ck_assert(!phone_try_hear(&rig, &t.ph, &more, 60));
    talker_close(&t);
    rig_stop(&rig);
}
END_TEST

/* Who is muted is not heard, and what he sends keeps its numbers; the other way goes on. */
START_TEST(muted)
{
    static const enum sdp_codec pairs[][2] = {{SDP_G722, SDP_G722}, {SDP_OPUS, SDP_OPUS}, {SDP_G722, SDP_PCMA}};
    struct talker a, b, *both[] = {&a, &b};
    rig_start(&rig, 1);
    talker_open(&a, pairs[_i][0], 700);
    talker_open(&b, pairs[_i][1], 1300);
    ck_assert_int_eq(media_bridge(a.ph.s, b.ph.s), 0);
    media_stream_mute(a.ph.s, true);
    rig_settle(&rig);
    converse(both, 2, 2);
    expect_tone(&a, 1300, 700);
    ck_assert_double_lt(hears(&b, 700), 0.02);
    media_stream_mute(a.ph.s, false);
    rig_settle(&rig);
    forget_heard(&b);
    converse(both, 2, 2);
    expect_tone(&b, 700, 1300);
    talker_close(&a);
    talker_close(&b);
    rig_stop(&rig);
}
END_TEST

/* A re-INVITE with another codec, in the middle: the same source goes on. */
START_TEST(another_codec)
{
    struct talker a, b, *both[] = {&a, &b};
    rig_start(&rig, 1);
    talker_open(&a, SDP_PCMA, 700);
    talker_open(&b, SDP_PCMA, 1300);
    ck_assert_int_eq(media_bridge(a.ph.s, b.ph.s), 0);
    rig_settle(&rig);
    static const enum sdp_codec later[] = {SDP_G722, SDP_OPUS, SDP_PCMU, SDP_OPUS};
    for (unsigned i = 0; i < sizeof later / sizeof *later; i++) {
        agree(&b, later[i]);
        forget_heard(&a);
        forget_heard(&b);
        converse(both, 2, 2);
        expect_tone(&a, 1300, 700);
        expect_tone(&b, 700, 1300);
    }
    talker_close(&a);
    talker_close(&b);
    rig_stop(&rig);
}
END_TEST

static void press(struct talker *t, uint8_t event)
{
    uint32_t khz = t->codec == SDP_OPUS ? 48 : 8;
    uint16_t dur = 0;
    for (unsigned k = 0; k < 8; k++) {
        bool end = k >= 5;
        dur = (uint16_t)(dur + (k <= 5 ? 20 * khz : 0));
        uint8_t p[4] = {event, (uint8_t)(end ? 0x8a : 0x0a), (uint8_t)(dur >> 8), (uint8_t)dur};
        phone_send_as(&t->ph, k == 0, 101, t->ph.seq++, t->ph.ts, p, sizeof p);
    }
    t->ph.ts += 240 * khz;
}

/* The key that is heard, and how long its events say it is; in milliseconds of the clock that was agreed. */
static void expect_key(struct talker *t, uint8_t event, uint32_t ms)
{
    uint32_t khz = t->codec == SDP_OPUS ? 48 : 8;
    for (;;) {
        struct heard h = phone_hear(&rig, &t->ph);
        if (h.pt != 101)
            continue;
        ck_assert_uint_eq(h.len, 4);
        ck_assert_uint_eq(h.payload[0], event);
        if (h.payload[1] & 0x80) {
            ck_assert_uint_eq((unsigned)(h.payload[2] << 8 | h.payload[3]), ms * khz);
            return;
        }
    }
}

/* Keys pass between all codecs, by the clock of each. */
START_TEST(keys)
{
    struct talker a, b;
    rig_start(&rig, 1);
    talker_open(&a, all[_i], -1);
    for (unsigned i = 0; i < SDP_CODECS; i++) {
        talker_open(&b, all[i], -1);
        ck_assert_int_eq(media_bridge(a.ph.s, b.ph.s), 0);
        rig_settle(&rig);
        press(&a, (uint8_t)i);
        expect_key(&b, (uint8_t)i, 120);
        struct rig_event ev = rig_wait(&rig, a.ph.s, MEDIA_EV_DTMF, i + 1);
        ck_assert_int_eq(ev.ev.digit, (char)('0' + i));
        ck_assert_uint_eq(ev.ev.duration_ms, 120);
        talker_close(&b);
    }
    media_stream_send_dtmf(a.ph.s, '9', 200);
    rig_settle(&rig);
    expect_key(&a, 9, 200);
    talker_close(&a);
    rig_stop(&rig);
}
END_TEST

/* Keys as sound, where there are no events. */
START_TEST(keys_in_the_sound)
{
    struct talker t, *one = &t;
    rig_start(&rig, 1);
    talker_open(&t, all[_i], -1);
    struct media_remote m = remote_of(&t);
    m.sdp.dtmf_pt = m.sdp.dtmf_recv_pt = -1;
    m.inband_dtmf = true;
    media_stream_set_remote(t.ph.s, &m);
    rig_settle(&rig);
    uint64_t end = clock_mono_now().us + RIG_DEADLINE_MS * 1000u;
    for (unsigned frame = 0; rig_count(&rig, t.ph.s, MEDIA_EV_DTMF) == 0;) {
        ck_assert_msg(clock_mono_now().us < end, "no key is found");
        if (clock_mono_now().us >= t.next_us) { /* 5: 770 and 1336 Hz, for 200 ms, then a pause */
            int16_t pcm[FRAME];
            uint8_t packet[CODEC_PACKET_MAX];
            bool on = frame % 20 < 10;
            for (unsigned i = 0; i < FRAME; i++) {
                double at = (double)(frame * FRAME + i) / RATE;
                pcm[i] = (int16_t)(on ? 5000 * (sin(2 * M_PI * 770 * at) + sin(2 * M_PI * 1336 * at)) : 0);
            }
            int n = codec_encode(t.coder, pcm, FRAME, packet, sizeof packet);
            phone_send_as(&t.ph, false, rig_pt(t.codec), t.ph.seq++, t.ph.ts, packet, (size_t)n);
            t.ph.ts += units_of_frame(&t);
            t.next_us += 20000;
            frame++;
        }
        (void)rig_turn(&rig, -1);
    }
    ck_assert_int_eq(rig_wait(&rig, t.ph.s, MEDIA_EV_DTMF, 1).ev.digit, '5');
    /* And sent so. */
    media_stream_send_dtmf(t.ph.s, '5', 1000);
    rig_settle(&rig);
    converse(&one, 1, 1);
    ck_assert_double_gt(amount(t.heard + 8 * FRAME, 20 * FRAME, 770), 0.2);
    ck_assert_double_gt(amount(t.heard + 8 * FRAME, 20 * FRAME, 1336), 0.2);
    talker_close(&t);
    rig_stop(&rig);
}
END_TEST

/* A recorder hears what is said, whatever the codec is, also when that changes. */
START_TEST(recorded)
{
    struct talker a, b, *both[] = {&a, &b};
    static uint8_t alaw[RECORDER_RING_BYTES];
    static int16_t pcm[RECORDER_RING_BYTES];
    const struct recorder_params rp = {0};
    struct recorder *r;
    rig_start(&rig, 1);
    talker_open(&a, all[_i], 700);
    talker_open(&b, SDP_PCMA, 1300);
    ck_assert_int_eq(media_bridge(a.ph.s, b.ph.s), 0);
    ck_assert_int_eq(recorder_new(&rp, &r), 0);
    ck_assert_int_eq(media_stream_record(a.ph.s, r), 0);
    for (unsigned turn = 0; turn < 2; turn++) {
        forget_heard(&a);
        forget_heard(&b);
        converse(both, 2, 2);
        size_t n = recorder_take(r, alaw, sizeof alaw);
        ck_assert_uint_ge(n, 5000);
        for (size_t i = 0; i < n; i++)
            pcm[i] = g711_alaw_linear[alaw[i]];
        double got = amount(pcm + n - 3200, 3200, 700), rest = amount(pcm + n - 3200, 3200, 1300);
        ck_assert_msg(got > 0.6 && got < 1.4 && rest < 0.05, "%s: %.2f, and of the other one %.2f",
                      sdp_codec_name(a.codec), got, rest);
        agree(&a, all[(_i + 2) % SDP_CODECS]);
    }
    recorder_unref(r);
    talker_close(&a);
    talker_close(&b);
    rig_stop(&rig);
}
END_TEST

static bool many_lost(const struct media_stats *st)
{
    return st->rx_lost >= 3;
}

/* A lost packet is concealed: who hears it by another codec has no gap in his numbers, nor in the tone. */
START_TEST(losses_are_concealed)
{
    struct talker a, b, *both[] = {&a, &b};
    rig_start(&rig, 1);
    talker_open(&a, all[_i], 700);
    talker_open(&b, media_audio_narrow(all[_i]) ? SDP_G722 : SDP_PCMA, -1);
    ck_assert_int_eq(media_bridge(a.ph.s, b.ph.s), 0);
    rig_settle(&rig);
    uint64_t end = clock_mono_now().us + RIG_DEADLINE_MS * 1000u;
    unsigned sent = 0;
    while (!full(&b)) {
        ck_assert_msg(clock_mono_now().us < end, "nothing is heard");
        uint16_t before = a.ph.seq;
        speak(&a);
        sent += (uint16_t)(a.ph.seq - before);
        if (sent >= 10) { /* one of eleven is lost on its way */
            sent = 0;
            a.ph.seq++;
            a.ph.ts += units_of_frame(&a);
            a.next_us += 20000;
        }
        listen_to(both[1]);
        (void)rig_turn(&rig, -1);
    }
    struct media_stats st = rig_wait_stats(&rig, a.ph.s, many_lost);
    ck_assert_uint_lt(st.rx_lost, 20);
    double least = 2;
    for (unsigned f = SETTLE_FRAMES; f < SETTLE_FRAMES + HEAR_FRAMES; f++) {
        double got = amount(b.heard + f * FRAME, FRAME, 700);
        least = got < least ? got : least;
    }
    ck_assert_msg(least > 0.25, "in one frame only %.2f is heard", least);
    talker_close(&a);
    talker_close(&b);
    rig_stop(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("media_codecs");
    TCase *tc = tcase_create("codecs");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, every_pair_hears_each_other, 0, SDP_CODECS);
    tcase_add_loop_test(tc, tones_and_echo, 0, SDP_CODECS);
    tcase_add_loop_test(tc, lists_end, 0, SDP_CODECS);
    tcase_add_loop_test(tc, muted, 0, 3);
    tcase_add_test(tc, another_codec);
    tcase_add_loop_test(tc, keys, 0, SDP_CODECS);
    tcase_add_loop_test(tc, keys_in_the_sound, 0, SDP_CODECS);
    tcase_add_loop_test(tc, recorded, 0, SDP_CODECS);
    tcase_add_loop_test(tc, losses_are_concealed, 0, SDP_CODECS);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
