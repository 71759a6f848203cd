/* One request as libcurl knows it. */
#include "node/http_int.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/version.h"

#define HTTP_CA_FOLDER "/etc/ssl/certs" /* hashed: only what is needed is read for a connection */

/* ---- what a request may be */

static int url_part(CURLU *u, CURLUPart part, char *out, size_t size)
{
    char *text = NULL;
    CURLUcode rc = curl_url_get(u, part, &text, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0);
    int err = rc == CURLUE_OUT_OF_MEMORY ? ERR_NOMEM : rc || strlen(text) >= size ? ERR_INVAL : 0;
    if (!err)
        (void)strcpy(out, text);
    curl_free(text);
    return err;
}

static bool has_user(CURLU *u)
{
    char *text = NULL;
    bool user = curl_url_get(u, CURLUPART_USER, &text, 0) == CURLUE_OK;
    curl_free(text);
    if (user)
        return true;
    text = NULL;
    bool password = curl_url_get(u, CURLUPART_PASSWORD, &text, 0) == CURLUE_OK;
    curl_free(text);
    return password;
}

static int url_host(const char *url, char host[HTTP_HOST_MAX], struct err_info *info)
{
    char scheme[16] = "", name[256] = "", port[8] = "";
    if (strlen(url) >= HTTP_URL_MAX)
        return err_set(info, ERR_TOOBIG, "url", "at most %u bytes", HTTP_URL_MAX - 1);
    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
        return err_set(info, ERR_INVAL, "url", "must begin with http:// or https://");
    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
            return err_set(info, ERR_INVAL, "url", "must hold neither spaces nor control characters; others as %%XX");
    if (strchr(url, '/')[2] == '/')
        return err_set(info, ERR_INVAL, "url", "names no host");
    CURLU *u = curl_url();
    if (!u)
        return ERR_NOMEM;
    CURLUcode rc = curl_url_set(u, CURLUPART_URL, url, 0);
    int err = rc == CURLUE_OUT_OF_MEMORY ? ERR_NOMEM : rc ? ERR_INVAL : 0;
    if (!err)
        err = url_part(u, CURLUPART_SCHEME, scheme, sizeof scheme);
    if (!err)
        err = url_part(u, CURLUPART_HOST, name, sizeof name);
    if (!err)
        err = url_part(u, CURLUPART_PORT, port, sizeof port);
    bool user = !err && has_user(u);
    curl_url_cleanup(u);
    if (err == ERR_INVAL)
        return err_set(info, err, "url", "is not a URL");
    if (user)
        return err_set(info, ERR_INVAL, "url", "must hold no user or password: they go into a header, as a secret");
    if (!err)
        (void)snprintf(host, HTTP_HOST_MAX, "%s://%s:%s", scheme, name, port);
    for (char *p = host; !err && *p; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
    return err;
}

int http_url_check(const char *url, struct err_info *info)
{
    char host[HTTP_HOST_MAX];
    return url_host(url, host, info);
}

int http_header_check(const char *name, const char *value, struct err_info *info)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
    static const char *const ours[] = {"Host",    "Content-Length", "Transfer-Encoding",   "Connection", "Expect",
                                       "Upgrade", "Trailer",        "Proxy-Authorization", "Keep-Alive", "TE"};
    size_t len = strlen(name);
    if (len == 0 || len > 128 || strspn(name, good) != len)
        return err_set(info, ERR_INVAL, "headers", "a header's name is letters, digits and hyphens");
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strcasecmp(name, ours[i]) == 0)
            return err_set(info, ERR_INVAL, "headers", "%s is set by the node itself", ours[i]);
    if (len + strlen(value) + 3 > HTTP_HEADER_MAX)
        return err_set(info, ERR_TOOBIG, "headers", "at most %u bytes each", HTTP_HEADER_MAX);
    for (const char *p = value; *p; p++)
        if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
            return err_set(info, ERR_INVAL, "headers", "a header's value must hold no control characters");
    return 0;
}

/* ---- its own copy */

