/* Values, spoken: tables worked out by hand, in the words of the catalogues, and what is refused. */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/speak.h"
#include "tests/unit/suite.h"
#include "tests/unit/telephony/shipped.h"

struct words {
    const char *text, *words;
};

/* The words that a caller hears, so that the tables read like speech. */
static void words_of(const char *language, const json_t *catalogue, const struct speak_value *v, char *out, size_t size)
{
    const char *keys[SPEAK_KEYS_MAX], *gap = strcmp(language, "zh") == 0 ? "" : " ";
    int n = speak_keys(language, v, keys, SPEAK_KEYS_MAX);
    ck_assert_int_gt(n, 0);
    *out = '\0';
    for (int i = 0; i < n; i++) {
        size_t at = strlen(out);
        const char *word = shipped_text(catalogue, keys[i]);
        ck_assert_msg(word != NULL, "%s has no %s", language, keys[i]);
        snprintf(out + at, size - at, "%s%s", i ? gap : "", word);
    }
    for (int few = 0; few < n; few++)
        ck_assert_int_eq(speak_keys(language, v, keys, (size_t)few), ERR_TOOBIG);
}

static void check_words(const char *language, enum speak_kind kind, bool weekday, const struct words *cases, size_t n)
{
    char path[64], got[512];
    snprintf(path, sizeof path, "etc/prompts/%s.yaml", language);
    json_t *catalogue = shipped(path);
    for (size_t i = 0; i < n; i++) {
        struct speak_value v;
        struct err_info info;
        int rc = speak_parse(kind, cases[i].text, &v, &info);
        ck_assert_msg(rc == 0, "%s: %s", cases[i].text, info.text);
        v.weekday = weekday;
        words_of(language, catalogue, &v, got, sizeof got);
        ck_assert_msg(strcmp(got, cases[i].words) == 0, "%s is '%s', not '%s'", cases[i].text, got, cases[i].words);
    }
    json_decref(catalogue);
}
#define CHECK_WORDS(language, kind, weekday, cases) \
    check_words(language, kind, weekday, cases, sizeof(cases) / sizeof *(cases))

/* ---- numbers ---- */

