/* Who owns what when a node goes away or comes back: service addresses and calls.
 *
 * One rule for all ways of going: first the addresses find new holders, then each call follows the address that its caller's
 * leg stands on, if that leg may go on by its address; all other calls are spread over the living, those of the same site
 * first, the least loaded first. All of it is apply: every node comes to the same answer, and a call changes hands by
 * nothing else than a committed command. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "core/core_int.h"

/* ---- addresses */

static struct address *address_obj(const struct core *c, const char *ip)
{
    for (size_t i = 0; i < c->n_addresses; i++)
        if (strcmp(c->addresses[i]->ip, ip) == 0)
            return c->addresses[i];
    return NULL;
}

const struct core_address *core_address(const struct core *c, const char *ip)
{
    const struct address *a = address_obj(c, ip);
    return a ? &a->pub : NULL;
}

const struct core_address *core_address_next(const struct core *c, const struct core_address *after)
{
    size_t i = 0;
    if (after) {
        while (i < c->n_addresses && &c->addresses[i]->pub != after)
            i++;
        i++;
    }
    return i < c->n_addresses ? &c->addresses[i]->pub : NULL;
}

struct address *core_address_add(struct core *c, const char *ip)
{
    struct address *a = core_alloc(sizeof *a);
    list_init(&a->dirty);
    (void)snprintf(a->ip, sizeof a->ip, "%s", ip);
    a->pub.ip = a->ip;
    a->pub.home = a->home;
    a->pub.holder = a->holder;
    a->pub.target = a->target;
    a->pub.why = a->why;
    c->addresses = core_grow(c->addresses, (c->n_addresses + 1) * sizeof(struct address *));
    size_t at = c->n_addresses++;
    for (; at > 0 && strcmp(c->addresses[at - 1]->ip, ip) > 0; at--)
        c->addresses[at] = c->addresses[at - 1];
    c->addresses[at] = a;
    return a;
}

static void address_touch(struct core *c, struct address *a)
{
    if (list_empty(&a->dirty))
        list_push_back(&c->dirty_addresses, &a->dirty);
    core_tell(c, CORE_EV_ADDRESS, 0, "", a->ip);
}

void core_addresses_flush(struct core *c)
{
    list_foreach_safe(it, &c->dirty_addresses) {
        struct address *a = list_entry(it, struct address, dirty);
        const struct storage_val v[] = {storage_text(a->ip),     storage_text(a->home),     storage_text(a->holder),
                                        storage_text(a->target), storage_int(a->pub.epoch), storage_int(a->pub.bound),
                                        storage_text(a->why)};
        storage_run(c->st, STORAGE_ADDRESS_PUT, v, 7);
        list_del(it);
    }
}

void core_addresses_free(struct core *c)
{
    for (size_t i = 0; i < c->n_addresses; i++) {
        list_del(&c->addresses[i]->dirty);
        free(c->addresses[i]);
    }
    free(c->addresses);
    c->addresses = NULL;
    c->n_addresses = 0;
}

static void address_give(struct core *c, struct address *a, const char *to)
{
    char from[CORE_NAME_MAX];
    (void)snprintf(from, sizeof from, "%s", a->holder);
    (void)snprintf(a->holder, sizeof a->holder, "%s", to);
    a->target[0] = a->why[0] = '\0';
    a->pub.bound = false;
    a->pub.epoch++;
    address_touch(c, a);
    struct sbuf *b = core_ev_begin(c, "address.moved", "address", a->ip);
    sbuf_kv(b, "address", a->ip);
    sbuf_kv(b, "home", a->home);
    sbuf_kv(b, "from", from);
    sbuf_kv(b, "holder", a->holder);
    core_ev_end(c);
}

/* ---- who is there to take something */

static bool eligible(const struct node *n, const char *leaving)
{
    return n->pub.up && !n->draining && strcmp(n->pub.name, leaving) != 0;
}

static void count_loads(struct core *c)
{
    for (size_t i = 0; i < c->n_nodes; i++)
        c->node_list[i]->calls = c->node_list[i]->held = 0;
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->calls, &it, &slot);) {
        struct node *n = core_node_obj(c, ((const struct call *)slot->value)->st->owner);
        if (n)
            n->calls++;
    }
    for (size_t i = 0; i < c->n_addresses; i++) {
        struct node *n = core_node_obj(c, c->addresses[i]->holder);
        if (n)
            n->held++;
    }
}

