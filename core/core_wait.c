/* What falls due for a caller who waits, by the clock of apply.
 *
 *   own        waits for his own agent alone: until he entered + dedicated_wait_s, or that agent is not logged in -> anybody may serve him
 *   overflow   of each further queue of his own: entered + after_wait_s, or as soon as he stands behind place if_waiting -> waits there too
 *   no_agents  the later of entering and when the last member logged out
 *              + no_agents_wait_s, while none of them is logged in                -> no_agents_action
 *   max_wait   entered + max_wait_s                                               -> max_wait_action
 *
 *              or, if_estimated_s, as soon as a look says that he will wait for longer: one in the command that brings him to the
 *              queue (or back), that changes the queue or has its first member in or its last one out, and one at each 5 s
 *
 * A look is part of settling: after the command's work, when all who can be served are, in the order of what falls due, and the
 * estimate of a queue stays as the first look of a command found it. (A state that a command only passes through is never looked at.
 * Below feature level 4 it was, whenever the row of the call was touched.)
 *
 * One entry of a heap for each waiting caller whose queue has such rules, at the earliest of these; none while he is being rung:
 * he is left to ring, and what has fallen due meanwhile is done when that was in vain and nobody else takes him. An action that
 * cannot be done (agent busy, queue full) leaves him where he is and is not tried again. All of it follows from the tables:
 * the call (entered_us, tried, overflow), agents, and empty_since_us of the queue. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"

/* Numbers of the first are stored (CallState.tried). Those below ACTIONS lead out of the queue. */
enum rule { MAX_WAIT, NO_AGENTS, ACTIONS, OWN = ACTIONS, OVERFLOW_0, RULES = OVERFLOW_0 + ACD_PLACES_MAX - 1 };
static const char *const reasons[] = {[MAX_WAIT] = "max_wait", [NO_AGENTS] = "no_agents", [OWN] = "own"};
/* What helps a caller before what sends him away. */
static const enum rule in_order[] = {OWN, OVERFLOW_0, OVERFLOW_0 + 1, OVERFLOW_0 + 2, NO_AGENTS, MAX_WAIT};
_Static_assert(sizeof in_order / sizeof *in_order == RULES, "each rule has its turn");
#define NEVER UINT64_MAX
#define SECOND_US 1000000ull
#define LOOK_US (5 * SECOND_US) /* between two looks at estimates */

static uint64_t entered(const Ev__CallState *s)
{
    return s->entered_us ? s->entered_us : s->queued_us;
}

static const Ev__Action *action_of(const Ev__Queue *cfg, enum rule r)
{
    return r == MAX_WAIT ? cfg->max_wait_action : r == NO_AGENTS ? cfg->no_agents_action : NULL;
}

static bool overflows_to(const Ev__CallState *s, const char *queue)
{
    for (size_t i = 0; i < s->n_overflow; i++) {
        if (strcmp(s->overflow[i], queue) == 0)
            return true;
    }
    return false;
}

static uint64_t next_look(const struct core *c)
{
    return (c->now_us / LOOK_US + 1) * LOOK_US; /* all at one time: one Tick */
}

/* Who waits, and by what. */
struct waiting {
    const struct core *c;
    const struct call *k;
    const struct queue *q;
    const Ev__Queue *cfg;
    bool settles; /* core_wait_due: his turn has come */
};

static struct waiting waiting(const struct core *c, const struct call *k, bool settles)
{
    const struct queue *q = k->st->phase == CORE_CALL_WAITING ? core_queue_obj(c, k->st->queue) : NULL;
    return (struct waiting){
        .c = c, .k = k, .q = q, .cfg = q ? core_queue_config(c, q->name) : NULL, .settles = settles};
}

static uint64_t overflow_due(const struct waiting *w, const Ev__QueueOverflow *o)
{
    const struct core *c = w->c;
    const Ev__CallState *s = w->k->st;
    bool at_once = c->feature_level < 4;
    if (strcmp(o->queue, s->queue) == 0 || overflows_to(s, o->queue) || s->n_overflow >= ACD_PLACES_MAX - 1)
        return NEVER;
    if (o->after_wait_s)
        return entered(s) + o->after_wait_s * SECOND_US;
    uint32_t place = acd_position(c->acd, s->call_id);
    if (o->if_waiting)
        return place > o->if_waiting ? c->now_us : NEVER;
    if (!at_once && !w->settles)
        return w->k->look_us;
    /* Between commands nobody is left who would have been found so: out of the tables (no command) the next look is what it was. */
    bool looks = at_once ? c->cmd != NULL : w->k->look_us <= c->now_us;
    bool longer = looks && estimate_exceeds(core_estimate(c, core_queue_obj(c, s->queue)), place, o->if_estimated_s);
    return longer ? c->now_us : next_look(c);
}

