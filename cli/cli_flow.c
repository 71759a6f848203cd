/* Flows: back to what one was, and walking one without a call. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli_run.h"

#define ANSWER_BYTES_MAX 65536u

static int out_of_memory(void)
{
    struct err_info info;
    (void)err_set(&info, ERR_NOMEM, "", "%s", err_text(ERR_NOMEM));
    return cli_run_fault(&info);
}

/* All of them: there are few. */
int cli_run_flow_versions(struct cli_run *r)
{
    json_t *answer = NULL;
    char *target = cli_run_target(r, r->verb->path);
    int rc = target ? cli_run_get(r, target, &answer, NULL) : CLI_EXIT_ERROR;
    const json_t *items = json_object_get(answer, "items");
    if (rc == CLI_EXIT_OK)
        rc = cli_run_printed(r->out.format == CLI_JSON ? cli_out_json(&r->out, items)
                                                       : cli_out_list(&r->out, items, r->verb->columns, "no versions"));
    json_decref(answer);
    free(target);
    return rc;
}

int cli_run_flow_rollback(struct cli_run *r)
{
    const char *version = r->args->args[1];
    char *end, *text = NULL, *target = cli_run_target(r, r->verb->path);
    long long number = strtoll(version, &end, 10);
    json_t *body = json_pack("{s:I}", "version", (json_int_t)number), *object = NULL;
    struct cli_reply reply;
    int rc = CLI_EXIT_ERROR;
    if (*end || version[0] < '1' || version[0] > '9') {
        fprintf(stderr, "ccctl: a version is a number: see `ccctl flow versions %s`\n", r->args->args[0]);
        rc = CLI_EXIT_USAGE;
    } else if (!target || !body || !(text = json_dumps(body, JSON_COMPACT))) {
        rc = out_of_memory();
    } else if (r->dry_run) {
        rc = cli_run_would(r, r->verb->method, target, body);
    } else {
        const struct cli_http_request q = {.method = r->verb->method, .target = target, .body = text};
        rc = cli_run_request(r, &q, NULL, &reply);
        if (rc == CLI_EXIT_OK) {
            rc = cli_run_done(r, object = cli_run_parse(&reply));
            cli_reply_free(&reply);
        }
    }
    json_decref(object);
    json_decref(body);
    free(text);
    free(target);
    return rc;
}

/* ---- test */

/* "1,2,42#" -> ["1","2","42#"] */
static json_t *keys_of(const char *text)
{
    json_t *list = json_array();
    while (list && text && *text) {
        size_t n = strcspn(text, ",");
        if (json_array_append_new(list, json_stringn(text, n)) != 0) {
            json_decref(list);
            return NULL;
        }
        text += n + (text[n] == ',');
    }
    return list;
}

/* "crm=FILE": the answer that the node crm gets; a file of "503" or with JSON. */
static int add_answer(json_t *answers, const char *text)
{
    const char *file = strchr(text, '=');
    struct err_info info = {0};
    char *body = NULL, node[140];
    size_t len;
    json_t *json = NULL;
    if (!file || file == text || (size_t)(file - text) >= sizeof node) {
        fprintf(stderr, "ccctl: --http is NODE=FILE.json, or NODE=STATUS\n");
        return CLI_EXIT_USAGE;
    }
    snprintf(node, sizeof node, "%.*s", (int)(file - text), text);
    file++;
    if (strlen(file) == 3 && strspn(file, "0123456789") == 3)
        return json_object_set_new(answers, node, json_pack("{s:i}", "status", atoi(file))) ? out_of_memory() : 0;
    if (cli_read_file(file, ANSWER_BYTES_MAX, &body, &len, &info))
        return cli_run_fault(&info);
    int rc = json_load_text(body, len, &json, &info);
    free(body);
    if (rc) {
        fprintf(stderr, "ccctl: %s\n  at %s:%u:%u\n", info.text, file, info.line, info.column);
        return CLI_EXIT_ERROR;
    }
    return json_object_set_new(answers, node, json_pack("{s:i, s:o}", "status", 200, "body", json)) ? out_of_memory()
                                                                                                    : 0;
}

