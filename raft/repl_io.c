/* libraft's disk and network interface, wrapped: disk calls go on to raft_uv, with our record kept beside them and every
 * failure fatal; messages go over the mesh. */
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/log.h"
#include "raft/raft_msg.h"
#include "raft/repl_int.h"
#include "raft/wire.h"

#define REPL_IO_FRAME_BYTES (1536u * 1024u) /* an AppendEntries is cut into pieces of about this size */
#define REPL_IO_SEGMENT_BYTES (8u << 20)    /* libraft counts capacity in 16-bit KiB: others give RAFT_NOSPACE */
#define REPL_IO_DISK_RETRY_MS 500u
#define REPL_IO_DISK_STUCK_TICKS 200u /* of 50 ms */
#define REPL_IO_SPACE_TICKS 40u
#define REPL_IO_SPACE_AGAIN_TICKS 600u
#define REPL_IO_SPACE_BYTES (3u * REPL_IO_SEGMENT_BYTES) /* less than libraft prepares ahead */
#define REPL_IO_APPEND_VERSION 0
#define REPL_IO_TELL_MS 10u
#define REPL_IO_HEARD_BEATS 3u /* of six that an election time-out has by default */

static struct repl *repl_of(struct raft_io *io)
{
    return list_entry(io, struct repl, io);
}

/* ---- messages out ---- */

static void repl_io_send_append(struct repl *r, const struct raft_message *m)
{
    const struct raft_append_entries *a = &m->append_entries;
    struct repl_member *member = repl_member_find(r, m->server_id);
    unsigned from = 0;
    do {
        unsigned to = from;
        size_t bytes = 0;
        /* A configuration is always the first of its piece: behind others libraft takes it for the entry at their head, never
         * sees it committed, and as leader refuses every later change. */
        while (to < a->n_entries && to - from < RAFT_MSG_ENTRIES_MAX &&
               (to == from ||
                (bytes + a->entries[to].buf.len <= REPL_IO_FRAME_BYTES && a->entries[to].type != RAFT_CHANGE)))
            bytes += a->entries[to++].buf.len;
        int err;
        uint8_t *p = mesh_begin(r->mesh, m->server_id, MESH_RAFT, 0, raft_msg_size(m, from, to), &err);
        if (!p)
            return; /* libraft repeats what is not acknowledged */
        raft_msg_encode(p, m, from, to);
        mesh_end(r->mesh);
        from = to;
        uint64_t last = a->prev_log_index + to;
        /* A follower commits no further than its disk has got, and looks again only when it is written to: a heartbeat that
         * overtakes its write tells nothing about entries it has not acknowledged. */
        raft_index match = 0;
        if (!a->n_entries && (raft_match_index(&r->raft, m->server_id, &match) || match < last))
            last = match;
        uint64_t told = a->leader_commit < last ? a->leader_commit : last;
        if (member && member->told_commit < told) {
            member->told_commit = told;
            member->tell_us = 0;
        }
    } while (from < a->n_entries);
}

static int repl_io_send(struct raft_io *io, struct raft_io_send *req, const struct raft_message *m, raft_io_send_cb cb)
{
    struct repl *r = repl_of(io);
    int err = 0;
    req->cb = cb;
    if (r->in_recv_commit && m->type == RAFT_APPEND_ENTRIES_RESULT) {
        cb(req, 0);
        return 0;
    }
    struct raft_message stale;
    if (m->type == RAFT_APPEND_ENTRIES_RESULT && m->append_entries_result.rejected &&
        repl_snapshot_fetching_from(r, m->server_id)) {
        /* a plain rejection would make the leader send its snapshot again with every heartbeat */
        stale = *m;
        stale.append_entries_result.rejected = UINT64_MAX;
        m = &stale;
    }
    if (m->type == RAFT_APPEND_ENTRIES)
        repl_io_send_append(r, m);
    else {
        uint8_t *p = mesh_begin(r->mesh, m->server_id, MESH_RAFT, 0, raft_msg_size(m, 0, 0), &err);
        if (p) {
            raft_msg_encode(p, m, 0, 0);
            mesh_end(r->mesh);
        }
    }
    /* An error returned here would make libraft skip the rest of its step, so a lost message is only reported. */
    cb(req, err ? RAFT_NOCONNECTION : 0);
    return 0;
}

