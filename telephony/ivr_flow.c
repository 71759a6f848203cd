/* Flow text to graph: each field is checked where it is read, then the graph as a whole: every node reachable, no way back to
 * a menu where there was none, no circle of nodes that neither play nor wait for the caller. */
#include "telephony/ivr_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/yaml.h"
#include "telephony/media.h"

#define IVR_FLOW_BYTES_MAX (1u << 20)
#define IVR_PROMPT_FORMS                                                                                           \
    "a prompt key, or one of number, ordinal, digits, money, date, time, datetime with its value, as {\"money\": " \
    "\"12.50\"}"
#define IVR_NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

struct ivr_parser {
    struct ivr_flow *flow;
    struct err_info *info;
};

/* Allowed fields between spaces, so that a plain search for " name " decides. */
static const struct {
    const char *name;
    enum ivr_node_type type;
    const char *fields;
} ivr_types[] = {
    {"play", IVR_NODE_PLAY, " type prompts next barge_in "},
    {"menu", IVR_NODE_MENU,
     " type prompts keys timeout_s digit_timeout_s retries invalid_prompts timeout_prompts on_fail barge_in "},
    {"queue", IVR_NODE_QUEUE, " type queue on_fail "},
    {"agent", IVR_NODE_AGENT, " type agent on_fail "},
    {"language", IVR_NODE_LANGUAGE, " type language next "},
    {"parent", IVR_NODE_PARENT, " type "},
    {"top", IVR_NODE_TOP, " type "},
    {"hangup", IVR_NODE_HANGUP, " type prompts "},
};

static void ivr_path(char out[ERR_INFO_FIELD_MAX], const struct ivr_node *n, const char *field)
{
    snprintf(out, ERR_INFO_FIELD_MAX, "nodes.%.60s%s%.40s", n->name, field ? "." : "", field ? field : "");
}

