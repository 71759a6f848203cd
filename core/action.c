#include "core/action.h"

#include <stdio.h>
#include <string.h>

static const struct action_type types[] = {
    {"flow", .target = true, .refers = CFG_FLOW},
    {"queue", .target = true, .refers = CFG_QUEUE},
    {"agent", .target = true, .refers = CFG_AGENT},
    {"extension", .target = true, .refers = CFG_EXTENSION},
    {"outside", .target = true},
    {"hangup", .prompts = true},
    {.name = "callback"},
    {"voicemail", .target = true, .optional = true},
};

const struct action_type *action_type(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    }
    return NULL;
}

static int unknown(const char *path, struct err_info *info)
{
    char names[160] = "";
    for (size_t i = 0, at = 0; i < sizeof types / sizeof *types && at < sizeof names; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "", types[i].name);
    return err_set(info, ERR_INVAL, path, "must be one of %s", names);
}

int action_check(const Ev__Action *a, const char *path, struct err_info *info)
{
    char field[ERR_INFO_FIELD_MAX];
    const struct action_type *t = action_type(a->type);
    (void)snprintf(field, sizeof field, "%.100s.type", path);
    if (!t)
        return unknown(field, info);
    (void)snprintf(field, sizeof field, "%.100s.target", path);
    if (t->target && !t->optional && !a->target[0])
        return err_set(info, ERR_INVAL, field, "must say which %s", t->name);
    if (!t->target && a->target[0])
        return err_set(info, ERR_INVAL, field, "must be empty: %s has none", t->name);
    if (strcmp(t->name, "outside") == 0 && !config_is_outside(a->target))
        return err_set(info, ERR_INVAL, field, "must be a number that can be called outside");
    (void)snprintf(field, sizeof field, "%.100s.prompts", path);
    if (!t->prompts && a->n_prompts)
        return err_set(info, ERR_INVAL, field, "must be empty: %s has none", t->name);
    return 0;
}

static int visit(const ProtobufCMessage *m, const char *path, action_fn *fn, void *ctx)
{
    if (m->descriptor == &ev__action__descriptor)
        return fn(ctx, (const Ev__Action *)(const void *)m, path);
    int err = 0;
    for (unsigned i = 0; i < m->descriptor->n_fields && !err; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        const char *at = (const char *)m + f->offset;
        char inner[ERR_INFO_FIELD_MAX];
        if (f->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        if (f->label != PROTOBUF_C_LABEL_REPEATED) {
            const ProtobufCMessage *one = *(ProtobufCMessage *const *)(const void *)at;
            (void)snprintf(inner, sizeof inner, "%.80s%s%s", path, path[0] ? "." : "", f->name);
            err = one ? visit(one, inner, fn, ctx) : 0;
            continue;
        }
        size_t n = *(const size_t *)(const void *)((const char *)m + f->quantifier_offset);
        for (size_t k = 0; k < n && !err; k++) {
            (void)snprintf(inner, sizeof inner, "%.60s%s%s[%zu]", path, path[0] ? "." : "", f->name, k);
            err = visit((*(ProtobufCMessage *const *const *)(const void *)at)[k], inner, fn, ctx);
        }
    }
    return err;
}

int action_each(const ProtobufCMessage *m, action_fn *fn, void *ctx)
{
    return visit(m, "", fn, ctx);
}
