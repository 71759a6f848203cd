#include "node/edge.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "node/call.h"
#include "node/flow.h"
#include "node/lease.h"
#include "node/registrar.h"
#include "node/watch.h"
#include "telephony/sip.h"

/* Who a sender is. An extension with a static contact is known by its address; one with a password must show it, also from
 * an address that a trunk covers: else anybody there could call as that extension. */
static enum sip_identity edge_identify(void *ctx, const struct sockaddr *source, const char *from_user,
                                       const char **trunk, const char **user)
{
    struct node *n = ctx;
    const Ev__Extension *by_address = core_extension_of(n->core, source, from_user);
    if (by_address && !by_address->disabled) {
        *user = by_address->number;
        return SIP_ID_STATIC_PHONE;
    }
    const Ev__Extension *named = core_extension(n->core, from_user);
    if (named && (named->disabled || (named->ha1_md5 && named->ha1_md5[0])))
        return SIP_ID_PHONE; /* a disabled one has no password that fits: edge_get_ha1 */
    const Ev__Trunk *t = core_trunk_of(n->core, source);
    if (t && !t->disabled) {
        *trunk = t->name;
        return SIP_ID_TRUNK;
    }
    return SIP_ID_PHONE; /* strangers get the same challenge as phones: nothing is told about who exists */
}

static int edge_get_ha1(void *ctx, const char *user, const char *algorithm, char out[65])
{
    struct node *n = ctx;
    const Ev__Extension *e = core_extension(n->core, user);
    if (!e || e->disabled)
        return ERR_NOTFOUND;
    const char *ha1 = strcmp(algorithm, "MD5") == 0       ? e->ha1_md5
                      : strcmp(algorithm, "SHA-256") == 0 ? e->ha1_sha256
                                                          : NULL;
    if (!ha1 || !ha1[0] || strlen(ha1) > 64)
        return ERR_NOTFOUND;
    strcpy(out, ha1);
    return 0;
}

static int edge_overloaded(void *ctx, const char **why)
{
    return node_refusal(ctx, why);
}

static void edge_on_invite(void *ctx, struct sip_leg *leg, const struct sip_invite_info *info)
{
    struct node *n = ctx;
    calls_on_invite(n->calls, leg, info);
}

static void edge_on_register(void *ctx, struct sip_reg *reg, const struct sip_register_info *info)
{
    registrar_on_register(ctx, reg, info);
}

static void edge_on_subscribe(void *ctx, struct sip_subscribe *s, const struct sip_subscribe_info *info)
{
    watch_on_subscribe(ctx, s, info);
}

static bool edge_may_act(void *ctx)
{
    return node_may_act(ctx);
}

int edge_start(struct node *n, struct err_info *info)
{
    struct sip_config cfg = {
        .realm = NODE_REALM,
        .product = "Everline/" EVERLINE_VERSION,
        .session_expires_s = core_parameter_number(n->core, "session_expires_s", 1800),
        .min_se_s = core_parameter_number(n->core, "min_se_s", 90),
    };
    uint8_t identifier_key[32];
    char cluster[33];
    if (!core_secrets(n->core, cfg.nonce_key, identifier_key, cluster))
        return err_set(info, ERR_BADSTATE, "", "the cluster's secrets are not known yet");
    size_t room = sizeof cfg.listen / sizeof *cfg.listen, used = 0;
    for (unsigned i = 0; i < n->cfg.n_sip; i++) {
        const struct addr *at = &n->cfg.sip[i];
        if (node_config_service(&n->cfg, at->ip))
            continue; /* when the cluster says that it is here (address.c) */
        if (used < room)
            cfg.listen[used++] = (struct sip_listen){at->ip, at->port};
        else
            log_warn("sip", "%s is not used: there is room for %zu addresses", at->text, room);
    }
    struct sip_handler handler = {
        .ctx = n,
        .identify = edge_identify,
        .get_ha1 = edge_get_ha1,
        .overloaded = edge_overloaded,
        .may_act = edge_may_act,
        .on_invite = edge_on_invite,
        .on_register = edge_on_register,
        .on_subscribe = edge_on_subscribe,
    };
    int rc = sip_ua_start(n->root, &cfg, &handler, &n->ua, info);
    if (rc)
        return rc;
    struct sip_edge_handler flows;
    flow_edge_handler(n, &flows);
    sip_ua_set_edge(n->ua, &flows);
    return 0;
}
