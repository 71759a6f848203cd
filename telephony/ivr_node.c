/* The types of nodes: a row each, with what may stand in them, how it is read and what happens there. A new type is a row
 * here, its parse function, and its part of ivr_enter.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/ivr_int.h"

static bool ivr_digits_ok(const char *s, size_t most)
{
    size_t n = s ? strspn(s, "0123456789*#") : 0;
    return n > 0 && n <= most && s[n] == '\0';
}

static int ivr_parse_keys(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    json_t *keys = json_object_get(o, "keys"), *v;
    const char *digits;
    size_t count = json_object_size(keys);
    if (!json_is_object(keys) || count < 1 || count > IVR_KEYS_MAX)
        return ivr_refuse(p, n, "keys", "a menu needs 1 to %d keys, each with the node it leads to", IVR_KEYS_MAX);
    n->keys = calloc(count, sizeof *n->keys);
    if (!n->keys)
        return ERR_NOMEM;
    json_object_foreach(keys, digits, v)
    {
        char where[48];
        snprintf(where, sizeof where, "keys.%.30s", digits);
        if (!ivr_digits_ok(digits, IVR_KEY_MAX))
            return ivr_refuse(p, n, where, "a key is 1 to %d of 0-9 * #", IVR_KEY_MAX);
        int rc = ivr_parse_target(p, n, where, v, &n->keys[n->n_keys].target);
        if (rc)
            return rc;
        n->keys[n->n_keys++].digits = digits;
    }
    return 0;
}

/* What menu and collect have in common: how they wait, and what they say when that fails. */
static int ivr_parse_input(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    unsigned timeout_s = 5, digit_timeout_s = 3;
    n->retries = 3;
    int rc = ivr_parse_uint(p, n, o, "timeout_s", 1, 60, &timeout_s);
    if (!rc)
        rc = ivr_parse_uint(p, n, o, "digit_timeout_s", 1, 60, &digit_timeout_s);
    if (!rc)
        rc = ivr_parse_uint(p, n, o, "retries", 0, 10, &n->retries);
    if (!rc)
        rc = ivr_parse_prompts(p, n, o, "invalid_prompts", &n->invalid);
    if (!rc)
        rc = ivr_parse_prompts(p, n, o, "timeout_prompts", &n->timeout);
    n->timeout_ms = timeout_s * 1000;
    n->digit_timeout_ms = digit_timeout_s * 1000;
    /* A failure plays its own prompts and the node's in one go. */
    if (!rc && n->invalid.n + n->prompts.n > IVR_PROMPTS_MAX)
        return ivr_refuse(p, n, "invalid_prompts", "more than %d together with prompts", IVR_PROMPTS_MAX);
    if (!rc && n->timeout.n + n->prompts.n > IVR_PROMPTS_MAX)
        return ivr_refuse(p, n, "timeout_prompts", "more than %d together with prompts", IVR_PROMPTS_MAX);
    if (!rc)
        rc = ivr_check_sounds(p, n, "invalid_prompts", &n->invalid, &n->prompts);
    if (!rc)
        rc = ivr_check_sounds(p, n, "timeout_prompts", &n->timeout, &n->prompts);
    return rc;
}

static int ivr_parse_menu(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    int rc = ivr_parse_keys(p, n, o);
    return rc ? rc : ivr_parse_input(p, n, o);
}

static int ivr_parse_collect(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    json_t *end = json_object_get(o, "terminator");
    const char *terminator = end ? json_string_value(end) : "#";
    n->collect.variable = json_string_value(json_object_get(o, "variable"));
    n->collect.least = 1;
    n->collect.most = IVR_DIGITS_MAX;
    int rc = ivr_parse_variable(p, n, "variable", n->collect.variable);
    if (!rc)
        rc = ivr_parse_uint(p, n, o, "min", 1, IVR_DIGITS_MAX, &n->collect.least);
    if (!rc)
        rc = ivr_parse_uint(p, n, o, "max", n->collect.least, IVR_DIGITS_MAX, &n->collect.most);
    if (!rc)
        rc = ivr_parse_bool(p, n, o, "secret", &n->collect.secret);
    if (!rc && (!terminator || (strcmp(terminator, "none") != 0 && !ivr_digits_ok(terminator, 1))))
        return ivr_refuse(p, n, "terminator", "must be one of 0-9 * #, or none");
    if (!rc && terminator[1] == '\0')
        n->collect.terminator = terminator[0];
    if (!rc)
        rc = ivr_parse_needed_link(p, n, o, "next", &n->next);
    return rc ? rc : ivr_parse_input(p, n, o);
}

