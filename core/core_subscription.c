/* Subscriptions of telephones (RFC 6665): what they want to be told of, and which node tells them.
 *
 *   Subscribe ─► a row, of the node that was asked ─Subscribe again (longer)─► ... ─expires, Unsubscribe, Expires: 0─► gone
 *                       └─ its node goes: another one's, with the next epoch
 *
 * The state has the dialog and who tells; what is told follows from the rest of the state when it is told, so a new owner sends the present
 * state in the same dialog, and the telephone knows no difference. No NOTIFY is in the log: the numbers that have to grow (CSeq, version of
 * a document) are counted by the owner within its epoch, of which each has a range of its own. A subscription is found by our tag, which
 * is random. Each SUBSCRIBE is a command. All of it is of feature level 4. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"

#define TEXT_MAX 1024u /* of what a telephone says of its dialog */

const struct core_subscription *core_subscription(const struct core *c, uint64_t id)
{
    const struct subscription *s = map_get_u64(&c->subscriptions_by_id, id);
    return s ? &s->pub : NULL;
}

const struct core_subscription *core_subscription_of(const struct core *c, const char *call_id, const char *local_tag)
{
    const struct subscription *s = map_get(&c->subscriptions_by_tag, local_tag);
    return s && strcmp(s->pub.is->call_id, call_id) == 0 ? &s->pub : NULL;
}

const struct core_subscription *core_subscription_next(const struct core *c, const struct core_subscription *after)
{
    const struct list_node *at = after ? &list_entry(after, struct subscription, pub)->link : &c->subscriptions;
    return at->next == &c->subscriptions ? NULL : &list_entry(at->next, struct subscription, link)->pub;
}

/* ---- what is going on at telephones */

void core_telephone_changed(struct core *c, const struct ext *e)
{
    if (e->watched)
        core_tell(c, CORE_EV_TELEPHONE, 0, "", e->number);
}

void core_telephones_changed(struct core *c, const struct call *k)
{
    if (k->caller)
        core_telephone_changed(c, k->caller);
    if (k->callee && k->callee != k->caller)
        core_telephone_changed(c, k->callee);
    for (size_t i = 0; k->st->offer_id && i < k->st->n_rings; i++) {
        const struct ext *e = core_ext_find(c, k->st->rings[i]->extension);
        if (e)
            core_telephone_changed(c, e);
    }
}

size_t core_telephone_calls(const struct core *c, const char *extension, const struct core_call **out, size_t max)
{
    const struct ext *e = core_ext_find(c, extension);
    size_t n = 0;
    for (unsigned i = 0; e && i < e->n_calls; i++) { /* their order is that of no table */
        const struct core_call *k = &e->calls[i]->pub;
        size_t at = n < max ? n : max;
        while (at > 0 && out[at - 1]->id > k->id) {
            if (at < max)
                out[at] = out[at - 1];
            at--;
        }
        if (at < max)
            out[at] = k;
        n++;
    }
    return n;
}

/* ---- memory and rows */

static void publish(struct subscription *s)
{
    s->pub = (struct core_subscription){s->st->id, s->st->is, s->st->owner, s->st->epoch, s->st->at};
}

/* Takes st over. */
static struct subscription *keep(struct core *c, Ev__Subscription *st)
{
    struct subscription *s = core_alloc(sizeof *s);
    s->st = st;
    publish(s);
    s->ext = core_ext(c, st->is->extension);
    s->ext->n_subscriptions++;
    if (strcmp(st->is->event, "message-summary") != 0) {
        s->of = core_ext(c, st->is->target);
        s->of->watched++;
    }
    list_push_back(&c->subscriptions, &s->link);
    heap_set(&c->subscriptions_due, &s->expiry, st->is->expires_us, st->id);
    if (map_set_u64(&c->subscriptions_by_id, st->id, s) != 0 ||
        map_set(&c->subscriptions_by_tag, st->is->local_tag, s) != 0)
        core_oom();
    return s;
}

static void subscription_free(struct subscription *s)
{
    ev__subscription__free_unpacked(s->st, NULL);
    free(s);
}

static void drop(struct core *c, struct subscription *s)
{
    const struct storage_val v = storage_int(s->st->id);
    storage_run(c->st, STORAGE_SUBSCRIPTION_DEL, &v, 1);
    core_tell(c, CORE_EV_SUBSCRIPTION, s->st->id, "", "");
    heap_remove(&c->subscriptions_due, &s->expiry);
    list_del(&s->link);
    (void)map_del_u64(&c->subscriptions_by_id, s->st->id);
    (void)map_del(&c->subscriptions_by_tag, s->st->is->local_tag);
    s->ext->n_subscriptions--;
    core_ext_tidy(c, s->ext);
    if (s->of) {
        s->of->watched--;
        core_ext_tidy(c, s->of);
    }
    subscription_free(s);
}

