/* Relay: both ways, both laws, all that a sender may do to its numbering, and noise. */
#include <errno.h>
#include <stdio.h>

#include "tests/unit/suite.h"
#include "tests/unit/telephony/media_rig.h"

static struct rig rig;

/* The next audio packet continues the one before it. */
static void continues(const struct heard *before, const struct heard *now, unsigned samples)
{
    ck_assert_uint_eq(now->ssrc, before->ssrc);
    ck_assert_uint_eq(now->seq, (uint16_t)(before->seq + 1));
    ck_assert_uint_eq(now->ts - before->ts, samples);
}

START_TEST(relays_both_ways_with_content)
{
    struct phone a, b;
    rig_start(&rig, 1);
    phones_bridged(&rig, &a, &b, SDP_PCMA, SDP_PCMA);
    struct heard last_a = {0}, last_b = {0};
    for (unsigned k = 0; k < 50; k++) {
        phone_talk(&a, 8, (uint8_t)k);
        phone_talk(&b, 8, (uint8_t)(k + 100));
        struct heard at_b = phone_hear(&rig, &b), at_a = phone_hear(&rig, &a);
        ck_assert_uint_eq(at_b.len, 160);
        ck_assert_uint_eq(at_b.payload[0], k);
        ck_assert_uint_eq(at_b.payload[159], k);
        ck_assert_uint_eq(at_a.payload[80], k + 100);
        ck_assert_uint_eq(at_a.pt, 8);
        ck_assert_uint_ne(at_b.ssrc, a.ssrc);
        ck_assert_int_eq(at_b.marker, k == 0);
        if (k > 0) {
            continues(&last_a, &at_a, 160);
            continues(&last_b, &at_b, 160);
        }
        last_a = at_a;
        last_b = at_b;
    }
    rig_wait(&rig, a.s, MEDIA_EV_ALIVE, 1);
    rig_wait(&rig, b.s, MEDIA_EV_ALIVE, 1);
    ck_assert_uint_eq(rig_count(&rig, a.s, MEDIA_EV_ALIVE), 1);
    phone_close(&a);
    phone_close(&b);
    rig_stop(&rig);
}
END_TEST

/* So much that the thread looks for packets once a millisecond only: each is relayed, in order. */
START_TEST(relays_all_of_much)
{
    struct phone a, b;
    rig_start(&rig, 1);
    phones_bridged(&rig, &a, &b, SDP_PCMA, SDP_PCMA);
    struct heard last = {0};
    for (unsigned batch = 0; batch < 40; batch++) {
        for (unsigned k = 0; k < 2 * MEDIA_GATHER_PACKETS; k++)
            phone_talk(&a, 8, (uint8_t)k);
        for (unsigned k = 0; k < 2 * MEDIA_GATHER_PACKETS; k++) {
            struct heard now = phone_hear(&rig, &b);
            ck_assert_uint_eq(now.payload[0], k);
            if (batch || k)
                continues(&last, &now, 160);
            last = now;
        }
    }
    phone_close(&a);
    phone_close(&b);
    rig_stop(&rig);
}
END_TEST

START_TEST(transcodes_between_laws)
{
    struct phone a, b;
    rig_start(&rig, 1);
    phones_bridged(&rig, &a, &b, SDP_PCMA, SDP_PCMU);
    for (unsigned k = 0; k < 256; k++) {
        phone_talk(&a, 8, (uint8_t)k);
        struct heard h = phone_hear(&rig, &b);
        ck_assert_uint_eq(h.pt, 0);
        int want = g711_alaw_linear[k], got = g711_ulaw_linear[h.payload[7]];
        int tolerance = 8 + abs(want) / 16;
        ck_assert_msg(abs(want - got) <= tolerance, "A-law %u: %d became %d", k, want, got);
        phone_talk(&b, 0, (uint8_t)k);
        h = phone_hear(&rig, &a);
        ck_assert_uint_eq(h.pt, 8);
        want = g711_ulaw_linear[k];
        got = g711_alaw_linear[h.payload[7]];
        tolerance = 8 + abs(want) / 16;
        ck_assert_msg(abs(want - got) <= tolerance, "mu-law %u: %d became %d", k, want, got);
    }
    phone_close(&a);
    phone_close(&b);
    rig_stop(&rig);
}
END_TEST