static int ivr_parse_play(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    (void)o;
    return n->prompts.n ? 0 : ivr_refuse(p, n, "prompts", "a play node needs prompts");
}

/* A group of variables with a text each, or with {"expr": "..."}. */
static int ivr_parse_sets(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field)
{
    json_t *sets = json_object_get(o, field), *v;
    const char *name;
    size_t count = json_object_size(sets);
    if (!json_is_object(sets) || count < 1 || count > IVR_SETS_MAX)
        return ivr_refuse(p, n, field, "must be 1 to %d variables, each with its value", IVR_SETS_MAX);
    n->sets = calloc(count, sizeof *n->sets);
    if (!n->sets)
        return ERR_NOMEM;
    json_object_foreach(sets, name, v)
    {
        struct ivr_set *set = &n->sets[n->n_sets++];
        char where[64];
        snprintf(where, sizeof where, "%.16s.%.40s", field, name);
        set->name = name;
        int rc = ivr_parse_variable(p, n, where, name);
        if (!rc && json_object_size(v) == 1 && json_object_get(v, "expr"))
            rc = ivr_parse_expr(p, n, where, json_object_get(v, "expr"), &set->value);
        else if (!rc && !json_is_string(v))
            rc = ivr_refuse(p, n, where, "must be a text, or an expression as {\"expr\": \"tries + 1\"}");
        else if (!rc)
            rc = ivr_parse_text(p, n, where, v, false, &set->text);
        if (rc)
            return rc;
    }
    return 0;
}

static int ivr_parse_set(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    int rc = ivr_parse_sets(p, n, o, "set");
    return rc ? rc : ivr_parse_needed_link(p, n, o, "next", &n->next);
}

static int ivr_parse_case(struct ivr_parser *p, struct ivr_node *n, size_t i, json_t *o, const char *by)
{
    struct ivr_case *to = &n->cases[n->n_cases++];
    json_t *what = json_object_get(o, by), *next = json_object_get(o, "next");
    char where[48];
    to->target = IVR_NONE;
    snprintf(where, sizeof where, "cases[%zu]", i);
    if (json_object_size(o) != 2 || !what || !next)
        return ivr_refuse(p, n, where, "must have \"%s\" and \"next\"", by);
    snprintf(where, sizeof where, "cases[%zu].next", i);
    int rc = ivr_parse_target(p, n, where, next, &to->target);
    if (rc)
        return rc;
    snprintf(where, sizeof where, "cases[%zu].%s", i, by);
    if (n->type == IVR_NODE_BRANCH)
        return ivr_parse_expr(p, n, where, what, &to->condition);
    to->group = json_string_value(what);
    return ivr_name_ok(to->group) ? 0 : ivr_refuse(p, n, where, "must name a time group");
}

/* Cases of branch and time: {"if" or "group": ..., "next": node}, and "else". */
static int ivr_parse_cases(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    const char *by = n->type == IVR_NODE_BRANCH ? "if" : "group";
    json_t *cases = json_object_get(o, "cases"), *c;
    size_t count = json_array_size(cases), i;
    if (!json_is_array(cases) || count < 1 || count > IVR_CASES_MAX)
        return ivr_refuse(p, n, "cases", "must be a list of 1 to %d cases, each with \"%s\" and \"next\"",
                          IVR_CASES_MAX, by);
    n->cases = calloc(count, sizeof *n->cases);
    if (!n->cases)
        return ERR_NOMEM;
    json_array_foreach(cases, i, c)
    {
        int rc = ivr_parse_case(p, n, i, c, by);
        if (rc)
            return rc;
    }
    return ivr_parse_needed_link(p, n, o, "else", &n->next);
}

int ivr_parse_target_name(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field)
{
    n->target = json_string_value(json_object_get(o, field));
    return ivr_name_ok(n->target) ? 0 : ivr_refuse(p, n, field, "must name the %s to go to", field);
}

/* An agent: his number, or a text with variables that makes one. */
static int ivr_parse_who(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char **out)
{
    const char *agent = json_string_value(json_object_get(o, "agent"));
    if (agent && ivr_text_varies(agent))
        return ivr_parse_text(p, n, "agent", json_object_get(o, "agent"), false, out);
    *out = agent;
    return ivr_name_ok(agent) ? 0 : ivr_refuse(p, n, "agent", "must name the agent to go to");
}

