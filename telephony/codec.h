/* Codecs: what each is called in SDP and RTP, and one interface to code and decode with it.
 *
 * What for. SDP chooses by names, payload types and clocks; media codes. Relayed packets of one codec on both sides, and A-law against
 * mu-law (telephony/g711.h), need none of this: it is for audio that is mixed, transcoded or looked into.
 *
 *     one packet: codec_duration for its RTP time (what the jitter buffer is told), codec_decode for its sound
 *     one missing: codec_lost; each sound that is sent: codec_encode
 *
 * Sound is linear, mono, 16 bit, at the rate that was asked for when the codec was opened, whatever its own is.
 * Opus: RFC 6716, RFC 7587; G.722: RFC 3551 section 4.5.2, whose RTP clock says 8000 while it samples at 16000, by an old mistake.
 * Owner: who opened it. Thread: one at a time for one state; the table is constant. Nothing is allocated after codec_open. */
#ifndef TELEPHONY_CODEC_H
#define TELEPHONY_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum codec_id { CODEC_PCMU, CODEC_PCMA, CODEC_G722, CODEC_OPUS, CODEC_COUNT };

#define CODEC_PACKET_MAX 1500u  /* bytes that one packet may have, either way */
#define CODEC_SAMPLES_MAX 5760u /* of one packet: 120 ms at 48 kHz */

struct codec {
    enum codec_id id;
    const char *name;      /* in a=rtpmap; compared without case */
    int static_pt;         /* RFC 3551 section 6; -1: dynamic only */
    uint32_t clock_hz;     /* of RTP time stamps and a=rtpmap */
    unsigned channels;     /* in a=rtpmap: 2 for Opus, whatever is sent */
    unsigned sample_hz;    /* its own rate */
    unsigned ptime_ms;     /* of its packets if nothing is said */
    unsigned bits_per_s;   /* without headers, about; for planning */
    unsigned lookahead_us; /* delay of coding beyond the packet */
};

const struct codec *codec_get(enum codec_id id);
/* By what a=rtpmap says; channels 0 is 1. NULL: none of ours. */
const struct codec *codec_find(const char *name, uint32_t clock_hz, unsigned channels);
/* By a static payload type; NULL: none of ours. */
const struct codec *codec_of_pt(unsigned pt);
/* How long the audio of a packet is, in RTP units; 0: no packet of this codec. */
uint32_t codec_duration(const struct codec *c, const uint8_t *payload, size_t len);

enum codec_use { CODEC_ENCODE = 1, CODEC_DECODE = 2 };
struct codec_state;

/* rate_hz: 8000 or 16000; Opus also 48000. use: enum codec_use. fmtp: what the other side says about what it receives (a=fmtp without the
 * payload type), NULL is nothing. ERR_UNSUPPORTED (rate), ERR_INVAL (fmtp, named in *info), ERR_NOMEM. */
ERR_CHECKED int codec_open(const struct codec *c, unsigned rate_hz, unsigned use, const char *fmtp,
                           struct codec_state **out, struct err_info *info);
void codec_close(struct codec_state *s); /* NULL is fine */
const struct codec *codec_of(const struct codec_state *s);
/* RTP units as samples of this state's rate. */
unsigned codec_samples(const struct codec_state *s, uint32_t units);

/* One packet of n samples: 10, 20, 40 or 60 ms; 30 ms too, but for Opus. Returns its bytes, 0: nothing needs to be sent (Opus, DTX, if
 * fmtp asks for it). ERR_INVAL: another length, or not opened to encode; ERR_TOOBIG: size is too small; CODEC_PACKET_MAX never is, and Opus needs that much
 * (what is smaller would make the sound worse). */
int codec_encode(struct codec_state *s, const int16_t *pcm, unsigned n, uint8_t *out, size_t size);
/* Returns the samples of a packet. ERR_INVAL: not a packet of this codec, or not opened to decode; ERR_TOOBIG: more than max. Then nothing
 * was decoded, and codec_lost may stand in. */
int codec_decode(struct codec_state *s, const uint8_t *payload, size_t len, int16_t *pcm, unsigned max);
/* Writes n samples, at most CODEC_SAMPLES_MAX, in the place of a packet that is missing. next: the packet that comes after it, if it is
 * there (Opus may have a copy in it), or NULL. */
void codec_lost(struct codec_state *s, const uint8_t *next, size_t next_len, int16_t *pcm, unsigned n);

#endif
