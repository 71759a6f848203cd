/* Digits: RFC 4733 relayed, found, made; in-band found and made. */
#include <spandsp.h>

#include "tests/unit/suite.h"
#include "tests/unit/telephony/media_rig.h"

static struct rig rig;

static void send_event(struct phone *ph, bool marker, uint8_t event, bool end, uint16_t dur)
{
    uint8_t p[4] = {event, (uint8_t)((end ? 0x80 : 0) | 10), (uint8_t)(dur >> 8), (uint8_t)dur};
    phone_send_as(ph, marker, 101, ph->seq++, ph->ts, p, 4);
}

/* A whole digit of 100 ms; `lose_ends` leaves the last three packets out. */
static void press(struct phone *ph, uint8_t event, bool lose_ends)
{
    for (uint16_t k = 1; k <= 5; k++)
        send_event(ph, k == 1, event, false, (uint16_t)(160 * k));
    for (unsigned k = 0; k < 3 && !lose_ends; k++)
        send_event(ph, false, event, true, 800);
    ph->ts += 960;
}

static void expect_digit(struct rig *r, struct media_stream *s, unsigned nth, char digit, uint32_t ms)
{
    struct rig_event ev = rig_wait(r, s, MEDIA_EV_DTMF, nth);
    ck_assert_int_eq(ev.ev.digit, digit);
    ck_assert_uint_eq(ev.ev.duration_ms, ms);
}

START_TEST(events_are_told_once_each)
{
    struct phone a;
    static const char digits[] = "0123456789*#ABCD";
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMA);
    for (uint8_t k = 0; k < 16; k++)
        press(&a, k, false);
    press(&a, 5, false); /* the same key twice */
    press(&a, 5, false);
    for (unsigned k = 0; k < 16; k++)
        expect_digit(&rig, a.s, k + 1, digits[k], 100);
    expect_digit(&rig, a.s, 18, '5', 100);
    send_event(&a, true, 16, true, 800); /* hook flash is no key */
    send_event(&a, true, 200, true, 800);
    uint8_t cut[3] = {1, 0x80, 0};
    phone_send_as(&a, true, 101, a.seq++, a.ts + 5000, cut, 3);
    a.ts += 10000;
    press(&a, 1, false);
    expect_digit(&rig, a.s, 19, '1', 100);
    ck_assert_uint_eq(rig_count(&rig, a.s, MEDIA_EV_DTMF), 19);
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

START_TEST(lost_ends_do_not_lose_the_digit)
{
    struct phone a;
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMA);
    press(&a, 1, true); /* the next digit ends it */
    press(&a, 2, true); /* time ends it */
    expect_digit(&rig, a.s, 1, '1', 100);
    expect_digit(&rig, a.s, 2, '2', 100);
    /* Only the last end arrives. */
    send_event(&a, false, 3, true, 800);
    a.ts += 960;
    expect_digit(&rig, a.s, 3, '3', 100);
    /* An end of an old digit that was held up on its way. */
    press(&a, 4, false);
    expect_digit(&rig, a.s, 4, '4', 100);
    uint8_t late[4] = {4, 0x80 | 10, 3, 0x20};
    phone_send_as(&a, false, 101, (uint16_t)(a.seq - 1), a.ts - 960, late, 4);
    /* A key held for more than a segment. */
    send_event(&a, true, 7, false, 0xFFFF);
    a.ts += 0xFFFF;
    send_event(&a, false, 7, false, 160);
    send_event(&a, false, 7, true, 305);
    expect_digit(&rig, a.s, 5, '7', (0xFFFF + 305) / 8);
    ck_assert_uint_eq(rig_count(&rig, a.s, MEDIA_EV_DTMF), 5);
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

