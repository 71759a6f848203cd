#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "node/lease.h"
#include "node/node.h"

struct proposal {
    struct repl_req req;
    node_done_fn *done;
    void *ctx;
};

static void proposal_finished(struct repl_req *req, int status, const void *answer)
{
    struct proposal *p = (struct proposal *)req;
    if (p->done)
        p->done(p->ctx, status, status == 0 ? answer : NULL);
    free(p);
}

static bool proposal_is_call(const Ev__Command *cmd)
{
    return cmd->body_case >= EV__COMMAND__BODY_CALL_START && cmd->body_case <= EV__COMMAND__BODY_CALL_MOVE;
}

int node_propose(struct node *n, Ev__Command *cmd, unsigned timeout_ms, node_done_fn *done, void *ctx)
{
    return node_propose_later(n, cmd, timeout_ms, 0, done, ctx);
}

int node_propose_later(struct node *n, Ev__Command *cmd, unsigned timeout_ms, unsigned patience_ms, node_done_fn *done,
                       void *ctx)
{
    if (!n->repl || n->stopping)
        return ERR_CLOSED;
    if (proposal_is_call(cmd) && (cmd->body_case == EV__COMMAND__BODY_CALL_START ? !node_may_act(n) : lease_gone(n)))
        return ERR_NOQUORUM;
    uint32_t level = core_feature_of(cmd);
    if (level > 1 && level > core_feature_common(n->core))
        return ERR_CONFLICT; /* a node with an older program would stop at it */
    char actor[NODE_NAME_MAX + 8];
    snprintf(actor, sizeof actor, "node:%s", n->cfg.name);
    char *old_actor = cmd->actor, *old_origin = cmd->origin, *old_node = cmd->node;
    if (!cmd->actor || !cmd->actor[0])
        cmd->actor = actor;
    if (!cmd->origin || !cmd->origin[0])
        cmd->origin = n->cfg.name;
    cmd->node = n->cfg.name;
    cmd->time_us = node_time_us(n);
    cmd->clock_us = node_clock_us(n);
    cmd->feature_level = level > core_feature_level(n->core) ? level : core_feature_level(n->core);

    void *data = NULL;
    size_t len = 0;
    int rc = core_pack(cmd, &data, &len);
    cmd->actor = old_actor;
    cmd->origin = old_origin;
    cmd->node = old_node;
    if (rc)
        return rc;
    struct proposal *p = calloc(1, sizeof *p);
    if (!p) {
        free(data);
        return ERR_NOMEM;
    }
    p->req.cb = proposal_finished;
    p->done = done;
    p->ctx = ctx;
    rc = repl_propose_later(n->repl, &p->req, data, len, timeout_ms, patience_ms);
    free(data);
    if (rc)
        free(p);
    return rc;
}

static void proposal_log(void *ctx, int status, const struct core_answer *a)
{
    const char *what = ctx;
    if (status)
        log_warn("node", "%s: not committed: %s", what, err_text(status));
    else if (a->code)
        log_warn("node", "%s: refused: %s", what, a->text[0] ? a->text : err_text(a->code));
}

void node_propose_quietly(struct node *n, Ev__Command *cmd, const char *what)
{
    int rc = node_propose(n, cmd, 0, proposal_log, (void *)(uintptr_t)what);
    if (rc)
        log_warn("node", "%s: not proposed: %s", what, err_text(rc));
}
