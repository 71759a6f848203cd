/* Flow text to graph: each field is checked where it is read (ivr_node.c, ivr_field.c), then the graph as a whole: every node
 * reachable, no way back to a menu where there was none, no circle of nodes that neither play nor wait for the caller.
 * What came later than flows that are stored already stands in ivr_flow_check. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/yaml.h"
#include "telephony/ivr_int.h"

#define IVR_FLOW_BYTES_MAX (1u << 20)

int ivr_flow_find(const struct ivr_flow *f, const char *name)
{
    for (unsigned i = 0; i < f->n_nodes; i++)
        if (strcmp(f->nodes[i].name, name) == 0)
            return (int)i;
    return IVR_NONE;
}

int ivr_flow_language(const struct ivr_flow *f, const char *name)
{
    for (unsigned i = 0; i < f->n_languages; i++)
        if (strcmp(f->languages[i], name) == 0)
            return (int)i;
    return IVR_NONE;
}

/* 0 when the fault has been told to somebody who wants to know of them all. */
static int ivr_go_on(struct ivr_parser *p, int rc)
{
    if (!rc || rc == ERR_NOMEM || !p->fault)
        return rc;
    p->fault(p->ctx, p->info);
    p->n_faults++;
    return 0;
}

/* ---- the graph as a whole */

struct ivr_reach {
    const struct ivr_flow *f;
    bool seen[IVR_NODES_MAX];
    int todo[IVR_NODES_MAX];
    unsigned n_todo;
};

static void ivr_reach_add(struct ivr_reach *r, int to)
{
    if (to == IVR_NONE || r->seen[to])
        return;
    r->seen[to] = true;
    r->todo[r->n_todo++] = to;
}

/* Marks what can be reached from what is to do; with `to_menus`, what is reached before any menu has been entered. */
static void ivr_reach_all(struct ivr_reach *r, bool to_menus)
{
    while (r->n_todo) {
        const struct ivr_node *n = &r->f->nodes[r->todo[--r->n_todo]];
        if (to_menus && n->type == IVR_NODE_MENU)
            continue;
        int to;
        for (unsigned i = 0; ivr_node_way(n, i, &to); i++)
            ivr_reach_add(r, to);
    }
}

static void ivr_reach_from_start(struct ivr_reach *r, const struct ivr_flow *f, bool to_menus)
{
    memset(r, 0, sizeof *r);
    r->f = f;
    ivr_reach_add(r, f->start);
    ivr_reach_all(r, to_menus);
}

static bool ivr_goes_back(const struct ivr_node *n)
{
    return (ivr_kind_of(n)->traits & IVR_GOES_BACK) && n->next == IVR_NONE;
}

/* Spreads a property against the direction of the ways: a node has it if one of its ways leads to a node that has. */
static void ivr_spread(const struct ivr_flow *f, bool has[IVR_NODES_MAX], bool hurrying_ways)
{
    for (bool more = true; more;) {
        more = false;
        for (unsigned i = 0; i < f->n_nodes; i++) {
            const struct ivr_node *n = &f->nodes[i];
            bool waits_there = ivr_kind_of(n)->traits & IVR_LEAVES;
            int to;
            for (unsigned w = 0; !has[i] && ivr_node_way(n, w, &to); w++)
                if (to != IVR_NONE && has[to] && (!hurrying_ways || !waits_there || to == n->on_fail))
                    has[i] = more = true;
        }
    }
}

/* A run that only hurries from node to node has to come to one that plays, waits or ends. */
static int ivr_check_circles(struct ivr_parser *p)
{
    const struct ivr_flow *f = p->flow;
    bool leaves[IVR_NODES_MAX] = {false};
    for (unsigned i = 0; i < f->n_nodes; i++) {
        const struct ivr_node *n = &f->nodes[i];
        bool sole_way = ivr_kind_of(n)->traits & IVR_LEAVES;
        leaves[i] = !(ivr_kind_of(n)->traits & IVR_HURRIES) || ivr_goes_back(n) || (sole_way && n->on_fail == IVR_NONE);
    }
    ivr_spread(f, leaves, true);
    for (unsigned i = 0; i < f->n_nodes; i++)
        if (!leaves[i])
            return ivr_refuse(p, &f->nodes[i], NULL, "leads round in a circle that neither plays nor waits");
    return 0;
}

