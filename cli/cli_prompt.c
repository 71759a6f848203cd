/* Sounds: files up and down, versions of prompts, messages of callers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli_run.h"

#define UPLOAD_MAX (64u << 20)
#define MAKING_MS 90000u /* a node converts for as long as 40 s, and then a majority takes it */

static bool has_language(struct cli_run *r, const char **language)
{
    *language = cli_args_value(r->args, "language");
    if (!*language)
        fprintf(stderr, "ccctl: in which language? --language is missing\n");
    return *language;
}

/* ".../v1/prompts/NAME?language=zh&file=NAME" */
static char *upload_target(struct cli_run *r, const char *language, const char *file)
{
    char *target = cli_run_target(r, r->verb->path), *query = NULL, *out = NULL;
    const char *slash = strrchr(file, '/');
    if (target && cli_http_escape(&query, language) == 0 && asprintf(&out, "%s?language=%s&file=", target, query) > 0 &&
        cli_http_escape(&out, slash ? slash + 1 : file) != 0) {
        free(out);
        out = NULL;
    }
    free(target);
    free(query);
    return out;
}

static int send_and_tell(struct cli_run *r, const struct cli_http_request *q)
{
    struct cli_reply reply;
    int rc = cli_run_request(r, q, NULL, &reply);
    if (rc)
        return rc;
    json_t *object = cli_run_parse(&reply);
    cli_reply_free(&reply);
    rc = cli_run_done(r, object);
    json_decref(object);
    return rc;
}

int cli_run_prompt_upload(struct cli_run *r)
{
    struct err_info info = {0};
    const char *language, *file = r->args->args[1];
    char *data = NULL;
    size_t len = 0;
    if (!has_language(r, &language))
        return CLI_EXIT_USAGE;
    if (cli_read_file(file, UPLOAD_MAX, &data, &len, &info))
        return cli_run_fault(&info);
    char *target = upload_target(r, language, file);
    int rc = CLI_EXIT_ERROR;
    if (len == 0) {
        fprintf(stderr, "ccctl: %s is empty\n", file);
    } else if (!target) {
        fprintf(stderr, "ccctl: out of memory\n");
    } else if (r->dry_run) {
        rc = cli_run_would(r, "PUT", target, NULL);
    } else {
        const struct cli_http_request q = {.method = "PUT",
                                           .target = target,
                                           .body = data,
                                           .body_len = len,
                                           .type = "application/octet-stream",
                                           .patience_ms = MAKING_MS,
                                           .progress = true};
        rc = send_and_tell(r, &q);
    }
    free(target);
    free(data);
    return rc;
}

int cli_run_prompt_say(struct cli_run *r)
{
    const char *language;
    if (!has_language(r, &language))
        return CLI_EXIT_USAGE;
    if (!cli_args_value(r->args, "text")) {
        fprintf(stderr, "ccctl: say what? --text is missing\n");
        return CLI_EXIT_USAGE;
    }
    json_t *body = cli_run_body(r);
    char *target = body ? cli_run_target(r, r->verb->path) : NULL, *text = body ? json_dumps(body, 0) : NULL;
    int rc = CLI_EXIT_ERROR;
    if (target && text && r->dry_run) {
        rc = cli_run_would(r, "POST", target, body);
    } else if (target && text) {
        const struct cli_http_request q = {.method = "POST", .target = target, .body = text, .patience_ms = MAKING_MS};
        rc = send_and_tell(r, &q);
    }
    free(target);
    free(text);
    json_decref(body);
    return rc;
}

/* One row for each version of each language. */
static json_t *version_rows(const json_t *prompt)
{
    json_t *rows = json_array(), *sound, *version;
    size_t i, k;
    json_array_foreach(json_object_get(prompt, "sounds"), i, sound)
    {
        json_array_foreach(json_object_get(sound, "versions"), k, version)
        {
            json_t *row = json_copy(version);
            bool played = json_equal(json_object_get(version, "version"), json_object_get(sound, "current"));
            if (!row || json_object_set(row, "language", json_object_get(sound, "language")) != 0 ||
                json_object_set_new(row, "played", json_boolean(played)) != 0 || json_array_append(rows, row) != 0) {
                json_decref(row);
                json_decref(rows);
                return NULL;
            }
            json_decref(row);
        }
    }
    return rows;
}

