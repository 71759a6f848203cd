/* Flows beyond being configuration: what they were before, going back to that, and walking one without a call. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/clock.h"
#include "core/config_json.h"
#include "core/time_group.h"
#include "telephony/ivr_trial.h"

#define FLOW_KEYS_MAX 256u

/* ---- versions */

static json_t *version_json(uint64_t version, bool live, uint64_t since_us, uint64_t until_us, const char *note)
{
    char since[CLOCK_TEXT_MAX], until[CLOCK_TEXT_MAX];
    return json_pack("{s:I, s:b, s:s, s:s?, s:s}", "version", (json_int_t)version, "live", live, "since",
                     clock_wall_text((struct clock_wall){since_us}, since), "until",
                     until_us ? clock_wall_text((struct clock_wall){until_us}, until) : NULL, "note", note);
}

static int version_row(void *ctx, const struct storage_row *row)
{
    json_t *v = version_json(storage_row_int(row, 0), false, storage_row_int(row, 1), storage_row_int(row, 2),
                             storage_row_text(row, 3));
    return json_array_append_new(ctx, v) ? ERR_NOMEM : 0;
}

static int live_row(void *ctx, const struct storage_row *row)
{
    size_t len;
    const void *body = storage_row_blob(row, 2, &len);
    Ev__Flow *flow = ev__flow__unpack(NULL, len, body);
    if (!flow)
        return ERR_CORRUPT;
    json_t *v = version_json(storage_row_int(row, 0), true, storage_row_int(row, 1), 0, flow->note);
    ev__flow__free_unpacked(flow, NULL);
    return json_array_append_new(ctx, v) ? ERR_NOMEM : 0;
}

static int read_versions(struct api_request *q, json_t *items)
{
    const struct storage_val v[] = {storage_int(config_kind("flow")), storage_text(q->params[0])};
    int err = storage_reader_begin(q->s->reader, &q->index);
    if (err)
        return err;
    err = storage_reader_query(q->s->reader, "SELECT version, updated_us, body FROM config WHERE kind=? AND name=?", v,
                               2, live_row, items);
    if (!err)
        err = storage_reader_query(q->s->reader,
                                   "SELECT version, since_us, until_us, note FROM flow_version WHERE name=?"
                                   " ORDER BY version DESC",
                                   v + 1, 1, version_row, items);
    storage_reader_end(q->s->reader);
    return err ? err : json_array_size(items) ? 0 : ERR_NOTFOUND;
}

static void fail_flow(struct api_request *q, int err)
{
    api_fail_code(q, err, NULL,
                  err == ERR_NOTFOUND ? "there is no flow \"%.64s\" in that version" : "\"%.64s\" cannot be read",
                  q->params[0]);
}

void api_list_flow_versions(struct api_request *q)
{
    json_t *items = json_array();
    int err = items ? read_versions(q, items) : ERR_NOMEM;
    if (!err) {
        api_reply(q, 200, json_pack("{s:o}", "items", items));
        return;
    }
    json_decref(items);
    fail_flow(q, err);
}

static int text_row(void *ctx, const struct storage_row *row)
{
    char **text = ctx;
    *text = strdup(storage_row_text(row, 0));
    return *text ? 0 : ERR_NOMEM;
}

/* The text of a flow, 0: of the live one; malloc'ed. */
static int read_text(struct api_server *s, const char *name, uint64_t *version, char **out)
{
    Ev__ConfigObject *o = NULL;
    uint64_t live = 0;
    char *text = NULL;
    int err = api_stored(s, "flow", name, &o, &live);
    if (err && err != ERR_NOTFOUND)
        return err;
    err = 0;
    if (o && (!*version || *version == live)) {
        text = strdup(o->flow->definition);
        err = text ? 0 : ERR_NOMEM;
        *version = live;
    } else if (*version) {
        const struct storage_val v[] = {storage_text(name), storage_int(*version)};
        err = storage_reader_query(s->reader, "SELECT definition FROM flow_version WHERE name=? AND version=?", v, 2,
                                   text_row, &text);
    }
    if (o)
        ev__config_object__free_unpacked(o, NULL);
    if (!err && !text)
        err = ERR_NOTFOUND;
    *out = text;
    return err;
}

int api_flow_text(struct api_server *s, const char *name, uint64_t version, json_t **out)
{
    char *text = NULL;
    int err = read_text(s, name, &version, &text);
    if (!err && !(*out = json_loads(text, 0, NULL)))
        err = ERR_NOMEM;
    free(text);
    return err;
}

int api_flow_definition(struct api_request *q, const char *name, uint64_t version, json_t **out)
{
    int err = storage_reader_begin(q->s->reader, &q->index);
    if (err)
        return err;
    err = api_flow_text(q->s, name, version, out);
    storage_reader_end(q->s->reader);
    return err;
}

