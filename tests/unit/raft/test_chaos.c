/* Three real nodes (replication, core, storage) in one process, under load, with stops and starts from disk, databases
 * thrown away, connections cut, leadership handed over, and snapshots every few entries. At the end: the same tables on
 * all, what was acknowledged is there, nothing is there twice. Seeded: CHAOS_SEED repeats a run, CHAOS_STEPS lengthens it. */
#include <pthread.h>
#include <sqlite3.h>

#include "core/core.h"
#include "core/view.h"
#include "storage/storage.h"
#include "tests/unit/raft/fixture.h"
#include "tests/unit/suite.h"

enum { NODES = 3, STEPS = 240, REQS = 20000, THRESHOLD = 48, TRAILING = 16 };

enum kind { CONFIG, START, END, OTHER };

struct op {
    struct repl_req req;
    enum kind kind;
    unsigned node;
    uint64_t id;
    unsigned done;
    int status, code;
    bool ended; /* START: its END was proposed */
};

struct image {
    pthread_mutex_t lock;
    uv_async_t wake;
    repl_image_cb *cb;
    void *arg;
    int status;
    struct repl_image image;
};

struct node {
    struct fx_node *fx;
    struct storage *st;
    struct core *c;
    struct image image;
    unsigned up, installs, takes;
};

static struct fx *fx;
static struct node nodes[NODES];
static struct op *ops;
static unsigned n_ops;
static uint64_t rng;

static unsigned rnd(unsigned n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (unsigned)(rng >> 33) % n;
}

/* ---- state machine: core and storage, as the daemon has them */

static int on_apply(void *ctx, uint64_t index, uint64_t term, const struct repl_item *items, unsigned n,
                    struct repl_outcome *outcomes)
{
    struct node *node = ctx;
    struct core_item *in = calloc(n, sizeof *in);
    struct core_answer **answers = calloc(n, sizeof *answers);
    for (unsigned i = 0; i < n; i++)
        in[i] = (struct core_item){items[i].origin, items[i].incarnation, items[i].seq, items[i].data, items[i].len};
    int rc = core_apply(node->c, index, term, in, n, answers);
    for (unsigned i = 0; !rc && i < n; i++) {
        outcomes[i].skipped = answers[i]->skipped;
        outcomes[i].answer = answers[i];
    }
    free(in);
    free(answers);
    return rc;
}

static void on_apply_done(void *ctx, uint64_t index)
{
    (void)index;
    core_apply_done(((struct node *)ctx)->c);
}

static uint64_t on_applied(void *ctx)
{
    return core_applied_index(((struct node *)ctx)->c);
}

static void image_wake(uv_async_t *a)
{
    struct image *i = a->data;
    (void)pthread_mutex_lock(&i->lock);
    repl_image_cb *cb = i->cb;
    int status = i->status;
    i->cb = NULL;
    (void)pthread_mutex_unlock(&i->lock);
    if (cb)
        cb(i->arg, status, status ? NULL : &i->image);
}

static void image_done(void *arg, int status, const struct storage_image *image)
{
    struct node *n = arg;
    (void)pthread_mutex_lock(&n->image.lock);
    n->image.status = status;
    if (!status) {
        n->image.image.index = image->index;
        n->image.image.bytes = image->bytes;
        memcpy(n->image.image.sha256, image->sha256, 32);
        snprintf(n->image.image.path, sizeof n->image.image.path, "%s", image->path);
    }
    (void)pthread_mutex_unlock(&n->image.lock);
    uv_async_send(&n->image.wake);
}

static int on_take(void *ctx, const char *dir, repl_image_cb *cb, void *arg)
{
    struct node *n = ctx;
    (void)pthread_mutex_lock(&n->image.lock);
    n->image.cb = cb;
    n->image.arg = arg;
    (void)pthread_mutex_unlock(&n->image.lock);
    int rc = storage_image_begin(n->st, dir, image_done, n);
    if (rc)
        n->image.cb = NULL;
    n->takes += !rc;
    return rc;
}

