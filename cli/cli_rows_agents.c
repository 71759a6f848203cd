/* Rows of agents, queues, calls and their records. */
#include "cli/cli_rows.h"
#include "cli/cli_run.h"

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
    {"manages-group", 0, CLI_LIST, "NAME", "manages_groups",
     "of a supervisor: all groups anew whose agents are seen and managed; \"\" for none", NULL, true},
    {"manages-queue", 0, CLI_LIST, "NAME", "manages_queues",
     "of a supervisor: all queues anew whose callers and members are; \"\" for none", NULL, true},
    NUMBER("min-busy", "SECONDS", "min_busy_s", "least time not ready; 0: as the group says"),
    NUMBER("wrap-up", "SECONDS", "wrap_up_s", "time after calls of queues that have none; 0: as the group says"),
    TEXT("outbound-trunk", "NAME", "outbound_trunk", "his calls out go through it; \"\": as the group says", "@trunk"),
    TEXT("caller-id", "NUMBER", "caller_id", "the number that they show, if the trunk permits it; \"\": the group's",
         NULL),
    END,
};
static const struct cli_option dial_fields[] = {
    TEXT("agent", "NUMBER", "agent", "instead of a number: this agent", "@agent"),
    TEXT("extension", "NUMBER", "extension", "instead of a number: this telephone", "@extension"),
    TEXT("caller-id", "NUMBER", "caller_id", "the number to show outside (default: as for his calls)", NULL),
    TEXT("customer", "KEY", "customer", "who that is in a business system", NULL),
    TEXT("notes", "TEXT", "notes", "for people: goes with the call", NULL),
    {"data", 0, CLI_PAIRS, "NAME=TEXT", "data", "something known about him; repeat it", NULL, true},
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
    TEXT("outbound-trunk", "NAME", "outbound_trunk", "calls out of its agents go through it; \"\": the parameter's",
         "@trunk"),
    TEXT("caller-id", "NUMBER", "caller_id", "the number that they show, if the trunk permits it; \"\": the trunk's",
         NULL),
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
    TEXT("rating-flow", "NAME", "rating_flow",
         "flow into which its callers go when the agent has hung up; \"\" for none", "@flow"),
    TEXT("voicemail-greeting", "PROMPT", "voicemail_greeting",
         "prompt before the tone of its voicemail box; \"\" for the one built in", "@prompt"),
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
    BOOL("notices", "notices", "callers who wait hear, before an announcement, each notice that is for them once"),
    NUMBER("max-waiting", "N", "max_waiting", "callers that may wait; 0: no limit"),
    TEXT("vip-lookup", "NAME", "vip_lookup", "look-up that says whether a caller is a VIP; \"\" for none", "@lookup"),
    ACTION("full-action", "full_action",
           "done with callers beyond that: flow:NAME, queue:NAME, agent:NUMBER, extension:NUMBER, outside:NUMBER, "
           "callback, hangup, hangup:PROMPT,... , voicemail or voicemail:BOX; \"\" for none: they are refused"),
    NUMBER("callback-tries", "N", "callback_tries", "so often who is called back is called at most; 0: 3"),
    NUMBER("callback-interval", "SECONDS", "callback_interval_s", "so long after he was called in vain; 0: 300"),
    NUMBER("callback-ring", "SECONDS", "callback_ring_s", "so long his telephone rings; 0: 30"),
    TEXT("callback-trunk", "NAME", "callback_trunk", "through which he is called; \"\" as for other calls out",
         "@trunk"),
    TEXT("callback-caller-id", "NUMBER", "callback_caller_id",
         "the number shown to him; \"\" the one that he called, else the trunk's", NULL),
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
    TEXT("phase", "PHASE", "phase", "only calls in this phase",
         "app menu waiting offered dialling talking failed notice joined"),
    TEXT("owner", "NODE", "owner", "only calls of this node", "@node"),
    TEXT("queue", "NAME", "queue", "only calls of this queue", "@queue"),
    TEXT("agent", "NUMBER", "agent", "only calls of this agent", "@agent"),
    TEXT("caller", "NUMBER", "caller", "only this caller", NULL),
    TEXT("called", "NUMBER", "called", "only this number called", NULL),
    TEXT("customer", "KEY", "customer", "only of this customer", NULL),
    LIMIT,
    END,
};
#define WHOM(verb)                                                                      \
    TEXT("agent", "NUMBER", "agent", verb " this agent", "@agent"),                     \
        TEXT("extension", "NUMBER", "extension", verb " this telephone", "@extension"), \
        TEXT("queue", "NAME", "queue", verb " an agent of this queue", "@queue"),       \
        TEXT("outside", "NUMBER", "number", verb " a number outside, through a trunk", NULL)
