/* More than two parties: what people ask of calls, at any node; and what the owner of a call does when its legs come and go (node/call_merge.c,
 * node/call_transfer.c), modelled. The owner looks at the state alone: who sits there, who sat there before, who has left. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim_owner.h"

/* ---- who sits where */

static int leg_dialog(const struct core_leg *l)
{
    return atoi(l->dialog->call_id + 1);
}

static int seat(const struct core_call *c, enum core_leg_role role, unsigned *leg)
{
    for (unsigned i = 0; i < c->n_legs; i++) {
        if (c->legs[i].role != role)
            continue;
        if (leg)
            *leg = i;
        return leg_dialog(&c->legs[i]);
    }
    return -1;
}

static bool sits_elsewhere(const struct sim_node *n, uint64_t but, int dialog)
{
    for (const struct core_call *x = NULL; (x = core_call_next(n->c, x, NULL)) != NULL;)
        for (size_t i = 0; x->id != but && i < x->n_legs; i++)
            if (leg_dialog(&x->legs[i]) == dialog)
                return true;
    return false;
}

void parties_let_go(const struct sim *s, const struct sim_node *n, struct sim_ocall *k)
{
    if (!s->parties)
        return;
    if (k->a >= 0 && sits_elsewhere(n, k->id, k->a))
        k->a = -1;
    if (k->b >= 0 && sits_elsewhere(n, k->id, k->b))
        k->b = -1;
}

/* From another call of this process, if it has that; whether that one was ending. */
static bool taken_from(struct sim *s, struct sim_node *n, const struct sim_ocall *k, int d)
{
    bool ending = false;
    for (unsigned i = 0; i < s->n_calls; i++) {
        struct sim_ocall *j = &n->calls[i];
        struct sim_ring *r = j->used && j != k ? ocall_ring(j, d) : NULL;
        if (!j->used || j == k)
            continue;
        if (r)
            *r = (struct sim_ring){.b = -1};
        if (j->a == d || j->b == d)
            ending = ending || j->ending;
        j->a = j->a == d ? -1 : j->a;
        j->b = j->b == d ? -1 : j->b;
    }
    return ending;
}

static void comes(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_call *c, unsigned leg)
{
    int d = leg_dialog(&c->legs[leg]);
    bool hung_up = taken_from(s, n, k, d);
    sim_say(s, "dialog %d comes into call %u", d, ocall_index(n, k));
    s->dialogs[d].call = (int)ocall_index(n, k);
    s->dialogs[d].moved = true;
    if (hung_up) {
        ocall_end(s, n, k, c->legs[leg].role == CORE_LEG_CALLEE ? "callee" : "caller", "normal");
        return;
    }
    ocall_move_leg(s, n, k, c, leg);
    ocall_answer(s, n, k, d);
}

bool parties_follow(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_call *c)
{
    if (k->merges == c->merges && k->transfers == c->transfers)
        return true;
    if (!lease_held(s, n)) {
        ocall_forget(k); /* nothing can be sent now: as the state says, when it is carried on */
        return false;
    }
    unsigned leg[2] = {0, 0};
    int before[2] = {k->a, k->b}, now[2] = {seat(c, CORE_LEG_CALLER, &leg[0]), seat(c, CORE_LEG_CALLEE, &leg[1])};
    k->merges = c->merges;
    k->transfers = c->transfers;
    k->leaving[0] = k->leaving[1] = false;
    for (unsigned i = 0; i < 2; i++)
        if (before[i] >= 0 && before[i] != now[0] && before[i] != now[1] && !sits_elsewhere(n, k->id, before[i]))
            (void)ocall_act(s, n, k, MSG_RELEASE, before[i], 0);
    k->a = now[0];
    k->b = now[1];
    for (unsigned i = 0; i < 2; i++) {
        if (now[i] >= 0 && now[i] != before[0] && now[i] != before[1] && !k->ending)
            comes(s, n, k, c, leg[i]);
        else if (now[i] >= 0 && now[i] != before[i])
            s->dialogs[now[i]].moved = true; /* to the caller's seat */
    }
    k->shown = SHOWN_NOTHING;
    k->menu_busy = false;
    return !k->ending;
}

