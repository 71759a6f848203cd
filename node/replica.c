#include "node/replica.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/log.h"
#include "node/address.h"
#include "node/blobnet.h"
#include "node/call.h"
#include "node/drain.h"
#include "node/ident.h"
#include "node/lease.h"
#include "node/uploaded.h"
#include "storage/storage.h"

#define REPLICA_CHECK_MS 100u
#define REPLICA_PEERS_MAX 64u
#define REPLICA_WATCH_MS 10u
#define REPLICA_CLOCK_WAIT_US 1000000u

struct node_replica {
    struct node *n;
    uv_timer_t check; /* every REPLICA_CHECK_MS */
    uv_timer_t due;   /* leader: when the replicated state wants a Tick */
    uv_timer_t watch; /* leader: when a node may be declared down that may not be yet */
    bool leader_ready, announced, announcing, initialising, tick_pending, raising;
    bool clock_pending, clock_warned;
    uint64_t clock_told_us;         /* monotonic: when a clock far ahead was first told; 0: never */
    uint64_t core_us, core_mono_us; /* the replicated clock when it was last moved, and the monotonic one then */
    struct map dead;                /* peer id -> newest incarnation that is known dead */
    struct map declaring;           /* peer name -> non-NULL while its NodeDown is on its way */
    struct verify *verify;
};

bool replica_announced(const struct node *n)
{
    return n->replica && n->replica->announced;
}

struct verify *replica_verifier(struct node *n)
{
    return n->replica ? n->replica->verify : NULL;
}

bool replica_leader_ready(const struct node *n)
{
    return n->replica && n->replica->leader_ready;
}

bool node_fit(struct node *n)
{
    return replica_announced(n) && n->ua && node_may_act(n);
}

int node_refusal(struct node *n, const char **why)
{
    *why = NULL;
    if (n->stopping || n->leaving)
        *why = "this node is stopping";
    else if (!replica_announced(n) || !n->ua)
        *why = "this node is starting";
    else if (!node_may_act(n))
        *why = "this node is cut off from the majority";
    else if (drain_active(n))
        *why = "this node is draining";
    else if (!address_any(n))
        *why = "this node's addresses are at other nodes";
    else {
        struct repl_status s;
        repl_get_status(n->repl, &s);
        if (s.pending > REPL_PENDING_MAX / 4 * 3)
            *why = "too many commands wait to be committed";
    }
    return *why ? 5 : 0;
}

/* ---- events of core */

/* A node that has something to do now hears of the commit at once, whoever proposed it. */
static void replica_tell(struct node *n, const struct core_event *ev)
{
    if (ev->type == CORE_EV_NODE || ev->type == CORE_EV_ADDRESS || ev->type == CORE_EV_CONFIG ||
        ev->type == CORE_EV_REGISTRATION) {
        repl_tell(n->repl, 0);
        return;
    }
    const struct core_call *s = ev->type == CORE_EV_CALL ? core_call(n->core, ev->call_id) : NULL;
    if (!s || strcmp(s->owner, n->cfg.name) == 0)
        return;
    const struct core_node *owner = core_node(n->core, s->owner);
    if (owner)
        repl_tell(n->repl, owner->node_id);
}

static void replica_on_event(void *ctx, uint64_t index, const struct core_event *ev)
{
    struct node *n = ctx;
    (void)index;
    if (n->replica->leader_ready)
        replica_tell(n, ev);
    switch (ev->type) {
    case CORE_EV_ADDRESS:
        address_look_again(n);
        break;
    case CORE_EV_CALL:
        if (n->calls)
            calls_changed(n->calls, ev->call_id);
        break;
    case CORE_EV_DIGEST:
        verify_on_mark(n->replica->verify, ev->name);
        break;
    case CORE_EV_NODE:
        address_look_again(n);
        if (n->calls)
            calls_node_changed(n->calls, ev->name);
        if (strcmp(ev->name, n->cfg.name) == 0) {
            const struct core_node *me = core_node(n->core, n->cfg.name);
            if (me && !me->up && me->incarnation == repl_incarnation(n->repl))
                n->replica->announced = n->leaving; /* declared down while alive: announce again */
        }
        break;
    case CORE_EV_CONFIG:
        if (strcmp(ev->kind, "prompt") == 0 || strcmp(ev->kind, "parameter") == 0)
            uploaded_changed(n);
        else if (strcmp(ev->kind, "flow") == 0 && n->calls && n->replica->leader_ready)
            calls_flow_changed(n->calls, ev->name); /* one node for all: the others get the sounds */
        break;
    case CORE_EV_AGENT:
    case CORE_EV_QUEUE:
    case CORE_EV_REGISTRATION:
    case CORE_EV_CDR:
        break; /* the event stream reads them from the database */
    }
}