static const struct cli_option consult_fields[] = {
    WHOM("consult"),
    TEXT("leg", "WHO", "leg", "who consults: caller, callee, an agent or a telephone; else the agent", NULL),
    END,
};
static const struct cli_option conference_fields[] = {WHOM("ring"), END};
static const struct cli_option drop_fields[] = {
    TEXT("party", "WHO", "party", "number or agent of that party; caller, callee", NULL),
    END,
};
static const struct cli_option transfer_fields[] = {
    TEXT("agent", "NUMBER", "agent", "to this agent", "@agent"),
    TEXT("extension", "NUMBER", "extension", "to this telephone", "@extension"),
    TEXT("queue", "NAME", "queue", "to this queue", "@queue"),
    NUMBER("priority", "N", "priority", "in that queue"),
    TEXT("flow", "NAME", "flow", "to the beginning of this flow", "@flow"),
    TEXT("box", "NAME", "box", "to leave a message in this box: an agent, a queue, or any name", NULL),
    TEXT("outside", "NUMBER", "number", "to this number outside", NULL),
    TEXT("leg", "PARTY", "leg",
         "who leaves the call: caller, callee, an agent or an extension (default: the agent, or who is at one of our "
         "telephones)",
         "caller callee"),
    END,
};
static const struct cli_option ringing_fields[] = {
    TEXT("leg", "PARTY", "leg", "which, if several are being rung: an agent or an extension", NULL),
    END,
};
static const struct cli_option party_fields[] = {
    TEXT("leg", "PARTY", "leg",
         "which party: caller, callee, an agent or an extension (default: the agent, or who is at one of our "
         "telephones)",
         "caller callee"),
    END,
};
static const struct cli_option data_fields[] = {
    TEXT("customer", "KEY", "customer", "who the caller is in your business system; \"\" for not known", NULL),
    TEXT("notes", "TEXT", "notes", "for whoever serves him next", NULL),
    {"marked", 0, CLI_BOOL, "yes|no", "marked", "somebody to be remembered, as interested for one", "yes no", false},
    {"data", 0, CLI_PAIRS, "NAME=TEXT", "data", "something known about him; repeat it; NAME= removes it", NULL, true},
    END,
};
static const struct cli_option callback_filters[] = {
    TEXT("queue", "NAME", "queue", "only those of this queue", "@queue"),
    TEXT("number", "NUMBER", "number", "only this number", NULL),
    TEXT("state", "STATE", "state", "waiting, scheduled or calling", "waiting scheduled calling"),
    LIMIT,
    END,
};
static const struct cli_option callback_fields[] = {
    {"at", 0, CLI_TIME, "TIME", "due_at",
     "not before: 2026-03-01T09:30, 2026-03-01T01:30:00Z, or 30m, 2h, 1d from now (default: now)", NULL, false},
    NUMBER("priority", "N", "priority", "in the queue"),
    TEXT("note", "TEXT", "note", "for people", NULL),
    END,
};
#define MISSED_FILTERS                                                                                            \
    TEXT("kind", "KIND", "kind", "menu, queue, unanswered or ringing", "menu queue unanswered ringing"),          \
        TEXT("queue", "NAME", "queue", "only this queue", "@queue"),                                              \
        TEXT("agent", "NUMBER", "agent", "only calls for which this agent was rung last", "@agent"),              \
        TEXT("caller", "NUMBER", "caller", "only this caller", NULL),                                             \
        BOOL("reached", "reached", "whether somebody has talked with him since"),                                 \
        TEXT("from", "TIME", "from", "from this time on: 2026-03-01, 2026-03-01T09:30:00Z, or 2h, 3d ago", NULL), \
        TEXT("to", "TIME", "to", "before this time", NULL)
