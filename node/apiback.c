/* What the API asks of the node: commands and cluster operations, carried from the API thread to the core thread and their
 * results back. */
#include "node/apiback.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/folder.h"
#include "base/log.h"
#include "core/explain.h"
#include "node/blobnet.h"
#include "node/call.h"
#include "node/ident.h"
#include "node/lease.h"
#include "node/metrics.h"
#include "node/nearest.h"
#include "node/recordings.h"
#include "node/replica.h"
#include "node/sound.h"
#include "storage/storage.h"
#include "telephony/media.h"
#include "telephony/prompt.h"
#include "telephony/sip.h"

#define APIBACK_PEERS_MAX 64u
#define API_NAME_MAX 128u

struct node_api {
    struct node *n;
    struct api_server *server;
};

/* One piece of work from the API; freed when its result has been posted. */
struct api_work {
    struct node *n;
    uint64_t ticket;
    unsigned timeout_ms;
    Ev__Command *cmd; /* submit */
    enum api_op op;   /* call */
    json_t *args;
    char actor[API_NAME_MAX], origin[API_NAME_MAX]; /* call */
};

static void api_work_finish(struct api_work *w, const struct api_result *r)
{
    if (w->n->api && w->n->api->server)
        api_post_result(w->n->api->server, w->ticket, r);
    else
        json_decref(r->json);
    if (w->cmd)
        ev__command__free_unpacked(w->cmd, NULL);
    json_decref(w->args);
    free(w);
}

static void api_work_fail(struct api_work *w, int code, const char *text)
{
    struct api_result r = {.code = code, .text = text};
    api_work_finish(w, &r);
}

static void api_work_done(struct api_work *w, json_t *json)
{
    struct api_result r = {.code = json ? 0 : ERR_NOMEM, .json = json};
    api_work_finish(w, &r);
}

/* ---- commands */

static void apiback_submitted(void *ctx, int status, const struct core_answer *a)
{
    struct api_work *w = ctx;
    struct api_result r = {.code = status};
    if (status == 0) {
        r.code = a->code;
        r.text = a->text[0] ? a->text : NULL;
        r.field = a->field[0] ? a->field : NULL;
        r.index = a->index;
        r.version = a->version;
        r.json_text = a->json;
    }
    api_work_finish(w, &r);
}

/* Cut off, a command would only wait for its time to run out: the client does better to ask another node at once. */
static int apiback_cut_off(struct node *n)
{
    return lease_gone(n) ? ERR_NOQUORUM : 0;
}

static void apiback_submit_core(struct node *n, void *ctx)
{
    struct api_work *w = ctx;
    int rc = apiback_cut_off(n);
    if (rc == 0)
        rc = node_propose(n, w->cmd, w->timeout_ms, apiback_submitted, w);
    if (rc)
        api_work_fail(w, rc,
                      rc == ERR_CONFLICT ? "a node runs an older program, which does not know this: upgrade it first"
                                         : NULL);
}

static int apiback_submit(void *ctx, Ev__Command *cmd, unsigned timeout_ms, uint64_t ticket)
{
    struct node *n = ctx;
    struct api_work *w = calloc(1, sizeof *w);
    if (!w)
        return ERR_NOMEM;
    *w = (struct api_work){.n = n, .ticket = ticket, .timeout_ms = timeout_ms, .cmd = cmd};
    int rc = node_post(n, apiback_submit_core, w);
    if (rc)
        free(w);
    return rc;
}

/* ---- operations */

static const char *apiback_state_name(int state)
{
    switch (state) {
    case REPL_LEADER:
        return "leader";
    case REPL_FOLLOWER:
        return "follower";
    case REPL_CANDIDATE:
        return "candidate";
    default:
        return "idle";
    }
}

