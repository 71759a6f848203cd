/* Answers that are errors: application/problem+json (RFC 9457). */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/api_int.h"
#include "base/yaml.h"

int api_status_of(int code)
{
    switch (code) {
    case ERR_INVAL:
    case ERR_RANGE:
    case ERR_UNSUPPORTED:
        return 422;
    case ERR_NOTFOUND:
        return 404;
    case ERR_EXISTS:
    case ERR_CONFLICT:
    case ERR_BADSTATE:
    case ERR_STALE:
        return 409;
    case ERR_DENIED:
        return 403;
    case ERR_TOOBIG:
        return 413;
    case ERR_NOQUORUM:
    case ERR_BUSY:
    case ERR_CLOSED:
        return 503;
    case ERR_TIMEOUT:
        return 504;
    default: /* memory, disk, damaged data */
        return 500;
    }
}

const char *api_reason_of(int status)
{
    static const struct {
        int status;
        const char *text;
    } table[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].status == status)
            return table[i].text;
    return "Unknown";
}

/* Texts may hold what a client sent, cut anywhere: what is not UTF-8 becomes '?'. */
static json_t *safe_text(const char *text)
{
    json_t *j = json_string(text);
    if (j)
        return j;
    char plain[ERR_INFO_TEXT_MAX];
    size_t n = 0;
    for (; text[n] && n < sizeof plain - 1; n++)
        plain[n] = (unsigned char)text[n] < 0x80 ? text[n] : '?';
    plain[n] = '\0';
    return json_string(plain);
}

/* Where the field at fault stands in the body; nothing when it does not stand there. */
static void find_place(const struct api_request *q, struct err_info *info)
{
    struct yaml_marks *marks = NULL;
    json_t *tree = NULL;
    struct err_info ignored;
    if (info->line || !info->field[0] || !q->json || yaml_load(q->body, q->body_len, &tree, &marks, &ignored))
        return;
    unsigned line, column;
    if (yaml_position(marks, info->field, &line, &column)) {
        info->line = line;
        info->column = column;
    }
    yaml_marks_free(marks);
    json_decref(tree);
}

void api_fail_status(struct api_request *q, int status, const struct err_info *why)
{
    struct err_info placed = *why;
    const struct err_info *info = &placed;
    find_place(q, &placed);
    char type[64];
    snprintf(type, sizeof type, "urn:everline:problem:%s", err_name(info->code));
    json_t *p = json_pack("{s:s, s:s, s:i, s:o, s:s, s:s}", "type", type, "title", err_text(info->code), "status",
                          status, "detail", safe_text(info->text[0] ? info->text : err_text(info->code)), "code",
                          err_name(info->code), "request_id", q->request_id);
    if (p && info->field[0] && json_object_set_new(p, "field", safe_text(info->field)) != 0) {
        json_decref(p);
        p = NULL;
    }
    if (p && info->line &&
        (json_object_set_new(p, "line", json_integer(info->line)) != 0 ||
         json_object_set_new(p, "column", json_integer(info->column ? info->column : 1)) != 0)) {
        json_decref(p);
        p = NULL;
    }
    if (status == 503 && !q->retry_after)
        q->retry_after = info->code == ERR_BUSY ? 1 : 2;
    api_reply(q, status, p);
    if (p)
        q->type = "application/problem+json";
}

void api_fail(struct api_request *q, const struct err_info *info)
{
    int status = api_status_of(info->code);
    bool create = strcmp(q->if_none_match, "*") == 0;
    if ((info->code == ERR_EXISTS && create) || (info->code == ERR_CONFLICT && q->if_match[0]))
        status = 412;
    api_fail_status(q, status, info);
}

void api_fail_code(struct api_request *q, int code, const char *field, const char *fmt, ...)
{
    struct err_info info = {.code = code};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(info.text, sizeof info.text, fmt, ap);
    va_end(ap);
    snprintf(info.field, sizeof info.field, "%s", field ? field : "");
    api_fail(q, &info);
}

void api_fail_result(struct api_request *q, const struct api_result *r)
{
    api_fail_code(q, r->code, r->field, "%s", r->text && r->text[0] ? r->text : err_text(r->code));
}

void api_on_removed(struct api_request *q, const struct api_result *r)
{
    struct api_result said = *r;
    if (r->code == ERR_NOTFOUND)
        said.field = NULL; /* that of the command: what is not there stands in the path */
    if (r->code)
        api_fail_result(q, &said);
    else
        api_reply_none(q, 204);
}
