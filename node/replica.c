#include "node/replica_int.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/log.h"
#include "node/address.h"
#include "node/blobnet.h"
#include "node/call.h"
#include "node/deliver.h"
#include "node/drain.h"
#include "node/ident.h"
#include "node/lease.h"
#include "node/recordings.h"
#include "node/uploaded.h"
#include "node/watch.h"
#include "storage/storage.h"

#define REPLICA_CHECK_MS 100u

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
        ev->type == CORE_EV_REGISTRATION || ev->type == CORE_EV_SUBSCRIPTION || ev->type == CORE_EV_TELEPHONE ||
        ev->type == CORE_EV_BOX || ev->type == CORE_EV_DELIVERY) {
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
    watch_event(n, ev);
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
        else if (strcmp(ev->kind, "notice") == 0 && n->calls && n->replica->leader_ready)
            calls_notice_changed(n->calls, ev->name);
        break;
    case CORE_EV_MESSAGE:
        recordings_changed(n, ev->call_id);
        if (ev->name[0])
            uploaded_message(n, ev->name);
        break;
    case CORE_EV_DELIVERY:
        deliver_changed(n);
        break;
    case CORE_EV_AGENT:
    case CORE_EV_REGISTRATION:
    case CORE_EV_SUBSCRIPTION:
    case CORE_EV_TELEPHONE:
    case CORE_EV_BOX:
    case CORE_EV_QUEUE:
    case CORE_EV_CDR:
        break; /* the event stream reads them from the database */
    }
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
    watch_reload(n);
    uploaded_changed(n);
    uploaded_reconcile(n);
    replica_arm_due(n);
    return 0;
}

/* Up to this incarnation its processes are dead. Up: all that came before the one that greeted, and no more. */
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
    if (blobnet_message(n, peer, data, len) || recordings_message(n, peer, data, len))
        return;
    json_t *msg = json_loadb(data, len, 0, NULL);
    const char *type = json_string_value(json_object_get(msg, "type"));
    if (type && strcmp(type, "digest") == 0) {
        verify_on_report(n->replica->verify, peer, msg);
    } else {
        log_warn("node", "message of unknown type from node %llu", (unsigned long long)peer);
    }
    json_decref(msg);
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
        .election_ms = n->cfg.detect_ms,
        .quick_death = true,
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
