/* What the tables of ccctl's rows (cli_rows_*.c) are written with. See cli_table.h. */
#ifndef CLI_CLI_ROWS_H
#define CLI_CLI_ROWS_H

#include "cli/cli_table.h"

#define END                                              \
    {                                                    \
        NULL, 0, CLI_FLAG, NULL, NULL, NULL, NULL, false \
    }
#define TEXT(name, metavar, field, help, values)               \
    {                                                          \
        name, 0, CLI_TEXT, metavar, field, help, values, false \
    }
#define NUMBER(name, metavar, field, help)                     \
    {                                                          \
        name, 0, CLI_NUMBER, metavar, field, help, NULL, false \
    }
#define BOOL(name, field, help)                                   \
    {                                                             \
        name, 0, CLI_BOOL, "yes|no", field, help, "yes no", false \
    }
#define ACTION(name, field, help)                                                                                    \
    {                                                                                                                \
        name, 0, CLI_ACTION, "ACTION", field, help, "flow: queue: agent: extension: outside: hangup callback", false \
    }
#define LIMIT                                                                           \
    {                                                                                   \
        "limit", 0, CLI_NUMBER, "N", NULL, "at most N rows (default: all)", NULL, false \
    }
#define FILE_OPTION(help)                                         \
    {                                                             \
        "file", 'f', CLI_TEXT, "FILE", NULL, help, "@file", false \
    }
#define V(noun_, verb_, summary_, ...)                                 \
    {                                                                  \
        .noun = noun_, .verb = verb_, .summary = summary_, __VA_ARGS__ \
    }

#define LANGUAGE TEXT("language", "CODE", "language", "zh, en or another; needed", "zh en")

extern const struct cli_option cli_only_limit[];
extern const struct cli_option cli_supervise_fields[];
extern const struct cli_option cli_call_back_fields[];

/* Each ends with a NULL noun. */
extern const struct cli_verb cli_rows_cluster[]; /* the cluster, its nodes and their addresses */
extern const struct cli_verb cli_rows_live[];    /* what supervisors look at */
extern const struct cli_verb cli_rows_agents[];  /* agents, queues, calls and their records */
extern const struct cli_verb cli_rows_lines[];   /* telephones, lines, numbers, hours and lists */
extern const struct cli_verb cli_rows_notices[]; /* areas, and notices for their callers */
extern const struct cli_verb cli_rows_forward[]; /* forwarding */
extern const struct cli_option cli_forward_fields[], cli_forward_off[]; /* of one agent's or telephone's own rules */
extern const struct cli_verb cli_rows_recordings[];                     /* recordings of calls, and their rules */
extern const struct cli_verb cli_rows_voicemail[];                      /* messages of callers, and their boxes */
extern const struct cli_verb cli_rows_menus[];  /* flows, prompts and what they ask business systems */
extern const struct cli_verb cli_rows_system[]; /* the configuration as a whole, access to it, and ccctl itself */

#endif
