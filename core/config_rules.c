/* What each field of a configuration object may hold. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"
#include "core/acd.h"
#include "core/action.h"
#include "core/calendar.h"
#include "core/config_json.h"
#include "core/notice.h"

#define KEY_BYTES 63u
#define HOURS_MAX 16u /* spans of one day */

static const struct config_rule rules[] = {
    {"Extension", "number", FORMAT_NUMBER, .required = true, .max = KEY_BYTES},
    {"Extension", "display_name", FORMAT_TEXT, .max = 128},
    {"Extension", "contact", FORMAT_SIP_URI, .max = 128},
    {"Extension", "ha1_md5", FORMAT_SECRET_HEX, .secret = true, .max = 32},
    {"Extension", "ha1_sha256", FORMAT_SECRET_HEX, .secret = true, .max = 64},
    {"Extension", "site", FORMAT_NAME, .max = KEY_BYTES},
    {"Extension", "disabled", FORMAT_BOOL, .max = 1},
    {"Extension", "auto_answer", FORMAT_BOOL, .max = 1},
    {"Extension", "auto_answer_all", FORMAT_BOOL, .max = 1},
    {"Extension", "mwi", FORMAT_CHOICE, .choices = "|subscribed|unsolicited"},
    {"Extension", "mailbox", FORMAT_NAME, .max = KEY_BYTES},
    {"Agent", "number", FORMAT_NUMBER, .required = true, .max = KEY_BYTES},
    {"Agent", "name", FORMAT_TEXT, .max = 128},
    {"Agent", "extension", FORMAT_NUMBER, .required = true, .max = KEY_BYTES},
    {"Agent", "group", FORMAT_TEXT, .max = KEY_BYTES},
    {"Agent", "type", FORMAT_CHOICE, .choices = "agent|supervisor"},
    {"Agent", "level", FORMAT_UINT, .max = 9},
    {"Agent", "region", FORMAT_NAME, .max = KEY_BYTES},
    {"Agent", "skills", FORMAT_LIST, .max = ACD_SKILLS_MAX},
    {"Agent", "min_busy_s", FORMAT_UINT, .max = 86400},
    {"Agent", "wrap_up_s", FORMAT_UINT, .max = 3600},
    {"Agent", "outbound_trunk", FORMAT_NAME, .max = KEY_BYTES},
    {"Agent", "caller_id", FORMAT_OUTSIDE, .max = KEY_BYTES},
    {"AgentGroup", "name", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"AgentGroup", "display_name", FORMAT_TEXT, .max = 128},
    {"AgentGroup", "min_busy_s", FORMAT_UINT, .max = 86400},
    {"AgentGroup", "wrap_up_s", FORMAT_UINT, .max = 3600},
    {"AgentGroup", "outbound_trunk", FORMAT_NAME, .max = KEY_BYTES},
    {"AgentGroup", "caller_id", FORMAT_OUTSIDE, .max = KEY_BYTES},
    {"AgentState", "name", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"AgentState", "name_zh", FORMAT_TEXT, .max = 64},
    {"AgentState", "name_en", FORMAT_TEXT, .max = 64},
    {"AgentState", "code", FORMAT_DIGITS, .max = 4},
    {"AgentState", "reasons", FORMAT_LIST, .max = 50},
    {"AgentState", "reasons[]", FORMAT_TEXT, .required = true, .max = KEY_BYTES},
    {"AgentState", "reason_required", FORMAT_BOOL, .max = 1},
    {"AgentState", "limit_s", FORMAT_UINT, .max = 604800},
    {"AgentState", "then", FORMAT_CHOICE, .choices = "ready|logout"},
    {"AgentState", "counts_as", FORMAT_CHOICE, .choices = "|work|break"},
    {"AgentSkill", "skill", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"AgentSkill", "level", FORMAT_UINT, .max = 9},
    {"AgentSkill", "until", FORMAT_TIME, .max = 40},
    {"Queue", "name", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"Queue", "display_name", FORMAT_TEXT, .max = 128},
    {"Queue", "strategy", FORMAT_CHOICE,
     .choices = "longest_idle|login_order|fewest_answered|random|round_robin|least_occupied|ring_all"},
    {"Queue", "ring_time_s", FORMAT_UINT, .min = 1, .max = 600, .def = 20},
    {"Queue", "wrap_up_s", FORMAT_UINT, .max = 3600},
    {"Queue", "quiet", FORMAT_BOOL, .max = 1},
    {"Queue", "music", FORMAT_NAME, .max = KEY_BYTES},
    {"Queue", "welcome", FORMAT_NAME, .max = KEY_BYTES},
    {"Queue", "voicemail_greeting", FORMAT_NAME, .max = KEY_BYTES},
    {"Queue", "rating_flow", FORMAT_NAME, .max = KEY_BYTES},
    {"Queue", "announce_first_s", FORMAT_UINT, .max = 3600},
    {"Queue", "announce_every_s", FORMAT_UINT, .max = 3600},
    {"Queue", "announce", FORMAT_LIST, .max = CONFIG_ANNOUNCE_MAX},
    {"Queue", "announce[]", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"Queue", "keys", FORMAT_LIST, .max = 12},
    {"QueueKey", "key", FORMAT_TEXT, .required = true, .max = 1},
    {"QueueKey", "action", FORMAT_OBJECT, .max = 1},
    {"Queue", "announce_agent", FORMAT_BOOL, .max = 1},
    {"Queue", "notices", FORMAT_BOOL, .max = 1},
    {"Queue", "announce_position_max", FORMAT_UINT, .max = 1000000},
    {"Queue", "members", FORMAT_LIST, .max = 5000},
    {"Queue", "max_waiting", FORMAT_UINT, .max = 1000000},
    {"Queue", "preferences", FORMAT_LIST, .max = ACD_PREFERENCES},
    {"Queue", "preferences[]", FORMAT_CHOICE, .required = true, .choices = "region|level|last_served"},
    {"Queue", "priority_step_s", FORMAT_UINT, .max = 86400},
    {"Queue", "target_s", FORMAT_UINT, .max = 86400},
    {"Queue", "vip", FORMAT_CHOICE, .choices = "|none|global|list"},
    {"Queue", "last_served_h", FORMAT_UINT, .max = CONFIG_SERVED_H_MAX},
    {"Queue", "after_call", FORMAT_CHOICE, .choices = "|ready"},
    {"Queue", "ring_max", FORMAT_UINT, .max = ACD_RING_MAX},
    {"Queue", "ring_no_answer", FORMAT_CHOICE, .choices = "|ready|not_ready"},
    {"Queue", "vip_lookup", FORMAT_NAME, .max = KEY_BYTES},
    {"Queue", "max_wait_s", FORMAT_UINT, .max = 86400},
    {"Queue", "max_wait_action", FORMAT_OBJECT, .max = 1},
    {"Queue", "no_agents_wait_s", FORMAT_UINT, .max = 86400},
    {"Queue", "no_agents_action", FORMAT_OBJECT, .max = 1},
    {"Queue", "full_action", FORMAT_OBJECT, .max = 1},
    {"Queue", "overflow", FORMAT_LIST, .max = ACD_PLACES_MAX - 1},
    {"Queue", "keep_idle", FORMAT_UINT, .max = 5000},
    {"Queue", "dedicated_wait_s", FORMAT_UINT, .max = 86400},
    {"Queue", "callback_tries", FORMAT_UINT, .max = 20},
    {"Queue", "callback_interval_s", FORMAT_UINT, .max = 86400},
    {"Queue", "callback_ring_s", FORMAT_UINT, .max = 600},
    {"Queue", "callback_trunk", FORMAT_NAME, .max = KEY_BYTES},
    {"Queue", "callback_caller_id", FORMAT_OUTSIDE, .max = KEY_BYTES},
    {"QueueOverflow", "queue", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"QueueOverflow", "after_wait_s", FORMAT_UINT, .max = 86400},
    {"QueueOverflow", "if_waiting", FORMAT_UINT, .max = 1000000},
    {"QueueOverflow", "if_estimated_s", FORMAT_UINT, .max = 86400},
    {"Agent", "manages_groups", FORMAT_LIST, .max = CONFIG_MANAGES_MAX},
    {"Agent", "manages_groups[]", FORMAT_TEXT, .required = true, .max = KEY_BYTES},
    {"Agent", "manages_queues", FORMAT_LIST, .max = CONFIG_MANAGES_MAX},
    {"Agent", "manages_queues[]", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"Agent", "customers", FORMAT_LIST, .max = CONFIG_CUSTOMERS_MAX},
    {"Agent", "customers[]", FORMAT_NUMBER, .required = true, .max = KEY_BYTES},
    {"AccessNumber", "dedicated_agent", FORMAT_NUMBER, .max = KEY_BYTES},
    {"Action", "type", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"Action", "target", FORMAT_NUMBER, .max = KEY_BYTES},
    {"Action", "prompts", FORMAT_LIST, .max = ACTION_PROMPTS_MAX},
    {"Action", "prompts[]", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"QueueMember", "agent", FORMAT_NUMBER, .required = true, .max = KEY_BYTES},
    {"QueueMember", "level", FORMAT_UINT, .max = 9},
    {"Trunk", "name", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"Trunk", "sources", FORMAT_LIST, .max = 64},
    {"Trunk", "sources[]", FORMAT_RANGE, .max = 64},
    {"Trunk", "contact", FORMAT_SIP_URI, .max = 128},
    {"Trunk", "disabled", FORMAT_BOOL, .max = 1},
    {"Trunk", "takeover", FORMAT_CHOICE, .choices = "|address|reinvite"},
    {"Trunk", "identity", FORMAT_CHOICE, .choices = "|from|asserted"},
    {"Trunk", "outbound", FORMAT_BOOL, .max = 1},
    {"Trunk", "caller_id", FORMAT_OUTSIDE, .max = KEY_BYTES},
    {"Trunk", "diversion", FORMAT_CHOICE, .choices = "|diversion|history_info|both|none"},
    {"Trunk", "pass_caller", FORMAT_BOOL, .max = 1},
    {"Trunk", "caller_ids", FORMAT_LIST, .max = CONFIG_CALLER_IDS_MAX},
    {"Trunk", "caller_ids[]", FORMAT_LINE, .required = true, .max = KEY_BYTES},
    {"Trunk", "username", FORMAT_LINE, .max = 128},
    {"Trunk", "secret", FORMAT_NAME, .max = KEY_BYTES},
    {"Network", "name", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"Network", "ranges", FORMAT_LIST, .max = 64},
    {"Network", "ranges[]", FORMAT_RANGE, .max = 64},
    {"Network", "takeover", FORMAT_CHOICE, .choices = "address|reinvite"},
    {"Network", "site", FORMAT_NAME, .max = KEY_BYTES},
    {"AccessNumber", "number", FORMAT_NUMBER, .required = true, .max = KEY_BYTES},
    {"AccessNumber", "flow", FORMAT_FLOW, .max = KEY_BYTES},
    {"AccessNumber", "queue", FORMAT_NAME, .max = KEY_BYTES},
    {"AccessNumber", "app", FORMAT_CHOICE, .choices = "|echo|tone"},
    {"AccessNumber", "extension", FORMAT_NUMBER, .max = KEY_BYTES},
    {"AccessNumber", "agent", FORMAT_NUMBER, .max = KEY_BYTES},
    {"AccessNumber", "outside", FORMAT_OUTSIDE, .max = KEY_BYTES},
    {"AccessNumber", "priority", FORMAT_UINT, .max = 1000},
    {"AccessNumber", "language", FORMAT_NAME, .max = 7},
    {"AccessNumber", "quiet", FORMAT_BOOL, .max = 1},
    {"AccessNumber", "region", FORMAT_NAME, .max = KEY_BYTES},
    {"AccessNumber", "skills", FORMAT_LIST, .max = ACD_NEEDS_MAX},
    {"AccessNumber", "vip", FORMAT_BOOL, .max = 1},
    {"SkillNeed", "skill", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"SkillNeed", "level", FORMAT_UINT, .max = 9},
    {"AccessNumber", "schedule", FORMAT_LIST, .max = 32},
    {"ScheduleEntry", "time_group", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"ScheduleEntry", "flow", FORMAT_FLOW, .max = KEY_BYTES},
    {"ScheduleEntry", "queue", FORMAT_NAME, .max = KEY_BYTES},
    {"ScheduleEntry", "app", FORMAT_CHOICE, .choices = "|echo|tone"},
    {"ScheduleEntry", "extension", FORMAT_NUMBER, .max = KEY_BYTES},
    {"ScheduleEntry", "agent", FORMAT_NUMBER, .max = KEY_BYTES},
    {"ScheduleEntry", "outside", FORMAT_OUTSIDE, .max = KEY_BYTES},
    {"TimeGroup", "name", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"TimeGroup", "zone", FORMAT_ZONE, .max = KEY_BYTES},
    {"TimeGroup", "tz", FORMAT_TZ, .required = true, .max = CALENDAR_TZ_MAX - 1},
    {"TimeGroup", "monday", FORMAT_LIST, .max = HOURS_MAX},
    {"TimeGroup", "monday[]", FORMAT_HOURS, .max = 11},
    {"TimeGroup", "tuesday", FORMAT_LIST, .max = HOURS_MAX},
    {"TimeGroup", "tuesday[]", FORMAT_HOURS, .max = 11},
    {"TimeGroup", "wednesday", FORMAT_LIST, .max = HOURS_MAX},
    {"TimeGroup", "wednesday[]", FORMAT_HOURS, .max = 11},
    {"TimeGroup", "thursday", FORMAT_LIST, .max = HOURS_MAX},
    {"TimeGroup", "thursday[]", FORMAT_HOURS, .max = 11},
    {"TimeGroup", "friday", FORMAT_LIST, .max = HOURS_MAX},
    {"TimeGroup", "friday[]", FORMAT_HOURS, .max = 11},
    {"TimeGroup", "saturday", FORMAT_LIST, .max = HOURS_MAX},
    {"TimeGroup", "saturday[]", FORMAT_HOURS, .max = 11},
    {"TimeGroup", "sunday", FORMAT_LIST, .max = HOURS_MAX},
    {"TimeGroup", "sunday[]", FORMAT_HOURS, .max = 11},
    {"TimeGroup", "holidays", FORMAT_NAME, .max = KEY_BYTES},
    {"TimeGroup", "holiday_hours", FORMAT_LIST, .max = HOURS_MAX},
    {"TimeGroup", "holiday_hours[]", FORMAT_HOURS, .max = 11},
    {"TimeGroup", "work_as", FORMAT_CHOICE, .choices = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"},
    {"HolidayList", "name", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"HolidayList", "days", FORMAT_LIST, .max = 4000},
    {"HolidayDay", "date", FORMAT_DATE, .required = true, .max = 10},
    {"HolidayDay", "name", FORMAT_TEXT, .max = 128},
    {"HolidayDay", "kind", FORMAT_CHOICE, .choices = "off|work"},
    {"BlacklistEntry", "number", FORMAT_TEXT, .required = true, .max = KEY_BYTES},
    {"BlacklistEntry", "direction", FORMAT_CHOICE, .choices = "in|out|both"},
    {"BlacklistEntry", "note", FORMAT_TEXT, .max = 256},
    {"VipEntry", "entry", FORMAT_TEXT, .required = true, .max = KEY_BYTES},
    {"VipEntry", "note", FORMAT_TEXT, .max = 256},
    {"Flow", "name", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"Flow", "definition", FORMAT_JSON, .required = true, .max = 256 * 1024},
    {"Flow", "note", FORMAT_TEXT, .max = 256},
    {"FlowDraft", "name", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"FlowDraft", "definition", FORMAT_JSON, .required = true, .max = 256 * 1024},
    {"FlowDraft", "based_on", FORMAT_UINT, .max = 0},
    {"Parameter", "name", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"Parameter", "value", FORMAT_TEXT, .max = 4096},
    {"Prompt", "name", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"Prompt", "sounds", FORMAT_LIST, .max = 16},
    {"PromptSound", "language", FORMAT_NAME, .required = true, .max = 7},
    {"PromptSound", "current", FORMAT_UINT, .min = 1, .max = 1000000},
    {"PromptSound", "versions", FORMAT_LIST, .max = CONFIG_PROMPT_VERSIONS_MAX},
    {"PromptVersion", "version", FORMAT_UINT, .min = 1, .max = 1000000},
    {"PromptVersion", "sha256", FORMAT_HEX, .required = true, .max = 64},
    {"PromptVersion", "bytes", FORMAT_UINT, .max = 64u << 20},
    {"PromptVersion", "duration_ms", FORMAT_UINT, .max = 3600000},
    {"PromptVersion", "text", FORMAT_TEXT, .max = 2000},
    {"PromptVersion", "file", FORMAT_TEXT, .max = 128},
    {"PromptVersion", "by", FORMAT_TEXT, .max = 128},
    {"PromptVersion", "at", FORMAT_TIME, .max = 40},
    {"Secret", "name", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"Secret", "value", FORMAT_LINE, .required = true, .secret = true, .max = 1024},
    {"Lookup", "name", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"Lookup", "url", FORMAT_URL, .required = true, .max = 1024},
    {"Lookup", "headers", FORMAT_LIST, .max = 8},
    {"Lookup", "timeout_ms", FORMAT_UINT, .min = 100, .max = 10000, .def = 1000},
    {"Lookup", "cache_s", FORMAT_UINT, .min = 1, .max = 86400, .def = 300},
    {"Lookup", "on_error", FORMAT_CHOICE, .choices = "normal|vip"},
    {"LookupHeader", "name", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"LookupHeader", "value", FORMAT_LINE, .max = 1024},
    {"LookupHeader", "secret", FORMAT_NAME, .max = KEY_BYTES},
    {"AccessNumber", "no_notices", FORMAT_BOOL, .max = 1},
    {"Area", "name", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"Area", "name_zh", FORMAT_LINE, .max = 128},
    {"Area", "name_en", FORMAT_LINE, .max = 128},
    {"Area", "parent", FORMAT_NAME, .max = KEY_BYTES},
    {"Area", "numbers", FORMAT_LIST, .max = NOTICE_NUMBERS_MAX},
    {"Area", "numbers[]", FORMAT_LINE, .required = true, .max = KEY_BYTES},
    {"Area", "mass", FORMAT_BOOL, .max = 1},
    {"Notice", "name", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"Notice", "title", FORMAT_LINE, .max = 128},
    {"Notice", "areas", FORMAT_LIST, .max = 64},
    {"Notice", "areas[]", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"Notice", "from", FORMAT_LINE, .max = 40},
    {"Notice", "until", FORMAT_LINE, .max = 40},
    {"Notice", "zone", FORMAT_ZONE, .max = KEY_BYTES},
    {"Notice", "tz", FORMAT_TZ, .max = CALENDAR_TZ_MAX - 1},
    {"Notice", "text_zh", FORMAT_TEXT, .max = NOTICE_TEXT_MAX},
    {"Notice", "text_en", FORMAT_TEXT, .max = NOTICE_TEXT_MAX},
    {"Notice", "prompt", FORMAT_NAME, .max = KEY_BYTES},
    {"Notice", "short_zh", FORMAT_TEXT, .max = NOTICE_TEXT_MAX},
    {"Notice", "short_en", FORMAT_TEXT, .max = NOTICE_TEXT_MAX},
    {"Notice", "short_prompt", FORMAT_NAME, .max = KEY_BYTES},
    {"Notice", "order", FORMAT_UINT, .max = 1000000},
    {"Notice", "disabled", FORMAT_BOOL, .max = 1},
    {"Notice", "automatic", FORMAT_BOOL, .max = 1},
    {"Notice", "play", FORMAT_CHOICE, .choices = "always|once"},
    {"Notice", "skip", FORMAT_CHOICE, .choices = "any|none"},
    {"Notice", "mass", FORMAT_BOOL, .max = 1},
    {"Notice", "repeat_h", FORMAT_UINT, .max = 720},
    {"Forward", "name", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"Forward", "order", FORMAT_UINT, .max = 1000000},
    {"Forward", "agent", FORMAT_NUMBER, .max = KEY_BYTES},
    {"Forward", "extension", FORMAT_NUMBER, .max = KEY_BYTES},
    {"Forward", "when", FORMAT_CHOICE, .choices = "always|busy|no_answer|unavailable"},
    {"Forward", "after_s", FORMAT_UINT, .min = 1, .max = 300, .def = 20},
    {"Forward", "time_group", FORMAT_NAME, .max = KEY_BYTES},
    {"Forward", "to", FORMAT_OBJECT, .max = 1},
    {"Forward", "disabled", FORMAT_BOOL, .max = 1},
    {"RecordingRule", "name", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"RecordingRule", "order", FORMAT_UINT, .max = 1000000},
    {"RecordingRule", "queue", FORMAT_NAME, .max = KEY_BYTES},
    {"RecordingRule", "agent", FORMAT_NUMBER, .max = KEY_BYTES},
    {"RecordingRule", "agent_group", FORMAT_TEXT, .max = KEY_BYTES},
    {"RecordingRule", "access_number", FORMAT_NUMBER, .max = KEY_BYTES},
    {"RecordingRule", "direction", FORMAT_CHOICE, .choices = "any|inbound|outbound|internal"},
    {"RecordingRule", "format", FORMAT_CHOICE, .choices = "|wav|mp3"},
    {"RecordingRule", "percent", FORMAT_UINT, .min = 1, .max = 100, .def = 100},
    {"RecordingRule", "exempt", FORMAT_BOOL, .max = 1},
    {"RecordingRule", "disabled", FORMAT_BOOL, .max = 1},
    {"Mailbox", "name", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"Mailbox", "greeting", FORMAT_NAME, .max = KEY_BYTES},
    {"Mailbox", "agents", FORMAT_LIST, .max = CONFIG_BOX_AGENTS_MAX},
    {"Mailbox", "agents[]", FORMAT_NUMBER, .required = true, .max = KEY_BYTES},
    {"Mailbox", "language", FORMAT_CHOICE, .choices = "|zh|en"},
    {"Mailbox", "email", FORMAT_LIST, .max = CONFIG_BOX_EMAIL_MAX},
    {"Mailbox", "email[]", FORMAT_EMAIL, .required = true, .max = 254},
    {"Mailbox", "email_format", FORMAT_CHOICE, .choices = "wav|mp3"},
    {"Mailbox", "hook_url", FORMAT_URL, .max = 1024},
    {"Mailbox", "hook_secret", FORMAT_NAME, .max = KEY_BYTES},
    {"Token", "name", FORMAT_NAME, .required = true, .max = KEY_BYTES},
    {"Token", "sha256", FORMAT_HEX, .required = true, .secret = true, .max = 64},
    {"Token", "role", FORMAT_CHOICE, .choices = "admin|read|supervisor"},
    {"Token", "agent", FORMAT_NUMBER, .max = KEY_BYTES},
};

const struct config_rule *config_rule(const char *message, const char *field)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (strcmp(rules[i].message, message) == 0 && strcmp(rules[i].field, field) == 0)
            return &rules[i];
    }
    return NULL;
}