/* ---- the clock of the replicated state */

static void replica_clock_note(struct node *n)
{
    n->replica->core_us = core_now_us(n->core);
    n->replica->core_mono_us = clock_mono_now().us;
}

/* As the machine's clock does not jump, what has passed since the last command is known: only the rest can be wrong. */
static uint64_t replica_far_ahead(const struct node_replica *r, uint64_t wall)
{
    uint64_t reckoned = r->core_us + (clock_mono_now().us - r->core_mono_us);
    return r->core_us && wall > reckoned + CORE_CLOCK_STEP_US / 2u ? wall - reckoned : 0;
}

uint64_t node_time_us(const struct node *n)
{
    uint64_t wall = clock_wall_now().us;
    const struct node_replica *r = n->replica;
    if (!r || !r->core_mono_us)
        return wall;
    uint64_t passed = clock_mono_now().us - r->core_mono_us;
    if (replica_far_ahead(r, wall))
        return r->core_us + passed;
    uint64_t replicated = r->core_us + passed - passed / 16;
    return replicated > wall ? replicated : wall;
}

uint64_t node_clock_us(const struct node *n)
{
    uint64_t wall = clock_wall_now().us;
    const struct node_replica *r = n->replica;
    return r && r->core_mono_us && replica_far_ahead(r, wall) ? wall : 0;
}

static void replica_clock_told(void *ctx, int status, const struct core_answer *a)
{
    struct node *n = ctx;
    (void)status;
    (void)a;
    n->replica->clock_pending = false;
}

/* A clock far ahead is told at once, not with the next call only: when all nodes see it (they were off, or without a majority) the
 * cluster's clock follows, when this one alone does it stays. */
static void replica_tell_clock(struct node *n)
{
    struct node_replica *r = n->replica;
    const struct core_node *me = core_node(n->core, n->cfg.name);
    uint64_t own = node_clock_us(n), reckoned = node_time_us(n);
    uint64_t claim = own ? own : reckoned > r->core_us + CORE_CLOCK_STEP_US ? reckoned : 0;
    if (!claim)
        r->clock_warned = false;
    if (!claim || !me || r->clock_pending || claim < me->clock_us + CORE_CLOCK_STEP_US)
        return;
    if (own && !r->clock_warned) {
        log_warn("node",
                 "this machine's clock is %llu s ahead of the cluster's: not followed unless another node's is as well",
                 (unsigned long long)(replica_far_ahead(r, own) / 1000000u));
        r->clock_warned = true;
    }
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__Tick tick = EV__TICK__INIT;
    cmd.body_case = EV__COMMAND__BODY_TICK;
    cmd.tick = &tick;
    r->clock_pending = node_propose(n, &cmd, 0, replica_clock_told, n) == 0;
    if (!r->clock_told_us)
        r->clock_told_us = clock_mono_now().us;
}

/* All nodes were off: the others get a second to tell the same, so that what begins now begins in time. */
static bool replica_clock_settles(const struct node *n)
{
    const struct node_replica *r = n->replica;
    return r->clock_told_us && node_clock_us(n) && clock_mono_now().us - r->clock_told_us < REPLICA_CLOCK_WAIT_US;
}

static void replica_arm_due(struct node *n);

static void replica_tick_done(void *ctx, int status, const struct core_answer *a)
{
    struct node *n = ctx;
    (void)status;
    (void)a;
    n->replica->tick_pending = false;
    if (!n->stopping)
        replica_arm_due(n);
}

static void replica_due(uv_timer_t *t)
{
    struct node *n = t->data;
    if (!n->replica->leader_ready || n->replica->tick_pending)
        return;
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__Tick tick = EV__TICK__INIT;
    cmd.body_case = EV__COMMAND__BODY_TICK;
    cmd.tick = &tick;
    n->replica->tick_pending = node_propose(n, &cmd, 0, replica_tick_done, n) == 0;
}

