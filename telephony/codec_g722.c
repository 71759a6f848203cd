/* G.722 at 64 kbit/s: a byte is two samples at 16 kHz and one unit of the RTP clock. */
#include <spandsp.h>

#include "telephony/codec_int.h"

#define BITS_PER_S 64000

static int open_g722(unsigned rate_hz, unsigned use, const char *fmtp, void **coder, void **decoder,
                     struct err_info *info)
{
    (void)rate_hz, (void)fmtp;
    if (use & CODEC_ENCODE)
        *coder = g722_encode_init(NULL, BITS_PER_S, 0);
    if (use & CODEC_DECODE)
        *decoder = g722_decode_init(NULL, BITS_PER_S, 0);
    if ((use & CODEC_ENCODE && !*coder) || (use & CODEC_DECODE && !*decoder))
        return err_set(info, ERR_NOMEM, "", "no memory for G.722");
    return 0;
}

static void close_g722(void *coder, void *decoder)
{
    if (coder)
        (void)g722_encode_free(coder);
    if (decoder)
        (void)g722_decode_free(decoder);
}

static uint32_t duration(const uint8_t *payload, size_t len)
{
    (void)payload;
    return (uint32_t)len;
}

static int encode(void *coder, const int16_t *pcm, unsigned n, uint8_t *out, size_t size)
{
    (void)size;
    return g722_encode(coder, out, pcm, (int)n);
}

static int decode(void *decoder, const uint8_t *payload, size_t len, int16_t *pcm, unsigned max)
{
    (void)max;
    return g722_decode(decoder, pcm, payload, (int)len);
}

const struct codec_ops codec_g722_ops = {
    .open = open_g722, .close = close_g722, .duration = duration, .encode = encode, .decode = decode};