static int on_install(void *ctx, const struct repl_image *image)
{
    struct node *n = ctx;
    struct err_info info = {0};
    n->installs++;
    int rc = storage_install(n->st, image->path, &info);
    return rc ? rc : core_reload(n->c, &info);
}

static void on_state(void *ctx, bool leader_ready)
{
    ((struct node *)ctx)->fx->leader_ready = leader_ready;
}

static void on_fatal(void *ctx, int err, const char *text)
{
    ck_abort_msg("%s: %d %s (seed in the first line)", ((struct node *)ctx)->fx->name, err, text);
}

/* ---- life of a node */

static void data_dir(const struct node *n, char out[320])
{
    snprintf(out, 320, "%s-state", n->fx->dir);
}

static void node_start(unsigned i, bool bootstrap)
{
    struct node *n = &nodes[i];
    struct err_info info = {0};
    char dir[320];
    data_dir(n, dir);
    int rc = storage_open(dir, &n->st, &info);
    ck_assert_msg(rc == 0, "%s", info.text);
    rc = core_open(n->st, NULL, &n->c, &info);
    ck_assert_msg(rc == 0, "%s", info.text);
    struct repl_config cfg = {.name = n->fx->name,
                              .dir = n->fx->dir,
                              .listen = n->fx->listen,
                              .ca_file = fx->ca,
                              .cert_file = n->fx->cert,
                              .key_file = n->fx->key,
                              .join = i ? nodes[0].fx->listen : NULL,
                              .bootstrap = bootstrap,
                              .snapshot_threshold = THRESHOLD,
                              .snapshot_trailing = TRAILING};
    struct repl_handler h = {.ctx = n,
                             .apply = on_apply,
                             .apply_done = on_apply_done,
                             .applied_index = on_applied,
                             .snapshot_take = on_take,
                             .snapshot_install = on_install,
                             .state_changed = on_state,
                             .fatal = on_fatal};
    n->fx->leader_ready = false;
    n->fx->stopped = 0;
    rc = repl_start(&fx->loop, &cfg, &h, &n->fx->repl, &info);
    ck_assert_msg(rc == 0, "%s: %s", n->fx->name, info.text);
    n->up = 1;
}

static void node_stop(unsigned i)
{
    struct node *n = &nodes[i];
    fx_stop(fx, i);
    core_close(n->c);
    storage_close(n->st);
    n->c = NULL;
    n->st = NULL;
    n->up = 0;
}

static void turn(unsigned times)
{
    while (times--)
        fx_turn(fx);
}

/* ---- commands */

static void op_done(struct repl_req *req, int status, const void *answer)
{
    struct op *o = (struct op *)req;
    o->done++;
    o->status = status;
    o->code = answer ? ((const struct core_answer *)answer)->code : 0;
}

static struct op *propose(unsigned node, enum kind kind, uint64_t id, Ev__Command *cmd)
{
    void *data;
    size_t len;
    ck_assert_uint_lt(n_ops, REQS);
    struct op *o = &ops[n_ops];
    /* clocks that differ by seconds and step */
    cmd->time_us = 1700000000000000ull + n_ops * 1000ull + rnd(5000000);
    cmd->node = nodes[node].fx->name;
    cmd->feature_level = CORE_FEATURE_LEVEL;
    *o = (struct op){.req.cb = op_done, .kind = kind, .node = node, .id = id};
    ck_assert_int_eq(core_pack(cmd, &data, &len), 0);
    int rc = repl_propose(nodes[node].fx->repl, &o->req, data, len, 1000 + rnd(4000));
    free(data);
    if (rc)
        return NULL;
    n_ops++;
    return o;
}

