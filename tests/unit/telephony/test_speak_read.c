/* Values, spoken and read back by a reader that shares nothing with the grammars: every number to 99,999 and a sample to
 * 10^12-1, money, every day from 1900 to 2199, every minute. And the catalogues: whatever can be said is in them, and
 * nothing that never is. */
#include <check.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/speak.h"
#include "tests/unit/suite.h"
#include "tests/unit/telephony/shipped.h"

/* The keys of a value, and how far they have been read. */
struct spoken {
    bool zh;
    char text[SPEAK_TEXT_MAX + 1];
    const char *keys[SPEAK_KEYS_MAX];
    int n, at;
};

static struct spoken spoken_of(const char *language, enum speak_kind kind, const char *text, bool weekday)
{
    struct spoken s = {.zh = strcmp(language, "zh") == 0};
    struct speak_value v;
    struct err_info info;
    snprintf(s.text, sizeof s.text, "%s", text);
    if (speak_parse(kind, s.text, &v, &info))
        ck_abort_msg("%s: %s", text, info.text);
    v.weekday = weekday;
    s.n = speak_keys(language, &v, s.keys, SPEAK_KEYS_MAX);
    if (s.n <= 0)
        ck_abort_msg("%s: %d", text, s.n);
    return s;
}

static bool next_is(const struct spoken *s, const char *key)
{
    return s->at < s->n && strcmp(s->keys[s->at], key) == 0;
}

static bool took(struct spoken *s, const char *key)
{
    bool is = next_is(s, key);
    s->at += is;
    return is;
}

static void take(struct spoken *s, const char *key)
{
    if (!took(s, key))
        ck_abort_msg("%s: %s and not %s", s->text, s->at < s->n ? s->keys[s->at] : "the end", key);
}

/* The number in a key with this beginning, such as 20 of "num_20"; -1 when the next key is another. */
static int64_t next_value(const struct spoken *s, const char *beginning)
{
    size_t len = strlen(beginning);
    if (s->at == s->n || strncmp(s->keys[s->at], beginning, len) != 0)
        return -1;
    const char *digits = s->keys[s->at] + len;
    return digits[0] && !digits[strspn(digits, "0123456789")] ? strtoll(digits, NULL, 10) : -1;
}

static void take_end(const struct spoken *s)
{
    if (s->at != s->n)
        ck_abort_msg("%s: %s is too much", s->text, s->keys[s->at]);
}

/* ---- Chinese numbers ---- */

/* Reads as far as there are numerals. Refuses what nobody says: zeros in a row or at the end, liang anywhere but at the
 * beginning, "yi shi" at the beginning, units that do not fall. */
static uint64_t read_zh(struct spoken *s)
{
    uint64_t total = 0, group = 0, unit = UINT64_MAX, big = UINT64_MAX;
    int64_t digit = -1, v = 0;
    int begin = s->at;
    bool zero = false;
    for (; s->at < s->n; s->at++) {
        bool liang = next_is(s, "num_liang");
        v = liang ? 2 : next_value(s, "num_");
        if (v < 0)
            break;
        if (liang && s->at != begin)
            ck_abort_msg("%s: liang inside", s->text);
        if (v == 0) {
            if (zero)
                ck_abort_msg("%s: two zeros", s->text);
            zero = true;
        } else if (v < 10) {
            if (digit > 0)
                ck_abort_msg("%s: two digits", s->text);
            digit = v;
            zero = false;
        } else if (v < 10000) {
            if ((uint64_t)v >= unit || (digit < 0 && s->at != begin) || (digit == 1 && v == 10 && s->at == begin + 1))
                ck_abort_msg("%s: a unit out of place", s->text);
            group += (uint64_t)(digit < 0 ? 1 : digit) * (uint64_t)v;
            unit = (uint64_t)v;
            digit = -1;
        } else {
            if ((uint64_t)v >= big || zero)
                ck_abort_msg("%s: a group out of place", s->text);
            total += (group + (uint64_t)(digit < 0 ? 0 : digit)) * (uint64_t)v;
            big = (uint64_t)v;
            unit = UINT64_MAX;
            group = 0;
            digit = -1;
        }
    }
    if (s->at == begin || (zero && s->at != begin + 1))
        ck_abort_msg("%s: nothing, or a zero at the end", s->text);
    return total + group + (uint64_t)(digit < 0 ? 0 : digit);
}

