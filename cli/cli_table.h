/* ccctl's one description of itself: every noun, verb, argument, option, column, request and example is a row here. Parsing,
 * help, completion, requests and output are all driven by these rows, so that a new verb is a new row.
 *
 * Constant data; any thread. */
#ifndef CLI_CLI_TABLE_H
#define CLI_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

/* What the process ends with; documented in `ccctl --help`. */
enum cli_exit {
    CLI_EXIT_OK = 0,
    CLI_EXIT_ERROR = 1,
    CLI_EXIT_USAGE = 2,
    CLI_EXIT_NOTFOUND = 3,
    CLI_EXIT_CONFLICT = 4,
    CLI_EXIT_DENIED = 5,
    CLI_EXIT_NOQUORUM = 6,
    CLI_EXIT_TIMEOUT = 7,
    CLI_EXIT_UNHEALTHY = 10,
};

enum cli_type {
    CLI_FLAG, /* no value; a field of this type becomes true */
    CLI_BOOL, /* yes or no */
    CLI_TEXT,
    CLI_NUMBER,  /* whole number from 0 */
    CLI_LIST,    /* repeatable, or separated by commas */
    CLI_MEMBERS, /* list of AGENT or AGENT:LEVEL */
    CLI_SKILLS,  /* list of SKILL, SKILL:LEVEL or SKILL:LEVEL:UNTIL */
    CLI_WHEN,    /* list of TIME-GROUP:KIND:NAME */
    CLI_HEADERS, /* list of NAME=SECRET */
    CLI_FURTHER, /* list of QUEUE:CONDITION:N, CONDITION being after, behind or longer */
    CLI_KEYS,    /* list of KEY=stay or KEY=ACTION */
    CLI_PAIRS,   /* object: NAME=TEXT, repeated; nothing behind the sign: null */
    CLI_ACTION, /* TYPE:TARGET, hangup[:PROMPT,...], callback or voicemail[:BOX] of the action set (core/action.h); "" for none */
    CLI_TIME,   /* RFC 3339, local day and time, or from now: 30m, 2h, 1d */
    CLI_SECRET, /* a file whose first line is the value */
    CLI_STDIN,  /* flag: the first line of standard input is the value */
};

struct cli_option {
    const char *name; /* without dashes */
    char letter;      /* 0: none */
    enum cli_type type;
    const char *metavar; /* NULL: takes no value */
    const char *field;   /* of the request's body or, for reads, of its query; NULL: looked at by the verb itself */
    const char *help;
    const char
        *values; /* for completion: words separated by spaces, "@noun" for the keys of a noun, "@file", or NULL */
    bool repeat;
};

struct cli_run;

struct cli_verb {
    const char *noun, *verb; /* verb: one word, two ("draft set"), or "" */
    const char *summary;
    const char *args;                 /* "NUMBER STATE [REASON]"; the names are those in `path` and `body` */
    const char *method;               /* NULL: no single request */
    const char *path;                 /* "/v1/agents/{NUMBER}" */
    const char *body;                 /* arguments that are fields of the body: "STATE=state NAME=name", or NULL */
    const char *columns;              /* "TITLE=path/format ..."; what follows a '|' is shown by -o wide only */
    const char *done;                 /* line after a change: "agent {NUMBER} deleted", or NULL */
    const struct cli_option *options; /* ends with a NULL name; may be NULL */
    const char *example;              /* lines, without the leading "ccctl " */
    int (*run)(struct cli_run *r);    /* returns enum cli_exit */
};

extern const struct cli_option cli_globals[]; /* ends with a NULL name */

/* The row after v, the first for NULL; NULL after the last. Rows of one noun follow each other. */
const struct cli_verb *cli_next_verb(const struct cli_verb *v);

/* One line about a noun; NULL when there is no such noun. */
const char *cli_noun_summary(const char *noun);
const struct cli_verb *cli_find_verb(const char *noun, const char *verb);
/* The verb that words begin with, the first being the noun; *used: how many of them name it. NULL: none, or it is not whole yet. */
const struct cli_verb *cli_find_words(const char *const *words, unsigned n, unsigned *used);
/* The option of that name among the verb's (may be NULL) and the global ones. */
const struct cli_option *cli_find_option(const struct cli_verb *v, const char *name, size_t len);
const struct cli_option *cli_find_letter(const struct cli_verb *v, char letter);

/* i-th argument of a verb: its name and whether it may be left out. false past the end. */
bool cli_verb_arg(const struct cli_verb *v, unsigned i, const char **name, size_t *len, bool *optional);

#endif
