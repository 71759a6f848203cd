/* Snapshots: libraft's is a manifest of a few KB; the state itself is an image file in images/.
 *
 * Taking.  libraft asks fsm->snapshot, which starts the owner's snapshot_take and hands back room for the manifest at
 *          once. libraft then calls io->snapshot_put, which waits here until the image is complete, durable and named; the
 *          manifest is filled in and the call goes on. Only after it returns does libraft drop the log behind it.
 * Getting. An InstallSnapshot is held while the image it names is fetched in pieces, at most FETCH_WINDOW of them on
 *          the way so that heartbeats are not delayed, from the sender or any member that has it; it is checked in a
 *          worker, which also lets the owner prepare (snapshot_prepare); then the message goes to libraft, which calls
 *          fsm->restore.
 *
 * Crash: an image is complete and fsynced before a manifest names it; images of the two newest manifests stay, as
 * libraft keeps two snapshots. Files that no manifest names are removed at the next snapshot. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "raft/raft_msg.h"
#include "raft/repl_int.h"
#include "raft/wire.h"

#define FETCH_PIECE (256u * 1024u)
#define FETCH_WINDOW 2u
#define FETCH_STALL_US 3000000u
#define FETCH_TRIES_MAX 12u
#define TAKE_RETRY_US 2000000u
#define IMAGE_ASK_BYTES 52u
#define IMAGE_PIECE_HEADER 20u

struct repl_snapshot {
    struct repl *r;
    char keep[2][IMAGE_NAME_MAX]; /* images of the newest manifests, newest first */
    char checked[IMAGE_NAME_MAX]; /* was held against its hash just now */

    /* taking: TAKE_IDLE -> TAKE_IMAGE (owner works) -> TAKE_SETTLE (worker) -> TAKE_DONE -> TAKE_IDLE */
    enum { TAKE_IDLE, TAKE_IMAGE, TAKE_SETTLE, TAKE_DONE } take;
    int take_rc;
    struct image_manifest taken;
    uint8_t *manifest; /* libraft's buffer */
    char taken_path[512], taken_name[IMAGE_NAME_MAX];
    uv_work_t settle_work;
    uint64_t retry_us;

    /* the put that waits or runs */
    bool put_held, put_running;
    unsigned put_trailing;
    struct raft_io_snapshot_put put_req, *put_outer;
    const struct raft_snapshot *put_snapshot;
    raft_io_snapshot_put_cb put_cb;
    char put_name[IMAGE_NAME_MAX];

    /* getting: GET_IDLE -> GET_FETCH -> GET_CHECK (worker) -> GET_READY -> GET_IDLE */
    enum { GET_IDLE, GET_FETCH, GET_CHECK, GET_READY } get;
    struct raft_message msg;
    uint64_t from, source; /* who sent the message, who sends the image */
    struct image_manifest want;
    char want_name[IMAGE_NAME_MAX], want_path[512];
    int fd;
    uint64_t have, asked, progress_us;
    unsigned tries;
    uv_work_t check_work;
    int check_rc;
};

int repl_snapshot_open(struct repl *r, struct err_info *info)
{
    struct repl_snapshot *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(info, ERR_NOMEM, "", "out of memory");
    s->r = r;
    s->fd = -1;
    r->snap = s;
    return 0;
}

bool repl_snapshot_idle(const struct repl *r)
{
    const struct repl_snapshot *s = r->snap;
    return !s || (s->take != TAKE_IMAGE && s->take != TAKE_SETTLE && s->get != GET_CHECK);
}

static void repl_get_end(struct repl_snapshot *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    s->get = GET_IDLE;
}

static void repl_get_drop(struct repl_snapshot *s, const char *why)
{
    log_warn("raft", "snapshot of index %llu is not installed: %s", (unsigned long long)s->want.index, why);
    raft_msg_release(&s->msg);
    repl_get_end(s);
}

void repl_snapshot_close(struct repl *r)
{
    if (!r->snap)
        return;
    if (r->snap->get != GET_IDLE) {
        raft_msg_release(&r->snap->msg);
        repl_get_end(r->snap);
    }
    free(r->snap);
    r->snap = NULL;
}

static void repl_keep(struct repl_snapshot *s, const char *name)
{
    if (strcmp(s->keep[0], name) == 0)
        return;
    memcpy(s->keep[1], s->keep[0], sizeof s->keep[1]);
    snprintf(s->keep[0], sizeof s->keep[0], "%s", name);
}

