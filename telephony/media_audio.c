/* The sound of one stream, for those whose sound is looked into: what it says, decoded, a frame each tick; what it hears, encoded for its
 * codec. Relayed packets never come here.
 *
 *     packet ──► mouth ──frame──┬─► the other leg's hear (bridge of two codecs)
 *                               ├─► recorder, keys in the audio (streams that are not G.711; those look at packets)
 *     prompts, tones, hear ──► resample ──► coder ──► packets by ptime
 *
 * Narrow streams (G.711) are worked on at 8 kHz, wide ones (G.722, Opus) at 16: only what crosses from one to the other is resampled.
 * Made on the core thread (media_audio_pair, media_audio_session) when it is known that it will be needed, for one codec; then the media thread's. */
#include <stdlib.h>
#include <string.h>

#include "telephony/codec.h"
#include "telephony/g711.h"
#include "telephony/media_int.h"
#include "telephony/resample.h"

#define NARROW_HZ 8000u
#define WIDE_HZ 16000u
#define FRAME_WIDE (WIDE_HZ / 50u)
#define PACKET_WIDE (WIDE_HZ * 60u / 1000u)
#define SPEAKS_ON_US 2000000u  /* who sends nothing for so long is not made to send silence */
#define RECORD_OFF_SAMPLES 800 /* 100 ms: ticks were left out, the line begins anew at the clock */
#define OPUS_NOTHING 0x48u     /* a frame of 20 ms with nothing in it (RFC 6716 section 3.1) */

struct media_audio {
    const struct codec *codec;
    unsigned rate_hz;
    struct mouth *mouth;
    struct codec_state *coder;
    struct resample *other;  /* what is heard at the other rate */
    struct resample *narrow; /* wide: what is said, for recorder and keys */
    bool fresh;              /* the mouth is listened to since the last tick */
    bool recorded;           /* the recorder has had frames of this stream, not packets */
    uint16_t record_seq;
    uint32_t record_ts;
    unsigned n; /* of `sound`: waiting for a whole packet */
    int16_t frame[FRAME_WIDE];
    int16_t sound[PACKET_WIDE];
};

bool media_audio_narrow(enum sdp_codec c)
{
    return c == SDP_PCMU || c == SDP_PCMA;
}

/* ---- core thread */

static int make(struct media_audio *a, const char *fmtp)
{
    bool wide = a->rate_hz == WIDE_HZ;
    int rc = media_mouth_new(a->codec, a->rate_hz, false, &a->mouth);
    if (!rc)
        rc = media_coder_open(a->codec, a->rate_hz, fmtp, &a->coder);
    if (!rc)
        rc = wide ? resample_new(NARROW_HZ, WIDE_HZ, &a->other) : resample_new(WIDE_HZ, NARROW_HZ, &a->other);
    if (!rc && wide)
        rc = resample_new(WIDE_HZ, NARROW_HZ, &a->narrow);
    return rc;
}

void media_audio_free(struct media_audio *a)
{
    if (!a)
        return;
    mouth_free(a->mouth);
    codec_close(a->coder);
    resample_free(a->other);
    resample_free(a->narrow);
    free(a);
}

static bool narrow(const struct codec *c)
{
    return c->sample_hz == NARROW_HZ;
}

static int want(struct media_stream *s)
{
    const struct codec *codec = s->core_codec;
    if (!codec || s->core_audio == codec)
        return 0;
    struct media_audio *a = calloc(1, sizeof *a);
    if (!a)
        return ERR_NOMEM;
    a->codec = codec;
    a->rate_hz = narrow(codec) ? NARROW_HZ : WIDE_HZ;
    int rc = make(a, s->core_fmtp);
    struct media_cmd *c = rc ? NULL : media_command_new(s->e, s->thread, MEDIA_CMD_AUDIO, s);
    if (!c) {
        media_audio_free(a);
        return rc ? rc : ERR_BUSY;
    }
    c->u.audio = a;
    media_thread_push(s->thread, c);
    s->core_audio = codec;
    return 0;
}

int media_audio_pair(struct media_stream *a, struct media_stream *b)
{
    if (media_codec_relays(a->core_codec, b->core_codec))
        return 0;
    int rc = want(a);
    return rc ? rc : want(b);
}

