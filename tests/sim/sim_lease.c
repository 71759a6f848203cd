/* Whether a node may act, who is declared down, who announces itself: what node/replica.c and node/lease.c do, by the pure rule of
 * raft/lease_rule.h. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"

/* Declared down, alive (node/lease.c). */
static bool fallen(const struct sim_node *n)
{
    const struct core_node *me = core_node(n->c, n->name);
    return me && !me->up && me->incarnation == n->incarnation;
}

bool lease_held(const struct sim *s, const struct sim_node *n)
{
    uint64_t base = sim_alive(n) ? raft_lease_base(s, n) : 0;
    return base && s->now - base <= SIM_LEASE_US && !fallen(n);
}

static void count(struct sim_node *n, uint64_t index, uint64_t base)
{
    if (base > n->base && lease_counts(core_applied_index(n->c), index))
        n->base = base;
}

void lease_pong(struct sim *s, struct sim_node *n, const struct sim_msg *m)
{
    n->contact[m->from] = s->now;
    if (n->role == ROLE_LEADER && m->term == n->term && m->place == n->i) {
        if (m->a > n->answered[m->from])
            n->answered[m->from] = m->a;
        return;
    }
    if (m->b == UINT64_MAX || m->term < n->term)
        return;
    n->counted[n->next_counted++ % 4] = (struct sim_counted){m->index, lease_follower_base(m->a, m->b)};
    for (unsigned i = 0; i < 4; i++)
        count(n, n->counted[i].index, n->counted[i].base);
}

void lease_applied(struct sim *s, struct sim_node *n)
{
    (void)s;
    for (unsigned i = 0; i < 4; i++)
        count(n, n->counted[i].index, n->counted[i].base);
}

/* ---- who is there */

static void announce(struct sim *s, struct sim_node *n)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__NodeUp up = EV__NODE_UP__INIT;
    char ip[16], sip1[24], sip2[24], https[] = "127.0.0.1:443", peer[] = "127.0.0.1:444", version[] = "1";
    (void)snprintf(ip, sizeof ip, "10.0.0.%d", n->i + 1);
    (void)snprintf(sip1, sizeof sip1, "10.0.0.%d:5060", n->i + 1);
    (void)snprintf(sip2, sizeof sip2, "10.1.0.%d:5060", n->i + 1);
    char *sip[] = {sip1, sip2}, *service[] = {ip}, *sites[] = {"a", "b"};
    cmd.body_case = EV__COMMAND__BODY_NODE_UP;
    cmd.node_up = &up;
    up.name = n->name;
    up.node_id = (uint64_t)n->i + 1;
    up.incarnation = n->incarnation;
    up.site = sites[n->i % 2];
    up.sip = sip;
    up.n_sip = 2;
    up.service_ip = service;
    up.n_service_ip = 1;
    up.https = https;
    up.peer = peer;
    up.version = version;
    up.max_feature_level = CORE_FEATURE_LEVEL;
    n->announcing = true;
    raft_propose(s, n, &cmd, SIM_P_NODE_UP, 0, 0);
}

static void declare_down(struct sim *s, struct sim_node *n, unsigned i, const struct core_node *c, const char *why)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__NodeDown down = EV__NODE_DOWN__INIT;
    sim_say(s, "%s declares %s down: %s", n->name, s->nodes[i].name, why);
    cmd.body_case = EV__COMMAND__BODY_NODE_DOWN;
    cmd.node_down = &down;
    down.name = s->nodes[i].name;
    down.incarnation = c->incarnation;
    down.term = n->term;
    down.why = (char *)(uintptr_t)why;
    n->declaring[i] = true;
    raft_propose(s, n, &cmd, SIM_P_NODE_DOWN, i, n->term);
    sim_maybe_strike(s, n, 5);
}

