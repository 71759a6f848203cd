/* Rooms: who hears whom, told by tones. */
#include "telephony/recorder.h"
#include "tests/unit/telephony/room_rig.h"

#define M(...) ((const uint32_t[8]){__VA_ARGS__})

START_TEST(conference_of_three)
{
    start(3, 2);
    struct media_room *r = room_open();
    heard_as_set(r, 3, M(6, 5, 3));
    no_gaps();
    party_close(&p[2]); /* without a word to the room: the others go on */
    rig_settle(&rig);
    until_heard(M(2, 1));
    heard_as_set(r, 2, M(2, 1));
    ck_assert(!p[0].ph.s->mouth && !p[1].ph.s->coder); /* now relayed */
    no_gaps();
    stop();
}
END_TEST

START_TEST(conference_of_eight)
{
    uint32_t all[8];
    start(8, 4);
    struct media_room *r = room_open();
    for (unsigned i = 0; i < 8; i++)
        all[i] = 0xffu & ~(1u << i);
    heard_as_set(r, 8, all);
    all[3] = 1; /* one who listens to the first alone, one who is heard by nobody and hears nobody */
    all[5] = 0;
    for (unsigned i = 0; i < 8; i++)
        all[i] &= ~(1u << 5);
    set(r, 8, all);
    all[5] = ANY;
    until_heard(all);
    is_sent_nothing(5);
    no_gaps();
    media_room_close(r);
    rig_settle(&rig);
    for (unsigned i = 0; i < 8; i++)
        is_sent_nothing(i);
    stop();
}
END_TEST

/* Agent 0, customer 1, supervisor 2. */
START_TEST(supervision_is_switched_without_a_gap)
{
    static const struct {
        const char *what;
        uint32_t hears[3];
    } modes[] = {
        {"listen", {2, 1, 3}},      {"whisper", {6, 1, 3}},   {"barge in", {6, 5, 3}}, {"listen again", {2, 1, 3}},
        {"agent alone", {4, 0, 1}}, {"take over", {0, 4, 2}}, {"whisper", {6, 1, 3}},
    };
    start(3, 2);
    ck_assert_int_eq(media_bridge(p[0].ph.s, p[1].ph.s), 0);
    rig_settle(&rig);
    until_heard(M(2, 1, ANY));
    struct media_room *r = room_open();
    for (unsigned i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        uint32_t want[3];
        set(r, 3, modes[i].hears);
        for (unsigned k = 0; k < 3; k++)
            want[k] = modes[i].hears[k] ? modes[i].hears[k] : ANY;
        until_heard(want);
    }
    ck_assert_int_eq(media_bridge(p[0].ph.s, p[1].ph.s), 0); /* out of the room; who stays hears nobody */
    rig_settle(&rig);
    until_heard(M(2, 1, ANY));
    no_gaps();
    media_room_close(r);
    stop();
}
END_TEST

/* Bytes, numbers and time stamps of a relayed call, before, while and after somebody listens: one source for the whole. */
START_TEST(a_listener_leaves_the_call_as_it_is)
{
    uint8_t payload[160];
    uint32_t ts_off[2] = {0};
    uint16_t seq_off[2] = {0};
    rig_start(&rig, 2);
    n_parties = 3;
    for (unsigned i = 0; i < 3; i++)
        party_open(i, SDP_PCMA);
    struct media_room *r = room_open();
    ck_assert_int_eq(media_bridge(p[0].ph.s, p[1].ph.s), 0);
    rig_settle(&rig);
    for (unsigned round = 0; round < 60; round++) {
        if (round == 10)
            set(r, 2, M(2, 1));
        if (round == 20)
            set(r, 3, M(2, 1, 3));
        if (round == 40)
            set(r, 2, M(2, 1));
        if (round == 50) {
            ck_assert_int_eq(media_bridge(p[1].ph.s, p[0].ph.s), 0);
            rig_settle(&rig);
        }
        for (unsigned i = 0; i < 2; i++) {
            struct phone *from = &p[i].ph;
            for (unsigned k = 0; k < sizeof payload; k++)
                payload[k] = (uint8_t)random();
            phone_send_as(from, false, 8, from->seq, from->ts, payload, sizeof payload);
            struct heard h = phone_hear(&rig, &p[!i].ph);
            ck_assert_int_eq(memcmp(h.payload, payload, sizeof payload), 0);
            if (round == 0) {
                seq_off[i] = (uint16_t)(h.seq - from->seq);
                ts_off[i] = h.ts - from->ts;
            }
            ck_assert_uint_eq((uint16_t)(h.seq - from->seq), seq_off[i]);
            ck_assert_uint_eq(h.ts - from->ts, ts_off[i]);
            ck_assert_int_eq(h.marker, round == 0);
            from->seq++;
            from->ts += 160;
        }
    }
    media_room_close(r);
    stop();
}
END_TEST