START_TEST(chinese_numbers)
{
    static const struct words cases[] = {
        {"0", "零"},
        {"1", "一"},
        {"2", "二"},
        {"3", "三"},
        {"9", "九"},
        {"10", "十"},
        {"11", "十一"},
        {"12", "十二"},
        {"19", "十九"},
        {"20", "二十"},
        {"21", "二十一"},
        {"22", "二十二"},
        {"90", "九十"},
        {"99", "九十九"},
        {"100", "一百"},
        {"101", "一百零一"},
        {"102", "一百零二"},
        {"110", "一百一十"},
        {"111", "一百一十一"},
        {"112", "一百一十二"},
        {"120", "一百二十"},
        {"200", "两百"},
        {"202", "两百零二"},
        {"210", "两百一十"},
        {"220", "两百二十"},
        {"222", "两百二十二"},
        {"305", "三百零五"},
        {"999", "九百九十九"},
        {"1000", "一千"},
        {"1001", "一千零一"},
        {"1002", "一千零二"},
        {"1010", "一千零一十"},
        {"1011", "一千零一十一"},
        {"1100", "一千一百"},
        {"1101", "一千一百零一"},
        {"1200", "一千二百"},
        {"2000", "两千"},
        {"2002", "两千零二"},
        {"2020", "两千零二十"},
        {"2200", "两千二百"},
        {"2222", "两千二百二十二"},
        {"9999", "九千九百九十九"},
        {"10000", "一万"},
        {"10001", "一万零一"},
        {"10010", "一万零一十"},
        {"10100", "一万零一百"},
        {"11000", "一万一千"},
        {"12000", "一万二千"},
        {"20000", "两万"},
        {"20002", "两万零二"},
        {"22200", "两万二千二百"},
        {"100000", "十万"},
        {"100001", "十万零一"},
        {"101000", "十万一千"},
        {"110000", "十一万"},
        {"120000", "十二万"},
        {"200000", "二十万"},
        {"1000000", "一百万"},
        {"1000010", "一百万零一十"},
        {"2000000", "两百万"},
        {"10000000", "一千万"},
        {"10010000", "一千零一万"},
        {"10100101", "一千零一十万零一百零一"},
        {"20000000", "两千万"},
        {"99999999", "九千九百九十九万九千九百九十九"},
        {"100000000", "一亿"},
        {"100000001", "一亿零一"},
        {"100001000", "一亿零一千"},
        {"100010000", "一亿零一万"},
        {"100100000", "一亿零一十万"},
        {"110000000", "一亿一千万"},
        {"200000000", "两亿"},
        {"200020002", "两亿零二万零二"},
        {"1000000000", "十亿"},
        {"1234567890", "十二亿三千四百五十六万七千八百九十"},
        {"20000000000", "两百亿"},
        {"200000000000", "两千亿"},
        {"100000000010", "一千亿零一十"},
        {"999999999999", "九千九百九十九亿九千九百九十九万九千九百九十九"},
        /* every edge of the groups */
        {"10001000", "一千万一千"},
        {"100000100", "一亿零一百"},
        {"100000000001", "一千亿零一"},
        {"100000010000", "一千亿零一万"},
        {"100010001000", "一千亿一千万一千"},
        {"110000000000", "一千一百亿"},
        {"1000000000000", "一万亿"},
        {"100100010010", "一千零一亿零一万零一十"},
        {"-2", "负二"},
        {"-12.5", "负十二点五"},
        {"-200", "负两百"},
        {"0.5", "零点五"},
        {"-0.5", "负零点五"},
        {"-0", "零"},
        {"-0.00", "零点零零"},
        {"2.2", "二点二"},
        {"2.50", "二点五零"},
        {"200.102", "两百点一零二"},
        {"3.141592", "三点一四一五九二"},
    };
    _Static_assert(sizeof cases / sizeof *cases >= 80, "a table worth the name");
    CHECK_WORDS("zh", SPEAK_NUMBER, false, cases);
}
END_TEST

START_TEST(english_numbers)
{
    static const struct words cases[] = {
        {"0", "zero"},
        {"1", "one"},
        {"2", "two"},
        {"5", "five"},
        {"9", "nine"},
        {"10", "ten"},
        {"11", "eleven"},
        {"12", "twelve"},
        {"13", "thirteen"},
        {"14", "fourteen"},
        {"15", "fifteen"},
        {"16", "sixteen"},
        {"17", "seventeen"},
        {"18", "eighteen"},
        {"19", "nineteen"},
        {"20", "twenty"},
        {"21", "twenty one"},
        {"30", "thirty"},
        {"33", "thirty three"},
        {"40", "forty"},
        {"44", "forty four"},
        {"50", "fifty"},
        {"55", "fifty five"},
        {"60", "sixty"},
        {"66", "sixty six"},
        {"70", "seventy"},
        {"77", "seventy seven"},
        {"80", "eighty"},
        {"88", "eighty eight"},
        {"90", "ninety"},
        {"99", "ninety nine"},
        {"100", "one hundred"},
        {"101", "one hundred and one"},
        {"110", "one hundred and ten"},
        {"111", "one hundred and eleven"},
        {"119", "one hundred and nineteen"},
        {"120", "one hundred and twenty"},
        {"199", "one hundred and ninety nine"},
        {"200", "two hundred"},
        {"345", "three hundred and forty five"},
        {"999", "nine hundred and ninety nine"},
        {"1000", "one thousand"},
        {"1001", "one thousand and one"},
        {"1010", "one thousand and ten"},
        {"1100", "one thousand one hundred"},
        {"1234", "one thousand two hundred and thirty four"},
        {"2000", "two thousand"},
        {"9999", "nine thousand nine hundred and ninety nine"},
        {"10000", "ten thousand"},
        {"10010", "ten thousand and ten"},
        {"12345", "twelve thousand three hundred and forty five"},
        {"100000", "one hundred thousand"},
        {"100001", "one hundred thousand and one"},
        {"110000", "one hundred and ten thousand"},
        {"999999", "nine hundred and ninety nine thousand nine hundred and ninety nine"},
        {"1000000", "one million"},
        {"1000001", "one million and one"},
        {"1001000", "one million one thousand"},
        {"20000000", "twenty million"},
        {"100000000", "one hundred million"},
        {"1000000000", "one billion"},
        {"1000000001", "one billion and one"},
        {"1000000000000", "one trillion"},
        {"1001001001", "one billion one million one thousand and one"},
        {"15000000000", "fifteen billion"},
        {"999999999999", "nine hundred and ninety nine billion nine hundred and ninety nine million nine hundred and "
                         "ninety nine thousand nine hundred and ninety nine"},
        {"100100", "one hundred thousand one hundred"},
        {"1000100", "one million one hundred"},
        {"1000110", "one million one hundred and ten"},
        {"-2", "minus two"},
        {"-12.5", "minus twelve point five"},
        {"0.5", "zero point five"},
        {"-0", "zero"},
        {"2.50", "two point five zero"},
        {"101.01", "one hundred and one point zero one"},
    };
    _Static_assert(sizeof cases / sizeof *cases >= 70, "a table worth the name");
    CHECK_WORDS("en", SPEAK_NUMBER, false, cases);
}
END_TEST

