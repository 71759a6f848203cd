/* From the tables to memory. Everything that can be derived is derived: which telephone takes part in what, who is available,
 * who waits where. What does not fit together means that the database is not ours: ERR_CORRUPT. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/core_int.h"

static int applied_row(void *ctx, const struct storage_row *r)
{
    struct core *c = ctx;
    c->index = storage_row_int(r, 0);
    c->term = storage_row_int(r, 1);
    c->now_us = storage_row_int(r, 2);
    c->feature_level = storage_row_int(r, 3);
    c->front = storage_row_int(r, 4);
    c->offer_seq = storage_row_int(r, 5);
    c->binding_seq = storage_row_int(r, 6);
    c->cdr_seq = storage_row_int(r, 7);
    c->idem_seq = storage_row_int(r, 8);
    c->events_kept = storage_row_int(r, 9);
    c->calls_total = storage_row_int(r, 10);
    size_t len;
    const void *sessions = storage_row_blob(r, 11, &len);
    if (len % sizeof *c->sessions)
        return ERR_CORRUPT;
    c->sessions = core_alloc(len);
    memcpy(c->sessions, sessions, len);
    c->n_sessions = len / sizeof *c->sessions;
    return 0;
}

static int cluster_row(void *ctx, const struct storage_row *r)
{
    struct core *c = ctx;
    size_t n1, n2;
    const char *id = storage_row_text(r, 0);
    if (strlen(id) != 32)
        return ERR_CORRUPT;
    memcpy(c->cluster_id, id, 33);
    const void *p1 = storage_row_blob(r, 1, &n1);
    if (n1 != 32)
        return ERR_CORRUPT;
    memcpy(c->nonce_key, p1, 32);
    const void *p2 = storage_row_blob(r, 2, &n2);
    if (n2 != 32)
        return ERR_CORRUPT;
    memcpy(c->identifier_key, p2, 32);
    c->has_cluster = true;
    return 0;
}

static int idem_row(void *ctx, const struct storage_row *r)
{
    ((struct core *)ctx)->idem_oldest_us = storage_row_int(r, 0);
    return 1;
}

static int config_row(void *ctx, const struct storage_row *r)
{
    struct core *c = ctx;
    uint64_t kind = storage_row_int(r, 0);
    const char *name = storage_row_text(r, 1);
    uint64_t key = storage_row_int(r, 2);
    if (kind == CFG_NONE || kind >= CFG_KINDS || !core_fits(name, CORE_NAME_MAX) || key > 10000000)
        return ERR_CORRUPT;
    struct cfg *o = core_alloc(sizeof *o);
    o->kind = (enum cfg_kind)kind;
    (void)strcpy(o->name, name);
    o->key = (uint32_t)key;
    o->version = storage_row_int(r, 3);
    o->updated_us = storage_row_int(r, 4);
    const void *body = storage_row_blob(r, 5, &o->packed_len);
    o->packed = core_alloc(o->packed_len);
    memcpy(o->packed, body, o->packed_len);
    o->msg = protobuf_c_message_unpack(config_descriptor(o->kind), NULL, o->packed_len, o->packed);
    if (!o->msg || strcmp(config_key(o->kind, o->msg), name) != 0) {
        core_cfg_free(o);
        return ERR_CORRUPT;
    }
    core_cfg_install(c, o); /* in the order of kinds: agents stand before the queues that name them */
    return 0;
}

static int node_row(void *ctx, const struct storage_row *r)
{
    struct core *c = ctx;
    size_t len;
    const void *body = storage_row_blob(r, 4, &len);
    Ev__NodeUp *m = ev__node_up__unpack(NULL, len, body);
    if (!m)
        return ERR_CORRUPT;
    struct node *n = core_alloc(sizeof *n);
    list_init(&n->dirty);
    n->msg = m;
    n->pub.up = storage_row_int(r, 1) != 0;
    n->pub.since_us = storage_row_int(r, 2);
    n->draining = storage_row_int(r, 3) != 0;
    core_node_publish(n);
    core_node_link(c, n);
    return 0;
}