START_TEST(renumbers_payload_types)
{
    struct phone a, b;
    rig_start(&rig, 1);
    phones_bridged(&rig, &a, &b, SDP_PCMU, SDP_PCMU);
    struct media_remote ra = phone_remote(&a, SDP_PCMU), rb = phone_remote(&b, SDP_PCMU);
    ra.sdp.codec_pt = ra.sdp.recv_pt = 110;
    rb.sdp.dtmf_pt = rb.sdp.dtmf_recv_pt = 96;
    media_stream_set_remote(a.s, &ra);
    media_stream_set_remote(b.s, &rb);
    rig_settle(&rig);
    phone_talk(&a, 110, 3);
    ck_assert_uint_eq(phone_hear(&rig, &b).pt, 0);
    phone_talk(&b, 0, 4);
    ck_assert_uint_eq(phone_hear(&rig, &a).pt, 110);
    uint8_t event[4] = {5, 10, 0, 160};
    phone_send_as(&a, true, 101, a.seq++, a.ts, event, 4);
    struct heard h = phone_hear(&rig, &b);
    ck_assert_uint_eq(h.pt, 96);
    ck_assert_int_eq(memcmp(h.payload, event, 4), 0);
    phone_close(&a);
    phone_close(&b);
    rig_stop(&rig);
}
END_TEST

START_TEST(goes_on_across_play_bridge_and_hold)
{
    struct phone a, b;
    uint32_t id;
    rig_start(&rig, 2);
    phone_open(&rig, &a, SDP_PCMA);
    phone_open(&rig, &b, SDP_PCMA);
    struct media_item quiet = {.kind = MEDIA_SILENCE, .ms = 100},
                      music = {.kind = MEDIA_TONE, .hz1 = 440, .level_dbm0 = -20};
    ck_assert_int_eq(media_stream_play(a.s, &quiet, 1, 0, &id), 0);
    struct heard last = {0}, h;
    for (unsigned k = 0; k < 5; k++) {
        h = phone_hear(&rig, &a);
        ck_assert_int_eq(h.marker, k == 0);
        if (k > 0)
            continues(&last, &h, 160);
        last = h;
    }
    rig_wait(&rig, a.s, MEDIA_EV_PLAYED, 1);

    for (unsigned round = 0; round < 3; round++) {
        ck_assert_int_eq(media_bridge(a.s, b.s), 0);
        rig_settle(&rig);
        for (unsigned k = 0; k < 10; k++) {
            phone_talk(&b, 8, (uint8_t)(1 + k));
            /* Music of the round before may still be on its way. */
            for (h = phone_hear(&rig, &a); h.payload[0] != 1 + k || h.payload[159] != 1 + k; h = phone_hear(&rig, &a)) {
                ck_assert_uint_eq(h.seq, (uint16_t)(last.seq + 1));
                last = h;
            }
            ck_assert_uint_eq(h.ssrc, last.ssrc);
            ck_assert_uint_eq(h.seq, (uint16_t)(last.seq + 1));
            ck_assert_int_gt((int32_t)(h.ts - last.ts), 0);
            ck_assert_int_lt((int32_t)(h.ts - last.ts), 8000 * 20);
            ck_assert_int_eq(h.marker, k == 0);
            last = h;
        }
        /* b puts a on hold: a hears music, then is joined again. */
        media_unbridge(a.s);
        ck_assert_int_eq(media_stream_play(a.s, &music, 1, 0, &id), 0);
        for (unsigned k = 0; k < 5; k++) {
            h = phone_hear(&rig, &a);
            ck_assert_uint_eq(h.ssrc, last.ssrc);
            ck_assert_uint_eq(h.seq, (uint16_t)(last.seq + 1));
            ck_assert_int_ge((int32_t)(h.ts - last.ts), 160);
            ck_assert_int_eq(h.marker, k == 0);
            last = h;
        }
    }
    phone_close(&a);
    phone_close(&b);
    rig_stop(&rig);
}
END_TEST

