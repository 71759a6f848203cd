/* Opening and closing, the turn of the loop, status. The design is told in README.md. */
#include "raft/repl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/folder.h"
#include "base/log.h"
#include "raft/raft_msg.h"
#include "raft/remains.h"
#include "raft/repl_int.h"
#include "raft/wire.h"

#define REPL_TIMER_MS 50u
#define REPL_MAX_INFLIGHT_ENTRIES 256u
/* A snapshot message is a manifest of some hundred bytes; it is offered again this often. A follower that fetches its image, or
 * is busy with one of its own, lets it pass; libraft by itself waits so long for an answer when the follower's refusals name a
 * newer snapshot than the one it was sent. */
#define REPL_INSTALL_TIMEOUT_MS 1000u

int repl_err_from_raft(int rc)
{
    switch (rc) {
    case 0:
        return 0;
    case RAFT_NOMEM:
        return ERR_NOMEM;
    case RAFT_NOTLEADER:
    case RAFT_LEADERSHIPLOST:
        return ERR_BADSTATE;
    case RAFT_CANTCHANGE:
    case RAFT_BUSY:
        return ERR_BUSY;
    case RAFT_DUPLICATEID:
    case RAFT_DUPLICATEADDRESS:
        return ERR_EXISTS;
    case RAFT_CORRUPT:
    case RAFT_MALFORMED:
        return ERR_CORRUPT;
    case RAFT_NOSPACE:
        return ERR_NOSPACE;
    case RAFT_NOCONNECTION:
        return ERR_CLOSED;
    case RAFT_NOTFOUND:
    case RAFT_BADID:
        return ERR_NOTFOUND;
    default:
        return ERR_IO;
    }
}

void repl_fatal(struct repl *r, int err, const char *fmt, ...)
{
    va_list ap;
    if (r->dead)
        return;
    r->dead = true;
    va_start(ap, fmt);
    vsnprintf(r->fatal_text, sizeof r->fatal_text, fmt, ap);
    va_end(ap);
    log_error("raft", "this node cannot go on: %s", r->fatal_text);
    r->h.fatal(r->h.ctx, err, r->fatal_text);
}

uint64_t repl_leader(const struct repl *r)
{
    raft_id id = 0;
    const char *address;
    if (!r->raft_up || r->dead || r->raft_closing)
        return 0;
    raft_leader((struct raft *)&r->raft, &id, &address);
    return id;
}

bool repl_leading(const struct repl *r)
{
    return r->raft_up && !r->dead && !r->raft_closing && raft_state((struct raft *)&r->raft) == RAFT_LEADER;
}

/* ---- the turn of the loop ---- */

static void repl_barrier_cb(struct raft_barrier *req, int status)
{
    struct repl *r = req->data;
    if (r->barrier == req)
        r->barrier = NULL;
    free(req);
    if (status || !repl_leading(r) || r->leader_ready)
        return;
    r->leader_ready = true;
    mesh_tell(r->mesh);
    r->h.state_changed(r->h.ctx, true);
}

/* An own-term entry must be committed before we may say what is committed (dissertation 3.6.2, 6.4). */
static void repl_ask_barrier(struct repl *r)
{
    struct raft_barrier *req = calloc(1, sizeof *req);
    if (!req)
        return;
    req->data = r;
    if (raft_barrier(&r->raft, req, repl_barrier_cb)) {
        free(req);
        return;
    }
    r->barrier = req;
}

static void repl_watch_state(struct repl *r)
{
    int state = (int)raft_state(&r->raft);
    uint64_t term = raft_current_term(&r->raft), leader = repl_leader(r);
    bool changed = state != r->seen_state || leader != r->seen_leader || (leader && term != r->seen_term);
    if (state == RAFT_LEADER && !r->leader_ready && !r->barrier && !changed)
        repl_ask_barrier(r);
    if (!changed)
        return;
    bool was_leader = r->seen_state == RAFT_LEADER;
    bool same_leadership = was_leader && state == RAFT_LEADER && term == r->seen_term;
    log_info("raft", "term %llu: %s, leader %llu", (unsigned long long)term,
             state == RAFT_LEADER      ? "leading"
             : state == RAFT_CANDIDATE ? "candidate"
                                       : "following",
             (unsigned long long)leader);
    r->seen_state = state;
    r->seen_leader = leader;
    r->seen_term = term;
    if (!same_leadership) {
        r->leader_ready = false;
        r->barrier = NULL; /* a late callback frees its request and is of no effect */
        repl_propose_lost(r);
        repl_read_reset(r);
        for (unsigned i = 0; i < r->n_members; i++)
            r->members[i].told_commit = r->members[i].tell_us = r->members[i].concerned = 0;
        if (state == RAFT_LEADER) {
            r->lead_since_us = r->now_us;
            repl_ask_barrier(r);
        }
    }
    mesh_ping(r->mesh); /* leases are renewed by the new leader at once */
    repl_propose_rewind(r);
    r->h.state_changed(r->h.ctx, r->leader_ready);
}