static void propose_object(unsigned node, const char *kind, const char *text, uint64_t id, bool create)
{
    struct err_info info = {0};
    struct Ev__ConfigObject *o = NULL;
    json_t *j = json_loads(text, 0, NULL);
    ck_assert_ptr_nonnull(j);
    int rc = view_config_from_json(kind, j, "everline", &o, &info);
    ck_assert_msg(rc == 0, "%s: %s", info.field, info.text);
    Ev__ConfigObject *set[1] = {(Ev__ConfigObject *)o};
    set[0]->create_only = create;
    Ev__ConfigApply m = EV__CONFIG_APPLY__INIT;
    m.n_set = 1;
    m.set = set;
    Ev__Command cmd = EV__COMMAND__INIT;
    cmd.body_case = EV__COMMAND__BODY_CONFIG_APPLY;
    cmd.config_apply = &m;
    cmd.actor = (char *)(uintptr_t) "token:admin";
    (void)propose(node, CONFIG, id, &cmd);
    ev__config_object__free_unpacked(set[0], NULL);
    json_decref(j);
}

static void propose_extension(unsigned node)
{
    char text[64];
    unsigned number = 50000 + n_ops;
    snprintf(text, sizeof text, "{\"number\":\"%u\"}", number);
    propose_object(node, "extension", text, number, true);
}

static void propose_call(unsigned node)
{
    Ev__Dialog d = EV__DIALOG__INIT;
    Ev__CallStart m = EV__CALL_START__INIT;
    Ev__Command cmd = EV__COMMAND__INIT;
    d.call_id = (char *)(uintptr_t) "dialog@test";
    m.call_id = 1000000 + n_ops;
    m.caller = (char *)(uintptr_t) "13800";
    m.called = (char *)(uintptr_t)(rnd(2) ? "10001" : "10003");
    m.trunk = (char *)(uintptr_t) "demo";
    m.answered = true;
    m.dialog = &d;
    cmd.body_case = EV__COMMAND__BODY_CALL_START;
    cmd.call_start = &m;
    (void)propose(node, START, m.call_id, &cmd);
}

static void propose_end(unsigned node)
{
    for (unsigned tries = 0; tries < 20 && n_ops; tries++) {
        struct op *s = &ops[rnd(n_ops)];
        if (s->kind != START || s->node != node || s->ended || !s->done || s->status || s->code)
            continue;
        Ev__CallEnd m = EV__CALL_END__INIT;
        Ev__Command cmd = EV__COMMAND__INIT;
        m.call_id = s->id;
        m.by = (char *)(uintptr_t) "caller";
        m.cause = (char *)(uintptr_t) "normal";
        cmd.body_case = EV__COMMAND__BODY_CALL_END;
        cmd.call_end = &m;
        s->ended = propose(node, END, s->id, &cmd) != NULL;
        return;
    }
}

static void load(void)
{
    for (unsigned k = rnd(24); k > 0; k--) {
        unsigned i = rnd(NODES), what = rnd(5);
        if (!nodes[i].up)
            continue;
        if (what == 0)
            propose_extension(i);
        else if (what < 3)
            propose_call(i);
        else
            propose_end(i);
    }
}

/* ---- faults: one node at a time is away, so that the others go on */

static void heal(void)
{
    fx->cut = 0;
    for (unsigned i = 0; i < NODES; i++)
        if (!nodes[i].up)
            node_start(i, false);
}

static void fault(void)
{
    unsigned i = rnd(NODES);
    struct err_info info = {0};
    char dir[320];
    switch (rnd(7)) {
    case 0:
    case 1:
        heal();
        break;
    case 2:
        heal();
        fx->cut = 1u << i;
        break;
    case 3:
        heal();
        node_stop(i);
        break;
    case 4: /* its database is lost: rebuilt from image and log */
        heal();
        node_stop(i);
        data_dir(&nodes[i], dir);
        ck_assert_int_eq(storage_discard(dir, &info), 0);
        break;
    case 5: /* gone and back at once */
        heal();
        node_stop(i);
        node_start(i, false);
        break;
    default:
        if (nodes[i].up && fx_leader(fx) >= 0)
            (void)!repl_transfer(nodes[i].fx->repl, NULL, NULL, NULL);
        break;
    }
}

/* ---- at the end */

static bool all_answered(struct fx *f, void *arg)
{
    (void)f;
    (void)arg;
    for (unsigned i = 0; i < n_ops; i++)
        if (!ops[i].done)
            return false;
    return true;
}

