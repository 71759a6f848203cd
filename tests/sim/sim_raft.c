/* Replication, modelled: one leader of each term by majority vote, one entry on its way at a time, committed when a majority
 * has stored it, applied by each node at its own pace. What is committed is agreed by construction; what may be lost, repeated or
 * come late is what Raft and the forwarding of commands allow (raft/repl.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define ELECTION_MIN (300 * SIM_MS)
#define BEAT_US (50 * SIM_MS)
#define RESEND_US (200 * SIM_MS)

static unsigned bits(unsigned v)
{
    return (unsigned)__builtin_popcount(v);
}

uint64_t raft_wall_us(const struct sim *s, const struct sim_node *n)
{
    uint64_t wall = (uint64_t)((int64_t)(SIM_EPOCH_US + s->now) + n->skew_us);
    uint64_t passed = s->now - n->core_mono; /* as node_time_us does */
    uint64_t replicated = n->core_us ? n->core_us + passed - passed / 16 : 0;
    return replicated > wall ? replicated : wall;
}

static void election_later(struct sim *s, struct sim_node *n)
{
    n->election_at = s->now + ELECTION_MIN + sim_below(s, ELECTION_MIN);
}

static void on_event(void *ctx, uint64_t index, const struct core_event *ev);

struct hook {
    struct sim *s;
    struct sim_node *n;
};

static void open_core(struct sim *s, struct sim_node *n)
{
    struct hook *h = sim_alloc(s, sizeof *h);
    *h = (struct hook){s, n};
    const struct core_hooks hooks = {h, on_event};
    struct err_info info = {0};
    if (core_open(n->st, &hooks, &n->c, &info) != 0)
        sim_fail(s, "%s: the state cannot be opened again: %s", n->name, info.text);
}

void raft_reset(struct sim *s, struct sim_node *n)
{
    /* What is on disk stays; all else is that of a new process. */
    struct sim_node keep = *n;
    memset(n, 0, sizeof *n);
    n->i = keep.i;
    memcpy(n->name, keep.name, sizeof n->name);
    n->st = sim_store_reopen(keep.st);
    n->running = true;
    n->life = keep.life;
    n->incarnation = keep.incarnation;
    n->skew_us = keep.skew_us;
    n->slow = keep.slow;
    n->voted = n->term = keep.voted > keep.term ? keep.voted : keep.term;
    n->last_index = keep.last_index;
    n->last_term = keep.last_term;
    n->tent = keep.tent;
    memcpy(n->cdrs, keep.cdrs, sizeof n->cdrs);
    n->leader = -1;
    n->next_seq = 1;
    open_core(s, n);
    if (s->failed)
        return;
    n->commit = core_applied_index(n->c);
    n->core_us = core_now_us(n->c);
    n->core_mono = s->now;
    election_later(s, n);
}

/* ---- proposing */

void raft_propose(struct sim *s, struct sim_node *n, Ev__Command *cmd, enum sim_what what, unsigned arg, uint64_t arg2)
{
    char actor[16];
    (void)snprintf(actor, sizeof actor, "node:%s", n->name);
    cmd->time_us = raft_wall_us(s, n);
    cmd->node = n->name;
    if (!cmd->actor[0])
        cmd->actor = actor;
    cmd->origin = n->name;
    struct sim_prop *p = sim_alloc(s, sizeof *p);
    size_t len = ev__command__get_packed_size(cmd);
    void *data = sim_alloc(s, len);
    (void)ev__command__pack(cmd, data);
    *p = (struct sim_prop){.what = what, .arg = arg, .arg2 = arg2};
    p->item = (struct sim_item){n->i, (uint64_t)n->i + 1, n->incarnation, n->next_seq++, data, len, -1, 0, -1};
    if (what == SIM_P_RECORD)
        p->item.message = (int)arg;
    if (what >= SIM_P_CALL) {
        p->item.call = (int)arg;
        p->item.epoch = (uint32_t)arg2;
    }
    if (n->props_tail)
        n->props_tail->next = p;
    else
        n->props = p;
    n->props_tail = p;
    if (n->leader >= 0) {
        struct sim_msg m = {.type = MSG_FORWARD, .from = n->i, .to = n->leader, .term = n->term, .p = &p->item};
        if (n->leader == n->i)
            raft_message(s, n, &m);
        else
            sim_send(s, m);
        n->sent_at = s->now;
    }
}

static void send_all(struct sim *s, struct sim_node *n)
{
    if (n->leader < 0)
        return;
    for (struct sim_prop *p = n->props; p; p = p->next) {
        struct sim_msg m = {.type = MSG_FORWARD, .from = n->i, .to = n->leader, .term = n->term, .p = &p->item};
        if (n->leader == n->i)
            raft_message(s, n, &m);
        else
            sim_send(s, m);
    }
    n->sent_at = s->now;
}

