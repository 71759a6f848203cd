#include "sound/sound.h"

#include <ebur128.h>
#include <errno.h>
#include <math.h>
#include <samplerate.h>
#include <sndfile.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FRAMES = 4096, GATE_SAMPLES = SOUND_RATE_HZ * 2 / 5, WAV_HEADER = 44 };

/* What has been read so far, at SOUND_RATE_HZ. */
struct sound {
    float *at;
    size_t n, cap;
};

static int append(struct sound *s, const float *from, size_t n, struct err_info *info)
{
    if (n == 0)
        return 0;
    if (n > (size_t)SOUND_SECONDS_MAX * SOUND_RATE_HZ - s->n)
        return err_set(info, ERR_TOOBIG, "", "the sound is longer than %u seconds", SOUND_SECONDS_MAX);
    if (s->n + n > s->cap) {
        size_t cap = 2 * s->cap + n + SOUND_RATE_HZ;
        float *more = realloc(s->at, cap * sizeof *more);
        if (!more)
            return err_set(info, ERR_NOMEM, "", "%s", err_text(ERR_NOMEM));
        s->at = more;
        s->cap = cap;
    }
    memcpy(s->at + s->n, from, n * sizeof *from);
    s->n += n;
    return 0;
}

/* Several channels become one; what is no number (a file of floating point may hold anything) becomes silence. */
static void mix_down(const float *frames, sf_count_t n, int channels, float *mono)
{
    for (sf_count_t i = 0; i < n; i++) {
        float sum = 0;
        for (int c = 0; c < channels; c++)
            sum += frames[i * channels + c];
        sum /= (float)channels;
        mono[i] = isfinite(sum) ? fmaxf(-8.0f, fminf(8.0f, sum)) : 0.0f;
    }
}

static int resample(SRC_STATE *src, double ratio, const float *mono, long n, bool last, struct sound *s,
                    struct err_info *info)
{
    float out[FRAMES];
    SRC_DATA d = {.data_in = mono, .input_frames = n, .end_of_input = last, .src_ratio = ratio};
    do {
        d.data_out = out;
        d.output_frames = FRAMES;
        int bad = src_process(src, &d);
        if (bad)
            return err_set(info, ERR_INVAL, "", "cannot be resampled: %s", src_strerror(bad));
        int rc = append(s, out, (size_t)d.output_frames_gen, info);
        if (rc)
            return rc;
        d.input_frames -= d.input_frames_used;
        d.data_in +=
            d.input_frames > 0 ? d.input_frames_used : -(d.data_in - mono); /* its end may be where `out` begins */
    } while (d.input_frames > 0 || d.output_frames_gen == FRAMES);
    return 0;
}

static int read_all(SNDFILE *f, const SF_INFO *fi, struct sound *s, struct err_info *info)
{
    int bad = 0;
    float *frames = malloc(sizeof *frames * FRAMES * (size_t)fi->channels), mono[FRAMES];
    SRC_STATE *src = src_new(SRC_SINC_MEDIUM_QUALITY, 1, &bad);
    int rc = frames && src ? 0 : err_set(info, ERR_NOMEM, "", "%s", err_text(ERR_NOMEM));
    for (sf_count_t n = 1; !rc && n > 0;) {
        n = sf_readf_float(f, frames, FRAMES);
        mix_down(frames, n > 0 ? n : 0, fi->channels, mono);
        rc = resample(src, (double)SOUND_RATE_HZ / fi->samplerate, mono, n > 0 ? (long)n : 0, n <= 0, s, info);
    }
    if (!rc && sf_error(f))
        rc = err_set(info, ERR_INVAL, "", "the file is damaged: %s", sf_strerror(f));
    if (src)
        src_delete(src);
    free(frames);
    return rc;
}

static int check(const SF_INFO *fi, struct err_info *info)
{
    if (fi->channels < 1 || fi->channels > (int)SOUND_CHANNELS_MAX)
        return err_set(info, ERR_INVAL, "", "has %d channels: 1 to %u are taken", fi->channels, SOUND_CHANNELS_MAX);
    if (fi->samplerate < 4000 || fi->samplerate > 192000)
        return err_set(info, ERR_INVAL, "", "is sampled at %d Hz: 4000 to 192000 are taken", fi->samplerate);
    if (fi->frames / fi->samplerate > (sf_count_t)SOUND_SECONDS_MAX)
        return err_set(info, ERR_TOOBIG, "", "the sound is longer than %u seconds", SOUND_SECONDS_MAX);
    return 0;
}

