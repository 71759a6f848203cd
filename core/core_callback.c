/* Who wants to be called back: a row for each, and how it follows what becomes of calls.
 *
 *   CallBackAsk, CallBackNote (a caller), CallBackSet (a person)
 *                 │                │ due later
 *                 │            SCHEDULED ◄──────────── in vain, tries left ──────┐
 *                 │                │ due                                         │
 *   the caller hangs up            ▼           an agent is found                 │
 *   CALLING ──────────────────► WAITING ────────────────────► CALLING ───────────┴─► gone: connected, or tried often enough
 *     ▲                            │  ▲                          │ no agent answers
 *     └── he calls again himself ──┘  └──────────────────────────┘ (to the very front)
 *
 * WAITING is a place in the queue engine like a caller's, under the row's id: the engine knows no difference, and the place is the one
 * he had, for all that it is ordered by is kept. CALLING: a live call of `call_id` may save calling him, be it that he is still in the
 * call in which he asked, that he has called again and waits himself (in this very place), or that we call him; the end of that call
 * says how it goes on, and nothing else does. So a row is never lost when a call is, and never called while one lasts.
 * Stored is the row alone; its state follows from call_id and due_us. All of it is of feature level 4. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "core/core_int.h"

#define SECOND_US 1000000ull
#define TRIES 3u
#define INTERVAL_S 300u

struct callback *core_callback_obj(const struct core *c, uint64_t id)
{
    return id ? map_get_u64(&c->callbacks, id) : NULL;
}

const struct call *core_waiter(const struct core *c, uint64_t id)
{
    const struct call *k = core_call_obj(c, id);
    const struct callback *cb = k ? NULL : core_callback_obj(c, id);
    return k ? k : cb ? &cb->as : NULL;
}

const Ev__CallBack *core_callback(const struct core *c, uint64_t id)
{
    const struct callback *cb = core_callback_obj(c, id);
    return cb ? cb->st : NULL;
}

const char *core_callback_state(uint64_t call_id, uint64_t due_us)
{
    return call_id ? "calling" : due_us ? "scheduled" : "waiting";
}

/* ---- rows */

#define NUMBER_KEY_MAX (CORE_NAME_MAX + NUMBER_MAX)

/* Under which a row is found by queue and number: whoever comes to a queue is looked for. */
static const char *number_key(const char *queue, const char *number, char key[NUMBER_KEY_MAX])
{
    char form[NUMBER_MAX];
    number_form(number, form);
    (void)snprintf(key, NUMBER_KEY_MAX, "%.63s\n%s", queue, form);
    return key;
}

static void touch(struct core *c, struct callback *cb)
{
    if (list_empty(&cb->dirty))
        list_push_back(&c->dirty_callbacks, &cb->dirty);
}

void core_callbacks_flush(struct core *c)
{
    list_foreach_safe(it, &c->dirty_callbacks) {
        struct callback *cb = list_entry(it, struct callback, dirty);
        const Ev__CallBack *m = cb->st;
        size_t len;
        const uint8_t *body = core_packed(c, &m->base, &len);
        const struct storage_val v[] = {storage_int(m->id),     storage_text(m->waits->queue), storage_text(m->number),
                                        storage_int(m->due_us), storage_int(m->call_id),       storage_blob(body, len)};
        storage_run(c->st, STORAGE_CALLBACK_PUT, v, 6);
        list_del(it);
    }
}

static void tell(struct core *c, const struct callback *cb, const char *state, const char *cause)
{
    char id[17];
    core_id_text(cb->st->id, id);
    struct sbuf *b = core_ev_begin(c, "callback.state", "callback", id);
    sbuf_kv(b, "callback_id", id);
    sbuf_kv(b, "queue", cb->st->waits->queue);
    sbuf_kv(b, "number", cb->st->number);
    sbuf_kv(b, "state", state);
    sbuf_kv_uint(b, "tries", cb->st->tries);
    if (cb->st->call_id)
        sbuf_kv_id(b, "call_id", cb->st->call_id);
    if (cause[0])
        sbuf_kv(b, "cause", cause);
    core_ev_end(c);
}