static json_t *apiback_peer(const struct repl_peer_info *p)
{
    static const char *const roles[] = {[REPL_SPARE] = "spare", [REPL_STANDBY] = "standby", [REPL_VOTER] = "voter"};
    return json_pack("{s:s,s:I,s:s,s:s,s:b,s:b,s:b,s:o,s:o}", "name", p->name, "node_id", (json_int_t)p->id, "address",
                     p->address, "role", roles[p->role], "self", p->self, "leader", p->leader, "up", p->up, "rtt_us",
                     p->rtt_us ? json_integer(p->rtt_us) : json_null(), "match_index",
                     p->match ? json_integer((json_int_t)p->match) : json_null());
}

static json_t *apiback_cluster_status(struct node *n)
{
    struct repl_status s;
    repl_get_status(n->repl, &s);
    struct repl_peer_info peers[APIBACK_PEERS_MAX];
    size_t count = repl_peers(n->repl, peers, APIBACK_PEERS_MAX);
    json_t *rows = json_array(), *leader = json_null();
    for (size_t i = 0; i < count && i < APIBACK_PEERS_MAX; i++) {
        json_array_append_new(rows, apiback_peer(&peers[i]));
        if (peers[i].leader)
            leader = json_string(peers[i].name);
    }
    uint8_t a[32], b[32];
    char cluster[33];
    bool known = core_secrets(n->core, a, b, cluster);
    bool quorum = s.has_quorum && !lease_gone(n);
    return json_pack("{s:s,s:o,s:I,s:b,s:b,s:o,s:I,s:I,s:I,s:I,s:I,s:o}", "state", apiback_state_name((int)s.state),
                     "leader", leader, "term", (json_int_t)s.term, "has_quorum", quorum, "isolated", lease_gone(n),
                     "cluster_id", known ? json_string(cluster) : json_null(), "last_index", (json_int_t)s.last_index,
                     "commit_index", (json_int_t)s.commit_index, "applied_index", (json_int_t)s.applied_index,
                     "snapshot_index", (json_int_t)s.snapshot_index, "log_bytes", (json_int_t)s.log_bytes, "peers",
                     rows);
}

static json_t *apiback_disk(struct node *n, uint64_t log_bytes)
{
    struct statvfs fs;
    uint64_t free_bytes = 0;
    if (statvfs(n->cfg.data, &fs) == 0)
        free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    uint64_t db = storage_bytes(n->st);
    return json_pack("{s:I,s:I,s:I,s:I}", "data_bytes", (json_int_t)db + (json_int_t)log_bytes, "free_bytes",
                     (json_int_t)free_bytes, "log_bytes", (json_int_t)log_bytes, "database_bytes", (json_int_t)db);
}

static json_t *apiback_node_status(struct node *n)
{
    struct repl_status s;
    repl_get_status(n->repl, &s);
    uint64_t up_s = (clock_wall_now().us - n->started_us) / 1000000u;
    json_t *queues = json_pack("[{s:s,s:I,s:I,s:I},{s:s,s:I,s:I,s:I}]", "name", "proposals", "length",
                               (json_int_t)s.pending, "capacity", (json_int_t)REPL_PENDING_MAX, "refused",
                               (json_int_t)s.refused, "name", "core_work", "length", (json_int_t)node_post_waiting(n),
                               "capacity", (json_int_t)NODE_POST_MAX, "refused", (json_int_t)0);
    return json_pack("{s:I,s:s,s:I,s:o,s:o,s:o,s:o}", "node_id", (json_int_t)repl_id(n->repl), "version",
                     EVERLINE_VERSION, "uptime_s", (json_int_t)up_s, "threads", metrics_threads(), "queues", queues,
                     "disk", apiback_disk(n, s.log_bytes), "counters", metrics_counters(n));
}

static void apiback_verified(void *ctx, int status, json_t *result)
{
    struct api_work *w = ctx;
    if (status)
        api_work_fail(w, status, NULL);
    else
        api_work_done(w, result);
}

static const char *apiback_member_name(struct node *n, uint64_t id)
{
    const char *name = "";
    for (const struct core_node *c = NULL; (c = core_node_next(n->core, c));)
        if (c->node_id == id)
            name = c->name;
    return name;
}

