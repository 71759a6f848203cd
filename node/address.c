/* One slot for each address that this node has ever had to do with; what is wanted comes from core alone, what is done about it
 * is the slot's state:
 *
 *   GONE ──wanted──► ADDING ──hook said 0──► BINDING ──bound──► BOUND ──not wanted──► LETTING ──no sockets left──► DELETING ─► GONE
 *                      └── hook failed ──► FAILED ◄── not bound in time ──┘                                          (hook del)
 *                                            └── each second again, from ADDING; not wanted: DELETING
 *
 * Without a hook ADDING and DELETING take no time. The order in LETTING matters: first calls forget their legs, then SIP closes, so
 * that no request of a call that goes elsewhere is answered here; the sockets of media close in their own threads a little later;
 * only when all are closed (and the address is off the interface) AddressGiven tells the next holder to bind. */
#include "node/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "node/call.h"
#include "node/hook.h"
#include "telephony/media.h"
#include "telephony/sip.h"

enum {
    ADDRESS_TURN_MS = 250,    /* everything is looked at again, should no entry come */
    ADDRESS_AGAIN_MS = 1000,  /* before something that failed is tried again */
    ADDRESS_BIND_MS = 5,      /* between two tries while it may still be the dying process's */
    ADDRESS_LET_MS = 1,       /* between two looks at the sockets of media */
    ADDRESS_LET_MAX_MS = 500, /* and how long they may take */
    ADDRESS_PORTS_MAX = 8,
    ADDRESS_DEFAULT_PORT = 5060,
};

enum slot_state { SLOT_GONE, SLOT_ADDING, SLOT_BINDING, SLOT_BOUND, SLOT_FAILED, SLOT_LETTING, SLOT_DELETING };

struct slot {
    struct list_node link;
    struct node *n;
    char ip[ADDR_IP_MAX];
    enum slot_state state;
    uv_timer_t timer;
    uint64_t since_us; /* monotonic: when this state began */
    char why[128];     /* of FAILED */
    bool told_calls;   /* that it cannot be had */
    bool on_interface; /* the hook put it there, or may have: a former process of ours */
    bool proposing;
    uint64_t quiet_until_us; /* no proposal before, after one that failed */
    bool away_by_order;      /* moved from here on request: not fetched back by itself */
};

struct node_addresses {
    struct node *n;
    struct list_node slots;
    uv_timer_t turn;
    bool dirty, suspended, stopping;
};

static void slot_look(struct slot *s);

static uint64_t now_us(void)
{
    return clock_mono_now().us;
}

static bool is_me(const struct node *n, const char *name)
{
    return strcmp(name, n->cfg.name) == 0;
}

/* ---- what core wants */

static bool wanted(const struct slot *s)
{
    const struct node *n = s->n;
    const struct core_address *a = core_address(n->core, s->ip);
    const struct node_addresses *as = n->addresses;
    bool ours = a && is_me(n, a->holder) && (!a->target[0] || is_me(n, a->target));
    return ours && n->ua && !n->leaving && !as->suspended && !as->stopping;
}

static struct slot *slot_find(const struct node_addresses *as, const char *ip)
{
    list_foreach(it, &as->slots) {
        struct slot *s = list_entry(it, struct slot, link);
        if (strcmp(s->ip, ip) == 0)
            return s;
    }
    return NULL;
}

/* Where phones reach it: the ports are those of its home. */
static unsigned slot_ports(const struct slot *s, uint16_t out[ADDRESS_PORTS_MAX])
{
    const struct core_address *a = core_address(s->n->core, s->ip);
    const struct core_node *home = a ? core_node(s->n->core, a->home) : NULL;
    unsigned count = 0;
    for (size_t i = 0; home && i < home->n_sip && count < ADDRESS_PORTS_MAX; i++) {
        struct addr at;
        if (addr_parse(home->sip[i], &at) == 0 && strcmp(at.ip, s->ip) == 0)
            out[count++] = at.port;
    }
    if (count == 0) /* its home has been removed from the cluster */
        out[count++] = ADDRESS_DEFAULT_PORT;
    return count;
}

/* ---- proposals */

static void slot_proposed(void *ctx, int status, const struct core_answer *a)
{
    struct slot *s = ctx;
    s->proposing = false;
    if (status || a->code) {
        log_info("address", "%s: %s", s->ip, status ? err_text(status) : a->text);
        s->quiet_until_us = now_us() + ADDRESS_AGAIN_MS * 1000u;
    }
}