static void drop(struct core *c, struct callback *cb)
{
    char key[NUMBER_KEY_MAX];
    (void)map_del(&c->callback_numbers, number_key(cb->st->waits->queue, cb->st->number, key));
    (void)map_del_u64(&c->callbacks, cb->st->id);
    heap_remove(&c->callbacks_due, &cb->due);
    list_del(&cb->dirty);
    ev__call_back__free_unpacked(cb->st, NULL);
    free(cb);
}

static void forget(struct core *c, struct callback *cb, const char *why)
{
    const struct storage_val v = storage_int(cb->st->id);
    tell(c, cb, "gone", why);
    storage_run(c->st, STORAGE_CALLBACK_DEL, &v, 1);
    drop(c, cb);
}

/* Takes m over: the only one of its number in its queue. */
static struct callback *keep(struct core *c, Ev__CallBack *m)
{
    char key[NUMBER_KEY_MAX];
    struct callback *cb = core_alloc(sizeof *cb);
    cb->st = m;
    cb->as.st = m->waits;
    list_init(&cb->dirty);
    list_init(&cb->as.dirty);
    list_init(&cb->as.ringing);
    list_init(&cb->as.parties);
    list_init(&cb->as.party);
    if (map_set_u64(&c->callbacks, m->id, cb) != 0 ||
        map_set(&c->callback_numbers, number_key(m->waits->queue, m->number, key), cb) != 0)
        core_oom();
    return cb;
}

void core_callbacks_free(struct core *c)
{
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->callbacks, &it, &slot);) {
        struct callback *cb = slot->value;
        list_del(&cb->dirty);
        ev__call_back__free_unpacked(cb->st, NULL);
        free(cb);
    }
    map_free(&c->callbacks);
    map_free(&c->callback_numbers);
    free(c->callbacks_due.v);
}

/* ---- places in queues */

static int enqueue(struct core *c, struct callback *cb)
{
    struct queue *q = core_queue_obj(c, cb->st->waits->queue);
    int err = q ? core_queue_wait(c, &cb->as, q) : ERR_CORRUPT;
    if (err)
        return err;
    cb->waits = true;
    q->callbacks++;
    return 0;
}

static void out_of_queue(struct core *c, struct callback *cb)
{
    if (!cb->waits)
        return;
    cb->waits = false;
    core_queue_obj(c, cb->st->waits->queue)->callbacks--;
    core_queue_touch(c, cb->st->waits->queue);
}

/* He waits from now on, in the place that he has. */
static void wait(struct core *c, struct callback *cb)
{
    Ev__CallBack *m = cb->st;
    m->call_id = m->due_us = 0;
    heap_remove(&c->callbacks_due, &cb->due);
    if (!m->waits->queued_us)
        m->waits->queued_us = c->now_us;
    if (enqueue(c, cb) != 0)
        core_oom(); /* the only way to fail: the queue is there, and he is not in it */
    touch(c, cb);
    core_queue_touch(c, m->waits->queue);
    core_wait_pushed(c, core_queue_obj(c, m->waits->queue));
    tell(c, cb, "waiting", "");
}

static void schedule(struct core *c, struct callback *cb, uint64_t due_us, const char *cause)
{
    cb->st->call_id = 0;
    cb->st->due_us = due_us;
    heap_set(&c->callbacks_due, &cb->due, due_us, cb->st->id);
    touch(c, cb);
    tell(c, cb, "scheduled", cause);
}

/* A live call stands for it. */
static void calling(struct core *c, struct callback *cb, struct call *k)
{
    out_of_queue(c, cb);
    heap_remove(&c->callbacks_due, &cb->due);
    cb->st->due_us = 0;
    cb->st->call_id = k->st->call_id;
    k->st->callback = cb->st->id;
    touch(c, cb);
    tell(c, cb, "calling", "");
}

void core_callbacks_due(struct core *c)
{
    for (struct heap_item *top; (top = heap_top(&c->callbacks_due)) != NULL && top->due <= c->now_us;)
        wait(c, list_entry(top, struct callback, due));
}

