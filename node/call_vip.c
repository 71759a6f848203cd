/* Whether a caller who waits in a queue is a VIP, by a question to a business system (Queue.vip_lookup, Lookup in commands.proto).
 *
 * He is in his queue at once, like anybody; the answer raises him (CallVip), and he keeps the time he has waited. So a system that is
 * slow or dead costs him nothing but the advantage. Asked once for each stay in a queue; answers, yes and no, are remembered by
 * this node for Lookup.cache_s. Nothing is written down for a no: whoever takes the call over asks again. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "node/call_int.h"
#include "node/http_client.h"

#define VIP_ANSWER_BYTES 16384u
#define VIP_CACHE_MAX 10000u /* answers; the one that was used longest ago gives way */

/* ---- answers that are remembered */

struct vip_answer {
    struct list_node link; /* of calls.vip_order: least lately used first */
    bool vip;
    uint64_t until_us;
    char key[]; /* Lookup's name, a space, URL */
};

static void vip_forget(struct calls *cs, struct vip_answer *a)
{
    list_del(&a->link);
    (void)map_del(&cs->vip_answers, a->key);
    free(a);
}

void call_vip_free(struct calls *cs)
{
    while (!list_empty(&cs->vip_order))
        vip_forget(cs, list_entry(cs->vip_order.next, struct vip_answer, link));
    map_free(&cs->vip_answers);
}

static const struct vip_answer *vip_recall(struct calls *cs, const char *key)
{
    struct vip_answer *a = map_get(&cs->vip_answers, key);
    if (a && a->until_us <= clock_mono_now().us) {
        vip_forget(cs, a);
        return NULL;
    }
    if (a) {
        list_del(&a->link);
        list_push_back(&cs->vip_order, &a->link);
    }
    return a;
}

/* Without memory it is asked again next time. */
static void vip_remember(struct calls *cs, const char *key, bool vip, uint32_t cache_s)
{
    struct vip_answer *a = map_get(&cs->vip_answers, key);
    if (a)
        vip_forget(cs, a);
    if (map_count(&cs->vip_answers) >= VIP_CACHE_MAX)
        vip_forget(cs, list_entry(cs->vip_order.next, struct vip_answer, link));
    size_t len = strlen(key) + 1;
    a = malloc(sizeof *a + len);
    if (!a)
        return;
    memcpy(a->key, key, len);
    a->vip = vip;
    a->until_us = clock_mono_now().us + cache_s * 1000000ull;
    if (map_set(&cs->vip_answers, key, a)) {
        free(a);
        return;
    }
    list_push_back(&cs->vip_order, &a->link);
}

/* ---- what is asked */

/* RFC 3986: everything but the unreserved is written as %XX. */
static size_t put_encoded(char *out, size_t size, const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    size_t n = 0;
    for (; *text && n + 4 < size; text++) {
        if (strchr(plain, *text))
            out[n++] = *text;
        else
            n += (size_t)snprintf(out + n, size - n, "%%%02X", (unsigned char)*text);
    }
    out[n] = '\0';
    return n;
}

int call_vip_url(const char *form, const char *caller, const char *called, const char *queue, char *out, size_t size)
{
    const struct {
        const char *name, *value;
    } known[] = {{"${caller}", caller}, {"${called}", called}, {"${queue}", queue}};
    size_t n = 0;
    while (*form) {
        const char *value = NULL;
        size_t len = 0;
        for (size_t i = 0; i < sizeof known / sizeof *known && !value; i++) {
            len = strlen(known[i].name);
            value = strncmp(form, known[i].name, len) == 0 ? known[i].value : NULL;
        }
        if (n + (value ? 3 * strlen(value) : 0) + 5 > size)
            return ERR_TOOBIG;
        if (value)
            n += put_encoded(out + n, size - n, value);
        else
            out[n++] = *form;
        form += value ? len : 1;
    }
    out[n] = '\0';
    return 0;
}

int call_vip_read(int status, const char *body, size_t len, bool *vip)
{
    *vip = false;
    if (status == 404)
        return 0;
    if (status != 200)
        return ERR_INVAL;
    json_t *o = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *v = json_object_get(o, "vip");
    int err = json_is_boolean(v) ? 0 : ERR_INVAL;
    *vip = json_is_true(v);
    json_decref(o);
    return err;
}

/* ---- a caller */

