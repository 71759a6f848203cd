/* Call control of a node, modelled: reacts to CORE_EV_CALL as node/calls.c does, with one struct for each call that it looks
 * after. Every act on a telephone goes through act(): it happens only under the lease, and is checked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim_owner.h"

#define END_RETRY_US (300 * SIM_MS)
#define MEDIA_TIMEOUT_US (3 * SIM_S)

struct sim_ocall *ocall_of(struct sim *s, struct sim_node *n, uint64_t id)
{
    for (unsigned i = 0; i < s->n_calls; i++)
        if (s->calls[i].id == id)
            return &n->calls[i];
    return NULL;
}

unsigned ocall_index(const struct sim_node *n, const struct sim_ocall *k)
{
    return (unsigned)(k - n->calls);
}

bool ocall_act(struct sim *s, struct sim_node *n, struct sim_ocall *k, enum sim_msg_type type, int dialog, uint64_t a)
{
    if (dialog < 0 || !lease_held(s, n))
        return false;
    check_act(s, n, k);
    struct sim_msg m = {.type = type, .dialog = (unsigned)dialog, .a = a, .b = k->id};
    /* where the leg stands: with its address if that is here, else on an address of our own */
    int place = s->dialogs[dialog].place;
    bool keeps = place < SIM_NODES_MAX && n->bound[place] && type != MSG_RENEW;
    m.place = keeps ? place : SIM_NODES_MAX + n->i;
    sim_send_phone(s, n->i, m);
    return true;
}

void ocall_forget(struct sim_ocall *k)
{
    memset(k, 0, sizeof *k);
    k->a = k->b = -1;
}

struct sim_ring *ocall_ring(struct sim_ocall *k, int dialog)
{
    for (unsigned i = 0; i < SIM_AGENTS; i++)
        if (k->rings[i].offer && k->rings[i].b == dialog)
            return &k->rings[i];
    return NULL;
}

bool ocall_pending(const struct sim_ocall *k)
{
    bool pending = false;
    for (unsigned i = 0; i < SIM_AGENTS; i++)
        pending = pending || (k->rings[i].offer && k->rings[i].answer_pending);
    return pending;
}

static bool rings(const struct sim_ocall *k)
{
    bool any = false;
    for (unsigned i = 0; i < SIM_AGENTS; i++)
        any = any || (k->rings[i].offer && !k->rings[i].over);
    return any;
}

static bool others_ring(const struct sim_ocall *k, int but)
{
    bool any = false;
    for (unsigned i = 0; i < SIM_AGENTS; i++)
        any = any || (k->rings[i].offer && k->rings[i].b >= 0 && k->rings[i].b != but);
    return any;
}

static struct sim_ring *ring_of(struct sim_ocall *k, uint64_t offer)
{
    for (unsigned i = 0; i < SIM_AGENTS; i++)
        if (k->rings[i].offer == offer)
            return &k->rings[i];
    return NULL;
}

void ocall_drop_rings(struct sim *s, struct sim_node *n, struct sim_ocall *k, int but)
{
    for (unsigned i = 0; i < SIM_AGENTS; i++) {
        if (k->rings[i].offer && k->rings[i].b != but)
            (void)ocall_act(s, n, k, MSG_RELEASE, k->rings[i].b, 0);
        k->rings[i] = (struct sim_ring){.b = -1};
    }
}

/* ---- proposals about calls */

static void propose(struct sim *s, struct sim_node *n, struct sim_ocall *k, Ev__Command *cmd, enum sim_what what)
{
    raft_propose(s, n, cmd, what, ocall_index(n, k), k->epoch);
}

static void release(struct sim *s, struct sim_node *n, struct sim_ocall *k)
{
    parties_let_go(s, n, k);
    if (!k->a_released)
        k->a_released = ocall_act(s, n, k, MSG_RELEASE, k->a, 0) || k->a < 0;
    if (!k->b_released)
        k->b_released = ocall_act(s, n, k, MSG_RELEASE, k->b, 0) || k->b < 0;
    for (unsigned i = 0; i < SIM_AGENTS; i++) {
        struct sim_ring *r = &k->rings[i];
        if (r->offer && (r->b < 0 || ocall_act(s, n, k, MSG_RELEASE, r->b, 0)))
            r->offer = 0;
    }
}

