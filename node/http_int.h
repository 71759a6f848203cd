/* Shared by http_client.c (queues, hosts, thread) and http_transfer.c (one request as libcurl knows it) only. */
#ifndef NODE_HTTP_INT_H
#define NODE_HTTP_INT_H

#include <curl/curl.h>

#include "base/list.h"
#include "node/http_client.h"

#define HTTP_HOST_MAX 300u /* "https://" name ":" port, with the NUL */

/* How requests go out; shared by those that were made under it. */
struct http_route {
    unsigned refs; /* under the client's lock */
    char *proxy, *ca;
};

struct http_request {
    struct list_node link;  /* of its host's queue, of `active`, or of `done`; under the client's lock */
    struct http_host *host; /* NULL: in `done`; under the lock */
    struct http_route *route;
    http_done_fn *done;
    void *ctx;
    uint64_t began_us, deadline_us;
    bool probe;     /* the one that is let through to a host that did not answer */
    bool cancelled; /* under the lock */

    /* the http thread's while it is active */
    const char *method;
    char *url;
    struct curl_slist *headers;
    char *body;
    size_t body_len;
    CURL *easy;
    size_t max_bytes, header_bytes;
    bool too_big;
    char *got;
    size_t got_len, got_cap;
    char content_type[128];
    int code, status;
};

/* Copies what `ask` says. ERR_INVAL, ERR_TOOBIG, ERR_NOMEM; host gets "scheme://name:port". */
int http_transfer_make(const struct http_ask *ask, char host[HTTP_HOST_MAX], struct http_request **out,
                       struct err_info *info);
void http_transfer_free(struct http_request *r);
/* Makes r->easy, to be added to a multi handle. ERR_NOMEM. */
int http_transfer_begin(struct http_request *r, uint64_t now_us);
/* libcurl is through with it: code and status from what it says. */
void http_transfer_ended(struct http_request *r, CURLcode rc);

#endif