static void replica_arm_due(struct node *n)
{
    struct node_replica *r = n->replica;
    uint64_t due = core_next_due_us(n->core), beat = core_now_us(n->core) + CORE_CLOCK_BEAT_US;
    if (!due || due > beat)
        due = beat;
    if (!r->leader_ready || r->tick_pending || !r->core_us) {
        uv_timer_stop(&r->due);
        return;
    }
    uint64_t now = node_time_us(n);
    uv_timer_start(&r->due, replica_due, due > now ? (due - now) / 1000u + 1u : 0, 0);
}

/* ---- state machine of repl */

static int replica_apply(void *ctx, uint64_t index, uint64_t term, const struct repl_item *items, unsigned count,
                         struct repl_outcome *outcomes)
{
    struct node *n = ctx;
    struct core_item *in = calloc(count + 1u, sizeof *in);
    struct core_answer **answers = calloc(count + 1u, sizeof *answers);
    if (!in || !answers) {
        free(in);
        free(answers);
        return ERR_NOMEM;
    }
    for (unsigned i = 0; i < count; i++)
        in[i] = (struct core_item){items[i].origin, items[i].incarnation, items[i].seq, items[i].data, items[i].len};
    int rc = core_apply(n->core, index, term, in, count, answers);
    for (unsigned i = 0; rc == 0 && i < count; i++) {
        outcomes[i].skipped = answers[i]->skipped;
        outcomes[i].answer = answers[i];
    }
    if (rc)
        log_error("node", "entry %llu cannot be applied: %s", (unsigned long long)index, err_text(rc));
    free(in);
    free(answers);
    return rc;
}

static void replica_apply_done(void *ctx, uint64_t index)
{
    struct node *n = ctx;
    replica_clock_note(n);
    core_apply_done(n->core);
    address_reconcile(n);
    drain_reconcile(n);
    if (n->calls)
        calls_reconcile(n->calls);
    uploaded_reconcile(n);
    if (n->api)
        node_api_notify(n, index);
    replica_arm_due(n);
}

static uint64_t replica_applied(void *ctx)
{
    struct node *n = ctx;
    return core_applied_index(n->core);
}

/* An image is made by storage's thread; its result comes back through the core thread. */
struct replica_image {
    struct node *n;
    repl_image_cb *cb;
    void *arg;
    struct node_posted post;
    int status;
    struct repl_image image;
};

static void replica_image_post(struct node *n, void *ctx)
{
    struct replica_image *i = ctx;
    (void)n;
    i->cb(i->arg, i->status, i->status ? NULL : &i->image);
    free(i);
}

static void replica_image_done(void *arg, int status, const struct storage_image *image)
{
    struct replica_image *i = arg;
    i->status = status;
    if (status == 0) {
        i->image.index = image->index;
        i->image.bytes = image->bytes;
        memcpy(i->image.sha256, image->sha256, sizeof i->image.sha256);
        snprintf(i->image.path, sizeof i->image.path, "%s", image->path);
    }
    node_post_lend(i->n, &i->post, replica_image_post, i); /* replication waits for this answer */
}

static int replica_snapshot_take(void *ctx, const char *dir, repl_image_cb *cb, void *arg)
{
    struct node *n = ctx;
    struct replica_image *i = calloc(1, sizeof *i);
    if (!i)
        return ERR_NOMEM;
    *i = (struct replica_image){.n = n, .cb = cb, .arg = arg};
    int rc = storage_image_begin(n->st, dir, replica_image_done, i);
    if (rc)
        free(i);
    return rc;
}

/* In a worker thread, so that the core thread goes on serving calls meanwhile. */
static int replica_snapshot_prepare(void *ctx, const struct repl_image *image)
{
    const struct node *n = ctx;
    struct err_info info = {0};
    int rc = storage_image_prepare(n->st, image->path, &info);
    if (rc)
        log_warn("node", "snapshot at index %llu cannot be prepared: %s", (unsigned long long)image->index, info.text);
    return rc;
}

