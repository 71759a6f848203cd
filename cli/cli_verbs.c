/* Verbs that do more than one request, or show their answer in a way of their own. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/version.h"
#include "cli/cli_run.h"

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s && *s ? s : "-";
}

static json_int_t int_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

/* ---- cluster */

static unsigned nodes_down(const json_t *cluster)
{
    unsigned n = 0;
    size_t i;
    json_t *node;
    json_array_foreach(json_object_get(cluster, "nodes"), i, node) n += !json_is_true(json_object_get(node, "up"));
    return n;
}

static int print_cluster(struct cli_run *r, const json_t *c)
{
    if (r->out.format == CLI_JSON)
        return cli_out_json(&r->out, c);
    if (r->out.format != CLI_CSV) {
        bool quorum = json_is_true(json_object_get(c, "has_quorum")), ready = json_is_true(json_object_get(c, "ready"));
        char *leader = cli_out_safe(text_of(c, "leader")), *reason = cli_out_safe(text_of(c, "reason"));
        unsigned down = nodes_down(c);
        fprintf(r->out.to, "cluster %s as node %s sees it\n", text_of(c, "cluster_id"), text_of(c, "node"));
        fprintf(r->out.to, "leader %s, term %lld, quorum %s, applied %lld of %lld\n", leader ? leader : "?",
                (long long)int_of(c, "term"), quorum ? "yes" : "NO", (long long)int_of(c, "applied_index"),
                (long long)int_of(c, "commit_index"));
        if (json_is_true(json_object_get(c, "isolated")))
            fprintf(r->out.to, "node %s is cut off from the majority: others carry its calls on\n", text_of(c, "node"));
        else if (!ready)
            fprintf(r->out.to, "node %s takes no calls: %s\n", text_of(c, "node"), reason ? reason : "?");
        if (down)
            fprintf(r->out.to, "%u of %zu nodes down\n", down, json_array_size(json_object_get(c, "nodes")));
        fputc('\n', r->out.to);
        free(leader);
        free(reason);
    }
    return cli_out_list(&r->out, json_object_get(c, "nodes"), r->verb->columns, "no nodes");
}

int cli_run_cluster_status(struct cli_run *r)
{
    json_t *c = NULL;
    char *target = cli_run_target(r, r->verb->path);
    int rc = target ? cli_run_get(r, target, &c, NULL) : CLI_EXIT_ERROR;
    if (rc == CLI_EXIT_OK)
        rc = cli_run_printed(print_cluster(r, c));
    if (rc == CLI_EXIT_OK && !json_is_true(json_object_get(c, "has_quorum")))
        rc = CLI_EXIT_NOQUORUM;
    else if (rc == CLI_EXIT_OK && (nodes_down(c) > 0 || !json_is_string(json_object_get(c, "leader"))))
        rc = CLI_EXIT_UNHEALTHY;
    json_decref(c);
    free(target);
    return rc;
}

int cli_run_cluster_verify(struct cli_run *r)
{
    if (r->dry_run)
        return cli_run_would(r, r->verb->method, r->verb->path, NULL);
    struct cli_reply reply;
    const struct cli_http_request q = {.method = r->verb->method, .target = r->verb->path};
    int rc = cli_run_request(r, &q, NULL, &reply);
    if (rc)
        return rc;
    json_t *v = cli_run_parse(&reply), *nodes = json_object_get(v, "nodes"), *node;
    bool well = json_is_true(json_object_get(v, "equal"));
    size_t i;
    json_array_foreach(nodes, i, node) well = well && json_is_true(json_object_get(node, "ok"));
    if (r->out.format == CLI_JSON) {
        rc = cli_run_printed(cli_out_json(&r->out, v));
    } else {
        if (r->out.format != CLI_CSV)
            fprintf(r->out.to, "%s at index %lld\n\n",
                    well ? "all nodes hold the same state" : "NOT all nodes are shown equal",
                    (long long)int_of(v, "index"));
        rc = cli_run_printed(cli_out_list(&r->out, nodes, r->verb->columns, "no nodes"));
    }
    json_decref(v);
    cli_reply_free(&reply);
    return rc ? rc : well ? CLI_EXIT_OK : CLI_EXIT_UNHEALTHY;
}

/* A node tells of its inside itself: its address comes from the cluster, the question goes there. */
int cli_run_node_status(struct cli_run *r)
{
    json_t *node = NULL, *status = NULL;
    char *target = cli_run_target(r, "/v1/nodes/{NAME}"), *there = cli_run_target(r, r->verb->path);
    int rc = target && there ? cli_run_get(r, target, &node, NULL) : CLI_EXIT_ERROR;
    if (rc == CLI_EXIT_OK) {
        const char *https = json_string_value(json_object_get(node, "https"));
        struct cli_reply reply;
        const struct cli_http_request q = {.method = "GET", .target = there, .server = https && *https ? https : NULL};
        rc = cli_run_request(r, &q, NULL, &reply);
        if (rc == CLI_EXIT_OK) {
            status = cli_run_parse(&reply);
            rc = cli_run_printed(status ? cli_out_object(&r->out, status) : ERR_INVAL);
            cli_reply_free(&reply);
        }
    }
    json_decref(node);
    json_decref(status);
    free(target);
    free(there);
    return rc;
}

