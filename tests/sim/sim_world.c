/* Virtual time, chance, the network between nodes and to telephones, processes, and what goes wrong. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define FAULTS_UNTIL (9 * SIM_S)
#define CALLS_UNTIL (9 * SIM_S)
#define END_AT (70 * SIM_S)

void *sim_alloc(struct sim *s, size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    if (s->arena_used + bytes > s->arena_cap) {
        fprintf(stderr, "sim: a world needs more than %zu bytes\n", s->arena_cap);
        abort();
    }
    void *p = s->arena + s->arena_used;
    s->arena_used += bytes;
    memset(p, 0, bytes);
    return p;
}

uint64_t sim_rand(struct sim *s)
{
    uint64_t z = (s->rng += 0x9e3779b97f4a7c15ull); /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

uint64_t sim_below(struct sim *s, uint64_t n)
{
    return n ? sim_rand(s) % n : 0;
}

bool sim_chance(struct sim *s, unsigned percent)
{
    return sim_below(s, 100) < percent;
}

void sim_fail(struct sim *s, const char *fmt, ...)
{
    if (s->failed)
        return;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(s->why, sizeof s->why, fmt, ap);
    va_end(ap);
    s->failed = true;
    sim_say(s, "FAILED: %s", s->why);
}

void sim_say(struct sim *s, const char *fmt, ...)
{
    if (!s->verbose)
        return;
    va_list ap;
    va_start(ap, fmt);
    printf("%10.6f  ", (double)s->now / 1e6);
    (void)vprintf(fmt, ap);
    printf("\n");
    va_end(ap);
}

/* ---- events: a binary heap by (time, order of making) */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->tie < b->tie;
}

void sim_at(struct sim *s, uint64_t at, struct sim_event ev)
{
    if (s->n_heap == s->cap_heap) {
        s->cap_heap = s->cap_heap ? s->cap_heap * 2 : 1024;
        s->heap = realloc(s->heap, s->cap_heap * sizeof *s->heap);
        if (!s->heap)
            abort();
    }
    ev.at = at > s->now ? at : s->now;
    ev.tie = ++s->ties;
    size_t i = s->n_heap++;
    for (; i > 0 && before(&ev, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = ev;
}

static void pop(struct sim *s, struct sim_event *out)
{
    *out = s->heap[0];
    struct sim_event last = s->heap[--s->n_heap];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= s->n_heap)
            break;
        if (child + 1 < s->n_heap && before(&s->heap[child + 1], &s->heap[child]))
            child++;
        if (!before(&s->heap[child], &last))
            break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = last;
}

/* ---- the network */

static uint64_t delay(struct sim *s)
{
    uint64_t d = sim_between(s, 100, 1500);
    if (sim_chance(s, 2))
        d += sim_between(s, 1, 60) * SIM_MS;
    return d;
}

static void deliver(struct sim *s, struct sim_msg m, int node, uint64_t at)
{
    struct sim_event ev = {.type = EV_MSG, .node = node, .m = m};
    ev.life = node >= 0 ? s->nodes[node].life : 0;
    sim_at(s, at, ev);
}

void sim_send(struct sim *s, struct sim_msg m)
{
    if (s->cut[m.from][m.to] || !s->nodes[m.to].running || sim_below(s, 1000) < s->loss)
        return;
    deliver(s, m, m.to, s->now + delay(s));
    if (sim_below(s, 1000) < s->loss)
        deliver(s, m, m.to, s->now + delay(s));
}

void sim_send_phone(struct sim *s, int node, struct sim_msg m)
{
    m.from = node;
    m.to = -1;
    deliver(s, m, -1, s->now + delay(s));
}

/* Whoever has the address bound gets it; loss is made good by the telephone's repetitions. */
void sim_send_place(struct sim *s, struct sim_msg m)
{
    m.from = -1;
    if (sim_below(s, 1000) < s->loss)
        return;
    for (unsigned i = 0; i < s->n; i++) {
        struct sim_node *n = &s->nodes[i];
        bool here = m.place >= SIM_NODES_MAX ? m.place - SIM_NODES_MAX == (int)i : n->bound[m.place];
        if (!n->running || !here)
            continue;
        m.to = (int)i;
        deliver(s, m, m.to, s->now + delay(s));
    }
}

/* ---- processes */

void sim_kill(struct sim *s, struct sim_node *n)
{
    sim_say(s, "%s is killed", n->name);
    core_close(n->c);
    n->c = NULL;
    n->running = n->paused = false;
    n->parked = n->parked_tail = NULL;
    n->life++;
    n->stopped_at = s->now;
    memset(n->bound, 0, sizeof n->bound);
}

void sim_start(struct sim *s, struct sim_node *n)
{
    n->running = true;
    n->paused = false;
    n->life++;
    n->incarnation++;
    raft_reset(s, n);
    if (s->failed)
        return;
    sim_say(s, "%s starts, incarnation %llu, index %llu", n->name, (unsigned long long)n->incarnation,
            (unsigned long long)core_applied_index(n->c));
    struct sim_event ev = {.type = EV_TURN, .node = n->i, .life = n->life};
    sim_at(s, s->now + sim_below(s, SIM_TURN_US), ev);
}

static void resume(struct sim *s, struct sim_node *n)
{
    if (n->paused)
        sim_say(s, "%s goes on", n->name);
    n->paused = false;
    for (struct sim_parked *p = n->parked; p; p = p->next)
        sim_at(s, s->now, p->ev);
    n->parked = n->parked_tail = NULL;
}

/* ---- faults */

enum {
    FAULT_KILL,
    FAULT_PAUSE,
    FAULT_CUT,
    FAULT_CUT_ONE,
    FAULT_ISOLATE,
    FAULT_SPLIT,
    FAULT_LEADER,
    FAULT_DRAIN,
    FAULT_MOVE,
    FAULT_CLOCK,
    FAULT_KINDS
};
enum { FAULT_BEGIN, FAULT_STRIKE, FAULT_START, FAULT_RESUME, FAULT_HEAL, FAULT_UNDRAIN, FAULT_REST };

static void fault_at(struct sim *s, uint64_t in, uint64_t what, uint64_t arg)
{
    struct sim_event ev = {.type = EV_FAULT, .node = -1, .a = what, .b = arg};
    sim_at(s, s->now + in, ev);
}

static void propose_from_anywhere(struct sim *s, Ev__Command *cmd)
{
    unsigned from = (unsigned)sim_below(s, s->n);
    for (unsigned i = 0; i < s->n; i++) {
        struct sim_node *n = &s->nodes[(from + i) % s->n];
        if (sim_alive(n) && n->announced) {
            raft_propose(s, n, cmd, SIM_P_DRAIN, 0, 0);
            return;
        }
    }
}

static void drain(struct sim *s, unsigned i, bool on)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__NodeDrain m = EV__NODE_DRAIN__INIT;
    cmd.body_case = EV__COMMAND__BODY_NODE_DRAIN;
    cmd.node_drain = &m;
    m.name = s->nodes[i].name;
    m.on = on;
    sim_say(s, "operator: %s %s", on ? "drain" : "undrain", m.name);
    s->count.drains += on;
    propose_from_anywhere(s, &cmd);
}

