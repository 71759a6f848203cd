/* Changing configuration objects one by one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"

/* "12", W/"12" -> 12. 0 when absent; *any for "*". */
static int read_if_match(struct api_request *q, uint64_t *version, bool *any, struct err_info *info)
{
    const char *p = q->if_match;
    *version = 0;
    *any = strcmp(p, "*") == 0;
    if (!p[0] || *any)
        return 0;
    if (strncmp(p, "W/", 2) == 0)
        p += 2;
    char *end = NULL;
    unsigned long long v = p[0] == '"' && p[1] >= '0' && p[1] <= '9' ? strtoull(p + 1, &end, 10) : 0;
    if (v == 0 || strcmp(end, "\"") != 0)
        return err_set(info, ERR_INVAL, "If-Match", "must be one ETag, such as \"12\", or *");
    *version = v;
    return 0;
}

struct change {
    const struct api_kind *kind;
};

static bool begin(struct api_request *q, uint64_t *if_version, bool *must_exist)
{
    struct err_info info = {.code = 0};
    if (read_if_match(q, if_version, must_exist, &info)) {
        api_fail_status(q, 400, &info);
        return false;
    }
    if (q->if_none_match[0] && (q->route->method != API_PUT || strcmp(q->if_none_match, "*") != 0)) {
        err_set(&info, ERR_INVAL, "If-None-Match", "must be *, and only with PUT");
        api_fail_status(q, 400, &info);
        return false;
    }
    struct change *c = calloc(1, sizeof *c);
    if (!c) {
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
        return false;
    }
    c->kind = api_kind_of(q->route->kind);
    q->state = c;
    q->state_free = free;
    return true;
}

Ev__Command *api_config_command(size_t n_set, size_t n_remove)
{
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_CONFIG_APPLY);
    Ev__ConfigApply *a = malloc(sizeof *a);
    if (!cmd || !a) {
        free(cmd);
        free(a);
        return NULL;
    }
    ev__config_apply__init(a);
    cmd->config_apply = a;
    a->set = n_set ? calloc(n_set, sizeof *a->set) : NULL;
    a->remove = n_remove ? calloc(n_remove, sizeof *a->remove) : NULL;
    if ((n_set && !a->set) || (n_remove && !a->remove)) {
        ev__command__free_unpacked(cmd, NULL);
        return NULL;
    }
    return cmd;
}

int api_config_built_in(struct api_request *q, Ev__ConfigApply *a)
{
    const struct api_backend *be = &q->s->be;
    a->built_in = calloc(a->n_remove + 1, sizeof *a->built_in);
    if (!a->built_in)
        return ERR_NOMEM;
    for (size_t i = 0; i < a->n_remove; i++) {
        const char *name = a->remove[i]->name;
        if (strcmp(a->remove[i]->kind, "prompt") != 0 || !be->prompt_exists(be->ctx, "", name))
            continue;
        a->built_in[a->n_built_in] = strdup(name);
        if (!a->built_in[a->n_built_in])
            return ERR_NOMEM;
        a->n_built_in++;
    }
    return 0;
}

void api_object_send(struct api_request *q, Ev__ConfigObject *o, int err, const struct err_info *info,
                     uint64_t if_version, bool create_only, api_resume_fn *resume)
{
    Ev__Command *cmd = err ? NULL : api_config_command(1, 0);
    if (!cmd) {
        if (o)
            ev__config_object__free_unpacked(o, NULL);
        if (err)
            api_fail(q, info);
        else
            api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
        return;
    }
    o->if_version = if_version;
    o->create_only = create_only;
    cmd->config_apply->set[cmd->config_apply->n_set++] = o;
    api_command(q, cmd, resume);
}

/* Whether the object is there in the version that the request asks for: then a conflict is not about that. */
static bool version_holds(struct api_request *q)
{
    const struct change *c = q->state;
    uint64_t wanted, version;
    bool any;
    struct err_info ignored;
    Ev__ConfigObject *o = NULL;
    if (!q->if_match[0] || read_if_match(q, &wanted, &any, &ignored) ||
        api_stored(q->s, c->kind->kind, q->params[0], &o, &version))
        return false;
    ev__config_object__free_unpacked(o, NULL);
    return any || wanted == version;
}

