/* How a call sounded: the rating R of the E-model (ITU-T G.107) and the mean opinion score that it stands for, from what was measured.
 *
 * Only what a network and a codec do is looked at; telephones are taken for good ones (all other values of G.107 at their defaults, echo
 * cancelled): R = 93.2 - Id - Ie,eff.
 *     Id      delay from mouth to ear: nothing up to 100 ms (G.107 section 7.4, Idd with the default sensitivity)
 *     Ie,eff  codec and loss: Ie + (95 - Ie) * Ppl / (Ppl / BurstR + Bpl), with Ie and Bpl of G.113
 * The scale is that of narrowband: 93.2 is G.711 without a fault. Wideband codecs would reach beyond it on scales of their own (G.107.1,
 * G.107.2), so that calls could not be compared: they are rated like G.711 here, which is the less that they are.
 * Pure: any thread, no state, nothing fails; what cannot be (more lost than sent, negative, no number) is taken as the nearest that can. */
#ifndef TELEPHONY_QUALITY_H
#define TELEPHONY_QUALITY_H

#include <stdbool.h>
#include <stdint.h>

#define QUALITY_R_MAX 93.2

struct quality_line {
    double loss; /* of all packets, 0 to 1; those too late to be played among them */
    double
        burst; /* mean length of a run of lost packets to that of random loss (G.107 BurstR); 1: random, or not known */
    double delay_ms; /* mouth to ear, one way: packet, network, buffer, codec */
    bool concealed;  /* somebody conceals what is lost (all telephones of today), not silence in its place */
};
/* At most 93.2; below 0 where hardly anything arrives. */
double quality_r(const struct quality_line *l);
/* 1 to 4.5 (G.107 Annex B). */
double quality_mos(double r);

/* A leg of a call by its counters. */
struct quality_leg {
    uint64_t packets, lost; /* received, and those that were not */
    uint64_t lost_runs;     /* in how many runs they were lost; 0: not known, taken for random */
    uint32_t jitter_us;     /* RFC 3550, for the far end's buffer where buffer_ms is not known */
    uint32_t rtt_us;        /* of RTCP; 0: not known, taken for none */
    uint32_t ptime_ms;      /* 0: 20 */
    uint32_t buffer_ms;    /* mean delay of the jitter buffer; 0: not known, twice the jitter and at least one packet */
    uint32_t lookahead_us; /* of the codec (struct codec) */
};
void quality_of_leg(const struct quality_leg *leg, struct quality_line *out);

#endif