static void move_address(struct sim *s, unsigned ip, unsigned to)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__AddressMove m = EV__ADDRESS_MOVE__INIT;
    char text[16];
    (void)snprintf(text, sizeof text, "10.0.0.%u", ip + 1);
    cmd.body_case = EV__COMMAND__BODY_ADDRESS_MOVE;
    cmd.address_move = &m;
    m.ip = text;
    m.to = s->nodes[to].name;
    sim_say(s, "operator: move %s to %s", m.ip, m.to);
    propose_from_anywhere(s, &cmd);
}

static void cut_off(struct sim *s, unsigned i, unsigned how, uint64_t lasts)
{
    for (unsigned j = 0; j < s->n; j++) {
        if (j == i)
            continue;
        s->cut[i][j] = s->cut[i][j] || how != 1;
        s->cut[j][i] = s->cut[j][i] || how != 2;
        fault_at(s, lasts, FAULT_HEAL, i * 8 + j);
    }
    sim_say(s, "%s is cut off (%s) for %llu ms", s->nodes[i].name,
            how == 0   ? "both ways"
            : how == 1 ? "hears nothing"
                       : "is not heard",
            (unsigned long long)(lasts / SIM_MS));
}

static void kill_for(struct sim *s, struct sim_node *n, uint64_t lasts)
{
    if (!n->running)
        return;
    sim_kill(s, n);
    fault_at(s, lasts, FAULT_START, (unsigned)n->i);
}

static void pause_for(struct sim *s, struct sim_node *n, uint64_t lasts)
{
    if (!sim_alive(n))
        return;
    sim_say(s, "%s stands still for %llu ms", n->name, (unsigned long long)(lasts / SIM_MS));
    n->paused = true;
    fault_at(s, lasts, FAULT_RESUME, (unsigned)n->i);
}

static uint64_t how_long(struct sim *s)
{
    return sim_chance(s, 50) ? sim_between(s, 20, 700) * SIM_MS : sim_between(s, 700, 4000) * SIM_MS;
}

