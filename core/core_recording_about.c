/* Who is heard in the recording of a call, and what it is found by.
 *
 * Left is the customer, right our side, whatever seats they have in the call: seats change when who called leaves it by a transfer. Between two
 * of ours, and between two who are outside, who called first is left, and who stays keeps his side.
 * Whoever has joined the call is on our side. All that took part are noted, with their times, when the call is over; of a recording that is as long as it may be already when
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

/* ---- those who have joined */

/* From when to when they are listed for so many; found by are all. */
#define PARTS_MAX 64u

static bool takes_part(const Ev__CallState *s)
{
    return s->phase == CORE_CALL_JOINED && (s->mode == CORE_MODE_CONSULT || s->mode == CORE_MODE_PARTY);
}

/* A supervisor need not be logged in. */
static const char *who(const Ev__CallState *s)
{
    return s->legs[0]->agent[0] ? s->legs[0]->agent : s->supervisor;
}

static void part_add(struct core *c, Ev__CallState *main, const Ev__CallState *s)
{
    const Ev__LegState *l = s->legs[0];
    const char *agent = who(s);
    core_recording_key(c, main->recorded_us, CORE_RECORDING_AGENT, agent);
    core_recording_key(c, main->recorded_us, CORE_RECORDING_NUMBER, l->number);
    if (main->n_recorded_parts == PARTS_MAX)
        return;
    main->recorded_parts = core_grow(main->recorded_parts, (main->n_recorded_parts + 1) * sizeof *main->recorded_parts);
    Ev__CallSegment *g = core_alloc(sizeof *g);
    ev__call_segment__init(g);
    core_pbset(&g->number, l->number);
    core_pbset(&g->agent, agent);
    core_pbset(&g->queue, l->queue);
    g->from_us = s->heard_us;
    g->to_us = c->now_us;
    g->side = CORE_SIDE_RIGHT;
    main->recorded_parts[main->n_recorded_parts++] = g;
}

void core_recording_joined(struct core *c, struct call *k, bool leaves)
{
    struct call *main = core_join_main(c, k);
    Ev__CallState *s = k->st;
    bool heard = !leaves && main && main->st->recorded_us && takes_part(s);
    if (heard == (s->heard_us != 0))
        return;
    if (!heard && main && main->st->recorded_us && s->n_legs)
        part_add(c, main->st, s);
    s->heard_us = heard ? c->now_us : 0;
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
    if (p.to_us <= a->started_us || p.forwarded)
        return; /* before it was recorded, or never heard */
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

static void joined_part(struct about *a, const char *number, const char *agent, const char *queue, uint64_t from_us,
                        uint64_t to_us)
{
    one_part(a, &(struct core_stretch){CORE_STRETCH_JOINED, CORE_SIDE_RIGHT, number, agent, queue, "", from_us, to_us,
                                       0, NULL});
}

static void joined_parts(struct about *a)
{
    const Ev__CallState *s = a->k->st;
    for (size_t i = 0; i < s->n_recorded_parts; i++) {
        const Ev__CallSegment *g = s->recorded_parts[i];
        joined_part(a, g->number, g->agent, g->queue, g->from_us, g->to_us);
    }
    list_foreach(it, &a->k->parties) { /* they are still there */
        const Ev__CallState *p = list_entry(it, struct call, party)->st;
        if (p->heard_us && p->n_legs)
            joined_part(a, p->legs[0]->number, who(p), p->legs[0]->queue, p->heard_us, a->c->now_us);
    }
}

void core_recording_about(struct core *c, const struct call *k, uint64_t started_us)
{
    const Ev__CallState *s = k->st;
    struct about a = {c, k, started_us, {0}};
    sbuf_puts(&a.json, "[");
    core_stretches(c, k, "", one_part, &a);
    joined_parts(&a);
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
