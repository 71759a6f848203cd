/* Rows of what supervisors look at. */
#include "cli/cli_rows.h"
#include "cli/cli_run.h"

#define STATES "logged_out not_ready idle ringing talking wrap_up"

static const struct cli_option agent_filters[] = {
    TEXT("group", "NAME", "group", "only agents of this group", "@agent-group"),
    TEXT("queue", "NAME", "queues", "only members of this queue", "@queue"),
    TEXT("state", "STATE", "state", "only agents in this state", STATES),
    TEXT("activity", "NAME", "activity", "only agents who chose this state: ready, busy, away, ...", "@agent-state"),
    TEXT("type", "TYPE", "type", "agent or supervisor", "agent supervisor"),
    LIMIT,
    END,
};
static const struct cli_option waiting_filters[] = {
    TEXT("queue", "NAME", "queue", "only of this queue", "@queue"),
    TEXT("type", "TYPE", "type", "caller, vip or callback", "caller vip callback"),
    TEXT("state", "STATE", "state", "waiting, or offered: agents are being rung", "waiting offered"),
    TEXT("caller", "NUMBER", "caller", "only calls of this number", NULL),
    TEXT("called", "NUMBER", "called", "only calls to this number", NULL),
    LIMIT,
    END,
};
const struct cli_option cli_supervise_fields[] = {
    TEXT("agent", "NUMBER", "agent", "which supervisor (default: as whom the token acts)", "@agent"),
    TEXT("extension", "NUMBER", "extension",
         "telephone to ring (default: where the supervisor is logged in, else the bound one)", "@extension"),
    END,
};
static const struct cli_option top_options[] = {
    TEXT("view", "NAME", NULL, "what is shown first: queues (the default), agents, waiting, calls or nodes",
         "queues agents waiting calls nodes"),
    TEXT("sort", "COLUMN", NULL, "sorted by this column, as its title says", NULL),
    {"reverse", 0, CLI_FLAG, NULL, NULL, "the other way round", NULL, false},
    TEXT("filter", "TEXT", NULL, "only rows with this text", NULL),
    TEXT("interval", "SECONDS", NULL, "how often it is read (default 1)", NULL),
    {"once", 0, CLI_FLAG, NULL, NULL, "one picture, plain text, for scripts", NULL, false},
    END,
};

const struct cli_verb cli_rows_live[] = {
    V("live", "agents", "agents, what they do, since when and with whom", .method = "GET", .path = "/v1/live/agents",
      .columns =
          "NUMBER=number NAME=name GROUP=group STATE=state/state FOR=since/age REASON=reason CALLER=call.caller "
          "QUEUE=call.queue TALKS=call.connected_at/age | TYPE=type ACTIVITY=activity UNTIL=until/time "
          "LOGIN=login_at/time EXTENSION=extension CALL=call_id CALLED=call.called ANSWERED=answered QUEUES=queues",
      .options = agent_filters, .run = cli_run_list,
      .example = "live agents --group east --watch 1\nlive agents --queue service --state talking"),
    V("live", "waiting", "callers who wait, in the order of service, and how long", .method = "GET",
      .path = "/v1/live/waiting",
      .columns =
          "QUEUE=queue PLACE=position CALLER=caller CALLED=called WAITS=queued_at/age TYPE=type STATE=state/state "
          "RINGS=agents | CALL=call_id NAME=caller_name TRUNK=trunk LANGUAGE=language PRIORITY=priority "
          "ARRIVED=arrived_at/time OVERFLOW=overflow",
      .options = waiting_filters, .run = cli_run_list,
      .example = "live waiting --queue service\nlive waiting --type vip"),
    V("live", "queues", "queues: who waits, and what their members do", .method = "GET", .path = "/v1/live/queues",
      .columns =
          "NAME=name WAITING=waiting LONGEST=waiting_since/age ESTIMATE=estimated_wait_s IDLE=idle RINGING=ringing "
          "TALKING=talking WRAP-UP=wrap_up NOT-READY=not_ready OUT=logged_out | DISPLAY-NAME=display_name "
          "MEMBERS=members",
      .options = cli_only_limit, .run = cli_run_list, .example = "live queues --watch 1"),

    V("top", "", "queues, agents, waiting callers, calls and nodes as they are, on the whole terminal", .method = "GET",
      .path = "/v1/live/queues", .options = top_options, .run = cli_run_top,
      .example = "top\ntop --view agents --sort state\ntop --view waiting --filter 138 --once"),
    {.noun = NULL},
};