void repl_pump(struct repl *r)
{
    r->now_us = clock_mono_now().us;
    if (r->raft_up && !r->raft_closing && !r->dead) {
        repl_elect_pump(r);
        repl_watch_state(r);
        repl_member_pump(r);
        repl_propose_pump(r);
        repl_read_pump(r);
        repl_snapshot_pump(r);
        if (repl_leading(r))
            repl_io_tell_commit(r);
    }
    if (!r->mesh_closed)
        mesh_flush(r->mesh);
}

static void repl_stop_step(struct repl *r);

static void repl_prepare_cb(uv_prepare_t *h)
{
    repl_pump(h->data);
}

static void repl_check_cb(uv_check_t *h)
{
    struct repl *r = h->data;
    r->elect.polls++;
    repl_pump(r);
}

static void repl_timer_cb(uv_timer_t *h)
{
    struct repl *r = h->data;
    r->now_us = clock_mono_now().us;
    repl_propose_expire(r);
    repl_io_watch_disk(r);
    if (r->joining && !r->stopping && r->now_us >= r->join_next_us) {
        r->join_next_us = r->now_us + 200000u;
        mesh_join_ask(r->mesh, r->join_at);
    }
    if (r->stopping)
        repl_stop_step(r);
}

/* ---- frames ---- */

static int repl_frame(void *ctx, uint64_t peer, uint8_t type, uint16_t flags, const uint8_t *data, size_t len)
{
    struct repl *r = ctx;
    (void)flags;
    if (!r->raft_up || r->raft_closing)
        return 0;
    switch (type) {
    case MESH_RAFT:
        return repl_io_frame(r, peer, data, len);
    case MESH_COMMIT:
        return repl_io_commit_frame(r, peer, data, len);
    case MESH_FORWARD:
        return repl_propose_frame(r, peer, data, len);
    case MESH_RESUME:
        if (peer == repl_leader(r))
            repl_propose_rewind(r);
        return 0;
    case MESH_READ:
    case MESH_READ_ANSWER:
    case MESH_CONFIRM:
    case MESH_CONFIRMED:
        return repl_read_frame(r, peer, type, data, len);
    case MESH_MEMBER:
        return repl_member_frame(r, peer, data, len);
    case MESH_MEMBER_ANSWER:
        return repl_member_answer_frame(r, peer, data, len);
    case MESH_IMAGE:
    case MESH_IMAGE_PIECE:
        return repl_snapshot_frame(r, peer, type, data, len);
    case MESH_MESSAGE:
        if (r->message_fn)
            r->message_fn(r->h.ctx, peer, data, len);
        return 0;
    default:
        return ERR_CORRUPT;
    }
}

/* The newest incarnation of this peer that is known dead by this; 0 none. A process that leads and is restarted leads no more, even if
 * the new one was faster than our dials: libraft would wait for its election time-out all the same. */
static uint64_t repl_link_dead(struct repl *r, uint64_t peer, bool up, bool refused)
{
    struct mesh_peer_state s = {.incarnation = 0};
    struct repl_watch *w = repl_watch_get(r, peer);
    bool known = mesh_peer_state(r->mesh, peer, &s);
    if (!w)
        return 0;
    uint64_t former = w->incarnation;
    w->told = w->told && up;
    if (up && known) {
        w->incarnation = s.incarnation;
        if (former == s.incarnation)
            w->gone_term = 0; /* what refused us was not the process */
    }
    if (former && (refused || w->incarnation > former) && repl_leader(r) == peer)
        w->gone_term = r->elect.led_term;
    return refused ? former : up && w->incarnation ? w->incarnation - 1 : 0;
}