static int replica_snapshot_install(void *ctx, const struct repl_image *image)
{
    struct node *n = ctx;
    struct err_info info = {0};
    int rc = storage_install(n->st, image->path, &info);
    if (rc == 0)
        rc = core_reload(n->core, &info);
    if (rc) {
        log_error("node", "snapshot at index %llu cannot be installed: %s", (unsigned long long)image->index,
                  info.text);
        return rc;
    }
    replica_clock_note(n);
    log_notice("node", "state replaced by the snapshot at index %llu", (unsigned long long)image->index);
    address_look_again(n);
    address_reconcile(n);
    drain_reconcile(n);
    if (n->calls)
        calls_reload(n->calls);
    uploaded_changed(n);
    uploaded_reconcile(n);
    replica_arm_due(n);
    return 0;
}

static void replica_watch(struct node *n);

/* Up to this incarnation its processes are dead. Up: all that came before the one that greeted, and no more. */
static void replica_note_dead(struct node_replica *r, uint64_t id, bool up, uint64_t dead)
{
    if (dead && map_set_u64(&r->dead, id, (void *)(uintptr_t)dead))
        log_warn("node", "out of memory");
    else if (!dead && up)
        (void)map_del_u64(&r->dead, id);
}

static void replica_peer_up(void *ctx, uint64_t id, bool up, bool refused, uint64_t dead)
{
    struct node *n = ctx;
    struct repl_peer_info peers[REPLICA_PEERS_MAX];
    size_t count = repl_peers(n->repl, peers, REPLICA_PEERS_MAX);
    replica_note_dead(n->replica, id, up, dead);
    for (size_t i = 0; i < count && i < REPLICA_PEERS_MAX; i++) {
        if (peers[i].id != id)
            continue;
        bool never_up = !core_node(n->core, peers[i].name); /* added, and not started yet */
        log_notice("node", "node %s is %s", peers[i].name,
                   up         ? "connected"
                   : never_up ? "not running yet"
                   : refused  ? "dead: it refuses connections"
                              : "not reachable");
    }
    replica_watch(n);
}

static void replica_peer_silent(void *ctx, uint64_t id, bool silent)
{
    struct node *n = ctx;
    (void)id;
    if (silent)
        replica_watch(n);
}

static void replica_state_changed(void *ctx, bool leader_ready)
{
    struct node *n = ctx;
    if (leader_ready != n->replica->leader_ready)
        log_notice("node", leader_ready ? "this node leads" : "this node no longer leads");
    n->replica->leader_ready = leader_ready;
    replica_arm_due(n);
    replica_watch(n);
}

static void replica_fatal(void *ctx, int err, const char *text)
{
    struct node *n = ctx;
    log_error("node", "cannot go on: %s (%s)", text, err_text(err));
    n->removed = err == ERR_NOTFOUND;
    node_stop(n, 3);
}

/* ---- announcing, founding, watching */

static void replica_announce_done(void *ctx, int status, const struct core_answer *a)
{
    struct node *n = ctx;
    n->replica->announcing = false;
    if (status || a->code) {
        log_info("node", "start not announced yet: %s", status ? err_text(status) : a->text);
        return;
    }
    n->replica->announced = true;
    log_notice("node", "announced to the cluster");
}

static void replica_announce(struct node *n)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__NodeUp up = EV__NODE_UP__INIT;
    char *sip[NODE_ADDRESSES_MAX], *service[NODE_SERVICE_MAX];
    for (unsigned i = 0; i < n->cfg.n_sip; i++)
        sip[i] = n->cfg.sip[i].text;
    for (unsigned i = 0; i < n->cfg.n_service; i++)
        service[i] = n->cfg.service_ip[i];
    cmd.body_case = EV__COMMAND__BODY_NODE_UP;
    cmd.node_up = &up;
    up.name = n->cfg.name;
    up.node_id = repl_id(n->repl);
    up.incarnation = repl_incarnation(n->repl);
    up.site = n->cfg.site;
    up.sip = sip;
    up.n_sip = n->cfg.n_sip;
    up.service_ip = service;
    up.n_service_ip = n->cfg.n_service;
    up.https = n->cfg.https.text;
    up.peer = n->cfg.peer.text;
    up.version = (char *)(uintptr_t)EVERLINE_VERSION;
    up.max_feature_level = CORE_FEATURE_LEVEL;
    n->replica->announcing = node_propose(n, &cmd, 0, replica_announce_done, n) == 0;
}