START_TEST(chinese_ordinals)
{
    static const struct words cases[] = {
        {"1", "第一"},       {"2", "第二"},           {"10", "第十"},          {"12", "第十二"},  {"20", "第二十"},
        {"22", "第二十二"},  {"100", "第一百"},       {"110", "第一百一十"},   {"200", "第二百"}, {"2000", "第二千"},
        {"20000", "第二万"}, {"10001", "第一万零一"}, {"200000000", "第二亿"},
    };
    CHECK_WORDS("zh", SPEAK_ORDINAL, false, cases);
}
END_TEST

START_TEST(english_ordinals)
{
    static const struct words cases[] = {
        {"1", "first"},
        {"2", "second"},
        {"3", "third"},
        {"5", "fifth"},
        {"8", "eighth"},
        {"9", "ninth"},
        {"12", "twelfth"},
        {"20", "twentieth"},
        {"21", "twenty first"},
        {"40", "fortieth"},
        {"99", "ninety ninth"},
        {"100", "one hundredth"},
        {"101", "one hundred and first"},
        {"120", "one hundred and twentieth"},
        {"1000", "one thousandth"},
        {"1002", "one thousand and second"},
        {"1100", "one thousand one hundredth"},
        {"1000000", "one millionth"},
        {"2000000000", "two billionth"},
        {"1000001000", "one billion one thousandth"},
    };
    CHECK_WORDS("en", SPEAK_ORDINAL, false, cases);
}
END_TEST

START_TEST(digit_strings)
{
    static const struct words zh[] = {
        {"110", "幺幺零"},
        {"13800138000", "幺三八零零幺三八零零零"},
        {"*1#", "星号幺井号"},
        {"0123456789", "零幺二三四五六七八九"},
    };
    static const struct words en[] = {{"110", "one one zero"}, {"#*9", "hash star nine"}, {"2", "two"}};
    CHECK_WORDS("zh", SPEAK_DIGITS, false, zh);
    CHECK_WORDS("en", SPEAK_DIGITS, false, en);
}
END_TEST

/* ---- money ---- */

