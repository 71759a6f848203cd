/* Messages of peers about recordings: refused, or the same after encoding again. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "node/rec_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rec_msg m;
    uint8_t again[REC_MSG_HEADER];
    if (rec_msg_decode(data, size, &m))
        return 0;
    assert(m.id && m.len <= REC_PIECE_MAX && m.offset + m.len <= REC_BYTES_MAX + (m.len ? 0 : REC_BYTES_MAX));
    assert(m.data + m.len == data + size);
    rec_msg_encode(again, &m);
    assert(memcmp(again, data, sizeof again) == 0);
    return 0;
}
