/* RIFF WAVE in the three forms that telephony uses. Every length in the file is checked against what is left of it. */
#include <string.h>

#include "telephony/prompt_int.h"

enum { WAV_PCM = 1, WAV_ALAW = 6, WAV_ULAW = 7, WAV_EXTENSIBLE = 0xfffe };

struct wav_view {
    const unsigned char *data;
    size_t len;
};

static unsigned wav_u16(const unsigned char *p)
{
    return p[0] | (unsigned)p[1] << 8;
}

static uint32_t wav_u32(const unsigned char *p)
{
    return wav_u16(p) | (uint32_t)wav_u16(p + 2) << 16;
}

/* ITU-T G.711: A-law, even bits inverted on the line. */
static int16_t wav_alaw(unsigned char code)
{
    code ^= 0x55;
    int segment = (code & 0x70) >> 4, value = (code & 0x0f) << 4;
    value += segment ? 0x108 : 8;
    if (segment > 1)
        value <<= segment - 1;
    return (int16_t)(code & 0x80 ? value : -value);
}

/* ITU-T G.711: mu-law, all bits inverted on the line; bias 33 in 14 bits is 132 in 16. */
static int16_t wav_ulaw(unsigned char code)
{
    code = (unsigned char)~code;
    int value = ((((code & 0x0f) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84;
    return (int16_t)(code & 0x80 ? -value : value);
}

/* Finds the first chunk named `id`. Chunks are padded to even length. */
static int wav_chunk(struct wav_view file, const char *id, struct wav_view *out, struct err_info *info)
{
    size_t at = 12;
    while (file.len - at >= 8) {
        uint32_t len = wav_u32(file.data + at + 4);
        if (len > file.len - at - 8)
            return err_set(info, ERR_INVAL, "", "a part of the WAV file is longer than the file");
        if (memcmp(file.data + at, id, 4) == 0) {
            *out = (struct wav_view){file.data + at + 8, len};
            return 0;
        }
        at += 8 + (size_t)len;
        if ((len & 1) && at < file.len)
            at++;
    }
    return err_set(info, ERR_INVAL, "", "the WAV file has no '%s' part", id);
}

static int wav_format(struct wav_view fmt, unsigned *form, struct err_info *info)
{
    if (fmt.len < 16)
        return err_set(info, ERR_INVAL, "", "the format part of the WAV file is too short");
    unsigned tag = wav_u16(fmt.data), channels = wav_u16(fmt.data + 2), bits = wav_u16(fmt.data + 14);
    uint32_t rate = wav_u32(fmt.data + 4);
    if (tag == WAV_EXTENSIBLE && fmt.len >= 26)
        tag = wav_u16(fmt.data + 24);
    if (channels != 1 || rate != PROMPT_RATE_HZ)
        return err_set(info, ERR_INVAL, "", "must be mono at %u Hz, not %u channels at %u Hz", PROMPT_RATE_HZ, channels,
                       rate);
    if (!(tag == WAV_PCM && bits == 16) && !((tag == WAV_ALAW || tag == WAV_ULAW) && bits == 8))
        return err_set(info, ERR_INVAL, "", "must be 16-bit PCM, A-law or mu-law, not format %u with %u bits", tag,
                       bits);
    *form = tag;
    return 0;
}

int prompt_parse_wav(const void *data, size_t len, struct prompt **out, struct err_info *info)
{
    struct wav_view file = {data, len}, fmt, audio;
    unsigned form = 0;
    if (len > PROMPT_BYTES_MAX)
        return err_set(info, ERR_TOOBIG, "", "larger than %u bytes", PROMPT_BYTES_MAX);
    if (len < 12 || memcmp(file.data, "RIFF", 4) != 0 || memcmp(file.data + 8, "WAVE", 4) != 0)
        return err_set(info, ERR_INVAL, "", "not a WAV file");
    int rc = wav_chunk(file, "fmt ", &fmt, info);
    if (!rc)
        rc = wav_format(fmt, &form, info);
    if (!rc)
        rc = wav_chunk(file, "data", &audio, info);
    if (rc)
        return rc;
    uint32_t n = (uint32_t)(form == WAV_PCM ? audio.len / 2 : audio.len);
    if (n == 0)
        return err_set(info, ERR_INVAL, "", "the WAV file holds no sound");
    struct prompt *p = prompt_new(n);
    if (!p)
        return err_set(info, ERR_NOMEM, "", "%s", err_text(ERR_NOMEM));
    for (uint32_t i = 0; i < n; i++) {
        if (form == WAV_PCM)
            p->pcm[i] = (int16_t)wav_u16(audio.data + 2 * (size_t)i);
        else
            p->pcm[i] = form == WAV_ALAW ? wav_alaw(audio.data[i]) : wav_ulaw(audio.data[i]);
    }
    *out = p;
    return 0;
}