static void repl_link(void *ctx, uint64_t peer, bool up, bool refused)
{
    struct repl *r = ctx;
    uint64_t dead = repl_link_dead(r, peer, up, refused);
    if (up)
        repl_propose_rewind(r); /* what was on the old connection may be lost */
    else
        repl_snapshot_down(r, peer);
    if (!r->stopping && r->h.peer_up)
        r->h.peer_up(r->h.ctx, peer, up, refused, dead);
}

static uint64_t repl_last_index(void *ctx)
{
    struct repl *r = ctx;
    return r->raft_up && !r->raft_closing ? raft_last_index(&r->raft) : 0;
}

/* ---- opening ---- */

static int repl_make_dir(const char *path, struct err_info *info)
{
    int rc = folder_make(path);
    return rc ? err_set(info, rc, "dir", "cannot create %s: %s", path, err_text(rc)) : 0;
}

static int repl_check_config(struct repl *r, const struct repl_config *c, struct err_info *info)
{
    struct sockaddr_storage ss;
    if (!c->name || !c->name[0] || strlen(c->name) >= sizeof r->name || strpbrk(c->name, "|/ \t\n"))
        return err_set(info, ERR_INVAL, "name", "1 to %zu characters without blanks, '|' and '/'", sizeof r->name - 1);
    if (!c->listen || strlen(c->listen) >= sizeof r->listen || mesh_address_parse(c->listen, &ss))
        return err_set(info, ERR_INVAL, "listen", "an address as ip:port is needed");
    if (!c->dir || !c->dir[0] || strlen(c->dir) >= sizeof r->dir)
        return err_set(info, ERR_INVAL, "dir", "a folder with a path below %zu bytes is needed", sizeof r->dir);
    if (!c->ca_file || !c->cert_file || !c->key_file)
        return err_set(info, ERR_INVAL, "cert_file", "ca_file, cert_file and key_file are needed");
    if (c->join && (strlen(c->join) >= sizeof r->join || mesh_address_parse(c->join, &ss)))
        return err_set(info, ERR_INVAL, "join", "\"%s\" is not ip:port", c->join);
    r->election_ms = c->election_ms ? c->election_ms : 300;
    r->heartbeat_ms = c->heartbeat_ms ? c->heartbeat_ms : 50;
    r->detect_ms = c->detect_ms ? c->detect_ms : 300;
    r->plain_elections = c->plain_elections;
    if (r->detect_ms < 60 || r->detect_ms > 60000)
        return err_set(info, ERR_RANGE, "detect_ms", "60 to 60000");
    r->snapshot_threshold = c->snapshot_threshold ? c->snapshot_threshold : 8192;
    r->snapshot_trailing = c->snapshot_trailing ? c->snapshot_trailing : 2048;
    if (r->heartbeat_ms < 10 || r->election_ms < 2 * r->heartbeat_ms)
        return err_set(info, ERR_RANGE, "election_ms", "must be at least twice heartbeat_ms, which is at least 10");
    snprintf(r->name, sizeof r->name, "%s", c->name);
    snprintf(r->listen, sizeof r->listen, "%s", c->listen);
    snprintf(r->dir, sizeof r->dir, "%s", c->dir);
    snprintf(r->join, sizeof r->join, "%s", c->join ? c->join : "");
    snprintf(r->log_dir, sizeof r->log_dir, "%s/log", r->dir);
    snprintf(r->image_dir, sizeof r->image_dir, "%s/images", r->dir);
    return 0;
}

static int repl_open_dirs(struct repl *r, bool quick_death, struct err_info *info)
{
    char path[420];
    pid_t pid;
    int rc = repl_make_dir(r->dir, info);
    if (!rc)
        rc = repl_make_dir(r->log_dir, info);
    if (!rc)
        rc = repl_make_dir(r->image_dir, info);
    if (rc)
        return rc;
    snprintf(path, sizeof path, "%s/lock", r->dir);
    r->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (r->lock_fd < 0)
        return err_set(info, err_from_errno(errno), "dir", "cannot open %s: %s", path, strerror(errno));
    if (flock(r->lock_fd, LOCK_EX | LOCK_NB))
        return err_set(info, ERR_BUSY, "dir", "another process uses %s", r->dir);
    return quick_death ? remains_share(r->dir, &pid, info) : 0;
}