/* Shows on stderr what is still left there whenever that changes. */
static int wait_drained(struct cli_run *r)
{
    const struct timespec pause = {0, 200000000};
    json_int_t calls = -1;
    size_t addresses = 0;
    char *target = cli_run_target(r, "/v1/nodes/{NAME}");
    int rc = target ? CLI_EXIT_OK : CLI_EXIT_ERROR;
    while (rc == CLI_EXIT_OK) {
        json_t *node = NULL;
        rc = cli_run_get(r, target, &node, NULL);
        if (rc)
            break;
        size_t held = json_array_size(json_object_get(node, "held_addresses"));
        bool drains = json_is_true(json_object_get(node, "draining")), up = json_is_true(json_object_get(node, "up"));
        if (int_of(node, "calls") != calls || held != addresses) {
            calls = int_of(node, "calls");
            addresses = held;
            fprintf(stderr, "%lld calls and %zu addresses left\n", (long long)calls, addresses);
        }
        json_decref(node);
        if ((calls == 0 && addresses == 0) || !up)
            break;
        if (!drains) {
            fprintf(stderr, "ccctl: node %s was taken into service again meanwhile\n", r->args->args[0]);
            rc = CLI_EXIT_CONFLICT;
        } else if (nanosleep(&pause, NULL) && r->stop && *r->stop) {
            rc = CLI_EXIT_OK + 130;
        }
    }
    free(target);
    return rc;
}

static bool drains_already(struct cli_run *r)
{
    json_t *node = NULL;
    char *target = cli_run_target(r, "/v1/nodes/{NAME}");
    bool yes =
        target && cli_run_get(r, target, &node, NULL) == CLI_EXIT_OK && json_is_true(json_object_get(node, "draining"));
    json_decref(node);
    free(target);
    return yes;
}

int cli_run_node_drain(struct cli_run *r)
{
    bool wait = cli_args_given(r->args, "wait");
    char *target = cli_run_target(r, r->verb->path);
    struct cli_reply reply;
    const struct cli_http_request q = {.method = r->verb->method, .target = target};
    int rc = target ? CLI_EXIT_OK : CLI_EXIT_ERROR;
    json_t *node = NULL;
    if (rc == CLI_EXIT_OK && r->dry_run) {
        rc = cli_run_would(r, q.method, target, NULL);
        goto out;
    }
    if (rc == CLI_EXIT_OK)
        rc = cli_run_try(r, &q, &reply);
    if (rc)
        goto out;
    node = cli_run_parse(&reply);
    if (reply.status >= 300 && !(wait && reply.status == 409 && drains_already(r)))
        rc = cli_run_refused(r, &reply, NULL);
    cli_reply_free(&reply);
    if (rc == CLI_EXIT_OK && wait)
        rc = wait_drained(r);
    if (rc == CLI_EXIT_OK)
        rc = cli_run_done(r, wait ? NULL : node);
out:
    json_decref(node);
    free(target);
    return rc;
}

/* ---- queue */

int cli_run_queue_status(struct cli_run *r)
{
    if (r->args->n_args == 0) {
        struct cli_verb all = *r->verb;
        struct cli_run list = *r;
        all.path = "/v1/queues";
        list.verb = &all;
        return cli_run_list(&list);
    }
    json_t *q = NULL;
    char *target = cli_run_target(r, r->verb->path);
    int rc = target ? cli_run_get(r, target, &q, NULL) : CLI_EXIT_ERROR;
    if (rc == CLI_EXIT_OK && (r->out.format == CLI_JSON || r->out.format == CLI_CSV)) {
        rc = cli_run_printed(cli_out_object(&r->out, q));
    } else if (rc == CLI_EXIT_OK) {
        json_t *one = json_pack("[O]", q);
        rc = cli_run_printed(cli_out_list(
            &r->out, one,
            "NAME=name WAITING=waiting LONGEST=longest_wait_ms/ms ESTIMATE=estimated_wait_s AVAILABLE=available "
            "TALKING=talking LOGGED-IN=logged_in STRATEGY=strategy",
            NULL));
        fputs("\nwaiting\n", r->out.to);
        if (rc == CLI_EXIT_OK)
            rc = cli_run_printed(cli_out_list(&r->out, json_object_get(q, "entries"),
                                              "POSITION=position CALL=call_id CALLER=caller CALLBACK=callback/yes "
                                              "HOME=home ESTIMATE=estimated_wait_s FOR=queued_at/age "
                                              "STATE=state/state PRIORITY=priority VIP=vip/yes",
                                              "nobody"));
        fputs("\nagents\n", r->out.to);
        if (rc == CLI_EXIT_OK)
            rc = cli_run_printed(
                cli_out_list(&r->out, json_object_get(q, "agents"),
                             "NUMBER=number NAME=name STATE=state/state FOR=since/age REASON=reason LEVEL=level "
                             "EXTENSION=extension_in_use CALL=call_id ANSWERED=answered",
                             "none"));
        json_decref(one);
    }
    json_decref(q);
    free(target);
    return rc;
}

