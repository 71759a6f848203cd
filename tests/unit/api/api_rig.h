/* An API server over a real core and storage; commands are applied at once by a thread that plays the core thread. */
#ifndef TESTS_API_RIG_H
#define TESTS_API_RIG_H

#include <check.h>
#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/api.h"
#include "base/list.h"
#include "core/core.h"
#include "core/explain.h"
#include "storage/storage.h"
#include "tests/folder.h"

#define RIG __attribute__((unused)) static
#define RIG_ADMIN "admin-token-0123456789"

struct rig_job {
    struct list_node link;
    Ev__Command *cmd; /* or an operation */
    enum api_op op;
    json_t *args;
    uint64_t ticket;
};

struct rig {
    char dir[128], cert[160], key[160];
    struct storage *st;
    struct core *core;
    struct api_server *api;
    uint64_t index, seq;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct list_node jobs; /* under lock */
    bool stop;             /* under lock */
    bool silent;           /* under lock: never answer */
    int op_code;           /* under lock: what operations answer */
    bool busy;             /* under lock: refuse at once */
    bool not_ready, isolated;
    char last_actor[80], last_key[256]; /* under lock: of the last command */
    char last_op[256];     /* under lock: arguments of the last operation */
};

/* ---- the node's part */

RIG json_t *rig_op_answer(const struct rig *r, const struct rig_job *j)
{
    switch (j->op) {
    case API_OP_CLUSTER_STATUS:
        return json_pack("{s:s, s:s, s:i, s:b, s:b, s:n, s:i, s:i, s:i, s:i, s:i, s:[{s:s, s:i, s:s, s:s, s:b, s:b, s:b, s:n, s:i},"
                         "{s:s, s:i, s:s, s:s, s:b, s:b, s:b, s:i, s:n}]}",
                         "state", "leader", "leader", "n1", "term", 3, "has_quorum", 1, "isolated", r->isolated,
                         "cluster_id", "last_index", 9, "commit_index", 9, "applied_index", 9, "snapshot_index", 0, "log_bytes", 4096, "peers", "name", "n1", "node_id", 1,
                         "address", "127.0.0.1:7400", "role", "voter", "self", 1, "leader", 1, "up", 1, "rtt_us", "match_index", 9,
                         "name", "n2", "node_id", 2, "address", "127.0.0.2:7400", "role", "spare", "self", 0, "leader", 0, "up", 0,
                         "rtt_us", 120, "match_index");
    case API_OP_CLUSTER_VERIFY:
        return json_pack("{s:i, s:b, s:[{s:s, s:i, s:n, s:b, s:s}]}", "index", 7, "equal", 0, "nodes", "name", "n1", "index", 7,
                         "digest", "ok", 0, "error", "not reachable");
    case API_OP_CLUSTER_TRANSFER:
        return json_pack("{s:s}", "leader", "n2");
    case API_OP_NODE_ADD:
        return json_pack("{s:s, s:i, s:s}", "name", "n4", "node_id", 4, "detail", "joins as a spare");
    case API_OP_NODE_STATUS:
        return json_pack("{s:i, s:s, s:i, s:[{s:s, s:i}], s:[{s:s, s:i, s:i, s:i}], s:{s:i, s:i, s:i, s:i}, s:{s:i}}", "node_id", 1,
                         "version", "0.1.0", "uptime_s", 5, "threads", "name", "core", "cpu_us", 10, "queues", "name", "api",
                         "length", 0, "capacity", 10, "refused", 0, "disk", "data_bytes", 1, "free_bytes", 2, "log_bytes", 3,
                         "database_bytes", 4, "counters", "calls", 0);
    case API_OP_NODES_NEAREST:
        return json_pack("{s:s, s:O, s:s, s:[{s:s, s:s, s:b, s:b, s:b, s:b, s:i, s:i, s:[s], s:s, s:s},"
                         "{s:s, s:s, s:b, s:b, s:b, s:b, s:n, s:i, s:[s], s:s, s:s}]}",
                         "node", "n1", "site", json_object_get(j->args, "site"), "own_site", "north", "items", "name", "n1", "site",
                         "north", "self", 1, "up", 1, "draining", 0, "same_site", 1, "rtt_us", 0, "calls", 3, "sip", "192.0.2.1:5060",
                         "https", "192.0.2.1:8443", "reason", "same site", "name", "n2", "site", "south", "self", 0, "up", 1,
                         "draining", 0, "same_site", 0, "rtt_us", "calls", 0, "sip", "[2001:db8::2]:5060", "https", "[2001:db8::2]:8443",
                         "reason", "another site");
    case API_OP_EXPLAIN: {
        json_t *out = NULL;
        const char *queue = json_string_value(json_object_get(j->args, "queue"));
        const char *black = json_string_value(json_object_get(j->args, "blacklist"));
        const char *vip = json_string_value(json_object_get(j->args, "vip"));
        int err = black ? core_explain_blacklist(r->core, black, json_is_true(json_object_get(j->args, "out")), &out)
                  : vip ? core_explain_vip(r->core, vip, queue, &out, NULL)
                  : queue ? core_explain_agent(r->core, queue, json_string_value(json_object_get(j->args, "agent")), &out, NULL)
                        : core_explain_call(r->core, 7, &out, NULL);
        return err ? json_object() : out;
    }
    case API_OP_NODE_REMOVE:
    case API_OP_READ_INDEX:
    case API_OP_BLOB_FETCH:
    case API_OP_RECORDING_MP3:
    case API_OP_RECORDING_VERIFY:
        break;
    }
    return json_object();
}