static int test_body(struct cli_run *r, json_t *body)
{
    json_t *answers = json_object(), *keys = keys_of(cli_args_value(r->args, "keys"));
    int rc = answers && keys ? 0 : out_of_memory();
    for (unsigned i = 0; !rc && i < r->args->n_set; i++)
        if (strcmp(r->args->set[i].option->name, "http") == 0)
            rc = add_answer(answers, r->args->set[i].value);
    if (!rc &&
        (json_object_set(body, "keys", keys) || (json_object_size(answers) && json_object_set(body, "http", answers))))
        rc = out_of_memory();
    json_decref(answers);
    json_decref(keys);
    return rc;
}

static int print_walk(struct cli_run *r, const json_t *walk)
{
    if (r->out.format == CLI_JSON)
        return cli_out_json(&r->out, walk);
    int rc = cli_out_list(&r->out, json_object_get(walk, "steps"), r->verb->columns, "no steps");
    if (rc || r->out.format == CLI_CSV)
        return rc;
    const char *outcome = json_string_value(json_object_get(walk, "outcome")), *name;
    json_t *v;
    fprintf(r->out.to, "\n%s\n", outcome ? outcome : "?");
    json_object_foreach(json_object_get(walk, "variables"), name, v)
    {
        char *safe = cli_out_safe(json_is_string(v) ? json_string_value(v) : "");
        fprintf(r->out.to, "  %s = %s\n", name, safe ? safe : "?");
        free(safe);
    }
    return 0;
}

/* The flow as it is stored, in one of its versions, or the file's (which must be right, but is not stored). */
int cli_run_flow_test(struct cli_run *r)
{
    const char *file = cli_args_value(r->args, "file");
    struct cli_document d = {.file = file};
    struct cli_reply reply;
    json_t *body = cli_run_body(r), *walk = NULL;
    char *target = cli_run_target(r, r->verb->path), *text = NULL;
    int rc = body && target ? 0 : CLI_EXIT_USAGE;
    if (!rc && file)
        rc = cli_document_load(r, &d);
    if (!rc && file && json_object_set(body, "definition", d.root))
        rc = out_of_memory();
    if (!rc)
        rc = test_body(r, body);
    if (!rc && !(text = json_dumps(body, JSON_COMPACT)))
        rc = out_of_memory();
    if (!rc) {
        const struct cli_http_request q = {.method = r->verb->method, .target = target, .body = text};
        const struct cli_source source = {.file = d.file, .marks = d.marks, .prefix = "definition"};
        rc = cli_run_request(r, &q, file ? &source : NULL, &reply);
        if (rc == CLI_EXIT_OK) {
            walk = cli_run_parse(&reply);
            cli_reply_free(&reply);
            rc = walk ? cli_run_printed(print_walk(r, walk)) : CLI_EXIT_ERROR;
        }
    }
    json_decref(walk);
    json_decref(body);
    free(target);
    free(text);
    cli_document_free(&d);
    return rc;
}

/* As it came: for a file that an editor reads. */
int cli_run_flow_schema(struct cli_run *r)
{
    struct cli_reply reply;
    const struct cli_http_request q = {.method = r->verb->method, .target = r->verb->path};
    int rc = cli_run_request(r, &q, NULL, &reply);
    if (rc)
        return rc;
    rc = cli_run_printed(fwrite(reply.body, 1, reply.len, r->out.to) == reply.len ? 0 : ERR_IO);
    cli_reply_free(&reply);
    return rc;
}

/* Of which area he is, and what he would be told in what order. */
int cli_run_notice_test(struct cli_run *r)
{
    json_t *o = NULL;
    char *target = cli_run_target(r, r->verb->path);
    int rc = target ? cli_run_get(r, target, &o, NULL) : CLI_EXIT_ERROR;
    if (rc == CLI_EXIT_OK && r->out.format == CLI_JSON) {
        rc = cli_run_printed(cli_out_object(&r->out, o));
    } else if (rc == CLI_EXIT_OK) {
        const char *area = json_string_value(json_object_get(o, "area"));
        char *safe = area && *area ? cli_out_safe(area) : NULL;
        if (r->out.format != CLI_CSV)
            fprintf(r->out.to, safe ? "area %s\n" : "in no area that is known\n", safe);
        free(safe);
        rc = cli_run_printed(cli_out_list(&r->out, json_object_get(o, "notices"), r->verb->columns, "no notices"));
    }
    json_decref(o);
    free(target);
    return rc;
}
