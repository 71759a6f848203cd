/* Local time against the C library, hours and holidays by tables, and what is no zone, date or span. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/calendar.h"
#include "core/time_group.h"
#include "tests/unit/suite.h"

#define US 1000000ull
#define ROUNDS 20000u

static uint64_t state;

static uint32_t draw(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state * 2685821657736338717ull) >> 33) % below;
}

static struct calendar_zone zone(const char *tz)
{
    struct calendar_zone z;
    ck_assert_msg(calendar_zone_parse(tz, &z) == 0, "%s", tz);
    return z;
}

/* As the C library sees it. */
static void compare(const char *tz, const struct calendar_zone *z, int64_t t)
{
    struct tm tm;
    time_t at = (time_t)t;
    struct calendar_time mine;
    ck_assert_ptr_nonnull(localtime_r(&at, &tm));
    calendar_local(z, (uint64_t)t * US + 999999, &mine);
    ck_assert_msg(mine.year == tm.tm_year + 1900 && mine.month == (unsigned)tm.tm_mon + 1 &&
                      mine.mday == (unsigned)tm.tm_mday && mine.weekday == (unsigned)tm.tm_wday &&
                      mine.second == tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec && mine.offset_s == tm.tm_gmtoff &&
                      mine.dst == (tm.tm_isdst > 0),
                  "TZ=%s at %lld: %lld-%u-%u %d (%+d) and not %d-%d-%d %d (%+ld)", tz, (long long)t,
                  (long long)mine.year, mine.month, mine.mday, mine.second, mine.offset_s, tm.tm_year + 1900,
                  tm.tm_mon + 1, tm.tm_mday, tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec, tm.tm_gmtoff);
}

static void enter(const char *tz)
{
    ck_assert_int_eq(setenv("TZ", tz, 1), 0);
    tzset();
}

/* Random instants of 130 years, and around each change that they meet. */
static void against_library(const char *tz, unsigned rounds)
{
    const int64_t span = 4102444800ll; /* to 2100 */
    struct calendar_zone z = zone(tz);
    enter(tz);
    for (unsigned i = 0; i < rounds; i++) {
        int64_t t = (int64_t)(((uint64_t)draw(1u << 30) << 2 | draw(4)) % (uint64_t)span);
        compare(tz, &z, t);
        int64_t lo = t, hi = t + 200 * CALENDAR_DAY_S;
        struct calendar_time a, b;
        calendar_local(&z, (uint64_t)lo * US, &a);
        calendar_local(&z, (uint64_t)hi * US, &b);
        while (a.dst != b.dst && hi - lo > 1) {
            int64_t mid = lo + (hi - lo) / 2;
            struct calendar_time m;
            calendar_local(&z, (uint64_t)mid * US, &m);
            if (m.dst == a.dst)
                lo = mid;
            else
                hi = mid;
        }
        compare(tz, &z, lo);
        compare(tz, &z, hi);
    }
}

START_TEST(test_zones_of_the_world)
{
    static const char *const zones[] = {
        "CST-8", "UTC0", "<+08>-8", "<+0545>-5:45", "<-03>3", "NST3:30NDT,M3.2.0,M11.1.0", "CET-1CEST,M3.5.0,M10.5.0/3",
        "EST5EDT,M3.2.0,M11.1.0", "IST-1GMT0,M10.5.0,M3.5.0/1", "AEST-10AEDT,M10.1.0,M4.1.0/3",
        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "NZST-12NZDT,M9.5.0,M4.1.0/3", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
        "IST-2IDT,M3.4.4/26,M10.5.0", "EET-2EEST,M3.5.4/24,M10.5.5/1", "<-04>4<-03>,M9.1.6/24,M4.1.6/24",
        "<+12>-12:45:00<+13>-13:45,M9.5.0/2:45,M4.1.0/3:45", "XYZ3ABC,J60/1,J300/2", "XYZ3ABC,59,299/0:30:15",
        "LHS-10:30LHD-11,M10.1.0,M4.1.0", "AAA+1:02:03BBB-4:05:06,J61/-10,J250/+50"};
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++)
        against_library(zones[i], ROUNDS / 10);
}
END_TEST