static bool all_level(struct fx *f, void *arg)
{
    (void)f;
    (void)arg;
    uint64_t index = core_applied_index(nodes[0].c);
    struct repl_status s;
    for (unsigned i = 0; i < NODES; i++) {
        repl_get_status(nodes[i].fx->repl, &s);
        if (core_applied_index(nodes[i].c) != index || s.pending || !s.leader)
            return false;
    }
    return true;
}

/* What each node thinks of itself and of the others, for a run that does not come level. */
static void print_nodes(void)
{
    struct repl_status s;
    struct repl_peer_info peers[NODES + 1];
    for (unsigned i = 0; i < NODES; i++) {
        repl_get_status(nodes[i].fx->repl, &s);
        printf("%s: state %d term %llu leader %llu last %llu commit %llu applied %llu (core %llu) snapshot %llu pending %zu\n",
               nodes[i].fx->name, s.state, (unsigned long long)s.term, (unsigned long long)s.leader,
               (unsigned long long)s.last_index, (unsigned long long)s.commit_index, (unsigned long long)s.applied_index,
               (unsigned long long)core_applied_index(nodes[i].c), (unsigned long long)s.snapshot_index, s.pending);
        size_t n = repl_peers(nodes[i].fx->repl, peers, NODES + 1);
        for (size_t k = 0; k < n && k < NODES + 1; k++)
            printf("  peer %s: up %d role %d match %llu\n", peers[k].name, peers[k].up, peers[k].role,
                   (unsigned long long)peers[k].match);
    }
    (void)fflush(stdout);
}

static int64_t count(sqlite3 *db, const char *sql, const char *arg)
{
    sqlite3_stmt *s;
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    sqlite3_bind_text(s, 1, arg, -1, SQLITE_TRANSIENT);
    ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return n;
}

