/* Payloads from strangers into each decoder, and Opus' parameters.
 *
 * The first byte chooses: 3 codec, 12 rate (8, 16, 48 kHz), 16 the rest is an a=fmtp line. Then records: a byte of length and as many
 * bytes of payload; length 0: what is missing, of as many 2.5 ms as the next byte says; length 255: the length is in the next two bytes. A
 * payload of odd length is also what follows a gap. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/codec.h"
#include "telephony/opus_fmtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parameters(const uint8_t *data, size_t size)
{
    struct opus_fmtp f, again;
    struct err_info info;
    char *text = malloc(size + 1), out[256];
    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    int rc = opus_fmtp_parse(text, &f, &info);
    if (rc == 0) {
        assert(f.max_playback_hz >= 8000 && f.max_playback_hz <= 48000 && f.max_average_bits <= 510000);
        assert(opus_fmtp_write(&f, out, sizeof out) >= 0 && opus_fmtp_parse(out, &again, &info) == 0);
        assert(again.max_playback_hz == f.max_playback_hz && again.stereo == f.stereo && again.dtx == f.dtx &&
               again.min_ptime_ms == f.min_ptime_ms && again.max_average_bits == f.max_average_bits);
    } else {
        assert(rc == ERR_INVAL && info.field[0] && info.text[0]);
    }
    free(text);
}

/* A block of exactly that size, so that a sample too many is seen. */
static int16_t *room(unsigned samples)
{
    int16_t *pcm = malloc(samples ? samples * sizeof *pcm : 1);
    if (!pcm)
        abort();
    return pcm;
}

static int64_t sum_of(const int16_t *pcm, int n)
{
    int64_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += pcm[i];
    return sum;
}

static void missing(struct codec_state *s, const uint8_t *next, size_t len, unsigned n)
{
    int16_t *pcm = room(n);
    codec_lost(s, next, len, pcm, n);
    assert(sum_of(pcm, (int)n) < INT64_MAX); /* all is written: a sanitizer sees what is not */
    free(pcm);
}

static void packet(struct codec_state *s, const uint8_t *payload, size_t len)
{
    unsigned n = codec_samples(s, codec_duration(codec_of(s), payload, len));
    assert(n <= CODEC_SAMPLES_MAX);
    if (len % 2)
        missing(s, payload, len, n);
    int16_t *pcm = room(n);
    int got = codec_decode(s, payload, len, pcm, n);
    assert(got < 0 || got == (int)n);
    assert(got != ERR_TOOBIG);
    assert(got < 0 || sum_of(pcm, got) < INT64_MAX);
    free(pcm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned rates[] = {8000, 16000, 48000, 8000};
    struct codec_state *s = NULL;
    struct err_info info;
    if (size == 0)
        return 0;
    unsigned choice = *data++;
    size--;
    if (choice & 16) {
        parameters(data, size);
        return 0;
    }
    unsigned hz = rates[choice >> 2 & 3];
    int rc = codec_open(codec_get((enum codec_id)(choice & 3)), hz, CODEC_DECODE, NULL, &s, &info);
    if (rc) {
        assert(rc == ERR_UNSUPPORTED && hz == 48000);
        return 0;
    }
    while (size > 0) {
        size_t len = *data++, head = len == 255 ? 2 : len == 0 ? 1 : 0;
        size--;
        if (size < head)
            break;
        if (len == 255)
            len = (size_t)data[0] << 8 | data[1];
        else if (len == 0)
            missing(s, NULL, 0, data[0] * (hz / 400) % (CODEC_SAMPLES_MAX + 1));
        data += head;
        size -= head;
        len = len < size ? len : size;
        uint8_t *payload = malloc(len + 1);
        if (!payload)
            abort();
        memcpy(payload, data, len);
        packet(s, payload, len);
        free(payload);
        data += len;
        size -= len;
    }
    codec_close(s);
    return 0;
}
