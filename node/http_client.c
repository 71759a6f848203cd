/* Queues, hosts and the thread of http_client.h.
 *
 * Everything that both threads see is under one lock, held for a few steps and never around a call of libcurl:
 *   send (loop's thread): request ─► queue of its host ─► `ready` gets the host
 *   thread: takes from the hosts of `ready` in turn, as far as there is room ─► `active` ─► libcurl ─► `done` ─► uv_async
 *   loop's thread: empties `done`, calls back.
 * A host:  CLOSED ─failures in a row─► DOWN ─pause over─► one probe ─answer─► CLOSED
 *                                       ▲───────────────no answer──┘ */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/thread.h"
#include "node/http_int.h"

#define HTTP_LOOK_MS 20 /* how exactly the time of requests that wait is kept */
#define HTTP_IDLE_CONNECTIONS 128L

struct http_host {
    struct list_node link; /* of `ready`, when something waits */
    struct list_node queue;
    const char *name; /* inside key */
    unsigned active, waiting, failures;
    bool down, probing;
    uint64_t down_until_us;
    char key[HTTP_HOST_MAX + 12]; /* "lane name" */
};

struct http_client {
    struct http_config cfg;
    uv_async_t wake;
    pthread_t thread;
    CURLM *multi;

    pthread_mutex_t lock; /* of all that follows */
    bool stopping;
    struct map hosts; /* key -> struct http_host */
    struct list_node ready, active, done;
    struct http_route *route;
    unsigned n_cancelled; /* of `active` */
    struct http_counts counts;
};

/* ---- hosts; under the lock */

/* One that nothing is under way to; that it does not answer is remembered for the pause, or nobody could be asked any more once so many
 * names had not answered. */
static struct http_host *host_spare(struct http_client *c, uint64_t now)
{
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->hosts, &it, &slot);) {
        struct http_host *h = slot->value;
        if (!h->active && !h->waiting && (!h->down || h->down_until_us <= now))
            return h;
    }
    return NULL;
}

static int host_get(struct http_client *c, unsigned lane, const char *name, uint64_t now, struct http_host **out)
{
    char key[sizeof((struct http_host *)0)->key];
    int at = snprintf(key, sizeof key, "%u ", lane);
    (void)snprintf(key + at, sizeof key - (size_t)at, "%s", name);
    struct http_host *h = map_get(&c->hosts, key);
    if (!h) {
        struct http_host *spare = map_count(&c->hosts) >= HTTP_HOSTS_MAX ? host_spare(c, now) : NULL;
        if (spare) {
            c->counts.hosts_down -= spare->down;
            free(map_del(&c->hosts, spare->key));
        }
        if (map_count(&c->hosts) >= HTTP_HOSTS_MAX)
            return ERR_BUSY;
        h = calloc(1, sizeof *h);
        if (!h || map_set(&c->hosts, key, h)) {
            free(h);
            return ERR_NOMEM;
        }
        list_init(&h->link);
        list_init(&h->queue);
        (void)strcpy(h->key, key);
        h->name = h->key + at;
    }
    *out = h;
    return 0;
}

static void host_up(struct http_client *c, struct http_host *h)
{
    if (h->down) {
        c->counts.hosts_down--;
        log_notice("http", "%s answers again", h->name);
    }
    h->down = h->probing = false;
    h->failures = 0;
}

static void request_done(struct http_client *c, struct http_request *r, int code);

static void host_failed(struct http_client *c, struct http_host *h, bool probe, uint64_t now)
{
    h->failures++;
    if (!h->down && h->failures < c->cfg.failures)
        return;
    if (h->down && !probe)
        return; /* was on its way before */
    if (!h->down) {
        c->counts.hosts_down++;
        log_warn("http", "%s has not answered %u times in a row: not asked for %u ms", h->name, h->failures,
                 c->cfg.pause_ms);
    }
    h->down = true;
    h->probing = false;
    h->down_until_us = now + c->cfg.pause_ms * 1000ull;
    while (!list_empty(&h->queue))
        request_done(c, list_entry(h->queue.next, struct http_request, link), ERR_BADSTATE);
}

/* ---- a request's way; under the lock */

static void host_unqueue(struct http_client *c, struct http_request *r)
{
    struct http_host *h = r->host;
    list_del(&r->link);
    h->waiting--;
    c->counts.waiting--;
    if (!h->waiting)
        list_del(&h->link);
}

/* Its host may be forgotten from here on. */
static void request_put(struct http_client *c, struct http_request *r)
{
    r->host = NULL;
    list_push_back(&c->done, &r->link);
}

