/* Drafts of flows: their faults, what differs between two texts of a flow, and going live. A draft is a configuration object like
 * others; a faulty one may be kept, not published. */
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "core/config_json.h"

#define DIFF_ROWS_MAX 1000u
#define DIFF_PATH_MAX 512u

static bool there(void *ctx, const char *kind, const char *name)
{
    Ev__ConfigObject *o = NULL;
    uint64_t version;
    if (api_stored(ctx, kind, name, &o, &version) != 0)
        return false;
    ev__config_object__free_unpacked(o, NULL);
    return true;
}

/* The version that is live, 0: there is none. */
static int live_version(struct api_server *s, const char *flow, uint64_t *version)
{
    Ev__ConfigObject *o = NULL;
    *version = 0;
    int err = api_stored(s, "flow", flow, &o, version);
    if (o)
        ev__config_object__free_unpacked(o, NULL);
    return err == ERR_NOTFOUND ? 0 : err;
}

struct draft {
    Ev__ConfigObject *o;
    uint64_t version, live;
    json_t *faults; /* [{"field", "message"}] */
};

static int read_draft(struct api_request *q, struct draft *d)
{
    *d = (struct draft){.o = NULL};
    int err = storage_reader_begin(q->s->reader, &q->index);
    if (err)
        return err;
    err = api_stored(q->s, "flow_draft", q->params[0], &d->o, &d->version);
    if (!err)
        err = live_version(q->s, q->params[0], &d->live);
    if (!err)
        err = api_flow_faults(&q->s->be, d->o->flow_draft->definition, there, q->s, &d->faults);
    storage_reader_end(q->s->reader);
    return err;
}

static void free_draft(struct draft *d)
{
    if (d->o)
        ev__config_object__free_unpacked(d->o, NULL);
    json_decref(d->faults);
}

static void fail_draft(struct api_request *q, int err)
{
    api_fail_code(q, err, NULL,
                  err == ERR_NOTFOUND ? "there is no draft of a flow \"%.64s\""
                                      : "the draft of \"%.64s\" cannot be read",
                  q->params[0]);
}

void api_draft_faults(struct api_request *q)
{
    struct draft d;
    int err = read_draft(q, &d);
    if (err)
        fail_draft(q, err);
    else
        api_reply(q, 200,
                  json_pack("{s:s, s:I, s:I, s:I, s:b, s:O}", "name", q->params[0], "version", (json_int_t)d.version,
                            "based_on", (json_int_t)d.o->flow_draft->based_on, "live", (json_int_t)d.live, "outdated",
                            d.live != d.o->flow_draft->based_on, "items", d.faults));
    free_draft(&d);
}

/* ---- going live */

static int read_publish(const json_t *body, const char **note, bool *force, struct err_info *info)
{
    const json_t *n = json_object_get(body, "note"), *f = json_object_get(body, "force");
    *note = n ? json_string_value(n) : "";
    *force = json_is_true(f);
    if (n && !*note)
        return err_set(info, ERR_INVAL, "note", "must be a text");
    if (f && !json_is_boolean(f))
        return err_set(info, ERR_INVAL, "force", "must be true or false");
    if (json_object_size(body) > (size_t)(n != NULL) + (f != NULL))
        return err_set(info, ERR_INVAL, "", "may hold \"note\" and \"force\", nothing else");
    return config_check_text(config_rule("Flow", "note"), *note, "note", info);
}

static int may_go_live(const struct draft *d, const char *flow, bool force, struct err_info *info)
{
    const json_t *first = json_array_get(d->faults, 0);
    size_t n = json_array_size(d->faults);
    if (first)
        return err_set(info, ERR_INVAL, json_string_value(json_object_get(first, "field")), "%s%s",
                       json_string_value(json_object_get(first, "message")),
                       n > 1 ? " (and there are more faults)" : "");
    uint64_t base = d->o->flow_draft->based_on;
    if (force || base == d->live)
        return 0;
    return err_set(
        info, ERR_CONFLICT, "based_on",
        "flow %.64s is live in version %llu, the draft was made from %llu: compare them, then save the draft "
        "based on %llu, or publish with force",
        flow, (unsigned long long)d->live, (unsigned long long)base, (unsigned long long)d->live);
}

