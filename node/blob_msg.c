#include "node/blob_msg.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { AT_KIND = 1, AT_HASH = 2, AT_STATUS = 34, AT_TOTAL = 38, AT_OFFSET = 46 };

static void put(uint8_t *p, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static unsigned digit(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10u;
}

static void put_hash(uint8_t *out, const char *name)
{
    for (unsigned i = 0; i < BLOB_MSG_HASH; i++)
        out[i] = (uint8_t)(digit(name[2 * i]) << 4 | digit(name[2 * i + 1]));
}

static void get_hash(const uint8_t *p, char name[BLOB_NAME_MAX])
{
    for (unsigned i = 0; i < BLOB_MSG_HASH; i++)
        snprintf(name + 2 * i, 3, "%02x", p[i]);
}

void blob_msg_encode(uint8_t *out, const struct blob_msg *m)
{
    out[0] = BLOB_MSG_MAGIC;
    out[AT_KIND] = (uint8_t)m->kind;
    put_hash(out + AT_HASH, m->name);
    if (m->kind == BLOB_MSG_SPOKEN)
        put_hash(out + BLOB_MSG_HEADER, m->blob);
    put(out + AT_STATUS, (uint32_t)m->status, 4);
    put(out + AT_TOTAL, m->total, 8);
    put(out + AT_OFFSET, m->offset, 8);
}

int blob_msg_decode(const void *data, size_t len, struct blob_msg *out)
{
    const uint8_t *p = data;
    if (len < BLOB_MSG_HEADER || p[0] != BLOB_MSG_MAGIC || p[AT_KIND] == 0 || p[AT_KIND] >= BLOB_MSG_KINDS)
        return ERR_INVAL;
    struct blob_msg m = {.kind = (enum blob_msg_kind)p[AT_KIND], .status = (int32_t)(uint32_t)get(p + AT_STATUS, 4)};
    get_hash(p + AT_HASH, m.name);
    m.total = get(p + AT_TOTAL, 8);
    m.offset = get(p + AT_OFFSET, 8);
    m.data = p + BLOB_MSG_HEADER;
    m.len = len - BLOB_MSG_HEADER;
    bool piece = m.kind == BLOB_MSG_PIECE && m.status == 0;
    if (m.kind == BLOB_MSG_SPOKEN) {
        if (m.len != BLOB_MSG_HASH)
            return ERR_INVAL;
        get_hash(m.data, m.blob);
        m.len = 0;
    }
    if (m.total > BLOB_BYTES_MAX || m.offset > m.total || m.len > (piece ? BLOB_PIECE_MAX : 0) ||
        (piece && m.len > m.total - m.offset))
        return ERR_INVAL;
    *out = m;
    return 0;
}
