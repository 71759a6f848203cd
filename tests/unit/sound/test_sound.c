/* Files of all kinds become what telephones are played, equally loud; what is no sound is refused with a reason. */
#include <fcntl.h>
#include <math.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sound/sound.h"
#include "telephony/prompt.h"
#include "tests/unit/suite.h"

static struct err_info info;

static int new_file(void)
{
    int fd = memfd_create("sound", 0);
    ck_assert_int_ge(fd, 0);
    return fd;
}

struct source {
    int format, rate, channels;
    double seconds, hz, level; /* level 0: silence */
};

static int make(const struct source *o)
{
    SF_INFO fi = {.samplerate = o->rate, .channels = o->channels, .format = o->format};
    int fd = new_file();
    SNDFILE *f = sf_open_fd(dup(fd), SFM_WRITE, &fi, SF_TRUE);
    ck_assert_msg(f, "%s", sf_strerror(NULL));
    float frame[SOUND_CHANNELS_MAX + 1];
    for (int i = 0; i < (int)(o->seconds * o->rate); i++) {
        for (int c = 0; c < o->channels; c++)
            frame[c] = (float)(o->level * sin(2 * M_PI * o->hz * i / o->rate));
        ck_assert_int_eq(sf_writef_float(f, frame, 1), 1);
    }
    sf_close(f);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static int convert(int in, struct prompt **out)
{
    int fd = new_file();
    memset(&info, 0, sizeof info);
    int rc = sound_convert(in, fd, &info);
    if (rc == 0) {
        off_t len = lseek(fd, 0, SEEK_END);
        void *data = mmap(NULL, (size_t)len, PROT_READ, MAP_PRIVATE, fd, 0);
        ck_assert(data != MAP_FAILED);
        ck_assert_msg(prompt_parse_wav(data, (size_t)len, out, &info) == 0, "%s", info.text);
        munmap(data, (size_t)len);
    } else {
        ck_assert_int_eq(info.code, rc);
        ck_assert_int_ne(info.text[0], 0);
    }
    close(fd);
    close(in);
    return rc;
}

static double power_db(const struct prompt *p)
{
    double sum = 0;
    for (uint32_t i = 0; i < p->n_samples; i++)
        sum += (double)p->pcm[i] * p->pcm[i];
    return 10 * log10(sum / p->n_samples / 32768 / 32768);
}

/* Share of the power that lies at hz. */
static double share(const struct prompt *p, double hz)
{
    double re = 0, im = 0, all = 0;
    for (uint32_t i = 0; i < p->n_samples; i++) {
        re += p->pcm[i] * cos(2 * M_PI * hz * i / PROMPT_RATE_HZ);
        im += p->pcm[i] * sin(2 * M_PI * hz * i / PROMPT_RATE_HZ);
        all += (double)p->pcm[i] * p->pcm[i];
    }
    return 2 * (re * re + im * im) / p->n_samples / all;
}

START_TEST(files_of_all_kinds)
{
    static const struct source sources[] = {
        {SF_FORMAT_WAV | SF_FORMAT_PCM_16, 44100, 2, 2, 1000, 0.5},  {SF_FORMAT_WAV | SF_FORMAT_PCM_24, 48000, 1, 2, 1000, 0.01},
        {SF_FORMAT_WAV | SF_FORMAT_FLOAT, 96000, 6, 2, 1000, 0.9},   {SF_FORMAT_WAV | SF_FORMAT_ALAW, 8000, 1, 2, 1000, 0.2},
        {SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 22050, 1, 2, 1000, 0.3}, {SF_FORMAT_OGG | SF_FORMAT_VORBIS, 16000, 1, 2, 1000, 0.3},
        {SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 44100, 2, 2, 1000, 0.3},
    };
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        struct prompt *p = NULL;
        ck_assert_msg(convert(make(&sources[i]), &p) == 0, "%zu: %s", i, info.text);
        ck_assert_double_eq_tol(p->n_samples / 8000.0, 2, 0.06);
        ck_assert_double_eq_tol(power_db(p), SOUND_LUFS, 1);
        ck_assert_double_gt(share(p, 1000), 0.97);
        prompt_unref(p);
    }
}
END_TEST

