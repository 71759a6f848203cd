/* What a supervisor manages, read from the tables (core/scope.h). */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "core/scope.h"
#include "storage/storage.h"

struct view_scope {
    char agent[64];
    struct map groups, queues, agents; /* names; the values mean nothing */
    struct map phones;                 /* where his agents are logged in */
    char *queues_json, *agents_json;
};

static int add(struct map *m, const char *name, struct view_scope *s)
{
    return name[0] ? map_set(m, name, s) : 0;
}

/* ---- reading */

static int own_row(void *ctx, const struct storage_row *r)
{
    struct view_scope *s = ctx;
    size_t len;
    const void *body = storage_row_blob(r, 0, &len);
    Ev__Agent *a = ev__agent__unpack(NULL, len, body);
    if (!a)
        return ERR_CORRUPT;
    bool is = strcmp(a->type, "supervisor") == 0;
    int err = is ? add(&s->agents, a->number, s) : ERR_DENIED;
    for (size_t i = 0; i < a->n_manages_groups && !err; i++)
        err = add(&s->groups, a->manages_groups[i], s);
    for (size_t i = 0; i < a->n_manages_queues && !err; i++)
        err = add(&s->queues, a->manages_queues[i], s);
    ev__agent__free_unpacked(a, NULL);
    return err;
}

static int agent_row(void *ctx, const struct storage_row *r)
{
    struct view_scope *s = ctx;
    size_t len;
    const void *body = storage_row_blob(r, 0, &len);
    Ev__Agent *a = ev__agent__unpack(NULL, len, body);
    if (!a)
        return ERR_CORRUPT;
    int err = a->group[0] && map_get(&s->groups, a->group) ? add(&s->agents, a->number, s) : 0;
    ev__agent__free_unpacked(a, NULL);
    return err;
}

static int queue_row(void *ctx, const struct storage_row *r)
{
    struct view_scope *s = ctx;
    if (!map_get(&s->queues, storage_row_text(r, 1)))
        return 0;
    size_t len;
    const void *body = storage_row_blob(r, 0, &len);
    Ev__Queue *q = ev__queue__unpack(NULL, len, body);
    if (!q)
        return ERR_CORRUPT;
    int err = 0;
    for (size_t i = 0; i < q->n_members && !err; i++)
        err = add(&s->agents, q->members[i]->agent, s);
    ev__queue__free_unpacked(q, NULL);
    return err;
}

static int phone_row(void *ctx, const struct storage_row *r)
{
    struct view_scope *s = ctx;
    return map_get(&s->agents, storage_row_text(r, 0)) ? add(&s->phones, storage_row_text(r, 1), s) : 0;
}

static int configured(struct storage_reader *r, enum cfg_kind kind, storage_row_fn *fn, struct view_scope *s)
{
    const struct storage_val val = storage_int(kind);
    return storage_reader_query(r, "SELECT body, name FROM config WHERE kind=?", &val, 1, fn, s);
}

static char *names_json(const struct map *m)
{
    json_t *list = json_array();
    const struct map_slot *slot;
    for (size_t it = 0; list && map_next(m, &it, &slot);)
        if (json_array_append_new(list, json_string(slot->skey)) != 0)
            break;
    char *text = list && json_array_size(list) == map_count(m) ? json_dumps(list, JSON_COMPACT) : NULL;
    json_decref(list);
    return text;
}

static int read_scope(struct storage_reader *r, struct view_scope *s, struct err_info *info)
{
    const struct storage_val own[] = {storage_int(CFG_AGENT), storage_text(s->agent)};
    int err = storage_reader_query(r, "SELECT body FROM config WHERE kind=? AND name=?", own, 2, own_row, s);
    if (err == ERR_DENIED)
        return err_set(info, err, "", "agent %.64s is no supervisor", s->agent);
    if (!err && !map_get(&s->agents, s->agent))
        return err_set(info, ERR_DENIED, "", "there is no agent %.64s", s->agent);
    if (!err && map_count(&s->groups))
        err = configured(r, CFG_AGENT, agent_row, s);
    if (!err && map_count(&s->queues))
        err = configured(r, CFG_QUEUE, queue_row, s);
    if (!err)
        err = storage_reader_query(r, "SELECT number, extension FROM agent_state WHERE extension<>''", NULL, 0,
                                   phone_row, s);
    s->queues_json = names_json(&s->queues);
    s->agents_json = names_json(&s->agents);
    if (!err && (!s->queues_json || !s->agents_json))
        err = ERR_NOMEM;
    return err ? err_set(info, err, "", "%s", err_text(err)) : 0;
}