/* One node, whatever may befall it alone. */
static void strike(struct sim *s, struct sim_node *n)
{
    switch (sim_below(s, 3)) {
    case 0:
        kill_for(s, n, how_long(s));
        break;
    case 1:
        pause_for(s, n, how_long(s));
        break;
    default:
        cut_off(s, (unsigned)n->i, (unsigned)sim_below(s, 3), how_long(s));
        break;
    }
}

void sim_maybe_strike(struct sim *s, struct sim_node *n, unsigned percent)
{
    if (!s->quiet_time && sim_chance(s, percent))
        fault_at(s, sim_between(s, 0, 4000), FAULT_STRIKE, (unsigned)n->i);
}

/* Into two parts that do not hear each other. */
static void split(struct sim *s, uint64_t lasts)
{
    unsigned side = (unsigned)sim_between(s, 1, (1u << s->n) - 2);
    sim_say(s, "the nodes of the set %x hear only each other for %llu ms", side, (unsigned long long)(lasts / SIM_MS));
    for (unsigned i = 0; i < s->n; i++) {
        for (unsigned k = 0; k < s->n; k++) {
            if (i == k || (side >> i & 1) == (side >> k & 1))
                continue;
            s->cut[i][k] = true;
            if (i < k)
                fault_at(s, lasts, FAULT_HEAL, i * 8 + k);
        }
    }
}

/* Two others do not hear each other, and then something befalls the leader. */
static void leader_trouble(struct sim *s, unsigned i, unsigned k, uint64_t lasts)
{
    for (unsigned l = 0; l < s->n; l++) {
        if (s->nodes[l].role != ROLE_LEADER || !s->nodes[l].running)
            continue;
        if (i != k && i != l && k != l) {
            s->cut[i][k] = s->cut[k][i] = true;
            sim_say(s, "%s and %s do not hear each other", s->nodes[i].name, s->nodes[k].name);
            fault_at(s, lasts + SIM_S, FAULT_HEAL, i * 8 + k);
        }
        fault_at(s, sim_between(s, 200, 900) * SIM_MS, FAULT_STRIKE, l);
    }
}

static void fault_begin(struct sim *s)
{
    unsigned i = (unsigned)sim_below(s, s->n), k = (unsigned)sim_below(s, s->n);
    struct sim_node *n = &s->nodes[i];
    uint64_t lasts = how_long(s);
    switch (sim_below(s, FAULT_KINDS)) {
    case FAULT_KILL:
        kill_for(s, n, lasts);
        break;
    case FAULT_PAUSE:
        pause_for(s, n, lasts);
        break;
    case FAULT_CUT:
    case FAULT_CUT_ONE:
        if (i != k) {
            bool both = sim_chance(s, 50);
            s->cut[i][k] = true;
            s->cut[k][i] = s->cut[k][i] || both;
            sim_say(s, "%s cannot reach %s%s", n->name, s->nodes[k].name, both ? ", nor the other way" : "");
            fault_at(s, lasts, FAULT_HEAL, i * 8 + k);
        }
        break;
    case FAULT_ISOLATE:
        cut_off(s, i, (unsigned)sim_below(s, 3), lasts);
        break;
    case FAULT_SPLIT:
        split(s, lasts);
        break;
    case FAULT_LEADER:
        leader_trouble(s, i, k, lasts);
        break;
    case FAULT_DRAIN:
        drain(s, i, true);
        fault_at(s, lasts, FAULT_UNDRAIN, i);
        if (sim_chance(s, 50))
            fault_at(s, sim_below(s, lasts), FAULT_BEGIN, 0);
        break;
    case FAULT_MOVE:
        move_address(s, i, k);
        break;
    case FAULT_CLOCK:
        n->skew_us += (int64_t)sim_below(s, 4000000) - 2000000;
        sim_say(s, "the clock of %s is put to %+lld ms", n->name, (long long)n->skew_us / 1000);
        break;
    }
}

/* From here on nothing goes wrong any more, and everything has to come to rest. */
static void begin_rest(struct sim *s)
{
    sim_say(s, "from here on nothing goes wrong");
    s->quiet_time = true;
    s->rest_at = s->now;
    s->loss = 0;
    memset(s->cut, 0, sizeof s->cut);
    for (unsigned i = 0; i < s->n; i++) {
        if (!s->nodes[i].running)
            sim_start(s, &s->nodes[i]);
        resume(s, &s->nodes[i]);
        s->nodes[i].slow = 0;
    }
    for (unsigned i = 0; i < 6 * s->n;
         i++) /* what was asked for before may be carried out late: asked until it holds */
        fault_at(s, SIM_S + i * 300 * SIM_MS, FAULT_UNDRAIN, i % s->n);
}