static void replica_init_done(void *ctx, int status, const struct core_answer *a)
{
    struct node *n = ctx;
    n->replica->initialising = false;
    if (status == 0 && a->code == 0)
        log_notice("node", "new cluster founded");
}

static void replica_found(struct node *n)
{
    uint8_t raw[80];
    if (RAND_bytes(raw, sizeof raw) != 1) {
        replica_fatal(n, ERR_IO, "no random numbers");
        return;
    }
    char id[33];
    for (unsigned i = 0; i < 16; i++)
        snprintf(id + 2 * i, 3, "%02x", raw[64 + i]);
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__ClusterInit init = EV__CLUSTER_INIT__INIT;
    cmd.body_case = EV__COMMAND__BODY_CLUSTER_INIT;
    cmd.cluster_init = &init;
    init.cluster_id = id;
    init.nonce_key = (ProtobufCBinaryData){32, raw};
    init.identifier_key = (ProtobufCBinaryData){32, raw + 32};
    n->replica->initialising = node_propose(n, &cmd, 0, replica_init_done, n) == 0;
    OPENSSL_cleanse(raw, sizeof raw);
}

struct replica_declared {
    struct node *n;
    uint64_t id;
    char name[NODE_NAME_MAX + 1];
};

static void replica_declare_done(void *ctx, int status, const struct core_answer *a)
{
    struct replica_declared *d = ctx;
    struct node_replica *r = d->n->replica;
    if (status)
        log_warn("node", "node %s is not declared down yet: %s", d->name, err_text(status));
    else if (a->code)
        log_info("node", "node %s is not declared down: %s", d->name, a->text);
    if (r)
        map_del(&r->declaring, d->name);
    if (!d->n->stopping)
        repl_unfence(d->n->repl, d->id);
    free(d);
}

static struct replica_declared *replica_declared_new(struct node *n, const struct core_node *node)
{
    struct replica_declared *d = calloc(1, sizeof *d);
    if (!d || map_set(&n->replica->declaring, node->name, n)) {
        log_warn("node", "out of memory");
        free(d);
        return NULL;
    }
    *d = (struct replica_declared){.n = n, .id = node->node_id};
    snprintf(d->name, sizeof d->name, "%s", node->name);
    return d;
}

static void replica_declare(struct node *n, Ev__Command *cmd, struct replica_declared *d)
{
    int rc = node_propose(n, cmd, 0, replica_declare_done, d);
    if (rc)
        replica_declare_done(d, rc, NULL);
}

static void replica_declare_down(struct node *n, const struct core_node *node, const char *why)
{
    struct replica_declared *d = replica_declared_new(n, node);
    struct repl_status s;
    if (!d) {
        repl_unfence(n->repl, node->node_id);
        return;
    }
    repl_get_status(n->repl, &s);
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__NodeDown down = EV__NODE_DOWN__INIT;
    cmd.body_case = EV__COMMAND__BODY_NODE_DOWN;
    cmd.node_down = &down;
    down.name = (char *)(uintptr_t)node->name;
    down.incarnation = node->incarnation;
    down.why = (char *)(uintptr_t)why;
    down.term = s.term;
    log_notice("node", "declares node %s down: %s", node->name, why);
    replica_declare(n, &cmd, d);
}

static void replica_forget(struct node *n, const struct core_node *node)
{
    struct replica_declared *d = replica_declared_new(n, node);
    if (!d)
        return;
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__NodeForget forget = EV__NODE_FORGET__INIT;
    cmd.body_case = EV__COMMAND__BODY_NODE_FORGET;
    cmd.node_forget = &forget;
    forget.name = (char *)(uintptr_t)node->name;
    replica_declare(n, &cmd, d);
}

static const struct repl_peer_info *replica_find(const struct repl_peer_info *peers, size_t count, const char *name)
{
    for (size_t i = 0; i < count && i < REPLICA_PEERS_MAX; i++)
        if (strcmp(peers[i].name, name) == 0)
            return &peers[i];
    return NULL;
}

static void replica_watch_timer(uv_timer_t *t)
{
    replica_watch(t->data);
}

/* As leader: nodes that died, fell silent, or are no longer members. Nobody is declared down while a lease that it got may still
 * hold: repl_fence knows. That a process is dead is true whatever a new leader has still to apply, so that is proposed with the first
 * entry of its term; but not of a node that has come anew under its old name since, which the configuration, newer than the state, says. */
