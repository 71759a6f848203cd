/* Prompts: WAV files of every form and of no form, the store with its fall-backs, hold music. */
#include "tests/unit/base/alloc_budget.h"

#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "telephony/prompt.h"
#include "tests/unit/suite.h"

/* ---- WAV ---- */

struct wav {
    unsigned char at[512];
    size_t len;
};

static void put(struct wav *w, const void *data, size_t len)
{
    memcpy(w->at + w->len, data, len);
    w->len += len;
}

static void put_le(struct wav *w, uint32_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++, v >>= 8)
        w->at[w->len++] = (unsigned char)v;
}

static void put_fmt(struct wav *w, unsigned tag, unsigned channels, unsigned rate, unsigned bits)
{
    bool extensible = tag > 0xffff;
    put(w, "fmt ", 4);
    put_le(w, extensible ? 40 : 16, 4);
    put_le(w, extensible ? 0xfffe : tag, 2);
    put_le(w, channels, 2);
    put_le(w, rate, 4);
    put_le(w, rate * channels * bits / 8, 4);
    put_le(w, channels * bits / 8, 2);
    put_le(w, bits, 2);
    if (extensible) {
        put_le(w, 22, 2);
        put_le(w, bits, 2);
        put_le(w, 4, 4);
        put_le(w, tag & 0xffff, 2);
        put(w, "\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71", 14);
    }
}

static void put_chunk(struct wav *w, const char *id, const void *data, uint32_t len)
{
    put(w, id, 4);
    put_le(w, len, 4);
    put(w, data, len);
    if (len & 1)
        put_le(w, 0, 1);
}

static struct wav wav_of(unsigned tag, unsigned bits, const void *data, uint32_t len)
{
    struct wav w = {.len = 0};
    put(&w, "RIFF\0\0\0\0WAVE", 12);
    put_fmt(&w, tag, 1, 8000, bits);
    put_chunk(&w, "LIST", "odd", 3);
    put_chunk(&w, "data", data, len);
    return w;
}

START_TEST(wav_forms)
{
    static const struct {
        unsigned tag, bits;
        unsigned char data[8];
        uint32_t len;
        unsigned n;
        int16_t pcm[4];
    } cases[] = {
        {1, 16, {0x01, 0x00, 0xff, 0xff, 0xff, 0x7f, 0x00, 0x80}, 8, 4, {1, -1, 32767, -32768}},
        {0x10001, 16, {0x34, 0x12}, 2, 1, {0x1234}},
        /* ITU-T G.711: the codes of zero, of the largest and of the smallest values */
        {6, 8, {0xd5, 0x55, 0xaa, 0x2a}, 4, 4, {8, -8, 32256, -32256}},
        {7, 8, {0xff, 0x7f, 0x80, 0x00}, 4, 4, {0, 0, 32124, -32124}},
        {0x10007, 8, {0xff}, 1, 1, {0}},
        {1, 16, {0x01, 0x00, 0xff}, 3, 1, {1}}, /* half a sample at the end */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wav w = wav_of(cases[i].tag, cases[i].bits, cases[i].data, cases[i].len);
        struct prompt *p = NULL;
        struct err_info info;
        int rc = prompt_parse_wav(w.at, w.len, &p, &info);
        ck_assert_msg(rc == 0, "case %zu: %s", i, info.text);
        ck_assert_uint_eq(p->n_samples, cases[i].n);
        for (unsigned k = 0; k < cases[i].n; k++)
            ck_assert_msg(p->pcm[k] == cases[i].pcm[k], "case %zu sample %u is %d", i, k, p->pcm[k]);
        prompt_unref(p);
    }
}
END_TEST

static void wav_refused(const struct wav *w, const char *words)
{
    struct prompt *p = NULL;
    struct err_info info;
    ck_assert_int_eq(prompt_parse_wav(w->at, w->len, &p, &info), ERR_INVAL);
    ck_assert_ptr_null(p);
    ck_assert_msg(strstr(info.text, words) != NULL, "'%s' does not say '%s'", info.text, words);
}

