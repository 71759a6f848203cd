/* What a queue of the model of waiting callers (test_wait_model.c) is set to: drawn at random, and as text for the configuration. */
#ifndef TESTS_CORE_WAIT_RULES_H
#define TESTS_CORE_WAIT_RULES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { QUEUES = 3, AGENTS = 5 };
enum do_what { NOTHING, TO_FLOW, TO_QUEUE, TO_AGENT, TO_NOWHERE, HANG_UP };
static const char *const queues[QUEUES] = {"q0", "q1", "q2"};

struct action {
    enum do_what what;
    int target;
};
struct spill {
    int queue;
    uint32_t after_s, behind, longer_s;
};
struct rules {
    struct action max_wait, no_agents, full, key;
    uint32_t max_wait_s, no_agents_wait_s, max_waiting, own_wait_s;
    struct spill spills[2];
    int n_spills;
    int vip; /* 0 nobody, 1 global list, 2 own list */
};
static uint64_t rng; /* the seed, then as it goes on */

static uint32_t rnd(uint32_t below)
{
    rng += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = rng;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ (z >> 31)) % below);
}

static char *number(char out[16], const char *prefix, int i)
{
    (void)snprintf(out, 16, "%s%d", prefix, i);
    return out;
}

static struct action some_action(int q)
{
    struct action a = {(enum do_what)rnd(HANG_UP + 1), 0};
    a.target = a.what == TO_QUEUE ? (q + 1 + (int)rnd(QUEUES - 1)) % QUEUES : a.what == TO_AGENT ? (int)rnd(AGENTS) : 0;
    return a;
}

static void put_action(char *text, size_t size, const char *name, struct action a)
{
    static const char *const types[] = {"", "flow", "queue", "agent", "outside", "hangup"};
    char target[16] = "";
    if (a.what == TO_FLOW)
        (void)snprintf(target, sizeof target, "welcome");
    else if (a.what == TO_QUEUE)
        (void)snprintf(target, sizeof target, "%s", queues[a.target]);
    else if (a.what == TO_AGENT)
        number(target, "1", 1 + a.target);
    else if (a.what == TO_NOWHERE)
        (void)snprintf(target, sizeof target, "5551234");
    size_t at = strlen(text);
    if (a.what)
        (void)snprintf(text + at, size - at, ",'%s':{'type':'%s','target':'%s'}", name, types[a.what], target);
}

static void some_spills(struct rules *r, int q)
{
    r->n_spills = (int)rnd(3);
    for (int i = 0; i < r->n_spills; i++) {
        r->spills[i] = (struct spill){.queue = (q + 1 + i) % QUEUES};
        uint32_t how = rnd(3);
        r->spills[i].after_s = how == 0 ? 1 + rnd(8) : 0;
        r->spills[i].behind = how == 1 ? 1 + rnd(4) : 0;
        r->spills[i].longer_s = how == 2 ? 1 + rnd(40) : 0;
    }
}

static struct rules draw_rules(int q)
{
    struct rules r = {
        .max_wait = some_action(q), .no_agents = some_action(q), .full = some_action(q), .key = some_action(q)};
    r.max_wait_s = rnd(3) ? rnd(12) : 0;
    if (!r.max_wait.what)
        r.max_wait_s = 0;
    r.no_agents_wait_s = rnd(2) ? rnd(6) : 0;
    r.max_waiting = rnd(3) ? 0 : 1 + rnd(4);
    r.own_wait_s = rnd(8);
    r.vip = (int)rnd(3);
    some_spills(&r, q);
    return r;
}

static void rules_text(char *text, size_t size, int q, const struct rules *r, const bool member[AGENTS])
{
    (void)snprintf(text, size,
                   "[{'kind':'queue','name':'%s','strategy':'login_order','wrap_up_s':0,'after_call':'ready','max_wait_"
                   "s':%u,'no_agents_wait_s':%u,"
                   "'max_waiting':%u,'dedicated_wait_s':%u,'vip':'%s','members':[",
                   queues[q], r->max_wait_s, r->no_agents_wait_s, r->max_waiting, r->own_wait_s,
                   r->vip == 2 ? "list"
                   : r->vip    ? "global"
                               : "none");
    for (int g = 0, n = 0; g < AGENTS; g++) {
        size_t at = strlen(text);
        if (member[g])
            (void)snprintf(text + at, size - at, "%s{'agent':'1%d'}", n++ ? "," : "", 1 + g);
    }
    (void)strcat(text, "],'overflow':[");
    for (int i = 0; i < r->n_spills; i++) {
        const struct spill *s = &r->spills[i];
        size_t at = strlen(text);
        (void)snprintf(text + at, size - at, "%s{'queue':'%s','%s':%u}", i ? "," : "", queues[s->queue],
                       s->after_s    ? "after_wait_s"
                       : s->longer_s ? "if_estimated_s"
                                     : "if_waiting",
                       s->after_s + s->longer_s + s->behind);
    }
    (void)strcat(text, "]");
    put_action(text, size, "max_wait_action", r->max_wait);
    put_action(text, size, "no_agents_action", r->no_agents);
    put_action(text, size, "full_action", r->full);
    (void)strcat(text, ",'keys':[{'key':'1'");
    put_action(text, size, "action", r->key);
    (void)strcat(text, "}]}]");
}

#endif
