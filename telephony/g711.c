#include "telephony/g711.h"

#include <pthread.h>

int16_t g711_ulaw_linear[256], g711_alaw_linear[256];
uint8_t g711_ulaw_alaw[256], g711_alaw_ulaw[256];

/* Indexed by the 14 (mu) and 13 (A) upper bits of a sample, which is all that the laws see. */
static uint8_t ulaw_of[16384], alaw_of[8192];

static int16_t decode_ulaw(uint8_t code)
{
    unsigned u = (uint8_t)~code;
    int magnitude = (int)((((u & 15u) << 3) + 0x84u) << ((u >> 4) & 7u)) - 0x84;
    return (int16_t)(u & 0x80u ? -magnitude : magnitude);
}

static int16_t decode_alaw(uint8_t code)
{
    unsigned a = code ^ 0x55u, exponent = (a >> 4) & 7u;
    int magnitude = (int)((a & 15u) << 4) + 8;
    if (exponent > 0)
        magnitude = (magnitude + 0x100) << (exponent - 1);
    return (int16_t)(a & 0x80u ? magnitude : -magnitude);
}

static unsigned top_bit(unsigned v)
{
    unsigned n = 0;
    while (v >>= 1)
        n++;
    return n;
}

static uint8_t encode_ulaw(int sample)
{
    unsigned sign = sample < 0 ? 0x80u : 0;
    unsigned magnitude = (unsigned)(sample < 0 ? -sample : sample);
    if (magnitude > 32635)
        magnitude = 32635;
    magnitude += 0x84;
    unsigned exponent = top_bit(magnitude) - 7;
    return (uint8_t) ~(sign | exponent << 4 | ((magnitude >> (exponent + 3)) & 15u));
}

static uint8_t encode_alaw(int sample)
{
    unsigned sign = sample >= 0 ? 0x80u : 0;
    /* Negative values are counted from -1, so that 0 and -1 are mirror images as G.711 draws them. */
    unsigned magnitude = (unsigned)(sample >= 0 ? sample : -1 - sample);
    unsigned exponent = magnitude >= 256 ? top_bit(magnitude) - 7 : 0;
    unsigned mantissa = magnitude >> (exponent > 0 ? exponent + 3 : 4);
    return (uint8_t)((sign | exponent << 4 | (mantissa & 15u)) ^ 0x55u);
}

static void build(void)
{
    for (unsigned i = 0; i < 16384; i++)
        ulaw_of[i] = encode_ulaw((int16_t)(uint16_t)(i << 2));
    for (unsigned i = 0; i < 8192; i++)
        alaw_of[i] = encode_alaw((int16_t)(uint16_t)(i << 3));
    for (unsigned i = 0; i < 256; i++) {
        g711_ulaw_linear[i] = decode_ulaw((uint8_t)i);
        g711_alaw_linear[i] = decode_alaw((uint8_t)i);
    }
    for (unsigned i = 0; i < 256; i++) {
        g711_ulaw_alaw[i] = encode_alaw(g711_ulaw_linear[i]);
        g711_alaw_ulaw[i] = encode_ulaw(g711_alaw_linear[i]);
    }
}

void g711_setup(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, build);
}

uint8_t g711_ulaw_encode(int16_t sample)
{
    return ulaw_of[(uint16_t)sample >> 2];
}

uint8_t g711_alaw_encode(int16_t sample)
{
    return alaw_of[(uint16_t)sample >> 3];
}