static void propose_end(struct sim *s, struct sim_node *n, struct sim_ocall *k)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallEnd m = EV__CALL_END__INIT;
    cmd.body_case = EV__COMMAND__BODY_CALL_END;
    cmd.call_end = &m;
    m.call_id = k->id;
    m.by = (char *)(uintptr_t)k->by;
    m.cause = (char *)(uintptr_t)k->cause;
    k->end_at = UINT64_MAX; /* on its way */
    sim_maybe_strike(s, n, 1);
    propose(s, n, k, &cmd, SIM_P_END);
}

void ocall_end(struct sim *s, struct sim_node *n, struct sim_ocall *k, const char *by, const char *cause)
{
    if (k->ending)
        return;
    sim_say(s, "%s ends call %u: %s, %s", n->name, ocall_index(n, k), by, cause);
    k->ending = true;
    k->by = by;
    k->cause = cause;
    k->timer++;
    release(s, n, k);
    if (k->started)
        propose_end(s, n, k);
}

/* No answer: the ring time is over, for all. */
static void offer_failed(struct sim *s, struct sim_node *n, struct sim_ocall *k, struct sim_ring *r,
                         Ev__OfferFailed__Cause cause)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__OfferFailed m = EV__OFFER_FAILED__INIT;
    if (r->over || k->ending)
        return;
    cmd.body_case = EV__COMMAND__BODY_OFFER_FAILED;
    cmd.offer_failed = &m;
    m.call_id = k->id;
    m.offer_id = r->offer;
    m.cause = cause;
    for (unsigned i = 0; i < SIM_AGENTS; i++) {
        struct sim_ring *x = &k->rings[i];
        if (!x->offer || (x != r && cause != EV__OFFER_FAILED__CAUSE__NO_ANSWER))
            continue;
        (void)ocall_act(s, n, k, MSG_RELEASE, x->b, 0);
        x->over = true;
        x->b = -1;
    }
    if (!rings(k))
        k->timer++;
    propose(s, n, k, &cmd, SIM_P_CALL);
}

void ocall_dialog(Ev__Dialog *d, struct sim *s, struct sim_node *n, int dialog, char text[4][32])
{
    int place = s->dialogs[dialog].place;
    int trunk = s->dialogs[dialog].trunk;
    ev__dialog__init(d);
    (void)snprintf(text[0], 32, "d%d", dialog);
    if (place < SIM_NODES_MAX && n->bound[place])
        (void)snprintf(text[1], 32, "10.0.0.%d:5060", place + 1);
    else
        (void)snprintf(text[1], 32, "10.1.0.%d:5060", n->i + 1);
    (void)snprintf(text[2], 32, "udp:10.9.%d.%d:5060", trunk ? trunk : 3, dialog % 250);
    d->call_id = text[0];
    d->local_address = text[1];
    d->flow = text[2];
    d->local_cseq = 1;
}

static void offer_answered(struct sim *s, struct sim_node *n, struct sim_ocall *k, struct sim_ring *r)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__OfferAnswered m = EV__OFFER_ANSWERED__INIT;
    Ev__Dialog d;
    char text[4][32];
    if (r->answer_pending || k->ending || !lease_held(s, n))
        return;
    cmd.body_case = EV__COMMAND__BODY_OFFER_ANSWERED;
    cmd.offer_answered = &m;
    ocall_dialog(&d, s, n, r->b, text);
    m.call_id = k->id;
    m.offer_id = r->offer;
    m.dialog = &d;
    r->answer_pending = true;
    sim_maybe_strike(s, n, 2);
    raft_propose(s, n, &cmd, SIM_P_ANSWERED, ocall_index(n, k), (uint64_t)r->b << 32 | k->epoch);
}

/* ---- what the committed phase asks for */

