/* What an object names must be there: checked before a command is made, so that a whole document is refused with the field at
 * fault and a dry run says what a real one would. Apply checks again what it can, with the state of its moment. */
#include <stdio.h>
#include <string.h>

#include "api/api_int.h"
#include "core/config_json.h"
#include "core/parameter.h"
#include "core/refs.h"
#include "telephony/ivr.h"

struct flow_check {
    const struct api_backend *be;
    api_exists_fn *exists;
    void *ctx;
    struct err_info *info;
    int err;
    char languages[8][16];
    unsigned n_languages;
};

static void on_language(void *ctx, const char *kind, const char *name, const char *path)
{
    struct flow_check *c = ctx;
    (void)path;
    if (strcmp(kind, "language") == 0 && c->n_languages < 8)
        snprintf(c->languages[c->n_languages++], sizeof c->languages[0], "%s", name);
}

/* One that was uploaded is there in any language: it is played in one that it has. */
static bool prompt_there(const struct flow_check *c, const char *name)
{
    if (c->exists(c->ctx, "prompt", name))
        return true;
    if (c->n_languages == 0)
        return c->be->prompt_exists(c->be->ctx, "", name);
    for (unsigned i = 0; i < c->n_languages; i++)
        if (!c->be->prompt_exists(c->be->ctx, c->languages[i], name))
            return false;
    return true;
}

static void on_reference(void *ctx, const char *kind, const char *name, const char *path)
{
    struct flow_check *c = ctx;
    char field[ERR_INFO_FIELD_MAX];
    if (c->err || strcmp(kind, "language") == 0)
        return;
    bool there = strcmp(kind, "prompt") == 0 ? prompt_there(c, name) : c->exists(c->ctx, kind, name);
    if (there)
        return;
    snprintf(field, sizeof field, "definition.%s", path);
    c->err = err_set(c->info, ERR_INVAL, field, "there is no %s \"%s\"", kind, name);
}

/* ---- every fault, for somebody who is still writing */

struct fault_list {
    json_t *items;
    bool failed; /* out of memory */
};

static void add_fault(void *ctx, const struct err_info *info)
{
    struct fault_list *l = ctx;
    char field[ERR_INFO_FIELD_MAX + 16];
    snprintf(field, sizeof field, "definition%s%s", info->field[0] ? "." : "", info->field);
    l->failed |= json_array_append_new(l->items, json_pack("{s:s, s:s}", "field", field, "message", info->text)) != 0;
}

struct missing {
    struct flow_check check;
    struct fault_list *to;
};

static void on_missing(void *ctx, const char *kind, const char *name, const char *path)
{
    struct missing *m = ctx;
    struct err_info info = {.code = 0};
    m->check.err = 0;
    m->check.info = &info;
    on_reference(&m->check, kind, name, path);
    if (!m->check.err)
        return;
    (void)err_set(&info, info.code, path, "%s", info.text);
    add_fault(m->to, &info);
}

int api_flow_faults(const struct api_backend *be, const char *definition, api_exists_fn *exists, void *ctx,
                    json_t **out)
{
    struct fault_list l = {json_array(), false};
    struct ivr_flow *f = NULL;
    int n = l.items ? ivr_flow_faults(definition, strlen(definition), add_fault, &l, &f) : ERR_NOMEM;
    if (n == 0) {
        struct missing m = {{.be = be, .exists = exists, .ctx = ctx}, &l};
        ivr_flow_references(f, on_language, &m.check);
        ivr_flow_references(f, on_missing, &m);
        ivr_flow_unref(f);
    }
    if (n < 0 || l.failed) {
        json_decref(l.items);
        return ERR_NOMEM;
    }
    *out = l.items;
    return 0;
}

static int check_flow(const struct api_backend *be, const Ev__Flow *flow, api_exists_fn *exists, void *ctx,
                      struct err_info *info)
{
    struct ivr_flow *f = NULL;
    int err = ivr_flow_parse(flow->definition, strlen(flow->definition), &f, info);
    if (err)
        return err;
    struct flow_check c = {.be = be, .exists = exists, .ctx = ctx, .info = info};
    ivr_flow_references(f, on_language, &c);
    ivr_flow_references(f, on_reference, &c);
    ivr_flow_unref(f);
    return c.err;
}

/* A language is one when there is what callers are told in it. */
static int check_parameter(const struct api_backend *be, const Ev__Parameter *p, struct err_info *info)
{
    int err = parameter_check(p->name, p->value, info);
    if (!err && strcmp(p->name, "language") == 0 &&
        (!p->value[0] || !be->prompt_exists(be->ctx, p->value, "agent_code_failed")))
        err = err_set(info, ERR_INVAL, "value", "there are no prompts in a language \"%.16s\"", p->value);
    return err;
}

/* Its sounds are on this node's disk: whoever names them has uploaded them here, or exported them from here. */
static int check_prompt(const struct api_backend *be, const Ev__Prompt *p, struct err_info *info)
{
    for (size_t i = 0; i < p->n_sounds; i++) {
        for (size_t k = 0; k < p->sounds[i]->n_versions; k++) {
            char field[64];
            if (!be->blob_there || be->blob_there(be->ctx, p->sounds[i]->versions[k]->sha256))
                continue;
            snprintf(field, sizeof field, "sounds[%zu].versions[%zu].sha256", i, k);
            return err_set(info, ERR_INVAL, field, "this sound is not here: upload the prompt");
        }
    }
    return 0;
}

struct object_check {
    const struct api_backend *be;
    api_exists_fn *exists;
    void *ctx;
    struct err_info *info;
};

static bool there(void *ctx, enum cfg_kind kind, const char *name)
{
    const struct object_check *c = ctx;
    return c->exists(c->ctx, config_kind_name(kind), name);
}

static int check_named(void *ctx, const struct ref *r)
{
    struct object_check *c = ctx;
    const struct refs_after after = {there, c};
    if (r->kind == CFG_PROMPT ? there(c, r->kind, r->name) || c->be->prompt_exists(c->be->ctx, "", r->name)
                              : r->loose || refs_there(&after, r))
        return 0;
    return err_set(c->info, ERR_INVAL, r->path, "there is no %s \"%s\"", config_kind_name(r->kind), r->name);
}

int api_references_check(const struct api_backend *be, const Ev__ConfigObject *o, api_exists_fn *exists, void *ctx,
                         struct err_info *info)
{
    struct object_check c = {be, exists, ctx, info};
    enum cfg_kind kind;
    const ProtobufCMessage *m = config_object(o, &kind);
    int err = 0;
    switch ((int)o->object_case) {
    case EV__CONFIG_OBJECT__OBJECT_FLOW: /* by the interpreter's own parser, which knows the languages as well */
        return check_flow(be, o->flow, exists, ctx, info);
    case EV__CONFIG_OBJECT__OBJECT_FLOW_DRAFT: /* may be faulty */
        return 0;
    case EV__CONFIG_OBJECT__OBJECT_PROMPT:
        return check_prompt(be, o->prompt, info);
    case EV__CONFIG_OBJECT__OBJECT_PARAMETER:
        err = check_parameter(be, o->parameter, info);
        break;
    default:
        break;
    }
    return err || !m ? err : refs_each(kind, m, check_named, &c);
}
