/* Nodes: who is up, and what is left behind by one that is not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"

struct node *core_node_obj(const struct core *c, const char *name)
{
    return map_get(&c->nodes, name);
}

const struct core_node *core_node(const struct core *c, const char *name)
{
    const struct node *n = core_node_obj(c, name);
    return n ? &n->pub : NULL;
}

const struct core_node *core_node_next(const struct core *c, const struct core_node *after)
{
    size_t i = 0;
    if (after) {
        while (i < c->n_nodes && &c->node_list[i]->pub != after)
            i++;
        i++;
    }
    return i < c->n_nodes ? &c->node_list[i]->pub : NULL;
}

void core_node_publish(struct node *n)
{
    const Ev__NodeUp *m = n->msg;
    struct core_node *p = &n->pub;
    p->name = m->name;
    p->site = m->site;
    p->https = m->https;
    p->peer = m->peer;
    p->version = m->version;
    p->node_id = m->node_id;
    p->incarnation = m->incarnation;
    p->clock_us = m->clock_us;
    p->n_sip = m->n_sip < 8 ? m->n_sip : 8;
    for (size_t i = 0; i < p->n_sip; i++)
        p->sip[i] = m->sip[i];
    p->n_service = m->n_service_ip < 8 ? m->n_service_ip : 8;
    for (size_t i = 0; i < p->n_service; i++)
        p->service_ip[i] = m->service_ip[i];
    p->draining = n->draining;
}

void core_node_link(struct core *c, struct node *n)
{
    if (map_set(&c->nodes, n->msg->name, n) != 0)
        core_oom();
    c->node_list = core_grow(c->node_list, (c->n_nodes + 1) * sizeof(struct node *));
    size_t at = c->n_nodes++;
    for (; at > 0 && strcmp(c->node_list[at - 1]->msg->name, n->msg->name) > 0; at--)
        c->node_list[at] = c->node_list[at - 1];
    c->node_list[at] = n;
}

void core_node_free(struct node *n)
{
    list_del(&n->dirty);
    ev__node_up__free_unpacked(n->msg, NULL);
    free(n);
}

void core_node_touch(struct core *c, struct node *n, const char *event)
{
    if (list_empty(&n->dirty))
        list_push_back(&c->dirty_nodes, &n->dirty);
    core_tell(c, CORE_EV_NODE, 0, "", n->msg->name);
    if (!event)
        return;
    struct sbuf *b = core_ev_begin(c, event, "node", n->msg->name);
    sbuf_kv(b, "node", n->msg->name);
    sbuf_kv(b, "site", n->msg->site);
    sbuf_kv_uint(b, "incarnation", n->msg->incarnation);
    core_ev_end(c);
}

int core_node_up(struct core *c, const Ev__NodeUp *m)
{
    if (!core_fits(m->name, CORE_NAME_MAX))
        return core_refuse(c, ERR_INVAL, "name", "a node's name has 1 to %u bytes", CORE_NAME_MAX - 1);
    struct node *n = core_node_obj(c, m->name);
    /* A node that was removed and added again has a higher id, and counts its processes from one. */
    bool older =
        n && (m->node_id < n->msg->node_id || (m->node_id == n->msg->node_id && m->incarnation < n->msg->incarnation));
    bool other = n && (m->node_id != n->msg->node_id || m->incarnation != n->msg->incarnation);
    if (older)
        return core_refuse(c, ERR_STALE, "incarnation", "a newer process of node %.64s is known", m->name);
    if (core_addresses_check(c, m))
        return c->ans->code;
    if (!n) {
        n = core_alloc(sizeof *n);
        list_init(&n->dirty);
        n->pub.since_us = c->now_us;
    }
    bool fresh = !n->msg;
    uint64_t clock_us = fresh ? c->cmd->clock_us : n->msg->clock_us; /* told with this command, or in vain */
    bool came = fresh || !n->pub.up || other;
    size_t len;
    const uint8_t *p = core_packed(c, &m->base, &len);
    Ev__NodeUp *copy = ev__node_up__unpack(NULL, len, p);
    if (!copy)
        core_oom();
    if (n->msg)
        ev__node_up__free_unpacked(n->msg, NULL);
    n->msg = copy;
    n->msg->clock_us = clock_us;
    if (fresh)
        core_node_link(c, n);
    n->pub.up = true;
    if (came)
        n->pub.since_us = c->now_us;
    core_node_publish(n);
    core_node_touch(c, n, came ? "node.up" : NULL);
    core_addresses_of(c, n->msg, other);
    core_calls_come_back(c, n->msg->name, other);
    core_records_come_back(c, n->msg->name);
    core_deliveries_come_back(c, n->msg->name);
    return 0;
}