START_TEST(sender_may_change_its_source)
{
    struct phone a, b;
    rig_start(&rig, 1);
    phones_bridged(&rig, &a, &b, SDP_PCMU, SDP_PCMU);
    struct heard last = {0};
    for (unsigned k = 0; k < 30; k++) {
        if (k == 10) { /* a new source in the same place */
            a.ssrc += 77;
            a.seq = (uint16_t)(a.seq + 20000);
            a.ts += 123456789;
        }
        if (k == 20) /* the same source, its clock set anew */
            a.ts -= 99999999;
        phone_talk(&a, 0, (uint8_t)k);
        struct heard h = phone_hear(&rig, &b);
        ck_assert_uint_eq(h.payload[0], k);
        ck_assert_int_eq(h.marker, k % 10 == 0);
        if (k > 0) {
            ck_assert_uint_eq(h.ssrc, last.ssrc);
            ck_assert_uint_eq(h.seq, (uint16_t)(last.seq + 1));
            ck_assert_int_gt((int32_t)(h.ts - last.ts), 0);
            ck_assert_int_lt((int32_t)(h.ts - last.ts), 80000);
        }
        last = h;
    }
    phone_close(&a);
    phone_close(&b);
    rig_stop(&rig);
}
END_TEST

START_TEST(keeps_gaps_and_order_of_the_sender)
{
    struct phone a, b;
    static const uint16_t order[] = {0, 1, 3, 2, 2, 7, 8};
    rig_start(&rig, 1);
    phones_bridged(&rig, &a, &b, SDP_PCMU, SDP_PCMU);
    uint8_t payload[160];
    uint16_t base = 0;
    uint32_t base_ts = 0;
    a.seq = 65534; /* across the wrap */
    for (unsigned k = 0; k < sizeof order / sizeof *order; k++) {
        memset(payload, order[k], sizeof payload);
        phone_send_as(&a, false, 0, (uint16_t)(a.seq + order[k]), a.ts + 160u * order[k], payload, sizeof payload);
        if (k == 4)
            continue; /* the repeat is dropped */
        struct heard h = phone_hear(&rig, &b);
        if (k == 0) {
            base = h.seq;
            base_ts = h.ts;
        }
        ck_assert_uint_eq((uint16_t)(h.seq - base), order[k]);
        ck_assert_uint_eq(h.ts - base_ts, 160u * order[k]);
        ck_assert_uint_eq(h.payload[0], order[k]);
    }
    phone_close(&a);
    phone_close(&b);
    rig_stop(&rig);
}
END_TEST

