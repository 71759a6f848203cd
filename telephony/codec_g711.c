#include "telephony/codec_int.h"
#include "telephony/g711.h"

static int open_g711(unsigned rate_hz, unsigned use, const char *fmtp, void **coder, void **decoder,
                     struct err_info *info)
{
    (void)rate_hz, (void)use, (void)fmtp, (void)coder, (void)decoder, (void)info;
    g711_setup();
    return 0;
}

static void close_g711(void *coder, void *decoder)
{
    (void)coder, (void)decoder;
}

static uint32_t duration(const uint8_t *payload, size_t len)
{
    (void)payload;
    return (uint32_t)len;
}

static int encode_ulaw(void *coder, const int16_t *pcm, unsigned n, uint8_t *out, size_t size)
{
    (void)coder, (void)size;
    for (unsigned i = 0; i < n; i++)
        out[i] = g711_ulaw_encode(pcm[i]);
    return (int)n;
}

static int encode_alaw(void *coder, const int16_t *pcm, unsigned n, uint8_t *out, size_t size)
{
    (void)coder, (void)size;
    for (unsigned i = 0; i < n; i++)
        out[i] = g711_alaw_encode(pcm[i]);
    return (int)n;
}

static int decode_ulaw(void *decoder, const uint8_t *payload, size_t len, int16_t *pcm, unsigned max)
{
    (void)decoder, (void)max;
    for (size_t i = 0; i < len; i++)
        pcm[i] = g711_ulaw_linear[payload[i]];
    return (int)len;
}

static int decode_alaw(void *decoder, const uint8_t *payload, size_t len, int16_t *pcm, unsigned max)
{
    (void)decoder, (void)max;
    for (size_t i = 0; i < len; i++)
        pcm[i] = g711_alaw_linear[payload[i]];
    return (int)len;
}

const struct codec_ops codec_ulaw_ops = {
    .open = open_g711, .close = close_g711, .duration = duration, .encode = encode_ulaw, .decode = decode_ulaw};
const struct codec_ops codec_alaw_ops = {
    .open = open_g711, .close = close_g711, .duration = duration, .encode = encode_alaw, .decode = decode_alaw};
