/* Messages that callers leave: brought to an end by the node whose they are (node/recordings.h), and lost by nobody once that is known. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"

static struct sim_message *message_of(struct sim *s, uint64_t id)
{
    for (unsigned i = 0; i < s->n_messages; i++)
        if (s->messages[i].id == id)
            return &s->messages[i];
    return NULL;
}

bool message_begin(struct sim *s, const struct sim_node *n, Ev__RecordBegin *m)
{
    static char box[] = "box";
    if (s->n_messages == SIM_MESSAGES_MAX)
        return false;
    struct sim_message *w = &s->messages[s->n_messages++];
    *w = (struct sim_message){.id = (uint64_t)(n->i + 1) << 40 | 0x800000 | s->n_messages, .owner = -1};
    *m = (Ev__RecordBegin)EV__RECORD_BEGIN__INIT;
    m->id = w->id;
    m->box = box;
    m->max_s = (uint32_t)sim_between(s, 1, 4);
    m->lead_ms = 300;
    return true;
}

static void propose_end(struct sim *s, struct sim_node *n, unsigned i, bool keeps)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__RecordEnd m = EV__RECORD_END__INIT;
    char sha256[65], why[] = "empty";
    (void)snprintf(sha256, sizeof sha256, "%064llx", (unsigned long long)s->messages[i].id);
    cmd.body_case = EV__COMMAND__BODY_RECORD_END;
    cmd.record_end = &m;
    m.id = s->messages[i].id;
    m.sha256 = keeps ? sha256 : m.sha256;
    m.bytes = m.duration_ms = keeps ? 1000 : 0;
    m.why = keeps ? m.why : why;
    n->recording[i] = true;
    sim_maybe_strike(s, n, 4);
    raft_propose(s, n, &cmd, SIM_P_RECORD, i, keeps);
}

/* Ended when its call is over or its time, or before. */
void message_turn(struct sim *s, struct sim_node *n)
{
    if (!n->announced || n->dropped || !lease_held(s, n))
        return;
    for (const struct core_recording *r = NULL; (r = core_recording_next(n->c, r)) != NULL;) {
        struct sim_message *w = message_of(s, r->id);
        if (!w || strcmp(r->owner, n->name) != 0 || n->recording[w - s->messages])
            continue;
        bool over = !core_call(n->c, r->call_id) || raft_wall_us(s, n) > r->started_us + r->max_s * SIM_S;
        if (over || sim_chance(s, 2))
            propose_end(s, n, (unsigned)(w - s->messages), sim_chance(s, 80));
    }
}

void message_answer(struct sim *s, struct sim_node *n, const struct sim_prop *p, const struct core_answer *a)
{
    n->recording[p->arg] = false;
    if (a->code)
        return;
    s->messages[p->arg].kept = p->arg2 != 0;
    s->count.messages += p->arg2 != 0;
}

void message_check_item(struct sim *s, const struct sim_item *it, const struct core_answer *a)
{
    struct sim_message *w = &s->messages[it->message];
    if (a->code || a->skipped)
        return;
    if (w->owner >= 0 && w->owner != it->node)
        sim_fail(s, "%s ended message %d, which is %s's", s->nodes[it->node].name, it->message,
                 s->nodes[w->owner].name);
    if (w->ended)
        sim_fail(s, "message %d was ended twice", it->message);
    w->ended = true;
}

/* Whoever has one lives, if anybody does who could. */
void message_check(struct sim *s, const struct core *c)
{
    for (const struct core_recording *r = NULL; (r = core_recording_next(c, r)) != NULL;) {
        struct sim_message *w = message_of(s, r->id);
        const struct core_node *owner = core_node(c, r->owner);
        bool another = false;
        for (const struct core_node *n = NULL; (n = core_node_next(c, n)) != NULL;)
            another = another || (n->up && !n->draining);
        if (!w || w->ended)
            sim_fail(s, "message %llx is recorded, and %s", (unsigned long long)r->id, w ? "over" : "was never begun");
        else if ((!owner || !owner->up) && another)
            sim_fail(s, "message %u is left with %s, which is down", (unsigned)(w - s->messages), r->owner);
        if (w)
            w->owner = owner ? r->owner[1] - '1' : -1;
    }
}

void message_check_rest(struct sim *s, const struct sim_node *n)
{
    for (unsigned i = 0; i < s->n_messages; i++)
        if (s->messages[i].kept && !core_message_kept(n->c, s->messages[i].id))
            sim_fail(s, "%s has lost message %u, which was acknowledged", n->name, i);
}
