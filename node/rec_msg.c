#include "node/rec_msg.h"

#include <stdbool.h>

enum { AT_KIND = 1, AT_ID = 2, AT_EPOCH = 10, AT_OFFSET = 18, AT_TOTAL = 26 };

static void put64(uint8_t *p, uint64_t v)
{
    for (unsigned i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < 8; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

void rec_msg_encode(uint8_t out[REC_MSG_HEADER], const struct rec_msg *m)
{
    out[0] = REC_MSG_MAGIC;
    out[AT_KIND] = (uint8_t)m->kind;
    put64(out + AT_ID, m->id);
    put64(out + AT_EPOCH, m->epoch);
    put64(out + AT_OFFSET, m->offset);
    put64(out + AT_TOTAL, m->total);
}

int rec_msg_decode(const void *data, size_t len, struct rec_msg *out)
{
    const uint8_t *p = data;
    if (len < REC_MSG_HEADER || p[0] != REC_MSG_MAGIC || p[AT_KIND] == 0 || p[AT_KIND] >= REC_MSG_KINDS)
        return ERR_INVAL;
    struct rec_msg m = {.kind = (enum rec_msg_kind)p[AT_KIND],
                        .id = get64(p + AT_ID),
                        .epoch = get64(p + AT_EPOCH),
                        .offset = get64(p + AT_OFFSET),
                        .total = get64(p + AT_TOTAL),
                        .data = p + REC_MSG_HEADER,
                        .len = len - REC_MSG_HEADER};
    bool carries = m.kind == REC_MSG_DATA || m.kind == REC_MSG_PIECE;
    if (m.id == 0 || m.id > INT64_MAX || m.offset > REC_BYTES_MAX || m.total > REC_BYTES_MAX ||
        m.len > (carries ? REC_PIECE_MAX : 0) || (carries && m.len > REC_BYTES_MAX - m.offset))
        return ERR_INVAL;
    *out = m;
    return 0;
}
