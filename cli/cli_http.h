/* HTTPS requests to one of several nodes of a cluster: the first that answers.
 *
 * A server that cannot be reached, breaks the connection or answers 503 is passed over for the next one. Changing requests
 * carry an Idempotency-Key, the same for every attempt, so that a request whose answer was lost is not carried out twice.
 * One thread; owner: the caller. The environment's proxies are not used: the nodes are reached directly. */
#ifndef CLI_CLI_HTTP_H
#define CLI_CLI_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "cli/cli_context.h"

#define CLI_HTTP_BODY_MAX (64u << 20) /* bytes of an answer */

struct cli_http;

struct cli_http_options {
    const struct cli_context *context; /* must outlive the client */
    unsigned timeout_ms;               /* for the whole request, all attempts together */
    const char *idempotency_key;       /* NULL: a random one for each request */
    bool verbose;                      /* a line for each request and answer on stderr; never a secret */
    volatile const int *stop;          /* non-zero: give up (ERR_CLOSED); may be NULL */
};

struct cli_reply {
    long status; /* of HTTP */
    char *body;  /* NUL-terminated; never NULL after success */
    size_t len;
    char etag[80];   /* "" when none */
    char type[80];   /* media type without parameters */
    unsigned server; /* index of the server that answered */
};

ERR_CHECKED int cli_http_new(const struct cli_http_options *o, struct cli_http **out, struct err_info *info);
void cli_http_free(struct cli_http *h);

struct cli_http_request {
    const char *method;
    const char *target;   /* path and query, already escaped */
    const char *body;     /* NULL: none */
    size_t body_len;      /* 0: of a text, up to its NUL */
    unsigned patience_ms; /* at least so long for the whole request; 0: as the client's options say */
    bool progress;        /* a bar on stderr while the body is sent, if that is a terminal */
    const char *type;     /* of the body; NULL: application/json */
    const char *if_match; /* ETag; "!*": only if it is not there yet; or NULL */
    const char *server;   /* "host:port" of the one node to ask, or NULL: any of the context */
    /* Where the body of a 200 goes, of any length and for as long as it takes; then reply.body is empty and reply.len says how much it was. One that
     * breaks off is an error, and no other server is asked: what has come is in the file. NULL: into the reply. With `progress`: a counter. */
    FILE *to;
};
/* Any answer is success here; its status is the caller's matter. ERR_CLOSED: no server could be reached (info lists
 * each with its reason); ERR_TIMEOUT; ERR_TOOBIG; ERR_NOMEM. */
ERR_CHECKED int cli_http_do(struct cli_http *h, const struct cli_http_request *q, struct cli_reply *out,
                            struct err_info *info);
void cli_reply_free(struct cli_reply *r);

/* A server-sent event. Return false to end the stream. */
typedef bool cli_http_event_fn(void *ctx, const char *id, const char *data);
/* Reads an event stream, from another server with the last id seen when one is lost, until the callback or *stop ends it (0) or no
 * server gave a stream for the time-out (ERR_CLOSED). A refusal (status over 299) ends it: *refusal is then filled and
 * ERR_DENIED returned. */
ERR_CHECKED int cli_http_events(struct cli_http *h, const char *target, const char *since, cli_http_event_fn *fn,
                                void *ctx, struct cli_reply *refusal, struct err_info *info);

/* Appends s to *out escaped for a path segment or a query value. 0 or ERR_NOMEM. */
ERR_CHECKED int cli_http_escape(char **out, const char *s);

#endif
