/* Inside cli_out: finding a value. */
#ifndef CLI_CLI_OUT_INT_H
#define CLI_CLI_OUT_INT_H

#include <jansson.h>
#include <stddef.h>

/* Borrowed; NULL when there is none. Stops at the first array on the way. */
const json_t *cli_out_at(const json_t *item, const char *path, size_t len);

#endif