const struct core_call *ocall_state(struct sim_node *n, const struct sim_ocall *k)
{
    return core_call(n->c, k->id);
}

void ocall_answer(struct sim *s, struct sim_node *n, struct sim_ocall *k, int dialog)
{
    if (s->dialogs[dialog].state == D_CALLING)
        (void)ocall_act(s, n, k, MSG_ANSWER, dialog, 0);
    else if (s->dialogs[dialog].state == D_ANSWERED) /* a telephone that we have called first */
        (void)ocall_act(s, n, k, MSG_ACK, dialog, 0);
}

void ocall_answer_caller(struct sim *s, struct sim_node *n, struct sim_ocall *k)
{
    if (k->a >= 0)
        ocall_answer(s, n, k, k->a);
}

void ocall_call_off(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_offer *o, bool all)
{
    uint32_t from = o->former_epoch ? o->former_epoch : o->epoch, to = all ? o->epoch + 1 : o->epoch;
    for (unsigned i = 0; i < s->n_dialogs; i++) {
        struct sim_dialog *d = &s->dialogs[i];
        if (d->offer == o->id && d->epoch >= from && d->epoch < to)
            (void)ocall_act(s, n, k, MSG_RELEASE, (int)i, 0);
    }
}

static int ring_dialog(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_offer *o)
{
    /* the same identifiers: the same dialog at the telephone */
    for (unsigned i = 0; i < s->n_dialogs; i++)
        if (s->dialogs[i].offer == o->id && s->dialogs[i].epoch == o->epoch)
            return (int)i;
    if (s->n_dialogs == SIM_DIALOGS_MAX) {
        sim_fail(s, "model: too many dialogs");
        return -1;
    }
    int b = (int)s->n_dialogs++;
    struct sim_dialog *d = &s->dialogs[b];
    *d = (struct sim_dialog){
        .state = D_NONE, .ext = atoi(o->extension) - 8001, .call = (int)ocall_index(n, k), .offer = o->id};
    if (d->ext >= SIM_EXTS) {
        d->ext = -1;
        d->who = (unsigned)(atoi(o->extension) - SIM_OUTSIDE);
    }
    d->epoch = o->epoch;
    d->place = k->a >= 0 && s->dialogs[k->a].place < SIM_NODES_MAX && n->bound[s->dialogs[k->a].place]
                   ? s->dialogs[k->a].place
                   : SIM_NODES_MAX + n->i;
    return b;
}

static void ring_begin(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_offer *o)
{
    struct sim_ring *r = ring_of(k, o->id);
    if (r && r->epoch == o->epoch)
        return;
    if (!r)
        r = ring_of(k, 0);
    *r = (struct sim_ring){.offer = o->id, .epoch = o->epoch};
    ocall_call_off(s, n, k, o, false);
    r->b = ring_dialog(s, n, k, o);
    if (r->b < 0)
        return;
    sim_maybe_strike(s, n, 1);
    sim_say(s, "%s rings %s for call %u, offer %llu", n->name, o->extension, ocall_index(n, k),
            (unsigned long long)r->offer);
    (void)ocall_act(s, n, k, MSG_CALL_YOU, r->b, 0);
    uint64_t due = o->since_us + o->ring_time_s * SIM_S, now = raft_wall_us(s, n);
    struct sim_event ev = {
        .type = EV_RING_OVER, .node = n->i, .life = n->life, .a = ocall_index(n, k), .b = ++k->timer};
    sim_at(s, s->now + (due > now ? due - now : 0), ev);
}

static const struct core_offer *in_state(const struct core_call *c, uint64_t offer)
{
    for (unsigned i = 0; i < c->n_offers; i++)
        if (c->offers[i].id == offer)
            return &c->offers[i];
    return NULL;
}

static void ring(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_call *c)
{
    for (unsigned i = 0; i < SIM_AGENTS; i++) {
        struct sim_ring *r = &k->rings[i];
        if (!r->offer || in_state(c, r->offer))
            continue;
        (void)ocall_act(s, n, k, MSG_RELEASE, r->b, 0);
        *r = (struct sim_ring){.b = -1};
    }
    for (unsigned i = 0; i < c->n_offers; i++)
        ring_begin(s, n, k, &c->offers[i]);
}