START_TEST(drops_noise_and_lives)
{
    struct phone a, b;
    rig_start(&rig, 1);
    phones_bridged(&rig, &a, &b, SDP_PCMU, SDP_PCMU);
    uint8_t junk[3000];
    struct media_engine_stats before, after;
    for (size_t k = 0; k < sizeof junk; k++)
        junk[k] = (uint8_t)(k * 7);
    phone_talk(&a, 0, 1);
    struct heard first = phone_hear(&rig, &b);
    phone_send_bytes(&a, "", 0);
    phone_send_bytes(&a, "x", 1);
    phone_send_bytes(&a, "INVITE sip:x SIP/2.0\r\n\r\n", 24);
    uint8_t p[200] = {0x40}; /* version 1 */
    phone_send_bytes(&a, p, sizeof p);
    p[0] = 0x8f; /* 15 CSRCs in 20 bytes */
    phone_send_bytes(&a, p, 20);
    p[0] = 0x90; /* an extension longer than the packet */
    p[14] = 0xff;
    phone_send_bytes(&a, p, 60);
    p[0] = 0xa0; /* padding of 0 and of more than there is */
    phone_send_bytes(&a, p, 60);
    p[59] = 255;
    phone_send_bytes(&a, p, 60);
    phone_send_as(&a, false, 18, a.seq, a.ts, junk, 20); /* a codec that was not agreed */
    phone_send_as(&a, false, 0, a.seq, a.ts, junk, 0);   /* no payload */
    phone_send_bytes(&a, junk, 2500);                    /* too long */
    struct phone stranger = a;
    stranger.rtp = rig_socket(AF_INET, "127.0.0.2", &stranger.addr);
    phone_talk(&stranger, 0, 99); /* another host */
    phone_talk(&a, 13, 50);       /* comfort noise: not agreed on the other leg */
    phone_talk(&a, 0, 2);
    struct heard h = phone_hear(&rig, &b);
    ck_assert_uint_eq(h.payload[0], 2);
    ck_assert_uint_eq(h.seq, (uint16_t)(first.seq + 1));
    uint64_t end = clock_mono_now().us + 5000000;
    media_engine_get_stats(rig.e, &before);
    do {
        (void)rig_turn(&rig, -1);
        media_engine_get_stats(rig.e, &after);
    } while (after.packets_noise < 12 && clock_mono_now().us < end);
    ck_assert_uint_eq(after.packets_noise, 12);
    close(stranger.rtp);
    phone_close(&a);
    phone_close(&b);
    rig_stop(&rig);
}
END_TEST

START_TEST(strips_padding_extension_and_csrc)
{
    struct phone a, b;
    rig_start(&rig, 1);
    phones_bridged(&rig, &a, &b, SDP_PCMU, SDP_PCMU);
    uint8_t p[12 + 8 + 12 + 160 + 4];
    memset(p, 0x11, sizeof p);
    rtp_write(p, false, 0, a.seq, a.ts, a.ssrc);
    p[0] = 0x80 | 0x20 | 0x10 | 2;
    p[12 + 8 + 2] = 0;
    p[12 + 8 + 3] = 2; /* extension of two words */
    memset(p + 32, 0x77, 160);
    p[sizeof p - 1] = 4;
    phone_send_bytes(&a, p, sizeof p);
    struct heard h = phone_hear(&rig, &b);
    ck_assert_uint_eq(h.len, 160);
    for (size_t k = 0; k < 160; k++)
        ck_assert_uint_eq(h.payload[k], 0x77);
    phone_close(&a);
    phone_close(&b);
    rig_stop(&rig);
}
END_TEST

START_TEST(learns_the_source_when_symmetric)
{
    struct phone a, b;
    rig_start(&rig, 1);
    phones_bridged(&rig, &a, &b, SDP_PCMU, SDP_PCMU);
    struct media_remote m = phone_remote(&a, SDP_PCMU);
    m.symmetric = true;
    m.sdp.remote = rig_addr(AF_INET, "127.0.0.9", 9); /* what a telephone behind NAT believes to be */
    m.sdp.remote_rtcp = rig_addr(AF_INET, "127.0.0.9", 10);
    media_stream_set_remote(a.s, &m);
    rig_settle(&rig);
    phone_talk(&a, 0, 1);
    ck_assert_uint_eq(phone_hear(&rig, &b).payload[0], 1);
    phone_talk(&b, 0, 2);
    ck_assert_uint_eq(phone_hear(&rig, &a).payload[0], 2);
    /* An intruder is not followed while the real one talks. */
    struct phone intruder = a;
    intruder.rtp = rig_socket(AF_INET, "127.0.0.3", &intruder.addr);
    phone_talk(&intruder, 0, 66);
    phone_talk(&a, 0, 3);
    ck_assert_uint_eq(phone_hear(&rig, &b).payload[0], 3);
    phone_talk(&b, 0, 4);
    ck_assert_uint_eq(phone_hear(&rig, &a).payload[0], 4);
    close(intruder.rtp);
    phone_close(&a);
    phone_close(&b);
    rig_stop(&rig);
}
END_TEST

