/* Calls that change hands, modelled as node/call_adopt.c and node/drain.c do it: carried on from state after a takeover, forgotten with
 * an address, given away by a node that drains. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim_owner.h"

#define LET_GO_MOVED 255

static int place_of(const struct core_leg *l)
{
    int node = atoi(l->dialog->local_address + 7) - 1;
    return strncmp(l->dialog->local_address, "10.0.0.", 7) == 0 ? node : SIM_NODES_MAX + node;
}

static bool stands_here(struct sim_node *n, int place)
{
    return place < SIM_NODES_MAX ? n->bound[place] : place == SIM_NODES_MAX + n->i;
}

/* Whether the leg's address is on its way here: then the call waits for it. */
static bool comes_here(struct sim_node *n, int place)
{
    char ip[16];
    if (place >= SIM_NODES_MAX)
        return false;
    (void)snprintf(ip, sizeof ip, "10.0.0.%d", place + 1);
    const struct core_address *a = core_address(n->c, ip);
    return a && strcmp(a->holder, n->name) == 0 && !n->bound[place] && !n->cannot[place];
}

static bool by_address(struct sim_node *n, const struct core_call *c, unsigned leg)
{
    return core_takeover_of(n->c, leg ? NULL : c->trunk, c->legs[leg].dialog->flow) == CORE_TAKEOVER_ADDRESS;
}

/* re-INVITE from an address of ours: committed first, so that whoever comes next knows where the telephone sends to. */
static void renew(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_call *c, unsigned i, int d)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__LegUpdate m = EV__LEG_UPDATE__INIT;
    Ev__Dialog dialog;
    char text[4][32];
    cmd.body_case = EV__COMMAND__BODY_LEG_UPDATE;
    cmd.leg_update = &m;
    ocall_dialog(&dialog, s, n, d, text);
    (void)snprintf(text[1], 32, "10.1.0.%d:5060", n->i + 1);
    m.call_id = k->id;
    m.leg_id = c->legs[i].id;
    m.dialog = &dialog;
    m.held = c->legs[i].held;
    raft_propose(s, n, &cmd, SIM_P_RENEW, ocall_index(n, k), (uint64_t)(d == k->a ? 1 : 2) << 32 | k->epoch);
}

void ocall_move_leg(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_call *c, unsigned leg)
{
    if (!stands_here(n, place_of(&c->legs[leg])))
        renew(s, n, k, c, leg, c->legs[leg].role == CORE_LEG_CALLEE ? k->b : k->a);
}

static bool waits(struct sim_node *n, const struct core_call *c)
{
    bool wait = false;
    for (unsigned i = 0; i < c->n_legs; i++)
        wait = wait || (by_address(n, c, i) && comes_here(n, place_of(&c->legs[i])));
    return wait;
}

void ocall_carry_on(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_call *c)
{
    const struct core_call *main = c->joined && c->phase != CORE_CALL_FAILED ? core_call(n->c, c->joined) : NULL;
    bool wait = main && waits(n, main);
    k->a = c->n_legs ? atoi(c->legs[0].dialog->call_id + 1) : -1;
    k->b = -1;
    for (unsigned i = 0; i < c->n_legs; i++) {
        int d = atoi(c->legs[i].dialog->call_id + 1);
        if (c->legs[i].role == CORE_LEG_CALLEE)
            k->b = d;
    }
    k->waits = wait = wait || waits(n, c);
    if (wait)
        return;
    for (unsigned i = 0; i < c->n_legs; i++)
        ocall_move_leg(s, n, k, c, i);
    parties_adopt(s, n, k, c);
    if (c->phase == CORE_CALL_TALKING) {
        k->shown = SHOWN_TALK;
        if (k->b >= 0)
            ocall_answer(s, n, k, k->b);
        ocall_answer_caller(s, n, k);
        k->joined = true;
    }
    for (unsigned i = 0; i < c->n_called_off; i++)
        ocall_call_off(s, n, k, &c->called_off[i], true);
    k->adopted_at = s->now;
    ocall_reconcile(s, n, k);
}

void ocall_adopt(struct sim *s, struct sim_node *n, const struct core_call *c)
{
    struct sim_ocall *k = ocall_of(s, n, c->id);
    if (k->used)
        return;
    sim_say(s, "%s carries call %u on, %s, epoch %u", n->name, ocall_index(n, k), core_call_phase_name(c->phase),
            c->epoch);
    ocall_forget(k);
    k->used = k->started = true;
    k->id = c->id;
    k->epoch = c->epoch;
    s->count.takeovers += c->epoch > 1 || !c->we_call;
    s->count.phases[c->phase] += c->epoch > 1 || !c->we_call;
    ocall_carry_on(s, n, k, c);
}

