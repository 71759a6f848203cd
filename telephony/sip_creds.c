/* Credentials towards the other side: challenges (401, 407) to requests of ours are answered (RFC 3261 section 22, 7616, 8760).
 *
 * A leg that has credentials keeps the last challenge of the peer (401) and that of a proxy (407); later requests of its dialog carry
 * an answer to both from the start, with the next nonce count. Nothing of this is in the replicated state: a node that carries the
 * dialog on sends without an answer, is challenged, and begins anew. Should it be given a nonce whose counts a former owner has used,
 * the peer says that it is stale and gives another one.
 *
 * One request is tried again when it is challenged for the first time, when a proxy and the peer each ask once, and when the peer
 * says that a nonce is stale; else the password is wrong, and the refusal stands. */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "telephony/sip_int.h"

#define PARAM_SIZE 512
#define TRIES_MAX 4u
#define CNONCE_HEX 32

struct challenge {
    char realm[PARAM_SIZE], nonce[PARAM_SIZE], opaque[PARAM_SIZE];
    enum digest_alg alg;
    bool known, has_opaque, qop;
    uint32_t nc; /* last used with this nonce */
};

struct sip_creds {
    char *user, *password;
    struct challenge of[2]; /* of the peer (401), of a proxy (407) */
};

static void creds_destroy(void *obj)
{
    struct sip_creds *c = obj;
    if (c->password)
        explicit_bzero(c->password, strlen(c->password));
    free(c->password);
    free(c->user);
}

int sip_leg_credentials(struct sip_leg *leg, const char *user, const char *password)
{
    if (!user || !*user || !password) {
        leg->creds = mem_unref(leg->creds);
        return 0;
    }
    struct sip_creds *c = mem_new(sizeof *c, creds_destroy);
    if (!c)
        return ERR_NOMEM;
    c->user = mem_strdup(user);
    c->password = mem_strdup(password);
    if (!c->user || !c->password) {
        mem_unref(c);
        return ERR_NOMEM;
    }
    mem_unref(leg->creds);
    leg->creds = c;
    return 0;
}

/* Whether "auth" is among the words of a qop parameter. */
static bool offers_auth(const char *qop)
{
    for (const char *p = qop; *p;) {
        size_t n = strcspn(p, ", \t");
        if (n == 4 && strncasecmp(p, "auth", 4) == 0)
            return true;
        p += n;
        p += strspn(p, ", \t");
    }
    return false;
}

/* One challenge; false: of a kind that we cannot answer. */
static bool read_challenge(const msg_auth_t *au, struct challenge *out, bool *stale)
{
    char alg[32] = "", qop[64] = "", word[8] = "";
    struct challenge c = {.alg = DIGEST_MD5};
    if (!au->au_scheme || strcasecmp(au->au_scheme, "Digest") != 0 || !au->au_params ||
        !sip_auth_param(au->au_params, "realm=", c.realm, sizeof c.realm) ||
        !sip_auth_param(au->au_params, "nonce=", c.nonce, sizeof c.nonce))
        return false;
    if (msg_params_find(au->au_params, "algorithm=") &&
        (!sip_auth_param(au->au_params, "algorithm=", alg, sizeof alg) || digest_alg_parse(alg, &c.alg) != 0))
        return false;
    if (msg_params_find(au->au_params, "qop=")) {
        c.qop = sip_auth_param(au->au_params, "qop=", qop, sizeof qop) && offers_auth(qop);
        if (!c.qop)
            return false; /* auth-int alone */
    }
    if (msg_params_find(au->au_params, "opaque=")) {
        c.has_opaque = sip_auth_param(au->au_params, "opaque=", c.opaque, sizeof c.opaque);
        if (!c.has_opaque)
            return false;
    }
    *stale = sip_auth_param(au->au_params, "stale=", word, sizeof word) && strcasecmp(word, "true") == 0;
    c.known = true;
    *out = c;
    return true;
}

/* Takes the first challenge that can be answered: the sender has put the one that it prefers first (RFC 8760 section 2.4). */
static bool take(struct challenge *of, const msg_auth_t *au, bool first, bool *again)
{
    for (; au; au = (const msg_auth_t *)au->au_next) {
        struct challenge c;
        bool stale;
        if (!read_challenge(au, &c, &stale))
            continue;
        if (!first && !stale)
            return true; /* known, and our answer was refused: it does not get better */
        if (of->known && strcmp(of->nonce, c.nonce) == 0)
            c.nc = of->nc;
        *of = c;
        *again = true;
        return true;
    }
    return false;
}

bool sip_creds_challenged(struct sip_creds *c, const sip_t *sip, unsigned *tries)
{
    if (!c || !sip || !sip->sip_status || (*tries & 0xff) >= TRIES_MAX)
        return false;
    int status = sip->sip_status->st_status;
    if (status != 401 && status != 407)
        return false;
    unsigned i = status == 407, bit = 0x100u << i; /* which of them this request was asked for already */
    bool again = false;
    (void)take(&c->of[i], i ? sip->sip_proxy_authenticate : sip->sip_www_authenticate, !(*tries & bit), &again);
    *tries = (*tries + 1) | bit;
    return again;
}

/* As a quoted string: what has a meaning there is escaped. */
static char *quoted(const char *text)
{
    char *out = malloc(2 * strlen(text) + 3), *p = out;
    if (!out)
        return NULL;
    *p++ = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            *p++ = '\\';
        *p++ = *text;
    }
    *p++ = '"';
    *p = '\0';
    return out;
}

static char *answer(const struct sip_creds *c, struct challenge *of, bool proxy, const char *method, const char *uri)
{
    char ha1[DIGEST_HEX_MAX], response[DIGEST_HEX_MAX], cnonce[CNONCE_HEX + 1], nc[9], *out = NULL;
    snprintf(nc, sizeof nc, "%08x", ++of->nc);
    if (sip_token(cnonce, CNONCE_HEX) != 0 || digest_ha1(of->alg, c->user, of->realm, c->password, ha1) != 0)
        return NULL;
    int rc = digest_response(of->alg, ha1, of->nonce, nc, cnonce, of->qop ? "auth" : NULL, method, uri, response);
    explicit_bzero(ha1, sizeof ha1);
    char *user = quoted(c->user), *realm = quoted(of->realm), *nonce = quoted(of->nonce), *opaque = quoted(of->opaque);
    char *count = of->qop ? sip_format(", qop=auth, nc=%s, cnonce=\"%s\"", nc, cnonce) : mem_strdup("");
    if (rc == 0 && user && realm && nonce && opaque && count)
        out = sip_format(
            "%s: Digest username=%s, realm=%s, nonce=%s, uri=\"%s\", response=\"%s\", algorithm=%s%s%s%s\r\n",
            proxy ? "Proxy-Authorization" : "Authorization", user, realm, nonce, uri, response,
            digest_alg_name(of->alg), count, of->has_opaque ? ", opaque=" : "", of->has_opaque ? opaque : "");
    free(user);
    free(realm);
    free(nonce);
    free(opaque);
    free(count);
    return out;
}

char *sip_creds_headers(struct sip_creds *c, const char *method, const char *uri)
{
    if (!c || !uri)
        return NULL;
    char *part[2] = {NULL, NULL}, *all = NULL;
    for (unsigned i = 0; i < 2; i++)
        part[i] = c->of[i].known ? answer(c, &c->of[i], i == 1, method, uri) : NULL;
    if (part[0] || part[1])
        all = sip_format("%s%s", part[0] ? part[0] : "", part[1] ? part[1] : "");
    free(part[0]);
    free(part[1]);
    return all;
}