/* ---- the leader's side */

static void send_others(struct sim *s, struct sim_node *n, struct sim_msg m)
{
    m.from = n->i;
    for (unsigned i = 0; i < s->n; i++) {
        m.to = (int)i;
        if (m.to != n->i)
            sim_send(s, m);
    }
}

static void append_out(struct sim *s, struct sim_node *n)
{
    struct sim_msg m = {.type = MSG_APPEND, .term = n->term, .index = n->inflight_index, .p = n->inflight};
    send_others(s, n, m);
}

static void begin_entry(struct sim *s, struct sim_node *n, struct sim_entry *e, uint64_t index)
{
    n->inflight = e;
    n->inflight_index = index;
    n->tent = e;
    n->last_index = index;
    n->last_term = n->term;
    n->acks = 1u << n->i;
    append_out(s, n);
}

static void next_entry(struct sim *s, struct sim_node *n)
{
    if (n->role != ROLE_LEADER || n->inflight)
        return;
    bool barrier = n->barrier == 0;
    if (!barrier && !n->n_queue)
        return;
    struct sim_entry *e = sim_alloc(s, sizeof *e);
    e->term = n->term;
    if (barrier) {
        n->barrier = n->last_index + 1;
    } else {
        unsigned max = (unsigned)(sizeof e->items / sizeof e->items[0]);
        e->n = n->n_queue < max ? n->n_queue : max;
        memcpy(e->items, n->queue, e->n * sizeof e->items[0]);
        n->n_queue -= e->n;
        memmove(n->queue, n->queue + e->n, n->n_queue * sizeof n->queue[0]);
    }
    begin_entry(s, n, e, n->last_index + 1);
}

static void know_commit(struct sim *s, struct sim_node *n, uint64_t index)
{
    if (index > n->commit)
        n->commit = index;
    if (n->commit >= n->last_index)
        n->tent = NULL;
    if (n->applying || core_applied_index(n->c) >= n->commit)
        return;
    n->applying = true;
    struct sim_event ev = {.type = EV_APPLY, .node = n->i, .life = n->life};
    sim_at(s, s->now + 20 + sim_below(s, 200 + n->slow), ev);
}

static void committed(struct sim *s, struct sim_node *n)
{
    uint64_t index = n->inflight_index;
    bool late = index <= s->committed && s->log[index] == n->inflight; /* its successor has committed it meanwhile */
    if ((!late && index != s->committed + 1) || index >= SIM_LOG_MAX) {
        sim_fail(s, "model: %s commits index %llu after %llu", n->name, (unsigned long long)index,
                 (unsigned long long)s->committed);
        return;
    }
    if (!late) {
        s->log[index] = n->inflight;
        s->terms[index] = n->term;
        s->committed = index;
    }
    n->inflight = NULL;
    know_commit(s, n, index);
    struct sim_msg m = {.type = MSG_BEAT, .term = n->term, .index = index};
    send_others(s, n, m);
    next_entry(s, n);
}

static void step_down(struct sim *s, struct sim_node *n, uint64_t term)
{
    if (n->role == ROLE_LEADER)
        sim_say(s, "%s leads no more (term %llu)", n->name, (unsigned long long)n->term);
    n->role = ROLE_FOLLOWER;
    n->ready = false;
    n->inflight = NULL;
    n->n_queue = 0;
    n->leader = -1;
    if (term > n->term)
        n->term = term;
    n->ask_term = 0;
    memset(n->declaring, 0, sizeof n->declaring);
    election_later(s, n);
}

static void lead(struct sim *s, struct sim_node *n)
{
    n->term = n->ask_term;
    n->ask_term = 0;
    n->role = ROLE_LEADER;
    n->leader = n->i;
    n->ready = false;
    n->barrier = 0;
    n->leading_since = s->now;
    n->n_queue = 0;
    n->inflight = NULL;
    memset(n->answered, 0, sizeof n->answered);
    memset(n->declaring, 0, sizeof n->declaring);
    s->count.leaders++;
    sim_say(s, "%s leads in term %llu, last index %llu, committed %llu", n->name, (unsigned long long)n->term,
            (unsigned long long)n->last_index, (unsigned long long)s->committed);
    /* Elected late, when a later term has committed more already: it will learn of that by the first answer. */
    bool late = s->terms[s->committed] > n->term;
    if (n->last_index < s->committed && !late) {
        sim_fail(s, "model: a leader without committed entries");
        return;
    }
    if (n->last_index > s->committed)
        begin_entry(s, n, n->tent, n->last_index); /* inherited: committed together with what comes after */
    else
        next_entry(s, n);
    send_all(s, n);
}