static void play(unsigned i, uint32_t ms, uint32_t *id)
{
    const struct media_item music = {.kind = MEDIA_TONE, .ms = ms, .hz1 = MUSIC_HZ, .level_dbm0 = -16};
    ck_assert_int_eq(media_stream_play(p[i].ph.s, &music, 1, 0, id), 0);
}

/* Customer 0 hears music while agent 1 asks colleague 2; then the agent is turned to the customer again, and back. */
START_TEST(consultation)
{
    uint32_t id;
    start(3, 2);
    struct media_room *r = room_open();
    for (unsigned round = 0; round < 2; round++) {
        set(r, 3, M(0, 4, 2));
        play(0, 0, &id);
        until_heard(M(MUSIC, 4, 2));
        set(r, 3, M(2, 1, 0));
        media_stream_stop_play(p[0].ph.s);
        play(2, 0, &id);
        until_heard(M(2, 1, MUSIC));
        media_stream_stop_play(p[2].ph.s);
    }
    heard_as_set(r, 3, M(6, 5, 3)); /* all three talk */
    no_gaps();
    stop();
}
END_TEST

START_TEST(played_is_heard_instead)
{
    uint32_t id;
    start(3, 1);
    struct media_room *r = room_open();
    heard_as_set(r, 3, M(6, 1, 3)); /* 0 and 2 are mixed to, 1 is relayed to */
    for (unsigned i = 0; i < 3; i++)
        play(i, 700, &id);
    until_heard(M(MUSIC, MUSIC, MUSIC));
    for (unsigned i = 0; i < 3; i++)
        (void)rig_wait(&rig, p[i].ph.s, MEDIA_EV_PLAYED, 1);
    next_us = clock_mono_now().us;
    until_heard(M(6, 1, 3));
    no_gaps();
    stop();
}
END_TEST

START_TEST(mute_hold_and_echo)
{
    start(3, 1);
    struct media_room *r = room_open();
    set(r, 3, M(6, 1, 3));
    until_heard(M(6, 1, 3));
    media_stream_mute(p[1].ph.s, true);
    until_heard(M(4, 1, 1));
    media_stream_mute(p[0].ph.s, true);
    until_heard(M(4, 0, 0)); /* still sent to, silence */
    media_stream_mute(p[0].ph.s, false);
    media_stream_mute(p[1].ph.s, false);
    until_heard(M(6, 1, 3));

    media_stream_pause(p[0].ph.s, true);
    until_heard(M(ANY, 0, 2));
    is_sent_nothing(0);
    media_stream_pause(p[0].ph.s, false);
    until_heard(M(6, 1, 3));
    media_stream_echo(p[2].ph.s, true);
    until_heard(M(2, 1, 4));
    media_stream_echo(p[2].ph.s, false);
    until_heard(M(6, 1, 3));
    no_gaps();
    stop();
}
END_TEST

/* Told the end three times, as RFC 4733 section 2.5.1.4 has it. */
static void press(struct party *k, uint8_t key)
{
    uint32_t ts = k->ph.ts;
    for (unsigned i = 0; i < 8; i++) {
        unsigned dur = i < 5 ? 160 * (i + 1) : 960;
        uint8_t event[4] = {key, (uint8_t)((i >= 5 ? 0x80u : 0) | 10u), (uint8_t)(dur >> 8), (uint8_t)dur};
        phone_send_as(&k->ph, i == 0, 101, k->ph.seq++, ts, event, 4);
        if (i < 5)
            step();
        k->ph.ts = ts + dur;
    }
}

