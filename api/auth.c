/* Who asks: bearer tokens (RFC 6750). Only digests of tokens are kept, and they are compared in constant time. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "api/api_int.h"

void api_sha256(const void *p, size_t len, uint8_t out[32])
{
    unsigned n = 32;
    if (EVP_Digest(p, len, out, &n, EVP_sha256(), NULL) != 1)
        memset(out, 0, 32); /* out of memory: equals no token's digest */
}

void api_sha256_hex(const void *p, size_t len, char out[65])
{
    uint8_t sum[32];
    api_sha256(p, len, sum);
    for (unsigned i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

struct search {
    char hex[65];
    char name[65], agent[65]; /* agent: as whom a supervisor's acts */
    enum api_role role;
    bool found;
};

static int look(void *ctx, const char *name, uint64_t version, const Ev__ConfigObject *o)
{
    struct search *s = ctx;
    (void)version;
    if (strlen(o->token->sha256) != 64 || CRYPTO_memcmp(o->token->sha256, s->hex, 64) != 0)
        return 0;
    s->found = true;
    s->role = strcmp(o->token->role, "admin") == 0        ? API_ROLE_ADMIN
              : strcmp(o->token->role, "supervisor") == 0 ? API_ROLE_SUPERVISOR
                                                          : API_ROLE_READ;
    snprintf(s->agent, sizeof s->agent, "%s", o->token->agent);
    snprintf(s->name, sizeof s->name, "%s", name);
    return 0; /* go on: the time does not tell which one it was */
}

int api_authenticate(struct api_request *q, const char *authorization, struct err_info *info)
{
    if (strncasecmp(authorization, "Bearer ", 7) != 0)
        return ERR_DENIED;
    const char *token = authorization + 7;
    token += strspn(token, " ");
    size_t len = strlen(token);
    if (len == 0 || len > API_TOKEN_MAX)
        return ERR_DENIED;
    uint8_t sum[32];
    struct search s = {.found = false};
    api_sha256(token, len, sum);
    if (q->s->has_admin && CRYPTO_memcmp(sum, q->s->admin_sha256, 32) == 0) {
        snprintf(q->actor, sizeof q->actor, "token:admin");
        q->role = API_ROLE_ADMIN;
        return 0;
    }
    api_sha256_hex(token, len, s.hex);
    int err = api_stored_all(q->s, "token", look, &s);
    if (err)
        return err;
    if (!s.found)
        return ERR_DENIED;
    snprintf(q->actor, sizeof q->actor, "token:%s", s.name);
    memcpy(q->token, s.hex, sizeof q->token);
    q->role = s.role;
    if (s.role != API_ROLE_SUPERVISOR)
        return 0;
    snprintf(q->actor, sizeof q->actor, "agent:%s", s.agent);
    return view_scope_open(q->s->reader, s.agent, &q->scope, info);
}

bool api_token_is_gone(struct api_request *q)
{
    struct search s = {.found = false};
    if (!q->token[0])
        return false;
    memcpy(s.hex, q->token, sizeof s.hex);
    if (api_stored_all(q->s, "token", look, &s) != 0)
        return false;
    return !s.found || s.role != q->role || (q->scope && strcmp(s.agent, view_scope_agent(q->scope)) != 0);
}