START_TEST(events_are_relayed_in_place)
{
    struct phone a, b;
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMA);
    phone_open(&rig, &b, SDP_PCMU);
    struct media_remote m = phone_remote(&b, SDP_PCMU);
    m.sdp.dtmf_pt = m.sdp.dtmf_recv_pt = 97;
    media_stream_set_remote(b.s, &m);
    ck_assert_int_eq(media_bridge(a.s, b.s), 0);
    rig_settle(&rig);
    phone_talk(&a, 8, 1);
    struct heard first = phone_hear(&rig, &b);
    uint32_t start = a.ts;
    press(&a, 11, false);
    for (unsigned k = 0; k < 8; k++) {
        struct heard h = phone_hear(&rig, &b);
        ck_assert_uint_eq(h.pt, 97);
        ck_assert_int_eq(h.marker, k == 0);
        ck_assert_uint_eq(h.seq, (uint16_t)(first.seq + 1 + k));
        ck_assert_uint_eq(h.ts, first.ts + 160);
        ck_assert_uint_eq(h.payload[0], 11);
        ck_assert_int_eq((h.payload[1] & 0x80) != 0, k >= 5);
    }
    phone_talk(&a, 8, 2);
    struct heard h = phone_hear(&rig, &b);
    ck_assert_uint_eq(h.pt, 0);
    ck_assert_uint_eq(h.ts, first.ts + 160 + (a.ts - 160 - start));
    expect_digit(&rig, a.s, 1, '#', 100);
    ck_assert_uint_eq(rig_count(&rig, b.s, MEDIA_EV_DTMF), 0);
    phone_close(&a);
    phone_close(&b);
    rig_stop(&rig);
}
END_TEST

START_TEST(sends_events)
{
    struct phone a;
    uint32_t id;
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMA);
    struct media_item music = {.kind = MEDIA_TONE, .hz1 = 400, .level_dbm0 = -10};
    ck_assert_int_eq(media_stream_play(a.s, &music, 1, 0, &id), 0);
    struct heard last = phone_hear(&rig, &a);
    media_stream_send_dtmf(a.s, '4', 100);
    media_stream_send_dtmf(a.s, '#', 60);
    static const struct {
        uint8_t event;
        unsigned before_end;
        uint16_t dur;
    } want[] = {{4, 5, 800}, {11, 3, 480}};
    for (unsigned d = 0; d < 2; d++) {
        unsigned n = 0, ends = 0;
        uint32_t ts = 0;
        for (struct heard h = phone_hear(&rig, &a); ends < 3; h = ends < 3 ? phone_hear(&rig, &a) : h) {
            ck_assert_uint_eq(h.seq, (uint16_t)(last.seq + 1));
            uint32_t stamp_before = last.ts;
            last = h;
            if (h.pt != 101) {
                ck_assert_uint_eq(n, 0); /* nothing between the packets of a digit */
                continue;
            }
            ck_assert_int_eq(h.marker, n == 0);
            ck_assert_uint_eq(h.payload[0], want[d].event);
            if (n++ == 0) {
                ts = h.ts;
                ck_assert_int_ge((int32_t)(ts - stamp_before), 160);
            }
            ck_assert_uint_eq(h.ts, ts);
            uint16_t dur = (uint16_t)(h.payload[2] << 8 | h.payload[3]);
            if (h.payload[1] & 0x80) {
                ends++;
                ck_assert_uint_eq(dur, want[d].dur);
            } else {
                ck_assert_uint_eq(dur, 160 * n);
            }
        }
        ck_assert_uint_eq(n, want[d].before_end + 3);
    }
    struct heard h = phone_hear(&rig, &a); /* music goes on, later in time than the digit */
    ck_assert_uint_eq(h.pt, 8);
    ck_assert(h.marker);
    ck_assert_uint_eq(h.seq, (uint16_t)(last.seq + 1));
    ck_assert_int_ge((int32_t)(h.ts - last.ts), 480);
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

/* Sends a digit as tones, with silence behind it. */
static void dial_inband(struct phone *ph, enum sdp_codec codec, const char *digits)
{
    int16_t pcm[160];
    dtmf_tx_state_t *tx = dtmf_tx_init(NULL);
    ck_assert_ptr_nonnull(tx);
    dtmf_tx_put(tx, digits, -1);
    for (unsigned k = 0; k < 10 * strlen(digits) + 10; k++) {
        uint8_t payload[160];
        int n = dtmf_tx(tx, pcm, 160);
        memset(pcm + n, 0, (size_t)(160 - n) * sizeof *pcm);
        for (unsigned i = 0; i < 160; i++)
            payload[i] = codec == SDP_PCMU ? g711_ulaw_encode(pcm[i]) : g711_alaw_encode(pcm[i]);
        phone_send_as(ph, false, rig_pt(codec), ph->seq++, ph->ts, payload, 160);
        ph->ts += 160;
    }
    dtmf_tx_free(tx);
}

