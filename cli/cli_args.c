#include "cli/cli_args.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 40u

/* Edit distance in which swapping two neighbours counts once: most slips of typing are one step away. */
static unsigned distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    if (la >= WORD_MAX || lb >= WORD_MAX)
        return WORD_MAX;
    unsigned d[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= la; i++)
        d[i][0] = (unsigned)i;
    for (size_t j = 0; j <= lb; j++)
        d[0][j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        for (size_t j = 1; j <= lb; j++) {
            unsigned best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[la][lb];
}

const char *cli_args_nearest(const char *word, const char *const *list, unsigned n)
{
    const char *best = NULL;
    unsigned best_d = WORD_MAX;
    size_t len = strlen(word);
    for (unsigned i = 0; i < n; i++) {
        /* A beginning of a word is meant more likely than any slip. */
        unsigned dist = len >= 2 && strncmp(word, list[i], len) == 0 ? 0 : distance(word, list[i]);
        if (dist < best_d) {
            best_d = dist;
            best = list[i];
        }
    }
    unsigned limit = len <= 3 ? 1 : len <= 6 ? 2 : 3;
    return best_d <= limit ? best : NULL;
}

const char *cli_args_value(const struct cli_args *a, const char *name)
{
    for (unsigned i = a->n_set; i-- > 0;)
        if (strcmp(a->set[i].option->name, name) == 0)
            return a->set[i].value;
    return NULL;
}

bool cli_args_given(const struct cli_args *a, const char *name)
{
    for (unsigned i = 0; i < a->n_set; i++)
        if (strcmp(a->set[i].option->name, name) == 0)
            return true;
    return false;
}

const char *cli_args_named(const struct cli_args *a, const char *name, size_t len)
{
    const char *n;
    size_t l;
    bool optional;
    for (unsigned i = 0; i < a->n_args && cli_verb_arg(a->verb, i, &n, &l, &optional); i++)
        if (l == len && memcmp(n, name, len) == 0)
            return a->args[i];
    return NULL;
}

static bool is_seconds(const char *s)
{
    size_t n = strspn(s, "0123456789");
    return n > 0 && n <= 4 && (s[n] == 0 || (s[n] == '.' && s[n + 1 + strspn(s + n + 1, "0123456789")] == 0));
}

static int add_option(struct cli_args *out, const struct cli_option *o, const char *value, struct err_info *info)
{
    if (out->n_set == CLI_OPTIONS_MAX)
        return err_set(info, ERR_TOOBIG, "", "too many options (at most %u)", CLI_OPTIONS_MAX);
    out->set[out->n_set].option = o;
    out->set[out->n_set++].value = value;
    return 0;
}

/* An option of any verb: while options may stand before the verb, only its name tells whether a value follows. Options of
 * one name take a value in all verbs or in none (a unit test holds the table to that). */
static const struct cli_option *any_option(const char *name, size_t len, char letter)
{
    for (const struct cli_verb *v = NULL;;) {
        const struct cli_option *o = name ? cli_find_option(v, name, len) : cli_find_letter(v, letter);
        if (o)
            return o;
        v = cli_next_verb(v);
        if (!v)
            return NULL;
    }
}

static int unknown_option(const struct cli_args *a, const char *typed, size_t len, struct err_info *info)
{
    const char *names[128];
    unsigned n = 0;
    for (const struct cli_option *o = cli_globals; o->name && n < 128; o++)
        names[n++] = o->name;
    if (a->verb && a->verb->options)
        for (const struct cli_option *o = a->verb->options; o->name && n < 128; o++)
            names[n++] = o->name;
    char word[WORD_MAX];
    const char *near = NULL;
    if (len < sizeof word) {
        memcpy(word, typed, len);
        word[len] = 0;
        near = cli_args_nearest(word, names, n);
    }
    if (near)
        return err_set(info, ERR_INVAL, "", "unknown option --%.*s; did you mean --%s?", (int)len, typed, near);
    return err_set(info, ERR_INVAL, "", "unknown option --%.*s", (int)len, typed);
}

struct scan {
    struct cli_args *out;
    const char *words[CLI_ARGS_MAX + 3];
    unsigned n_words;
    int watch_word; /* index in words of a number right after a bare --watch, or -1 */
    int argc, i;
    char **argv;
};

static int take_value(struct scan *s, const struct cli_option *o, const char *inline_value, struct err_info *info)
{
    if (!o->metavar) {
        if (inline_value)
            return err_set(info, ERR_INVAL, "", "--%s takes no value", o->name);
        return add_option(s->out, o, NULL, info);
    }
    if (inline_value)
        return add_option(s->out, o, inline_value, info);
    if (strcmp(o->name, "watch") == 0) {
        /* The number of seconds may be left out: whether the next word is one is decided when all words are known. */
        if (s->i + 1 < s->argc && is_seconds(s->argv[s->i + 1]))
            s->watch_word = (int)s->n_words;
        return add_option(s->out, o, NULL, info);
    }
    if (s->i + 1 >= s->argc)
        return err_set(info, ERR_INVAL, "", "--%s needs a value: %s", o->name, o->metavar);
    return add_option(s->out, o, s->argv[++s->i], info);
}

static int scan_long(struct scan *s, const char *arg, struct err_info *info)
{
    const char *eq = strchr(arg, '=');
    size_t len = eq ? (size_t)(eq - arg) : strlen(arg);
    const struct cli_option *o = any_option(arg, len, 0);
    if (!o)
        return unknown_option(s->out, arg, len, info);
    return take_value(s, o, eq ? eq + 1 : NULL, info);
}

static int scan_letters(struct scan *s, const char *arg, struct err_info *info)
{
    for (; *arg; arg++) {
        const struct cli_option *o = any_option(NULL, 0, *arg);
        if (!o)
            return err_set(info, ERR_INVAL, "", "unknown option -%c", isprint((unsigned char)*arg) ? *arg : '?');
        if (o->metavar && arg[1])
            return take_value(s, o, arg + 1 + (arg[1] == '='), info);
        int rc = take_value(s, o, NULL, info);
        if (rc)
            return rc;
    }
    return 0;
}

static int scan_all(struct scan *s, struct err_info *info)
{
    bool only_words = false;
    unsigned used;
    for (s->i = 1; s->i < s->argc; s->i++) {
        const char *arg = s->argv[s->i];
        int rc = 0;
        if (!only_words && strcmp(arg, "--") == 0) {
            only_words = true;
        } else if (!only_words && arg[0] == '-' && arg[1] == '-') {
            rc = scan_long(s, arg + 2, info);
        } else if (!only_words && arg[0] == '-' && arg[1]) {
            rc = scan_letters(s, arg + 1, info);
        } else if (s->n_words == CLI_ARGS_MAX + 3) {
            rc = err_set(info, ERR_INVAL, "", "too many arguments, from \"%s\" on", arg);
        } else {
            s->words[s->n_words++] = arg;
            if (s->n_words > 1 && !s->out->verb)
                s->out->verb = cli_find_words(s->words, s->n_words, &used);
        }
        if (rc)
            return rc;
    }
    return 0;
}

/* "draft" of "draft set", alone or with another word behind it. */
static int half_verb(const char *noun, const char *word, struct err_info *info)
{
    char all[256] = "";
    size_t len = strlen(word);
    for (const struct cli_verb *v = NULL; (v = cli_next_verb(v));) {
        size_t at = strlen(all);
        if (strcmp(v->noun, noun) == 0 && strncmp(v->verb, word, len) == 0 && v->verb[len] == ' ')
            snprintf(all + at, sizeof all - at, "%s%s", at ? ", " : "", v->verb + len + 1);
    }
    return *all ? err_set(info, ERR_INVAL, "", "\"%s %s\" goes on with one of: %s", noun, word, all) : 0;
}

static int unknown_word(const char *noun, const char *word, struct err_info *info)
{
    const char *list[64];
    unsigned n = 0;
    int half = noun ? half_verb(noun, word, info) : 0;
    if (half)
        return half;
    for (const struct cli_verb *v = NULL; n < 64 && (v = cli_next_verb(v));) {
        if (noun && strcmp(v->noun, noun) == 0)
            list[n++] = v->verb;
        else if (!noun && (n == 0 || strcmp(list[n - 1], v->noun) != 0))
            list[n++] = v->noun;
    }
    const char *near = cli_args_nearest(word, list, n);
    if (near)
        return err_set(info, ERR_INVAL, "", "unknown %s \"%s\"; did you mean \"%s%s%s\"?", noun ? "verb" : "noun", word,
                       noun ? noun : "", noun ? " " : "", near);
    return err_set(info, ERR_INVAL, "", "unknown %s \"%s\"", noun ? "verb" : "noun", word);
}

static unsigned count_args(const struct cli_verb *v, unsigned *required)
{
    unsigned n = 0;
    const char *name;
    size_t len;
    bool optional;
    for (*required = 0; cli_verb_arg(v, n, &name, &len, &optional); n++)
        if (!optional)
            *required = n + 1;
    return n;
}

/* A filter with a slip in it would find nothing, and say so as if it were true. */
static int check_filter(const struct cli_verb *v, const struct cli_option *o, const char *value, struct err_info *info)
{
    const char *p = o->values;
    size_t n = value ? strlen(value) : 0;
    if (!value || !p || *p == '@' || !o->field || !v->method || strcmp(v->method, "GET") != 0)
        return 0;
    for (size_t len; *p; p += len + (p[len] == ' ')) {
        len = strcspn(p, " ");
        if (len == n && memcmp(p, value, n) == 0)
            return 0;
    }
    return err_set(info, ERR_INVAL, "", "--%s \"%s\": expected one of: %s", o->name, value, o->values);
}

/* Options were accepted by name; now the verb is known, see that they belong to it. */
static int check_options(struct cli_args *a, struct err_info *info)
{
    for (unsigned i = 0; i < a->n_set; i++) {
        const char *name = a->set[i].option->name;
        const struct cli_option *o = cli_find_option(a->verb, name, strlen(name));
        if (!o)
            return err_set(info, ERR_INVAL, "", "--%s is not an option of \"%s %s\"", name, a->verb->noun,
                           a->verb->verb);
        for (unsigned j = 0; j < i; j++)
            if (!o->repeat && o->metavar && strcmp(a->set[j].option->name, name) == 0 && strcmp(name, "watch") != 0)
                return err_set(info, ERR_INVAL, "", "--%s is given twice", name);
        a->set[i].option = o;
        int rc = check_filter(a->verb, o, a->set[i].value, info);
        if (rc)
            return rc;
    }
    return 0;
}

static int place_words(struct scan *s, struct err_info *info)
{
    struct cli_args *a = s->out;
    unsigned first, required;
    /* A noun with one nameless verb ("version", "events") is a command by itself. */
    const struct cli_verb *verb = cli_find_words(s->words, s->n_words, &first);
    if (verb && first == 1) {
        a->verb = verb;
    } else if (s->n_words < 2 || a->help) {
        if (s->n_words == 2 && !a->verb && a->help && half_verb(s->words[0], s->words[1], info)) {
            info->text[0] = '\0'; /* "flow draft --help": that of the noun */
            return 0;
        }
        if (s->n_words >= 2 && !a->verb)
            return unknown_word(s->words[0], s->words[1], info);
        if (s->n_words < 2)
            return a->help ? 0 : err_set(info, ERR_INVAL, "", "\"%s\" needs a verb", s->words[0]);
    }
    if (!a->verb)
        return unknown_word(s->words[0], s->words[1], info);
    unsigned max = count_args(a->verb, &required);
    for (unsigned i = first; i < s->n_words; i++) {
        if ((int)i == s->watch_word && s->n_words - first > max) {
            for (unsigned k = 0; k < a->n_set; k++)
                if (strcmp(a->set[k].option->name, "watch") == 0 && !a->set[k].value)
                    a->set[k].value = s->words[i];
            continue;
        }
        if (a->n_args == max)
            return err_set(info, ERR_INVAL, "", "\"%s\" is one argument too many for \"%s%s%s\"", s->words[i],
                           a->verb->noun, *a->verb->verb ? " " : "", a->verb->verb);
        if (!*s->words[i])
            return err_set(info, ERR_INVAL, "", "argument %u is empty", a->n_args + 1);
        a->args[a->n_args++] = s->words[i];
    }
    if (a->n_args < required && !a->help) {
        const char *name;
        size_t len;
        bool optional;
        if (cli_verb_arg(a->verb, a->n_args, &name, &len, &optional))
            return err_set(info, ERR_INVAL, "", "%.*s is missing", (int)len, name);
    }
    return 0;
}

int cli_args_parse(int argc, char **argv, struct cli_args *out, struct err_info *info)
{
    *out = (struct cli_args){0};
    if (argc == 2 && strcmp(argv[1], "--version") == 0) { /* the one question that every program answers */
        out->noun = "version";
        out->verb = cli_find_verb("version", "");
        return 0;
    }
    unsigned used;
    struct scan s = {.out = out, .watch_word = -1, .argc = argc, .argv = argv};
    int rc = scan_all(&s, info);
    out->help = cli_args_given(out, "help");
    out->noun = s.n_words > 0 && cli_noun_summary(s.words[0]) ? s.words[0] : NULL;
    if (rc)
        return rc;
    /* `ccctl help noun verb` is what many type first. */
    if (s.n_words > 0 && strcmp(s.words[0], "help") == 0) {
        memmove(s.words, s.words + 1, --s.n_words * sizeof *s.words);
        out->help = true;
        out->noun = s.n_words > 0 && cli_noun_summary(s.words[0]) ? s.words[0] : NULL;
        out->verb = s.n_words > 1 ? cli_find_words(s.words, s.n_words, &used) : NULL;
    }
    if (s.n_words == 0)
        return out->help ? 0 : err_set(info, ERR_INVAL, "", "what shall be done? NOUN VERB are missing");
    if (!out->noun)
        return unknown_word(NULL, s.words[0], info);
    rc = place_words(&s, info);
    if (rc == 0 && out->verb && !out->help)
        rc = check_options(out, info);
    return rc;
}
