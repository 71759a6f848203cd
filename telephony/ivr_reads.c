/* What a node leads to and what it reads, for the checks of flows as a whole. */
#include <stdio.h>
#include <string.h>

#include "telephony/ivr_int.h"

bool ivr_node_way(const struct ivr_node *n, unsigned i, int *to)
{
    if (i < n->n_keys)
        *to = n->keys[i].target;
    else if (i < n->n_keys + n->n_cases)
        *to = n->cases[i - n->n_keys].target;
    else
        *to = i == n->n_keys + n->n_cases ? n->next : n->on_fail;
    return i < n->n_keys + n->n_cases + 2;
}

struct ivr_reads {
    void (*cb)(void *ctx, const char *name, const char *field);
    void *ctx;
    const char *field;
};

static void ivr_read(void *ctx, const char *name)
{
    struct ivr_reads *r = ctx;
    r->cb(r->ctx, name, r->field);
}

static void ivr_reads_text(struct ivr_reads *r, const char *text, const char *field)
{
    r->field = field;
    if (text && ivr_text_check(text, true, ivr_read, r, NULL) != 0)
        r->field = NULL; /* it was checked when it was parsed */
}

static void ivr_reads_prompts(struct ivr_reads *r, const struct ivr_prompt_list *list, const char *field)
{
    for (unsigned i = 0; i < list->n; i++) {
        char where[48];
        snprintf(where, sizeof where, "%.30s[%u]", field, i);
        ivr_reads_text(r, list->at[i].speech ? list->at[i].speech : list->at[i].text, where);
    }
}

static void ivr_reads_body(struct ivr_reads *r, json_t *v)
{
    const char *name;
    json_t *inner;
    size_t i;
    if (json_is_string(v))
        ivr_reads_text(r, json_string_value(v), "body");
    json_object_foreach(v, name, inner)
    {
        ivr_reads_body(r, inner);
    }
    json_array_foreach(v, i, inner)
    {
        ivr_reads_body(r, inner);
    }
}

static void ivr_reads_expr(struct ivr_reads *r, const struct ivr_expr *e, const char *field)
{
    r->field = field;
    if (e)
        ivr_expr_names(e, ivr_read, r);
}

static void ivr_reads_sets(struct ivr_reads *r, const struct ivr_node *n)
{
    char where[96];
    for (unsigned i = 0; n->type != IVR_NODE_HTTP && i < n->n_sets; i++) {
        snprintf(where, sizeof where, "%s.%s", n->type == IVR_NODE_QUEUE ? "data" : "set", n->sets[i].name);
        ivr_reads_expr(r, n->sets[i].value, where);
        ivr_reads_text(r, n->sets[i].text, where);
    }
}

void ivr_node_reads(const struct ivr_node *n, void (*cb)(void *ctx, const char *name, const char *field), void *ctx)
{
    struct ivr_reads r = {cb, ctx, NULL};
    char where[96];
    ivr_reads_prompts(&r, &n->prompts, "prompts");
    ivr_reads_prompts(&r, &n->invalid, "invalid_prompts");
    ivr_reads_prompts(&r, &n->timeout, "timeout_prompts");
    ivr_reads_prompts(&r, &n->record.thanks, "thanks");
    for (unsigned i = 0; i < n->n_cases; i++) {
        snprintf(where, sizeof where, "cases[%u].if", i);
        ivr_reads_expr(&r, n->cases[i].condition, where);
    }
    ivr_reads_sets(&r, n);
    for (unsigned i = 0; i < n->http.n_headers; i++) {
        snprintf(where, sizeof where, "headers.%.60s", n->http.headers[i].name);
        ivr_reads_text(&r, n->http.headers[i].text, where);
    }
    ivr_reads_text(&r, n->http.url, "url");
    ivr_reads_body(&r, n->http.body);
    ivr_reads_text(&r, n->number, "number");
    ivr_reads_text(&r, n->area, "area");
    ivr_reads_text(&r, n->caller_id, "caller_id");
    ivr_reads_text(&r, n->record.box, "box");
    ivr_reads_text(&r, n->record.greeting, "greeting");
    ivr_reads_text(&r, n->mailbox.which, "which");
    ivr_reads_text(&r, n->mailbox.message, "message");
    ivr_reads_text(&r, n->callback.at, "at");
    if (n->type == IVR_NODE_AGENT)
        ivr_reads_text(&r, n->target, "agent");
    ivr_reads_text(&r, n->need.agent, "agent");
}
