/* Calls with more than two parties: consultations, conferences, and who listens.
 *
 *   CallJoin ─► DIALLING or WAITING, no leg ─OfferAnswered─► JOINED ─CallEnd, CallDrop, the end of the call─► gone, with its record
 *                     │ in vain: gone, with its record           └─CallMerge, CallLeft: its leg becomes one of the call (core_merge.c)
 *   CallJoin of a call of one party (a telephone that has dialled a code) ─► JOINED
 *
 * A call has two parties. Whoever else takes part stands in a call of his own, which is joined to it: so he is rung, taken over and recorded
 * like any caller, and there is nothing new at telephones. What he hears follows from the two states and nothing else (seats.c).
 *
 * A call is joined to one that talks, and ends no later than that one does so. Both have one owner: a call comes to the other's owner when it
 * joins, and they change hands together (core_takeover.c). One of the two parties may consult: whoever joins so talks with that one alone,
 * while it is turned to him; there is one consultation at a time. */
#include <stdio.h>
#include <string.h>

#include "core/core_int.h"
#include "core/core_recording.h"

const char *core_call_mode_name(enum core_call_mode m)
{
    static const char *const names[] = {"consult", "party", "listen", "whisper"};
    return (unsigned)m < CORE_MODES ? names[m] : "unknown";
}

/* ---- who is joined to whom */

struct call *core_join_main(const struct core *c, const struct call *k)
{
    return list_empty(&k->party) ? NULL : core_call_obj(c, k->st->joined);
}

static void link_to(struct call *main, struct call *k)
{
    struct list_node *at = main->parties.prev;
    while (at != &main->parties && list_entry(at, struct call, party)->pub.id > k->st->call_id)
        at = at->prev;
    list_insert_between(&k->party, at, at->next);
}

/* The list as views find it. */
static void note(struct call *main)
{
    Ev__CallState *s = main->st;
    s->parties = core_grow(s->parties, (CORE_JOINED_MAX + 1) * sizeof *s->parties);
    s->n_parties = 0;
    list_foreach(it, &main->parties)
        s->parties[s->n_parties++] = list_entry(it, struct call, party)->pub.id;
}

const struct core_call *core_joined_next(const struct core *c, uint64_t call_id, const struct core_call *after)
{
    const struct call *main = core_call_obj(c, call_id);
    const struct call *was = after ? list_entry(after, struct call, pub) : NULL;
    if (!main || (was && list_empty(&was->party)))
        return NULL;
    const struct list_node *next = was ? was->party.next : main->parties.next;
    return next == &main->parties ? NULL : &list_entry(next, struct call, party)->pub;
}

struct call *core_join_consultation(const struct call *main)
{
    list_foreach(it, &main->parties) {
        struct call *k = list_entry(it, struct call, party);
        if (k->st->mode == CORE_MODE_CONSULT)
            return k;
    }
    return NULL;
}

bool core_join_load(struct core *c)
{
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->calls, &it, &slot);) {
        struct call *k = slot->value;
        const Ev__CallState *s = k->st;
        if (!s->joined || s->phase == CORE_CALL_FAILED)
            continue;
        struct call *main = core_call_obj(c, s->joined);
        if (!main || main == k || main->st->phase != CORE_CALL_TALKING || strcmp(main->st->owner, s->owner) != 0)
            return false;
        link_to(main, k);
    }
    return true;
}

/* ---- telling */

static const char *party_of(const Ev__CallState *s)
{
    return s->n_legs ? s->legs[0]->number : s->called;
}

static void tell(struct core *c, const char *event, const struct call *main, const struct call *k, const char *cause)
{
    struct sbuf *b = core_ev_call_begin(c, event, main);
    if (k) {
        sbuf_kv_id(b, "joined_call_id", k->st->call_id);
        sbuf_kv(b, "party", party_of(k->st));
        sbuf_kv(b, "mode", core_call_mode_name((enum core_call_mode)k->st->mode));
        if (k->st->phase == CORE_CALL_JOINED)
            core_data_kv(b, main->st);
    }
    if (cause)
        sbuf_kv(b, "cause", cause);
    core_ev_end(c);
}

/* ---- turning */