START_TEST(loudness_has_its_bounds)
{
    struct prompt *p = NULL;
    /* shorter than one gate of the measurement */
    ck_assert_int_eq(convert(make(&(struct source){SF_FORMAT_WAV | SF_FORMAT_PCM_16, 8000, 1, 0.2, 500, 0.9}), &p), 0);
    ck_assert_double_eq_tol(power_db(p), SOUND_LUFS, 0.5);
    prompt_unref(p);
    /* so soft that only a part of it can be made up for */
    ck_assert_int_eq(convert(make(&(struct source){SF_FORMAT_WAV | SF_FORMAT_FLOAT, 8000, 1, 1, 500, 0.0005}), &p), 0);
    ck_assert_double_eq_tol(power_db(p), 20 * log10(0.0005 / sqrt(2)) + 30, 0.5);
    prompt_unref(p);
    /* a click in silence: softer rather than clipped */
    int fd = make(&(struct source){SF_FORMAT_WAV | SF_FORMAT_PCM_16, 8000, 1, 3, 500, 0.0002});
    const int16_t click = 20000;
    ck_assert_int_eq(pwrite(fd, &click, sizeof click, 20000), sizeof click);
    ck_assert_int_eq(convert(fd, &p), 0);
    for (uint32_t i = 0; i < p->n_samples; i++)
        ck_assert_int_le(abs(p->pcm[i]), (int)(SOUND_PEAK * 32768));
    prompt_unref(p);
}
END_TEST

START_TEST(what_is_no_sound_is_refused)
{
    static const struct {
        struct source o;
        int code;
        const char *says;
    } cases[] = {
        {{SF_FORMAT_WAV | SF_FORMAT_PCM_16, 8000, 1, 1, 500, 0}, ERR_INVAL, "silence"},
        {{SF_FORMAT_WAV | SF_FORMAT_PCM_16, 8000, 1, 0, 500, 0.5}, ERR_INVAL, "no sound"},
        {{SF_FORMAT_WAV | SF_FORMAT_PCM_16, 8000, SOUND_CHANNELS_MAX + 1, 1, 500, 0.5}, ERR_INVAL, "channels"},
        {{SF_FORMAT_WAV | SF_FORMAT_PCM_16, 2000, 1, 1, 500, 0.5}, ERR_INVAL, "2000 Hz"},
        {{SF_FORMAT_WAV | SF_FORMAT_PCM_U8, 4000, 1, SOUND_SECONDS_MAX + 1, 500, 0.5}, ERR_TOOBIG, "longer than 600 seconds"},
    };
    struct prompt *p = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(convert(make(&cases[i].o), &p), cases[i].code);
        ck_assert_msg(strstr(info.text, cases[i].says), "%s", info.text);
    }
    int fd = new_file();
    ck_assert_int_eq(convert(fd, &p), ERR_INVAL);
    fd = new_file();
    ck_assert_int_eq(write(fd, "RIFF\xff\xff\xff\x7fWAVEjunk", 16), 16);
    lseek(fd, 0, SEEK_SET);
    ck_assert_int_eq(convert(fd, &p), ERR_INVAL);
    ck_assert_ptr_null(p);
}
END_TEST

/* A file of floating point may hold anything. */
START_TEST(what_is_no_number_is_silence)
{
    struct prompt *p = NULL;
    int fd = make(&(struct source){SF_FORMAT_WAV | SF_FORMAT_FLOAT, 8000, 1, 1, 500, 0.5});
    const float bad[3] = {NAN, INFINITY, 1e30f};
    ck_assert_int_eq(pwrite(fd, bad, sizeof bad, 10000), sizeof bad);
    ck_assert_int_eq(convert(fd, &p), 0);
    ck_assert_double_gt(share(p, 500), 0.2);
    prompt_unref(p);
}
END_TEST

START_TEST(a_full_disk_is_told)
{
    int in = make(&(struct source){SF_FORMAT_WAV | SF_FORMAT_PCM_16, 8000, 1, 1, 500, 0.5}), out = open("/dev/full", O_WRONLY);
    ck_assert_int_ge(out, 0);
    ck_assert_int_eq(sound_convert(in, out, &info), ERR_IO);
    close(in);
    close(out);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sound");
    TCase *t = tcase_create("sound");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, files_of_all_kinds);
    tcase_add_test(t, loudness_has_its_bounds);
    tcase_add_test(t, what_is_no_sound_is_refused);
    tcase_add_test(t, what_is_no_number_is_silence);
    tcase_add_test(t, a_full_disk_is_told);
    suite_add_tcase(s, t);
    return run_suite(s);
}