static void repl_io_tell_cb(uv_timer_t *t)
{
    (void)t; /* being woken is enough: repl_pump tells */
}

static bool repl_io_awaits(const struct repl *r, const struct repl_member *m)
{
    for (unsigned i = 0; i < REPL_MEMBERS_MAX; i++)
        if (r->origins[i].id == m->id)
            return r->origins[i].queued || r->origins[i].awaits > m->told_commit;
    return false;
}

/* Whether a member that does not wait for this commit has to be told now. While commits come one after the other it mostly learns
 * of it with the next entry, which saves a message and a wake-up; should none come it is told a little later. */
static bool repl_io_tell_due(struct repl *r, struct repl_member *m)
{
    if (r->commit_gap_us > REPL_IO_TELL_MS * 1000u)
        return true;
    if (!m->tell_us)
        m->tell_us = r->now_us + REPL_IO_TELL_MS * 1000u;
    if (r->now_us >= m->tell_us)
        return true;
    if (!uv_is_active((uv_handle_t *)&r->tell))
        uv_timer_start(&r->tell, repl_io_tell_cb, REPL_IO_TELL_MS + 1, 0);
    return false;
}

void repl_tell(struct repl *r, uint64_t id)
{
    for (unsigned i = 0; i < r->n_members && repl_leading(r); i++)
        if (!id || r->members[i].id == id)
            r->members[i].concerned = raft_commit_index(&r->raft);
}

/* After a commit tells followers: otherwise they learn of it with the next entry or heartbeat, and a command proposed there
 * waits for that. Only those that have the entry are told, the others get it with their entries. */
void repl_io_tell_commit(struct repl *r)
{
    uint64_t commit = raft_commit_index(&r->raft);
    uint8_t buf[16];
    if (!r->leader_ready)
        return;
    if (commit != r->seen_commit) {
        r->commit_gap_us = r->now_us - r->seen_commit_us;
        r->seen_commit_us = r->now_us;
        r->seen_commit = commit;
    }
    wire_put64(wire_put64(buf, raft_current_term(&r->raft)), commit);
    for (unsigned i = 0; i < r->n_members; i++) {
        struct repl_member *m = &r->members[i];
        raft_index match;
        if (m->id == r->ident.id || m->role == RAFT_SPARE || m->told_commit >= commit)
            continue;
        if (raft_match_index(&r->raft, m->id, &match) || match < commit)
            continue;
        if (!repl_io_awaits(r, m) && m->concerned <= m->told_commit && !repl_io_tell_due(r, m))
            continue;
        m->tell_us = 0;
        if (!mesh_send(r->mesh, m->id, MESH_COMMIT, 0, buf, sizeof buf))
            m->told_commit = commit;
    }
}

/* What this node does about an entry may take a while, and the pump tells when that is over: who has something to do about it as well
 * begins meanwhile. */
void repl_io_tell_concerned(struct repl *r)
{
    bool any = false;
    for (unsigned i = 0; i < r->n_members; i++)
        any |= r->members[i].concerned > r->members[i].told_commit && r->members[i].id != r->ident.id;
    if (!any || !repl_leading(r))
        return;
    repl_io_tell_commit(r);
    mesh_flush(r->mesh);
}

/* ---- messages in ---- */

void repl_io_deliver(struct repl *r, struct raft_message *m, uint64_t peer)
{
    char field[RAFT_MSG_ADDRESS_MAX + 1];
    struct mesh_peer_state state;
    if (!r->recv || r->dead || r->raft_closing || !mesh_peer_state(r->mesh, peer, &state)) {
        raft_msg_release(m);
        return;
    }
    struct repl_member *member = repl_member_find(r, peer);
    if (member && m->type == RAFT_APPEND_ENTRIES_RESULT && !m->append_entries_result.rejected) {
        member->heard = m->append_entries_result;
        member->heard_us = r->now_us;
    }
    uint64_t led = m->type == RAFT_APPEND_ENTRIES     ? m->append_entries.term
                   : m->type == RAFT_INSTALL_SNAPSHOT ? m->install_snapshot.term
                                                      : 0;
    if (led >= raft_current_term(&r->raft))
        r->elect.led_term = led;
    m->server_id = peer;
    m->server_address = member ? repl_member_field(member->name, member->address, field, sizeof field)
                               : repl_member_field(state.name, state.address, field, sizeof field);
    r->recv(&r->io, m);
}

