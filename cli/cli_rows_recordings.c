/* Rows of recordings of calls, and of the rules that say which are made. */
#include "cli/cli_rows.h"
#include "cli/cli_run.h"

#define WHO                                                                                    \
    TEXT("queue", "NAME", "queue", "only calls that an agent took from this queue", "@queue"), \
        TEXT("agent", "NUMBER", "agent", "only calls with this agent", "@agent")

static const struct cli_option rule_filters[] = {
    TEXT("queue", "NAME", "queue", "only rules of this queue", "@queue"),
    TEXT("agent", "NUMBER", "agent", "only rules of this agent", "@agent"),
    LIMIT,
    END,
};
static const struct cli_option rule_fields[] = {
    NUMBER("order", "N", "order", "the smallest is looked at first; the first rule that a call meets counts"),
    WHO,
    TEXT("agent-group", "NAME", "agent_group", "only calls with an agent of this group", NULL),
    TEXT("access-number", "NUMBER", "access_number", "only calls to this number", "@access-number"),
    TEXT("direction", "WORD", "direction", "any (default), inbound, outbound or internal",
         "any inbound outbound internal"),
    NUMBER("percent", "N", "percent", "how many of the calls that meet it are recorded (default 100)"),
    BOOL("exempt", "exempt", "whether calls that meet it are not recorded"),
    BOOL("disabled", "disabled", "whether it is switched off"),
    TEXT("format", "WORD", "format", "as what they are kept: wav, mp3, or empty as the parameter recording_format says",
         "wav mp3"),
    END,
};
#define FILTERS                                                                                                         \
    TEXT("queue", "NAME", "queue", "only calls that were in this queue", "@queue"),                                     \
        TEXT("agent", "NUMBER", "agent", "only calls in which this agent took part, first or later", "@agent"),         \
        TEXT("customer", "KEY", "customer", "only calls of this customer", NULL),                                       \
        TEXT("number", "NUMBER", "number", "only calls in which this number took part, or that called it", NULL),       \
        TEXT("caller", "NUMBER", "caller", "only this caller", NULL),                                                   \
        TEXT("called", "NUMBER", "called", "only this number called", NULL),                                            \
        TEXT("answered-by", "NUMBER", "answered_by", "only calls that this telephone or number answered", NULL),        \
        TEXT("direction", "WORD", "direction", "inbound, outbound or internal", "inbound outbound internal"),           \
        TEXT("rule", "NAME", "rule", "only those that this rule made", "@recording-rule"),                              \
        {"hold", 0, CLI_BOOL, "yes|no", "hold", "only those on hold, or the others", "yes no", false},                  \
        {"marked", 0, CLI_BOOL, "yes|no", "marked", "only calls that somebody marked, or the others", "yes no", false}, \
        NUMBER("min-duration-ms", "MS", "min_duration_ms", "only those that are so long"),                              \
        NUMBER("max-duration-ms", "MS", "max_duration_ms", "only those that are no longer"),                            \
        TEXT("from", "TIME", "from", "from this time on: 2026-03-01, 2026-03-01T09:30:00Z, or 2h, 3d ago", NULL),       \
        TEXT("to", "TIME", "to", "before this time", NULL)

static const struct cli_option filters[] = {FILTERS, LIMIT, END};
static const struct cli_option archive_filters[] = {FILTERS, END};
static const struct cli_option which[] = {
    {"all", 0, CLI_FLAG, NULL, NULL, "all that there are", NULL, false},
    END,
};
static const struct cli_option download[] = {
    TEXT("format", "WORD", "format", "wav or mp3, else as it is kept; an MP3 file that is not there yet is made",
         "wav mp3"),
    END,
};
static const struct cli_option hold_release[] = {{"release", 0, CLI_FLAG, NULL, NULL, "no longer", NULL, false}, END};

#define RULE_COLUMNS                                                                                            \
    "NAME=name ORDER=order DIRECTION=direction QUEUE=queue AGENT=agent GROUP=agent_group NUMBER=access_number " \
    "PERCENT=percent EXEMPT=exempt/yes | FORMAT=format DISABLED=disabled/yes VERSION=version UPDATED=updated_at/time"
#define COLUMNS                                                                                               \
    "RECORDING=recording_id STARTED=started_at/time LENGTH=duration_ms/ms DIRECTION=direction CALLER=caller " \
    "CALLED=called AGENTS=agents QUEUE=queue HOLD=hold/yes | CUSTOMER=customer MARKED=marked/yes "            \
    "ANSWERED-BY=answered_by RULE=rule FORMAT=format BYTES=bytes SHA256=sha256"