static bool own_is_in(const struct core *c, const Ev__CallState *s)
{
    const struct agent *a = core_agent_obj(c, s->dedicated);
    return a && a->ext;
}

static uint64_t due_at(const struct waiting *w, enum rule r)
{
    const struct core *c = w->c;
    const Ev__CallState *s = w->k->st;
    const Ev__Queue *cfg = w->cfg;
    uint64_t from = entered(s);
    if (r >= OVERFLOW_0)
        return r - OVERFLOW_0 < cfg->n_overflow ? overflow_due(w, cfg->overflow[r - OVERFLOW_0]) : NEVER;
    if (s->tried & (1u << r) || (r < ACTIONS && !action_of(cfg, r)))
        return NEVER;
    if (r == OWN)
        return !s->dedicated[0] ? NEVER : !own_is_in(c, s) ? c->now_us : from + cfg->dedicated_wait_s * SECOND_US;
    if (r == MAX_WAIT)
        return cfg->max_wait_s ? from + cfg->max_wait_s * SECOND_US : NEVER;
    if (w->q->logged_in)
        return NEVER;
    from = w->q->empty_since_us > from ? w->q->empty_since_us : from;
    return from + cfg->no_agents_wait_s * SECOND_US;
}

void core_wait_look(struct core *c, struct call *k)
{
    k->look_us = c->now_us;
}

void core_wait_set(struct core *c, struct call *k)
{
    const struct waiting w = waiting(c, k, false);
    uint64_t due = NEVER;
    for (int r = 0; w.cfg && r < RULES; r++) {
        uint64_t at = due_at(&w, (enum rule)r);
        due = at < due ? at : due;
    }
    if (c->feature_level < 4)
        k->look_us = next_look(c); /* it was looked at here */
    if (due != NEVER)
        heap_set(&c->waits, &k->wait, due, k->st->call_id);
    else
        heap_remove(&c->waits, &k->wait);
}

/* ---- his own agent */

void core_wait_enter(struct core *c, struct call *k)
{
    Ev__CallState *s = k->st;
    const struct agent *of = s->dedicated[0] || !s->caller[0] ? NULL : map_get(&c->customers, s->caller);
    while (s->n_overflow)
        free(s->overflow[--s->n_overflow]);
    if (of)
        core_pbset(&s->dedicated, of->number);
    if (!s->dedicated[0])
        return;
    if (!own_is_in(c, s) || !core_queue_config(c, s->queue)->dedicated_wait_s)
        core_wait_own_done(k);
}

bool core_wait_for_own(const struct core *c, const struct call *k)
{
    (void)c;
    return k->st->dedicated[0] && !(k->st->tried & (1u << OWN));
}

void core_wait_own_done(struct call *k)
{
    k->st->tried |= 1u << OWN;
}

void core_wait_actions_done(struct call *k)
{
    k->st->tried |= (1u << ACTIONS) - 1;
}

static void release(struct core *c, struct call *k)
{
    core_wait_own_done(k);
    if (acd_release(c->acd, k->st->call_id) != 0)
        core_oom();
    core_call_touch(c, k);
}

/* ---- further queues */

void core_wait_pushed(struct core *c, const struct queue *q)
{
    const Ev__Queue *cfg = core_queue_config(c, q->name);
    for (size_t i = 0; i < cfg->n_overflow; i++) {
        uint64_t id;
        if (!cfg->overflow[i]->if_waiting || !acd_waiting_at(c->acd, q->key, cfg->overflow[i]->if_waiting, &id))
            continue;
        struct call *k = core_call_obj(c, id);
        if (k && strcmp(k->st->queue, q->name) == 0)
            core_wait_set(c, k);
    }
}

