/* Requests to business systems over HTTP and HTTPS, without the core thread ever waiting for one.
 *
 * One thread of its own (libcurl's multi interface) does all of it: names (libcurl resolves them in threads), TLS, reading and
 * writing. A request goes there through a bounded queue and comes back as a call on the loop's thread (uv_async).
 *
 * Room. At most `concurrent` requests are out at a time, `per_host` of them to one host; the others wait, `waiting` in all and a
 * quarter of that for one host. A host is scheme, name and port; and each lane has its own view of it, so that what one kind of caller
 * finds slow or dead takes neither room nor service from another. When there is no room http_client_send says ERR_BUSY at once.
 * Breaker. After `failures` requests in a row that got no answer at all (time-out, refused, unknown name) a host is not asked for
 * `pause_ms`: send says ERR_BADSTATE at once, and those that wait for it end likewise. Then one request is let through to try; its
 * answer (any status) opens the host to all again. An answer of 500 is an answer.
 *
 * Only http and https; no redirects are followed (3xx is an answer), no cookies, no compression, no proxy but the one of
 * http_client_set, no user or password in a URL; certificates and names are verified, TLS 1.2 at least. HTTP/1.1.
 * Nothing of a request but its host is ever logged: paths and headers may hold a caller's number or a secret. */
#ifndef NODE_HTTP_CLIENT_H
#define NODE_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"

#define HTTP_URL_MAX 2048u                     /* bytes, with the NUL */
#define HTTP_HEADERS_MAX 20u                   /* of a request */
#define HTTP_HEADER_MAX 4096u                  /* bytes of one header of a request */
#define HTTP_BODY_MAX (64u * 1024)             /* bytes of a request */
#define HTTP_RESPONSE_MAX (1024u * 1024)       /* bytes: the most that max_bytes may ask for */
#define HTTP_RESPONSE_HEADERS_MAX (16u * 1024) /* bytes, all lines of an answer together */
#define HTTP_HOSTS_MAX 256u                    /* known at a time; one that is idle gives way, ERR_BUSY when none is */
#define HTTP_TIMEOUT_MS_MAX 60000u

struct http_client;
struct http_request;

struct http_config {
    unsigned concurrent, per_host, waiting; /* 0: 256, 64, 2048 */
    unsigned failures;                      /* 0: 5 */
    uint32_t pause_ms;                      /* 0: 3000 */
};
struct http_header {
    const char *name, *value;
};
struct http_ask {
    unsigned lane;      /* whose view of the host, see above; small numbers of the caller's choice */
    const char *method; /* "GET", "POST", "PUT", "PATCH", "DELETE" */
    const char *url;
    const struct http_header *headers; /* Content-Type is application/json when there is a body and none is given */
    size_t n_headers;
    const void *body; /* NULL: none */
    size_t body_len;
    uint32_t timeout_ms; /* in all, from http_client_send on; 1 to HTTP_TIMEOUT_MS_MAX */
    size_t max_bytes;    /* of the answer's body; more is ERR_TOOBIG */
};
/* Valid during the callback. */
struct http_answer {
    /* 0: `status` came, whatever it is. ERR_TIMEOUT; ERR_CLOSED: refused, unreachable, or broken off; ERR_NOTFOUND: no such host
     * name; ERR_DENIED: its certificate is not to be trusted; ERR_TOOBIG; ERR_INVAL: what came is no HTTP; ERR_BADSTATE: the host
     * has not answered lately and was not asked; ERR_NOMEM. */
    int code;
    int status;
    const char *content_type; /* "" none */
    const char *body;         /* NUL-terminated for convenience; may hold others */
    size_t body_len;
    uint32_t took_ms; /* from http_client_send on */
};
typedef void http_done_fn(void *ctx, const struct http_answer *a);

struct http_counts {
    uint64_t requests; /* taken by http_client_send */
    uint64_t answered, timeouts, failed, cancelled;
    uint64_t busy;    /* refused for want of room */
    uint64_t skipped; /* not asked because the host does not answer */
    unsigned active, waiting, hosts_down;
};

/* Thread of `loop` from here on. ERR_NOMEM, ERR_IO. */
ERR_CHECKED int http_client_start(uv_loop_t *loop, const struct http_config *cfg, struct http_client **out);
/* Requests that are out end without a callback. Memory goes when the loop has turned once more. NULL is nothing. */
void http_client_stop(struct http_client *c);

/* How requests from now on go out. proxy: "http://host:port" or "". ca: certificates (PEM) that are trusted beside the machine's
 * own, or "". ERR_NOMEM: unchanged. */
ERR_CHECKED int http_client_set(struct http_client *c, const char *proxy, const char *ca);

/* Copies everything. Never calls back before it returns; when it fails, done is not called. *out (may be NULL) is for
 * http_client_cancel and valid until done is called. ERR_INVAL, ERR_TOOBIG: the request is not one (info, which may be NULL, says what);
 * ERR_BUSY, ERR_BADSTATE: see above; ERR_NOMEM. */
ERR_CHECKED int http_client_send(struct http_client *c, const struct http_ask *ask, http_done_fn *done, void *ctx,
                                 struct http_request **out, struct err_info *info);
/* done will not be called. */
void http_client_cancel(struct http_client *c, struct http_request *r);

void http_client_counts(struct http_client *c, struct http_counts *out);

/* Whether this could be the URL of a request: 0 or ERR_INVAL, ERR_TOOBIG with a text. Any thread. */
ERR_CHECKED int http_url_check(const char *url, struct err_info *info);
/* Whether a request may carry this header: a token for its name, none that the client sets itself, no control characters. */
ERR_CHECKED int http_header_check(const char *name, const char *value, struct err_info *info);

#endif
