/* Rows of the configuration as a whole, access to it, and ccctl itself. */
#include "cli/cli_rows.h"
#include "cli/cli_run.h"

static const struct cli_option token_role[] = {
    TEXT("role", "ROLE", "role", "admin, read or supervisor (default read)", "admin read supervisor"),
    TEXT("agent", "NUMBER", "agent", "with the role supervisor: as whom it acts, within what that agent manages",
         "@agent"),
    END};
static const struct cli_option token_filters[] = {
    TEXT("role", "ROLE", "role", "only of this role", "admin read supervisor"), LIMIT, END};
static const struct cli_option event_options[] = {
    TEXT("since", "ID", NULL, "first all that came after this event; 0 for all that is kept", NULL),
    {"type", 0, CLI_TEXT, "TYPE", NULL, "only this type; everline.call or 'everline.*.ended' name several; repeat it",
     "everline.call everline.agent everline.queue everline.node everline.config", true},
    NUMBER("count", "N", NULL, "end after N events"),
    END,
};
static const struct cli_option apply_options[] = {
    FILE_OPTION("the configuration, YAML or JSON; - for standard input"),
    {"prune", 0, CLI_FLAG, NULL, NULL, "remove what the file does not name, of the kinds it has", NULL, false},
    END,
};
static const struct cli_option dns_options[] = {
    TEXT("domain", "DOMAIN", "domain", "the domain that phones and trunks are given, sip.example.cn", NULL),
    TEXT("site", "NAME", "site",
         "only what phones of this site are to get (default: of each site, in domains of their own)", NULL),
    NUMBER("ttl", "SECONDS", "ttl", "how long the records may be kept (default 300)"),
    END,
};
static const struct cli_option audit_filters[] = {
    TEXT("actor", "WHO", "actor", "only this actor, such as token:admin", NULL),
    TEXT("origin", "ADDRESS", "origin", "only from there", NULL),
    TEXT("node", "NAME", "node", "only through this node", "@node"),
    TEXT("action", "NAME", "action", "only this action", NULL),
    TEXT("object", "NAME", "object", "only this object", NULL),
    TEXT("from", "TIME", "from", "from this time on: 2026-03-01, 2026-03-01T09:30:00Z, or 2h, 3d ago", NULL),
    TEXT("to", "TIME", "to", "before this time", NULL),
    LIMIT,
    END,
};

#define PARAMETER_COLUMNS "NAME=name VALUE=value | VERSION=version UPDATED=updated_at/time"
#define TOKEN_COLUMNS "NAME=name ROLE=role AGENT=agent UPDATED=updated_at/time | VERSION=version"
#define AUDIT_COLUMNS \
    "TIME=time/time ACTOR=actor ACTION=action OBJECT=object RESULT=code | INDEX=index ORIGIN=origin NODE=node"

const struct cli_verb cli_rows_system[] = {
    V("parameter", "list", "parameters of the whole cluster", .method = "GET", .path = "/v1/parameters",
      .columns = PARAMETER_COLUMNS, .options = cli_only_limit, .run = cli_run_list, .example = "parameter list"),
    V("parameter", "set", "set a parameter", .args = "NAME VALUE", .method = "PUT", .path = "/v1/parameters/{NAME}",
      .body = "VALUE=value", .done = "parameter {NAME} set", .run = cli_run_change,
      .example = "parameter set language en"),
    V("parameter", "delete", "remove a parameter: its default holds again", .args = "NAME", .method = "DELETE",
      .path = "/v1/parameters/{NAME}", .done = "parameter {NAME} deleted", .run = cli_run_change,
      .example = "parameter delete language"),

    V("token", "list", "tokens of API clients (never the secrets)", .method = "GET", .path = "/v1/tokens",
      .columns = TOKEN_COLUMNS, .options = token_filters, .run = cli_run_list, .example = "token list"),
    V("token", "create", "make a token; its secret is printed this once and kept nowhere", .args = "NAME",
      .method = "PUT", .path = "/v1/tokens/{NAME}", .options = token_role, .done = "token {NAME} created",
      .run = cli_run_token_create,
      .example = "token create wallboard --role read > wallboard.token\n"
                 "token create desk-2001 --role supervisor --agent 2001 > 2001.token"),
    V("token", "delete", "remove a token: it is refused from now on", .args = "NAME", .method = "DELETE",
      .path = "/v1/tokens/{NAME}", .done = "token {NAME} deleted", .run = cli_run_change,
      .example = "token delete wallboard"),

    V("events", "", "what happens, as it happens", .method = "GET", .path = "/v1/events", .options = event_options,
      .run = cli_run_events, .example = "events\nevents --type everline.call --since 0\nevents -o json | jq .data"),

    V("dns", "records", "SRV, NAPTR and address records for a zone file", .method = "GET", .path = "/v1/dns/records",
      .options = dns_options, .columns = "NAME=name TTL=ttl TYPE=type DATA=data", .run = cli_run_dns,
      .example = "dns records --domain sip.example.cn\ndns records --domain sip.example.cn --site north --ttl 60"),

    V("config", "apply", "bring the configuration to what a file says, all of it or nothing", .method = "POST",
      .path = "/v1/config:apply", .options = apply_options, .run = cli_run_config_apply,
      .example = "config apply -f site.yaml --dry-run\nconfig apply -f site.yaml --prune"),
    V("config", "diff", "what applying a file would change", .method = "POST", .path = "/v1/config:diff",
      .options = apply_options, .run = cli_run_config_diff, .example = "config diff -f site.yaml"),
    V("config", "export", "the whole configuration as YAML, without secrets", .method = "GET", .path = "/v1/config",
      .run = cli_run_config_export, .example = "config export > site.yaml\nconfig export -o json"),

    V("audit", "list", "who changed what", .method = "GET", .path = "/v1/audit", .columns = AUDIT_COLUMNS,
      .options = audit_filters, .run = cli_run_list,
      .example = "audit list --limit 20\naudit list --actor token:admin --from 1d"),

    V("completion", "", "completion for a shell", .args = "SHELL", .run = cli_run_completion,
      .example = "completion bash > /etc/bash_completion.d/ccctl\ncompletion zsh > ~/.zsh/completions/_ccctl"),

    V("version", "", "version of this program", .run = cli_run_version, .example = "version"),
    {.noun = NULL},
};