static const struct cli_option missed_filters[] = {MISSED_FILTERS, LIMIT, END};
static const struct cli_option missed_counts[] = {MISSED_FILTERS, END};
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
    TEXT("customer", "KEY", "customer", "only of this customer", NULL),
    {"marked", 0, CLI_BOOL, "yes|no", "marked", "only calls that somebody marked, or the others", "yes no", false},
    TEXT("from", "TIME", "from", "from this time on: 2026-03-01, 2026-03-01T09:30:00Z, or 2h, 3d ago", NULL),
    TEXT("to", "TIME", "to", "before this time", NULL),
    LIMIT,
    END,
};

static const struct cli_option rating_filters[] = {
    TEXT("agent", "NUMBER", "rated_agent", "only of this agent", "@agent"),
    TEXT("queue", "NAME", "rated_queue", "only of callers of this queue", "@queue"),
    TEXT("from", "TIME", "from", "calls that ended from this time on: 2026-03-01, or 2h, 3d ago", NULL),
    TEXT("to", "TIME", "to", "before this time", NULL),
    LIMIT,
    END,
};
#define RATING_COLUMNS                                                                                                 \
    "AGENT=rated_agent QUEUE=rated_queue RATINGS=count AVERAGE=average | ONES=scores.1 TWOS=scores.2 THREES=scores.3 " \
    "FOURS=scores.4 FIVES=scores.5"
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
#define CALL_COLUMNS                                                                                            \
    "CALL=call_id OWNER=owner DIRECTION=direction PHASE=phase/state CALLER=caller CALLED=called QUEUE=queue "   \
    "AGENT=agent "                                                                                              \
    "ARRIVED=arrived_at/age "                                                                                   \
    "| EPOCH=epoch NAME=caller_name TRUNK=trunk EXTENSION=extension OUT-TRUNK=out_trunk SHOWN=out_caller "      \
    "DIALLED-BY=dialled_by FLOW=flow NODE=flow_node "                                                           \
    "LANGUAGE=language "                                                                                        \
    "TAKEN-OVER=taken_over_at/time POSITION=position ANSWERED=answered_at/time QUEUED=queued_at/time "          \
    "CONNECTED=connected_at/time SERVED-BY=served_queue OVERFLOW=overflow OWN=dedicated_agent LEGS=legs/count " \
    "CUSTOMER=customer MARKED=marked/yes RATING=rating"
#define CALLBACK_COLUMNS                                                                                              \
    "CALLBACK=callback_id QUEUE=queue NUMBER=number STATE=state/state WAITING=queued_at/age DUE=due_at/time "         \
    "TRIES=tries "                                                                                                    \
    "LAST=tried_cause | NAME=name PRIORITY=priority VIP=vip/yes ASKED=asked_at/time BY=asked_by TRIED=tried_at/time " \
    "CALL=call_id CALLED=called NOTE=note"
#define CDR_COLUMNS                                                                                                    \
    "CALL=call_id ARRIVED=arrived_at/time CALLER=caller CALLED=called QUEUE=queue AGENT=agent WAIT=wait_ms/ms "        \
    "TALK=talk_ms/ms "                                                                                                 \
    "ENDED-BY=ended_by CAUSE=cause | RECORD=record_id DIRECTION=direction TRUNK=trunk EXTENSION=extension "            \
    "ANSWERED-BY=answered_by FLOW=flow OWNER=owner ANSWERED=answered_at/time MENU=menu_at/time QUEUED=queued_at/time " \
    "OFFERED=offered_at/time CONNECTED=connected_at/time ENDED=ended_at/time DURATION=duration_ms/ms "                 \
    "STATUS=sip_status "                                                                                               \
    "OFFERS=offers SERVED-BY=served_queue TAKEN-OVER=taken_over/yes LOST=quality.rx_lost CODECS=quality.codec "        \
    "MOS=quality.mos TRANSFERS=transfers "                                                                             \
    "CUSTOMER=customer SHOWN=shown DIALLED-BY=dialled_by CALLS-BACK=calls_back MARKED=marked/yes"