static int address_row(void *ctx, const struct storage_row *r)
{
    struct core *c = ctx;
    const char *ip = storage_row_text(r, 0);
    if (!core_fits(ip, CORE_IP_MAX))
        return ERR_CORRUPT;
    struct address *a = core_address_add(c, ip);
    (void)snprintf(a->home, sizeof a->home, "%s", storage_row_text(r, 1));
    (void)snprintf(a->holder, sizeof a->holder, "%s", storage_row_text(r, 2));
    (void)snprintf(a->target, sizeof a->target, "%s", storage_row_text(r, 3));
    a->pub.epoch = (uint32_t)storage_row_int(r, 4);
    a->pub.bound = storage_row_int(r, 5) != 0;
    (void)snprintf(a->why, sizeof a->why, "%s", storage_row_text(r, 6));
    return 0;
}

static int reg_row(void *ctx, const struct storage_row *r)
{
    struct core *c = ctx;
    const char *extension = storage_row_text(r, 0);
    if (!core_extension(c, extension))
        return ERR_CORRUPT;
    struct binding *b = core_alloc(sizeof *b);
    b->ext = core_ext(c, extension);
    b->key = core_dup(storage_row_text(r, 1));
    b->id = storage_row_int(r, 2);
    b->uri = core_dup(storage_row_text(r, 3));
    b->instance = core_dup(storage_row_text(r, 4));
    b->reg_id = (uint32_t)storage_row_int(r, 5);
    b->node = core_dup(storage_row_text(r, 6));
    b->flow = core_dup(storage_row_text(r, 7));
    b->path = core_dup(storage_row_text(r, 8));
    b->user_agent = core_dup(storage_row_text(r, 9));
    b->call_id = core_dup(storage_row_text(r, 10));
    b->cseq = (uint32_t)storage_row_int(r, 11);
    b->expires_us = storage_row_int(r, 12);
    b->events = core_dup(storage_row_text(r, 13));
    core_reg_add(c, b); /* by id: the newest comes last and stands first */
    return 0;
}

static int agent_row(void *ctx, const struct storage_row *r)
{
    struct core *c = ctx;
    struct agent *a = core_agent_obj(c, storage_row_text(r, 0));
    uint64_t state = storage_row_int(r, 2);
    if (!a || state > CORE_AGENT_WRAP_UP)
        return ERR_CORRUPT;
    const char *extension = storage_row_text(r, 1);
    a->ready = storage_row_int(r, 3) != 0;
    a->logout = storage_row_int(r, 4) != 0;
    (void)snprintf(a->extension, sizeof a->extension, "%s", extension);
    (void)snprintf(a->reason, sizeof a->reason, "%s", storage_row_text(r, 5));
    struct core_agent *p = &a->pub;
    p->state = (enum core_agent_state)state;
    p->since_us = storage_row_int(r, 6);
    p->login_us = storage_row_int(r, 7);
    p->idle_since_us = storage_row_int(r, 8);
    p->wrap_up_until_us = storage_row_int(r, 9);
    p->call_id = storage_row_int(r, 10);
    p->answered = (uint32_t)storage_row_int(r, 11);
    a->occupied_us = storage_row_int(r, 12);
    a->last_offer = storage_row_int(r, 13);
    size_t len;
    const void *work = storage_row_blob(r, 14, &len);
    a->work = len ? ev__agent_work__unpack(NULL, len, work) : NULL;
    if (len && (!a->work || a->work->present > a->work->n_spent))
        return ERR_CORRUPT;
    core_state_watch(c, a);
    if ((p->state == CORE_AGENT_LOGGED_OUT) != (a->extension[0] == '\0'))
        return ERR_CORRUPT;
    if (a->extension[0]) {
        a->ext = core_ext(c, a->extension);
        if (a->ext->agent)
            return ERR_CORRUPT;
        a->ext->agent = a;
    }
    if (p->state == CORE_AGENT_WRAP_UP)
        heap_set(&c->wraps, &a->wrap, p->wrap_up_until_us, a->key);
    if (p->state == CORE_AGENT_IDLE && core_agent_offer_up(c, a) != 0)
        return ERR_CORRUPT;
    return 0;
}

static int queue_state_row(void *ctx, const struct storage_row *r)
{
    size_t len;
    const void *body = storage_row_blob(r, 1, &len);
    return core_wait_load_queue(ctx, storage_row_text(r, 0), body, len);
}

static int callback_row(void *ctx, const struct storage_row *r)
{
    size_t len;
    const void *body = storage_row_blob(r, 0, &len);
    return core_callback_load(ctx, body, len);
}