static int ivr_parse_skills(struct ivr_parser *p, struct ivr_node *n, json_t *list)
{
    size_t i;
    json_t *v;
    if (!json_is_array(list) || json_array_size(list) < 1 || json_array_size(list) > IVR_SKILLS_MAX)
        return ivr_refuse(p, n, "skills", "must be a list of 1 to %d skills", IVR_SKILLS_MAX);
    json_array_foreach(list, i, v)
    {
        const char *skill = json_string_value(json_object_get(v, "skill"));
        json_t *level = json_object_get(v, "level");
        char where[48];
        snprintf(where, sizeof where, "skills[%zu]", i);
        if (!ivr_name_ok(skill) || json_object_size(v) != (level ? 2 : 1) ||
            (level && (!json_is_integer(level) || json_integer_value(level) < 0 || json_integer_value(level) > 9)))
            return ivr_refuse(p, n, where, "must be {\"skill\": name, \"level\": 0 to 9}");
        n->need.skills[n->need.n_skills].skill = skill;
        n->need.skills[n->need.n_skills++].level = (unsigned)json_integer_value(level);
    }
    n->needs = true;
    return 0;
}

static int ivr_parse_queue(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    int rc = ivr_parse_target_name(p, n, o, "queue");
    if (!rc && json_object_get(o, "priority")) {
        rc = ivr_parse_uint(p, n, o, "priority", 0, 1000, &n->need.priority);
        n->need.has_priority = n->needs = true;
    }
    if (!rc && json_object_get(o, "skills"))
        rc = ivr_parse_skills(p, n, json_object_get(o, "skills"));
    if (!rc && json_object_get(o, "data"))
        rc = ivr_parse_sets(p, n, o, "data");
    if (!rc && json_object_get(o, "agent")) {
        rc = ivr_parse_who(p, n, o, &n->need.agent);
        n->needs = true;
    }
    return rc;
}

static int ivr_parse_agent(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    return ivr_parse_who(p, n, o, &n->target);
}

int ivr_parse_number(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field, const char **out)
{
    int rc = ivr_parse_text(p, n, field, json_object_get(o, field), false, out);
    const char *digits = rc ? "" : *out + (**out == '+');
    size_t len = strspn(digits, "0123456789");
    if (rc || ivr_text_varies(*out) || (len > 0 && len <= IVR_OUTSIDE_MAX && !digits[len]))
        return rc;
    return ivr_refuse(p, n, field, "must be a number between quotes: digits, a '+' before them or not");
}

static int ivr_parse_outside(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    int rc = ivr_parse_number(p, n, o, "number", &n->number);
    if (!rc && json_object_get(o, "caller_id"))
        rc = ivr_parse_number(p, n, o, "caller_id", &n->caller_id);
    if (!rc && json_object_get(o, "trunk"))
        rc = ivr_parse_target_name(p, n, o, "trunk");
    return rc ? rc : ivr_parse_uint(p, n, o, "ring_time_s", 1, 600, &n->ring_time_s);
}

static int ivr_parse_call(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    int rc = ivr_parse_target_name(p, n, o, "flow");
    return rc ? rc : ivr_parse_needed_link(p, n, o, "next", &n->next);
}

static int ivr_parse_language(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    const char *to = json_string_value(json_object_get(o, "language"));
    n->language = to ? ivr_flow_language(p->flow, to) : IVR_NONE;
    if (to && strcmp(to, "toggle") == 0)
        n->language = IVR_TOGGLE;
    return n->language == IVR_NONE ? ivr_refuse(p, n, "language", "must be \"toggle\" or one of the flow's languages")
                                   : 0;
}

static int ivr_parse_notices(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    int rc = json_object_get(o, "area") ? ivr_parse_text(p, n, "area", json_object_get(o, "area"), false, &n->area) : 0;
    if (!rc)
        rc = ivr_parse_needed_link(p, n, o, "next", &n->next);
    if (!rc)
        rc = ivr_parse_link(p, n, o, "none", &n->on_fail);
    if (!rc && n->on_fail == IVR_NONE)
        n->on_fail = n->next;
    return rc;
}

/* ---- http */