/* Of the living one of the site if there is any, then who has the least, then by name. NULL: nobody. */
static struct node *best(struct core *c, const char *leaving, const char *site, bool for_address)
{
    struct node *found = NULL;
    bool found_site = false;
    for (size_t i = 0; i < c->n_nodes; i++) {
        struct node *n = c->node_list[i];
        if (!eligible(n, leaving))
            continue;
        bool at_site = site && strcmp(n->pub.site, site) == 0;
        unsigned load = for_address ? n->held : n->calls, least = found ? for_address ? found->held : found->calls : 0;
        if (!found || (at_site && !found_site) || (at_site == found_site && load < least)) {
            found = n;
            found_site = at_site;
        }
    }
    return found;
}

const char *core_least_loaded(struct core *c)
{
    count_loads(c);
    const struct node *n = best(c, "", NULL, false);
    return n ? n->pub.name : NULL;
}

/* ---- calls */

/* The address that the caller's leg stands on, when the leg may go on by it; NULL else. One whose peer was being told another address
 * stands nowhere: whoever gets it tells him once more. */
static struct address *stands_on(const struct core *c, const struct call *k)
{
    const Ev__Dialog *d = k->st->n_legs ? k->st->legs[0]->dialog : NULL;
    struct addr at;
    if (!d || d->moving || core_takeover_of(c, k->st->trunk, d->flow) != CORE_TAKEOVER_ADDRESS ||
        addr_parse(d->local_address, &at))
        return NULL;
    return address_obj(c, at.ip);
}

/* Whether the phone that is being rung can be rung on as before: the INVITE came from the caller's address. */
static bool ringing_keeps(const struct core *c, const struct call *k, const char *extension, const struct address *on,
                          const char *to)
{
    struct core_binding b;
    if (!on || strcmp(on->holder, to) != 0)
        return false;
    if (core_outside(k))
        return core_takeover_out(c, k->st->out_trunk) == CORE_TAKEOVER_ADDRESS;
    const char *flow = core_bindings(c, extension, &b, 1) ? b.flow : "";
    return core_takeover_of(c, NULL, flow) == CORE_TAKEOVER_ADDRESS;
}

/* It is rung anew, and what was rung before is called off. */
static void ring_anew(const Ev__CallState *s, uint32_t *epoch, uint32_t *former)
{
    if (!*former) /* the oldest: who was between may have had no time to call them off */
        *former = *epoch;
    *epoch = s->epoch;
}

static void give_one(struct core *c, struct call *k, struct node *to)
{
    Ev__CallState *s = k->st;
    struct node *from = core_node_obj(c, s->owner);
    char left[CORE_NAME_MAX];
    (void)snprintf(left, sizeof left, "%s", s->owner);
    if (from && from->calls)
        from->calls--;
    to->calls++;
    core_pbset(&s->owner, to->pub.name);
    if (core_first_rings(k))
        core_pbset(&s->former_owner, left);
    s->epoch++;
    s->taken_over_us = c->now_us;
    const struct address *on = s->offer_id ? stands_on(c, k) : NULL;
    if (s->offer_id && !ringing_keeps(c, k, s->offer_extension, on, to->pub.name))
        ring_anew(s, &s->offer_epoch, &s->offer_former_epoch);
    for (size_t i = 0; s->offer_id && i < s->n_rings; i++) {
        if (!ringing_keeps(c, k, s->rings[i]->extension, on, to->pub.name))
            ring_anew(s, &s->rings[i]->epoch, &s->rings[i]->former_epoch);
    }
    core_call_touch(c, k);
    core_record_given(c, k);
    struct sbuf *b = core_ev_call_begin(c, "call.taken_over", k);
    sbuf_kv(b, "from", left);
    core_ev_end(c);
}

/* With all that are joined to it. */
static void call_give(struct core *c, struct call *k, struct node *to)
{
    give_one(c, k, to);
    list_foreach(it, &k->parties)
        give_one(c, list_entry(it, struct call, party), to);
}

void core_call_give_to(struct core *c, struct call *k, const char *node)
{
    count_loads(c);
    give_one(c, k, core_node_obj(c, node));
}

/* Where it goes another one decides, to which it is joined. */
static bool goes_along(const struct call *k)
{
    return !list_empty(&k->party);
}