int repl_io_frame(struct repl *r, uint64_t peer, const uint8_t *data, size_t len)
{
    struct raft_message m;
    int rc = raft_msg_decode(data, len, &m);
    if (rc == ERR_NOMEM)
        return 0; /* as if lost */
    if (rc)
        return rc;
    if (m.type == RAFT_INSTALL_SNAPSHOT)
        repl_snapshot_received(r, peer, &m);
    else
        repl_io_deliver(r, &m, peer);
    return 0;
}

int repl_io_commit_frame(struct repl *r, uint64_t peer, const uint8_t *data, size_t len)
{
    if (len != 16)
        return ERR_CORRUPT;
    uint64_t term = wire_load(data, 8), commit = wire_load(data + 8, 8);
    if (!r->raft_up || r->dead || term != raft_current_term(&r->raft) || repl_leader(r) != peer ||
        commit <= raft_commit_index(&r->raft) || raft_state(&r->raft) != RAFT_FOLLOWER)
        return 0;
    struct raft_message m = {.type = RAFT_APPEND_ENTRIES};
    m.append_entries.version = REPL_IO_APPEND_VERSION;
    m.append_entries.term = term;
    m.append_entries.prev_log_index = commit;
    m.append_entries.prev_log_term = term;
    m.append_entries.leader_commit = commit;
    r->in_recv_commit = true;
    repl_io_deliver(r, &m, peer);
    r->in_recv_commit = false;
    return 0;
}

/* ---- disk ---- */

static int repl_io_load(struct raft_io *io, raft_term *term, raft_id *voted_for, struct raft_snapshot **snapshot,
                        raft_index *start_index, struct raft_entry *entries[], size_t *n_entries)
{
    struct repl *r = repl_of(io);
    int rc = r->io_uv.load(io, term, voted_for, snapshot, start_index, entries, n_entries);
    if (!rc)
        r->append_next = *start_index + *n_entries;
    return rc;
}

/* libraft asks at each tick whether a follower was heard since the last tick at which a majority was, not within an election
 * time-out. One that happened to have nothing to answer in between is taken for unreachable and probed, and then the next
 * entry waits for a heartbeat. So an acceptance that came within the last heartbeats is shown to it again before it asks. */
static void repl_io_show_heard(struct repl *r)
{
    struct raft_append_entries_result heard;
    uint64_t term = raft_current_term(&r->raft), now_us = clock_mono_now().us;
    for (unsigned i = 0; i < r->n_members && repl_leading(r); i++) {
        struct repl_member *m = &r->members[i];
        raft_index match;
        if (m->id == r->ident.id || !m->heard_us || m->heard.term != term ||
            now_us - m->heard_us > (uint64_t)REPL_IO_HEARD_BEATS * r->heartbeat_ms * 1000u ||
            raft_match_index(&r->raft, m->id, &match))
            continue;
        heard = m->heard;
        heard.last_log_index = match; /* nothing but that it was heard */
        struct raft_message again = {.type = RAFT_APPEND_ENTRIES_RESULT, .append_entries_result = heard};
        uint64_t since_us = m->heard_us;
        uint64_t id = m->id;
        repl_io_deliver(r, &again, id);
        m = repl_member_find(r, id);
        if (m)
            m->heard_us = since_us;
    }
}

static void repl_io_tick(struct raft_io *io)
{
    struct repl *r = repl_of(io);
    repl_io_show_heard(r);
    r->tick(io);
}

static int repl_io_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick, raft_io_recv_cb recv)
{
    struct repl *r = repl_of(io);
    r->recv = recv;
    r->tick = tick;
    return r->io_uv.start(io, msecs, repl_io_tick, recv);
}