void parties_adopt(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_call *c)
{
    k->merges = c->merges;
    k->transfers = c->transfers;
    for (size_t i = 0; i < c->n_legs; i++) {
        struct sim_dialog *d = &s->dialogs[leg_dialog(&c->legs[i])];
        d->moved = d->moved || c->legs[i].from_call || (c->transfers && !d->out);
        d->call = (int)ocall_index(n, k);
    }
    for (size_t i = 0; i < c->n_left_before; i++)
        (void)ocall_act(s, n, k, MSG_RELEASE, atoi(c->left_before[i]->leg->dialog->call_id + 1), 0);
    if (c->left)
        (void)ocall_act(s, n, k, MSG_RELEASE, atoi(c->left->dialog->call_id + 1), 0);
}

/* ---- one hangs up, and others are there */

bool parties_stay(struct sim *s, struct sim_node *n, struct sim_ocall *k, bool callee)
{
    const struct core_call *c = ocall_state(n, k);
    unsigned leg = 0;
    if (!c || k->ending || c->phase != CORE_CALL_TALKING || !core_joined_next(n->c, k->id, NULL) ||
        seat(c, callee ? CORE_LEG_CALLEE : CORE_LEG_CALLER, &leg) < 0)
        return false;
    if (k->leaving[callee])
        return true;
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallLeft m = EV__CALL_LEFT__INIT;
    cmd.body_case = EV__COMMAND__BODY_CALL_LEFT;
    cmd.call_left = &m;
    m.call_id = k->id;
    m.leg_id = (uint32_t)c->legs[leg].id;
    k->leaving[callee] = true;
    sim_maybe_strike(s, n, 3);
    raft_propose(s, n, &cmd, SIM_P_LEFT, ocall_index(n, k), (uint64_t)callee << 32 | k->epoch);
    return true;
}

void parties_left(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct sim_prop *p, bool refused)
{
    bool callee = p->arg2 >> 32 & 1;
    if (k->epoch != (uint32_t)p->arg2 || !k->leaving[callee])
        return; /* it has changed hands, or the seat has */
    k->leaving[callee] = false;
    if (refused)
        ocall_end(s, n, k, callee ? "callee" : "caller", "normal");
}

/* ---- a telephone that has dialled *8 */

void parties_pickup(struct sim *s, struct sim_node *n, struct sim_ocall *k)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallPickup m = EV__CALL_PICKUP__INIT;
    if (k->menu_busy)
        return;
    k->menu_busy = true;
    cmd.body_case = EV__COMMAND__BODY_CALL_PICKUP;
    cmd.call_pickup = &m;
    m.from = k->id;
    sim_maybe_strike(s, n, 3);
    raft_propose(s, n, &cmd, SIM_P_PICKUP, ocall_index(n, k), k->epoch);
}

void parties_picked(struct sim *s, struct sim_node *n, struct sim_ocall *k, bool refused)
{
    k->menu_busy = false;
    if (refused && !k->ending && !k->waits && ocall_state(n, k))
        ocall_end(s, n, k, "system", "nothing_rings");
}

/* ---- what is asked for */

/* Any call that is in this phase; 0: none. */
static uint64_t any_call(struct sim *s, const struct sim_node *n, enum core_call_phase phase)
{
    uint64_t found = 0;
    unsigned seen = 0;
    for (const struct core_call *k = NULL; (k = core_call_next(n->c, k, NULL)) != NULL;)
        if (k->phase == phase && sim_below(s, ++seen) == 0)
            found = k->id;
    return found;
}

static const char *any(struct sim *s, char room[16], const char *const *of, unsigned n)
{
    (void)snprintf(room, 16, "%s", of[sim_below(s, n)]);
    return room;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__}), sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