void core_callbacks_forget_agent(struct core *c, const char *agent)
{
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->callbacks, &it, &slot);) {
        struct callback *cb = slot->value;
        Ev__CallState *s = cb->st->waits;
        bool last = strcmp(s->last_agent, agent) == 0, own = strcmp(s->dedicated, agent) == 0;
        if (!last && !own)
            continue;
        if (last)
            core_pbset(&s->last_agent, "");
        if (own)
            core_pbset(&s->dedicated, "");
        touch(c, cb);
        if (cb->waits &&
            (acd_dequeue(c->acd, cb->st->id) != 0 || core_queue_wait(c, &cb->as, core_queue_obj(c, s->queue)) != 0))
            core_oom(); /* the only way to fail: it waits */
    }
}

bool core_callbacks_in(const struct core *c, const char *queue)
{
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->callbacks, &it, &slot);) {
        const struct callback *cb = slot->value;
        if (strcmp(cb->st->waits->queue, queue) == 0)
            return true;
    }
    return false;
}

/* ---- who is meant */

/* The row that the call stands for. */
static struct callback *of_call(const struct core *c, const struct call *k)
{
    struct callback *cb = core_callback_obj(c, k->st->callback);
    return cb && cb->st->call_id == k->st->call_id ? cb : NULL;
}

/* The row of this number, in any form, in the queue: there is one at most. */
static struct callback *of_number(const struct core *c, const char *queue, const char *number)
{
    char key[NUMBER_KEY_MAX];
    return map_get(&c->callback_numbers, number_key(queue, number, key));
}

static int check_number(struct core *c, const Ev__Queue *q, const char *number)
{
    uint32_t status;
    const char *cause;
    if (!config_is_outside(number))
        return core_refuse(c, ERR_INVAL, "number", "is no number that can be called outside");
    if (core_blacklisted(c, number, CORE_CALL_OUT))
        return core_refuse(c, ERR_DENIED, "number", "%.64s is on the blacklist", number);
    if (!core_outside_trunk(c, q->callback_trunk, "", &status, &cause))
        return core_refuse(c, ERR_BADSTATE, "queue", "nobody can be called outside: %s", cause);
    if (map_count(&c->callbacks) >= CORE_CALLBACKS_MAX)
        return core_refuse(c, ERR_BUSY, "number", "%u call backs are kept already", CORE_CALLBACKS_MAX);
    return 0;
}

static Ev__CallBack *row(struct core *c, uint64_t id, const char *queue, const char *number, const char *by)
{
    Ev__CallBack *m = core_alloc(sizeof *m);
    ev__call_back__init(m);
    m->id = id;
    m->asked_us = c->now_us;
    core_pbset(&m->number, number);
    core_pbset(&m->by, by);
    m->waits = core_alloc(sizeof *m->waits);
    ev__call_state__init(m->waits);
    m->waits->call_id = id;
    m->waits->phase = CORE_CALL_WAITING;
    m->waits->we_call = true;
    core_pbset(&m->waits->queue, queue);
    core_pbset(&m->waits->caller, number);
    return m;
}

/* ---- CallBackAsk */

/* All that his place goes by. */
static void take_place(Ev__CallState *to, const Ev__CallState *s, uint64_t now_us)
{
    to->queued_us = s->queued_us ? s->queued_us : now_us;
    to->front = s->front;
    to->priority = s->priority;
    to->vip = s->vip;
    to->vip_by = s->vip_by;
    to->tried = s->tried;
    core_pbset(&to->vip_entry, s->vip_entry);
    core_pbset(&to->vip_said, s->vip_said);
    core_pbset(&to->called, s->called);
    core_pbset(&to->caller_name, s->caller_name);
    core_pbset(&to->language, s->language);
    core_pbset(&to->region, s->region);
    core_pbset(&to->last_agent, s->last_agent);
    core_pbset(&to->dedicated, s->dedicated);
    core_pbset(&to->variables, s->variables);
    core_data_copy(to, s);
    core_call_set_needs(to, s->n_needs, s->needs);
}