static void fault(struct sim *s, const struct sim_event *ev)
{
    struct sim_node *n = ev->a == FAULT_HEAL ? NULL : &s->nodes[ev->b];
    switch (ev->a) {
    case FAULT_BEGIN:
        if (!s->quiet_time)
            fault_begin(s);
        break;
    case FAULT_STRIKE:
        if (!s->quiet_time)
            strike(s, n);
        break;
    case FAULT_START:
        if (!n->running) {
            s->count.restarts++;
            sim_start(s, n);
        }
        break;
    case FAULT_RESUME:
        if (n->paused)
            resume(s, n);
        break;
    case FAULT_HEAL:
        s->cut[ev->b / 8][ev->b % 8] = s->cut[ev->b % 8][ev->b / 8] = false;
        break;
    case FAULT_UNDRAIN:
        if (!s->quiet_time || s->draining[ev->b])
            drain(s, (unsigned)ev->b, false);
        break;
    case FAULT_REST:
        begin_rest(s);
        break;
    }
}

/* ---- the loop */

static void handle(struct sim *s, struct sim_event *ev)
{
    struct sim_node *n = ev->node >= 0 ? &s->nodes[ev->node] : NULL;
    if (n && n->life != ev->life)
        return; /* of a process that is gone */
    if (n && n->paused) {
        struct sim_parked *p = sim_alloc(s, sizeof *p); /* waits until the process goes on */
        p->ev = *ev;
        if (n->parked_tail)
            n->parked_tail->next = p;
        else
            n->parked = p;
        n->parked_tail = p;
        return;
    }
    switch (ev->type) {
    case EV_MSG:
        if (!n)
            phone_message(s, &ev->m, ev->m.from);
        else if (ev->m.type < MSG_INVITE)
            raft_message(s, n, &ev->m);
        else
            owner_message(s, n, &ev->m);
        break;
    case EV_TURN: {
        struct sim_event next = {.type = EV_TURN, .node = n->i, .life = n->life};
        sim_at(s, s->now + SIM_TURN_US, next);
        raft_turn(s, n);
        lease_turn(s, n);
        address_turn(s, n);
        owner_turn(s, n);
        message_turn(s, n);
        break;
    }
    case EV_APPLY:
        raft_apply(s, n);
        break;
    case EV_BIND:
        address_bind_done(s, n, (int)ev->a);
        break;
    case EV_MENU:
    case EV_RING_OVER:
        owner_timer(s, n, ev);
        break;
    case EV_NEW_CALL:
        if (!s->quiet_time)
            phone_new_call(s);
        break;
    case EV_DIALOG:
        phone_timer(s, (unsigned)ev->a, (uint32_t)ev->b);
        break;
    case EV_FAULT:
        fault(s, ev);
        break;
    case EV_ASK:
        if (!s->quiet_time)
            parties_ask(s);
        break;
    case EV_CLIENT: {
        struct sim_event next = {.type = EV_CLIENT, .node = -1};
        sim_at(s, s->now + sim_between(s, 400, 900) * SIM_MS, next);
        client_turn(s);
        break;
    }
    }
}

static void plan(struct sim *s)
{
    unsigned calls = (unsigned)sim_between(s, 4, 14), faults = (unsigned)sim_between(s, 1, 6);
    for (unsigned i = 0; i < calls; i++) {
        struct sim_event ev = {.type = EV_NEW_CALL, .node = -1};
        sim_at(s, SIM_S + sim_below(s, CALLS_UNTIL - SIM_S), ev);
    }
    for (unsigned i = 0; i < faults; i++)
        fault_at(s, 1500 * SIM_MS + sim_below(s, FAULTS_UNTIL - 1500 * SIM_MS), FAULT_BEGIN, 0);
    struct sim_event client = {.type = EV_CLIENT, .node = -1};
    sim_at(s, SIM_S, client);
    fault_at(s, FAULTS_UNTIL + SIM_S, FAULT_REST, 0);
    s->loss = sim_chance(s, 30) ? (unsigned)sim_between(s, 1, 30) : 0;
    if (s->parties)
        parties_plan(s);
}

void sim_run(struct sim *s)
{
    plan(s);
    raft_begin(s);
    while (!s->failed) {
        if (!s->n_heap || s->heap[0].at > END_AT) {
            s->now = END_AT;
            check_rest(s); /* says what has not come to rest */
            if (!s->failed)
                sim_fail(s, "does not come to rest");
            break;
        }
        struct sim_event ev;
        pop(s, &ev);
        s->now = ev.at;
        s->steps++;
        handle(s, &ev);
        check_step(s);
        if (s->quiet_time && ev.type == EV_TURN && check_resting(s)) {
            check_rest(s);
            break;
        }
    }
    for (unsigned i = 0; i < s->n; i++) {
        core_close(s->nodes[i].c);
        s->nodes[i].c = NULL;
        sim_store_free(s->nodes[i].st);
    }
}
