/* Codec of a log entry: a batch of commands as one buffer (libraft drops all buffers of an apply but the first).
 *
 *   u32 magic  u32 crc32c (of all that follows, up to length)  u32 length  u32 count  u64 term
 *   count times: u64 origin  u64 incarnation  u64 seq  u32 len  u32 zero  data, zeroes to a multiple of 8
 *
 * The length is the entry's own (libraft loses committed entries whose length is not a multiple of 8), so that padding
 * added below can be told from data. Owner of the memory: the caller, by raft_malloc, because libraft takes it over. */
#ifndef RAFT_REPL_BATCH_H
#define RAFT_REPL_BATCH_H

#include "base/err.h"
#include "raft/repl.h"

#define REPL_BATCH_HEADER 24u
#define REPL_BATCH_ITEM 32u
#define REPL_BATCH_ITEMS_MAX 4096u

struct repl_batch {
    struct list_node link;
    uint8_t *data; /* raft_malloc */
    size_t len, cap;
    unsigned count;
};

/* NULL when out of memory. */
struct repl_batch *repl_batch_new(void);
void repl_batch_free(struct repl_batch *b);
/* Bytes that one command of `len` bytes takes. */
size_t repl_batch_item_bytes(size_t len);
/* True if one more command fits below REPL_BATCH_MAX and REPL_BATCH_ITEMS_MAX. */
bool repl_batch_fits(const struct repl_batch *b, size_t len);
/* 0, or ERR_NOMEM with the batch unchanged. The caller has asked repl_batch_fits. */
ERR_CHECKED int repl_batch_add(struct repl_batch *b, const struct repl_item *item);
/* Fills the header in. The batch may be sealed again (another term). */
void repl_batch_seal(struct repl_batch *b, uint64_t term);
/* Checks everything; `items` (room for REPL_BATCH_ITEMS_MAX) then point into data. 0 or ERR_CORRUPT. */
ERR_CHECKED int repl_batch_decode(const void *data, size_t len, uint64_t *term, struct repl_item *items,
                                  unsigned *count);

#endif