/* The callee's leg in the state names his dialog. */
static int callee_of(const struct core_call *c)
{
    for (size_t i = 0; i < c->n_legs; i++)
        if (c->legs[i].role == CORE_LEG_CALLEE)
            return atoi(c->legs[i].dialog->call_id + 1);
    return -1;
}

static void talk(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_call *c)
{
    ocall_answer_caller(s, n, k);
    if (k->shown == SHOWN_TALK)
        return;
    if (!lease_held(s, n) && others_ring(k, callee_of(c))) {
        ocall_forget(k); /* nothing can be sent now: the others are called off when it is carried on */
        return;
    }
    k->shown = SHOWN_TALK;
    k->timer++;
    if (ocall_ring(k, callee_of(c)))
        k->b = callee_of(c);
    ocall_drop_rings(s, n, k, k->b);
    if (k->b < 0) {
        ocall_end(s, n, k, "system", "lost");
        return;
    }
    ocall_answer(s, n, k, k->b);
    k->joined = true;
}

static void menu(struct sim *s, struct sim_node *n, struct sim_ocall *k)
{
    ocall_answer_caller(s, n, k);
    if (k->menu_busy)
        return;
    k->menu_busy = true;
    struct sim_event ev = {.type = EV_MENU, .node = n->i, .life = n->life, .a = ocall_index(n, k), .b = ++k->timer};
    sim_at(s, s->now + sim_between(s, 50, 1500) * SIM_MS, ev);
}

void ocall_reconcile(struct sim *s, struct sim_node *n, struct sim_ocall *k)
{
    const struct core_call *c = ocall_state(n, k);
    if (!c) {
        if (k->started && !k->ending) {
            release(s, n, k); /* ended elsewhere */
            ocall_forget(k);
        }
        return;
    }
    if (strcmp(c->owner, n->name) != 0) {
        if (k->started) {
            sim_say(s, "%s forgets call %u: it is %s's", n->name, ocall_index(n, k), c->owner);
            ocall_forget(k); /* nothing is sent */
        }
        return;
    }
    if (k->ending || !k->started || k->waits)
        return;
    k->epoch = c->epoch;
    if (c->phase == CORE_CALL_FAILED && !lease_held(s, n)) {
        ocall_forget(k); /* nothing can be sent now: it is ended when it is carried on */
        return;
    }
    if (!parties_follow(s, n, k, c) || !back_has_caller(s, n, k, c))
        return;
    if (c->phase != CORE_CALL_OFFERED && c->phase != CORE_CALL_DIALLING && c->phase != CORE_CALL_TALKING)
        ocall_drop_rings(s, n, k, -2);
    switch (c->phase) {
    case CORE_CALL_APP:
        if (strcmp(c->app, "code:pickup") == 0) {
            parties_pickup(s, n, k);
            break;
        }
        ocall_answer_caller(s, n, k);
        if (strcmp(c->app, "hangup") == 0)
            ocall_end(s, n, k, "system", "callback");
        else
            keys_follow(s, n, k, c);
        break;
    case CORE_CALL_MENU:
        menu(s, n, k);
        break;
    case CORE_CALL_WAITING:
        ocall_answer_caller(s, n, k);
        k->timer++;
        keys_follow(s, n, k, c);
        break;
    case CORE_CALL_OFFERED:
        ocall_answer_caller(s, n, k);
        ring(s, n, k, c);
        break;
    case CORE_CALL_DIALLING:
        if (c->we_call)
            ocall_answer_caller(s, n, k);
        ring(s, n, k, c);
        break;
    case CORE_CALL_TALKING:
        talk(s, n, k, c);
        break;
    case CORE_CALL_JOINED:
        ocall_answer_caller(s, n, k);
        break;
    case CORE_CALL_NOTICE:
        break; /* nothing of this is configured here */
    case CORE_CALL_FAILED:
        ocall_end(s, n, k, "system", "failed");
        break;
    }
}

