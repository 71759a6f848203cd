/* Messages of peers about blobs: refused, or the same after encoding again. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "node/blob_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct blob_msg m;
    uint8_t again[BLOB_MSG_SPOKEN_BYTES];
    if (blob_msg_decode(data, size, &m))
        return 0;
    assert(blob_name_ok(m.name) && m.len <= BLOB_PIECE_MAX && m.offset + m.len <= m.total + (m.kind == BLOB_MSG_PIECE ? 0 : m.len));
    blob_msg_encode(again, &m);
    assert(memcmp(again, data, m.kind == BLOB_MSG_SPOKEN ? sizeof again : BLOB_MSG_HEADER) == 0);
    return 0;
}