START_TEST(chinese_money)
{
    static const struct words cases[] = {
        {"0", "零元"},
        {"0.00", "零元"},
        {"-0.00", "零元"},
        {"1", "一元"},
        {"2", "两元"},
        {"12", "十二元"},
        {"20", "二十元"},
        {"22", "二十二元"},
        {"200", "两百元"},
        {"1234.50", "一千二百三十四元五角"},
        {"1234.5", "一千二百三十四元五角"},
        {"1234.05", "一千二百三十四元零五分"},
        {"1234.56", "一千二百三十四元五角六分"},
        {"10.01", "十元零一分"},
        {"0.05", "五分"},
        {"0.50", "五角"},
        {"0.55", "五角五分"},
        {"0.02", "两分"},
        {"0.20", "两角"},
        {"0.22", "两角二分"},
        {"2.22", "两元二角二分"},
        {"3.20", "三元二角"},
        {"3.02", "三元零二分"},
        {"1.10", "一元一角"},
        {"-2.50", "负两元五角"},
        {"-0.05", "负五分"},
        {"100000.00", "十万元"},
        {"100001.00", "十万零一元"},
        {"20000.2", "两万元二角"},
        {"999999999999.99", "九千九百九十九亿九千九百九十九万九千九百九十九元九角九分"},
    };
    CHECK_WORDS("zh", SPEAK_MONEY, false, cases);
}
END_TEST

START_TEST(english_money)
{
    static const struct words cases[] = {
        {"0", "zero yuan"},
        {"0.00", "zero yuan"},
        {"-0.0", "zero yuan"},
        {"1", "one yuan"},
        {"2", "two yuan"},
        {"101", "one hundred and one yuan"},
        {"1234.50", "one thousand two hundred and thirty four yuan and fifty fen"},
        {"1234.5", "one thousand two hundred and thirty four yuan and fifty fen"},
        {"1234.05", "one thousand two hundred and thirty four yuan and five fen"},
        {"12.34", "twelve yuan and thirty four fen"},
        {"0.01", "one fen"},
        {"0.10", "ten fen"},
        {"0.99", "ninety nine fen"},
        {"-2.50", "minus two yuan and fifty fen"},
        {"-0.05", "minus five fen"},
        {"1000000.01", "one million yuan and one fen"},
    };
    CHECK_WORDS("en", SPEAK_MONEY, false, cases);
}
END_TEST

/* ---- dates and times ---- */

START_TEST(chinese_dates)
{
    static const struct words cases[] = {
        {"2026-11-22", "二零二六年十一月二十二日"},
        {"2000-02-29", "二零零零年二月二十九日"},
        {"1900-01-01", "一九零零年一月一日"},
        {"2011-10-10", "二零一一年十月十日"},
        {"2199-12-31", "二一九九年十二月三十一日"},
        {"2002-02-02", "二零零二年二月二日"},
        {"11-22", "十一月二十二日"},
        {"02-29", "二月二十九日"},
    };
    static const struct words weekdays[] = {
        {"2026-11-22", "二零二六年十一月二十二日星期日"}, {"2026-11-23", "二零二六年十一月二十三日星期一"},
        {"2024-02-29", "二零二四年二月二十九日星期四"},   {"2000-01-01", "二零零零年一月一日星期六"},
        {"1900-01-01", "一九零零年一月一日星期一"},       {"2026-12-25", "二零二六年十二月二十五日星期五"},
    };
    CHECK_WORDS("zh", SPEAK_DATE, false, cases);
    CHECK_WORDS("zh", SPEAK_DATE, true, weekdays);
}
END_TEST

