/* Which of the other nodes are alive, and what a leader does about those that are not. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "node/replica_int.h"

#define REPLICA_WATCH_MS 10u

void replica_note_dead(struct node_replica *r, uint64_t id, bool up, uint64_t dead)
{
    if (dead && map_set_u64(&r->dead, id, (void *)(uintptr_t)dead))
        log_warn("node", "out of memory");
    else if (!dead && up)
        (void)map_del_u64(&r->dead, id);
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

void replica_watch(struct node *n)
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
