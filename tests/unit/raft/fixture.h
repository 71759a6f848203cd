/* A cluster of real nodes (real sockets on loopback, real files) in one process and one loop, for the tests of raft/.
 * Its state machine is a list of the commands it was given, with the sequence rule of repl.h, and an image of it is a
 * file with these commands. */
#ifndef TESTS_UNIT_RAFT_FIXTURE_H
#define TESTS_UNIT_RAFT_FIXTURE_H

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "raft/repl.h"
#include "raft/tls.h"

#define FX_FN static __attribute__((unused))

#define FX_NODES 6
#define FX_COMMANDS 65536
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FX_DEADLINE_MS 100000 /* stretched as the limits of whole tests are */
#else
#define FX_DEADLINE_MS 20000
#endif

struct fx_last {
    uint64_t origin, incarnation, seq;
};

struct fx_node {
    struct fx *fx;
    struct repl *repl;
    char name[16], dir[256], listen[64], cert[256], key[256];
    /* the state machine */
    uint32_t commands[FX_COMMANDS];
    unsigned n;
    uint64_t applied;
    struct fx_last last[64];
    unsigned n_last;
    uint64_t answers[4096]; /* index of each item, as the answer */
    bool lose_state;        /* the next start begins with an empty state */
    /* what it was told */
    unsigned fatals, installs, takes, ups, downs, refusals, changes, stopped, messages, silent, heard_again;
    uint64_t dead; /* of the peer last told of */
    int fatal_err;
    char fatal_text[256];
    char message[64];
    bool leader_ready;
    bool hold_take; /* an image that is asked for is ready only at fx_release */
    repl_image_cb *held_cb;
    void *held_arg;
    struct repl_image held;
    unsigned prepares, prepare_errs; /* the first so many say prepare_err */
    int prepare_err;
    pthread_t prepared_by;
    struct repl_image prepared, installed;
};

struct fx {
    uv_loop_t loop;
    uv_timer_t deadline;
    bool expired;
    char dir[128], ca[256];
    struct fx_node nodes[FX_NODES];
    unsigned threshold, trailing, timeout_ms;
    unsigned election_ms, detect_ms;
    unsigned cut;    /* bit i: every connection of node i is shut down as soon as it is there */
    unsigned island; /* likewise those between nodes in this set and nodes outside */
    unsigned pair;   /* likewise those between nodes of this set */
    void (*each_turn)(struct fx *fx);
};

struct fx_req {
    struct repl_req req;
    unsigned done;
    int status;
    uint64_t answer;
};

FX_FN struct fx *fx_new(void);
FX_FN void fx_free(struct fx *fx);
/* Certificates signed by the fixture's authority (or by another one), CN as given. */
FX_FN void fx_certify(struct fx *fx, const char *cn, const char *cert, const char *key, bool other_authority);
/* Starts node i: bootstrap, or join of node `join` when it is >= 0. Returns repl_start's result. */
FX_FN int fx_start(struct fx *fx, unsigned i, bool bootstrap, int join, struct err_info *info);
/* Stops and waits for the callback. */
FX_FN void fx_stop(struct fx *fx, unsigned i);
/* An image that was held is ready now. */
FX_FN void fx_release(struct fx_node *n);
/* One turn of the loop, with the connections of fx->cut gone. */
FX_FN void fx_turn(struct fx *fx);
/* Turns the loop until the condition holds; false after FX_DEADLINE_MS. */
FX_FN bool fx_until(struct fx *fx, bool (*cond)(struct fx *fx, void *arg), void *arg);
/* Node 0 bootstrapped, nodes 1 .. n-1 added and voters. */
FX_FN void fx_cluster(struct fx *fx, unsigned n);
/* Adds node i through node `via` and starts it with an empty folder, waits until it is a voter. */
FX_FN void fx_join(struct fx *fx, unsigned via, unsigned i);
FX_FN int fx_leader(struct fx *fx);
FX_FN bool fx_has_leader(struct fx *fx, void *arg);
FX_FN int fx_propose(struct fx *fx, unsigned i, struct fx_req *req, uint32_t value);
/* The same, for what may wait. */
FX_FN int fx_propose_later(struct fx *fx, unsigned i, struct fx_req *req, uint32_t value, unsigned patience_ms);
FX_FN bool fx_done(struct fx *fx, void *req);
/* Proposes and waits; returns the status. */
FX_FN int fx_commit(struct fx *fx, unsigned i, uint32_t value);
/* All running nodes have applied the same number n of commands, in the same order. */
FX_FN bool fx_same(struct fx *fx, unsigned n);
FX_FN bool fx_wait_same(struct fx *fx, unsigned n);
FX_FN int fx_member_op(struct fx *fx, unsigned via, int kind, const char *name, const char *address, uint64_t *id,
                       char *text, size_t cap);