static int ivr_parse_header(struct ivr_parser *p, struct ivr_node *n, const char *name, json_t *v)
{
    static const char token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    static const char *const ours[] = {"Host", "Content-Length", "Transfer-Encoding", "Connection"};
    struct ivr_header *h = &n->http.headers[n->http.n_headers++];
    size_t len = strspn(name, token);
    char where[64];
    snprintf(where, sizeof where, "headers.%.40s", name);
    if (!len || len > 64 || name[len])
        return ivr_refuse(p, n, where, "is no name of a header");
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strcasecmp(name, ours[i]) == 0)
            return ivr_refuse(p, n, where, "is not for flows to set");
    h->name = name;
    int rc = ivr_parse_text(p, n, where, v, true, &h->text);
    for (const char *s = h->text; !rc && *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            rc = ivr_refuse(p, n, where, "must be without control characters");
    return rc;
}

static int ivr_parse_headers(struct ivr_parser *p, struct ivr_node *n, json_t *headers)
{
    const char *name;
    json_t *v;
    int rc = 0;
    /* two are left for us */
    if (!json_is_object(headers) || json_object_size(headers) > IVR_HEADERS_MAX - 2)
        return ivr_refuse(p, n, "headers", "must be at most %d headers, each with its value", IVR_HEADERS_MAX - 2);
    json_object_foreach(headers, name, v)
    {
        if (!rc)
            rc = ivr_parse_header(p, n, name, v);
    }
    return rc;
}

/* Every text in the body is one with variables. How deep it goes is bounded by the reader of JSON. */
static int ivr_check_body(struct ivr_parser *p, struct ivr_node *n, json_t *v)
{
    const char *name, *text;
    json_t *inner;
    size_t i;
    int rc = 0;
    if (json_is_string(v))
        return ivr_parse_text(p, n, "body", v, true, &text);
    json_object_foreach(v, name, inner)
    {
        if (!rc)
            rc = ivr_check_body(p, n, inner);
    }
    json_array_foreach(v, i, inner)
    {
        if (!rc)
            rc = ivr_check_body(p, n, inner);
    }
    return rc;
}

static int ivr_parse_answer(struct ivr_parser *p, struct ivr_node *n, json_t *answer, bool secret)
{
    const char *name;
    json_t *v;
    size_t count = json_object_size(answer);
    if (!json_is_object(answer) || count < 1 || count > IVR_SETS_MAX)
        return ivr_refuse(p, n, "answer", "must be 1 to %d variables, each with a path", IVR_SETS_MAX);
    n->sets = calloc(count, sizeof *n->sets);
    if (!n->sets)
        return ERR_NOMEM;
    json_object_foreach(answer, name, v)
    {
        struct ivr_set *set = &n->sets[n->n_sets++];
        struct err_info why;
        char where[64];
        snprintf(where, sizeof where, "answer.%.40s", name);
        *set = (struct ivr_set){.name = name, .text = json_string_value(v), .secret = secret};
        int rc = ivr_parse_variable(p, n, where, name);
        if (rc)
            return rc;
        if (!set->text)
            return ivr_refuse(p, n, where, "must be a path between quotes, as \"$.customer.name\"");
        if (ivr_path_check(set->text, &why))
            return ivr_refuse(p, n, where, "%s", why.text);
    }
    return 0;
}

static int ivr_parse_url(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    int rc = ivr_parse_text(p, n, "url", json_object_get(o, "url"), true, &n->http.url);
    if (rc)
        return rc;
    /* Which system is asked is said by whoever wrote the flow, never by what a caller or an answer put into a variable. */
    const char *host = strncmp(n->http.url, "https://", 8) == 0  ? n->http.url + 8
                       : strncmp(n->http.url, "http://", 7) == 0 ? n->http.url + 7
                                                                 : NULL;
    size_t len = host ? strcspn(host, "/?#") : 0;
    if (!len || memchr(host, '$', len) || memchr(host, '@', len))
        return ivr_refuse(p, n, "url", "must begin with https:// or http:// and a host without variables or user");
    for (const char *s = n->http.url; *s; s++)
        if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f)
            return ivr_refuse(p, n, "url", "must be of ASCII without spaces; others are written as %%20");
    return 0;
}

static int ivr_parse_method(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    json_t *method = json_object_get(o, "method");
    const char *name = method ? json_string_value(method) : "GET";
    for (size_t i = 0; name && i < sizeof methods / sizeof *methods; i++)
        if (strcmp(methods[i], name) == 0)
            n->http.method = methods[i];
    if (!n->http.method)
        return ivr_refuse(p, n, "method", "must be GET, POST, PUT, PATCH or DELETE");
    n->http.body = json_object_get(o, "body");
    if (n->http.body && (strcmp(n->http.method, "GET") == 0 || strcmp(n->http.method, "DELETE") == 0))
        return ivr_refuse(p, n, "body", "a %s request has none", n->http.method);
    return n->http.body ? ivr_check_body(p, n, n->http.body) : 0;
}