/* ---- from core */

void owner_event(struct sim *s, struct sim_node *n, const struct core_event *ev)
{
    if (ev->type != CORE_EV_CALL && ev->type != CORE_EV_CDR)
        return;
    if (back_is_ours(ev->call_id))
        (void)back_know(s, ev->call_id);
    struct sim_ocall *k = ocall_of(s, n, ev->call_id);
    if (!k) {
        sim_fail(s, "%s: an event of a call that nobody began", n->name);
        return;
    }
    if (ev->type == CORE_EV_CDR) {
        if (++n->cdrs[ocall_index(n, k)] > 1)
            sim_fail(s, "%s: call %u has more than one record", n->name, ocall_index(n, k));
        return;
    }
    if (!n->dirty[ocall_index(n, k)]) {
        n->dirty[ocall_index(n, k)] = true;
        n->dirty_list[n->n_dirty++] = ocall_index(n, k);
    }
}

void owner_applied(struct sim *s, struct sim_node *n)
{
    for (unsigned i = 0; i < n->n_dirty; i++) {
        struct sim_ocall *k = &n->calls[n->dirty_list[i]];
        n->dirty[n->dirty_list[i]] = false;
        const struct core_call *c = core_call(n->c, s->calls[n->dirty_list[i]].id);
        if (k->used)
            ocall_reconcile(s, n, k);
        else if (c && strcmp(c->owner, n->name) == 0 && n->announced && lease_held(s, n) && !n->dropped &&
                 !owner_let_go(s, n, c))
            ocall_adopt(s, n, c);
    }
    n->n_dirty = 0;
}

static void start_answered(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_answer *a)
{
    if (a->code) {
        if (k->a >= 0)
            (void)ocall_act(s, n, k, MSG_REJECT, k->a, 0);
        ocall_forget(k);
        return;
    }
    k->started = true;
    if (k->ending)
        propose_end(s, n, k); /* the caller left meanwhile */
}

static void menu_answered(struct sim *s, struct sim_node *n, struct sim_ocall *k)
{
    const struct core_call *c = ocall_state(n, k);
    k->menu_busy = false;
    if (c && c->phase == CORE_CALL_MENU && !k->ending && !k->waits && strcmp(c->owner, n->name) == 0)
        menu(s, n, k);
    else if (c && c->phase == CORE_CALL_APP && !k->ending && !k->waits && strcmp(c->owner, n->name) == 0)
        keys_follow(s, n, k, c); /* he was asked for a number that is no good */
}

/* a refused one: somebody else has the call, or the offer is over */
static void taken_answered(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct sim_prop *p,
                           bool refused)
{
    struct sim_ring *r = ocall_ring(k, (int)(p->arg2 >> 32));
    if (k->epoch != (uint32_t)p->arg2 || !r || !refused)
        return;
    r->answer_pending = false;
    if (!k->ending) {
        (void)ocall_act(s, n, k, MSG_RELEASE, r->b, 0);
        r->b = -1;
    }
}

static void end_answered(struct sim *s, struct sim_node *n, struct sim_ocall *k, bool refused)
{
    if (!k->ending)
        return;
    if (refused && ocall_state(n, k) && strcmp(ocall_state(n, k)->owner, n->name) == 0) {
        k->end_at = s->now + END_RETRY_US;
        return;
    }
    release(s, n, k);
    if (refused || (k->a_released && k->b_released))
        ocall_forget(k); /* else without a lease now: the legs are released with the next turn that has it */
}

static void announced(struct sim *s, struct sim_node *n, bool accepted)
{
    n->announcing = false;
    n->announced = accepted;
    if (!accepted)
        return;
    sim_say(s, "%s is announced", n->name);
    if (lease_held(s, n) && !n->dropped)
        owner_resume(s, n);
}

