/* Help and completion, both out of the table. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli_run.h"

static void print_options(FILE *to, const char *title, const struct cli_option *o)
{
    if (!o || !o->name)
        return;
    fprintf(to, "\n%s\n", title);
    for (; o->name; o++) {
        char left[64];
        snprintf(left, sizeof left, "%c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                 o->letter ? "," : " ", o->name, o->metavar ? " " : "", o->metavar ? o->metavar : "");
        fprintf(to, "  %-30s %s\n", left, o->help);
    }
}

static void print_examples(FILE *to, const char *example)
{
    while (example && *example) {
        size_t n = strcspn(example, "\n");
        fprintf(to, "  ccctl %.*s\n", (int)n, example);
        example += n + (example[n] == '\n');
    }
}

static void help_verb(FILE *to, const struct cli_verb *v)
{
    fprintf(to, "usage: ccctl %s%s%s%s%s [OPTIONS]\n\n%s\n", v->noun, *v->verb ? " " : "", v->verb, v->args ? " " : "",
            v->args ? v->args : "", v->summary);
    print_options(to, "options", v->options);
    fprintf(to, "\nexamples\n");
    print_examples(to, v->example);
    fprintf(to, "\nOptions for every command: ccctl --help\n");
}

static void help_noun(FILE *to, const char *noun)
{
    fprintf(to, "usage: ccctl %s VERB [ARGS] [OPTIONS]\n\n%s\n\nverbs\n", noun, cli_noun_summary(noun));
    const struct cli_verb *first = NULL;
    for (const struct cli_verb *v = NULL; (v = cli_next_verb(v));) {
        if (strcmp(v->noun, noun) != 0)
            continue;
        char left[64];
        first = first ? first : v;
        snprintf(left, sizeof left, "%s%s%s", v->verb, v->args ? " " : "", v->args ? v->args : "");
        fprintf(to, "  %-28s %s\n", left, v->summary);
    }
    fprintf(to, "\nexamples\n");
    print_examples(to, first ? first->example : "");
    fprintf(to, "\nMore about a verb: ccctl %s VERB --help\n", noun);
}

static void help_all(FILE *to)
{
    fputs("usage: ccctl NOUN VERB [ARGS] [OPTIONS]\n\nSpeaks to an Everline cluster through the HTTPS API of its "
          "nodes.\n\nnouns\n",
          to);
    const char *last = "";
    for (const struct cli_verb *v = NULL; (v = cli_next_verb(v));) {
        if (strcmp(v->noun, last) != 0)
            fprintf(to, "  %-28s %s\n", v->noun, cli_noun_summary(v->noun));
        last = v->noun;
    }
    print_options(to, "options (anywhere on the line)", cli_globals);
    fputs("\nexit codes\n"
          "  0 done   1 error   2 usage   3 not found   4 conflict   5 not allowed   6 no quorum   7 timed out\n"
          "  10 unhealthy (cluster status: a node is down; cluster verify: states differ)\n"
          "\nexamples\n"
          "  ccctl cluster status\n"
          "  ccctl agent login 1001\n"
          "  ccctl queue status service --watch 1\n"
          "  ccctl cdr list --from 1h -o csv\n"
          "\nMore: ccctl NOUN --help, ccctl NOUN VERB --help\n",
          to);
}

void cli_help_print(FILE *to, const char *noun, const struct cli_verb *verb)
{
    if (verb)
        help_verb(to, verb);
    else if (noun && cli_find_verb(noun, ""))
        help_verb(to, cli_find_verb(noun, ""));
    else if (noun)
        help_noun(to, noun);
    else
        help_all(to);
}

/* ---- completion */

static void offer(FILE *to, const char *word, const char *typed)
{
    if (strncmp(word, typed, strlen(typed)) == 0)
        fprintf(to, "%s\n", word);
}

/* A verb of two words is offered word by word: those that begin alike stand together in the tables. */
static void offer_verb(FILE *to, const char *verb, const char *first, const char *typed, char last[48])
{
    size_t len = first ? strlen(first) : 0;
    char word[48];
    if (first && (strncmp(verb, first, len) != 0 || verb[len] != ' '))
        return;
    snprintf(word, sizeof word, "%.*s", first ? (int)sizeof word : (int)strcspn(verb, " "),
             first ? verb + len + 1 : verb);
    if (strcmp(word, last) != 0)
        offer(to, word, typed);
    memcpy(last, word, sizeof word);
}

static void offer_values(FILE *to, const char *values, const char *typed, void (*keys)(void *ctx, const char *noun),
                         void *ctx)
{
    if (!values || strcmp(values, "@file") == 0)
        return; /* the shell completes file names when there is no candidate */
    if (*values == '@') {
        keys(ctx, values + 1);
        return;
    }
    while (*values) {
        char word[48];
        size_t n = strcspn(values, " ");
        snprintf(word, sizeof word, "%.*s", (int)n, values);
        offer(to, word, typed);
        values += n + (values[n] == ' ');
    }
}

