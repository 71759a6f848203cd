/* Rows of messages that callers have left, and of the boxes that they are in. */
#include "cli/cli_rows.h"
#include "cli/cli_run.h"

const struct cli_option cli_call_back_fields[] = {
    TEXT("agent", "NUMBER", "agent", "whose telephone is rung first; needed", "@agent"),
    TEXT("caller-id", "NUMBER", "caller_id", "the number to show outside (default: as for his calls)", NULL),
    END,
};
static const struct cli_option message_filters[] = {
    TEXT("box", "NAME", "box", "only this box", NULL),
    TEXT("queue", "NAME", "queue", "only of callers who were in this queue", "@queue"),
    TEXT("caller", "NUMBER", "caller", "only this caller", NULL),
    TEXT("called", "NUMBER", "called", "only this number called", NULL),
    {"heard", 0, CLI_BOOL, "yes|no", "heard", "only those that were heard, or were not", "yes no", false},
    TEXT("from", "TIME", "from", "from this time on: 2026-03-01, 2026-03-01T09:30:00Z, or 2h, 3d ago", NULL),
    TEXT("to", "TIME", "to", "before this time", NULL),
    LIMIT,
    END,
};
static const struct cli_option message_not[] = {{"not", 0, CLI_FLAG, NULL, NULL, "as new again", NULL, false}, END};
static const struct cli_option box_fields[] = {
    TEXT("language", "CODE", "language",
         "what who listens by telephone is spoken to in: zh, en; \"\": parameter language", "zh en"),
    TEXT("greeting", "KEY", "greeting", "prompt before the tone; \"\": the queue's, or the one built in", "@prompt"),
    {"agent", 0, CLI_LIST, "NUMBER", "agents",
     "all agents anew whose box it is besides, for their lamps; repeat it or separate by commas; \"\" for none",
     "@agent", true},
    {"email", 0, CLI_LIST, "ADDRESS", "email",
     "all addresses anew that get each message; repeat it or separate by commas; \"\" for none", NULL, true},
    TEXT("email-format", "WORD", "email_format", "the sound in these e-mails: wav (default) or mp3", "wav mp3"),
    TEXT("hook", "URL", "hook_url", "where each message is told of by POST; \"\": nowhere", NULL),
    TEXT("hook-secret", "NAME", "hook_secret", "the secret that signs it; \"\": none", "@secret"),
    END,
};
static const struct cli_option box_filters[] = {
    TEXT("agent", "NUMBER", "agents", "only those that are this agent's besides", "@agent"), LIMIT, END};

#define MESSAGE_COLUMNS                                                                                     \
    "MESSAGE=message_id BOX=box CALLER=caller CALLED=called STARTED=started_at/time LENGTH=duration_ms/ms " \
    "HEARD=heard/yes "                                                                                      \
    "| QUEUE=queue FLOW=flow CALL=call_id BYTES=bytes SHA256=sha256 NOTE=note"
#define BOX_COLUMNS                                                                                  \
    "NAME=name GREETING=greeting AGENTS=agents LANGUAGE=language NEW=new_messages OLD=old_messages " \
    "PENDING=pending_deliveries "                                                                    \
    "GIVEN-UP=given_up_deliveries | EMAIL=email FORMAT=email_format HOOK=hook_url VERSION=version "  \
    "UPDATED=updated_at/time"

const struct cli_verb cli_rows_voicemail[] = {
    V("message", "list", "what callers have left, latest first", .method = "GET", .path = "/v1/messages",
      .columns = MESSAGE_COLUMNS, .options = message_filters, .run = cli_run_list,
      .example = "message list\nmessage list --box service --heard no"),
    V("message", "show", "one message", .args = "MESSAGE", .method = "GET", .path = "/v1/messages/{MESSAGE}",
      .run = cli_run_show, .example = "message show 00f3a1b2c4d5e6f7"),
    V("message", "save", "its sound as a WAV file, to listen to; - for standard output", .args = "MESSAGE FILE",
      .method = "GET", .path = "/v1/messages/{MESSAGE}/audio", .run = cli_run_message_save,
      .example = "message save 00f3a1b2c4d5e6f7 message.wav"),
    V("message", "heard", "mark a message as heard, or with --not as new again", .args = "MESSAGE", .method = "PATCH",
      .path = "/v1/messages/{MESSAGE}", .options = message_not, .done = "message {MESSAGE} marked",
      .run = cli_run_message_heard, .example = "message heard 00f3a1b2c4d5e6f7"),
    V("message", "delete", "remove a message for good", .args = "MESSAGE", .method = "DELETE",
      .path = "/v1/messages/{MESSAGE}", .done = "message {MESSAGE} deleted", .run = cli_run_change,
      .example = "message delete 00f3a1b2c4d5e6f7"),
    V("message", "note", "give a message a note for people; \"\" takes it away", .args = "MESSAGE TEXT",
      .method = "PATCH", .path = "/v1/messages/{MESSAGE}", .done = "message {MESSAGE} changed",
      .run = cli_run_message_note, .example = "message note 00f3a1b2c4d5e6f7 \"called back, is content\""),
    V("message", "call-back", "ring an agent's telephone, then the number that has left the message", .args = "MESSAGE",
      .method = "POST", .path = "/v1/messages/{MESSAGE}:call-back", .options = cli_call_back_fields,
      .done = "the telephone of the agent rings", .run = cli_run_change,
      .example = "message call-back 00f3a1b2c4d5e6f7 --agent 1001"),

    V("voicemail", "list", "boxes of which something is set; others need no setting", .method = "GET",
      .path = "/v1/mailboxes", .columns = BOX_COLUMNS, .options = box_filters, .run = cli_run_list,
      .example = "voicemail list"),
    V("voicemail", "show", "what is set of a box", .args = "NAME", .method = "GET", .path = "/v1/mailboxes/{NAME}",
      .run = cli_run_show, .example = "voicemail show service"),
    V("voicemail", "set", "change the given fields of a box", .args = "NAME", .method = "PATCH",
      .path = "/v1/mailboxes/{NAME}", .options = box_fields, .done = "voicemail box {NAME} set", .run = cli_run_set,
      .example = "voicemail set service --greeting closed --agent 1001,1002\nvoicemail set service --email "
                 "desk@shop.example --hook https://crm.example/voicemail --hook-secret crm-key"),
    V("voicemail", "delete", "forget what is set of a box; its messages stay", .args = "NAME", .method = "DELETE",
      .path = "/v1/mailboxes/{NAME}", .done = "voicemail box {NAME} has no settings", .run = cli_run_change,
      .example = "voicemail delete service"),
    {.noun = NULL},
};