static void check_ops(void)
{
    struct node *n = &nodes[0];
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open_v2(storage_path(n->st), &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    unsigned acknowledged = 0, unknown = 0;
    for (unsigned i = 0; i < n_ops; i++) {
        struct op *o = &ops[i];
        char id[32];
        snprintf(id, sizeof id, "%llu", (unsigned long long)o->id);
        ck_assert_uint_eq(o->done, 1);
        bool sure = !o->status, not = o->status == ERR_NOQUORUM;
        acknowledged += sure;
        unknown += !sure && !not;
        if (o->kind == CONFIG && o->id) {
            int64_t rows = count(db, "SELECT count(*) FROM audit WHERE object LIKE '%' || ?", id);
            ck_assert_msg(rows <= 1, "extension %s was made %lld times", id, (long long)rows);
            ck_assert_msg(!sure || (!o->code && rows == 1 && core_extension(n->c, id)), "extension %s is lost", id);
            ck_assert_msg(!not || rows == 0, "extension %s was refused and yet made", id);
        } else if (o->kind == START) {
            bool lives = core_call(n->c, o->id) != NULL;
            int64_t rows = count(db, "SELECT count(*) FROM cdr WHERE call_id = CAST(? AS INTEGER)", id);
            ck_assert_msg(rows + lives <= 1, "call %s has several records", id);
            ck_assert_msg(!sure || !o->code, "call %s was started twice: %d", id, o->code);
            ck_assert_msg(!sure || rows + lives == 1, "call %s is lost", id);
            ck_assert_msg(!not || rows + lives == 0, "call %s was refused and yet made", id);
            ck_assert_msg(o->ended || !rows, "call %s has ended by itself", id);
        } else if (o->kind == END) {
            ck_assert_msg(!sure || !o->code, "call %s was ended twice: %d", id, o->code);
            ck_assert_msg(!sure || !core_call(n->c, o->id), "the end of call %s is lost", id);
        }
    }
    sqlite3_close(db);
    printf("%u commands, %u acknowledged, %u unknown\n", n_ops, acknowledged, unknown);
    ck_assert_uint_gt(acknowledged, n_ops / 2);
}

static void check_tables(void)
{
    struct storage_digest d[NODES];
    for (unsigned i = 0; i < NODES; i++) {
        ck_assert_int_eq(storage_digest_now(nodes[i].st, &d[i]), 0);
        for (unsigned t = 0; i && t < d[0].n; t++)
            ck_assert_msg(!memcmp(d[0].tables[t].sha256, d[i].tables[t].sha256, 32), "table %s differs on %s",
                          d[0].tables[t].table, nodes[i].fx->name);
    }
}

static void found_cluster(void)
{
    node_start(0, true);
    ck_assert(fx_until(fx, fx_has_leader, NULL));
    for (unsigned i = 1; i < NODES; i++) {
        char text[256] = "";
        struct fx_node *n = nodes[i].fx;
        ck_assert_msg(fx_member_op(fx, 0, FX_ADD, n->name, n->listen, NULL, text, sizeof text) == 0, "%s", text);
        node_start(i, false);
        ck_assert(fx_until(fx, fx_is_voter, n));
    }
    for (unsigned i = 0; i < NODES; i++) {
        Ev__NodeUp m = EV__NODE_UP__INIT;
        Ev__Command cmd = EV__COMMAND__INIT;
        m.name = nodes[i].fx->name;
        m.node_id = i + 1;
        m.incarnation = 1;
        m.site = (char *)(uintptr_t) "default";
        m.max_feature_level = CORE_FEATURE_LEVEL;
        cmd.body_case = EV__COMMAND__BODY_NODE_UP;
        cmd.node_up = &m;
        ck_assert_ptr_nonnull(propose(i, OTHER, 0, &cmd));
    }
    propose_object(0, "trunk", "{\"name\":\"demo\",\"sources\":[\"127.0.0.0/8\"]}", 0, false);
    propose_object(0, "queue", "{\"name\":\"service\",\"members\":[]}", 0, false);
    propose_object(0, "access_number", "{\"number\":\"10001\",\"app\":\"echo\"}", 0, false);
    propose_object(0, "access_number", "{\"number\":\"10003\",\"queue\":\"service\"}", 0, false);
    ck_assert(fx_until(fx, all_answered, NULL));
    for (unsigned i = 0; i < n_ops; i++)
        ck_assert_msg(!ops[i].status && !ops[i].code, "command %u: %d %d", i, ops[i].status, ops[i].code);
}

START_TEST(test_chaos)
{
    const char *seed = getenv("CHAOS_SEED"), *steps = getenv("CHAOS_STEPS");
    rng = seed ? strtoull(seed, NULL, 0) : uv_hrtime();
    rng |= 1;
    printf("CHAOS_SEED=%llu\n", (unsigned long long)rng);
    (void)fflush(stdout);
    fx = fx_new();
    ops = calloc(REQS, sizeof *ops);
    for (unsigned i = 0; i < NODES; i++) {
        nodes[i].fx = &fx->nodes[i];
        (void)pthread_mutex_init(&nodes[i].image.lock, NULL);
        uv_async_init(&fx->loop, &nodes[i].image.wake, image_wake);
        nodes[i].image.wake.data = &nodes[i].image;
    }
    found_cluster();
    for (unsigned left = steps ? (unsigned)strtoul(steps, NULL, 0) : STEPS; left && n_ops + 64 < REQS; left--) {
        load();
        turn(rnd(14));
        if (rnd(3) == 0)
            fault();
    }
    heal();
    bool answered = fx_until(fx, all_answered, NULL), level = answered && fx_until(fx, all_level, NULL);
    if (!level)
        print_nodes();
    ck_assert_msg(answered, "a command has no answer");
    ck_assert_msg(level, "the nodes do not come level");
    check_tables();
    check_ops();
    unsigned installs = 0, takes = 0;
    for (unsigned i = 0; i < NODES; i++) {
        installs += nodes[i].installs;
        takes += nodes[i].takes;
        node_stop(i);
        uv_close((uv_handle_t *)&nodes[i].image.wake, NULL);
    }
    printf("%u images taken, %u installed\n", takes, installs);
    fx_free(fx);
    free(ops);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("chaos");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, test_chaos);
    suite_add_tcase(s, t);
    return run_suite(s);
}
