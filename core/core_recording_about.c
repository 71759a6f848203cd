/* Who is heard in the recording of a call, and what it is found by.
 *
 * Left is the customer, right our side, whatever seats they have in the call: seats change when who called leaves it by a transfer. Between two
 * of ours, and between two who are outside, who called first is left, and who stays keeps his side.
 * All that took part are noted, with their times, when the call is over; of a recording that is as long as it may be already when
 * it is kept, and again at the end of the call. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"
#include "core/core_recording.h"

/* ---- sides */

enum core_side core_recording_side(const Ev__CallState *s, uint32_t leg_id)
{
    if (!s->recorded_us)
        return CORE_SIDE_NONE;
    return leg_id == s->left_leg ? CORE_SIDE_LEFT : leg_id == s->right_leg ? CORE_SIDE_RIGHT : CORE_SIDE_NONE;
}

void core_recording_seats(struct call *k)
{
    Ev__CallState *s = k->st;
    if (!s->recorded_us || s->n_legs != 2)
        return;
    const uint32_t id[] = {s->legs[0]->id, s->legs[1]->id};
    const bool outside[] = {s->trunk[0] != '\0', core_outside(k)};
    unsigned left = 0;
    if (outside[0] != outside[1])
        left = outside[0] ? 0 : 1;
    else if (id[1] == s->left_leg || id[0] == s->right_leg)
        left = 1;
    s->left_leg = id[left];
    s->right_leg = id[1 - left];
}

/* ---- keys */

void core_recording_key(struct core *c, uint64_t started_us, enum core_recording_key kind, const char *value)
{
    const struct storage_val v[] = {storage_int(started_us), storage_int((uint64_t)kind), storage_text(value)};
    if (value[0])
        storage_run(c->st, STORAGE_RECORDING_KEY_PUT, v, 3);
}

/* ---- segments */

struct about {
    struct core *c;
    const struct call *k;
    uint64_t started_us;
    struct sbuf json;
};

static uint64_t offset_ms(const struct about *a, uint64_t us)
{
    return us > a->started_us ? (us - a->started_us) / 1000 : 0;
}

/* Who called has no agent in the state of his leg. */
static const char *agent_of(const struct about *a, const struct core_stretch *p)
{
    const struct ext *caller = a->k->caller;
    bool there = p->role == CORE_LEG_CALLER && strcmp(p->ended, "transfer") != 0;
    return p->agent[0] || !there || !caller || !caller->agent ? p->agent : caller->agent->number;
}

static void one_part(void *ctx, const struct core_stretch *part)
{
    static const char *const sides[] = {"", "left", "right"};
    struct about *a = ctx;
    struct core_stretch p = *part;
    if (p.to_us <= a->started_us)
        return; /* before it was recorded */
    p.agent = agent_of(a, part);
    core_stretch_json(&a->json, &p);
    sbuf_kv(&a->json, "channel", sides[p.side]);
    sbuf_kv_uint(&a->json, "from_ms", offset_ms(a, p.from_us));
    sbuf_kv_uint(&a->json, "to_ms", offset_ms(a, p.to_us));
    sbuf_puts(&a->json, "}");
    core_recording_key(a->c, a->started_us, CORE_RECORDING_AGENT, p.agent);
    core_recording_key(a->c, a->started_us, CORE_RECORDING_NUMBER, p.number);
    core_recording_key(a->c, a->started_us, CORE_RECORDING_QUEUE, p.queue);
}

void core_recording_about(struct core *c, const struct call *k, uint64_t started_us)
{
    const Ev__CallState *s = k->st;
    struct about a = {c, k, started_us, {0}};
    sbuf_puts(&a.json, "[");
    core_stretches(c, k, "", one_part, &a);
    sbuf_puts(&a.json, "]");
    const char *const numbers[] = {s->called, s->began ? s->began->caller : s->caller};
    const char *const queues[] = {s->queue, s->served_queue, s->began ? s->began->queue : "",
                                  s->began ? s->began->served_queue : ""};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        core_recording_key(c, started_us, CORE_RECORDING_NUMBER, numbers[i]);
    for (size_t i = 0; i < sizeof queues / sizeof *queues; i++)
        core_recording_key(c, started_us, CORE_RECORDING_QUEUE, queues[i]);
    core_recording_key(c, started_us, CORE_RECORDING_CUSTOMER, s->customer);
    const struct storage_val v[] = {storage_int(s->call_id), storage_text(s->customer),
                                    storage_int(s->marked ? 1u : 0u), storage_text_n(a.json.p, a.json.len)};
    storage_run(c->st, STORAGE_RECORDING_ABOUT, v, 4);
    sbuf_free(&a.json);
}