void owner_answer(struct sim *s, struct sim_node *n, const struct sim_prop *p, const struct core_answer *a)
{
    struct sim_ocall *k = &n->calls[p->arg % SIM_CALLS_MAX];
    switch (p->what) {
    case SIM_P_NODE_UP:
        announced(s, n, a->code == 0);
        return;
    case SIM_P_NODE_DOWN:
        if (n->role == ROLE_LEADER && n->term == p->arg2)
            n->declaring[p->arg] = false;
        s->count.downs += a->code == 0;
        return;
    case SIM_P_TICK:
        n->tick_pending = false;
        return;
    case SIM_P_ADDRESS_GIVEN:
        for (unsigned i = 0; i < s->n_calls; i++)
            if (n->let_go[i] == p->arg + 1)
                n->let_go[i] = 0;
        address_answer(n, p);
        return;
    case SIM_P_ADDRESS_STATE:
    case SIM_P_ADDRESS_MOVE:
        address_answer(n, p);
        return;
    case SIM_P_DRAIN:
    case SIM_P_ASKED:
        return;
    case SIM_P_CLIENT:
        client_answer(s, p, a);
        return;
    case SIM_P_RECORD:
        message_answer(s, n, p, a);
        return;
    case SIM_P_MOVE:
        owner_moved(s, n, p->arg);
        return;
    case SIM_P_CALL_START:
        s->calls[p->arg].started = a->code == 0;
        s->count.calls += a->code == 0;
        if (k->used)
            start_answered(s, n, k, a);
        return;
    case SIM_P_CALL:
        if (k->used)
            menu_answered(s, n, k);
        return;
    case SIM_P_ANSWERED:
        if (k->used)
            taken_answered(s, n, k, p, a->code != 0);
        return;
    case SIM_P_RENEW:
        if (k->used && k->started && !k->ending && a->code == 0 && k->epoch == (uint32_t)p->arg2)
            (void)ocall_act(s, n, k, MSG_RENEW, (p->arg2 >> 32) == 1 ? k->a : k->b, 0);
        return;
    case SIM_P_END:
        if (k->used)
            end_answered(s, n, k, a->code != 0);
        return;
    case SIM_P_LEFT:
        if (k->used)
            parties_left(s, n, k, p, a->code != 0);
        return;
    case SIM_P_PICKUP:
        if (k->used)
            parties_picked(s, n, k, a->code != 0);
        return;
    }
}

/* ---- from telephones */

static void refuse_invite(struct sim *s, struct sim_node *n, const struct sim_msg *m)
{
    struct sim_msg r = {.type = MSG_REJECT, .dialog = m->dialog, .place = SIM_NODES_MAX + n->i, .a = 503};
    sim_send_phone(s, n->i, r);
}

static const struct core_call *known(struct sim *s, struct sim_node *n, unsigned dialog)
{
    int call = s->dialogs[dialog].call;
    return call >= 0 ? core_call(n->c, s->calls[call].id) : NULL;
}

static void start(struct sim *s, struct sim_node *n, const struct sim_msg *m)
{
    struct sim_dialog *d = &s->dialogs[m->dialog];
    for (unsigned i = 0; i < s->n_calls; i++)
        if (n->calls[i].used && n->calls[i].a == (int)m->dialog)
            return; /* sent again */
    bool picked =
        d->call >= 0 && s->calls[d->call].started && d->called[0] == '*'; /* sent again, or its leg is another's */
    if (picked || known(s, n, m->dialog))
        return; /* somebody's already */
    const struct core_node *me = core_node(n->c, n->name);
    if (!n->announced || !me || me->draining || s->n_calls == SIM_CALLS_MAX) {
        refuse_invite(s, n, m);
        return;
    }
    struct sim_call *w = &s->calls[s->n_calls];
    struct sim_ocall *k = &n->calls[s->n_calls++];
    char text[4][32], caller[16];
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallStart cs = EV__CALL_START__INIT;
    Ev__Dialog dialog;
    w->id = (uint64_t)(n->i + 1) << 40 | s->n_calls;
    w->act_node = -1;
    w->caller = (int)m->dialog;
    d->call = (int)ocall_index(n, k);
    ocall_forget(k);
    k->used = true;
    k->id = w->id;
    k->epoch = 1;
    k->a = (int)m->dialog;
    ocall_dialog(&dialog, s, n, k->a, text);
    (void)snprintf(caller, sizeof caller, "%d", d->ext >= 0 ? 8001 + d->ext : SIM_OUTSIDE + (int)d->who);
    cmd.body_case = EV__COMMAND__BODY_CALL_START;
    cmd.call_start = &cs;
    cs.call_id = w->id;
    cs.caller = caller;
    cs.called = d->called;
    char trunks[3][8] = {"", "moves", "stays"};
    if (d->ext >= 0)
        cs.extension = caller;
    else
        cs.trunk = trunks[d->trunk];
    cs.answered = d->called[0] == '1' || d->called[0] == '2';
    cs.dialog = &dialog;
    sim_say(s, "%s starts call %u: %s to %s, dialog %u", n->name, ocall_index(n, k), caller, d->called, m->dialog);
    propose(s, n, k, &cmd, SIM_P_CALL_START);
}