static size_t calls_of(struct core *c, const char *owner, uint64_t **out)
{
    size_t n = 0;
    *out = core_alloc((map_count(&c->calls) + 1) * sizeof **out);
    for (const struct core_call *k = NULL; (k = core_call_next(c, k, owner)) != NULL;)
        (*out)[n++] = k->id;
    return n;
}

/* Subscriptions go where their address goes, else to whoever has the least to do; they count like calls here. */
static void subscriptions_leave(struct core *c, const char *name, const char *site)
{
    const struct core_subscription *p = NULL;
    while ((p = core_subscription_next(c, p)) != NULL) {
        if (strcmp(p->owner, name) != 0)
            continue;
        const struct address *on = address_obj(c, p->is->local_ip);
        struct node *to = on ? core_node_obj(c, on->holder) : NULL;
        if (!to || !eligible(to, name))
            to = best(c, name, site, false);
        if (!to)
            return;
        to->calls++;
        core_subscription_give(c, p, to->pub.name);
    }
}

static void subscriptions_come_back(struct core *c, struct node *me, bool other_process)
{
    const struct core_subscription *p = NULL;
    while ((p = core_subscription_next(c, p)) != NULL) {
        const struct node *owner = core_node_obj(c, p->owner);
        if (!owner || !owner->pub.up || (other_process && owner == me))
            core_subscription_give(c, p, me->pub.name);
    }
}

void core_take_over_from(struct core *c, const char *name)
{
    const struct node *dead = core_node_obj(c, name);
    char site[CORE_NAME_MAX];
    (void)snprintf(site, sizeof site, "%s", dead ? dead->pub.site : "");
    count_loads(c);
    for (size_t i = 0; i < c->n_addresses; i++) {
        struct address *a = c->addresses[i];
        if (strcmp(a->target, name) == 0 && strcmp(a->holder, name) != 0) {
            a->target[0] = '\0'; /* it was on its way to the one that is gone: stays where it is */
            address_touch(c, a);
        }
        if (strcmp(a->holder, name) != 0)
            continue;
        struct node *to = core_node_obj(c, a->target[0] ? a->target : a->home);
        if (!to || !eligible(to, name))
            to = best(c, name, site, true);
        if (!to)
            continue; /* nobody is left: it comes back with the first that comes up */
        to->held++;
        address_give(c, a, to->pub.name);
    }
    uint64_t *ids;
    size_t n = calls_of(c, name, &ids);
    for (size_t i = 0; i < n; i++) {
        struct call *k = core_call_obj(c, ids[i]);
        if (goes_along(k))
            continue;
        const struct address *on = stands_on(c, k);
        struct node *to = on ? core_node_obj(c, on->holder) : NULL;
        if (!to || !eligible(to, name))
            to = best(c, name, site, false);
        if (to)
            call_give(c, k, to);
    }
    free(ids);
    subscriptions_leave(c, name, site);
    struct node *heir = best(c, name, site, false);
    if (heir) {
        core_records_give(c, name, heir->pub.name);
        core_deliveries_give(c, name, heir->pub.name);
    }
}

/* ---- a node has come up */

/* A service address has one home. 0 or a refusal. */
int core_addresses_check(struct core *c, const Ev__NodeUp *m)
{
    for (size_t i = 0; i < m->n_service_ip; i++) {
        const struct address *a = address_obj(c, m->service_ip[i]);
        char field[32];
        (void)snprintf(field, sizeof field, "service_ip[%zu]", i);
        if (!core_fits(m->service_ip[i], CORE_IP_MAX))
            return core_refuse(c, ERR_INVAL, field, "not an address");
        if (a && strcmp(a->home, m->name) != 0 && core_node_obj(c, a->home))
            return core_refuse(c, ERR_CONFLICT, field, "address %.45s is the service address of node %.64s", a->ip,
                               a->home);
    }
    return 0;
}

static bool serves(const Ev__NodeUp *m, const char *ip)
{
    for (size_t i = 0; i < m->n_service_ip; i++)
        if (strcmp(m->service_ip[i], ip) == 0)
            return true;
    return false;
}

