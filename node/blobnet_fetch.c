/* Getting blobs. One fetch at a time asks one peer for one piece; its bytes go to a worker, which writes them, and then the
 * next is asked for:
 *
 *   WAITS ──a place is free, a peer is up──► ASKED ──piece──► WRITES ──► ASKED ... ──last piece, hash is right──► done
 *     ▲                                        │ no, or silence          │ disk, hash is wrong
 *     └──────────── next peer ◄────────────────┴─────────────────────────┘
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "node/blobnet_int.h"

#define FETCH_AT_ONCE 2u
#define FETCH_SILENCE_US 3000000u
#define FETCH_PAUSE_US 1000000u    /* when all peers were asked for nothing */
#define FETCH_NOSPACE_US 60000000u /* and when there is no room for it */

struct waiter {
    struct list_node link;
    blobnet_done_fn *done;
    void *ctx;
};

struct fetch {
    struct list_node link;
    struct node_blobnet *b;
    char name[BLOB_NAME_MAX];
    enum { FETCH_WAITS, FETCH_ASKED, FETCH_WRITES } state;
    bool urgent, dropped;
    uint64_t peer, first; /* who is asked; who is to be asked first, 0: any */
    unsigned tries;       /* peers asked since the last pause */
    uint64_t offset, total, since_us, not_before_us;
    struct list_node waiters;
    /* the worker's while FETCH_WRITES */
    struct blob_writer *writer;
    uv_work_t work;
    uint8_t *piece;
    size_t len;
    int rc;
};

static struct fetch *fetch_find(struct node_blobnet *b, const char *name)
{
    list_foreach(it, &b->fetches) {
        struct fetch *f = list_entry(it, struct fetch, link);
        if (strcmp(f->name, name) == 0)
            return f;
    }
    return NULL;
}

static void fetch_end(struct fetch *f, int status)
{
    struct node_blobnet *b = f->b;
    list_del(&f->link);
    b->n_fetches--;
    blob_writer_drop(f->writer);
    while (!list_empty(&f->waiters)) {
        struct waiter *w = list_entry(f->waiters.next, struct waiter, link);
        list_del(&w->link);
        w->done(w->ctx, status);
        free(w);
    }
    free(f);
}

/* ---- whom to ask */

static size_t peers_up(struct node_blobnet *b, uint64_t out[BLOBNET_PEERS_MAX])
{
    struct repl_peer_info peers[BLOBNET_PEERS_MAX];
    size_t n = repl_peers(b->n->repl, peers, BLOBNET_PEERS_MAX), up = 0;
    for (size_t i = 0; i < n && i < BLOBNET_PEERS_MAX; i++)
        if (!peers[i].self && peers[i].up)
            out[up++] = peers[i].id;
    return up;
}

static void fetch_wait(struct fetch *f, uint64_t us)
{
    f->state = FETCH_WAITS;
    f->not_before_us = clock_mono_now().us + us;
    f->tries = 0;
    f->first = 0;
}

/* Another peer from the start: pieces of one are not put together with those of another. */
static void fetch_ask_next(struct fetch *f)
{
    uint64_t up[BLOBNET_PEERS_MAX];
    size_t n = peers_up(f->b, up);
    blob_writer_drop(f->writer);
    f->writer = NULL;
    f->offset = 0;
    if (n == 0 || f->tries > n) {
        fetch_wait(f, FETCH_PAUSE_US);
        return;
    }
    f->peer = up[((unsigned)f->name[0] + f->tries) % n];
    for (size_t i = 0; f->first && i < n; i++)
        f->peer = up[i] == f->first ? f->first : f->peer;
    f->first = 0;
    f->tries++;
    f->state = FETCH_ASKED;
    f->since_us = clock_mono_now().us;
    blobnet_say(f->b, f->peer, BLOB_MSG_ASK, f->name, 0, 0, 0);
}

static void fetch_begin_some(struct node_blobnet *b)
{
    uint64_t now = clock_mono_now().us;
    unsigned busy = 0;
    list_foreach(it, &b->fetches)
        busy += list_entry(it, struct fetch, link)->state != FETCH_WAITS;
    list_foreach_safe(it, &b->fetches) {
        struct fetch *f = list_entry(it, struct fetch, link);
        bool may = f->state == FETCH_WAITS && now >= f->not_before_us;
        if (may && (busy < FETCH_AT_ONCE || (f->urgent && busy < 2 * FETCH_AT_ONCE))) {
            fetch_ask_next(f);
            busy += f->state != FETCH_WAITS;
        }
    }
}

/* ---- pieces */

static void fetch_write(uv_work_t *work)
{
    struct fetch *f = work->data;
    struct err_info info = {0};
    f->rc = f->writer ? 0 : blob_writer_open(f->b->store, f->name, f->total, &f->writer, &info);
    if (!f->rc)
        f->rc = blob_writer_add(f->writer, f->piece, f->len);
    if (!f->rc && f->offset + f->len == f->total) {
        char name[BLOB_NAME_MAX];
        f->rc = blob_writer_finish(f->writer, name);
        f->writer = NULL;
    }
}