int cli_run_prompt_versions(struct cli_run *r)
{
    json_t *prompt = NULL;
    char *target = cli_run_target(r, r->verb->path);
    int rc = target ? cli_run_get(r, target, &prompt, NULL) : CLI_EXIT_ERROR;
    free(target);
    if (rc)
        return rc;
    json_t *rows = version_rows(prompt);
    json_decref(prompt);
    rc = !rows                       ? ERR_NOMEM
         : r->out.format == CLI_JSON ? cli_out_json(&r->out, rows)
                                     : cli_out_list(&r->out, rows, r->verb->columns, "no versions");
    json_decref(rows);
    return cli_run_printed(rc);
}

static int write_file(const char *path, const struct cli_reply *reply)
{
    FILE *f = strcmp(path, "-") == 0 ? stdout : fopen(path, "wb");
    bool ok = f && fwrite(reply->body, 1, reply->len, f) == reply->len && fflush(f) == 0;
    if (f && f != stdout)
        ok = fclose(f) == 0 && ok;
    if (ok)
        return CLI_EXIT_OK;
    fprintf(stderr, "ccctl: %s cannot be written: %s\n", path, strerror(errno));
    return CLI_EXIT_ERROR;
}

/* A sound that has to be made first is asked for again for so long (503). */
#define SAVE_PATIENCE_MS 120000u

static int save(struct cli_run *r, const char *file)
{
    char *target = cli_run_target(r, r->verb->path);
    if (!target)
        return CLI_EXIT_ERROR;
    struct cli_reply reply;
    const struct cli_http_request q = {.method = "GET", .target = target, .patience_ms = SAVE_PATIENCE_MS};
    int rc = cli_run_request(r, &q, NULL, &reply);
    free(target);
    if (rc)
        return rc;
    rc = write_file(file, &reply);
    if (rc == CLI_EXIT_OK && strcmp(file, "-") != 0)
        fprintf(r->out.to, "%s: %zu bytes\n", file, reply.len);
    cli_reply_free(&reply);
    return rc;
}

/* ---- messages that callers have left, recordings of calls */

int cli_run_message_save(struct cli_run *r)
{
    return save(r, r->args->args[1]);
}

/* Takes the body over. */
static int patch(struct cli_run *r, json_t *body)
{
    char *target = cli_run_target(r, r->verb->path);
    char *text = body ? json_dumps(body, 0) : NULL;
    int rc = CLI_EXIT_ERROR;
    if (target && text && r->dry_run) {
        rc = cli_run_would(r, "PATCH", target, body);
    } else if (target && text) {
        const struct cli_http_request q = {.method = "PATCH", .target = target, .body = text};
        rc = send_and_tell(r, &q);
    }
    free(target);
    free(text);
    json_decref(body);
    return rc;
}

int cli_run_message_heard(struct cli_run *r)
{
    return patch(r, json_pack("{s:b}", "heard", !cli_args_given(r->args, "not")));
}

int cli_run_message_note(struct cli_run *r)
{
    return patch(r, json_pack("{s:s}", "note", r->args->args[1]));
}

int cli_run_recording_hold(struct cli_run *r)
{
    return patch(r, json_pack("{s:b}", "hold", !cli_args_given(r->args, "release")));
}

int cli_run_prompt_download(struct cli_run *r)
{
    const char *language, *file = cli_args_value(r->args, "file");
    if (!has_language(r, &language))
        return CLI_EXIT_USAGE;
    if (!file || (strcmp(file, "-") == 0 && isatty(STDOUT_FILENO))) {
        fprintf(stderr, "ccctl: into which file? -f FILE is missing\n");
        return CLI_EXIT_USAGE;
    }
    return save(r, file);
}
