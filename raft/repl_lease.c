/* The age of a node's lease to act on calls, and who may be declared down: the rule of lease_rule.h with what comes over the mesh.
 *
 * A ready leader that answers a ping renews the lease of the node that sent it: beside the answer travel the age that the leader
 * has of its own and its commit index. The leader's own counts from the pings that a majority answered while in its term. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "raft/lease_rule.h"
#include "raft/repl_int.h"
#include "raft/wire.h"

#define REPL_LEASE_BYTES 53u
#define REPL_LEASE_RENEWS 1u
#define REPL_LEASE_HEARS 2u
#define REPL_LEASE_STANDS 4u
_Static_assert(REPL_LEASE_BYTES <= MESH_ANSWER_MAX, "it travels beside the answer to a ping");

struct repl_watch *repl_watch_find(struct repl *r, uint64_t id)
{
    for (unsigned i = 0; i < REPL_WATCHES_MAX; i++)
        if (r->watches[i].id == id)
            return &r->watches[i];
    return NULL;
}

/* One that is no longer a member gives way: it was last renewed before it was removed. */
struct repl_watch *repl_watch_get(struct repl *r, uint64_t id)
{
    struct repl_watch *w = repl_watch_find(r, id), *old = NULL;
    if (w)
        return w;
    for (unsigned i = 0; i < REPL_WATCHES_MAX; i++) {
        w = &r->watches[i];
        if ((!w->id || !repl_member_find(r, w->id)) && (!old || w->renewed_us < old->renewed_us))
            old = w;
    }
    if (old)
        *old = (struct repl_watch){.id = id};
    return old;
}

static bool repl_lease_leads(const struct repl *r)
{
    return repl_leading(r) && r->leader_ready;
}

/* Since when a majority is known to be in our term; 0 never. */
static uint64_t repl_lease_of_leader(const struct repl *r, uint64_t now)
{
    uint64_t sent[REPL_MEMBERS_MAX], term = raft_current_term(&r->raft);
    unsigned n = 0;
    for (unsigned i = 0; i < r->n_members; i++) {
        const struct repl_member *m = &r->members[i];
        if (m->role != RAFT_VOTER)
            continue;
        const struct repl_watch *w = repl_watch_find((struct repl *)(uintptr_t)r, m->id);
        sent[n++] = m->id == r->ident.id ? now : w && w->led_term == term ? w->led_us : 0;
    }
    return lease_majority_base(sent, n);
}

static uint64_t repl_lease_since(const struct repl *r, uint64_t now)
{
    uint64_t since = r->lease_us;
    if (!r->raft_up || r->raft_closing || r->dead)
        return since;
    for (unsigned i = 0; i < REPL_RENEWALS_MAX; i++) {
        const struct repl_renewal *n = &r->renewals[i];
        if (n->since_us > since && lease_counts(raft_last_applied((struct raft *)(uintptr_t)&r->raft), n->commit))
            since = n->since_us;
    }
    uint64_t own = repl_lease_leads(r) ? repl_lease_of_leader(r, now) : 0;
    return own > since ? own : since;
}

uint64_t repl_lease_age_us(const struct repl *r)
{
    uint64_t now = clock_mono_now().us, since = repl_lease_since(r, now);
    return !since ? UINT64_MAX : now > since ? now - since : 0;
}

/* ---- what travels beside the answers to pings */

/* Own commands are applied in sequence and stay in the list until then, answered or not: so what becomes of a NodeDown is known
 * once nothing is left of what had been sent when its proposer was done with it. */
static bool repl_fence_stands(const struct repl *r, const struct repl_watch *w)
{
    if (!w || w->fenced_term != raft_current_term(&r->raft))
        return false;
    if (!w->fenced_until)
        return true;
    const struct repl_pend *oldest = list_empty(&r->pends) ? NULL : list_entry(r->pends.next, struct repl_pend, link);
    return oldest && oldest->seq && oldest->seq < w->fenced_until;
}

static bool repl_lease_may_renew(struct repl *r, uint64_t peer, uint64_t now)
{
    struct mesh_peer_state state;
    if (!lease_may_grant(repl_lease_leads(r), repl_fence_stands(r, repl_watch_find(r, peer))) || r->stopping)
        return false;
    /* what we send does not reach it, so it will be declared down: its answers shall not reach it late */
    return mesh_peer_state(r->mesh, peer, &state) && state.contact_us &&
           now - state.contact_us < r->detect_ms * 1000ull && repl_lease_of_leader(r, now);
}

