/* Local time and opening hours, as pure arithmetic: what a node decides by them, every node decides alike.
 *
 * Nothing here reads a clock, the environment or the machine's time zone data. A zone is a POSIX TZ string (IEEE Std 1003.1-2017,
 * section 8.3), with the hours of change from -167 to 167 that RFC 8536, section 3.3.1, adds. A zone without changes has one offset; the
 * rules of one with changes hold for all years. The calendar is the Gregorian one, for any time that 64 bits of microseconds hold.
 *
 * Any thread; nothing is shared. Times are microseconds since 1970 UTC, days are counted from 1970-01-01. ERR_INVAL: the text is
 * none of its kind, and what was to be filled is untouched. */
#ifndef CORE_CALENDAR_H
#define CORE_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CALENDAR_TZ_MAX 128u /* bytes of a TZ string, with the NUL */
#define CALENDAR_NAME_MAX 16u
#define CALENDAR_DAY_S 86400

/* When the clocks change, in local time as it is before the change. */
struct calendar_rule {
    enum calendar_rule_kind {
        CALENDAR_JULIAN, /* Jn: day 1 to 365, 29 February is never counted */
        CALENDAR_DAY,    /* n: day 0 to 365, 29 February is counted */
        CALENDAR_WEEKDAY /* Mm.w.d: the w-th weekday d (0 Sunday) of month m; w 5: the last */
    } kind;
    int day, month, week; /* day: of the year, or of the week */
    int32_t at_s;         /* after midnight of that day; may be negative or more than a day */
};
struct calendar_zone {
    char std[CALENDAR_NAME_MAX], dst[CALENDAR_NAME_MAX];
    int32_t std_s, dst_s; /* east of UTC */
    bool changes;
    struct calendar_rule begin, end; /* of dst */
};
/* "CST-8", "CET-1CEST,M3.5.0,M10.5.0/3", "<+08>-8". A zone with a second name and no rules changes by ",M3.2.0,M11.1.0". */
ERR_CHECKED int calendar_zone_parse(const char *tz, struct calendar_zone *out);

struct calendar_time {
    int64_t day;                   /* local date, in days since 1970-01-01 */
    int32_t second;                /* of the local day, 0 to 86399 */
    int32_t offset_s;              /* east of UTC */
    bool dst;                      /* the second of the zone's two names holds */
    int64_t year;                  /* of the local date, like the rest */
    unsigned month, mday, weekday; /* 1-12, 1-31, 0 Sunday to 6 */
};
void calendar_local(const struct calendar_zone *z, uint64_t us, struct calendar_time *out);
/* When the clock of the zone shows this second (0 to 86399) of this day. Of two such times the first, or the `last`; a second that is
 * skipped: as if the clock had not been put forward yet. ERR_INVAL: before 1970. */
ERR_CHECKED int calendar_utc(const struct calendar_zone *z, int64_t day, int32_t second, bool last, uint64_t *us);

/* ---- dates */
int64_t calendar_days(int64_t year, unsigned month, unsigned mday);
void calendar_date(int64_t days, int64_t *year, unsigned *month, unsigned *mday);
/* "2026-10-01": a day that exists, years 1970 to 9999. */
ERR_CHECKED int calendar_date_parse(const char *text, int64_t *days);

/* ---- hours: "08:30-12:00", "22:00-06:00" (to the next morning), "00:00-24:00". Neither empty nor longer than a day. */
struct calendar_span {
    int32_t from, to; /* seconds after midnight of its day; to is up to two days */
};
ERR_CHECKED int calendar_span_parse(const char *text, struct calendar_span *out);

/* ---- a week with its exceptions */
enum calendar_day_kind {
    CALENDAR_WEEK, /* a day of the week like any other */
    CALENDAR_OFF,  /* a holiday */
    CALENDAR_WORK  /* a make-up working day */
};
struct calendar_exception {
    int64_t day;
    enum calendar_day_kind kind;
    const char *name;
};
struct calendar_hours {
    const struct calendar_span *spans;
    size_t n;
};
struct calendar_group {
    struct calendar_zone zone;
    struct calendar_hours week[7];              /* 0 Sunday */
    struct calendar_hours holiday;              /* what is open on holidays */
    unsigned work_as;                           /* weekday whose hours a make-up working day has */
    const struct calendar_exception *exception; /* by day, each day once */
    size_t n_exceptions;
};
struct calendar_verdict {
    bool open;
    bool since_yesterday; /* open by hours that began the day before */
    struct calendar_time now;
    enum calendar_day_kind kind; /* of the day whose hours decided: the day before with since_yesterday, else today */
    const char *name;            /* of that exception; NULL with CALENDAR_WEEK */
    struct calendar_span span;   /* with open: the hours it is open by */
};
/* Hours belong to the day on which they begin: those after midnight are open or not as that day is. By the local clock, so that an
 * hour that is skipped or repeated is open as the clock on the wall says. Logarithmic in the exceptions. */
void calendar_group_at(const struct calendar_group *g, uint64_t us, struct calendar_verdict *out);

#endif