/* A request that waited or was never begun. */
static void request_done(struct http_client *c, struct http_request *r, int code)
{
    host_unqueue(c, r);
    if (r->probe)
        r->host->probing = false;
    r->code = code;
    request_put(c, r);
}

static bool no_answer(int code)
{
    return code == ERR_TIMEOUT || code == ERR_CLOSED || code == ERR_NOTFOUND;
}

static void request_over(struct http_client *c, struct http_request *r, uint64_t now)
{
    struct http_host *h = r->host;
    list_del(&r->link);
    h->active--;
    c->counts.active--;
    if (r->cancelled) {
        c->n_cancelled--;
        if (r->probe)
            h->probing = false;
    } else if (no_answer(r->code)) {
        host_failed(c, h, r->probe, now);
    } else if (r->code != ERR_NOMEM) {
        host_up(c, h);
    } else if (r->probe) {
        h->probing = false;
    }
    request_put(c, r);
}

/* The next that may go out, a host each in turn; NULL: none. */
static struct http_request *request_next(struct http_client *c)
{
    if (c->counts.active >= c->cfg.concurrent)
        return NULL;
    list_foreach(it, &c->ready) {
        struct http_host *h = list_entry(it, struct http_host, link);
        if (h->active >= c->cfg.per_host)
            continue;
        struct http_request *r = list_entry(h->queue.next, struct http_request, link);
        list_del(&h->link);
        list_push_back(&c->ready, &h->link);
        host_unqueue(c, r);
        h->active++;
        c->counts.active++;
        list_push_back(&c->active, &r->link);
        return r;
    }
    return NULL;
}

static void requests_expire(struct http_client *c, uint64_t now)
{
    list_foreach_safe(at, &c->ready) {
        struct http_host *h = list_entry(at, struct http_host, link);
        list_foreach_safe(it, &h->queue) {
            struct http_request *r = list_entry(it, struct http_request, link);
            if (r->deadline_us <= now)
                request_done(c, r, ERR_TIMEOUT);
        }
    }
}

/* ---- the thread */

static void transfer_end(struct http_client *c, struct http_request *r, uint64_t now)
{
    if (r->easy) {
        (void)curl_multi_remove_handle(c->multi, r->easy);
        curl_easy_cleanup(r->easy);
        r->easy = NULL;
    }
    pthread_mutex_lock(&c->lock);
    request_over(c, r, now);
    pthread_mutex_unlock(&c->lock);
}

static struct http_request *take_cancelled(struct http_client *c)
{
    struct http_request *r = NULL;
    pthread_mutex_lock(&c->lock);
    if (c->n_cancelled) {
        list_foreach(it, &c->active) {
            r = list_entry(it, struct http_request, link);
            if (r->cancelled)
                break;
            r = NULL;
        }
    }
    pthread_mutex_unlock(&c->lock);
    return r;
}

static struct http_request *take_next(struct http_client *c)
{
    pthread_mutex_lock(&c->lock);
    struct http_request *r = request_next(c);
    pthread_mutex_unlock(&c->lock);
    return r;
}

static void begin_all(struct http_client *c, uint64_t now)
{
    for (struct http_request *r; (r = take_next(c));) {
        int err = http_transfer_begin(r, now);
        if (!err && curl_multi_add_handle(c->multi, r->easy) != CURLM_OK)
            err = ERR_NOMEM;
        if (err) {
            r->code = err;
            transfer_end(c, r, now);
        }
    }
}

/* True: some have ended, others may begin. */
static bool thread_turn(struct http_client *c)
{
    uint64_t now = clock_mono_now().us;
    int running, left;
    bool ended = false;
    for (struct http_request *r; (r = take_cancelled(c));)
        transfer_end(c, r, now);
    pthread_mutex_lock(&c->lock);
    requests_expire(c, now);
    pthread_mutex_unlock(&c->lock);
    begin_all(c, now);
    (void)curl_multi_perform(c->multi, &running);
    for (CURLMsg *m; (m = curl_multi_info_read(c->multi, &left));) {
        char *of = NULL;
        if (m->msg != CURLMSG_DONE || curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &of) != CURLE_OK)
            continue;
        struct http_request *r = (struct http_request *)(void *)of;
        http_transfer_ended(r, m->data.result);
        transfer_end(c, r, clock_mono_now().us);
        ended = true;
    }
    return ended;
}

