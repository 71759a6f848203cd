#include "telephony/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

/* A nonce is 8 hex digits of seconds, 16 random ones, 32 of the HMAC over both. */
#define NONCE_TIME 8
#define NONCE_BODY 24
#define NONCE_TEXT (DIGEST_NONCE_SIZE - 1)
#define NONCE_FUTURE_S 5
#define REPLAY_WAYS 8

struct replay_entry {
    uint64_t hash; /* 0: free */
    uint64_t age;
    uint32_t nc;
};

struct digest_replay {
    size_t sets;
    uint64_t clock;
    struct replay_entry *entry;
};

int digest_alg_parse(const char *text, enum digest_alg *out)
{
    if (!text || !*text || strcasecmp(text, "MD5") == 0)
        *out = DIGEST_MD5;
    else if (strcasecmp(text, "SHA-256") == 0)
        *out = DIGEST_SHA256;
    else
        return ERR_UNSUPPORTED;
    return 0;
}

const char *digest_alg_name(enum digest_alg alg)
{
    return alg == DIGEST_SHA256 ? "SHA-256" : "MD5";
}

static void to_hex(const uint8_t *in, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[2 * n] = '\0';
}

/* H(part:part:...) */
static int hash_join(enum digest_alg alg, const char *const *parts, size_t n, char out[DIGEST_HEX_MAX])
{
    uint8_t md[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx)
        return ERR_NOMEM;
    int ok = EVP_DigestInit_ex(ctx, alg == DIGEST_SHA256 ? EVP_sha256() : EVP_md5(), NULL);
    for (size_t i = 0; ok && i < n; i++) {
        if (i > 0)
            ok = EVP_DigestUpdate(ctx, ":", 1);
        if (ok)
            ok = EVP_DigestUpdate(ctx, parts[i], strlen(parts[i]));
    }
    if (ok)
        ok = EVP_DigestFinal_ex(ctx, md, &len);
    EVP_MD_CTX_free(ctx);
    if (!ok)
        return ERR_IO;
    to_hex(md, len, out);
    OPENSSL_cleanse(md, sizeof md);
    return 0;
}

int digest_ha1(enum digest_alg alg, const char *user, const char *realm, const char *password, char out[DIGEST_HEX_MAX])
{
    const char *parts[] = {user, realm, password};
    return hash_join(alg, parts, 3, out);
}

int digest_response(enum digest_alg alg, const char *ha1, const char *nonce, const char *nc, const char *cnonce,
                    const char *qop, const char *method, const char *uri, char out[DIGEST_HEX_MAX])
{
    char ha2[DIGEST_HEX_MAX];
    const char *a2[] = {method, uri};
    int rc = hash_join(alg, a2, 2, ha2);
    if (rc)
        return rc;
    if (!qop) {
        const char *parts[] = {ha1, nonce, ha2};
        return hash_join(alg, parts, 3, out);
    }
    const char *parts[] = {ha1, nonce, nc, cnonce, qop, ha2};
    return hash_join(alg, parts, 6, out);
}

static int nonce_mac(const uint8_t key[DIGEST_KEY_BYTES], const char *body, size_t len, char hex[33])
{
    uint8_t md[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (!HMAC(EVP_sha256(), key, DIGEST_KEY_BYTES, (const unsigned char *)body, len, md, &n) || n < 16)
        return ERR_IO;
    to_hex(md, 16, hex);
    return 0;
}

int digest_nonce_make(const uint8_t key[DIGEST_KEY_BYTES], uint64_t now_s, char out[DIGEST_NONCE_SIZE])
{
    uint8_t raw[12];
    if (getrandom(raw + 4, 8, 0) != 8)
        return ERR_IO;
    for (int i = 0; i < 4; i++)
        raw[i] = (uint8_t)(now_s >> (24 - 8 * i));
    char text[DIGEST_NONCE_SIZE];
    to_hex(raw, sizeof raw, text);
    int rc = nonce_mac(key, text, NONCE_BODY, text + NONCE_BODY);
    if (rc)
        return rc;
    memcpy(out, text, sizeof text);
    return 0;
}

int digest_nonce_check(const uint8_t key[DIGEST_KEY_BYTES], const char *nonce, uint64_t now_s, uint32_t life_s)
{
    char mac[33];
    if (strlen(nonce) != NONCE_TEXT || strspn(nonce, "0123456789abcdef") != NONCE_TEXT)
        return ERR_DENIED;
    if (nonce_mac(key, nonce, NONCE_BODY, mac) || CRYPTO_memcmp(mac, nonce + NONCE_BODY, 32) != 0)
        return ERR_DENIED;
    char digits[NONCE_TIME + 1];
    memcpy(digits, nonce, NONCE_TIME);
    digits[NONCE_TIME] = '\0';
    uint32_t then = (uint32_t)strtoul(digits, NULL, 16);
    int32_t age = (int32_t)((uint32_t)now_s - then); /* differences survive the wrap of 2106 */
    if (age < -NONCE_FUTURE_S || (age > 0 && (uint32_t)age > life_s))
        return ERR_STALE;
    return 0;
}

void digest_fake_ha1(const uint8_t key[DIGEST_KEY_BYTES], enum digest_alg alg, const char *user,
                     char out[DIGEST_HEX_MAX])
{
    uint8_t md[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    memset(md, 0, sizeof md);
    if (!HMAC(EVP_sha256(), key, DIGEST_KEY_BYTES, (const unsigned char *)user, strlen(user), md, &n))
        n = 0;
    to_hex(md, alg == DIGEST_SHA256 ? 32 : 16, out);
}

bool digest_equal(const char *a, const char *b)
{
    size_t n = strlen(a);
    if (n != strlen(b))
        return false;
    unsigned diff = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned ca = (unsigned char)a[i], cb = (unsigned char)b[i];
        ca |= (ca >= 'A' && ca <= 'F') ? 0x20u : 0;
        cb |= (cb >= 'A' && cb <= 'F') ? 0x20u : 0;
        diff |= ca ^ cb;
    }
    return diff == 0;
}

struct digest_replay *digest_replay_new(size_t cap)
{
    struct digest_replay *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->sets = cap / REPLAY_WAYS ? cap / REPLAY_WAYS : 1;
    r->entry = calloc(r->sets * REPLAY_WAYS, sizeof *r->entry);
    if (!r->entry) {
        free(r);
        return NULL;
    }
    return r;
}

void digest_replay_free(struct digest_replay *r)
{
    if (!r)
        return;
    free(r->entry);
    free(r);
}

int digest_replay_take(struct digest_replay *r, const char *nonce, uint32_t nc)
{
    uint64_t h = 1469598103934665603u; /* FNV-1a; the nonce is ours and random, so nobody steers it */
    for (const char *p = nonce; *p; p++)
        h = (h ^ (unsigned char)*p) * 1099511628211u;
    if (h == 0)
        h = 1;
    struct replay_entry *set = r->entry + (h % r->sets) * REPLAY_WAYS, *oldest = set;
    r->clock++;
    for (size_t i = 0; i < REPLAY_WAYS; i++) {
        if (set[i].hash == h) {
            if (nc <= set[i].nc)
                return ERR_STALE;
            set[i].nc = nc;
            set[i].age = r->clock;
            return 0;
        }
        if (set[i].age < oldest->age)
            oldest = &set[i];
    }
    *oldest = (struct replay_entry){.hash = h, .age = r->clock, .nc = nc};
    return 0;
}