/* ---- putting ---- */

static void repl_put_done_cb(struct raft_io_snapshot_put *req, int status)
{
    struct repl_snapshot *s = req->data;
    s->put_running = false;
    if (!status) {
        repl_keep(s, s->put_name);
        image_sweep(s->r->image_dir, s->keep, s->keep[1][0] ? 2 : 1);
    } else if (status != RAFT_CANCELED)
        repl_fatal(s->r, ERR_IO, "cannot write the snapshot: %s", raft_strerror(status));
    s->put_cb(s->put_outer, status);
}

static int repl_put_go(struct repl_snapshot *s)
{
    struct image_manifest m;
    s->put_held = false;
    s->put_running = true;
    s->put_req.data = s;
    s->put_name[0] = '\0';
    if (!image_manifest_decode(s->put_snapshot->bufs[0].base, s->put_snapshot->bufs[0].len, &m))
        image_name(s->put_name, &m);
    int rc = s->r->io_uv.snapshot_put(&s->r->io, s->put_trailing, &s->put_req, s->put_snapshot, repl_put_done_cb);
    if (rc) {
        s->put_running = false;
        repl_fatal(s->r, ERR_IO, "cannot write the snapshot: %s", s->r->io.errmsg);
    }
    return rc;
}

int repl_snapshot_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *req,
                      const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb)
{
    struct repl *r = list_entry(io, struct repl, io);
    struct repl_snapshot *s = r->snap;
    bool own = s->take != TAKE_IDLE && snapshot->bufs[0].base == s->manifest;
    if (s->put_held || s->put_running)
        return RAFT_BUSY;
    s->put_outer = req;
    s->put_cb = cb;
    s->put_snapshot = snapshot;
    s->put_trailing = trailing;
    if (own) {
        s->put_held = true;
        return 0;
    }
    /* an install replaces the whole log: the record must not ask for what it drops */
    r->append_next = snapshot->index + 1;
    r->append_epoch++;
    if (disk_guard_truncate(r->guard, snapshot->index)) {
        repl_fatal(r, ERR_IO, "cannot write the log's record");
        return RAFT_IOERR;
    }
    return repl_put_go(s);
}

static void repl_put_cancel(struct repl_snapshot *s)
{
    if (!s->put_held)
        return;
    s->put_held = false;
    s->put_cb(s->put_outer, RAFT_CANCELED);
}

void repl_snapshot_cancel(struct repl *r)
{
    if (r->snap)
        repl_put_cancel(r->snap);
}

/* ---- taking ---- */

static void repl_settle_cb(uv_work_t *w)
{
    struct repl_snapshot *s = w->data;
    s->take_rc = image_settle(s->taken_path, s->r->image_dir, s->taken_name);
}

static void repl_settled_cb(uv_work_t *w, int status)
{
    struct repl_snapshot *s = w->data;
    if (status)
        s->take_rc = ERR_CLOSED;
    s->take = TAKE_DONE;
    repl_free_if_closed(s->r);
}

static void repl_image_taken(void *arg, int status, const struct repl_image *image)
{
    struct repl_snapshot *s = arg;
    s->take_rc = status;
    s->take = TAKE_DONE;
    if (!status && (!image || image->index != s->taken.index)) {
        log_error("raft", "the image is not of the index that was asked for");
        s->take_rc = ERR_BADSTATE;
    }
    if (!s->take_rc) {
        s->taken.bytes = image->bytes;
        memcpy(s->taken.sha256, image->sha256, sizeof s->taken.sha256);
        memcpy(s->taken_path, image->path, sizeof s->taken_path);
        image_name(s->taken_name, &s->taken);
        s->settle_work.data = s;
        s->take = TAKE_SETTLE;
        if (uv_queue_work(s->r->loop, &s->settle_work, repl_settle_cb, repl_settled_cb)) {
            s->take_rc = ERR_NOMEM;
            s->take = TAKE_DONE;
        }
    }
    repl_free_if_closed(s->r);
}

