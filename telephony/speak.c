/* Values from text, and which grammar speaks them. */
#include "telephony/speak.h"

#include <string.h>

#include "telephony/speak_int.h"

#define SPEAK_WHOLE_DIGITS 13u
#define SPEAK_DECIMALS 6u
#define SPEAK_YEAR_FIRST 1900u
#define SPEAK_YEAR_LAST 2199u

static const char *const speak_names[] = {
    [SPEAK_NUMBER] = "number", [SPEAK_ORDINAL] = "ordinal", [SPEAK_DIGITS] = "digits",     [SPEAK_MONEY] = "money",
    [SPEAK_DATE] = "date",     [SPEAK_TIME] = "time",       [SPEAK_DATETIME] = "datetime",
};

const char *speak_kind_name(enum speak_kind kind)
{
    return speak_names[kind];
}

bool speak_kind_of(const char *name, enum speak_kind *out)
{
    for (unsigned i = 0; i < sizeof speak_names / sizeof *speak_names; i++)
        if (strcmp(speak_names[i], name) == 0) {
            *out = (enum speak_kind)i;
            return true;
        }
    return false;
}

/* ---- reading ---- */

static bool speak_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Exactly `n` digits, and the reader moves behind them. */
static bool speak_take(const char **at, unsigned n, unsigned *out)
{
    unsigned value = 0;
    for (unsigned i = 0; i < n; i++) {
        if (!speak_is_digit((*at)[i]))
            return false;
        value = value * 10 + (unsigned)((*at)[i] - '0');
    }
    *at += n;
    *out = value;
    return true;
}

static bool speak_take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

static int speak_bad_number(struct err_info *info, const char *text, unsigned decimals)
{
    if (decimals == 0)
        return err_set(info, ERR_INVAL, "", "'%.40s' is no ordinal: write it as \"22\"", text);
    return err_set(info, ERR_INVAL, "", "'%.40s' is no %s: write it as \"%s\", with at most %u decimals", text,
                   decimals == 2 ? "amount" : "number", decimals == 2 ? "-1234.50" : "-12.5", decimals);
}

/* `decimals`: how many there may be. */
static int speak_parse_number(const char *text, unsigned decimals, struct speak_value *v, struct err_info *info)
{
    const char *at = text;
    v->negative = decimals && speak_take_char(&at, '-');
    size_t n = strspn(at, "0123456789");
    if (n == 0 || (n > 1 && *at == '0'))
        return speak_bad_number(info, text, decimals);
    for (size_t i = 0; i < n && i < SPEAK_WHOLE_DIGITS; i++)
        v->whole = v->whole * 10 + (unsigned)(at[i] - '0');
    if (n > SPEAK_WHOLE_DIGITS || v->whole > SPEAK_WHOLE_MAX)
        return err_set(info, ERR_RANGE, "", "a number is at most %llu before the point",
                       (unsigned long long)SPEAK_WHOLE_MAX);
    at += n;
    if (*at == '.' && decimals) {
        v->decimals = (unsigned)strspn(++at, "0123456789");
        if (v->decimals == 0 || v->decimals > decimals || !speak_take(&at, v->decimals, &v->fraction))
            return speak_bad_number(info, text, decimals);
    }
    if (*at)
        return speak_bad_number(info, text, decimals);
    v->negative = v->negative && (v->whole || v->fraction);
    return 0;
}

static int speak_parse_ordinal(const char *text, struct speak_value *v, struct err_info *info)
{
    int rc = speak_parse_number(text, 0, v, info);
    if (rc == 0 && v->whole == 0)
        return err_set(info, ERR_RANGE, "", "ordinals begin with 1");
    return rc;
}

static int speak_parse_money(const char *text, struct speak_value *v, struct err_info *info)
{
    int rc = speak_parse_number(text, 2, v, info);
    if (rc == 0 && v->decimals == 1)
        v->fraction *= 10;
    return rc;
}

static int speak_parse_digits(const char *text, struct speak_value *v, struct err_info *info)
{
    size_t n = strspn(text, "0123456789*#");
    if (n == 0 || n > SPEAK_TEXT_MAX || text[n])
        return err_set(info, ERR_INVAL, "", "must be 1 to %u of 0-9 * #", SPEAK_TEXT_MAX);
    v->digits = text;
    return 0;
}

static unsigned speak_days_in(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && year && !leap ? 28 : days[month - 1];
}

static int speak_take_date(const char **at, const char *text, struct speak_value *v, struct err_info *info)
{
    bool date_alone = v->kind == SPEAK_DATE, with_year = !date_alone || strlen(text) != 5;
    bool year_ok = !with_year || (speak_take(at, 4, &v->year) && speak_take_char(at, '-'));
    if (!year_ok || !speak_take(at, 2, &v->month) || !speak_take_char(at, '-') || !speak_take(at, 2, &v->day))
        return err_set(info, ERR_INVAL, "", "'%.40s' is no date: write it as \"2026-11-22\"%s", text,
                       date_alone ? " or \"11-22\"" : ", a space and the time");
    if (with_year && (v->year < SPEAK_YEAR_FIRST || v->year > SPEAK_YEAR_LAST))
        return err_set(info, ERR_RANGE, "", "the year must be %u to %u", SPEAK_YEAR_FIRST, SPEAK_YEAR_LAST);
    if (v->month < 1 || v->month > 12 || v->day < 1 || v->day > speak_days_in(v->year, v->month))
        return err_set(info, ERR_INVAL, "", "'%.40s': there is no such day", text);
    return 0;
}