static void *thread_main(void *arg)
{
    struct http_client *c = arg;
    prctl(PR_SET_NAME, "http");
    thread_ordinary();
    for (;;) {
        bool ended = thread_turn(c);
        pthread_mutex_lock(&c->lock);
        bool stop = c->stopping, news = !list_empty(&c->done), waits = c->counts.waiting > 0;
        pthread_mutex_unlock(&c->lock);
        if (stop)
            return NULL;
        if (news)
            uv_async_send(&c->wake);
        (void)curl_multi_poll(c->multi, NULL, 0, ended ? 0 : waits ? HTTP_LOOK_MS : 60000, NULL);
    }
}

/* ---- the loop's thread */

static void route_drop(struct http_client *c, struct http_route *route)
{
    pthread_mutex_lock(&c->lock);
    bool last = route && --route->refs == 0;
    pthread_mutex_unlock(&c->lock);
    if (!last)
        return;
    free(route->proxy);
    free(route->ca);
    free(route);
}

static void request_free(struct http_client *c, struct http_request *r)
{
    route_drop(c, r->route);
    http_transfer_free(r);
}

static void count_outcome(struct http_counts *n, const struct http_request *r)
{
    if (r->cancelled)
        n->cancelled++;
    else if (r->code == 0)
        n->answered++;
    else if (r->code == ERR_TIMEOUT)
        n->timeouts++;
    else if (r->code == ERR_BADSTATE)
        n->skipped++;
    else
        n->failed++;
}

static struct http_request *take_done(struct http_client *c)
{
    struct http_request *r = NULL;
    pthread_mutex_lock(&c->lock);
    if (!list_empty(&c->done)) {
        r = list_entry(c->done.next, struct http_request, link);
        list_del(&r->link);
        count_outcome(&c->counts, r);
    }
    pthread_mutex_unlock(&c->lock);
    return r;
}

static void on_wake(uv_async_t *wake)
{
    struct http_client *c = wake->data;
    for (struct http_request *r; (r = take_done(c));) {
        struct http_answer a = {
            .code = r->code,
            .status = r->status,
            .content_type = r->content_type,
            .body = r->got ? r->got : "",
            .body_len = r->got_len,
            .took_ms = (uint32_t)((clock_mono_now().us - r->began_us) / 1000),
        };
        if (!r->cancelled)
            r->done(r->ctx, &a);
        request_free(c, r);
    }
}

/* Room for it, and whether its host is asked at all. Under the lock. */
static int admit(struct http_client *c, struct http_host *h, struct http_request *r)
{
    if (h->down && (h->probing || r->began_us < h->down_until_us)) {
        c->counts.skipped++;
        return ERR_BADSTATE;
    }
    if (c->counts.active + c->counts.waiting >= c->cfg.concurrent + c->cfg.waiting ||
        h->active + h->waiting >= c->cfg.per_host + (c->cfg.waiting + 3) / 4) {
        c->counts.busy++;
        return ERR_BUSY;
    }
    r->probe = h->probing = h->down;
    r->host = h;
    r->route = c->route;
    r->route->refs++;
    if (!h->waiting++)
        list_push_back(&c->ready, &h->link);
    list_push_back(&h->queue, &r->link);
    c->counts.waiting++;
    c->counts.requests++;
    return 0;
}

int http_client_send(struct http_client *c, const struct http_ask *ask, http_done_fn *done, void *ctx,
                     struct http_request **out, struct err_info *info)
{
    char name[HTTP_HOST_MAX];
    struct http_request *r;
    struct http_host *h;
    int err = http_transfer_make(ask, name, &r, info);
    if (err)
        return err;
    r->done = done;
    r->ctx = ctx;
    r->began_us = clock_mono_now().us;
    r->deadline_us = r->began_us + ask->timeout_ms * 1000ull;
    pthread_mutex_lock(&c->lock);
    err = host_get(c, ask->lane, name, r->began_us, &h);
    if (err == ERR_BUSY)
        c->counts.busy++;
    if (!err)
        err = admit(c, h, r);
    pthread_mutex_unlock(&c->lock);
    if (err) {
        http_transfer_free(r);
        return err_set(info, err, "", "%s",
                       err == ERR_BUSY       ? "too many requests are under way"
                       : err == ERR_BADSTATE ? "the host has not answered lately"
                                             : err_text(err));
    }
    (void)curl_multi_wakeup(c->multi);
    if (out)
        *out = r;
    return 0;
}

