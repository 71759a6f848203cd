/* Service addresses on a node: what node/address.h says, without interfaces. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

int address_index(const char *ip)
{
    return strncmp(ip, "10.0.0.", 7) == 0 ? atoi(ip + 7) - 1 : -1;
}

static void say(struct sim *s, struct sim_node *n, const struct core_address *a, bool bound)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__AddressState m = EV__ADDRESS_STATE__INIT;
    char why[] = "hook failed";
    cmd.body_case = EV__COMMAND__BODY_ADDRESS_STATE;
    cmd.address_state = &m;
    m.ip = (char *)(uintptr_t)a->ip;
    m.epoch = a->epoch;
    m.bound = bound;
    if (!bound)
        m.why = why;
    n->telling[address_index(a->ip)] = true;
    raft_propose(s, n, &cmd, SIM_P_ADDRESS_STATE, (unsigned)address_index(a->ip), 0);
}

static void give(struct sim *s, struct sim_node *n, const struct core_address *a)
{
    int i = address_index(a->ip);
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__AddressGiven m = EV__ADDRESS_GIVEN__INIT;
    cmd.body_case = EV__COMMAND__BODY_ADDRESS_GIVEN;
    cmd.address_given = &m;
    m.ip = (char *)(uintptr_t)a->ip;
    m.epoch = a->epoch;
    n->giving[i] = true;
    sim_say(s, "%s gives %s to %s", n->name, a->ip, a->target);
    owner_forget_address(s, n, i);
    n->bound[i] = false;
    raft_propose(s, n, &cmd, SIM_P_ADDRESS_GIVEN, (unsigned)i, 0);
}

static void move_home(struct sim *s, struct sim_node *n, const struct core_address *a)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__AddressMove m = EV__ADDRESS_MOVE__INIT;
    cmd.body_case = EV__COMMAND__BODY_ADDRESS_MOVE;
    cmd.address_move = &m;
    m.ip = (char *)(uintptr_t)a->ip;
    m.to = n->name;
    n->moving[address_index(a->ip)] = true;
    raft_propose(s, n, &cmd, SIM_P_ADDRESS_MOVE, (unsigned)address_index(a->ip), 0);
}

static bool is_mine(const struct sim_node *n, const struct core_address *a)
{
    const struct core_node *me = core_node(n->c, n->name);
    return strcmp(a->holder, n->name) == 0 && me && me->up && me->incarnation == n->incarnation;
}

void address_release(struct sim *s, struct sim_node *n)
{
    for (const struct core_address *a = NULL; (a = core_address_next(n->c, a)) != NULL;) {
        int i = address_index(a->ip);
        if (is_mine(n, a))
            continue;
        bool had = n->bound[i];
        n->bound[i] = n->cannot[i] = false;
        if (had)
            owner_address_lost(s, n, i);
    }
}

void address_turn(struct sim *s, struct sim_node *n)
{
    if (n->dropped || !lease_held(s, n))
        return;
    const struct core_node *me = core_node(n->c, n->name);
    for (const struct core_address *a = NULL; (a = core_address_next(n->c, a)) != NULL;) {
        int i = address_index(a->ip);
        if (!is_mine(n, a)) {
            if (n->announced && me && !me->draining && strcmp(a->home, n->name) == 0 && !a->target[0] && !n->moving[i])
                move_home(s, n, a);
        } else if (a->target[0]) {
            if (!n->giving[i] && !n->binding[i])
                give(s, n, a);
        } else if (!n->bound[i] && !n->binding[i] && !n->giving[i]) {
            n->binding[i] = true;
            struct sim_event ev = {.type = EV_BIND, .node = n->i, .life = n->life, .a = (uint64_t)i};
            sim_at(s, s->now + sim_between(s, 1, n->cannot[i] ? 1000 : 40) * SIM_MS, ev);
        } else if (n->bound[i] && !a->bound && !n->telling[i]) {
            say(s, n, a, true); /* what was on its way when it could be had after all has been applied since */
        }
    }
}

void address_bind_done(struct sim *s, struct sim_node *n, int i)
{
    char ip[16];
    (void)snprintf(ip, sizeof ip, "10.0.0.%d", i + 1);
    n->binding[i] = false;
    const struct core_address *a = core_address(n->c, ip);
    bool mine = a && is_mine(n, a) && !n->giving[i];
    if (!mine || n->dropped || !lease_held(s, n))
        return; /* the next turn sees to it */
    bool ok = s->quiet_time || !sim_chance(s, 10);
    n->bound[i] = ok;
    if (a->bound != ok || n->cannot[i] == ok)
        say(s, n, a, ok);
    n->cannot[i] = !ok;
    sim_say(s, "%s %s %s", n->name, ok ? "has" : "cannot have", ip);
    owner_address_ready(s, n);
}

void address_answer(struct sim_node *n, const struct sim_prop *p)
{
    if (p->what == SIM_P_ADDRESS_GIVEN)
        n->giving[p->arg] = false;
    else if (p->what == SIM_P_ADDRESS_MOVE)
        n->moving[p->arg] = false;
    else if (p->what == SIM_P_ADDRESS_STATE)
        n->telling[p->arg] = false;
}