size_t repl_lease_answer(void *ctx, uint64_t peer, bool asked, uint8_t *out)
{
    struct repl *r = ctx;
    uint64_t now = clock_mono_now().us, term = 0, leader = 0, commit = 0, age = 0;
    uint8_t flags = 0;
    struct repl_place place = {0, 0};
    if (r->raft_up && !r->raft_closing && !r->dead) {
        term = raft_current_term(&r->raft);
        leader = repl_leader(r);
        commit = raft_commit_index(&r->raft);
        place = repl_elect_place(r);
        flags |= repl_elect_hears(r, leader) ? REPL_LEASE_HEARS : 0;
        flags |= term && r->elect.stood_term == term ? REPL_LEASE_STANDS : 0;
        struct repl_watch *w = asked && repl_lease_may_renew(r, peer, now) ? repl_watch_get(r, peer) : NULL;
        if (w) {
            uint64_t since = repl_lease_of_leader(r, now);
            age = now > since ? now - since : 0;
            w->renewed_us = now;
            flags |= REPL_LEASE_RENEWS;
        }
    }
    uint8_t *p = wire_put64(out, term);
    p = wire_put64(p, leader);
    p = wire_put64(p, commit);
    p = wire_put64(p, age);
    p = wire_put32(p, r->detect_ms);
    p = wire_put64(p, place.term);
    p = wire_put64(p, place.index);
    p = wire_put8(p, flags);
    return (size_t)(p - out);
}

static void repl_lease_renewed(struct repl *r, uint64_t since_us, uint64_t commit)
{
    unsigned at = r->next_renewal++ % REPL_RENEWALS_MAX;
    r->lease_us = repl_lease_since(r, clock_mono_now().us); /* before one is written over */
    r->renewals[at] = (struct repl_renewal){since_us, commit};
}

static void repl_lease_compare(struct repl *r, struct repl_watch *w, uint32_t detect_ms)
{
    if (w->detect_ms != detect_ms && detect_ms != r->detect_ms)
        log_warn("raft", "node %llu has detect_ms %u, this one %u: they must be equal", (unsigned long long)w->id,
                 detect_ms, r->detect_ms);
    w->detect_ms = detect_ms;
}

int repl_lease_answered(void *ctx, uint64_t peer, uint64_t sent_us, const uint8_t *data, size_t len)
{
    struct repl *r = ctx;
    struct wire_reader in;
    wire_reader_init(&in, data, len);
    uint64_t term = wire_get64(&in), leader = wire_get64(&in), commit = wire_get64(&in), age = wire_get64(&in);
    uint32_t detect_ms = wire_get32(&in);
    struct repl_place place = {.term = wire_get64(&in)};
    place.index = wire_get64(&in);
    uint8_t flags = wire_get8(&in);
    if (in.bad || wire_left(&in))
        return ERR_CORRUPT;
    struct repl_watch *w = repl_watch_get(r, peer);
    if (!w || !r->raft_up || r->raft_closing || r->dead)
        return 0;
    repl_lease_compare(r, w, detect_ms);
    w->told = true;
    w->leader = leader;
    w->hears = flags & REPL_LEASE_HEARS;
    w->place = place;
    w->stands_term = flags & REPL_LEASE_STANDS ? term : 0;
    uint64_t own = raft_current_term(&r->raft);
    if (!sent_us && peer == repl_leader(r))
        mesh_ping(r->mesh); /* it tells that it leads: the sooner our lease is renewed */
    if (!sent_us || term != own)
        return 0;
    if (repl_leading(r)) {
        w->led_us = w->led_term == own && w->led_us > sent_us ? w->led_us : sent_us;
        w->led_term = own;
        r->lease_us = repl_lease_since(r, clock_mono_now().us);
    } else if (flags & REPL_LEASE_RENEWS)
        repl_lease_renewed(r, lease_follower_base(sent_us, age), commit);
    return 0;
}

/* ---- who may be declared down */

static uint64_t repl_fence_wait_us(const struct repl *r)
{
    uint32_t ms = r->detect_ms;
    for (unsigned i = 0; i < REPL_WATCHES_MAX; i++)
        if (r->watches[i].detect_ms > ms)
            ms = r->watches[i].detect_ms;
    return ms * 1000ull;
}

bool repl_fence(struct repl *r, uint64_t id, bool dead)
{
    uint64_t now = clock_mono_now().us, wait = repl_fence_wait_us(r);
    /* of a dead process nothing has to be known, and until we are ready nobody gets a lease */
    if (!r->raft_up || !(dead ? repl_leading(r) : repl_lease_leads(r)))
        return false;
    struct repl_watch *w = repl_watch_get(r, id);
    if (!w || !lease_may_declare(now, r->lead_since_us, w->renewed_us, wait, dead))
        return false;
    /* who hears no majority is cut off itself, and would have it committed only when all are back */
    if (!dead && now - repl_lease_of_leader(r, now) >= wait)
        return false;
    w->fenced_term = raft_current_term(&r->raft);
    w->fenced_until = 0;
    return true;
}

void repl_unfence(struct repl *r, uint64_t id)
{
    struct repl_watch *w = repl_watch_find(r, id);
    if (w)
        w->fenced_until = r->next_seq;
}

void repl_lease_silent(void *ctx, uint64_t peer, bool silent)
{
    struct repl *r = ctx;
    if (!r->stopping && r->h.peer_silent)
        r->h.peer_silent(r->h.ctx, peer, silent);
}