START_TEST(finds_digits_in_the_audio)
{
    struct phone a;
    static const char digits[] = "1234567890*#ABCD";
    enum sdp_codec codec = _i ? SDP_PCMU : SDP_PCMA;
    rig_start(&rig, 1);
    phone_open(&rig, &a, codec);
    struct media_remote m = phone_remote(&a, codec);
    m.inband_dtmf = true;
    m.sdp.dtmf_pt = m.sdp.dtmf_recv_pt = -1;
    media_stream_set_remote(a.s, &m);
    rig_settle(&rig);
    dial_inband(&a, codec, digits);
    for (unsigned k = 0; k < 16; k++) {
        struct rig_event ev = rig_wait(&rig, a.s, MEDIA_EV_DTMF, k + 1);
        ck_assert_int_eq(ev.ev.digit, digits[k]);
        ck_assert_uint_ge(ev.ev.duration_ms, 20);
        ck_assert_uint_le(ev.ev.duration_ms, 120);
    }
    /* Not when the other side has events. */
    m.sdp.dtmf_pt = m.sdp.dtmf_recv_pt = 101;
    media_stream_set_remote(a.s, &m);
    rig_settle(&rig);
    dial_inband(&a, codec, "12");
    press(&a, 9, false);
    expect_digit(&rig, a.s, 17, '9', 100);
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

/* Reads packets until the detector has seen `want`. */
static void expect_tones(struct phone *ph, enum sdp_codec codec, const char *want)
{
    char got[32] = "";
    size_t n = 0;
    dtmf_rx_state_t *rx = dtmf_rx_init(NULL, NULL, NULL);
    ck_assert_ptr_nonnull(rx);
    while (n < strlen(want)) {
        struct heard h = phone_hear(&rig, ph);
        ck_assert_uint_eq(h.pt, rig_pt(codec));
        int16_t pcm[160];
        ck_assert_uint_eq(h.len, 160);
        for (unsigned i = 0; i < 160; i++)
            pcm[i] = codec == SDP_PCMU ? g711_ulaw_linear[h.payload[i]] : g711_alaw_linear[h.payload[i]];
        dtmf_rx(rx, pcm, 160);
        if (h.marker)
            dtmf_rx_fillin(rx, 160);
        n += dtmf_rx_get(rx, got + n, (int)(sizeof got - n - 1));
    }
    got[n] = '\0';
    ck_assert_str_eq(got, want);
    dtmf_rx_free(rx);
}

START_TEST(makes_tones_where_there_are_no_events)
{
    struct phone a, b;
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMA);
    phone_open(&rig, &b, SDP_PCMU);
    struct media_remote m = phone_remote(&b, SDP_PCMU);
    m.sdp.dtmf_pt = m.sdp.dtmf_recv_pt = -1;
    media_stream_set_remote(b.s, &m);
    rig_settle(&rig);
    static const char keys[] = "159D*0#3";
    for (size_t k = 0; keys[k]; k++)
        media_stream_send_dtmf(b.s, keys[k], 80);
    expect_tones(&b, SDP_PCMU, keys);
    /* And a key that the other leg sends as an event. */
    ck_assert_int_eq(media_bridge(a.s, b.s), 0);
    rig_settle(&rig);
    press(&a, 8, false);
    expect_digit(&rig, a.s, 1, '8', 100);
    expect_tones(&b, SDP_PCMU, "8");
    media_stream_send_dtmf(b.s, 'x', 80); /* no key: nothing happens */
    phone_close(&a);
    phone_close(&b);
    rig_stop(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("media_dtmf");
    TCase *tc = tcase_create("digits");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, events_are_told_once_each);
    tcase_add_test(tc, lost_ends_do_not_lose_the_digit);
    tcase_add_test(tc, events_are_relayed_in_place);
    tcase_add_test(tc, sends_events);
    tcase_add_loop_test(tc, finds_digits_in_the_audio, 0, 2);
    tcase_add_test(tc, makes_tones_where_there_are_no_events);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