static int add_header(struct http_request *r, const char *name, const char *value)
{
    char line[HTTP_HEADER_MAX + 4];
    /* A header without a value is written with a semicolon: "Name:" alone would take it away. */
    (void)snprintf(line, sizeof line, value[0] ? "%s: %s" : "%s;%s", name, value);
    struct curl_slist *more = curl_slist_append(r->headers, line);
    OPENSSL_cleanse(line, sizeof line);
    if (!more)
        return ERR_NOMEM;
    r->headers = more;
    return 0;
}

static int copy_headers(struct http_request *r, const struct http_ask *ask, struct err_info *info)
{
    bool typed = false;
    int err = ask->n_headers > HTTP_HEADERS_MAX
                  ? err_set(info, ERR_TOOBIG, "headers", "at most %u headers", HTTP_HEADERS_MAX)
                  : 0;
    for (size_t i = 0; i < ask->n_headers && !err; i++) {
        const struct http_header *h = &ask->headers[i];
        err = http_header_check(h->name, h->value, info);
        if (!err)
            err = add_header(r, h->name, h->value);
        typed = typed || strcasecmp(h->name, "Content-Type") == 0;
    }
    if (!err && ask->body && !typed)
        err = add_header(r, "Content-Type", "application/json");
    struct curl_slist *more = err ? NULL : curl_slist_append(r->headers, "Expect:");
    if (!err && !more)
        return ERR_NOMEM;
    if (more)
        r->headers = more;
    return err;
}

static const char *known_method(const char *method)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(method, methods[i]) == 0)
            return methods[i];
    return NULL;
}

int http_transfer_make(const struct http_ask *ask, char host[HTTP_HOST_MAX], struct http_request **out,
                       struct err_info *info)
{
    const char *method = known_method(ask->method);
    if (!method)
        return err_set(info, ERR_INVAL, "method", "must be GET, POST, PUT, PATCH or DELETE");
    if (ask->timeout_ms < 1 || ask->timeout_ms > HTTP_TIMEOUT_MS_MAX)
        return err_set(info, ERR_INVAL, "timeout_ms", "must be 1 to %u", HTTP_TIMEOUT_MS_MAX);
    if (ask->body_len > HTTP_BODY_MAX)
        return err_set(info, ERR_TOOBIG, "body", "at most %u bytes", HTTP_BODY_MAX);
    int err = url_host(ask->url, host, info);
    if (err)
        return err;
    struct http_request *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NOMEM;
    list_init(&r->link);
    r->method = method;
    r->max_bytes = ask->max_bytes < HTTP_RESPONSE_MAX ? ask->max_bytes : HTTP_RESPONSE_MAX;
    r->url = strdup(ask->url);
    err = r->url ? copy_headers(r, ask, info) : ERR_NOMEM;
    if (!err && ask->body) {
        r->body = malloc(ask->body_len + 1);
        if (r->body)
            memcpy(r->body, ask->body, ask->body_len);
        r->body_len = ask->body_len;
        err = r->body ? 0 : ERR_NOMEM;
    }
    if (err) {
        http_transfer_free(r);
        return err;
    }
    *out = r;
    return 0;
}

/* Headers may hold secrets: they do not stay in memory that is given back. */
void http_transfer_free(struct http_request *r)
{
    if (!r)
        return;
    if (r->easy)
        curl_easy_cleanup(r->easy);
    for (struct curl_slist *h = r->headers; h; h = h->next)
        OPENSSL_cleanse(h->data, strlen(h->data));
    curl_slist_free_all(r->headers);
    if (r->body)
        OPENSSL_cleanse(r->body, r->body_len);
    free(r->body);
    free(r->url);
    free(r->got);
    free(r);
}