static int declined(struct core *c, struct call *k)
{
    Ev__CallState *s = k->st;
    if (!s->queued_us || !core_queue_obj(c, s->left_queue)) {
        core_call_fail(c, k, 480, s->fail_cause[0] ? s->fail_cause : "no_callback");
        return 0;
    }
    core_queue_back(c, k);
    return 0;
}

/* The caller, who is on the line, is on the list of the queue from now on: 0, also when the number is on it already, or a refusal. *out:
 * his row, under this id, when it is a new one, in his place; else NULL. */
static int take(struct core *c, struct call *k, const Ev__Queue *q, const char *number, uint64_t id,
                struct callback **out)
{
    struct callback *cb = of_number(c, q->name, number), *had = of_call(c, k);
    int err = cb ? 0 : check_number(c, q, number);
    *out = NULL;
    if (err || cb)
        return err;
    if (had)
        forget(c, had, "replaced"); /* he stood for that one, and wants to be called elsewhere or by others */
    cb = keep(c, row(c, id, q->name, number, "caller"));
    take_place(cb->st->waits, k->st, c->now_us);
    core_wait_own_done(&cb->as); /* whoever of the queue is free first calls him */
    *out = cb;
    return 0;
}

int core_callback_ask(struct core *c, const Ev__CallBackAsk *m)
{
    struct call *k = core_call_of(c, m->call_id);
    if (!k)
        return c->ans->code;
    Ev__CallState *s = k->st;
    if (s->phase != CORE_CALL_APP || strcmp(s->app, "callback") != 0)
        return core_refuse(c, ERR_BADSTATE, "call_id", "the caller has not been asked");
    if (!m->number[0])
        return declined(c, k);
    const Ev__Queue *q = core_queue_config(c, s->left_queue);
    if (!q)
        return core_refuse(c, ERR_NOTFOUND, "queue", "there is no queue %.64s any more", s->left_queue);
    struct callback *cb;
    int err = take(c, k, q, m->number, s->call_id, &cb);
    if (err)
        return err;
    if (cb)
        calling(c, cb, k); /* for as long as he is on the line */
    core_pbset(&s->app, "hangup");
    core_pbset(&s->app_argument, "callback_noted");
    core_pbset(&s->fail_cause, "callback");
    core_call_touch(c, k);
    return 0;
}

/* ---- CallBackNote */

/* He has not waited in this queue: what he is to it, and from when on he waits. */
static void enter_elsewhere(struct core *c, struct callback *cb, const Ev__Queue *q)
{
    Ev__CallState *s = cb->st->waits;
    s->tried = 0;
    core_pbset(&s->last_agent, "");
    core_pbset(&s->vip_said, "");
    core_served_find(c, &cb->as, core_queue_obj(c, q->name));
    core_vip_decide(c, s);
}

int core_callback_note(struct core *c, const Ev__CallBackNote *m)
{
    struct call *k = core_call_of(c, m->call_id);
    if (!k)
        return c->ans->code;
    Ev__CallState *s = k->st;
    if (s->phase != CORE_CALL_MENU)
        return core_refuse(c, ERR_BADSTATE, "call_id", "the call is not in a menu");
    const Ev__Queue *q = core_queue_config(c, m->queue);
    if (!q)
        return core_refuse(c, ERR_NOTFOUND, "queue", "there is no queue %.64s", m->queue);
    if (m->priority > ACD_PRIORITY_MAX)
        return core_refuse(c, ERR_RANGE, "priority", "at most %u", ACD_PRIORITY_MAX);
    if (m->due_us > c->now_us + CORE_CALLBACK_AHEAD_US)
        return core_refuse(c, ERR_RANGE, "due_us", "at most a year ahead");
    struct callback *cb;
    int err = take(c, k, q, m->number, core_id_new(c), &cb); /* the call may wait in a queue yet, under its own */
    if (err)
        return err;
    if (cb) {
        Ev__CallState *waits = cb->st->waits;
        if (strcmp(s->left_queue, q->name) != 0)
            enter_elsewhere(c, cb, q);
        if (m->has_priority)
            waits->priority = m->priority;
        if (m->due_us > c->now_us) {
            waits->callback_due_us = m->due_us;
            waits->queued_us = waits->front = 0; /* he waits from then on */
        }
        calling(c, cb, k);
    }
    s->callback_noted = true;
    core_call_acked(k, m->caller_acked);
    core_call_touch(c, k);
    return 0;
}

