/* The body of a request, from arguments and options. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli_run.h"

static const char *const places[] = {"flow", "queue", "app", "extension", "agent", "outside"}; /* to lead callers to */
#define PLACES (sizeof places / sizeof places[0])

static bool is_place(const char *kind)
{
    for (size_t i = 0; i < PLACES; i++)
        if (strcmp(places[i], kind) == 0)
            return true;
    return false;
}

bool cli_run_number(const char *s, json_int_t *out)
{
    char *end;
    size_t n = strspn(s, "0123456789");
    if (n == 0 || n > 15 || s[n])
        return false;
    *out = strtoll(s, &end, 10);
    return true;
}

/* A number of n characters, "" for 0. */
static bool part_number(const char *text, size_t n, json_int_t *out)
{
    char number[16] = "0";
    *out = 0;
    if (n >= sizeof number)
        return false;
    if (n) {
        memcpy(number, text, n);
        number[n] = 0;
    }
    return cli_run_number(number, out);
}

/* AGENT or AGENT:LEVEL */
static json_t *member_value(const char *text, size_t n)
{
    const char *colon = memchr(text, ':', n);
    size_t name = colon ? (size_t)(colon - text) : n;
    json_int_t level = 0;
    if (colon && !part_number(colon + 1, n - name - 1, &level))
        return NULL;
    return json_pack("{s:o?,s:I}", "agent", json_stringn(text, name), "level", level);
}

/* SKILL, SKILL:LEVEL or SKILL:LEVEL:UNTIL, where the time has colons of its own */
static json_t *skill_value(const char *text, size_t n)
{
    const char *end = text + n, *colon = memchr(text, ':', n);
    const char *second = colon ? memchr(colon + 1, ':', (size_t)(end - colon - 1)) : NULL;
    size_t name = colon ? (size_t)(colon - text) : n;
    json_int_t level = 0;
    if (colon && !part_number(colon + 1, (size_t)((second ? second : end) - colon - 1), &level))
        return NULL;
    json_t *one = json_pack("{s:o?,s:I}", "skill", json_stringn(text, name), "level", level);
    if (one && second && json_object_set_new(one, "until", json_stringn(second + 1, (size_t)(end - second - 1))) != 0) {
        json_decref(one);
        return NULL;
    }
    return one;
}

/* "office:queue:service" */
static json_t *when_value(const char *text, size_t n)
{
    const char *kind = memchr(text, ':', n), *end = text + n;
    const char *name = kind ? memchr(kind + 1, ':', (size_t)(end - kind - 1)) : NULL;
    char key[16] = "";
    if (name && (size_t)(name - kind) <= sizeof key)
        memcpy(key, kind + 1, (size_t)(name - kind - 1));
    if (!is_place(key) || kind == text || name + 1 == end)
        return NULL;
    return json_pack("{s:o?,s:o?}", "time_group", json_stringn(text, (size_t)(kind - text)), key,
                     json_stringn(name + 1, (size_t)(end - name - 1)));
}

/* NAME=SECRET */
static json_t *header_value(const char *text, size_t n)
{
    const char *eq = memchr(text, '=', n);
    size_t name = eq ? (size_t)(eq - text) : 0;
    if (!name || name + 1 == n)
        return NULL;
    return json_pack("{s:o?,s:o?}", "name", json_stringn(text, name), "secret", json_stringn(eq + 1, n - name - 1));
}

/* "sales:after:60", "sales:behind:10", "sales:longer:120" */
static json_t *further_value(const char *text, size_t n)
{
    const char *how = memchr(text, ':', n), *end = text + n;
    const char *number = how ? memchr(how + 1, ':', (size_t)(end - how - 1)) : NULL;
    json_int_t value;
    if (!number || !part_number(number + 1, (size_t)(end - number - 1), &value))
        return NULL;
    size_t len = (size_t)(number - how - 1);
    const char *field = len == 5 && strncmp(how + 1, "after", 5) == 0    ? "after_wait_s"
                        : len == 6 && strncmp(how + 1, "behind", 6) == 0 ? "if_waiting"
                        : len == 6 && strncmp(how + 1, "longer", 6) == 0 ? "if_estimated_s"
                                                                         : NULL;
    return field ? json_pack("{s:o?,s:I}", "queue", json_stringn(text, (size_t)(how - text)), field, value) : NULL;
}