/* ---- English numbers ---- */

/* 1 to 99, or 0 if there is none; ordinals too. */
static unsigned read_en_below_hundred(struct spoken *s, bool *ordinal)
{
    unsigned value = 0;
    for (int parts = 0; parts < 2; parts++) {
        int64_t v = next_value(s, "num_"), o = next_value(s, "ord_"), is = v > 0 ? v : o;
        if (is <= 0 || is > 90 || *ordinal || (parts == 1 && (value < 20 || is > 9)))
            break;
        value += (unsigned)is;
        *ordinal = o > 0;
        s->at++;
    }
    return value;
}

/* A unit, cardinal or ordinal. */
static bool read_en_unit(struct spoken *s, unsigned size, bool *ordinal)
{
    bool ord = next_value(s, "ord_") == size;
    if (!ord && next_value(s, "num_") != size)
        return false;
    s->at++;
    *ordinal = ord;
    return true;
}

static unsigned read_en_group(struct spoken *s, bool *ordinal)
{
    unsigned value = read_en_below_hundred(s, ordinal);
    if (value == 0 || *ordinal || !read_en_unit(s, 100, ordinal))
        return value;
    if (value > 9)
        ck_abort_msg("%s: %u hundred", s->text, value);
    value *= 100;
    if (!*ordinal && took(s, "num_and")) {
        unsigned rest = read_en_below_hundred(s, ordinal);
        if (rest == 0 && (s->at--, true))
            return value;
        value += rest;
    }
    return value;
}

static uint64_t read_en(struct spoken *s, bool *ordinal)
{
    static const unsigned sizes[] = {1000000000, 1000000, 1000};
    uint64_t total = 0;
    *ordinal = false;
    if (took(s, "num_0"))
        return 0;
    for (unsigned i = 0; i < 3; i++) {
        int begin = s->at;
        unsigned group = read_en_group(s, ordinal);
        if (group && !*ordinal && read_en_unit(s, sizes[i], ordinal))
            total += (uint64_t)group * sizes[i];
        else
            s->at = begin, *ordinal = false;
        if (*ordinal)
            return total;
    }
    int begin = s->at;
    bool and = total && took(s, "num_and");
    unsigned last = read_en_group(s, ordinal);
    if (last && total && and != (last < 100))
        ck_abort_msg("%s: 'and' out of place", s->text);
    if (last == 0)
        s->at = begin;
    return total + last;
}

/* ---- numbers and money ---- */

static uint64_t seed = 20261122;

static uint64_t pick(uint64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 16) % below;
}

/* Up to twelve digits, half of them zero: grammar is about zeros. */
static uint64_t pick_number(void)
{
    uint64_t value = 0;
    for (uint64_t digits = 1 + pick(12); digits; digits--)
        value = value * 10 + (pick(2) ? pick(10) : 0);
    return value;
}

static uint64_t read_number(struct spoken *s)
{
    bool ordinal = false;
    uint64_t value = s->zh ? read_zh(s) : read_en(s, &ordinal);
    if (ordinal)
        ck_abort_msg("%s: an ordinal", s->text);
    return value;
}

/* The schoolbook's rule, on the digits as they are written: a run of zeros between others is said once, unless it is no more
 * than the end of one group of four. */
static int zeros_due(const char *text)
{
    int due = 0, run = 0;
    bool begun = false;
    for (size_t left = strlen(text); *text; text++, left--) {
        if (*text == '0') {
            run += begun;
            continue;
        }
        due += run > 0 && (left % 4 != 0 || run > 3);
        begun = true;
        run = 0;
    }
    return due;
}