__attribute__((format(printf, 4, 5))) static int ivr_refuse(struct ivr_parser *p, const struct ivr_node *n,
                                                            const char *field, const char *fmt, ...)
{
    char where[ERR_INFO_FIELD_MAX], text[ERR_INFO_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    ivr_path(where, n, field);
    return err_set(p->info, ERR_INVAL, where, "%s", text);
}

static bool ivr_name_ok(const char *s)
{
    size_t n = s ? strspn(s, IVR_NAME_CHARS) : 0;
    return n > 0 && n < IVR_NAME_MAX && s[n] == '\0' && s[0] != '.';
}

int ivr_flow_find(const struct ivr_flow *f, const char *name)
{
    for (unsigned i = 0; i < f->n_nodes; i++)
        if (strcmp(f->nodes[i].name, name) == 0)
            return (int)i;
    return IVR_NONE;
}

/* ---- one field each ---- */

static int ivr_parse_target(struct ivr_parser *p, struct ivr_node *n, const char *field, json_t *v, int *out)
{
    if (!json_is_string(v))
        return ivr_refuse(p, n, field, "must be the name of a node");
    *out = ivr_flow_find(p->flow, json_string_value(v));
    if (*out == IVR_NONE)
        return ivr_refuse(p, n, field, "there is no node '%.60s'", json_string_value(v));
    return 0;
}

static int ivr_parse_link(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field, int *out)
{
    json_t *v = json_object_get(o, field);
    return v ? ivr_parse_target(p, n, field, v, out) : 0;
}

static int ivr_parse_uint(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field, unsigned low,
                          unsigned high, unsigned *out)
{
    json_t *v = json_object_get(o, field);
    if (!v)
        return 0;
    if (!json_is_integer(v) || json_integer_value(v) < low || json_integer_value(v) > high)
        return ivr_refuse(p, n, field, "must be a number from %u to %u", low, high);
    *out = (unsigned)json_integer_value(v);
    return 0;
}

static int ivr_parse_bool(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field, bool *out)
{
    json_t *v = json_object_get(o, field);
    if (v && !json_is_boolean(v))
        return ivr_refuse(p, n, field, "must be true or false");
    if (v)
        *out = json_is_true(v);
    return 0;
}

static bool ivr_digits_ok(const char *s, size_t most)
{
    size_t n = s ? strspn(s, "0123456789*#") : 0;
    return n > 0 && n <= most && s[n] == '\0';
}

/* `where` is the path of the entry within its node. */
static int ivr_parse_value(struct ivr_parser *p, struct ivr_node *n, const char *where, const char *name, json_t *v,
                           struct speak_value *out)
{
    char path[64], integer[24];
    struct err_info why;
    enum speak_kind kind;
    const char *text = json_string_value(v);
    if (!speak_kind_of(name, &kind))
        return ivr_refuse(p, n, where, "'%.20s' is no kind of value: must be " IVR_PROMPT_FORMS, name);
    snprintf(path, sizeof path, "%s.%.20s", where, name);
    if (json_is_integer(v) && (kind == SPEAK_NUMBER || kind == SPEAK_ORDINAL)) {
        snprintf(integer, sizeof integer, "%lld", (long long)json_integer_value(v));
        text = integer;
    }
    if (!text)
        return ivr_refuse(p, n, path, "must be text between quotes%s", kind == SPEAK_NUMBER ? ", or an integer" : "");
    return speak_parse(kind, text, out, &why) ? ivr_refuse(p, n, path, "%s", why.text) : 0;
}

static int ivr_parse_weekday(struct ivr_parser *p, struct ivr_node *n, const char *where, json_t *v,
                             struct speak_value *out)
{
    char path[64];
    snprintf(path, sizeof path, "%s.weekday", where);
    if (!json_is_boolean(v))
        return ivr_refuse(p, n, path, "must be true or false");
    out->weekday = json_is_true(v);
    if (!out->year)
        return ivr_refuse(p, n, path, "only a date with its year has a weekday");
    return 0;
}

static int ivr_parse_prompt(struct ivr_parser *p, struct ivr_node *n, const char *where, json_t *v,
                            struct speak_value *value, struct ivr_prompt_ref *out)
{
    json_t *weekday = json_object_get(v, "weekday"), *field;
    const char *name;
    int rc = 0;
    if (json_is_string(v) && ivr_name_ok(json_string_value(v))) {
        out->key = json_string_value(v);
        return 0;
    }
    if (json_object_size(v) != (weekday ? 2 : 1))
        return ivr_refuse(p, n, where, "must be " IVR_PROMPT_FORMS);
    json_object_foreach(v, name, field)
    {
        if (field != weekday && rc == 0)
            rc = ivr_parse_value(p, n, where, name, field, value);
    }
    if (weekday && rc == 0)
        rc = ivr_parse_weekday(p, n, where, weekday, value);
    out->value = value;
    return rc;
}

/* How many sounds the lists are in one of the flow's languages; ERR_UNSUPPORTED: it cannot say a value. */
static int ivr_count_sounds(const char *language, const struct ivr_prompt_list *a, const struct ivr_prompt_list *b)
{
    const struct ivr_prompt_list *lists[] = {a, b};
    const char *keys[SPEAK_KEYS_MAX];
    int sounds = 0;
    for (unsigned l = 0; l < 2; l++)
        for (unsigned i = 0; i < lists[l]->n; i++) {
            const struct speak_value *v = lists[l]->at[i].value;
            int m = v ? speak_keys(language, v, keys, SPEAK_KEYS_MAX) : 1;
            if (m < 0)
                return m;
            sounds += m;
        }
    return sounds;
}

static int ivr_check_sounds(struct ivr_parser *p, struct ivr_node *n, const char *field,
                            const struct ivr_prompt_list *a, const struct ivr_prompt_list *b)
{
    for (unsigned i = 0; i < p->flow->n_languages; i++) {
        const char *language = p->flow->languages[i];
        int sounds = ivr_count_sounds(language, a, b);
        if (sounds < 0)
            return ivr_refuse(p, n, field, "values cannot be spoken in language '%s', only in zh and en", language);
        if (sounds > MEDIA_ITEMS_MAX)
            return ivr_refuse(p, n, field, "%d sounds in one go in language '%s', more than %d", sounds, language,
                              MEDIA_ITEMS_MAX);
    }
    return 0;
}

static int ivr_parse_prompts(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field,
                             struct ivr_prompt_list *out)
{
    json_t *v = json_object_get(o, field);
    if (!v)
        return 0;
    size_t count = json_array_size(v);
    if (!json_is_array(v) || count < 1 || count > IVR_PROMPTS_MAX)
        return ivr_refuse(p, n, field, "must be a list of 1 to %d prompts", IVR_PROMPTS_MAX);
    out->at = calloc(count, sizeof *out->at);
    out->values = calloc(count, sizeof *out->values);
    if (!out->at || !out->values)
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        char where[40];
        snprintf(where, sizeof where, "%.30s[%zu]", field, i);
        int rc = ivr_parse_prompt(p, n, where, json_array_get(v, i), &out->values[i], &out->at[i]);
        if (rc)
            return rc;
    }
    out->n = (unsigned)count;
    return ivr_check_sounds(p, n, field, out, &(struct ivr_prompt_list){.n = 0});
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
        if (!ivr_digits_ok(digits, IVR_DIGITS_MAX))
            return ivr_refuse(p, n, where, "a key is 1 to %d of 0-9 * #", IVR_DIGITS_MAX);
        int rc = ivr_parse_target(p, n, where, v, &n->keys[n->n_keys].target);
        if (rc)
            return rc;
        n->keys[n->n_keys++].digits = digits;
    }
    return 0;
}

