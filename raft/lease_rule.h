/* The rule by which a node may act on calls, and by which the leader may give its calls away: pure arithmetic, no clock, no
 * state, so that the simulation (tests/sim) runs the very same lines as the node. Times are microseconds of this node's
 * monotonic clock (base/clock.h: it does not stop in suspend); a "base" is a moment at which this node is known to have been part of a majority that followed the leader.
 *
 * Claim: when a NodeDown(X) is committed, no base that X holds or will get before it has applied that NodeDown is younger than
 * detect_us before the commit. Why:
 *  - The leader gives X's lease its own base b at most. Each voter of its majority answered at or after b while it followed this
 *    leader's term; a later leader has one of them among its voters, who voted after answering: it was elected after b, and it
 *    declares X no sooner than detect_us later (lease_may_declare counts silence from its election at the earliest).
 *  - The same leader declares X after it has heard nothing from X for detect_us; X's base is not later than the sending
 *    of the last ping that this leader heard.
 *  - While a NodeDown(X) is on its way, and before a leader has applied all that it inherited, it grants nothing (lease_may_grant);
 *    and a NodeDown counts only in the term in which it was proposed (core checks), so a deposed leader's does not reach X.
 *  - X does not count an answer before it has applied what was committed when the answer was given (lease_counts): after a
 *    time away it learns what it lost first.
 *  - A process that refuses connections, or whose successor greets, is dead; that says nothing about a later process. */
#ifndef RAFT_LEASE_RULE_H
#define RAFT_LEASE_RULE_H

#include <stdbool.h>
#include <stdint.h>

/* The leader's own base: sent_us[i] is when the latest ping was sent that voter i answered as a follower of this term (0: none);
 * for itself it is `now_us`. With an even or odd number of voters: the latest moment that more than half have reached.
 * 0: there is none. */
static inline uint64_t lease_majority_base(const uint64_t *sent_us, unsigned voters)
{
    uint64_t best = 0;
    for (unsigned i = 0; i < voters; i++) {
        unsigned reached = 0;
        for (unsigned j = 0; j < voters; j++)
            reached += sent_us[j] >= sent_us[i];
        if (reached > voters / 2 && sent_us[i] > best)
            best = sent_us[i];
    }
    return best;
}

/* A follower's base out of an answer of its leader: when the ping was sent, less the age that the leader had when it answered.
 * 0: the answer gives none. */
static inline uint64_t lease_follower_base(uint64_t sent_us, uint64_t leader_age_us)
{
    return leader_age_us < sent_us ? sent_us - leader_age_us : 0;
}

/* Whether the leader tells its age to this node (else: none). `ready`: it has applied an entry of its own term. `declaring`: it has
 * proposed that node's NodeDown and does not know yet what became of it. */
static inline bool lease_may_grant(bool ready, bool declaring)
{
    return ready && !declaring;
}

/* Whether an answer counts yet: this node has applied what the leader had committed when it answered. */
static inline bool lease_counts(uint64_t applied, uint64_t committed_at_answer)
{
    return applied >= committed_at_answer;
}

/* Whether the leader may declare a node down. `dead`: the process (incarnation) that is declared refused a connection, or a later one
 * has greeted, which holds the lock of its data folder. */
static inline bool lease_may_declare(uint64_t now_us, uint64_t leading_since_us, uint64_t heard_us, uint64_t detect_us,
                                     bool dead)
{
    uint64_t since = heard_us > leading_since_us ? heard_us : leading_since_us;
    return dead || now_us - since >= detect_us;
}

#endif
