/* What the nodes of a flow name. The interpreter reads flows with its own parser (telephony/ivr.h), which core/ does not see; a test
 * holds the two to each other. Names made of variables are known when somebody calls, and not here. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "core/refs.h"

static const struct {
    const char *type, *field;
    enum cfg_kind kind;
} names[] = {
    {"queue", "queue", CFG_QUEUE},    {"queue", "agent", CFG_AGENT},
    {"agent", "agent", CFG_AGENT},    {"outside", "trunk", CFG_TRUNK},
    {"flow", "flow", CFG_FLOW},       {"notices", "area", CFG_AREA},
    {"callback", "queue", CFG_QUEUE}, {"callback", "group", CFG_TIME_GROUP},
};

/* Lists of what is said, in nodes of whatever type. */
static const char *const said[] = {"prompts", "invalid_prompts", "timeout_prompts", "thanks"};

/* Fields of http nodes whose texts may hold secrets. */
static const char *const asking[] = {"headers", "url", "body"};

struct flow_walk {
    ref_fn *fn;
    void *ctx;
    const char *node;
    bool draft;
};

static int tell(const struct flow_walk *w, enum cfg_kind kind, const char *name, const char *field)
{
    char path[ERR_INFO_FIELD_MAX];
    if (!name || !name[0] || strlen(name) >= 64 || strchr(name, '$'))
        return 0;
    (void)snprintf(path, sizeof path, "definition.nodes.%.64s.%.40s", w->node, field);
    return w->fn(
        w->ctx,
        &(struct ref){.kind = kind, .name = name, .path = path, .level = 4, .loose = w->draft || kind == CFG_PROMPT});
}

static int tell_named(const struct flow_walk *w, const char *type, const json_t *node)
{
    int err = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !err; i++)
        if (strcmp(type, names[i].type) == 0)
            err = tell(w, names[i].kind, json_string_value(json_object_get(node, names[i].field)), names[i].field);
    return err;
}

static int tell_said(const struct flow_walk *w, const json_t *node)
{
    int err = 0;
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        size_t k;
        json_t *prompt;
        json_array_foreach(json_object_get(node, said[i]), k, prompt)
        {
            char field[48];
            (void)snprintf(field, sizeof field, "%s[%zu]", said[i], k);
            err = err ? err : tell(w, CFG_PROMPT, json_string_value(prompt), field);
        }
    }
    return err;
}

static int tell_groups(const struct flow_walk *w, const json_t *node)
{
    size_t i;
    json_t *one;
    int err = 0;
    json_array_foreach(json_object_get(node, "cases"), i, one)
    {
        char field[48];
        (void)snprintf(field, sizeof field, "cases[%zu].group", i);
        err = err ? err : tell(w, CFG_TIME_GROUP, json_string_value(json_object_get(one, "group")), field);
    }
    return err;
}

/* ${secret.NAME}; "$$" is a dollar. */
static int tell_secrets_in(const struct flow_walk *w, const char *text, const char *field)
{
    static const char head[] = "${secret.";
    int err = 0;
    for (const char *s = text; !err && (s = strchr(s, '$'));) {
        char name[64];
        size_t n = strncmp(s, head, sizeof head - 1) == 0 ? strcspn(s + sizeof head - 1, "}") : 0;
        if (n && n < sizeof name) {
            memcpy(name, s + sizeof head - 1, n);
            name[n] = '\0';
            err = tell(w, CFG_SECRET, name, field);
        }
        s += s[1] == '$' ? 2 : 1;
    }
    return err;
}

static int tell_secrets(const struct flow_walk *w, json_t *v, const char *field)
{
    const char *name;
    json_t *inner;
    size_t i;
    int err = json_is_string(v) ? tell_secrets_in(w, json_string_value(v), field) : 0;
    json_object_foreach(v, name, inner)
    {
        char path[48];
        (void)snprintf(path, sizeof path, "%.7s.%.38s", field, name);
        err = err ? err : tell_secrets(w, inner, strcmp(field, "headers") == 0 ? path : field);
    }
    json_array_foreach(v, i, inner)
    {
        err = err ? err : tell_secrets(w, inner, field);
    }
    return err;
}

static int tell_node(const struct flow_walk *w, const json_t *node)
{
    const char *type = json_string_value(json_object_get(node, "type"));
    int err = type ? tell_said(w, node) : 0;
    if (type && !err)
        err = tell_named(w, type, node);
    if (type && !err && strcmp(type, "time") == 0)
        err = tell_groups(w, node);
    for (size_t i = 0; type && !err && strcmp(type, "http") == 0 && i < sizeof asking / sizeof asking[0]; i++)
        err = tell_secrets(w, json_object_get(node, asking[i]), asking[i]);
    return err;
}

int refs_flow_each(const char *definition, bool draft, ref_fn *fn, void *ctx)
{
    json_error_t why;
    json_t *flow = json_loads(definition, 0, &why), *node;
    struct flow_walk w = {.fn = fn, .ctx = ctx, .draft = draft};
    int err = !flow && json_error_code(&why) == json_error_out_of_memory ? ERR_NOMEM : 0;
    json_object_foreach(json_object_get(flow, "nodes"), w.node, node)
    {
        err = err ? err : tell_node(&w, node);
    }
    json_decref(flow);
    return err;
}
