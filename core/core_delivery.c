/* What is told of a message outside: an e-mail, a request to a web hook, as its box says (Mailbox.email, Mailbox.hook_url).
 *
 *   message kept ─► PENDING, a node's ──DeliveryEnd ok──────────────────────────► DONE
 *                      ▲    │         ──for good, or tried DELIVERY_TRIES times──► GIVEN UP
 *                      └────┴── in vain: later, another node's
 *
 * Whose it is stands in the state before anything is sent: only that node sends, and only it may say what became of it. When it goes another one
 * has it. A node that dies between sending and its DeliveryEnd has sent, and the next one sends again: at least once, by the same Message-ID and
 * Idempotency-Key. Table `delivery`; those that are pending are in memory as well, and no more than DELIVERIES_MAX of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"

#define DELIVERIES_MAX 10000u
#define DELIVERY_TRIES 20u           /* with the times between them a day and a half */
#define DELIVERY_FIRST_US 5000000ull /* after the first try; each further time twice as long */
#define DELIVERY_LONGEST_US 14400000000ull
#define DELIVERY_WHY_MAX 200u

enum { PENDING, DONE, GIVEN_UP };

struct delivery {
    struct core_delivery pub;
    struct list_node link;
    char owner[CORE_NAME_MAX];
};

static const char *const kinds[] = {[CORE_DELIVERY_EMAIL] = "email", [CORE_DELIVERY_HOOK] = "hook"};

const char *core_delivery_name(enum core_delivery_kind kind)
{
    return (unsigned)kind < sizeof kinds / sizeof *kinds && kinds[kind] ? kinds[kind] : "";
}

const struct core_delivery *core_delivery_next(const struct core *c, const struct core_delivery *after)
{
    const struct list_node *at = after ? list_entry(after, struct delivery, pub)->link.next : c->deliveries.next;
    return at == &c->deliveries ? NULL : &list_entry(at, struct delivery, link)->pub;
}

static struct delivery *find(const struct core *c, uint64_t message, uint32_t kind)
{
    list_foreach(it, &c->deliveries) {
        struct delivery *d = list_entry(it, struct delivery, link);
        if (d->pub.message == message && d->pub.kind == (enum core_delivery_kind)kind)
            return d;
    }
    return NULL;
}

const struct core_delivery *core_delivery(const struct core *c, uint64_t message, enum core_delivery_kind kind)
{
    const struct delivery *d = find(c, message, kind);
    return d ? &d->pub : NULL;
}

static struct delivery *add(struct core *c, uint64_t message, enum core_delivery_kind kind, const char *owner)
{
    struct delivery *d = core_alloc(sizeof *d);
    d->pub.message = message;
    d->pub.kind = kind;
    d->pub.owner = d->owner;
    (void)snprintf(d->owner, sizeof d->owner, "%s", owner);
    list_push_back(&c->deliveries, &d->link);
    c->n_deliveries++;
    return d;
}

static void drop(struct core *c, struct delivery *d)
{
    list_del(&d->link);
    c->n_deliveries--;
    free(d);
}

static void put(struct core *c, const struct core_delivery *d, unsigned state, const char *why)
{
    const struct storage_val v[] = {storage_int(d->message), storage_int((uint64_t)d->kind),
                                    storage_int(state),      storage_text(state == PENDING ? d->owner : ""),
                                    storage_int(d->tries),   storage_int(state == PENDING ? d->due_us : 0),
                                    storage_int(c->now_us),  storage_text(why)};
    storage_run(c->st, STORAGE_DELIVERY_PUT, v, 8);
}

static void tell(struct core *c, const struct core_delivery *d, const char *what, const char *why)
{
    char text[17];
    core_id_text(d->message, text);
    struct sbuf *b = core_ev_begin(c, what, "message", text);
    sbuf_kv(b, "message_id", text);
    sbuf_kv(b, "kind", core_delivery_name(d->kind));
    sbuf_kv_uint(b, "tries", d->tries);
    if (why[0])
        sbuf_kv(b, "reason", why);
    core_ev_end(c);
}

/* ---- beginning */

static void begin(struct core *c, uint64_t message, enum core_delivery_kind kind)
{
    const struct core_delivery full = {.message = message, .kind = kind};
    if (c->n_deliveries >= DELIVERIES_MAX) {
        put(c, &full, GIVEN_UP, "too many wait");
        tell(c, &full, "message.undelivered", "too many wait");
        return;
    }
    struct delivery *d = add(c, message, kind, c->cmd->node);
    d->pub.due_us = c->now_us;
    put(c, &d->pub, PENDING, "");
    core_tell(c, CORE_EV_DELIVERY, message, "", "");
}

