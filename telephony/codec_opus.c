/* Opus by libopus, mono, at 8, 16 or 48 kHz, which is the codec's own business: nothing is resampled. */
#include <opus.h>
#include <string.h>

#include "telephony/codec_int.h"
#include "telephony/opus_fmtp.h"

#define CLOCK_HZ 48000
#define COMPLEXITY 5     /* of 10: the ear hears little of the rest at these rates, the processor much */
#define EXPECTED_LOSS 10 /* percent, for which copies of packets are made where the other side asks for them */

static opus_int32 bandwidth(uint32_t hz)
{
    if (hz < 12000)
        return OPUS_BANDWIDTH_NARROWBAND;
    if (hz < 16000)
        return OPUS_BANDWIDTH_MEDIUMBAND;
    if (hz < 24000)
        return OPUS_BANDWIDTH_WIDEBAND;
    return hz < 48000 ? OPUS_BANDWIDTH_SUPERWIDEBAND : OPUS_BANDWIDTH_FULLBAND;
}

/* What RFC 7587 section 3.1.1 recommends for speech of that bandwidth; more where copies are made, or the library makes none. */
static opus_int32 bits_per_s(unsigned rate_hz, const struct opus_fmtp *f)
{
    unsigned hz = rate_hz < f->max_playback_hz ? rate_hz : f->max_playback_hz;
    uint32_t bits = hz <= 8000 ? 12000 : hz <= 16000 ? 20000 : 32000;
    bits += f->in_band_fec ? 8000 : 0;
    return (opus_int32)(f->max_average_bits && f->max_average_bits < bits ? f->max_average_bits : bits);
}

static int make_coder(unsigned rate_hz, const struct opus_fmtp *f, void **out)
{
    int rc = 0;
    OpusEncoder *e = opus_encoder_create((opus_int32)rate_hz, 1, OPUS_APPLICATION_VOIP, &rc);
    if (!e)
        return ERR_NOMEM;
    *out = e;
    const struct {
        int request;
        opus_int32 value;
    } set[] = {
        {OPUS_SET_COMPLEXITY_REQUEST, COMPLEXITY},
        {OPUS_SET_SIGNAL_REQUEST, OPUS_SIGNAL_VOICE},
        {OPUS_SET_BITRATE_REQUEST, bits_per_s(rate_hz, f)},
        {OPUS_SET_MAX_BANDWIDTH_REQUEST, bandwidth(f->max_playback_hz)},
        {OPUS_SET_VBR_REQUEST, !f->cbr},
        {OPUS_SET_DTX_REQUEST, f->dtx},
        {OPUS_SET_INBAND_FEC_REQUEST, f->in_band_fec},
        {OPUS_SET_PACKET_LOSS_PERC_REQUEST, f->in_band_fec ? EXPECTED_LOSS : 0},
    };
    for (size_t i = 0; i < sizeof set / sizeof set[0]; i++) {
        if (opus_encoder_ctl(e, set[i].request, set[i].value) != OPUS_OK)
            return ERR_UNSUPPORTED;
    }
    return 0;
}

static int open_opus(unsigned rate_hz, unsigned use, const char *fmtp, void **coder, void **decoder,
                     struct err_info *info)
{
    struct opus_fmtp f;
    int rc = opus_fmtp_parse(fmtp, &f, info);
    if (rc)
        return rc;
    if (use & CODEC_ENCODE)
        rc = make_coder(rate_hz, &f, coder);
    if (!rc && use & CODEC_DECODE) {
        *decoder = opus_decoder_create((opus_int32)rate_hz, 1, &rc);
        rc = *decoder ? 0 : ERR_NOMEM;
    }
    return rc ? err_set(info, rc, "", "Opus: %s", err_text(rc)) : 0;
}

static void close_opus(void *coder, void *decoder)
{
    if (coder)
        opus_encoder_destroy(coder);
    if (decoder)
        opus_decoder_destroy(decoder);
}

static uint32_t duration(const uint8_t *payload, size_t len)
{
    int n = opus_packet_get_nb_samples(payload, (opus_int32)len, CLOCK_HZ);
    return n > 0 ? (uint32_t)n : 0;
}

/* Where the other side agreed to it, silence is not sent: the library then makes packets of one or two bytes. */
static int encode(void *coder, const int16_t *pcm, unsigned n, uint8_t *out, size_t size)
{
    if (size < CODEC_PACKET_MAX)
        return ERR_TOOBIG;
    int len = opus_encode(coder, pcm, (int)n, out, CODEC_PACKET_MAX);
    if (len < 0)
        return ERR_INVAL;
    opus_int32 dtx = 0;
    (void)opus_encoder_ctl(coder, OPUS_GET_DTX(&dtx));
    return dtx && len <= 2 ? 0 : len;
}

static int decode(void *decoder, const uint8_t *payload, size_t len, int16_t *pcm, unsigned max)
{
    int n = opus_decode(decoder, payload, (opus_int32)len, pcm, (int)max, 0);
    return n >= 0 ? n : n == OPUS_BUFFER_TOO_SMALL ? ERR_TOOBIG : ERR_INVAL;
}

/* The decoder makes up multiples of 2.5 ms, at most what is asked for; from a copy in the next packet where there is one. */
static void lost(void *decoder, const uint8_t *next, size_t next_len, int16_t *pcm, unsigned n)
{
    opus_int32 hz = 8000;
    (void)opus_decoder_ctl(decoder, OPUS_GET_SAMPLE_RATE(&hz));
    unsigned step = (unsigned)hz / 400, made = n - n % step;
    int got = -1;
    if (made > 0 && next)
        got = opus_decode(decoder, next, (opus_int32)next_len, pcm, (int)made, 1);
    if (made > 0 && got < 0)
        got = opus_decode(decoder, NULL, 0, pcm, (int)made, 0);
    made = got > 0 ? (unsigned)got : 0;
    memset(pcm + made, 0, (n - made) * sizeof *pcm);
}

const struct codec_ops codec_opus_ops = {
    .conceals = true,
    .any_rate = true,
    .open = open_opus,
    .close = close_opus,
    .duration = duration,
    .encode = encode,
    .decode = decode,
    .lost = lost,
};
