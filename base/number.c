/* Telephone numbers in one form. */
#include <stdio.h>
#include <string.h>

#include "base/number.h"

#define SEPARATORS " -.()/"
#define DIGITS "0123456789"

static bool is_separator(char ch)
{
    return ch && strchr(SEPARATORS, ch);
}

/* Digits without separators, "+" in front stays. false: it is no number. */
static bool take_digits(const char *text, size_t n, char out[NUMBER_MAX])
{
    size_t len = 0;
    bool digits = false;
    for (size_t i = 0; i < n; i++) {
        if (is_separator(text[i]))
            continue;
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (!digit && (text[i] != '+' || len > 0))
            return false;
        digits = digits || digit;
        if (len + 1 < NUMBER_MAX)
            out[len++] = text[i];
    }
    out[len] = '\0';
    return digits;
}

static bool begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

static bool is_mobile_begin(const char *s)
{
    return s[0] == '1' && s[1] >= '3' && s[1] <= '9';
}

/* A number as it follows on the country code 86: without the 0 of its area code. */
static bool lacks_zero(const char *s)
{
    size_t len = strlen(s);
    return (len == 10 || len == 11) && s[0] != '0' && !(len == 11 && is_mobile_begin(s)) && !begins(s, "400") &&
           !begins(s, "800");
}

/* d: digits, perhaps after a + */
static void national(const char *d, char out[NUMBER_MAX])
{
    const char *zeros = "";
    bool china = begins(d, "+86") || begins(d, "0086") || (begins(d, "86") && strlen(d) >= 12);
    if (china) {
        d += d[0] == '+' ? 3 : d[0] == '0' ? 4 : 2;
        zeros = lacks_zero(d) ? "0" : "";
    } else if (d[0] == '+') {
        d++;
        zeros = "00";
    }
    if (strlen(d) == 12 && d[0] == '0' && is_mobile_begin(d + 1))
        d++; /* as mobiles of elsewhere were once dialled */
    (void)snprintf(out, NUMBER_MAX, "%s%.*s", zeros, (int)(NUMBER_MAX - 3), d);
}

static bool form_n(const char *text, size_t n, char out[NUMBER_MAX])
{
    char digits[NUMBER_MAX];
    if (!take_digits(text, n, digits))
        return false;
    for (national(digits, out); strcmp(digits, out) != 0; national(digits, out))
        memcpy(digits, out, sizeof digits); /* until nothing is left to take off: the form of a form is itself */
    return true;
}

void number_form(const char *text, char out[NUMBER_MAX])
{
    if (!form_n(text, strlen(text), out))
        (void)snprintf(out, NUMBER_MAX, "%.*s", (int)NUMBER_MAX - 1, text);
}

/* ---- entries */

static int wrong(struct err_info *info, const char *text)
{
    return err_set(info, ERR_INVAL, "", "%s", text);
}

static int check_one(const char *s, struct err_info *info)
{
    if (strspn(s, DIGITS) != strlen(s))
        return wrong(info, "must be a number, a range FROM-TO or a prefix such as 0900*");
    if (!s[0] || strlen(s) > NUMBER_DIGITS_MAX)
        return wrong(info, "must have 1 to 20 digits");
    return 0;
}

static int parse_prefix(const char *text, size_t n, struct number_pattern *p, struct err_info *info)
{
    char d[NUMBER_MAX];
    if (!take_digits(text, n, d))
        return wrong(info, "must have digits before the *, and nothing else");
    if (begins(d, "+86") || begins(d, "0086"))
        return wrong(info, "must begin as the number is dialled inside China: 138* or 0755*, without +86");
    const char *s = d;
    if (s[0] == '+') { /* a + takes the place of two digits more */
        (void)snprintf(p->from, sizeof p->from, "00%.*s", (int)(NUMBER_MAX - 3), s + 1);
    } else {
        bool zero = s[0] == '0' && is_mobile_begin(s + 1);
        (void)snprintf(p->from, sizeof p->from, "%s", s + zero);
    }
    p->kind = NUMBER_PREFIX;
    return check_one(p->from, info);
}

static size_t count_digits(const char *s, size_t n)
{
    size_t digits = 0;
    for (size_t i = 0; i < n; i++)
        digits += s[i] >= '0' && s[i] <= '9';
    return digits;
}

/* Where FROM ends, or NULL. */
static const char *range_mark(const char *text, size_t n)
{
    const char *mark = memchr(text, '~', n), *end = text + n;
    if (mark)
        return mark;
    mark = memchr(text, '-', n);
    if (!mark || memchr(mark + 1, '-', (size_t)(end - mark - 1)))
        return NULL;
    size_t before = count_digits(text, (size_t)(mark - text)), after = count_digits(mark, (size_t)(end - mark));
    return before == after && before > 0 ? mark : NULL;
}

static int parse_range(const char *text, size_t n, const char *mark, struct number_pattern *p, struct err_info *info)
{
    if (!form_n(text, (size_t)(mark - text), p->from) || !form_n(mark + 1, (size_t)(text + n - mark - 1), p->to))
        return wrong(info, "must have a number on each side of the range");
    int err = check_one(p->from, info);
    if (!err)
        err = check_one(p->to, info);
    if (err)
        return err;
    if (strlen(p->from) != strlen(p->to))
        return wrong(info, "must have as many digits at the end of the range as at its beginning");
    int order = strcmp(p->from, p->to);
    if (order > 0)
        return wrong(info, "must have a range that does not end before it begins");
    p->kind = order < 0 ? NUMBER_RANGE : NUMBER_ONE;
    return 0;
}

static bool is_word(const char *s, size_t n)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" DIGITS "._-+";
    for (size_t i = 0; i < n; i++) {
        if (!strchr(good, s[i]))
            return false;
    }
    return n > 0 && n <= 2 * NUMBER_DIGITS_MAX && (s[0] | 0x20) >= 'a' && (s[0] | 0x20) <= 'z';
}

int number_pattern_parse(const char *text, struct number_pattern *out, struct err_info *info)
{
    struct number_pattern p = {.kind = NUMBER_ONE};
    while (*text == ' ')
        text++;
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == ' ')
        n--;
    const char *mark = range_mark(text, n);
    int err = 0;
    if (is_word(text, n))
        (void)snprintf(p.from, sizeof p.from, "%.*s", (int)n, text);
    else if (n > 0 && text[n - 1] == '*')
        err = parse_prefix(text, n - 1, &p, info);
    else if (mark)
        err = parse_range(text, n, mark, &p, info);
    else
        err = check_one(form_n(text, n, p.from) ? p.from : "?", info);
    if (!err)
        *out = p;
    return err;
}

bool number_pattern_covers(const struct number_pattern *p, const char *form)
{
    if (p->kind == NUMBER_PREFIX)
        return strncmp(form, p->from, strlen(p->from)) == 0;
    if (p->kind == NUMBER_RANGE)
        return strlen(form) == strlen(p->from) && strcmp(form, p->from) >= 0 && strcmp(form, p->to) <= 0;
    return strcmp(form, p->from) == 0;
}

void number_pattern_text(const struct number_pattern *p, char out[NUMBER_MAX])
{
    const char *end = p->kind == NUMBER_PREFIX ? "*" : p->kind == NUMBER_RANGE ? "-" : "";
    (void)snprintf(out, NUMBER_MAX, "%.*s%s%.*s", (int)(2 * NUMBER_DIGITS_MAX), p->from, end, (int)NUMBER_DIGITS_MAX,
                   p->kind == NUMBER_RANGE ? p->to : "");
}