static int ivr_check_graph(struct ivr_parser *p)
{
    const struct ivr_flow *f = p->flow;
    struct ivr_reach all, before_menu;
    ivr_reach_from_start(&all, f, false);
    ivr_reach_from_start(&before_menu, f, true);
    for (unsigned i = 0; i < f->n_nodes; i++) {
        const struct ivr_node *n = &f->nodes[i];
        int rc = 0;
        if (!all.seen[i])
            rc = ivr_refuse(p, n, NULL, "cannot be reached from the start");
        else if (before_menu.seen[i] && ivr_goes_back(n))
            rc = ivr_refuse(p, n, NULL, "goes back to a menu, but can be reached before any menu: give it a \"next\"");
        rc = ivr_go_on(p, rc);
        if (rc)
            return rc;
    }
    return ivr_go_on(p, ivr_check_circles(p));
}

/* ---- what is asked of flows that are stored now */

static bool ivr_sets_variable(const struct ivr_node *n, const char *name)
{
    if (n->type == IVR_NODE_COLLECT && strcmp(n->collect.variable, name) == 0)
        return true;
    if (n->type == IVR_NODE_RECORD && strcmp(n->record.variable, name) == 0)
        return true;
    if (n->type == IVR_NODE_HTTP && strcmp(name, IVR_HTTP_STATUS) == 0)
        return true;
    if (n->type == IVR_NODE_MAILBOX && ivr_box_sets(name))
        return true;
    for (unsigned i = 0; i < n->n_sets; i++)
        if (strcmp(n->sets[i].name, name) == 0)
            return true;
    return false;
}

struct ivr_unknown {
    struct ivr_parser *p;
    const struct ivr_node *node;
    int rc;
};

/* Whether some way leads from a node that sets it to this one. */
static bool ivr_set_before(const struct ivr_flow *f, const char *name, const struct ivr_node *at)
{
    struct ivr_reach r = {.f = f};
    for (unsigned i = 0; i < f->n_nodes; i++) {
        const struct ivr_node *n = &f->nodes[i];
        int to;
        /* answers and digits are there only when it went well */
        bool only_next =
            n->type == IVR_NODE_COLLECT || (n->type == IVR_NODE_HTTP && strcmp(name, IVR_HTTP_STATUS) != 0);
        for (unsigned w = 0; ivr_sets_variable(n, name) && ivr_node_way(n, w, &to); w++)
            if (!only_next || to == n->next)
                ivr_reach_add(&r, to);
    }
    ivr_reach_all(&r, false);
    return r.seen[at - f->nodes];
}

static void ivr_check_read(void *ctx, const char *name, const char *field)
{
    struct ivr_unknown *u = ctx;
    const struct ivr_flow *f = u->p->flow;
    bool known = ivr_builtin(name) || strncmp(name, "secret.", 7) == 0 || ivr_known_is(name);
    for (unsigned i = 0; !known && i < f->n_variables; i++)
        known = strcmp(f->variables[i].name, name) == 0;
    if (u->rc || known || ivr_set_before(f, name, u->node))
        return;
    u->rc =
        ivr_refuse(u->p, u->node, field,
                   "variable '%s' is set on no way that leads here; one that a calling or called flow sets is named "
                   "in \"variables\"",
                   name);
}

static int ivr_check_ends(struct ivr_parser *p)
{
    const struct ivr_flow *f = p->flow;
    bool ends[IVR_NODES_MAX] = {false};
    for (unsigned i = 0; i < f->n_nodes; i++) {
        const struct ivr_node *n = &f->nodes[i];
        unsigned traits = ivr_kind_of(n)->traits;
        ends[i] = (traits & IVR_ENDS) || ivr_goes_back(n) || ((traits & IVR_CAN_WAIT) && n->on_fail == IVR_NONE);
    }
    ivr_spread(f, ends, false);
    for (unsigned i = 0; i < f->n_nodes; i++)
        if (!ends[i])
            return ivr_refuse(p, &f->nodes[i], NULL, "begins a loop that nothing leads out of");
    return 0;
}

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