RIG int rig_apply(struct rig *r, Ev__Command *cmd, struct api_result *res, char **json)
{
    static char text[256], field[128];
    static uint64_t now = 1700000000ull * 1000000;
    void *data;
    size_t len;
    if (!cmd->time_us)
        cmd->time_us = (now += 1000);
    if (core_pack(cmd, &data, &len) != 0)
        return ERR_NOMEM;
    struct core_item it = {.origin = 1, .incarnation = 1, .seq = ++r->seq, .data = data, .len = len};
    struct core_answer *a = NULL;
    if (core_apply(r->core, ++r->index, 1, &it, 1, &a) != 0)
        abort();
    free(data);
    snprintf(text, sizeof text, "%s", a->text);
    snprintf(field, sizeof field, "%s", a->field);
    *json = a->json ? strdup(a->json) : NULL;
    *res = (struct api_result){.code = a->code, .text = text, .field = field, .index = a->index, .version = a->version, .json_text = *json};
    core_apply_done(r->core);
    return 0;
}

RIG void *rig_main(void *arg)
{
    struct rig *r = arg;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        while (list_empty(&r->jobs) && !r->stop)
            pthread_cond_wait(&r->wake, &r->lock);
        if (list_empty(&r->jobs))
            break;
        struct rig_job *j = list_entry(r->jobs.next, struct rig_job, link);
        list_del(&j->link);
        bool silent = r->silent;
        int code = r->op_code;
        pthread_mutex_unlock(&r->lock);
        struct api_result res = {.code = code};
        char *json = NULL;
        if (j->cmd && !code)
            (void)rig_apply(r, j->cmd, &res, &json);
        else if (!j->cmd && !code)
            res.json = rig_op_answer(r, j);
        uint64_t index = core_applied_index(r->core);
        if (silent)
            json_decref(res.json);
        else
            api_post_result(r->api, j->ticket, &res);
        api_notify(r->api, index);
        free(json);
        if (j->cmd)
            ev__command__free_unpacked(j->cmd, NULL);
        json_decref(j->args);
        free(j);
        pthread_mutex_lock(&r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

RIG int rig_queue(struct rig *r, struct rig_job job)
{
    pthread_mutex_lock(&r->lock);
    bool busy = r->busy;
    struct rig_job *j = busy ? NULL : malloc(sizeof *j);
    if (j) {
        *j = job;
        list_push_back(&r->jobs, &j->link);
        pthread_cond_signal(&r->wake);
    }
    pthread_mutex_unlock(&r->lock);
    return j ? 0 : ERR_BUSY;
}

RIG int rig_submit(void *ctx, Ev__Command *cmd, unsigned timeout_ms, uint64_t ticket)
{
    struct rig *r = ctx;
    (void)timeout_ms;
    pthread_mutex_lock(&r->lock);
    snprintf(r->last_actor, sizeof r->last_actor, "%s", cmd->actor);
    snprintf(r->last_key, sizeof r->last_key, "%s", cmd->idem_key);
    pthread_mutex_unlock(&r->lock);
    return rig_queue(r, (struct rig_job){.cmd = cmd, .ticket = ticket});
}

RIG int rig_call(void *ctx, enum api_op op, json_t *args, const char *actor, const char *origin, unsigned timeout_ms, uint64_t ticket)
{
    struct rig *r = ctx;
    (void)actor;
    (void)origin;
    (void)timeout_ms;
    char *text = json_dumps(args, JSON_COMPACT | JSON_SORT_KEYS);
    pthread_mutex_lock(&r->lock);
    snprintf(r->last_op, sizeof r->last_op, "%s", text ? text : "");
    pthread_mutex_unlock(&r->lock);
    free(text);
    return rig_queue(r, (struct rig_job){.op = op, .args = args, .ticket = ticket});
}

RIG char *rig_metrics(void *ctx)
{
    (void)ctx;
    return strdup("# HELP everline_calls Live calls.\n# TYPE everline_calls gauge\neverline_calls 0\n");
}

RIG bool rig_ready(void *ctx, const char **why)
{
    const struct rig *r = ctx;
    *why = r->not_ready ? "no quorum for 3 s" : "";
    return !r->not_ready;
}

RIG bool rig_prompt(void *ctx, const char *language, const char *name)
{
    (void)ctx;
    (void)language;
    return strcmp(name, "nothing") != 0;
}

/* A sound is what the file's first bytes or the text are: "bad..." is none. It is made at once, as if a majority had it. */
RIG int rig_sound(void *ctx, int fd, const char *language, const char *text, uint64_t ticket)
{
    struct rig *r = ctx;
    char what[64] = "";
    if (strcmp(language, "xx") == 0)
        return ERR_INVAL;
    if (fd >= 0 && pread(fd, what, sizeof what - 1, 0) < 0)
        return ERR_IO;
    snprintf(r->last_op, sizeof r->last_op, "%s", text ? text : what);
    struct api_result res = {.code = strncmp(r->last_op, "bad", 3) == 0 ? ERR_INVAL : 0, .text = "not a sound file"};
    char sha256[65];
    memset(sha256, r->last_op[0] & 1 ? 'a' : 'b', 64);
    sha256[64] = '\0';
    if (!res.code)
        res.json = json_pack("{s:s, s:i, s:i}", "sha256", sha256, "bytes", 1234, "duration_ms", 77);
    api_post_result(r->api, ticket, &res);
    return 0;
}

RIG bool rig_blob_there(void *ctx, const char *sha256)
{
    (void)ctx;
    return sha256[0] != 'c';
}

RIG int rig_blob_read(void *ctx, const char *sha256, void **data, size_t *len)
{
    (void)ctx;
    *data = strdup(sha256);
    *len = 64;
    return 0;
}

/* As many bytes as its name has digits, of one that begins with e 150,000, all the last digit of the id. */
RIG int rig_sound_bytes(void *ctx, const char *sha256, uint64_t *bytes)
{
    (void)ctx;
    *bytes = sha256[0] == 'e' ? 150000 : strlen(sha256);
    return sha256[0] == 'd' ? ERR_DENIED : 0;
}

RIG int rig_sound_read(void *ctx, const char *sha256, uint64_t id, uint64_t from, size_t count, void **data)
{
    (void)ctx;
    (void)sha256;
    *data = malloc(count + 1);
    if (!*data)
        return ERR_NOMEM;
    memset(*data, (int)('0' + (id + from) % 10), count);
    return 0;
}

RIG int rig_prompt_read(void *ctx, const char *language, const char *name, void **data, size_t *len)
{
    (void)ctx;
    if (strcmp(language, "zh") != 0 || strcmp(name, "welcome") != 0)
        return ERR_NOTFOUND;
    *data = strdup("built in");
    *len = 8;
    return 0;
}

/* ---- certificate */

RIG void rig_certificate(const char *cert, const char *key)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    ck_assert(pkey && x);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"n1", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_set_pubkey(x, pkey);
    ck_assert_int_gt(X509_sign(x, pkey, EVP_sha256()), 0);
    FILE *f = fopen(cert, "w");
    ck_assert(f && PEM_write_X509(f, x) == 1);
    fclose(f);
    f = fopen(key, "w");
    ck_assert(f && PEM_write_PrivateKey(f, pkey, NULL, NULL, 0, NULL, NULL) == 1);
    fclose(f);
    X509_free(x);
    EVP_PKEY_free(pkey);
}

/* ---- life */

RIG size_t rig_answers_max; /* of the server that is opened next */

RIG void rig_open(struct rig *r, unsigned idle_s, unsigned timeout_ms)
{
    const struct core_hooks hooks = {NULL, NULL};
    struct err_info info = {0};
    memset(r, 0, sizeof *r);
    const char *base = getenv("TMPDIR");
    snprintf(r->dir, sizeof r->dir, "%s/everline-api-XXXXXX", base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(r->dir));
    snprintf(r->cert, sizeof r->cert, "%s/cert.pem", r->dir);
    snprintf(r->key, sizeof r->key, "%s/key.pem", r->dir);
    rig_certificate(r->cert, r->key);
    ck_assert_msg(storage_open(r->dir, &r->st, &info) == 0, "%s", info.text);
    ck_assert_msg(core_open(r->st, &hooks, &r->core, &info) == 0, "%s", info.text);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->wake, NULL);
    list_init(&r->jobs);
    const struct api_config cfg = {.node = "n1", .listen_ip = "127.0.0.1", .cert_file = r->cert, .key_file = r->key,
                                   .admin_token = RIG_ADMIN, .spool = r->dir, .storage = r->st, .realm = "everline",
                                   .command_timeout_ms = timeout_ms, .idle_s = idle_s, .answers_max = rig_answers_max};
    const struct api_backend be = {.ctx = r, .submit = rig_submit, .call = rig_call, .metrics = rig_metrics, .ready = rig_ready,
                                   .prompt_exists = rig_prompt, .sound = rig_sound, .blob_there = rig_blob_there,
                                   .blob_read = rig_blob_read, .sound_bytes = rig_sound_bytes,
                                   .sound_read = rig_sound_read, .prompt_read = rig_prompt_read};
    ck_assert_msg(api_start(&cfg, &be, &r->api, &info) == 0, "%s", info.text);
    ck_assert_int_eq(pthread_create(&r->thread, NULL, rig_main, r), 0);
}

