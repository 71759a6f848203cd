/* Registrations: where a telephone can be reached (RFC 3261 section 10.3, RFC 5626 for instance and reg-id). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"

struct ext *core_ext_find(const struct core *c, const char *number)
{
    return map_get(&c->exts, number);
}

struct ext *core_ext(struct core *c, const char *number)
{
    struct ext *e = map_get(&c->exts, number);
    if (e)
        return e;
    e = core_alloc(sizeof *e);
    (void)snprintf(e->number, sizeof e->number, "%s", number);
    list_init(&e->bindings);
    if (map_set(&c->exts, number, e) != 0)
        core_oom();
    return e;
}

void core_ext_tidy(struct core *c, struct ext *e)
{
    if (e->agent || e->n_bindings || e->n_calls || e->n_subscriptions || e->watched)
        return;
    (void)map_del(&c->exts, e->number);
    free(e->calls);
    free(e);
}

bool core_reachable(const struct core *c, const char *extension)
{
    const Ev__Extension *x = core_extension(c, extension);
    if (!x || x->disabled)
        return false;
    if (x->contact[0])
        return true;
    const struct ext *e = core_ext_find(c, extension);
    return e && e->n_bindings > 0;
}

size_t core_bindings(const struct core *c, const char *extension, struct core_binding *out, size_t max)
{
    const struct ext *e = core_ext_find(c, extension);
    if (!e)
        return 0;
    size_t n = 0;
    list_foreach(it, &e->bindings) {
        if (n == max)
            break;
        const struct binding *b = list_entry(it, struct binding, link);
        out[n++] = (struct core_binding){.uri = b->uri,
                                         .flow = b->flow,
                                         .node = b->node,
                                         .instance = b->instance,
                                         .path = b->path,
                                         .events = b->events,
                                         .reg_id = b->reg_id,
                                         .expires_us = b->expires_us};
    }
    return n;
}

/* ---- memory */

void core_reg_add(struct core *c, struct binding *b)
{
    list_push_front(&b->ext->bindings, &b->link);
    b->ext->n_bindings++;
    c->registrations++;
    heap_set(&c->expiries, &b->expiry, b->expires_us, b->id);
}

static void binding_free(struct binding *b)
{
    free(b->key);
    free(b->uri);
    free(b->flow);
    free(b->node);
    free(b->instance);
    free(b->path);
    free(b->user_agent);
    free(b->events);
    free(b->call_id);
    free(b);
}

void core_reg_drop(struct core *c, struct binding *b, bool row)
{
    if (row) {
        const struct storage_val v[] = {storage_text(b->ext->number), storage_text(b->key)};
        storage_run(c->st, STORAGE_REG_DEL, v, 2);
    }
    heap_remove(&c->expiries, &b->expiry);
    list_del(&b->link);
    b->ext->n_bindings--;
    c->registrations--;
    binding_free(b);
}

static void changed(struct core *c, const struct ext *e)
{
    core_tell(c, CORE_EV_REGISTRATION, 0, "", e->number);
    struct sbuf *b = core_ev_begin(c, "registration.changed", "extension", e->number);
    sbuf_kv(b, "extension", e->number);
    sbuf_kv_uint(b, "bindings", e->n_bindings);
    core_ev_end(c);
}

void core_reg_drop_all(struct core *c, const char *extension)
{
    struct ext *e = core_ext_find(c, extension);
    if (!e)
        return;
    bool had = e->n_bindings > 0;
    list_foreach_safe(it, &e->bindings)
        core_reg_drop(c, list_entry(it, struct binding, link), true);
    if (had)
        changed(c, e);
    core_ext_tidy(c, e);
}

void core_reg_expire(struct core *c)
{
    for (;;) {
        struct heap_item *top = heap_top(&c->expiries);
        if (!top || top->due > c->now_us)
            return;
        struct binding *b = list_entry(top, struct binding, expiry);
        struct ext *e = b->ext;
        core_reg_drop(c, b, true);
        changed(c, e);
        core_ext_tidy(c, e);
    }
}

/* ---- the command */

static void binding_key(const Ev__RegisterBinding *m, char *out, size_t size)
{
    if (m->instance[0])
        (void)snprintf(out, size, "i:%s;%u", m->instance, m->reg_id);
    else
        (void)snprintf(out, size, "u:%s", m->uri);
}

static struct binding *find(const struct ext *e, const char *key)
{
    if (!e)
        return NULL;
    list_foreach(it, &e->bindings) {
        struct binding *b = list_entry(it, struct binding, link);
        if (strcmp(b->key, key) == 0)
            return b;
    }
    return NULL;
}