bool media_audio_session(struct media_stream *s, const struct sdp_session_params *sdp)
{
    const struct codec *codec = media_codec(sdp);
    bool asks = codec && strcmp(s->core_fmtp, sdp->fmtp) != 0;
    bool other = asks || codec != s->core_codec || sdp->ptime_ms != s->core_ptime_ms;
    s->core_codec = codec;
    s->core_ptime_ms = sdp->ptime_ms;
    if (asks) {
        memcpy(s->core_fmtp, sdp->fmtp, sizeof s->core_fmtp);
        s->core_audio = NULL;
    }
    if (codec && !narrow(codec) && want(s))
        s->e->refused++; /* it hears and says nothing until it is agreed anew */
    if (s->core_peer && media_audio_pair(s, s->core_peer))
        s->e->refused++;
    return other;
}

/* ---- media thread: what is said */

static struct media_audio *audio_of(const struct media_stream *s)
{
    return s->audio && s->audio->codec == media_codec(&s->sdp) ? s->audio : NULL;
}

bool media_audio_transcodes(const struct media_stream *s, const struct media_stream *d)
{
    return d != s && !media_codec_relays(media_codec(&s->sdp), media_codec(&d->sdp));
}

/* Somebody listens to more than its packets. */
static bool listened_to(const struct media_stream *s)
{
    if (s->peer && media_audio_transcodes(s, s->peer))
        return true;
    return !media_audio_narrow(s->sdp.codec) && (s->recorder || s->inband_on);
}

void media_audio_put(struct media_stream *s, const struct rtp_packet *p, bool audio)
{
    struct media_audio *a = audio_of(s);
    if (!a || !listened_to(s))
        return;
    if (!a->fresh)
        mouth_reset(a->mouth);
    a->fresh = true;
    if (mouth_put(a->mouth, p, audio, s->t->now_us) == JITTER_LATE)
        s->stats.rx_late++;
}

static void record(struct media_stream *s, struct media_audio *a, const int16_t *pcm)
{
    uint8_t alaw[MEDIA_TICK_SAMPLES];
    uint32_t now = (uint32_t)(s->t->now_us / 125u);
    int32_t off = (int32_t)(now - a->record_ts);
    struct recorder_packet p = {.payload = alaw, .len = sizeof alaw};
    p.restart = !a->recorded || off > RECORD_OFF_SAMPLES || off < -RECORD_OFF_SAMPLES;
    if (p.restart)
        a->record_ts = now;
    a->recorded = true;
    for (unsigned i = 0; i < MEDIA_TICK_SAMPLES; i++)
        alaw[i] = g711_alaw_encode(pcm[i]);
    p.seq = a->record_seq;
    p.ts = a->record_ts;
    recorder_put(s->recorder, &p, s->t->now_us);
}

/* For those who know 8 kHz only. */
static void look_into(struct media_stream *s, struct media_audio *a, const int16_t *said)
{
    int16_t pcm[MEDIA_TICK_SAMPLES] = {0};
    if (said)
        (void)resample_run(a->narrow, said, FRAME_WIDE, pcm);
    if (s->inband_on)
        media_dtmf_on_sound(s, pcm, MEDIA_TICK_SAMPLES);
    if (s->recorder && said)
        record(s, a, pcm);
    if (!s->recorder)
        a->recorded = false;
    a->record_seq++;
    a->record_ts += MEDIA_TICK_SAMPLES;
}

/* What is said in this tick; NULL: nothing. */
static const int16_t *said_now(struct media_stream *s, struct media_audio *a)
{
    const int16_t *said = mouth_frame(a->mouth, s->t->due_us);
    if (!said || !media_stream_silent(s))
        return said;
    memset(a->frame, 0, sizeof a->frame);
    return a->frame;
}

