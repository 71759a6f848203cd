/* The head of a request: what lws has parsed, checked and copied. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "api/server_int.h"
#include "base/folder.h"
#include "base/utf8.h"

/* A header that lws knows by number. -1: too long. */
static int copy_known(struct lws *wsi, enum lws_token_indexes h, char *out, size_t size)
{
    out[0] = '\0';
    int len = lws_hdr_total_length(wsi, h);
    if (len <= 0)
        return 0;
    if ((size_t)len >= size || lws_hdr_copy(wsi, out, (int)size, h) < 0) {
        out[0] = '\0';
        return -1;
    }
    return 0;
}

/* One it does not know; the name is in lower case with its colon. */
static int copy_other(struct lws *wsi, const char *name, char *out, size_t size)
{
    out[0] = '\0';
    int n = (int)strlen(name), len = lws_hdr_custom_length(wsi, name, n);
    if (len <= 0)
        return 0;
    if ((size_t)len >= size || lws_hdr_custom_copy(wsi, out, (int)size, name, n) < 0) {
        out[0] = '\0';
        return -1;
    }
    return 0;
}

static bool is_visible(const char *s)
{
    for (; *s; s++)
        if (*s < 0x21 || *s > 0x7e)
            return false;
    return true;
}

static void give_id(struct api_request *q)
{
    char given[sizeof q->request_id];
    if (copy_other(q->wsi, "x-request-id:", given, sizeof given) == 0 && given[0] &&
        strspn(given, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._") == strlen(given)) {
        memcpy(q->request_id, given, sizeof given);
        return;
    }
    snprintf(q->request_id, sizeof q->request_id, "%s-%llx-%llx", q->s->node, (unsigned long long)q->s->boot,
             (unsigned long long)++q->s->next_request);
}

/* What no name holds: handlers may put parts of the path into JSON and logs. */
static bool is_text(const char *s, size_t len)
{
    if (strlen(s) != len || !utf8_valid(s))
        return false;
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return false;
    return true;
}

/* 0 or a status. */
static int read_method(struct api_request *q, struct err_info *info)
{
    char *uri = NULL;
    int len = 0;
    switch (lws_http_get_uri_and_method(q->wsi, &uri, &len)) {
    case LWSHUMETH_HEAD:
        q->head = true;
        q->method = API_GET;
        break;
    case LWSHUMETH_GET:
        q->method = API_GET;
        break;
    case LWSHUMETH_POST:
        q->method = API_POST;
        break;
    case LWSHUMETH_PUT:
        q->method = API_PUT;
        break;
    case LWSHUMETH_PATCH:
        q->method = API_PATCH;
        break;
    case LWSHUMETH_DELETE:
        q->method = API_DELETE;
        break;
    default:
        q->method = (enum api_method)0; /* OPTIONS and others: 405 */
        break;
    }
    if (!uri || len <= 0 || (size_t)len >= sizeof q->path) {
        err_set(info, ERR_TOOBIG, "", "the path is too long");
        return 414;
    }
    memcpy(q->path, uri, (size_t)len);
    q->path[len] = '\0';
    if (is_text(q->path, (size_t)len))
        return 0;
    err_set(info, ERR_INVAL, "", "the path must be UTF-8 text without control characters");
    return 400;
}

/* lws has taken the query string apart at '&' and undone its escapes. */
static int read_query(struct api_request *q, struct err_info *info)
{
    char arg[1024];
    for (int i = 0; i < 64; i++) {
        int n = lws_hdr_copy_fragment(q->wsi, arg, sizeof arg, WSI_TOKEN_HTTP_URI_ARGS, i);
        if (n < 0) {
            if (lws_hdr_fragment_length(q->wsi, WSI_TOKEN_HTTP_URI_ARGS, i) > 0)
                return err_set(info, ERR_INVAL, "", "a query parameter is too long");
            return 0;
        }
        if (n == 0)
            continue;
        char *value = strchr(arg, '=');
        if (value)
            *value++ = '\0';
        if (json_object_get(q->query, arg))
            return err_set(info, ERR_INVAL, arg, "is given twice");
        json_t *text = json_string(value ? value : "");
        if (!text || json_object_set_new(q->query, arg, text) != 0)
            return err_set(info, ERR_INVAL, "", "a query parameter is not UTF-8");
    }
    return err_set(info, ERR_INVAL, "", "too many query parameters");
}

static int read_headers(struct api_request *q, struct err_info *info)
{
    struct lws *w = q->wsi;
    if (copy_known(w, WSI_TOKEN_HTTP_CONTENT_TYPE, q->content_type, sizeof q->content_type))
        return err_set(info, ERR_INVAL, "Content-Type", "is too long");
    if (copy_known(w, WSI_TOKEN_HTTP_ACCEPT, q->accept, sizeof q->accept))
        q->accept[0] = '\0'; /* a wish, not a condition */
    if (copy_known(w, WSI_TOKEN_HTTP_IF_MATCH, q->if_match, sizeof q->if_match))
        return err_set(info, ERR_INVAL, "If-Match", "is too long");
    if (copy_known(w, WSI_TOKEN_HTTP_IF_NONE_MATCH, q->if_none_match, sizeof q->if_none_match))
        return err_set(info, ERR_INVAL, "If-None-Match", "must be *");
    if (copy_known(w, WSI_TOKEN_HTTP_RANGE, q->range, sizeof q->range))
        q->range[0] = '\0'; /* none of ours: the whole is sent */
    if (copy_known(w, WSI_TOKEN_HTTP_IF_RANGE, q->if_range, sizeof q->if_range))
        snprintf(q->if_range, sizeof q->if_range, "too long"); /* none of ours either: no part of what it names */
    if (copy_other(w, "last-event-id:", q->last_event_id, sizeof q->last_event_id))
        return err_set(info, ERR_INVAL, "Last-Event-ID", "is too long");
    if (copy_other(w, "idempotency-key:", q->idem, sizeof q->idem) || !is_visible(q->idem)) {
        q->idem[0] = '\0';
        return err_set(info, ERR_INVAL, "Idempotency-Key", "must be 1 to %d visible characters", API_KEY_MAX);
    }
    return read_query(q, info);
}

/* Bytes of the body; 0 or a status. */
static int read_length(struct api_request *q, struct err_info *info)
{
    char text[32];
    q->body_expected = 0;
    if (lws_hdr_total_length(q->wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0) {
        err_set(info, ERR_UNSUPPORTED, "Transfer-Encoding", "send the body with Content-Length");
        q->close_after = true;
        return 411;
    }
    if (lws_hdr_total_length(q->wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) <= 0) {
        q->close_after =
            q->method & (API_POST | API_PUT | API_PATCH) ? true : q->close_after; /* lws would wait for a body */
        return 0;
    }
    if (copy_known(q->wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, text, sizeof text) || !text[0] ||
        text[strspn(text, "0123456789")] || strlen(text) > 18) {
        err_set(info, ERR_INVAL, "Content-Length", "must be a number");
        q->close_after = true;
        return 400;
    }
    q->body_expected = (size_t)strtoull(text, NULL, 10);
    return 0;
}

/* 0 or 413, once it is known what it is for. */
static int check_length(const struct api_request *q, struct err_info *info)
{
    unsigned most = q->route->body == API_BODY_SOUND ? API_SOUND_MAX : API_BODY_MAX;
    if (q->body_expected <= most)
        return 0;
    err_set(info, ERR_TOOBIG, "", "the body is over %u bytes", most);
    return 413;
}

static void not_routed(struct api_request *q, int err, unsigned allowed)
{
    struct err_info info;
    if (err == ERR_NOTFOUND) {
        err_set(&info, err, "", "there is no such path");
        api_fail_status(q, 404, &info);
        return;
    }
    static const enum api_method all[] = {API_GET, API_POST, API_PUT, API_PATCH, API_DELETE};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (!(allowed & all[i]))
            continue;
        size_t n = strlen(q->allow);
        snprintf(q->allow + n, sizeof q->allow - n, "%s%s", n ? ", " : "", api_method_name(all[i]));
    }
    err_set(&info, ERR_UNSUPPORTED, "", "this path takes %s", q->allow);
    api_fail_status(q, 405, &info);
}

/* Answers and returns false when the caller may not. */
static bool admit(struct api_request *q)
{
    if (q->route->role == API_ROLE_NONE)
        return true;
    char text[API_TOKEN_MAX + 16];
    struct err_info info = {.code = 0};
    int err = copy_known(q->wsi, WSI_TOKEN_HTTP_AUTHORIZATION, text, sizeof text) ? ERR_DENIED
                                                                                  : api_authenticate(q, text, &info);
    OPENSSL_cleanse(text, sizeof text);
    if (err && info.text[0]) {
        api_fail_status(q, err == ERR_DENIED ? 403 : api_status_of(err), &info);
        return false;
    }
    if (err == ERR_DENIED) {
        err_set(&info, err, "", "a bearer token is needed, and one that is known");
        api_fail_status(q, 401, &info);
        return false;
    }
    if (err) {
        api_fail_code(q, err, NULL, "tokens cannot be read now: %s", err_text(err));
        return false;
    }
    if (q->role == API_ROLE_SUPERVISOR)
        return api_scope_admits(q);
    if (q->role >= q->route->role)
        return true;
    err_set(&info, ERR_DENIED, "", "%s may read only", q->actor);
    api_fail_status(q, 403, &info);
    return false;
}

/* A file that nobody else sees and that is gone with the request. */
static bool make_spool(struct api_request *q)
{
    char path[FOLDER_PATH_MAX];
    if (q->s->spool_bytes + q->body_expected > API_SOUNDS_MAX) {
        api_fail_code(q, ERR_BUSY, NULL, "too many sound files at once");
        return false;
    }
    int n = snprintf(path, sizeof path, "%s/.part-upload-XXXXXX", q->s->spool);
    errno = ENAMETOOLONG;
    q->spool = n > 0 && (size_t)n < sizeof path ? mkostemp(path, O_CLOEXEC) : -1;
    if (q->spool < 0) {
        api_fail_code(q, ERR_IO, NULL, "no place for the file: %s", strerror(errno));
        return false;
    }
    (void)unlink(path);
    q->s->spool_bytes += q->body_expected;
    return true;
}

static bool make_room(struct api_request *q)
{
    if (q->body_expected == 0)
        return true;
    if (q->route->body == API_BODY_SOUND)
        return make_spool(q);
    if (q->s->body_bytes + q->body_expected > API_BODIES_MAX) {
        api_fail_code(q, ERR_BUSY, NULL, "too many large requests at once");
        return false;
    }
    q->body = malloc(q->body_expected);
    if (!q->body) {
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
        return false;
    }
    q->body_cap = q->body_expected;
    q->s->body_bytes += q->body_cap;
    return true;
}

void api_read_head(struct api_request *q, bool *body_follows)
{
    struct err_info info = {.code = 0}, why = {.code = 0};
    unsigned allowed = 0;
    give_id(q);
    int bad_path = read_method(q, &why), status = read_length(q, &info);
    *body_follows = q->body_expected > 0;
    if (bad_path) {
        api_fail_status(q, bad_path, &why);
        return;
    }
    int err = api_route_find(q->method, q->path, &q->route, q->params, &allowed);
    if (err) {
        not_routed(q, err, allowed);
        return;
    }
    if (!admit(q))
        return;
    if (!status)
        status = check_length(q, &info);
    if (!status && read_headers(q, &info))
        status = 400;
    if (status) {
        api_fail_status(q, status, &info);
        return;
    }
    (void)make_room(q);
}

bool api_expects_continue(struct lws *wsi)
{
    char text[32];
    return copy_known(wsi, WSI_TOKEN_HTTP_EXPECT, text, sizeof text) == 0 && strcasecmp(text, "100-continue") == 0;
}

/* RFC 9110, section 10.1.1. */
int api_send_continue(struct lws *wsi)
{
    unsigned char buf[LWS_PRE + 32];
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    memcpy(buf + LWS_PRE, text, sizeof text - 1);
    return lws_write(wsi, buf + LWS_PRE, sizeof text - 1, LWS_WRITE_HTTP_HEADERS) < 0 ? -1 : 0;
}
