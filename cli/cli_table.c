#include "cli/cli_table.h"

#include <string.h>

#include "cli/cli_run.h"

const struct cli_option cli_globals[] = {
    {"server", 's', CLI_TEXT, "URL", NULL,
     "node to ask, https://HOST:PORT; repeat it: the next is tried when one fails", NULL, true},
    {"config", 'c', CLI_TEXT, "FILE", NULL, "configuration (default: $CCCTL_CONFIG or ~/.config/ccctl.yaml)", "@file",
     false},
    {"context", 0, CLI_TEXT, "NAME", NULL, "context of the configuration (default: its `current`)", NULL, false},
    {"ca", 0, CLI_TEXT, "FILE", NULL, "certificates that the servers are checked against", "@file", false},
    {"output", 'o', CLI_TEXT, "FORMAT", NULL, "table, wide, json or csv", "table wide json csv", false},
    {"watch", 'w', CLI_TEXT, "SECONDS", NULL, "show again every SECONDS (default 2) until Ctrl-C", NULL, false},
    {"timeout", 0, CLI_TEXT, "SECONDS", NULL, "give up after this time (default 15)", NULL, false},
    {"dry-run", 'n', CLI_FLAG, NULL, NULL, "say what would be done, and do not do it", NULL, false},
    {"idempotency-key", 0, CLI_TEXT, "KEY", NULL,
     "a repetition with the same key changes nothing (default: made for each request)", NULL, false},
    {"consistent", 0, CLI_FLAG, NULL, NULL, "reads: the node first catches up with all that was committed anywhere",
     NULL, false},
    {"no-color", 0, CLI_FLAG, NULL, NULL, "no colours (they are used on a terminal only; NO_COLOR does the same)", NULL,
     false},
    {"verbose", 'v', CLI_FLAG, NULL, NULL, "show each request on stderr", NULL, false},
    {"help", 'h', CLI_FLAG, NULL, NULL, "this help; at every level", NULL, false},
    {NULL, 0, CLI_FLAG, NULL, NULL, NULL, NULL, false},
};

#define END                                              \
    {                                                    \
        NULL, 0, CLI_FLAG, NULL, NULL, NULL, NULL, false \
    }
#define TEXT(name, metavar, field, help, values)               \
    {                                                          \
        name, 0, CLI_TEXT, metavar, field, help, values, false \
    }
#define NUMBER(name, metavar, field, help)                     \
    {                                                          \
        name, 0, CLI_NUMBER, metavar, field, help, NULL, false \
    }
#define BOOL(name, field, help)                                   \
    {                                                             \
        name, 0, CLI_BOOL, "yes|no", field, help, "yes no", false \
    }
#define ACTION(name, field, help)                                                                           \
    {                                                                                                       \
        name, 0, CLI_ACTION, "ACTION", field, help, "flow: queue: agent: extension: outside: hangup", false \
    }
#define LIMIT                                                                           \
    {                                                                                   \
        "limit", 0, CLI_NUMBER, "N", NULL, "at most N rows (default: all)", NULL, false \
    }
#define FILE_OPTION(help)                                         \
    {                                                             \
        "file", 'f', CLI_TEXT, "FILE", NULL, help, "@file", false \
    }

