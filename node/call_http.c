/* Requests that calls make: one way for all of them to the client of this node, and the http nodes of flows.
 *
 * A request of a flow goes out when its node is entered, which is committed by then (call_menu.c). Whoever takes the call over makes it
 * again, with the same Idempotency-Key: the state says which request it is, not whether it went out. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "node/call_int.h"
#include "node/http_client.h"

#define CALL_HTTP_MUSIC_MS 1000u /* a caller who waits longer than that for an answer hears music */

int call_http_send(struct call *k, const struct http_ask *ask, void (*done)(void *, const struct http_answer *),
                   struct http_request **out)
{
    const struct node *n = k->cs->n;
    const char *proxy = core_parameter(n->core, "http_proxy", "none");
    const char *ca = core_parameter(n->core, "http_ca", "none");
    int err = http_client_set(n->http, strcmp(proxy, "none") == 0 ? "" : proxy, strcmp(ca, "none") == 0 ? "" : ca);
    return err ? err : http_client_send(n->http, ask, done, k, out, NULL);
}

/* ---- http nodes of flows */

static const char *http_secret(void *ctx, const char *name)
{
    return core_secret(ctx, name);
}

static void http_music(struct call *k)
{
    k->http_music = true;
    call_play_music(&k->a);
}

void call_http_stop(struct call *k)
{
    if (k->http_request)
        http_client_cancel(k->cs->n->http, k->http_request);
    k->http_request = NULL;
    call_timer_stop(&k->http_timer);
    if (k->http_music && k->a.media)
        media_stream_stop_play(k->a.media);
    k->http_music = false;
}

static void http_answered(void *ctx, const struct http_answer *a)
{
    struct call *k = mem_ref(ctx);
    const struct ivr_event ev = {.type = IVR_EV_HTTP,
                                 .status = a->code ? 0 : a->status,
                                 .body = a->code ? NULL : a->body,
                                 .body_len = a->code ? 0 : a->body_len};
    k->http_request = NULL;
    call_http_stop(k);
    if (a->code)
        log_info("call", "%s: no answer to the request of node %s after %u ms: %s", k->text_id, ivr_run_node(k->ivr),
                 a->took_ms, err_text(a->code));
    call_menu_tell(k, &ev);
    mem_unref(k);
}

/* The interpreter writes them as lines. */
static size_t http_headers(struct ivr_request *q, struct http_header out[HTTP_HEADERS_MAX])
{
    bool keyed = false;
    size_t n = 0;
    for (unsigned i = 0; i < q->n_headers && n < HTTP_HEADERS_MAX; i++) {
        char *colon = strstr(q->headers[i], ": ");
        if (!colon)
            continue;
        *colon = '\0';
        out[n++] = (struct http_header){q->headers[i], colon + 2};
        keyed = keyed || strcasecmp(q->headers[i], "Idempotency-Key") == 0;
    }
    if (!keyed && n < HTTP_HEADERS_MAX)
        out[n++] = (struct http_header){"Idempotency-Key", q->id};
    return n;
}

static int http_ask_flow(struct call *k)
{
    struct http_header headers[HTTP_HEADERS_MAX];
    struct ivr_request q;
    int err = ivr_run_request(k->ivr, http_secret, k->cs->n->core, &q);
    if (err)
        return err;
    const struct http_ask ask = {.lane = CALL_LANE_FLOW,
                                 .method = q.method,
                                 .url = q.url,
                                 .headers = headers,
                                 .n_headers = http_headers(&q, headers),
                                 .body = q.body,
                                 .body_len = q.body_len,
                                 .timeout_ms = q.timeout_ms,
                                 .max_bytes = IVR_ANSWER_BYTES_MAX};
    err = call_http_send(k, &ask, http_answered, &k->http_request);
    ivr_request_free(&q);
    return err;
}

void call_http_ask(struct call *k)
{
    call_http_stop(k);
    int err = http_ask_flow(k);
    if (err) {
        log_info("call", "%s: request of node %s not made: %s", k->text_id, ivr_run_node(k->ivr), err_text(err));
        call_menu_tell(k, &(struct ivr_event){.type = IVR_EV_HTTP});
        return;
    }
    /* By when he came to the node, whoever owned him then: a new owner goes on with the music at once. */
    const struct core_call *s = call_state(k);
    uint64_t now = node_time_us(call_node(k)), since = s && s->menu_moved_us ? s->menu_moved_us : now;
    uint64_t waits_ms = now > since ? (now - since) / 1000u : 0;
    if (waits_ms >= CALL_HTTP_MUSIC_MS)
        http_music(k);
    else
        call_timer_set(k, &k->http_timer, CALL_HTTP_MUSIC_MS - waits_ms, http_music);
}
