/* Prompts: WAV files of every form and of no form, the store with its fall-backs, numbers in both languages, hold music. */
#include "tests/unit/base/alloc_budget.h"

#include <check.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/yaml.h"
#include "telephony/prompt.h"

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

/* ---- numbers ---- */

/* Keys as words, so that the tables read like speech. */
static void words_of(const char *language, const char **keys, int n, char *out, size_t size)
{
    static const struct {
        const char *key, *zh, *en;
    } words[] = {
        {"num_0", "零", "zero"},       {"num_1", "一", "one"},
        {"num_2", "二", "two"},        {"num_3", "三", "three"},
        {"num_4", "四", "four"},       {"num_5", "五", "five"},
        {"num_6", "六", "six"},        {"num_7", "七", "seven"},
        {"num_8", "八", "eight"},      {"num_9", "九", "nine"},
        {"num_10", "十", "ten"},       {"num_11", NULL, "eleven"},
        {"num_12", NULL, "twelve"},    {"num_13", NULL, "thirteen"},
        {"num_14", NULL, "fourteen"},  {"num_15", NULL, "fifteen"},
        {"num_16", NULL, "sixteen"},   {"num_17", NULL, "seventeen"},
        {"num_18", NULL, "eighteen"},  {"num_19", NULL, "nineteen"},
        {"num_20", NULL, "twenty"},    {"num_30", NULL, "thirty"},
        {"num_40", NULL, "forty"},     {"num_50", NULL, "fifty"},
        {"num_60", NULL, "sixty"},     {"num_70", NULL, "seventy"},
        {"num_80", NULL, "eighty"},    {"num_90", NULL, "ninety"},
        {"num_100", "百", "hundred"},  {"num_1000", "千", "thousand"},
        {"num_10000", "万", NULL},     {"num_1000000", NULL, "million"},
        {"num_100000000", "亿", NULL}, {"num_1000000000", NULL, "billion"},
        {"num_liang", "两", NULL},     {"num_yao", "幺", NULL},
        {"key_star", "星", "star"},    {"key_hash", "井", "hash"},
    };
    bool zh = strcmp(language, "zh") == 0;
    *out = '\0';
    for (int i = 0; i < n; i++) {
        const char *word = NULL;
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            if (strcmp(words[k].key, keys[i]) == 0)
                word = zh ? words[k].zh : words[k].en;
        ck_assert_msg(word != NULL, "%s has no word for %s", language, keys[i]);
        size_t at = strlen(out);
        snprintf(out + at, size - at, "%s%s", zh || !i ? "" : " ", word);
    }
}

struct number_case {
    uint64_t value;
    const char *words;
};

static void check_numbers(const char *language, const struct number_case *cases, size_t n_cases)
{
    const char *keys[PROMPT_NUMBER_KEYS_MAX];
    char got[512];
    for (size_t i = 0; i < n_cases; i++) {
        int n = prompt_number_keys(language, cases[i].value, keys, PROMPT_NUMBER_KEYS_MAX);
        ck_assert_msg(n > 0, "%llu: %d", (unsigned long long)cases[i].value, n);
        words_of(language, keys, n, got, sizeof got);
        ck_assert_msg(strcmp(got, cases[i].words) == 0, "%llu is '%s', not '%s'", (unsigned long long)cases[i].value,
                      got, cases[i].words);
        for (int few = 0; few < n; few++)
            ck_assert_int_eq(prompt_number_keys(language, cases[i].value, keys, (size_t)few), ERR_TOOBIG);
    }
}