START_TEST(follows_a_new_source_after_silence)
{
    struct phone a, b;
    rig_start(&rig, 1);
    phones_bridged(&rig, &a, &b, SDP_PCMU, SDP_PCMU);
    struct media_remote m = phone_remote(&a, SDP_PCMU);
    m.symmetric = true;
    media_stream_set_remote(a.s, &m);
    rig_settle(&rig);
    uint64_t begin = clock_mono_now().us, end = begin + 8000000;
    phone_talk(&a, 0, 1);
    ck_assert_uint_eq(phone_hear(&rig, &b).payload[0], 1);
    struct phone moved = a; /* the NAT gave it another port */
    moved.rtp = rig_socket(AF_INET, "127.0.0.1", &moved.addr);
    struct heard h;
    do {
        ck_assert_uint_lt(clock_mono_now().us, end);
        phone_talk(&moved, 0, 7);
    } while (!phone_try_hear(&rig, &b, &h, 20));
    ck_assert_uint_ge(clock_mono_now().us - begin, MEDIA_RELEARN_US);
    phone_talk(&b, 0, 9);
    ck_assert_uint_eq(phone_hear(&rig, &moved).payload[0], 9);
    /* If that was a stranger in a pause of the telephone, the telephone has its call back with its next word, however late. */
    while (clock_mono_now().us < begin + 5200000)
        phone_talk(&moved, 0, 7), (void)phone_try_hear(&rig, &b, &h, 20);
    ck_assert_uint_lt(clock_mono_now().us, end);
    a.ssrc++; /* two sources are two */
    phone_talk(&a, 0, 3);
    do
        h = phone_hear(&rig, &b);
    while (h.payload[0] == 7);
    ck_assert_uint_eq(h.payload[0], 3);
    phone_talk(&moved, 0, 66);
    phone_talk(&a, 0, 4);
    ck_assert_uint_eq(phone_hear(&rig, &b).payload[0], 4);
    phone_talk(&b, 0, 5);
    ck_assert_uint_eq(phone_hear(&rig, &a).payload[0], 5);
    close(moved.rtp);
    phone_close(&a);
    phone_close(&b);
    rig_stop(&rig);
}
END_TEST

START_TEST(moves_streams_between_threads)
{
    struct phone ph[4];
    rig_start(&rig, 4);
    for (unsigned k = 0; k < 4; k++)
        phone_open(&rig, &ph[k], SDP_PCMU);
    /* Every pairing, with packets sent while the streams move: none may be lost once the bridge is there. */
    for (unsigned round = 0; round < 40; round++) {
        struct phone *a = &ph[round % 4], *b = &ph[(round + 1 + round / 4 % 3) % 4];
        ck_assert_int_eq(media_bridge(a->s, b->s), 0);
        rig_settle(&rig);
        for (unsigned k = 0; k < 5; k++) {
            phone_talk(a, 0, (uint8_t)(round + k));
            phone_talk(b, 0, (uint8_t)(round + k + 100));
        }
        for (unsigned k = 0; k < 5; k++) {
            ck_assert_uint_eq(phone_hear(&rig, b).payload[3], (uint8_t)(round + k));
            ck_assert_uint_eq(phone_hear(&rig, a).payload[3], (uint8_t)(round + k + 100));
        }
    }
    for (unsigned k = 0; k < 4; k++)
        phone_close(&ph[k]);
    rig_stop(&rig);
}
END_TEST