static void fetch_failed(struct fetch *f)
{
    if (f->rc == ERR_CORRUPT) {
        log_warn("blob", "%.16s from node %llu has another hash", f->name, (unsigned long long)f->peer);
        f->b->counts.corrupt++;
        blobnet_say(f->b, f->peer, BLOB_MSG_HAVE, f->name, ERR_CORRUPT, 0, 0);
        fetch_ask_next(f);
        return;
    }
    log_warn("blob", "%.16s cannot be written: %s", f->name, err_text(f->rc));
    if (!list_empty(&f->waiters)) {
        fetch_end(f, f->rc);
        return;
    }
    blob_writer_drop(f->writer);
    f->writer = NULL;
    fetch_wait(f, FETCH_NOSPACE_US);
}

static void fetch_written(uv_work_t *work, int status)
{
    struct fetch *f = work->data;
    struct node_blobnet *b = f->b;
    b->working--;
    free(f->piece);
    f->piece = NULL;
    if (status && !f->rc)
        f->rc = ERR_CLOSED;
    if (b->stopping || f->dropped) {
        fetch_end(f, ERR_CLOSED);
    } else if (f->rc) {
        fetch_failed(f);
    } else if (f->offset + f->len == f->total) {
        b->counts.fetched++;
        log_info("blob", "%.16s fetched, %llu bytes", f->name, (unsigned long long)f->total);
        blobnet_note(b->n, f->name, true);
        fetch_end(f, 0);
        fetch_begin_some(b);
    } else {
        f->offset += f->len;
        f->state = FETCH_ASKED;
        f->since_us = clock_mono_now().us;
        blobnet_say(b, f->peer, BLOB_MSG_ASK, f->name, 0, f->total, f->offset);
    }
}

void blobnet_fetch_piece(struct node_blobnet *b, uint64_t peer, const struct blob_msg *m)
{
    struct fetch *f = fetch_find(b, m->name);
    if (!f || f->state != FETCH_ASKED || f->peer != peer)
        return; /* an answer that was given up */
    bool fits = m->offset == f->offset && m->len > 0 && (f->offset == 0 || m->total == f->total);
    if (m->status || !fits) {
        fetch_ask_next(f);
        return;
    }
    f->piece = malloc(m->len);
    if (!f->piece) {
        fetch_wait(f, FETCH_PAUSE_US);
        return;
    }
    memcpy(f->piece, m->data, m->len);
    f->total = m->total;
    f->len = m->len;
    f->work.data = f;
    f->state = FETCH_WRITES;
    b->working++;
    (void)uv_queue_work(&b->n->loop, &f->work, fetch_write, fetch_written); /* fails only without the function */
}

void blobnet_fetch_tick(struct node_blobnet *b)
{
    uint64_t now = clock_mono_now().us;
    list_foreach_safe(it, &b->fetches) {
        struct fetch *f = list_entry(it, struct fetch, link);
        if (f->state == FETCH_ASKED && now - f->since_us > FETCH_SILENCE_US)
            fetch_ask_next(f);
    }
    fetch_begin_some(b);
}

/* ---- asking for it */

static int fetch_new(struct node_blobnet *b, const char *name, struct fetch **out)
{
    if (b->n_fetches >= BLOBNET_FETCHES_MAX)
        return ERR_BUSY;
    struct fetch *f = calloc(1, sizeof *f);
    if (!f)
        return ERR_NOMEM;
    f->b = b;
    memcpy(f->name, name, BLOB_NAME_MAX);
    list_init(&f->waiters);
    list_push_back(&b->fetches, &f->link);
    b->n_fetches++;
    *out = f;
    return 0;
}

int blobnet_fetch_from(struct node_blobnet *b, const char *name, uint64_t peer, bool urgent, blobnet_done_fn *done,
                       void *ctx)
{
    if (!blob_name_ok(name) || b->stopping)
        return b->stopping ? ERR_CLOSED : ERR_INVAL;
    struct waiter *w = done ? malloc(sizeof *w) : NULL;
    struct fetch *f = fetch_find(b, name);
    int rc = done && !w ? ERR_NOMEM : 0;
    if (!rc && !f)
        rc = fetch_new(b, name, &f);
    if (rc) {
        free(w);
        return rc;
    }
    f->dropped = false;
    if (w) {
        *w = (struct waiter){.done = done, .ctx = ctx};
        list_push_back(&f->waiters, &w->link);
    }
    f->first = peer ? peer : f->first;
    if (urgent && !f->urgent) {
        f->urgent = true;
        f->not_before_us = 0;
    }
    fetch_begin_some(b);
    return 0;
}

int blobnet_fetch(struct node *n, const char *name, bool urgent, blobnet_done_fn *done, void *ctx)
{
    return n->blobnet ? blobnet_fetch_from(n->blobnet, name, 0, urgent, done, ctx) : ERR_CLOSED;
}

static void fetch_drop(struct fetch *f)
{
    if (f->state == FETCH_WRITES)
        f->dropped = true; /* when the worker is done with it */
    else
        fetch_end(f, ERR_CLOSED);
}

void blobnet_forget(struct node *n, const struct map *wanted)
{
    list_foreach_safe(it, &n->blobnet->fetches) {
        struct fetch *f = list_entry(it, struct fetch, link);
        if (list_empty(&f->waiters) && !map_get(wanted, f->name))
            fetch_drop(f);
    }
}

void blobnet_fetch_stop(struct node_blobnet *b)
{
    list_foreach_safe(it, &b->fetches)
        fetch_drop(list_entry(it, struct fetch, link));
}