const struct cli_verb cli_rows_recordings[] = {
    V("recording-rule", "list", "which calls are recorded", .method = "GET", .path = "/v1/recording-rules",
      .columns = RULE_COLUMNS, .options = rule_filters, .run = cli_run_list, .example = "recording-rule list"),
    V("recording-rule", "show", "one rule", .args = "NAME", .method = "GET", .path = "/v1/recording-rules/{NAME}",
      .run = cli_run_show, .example = "recording-rule show all"),
    V("recording-rule", "set", "create a rule or change the given fields", .args = "NAME", .method = "PATCH",
      .path = "/v1/recording-rules/{NAME}", .options = rule_fields, .done = "recording rule {NAME} set",
      .run = cli_run_set,
      .example = "recording-rule set all\nrecording-rule set service --queue service --percent 20 --order 10\n"
                 "recording-rule set works-council --agent-group council --exempt yes --order 1"),
    V("recording-rule", "delete", "remove a rule", .args = "NAME", .method = "DELETE",
      .path = "/v1/recording-rules/{NAME}", .done = "recording rule {NAME} deleted", .run = cli_run_change,
      .example = "recording-rule delete all"),

    V("recording", "list", "recordings of calls, latest first", .method = "GET", .path = "/v1/recordings",
      .columns = COLUMNS, .options = filters, .run = cli_run_list,
      .example = "recording list\nrecording list --agent 1001 --from 2d --min-duration-ms 60000"),
    V("recording", "show", "one recording", .args = "RECORDING", .method = "GET", .path = "/v1/recordings/{RECORDING}",
      .run = cli_run_show, .example = "recording show 00f3a1b2c4d5e6f7"),
    V("recording", "download", "its sound, the customer left, our side right; - for standard output",
      .args = "RECORDING FILE", .method = "GET", .path = "/v1/recordings/{RECORDING}/audio", .options = download,
      .run = cli_run_message_save,
      .example =
          "recording download 00f3a1b2c4d5e6f7 call.wav\nrecording download 00f3a1b2c4d5e6f7 call.mp3 --format mp3"),
    V("recording", "archive",
      "all that fit the filters as one ZIP file, with an index (CSV) of what is known of each; - for standard output",
      .args = "FILE", .method = "GET", .path = "/v1/recordings/archive", .options = archive_filters,
      .run = cli_run_recording_archive,
      .example = "recording archive november.zip --from 2026-11-01 --to 2026-12-01\n"
                 "recording archive case.zip --customer C-4711"),
    V("recording", "verify", "hold files against their hashes and open them; the exit code says whether all are well",
      .args = "[RECORDING]", .method = "POST", .path = "/v1/recordings/{RECORDING}:verify", .options = which,
      .columns = "RECORDING=recording_id NODE=node FORMAT=format BYTES=bytes FAULT=fault | SHA256=sha256",
      .run = cli_run_recording_verify, .example = "recording verify 00f3a1b2c4d5e6f7\nrecording verify --all"),
    V("recording", "hold", "keep a recording whatever its age, or with --release no longer", .args = "RECORDING",
      .method = "PATCH", .path = "/v1/recordings/{RECORDING}", .options = hold_release,
      .done = "recording {RECORDING} changed", .run = cli_run_recording_hold,
      .example = "recording hold 00f3a1b2c4d5e6f7\nrecording hold 00f3a1b2c4d5e6f7 --release"),
    V("recording", "delete", "remove a recording for good", .args = "RECORDING", .method = "DELETE",
      .path = "/v1/recordings/{RECORDING}", .done = "recording {RECORDING} deleted", .run = cli_run_change,
      .example = "recording delete 00f3a1b2c4d5e6f7"),
    V("recording", "pause", "record silence of a call from now on", .args = "CALL", .method = "POST",
      .path = "/v1/calls/{CALL}:pause-recording", .done = "call {CALL}: recording paused", .run = cli_run_change,
      .example = "recording pause 00f3a1b2c4d5e6f7"),
    V("recording", "resume", "record again what is said", .args = "CALL", .method = "POST",
      .path = "/v1/calls/{CALL}:resume-recording", .done = "call {CALL}: recording goes on", .run = cli_run_change,
      .example = "recording resume 00f3a1b2c4d5e6f7"),
    {.noun = NULL},
};