START_TEST(commands_without_waiting_keep_their_order)
{
    struct phone ph[6];
    rig_start(&rig, 4);
    for (unsigned k = 0; k < 6; k++)
        phone_open(&rig, &ph[k], SDP_PCMU);
    uint32_t seed = 4711;
    for (unsigned round = 0; round < 3000; round++) {
        seed = seed * 1664525 + 1013904223;
        unsigned i = (seed >> 20) % 6, j = (i + 1 + (seed >> 10) % 5) % 6;
        ck_assert_int_eq(media_bridge(ph[i].s, ph[j].s), 0);
        if (seed & 0x1000)
            media_unbridge(ph[j].s);
        if (seed & 0x2000)
            media_stream_pause(ph[i].s, seed & 0x4000);
        if (round % 64 == 0)
            rig_settle(&rig);
    }
    for (unsigned k = 0; k < 6; k++)
        media_stream_pause(ph[k].s, false);
    for (unsigned k = 0; k < 6; k += 2)
        ck_assert_int_eq(media_bridge(ph[k].s, ph[k + 1].s), 0);
    rig_settle(&rig);
    for (unsigned k = 0; k < 6; k++) {
        phone_talk(&ph[k], 0, (uint8_t)(40 + k));
        ck_assert_uint_eq(phone_hear(&rig, &ph[k ^ 1]).payload[0], 40 + k);
    }
    for (unsigned k = 0; k < 6; k++)
        phone_close(&ph[k]);
    rig_stop(&rig);
}
END_TEST

START_TEST(pause_and_directions)
{
    struct phone a, b;
    rig_start(&rig, 1);
    phones_bridged(&rig, &a, &b, SDP_PCMU, SDP_PCMU);
    media_stream_pause(b.s, true);
    rig_settle(&rig);
    phone_talk(&a, 0, 1); /* not sent to b */
    phone_talk(&b, 0, 2);
    ck_assert_uint_eq(phone_hear(&rig, &a).payload[0], 2);
    media_stream_pause(b.s, false);
    rig_settle(&rig);
    phone_talk(&a, 0, 3);
    struct heard h = phone_hear(&rig, &b);
    ck_assert_uint_eq(h.payload[0], 3);
    ck_assert(h.marker);
    struct media_remote m = phone_remote(&a, SDP_PCMU);
    m.sdp.can_recv = false;
    media_stream_set_remote(a.s, &m);
    rig_settle(&rig);
    phone_talk(&a, 0, 4); /* not ours to hear */
    m.sdp.can_recv = true;
    phone_talk(&b, 0, 5);
    ck_assert_uint_eq(phone_hear(&rig, &a).payload[0], 5);
    media_stream_set_remote(a.s, &m);
    rig_settle(&rig);
    phone_talk(&a, 0, 6);
    ck_assert_uint_eq(phone_hear(&rig, &b).payload[0], 6);
    phone_close(&a);
    phone_close(&b);
    rig_stop(&rig);
}
END_TEST

/* Packet for packet silence in the law of whoever hears it, no keys; its own hearing is as before. */
START_TEST(muted)
{
    struct phone a, b;
    rig_start(&rig, 1);
    phones_bridged(&rig, &a, &b, SDP_PCMU, SDP_PCMA);
    phone_talk(&a, 0, 0x10);
    uint16_t seq = phone_hear(&rig, &b).seq;
    media_stream_mute(a.s, true);
    rig_settle(&rig);
    phone_talk(&a, 0, 0x11);
    struct heard h = phone_hear(&rig, &b);
    ck_assert_uint_eq(h.payload[0], 0xd5);
    ck_assert_uint_eq(h.payload[159], 0xd5);
    ck_assert_uint_eq(h.seq, (uint16_t)(seq + 1));
    phone_talk(&b, 8, 0x55);
    ck_assert_uint_ne(phone_hear(&rig, &a).payload[0], 0xff);
    media_stream_mute(a.s, false);
    rig_settle(&rig);
    phone_talk(&a, 0, 0x12);
    h = phone_hear(&rig, &b);
    ck_assert_uint_ne(h.payload[0], 0xd5);
    ck_assert_uint_eq(h.seq, (uint16_t)(seq + 2));
    phone_close(&a);
    phone_close(&b);
    rig_stop(&rig);
}
END_TEST