static void slot_propose(struct slot *s, Ev__Command *cmd)
{
    s->proposing = node_propose(s->n, cmd, 0, slot_proposed, s) == 0;
    if (!s->proposing)
        s->quiet_until_us = now_us() + ADDRESS_AGAIN_MS * 1000u;
}

static bool slot_may_propose(const struct slot *s)
{
    return !s->proposing && !s->n->stopping && !s->n->leaving && now_us() >= s->quiet_until_us;
}

/* Says whether it is bound, if core knows it otherwise. */
static void slot_tell(struct slot *s)
{
    const struct core_address *a = core_address(s->n->core, s->ip);
    bool bound = s->state == SLOT_BOUND;
    if (!a || !slot_may_propose(s) || !is_me(s->n, a->holder) ||
        (a->bound == bound && (bound || strcmp(a->why, s->why) == 0)))
        return;
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__AddressState m = EV__ADDRESS_STATE__INIT;
    cmd.body_case = EV__COMMAND__BODY_ADDRESS_STATE;
    cmd.address_state = &m;
    m.ip = s->ip;
    m.epoch = a->epoch;
    m.bound = bound;
    m.why = s->why;
    slot_propose(s, &cmd);
}

static void slot_given(void *ctx, int status, const struct core_answer *a)
{
    struct slot *s = ctx;
    const struct core_node *me = core_node(s->n->core, s->n->cfg.name);
    if (status == 0 && a->code == 0) {
        s->away_by_order = !(me && me->draining);
        log_notice("address", "%s given away", s->ip);
    }
    slot_proposed(ctx, status, a);
}

static void slot_give(struct slot *s, const struct core_address *a)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__AddressGiven m = EV__ADDRESS_GIVEN__INIT;
    cmd.body_case = EV__COMMAND__BODY_ADDRESS_GIVEN;
    cmd.address_given = &m;
    m.ip = s->ip;
    m.epoch = a->epoch;
    s->proposing = node_propose(s->n, &cmd, 0, slot_given, s) == 0;
    if (!s->proposing)
        s->quiet_until_us = now_us() + ADDRESS_AGAIN_MS * 1000u;
}

static void slot_fetch(struct slot *s)
{
    log_notice("address", "%s is to come home", s->ip);
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__AddressMove m = EV__ADDRESS_MOVE__INIT;
    cmd.body_case = EV__COMMAND__BODY_ADDRESS_MOVE;
    cmd.address_move = &m;
    m.ip = s->ip;
    m.to = s->n->cfg.name;
    slot_propose(s, &cmd);
}

/* Draining, and the node that was to have it is gone: to another one, if there is one. */
static void slot_send_away(struct slot *s, const struct core_address *a)
{
    const struct core_node *me = core_node(s->n->core, s->n->cfg.name), *to = NULL;
    if (!a || a->target[0] || !me || !me->draining || !slot_may_propose(s))
        return;
    for (const struct core_node *c = NULL; !to && (c = core_node_next(s->n->core, c));)
        if (c != me && c->up && !c->draining)
            to = c;
    if (!to)
        return;
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__AddressMove m = EV__ADDRESS_MOVE__INIT;
    cmd.body_case = EV__COMMAND__BODY_ADDRESS_MOVE;
    cmd.address_move = &m;
    m.ip = s->ip;
    m.to = (char *)(uintptr_t)to->name;
    slot_propose(s, &cmd);
}

/* ---- having it and letting it go */

static void slot_timer(uv_timer_t *t);

static void slot_enter(struct slot *s, enum slot_state state)
{
    s->state = state;
    s->since_us = now_us();
    uv_timer_stop(&s->timer);
}

static uint64_t slot_age_ms(const struct slot *s)
{
    return (now_us() - s->since_us) / 1000u;
}

static void slot_unbind(struct slot *s)
{
    if (s->n->ua)
        sip_ua_drop_listen(s->n->ua, s->ip);
    if (s->n->media)
        media_engine_drop_ip(s->n->media, s->ip);
}

