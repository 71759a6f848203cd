/* Frames of the mesh: what travels inside a TLS connection between two nodes.
 *
 *   u32 magic "EVM1"  u8 version  u8 type  u16 flags  u32 length of the payload  u32 crc32c (of the header with this
 *   field zero, then the payload)  payload
 *
 * Anything malformed ends the connection. Pure: no I/O. Any thread. */
#ifndef RAFT_MESH_FRAME_H
#define RAFT_MESH_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define MESH_FRAME_HEADER 16u
#define MESH_FRAME_VERSION 1
#define MESH_FRAME_MAX (2u * 1024u * 1024u + 65536u) /* bytes of a payload */
#define MESH_FRAME_HELLO_MAX 4096u                   /* and of one before both sides know each other */

enum mesh_frame_type {
    MESH_HELLO = 1,      /* who I am; both ways, first */
    MESH_REFUSED = 2,    /* u32 code, text: why the connection ends */
    MESH_JOIN_REPLY = 3, /* answer to a hello of a node without an id */
    MESH_PING = 4,       /* u64 sender's time */
    MESH_PONG = 5,       /* the same back (0: unasked), then what the owner adds */
    MESH_RAFT = 6,       /* a message of libraft, see raft_msg.h */
    MESH_COMMIT = 7,     /* leader: term, commit index, told at once */
    MESH_FORWARD = 8,    /* commands for the leader */
    MESH_RESUME = 9,     /* leader: has room again, send all that is pending once more */
    MESH_READ = 10,      /* read index: question to the leader */
    MESH_READ_ANSWER = 11,
    MESH_CONFIRM = 12, /* leader: am I still, for you? */
    MESH_CONFIRMED = 13,
    MESH_MEMBER = 14, /* forwarded change of membership */
    MESH_MEMBER_ANSWER = 15,
    MESH_IMAGE = 16, /* request for a piece of a snapshot image */
    MESH_IMAGE_PIECE = 17,
    MESH_MESSAGE = 18, /* repl_send */
    MESH_FRAME_TYPES
};

struct mesh_frame {
    uint8_t type;
    uint16_t flags;
    uint32_t len;
    uint32_t crc;
};

/* Writes MESH_FRAME_HEADER bytes for a payload that lies in memory as `data`. */
void mesh_frame_encode(uint8_t out[MESH_FRAME_HEADER], uint8_t type, uint16_t flags, const void *data, size_t len);
/* Reads a header. 0; ERR_CORRUPT on wrong magic, version, type; ERR_TOOBIG over `max`. */
ERR_CHECKED int mesh_frame_decode(const uint8_t in[MESH_FRAME_HEADER], size_t max, struct mesh_frame *out);
/* True if header and payload agree with the checksum. */
bool mesh_frame_intact(const uint8_t header[MESH_FRAME_HEADER], const struct mesh_frame *f, const void *data);

/* What both sides say first. */
#define MESH_NAME_MAX 64
#define MESH_ADDRESS_MAX 64
struct mesh_hello {
    uint64_t id;          /* 0: has none yet, asks to join */
    uint64_t cluster;     /* 0 with id 0 */
    uint64_t incarnation; /* of the process */
    uint64_t last_index;  /* last index of its log */
    char name[MESH_NAME_MAX];
    char address[MESH_ADDRESS_MAX];
};
#define MESH_HELLO_BYTES_MAX 192u
size_t mesh_hello_encode(uint8_t out[MESH_HELLO_BYTES_MAX], const struct mesh_hello *h);
ERR_CHECKED int mesh_hello_decode(const void *data, size_t len, struct mesh_hello *out);

/* Answer to a node that asks to join. */
struct mesh_join_reply {
    int32_t status; /* 0: id and cluster are given; ERR_BUSY: not yet, ask again; else refused for good */
    uint64_t id, cluster;
    char leader[MESH_ADDRESS_MAX]; /* whom to ask instead, or "" */
    char text[248];
};
#define MESH_JOIN_REPLY_BYTES_MAX 344u
size_t mesh_join_reply_encode(uint8_t out[MESH_JOIN_REPLY_BYTES_MAX], const struct mesh_join_reply *j);
ERR_CHECKED int mesh_join_reply_decode(const void *data, size_t len, struct mesh_join_reply *out);

#endif
