/* How values are spoken: numbers, ordinals, digit strings, money, dates and times, in Chinese and English, as prompt keys.
 *
 * Two steps: speak_parse reads a value from text and refuses what is none; speak_keys turns it into the keys of the
 * prompts to play, in order. A value that was parsed can always be spoken. Grammar: speak_zh.c, speak_en.c.
 *
 * Forms of text, and bounds:
 *   number    "1234", "-12.50"    -10^12 to 10^12; up to 6 decimals, all of which are spoken
 *   ordinal   "22"                1 to 10^12
 *   digits    "95598"             1 to 32 of 0-9 * #, one by one
 *   money     "1234.5", "-0.05"   yuan, with none, one or two decimals, as far as numbers go
 *   date      "2026-11-22"        years 1900 to 2199; "11-22" is a day of any year
 *   time      "15:04"             00:00 to 23:59
 *   datetime  "2026-11-22 15:04"
 * Numbers have no leading zeros, no '+', no separators. Minus nothing is nothing.
 * Pure functions of their arguments; any thread; nothing is allocated. */
#ifndef TELEPHONY_SPEAK_H
#define TELEPHONY_SPEAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SPEAK_WHOLE_MAX UINT64_C(1000000000000) /* before the point */

enum speak_kind {
    SPEAK_NUMBER,
    SPEAK_ORDINAL,
    SPEAK_DIGITS,
    SPEAK_MONEY,
    SPEAK_DATE,
    SPEAK_TIME,
    SPEAK_DATETIME,
};

/* Filled by speak_parse; only what belongs to the kind counts. */
struct speak_value {
    enum speak_kind kind;
    bool negative;
    bool weekday;   /* date, datetime: say it as well; false after parsing, for the caller to set if there is a year */
    uint64_t whole; /* number, ordinal, yuan */
    unsigned fraction;   /* the decimals as an integer: 5 of "1.05"; money: fen, 0 to 99 */
    unsigned decimals;   /* number: how many of them, 0 to 6 */
    unsigned year;       /* 0: none */
    unsigned month, day; /* from 1 */
    unsigned hour, minute;
    const char *digits; /* the text that was parsed: it must live as long as the value */
};

#define SPEAK_TEXT_MAX 32u
/* No value gives more keys. */
#define SPEAK_KEYS_MAX 36u

/* The name of a kind, such as "money"; and the kind of a name, or false. */
const char *speak_kind_name(enum speak_kind kind);
bool speak_kind_of(const char *name, enum speak_kind *out);

/* ERR_INVAL when the text has not the form of its kind or names no day or time that there is, ERR_RANGE when it is outside
 * the bounds; info->text then says what would be right. */
ERR_CHECKED int speak_parse(enum speak_kind kind, const char *text, struct speak_value *out, struct err_info *info);

/* Whether values can be spoken in this language: "zh", "en", and those with a region such as "zh-CN" or "en_GB". */
bool speak_language(const char *language);

/* Keys, in order. Returns how many, or ERR_TOOBIG (more than `max`; never with SPEAK_KEYS_MAX) or ERR_UNSUPPORTED (a
 * language without grammar). keys[i] points at static text. */
int speak_keys(const char *language, const struct speak_value *v, const char **keys, size_t max);

#endif
