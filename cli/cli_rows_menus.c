/* Rows of flows, prompts and what they ask business systems. */
#include "cli/cli_rows.h"
#include "cli/cli_run.h"

static const struct cli_option flow_file[] = {FILE_OPTION("the flow, YAML or JSON; - for standard input"), END};
static const struct cli_option draft_file[] = {
    FILE_OPTION("the flow, YAML or JSON; - for standard input"),
    NUMBER("based-on", "VERSION", "based_on",
           "the version it was made from (default: as the draft before, else the live one)"),
    END,
};
static const struct cli_option stats_options[] = {
    TEXT("from", "TIME", "from", "calls that ended from this time on: 2026-03-01, 2026-03-01T09:30:00Z, or 2h, 3d ago",
         NULL),
    TEXT("to", "TIME", "to", "and before this one", NULL),
    TEXT("by", "WHAT", "by", "apart for each hour or day (UTC)", "hour day"),
    END,
};
static const struct cli_option publish_options[] = {
    TEXT("note", "TEXT", "note", "what this version is about, for `flow versions`", NULL),
    {"force", 0, CLI_FLAG, NULL, "force", "also when the flow was changed since the draft was begun", NULL, false},
    END,
};
static const struct cli_option prompt_language[] = {LANGUAGE, END};
static const struct cli_option prompt_say[] = {
    LANGUAGE,
    TEXT("text", "TEXT", "text", "what is to be said", NULL),
    END,
};
static const struct cli_option prompt_rollback[] = {
    LANGUAGE,
    NUMBER("to", "VERSION", "version", "to this version (default: the one before)"),
    END,
};
static const struct cli_option prompt_download[] = {
    LANGUAGE,
    NUMBER("of", "VERSION", "version", "this version (default: the one that is played)"),
    FILE_OPTION("where to write it; - for standard output"),
    END,
};
static const struct cli_option flow_test_options[] = {
    TEXT("keys", "KEYS", NULL, "what the caller presses: 1,42#,- (each time the flow waits; - lets the time run out)",
         NULL),
    FILE_OPTION("this flow instead of the stored one"),
    {"draft", 0, CLI_FLAG, NULL, "draft", "its draft instead of what is live", NULL, false},
    NUMBER("version", "N", "version", "as it was in this version"),
    TEXT("caller", "NUMBER", "caller", "who calls", NULL),
    TEXT("called", "NUMBER", "called", "the number that was called", NULL),
    TEXT("language", "NAME", "language", "begin in this language", NULL),
    {"time", 0, CLI_TIME, "TIME", "time",
     "as if it were that time: 2026-10-01T09:30:00+08:00, or \"2026-10-01 09:30\" here (default: now)", NULL, false},
    {"at", 0, CLI_TIME, "TIME", "time", "the same as --time", NULL, false},
    TEXT("area", "NAME", "area", "as if the caller were there: whose notices he is told (default: by his number)",
         "@area"),
    TEXT("customer", "KEY", "customer", "as if this were known of the caller", NULL),
    {"data", 0, CLI_PAIRS, "NAME=TEXT", "data", "likewise; repeat it", NULL, true},
    {"http", 0, CLI_LIST, "NODE=FILE", NULL,
     "the answer at this node: a file with JSON, or a status such as 503; repeat it (default: none comes)", NULL, true},
    END,
};
static const struct cli_option secret_fields[] = {
    {"value-file", 0, CLI_SECRET, "FILE", "value", "first line is the value", "@file", false},
    {"value-stdin", 0, CLI_STDIN, NULL, "value", "first line of standard input is the value", NULL, false},
    END,
};
static const struct cli_option lookup_fields[] = {
    TEXT("url", "URL", "url", "asked by GET; with ${caller}, ${called}, ${queue}", NULL),
    {"header", 0, CLI_HEADERS, "NAME=SECRET", "headers",
     "all its headers anew, each with the name of the secret that is its value; repeat it or separate by commas", NULL,
     true},
    NUMBER("timeout-ms", "MS", "timeout_ms", "how long an answer may take (default 1000)"),
    NUMBER("cache-s", "SECONDS", "cache_s", "how long an answer is remembered (default 300)"),
    TEXT("on-error", "WHAT", "on_error", "what a caller is when there is no answer: normal (default) or vip",
         "normal vip"),
    END,
};

#define FLOW_COLUMNS \
    "NAME=name LANGUAGES=definition.languages START=definition.start VERSION=version UPDATED=updated_at/time"
#define STATS_COLUMNS "PERIOD=period NODE=node ENTERED=entered TIME=ms/ms ENDED=ended LEFT=left"
#define DIFF_COLUMNS "PATH=path ACTION=action FROM=from TO=to"
#define PROMPT_COLUMNS \
    "NAME=name LANGUAGES=sounds.language PLAYED=sounds.current | VERSION=version UPDATED=updated_at/time"
