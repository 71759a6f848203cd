/* Local time and opening hours. Dates are counted with eras of 400 years beginning on 1 March, so that the leap day comes last. */
#include <string.h>

#include "core/calendar.h"

#define ERA_DAYS 146097
#define EPOCH_SHIFT 719468 /* from 0000-03-01 to 1970-01-01 */

int64_t calendar_days(int64_t year, unsigned month, unsigned mday)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + mday - 1;
    return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_SHIFT;
}

void calendar_date(int64_t days, int64_t *year, unsigned *month, unsigned *mday)
{
    int64_t z = days + EPOCH_SHIFT;
    int64_t era = (z >= 0 ? z : z - (ERA_DAYS - 1)) / ERA_DAYS, of_era = z - era * ERA_DAYS;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
    *mday = (unsigned)(of_year - (153 * m + 2) / 5 + 1);
    *month = (unsigned)(m < 10 ? m + 3 : m - 9);
    *year = y + era * 400 + (*month <= 2);
}

static bool leap(int64_t y)
{
    return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static unsigned month_days(int64_t y, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && leap(y) ? 29 : days[month - 1];
}

static unsigned weekday_of(int64_t days)
{
    int64_t d = (days + 4) % 7; /* 1970-01-01 was a Thursday */
    return (unsigned)(d < 0 ? d + 7 : d);
}

/* ---- texts */

/* 1 to max_digits digits, at most max. */
static bool take_number(const char **p, unsigned max_digits, int max, int *out)
{
    int v = 0;
    unsigned n = 0;
    for (; **p >= '0' && **p <= '9' && n < max_digits; n++)
        v = v * 10 + (*(*p)++ - '0');
    if (n == 0 || v > max || (**p >= '0' && **p <= '9'))
        return false;
    *out = v;
    return true;
}

static bool take_two(const char **p, int max, int *out)
{
    const char *from = *p;
    return take_number(p, 2, max, out) && *p == from + 2;
}

static bool take_char(const char **p, char c)
{
    if (**p != c)
        return false;
    (*p)++;
    return true;
}

int calendar_date_parse(const char *text, int64_t *days)
{
    const char *p = text;
    int y, m, d;
    if (!take_number(&p, 4, 9999, &y) || p != text + 4 || !take_char(&p, '-') || !take_two(&p, 12, &m) ||
        !take_char(&p, '-') || !take_two(&p, 31, &d) || *p)
        return ERR_INVAL;
    if (y < 1970 || m < 1 || d < 1 || (unsigned)d > month_days(y, (unsigned)m))
        return ERR_INVAL;
    *days = calendar_days(y, (unsigned)m, (unsigned)d);
    return 0;
}

int calendar_span_parse(const char *text, struct calendar_span *out)
{
    const char *p = text;
    int h[2], m[2];
    for (int i = 0; i < 2; i++) {
        if (!take_two(&p, 24, &h[i]) || !take_char(&p, ':') || !take_two(&p, 59, &m[i]) || (h[i] == 24 && m[i] > 0))
            return ERR_INVAL;
        if (i == 0 && !take_char(&p, '-'))
            return ERR_INVAL;
    }
    int32_t from = (h[0] * 60 + m[0]) * 60, to = (h[1] * 60 + m[1]) * 60;
    if (*p || from == to || from == CALENDAR_DAY_S)
        return ERR_INVAL;
    out->from = from;
    out->to = to > from ? to : to + CALENDAR_DAY_S;
    return 0;
}

/* ---- zones */

/* Three or more letters, or in <> letters, digits, + and -. */
static bool take_name(const char **p, char out[CALENDAR_NAME_MAX])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char quoted[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-";
    bool in_quotes = take_char(p, '<');
    size_t n = strspn(*p, in_quotes ? quoted : letters);
    if (n < 3 || n >= CALENDAR_NAME_MAX)
        return false;
    memcpy(out, *p, n);
    out[n] = '\0';
    *p += n;
    return !in_quotes || take_char(p, '>');
}

/* [+-]hh[:mm[:ss]] */
static bool take_clock(const char **p, int max_hours, int32_t *out)
{
    int sign = take_char(p, '-') ? -1 : 1, h, m = 0, s = 0;
    if (sign == 1)
        (void)take_char(p, '+');
    if (!take_number(p, 3, max_hours, &h))
        return false;
    if (take_char(p, ':') && (!take_number(p, 2, 59, &m) || (take_char(p, ':') && !take_number(p, 2, 59, &s))))
        return false;
    *out = sign * (h * 3600 + m * 60 + s);
    return true;
}

static bool take_rule(const char **p, struct calendar_rule *r)
{
    r->at_s = 2 * 3600;
    r->month = r->week = 0;
    if (take_char(p, 'M')) {
        r->kind = CALENDAR_WEEKDAY;
        if (!take_number(p, 2, 12, &r->month) || !take_char(p, '.') || !take_number(p, 1, 5, &r->week) ||
            !take_char(p, '.') || !take_number(p, 1, 6, &r->day) || r->month < 1 || r->week < 1)
            return false;
    } else {
        r->kind = take_char(p, 'J') ? CALENDAR_JULIAN : CALENDAR_DAY;
        if (!take_number(p, 3, 365, &r->day) || (r->kind == CALENDAR_JULIAN && r->day < 1))
            return false;
    }
    return !take_char(p, '/') || take_clock(p, 167, &r->at_s);
}

int calendar_zone_parse(const char *tz, struct calendar_zone *out)
{
    struct calendar_zone z = {.changes = false};
    const char *p = tz;
    if (strlen(tz) >= CALENDAR_TZ_MAX || !take_name(&p, z.std) || !take_clock(&p, 24, &z.std_s))
        return ERR_INVAL;
    z.std_s = -z.std_s; /* POSIX counts to the west */
    z.dst_s = z.std_s;
    if (*p) {
        z.changes = true;
        if (!take_name(&p, z.dst))
            return ERR_INVAL;
        z.dst_s = z.std_s + 3600;
        if (*p && *p != ',') {
            if (!take_clock(&p, 24, &z.dst_s))
                return ERR_INVAL;
            z.dst_s = -z.dst_s;
        }
        if (!*p)
            p = ",M3.2.0,M11.1.0";
        if (!take_char(&p, ',') || !take_rule(&p, &z.begin) || !take_char(&p, ',') || !take_rule(&p, &z.end) || *p)
            return ERR_INVAL;
    }
    *out = z;
    return 0;
}

static int64_t rule_day(const struct calendar_rule *r, int64_t year)
{
    if (r->kind == CALENDAR_DAY)
        return calendar_days(year, 1, 1) + r->day;
    if (r->kind == CALENDAR_JULIAN)
        return calendar_days(year, 1, 1) + r->day - 1 + (leap(year) && r->day >= 60);
    int64_t first = calendar_days(year, (unsigned)r->month, 1);
    int64_t day = (r->day - (int)weekday_of(first) + 7) % 7 + (int64_t)(r->week - 1) * 7;
    if (day >= month_days(year, (unsigned)r->month))
        day -= 7;
    return first + day;
}

/* Whether the second name holds: the latest change up to now says so. Rules may reach into the neighbouring years, and a zone that
 * is always on summer time ends and begins it at one instant: the beginning counts. */
static bool is_dst(const struct calendar_zone *z, int64_t utc_s)
{
    int64_t year, latest = INT64_MIN;
    unsigned month, mday;
    bool dst = false;
    calendar_date(utc_s / CALENDAR_DAY_S, &year, &month, &mday);
    for (int64_t y = year - 1; y <= year + 1; y++) {
        int64_t end = rule_day(&z->end, y) * CALENDAR_DAY_S + z->end.at_s - z->dst_s;
        int64_t begin = rule_day(&z->begin, y) * CALENDAR_DAY_S + z->begin.at_s - z->std_s;
        if (end <= utc_s && end > latest) {
            latest = end;
            dst = false;
        }
        if (begin <= utc_s && begin >= latest) {
            latest = begin;
            dst = true;
        }
    }
    return dst;
}

void calendar_local(const struct calendar_zone *z, uint64_t us, struct calendar_time *out)
{
    int64_t utc_s = (int64_t)(us / 1000000);
    out->dst = z->changes && is_dst(z, utc_s);
    out->offset_s = out->dst ? z->dst_s : z->std_s;
    int64_t local = utc_s + out->offset_s;
    out->day = local / CALENDAR_DAY_S - (local % CALENDAR_DAY_S < 0);
    out->second = (int32_t)(local - out->day * CALENDAR_DAY_S);
    out->weekday = weekday_of(out->day);
    calendar_date(out->day, &out->year, &out->month, &out->mday);
}

/* ---- groups */

static bool shows(const struct calendar_zone *z, int64_t utc_s, int64_t day, int32_t second)
{
    struct calendar_time t;
    if (utc_s < 0)
        return false;
    calendar_local(z, (uint64_t)utc_s * 1000000, &t);
    return t.day == day && t.second == second;
}

int calendar_utc(const struct calendar_zone *z, int64_t day, int32_t second, bool last, uint64_t *us)
{
    int64_t local = day * CALENDAR_DAY_S + second, std = local - z->std_s, dst = z->changes ? local - z->dst_s : std;
    int64_t first = std < dst ? std : dst, other = std < dst ? dst : std;
    bool is_first = shows(z, first, day, second), is_other = shows(z, other, day, second);
    /* Neither: the clock jumps over it, from the smaller offset, which leads to the later time. */
    int64_t at = is_first && !(last && is_other) ? first : other;
    if (at < 0)
        return ERR_INVAL;
    *us = (uint64_t)at * 1000000;
    return 0;
}

static const struct calendar_exception *exception_on(const struct calendar_group *g, int64_t day)
{
    size_t lo = 0, hi = g->n_exceptions;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (g->exception[mid].day < day)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < g->n_exceptions && g->exception[lo].day == day ? &g->exception[lo] : NULL;
}

/* Fills what decides about `day`, and says whether its hours cover that second counted from its midnight. */
static bool covered(const struct calendar_group *g, int64_t day, int32_t second, struct calendar_verdict *v)
{
    const struct calendar_exception *x = exception_on(g, day);
    v->kind = x ? x->kind : CALENDAR_WEEK;
    v->name = x ? x->name : NULL;
    const struct calendar_hours *h = v->kind == CALENDAR_OFF    ? &g->holiday
                                     : v->kind == CALENDAR_WORK ? &g->week[g->work_as]
                                                                : &g->week[weekday_of(day)];
    for (size_t i = 0; i < h->n; i++) {
        if (h->spans[i].from <= second && second < h->spans[i].to) {
            v->span = h->spans[i];
            return true;
        }
    }
    return false;
}

void calendar_group_at(const struct calendar_group *g, uint64_t us, struct calendar_verdict *out)
{
    memset(out, 0, sizeof *out);
    calendar_local(&g->zone, us, &out->now);
    out->since_yesterday = covered(g, out->now.day - 1, out->now.second + CALENDAR_DAY_S, out);
    out->open = out->since_yesterday || covered(g, out->now.day, out->now.second, out);
}