RIG void rig_close(struct rig *r)
{
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    api_stop(r->api);
    core_close(r->core);
    storage_close(r->st);
    folder_remove(r->dir);
}

/* A command of the node itself, applied before the clients come. */
RIG void rig_seed(struct rig *r, Ev__Command *cmd)
{
    struct api_result res;
    char *json = NULL;
    cmd->actor = (char *)(uintptr_t) "node:n1";
    cmd->node = (char *)(uintptr_t) "n1";
    pthread_mutex_lock(&r->lock); /* the core's thread waits meanwhile */
    ck_assert_int_eq(rig_apply(r, cmd, &res, &json), 0);
    pthread_mutex_unlock(&r->lock);
    free(json);
    ck_assert_msg(res.code == 0, "%s", res.text);
}

/* A cluster of one node, which can do all that this program can. */
RIG void rig_newest(struct rig *r)
{
    Ev__Command up = EV__COMMAND__INIT, cmd = EV__COMMAND__INIT;
    Ev__NodeUp node = EV__NODE_UP__INIT;
    Ev__FeatureLevel level = EV__FEATURE_LEVEL__INIT;
    node.name = (char *)(uintptr_t) "n1";
    node.node_id = node.incarnation = 1;
    node.max_feature_level = CORE_FEATURE_LEVEL;
    up.body_case = EV__COMMAND__BODY_NODE_UP;
    up.node_up = &node;
    rig_seed(r, &up);
    level.level = CORE_FEATURE_LEVEL;
    cmd.body_case = EV__COMMAND__BODY_FEATURE;
    cmd.feature = &level;
    rig_seed(r, &cmd);
}

