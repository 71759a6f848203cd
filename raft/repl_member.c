/* Members: who is in, joining, adding, removing, handing over.
 *
 * The list is libraft's own configuration, replicated and kept by it: a server's address field holds "name|ip:port". An
 * id is the index of the log entry that added the node (1 for the first), so ids are never used again without any
 * counter, and whoever has a configuration of index c knows that an id <= c which is not in it was removed.
 *
 *   repl_add --> SPARE --(it has connected)--> STANDBY, gets the log --(almost caught up, connected)--> VOTER
 *
 * SPARE means: has never had a log under this id. So a node that asks to join under the name of a STANDBY or VOTER has
 * lost its log; it must not come back under its id, because it may have voted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "raft/repl_int.h"
#include "raft/wire.h"

#define REPL_PROMOTE_EVERY_US 100000u
#define REPL_CAUGHT_UP_ENTRIES 64u
#define REPL_MEMBER_TIMEOUT_US 10000000u
#define REPL_REMOVED_TEXT "this node was removed from the cluster"

const char *repl_member_field(const char *name, const char *address, char *out, size_t cap)
{
    snprintf(out, cap, "%s|%s", name, address);
    return out;
}

static bool repl_member_parse(const char *field, struct repl_member *m)
{
    const char *bar = strchr(field, '|');
    if (!bar || bar == field || (size_t)(bar - field) >= sizeof m->name || strlen(bar + 1) >= sizeof m->address)
        return false;
    memcpy(m->name, field, (size_t)(bar - field));
    m->name[bar - field] = '\0';
    snprintf(m->address, sizeof m->address, "%s", bar + 1);
    return true;
}

struct repl_member *repl_member_find(struct repl *r, uint64_t id)
{
    for (unsigned i = 0; i < r->n_members; i++)
        if (r->members[i].id == id)
            return &r->members[i];
    return NULL;
}

/* Who is to be removed is a member until that is committed: it may yet come to nothing. */
static const struct repl_member *repl_member_still(struct repl *r, uint64_t id)
{
    for (unsigned i = 0; i < r->n_before; i++)
        if (r->before[i].id == id)
            return &r->before[i];
    return NULL;
}

bool repl_member_listed(struct repl *r, uint64_t id)
{
    return repl_member_find(r, id) || repl_member_still(r, id);
}

static struct repl_member *repl_member_by_name(struct repl *r, const char *name)
{
    for (unsigned i = 0; i < r->n_members; i++)
        if (strcmp(r->members[i].name, name) == 0)
            return &r->members[i];
    return NULL;
}

static bool repl_member_up(struct repl *r, uint64_t id)
{
    struct mesh_peer_state state;
    return id == r->ident.id || (mesh_peer_state(r->mesh, id, &state) && state.up);
}

static int repl_member_order(const void *a, const void *b)
{
    const struct repl_member *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id ? 1 : 0;
}

/* Reads the list from libraft. Safe to call at any time outside libraft. */
void repl_member_refresh(struct repl *r)
{
    const struct raft_configuration *c = &r->raft.configuration;
    struct repl_member old[REPL_MEMBERS_MAX];
    unsigned n_old = r->n_members;
    memcpy(old, r->members, n_old * sizeof old[0]);
    r->members_committed = r->raft.configuration_committed_index;
    r->members_uncommitted = r->raft.configuration_uncommitted_index;
    r->n_members = 0;
    for (unsigned i = 0; i < c->n && r->n_members < REPL_MEMBERS_MAX; i++) {
        struct repl_member m = {.id = c->servers[i].id, .role = c->servers[i].role};
        if (!repl_member_parse(c->servers[i].address, &m))
            continue;
        for (unsigned k = 0; k < n_old; k++)
            if (old[k].id == m.id)
                m.told_commit = old[k].told_commit, m.concerned = old[k].concerned;
        r->members[r->n_members++] = m;
    }
    qsort(r->members, r->n_members, sizeof r->members[0], repl_member_order);
    for (unsigned i = 0; i < r->n_members; i++) {
        const struct repl_member *m = &r->members[i];
        if (m->id != r->ident.id && mesh_peer_put(r->mesh, m->id, m->name, m->address))
            log_warn("raft", "member %s cannot be connected: address \"%s\"", m->name, m->address);
    }
}