int view_scope_open(struct storage_reader *r, const char *supervisor, struct view_scope **out, struct err_info *info)
{
    struct view_scope *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(info, ERR_NOMEM, "", "out of memory");
    strncpy(s->agent, supervisor, sizeof s->agent - 1);
    map_init(&s->groups);
    map_init(&s->queues);
    map_init(&s->agents);
    map_init(&s->phones);
    int err = read_scope(r, s, info);
    if (err) {
        view_scope_free(s);
        return err;
    }
    *out = s;
    return 0;
}

void view_scope_free(struct view_scope *s)
{
    if (!s)
        return;
    map_free(&s->groups);
    map_free(&s->queues);
    map_free(&s->agents);
    map_free(&s->phones);
    free(s->queues_json);
    free(s->agents_json);
    free(s);
}

/* ---- asking */

const char *view_scope_agent(const struct view_scope *s)
{
    return s->agent;
}

bool view_scope_queue(const struct view_scope *s, const char *queue)
{
    return map_get(&s->queues, queue) != NULL;
}

const char *view_scope_queues_json(const struct view_scope *s)
{
    return s->queues_json;
}

const char *view_scope_agents_json(const struct view_scope *s)
{
    return s->agents_json;
}

/* A field of the row that is a name of ours: of a text, of any of a list of texts, or of a list of objects with a field of that name. */
static bool names(const struct map *m, const json_t *row, const char *field, const char *inner)
{
    const json_t *v = json_object_get(row, field);
    if (json_is_string(v))
        return map_get(m, json_string_value(v)) != NULL;
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *e = json_array_get(v, i);
        const char *text = json_string_value(inner ? json_object_get(e, inner) : e);
        if (text && map_get(m, text))
            return true;
    }
    return false;
}

/* Whoever it is about: the same names of fields in calls, records, messages, call backs and events. */
static bool about(const struct view_scope *s, const json_t *o)
{
    static const struct field {
        const char *name, *inner;
    } queues[] = {{"queue", NULL}, {"served_queue", NULL}, {"overflow", NULL}, {"segments", "queue"}, {"box", NULL}},
      agents[] = {{"agent", NULL},      {"agents", NULL},      {"legs", "agent"},
                  {"ringing", "agent"}, {"segments", "agent"}, {"box", NULL}};
    bool is = false;
    for (size_t i = 0; i < sizeof queues / sizeof *queues; i++)
        is |= names(&s->queues, o, queues[i].name, queues[i].inner);
    for (size_t i = 0; i < sizeof agents / sizeof *agents; i++)
        is |= names(&s->agents, o, agents[i].name, agents[i].inner);
    return is;
}

bool view_scope_row(const struct view_scope *s, const char *kind, const json_t *row)
{
    static const char *const of_people[] = {"live_waiting", "cdr", "missed", "recording", "message", "callback", NULL};
    if (strcmp(kind, "agent") == 0 || strcmp(kind, "live_agent") == 0)
        return names(&s->agents, row, "number", NULL);
    if (strcmp(kind, "forward") == 0)
        return names(&s->agents, row, "agent", NULL);
    if (strcmp(kind, "queue") == 0 || strcmp(kind, "live_queue") == 0)
        return names(&s->queues, row, "name", NULL);
    if (strcmp(kind, "agent_group") == 0)
        return names(&s->groups, row, "name", NULL);
    if (strcmp(kind, "agent_state") == 0 || strcmp(kind, "missed_count") == 0) /* everybody's; counted within it */
        return true;
    if (strcmp(kind, "rating") == 0) /* of one agent, for one queue */
        return names(&s->agents, row, "rated_agent", NULL) || names(&s->queues, row, "rated_queue", NULL);
    if (strcmp(kind, "event") == 0)
        row = json_object_get(row, "data");
    if (strcmp(kind, "event") == 0 ||
        strcmp(kind, "call") == 0) /* who calls is there now; of records that is not known */
        return about(s, row) || names(&s->phones, row, "extension", NULL);
    for (const char *const *k = of_people; *k; k++)
        if (strcmp(kind, *k) == 0)
            return about(s, row);
    return false;
}

bool view_scope_stale(const struct view_scope *s, const json_t *event)
{
    const char *type = json_string_value(json_object_get(event, "type"));
    const json_t *data = json_object_get(event, "data");
    if (type && strcmp(type, "everline.config.changed") == 0) {
        const char *kind = json_string_value(json_object_get(data, "kind"));
        return kind && (strcmp(kind, "agent") == 0 || strcmp(kind, "queue") == 0);
    }
    if (!type || strcmp(type, "everline.agent.state") != 0 || !names(&s->agents, data, "agent", NULL))
        return false;
    bool in = json_object_get(data, "extension") != NULL; /* logged in there; else he has just left */
    return !in || !names(&s->phones, data, "extension", NULL);
}
