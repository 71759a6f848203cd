/* What is on this node's disk, telling others of it, and serving its pieces. */
#include "node/blobnet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/folder.h"
#include "base/log.h"
#include "node/blobnet_int.h"
#include "node/spoken.h"

#define SERVING_MAX 32u /* pieces that are read for others at once; over it they are told to ask elsewhere */
#define OFFER_AGAIN_US 1000000u

/* A blob that is not at a majority yet. */
struct spread {
    struct list_node link;
    char name[BLOB_NAME_MAX];
    uint64_t bytes, until_us, offered_us;
    uint64_t has[BLOBNET_PEERS_MAX];
    unsigned n_has;
    blobnet_done_fn *done;
    void *ctx;
};

struct blobs *blobnet_store(struct node *n)
{
    return n->blobnet->store;
}

bool blobnet_has(struct node *n, const char *name)
{
    return n->blobnet && map_get(&n->blobnet->here, name);
}

void blobnet_note(struct node *n, const char *name, bool there)
{
    struct node_blobnet *b = n->blobnet;
    if (!there)
        (void)map_del(&b->here, name);
    else if (map_set(&b->here, name, b))
        log_warn("blob", "out of memory"); /* it is fetched once more, no harm */
}

void blobnet_say(struct node_blobnet *b, uint64_t peer, enum blob_msg_kind kind, const char *name, int status,
                 uint64_t total, uint64_t offset)
{
    uint8_t out[BLOB_MSG_HEADER];
    struct blob_msg m = {.kind = kind, .status = status, .total = total, .offset = offset};
    snprintf(m.name, sizeof m.name, "%s", name);
    blob_msg_encode(out, &m);
    int rc = b->n->repl ? repl_send(b->n->repl, peer, out, sizeof out) : ERR_CLOSED;
    if (rc)
        log_debug("blob", "node %llu cannot be told: %s", (unsigned long long)peer, err_text(rc));
}

void blobnet_tell_spoken(struct node *n, const char *key, const char *blob)
{
    uint8_t out[BLOB_MSG_SPOKEN_BYTES];
    struct blob_msg m = {.kind = BLOB_MSG_SPOKEN};
    struct repl_peer_info peers[BLOBNET_PEERS_MAX];
    size_t count = n->repl ? repl_peers(n->repl, peers, BLOBNET_PEERS_MAX) : 0;
    snprintf(m.name, sizeof m.name, "%s", key);
    snprintf(m.blob, sizeof m.blob, "%s", blob);
    blob_msg_encode(out, &m);
    for (size_t i = 0; i < count && i < BLOBNET_PEERS_MAX; i++)
        if (!peers[i].self && peers[i].up && repl_send(n->repl, peers[i].id, out, sizeof out))
            log_debug("blob", "node %s cannot be told", peers[i].name);
}

/* ---- serving pieces */

struct serve {
    struct node_blobnet *b;
    uint64_t peer;
    struct blob_msg ask;
    uv_work_t work;
    uint64_t total;
    size_t len;
    int rc;
    uint8_t out[BLOB_MSG_HEADER + BLOB_PIECE_MAX];
};

static void serve_read(uv_work_t *work)
{
    struct serve *s = work->data;
    s->len = BLOB_PIECE_MAX;
    s->rc = blobs_size(s->b->store, s->ask.name, &s->total);
    if (!s->rc)
        s->rc = blobs_read(s->b->store, s->ask.name, s->ask.offset, s->out + BLOB_MSG_HEADER, &s->len);
    if (!s->rc && s->ask.offset >= s->total)
        s->rc = ERR_RANGE;
}

static void serve_done(uv_work_t *work, int status)
{
    struct serve *s = work->data;
    struct node_blobnet *b = s->b;
    struct blob_msg m = s->ask;
    b->working--;
    b->serving--;
    m.kind = BLOB_MSG_PIECE;
    m.status = status ? ERR_CLOSED : s->rc;
    m.total = m.status ? 0 : s->total;
    m.offset = m.status ? 0 : m.offset;
    size_t len = BLOB_MSG_HEADER + (m.status ? 0 : s->len);
    blob_msg_encode(s->out, &m);
    if (!b->stopping && repl_send(b->n->repl, s->peer, s->out, len) == 0)
        b->counts.sent_bytes += len;
    free(s);
}

static void serve_begin(struct node_blobnet *b, uint64_t peer, const struct blob_msg *ask)
{
    struct serve *s = b->serving < SERVING_MAX ? calloc(1, sizeof *s) : NULL;
    if (!s) {
        blobnet_say(b, peer, BLOB_MSG_PIECE, ask->name, ERR_BUSY, 0, 0);
        return;
    }
    s->b = b;
    s->peer = peer;
    s->ask = *ask;
    s->work.data = s;
    b->serving++;
    b->working++;
    (void)uv_queue_work(&b->n->loop, &s->work, serve_read, serve_done);
}