/* ---- addresses */

static int parse_ip(const char *text, size_t len, uint8_t addr[16], bool *v4)
{
    char t[INET6_ADDRSTRLEN];
    if (len == 0 || len >= sizeof t)
        return ERR_INVAL;
    memcpy(t, text, len);
    t[len] = '\0';
    memset(addr, 0, 10);
    addr[10] = addr[11] = 0xff;
    *v4 = inet_pton(AF_INET, t, addr + 12) == 1;
    if (*v4 || inet_pton(AF_INET6, t, addr) == 1)
        return 0;
    return ERR_INVAL;
}

/* Digits only, at most max; -1 if it is not such a number. */
static long parse_small(const char *text, size_t len, long max)
{
    long v = 0;
    if (len == 0 || len > 5)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        v = v * 10 + (text[i] - '0');
    }
    return v <= max ? v : -1;
}

int config_parse_range(const char *text, uint8_t addr[16], unsigned *prefix)
{
    const char *slash = strchr(text, '/');
    bool v4;
    int err = parse_ip(text, slash ? (size_t)(slash - text) : strlen(text), addr, &v4);
    if (err)
        return err;
    long bits = v4 ? 32 : 128;
    if (slash)
        bits = parse_small(slash + 1, strlen(slash + 1), bits);
    if (bits < 0)
        return ERR_INVAL;
    *prefix = (unsigned)bits + (v4 ? 96 : 0);
    return 0;
}

