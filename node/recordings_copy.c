/* Copies of recordings at other nodes: sent while one is made, looked for when another node's is carried on.
 *
 * A copy is a beginning of the recording, never with holes of its own, so its length says all. One piece for each copy is on its
 * way at a time. An owner that came later overwrites what an earlier one sent from where the two agree: the longest beginning that he found. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "node/recordings_int.h"

#define SILENCE_US 3000000u /* of a node that was asked: another one is */
#define SEARCH_US 700000u

static void say(const struct recording *r, uint64_t peer, enum rec_msg_kind kind, uint64_t offset)
{
    uint8_t out[REC_MSG_HEADER];
    struct node *n = r->all->n;
    rec_msg_encode(out,
                   &(struct rec_msg){.kind = kind, .id = r->id, .epoch = r->epoch, .offset = offset, .total = r->len});
    int rc = n->repl ? repl_send(n->repl, peer, out, sizeof out) : ERR_CLOSED;
    if (rc)
        log_debug("record", "node %llu cannot be told: %s", (unsigned long long)peer, err_text(rc));
}

static size_t peers_up(const struct recording *r, uint64_t out[REC_PEERS_MAX])
{
    struct repl_peer_info peers[REC_PEERS_MAX];
    struct node *n = r->all->n;
    size_t count = n->repl ? repl_peers(n->repl, peers, REC_PEERS_MAX) : 0, up = 0;
    for (size_t i = 0; i < count && i < REC_PEERS_MAX; i++)
        if (!peers[i].self && peers[i].up)
            out[up++] = peers[i].id;
    return up;
}

/* ---- reading a piece for somebody */

static void read_for(struct recording *r, uint64_t peer, enum rec_msg_kind answer, uint64_t offset)
{
    struct rec_work *w = rec_work_new(r);
    if (!w)
        return; /* asked for again */
    w->kind = REC_READ;
    w->peer = peer;
    w->answer = answer;
    w->offset = offset;
    w->len = r->len - offset < REC_PIECE_MAX ? r->len - offset : REC_PIECE_MAX;
    rec_begin(w);
}

void rec_read_done(struct rec_work *w)
{
    struct recording *r = w->r;
    struct node *n = r->all->n;
    if (w->rc || !n->repl)
        return;
    rec_msg_encode(
        w->head,
        &(struct rec_msg){.kind = w->answer, .id = r->id, .epoch = r->epoch, .offset = w->offset, .total = r->len});
    if (repl_send(n->repl, w->peer, w->head, REC_MSG_HEADER + w->len))
        log_debug("record", "node %llu cannot be told", (unsigned long long)w->peer);
}

/* ---- copies of what is made here */

static bool has_copy(const struct recording *r, uint64_t peer)
{
    for (unsigned i = 0; i < REC_COPIES; i++)
        if (r->copies[i].peer == peer)
            return true;
    return false;
}

static bool among(const uint64_t *up, size_t n, uint64_t peer)
{
    for (size_t i = 0; i < n; i++)
        if (up[i] == peer)
            return true;
    return false;
}

static void copy_choose(const struct recording *r, struct rec_copy *c, const uint64_t *up, size_t n)
{
    for (size_t i = 0; i < n && !c->peer; i++) {
        uint64_t peer = up[(r->id + r->all->ticks / 32u + i) % n];
        if (!has_copy(r, peer))
            *c = (struct rec_copy){.peer = peer};
    }
}

void rec_copies_step(struct recording *r, uint64_t now_us)
{
    uint64_t up[REC_PEERS_MAX];
    size_t n = peers_up(r, up);
    for (unsigned i = 0; i < REC_COPIES; i++) {
        struct rec_copy *c = &r->copies[i];
        if (c->peer && (!among(up, n, c->peer) || (c->waiting && now_us - c->since_us > SILENCE_US)))
            *c = (struct rec_copy){0};
        if (!c->peer)
            copy_choose(r, c, up, n);
        if (!c->peer || c->waiting || (c->known && c->held >= r->len))
            continue;
        c->waiting = true;
        c->since_us = now_us;
        if (c->known)
            read_for(r, c->peer, REC_MSG_DATA, c->held);
        else
            say(r, c->peer, REC_MSG_ASK, 0);
    }
}

/* What a node was given by an earlier owner is the same only as far as this one found it. */
static void copy_heard(struct recording *r, uint64_t peer, uint64_t held, uint64_t epoch)
{
    uint64_t same = epoch == r->epoch ? r->len : r->agreed;
    for (unsigned i = 0; i < REC_COPIES; i++) {
        struct rec_copy *c = &r->copies[i];
        if (c->peer != peer)
            continue;
        c->known = true;
        c->waiting = false;
        c->held = held < same ? held : same;
    }
}

/* ---- what others have of a recording that is carried on */

