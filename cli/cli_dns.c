/* Where phones and trunks should go: the nearest nodes, and the DNS records that say so. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli_run.h"

int cli_run_nearest(struct cli_run *r)
{
    json_t *answer = NULL;
    char *target = cli_run_target(r, r->verb->path);
    int rc = target ? cli_run_get(r, target, &answer, NULL) : CLI_EXIT_ERROR;
    if (rc == CLI_EXIT_OK && r->out.format == CLI_JSON)
        rc = cli_run_printed(cli_out_json(&r->out, answer));
    else if (rc == CLI_EXIT_OK)
        rc = cli_run_printed(cli_out_list(&r->out, json_object_get(answer, "items"), r->verb->columns,
                                          "no node takes calls at the moment"));
    json_decref(answer);
    free(target);
    return rc;
}

/* Line by line, for a terminal is to be safe from what the server sends. */
static int print_zone(FILE *to, const char *zone)
{
    while (*zone) {
        size_t len = strcspn(zone, "\n");
        char *line = strndup(zone, len);
        for (char *tab = line; tab && (tab = strchr(tab, '\t'));)
            *tab = ' ';
        char *safe = line ? cli_out_safe(line) : NULL;
        bool bad = !safe || fprintf(to, "%s\n", safe) < 0;
        free(safe);
        free(line);
        if (bad)
            return ERR_NOMEM;
        zone += len + (zone[len] == '\n');
    }
    return 0;
}

int cli_run_dns(struct cli_run *r)
{
    const char *domain = cli_args_value(r->args, "domain");
    if (!domain || !*domain) {
        fprintf(stderr, "ccctl: --domain DOMAIN is missing\n");
        return CLI_EXIT_USAGE;
    }
    json_t *answer = NULL;
    char *target = cli_run_target(r, r->verb->path);
    int rc = target ? cli_run_get(r, target, &answer, NULL) : CLI_EXIT_ERROR;
    if (rc == CLI_EXIT_OK && r->out.format == CLI_JSON) {
        rc = cli_run_printed(cli_out_json(&r->out, answer));
    } else if (rc == CLI_EXIT_OK && r->out.format == CLI_CSV) {
        rc = cli_run_printed(cli_out_list(&r->out, json_object_get(answer, "records"), r->verb->columns, ""));
    } else if (rc == CLI_EXIT_OK) {
        const char *zone = json_string_value(json_object_get(answer, "zone"));
        rc = cli_run_printed(zone ? print_zone(r->out.to, zone) : ERR_INVAL);
    }
    json_decref(answer);
    free(target);
    return rc;
}