int config_parse_contact(const char *text, uint8_t addr[16], uint16_t *port)
{
    if (strncmp(text, "sip:", 4) != 0)
        return ERR_INVAL;
    const char *p = text + 4, *at = strchr(p, '@'), *semi = strchr(p, ';');
    if (at) {
        if (at == p || (size_t)(at - p) !=
                           strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-_.!~*'()&=$,%#"))
            return ERR_INVAL;
        p = at + 1;
    }
    const char *end = semi ? semi : p + strlen(p);
    if (semi && strcmp(semi, ";transport=udp") != 0 && strcmp(semi, ";transport=tcp") != 0)
        return ERR_INVAL;
    if (end < p)
        return ERR_INVAL;
    const char *host = p, *host_end, *colon = NULL;
    if (*p == '[') {
        host = p + 1;
        host_end = memchr(p, ']', (size_t)(end - p));
        if (!host_end)
            return ERR_INVAL;
        if (host_end + 1 != end)
            colon = host_end + 1;
        if (colon && *colon != ':')
            return ERR_INVAL;
    } else {
        colon = memchr(p, ':', (size_t)(end - p));
        host_end = colon ? colon : end;
    }
    bool v4;
    if (parse_ip(host, (size_t)(host_end - host), addr, &v4) != 0 || v4 != (*p != '['))
        return ERR_INVAL;
    long n = colon ? parse_small(colon + 1, (size_t)(end - colon - 1), 65535) : 0;
    if (n < 0 || (colon && n == 0))
        return ERR_INVAL;
    *port = (uint16_t)n;
    return 0;
}

/* ---- times */

int config_parse_time(const char *text, uint64_t *us)
{
    struct tm tm = {0};
    int n = 0;
    size_t digits = strspn(text, "0123456789-T:");
    if (digits < 19 ||
        sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
               &tm.tm_sec, &n) != 6 ||
        n != 19)
        return ERR_INVAL;
    if (tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
        tm.tm_min > 59 || tm.tm_sec > 60)
        return ERR_INVAL;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    struct tm noon = {.tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = tm.tm_mday, .tm_hour = 12};
    if (timegm(&noon) < 0 || noon.tm_mday != tm.tm_mday) /* 30 February */
        return ERR_INVAL;
    const char *p = text + n;
    uint64_t frac = 0, unit = 100000;
    if (*p == '.') {
        for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
            frac += (uint64_t)(*p - '0') * unit;
    }
    int hours = 0, minutes = 0;
    char sign = *p;
    if (sign == '+' || sign == '-') {
        if (strlen(p) != 6 || sscanf(p + 1, "%2d:%2d", &hours, &minutes) != 2 || hours > 23 || minutes > 59 ||
            hours < 0 || minutes < 0)
            return ERR_INVAL;
    } else if (strcmp(p, "Z") != 0) {
        return ERR_INVAL;
    }
    int64_t t = (int64_t)timegm(&tm) - (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    if (t < 0)
        return ERR_INVAL;
    *us = (uint64_t)t * 1000000 + frac;
    return 0;
}

/* ---- texts */

static bool printable_utf8(const char *s)
{
    for (size_t n; *s; s += n) {
        unsigned char ch = (unsigned char)*s;
        n = utf8_sequence(s);
        if (n == 0 || ch == 0x7f || (ch < 0x20 && ch != '\n' && ch != '\t'))
            return false;
    }
    return true;
}

static bool one_of(const char *choices, const char *value)
{
    size_t len = strlen(value);
    for (const char *p = choices;; p++) {
        size_t n = strcspn(p, "|");
        if (n == len && memcmp(p, value, n) == 0)
            return true;
        p += n;
        if (!*p)
            return false;
    }
}

static bool of_chars(const char *value, const char *more)
{
    for (; *value; value++) {
        char ch = *value;
        bool ok = (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || strchr(more, ch);
        if (!ok)
            return false;
    }
    return true;
}

bool config_is_outside(const char *number)
{
    const char *digits = number + (number[0] == '+');
    size_t n = strspn(digits, "0123456789");
    return n > 0 && n <= CONFIG_OUTSIDE_MAX && !digits[n];
}

bool config_is_email(const char *address)
{
    const char *at = strchr(address, '@');
    if (!at || at == address || strchr(at + 1, '@') || !strchr(at + 1, '.') || at[1] == '.')
        return false;
    for (const char *p = address; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || strchr("<>()[],;:\\\"", *p))
            return false;
    return true;
}

bool config_is_name(const char *name)
{
    return name[0] && strlen(name) <= KEY_BYTES && of_chars(name, "._-");
}

static bool is_hex(const char *value, size_t n)
{
    return strlen(value) == n && strspn(value, "0123456789abcdef") == n;
}

/* Memory that is short must not look like a text that is wrong: apply would refuse here what other nodes take. */
static int check_json_object(const char *value, const char *path, struct err_info *info)
{
    json_error_t why = {.text = ""};
    json_t *j = json_loads(value, JSON_REJECT_DUPLICATES, &why);
    bool ok = json_is_object(j), short_of_memory = !j && !why.text[0]; /* jansson has a text for all else */
    json_decref(j);
    if (short_of_memory)
        return ERR_NOMEM;
    return ok ? 0 : err_set(info, ERR_INVAL, path, "must be a JSON object");
}

static int check_time_text(const struct config_rule *r, const char *value, const char *path, struct err_info *info)
{
    int64_t day;
    struct calendar_span span;
    struct calendar_zone zone;
    if (r->format == FORMAT_DATE)
        return calendar_date_parse(value, &day) == 0
                   ? 0
                   : err_set(info, ERR_INVAL, path, "must be a day that there is, such as 2026-10-01");
    if (r->format == FORMAT_HOURS)
        return calendar_span_parse(value, &span) == 0
                   ? 0
                   : err_set(info, ERR_INVAL, path, "must be hours such as 08:30-12:00, 22:00-06:00 or 00:00-24:00");
    if (r->format == FORMAT_ZONE)
        return of_chars(value, "/_+-") ? 0
                                       : err_set(info, ERR_INVAL, path, "must be a time zone such as Asia/Shanghai");
    return calendar_zone_parse(value, &zone) == 0
               ? 0
               : err_set(info, ERR_INVAL, path,
                         "must be a POSIX time zone such as CST-8 or CET-1CEST,M3.5.0,M10.5.0/3");
}

/* Where a variable stands in place of text: its length, 0 when it is none of them. */
static size_t url_variable(const char *at)
{
    static const char *const known[] = {"${caller}", "${called}", "${queue}"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncmp(at, known[i], strlen(known[i])) == 0)
            return strlen(known[i]);
    return 0;
}

/* The host is fixed: no caller's number leads a request elsewhere. */
static bool is_url(const char *url)
{
    size_t scheme = strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;
    size_t host =
        scheme ? strspn(url + scheme, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]") : 0;
    if (!host || !strchr("/?", url[scheme + host]))
        return false;
    for (const char *p = url + scheme + host; *p;) {
        size_t variable = *p == '$' ? url_variable(p) : 1;
        if (!variable || (unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || *p == '#')
            return false;
        p += variable;
    }
    return true;
}

const char *config_draft_of(const char *flow, char name[64])
{
    size_t len = strlen(flow), tail = strlen(CONFIG_DRAFT);
    if (len <= tail || len - tail >= 64 || strcmp(flow + len - tail, CONFIG_DRAFT) != 0)
        return NULL;
    memcpy(name, flow, len - tail);
    name[len - tail] = '\0';
    return name;
}

static bool is_flow(const char *value)
{
    char name[64];
    const char *draft_of = config_draft_of(value, name);
    return of_chars(draft_of ? draft_of : value, "._-");
}

int config_check_text(const struct config_rule *r, const char *value, const char *path, struct err_info *info)
{
    if (!value[0])
        return r->required ? err_set(info, ERR_INVAL, path, "must not be empty") : 0;
    if (r->format != FORMAT_CHOICE && strlen(value) > r->max && r->format != FORMAT_HEX &&
        r->format != FORMAT_SECRET_HEX)
        return err_set(info, ERR_TOOBIG, path, "at most %u bytes", r->max);
    uint8_t addr[16];
    uint16_t port;
    unsigned prefix;
    switch (r->format) {
    case FORMAT_DATE:
    case FORMAT_HOURS:
    case FORMAT_ZONE:
    case FORMAT_TZ:
        return check_time_text(r, value, path, info);
    case FORMAT_TEXT:
        return printable_utf8(value) ? 0 : err_set(info, ERR_INVAL, path, "must be printable UTF-8 text");
    case FORMAT_LINE:
        return printable_utf8(value) && !strpbrk(value, "\n\t")
                   ? 0
                   : err_set(info, ERR_INVAL, path, "must be one line of printable UTF-8 text");
    case FORMAT_NAME:
        return of_chars(value, "._-") ? 0 : err_set(info, ERR_INVAL, path, "letters, digits, '.', '_' and '-' only");
    case FORMAT_FLOW:
        return is_flow(value) ? 0
                              : err_set(info, ERR_INVAL, path, "letters, digits, '.', '_' and '-' only, or NAME@draft");
    case FORMAT_NUMBER:
        return of_chars(value, "+._-") ? 0
                                       : err_set(info, ERR_INVAL, path, "digits, letters, '+', '.', '_' and '-' only");
    case FORMAT_DIGITS:
        return value[strspn(value, "0123456789")] ? err_set(info, ERR_INVAL, path, "digits only") : 0;
    case FORMAT_EMAIL:
        return config_is_email(value) ? 0 : err_set(info, ERR_INVAL, path, "must be an address such as a@b.example");
    case FORMAT_OUTSIDE:
        return config_is_outside(value) ? 0
                                        : err_set(info, ERR_INVAL, path, "must be digits, a '+' before them or not");
    case FORMAT_SIP_URI:
        return config_parse_contact(value, addr, &port) == 0
                   ? 0
                   : err_set(info, ERR_INVAL, path,
                             "must be sip:[user@]address[:port][;transport=udp|tcp], address numeric");
    case FORMAT_SECRET_HEX:
        if (strcmp(value, "-") == 0)
            return 0;
        /* fall through */
    case FORMAT_HEX:
        return is_hex(value, r->max)
                   ? 0
                   : err_set(info, ERR_INVAL, path, "must be %u lower-case hexadecimal digits", r->max);
    case FORMAT_RANGE:
        return config_parse_range(value, addr, &prefix) == 0
                   ? 0
                   : err_set(info, ERR_INVAL, path, "must be an address or a range such as 192.0.2.0/24");
    case FORMAT_CHOICE:
        return one_of(r->choices, value) ? 0 : err_set(info, ERR_INVAL, path, "must be one of %s", r->choices);
    case FORMAT_JSON:
        return check_json_object(value, path, info);
    case FORMAT_TIME: {
        uint64_t us;
        return config_parse_time(value, &us) == 0
                   ? 0
                   : err_set(info, ERR_INVAL, path, "must be a time such as 2026-03-01T09:30:00Z");
    }
    case FORMAT_URL:
        return is_url(value)
                   ? 0
                   : err_set(info, ERR_INVAL, path,
                             "must be http://host/... or https://host/..., printable ASCII, with no variables but "
                             "${caller}, ${called} and ${queue} after the host");
    case FORMAT_LIST:
    case FORMAT_OBJECT:
    case FORMAT_UINT:
    case FORMAT_BOOL:
        break;
    }
    return err_set(info, ERR_INVAL, path, "is not a text");
}