void rec_search_begin(struct recording *r)
{
    uint64_t up[REC_PEERS_MAX];
    size_t n = peers_up(r, up);
    r->search = (struct rec_search){.on = true, .until_us = clock_mono_now().us + SEARCH_US, .best = r->len};
    r->search.asked = n;
    for (size_t i = 0; i < n; i++)
        say(r, up[i], REC_MSG_ASK, 0);
}

static void search_get(struct recording *r, uint64_t now_us)
{
    r->search.waiting = true;
    r->search.until_us = now_us + SILENCE_US;
    say(r, r->search.best_peer, REC_MSG_GET, r->len);
}

bool rec_search_step(struct recording *r, uint64_t now_us)
{
    struct rec_search *s = &r->search;
    if (!s->on || r->writing)
        return s->on;
    bool late = now_us >= s->until_us;
    if (!s->fetching && !late && s->answers < s->asked)
        return true;
    if ((s->fetching && s->waiting && late) || !s->best_peer || r->len >= s->best) {
        s->on = false;
        log_info("record", "%016llx goes on behind %llu ms", (unsigned long long)r->id,
                 (unsigned long long)rec_file_chunks(r->len, r->line.channels) *
                     (REC_CHUNK_SAMPLES / REC_SAMPLES_A_MS));
        return false;
    }
    s->fetching = true;
    if (!s->waiting)
        search_get(r, now_us);
    return true;
}

static void search_heard(struct recording *r, uint64_t peer, uint64_t held)
{
    struct rec_search *s = &r->search;
    s->answers++;
    if (s->fetching || held <= s->best)
        return;
    s->best = held;
    s->best_peer = peer;
}

/* ---- writing what came */

static void write_for(struct recording *r, uint64_t peer, const struct rec_msg *m, bool truncate)
{
    struct rec_work *w = m->len <= sizeof w->data ? rec_work_new(r) : NULL;
    if (!w)
        return;
    w->kind = REC_STORE;
    w->peer = peer;
    w->offset = m->offset;
    w->truncate = truncate;
    w->len = m->len;
    memcpy(w->data, m->data, m->len);
    r->writing = true;
    rec_begin(w);
}

void rec_write_done(struct rec_work *w)
{
    struct recording *r = w->r;
    uint64_t end = w->end;
    r->writing = false;
    if (w->rc) {
        log_warn("record", "%016llx cannot be written: %s", (unsigned long long)r->id, err_text(w->rc));
        if (r->made_here)
            r->failed = w->rc;
        return;
    }
    r->len = (w->kind == REC_STORE && w->truncate) || end > r->len ? end : r->len;
    if (w->peer)
        say(r, w->peer, REC_MSG_HELD, 0);
    if (r->search.fetching)
        r->search.waiting = false;
}

static void take_data(struct node_recordings *a, uint64_t peer, const struct rec_msg *m)
{
    struct recording *r = rec_hold(a, m->id);
    if (!r || r->made_here || r->gone || r->writing || m->epoch < r->epoch)
        return;
    if (m->offset > r->len) {
        say(r, peer, REC_MSG_HELD, 0);
        return;
    }
    bool anew = m->epoch > r->epoch && m->offset < r->len;
    r->epoch = m->epoch;
    r->touched_us = clock_mono_now().us;
    write_for(r, peer, m, anew);
}

bool recordings_message(struct node *n, uint64_t peer, const void *data, size_t len)
{
    struct node_recordings *a = n->recordings;
    struct rec_msg m;
    if (len == 0 || *(const uint8_t *)data != REC_MSG_MAGIC)
        return false;
    if (!a || a->stopping)
        return true;
    if (rec_msg_decode(data, len, &m)) {
        log_warn("record", "malformed message from node %llu", (unsigned long long)peer);
        return true;
    }
    struct recording none = {.all = a, .id = m.id}, *r = rec_find(a, m.id);
    switch (m.kind) {
    case REC_MSG_DATA:
        take_data(a, peer, &m);
        break;
    case REC_MSG_ASK:
        say(r ? r : &none, peer, REC_MSG_HELD, 0);
        break;
    case REC_MSG_HELD:
        if (r && r->made_here && r->search.on)
            search_heard(r, peer, m.total);
        else if (r && r->made_here)
            copy_heard(r, peer, m.total, m.epoch);
        break;
    case REC_MSG_GET:
        if (r && !r->gone && m.offset < r->len)
            read_for(r, peer, REC_MSG_PIECE, m.offset);
        break;
    case REC_MSG_PIECE:
        if (r && r->search.fetching && r->search.waiting && !r->writing && peer == r->search.best_peer &&
            m.offset == r->len && m.len > 0)
            write_for(r, 0, &m, false);
        break;
    case REC_MSG_KINDS:
        break;
    }
    return true;
}