static int apiback_trace(struct api_work *w, int code, node_done_fn *done, void *ctx);

static void apiback_member(void *arg, int status, uint64_t id, const char *text)
{
    struct api_work *w = arg;
    if (status) {
        if (apiback_trace(w, status, NULL, NULL))
            log_warn("api", "the audit trail does not tell that an operation on the cluster failed");
        api_work_fail(w, status, text);
        return;
    }
    if (w->op == API_OP_NODE_ADD)
        api_work_done(w, json_pack("{s:O,s:I,s:s}", "name", json_object_get(w->args, "name"), "node_id", (json_int_t)id,
                                   "detail", text ? text : ""));
    else if (w->op == API_OP_CLUSTER_TRANSFER)
        api_work_done(w, json_pack("{s:s}", "leader", apiback_member_name(w->n, id)));
    else
        api_work_done(w, json_object());
}

static void apiback_read(void *arg, int status)
{
    struct api_work *w = arg;
    if (status)
        api_work_fail(w, status, NULL);
    else
        api_work_done(w, json_object());
}

static const char *apiback_arg(const struct api_work *w, const char *key)
{
    const char *s = json_string_value(json_object_get(w->args, key));
    return s ? s : "";
}

static void apiback_explain(struct api_work *w)
{
    const struct core *c = w->n->core;
    struct err_info info = {.code = 0};
    json_t *out = NULL;
    uint64_t id = 0;
    int rc;
    if (json_object_get(w->args, "call_id"))
        rc = ident_parse(apiback_arg(w, "call_id"), &id) == 0
                 ? core_explain_call(c, id, &out, &info)
                 : err_set(&info, ERR_NOTFOUND, "call_id", "there is no such call");
    else if (json_object_get(w->args, "blacklist"))
        rc =
            core_explain_blacklist(c, apiback_arg(w, "blacklist"), json_is_true(json_object_get(w->args, "out")), &out);
    else if (json_object_get(w->args, "vip"))
        rc = core_explain_vip(c, apiback_arg(w, "vip"), apiback_arg(w, "queue"), &out, &info);
    else
        rc = core_explain_agent(c, apiback_arg(w, "queue"), apiback_arg(w, "agent"), &out, &info);
    struct api_result r = {.code = rc, .text = info.text[0] ? info.text : NULL, .json = out};
    api_work_finish(w, &r);
}

/* ---- operations on the cluster: none without its row in the audit trail */

static char *apiback_text(const struct api_work *w, const char *key)
{
    return (char *)(uintptr_t)apiback_arg(w, key);
}

static int apiback_trace(struct api_work *w, int code, node_done_fn *done, void *ctx)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__ClusterOperation op = EV__CLUSTER_OPERATION__INIT;
    cmd.body_case = EV__COMMAND__BODY_CLUSTER_OPERATION;
    cmd.cluster_operation = &op;
    cmd.actor = w->actor;
    cmd.origin = w->origin;
    op.action = w->op == API_OP_NODE_ADD      ? EV__CLUSTER_OPERATION__ACTION__NODE_ADD
                : w->op == API_OP_NODE_REMOVE ? EV__CLUSTER_OPERATION__ACTION__NODE_REMOVE
                                              : EV__CLUSTER_OPERATION__ACTION__TRANSFER;
    op.node = apiback_text(w, w->op == API_OP_CLUSTER_TRANSFER ? "to" : "name");
    op.address = apiback_text(w, "address");
    op.code = code;
    return node_propose(w->n, &cmd, w->timeout_ms, done, ctx);
}

static int apiback_operate(struct api_work *w)
{
    struct node *n = w->n;
    const char *name = apiback_text(w, "name"), *to = json_string_value(json_object_get(w->args, "to"));
    if (w->op == API_OP_NODE_ADD)
        return repl_add(n->repl, name, apiback_text(w, "address"), apiback_member, w);
    if (w->op == API_OP_NODE_REMOVE)
        return repl_remove(n->repl, name, apiback_member, w);
    return repl_transfer(n->repl, to, apiback_member, w);
}

