/* What nodes say to each other about blobs, as messages of repl_send. Pure; any thread.
 *
 *   u8 0xB1  u8 kind  32 bytes SHA-256  i32 status  u64 total  u64 offset  data (pieces; the 32 bytes of a hash), little-endian
 *
 * The first byte tells them from the daemon's other messages, which are JSON. Anything malformed is dropped. */
#ifndef NODE_BLOB_MSG_H
#define NODE_BLOB_MSG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "storage/blob.h"

#define BLOB_MSG_MAGIC 0xB1u
#define BLOB_MSG_HEADER 54u
#define BLOB_PIECE_MAX (48u * 1024u) /* so little that a heartbeat behind it is not late */

enum blob_msg_kind {
    BLOB_MSG_OFFER = 1, /* I have it, of `total` bytes: please take it and tell me when you have it */
    BLOB_MSG_HAVE,      /* status 0: I have it on disk; else why not (ERR_CORRUPT: what you sent has another hash) */
    BLOB_MSG_ASK,       /* a piece from `offset` */
    BLOB_MSG_PIECE,     /* of `total`, from `offset`; status as of err_code, without data unless 0 */
    BLOB_MSG_SPOKEN,    /* the text with this hash (node/spoken.h) was made: the blob is in the data */
    BLOB_MSG_KINDS
};

struct blob_msg {
    enum blob_msg_kind kind;
    char name[BLOB_NAME_MAX];
    int32_t status;
    uint64_t total, offset;
    const uint8_t *data; /* into the message */
    size_t len;
    char blob[BLOB_NAME_MAX]; /* of BLOB_MSG_SPOKEN, else "" */
};
#define BLOB_MSG_HASH 32u
#define BLOB_MSG_SPOKEN_BYTES (BLOB_MSG_HEADER + BLOB_MSG_HASH)

/* Writes the header; data of a piece follows it. BLOB_MSG_SPOKEN is written whole, and takes BLOB_MSG_SPOKEN_BYTES. */
void blob_msg_encode(uint8_t *out, const struct blob_msg *m);
ERR_CHECKED int blob_msg_decode(const void *data, size_t len, struct blob_msg *out);

#endif
