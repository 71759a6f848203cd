#include "node/lease.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "node/address.h"
#include "node/call.h"
#include "raft/repl.h"
#include "telephony/media.h"

#define LEASE_LOOK_MS 20u

struct node_lease {
    struct node *n;
    uv_timer_t timer; /* so that time alone turns the state */
    uv_check_t check; /* after each turn of the loop: a renewal is passed on at once */
    enum lease_state state;
    uint64_t span_us, drop_us;
    uint64_t until_us; /* as the media threads know it */
    uint64_t lost;
    int open_handles;
};

static uint64_t lease_span_us(const struct node *n)
{
    return n->cfg.detect_ms * 1000ull / NODE_LEASE_DETECT_MS * NODE_LEASE_MS;
}

/* Declared down, alive: what the state still calls ours may be given to another at any time, without waiting for a lease. */
static bool lease_fallen(const struct node *n)
{
    const struct core_node *me = n->core ? core_node(n->core, n->cfg.name) : NULL;
    return me && !me->up && me->incarnation == repl_incarnation(n->repl);
}

bool node_may_act(const struct node *n)
{
    return n->repl && repl_lease_age_us(n->repl) <= lease_span_us(n) && !lease_fallen(n);
}

/* Whoever owns our calls now, or will, carries them on: we send nothing any more. */
static void lease_let_go(struct node *n)
{
    if (n->calls)
        calls_suspend(n->calls);
    address_suspend(n);
}

/* The renewal counts only once this node has applied what the leader had committed, so it knows what it still owns. */
static void lease_take_back(struct node *n)
{
    address_resume(n);
    if (n->calls)
        calls_resume(n->calls);
}

static void lease_turn(struct node_lease *l, enum lease_state to, uint64_t age_us)
{
    struct node *n = l->n;
    enum lease_state from = l->state;
    if (to == from)
        return;
    l->state = to;
    unsigned long long ms = age_us / 1000u;
    if (from == LEASE_HELD)
        l->lost++;
    if (to == LEASE_HELD)
        log_notice("node", from == LEASE_NONE ? "part of the majority" : "part of the majority again");
    else if (from == LEASE_HELD)
        log_warn("node", "no word from the leader's majority for %llu ms: this node is silent", ms);
    if (to == LEASE_DROPPED) {
        log_warn("node", "no word from the leader's majority for %llu ms: this node lets go of its calls", ms);
        lease_let_go(n);
    } else if (from == LEASE_DROPPED)
        lease_take_back(n);
}

static void lease_fall(struct node_lease *l)
{
    if (l->state != LEASE_HELD && l->state != LEASE_SILENT)
        return;
    l->lost += l->state == LEASE_HELD;
    l->state = LEASE_DROPPED;
    log_warn("node", "declared down: this node lets go of its calls until it is announced again");
    lease_let_go(l->n);
}

static void lease_look(struct node_lease *l)
{
    struct node *n = l->n;
    if (!n->repl)
        return;
    if (lease_fallen(n)) {
        lease_fall(l);
        return;
    }
    uint64_t now = clock_mono_now().us, age = repl_lease_age_us(n->repl);
    uint64_t until = age == UINT64_MAX ? 0 : now + l->span_us - (age < now ? age : now);
    if (until > l->until_us || !l->until_us) {
        l->until_us = until ? until : 1;
        if (n->media)
            media_engine_lease(n->media, l->until_us);
    }
    if (age <= l->span_us) {
        lease_turn(l, LEASE_HELD, age);
        if (n->calls)
            calls_lease_held(n->calls);
    } else if (l->state == LEASE_HELD || l->state == LEASE_SILENT)
        lease_turn(l, age <= l->drop_us ? LEASE_SILENT : LEASE_DROPPED, age);
}

static void lease_timer_cb(uv_timer_t *t)
{
    lease_look(t->data);
}

static void lease_check_cb(uv_check_t *c)
{
    lease_look(c->data);
}

int lease_start(struct node *n)
{
    struct node_lease *l = calloc(1, sizeof *l);
    if (!l)
        return ERR_NOMEM;
    l->n = n;
    l->span_us = lease_span_us(n);
    l->drop_us = n->cfg.detect_ms * 1000ull / NODE_LEASE_DETECT_MS * NODE_LEASE_DROP_MS;
    n->lease = l;
    uv_timer_init(&n->loop, &l->timer);
    uv_check_init(&n->loop, &l->check);
    l->timer.data = l->check.data = l;
    l->open_handles = 2;
    uv_timer_start(&l->timer, lease_timer_cb, LEASE_LOOK_MS, LEASE_LOOK_MS);
    uv_check_start(&l->check, lease_check_cb);
    lease_look(l);
    return 0;
}

static void lease_closed_cb(uv_handle_t *h)
{
    struct node_lease *l = h->data;
    if (--l->open_handles == 0)
        free(l);
}

void lease_stop(struct node *n)
{
    struct node_lease *l = n->lease;
    n->lease = NULL;
    if (!l)
        return;
    uv_close((uv_handle_t *)&l->timer, lease_closed_cb);
    uv_close((uv_handle_t *)&l->check, lease_closed_cb);
}

enum lease_state lease_get(const struct node *n)
{
    return n->lease ? n->lease->state : LEASE_NONE;
}

bool lease_gone(const struct node *n)
{
    enum lease_state s = lease_get(n);
    return s == LEASE_NONE || s == LEASE_DROPPED;
}

uint64_t lease_lost_total(const struct node *n)
{
    return n->lease ? n->lease->lost : 0;
}