/* ---- spreading */

static void spread_end(struct spread *s, int status)
{
    list_del(&s->link);
    s->done(s->ctx, status);
    free(s);
}

static bool spread_has(const struct spread *s, uint64_t peer)
{
    for (unsigned i = 0; i < s->n_has; i++)
        if (s->has[i] == peer)
            return true;
    return false;
}

/* True when it is done with. */
static bool spread_look(struct node_blobnet *b, struct spread *s)
{
    struct repl_peer_info peers[BLOBNET_PEERS_MAX];
    size_t n = repl_peers(b->n->repl, peers, BLOBNET_PEERS_MAX), voters = 0, have = 0;
    uint64_t now = clock_mono_now().us;
    bool offers = now - s->offered_us >= OFFER_AGAIN_US;
    for (size_t i = 0; i < n && i < BLOBNET_PEERS_MAX; i++) {
        bool has = peers[i].self || spread_has(s, peers[i].id);
        voters += peers[i].role == REPL_VOTER;
        have += peers[i].role == REPL_VOTER && has;
        if (offers && !has && peers[i].up)
            blobnet_say(b, peers[i].id, BLOB_MSG_OFFER, s->name, 0, s->bytes, 0);
    }
    if (offers)
        s->offered_us = now;
    if (voters && have > voters / 2)
        spread_end(s, 0);
    else if (now >= s->until_us)
        spread_end(s, ERR_NOQUORUM);
    else
        return false;
    return true;
}

int blobnet_spread(struct node *n, const char *name, uint64_t bytes, blobnet_done_fn *done, void *ctx)
{
    struct node_blobnet *b = n->blobnet;
    struct spread *s = b && !b->stopping ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return b && !b->stopping ? ERR_NOMEM : ERR_CLOSED;
    snprintf(s->name, sizeof s->name, "%s", name);
    s->bytes = bytes;
    s->until_us = clock_mono_now().us + BLOBNET_SPREAD_MS * 1000ull;
    s->done = done;
    s->ctx = ctx;
    list_push_back(&b->spreads, &s->link);
    (void)spread_look(b, s);
    return 0;
}

static void spread_heard(struct node_blobnet *b, uint64_t peer, const char *name)
{
    list_foreach_safe(it, &b->spreads) {
        struct spread *s = list_entry(it, struct spread, link);
        if (strcmp(s->name, name) != 0 || spread_has(s, peer) || s->n_has == BLOBNET_PEERS_MAX)
            continue;
        s->has[s->n_has++] = peer;
        (void)spread_look(b, s);
    }
}

/* ---- what peers say */

/* A peer that is to be told when it is here. */
struct offered {
    struct node_blobnet *b;
    uint64_t peer;
    char name[BLOB_NAME_MAX];
};

static void offer_done(void *ctx, int status)
{
    struct offered *o = ctx;
    if (!o->b->stopping)
        blobnet_say(o->b, o->peer, BLOB_MSG_HAVE, o->name, status, 0, 0);
    free(o);
}

static void offer_fetch(struct node_blobnet *b, uint64_t peer, const char *name)
{
    struct offered *o = malloc(sizeof *o);
    if (!o)
        return; /* it is offered again */
    o->b = b;
    o->peer = peer;
    snprintf(o->name, sizeof o->name, "%s", name);
    if (blobnet_fetch_from(b, name, peer, true, offer_done, o))
        free(o);
}

/* A look at a file that is thought to be here. `offerer`: who offers it, and is told; it then stays for as long as a new one. 0: somebody
 * got other bytes from us than the name says: either they were damaged on the way, or they are here. */
struct look {
    struct node_blobnet *b;
    uint64_t offerer;
    char name[BLOB_NAME_MAX];
    uv_work_t work;
    int rc;
};

static void look_run(uv_work_t *work)
{
    struct look *l = work->data;
    l->rc = l->offerer ? blobs_renew(l->b->store, l->name) : blobs_check(l->b->store, l->name);
}

static void look_done(uv_work_t *work, int status)
{
    struct look *l = work->data;
    struct node_blobnet *b = l->b;
    bool gone = l->rc == ERR_CORRUPT || l->rc == ERR_NOTFOUND;
    b->working--;
    b->serving--;
    if (!status && !b->stopping && gone) {
        b->counts.corrupt += l->rc == ERR_CORRUPT;
        blobnet_note(b->n, l->name, false);
        if (l->offerer)
            offer_fetch(b, l->offerer, l->name);
        else if (blobnet_fetch_from(b, l->name, 0, true, NULL, NULL))
            log_warn("blob", "%.16s cannot be fetched again now", l->name);
    } else if (!status && !b->stopping && l->offerer) {
        blobnet_say(b, l->offerer, BLOB_MSG_HAVE, l->name, l->rc, 0, 0);
    }
    free(l);
}

