/* The cluster and its nodes: what the replicated state says, merged with what this node's replication sees. */
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/addr.h"

static json_t *find_peer(const json_t *status, const char *name)
{
    size_t i;
    json_t *p;
    json_array_foreach(json_object_get(status, "peers"), i, p)
    {
        const char *n = json_string_value(json_object_get(p, "name"));
        if (n && strcmp(n, name) == 0)
            return p;
    }
    return NULL;
}

static json_t *or_null(json_t *v)
{
    return v ? json_incref(v) : json_null();
}

/* What replication knows of a member; p: NULL when it is none any more. Only the node that answers knows that it is cut off. */
static int add_peer(json_t *row, const json_t *status, const json_t *p)
{
    bool self = json_is_true(json_object_get(p, "self"));
    int err = json_object_set_new(row, "role", or_null(json_object_get(p, "role")));
    err |= json_object_set_new(row, "leader", json_boolean(json_is_true(json_object_get(p, "leader"))));
    err |= json_object_set_new(row, "self", json_boolean(self));
    err |=
        json_object_set_new(row, "isolated", json_boolean(self && json_is_true(json_object_get(status, "isolated"))));
    err |= json_object_set_new(row, "connected", json_boolean(json_is_true(json_object_get(p, "up"))));
    err |= json_object_set_new(row, "rtt_us", or_null(json_object_get(p, "rtt_us")));
    err |= json_object_set_new(row, "match_index", or_null(json_object_get(p, "match_index")));
    return err ? ERR_NOMEM : 0;
}

/* A member whose process has not told about itself yet. */
static json_t *bare_row(const json_t *p)
{
    const char *address = json_string_value(json_object_get(p, "address"));
    return json_pack("{s:O, s:O, s:s, s:[], s:s, s:s, s:s, s:b, s:n, s:i, s:b, s:i, s:[], s:[]}", "name",
                     json_object_get(p, "name"), "node_id", json_object_get(p, "node_id"), "site", "", "sip", "https",
                     "", "peer", address ? address : "", "version", "", "up", 0, "since", "incarnation", 0, "draining",
                     0, "calls", 0, "home_addresses", "held_addresses");
}

/* All nodes, known from either side; NULL and answered when it cannot be had. */
static json_t *all_nodes(struct api_request *q, const json_t *status)
{
    struct view_query vq = {.kind = "node", .limit = VIEW_LIMIT_MAX};
    json_t *page = NULL;
    if (!api_view(q, &vq, &page))
        return NULL;
    json_t *rows = json_incref(json_object_get(page, "items"));
    json_decref(page);
    size_t i;
    json_t *row, *p;
    int err = 0;
    json_array_foreach(rows, i, row)
    {
        const char *name = json_string_value(json_object_get(row, "name"));
        err |= add_peer(row, status, name ? find_peer(status, name) : NULL);
    }
    json_array_foreach(json_object_get(status, "peers"), i, p)
    {
        const char *name = json_string_value(json_object_get(p, "name"));
        bool there = false;
        size_t k;
        json_array_foreach(rows, k, row)
        {
            const char *n = json_string_value(json_object_get(row, "name"));
            there = there || (n && name && strcmp(n, name) == 0);
        }
        if (there || !name)
            continue;
        row = bare_row(p);
        err |= row ? add_peer(row, status, p) : ERR_NOMEM;
        err |= json_array_append_new(rows, row);
    }
    if (err) {
        json_decref(rows);
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
        return NULL;
    }
    return rows;
}

static void on_status(struct api_request *q, const struct api_result *r)
{
    static const char *const names[] = {"cluster_id",    "state",          "leader",     "term",
                                        "has_quorum",    "isolated",       "last_index", "commit_index",
                                        "applied_index", "snapshot_index", "log_bytes",  NULL};
    if (r->code) {
        api_fail_result(q, r);
        return;
    }
    json_t *nodes = all_nodes(q, r->json);
    if (!nodes)
        return;
    const char *why = "";
    bool ready = q->s->be.ready(q->s->be.ctx, &why);
    json_t *out = json_pack("{s:s, s:b, s:s, s:o}", "node", q->s->node, "ready", ready, "reason", ready ? "" : why,
                            "nodes", nodes);
    for (size_t i = 0; out && names[i]; i++) {
        if (json_object_set_new(out, names[i], or_null(json_object_get(r->json, names[i]))) != 0) {
            json_decref(out);
            out = NULL;
        }
    }
    api_reply(q, 200, out);
}

