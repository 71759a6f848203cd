/* What a peer may send. The first byte is the type of a frame, the rest its payload; it goes through the frame codec (with a
 * right and with a wrong header) and through the decoder that belongs to it. What a decoder accepts must survive being
 * encoded and decoded again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "raft/image.h"
#include "raft/mesh_frame.h"
#include "raft/raft_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void raft_message(const uint8_t *data, size_t size)
{
    struct raft_message m, again;
    if (raft_msg_decode(data, size, &m))
        return;
    unsigned n = m.type == RAFT_APPEND_ENTRIES ? m.append_entries.n_entries : 0;
    size_t len = raft_msg_size(&m, 0, n);
    uint8_t *buf = malloc(len);
    if (buf) {
        must(raft_msg_encode(buf, &m, 0, n) == buf + len);
        must(raft_msg_decode(buf, len, &again) == 0);
        must(again.type == m.type);
        raft_msg_release(&again);
        free(buf);
    }
    if (m.type == RAFT_INSTALL_SNAPSHOT) {
        struct image_manifest manifest;
        if (image_manifest_decode(m.install_snapshot.data.base, m.install_snapshot.data.len, &manifest) == 0)
            must(manifest.n_origins <= IMAGE_ORIGINS_MAX);
    }
    raft_msg_release(&m);
}

static void greeting(const uint8_t *data, size_t size)
{
    struct mesh_hello h, h2;
    uint8_t buf[MESH_HELLO_BYTES_MAX];
    if (mesh_hello_decode(data, size, &h) == 0) {
        must(h.name[0] && h.address[0]);
        must(mesh_hello_decode(buf, mesh_hello_encode(buf, &h), &h2) == 0 && strcmp(h.name, h2.name) == 0);
    }
}

static void join_reply(const uint8_t *data, size_t size)
{
    struct mesh_join_reply j, j2;
    uint8_t buf[MESH_JOIN_REPLY_BYTES_MAX];
    if (mesh_join_reply_decode(data, size, &j) == 0)
        must(mesh_join_reply_decode(buf, mesh_join_reply_encode(buf, &j), &j2) == 0 && j.status == j2.status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mesh_frame f;
    uint8_t header[MESH_FRAME_HEADER];
    if (size >= MESH_FRAME_HEADER && mesh_frame_decode(data, MESH_FRAME_MAX, &f) == 0)
        must(f.len <= MESH_FRAME_MAX && f.type && f.type < MESH_FRAME_TYPES);
    if (!size)
        return 0;
    uint8_t type = data[0];
    data++;
    size--;
    mesh_frame_encode(header, type, 0, data, size);
    if (mesh_frame_decode(header, MESH_FRAME_MAX, &f))
        must(!type || type >= MESH_FRAME_TYPES || size > MESH_FRAME_MAX);
    else
        must(f.len == size && mesh_frame_intact(header, &f, data));
    if (type == MESH_HELLO)
        greeting(data, size);
    else if (type == MESH_JOIN_REPLY)
        join_reply(data, size);
    else if (type == MESH_RAFT)
        raft_message(data, size);
    return 0;
}