/* ---- elections */

/* Stands for the pre-vote: who can be heard by a majority that has no leader asks for votes. */
static bool may_ask(const struct sim *s, const struct sim_node *n)
{
    unsigned ready = 0;
    for (unsigned i = 0; i < s->n; i++) {
        const struct sim_node *o = &s->nodes[i];
        bool path = o == n || (!s->cut[n->i][i] && !s->cut[i][n->i] && sim_alive(o));
        bool lonely = s->now - o->leader_heard > ELECTION_MIN / 2 && o->role != ROLE_LEADER;
        ready += path && lonely;
    }
    return ready > s->n / 2;
}

static void ask(struct sim *s, struct sim_node *n)
{
    election_later(s, n);
    if (!may_ask(s, n))
        return;
    n->ask_term = (n->voted > n->term ? n->voted : n->term) + 1;
    n->voted = n->ask_term;
    n->leader = -1;
    n->votes = 1u << n->i;
    struct sim_msg m = {.type = MSG_VOTE, .term = n->ask_term, .index = n->last_index, .a = n->last_term};
    send_others(s, n, m);
}

static void on_vote(struct sim *s, struct sim_node *n, const struct sim_msg *m)
{
    bool newer = m->a > n->last_term || (m->a == n->last_term && m->index >= n->last_index);
    if (m->term <= n->voted || m->term <= n->term)
        return;
    if (n->role == ROLE_LEADER)
        step_down(s, n, m->term);
    n->term = m->term;
    n->leader = -1;
    n->ask_term = 0;
    if (!newer)
        return;
    n->voted = m->term;
    election_later(s, n);
    struct sim_msg r = {.type = MSG_VOTED, .from = n->i, .to = m->from, .term = m->term};
    sim_send(s, r);
}

/* A message of the leader of m->term. false: of a former one. */
static bool follow(struct sim *s, struct sim_node *n, const struct sim_msg *m)
{
    if (m->term < n->term || m->term < n->voted) {
        struct sim_msg r = {
            .type = MSG_NACK, .from = n->i, .to = m->from, .term = n->voted > n->term ? n->voted : n->term};
        sim_send(s, r);
        return false;
    }
    if (n->role == ROLE_LEADER)
        step_down(s, n, m->term);
    bool fresh = n->leader != m->from || n->term != m->term;
    n->term = m->term;
    n->leader = m->from;
    n->leader_heard = s->now;
    n->ask_term = 0;
    election_later(s, n);
    if (fresh) {
        struct sim_msg ping = {.type = MSG_PING, .from = n->i, .to = m->from, .a = s->now};
        sim_send(s, ping); /* the sooner its lease is renewed */
        send_all(s, n);
    }
    return true;
}

static void on_append(struct sim *s, struct sim_node *n, const struct sim_msg *m)
{
    if (!follow(s, n, m))
        return;
    if (m->index > n->last_index || m->term > n->last_term) {
        n->last_index = m->index;
        n->last_term = m->term;
        n->tent = (struct sim_entry *)(uintptr_t)m->p;
    }
    know_commit(s, n, m->index - 1);
    struct sim_msg r = {.type = MSG_STORED, .from = n->i, .to = m->from, .term = m->term, .index = m->index};
    sim_send(s, r);
}

void raft_message(struct sim *s, struct sim_node *n, const struct sim_msg *m)
{
    switch ((int)m->type) {
    case MSG_PING: {
        bool leads = n->role == ROLE_LEADER;
        struct sim_msg r = {.type = MSG_PONG, .from = n->i, .to = m->from, .term = n->term, .a = m->a};
        r.index = n->commit;
        r.place = n->leader;
        r.b = UINT64_MAX;
        uint64_t base = leads ? raft_lease_base(s, n) : 0;
        bool both_ways = s->now - n->contact[m->from] < SIM_DETECT_US;
        if (base && both_ways && lease_may_grant(n->ready, n->declaring[m->from])) {
            r.b = s->now - base;
            n->renewed[m->from] = s->now;
        }
        sim_send(s, r);
        break;
    }
    case MSG_PONG:
        lease_pong(s, n, m);
        break;
    case MSG_BEAT:
        if (follow(s, n, m)) {
            if (m->index >= n->last_index) {
                n->last_index = m->index; /* the entries come along */
                n->last_term = s->terms[m->index];
                n->tent = NULL;
            }
            know_commit(s, n, m->index);
        }
        break;
    case MSG_NACK:
        if (m->term > n->term && n->role == ROLE_LEADER)
            step_down(s, n, m->term);
        break;
    case MSG_VOTE:
        on_vote(s, n, m);
        break;
    case MSG_VOTED:
        if (n->ask_term && m->term == n->ask_term) {
            n->votes |= 1u << m->from;
            if (bits(n->votes) > s->n / 2)
                lead(s, n);
        }
        break;
    case MSG_APPEND:
        on_append(s, n, m);
        break;
    case MSG_STORED:
        if (n->role == ROLE_LEADER && m->term == n->term && n->inflight && m->index == n->inflight_index) {
            n->acks |= 1u << m->from;
            if (bits(n->acks) > s->n / 2)
                committed(s, n);
        }
        break;
    case MSG_FORWARD:
        if (n->role == ROLE_LEADER && n->n_queue < sizeof n->queue / sizeof n->queue[0]) {
            n->queue[n->n_queue++] = *(const struct sim_item *)m->p;
            next_entry(s, n);
        }
        break;
    default:
        break;
    }
}