/* Finds out who we are. Leaves r->ident.id 0 when we have to join. */
static int repl_open_identity(struct repl *r, const struct repl_config *c, struct err_info *info)
{
    int rc = identity_load(r->dir, &r->ident);
    if (!rc && strcmp(r->ident.name, r->name) != 0)
        return err_set(info, ERR_CONFLICT, "name", "the folder belongs to node \"%s\", not \"%s\"", r->ident.name,
                       r->name);
    if (!rc) {
        r->ident.incarnation++;
        rc = identity_store(r->dir, &r->ident);
        return rc ? err_set(info, rc, "dir", "cannot write the identity file: %s", err_text(rc)) : 0;
    }
    if (rc != ERR_NOTFOUND)
        return err_set(info, rc, "dir",
                       "the identity file of %s cannot be used (%s): remove this node from the "
                       "cluster, empty its folder and add it again",
                       r->dir, err_text(rc));
    if (!disk_guard_folder_empty(r->log_dir))
        return err_set(info, ERR_CORRUPT, "dir",
                       "%s holds a log but the identity file is missing: remove this node "
                       "from the cluster, empty its folder and add it again",
                       r->log_dir);
    memset(&r->ident, 0, sizeof r->ident);
    snprintf(r->ident.name, sizeof r->ident.name, "%s", r->name);
    r->ident.incarnation = 1;
    if (c->bootstrap) {
        r->ident.id = 1;
        r->ident.state = IDENTITY_BOOTSTRAPPING;
        if (!identity_random(&r->ident.cluster, sizeof r->ident.cluster))
            return err_set(info, ERR_IO, "", "the kernel gives no random numbers");
        r->ident.cluster |= 1;
        rc = disk_guard_prepare(r->dir);
        if (!rc)
            rc = identity_store(r->dir, &r->ident);
        return rc ? err_set(info, rc, "dir", "cannot write the identity file: %s", err_text(rc)) : 0;
    }
    if (!r->join[0])
        return err_set(info, ERR_BADSTATE, "join", "the folder is empty: name a member to join, or bootstrap");
    r->joining = true;
    snprintf(r->join_at, sizeof r->join_at, "%s", r->join);
    return 0;
}

/* A state without the log that it came from, perhaps of another cluster: the entries that it seems to have would be
 * skipped, and this node would differ from the others without a word. */
static int repl_check_state(const struct repl *r, struct err_info *info)
{
    if (!r->state_index || (!r->joining && r->ident.state == IDENTITY_MEMBER))
        return 0;
    return err_set(info, ERR_CORRUPT, "dir",
                   "there is a state (entry %llu) but the log in %s that it came from is gone: remove this node from "
                   "the cluster, empty its whole data folder and add it again",
                   (unsigned long long)r->state_index, r->dir);
}

static int repl_bootstrap(struct repl *r, struct err_info *info)
{
    char field[RAFT_MSG_ADDRESS_MAX + 1];
    struct raft_configuration conf;
    if (r->ident.state == IDENTITY_MEMBER)
        return 0;
    raft_configuration_init(&conf);
    int rc = raft_configuration_add(&conf, r->ident.id, repl_member_field(r->name, r->listen, field, sizeof field),
                                    RAFT_VOTER);
    if (!rc)
        rc = raft_bootstrap(&r->raft, &conf);
    raft_configuration_close(&conf);
    /* a crash between raft's bootstrap and our mark leaves a log of one entry: go on with it */
    if (rc && rc != RAFT_CANTBOOTSTRAP)
        return err_set(info, ERR_IO, "dir", "cannot bootstrap: %s", r->io.errmsg);
    r->ident.state = IDENTITY_MEMBER;
    rc = identity_store(r->dir, &r->ident);
    if (rc)
        return err_set(info, rc, "dir", "cannot write the identity file: %s", err_text(rc));
    return 0;
}