/* Apply names fields by "set[0].", "remove[0]" or "queue/service."; clients know one object only. */
static void fail_change(struct api_request *q, const struct api_result *r)
{
    const struct change *c = q->state;
    char own[API_PARAM_MAX + 40];
    int n = snprintf(own, sizeof own, "%s/%s", c->kind->kind, q->params[0]);
    const char *field = r->field ? r->field : "";
    if (strncmp(field, "set[0]", 6) == 0)
        field += 6;
    else if (strncmp(field, "remove[0]", 9) == 0)
        field += 9;
    else if (n > 0 && strncmp(field, own, (size_t)n) == 0)
        field += n;
    struct api_result mine = *r;
    mine.field = field[0] == '.' ? field + 1 : field;
    if (r->code != ERR_CONFLICT || !version_holds(q)) {
        api_fail_result(q, &mine);
        return;
    }
    struct err_info info; /* in use, for one: not a precondition that failed */
    err_set(&info, r->code, mine.field, "%s", r->text && r->text[0] ? r->text : err_text(r->code));
    api_fail_status(q, 409, &info);
}

/* {"changed": [{"action": "created", ...}]}: also what a repetition is told. */
static bool was_created(const struct api_result *r)
{
    json_t *json = r->json_text ? json_loads(r->json_text, 0, NULL) : NULL;
    bool created = false;
    json_t *change;
    size_t i;
    json_array_foreach(json_object_get(json, "changed"), i, change)
    {
        const char *action = json_string_value(json_object_get(change, "action"));
        created |= action && strcmp(action, "created") == 0;
    }
    json_decref(json);
    return created;
}

static void on_changed(struct api_request *q, const struct api_result *r)
{
    const struct change *c = q->state;
    if (r->code) {
        fail_change(q, r);
        return;
    }
    bool created = was_created(r);
    if (r->version)
        snprintf(q->etag, sizeof q->etag, "\"%llu\"", (unsigned long long)r->version);
    struct view_query vq = {.kind = c->kind->kind, .key = q->params[0]};
    json_t *out = NULL;
    if (!api_view(q, &vq, &out))
        return;
    api_set_etag(q, out);
    if (created)
        snprintf(q->location, sizeof q->location, "/v1/%s/%s", c->kind->path, q->params[0]);
    api_reply(q, created ? 201 : 200, out);
}

/* Whether what was done then (core_answer.json) was done to this object, or nothing was. */
static bool is_about(const struct api_request *q, const char *json_text)
{
    const struct change *c = q->state;
    json_t *json = json_text ? json_loads(json_text, 0, NULL) : NULL, *change;
    const json_t *changed = json_object_get(json, "changed");
    bool flow = strcmp(c->kind->kind, "flow") == 0; /* whose draft goes when it is published, if nothing else changes */
    bool found = json_array_size(changed) == 0;
    size_t i;
    json_array_foreach(changed, i, change)
    {
        const char *kind = json_string_value(json_object_get(change, "kind")),
                   *name = json_string_value(json_object_get(change, "name"));
        found |= kind && name && strcmp(name, q->params[0]) == 0 &&
                 (strcmp(kind, c->kind->kind) == 0 || (flow && strcmp(kind, "flow_draft") == 0));
    }
    json_decref(json);
    return found;
}

/* A change that is made from the present state is not made again for a repetition. */
static bool answered_before(struct api_request *q)
{
    struct api_posted before;
    if (!api_replayed(q, &before))
        return false;
    bool other = before.code == 0 && !is_about(q, before.json_text);
    free(before.json_text);
    if (!other)
        return api_answered_before(q, on_changed);
    struct err_info info;
    err_set(&info, ERR_CONFLICT, "", "the idempotency key was used for another request");
    api_fail_status(q, 409, &info);
    return true;
}

static bool exists(void *ctx, const char *kind, const char *name)
{
    Ev__ConfigObject *o = NULL;
    uint64_t version;
    if (api_stored(ctx, kind, name, &o, &version) != 0)
        return false;
    ev__config_object__free_unpacked(o, NULL);
    return true;
}

/* Reads the object, checks it and sends it to the core. */
static void set_object(struct api_request *q, const json_t *json, uint64_t if_version)
{
    const struct change *c = q->state;
    struct err_info info = {.code = 0};
    Ev__ConfigObject *o = NULL;
    int err = api_object_read(q->s->realm, c->kind, json, &o, &info);
    if (!err)
        err = api_references_check(&q->s->be, o, exists, q->s, &info);
    api_object_send(q, o, err, &info, if_version, q->if_none_match[0] != '\0', on_changed);
}

/* The key is in the path; in the body it may be left out. Takes json over, NULL and answered when it differs. */
static json_t *with_key(struct api_request *q, json_t *json)
{
    const struct change *c = q->state;
    const json_t *key = json_object_get(json, c->kind->key);
    bool wrong = key && (!json_is_string(key) || strcmp(json_string_value(key), q->params[0]) != 0);
    if (wrong || !json || json_object_set_new(json, c->kind->key, json_string(q->params[0])) != 0) {
        api_fail_code(q, wrong ? ERR_INVAL : ERR_NOMEM, wrong ? c->kind->key : NULL, "%s",
                      wrong ? "must be left out or be as in the path" : "out of memory");
        json_decref(json);
        return NULL;
    }
    return json;
}

