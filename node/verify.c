/* Compares the state of all nodes: a marker is committed, each node computes the digest of its tables at that index and
 * reports it to the node that asked. */
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "base/log.h"
#include "node/ident.h"
#include "node/replica.h"
#include "storage/storage.h"

#define VERIFY_PEERS_MAX 64u

struct verify_request {
    struct list_node link;
    struct verify *v;
    char id[40]; /* "<asker's node id in hex>-<random>" */
    uv_timer_t timer;
    replica_verify_fn *done;
    void *ctx;
    json_t *reports; /* name -> report */
    size_t expected;
    bool marking, finished, closed; /* the mark is not answered yet; `done` was called; the timer's handle is closed */
};

struct verify {
    struct node *n;
    struct list_node requests;
};

struct verify *verify_new(struct node *n)
{
    struct verify *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->n = n;
    list_init(&v->requests);
    return v;
}

static void verify_request_closed(uv_handle_t *h)
{
    struct verify_request *q = h->data;
    json_decref(q->reports);
    q->reports = NULL;
    q->closed = true;
    if (!q->marking)
        free(q);
}

static void verify_finish(struct verify_request *q, int status, json_t *result)
{
    q->finished = true;
    list_del(&q->link);
    uv_timer_stop(&q->timer);
    q->done(q->ctx, status, result);
    uv_close((uv_handle_t *)&q->timer, verify_request_closed);
}

void verify_free(struct verify *v)
{
    if (!v)
        return;
    list_foreach_safe(it, &v->requests)
        verify_finish(list_entry(it, struct verify_request, link), ERR_CLOSED, NULL);
    uv_run(&v->n->loop, UV_RUN_NOWAIT);
    free(v);
}

/* ---- computing ours */

struct verify_job {
    struct node *n;
    struct node_posted post;
    char request[40];
    int status;
    struct storage_digest digest;
};