/* Opens the log and starts libraft. r->ident.id is known. */
int repl_raft_begin(struct repl *r, struct err_info *info)
{
    char field[RAFT_MSG_ADDRESS_MAX + 1];
    unsigned seed;
    int rc = disk_guard_open(r->dir, r->log_dir, &r->guard, info);
    if (rc)
        return rc;
    rc = repl_io_init(r, info);
    if (rc)
        return rc;
    r->raft.data = r;
    rc = raft_init(&r->raft, &r->io, &r->fsm, r->ident.id, repl_member_field(r->name, r->listen, field, sizeof field));
    if (rc)
        return err_set(info, repl_err_from_raft(rc), "dir", "cannot open the log: %s", r->raft.errmsg);
    r->raft_inited = true;
    if (!identity_random(&seed, sizeof seed))
        return err_set(info, ERR_IO, "", "the kernel gives no random numbers");
    raft_seed(&r->raft, seed);
    raft_set_election_timeout(&r->raft, r->election_ms);
    raft_set_heartbeat_timeout(&r->raft, r->heartbeat_ms);
    raft_set_install_snapshot_timeout(&r->raft, REPL_INSTALL_TIMEOUT_MS);
    raft_set_pre_vote(&r->raft, true);
    raft_set_max_inflight_entries(&r->raft, REPL_MAX_INFLIGHT_ENTRIES);
    raft_set_snapshot_threshold(&r->raft, r->snapshot_threshold);
    raft_set_snapshot_trailing(&r->raft, r->snapshot_trailing);
    rc = repl_bootstrap(r, info);
    if (rc)
        return rc;
    rc = raft_start(&r->raft);
    if (rc || r->dead)
        return err_set(info, rc ? repl_err_from_raft(rc) : ERR_CORRUPT, "dir", "cannot load the log: %s",
                       r->dead ? r->fatal_text : r->raft.errmsg);
    rc = disk_guard_started(r->guard, raft_last_index(&r->raft), raft_current_term(&r->raft), raft_voted_for(&r->raft));
    if (rc)
        return err_set(info, rc, "dir", "cannot write the log's record: %s", err_text(rc));
    r->raft_up = true;
    r->seen_state = -1;
    mesh_identify(r->mesh, r->ident.id, r->ident.cluster, r->ident.incarnation);
    repl_member_refresh(r);
    return 0;
}

static int repl_open_loop(struct repl *r)
{
    uv_prepare_init(r->loop, &r->prepare);
    uv_check_init(r->loop, &r->check);
    uv_timer_init(r->loop, &r->timer);
    r->prepare.data = r->check.data = r->timer.data = r;
    uv_timer_init(r->loop, &r->tell);
    uv_timer_init(r->loop, &r->hold);
    uv_timer_init(r->loop, &r->elect.timer);
    r->tell.data = r->hold.data = r->elect.timer.data = r;
    r->open_handles = 6;
    uv_prepare_start(&r->prepare, repl_prepare_cb);
    uv_check_start(&r->check, repl_check_cb);
    return uv_timer_start(&r->timer, repl_timer_cb, REPL_TIMER_MS, REPL_TIMER_MS);
}

/* Discards what a failed start has opened. The loop may have to turn once more for handles to close, so the struct is
 * freed from their callbacks. */
static void repl_abandon(struct repl *r);

int repl_start(uv_loop_t *loop, const struct repl_config *cfg, const struct repl_handler *handler, struct repl **out,
               struct err_info *info)
{
    struct repl *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(info, ERR_NOMEM, "", "out of memory");
    r->loop = loop;
    r->h = *handler;
    r->lock_fd = -1;
    r->mesh_closed = true;
    r->next_seq = 1;
    list_init(&r->pends);
    list_init(&r->batches);
    list_init(&r->ops);
    list_init(&r->reads);
    r->cursor = &r->pends;
    r->now_us = clock_mono_now().us;
    int rc = repl_check_config(r, cfg, info);
    if (!rc)
        rc = repl_open_dirs(r, cfg->quick_death, info);
    if (!rc)
        rc = repl_open_identity(r, cfg, info);
    r->next_token = (r->ident.incarnation << 32) + 1; /* never one of a former process: members may still hold those */
    if (!rc) {
        struct mesh_config mc = {.name = r->name,
                                 .listen = r->listen,
                                 .ca_file = cfg->ca_file,
                                 .cert_file = cfg->cert_file,
                                 .key_file = cfg->key_file,
                                 .tick_ms = r->detect_ms / REPL_PINGS,
                                 .detect_ms = r->detect_ms,
                                 .incarnation = r->ident.incarnation};
        struct mesh_events ev = {.ctx = r,
                                 .admit = repl_member_admit,
                                 .join = repl_member_join,
                                 .joined = repl_member_joined,
                                 .frame = repl_frame,
                                 .link = repl_link,
                                 .refused = repl_member_refused,
                                 .last_index = repl_last_index,
                                 .answer = repl_lease_answer,
                                 .answered = repl_lease_answered,
                                 .silent = repl_lease_silent};
        rc = mesh_open(loop, &mc, &ev, &r->mesh, info);
        r->mesh_closed = rc != 0;
    }
    if (!rc) {
        r->state_index = handler->applied_index ? handler->applied_index(handler->ctx) : 0;
        rc = repl_check_state(r, info);
    }
    if (!rc) {
        rc = repl_snapshot_open(r, info);
    }
    if (!rc && repl_open_loop(r))
        rc = err_set(info, ERR_IO, "", "cannot start a timer");
    if (!rc && r->ident.id)
        rc = repl_raft_begin(r, info);
    if (!rc)
        rc = mesh_listen(r->mesh, info); /* the log is read */
    if (rc) {
        repl_abandon(r);
        return rc;
    }
    *out = r;
    return 0;
}