static void hung_up(struct sim *s, struct sim_node *n, const struct sim_msg *m)
{
    bool found = false;
    for (unsigned i = 0; i < s->n_calls; i++) {
        struct sim_ocall *k = &n->calls[i];
        struct sim_ring *r = k->used ? ocall_ring(k, (int)m->dialog) : NULL;
        if (!k->used || (k->a != (int)m->dialog && k->b != (int)m->dialog && !r))
            continue;
        found = true;
        bool caller = k->a == (int)m->dialog;
        if (k->waits || (r && r->answer_pending))
            return; /* the telephone says it again */
        if (r) {
            offer_failed(s, n, k, r, EV__OFFER_FAILED__CAUSE__REJECTED);
            continue;
        }
        if (parties_stay(s, n, k, !caller))
            return; /* the telephone says it again */
        ocall_end(s, n, k, caller ? "caller" : "callee", "normal");
    }
    if (!found && known(s, n, m->dialog))
        return; /* its owner hears it, from here or from where it will be told to send to */
    struct sim_msg r = {.type = MSG_BYE_OK, .dialog = m->dialog};
    sim_send_phone(s, n->i, r);
}

void owner_message(struct sim *s, struct sim_node *n, const struct sim_msg *m)
{
    if (!lease_held(s, n) || n->dropped) {
        if (m->type == MSG_INVITE)
            refuse_invite(s, n, m);
        return;
    }
    if (m->type == MSG_INVITE) {
        start(s, n, m);
        return;
    }
    if (m->type == MSG_BYE || m->type == MSG_CANCEL) {
        hung_up(s, n, m);
        return;
    }
    for (unsigned i = 0; i < s->n_calls; i++) {
        struct sim_ocall *k = &n->calls[i];
        struct sim_ring *r = k->used ? ocall_ring(k, (int)m->dialog) : NULL;
        bool a = k->used && k->a == (int)m->dialog, b = k->used && k->b == (int)m->dialog;
        if (!a && !b && !r)
            continue;
        if (m->type == MSG_ANSWERED && (a || b)) {
            (void)ocall_act(s, n, k, MSG_ACK, (int)m->dialog, 0);
        } else if (m->type == MSG_ANSWERED && r) {
            offer_answered(s, n, k, r);
        } else if (m->type == MSG_REFUSED && r && !r->answer_pending) {
            r->b = -1;
            offer_failed(s, n, k, r, m->a == 486 ? EV__OFFER_FAILED__CAUSE__BUSY : EV__OFFER_FAILED__CAUSE__REJECTED);
        } else if (m->type == MSG_GONE && r) {
            offer_failed(s, n, k, r, EV__OFFER_FAILED__CAUSE__ERROR);
        } else if (m->type == MSG_GONE && !k->waits && !parties_stay(s, n, k, !a)) {
            ocall_end(s, n, k, a ? "caller" : "callee", "normal");
        }
        return;
    }
    if (m->type == MSG_ANSWERED && !known(s, n, m->dialog)) {
        /* an answer of an INVITE that nobody knows any more: acknowledged and hung up */
        struct sim_msg r = {.type = MSG_RELEASE, .dialog = m->dialog, .place = m->place};
        sim_send_phone(s, n->i, r);
    }
}

