/* Entrance of the views: kinds, filters, cursors, times. */
#include "core/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "core/scope.h"
#include "core/view_int.h"

static const struct view_kind *find_kind(const char *name)
{
    static const char *const extension[] = {"number",   "display_name", "contact", "site",
                                            "disabled", "has_password", NULL};
    static const char *const agent[] = {"number", "name",   "extension",        "group",  "type",     "level",
                                        "state",  "reason", "extension_in_use", "queues", "activity", NULL};
    static const char *const queue[] = {"name", "display_name", "strategy", "quiet", NULL};
    static const char *const trunk[] = {"name", "contact", "disabled", "takeover", NULL};
    static const char *const network[] = {"name", "takeover", "site", NULL};
    static const char *const address[] = {"ip", "home", "holder", "target", "state", NULL};
    static const char *const access[] = {"number", "flow", "queue", "app", "extension", "agent", "language", NULL};
    static const char *const time_group[] = {"name", "zone", "holidays", NULL};
    static const char *const blacklist[] = {"number", "direction", NULL};
    static const char *const vip[] = {"entry", "number", "queue", NULL};
    static const char *const area[] = {"name", "parent", "numbers", "mass", NULL};
    static const char *const notice[] = {"name", "areas", "state", "automatic", "mass", NULL};
    static const char *const by_name[] = {"name", NULL};
    static const char *const activity[] = {"name", "code", "built_in", "counts_as", NULL};
    static const char *const token[] = {"name", "role", NULL};
    static const char *const call[] = {"call_id", "owner", "phase", "caller",   "called",   "trunk", "extension",
                                       "agent",   "queue", "flow",  "language", "customer", NULL};
    static const char *const callback[] = {"callback_id", "queue", "number", "state", NULL};
    static const char *const cdr[] = {"call_id",   "direction",   "caller",      "called",   "trunk",
                                      "extension", "agent",       "answered_by", "queue",    "flow",
                                      "owner",     "from",        "to",          "ended_by", "cause",
                                      "customer",  "rated_agent", "rated_queue", "marked",   NULL};
    static const char *const rating[] = {"rated_agent", "rated_queue", "from", "to", NULL};
    static const char *const missed[] = {"kind", "queue", "agent", "caller", "reached", "from", "to", NULL};
    static const char *const node[] = {"name", "site", "up", "draining", "version", NULL};
    static const char *const live_agent[] = {"group", "type", "state", "activity", "queues", NULL};
    static const char *const live_waiting[] = {"queue", "type", "state", "caller", "called", NULL};
    static const char *const event[] = {"type", "subject", NULL};
    static const char *const message[] = {"box", "queue", "caller", "called", "call_id", "heard", "from", "to", NULL};
    static const char *const forward[] = {"name", "agent", "extension", "when", "time_group", "disabled", NULL};
    static const char *const rule[] = {"name",          "queue",     "agent",  "agent_group",
                                       "access_number", "direction", "exempt", NULL};
    static const char *const mailbox[] = {"name", "agents", NULL};
    static const char *const recording[] = {
        "direction", "caller", "called", "answered_by", "number", "agent",           "customer",        "queue",
        "rule",      "hold",   "marked", "from",        "to",     "min_duration_ms", "max_duration_ms", NULL};
    static const char *const audit[] = {"actor", "origin", "node", "action", "object", "from", "to", NULL};
    static const struct view_kind kinds[] = {
        {"extension", view_list_config, extension, false},
        {"agent", view_list_config, agent, false},
        {"agent_state", view_list_config, activity, false},
        {"agent_group", view_list_config, by_name, false},
        {"queue", view_list_config, queue, false},
        {"trunk", view_list_config, trunk, false},
        {"network", view_list_config, network, false},
        {"access_number", view_list_config, access, false},
        {"time_group", view_list_config, time_group, false},
        {"holiday_list", view_list_config, by_name, false},
        {"blacklist", view_list_config, blacklist, false},
        {"vip", view_list_config, vip, false},
        {"area", view_list_config, area, false},
        {"notice", view_list_config, notice, false},
        {"recording_rule", view_list_config, rule, false},
        {"mailbox", view_list_config, mailbox, false},
        {"forward", view_list_config, forward, false},
        {"flow", view_list_config, by_name, false},
        {"flow_draft", view_list_config, by_name, false},
        {"prompt", view_list_config, by_name, false},
        {"parameter", view_list_config, by_name, false},
        {"secret", view_list_config, by_name, false},
        {"lookup", view_list_config, by_name, false},
        {"token", view_list_config, token, false},
        {"call", view_list_calls, call, false},
        {"callback", view_list_callbacks, callback, false},
        {"cdr", view_list_cdrs, cdr, true},
        {"missed", view_list_missed, missed, true},
        {"missed_count", view_list_missed_counts, missed, true},
        {"rating", view_list_ratings, rating, true},
        {"message", view_list_messages, message, true},
        {"recording", view_list_recordings, recording, true},
        {"node", view_list_nodes, node, false},
        {"address", view_list_addresses, address, false},
        {"live_agent", view_list_live_agents, live_agent, false},
        {"live_waiting", view_list_live_waiting, live_waiting, false},
        {"live_queue", view_list_live_queues, by_name, false},
        {"event", view_list_events, event, false},
        {"audit", view_list_audit, audit, true},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    return NULL;
}

/* ---- values */

json_t *view_time(uint64_t us)
{
    if (!us)
        return json_null();
    char text[CLOCK_TEXT_MAX];
    struct clock_wall t = {us};
    return json_string(clock_wall_text(t, text));
}

json_t *view_variables(const char *json)
{
    json_t *o = json[0] ? json_loads(json, 0, NULL) : NULL;
    return o ? o : json_object();
}

json_t *view_text(const char *s)
{
    json_t *j = json_string(s);
    if (j)
        return j;
    char *copy = strdup(s);
    for (char *p = copy; p && *p; p++) {
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    }
    j = copy ? json_string(copy) : NULL;
    free(copy);
    return j;
}

void view_id(uint64_t id, char out[17])
{
    (void)snprintf(out, 17, "%016llx", (unsigned long long)id);
}

bool view_parse_id(const char *text, uint64_t *id)
{
    if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return false;
    *id = strtoull(text, NULL, 16);
    return true;
}

void view_set(struct view *v, json_t *o, const char *key, json_t *value)
{
    if (json_object_set_new(o, key, value) != 0)
        v->err = ERR_NOMEM;
}

/* ---- filters */

const char *view_filter(const struct view *v, const char *name)
{
    return json_string_value(json_object_get(v->q->filter, name));
}

/* Fields that take one of a few words: of what is configured by its rule, of the rest from here. NULL: any. */
static const struct config_rule *words_of(const struct view_kind *kind, const char *field)
{
#define WORDS(kind, field, words)                                        \
    {                                                                    \
        kind, field, FORMAT_CHOICE, .required = true, .choices = (words) \
    }
    static const struct config_rule rules[] = {
        WORDS("agent", "state", "logged_out|not_ready|idle|ringing|talking|wrap_up"),
        WORDS("live_agent", "state", "logged_out|not_ready|idle|ringing|talking|wrap_up"),
        WORDS("live_agent", "type", "agent|supervisor"),
        WORDS("live_waiting", "state", "waiting|offered"),
        WORDS("live_waiting", "type", "caller|vip|callback"),
        WORDS("call", "phase", "app|menu|waiting|offered|dialling|talking|failed|notice"),
        WORDS("notice", "state", "now|later|over|disabled"),
        WORDS("callback", "state", "waiting|scheduled|calling"),
        WORDS("missed", "kind", "menu|queue|unanswered|ringing"),
        WORDS("missed", "reached", "true|false"),
        WORDS("missed_count", "kind", "menu|queue|unanswered|ringing"),
        WORDS("missed_count", "reached", "true|false"),
        WORDS("cdr", "direction", "inbound|internal|outbound"),
        WORDS("recording", "direction", "inbound|internal|outbound"),
        WORDS("cdr", "ended_by", "caller|agent|callee|system"),
        WORDS("address", "state", "bound|pending|moving|failed"),
    };
#undef WORDS
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (strcmp(rules[i].message, kind->name) == 0 && strcmp(rules[i].field, field) == 0)
            return &rules[i];
    }
    enum cfg_kind configured = config_kind(kind->name);
    const struct config_rule *r =
        configured == CFG_NONE ? NULL : config_rule(config_descriptor(configured)->short_name, field);
    return r && r->format == FORMAT_CHOICE ? r : NULL;
}