START_TEST(ipv6_works)
{
    struct phone a, b;
    rig_start_with(&rig, (struct media_config){
                             .bind_ip = {"127.0.0.1", "::1"}, .port_min = 20000, .port_max = 59999, .threads = 1});
    phone_open(&rig, &a, SDP_PCMU);
    phone_open_on(&rig, &b, AF_INET6, "::1");
    ck_assert_str_eq(media_stream_ip(b.s), "::1");
    struct media_remote m = phone_remote(&b, SDP_PCMA);
    media_stream_set_remote(b.s, &m);
    ck_assert_int_eq(media_bridge(a.s, b.s), 0);
    rig_settle(&rig);
    phone_talk(&b, 8, 0xD5);
    ck_assert_uint_eq(phone_hear(&rig, &a).pt, 0);
    phone_talk(&a, 0, 0xFF);
    ck_assert_uint_eq(phone_hear(&rig, &b).pt, 8);
    phone_close(&a);
    phone_close(&b);
    rig_stop(&rig);
}
END_TEST

START_TEST(tells_dead_and_alive)
{
    struct phone a;
    rig_start_with(&rig,
                   (struct media_config){
                       .bind_ip = {"127.0.0.1"}, .port_min = 20000, .port_max = 59999, .threads = 1, .dead_ms = 500});
    uint64_t begin = clock_mono_now().us;
    phone_open(&rig, &a, SDP_PCMU);
    struct rig_event ev = rig_wait(&rig, a.s, MEDIA_EV_DEAD, 1); /* never a packet */
    ck_assert_uint_ge(ev.at_us - begin, 500000);
    phone_talk(&a, 0, 1);
    rig_wait(&rig, a.s, MEDIA_EV_ALIVE, 1);
    rig_wait(&rig, a.s, MEDIA_EV_DEAD, 2);
    phone_talk(&a, 0, 1);
    rig_wait(&rig, a.s, MEDIA_EV_ALIVE, 2);
    media_stream_pause(a.s, true); /* on hold nobody need send */
    struct phone b;
    phone_open(&rig, &b, SDP_PCMU); /* dies after a would have */
    rig_wait(&rig, b.s, MEDIA_EV_DEAD, 1);
    ck_assert_uint_eq(rig_count(&rig, a.s, MEDIA_EV_DEAD), 2);
    phone_close(&a);
    phone_close(&b);
    rig_stop(&rig);
}
END_TEST

START_TEST(keeps_the_way_open)
{
    struct phone a;
    struct heard h;
    rig_start(&rig, 1);
    uint64_t begin = clock_mono_now().us;
    phone_open(&rig, &a, SDP_PCMA);
    ck_assert(phone_try_hear(&rig, &a, &h, 15000));
    ck_assert_uint_ge(clock_mono_now().us - begin, MEDIA_KEEPALIVE_US);
    ck_assert_uint_eq(h.len, 160);
    for (unsigned k = 0; k < 160; k++)
        ck_assert_uint_eq(h.payload[k], 0xD5);
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("media");
    TCase *tc = tcase_create("relay");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, relays_both_ways_with_content);
    tcase_add_test(tc, relays_all_of_much);
    tcase_add_test(tc, transcodes_between_laws);
    tcase_add_test(tc, renumbers_payload_types);
    tcase_add_test(tc, goes_on_across_play_bridge_and_hold);
    tcase_add_test(tc, sender_may_change_its_source);
    tcase_add_test(tc, keeps_gaps_and_order_of_the_sender);
    tcase_add_test(tc, drops_noise_and_lives);
    tcase_add_test(tc, strips_padding_extension_and_csrc);
    tcase_add_test(tc, learns_the_source_when_symmetric);
    tcase_add_test(tc, follows_a_new_source_after_silence);
    tcase_add_test(tc, moves_streams_between_threads);
    tcase_add_test(tc, commands_without_waiting_keep_their_order);
    tcase_add_test(tc, pause_and_directions);
    tcase_add_test(tc, muted);
    tcase_add_test(tc, ipv6_works);
    tcase_add_test(tc, tells_dead_and_alive);
    tcase_add_test(tc, keeps_the_way_open);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
