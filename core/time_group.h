/* Time groups as they are configured, made ready for core/calendar.h, and what they say in words.
 *
 * Any thread; a made group belongs to its maker and holds copies of all it needs. Used by apply (where a call leads), by the API
 * (the same question for people) and by the rules of configuration. */
#ifndef CORE_TIME_GROUP_H
#define CORE_TIME_GROUP_H

#include "core/calendar.h"
#include "core/commands.pb-c.h"

struct time_group;

/* From checked objects; holidays NULL: none. ERR_NOMEM; ERR_INVAL when an object breaks its rules. */
ERR_CHECKED int time_group_make(const Ev__TimeGroup *group, const Ev__HolidayList *holidays, struct time_group **out);
void time_group_free(struct time_group *g); /* NULL is fine */
void time_group_at(const struct time_group *g, uint64_t us, struct calendar_verdict *out);
/* The first time after `after_us` at which the clock of its zone shows this second (0 to 86399) of a day. ERR_INVAL: before 1970. */
ERR_CHECKED int time_group_next(const struct time_group *g, int32_t second, uint64_t after_us, uint64_t *us);

/* "open by 08:30-12:00 of friday 2026-11-20", "closed: no hours of thursday 2026-10-01, a holiday (National Day) cover this time"; cut to
 * `size`. */
void time_group_why(const struct calendar_verdict *v, char *out, size_t size);
/* "2026-10-01T09:30:00+08:00", the local time of the verdict. */
#define TIME_GROUP_TEXT_MAX 40u
void time_group_local(const struct calendar_verdict *v, char out[TIME_GROUP_TEXT_MAX]);
const char *time_group_weekday(unsigned weekday); /* 0 "sunday" */

/* No date twice. */
ERR_CHECKED int holiday_list_check(const Ev__HolidayList *l, struct err_info *info);

#endif