/* The keys are told to who hears: by events where they are relayed or can be, else as tones. */
START_TEST(keys_are_passed_on)
{
    start(4, 1);
    struct media_room *r = room_open();
    struct media_remote plain = phone_remote(&p[2].ph, p[2].codec);
    plain.sdp.dtmf_pt = plain.sdp.dtmf_recv_pt = -1;
    media_stream_set_remote(p[2].ph.s, &plain);
    heard_as_set(r, 4, M(2, 1, 3, 0)); /* 0 and 1 relayed, 2 mixed to, 3 hears nobody */
    for (unsigned i = 0; i < 2; i++)
        p[i].quiet = true;
    press(&p[0], 5);
    ck_assert_int_eq(rig_wait(&rig, p[0].ph.s, MEDIA_EV_DTMF, 1).ev.digit, '5');
    uint64_t end = clock_mono_now().us + PATIENCE_US;
    for (bool tones = false; !tones;) {
        ck_assert_msg(clock_mono_now().us < end, "no tones");
        step();
        const int16_t *late = p[2].window + WINDOW - 640;
        tones = amount_in(late, 640, 770) > 0.5 && amount_in(late, 640, 1336) > 0.5;
    }
    ck_assert_uint_eq(p[1].events, 8);
    ck_assert_uint_eq(p[0].events + p[3].events, 0);
    p[0].quiet = p[1].quiet = false;
    heard_as_set(r, 3, M(6, 5, 3)); /* all are mixed to */
    p[1].quiet = true;
    press(&p[1], 9);
    p[1].quiet = false;
    ck_assert_int_eq(rig_wait(&rig, p[1].ph.s, MEDIA_EV_DTMF, 1).ev.digit, '9');
    while (p[0].events < 8 && clock_mono_now().us < end)
        step();
    ck_assert_uint_ge(p[0].events, 8);
    ck_assert_uint_eq(p[0].last.payload[0] == 9 || p[0].last.pt != 101, true);
    ck_assert_uint_eq(p[1].events, 8); /* its own key does not come back */
    media_stream_mute(p[1].ph.s, true);
    for (unsigned i = 0; i < 15; i++)
        step(); /* the rest of that key */
    unsigned before = p[0].events;
    press(&p[1], 1);
    (void)rig_wait(&rig, p[1].ph.s, MEDIA_EV_DTMF, 2);
    for (unsigned i = 0; i < 15; i++)
        step();
    ck_assert_uint_eq(p[0].events, before);
    stop();
}
END_TEST

/* Party 0 by a network that loses one packet in ten, swaps others and is late with some. */
START_TEST(bad_network)
{
    uint8_t kept[3][160];
    unsigned n_kept = 0, heard = 0;
    start(3, 1);
    struct media_room *r = room_open();
    heard_as_set(r, 3, M(6, 5, 3));
    p[0].quiet = true;
    uint64_t end = clock_mono_now().us + PATIENCE_US;
    for (unsigned k = 0; k < 150 || heard < 100; k++) {
        struct party *a = &p[0];
        ck_assert_msg(clock_mono_now().us < end, "heard in %u of %u frames", heard, k);
        uint8_t payload[CODEC_PACKET_MAX];
        size_t len = (size_t)make_packet(a, payload);
        uint16_t seq = a->ph.seq++;
        uint32_t ts = a->ph.ts;
        a->ph.ts += 160;
        if (k % 10 == 9) {
            /* lost */
        } else if (k % 7 == 3 && n_kept == 0) {
            memcpy(kept[n_kept++], payload, len); /* late by a packet */
        } else {
            phone_send_as(&a->ph, false, 8, seq, ts, payload, len);
            if (n_kept) {
                phone_send_as(&a->ph, false, 8, (uint16_t)(seq - 1), ts - 160, kept[0], sizeof kept[0]);
                phone_send_as(&a->ph, false, 8, (uint16_t)(seq - 1), ts - 160, kept[0], sizeof kept[0]);
            }
            n_kept = 0;
        }
        step();
        heard += k > 20 && amount_in(p[1].window, WINDOW, a->hz) > 0.4;
    }
    p[0].quiet = false;
    until_heard(M(6, 5, 3));
    no_gaps();
    stop();
}
END_TEST

/* What of it are windows with this party's tone; the others' is never in it. */
static unsigned windows_of(struct recorder *rec, const struct party *k, const struct party *other)
{
    static int16_t pcm[WINDOW];
    static unsigned n;
    unsigned loud = 0;
    uint8_t some[160];
    while (recorder_take(rec, some, sizeof some) == sizeof some) {
        for (unsigned i = 0; i < sizeof some; i++)
            pcm[n + i] = g711_alaw_linear[some[i]];
        n = (n + 160) % WINDOW;
        loud += n == 0 && amount_in(pcm, WINDOW, k->hz) > 0.6;
        must_hold(amount_in(pcm, WINDOW, other->hz) < 0.3);
    }
    return loud;
}