/* TYPE:TARGET; "callback" alone; "hangup" alone, or with the prompts to play before. All three fields are said: what was there before is replaced. */
static json_t *action_value(const char *text)
{
    const char *colon = strchr(text, ':'), *rest = colon ? colon + 1 : "";
    size_t type = strcspn(text, ":");
    if (!*text)
        return json_null();
    json_t *prompts = json_array();
    bool ends = type == 6 && strncmp(text, "hangup", 6) == 0;
    while (ends && *rest && prompts) {
        size_t n = strcspn(rest, ",");
        if (json_array_append_new(prompts, json_stringn(rest, n)) != 0) {
            json_decref(prompts);
            return NULL;
        }
        rest += n + (rest[n] == ',');
    }
    return json_pack("{s:o?,s:s,s:o}", "type", json_stringn(text, type), "target", rest, "prompts", prompts);
}

/* "1=stay", "2=flow:night" */
static json_t *key_value(const char *text, size_t n)
{
    char action[256];
    if (n < 3 || text[1] != '=' || n - 2 >= sizeof action)
        return NULL;
    memcpy(action, text + 2, n - 2);
    action[n - 2] = '\0';
    return json_pack("{s:o?,s:o?}", "key", json_stringn(text, 1), "action",
                     strcmp(action, "stay") == 0 ? json_null() : action_value(action));
}

static json_t *list_value(json_t *list, const char *text, const struct cli_option *o)
{
    while (*text && list) {
        size_t n = strcspn(text, ",");
        json_t *one = o->type == CLI_MEMBERS   ? member_value(text, n)
                      : o->type == CLI_SKILLS  ? skill_value(text, n)
                      : o->type == CLI_WHEN    ? when_value(text, n)
                      : o->type == CLI_HEADERS ? header_value(text, n)
                      : o->type == CLI_FURTHER ? further_value(text, n)
                      : o->type == CLI_KEYS    ? key_value(text, n)
                                               : json_stringn(text, n);
        if (!one || json_array_append_new(list, one) != 0) {
            const char *form = o->type == CLI_MEMBERS   ? "AGENT or AGENT:LEVEL"
                               : o->type == CLI_SKILLS  ? "SKILL, SKILL:LEVEL or SKILL:LEVEL:UNTIL"
                               : o->type == CLI_HEADERS ? "NAME=SECRET"
                               : o->type == CLI_WHEN    ? "TIME-GROUP:flow|queue|app|extension|agent:NAME"
                               : o->type == CLI_FURTHER
                                   ? "QUEUE:after:SECONDS, QUEUE:behind:PLACE or QUEUE:longer:SECONDS"
                               : o->type == CLI_KEYS ? "KEY=stay or KEY=ACTION"
                                                     : "text";
            fprintf(stderr, "ccctl: --%s \"%.*s\": expected %s\n", o->name, (int)n, text, form);
            return NULL;
        }
        text += n + (text[n] == ',');
    }
    return list;
}

static json_t *secret_value(const struct cli_option *o, const char *file)
{
    char *secret = NULL;
    struct err_info info = {0};
    if (cli_read_secret(o->type == CLI_STDIN ? "-" : file, &secret, &info)) {
        fprintf(stderr, "ccctl: --%s: %s\n", o->name, info.text);
        return NULL;
    }
    json_t *v = json_string(secret);
    explicit_bzero(secret, strlen(secret));
    free(secret);
    if (!v)
        fprintf(stderr, "ccctl: --%s: the secret is not UTF-8 text\n", o->name);
    return v;
}

/* What was given before (or NULL), and NAME=TEXT. */
static json_t *with_pair(json_t *before, const struct cli_option *o, const char *text)
{
    const char *eq = strchr(text, '=');
    size_t len = eq ? (size_t)(eq - text) : 0;
    char name[128] = "";
    json_t *all = before ? json_incref(before) : json_object();
    if (len > 0 && len < sizeof name) {
        memcpy(name, text, len);
        json_t *value = eq[1] ? json_string(eq + 1) : json_null();
        if (value && json_object_set_new(all, name, value) == 0)
            return all;
    }
    fprintf(stderr, "ccctl: --%s \"%s\": expected NAME=TEXT\n", o->name, text);
    json_decref(all);
    return NULL;
}