static bool out_of_order(const struct binding *b, const Ev__Register *m)
{
    return b && strcmp(b->call_id, m->call_id) == 0 && m->cseq <= b->cseq;
}

#define BINDING_KEY_MAX 1152u
#define EVENTS_MAX 256u /* bytes of Allow-Events */

static int check(struct core *c, const Ev__Register *m, const struct ext *e)
{
    const Ev__Extension *x = core_extension(c, m->extension);
    if (!x)
        return core_refuse(c, ERR_NOTFOUND, "extension", "there is no extension %.64s", m->extension);
    if (x->disabled)
        return core_refuse(c, ERR_DENIED, "extension", "extension %.64s is disabled", m->extension);
    if (strlen(m->events) >= EVENTS_MAX)
        return core_refuse(c, ERR_INVAL, "events", "Allow-Events is too long");
    if (m->n_bindings > CORE_BINDINGS_MAX)
        return core_refuse(c, ERR_TOOBIG, "bindings", "at most %u bindings", CORE_BINDINGS_MAX);
    char key[BINDING_KEY_MAX];
    for (size_t i = 0; i < m->n_bindings; i++) {
        const Ev__RegisterBinding *b = m->bindings[i];
        if (!core_fits(b->uri, 1024) || strlen(b->instance) > 1024)
            return core_refuse(c, ERR_INVAL, "bindings", "a binding's URI is empty or too long");
        binding_key(b, key, sizeof key);
        if (out_of_order(find(e, key), m))
            return core_refuse(c, ERR_STALE, "cseq", "an older request than the one that made the binding");
    }
    if (e && m->remove_all) {
        list_foreach(it, &e->bindings) {
            if (out_of_order(list_entry(it, struct binding, link), m))
                return core_refuse(c, ERR_STALE, "cseq", "an older request than the one that made a binding");
        }
    }
    return 0;
}

static void store(struct core *c, const struct binding *b)
{
    const struct storage_val v[] = {storage_text(b->ext->number), storage_text(b->key),      storage_int(b->id),
                                    storage_text(b->uri),         storage_text(b->instance), storage_int(b->reg_id),
                                    storage_text(b->node),        storage_text(b->flow),     storage_text(b->path),
                                    storage_text(b->user_agent),  storage_text(b->call_id),  storage_int(b->cseq),
                                    storage_int(b->expires_us),   storage_text(b->events)};
    storage_run(c->st, STORAGE_REG_PUT, v, 14);
}

/* true when others see a difference (not a mere refresh) */
static bool put_binding(struct core *c, struct ext *e, const Ev__Register *m, const Ev__RegisterBinding *in)
{
    char key[BINDING_KEY_MAX];
    binding_key(in, key, sizeof key);
    struct binding *old = find(e, key);
    if (!in->expires_us || in->expires_us <= c->now_us) {
        if (old)
            core_reg_drop(c, old, true);
        return old != NULL;
    }
    bool differs = !old || strcmp(old->uri, in->uri) != 0 || strcmp(old->flow, m->flow) != 0 ||
                   strcmp(old->node, m->node) != 0 || strcmp(old->path, m->path) != 0;
    if (old)
        core_reg_drop(c, old, false); /* its row is replaced */
    while (e->n_bindings >= CORE_BINDINGS_MAX)
        core_reg_drop(c, list_entry(e->bindings.prev, struct binding, link), true);
    struct binding *b = core_alloc(sizeof *b);
    b->ext = e;
    b->id = ++c->binding_seq;
    b->key = core_dup(key);
    b->uri = core_dup(in->uri);
    b->instance = core_dup(in->instance);
    b->reg_id = in->reg_id;
    b->node = core_dup(m->node);
    b->flow = core_dup(m->flow);
    b->path = core_dup(m->path);
    b->user_agent = core_dup(m->user_agent);
    b->events = core_dup(m->events);
    b->call_id = core_dup(m->call_id);
    b->cseq = m->cseq;
    b->expires_us = in->expires_us;
    core_reg_add(c, b);
    store(c, b);
    return differs;
}

int core_register(struct core *c, const Ev__Register *m)
{
    int err = check(c, m, core_ext_find(c, m->extension));
    if (err)
        return err;
    struct ext *e = core_ext(c, m->extension);
    bool differs = false;
    if (m->remove_all) {
        differs = e->n_bindings > 0;
        list_foreach_safe(it, &e->bindings)
            core_reg_drop(c, list_entry(it, struct binding, link), true);
    }
    for (size_t i = 0; i < m->n_bindings; i++)
        differs = put_binding(c, e, m, m->bindings[i]) || differs;
    if (differs)
        changed(c, e);
    if (e->n_bindings)
        core_agent_reachable(c, e);
    core_ext_tidy(c, e);
    return 0;
}
