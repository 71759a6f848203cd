/* What an object names must be there: checked before a command is made, so that a whole document is refused with the field at
 * fault and a dry run says what a real one would. Apply checks again what it can, with the state of its moment. */
#include <stdio.h>
#include <string.h>

#include "api/api_int.h"
#include "core/config_json.h"
#include "core/parameter.h"
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

static int need(api_exists_fn *exists, void *ctx, const char *kind, const char *name, const char *field,
                struct err_info *info)
{
    if (!name[0] || exists(ctx, kind, name))
        return 0;
    return err_set(info, ERR_INVAL, field, "there is no %s \"%s\"", kind, name);
}

/* Where callers are led to. */
struct place {
    const char *flow, *queue, *extension, *agent;
};

static int check_place(const struct place *p, const char *path, api_exists_fn *exists, void *ctx, struct err_info *info)
{
    const struct {
        const char *kind, *name;
    } t[] = {{"flow", p->flow}, {"queue", p->queue}, {"extension", p->extension}, {"agent", p->agent}};
    int err = 0;
    for (size_t i = 0; i < sizeof t / sizeof t[0] && !err; i++) {
        char field[64], flow[64];
        if (t[i].name == p->flow && config_draft_of(p->flow, flow) &&
            (exists(ctx, "flow_draft", flow) || exists(ctx, "flow", flow)))
            continue;
        snprintf(field, sizeof field, "%s%s", path, t[i].kind);
        err = need(exists, ctx, t[i].kind, t[i].name, field, info);
    }
    return err;
}

static int check_access_number(const Ev__AccessNumber *a, api_exists_fn *exists, void *ctx, struct err_info *info)
{
    const struct place own = {a->flow, a->queue, a->extension, a->agent};
    int err = check_place(&own, "", exists, ctx, info);
    for (size_t i = 0; i < a->n_schedule && !err; i++) {
        const Ev__ScheduleEntry *e = a->schedule[i];
        const struct place there = {e->flow, e->queue, e->extension, e->agent};
        char path[40], field[64];
        snprintf(path, sizeof path, "schedule[%zu].", i);
        snprintf(field, sizeof field, "%stime_group", path);
        err = need(exists, ctx, "time_group", e->time_group, field, info);
        if (!err)
            err = check_place(&there, path, exists, ctx, info);
    }
    return err;
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

/* What its callers hear: uploaded or built in, in any language; or a word that is no prompt. */
static int check_heard(const struct api_backend *be, const char *name, const char *word, const char *also,
                       const char *field, api_exists_fn *exists, void *ctx, struct err_info *info)
{
    if (!name[0] || strcmp(name, word) == 0 || strcmp(name, also) == 0 || exists(ctx, "prompt", name) ||
        be->prompt_exists(be->ctx, "", name))
        return 0;
    return err_set(info, ERR_INVAL, field, "there is no prompt \"%s\"", name);
}

static int check_queue(const struct api_backend *be, const Ev__Queue *q, api_exists_fn *exists, void *ctx,
                       struct err_info *info)
{
    char field[48];
    int err = 0;
    for (size_t i = 0; !err && i < q->n_members; i++) {
        snprintf(field, sizeof field, "members[%zu].agent", i);
        err = need(exists, ctx, "agent", q->members[i]->agent, field, info);
    }
    if (!err)
        err = check_heard(be, q->music, "silence", "", "music", exists, ctx, info);
    if (!err)
        err = check_heard(be, q->welcome, "", "", "welcome", exists, ctx, info);
    if (!err)
        err = check_heard(be, q->voicemail_greeting, "", "", "voicemail_greeting", exists, ctx, info);
    for (size_t i = 0; !err && i < q->n_announce; i++) {
        snprintf(field, sizeof field, "announce[%zu]", i);
        err = check_heard(be, q->announce[i], "position", "wait", field, exists, ctx, info);
    }
    return err ? err : need(exists, ctx, "lookup", q->vip_lookup, "vip_lookup", info);
}

static int check_lookup(const Ev__Lookup *l, api_exists_fn *exists, void *ctx, struct err_info *info)
{
    char field[48];
    int err = 0;
    for (size_t i = 0; !err && i < l->n_headers; i++) {
        snprintf(field, sizeof field, "headers[%zu].secret", i);
        err = need(exists, ctx, "secret", l->headers[i]->secret, field, info);
    }
    return err;
}

/* Areas are compared with each other when the change is applied: a document may have thousands. */
static int check_notice(const struct api_backend *be, const Ev__Notice *n, api_exists_fn *exists, void *ctx,
                        struct err_info *info)
{
    int err = check_heard(be, n->prompt, "", "", "prompt", exists, ctx, info);
    if (!err)
        err = check_heard(be, n->short_prompt, "", "", "short_prompt", exists, ctx, info);
    for (size_t i = 0; !err && i < n->n_areas; i++) {
        char field[48];
        snprintf(field, sizeof field, "areas[%zu]", i);
        err = need(exists, ctx, "area", n->areas[i], field, info);
    }
    return err;
}

static int check_recording_rule(const Ev__RecordingRule *r, api_exists_fn *exists, void *ctx, struct err_info *info)
{
    int err = need(exists, ctx, "queue", r->queue, "queue", info);
    if (!err)
        err = need(exists, ctx, "agent", r->agent, "agent", info);
    return err ? err : need(exists, ctx, "access_number", r->access_number, "access_number", info);
}

int api_references_check(const struct api_backend *be, const Ev__ConfigObject *o, api_exists_fn *exists, void *ctx,
                         struct err_info *info)
{
    switch ((int)o->object_case) {
    case EV__CONFIG_OBJECT__OBJECT_AGENT:
        return need(exists, ctx, "extension", o->agent->extension, "extension", info);
    case EV__CONFIG_OBJECT__OBJECT_QUEUE:
        return check_queue(be, o->queue, exists, ctx, info);
    case EV__CONFIG_OBJECT__OBJECT_LOOKUP:
        return check_lookup(o->lookup, exists, ctx, info);
    case EV__CONFIG_OBJECT__OBJECT_ACCESS_NUMBER:
        return check_access_number(o->access_number, exists, ctx, info);
    case EV__CONFIG_OBJECT__OBJECT_TIME_GROUP:
        return need(exists, ctx, "holiday_list", o->time_group->holidays, "holidays", info);
    case EV__CONFIG_OBJECT__OBJECT_VIP: {
        char number[NUMBER_MAX];
        return need(exists, ctx, "queue", config_vip_queue(o->vip->entry, number), "entry", info);
    }
    case EV__CONFIG_OBJECT__OBJECT_AREA:
        return need(exists, ctx, "area", o->area->parent, "parent", info);
    case EV__CONFIG_OBJECT__OBJECT_NOTICE:
        return check_notice(be, o->notice, exists, ctx, info);
    case EV__CONFIG_OBJECT__OBJECT_RECORDING_RULE:
        return check_recording_rule(o->recording_rule, exists, ctx, info);
    case EV__CONFIG_OBJECT__OBJECT_BLACKLIST:
        return 0;
    case EV__CONFIG_OBJECT__OBJECT_FLOW:
        return check_flow(be, o->flow, exists, ctx, info);
    case EV__CONFIG_OBJECT__OBJECT_PROMPT:
        return check_prompt(be, o->prompt, info);
    case EV__CONFIG_OBJECT__OBJECT_PARAMETER:
        return check_parameter(be, o->parameter, info);
    default:
        return 0;
    }
}