/* A value that no row can have finds nothing: whoever mistyped it is told instead. */
static int check_value(struct view *v, const char *key, const json_t *val)
{
    const char *text = json_string_value(val);
    const struct config_rule *words = words_of(v->kind, key);
    uint64_t n;
    if (v->kind->own_filters && !text)
        return err_set(v->info, ERR_INVAL, key, "must be a string");
    if (!text) /* a number or a truth value, from within */
        return 0;
    if ((strcmp(key, "from") == 0 || strcmp(key, "to") == 0) && config_parse_time(text, &n) != 0)
        return err_set(v->info, ERR_INVAL, key, "must be a time such as 2026-03-01T09:30:00Z");
    if (strcmp(key, "call_id") == 0 && !view_parse_id(text, &n))
        return err_set(v->info, ERR_INVAL, key, "must be 16 hexadecimal digits, small letters");
    return words ? config_check_text(words, text, key, v->info) : 0;
}

static int check_filters(struct view *v)
{
    const char *key;
    json_t *val;
    json_object_foreach(v->q->filter, key, val)
    {
        bool known = false;
        for (const char *const *f = v->kind->filters; *f; f++)
            known = known || strcmp(*f, key) == 0;
        if (!known)
            return err_set(v->info, ERR_INVAL, key, "%s cannot be filtered by this", v->kind->name);
        int err = check_value(v, key, val);
        if (err)
            return err;
    }
    return 0;
}

