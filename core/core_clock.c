/* The clock of the replicated state.
 *
 * Every command brings its time, and times never go back. What would follow any clock forward would follow a broken one for good:
 * a machine that wakes up in 2036 would end every registration, and no node would ever be in time again. So:
 * - A step of at most CORE_CLOCK_STEP_US is believed. The leader proposes a Tick every CORE_CLOCK_BEAT_US at the latest, so a
 *   cluster that works makes no larger one.
 * - Beyond it (all nodes were off, or without a majority) two nodes must say so: the clock goes to the lesser of what the node
 *   at hand and the most advanced other one tell. A node that is up alone is believed.
 * - The first time of all is taken as it is: whoever founds the cluster sets its clock.
 * What a node told stands in its row, so that every node decides alike, after a restart too. */
#include "core/core_int.h"

static void told(struct core *c, struct node *n, uint64_t clock_us)
{
    if (n->msg->clock_us == clock_us)
        return;
    n->msg->clock_us = n->pub.clock_us = clock_us;
    if (list_empty(&n->dirty))
        list_push_back(&c->dirty_nodes, &n->dirty);
}

/* How far the others bear the claim out. */
static uint64_t confirmed(const struct core *c, const struct node *claimant, uint64_t claim)
{
    uint64_t best = 0;
    bool alone = true;
    for (size_t i = 0; i < c->n_nodes; i++) {
        const struct node *o = c->node_list[i];
        if (o == claimant || !o->pub.up)
            continue;
        alone = false;
        if (o->msg->clock_us > best)
            best = o->msg->clock_us;
    }
    return alone || best > claim ? claim : best;
}

void core_clock_advance(struct core *c, const Ev__Command *cmd)
{
    uint64_t t = cmd->time_us, claim = cmd->clock_us;
    if (c->now_us == 0) {
        c->now_us = t;
        return;
    }
    if (t > c->now_us + CORE_CLOCK_STEP_US) {
        claim = t > claim ? t : claim;
        t = 0;
    }
    struct node *n = map_get(&c->nodes, cmd->node);
    if (n)
        told(c, n, claim);
    if (n && claim > c->now_us) {
        uint64_t to = confirmed(c, n, claim);
        t = to > t ? to : t;
    }
    /* Clocks of nodes differ: no two commands have the same time, so that times alone give the order of the log. */
    c->now_us = t > c->now_us ? t : c->now_us + 1;
}