uint64_t raft_lease_base(const struct sim *s, const struct sim_node *n)
{
    if (n->role != ROLE_LEADER || !n->ready)
        return n->base;
    uint64_t sent[SIM_NODES_MAX];
    memcpy(sent, n->answered, sizeof sent);
    sent[n->i] = s->now;
    uint64_t b = lease_majority_base(sent, s->n);
    return b > n->base ? b : n->base;
}

void raft_turn(struct sim *s, struct sim_node *n)
{
    if (n->role == ROLE_LEADER) {
        if (s->now - n->beat_at >= BEAT_US) {
            struct sim_msg m = {.type = MSG_BEAT, .term = n->term, .index = n->commit};
            n->beat_at = s->now;
            send_others(s, n, m);
            if (n->inflight)
                append_out(s, n);
        }
        uint64_t since = n->leading_since, sent[SIM_NODES_MAX];
        memcpy(sent, n->answered, sizeof sent);
        sent[n->i] = s->now;
        uint64_t b = lease_majority_base(sent, s->n);
        if (s->now - (b > since ? b : since) > 2 * ELECTION_MIN)
            step_down(s, n, n->term);
    } else if (s->now >= n->election_at) {
        ask(s, n);
    }
    if (n->props && s->now - n->sent_at > RESEND_US)
        send_all(s, n);
}

/* ---- applying */

static void on_event(void *ctx, uint64_t index, const struct core_event *ev)
{
    struct hook *h = ctx;
    (void)index;
    owner_event(h->s, h->n, ev);
}

static void answer(struct sim *s, struct sim_node *n, const struct sim_item *it, const struct core_answer *a)
{
    struct sim_prop *p = n->props;
    if (a->skipped || it->node != n->i || it->incarnation != n->incarnation)
        return;
    if (!p || p->item.seq != it->seq) {
        sim_fail(s, "%s: command %llu is answered out of turn", n->name, (unsigned long long)it->seq);
        return;
    }
    n->props = p->next;
    if (!n->props)
        n->props_tail = NULL;
    owner_answer(s, n, p, a);
}

void raft_apply(struct sim *s, struct sim_node *n)
{
    uint64_t index = core_applied_index(n->c) + 1;
    n->applying = false;
    if (index > n->commit)
        return;
    const struct sim_entry *e = s->log[index];
    struct core_item items[24];
    struct core_answer *answers[24];
    for (unsigned i = 0; i < e->n; i++) {
        const struct sim_item *it = &e->items[i];
        items[i] = (struct core_item){it->origin, it->incarnation, it->seq, it->data, it->len};
    }
    s->applied_total++;
    if (core_apply(n->c, index, e->term, items, e->n, answers) != 0) {
        sim_fail(s, "%s: entry %llu cannot be applied", n->name, (unsigned long long)index);
        return;
    }
    for (unsigned i = 0; i < e->n && index > s->checked; i++)
        check_item(s, &e->items[i], answers[i]);
    check_entry(s, n, index, sim_store_hash(n->st));
    n->core_us = core_now_us(n->c);
    n->core_mono = s->now;
    for (unsigned i = 0; i < e->n; i++)
        answer(s, n, &e->items[i], answers[i]);
    core_apply_done(n->c);
    if (n->role == ROLE_LEADER && n->barrier && index >= n->barrier && !n->ready) {
        n->ready = true;
        sim_say(s, "%s is ready to lead", n->name);
    }
    /* first what is lost is let go, then the lease may be younger for it */
    address_release(s, n);
    owner_applied(s, n);
    lease_applied(s, n);
    know_commit(s, n, n->commit);
}