static void until_recorded(struct recorder *rec, const struct party *k, const struct party *other)
{
    uint64_t end = clock_mono_now().us + PATIENCE_US;
    for (unsigned loud = 0; loud < 5; loud += windows_of(rec, k, other)) {
        ck_assert_msg(clock_mono_now().us < end, "it is not recorded");
        step();
    }
}

START_TEST(recorders_go_on)
{
    struct recorder *rec;
    start(3, 2);
    struct media_room *r = room_open();
    ck_assert_int_eq(recorder_new(&(struct recorder_params){0}, &rec), 0);
    ck_assert_int_eq(media_stream_record(p[1].ph.s, rec), 0);
    ck_assert_int_eq(media_bridge(p[0].ph.s, p[1].ph.s), 0);
    until_recorded(rec, &p[1], &p[0]);
    set(r, 3, M(6, 5, 3));
    until_recorded(rec, &p[1], &p[0]);
    set(r, 3, M(2, 1, 3));
    until_recorded(rec, &p[1], &p[0]);
    recorder_unref(rec);
    stop();
}
END_TEST

START_TEST(between_rooms_and_bridges)
{
    start(4, 4);
    struct media_room *r = room_open(), *other = room_open();
    heard_as_set(r, 4, M(14, 13, 11, 7));
    struct media_seat two[2] = {{p[3].ph.s, 2}, {p[1].ph.s, 1}};
    ck_assert_int_eq(media_room_set(other, two, 2), 0);
    rig_settle(&rig);
    until_heard(M(4, 8, 1, 2));
    ck_assert_int_eq(media_bridge(p[0].ph.s, p[3].ph.s), 0);
    rig_settle(&rig);
    until_heard(M(8, ANY, ANY, 1));
    is_sent_nothing(1);
    heard_as_set(other, 4, M(14, 13, 11, 7));
    media_room_close(r); /* empty by now */
    rig_settle(&rig);
    until_heard(M(14, 13, 11, 7));
    ck_assert_int_eq(media_room_set(other, NULL, 0), 0);
    rig_settle(&rig);
    for (unsigned i = 0; i < 4; i++)
        is_sent_nothing(i);
    no_gaps();
    media_room_close(other);
    stop();
}
END_TEST

/* The codec of a seat changes by a re-INVITE. */
START_TEST(a_session_changes)
{
    start(3, 1);
    struct media_room *r = room_open();
    heard_as_set(r, 3, M(6, 1, 3));
    for (unsigned i = 0; i < 3; i++) {
        speak_by(&p[i], p[i].codec == SDP_PCMA ? SDP_PCMU : SDP_PCMA);
        struct media_remote m = phone_remote(&p[i].ph, p[i].codec);
        media_stream_set_remote(p[i].ph.s, &m);
        rig_settle(&rig);
        hear_all();
    }
    until_heard(M(6, 1, 3));
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_eq(p[i].last.pt, rig_pt(p[i].codec));
    no_gaps();
    stop();
}
END_TEST

static void open_by(const enum sdp_codec *codecs, unsigned n)
{
    rig_start(&rig, 2);
    n_parties = n;
    for (unsigned i = 0; i < n; i++)
        party_open(i, codecs[i]);
    next_us = clock_mono_now().us;
}

START_TEST(two_seats_of_different_codecs)
{
    static const enum sdp_codec pairs[][2] = {{SDP_PCMA, SDP_G722}, {SDP_OPUS, SDP_PCMU}, {SDP_G722, SDP_OPUS}};
    const enum sdp_codec *codecs = pairs[_i];
    open_by(codecs, 2);
    struct media_room *r = room_open();
    heard_as_set(r, 2, M(2, 1));
    media_stream_mute(p[0].ph.s, true);
    until_heard(M(2, 0));
    media_stream_mute(p[0].ph.s, false);
    until_heard(M(2, 1));
    no_gaps();
    stop();
}
END_TEST

