/* Expressions of flows: conditions and values, over texts, 64-bit integers and true/false. Grammar and meaning: docs/flows.md.
 *
 * Parsed once, with the flow; immutable afterwards, any thread. Evaluation allocates nothing and looks at each part at
 * most once: work and depth are bounded by the number of parts and the lengths of the values.
 * What has no value ("abc" < 3, a sum beyond 64 bits) makes what it is part of have none, but where `and` and `or` are decided
 * by the other side; a condition without a value does not hold, and as a text it is empty. */
#ifndef TELEPHONY_IVR_EXPR_H
#define TELEPHONY_IVR_EXPR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define IVR_EXPR_PARTS_MAX 64u
#define IVR_EXPR_DEPTH_MAX 16u
#define IVR_EXPR_BYTES_MAX 1024u

struct ivr_expr;

/* The value of a variable; never NULL. What it returns must stay as it is until the evaluation returns. */
typedef const char *ivr_lookup_fn(void *ctx, const char *name);

/* Copies `text`. ERR_INVAL, ERR_TOOBIG (a limit) or ERR_NOMEM; info->text then begins with "column N: ". */
ERR_CHECKED int ivr_expr_parse(const char *text, struct ivr_expr **out, struct err_info *info);
void ivr_expr_free(struct ivr_expr *e); /* NULL is fine */
/* Each variable that it names, in the order of the text. */
void ivr_expr_names(const struct ivr_expr *e, void (*cb)(void *ctx, const char *name), void *ctx);

/* Whether the condition holds. */
bool ivr_expr_true(const struct ivr_expr *e, ivr_lookup_fn *lookup, void *ctx);
/* The value as a text, cut to `size` with its NUL (between characters); "" when it has none. */
void ivr_expr_text(const struct ivr_expr *e, ivr_lookup_fn *lookup, void *ctx, char *out, size_t size);

#endif