static Ev__Command *publish_command(const struct draft *d, const char *note, bool force)
{
    Ev__Command *cmd = api_config_command(1, 1);
    Ev__ConfigObject *o = malloc(sizeof *o);
    Ev__Flow *flow = malloc(sizeof *flow);
    Ev__ConfigRef *gone = malloc(sizeof *gone);
    if (!cmd || !o || !flow || !gone) {
        if (cmd)
            ev__command__free_unpacked(cmd, NULL);
        free(o);
        free(flow);
        free(gone);
        return NULL;
    }
    ev__config_object__init(o);
    ev__flow__init(flow);
    ev__config_ref__init(gone);
    cmd->config_apply->set[cmd->config_apply->n_set++] = o;
    cmd->config_apply->remove[cmd->config_apply->n_remove++] = gone;
    o->object_case = EV__CONFIG_OBJECT__OBJECT_FLOW;
    o->flow = flow;
    /* As it was looked at: whoever was faster in between makes this a conflict. */
    o->if_version = force ? 0 : d->live;
    o->create_only = !force && !d->live;
    gone->if_version = d->version;
    flow->name = strdup(d->o->flow_draft->name);
    flow->definition = strdup(d->o->flow_draft->definition);
    flow->note = note[0] ? strdup(note) : flow->note;
    gone->kind = strdup("flow_draft");
    gone->name = strdup(d->o->flow_draft->name);
    if (flow->name && flow->definition && flow->note && gone->kind && gone->name)
        return cmd;
    ev__command__free_unpacked(cmd, NULL);
    return NULL;
}

Ev__Command *api_draft_publish(struct api_request *q)
{
    struct err_info info = {.code = 0};
    struct draft d = {.o = NULL};
    Ev__Command *cmd = NULL;
    const char *note;
    bool force;
    if (read_publish(q->json, &note, &force, &info)) {
        api_fail(q, &info);
        return NULL;
    }
    int err = read_draft(q, &d);
    if (err)
        fail_draft(q, err);
    else if (may_go_live(&d, q->params[0], force, &info))
        api_fail(q, &info);
    else if (!(cmd = publish_command(&d, note, force)))
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
    free_draft(&d);
    return cmd;
}

/* ---- what differs */

static int add_row(json_t *rows, const char *path, const char *action, const json_t *from, const json_t *to)
{
    json_t *row = json_pack("{s:s, s:s, s:O?, s:O?}", "path", path, "action", action, "from", from, "to", to);
    return json_array_append_new(rows, row) ? ERR_NOMEM : 0;
}

static int compare(json_t *rows, const char *path, const json_t *from, const json_t *to);

static int compare_objects(json_t *rows, const char *path, const json_t *from, const json_t *to)
{
    const char *name;
    json_t *v;
    char inner[DIFF_PATH_MAX];
    int err = 0;
    json_object_foreach((json_t *)(uintptr_t)from, name, v)
    {
        snprintf(inner, sizeof inner, "%s%s%s", path, path[0] ? "." : "", name);
        err = err ? err : compare(rows, inner, v, json_object_get(to, name));
    }
    json_object_foreach((json_t *)(uintptr_t)to, name, v)
    {
        snprintf(inner, sizeof inner, "%s%s%s", path, path[0] ? "." : "", name);
        if (!err && !json_object_get(from, name))
            err = compare(rows, inner, NULL, v);
    }
    return err;
}