/* All in one conference, at 16 kHz; the wide ones leave, and it is one of G.711. */
START_TEST(all_codecs_in_one_room)
{
    uint32_t id;
    open_by((const enum sdp_codec[]){SDP_PCMA, SDP_PCMU, SDP_G722, SDP_OPUS}, 4);
    struct media_room *r = room_open();
    heard_as_set(r, 4, M(14, 13, 11, 7));
    play(3, 0, &id);
    play(2, 0, &id);
    until_heard(M(14, 13, MUSIC, MUSIC));
    media_stream_stop_play(p[2].ph.s);
    media_stream_stop_play(p[3].ph.s);
    heard_as_set(r, 4, M(2, 1, 3, 3));                        /* two wide listeners on a relayed call */
    struct media_remote m = phone_remote(&p[1].ph, SDP_OPUS); /* and one of the two changes its codec */
    speak_by(&p[1], SDP_OPUS);
    media_stream_set_remote(p[1].ph.s, &m);
    p[1].any = false; /* its time stamps run by another clock */
    rig_settle(&rig);
    for (struct heard h; phone_try_hear(&rig, &p[1].ph, &h, 0);)
        continue;
    until_heard(M(2, 1, 3, 3));
    party_close(&p[3]);
    heard_as_set(r, 3, M(6, 5, 3));
    no_gaps();
    stop();
}
END_TEST

/* 200 ms of what comes to it, at 16 kHz. */
static void hear_wide(struct party *k, struct codec_state *wide, int16_t *pcm, unsigned n)
{
    struct heard h;
    for (unsigned at = 0; at < n; at += 320) {
        while (!phone_heard(&k->ph, &h))
            step();
        ck_assert_int_eq(codec_decode(wide, h.payload, h.len, pcm + at, 320), 320);
    }
}

/* What telephones of old cannot hear, others are given: a tone of 5 kHz among three. */
START_TEST(wide_sound_stays_wide)
{
    static int16_t pcm[3200];
    uint8_t payload[CODEC_PACKET_MAX];
    struct codec_state *wide = NULL;
    const struct codec *g722 = codec_get(CODEC_G722);
    double phase = 0, loud = 0;
    open_by((const enum sdp_codec[]){SDP_G722, SDP_G722, SDP_PCMA}, 3);
    ck_assert_int_eq(codec_open(g722, 16000, CODEC_ENCODE | CODEC_DECODE, NULL, &wide, NULL), 0);
    set(room_open(), 3, M(6, 5, 3));
    n_parties = 0; /* only 0 speaks, and only 1 is listened to */
    for (uint64_t end = clock_mono_now().us + PATIENCE_US; loud < 0.5;) {
        ck_assert_msg(clock_mono_now().us < end, "5 kHz: %.2f", loud);
        for (unsigned k = 0; k < 10; k++) {
            for (unsigned i = 0; i < 320; i++, phase += 2 * M_PI * 5000 / 16000)
                pcm[i] = (int16_t)lrint(LOUDNESS * sin(phase));
            int len = codec_encode(wide, pcm, 320, payload, sizeof payload);
            phone_send_as(&p[0].ph, false, 9, p[0].ph.seq++, p[0].ph.ts, payload, (size_t)len);
            p[0].ph.ts += 160;
            step();
        }
        hear_wide(&p[1], wide, pcm, 3200);
        loud = amount_in(pcm, 3200, 2500); /* as if they were of 8 kHz */
    }
    codec_close(wide);
    n_parties = 3;
    stop();
}
END_TEST

/* Longer and shorter packets than a tick. */
START_TEST(packets_of_other_lengths)
{
    static const uint16_t lengths[] = {10, 30, 40, 60};
    start(3, 1);
    struct media_room *r = room_open();
    for (unsigned k = 0; k < 4; k++) {
        struct media_remote m = phone_remote(&p[2].ph, p[2].codec);
        m.sdp.ptime_ms = lengths[k];
        media_stream_set_remote(p[2].ph.s, &m);
        set(r, 3, M(2, 1, 3));
        rig_settle(&rig);
        struct heard h, before = {0};
        for (unsigned got = 0; got < 6;) {
            say(&p[0]);
            if (!phone_try_hear(&rig, &p[2].ph, &h, 20))
                continue;
            got = h.len == lengths[k] * 8u ? got + 1 : 0;
            if (got > 1) {
                ck_assert_uint_eq(h.seq, (uint16_t)(before.seq + 1));
                ck_assert_uint_eq(h.ts, before.ts + lengths[k] * 8u);
            }
            before = h;
        }
    }
    stop();
}
END_TEST

