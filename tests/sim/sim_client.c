/* An API client: each operation makes an object, and is repeated under its key, at any node, until it is answered. */
#include <stdio.h>

#include "tests/sim/sim.h"

void client_answer(struct sim *s, const struct sim_prop *p, const struct core_answer *a)
{
    struct sim_client *c = &s->client;
    if (!c->waiting || p->arg != c->op)
        return;
    if (a->code)
        sim_fail(s, "client: operation %u is refused: %s", c->op, a->text);
    c->waiting = false;
    c->acked = c->op;
}

void client_turn(struct sim *s)
{
    struct sim_client *c = &s->client;
    if (!c->waiting) {
        if (s->quiet_time)
            return;
        c->op++;
        c->waiting = true;
    }
    char key[16], value[16], name[16], actor[] = "token:admin";
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__ConfigApply m = EV__CONFIG_APPLY__INIT;
    Ev__ConfigObject o = EV__CONFIG_OBJECT__INIT, *set[1] = {&o};
    Ev__Parameter par = EV__PARAMETER__INIT;
    (void)snprintf(key, sizeof key, "k%u", c->op);
    (void)snprintf(value, sizeof value, "%u", c->op);
    (void)snprintf(name, sizeof name, "p%u", c->op);
    par.name = name;
    par.value = value;
    o.object_case = EV__CONFIG_OBJECT__OBJECT_PARAMETER;
    o.parameter = &par;
    o.create_only = true; /* done twice, it would be refused */
    m.set = set;
    m.n_set = 1;
    cmd.body_case = EV__COMMAND__BODY_CONFIG_APPLY;
    cmd.config_apply = &m;
    cmd.idem_key = key;
    cmd.actor = actor;
    unsigned from = (unsigned)sim_below(s, s->n);
    for (unsigned i = 0; i < s->n; i++) {
        struct sim_node *n = &s->nodes[(from + i) % s->n];
        if (sim_alive(n)) {
            raft_propose(s, n, &cmd, SIM_P_CLIENT, c->op, 0);
            return;
        }
    }
}
