/* The fast way to a new leader. libraft waits for its election time-out (300 to 600 ms, then votes); but when the leader's process is
 * known dead (its connection closed, and a new one refused or taken by a later process) or was silent for detect_ms, there is nothing to
 * wait for.
 *
 * Each node tells the others, at once, whether it hears the leader and how far its log goes. When a majority of the voters does not
 * hear it, the living voter with the newest log (of equal ones the lowest id) feeds itself the message by which a leader hands over
 * (RAFT_TIMEOUT_NOW): it stands for election without asking beforehand. The newest log of a majority gets the votes of that majority,
 * so this is the last word unless it dies meanwhile. Who could not win stands never: it would only raise the term against the one
 * who can. A node that alone has lost its link to the leader starts nothing: the others still hear it.
 *
 * The others follow REPL_ELECT_RANK_MS later one after the other, should who comes before them say nothing. Who stands says so before
 * it writes its vote: it is waited for then, as slow as its disk may be, for REPL_ELECT_PATIENCE_MS at the longest. */
#include "base/clock.h"
#include "base/log.h"
#include "raft/repl_int.h"

#define REPL_ELECT_RANK_MS 30u
#define REPL_ELECT_AGAIN_MS 50u
#define REPL_ELECT_SYNCS \
    4u /* so many times a vote is written in the shortest time-out: by who stands, by who votes, and as much again */
#define REPL_ELECT_VAIN 4u           /* so many time-outs without a leader: it is doubled */
#define REPL_ELECT_PATIENCE_MS 4000u /* from here on it is not */
#define REPL_ELECT_AGREED_MS 1000u   /* a majority that is seen again within this was there all the time */

/* How long libraft waits while there is no leader: as long as votes take here, and twice that whenever elections have followed one another in
 * vain for a while. What delays them (loops that turn late, slow links) is not known, but each must be over before the next begins. */
static unsigned repl_elect_patience(const struct repl *r)
{
    unsigned ms = REPL_ELECT_AGAIN_MS + REPL_ELECT_SYNCS * (unsigned)((r->elect.term_us + r->elect.vote_us) / 1000u);
    uint64_t vain_us = r->now_us - r->elect.agreed_us;
    while (ms < REPL_ELECT_PATIENCE_MS && vain_us > REPL_ELECT_VAIN * 1000ull * ms)
        ms *= 2;
    return ms;
}

static void repl_elect_timeout(struct repl *r)
{
    unsigned ms = r->elect.agreed_us ? repl_elect_patience(r) : r->election_ms;
    if (ms == r->elect.timeout_ms)
        return;
    r->elect.timeout_ms = ms;
    raft_set_election_timeout(&r->raft, ms);
}

/* libraft's time-out counts from now. */
static void repl_elect_wait_anew(struct repl *r)
{
    r->raft.election_timer_start = r->raft.io->time(r->raft.io);
}

/* While a majority says that there is no leader libraft's own time-out is short too: votes may be split on a busy machine, and who knows
 * no leader that is gone (it had lost it before) cannot stand at once. Its random part is as long as this, and it asks before it stands.
 * It counts from now, not from when the leader was last heard, or it would be over before those who can stand at once have done so. */
static void repl_elect_hurry(struct repl *r, bool agreed, bool hears)
{
    if (agreed)
        r->elect.agreed_last_us = r->now_us;
    if (hears || r->now_us - r->elect.agreed_last_us > REPL_ELECT_AGREED_MS * 1000u)
        r->elect.agreed_us = 0;
    else if (agreed && !r->elect.agreed_us) {
        r->elect.agreed_us = r->now_us;
        repl_elect_wait_anew(r);
    }
    repl_elect_timeout(r);
}

/* The process that led when this node last heard a leader is dead, whoever answers under its id now. */
static bool repl_elect_gone(const struct repl *r, uint64_t leader)
{
    const struct repl_watch *w = repl_watch_find((struct repl *)(uintptr_t)r, leader);
    return w && w->gone_term && w->gone_term == r->elect.led_term;
}

bool repl_elect_hears(const struct repl *r, uint64_t leader)
{
    struct mesh_peer_state state;
    if (!leader || leader == r->ident.id)
        return leader != 0;
    return mesh_peer_state(r->mesh, leader, &state) && state.up && !state.silent && !repl_elect_gone(r, leader);
}

/* libraft has no function for it. */
static uint64_t repl_elect_last_term(const struct raft_trail *t)
{
    return t->front == t->back ? t->snapshot.term : t->records[(t->back + t->size - 1) % t->size].term;
}

struct repl_place repl_elect_place(const struct repl *r)
{
    return (struct repl_place){repl_elect_last_term(&r->raft.trail),
                               raft_last_index((struct raft *)(uintptr_t)&r->raft)};
}

/* Below 0: a's log is older than b's (Raft paper, section 5.4.1). */
static int repl_elect_compare(struct repl_place a, struct repl_place b)
{
    if (a.term != b.term)
        return a.term < b.term ? -1 : 1;
    return a.index < b.index ? -1 : a.index > b.index;
}

static bool repl_elect_alive(const struct repl *r, uint64_t id)
{
    struct mesh_peer_state state;
    return mesh_peer_state(r->mesh, id, &state) && state.up && !state.silent;
}