static void replica_watch(struct node *n)
{
    struct node_replica *r = n->replica;
    struct repl_peer_info peers[REPLICA_PEERS_MAX];
    struct repl_status s;
    if (n->stopping || !n->repl)
        return;
    repl_get_status(n->repl, &s);
    if (s.state != REPL_LEADER)
        return;
    size_t count = repl_peers(n->repl, peers, REPLICA_PEERS_MAX);
    for (const struct core_node *c = NULL; (c = core_node_next(n->core, c));) {
        if (strcmp(c->name, n->cfg.name) == 0 || map_get(&r->declaring, c->name))
            continue;
        const struct repl_peer_info *p = replica_find(peers, count, c->name);
        if (!p && !c->up && r->leader_ready) {
            replica_forget(n, c);
            return;
        }
        /* a later process may be there already: then the calls of the one that died do not wait until it has started */
        uintptr_t known = (uintptr_t)map_get_u64(&r->dead, c->node_id);
        bool dead = known && known >= c->incarnation;
        if (!c->up || (p && p->up && !p->silent && !dead) || !(r->leader_ready || (dead && p && p->id == c->node_id)))
            continue;
        if (repl_fence(n->repl, c->node_id, dead))
            replica_declare_down(n, c, dead ? "its process is dead" : p ? "not reachable" : "no longer a member");
        else if (!uv_is_active((uv_handle_t *)&r->watch))
            uv_timer_start(&r->watch, replica_watch_timer, REPLICA_WATCH_MS, 0);
    }
}

static void replica_raised(void *ctx, int status, const struct core_answer *a)
{
    struct node *n = ctx;
    n->replica->raising = false;
    if (status == 0 && a->code == 0)
        log_notice("node", "all nodes know feature level %u: it holds from now on", core_feature_level(n->core));
}

/* As leader: what every member can do is done from now on. */
static void replica_raise(struct node *n)
{
    uint32_t level = core_feature_common(n->core);
    if (n->replica->raising || !n->replica->announced || level <= core_feature_level(n->core))
        return;
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__FeatureLevel raise = EV__FEATURE_LEVEL__INIT;
    raise.level = level;
    cmd.body_case = EV__COMMAND__BODY_FEATURE;
    cmd.feature = &raise;
    n->replica->raising = node_propose(n, &cmd, 0, replica_raised, n) == 0;
}

static void replica_check(uv_timer_t *t)
{
    struct node *n = t->data;
    struct node_replica *r = n->replica;
    int rc = storage_flush(n->st);
    if (rc)
        replica_fatal(n, rc, "the state cannot be written");
    if (n->stopping)
        return;
    uint8_t a[32], b[32];
    char id[33];
    bool secrets = core_secrets(n->core, a, b, id);
    if (r->leader_ready && !secrets && !r->initialising)
        replica_found(n);
    if (secrets && repl_id(n->repl) != 0)
        replica_tell_clock(n);
    if (secrets && !r->announced && !r->announcing && !n->leaving && repl_id(n->repl) != 0 && !replica_clock_settles(n))
        replica_announce(n);
    if (r->leader_ready) {
        replica_watch(n);
        replica_raise(n);
    }
    uploaded_reconcile(n); /* what could not be begun then */
}

/* ---- messages between daemons */

static void replica_message(void *ctx, uint64_t peer, const void *data, size_t len)
{
    struct node *n = ctx;
    if (blobnet_message(n, peer, data, len))
        return;
    json_t *msg = json_loadb(data, len, 0, NULL);
    const char *type = json_string_value(json_object_get(msg, "type"));
    if (type && strcmp(type, "digest") == 0) {
        verify_on_report(n->replica->verify, peer, msg);
    } else if (type && strcmp(type, "hangup") == 0) {
        uint64_t id = 0;
        const char *text = json_string_value(json_object_get(msg, "call_id"));
        if (text && ident_parse(text, &id) == 0 && n->calls && calls_hang_up(n->calls, id))
            log_info("node", "call %s to be ended is not here", text);
    } else {
        log_warn("node", "message of unknown type from node %llu", (unsigned long long)peer);
    }
    json_decref(msg);
}