static void turn(struct core *c, struct call *main, const struct call *to)
{
    Ev__CallState *s = main->st;
    s->turned_to = to ? to->st->call_id : 0;
    s->turned_leg = to ? to->st->joined_leg : 0;
    core_call_touch(c, main);
}

/* ---- leaving */

void core_join_leave(struct core *c, struct call *k, const char *cause)
{
    struct call *main = core_join_main(c, k);
    if (!main)
        return;
    core_recording_joined(c, k, true);
    list_del(&k->party);
    note(main);
    if (main->st->turned_to == k->st->call_id)
        turn(c, main, NULL);
    else
        core_call_touch(c, main);
    tell(c, "call.party_left", main, k, cause);
}

void core_join_end(struct core *c, struct call *k, const char *cause)
{
    bool rings = core_ring_count(k) > 0;
    if (!k->st->n_legs && !rings) {
        core_call_finish(c, k, "system", cause, 0, 0, NULL);
        return;
    }
    if (rings)
        core_ring_taken(c, k); /* whoever owns it then calls them off, should this owner have died over it */
    else
        core_state_wrap_up(c, k);
    core_call_fail(c, k, 0, cause); /* its owner hangs up */
}

void core_join_over(struct core *c, struct call *main)
{
    while (!list_empty(&main->parties))
        core_join_end(c, list_entry(main->parties.next, struct call, party), "call_over");
}

/* ---- joining */

void core_join_answered(struct core *c, struct call *k)
{
    struct call *main = core_join_main(c, k);
    core_call_keep_began(k);
    k->st->phase = CORE_CALL_JOINED;
    core_recording_joined(c, k, false);
    core_call_touch(c, k);
    core_call_touch(c, main);
    tell(c, "call.joined", main, k, NULL);
    core_supervise_joined(c, k);
}

/* To the call, if it talks; its id may be that of one that is joined to it. */
struct call *core_join_talking(struct core *c, uint64_t id)
{
    struct call *k = core_call_obj(c, id), *main = k ? core_join_main(c, k) : NULL;
    if (main)
        k = main;
    c->ans->call_id = k ? k->st->call_id : id;
    if (!k)
        (void)core_refuse(c, ERR_NOTFOUND, "call_id", "there is no such call");
    else if (k->st->phase != CORE_CALL_TALKING || k->st->n_legs != 2)
        (void)core_refuse(c, ERR_BADSTATE, "call_id", "the parties of the call are not talking");
    else
        return k;
    return NULL;
}

static int check_room(struct core *c, const struct call *main, uint32_t mode)
{
    unsigned n = 0;
    list_foreach(it, &main->parties)
        n++;
    if (mode >= CORE_MODES)
        return core_refuse(c, ERR_UNSUPPORTED, "mode", "unknown mode");
    if (n >= CORE_JOINED_MAX)
        return core_refuse(c, ERR_TOOBIG, "call_id", "%u have joined the call already", CORE_JOINED_MAX);
    if (mode == CORE_MODE_CONSULT && core_join_consultation(main))
        return core_refuse(c, ERR_BUSY, "call_id", "there is a consultation already");
    return 0;
}

static int check_target(struct core *c, const struct call *main, const char *by, const Ev__CallJoin *m,
                        enum core_forwarding how)
{
    int n = !!m->agent[0] + !!m->extension[0] + !!m->queue[0] + !!m->number[0] + !!m->from;
    if (n != 1)
        return core_refuse(c, ERR_INVAL, "", "who: one of agent, extension, queue, number, from");
    list_foreach(it, &main->parties) {
        const Ev__CallState *s = list_entry(it, struct call, party)->st;
        const char *rung = s->n_legs ? s->extension : s->out_trunk[0] ? "" : s->offer_extension;
        if (m->extension[0] && strcmp(rung, m->extension) == 0)
            return core_refuse(c, ERR_BUSY, "extension", "telephone %.64s takes part in the call", m->extension);
    }
    if (m->queue[0]) {
        if (!core_queue_config(c, m->queue))
            return core_refuse(c, ERR_NOTFOUND, "queue", "there is no queue %.64s", m->queue);
        return core_queue_full(c, m->queue) ? core_refuse(c, ERR_BUSY, "queue", "queue %.64s is full", m->queue) : 0;
    }
    if (m->agent[0])
        return core_check_telephone(c, main->st, "agent", m->agent, by, "agent", how);
    if (m->extension[0])
        return core_check_telephone(c, main->st, "extension", m->extension, by, "extension", how);
    return m->number[0] ? core_check_telephone(c, main->st, "outside", m->number, by, "number", how) : 0;
}