/* Connections end only when a removal is committed. */
static void repl_member_drop_removed(struct repl *r, const struct repl_member *before, unsigned n_before)
{
    for (unsigned k = 0; k < n_before; k++)
        if (before[k].id != r->ident.id && !repl_member_find(r, before[k].id))
            mesh_peer_drop(r->mesh, before[k].id, REPL_REMOVED_TEXT);
}

/* ---- answering requests ---- */

static void repl_op_done(struct repl *r, struct repl_member_op *op, int status, uint64_t id, const char *text)
{
    list_del(&op->link);
    r->n_ops--;
    if (op->from) {
        uint8_t buf[300];
        uint8_t *p = wire_put64(buf, op->token);
        p = wire_put32(p, (uint32_t)status);
        p = wire_put64(p, id);
        p = wire_put_str(p, text);
        if (mesh_send(r->mesh, op->from, MESH_MEMBER_ANSWER, 0, buf, (size_t)(p - buf)))
            log_debug("raft", "answer to a change of members could not be sent");
    } else if (op->cb)
        op->cb(op->arg, status, id, text);
    free(op);
}

static void repl_op_drop(struct repl *r, struct repl_member_op *op)
{
    list_del(&op->link);
    r->n_ops--;
    free(op);
}

void repl_member_fail_all(struct repl *r, int status, const char *text)
{
    r->change_op = r->transfer_op = NULL;
    while (!list_empty(&r->ops))
        repl_op_done(r, list_entry(r->ops.next, struct repl_member_op, link), status, 0, text);
}

static int repl_op_new(struct repl *r, uint8_t kind, const char *name, const char *address, repl_member_cb *cb,
                       void *arg, struct repl_member_op **out)
{
    struct sockaddr_storage ss;
    if (r->stopping || r->dead)
        return ERR_CLOSED;
    if (kind == REPL_OP_TRANSFER && !name)
        name = ""; /* whoever is fit */
    if (!name || (!name[0] && kind != REPL_OP_TRANSFER) || strlen(name) >= sizeof(*out)->name ||
        strpbrk(name, "|/ \t\n"))
        return ERR_INVAL;
    if (kind == REPL_OP_ADD &&
        (!address || strlen(address) >= sizeof(*out)->address || mesh_address_parse(address, &ss)))
        return ERR_INVAL;
    if (r->n_ops >= REPL_MEMBER_OPS_MAX)
        return ERR_BUSY;
    struct repl_member_op *op = calloc(1, sizeof *op);
    if (!op)
        return ERR_NOMEM;
    op->kind = kind;
    snprintf(op->name, sizeof op->name, "%s", name);
    snprintf(op->address, sizeof op->address, "%s", address ? address : "");
    op->cb = cb;
    op->arg = arg;
    op->token = r->next_token++;
    op->deadline_us = clock_mono_now().us + REPL_MEMBER_TIMEOUT_US;
    list_push_back(&r->ops, &op->link);
    r->n_ops++;
    *out = op;
    return 0;
}

int repl_add(struct repl *r, const char *name, const char *address, repl_member_cb *cb, void *arg)
{
    struct repl_member_op *op;
    return repl_op_new(r, REPL_OP_ADD, name, address, cb, arg, &op);
}

int repl_remove(struct repl *r, const char *name, repl_member_cb *cb, void *arg)
{
    struct repl_member_op *op;
    return repl_op_new(r, REPL_OP_REMOVE, name, NULL, cb, arg, &op);
}

int repl_transfer(struct repl *r, const char *name, repl_member_cb *cb, void *arg)
{
    struct repl_member_op *op;
    return repl_op_new(r, REPL_OP_TRANSFER, name, NULL, cb, arg, &op);
}

/* ---- the leader's side ---- */

static bool repl_change_possible(struct repl *r)
{
    return !r->change_busy && !r->raft.configuration_uncommitted_index && !r->raft.leader_state.promotee_id &&
           !raft_transferee(&r->raft);
}