/* What is still ours of it goes on from an address of our own. */
void owner_address_lost(struct sim *s, struct sim_node *n, int ip)
{
    for (unsigned i = 0; i < s->n_calls; i++) {
        struct sim_ocall *k = &n->calls[i];
        const struct core_call *c = k->used && k->started && !k->ending ? ocall_state(n, k) : NULL;
        if (c && strcmp(c->owner, n->name) == 0 && k->a >= 0 && s->dialogs[k->a].place == ip)
            ocall_carry_on(s, n, k, c);
    }
}

void owner_address_ready(struct sim *s, struct sim_node *n)
{
    for (unsigned i = 0; i < s->n_calls; i++) {
        struct sim_ocall *k = &n->calls[i];
        const struct core_call *c = k->used && k->waits ? ocall_state(n, k) : NULL;
        if (c && strcmp(c->owner, n->name) == 0)
            ocall_carry_on(s, n, k, c);
    }
}

void owner_resume(struct sim *s, struct sim_node *n)
{
    for (const struct core_call *c = NULL; n->announced && (c = core_call_next(n->c, c, n->name)) != NULL;)
        if (!owner_let_go(s, n, c))
            ocall_adopt(s, n, c);
}

void owner_forget_all(struct sim_node *n)
{
    for (unsigned i = 0; i < SIM_CALLS_MAX; i++)
        ocall_forget(&n->calls[i]);
}

/* Forgotten on purpose: not carried on before it is known what became of the command that gives it away. */
static void let_go(struct sim *s, struct sim_node *n, struct sim_ocall *k, uint8_t why)
{
    n->let_go[ocall_index(n, k)] = why;
    for (const struct core_call *p = NULL; (p = core_joined_next(n->c, k->id, p)) != NULL;) {
        struct sim_ocall *along = ocall_of(s, n, p->id); /* wherever it stands: both have one owner */
        if (!along->used)
            continue;
        n->let_go[ocall_index(n, along)] = why;
        ocall_forget(along);
    }
    ocall_forget(k);
}

bool owner_let_go(struct sim *s, struct sim_node *n, const struct core_call *c)
{
    const struct core_call *main = c->joined ? core_call(n->c, c->joined) : NULL;
    return n->let_go[ocall_index(n, ocall_of(s, n, c->id))] ||
           (main && n->let_go[ocall_index(n, ocall_of(s, n, main->id))]);
}

void owner_moved(struct sim *s, struct sim_node *n, unsigned call)
{
    n->let_go[call] = 0;
    for (unsigned i = 0; i < s->n_calls; i++) {
        const struct core_call *c = n->let_go[i] == LET_GO_MOVED ? core_call(n->c, s->calls[i].id) : NULL;
        if (n->let_go[i] == LET_GO_MOVED && (!c || c->joined == s->calls[call].id || strcmp(c->owner, n->name) != 0))
            n->let_go[i] = 0;
    }
}

void owner_forget_address(struct sim *s, struct sim_node *n, int ip)
{
    for (unsigned i = 0; i < s->n_calls; i++) {
        struct sim_ocall *k = &n->calls[i];
        if (!k->used || k->a < 0 || s->dialogs[k->a].place != ip)
            continue;
        let_go(s, n, k, (uint8_t)(ip + 1));
    }
}

/* Draining: what does not go with an address. */
size_t owner_give_away(struct sim *s, struct sim_node *n)
{
    size_t left = 0;
    for (const struct core_call *c = NULL; (c = core_call_next(n->c, c, n->name)) != NULL;) {
        struct sim_ocall *k = ocall_of(s, n, c->id);
        left++;
        if (!k->used || k->ending || ocall_pending(k) || c->joined)
            continue; /* one that is joined goes with the other */
        char ip[CORE_IP_MAX] = "";
        if (c->n_legs)
            (void)snprintf(ip, sizeof ip, "%.*s", (int)strcspn(c->legs[0].dialog->local_address, ":"),
                           c->legs[0].dialog->local_address);
        const struct core_address *a = core_address(n->c, ip);
        bool goes = c->n_legs && a && strcmp(a->holder, n->name) == 0 && by_address(n, c, 0);
        if (goes)
            continue;
        Ev__Command cmd = EV__COMMAND__INIT;
        Ev__CallMove m = EV__CALL_MOVE__INIT;
        cmd.body_case = EV__COMMAND__BODY_CALL_MOVE;
        cmd.call_move = &m;
        m.call_id = c->id;
        sim_say(s, "%s gives call %u away", n->name, ocall_index(n, k));
        unsigned i = ocall_index(n, k);
        let_go(s, n, k, LET_GO_MOVED);
        raft_propose(s, n, &cmd, SIM_P_MOVE, i, c->epoch);
    }
    return left;
}
