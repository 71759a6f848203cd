/* What the engine makes itself: prompts, tones, silence, echo; and the G.711 tables. */
#include <math.h>

#include "tests/unit/suite.h"
#include "tests/unit/telephony/media_rig.h"

static struct rig rig;

/* `n` samples that tell their place. */
static struct prompt *ramp(uint32_t n)
{
    struct prompt *p = calloc(1, sizeof *p);
    ck_assert_ptr_nonnull(p);
    p->pcm = malloc(n * sizeof *p->pcm);
    ck_assert_ptr_nonnull(p->pcm);
    p->n_samples = n;
    p->refs = 1;
    for (uint32_t k = 0; k < n; k++)
        p->pcm[k] = (int16_t)(k / 160 * 512 - 16000);
    return p;
}

/* Amplitude (0 to 32767) of a frequency in linear samples. */
static double goertzel(const int16_t *pcm, size_t n, double hz)
{
    double w = 2.0 * M_PI * hz / 8000.0, c = 2.0 * cos(w), s1 = 0, s2 = 0;
    for (size_t k = 0; k < n; k++) {
        double s0 = pcm[k] + c * s1 - s2;
        s2 = s1;
        s1 = s0;
    }
    double power = s1 * s1 + s2 * s2 - c * s1 * s2;
    return sqrt(power > 0 ? power : 0) * 2.0 / (double)n;
}

/* Collects n samples of audio as linear. Checks numbering on the way. */
static void record(struct phone *ph, int16_t *pcm, size_t n, enum sdp_codec codec)
{
    struct heard last = {0};
    for (size_t at = 0; at < n;) {
        struct heard h = phone_hear(&rig, ph);
        ck_assert_uint_eq(h.pt, rig_pt(codec));
        if (at > 0) {
            ck_assert_uint_eq(h.seq, (uint16_t)(last.seq + 1));
            ck_assert_uint_eq(h.ts, last.ts + (uint32_t)last.len);
        }
        for (size_t k = 0; k < h.len && at < n; k++, at++)
            pcm[at] = codec == SDP_PCMU ? g711_ulaw_linear[h.payload[k]] : g711_alaw_linear[h.payload[k]];
        last = h;
    }
}

START_TEST(tables_agree_with_the_recommendation)
{
    g711_setup();
    /* G.711 tables 1a and 2a: the ends, the middle, and one value of each sort between. */
    ck_assert_int_eq(g711_alaw_linear[0xD5], 8);
    ck_assert_int_eq(g711_alaw_linear[0x55], -8);
    ck_assert_int_eq(g711_alaw_linear[0xAA], 32256);
    ck_assert_int_eq(g711_alaw_linear[0x2A], -32256);
    ck_assert_int_eq(g711_ulaw_linear[0xFF], 0);
    ck_assert_int_eq(g711_ulaw_linear[0x80], 32124);
    ck_assert_int_eq(g711_ulaw_linear[0x00], -32124);
    for (int code = 0; code < 256; code++) {
        ck_assert_uint_eq(g711_alaw_encode(g711_alaw_linear[code]), (unsigned)code);
        if (code != 0x7F) /* minus zero */
            ck_assert_uint_eq(g711_ulaw_encode(g711_ulaw_linear[code]), (unsigned)code);
    }
    for (int v = -32768; v < 32768; v++) { /* error within half a step: 1/32 of the value, and the smallest steps */
        int a = g711_alaw_linear[g711_alaw_encode((int16_t)v)], u = g711_ulaw_linear[g711_ulaw_encode((int16_t)v)];
        ck_assert_int_le(abs(a - v), abs(v) / 32 + 16);
        ck_assert_int_le(abs(u - v), abs(v) / 32 + 16 + (abs(v) > 32635 ? 512 : 0));
    }
}
END_TEST

static void check_tone(enum sdp_codec codec)
{
    static int16_t pcm[8000];
    struct phone a;
    uint32_t id;
    struct media_item tone = {.kind = MEDIA_TONE, .hz1 = 1004, .level_dbm0 = -13};
    rig_start(&rig, 1);
    phone_open(&rig, &a, codec);
    ck_assert_int_eq(media_stream_play(a.s, &tone, 1, 0, &id), 0);
    record(&a, pcm, 8000, codec);
    double want = 32767.0 * pow(10.0, (-13 - 3.14) / 20.0), at = goertzel(pcm, 8000, 1004);
    ck_assert_double_ge(at, want * 0.98);
    ck_assert_double_le(at, want * 1.02);
    /* One second resolves 1 Hz: the peak is at 1004 and nowhere else. */
    ck_assert_double_lt(goertzel(pcm, 8000, 1002), want / 50);
    ck_assert_double_lt(goertzel(pcm, 8000, 1006), want / 50);
    ck_assert_double_lt(goertzel(pcm, 8000, 3012), want / 50);
    phone_close(&a);
    rig_stop(&rig);
}

