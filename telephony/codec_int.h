/* Inside of the codecs.
 *
 * codec.c       the table, and what all share: rates, concealment, limits
 * codec_g711.c  A-law, mu-law
 * codec_g722.c  by spandsp
 * codec_opus.c  by libopus
 *
 * A codec works at one rate, given when it is opened; where that is not the rate that is asked for, codec.c resamples. */
#ifndef TELEPHONY_CODEC_INT_H
#define TELEPHONY_CODEC_INT_H

#include "telephony/codec.h"

#define CODEC_NATIVE_MAX 1920u /* samples of 120 ms at 16 kHz: codecs that are resampled */

struct codec_ops {
    bool conceals; /* `lost` is its own; else telephony/conceal.h stands in */
    bool any_rate; /* codes at any rate: never resampled */
    /* *coder and *decoder are given back to `close`, also after a failure; either stays NULL unless `use` asks for it. */
    int (*open)(unsigned rate_hz, unsigned use, const char *fmtp, void **coder, void **decoder, struct err_info *info);
    void (*close)(void *coder, void *decoder);
    uint32_t (*duration)(const uint8_t *payload, size_t len);
    int (*encode)(void *coder, const int16_t *pcm, unsigned n, uint8_t *out, size_t size);
    /* There is room for what duration says. */
    int (*decode)(void *decoder, const uint8_t *payload, size_t len, int16_t *pcm, unsigned max);
    void (*lost)(void *decoder, const uint8_t *next, size_t next_len, int16_t *pcm, unsigned n);
};

extern const struct codec_ops codec_ulaw_ops, codec_alaw_ops, codec_g722_ops, codec_opus_ops;

#endif