static void repl_change_cb(struct raft_change *req, int status)
{
    struct repl *r = req->data;
    struct repl_member_op *op = r->change_op;
    r->change_busy = false;
    r->change_op = NULL;
    r->promote_after_us = r->now_us + REPL_PROMOTE_EVERY_US;
    if (!op)
        return;
    if (status)
        repl_op_done(r, op, status == RAFT_LEADERSHIPLOST ? ERR_TIMEOUT : repl_err_from_raft(status), 0,
                     "leadership was lost meanwhile: look at the list of members whether it was done");
    else
        repl_op_done(r, op, 0, op->sent_term, op->kind == REPL_OP_ADD ? "added" : "removed");
}

/* Marks the change as running; `id` is told when it is done. */
static void repl_change_begin(struct repl *r, struct repl_member_op *op, int rc, uint64_t id)
{
    if (rc) {
        r->change_busy = false;
        if (op)
            repl_op_done(r, op, repl_err_from_raft(rc), 0, raft_strerror(rc));
        return;
    }
    r->change_busy = true;
    r->change_op = op;
    if (op) {
        op->running = true;
        op->sent_term = id;
    }
}

static void repl_run_add(struct repl *r, struct repl_member_op *op)
{
    char field[160];
    if (r->n_members >= REPL_MEMBERS_MAX) {
        repl_op_done(r, op, ERR_TOOBIG, 0, "the cluster has as many members as it can have");
        return;
    }
    for (unsigned i = 0; i < r->n_members; i++) {
        const struct repl_member *m = &r->members[i];
        if (strcmp(m->name, op->name) == 0 || strcmp(m->address, op->address) == 0) {
            repl_op_done(r, op, ERR_EXISTS, m->id, "a member has this name or address: remove it first");
            return;
        }
    }
    uint64_t id = raft_last_index(&r->raft) + 1;
    r->change.data = r;
    int rc = raft_add(&r->raft, &r->change, id, repl_member_field(op->name, op->address, field, sizeof field),
                      repl_change_cb);
    repl_change_begin(r, op, rc, id);
}

/* Would the voters that are left and connected be a majority? */
static bool repl_left_without(struct repl *r, uint64_t id)
{
    unsigned voters = 0, up = 0;
    for (unsigned i = 0; i < r->n_members; i++) {
        if (r->members[i].id == id || r->members[i].role != RAFT_VOTER)
            continue;
        voters++;
        up += repl_member_up(r, r->members[i].id);
    }
    return voters && up > voters / 2;
}

static void repl_transfer_cb(struct raft_transfer *req)
{
    struct repl *r = req->data;
    struct repl_member_op *op = r->transfer_op;
    r->transfer_busy = false;
    r->transfer_op = NULL;
    if (!op)
        return;
    if (repl_leader(r) == r->transfer_to)
        repl_op_done(r, op, 0, r->transfer_to, "leadership was handed over");
    else
        repl_op_done(r, op, ERR_TIMEOUT, 0, "leadership could not be handed over in time");
}

/* The connected voter that is furthest ahead, 0 when there is none. */
static uint64_t repl_heir(struct repl *r)
{
    uint64_t to = 0, best_match = 0;
    for (unsigned i = 0; i < r->n_members; i++) {
        const struct repl_member *m = &r->members[i];
        raft_index match = 0;
        if (m->id == r->ident.id || m->role != RAFT_VOTER || !repl_member_up(r, m->id) ||
            raft_match_index(&r->raft, m->id, &match))
            continue;
        if (!to || match > best_match) {
            to = m->id;
            best_match = match;
        }
    }
    return to;
}

/* `to` 0: whoever is fit. False when there is nobody, or not possible now. */
bool repl_member_start_transfer(struct repl *r, uint64_t to)
{
    if (!repl_leading(r) || r->transfer_busy || raft_transferee(&r->raft))
        return false;
    if (!to)
        to = repl_heir(r);
    if (!to)
        return false;
    r->transfer.data = r;
    if (raft_transfer(&r->raft, &r->transfer, to, repl_transfer_cb))
        return false;
    r->transfer_busy = true;
    r->transfer_to = to;
    return true;
}