void api_put_object(struct api_request *q)
{
    uint64_t if_version;
    bool must_exist;
    if (!begin(q, &if_version, &must_exist))
        return;
    const struct change *c = q->state;
    if (must_exist && !exists(q->s, c->kind->kind, q->params[0])) {
        api_fail_code(q, ERR_CONFLICT, NULL, "there is no %s \"%s\"", c->kind->kind, q->params[0]);
        return;
    }
    json_t *json = with_key(q, json_copy(q->json));
    if (json)
        set_object(q, json, if_version);
    json_decref(json);
}

/* What the flow was becomes what it is, as a version of its own: checked against what is there now. */
void api_rollback_flow(struct api_request *q)
{
    uint64_t if_version;
    bool must_exist;
    if (!begin(q, &if_version, &must_exist))
        return;
    const json_t *version = json_object_get(q->json, "version");
    json_t *definition = NULL;
    if (!json_is_integer(version) || json_integer_value(version) < 1 || json_object_size(q->json) != 1) {
        api_fail_code(q, ERR_INVAL, "version", "must be one of the versions of the flow");
        return;
    }
    int err = api_flow_definition(q, q->params[0], (uint64_t)json_integer_value(version), &definition);
    if (err) {
        api_fail_code(q, err, NULL, err == ERR_NOTFOUND ? "there is no such version" : "cannot be read");
        return;
    }
    json_t *json = with_key(q, json_pack("{s:o}", "definition", definition));
    if (json)
        set_object(q, json, if_version);
    json_decref(json);
}

/* RFC 7386, section 2. */
static int merge_patch(json_t *target, const json_t *patch)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)patch, name, value)
    {
        if (json_is_null(value)) {
            (void)json_object_del(target, name);
            continue;
        }
        if (!json_is_object(value)) {
            if (json_object_set(target, name, value) != 0)
                return ERR_NOMEM;
            continue;
        }
        json_t *old = json_object_get(target, name);
        json_t *sub = json_is_object(old) ? json_deep_copy(old) : json_object();
        int err = sub ? merge_patch(sub, value) : ERR_NOMEM;
        if (err || json_object_set(target, name, sub) != 0)
            err = ERR_NOMEM;
        json_decref(sub);
        if (err)
            return err;
    }
    return 0;
}

/* The draft becomes the flow, and is gone. */
void api_publish_flow(struct api_request *q)
{
    uint64_t if_version;
    bool must_exist;
    if (!begin(q, &if_version, &must_exist) || answered_before(q))
        return;
    Ev__Command *cmd = api_draft_publish(q);
    if (cmd)
        api_command(q, cmd, on_changed);
}

void api_patch_object(struct api_request *q)
{
    uint64_t if_version, version;
    bool must_exist;
    if (!begin(q, &if_version, &must_exist))
        return;
    const struct change *c = q->state;
    if (answered_before(q))
        return;
    Ev__ConfigObject *o = NULL;
    int err = api_stored(q->s, c->kind->kind, q->params[0], &o, &version);
    if (err) {
        api_fail_code(q, err, NULL, err == ERR_NOTFOUND ? "there is no such object" : "cannot be read");
        return;
    }
    json_t *json = api_object_json(o, false);
    ev__config_object__free_unpacked(o, NULL);
    bool no_password = json_is_null(json_object_get(q->json, "password"));
    if (!json || merge_patch(json, q->json) ||
        (no_password && json_object_set_new(json, "password", json_null()) != 0)) {
        json_decref(json);
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
        return;
    }
    json = with_key(q, json);
    if (json)
        set_object(q, json, if_version ? if_version : version);
    json_decref(json);
}

static void on_removed(struct api_request *q, const struct api_result *r)
{
    if (r->code)
        fail_change(q, r);
    else
        api_reply_none(q, 204);
}

void api_delete_object(struct api_request *q)
{
    uint64_t if_version;
    bool must_exist;
    if (!begin(q, &if_version, &must_exist))
        return;
    const struct change *c = q->state;
    Ev__Command *cmd = api_config_command(0, 1);
    Ev__ConfigRef *ref = cmd ? malloc(sizeof *ref) : NULL;
    if (ref) {
        ev__config_ref__init(ref);
        cmd->config_apply->remove[cmd->config_apply->n_remove++] = ref;
        ref->kind = strdup(c->kind->kind);
        ref->name = strdup(q->params[0]);
        ref->if_version = if_version;
    }
    if (!ref || !ref->kind || !ref->name || api_config_built_in(q, cmd->config_apply)) {
        if (cmd)
            ev__command__free_unpacked(cmd, NULL);
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
        return;
    }
    api_command(q, cmd, on_removed);
}
