/* Call backs: what the owner of a call that we begin does (node/call_first.c), and what must hold of the rows. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim_owner.h"

/* ---- calls that we begin */

/* The telephone that was rung first takes the caller's place. false: nothing more is to be done with the call now. */
bool back_has_caller(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_call *c)
{
    if (k->a >= 0 || !c->n_legs)
        return true;
    int d = atoi(c->legs[0].dialog->call_id + 1);
    struct sim_ring *r = ocall_ring(k, d);
    if (!r) {
        ocall_end(s, n, k, "system", "lost");
        return false;
    }
    r->b = -1;
    r->offer = 0;
    if (!lease_held(s, n)) {
        ocall_forget(k); /* nothing can be sent now: acknowledged, and the others called off, when it is carried on */
        return false;
    }
    k->a = d;
    sim_maybe_strike(s, n, 2);
    ocall_drop_rings(s, n, k, -2);
    ocall_answer_caller(s, n, k);
    return true;
}

/* ---- the rows */

bool back_is_ours(uint64_t id)
{
    return (id & 0xfff) == 0xfff; /* made by core_id_new */
}

unsigned back_know(struct sim *s, uint64_t id)
{
    for (unsigned i = 0; i < s->n_calls; i++)
        if (s->calls[i].id == id)
            return i;
    if (s->n_calls == SIM_CALLS_MAX) {
        sim_fail(s, "model: too many calls");
        return 0;
    }
    struct sim_call *w = &s->calls[s->n_calls];
    w->id = id;
    w->act_node = w->caller = -1;
    w->we_call = true;
    return s->n_calls++;
}

struct sim_row *back_row(struct sim *s, uint64_t id)
{
    for (unsigned i = 0; i < s->n_rows; i++)
        if (s->rows[i].id == id)
            return &s->rows[i];
    return NULL;
}

static struct sim_row *new_row(struct sim *s, const Ev__CallBack *m)
{
    if (s->n_rows == SIM_ROWS_MAX) {
        sim_fail(s, "model: too many call backs");
        return NULL;
    }
    struct sim_row *r = &s->rows[s->n_rows++];
    *r = (struct sim_row){.id = m->id, .call = -1, .queued_us = m->waits->queued_us, .front = m->waits->front};
    s->count.rows++;
    for (unsigned i = 0; i < s->n_calls; i++) {
        const struct sim_call *w = &s->calls[i];
        if (w->id != m->id)
            continue;
        r->returned = m->waits->front ? w->returned : 0;
        if (w->queued_us != m->waits->queued_us)
            sim_fail(s, "the call back of call %u has another wait clock than he had", i);
    }
    return r;
}

/* A place of its own, or a live call that stands for it, or a time: one of the three. */
static void check_state(struct sim *s, const struct core *c, const Ev__CallBack *m)
{
    const struct core_call *k = m->call_id ? core_call(c, m->call_id) : NULL;
    struct acd_call place;
    unsigned calls = 0;
    for (const struct core_call *x = NULL; (x = core_call_next(c, x, NULL)) != NULL;)
        calls += list_entry(x, struct call, pub)->st->callback == m->id;
    bool waits = (!k || k->id != m->id) && !core_call(c, m->id) && acd_waits(c->acd, m->id, &place);
    if (calls > 1)
        sim_fail(s, "%u calls stand for the call back of %s", calls, m->number);
    if (m->call_id && (!k || list_entry(k, struct call, pub)->st->callback != m->id))
        sim_fail(s, "the call back of %s is in the hands of a call that is not", m->number);
    if ((m->call_id != 0) + (m->due_us != 0) + waits != 1)
        sim_fail(s, "the call back of %s: call %d, time %d, place %d", m->number, m->call_id != 0, m->due_us != 0,
                 waits);
}

/* A telephone of ours did not answer, so its call is gone: to the very front. note_returned says which came after which. */
static bool rang_in_vain(const struct sim *s, const struct core *c, const struct sim_row *r, const Ev__CallBack *m)
{
    const struct sim_call *w = r->call >= 0 ? &s->calls[r->call] : NULL;
    return w && w->we_call && !core_call(c, w->id) && m->tries == r->tries;
}

static void check_row(struct sim *s, const struct core *c, struct sim_row *r, const Ev__CallBack *m)
{
    if (m->waits->queued_us != r->queued_us)
        sim_fail(s, "the wait clock of the call back of %s was put", m->number);
    if (m->tries < r->tries || m->tries >= SIM_TRIES)
        sim_fail(s, "the call back of %s has been tried %u times, %u before", m->number, m->tries, r->tries);
    if (rang_in_vain(s, c, r, m) && m->waits->front <= r->front)
        sim_fail(s, "the call back of %s came back, but not to the very front", m->number);
    check_state(s, c, m);
    r->returned = m->waits->front ? r->returned : 0;
    r->front = m->waits->front;
    r->tries = m->tries;
    r->call = m->call_id ? (int)back_know(s, m->call_id) : -1;
    r->last = r->call >= 0 ? r->call : r->last;
}

void back_check(struct sim *s, const struct core *c)
{
    const struct map_slot *slot, *other;
    for (unsigned i = 0; i < s->n_rows; i++)
        s->rows[i].there = false;
    for (size_t it = 0; map_next(&c->callbacks, &it, &slot);) {
        const Ev__CallBack *m = ((const struct callback *)slot->value)->st;
        struct sim_row *r = back_row(s, m->id);
        r = r ? r : new_row(s, m);
        if (!r)
            return;
        r->there = true;
        check_row(s, c, r, m);
        for (size_t j = 0; map_next(&c->callbacks, &j, &other);) {
            const Ev__CallBack *o = ((const struct callback *)other->value)->st;
            if (o != m && strcmp(o->number, m->number) == 0 && strcmp(o->waits->queue, m->waits->queue) == 0)
                sim_fail(s, "%s is to be called back twice", m->number);
        }
    }
}

/* Each try has left one record; who rang agents in vain only, none. */
void back_check_rest(struct sim *s, const struct sim_node *n)
{
    for (unsigned i = 0; i < s->n_rows; i++) {
        const struct sim_row *r = &s->rows[i];
        unsigned records = 0;
        for (unsigned k = 0; k < s->n_calls; k++)
            records += s->calls[k].we_call && s->calls[k].row == r->id && n->cdrs[k];
        if (records != r->tries && records != r->tries + 1)
            sim_fail(s, "%s has %u records of %u tries of a call back", n->name, records, r->tries);
    }
}