static void repl_run_remove(struct repl *r, struct repl_member_op *op)
{
    struct repl_member *m = repl_member_by_name(r, op->name);
    if (!m) {
        repl_op_done(r, op, ERR_NOTFOUND, 0, "no member has this name");
        return;
    }
    if (m->role == RAFT_VOTER && !repl_left_without(r, m->id)) {
        repl_op_done(r, op, ERR_NOQUORUM, m->id, "the voters that are left and reachable would be no majority");
        return;
    }
    if (m->id == r->ident.id) {
        /* the new leader does it: the request stays here and is forwarded when leadership has moved */
        repl_member_start_transfer(r, 0);
        return;
    }
    r->change.data = r;
    repl_change_begin(r, op, raft_remove(&r->raft, &r->change, m->id, repl_change_cb), m->id);
}

static void repl_run_transfer(struct repl *r, struct repl_member_op *op)
{
    bool anyone = !op->name[0];
    uint64_t heir = anyone ? repl_heir(r) : 0;
    struct repl_member *m = anyone ? NULL : repl_member_by_name(r, op->name);
    if (anyone && !heir)
        repl_op_done(r, op, ERR_BADSTATE, 0, "no other voter is connected");
    else if (!anyone && !m)
        repl_op_done(r, op, ERR_NOTFOUND, 0, "no member has this name");
    else if (m && m->id == r->ident.id)
        repl_op_done(r, op, 0, m->id, "is the leader already");
    else if (m && (m->role != RAFT_VOTER || !repl_member_up(r, m->id)))
        repl_op_done(r, op, ERR_BADSTATE, m->id, "is not a voter that is connected");
    else if (repl_member_start_transfer(r, m ? m->id : heir)) {
        r->transfer_op = op;
        op->running = true;
    }
}

static void repl_promote(struct repl *r)
{
    if (r->now_us < r->promote_after_us || !repl_change_possible(r))
        return;
    r->promote_after_us = r->now_us + REPL_PROMOTE_EVERY_US;
    for (unsigned i = 0; i < r->n_members; i++) {
        const struct repl_member *m = &r->members[i];
        raft_index match = 0;
        /* a dead node that is being promoted blocks all other changes for seconds */
        if (m->role == RAFT_VOTER || !repl_member_up(r, m->id) || raft_match_index(&r->raft, m->id, &match))
            continue;
        int role = RAFT_STANDBY;
        if (m->role == RAFT_STANDBY) {
            if (match + REPL_CAUGHT_UP_ENTRIES < raft_last_index(&r->raft))
                continue;
            role = RAFT_VOTER;
        }
        r->change.data = r;
        int rc = raft_assign(&r->raft, &r->change, m->id, role, repl_change_cb);
        log_info("raft", "%s becomes %s: %s", m->name, role == RAFT_VOTER ? "voter" : "standby",
                 rc ? raft_strerror(rc) : "begun");
        repl_change_begin(r, NULL, rc, 0);
        return;
    }
}

/* ---- forwarding ---- */

static void repl_op_forward(struct repl *r, struct repl_member_op *op, uint64_t leader)
{
    uint8_t buf[256];
    uint64_t term = raft_current_term(&r->raft);
    if (op->sent_to == leader && op->sent_term == term)
        return;
    uint8_t *p = wire_put64(buf, op->token);
    p = wire_put8(p, (uint8_t)op->kind);
    p = wire_put_str(p, op->name);
    p = wire_put_str(p, op->address);
    if (mesh_send(r->mesh, leader, MESH_MEMBER, 0, buf, (size_t)(p - buf)))
        return;
    op->sent_to = leader;
    op->sent_term = term;
}