int repl_snapshot_take(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
    struct repl *r = list_entry(fsm, struct repl, fsm);
    struct repl_snapshot *s = r->snap;
    if (!r->h.snapshot_take || s->take != TAKE_IDLE || s->get != GET_IDLE || s->put_running || r->stopping || r->dead ||
        r->now_us < s->retry_us)
        return RAFT_BUSY;
    struct raft_buffer *list = raft_malloc(sizeof *list);
    uint8_t *manifest = raft_calloc(1, IMAGE_MANIFEST_BYTES);
    if (!list || !manifest) {
        raft_free(list);
        raft_free(manifest);
        return RAFT_NOMEM;
    }
    memset(&s->taken, 0, sizeof s->taken);
    s->taken.index = r->state_index;
    for (unsigned i = 0; i < r->n_applied && i < IMAGE_ORIGINS_MAX; i++)
        s->taken.origins[s->taken.n_origins++] =
            (struct image_origin){r->applied[i].id, r->applied[i].incarnation, r->applied[i].seq};
    s->manifest = manifest;
    s->take = TAKE_IMAGE;
    int rc = r->h.snapshot_take(r->h.ctx, r->image_dir, repl_image_taken, s);
    if (rc) {
        s->take = TAKE_IDLE;
        s->retry_us = r->now_us + TAKE_RETRY_US;
        log_warn("raft", "no snapshot could be taken: %s", err_text(rc));
        raft_free(list);
        raft_free(manifest);
        return RAFT_BUSY;
    }
    list[0] = (struct raft_buffer){.base = manifest, .len = IMAGE_MANIFEST_BYTES};
    *bufs = list;
    *n_bufs = 1;
    return 0;
}

static void repl_take_step(struct repl_snapshot *s)
{
    if (s->take != TAKE_DONE)
        return;
    if (s->take_rc) {
        log_warn("raft", "no snapshot could be taken: %s", err_text(s->take_rc));
        s->take = TAKE_IDLE;
        s->retry_us = s->r->now_us + TAKE_RETRY_US;
        repl_put_cancel(s);
        return;
    }
    if (!s->put_held) {
        s->take = TAKE_IDLE; /* libraft gave it up */
        return;
    }
    image_manifest_encode(s->manifest, &s->taken);
    s->take = TAKE_IDLE;
    log_info("raft", "snapshot of index %llu, %llu bytes", (unsigned long long)s->taken.index,
             (unsigned long long)s->taken.bytes);
    (void)repl_put_go(s);
}

/* ---- restoring ---- */

int repl_snapshot_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
    struct repl *r = list_entry(fsm, struct repl, fsm);
    struct repl_snapshot *s = r->snap;
    struct image_manifest m;
    struct repl_image image;
    char name[IMAGE_NAME_MAX];
    if (image_manifest_decode(buf->base, buf->len, &m)) {
        repl_fatal(r, ERR_CORRUPT,
                   "the snapshot fails its check: remove this node from the cluster, empty its folder "
                   "and add it again");
        return RAFT_CORRUPT;
    }
    for (unsigned i = 0; i < m.n_origins; i++)
        if (repl_propose_alien(r, m.origins[i].id, m.origins[i].incarnation, m.origins[i].seq))
            return RAFT_CORRUPT;
    image_name(name, &m);
    repl_keep(s, name);
    if (m.index > r->state_index) {
        image.index = m.index;
        image.bytes = m.bytes;
        memcpy(image.sha256, m.sha256, sizeof image.sha256);
        snprintf(image.path, sizeof image.path, "%s/%s", r->image_dir, name);
        int rc = strcmp(name, s->checked) == 0 ? 0 : image_check(image.path, image.bytes, image.sha256);
        if (!rc)
            rc = r->h.snapshot_install(r->h.ctx, &image);
        if (rc) {
            repl_fatal(r, rc,
                       "the state image %s cannot be used (%s): remove this node from the cluster, empty its "
                       "folder and add it again",
                       name, err_text(rc));
            return RAFT_CORRUPT;
        }
        r->state_index = m.index;
    }
    r->n_applied = 0;
    for (unsigned i = 0; i < m.n_origins; i++)
        r->applied[r->n_applied++] = (struct repl_applied){m.origins[i].id, m.origins[i].incarnation, m.origins[i].seq};
    if (r->raft_up)
        repl_propose_installed(r);
    /* libraft leaves the data to us when it is restored from its cache after an install and at start alike */
    raft_free(buf->base);
    return 0;
}

/* ---- getting ---- */

bool repl_snapshot_fetching_from(const struct repl *r, uint64_t peer)
{
    return r->snap && r->snap->get != GET_IDLE && r->snap->from == peer;
}

static void repl_get_checked_cb(uv_work_t *w, int status)
{
    struct repl_snapshot *s = w->data;
    if (status)
        s->check_rc = ERR_CLOSED;
    s->get = GET_READY;
    repl_free_if_closed(s->r);
}