/* ---- nodes by type ---- */

static int ivr_parse_menu(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    unsigned timeout_s = 5, digit_timeout_s = 3;
    n->retries = 3;
    int rc = ivr_parse_keys(p, n, o);
    if (!rc)
        rc = ivr_parse_uint(p, n, o, "timeout_s", 1, 60, &timeout_s);
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
    /* A failure plays its own prompts and the menu's in one go. */
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

static int ivr_parse_target_name(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field)
{
    n->target = json_string_value(json_object_get(o, field));
    return ivr_name_ok(n->target) ? 0 : ivr_refuse(p, n, field, "must name the %s to go to", field);
}

static int ivr_parse_language(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    const char *to = json_string_value(json_object_get(o, "language"));
    n->language = IVR_NONE;
    for (unsigned i = 0; to && i < p->flow->n_languages; i++)
        if (strcmp(p->flow->languages[i], to) == 0)
            n->language = (int)i;
    if (to && strcmp(to, "toggle") == 0)
        n->language = IVR_TOGGLE;
    return n->language == IVR_NONE ? ivr_refuse(p, n, "language", "must be \"toggle\" or one of the flow's languages")
                                   : 0;
}

static int ivr_parse_type(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    const char *type = json_string_value(json_object_get(o, "type"));
    const char *fields = NULL, *key;
    json_t *v;
    for (size_t i = 0; type && i < sizeof ivr_types / sizeof *ivr_types; i++)
        if (strcmp(ivr_types[i].name, type) == 0) {
            n->type = ivr_types[i].type;
            fields = ivr_types[i].fields;
        }
    if (!fields)
        return ivr_refuse(p, n, "type", "must be play, menu, queue, agent, language, parent, top or hangup");
    json_object_foreach(o, key, v)
    {
        char spaced[64];
        snprintf(spaced, sizeof spaced, " %.60s ", key);
        if (strchr(key, ' ') || !strstr(fields, spaced))
            return ivr_refuse(p, n, key, "unknown field of a %s node", type);
    }
    return 0;
}

static int ivr_parse_node(struct ivr_parser *p, struct ivr_node *n, json_t *o)
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
    if (rc)
        return rc;
    switch (n->type) {
    case IVR_NODE_PLAY:
        return n->prompts.n ? 0 : ivr_refuse(p, n, "prompts", "a play node needs prompts");
    case IVR_NODE_MENU:
        return ivr_parse_menu(p, n, o);
    case IVR_NODE_QUEUE:
        return ivr_parse_target_name(p, n, o, "queue");
    case IVR_NODE_AGENT:
        return ivr_parse_target_name(p, n, o, "agent");
    case IVR_NODE_LANGUAGE:
        return ivr_parse_language(p, n, o);
    case IVR_NODE_PARENT:
    case IVR_NODE_TOP:
    case IVR_NODE_HANGUP:
        break;
    }
    return 0;
}

/* ---- the graph as a whole ---- */

/* Marks what can be reached from the start; with `to_menus`, what is reached before any menu has been entered. */
static void ivr_reach(const struct ivr_flow *f, bool to_menus, bool seen[IVR_NODES_MAX])
{
    int todo[IVR_NODES_MAX];
    unsigned n_todo = 0;
    memset(seen, 0, IVR_NODES_MAX * sizeof *seen);
    seen[f->start] = true;
    todo[n_todo++] = f->start;
    while (n_todo) {
        const struct ivr_node *n = &f->nodes[todo[--n_todo]];
        if (to_menus && n->type == IVR_NODE_MENU)
            continue;
        for (unsigned i = 0; i < n->n_keys + 2; i++) {
            int to = i < n->n_keys ? n->keys[i].target : i == n->n_keys ? n->next : n->on_fail;
            if (to == IVR_NONE || seen[to])
                continue;
            seen[to] = true;
            todo[n_todo++] = to;
        }
    }
}

static bool ivr_goes_back(const struct ivr_node *n)
{
    return n->type == IVR_NODE_PARENT || n->type == IVR_NODE_TOP ||
           ((n->type == IVR_NODE_PLAY || n->type == IVR_NODE_LANGUAGE) && n->next == IVR_NONE);
}