START_TEST(chinese_numbers)
{
    static const struct number_case cases[] = {
        {0, "零"},
        {1, "一"},
        {2, "二"},
        {3, "三"},
        {9, "九"},
        {10, "十"},
        {11, "十一"},
        {12, "十二"},
        {19, "十九"},
        {20, "二十"},
        {21, "二十一"},
        {22, "二十二"},
        {90, "九十"},
        {99, "九十九"},
        {100, "一百"},
        {101, "一百零一"},
        {102, "一百零二"},
        {110, "一百一十"},
        {111, "一百一十一"},
        {112, "一百一十二"},
        {120, "一百二十"},
        {200, "两百"},
        {202, "两百零二"},
        {210, "两百一十"},
        {220, "两百二十"},
        {222, "两百二十二"},
        {305, "三百零五"},
        {999, "九百九十九"},
        {1000, "一千"},
        {1001, "一千零一"},
        {1002, "一千零二"},
        {1010, "一千零一十"},
        {1011, "一千零一十一"},
        {1100, "一千一百"},
        {1101, "一千一百零一"},
        {1200, "一千二百"},
        {2000, "两千"},
        {2002, "两千零二"},
        {2020, "两千零二十"},
        {2200, "两千二百"},
        {2222, "两千二百二十二"},
        {9999, "九千九百九十九"},
        {10000, "一万"},
        {10001, "一万零一"},
        {10010, "一万零一十"},
        {10100, "一万零一百"},
        {11000, "一万一千"},
        {12000, "一万二千"},
        {20000, "两万"},
        {20002, "两万零二"},
        {22200, "两万二千二百"},
        {100000, "十万"},
        {100001, "十万零一"},
        {101000, "十万一千"},
        {110000, "十一万"},
        {120000, "十二万"},
        {200000, "二十万"},
        {1000000, "一百万"},
        {1000010, "一百万零一十"},
        {2000000, "两百万"},
        {10000000, "一千万"},
        {10010000, "一千零一万"},
        {10100101, "一千零一十万零一百零一"},
        {20000000, "两千万"},
        {99999999, "九千九百九十九万九千九百九十九"},
        {100000000, "一亿"},
        {100000001, "一亿零一"},
        {100001000, "一亿零一千"},
        {100010000, "一亿零一万"},
        {100100000, "一亿零一十万"},
        {110000000, "一亿一千万"},
        {200000000, "两亿"},
        {200020002, "两亿零二万零二"},
        {1000000000, "十亿"},
        {1234567890, "十二亿三千四百五十六万七千八百九十"},
        {20000000000, "两百亿"},
        {200000000000, "两千亿"},
        {100000000010, "一千亿零一十"},
        {999999999999, "九千九百九十九亿九千九百九十九万九千九百九十九"},
    };
    _Static_assert(sizeof cases / sizeof *cases >= 60, "a table worth the name");
    check_numbers("zh", cases, sizeof cases / sizeof *cases);
}
END_TEST

START_TEST(english_numbers)
{
    static const struct number_case cases[] = {
        {0, "zero"},
        {1, "one"},
        {2, "two"},
        {5, "five"},
        {9, "nine"},
        {10, "ten"},
        {11, "eleven"},
        {12, "twelve"},
        {13, "thirteen"},
        {14, "fourteen"},
        {15, "fifteen"},
        {16, "sixteen"},
        {17, "seventeen"},
        {18, "eighteen"},
        {19, "nineteen"},
        {20, "twenty"},
        {21, "twenty one"},
        {30, "thirty"},
        {33, "thirty three"},
        {40, "forty"},
        {44, "forty four"},
        {50, "fifty"},
        {55, "fifty five"},
        {60, "sixty"},
        {66, "sixty six"},
        {70, "seventy"},
        {77, "seventy seven"},
        {80, "eighty"},
        {88, "eighty eight"},
        {90, "ninety"},
        {99, "ninety nine"},
        {100, "one hundred"},
        {101, "one hundred one"},
        {110, "one hundred ten"},
        {111, "one hundred eleven"},
        {119, "one hundred nineteen"},
        {120, "one hundred twenty"},
        {199, "one hundred ninety nine"},
        {200, "two hundred"},
        {345, "three hundred forty five"},
        {999, "nine hundred ninety nine"},
        {1000, "one thousand"},
        {1001, "one thousand one"},
        {1010, "one thousand ten"},
        {1100, "one thousand one hundred"},
        {1234, "one thousand two hundred thirty four"},
        {2000, "two thousand"},
        {9999, "nine thousand nine hundred ninety nine"},
        {10000, "ten thousand"},
        {10010, "ten thousand ten"},
        {12345, "twelve thousand three hundred forty five"},
        {100000, "one hundred thousand"},
        {100001, "one hundred thousand one"},
        {110000, "one hundred ten thousand"},
        {999999, "nine hundred ninety nine thousand nine hundred ninety nine"},
        {1000000, "one million"},
        {1000001, "one million one"},
        {1001000, "one million one thousand"},
        {20000000, "twenty million"},
        {100000000, "one hundred million"},
        {1000000000, "one billion"},
        {1000000001, "one billion one"},
        {1001001001, "one billion one million one thousand one"},
        {15000000000, "fifteen billion"},
        {999999999999,
         "nine hundred ninety nine billion nine hundred ninety nine million nine hundred ninety nine thousand "
         "nine hundred ninety nine"},
    };
    _Static_assert(sizeof cases / sizeof *cases >= 60, "a table worth the name");
    check_numbers("en", cases, sizeof cases / sizeof *cases);
}
END_TEST