/* Variables that other flows set, or that have a value from the beginning. */
static int ivr_parse_variables(struct ivr_parser *p, json_t *variables)
{
    struct ivr_flow *f = p->flow;
    const char *name;
    json_t *v;
    size_t count = json_object_size(variables);
    if (!variables)
        return 0;
    if (!json_is_object(variables) || count > IVR_VARIABLES_MAX)
        return err_set(p->info, ERR_INVAL, "variables", "must be at most %u variables, each with its first value",
                       IVR_VARIABLES_MAX);
    f->variables = calloc(count + 1, sizeof *f->variables);
    if (!f->variables)
        return ERR_NOMEM;
    json_object_foreach(variables, name, v)
    {
        char where[64];
        snprintf(where, sizeof where, "variables.%.40s", name);
        if (!ivr_variable_ok(name, strlen(name)) || ivr_builtin(name))
            return err_set(p->info, ERR_INVAL, where, "is no name for a variable: a small letter, then a-z 0-9 _");
        if (!json_is_string(v) || strlen(json_string_value(v)) >= IVR_VALUE_MAX)
            return err_set(p->info, ERR_INVAL, where, "must be a text of less than %u bytes", IVR_VALUE_MAX);
        f->variables[f->n_variables].name = name;
        f->variables[f->n_variables++].text = json_string_value(v);
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
        int rc = ivr_name_ok(name) ? 0
                                   : ivr_refuse(p, n, NULL, "a node's name is 1 to %d letters, digits, '-', '_' or '.'",
                                                IVR_NAME_MAX - 1);
        rc = ivr_go_on(p, rc);
        if (rc)
            return rc;
    }
    for (unsigned i = 0; i < f->n_nodes; i++) {
        int rc = ivr_go_on(p, ivr_parse_node(p, &f->nodes[i], json_object_get(nodes, f->nodes[i].name)));
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
        char spaced[64];
        snprintf(spaced, sizeof spaced, " %.60s ", key);
        if (strchr(key, ' ') || !strstr(" name languages variables start nodes ", spaced))
            return err_set(p->info, ERR_INVAL, key, "unknown field of a flow");
    }
    f->name = json_string_value(json_object_get(f->tree, "name"));
    if (!ivr_name_ok(f->name))
        return err_set(p->info, ERR_INVAL, "name", "must be 1 to %d letters, digits, '-', '_' or '.'",
                       IVR_NAME_MAX - 1);
    int rc = ivr_go_on(p, ivr_parse_languages(p, json_object_get(f->tree, "languages")));
    if (!rc)
        rc = ivr_go_on(p, ivr_parse_variables(p, json_object_get(f->tree, "variables")));
    if (!rc)
        rc = ivr_parse_nodes(p, json_object_get(f->tree, "nodes"));
    if (rc)
        return rc;
    const char *start = json_string_value(json_object_get(f->tree, "start"));
    f->start = start ? ivr_flow_find(f, start) : IVR_NONE;
    if (f->start == IVR_NONE)
        rc = ivr_go_on(p, err_set(p->info, ERR_INVAL, "start", "must be the name of a node"));
    return rc || p->n_faults ? rc : ivr_check_graph(p);
}

static bool ivr_prompts_plain(const struct ivr_prompt_list *list)
{
    for (unsigned i = 0; i < list->n; i++)
        if (list->at[i].text)
            return false;
    return true;
}

static bool ivr_is_plain(const struct ivr_flow *f)
{
    for (unsigned i = 0; i < f->n_nodes; i++) {
        const struct ivr_node *n = &f->nodes[i];
        if (!(ivr_kind_of(n)->traits & IVR_PLAIN) || n->n_sets || n->needs ||
            (n->target && ivr_text_varies(n->target)) || !ivr_prompts_plain(&n->prompts) ||
            !ivr_prompts_plain(&n->invalid) || !ivr_prompts_plain(&n->timeout))
            return false;
    }
    return f->n_variables == 0;
}