/* Rules at least three weeks from the turn of the year: around it the C library reckons by the year of UTC. */
static void random_rule(char *out, size_t size, unsigned month)
{
    char at[24] = "";
    if (draw(2))
        (void)snprintf(at, sizeof at, draw(2) ? "/%d" : "/%d:%02u", (int)draw(335) - 167, draw(60));
    switch (draw(3)) {
    case 0:
        (void)snprintf(out, size, "M%u.%u.%u%s", month, 1 + draw(5), draw(7), at);
        break;
    case 1:
        (void)snprintf(out, size, "J%u%s", month * 30 - draw(20), at);
        break;
    default:
        (void)snprintf(out, size, "%u%s", month * 30 - draw(20), at);
    }
}

START_TEST(test_random_zones)
{
    for (unsigned i = 0; i < ROUNDS / 20; i++) {
        char begin[48], end[48], tz[CALENDAR_TZ_MAX];
        unsigned spring = 3 + draw(2), autumn = 8 + draw(3);
        bool south = draw(2);
        random_rule(begin, sizeof begin, south ? autumn : spring);
        random_rule(end, sizeof end, south ? spring : autumn);
        int std = (int)draw(26) - 12, dst = std - 1 + (int)draw(3) - (draw(4) == 0);
        (void)snprintf(tz, sizeof tz, "<S%+03d>%d:%02u<D%+03d>%d,%s,%s", -std, std, draw(60), -dst, dst, begin, end);
        against_library(tz, 20);
    }
}
END_TEST

START_TEST(test_rules_left_out)
{
    /* The C library takes them from the machine's data, with their history: no witness. */
    struct calendar_zone z = zone("EST5EDT"), as = zone("EST5EDT,M3.2.0,M11.1.0");
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct calendar_time a, b;
        uint64_t us = (uint64_t)draw(1u << 31) * 2 * US;
        calendar_local(&z, us, &a);
        calendar_local(&as, us, &b);
        ck_assert(a.dst == b.dst && a.day == b.day && a.second == b.second);
    }
}
END_TEST

START_TEST(test_always_summer_time)
{
    /* RFC 8536, section 3.3.1 */
    struct calendar_zone z = zone("EST5EDT,0/0,J365/25");
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct calendar_time t;
        calendar_local(&z, (uint64_t)draw(1u << 31) * 2 * US, &t);
        ck_assert(t.dst && t.offset_s == -4 * 3600);
    }
}
END_TEST

START_TEST(test_any_time)
{
    struct calendar_zone z = zone("CET-1CEST,M3.5.0,M10.5.0/3");
    struct calendar_time t;
    calendar_local(&z, UINT64_MAX, &t);
    ck_assert_int_gt(t.year, 580000);
    z = zone("AAA24");
    calendar_local(&z, 0, &t);
    ck_assert_int_eq(t.day, -1);
    ck_assert_int_eq(t.second, 0);
    ck_assert_int_eq(t.year, 1969);
    ck_assert_uint_eq(t.weekday, 3);
    for (int64_t day = -800000; day < 800000; day += 1 + draw(50)) {
        int64_t y;
        unsigned m, d;
        calendar_date(day, &y, &m, &d);
        ck_assert_int_eq(calendar_days(y, m, d), day);
    }
}
END_TEST