/* ---- a client */

struct answer {
    long status;
    char *body;
    size_t len;
    char head[4096];
    json_t *json; /* of the body, or NULL */
};

RIG size_t rig_take_body(char *p, size_t size, size_t n, void *ctx)
{
    struct answer *a = ctx;
    char *grown = realloc(a->body, a->len + size * n + 1);
    ck_assert_ptr_nonnull(grown);
    a->body = grown;
    memcpy(a->body + a->len, p, size * n);
    a->len += size * n;
    a->body[a->len] = '\0';
    return size * n;
}

RIG size_t rig_take_head(char *p, size_t size, size_t n, void *ctx)
{
    struct answer *a = ctx;
    size_t at = strlen(a->head);
    if (at + size * n < sizeof a->head)
        memcpy(a->head + at, p, size * n);
    return size * n;
}

/* `headers`: lines parted by \n, or NULL. `token`: NULL for none. The answer stays until the next request. */
RIG const struct answer *rig_ask(struct rig *r, const char *token, const char *method, const char *path, const char *headers,
                                 const char *body, size_t len)
{
    static struct answer a;
    char url[1024], line[512];
    free(a.body);
    json_decref(a.json);
    memset(&a, 0, sizeof a);
    CURL *c = curl_easy_init();
    struct curl_slist *list = NULL;
    snprintf(url, sizeof url, "https://127.0.0.1:%u%s", api_port(r->api), path);
    if (token) {
        snprintf(line, sizeof line, "Authorization: Bearer %s", token);
        list = curl_slist_append(list, line);
    }
    for (const char *p = headers; p && *p;) {
        size_t n = strcspn(p, "\n");
        snprintf(line, sizeof line, "%.*s", (int)n, p);
        list = curl_slist_append(list, line);
        p += n + (p[n] == '\n');
    }
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
    if (body) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)len);
    }
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, rig_take_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &a);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, rig_take_head);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, &a);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 30000L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    CURLcode rc = curl_easy_perform(c);
    if (rc == CURLE_OK)
        curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &a.status);
    curl_slist_free_all(list);
    curl_easy_cleanup(c);
    if (a.body)
        a.json = json_loadb(a.body, a.len, 0, NULL);
    return &a;
}

