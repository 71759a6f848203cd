/* Chinese.
 *
 * Numbers: groups of four digits with wan (10^4) and yi (10^8). One zero is spoken for any run of zeros inside a group, and
 * between groups when the lower one does not begin with a thousand or a whole group between is zero (10010 "yi wan ling
 * yi shi", 101000 "shi wan yi qian", 100001000 "yi yi ling yi qian"); none at the end. Ten to nineteen at the very
 * beginning go without "yi" (10 "shi", 100000 "shi wan"), elsewhere with it (110 "yi bai yi shi").
 * Two: at the very beginning, before bai, qian, wan or yi, it is "liang" (200, 2000, 20000), as is usual on the telephone;
 * so it is when two alone is counted: liang yuan, liang jiao and liang fen at the beginning of an amount, liang dian. All else is
 * "er" (12, 20, 22200 "liang wan er qian er bai", 3.20 yuan "san yuan er jiao", er yue, er ri, di er), ordinals also before
 * bai and above (200th "di er bai").
 * Decimals one by one after "dian" (2.50 "er dian wu ling"); "fu" before what is negative.
 * Money: yuan, jiao, fen; what is zero is left out, but for a "ling" between yuan and fen (3.05 "san yuan ling wu fen"),
 * and nothing at all is "ling yuan".
 * Dates: the year by digits, then month and day as numbers with nian, yue, ri, then the weekday as xingqi.
 * Times: of twelve hours, with the part of the day before: lingchen to 5, shangwu to 11, zhongwu at 12, xiawu to 17, then wanshang;
 * midnight is "lingchen ling dian". Minutes follow as "fen", with "ling" below ten; full hours have none.
 * Digit strings: one key a digit; 1 is "yao". */
#include "telephony/speak_int.h"

/* `value` 1 to 9999, of a number whose keys begin at `from`; `gap`: the group above was zero; `liang`: 2 at the beginning. */
static void zh_group(struct speak_out *o, size_t from, unsigned value, bool gap, const char *group_unit, bool liang)
{
    static const char *const units[4] = {"num_1000", "num_100", "num_10", NULL};
    bool zero_due = o->n > from && (gap || value < 1000);
    unsigned divisor = 1000;
    for (unsigned place = 0; place < 4; place++, divisor /= 10) {
        unsigned digit = value / divisor % 10;
        bool leading = o->n == from;
        if (digit == 0) {
            zero_due = zero_due || !leading;
            continue;
        }
        if (zero_due)
            speak_say(o, "num_0");
        zero_due = false;
        /* the whole number begins with this digit, and a unit above ten follows it */
        bool is_liang = liang && leading && digit == 2 && (place < 2 || (place == 3 && group_unit));
        if (!(digit == 1 && place == 2 && leading))
            speak_say(o, is_liang ? "num_liang" : speak_digit[digit]);
        if (units[place])
            speak_say(o, units[place]);
        if (value % divisor == 0)
            break;
    }
    if (group_unit)
        speak_say(o, group_unit);
}

static void zh_number(struct speak_out *o, uint64_t value, bool liang)
{
    static const struct {
        uint64_t size;
        const char *unit;
    } groups[] = {{100000000, "num_100000000"}, {10000, "num_10000"}, {1, NULL}};
    size_t from = o->n;
    bool gap = false;
    if (value == 0)
        speak_say(o, "num_0");
    if (value == SPEAK_WHOLE_MAX) { /* ten thousand yi: more than a group holds */
        zh_group(o, from, 1, false, "num_10000", liang);
        speak_say(o, groups[0].unit);
    }
    for (unsigned i = 0; i < sizeof groups / sizeof *groups; i++) {
        unsigned group = (unsigned)(value / groups[i].size % 10000);
        if (group)
            zh_group(o, from, group, gap, groups[i].unit, liang);
        gap = group == 0;
    }
}

/* So many of something; `liang`: two alone is liang. */
static void zh_count(struct speak_out *o, uint64_t value, bool liang, const char *what)
{
    if (value == 2 && liang)
        speak_say(o, "num_liang");
    else
        zh_number(o, value, liang);
    speak_say(o, what);
}

static void zh_money(struct speak_out *o, const struct speak_value *v)
{
    unsigned jiao = v->fraction / 10, fen = v->fraction % 10;
    bool begun = v->whole > 0;
    if (begun || v->fraction == 0)
        zh_count(o, v->whole, true, "money_yuan");
    if (jiao)
        zh_count(o, jiao, !begun, "money_jiao");
    else if (fen && begun)
        speak_say(o, "num_0");
    if (fen)
        zh_count(o, fen, !begun && !jiao, "money_fen");
}

static void zh_date(struct speak_out *o, const struct speak_value *v)
{
    for (unsigned divisor = 1000; v->year && divisor; divisor /= 10)
        speak_say(o, speak_digit[v->year / divisor % 10]);
    if (v->year)
        speak_say(o, "date_year");
    zh_count(o, v->month, false, "date_month");
    zh_count(o, v->day, false, "date_day");
    if (v->weekday)
        speak_say(o, speak_weekday(v));
}

static void zh_time(struct speak_out *o, const struct speak_value *v)
{
    const char *part = v->hour < 6     ? "time_dawn"
                       : v->hour < 12  ? "time_forenoon"
                       : v->hour == 12 ? "time_midday"
                       : v->hour < 18  ? "time_afternoon"
                                       : "time_evening";
    speak_say(o, part);
    zh_count(o, v->hour > 12 ? v->hour - 12 : v->hour, true, "time_hour");
    if (v->minute && v->minute < 10)
        speak_say(o, "num_0");
    if (v->minute)
        zh_count(o, v->minute, false, "time_minute");
}

void speak_zh(struct speak_out *o, const struct speak_value *v)
{
    if (v->negative)
        speak_say(o, "num_minus");
    switch (v->kind) {
    case SPEAK_NUMBER:
        zh_number(o, v->whole, true);
        speak_decimals(o, v);
        break;
    case SPEAK_ORDINAL:
        speak_say(o, "num_di");
        zh_number(o, v->whole, false);
        break;
    case SPEAK_DIGITS:
        speak_digits(o, v->digits, "num_yao");
        break;
    case SPEAK_MONEY:
        zh_money(o, v);
        break;
    case SPEAK_DATE:
        zh_date(o, v);
        break;
    case SPEAK_TIME:
        zh_time(o, v);
        break;
    case SPEAK_DATETIME:
        zh_date(o, v);
        zh_time(o, v);
        break;
    }
}