static void apiback_operation_traced(void *ctx, int status, const struct core_answer *a)
{
    struct api_work *w = ctx;
    if (status || a->code) {
        api_work_fail(w, status ? status : a->code, a && a->text[0] ? a->text : NULL);
        return;
    }
    int rc = w->n->stopping ? ERR_CLOSED : apiback_operate(w);
    if (rc)
        apiback_member(w, rc, 0, NULL);
}

static int apiback_blob_fetch(struct api_work *w)
{
    const char *name = apiback_text(w, "sha256");
    if (!blobnet_has(w->n, name))
        return blobnet_fetch(w->n, name, true, apiback_read, w);
    apiback_read(w, 0);
    return 0;
}

static int apiback_mp3(struct api_work *w)
{
    uint64_t id = 0;
    int rc = ident_parse(apiback_text(w, "recording_id"), &id);
    return rc ? rc : recordings_mp3(w->n, id, apiback_read, w);
}

static void apiback_recording_verified(void *ctx, const struct recordings_verified *v)
{
    struct api_work *w = ctx;
    json_t *files = json_array();
    bool ok = true;
    for (unsigned i = 0; files && i < v->n; i++) {
        const char *fault = v->file[i].fault;
        ok = ok && !fault[0];
        if (json_array_append_new(files, json_pack("{s:s, s:s, s:I, s:o}", "format", v->file[i].format, "sha256",
                                                   v->file[i].sha256, "bytes", (json_int_t)v->file[i].bytes, "fault",
                                                   fault[0] ? json_string(fault) : json_null())) != 0)
            ok = false;
    }
    api_work_done(w, json_pack("{s:s, s:s, s:b, s:o}", "recording_id", apiback_text(w, "recording_id"), "node",
                               w->n->cfg.name, "ok", ok, "files", files));
}

static int apiback_verify_recording(struct api_work *w)
{
    uint64_t id = 0;
    int rc = ident_parse(apiback_text(w, "recording_id"), &id);
    return rc ? rc : recordings_verify(w->n, id, apiback_recording_verified, w);
}

static void apiback_call_core(struct node *n, void *ctx)
{
    struct api_work *w = ctx;
    bool local = w->op == API_OP_CLUSTER_STATUS || w->op == API_OP_NODE_STATUS || w->op == API_OP_EXPLAIN ||
                 w->op == API_OP_BLOB_FETCH || w->op == API_OP_RECORDING_VERIFY;
    int rc = local ? 0 : apiback_cut_off(n);
    if (rc) {
        api_work_fail(w, rc, NULL);
        return;
    }
    switch (w->op) {
    case API_OP_CLUSTER_STATUS:
        api_work_done(w, apiback_cluster_status(n));
        break;
    case API_OP_NODE_STATUS:
        api_work_done(w, apiback_node_status(n));
        break;
    case API_OP_CLUSTER_VERIFY:
        rc = replica_verify(n, w->timeout_ms, apiback_verified, w);
        break;
    case API_OP_CLUSTER_TRANSFER:
    case API_OP_NODE_ADD:
    case API_OP_NODE_REMOVE:
        rc = apiback_trace(w, 0, apiback_operation_traced, w);
        break;
    case API_OP_READ_INDEX:
        rc = repl_read_index(n->repl, apiback_read, w, w->timeout_ms);
        break;
    case API_OP_NODES_NEAREST:
        api_work_done(w, nearest_answer(n, w->args));
        break;
    case API_OP_EXPLAIN:
        apiback_explain(w);
        break;
    case API_OP_BLOB_FETCH:
        rc = apiback_blob_fetch(w);
        break;
    case API_OP_RECORDING_MP3:
        rc = apiback_mp3(w);
        break;
    case API_OP_RECORDING_VERIFY:
        rc = apiback_verify_recording(w);
        break;
    }
    if (rc)
        api_work_fail(w, rc, NULL);
}