/* While the hook runs the streams of its calls are opened already: callers hear something as soon as the address is there. */
static void slot_expect(struct slot *s)
{
    int rc = s->n->media && !s->told_calls ? media_engine_expect_ip(s->n->media, s->ip) : ERR_BADSTATE;
    if (rc == 0 && s->n->calls)
        calls_address_expected(s->n->calls);
}

static int slot_bind(struct slot *s, struct err_info *info)
{
    uint16_t ports[ADDRESS_PORTS_MAX];
    unsigned count = slot_ports(s, ports);
    int rc = media_engine_add_ip(s->n->media, s->ip);
    if (rc == ERR_EXISTS)
        rc = 0;
    if (rc)
        err_set(info, rc, "", "voice cannot be bound: %s", err_text(rc));
    for (unsigned i = 0; rc == 0 && i < count; i++) {
        rc = sip_ua_add_listen(s->n->ua, s->ip, ports[i], info);
        if (rc == ERR_EXISTS)
            rc = 0;
    }
    if (rc && s->n->ua)
        sip_ua_drop_listen(s->n->ua, s->ip);
    return rc;
}

static void slot_failed(struct slot *s, const char *why)
{
    if (strcmp(s->why, why) != 0)
        log_warn("address", "%s cannot be had: %s", s->ip, why);
    snprintf(s->why, sizeof s->why, "%.*s", (int)sizeof s->why - 1, why);
    slot_enter(s, SLOT_FAILED);
    uv_timer_start(&s->timer, slot_timer, ADDRESS_AGAIN_MS, 0);
    slot_tell(s);
    if (!s->told_calls && s->n->calls) {
        s->told_calls = true;
        calls_address_ready(s->n->calls, s->ip);
    }
    slot_unbind(s); /* by now no stream waits for it */
}

static void slot_try(struct slot *s)
{
    struct err_info info = {0};
    int rc = slot_bind(s, &info);
    if (rc == 0) {
        log_notice("address", "%s is here", s->ip);
        s->why[0] = '\0';
        s->told_calls = false;
        slot_enter(s, SLOT_BOUND);
        slot_tell(s);
        if (s->n->calls)
            calls_address_ready(s->n->calls, s->ip);
        return;
    }
    if (slot_age_ms(s) >= ADDRESS_PATIENCE_MS)
        slot_failed(s, info.text[0] ? info.text : err_text(rc));
    else
        uv_timer_start(&s->timer, slot_timer, ADDRESS_BIND_MS, 0);
}

static void slot_gone(struct slot *s)
{
    slot_enter(s, SLOT_GONE);
    s->why[0] = '\0';
    s->told_calls = false;
    slot_look(s);
}

static void slot_added(void *ctx, int status, const char *why)
{
    struct slot *s = ctx;
    if (!wanted(s)) {
        slot_enter(s, SLOT_FAILED); /* from where it is taken off again */
        slot_look(s);
    } else if (status) {
        slot_failed(s, why);
    } else {
        slot_enter(s, SLOT_BINDING);
        slot_try(s);
    }
}

static void slot_take(struct slot *s)
{
    char why[sizeof s->why];
    slot_enter(s, SLOT_ADDING);
    if (!s->n->cfg.address_hook) {
        slot_added(s, 0, "");
        return;
    }
    s->on_interface = true;
    if (hook_run(&s->n->loop, s->n->cfg.address_hook, "add", s->ip, slot_added, s, why, sizeof why))
        slot_failed(s, why);
    else
        slot_expect(s);
}

static void slot_deleted(void *ctx, int status, const char *why)
{
    struct slot *s = ctx;
    if (status)
        log_warn("address", "%s may still be on an interface of this machine: %s", s->ip, why);
    s->on_interface = false;
    slot_gone(s);
}

static void slot_delete(struct slot *s)
{
    char why[sizeof s->why];
    slot_enter(s, SLOT_DELETING);
    slot_unbind(s); /* it may have been expected only */
    if (!s->n->cfg.address_hook || !s->on_interface)
        slot_gone(s);
    else if (hook_run(&s->n->loop, s->n->cfg.address_hook, "del", s->ip, slot_deleted, s, why, sizeof why))
        slot_deleted(s, ERR_IO, why);
}

static void slot_let_go(struct slot *s)
{
    slot_enter(s, SLOT_LETTING);
    if (s->n->calls)
        calls_forget_address(s->n->calls, s->ip);
    slot_unbind(s);
    uv_timer_start(&s->timer, slot_timer, ADDRESS_LET_MS, 0);
}