int repl_member_frame(struct repl *r, uint64_t peer, const uint8_t *data, size_t len)
{
    struct wire_reader rd;
    char name[64], address[64];
    struct repl_member_op *op;
    wire_reader_init(&rd, data, len);
    uint64_t token = wire_get64(&rd);
    uint8_t kind = wire_get8(&rd);
    wire_get_str(&rd, name, sizeof name);
    wire_get_str(&rd, address, sizeof address);
    if (rd.bad || wire_left(&rd) || kind < REPL_OP_ADD || kind > REPL_OP_TRANSFER)
        return ERR_CORRUPT;
    int rc = repl_op_new(r, kind, name, address, NULL, NULL, &op);
    if (rc) {
        uint8_t buf[300];
        uint8_t *p = wire_put64(buf, token);
        p = wire_put32(p, (uint32_t)rc);
        p = wire_put64(p, 0);
        p = wire_put_str(p, err_text(rc));
        return mesh_send(r->mesh, peer, MESH_MEMBER_ANSWER, 0, buf, (size_t)(p - buf)) == ERR_CORRUPT;
    }
    op->from = peer;
    op->token = token;
    return 0;
}

int repl_member_answer_frame(struct repl *r, uint64_t peer, const uint8_t *data, size_t len)
{
    struct wire_reader rd;
    char text[256];
    wire_reader_init(&rd, data, len);
    uint64_t token = wire_get64(&rd);
    int status = (int32_t)wire_get32(&rd);
    uint64_t id = wire_get64(&rd);
    wire_get_str(&rd, text, sizeof text);
    if (rd.bad || wire_left(&rd) || status > 0)
        return ERR_CORRUPT;
    list_foreach(it, &r->ops) {
        struct repl_member_op *op = list_entry(it, struct repl_member_op, link);
        /* a running one has come back to us, who lead now: it ends by itself */
        if (op->token == token && op->sent_to == peer && !op->running) {
            repl_op_done(r, op, status, id, text);
            break;
        }
    }
    return 0;
}

static void repl_op_step(struct repl *r, struct repl_member_op *op)
{
    uint64_t leader = repl_leader(r);
    if (op->running)
        return;
    if (op->kind == REPL_OP_TRANSFER && !op->name[0] && op->sent_to && leader && leader != op->sent_to) {
        repl_op_done(r, op, 0, leader, "leadership was handed over"); /* asked again, the new leader would hand it on */
        return;
    }
    if (r->now_us > op->deadline_us) {
        repl_op_done(r, op, op->sent_to ? ERR_TIMEOUT : ERR_NOQUORUM, 0, "not done in time");
        return;
    }
    if (!repl_leading(r)) {
        if (op->from) /* who asked us asks the new leader by itself: from two sides it would be done, and then refused */
            repl_op_drop(r, op);
        else if (leader && leader != r->ident.id)
            repl_op_forward(r, op, leader);
        return;
    }
    if (!r->leader_ready || raft_transferee(&r->raft))
        return;
    if (op->kind != REPL_OP_TRANSFER && !repl_change_possible(r)) {
        /* a promotion takes milliseconds; anything longer is for the caller to repeat */
        if (r->now_us + REPL_MEMBER_TIMEOUT_US > op->deadline_us + 2000000u)
            repl_op_done(r, op, ERR_BUSY, 0, "another change of members is under way");
        return;
    }
    if (op->kind == REPL_OP_ADD)
        repl_run_add(r, op);
    else if (op->kind == REPL_OP_REMOVE)
        repl_run_remove(r, op);
    else
        repl_run_transfer(r, op);
}

/* ---- who is not in our list */

static bool repl_member_in_log(const struct repl *r, uint64_t id)
{
    const struct raft_configuration *c = &r->raft.configuration;
    for (unsigned i = 0; i < c->n; i++)
        if (c->servers[i].id == id)
            return true;
    return false;
}

/* Its own place, that of its name, or one that nobody needs. NULL: none, or somebody else is there under this id. */
static struct repl_ahead *repl_ahead_place(struct repl *r, const struct mesh_hello *h)
{
    struct repl_ahead *own = NULL, *room = NULL;
    for (unsigned i = 0; i < REPL_MEMBERS_MAX; i++) {
        struct repl_ahead *a = &r->ahead[i];
        bool named = strcmp(a->name, h->name) == 0, taken = a->id && repl_member_up(r, a->id);
        if (a->id == h->id && !named && taken)
            return NULL;
        if (a->id && (a->id == h->id || named))
            own = a;
        else if (!taken && (!room || !a->id))
            room = a;
    }
    return own ? own : room;
}