START_TEST(tone_of_1004_hz)
{
    check_tone(_i ? SDP_PCMU : SDP_PCMA);
}
END_TEST

START_TEST(tone_with_cadence_and_two_frequencies)
{
    static int16_t pcm[4800];
    struct phone a;
    uint32_t id;
    struct media_item tone = {
        .kind = MEDIA_TONE, .hz1 = 440, .hz2 = 480, .level_dbm0 = -10, .on_ms = 200, .off_ms = 100, .ms = 600};
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMA);
    ck_assert_int_eq(media_stream_play(a.s, &tone, 1, 0, &id), 0);
    record(&a, pcm, 4800, SDP_PCMA);
    double each = 32767.0 * pow(10.0, (-13.01 - 3.14) / 20.0);
    for (unsigned round = 0; round < 2; round++) {
        const int16_t *on = pcm + round * 2400, *off = on + 1600;
        ck_assert_double_ge(goertzel(on, 1600, 440), each * 0.95);
        ck_assert_double_le(goertzel(on, 1600, 440), each * 1.05);
        ck_assert_double_ge(goertzel(on, 1600, 480), each * 0.95);
        for (unsigned k = 0; k < 800; k++)
            ck_assert_int_le(abs(off[k]), 8);
    }
    ck_assert_uint_eq(rig_wait(&rig, a.s, MEDIA_EV_PLAYED, 1).ev.play_id, id);
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

START_TEST(plays_a_list_completely)
{
    static int16_t pcm[8000];
    struct phone a;
    uint32_t id;
    struct prompt *one = ramp(1600), *two = ramp(1250);
    struct media_item items[] = {{.kind = MEDIA_PROMPT, .prompt = one},
                                 {.kind = MEDIA_SILENCE, .ms = 40},
                                 {.kind = MEDIA_PROMPT, .prompt = two}};
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMU);
    ck_assert_int_eq(media_stream_play(a.s, items, 3, 0, &id), 0);
    /* 1600 + 320 + 1250 samples are 19.8 packets: the last is filled up with silence. */
    record(&a, pcm, 3200, SDP_PCMU);
    for (unsigned k = 0; k < 1600; k++)
        ck_assert_int_le(abs(pcm[k] - one->pcm[k]), abs(one->pcm[k]) / 32 + 16);
    for (unsigned k = 1600; k < 1920; k++)
        ck_assert_int_eq(pcm[k], 0);
    for (unsigned k = 0; k < 1250; k++)
        ck_assert_int_le(abs(pcm[1920 + k] - two->pcm[k]), abs(two->pcm[k]) / 32 + 16);
    for (unsigned k = 1920 + 1250; k < 3200; k++)
        ck_assert_int_eq(pcm[k], 0);
    ck_assert_uint_eq(rig_wait(&rig, a.s, MEDIA_EV_PLAYED, 1).ev.play_id, id);
    ck_assert_uint_eq(rig_count(&rig, a.s, MEDIA_EV_PLAYED), 1);
    struct heard h;
    ck_assert(!phone_try_hear(&rig, &a, &h, 60)); /* and then nothing */
    phone_close(&a);
    rig_stop(&rig);
    ck_assert_uint_eq(one->refs, 1);
    ck_assert_uint_eq(two->refs, 1);
    prompt_unref(one);
    prompt_unref(two);
}
END_TEST

