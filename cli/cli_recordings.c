/* Recordings of calls: many as one file, and whether they are what they were. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli_run.h"

/* ---- many as one file */

static int cannot_write(const char *path)
{
    fprintf(stderr, "ccctl: %s cannot be written: %s\n", path, strerror(errno));
    return CLI_EXIT_ERROR;
}

/* Under its own name only when it is whole. */
static int fetch(struct cli_run *r, const char *target, const char *path)
{
    bool out = strcmp(path, "-") == 0;
    char *part = NULL;
    if (!out && asprintf(&part, "%s.part", path) < 0)
        return cli_run_printed(ERR_NOMEM);
    FILE *f = out ? stdout : fopen(part, "wb");
    struct cli_reply reply = {0};
    const struct cli_http_request q = {.method = "GET", .target = target, .to = f, .progress = true};
    int rc = f ? cli_run_request(r, &q, NULL, &reply) : cannot_write(part);
    bool written = f && fflush(f) == 0;
    if (f && !out)
        written = fclose(f) == 0 && written;
    if (rc == CLI_EXIT_OK && (!written || (!out && rename(part, path) != 0)))
        rc = cannot_write(path);
    if (rc == CLI_EXIT_OK && !out)
        fprintf(r->out.to, "%s: %zu bytes\n", path, reply.len);
    if (rc && f && !out)
        (void)unlink(part);
    cli_reply_free(&reply);
    free(part);
    return rc;
}

int cli_run_recording_archive(struct cli_run *r)
{
    const char *path = r->args->args[0];
    if (strcmp(path, "-") == 0 && isatty(STDOUT_FILENO)) {
        fprintf(stderr, "ccctl: a ZIP file is nothing for a terminal: name a file\n");
        return CLI_EXIT_USAGE;
    }
    char *target = cli_run_target(r, r->verb->path);
    int rc = target ? fetch(r, target, path) : CLI_EXIT_USAGE;
    free(target);
    return rc;
}

/* ---- verified */

struct verified {
    json_t *rows;
    size_t n, wrong;
};

static int take(struct verified *v, const json_t *answer, bool all)
{
    const json_t *files = json_object_get(answer, "files");
    json_t *file;
    size_t i;
    v->n++;
    v->wrong += !json_is_true(json_object_get(answer, "ok"));
    json_array_foreach(files, i, file)
    {
        if (!all && json_is_null(json_object_get(file, "fault")))
            continue;
        if (json_object_set(file, "recording_id", json_object_get(answer, "recording_id")) != 0 ||
            json_object_set(file, "node", json_object_get(answer, "node")) != 0 ||
            json_array_append(v->rows, file) != 0)
            return cli_run_printed(ERR_NOMEM);
    }
    return CLI_EXIT_OK;
}

/* One that has been deleted meanwhile is none, unless it is the one that was asked for. */
static int verify(struct cli_run *r, const char *id, bool only, struct verified *v)
{
    char *target = NULL;
    if (asprintf(&target, "/v1/recordings/%s:verify", id) < 0)
        return cli_run_printed(ERR_NOMEM);
    struct cli_reply reply = {0};
    const struct cli_http_request q = {.method = "POST", .target = target, .patience_ms = 30000};
    int rc = cli_run_try(r, &q, &reply);
    free(target);
    if (rc)
        return rc;
    json_t *answer = reply.status == 200 ? cli_run_parse(&reply) : NULL;
    if (answer)
        rc = take(v, answer, only);
    else if (only || reply.status != 404)
        rc = cli_run_refused(r, &reply, NULL);
    json_decref(answer);
    cli_reply_free(&reply);
    return rc;
}

static int verify_all(struct cli_run *r, struct verified *v)
{
    json_t *all = NULL, *one;
    size_t i;
    int rc = cli_run_all(r, "/v1/recordings", 0, &all);
    json_array_foreach(all, i, one)
    {
        if (rc || (r->stop && *r->stop))
            break;
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "\r%zu of %zu", i + 1, json_array_size(all));
        rc = verify(r, json_string_value(json_object_get(one, "recording_id")), false, v);
    }
    if (i && isatty(STDERR_FILENO))
        fprintf(stderr, "\r%*s\r", 40, "");
    if (!rc && i < json_array_size(all))
        rc = CLI_EXIT_ERROR; /* interrupted */
    json_decref(all);
    return rc;
}

static int print(struct cli_run *r, const struct verified *v)
{
    if (r->out.format == CLI_JSON)
        return cli_run_printed(cli_out_json(&r->out, v->rows));
    if (r->out.format != CLI_CSV)
        fprintf(r->out.to, "%zu recordings verified, %zu of them NOT as they were recorded\n", v->n, v->wrong);
    return json_array_size(v->rows) ? cli_run_printed(cli_out_list(&r->out, v->rows, r->verb->columns, ""))
                                    : CLI_EXIT_OK;
}

int cli_run_recording_verify(struct cli_run *r)
{
    const char *id = r->args->n_args ? r->args->args[0] : NULL;
    if (!id == !cli_args_given(r->args, "all")) {
        fprintf(stderr, "ccctl: which? A recording, or --all\n");
        return CLI_EXIT_USAGE;
    }
    struct verified v = {.rows = json_array()};
    char *escaped = NULL;
    int rc = v.rows && (!id || cli_http_escape(&escaped, id) == 0) ? CLI_EXIT_OK : cli_run_printed(ERR_NOMEM);
    if (!rc)
        rc = id ? verify(r, escaped, true, &v) : verify_all(r, &v);
    if (!rc)
        rc = print(r, &v);
    if (!rc && v.wrong)
        rc = CLI_EXIT_UNHEALTHY;
    json_decref(v.rows);
    free(escaped);
    return rc;
}