/* Whose id is above our list may be a member that was added while we were away, and we need it to catch up; or it was removed and claims
 * what it likes. Of one name the latest, so that a certificate has one place; a leader that is ready knows all members. Not told for
 * good: a leader may have lost its office without knowing. */
static int repl_ahead_admit(struct repl *r, const struct mesh_hello *h, char *why, size_t cap)
{
    bool known = !repl_leading(r) || !r->leader_ready || repl_member_in_log(r, h->id);
    struct repl_ahead *place = known ? repl_ahead_place(r, h) : NULL;
    if (!place) {
        snprintf(why, cap, "no member is known by id %llu", (unsigned long long)h->id);
        return ERR_BUSY;
    }
    if (place->id && place->id != h->id)
        mesh_peer_drop(r->mesh, place->id, NULL);
    place->id = h->id;
    snprintf(place->name, sizeof place->name, "%s", h->name);
    return 0;
}

/* Our list has caught up with their ids: now they are in it, or were removed. */
static void repl_ahead_judge(struct repl *r)
{
    raft_index applied = raft_last_applied(&r->raft);
    for (unsigned i = 0; i < REPL_MEMBERS_MAX; i++) {
        uint64_t id = r->ahead[i].id;
        if (!id || id > applied || r->members_uncommitted)
            continue;
        r->ahead[i].id = 0;
        if (!repl_member_find(r, id))
            mesh_peer_drop(r->mesh, id, REPL_REMOVED_TEXT);
    }
}

void repl_member_pump(struct repl *r)
{
    if (r->members_committed != r->raft.configuration_committed_index ||
        r->members_uncommitted != r->raft.configuration_uncommitted_index) {
        struct repl_member before[REPL_MEMBERS_MAX];
        unsigned n_before = r->n_before ? r->n_before : r->n_members;
        memcpy(before, r->n_before ? r->before : r->members, n_before * sizeof before[0]);
        repl_member_refresh(r);
        r->n_before = 0;
        if (!r->members_uncommitted)
            repl_member_drop_removed(r, before, n_before);
        else {
            memcpy(r->before, before, n_before * sizeof before[0]);
            r->n_before = n_before;
        }
        r->h.state_changed(r->h.ctx, r->leader_ready);
    }
    repl_ahead_judge(r);
    list_foreach_safe(it, &r->ops) {
        unsigned n = r->n_ops;
        repl_op_step(r, list_entry(it, struct repl_member_op, link));
        if (r->n_ops != n)
            break; /* a callback may have changed the list: the rest in the next turn */
    }
    if (repl_leading(r) && r->leader_ready)
        repl_promote(r);
}

/* ---- who may connect, who may join ---- */

int repl_member_admit(void *ctx, const struct mesh_hello *h, char *why, size_t cap)
{
    struct repl *r = ctx;
    const struct repl_member *m = repl_member_find(r, h->id);
    if (!m)
        m = repl_member_still(r, h->id);
    raft_index match = 0;
    if (r->stopping) {
        snprintf(why, cap, "is stopping");
        return ERR_CLOSED;
    }
    if (!r->raft_up) {
        snprintf(why, cap, "is not ready yet");
        return ERR_BUSY;
    }
    if (m && strcmp(m->name, h->name) != 0) {
        snprintf(why, cap, "id %llu belongs to %s", (unsigned long long)h->id, m->name);
        return ERR_DENIED;
    }
    if (m && m->role == RAFT_VOTER && !h->last_index) {
        snprintf(why, cap, "%s is a voter and comes with an empty log: remove it and add it again", h->name);
        return ERR_CONFLICT;
    }
    /* libraft would count them for ever, and never send them again */
    if (m && repl_leading(r) && !raft_match_index(&r->raft, m->id, &match) && h->last_index < match) {
        snprintf(why, cap, "%s had entry %llu on its disk and comes with a log up to %llu: remove it and add it again",
                 h->name, (unsigned long long)match, (unsigned long long)h->last_index);
        return ERR_CONFLICT;
    }
    /* The id is the index of the entry that added it: our list is newer and does not have it. Not libraft's index, which may be
     * ahead of the list until the end of this turn: a node that is just catching up would send a member away for good. */
    if (!m && h->id <= r->members_committed) {
        if (r->members_uncommitted) { /* read from the log at start: what was before it is not known */
            snprintf(why, cap, "a change of members is under way");
            return ERR_BUSY;
        }
        snprintf(why, cap, REPL_REMOVED_TEXT);
        return ERR_NOTFOUND;
    }
    return m ? 0 : repl_ahead_admit(r, h, why, cap);
}

