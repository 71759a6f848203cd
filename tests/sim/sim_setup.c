/* The configuration of the simulated call centre, and how a world begins: all nodes run, n1 leads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define AGENTS_IN 4u
static void *setup[1 + AGENTS_IN];
static size_t setup_len[1 + AGENTS_IN];

static void pack(unsigned i, Ev__Command *cmd)
{
    char actor[] = "token:admin", node[] = "n1";
    cmd->time_us = SIM_EPOCH_US + i;
    cmd->actor = actor;
    cmd->node = node;
    if (core_pack(cmd, &setup[i], &setup_len[i]) != 0)
        abort();
}

static char *plain(const char *s)
{
    char *p = strdup(s);
    if (!p)
        abort();
    return p;
}

static char *numbered(const char *before, unsigned n, const char *after)
{
    char p[48];
    (void)snprintf(p, sizeof p, "%s%u%s", before, n, after);
    return plain(p);
}

#define NEW(var, type, TYPE, KIND, member)                   \
    Ev__##type *var = calloc(1, sizeof *var);                \
    Ev__ConfigObject *o_##var = calloc(1, sizeof *o_##var);  \
    if (!var || !o_##var)                                    \
        abort();                                             \
    *var = (Ev__##type)EV__##TYPE##__INIT;                   \
    *o_##var = (Ev__ConfigObject)EV__CONFIG_OBJECT__INIT;    \
    o_##var->object_case = EV__CONFIG_OBJECT__OBJECT_##KIND; \
    o_##var->member = var;                                   \
    set[n++] = o_##var

/* Callers of vip wait in service as well, those of service move to vip: with their wait clocks, which the checks hold them to. */
static void leads_on(Ev__Queue *q, bool overflow)
{
    Ev__QueueOverflow *o = calloc(1, sizeof *o);
    Ev__Action *a = calloc(1, sizeof *a);
    q->overflow = calloc(1, sizeof *q->overflow);
    if (!o || !a || !q->overflow)
        abort();
    *o = (Ev__QueueOverflow)EV__QUEUE_OVERFLOW__INIT;
    *a = (Ev__Action)EV__ACTION__INIT;
    o->queue = plain("service");
    o->after_wait_s = 2;
    a->type = plain("queue");
    a->target = plain("vip");
    q->overflow[0] = o;
    q->n_overflow = overflow;
    q->max_wait_s = overflow ? 0 : 5;
    q->max_wait_action = overflow ? NULL : a;
}

static unsigned queue(Ev__ConfigObject **set, unsigned n, const char *name, const char *strategy, unsigned wrap_up,
                      unsigned first)
{
    NEW(q, Queue, QUEUE, QUEUE, queue);
    q->name = plain(name);
    q->strategy = plain(strategy);
    q->ring_max = first;
    q->ring_no_answer = plain(first ? "not_ready" : "");
    q->ring_time_s = 2;
    q->wrap_up_s = wrap_up;
    q->max_waiting = 6;
    leads_on(q, wrap_up != 0);
    q->members = calloc(SIM_AGENTS, sizeof(Ev__QueueMember *));
    if (!q->members)
        abort();
    for (unsigned i = first; i < SIM_AGENTS; i++) {
        Ev__QueueMember *m = calloc(1, sizeof *m);
        if (!m)
            abort();
        *m = (Ev__QueueMember)EV__QUEUE_MEMBER__INIT;
        m->agent = numbered("100", i + 1, "");
        q->members[q->n_members++] = m;
    }
    return n;
}

/* Callers may be called back: by key 2. */
static unsigned queue_back(Ev__ConfigObject **set, unsigned n)
{
    n = queue(set, n, "back", "ring_all", 0, 2);
    Ev__Queue *q = set[n - 1]->queue;
    Ev__QueueKey *key = calloc(1, sizeof *key);
    q->keys = calloc(1, sizeof *q->keys);
    if (!key || !q->keys)
        abort();
    *key = (Ev__QueueKey)EV__QUEUE_KEY__INIT;
    key->key = plain("2");
    key->action = q->max_wait_action;
    free(key->action->type);
    free(key->action->target);
    key->action->type = plain("callback");
    key->action->target = plain("");
    q->max_wait_action = NULL;
    q->max_wait_s = 0;
    q->keys[q->n_keys++] = key;
    q->callback_tries = SIM_TRIES;
    q->callback_interval_s = 1;
    q->callback_ring_s = 2;
    NEW(t, Trunk, TRUNK, TRUNK, trunk);
    t->name = plain("outside");
    t->contact = plain("sip:10.9.4.1:5060");
    t->outbound = true;
    return n;
}

static unsigned number(Ev__ConfigObject **set, unsigned n, const char *name, const char *kind, const char *to,
                       unsigned priority)
{
    NEW(a, AccessNumber, ACCESS_NUMBER, ACCESS_NUMBER, access_number);
    a->number = plain(name);
    a->priority = priority;
    char **field = kind[0] == 'f' ? &a->flow : kind[0] == 'q' ? &a->queue : kind[0] == 'e' ? &a->extension : &a->agent;
    *field = plain(to);
    return n;
}