const struct cli_verb cli_rows_agents[] = {
    V("agent", "list", "agents and what they do now", .method = "GET", .path = "/v1/agents", .columns = AGENT_COLUMNS,
      .options = agent_filters, .run = cli_run_list,
      .example = "agent list\nagent list --state idle\nagent list --watch"),
    V("agent", "show", "one agent", .args = "NUMBER", .method = "GET", .path = "/v1/agents/{NUMBER}",
      .run = cli_run_show, .example = "agent show 1001"),
    V("agent", "set", "create an agent or change the given fields", .args = "NUMBER", .method = "PATCH",
      .path = "/v1/agents/{NUMBER}", .options = agent_fields, .done = "agent {NUMBER} set", .run = cli_run_set,
      .example = "agent set 1001 --name \"Li Na\" --extension 8001\n"
                 "agent set 2001 --type supervisor --manages-group east --manages-queue service"),
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
    V("agent", "dial", "ring an agent's telephone, then a number outside or one of ours", .args = "AGENT [NUMBER]",
      .method = "POST", .path = "/v1/agents/{AGENT}:dial", .body = "NUMBER=number", .options = dial_fields,
      .done = "the telephone of agent {AGENT} rings", .run = cli_run_change,
      .example = "agent dial 1001 13800001111\nagent dial 1001 --agent 1002\nagent dial 1001 10001"),
    V("agent", "forward", "an agent's calls go elsewhere: always, when he is busy, ...", .args = "NUMBER",
      .method = "POST", .path = "/v1/agents/{NUMBER}:forward", .options = cli_forward_fields,
      .done = "calls of agent {NUMBER} are forwarded", .run = cli_run_change,
      .example = "agent forward 1001 --when busy --to agent:1002\n"
                 "agent forward 1001 --when no_answer --after 15 --to voicemail"),
    V("agent", "forward-off", "and not any more", .args = "NUMBER", .method = "POST",
      .path = "/v1/agents/{NUMBER}:forward-off", .options = cli_forward_off,
      .done = "calls of agent {NUMBER} are not forwarded so any more", .run = cli_run_change,
      .example = "agent forward-off 1001 --when busy"),
    V("agent", "next-to", "the next call that queues have for an agent goes to a supervisor, once",
      .args = "AGENT SUPERVISOR", .method = "POST", .path = "/v1/agents/{AGENT}:next-to", .body = "SUPERVISOR=agent",
      .done = "the next call of agent {AGENT} goes to {SUPERVISOR}", .run = cli_run_change,
      .example = "agent next-to 1001 2001"),
    V("agent", "cancel-next", "a supervisor waits for no next call any more", .args = "SUPERVISOR", .method = "POST",
      .path = "/v1/agents/{SUPERVISOR}:cancel-next", .done = "{SUPERVISOR} waits for no next call",
      .run = cli_run_change, .example = "agent cancel-next 2001"),
    V("agent", "why-not", "why an agent is not offered the calls of a queue", .args = "AGENT QUEUE", .method = "GET",
      .path = "/v1/queues/{QUEUE}/agents/{AGENT}/explanation", .run = cli_run_explain,
      .example = "agent why-not 1001 service"),

    V("agent-state", "list", "what agents may choose to be, with their codes and limits", .method = "GET",
      .path = "/v1/agent-states", .columns = STATE_COLUMNS, .options = cli_only_limit, .run = cli_run_list,
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
      .columns = GROUP_COLUMNS, .options = cli_only_limit, .run = cli_run_list, .example = "agent-group list"),
    V("agent-group", "show", "one group", .args = "NAME", .method = "GET", .path = "/v1/agent-groups/{NAME}",
      .run = cli_run_show, .example = "agent-group show east"),
    V("agent-group", "set", "create settings of a group or change the given ones", .args = "NAME", .method = "PATCH",
      .path = "/v1/agent-groups/{NAME}", .options = group_fields, .done = "agent group {NAME} set", .run = cli_run_set,
      .example = "agent-group set east --min-busy 20 --wrap-up 15"),
    V("agent-group", "delete", "remove the settings of a group", .args = "NAME", .method = "DELETE",
      .path = "/v1/agent-groups/{NAME}", .done = "agent group {NAME} deleted", .run = cli_run_change,
      .example = "agent-group delete east"),

    V("queue", "list", "queues with their numbers now", .method = "GET", .path = "/v1/queues", .columns = QUEUE_COLUMNS,
      .options = cli_only_limit, .run = cli_run_list, .example = "queue list\nqueue list -o csv"),
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
    V("queue", "next-to", "the next call of a queue goes to a supervisor, once", .args = "NAME SUPERVISOR",
      .method = "POST", .path = "/v1/queues/{NAME}:next-to", .body = "SUPERVISOR=agent",
      .done = "the next call of queue {NAME} goes to {SUPERVISOR}", .run = cli_run_change,
      .example = "queue next-to service 2001"),
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
      .options = party_fields, .done = "call {CALL} is being ended", .run = cli_run_change,
      .example = "call hangup 00f3a1b2c4d5e6f7\ncall hangup 00f3a1b2c4d5e6f7 --leg 1001"),
    V("call", "listen", "a supervisor's telephone is rung and hears the call; nobody hears it", .args = "CALL",
      .method = "POST", .path = "/v1/calls/{CALL}:listen", .options = cli_supervise_fields,
      .done = "the supervisor listens to call {CALL} once the telephone is answered", .run = cli_run_change,
      .example = "call listen 00f3a1b2c4d5e6f7 --agent 2001"),
    V("call", "whisper", "likewise, and the agent alone hears the supervisor", .args = "CALL", .method = "POST",
      .path = "/v1/calls/{CALL}:whisper", .options = cli_supervise_fields,
      .done = "the supervisor whispers to the agent of call {CALL}", .run = cli_run_change,
      .example = "call whisper 00f3a1b2c4d5e6f7 --agent 2001"),
    V("call", "barge", "likewise, and everybody hears the supervisor", .args = "CALL", .method = "POST",
      .path = "/v1/calls/{CALL}:barge", .options = cli_supervise_fields, .done = "the supervisor is in call {CALL}",
      .run = cli_run_change, .example = "call barge 00f3a1b2c4d5e6f7 --agent 2001 --extension 8030"),
    V("call", "take-over", "the agent leaves the call and the supervisor goes on with it", .args = "CALL",
      .method = "POST", .path = "/v1/calls/{CALL}:take-over", .options = cli_supervise_fields,
      .done = "the supervisor takes call {CALL} over", .run = cli_run_change,
      .example = "call take-over 00f3a1b2c4d5e6f7 --agent 2001"),
    V("call", "hold", "hold the other party, who hears music", .args = "CALL", .method = "POST",
      .path = "/v1/calls/{CALL}:hold", .options = party_fields, .done = "call {CALL} is on hold", .run = cli_run_change,
      .example = "call hold 00f3a1b2c4d5e6f7\ncall hold 00f3a1b2c4d5e6f7 --leg caller"),
    V("call", "resume", "both hear each other again", .args = "CALL", .method = "POST",
      .path = "/v1/calls/{CALL}:resume", .options = party_fields, .done = "call {CALL} is resumed",
      .run = cli_run_change, .example = "call resume 00f3a1b2c4d5e6f7\ncall resume 00f3a1b2c4d5e6f7 --leg caller"),
    V("call", "mute", "the other party hears nothing of this one", .args = "CALL", .method = "POST",
      .path = "/v1/calls/{CALL}:mute", .options = party_fields, .done = "call {CALL} is muted", .run = cli_run_change,
      .example = "call mute 00f3a1b2c4d5e6f7\ncall mute 00f3a1b2c4d5e6f7 --leg caller"),
    V("call", "unmute", "it is heard again", .args = "CALL", .method = "POST", .path = "/v1/calls/{CALL}:unmute",
      .options = party_fields, .done = "call {CALL} is heard again", .run = cli_run_change,
      .example = "call unmute 00f3a1b2c4d5e6f7\ncall unmute 00f3a1b2c4d5e6f7 --leg caller"),
    V("call", "answer", "have a telephone that is being rung answer", .args = "CALL", .method = "POST",
      .path = "/v1/calls/{CALL}:answer", .options = ringing_fields,
      .done = "the telephone is asked to answer call {CALL}", .run = cli_run_change,
      .example = "call answer 00f3a1b2c4d5e6f7\ncall answer 00f3a1b2c4d5e6f7 --leg 1002"),
    V("call", "pickup", "have an agent's telephone rung for a call that rings at a colleague's", .args = "CALL AGENT",
      .method = "POST", .path = "/v1/calls/{CALL}:pickup", .body = "AGENT=agent",
      .done = "the telephone of agent {AGENT} is rung for call {CALL}", .run = cli_run_change,
      .example = "call pickup 00f3a1b2c4d5e6f7 1002"),
    V("call", "transfer", "have a call that talks go on elsewhere, without the agent", .args = "CALL", .method = "POST",
      .path = "/v1/calls/{CALL}:transfer", .options = transfer_fields, .done = "call {CALL} is transferred",
      .run = cli_run_change,
      .example = "call transfer 00f3a1b2c4d5e6f7 --agent 1002\ncall transfer 00f3a1b2c4d5e6f7 --queue service "
                 "--priority 5\ncall transfer 00f3a1b2c4d5e6f7 --outside 13800138000"),

    V("call", "consult", "have the agent of a call consult somebody, while the other party hears music", .args = "CALL",
      .method = "POST", .path = "/v1/calls/{CALL}:consult", .options = consult_fields,
      .done = "whoever is consulted is rung", .run = cli_run_change,
      .example = "call consult 00f3a1b2c4d5e6f7 --agent 1002\ncall consult 00f3a1b2c4d5e6f7 --outside 13800138000"),
    V("call", "toggle", "turn to the consultation, or back to the call", .args = "CALL", .method = "POST",
      .path = "/v1/calls/{CALL}:toggle", .done = "turned to the other one", .run = cli_run_change,
      .example = "call toggle 00f3a1b2c4d5e6f7"),
    V("call", "complete", "who consulted leaves, whoever was consulted takes the place", .args = "CALL",
      .method = "POST", .path = "/v1/calls/{CALL}:complete", .done = "call {CALL} goes on with whoever was consulted",
      .run = cli_run_change, .example = "call complete 00f3a1b2c4d5e6f7"),
    V("call", "cancel", "end a consultation and turn to the call", .args = "CALL", .method = "POST",
      .path = "/v1/calls/{CALL}:cancel", .done = "the consultation is over", .run = cli_run_change,
      .example = "call cancel 00f3a1b2c4d5e6f7"),
    V("call", "conference", "have all hear each other: whoever is consulted, or somebody who is rung", .args = "CALL",
      .method = "POST", .path = "/v1/calls/{CALL}:conference", .options = conference_fields,
      .done = "a conference in call {CALL}", .run = cli_run_change,
      .example = "call conference 00f3a1b2c4d5e6f7\ncall conference 00f3a1b2c4d5e6f7 --extension 8005"),
    V("call", "drop", "send one party of a conference away", .args = "CALL", .method = "POST",
      .path = "/v1/calls/{CALL}:drop", .options = drop_fields, .done = "{CALL}: that party is sent away",
      .run = cli_run_change, .example = "call drop 00f3a1b2c4d5e6f7 --party 8005"),
    V("call", "set", "say what is known about the caller: it goes with the call and into its record", .args = "CALL",
      .method = "PATCH", .path = "/v1/calls/{CALL}", .options = data_fields, .done = "call {CALL} set",
      .run = cli_run_change,
      .example = "call set 00f3a1b2c4d5e6f7 --customer C-20931 --data order=4711 --data tariff=gold\n"
                 "call set 00f3a1b2c4d5e6f7 --notes \"asks for the second time\" --data order=\n"
                 "call set 00f3a1b2c4d5e6f7 --marked yes"),

    V("callback", "list", "who is to be called back", .method = "GET", .path = "/v1/callbacks",
      .columns = CALLBACK_COLUMNS, .options = callback_filters, .run = cli_run_list,
      .example = "callback list\ncallback list --queue service --state scheduled"),
    V("callback", "show", "one of them", .args = "CALLBACK", .method = "GET", .path = "/v1/callbacks/{CALLBACK}",
      .run = cli_run_show, .example = "callback show 00f3a1b2c4d5e6f7"),
    V("callback", "add", "have a number called back by the agents of a queue, now or at a time", .args = "QUEUE NUMBER",
      .method = "POST", .path = "/v1/callbacks", .body = "QUEUE=queue NUMBER=number", .options = callback_fields,
      .done = "{NUMBER} will be called back by queue {QUEUE}", .run = cli_run_change,
      .example = "callback add service 13800138000\ncallback add service 13800138000 --at 2h --note \"asked by mail\""),
    V("callback", "cancel", "he need not be called back any more", .args = "CALLBACK", .method = "DELETE",
      .path = "/v1/callbacks/{CALLBACK}", .done = "call back {CALLBACK} cancelled", .run = cli_run_change,
      .example = "callback cancel 00f3a1b2c4d5e6f7"),

    V("cdr", "list", "records of ended calls, latest first", .method = "GET", .path = "/v1/cdrs",
      .columns = CDR_COLUMNS, .options = cdr_filters, .run = cli_run_list,
      .example = "cdr list --limit 20\ncdr list --agent 1001 --from 1d\ncdr list --queue service -o csv > calls.csv"),
    V("cdr", "show", "one record with all stages and the quality of each leg", .args = "CALL", .method = "GET",
      .path = "/v1/cdrs/{CALL}", .run = cli_run_show, .example = "cdr show 00f3a1b2c4d5e6f7"),
    V("cdr", "call-back", "ring an agent's telephone, then the other party of a call that is over", .args = "CALL",
      .method = "POST", .path = "/v1/cdrs/{CALL}:call-back", .options = cli_call_back_fields,
      .done = "the telephone of the agent rings", .run = cli_run_change,
      .example = "cdr call-back 00f3a1b2c4d5e6f7 --agent 1001"),

    V("missed", "list", "callers with whom nobody has talked, and whether they were called back, latest first",
      .method = "GET", .path = "/v1/missed",
      .columns =
          "CALL=call_id ENDED=ended_at/time KIND=kind CALLER=caller QUEUE=queue AGENT=agent CALL-BACKS=call_backs "
          "REACHED=reached_at/time BY=reached_by | CALLED=called FLOW=flow CAUSE=cause ARRIVED=arrived_at/time "
          "DURATION=duration_ms/ms TRIED-BY=called_back_by TRIED=called_back_at/time",
      .options = missed_filters, .run = cli_run_list,
      .example = "missed list --from 1d --reached no\nmissed list --kind unanswered --agent 1001 -o csv"),
    V("missed", "count", "how many there are of each kind", .method = "GET", .path = "/v1/missed/counts",
      .columns = "KIND=kind CALLS=calls CALLED-BACK=called_back REACHED=reached", .options = missed_counts,
      .run = cli_run_list, .example = "missed count --from 1d --queue service"),
    V("rating", "list", "what callers think of agents, by agent and queue", .method = "GET", .path = "/v1/ratings",
      .columns = RATING_COLUMNS, .options = rating_filters, .run = cli_run_list,
      .example = "rating list\nrating list --agent 1001 --from 30d\nrating list --queue service -o csv"),
    {.noun = NULL},
};
