/* Telephones in rooms. Each party says a tone of its own, packet by packet in real time; what it is sent is decoded, and
 * its last 100 ms are looked through for everybody's tone. Whatever happens, what a party is sent stays one source without a gap. */
#ifndef TESTS_ROOM_RIG_H
#define TESTS_ROOM_RIG_H

#include <math.h>
#include <stdio.h>

#include "telephony/codec.h"
#include "tests/unit/suite.h"
#include "tests/unit/telephony/media_rig.h"

#define WINDOW 800u                    /* samples */
#define PATIENCE_US UINT64_C(40000000) /* a machine that has no time for the telephones makes gaps in what they say */
#define LOUDNESS 3000                  /* of one party: eight of them are not cut off */
#define ANY UINT32_MAX
#define MUSIC (UINT32_C(1) << 31) /* what `hears` has for the tone that is played */
#define MUSIC_HZ 2000

static struct rig rig;

struct party {
    struct phone ph;
    enum sdp_codec codec;
    struct codec_state *coder; /* both ways, at 8 kHz */
    double hz, phase;
    bool quiet; /* sends nothing */
    int16_t window[WINDOW];
    unsigned n, packets, events, markers, gaps; /* gaps: in the numbers */
    bool any;
    struct heard last;
};
static struct party p[8];
static unsigned n_parties;
static uint64_t next_us;

/* ---- telephones that speak and listen */

static void speak_by(struct party *k, enum sdp_codec codec)
{
    const struct codec *c = codec_find(sdp_codec_name(codec), sdp_codec_clock(codec), codec == SDP_OPUS ? 2 : 1);
    codec_close(k->coder);
    k->coder = NULL;
    k->codec = codec;
    ck_assert_int_eq(codec_open(c, 8000, CODEC_ENCODE | CODEC_DECODE, NULL, &k->coder, NULL), 0);
}

static void party_open(unsigned i, enum sdp_codec codec)
{
    p[i] = (struct party){.hz = 300 + 150.0 * i};
    speak_by(&p[i], codec);
    phone_open(&rig, &p[i].ph, codec);
}

static void party_close(struct party *k)
{
    if (k->ph.s)
        phone_close(&k->ph);
    k->ph.s = NULL;
    codec_close(k->coder);
    k->coder = NULL;
}

static void start(unsigned n, unsigned threads)
{
    rig_start(&rig, threads);
    n_parties = n;
    for (unsigned i = 0; i < n; i++)
        party_open(i, i % 2 ? SDP_PCMU : SDP_PCMA);
    next_us = clock_mono_now().us;
}

static void stop(void)
{
    for (unsigned i = 0; i < n_parties; i++)
        party_close(&p[i]);
    rig_stop(&rig);
}

/* 20 ms. */
static int make_packet(struct party *k, uint8_t *payload)
{
    int16_t pcm[160];
    for (unsigned i = 0; i < 160; i++, k->phase += 2 * M_PI * k->hz / 8000)
        pcm[i] = (int16_t)lrint(LOUDNESS * sin(k->phase));
    int len = codec_encode(k->coder, pcm, 160, payload, CODEC_PACKET_MAX);
    ck_assert_int_gt(len, 0);
    return len;
}

static void say(struct party *k)
{
    uint8_t payload[CODEC_PACKET_MAX];
    int len = make_packet(k, payload);
    phone_send_as(&k->ph, false, rig_pt(k->codec), k->ph.seq++, k->ph.ts, payload, (size_t)len);
    k->ph.ts += sdp_codec_clock(k->codec) / 50;
}

static void hear(struct party *k, const struct heard *h)
{
    if (k->any) {
        ck_assert_uint_eq(h->ssrc, k->last.ssrc);
        k->gaps += h->seq != (uint16_t)(k->last.seq + 1);
        bool event = h->pt == 101 && k->last.pt == 101;
        ck_assert_msg((int32_t)(h->ts - k->last.ts) > (event ? -1 : 0), "time stamps go back");
    }
    k->any = true;
    k->last = *h;
    k->packets++;
    k->markers += h->marker;
    if (h->pt == 101) {
        k->events++;
        return;
    }
    memmove(k->window, k->window + 160, (WINDOW - 160) * sizeof *k->window);
    int16_t *new = k->window + WINDOW - 160;
    if (h->pt == 0 || h->pt == 8) { /* either law, while it is changed */
        ck_assert_uint_eq(h->len, 160);
        for (unsigned i = 0; i < 160; i++)
            new[i] = h->pt == 0 ? g711_ulaw_linear[h->payload[i]] : g711_alaw_linear[h->payload[i]];
    } else {
        ck_assert_uint_eq(h->pt, rig_pt(k->codec));
        ck_assert_int_eq(codec_decode(k->coder, h->payload, h->len, new, 160), 160);
    }
    k->n += k->n < WINDOW ? 160 : 0;
}