void http_client_cancel(struct http_client *c, struct http_request *r)
{
    pthread_mutex_lock(&c->lock);
    bool out = false, waits = false;
    if (r->host) /* else it is through */
        list_foreach(it, &r->host->queue)
            waits = waits || it == &r->link;
    if (r->host && !waits)
        list_foreach(it, &c->active)
            out = out || it == &r->link;
    r->cancelled = true;
    c->n_cancelled += out;
    if (waits)
        request_done(c, r, ERR_CLOSED);
    pthread_mutex_unlock(&c->lock);
    if (out)
        (void)curl_multi_wakeup(c->multi);
    else
        uv_async_send(&c->wake);
}

void http_client_counts(struct http_client *c, struct http_counts *out)
{
    pthread_mutex_lock(&c->lock);
    *out = c->counts;
    pthread_mutex_unlock(&c->lock);
}

/* ---- beginning and end */

static struct http_route *route_new(const char *proxy, const char *ca)
{
    struct http_route *route = calloc(1, sizeof *route);
    if (!route)
        return NULL;
    route->refs = 1;
    route->proxy = strdup(proxy);
    route->ca = strdup(ca);
    if (route->proxy && route->ca)
        return route;
    free(route->proxy);
    free(route->ca);
    free(route);
    return NULL;
}

int http_client_set(struct http_client *c, const char *proxy, const char *ca)
{
    if (strcmp(c->route->proxy, proxy) == 0 && strcmp(c->route->ca, ca) == 0)
        return 0;
    struct http_route *fresh = route_new(proxy, ca), *old = c->route;
    if (!fresh)
        return ERR_NOMEM;
    pthread_mutex_lock(&c->lock);
    c->route = fresh;
    pthread_mutex_unlock(&c->lock);
    route_drop(c, old);
    return 0;
}

/* No signal is this thread's. */
static int thread_start(struct http_client *c)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&c->thread, NULL, thread_main, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc ? ERR_IO : 0;
}

static struct http_config with_defaults(const struct http_config *cfg)
{
    struct http_config k = *cfg;
    k.concurrent = k.concurrent ? k.concurrent : 256;
    k.per_host = k.per_host ? k.per_host : 64;
    k.waiting = k.waiting ? k.waiting : 2048;
    k.failures = k.failures ? k.failures : 5;
    k.pause_ms = k.pause_ms ? k.pause_ms : 3000;
    return k;
}

static void client_free(struct http_client *c)
{
    const struct map_slot *slot;
    struct list_node *const lists[] = {&c->active, &c->done};
    for (size_t it = 0; map_next(&c->hosts, &it, &slot);) {
        struct http_host *h = slot->value;
        while (!list_empty(&h->queue))
            request_done(c, list_entry(h->queue.next, struct http_request, link), ERR_CLOSED);
    }
    for (size_t i = 0; i < 2; i++)
        while (!list_empty(lists[i])) {
            struct http_request *r = list_entry(lists[i]->next, struct http_request, link);
            list_del(&r->link);
            if (r->easy)
                (void)curl_multi_remove_handle(c->multi, r->easy);
            request_free(c, r);
        }
    for (size_t it = 0; map_next(&c->hosts, &it, &slot);)
        free(slot->value);
    map_free(&c->hosts);
    if (c->multi)
        (void)curl_multi_cleanup(c->multi);
    route_drop(c, c->route);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static void on_closed(uv_handle_t *h)
{
    client_free(h->data);
}

int http_client_start(uv_loop_t *loop, const struct http_config *cfg, struct http_client **out)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return ERR_IO;
    struct http_client *c = calloc(1, sizeof *c);
    if (!c)
        return ERR_NOMEM;
    c->cfg = with_defaults(cfg);
    pthread_mutex_init(&c->lock, NULL);
    map_init(&c->hosts);
    list_init(&c->ready);
    list_init(&c->active);
    list_init(&c->done);
    c->route = route_new("", "");
    c->multi = curl_multi_init();
    c->wake.data = c;
    if (!c->route || !c->multi ||
        curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, HTTP_IDLE_CONNECTIONS) != CURLM_OK ||
        uv_async_init(loop, &c->wake, on_wake)) {
        client_free(c);
        return ERR_NOMEM;
    }
    int err = thread_start(c);
    if (err) {
        uv_close((uv_handle_t *)&c->wake, on_closed);
        return err;
    }
    *out = c;
    return 0;
}

void http_client_stop(struct http_client *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_mutex_unlock(&c->lock);
    (void)curl_multi_wakeup(c->multi);
    pthread_join(c->thread, NULL);
    uv_close((uv_handle_t *)&c->wake, on_closed);
}
