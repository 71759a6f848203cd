/* Outage notices out of their configuration: whose area a caller is in, and what he is to be told at a time.
 *
 * Pure, no clock. An index points into the messages that it was made of: they outlive it. It is made once a change of areas or notices;
 * a question then costs the length of the number and the logarithm of the ranges, and a merge of the lists of at most NOTICE_DEPTH_MAX
 * areas. One thread at a time. Memory that runs out while an index is made ends the process, as everywhere in apply. */
#ifndef CORE_NOTICE_H
#define CORE_NOTICE_H

#include "base/number.h"
#include "core/calendar.h"
#include "core/commands.pb-c.h"

#define NOTICE_TEXT_MAX 900u      /* bytes of a text: synthesis takes no longer ones */
#define NOTICES_MAX 1000u         /* in the configuration */
#define NOTICE_AREAS_MAX 10000u   /* likewise */
#define NOTICE_NUMBERS_MAX 10000u /* of one area */
#define NOTICE_NUMBERS_ALL 20000u /* of all areas */
#define NOTICE_DEPTH_MAX 8u       /* areas within areas, the innermost counted */
#define NOTICE_AUTO_MAX 5u        /* heard by themselves by one caller */
#define NOTICE_MENU_MAX 20u       /* told by one node of a flow */
#define NOTICE_REPEAT_H 24u       /* repeat_h that is 0 */

/* Times, texts and what belongs together. info->field is the path inside the object. */
ERR_CHECKED int notice_check(const Ev__Notice *n, struct err_info *info);
/* "2026-11-22T08:00", with seconds or not, by the clock of the zone; or RFC 3339. Of a local time that comes twice the first, or the
 * `last`; one that is skipped: as if the clock had not been put forward yet. ERR_INVAL; zone NULL: a time needs its offset. */
ERR_CHECKED int notice_time(const char *text, const struct calendar_zone *zone, bool last, uint64_t *us);
/* When it begins to hold, and stops: 0 and UINT64_MAX where nothing is said. Of a checked one. */
void notice_times(const Ev__Notice *n, uint64_t *from_us, uint64_t *until_us);
/* How long a caller is one who has heard it. */
uint64_t notice_repeat_us(const Ev__Notice *n);
/* Whether it can be known by its number who calls again, and that number's form. */
bool notice_number_known(const char *caller, char form[NUMBER_MAX]);

struct notice_index;
struct notice_index *notice_index_make(const Ev__Area *const *areas, size_t n_areas, const Ev__Notice *const *notices,
                                       size_t n_notices);
void notice_index_free(struct notice_index *ix); /* NULL is fine */
/* NULL: there is none. */
const Ev__Area *notice_area(const struct notice_index *ix, const char *name);
/* By the number he calls from, in any form: the number itself before ranges before the longest prefix. NULL: no area has it. */
const Ev__Area *notice_area_of(const struct notice_index *ix, const char *number);
/* Where a caller is: the area named, else that of his number, else the region of the number that he called. NULL: not known. */
const Ev__Area *notice_where(const struct notice_index *ix, const char *named, const char *number, const char *region);
/* What holds at that time for somebody in the area (NULL: not known), with all that it lies within: in the order in which it is heard.
 * automatic: only what is heard by itself. At most `max`; how many there are. */
unsigned notice_match(const struct notice_index *ix, const Ev__Area *area, uint64_t at_us, bool automatic,
                      const Ev__Notice **out, unsigned max);
/* Whether who calls again is answered with it at once: the notice says so, or the area or one that it lies within. */
bool notice_is_mass(const struct notice_index *ix, const Ev__Area *area, const Ev__Notice *n);

#endif