START_TEST(wav_refusals)
{
    static const struct {
        unsigned tag, channels, rate, bits;
        const char *words;
    } cases[] = {
        {1, 2, 8000, 16, "mono"},   {1, 1, 16000, 16, "mono"},        {1, 1, 8000, 8, "16-bit"},
        {1, 1, 8000, 24, "16-bit"}, {3, 1, 8000, 32, "16-bit"},       {6, 1, 8000, 16, "16-bit"},
        {2, 1, 8000, 4, "16-bit"},  {0x10003, 1, 8000, 32, "16-bit"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wav w = {.len = 0};
        put(&w, "RIFF\0\0\0\0WAVE", 12);
        put_fmt(&w, cases[i].tag, cases[i].channels, cases[i].rate, cases[i].bits);
        put_chunk(&w, "data", "abcd", 4);
        wav_refused(&w, cases[i].words);
    }
    struct wav w = {.len = 0};
    wav_refused(&w, "not a WAV");
    put(&w, "RIFF\0\0\0\0WAVX", 12);
    wav_refused(&w, "not a WAV");
    w.at[11] = 'E';
    wav_refused(&w, "no 'fmt '");
    put_chunk(&w, "fmt ", "short", 5);
    wav_refused(&w, "too short");
    w = wav_of(1, 16, "", 0);
    wav_refused(&w, "no sound");
    w = wav_of(1, 16, "abcd", 4);
    w.at[w.len - 8] = 5; /* one byte more than there is */
    wav_refused(&w, "longer than the file");
    memset(w.at + w.len - 8, 0xff, 4);
    wav_refused(&w, "longer than the file");
    struct prompt *p = NULL;
    ck_assert_int_eq(prompt_parse_wav(w.at, PROMPT_BYTES_MAX + 1, &p, NULL), ERR_TOOBIG);
}
END_TEST

/* Whatever is cut off or changed: refused, or sound that lies inside the file. */
START_TEST(wav_cut_and_bent)
{
    struct wav whole = wav_of(0x10006, 8, "0123456789", 10);
    for (size_t len = 0; len < whole.len; len++) {
        unsigned char *exact = malloc(len ? len : 1);
        memcpy(exact, whole.at, len);
        struct prompt *p = NULL;
        ck_assert_int_eq(prompt_parse_wav(exact, len, &p, NULL), ERR_INVAL);
        free(exact);
    }
    for (size_t at = 0; at < whole.len; at++)
        for (unsigned v = 0; v < 256; v += 5) {
            struct wav w = whole;
            struct prompt *p = NULL;
            w.at[at] = (unsigned char)v;
            if (prompt_parse_wav(w.at, w.len, &p, NULL) == 0)
                ck_assert_uint_le(p->n_samples, 10);
            prompt_unref(p);
        }
}
END_TEST

/* ---- store ---- */

static char folder[64];

static void make_folder(void)
{
    log_setup(LOG_ERROR, false, "test");
    snprintf(folder, sizeof folder, "/tmp/prompt-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void write_file(const char *name, const void *data, size_t len)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    ck_assert_msg(f != NULL, "%s", path);
    fwrite(data, 1, len, f);
    fclose(f);
}

static void make_dir(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ck_assert_int_eq(mkdir(path, 0700), 0);
}

static void write_sample(const char *name, int16_t sample)
{
    struct wav w = wav_of(1, 16, &sample, 2);
    write_file(name, w.at, w.len);
}

static void fill_folder(void)
{
    make_dir("zh");
    make_dir("en");
    make_dir("zh/sub.wav");
    make_dir(".hidden");
    write_sample("zh/both.wav", 1);
    write_sample("en/both.wav", 2);
    write_sample("en/english.wav", 3);
    write_sample("zh/.new.wav", 4);
    write_sample("zh/odd name.wav", 5);
    write_file("zh/broken.wav", "RIFF", 4);
    write_file("zh/notes.txt", "x", 1);
    write_file("plain.wav", "x", 1);
}

static void remove_folder(void)
{
    static const char *const names[] = {"zh/both.wav",
                                        "en/both.wav",
                                        "en/english.wav",
                                        "zh/.new.wav",
                                        "zh/odd name.wav",
                                        "zh/broken.wav",
                                        "zh/notes.txt",
                                        "plain.wav",
                                        "zh/sub.wav",
                                        "zh",
                                        "en",
                                        ".hidden",
                                        ""};
    char path[256];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (unlink(path) != 0)
            rmdir(path);
    }
}

static int sample_of(struct prompt_store *s, const char *language, const char *key)
{
    struct prompt *p = NULL;
    int rc = prompt_get(s, language, key, &p);
    int sample = rc ? rc : p->pcm[0];
    prompt_unref(p);
    return sample;
}

START_TEST(store)
{
    struct prompt_store *s = NULL;
    struct err_info info;
    fill_folder();
    ck_assert_int_eq(prompt_store_open(folder, &s, &info), 0);
    ck_assert_int_eq(sample_of(s, "zh", "both"), 1);
    ck_assert_int_eq(sample_of(s, "en", "both"), 2);
    ck_assert_int_eq(sample_of(s, "fr", "both"), 1);    /* unknown language: Chinese first */
    ck_assert_int_eq(sample_of(s, "zh", "english"), 3); /* then English */
    ck_assert_int_eq(sample_of(s, NULL, "english"), 3);
    ck_assert_int_eq(sample_of(s, "zh", "none"), ERR_NOTFOUND);
    ck_assert_int_eq(sample_of(s, "zh", "sub"), ERR_INVAL);
    ck_assert_int_eq(sample_of(s, "zh", "broken"), ERR_INVAL);
    ck_assert_int_eq(sample_of(s, "zh", ".new"), ERR_NOTFOUND);
    ck_assert_int_eq(sample_of(s, "zh", "odd name"), ERR_NOTFOUND);
    ck_assert_int_eq(sample_of(s, "..", "plain"), ERR_NOTFOUND);
    ck_assert_int_eq(prompt_exists(s, "zh", "both"), 1);
    ck_assert_int_eq(prompt_exists(s, "zh", "english"), 0);
    ck_assert_int_eq(prompt_exists(s, "zh", "broken"), 0);
    char longest[300];
    memset(longest, 'k', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    ck_assert_int_eq(sample_of(s, "zh", longest), ERR_NOTFOUND);

    struct prompt *kept = NULL, *music = prompt_hold_music(s);
    ck_assert_int_eq(prompt_get(s, "en", "both", &kept), 0);
    prompt_store_close(s);
    ck_assert_int_eq(kept->pcm[0], 2); /* who holds a prompt may outlive the store */
    ck_assert_uint_gt(music->n_samples, 0);
    prompt_unref(kept);
    prompt_unref(music);
    prompt_store_close(NULL);
}
END_TEST

START_TEST(what_is_put_goes_first)
{
    struct prompt_store *s = NULL;
    struct err_info info;
    struct prompt *both = NULL, *other = NULL;
    fill_folder();
    ck_assert_int_eq(prompt_store_open(folder, &s, &info), 0);
    ck_assert_int_eq(prompt_get(s, "en", "both", &both), 0); /* its first sample is 2 */
    ck_assert_int_eq(prompt_get(s, "en", "english", &other), 0);
    ck_assert_int_eq(prompt_store_put(s, "zh", "both", both), 0);
    ck_assert_int_eq(sample_of(s, "zh", "both"), 2);
    ck_assert_int_eq(prompt_store_put(s, "zh", "both", other), 0); /* the next version */
    ck_assert_int_eq(sample_of(s, "zh", "both"), 3);
    ck_assert_int_eq(prompt_store_put(s, "zh", "uploaded", both), 0);
    ck_assert_int_eq(prompt_exists(s, "zh", "uploaded"), 1);
    ck_assert_int_eq(sample_of(s, "en", "uploaded"), 2);
    ck_assert_int_eq(prompt_store_put(s, "zh", "broken", both), 0);
    ck_assert_int_eq(sample_of(s, "zh", "broken"), 2);
    ck_assert_int_eq(prompt_store_put(s, "zh", "both", NULL), 0);
    ck_assert_int_eq(sample_of(s, "zh", "both"), 1); /* the one of the folder again */
    ck_assert_int_eq(prompt_store_put(s, "zh", "uploaded", NULL), 0);
    ck_assert_int_eq(sample_of(s, "zh", "uploaded"), ERR_NOTFOUND);
    ck_assert_int_eq(prompt_store_put(s, "zh", "never", NULL), 0);
    char longest[300];
    memset(longest, 'k', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    ck_assert_int_eq(prompt_store_put(s, "zh", longest, both), ERR_TOOBIG);
    prompt_store_close(s);
    ck_assert_uint_eq(both->refs, 1);
    prompt_unref(both);
    prompt_unref(other);
}
END_TEST

START_TEST(store_that_is_not_there)
{
    struct prompt_store *s = NULL;
    struct err_info info;
    char path[128];
    snprintf(path, sizeof path, "%s/missing", folder);
    ck_assert_int_eq(prompt_store_open(path, &s, &info), ERR_NOTFOUND);
    ck_assert_ptr_null(s);
    ck_assert_ptr_nonnull(strstr(info.text, path));
    write_file("plain.wav", "x", 1);
    snprintf(path, sizeof path, "%s/plain.wav", folder);
    ck_assert_int_eq(prompt_store_open(path, &s, &info), ERR_INVAL);
    ck_assert_ptr_null(s);
}
END_TEST

START_TEST(store_out_of_memory)
{
    fill_folder();
    for (long budget = 0; alloc_budget_works(); budget++) {
        struct prompt_store *s = NULL;
        long live = alloc_budget_live;
        alloc_budget_set(budget);
        int rc = prompt_store_open(folder, &s, NULL);
        bool starved = alloc_budget_clear();
        /* The C library may do without a block that it only wanted for thrift: then nothing may be missing. */
        ck_assert_msg(rc == 0 || (rc == ERR_NOMEM && !s), "budget %ld: %d", budget, rc);
        if (rc == 0) {
            ck_assert_int_eq(sample_of(s, "zh", "both"), 1);
            ck_assert_int_eq(sample_of(s, "en", "both"), 2);
            ck_assert_int_eq(sample_of(s, "zh", "english"), 3);
            ck_assert_int_eq(sample_of(s, "zh", "broken"), ERR_INVAL);
            prompt_store_close(s);
        }
        ck_assert_msg(alloc_budget_live == live, "budget %ld: %ld blocks leaked", budget, alloc_budget_live - live);
        if (!starved) {
            ck_assert_int_gt(budget, 20);
            return;
        }
    }
}
END_TEST

static void *take_and_drop(void *arg)
{
    for (int i = 0; i < 100000; i++)
        prompt_unref(prompt_ref(arg));
    return NULL;
}

START_TEST(references_from_many_threads)
{
    struct wav w = wav_of(1, 16, "\1\0", 2);
    struct prompt *p = NULL;
    pthread_t t[4];
    ck_assert_int_eq(prompt_parse_wav(w.at, w.len, &p, NULL), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, take_and_drop, p), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    ck_assert_uint_eq(p->refs, 1);
    prompt_unref(p);
    prompt_unref(NULL);
    ck_assert_ptr_null(prompt_ref(NULL));
}
END_TEST

/* ---- hold music ---- */

START_TEST(hold_music)
{
    struct prompt_store *s = NULL;
    ck_assert_int_eq(prompt_store_open(folder, &s, NULL), 0);
    struct prompt *p = prompt_hold_music(s), *again = prompt_hold_music(s);
    ck_assert_ptr_eq(p, again);
    ck_assert_uint_ge(p->n_samples, 25 * PROMPT_RATE_HZ);
    ck_assert_uint_le(p->n_samples, 35 * PROMPT_RATE_HZ);
    double power = 0, quietest = 1e18;
    int peak = 0, steepest = 0;
    for (uint32_t at = 0; at < p->n_samples; at += PROMPT_RATE_HZ / 2) {
        double part = 0;
        for (uint32_t i = at; i < at + PROMPT_RATE_HZ / 2; i++) {
            part += (double)p->pcm[i] * p->pcm[i];
            peak = abs(p->pcm[i]) > peak ? abs(p->pcm[i]) : peak;
            if (i)
                steepest = abs(p->pcm[i] - p->pcm[i - 1]) > steepest ? abs(p->pcm[i] - p->pcm[i - 1]) : steepest;
        }
        power += part;
        quietest = part < quietest ? part : quietest;
    }
    /* 0 dBm0 is an RMS of 16141 */
    double dbm0 = 20 * log10(sqrt(power / p->n_samples) / 16141);
    ck_assert_msg(fabs(dbm0 + 18) < 0.5, "%.1f dBm0", dbm0);
    ck_assert_int_lt(peak, 20000);
    ck_assert_msg(sqrt(quietest / (PROMPT_RATE_HZ / 2)) > 200,
                  "half a second of silence: a caller would think the line is dead");
    /* The seam is no steeper than the music itself, in value and in slope: no click. */
    int seam = abs(p->pcm[0] - p->pcm[p->n_samples - 1]);
    ck_assert_int_le(seam, steepest);
    int bend = abs(p->pcm[1] - 2 * p->pcm[0] + p->pcm[p->n_samples - 1]);
    ck_assert_int_le(bend, steepest);
    prompt_unref(p);
    prompt_unref(again);
    prompt_store_close(s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("prompt");
    TCase *t = tcase_create("plain"), *with_folder = tcase_create("folder");
    tcase_set_timeout(t, 60);
    tcase_set_timeout(with_folder, 60);
    tcase_add_test(t, wav_forms);
    tcase_add_test(t, wav_refusals);
    tcase_add_test(t, wav_cut_and_bent);
    tcase_add_test(t, references_from_many_threads);
    tcase_add_checked_fixture(with_folder, make_folder, remove_folder);
    tcase_add_test(with_folder, store);
    tcase_add_test(with_folder, what_is_put_goes_first);
    tcase_add_test(with_folder, store_that_is_not_there);
    tcase_add_test(with_folder, store_out_of_memory);
    tcase_add_test(with_folder, hold_music);
    suite_add_tcase(s, t);
    suite_add_tcase(s, with_folder);
    return run_suite(s);
}