/* Filters come out of query strings: a number or a truth value may be given as text. */
static bool equal(const json_t *have, const json_t *want)
{
    if (json_is_array(have)) {
        for (size_t i = 0; i < json_array_size(have); i++) {
            if (equal(json_array_get(have, i), want))
                return true;
        }
        return false;
    }
    if (!json_is_string(want) || json_is_string(have))
        return json_equal((json_t *)(uintptr_t)have, (json_t *)(uintptr_t)want);
    char text[32] = "";
    if (json_is_integer(have))
        (void)snprintf(text, sizeof text, "%lld", (long long)json_integer_value(have));
    else if (json_is_boolean(have))
        (void)strcpy(text, json_is_true(have) ? "true" : "false");
    return text[0] && strcmp(text, json_string_value(want)) == 0;
}

static bool passes(const struct view *v, const json_t *item)
{
    const char *key;
    json_t *want;
    json_object_foreach(v->q->filter, key, want)
    {
        if (!equal(json_object_get(item, key), want))
            return false;
    }
    return true;
}

int view_add(struct view *v, json_t *item, const char *key)
{
    if (v->err || !item) {
        v->err = v->err ? v->err : ERR_NOMEM;
        json_decref(item);
        return 1;
    }
    bool hidden = v->q->scope && !view_scope_row(v->q->scope, v->kind->name, item);
    if (hidden || (!v->kind->own_filters && !passes(v, item))) {
        json_decref(item);
        return 0;
    }
    if (json_array_size(v->items) >= v->limit) {
        v->more = true;
        json_decref(item);
        return 1;
    }
    if (json_array_append_new(v->items, item) != 0) {
        v->err = ERR_NOMEM;
        return 1;
    }
    (void)snprintf(v->last, sizeof v->last, "%s", key);
    return 0;
}

