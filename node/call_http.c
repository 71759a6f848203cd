/* Requests that calls make: one way for all of them to the client of this node. */
#include <string.h>

#include "node/call_int.h"
#include "node/http_client.h"

int call_http_send(struct call *k, const struct http_ask *ask, void (*done)(void *, const struct http_answer *),
                   struct http_request **out)
{
    const struct node *n = k->cs->n;
    const char *proxy = core_parameter(n->core, "http_proxy", "none");
    const char *ca = core_parameter(n->core, "http_ca", "none");
    int err = http_client_set(n->http, strcmp(proxy, "none") == 0 ? "" : proxy, strcmp(ca, "none") == 0 ? "" : ca);
    return err ? err : http_client_send(n->http, ask, done, k, out, NULL);
}