enum { FX_ADD = 1, FX_REMOVE, FX_TRANSFER };
FX_FN void fx_remove_tree(const char *dir);

/* ---- certificates ---- */

static EVP_PKEY *fx_ca_key[2];
static X509 *fx_ca_cert[2];

static void fx_write_pem(const char *path, EVP_PKEY *key, X509 *cert)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    if (key)
        ck_assert_int_eq(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    if (cert)
        ck_assert_int_eq(PEM_write_X509(f, cert), 1);
    fclose(f);
}

static X509 *fx_make_cert(const char *cn, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    static long serial = 1;
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, key);
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
    X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : name);
    if (!issuer) {
        X509V3_CTX ctx;
        X509V3_set_ctx_nodb(&ctx);
        X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
        X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, NID_basic_constraints, "critical,CA:TRUE");
        X509_add_ext(x, ext, -1);
        X509_EXTENSION_free(ext);
    }
    ck_assert_int_gt(X509_sign(x, issuer ? issuer_key : key, EVP_sha256()), 0);
    return x;
}

static void fx_authority(unsigned which)
{
    if (fx_ca_key[which])
        return;
    fx_ca_key[which] = EVP_EC_gen("P-256");
    ck_assert_ptr_nonnull(fx_ca_key[which]);
    fx_ca_cert[which] = fx_make_cert(which ? "other authority" : "authority", fx_ca_key[which], NULL, NULL);
}

FX_FN void fx_certify(struct fx *fx, const char *cn, const char *cert, const char *key, bool other_authority)
{
    (void)fx;
    fx_authority(other_authority);
    EVP_PKEY *k = EVP_EC_gen("P-256");
    X509 *x = fx_make_cert(cn, k, fx_ca_cert[other_authority], fx_ca_key[other_authority]);
    fx_write_pem(cert, NULL, x);
    fx_write_pem(key, k, NULL);
    X509_free(x);
    EVP_PKEY_free(k);
}

/* ---- folders ---- */

static int fx_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