/* Where a run goes on by itself, without a prompt or the caller in between. */
static int ivr_hurries_to(const struct ivr_node *n)
{
    if (n->type == IVR_NODE_LANGUAGE)
        return n->next;
    return n->type == IVR_NODE_QUEUE || n->type == IVR_NODE_AGENT ? n->on_fail : IVR_NONE;
}

static int ivr_check_graph(struct ivr_parser *p)
{
    const struct ivr_flow *f = p->flow;
    bool seen[IVR_NODES_MAX], before_menu[IVR_NODES_MAX];
    ivr_reach(f, false, seen);
    ivr_reach(f, true, before_menu);
    for (unsigned i = 0; i < f->n_nodes; i++) {
        const struct ivr_node *n = &f->nodes[i];
        if (!seen[i])
            return ivr_refuse(p, n, NULL, "cannot be reached from the start");
        if (before_menu[i] && ivr_goes_back(n))
            return ivr_refuse(p, n, NULL,
                              "goes back to a menu, but can be reached before any menu: give it a \"next\"");
        unsigned steps = 0;
        for (int at = (int)i; at != IVR_NONE && steps <= f->n_nodes; steps++)
            at = ivr_hurries_to(&f->nodes[at]);
        if (steps > f->n_nodes)
            return ivr_refuse(p, n, NULL, "leads round in a circle that neither plays nor waits");
    }
    return 0;
}

/* ---- the flow ---- */

static int ivr_parse_languages(struct ivr_parser *p, json_t *list)
{
    struct ivr_flow *f = p->flow;
    size_t count = json_array_size(list);
    if (count < 1 || count > IVR_LANGUAGES_MAX)
        return err_set(p->info, ERR_INVAL, "languages", "must list 1 to %d languages", IVR_LANGUAGES_MAX);
    for (unsigned i = 0; i < count; i++) {
        char where[32];
        const char *s = json_string_value(json_array_get(list, i));
        snprintf(where, sizeof where, "languages[%u]", i);
        if (!ivr_name_ok(s) || strlen(s) > 15 || strcmp(s, "toggle") == 0)
            return err_set(p->info, ERR_INVAL, where, "must be a language such as \"zh\" or \"en\"");
        for (unsigned k = 0; k < i; k++)
            if (strcmp(f->languages[k], s) == 0)
                return err_set(p->info, ERR_INVAL, where, "listed twice");
        f->languages[f->n_languages++] = s;
    }
    return 0;
}

static int ivr_parse_nodes(struct ivr_parser *p, json_t *nodes)
{
    struct ivr_flow *f = p->flow;
    const char *name;
    json_t *v;
    size_t count = json_object_size(nodes);
    if (count < 1 || count > IVR_NODES_MAX)
        return err_set(p->info, ERR_INVAL, "nodes", "must hold 1 to %d nodes", IVR_NODES_MAX);
    f->nodes = calloc(count, sizeof *f->nodes);
    if (!f->nodes)
        return ERR_NOMEM;
    json_object_foreach(nodes, name, v)
    {
        struct ivr_node *n = &f->nodes[f->n_nodes++];
        n->name = name;
        if (!ivr_name_ok(name))
            return ivr_refuse(p, n, NULL, "a node's name is 1 to %d letters, digits, '-', '_' or '.'",
                              IVR_NAME_MAX - 1);
    }
    for (unsigned i = 0; i < f->n_nodes; i++) {
        int rc = ivr_parse_node(p, &f->nodes[i], json_object_get(nodes, f->nodes[i].name));
        if (rc)
            return rc;
    }
    return 0;
}

static int ivr_parse_top(struct ivr_parser *p)
{
    struct ivr_flow *f = p->flow;
    const char *key;
    json_t *v;
    if (!json_is_object(f->tree))
        return err_set(p->info, ERR_INVAL, "", "a flow is an object with name, languages, start and nodes");
    json_object_foreach(f->tree, key, v)
    {
        if (strcmp(key, "name") != 0 && strcmp(key, "languages") != 0 && strcmp(key, "start") != 0 &&
            strcmp(key, "nodes") != 0)
            return err_set(p->info, ERR_INVAL, key, "unknown field of a flow");
    }
    f->name = json_string_value(json_object_get(f->tree, "name"));
    if (!ivr_name_ok(f->name))
        return err_set(p->info, ERR_INVAL, "name", "must be 1 to %d letters, digits, '-', '_' or '.'",
                       IVR_NAME_MAX - 1);
    int rc = ivr_parse_languages(p, json_object_get(f->tree, "languages"));
    if (!rc)
        rc = ivr_parse_nodes(p, json_object_get(f->tree, "nodes"));
    if (rc)
        return rc;
    const char *start = json_string_value(json_object_get(f->tree, "start"));
    f->start = start ? ivr_flow_find(f, start) : IVR_NONE;
    if (f->start == IVR_NONE)
        return err_set(p->info, ERR_INVAL, "start", "must be the name of a node");
    return ivr_check_graph(p);
}