START_TEST(begins_in_the_middle)
{
    static int16_t pcm[1600];
    struct phone a;
    uint32_t id;
    struct prompt *one = ramp(1600), *music = ramp(800);
    struct media_item items[] = {{.kind = MEDIA_PROMPT, .prompt = one}, {.kind = MEDIA_MUSIC, .prompt = music}};
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMA);
    ck_assert_int_eq(media_stream_play(a.s, items, 2, 160, &id), 0); /* 40 ms before the first ends */
    record(&a, pcm, 1600, SDP_PCMA);
    for (unsigned k = 0; k < 1600; k++) {
        int want = k < 320 ? one->pcm[1280 + k] : music->pcm[(k - 320) % 800]; /* music begins again at its end */
        ck_assert_int_le(abs(pcm[k] - want), abs(want) / 32 + 16);
    }
    /* Beyond the end: over at once. */
    items[1].kind = MEDIA_PROMPT;
    ck_assert_int_eq(media_stream_play(a.s, items, 2, 5000, &id), 0);
    ck_assert_uint_eq(rig_wait(&rig, a.s, MEDIA_EV_PLAYED, 1).ev.play_id, id);
    phone_close(&a);
    rig_stop(&rig);
    prompt_unref(one);
    prompt_unref(music);
}
END_TEST

START_TEST(replacing_and_stopping_give_the_prompts_back)
{
    struct phone a;
    uint32_t id, first;
    struct prompt *one = ramp(80000);
    struct media_item item = {.kind = MEDIA_PROMPT, .prompt = one}, shorter = {.kind = MEDIA_SILENCE, .ms = 20};
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMA);
    ck_assert_int_eq(media_stream_play(a.s, &item, 1, 0, &first), 0);
    (void)phone_hear(&rig, &a);
    ck_assert_int_eq(media_stream_play(a.s, &shorter, 1, 0, &id), 0);
    ck_assert_uint_ne(id, first);
    ck_assert_uint_eq(rig_wait(&rig, a.s, MEDIA_EV_PLAYED, 1).ev.play_id, id);
    ck_assert_uint_eq(__atomic_load_n(&one->refs, __ATOMIC_SEQ_CST), 1);
    ck_assert_int_eq(media_stream_play(a.s, &item, 1, 0, &id), 0);
    media_stream_stop_play(a.s);
    rig_settle(&rig);
    ck_assert_uint_eq(__atomic_load_n(&one->refs, __ATOMIC_SEQ_CST), 1);
    ck_assert_int_eq(media_stream_play(a.s, &item, 1, 0, &id), 0);
    rig_settle(&rig);
    phone_close(&a); /* while it plays */
    rig_stop(&rig);
    ck_assert_uint_eq(one->refs, 1);
    ck_assert_uint_eq(rig_count(&rig, a.s, MEDIA_EV_PLAYED), 1);
    prompt_unref(one);
}
END_TEST