static void number_is_read_back(const char *language, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    struct spoken s = spoken_of(language, SPEAK_NUMBER, text, false);
    uint64_t read = read_number(&s);
    take_end(&s);
    if (read != value)
        ck_abort_msg("%s %s is read as %llu", language, text, (unsigned long long)read);
    int zeros = 0;
    for (int i = 0; s.zh && i < s.n; i++)
        zeros += strcmp(s.keys[i], "num_0") == 0;
    if (s.zh && value && zeros != zeros_due(text))
        ck_abort_msg("%s has %d zeros", text, zeros);
}

static const char *const languages[] = {"zh", "en"};

START_TEST(numbers_are_read_back)
{
    const char *language = languages[_i];
    for (uint64_t v = 0; v < 100000; v++)
        number_is_read_back(language, v);
    for (uint64_t v = 1; v < UINT64_C(1000000000000); v *= 10)
        for (uint64_t k = 1; k < 10; k++) {
            number_is_read_back(language, v * k);
            number_is_read_back(language, v * k - 1);
            number_is_read_back(language, v * k + 1);
        }
    for (unsigned i = 0; i < 200000; i++)
        number_is_read_back(language, i % 2 ? pick_number() : pick(UINT64_C(1000000000000)));
}
END_TEST

START_TEST(decimals_are_read_back)
{
    for (unsigned i = 0; i < 50000; i++) {
        unsigned decimals = 1 + (unsigned)pick(6), power = 1;
        char text[32];
        for (unsigned k = 0; k < decimals; k++)
            power *= 10;
        uint64_t whole = pick_number(), fraction = pick(power);
        bool minus = pick(2);
        snprintf(text, sizeof text, "%s%llu.%0*llu", minus ? "-" : "", (unsigned long long)whole, (int)decimals,
                 (unsigned long long)fraction);
        struct spoken s = spoken_of(languages[_i], SPEAK_NUMBER, text, false);
        if (minus && (whole || fraction))
            take(&s, "num_minus");
        if (read_number(&s) != whole)
            ck_abort_msg("%s", text);
        take(&s, "num_point");
        for (power /= 10; power; power /= 10, s.at++)
            if (next_value(&s, "num_") != (int64_t)(fraction / power % 10))
                ck_abort_msg("%s: decimals", text);
        take_end(&s);
    }
}
END_TEST

START_TEST(ordinals_are_read_back)
{
    for (unsigned i = 1; i < 100000; i++) {
        char text[32];
        bool ordinal = true;
        uint64_t value = i < 50000 ? i : pick_number() + 1;
        if (value > UINT64_C(999999999999))
            continue;
        snprintf(text, sizeof text, "%llu", (unsigned long long)value);
        struct spoken s = spoken_of(languages[_i], SPEAK_ORDINAL, text, false);
        if (s.zh)
            take(&s, "num_di");
        uint64_t read = s.zh ? read_zh(&s) : read_en(&s, &ordinal);
        take_end(&s);
        if (read != value || !ordinal)
            ck_abort_msg("%s is read as %llu", text, (unsigned long long)read);
    }
}
END_TEST

/* Fen in all. */
static uint64_t read_money_zh(struct spoken *s)
{
    static const struct {
        const char *unit;
        unsigned fen;
    } units[] = {{"money_yuan", 100}, {"money_jiao", 10}, {"money_fen", 1}};
    uint64_t total = 0;
    for (unsigned i = 0; i < 3 && s->at < s->n; i++) {
        int begin = s->at;
        /* the gap between yuan and fen */
        bool gap = i > 0 && total && took(s, "num_0");
        uint64_t value = read_zh(s);
        if (took(s, units[i].unit) && gap == (i == 2 && total && total % 100 == 0))
            total += value * units[i].fen;
        else
            s->at = begin;
    }
    return total;
}