START_TEST(english_dates)
{
    static const struct words cases[] = {
        {"2026-11-22", "November twenty second twenty twenty six"},
        {"2000-02-29", "February twenty ninth two thousand"},
        {"2005-05-05", "May fifth two thousand and five"},
        {"2010-08-10", "August tenth twenty ten"},
        {"2020-01-20", "January twentieth twenty twenty"},
        {"1900-01-01", "January first nineteen hundred"},
        {"1905-03-03", "March third nineteen oh five"},
        {"1999-12-31", "December thirty first nineteen ninety nine"},
        {"2100-06-12", "June twelfth twenty one hundred"},
        {"2109-07-30", "July thirtieth twenty one oh nine"},
        {"2111-04-13", "April thirteenth twenty one eleven"},
        {"11-22", "November twenty second"},
        {"02-29", "February twenty ninth"},
    };
    static const struct words weekdays[] = {
        {"2026-11-22", "Sunday November twenty second twenty twenty six"},
        {"2024-02-29", "Thursday February twenty ninth twenty twenty four"},
        {"2199-12-31", "Tuesday December thirty first twenty one ninety nine"},
    };
    CHECK_WORDS("en", SPEAK_DATE, false, cases);
    CHECK_WORDS("en", SPEAK_DATE, true, weekdays);
}
END_TEST

START_TEST(chinese_times)
{
    static const struct words cases[] = {
        {"00:00", "凌晨零点"},           {"00:05", "凌晨零点零五分"},   {"01:00", "凌晨一点"},
        {"02:02", "凌晨两点零二分"},     {"05:59", "凌晨五点五十九分"}, {"06:00", "上午六点"},
        {"11:11", "上午十一点十一分"},   {"12:00", "中午十二点"},       {"12:20", "中午十二点二十分"},
        {"13:00", "下午一点"},           {"14:00", "下午两点"},         {"15:04", "下午三点零四分"},
        {"17:59", "下午五点五十九分"},   {"18:00", "晚上六点"},         {"22:22", "晚上十点二十二分"},
        {"23:59", "晚上十一点五十九分"}, {"09:30", "上午九点三十分"},   {"10:10", "上午十点十分"},
    };
    static const struct words moments[] = {{"2026-11-22 15:04", "二零二六年十一月二十二日下午三点零四分"}};
    static const struct words weekdays[] = {{"2026-11-22 00:00", "二零二六年十一月二十二日星期日凌晨零点"}};
    CHECK_WORDS("zh", SPEAK_TIME, false, cases);
    CHECK_WORDS("zh", SPEAK_DATETIME, false, moments);
    CHECK_WORDS("zh", SPEAK_DATETIME, true, weekdays);
}
END_TEST

START_TEST(english_times)
{
    static const struct words cases[] = {
        {"00:00", "twelve midnight"},
        {"00:05", "twelve oh five a.m."},
        {"00:30", "twelve thirty a.m."},
        {"01:00", "one o'clock in the morning"},
        {"09:30", "nine thirty a.m."},
        {"11:00", "eleven o'clock in the morning"},
        {"11:59", "eleven fifty nine a.m."},
        {"12:00", "twelve noon"},
        {"12:01", "twelve oh one p.m."},
        {"12:20", "twelve twenty p.m."},
        {"13:00", "one o'clock in the afternoon"},
        {"15:04", "three oh four p.m."},
        {"17:00", "five o'clock in the afternoon"},
        {"18:00", "six o'clock in the evening"},
        {"23:00", "eleven o'clock in the evening"},
        {"23:45", "eleven forty five p.m."},
    };
    static const struct words moments[] = {
        {"2026-11-22 15:04", "November twenty second twenty twenty six at three oh four p.m."},
        {"2000-01-01 12:00", "January first two thousand at twelve noon"},
    };
    static const struct words weekdays[] = {
        {"2026-11-22 09:00", "Sunday November twenty second twenty twenty six at nine o'clock in the morning"},
    };
    CHECK_WORDS("en", SPEAK_TIME, false, cases);
    CHECK_WORDS("en", SPEAK_DATETIME, false, moments);
    CHECK_WORDS("en", SPEAK_DATETIME, true, weekdays);
}
END_TEST

/* ---- what is refused ---- */