void api_get_cluster(struct api_request *q)
{
    api_operation(q, API_OP_CLUSTER_STATUS, json_object(), on_status);
}

static void on_nodes(struct api_request *q, const struct api_result *r)
{
    if (r->code) {
        api_fail_result(q, r);
        return;
    }
    json_t *nodes = all_nodes(q, r->json);
    if (nodes)
        api_reply(q, 200, json_pack("{s:o, s:n, s:I}", "items", nodes, "next_cursor", "index", (json_int_t)q->index));
}

void api_list_nodes(struct api_request *q)
{
    api_operation(q, API_OP_CLUSTER_STATUS, json_object(), on_nodes);
}

static void on_node(struct api_request *q, const struct api_result *r)
{
    if (r->code) {
        api_fail_result(q, r);
        return;
    }
    json_t *nodes = all_nodes(q, r->json), *row, *found = NULL;
    if (!nodes)
        return;
    size_t i;
    json_array_foreach(nodes, i, row)
    {
        const char *name = json_string_value(json_object_get(row, "name"));
        if (name && strcmp(name, q->params[0]) == 0)
            found = json_incref(row);
    }
    json_decref(nodes);
    if (found)
        api_reply(q, 200, found);
    else
        api_fail_code(q, ERR_NOTFOUND, NULL, "there is no node \"%s\"", q->params[0]);
}

void api_get_node(struct api_request *q)
{
    api_operation(q, API_OP_CLUSTER_STATUS, json_object(), on_node);
}

/* ---- operations whose result is the answer */

static void answer_result(struct api_request *q, const struct api_result *r, int status)
{
    if (r->code)
        api_fail_result(q, r);
    else
        api_reply(q, status, json_incref(r->json));
}

static void on_ok(struct api_request *q, const struct api_result *r)
{
    answer_result(q, r, 200);
}

void api_verify_cluster(struct api_request *q)
{
    api_operation(q, API_OP_CLUSTER_VERIFY, json_object(), on_ok);
}

/* A text field, or NULL; answers when the body has another field or another type. */
static bool read_texts(struct api_request *q, const char *const *names, const char **values)
{
    const char *key;
    json_t *value;
    json_object_foreach(q->json, key, value)
    {
        size_t i = 0;
        while (names[i] && strcmp(names[i], key) != 0)
            i++;
        if (!names[i] || !json_is_string(value) || !json_string_length(value)) {
            api_fail_code(q, ERR_INVAL, key, "%s", names[i] ? "must be text that is not empty" : "unknown field");
            return false;
        }
        values[i] = json_string_value(value);
    }
    return true;
}

void api_transfer(struct api_request *q)
{
    static const char *const names[] = {"to", NULL};
    const char *values[1] = {NULL};
    if (read_texts(q, names, values))
        api_operation(q, API_OP_CLUSTER_TRANSFER, json_pack("{s:s?}", "to", values[0]), on_ok);
}

static void on_added(struct api_request *q, const struct api_result *r)
{
    answer_result(q, r, 202);
}

void api_add_node(struct api_request *q)
{
    static const char *const names[] = {"name", "address", NULL};
    const char *values[2] = {NULL, NULL};
    if (!read_texts(q, names, values))
        return;
    for (unsigned i = 0; i < 2; i++) {
        if (!values[i]) {
            api_fail_code(q, ERR_INVAL, names[i], "is missing");
            return;
        }
    }
    /* As the node file of the new node has to say them. */
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t len = strlen(values[0]);
    struct addr at;
    if (len > API_NODE_NAME_MAX || strspn(values[0], good) != len)
        api_fail_code(q, ERR_INVAL, "name", "must be 1 to %u letters, digits, '-' or '_'", API_NODE_NAME_MAX);
    else if (addr_parse(values[1], &at))
        api_fail_code(q, ERR_INVAL, "address",
                      "must be the node's peer address, \"IP:PORT\" or \"[IPv6]:PORT\", numeric");
    else
        api_operation(q, API_OP_NODE_ADD, json_pack("{s:s, s:s}", "name", values[0], "address", values[1]), on_added);
}