static uint64_t read_money_en(struct spoken *s)
{
    bool ordinal;
    uint64_t value = read_en(s, &ordinal), total = 0;
    if (took(s, "money_yuan")) {
        total = value * 100;
        if (!took(s, "num_and"))
            return total;
        value = read_en(s, &ordinal);
    }
    take(s, "money_fen");
    if (value == 0 || value > 99)
        ck_abort_msg("%s: %llu fen", s->text, (unsigned long long)value);
    return total + value;
}

START_TEST(money_is_read_back)
{
    for (unsigned i = 0; i < 150000; i++) {
        char text[32];
        uint64_t yuan = i < 50000 ? i / 100 : pick_number(), fen = i < 50000 ? i % 100 : pick(100);
        bool minus = i >= 50000 && pick(2);
        snprintf(text, sizeof text, "%s%llu.%02llu", minus ? "-" : "", (unsigned long long)yuan,
                 (unsigned long long)fen);
        struct spoken s = spoken_of(languages[_i], SPEAK_MONEY, text, false);
        if (minus && (yuan || fen))
            take(&s, "num_minus");
        uint64_t read = s.zh ? read_money_zh(&s) : read_money_en(&s);
        take_end(&s);
        if (read != yuan * 100 + fen)
            ck_abort_msg("%s is read as %llu fen", text, (unsigned long long)read);
    }
}
END_TEST

/* ---- dates and times ---- */

static unsigned read_year_zh(struct spoken *s)
{
    unsigned year = 0;
    for (int i = 0; i < 4; i++, s->at++) {
        int64_t v = next_value(s, "num_");
        ck_assert(v >= 0 && v < 10);
        year = year * 10 + (unsigned)v;
    }
    take(s, "date_year");
    return year;
}

static unsigned read_year_en(struct spoken *s)
{
    bool ordinal = false;
    int begin = s->at;
    unsigned first = read_en_below_hundred(s, &ordinal);
    if (next_is(s, "num_1000")) {
        s->at = begin;
        return (unsigned)read_en(s, &ordinal);
    }
    if (took(s, "num_100"))
        return first * 100;
    bool oh = took(s, "num_oh");
    unsigned second = read_en_below_hundred(s, &ordinal);
    ck_assert_msg(oh == (second < 10) && !ordinal, "%s: year", s->text);
    return first * 100 + second;
}

static void date_is_read_back(const char *language, unsigned year, unsigned month, unsigned day, unsigned weekday)
{
    char text[32];
    bool ordinal = true;
    snprintf(text, sizeof text, "%04u-%02u-%02u", year, month, day);
    struct spoken s = spoken_of(language, SPEAK_DATE, text, true);
    unsigned got_year, got_month, got_day;
    int64_t got_weekday;
    if (s.zh) {
        got_year = read_year_zh(&s);
        got_month = (unsigned)read_zh(&s);
        take(&s, "date_month");
        got_day = (unsigned)read_zh(&s);
        take(&s, "date_day");
        got_weekday = next_value(&s, "weekday_");
        s.at++;
    } else {
        got_weekday = next_value(&s, "weekday_");
        s.at++;
        got_month = (unsigned)next_value(&s, "month_");
        s.at++;
        got_day = (unsigned)read_en(&s, &ordinal);
        got_year = read_year_en(&s);
    }
    take_end(&s);
    if (got_year != year || got_month != month || got_day != day || got_weekday != (int64_t)weekday || !ordinal)
        ck_abort_msg("%s %s is read as %u-%u-%u, weekday %lld and not %u", language, text, got_year, got_month, got_day,
                     (long long)got_weekday, weekday);
}

START_TEST(days_are_read_back)
{
    static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned weekday = 1, days = 0; /* 1 January 1900 was a Monday */
    for (unsigned year = 1900; year <= 2199; year++)
        for (unsigned month = 1; month <= 12; month++) {
            bool leap = month == 2 && (year % 400 == 0 || (year % 4 == 0 && year % 100 != 0));
            for (unsigned day = 1; day <= lengths[month - 1] + (leap ? 1u : 0u);
                 day++, days++, weekday = weekday % 7 + 1)
                date_is_read_back(languages[_i], year, month, day, weekday);
        }
    ck_assert_uint_eq(days, 300 * 365 + 73);
}
END_TEST