static int apiback_call(void *ctx, enum api_op op, json_t *args, const char *actor, const char *origin,
                        unsigned timeout_ms, uint64_t ticket)
{
    struct node *n = ctx;
    struct api_work *w = calloc(1, sizeof *w);
    if (!w)
        return ERR_NOMEM;
    *w = (struct api_work){.n = n, .ticket = ticket, .timeout_ms = timeout_ms, .op = op, .args = args};
    snprintf(w->actor, sizeof w->actor, "%s", actor);
    snprintf(w->origin, sizeof w->origin, "%s", origin);
    const char *what = op == API_OP_NODE_ADD           ? "node add"
                       : op == API_OP_NODE_REMOVE      ? "node remove"
                       : op == API_OP_CLUSTER_TRANSFER ? "cluster transfer"
                                                       : NULL;
    if (what) {
        const char *name = json_string_value(json_object_get(args, op == API_OP_CLUSTER_TRANSFER ? "to" : "name"));
        log_notice("api", "%s from %s: %s %s", actor, origin, what, name ? name : "");
    }
    int rc = node_post(n, apiback_call_core, w);
    if (rc)
        free(w);
    return rc;
}

/* ---- sounds */

struct api_sound {
    struct node *n;
    uint64_t ticket;
    struct sound_result made;
};

static void apiback_sound_answer(struct api_sound *w, int code, const char *text)
{
    struct api_result r = {.code = code, .text = text};
    if (code == 0)
        r.json = json_pack("{s:s, s:I, s:I}", "sha256", w->made.blob, "bytes", (json_int_t)w->made.bytes, "duration_ms",
                           (json_int_t)w->made.duration_ms);
    if (code == 0 && !r.json)
        r.code = ERR_NOMEM;
    if (w->n->api && w->n->api->server)
        api_post_result(w->n->api->server, w->ticket, &r);
    else
        json_decref(r.json);
    free(w);
}

static void apiback_sound_spread(void *ctx, int status)
{
    apiback_sound_answer(ctx, status,
                         status == ERR_NOQUORUM ? "a majority of the nodes could not take the sound" : NULL);
}

/* It is on our disk: now on those of a majority, before anything names it. */
static void apiback_sound_made(void *ctx, const struct sound_result *made)
{
    struct api_sound *w = ctx;
    w->made = *made;
    w->made.prompt = NULL;
    if (made->info.code) {
        apiback_sound_answer(w, made->info.code, w->made.info.text);
        return;
    }
    blobnet_note(w->n, made->blob, true);
    int rc = blobnet_spread(w->n, made->blob, made->bytes, apiback_sound_spread, w);
    if (rc)
        apiback_sound_answer(w, rc, NULL);
}

static int apiback_sound(void *ctx, int fd, const char *language, const char *text, uint64_t ticket)
{
    struct api_sound *w = calloc(1, sizeof *w);
    int own = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
    if (!w || (fd >= 0 && own < 0)) {
        free(w);
        if (own >= 0)
            close(own);
        return ERR_NOMEM;
    }
    w->n = ctx;
    w->ticket = ticket;
    int rc =
        text ? sound_say(w->n, language, text, apiback_sound_made, w) : sound_file(w->n, own, apiback_sound_made, w);
    if (rc) {
        free(w);
        if (own >= 0)
            close(own);
    }
    return rc;
}

static bool apiback_blob_there(void *ctx, const char *sha256)
{
    uint64_t bytes;
    return blobs_size(blobnet_store(ctx), sha256, &bytes) == 0;
}

static int apiback_blob_read(void *ctx, const char *sha256, void **data, size_t *len)
{
    return blobs_get(blobnet_store(ctx), sha256, data, len);
}

static int apiback_sound_bytes(void *ctx, const char *sha256, uint64_t *bytes)
{
    return recordings_sound_bytes(ctx, sha256, bytes);
}

static int apiback_sound_read(void *ctx, const char *sha256, uint64_t id, uint64_t from, size_t count, void **data)
{
    return recordings_sound_read(ctx, sha256, id, from, count, data);
}