static int ivr_parse_http(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    json_t *headers = json_object_get(o, "headers"), *answer = json_object_get(o, "answer");
    unsigned timeout_s = 5;
    bool secret = false;
    int rc = ivr_parse_method(p, n, o);
    if (!rc)
        rc = ivr_parse_url(p, n, o);
    if (!rc && headers)
        rc = ivr_parse_headers(p, n, headers);
    if (!rc)
        rc = ivr_parse_uint(p, n, o, "timeout_s", 1, 30, &timeout_s);
    n->timeout_ms = timeout_s * 1000;
    if (!rc)
        rc = ivr_parse_bool(p, n, o, "secret", &secret);
    if (!rc && answer)
        rc = ivr_parse_answer(p, n, answer, secret);
    if (!rc)
        rc = ivr_parse_needed_link(p, n, o, "next", &n->next);
    return rc ? rc : ivr_parse_needed_link(p, n, o, "on_error", &n->on_fail);
}

/* ---- the table */

#define IVR_INPUT_FIELDS "timeout_s digit_timeout_s retries invalid_prompts timeout_prompts on_fail barge_in "

const struct ivr_kind ivr_kinds[IVR_NODE_TYPES] = {
    [IVR_NODE_PLAY] = {"play", " type prompts next barge_in ", IVR_PLAIN | IVR_CAN_PLAY | IVR_GOES_BACK, ivr_parse_play,
                       ivr_enter_play, NULL},
    [IVR_NODE_MENU] = {"menu", " type prompts keys " IVR_INPUT_FIELDS,
                       IVR_PLAIN | IVR_CAN_PLAY | IVR_CAN_WAIT | IVR_ENDS, ivr_parse_menu, ivr_enter_menu, NULL},
    [IVR_NODE_COLLECT] = {"collect", " type prompts variable min max terminator secret next " IVR_INPUT_FIELDS,
                          IVR_CAN_PLAY | IVR_CAN_WAIT, ivr_parse_collect, ivr_enter_collect, NULL},
    [IVR_NODE_SET] = {"set", " type set next ", IVR_HURRIES, ivr_parse_set, ivr_enter_set, NULL},
    [IVR_NODE_BRANCH] = {"branch", " type cases else ", IVR_HURRIES, ivr_parse_cases, ivr_enter_branch, NULL},
    [IVR_NODE_TIME] = {"time", " type cases else ", IVR_HURRIES | IVR_CAN_ASK, ivr_parse_cases, ivr_enter_ask,
                       ivr_ask_time},
    [IVR_NODE_HTTP] = {"http", " type method url headers body timeout_s answer secret next on_error ",
                       IVR_HURRIES | IVR_CAN_ASK, ivr_parse_http, ivr_enter_http, ivr_ask_http},
    [IVR_NODE_QUEUE] = {"queue", " type queue agent priority skills data on_fail ",
                        IVR_PLAIN | IVR_HURRIES | IVR_CAN_ASK | IVR_ENDS | IVR_LEAVES, ivr_parse_queue, ivr_enter_queue,
                        ivr_ask_queue},
    [IVR_NODE_AGENT] = {"agent", " type agent on_fail ", IVR_PLAIN | IVR_HURRIES | IVR_CAN_ASK | IVR_ENDS | IVR_LEAVES,
                        ivr_parse_agent, ivr_enter_ask, ivr_ask_agent},
    [IVR_NODE_OUTSIDE] = {"outside", " type number trunk caller_id ring_time_s on_fail ",
                          IVR_HURRIES | IVR_CAN_ASK | IVR_ENDS | IVR_LEAVES, ivr_parse_outside, ivr_enter_ask,
                          ivr_ask_outside},
    [IVR_NODE_RECORD] =
        {"record", " type prompts barge_in variable box max_s silence_s min_s terminator beep review next on_fail ",
         IVR_CAN_PLAY | IVR_CAN_ASK, ivr_parse_record, ivr_enter_record, ivr_ask_record},
    [IVR_NODE_VOICEMAIL] =
        {"voicemail",
         " type prompts greeting barge_in box max_s silence_s min_s terminator beep review thanks next on_fail ",
         IVR_CAN_PLAY | IVR_CAN_ASK | IVR_ENDS, ivr_parse_voicemail, ivr_enter_record, ivr_ask_record},
    [IVR_NODE_FLOW] = {"flow", " type flow next on_fail ", IVR_HURRIES, ivr_parse_call, ivr_enter_flow, NULL},
    [IVR_NODE_RETURN] = {"return", " type ", IVR_ENDS, NULL, ivr_enter_return, NULL},
    [IVR_NODE_LANGUAGE] = {"language", " type language next ", IVR_PLAIN | IVR_HURRIES | IVR_GOES_BACK,
                           ivr_parse_language, ivr_enter_language, NULL},
    [IVR_NODE_PARENT] = {"parent", " type ", IVR_PLAIN | IVR_GOES_BACK, NULL, ivr_enter_parent, NULL},
    [IVR_NODE_TOP] = {"top", " type ", IVR_PLAIN | IVR_GOES_BACK, NULL, ivr_enter_top, NULL},
    [IVR_NODE_HANGUP] = {"hangup", " type prompts ", IVR_PLAIN | IVR_CAN_PLAY | IVR_ENDS, NULL, ivr_enter_hangup, NULL},
    [IVR_NODE_NOTICES] = {"notices", " type area next none ", IVR_HURRIES | IVR_CAN_ASK, ivr_parse_notices,
                          ivr_enter_ask, ivr_ask_notices},
    [IVR_NODE_CALLBACK] = {"callback", " type queue number priority at group next refused ", IVR_HURRIES | IVR_CAN_ASK,
                           ivr_parse_callback, ivr_enter_callback, ivr_ask_callback},
    [IVR_NODE_MAILBOX] = {"mailbox", " type box do which next none ", IVR_HURRIES | IVR_CAN_ASK, ivr_parse_mailbox,
                          ivr_enter_ask, ivr_ask_mailbox},
    [IVR_NODE_LISTEN] = {"listen", " type message barge_in next ", IVR_CAN_PLAY, ivr_parse_listen, ivr_enter_listen,
                         NULL},
};