static json_t *option_value(const json_t *body, const struct cli_option *o, const char *value)
{
    json_int_t n;
    json_t *v;
    switch (o->type) {
    case CLI_FLAG:
        return json_true();
    case CLI_BOOL:
        if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0 && strcmp(value, "true") != 0 &&
            strcmp(value, "false") != 0) {
            fprintf(stderr, "ccctl: --%s \"%s\": expected yes or no\n", o->name, value);
            return NULL;
        }
        return json_boolean(*value == 'y' || *value == 't');
    case CLI_NUMBER:
        if (!cli_run_number(value, &n)) {
            fprintf(stderr, "ccctl: --%s \"%s\": expected a whole number\n", o->name, value);
            return NULL;
        }
        return json_integer(n);
    case CLI_LIST:
    case CLI_MEMBERS:
    case CLI_SKILLS:
    case CLI_WHEN:
    case CLI_HEADERS:
    case CLI_FURTHER:
    case CLI_KEYS:
        v = json_object_get(body, o->field);
        v = v ? json_incref(v) : json_array();
        if (!list_value(v, value, o)) {
            json_decref(v);
            return NULL;
        }
        return v;
    case CLI_PAIRS:
        return with_pair(json_object_get(body, o->field), o, value);
    case CLI_ACTION:
        v = action_value(value);
        if (!v)
            fprintf(stderr, "ccctl: --%s: the text is not UTF-8\n", o->name);
        return v;
    case CLI_TIME: {
        char *when = cli_run_time(value, true);
        v = when ? json_string(when) : NULL;
        free(when);
        if (!v)
            fprintf(stderr, "ccctl: --%s \"%s\": expected a time\n", o->name, value);
        return v;
    }
    case CLI_SECRET:
    case CLI_STDIN:
        return secret_value(o, value);
    case CLI_TEXT:
        break;
    }
    v = json_string(value);
    if (!v)
        fprintf(stderr, "ccctl: --%s: the text is not UTF-8\n", o->name);
    return v;
}

/* Other words for two of the states an agent can be put into. */
static bool put_agent_state(json_t *body, const char *word)
{
    static const struct {
        const char *word, *state;
    } words[] = {{"idle", "ready"}, {"available", "ready"}, {"free", "ready"}, {"not-ready", "not_ready"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i].word, word) == 0)
            return json_object_set_new(body, "state", json_string(words[i].state)) == 0;
    }
    return true;
}

static bool put_argument(struct cli_run *r, json_t *body, const char *spec, size_t len)
{
    size_t name = strcspn(spec, "=");
    char field[40] = "";
    const char *value = cli_args_named(r->args, spec, name);
    if (!value && strncmp(spec, "STATE=", 6) == 0)
        value = "ready"; /* the one argument that has a natural default */
    if (!value || len - name - 1 >= sizeof field)
        return true;
    memcpy(field, spec + name + 1, len - name - 1);
    json_t *v = json_string(value);
    if (!v || json_object_set_new(body, field, v) != 0) {
        fprintf(stderr, "ccctl: %.*s: the text is not UTF-8\n", (int)name, spec);
        return false;
    }
    return strcmp(field, "state") != 0 || put_agent_state(body, value);
}

json_t *cli_run_body(struct cli_run *r)
{
    json_t *body = json_object();
    bool ok = body != NULL;
    for (const char *s = r->verb->body; s && *s && ok;) {
        size_t len = strcspn(s, " ");
        ok = put_argument(r, body, s, len);
        s += len + (s[len] == ' ');
    }
    for (unsigned i = 0; i < r->args->n_set && ok; i++) {
        const struct cli_option *o = r->args->set[i].option;
        if (!o->field)
            continue;
        json_t *v = option_value(body, o, r->args->set[i].value);
        ok = v && json_object_set_new(body, o->field, v) == 0;
    }
    if (ok)
        return body;
    json_decref(body);
    return NULL;
}

bool cli_run_lead_elsewhere(json_t *body)
{
    size_t given = 0;
    for (size_t i = 0; i < PLACES; i++)
        given += json_string_length(json_object_get(body, places[i])) > 0;
    for (size_t i = 0; i < PLACES && given == 1; i++)
        if (!json_object_get(body, places[i]) && json_object_set_new(body, places[i], json_string("")) != 0)
            return false;
    return true;
}
