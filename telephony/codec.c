#include "telephony/codec.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "telephony/codec_int.h"
#include "telephony/conceal.h"
#include "telephony/resample.h"

static const struct codec codecs[CODEC_COUNT] = {
    [CODEC_PCMU] = {CODEC_PCMU, "PCMU", 0, 8000, 1, 8000, 20, 64000, 0},
    [CODEC_PCMA] = {CODEC_PCMA, "PCMA", 8, 8000, 1, 8000, 20, 64000, 0},
    [CODEC_G722] = {CODEC_G722, "G722", 9, 8000, 1, 16000, 20, 64000, 1500},
    [CODEC_OPUS] = {CODEC_OPUS, "opus", -1, 48000, 2, 48000, 20, 24000, 6500},
};

static const struct codec_ops *const ops_of[CODEC_COUNT] = {
    [CODEC_PCMU] = &codec_ulaw_ops,
    [CODEC_PCMA] = &codec_alaw_ops,
    [CODEC_G722] = &codec_g722_ops,
    [CODEC_OPUS] = &codec_opus_ops,
};

struct codec_state {
    const struct codec *codec;
    const struct codec_ops *ops;
    unsigned rate_hz, own_hz; /* asked for; what the codec works at */
    unsigned use;
    void *coder, *decoder;
    struct resample *in, *out; /* before coding, after decoding; NULL where the rates are one */
    struct conceal *conceal;   /* NULL where the codec conceals */
    int16_t own[CODEC_NATIVE_MAX];
};

const struct codec *codec_get(enum codec_id id)
{
    return &codecs[id];
}

const struct codec *codec_find(const char *name, uint32_t clock_hz, unsigned channels)
{
    for (unsigned i = 0; i < CODEC_COUNT; i++) {
        const struct codec *c = &codecs[i];
        if (strcasecmp(c->name, name) == 0 && c->clock_hz == clock_hz && c->channels == (channels ? channels : 1))
            return c;
    }
    return NULL;
}

const struct codec *codec_of_pt(unsigned pt)
{
    for (unsigned i = 0; i < CODEC_COUNT; i++) {
        if (codecs[i].static_pt >= 0 && (unsigned)codecs[i].static_pt == pt)
            return &codecs[i];
    }
    return NULL;
}

uint32_t codec_duration(const struct codec *c, const uint8_t *payload, size_t len)
{
    if (len == 0 || len > CODEC_PACKET_MAX)
        return 0;
    uint32_t units = ops_of[c->id]->duration(payload, len);
    return units <= c->clock_hz * 120 / 1000 ? units : 0;
}

static int open_parts(struct codec_state *s, const char *fmtp, struct err_info *info)
{
    bool resampled = s->own_hz != s->rate_hz;
    int rc = s->ops->open(s->own_hz, s->use, fmtp, &s->coder, &s->decoder, info);
    if (!rc && s->use & CODEC_ENCODE && resampled)
        rc = resample_new(s->rate_hz, s->own_hz, &s->in);
    if (!rc && s->use & CODEC_DECODE && resampled)
        rc = resample_new(s->own_hz, s->rate_hz, &s->out);
    if (!rc && s->use & CODEC_DECODE && !s->ops->conceals)
        rc = conceal_new(s->own_hz, &s->conceal);
    return rc;
}

int codec_open(const struct codec *c, unsigned rate_hz, unsigned use, const char *fmtp, struct codec_state **out,
               struct err_info *info)
{
    const struct codec_ops *ops = ops_of[c->id];
    if (rate_hz != 8000 && rate_hz != 16000 && !(rate_hz == 48000 && ops->any_rate))
        return err_set(info, ERR_UNSUPPORTED, "rate_hz", "%s is not coded at %u Hz", c->name, rate_hz);
    struct codec_state *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(info, ERR_NOMEM, "", "no memory for %s", c->name);
    s->codec = c;
    s->ops = ops;
    s->use = use;
    s->rate_hz = rate_hz;
    s->own_hz = ops->any_rate ? rate_hz : c->sample_hz;
    int rc = open_parts(s, fmtp ? fmtp : "", info);
    if (rc)
        codec_close(s);
    else
        *out = s;
    return rc;
}

void codec_close(struct codec_state *s)
{
    if (!s)
        return;
    s->ops->close(s->coder, s->decoder);
    resample_free(s->in);
    resample_free(s->out);
    conceal_free(s->conceal);
    free(s);
}

const struct codec *codec_of(const struct codec_state *s)
{
    return s->codec;
}

unsigned codec_samples(const struct codec_state *s, uint32_t units)
{
    return (unsigned)((uint64_t)units * s->rate_hz / s->codec->clock_hz);
}

static bool whole_packet(const struct codec_state *s, unsigned n)
{
    unsigned ms10 = s->rate_hz / 100, tens = n / ms10;
    bool opus = s->codec->id == CODEC_OPUS;
    return n % ms10 == 0 && (tens == 1 || tens == 2 || (tens == 3 && !opus) || tens == 4 || tens == 6);
}

int codec_encode(struct codec_state *s, const int16_t *pcm, unsigned n, uint8_t *out, size_t size)
{
    if (!(s->use & CODEC_ENCODE) || !whole_packet(s, n))
        return ERR_INVAL;
    unsigned own_n = (unsigned)((uint64_t)n * s->own_hz / s->rate_hz);
    if (!s->ops->any_rate && size < (uint64_t)n * s->codec->clock_hz / s->rate_hz) /* a byte a unit */
        return ERR_TOOBIG;
    if (s->in) {
        (void)resample_run(s->in, pcm, n, s->own);
        pcm = s->own;
    }
    return s->ops->encode(s->coder, pcm, own_n, out, size);
}

int codec_decode(struct codec_state *s, const uint8_t *payload, size_t len, int16_t *pcm, unsigned max)
{
    uint32_t units = codec_duration(s->codec, payload, len);
    if (!(s->use & CODEC_DECODE) || units == 0)
        return ERR_INVAL;
    if (codec_samples(s, units) > max)
        return ERR_TOOBIG;
    int16_t *to = s->out ? s->own : pcm;
    int n = s->ops->decode(s->decoder, payload, len, to, s->out ? CODEC_NATIVE_MAX : max);
    if (n < 0)
        return n;
    if (s->conceal)
        conceal_good(s->conceal, to, (unsigned)n);
    if (s->out)
        n = (int)resample_run(s->out, s->own, (unsigned)n, pcm);
    return n;
}

/* In pieces that fit, of an even number of samples at the codec's own rate. */
static void lost_resampled(struct codec_state *s, int16_t *pcm, unsigned n)
{
    while (n > 0) {
        unsigned some = n < 320 ? n : 320, own_n = some * s->own_hz / s->rate_hz;
        if (own_n == 0) { /* one sample of 16 kHz: half of one of 8 kHz */
            *pcm = 0;
            return;
        }
        conceal_lost(s->conceal, s->own, own_n);
        unsigned made = resample_run(s->out, s->own, own_n, pcm);
        pcm += made;
        n -= made;
    }
}

void codec_lost(struct codec_state *s, const uint8_t *next, size_t next_len, int16_t *pcm, unsigned n)
{
    n = n < CODEC_SAMPLES_MAX ? n : CODEC_SAMPLES_MAX;
    if (!(s->use & CODEC_DECODE))
        memset(pcm, 0, n * sizeof *pcm);
    else if (s->ops->conceals)
        s->ops->lost(s->decoder, next, next_len, pcm, n);
    else if (s->out)
        lost_resampled(s, pcm, n);
    else
        conceal_lost(s->conceal, pcm, n);
}
