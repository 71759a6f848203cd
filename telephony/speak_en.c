/* English.
 *
 * Numbers: short scale, with "and" before what is below a hundred when something is above it, in each group of three
 * digits and in the last (101 "one hundred and one", 1001 "one thousand and one", 110000 "one hundred and ten thousand").
 * Decimals one by one after "point"; "minus" before what is negative.
 * Ordinals: the last word of the number is replaced (22nd "twenty" "second", 1000th "one" "thousandth").
 * Money: yuan and fen, which have no plural; no jiao (3.50 "three yuan and fifty fen"). Without yuan only fen; nothing at
 * all is "zero yuan".
 * Dates: weekday, month, day as an ordinal, year. Years by two halves (2026 "twenty twenty six", 1905 "nineteen oh five", 1900
 * "nineteen hundred"), but 2000 to 2009 as numbers ("two thousand and five").
 * Times: of twelve hours. Full hours "nine o'clock in the morning", afternoon from 13, evening from 18; "twelve noon", "twelve
 * midnight". Else hour, minute, a.m. or p.m., with "oh" below ten (15:04 "three oh four p.m."). "At" between date and time.
 * Digit strings: one key a digit, 0 is "zero". */
#include "telephony/speak_int.h"

struct en_word {
    const char *number, *ordinal;
};
static const struct en_word en_small[20] = {
    {"num_0", NULL},      {"num_1", "ord_1"},   {"num_2", "ord_2"},   {"num_3", "ord_3"},   {"num_4", "ord_4"},
    {"num_5", "ord_5"},   {"num_6", "ord_6"},   {"num_7", "ord_7"},   {"num_8", "ord_8"},   {"num_9", "ord_9"},
    {"num_10", "ord_10"}, {"num_11", "ord_11"}, {"num_12", "ord_12"}, {"num_13", "ord_13"}, {"num_14", "ord_14"},
    {"num_15", "ord_15"}, {"num_16", "ord_16"}, {"num_17", "ord_17"}, {"num_18", "ord_18"}, {"num_19", "ord_19"},
};
static const struct en_word en_tens[10] = {
    {NULL, NULL},         {NULL, NULL},         {"num_20", "ord_20"}, {"num_30", "ord_30"}, {"num_40", "ord_40"},
    {"num_50", "ord_50"}, {"num_60", "ord_60"}, {"num_70", "ord_70"}, {"num_80", "ord_80"}, {"num_90", "ord_90"},
};
static const struct en_word en_hundred = {"num_100", "ord_100"};
static const struct {
    uint64_t size;
    struct en_word word;
} en_groups[] = {
    {SPEAK_WHOLE_MAX, {"num_1000000000000", "ord_1000000000000"}},
    {1000000000, {"num_1000000000", "ord_1000000000"}},
    {1000000, {"num_1000000", "ord_1000000"}},
    {1000, {"num_1000", "ord_1000"}},
};

/* `last`: nothing follows, and the whole is an ordinal. */
static void en_say(struct speak_out *o, const struct en_word *word, bool last)
{
    speak_say(o, last ? word->ordinal : word->number);
}

/* 1 to 99. */
static void en_below_hundred(struct speak_out *o, unsigned value, bool ordinal)
{
    if (value >= 20) {
        en_say(o, &en_tens[value / 10], ordinal && value % 10 == 0);
        value %= 10;
    }
    if (value)
        en_say(o, &en_small[value], ordinal);
}

/* 1 to 999. */
static void en_group(struct speak_out *o, unsigned value, bool ordinal)
{
    unsigned rest = value % 100;
    if (value >= 100) {
        en_say(o, &en_small[value / 100], false);
        en_say(o, &en_hundred, ordinal && rest == 0);
        if (rest)
            speak_say(o, "num_and");
    }
    en_below_hundred(o, rest, ordinal);
}

static void en_number(struct speak_out *o, uint64_t value, bool ordinal)
{
    size_t from = o->n;
    if (value == 0)
        speak_say(o, "num_0");
    for (unsigned i = 0; i < sizeof en_groups / sizeof *en_groups; i++) {
        unsigned group = (unsigned)(value / en_groups[i].size);
        value %= en_groups[i].size;
        if (group) {
            en_group(o, group, false);
            en_say(o, &en_groups[i].word, ordinal && value == 0);
        }
    }
    if (value && value < 100 && o->n > from)
        speak_say(o, "num_and");
    if (value)
        en_group(o, (unsigned)value, ordinal);
}

static void en_money(struct speak_out *o, const struct speak_value *v)
{
    if (v->whole || v->fraction == 0) {
        en_number(o, v->whole, false);
        speak_say(o, "money_yuan");
    }
    if (v->whole && v->fraction)
        speak_say(o, "num_and");
    if (v->fraction) {
        en_below_hundred(o, v->fraction, false);
        speak_say(o, "money_fen");
    }
}

/* What follows an hour or the first half of a year: 1 to 99. */
static void en_second_half(struct speak_out *o, unsigned value)
{
    if (value < 10)
        speak_say(o, "num_oh");
    en_below_hundred(o, value, false);
}

static void en_year(struct speak_out *o, unsigned year)
{
    if (year % 1000 < 10) {
        en_number(o, year, false);
        return;
    }
    en_below_hundred(o, year / 100, false);
    if (year % 100)
        en_second_half(o, year % 100);
    else
        speak_say(o, "num_100");
}

static void en_date(struct speak_out *o, const struct speak_value *v)
{
    static const char *const months[] = {"month_1", "month_2", "month_3", "month_4",  "month_5",  "month_6",
                                         "month_7", "month_8", "month_9", "month_10", "month_11", "month_12"};
    if (v->weekday)
        speak_say(o, speak_weekday(v));
    speak_say(o, months[v->month - 1]);
    en_number(o, v->day, true);
    if (v->year)
        en_year(o, v->year);
}

static void en_time(struct speak_out *o, const struct speak_value *v)
{
    if (v->minute == 0 && v->hour % 12 == 0) {
        speak_say(o, v->hour ? "time_twelve_noon" : "time_twelve_midnight");
        return;
    }
    en_below_hundred(o, v->hour % 12 ? v->hour % 12 : 12, false);
    if (v->minute) {
        en_second_half(o, v->minute);
        speak_say(o, v->hour < 12 ? "time_am" : "time_pm");
    } else {
        speak_say(o, v->hour < 12   ? "time_oclock_morning"
                     : v->hour < 18 ? "time_oclock_afternoon"
                                    : "time_oclock_evening");
    }
}

void speak_en(struct speak_out *o, const struct speak_value *v)
{
    if (v->negative)
        speak_say(o, "num_minus");
    switch (v->kind) {
    case SPEAK_NUMBER:
        en_number(o, v->whole, false);
        speak_decimals(o, v);
        break;
    case SPEAK_ORDINAL:
        en_number(o, v->whole, true);
        break;
    case SPEAK_DIGITS:
        speak_digits(o, v->digits, speak_digit[1]);
        break;
    case SPEAK_MONEY:
        en_money(o, v);
        break;
    case SPEAK_DATE:
        en_date(o, v);
        break;
    case SPEAK_TIME:
        en_time(o, v);
        break;
    case SPEAK_DATETIME:
        en_date(o, v);
        speak_say(o, "time_at");
        en_time(o, v);
        break;
    }
}