static const struct cli_option only_limit[] = {LIMIT, END};
static const struct cli_option agent_filters[] = {
    TEXT("state", "STATE", "state", "only agents in this state", "logged_out not_ready idle ringing talking wrap_up"),
    TEXT("activity", "NAME", "activity", "only agents who chose this state: ready, busy, away, ...", "@agent-state"),
    TEXT("group", "NAME", "group", "only agents of this group", NULL),
    TEXT("type", "TYPE", "type", "agent or supervisor", "agent supervisor"),
    TEXT("extension", "NUMBER", "extension", "the agent bound to this extension", "@extension"),
    LIMIT,
    END,
};
static const struct cli_option agent_fields[] = {
    TEXT("name", "TEXT", "name", "the agent's name", NULL),
    TEXT("extension", "NUMBER", "extension", "the telephone bound to the agent", "@extension"),
    TEXT("group", "NAME", "group", "group", NULL),
    TEXT("type", "TYPE", "type", "agent or supervisor", "agent supervisor"),
    NUMBER("level", "0-9", "level", "level, 9 highest, in queues whose membership names none"),
    TEXT("region", "NAME", "region", "home region, for queues that prefer it", NULL),
    {"customer", 0, CLI_LIST, "NUMBER", "customers",
     "all callers anew whose own agent this is; repeat it or separate by commas", NULL, true},
    {"skill", 0, CLI_SKILLS, "SKILL[:LEVEL[:UNTIL]]", "skills",
     "all skills anew, UNTIL a time such as 2026-12-31T00:00:00Z; repeat it or separate by commas", NULL, true},
    NUMBER("min-busy", "SECONDS", "min_busy_s", "least time not ready; 0: as the group says"),
    NUMBER("wrap-up", "SECONDS", "wrap_up_s", "time after calls of queues that have none; 0: as the group says"),
    END,
};
static const struct cli_option agent_login[] = {
    TEXT("extension", "NUMBER", "extension", "at this telephone (default: the bound one)", "@extension"),
    END,
};
static const struct cli_option agent_state[] = {
    TEXT("reason", "TEXT", "reason", "why, as reports will show it; some states have a list", NULL),
    {"force", 0, CLI_FLAG, NULL, "force", "as a supervisor: whatever the least time in busy is", NULL, false},
    NUMBER("extend", "SECONDS", "extend_s", "with wrap_up: so much longer"),
    END,
};
static const struct cli_option state_fields[] = {
    TEXT("name-zh", "TEXT", "name_zh", "name for people, Chinese", NULL),
    TEXT("name-en", "TEXT", "name_en", "name for people, English", NULL),
    TEXT("code", "DIGITS", "code", "what agents dial after *74", NULL),
    {"reason", 0, CLI_LIST, "TEXT", "reasons", "all reasons anew; repeat it or separate by commas; \"\" for any", NULL,
     true},
    BOOL("reason-required", "reason_required", "whether a reason must be given"),
    NUMBER("limit", "SECONDS", "limit_s", "when it ends by itself; 0: as the parameter state_limit_s says"),
    TEXT("then", "WHAT", "then", "what follows the limit: ready or logout", "ready logout"),
    TEXT("counts-as", "WHAT", "counts_as", "in reports: work or break", "work break"),
    END,
};
static const struct cli_option group_fields[] = {
    TEXT("display-name", "TEXT", "display_name", "name for people", NULL),
    NUMBER("min-busy", "SECONDS", "min_busy_s", "least time not ready; 0: as the parameter min_busy_s says"),
    NUMBER("wrap-up", "SECONDS", "wrap_up_s", "time after calls of queues that have none"),
    END,
};
static const struct cli_option queue_fields[] = {
    TEXT("display-name", "TEXT", "display_name", "name for people", NULL),
    TEXT("strategy", "NAME", "strategy",
         "who is rung: longest_idle, login_order, fewest_answered, random, round_robin, least_occupied or ring_all",
         "longest_idle login_order fewest_answered random round_robin least_occupied ring_all"),
    NUMBER("ring-max", "N", "ring_max", "ring_all: how many are rung at once, 1 to 32; 0: 8"),
    TEXT("ring-no-answer", "STATE", "ring_no_answer",
         "ring_all: who was rung in vain is ready, and rung again, or not_ready; \"\": ready", "ready not_ready"),
    TEXT("vip", "LIST", "vip", "whose calls go first: those on its own list, on the global one, or none",
         "none global list"),
    {"prefer", 0, CLI_LIST, "WHAT", "preferences",
     "before the strategy: region, level, last_served, the first weighs most; \"\" for none",
     "region level last_served", true},
    NUMBER("priority-step", "SECONDS", "priority_step_s",
           "what a step of priority is worth in waiting; 0: priority is absolute"),
    NUMBER("target", "SECONDS", "target_s", "service target: its callers go behind those of others by so much"),
    NUMBER("last-served-hours", "N", "last_served_h", "how long an agent is remembered for a caller; 0: 168"),
    NUMBER("ring-time", "SECONDS", "ring_time_s", "how long an agent is rung"),
    NUMBER("wrap-up", "SECONDS", "wrap_up_s", "time of an agent after a call; 0: the agent's own"),
    TEXT("after-call", "WHAT", "after_call", "ready: no wrap-up, whatever the agent's own is; \"\" for wrap-up",
         "ready"),
    BOOL("quiet", "quiet", "no prompts and no music while waiting"),
    TEXT("music", "PROMPT", "music", "prompt to hear while waiting, or silence; \"\" for the music built in",
         "@prompt"),
    TEXT("welcome", "PROMPT", "welcome", "prompt for who comes to wait; \"\" for none", "@prompt"),
    {"announce", 0, CLI_LIST, "WHAT", "announce",
     "what waiting callers are told: position, wait or prompts, in this order; \"\" for nothing", "position wait",
     true},
    {"key", 0, CLI_KEYS, "KEY=ACTION", "keys",
     "all keys anew that its callers may press: KEY=stay, or KEY= and an action as of --full-action; \"\" for none",
     NULL, true},
    NUMBER("announce-first", "SECONDS", "announce_first_s", "how long after coming that is for the first time"),
    NUMBER("announce-every", "SECONDS", "announce_every_s", "and how long after that again; 0: once only"),
    NUMBER("announce-position-max", "N", "announce_position_max", "a place behind this one is not told; 0: each is"),
    BOOL("announce-agent", "announce_agent", "the caller hears the number of the agent who answers"),
    NUMBER("max-waiting", "N", "max_waiting", "callers that may wait; 0: no limit"),
    TEXT("vip-lookup", "NAME", "vip_lookup", "look-up that says whether a caller is a VIP; \"\" for none", "@lookup"),
    ACTION("full-action", "full_action",
           "done with callers beyond that: flow:NAME, queue:NAME, agent:NUMBER, extension:NUMBER, outside:NUMBER, "
           "hangup or "
           "hangup:PROMPT,...; \"\" for none: they are refused"),
    {"overflow", 0, CLI_FURTHER, "QUEUE:CONDITION:N", "overflow",
     "all queues anew in which its callers wait as well: QUEUE:after:SECONDS of waiting, QUEUE:behind:PLACE, "
     "QUEUE:longer:SECONDS "
     "(estimated wait); \"\" for none",
     NULL, true},
    NUMBER("dedicated-wait", "SECONDS", "dedicated_wait_s", "so long a caller waits for his own agent alone"),
    NUMBER("keep-idle", "N", "keep_idle", "members that calls of campaigns leave idle"),
    NUMBER("max-wait", "SECONDS", "max_wait_s", "after so much waiting --max-wait-action is done; 0: never"),
    ACTION("max-wait-action", "max_wait_action", "where a caller then goes, as --full-action"),
    NUMBER("no-agents-wait", "SECONDS", "no_agents_wait_s",
           "the same while no member is logged in; 0: at once, if --no-agents-action is given"),
    ACTION("no-agents-action", "no_agents_action", "where a caller then goes, as --full-action"),
    {"member", 'm', CLI_MEMBERS, "AGENT[:LEVEL]", "members", "all members anew; repeat it or separate by commas",
     "@agent", true},
    END,
};
static const struct cli_option member_level[] = {NUMBER("level", "0-9", NULL, "level of the member"), END};
static const struct cli_option call_filters[] = {
    TEXT("phase", "PHASE", "phase", "only calls in this phase", "app menu waiting offered dialling talking"),
    TEXT("owner", "NODE", "owner", "only calls of this node", "@node"),
    TEXT("queue", "NAME", "queue", "only calls of this queue", "@queue"),
    TEXT("agent", "NUMBER", "agent", "only calls of this agent", "@agent"),
    TEXT("caller", "NUMBER", "caller", "only this caller", NULL),
    TEXT("called", "NUMBER", "called", "only this number called", NULL),
    LIMIT,
    END,
};
static const struct cli_option cdr_filters[] = {
    TEXT("caller", "NUMBER", "caller", "only this caller", NULL),
    TEXT("called", "NUMBER", "called", "only this number called", NULL),
    TEXT("agent", "NUMBER", "agent", "only this agent", "@agent"),
    TEXT("queue", "NAME", "queue", "only this queue", "@queue"),
    TEXT("extension", "NUMBER", "extension", "only calls from this extension", "@extension"),
    TEXT("trunk", "NAME", "trunk", "only calls of this trunk", "@trunk"),
    TEXT("owner", "NODE", "owner", "only calls that ended at this node", "@node"),
    TEXT("direction", "WORD", "direction", "inbound, internal or outbound", "inbound internal outbound"),
    TEXT("cause", "WORD", "cause", "only calls that ended for this cause", NULL),
    TEXT("from", "TIME", "from", "from this time on: 2026-03-01, 2026-03-01T09:30:00Z, or 2h, 3d ago", NULL),
    TEXT("to", "TIME", "to", "before this time", NULL),
    LIMIT,
    END,
};
static const struct cli_option extension_filters[] = {TEXT("site", "NAME", "site", "only of this site", NULL), LIMIT,
                                                      END};