static void look_begin(struct node_blobnet *b, uint64_t offerer, const char *name)
{
    struct look *l = b->serving < SERVING_MAX ? calloc(1, sizeof *l) : NULL;
    if (!l)
        return; /* it is offered again, or complained about */
    l->b = b;
    l->offerer = offerer;
    snprintf(l->name, sizeof l->name, "%s", name);
    l->work.data = l;
    b->serving++;
    b->working++;
    (void)uv_queue_work(&b->n->loop, &l->work, look_run, look_done);
}

bool blobnet_message(struct node *n, uint64_t peer, const void *data, size_t len)
{
    struct node_blobnet *b = n->blobnet;
    struct blob_msg m;
    if (len == 0 || *(const uint8_t *)data != BLOB_MSG_MAGIC)
        return false;
    if (!b || b->stopping)
        return true;
    if (blob_msg_decode(data, len, &m)) {
        log_warn("blob", "malformed message from node %llu", (unsigned long long)peer);
        return true;
    }
    switch (m.kind) {
    case BLOB_MSG_OFFER:
        if (map_get(&b->here, m.name))
            look_begin(b, peer, m.name);
        else
            offer_fetch(b, peer, m.name);
        break;
    case BLOB_MSG_HAVE:
        if (m.status == 0)
            spread_heard(b, peer, m.name);
        else if (m.status == ERR_CORRUPT && map_get(&b->here, m.name))
            look_begin(b, 0, m.name);
        break;
    case BLOB_MSG_ASK:
        serve_begin(b, peer, &m);
        break;
    case BLOB_MSG_PIECE:
        blobnet_fetch_piece(b, peer, &m);
        break;
    case BLOB_MSG_SPOKEN:
        spoken_heard(n, &m);
        break;
    case BLOB_MSG_KINDS:
        break;
    }
    return true;
}

/* ---- start and end */

static void blobnet_tick(uv_timer_t *t)
{
    struct node_blobnet *b = t->data;
    if (!b->n->repl)
        return;
    blobnet_fetch_tick(b);
    list_foreach_safe(it, &b->spreads)
        (void)spread_look(b, list_entry(it, struct spread, link));
}

static int note_one(void *ctx, const char *name, uint64_t bytes, uint64_t age_s)
{
    struct node_blobnet *b = ctx;
    (void)bytes;
    (void)age_s;
    return map_set(&b->here, name, b);
}

int blobnet_start(struct node *n, struct err_info *info)
{
    char dir[FOLDER_PATH_MAX];
    struct node_blobnet *b = calloc(1, sizeof *b);
    if (!b)
        return ERR_NOMEM;
    b->n = n;
    map_init(&b->here);
    list_init(&b->spreads);
    list_init(&b->fetches);
    uv_timer_init(&n->loop, &b->tick);
    b->tick.data = b;
    n->blobnet = b;
    snprintf(dir, sizeof dir, "%s/blobs", n->cfg.data);
    int rc = blobs_open(dir, &b->store, info);
    if (!rc)
        rc = blobs_each(b->store, note_one, b);
    if (!rc)
        uv_timer_start(&b->tick, blobnet_tick, BLOBNET_TICK_MS, BLOBNET_TICK_MS);
    return rc;
}

void blobnet_stop(struct node *n)
{
    struct node_blobnet *b = n->blobnet;
    if (!b)
        return;
    b->stopping = true;
    blobnet_fetch_stop(b);
    while (!list_empty(&b->spreads))
        spread_end(list_entry(b->spreads.next, struct spread, link), ERR_CLOSED);
    uv_close((uv_handle_t *)&b->tick, NULL);
    do
        uv_run(&n->loop, b->working ? UV_RUN_ONCE : UV_RUN_NOWAIT); /* what the workers hold, and the timer's memory */
    while (b->working);
    n->blobnet = NULL;
    map_free(&b->here);
    blobs_close(b->store);
    free(b);
}

void blobnet_count_corrupt(struct node *n, unsigned count)
{
    n->blobnet->counts.corrupt += count;
}

void blobnet_get_counts(struct node *n, struct blobnet_counts *out)
{
    struct node_blobnet *b = n->blobnet;
    *out = b->counts;
    out->files = map_count(&b->here);
    out->bytes = blobs_bytes(b->store);
    out->lacking = b->n_fetches;
}