static unsigned read_time_zh(struct spoken *s)
{
    static const struct {
        const char *part;
        unsigned from, to, add;
    } parts[] = {{"time_dawn", 0, 5, 0},
                 {"time_forenoon", 6, 11, 0},
                 {"time_midday", 12, 12, 0},
                 {"time_afternoon", 1, 5, 12},
                 {"time_evening", 6, 11, 12}};
    unsigned part = 0, minute = 0;
    while (part < 5 && !took(s, parts[part].part))
        part++;
    ck_assert_uint_lt(part, 5);
    unsigned hour = (unsigned)read_zh(s);
    take(s, "time_hour");
    ck_assert(hour >= parts[part].from && hour <= parts[part].to);
    if (s->at < s->n) {
        bool zero = took(s, "num_0");
        minute = (unsigned)read_zh(s);
        take(s, "time_minute");
        ck_assert(minute > 0 && zero == (minute < 10));
    }
    return (hour + parts[part].add) * 60 + minute;
}

static unsigned read_time_en(struct spoken *s)
{
    bool ordinal = false;
    if (took(s, "time_twelve_noon"))
        return 12 * 60;
    if (took(s, "time_twelve_midnight"))
        return 0;
    unsigned hour = read_en_below_hundred(s, &ordinal), minute = 0;
    ck_assert(hour >= 1 && hour <= 12);
    if (took(s, "time_oclock_morning"))
        return hour * 60;
    if (took(s, "time_oclock_afternoon") || took(s, "time_oclock_evening"))
        return (hour + 12) * 60;
    bool oh = took(s, "num_oh");
    minute = read_en_below_hundred(s, &ordinal);
    ck_assert(minute > 0 && oh == (minute < 10));
    if (took(s, "time_am"))
        return hour % 12 * 60 + minute;
    take(s, "time_pm");
    return (hour % 12 + 12) * 60 + minute;
}

START_TEST(minutes_are_read_back)
{
    for (unsigned m = 0; m < 24 * 60; m++) {
        char text[32];
        snprintf(text, sizeof text, "%02u:%02u", m / 60, m % 60);
        struct spoken s = spoken_of(languages[_i], SPEAK_TIME, text, false);
        unsigned read = s.zh ? read_time_zh(&s) : read_time_en(&s);
        take_end(&s);
        ck_assert_msg(read == m, "%s is read as %u:%02u", text, read / 60, read % 60);
    }
}
END_TEST

/* A moment is the date, a joint in English, and the time. */
START_TEST(moments_are_dates_and_times)
{
    for (unsigned i = 0; i < 2000; i++) {
        char date[16], time[16], both[32];
        bool weekday = pick(2);
        snprintf(date, sizeof date, "%04u-%02u-%02u", 1900 + (unsigned)pick(300), 1 + (unsigned)pick(12),
                 1 + (unsigned)pick(28));
        snprintf(time, sizeof time, "%02u:%02u", (unsigned)pick(24), (unsigned)pick(60));
        snprintf(both, sizeof both, "%s %s", date, time);
        struct spoken s = spoken_of(languages[_i], SPEAK_DATETIME, both, weekday);
        struct spoken d = spoken_of(languages[_i], SPEAK_DATE, date, weekday);
        struct spoken t = spoken_of(languages[_i], SPEAK_TIME, time, false);
        for (; d.at < d.n; d.at++)
            take(&s, d.keys[d.at]);
        if (!s.zh)
            take(&s, "time_at");
        for (; t.at < t.n; t.at++)
            take(&s, t.keys[t.at]);
        take_end(&s);
    }
}
END_TEST

/* ---- catalogues ---- */