void api_remove_node(struct api_request *q)
{
    api_operation(q, API_OP_NODE_REMOVE, json_pack("{s:s}", "name", q->params[0]), api_on_removed);
}

/* ---- planned moves */

static void on_node_drain(struct api_request *q, const struct api_result *r)
{
    struct view_query vq = {.kind = "node", .key = q->params[0]};
    json_t *node = NULL;
    if (r->code) {
        api_fail_result(q, r);
        return;
    }
    if (!api_view(q, &vq, &node))
        return;
    json_t *out = json_object();
    static const char *const names[] = {"name", "draining", "calls", "home_addresses", "held_addresses", NULL};
    for (size_t i = 0; names[i]; i++)
        (void)json_object_set(out, names[i], json_object_get(node, names[i]));
    json_decref(node);
    api_reply(q, 202, out);
}

static void set_drain(struct api_request *q, bool on)
{
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_NODE_DRAIN);
    Ev__NodeDrain *m = malloc(sizeof *m);
    if (m) {
        ev__node_drain__init(m);
        m->name = strdup(q->params[0]);
        m->on = on;
    }
    if (!cmd || !m || !m->name) {
        free(cmd);
        if (m)
            free(m->name);
        free(m);
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
        return;
    }
    cmd->node_drain = m;
    api_command(q, cmd, on_node_drain);
}

void api_node_drain(struct api_request *q)
{
    set_drain(q, true);
}

void api_node_undrain(struct api_request *q)
{
    set_drain(q, false);
}

static void on_address_moved(struct api_request *q, const struct api_result *r)
{
    struct view_query vq = {.kind = "address", .key = q->params[0]};
    json_t *out = NULL;
    if (r->code)
        api_fail_result(q, r);
    else if (api_view(q, &vq, &out))
        api_reply(q, 202, out);
}

void api_move_address(struct api_request *q)
{
    static const char *const names[] = {"to", NULL};
    const char *values[1] = {NULL};
    if (!read_texts(q, names, values))
        return;
    if (!values[0]) {
        api_fail_code(q, ERR_INVAL, "to", "is missing");
        return;
    }
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_ADDRESS_MOVE);
    Ev__AddressMove *m = malloc(sizeof *m);
    if (m) {
        ev__address_move__init(m);
        m->ip = strdup(q->params[0]);
        m->to = strdup(values[0]);
    }
    if (!cmd || !m || !m->ip || !m->to) {
        free(cmd);
        if (m) {
            free(m->ip);
            free(m->to);
        }
        free(m);
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
        return;
    }
    cmd->address_move = m;
    api_command(q, cmd, on_address_moved);
}

static void on_node_status(struct api_request *q, const struct api_result *r)
{
    if (r->code) {
        api_fail_result(q, r);
        return;
    }
    const char *why = "";
    bool ready = q->s->be.ready(q->s->be.ctx, &why);
    json_t *out = json_copy(r->json);
    if (out && (json_object_set_new(out, "name", json_string(q->s->node)) != 0 ||
                json_object_set_new(out, "ready", json_boolean(ready)) != 0 ||
                json_object_set_new(out, "reason", json_string(ready ? "" : why)) != 0)) {
        json_decref(out);
        out = NULL;
    }
    api_reply(q, 200, out);
}

void api_node_status(struct api_request *q)
{
    if (strcmp(q->params[0], q->s->node) == 0) {
        api_operation(q, API_OP_NODE_STATUS, json_object(), on_node_status);
        return;
    }
    struct view_query vq = {.kind = "node", .key = q->params[0]};
    json_t *row = NULL;
    if (!api_view(q, &vq, &row))
        return;
    const char *https = json_string_value(json_object_get(row, "https"));
    struct err_info info;
    err_set(&info, ERR_UNSUPPORTED, "", "a node answers this for itself only: ask https://%s", https ? https : "");
    json_decref(row);
    api_fail_status(q, 421, &info);
}
