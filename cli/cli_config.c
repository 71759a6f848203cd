/* Configuration as a file: apply, diff, export; and flows from files. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli_run.h"

void cli_document_free(struct cli_document *d)
{
    if (d->text)
        explicit_bzero(d->text, strlen(d->text)); /* passwords may be in it */
    free(d->text);
    json_decref(d->root);
    yaml_marks_free(d->marks);
}

int cli_document_load(struct cli_run *r, struct cli_document *d)
{
    struct err_info info = {0};
    size_t len;
    *d = (struct cli_document){.file = cli_args_value(r->args, "file")};
    if (!d->file) {
        fprintf(stderr, "ccctl: which file? -f FILE is missing\n");
        return CLI_EXIT_USAGE;
    }
    if (cli_read_file(d->file, YAML_BYTES_MAX, &d->text, &len, &info))
        return cli_run_fault(&info);
    if (strlen(d->text) != len) {
        fprintf(stderr, "ccctl: %s: not a text file\n", d->file);
        return CLI_EXIT_ERROR;
    }
    if (yaml_load(d->text, len, &d->root, &d->marks, &info)) {
        fprintf(stderr, "ccctl: %s\n  at %s:%u:%u\n", info.text[0] ? info.text : err_text(info.code), d->file,
                info.line, info.column);
        return CLI_EXIT_ERROR;
    }
    return CLI_EXIT_OK;
}

/* "ring_time_s: 20 -> 30" for each field that differs. */
static char *differences(const json_t *before, const json_t *after)
{
    char *out = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&out, &size);
    const char *key;
    json_t *now;
    unsigned n = 0;
    if (!f)
        return NULL;
    json_object_foreach((json_t *)after, key, now)
    {
        json_t *was = json_object_get(before, key);
        if (strcmp(key, "version") == 0 || strcmp(key, "updated_at") == 0 || (was && json_equal(was, now)))
            continue;
        char *a = cli_out_cell(before, key, strlen(key), NULL, true),
             *b = cli_out_cell(after, key, strlen(key), NULL, true);
        fprintf(f, "%s%s: ", n++ ? ", " : "", key);
        /* Long values (a flow, a member list) would bury the rest. */
        if (a && b && strlen(a) + strlen(b) < 120)
            fprintf(f, "%s -> %s", *a ? a : "\"\"", *b ? b : "\"\"");
        else
            fputs("changed", f);
        free(a);
        free(b);
    }
    fclose(f);
    return out;
}

static int print_changes(struct cli_run *r, json_t *answer)
{
    json_t *changes = json_object_get(answer, "changes"), *c, *rows = json_array();
    unsigned counts[4] = {0};
    static const char *const actions[] = {"create", "update", "delete", "unchanged"};
    size_t i;
    int rc = 0;
    if (r->out.format == CLI_JSON) {
        json_decref(rows);
        return cli_out_json(&r->out, answer);
    }
    json_array_foreach(changes, i, c)
    {
        const char *action = json_string_value(json_object_get(c, "action"));
        for (unsigned k = 0; action && k < 4; k++)
            counts[k] += strcmp(action, actions[k]) == 0;
        if (action && strcmp(action, "unchanged") == 0 && r->out.format == CLI_TABLE)
            continue;
        char *text = action && strcmp(action, "update") == 0
                         ? differences(json_object_get(c, "before"), json_object_get(c, "after"))
                         : strdup("");
        json_t *row =
            json_pack("{s:O?,s:O?,s:O?,s:s}", "action", json_object_get(c, "action"), "kind",
                      json_object_get(c, "kind"), "name", json_object_get(c, "name"), "changes", text ? text : "");
        free(text);
        if (!row || json_array_append_new(rows, row) != 0)
            rc = ERR_NOMEM;
    }
    if (rc == 0 && (json_array_size(rows) > 0 || r->out.format == CLI_CSV))
        rc = cli_out_list(&r->out, rows, "ACTION=action/state KIND=kind NAME=name CHANGES=changes", NULL);
    if (rc == 0 && r->out.format != CLI_CSV)
        fprintf(r->out.to, "%s%u created, %u updated, %u deleted, %u unchanged%s\n", json_array_size(rows) ? "\n" : "",
                counts[0], counts[1], counts[2], counts[3],
                json_is_true(json_object_get(answer, "dry_run")) ? " (nothing done: only a look)" : "");
    json_decref(rows);
    return rc;
}

static int post_document(struct cli_run *r, const char *path, bool dry_run_query)
{
    struct cli_document d;
    struct cli_reply reply;
    char target[80];
    int rc = cli_document_load(r, &d);
    if (rc == CLI_EXIT_OK) {
        bool prune = cli_args_given(r->args, "prune");
        snprintf(target, sizeof target, "%s%s%s", path, dry_run_query ? "?dry_run=true" : "",
                 !prune          ? ""
                 : dry_run_query ? "&prune=true"
                                 : "?prune=true");
        const struct cli_http_request q = {
            .method = "POST", .target = target, .body = d.text, .type = "application/yaml"};
        const struct cli_source source = {.file = d.file, .marks = d.marks, .prefix = ""};
        rc = cli_run_request(r, &q, &source, &reply);
        if (rc == CLI_EXIT_OK) {
            json_t *answer = cli_run_parse(&reply);
            rc = cli_run_printed(answer ? print_changes(r, answer) : ERR_INVAL);
            json_decref(answer);
            cli_reply_free(&reply);
        }
    }
    cli_document_free(&d);
    return rc;
}

int cli_run_config_apply(struct cli_run *r)
{
    return post_document(r, r->verb->path, r->dry_run);
}

int cli_run_config_diff(struct cli_run *r)
{
    return post_document(r, r->verb->path, false);
}

int cli_run_config_export(struct cli_run *r)
{
    if (r->out.format == CLI_JSON)
        return cli_run_show(r);
    struct cli_reply reply;
    const struct cli_http_request q = {
        .method = "GET", .target = r->consistent ? "/v1/config?format=yaml&consistent=true" : "/v1/config?format=yaml"};
    int rc = cli_run_request(r, &q, NULL, &reply);
    if (rc == CLI_EXIT_OK) {
        fwrite(reply.body, 1, reply.len, r->out.to);
        cli_reply_free(&reply);
    }
    return rc;
}

int cli_run_flow_set(struct cli_run *r)
{
    struct cli_document d;
    struct cli_reply reply;
    json_t *body = NULL, *object = NULL;
    char *target = NULL, *text = NULL;
    int rc = cli_document_load(r, &d);
    if (rc)
        goto out;
    rc = CLI_EXIT_ERROR;
    body = json_pack("{s:O}", "definition", d.root);
    target = cli_run_target(r, r->verb->path);
    if (!body || !target || !(text = json_dumps(body, JSON_COMPACT)))
        goto out;
    if (r->dry_run) {
        rc = cli_run_would(r, "PUT", target, body);
        goto out;
    }
    const struct cli_http_request q = {.method = "PUT", .target = target, .body = text};
    const struct cli_source source = {.file = d.file, .marks = d.marks, .prefix = "definition"};
    rc = cli_run_request(r, &q, &source, &reply);
    if (rc == CLI_EXIT_OK) {
        rc = cli_run_done(r, object = cli_run_parse(&reply));
        cli_reply_free(&reply);
    }
out:
    json_decref(body);
    json_decref(object);
    free(target);
    free(text);
    cli_document_free(&d);
    return rc;
}
