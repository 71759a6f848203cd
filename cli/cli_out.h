/* Answers for people (table, wide), for programs (json) and for spreadsheets (csv).
 *
 * Works on JSON from the API and writes to a stream given by the caller. One thread. Text from the network is made harmless
 * before it reaches a terminal: control and direction characters are shown as U+FFFD. */
#ifndef CLI_CLI_OUT_H
#define CLI_CLI_OUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

enum cli_format { CLI_TABLE, CLI_WIDE, CLI_JSON, CLI_CSV };

struct cli_out {
    FILE *to;
    enum cli_format format;
    bool color;
};

/* 0 or ERR_INVAL. */
ERR_CHECKED int cli_out_format(const char *name, enum cli_format *out);

/* Columns: "TITLE=path/format ..." with single spaces; those after a lone '|' are for wide, csv only. A path goes into objects by '.';
 * of an array of objects "legs.role" gives the fields joined by commas. Formats (none: as it is):
 *   time    local time            age    how long ago         ms     a duration in milliseconds
 *   yes     yes or a dash         count  length of the list   bytes  1.2 MB
 *   state   coloured by meaning   us     microseconds as ms   up     up or down, coloured
 *   pairs   {agent, level} as agent:level */
ERR_CHECKED int cli_out_list(const struct cli_out *o, const json_t *items, const char *columns, const char *empty);
/* One object: a line for each field, lists of objects as tables below it. For csv one row of all scalar fields. */
ERR_CHECKED int cli_out_object(const struct cli_out *o, const json_t *object);
ERR_CHECKED int cli_out_json(const struct cli_out *o, const json_t *value);

/* The value at `path` in the given format (NULL: as it is), malloc'ed; NULL when out of memory. `raw`: as csv wants it. */
char *cli_out_cell(const json_t *item, const char *path, size_t path_len, const char *format, bool raw);

/* One cell (RFC 4180). A text that a spreadsheet would take for a formula gets a ' before it; control characters but tabs and ends of
 * lines are shown as U+FFFD. */
void cli_out_csv(FILE *to, const char *cell, bool last);

/* Columns of a terminal that a text takes: wide East Asian characters count two, combining ones none. */
size_t cli_out_width(const char *utf8);
/* A copy without anything that a terminal would obey; malloc'ed. */
char *cli_out_safe(const char *text);

/* Once, before anything else here. */
void cli_out_init(void);

#endif
