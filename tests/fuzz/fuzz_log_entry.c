/* A log entry as it comes from a disk or a leader: as it is, and with magic, length and checksum put right, so that what is
 * inside is reached. Likewise the manifest of a snapshot. */
#include <raft.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "raft/crc32c.h"
#include "raft/image.h"
#include "raft/repl_batch.h"
#include "raft/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct repl_item items[REPL_BATCH_ITEMS_MAX];

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check(const uint8_t *data, size_t size)
{
    uint64_t term;
    unsigned n;
    if (repl_batch_decode(data, size, &term, items, &n))
        return;
    must(n && n <= REPL_BATCH_ITEMS_MAX);
    struct repl_batch *b = repl_batch_new();
    must(b != NULL);
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *p = items[i].data;
        must(p >= data && p + items[i].len <= data + size);
        must(repl_batch_fits(b, items[i].len));
        must(repl_batch_add(b, &items[i]) == 0);
    }
    repl_batch_seal(b, term);
    uint64_t term2;
    unsigned n2;
    must(repl_batch_decode(b->data, b->len, &term2, items, &n2) == 0 && n == n2 && term == term2);
    repl_batch_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image_manifest m;
    if (image_manifest_decode(data, size, &m) == 0)
        must(m.n_origins <= IMAGE_ORIGINS_MAX);
    check(data, size);
    if (size < REPL_BATCH_HEADER || size > REPL_BATCH_MAX)
        return 0;
    uint8_t *copy = malloc(size);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    memcpy(copy, "EVB1", 4);
    wire_put32(copy + 8, (uint32_t)size);
    wire_put32(copy + 4, crc32c(0, copy + 8, size - 8));
    check(copy, size);
    free(copy);
    return 0;
}