bool api_flow_version(const char *text, uint64_t *out)
{
    char *end;
    *out = strtoull(text, &end, 10);
    return text[0] >= '1' && text[0] <= '9' && strlen(text) < 19 && !*end;
}

void api_get_flow_version(struct api_request *q)
{
    json_t *definition = NULL;
    uint64_t version;
    int err = api_flow_version(q->params[1], &version) ? api_flow_definition(q, q->params[0], version, &definition)
                                                       : ERR_NOTFOUND;
    if (err)
        fail_flow(q, err);
    else
        api_reply(q, 200,
                  json_pack("{s:s, s:I, s:o}", "name", q->params[0], "version", (json_int_t)version, "definition",
                            definition));
}

/* ---- walking one */

struct walk {
    struct api_request *q;
    uint64_t at_us;
    const char *area; /* where the caller is; NULL: by what the flow says, and his number */
    const json_t *http;
    char *data; /* what is known of the caller, as text */
    const char *keys[FLOW_KEYS_MAX];
    struct ivr_trial trial;
    struct ivr_flows library;
};

static struct ivr_flow *walk_flow(void *ctx, const char *name, uint64_t *version)
{
    struct walk *w = ctx;
    struct ivr_flow *f = NULL;
    char *text = NULL;
    int err = read_text(w->q->s, name, version, &text);
    if (!err)
        err = ivr_flow_parse(text, strlen(text), &f, NULL);
    free(text);
    return err ? NULL : f;
}

static bool walk_open(void *ctx, const char *group)
{
    struct walk *w = ctx;
    struct time_group *g = NULL;
    struct calendar_verdict v = {.open = false};
    if (api_time_group(w->q->s, group, &g) == 0)
        time_group_at(g, w->at_us, &v);
    time_group_free(g);
    return v.open;
}

static unsigned walk_notices(void *ctx, const char *area, char *out, size_t size)
{
    struct walk *w = ctx;
    const struct api_notice_ask ask = {w->trial.setup.caller ? w->trial.setup.caller : "",
                                       w->trial.setup.called ? w->trial.setup.called : "", w->area ? w->area : area,
                                       w->at_us};
    json_t *told = NULL, *notice;
    size_t i, at = 0;
    out[0] = '\0';
    if (api_notices_for(w->q->s, &ask, &told) != 0)
        return 0;
    json_array_foreach(json_object_get(told, "notices"), i, notice)
    {
        if (at < size)
            at += (size_t)snprintf(out + at, size - at, "%s%s", i ? ", " : "",
                                   json_string_value(json_object_get(notice, "name")));
    }
    json_decref(told);
    return (unsigned)i;
}

static bool walk_answer(void *ctx, const char *node, int *status, const json_t **body)
{
    const struct walk *w = ctx;
    const json_t *answer = json_object_get(w->http, node);
    *body = json_object_get(answer, "body");
    *status = (int)json_integer_value(json_object_get(answer, "status"));
    if (answer && !*status)
        *status = 200;
    return answer != NULL;
}

static int refuse(struct err_info *info, const char *field, const char *text)
{
    return err_set(info, ERR_INVAL, field, "%s", text);
}

static int read_keys(struct walk *w, const json_t *keys, struct err_info *info)
{
    size_t i;
    json_t *v;
    if (keys && (!json_is_array(keys) || json_array_size(keys) > FLOW_KEYS_MAX))
        return refuse(info, "keys", "must be a list of at most 256 texts");
    json_array_foreach(keys, i, v)
    {
        const char *text = json_string_value(v);
        if (!text || !*text || (strcmp(text, "-") != 0 && strspn(text, "0123456789*#") != strlen(text)))
            return refuse(info, "keys", "each entry is keys of 0-9 * #, or - for a time-out");
        w->keys[w->trial.n_keys++] = text;
    }
    return 0;
}

static int read_answers(struct walk *w, const json_t *http, struct err_info *info)
{
    const char *node;
    json_t *v;
    if (http && !json_is_object(http))
        return refuse(info, "http", "must be a group: node, then status and body");
    json_object_foreach((json_t *)(uintptr_t)http, node, v)
    {
        const json_t *status = json_object_get(v, "status");
        if (!json_is_object(v) || (status && (!json_is_integer(status) || json_integer_value(status) < 100 ||
                                              json_integer_value(status) > 599)))
            return refuse(info, "http", "each answer is {\"status\": 100 to 599, \"body\": JSON}");
    }
    w->http = http;
    return 0;
}