static void ivr_flow_destroy(void *obj)
{
    struct ivr_flow *f = obj;
    for (unsigned i = 0; i < f->n_nodes; i++)
        ivr_node_free(&f->nodes[i]);
    free(f->nodes);
    free(f->variables);
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

/* Text to graph. 0: p->flow is there, a reference, whole unless faults were told. */
static int ivr_load(struct ivr_parser *p, const char *json, size_t len)
{
    if (len > IVR_FLOW_BYTES_MAX)
        return err_set(p->info, ERR_TOOBIG, "", "larger than %u bytes", IVR_FLOW_BYTES_MAX);
    json_t *tree = NULL;
    int rc = json_load_text(json, len, &tree, p->info);
    if (rc)
        return rc;
    struct ivr_flow *f = mem_new(sizeof *f, ivr_flow_destroy);
    if (!f) {
        json_decref(tree);
        return err_set(p->info, ERR_NOMEM, "", "%s", err_text(ERR_NOMEM));
    }
    f->tree = tree;
    p->flow = f;
    rc = ivr_parse_top(p);
    if (rc == 0) {
        f->plain = ivr_is_plain(f);
        return 0;
    }
    ivr_flow_unref(f);
    p->flow = NULL;
    if (rc == ERR_NOMEM)
        return err_set(p->info, ERR_NOMEM, "", "%s", err_text(ERR_NOMEM));
    ivr_locate(json, len, p->info);
    return rc;
}

int ivr_flow_parse(const char *json, size_t len, struct ivr_flow **out, struct err_info *info)
{
    struct ivr_parser p = {.info = info};
    int rc = ivr_load(&p, json, len);
    if (rc == 0)
        *out = p.flow;
    return rc;
}

/* Each once, and no more than count in a queue. */
static int ivr_check_needs(struct ivr_parser *p, const struct ivr_node *n)
{
    char where[48];
    if (n->need.n_skills > IVR_NEEDS_MAX)
        return ivr_refuse(p, n, "skills", "at most %d skills", IVR_NEEDS_MAX);
    for (unsigned i = 0; i < n->need.n_skills; i++)
        for (unsigned k = 0; k < i; k++)
            if (strcmp(n->need.skills[i].skill, n->need.skills[k].skill) == 0) {
                snprintf(where, sizeof where, "skills[%u]", i);
                return ivr_refuse(p, n, where, "%s is given twice", n->need.skills[i].skill);
            }
    return 0;
}

static int ivr_check_stored(struct ivr_parser *p)
{
    const struct ivr_flow *f = p->flow;
    int rc = ivr_go_on(p, ivr_check_ends(p));
    for (unsigned i = 0; !rc && i < f->n_nodes; i++) {
        struct ivr_unknown u = {p, &f->nodes[i], 0};
        ivr_node_reads(&f->nodes[i], ivr_check_read, &u);
        rc = ivr_go_on(p, u.rc ? u.rc : ivr_check_needs(p, &f->nodes[i]));
    }
    return rc;
}

int ivr_flow_check(const struct ivr_flow *f, const char *text, size_t len, struct err_info *info)
{
    struct ivr_parser p = {.flow = (struct ivr_flow *)(uintptr_t)f, .info = info};
    int rc = ivr_check_stored(&p);
    if (rc)
        ivr_locate(text, len, info);
    return rc;
}

struct ivr_telling {
    struct yaml_marks *marks;
    void (*fault)(void *ctx, const struct err_info *info);
    void *ctx;
};

static void ivr_tell_fault(void *ctx, const struct err_info *info)
{
    const struct ivr_telling *t = ctx;
    struct err_info told = *info;
    yaml_locate(t->marks, &told);
    t->fault(t->ctx, &told);
}

int ivr_flow_faults(const char *text, size_t len, void (*fault)(void *ctx, const struct err_info *info), void *ctx,
                    struct ivr_flow **out)
{
    struct err_info info = {.code = 0};
    struct ivr_telling t = {NULL, fault, ctx};
    struct ivr_parser p = {.info = &info, .fault = ivr_tell_fault, .ctx = &t};
    json_t *tree = NULL;
    if (len <= IVR_FLOW_BYTES_MAX && yaml_load(text, len, &tree, &t.marks, NULL) == 0)
        json_decref(tree);
    int rc = ivr_load(&p, text, len);
    if (!rc && !p.n_faults)
        rc = ivr_check_stored(&p);
    yaml_marks_free(t.marks);
    if (rc && rc != ERR_NOMEM) { /* nothing more could be read */
        fault(ctx, &info);
        p.n_faults++;
        rc = 0;
    }
    if (!rc && !p.n_faults)
        *out = p.flow;
    else
        ivr_flow_unref(p.flow);
    return rc ? rc : (int)p.n_faults;
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

struct ivr_refer {
    void (*cb)(void *ctx, const char *kind, const char *name, const char *path);
    void *ctx;
    const struct ivr_node *node;
};

static void ivr_refer_secret(void *ctx, const char *name, const char *field)
{
    struct ivr_refer *r = ctx;
    char path[ERR_INFO_FIELD_MAX];
    if (strncmp(name, "secret.", 7) != 0)
        return;
    ivr_path(path, r->node, field);
    r->cb(r->ctx, "secret", name + 7, path);
}

/* Names that stand in the flow as they are; one with variables is not known before a caller comes. */
static void ivr_refer_node(const struct ivr_refer *r)
{
    const struct ivr_node *n = r->node;
    char path[ERR_INFO_FIELD_MAX], where[48];
    ivr_refer_prompts(n, "prompts", &n->prompts, r->cb, r->ctx);
    ivr_refer_prompts(n, "invalid_prompts", &n->invalid, r->cb, r->ctx);
    ivr_refer_prompts(n, "timeout_prompts", &n->timeout, r->cb, r->ctx);
    if (n->need.agent && !ivr_text_varies(n->need.agent)) {
        ivr_path(path, n, "agent");
        r->cb(r->ctx, "agent", n->need.agent, path);
    }
    ivr_refer_prompts(n, "thanks", &n->record.thanks, r->cb, r->ctx);
    if (n->target && !ivr_text_varies(n->target)) {
        const char *kind = n->type == IVR_NODE_OUTSIDE    ? "trunk"
                           : n->type == IVR_NODE_CALLBACK ? "queue"
                                                          : ivr_kind_of(n)->name; /* queue, agent, flow */
        ivr_path(path, n, kind);
        r->cb(r->ctx, kind, n->target, path);
    }
    if (n->area && n->area[0] && !ivr_text_varies(n->area)) {
        ivr_path(path, n, "area");
        r->cb(r->ctx, "area", n->area, path);
    }
    for (unsigned i = 0; i < n->n_cases; i++) {
        snprintf(where, sizeof where, "cases[%u].group", i);
        ivr_path(path, n, where);
        if (n->cases[i].group)
            r->cb(r->ctx, "time_group", n->cases[i].group, path);
    }
    if (n->callback.group) {
        ivr_path(path, n, "group");
        r->cb(r->ctx, "time_group", n->callback.group, path);
    }
    ivr_node_reads(n, ivr_refer_secret, (void *)(uintptr_t)r);
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
        struct ivr_refer r = {cb, ctx, &f->nodes[i]};
        ivr_refer_node(&r);
    }
}

static void ivr_tell_texts(const struct ivr_flow *f, const struct ivr_prompt_list *list,
                           void (*cb)(void *ctx, const char *language, const char *text), void *ctx)
{
    for (unsigned i = 0; i < list->n; i++)
        for (unsigned k = 0; list->at[i].speech && !ivr_text_varies(list->at[i].speech) && k < f->n_languages; k++)
            cb(ctx, f->languages[k], list->at[i].speech);
}

void ivr_flow_texts(const struct ivr_flow *f, void (*cb)(void *ctx, const char *language, const char *text), void *ctx)
{
    for (unsigned i = 0; i < f->n_nodes; i++) {
        ivr_tell_texts(f, &f->nodes[i].prompts, cb, ctx);
        ivr_tell_texts(f, &f->nodes[i].invalid, cb, ctx);
        ivr_tell_texts(f, &f->nodes[i].timeout, cb, ctx);
        ivr_tell_texts(f, &f->nodes[i].record.thanks, cb, ctx);
    }
}
