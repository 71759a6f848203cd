/* What the variables of a call are, and texts with variables in them. Internal to telephony/; meaning: docs/flows.md.
 *
 * A store is plain memory of fixed size inside the run: setting a variable never fails, values are cut to what fits.
 * Pointers into it are valid until the next ivr_vars_set. One thread at a time. */
#ifndef TELEPHONY_IVR_TEXT_H
#define TELEPHONY_IVR_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "telephony/ivr_expr.h"

#define IVR_VARIABLE_CHARS "abcdefghijklmnopqrstuvwxyz0123456789_"
#define IVR_VARIABLE_MAX 32u     /* bytes of a name, with its NUL */
#define IVR_VALUE_MAX 512u       /* bytes of a value, with its NUL */
#define IVR_VARIABLES_MAX 32u    /* of a call */
#define IVR_POOL_BYTES_MAX 3072u /* names and values of a call, with their NULs and a mark each */

/* ---- variables */
struct ivr_vars {
    unsigned n;
    size_t used;
    char pool[IVR_POOL_BYTES_MAX]; /* for each: a mark (secret or not), name, NUL, value, NUL */
};

bool ivr_variable_ok(const char *name, size_t len);
/* "data.NAME": what is known of the caller (ivr_known.c), for reading only. In expressions the name has no "-". */
#define IVR_KNOWN "data."
#define IVR_KNOWN_CHARS IVR_VARIABLE_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZ."
#define IVR_KNOWN_NAME_MAX 64u /* bytes of NAME, with its NUL */
bool ivr_known_is(const char *name);
/* NULL when it has not been set. */
const char *ivr_vars_get(const struct ivr_vars *v, const char *name, bool *secret);
/* Control characters become spaces, what is no UTF-8 '?'. `value` must not point into the store. False: no room (a value
 * that fits in part is cut); the variable is unset then. */
bool ivr_vars_set(struct ivr_vars *v, const char *name, const char *value, bool secret);
/* The secret ones, or the others, as an object; NULL when out of memory. */
json_t *ivr_vars_json(const struct ivr_vars *v, bool secret);
/* Sets what the object holds; false when it is no object of texts with good names, or does not fit. */
bool ivr_vars_load(struct ivr_vars *v, const json_t *object, bool secret);

/* Copies `value` as a variable keeps it: cut to `size` between characters, cleaned. False when it was cut. */
bool ivr_value_copy(char *out, size_t size, const char *value);

/* ---- texts: "${name}" is the variable's value, "${secret.NAME}" (where allowed) a secret of the configuration, "$$" a "$" */
enum ivr_text_form {
    IVR_TEXT_PLAIN,
    IVR_TEXT_URL, /* values percent-encoded, but for RFC 3986 2.3 unreserved characters */
};
/* Refuses what is malformed; tells names: "secret.NAME" with `secrets`. */
ERR_CHECKED int ivr_text_check(const char *text, bool secrets, void (*cb)(void *ctx, const char *name), void *ctx,
                               struct err_info *info);
/* Writes it with its values, cut to `size` with the NUL; false when it was cut. `lookup` is asked for "secret.NAME" as well. */
bool ivr_text_fill(const char *text, enum ivr_text_form form, ivr_lookup_fn *lookup, void *ctx, char *out, size_t size);
/* Whether anything in it is to be replaced. */
bool ivr_text_varies(const char *text);

/* ---- paths into JSON: "$.a.b[0]['c d']" */
ERR_CHECKED int ivr_path_check(const char *path, struct err_info *info);
/* What stands there as a text (a list, an object, null or nothing at all: ""), cut to `size`. */
void ivr_path_text(const json_t *from, const char *path, char *out, size_t size);

#endif