int core_node_down(struct core *c, const Ev__NodeDown *m)
{
    struct node *n = core_node_obj(c, m->name);
    if (!n)
        return core_refuse(c, ERR_NOTFOUND, "name", "there is no node %.64s", m->name);
    if (m->incarnation != n->msg->incarnation)
        return core_refuse(c, ERR_STALE, "incarnation", "another process of node %.64s is meant", m->name);
    if (m->term && m->term != c->term)
        return core_refuse(c, ERR_STALE, "term", "declared in term %llu by a leader that leads no more",
                           (unsigned long long)m->term);
    if (!n->pub.up)
        return core_refuse(c, ERR_STALE, "name", "node %.64s is down already", m->name);
    n->pub.up = false;
    n->pub.since_us = c->now_us;
    core_node_touch(c, n, "node.down");
    core_take_over_from(c, m->name);
    return 0;
}

int core_node_forget(struct core *c, const Ev__NodeForget *m)
{
    struct node *n = core_node_obj(c, m->name);
    if (!n)
        return core_refuse(c, ERR_NOTFOUND, "name", "there is no node %.64s", m->name);
    /* Only NodeDown takes calls from a node, for it alone waits until the lease is over. One that is up again may have been heard
     * since by another leader than the one that proposed this. */
    if (n->pub.up)
        return core_refuse(c, ERR_BADSTATE, "name", "node %.64s is up", m->name);
    core_take_over_from(c, m->name); /* what nobody was there to take */
    core_addresses_adopt(c, m->name);
    core_node_touch(c, n, NULL);
    const struct storage_val v = storage_text(m->name);
    storage_run(c->st, STORAGE_NODE_DEL, &v, 1);
    (void)map_del(&c->nodes, m->name);
    size_t at = 0;
    while (c->node_list[at] != n)
        at++;
    for (c->n_nodes--; at < c->n_nodes; at++)
        c->node_list[at] = c->node_list[at + 1];
    core_node_free(n);
    return 0;
}

int core_cluster_init(struct core *c, const Ev__ClusterInit *m)
{
    if (c->has_cluster)
        return core_refuse(c, ERR_EXISTS, "", "the cluster has been initialised");
    if (strlen(m->cluster_id) != 32 || strspn(m->cluster_id, "0123456789abcdef") != 32)
        return core_refuse(c, ERR_INVAL, "cluster_id", "32 hexadecimal digits are needed");
    if (m->nonce_key.len != 32 || m->identifier_key.len != 32)
        return core_refuse(c, ERR_INVAL, "nonce_key", "keys have 32 bytes");
    memcpy(c->cluster_id, m->cluster_id, 33);
    memcpy(c->nonce_key, m->nonce_key.data, 32);
    memcpy(c->identifier_key, m->identifier_key.data, 32);
    c->has_cluster = true;
    const struct storage_val v[] = {storage_text(c->cluster_id), storage_blob(c->nonce_key, 32),
                                    storage_blob(c->identifier_key, 32)};
    storage_run(c->st, STORAGE_CLUSTER_PUT, v, 3);
    return 0;
}

int core_feature(struct core *c, const Ev__FeatureLevel *m)
{
    if (m->level <= c->feature_level)
        return core_refuse(c, ERR_STALE, "level", "the feature level is %llu", (unsigned long long)c->feature_level);
    /* Decided by what the nodes said, never by what this program knows: the answer must be the same everywhere. */
    if (c->n_nodes == 0)
        return core_refuse(c, ERR_BADSTATE, "level", "no node has come up yet");
    for (size_t i = 0; i < c->n_nodes; i++) {
        if (c->node_list[i]->msg->max_feature_level < m->level)
            return core_refuse(c, ERR_CONFLICT, "level", "node %.64s knows feature level %u at most",
                               c->node_list[i]->msg->name, c->node_list[i]->msg->max_feature_level);
    }
    c->feature_level = m->level;
    if (m->level > CORE_FEATURE_LEVEL)
        c->stop = ERR_UNSUPPORTED;
    return 0;
}

int core_cluster_operation(struct core *c, const Ev__ClusterOperation *m)
{
    static const char *const actions[] = {"node.add", "node.remove", "cluster.transfer"};
    if ((unsigned)m->action >= sizeof actions / sizeof actions[0])
        return core_refuse(c, ERR_INVAL, "action", "there is no such operation");
    bool any = m->action == EV__CLUSTER_OPERATION__ACTION__TRANSFER && !m->node[0];
    if (!any && !core_fits(m->node, CORE_NAME_MAX))
        return core_refuse(c, ERR_INVAL, "node", "a node's name has 1 to %u bytes", CORE_NAME_MAX - 1);
    const char *action = actions[m->action];
    char object[CORE_NAME_MAX + 8] = "cluster";
    if (!any)
        (void)snprintf(object, sizeof object, "node/%s", m->node);
    struct sbuf after = {0};
    if (m->address[0]) {
        sbuf_add(&after, "{", 1);
        sbuf_kv(&after, "address", m->address);
        sbuf_add(&after, "}", 1);
    }
    core_audit(c, action, object, NULL, after.p, m->code);
    sbuf_free(&after);
    struct sbuf *b = core_ev_begin(c, "cluster.operation", any ? "cluster" : "node", any ? c->cluster_id : m->node);
    sbuf_kv(b, "action", action);
    sbuf_kv(b, "node", m->node);
    sbuf_kv(b, "actor", c->cmd->actor);
    sbuf_kv(b, "code", err_name(m->code));
    core_ev_end(c);
    return 0;
}
