/* What nodes say to each other about recordings that are being made, as messages of repl_send. Pure; any thread.
 *
 *   u8 0xB2  u8 kind  u64 id  u64 epoch  u64 offset  u64 total  data, little-endian
 *
 * `epoch` grows with each change of who records (the log index at which he began). Anything malformed is dropped. */
#ifndef NODE_REC_MSG_H
#define NODE_REC_MSG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define REC_MSG_MAGIC 0xB2u
#define REC_MSG_HEADER 34u
#define REC_PIECE_MAX (48u * 1024u) /* so little that a heartbeat behind it is not late */
#define REC_BYTES_MAX (60u << 20)   /* of one recording: an hour of both parties, sealed */

enum rec_msg_kind {
    REC_MSG_DATA = 1, /* keep this for me, from `offset` on; what you had behind `offset` from an older epoch is void */
    REC_MSG_HELD,     /* I have the first `total` bytes */
    REC_MSG_ASK,      /* how much do you have? */
    REC_MSG_GET,      /* give me a piece from `offset` */
    REC_MSG_PIECE,    /* from `offset`, of `total` that I have */
    REC_MSG_KINDS
};

struct rec_msg {
    enum rec_msg_kind kind;
    uint64_t id, epoch, offset, total;
    const uint8_t *data; /* into the message: of DATA and PIECE */
    size_t len;
};

/* Writes the header; the data follows it. */
void rec_msg_encode(uint8_t out[REC_MSG_HEADER], const struct rec_msg *m);
ERR_CHECKED int rec_msg_decode(const void *data, size_t len, struct rec_msg *out);

#endif