/* A call of its own, for somebody who is to be rung. */
static struct call *begin(struct core *c, const struct call *main, const Ev__LegState *by, const Ev__CallJoin *m)
{
    const Ev__CallState *of = main->st;
    struct call *k = core_call_new(c, core_id_new(c));
    Ev__CallState *s = k->st;
    const Ev__LegState *other = of->legs[by == of->legs[0]];
    core_pbset(&s->owner, of->owner);
    core_pbset(&s->caller, by->number);
    core_pbset(&s->caller_name, other->number); /* about whom it is */
    core_pbset(&s->called, m->agent[0]       ? m->agent
                           : m->extension[0] ? m->extension
                           : m->queue[0]     ? m->queue
                                             : m->number);
    core_pbset(&s->language, of->language);
    core_data_copy(s, of);
    core_pbset(&s->via_agent, by->agent);
    s->we_call = true;
    s->phase = CORE_CALL_DIALLING;
    return k;
}

static void ring(struct core *c, struct call *k, const Ev__CallJoin *m)
{
    if (m->queue[0]) {
        core_pbset(&k->st->queue, m->queue);
        core_queue_enter(c, k, false);
        return;
    }
    const struct core_dial_to to = {
        .agent = m->agent, .extension = m->extension, .number = m->number, .trunk = "", .caller_id = ""};
    uint32_t status;
    const char *cause;
    if (core_dial(c, k, &to, &status, &cause) != 0)
        core_call_fail(c, k, status, cause); /* it was looked at before: not to be expected */
}

/* A call of one party as it is: a telephone has dialled a code. */
static int check_from(struct core *c, const struct call *main, uint64_t id)
{
    const struct call *k = core_call_obj(c, id);
    if (!k || k == main)
        return core_refuse(c, ERR_NOTFOUND, "from", "there is no such call");
    bool one = k->st->n_legs == 1 && !k->st->offer_id && list_empty(&k->party) && list_empty(&k->parties);
    if (!one || (k->st->phase != CORE_CALL_APP && k->st->phase != CORE_CALL_MENU))
        return core_refuse(c, ERR_BADSTATE, "from", "that call cannot join another one now");
    return 0;
}

static void bring(struct core *c, struct call *main, struct call *k)
{
    Ev__CallState *s = k->st;
    if (!s->answered) {
        s->answered = s->legs[0]->answered = true;
        s->answered_us = c->now_us;
        core_ev_call(c, "call.answered", k);
    }
    core_path_left(c, s, "join");
    if (strcmp(s->owner, main->st->owner) != 0)
        core_call_give_to(c, k, main->st->owner);
    core_data_copy(k->st, main->st);
    core_join_answered(c, k);
}

int core_join(struct core *c, const Ev__CallJoin *m, const char *supervisor)
{
    struct call *main = core_join_talking(c, m->call_id);
    if (!main)
        return c->ans->code;
    unsigned leg = core_call_who(main->st, 0, m->leg);
    if (leg > 1)
        return core_refuse(c, ERR_NOTFOUND, "leg", "there is no such party in the call");
    int err = check_room(c, main, m->mode);
    if (!err)
        err = check_target(c, main, main->st->legs[leg]->agent, m,
                           supervisor[0] ? CORE_FORWARD_NOT : CORE_FORWARD_RINGING);
    if (!err && m->from)
        err = check_from(c, main, m->from);
    if (err)
        return err;
    const Ev__LegState *by = main->st->legs[leg];
    struct call *k = m->from ? core_call_obj(c, m->from) : begin(c, main, by, m);
    k->st->joined = main->st->call_id;
    k->st->mode = m->mode;
    core_pbset(&k->st->supervisor, supervisor);
    k->st->joined_leg = m->mode == CORE_MODE_CONSULT ? by->id : 0;
    link_to(main, k);
    note(main);
    if (m->mode == CORE_MODE_CONSULT)
        turn(c, main, k);
    core_call_touch(c, main);
    core_call_touch(c, k);
    if (m->from) {
        bring(c, main, k);
        return 0;
    }
    core_ev_call(c, "call.started", k);
    tell(c, "call.joining", main, k, NULL);
    ring(c, k, m);
    return 0;
}