FX_FN void fx_remove_tree(const char *dir)
{
    nftw(dir, fx_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- the state machine ---- */

static struct fx_last *fx_last_get(struct fx_node *n, const struct repl_item *it)
{
    for (unsigned i = 0; i < n->n_last; i++)
        if (n->last[i].origin == it->origin && n->last[i].incarnation == it->incarnation)
            return &n->last[i];
    ck_assert_uint_lt(n->n_last, 64);
    n->last[n->n_last] = (struct fx_last){it->origin, it->incarnation, 0};
    return &n->last[n->n_last++];
}

static int fx_apply(void *ctx, uint64_t index, uint64_t term, const struct repl_item *items, unsigned n,
                    struct repl_outcome *outcomes)
{
    struct fx_node *node = ctx;
    ck_assert_uint_gt(term, 0);
    ck_assert_uint_gt(index, node->applied);
    for (unsigned i = 0; i < n; i++) {
        struct fx_last *last = fx_last_get(node, &items[i]);
        uint32_t value = 0;
        if (items[i].seq != last->seq + 1) {
            ck_assert_uint_le(items[i].seq, last->seq); /* never a gap */
            outcomes[i].skipped = true;
            continue;
        }
        last->seq = items[i].seq;
        memcpy(&value, items[i].data, items[i].len < 4 ? items[i].len : 4);
        ck_assert_uint_lt(node->n, FX_COMMANDS);
        node->commands[node->n++] = value;
        node->answers[i] = index;
        outcomes[i].answer = &node->answers[i];
    }
    node->applied = index;
    return 0;
}

static uint64_t fx_applied_index(void *ctx)
{
    return ((struct fx_node *)ctx)->applied;
}

struct fx_image {
    uint64_t applied;
    uint32_t n, n_last;
    struct fx_last last[64];
};

static int fx_snapshot_take(void *ctx, const char *dir, repl_image_cb *cb, void *arg)
{
    struct fx_node *n = ctx;
    struct fx_image head = {n->applied, n->n, n->n_last, {{0, 0, 0}}};
    struct repl_image image = {.index = n->applied};
    memcpy(head.last, n->last, sizeof head.last);
    n->takes++;
    snprintf(image.path, sizeof image.path, "%s/taken-%llu", dir, (unsigned long long)n->applied);
    image.bytes = sizeof head + n->n * 4u;
    uint8_t *all = malloc(image.bytes);
    memcpy(all, &head, sizeof head);
    memcpy(all + sizeof head, n->commands, n->n * 4u);
    FILE *f = fopen(image.path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(all, 1, image.bytes, f), image.bytes);
    fclose(f);
    EVP_Digest(all, image.bytes, image.sha256, NULL, EVP_sha256(), NULL);
    free(all);
    n->held = image;
    n->held_cb = cb;
    n->held_arg = arg;
    if (!n->hold_take)
        fx_release(n);
    return 0;
}

FX_FN void fx_release(struct fx_node *n)
{
    repl_image_cb *cb = n->held_cb;
    n->held_cb = NULL;
    if (cb)
        cb(n->held_arg, 0, &n->held);
}

/* In a worker; the loop looks at the node again only after it. */
static int fx_snapshot_prepare(void *ctx, const struct repl_image *image)
{
    struct fx_node *n = ctx;
    n->prepares++;
    n->prepared_by = pthread_self();
    n->prepared = *image;
    if (access(image->path, R_OK) != 0)
        return ERR_NOTFOUND;
    if (n->prepare_err && n->prepare_errs > 0) {
        n->prepare_errs--;
        return n->prepare_err;
    }
    return 0;
}

static int fx_snapshot_install(void *ctx, const struct repl_image *image)
{
    struct fx_node *n = ctx;
    struct fx_image head;
    FILE *f = fopen(image->path, "r");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fread(&head, 1, sizeof head, f), sizeof head);
    ck_assert_uint_le(head.n, FX_COMMANDS);
    ck_assert_uint_eq(fread(n->commands, 4, head.n, f), head.n);
    fclose(f);
    ck_assert_uint_eq(head.applied, image->index);
    n->installed = *image;
    n->applied = head.applied;
    n->n = head.n;
    n->n_last = head.n_last;
    memcpy(n->last, head.last, sizeof head.last);
    n->installs++;
    return 0;
}

static void fx_peer_up(void *ctx, uint64_t id, bool up, bool refused, uint64_t dead)
{
    struct fx_node *n = ctx;
    (void)id;
    n->dead = dead;
    n->ups += up;
    n->downs += !up && !refused;
    n->refusals += refused;
}

static void fx_peer_silent(void *ctx, uint64_t id, bool silent)
{
    struct fx_node *n = ctx;
    (void)id;
    n->silent += silent;
    n->heard_again += !silent;
}

static void fx_state_changed(void *ctx, bool leader_ready)
{
    struct fx_node *n = ctx;
    n->changes++;
    n->leader_ready = leader_ready;
}

static void fx_fatal(void *ctx, int err, const char *text)
{
    struct fx_node *n = ctx;
    n->fatals++;
    n->fatal_err = err;
    snprintf(n->fatal_text, sizeof n->fatal_text, "%s", text);
}

static void fx_message(void *ctx, uint64_t peer, const void *data, size_t len)
{
    struct fx_node *n = ctx;
    (void)peer;
    n->messages++;
    memcpy(n->message, data, len < sizeof n->message ? len : sizeof n->message);
}

/* ---- life ---- */

static void fx_deadline_cb(uv_timer_t *t)
{
    ((struct fx *)t->data)->expired = true;
}

/* A free port: bound, read back, and given up; nobody else listens on the addresses that we use. */
static unsigned fx_free_port(const char *ip)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof a;
    inet_pton(AF_INET, ip, &a.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

FX_FN struct fx *fx_new(void)
{
    struct fx *fx = calloc(1, sizeof *fx);
    ck_assert_ptr_nonnull(fx);
    log_setup(getenv("FX_LOG") ? LOG_DEBUG : LOG_ERROR, false, "test");
    uv_loop_init(&fx->loop);
    uv_timer_init(&fx->loop, &fx->deadline);
    fx->deadline.data = fx;
    const char *tmp = getenv("TMPDIR");
    snprintf(fx->dir, sizeof fx->dir, "%s/repl-XXXXXX", tmp ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(fx->dir));
    fx_authority(0);
    snprintf(fx->ca, sizeof fx->ca, "%s/ca.pem", fx->dir);
    fx_write_pem(fx->ca, NULL, fx_ca_cert[0]);
    for (unsigned i = 0; i < FX_NODES; i++) {
        struct fx_node *n = &fx->nodes[i];
        char ip[32];
        n->fx = fx;
        snprintf(n->name, sizeof n->name, "n%u", i + 1);
        snprintf(n->dir, sizeof n->dir, "%s/%s", fx->dir, n->name);
        snprintf(ip, sizeof ip, "127.0.0.%u", 51 + i);
        snprintf(n->listen, sizeof n->listen, "%s:%u", ip, fx_free_port(ip));
        snprintf(n->cert, sizeof n->cert, "%s/%s.crt", fx->dir, n->name);
        snprintf(n->key, sizeof n->key, "%s/%s.key", fx->dir, n->name);
        fx_certify(fx, n->name, n->cert, n->key, false);
    }
    return fx;
}

FX_FN void fx_free(struct fx *fx)
{
    for (unsigned i = 0; i < FX_NODES; i++)
        fx_stop(fx, i);
    uv_close((uv_handle_t *)&fx->deadline, NULL);
    uv_run(&fx->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&fx->loop), 0);
    fx_remove_tree(fx->dir);
    free(fx);
}

FX_FN int fx_start(struct fx *fx, unsigned i, bool bootstrap, int join, struct err_info *info)
{
    struct fx_node *n = &fx->nodes[i];
    struct repl_config cfg = {
        .name = n->name,
        .dir = n->dir,
        .listen = n->listen,
        .ca_file = fx->ca,
        .cert_file = n->cert,
        .key_file = n->key,
        .join = join >= 0 ? fx->nodes[join].listen : NULL,
        .bootstrap = bootstrap,
        .detect_ms = fx->detect_ms,
        .election_ms = fx->election_ms,
        .snapshot_threshold = fx->threshold,
        .snapshot_trailing = fx->trailing,
    };
    struct repl_handler h = {
        .ctx = n,
        .apply = fx_apply,
        .applied_index = fx_applied_index,
        .snapshot_take = fx_snapshot_take,
        .snapshot_prepare = fx_snapshot_prepare,
        .snapshot_install = fx_snapshot_install,
        .peer_up = fx_peer_up,
        .peer_silent = fx_peer_silent,
        .state_changed = fx_state_changed,
        .fatal = fx_fatal,
    };
    if (n->lose_state) {
        n->n = n->n_last = 0;
        n->applied = 0;
        n->lose_state = false;
    }
    n->leader_ready = false;
    n->stopped = 0;
    int rc = repl_start(&fx->loop, &cfg, &h, &n->repl, info);
    if (rc)
        n->repl = NULL;
    else
        repl_set_message_handler(n->repl, fx_message);
    return rc;
}

/* Both ends of a connection are in this process, and each node dials from its own address. */
static int fx_owner_of(const struct fx *fx, const struct sockaddr_in *a)
{
    char ip[64];
    struct in_addr in;
    for (int i = 0; i < FX_NODES; i++) {
        snprintf(ip, sizeof ip, "%.*s", (int)strcspn(fx->nodes[i].listen, ":"), fx->nodes[i].listen);
        if (inet_pton(AF_INET, ip, &in) == 1 && in.s_addr == a->sin_addr.s_addr)
            return i;
    }
    return -1;
}

static void fx_cut_now(const struct fx *fx)
{
    for (int fd = 3; (fx->cut || fx->island || fx->pair) && fd < 256; fd++) {
        struct sockaddr_in a, b;
        socklen_t la = sizeof a, lb = sizeof b;
        if (getsockname(fd, (struct sockaddr *)&a, &la) || getpeername(fd, (struct sockaddr *)&b, &lb) ||
            a.sin_family != AF_INET || b.sin_family != AF_INET)
            continue;
        int x = fx_owner_of(fx, &a), y = fx_owner_of(fx, &b);
        if (x < 0 || y < 0 || x == y)
            continue;
        if ((fx->cut >> x & 1) || (fx->cut >> y & 1) || (fx->island >> x & 1) != (fx->island >> y & 1) ||
            ((fx->pair >> x & 1) && (fx->pair >> y & 1)))
            (void)shutdown(fd, SHUT_RDWR);
    }
}

FX_FN void fx_turn(struct fx *fx)
{
    fx_cut_now(fx);
    uv_run(&fx->loop, UV_RUN_ONCE);
    if (fx->each_turn)
        fx->each_turn(fx);
}

FX_FN bool fx_until(struct fx *fx, bool (*cond)(struct fx *fx, void *arg), void *arg)
{
    fx->expired = false;
    uv_update_time(&fx->loop); /* a loop that has not turned for a while, as in a fork of an idle process, is behind */
    uv_timer_start(&fx->deadline, fx_deadline_cb, FX_DEADLINE_MS, 0);
    while (!cond(fx, arg) && !fx->expired)
        fx_turn(fx);
    uv_timer_stop(&fx->deadline);
    return cond(fx, arg);
}

static void fx_stopped(void *arg)
{
    struct fx_node *n = arg;
    n->stopped = 1;
    n->repl = NULL;
}

static bool fx_is_stopped(struct fx *fx, void *arg)
{
    (void)fx;
    return ((struct fx_node *)arg)->stopped;
}

FX_FN void fx_stop(struct fx *fx, unsigned i)
{
    struct fx_node *n = &fx->nodes[i];
    if (!n->repl)
        return;
    repl_stop(n->repl, fx_stopped, n);
    ck_assert(fx_until(fx, fx_is_stopped, n));
}

FX_FN int fx_leader(struct fx *fx)
{
    for (unsigned i = 0; i < FX_NODES; i++)
        if (fx->nodes[i].repl && fx->nodes[i].leader_ready)
            return (int)i;
    return -1;
}

FX_FN bool fx_has_leader(struct fx *fx, void *arg)
{
    (void)arg;
    return fx_leader(fx) >= 0;
}

struct fx_op {
    unsigned done;
    int status;
    uint64_t id;
    char text[256];
};

static void fx_op_cb(void *arg, int status, uint64_t id, const char *text)
{
    struct fx_op *op = arg;
    op->done++;
    op->status = status;
    op->id = id;
    snprintf(op->text, sizeof op->text, "%s", text);
}

static bool fx_op_done(struct fx *fx, void *arg)
{
    (void)fx;
    return ((struct fx_op *)arg)->done;
}

FX_FN int fx_member_op(struct fx *fx, unsigned via, int kind, const char *name, const char *address, uint64_t *id,
                       char *text, size_t cap)
{
    struct fx_op op = {0};
    struct repl *r = fx->nodes[via].repl;
    int rc = kind == FX_ADD      ? repl_add(r, name, address, fx_op_cb, &op)
             : kind == FX_REMOVE ? repl_remove(r, name, fx_op_cb, &op)
                                 : repl_transfer(r, name, fx_op_cb, &op);
    if (rc)
        return rc;
    ck_assert_uint_eq(op.done, 0);
    ck_assert(fx_until(fx, fx_op_done, &op));
    ck_assert_uint_eq(op.done, 1);
    if (id)
        *id = op.id;
    if (text)
        snprintf(text, cap, "%s", op.text);
    return op.status;
}

static bool fx_is_voter(struct fx *fx, void *arg)
{
    struct fx_node *n = arg;
    struct repl_peer_info p[FX_NODES + 2];
    int leader = fx_leader(fx);
    if (leader < 0 || !n->repl || !repl_id(n->repl))
        return false;
    size_t k = repl_peers(fx->nodes[leader].repl, p, FX_NODES + 2);
    for (size_t i = 0; i < k; i++)
        if (p[i].id == repl_id(n->repl) && p[i].role == REPL_VOTER && p[i].up)
            return repl_peers(n->repl, p, FX_NODES + 2) == k;
    return false;
}

FX_FN void fx_join(struct fx *fx, unsigned via, unsigned i)
{
    struct err_info info = {0};
    struct fx_node *n = &fx->nodes[i];
    char text[256] = "";
    ck_assert_msg(fx_member_op(fx, via, FX_ADD, n->name, n->listen, NULL, text, sizeof text) == 0, "%s", text);
    ck_assert_msg(fx_start(fx, i, false, (int)via, &info) == 0, "%s", info.text);
    ck_assert(fx_until(fx, fx_is_voter, n));
}

FX_FN void fx_cluster(struct fx *fx, unsigned n)
{
    struct err_info info = {0};
    ck_assert_msg(fx_start(fx, 0, true, -1, &info) == 0, "%s", info.text);
    ck_assert(fx_until(fx, fx_has_leader, NULL));
    for (unsigned i = 1; i < n; i++)
        fx_join(fx, i - 1, i);
}

static void fx_req_cb(struct repl_req *req, int status, const void *answer)
{
    struct fx_req *r = (struct fx_req *)req;
    r->done++;
    r->status = status;
    r->answer = answer ? *(const uint64_t *)answer : 0;
}

FX_FN int fx_propose_later(struct fx *fx, unsigned i, struct fx_req *req, uint32_t value, unsigned patience_ms)
{
    memset(req, 0, sizeof *req);
    req->req.cb = fx_req_cb;
    return repl_propose_later(fx->nodes[i].repl, &req->req, &value, sizeof value,
                              fx->timeout_ms ? fx->timeout_ms : 15000, patience_ms);
}

FX_FN int fx_propose(struct fx *fx, unsigned i, struct fx_req *req, uint32_t value)
{
    return fx_propose_later(fx, i, req, value, 0);
}

FX_FN bool fx_done(struct fx *fx, void *req)
{
    (void)fx;
    return ((struct fx_req *)req)->done;
}

FX_FN int fx_commit(struct fx *fx, unsigned i, uint32_t value)
{
    struct fx_req req;
    int rc = fx_propose(fx, i, &req, value);
    if (rc)
        return rc;
    ck_assert_uint_eq(req.done, 0);
    ck_assert(fx_until(fx, fx_done, &req));
    ck_assert_uint_eq(req.done, 1);
    if (!req.status)
        ck_assert_uint_gt(req.answer, 0);
    return req.status;
}

FX_FN bool fx_same(struct fx *fx, unsigned n)
{
    struct fx_node *first = NULL;
    for (unsigned i = 0; i < FX_NODES; i++) {
        struct fx_node *node = &fx->nodes[i];
        if (!node->repl)
            continue;
        if (node->n != n)
            return false;
        if (!first)
            first = node;
        else if (memcmp(first->commands, node->commands, n * sizeof node->commands[0]) != 0)
            return false;
    }
    return first != NULL;
}

static bool fx_is_same(struct fx *fx, void *arg)
{
    return fx_same(fx, *(unsigned *)arg);
}

FX_FN bool fx_wait_same(struct fx *fx, unsigned n)
{
    return fx_until(fx, fx_is_same, &n);
}

#endif