/* ---- loudness */

static double mean_power_db(const struct sound *s)
{
    double sum = 0;
    for (size_t i = 0; i < s->n; i++)
        sum += (double)s->at[i] * s->at[i];
    return sum > 0 ? 10.0 * log10(sum / (double)s->n) : -HUGE_VAL;
}

static int loudness_of(const struct sound *s, double *lufs, struct err_info *info)
{
    if (s->n < GATE_SAMPLES) {
        *lufs = mean_power_db(s);
        return 0;
    }
    ebur128_state *e = ebur128_init(1, SOUND_RATE_HZ, EBUR128_MODE_I);
    int bad = !e || ebur128_add_frames_float(e, s->at, s->n) || ebur128_loudness_global(e, lufs);
    if (e)
        ebur128_destroy(&e);
    if (bad)
        return err_set(info, ERR_NOMEM, "", "its loudness cannot be measured");
    /* All of it below the gate of -70 LUFS. */
    return 0;
}

static int level(struct sound *s, struct err_info *info)
{
    double lufs = 0, peak = 0;
    for (size_t i = 0; i < s->n; i++)
        peak = fmax(peak, fabs((double)s->at[i]));
    if (peak < 1e-4)
        return err_set(info, ERR_INVAL, "", "the file holds silence only");
    int rc = loudness_of(s, &lufs, info);
    if (rc)
        return rc;
    double gain = isfinite(lufs) ? pow(10.0, (SOUND_LUFS - lufs) / 20.0) : SOUND_GAIN_MAX;
    gain = fmin(fmin(gain, SOUND_GAIN_MAX), SOUND_PEAK / peak);
    for (size_t i = 0; i < s->n; i++)
        s->at[i] = (float)(s->at[i] * gain);
    return 0;
}

/* ---- writing */

static void put_u32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> (8 * i));
}

static void put_header(unsigned char h[WAV_HEADER], uint32_t bytes)
{
    static const unsigned char form[8] = {1, 0, 1, 0}; /* PCM, one channel */
    memcpy(h, "RIFF", 4);
    put_u32(h + 4, 36 + bytes);
    memcpy(h + 8, "WAVEfmt ", 8);
    put_u32(h + 16, 16);
    memcpy(h + 20, form, 4);
    put_u32(h + 24, SOUND_RATE_HZ);
    put_u32(h + 28, 2 * SOUND_RATE_HZ);
    put_u32(h + 32, 2 | 16u << 16); /* bytes of a sample, bits of it */
    memcpy(h + 36, "data", 4);
    put_u32(h + 40, bytes);
}

static int write_all(int fd, const unsigned char *p, size_t len, struct err_info *info)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_set(info, ERR_IO, "", "cannot be written: %s", strerror(errno));
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_wav(int fd, const struct sound *s, struct err_info *info)
{
    size_t len = WAV_HEADER + 2 * s->n;
    unsigned char *file = malloc(len);
    if (!file)
        return err_set(info, ERR_NOMEM, "", "%s", err_text(ERR_NOMEM));
    put_header(file, (uint32_t)(2 * s->n));
    for (size_t i = 0; i < s->n; i++) {
        int v = (int)lrint(fmax(-32768.0, fmin(32767.0, s->at[i] * 32767.0)));
        file[WAV_HEADER + 2 * i] = (unsigned char)(v & 0xff);
        file[WAV_HEADER + 2 * i + 1] = (unsigned char)((v >> 8) & 0xff);
    }
    int rc = write_all(fd, file, len, info);
    free(file);
    return rc;
}

int sound_convert(int in_fd, int out_fd, struct err_info *info)
{
    SF_INFO fi = {0};
    struct sound s = {0};
    SNDFILE *f = sf_open_fd(in_fd, SFM_READ, &fi, SF_FALSE);
    if (!f)
        return err_set(info, ERR_INVAL, "", "not a sound file that is known (WAV, MP3, FLAC, Ogg): %s",
                       sf_strerror(NULL));
    int rc = check(&fi, info);
    if (!rc)
        rc = read_all(f, &fi, &s, info);
    if (!rc && s.n == 0)
        rc = err_set(info, ERR_INVAL, "", "the file holds no sound");
    if (!rc)
        rc = level(&s, info);
    if (!rc)
        rc = write_wav(out_fd, &s, info);
    sf_close(f);
    free(s.at);
    return rc;
}