/* What the living voters say. */
struct repl_poll {
    bool agreed;   /* a majority does not hear the leader */
    bool winnable; /* and one of it has no newer log than ours */
    bool awaits;   /* one that we would vote for says that it stands */
    unsigned rank; /* how many come before us */
};

static void repl_elect_count(const struct repl *r, const struct repl_watch *w, uint64_t leader, uint64_t term,
                             struct repl_poll *out, unsigned *lost, unsigned *behind)
{
    int than_ours = repl_elect_compare(w->place, repl_elect_place(r));
    bool lower = w->id < r->ident.id;
    if (w->told && w->stands_term == term && than_ours >= 0)
        out->awaits = true;
    if (w->told && !(w->hears && (!leader || w->leader == leader))) {
        ++*lost;
        *behind += than_ours <= 0;
        /* one that knows another leader, or none, cannot stand at once */
        out->rank += than_ours > 0 || (!than_ours && lower && w->leader == leader);
    } else
        out->rank += lower;
}

static struct repl_poll repl_elect_ask(struct repl *r, uint64_t leader, uint64_t term)
{
    struct repl_poll out = {.rank = 0};
    unsigned voters = 0, lost = 0, behind = 0;
    bool self = false;
    for (unsigned i = 0; i < r->n_members; i++) {
        const struct repl_member *m = &r->members[i];
        if (m->role != RAFT_VOTER)
            continue;
        voters++;
        const struct repl_watch *w = m->id == leader ? NULL : repl_watch_find(r, m->id);
        if (m->id == r->ident.id)
            self = true;
        else if (w && repl_elect_alive(r, m->id))
            repl_elect_count(r, w, leader, term, &out, &lost, &behind);
    }
    out.agreed = self && lost + 1 > voters / 2;
    out.winnable = self && behind + 1 > voters / 2;
    return out;
}

static void repl_elect_timer_cb(uv_timer_t *t)
{
    (void)t; /* being woken is enough: repl_pump looks again */
}

static void repl_elect_stand(struct repl *r, uint64_t leader, uint64_t term)
{
    struct repl_place place = repl_elect_place(r);
    struct raft_message m = {.type = RAFT_TIMEOUT_NOW};
    m.timeout_now.term = term;
    m.timeout_now.last_log_index = place.index;
    m.timeout_now.last_log_term = place.term;
    log_notice("raft", "the leader %llu is gone: this node stands for election", (unsigned long long)leader);
    r->elect.stood_term = term;
    mesh_tell(r->mesh);
    mesh_flush(r->mesh); /* before the vote is written */
    repl_io_deliver(r, &m, leader);
    repl_elect_timeout(r); /* now it is known how long that takes: votes need as long */
}

/* libraft would not stand now. */
static bool repl_elect_writes(const struct repl *r)
{
    return r->raft.last_stored < raft_last_index((struct raft *)(uintptr_t)&r->raft) || r->raft.snapshot.installing;
}

/* The term of then is kept even while another one is waited for: whoever has voted for it in the next one does not stand against it. */
static void repl_elect_begin(struct repl *r, uint64_t leader, uint64_t term)
{
    if (r->elect.since_us && r->elect.leader == leader)
        return;
    r->elect.since_us = r->now_us;
    r->elect.leader = leader;
    r->elect.term = term;
    r->elect.due_polls = 0;
}

/* Whether it is this node's turn. */
static bool repl_elect_due(struct repl *r, uint64_t term, unsigned rank)
{
    uint64_t due = r->elect.since_us + rank * REPL_ELECT_RANK_MS * 1000ull;
    if (r->now_us < due) {
        if (!uv_is_active((uv_handle_t *)&r->elect.timer))
            uv_timer_start(&r->elect.timer, repl_elect_timer_cb, (due - r->now_us) / 1000u + 1u, 0);
        return false;
    }
    /* A loop that stood still is late itself. Who comes before us may have asked for our vote meanwhile: that is read first, or both
     * stand in the same term and neither is elected. */
    if (!r->elect.due_polls)
        r->elect.due_polls = r->elect.polls + 1;
    if (r->elect.polls < r->elect.due_polls) {
        uv_timer_start(&r->elect.timer, repl_elect_timer_cb, 0, 0);
        return false;
    }
    /* once a term; not while somebody stands whom we voted for */
    return r->elect.stood_term != term && !(term > r->elect.term && raft_voted_for(&r->raft));
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
    bool gone =
        leader && !hears && mesh_peer_state(r->mesh, leader, &state) && (state.silent || repl_elect_gone(r, leader));
    struct repl_poll poll = {.rank = 0};
    if ((gone || !leader) && !r->stopping && !r->plain_elections)
        poll = repl_elect_ask(r, leader, term);
    repl_elect_hurry(r, poll.agreed, hears);
    if (poll.awaits && r->elect.agreed_us && r->now_us - r->elect.agreed_us < REPL_ELECT_PATIENCE_MS * 1000ull)
        repl_elect_wait_anew(r);
    if (!gone || !poll.agreed || raft_state(&r->raft) != RAFT_FOLLOWER)
        r->elect.since_us = 0;
    else {
        repl_elect_begin(r, leader, term);
        if (poll.winnable && !poll.awaits && !repl_elect_writes(r) && repl_elect_due(r, term, poll.rank))
            repl_elect_stand(r, leader, term);
    }
}
