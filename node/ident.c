#include "node/ident.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"

#define IDENT_NODE_BITS 12
#define IDENT_CLOCK_MASK ((UINT64_C(1) << 51) - 1)

uint64_t ident_call(struct ident_source *s)
{
    uint64_t now = clock_wall_now().us & IDENT_CLOCK_MASK;
    s->last = now > s->last ? now : s->last + 1;
    return s->last << IDENT_NODE_BITS | (s->node_id & ((1u << IDENT_NODE_BITS) - 1));
}

static void ident_hex(const uint8_t *in, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[2 * n] = '\0';
}

void ident_dialog(const uint8_t key[32], uint64_t call_id, uint64_t offer_id, uint32_t attempt,
                  struct ident_dialog *out)
{
    uint64_t words[3] = {call_id, offer_id, attempt};
    uint8_t in[24], mac[32];
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)(words[i / 8] >> (56 - 8 * (i % 8)));
    unsigned len = sizeof mac;
    HMAC(EVP_sha256(), key, 32, in, sizeof in, mac, &len);
    char hex[65];
    ident_hex(mac, sizeof mac, hex);
    snprintf(out->call_id, sizeof out->call_id, "%.32s", hex);
    snprintf(out->tag, sizeof out->tag, "%.14s", hex + 32);
    snprintf(out->branch, sizeof out->branch, "z9hG4bK%.18s", hex + 46);
}

char *ident_text(uint64_t id, char out[17])
{
    snprintf(out, 17, "%016" PRIx64, id);
    return out;
}

int ident_parse(const char *text, uint64_t *id)
{
    if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return ERR_INVAL;
    uint64_t v = 0;
    for (const char *p = text; *p; p++)
        v = v << 4 | (uint64_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
    *id = v;
    return 0;
}