/* ---- closing ---- */

void repl_free_if_closed(struct repl *r)
{
    if (r->open_handles || !r->mesh_closed || (r->raft_inited && !r->raft_closed) || !repl_snapshot_idle(r))
        return;
    void (*cb)(void *) = r->stop_cb;
    void *arg = r->stop_arg;
    if (r->raft_inited || r->io.impl)
        raft_uv_close(&r->io);
    repl_propose_lost(r);
    repl_snapshot_close(r);
    disk_guard_close(r->guard);
    if (r->lock_fd >= 0)
        close(r->lock_fd);
    free(r);
    if (cb)
        cb(arg);
}

static void repl_handle_close_cb(uv_handle_t *h)
{
    struct repl *r = h->data;
    r->open_handles--;
    repl_free_if_closed(r);
}

static void repl_close_handles(struct repl *r)
{
    if (!r->open_handles) {
        repl_free_if_closed(r);
        return;
    }
    uv_close((uv_handle_t *)&r->prepare, repl_handle_close_cb);
    uv_close((uv_handle_t *)&r->check, repl_handle_close_cb);
    uv_close((uv_handle_t *)&r->timer, repl_handle_close_cb);
    uv_close((uv_handle_t *)&r->tell, repl_handle_close_cb);
    uv_close((uv_handle_t *)&r->hold, repl_handle_close_cb);
    uv_close((uv_handle_t *)&r->elect.timer, repl_handle_close_cb);
}

static void repl_mesh_closed_cb(void *arg)
{
    struct repl *r = arg;
    r->mesh_closed = true;
    r->mesh = NULL;
    repl_close_handles(r);
}

static void repl_close_mesh(struct repl *r)
{
    if (r->mesh && !r->mesh_closed)
        mesh_close(r->mesh, repl_mesh_closed_cb, r);
    else
        repl_close_handles(r);
}

static void repl_raft_closed_cb(struct raft *raft)
{
    struct repl *r = list_entry(raft, struct repl, raft);
    r->raft_closed = true;
    repl_close_mesh(r);
}

static void repl_close_raft(struct repl *r)
{
    repl_propose_fail_all(r, ERR_CLOSED);
    repl_read_fail_all(r, ERR_CLOSED);
    repl_member_fail_all(r, ERR_CLOSED, "the node is stopping");
    r->raft_closing = true;
    if (r->raft_inited)
        raft_close(&r->raft, repl_raft_closed_cb);
    else
        repl_close_mesh(r);
}

static void repl_abandon(struct repl *r)
{
    r->stopping = true;
    r->dead = true;
    r->stop_deadline_us = 0;
    repl_close_raft(r);
}

/* Called by the timer while stopping: goes on when leadership is handed over, or it takes too long. */
static void repl_stop_step(struct repl *r)
{
    if (repl_leading(r) && !r->transfer_busy && !r->handed_over) {
        r->handed_over = true; /* once: if it fails we go without */
        (void)repl_member_start_transfer(r, 0);
    }
    if (repl_leading(r) && r->transfer_busy && r->now_us < r->stop_deadline_us)
        return;
    if (r->raft_closing || r->stop_deadline_us == UINT64_MAX || !repl_snapshot_idle(r))
        return;
    r->stop_deadline_us = UINT64_MAX;
    uv_timer_stop(&r->timer);
    repl_close_raft(r);
}

void repl_stop(struct repl *r, void (*cb)(void *arg), void *arg)
{
    r->stop_cb = cb;
    r->stop_arg = arg;
    r->stopping = true;
    r->joining = false;
    r->hold_us = 0;
    r->now_us = clock_mono_now().us;
    r->stop_deadline_us = r->now_us + REPL_STOP_TRANSFER_MS * 1000u;
    /* the rest from the timer: this may have been called inside libraft */
    uv_timer_start(&r->timer, repl_timer_cb, 0, 5);
}