static void ivr_prompt_list_free(struct ivr_prompt_list *list)
{
    free(list->at);
    free(list->values);
}

static void ivr_flow_destroy(void *obj)
{
    struct ivr_flow *f = obj;
    for (unsigned i = 0; i < f->n_nodes; i++) {
        struct ivr_node *n = &f->nodes[i];
        ivr_prompt_list_free(&n->prompts);
        ivr_prompt_list_free(&n->invalid);
        ivr_prompt_list_free(&n->timeout);
        free(n->keys);
    }
    free(f->nodes);
    json_decref(f->tree);
}

/* The reader of YAML knows where each field stood; asked only when there is a complaint. */
static void ivr_locate(const char *text, size_t len, struct err_info *info)
{
    json_t *tree = NULL;
    struct yaml_marks *marks = NULL;
    if (!info || yaml_load(text, len, &tree, &marks, NULL))
        return;
    yaml_locate(marks, info);
    yaml_marks_free(marks);
    json_decref(tree);
}

int ivr_flow_parse(const char *json, size_t len, struct ivr_flow **out, struct err_info *info)
{
    if (len > IVR_FLOW_BYTES_MAX)
        return err_set(info, ERR_TOOBIG, "", "larger than %u bytes", IVR_FLOW_BYTES_MAX);
    json_t *tree = NULL;
    int rc = json_load_text(json, len, &tree, info);
    if (rc)
        return rc;
    struct ivr_flow *f = mem_new(sizeof *f, ivr_flow_destroy);
    if (!f) {
        json_decref(tree);
        return err_set(info, ERR_NOMEM, "", "%s", err_text(ERR_NOMEM));
    }
    f->tree = tree;
    struct ivr_parser p = {f, info};
    rc = ivr_parse_top(&p);
    if (rc == 0) {
        *out = f;
        return 0;
    }
    ivr_flow_unref(f);
    if (rc == ERR_NOMEM)
        return err_set(info, ERR_NOMEM, "", "%s", err_text(ERR_NOMEM));
    ivr_locate(json, len, info);
    return rc;
}

struct ivr_flow *ivr_flow_ref(struct ivr_flow *f)
{
    return mem_ref(f);
}

void ivr_flow_unref(struct ivr_flow *f)
{
    mem_unref(f);
}

const char *ivr_flow_name(const struct ivr_flow *f)
{
    return f->name;
}

static void ivr_refer_prompts(const struct ivr_node *n, const char *field, const struct ivr_prompt_list *list,
                              void (*cb)(void *ctx, const char *kind, const char *name, const char *path), void *ctx)
{
    for (unsigned i = 0; i < list->n; i++) {
        char path[ERR_INFO_FIELD_MAX], where[48];
        if (!list->at[i].key)
            continue;
        snprintf(where, sizeof where, "%.30s[%u]", field, i);
        ivr_path(path, n, where);
        cb(ctx, "prompt", list->at[i].key, path);
    }
}

void ivr_flow_references(const struct ivr_flow *f,
                         void (*cb)(void *ctx, const char *kind, const char *name, const char *path), void *ctx)
{
    char path[ERR_INFO_FIELD_MAX];
    for (unsigned i = 0; i < f->n_languages; i++) {
        snprintf(path, sizeof path, "languages[%u]", i);
        cb(ctx, "language", f->languages[i], path);
    }
    for (unsigned i = 0; i < f->n_nodes; i++) {
        const struct ivr_node *n = &f->nodes[i];
        ivr_refer_prompts(n, "prompts", &n->prompts, cb, ctx);
        ivr_refer_prompts(n, "invalid_prompts", &n->invalid, cb, ctx);
        ivr_refer_prompts(n, "timeout_prompts", &n->timeout, cb, ctx);
        if (n->target) {
            const char *kind = n->type == IVR_NODE_QUEUE ? "queue" : "agent";
            ivr_path(path, n, kind);
            cb(ctx, kind, n->target, path);
        }
    }
}