void media_audio_tick(struct media_stream *s)
{
    static const int16_t silence[FRAME_WIDE];
    struct media_audio *a = audio_of(s);
    if (!a || !a->fresh)
        return;
    if (!listened_to(s)) {
        a->fresh = a->recorded = false;
        return;
    }
    const int16_t *said = said_now(s, a);
    if (a->narrow && (s->recorder || s->inband_on))
        look_into(s, a, said);
    if (!s->peer || !media_audio_transcodes(s, s->peer))
        return;
    if (said || s->t->now_us - s->last_rx_us < SPEAKS_ON_US)
        media_audio_hear(s->peer, said ? said : silence, a->rate_hz);
    else
        s->peer->tx.local = s->peer->play != NULL;
}

/* ---- media thread: what is heard */

static unsigned packet_samples(const struct media_stream *s, const struct media_audio *a)
{
    unsigned n = s->sdp.ptime_ms * (a->rate_hz / 1000u);
    return n == 0 || n > PACKET_WIDE ? a->rate_hz / 50u : n;
}

/* A packet of what there is; nothing where the other side wants to be spared silence. */
static void send_packet(struct media_stream *s, struct media_audio *a, unsigned n)
{
    uint8_t packet[RTP_HEADER_BYTES + CODEC_PACKET_MAX];
    uint32_t units = n * s->clock_khz / (a->rate_hz / 1000u);
    int len = codec_encode(a->coder, a->sound, n, packet + RTP_HEADER_BYTES, CODEC_PACKET_MAX);
    if (len > 0)
        media_stream_send_local(s, packet + RTP_HEADER_BYTES, (size_t)len, units);
    else
        media_stream_skip_local(s, units);
    s->stats_changed = true;
}

static void say(struct media_stream *s, struct media_audio *a, const int16_t *pcm, unsigned n)
{
    unsigned whole = packet_samples(s, a);
    while (n > 0) {
        unsigned some = whole - a->n < n ? whole - a->n : n;
        memcpy(a->sound + a->n, pcm, some * sizeof *pcm);
        a->n += some;
        pcm += some;
        n -= some;
        if (a->n < whole)
            return;
        send_packet(s, a, whole);
        a->n = 0;
    }
}

/* At most 20 ms. */
static void say_at(struct media_stream *s, struct media_audio *a, const int16_t *pcm, unsigned n, unsigned rate_hz)
{
    int16_t other[FRAME_WIDE];
    if (rate_hz != a->rate_hz) {
        n = resample_run(a->other, pcm, n, other);
        pcm = other;
    }
    say(s, a, pcm, n);
}

void media_audio_hear(struct media_stream *s, const int16_t *pcm, unsigned rate_hz)
{
    struct media_audio *a = audio_of(s);
    if (!a || !s->tx_on || s->play || s->digit_tx.active) {
        if (a && !s->tx_on)
            media_audio_drop(s);
        return;
    }
    say_at(s, a, pcm, rate_hz / 50u, rate_hz);
}

void media_audio_say(struct media_stream *s, const int16_t *pcm, unsigned n)
{
    struct media_audio *a = audio_of(s);
    while (a && n > 0) {
        unsigned some = n < MEDIA_TICK_SAMPLES ? n : MEDIA_TICK_SAMPLES;
        say_at(s, a, pcm, some, NARROW_HZ);
        pcm += some;
        n -= some;
    }
}

void media_audio_flush(struct media_stream *s)
{
    static const int16_t silence[PACKET_WIDE];
    struct media_audio *a = audio_of(s);
    if (a && a->n > 0)
        say(s, a, silence, packet_samples(s, a) - a->n);
}

void media_audio_drop(struct media_stream *s)
{
    if (s->audio)
        s->audio->n = 0;
}

size_t media_audio_silence(struct media_stream *s, uint8_t *payload, uint32_t units)
{
    static const int16_t silence[PACKET_WIDE];
    struct media_audio *a = audio_of(s);
    unsigned n = a ? units / s->clock_khz * (a->rate_hz / 1000u) : 0;
    int len = n > 0 && n <= PACKET_WIDE ? codec_encode(a->coder, silence, n, payload, CODEC_PACKET_MAX) : ERR_INVAL;
    if (len == 0) { /* he wants to be spared it; but something has to be sent */
        payload[0] = OPUS_NOTHING;
        len = 1;
    }
    return len > 0 ? (size_t)len : 0;
}