static int read_data(struct walk *w, const json_t *data, struct err_info *info)
{
    const char *name;
    json_t *v;
    if (!data)
        return 0;
    if (!json_is_object(data))
        return refuse(info, "data", "must be an object of texts");
    json_object_foreach((json_t *)(uintptr_t)data, name, v)
    {
        if (!json_is_string(v))
            return refuse(info, "data", "must be an object of texts");
    }
    w->trial.data = w->data = json_dumps(data, JSON_COMPACT);
    return w->data ? 0 : err_set(info, ERR_NOMEM, NULL, "out of memory");
}

static int read_setup(struct walk *w, const json_t *body, struct err_info *info)
{
    static const char *const known[] = {"definition", "version", "keys",     "caller", "called", "language",
                                        "time",       "area",    "customer", "http",   "draft",  "data"};
    const char *name, *texts[6] = {NULL};
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)body, name, v)
    {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && strcmp(known[i], name) != 0)
            i++;
        if (i == sizeof known / sizeof *known)
            return refuse(info, name, "unknown field");
        if (i >= 3 && i <= 8) {
            if (!json_is_string(v))
                return refuse(info, name, "must be a text");
            texts[i - 3] = json_string_value(v);
        }
    }
    if (texts[3] && config_parse_time(texts[3], &w->at_us) != 0)
        return refuse(info, "time", "must be a time such as 2026-03-01T09:30:00Z");
    const json_t *draft = json_object_get(body, "draft"), *version = json_object_get(body, "version");
    if (version && (!json_is_integer(version) || json_integer_value(version) < 1))
        return refuse(info, "version", "must be the number of a version");
    if (draft && !json_is_boolean(draft))
        return refuse(info, "draft", "must be true or false");
    if (json_is_true(draft) && (json_object_get(body, "definition") || json_object_get(body, "version")))
        return refuse(info, "draft", "is instead of definition and version");
    w->area = texts[4];
    w->trial.setup.caller = texts[0];
    w->trial.setup.called = texts[1];
    w->trial.setup.language = texts[2];
    w->trial.customer = texts[5];
    int err = read_keys(w, json_object_get(body, "keys"), info);
    if (!err)
        err = read_data(w, json_object_get(body, "data"), info);
    return err ? err : read_answers(w, json_object_get(body, "http"), info);
}

/* The flow to walk: of the body, else as it is or was stored. */
static int walk_begin(struct walk *w, const json_t *body, struct err_info *info)
{
    json_t *definition = json_object_get(body, "definition");
    uint64_t version = (uint64_t)json_integer_value(json_object_get(body, "version"));
    Ev__ConfigObject *o = NULL;
    char *text = NULL;
    int err = 0;
    if (definition) {
        json_t *flow = json_pack("{s:s, s:O}", "name", w->q->params[0], "definition", definition);
        err = flow ? api_object_read("", api_kind_of("flow"), flow, &o, info) : ERR_NOMEM;
        json_decref(flow);
        text = err ? NULL : strdup(o->flow->definition);
        if (!err && !text)
            err = ERR_NOMEM;
    } else if (json_is_true(json_object_get(body, "draft"))) {
        err = api_stored(w->q->s, "flow_draft", w->q->params[0], &o, &version);
        if (err)
            (void)err_set(info, err, "", "there is no draft of a flow \"%.64s\"", w->q->params[0]);
        else if (!(text = strdup(o->flow_draft->definition)))
            err = ERR_NOMEM;
    } else {
        err = read_text(w->q->s, w->q->params[0], &version, &text);
        if (err)
            (void)err_set(info, err, "", "there is no flow \"%.64s\" in that version", w->q->params[0]);
    }
    if (o)
        ev__config_object__free_unpacked(o, NULL);
    if (!err)
        err = ivr_flow_parse(text, strlen(text), &w->trial.setup.flow, info);
    free(text);
    w->trial.setup.version = version;
    return err;
}

void api_test_flow(struct api_request *q)
{
    struct walk w = {.q = q, .at_us = clock_wall_now().us};
    struct err_info info = {.code = 0};
    json_t *out = NULL;
    w.library = (struct ivr_flows){walk_flow, &w};
    w.trial.setup.flows = &w.library;
    w.trial.keys = w.keys;
    w.trial.open = walk_open;
    w.trial.notices = walk_notices;
    w.trial.answer = walk_answer;
    w.trial.ctx = &w;
    int err = read_setup(&w, q->json, &info);
    if (!err)
        err = storage_reader_begin(q->s->reader, &q->index);
    else {
        free(w.data);
        api_fail_status(q, 400, &info);
        return;
    }
    if (!err) {
        err = walk_begin(&w, q->json, &info);
        if (!err)
            out = ivr_trial_run(&w.trial);
        storage_reader_end(q->s->reader);
    }
    ivr_flow_unref(w.trial.setup.flow);
    free(w.data);
    if (!err)
        api_reply(q, 200, out);
    else if (info.code)
        api_fail(q, &info);
    else
        fail_flow(q, err);
}