#define JSON_TYPE "Content-Type: application/json"
#define YAML_TYPE "Content-Type: application/yaml"

RIG const struct answer *rig_get(struct rig *r, const char *path)
{
    return rig_ask(r, RIG_ADMIN, "GET", path, NULL, NULL, 0);
}
RIG const struct answer *rig_send(struct rig *r, const char *method, const char *path, const char *json)
{
    return rig_ask(r, RIG_ADMIN, method, path, JSON_TYPE, json, strlen(json));
}
RIG const struct answer *rig_apply_yaml(struct rig *r, const char *path, const char *yaml)
{
    return rig_ask(r, RIG_ADMIN, "POST", path, YAML_TYPE, yaml, strlen(yaml));
}

/* Value of a header of the answer, "" if there is none. */
RIG const char *rig_header(const struct answer *a, const char *name)
{
    static char value[256];
    size_t n = strlen(name);
    value[0] = '\0';
    for (const char *p = a->head; *p; p += strcspn(p, "\n") + 1) {
        if (strncasecmp(p, name, n) == 0 && p[n] == ':') {
            p += n + 1 + strspn(p + n + 1, " ");
            snprintf(value, sizeof value, "%.*s", (int)strcspn(p, "\r\n"), p);
        }
        if (!strchr(p, '\n'))
            break;
    }
    return value;
}

RIG const char *rig_text(const struct answer *a, const char *field)
{
    const char *s = json_string_value(json_object_get(a->json, field));
    return s ? s : "";
}
RIG long long rig_int(const struct answer *a, const char *field)
{
    return (long long)json_integer_value(json_object_get(a->json, field));
}

#define ck_status(a, want)                                                                                   \
    do {                                                                                                     \
        const struct answer *a_ = (a);                                                                       \
        ck_assert_msg(a_->status == (want), "status %ld, not %d: %s", a_->status, (want), a_->body ? a_->body : ""); \
    } while (0)

#endif
