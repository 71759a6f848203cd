/* YAML and JSON text from people and machines, read into a jansson tree, with positions for later complaints.
 *
 * Any thread; the results belong to the caller (json_decref, yaml_marks_free) and to one thread at a time.
 * Scalars follow the core schema of YAML 1.2: null, true/false, integers within int64, finite floats, strings. Quoted
 * scalars stay strings, and so does anything with a leading zero or '+', so that 0086 or +4930 is a telephone number and
 * not a count; hexadecimal and octal forms are strings too. Refused with line and column: duplicate keys, anchors and
 * aliases, tags other than !!str, more than one document, an empty document, bad UTF-8, NUL inside a string,
 * integers beyond int64, and input over the limits below.
 * Errors: ERR_INVAL, ERR_TOOBIG (a limit), ERR_NOMEM; output parameters are then untouched.
 * YAML 1.2.2; RFC 8259. */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define YAML_DEPTH_MAX 64u
#define YAML_BYTES_MAX (8u << 20)
#define YAML_NODES_MAX 1000000u /* keys and values together */

struct yaml_marks; /* where each field stood in the text */

/* `marks` may be NULL when positions are not wanted. `text` need not be NUL-terminated. */
ERR_CHECKED int yaml_load(const char *text, size_t len, json_t **out, struct yaml_marks **marks, struct err_info *info);
void yaml_marks_free(struct yaml_marks *m); /* NULL is fine */

/* Line and column (1-based) of the field at `path`, such as "queues[2].ring_time_s": of its key in a mapping, of the entry
 * in a list. When the field is not there (a required one is missing), those of the nearest enclosing field, and false. */
bool yaml_position(const struct yaml_marks *m, const char *path, unsigned *line, unsigned *column);
/* Fills info->line and column from info->field; marks may be NULL (nothing happens). */
void yaml_locate(const struct yaml_marks *m, struct err_info *info);

/* JSON only: an object or an array, no duplicate keys, the same limits of size and depth. info gets line and column. */
ERR_CHECKED int json_load_text(const char *text, size_t len, json_t **out, struct err_info *info);

#endif
