/* Drafts of flows, and what differs between texts of a flow. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli_run.h"

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static void print_safe(FILE *to, const char *text)
{
    char *safe = cli_out_safe(text);
    fputs(safe ? safe : "?", to);
    free(safe);
}

/* "welcome.yaml:7:5: nodes.ask.next: there is no node 'bay'" */
static void print_faults(struct cli_run *r, const json_t *faults, const struct cli_document *d)
{
    static const char prefix[] = "definition";
    size_t i;
    json_t *fault;
    json_array_foreach(faults, i, fault)
    {
        const char *field = text_of(fault, "field");
        unsigned line = 0, column = 0;
        if (strncmp(field, prefix, sizeof prefix - 1) == 0)
            field += sizeof prefix - 1 + (field[sizeof prefix - 1] == '.');
        if (d->marks && *field)
            (void)yaml_position(d->marks, field, &line, &column);
        fputs("  ", r->out.to);
        if (line)
            fprintf(r->out.to, "%s:%u:%u: ", d->file, line, column);
        print_safe(r->out.to, *field ? field : "the flow");
        fputs(": ", r->out.to);
        print_safe(r->out.to, text_of(fault, "message"));
        fputc('\n', r->out.to);
    }
}

/* How the draft is: its faults, and whether the flow has gone on without it. */
static int tell_state(struct cli_run *r, const struct cli_document *d)
{
    json_t *state = NULL;
    char *target = cli_run_target(r, "/v1/flow-drafts/{NAME}/faults");
    int rc = target ? cli_run_get(r, target, &state, NULL) : CLI_EXIT_ERROR;
    free(target);
    if (rc)
        return rc;
    const json_t *faults = json_object_get(state, "items");
    size_t n = json_array_size(faults);
    if (r->out.format == CLI_JSON) {
        rc = cli_run_printed(cli_out_json(&r->out, state));
    } else {
        fprintf(r->out.to, n ? "%zu fault%s:\n" : "no faults\n", n, n == 1 ? "" : "s");
        print_faults(r, faults, d);
        if (json_is_true(json_object_get(state, "outdated")))
            fprintf(r->out.to,
                    "the flow is live in version %lld, the draft was made from %lld: ccctl flow draft diff %s\n",
                    (long long)json_integer_value(json_object_get(state, "live")),
                    (long long)json_integer_value(json_object_get(state, "based_on")), r->args->args[0]);
    }
    json_decref(state);
    return rc;
}

int cli_run_draft_set(struct cli_run *r)
{
    struct cli_document d = {.file = NULL};
    struct cli_reply reply;
    char *target = NULL, *text = NULL;
    json_t *body = NULL;
    int rc = cli_document_load(r, &d);
    if (rc)
        goto out;
    rc = CLI_EXIT_USAGE;
    body = cli_run_body(r);
    target = body ? cli_run_target(r, r->verb->path) : NULL;
    if (!target)
        goto out;
    rc = CLI_EXIT_ERROR;
    if (json_object_set(body, "definition", d.root) != 0 || !(text = json_dumps(body, JSON_COMPACT)))
        goto out;
    if (r->dry_run) {
        rc = cli_run_would(r, r->verb->method, target, body);
        goto out;
    }
    const struct cli_http_request q = {.method = r->verb->method, .target = target, .body = text};
    const struct cli_source source = {.file = d.file, .marks = d.marks, .prefix = "definition"};
    rc = cli_run_request(r, &q, &source, &reply);
    if (rc == CLI_EXIT_OK) {
        cli_reply_free(&reply);
        if (r->out.format != CLI_JSON)
            fprintf(r->out.to, "draft of flow %s saved, ", r->args->args[0]);
        rc = tell_state(r, &d);
    }
out:
    json_decref(body);
    free(target);
    free(text);
    cli_document_free(&d);
    return rc;
}

int cli_run_draft_show(struct cli_run *r)
{
    const struct cli_document none = {.file = NULL};
    int rc = cli_run_show(r);
    return rc || r->out.format == CLI_JSON || r->out.format == CLI_CSV ? rc : tell_state(r, &none);
}

/* "live" to "draft", or two versions of one's choice. */
int cli_run_flow_diff(struct cli_run *r)
{
    bool draft = strncmp(r->verb->verb, "draft", 5) == 0;
    const char *from = draft ? "live" : r->args->n_args > 1 ? r->args->args[1] : "former";
    const char *to = draft ? "draft" : r->args->n_args > 2 ? r->args->args[2] : "live";
    char *path = cli_run_target(r, "/v1/flows/{NAME}/diff"), *target = NULL, *a = NULL, *b = NULL;
    json_t *diff = NULL;
    int rc = CLI_EXIT_ERROR;
    if (path && cli_http_escape(&a, from) == 0 && cli_http_escape(&b, to) == 0 &&
        asprintf(&target, "%s?from=%s&to=%s", path, a, b) > 0)
        rc = cli_run_get(r, target, &diff, NULL);
    if (rc == CLI_EXIT_OK && r->out.format == CLI_JSON)
        rc = cli_run_printed(cli_out_json(&r->out, diff));
    else if (rc == CLI_EXIT_OK)
        rc =
            cli_run_printed(cli_out_list(&r->out, json_object_get(diff, "items"), r->verb->columns, "nothing differs"));
    json_decref(diff);
    free(path);
    free(target);
    free(a);
    free(b);
    return rc;
}