static void vip_raised(struct call *k, int status, const struct core_answer *a)
{
    if (status)
        log_warn("call", "%s: not made a VIP: %s", k->text_id, err_text(status));
    else if (a->code && a->code != ERR_STALE && a->code != ERR_NOTFOUND) /* served, or gone, meanwhile */
        log_warn("call", "%s: not made a VIP: %s", k->text_id, a->text);
}

static void vip_raise(struct call *k, const char *by)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallVip v = EV__CALL_VIP__INIT;
    cmd.body_case = EV__COMMAND__BODY_CALL_VIP;
    cmd.call_vip = &v;
    v.call_id = k->id;
    v.queue = k->vip_queue;
    v.by = (char *)(uintptr_t)by;
    int rc = call_propose(k, &cmd, vip_raised);
    if (rc)
        log_warn("call", "%s: not made a VIP: %s", k->text_id, err_text(rc));
    else
        k->cs->counts.vips++;
}

static const Ev__Lookup *vip_lookup_of(const struct call *k)
{
    const Ev__Queue *q = core_queue_config(k->cs->n->core, k->vip_queue);
    return q && q->vip_lookup[0] ? core_lookup_config(k->cs->n->core, q->vip_lookup) : NULL;
}

/* The reason is in the counters, and in the log once for a host that does not answer (http_client.c). */
static void vip_error(struct call *k)
{
    const Ev__Lookup *l = vip_lookup_of(k);
    k->cs->counts.vip_errors++;
    if (l && strcmp(l->on_error, "vip") == 0)
        vip_raise(k, "lookup_error");
}

static void vip_answered(void *ctx, const struct http_answer *a)
{
    struct call *k = ctx;
    const Ev__Lookup *l = vip_lookup_of(k);
    bool vip = false;
    k->vip_request = NULL;
    if (a->code || call_vip_read(a->status, a->body, a->body_len, &vip)) {
        vip_error(k);
    } else {
        if (l)
            vip_remember(k->cs, k->vip_key, vip, l->cache_s);
        if (vip)
            vip_raise(k, "lookup");
    }
    free(k->vip_key);
    k->vip_key = NULL;
}

static int vip_send(struct call *k, const Ev__Lookup *l, const char *url)
{
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t n = 0;
    for (; n < l->n_headers && n < HTTP_HEADERS_MAX; n++) {
        const Ev__LookupHeader *h = l->headers[n];
        const char *secret = h->secret[0] ? core_secret(k->cs->n->core, h->secret) : NULL;
        headers[n] = (struct http_header){h->name, secret ? secret : h->value};
    }
    const struct http_ask ask = {.lane = CALL_LANE_VIP,
                                 .method = "GET",
                                 .url = url,
                                 .headers = headers,
                                 .n_headers = n,
                                 .timeout_ms = l->timeout_ms,
                                 .max_bytes = VIP_ANSWER_BYTES};
    k->cs->counts.vip_asked++;
    return call_http_send(k, &ask, vip_answered, &k->vip_request);
}

static void vip_ask(struct call *k, const struct core_call *s)
{
    const Ev__Lookup *l = vip_lookup_of(k);
    char key[HTTP_URL_MAX + 80];
    if (!l || !s->caller[0])
        return;
    int at = snprintf(key, sizeof key, "%s ", l->name);
    const char *url = key + at;
    int err = call_vip_url(l->url, s->caller, s->called, s->queue, key + at, sizeof key - (size_t)at);
    const struct vip_answer *known = err ? NULL : vip_recall(k->cs, key);
    if (known) {
        if (known->vip)
            vip_raise(k, "lookup");
        return;
    }
    k->vip_key = err ? NULL : strdup(key);
    if (!err)
        err = k->vip_key ? vip_send(k, l, url) : ERR_NOMEM;
    if (err) {
        free(k->vip_key);
        k->vip_key = NULL;
        vip_error(k);
    }
}

void call_vip_follow(struct call *k, const struct core_call *s)
{
    if (s->phase != CORE_CALL_WAITING && s->phase != CORE_CALL_OFFERED) {
        call_vip_stop(k);
        return;
    }
    if (s->vip || strcmp(k->vip_queue, s->queue) == 0)
        return;
    call_vip_stop(k);
    (void)snprintf(k->vip_queue, sizeof k->vip_queue, "%s", s->queue);
    vip_ask(k, s);
}

void call_vip_stop(struct call *k)
{
    if (k->vip_request)
        http_client_cancel(k->cs->n->http, k->vip_request);
    k->vip_request = NULL;
    free(k->vip_key);
    k->vip_key = NULL;
    k->vip_queue[0] = '\0';
}