static void note(json_t *seen, const struct spoken *s)
{
    for (int i = 0; i < s->n; i++)
        json_object_set_new(seen, s->keys[i], json_true());
}

/* Every key that the grammar of a language has: all its rules are met by these. */
static json_t *said_in(const char *language)
{
    static const uint64_t round[] = {10000, 1000000, 100000000, 1000000000, 1000000000000};
    const unsigned n_round = sizeof round / sizeof *round;
    json_t *seen = json_object();
    char text[32];
    struct spoken s = spoken_of(language, SPEAK_DIGITS, "0123456789*#", false);
    note(seen, &s);
    for (unsigned i = 0; i < 4000; i++) {
        uint64_t value = i < 2000 ? i : i < 2000 + n_round ? round[i - 2000] : pick_number();
        snprintf(text, sizeof text, "%llu", (unsigned long long)value);
        s = spoken_of(language, SPEAK_NUMBER, text, false);
        note(seen, &s);
        s = spoken_of(language, SPEAK_ORDINAL, value ? text : "1", false);
        note(seen, &s);
        snprintf(text, sizeof text, "-%llu.%02u", (unsigned long long)value, i % 100);
        s = spoken_of(language, SPEAK_NUMBER, text, false);
        note(seen, &s);
        s = spoken_of(language, SPEAK_MONEY, text, false);
        note(seen, &s);
        snprintf(text, sizeof text, "%04u-%02u-%02u %02u:%02u", 1900 + i % 300, 1 + i % 12, 1 + i % 28, i % 24, i % 60);
        s = spoken_of(language, SPEAK_DATETIME, text, true);
        note(seen, &s);
    }
    for (unsigned m = 0; m < 24 * 60; m++) {
        snprintf(text, sizeof text, "%02u:%02u", m / 60, m % 60);
        s = spoken_of(language, SPEAK_TIME, text, false);
        note(seen, &s);
    }
    return seen;
}

static bool is_of_grammar(const char *key)
{
    static const char *const beginnings[] = {"num_", "ord_", "key_", "money_", "date_", "month_", "weekday_", "time_"};
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        if (strncmp(key, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

START_TEST(catalogues_are_complete)
{
    json_t *catalogues[] = {shipped("etc/prompts/zh.yaml"), shipped("etc/prompts/en.yaml")}, *v;
    const char *key;
    for (int l = 0; l < 2; l++) {
        json_t *said = said_in(languages[l]);
        ck_assert_uint_gt(json_object_size(said), 40);
        json_object_foreach(said, key, v)
        {
            ck_assert_msg(shipped_text(catalogues[l], key) != NULL, "%s lacks %s", languages[l], key);
            ck_assert_msg(is_of_grammar(key), "%s: a name that says where it belongs", key);
        }
        json_object_foreach(catalogues[l], key, v)
        {
            const char *text = shipped_text(catalogues[l], key);
            ck_assert_msg(text && *text, "%s: %s has no text", languages[l], key);
            if (is_of_grammar(key))
                ck_assert_msg(json_object_get(said, key) != NULL, "%s: %s is never said", languages[l], key);
            else
                ck_assert_msg(json_object_get(catalogues[!l], key) != NULL, "%s is in %s only", key, languages[l]);
        }
        json_decref(said);
    }
    json_decref(catalogues[0]);
    json_decref(catalogues[1]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("speak and read");
    TCase *t = tcase_create("read back");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, numbers_are_read_back, 0, 2);
    tcase_add_loop_test(t, decimals_are_read_back, 0, 2);
    tcase_add_loop_test(t, ordinals_are_read_back, 0, 2);
    tcase_add_loop_test(t, money_is_read_back, 0, 2);
    tcase_add_loop_test(t, days_are_read_back, 0, 2);
    tcase_add_loop_test(t, minutes_are_read_back, 0, 2);
    tcase_add_loop_test(t, moments_are_dates_and_times, 0, 2);
    tcase_add_test(t, catalogues_are_complete);
    suite_add_tcase(s, t);
    return run_suite(s);
}