static void hear_all(void)
{
    struct heard h;
    for (unsigned i = 0; i < n_parties; i++) {
        while (p[i].ph.s && phone_heard(&p[i].ph, &h))
            hear(&p[i], &h);
    }
}

/* A machine that has no time for the telephones makes them leave something out. They do not speak more slowly: a jitter buffer cannot
 * make up for that. */
static void keep_up(void)
{
    uint64_t now = clock_mono_now().us, missed = now > next_us ? (now - next_us) / 20000 : 0;
    if (missed < 4)
        return;
    next_us += missed * 20000;
    for (unsigned i = 0; i < n_parties; i++)
        p[i].ph.ts += (uint32_t)missed * (sdp_codec_clock(p[i].codec) / 50);
}

/* 20 ms of all. */
static void step(void)
{
    keep_up();
    for (unsigned i = 0; i < n_parties; i++) {
        if (p[i].ph.s && !p[i].quiet)
            say(&p[i]);
    }
    next_us += 20000;
    do {
        hear_all();
        (void)rig_turn(&rig, -1);
    } while (clock_mono_now().us < next_us);
}

/* How much of f is in it; 1 is all of what a party says. Goertzel's way: a machine may be short of time. */
static double amount_in(const int16_t *pcm, unsigned n, double f)
{
    double w = 2 * M_PI * f / 8000, c = 2 * cos(w), one = 0, two = 0;
    for (unsigned i = 0; i < n; i++) {
        double now = pcm[i] + c * one - two;
        two = one;
        one = now;
    }
    return 2 * sqrt(fmax(0, one * one + two * two - c * one * two)) / n / LOUDNESS;
}

static uint32_t heard_by(const struct party *k)
{
    uint32_t mask = amount_in(k->window, WINDOW, MUSIC_HZ) > 0.5 ? MUSIC : 0;
    for (unsigned i = 0; i < n_parties; i++) {
        double a = amount_in(k->window, WINDOW, p[i].hz);
        if (a > 0.15 && a < 0.25)
            return ANY; /* neither heard nor not */
        mask |= (uint32_t)(a > 0.2) << i;
    }
    return mask;
}

/* Goes on until each party has heard for 100 ms just these (bit i: party i); fails if that never comes. ANY: whatever. */
static void until_heard(const uint32_t *want)
{
    uint64_t end = clock_mono_now().us + PATIENCE_US;
    for (unsigned i = 0; i < n_parties; i++)
        p[i].n = 0;
    for (bool all = false; !all;) {
        step();
        all = true;
        for (unsigned i = 0; i < n_parties; i++) {
            bool late = clock_mono_now().us > end;
            uint32_t is = p[i].n == WINDOW ? heard_by(&p[i]) : 0;
            if (!p[i].ph.s || want[i] == ANY || is == want[i])
                continue;
            all = false;
            if (late)
                for (unsigned m = 0; m < n_parties; m++)
                    (void)fprintf(stderr, "  tone of %u: %.2f\n", m, amount_in(p[i].window, WINDOW, p[m].hz));
            ck_assert_msg(!late, "party %u hears %x, not %x (%u packets)", i, is, want[i], p[i].packets);
        }
    }
}

/* Nothing more comes to this party while others would be sent ten packets; one may, that keeps a firewall open (RFC 6263). */
static void is_sent_nothing(unsigned i)
{
    step();
    step();
    unsigned before = p[i].packets;
    for (unsigned k = 0; k < 10; k++)
        step();
    ck_assert_uint_le(p[i].packets, before + 1);
}

static void no_gaps(void)
{
    for (unsigned i = 0; i < n_parties; i++)
        ck_assert_msg(p[i].gaps == 0, "party %u: %u gaps in the numbers", i, p[i].gaps);
}

/* ---- rooms */

static struct media_room *room_open(void)
{
    struct media_room *r = NULL;
    ck_assert_int_eq(media_room_open(rig.e, &r), 0);
    return r;
}

/* hears[i] of party i; nobody is left out. */
static void set(struct media_room *r, unsigned n, const uint32_t *hears)
{
    struct media_seat seats[8];
    for (unsigned i = 0; i < n; i++)
        seats[i] = (struct media_seat){p[i].ph.s, hears[i]};
    ck_assert_int_eq(media_room_set(r, seats, n), 0);
    rig_settle(&rig);
}

static void heard_as_set(struct media_room *r, unsigned n, const uint32_t *hears)
{
    set(r, n, hears);
    until_heard(hears);
}

#endif