static void address_remove(struct core *c, size_t at)
{
    struct address *a = c->addresses[at];
    const struct storage_val v = storage_text(a->ip);
    storage_run(c->st, STORAGE_ADDRESS_DEL, &v, 1);
    core_tell(c, CORE_EV_ADDRESS, 0, "", a->ip);
    for (c->n_addresses--; at < c->n_addresses; at++)
        c->addresses[at] = c->addresses[at + 1];
    list_del(&a->dirty);
    free(a);
}

/* Nobody was left to take it. */
static bool unheld(const struct core *c, const struct address *a)
{
    const struct node *holder = core_node_obj(c, a->holder);
    return !holder || !holder->pub.up;
}

void core_addresses_of(struct core *c, const Ev__NodeUp *m, bool other_process)
{
    for (size_t i = c->n_addresses; i-- > 0;) {
        struct address *a = c->addresses[i];
        bool lost = unheld(c, a);
        if (strcmp(a->home, m->name) == 0 && !serves(m, a->ip) && (lost || strcmp(a->holder, m->name) == 0))
            address_remove(c, i);
        else if (lost || (other_process && strcmp(a->holder, m->name) == 0))
            address_give(c, a, m->name);
    }
    for (size_t i = 0; i < m->n_service_ip; i++) {
        struct address *a = address_obj(c, m->service_ip[i]);
        bool made = !a;
        if (made)
            a = core_address_add(c, m->service_ip[i]);
        if (strcmp(a->home, m->name) != 0) {
            (void)snprintf(a->home, sizeof a->home, "%s", m->name);
            address_touch(c, a);
        }
        if (made)
            address_give(c, a, m->name);
    }
}

/* Calls of a former process of this node, or of nodes that went when nobody was left. */
void core_calls_come_back(struct core *c, const char *name, bool other_process)
{
    struct node *me = core_node_obj(c, name);
    const struct core_call *k = NULL;
    uint64_t *ids;
    size_t n = 0;
    ids = core_alloc((map_count(&c->calls) + 1) * sizeof *ids);
    while ((k = core_call_next(c, k, NULL)) != NULL) {
        const struct node *owner = core_node_obj(c, k->owner);
        if ((!owner || !owner->pub.up || (other_process && owner == me)) && !goes_along(core_call_obj(c, k->id)))
            ids[n++] = k->id;
    }
    count_loads(c);
    for (size_t i = 0; i < n; i++)
        call_give(c, core_call_obj(c, ids[i]), me);
    free(ids);
    subscriptions_come_back(c, me, other_process);
}

/* A node is no member any more: what it had at home has none, and stays with who holds it until a node comes up with it. */
void core_addresses_adopt(struct core *c, const char *gone)
{
    for (size_t i = c->n_addresses; i-- > 0;) {
        struct address *a = c->addresses[i];
        if (strcmp(a->home, gone) != 0)
            continue;
        if (strcmp(a->holder, gone) == 0) {
            address_remove(c, i);
            continue;
        }
        a->home[0] = '\0';
        address_touch(c, a);
    }
}

/* ---- planned */

static void address_aim(struct core *c, struct address *a, const char *to)
{
    (void)snprintf(a->target, sizeof a->target, "%s", to);
    address_touch(c, a);
}

int core_node_drain(struct core *c, const Ev__NodeDrain *m)
{
    struct node *n = core_node_obj(c, m->name);
    if (!n)
        return core_refuse(c, ERR_NOTFOUND, "name", "there is no node %.64s", m->name);
    if (n->draining == m->on)
        return core_refuse(c, ERR_STALE, "name", "node %.64s %s", m->name, m->on ? "drains already" : "does not drain");
    count_loads(c);
    if (m->on && !best(c, m->name, NULL, false))
        return core_refuse(c, ERR_BADSTATE, "name", "there is no other node to take its calls");
    n->draining = n->pub.draining = m->on;
    core_node_touch(c, n, m->on ? "node.draining" : "node.undrained");
    for (size_t i = 0; i < c->n_addresses; i++) {
        struct address *a = c->addresses[i];
        if (m->on && strcmp(a->holder, m->name) == 0) {
            struct node *to = best(c, m->name, n->pub.site, true);
            to->held++;
            address_aim(c, a, to->pub.name);
        } else if (m->on && strcmp(a->target, m->name) == 0) {
            address_aim(c, a, "");
        } else if (!m->on && strcmp(a->holder, m->name) == 0 && a->target[0]) {
            address_aim(c, a, "");
        } else if (!m->on && n->pub.up && unheld(c, a)) {
            address_give(c, a, m->name);
        }
    }
    if (m->on)
        subscriptions_leave(c, m->name, n->pub.site);
    if (!m->on && n->pub.up)
        core_calls_come_back(c, m->name, false); /* the last of the others may have died meanwhile */
    return 0;
}

