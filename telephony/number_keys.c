/* How numbers and digit strings are spoken, as prompt keys.
 *
 * Chinese: groups of four digits with wan (10^4) and yi (10^8). One zero is spoken for any run of zeros inside a group,
 * and between groups when the lower one does not begin with a thousand or a whole group between is zero (10010 "yi wan ling
 * yi shi", 101000 "shi wan yi qian", 100001000 "yi yi ling yi qian"); none at the end. Ten to nineteen at the very beginning go without "yi" (10 "shi", 100000 "shi wan"), elsewhere with
 * it (110 "yi bai yi shi"). A leading 2 before bai, qian, wan or yi is "liang" (200, 2000, 20000), as is usual on the
 * telephone; everywhere else it is "er" (12, 20, 22200 "liang wan er qian er bai").
 * English: short scale, without "and".
 * Digit strings: one key a digit; 1 is "yao" in Chinese. */
#include <stdbool.h>
#include <string.h>

#include "telephony/prompt.h"

#define NUMBER_LIMIT UINT64_C(1000000000000)

static const char *const number_small[20] = {
    "num_0",  "num_1",  "num_2",  "num_3",  "num_4",  "num_5",  "num_6",  "num_7",  "num_8",  "num_9",
    "num_10", "num_11", "num_12", "num_13", "num_14", "num_15", "num_16", "num_17", "num_18", "num_19",
};
static const char *const number_tens[10] = {
    NULL, "num_10", "num_20", "num_30", "num_40", "num_50", "num_60", "num_70", "num_80", "num_90",
};

struct number_out {
    const char **keys;
    size_t n, max; /* n goes on counting beyond max: then it does not fit */
};

static void number_say(struct number_out *o, const char *key)
{
    if (o->n < o->max)
        o->keys[o->n] = key;
    o->n++;
}

static int number_done(const struct number_out *o)
{
    return o->n > o->max ? ERR_TOOBIG : (int)o->n;
}

/* ---- Chinese ---- */

/* `value` 1 to 9999; `gap`: the group above was zero. */
static void number_zh_group(struct number_out *o, unsigned value, bool gap, const char *group_unit)
{
    static const char *const units[4] = {"num_1000", "num_100", "num_10", NULL};
    bool zero_due = o->n > 0 && (gap || value < 1000);
    unsigned divisor = 1000;
    for (unsigned place = 0; place < 4; place++, divisor /= 10) {
        unsigned digit = value / divisor % 10;
        if (digit == 0) {
            zero_due = zero_due || o->n > 0;
            continue;
        }
        if (zero_due)
            number_say(o, "num_0");
        zero_due = false;
        bool leading = o->n == 0;
        /* the whole number begins with this digit, and a unit above ten follows it */
        bool liang = digit == 2 && leading && (place < 2 || (place == 3 && group_unit));
        if (!(digit == 1 && place == 2 && leading))
            number_say(o, liang ? "num_liang" : number_small[digit]);
        if (units[place])
            number_say(o, units[place]);
        if (value % divisor == 0)
            break;
    }
    if (group_unit)
        number_say(o, group_unit);
}

static int number_zh(struct number_out *o, uint64_t value)
{
    static const struct {
        uint64_t size;
        const char *unit;
    } groups[] = {{100000000, "num_100000000"}, {10000, "num_10000"}, {1, NULL}};
    bool gap = false;
    if (value == 0)
        number_say(o, "num_0");
    for (unsigned i = 0; i < sizeof groups / sizeof *groups; i++) {
        unsigned group = (unsigned)(value / groups[i].size % 10000);
        if (group)
            number_zh_group(o, group, gap, groups[i].unit);
        gap = group == 0;
    }
    return number_done(o);
}

/* ---- English ---- */

static void number_en_group(struct number_out *o, unsigned value, const char *group_unit)
{
    if (value >= 100) {
        number_say(o, number_small[value / 100]);
        number_say(o, "num_100");
        value %= 100;
    }
    if (value >= 20) {
        number_say(o, number_tens[value / 10]);
        value %= 10;
    }
    if (value)
        number_say(o, number_small[value]);
    if (group_unit)
        number_say(o, group_unit);
}

static int number_en(struct number_out *o, uint64_t value)
{
    static const struct {
        uint64_t size;
        const char *unit;
    } groups[] = {{1000000000, "num_1000000000"}, {1000000, "num_1000000"}, {1000, "num_1000"}, {1, NULL}};
    if (value == 0)
        number_say(o, "num_0");
    for (unsigned i = 0; i < sizeof groups / sizeof *groups; i++) {
        unsigned group = (unsigned)(value / groups[i].size % 1000);
        if (group)
            number_en_group(o, group, groups[i].unit);
    }
    return number_done(o);
}

/* ---- languages ---- */

/* "zh", "zh-CN" and so on. */
static bool number_language(const char *language, const char *want)
{
    size_t n = strlen(want);
    return strncmp(language, want, n) == 0 && (language[n] == '\0' || language[n] == '-' || language[n] == '_');
}

int prompt_number_keys(const char *language, uint64_t value, const char **keys, size_t max)
{
    struct number_out o = {keys, 0, max};
    if (value >= NUMBER_LIMIT)
        return ERR_RANGE;
    if (number_language(language, "zh"))
        return number_zh(&o, value);
    return number_language(language, "en") ? number_en(&o, value) : ERR_UNSUPPORTED;
}

int prompt_digits_keys(const char *language, const char *digits, const char **keys, size_t max)
{
    struct number_out o = {keys, 0, max};
    bool zh = number_language(language, "zh");
    if (!zh && !number_language(language, "en"))
        return ERR_UNSUPPORTED;
    for (const char *d = digits; *d; d++) {
        if (*d == '*')
            number_say(&o, "key_star");
        else if (*d == '#')
            number_say(&o, "key_hash");
        else if (*d >= '0' && *d <= '9')
            number_say(&o, zh && *d == '1' ? "num_yao" : number_small[*d - '0']);
        else
            return ERR_RANGE;
    }
    return number_done(&o);
}
