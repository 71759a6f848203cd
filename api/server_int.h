/* Shared by server.c and head.c: what a connection holds, and how a request's head is read. API thread. */
#ifndef API_SERVER_INT_H
#define API_SERVER_INT_H

#include "api/api_int.h"

#define API_HEADERS_MAX 16384u /* bytes of the request line and all headers */

/* Of one connection; zeroed and freed by lws. */
struct conn {
    struct api_request *q; /* NULL between requests */
    struct lws *wsi;
    lws_sorted_usec_list_t overdue; /* a body must be complete by then */
};

/* Reads method, path, query and headers, routes, authenticates, and makes room for the body. Either the request may go on
 * or it is answered; *body_follows says whether bytes come in any case. */
void api_read_head(struct api_request *q, bool *body_follows);
bool api_expects_continue(struct lws *wsi);
int api_send_continue(struct lws *wsi);

#endif
