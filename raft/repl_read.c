/* Read index (dissertation 6.4): the leader notes its commit index, makes sure by a round trip with a majority that it is
 * still the leader, and answers; the asker waits until it has applied that much.
 *
 * The confirmation is a frame of ours, not a heartbeat of libraft: a voter confirms while its own term is the leader's.
 * Had a newer leader been elected before, a majority would have a higher term, and majorities overlap. Questions that
 * come while a round is under way wait for the next, so that one round serves many. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "raft/repl_int.h"
#include "raft/wire.h"

#define REPL_READ_REPEAT_US 100000u

static void repl_read_done(struct repl *r, struct repl_read *q, int status)
{
    void (*cb)(void *, int) = q->cb;
    void *arg = q->arg;
    list_del(&q->link);
    r->n_reads--;
    free(q);
    if (cb)
        cb(arg, status);
}

static struct repl_read *repl_read_new(struct repl *r, unsigned timeout_ms)
{
    if (r->n_reads >= REPL_READS_MAX)
        return NULL;
    struct repl_read *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    q->deadline_us = clock_mono_now().us + (timeout_ms ? timeout_ms : REPL_DEFAULT_TIMEOUT_MS) * 1000ull;
    list_push_back(&r->reads, &q->link);
    r->n_reads++;
    return q;
}

int repl_read_index(struct repl *r, void (*cb)(void *arg, int status), void *arg, unsigned timeout_ms)
{
    if (r->stopping || r->dead)
        return ERR_CLOSED;
    if (r->n_reads >= REPL_READS_MAX)
        return ERR_BUSY;
    struct repl_read *q = repl_read_new(r, timeout_ms);
    if (!q)
        return ERR_NOMEM;
    q->cb = cb;
    q->arg = arg;
    q->token = r->next_token++;
    return 0;
}

void repl_read_fail_all(struct repl *r, int status)
{
    while (!list_empty(&r->reads))
        repl_read_done(r, list_entry(r->reads.next, struct repl_read, link), status);
}

void repl_read_reset(struct repl *r)
{
    r->read_round_done = ++r->read_round;
    r->n_read_acks = 0;
    list_foreach(it, &r->reads) {
        struct repl_read *q = list_entry(it, struct repl_read, link);
        if (q->state == REPL_READ_ASK)
            q->round = q->index = q->sent_us = 0;
    }
}

/* ---- the leader's side ---- */

static bool repl_read_majority(const struct repl *r)
{
    unsigned voters = 0, have = 0;
    for (unsigned i = 0; i < r->n_members; i++) {
        const struct repl_member *m = &r->members[i];
        if (m->role != RAFT_VOTER)
            continue;
        voters++;
        if (m->id == r->ident.id)
            have++;
        for (unsigned k = 0; k < r->n_read_acks && m->id != r->ident.id; k++)
            have += r->read_acks[k] == m->id;
    }
    return voters && have > voters / 2;
}

static void repl_read_round_begin(struct repl *r)
{
    uint8_t buf[16];
    r->read_round++;
    r->read_round_sent_us = r->now_us;
    r->n_read_acks = 0;
    wire_put64(wire_put64(buf, raft_current_term(&r->raft)), r->read_round);
    for (unsigned i = 0; i < r->n_members; i++) {
        const struct repl_member *m = &r->members[i];
        if (m->role != RAFT_VOTER || m->id == r->ident.id)
            continue;
        if (mesh_send(r->mesh, m->id, MESH_CONFIRM, 0, buf, sizeof buf))
            continue; /* not reachable now: does not count */
    }
}

static void repl_read_answer(struct repl *r, struct repl_read *q)
{
    uint8_t buf[16];
    wire_put64(wire_put64(buf, q->token), q->index);
    if (mesh_send(r->mesh, q->from, MESH_READ_ANSWER, 0, buf, sizeof buf) == ERR_BUSY)
        return; /* it asks again */
    repl_read_done(r, q, 0);
}