static int apiback_prompt_read(void *ctx, const char *language, const char *name, void **data, size_t *len)
{
    const struct node *n = ctx;
    char path[1024];
    struct stat st;
    if (strchr(name, '/') || strchr(language, '/') || name[0] == '.' || language[0] == '.')
        return ERR_NOTFOUND;
    snprintf(path, sizeof path, "%s/%s/%s.wav", n->cfg.prompts, language, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    char *buf = fstat(fd, &st) == 0 && st.st_size <= (off_t)PROMPT_BYTES_MAX ? malloc((size_t)st.st_size + 1) : NULL;
    ssize_t got = buf ? read(fd, buf, (size_t)st.st_size) : -1;
    close(fd);
    if (got < 0) {
        free(buf);
        return ERR_IO;
    }
    *data = buf;
    *len = (size_t)got;
    return 0;
}

/* ---- start and end */

_Static_assert(API_NODE_NAME_MAX == NODE_NAME_MAX, "the API takes the names that node files may have");

static char *apiback_metrics(void *ctx)
{
    return metrics_text(ctx);
}

static bool apiback_ready(void *ctx, const char **why)
{
    return metrics_ready(ctx, why);
}

/* On the API thread: looks at files only, the store of decoded prompts belongs to the core thread. */
static bool apiback_prompt_file(const char *dir, const char *language, const char *name)
{
    char path[1024];
    int n = snprintf(path, sizeof path, "%s/%s/%s.wav", dir, language, name);
    return n > 0 && (size_t)n < sizeof path && access(path, R_OK) == 0;
}

static bool apiback_prompt_exists(void *ctx, const char *language, const char *name)
{
    struct node *n = ctx;
    if (strchr(name, '/') || strchr(language, '/') || name[0] == '.' || language[0] == '.')
        return false;
    if (language[0])
        return apiback_prompt_file(n->cfg.prompts, language, name);
    DIR *d = opendir(n->cfg.prompts);
    bool found = false;
    for (struct dirent *e; d && !found && (e = readdir(d));)
        found = e->d_name[0] != '.' && apiback_prompt_file(n->cfg.prompts, e->d_name, name);
    if (d)
        closedir(d);
    return found;
}

int apiback_start(struct node *n, struct err_info *info)
{
    static struct api_backend backend;
    struct node_api *a = calloc(1, sizeof *a);
    if (!a)
        return ERR_NOMEM;
    a->n = n;
    backend = (struct api_backend){
        .ctx = n,
        .submit = apiback_submit,
        .call = apiback_call,
        .metrics = apiback_metrics,
        .ready = apiback_ready,
        .prompt_exists = apiback_prompt_exists,
        .sound = apiback_sound,
        .blob_there = apiback_blob_there,
        .blob_read = apiback_blob_read,
        .sound_bytes = apiback_sound_bytes,
        .sound_read = apiback_sound_read,
        .prompt_read = apiback_prompt_read,
    };
    char spool[FOLDER_PATH_MAX];
    snprintf(spool, sizeof spool, "%s/blobs", n->cfg.data);
    struct api_config cfg = {
        .node = n->cfg.name,
        .listen_ip = n->cfg.https.ip,
        .port = n->cfg.https.port,
        .cert_file = n->cfg.tls_cert,
        .key_file = n->cfg.tls_key,
        .admin_token = n->cfg.admin_token[0] ? n->cfg.admin_token : NULL,
        .spool = spool,
        .storage = n->st,
        .realm = NODE_REALM,
    };
    n->api = a;
    int rc = api_start(&cfg, &backend, &a->server, info);
    if (rc) {
        n->api = NULL;
        free(a);
    }
    return rc;
}

void apiback_stop(struct node *n)
{
    struct node_api *a = n->api;
    if (!a)
        return;
    struct api_server *server = a->server;
    a->server = NULL;
    api_stop(server);
    n->api = NULL;
    free(a);
}

void node_api_notify(struct node *n, uint64_t index)
{
    if (n->api && n->api->server)
        api_notify(n->api->server, index);
}
