#include "raft/mesh_frame.h"

#include "raft/crc32c.h"
#include "raft/wire.h"

#define MESH_FRAME_MAGIC 0x314d5645u /* "EVM1" */
#define MESH_FRAME_CRC_AT 12u

static uint32_t mesh_frame_crc(const uint8_t header[MESH_FRAME_HEADER], const void *data, size_t len)
{
    return crc32c(crc32c(0, header, MESH_FRAME_CRC_AT), data, len);
}

void mesh_frame_encode(uint8_t out[MESH_FRAME_HEADER], uint8_t type, uint16_t flags, const void *data, size_t len)
{
    uint8_t *p = wire_put32(out, MESH_FRAME_MAGIC);
    p = wire_put8(p, MESH_FRAME_VERSION);
    p = wire_put8(p, type);
    p = wire_put16(p, flags);
    p = wire_put32(p, (uint32_t)len);
    wire_put32(p, mesh_frame_crc(out, data, len));
}

int mesh_frame_decode(const uint8_t in[MESH_FRAME_HEADER], size_t max, struct mesh_frame *out)
{
    struct wire_reader r;
    wire_reader_init(&r, in, MESH_FRAME_HEADER);
    uint32_t magic = wire_get32(&r);
    uint8_t version = wire_get8(&r), type = wire_get8(&r);
    if (magic != MESH_FRAME_MAGIC || version != MESH_FRAME_VERSION || !type || type >= MESH_FRAME_TYPES)
        return ERR_CORRUPT;
    uint16_t flags = wire_get16(&r);
    uint32_t len = wire_get32(&r);
    if (len > max)
        return ERR_TOOBIG;
    *out = (struct mesh_frame){.type = type, .flags = flags, .len = len, .crc = wire_get32(&r)};
    return 0;
}

bool mesh_frame_intact(const uint8_t header[MESH_FRAME_HEADER], const struct mesh_frame *f, const void *data)
{
    return mesh_frame_crc(header, data, f->len) == f->crc;
}

size_t mesh_hello_encode(uint8_t out[MESH_HELLO_BYTES_MAX], const struct mesh_hello *h)
{
    uint8_t *p = wire_put64(out, h->id);
    p = wire_put64(p, h->cluster);
    p = wire_put64(p, h->incarnation);
    p = wire_put64(p, h->last_index);
    p = wire_put_str(p, h->name);
    p = wire_put_str(p, h->address);
    return (size_t)(p - out);
}

int mesh_hello_decode(const void *data, size_t len, struct mesh_hello *out)
{
    struct wire_reader r;
    struct mesh_hello h;
    wire_reader_init(&r, data, len);
    h.id = wire_get64(&r);
    h.cluster = wire_get64(&r);
    h.incarnation = wire_get64(&r);
    h.last_index = wire_get64(&r);
    wire_get_str(&r, h.name, sizeof h.name);
    wire_get_str(&r, h.address, sizeof h.address);
    if (r.bad || wire_left(&r) || !h.name[0] || !h.address[0])
        return ERR_CORRUPT;
    *out = h;
    return 0;
}

size_t mesh_join_reply_encode(uint8_t out[MESH_JOIN_REPLY_BYTES_MAX], const struct mesh_join_reply *j)
{
    uint8_t *p = wire_put32(out, (uint32_t)j->status);
    p = wire_put64(p, j->id);
    p = wire_put64(p, j->cluster);
    p = wire_put_str(p, j->leader);
    p = wire_put_str(p, j->text);
    return (size_t)(p - out);
}

int mesh_join_reply_decode(const void *data, size_t len, struct mesh_join_reply *out)
{
    struct wire_reader r;
    struct mesh_join_reply j;
    wire_reader_init(&r, data, len);
    j.status = (int32_t)wire_get32(&r);
    j.id = wire_get64(&r);
    j.cluster = wire_get64(&r);
    wire_get_str(&r, j.leader, sizeof j.leader);
    wire_get_str(&r, j.text, sizeof j.text);
    if (r.bad || wire_left(&r) || (j.status == 0 && (!j.id || !j.cluster)))
        return ERR_CORRUPT;
    *out = j;
    return 0;
}
