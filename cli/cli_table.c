#include "cli/cli_table.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli_rows.h"

const struct cli_option cli_globals[] = {
    {"server", 's', CLI_TEXT, "URL", NULL,
     "node to ask, https://HOST:PORT; repeat it: the next is tried when one fails", NULL, true},
    {"config", 'c', CLI_TEXT, "FILE", NULL, "configuration (default: $CCCTL_CONFIG or ~/.config/ccctl.yaml)", "@file",
     false},
    {"context", 0, CLI_TEXT, "NAME", NULL, "context of the configuration (default: its `current`)", NULL, false},
    {"ca", 0, CLI_TEXT, "FILE", NULL, "certificates that the servers are checked against", "@file", false},
    {"output", 'o', CLI_TEXT, "FORMAT", NULL, "table, wide, json or csv", "table wide json csv", false},
    {"watch", 'w', CLI_TEXT, "SECONDS", NULL, "show again every SECONDS (default 2) until Ctrl-C", NULL, false},
    {"timeout", 0, CLI_TEXT, "SECONDS", NULL, "give up after this time (default 15)", NULL, false},
    {"dry-run", 'n', CLI_FLAG, NULL, NULL, "say what would be done, and do not do it", NULL, false},
    {"idempotency-key", 0, CLI_TEXT, "KEY", NULL,
     "a repetition with the same key changes nothing (default: made for each request)", NULL, false},
    {"consistent", 0, CLI_FLAG, NULL, NULL, "reads: the node first catches up with all that was committed anywhere",
     NULL, false},
    {"no-color", 0, CLI_FLAG, NULL, NULL, "no colours (they are used on a terminal only; NO_COLOR does the same)", NULL,
     false},
    {"verbose", 'v', CLI_FLAG, NULL, NULL, "show each request on stderr", NULL, false},
    {"help", 'h', CLI_FLAG, NULL, NULL, "this help; at every level", NULL, false},
    {NULL, 0, CLI_FLAG, NULL, NULL, NULL, NULL, false},
};

const struct cli_option cli_only_limit[] = {LIMIT, END};

/* In the order in which help and completion show them. */
static const struct cli_verb *const tables[] = {
    cli_rows_cluster, cli_rows_live,      cli_rows_agents,     cli_rows_lines, cli_rows_notices,
    cli_rows_forward, cli_rows_voicemail, cli_rows_recordings, cli_rows_menus, cli_rows_system};

const struct cli_verb *cli_next_verb(const struct cli_verb *v)
{
    if (!v)
        return tables[0];
    if (v[1].noun)
        return v + 1;
    for (size_t i = 0; i + 1 < sizeof tables / sizeof *tables; i++) {
        const struct cli_verb *last = tables[i];
        while (last[1].noun)
            last++;
        if (last == v)
            return tables[i + 1];
    }
    return NULL;
}

const char *cli_noun_summary(const char *noun)
{
    static const struct {
        const char *noun, *summary;
    } nouns[] = {
        {"cluster", "the nodes together: health, leader, equality of state"},
        {"node", "the machines of the cluster"},
        {"address", "where phones and trunks find the nodes; they move when a node goes"},
        {"live", "what goes on now: agents, waiting callers, queues"},
        {"top", "all of it on the whole terminal"},
        {"agent", "people who answer: accounts, log-in, state"},
        {"agent-state", "what agents may choose to be instead of ready"},
        {"agent-group", "what agents of a group have in common"},
        {"queue", "waiting lines and who serves them"},
        {"call", "calls going on"},
        {"callback", "who is to be called back"},
        {"missed", "callers with whom nobody has talked"},
        {"cdr", "records of ended calls"},
        {"rating", "what callers think of agents"},
        {"message", "what callers have left in voicemail boxes"},
        {"voicemail", "boxes for messages: greeting, whose they are"},
        {"recording", "recordings of calls"},
        {"forward", "where calls go that are for somebody else at first"},
        {"recording-rule", "which calls are recorded"},
        {"extension", "telephones"},
        {"trunk", "lines to carriers and gateways"},
        {"network", "where telephones are, and how their calls go on when a node dies"},
        {"access-number", "numbers that callers dial, and where they lead"},
        {"time-group", "when is open: hours of the week with holidays"},
        {"holiday", "lists of holidays and make-up working days"},
        {"blacklist", "numbers whose calls are refused"},
        {"vip", "callers who go first in queues"},
        {"area", "where callers are, by the numbers they call from"},
        {"notice", "what callers of an area are told, and how many have heard it"},
        {"flow", "voice menus"},
        {"prompt", "what callers hear: sounds that are uploaded or spoken"},
        {"parameter", "settings of the whole cluster"},
        {"secret", "keys that business systems want to see"},
        {"lookup", "questions to business systems about callers"},
        {"token", "keys of API clients"},
        {"events", "what happens, as it happens"},
        {"dns", "records by which phones and trunks find the nodes"},
        {"config", "the configuration as one file"},
        {"audit", "who changed what"},
        {"completion", "completion for bash and zsh"},
        {"version", "version of this program"},
    };
    for (size_t i = 0; i < sizeof nouns / sizeof *nouns; i++)
        if (strcmp(nouns[i].noun, noun) == 0)
            return nouns[i].summary;
    return NULL;
}

const struct cli_verb *cli_find_verb(const char *noun, const char *verb)
{
    for (const struct cli_verb *v = NULL; (v = cli_next_verb(v));)
        if (strcmp(v->noun, noun) == 0 && strcmp(v->verb, verb) == 0)
            return v;
    return NULL;
}

const struct cli_verb *cli_find_words(const char *const *words, unsigned n, unsigned *used)
{
    char two[64];
    const struct cli_verb *v = n ? cli_find_verb(words[0], "") : NULL;
    *used = 1;
    if (!v && n > 1) {
        v = cli_find_verb(words[0], words[1]);
        *used = 2;
    }
    if (!v && n > 2 && strlen(words[1]) + strlen(words[2]) + 2 <= sizeof two) {
        snprintf(two, sizeof two, "%s %s", words[1], words[2]);
        v = cli_find_verb(words[0], two);
        *used = 3;
    }
    return v;
}

static const struct cli_option *in_list(const struct cli_option *o, const char *name, size_t len, char letter)
{
    for (; o && o->name; o++)
        if (name ? strlen(o->name) == len && memcmp(o->name, name, len) == 0 : o->letter && o->letter == letter)
            return o;
    return NULL;
}

const struct cli_option *cli_find_option(const struct cli_verb *v, const char *name, size_t len)
{
    const struct cli_option *o = v ? in_list(v->options, name, len, 0) : NULL;
    return o ? o : in_list(cli_globals, name, len, 0);
}

const struct cli_option *cli_find_letter(const struct cli_verb *v, char letter)
{
    const struct cli_option *o = v ? in_list(v->options, NULL, 0, letter) : NULL;
    return o ? o : in_list(cli_globals, NULL, 0, letter);
}

bool cli_verb_arg(const struct cli_verb *v, unsigned i, const char **name, size_t *len, bool *optional)
{
    const char *s = v && v->args ? v->args : "";
    for (;; i--) {
        size_t n = strcspn(s, " ");
        if (n == 0)
            return false;
        if (i == 0) {
            *optional = *s == '[';
            *name = s + *optional;
            *len = n - 2 * (size_t)*optional;
            return true;
        }
        s += n + (s[n] == ' ');
    }
}
