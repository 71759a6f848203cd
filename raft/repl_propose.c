/* Commands on their way: the pending list of this node, forwarding to the leader, the leader's queue and batches, and
 * what happens when an entry is applied.
 *
 * Why exactly once and in sequence: a node sends its commands in sequence on one connection; whenever leader, term or
 * connection change it starts again from the oldest that it has not seen applied. The leader takes only the next
 * sequence of an origin within its term and drops the rest. So in the log a sequence may repeat but never skips, and the
 * state machine skips repetitions. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "raft/repl_int.h"
#include "raft/wire.h"

/* A second batch is only given to libraft beside the first when it is worth an entry of its own. */
#define REPL_SECOND_BATCH_BYTES (128u * 1024u)

#define REPL_FORWARD_HEADER 28u

/* ---- proposing ---- */

int repl_propose(struct repl *r, struct repl_req *req, const void *data, size_t len, unsigned timeout_ms)
{
    return repl_propose_later(r, req, data, len, timeout_ms, 0);
}

int repl_propose_later(struct repl *r, struct repl_req *req, const void *data, size_t len, unsigned timeout_ms,
                       unsigned patience_ms)
{
    if (r->stopping || r->dead)
        return ERR_CLOSED;
    if (len > REPL_COMMAND_MAX)
        return ERR_TOOBIG;
    bool full = r->no_space && repl_leading(r);
    if (full || r->pend_count >= REPL_PENDING_MAX || r->pend_bytes + len > REPL_PENDING_BYTES_MAX) {
        r->refused++;
        return ERR_BUSY;
    }
    struct repl_pend *p = malloc(sizeof *p + len);
    if (!p)
        return ERR_NOMEM;
    p->req = req;
    p->seq = 0;
    p->len = len;
    uint64_t now_us = clock_mono_now().us, hold_us = patience_ms ? now_us + patience_ms * 1000ull : 0;
    p->deadline_us = now_us + (timeout_ms ? timeout_ms : REPL_DEFAULT_TIMEOUT_MS) * 1000ull;
    if (len)
        memcpy(p->data, data, len);
    req->data = p;
    req->len = len;
    req->deadline_us = p->deadline_us;
    list_push_back(&r->pends, &p->link);
    if (r->cursor == &r->pends || hold_us < r->hold_us)
        r->hold_us = hold_us;
    if (r->cursor == &r->pends)
        r->cursor = &p->link;
    r->pend_count++;
    r->pend_bytes += len;
    r->proposed++;
    return 0;
}

/* Takes a command off the list and answers its request, if somebody still waits for it. */
static void repl_pend_done(struct repl *r, struct repl_pend *p, int status, const void *answer)
{
    struct repl_req *req = p->req;
    if (r->cursor == &p->link)
        r->cursor = p->link.next;
    list_del(&p->link);
    r->pend_count--;
    r->pend_bytes -= p->len;
    free(p);
    if (req)
        req->cb(req, status, answer);
}

void repl_propose_rewind(struct repl *r)
{
    r->cursor = r->pends.next;
    r->hold_us = 0;
}

void repl_propose_expire(struct repl *r)
{
    list_foreach_safe(it, &r->pends) {
        struct repl_pend *p = list_entry(it, struct repl_pend, link);
        if (!p->req || r->now_us < p->deadline_us)
            continue;
        /* all that are over, in one go: a callback may only append to the list */
        if (!p->seq) {
            repl_pend_done(r, p, ERR_NOQUORUM, NULL);
            continue;
        }
        struct repl_req *req = p->req;
        p->req = NULL;
        req->cb(req, ERR_TIMEOUT, NULL);
    }
}

void repl_propose_fail_all(struct repl *r, int status)
{
    while (!list_empty(&r->pends))
        repl_pend_done(r, list_entry(r->pends.next, struct repl_pend, link), status, NULL);
}

/* ---- the leader's queue ---- */

static struct repl_origin *repl_origin_get(struct repl *r, uint64_t id, uint64_t incarnation)
{
    struct repl_origin *free_slot = NULL;
    uint64_t term = raft_current_term(&r->raft);
    for (unsigned i = 0; i < REPL_MEMBERS_MAX; i++) {
        struct repl_origin *o = &r->origins[i];
        if (o->id == id) {
            if (o->term != term || o->incarnation != incarnation)
                *o = (struct repl_origin){.id = id, .incarnation = incarnation, .term = term};
            return o;
        }
        /* who is no member any more sends nothing that would be taken */
        if (!free_slot && (!o->id || o->term != term || !repl_member_find(r, o->id)))
            free_slot = o;
    }
    if (free_slot)
        *free_slot = (struct repl_origin){.id = id, .incarnation = incarnation, .term = term};
    return free_slot;
}

