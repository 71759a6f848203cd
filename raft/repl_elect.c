/* The fast way to a new leader. libraft waits for its election time-out (300 to 600 ms, then votes); but when the leader's process is
 * known dead (its connection closed, and a new one refused or taken by a later process) or was silent for detect_ms, there is nothing to
 * wait for.
 *
 * Each node tells the others, at once, whether it hears the leader. When a majority of the voters does not, the living voter with the
 * lowest id feeds itself the message by which a leader hands over (RAFT_TIMEOUT_NOW): it stands for election without asking
 * beforehand. The others follow REPL_ELECT_RANK_MS later one after the other, should that fail. A node that alone has lost its link
 * to the leader starts nothing: the others still hear it. */
#include "base/clock.h"
#include "base/log.h"
#include "raft/repl_int.h"

#define REPL_ELECT_RANK_MS 30u
#define REPL_ELECT_AGAIN_MS 50u
#define REPL_ELECT_HURRY_MS 1000u /* not for ever: on a machine that is too busy elections would follow one another */

/* While the leader is known to be gone libraft's own time-out is short too: votes may be split on a busy machine, or whoever stands first
 * lacks an entry that another has. Its random part is as long as this, and it asks before it stands. */
static void repl_elect_hurry(struct repl *r, bool gone, bool hears, uint64_t term)
{
    if (gone && r->elect.hurried_term != term) {
        r->elect.hurried_term = term;
        r->elect.hurry_until_us = r->now_us + REPL_ELECT_HURRY_MS * 1000u;
    }
    bool on = !hears && r->now_us < r->elect.hurry_until_us;
    if (r->elect.hurries == on)
        return;
    r->elect.hurries = on;
    raft_set_election_timeout(&r->raft, on ? REPL_ELECT_AGAIN_MS : r->election_ms);
}

/* The process that led this term is dead, whoever answers under its id now. */
static bool repl_elect_gone(const struct repl *r, uint64_t leader)
{
    const struct repl_watch *w = repl_watch_find((struct repl *)(uintptr_t)r, leader);
    return w && w->gone_term && w->gone_term == raft_current_term((struct raft *)(uintptr_t)&r->raft);
}

bool repl_elect_hears(const struct repl *r, uint64_t leader)
{
    struct mesh_peer_state state;
    if (!leader || leader == r->ident.id)
        return leader != 0;
    return mesh_peer_state(r->mesh, leader, &state) && state.up && !state.silent && !repl_elect_gone(r, leader);
}

static bool repl_elect_alive(const struct repl *r, uint64_t id)
{
    struct mesh_peer_state state;
    return mesh_peer_state(r->mesh, id, &state) && state.up && !state.silent;
}

/* True when a majority of the voters says that it does not hear the leader; *rank: how many living voters come before us. */
static bool repl_elect_agreed(struct repl *r, uint64_t leader, unsigned *rank)
{
    unsigned voters = 0, lost = 0;
    bool self = false;
    *rank = 0;
    for (unsigned i = 0; i < r->n_members; i++) {
        const struct repl_member *m = &r->members[i];
        if (m->role != RAFT_VOTER)
            continue;
        voters++;
        if (m->id == r->ident.id) {
            self = true;
            lost++;
        } else if (m->id != leader && repl_elect_alive(r, m->id)) {
            const struct repl_watch *w = repl_watch_find(r, m->id);
            lost += w && w->told && !(w->hears && w->leader == leader);
            *rank += m->id < r->ident.id;
        }
    }
    return self && lost > voters / 2;
}

static void repl_elect_timer_cb(uv_timer_t *t)
{
    (void)t; /* being woken is enough: repl_pump looks again */
}

/* libraft has no function for it. */
static uint64_t repl_elect_last_term(const struct raft_trail *t)
{
    return t->front == t->back ? t->snapshot.term : t->records[(t->back + t->size - 1) % t->size].term;
}

static void repl_elect_stand(struct repl *r, uint64_t leader)
{
    struct raft_message m = {.type = RAFT_TIMEOUT_NOW};
    m.timeout_now.term = raft_current_term(&r->raft);
    m.timeout_now.last_log_index = raft_last_index(&r->raft);
    m.timeout_now.last_log_term = repl_elect_last_term(&r->raft.trail);
    log_notice("raft", "the leader %llu is gone: this node stands for election", (unsigned long long)leader);
    repl_io_deliver(r, &m, leader);
}

void repl_elect_pump(struct repl *r)
{
    uint64_t leader = repl_leader(r), term = raft_current_term(&r->raft);
    bool hears = repl_elect_hears(r, leader);
    if (leader != r->elect.told_leader || hears != r->elect.told_hears) {
        r->elect.told_leader = leader;
        r->elect.told_hears = hears;
        mesh_tell(r->mesh);
    }
    struct mesh_peer_state state;
    unsigned rank;
    bool gone = leader && !hears && !r->stopping && !r->plain_elections && raft_state(&r->raft) == RAFT_FOLLOWER &&
                mesh_peer_state(r->mesh, leader, &state) && (state.silent || repl_elect_gone(r, leader));
    repl_elect_hurry(r, gone, hears, term);
    if (!gone || !repl_elect_agreed(r, leader, &rank)) {
        r->elect.since_us = 0;
        return;
    }
    if (!r->elect.since_us || r->elect.leader != leader) {
        r->elect.since_us = r->now_us;
        r->elect.leader = leader;
        r->elect.term = term;
        r->elect.due_polls = 0;
    }
    uint64_t due = r->elect.since_us + rank * REPL_ELECT_RANK_MS * 1000ull;
    if (r->now_us < due) {
        if (!uv_is_active((uv_handle_t *)&r->elect.timer))
            uv_timer_start(&r->elect.timer, repl_elect_timer_cb, (due - r->now_us) / 1000u + 1u, 0);
        return;
    }
    /* A loop that stood still is late itself. Who comes before us may have asked for our vote meanwhile: that is read first, or both
     * stand in the same term and neither is elected. */
    if (rank && !r->elect.due_polls)
        r->elect.due_polls = r->elect.polls + 1;
    if (rank && r->elect.polls < r->elect.due_polls) {
        uv_timer_start(&r->elect.timer, repl_elect_timer_cb, 0, 0);
        return;
    }
    /* once a term; not while somebody stands whom we voted for */
    if (r->elect.stood_term == term || (term > r->elect.term && raft_voted_for(&r->raft)))
        return;
    r->elect.stood_term = term;
    repl_elect_stand(r, leader);
}