/* Reads Chinese words back: every number up to 99999 and a sample above is spoken unambiguously. */
static uint64_t read_chinese(const char **keys, int n)
{
    uint64_t total = 0, group = 0, digit = 0;
    bool pending = false;
    for (int i = 0; i < n; i++) {
        uint64_t v = strcmp(keys[i], "num_liang") == 0 ? 2 : strtoull(keys[i] + 4, NULL, 10);
        if (v < 10) {
            digit = v;
            pending = v > 0;
        } else if (v < 10000) {
            group += (pending ? digit : 1) * v;
            pending = false;
        } else {
            total += (group + (pending ? digit : 0)) * v;
            group = 0;
            pending = false;
        }
    }
    return total + group + (pending ? digit : 0);
}

START_TEST(chinese_numbers_read_back)
{
    const char *keys[PROMPT_NUMBER_KEYS_MAX];
    uint64_t seed = 42;
    for (uint64_t v = 0; v < 150000; v++) {
        uint64_t value = v;
        if (v >= 100000) {
            seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            value = (seed >> 20) % UINT64_C(1000000000000);
        }
        int n = prompt_number_keys("zh", value, keys, PROMPT_NUMBER_KEYS_MAX);
        if (n <= 0 || read_chinese(keys, n) != value)
            ck_abort_msg("%llu is read as %llu", (unsigned long long)value, (unsigned long long)read_chinese(keys, n));
        for (int i = 1; i < n; i++)
            ck_assert_msg(strcmp(keys[i], "num_0") || strcmp(keys[i - 1], "num_0"), "two zeros in %llu",
                          (unsigned long long)value);
        ck_assert(n == 1 || strcmp(keys[n - 1], "num_0") != 0);
    }
}
END_TEST

START_TEST(number_limits)
{
    const char *keys[PROMPT_NUMBER_KEYS_MAX];
    ck_assert_int_eq(prompt_number_keys("zh", UINT64_C(1000000000000), keys, PROMPT_NUMBER_KEYS_MAX), ERR_RANGE);
    ck_assert_int_eq(prompt_number_keys("en", UINT64_MAX, keys, PROMPT_NUMBER_KEYS_MAX), ERR_RANGE);
    ck_assert_int_eq(prompt_number_keys("fr", 1, keys, PROMPT_NUMBER_KEYS_MAX), ERR_UNSUPPORTED);
    ck_assert_int_eq(prompt_number_keys("english", 1, keys, PROMPT_NUMBER_KEYS_MAX), ERR_UNSUPPORTED);
    ck_assert_int_eq(prompt_number_keys("", 1, keys, PROMPT_NUMBER_KEYS_MAX), ERR_UNSUPPORTED);
    ck_assert_int_eq(prompt_number_keys("zh-CN", 10, keys, PROMPT_NUMBER_KEYS_MAX), 1);
    ck_assert_int_eq(prompt_number_keys("en_GB", 10, keys, PROMPT_NUMBER_KEYS_MAX), 1);
}
END_TEST