/* ---- CallBackSet */

static void answer_id(struct core *c, uint64_t id)
{
    struct sbuf b = {0};
    sbuf_puts(&b, "{");
    sbuf_kv_id(&b, "callback_id", id);
    sbuf_puts(&b, "}");
    c->ans->json = b.p;
}

static int cancel(struct core *c, uint64_t id)
{
    struct callback *cb = core_callback_obj(c, id);
    if (!cb)
        return core_refuse(c, ERR_NOTFOUND, "callback_id", "there is no such call back");
    if (cb->waits && acd_dequeue(c->acd, id) != 0)
        core_oom(); /* the only way to fail: it waits */
    out_of_queue(c, cb);
    struct call *k = core_call_obj(c, cb->st->call_id);
    if (k)
        k->st->callback = 0; /* the call goes on, and is the last one */
    if (k)
        core_call_touch(c, k);
    forget(c, cb, "cancelled");
    return 0;
}

int core_callback_set(struct core *c, const Ev__CallBackSet *m)
{
    if (m->cancel)
        return cancel(c, m->id);
    const Ev__Queue *q = core_queue_config(c, m->queue);
    if (!q)
        return core_refuse(c, ERR_NOTFOUND, "queue", "there is no queue %.64s", m->queue);
    if (m->priority > ACD_PRIORITY_MAX)
        return core_refuse(c, ERR_RANGE, "priority", "at most %u", ACD_PRIORITY_MAX);
    if (strlen(m->note) > CORE_NOTE_MAX)
        return core_refuse(c, ERR_TOOBIG, "note", "at most %u bytes", CORE_NOTE_MAX);
    if (m->due_us > c->now_us + CORE_CALLBACK_AHEAD_US)
        return core_refuse(c, ERR_RANGE, "due_at", "at most a year ahead");
    int err = check_number(c, q, m->number);
    if (err)
        return err;
    struct callback *cb = of_number(c, m->queue, m->number);
    if (cb) {
        answer_id(c, cb->st->id);
        return core_refuse(c, ERR_EXISTS, "number", "%.64s is to be called back by queue %.64s already", m->number,
                           m->queue);
    }
    cb = keep(c, row(c, core_id_new(c), m->queue, m->number, c->cmd->actor));
    cb->st->waits->priority = m->priority;
    core_pbset(&cb->st->note, m->note);
    answer_id(c, cb->st->id);
    core_served_find(c, &cb->as, core_queue_obj(c, m->queue));
    core_vip_decide(c, cb->st->waits);
    if (m->due_us > c->now_us)
        schedule(c, cb, m->due_us, "");
    else
        wait(c, cb);
    return 0;
}

/* ---- calls that stand for a row */

void core_callback_place(struct core *c, struct call *k)
{
    Ev__CallState *s = k->st;
    struct callback *cb =
        c->feature_level >= 4 && s->caller[0] && !s->callback && !s->joined ? of_number(c, s->queue, s->caller) : NULL;
    if (!cb || cb->st->call_id || (cb->st->due_us && !cb->st->tries))
        return; /* somebody has settled a time for that one */
    const Ev__CallState *his = cb->st->waits;
    if (cb->waits && acd_dequeue(c->acd, cb->st->id) != 0)
        core_oom(); /* the only way to fail: it waits */
    s->queued_us = his->queued_us;
    s->entered_us = c->now_us; /* what the queue does with who waits for too long goes by his own waiting */
    s->front = his->front;
    s->priority = his->priority > s->priority ? his->priority : s->priority;
    calling(c, cb, k);
}

