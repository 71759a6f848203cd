/* Holiday lists day by day and out of calendar files, and what a time group says. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli_ics.h"
#include "cli/cli_run.h"

int cli_run_time_group_test(struct cli_run *r)
{
    json_t *o = NULL;
    char *target = cli_run_target(r, r->verb->path);
    int rc = target ? cli_run_get(r, target, &o, NULL) : CLI_EXIT_ERROR;
    if (rc == CLI_EXIT_OK && (r->out.format == CLI_JSON || r->out.format == CLI_CSV)) {
        rc = cli_run_printed(cli_out_object(&r->out, o));
    } else if (rc == CLI_EXIT_OK) {
        const char *why = json_string_value(json_object_get(o, "why")),
                   *local = json_string_value(json_object_get(o, "local"));
        char *safe = why ? cli_out_safe(why) : NULL;
        fprintf(r->out.to, "%s\nlocal time %s\n", safe ? safe : "?", local ? local : "?");
        free(safe);
    }
    json_decref(o);
    free(target);
    return rc;
}

/* ---- days of a list */

struct day_edit {
    json_t *days;     /* to be put in, or NULL */
    const char *gone; /* date to take out, or NULL */
    bool replace;     /* nothing of what was there stays */
};

static const char *date_of(const json_t *day)
{
    const char *date = json_string_value(json_object_get(day, "date"));
    return date ? date : "";
}

static int edit_days(struct cli_run *r, void *ctx, const json_t *list, json_t **body)
{
    const struct day_edit *e = ctx;
    json_t *out = json_array(), *named = json_object(), *d;
    bool found = false;
    size_t i;
    int err = out && named ? 0 : ERR_NOMEM;
    json_array_foreach(e->days, i, d)
    {
        if (json_object_set(named, date_of(d), d) != 0)
            err = ERR_NOMEM;
    }
    json_array_foreach(json_object_get(list, "days"), i, d)
    {
        bool gone =
            e->replace || (e->gone ? strcmp(date_of(d), e->gone) == 0 : json_object_get(named, date_of(d)) != NULL);
        found = found || gone;
        if (!gone && !err && json_array_append(out, d) != 0)
            err = ERR_NOMEM;
    }
    if (!err && e->days && json_array_extend(out, e->days) != 0)
        err = ERR_NOMEM;
    json_decref(named);
    *body = json_pack("{s:o}", "days", out);
    if (err || !*body)
        return cli_run_printed(ERR_NOMEM);
    if (e->gone && !found) {
        fprintf(stderr, "ccctl: %s is not in holiday list %s\n", e->gone, r->args->args[0]);
        return CLI_EXIT_NOTFOUND;
    }
    return CLI_EXIT_OK;
}

int cli_run_holiday_add(struct cli_run *r)
{
    const char *name = cli_args_value(r->args, "name"), *kind = cli_args_value(r->args, "kind");
    json_t *days =
        json_pack("[{s:s,s:s,s:s}]", "date", r->args->args[1], "name", name ? name : "", "kind", kind ? kind : "off");
    if (!days) {
        fprintf(stderr, "ccctl: the name is not UTF-8 text\n");
        return CLI_EXIT_USAGE;
    }
    struct day_edit e = {.days = days};
    int rc = cli_run_edit(r, true, edit_days, &e);
    json_decref(days);
    return rc;
}

int cli_run_holiday_remove(struct cli_run *r)
{
    struct day_edit e = {.gone = r->args->args[1]};
    return cli_run_edit(r, false, edit_days, &e);
}

/* ---- calendar files */

#define WORDS_MAX 16u

static size_t work_words(struct cli_run *r, const char *words[WORDS_MAX])
{
    size_t n = 0;
    for (unsigned i = 0; i < r->args->n_set && n < WORDS_MAX; i++)
        if (strcmp(r->args->set[i].option->name, "work-word") == 0)
            words[n++] = r->args->set[i].value;
    if (n > 0)
        return n;
    words[0] = "班";
    words[1] = "workday";
    return 2;
}

int cli_run_holiday_import(struct cli_run *r)
{
    const char *file = r->args->args[1], *words[WORDS_MAX];
    size_t len, n = work_words(r, words);
    char *text = NULL;
    struct err_info info = {0};
    json_t *days = NULL;
    if (cli_read_file(file, CLI_ICS_BYTES_MAX, &text, &len, &info))
        return cli_run_fault(&info);
    if (cli_ics_parse(text, len, words, n, &days, &info)) {
        fprintf(stderr, "ccctl: %s\n  at %s:%u\n", info.text, file, info.line);
        free(text);
        return CLI_EXIT_ERROR;
    }
    free(text);
    struct day_edit e = {.days = days, .replace = cli_args_given(r->args, "replace")};
    int rc = cli_run_edit(r, true, edit_days, &e);
    json_decref(days);
    return rc;
}