START_TEST(test_what_is_no_zone)
{
    static const char *const bad[] = {
        "", "C", "CS-8", "CST", "CST-", "CST-25", "CST-8:60", "CST-8:00:60", "CST-8 ", " CST-8", "<CST-8", "<+0>-8", "<+08>",
        "CST-8CD", "CST-8CDT,", "CST-8CDT,M3.2.0", "CST-8CDT,M3.2.0,", "CST-8CDT,M13.2.0,M11.1.0", "CST-8CDT,M0.2.0,M11.1.0",
        "CST-8CDT,M3.0.0,M11.1.0", "CST-8CDT,M3.6.0,M11.1.0", "CST-8CDT,M3.2.7,M11.1.0", "CST-8CDT,J0,J5", "CST-8CDT,J366,J5",
        "CST-8CDT,366,5", "CST-8CDT,M3.2.0/168,M11.1.0", "CST-8CDT,M3.2.0/,M11.1.0", "CST-8CDT,M3.2.0,M11.1.0,M1.1.1",
        "CST-8CDT,M3.2,M11.1.0", "CST-999999999999", "Asia/Shanghai", ":CST-8", "CST-8CDT-25,M3.2.0,M11.1.0",
        "ABCDEFGHIJKLMNOP-8", "CST-8CDT,M3.2.0/--1,M11.1.0", "CST--8", "<C T>-8"};
    struct calendar_zone z;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(calendar_zone_parse(bad[i], &z) == ERR_INVAL, "%s", bad[i]);
    char longest[CALENDAR_TZ_MAX + 1];
    memset(longest, 'A', CALENDAR_TZ_MAX);
    longest[CALENDAR_TZ_MAX] = '\0';
    ck_assert_int_eq(calendar_zone_parse(longest, &z), ERR_INVAL);
    /* random cuts and changes of good ones: refused or taken, never read beyond */
    for (unsigned i = 0; i < ROUNDS; i++) {
        static const char chars[] = "CST-+:,./MJ<>0123456789 ";
        char text[64] = "<-02>2<-01>,M3.5.0/-1,M10.5.0/0";
        size_t len = strlen(text), n = 1 + draw(3);
        for (size_t k = 0; k < n; k++)
            text[draw((uint32_t)len)] = chars[draw(sizeof chars - 1)];
        text[draw((uint32_t)len) + 1] = '\0';
        char *exact = strdup(text);
        int err = calendar_zone_parse(exact, &z);
        ck_assert(err == 0 || err == ERR_INVAL);
        free(exact);
    }
}
END_TEST

START_TEST(test_dates_and_spans)
{
    int64_t d = 7;
    ck_assert_int_eq(calendar_date_parse("1970-01-01", &d), 0);
    ck_assert_int_eq(d, 0);
    ck_assert_int_eq(calendar_date_parse("2024-02-29", &d), 0);
    ck_assert_int_eq(d, 19782);
    ck_assert_int_eq(calendar_date_parse("9999-12-31", &d), 0);
    static const char *const no_date[] = {"", "2026", "2026-02-29", "2100-02-29", "2026-13-01", "2026-00-01", "2026-01-00", "2026-04-31",
                                          "2026-1-01", "2026-01-1", "1969-12-31", "2026-01-01 ", "2026/01/01", "12026-01-01", "-026-01-01"};
    for (size_t i = 0; i < sizeof no_date / sizeof no_date[0]; i++)
        ck_assert_msg(calendar_date_parse(no_date[i], &d) == ERR_INVAL, "%s", no_date[i]);
    struct calendar_span s;
    static const struct {
        const char *text;
        int from, to; /* minutes */
    } spans[] = {{"08:30-12:00", 510, 720}, {"22:00-06:00", 1320, 1800}, {"00:00-24:00", 0, 1440}, {"23:59-24:00", 1439, 1440}, {"12:00-00:00", 720, 1440}, {"12:01-12:00", 721, 2160}};
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        ck_assert_int_eq(calendar_span_parse(spans[i].text, &s), 0);
        ck_assert_int_eq(s.from, spans[i].from * 60);
        ck_assert_int_eq(s.to, spans[i].to * 60);
    }
    static const char *const no_span[] = {"", "8:30-12:00", "08:30", "08:30-", "08:30-08:30", "24:00-25:00", "24:00-06:00", "08:60-09:00", "08:30-24:01",
                                          "08:30-12:00 ", "08:30 - 12:00", "-08:30-12:00", "08:30-12:000", "0830-1200"};
    for (size_t i = 0; i < sizeof no_span / sizeof no_span[0]; i++)
        ck_assert_msg(calendar_span_parse(no_span[i], &s) == ERR_INVAL, "%s", no_span[i]);
}
END_TEST

/* ---- groups, from objects as they are configured */

static uint64_t at(const char *local, int hours_east)
{
    int y, mo, d, h, mi, s = 0;
    ck_assert_int_ge(sscanf(local, "%d-%d-%d %d:%d:%d", &y, &mo, &d, &h, &mi, &s), 5);
    int64_t t = calendar_days(y, (unsigned)mo, (unsigned)d) * CALENDAR_DAY_S + h * 3600 + mi * 60 + s - hours_east * 3600;
    return (uint64_t)t * US;
}