static int compare_lists(json_t *rows, const char *path, const json_t *from, const json_t *to)
{
    size_t n = json_array_size(from), m = json_array_size(to);
    char inner[DIFF_PATH_MAX];
    int err = 0;
    for (size_t i = 0; !err && i < (n > m ? n : m); i++) {
        snprintf(inner, sizeof inner, "%s[%zu]", path, i);
        err = compare(rows, inner, json_array_get(from, i), json_array_get(to, i));
    }
    return err;
}

/* Nodes that came or went are one row, not one for each of their fields. */
static int compare(json_t *rows, const char *path, const json_t *from, const json_t *to)
{
    if ((from && to && json_equal(from, to)) || json_array_size(rows) >= DIFF_ROWS_MAX)
        return 0;
    if (json_is_object(from) && json_is_object(to))
        return compare_objects(rows, path, from, to);
    if (json_is_array(from) && json_is_array(to))
        return compare_lists(rows, path, from, to);
    return add_row(rows, path, !from ? "added" : !to ? "removed" : "changed", from, to);
}

struct text_of_flow {
    json_t *definition;
    char version[24]; /* "live" and "draft" become numbers, but for a draft */
};

static int newest_former(void *ctx, const struct storage_row *row)
{
    *(uint64_t *)ctx = storage_row_int(row, 0);
    return 0;
}

/* A version by its number, "live", "draft", or "former": the one before the live one. */
static int read_side(struct api_request *q, const char *which, struct text_of_flow *t)
{
    const struct storage_val name = storage_text(q->params[0]);
    Ev__ConfigObject *o = NULL;
    uint64_t version = 0;
    int err = 0;
    snprintf(t->version, sizeof t->version, "%.20s", which);
    if (strcmp(which, "draft") == 0) {
        err = api_stored(q->s, "flow_draft", q->params[0], &o, &version);
        t->definition = err ? NULL : json_loads(o->flow_draft->definition, 0, NULL);
        if (o)
            ev__config_object__free_unpacked(o, NULL);
        return err ? err : t->definition ? 0 : ERR_NOMEM;
    }
    if (strcmp(which, "former") == 0) {
        err = storage_reader_query(q->s->reader, "SELECT max(version) FROM flow_version WHERE name=?", &name, 1,
                                   newest_former, &version);
        err = err ? err : version ? 0 : ERR_NOTFOUND;
    } else if (strcmp(which, "live") == 0) {
        err = live_version(q->s, q->params[0], &version);
        err = err ? err : version ? 0 : ERR_NOTFOUND;
    } else if (!api_flow_version(which, &version)) {
        return ERR_INVAL;
    }
    snprintf(t->version, sizeof t->version, "%llu", (unsigned long long)version);
    return err ? err : api_flow_text(q->s, q->params[0], version, &t->definition);
}

void api_diff_flow(struct api_request *q)
{
    const char *from = api_query(q, "from"), *to = api_query(q, "to");
    struct text_of_flow a = {.definition = NULL}, b = {.definition = NULL};
    const char *wrong = "from";
    struct err_info info = {.code = 0};
    json_t *rows = json_array();
    int err = rows ? storage_reader_begin(q->s->reader, &q->index) : ERR_NOMEM;
    if (!err) {
        err = read_side(q, from ? from : "former", &a);
        if (!err) {
            wrong = "to";
            err = read_side(q, to ? to : "live", &b);
        }
        storage_reader_end(q->s->reader);
    }
    if (!err)
        err = compare(rows, "", a.definition, b.definition);
    if (!err)
        api_reply(
            q, 200,
            json_pack("{s:s, s:s, s:s, s:O}", "name", q->params[0], "from", a.version, "to", b.version, "items", rows));
    else if (err == ERR_NOTFOUND)
        api_fail_code(q, err, wrong, "flow \"%.64s\" has no such version", q->params[0]);
    else if (err == ERR_INVAL && err_set(&info, err, wrong, "must be a version, live, former or draft"))
        api_fail_status(q, 400, &info);
    else
        api_fail_code(q, err, NULL, "cannot be read");
    json_decref(a.definition);
    json_decref(b.definition);
    json_decref(rows);
}
