/* What callers think of the agents who served them.
 *
 *   TALKING ─CallPart (the agent has hung up)─► MENU: the rating flow of his queue ─CallMenu, variable `rating`─► the call's rating
 *      └─CallTransfer to a flow (on demand)───► MENU ──────────────────────────────────┘
 *
 * The agent's part ends as by a transfer (core_transfer.c): he is free, or has his wrap-up, in that commit. Who is rated is the agent who left
 * last, whatever flow asks; so a flow needs to know nothing of him. A caller who hangs up gives no rating. The record has one rating: the last. */
#include <jansson.h>
#include <string.h>

#include "core/core_int.h"

#define RATING_MAX 10u

/* The flow into which the other party goes when this one hangs up; NULL: none. */
static const char *flow_after(const struct core *c, const Ev__CallState *s, unsigned leg)
{
    const Ev__LegState *l = s->legs[leg];
    const Ev__Queue *q = l->agent[0] && l->queue[0] ? core_queue_config(c, l->queue) : NULL;
    bool asks = q && q->rating_flow[0] && l == core_leg_served(s) && core_flow(c, q->rating_flow);
    return asks ? q->rating_flow : NULL;
}

static const Ev__CallState *talking(const struct core *c, uint64_t call_id)
{
    const struct call *k = core_call_obj(c, call_id);
    return k && k->st->phase == CORE_CALL_TALKING && k->st->n_legs == 2 ? k->st : NULL;
}

static unsigned leg_of(const Ev__CallState *s, uint64_t leg_id)
{
    return s->legs[0]->id == leg_id ? 0 : s->legs[1]->id == leg_id ? 1 : 2;
}

bool core_rates(const struct core *c, uint64_t call_id, uint64_t leg_id)
{
    const Ev__CallState *s = talking(c, call_id);
    unsigned leg = s ? leg_of(s, leg_id) : 2;
    return c->feature_level >= 4 && leg < 2 && flow_after(c, s, leg);
}

static bool parts(struct core *c, struct call *k, unsigned leg)
{
    const char *flow = c->feature_level >= 4 ? flow_after(c, k->st, leg) : NULL;
    if (!flow)
        return false;
    const Ev__Action to_flow = {
        PROTOBUF_C_MESSAGE_INIT(&ev__action__descriptor),
        .type = (char *)(uintptr_t) "flow",
        .target = (char *)(uintptr_t)flow,
    };
    core_call_part_leaves(c, k, leg, true);
    k->st->parts++;
    k->st->parted_us = c->now_us;
    if (core_action_do(c, k, &to_flow, "rating") != 0)
        core_call_fail(c, k, 480, "rating_failed"); /* unheard of: the flow was there a moment ago */
    core_call_touch(c, k);
    return true;
}

int core_call_part(struct core *c, const Ev__CallPart *m)
{
    struct call *k = core_call_of(c, m->call_id);
    if (!k)
        return c->ans->code;
    if (!talking(c, m->call_id))
        return core_refuse(c, ERR_BADSTATE, "call_id", "the parties of the call are not talking");
    unsigned leg = leg_of(k->st, m->leg_id);
    return leg < 2 && parts(c, k, leg) ? 0 : core_refuse(c, ERR_NOTFOUND, "leg_id", "nothing comes after this party");
}

bool core_part_hangs_up(struct core *c, struct call *k, const char *name)
{
    Ev__CallState *s = k->st;
    unsigned leg = talking(c, s->call_id) ? core_call_who(s, 0, name) : 2;
    if (leg > 1) {
        (void)core_refuse(c, ERR_NOTFOUND, "leg", "nobody of that name talks in the call");
        return false;
    }
    if (parts(c, k, leg))
        return true;
    bool serves = s->legs[leg] == core_leg_served(s) && s->legs[leg]->agent[0];
    s->hung_up = true;
    core_pbset(&s->hung_up_by, serves ? "agent" : leg == 0 ? "caller" : "callee");
    return true;
}

void core_rating_left(Ev__CallState *s, const Ev__LegState *gone)
{
    if (!gone->agent[0])
        return;
    s->rating = 0;
    core_pbset(&s->rate_agent, gone->agent);
    core_pbset(&s->rate_queue, gone->queue);
}

/* 1 to RATING_MAX; 0: it is none. */
static uint32_t rating_of(const char *variables)
{
    json_t *said = variables[0] ? json_loads(variables, 0, NULL) : NULL;
    const char *text = json_string_value(json_object_get(said, "rating"));
    size_t digits = text ? strspn(text, "0123456789") : 0;
    uint32_t n = 0;
    for (size_t i = 0; digits <= 2 && i < digits && !text[digits]; i++)
        n = n * 10 + (uint32_t)(text[i] - '0');
    json_decref(said);
    return n <= RATING_MAX ? n : 0;
}

void core_rating_said(struct core *c, struct call *k, const char *variables)
{
    Ev__CallState *s = k->st;
    uint32_t rating = s->rate_agent[0] ? rating_of(variables) : 0;
    if (!rating || rating == s->rating)
        return;
    s->rating = rating;
    struct sbuf *b = core_ev_call_begin(c, "call.rated", k);
    sbuf_kv_uint(b, "rating", rating);
    sbuf_kv(b, "rated_agent", s->rate_agent);
    sbuf_kv(b, "rated_queue", s->rate_queue);
    core_ev_end(c);
}