/* One of agent, extension, queue, number. */
static void somebody(struct sim *s, char room[16], char **agent, char **extension, char **queue, char **number)
{
    unsigned which = (unsigned)sim_below(s, 10);
    if (which < 4)
        *agent = (char *)(uintptr_t)any(s, room, WORDS("1001", "1002", "1003", "1004"));
    else if (which < 7)
        *extension = (char *)(uintptr_t)any(s, room, WORDS("8001", "8004", "8005", "8006"));
    else if (which < 9)
        *queue = (char *)(uintptr_t)any(s, room, WORDS("service", "two", "vip"));
    else
        *number = (char *)(uintptr_t)any(s, room, WORDS("5550001", "5550008"));
}

static void ask(struct sim *s, struct sim_node *n, Ev__Command *cmd)
{
    char actor[] = "token:desk";
    cmd->actor = actor;
    sim_maybe_strike(s, &s->nodes[sim_below(s, s->n)], 3);
    raft_propose(s, n, cmd, SIM_P_ASKED, 0, 0);
}

static void ask_join(struct sim *s, struct sim_node *n, uint64_t id, unsigned mode)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallJoin m = EV__CALL_JOIN__INIT;
    char room[16];
    cmd.body_case = EV__COMMAND__BODY_CALL_JOIN;
    cmd.call_join = &m;
    m.call_id = id;
    m.mode = mode;
    somebody(s, room, &m.agent, &m.extension, &m.queue, &m.number);
    ask(s, n, &cmd);
}

static void ask_transfer(struct sim *s, struct sim_node *n, uint64_t id)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallTransfer m = EV__CALL_TRANSFER__INIT;
    char room[16], flow[] = "welcome";
    cmd.body_case = EV__COMMAND__BODY_CALL_TRANSFER;
    cmd.call_transfer = &m;
    m.call_id = id;
    if (sim_chance(s, 20))
        m.flow = flow;
    else
        somebody(s, room, &m.agent, &m.extension, &m.queue, &m.number);
    ask(s, n, &cmd);
}

/* The consultation is completed; or a leg of another call takes a seat of this one, or answers what rings for it. */
static void ask_merge(struct sim *s, struct sim_node *n, uint64_t id, bool other)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallMerge m = EV__CALL_MERGE__INIT;
    static const enum core_call_phase rung[] = {CORE_CALL_TALKING, CORE_CALL_TALKING, CORE_CALL_OFFERED,
                                                CORE_CALL_DIALLING},
                                      from[] = {CORE_CALL_TALKING, CORE_CALL_JOINED, CORE_CALL_APP, CORE_CALL_MENU};
    char room[16];
    cmd.body_case = EV__COMMAND__BODY_CALL_MERGE;
    cmd.call_merge = &m;
    m.call_id = id;
    if (other) {
        uint64_t into = any_call(s, n, rung[sim_below(s, 4)]);
        m.call_id = into ? into : id;
        m.from = any_call(s, n, from[sim_below(s, 4)]);
        const struct core_call *f = core_call(n->c, m.from);
        if (!f || !f->n_legs)
            return;
        m.from_leg = (uint32_t)f->legs[sim_below(s, f->n_legs)].id;
        m.leg = (char *)(uintptr_t)any(s, room, WORDS("caller", "callee", ""));
    }
    ask(s, n, &cmd);
}

static void ask_drop(struct sim *s, struct sim_node *n, uint64_t id)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallDrop m = EV__CALL_DROP__INIT;
    char room[16];
    cmd.body_case = EV__COMMAND__BODY_CALL_DROP;
    cmd.call_drop = &m;
    m.call_id = id;
    if (sim_chance(s, 40))
        m.party = (char *)(uintptr_t)any(s, room, WORDS("caller", "callee", "1002", "8005"));
    else if (sim_chance(s, 70))
        m.from = any_call(s, n, CORE_CALL_JOINED);
    ask(s, n, &cmd);
}

