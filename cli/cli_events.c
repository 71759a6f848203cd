/* The stream of events. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli_run.h"

struct stream {
    struct cli_run *r;
    unsigned long left; /* events still wanted; 0: no end */
    bool failed;
};

static bool wanted(const struct cli_args *a, const char *type)
{
    bool any = false;
    for (unsigned i = 0; i < a->n_set; i++) {
        if (strcmp(a->set[i].option->name, "type") != 0)
            continue;
        const char *want = a->set[i].value;
        size_t n = strlen(want);
        any = true;
        if (strpbrk(want, "*?[") ? fnmatch(want, type, 0) == 0
                                 : strncmp(type, want, n) == 0 && (type[n] == 0 || type[n] == '.'))
            return true;
    }
    return !any;
}

static char *summary(const json_t *data)
{
    char *out = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&out, &size);
    const char *key;
    json_t *v;
    if (!f)
        return NULL;
    json_object_foreach((json_t *)data, key, v)
    {
        if (json_is_null(v) || json_is_object(v) || (json_is_array(v) && json_array_size(v) == 0) ||
            (json_is_string(v) && json_string_length(v) == 0))
            continue;
        if (json_is_array(v)) {
            fprintf(f, " %s=[%zu]", key, json_array_size(v));
            continue;
        }
        char *cell = cli_out_cell(data, key, strlen(key), NULL, true);
        fprintf(f, " %s=%s", key, cell ? cell : "?");
        free(cell);
    }
    fclose(f);
    return out;
}

static void print_event(struct stream *s, const json_t *e, const char *text)
{
    FILE *to = s->r->out.to;
    const char *type = json_string_value(json_object_get(e, "type")), *id = json_string_value(json_object_get(e, "id"));
    const char *subject = json_string_value(json_object_get(e, "subject")),
               *at = json_string_value(json_object_get(e, "time"));
    if (s->r->out.format == CLI_JSON) {
        fprintf(to, "%s\n", text);
    } else if (s->r->out.format == CLI_CSV) {
        cli_out_csv(to, id ? id : "", false);
        cli_out_csv(to, at ? at : "", false);
        cli_out_csv(to, type ? type : "", false);
        cli_out_csv(to, subject ? subject : "", true);
    } else {
        char *when = cli_out_cell(e, "time", 4, "time", false), *more = summary(json_object_get(e, "data"));
        char line[512];
        snprintf(line, sizeof line, "%s  %-28s %s", when ? when : "-", type ? type : "-", subject ? subject : "-");
        char *safe = cli_out_safe(line), *safe_more = more ? cli_out_safe(more) : NULL;
        fprintf(to, "%s%s%s%s\n", safe ? safe : "?", s->r->out.color ? "\033[2m" : "", safe_more ? safe_more : "",
                s->r->out.color ? "\033[0m" : "");
        free(safe);
        free(safe_more);
        free(when);
        free(more);
    }
    fflush(to);
}

static bool on_event(void *ctx, const char *id, const char *data)
{
    struct stream *s = ctx;
    json_t *e = json_loads(data, 0, NULL);
    (void)id;
    if (!e)
        return true; /* not an event of ours: nothing to show */
    const char *type = json_string_value(json_object_get(e, "type"));
    bool more = true;
    if (type && wanted(s->r->args, type)) {
        print_event(s, e, data);
        more = !ferror(s->r->out.to) && (s->left == 0 || --s->left > 0);
    }
    json_decref(e);
    return more;
}

int cli_run_events(struct cli_run *r)
{
    struct stream s = {.r = r};
    struct cli_reply refusal = {0};
    struct err_info info = {0};
    const char *count = cli_args_value(r->args, "count");
    if (count) {
        char *end;
        s.left = strtoul(count, &end, 10);
        if (*end || s.left == 0) {
            fprintf(stderr, "ccctl: --count \"%s\": expected a number from 1\n", count);
            return CLI_EXIT_USAGE;
        }
    }
    if (r->out.format == CLI_CSV)
        fputs("id,time,type,subject\r\n", r->out.to);
    int rc = cli_http_events(r->http, r->verb->path, cli_args_value(r->args, "since"), on_event, &s, &refusal, &info);
    if (rc && refusal.body)
        rc = cli_run_refused(r, &refusal, NULL);
    else if (rc)
        rc = cli_run_fault(&info);
    cli_reply_free(&refusal);
    return rc;
}