static int speak_take_time(const char **at, const char *text, struct speak_value *v, struct err_info *info)
{
    if (!speak_take(at, 2, &v->hour) || !speak_take_char(at, ':') || !speak_take(at, 2, &v->minute))
        return err_set(info, ERR_INVAL, "", "'%.40s' has no time: write it as \"15:04\"", text);
    if (v->hour > 23 || v->minute > 59)
        return err_set(info, ERR_INVAL, "", "'%.40s': there is no such time, they are 00:00 to 23:59", text);
    return 0;
}

static int speak_parse_moment(const char *text, struct speak_value *v, struct err_info *info)
{
    const char *at = text;
    int rc = 0;
    if (v->kind != SPEAK_TIME)
        rc = speak_take_date(&at, text, v, info);
    if (rc)
        return rc;
    if (v->kind == SPEAK_DATETIME && !speak_take_char(&at, ' '))
        return err_set(info, ERR_INVAL, "", "'%.40s' has no time: write it as \"2026-11-22 15:04\"", text);
    if (v->kind != SPEAK_DATE)
        rc = speak_take_time(&at, text, v, info);
    if (rc == 0 && *at)
        return err_set(info, ERR_INVAL, "", "'%.40s' goes on after the %s", text, speak_names[v->kind]);
    return rc;
}

int speak_parse(enum speak_kind kind, const char *text, struct speak_value *out, struct err_info *info)
{
    struct speak_value v = {.kind = kind};
    int rc = 0;
    switch (kind) {
    case SPEAK_NUMBER:
        rc = speak_parse_number(text, SPEAK_DECIMALS, &v, info);
        break;
    case SPEAK_ORDINAL:
        rc = speak_parse_ordinal(text, &v, info);
        break;
    case SPEAK_DIGITS:
        rc = speak_parse_digits(text, &v, info);
        break;
    case SPEAK_MONEY:
        rc = speak_parse_money(text, &v, info);
        break;
    case SPEAK_DATE:
    case SPEAK_TIME:
    case SPEAK_DATETIME:
        rc = speak_parse_moment(text, &v, info);
        break;
    }
    if (rc == 0)
        *out = v;
    return rc;
}

/* ---- what the grammars share ---- */

const char *const speak_digit[10] = {
    "num_0", "num_1", "num_2", "num_3", "num_4", "num_5", "num_6", "num_7", "num_8", "num_9",
};

void speak_say(struct speak_out *o, const char *key)
{
    if (o->n < o->max)
        o->keys[o->n] = key;
    o->n++;
}

/* Zeller's congruence; a year that begins in March keeps the leap day at its end. */
const char *speak_weekday(const struct speak_value *v)
{
    static const char *const names[] = {"weekday_6", "weekday_7", "weekday_1", "weekday_2",
                                        "weekday_3", "weekday_4", "weekday_5"};
    unsigned year = v->month < 3 ? v->year - 1 : v->year, month = v->month < 3 ? v->month + 12 : v->month;
    return names[(v->day + 13 * (month + 1) / 5 + year + year / 4 - year / 100 + year / 400) % 7];
}

void speak_decimals(struct speak_out *o, const struct speak_value *v)
{
    unsigned divisor = 1;
    if (v->decimals)
        speak_say(o, "num_point");
    for (unsigned i = 1; i < v->decimals; i++)
        divisor *= 10;
    for (unsigned i = 0; i < v->decimals; i++, divisor /= 10)
        speak_say(o, speak_digit[v->fraction / divisor % 10]);
}

void speak_digits(struct speak_out *o, const char *digits, const char *one)
{
    for (const char *d = digits; *d; d++) {
        if (*d == '*')
            speak_say(o, "key_star");
        else if (*d == '#')
            speak_say(o, "key_hash");
        else
            speak_say(o, *d == '1' ? one : speak_digit[*d - '0']);
    }
}

/* ---- languages ---- */

typedef void speak_fn(struct speak_out *o, const struct speak_value *v);

static speak_fn *speak_grammar(const char *language)
{
    static const struct {
        const char *language;
        speak_fn *fn;
    } grammars[] = {{"zh", speak_zh}, {"en", speak_en}};
    for (unsigned i = 0; i < sizeof grammars / sizeof *grammars; i++) {
        size_t n = strlen(grammars[i].language);
        char end = strncmp(language, grammars[i].language, n) == 0 ? language[n] : 'x';
        if (end == '\0' || end == '-' || end == '_')
            return grammars[i].fn;
    }
    return NULL;
}

bool speak_language(const char *language)
{
    return speak_grammar(language) != NULL;
}

int speak_keys(const char *language, const struct speak_value *v, const char **keys, size_t max)
{
    struct speak_out o = {keys, 0, max};
    speak_fn *fn = speak_grammar(language);
    if (!fn)
        return ERR_UNSUPPORTED;
    fn(&o, v);
    return o.n > o.max ? ERR_TOOBIG : (int)o.n;
}
