/* Rows of telephones, lines, numbers, hours and lists. */
#include "cli/cli_rows.h"
#include "cli/cli_run.h"

static const struct cli_option extension_filters[] = {TEXT("site", "NAME", "site", "only of this site", NULL), LIMIT,
                                                      END};
static const struct cli_option extension_fields[] = {
    TEXT("display-name", "TEXT", "display_name", "name for people", NULL),
    TEXT("contact", "URI", "contact",
         "called there without registration: sip:USER@IP:PORT[;transport=tcp]; \"\" for none", NULL),
    TEXT("site", "NAME", "site", "site", NULL),
    BOOL("disabled", "disabled", "whether it is switched off"),
    BOOL("auto-answer", "auto_answer", "whether it answers by itself when its agent has dialled by click"),
    BOOL("auto-answer-all", "auto_answer_all", "whether it is asked to answer each call by itself"),
    TEXT("mwi", "HOW", "mwi", "told of messages: subscribed (when it asks), or unsolicited", "subscribed unsolicited"),
    TEXT("mailbox", "BOX", "mailbox", "the box that its lamp follows (default: its agent's, else its own)", NULL),
    {"password-file", 0, CLI_SECRET, "FILE", "password", "first line is the new password", "@file", false},
    {"password-stdin", 0, CLI_STDIN, NULL, "password", "first line of standard input is the new password", NULL, false},
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
    {"caller-ids", 0, CLI_LIST, "NUMBER", "caller_ids",
     "all numbers that calls out may show beside that one: 02155550000, 0215555*, 02155550000-02155550099; \"\": any",
     NULL, true},
    TEXT("diversion", "HEADER", "diversion",
         "how it is told that a call was forwarded: diversion (default), history_info, both or none",
         "diversion history_info both none"),
    BOOL("pass-caller", "pass_caller",
         "whether forwarded calls show the number of who called, if he does not withhold it"),
    BOOL("disabled", "disabled", "whether it is switched off"),
    TEXT("takeover", "HOW", "takeover", "how calls go on when a node dies (default: as its network says)",
         "address reinvite"),
    TEXT("username", "NAME", "username", "user name for challenges of the carrier (with --secret)", NULL),
    TEXT("secret", "NAME", "secret", "the secret that holds the password: ccctl secret set NAME", "@secret"),
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
    BOOL("no-notices", "no_notices", "no notices for its callers unless they ask for them in a menu"),
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

#define EXTENSION_COLUMNS                                                                                   \
    "NUMBER=number NAME=display_name REGISTERED=registrations/count AT=registrations.node CONTACT=contact " \
    "PASSWORD=has_password/yes DISABLED=disabled/yes | SITE=site URI=registrations.uri "                    \
    "PHONE=registrations.user_agent MWI=mwi MAILBOX=mailbox SUBSCRIPTIONS=subscriptions/count VERSION=version"
#define TRUNK_COLUMNS                                                                                            \
    "NAME=name SOURCES=sources CONTACT=contact OUTBOUND=outbound/yes DISABLED=disabled/yes TAKEOVER=takeover | " \
    "CALLER-ID=caller_id VERSION=version "                                                                       \
    "UPDATED=updated_at/time"
#define NETWORK_COLUMNS "NAME=name RANGES=ranges TAKEOVER=takeover SITE=site | VERSION=version UPDATED=updated_at/time"
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

const struct cli_verb cli_rows_lines[] = {
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

    V("extension", "forward", "a telephone's calls go elsewhere: always, when it is busy, ...", .args = "NUMBER",
      .method = "POST", .path = "/v1/extensions/{NUMBER}:forward", .options = cli_forward_fields,
      .done = "calls of extension {NUMBER} are forwarded", .run = cli_run_change,
      .example = "extension forward 8001 --when unavailable --to outside:13800001111"),
    V("extension", "forward-off", "and not any more", .args = "NUMBER", .method = "POST",
      .path = "/v1/extensions/{NUMBER}:forward-off", .options = cli_forward_off,
      .done = "calls of extension {NUMBER} are not forwarded so any more", .run = cli_run_change,
      .example = "extension forward-off 8001 --when unavailable"),

    V("trunk", "list", "trunks", .method = "GET", .path = "/v1/trunks", .columns = TRUNK_COLUMNS,
      .options = cli_only_limit, .run = cli_run_list, .example = "trunk list"),
    V("trunk", "show", "one trunk", .args = "NAME", .method = "GET", .path = "/v1/trunks/{NAME}", .run = cli_run_show,
      .example = "trunk show carrier"),
    V("trunk", "set", "create a trunk or change the given fields", .args = "NAME", .method = "PATCH",
      .path = "/v1/trunks/{NAME}", .options = trunk_fields, .done = "trunk {NAME} set", .run = cli_run_set,
      .example = "trunk set carrier --source 192.0.2.0/24 --contact sip:192.0.2.10:5060"),
    V("trunk", "delete", "remove a trunk", .args = "NAME", .method = "DELETE", .path = "/v1/trunks/{NAME}",
      .done = "trunk {NAME} deleted", .run = cli_run_change, .example = "trunk delete carrier"),

    V("network", "list", "where telephones are, and how their calls go on", .method = "GET", .path = "/v1/networks",
      .columns = NETWORK_COLUMNS, .options = cli_only_limit, .run = cli_run_list, .example = "network list"),
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
      .options = cli_only_limit, .run = cli_run_list, .example = "holiday list"),
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
    {.noun = NULL},
};