/* In the worker. What the owner says about the image itself has its place in the installation. */
static int repl_get_prepare(struct repl_snapshot *s)
{
    const struct repl_handler *h = &s->r->h;
    struct repl_image image = {.index = s->want.index, .bytes = s->want.bytes};
    if (!h->snapshot_prepare)
        return 0;
    memcpy(image.sha256, s->want.sha256, sizeof image.sha256);
    snprintf(image.path, sizeof image.path, "%s/%s", s->r->image_dir, s->want_name);
    int rc = h->snapshot_prepare(h->ctx, &image);
    return rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED ? 0 : rc;
}

static void repl_get_check_cb(uv_work_t *w)
{
    struct repl_snapshot *s = w->data;
    s->check_rc = image_check(s->want_path, s->want.bytes, s->want.sha256);
    if (s->check_rc) {
        (void)unlink(s->want_path);
        return;
    }
    s->check_rc = image_settle(s->want_path, s->r->image_dir, s->want_name);
    if (!s->check_rc)
        s->check_rc = repl_get_prepare(s);
}

static void repl_get_check(struct repl_snapshot *s)
{
    s->get = GET_CHECK;
    s->check_work.data = s;
    if (uv_queue_work(s->r->loop, &s->check_work, repl_get_check_cb, repl_get_checked_cb)) {
        s->check_rc = ERR_NOMEM;
        s->get = GET_READY;
    }
}

static void repl_get_ask(struct repl_snapshot *s)
{
    uint8_t buf[IMAGE_ASK_BYTES];
    while (s->asked < s->want.bytes && s->asked - s->have < FETCH_WINDOW * FETCH_PIECE) {
        uint8_t *p = wire_put64(buf, s->want.index);
        memcpy(p, s->want.sha256, 32);
        p = wire_put64(p + 32, s->asked);
        uint64_t left = s->want.bytes - s->asked;
        wire_put32(p, left < FETCH_PIECE ? (uint32_t)left : FETCH_PIECE);
        if (mesh_send(s->r->mesh, s->source, MESH_IMAGE, 0, buf, sizeof buf))
            return; /* the stall timer goes on */
        s->asked += left < FETCH_PIECE ? left : FETCH_PIECE;
    }
}

/* The image from somebody else: the next member that is connected. */
static void repl_get_rotate(struct repl_snapshot *s)
{
    struct repl *r = s->r;
    struct mesh_peer_state state;
    uint64_t next = 0, lowest = 0;
    if (++s->tries > FETCH_TRIES_MAX) {
        repl_get_drop(s, "no member could send its image");
        return;
    }
    for (unsigned i = 0; i < r->n_members; i++) {
        uint64_t id = r->members[i].id;
        if (id == r->ident.id || !mesh_peer_state(r->mesh, id, &state) || !state.up)
            continue;
        if (!lowest)
            lowest = id;
        if (!next && id > s->source)
            next = id;
    }
    s->source = next ? next : lowest ? lowest : s->from;
    s->asked = s->have;
    s->progress_us = r->now_us;
    repl_get_ask(s);
}

void repl_snapshot_down(struct repl *r, uint64_t peer)
{
    struct repl_snapshot *s = r->snap;
    if (s && s->get == GET_FETCH && s->source == peer)
        s->progress_us = 0; /* the pump looks for another */
}