static char *verify_hex(const uint8_t sha[32], char out[65])
{
    for (int i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", sha[i]);
    return out;
}

static json_t *verify_report(const struct verify_job *j)
{
    char hex[65];
    json_t *tables = json_object();
    for (unsigned i = 0; j->status == 0 && i < j->digest.n; i++)
        json_object_set_new(tables, j->digest.tables[i].table,
                            json_string(verify_hex(j->digest.tables[i].sha256, hex)));
    return json_pack("{s:s,s:s,s:s,s:I,s:o?,s:o,s:o?}", "type", "digest", "request", j->request, "name", j->n->cfg.name,
                     "index", (json_int_t)j->digest.index, "digest",
                     j->status ? NULL : json_string(verify_hex(j->digest.sha256, hex)), "tables", tables, "error",
                     j->status ? json_string(err_text(j->status)) : NULL);
}

static void verify_job_done(struct node *n, void *ctx)
{
    struct verify_job *j = ctx;
    if (!n->repl) { /* stopping: nobody waits any more */
        free(j);
        return;
    }
    json_t *report = verify_report(j);
    uint64_t asker = strtoull(j->request, NULL, 16);
    if (report && asker == repl_id(n->repl)) {
        verify_on_report(replica_verifier(n), asker, report);
    } else if (report) {
        char *text = json_dumps(report, JSON_COMPACT);
        if (!text || repl_send(n->repl, asker, text, strlen(text)))
            log_info("node", "digest asked for by a node that is gone");
        free(text);
    }
    json_decref(report);
    free(j);
}

static void verify_job_computed(void *arg, int status, const struct storage_digest *digest)
{
    struct verify_job *j = arg;
    j->status = status;
    if (status == 0)
        j->digest = *digest;
    node_post_lend(j->n, &j->post, verify_job_done, j);
}

/* Runs right after the commit of the marked entry, before the next one: every node pins the same state. */
void verify_on_mark(struct verify *v, const char *request)
{
    struct verify_job *j = calloc(1, sizeof *j);
    if (!j)
        return;
    j->n = v->n;
    snprintf(j->request, sizeof j->request, "%s", request);
    int rc = storage_digest_begin(v->n->st, verify_job_computed, j);
    if (rc)
        verify_job_computed(j, rc, NULL);
}

/* ---- gathering */

static json_t *verify_different_tables(const json_t *mine, const json_t *theirs)
{
    json_t *out = json_array();
    const char *table;
    json_t *hash;
    json_object_foreach(json_object_get(mine, "tables"), table, hash)
    {
        if (!json_equal(hash, json_object_get(json_object_get(theirs, "tables"), table)))
            json_array_append_new(out, json_string(table));
    }
    return out;
}

static json_t *verify_row(const struct verify_request *q, const struct repl_peer_info *p, const json_t *mine,
                          bool *equal)
{
    const json_t *r = json_object_get(q->reports, p->name);
    if (!r) {
        *equal = false;
        return json_pack("{s:s,s:n,s:n,s:b,s:s,s:[]}", "name", p->name, "index", "digest", "ok", 0, "error",
                         p->up ? "no answer" : "not connected", "different_tables");
    }
    json_t *digest = json_object_get(r, "digest");
    bool same = digest && json_is_string(digest) && json_equal(digest, json_object_get(mine, "digest"));
    *equal &= same;
    return json_pack("{s:s,s:O,s:O,s:b,s:O,s:o}", "name", p->name, "index", json_object_get(r, "index"), "digest",
                     digest, "ok", same, "error", json_object_get(r, "error"), "different_tables",
                     verify_different_tables(mine, r));
}

static void verify_answer(struct verify_request *q)
{
    struct node *n = q->v->n;
    const json_t *mine = json_object_get(q->reports, n->cfg.name);
    if (!mine) {
        verify_finish(q, ERR_TIMEOUT, NULL);
        return;
    }
    struct repl_peer_info peers[VERIFY_PEERS_MAX];
    size_t count = repl_peers(n->repl, peers, VERIFY_PEERS_MAX);
    bool equal = true;
    json_t *rows = json_array();
    for (size_t i = 0; i < count && i < VERIFY_PEERS_MAX; i++)
        json_array_append_new(rows, verify_row(q, &peers[i], mine, &equal));
    verify_finish(q, 0,
                  json_pack("{s:O,s:b,s:o}", "index", json_object_get(mine, "index"), "equal", equal, "nodes", rows));
}

void verify_on_report(struct verify *v, uint64_t peer, const json_t *report)
{
    (void)peer; /* the mesh has proven who it is; the name in the report is what is shown */
    const char *id = json_string_value(json_object_get(report, "request"));
    const char *name = json_string_value(json_object_get(report, "name"));
    list_foreach_safe(it, &v->requests) {
        struct verify_request *q = list_entry(it, struct verify_request, link);
        if (!id || !name || strcmp(q->id, id) != 0)
            continue;
        json_object_set(q->reports, name, (json_t *)(uintptr_t)report);
        if (json_object_size(q->reports) >= q->expected)
            verify_answer(q);
        return;
    }
}

static void verify_timeout(uv_timer_t *t)
{
    verify_answer(t->data);
}

static void verify_marked(void *ctx, int status, const struct core_answer *a)
{
    struct verify_request *q = ctx;
    int rc = status ? status : a->code;
    q->marking = false;
    if (q->closed)
        free(q);
    else if (rc && !q->finished)
        verify_finish(q, rc, NULL);
}

int replica_verify(struct node *n, unsigned timeout_ms, replica_verify_fn *done, void *ctx)
{
    struct verify *v = replica_verifier(n);
    uint64_t random;
    struct verify_request *q = calloc(1, sizeof *q);
    if (!q || !(q->reports = json_object()) || RAND_bytes((unsigned char *)&random, sizeof random) != 1) {
        if (q)
            json_decref(q->reports);
        free(q);
        return ERR_NOMEM;
    }
    q->v = v;
    q->done = done;
    q->ctx = ctx;
    char tail[17];
    snprintf(q->id, sizeof q->id, "%llx-%s", (unsigned long long)repl_id(n->repl), ident_text(random, tail));
    struct repl_peer_info peers[VERIFY_PEERS_MAX];
    size_t count = repl_peers(n->repl, peers, VERIFY_PEERS_MAX);
    for (size_t i = 0; i < count && i < VERIFY_PEERS_MAX; i++)
        q->expected += peers[i].self || peers[i].up; /* the others cannot answer: not waited for */
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__DigestMark mark = EV__DIGEST_MARK__INIT;
    cmd.body_case = EV__COMMAND__BODY_DIGEST_MARK;
    cmd.digest_mark = &mark;
    mark.request_id = q->id;
    unsigned wait_ms = timeout_ms ? timeout_ms : 10000u;
    int rc = node_propose(n, &cmd, wait_ms / 2u, verify_marked, q);
    if (rc) {
        json_decref(q->reports);
        free(q);
        return rc;
    }
    q->marking = true;
    uv_timer_init(&n->loop, &q->timer);
    q->timer.data = q;
    uv_timer_start(&q->timer, verify_timeout, wait_ms, 0);
    list_push_back(&v->requests, &q->link);
    return 0;
}
