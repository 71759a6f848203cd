/* The command line of ccctl: NOUN VERB [ARGS], with options anywhere.
 *
 * Pure; results point into argv. Any thread. Errors: ERR_INVAL with a text for people in err_info (a suggestion is part of it). */
#ifndef CLI_CLI_ARGS_H
#define CLI_CLI_ARGS_H

#include <stdbool.h>

#include "base/err.h"
#include "cli/cli_table.h"

#define CLI_ARGS_MAX 8u
#define CLI_OPTIONS_MAX 128u

struct cli_args {
    const char *noun;            /* as typed; NULL when none was */
    const struct cli_verb *verb; /* NULL: only help can be given */
    bool help;
    const char *args[CLI_ARGS_MAX];
    unsigned n_args;
    struct {
        const struct cli_option *option;
        const char *value; /* NULL when it has none */
    } set[CLI_OPTIONS_MAX];
    unsigned n_set;
};

/* *out is filled as far as it was understood, also on an error (so that the fitting help can be named). */
ERR_CHECKED int cli_args_parse(int argc, char **argv, struct cli_args *out, struct err_info *info);

/* Value of an option given (the last one), NULL when not given or without a value. */
const char *cli_args_value(const struct cli_args *a, const char *name);
bool cli_args_given(const struct cli_args *a, const char *name);
/* Value of the argument called `name` in the verb's row; NULL when it was left out. */
const char *cli_args_named(const struct cli_args *a, const char *name, size_t len);

/* Word of the list nearest to `word`, or NULL when none is near enough to be meant. */
const char *cli_args_nearest(const char *word, const char *const *list, unsigned n);

#endif
