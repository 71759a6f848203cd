/* Inside cli_out and cli_top: finding a value, columns. */
#ifndef CLI_CLI_OUT_INT_H
#define CLI_CLI_OUT_INT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Borrowed; NULL when there is none. Stops at the first array on the way. */
const json_t *cli_out_at(const json_t *item, const char *path, size_t len);

#define CLI_COLUMNS_MAX 32u
struct cli_column {
    const char *title, *path; /* not NUL-terminated */
    size_t title_len, path_len;
    char fmt[12]; /* "": none */
    bool right;   /* numbers line up at the right */
    size_t width;
};
/* Reads the columns of cli_out_list; `all`: those after the '|' too. Returns how many, CLI_COLUMNS_MAX at most. */
unsigned cli_out_columns(const char *spec, bool all, struct cli_column *out);
/* Parameter of SGR for a cell that has a meaning; NULL: none. */
const char *cli_out_color(const char *format, const char *cell);
/* So many bytes of the text fit into these columns, and take *width of them. */
size_t cli_out_fit(const char *text, size_t columns, size_t *width);

#endif