static void slot_letting(struct slot *s)
{
    unsigned left = s->n->media ? media_engine_users(s->n->media, s->ip) : 0;
    if (left && slot_age_ms(s) < ADDRESS_LET_MAX_MS) {
        uv_timer_start(&s->timer, slot_timer, ADDRESS_LET_MS, 0);
        return;
    }
    if (left)
        log_warn("address", "%s: %u media streams did not close in time", s->ip, left);
    log_notice("address", "%s is let go", s->ip);
    slot_delete(s);
}

static void slot_timer(uv_timer_t *t)
{
    struct slot *s = t->data;
    switch (s->state) {
    case SLOT_BINDING:
        if (wanted(s))
            slot_try(s);
        else
            slot_look(s);
        break;
    case SLOT_FAILED:
        if (wanted(s))
            slot_take(s);
        else
            slot_look(s);
        break;
    case SLOT_LETTING:
        slot_letting(s);
        break;
    case SLOT_GONE:
    case SLOT_ADDING:
    case SLOT_BOUND:
    case SLOT_DELETING:
        break;
    }
}

/* ---- deciding */

/* It belongs elsewhere, or is on its way; or it is ours by right and another has it. */
static void slot_look_gone(struct slot *s)
{
    struct node *n = s->n;
    const struct core_address *a = core_address(n->core, s->ip);
    const struct core_node *me = core_node(n->core, n->cfg.name);
    if (!a || !me || n->addresses->suspended || !slot_may_propose(s))
        return;
    if (is_me(n, a->holder)) {
        if (a->target[0] && !is_me(n, a->target))
            slot_give(s, a);
        return;
    }
    if (is_me(n, a->home) && !is_me(n, a->target) && !s->away_by_order && !me->draining && me->up && n->ua &&
        node_fit(n))
        slot_fetch(s);
}

static void slot_look(struct slot *s)
{
    bool want = wanted(s);
    switch (s->state) {
    case SLOT_GONE:
        if (want)
            slot_take(s);
        else
            slot_look_gone(s);
        break;
    case SLOT_BINDING:
    case SLOT_FAILED:
        if (want)
            slot_tell(s);
        else
            slot_delete(s);
        break;
    case SLOT_BOUND:
        if (want) {
            slot_tell(s);
            slot_send_away(s, core_address(s->n->core, s->ip));
        } else {
            slot_let_go(s);
        }
        break;
    case SLOT_ADDING:
    case SLOT_LETTING:
    case SLOT_DELETING:
        break; /* goes on by itself and looks again */
    }
}

static struct slot *slot_new(struct node_addresses *as, const char *ip)
{
    struct slot *s = calloc(1, sizeof *s);
    if (!s) {
        log_error("address", "%s: out of memory", ip);
        return NULL;
    }
    s->n = as->n;
    snprintf(s->ip, sizeof s->ip, "%s", ip);
    uv_timer_init(&as->n->loop, &s->timer);
    s->timer.data = s;
    list_push_back(&as->slots, &s->link);
    /* A former process of this node may have died with the address on an interface. */
    s->on_interface = as->n->cfg.address_hook != NULL;
    return s;
}

void address_look_again(struct node *n)
{
    if (n->addresses)
        n->addresses->dirty = true;
}

void address_reconcile(struct node *n)
{
    struct node_addresses *as = n->addresses;
    if (!as || !as->dirty)
        return;
    as->dirty = false;
    for (const struct core_address *a = NULL; (a = core_address_next(n->core, a));)
        if (!slot_find(as, a->ip))
            (void)slot_new(as, a->ip);
    list_foreach(it, &as->slots)
        slot_look(list_entry(it, struct slot, link));
}

static void address_turn(uv_timer_t *t)
{
    struct node *n = t->data;
    n->addresses->dirty = true;
    address_reconcile(n);
}

void address_homecoming(struct node *n)
{
    list_foreach(it, &n->addresses->slots)
        list_entry(it, struct slot, link)->away_by_order = false;
    n->addresses->dirty = true;
}

/* ---- questions */