int core_address_move(struct core *c, const Ev__AddressMove *m)
{
    struct address *a = address_obj(c, m->ip);
    if (!a)
        return core_refuse(c, ERR_NOTFOUND, "ip", "there is no service address %.45s", m->ip);
    struct node *to = core_node_obj(c, m->to);
    if (!to)
        return core_refuse(c, ERR_NOTFOUND, "to", "there is no node %.64s", m->to);
    if (!eligible(to, ""))
        return core_refuse(c, ERR_BADSTATE, "to", "node %.64s is %s", m->to, to->pub.up ? "draining" : "down");
    if (strcmp(a->holder, m->to) == 0)
        address_aim(c, a, "");
    else
        address_aim(c, a, m->to);
    return 0;
}

static struct address *held_by_sender(struct core *c, const char *ip, uint32_t epoch)
{
    struct address *a = address_obj(c, ip);
    if (!a) {
        (void)core_refuse(c, ERR_NOTFOUND, "ip", "there is no service address %.45s", ip);
        return NULL;
    }
    if (strcmp(a->holder, c->cmd->node) != 0 || a->pub.epoch != epoch) {
        (void)core_refuse(c, ERR_STALE, "ip", "address %.45s is held by node %.64s, epoch %u", ip, a->holder,
                          a->pub.epoch);
        return NULL;
    }
    return a;
}

/* Whether the call that it is joined to stands on that address, too. */
static bool given_along(const struct core *c, const struct call *k, const struct address *a)
{
    const struct call *main = core_join_main(c, k);
    return main && stands_on(c, main) == a;
}

int core_address_given(struct core *c, const Ev__AddressGiven *m)
{
    struct address *a = held_by_sender(c, m->ip, m->epoch);
    if (!a)
        return c->ans->code;
    count_loads(c);
    struct node *to = a->target[0] ? core_node_obj(c, a->target) : NULL;
    if (!to || !eligible(to, a->holder))
        to = core_node_obj(c, a->holder); /* who was to have it is gone: it is bound again where it was */
    char from[CORE_NAME_MAX];
    (void)snprintf(from, sizeof from, "%s", a->holder);
    address_give(c, a, to->pub.name);
    uint64_t *ids;
    size_t n = calls_of(c, from, &ids);
    for (size_t i = 0; i < n; i++) {
        struct call *k = core_call_obj(c, ids[i]);
        if (stands_on(c, k) != a)
            continue;
        if (!goes_along(k))
            call_give(c, k, to);
        else if (!given_along(c, k, a))
            give_one(c, k,
                     core_node_obj(c, k->st->owner)); /* stays, but not where its leg stands: that has to be told */
    }
    free(ids);
    return 0;
}

int core_address_state(struct core *c, const Ev__AddressState *m)
{
    struct address *a = held_by_sender(c, m->ip, m->epoch);
    if (!a)
        return c->ans->code;
    a->pub.bound = m->bound;
    (void)snprintf(a->why, sizeof a->why, "%s", m->bound ? "" : m->why);
    address_touch(c, a);
    return 0;
}

int core_call_move(struct core *c, const Ev__CallMove *m)
{
    struct call *k = core_call_of(c, m->call_id);
    if (!k)
        return c->ans->code;
    if (goes_along(k))
        return core_refuse(c, ERR_BADSTATE, "call_id", "the call goes where the one goes that it has joined");
    count_loads(c);
    struct node *from = core_node_obj(c, c->cmd->node);
    struct node *to = m->to[0] ? core_node_obj(c, m->to) : best(c, c->cmd->node, from ? from->pub.site : NULL, false);
    if (!to)
        return core_refuse(c, m->to[0] ? ERR_NOTFOUND : ERR_BADSTATE, "to", "there is no node to take the call");
    if (!eligible(to, c->cmd->node))
        return core_refuse(c, ERR_BADSTATE, "to", "node %.64s cannot take the call", to->pub.name);
    call_give(c, k, to);
    return 0;
}