START_TEST(digit_strings)
{
    static const struct {
        const char *language, *digits, *words;
    } cases[] = {
        {"zh", "110", "幺幺零"},
        {"zh", "13800138000", "幺三八零零幺三八零零零"},
        {"zh", "*1#", "星幺井"},
        {"zh", "", ""},
        {"zh", "0123456789", "零幺二三四五六七八九"},
        {"en", "110", "one one zero"},
        {"en", "#*9", "hash star nine"},
    };
    const char *keys[16];
    char got[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int n = prompt_digits_keys(cases[i].language, cases[i].digits, keys, 16);
        ck_assert_int_eq(n, (int)strlen(cases[i].digits));
        words_of(cases[i].language, keys, n, got, sizeof got);
        ck_assert_str_eq(got, cases[i].words);
    }
    ck_assert_int_eq(prompt_digits_keys("zh", "123", keys, 2), ERR_TOOBIG);
    ck_assert_int_eq(prompt_digits_keys("zh", "12a", keys, 16), ERR_RANGE);
    ck_assert_int_eq(prompt_digits_keys("en", "1 2", keys, 16), ERR_RANGE);
    ck_assert_int_eq(prompt_digits_keys("de", "1", keys, 16), ERR_UNSUPPORTED);
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

/* ---- catalogues: whatever can be said has an entry ---- */

static json_t *catalogue(const char *language)
{
    char path[64];
    static char text[1 << 16];
    snprintf(path, sizeof path, "etc/prompts/%s.yaml", language);
    FILE *f = fopen(path, "r");
    ck_assert_msg(f != NULL, "run from the top of the tree");
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    json_t *tree = NULL;
    struct err_info info;
    int rc = yaml_load(text, n, &tree, NULL, &info);
    ck_assert_msg(rc == 0, "%s:%u:%u %s", path, info.line, info.column, info.text);
    return tree;
}

START_TEST(catalogues_are_complete)
{
    json_t *zh = catalogue("zh"), *en = catalogue("en"), *v;
    json_t *both[] = {zh, en};
    const char *key, *keys[PROMPT_NUMBER_KEYS_MAX];
    for (int l = 0; l < 2; l++) {
        const char *language = l ? "en" : "zh";
        for (uint64_t value = 1, k = 0; k < 2000; k++, value = (value * 7 + k) % UINT64_C(1000000000000)) {
            int n = prompt_number_keys(language, k < 200 ? k : value, keys, PROMPT_NUMBER_KEYS_MAX);
            for (int i = 0; i < n; i++)
                ck_assert_msg(json_object_get(both[l], keys[i]) != NULL, "%s lacks %s", language, keys[i]);
        }
        int n = prompt_digits_keys(language, "0123456789*#", keys, PROMPT_NUMBER_KEYS_MAX);
        for (int i = 0; i < n; i++)
            ck_assert_msg(json_object_get(both[l], keys[i]) != NULL, "%s lacks %s", language, keys[i]);
        json_object_foreach(both[l], key, v)
        {
            const char *text = json_string_value(json_is_string(v) ? v : json_object_get(v, "text"));
            ck_assert_msg(text && *text, "%s: %s has no text", language, key);
            if (strncmp(key, "num_", 4) != 0)
                ck_assert_msg(json_object_get(both[!l], key) != NULL, "%s is in %s only", key, language);
        }
    }
    json_decref(zh);
    json_decref(en);
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
    tcase_add_test(t, chinese_numbers);
    tcase_add_test(t, english_numbers);
    tcase_add_test(t, chinese_numbers_read_back);
    tcase_add_test(t, number_limits);
    tcase_add_test(t, digit_strings);
    tcase_add_test(t, catalogues_are_complete);
    tcase_add_checked_fixture(with_folder, make_folder, remove_folder);
    tcase_add_test(with_folder, store);
    tcase_add_test(with_folder, store_that_is_not_there);
    tcase_add_test(with_folder, store_out_of_memory);
    tcase_add_test(with_folder, hold_music);
    suite_add_tcase(s, t);
    suite_add_tcase(s, with_folder);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
