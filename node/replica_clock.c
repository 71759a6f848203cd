/* The clock of the replicated state: what time a node takes it to be, and the Ticks that the leader keeps it going with. */
#include "base/clock.h"
#include "base/log.h"
#include "node/replica_int.h"

#define REPLICA_CLOCK_WAIT_US 1000000u

void replica_clock_note(struct node *n)
{
    n->replica->core_us = core_now_us(n->core);
    n->replica->core_mono_us = clock_mono_now().us;
}

/* As the machine's clock does not jump, what has passed since the last command is known: only the rest can be wrong. */
static uint64_t replica_far_ahead(const struct node_replica *r, uint64_t wall)
{
    uint64_t reckoned = r->core_us + (clock_mono_now().us - r->core_mono_us);
    return r->core_us && wall > reckoned + CORE_CLOCK_STEP_US / 2u ? wall - reckoned : 0;
}

uint64_t node_time_us(const struct node *n)
{
    uint64_t wall = clock_wall_now().us;
    const struct node_replica *r = n->replica;
    if (!r || !r->core_mono_us)
        return wall;
    uint64_t passed = clock_mono_now().us - r->core_mono_us;
    if (replica_far_ahead(r, wall))
        return r->core_us + passed;
    uint64_t replicated = r->core_us + passed - passed / 16;
    return replicated > wall ? replicated : wall;
}

uint64_t node_clock_us(const struct node *n)
{
    uint64_t wall = clock_wall_now().us;
    const struct node_replica *r = n->replica;
    return r && r->core_mono_us && replica_far_ahead(r, wall) ? wall : 0;
}

static void replica_clock_told(void *ctx, int status, const struct core_answer *a)
{
    struct node *n = ctx;
    (void)status;
    (void)a;
    n->replica->clock_pending = false;
}

/* A clock far ahead is told at once, not with the next call only: when all nodes see it (they were off, or without a majority) the
 * cluster's clock follows, when this one alone does it stays. */
void replica_tell_clock(struct node *n)
{
    struct node_replica *r = n->replica;
    const struct core_node *me = core_node(n->core, n->cfg.name);
    uint64_t own = node_clock_us(n), reckoned = node_time_us(n);
    uint64_t claim = own ? own : reckoned > r->core_us + CORE_CLOCK_STEP_US ? reckoned : 0;
    if (!claim)
        r->clock_warned = false;
    if (!claim || !me || r->clock_pending || claim < me->clock_us + CORE_CLOCK_STEP_US)
        return;
    if (own && !r->clock_warned) {
        log_warn("node",
                 "this machine's clock is %llu s ahead of the cluster's: not followed unless another node's is as well",
                 (unsigned long long)(replica_far_ahead(r, own) / 1000000u));
        r->clock_warned = true;
    }
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__Tick tick = EV__TICK__INIT;
    cmd.body_case = EV__COMMAND__BODY_TICK;
    cmd.tick = &tick;
    r->clock_pending = node_propose(n, &cmd, 0, replica_clock_told, n) == 0;
    if (!r->clock_told_us)
        r->clock_told_us = clock_mono_now().us;
}

/* All nodes were off: the others get a second to tell the same, so that what begins now begins in time. */
bool replica_clock_settles(const struct node *n)
{
    const struct node_replica *r = n->replica;
    return r->clock_told_us && node_clock_us(n) && clock_mono_now().us - r->clock_told_us < REPLICA_CLOCK_WAIT_US;
}

static void replica_tick_done(void *ctx, int status, const struct core_answer *a)
{
    struct node *n = ctx;
    (void)status;
    (void)a;
    n->replica->tick_pending = false;
    if (!n->stopping)
        replica_arm_due(n);
}

static void replica_due(uv_timer_t *t)
{
    struct node *n = t->data;
    if (!n->replica->leader_ready || n->replica->tick_pending)
        return;
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__Tick tick = EV__TICK__INIT;
    cmd.body_case = EV__COMMAND__BODY_TICK;
    cmd.tick = &tick;
    n->replica->tick_pending = node_propose(n, &cmd, 0, replica_tick_done, n) == 0;
}

void replica_arm_due(struct node *n)
{
    struct node_replica *r = n->replica;
    uint64_t due = core_next_due_us(n->core), beat = core_now_us(n->core) + CORE_CLOCK_BEAT_US;
    if (!due || due > beat)
        due = beat;
    if (!r->leader_ready || r->tick_pending || !r->core_us) {
        uv_timer_stop(&r->due);
        return;
    }
    uint64_t now = node_time_us(n);
    uv_timer_start(&r->due, replica_due, due > now ? (due - now) / 1000u + 1u : 0, 0);
}