enum address_here address_here(const struct node *n, const char *ip)
{
    const struct slot *s = n->addresses ? slot_find(n->addresses, ip) : NULL;
    const struct core_address *a = core_address(n->core, ip);
    if (!a || !is_me(n, a->holder))
        return ADDRESS_OTHER;
    /* On its way from here: calls on it are the next holder's, and not to be carried on in another way meanwhile. */
    if (!s || n->leaving || (a->target[0] && !is_me(n, a->target)))
        return ADDRESS_PENDING;
    switch (s->state) {
    case SLOT_BOUND:
        return ADDRESS_BOUND;
    case SLOT_FAILED:
        return ADDRESS_FAILED;
    case SLOT_GONE:
    case SLOT_ADDING:
    case SLOT_BINDING:
    case SLOT_LETTING:
    case SLOT_DELETING:
        /* While it is tried again those that gave up waiting for it do not wait anew. */
        return s->told_calls ? ADDRESS_FAILED : ADDRESS_PENDING;
    }
    return ADDRESS_OTHER;
}

bool address_expected(const struct node *n, const char *ip)
{
    const struct slot *s = n->addresses ? slot_find(n->addresses, ip) : NULL;
    return s && (s->state == SLOT_ADDING || s->state == SLOT_BINDING) && address_here(n, ip) == ADDRESS_PENDING &&
           wanted(s);
}

bool address_any(const struct node *n)
{
    for (unsigned i = 0; i < n->cfg.n_sip; i++)
        if (!node_config_service(&n->cfg, n->cfg.sip[i].ip))
            return true;
    if (n->addresses) {
        list_foreach(it, &n->addresses->slots)
            if (list_entry(it, struct slot, link)->state == SLOT_BOUND)
                return true;
    }
    return false;
}

bool address_none_left(const struct node *n)
{
    list_foreach(it, &n->addresses->slots)
        if (list_entry(it, struct slot, link)->state != SLOT_GONE)
            return false;
    return true;
}

/* ---- start, suspension, end */

int address_start(struct node *n)
{
    struct node_addresses *as = calloc(1, sizeof *as);
    if (!as)
        return ERR_NOMEM;
    as->n = n;
    list_init(&as->slots);
    n->addresses = as;
    uv_timer_init(&n->loop, &as->turn);
    as->turn.data = n;
    for (unsigned i = 0; i < n->cfg.n_service; i++)
        if (!slot_new(as, n->cfg.service_ip[i]))
            return ERR_NOMEM;
    for (const struct core_address *a = NULL; (a = core_address_next(n->core, a));)
        if (!slot_find(as, a->ip) && !slot_new(as, a->ip))
            return ERR_NOMEM;
    list_foreach(it, &as->slots)
        slot_delete(list_entry(it, struct slot, link));
    uv_timer_start(&as->turn, address_turn, ADDRESS_TURN_MS, ADDRESS_TURN_MS);
    return 0;
}

void address_suspend(struct node *n)
{
    if (!n->addresses)
        return;
    n->addresses->suspended = n->addresses->dirty = true;
    address_reconcile(n);
}

void address_resume(struct node *n)
{
    if (!n->addresses)
        return;
    n->addresses->suspended = false;
    n->addresses->dirty = true;
    address_reconcile(n);
}

static void address_slot_closed(uv_handle_t *h)
{
    free(h->data);
}

static void address_closed(uv_handle_t *h)
{
    struct node *n = h->data;
    free(n->addresses);
    n->addresses = NULL;
}

void address_stop(struct node *n)
{
    struct node_addresses *as = n->addresses;
    if (!as)
        return;
    as->stopping = true;
    list_foreach(it, &as->slots)
        slot_look(list_entry(it, struct slot, link));
    /* The hooks that take them off their interfaces are waited for; each is bounded, and so is this. */
    uint64_t until = now_us() + 3u * HOOK_LIMIT_MS * 1000u;
    while (!address_none_left(n) && now_us() < until)
        uv_run(&n->loop, UV_RUN_ONCE);
    list_foreach_safe(it, &as->slots) {
        struct slot *s = list_entry(it, struct slot, link);
        list_del(&s->link);
        if (s->state == SLOT_GONE) /* else its hook cannot even be killed, and may yet come back to it */
            uv_close((uv_handle_t *)&s->timer, address_slot_closed);
    }
    uv_close((uv_handle_t *)&as->turn, address_closed);
    while (n->addresses)
        uv_run(&n->loop, UV_RUN_ONCE);
}