static struct repl_batch *repl_open_batch(struct repl *r, size_t len)
{
    if (!list_empty(&r->batches)) {
        struct repl_batch *b = list_entry(r->batches.prev, struct repl_batch, link);
        if (repl_batch_fits(b, len))
            return b;
    }
    struct repl_batch *b = repl_batch_new();
    if (b)
        list_push_back(&r->batches, &b->link);
    return b;
}

/* 0 when queued or already queued; ERR_BUSY when it must come again, and all after it: the first of a term as well, for whatever
 * followed it into the log would be skipped as out of order, and asked for again in vain. */
static int repl_queue(struct repl *r, struct repl_origin *o, const struct repl_item *item)
{
    if (!o->next)
        o->next = item->seq;
    if (item->seq != o->next)
        return item->seq < o->next ? 0 : ERR_BUSY;
    size_t bytes = repl_batch_item_bytes(item->len);
    if (r->batch_bytes + bytes > REPL_QUEUE_BYTES_MAX)
        return ERR_BUSY;
    struct repl_batch *b = repl_open_batch(r, item->len);
    if (!b || repl_batch_add(b, item))
        return ERR_BUSY;
    r->batch_bytes += bytes;
    o->next = item->seq + 1;
    o->queued = true;
    return 0;
}

static void repl_apply_done_cb(struct raft_apply *req, int status, void *result)
{
    (void)status;
    (void)result;
    free(req);
}

static bool repl_batch_submit(struct repl *r, struct repl_batch *b)
{
    struct raft_apply *req = calloc(1, sizeof *req);
    if (!req)
        return false;
    size_t bytes = b->len - REPL_BATCH_HEADER;
    repl_batch_seal(b, raft_current_term(&r->raft));
    struct raft_buffer buf = {.base = b->data, .len = b->len};
    int rc = raft_apply(&r->raft, req, &buf, 1, repl_apply_done_cb);
    if (rc == RAFT_NOSPACE && !r->no_space)
        log_error("raft", "the disks of a majority are nearly full: commands are refused until there is room");
    r->no_space = rc == RAFT_NOSPACE;
    if (rc == RAFT_NOTLEADER || rc == RAFT_NOSPACE) {
        /* nothing was taken: stays queued; if leadership is gone the next turn drops it */
        free(req);
        return false;
    }
    list_del(&b->link);
    b->data = NULL;
    repl_batch_free(b);
    r->batch_bytes -= bytes;
    if (rc) {
        free(req);
        repl_fatal(r, ERR_IO, "cannot append to the log: %s", raft_strerror(rc));
        return false;
    }
    for (unsigned i = 0; i < REPL_MEMBERS_MAX; i++) {
        struct repl_origin *o = &r->origins[i];
        if (o->queued)
            o->awaits = req->index;
        /* with more batches behind this one its newest command may be in a later one */
        o->queued = o->queued && !list_empty(&r->batches);
    }
    r->inflight_index[r->inflight++] = req->index;
    return true;
}

static void repl_batch_flush(struct repl *r)
{
    while (r->inflight < REPL_INFLIGHT_MAX && !list_empty(&r->batches) && !raft_transferee(&r->raft) && !r->dead) {
        struct repl_batch *b = list_entry(r->batches.next, struct repl_batch, link);
        if (r->inflight && b->len < REPL_SECOND_BATCH_BYTES)
            break;
        if (!repl_batch_submit(r, b))
            break;
    }
    if (r->batch_bytes > REPL_QUEUE_BYTES_MAX / 2)
        return;
    for (unsigned i = 0; i < REPL_MEMBERS_MAX; i++) {
        struct repl_origin *o = &r->origins[i];
        if (o->wants_resume) {
            o->wants_resume = false;
            if (mesh_send(r->mesh, o->id, MESH_RESUME, 0, NULL, 0) == ERR_BUSY)
                o->wants_resume = true;
        }
    }
}

void repl_propose_lost(struct repl *r)
{
    while (!list_empty(&r->batches)) {
        struct repl_batch *b = list_entry(r->batches.next, struct repl_batch, link);
        list_del(&b->link);
        repl_batch_free(b);
    }
    r->batch_bytes = 0;
    r->no_space = false;
    r->inflight = 0;
    memset(r->origins, 0, sizeof r->origins);
}

/* ---- sending ---- */

static void repl_send_own(struct repl *r)
{
    struct repl_origin *o = repl_origin_get(r, r->ident.id, r->ident.incarnation);
    while (o && r->cursor != &r->pends) {
        struct repl_pend *p = list_entry(r->cursor, struct repl_pend, link);
        bool fresh = !p->seq;
        if (fresh)
            p->seq = r->next_seq;
        struct repl_item item = {r->ident.id, r->ident.incarnation, p->seq, p->data, p->len};
        if (repl_queue(r, o, &item)) {
            if (fresh)
                p->seq = 0; /* not given away: a time-out may still take it back */
            return;
        }
        if (fresh)
            r->next_seq++;
        r->cursor = r->cursor->next;
        r->last_send_us = r->now_us;
    }
}

