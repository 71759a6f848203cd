/* A request from its headers to its answer, without the connection (server.c) and the way to the core (ticket.c). */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api_int.h"
#include "base/mem.h"
#include "base/yaml.h"

struct api_request *api_request_new(struct api_server *s)
{
    struct api_request *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    q->s = s;
    q->spool = -1;
    q->query = json_object();
    if (!q->query) {
        free(q);
        return NULL;
    }
    list_push_back(&s->requests, &q->link);
    s->n.requests++;
    return q;
}

void api_request_free(struct api_request *q)
{
    if (!q)
        return;
    api_ticket_drop(q);
    if (q->state && q->state_free)
        q->state_free(q->state);
    if (q->stream)
        api_stream_free(q->stream);
    api_archive_free(q->s, q->archive);
    list_del(&q->link);
    q->s->body_bytes -= q->body_cap;
    q->s->answer_bytes -= q->out_len > API_ANSWER_SMALL ? q->out_len : 0;
    if (q->spool >= 0) {
        q->s->spool_bytes -= q->body_expected;
        close(q->spool);
    }
    free(q->body);
    free(q->out);
    json_decref(q->json);
    json_decref(q->query);
    view_scope_free(q->scope);
    free(q);
}

const char *api_query(const struct api_request *q, const char *name)
{
    return json_string_value(json_object_get(q->query, name));
}

int api_query_bool(const struct api_request *q, const char *name, bool *out, struct err_info *info)
{
    const char *v = api_query(q, name);
    if (!v) {
        *out = false;
        return 0;
    }
    if (strcmp(v, "true") != 0 && strcmp(v, "false") != 0)
        return err_set(info, ERR_INVAL, name, "must be true or false");
    *out = strcmp(v, "true") == 0;
    return 0;
}

/* ---- answering */

static void finish(struct api_request *q, int status)
{
    q->answered = true;
    q->status = status;
    api_ticket_drop(q);
    unsigned class = (unsigned)status / 100;
    if (class < 6)
        q->s->n.by_class[class]++;
    api_wake(q);
}

void api_reply_text(struct api_request *q, int status, const char *type, char *text, size_t len)
{
    if (q->answered) {
        free(text);
        return;
    }
    if (len > API_ANSWER_SMALL && q->s->answer_bytes + len > q->s->answers_max) { /* clients that take their time */
        free(text);
        q->ranges = false;
        q->content_range[0] = '\0';
        api_fail_code(q, ERR_BUSY, NULL, "too many large answers are being sent");
        return;
    }
    q->s->answer_bytes += len > API_ANSWER_SMALL ? len : 0;
    q->type = type;
    q->out = text;
    q->out_len = len;
    finish(q, status);
}

void api_reply_none(struct api_request *q, int status)
{
    if (q->answered)
        return;
    q->type = NULL;
    finish(q, status);
}

void api_reply(struct api_request *q, int status, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (text) {
        api_reply_text(q, status, "application/json", text, strlen(text));
        return;
    }
    static const char none[] =
        "{\"type\":\"urn:everline:problem:no_memory\",\"title\":\"out of memory\",\"status\":500,"
        "\"detail\":\"out of memory\",\"code\":\"no_memory\",\"request_id\":\"\"}";
    text = mem_strdup(none); /* and if not even that: an answer without a body */
    api_reply_text(q, 500, "application/problem+json", text, text ? sizeof none - 1 : 0);
}

/* ---- running */

static bool is_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; *p; p += strcspn(p, " ")) {
        p += strspn(p, " ");
        if (strncmp(p, word, n) == 0 && (p[n] == ' ' || p[n] == '\0'))
            return n > 0;
    }
    return false;
}

static bool has_type(const struct api_request *q, const char *type)
{
    size_t n = strlen(type);
    return strncasecmp(q->content_type, type, n) == 0 &&
           (q->content_type[n] == '\0' || strchr("; \t", q->content_type[n]));
}

static bool type_is_good(const struct api_request *q)
{
    switch (q->route->body) {
    case API_BODY_NONE:
        return true;
    case API_BODY_SOUND: /* what it is is seen by looking at it; a form is not looked into */
        return strncasecmp(q->content_type, "multipart/", 10) != 0;
    case API_BODY_OPTIONAL:
        return q->body_len == 0 || has_type(q, "application/json");
    case API_BODY_JSON:
        return has_type(q, "application/json");
    case API_BODY_MERGE:
        return has_type(q, "application/json") || has_type(q, "application/merge-patch+json");
    case API_BODY_DOCUMENT:
        return has_type(q, "application/json") || has_type(q, "application/yaml") ||
               has_type(q, "application/x-yaml") || has_type(q, "text/yaml");
    }
    return false;
}

static int read_body(struct api_request *q, struct err_info *info)
{
    if (q->route->body == API_BODY_NONE || q->route->body == API_BODY_DOCUMENT || q->route->body == API_BODY_SOUND ||
        (q->route->body == API_BODY_OPTIONAL && q->body_len == 0))
        return 0;
    if (q->body_len == 0)
        return err_set(info, ERR_INVAL, "", "a body is needed");
    int err = json_load_text(q->body, q->body_len, &q->json, info);
    if (err == 0 && !json_is_object(q->json))
        err = err_set(info, ERR_INVAL, "", "the body must be an object");
    return err;
}

static void run_route(struct api_request *q)
{
    if (api_scope_holds(q))
        q->route->run(q);
}

static void now_consistent(struct api_request *q, const struct api_result *r)
{
    if (r->code)
        api_fail_result(q, r);
    else
        run_route(q);
}

void api_request_run(struct api_request *q)
{
    if (q->dispatched || q->answered)
        return;
    q->dispatched = true;
    struct err_info info = {.code = 0};
    const char *name;
    json_t *value;
    json_object_foreach(q->query, name, value)
    {
        if (!is_word(q->route->query, name)) {
            err_set(&info, ERR_INVAL, name, "there is no such query parameter; known are: %s",
                    q->route->query[0] ? q->route->query : "none");
            api_fail_status(q, 400, &info);
            return;
        }
    }
    if (!type_is_good(q)) {
        err_set(&info, ERR_UNSUPPORTED, "", "Content-Type must be %s",
                q->route->body == API_BODY_DOCUMENT ? "application/json or application/yaml"
                : q->route->body == API_BODY_SOUND
                    ? "that of a sound: the body is the file itself, not a form (curl -T FILE)"
                : q->route->body == API_BODY_MERGE ? "application/merge-patch+json or application/json"
                                                   : "application/json");
        api_fail_status(q, 415, &info);
        return;
    }
    int err = read_body(q, &info);
    bool consistent = false;
    if (err == 0)
        err = api_query_bool(q, "consistent", &consistent, &info);
    if (err) {
        if (err == ERR_INVAL)
            api_fail_status(q, 400, &info);
        else
            api_fail(q, &info);
        return;
    }
    if (consistent)
        api_operation(q, API_OP_READ_INDEX, json_object(), now_consistent);
    else
        run_route(q);
}