/* ---- what others ask ---- */

void repl_get_status(const struct repl *r, struct repl_status *out)
{
    memset(out, 0, sizeof *out);
    out->id = r->ident.id;
    out->state = REPL_IDLE;
    out->pending = r->pend_count;
    out->forwarded = r->forwarded;
    out->proposed = r->proposed;
    out->refused = r->refused;
    out->applied_index = r->state_index;
    if (!r->raft_up || r->raft_closing)
        return;
    struct raft *raft = (struct raft *)&r->raft;
    switch (raft_state(raft)) {
    case RAFT_LEADER:
        out->state = REPL_LEADER;
        break;
    case RAFT_CANDIDATE:
        out->state = REPL_CANDIDATE;
        break;
    case RAFT_FOLLOWER:
        out->state = REPL_FOLLOWER;
        break;
    case RAFT_UNAVAILABLE:
    default:
        break;
    }
    out->term = raft_current_term(raft);
    out->leader = repl_leader(r);
    out->last_index = raft_last_index(raft);
    out->commit_index = raft_commit_index(raft);
    out->applied_index = raft_last_applied(raft);
    out->snapshot_index = raft->trail.snapshot.index;
    out->log_bytes = disk_guard_log_bytes(r->guard);
    uint64_t age = repl_quorum_age_ms(r);
    struct mesh_peer_state peer;
    if (out->state == REPL_LEADER)
        out->has_quorum = age <= r->election_ms;
    else
        out->has_quorum = out->leader && mesh_peer_state(r->mesh, out->leader, &peer) && peer.up &&
                          clock_mono_now().us - peer.contact_us <= r->election_ms * 1000ull;
}

size_t repl_peers(const struct repl *r, struct repl_peer_info *out, size_t max)
{
    uint64_t leader = repl_leader(r);
    for (size_t i = 0; i < r->n_members && i < max; i++) {
        const struct repl_member *m = &r->members[i];
        struct mesh_peer_state state;
        struct repl_peer_info *p = &out[i];
        raft_index match = 0;
        memset(p, 0, sizeof *p);
        p->id = m->id;
        memcpy(p->name, m->name, sizeof p->name);
        memcpy(p->address, m->address, sizeof p->address);
        p->role = m->role == RAFT_VOTER ? REPL_VOTER : m->role == RAFT_STANDBY ? REPL_STANDBY : REPL_SPARE;
        p->self = m->id == r->ident.id;
        p->leader = m->id == leader;
        p->up = p->self;
        if (!p->self && mesh_peer_state(r->mesh, m->id, &state)) {
            p->up = state.up;
            p->silent = state.silent;
            p->rtt_us = state.rtt_us;
        }
        if (repl_leading(r) && !raft_match_index(&r->raft, m->id, &match))
            p->match = match;
    }
    return r->n_members;
}

uint64_t repl_id(const struct repl *r)
{
    return r->ident.id;
}

uint64_t repl_incarnation(const struct repl *r)
{
    return r->ident.incarnation;
}

static int repl_newest_first(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

uint64_t repl_quorum_age_ms(const struct repl *r)
{
    uint64_t now = clock_mono_now().us, contact[REPL_MEMBERS_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < r->n_members; i++) {
        const struct repl_member *m = &r->members[i];
        struct mesh_peer_state state;
        if (m->role != RAFT_VOTER)
            continue;
        if (m->id == r->ident.id)
            contact[n++] = now;
        else
            contact[n++] = mesh_peer_state(r->mesh, m->id, &state) ? state.contact_us : 0;
    }
    if (!n)
        return UINT64_MAX / 1000u;
    qsort(contact, n, sizeof contact[0], repl_newest_first);
    return (now - contact[n / 2]) / 1000u;
}

int repl_send(struct repl *r, uint64_t peer, const void *data, size_t len)
{
    if (len > REPL_MESSAGE_MAX)
        return ERR_TOOBIG;
    if (r->mesh_closed || r->stopping)
        return ERR_CLOSED;
    return mesh_send(r->mesh, peer, MESH_MESSAGE, 0, data, len);
}

void repl_set_message_handler(struct repl *r, void (*fn)(void *ctx, uint64_t peer, const void *data, size_t len))
{
    r->message_fn = fn;
}