static bool repl_send_frame(struct repl *r, uint64_t leader)
{
    size_t bytes = REPL_FORWARD_HEADER;
    unsigned n = 0;
    int err;
    for (struct list_node *it = r->cursor; it != &r->pends && n < REPL_BATCH_ITEMS_MAX; it = it->next) {
        size_t more = 4 + list_entry(it, struct repl_pend, link)->len;
        if (n && bytes + more > REPL_FORWARD_BYTES)
            break;
        bytes += more;
        n++;
    }
    uint8_t *p = mesh_begin(r->mesh, leader, MESH_FORWARD, 0, bytes, &err);
    if (!p)
        return false;
    struct repl_pend *first = list_entry(r->cursor, struct repl_pend, link);
    p = wire_put64(p, raft_current_term(&r->raft));
    p = wire_put64(p, r->ident.incarnation);
    p = wire_put64(p, first->seq ? first->seq : r->next_seq);
    p = wire_put32(p, n);
    for (unsigned i = 0; i < n; i++) {
        struct repl_pend *e = list_entry(r->cursor, struct repl_pend, link);
        if (!e->seq)
            e->seq = r->next_seq++;
        p = wire_put32(p, (uint32_t)e->len);
        if (e->len)
            memcpy(p, e->data, e->len);
        p += e->len;
        r->cursor = r->cursor->next;
    }
    mesh_end(r->mesh);
    r->forwarded += n;
    r->last_send_us = r->now_us;
    return true;
}

static void repl_hold_cb(uv_timer_t *t)
{
    (void)t; /* being woken is enough: repl_pump sends */
}

/* Whether own commands wait here for company. What else the leader has to write is company. */
static bool repl_propose_held(struct repl *r)
{
    bool held = r->cursor != &r->pends && r->now_us < r->hold_us && list_empty(&r->batches);
    bool armed = uv_is_active((uv_handle_t *)&r->hold);
    uint64_t ms = held ? (r->hold_us - r->now_us) / 1000u + 1u : 0;
    if (held && (!armed || uv_timer_get_due_in(&r->hold) > ms))
        uv_timer_start(&r->hold, repl_hold_cb, ms, 0);
    else if (!held && armed)
        uv_timer_stop(&r->hold);
    return held;
}

void repl_propose_pump(struct repl *r)
{
    uint64_t leader = repl_leader(r);
    if (!list_empty(&r->pends) && r->cursor == &r->pends && r->now_us - r->last_send_us > REPL_RESEND_MS * 1000u) {
        /* all sent and yet the oldest is not applied: the leader knows repetitions, so asking again costs little */
        repl_propose_rewind(r);
        r->last_send_us = r->now_us;
    }
    bool held = repl_propose_held(r);
    if (repl_leading(r)) {
        if (!held)
            repl_send_own(r);
        repl_batch_flush(r);
    } else if (leader && leader != r->ident.id && !held) {
        while (r->cursor != &r->pends)
            if (!repl_send_frame(r, leader))
                break;
    }
}

int repl_propose_frame(struct repl *r, uint64_t peer, const uint8_t *data, size_t len)
{
    struct wire_reader rd;
    wire_reader_init(&rd, data, len);
    uint64_t term = wire_get64(&rd), incarnation = wire_get64(&rd), seq = wire_get64(&rd);
    uint32_t n = wire_get32(&rd);
    if (rd.bad || !incarnation || !seq || !n || n > REPL_BATCH_ITEMS_MAX || seq > UINT64_MAX - n)
        return ERR_CORRUPT;
    bool take = repl_leading(r) && term == raft_current_term(&r->raft) && repl_member_find(r, peer);
    struct repl_origin *o = take ? repl_origin_get(r, peer, incarnation) : NULL;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bytes = wire_get32(&rd);
        const uint8_t *p = bytes <= REPL_COMMAND_MAX ? wire_take(&rd, bytes) : NULL;
        if (!p)
            return ERR_CORRUPT;
        struct repl_item item = {peer, incarnation, seq + i, p, bytes};
        if (o && repl_queue(r, o, &item)) {
            o->wants_resume = true;
            o = NULL;
        }
    }
    return wire_left(&rd) ? ERR_CORRUPT : 0;
}

/* ---- applying ---- */

static struct repl_applied *repl_applied_get(struct repl *r, uint64_t id)
{
    for (unsigned i = 0; i < r->n_applied; i++)
        if (r->applied[i].id == id)
            return &r->applied[i];
    return NULL;
}

