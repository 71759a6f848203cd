/* Reading: lists, single objects, status of a queue. */
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"

static int take_index(void *ctx, const struct storage_row *row)
{
    *(uint64_t *)ctx = storage_row_int(row, 0);
    return 0;
}

int api_view_try(struct api_request *q, const struct view_query *vq, json_t **out, struct err_info *info)
{
    struct api_server *s = q->s;
    if (q->index == 0) { /* what follows shows at least this */
        int err = storage_reader_query(s->reader, "SELECT idx FROM applied", NULL, 0, take_index, &q->index);
        if (err)
            return err_set(info, err, "", "%s", err_text(err));
    }
    info->text[0] = info->field[0] = '\0';
    info->line = info->column = 0;
    int err = view_read(s->reader, vq, out, info);
    if (err && !info->text[0])
        err_set(info, err, info->field, "%s", err_text(err));
    info->code = err;
    return err;
}

bool api_view(struct api_request *q, const struct view_query *vq, json_t **out)
{
    struct err_info info = {.code = 0};
    int err = api_view_try(q, vq, out, &info);
    if (err == ERR_NOTFOUND)
        api_fail_code(q, err, NULL, "there is no %s \"%.64s\"", vq->kind, vq->key ? vq->key : "");
    else if (err == ERR_INVAL && strcmp(info.field, "cursor") == 0)
        api_fail_status(q, 400, &info);
    else if (err)
        api_fail(q, &info);
    return err == 0;
}

static bool is_paging(const char *name)
{
    return strcmp(name, "limit") == 0 || strcmp(name, "cursor") == 0 || strcmp(name, "consistent") == 0;
}

static int read_paging(struct api_request *q, struct view_query *vq, struct err_info *info)
{
    vq->cursor = api_query(q, "cursor");
    const char *limit = api_query(q, "limit");
    if (limit) {
        char *end;
        unsigned long n = strtoul(limit, &end, 10);
        if (*end || limit[0] < '0' || limit[0] > '9' || n < 1 || n > VIEW_LIMIT_MAX)
            return err_set(info, ERR_INVAL, "limit", "must be 1 to %u", VIEW_LIMIT_MAX);
        vq->limit = (uint32_t)n;
    }
    return 0;
}

void api_list_rows(struct api_request *q)
{
    struct view_query vq = {.kind = q->route->kind};
    struct err_info info = {.code = 0};
    if (read_paging(q, &vq, &info)) {
        api_fail_status(q, 400, &info);
        return;
    }
    json_t *filter = json_copy(q->query), *out = NULL;
    if (!filter) { /* never an answer without the filter that was asked for */
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
        return;
    }
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(filter, next, name, value)
    {
        if (is_paging(name))
            (void)json_object_del(filter, name);
    }
    vq.filter = json_object_size(filter) ? filter : NULL;
    vq.scope = q->scope;
    if (api_view(q, &vq, &out)) {
        json_int_t index = json_integer_value(json_object_get(out, "index"));
        if (index > 0)
            q->index = (uint64_t)index;
        api_reply(q, 200, out);
    }
    json_decref(filter);
}

bool api_path_id(struct api_request *q, uint64_t *id)
{
    const char *text = q->params[0];
    bool good = strlen(text) == 16 && strspn(text, "0123456789abcdef") == 16;
    if (good)
        *id = strtoull(text, NULL, 16);
    else
        api_fail_code(q, ERR_NOTFOUND, NULL, "\"%.64s\" is no identifier: 16 hexadecimal digits, small letters", text);
    return good;
}

bool api_patch_bool(struct api_request *q, const char *field, bool *out)
{
    const json_t *value = json_object_get(q->json, field);
    bool good = json_object_size(q->json) == 1 && json_is_boolean(value);
    if (!good)
        api_fail_code(q, ERR_INVAL, field, "is the one thing that can be changed: true or false");
    *out = json_is_true(value);
    return good;
}

void api_on_row_changed(struct api_request *q, const struct api_result *r)
{
    struct view_query vq = {.kind = q->route->kind, .key = q->params[0]};
    json_t *out = NULL;
    if (r->code)
        api_fail_result(q, r);
    else if (api_view(q, &vq, &out))
        api_reply(q, 200, out);
}

void api_set_etag(struct api_request *q, const json_t *row)
{
    json_int_t version = json_integer_value(json_object_get(row, "version"));
    if (version > 0)
        snprintf(q->etag, sizeof q->etag, "\"%lld\"", (long long)version);
}

void api_get_row(struct api_request *q)
{
    struct view_query vq = {.kind = q->route->kind, .key = q->params[0]};
    json_t *out = NULL;
    if (!api_view(q, &vq, &out))
        return;
    api_set_etag(q, out);
    api_reply(q, 200, out);
}

/* ---- queue status */

static int copy_fields(json_t *to, const json_t *from, const char *const *names)
{
    for (; *names; names++) {
        json_t *v = json_object_get(from, *names);
        if (v && json_object_set(to, *names, v) != 0)
            return ERR_NOMEM;
    }
    return 0;
}

static int add_agent(struct api_request *q, json_t *agents, const json_t *member, struct err_info *info)
{
    static const char *const names[] = {"number",           "name",    "state",    "reason", "since",
                                        "extension_in_use", "call_id", "answered", NULL};
    struct view_query vq = {.kind = "agent", .key = json_string_value(json_object_get(member, "agent"))};
    json_t *agent = NULL;
    int err = api_view_try(q, &vq, &agent, info);
    if (err)
        return err == ERR_NOTFOUND ? 0 : err; /* removed between two reads */
    json_t *row = json_object();
    err = row ? copy_fields(row, agent, names) : ERR_NOMEM;
    const json_t *own = json_object_get(member, "level"); /* 0: as the agent's */
    json_t *level = json_object_get(json_integer_value(own) ? member : agent, "level");
    if (!err && json_object_set(row, "level", level) != 0)
        err = ERR_NOMEM;
    if (err || json_array_append(agents, row) != 0)
        err = err_set(info, ERR_NOMEM, "", "out of memory");
    json_decref(row);
    json_decref(agent);
    return err;
}

void api_queue_status(struct api_request *q)
{
    static const char *const names[] = {
        "name",    "display_name", "strategy",         "waiting",         "available", "logged_in",
        "talking", "waiting_home", "estimated_wait_s", "longest_wait_ms", "entries",   NULL};
    struct view_query vq = {.kind = "queue", .key = q->params[0]};
    json_t *queue = NULL;
    if (!api_view(q, &vq, &queue))
        return;
    struct err_info info = {.code = 0};
    json_t *out = json_object(), *agents = json_array();
    int err = out && agents ? copy_fields(out, queue, names) : ERR_NOMEM;
    size_t i;
    json_t *member;
    json_array_foreach(json_object_get(queue, "members"), i, member)
    {
        if (!err)
            err = add_agent(q, agents, member, &info);
    }
    if (!err && json_object_set(out, "agents", agents) != 0)
        err = ERR_NOMEM;
    json_decref(agents);
    json_decref(queue);
    if (err) {
        json_decref(out);
        api_fail_code(q, err, info.field, "%s", info.text[0] ? info.text : err_text(err));
        return;
    }
    api_reply(q, 200, out);
}