static struct ext *take_part(struct core *c, struct call *k, const char *number)
{
    struct ext *e = core_ext(c, number);
    core_call_part_add(k, e);
    return e;
}

static int take_rings(struct core *c, struct call *k)
{
    const Ev__CallState *s = k->st;
    if (!core_outside(k))
        k->callee = take_part(c, k, s->offer_extension);
    for (size_t i = 0; i < s->n_rings; i++)
        (void)take_part(c, k, s->rings[i]->extension);
    if (s->phase != CORE_CALL_OFFERED)
        return 0;
    if (!core_queue_obj(c, s->offer_queue))
        return ERR_CORRUPT;
    core_ring_list(c, k);
    return 0;
}

/* Those it waits in, or comes back to when a ring was in vain. */
static bool queues_are_there(const struct core *c, const Ev__CallState *s)
{
    if (s->phase != CORE_CALL_WAITING && s->phase != CORE_CALL_OFFERED && !s->from_queue)
        return true;
    for (size_t i = 0; i < s->n_overflow; i++)
        if (!core_queue_obj(c, s->overflow[i]))
            return false;
    return core_queue_obj(c, s->from_queue ? s->left_queue : s->queue);
}

static int call_row(void *ctx, const struct storage_row *r)
{
    struct core *c = ctx;
    size_t len;
    const void *body = storage_row_blob(r, 0, &len);
    Ev__CallState *s = ev__call_state__unpack(NULL, len, body);
    if (!s)
        return ERR_CORRUPT;
    struct call *k = core_alloc(sizeof *k);
    list_init(&k->dirty);
    list_init(&k->ringing);
    list_init(&k->parties);
    list_init(&k->party);
    k->st = s;
    k->stored = true;
    core_call_publish(k);
    if (map_get_u64(&c->calls, s->call_id) || s->phase > CORE_CALL_JOINED || s->mode >= CORE_MODES ||
        (s->phase == CORE_CALL_JOINED && (s->n_legs != 1 || !s->joined)) ||
        (s->phase == CORE_CALL_NOTICE) != (s->notice != NULL) || (s->notice && s->notice->at >= s->notice->n_names) ||
        (s->n_legs == 0 && !core_first_rings(k)) || s->n_rings > CORE_RING_MAX ||
        s->n_called_off > CORE_CALLED_OFF_MAX) {
        core_call_free(k);
        return ERR_CORRUPT;
    }
    if (map_set_u64(&c->calls, s->call_id, k) != 0)
        core_oom();
    if (s->extension[0])
        k->caller = take_part(c, k, s->extension);
    if (!queues_are_there(c, s) || (s->offer_id && take_rings(c, k) != 0))
        return ERR_CORRUPT;
    if (!s->offer_id && s->phase == CORE_CALL_TALKING && !core_outside(k))
        k->callee = take_part(c, k, s->legs[s->n_legs - 1]->number);
    c->talking += s->phase == CORE_CALL_TALKING;
    if (s->phase != CORE_CALL_WAITING)
        return 0;
    return core_queue_wait(c, k, core_queue_obj(c, s->queue)) == 0 ? 0 : ERR_CORRUPT;
}

static int subscription_row(void *ctx, const struct storage_row *r)
{
    size_t len;
    const void *body = storage_row_blob(r, 0, &len);
    Ev__Subscription *st = ev__subscription__unpack(NULL, len, body);
    return st ? core_subscription_load(ctx, st) : ERR_CORRUPT;
}