/* ---- cursors: first letters of the kind, '-', the last key in hexadecimal */

static json_t *make_cursor(const struct view *v)
{
    char text[400];
    size_t at = (size_t)snprintf(text, sizeof text, "%.2s-", v->kind->name);
    for (const char *p = v->last; *p && at + 3 < sizeof text; p++)
        at += (size_t)snprintf(text + at, 3, "%02x", (unsigned)(unsigned char)*p);
    return json_string(text);
}

static int read_cursor(struct view *v)
{
    const char *c = v->q->cursor;
    if (!c)
        return 0;
    size_t len = strlen(c);
    if (len < 5 || (len - 3) % 2 || (len - 3) / 2 >= sizeof v->after || strncmp(c, v->kind->name, 2) != 0 ||
        c[2] != '-' || strspn(c + 3, "0123456789abcdef") != len - 3)
        return err_set(v->info, ERR_INVAL, "cursor", "this is not a cursor of a list of %s", v->kind->name);
    for (size_t i = 0; i < (len - 3) / 2; i++) {
        char two[3] = {c[3 + 2 * i], c[4 + 2 * i], '\0'};
        v->after[i] = (char)strtoul(two, NULL, 16);
        if (!v->after[i])
            return err_set(v->info, ERR_INVAL, "cursor", "this is not a cursor");
    }
    return 0;
}

/* ---- the question */

static int finish(struct view *v, uint64_t index, json_t **out)
{
    if (v->q->key) {
        json_t *first = json_array_get(v->items, 0);
        if (!first)
            return err_set(v->info, ERR_NOTFOUND, "", "there is no %s %.64s", v->kind->name, v->q->key);
        *out = json_incref(first);
        return 0;
    }
    json_t *list = json_object();
    if (!list)
        return ERR_NOMEM;
    view_set(v, list, "items", json_incref(v->items));
    view_set(v, list, "next_cursor", v->more ? make_cursor(v) : json_null());
    view_set(v, list, "index", json_integer((json_int_t)index));
    if (v->err) {
        json_decref(list);
        return v->err;
    }
    *out = list;
    return 0;
}

int view_read(struct storage_reader *r, const struct view_query *q, json_t **out, struct err_info *info)
{
    struct view v = {.r = r, .q = q, .info = info, .kind = find_kind(q->kind)};
    if (!v.kind)
        return err_set(info, ERR_INVAL, "kind", "there is no kind \"%.32s\"", q->kind);
    if (q->limit > VIEW_LIMIT_MAX)
        return err_set(info, ERR_INVAL, "limit", "must be 1 to %u", VIEW_LIMIT_MAX);
    v.limit = q->limit ? q->limit : 100;
    int err = check_filters(&v);
    if (!err)
        err = read_cursor(&v);
    if (err)
        return err;
    v.items = json_array();
    if (!v.items)
        return ERR_NOMEM;
    uint64_t index = 0;
    err = storage_reader_begin(r, &index);
    if (!err) {
        err = v.kind->list(&v);
        storage_reader_end(r);
        if (err >= 0)
            err = v.err;
    }
    if (!err)
        err = finish(&v, index, out);
    json_decref(v.items);
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&v.agent_queues, &it, &slot);)
        json_decref(slot->value);
    for (size_t it = 0; map_next(&v.agent_states, &it, &slot);)
        json_decref(slot->value);
    for (size_t it = 0; map_next(&v.overflows, &it, &slot);)
        json_decref(slot->value);
    for (size_t it = 0; map_next(&v.live_calls, &it, &slot);)
        json_decref(slot->value);
    map_free(&v.live_calls);
    map_free(&v.overflows);
    map_free(&v.agent_queues);
    map_free(&v.agent_states);
    map_free(&v.positions);
    return err;
}
