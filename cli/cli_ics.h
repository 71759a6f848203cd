/* Days out of an iCalendar file: the part of RFC 5545 that calendars of holidays are made of.
 *
 * Taken: events (VEVENT) with DTSTART and, if there is one, DTEND (exclusive, section 3.6.1) as dates, and SUMMARY; lines end in CRLF or
 * LF and may be folded (section 3.1). Cancelled events are left out, other components and properties skipped.
 * Refused, with the line: events that repeat (RRULE, RDATE, EXDATE, RECURRENCE-ID), events with a time of day or a DURATION, and what is no iCalendar.
 * Any thread; nothing is shared. */
#ifndef CLI_CLI_ICS_H
#define CLI_CLI_ICS_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"

#define CLI_ICS_BYTES_MAX 1048576u
#define CLI_ICS_DAYS_MAX 4000u
#define CLI_ICS_EVENT_DAYS_MAX 366 /* of one event */

/* *days: [{"date": "2026-10-01", "name": text, "kind": "off"|"work"}], by date, each once. A day is "work" when its summary has one of
 * `work_words` in it, by ASCII letters without regard to case. info->line says where. ERR_INVAL, ERR_UNSUPPORTED, ERR_TOOBIG, ERR_NOMEM. */
ERR_CHECKED int cli_ics_parse(const char *text, size_t len, const char *const *work_words, size_t n_words,
                              json_t **days, struct err_info *info);

#endif