int core_load(struct core *c, struct err_info *info)
{
    static const struct {
        enum storage_sql sql;
        storage_row_fn *fn;
        const char *table;
    } steps[] = {{STORAGE_APPLIED_GET, applied_row, "applied"},
                 {STORAGE_CLUSTER_GET, cluster_row, "cluster"},
                 {STORAGE_CONFIG_ALL, config_row, "config"},
                 {STORAGE_NODE_ALL, node_row, "node"},
                 {STORAGE_ADDRESS_ALL, address_row, "address"},
                 {STORAGE_REG_ALL, reg_row, "registration"},
                 {STORAGE_AGENT_ALL, agent_row, "agent_state"},
                 {STORAGE_CALL_ALL, call_row, "call"},
                 {STORAGE_CALLBACK_ALL, callback_row, "callback"},
                 {STORAGE_SUBSCRIPTION_ALL, subscription_row, "subscription"},
                 {STORAGE_QUEUE_STATE_ALL, queue_state_row, "queue_state"},
                 {STORAGE_IDEM_OLDEST, idem_row, "idempotency"}};
    c->feature_level = 1;
    c->nexts = UINT32_MAX;
    list_init(&c->dirty_calls);
    list_init(&c->dirty_agents);
    list_init(&c->dirty_queues);
    list_init(&c->dirty_queue_states);
    list_init(&c->dirty_nodes);
    list_init(&c->dirty_addresses);
    list_init(&c->dirty_callbacks);
    list_init(&c->recordings);
    list_init(&c->deliveries);
    list_init(&c->subscriptions);
    map_init(&c->recordings_by_id);
    int err = acd_new(&c->acd);
    if (err)
        return err_set(info, err, "", "no memory for the queue engine");
    for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        err = storage_query(c->st, steps[i].sql, NULL, 0, steps[i].fn, c);
        if (err < 0)
            return err_set(info, err, "", "table %s does not fit the others or cannot be read", steps[i].table);
    }
    if (!core_join_load(c))
        return err_set(info, ERR_CORRUPT, "", "a call is joined to one that does not talk");
    err = core_records_load(c);
    if (!err)
        err = core_deliveries_load(c);
    if (err < 0)
        return err_set(info, err, "", "tables message and recording cannot be read");
    core_wait_load(c);
    struct acd_decision d;
    if (acd_decide(c->acd, &d))
        return err_set(info, ERR_CORRUPT, "", "a caller waits although an agent is free");
    return 0;
}

void core_unload(struct core *c)
{
    const struct map_slot *slot;
    core_lookup_drop(c);
    core_teams_drop(c);
    core_forwards_drop(c);
    for (size_t it = 0; map_next(&c->calls, &it, &slot);)
        core_call_free(slot->value);
    map_free(&c->calls);
    map_free(&c->customers);
    core_callbacks_free(c);
    core_subscriptions_free(c);
    for (size_t it = 0; map_next(&c->exts, &it, &slot);) {
        struct ext *e = slot->value;
        list_foreach_safe(b, &e->bindings)
            core_reg_drop(c, list_entry(b, struct binding, link), false);
        free(e->calls);
        free(e);
    }
    map_free(&c->exts);
    for (size_t it = 0; map_next(&c->agents, &it, &slot);) {
        struct agent *a = slot->value;
        if (a->work)
            ev__agent_work__free_unpacked(a->work, NULL);
        free(a);
    }
    map_free(&c->agents);
    for (size_t it = 0; map_next(&c->queues, &it, &slot);)
        free(slot->value);
    map_free(&c->queues);
    for (size_t it = 0; map_next(&c->nodes, &it, &slot);)
        core_node_free(slot->value);
    map_free(&c->nodes);
    core_addresses_free(c);
    core_records_free(c);
    core_deliveries_free(c);
    core_numbers_free(c);
    core_notice_changed(c, CFG_NOTICE);
    for (int i = 0; i < CFG_KINDS; i++) {
        for (size_t it = 0; map_next(&c->cfg[i], &it, &slot);)
            core_cfg_free(slot->value);
        map_free(&c->cfg[i]);
    }
    free(c->agent_by_key);
    free(c->queue_by_key);
    free(c->sorted);
    free(c->node_list);
    free(c->sessions);
    free(c->wraps.v);
    free(c->expiries.v);
    free(c->skills.v);
    free(c->limits.v);
    free(c->waits.v);
    free(c->subscriptions_due.v);
    acd_free(c->acd);
    core_events_reset(c);
    /* What outlives a reload stays; all else starts from nothing. */
    struct core keep = *c;
    memset(c, 0, sizeof *c);
    c->st = keep.st;
    c->hooks = keep.hooks;
    c->answers = keep.answers;
    c->n_answers = keep.n_answers;
    c->ev = keep.ev;
    c->cap_ev = keep.cap_ev;
    c->events = keep.events;
    c->buf = keep.buf;
    c->buf_cap = keep.buf_cap;
    c->commands_total = keep.commands_total;
    c->refused_total = keep.refused_total;
}