int replica_hangup(struct node *n, uint64_t call_id)
{
    const struct core_call *s = core_call(n->core, call_id);
    if (!s)
        return ERR_NOTFOUND;
    if (strcmp(s->owner, n->cfg.name) == 0)
        return calls_hang_up(n->calls, call_id);
    const struct core_node *owner = core_node(n->core, s->owner);
    if (!owner)
        return ERR_NOTFOUND;
    char id[17];
    json_t *msg = json_pack("{s:s,s:s}", "type", "hangup", "call_id", ident_text(call_id, id));
    char *text = msg ? json_dumps(msg, JSON_COMPACT) : NULL;
    json_decref(msg);
    if (!text)
        return ERR_NOMEM;
    int rc = repl_send(n->repl, owner->node_id, text, strlen(text));
    free(text);
    return rc;
}

/* ---- start and end */

static int replica_open_state(struct node *n, struct err_info *info)
{
    struct core_hooks hooks = {.ctx = n, .on_event = replica_on_event};
    for (int attempt = 0;; attempt++) {
        int rc = storage_open(n->cfg.data, &n->st, info);
        if (rc == 0) {
            rc = core_open(n->st, &hooks, &n->core, info);
            if (rc == 0)
                return 0;
            storage_close(n->st);
            n->st = NULL;
        }
        if (rc != ERR_CORRUPT || attempt > 0)
            return rc;
        log_error("node", "database fails its check (%s): thrown away, rebuilt from snapshot and log", info->text);
        rc = storage_discard(n->cfg.data, info);
        if (rc)
            return rc;
    }
}

int replica_start(struct node *n, bool bootstrap, struct err_info *info)
{
    struct node_replica *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NOMEM;
    r->n = n;
    map_init(&r->dead);
    map_init(&r->declaring);
    n->replica = r;
    uv_timer_init(&n->loop, &r->check);
    uv_timer_init(&n->loop, &r->due);
    uv_timer_init(&n->loop, &r->watch);
    r->check.data = r->due.data = r->watch.data = n;
    r->verify = verify_new(n);
    if (!r->verify)
        return ERR_NOMEM;
    int rc = replica_open_state(n, info);
    if (rc)
        return rc;
    storage_set_grouping(n->st, true); /* replica_check flushes */
    replica_clock_note(n);
    char dir[STORAGE_PATH_MAX];
    snprintf(dir, sizeof dir, "%s/log", n->cfg.data);
    struct repl_config cfg = {
        .name = n->cfg.name,
        .dir = dir,
        .listen = n->cfg.peer.text,
        .ca_file = n->cfg.tls_ca,
        .cert_file = n->cfg.tls_cert,
        .key_file = n->cfg.tls_key,
        .join = n->cfg.join.port ? n->cfg.join.text : NULL,
        .bootstrap = bootstrap,
        .detect_ms = n->cfg.detect_ms,
        .snapshot_threshold = n->cfg.snapshot_entries,
        .snapshot_trailing = n->cfg.snapshot_entries / 4,
    };
    struct repl_handler handler = {
        .ctx = n,
        .apply = replica_apply,
        .apply_done = replica_apply_done,
        .applied_index = replica_applied,
        .snapshot_take = replica_snapshot_take,
        .snapshot_prepare = replica_snapshot_prepare,
        .snapshot_install = replica_snapshot_install,
        .peer_up = replica_peer_up,
        .peer_silent = replica_peer_silent,
        .state_changed = replica_state_changed,
        .fatal = replica_fatal,
    };
    rc = repl_start(&n->loop, &cfg, &handler, &n->repl, info);
    if (rc)
        return rc;
    repl_set_message_handler(n->repl, replica_message);
    uv_timer_start(&r->check, replica_check, 0, REPLICA_CHECK_MS);
    return 0;
}

void replica_close(struct node *n)
{
    struct node_replica *r = n->replica;
    if (!r)
        return;
    uv_close((uv_handle_t *)&r->check, NULL);
    uv_close((uv_handle_t *)&r->due, NULL);
    uv_close((uv_handle_t *)&r->watch, NULL);
    uv_run(&n->loop, UV_RUN_NOWAIT); /* the timers' memory may go once they are closed */
    verify_free(r->verify);
    map_free(&r->dead);
    map_free(&r->declaring);
    core_close(n->core);
    storage_close(n->st);
    n->core = NULL;
    n->st = NULL;
    n->replica = NULL;
    free(r);
}