/* Sentences, and for a caller who waits the members with what keeps each of them. */
int cli_run_explain(struct cli_run *r)
{
    json_t *e = NULL, *line;
    size_t i;
    char *target = cli_run_target(r, r->verb->path);
    int rc = target ? cli_run_get(r, target, &e, NULL) : CLI_EXIT_ERROR;
    free(target);
    if (rc)
        return rc;
    if (r->out.format == CLI_JSON || r->out.format == CLI_CSV) {
        rc = cli_run_printed(cli_out_object(&r->out, e));
        json_decref(e);
        return rc;
    }
    json_array_foreach(json_object_get(e, "lines"), i, line)
    {
        char *safe = cli_out_safe(json_string_value(line) ? json_string_value(line) : "");
        fprintf(r->out.to, "%s\n", safe ? safe : "?");
        free(safe);
    }
    json_t *agents = json_object_get(e, "agents");
    if (json_array_size(agents)) {
        fputc('\n', r->out.to);
        rc = cli_run_printed(cli_out_list(&r->out, agents, r->verb->columns, "none"));
    }
    json_decref(e);
    return rc;
}

/* ---- token */

static bool make_secret(char secret[72], char hash[65])
{
    unsigned char raw[32], digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
        return false;
    memcpy(secret, "evl_", 5);
    for (unsigned i = 0; i < sizeof raw; i++)
        sprintf(secret + 4 + 2 * i, "%02x", raw[i]);
    explicit_bzero(raw, sizeof raw);
    if (EVP_Digest(secret, strlen(secret), digest, &len, EVP_sha256(), NULL) != 1 || len != 32)
        return false;
    for (unsigned i = 0; i < len; i++)
        sprintf(hash + 2 * i, "%02x", digest[i]);
    return true;
}

/* The secret is made here and only its hash is sent: it exists nowhere but on our standard output. */
int cli_run_token_create(struct cli_run *r)
{
    char secret[72], hash[65];
    const char *role = cli_args_value(r->args, "role"), *agent = cli_args_value(r->args, "agent");
    if (!make_secret(secret, hash)) {
        fprintf(stderr, "ccctl: no random numbers to be had\n");
        return CLI_EXIT_ERROR;
    }
    char *target = cli_run_target(r, r->verb->path), *text = NULL;
    json_t *body = json_pack("{s:s,s:s}", "role", role ? role : "read", "sha256", hash), *object = NULL;
    int rc = CLI_EXIT_ERROR;
    if (!target || !body || (agent && json_object_set_new(body, "agent", json_string(agent)) != 0) ||
        !(text = json_dumps(body, JSON_COMPACT)))
        goto out;
    if (r->dry_run) {
        rc = cli_run_would(r, "PUT", target, body);
        goto out;
    }
    struct cli_reply reply;
    const struct cli_http_request q = {.method = "PUT", .target = target, .body = text, .if_match = "!*"};
    rc = cli_run_request(r, &q, NULL, &reply);
    if (rc == CLI_EXIT_OK) {
        object = cli_run_parse(&reply);
        if (r->out.format == CLI_JSON && object && json_object_set_new(object, "secret", json_string(secret)) == 0) {
            rc = cli_run_printed(cli_out_json(&r->out, object));
        } else {
            fprintf(r->out.to, "%s\n", secret);
            fprintf(stderr, "token %s created; keep the line above, it cannot be shown again\n", r->args->args[0]);
        }
        cli_reply_free(&reply);
    }
out:
    explicit_bzero(secret, sizeof secret);
    json_decref(object);
    json_decref(body);
    free(text);
    free(target);
    return rc;
}

/* ---- this program */

int cli_run_version(struct cli_run *r)
{
    if (r->out.format == CLI_JSON)
        fprintf(r->out.to, "{\n  \"version\": \"%s\"\n}\n", EVERLINE_VERSION);
    else
        fprintf(r->out.to, "ccctl %s\n", EVERLINE_VERSION);
    return CLI_EXIT_OK;
}
