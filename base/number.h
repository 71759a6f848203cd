/* Telephone numbers as people write them and carriers send them, in one form in which they can be compared: as they are dialled inside
 * China, with the area code.
 *
 *   13800138000, 138-0013-8000, +86 138 0013 8000, 008613800138000, 8613800138000, 013800138000   13800138000
 *   (010) 8888-6666, +86 10 8888 6666, 861088886666                                                01088886666
 *   +852 2345 6789, 0085223456789                                                                  0085223456789
 *   8864000 and whatever else is shorter than a number with a country code                         as it is
 *   anonymous, and whatever else is no number                                                      as it is
 *
 * 86 without + or 00 is a country code from 12 digits on: no number inside China that begins with it is that long. Pure; any thread. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdbool.h>

#include "base/err.h"

#define NUMBER_MAX 64u        /* bytes of a number, with the NUL */
#define NUMBER_DIGITS_MAX 20u /* of an entry of a list */

/* Longer ones are cut: no entry of a list is that long. */
void number_form(const char *text, char out[NUMBER_MAX]);

/* An entry of a list: "13800138000"; "0900*", whatever begins so; "13800138000-13800138099", both ends and what lies between with as
 * many digits; "anonymous", or another word that begins with a letter. */
struct number_pattern {
    enum number_kind { NUMBER_ONE, NUMBER_PREFIX, NUMBER_RANGE } kind;
    char from[NUMBER_MAX], to[NUMBER_MAX]; /* to: with NUMBER_RANGE */
};
/* The ends of a range stand before and after - or ~; a single - between parts of different length is a separator like others. A prefix
 * of foreign numbers may begin with + or 00; with China's country code it is refused, for nothing tells where the area code
 * begins. ERR_INVAL with a text that follows on "must ..." or stands alone; *out is untouched. */
ERR_CHECKED int number_pattern_parse(const char *text, struct number_pattern *out, struct err_info *info);
/* Whether the entry names the number (in its form, number_form). */
bool number_pattern_covers(const struct number_pattern *p, const char *form);
/* The one text of an entry: reads back as the same. */
void number_pattern_text(const struct number_pattern *p, char out[NUMBER_MAX]);

#endif