static const struct cli_option extension_fields[] = {
    TEXT("display-name", "TEXT", "display_name", "name for people", NULL),
    TEXT("contact", "URI", "contact",
         "called there without registration: sip:USER@IP:PORT[;transport=tcp]; \"\" for none", NULL),
    TEXT("site", "NAME", "site", "site", NULL),
    BOOL("disabled", "disabled", "whether it is switched off"),
    {"password-file", 0, CLI_SECRET, "FILE", "password", "first line is the new password", "@file", false},
    {"password-stdin", 0, CLI_STDIN, NULL, "password", "first line of standard input is the new password", NULL, false},
    END,
};
static const struct cli_option drain_options[] = {
    {"wait", 0, CLI_FLAG, NULL, NULL, "until no calls and no service addresses are left there", NULL, false},
    END,
};
static const struct cli_option address_filters[] = {
    TEXT("home", "NODE", "home", "only addresses of this node", "@node"),
    TEXT("holder", "NODE", "holder", "only addresses that are at this node", "@node"),
    TEXT("state", "STATE", "state", "only in this state", "bound pending moving failed"),
    LIMIT,
    END,
};
static const struct cli_option network_fields[] = {
    {"range", 'r', CLI_LIST, "RANGE", "ranges", "all its ranges anew: 192.0.2.0/24; repeat it or separate by commas",
     NULL, true},
    TEXT("takeover", "HOW", "takeover", "how calls go on when a node dies: address or reinvite", "address reinvite"),
    TEXT("site", "NAME", "site", "the site of its telephones", NULL),
    END,
};
static const struct cli_option trunk_fields[] = {
    {"source", 0, CLI_LIST, "RANGE", "sources",
     "addresses whose calls are taken, 192.0.2.0/24; repeat it or separate by commas", NULL, true},
    TEXT("contact", "URI", "contact", "where calls out go: sip:IP:PORT, sip:IP:PORT;transport=tcp", NULL),
    BOOL("outbound", "outbound", "whether calls may go out through it"),
    TEXT("caller-id", "NUMBER", "caller_id",
         "the number that calls out show (default: the access number that was called)", NULL),
    BOOL("disabled", "disabled", "whether it is switched off"),
    TEXT("takeover", "HOW", "takeover", "how calls go on when a node dies (default: as its network says)",
         "address reinvite"),
    TEXT("identity", "WHERE", "identity",
         "where the caller's number is: from or asserted (default: where there is one)", "from asserted"),
    END,
};
static const struct cli_option number_filters[] = {
    TEXT("flow", "NAME", "flow", "only those of this flow", "@flow"),
    TEXT("queue", "NAME", "queue", "only those of this queue", "@queue"),
    LIMIT,
    END,
};
static const struct cli_option number_fields[] = {
    TEXT("flow", "NAME", "flow", "leads to this flow", "@flow"),
    TEXT("queue", "NAME", "queue", "leads to this queue", "@queue"),
    TEXT("app", "NAME", "app", "leads to echo or tone", "echo tone"),
    TEXT("extension", "NUMBER", "extension", "leads to this extension", "@extension"),
    TEXT("agent", "NUMBER", "agent", "leads to this agent", "@agent"),
    TEXT("outside", "NUMBER", "outside", "leads to this number outside, through a trunk", NULL),
    NUMBER("priority", "N", "priority", "of its callers in queues"),
    BOOL("vip", "vip", "its callers go first in queues"),
    TEXT("dedicated-agent", "NUMBER", "dedicated_agent", "own agent of its callers", "@agent"),
    TEXT("region", "NAME", "region", "region of its callers", NULL),
    {"skill", 0, CLI_SKILLS, "SKILL[:LEVEL]", "skills",
     "what its callers need, at this level or more; repeat it or separate by commas", NULL, true},
    TEXT("language", "CODE", "language", "zh or en instead of the flow's first", "zh en"),
    BOOL("quiet", "quiet", "no music for its callers while waiting"),
    {"when", 0, CLI_WHEN, "GROUP:KIND:NAME", "schedule",
     "leads there while the time group is open, the first that is; all anew: repeat it or separate by commas; \"\" for "
     "none",
     "@time-group", true},
    END,
};
#define HOURS(day)                                                                                                    \
    {                                                                                                                 \
        day, 0, CLI_LIST, "HOURS", day, "hours of this day, 08:30-12:00; repeat it or separate by commas", NULL, true \
    }
static const struct cli_option time_group_filters[] = {
    TEXT("zone", "NAME", "zone", "only those in this time zone", NULL),
    TEXT("holidays", "LIST", "holidays", "only those with this holiday list", "@holiday"),
    LIMIT,
    END,
};
#define WEEKDAYS "monday tuesday wednesday thursday friday saturday sunday"
static const struct cli_option time_group_fields[] = {
    TEXT("zone", "NAME", "zone", "time zone, such as Asia/Shanghai", NULL),
    TEXT("tz", "TZ", "tz", "without a zone: a POSIX TZ string of your own, such as CST-8", NULL),
    HOURS("monday"),
    HOURS("tuesday"),
    HOURS("wednesday"),
    HOURS("thursday"),
    HOURS("friday"),
    HOURS("saturday"),
    HOURS("sunday"),
    TEXT("holidays", "LIST", "holidays", "holiday list; \"\" for none", "@holiday"),
    {"holiday-hours", 0, CLI_LIST, "HOURS", "holiday_hours", "hours of holidays (default: closed)", NULL, true},
    TEXT("work-as", "DAY", "work_as", "whose hours make-up working days have (default monday)", WEEKDAYS),
    END,
};
static const struct cli_option time_group_test[] = {
    TEXT("at", "TIME", "at", "at this time: 2026-10-01T09:30:00+08:00, or \"2026-10-01 09:30\" here (default: now)",
         NULL),
    END,
};
static const struct cli_option holiday_day[] = {
    TEXT("name", "TEXT", NULL, "what it is called", NULL),
    TEXT("kind", "KIND", NULL, "off, or work for a make-up working day (default off)", "off work"),
    END,
};
static const struct cli_option holiday_import[] = {
    {"work-word", 0, CLI_LIST, "TEXT", NULL,
     "days whose summary has this in it are make-up working days; repeat it (default: 班, workday)", NULL, true},
    {"replace", 0, CLI_FLAG, NULL, NULL, "the list is what the file says (default: days that it does not name stay)",
     NULL, false},
    END,
};
#define IN_QUEUE TEXT("queue", "NAME", NULL, "on this queue's own list, not the global one", "@queue")
#define SKIP_FAULTY                                                                                                    \
    {                                                                                                                  \
        "skip-faulty", 0, CLI_FLAG, NULL, NULL, "leave lines with faults out (default: nothing is taken)", NULL, false \
    }
static const struct cli_option blacklist_filters[] = {
    TEXT("direction", "WORD", "direction", "only entries of exactly this direction", "in out both"),
    LIMIT,
    END,
};
static const struct cli_option blacklist_fields[] = {
    TEXT("direction", "WORD", "direction", "in: callers over trunks (default); out: numbers dialled; both",
         "in out both"),
    TEXT("note", "TEXT", "note", "why", NULL),
    END,
};
static const struct cli_option blacklist_test[] = {
    TEXT("direction", "WORD", "direction", "in: a caller (default); out: a number that is dialled", "in out"),
    END,
};
static const struct cli_option blacklist_import[] = {
    TEXT("direction", "WORD", NULL, "of lines that name none: in (default), out or both", "in out both"),
    SKIP_FAULTY,
    END,
};
static const struct cli_option vip_filters[] = {
    TEXT("queue", "NAME", "queue", "only this queue's own list; \"\": the global one", "@queue"),
    TEXT("number", "NUMBER", "number", "only this entry", NULL),
    LIMIT,
    END,
};
static const struct cli_option vip_fields[] = {IN_QUEUE, TEXT("note", "TEXT", "note", "who it is", NULL), END};
static const struct cli_option vip_queue[] = {IN_QUEUE, END};
static const struct cli_option vip_test[] = {
    TEXT("queue", "NAME", "queue", "as this queue sees it (default: on the global list)", "@queue"),
    END,
};
static const struct cli_option vip_import[] = {IN_QUEUE, SKIP_FAULTY, END};
static const struct cli_option flow_file[] = {FILE_OPTION("the flow, YAML or JSON; - for standard input"), END};
#define LANGUAGE TEXT("language", "CODE", "language", "zh, en or another; needed", "zh en")
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
    NUMBER("version", "N", "version", "as it was in this version"),
    TEXT("caller", "NUMBER", "caller", "who calls", NULL),
    TEXT("called", "NUMBER", "called", "the number that was called", NULL),
    TEXT("language", "NAME", "language", "begin in this language", NULL),
    TEXT("time", "TIME", "time", "as if it were that time (default: now)", NULL),
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
static const struct cli_option token_role[] = {
    TEXT("role", "ROLE", "role", "admin or read (default read)", "admin read"), END};
static const struct cli_option token_filters[] = {TEXT("role", "ROLE", "role", "only of this role", "admin read"),
                                                  LIMIT, END};
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
static const struct cli_option transfer_options[] = {
    TEXT("to", "NODE", "to", "to this node (default: the one furthest ahead)", "@node"), END};