static void ask_turn(struct sim *s, struct sim_node *n, uint64_t id)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallTurn turn = EV__CALL_TURN__INIT;
    Ev__CallMode mode = EV__CALL_MODE__INIT;
    if (sim_chance(s, 40)) {
        cmd.body_case = EV__COMMAND__BODY_CALL_TURN;
        cmd.call_turn = &turn;
        turn.call_id = id;
    } else {
        cmd.body_case = EV__COMMAND__BODY_CALL_MODE;
        cmd.call_mode = &mode;
        mode.call_id = id;
        mode.from = sim_chance(s, 60) ? 0 : any_call(s, n, CORE_CALL_JOINED);
        mode.mode = CORE_MODE_PARTY + (uint32_t)sim_below(s, CORE_MODES - CORE_MODE_PARTY);
    }
    ask(s, n, &cmd);
}

static void ask_supervise(struct sim *s, struct sim_node *n, uint64_t id)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallSupervise m = EV__CALL_SUPERVISE__INIT;
    char who[] = "1004";
    cmd.body_case = EV__COMMAND__BODY_CALL_SUPERVISE;
    cmd.call_supervise = &m;
    m.call_id = id;
    m.supervisor = who;
    m.how = (Ev__CallSupervise__How)sim_below(s, EV__CALL_SUPERVISE__HOW__TAKE_OVER + 1);
    ask(s, n, &cmd);
}

void parties_ask(struct sim *s)
{
    struct sim_node *n = &s->nodes[sim_below(s, s->n)];
    uint64_t id = sim_alive(n) && n->announced ? any_call(s, n, CORE_CALL_TALKING) : 0;
    if (!id)
        return;
    switch (sim_below(s, 14)) {
    case 0:
    case 1:
    case 2:
        ask_join(s, n, id, CORE_MODE_CONSULT);
        break;
    case 3:
    case 4:
        ask_join(s, n, id, CORE_MODE_PARTY + (unsigned)sim_below(s, CORE_MODES - CORE_MODE_PARTY));
        break;
    case 5:
    case 6:
        ask_turn(s, n, id);
        break;
    case 7:
    case 8:
        ask_merge(s, n, id, false);
        break;
    case 9:
        ask_merge(s, n, id, true);
        break;
    case 10:
        ask_drop(s, n, id);
        break;
    case 11:
        ask_transfer(s, n, id);
        break;
    default:
        ask_supervise(s, n, id);
        break;
    }
}

void parties_plan(struct sim *s)
{
    unsigned times = (unsigned)sim_between(s, 6, 30);
    for (unsigned i = 0; i < times; i++) {
        struct sim_event ev = {.type = EV_ASK, .node = -1};
        sim_at(s, 1500 * SIM_MS + sim_below(s, 9 * SIM_S), ev);
    }
}

/* ---- what must hold */

void parties_check(struct sim *s, const struct core *c, const struct core_call *k)
{
    for (size_t i = 0; i < k->n_legs; i++) {
        struct sim_dialog *d = &s->dialogs[leg_dialog(&k->legs[i])];
        if (d->out && !d->moved)
            continue; /* its INVITE, sent again elsewhere, may have begun another one */
        if (d->seated == s->checked)
            sim_fail(s, "dialog %d has two seats, one of them in call %llu", leg_dialog(&k->legs[i]),
                     (unsigned long long)k->id);
        d->seated = s->checked;
    }
    if (!k->joined || k->phase == CORE_CALL_FAILED)
        return;
    const struct core_call *main = core_call(c, k->joined);
    if (!main || main->phase != CORE_CALL_TALKING || main->n_legs != 2)
        sim_fail(s, "call %llu is joined to one that does not talk", (unsigned long long)k->id);
    else if (strcmp(main->owner, k->owner) != 0)
        sim_fail(s, "call %llu is %s's, and joined to one of %s", (unsigned long long)k->id, k->owner, main->owner);
}