struct call *core_callback_call(struct core *c, uint64_t id)
{
    struct callback *cb = core_callback_obj(c, id);
    const Ev__CallState *his = cb->st->waits;
    const Ev__Queue *q = core_queue_config(c, his->queue);
    const struct core_first f = {
        .number = cb->st->number,
        .name = his->caller_name,
        .trunk = q->callback_trunk,
        .caller_id = q->callback_caller_id[0]                                               ? q->callback_caller_id
                     : config_is_outside(his->called) && core_access_number(c, his->called) ? his->called
                                                                                            : "",
        .ring_time_s = q->callback_ring_s,
    };
    struct call *k = core_first_begin(c, &f);
    Ev__CallState *s = k->st;
    core_pbset(&s->queue, his->queue);
    s->queued_us = his->queued_us;
    s->priority = his->priority;
    s->vip = his->vip;
    core_pbset(&s->language, his->language);
    core_pbset(&s->region, his->region);
    core_pbset(&s->last_agent, his->last_agent);
    core_pbset(&s->dedicated, his->dedicated);
    core_pbset(&s->variables, his->variables);
    core_data_copy(s, his);
    core_call_set_needs(s, his->n_needs, his->needs);
    calling(c, cb, k);
    return k;
}

/* To the very front, as a caller whose agent did not answer. */
void core_callback_unrung(struct core *c, struct call *k)
{
    struct callback *cb = of_call(c, k);
    if (!cb)
        return;
    cb->st->waits->front = ++c->front;
    wait(c, cb);
}

static bool last_try(const struct core *c, const struct callback *cb)
{
    const Ev__Queue *q = core_queue_config(c, cb->st->waits->queue);
    return cb->st->tries + 1 >= (q && q->callback_tries ? q->callback_tries : TRIES);
}

const char *core_callback_cause(const struct core *c, const struct call *k, const char *cause)
{
    const struct callback *cb = k->st->we_call && !core_call_connected(k->st) ? of_call(c, k) : NULL;
    return cb && last_try(c, cb) ? "callback_failed" : cause;
}

void core_callback_ended(struct core *c, struct call *k, const char *cause)
{
    struct callback *cb = of_call(c, k);
    if (!cb)
        return;
    Ev__CallBack *m = cb->st;
    bool last = last_try(c, cb);
    if (core_call_connected(k->st)) {
        forget(c, cb, "connected");
    } else if (!k->st->we_call && m->waits->callback_due_us > c->now_us) {
        schedule(c, cb, m->waits->callback_due_us, "");
    } else if (!k->st->we_call) {
        wait(c, cb);
    } else {
        m->tries++;
        m->tried_us = c->now_us;
        core_pbset(&m->tried_cause, k->st->fail_cause[0] ? k->st->fail_cause : cause);
        const Ev__Queue *q = core_queue_config(c, m->waits->queue);
        uint64_t interval_s = q->callback_interval_s ? q->callback_interval_s : INTERVAL_S;
        m->waits->front = 0; /* the turn that he had by it has been his */
        if (last)
            forget(c, cb, "callback_failed");
        else
            schedule(c, cb, c->now_us + interval_s * SECOND_US, m->tried_cause);
    }
}

/* ---- from the table */

int core_callback_load(struct core *c, const void *body, size_t len)
{
    Ev__CallBack *m = ev__call_back__unpack(NULL, len, body);
    if (!m || !m->waits || !m->id || core_callback_obj(c, m->id) || !core_queue_obj(c, m->waits->queue)) {
        if (m)
            ev__call_back__free_unpacked(m, NULL);
        return ERR_CORRUPT;
    }
    struct callback *cb = keep(c, m);
    if (m->call_id)
        return core_call_obj(c, m->call_id) ? 0 : ERR_CORRUPT;
    if (m->due_us)
        heap_set(&c->callbacks_due, &cb->due, m->due_us, m->id);
    else if (enqueue(c, cb) != 0)
        return ERR_CORRUPT;
    return 0;
}
