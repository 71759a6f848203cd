/* Tables as text: one record a line, cells between tabs, commas or semicolons (RFC 4180 with quotes), whichever the file uses first.
 *
 * UTF-8 with or without its mark, or else GB18030, as spreadsheets in China write it. The file's text belongs to the reader until
 * cli_records_free. One thread. */
#ifndef CLI_CLI_RECORDS_H
#define CLI_CLI_RECORDS_H

#include <stdbool.h>

#include "base/err.h"

#define CLI_RECORDS_BYTES_MAX (32u << 20)
#define CLI_CELLS_MAX 16u /* of a record; what follows is left out */

struct cli_records;

/* Takes text over (malloc'ed, with a NUL after len bytes), also on failure. ERR_INVAL: neither UTF-8 nor GB18030, or not a text. */
ERR_CHECKED int cli_records_open(char *text, size_t len, struct cli_records **out, struct err_info *info);
void cli_records_free(struct cli_records *r);
/* The next record that has anything in it; lines that begin with # are skipped. Cells are without the blanks around them and live
 * until the next call. false: there is none any more, or *fault says why the text cannot be read on from there. */
bool cli_records_next(struct cli_records *r, unsigned *line, const char *cells[CLI_CELLS_MAX], unsigned *n,
                      const char **fault);

#endif