static struct time_group *office(void)
{
    static char morning[] = "08:30-12:00", afternoon[] = "13:00-17:30", over_night[] = "22:00-06:00", short_day[] = "10:00-11:00";
    static char *day[] = {morning, afternoon}, *night[] = {over_night}, *holiday[] = {short_day};
    Ev__TimeGroup m = EV__TIME_GROUP__INIT;
    m.name = (char[]){"office"};
    m.tz = (char[]){"CST-8"};
    m.monday = day;
    m.n_monday = 2;
    m.thursday = day;
    m.n_thursday = 2;
    m.friday = day;
    m.n_friday = 1;
    m.saturday = night;
    m.n_saturday = 1;
    m.holiday_hours = holiday;
    m.n_holiday_hours = 1;
    m.work_as = (char[]){"friday"};
    Ev__HolidayDay days[3];
    static const struct {
        const char *date, *name, *kind;
    } from[] = {{"2026-10-10", "", "work"}, {"2026-10-01", "National Day", "off"}, {"2026-10-11", "Swap", "work"}};
    Ev__HolidayDay *list[3];
    for (int i = 0; i < 3; i++) {
        ev__holiday_day__init(&days[i]);
        days[i].date = (char *)(uintptr_t)from[i].date;
        days[i].name = (char *)(uintptr_t)from[i].name;
        days[i].kind = (char *)(uintptr_t)from[i].kind;
        list[i] = &days[i];
    }
    Ev__HolidayList l = EV__HOLIDAY_LIST__INIT;
    l.days = list;
    l.n_days = 3;
    struct time_group *g = NULL;
    ck_assert_int_eq(time_group_make(&m, &l, &g), 0);
    return g;
}

START_TEST(test_hours_and_holidays)
{
    static const struct {
        const char *local;
        bool open;
        const char *why;
    } rows[] = {
        {"2026-09-28 08:29:59", false, "closed: no hours of monday 2026-09-28 cover this time"},
        {"2026-09-28 08:30", true, "open by 08:30-12:00 of monday 2026-09-28"},
        {"2026-09-28 11:59:59", true, "open by 08:30-12:00 of monday 2026-09-28"},
        {"2026-09-28 12:00", false, NULL},
        {"2026-09-28 13:00", true, "open by 13:00-17:30 of monday 2026-09-28"},
        {"2026-09-29 10:00", false, "closed: no hours of tuesday 2026-09-29 cover this time"},
        {"2026-10-01 10:30", true, "open by 10:00-11:00 of thursday 2026-10-01, a holiday (National Day)"},
        {"2026-10-01 09:30", false, "closed: no hours of thursday 2026-10-01, a holiday (National Day) cover this time"},
        {"2026-10-08 09:30", true, "open by 08:30-12:00 of thursday 2026-10-08"},
        {"2026-10-10 09:00", true, "open by 08:30-12:00 of saturday 2026-10-10, a make-up working day"},
        {"2026-10-10 22:30", false, NULL}, /* the hours of Friday, not those of Saturday */
        {"2026-10-11 05:00", false, NULL},
        {"2026-10-11 08:30", true, "open by 08:30-12:00 of sunday 2026-10-11, a make-up working day (Swap)"},
        {"2026-10-17 22:00", true, "open by 22:00-06:00 of saturday 2026-10-17"},
        {"2026-10-18 05:59:59", true, "open by 22:00-06:00 of saturday 2026-10-17"},
        {"2026-10-18 06:00", false, "closed: no hours of sunday 2026-10-18 cover this time"},
    };
    struct time_group *g = office();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct calendar_verdict v;
        char why[256], local[TIME_GROUP_TEXT_MAX];
        time_group_at(g, at(rows[i].local, 8), &v);
        ck_assert_msg(v.open == rows[i].open, "%s", rows[i].local);
        time_group_why(&v, why, sizeof why);
        if (rows[i].why)
            ck_assert_str_eq(why, rows[i].why);
        time_group_local(&v, local);
        ck_assert_int_eq(strncmp(local, rows[i].local, 10), 0);
        ck_assert_int_eq(strncmp(local + 11, rows[i].local + 11, 5), 0);
        ck_assert_str_eq(local + 19, "+08:00");
    }
    time_group_free(g);
}
END_TEST