static unsigned objects(Ev__ConfigObject **set)
{
    unsigned n = 0;
    for (unsigned i = 1; i <= SIM_EXTS; i++) {
        NEW(x, Extension, EXTENSION, EXTENSION, extension);
        x->number = numbered("800", i, "");
        x->contact = numbered("sip:p@10.9.3.", i, ":5060");
    }
    for (unsigned i = 1; i <= SIM_AGENTS; i++) {
        NEW(a, Agent, AGENT, AGENT, agent);
        a->number = numbered("100", i, "");
        a->extension = numbered("800", i, "");
        a->group = plain("east");
        a->type = plain(i == SIM_AGENTS ? "supervisor" : "agent");
        if (i == SIM_AGENTS) {
            a->manages_groups = calloc(1, sizeof(char *));
            if (!a->manages_groups)
                abort();
            a->manages_groups[a->n_manages_groups++] = plain("east");
        }
    }
    n = queue(set, n, "service", "longest_idle", 0, 0);
    n = queue(set, n, "vip", "longest_idle", 1, 2);
    n = queue(set, n, "all", "ring_all", 1, 0);
    n = queue(set, n, "two", "ring_all", 0, 2);
    n = queue_back(set, n);
    for (unsigned i = 0; i < 2; i++) {
        NEW(t, Trunk, TRUNK, TRUNK, trunk);
        t->name = plain(i ? "stays" : "moves");
        t->takeover = plain(i ? "reinvite" : "address");
        t->sources = calloc(1, sizeof(char *));
        if (!t->sources)
            abort();
        t->sources[t->n_sources++] = numbered("10.9.", i + 1, ".0/24");
    }
    NEW(p, Parameter, PARAMETER, PARAMETER, parameter);
    p->name = plain("auto_ready_after_s"); /* whom a call could not be brought to */
    p->value = plain("3");
    NEW(f, Flow, FLOW, FLOW, flow);
    f->name = plain("welcome");
    f->definition = plain("{\"name\":\"welcome\"}");
    n = number(set, n, "100", "flow", "welcome", 0);
    n = number(set, n, "200", "queue", "service", 0);
    n = number(set, n, "220", "queue", "service", 3);
    n = number(set, n, "210", "queue", "vip", 5);
    n = number(set, n, "230", "queue", "all", 0);
    n = number(set, n, "240", "queue", "two", 3);
    n = number(set, n, "250", "queue", "back", 0);
    n = number(set, n, "300", "extension", "8005", 0);
    return number(set, n, "301", "agent", "1002", 0);
}

/* Packed once for all worlds; its memory stays. */
static void make(void)
{
    Ev__ConfigObject *set[64];
    Ev__ConfigApply m = EV__CONFIG_APPLY__INIT;
    Ev__Command cmd = EV__COMMAND__INIT;
    m.set = set;
    m.n_set = objects(set);
    cmd.body_case = EV__COMMAND__BODY_CONFIG_APPLY;
    cmd.config_apply = &m;
    pack(0, &cmd);
    for (unsigned i = 0; i < m.n_set; i++)
        ev__config_object__free_unpacked(set[i], NULL);
    for (unsigned i = 0; i < AGENTS_IN; i++) {
        char agent[8];
        Ev__AgentSet a = EV__AGENT_SET__INIT;
        Ev__Command in = EV__COMMAND__INIT;
        (void)snprintf(agent, sizeof agent, "%u", 1001 + i);
        a.agent = agent;
        a.action = EV__AGENT_SET__ACTION__LOGIN;
        in.body_case = EV__COMMAND__BODY_AGENT_SET;
        in.agent_set = &a;
        pack(1 + i, &in);
    }
}

void raft_begin(struct sim *s)
{
    if (!setup[0])
        make();
    s->log = sim_alloc(s, SIM_LOG_MAX * sizeof *s->log);
    s->terms = sim_alloc(s, SIM_LOG_MAX * sizeof *s->terms);
    s->hashes = sim_alloc(s, SIM_LOG_MAX * sizeof *s->hashes);
    s->nodes = sim_alloc(s, SIM_NODES_MAX * sizeof *s->nodes);
    struct sim_entry *e = sim_alloc(s, sizeof *e);
    e->term = 1;
    e->n = 1 + AGENTS_IN;
    for (unsigned i = 0; i < e->n; i++)
        e->items[i] = (struct sim_item){-1, 99, 1, i + 1, setup[i], setup_len[i], -1, 0, -1};
    s->log[1] = e;
    s->committed = 1;
    s->terms[1] = 1;
    for (unsigned i = 0; i < SIM_NODES_MAX; i++)
        s->holder[i] = s->target[i] = -1;
    for (unsigned i = 0; i < s->n; i++) {
        struct sim_node *n = &s->nodes[i];
        n->i = (int)i;
        (void)snprintf(n->name, sizeof n->name, "n%u", i + 1);
        n->st = sim_store_new(s, (int)i);
        n->slow = (unsigned)sim_below(s, 4) ? (unsigned)sim_below(s, 3000) : (unsigned)sim_below(s, 60000);
        n->skew_us = (int64_t)sim_below(s, 100000) - 50000;
        n->last_index = n->last_term = n->term = n->voted = 1;
        sim_start(s, n);
        if (s->failed)
            return;
        n->commit = 1;
        raft_apply(s, n);
        if (i == 0)
            n->election_at = s->now + 5 * SIM_MS;
    }
}
