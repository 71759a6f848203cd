/* What verbs do. One run is one verb with its options against one cluster. One thread. */
#ifndef CLI_CLI_RUN_H
#define CLI_CLI_RUN_H

#include <jansson.h>
#include <signal.h>

#include "base/err.h"
#include "base/yaml.h"
#include "cli/cli_args.h"
#include "cli/cli_context.h"
#include "cli/cli_http.h"
#include "cli/cli_out.h"

struct cli_run {
    const struct cli_args *args;
    const struct cli_verb *verb;
    struct cli_context context;
    struct cli_http *http; /* NULL for verbs without a server */
    struct cli_out out;
    bool dry_run, consistent;
    const volatile int *stop; /* set by Ctrl-C */
};

/* ---- verbs; each returns an enum cli_exit */
int cli_run_list(struct cli_run *r);              /* all pages of a list */
int cli_run_show(struct cli_run *r);              /* one object */
int cli_run_change(struct cli_run *r);            /* one request with a body of arguments and options */
int cli_run_set(struct cli_run *r);               /* changes the given fields, or creates the object */
int cli_run_access_number_set(struct cli_run *r); /* likewise; a new destination takes the place of the old one */
int cli_run_flow_set(struct cli_run *r);
int cli_run_flow_versions(struct cli_run *r);
int cli_run_flow_rollback(struct cli_run *r);
int cli_run_flow_test(struct cli_run *r);
int cli_run_flow_schema(struct cli_run *r);
int cli_run_flow_diff(struct cli_run *r);
int cli_run_draft_set(struct cli_run *r);
int cli_run_draft_show(struct cli_run *r);
int cli_run_notice_test(struct cli_run *r);
int cli_run_time_group_test(struct cli_run *r);
int cli_run_holiday_add(struct cli_run *r);
int cli_run_holiday_remove(struct cli_run *r);
int cli_run_holiday_import(struct cli_run *r);
int cli_run_number_add(struct cli_run *r); /* entries of blacklist and VIPs */
int cli_run_number_remove(struct cli_run *r);
int cli_run_number_test(struct cli_run *r);
int cli_run_number_import(struct cli_run *r);
int cli_run_token_create(struct cli_run *r);
int cli_run_add_member(struct cli_run *r);
int cli_run_remove_member(struct cli_run *r);
int cli_run_cluster_status(struct cli_run *r);
int cli_run_cluster_verify(struct cli_run *r);
int cli_run_node_status(struct cli_run *r);
int cli_run_node_drain(struct cli_run *r);
int cli_run_nearest(struct cli_run *r);
int cli_run_dns(struct cli_run *r);
int cli_run_queue_status(struct cli_run *r);
int cli_run_explain(struct cli_run *r);
int cli_run_config_apply(struct cli_run *r);
int cli_run_config_diff(struct cli_run *r);
int cli_run_config_export(struct cli_run *r);
int cli_run_prompt_upload(struct cli_run *r);
int cli_run_prompt_say(struct cli_run *r);
int cli_run_prompt_versions(struct cli_run *r);
int cli_run_prompt_download(struct cli_run *r);
int cli_run_message_save(struct cli_run *r);
int cli_run_message_heard(struct cli_run *r);
int cli_run_message_note(struct cli_run *r);
int cli_run_recording_hold(struct cli_run *r);
int cli_run_recording_archive(struct cli_run *r); /* many as one file */
int cli_run_recording_verify(struct cli_run *r);
int cli_run_events(struct cli_run *r);
int cli_run_top(struct cli_run *r);
int cli_run_completion(struct cli_run *r);
int cli_run_version(struct cli_run *r);

/* ---- shared by them */

/* The text that a request's body came from, for complaints about a field of it. */
struct cli_source {
    const char *file;
    const struct yaml_marks *marks;
    const char *prefix; /* path in the body of what the file holds: "definition", or "" */
};
/* The file of the option --file, read as YAML or JSON: faults of spelling are found before anything is sent. Returns an exit code;
 * free it in any case. */
struct cli_document {
    const char *file;
    char *text;
    json_t *root;
    struct yaml_marks *marks;
};
int cli_document_load(struct cli_run *r, struct cli_document *d);
void cli_document_free(struct cli_document *d);
/* One request. CLI_EXIT_OK: *reply is filled and its status is below 300; otherwise the reason has been printed. */
int cli_run_request(struct cli_run *r, const struct cli_http_request *q, const struct cli_source *source,
                    struct cli_reply *reply);
/* The same without printing a refusal: *reply may be one. Non-zero only when there was no answer. */
int cli_run_try(struct cli_run *r, const struct cli_http_request *q, struct cli_reply *reply);
/* Prints what a refusal says, and what to do. Returns the exit code that fits. */
int cli_run_refused(struct cli_run *r, const struct cli_reply *reply, const struct cli_source *source);
/* Prints a fault of our own. */
int cli_run_fault(const struct err_info *info);
/* GET of `target`, parsed. */
int cli_run_get(struct cli_run *r, const char *target, json_t **out, char etag[80]);
/* The items of all pages of the list at `path` that fit the verb's options, at most `limit` (0: all); a new reference. */
int cli_run_all(struct cli_run *r, const char *path, json_int_t limit, json_t **out);
/* The verb's path with its arguments in it, and for reads the query of its options; malloc'ed, NULL when out of memory or
 * (after a complaint on stderr) when an option's value is bad. */
char *cli_run_target(struct cli_run *r, const char *path);
/* Body from arguments and options. NULL after a complaint. */
json_t *cli_run_body(struct cli_run *r);
/* A time as people say it, as RFC 3339; malloc'ed, NULL when out of memory. 30m, 2h, 1d: `ahead`, from now, else ago. Others are as
 * they were: the server refuses them with its reason. */
char *cli_run_time(const char *text, bool ahead);
/* A whole number from 0, and nothing else. */
bool cli_run_number(const char *s, json_int_t *out);
/* A number leads to one place: naming another one in its body lets go of the one before. false: no memory. */
bool cli_run_lead_elsewhere(json_t *body);
/* Says what would be sent (secrets hidden) for --dry-run. */
int cli_run_would(struct cli_run *r, const char *method, const char *target, const json_t *body);
/* Result of a change: the object for json and csv, the verb's `done` line for people. */
int cli_run_done(struct cli_run *r, const json_t *object);
json_t *cli_run_parse(const struct cli_reply *reply);
/* Reads the object of the verb's path, lets `edit` make the fields that are to change out of it, and sends them unless somebody was
 * faster: then all once more. With `create`, `object` is NULL when there is none yet, and the fields make one. */
typedef int cli_edit_fn(struct cli_run *r, void *ctx, const json_t *object, json_t **body); /* an enum cli_exit */
int cli_run_edit(struct cli_run *r, bool create, cli_edit_fn *edit, void *ctx);
int cli_run_printed(int rc); /* exit code of a cli_out_* call */

/* ---- help and completion (cli_help.c) */
void cli_help_print(FILE *to, const char *noun, const struct cli_verb *verb);
/* Candidates for the last of `words` (without the program's name), one a line. `keys` is called for keys of a noun. */
void cli_complete(FILE *to, int n, char **words, void (*keys)(void *ctx, const char *noun), void *ctx);

#endif