static void store(struct core *c, const struct subscription *s)
{
    size_t len;
    const uint8_t *body = core_packed(c, &s->st->base, &len);
    const struct storage_val v[] = {storage_int(s->st->id), storage_text(s->st->is->extension),
                                    storage_text(s->st->owner), storage_blob(body, len)};
    storage_run(c->st, STORAGE_SUBSCRIPTION_PUT, v, 4);
    core_tell(c, CORE_EV_SUBSCRIPTION, s->st->id, "", "");
}

int core_subscription_load(struct core *c, Ev__Subscription *st)
{
    if (!st->is || !st->is->local_tag[0] || map_get_u64(&c->subscriptions_by_id, st->id) ||
        map_get(&c->subscriptions_by_tag, st->is->local_tag)) {
        ev__subscription__free_unpacked(st, NULL);
        return ERR_CORRUPT;
    }
    (void)keep(c, st);
    return 0;
}

void core_subscriptions_free(struct core *c)
{
    list_foreach_safe(it, &c->subscriptions)
        subscription_free(list_entry(it, struct subscription, link));
    map_free(&c->subscriptions_by_id);
    map_free(&c->subscriptions_by_tag);
}

void core_subscriptions_expire(struct core *c)
{
    for (;;) {
        struct heap_item *top = heap_top(&c->subscriptions_due);
        if (!top || top->due > c->now_us)
            return;
        drop(c, list_entry(top, struct subscription, expiry));
    }
}

void core_subscriptions_drop(struct core *c, const char *extension)
{
    list_foreach_safe(it, &c->subscriptions) {
        struct subscription *s = list_entry(it, struct subscription, link);
        if (strcmp(s->st->is->extension, extension) == 0)
            drop(c, s);
    }
}

static void give(struct subscription *s, const char *to)
{
    core_pbset(&s->st->owner, to);
    if (s->st->epoch < CORE_SUBSCRIPTION_EPOCHS)
        s->st->epoch++;
    publish(s);
}

void core_subscription_give(struct core *c, const struct core_subscription *p, const char *to)
{
    struct subscription *s = list_entry(p, struct subscription, pub);
    give(s, to);
    store(c, s);
}

/* ---- the commands */

static bool too_long(const Ev__Subscribe *m)
{
    const char *const texts[] = {m->target,        m->call_id,   m->remote_tag, m->local_uri, m->remote_uri,
                                 m->remote_target, m->route_set, m->flow,       m->path,      m->event_id};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strlen(texts[i]) >= TEXT_MAX)
            return true;
    return strlen(m->local_tag) >= CORE_NAME_MAX || strlen(m->local_ip) >= CORE_IP_MAX;
}

static int check(struct core *c, const Ev__Subscribe *m)
{
    static const char *const events[] = {"message-summary", "dialog", "presence"};
    const Ev__Extension *x = core_extension(c, m->extension);
    size_t i = 0;
    if (!x)
        return core_refuse(c, ERR_NOTFOUND, "extension", "there is no extension %.64s", m->extension);
    if (x->disabled)
        return core_refuse(c, ERR_DENIED, "extension", "extension %.64s is disabled", m->extension);
    while (i < 3 && strcmp(m->event, events[i]) != 0)
        i++;
    if (i == 3)
        return core_refuse(c, ERR_UNSUPPORTED, "event", "nobody can subscribe to %.64s", m->event);
    if (!core_fits(m->target, CORE_NAME_MAX) || !m->local_tag[0] || !m->call_id[0] || too_long(m))
        return core_refuse(c, ERR_INVAL, "target", "a text of the subscription is missing or too long");
    return 0;
}

static Ev__Subscribe *copy_of(struct core *c, const Ev__Subscribe *m)
{
    size_t len;
    const uint8_t *p = core_packed(c, &m->base, &len);
    Ev__Subscribe *copy = ev__subscribe__unpack(NULL, len, p);
    if (!copy)
        core_oom();
    return copy;
}