void core_deliveries_begin(struct core *c, uint64_t message, const char *box)
{
    const Ev__Mailbox *m = core_mailbox(c, box);
    if (m && m->n_email)
        begin(c, message, CORE_DELIVERY_EMAIL);
    if (m && m->hook_url[0])
        begin(c, message, CORE_DELIVERY_HOOK);
}

void core_deliveries_drop(struct core *c, uint64_t message)
{
    const struct storage_val v = storage_int(message);
    for (int kind = CORE_DELIVERY_EMAIL; kind <= CORE_DELIVERY_HOOK; kind++) {
        struct delivery *d = find(c, message, (uint32_t)kind);
        if (d)
            drop(c, d);
    }
    storage_run(c->st, STORAGE_DELIVERY_DEL, &v, 1);
}

/* ---- what became of it */

static uint64_t pause_after(uint32_t tries)
{
    uint64_t us = DELIVERY_FIRST_US;
    while (--tries && us < DELIVERY_LONGEST_US)
        us *= 2;
    return us < DELIVERY_LONGEST_US ? us : DELIVERY_LONGEST_US;
}

/* The next one by name that is up: what one of them cannot reach another one may. */
static void pass_on(struct core *c, struct delivery *d)
{
    const struct core_node *next = NULL, *first = NULL;
    for (const struct core_node *n = NULL; (n = core_node_next(c, n));) {
        if (!n->up)
            continue;
        if (!first || strcmp(n->name, first->name) < 0)
            first = n;
        if (strcmp(n->name, d->owner) > 0 && (!next || strcmp(n->name, next->name) < 0))
            next = n;
    }
    next = next ? next : first;
    if (next)
        (void)snprintf(d->owner, sizeof d->owner, "%s", next->name);
}

int core_delivery_end(struct core *c, const Ev__DeliveryEnd *m)
{
    struct delivery *d = find(c, m->message, m->kind);
    if (!d)
        return core_refuse(c, ERR_NOTFOUND, "message", "nothing is to be sent of this message");
    if (strcmp(d->owner, c->cmd->node) != 0 || d->pub.tries != m->tries)
        return core_refuse(c, ERR_STALE, "message", "node %.63s sends it", d->owner);
    char why[DELIVERY_WHY_MAX];
    (void)snprintf(why, sizeof why, "%s", m->why);
    d->pub.tries++;
    if (m->ok || m->for_good || d->pub.tries >= DELIVERY_TRIES) {
        put(c, &d->pub, m->ok ? DONE : GIVEN_UP, m->ok ? "" : why);
        tell(c, &d->pub, m->ok ? "message.delivered" : "message.undelivered", m->ok ? "" : why);
        drop(c, d);
        return 0;
    }
    d->pub.due_us = c->now_us + pause_after(d->pub.tries);
    pass_on(c, d);
    put(c, &d->pub, PENDING, why);
    core_tell(c, CORE_EV_DELIVERY, m->message, "", "");
    return 0;
}

/* ---- whose it is */

void core_deliveries_give(struct core *c, const char *from, const char *to)
{
    list_foreach(it, &c->deliveries) {
        struct delivery *d = list_entry(it, struct delivery, link);
        if (strcmp(d->owner, from) != 0)
            continue;
        (void)snprintf(d->owner, sizeof d->owner, "%s", to);
        put(c, &d->pub, PENDING, "");
        core_tell(c, CORE_EV_DELIVERY, d->pub.message, "", "");
    }
}

void core_deliveries_come_back(struct core *c, const char *name)
{
    list_foreach(it, &c->deliveries) {
        struct delivery *d = list_entry(it, struct delivery, link);
        const struct core_node *owner = core_node(c, d->owner);
        if (owner && owner->up)
            continue;
        (void)snprintf(d->owner, sizeof d->owner, "%s", name);
        put(c, &d->pub, PENDING, "");
        core_tell(c, CORE_EV_DELIVERY, d->pub.message, "", "");
    }
}

/* ---- from the tables */

static int pending_row(void *ctx, const struct storage_row *row)
{
    uint64_t kind = storage_row_int(row, 1);
    if (!core_fits(storage_row_text(row, 2), CORE_NAME_MAX) || !core_delivery_name((enum core_delivery_kind)kind)[0])
        return ERR_CORRUPT;
    struct delivery *d = add(ctx, storage_row_int(row, 0), (enum core_delivery_kind)kind, storage_row_text(row, 2));
    d->pub.tries = (uint32_t)storage_row_int(row, 3);
    d->pub.due_us = storage_row_int(row, 4);
    return 0;
}

int core_deliveries_load(struct core *c)
{
    int err = storage_query(c->st, STORAGE_DELIVERY_PENDING, NULL, 0, pending_row, c);
    return err < 0 ? err : 0;
}

void core_deliveries_free(struct core *c)
{
    if (!c->deliveries.next)
        return; /* never loaded */
    list_foreach_safe(it, &c->deliveries)
        drop(c, list_entry(it, struct delivery, link));
}