static void overflow(struct core *c, struct call *k, const char *queue)
{
    Ev__CallState *s = k->st;
    const struct queue *q = core_queue_obj(c, queue);
    if (acd_overflow(c->acd, s->call_id, q->key) != 0)
        core_oom(); /* the call waits, and not there yet */
    s->overflow = core_grow(s->overflow, (s->n_overflow + 1) * sizeof(char *));
    s->overflow[s->n_overflow++] = core_dup(queue);
    core_queue_touch(c, queue);
    core_call_touch(c, k);
    struct sbuf *b = core_ev_call_begin(c, "call.overflow", k);
    sbuf_kv(b, "to_queue", queue);
    core_ev_end(c);
    core_wait_pushed(c, q);
}

/* ---- actions */

/* False: he waits as before. */
static bool lead_away(struct core *c, struct call *k, const Ev__Action *a, const char *reason)
{
    Ev__CallState *s = k->st;
    struct acd_call was;
    char queue[CORE_NAME_MAX];
    (void)snprintf(queue, sizeof queue, "%s", s->queue);
    if (!acd_waits(c->acd, s->call_id, &was) || acd_dequeue(c->acd, s->call_id) != 0)
        core_oom(); /* he is WAITING, so he waits */
    core_queues_touch(c, k);
    bool done = core_action_do(c, k, a, reason) == 0;
    if (!done && acd_enqueue(c->acd, &was) != 0)
        core_oom();
    if (done)
        s->from_queue = s->phase == CORE_CALL_DIALLING;
    /* Not to the one that was full and had him rung: he never stood there. */
    if (done && s->from_queue && core_feature_level(c) >= 4)
        core_pbset(&s->left_queue, queue);
    core_call_touch(c, k);
    return done;
}

static void give_to(struct core *c, struct call *k, enum rule r)
{
    const Ev__Action *a = action_of(core_queue_config(c, k->st->queue), r);
    if (!lead_away(c, k, a, reasons[r]) || k->st->from_queue)
        k->st->tried |= 1u << r;
}

int core_wait_choose(struct core *c, struct call *k, const char *key)
{
    const Ev__Queue *cfg = k->st->phase == CORE_CALL_WAITING ? core_queue_config(c, k->st->queue) : NULL;
    if (!cfg)
        return core_refuse(c, ERR_BADSTATE, "call_id", "the caller does not wait");
    for (size_t i = 0; i < cfg->n_keys; i++) {
        if (strcmp(cfg->keys[i]->key, key) != 0)
            continue;
        if (cfg->keys[i]->action)
            (void)lead_away(c, k, cfg->keys[i]->action, "choice");
        core_wait_set(c, k);
        return 0;
    }
    return core_refuse(c, ERR_NOTFOUND, "choice", "queue %.64s has no key %.8s", cfg->name, key);
}

bool core_wait_due(struct core *c)
{
    struct heap_item *top = heap_top(&c->waits);
    if (!top || top->due > c->now_us)
        return false;
    struct call *k = list_entry(top, struct call, wait);
    const struct waiting w = waiting(c, k, true);
    int i = 0;
    while (i < RULES && due_at(&w, in_order[i]) > c->now_us)
        i++;
    if (i == RULES) /* it was time for a look, and no more */
        k->look_us = next_look(c);
    else if (in_order[i] == OWN)
        release(c, k);
    else if (in_order[i] >= OVERFLOW_0)
        overflow(c, k, w.cfg->overflow[in_order[i] - OVERFLOW_0]->queue);
    else
        give_to(c, k, in_order[i]);
    core_wait_set(c, k);
    return true;
}

bool core_wait_rule(const struct core *c, const struct call *k, unsigned i, const char **reason, const Ev__Action **a,
                    uint64_t *due_us, bool *tried)
{
    struct waiting w = waiting(c, k, false);
    w.q = core_queue_obj(c, k->st->queue); /* also of who is being rung for */
    w.cfg = core_queue_config(c, k->st->queue);
    if (i >= ACTIONS || !w.cfg)
        return false;
    *reason = reasons[i];
    *a = action_of(w.cfg, (enum rule)i);
    *due_us = due_at(&w, (enum rule)i);
    *tried = k->st->tried & (1u << i);
    return true;
}

/* ---- who is logged in */

void core_wait_state_touch(struct core *c, struct queue *q)
{
    if (list_empty(&q->state_dirty))
        list_push_back(&c->dirty_queue_states, &q->state_dirty);
}