/* The node that it was sent to went before its answer, and the telephone sent it again: one of the two is enough. */
static void drop_former(struct core *c, const Ev__Subscribe *m, unsigned *n)
{
    *n = 0;
    list_foreach_safe(it, &c->subscriptions) {
        struct subscription *s = list_entry(it, struct subscription, link);
        const Ev__Subscribe *is = s->st->is;
        if (strcmp(is->extension, m->extension) != 0)
            continue;
        if (strcmp(is->call_id, m->call_id) == 0 && strcmp(is->remote_tag, m->remote_tag) == 0 &&
            strcmp(is->event, m->event) == 0 && strcmp(is->event_id, m->event_id) == 0)
            drop(c, s);
        else
            ++*n;
    }
}

static int begin(struct core *c, const Ev__Subscribe *m)
{
    unsigned n = 0;
    if (m->expires_us <= c->now_us)
        return core_refuse(c, ERR_NOTFOUND, "local_tag", "there is no such subscription");
    const struct ext *e = core_ext_find(c, m->extension);
    if (e && e->n_subscriptions)
        drop_former(c, m, &n);
    if (n >= CORE_SUBSCRIPTIONS_MAX)
        return core_refuse(c, ERR_NOSPACE, "extension", "extension %.64s has %u subscriptions: no more are taken",
                           m->extension, n);
    Ev__Subscription *st = core_alloc(sizeof *st);
    ev__subscription__init(st);
    st->id = ++c->binding_seq;
    st->is = copy_of(c, m);
    core_pbset(&st->owner, c->cmd->node);
    core_pbset(&st->at, c->cmd->node);
    st->epoch = 1;
    store(c, keep(c, st));
    return 0;
}

/* What may be another one with each SUBSCRIBE: how the telephone is reached (it is a target refresh), and for how long. */
static void renew(struct core *c, struct subscription *s, const Ev__Subscribe *m)
{
    Ev__Subscribe *is = s->st->is;
    core_pbset(&is->remote_target, m->remote_target);
    core_pbset(&is->flow, m->flow);
    core_pbset(&is->local_ip, m->local_ip);
    core_pbset(&is->path, m->path);
    is->cseq = m->cseq;
    is->expires_us = m->expires_us;
    core_pbset(&s->st->at, c->cmd->node);
    heap_set(&c->subscriptions_due, &s->expiry, is->expires_us, s->st->id);
    if (strcmp(s->st->owner, c->cmd->node) != 0)
        give(s, c->cmd->node);
    publish(s);
    store(c, s);
}

int core_subscribe(struct core *c, const Ev__Subscribe *m)
{
    int err = check(c, m);
    if (err)
        return err;
    struct subscription *s = map_get(&c->subscriptions_by_tag, m->local_tag);
    if (!s)
        return begin(c, m);
    const Ev__Subscribe *is = s->st->is;
    if (strcmp(is->call_id, m->call_id) != 0 || strcmp(is->extension, m->extension) != 0 ||
        strcmp(is->event, m->event) != 0 || strcmp(is->event_id, m->event_id) != 0)
        return core_refuse(c, ERR_NOTFOUND, "local_tag", "it is another one's");
    if (m->cseq <= is->cseq)
        return core_refuse(c, ERR_STALE, "cseq", "an older request than the latest one");
    if (s->st->epoch >= CORE_SUBSCRIPTION_EPOCHS && m->expires_us > c->now_us)
        return core_refuse(c, ERR_NOTFOUND, "local_tag", "its numbers are used up: it has to be made anew");
    if (m->expires_us > c->now_us)
        renew(c, s, m);
    else
        drop(c, s);
    return 0;
}

int core_unsubscribe(struct core *c, const Ev__Unsubscribe *m)
{
    struct subscription *s = map_get_u64(&c->subscriptions_by_id, m->id);
    if (!s)
        return core_refuse(c, ERR_NOTFOUND, "id", "there is no such subscription");
    if (strcmp(s->st->owner, c->cmd->node) != 0)
        return core_refuse(c, ERR_STALE, "id", "node %.64s tells it", s->st->owner);
    drop(c, s);
    return 0;
}

/* ---- what lamps tell of */

void core_extensions_each(const struct core *c, void (*fn)(void *ctx, const Ev__Extension *x), void *ctx)
{
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->cfg[CFG_EXTENSION], &it, &slot);)
        fn(ctx, (const Ev__Extension *)(const void *)((const struct cfg *)slot->value)->msg);
}

const char *core_agent_activity(const struct core *c, const char *number)
{
    const struct agent *a = core_agent_obj(c, number);
    return a && a->ext && a->work ? a->work->activity : "";
}