/* A command of ours that this process never sent: another process has lived under our identity since this folder was
 * written, so the folder is a copy from before, and may have forgotten votes and entries that were acknowledged. */
bool repl_propose_alien(struct repl *r, uint64_t origin, uint64_t incarnation, uint64_t seq)
{
    if (origin != r->ident.id || incarnation < r->ident.incarnation ||
        (incarnation == r->ident.incarnation && seq < r->next_seq))
        return false;
    repl_fatal(r, ERR_CORRUPT,
               "the log holds commands of a later process of this node: its folder was put back from a copy. Remove "
               "this node from the cluster, empty its folder and add it again");
    return true;
}

static bool repl_applied_needed(struct repl *r, uint64_t id)
{
    return id == r->ident.id || repl_member_listed(r, id);
}

/* The place of one that is no member, the oldest id: ids grow and are never used again. A member's would be asked for when an image
 * is installed there. */
static struct repl_applied *repl_applied_oldest(struct repl *r)
{
    struct repl_applied *goes = &r->applied[0];
    bool goes_needed = repl_applied_needed(r, goes->id);
    for (unsigned i = 1; i < r->n_applied; i++) {
        struct repl_applied *a = &r->applied[i];
        bool needed = repl_applied_needed(r, a->id);
        if (needed != goes_needed ? goes_needed : a->id < goes->id) {
            goes = a;
            goes_needed = needed;
        }
    }
    return goes;
}

/* Same rule as the state machine's, for our own book: which sequence of which origin is in the state. */
static void repl_applied_note(struct repl *r, const struct repl_item *it)
{
    struct repl_applied *a = repl_applied_get(r, it->origin);
    if (!a) {
        a = r->n_applied < REPL_APPLIED_MAX ? &r->applied[r->n_applied++] : repl_applied_oldest(r);
        *a = (struct repl_applied){.id = it->origin, .incarnation = it->incarnation};
    }
    if (it->incarnation > a->incarnation)
        *a = (struct repl_applied){.id = it->origin, .incarnation = it->incarnation};
    if (it->incarnation == a->incarnation && it->seq == a->seq + 1)
        a->seq = it->seq;
}

static void repl_apply_item(struct repl *r, const struct repl_item *it, const struct repl_outcome *out)
{
    if (it->origin != r->ident.id || it->incarnation != r->ident.incarnation || out->skipped || list_empty(&r->pends))
        return;
    struct repl_pend *p = list_entry(r->pends.next, struct repl_pend, link);
    if (p->seq == it->seq)
        repl_pend_done(r, p, 0, out->answer);
}

int repl_propose_apply(struct repl *r, uint64_t index, const void *data, size_t len)
{
    uint64_t term;
    unsigned n;
    if (repl_batch_decode(data, len, &term, r->items, &n)) {
        repl_fatal(r, ERR_CORRUPT,
                   "log entry %llu fails its check: remove this node from the cluster, empty its folder "
                   "and add it again",
                   (unsigned long long)index);
        return ERR_CORRUPT;
    }
    unsigned done = 0;
    while (done < r->inflight && r->inflight_index[done] <= index)
        done++;
    if (done) {
        r->inflight -= done;
        memmove(r->inflight_index, r->inflight_index + done, r->inflight * sizeof r->inflight_index[0]);
    }
    for (unsigned i = 0; i < n; i++) {
        if (repl_propose_alien(r, r->items[i].origin, r->items[i].incarnation, r->items[i].seq))
            return ERR_CORRUPT;
        repl_applied_note(r, &r->items[i]);
    }
    if (index <= r->state_index) {
        /* the state has it from before the restart, or from an image that was ahead of its place in the log */
        repl_propose_installed(r);
        return 0;
    }
    memset(r->outcomes, 0, n * sizeof r->outcomes[0]);
    int rc = r->h.apply(r->h.ctx, index, term, r->items, n, r->outcomes);
    if (rc) {
        repl_fatal(r, rc, "the state could not be changed by log entry %llu: %s", (unsigned long long)index,
                   err_text(rc));
        return rc;
    }
    r->state_index = index;
    repl_io_tell_concerned(r);
    for (unsigned i = 0; i < n; i++)
        repl_apply_item(r, &r->items[i], &r->outcomes[i]);
    if (r->h.apply_done)
        r->h.apply_done(r->h.ctx, index);
    return 0;
}

void repl_propose_installed(struct repl *r)
{
    struct repl_applied *a = repl_applied_get(r, r->ident.id);
    if (!a || a->incarnation != r->ident.incarnation)
        return;
    while (!list_empty(&r->pends)) {
        struct repl_pend *p = list_entry(r->pends.next, struct repl_pend, link);
        if (!p->seq || p->seq > a->seq)
            return;
        repl_pend_done(r, p, ERR_TIMEOUT, NULL);
    }
}