/* Puts new questions into a round, and ends the round when it is confirmed. */
static void repl_read_lead(struct repl *r)
{
    bool waiting = false, fresh = false;
    bool running = r->read_round != r->read_round_done;
    if (running && repl_read_majority(r)) {
        r->read_round_done = r->read_round;
        running = false;
    }
    if (running && r->now_us - r->read_round_sent_us > REPL_READ_REPEAT_US)
        running = false; /* answers were lost: questions of the old round go into a new one */
    list_foreach_safe(it, &r->reads) {
        struct repl_read *q = list_entry(it, struct repl_read, link);
        if (q->state != REPL_READ_ASK)
            continue;
        if (q->round && q->round <= r->read_round_done) {
            if (q->from)
                repl_read_answer(r, q);
            else
                q->state = REPL_READ_WAIT;
            continue;
        }
        waiting = true;
        fresh = fresh || !q->round;
    }
    if (!waiting || running)
        return;
    repl_read_round_begin(r);
    list_foreach(it, &r->reads) {
        struct repl_read *q = list_entry(it, struct repl_read, link);
        if (q->state != REPL_READ_ASK)
            continue;
        q->round = r->read_round;
        if (!q->index)
            q->index = raft_commit_index(&r->raft);
    }
    if (repl_read_majority(r)) /* the only voter */
        r->read_round_done = r->read_round;
}

/* ---- the asker's side ---- */

static void repl_read_ask(struct repl *r, struct repl_read *q, uint64_t leader)
{
    uint8_t buf[8];
    if (q->from || (q->sent_us && r->now_us - q->sent_us < REPL_READ_REPEAT_US))
        return;
    wire_put64(buf, q->token);
    if (!mesh_send(r->mesh, leader, MESH_READ, 0, buf, sizeof buf))
        q->sent_us = r->now_us;
}

void repl_read_pump(struct repl *r)
{
    if (list_empty(&r->reads))
        return;
    bool leading = repl_leading(r) && r->leader_ready;
    uint64_t leader = repl_leader(r);
    if (leading)
        repl_read_lead(r);
    list_foreach_safe(it, &r->reads) {
        struct repl_read *q = list_entry(it, struct repl_read, link);
        bool ready = q->state == REPL_READ_WAIT && raft_last_applied(&r->raft) >= q->index;
        if (ready || r->now_us > q->deadline_us || (q->from && !repl_leading(r))) {
            unsigned n = r->n_reads;
            repl_read_done(r, q, ready ? 0 : leader ? ERR_TIMEOUT : ERR_NOQUORUM);
            if (r->n_reads != n - 1)
                return; /* the callback asked something new: the rest in the next turn */
            continue;
        }
        if (q->state != REPL_READ_ASK || leading)
            continue;
        q->round = q->index = 0;
        if (leader && leader != r->ident.id)
            repl_read_ask(r, q, leader);
    }
}

static void repl_read_on_question(struct repl *r, uint64_t peer, uint64_t token)
{
    if (!repl_leading(r) || !r->leader_ready)
        return;
    list_foreach(it, &r->reads) {
        struct repl_read *q = list_entry(it, struct repl_read, link);
        if (q->from == peer && q->token == token)
            return;
    }
    struct repl_read *q = repl_read_new(r, 0);
    if (!q)
        return; /* it asks again */
    q->from = peer;
    q->token = token;
}

static void repl_read_on_answer(struct repl *r, uint64_t token, uint64_t index)
{
    list_foreach(it, &r->reads) {
        struct repl_read *q = list_entry(it, struct repl_read, link);
        if (!q->from && q->token == token && q->state == REPL_READ_ASK) {
            q->index = index;
            q->state = REPL_READ_WAIT;
            return;
        }
    }
}

int repl_read_frame(struct repl *r, uint64_t peer, uint8_t type, const uint8_t *data, size_t len)
{
    if (len != (type == MESH_READ ? 8u : 16u))
        return ERR_CORRUPT;
    uint64_t first = wire_load(data, 8), second = len == 16 ? wire_load(data + 8, 8) : 0;
    if (type == MESH_READ)
        repl_read_on_question(r, peer, first);
    else if (type == MESH_READ_ANSWER)
        repl_read_on_answer(r, first, second);
    else if (type == MESH_CONFIRM) {
        if (first == raft_current_term(&r->raft) && mesh_send(r->mesh, peer, MESH_CONFIRMED, 0, data, len) == ERR_NOMEM)
            return 0;
    } else if (repl_leading(r) && first == raft_current_term(&r->raft) && second == r->read_round) {
        for (unsigned i = 0; i < r->n_read_acks; i++)
            if (r->read_acks[i] == peer)
                return 0;
        if (r->n_read_acks < REPL_MEMBERS_MAX)
            r->read_acks[r->n_read_acks++] = peer;
    }
    return 0;
}