void repl_member_join(void *ctx, const struct mesh_hello *h, struct mesh_join_reply *out)
{
    struct repl *r = ctx;
    struct repl_member *leader = repl_member_find(r, repl_leader(r));
    struct repl_member *m = repl_member_by_name(r, h->name);
    if (!repl_leading(r) || !r->leader_ready) {
        if (leader && leader->id != r->ident.id)
            snprintf(out->leader, sizeof out->leader, "%s", leader->address);
        snprintf(out->text, sizeof out->text, "not the leader");
    } else if (!m || m->id > r->raft.configuration_committed_index) {
        snprintf(out->text, sizeof out->text, "%s has not been added yet", h->name);
    } else if (m->role != RAFT_SPARE) {
        out->status = ERR_CONFLICT;
        snprintf(out->text, sizeof out->text,
                 "%s is a member already (id %llu) but comes with an empty log: remove it "
                 "and add it again",
                 h->name, (unsigned long long)m->id);
    } else if (strcmp(m->address, h->address) != 0) {
        out->status = ERR_CONFLICT;
        snprintf(out->text, sizeof out->text, "%s was added with address %s but listens on %s", h->name, m->address,
                 h->address);
    } else {
        out->status = 0;
        out->id = m->id;
        out->cluster = r->ident.cluster;
    }
}

void repl_member_joined(void *ctx, const struct mesh_join_reply *reply)
{
    struct repl *r = ctx;
    struct err_info info = {0};
    if (!r->joining || r->stopping || r->raft_inited)
        return;
    if (!reply) {
        snprintf(r->join_at, sizeof r->join_at, "%s", r->join);
        return;
    }
    if (reply->status == ERR_BUSY) {
        struct sockaddr_storage ss;
        bool other = reply->leader[0] && !mesh_address_parse(reply->leader, &ss);
        snprintf(r->join_at, sizeof r->join_at, "%s", other ? reply->leader : r->join);
        if (!other && strcmp(r->join_said, reply->text) != 0) { /* once, not at each try */
            log_notice("raft", "waiting to be taken in: %s", reply->text);
            snprintf(r->join_said, sizeof r->join_said, "%s", reply->text);
        }
        return;
    }
    if (reply->status) {
        repl_fatal(r, reply->status, "cannot join: %s", reply->text);
        return;
    }
    r->ident.id = reply->id;
    r->ident.cluster = reply->cluster;
    r->ident.state = IDENTITY_MEMBER;
    int rc = disk_guard_prepare(r->dir);
    if (!rc)
        rc = identity_store(r->dir, &r->ident);
    if (rc) {
        repl_fatal(r, rc, "cannot write the identity file: %s", err_text(rc));
        return;
    }
    log_notice("raft", "joined the cluster with id %llu", (unsigned long long)r->ident.id);
    rc = repl_raft_begin(r, &info);
    r->joining = false;
    if (rc)
        repl_fatal(r, rc, "%s", info.text);
}

void repl_member_refused(void *ctx, uint64_t peer, int code, const char *text)
{
    struct repl *r = ctx;
    (void)peer;
    if (code != ERR_NOTFOUND || r->stopping)
        return;
    /* Whoever asked us for our own removal is told that it is done: the leader's answer has no way to us any more. */
    list_foreach_safe(it, &r->ops) {
        struct repl_member_op *op = list_entry(it, struct repl_member_op, link);
        if (op->kind == REPL_OP_REMOVE && strcmp(op->name, r->name) == 0)
            repl_op_done(r, op, 0, r->ident.id, "removed");
    }
    repl_fatal(r, ERR_NOTFOUND, "%s", text);
}