/* A connection is tried now and then: a process that is gone refuses it, and a later one greets, if the way there and back is open. */
static void look(struct sim *s, struct sim_node *n, unsigned i)
{
    const struct sim_node *o = &s->nodes[i];
    bool path = !s->cut[n->i][i] && !s->cut[i][n->i], greets = sim_alive(o);
    uint64_t dead = greets ? o->incarnation - 1 : o->incarnation;
    if (!path || (!greets && (o->running || s->now - o->stopped_at < 3 * SIM_MS)) || n->dead[i] >= dead)
        return;
    n->dead[i] = dead;
    if (n->leader == (int)i && (!greets || n->leader_heard < o->stopped_at)) { /* the fast path of an election */
        n->leader_heard = 0;
        n->election_at = s->now + 1 + sim_below(s, 60 * SIM_MS);
    }
}

static void watch(struct sim *s, struct sim_node *n)
{
    for (unsigned i = 0; i < s->n; i++) {
        if ((int)i == n->i)
            continue;
        look(s, n, i);
        const struct core_node *c = core_node(n->c, s->nodes[i].name);
        if (n->role != ROLE_LEADER || !n->ready || !c || !c->up || n->declaring[i])
            continue;
        bool dead = n->dead[i] && n->dead[i] >= c->incarnation;
        if (lease_may_declare(s->now, n->leading_since, n->renewed[i], SIM_DETECT_US, dead))
            declare_down(s, n, i, c, dead ? "dead" : "silent");
    }
}

/* The leader raises the level once all nodes know the next (node/replica.c). */
static void raise_level(struct sim *s, struct sim_node *n)
{
    uint32_t all = 0, level = core_feature_common(n->c);
    for (const struct core_node *k = NULL; (k = core_node_next(n->c, k)) != NULL;)
        all++;
    if (n->role != ROLE_LEADER || !n->ready || n->tick_pending || all < s->n || level <= core_feature_level(n->c))
        return;
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__FeatureLevel m = EV__FEATURE_LEVEL__INIT;
    cmd.body_case = EV__COMMAND__BODY_FEATURE;
    cmd.feature = &m;
    m.level = level;
    n->tick_pending = true;
    raft_propose(s, n, &cmd, SIM_P_TICK, 0, 0);
}

static void tick(struct sim *s, struct sim_node *n)
{
    uint64_t due = core_next_due_us(n->c);
    if (!n->ready || n->tick_pending || !due || due > raft_wall_us(s, n))
        return;
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__Tick t = EV__TICK__INIT;
    cmd.body_case = EV__COMMAND__BODY_TICK;
    cmd.tick = &t;
    n->tick_pending = true;
    raft_propose(s, n, &cmd, SIM_P_TICK, 0, 0);
}

void lease_turn(struct sim *s, struct sim_node *n)
{
    if (s->now - n->pinged_at >= SIM_PING_US) {
        n->pinged_at = s->now;
        for (unsigned i = 0; i < s->n; i++) {
            struct sim_msg m = {.type = MSG_PING, .from = n->i, .to = (int)i, .a = s->now};
            if (m.to != n->i)
                sim_send(s, m);
        }
    }
    const struct core_node *me = core_node(n->c, n->name);
    bool up = me && me->up && me->incarnation == n->incarnation;
    if (!up)
        n->announced = false;
    if (!up && !n->announcing && n->leader >= 0)
        announce(s, n);
    watch(s, n);
    raise_level(s, n);
    tick(s, n);
    uint64_t base = raft_lease_base(s, n);
    uint64_t age = base ? s->now - base : UINT64_MAX;
    if (!n->dropped && (age > SIM_DROP_US || fallen(n))) {
        n->dropped = true;
        sim_say(s, "%s lets go of everything: %s", n->name, fallen(n) ? "declared down" : "no lease");
        owner_forget_all(n);
        memset(n->bound, 0, sizeof n->bound);
        memset(n->binding, 0, sizeof n->binding);
        memset(n->cannot, 0, sizeof n->cannot);
    } else if (n->dropped && age <= SIM_LEASE_US && !fallen(n)) {
        n->dropped = false;
        sim_say(s, "%s has its lease", n->name);
        owner_resume(s, n);
    }
}
