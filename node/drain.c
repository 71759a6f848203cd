#include "node/drain.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "node/address.h"
#include "node/call.h"

#define DRAIN_TURN_MS 20u
#define DRAIN_PEERS_MAX 64u

struct node_drain {
    uv_timer_t timer;
    bool active; /* draining, as committed */
    bool empty;  /* said that nothing is left */
    bool told;   /* NodeDown for ourselves is proposed */
    uint64_t leave_until_us;
};

bool drain_active(const struct node *n)
{
    return n->drain && n->drain->active;
}

static bool drain_me(const struct node *n)
{
    const struct core_node *me = core_node(n->core, n->cfg.name);
    return me && me->draining;
}

/* ---- leaving */

static void drain_turn(uv_timer_t *t);

static void drain_left(void *ctx, int status, const struct core_answer *a)
{
    struct node *n = ctx;
    if (status || a->code)
        log_warn("node", "leaves without having handed over: %s", status ? err_text(status) : a->text);
    else
        log_notice("node", "calls and addresses are the others' now");
    node_stop(n, 0);
}

static void drain_tell(struct node *n)
{
    const struct core_node *me = core_node(n->core, n->cfg.name);
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__NodeDown down = EV__NODE_DOWN__INIT;
    cmd.body_case = EV__COMMAND__BODY_NODE_DOWN;
    cmd.node_down = &down;
    down.name = n->cfg.name;
    down.incarnation = repl_incarnation(n->repl);
    down.why = (char *)(uintptr_t) "stopped";
    n->drain->told = true;
    if (!me || !me->up || node_propose(n, &cmd, DRAIN_LEAVE_MS, drain_left, n))
        node_stop(n, 0);
}

bool drain_others_go_on(const struct node *n)
{
    if (!n->repl)
        return false;
    struct repl_peer_info peers[DRAIN_PEERS_MAX];
    size_t count = repl_peers(n->repl, peers, DRAIN_PEERS_MAX), voters = 0, there = 0;
    bool taker = false;
    for (size_t i = 0; i < count && i < DRAIN_PEERS_MAX; i++) {
        const struct core_node *c = core_node(n->core, peers[i].name);
        bool other = !peers[i].self && peers[i].up;
        voters += peers[i].role == REPL_VOTER;
        there += peers[i].role == REPL_VOTER && other;
        taker = taker || (other && c && c->up && !c->draining);
    }
    return taker && there > voters / 2;
}

void drain_leave(struct node *n)
{
    if (n->leaving)
        return; /* the supervisor and the group of processes may each be told, and pass it on */
    if (n->stopping || !n->drain || !n->calls || !node_fit(n) || !drain_others_go_on(n)) {
        node_stop(n, 0);
        return;
    }
    n->leaving = true;
    n->drain->leave_until_us = clock_mono_now().us + DRAIN_LEAVE_MS * 1000u;
    calls_suspend(n->calls);
    address_suspend(n);
    uv_timer_start(&n->drain->timer, drain_turn, 0, 1);
}

static void drain_leave_turn(struct node *n)
{
    if (clock_mono_now().us >= n->drain->leave_until_us) {
        log_warn("node", "not everything was handed over within %u ms", DRAIN_LEAVE_MS);
        node_stop(n, 0);
    } else if (!n->drain->told && address_none_left(n)) {
        drain_tell(n);
    }
}

/* ---- draining */

static unsigned drain_addresses(const struct node *n)
{
    unsigned held = 0;
    for (const struct core_address *a = NULL; (a = core_address_next(n->core, a));)
        held += strcmp(a->holder, n->cfg.name) == 0;
    return held;
}

static void drain_turn(uv_timer_t *t)
{
    struct node *n = t->data;
    if (n->stopping)
        return;
    if (n->leaving) {
        drain_leave_turn(n);
        return;
    }
    size_t calls = n->calls ? calls_give_away(n->calls) : 0;
    bool empty = calls == 0 && drain_addresses(n) == 0;
    if (empty && !n->drain->empty)
        log_notice("node", "drained: no calls and no service addresses are left here");
    n->drain->empty = empty;
}

void drain_reconcile(struct node *n)
{
    struct node_drain *d = n->drain;
    if (!d || n->leaving || drain_me(n) == d->active)
        return;
    d->active = !d->active;
    d->empty = false;
    log_notice("node", d->active ? "drains: calls and addresses go to other nodes" : "drains no longer");
    if (d->active) {
        uv_timer_start(&d->timer, drain_turn, 0, DRAIN_TURN_MS);
    } else {
        uv_timer_stop(&d->timer);
        address_homecoming(n);
        address_reconcile(n);
    }
}

/* ---- start and end */

int drain_start(struct node *n)
{
    struct node_drain *d = calloc(1, sizeof *d);
    if (!d)
        return ERR_NOMEM;
    uv_timer_init(&n->loop, &d->timer);
    d->timer.data = n;
    n->drain = d;
    drain_reconcile(n);
    return 0;
}

static void drain_closed(uv_handle_t *h)
{
    free((struct node_drain *)(void *)h); /* the timer is its first member */
}

void drain_stop(struct node *n)
{
    struct node_drain *d = n->drain;
    n->drain = NULL;
    if (d)
        uv_close((uv_handle_t *)&d->timer, drain_closed);
}