bool core_join_in_vain(struct core *c, struct call *k, uint32_t status, const char *cause)
{
    if (!core_join_main(c, k))
        return false;
    core_call_finish(c, k, "system", cause, status, 0, NULL);
    return true;
}

/* ---- how they take part */

/* The one that is named, or the consultation. NULL and a refusal: none. */
static struct call *joined(struct core *c, struct call *main, uint64_t id)
{
    struct call *k = id ? core_call_obj(c, id) : core_join_consultation(main);
    if (k && core_join_main(c, k) == main)
        return k;
    (void)core_refuse(c, id ? ERR_NOTFOUND : ERR_BADSTATE, id ? "from" : "call_id",
                      id ? "that call has not joined this one" : "there is no consultation");
    return NULL;
}

int core_call_turn(struct core *c, const Ev__CallTurn *m)
{
    struct call *main = core_join_talking(c, m->call_id);
    const struct call *k = main ? joined(c, main, 0) : NULL;
    if (!k)
        return c->ans->code;
    if ((unsigned)m->to > EV__CALL_TURN__TO__CONSULTATION)
        return core_refuse(c, ERR_UNSUPPORTED, "to", "unknown side");
    bool away = main->st->turned_to != 0;
    bool to = m->to == EV__CALL_TURN__TO__CONSULTATION || (m->to == EV__CALL_TURN__TO__OTHER && !away);
    if (to == away)
        return 0; /* as asked */
    turn(c, main, to ? k : NULL);
    tell(c, to ? "call.turned_to_consultation" : "call.turned_to_call", main, k, NULL);
    return 0;
}

int core_call_mode(struct core *c, const Ev__CallMode *m)
{
    struct call *main = core_join_talking(c, m->call_id);
    struct call *k = main ? joined(c, main, m->from) : NULL;
    if (!k)
        return c->ans->code;
    if (m->mode >= CORE_MODES || m->mode == CORE_MODE_CONSULT)
        return core_refuse(c, ERR_UNSUPPORTED, "mode", "one of party, listen, whisper");
    if (k->st->mode == m->mode)
        return 0; /* as asked */
    if (main->st->turned_to == k->st->call_id)
        turn(c, main, NULL);
    k->st->mode = m->mode;
    k->st->joined_leg = 0;
    core_recording_joined(c, k, false);
    core_call_touch(c, k);
    core_call_touch(c, main);
    tell(c, "call.mode", main, k, NULL);
    return 0;
}

/* ---- sending somebody away */

static bool is_called(const Ev__CallState *s, const char *name)
{
    const Ev__LegState *l = s->n_legs ? s->legs[0] : NULL;
    const char *number = l ? l->number : s->offer_extension, *agent = l ? l->agent : s->offer_agent;
    return strcmp(number, name) == 0 || strcmp(agent, name) == 0 || strcmp(s->called, name) == 0;
}

int core_call_drop(struct core *c, const Ev__CallDrop *m)
{
    struct call *main = core_join_talking(c, m->call_id), *k = NULL;
    if (!main)
        return c->ans->code;
    list_foreach(it, &main->parties) {
        struct call *one = list_entry(it, struct call, party);
        if (!k && !m->from && m->party[0] && is_called(one->st, m->party))
            k = one;
    }
    unsigned leg = k || m->from || !m->party[0] ? 2 : core_call_who(main->st, 0, m->party);
    if (!k && leg < 2)
        return core_merge_drop(c, main, leg);
    if (!k && m->party[0] && !m->from)
        return core_refuse(c, ERR_NOTFOUND, "party", "there is no such party in the call");
    k = k ? k : joined(c, main, m->from);
    if (!k)
        return c->ans->code;
    core_join_end(c, k, "dropped");
    return 0;
}