START_TEST(waits_for_somebody_to_hear_it)
{
    struct phone a;
    uint32_t id;
    struct media_item item = {.kind = MEDIA_TONE, .hz1 = 1000, .level_dbm0 = -10, .ms = 100};
    rig_start(&rig, 1);
    phone_open_on(&rig, &a, AF_INET, "127.0.0.1");
    ck_assert_int_eq(media_stream_play(a.s, &item, 1, 0, &id), 0);
    struct heard h;
    ck_assert(!phone_try_hear(&rig, &a, &h, 200));
    ck_assert_uint_eq(rig_count(&rig, a.s, MEDIA_EV_PLAYED), 0);
    struct media_remote m = phone_remote(&a, SDP_PCMA);
    media_stream_set_remote(a.s, &m);
    static int16_t pcm[800];
    record(&a, pcm, 800, SDP_PCMA);
    rig_wait(&rig, a.s, MEDIA_EV_PLAYED, 1);
    /* On hold the list goes on unheard, so that a menu does not stand still. */
    m.sdp.can_send = false;
    media_stream_set_remote(a.s, &m);
    ck_assert_int_eq(media_stream_play(a.s, &item, 1, 0, &id), 0);
    ck_assert_uint_eq(rig_wait(&rig, a.s, MEDIA_EV_PLAYED, 2).ev.play_id, id);
    ck_assert(!phone_try_hear(&rig, &a, &h, 10));
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

START_TEST(packs_by_ptime)
{
    static const uint16_t ptimes[] = {10, 20, 30, 40, 60};
    struct phone a;
    uint32_t id;
    struct media_item item = {.kind = MEDIA_TONE, .hz1 = 1000, .level_dbm0 = -10, .ms = 240};
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMU);
    struct media_remote m = phone_remote(&a, SDP_PCMU);
    for (unsigned round = 0; round < 5; round++) {
        m.sdp.ptime_ms = ptimes[round];
        media_stream_set_remote(a.s, &m);
        ck_assert_int_eq(media_stream_play(a.s, &item, 1, 0, &id), 0);
        for (unsigned k = 0; k < 240u / ptimes[round]; k++)
            ck_assert_uint_eq(phone_hear(&rig, &a).len, ptimes[round] * 8u);
        rig_wait(&rig, a.s, MEDIA_EV_PLAYED, round + 1);
    }
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

START_TEST(refuses_bad_items)
{
    struct phone a;
    uint32_t id = 7;
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMU);
    struct media_item item = {.kind = MEDIA_PROMPT};
    ck_assert_int_eq(media_stream_play(a.s, &item, 1, 0, &id), ERR_INVAL);
    item = (struct media_item){.kind = MEDIA_MUSIC};
    ck_assert_int_eq(media_stream_play(a.s, &item, 1, 0, &id), ERR_INVAL);
    item = (struct media_item){.kind = MEDIA_TONE, .hz1 = 4000};
    ck_assert_int_eq(media_stream_play(a.s, &item, 1, 0, &id), ERR_RANGE);
    item = (struct media_item){.kind = MEDIA_TONE, .hz1 = 400, .on_ms = 5};
    ck_assert_int_eq(media_stream_play(a.s, &item, 1, 0, &id), ERR_INVAL);
    ck_assert_int_eq(media_stream_play(a.s, &item, 0, 0, &id), ERR_RANGE);
    ck_assert_int_eq(media_stream_play(a.s, &item, MEDIA_ITEMS_MAX + 1, 0, &id), ERR_RANGE);
    ck_assert_uint_eq(id, 7);
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

START_TEST(echo_sends_back)
{
    struct phone a;
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMA);
    media_stream_echo(a.s, true);
    rig_settle(&rig);
    for (unsigned k = 0; k < 20; k++) {
        phone_talk(&a, 8, (uint8_t)k);
        struct heard h = phone_hear(&rig, &a);
        ck_assert_uint_eq(h.payload[k], k);
        ck_assert_uint_ne(h.ssrc, a.ssrc);
    }
    uint8_t event[4] = {9, 10, 0, 160};
    phone_send_as(&a, true, 101, a.seq++, a.ts, event, 4);
    ck_assert_uint_eq(phone_hear(&rig, &a).pt, 101);
    media_stream_echo(a.s, false);
    rig_settle(&rig);
    phone_talk(&a, 8, 1);
    struct heard h;
    ck_assert(!phone_try_hear(&rig, &a, &h, 60));
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

START_TEST(play_covers_a_bridge_and_uncovers_it)
{
    struct phone a, b;
    uint32_t id;
    struct media_item item = {.kind = MEDIA_SILENCE, .ms = 60};
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMU);
    phone_open(&rig, &b, SDP_PCMU);
    ck_assert_int_eq(media_bridge(a.s, b.s), 0);
    ck_assert_int_eq(media_stream_play(a.s, &item, 1, 0, &id), 0);
    rig_settle(&rig);
    phone_talk(&b, 0, 1);
    ck_assert_uint_eq(phone_hear(&rig, &a).payload[0], 0xFF);
    phone_talk(&a, 0, 2); /* the other direction is not touched */
    ck_assert_uint_eq(phone_hear(&rig, &b).payload[0], 2);
    rig_wait(&rig, a.s, MEDIA_EV_PLAYED, 1);
    phone_talk(&b, 0, 3);
    struct heard h;
    do
        h = phone_hear(&rig, &a);
    while (h.payload[0] == 0xFF);
    ck_assert_uint_eq(h.payload[0], 3);
    ck_assert(h.marker);
    phone_close(&a);
    phone_close(&b);
    rig_stop(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("media_play");
    TCase *tc = tcase_create("play");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, tables_agree_with_the_recommendation);
    tcase_add_loop_test(tc, tone_of_1004_hz, 0, 2);
    tcase_add_test(tc, tone_with_cadence_and_two_frequencies);
    tcase_add_test(tc, plays_a_list_completely);
    tcase_add_test(tc, begins_in_the_middle);
    tcase_add_test(tc, replacing_and_stopping_give_the_prompts_back);
    tcase_add_test(tc, waits_for_somebody_to_hear_it);
    tcase_add_test(tc, packs_by_ptime);
    tcase_add_test(tc, refuses_bad_items);
    tcase_add_test(tc, echo_sends_back);
    tcase_add_test(tc, play_covers_a_bridge_and_uncovers_it);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