static double loudness_of(const struct party *k)
{
    double sum = 0;
    for (unsigned i = 0; i < WINDOW; i++)
        sum += abs(k->window[i]);
    return sum / WINDOW;
}

/* The tones of a rig are louder than speech: with gain control each is heard at -26 dBov, without it as it is. Who hears nobody speak hears
 * noise, if that is wanted. */
START_TEST(one_loudness_and_noise)
{
    start(3, 1);
    p[1].quiet = p[2].quiet = true;
    struct media_room *r = room_open();
    media_room_comfort(r, true, true);
    set(r, 3, M(6, 5, 3));
    uint64_t end = clock_mono_now().us + PATIENCE_US;
    do {
        step();
        ck_assert_msg(clock_mono_now().us < end, "heard at %.0f, noise at %.1f", loudness_of(&p[1]), loudness_of(&p[0]));
    } while (p[1].n < WINDOW || fabs(loudness_of(&p[1]) - 1150) > 100 || loudness_of(&p[0]) < 10 || loudness_of(&p[0]) > 40);
    media_room_comfort(r, false, false);
    set(r, 3, M(6, 5, 3));
    do {
        step();
        ck_assert_msg(clock_mono_now().us < end, "heard at %.0f, noise at %.1f", loudness_of(&p[1]), loudness_of(&p[0]));
    } while (fabs(loudness_of(&p[1]) - 0.637 * LOUDNESS) > 100 || loudness_of(&p[0]) > 8);
    no_gaps();
    media_room_close(r);
    stop();
}
END_TEST

START_TEST(numbers_go_on_at_the_next_node)
{
    struct party next = {.hz = 900};
    start(3, 1);
    struct media_numbering num = {
        .ssrc = 0xabcdef01, .seq = 65530, .ts = 0xfffff000, .at_us = clock_mono_now().us - 40000, .goes_on = true};
    struct media_stream_params params = {.ip = "127.0.0.1", .numbering = &num, .cb = rig_on_event, .ctx = &rig};
    party_close(&p[2]);
    speak_by(&next, SDP_PCMA);
    phone_open_on(&rig, &next.ph, AF_INET, "127.0.0.1");
    media_stream_close(next.ph.s);
    ck_assert_int_eq(media_stream_open(rig.e, &params, &next.ph.s), 0);
    next.ph.to = rig_addr(AF_INET, "127.0.0.1", media_stream_port(next.ph.s));
    p[2] = next;
    struct media_remote m = phone_remote(&p[2].ph, SDP_PCMA);
    media_stream_set_remote(p[2].ph.s, &m);
    struct media_room *r = room_open();
    set(r, 3, M(6, 5, 3));
    while (!p[2].any)
        step();
    uint32_t passed = (uint32_t)((p[2].last.at_us - num.at_us) / 125u);
    ck_assert_uint_eq(p[2].last.ssrc, num.ssrc);
    ck_assert_uint_lt((uint16_t)(p[2].last.seq - num.seq), p[2].packets);
    ck_assert_int_le(abs((int32_t)(p[2].last.ts - num.ts - passed)), 320);
    until_heard(M(6, 5, 3));
    no_gaps();
    stop();
}
END_TEST

START_TEST(what_is_refused)
{
    struct rig other = {0};
    struct media_seat seats[40];
    start(2, 1);
    struct media_room *r = room_open();
    seats[0] = (struct media_seat){p[0].ph.s, 2};
    seats[1] = (struct media_seat){p[1].ph.s, 4};
    ck_assert_int_eq(media_room_set(r, seats, 2), ERR_INVAL); /* there is no third */
    seats[1] = (struct media_seat){p[0].ph.s, 1};
    ck_assert_int_eq(media_room_set(r, seats, 2), ERR_INVAL);
    seats[1] = (struct media_seat){NULL, 1};
    ck_assert_int_eq(media_room_set(r, seats, 2), ERR_INVAL);
    ck_assert_int_eq(media_room_set(r, seats, MEDIA_SEATS_MAX + 1), ERR_RANGE);
    seats[1] = (struct media_seat){p[1].ph.s, 3}; /* the own bit means nothing */
    ck_assert_int_eq(media_room_set(r, seats, 2), 0);
    until_heard(M(2, 1));
    ck_assert_int_eq(uv_loop_init(&other.loop), 0);
    struct media_config cfg = {.bind_ip = {"127.0.0.1"}, .port_min = 20000, .port_max = 59999, .threads = 1};
    ck_assert_int_eq(media_engine_start(&other.loop, &cfg, &other.e, NULL), 0);
    struct phone stranger;
    phone_open_on(&other, &stranger, AF_INET, "127.0.0.1");
    seats[1].stream = stranger.s;
    ck_assert_int_eq(media_room_set(r, seats, 2), ERR_INVAL);
    phone_close(&stranger);
    rig_stop(&other);
    struct media_stream *closed = p[1].ph.s;
    seats[1].stream = closed;
    media_stream_close(closed);
    ck_assert_int_eq(media_room_set(r, seats, 2), ERR_CLOSED);
    close(p[1].ph.rtp);
    close(p[1].ph.rtcp);
    p[1].ph.s = NULL; /* its coder is freed with the others */
    media_room_close(NULL);
    stop(); /* with a room that is open */
}
END_TEST