/* Every minute of random weeks against the obvious reading of the hours. */
START_TEST(test_against_the_obvious)
{
    for (unsigned round = 0; round < 60; round++) {
        struct calendar_span spans[7][3];
        struct calendar_group g = {.zone = zone("CST-8"), .work_as = draw(7)};
        struct calendar_exception x[5];
        bool open[9 * 1440] = {false}; /* minutes from the day before the week to the day after */
        int64_t first = calendar_days(2026, 1, 4) + draw(3000);
        for (unsigned d = 0; d < 7; d++) {
            g.week[d] = (struct calendar_hours){spans[d], draw(4)};
            for (unsigned i = 0; i < 3; i++) {
                spans[d][i].from = (int32_t)draw(1440) * 60;
                spans[d][i].to = spans[d][i].from + 60 + (int32_t)draw(1440) * 60;
            }
        }
        g.holiday = (struct calendar_hours){spans[6], 1};
        g.exception = x;
        g.n_exceptions = draw(6);
        for (size_t i = 0; i < g.n_exceptions; i++)
            x[i] = (struct calendar_exception){first + (int64_t)i * 2 - 1, draw(2) ? CALENDAR_OFF : CALENDAR_WORK, "x"};
        for (int day = -1; day < 7; day++) {
            const struct calendar_hours *h = &g.week[(first + day + 4) % 7];
            for (size_t i = 0; i < g.n_exceptions; i++) {
                if (x[i].day == first + day)
                    h = x[i].kind == CALENDAR_OFF ? &g.holiday : &g.week[g.work_as];
            }
            for (size_t i = 0; i < h->n; i++)
                for (int m = h->spans[i].from / 60; m < h->spans[i].to / 60; m++)
                    if ((day + 1) * 1440 + m < 9 * 1440)
                        open[(day + 1) * 1440 + m] = true;
        }
        for (int m = 0; m < 7 * 1440; m++) {
            struct calendar_verdict v;
            calendar_group_at(&g, (uint64_t)(first * CALENDAR_DAY_S + m * 60 - 8 * 3600) * US, &v);
            ck_assert_msg(v.open == open[1440 + m], "round %u, minute %d of day %lld", round, m, (long long)first);
        }
    }
}
END_TEST

START_TEST(test_clocks_that_change)
{
    /* 2026-03-29 02:00 to 03:00 is skipped in Berlin, 2026-10-25 02:00 to 03:00 comes twice. */
    struct calendar_span night = {1 * 3600, 2 * 3600 + 1800};
    struct calendar_group g = {.zone = zone("CET-1CEST,M3.5.0,M10.5.0/3")};
    g.week[0] = (struct calendar_hours){&night, 1};
    unsigned minutes[2] = {0};
    for (int i = 0; i < 2; i++) {
        int64_t day = calendar_days(2026, i ? 10 : 3, i ? 25 : 29);
        for (int m = -180; m < 1440; m++) {
            struct calendar_verdict v;
            calendar_group_at(&g, (uint64_t)(day * CALENDAR_DAY_S + m * 60) * US, &v);
            minutes[i] += v.open;
        }
    }
    ck_assert_uint_eq(minutes[0], 60);
    ck_assert_uint_eq(minutes[1], 60 + 30 + 30);
}
END_TEST

int main(void)
{
    const char *seed = getenv("SEED");
    state = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
    state = state ? state : 1;
    printf("seed %llu\n", (unsigned long long)state);
    Suite *s = suite_create("calendar");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_zones_of_the_world);
    tcase_add_test(tc, test_random_zones);
    tcase_add_test(tc, test_rules_left_out);
    tcase_add_test(tc, test_always_summer_time);
    tcase_add_test(tc, test_any_time);
    tcase_add_test(tc, test_what_is_no_zone);
    tcase_add_test(tc, test_dates_and_spans);
    tcase_add_test(tc, test_hours_and_holidays);
    tcase_add_test(tc, test_against_the_obvious);
    tcase_add_test(tc, test_clocks_that_change);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