/* ---- timers */

void owner_timer(struct sim *s, struct sim_node *n, const struct sim_event *ev)
{
    struct sim_ocall *k = &n->calls[ev->a];
    if (!k->used || k->timer != ev->b || k->ending)
        return;
    const struct core_call *c = ocall_state(n, k);
    if (!c || !lease_held(s, n)) {
        struct sim_event again = *ev; /* silent: looks again later */
        if (c)
            sim_at(s, s->now + 50 * SIM_MS, again);
        return;
    }
    if (ev->type == EV_MENU && c->phase == CORE_CALL_MENU)
        keys_menu(s, n, k);
    else if (ev->type == EV_MENU)
        keys_queue(s, n, k, c);
    else if (ev->type == EV_RING_OVER && !ocall_pending(k))
        for (unsigned i = 0; i < SIM_AGENTS; i++)
            if (k->rings[i].offer && !k->rings[i].over)
                offer_failed(s, n, k, &k->rings[i], EV__OFFER_FAILED__CAUSE__NO_ANSWER); /* marks them all */
}

/* What the media threads and transaction timers of a node notice: a leg whose telephone is no longer there, requests without
 * an answer. */
static void watch_rings(struct sim *s, struct sim_node *n, struct sim_ocall *k)
{
    for (unsigned i = 0; i < SIM_AGENTS; i++) {
        struct sim_ring *r = &k->rings[i];
        const struct sim_dialog *b = r->offer && r->b >= 0 ? &s->dialogs[r->b] : NULL;
        if (b && b->state == D_OVER && !r->answer_pending && s->now - b->over_at > MEDIA_TIMEOUT_US)
            offer_failed(s, n, k, r, EV__OFFER_FAILED__CAUSE__UNREACHABLE);
        else if (b && b->state == D_NONE)
            (void)ocall_act(s, n, k, MSG_CALL_YOU, r->b, 0); /* the INVITE again */
    }
}

static void watch_legs(struct sim *s, struct sim_node *n, struct sim_ocall *k)
{
    if (k->ending || k->waits || !k->started)
        return;
    const struct sim_dialog *a = k->a >= 0 ? &s->dialogs[k->a] : NULL, *b = k->b >= 0 ? &s->dialogs[k->b] : NULL;
    if (a && a->state == D_OVER && s->now - a->over_at > MEDIA_TIMEOUT_US) {
        if (!parties_stay(s, n, k, false))
            ocall_end(s, n, k, "caller", "media_timeout");
    } else if (b && b->state == D_OVER && s->now - b->over_at > MEDIA_TIMEOUT_US && k->joined) {
        if (!parties_stay(s, n, k, true))
            ocall_end(s, n, k, "callee", "media_timeout");
    } else if (a && a->state == D_CALLING && k->shown == SHOWN_TALK) {
        ocall_answer_caller(s, n, k);
    }
    if (!k->ending)
        watch_rings(s, n, k);
}

void owner_turn(struct sim *s, struct sim_node *n)
{
    if (n->dropped || !lease_held(s, n))
        return;
    const struct core_node *me = core_node(n->c, n->name);
    for (unsigned i = 0; i < s->n_calls; i++) {
        struct sim_ocall *k = &n->calls[i];
        const struct core_call *c = core_call(n->c, s->calls[i].id);
        bool mine = c && n->announced && strcmp(c->owner, n->name) == 0;
        if (!k->used) {
            if (mine && !owner_let_go(s, n, c))
                ocall_adopt(s, n, c);
            continue;
        }
        if (k->waits && mine)
            ocall_carry_on(s, n, k, c);
        if (k->ending && k->started && k->end_at <= s->now)
            propose_end(s, n, k);
        else if (k->ending && k->started && !ocall_state(n, k)) {
            release(s, n, k);
            if (k->a_released && k->b_released)
                ocall_forget(k);
        }
        watch_legs(s, n, k);
    }
    if (me && me->draining && n->announced)
        (void)owner_give_away(s, n);
}