void core_wait_flush(struct core *c)
{
    list_foreach_safe(it, &c->dirty_queue_states) {
        struct queue *q = list_entry(it, struct queue, state_dirty);
        Ev__QueueState m = EV__QUEUE_STATE__INIT;
        size_t len;
        Ev__QueueWindow windows[ESTIMATE_WINDOWS], *list[ESTIMATE_WINDOWS];
        for (unsigned i = 0; i < ESTIMATE_WINDOWS; i++)
            list[i] = &windows[i];
        m.windows = list;
        m.empty_since_us = q->empty_since_us;
        core_estimate_save(q, &m);
        m.agents_1000 = core_feature_level(c) >= 3 ? core_estimate(c, q)->agents_1000 : 0;
        const uint8_t *body = core_packed(c, &m.base, &len);
        const struct storage_val v[] = {storage_text(q->name), storage_blob(body, len)};
        storage_run(c->st, STORAGE_QUEUE_STATE_PUT, v, 2);
        list_del(it);
    }
}

void core_wait_queue_changed(struct core *c, struct queue *q)
{
    const Ev__Queue *cfg = core_queue_config(c, q->name);
    uint64_t since = !cfg->no_agents_action || q->logged_in ? 0 : q->empty_since_us ? q->empty_since_us : c->now_us;
    if (since != q->empty_since_us) {
        q->empty_since_us = since;
        core_wait_state_touch(c, q);
    }
    uint64_t id;
    for (uint32_t i = 0; acd_waiting_at(c->acd, q->key, i, &id); i++) {
        struct call *k = core_call_obj(c, id);
        if (!k || strcmp(k->st->queue, q->name) != 0) /* call backs wait without such rules */
            continue;
        core_wait_look(c, k);
        core_wait_set(c, k);
    }
}

void core_wait_agent(struct core *c, const struct agent *a, bool in)
{
    uint32_t keys[ACD_QUEUES_PER_AGENT_MAX];
    unsigned n = acd_queues_of(c->acd, a->key, keys);
    for (unsigned i = 0; i < n; i++) {
        struct queue *q = c->queue_by_key[keys[i]];
        q->logged_in += in ? 1 : -1u;
        if (q->logged_in == (in ? 1 : 0))
            core_wait_queue_changed(c, q);
    }
    if (in || !acd_waiting_own(c->acd, a->key))
        return;
    /* his own callers need not wait for him */
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->calls, &it, &slot);) {
        struct call *k = slot->value;
        if (strcmp(k->st->dedicated, a->number) == 0)
            core_wait_set(c, k);
    }
}

void core_wait_members(struct core *c, struct queue *q)
{
    const Ev__Queue *cfg = core_queue_config(c, q->name);
    q->logged_in = 0;
    for (size_t i = 0; i < cfg->n_members; i++) {
        const struct agent *a = core_agent_obj(c, cfg->members[i]->agent);
        q->logged_in += a && a->pub.state != CORE_AGENT_LOGGED_OUT;
    }
}

void core_wait_queue_gone(struct core *c, struct queue *q)
{
    const struct storage_val v = storage_text(q->name);
    storage_run(c->st, STORAGE_QUEUE_STATE_DEL, &v, 1);
    list_del(&q->state_dirty);
}

int core_wait_load_queue(struct core *c, const char *name, const void *body, size_t len)
{
    struct queue *q = core_queue_obj(c, name);
    Ev__QueueState *m = q ? ev__queue_state__unpack(NULL, len, body) : NULL;
    if (!m)
        return ERR_CORRUPT;
    q->empty_since_us = m->empty_since_us;
    core_estimate_history(&q->history, m);
    ev__queue_state__free_unpacked(m, NULL);
    return 0;
}

void core_wait_load(struct core *c)
{
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->queues, &it, &slot);)
        core_wait_members(c, slot->value);
    for (size_t it = 0; map_next(&c->calls, &it, &slot);) {
        struct call *k = slot->value;
        k->look_us = next_look(c);
        core_wait_set(c, k);
    }
}

bool core_queue_unattended(const struct core *c, const char *name)
{
    const struct queue *q = core_queue_obj(c, name);
    const Ev__Queue *cfg = core_queue_config(c, name);
    return q && cfg && !q->logged_in && cfg->no_agents_action && !cfg->no_agents_wait_s;
}
