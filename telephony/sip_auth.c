/* Challenges (401, 407) and checks of digest credentials. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "telephony/sip_int.h"

#define PARAM_SIZE 256

struct credentials {
    char user[PARAM_SIZE], nonce[PARAM_SIZE], uri[1024], response[DIGEST_HEX_MAX + 1], cnonce[PARAM_SIZE], nc[16],
        qop[16];
    enum digest_alg alg;
};

static uint64_t now_s(void)
{
    return clock_wall_now().us / 1000000u;
}

bool sip_auth_param(const msg_param_t *params, const char *name, char *out, size_t size)
{
    const char *v = msg_params_find(params, name);
    if (!v)
        return false;
    size_t n = 0;
    bool quoted = *v == '"';
    for (v += quoted; *v && !(quoted && *v == '"'); v++) {
        if (quoted && *v == '\\' && v[1])
            v++;
        if (n + 1 >= size)
            return false;
        out[n++] = *v;
    }
    out[n] = '\0';
    return true;
}

/* The credentials for our realm with an algorithm of ours. A client may send one header per challenge. */
static bool find_credentials(const struct sip_ua *ua, const sip_auth_t *au, struct credentials *c)
{
    for (; au; au = (const sip_auth_t *)au->au_next) {
        char realm[PARAM_SIZE], alg[32] = "";
        if (!au->au_scheme || strcasecmp(au->au_scheme, "Digest") != 0 || !au->au_params ||
            !sip_auth_param(au->au_params, "realm=", realm, sizeof realm) || strcmp(realm, ua->realm) != 0)
            continue;
        if (!sip_auth_param(au->au_params, "algorithm=", alg, sizeof alg))
            alg[0] = '\0';
        if (digest_alg_parse(alg, &c->alg) != 0)
            continue;
        if (sip_auth_param(au->au_params, "username=", c->user, sizeof c->user) &&
            sip_auth_param(au->au_params, "nonce=", c->nonce, sizeof c->nonce) &&
            sip_auth_param(au->au_params, "uri=", c->uri, sizeof c->uri) &&
            sip_auth_param(au->au_params, "response=", c->response, sizeof c->response) &&
            sip_auth_param(au->au_params, "cnonce=", c->cnonce, sizeof c->cnonce) &&
            sip_auth_param(au->au_params, "nc=", c->nc, sizeof c->nc) &&
            sip_auth_param(au->au_params, "qop=", c->qop, sizeof c->qop) && strcasecmp(c->qop, "auth") == 0)
            return true;
    }
    return false;
}

/* Clients that take a challenge with an algorithm they do not know for an error instead of passing it over, or look at one challenge only,
 * the first or the last. SIPp and what is written by hand for a test do not name themselves. */
static bool knows_md5_only(const sip_t *sip)
{
    static const char *const old[] = {"baresip v0.", "baresip v1.", "baresip v2.", "sipsak ", "sipp"};
    const char *agent = sip->sip_user_agent ? sip->sip_user_agent->g_string : "";
    for (size_t i = 0; i < sizeof old / sizeof old[0]; i++)
        if (strncasecmp(agent, old[i], strlen(old[i])) == 0)
            return true;
    return !*agent;
}

static int challenge(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip, bool proxy, bool stale)
{
    struct sip_ua *ua = port->ua;
    char nonce[DIGEST_NONCE_SIZE];
    ua->stats.auth_challenges++;
    if (digest_nonce_make(ua->cfg.nonce_key, now_s(), nonce) != 0)
        return 500;
    char *text[2];
    bool both = !knows_md5_only(sip);
    const enum digest_alg alg[2] = {DIGEST_SHA256, DIGEST_MD5}; /* strongest first, RFC 8760 2.4 */
    for (int i = 0; i < 2; i++)
        text[i] = sip_format("Digest realm=\"%s\", nonce=\"%s\", algorithm=%s, qop=\"auth\"%s", ua->realm, nonce,
                             digest_alg_name(alg[i]), stale ? ", stale=true" : "");
    int status = proxy ? 407 : 401;
    if (!text[0] || !text[1])
        status = 500;
    else if (proxy)
        nta_incoming_treply(irq, status, sip_phrase(status, NULL), TAG_IF(both, SIPTAG_PROXY_AUTHENTICATE_STR(text[0])),
                            SIPTAG_PROXY_AUTHENTICATE_STR(text[1]), SIPTAG_SERVER_STR(ua->product), TAG_END());
    else
        nta_incoming_treply(irq, status, sip_phrase(status, NULL), TAG_IF(both, SIPTAG_WWW_AUTHENTICATE_STR(text[0])),
                            SIPTAG_WWW_AUTHENTICATE_STR(text[1]), SIPTAG_SERVER_STR(ua->product), TAG_END());
    free(text[0]);
    free(text[1]);
    return status;
}

/* Whether the response is right. An unknown user costs the same work and never matches. */
static bool response_right(struct sip_ua *ua, const struct credentials *c, const char *method)
{
    char ha1[DIGEST_HEX_MAX], fake[DIGEST_HEX_MAX], want[DIGEST_HEX_MAX];
    digest_fake_ha1(ua->cfg.nonce_key, c->alg, c->user, fake);
    bool known = ua->handler.get_ha1(ua->handler.ctx, c->user, digest_alg_name(c->alg), ha1) == 0;
    bool right =
        digest_response(c->alg, known ? ha1 : fake, c->nonce, c->nc, c->cnonce, c->qop, method, c->uri, want) == 0 &&
        digest_equal(want, c->response);
    explicit_bzero(ha1, sizeof ha1);
    explicit_bzero(want, sizeof want);
    return known && right;
}

int sip_auth_check(struct sip_port *port, nta_incoming_t *irq, const sip_t *sip, bool proxy, char **user)
{
    struct sip_ua *ua = port->ua;
    struct credentials c;
    memset(&c, 0, sizeof c);
    if (!find_credentials(ua, proxy ? sip->sip_proxy_authorization : sip->sip_authorization, &c))
        return challenge(port, irq, sip, proxy, false);
    if (!response_right(ua, &c, sip->sip_request->rq_method_name)) {
        ua->stats.auth_failures++;
        return challenge(port, irq, sip, proxy, false);
    }
    /* From here on the sender knows the password: an old nonce or a used count is no failure, it only has to try again. */
    char *end = NULL;
    unsigned long nc = strtoul(c.nc, &end, 16);
    if (strlen(c.nc) != 8 || *end || nc == 0 ||
        digest_nonce_check(ua->cfg.nonce_key, c.nonce, now_s(), ua->cfg.nonce_life_s) != 0 ||
        digest_replay_take(ua->replay, c.nonce, (uint32_t)nc) != 0)
        return challenge(port, irq, sip, proxy, true);
    char from[PARAM_SIZE];
    if (sip_url_user(sip->sip_from->a_url, from, sizeof from) != 0 || strcmp(from, c.user) != 0) {
        ua->stats.auth_failures++;
        return 403;
    }
    *user = mem_strdup(c.user);
    return *user ? 0 : 500;
}