#define VERSION_COLUMNS                                                                                               \
    "LANGUAGE=language VERSION=version PLAYED=played/yes LENGTH=duration_ms/ms FILE=file TEXT=text BY=by AT=at/time " \
    "| BYTES=bytes SHA256=sha256"
#define SECRET_COLUMNS "NAME=name UPDATED=updated_at/time | VERSION=version"
#define LOOKUP_COLUMNS                                                                           \
    "NAME=name URL=url TIMEOUT=timeout_ms/ms ON-ERROR=on_error CACHE=cache_s | VERSION=version " \
    "UPDATED=updated_at/time"

const struct cli_verb cli_rows_menus[] = {
    V("flow", "list", "voice menus", .method = "GET", .path = "/v1/flows", .columns = FLOW_COLUMNS,
      .options = cli_only_limit, .run = cli_run_list, .example = "flow list"),
    V("flow", "show", "one flow with its definition", .args = "NAME", .method = "GET", .path = "/v1/flows/{NAME}",
      .run = cli_run_show, .example = "flow show welcome -o json"),
    V("flow", "set", "create or replace a flow from a file", .args = "NAME", .method = "PUT",
      .path = "/v1/flows/{NAME}", .options = flow_file, .done = "flow {NAME} set", .run = cli_run_flow_set,
      .example = "flow set welcome -f welcome.yaml"),
    V("flow", "versions", "what a flow was before, newest first", .args = "NAME", .method = "GET",
      .path = "/v1/flows/{NAME}/versions",
      .columns = "VERSION=version LIVE=live/yes SINCE=since/time UNTIL=until/time NOTE=note",
      .run = cli_run_flow_versions, .example = "flow versions welcome"),
    V("flow", "rollback", "make a flow what it was in a version; calls going on keep theirs", .args = "NAME VERSION",
      .method = "POST", .path = "/v1/flows/{NAME}:rollback", .done = "flow {NAME} is as in version {VERSION}",
      .run = cli_run_flow_rollback, .example = "flow rollback welcome 1042"),
    V("flow", "diff", "what differs between two versions of a flow (numbers, live, former, draft)",
      .args = "NAME [FROM] [TO]", .method = "GET", .path = "/v1/flows/{NAME}/diff", .columns = DIFF_COLUMNS,
      .run = cli_run_flow_diff,
      .example = "flow diff welcome\nflow diff welcome 1042 live\nflow diff welcome live draft"),
    V("flow", "draft list", "flows with a draft", .method = "GET", .path = "/v1/flow-drafts",
      .columns = "NAME=name BASED-ON=based_on VERSION=version UPDATED=updated_at/time", .options = cli_only_limit,
      .run = cli_run_list, .example = "flow draft list"),
    V("flow", "draft set", "save a draft from a file, and say what is wrong with it; nothing of it is live",
      .args = "NAME", .method = "PUT", .path = "/v1/flow-drafts/{NAME}", .options = draft_file,
      .run = cli_run_draft_set, .example = "flow draft set welcome -f welcome.yaml"),
    V("flow", "draft show", "the draft of a flow, and what is wrong with it", .args = "NAME", .method = "GET",
      .path = "/v1/flow-drafts/{NAME}", .run = cli_run_draft_show, .example = "flow draft show welcome"),
    V("flow", "draft diff", "what the draft would change", .args = "NAME", .method = "GET",
      .path = "/v1/flows/{NAME}/diff", .columns = DIFF_COLUMNS, .run = cli_run_flow_diff,
      .example = "flow draft diff welcome"),
    V("flow", "draft discard", "drop the draft", .args = "NAME", .method = "DELETE", .path = "/v1/flow-drafts/{NAME}",
      .done = "draft of flow {NAME} dropped", .run = cli_run_change, .example = "flow draft discard welcome"),
    V("flow", "publish", "make the draft the flow that is live", .args = "NAME", .method = "POST",
      .path = "/v1/flow-drafts/{NAME}:publish", .options = publish_options, .done = "flow {NAME} is live as drafted",
      .run = cli_run_change, .example = "flow publish welcome --note \"summer hours\""),
    V("flow", "test", "walk a flow without a call and print what happens", .args = "NAME", .method = "POST",
      .path = "/v1/flows/{NAME}:test", .options = flow_test_options, .columns = "NODE=node EVENT=event ACTION=action",
      .run = cli_run_flow_test,
      .example = "flow test welcome --keys 8,1\nflow test bill -f bill.yaml --keys 8812#,73# --http crm=answer.json\n"
                 "flow test welcome --draft --keys 8\n"
                 "flow test welcome --keys 2 --area pudong --at 2026-10-01T09:00:00Z"),
    V("flow", "stats", "what callers did in a flow, node by node, from the records of their calls", .args = "NAME",
      .method = "GET", .path = "/v1/flows/{NAME}/stats", .columns = STATS_COLUMNS, .options = stats_options,
      .run = cli_run_flow_versions, .example = "flow stats welcome --from 24h\nflow stats welcome --by day -o csv"),
    V("flow", "schema", "the JSON schema of flows, for editors", .method = "GET", .path = "/v1/schemas/flow",
      .run = cli_run_flow_schema, .example = "flow schema"),
    V("flow", "delete", "remove a flow", .args = "NAME", .method = "DELETE", .path = "/v1/flows/{NAME}",
      .done = "flow {NAME} deleted", .run = cli_run_change, .example = "flow delete welcome"),

    V("prompt", "list", "what was uploaded or spoken, before the prompts that are built in", .method = "GET",
      .path = "/v1/prompts", .columns = PROMPT_COLUMNS, .options = cli_only_limit, .run = cli_run_list,
      .example = "prompt list"),
    V("prompt", "show", "one prompt", .args = "NAME", .method = "GET", .path = "/v1/prompts/{NAME}",
      .run = cli_run_show, .example = "prompt show welcome"),
    V("prompt", "versions", "what a prompt was and is, in each language", .args = "NAME", .method = "GET",
      .path = "/v1/prompts/{NAME}", .columns = VERSION_COLUMNS, .run = cli_run_prompt_versions,
      .example = "prompt versions welcome"),
    V("prompt", "upload", "make a sound file (WAV, MP3, FLAC, Ogg) a prompt, or a new version of one",
      .args = "NAME FILE", .method = "PUT", .path = "/v1/prompts/{NAME}", .options = prompt_language,
      .done = "prompt {NAME} uploaded", .run = cli_run_prompt_upload,
      .example = "prompt upload welcome welcome.mp3 --language zh"),
    V("prompt", "say", "make a prompt of a text, spoken by synthesis", .args = "NAME", .method = "POST",
      .path = "/v1/prompts/{NAME}:say", .options = prompt_say, .done = "prompt {NAME} made", .run = cli_run_prompt_say,
      .example = "prompt say closed --text \"We are closed today.\" --language en"),
    V("prompt", "rollback", "play an older version again", .args = "NAME", .method = "POST",
      .path = "/v1/prompts/{NAME}:rollback", .options = prompt_rollback, .done = "prompt {NAME} rolled back",
      .run = cli_run_change,
      .example = "prompt rollback welcome --language zh\nprompt rollback welcome --language zh --to 2"),
    V("prompt", "download", "the sound of a prompt as a WAV file, to listen to", .args = "NAME", .method = "GET",
      .path = "/v1/prompts/{NAME}/audio", .options = prompt_download, .run = cli_run_prompt_download,
      .example = "prompt download welcome --language zh -f welcome.wav"),
    V("prompt", "delete", "remove a prompt that nothing plays; one built in is played again", .args = "NAME",
      .method = "DELETE", .path = "/v1/prompts/{NAME}", .done = "prompt {NAME} deleted", .run = cli_run_change,
      .example = "prompt delete welcome"),

    V("secret", "list", "keys that business systems want to see (never their values)", .method = "GET",
      .path = "/v1/secrets", .columns = SECRET_COLUMNS, .options = cli_only_limit, .run = cli_run_list,
      .example = "secret list"),
    V("secret", "set", "create or change a secret; its value is never shown again", .args = "NAME", .method = "PATCH",
      .path = "/v1/secrets/{NAME}", .options = secret_fields, .done = "secret {NAME} set", .run = cli_run_set,
      .example = "secret set crm-key --value-file crm.key\nsecret set crm-key --value-stdin"),
    V("secret", "delete", "remove a secret that nothing uses", .args = "NAME", .method = "DELETE",
      .path = "/v1/secrets/{NAME}", .done = "secret {NAME} deleted", .run = cli_run_change,
      .example = "secret delete crm-key"),

    V("lookup", "list", "questions to business systems about callers", .method = "GET", .path = "/v1/lookups",
      .columns = LOOKUP_COLUMNS, .options = cli_only_limit, .run = cli_run_list, .example = "lookup list"),
    V("lookup", "show", "one look-up", .args = "NAME", .method = "GET", .path = "/v1/lookups/{NAME}",
      .run = cli_run_show, .example = "lookup show crm"),
    V("lookup", "set", "create or change a look-up", .args = "NAME", .method = "PATCH", .path = "/v1/lookups/{NAME}",
      .options = lookup_fields, .done = "lookup {NAME} set", .run = cli_run_set,
      .example = "lookup set crm --url 'https://crm.example/vip?tel=${caller}' --header X-Api-Key=crm-key "
                 "--timeout-ms 800\nlookup set crm --on-error vip"),
    V("lookup", "delete", "remove a look-up that nothing uses", .args = "NAME", .method = "DELETE",
      .path = "/v1/lookups/{NAME}", .done = "lookup {NAME} deleted", .run = cli_run_change,
      .example = "lookup delete crm"),
    {.noun = NULL},
};