static const struct cli_option nearest_options[] = {
    TEXT("site", "NAME", "site", "for phones of this site (default: of the network of the address)", NULL),
    TEXT("address", "IP", "address", "for a phone at this address (default: this computer's)", NULL),
    TEXT("transport", "NAME", "transport", "udp or tcp (default udp)", "udp tcp"),
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

#define NODE_COLUMNS                                                                                           \
    "NAME=name STATE=up/up ISOLATED=isolated/yes DRAINING=draining/yes ROLE=role LEADER=leader/yes SITE=site " \
    "CALLS=calls HELD=held_addresses HOME=home_addresses SIP=sip HTTPS=https PEER=peer VERSION=version "       \
    "SINCE=since/age | ID=node_id CONNECTED=connected/yes RTT=rtt_us/us MATCH=match_index INCARNATION=incarnation"
#define AGENT_COLUMNS                                                                                                \
    "NUMBER=number NAME=name STATE=state/state FOR=since/age REASON=reason EXTENSION=extension_in_use CALL=call_id " \
    "ANSWERED=answered QUEUES=queues | BOUND=extension GROUP=group TYPE=type LEVEL=level REGION=region "             \
    "LOGIN=login_at/time ACTIVITY=activity UNTIL=until/time WORK=work_s BREAK=break_s "                              \
    "VERSION=version"
#define STATE_COLUMNS                                                                                        \
    "NAME=name CODE=code ZH=name_zh EN=name_en REASONS=reasons LIMIT=limit_s THEN=then COUNTS-AS=counts_as " \
    "| REQUIRED=reason_required/yes BUILT-IN=built_in/yes VERSION=version"
#define GROUP_COLUMNS "NAME=name DISPLAY-NAME=display_name MIN-BUSY=min_busy_s WRAP-UP=wrap_up_s | VERSION=version"
#define QUEUE_COLUMNS                                                                                            \
    "NAME=name WAITING=waiting LONGEST=longest_wait_ms/ms ESTIMATE=estimated_wait_s AVAILABLE=available "        \
    "TALKING=talking LOGGED-IN=logged_in "                                                                       \
    "MEMBERS=members/count STRATEGY=strategy RING=ring_time_s WRAP-UP=wrap_up_s "                                \
    "| DISPLAY-NAME=display_name QUIET=quiet/yes MUSIC=music WELCOME=welcome ANNOUNCE=announce MAX=max_waiting " \
    "PREFER=preferences STEP=priority_step_s "                                                                   \
    "TARGET=target_s RING-MAX=ring_max NO-ANSWER=ring_no_answer VERSION=version"
#define CALL_COLUMNS                                                                                               \
    "CALL=call_id OWNER=owner PHASE=phase/state CALLER=caller CALLED=called QUEUE=queue AGENT=agent "              \
    "ARRIVED=arrived_at/age "                                                                                      \
    "| EPOCH=epoch NAME=caller_name TRUNK=trunk EXTENSION=extension OUT-TRUNK=out_trunk FLOW=flow NODE=flow_node " \
    "LANGUAGE=language "                                                                                           \
    "TAKEN-OVER=taken_over_at/time POSITION=position ANSWERED=answered_at/time QUEUED=queued_at/time "             \
    "CONNECTED=connected_at/time SERVED-BY=served_queue OVERFLOW=overflow OWN=dedicated_agent LEGS=legs/count"
#define CDR_COLUMNS                                                                                                    \
    "CALL=call_id ARRIVED=arrived_at/time CALLER=caller CALLED=called QUEUE=queue AGENT=agent WAIT=wait_ms/ms "        \
    "TALK=talk_ms/ms "                                                                                                 \
    "ENDED-BY=ended_by CAUSE=cause | RECORD=record_id DIRECTION=direction TRUNK=trunk EXTENSION=extension "            \
    "ANSWERED-BY=answered_by FLOW=flow OWNER=owner ANSWERED=answered_at/time MENU=menu_at/time QUEUED=queued_at/time " \
    "OFFERED=offered_at/time CONNECTED=connected_at/time ENDED=ended_at/time DURATION=duration_ms/ms "                 \
    "STATUS=sip_status "                                                                                               \
    "OFFERS=offers SERVED-BY=served_queue TAKEN-OVER=taken_over/yes LOST=quality.rx_lost"
#define EXTENSION_COLUMNS                                                                                   \
    "NUMBER=number NAME=display_name REGISTERED=registrations/count AT=registrations.node CONTACT=contact " \
    "PASSWORD=has_password/yes DISABLED=disabled/yes | SITE=site URI=registrations.uri "                    \
    "PHONE=registrations.user_agent VERSION=version"
#define TRUNK_COLUMNS                                                                                            \
    "NAME=name SOURCES=sources CONTACT=contact OUTBOUND=outbound/yes DISABLED=disabled/yes TAKEOVER=takeover | " \
    "CALLER-ID=caller_id VERSION=version "                                                                       \
    "UPDATED=updated_at/time"
#define NETWORK_COLUMNS "NAME=name RANGES=ranges TAKEOVER=takeover SITE=site | VERSION=version UPDATED=updated_at/time"
#define ADDRESS_COLUMNS "ADDRESS=ip STATE=state/state HOLDER=holder HOME=home TARGET=target WHY=why | EPOCH=epoch"
#define NUMBER_COLUMNS                                                                                               \
    "NUMBER=number FLOW=flow QUEUE=queue APP=app EXTENSION=extension AGENT=agent OUTSIDE=outside PRIORITY=priority " \
    "LANGUAGE=language "                                                                                             \
    "WHEN=schedule.time_group | VIP=vip/yes REGION=region VERSION=version UPDATED=updated_at/time"
#define TIME_GROUP_COLUMNS                                                                                   \
    "NAME=name ZONE=zone MONDAY=monday TUESDAY=tuesday WEDNESDAY=wednesday THURSDAY=thursday FRIDAY=friday " \
    "SATURDAY=saturday SUNDAY=sunday HOLIDAYS=holidays | TZ=tz HOLIDAY-HOURS=holiday_hours WORK-AS=work_as " \
    "VERSION=version"
#define HOLIDAY_COLUMNS "NAME=name DAYS=days/count UPDATED=updated_at/time | VERSION=version"
#define BLACKLIST_COLUMNS "NUMBER=number DIRECTION=direction NOTE=note | VERSION=version UPDATED=updated_at/time"
#define VIP_COLUMNS "NUMBER=number QUEUE=queue NOTE=note | VERSION=version UPDATED=updated_at/time"
#define FLOW_COLUMNS \
    "NAME=name LANGUAGES=definition.languages START=definition.start VERSION=version UPDATED=updated_at/time"
#define PROMPT_COLUMNS \
    "NAME=name LANGUAGES=sounds.language PLAYED=sounds.current | VERSION=version UPDATED=updated_at/time"
#define VERSION_COLUMNS                                                                                               \
    "LANGUAGE=language VERSION=version PLAYED=played/yes LENGTH=duration_ms/ms FILE=file TEXT=text BY=by AT=at/time " \
    "| BYTES=bytes SHA256=sha256"
#define PARAMETER_COLUMNS "NAME=name VALUE=value | VERSION=version UPDATED=updated_at/time"
#define SECRET_COLUMNS "NAME=name UPDATED=updated_at/time | VERSION=version"
#define LOOKUP_COLUMNS                                                                           \
    "NAME=name URL=url TIMEOUT=timeout_ms/ms ON-ERROR=on_error CACHE=cache_s | VERSION=version " \
    "UPDATED=updated_at/time"
#define TOKEN_COLUMNS "NAME=name ROLE=role UPDATED=updated_at/time | VERSION=version"
#define AUDIT_COLUMNS \
    "TIME=time/time ACTOR=actor ACTION=action OBJECT=object RESULT=code | INDEX=index ORIGIN=origin NODE=node"

#define V(noun_, verb_, summary_, ...)                                 \
    {                                                                  \
        .noun = noun_, .verb = verb_, .summary = summary_, __VA_ARGS__ \
    }

const struct cli_verb cli_verbs[] = {
    V("cluster", "status", "which nodes are there, who leads, are all well", .path = "/v1/cluster",
      .columns = NODE_COLUMNS, .run = cli_run_cluster_status,
      .example = "cluster status\ncluster status -o json\ncluster status --watch 1"),
    V("cluster", "verify", "compare the state of all nodes at one index", .method = "POST",
      .path = "/v1/cluster:verify", .columns = "NAME=name OK=ok/yes INDEX=index DIGEST=digest ERROR=error",
      .run = cli_run_cluster_verify, .example = "cluster verify"),
    V("cluster", "transfer", "hand leadership over", .method = "POST", .path = "/v1/cluster:transfer",
      .options = transfer_options, .done = "leadership handed over", .run = cli_run_change,
      .example = "cluster transfer\ncluster transfer --to n2"),

    V("node", "list", "all nodes", .method = "GET", .path = "/v1/nodes", .columns = NODE_COLUMNS, .options = only_limit,
      .run = cli_run_list, .example = "node list\nnode list -o wide"),
    V("node", "show", "one node", .args = "NAME", .method = "GET", .path = "/v1/nodes/{NAME}", .run = cli_run_show,
      .example = "node show n2"),
    V("node", "nearest", "which nodes phones and trunks should use, best first", .method = "GET",
      .path = "/v1/nodes/nearest", .options = nearest_options,
      .columns = "NAME=name SITE=site SIP=sip RTT=rtt_us/us CALLS=calls HTTPS=https REASON=reason | URI=uris "
                 "SAME-SITE=same_site/yes",
      .run = cli_run_nearest, .example = "node nearest\nnode nearest --site north\nnode nearest --address 192.0.2.77"),
    V("node", "status", "threads, queues, disk and counters of a node, asked there", .args = "NAME", .method = "GET",
      .path = "/v1/nodes/{NAME}/status", .run = cli_run_node_status, .example = "node status n2"),
    V("node", "add", "let a new node join; it votes once it has caught up", .args = "NAME ADDRESS", .method = "POST",
      .path = "/v1/nodes", .body = "NAME=name ADDRESS=address",
      .done = "node {NAME} may join now: start it with `join:` set", .run = cli_run_change,
      .example = "node add n4 192.0.2.4:7400"),
    V("node", "remove", "take a node out of the cluster", .args = "NAME", .method = "DELETE",
      .path = "/v1/nodes/{NAME}", .done = "node {NAME} removed", .run = cli_run_change, .example = "node remove n4"),
    V("node", "drain", "no new calls there; its calls and addresses go to other nodes", .args = "NAME",
      .method = "POST", .path = "/v1/nodes/{NAME}:drain", .options = drain_options, .done = "node {NAME} drains",
      .run = cli_run_node_drain, .example = "node drain n2 --wait"),
    V("node", "undrain", "take it into service again; its addresses come home", .args = "NAME", .method = "POST",
      .path = "/v1/nodes/{NAME}:undrain", .done = "node {NAME} is in service", .run = cli_run_change,
      .example = "node undrain n2"),

    V("address", "list", "service addresses: whose they are and where they are", .method = "GET",
      .path = "/v1/addresses", .columns = ADDRESS_COLUMNS, .options = address_filters, .run = cli_run_list,
      .example = "address list\naddress list --state failed"),
    V("address", "show", "one service address", .args = "IP", .method = "GET", .path = "/v1/addresses/{IP}",
      .run = cli_run_show, .example = "address show 192.0.2.1"),
    V("address", "move", "move a service address, with its calls, to another node", .args = "IP NODE", .method = "POST",
      .path = "/v1/addresses/{IP}:move", .body = "NODE=to", .done = "address {IP} is on its way to node {NODE}",
      .run = cli_run_change, .example = "address move 192.0.2.1 n2"),

    V("agent", "list", "agents and what they do now", .method = "GET", .path = "/v1/agents", .columns = AGENT_COLUMNS,
      .options = agent_filters, .run = cli_run_list,
      .example = "agent list\nagent list --state idle\nagent list --watch"),
    V("agent", "show", "one agent", .args = "NUMBER", .method = "GET", .path = "/v1/agents/{NUMBER}",
      .run = cli_run_show, .example = "agent show 1001"),
    V("agent", "set", "create an agent or change the given fields", .args = "NUMBER", .method = "PATCH",
      .path = "/v1/agents/{NUMBER}", .options = agent_fields, .done = "agent {NUMBER} set", .run = cli_run_set,
      .example = "agent set 1001 --name \"Li Na\" --extension 8001"),
    V("agent", "delete", "remove an agent", .args = "NUMBER", .method = "DELETE", .path = "/v1/agents/{NUMBER}",
      .done = "agent {NUMBER} deleted", .run = cli_run_change, .example = "agent delete 1001"),
    V("agent", "login", "log an agent in", .args = "NUMBER", .method = "POST", .path = "/v1/agents/{NUMBER}:login",
      .options = agent_login, .done = "agent {NUMBER} logged in", .run = cli_run_change,
      .example = "agent login 1001\nagent login 1001 --extension 8005"),
    V("agent", "logout", "log an agent out", .args = "NUMBER", .method = "POST", .path = "/v1/agents/{NUMBER}:logout",
      .done = "agent {NUMBER} logged out", .run = cli_run_change, .example = "agent logout 1001"),
    V("agent", "set-state", "make an agent ready (the default), not_ready, busy, away, ..., or extend his wrap_up",
      .args = "NUMBER [STATE]", .method = "POST", .path = "/v1/agents/{NUMBER}:set-state", .body = "STATE=state",
      .options = agent_state, .done = "state of agent {NUMBER} set", .run = cli_run_change,
      .example =
          "agent set-state 1001 ready\nagent set-state 1001 not_ready --reason lunch\nagent set-state 1001 break\n"
          "agent set-state 1001 ready --force\nagent set-state 1001 wrap_up --extend 30"),

    V("agent", "why-not", "why an agent is not offered the calls of a queue", .args = "AGENT QUEUE", .method = "GET",
      .path = "/v1/queues/{QUEUE}/agents/{AGENT}/explanation", .run = cli_run_explain,
      .example = "agent why-not 1001 service"),

    V("agent-state", "list", "what agents may choose to be, with their codes and limits", .method = "GET",
      .path = "/v1/agent-states", .columns = STATE_COLUMNS, .options = only_limit, .run = cli_run_list,
      .example = "agent-state list"),
    V("agent-state", "show", "one state", .args = "NAME", .method = "GET", .path = "/v1/agent-states/{NAME}",
      .run = cli_run_show, .example = "agent-state show lunch"),
    V("agent-state", "set", "create a state or change the given fields, of a built-in one too", .args = "NAME",
      .method = "PATCH", .path = "/v1/agent-states/{NAME}", .options = state_fields, .done = "agent state {NAME} set",
      .run = cli_run_set,
      .example = "agent-state set lunch --name-zh 午餐 --code 5 --limit 1800\nagent-state set training --counts-as "
                 "work --limit 7200 --then logout --reason product,safety --reason-required yes"),
    V("agent-state", "delete", "remove a state; a built-in one is again as it was", .args = "NAME", .method = "DELETE",
      .path = "/v1/agent-states/{NAME}", .done = "agent state {NAME} deleted", .run = cli_run_change,
      .example = "agent-state delete lunch"),

    V("agent-group", "list", "groups that have settings of their own", .method = "GET", .path = "/v1/agent-groups",
      .columns = GROUP_COLUMNS, .options = only_limit, .run = cli_run_list, .example = "agent-group list"),
    V("agent-group", "show", "one group", .args = "NAME", .method = "GET", .path = "/v1/agent-groups/{NAME}",
      .run = cli_run_show, .example = "agent-group show east"),
    V("agent-group", "set", "create settings of a group or change the given ones", .args = "NAME", .method = "PATCH",
      .path = "/v1/agent-groups/{NAME}", .options = group_fields, .done = "agent group {NAME} set", .run = cli_run_set,
      .example = "agent-group set east --min-busy 20 --wrap-up 15"),
    V("agent-group", "delete", "remove the settings of a group", .args = "NAME", .method = "DELETE",
      .path = "/v1/agent-groups/{NAME}", .done = "agent group {NAME} deleted", .run = cli_run_change,
      .example = "agent-group delete east"),

    V("queue", "list", "queues with their numbers now", .method = "GET", .path = "/v1/queues", .columns = QUEUE_COLUMNS,
      .options = only_limit, .run = cli_run_list, .example = "queue list\nqueue list -o csv"),
    V("queue", "show", "one queue as configured, and its numbers", .args = "NAME", .method = "GET",
      .path = "/v1/queues/{NAME}", .run = cli_run_show, .example = "queue show service"),
    V("queue", "status", "who waits and who serves: of one queue, or the numbers of all", .args = "[NAME]",
      .method = "GET", .path = "/v1/queues/{NAME}/status", .columns = QUEUE_COLUMNS, .run = cli_run_queue_status,
      .example = "queue status\nqueue status service --watch 1"),
    V("queue", "explain", "why a caller waits, or why this agent was chosen", .args = "CALL", .method = "GET",
      .path = "/v1/calls/{CALL}/explanation", .columns = "AGENT=agent LEVEL=level STATE=state/state REASON=reason",
      .run = cli_run_explain, .example = "queue explain 00f3a1b2c4d5e6f7"),
    V("queue", "set", "create a queue or change the given fields", .args = "NAME", .method = "PATCH",
      .path = "/v1/queues/{NAME}", .options = queue_fields, .done = "queue {NAME} set", .run = cli_run_set,
      .example = "queue set service --ring-time 15 --wrap-up 10\nqueue set service --strategy round_robin --prefer "
                 "level,last_served\nqueue set sales --member 1001,1002:5"),
    V("queue", "delete", "remove a queue", .args = "NAME", .method = "DELETE", .path = "/v1/queues/{NAME}",
      .done = "queue {NAME} deleted", .run = cli_run_change, .example = "queue delete sales"),
    V("queue", "add-member", "add an agent to a queue, or change the level", .args = "NAME AGENT", .method = "PATCH",
      .path = "/v1/queues/{NAME}", .options = member_level, .done = "agent {AGENT} serves queue {NAME}",
      .run = cli_run_add_member, .example = "queue add-member service 1001 --level 5"),
    V("queue", "remove-member", "take an agent out of a queue", .args = "NAME AGENT", .method = "PATCH",
      .path = "/v1/queues/{NAME}", .done = "agent {AGENT} no longer serves queue {NAME}", .run = cli_run_remove_member,
      .example = "queue remove-member service 1001"),

    V("call", "list", "calls going on", .method = "GET", .path = "/v1/calls", .columns = CALL_COLUMNS,
      .options = call_filters, .run = cli_run_list, .example = "call list\ncall list --queue service --watch 1"),
    V("call", "show", "one call with its legs", .args = "CALL", .method = "GET", .path = "/v1/calls/{CALL}",
      .run = cli_run_show, .example = "call show 00f3a1b2c4d5e6f7"),
    V("call", "hangup", "end a call", .args = "CALL", .method = "POST", .path = "/v1/calls/{CALL}:hangup",
      .done = "call {CALL} is being ended", .run = cli_run_change, .example = "call hangup 00f3a1b2c4d5e6f7"),

    V("cdr", "list", "records of ended calls, latest first", .method = "GET", .path = "/v1/cdrs",
      .columns = CDR_COLUMNS, .options = cdr_filters, .run = cli_run_list,
      .example = "cdr list --limit 20\ncdr list --agent 1001 --from 1d\ncdr list --queue service -o csv > calls.csv"),
    V("cdr", "show", "one record with all stages and the quality of each leg", .args = "CALL", .method = "GET",
      .path = "/v1/cdrs/{CALL}", .run = cli_run_show, .example = "cdr show 00f3a1b2c4d5e6f7"),

    V("extension", "list", "telephones and where they are registered", .method = "GET", .path = "/v1/extensions",
      .columns = EXTENSION_COLUMNS, .options = extension_filters, .run = cli_run_list, .example = "extension list"),
    V("extension", "show", "one telephone", .args = "NUMBER", .method = "GET", .path = "/v1/extensions/{NUMBER}",
      .run = cli_run_show, .example = "extension show 8001"),
    V("extension", "set", "create an extension or change the given fields", .args = "NUMBER", .method = "PATCH",
      .path = "/v1/extensions/{NUMBER}", .options = extension_fields, .done = "extension {NUMBER} set",
      .run = cli_run_set,
      .example =
          "extension set 8001 --password-file secret.txt\nextension set 8030 --contact sip:8030@192.0.2.30:5060"),
    V("extension", "delete", "remove an extension", .args = "NUMBER", .method = "DELETE",
      .path = "/v1/extensions/{NUMBER}", .done = "extension {NUMBER} deleted", .run = cli_run_change,
      .example = "extension delete 8001"),

    V("trunk", "list", "trunks", .method = "GET", .path = "/v1/trunks", .columns = TRUNK_COLUMNS, .options = only_limit,
      .run = cli_run_list, .example = "trunk list"),
    V("trunk", "show", "one trunk", .args = "NAME", .method = "GET", .path = "/v1/trunks/{NAME}", .run = cli_run_show,
      .example = "trunk show carrier"),
    V("trunk", "set", "create a trunk or change the given fields", .args = "NAME", .method = "PATCH",
      .path = "/v1/trunks/{NAME}", .options = trunk_fields, .done = "trunk {NAME} set", .run = cli_run_set,
      .example = "trunk set carrier --source 192.0.2.0/24 --contact sip:192.0.2.10:5060"),
    V("trunk", "delete", "remove a trunk", .args = "NAME", .method = "DELETE", .path = "/v1/trunks/{NAME}",
      .done = "trunk {NAME} deleted", .run = cli_run_change, .example = "trunk delete carrier"),

    V("network", "list", "where telephones are, and how their calls go on", .method = "GET", .path = "/v1/networks",
      .columns = NETWORK_COLUMNS, .options = only_limit, .run = cli_run_list, .example = "network list"),
    V("network", "show", "one network", .args = "NAME", .method = "GET", .path = "/v1/networks/{NAME}",
      .run = cli_run_show, .example = "network show branch"),
    V("network", "set", "create a network or change the given fields", .args = "NAME", .method = "PATCH",
      .path = "/v1/networks/{NAME}", .options = network_fields, .done = "network {NAME} set", .run = cli_run_set,
      .example = "network set branch --range 192.0.2.0/24 --takeover reinvite --site west"),
    V("network", "delete", "remove a network", .args = "NAME", .method = "DELETE", .path = "/v1/networks/{NAME}",
      .done = "network {NAME} deleted", .run = cli_run_change, .example = "network delete branch"),

    V("access-number", "list", "numbers that lead somewhere", .method = "GET", .path = "/v1/access-numbers",
      .columns = NUMBER_COLUMNS, .options = number_filters, .run = cli_run_list, .example = "access-number list"),
    V("access-number", "show", "one access number", .args = "NUMBER", .method = "GET",
      .path = "/v1/access-numbers/{NUMBER}", .run = cli_run_show, .example = "access-number show 10000"),
    V("access-number", "set", "create an access number or change the given fields", .args = "NUMBER", .method = "PATCH",
      .path = "/v1/access-numbers/{NUMBER}", .options = number_fields, .done = "access number {NUMBER} set",
      .run = cli_run_access_number_set,
      .example = "access-number set 10000 --flow welcome\naccess-number set 10003 --queue service --priority 5\n"
                 "access-number set 10000 --flow closed --when office:queue:service,night:agent:1001"),
    V("access-number", "delete", "remove an access number", .args = "NUMBER", .method = "DELETE",
      .path = "/v1/access-numbers/{NUMBER}", .done = "access number {NUMBER} deleted", .run = cli_run_change,
      .example = "access-number delete 10003"),

    V("time-group", "list", "when is open", .method = "GET", .path = "/v1/time-groups", .columns = TIME_GROUP_COLUMNS,
      .options = time_group_filters, .run = cli_run_list, .example = "time-group list"),
    V("time-group", "show", "one time group", .args = "NAME", .method = "GET", .path = "/v1/time-groups/{NAME}",
      .run = cli_run_show, .example = "time-group show office"),
    V("time-group", "test", "whether it is open, and why", .args = "NAME", .method = "GET",
      .path = "/v1/time-groups/{NAME}/test", .options = time_group_test, .run = cli_run_time_group_test,
      .example = "time-group test office\ntime-group test office --at \"2026-10-01 09:30\""),
    V("time-group", "set", "create a time group or change the given fields", .args = "NAME", .method = "PATCH",
      .path = "/v1/time-groups/{NAME}", .options = time_group_fields, .done = "time group {NAME} set",
      .run = cli_run_set,
      .example = "time-group set office --zone Asia/Shanghai --monday 08:30-12:00,13:00-17:30 --holidays china\n"
                 "time-group set night --zone Asia/Shanghai --saturday 22:00-06:00"),
    V("time-group", "delete", "remove a time group", .args = "NAME", .method = "DELETE",
      .path = "/v1/time-groups/{NAME}", .done = "time group {NAME} deleted", .run = cli_run_change,
      .example = "time-group delete night"),

    V("holiday", "list", "holiday lists", .method = "GET", .path = "/v1/holiday-lists", .columns = HOLIDAY_COLUMNS,
      .options = only_limit, .run = cli_run_list, .example = "holiday list"),
    V("holiday", "show", "one holiday list with its days", .args = "LIST", .method = "GET",
      .path = "/v1/holiday-lists/{LIST}", .run = cli_run_show, .example = "holiday show china"),
    V("holiday", "add", "add a day to a list, or change it; the list is made when there is none", .args = "LIST DATE",
      .method = "PATCH", .path = "/v1/holiday-lists/{LIST}", .options = holiday_day,
      .done = "{DATE} is in holiday list {LIST}", .run = cli_run_holiday_add,
      .example = "holiday add china 2026-10-01 --name \"National Day\"\nholiday add china 2026-10-10 --kind work"),
    V("holiday", "remove", "take a day out of a list", .args = "LIST DATE", .method = "PATCH",
      .path = "/v1/holiday-lists/{LIST}", .done = "{DATE} is no longer in holiday list {LIST}",
      .run = cli_run_holiday_remove, .example = "holiday remove china 2026-10-01"),
    V("holiday", "import", "take days from a calendar file (iCalendar, .ics)", .args = "LIST FILE", .method = "PATCH",
      .path = "/v1/holiday-lists/{LIST}", .options = holiday_import,
      .done = "days of {FILE} are in holiday list {LIST}", .run = cli_run_holiday_import,
      .example = "holiday import china 2026.ics\nholiday import china 2026.ics --replace"),
    V("holiday", "delete", "remove a holiday list", .args = "LIST", .method = "DELETE",
      .path = "/v1/holiday-lists/{LIST}", .done = "holiday list {LIST} deleted", .run = cli_run_change,
      .example = "holiday delete china"),

    V("blacklist", "list", "numbers whose calls are refused", .method = "GET", .path = "/v1/blacklist",
      .columns = BLACKLIST_COLUMNS, .options = blacklist_filters, .run = cli_run_list, .example = "blacklist list"),
    V("blacklist", "test", "whether a call is refused, and by which entry", .args = "NUMBER", .method = "GET",
      .path = "/v1/blacklist/{NUMBER}/test", .options = blacklist_test, .run = cli_run_number_test,
      .example = "blacklist test 13800138000\nblacklist test 00852123456 --direction out"),
    V("blacklist", "add", "refuse the calls of a number, a range FROM-TO or a prefix 0900*; or change the entry",
      .args = "NUMBER", .method = "PATCH", .path = "/v1/blacklist/{NUMBER}", .options = blacklist_fields,
      .done = "{NUMBER} is on the blacklist", .run = cli_run_number_add,
      .example = "blacklist add 13800138000 --note \"silent calls\"\nblacklist add \"00*\" --direction out\n"
                 "blacklist add 13800000000-13800000999"),
    V("blacklist", "remove", "take an entry out", .args = "NUMBER", .method = "DELETE",
      .path = "/v1/blacklist/{NUMBER}", .done = "{NUMBER} is no longer on the blacklist", .run = cli_run_number_remove,
      .example = "blacklist remove 13800138000"),
    V("blacklist", "import", "add the entries of a file: one a line, or CSV with number, direction, note",
      .args = "FILE", .method = "POST", .path = "/v1/config:apply", .options = blacklist_import,
      .run = cli_run_number_import, .example = "blacklist import numbers.csv"),

    V("vip", "list", "callers who go first", .method = "GET", .path = "/v1/vips", .columns = VIP_COLUMNS,
      .options = vip_filters, .run = cli_run_list, .example = "vip list\nvip list --queue service"),
    V("vip", "test", "whether a caller is a VIP, and by which entry", .args = "NUMBER", .method = "GET",
      .path = "/v1/vips/{NUMBER}/test", .options = vip_test, .run = cli_run_number_test,
      .example = "vip test 13800138000 --queue service"),
    V("vip", "add", "let the calls of a number, a range FROM-TO or a prefix 0900* go first", .args = "NUMBER",
      .method = "PATCH", .path = "/v1/vips/{NUMBER}", .options = vip_fields, .done = "{NUMBER} is a VIP",
      .run = cli_run_number_add,
      .example = "vip add 13800138000 --note \"Li Na\"\nvip add 13800138000 --queue service"),
    V("vip", "remove", "take an entry out", .args = "NUMBER", .method = "DELETE", .path = "/v1/vips/{NUMBER}",
      .options = vip_queue, .done = "{NUMBER} is no longer a VIP", .run = cli_run_number_remove,
      .example = "vip remove 13800138000 --queue service"),
    V("vip", "import", "add the entries of a file: one a line, or CSV with number, note", .args = "FILE",
      .method = "POST", .path = "/v1/config:apply", .options = vip_import, .run = cli_run_number_import,
      .example = "vip import vips.csv --queue service"),

    V("flow", "list", "voice menus", .method = "GET", .path = "/v1/flows", .columns = FLOW_COLUMNS,
      .options = only_limit, .run = cli_run_list, .example = "flow list"),
    V("flow", "show", "one flow with its definition", .args = "NAME", .method = "GET", .path = "/v1/flows/{NAME}",
      .run = cli_run_show, .example = "flow show welcome -o json"),
    V("flow", "set", "create or replace a flow from a file", .args = "NAME", .method = "PUT",
      .path = "/v1/flows/{NAME}", .options = flow_file, .done = "flow {NAME} set", .run = cli_run_flow_set,
      .example = "flow set welcome -f welcome.yaml"),
    V("flow", "versions", "what a flow was before, newest first", .args = "NAME", .method = "GET",
      .path = "/v1/flows/{NAME}/versions", .columns = "VERSION=version LIVE=live/yes SINCE=since/time UNTIL=until/time",
      .run = cli_run_flow_versions, .example = "flow versions welcome"),
    V("flow", "rollback", "make a flow what it was in a version; calls going on keep theirs", .args = "NAME VERSION",
      .method = "POST", .path = "/v1/flows/{NAME}:rollback", .done = "flow {NAME} is as in version {VERSION}",
      .run = cli_run_flow_rollback, .example = "flow rollback welcome 1042"),
    V("flow", "test", "walk a flow without a call and print what happens", .args = "NAME", .method = "POST",
      .path = "/v1/flows/{NAME}:test", .options = flow_test_options, .columns = "NODE=node EVENT=event ACTION=action",
      .run = cli_run_flow_test,
      .example = "flow test welcome --keys 8,1\nflow test bill -f bill.yaml --keys 8812#,73# --http crm=answer.json\n"
                 "flow test welcome --time 2026-10-01T09:00:00Z"),
    V("flow", "delete", "remove a flow", .args = "NAME", .method = "DELETE", .path = "/v1/flows/{NAME}",
      .done = "flow {NAME} deleted", .run = cli_run_change, .example = "flow delete welcome"),

    V("prompt", "list", "what was uploaded or spoken, before the prompts that are built in", .method = "GET",
      .path = "/v1/prompts", .columns = PROMPT_COLUMNS, .options = only_limit, .run = cli_run_list,
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

    V("parameter", "list", "parameters of the whole cluster", .method = "GET", .path = "/v1/parameters",
      .columns = PARAMETER_COLUMNS, .options = only_limit, .run = cli_run_list, .example = "parameter list"),
    V("parameter", "set", "set a parameter", .args = "NAME VALUE", .method = "PUT", .path = "/v1/parameters/{NAME}",
      .body = "VALUE=value", .done = "parameter {NAME} set", .run = cli_run_change,
      .example = "parameter set language en"),
    V("parameter", "delete", "remove a parameter: its default holds again", .args = "NAME", .method = "DELETE",
      .path = "/v1/parameters/{NAME}", .done = "parameter {NAME} deleted", .run = cli_run_change,
      .example = "parameter delete language"),

    V("secret", "list", "keys that business systems want to see (never their values)", .method = "GET",
      .path = "/v1/secrets", .columns = SECRET_COLUMNS, .options = only_limit, .run = cli_run_list,
      .example = "secret list"),
    V("secret", "set", "create or change a secret; its value is never shown again", .args = "NAME", .method = "PATCH",
      .path = "/v1/secrets/{NAME}", .options = secret_fields, .done = "secret {NAME} set", .run = cli_run_set,
      .example = "secret set crm-key --value-file crm.key\nsecret set crm-key --value-stdin"),
    V("secret", "delete", "remove a secret that nothing uses", .args = "NAME", .method = "DELETE",
      .path = "/v1/secrets/{NAME}", .done = "secret {NAME} deleted", .run = cli_run_change,
      .example = "secret delete crm-key"),
    V("lookup", "list", "questions to business systems about callers", .method = "GET", .path = "/v1/lookups",
      .columns = LOOKUP_COLUMNS, .options = only_limit, .run = cli_run_list, .example = "lookup list"),
    V("lookup", "show", "one look-up", .args = "NAME", .method = "GET", .path = "/v1/lookups/{NAME}",
      .run = cli_run_show, .example = "lookup show crm"),
    V("lookup", "set", "create or change a look-up", .args = "NAME", .method = "PATCH", .path = "/v1/lookups/{NAME}",
      .options = lookup_fields, .done = "lookup {NAME} set", .run = cli_run_set,
      .example = "lookup set crm --url 'https://crm.example/vip?tel=${caller}' --header X-Api-Key=crm-key "
                 "--timeout-ms 800\nlookup set crm --on-error vip"),
    V("lookup", "delete", "remove a look-up that nothing uses", .args = "NAME", .method = "DELETE",
      .path = "/v1/lookups/{NAME}", .done = "lookup {NAME} deleted", .run = cli_run_change,
      .example = "lookup delete crm"),

    V("token", "list", "tokens of API clients (never the secrets)", .method = "GET", .path = "/v1/tokens",
      .columns = TOKEN_COLUMNS, .options = token_filters, .run = cli_run_list, .example = "token list"),
    V("token", "create", "make a token; its secret is printed this once and kept nowhere", .args = "NAME",
      .method = "PUT", .path = "/v1/tokens/{NAME}", .options = token_role, .done = "token {NAME} created",
      .run = cli_run_token_create, .example = "token create wallboard --role read > wallboard.token"),
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

const char *cli_noun_summary(const char *noun)
{
    static const struct {
        const char *noun, *summary;
    } nouns[] = {
        {"cluster", "the nodes together: health, leader, equality of state"},
        {"node", "the machines of the cluster"},
        {"address", "where phones and trunks find the nodes; they move when a node goes"},
        {"agent", "people who answer: accounts, log-in, state"},
        {"agent-state", "what agents may choose to be instead of ready"},
        {"agent-group", "what agents of a group have in common"},
        {"queue", "waiting lines and who serves them"},
        {"call", "calls going on"},
        {"cdr", "records of ended calls"},
        {"extension", "telephones"},
        {"trunk", "lines to carriers and gateways"},
        {"network", "where telephones are, and how their calls go on when a node dies"},
        {"access-number", "numbers that callers dial, and where they lead"},
        {"time-group", "when is open: hours of the week with holidays"},
        {"holiday", "lists of holidays and make-up working days"},
        {"blacklist", "numbers whose calls are refused"},
        {"vip", "callers who go first in queues"},
        {"flow", "voice menus"},
        {"prompt", "what callers hear: sounds that are uploaded or spoken"},
        {"parameter", "settings of the whole cluster"},
        {"secret", "keys that business systems want to see"},
        {"lookup", "questions to business systems about callers"},
        {"token", "keys of API clients"},
        {"events", "what happens, as it happens"},
        {"dns", "records by which phones and trunks find the nodes"},
        {"config", "the configuration as one file"},
        {"audit", "who changed what"},
        {"completion", "completion for bash and zsh"},
        {"version", "version of this program"},
    };
    for (size_t i = 0; i < sizeof nouns / sizeof *nouns; i++)
        if (strcmp(nouns[i].noun, noun) == 0)
            return nouns[i].summary;
    return NULL;
}

const struct cli_verb *cli_find_verb(const char *noun, const char *verb)
{
    for (const struct cli_verb *v = cli_verbs; v->noun; v++)
        if (strcmp(v->noun, noun) == 0 && strcmp(v->verb, verb) == 0)
            return v;
    return NULL;
}

static const struct cli_option *in_list(const struct cli_option *o, const char *name, size_t len, char letter)
{
    for (; o && o->name; o++)
        if (name ? strlen(o->name) == len && memcmp(o->name, name, len) == 0 : o->letter && o->letter == letter)
            return o;
    return NULL;
}

const struct cli_option *cli_find_option(const struct cli_verb *v, const char *name, size_t len)
{
    const struct cli_option *o = v ? in_list(v->options, name, len, 0) : NULL;
    return o ? o : in_list(cli_globals, name, len, 0);
}

const struct cli_option *cli_find_letter(const struct cli_verb *v, char letter)
{
    const struct cli_option *o = v ? in_list(v->options, NULL, 0, letter) : NULL;
    return o ? o : in_list(cli_globals, NULL, 0, letter);
}

bool cli_verb_arg(const struct cli_verb *v, unsigned i, const char **name, size_t *len, bool *optional)
{
    const char *s = v && v->args ? v->args : "";
    for (;; i--) {
        size_t n = strcspn(s, " ");
        if (n == 0)
            return false;
        if (i == 0) {
            *optional = *s == '[';
            *name = s + *optional;
            *len = n - 2 * (size_t)*optional;
            return true;
        }
        s += n + (s[n] == ' ');
    }
}