/* Anything in any order, on four threads: for the sanitizers. */
START_TEST(all_at_random)
{
    struct media_room *r[3];
    unsigned seed = (unsigned)clock_mono_now().us;
    printf("all_at_random: seed %u\n", seed);
    start(6, 4);
    srandom(seed);
    for (unsigned i = 0; i < 3; i++)
        r[i] = room_open();
    for (unsigned k = 0; k < 400; k++) {
        unsigned a = (unsigned)random() % 6, b = (unsigned)random() % 6, room = (unsigned)random() % 3, n = 0;
        struct media_seat seats[6];
        switch (random() % 10) {
        case 0:
            if (a != b)
                ck_assert_int_eq(media_bridge(p[a].ph.s, p[b].ph.s), 0);
            break;
        case 1:
            media_unbridge(p[a].ph.s);
            break;
        case 2:
            party_close(&p[a]);
            party_open(a, (enum sdp_codec[]){SDP_PCMU, SDP_PCMA, SDP_G722, SDP_OPUS}[random() % 4]);
            break;
        case 3:
            media_room_close(r[room]);
            r[room] = room_open();
            break;
        case 4:
            media_stream_mute(p[a].ph.s, random() % 2);
            media_stream_pause(p[b].ph.s, random() % 2);
            media_stream_echo(p[b].ph.s, random() % 4 == 0);
            break;
        case 5:
            play(a, 100, NULL);
            media_stream_send_dtmf(p[b].ph.s, '3', 60);
            break;
        default:
            for (unsigned i = 0; i < 6; i++) {
                if (random() % 2)
                    seats[n++].stream = p[i].ph.s;
            }
            for (unsigned i = 0; i < n; i++)
                seats[i].hears = (uint32_t)random() & ((1u << n) - 1);
            ck_assert_int_eq(media_room_set(r[room], seats, n), 0);
            break;
        }
        for (unsigned i = 0; i < 6; i++)
            say(&p[i]);
        if (k % 4 == 0)
            (void)rig_turn(&rig, -1);
    }
    rig_settle(&rig);
    stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("media_room");
    TCase *tc = tcase_create("rooms");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, conference_of_three);
    tcase_add_test(tc, conference_of_eight);
    tcase_add_test(tc, supervision_is_switched_without_a_gap);
    tcase_add_test(tc, a_listener_leaves_the_call_as_it_is);
    tcase_add_test(tc, consultation);
    tcase_add_test(tc, played_is_heard_instead);
    tcase_add_test(tc, mute_hold_and_echo);
    tcase_add_test(tc, keys_are_passed_on);
    tcase_add_test(tc, bad_network);
    tcase_add_test(tc, recorders_go_on);
    tcase_add_test(tc, between_rooms_and_bridges);
    tcase_add_test(tc, a_session_changes);
    tcase_add_loop_test(tc, two_seats_of_different_codecs, 0, 3);
    tcase_add_test(tc, all_codecs_in_one_room);
    tcase_add_test(tc, wide_sound_stays_wide);
    tcase_add_test(tc, packets_of_other_lengths);
    tcase_add_test(tc, one_loudness_and_noise);
    tcase_add_test(tc, numbers_go_on_at_the_next_node);
    tcase_add_test(tc, what_is_refused);
    suite_add_tcase(s, tc);
    tc = tcase_create("random");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, all_at_random);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