static int ivr_parse_type(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    const char *type = json_string_value(json_object_get(o, "type"));
    const char *key, *fields = NULL;
    char all[ERR_INFO_TEXT_MAX] = "";
    json_t *v;
    for (unsigned i = 0; i < IVR_NODE_TYPES; i++) {
        size_t at = strlen(all);
        snprintf(all + at, sizeof all - at, "%s%s", i ? ", " : "", ivr_kinds[i].name);
        if (type && strcmp(ivr_kinds[i].name, type) == 0) {
            n->type = (enum ivr_node_type)i;
            fields = ivr_kinds[i].fields;
        }
    }
    if (!fields)
        return ivr_refuse(p, n, "type", "must be one of %s", all);
    json_object_foreach(o, key, v)
    {
        char spaced[64];
        snprintf(spaced, sizeof spaced, " %.60s ", key);
        if (strchr(key, ' ') || !strstr(fields, spaced))
            return ivr_refuse(p, n, key, "unknown field of a %s node", type);
    }
    return 0;
}

int ivr_parse_node(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    if (!json_is_object(o))
        return ivr_refuse(p, n, NULL, "must be a group of fields");
    n->next = n->on_fail = IVR_NONE;
    n->barge_in = true;
    int rc = ivr_parse_type(p, n, o);
    if (!rc)
        rc = ivr_parse_prompts(p, n, o, "prompts", &n->prompts);
    if (!rc)
        rc = ivr_parse_link(p, n, o, "next", &n->next);
    if (!rc)
        rc = ivr_parse_link(p, n, o, "on_fail", &n->on_fail);
    if (!rc)
        rc = ivr_parse_bool(p, n, o, "barge_in", &n->barge_in);
    if (!rc && ivr_kinds[n->type].parse)
        rc = ivr_kinds[n->type].parse(p, n, o);
    return rc;
}

void ivr_node_free(struct ivr_node *n)
{
    free(n->prompts.at);
    free(n->invalid.at);
    free(n->timeout.at);
    free(n->record.thanks.at);
    free(n->keys);
    for (unsigned i = 0; i < n->n_cases; i++)
        ivr_expr_free(n->cases[i].condition);
    free(n->cases);
    for (unsigned i = 0; i < n->n_sets; i++)
        ivr_expr_free(n->sets[i].value);
    free(n->sets);
}