static int repl_io_set_term(struct raft_io *io, raft_term term)
{
    struct repl *r = repl_of(io);
    uint64_t since_us = clock_mono_now().us;
    int rc = r->io_uv.set_term(io, term);
    if (!rc && disk_guard_term(r->guard, term, 0))
        rc = RAFT_IOERR;
    r->elect.term_us = clock_mono_now().us - since_us;
    if (rc)
        repl_fatal(r, ERR_IO, "cannot write the term to disk: %s", io->errmsg);
    return rc;
}

static int repl_io_set_vote(struct raft_io *io, raft_id id)
{
    struct repl *r = repl_of(io);
    uint64_t since_us = clock_mono_now().us;
    int rc = r->io_uv.set_vote(io, id);
    if (!rc && disk_guard_term(r->guard, raft_current_term(&r->raft), id))
        rc = RAFT_IOERR;
    r->elect.vote_us = clock_mono_now().us - since_us;
    if (rc)
        repl_fatal(r, ERR_IO, "cannot write the vote to disk: %s", io->errmsg);
    return rc;
}

struct repl_io_append {
    struct raft_io_append req;
    struct raft_io_append *outer;
    raft_io_append_cb cb;
    struct repl *repl;
    uint64_t last;
    unsigned epoch;
};

static void repl_io_append_cb(struct raft_io_append *req, int status)
{
    struct repl_io_append *a = req->data;
    struct repl *r = a->repl;
    r->append_waits--;
    r->append_ticks = 0;
    if (!status) {
        /* entries that were taken back meanwhile must not raise the record again */
        if (a->epoch == r->append_epoch)
            disk_guard_last(r->guard, a->last);
    } else if (status != RAFT_CANCELED)
        repl_fatal(r, status == RAFT_NOSPACE ? ERR_NOSPACE : ERR_IO, "cannot write the log: %s", raft_strerror(status));
    a->cb(a->outer, status);
    free(a);
}

static int repl_io_append(struct raft_io *io, struct raft_io_append *req, const struct raft_entry entries[], unsigned n,
                          raft_io_append_cb cb)
{
    struct repl *r = repl_of(io);
    struct repl_io_append *a = malloc(sizeof *a);
    int rc = RAFT_NOMEM;
    if (a) {
        *a = (struct repl_io_append){
            .outer = req, .cb = cb, .repl = r, .last = r->append_next + n - 1, .epoch = r->append_epoch};
        a->req.data = a;
        rc = r->io_uv.append(io, &a->req, entries, n, repl_io_append_cb);
    }
    if (rc) {
        free(a);
        repl_fatal(r, ERR_IO, "cannot write the log: %s", rc == RAFT_NOMEM ? "out of memory" : io->errmsg);
        return rc;
    }
    r->append_next += n;
    if (!r->append_waits++)
        r->append_ticks = 0;
    return 0;
}

/* A leader whose disk runs out hands over while it still can. */
static void repl_io_watch_space(struct repl *r, bool full)
{
    if (r->space_ticks && --r->space_ticks)
        return;
    r->space_ticks = REPL_IO_SPACE_TICKS;
    if (!full || !repl_leading(r) || !r->leader_ready)
        return;
    log_warn("raft", "the disk that holds %s is nearly full: handing leadership over", r->log_dir);
    (void)repl_member_start_transfer(r, 0);
    r->space_ticks = REPL_IO_SPACE_AGAIN_TICKS;
}

void repl_io_watch_disk(struct repl *r)
{
    struct statvfs fs;
    if (!r->raft_up || r->raft_closing || r->dead)
        return;
    bool full = (r->append_waits || r->space_ticks <= 1) && !statvfs(r->log_dir, &fs) &&
                (uint64_t)fs.f_bavail * fs.f_frsize < REPL_IO_SPACE_BYTES;
    repl_io_watch_space(r, full);
    /* ticks and not time: a process that was halted has missed both */
    if (!r->append_waits || ++r->append_ticks < REPL_IO_DISK_STUCK_TICKS)
        return;
    if (full)
        repl_fatal(r, ERR_NOSPACE, "the disk that holds %s is full: make room and start this node again", r->log_dir);
    else
        repl_fatal(r, ERR_IO, "the disk that holds %s has written nothing for seconds", r->log_dir);
}