/* ---- libcurl */

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
    struct http_request *r = ctx;
    size_t len = size * n;
    if (len > r->max_bytes - r->got_len) {
        r->too_big = true;
        return 0;
    }
    if (r->got_len + len + 1 > r->got_cap) {
        size_t cap = r->got_cap ? r->got_cap * 2 : 1024;
        while (cap < r->got_len + len + 1)
            cap *= 2;
        char *more = realloc(r->got, cap);
        if (!more)
            return 0;
        r->got = more;
        r->got_cap = cap;
    }
    memcpy(r->got + r->got_len, data, len);
    r->got_len += len;
    r->got[r->got_len] = '\0';
    return len;
}

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
    struct http_request *r = ctx;
    (void)data;
    r->header_bytes += size * n;
    if (r->header_bytes <= HTTP_RESPONSE_HEADERS_MAX)
        return size * n;
    r->too_big = true;
    return 0;
}

/* What is refused is refused for all of them: an option that libcurl does not take is a fault of ours. */
#define SET(option, value) (rc = rc ? rc : curl_easy_setopt(e, option, value))

static CURLcode set_limits(CURL *e, struct http_request *r, long left_ms)
{
    CURLcode rc = CURLE_OK;
    SET(CURLOPT_TIMEOUT_MS, left_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, left_ms);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_BUFFERSIZE, 16384L);
    SET(CURLOPT_NOSIGNAL, 1L);
    /* A name server that does not answer must not hold the thread when a request is over. */
    SET(CURLOPT_QUICK_EXIT, 1L);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_CAINFO, (char *)NULL);
    SET(CURLOPT_CAPATH, HTTP_CA_FOLDER);
    if (r->route->ca[0]) {
        struct curl_blob ca = {.data = r->route->ca, .len = strlen(r->route->ca), .flags = CURL_BLOB_COPY};
        SET(CURLOPT_CAINFO_BLOB, &ca);
    }
    SET(CURLOPT_PROXY, r->route->proxy);
    SET(CURLOPT_NOPROXY, "");
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    return rc;
}

static CURLcode set_request(CURL *e, struct http_request *r)
{
    CURLcode rc = CURLE_OK;
    SET(CURLOPT_PRIVATE, r);
    SET(CURLOPT_URL, r->url);
    SET(CURLOPT_USERAGENT, "Everline/" EVERLINE_VERSION);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, r);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, r);
    SET(CURLOPT_HTTPHEADER, r->headers);
    bool post = strcmp(r->method, "POST") == 0;
    if (r->body || post) {
        SET(CURLOPT_POSTFIELDS, r->body ? r->body : "");
        SET(CURLOPT_POSTFIELDSIZE, (long)r->body_len);
    }
    if (!post)
        SET(CURLOPT_CUSTOMREQUEST, r->method);
    return rc;
}
#undef SET

int http_transfer_begin(struct http_request *r, uint64_t now_us)
{
    uint64_t left = r->deadline_us > now_us ? (r->deadline_us - now_us) / 1000 : 0;
    r->easy = curl_easy_init();
    CURLcode rc = r->easy ? set_limits(r->easy, r, left ? (long)left : 1) : CURLE_OUT_OF_MEMORY;
    if (rc == CURLE_OK)
        rc = set_request(r->easy, r);
    return rc == CURLE_OK ? 0 : ERR_NOMEM;
}

static int code_of(CURLcode rc)
{
    switch ((int)rc) {
    case CURLE_OK:
        return 0;
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return ERR_NOTFOUND;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CERTPROBLEM:
        return ERR_DENIED;
    case CURLE_UNSUPPORTED_PROTOCOL: /* an answer of HTTP/0.9, which anything is */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_URL_MALFORMAT:
        return ERR_INVAL;
    case CURLE_OUT_OF_MEMORY:
        return ERR_NOMEM;
    default:
        return ERR_CLOSED;
    }
}

void http_transfer_ended(struct http_request *r, CURLcode rc)
{
    long status = 0;
    char *type = NULL;
    r->code = r->too_big ? ERR_TOOBIG : rc == CURLE_WRITE_ERROR ? ERR_NOMEM : code_of(rc);
    if (r->code)
        return;
    (void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(r->easy, CURLINFO_CONTENT_TYPE, &type);
    r->status = (int)status;
    (void)snprintf(r->content_type, sizeof r->content_type, "%s", type ? type : "");
}
