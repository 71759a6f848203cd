/* REGISTER from phones: bindings are replicated before the 200 goes out, so every node can reach the phone. */
#include "node/registrar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "node/flow.h"
#include "node/node.h"

#define REGISTRAR_BINDINGS_MAX 10u

struct registration {
    struct node *n;
    struct sip_reg *reg;
    char extension[64];
};

static void registrar_list(struct node *n, struct sip_reg *reg, const char *extension)
{
    struct core_binding rows[REGISTRAR_BINDINGS_MAX];
    struct sip_binding out[REGISTRAR_BINDINGS_MAX];
    uint64_t now = node_time_us(n);
    size_t count = core_bindings(n->core, extension, rows, REGISTRAR_BINDINGS_MAX), live = 0;
    for (size_t i = 0; i < count && i < REGISTRAR_BINDINGS_MAX; i++) {
        if (rows[i].expires_us <= now)
            continue;
        uint64_t left_s = (rows[i].expires_us - now + 999999u) / 1000000u;
        const char *instance = rows[i].instance && rows[i].instance[0] ? rows[i].instance : NULL;
        out[live++] = (struct sip_binding){rows[i].uri, (uint32_t)left_s, instance, rows[i].reg_id};
    }
    sip_register_reply(reg, 200, NULL, 0, out, live);
}

static void registrar_done(void *ctx, int status, const struct core_answer *a)
{
    struct registration *r = ctx;
    int code = status ? status : a->code;
    if (!r->n->ua) { /* this node stops: the request has gone with the endpoint */
        free(r);
        return;
    }
    if (code == 0) {
        registrar_list(r->n, r->reg, r->extension);
    } else {
        log_info("sip", "registration of %s refused: %s", r->extension, status ? err_text(status) : a->text);
        if (code == ERR_STALE)
            sip_register_reply(r->reg, 400, "Outdated CSeq", 0, NULL, 0);
        else if (code == ERR_NOTFOUND)
            sip_register_reply(r->reg, 404, NULL, 0, NULL, 0);
        else if (code == ERR_TOOBIG || code == ERR_RANGE)
            sip_register_reply(r->reg, 403, "Too Many Contacts", 0, NULL, 0);
        else
            sip_register_reply(r->reg, 503, NULL, 2, NULL, 0);
    }
    free(r);
}

void registrar_on_register(struct node *n, struct sip_reg *reg, const struct sip_register_info *info)
{
    if (info->n_contacts == 0 && !info->star) {
        registrar_list(n, reg, info->user);
        return;
    }
    struct registration *r = calloc(1, sizeof *r);
    Ev__RegisterBinding rows[REGISTRAR_BINDINGS_MAX], *row_ptrs[REGISTRAR_BINDINGS_MAX];
    if (!r) {
        sip_register_reply(reg, 503, NULL, 2, NULL, 0);
        return;
    }
    if (info->n_contacts > REGISTRAR_BINDINGS_MAX) {
        sip_register_reply(reg, 403, "Too Many Contacts", 0, NULL, 0);
        free(r);
        return;
    }
    r->n = n;
    r->reg = reg;
    snprintf(r->extension, sizeof r->extension, "%s", info->user);
    uint64_t now = node_time_us(n);
    for (size_t i = 0; i < info->n_contacts; i++) {
        ev__register_binding__init(&rows[i]);
        rows[i].uri = (char *)(uintptr_t)info->contacts[i].uri;
        if (info->contacts[i].instance)
            rows[i].instance = (char *)(uintptr_t)info->contacts[i].instance;
        rows[i].reg_id = info->contacts[i].reg_id;
        rows[i].expires_us = info->contacts[i].expires_s ? now + (uint64_t)info->contacts[i].expires_s * 1000000u : 0;
        row_ptrs[i] = &rows[i];
    }
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__Register reg_cmd = EV__REGISTER__INIT;
    cmd.body_case = EV__COMMAND__BODY_REGISTER;
    cmd.register_ = &reg_cmd;
    reg_cmd.extension = r->extension;
    reg_cmd.call_id = (char *)(uintptr_t)info->call_id;
    reg_cmd.cseq = info->cseq;
    reg_cmd.node = n->cfg.name;
    reg_cmd.flow = (char *)(uintptr_t)info->flow;
    reg_cmd.user_agent = (char *)(uintptr_t)info->user_agent;
    reg_cmd.events = (char *)(uintptr_t)info->events;
    char through[FLOW_ROUTE_MAX], *path = NULL;
    flow_path(n, info, through);
    if (through[0] && info->path && asprintf(&path, "%s, %s", through, info->path) >= 0)
        reg_cmd.path = path;
    else if (through[0])
        reg_cmd.path = through;
    else if (info->path)
        reg_cmd.path = (char *)(uintptr_t)info->path;
    reg_cmd.remove_all = info->star;
    reg_cmd.bindings = row_ptrs;
    reg_cmd.n_bindings = info->n_contacts;
    int rc = node_propose(n, &cmd, 3000, registrar_done, r);
    free(path);
    if (rc) {
        sip_register_reply(reg, 503, NULL, 2, NULL, 0);
        free(r);
    }
}