void repl_snapshot_received(struct repl *r, uint64_t peer, struct raft_message *m)
{
    struct repl_snapshot *s = r->snap;
    struct image_manifest want;
    if (image_manifest_decode(m->install_snapshot.data.base, m->install_snapshot.data.len, &want)) {
        log_warn("raft", "a snapshot from %llu fails its check", (unsigned long long)peer);
        raft_msg_release(m);
        return;
    }
    /* libraft crashes on an install while it takes a snapshot; repetitions come with every heartbeat */
    if (r->raft.legacy.snapshot_taking || r->raft.snapshot.installing || s->get != GET_IDLE || s->take != TAKE_IDLE ||
        s->put_held || s->put_running || r->stopping || r->dead) {
        raft_msg_release(m);
        return;
    }
    s->msg = *m;
    s->from = s->source = peer;
    s->want = want;
    s->have = s->asked = 0;
    s->tries = 0;
    s->progress_us = r->now_us;
    image_name(s->want_name, &want);
    log_info("raft", "fetching the snapshot of index %llu, %llu bytes", (unsigned long long)want.index,
             (unsigned long long)want.bytes);
    if (image_present(r->image_dir, &want)) {
        snprintf(s->want_path, sizeof s->want_path, "%s/%s", r->image_dir, s->want_name);
        repl_get_check(s);
        return;
    }
    snprintf(s->want_path, sizeof s->want_path, "%s/%s.part", r->image_dir, s->want_name);
    s->fd = open(s->want_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    s->get = GET_FETCH;
    if (s->fd < 0)
        repl_get_drop(s, strerror(errno));
    else if (!want.bytes)
        repl_get_check(s);
    else
        repl_get_ask(s);
}

static int repl_image_serve(struct repl *r, uint64_t peer, const uint8_t *data, size_t len)
{
    struct wire_reader rd;
    struct image_manifest m = {0};
    char path[512], name[IMAGE_NAME_MAX];
    int err;
    wire_reader_init(&rd, data, len);
    m.index = wire_get64(&rd);
    const uint8_t *sha = wire_take(&rd, 32);
    uint64_t offset = wire_get64(&rd);
    uint32_t want = wire_get32(&rd);
    if (rd.bad || wire_left(&rd) || want > FETCH_PIECE || !want || offset > INT64_MAX - FETCH_PIECE)
        return ERR_CORRUPT;
    memcpy(m.sha256, sha, 32);
    image_name(name, &m);
    snprintf(path, sizeof path, "%s/%s", r->image_dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint32_t n = fd < 0 ? 0 : want;
    uint8_t *p = mesh_begin(r->mesh, peer, MESH_IMAGE_PIECE, 0, IMAGE_PIECE_HEADER + n, &err);
    if (p) {
        bool whole = fd >= 0 && pread(fd, p + IMAGE_PIECE_HEADER, n, (off_t)offset) == (ssize_t)n;
        if (fd >= 0 && !whole)
            memset(p + IMAGE_PIECE_HEADER, 0, n); /* the hash will tell */
        p = wire_put64(p, m.index);
        p = wire_put64(p, offset);
        wire_put32(p, n);
        mesh_end(r->mesh);
    }
    if (fd >= 0)
        close(fd);
    return 0;
}

static int repl_image_piece(struct repl *r, uint64_t peer, const uint8_t *data, size_t len)
{
    struct repl_snapshot *s = r->snap;
    struct wire_reader rd;
    wire_reader_init(&rd, data, len);
    uint64_t index = wire_get64(&rd), offset = wire_get64(&rd);
    uint32_t n = wire_get32(&rd);
    if (rd.bad || wire_left(&rd) != n || n > FETCH_PIECE)
        return ERR_CORRUPT;
    if (s->get != GET_FETCH || peer != s->source || index != s->want.index)
        return 0;
    if (!n) {
        repl_get_rotate(s); /* it does not have the image */
        return 0;
    }
    if (offset != s->have || n > s->want.bytes - s->have)
        return 0;
    if (pwrite(s->fd, rd.at, n, (off_t)offset) != (ssize_t)n) {
        repl_get_drop(s, "the disk is full or broken");
        return 0;
    }
    s->have += n;
    s->progress_us = r->now_us;
    if (s->have < s->want.bytes) {
        repl_get_ask(s);
        return 0;
    }
    close(s->fd);
    s->fd = -1;
    repl_get_check(s);
    return 0;
}

int repl_snapshot_frame(struct repl *r, uint64_t peer, uint8_t type, const uint8_t *data, size_t len)
{
    return type == MESH_IMAGE ? repl_image_serve(r, peer, data, len) : repl_image_piece(r, peer, data, len);
}

static void repl_get_deliver(struct repl_snapshot *s)
{
    struct repl *r = s->r;
    if (s->check_rc) {
        repl_get_drop(s, err_text(s->check_rc));
        return;
    }
    struct raft_message m = s->msg;
    memcpy(s->checked, s->want_name, sizeof s->checked);
    uint64_t from = s->from;
    repl_get_end(s);
    repl_io_deliver(r, &m, from);
}

void repl_snapshot_pump(struct repl *r)
{
    struct repl_snapshot *s = r->snap;
    repl_take_step(s);
    if (s->get == GET_READY)
        repl_get_deliver(s);
    else if (s->get == GET_FETCH && r->now_us - s->progress_us > FETCH_STALL_US)
        repl_get_rotate(s);
}