static void offer_options(FILE *to, const struct cli_option *o, const char *typed)
{
    for (; o && o->name; o++) {
        char word[48];
        snprintf(word, sizeof word, "--%s", o->name);
        offer(to, word, typed);
    }
}

static const struct cli_option *option_word(const struct cli_verb *v, const char *word)
{
    if (word[0] != '-' || !word[1])
        return NULL;
    if (word[1] != '-')
        return word[2] ? NULL : cli_find_letter(v, word[1]);
    return strchr(word, '=') ? NULL : cli_find_option(v, word + 2, strlen(word + 2));
}

/* What kind of key an argument is: that of the noun, but for those that name something else. */
static const char *argument_keys(const struct cli_verb *v, unsigned i)
{
    const char *name;
    size_t len;
    bool optional;
    if (!cli_verb_arg(v, i, &name, &len, &optional))
        return NULL;
    if (len == 5 && memcmp(name, "AGENT", len) == 0)
        return "agent";
    if (i > 0 || strcmp(v->verb, "add") == 0 || strcmp(v->verb, "create") == 0)
        return NULL;
    return v->noun;
}

void cli_complete(FILE *to, int n, char **words, void (*keys)(void *ctx, const char *noun), void *ctx)
{
    const char *plain[4] = {NULL};
    unsigned n_plain = 0, used = 1;
    const struct cli_verb *v = NULL;
    const struct cli_option *waiting = NULL;
    const char *typed = n > 0 ? words[n - 1] : "";
    for (int i = 0; i + 1 < n; i++) {
        const struct cli_option *o = waiting ? NULL : option_word(v, words[i]);
        if (waiting)
            waiting = NULL;
        else if (o)
            waiting = o->metavar && strcmp(o->name, "watch") != 0 ? o : NULL;
        else if (words[i][0] != '-' && n_plain < 4)
            plain[n_plain++] = words[i];
        if (n_plain >= 1 && !v)
            v = cli_find_words(plain, n_plain, &used);
    }
    if (waiting) {
        offer_values(to, waiting->values, typed, keys, ctx);
        return;
    }
    if (*typed == '-') {
        offer_options(to, v ? v->options : NULL, typed);
        offer_options(to, cli_globals, typed);
        return;
    }
    if (n_plain == 0) {
        const char *last = "";
        for (const struct cli_verb *w = NULL; (w = cli_next_verb(w)); last = w->noun)
            if (strcmp(w->noun, last) != 0)
                offer(to, w->noun, typed);
    } else if (!v) {
        char last[48] = "";
        for (const struct cli_verb *w = NULL; n_plain < 3 && (w = cli_next_verb(w));)
            if (strcmp(w->noun, plain[0]) == 0)
                offer_verb(to, w->verb, n_plain == 2 ? plain[1] : NULL, typed, last);
    } else if (strcmp(v->noun, "completion") == 0) {
        offer_values(to, "bash zsh", typed, keys, ctx);
    } else if (strcmp(v->verb, "set-state") == 0 && n_plain == 3) {
        keys(ctx, "agent-state");
    } else {
        const char *kind = argument_keys(v, n_plain - used);
        if (kind)
            keys(ctx, kind);
    }
}

int cli_run_completion(struct cli_run *r)
{
    static const char bash[] =
        "# Completion of ccctl for bash: put it into /etc/bash_completion.d or `source` it.\n"
        "_ccctl()\n"
        "{\n"
        "    local IFS=$'\\n'\n"
        "    COMPREPLY=($(\"${COMP_WORDS[0]}\" __complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null))\n"
        "}\n"
        "complete -o default -F _ccctl ccctl\n";
    static const char zsh[] =
        "#compdef ccctl\n"
        "# Completion of ccctl for zsh: put it as _ccctl into a folder of $fpath.\n"
        "_ccctl()\n"
        "{\n"
        "    local -a found\n"
        "    found=(${(f)\"$(\"${words[1]}\" __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"})\n"
        "    if (( ${#found} )); then\n"
        "        compadd -a found\n"
        "    else\n"
        "        _files\n"
        "    fi\n"
        "}\n"
        "compdef _ccctl ccctl\n";
    const char *shell = r->args->args[0];
    if (strcmp(shell, "bash") != 0 && strcmp(shell, "zsh") != 0) {
        fprintf(stderr, "ccctl: completion is there for bash and zsh\n");
        return CLI_EXIT_USAGE;
    }
    fputs(*shell == 'b' ? bash : zsh, r->out.to);
    return CLI_EXIT_OK;
}