static int repl_io_truncate(struct raft_io *io, raft_index index)
{
    struct repl *r = repl_of(io);
    int rc = 0;
    r->append_epoch++;
    /* the record must never promise more than there is, so it goes down before the log does */
    if (index < r->append_next && disk_guard_truncate(r->guard, index - 1))
        rc = RAFT_IOERR;
    if (!rc)
        rc = r->io_uv.truncate(io, index);
    if (rc)
        repl_fatal(r, ERR_IO, "cannot truncate the log: %s", io->errmsg);
    else if (index < r->append_next)
        r->append_next = index;
    return rc;
}

static int repl_io_bootstrap(struct raft_io *io, const struct raft_configuration *conf)
{
    struct repl *r = repl_of(io);
    return r->io_uv.bootstrap(io, conf);
}

static void repl_io_close(struct raft_io *io, raft_io_close_cb cb)
{
    struct repl *r = repl_of(io);
    repl_snapshot_cancel(r);
    r->io_uv.close(io, cb);
}

/* ---- a transport that raft_uv never gets to use ---- */

static int repl_io_transport_init(struct raft_uv_transport *t, raft_id id, const char *address)
{
    (void)t;
    (void)id;
    (void)address;
    return 0;
}

static int repl_io_transport_listen(struct raft_uv_transport *t, raft_uv_accept_cb cb)
{
    (void)t;
    (void)cb;
    return 0;
}

static int repl_io_transport_connect(struct raft_uv_transport *t, struct raft_uv_connect *req, raft_id id,
                                     const char *address, raft_uv_connect_cb cb)
{
    (void)t;
    (void)req;
    (void)id;
    (void)address;
    (void)cb;
    return RAFT_NOCONNECTION;
}

static void repl_io_transport_close(struct raft_uv_transport *t, raft_uv_transport_close_cb cb)
{
    cb(t);
}

/* ---- state machine hooks ---- */

static int repl_io_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
    struct repl *r = list_entry(fsm, struct repl, fsm);
    *result = NULL;
    /* libraft sets last_applied after each entry, of whatever kind, so this one is the next. It is never told of a failure,
     * after which it frees received entries twice: repl_fatal has been called, and a dead node applies and snapshots nothing. */
    if (!r->dead)
        (void)repl_propose_apply(r, raft_last_applied(&r->raft) + 1, buf->base, buf->len);
    return 0;
}

int repl_io_init(struct repl *r, struct err_info *info)
{
    r->transport = (struct raft_uv_transport){
        .version = 1,
        .init = repl_io_transport_init,
        .listen = repl_io_transport_listen,
        .connect = repl_io_transport_connect,
        .close = repl_io_transport_close,
    };
    memset(&r->io, 0, sizeof r->io);
    int rc = raft_uv_init(&r->io, r->loop, r->log_dir, &r->transport);
    if (rc)
        return err_set(info, ERR_IO, "dir", "cannot open the log folder: %s", r->io.errmsg);
    raft_uv_set_auto_recovery(&r->io, false);
    raft_uv_set_segment_size(&r->io, REPL_IO_SEGMENT_BYTES);
    raft_uv_set_disk_retry(&r->io, REPL_IO_DISK_RETRY_MS);
    r->io_uv = r->io;
    r->io.load = repl_io_load;
    r->io.start = repl_io_start;
    r->io.bootstrap = repl_io_bootstrap;
    r->io.set_term = repl_io_set_term;
    r->io.set_vote = repl_io_set_vote;
    r->io.append = repl_io_append;
    r->io.truncate = repl_io_truncate;
    r->io.send = repl_io_send;
    r->io.snapshot_put = repl_snapshot_put;
    r->io.close = repl_io_close;
    r->fsm = (struct raft_fsm){
        .version = 1, .apply = repl_io_apply, .snapshot = repl_snapshot_take, .restore = repl_snapshot_restore};
    return 0;
}