START_TEST(refusals)
{
    static const struct {
        enum speak_kind kind;
        int code;
        const char *text, *words;
    } cases[] = {
        {SPEAK_NUMBER, ERR_INVAL, "", "-12.5"},
        {SPEAK_NUMBER, ERR_INVAL, "-", "-12.5"},
        {SPEAK_NUMBER, ERR_INVAL, "+1", "-12.5"},
        {SPEAK_NUMBER, ERR_INVAL, "--1", "-12.5"},
        {SPEAK_NUMBER, ERR_INVAL, "007", "'007'"},
        {SPEAK_NUMBER, ERR_INVAL, "1,000", "-12.5"},
        {SPEAK_NUMBER, ERR_INVAL, "1.", "at most 6 decimals"},
        {SPEAK_NUMBER, ERR_INVAL, ".5", "-12.5"},
        {SPEAK_NUMBER, ERR_INVAL, "1.2.3", "-12.5"},
        {SPEAK_NUMBER, ERR_INVAL, "1e3", "-12.5"},
        {SPEAK_NUMBER, ERR_INVAL, " 1", "-12.5"},
        {SPEAK_NUMBER, ERR_INVAL, "1 ", "-12.5"},
        {SPEAK_NUMBER, ERR_INVAL, "1.1234567", "at most 6 decimals"},
        {SPEAK_NUMBER, ERR_RANGE, "1000000000001", "at most 1000000000000"},
        {SPEAK_NUMBER, ERR_RANGE, "-99999999999999999999999999", "at most 1000000000000"},
        {SPEAK_ORDINAL, ERR_RANGE, "0", "begin with 1"},
        {SPEAK_ORDINAL, ERR_INVAL, "-1", "no ordinal"},
        {SPEAK_ORDINAL, ERR_INVAL, "1.5", "no ordinal"},
        {SPEAK_ORDINAL, ERR_RANGE, "1000000000001", "at most 1000000000000"},
        {SPEAK_DIGITS, ERR_INVAL, "", "1 to 32"},
        {SPEAK_DIGITS, ERR_INVAL, "12a", "1 to 32"},
        {SPEAK_DIGITS, ERR_INVAL, "1 2", "1 to 32"},
        {SPEAK_DIGITS, ERR_INVAL, "123456789012345678901234567890123", "1 to 32"},
        {SPEAK_MONEY, ERR_INVAL, "1.234", "at most 2 decimals"},
        {SPEAK_MONEY, ERR_INVAL, "1.", "no amount"},
        {SPEAK_MONEY, ERR_INVAL, "12元", "no amount"},
        {SPEAK_MONEY, ERR_INVAL, "", "-1234.50"},
        {SPEAK_MONEY, ERR_RANGE, "1000000000001.00", "at most 1000000000000"},
        {SPEAK_DATE, ERR_INVAL, "2026-02-31", "no such day"},
        {SPEAK_DATE, ERR_INVAL, "2026-02-29", "no such day"},
        {SPEAK_DATE, ERR_INVAL, "2100-02-29", "no such day"},
        {SPEAK_DATE, ERR_INVAL, "2026-04-31", "no such day"},
        {SPEAK_DATE, ERR_INVAL, "2026-13-01", "no such day"},
        {SPEAK_DATE, ERR_INVAL, "2026-00-01", "no such day"},
        {SPEAK_DATE, ERR_INVAL, "2026-01-00", "no such day"},
        {SPEAK_DATE, ERR_INVAL, "02-30", "no such day"},
        {SPEAK_DATE, ERR_RANGE, "1899-12-31", "1900 to 2199"},
        {SPEAK_DATE, ERR_RANGE, "2200-01-01", "1900 to 2199"},
        {SPEAK_DATE, ERR_INVAL, "2026-1-1", "no date"},
        {SPEAK_DATE, ERR_INVAL, "2026/01/01", "no date"},
        {SPEAK_DATE, ERR_INVAL, "2026-01", "no date"},
        {SPEAK_DATE, ERR_INVAL, "11/22", "no date"},
        {SPEAK_DATE, ERR_INVAL, "11-2x", "no date"},
        {SPEAK_DATE, ERR_INVAL, "", "\"11-22\""},
        {SPEAK_DATE, ERR_INVAL, "2026-11-22 ", "goes on"},
        {SPEAK_DATE, ERR_INVAL, "2026-11-22 15:04", "goes on"},
        {SPEAK_TIME, ERR_INVAL, "25:00", "no such time"},
        {SPEAK_TIME, ERR_INVAL, "24:00", "no such time"},
        {SPEAK_TIME, ERR_INVAL, "12:60", "no such time"},
        {SPEAK_TIME, ERR_INVAL, "9:00", "15:04"},
        {SPEAK_TIME, ERR_INVAL, "0900", "15:04"},
        {SPEAK_TIME, ERR_INVAL, "09:00:00", "goes on"},
        {SPEAK_TIME, ERR_INVAL, "", "15:04"},
        {SPEAK_DATETIME, ERR_INVAL, "2026-11-22", "2026-11-22 15:04"},
        {SPEAK_DATETIME, ERR_INVAL, "11-22 15:04", "no date"},
        {SPEAK_DATETIME, ERR_INVAL, "11-22", "no date"},
        {SPEAK_DATETIME, ERR_INVAL, "2026-11-22T15:04", "has no time"},
        {SPEAK_DATETIME, ERR_INVAL, "2026-02-31 15:04", "no such day"},
        {SPEAK_DATETIME, ERR_INVAL, "2026-11-22 25:00", "no such time"},
        {SPEAK_DATETIME, ERR_INVAL, "2026-11-22 15:04:05", "goes on"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct speak_value v = {.year = 7};
        struct err_info info = {.text = ""};
        int rc = speak_parse(cases[i].kind, cases[i].text, &v, &info);
        ck_assert_msg(rc == cases[i].code, "'%s': %d", cases[i].text, rc);
        ck_assert_msg(strstr(info.text, cases[i].words) != NULL, "'%s': %s", cases[i].text, info.text);
        ck_assert_uint_eq(v.year, 7);
        ck_assert_int_eq(speak_parse(cases[i].kind, cases[i].text, &v, NULL), rc);
    }
}
END_TEST

START_TEST(languages_and_kinds)
{
    const char *keys[SPEAK_KEYS_MAX];
    struct speak_value v;
    enum speak_kind kind = SPEAK_TIME;
    static const char *const without[] = {"fr", "english", "", "zhx", "e"};
    ck_assert_int_eq(speak_parse(SPEAK_NUMBER, "10", &v, NULL), 0);
    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        ck_assert(!speak_language(without[i]));
        ck_assert_int_eq(speak_keys(without[i], &v, keys, SPEAK_KEYS_MAX), ERR_UNSUPPORTED);
    }
    ck_assert(speak_language("zh") && speak_language("en"));
    ck_assert_int_eq(speak_keys("zh-CN", &v, keys, SPEAK_KEYS_MAX), 1);
    ck_assert_int_eq(speak_keys("en_GB", &v, keys, SPEAK_KEYS_MAX), 1);
    for (unsigned i = 0; i <= SPEAK_DATETIME; i++) {
        ck_assert(speak_kind_of(speak_kind_name((enum speak_kind)i), &kind));
        ck_assert_uint_eq((unsigned)kind, i);
    }
    ck_assert(!speak_kind_of("text", &kind));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("speak");
    TCase *t = tcase_create("speak");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, chinese_numbers);
    tcase_add_test(t, english_numbers);
    tcase_add_test(t, chinese_ordinals);
    tcase_add_test(t, english_ordinals);
    tcase_add_test(t, digit_strings);
    tcase_add_test(t, chinese_money);
    tcase_add_test(t, english_money);
    tcase_add_test(t, chinese_dates);
    tcase_add_test(t, english_dates);
    tcase_add_test(t, chinese_times);
    tcase_add_test(t, english_times);
    tcase_add_test(t, refusals);
    tcase_add_test(t, languages_and_kinds);
    suite_add_tcase(s, t);
    return run_suite(s);
}
