#include "raft/repl_batch.h"

#include <raft.h>
#include <stdlib.h>
#include <string.h>

#include "raft/crc32c.h"
#include "raft/wire.h"

#define REPL_BATCH_MAGIC 0x31425645u /* "EVB1" */
#define REPL_BATCH_FIRST_CAP 4096u

struct repl_batch *repl_batch_new(void)
{
    struct repl_batch *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->data = raft_malloc(REPL_BATCH_FIRST_CAP);
    if (!b->data) {
        free(b);
        return NULL;
    }
    b->cap = REPL_BATCH_FIRST_CAP;
    b->len = REPL_BATCH_HEADER;
    memset(b->data, 0, REPL_BATCH_HEADER);
    list_init(&b->link);
    return b;
}

void repl_batch_free(struct repl_batch *b)
{
    if (!b)
        return;
    raft_free(b->data);
    free(b);
}

size_t repl_batch_item_bytes(size_t len)
{
    return REPL_BATCH_ITEM + wire_pad8(len);
}

bool repl_batch_fits(const struct repl_batch *b, size_t len)
{
    return b->count < REPL_BATCH_ITEMS_MAX && b->len + repl_batch_item_bytes(len) <= REPL_BATCH_MAX;
}

int repl_batch_add(struct repl_batch *b, const struct repl_item *item)
{
    size_t need = b->len + repl_batch_item_bytes(item->len);
    if (need > b->cap) {
        size_t cap = b->cap;
        while (cap < need)
            cap *= 2;
        uint8_t *p = raft_realloc(b->data, cap);
        if (!p)
            return ERR_NOMEM;
        b->data = p;
        b->cap = cap;
    }
    uint8_t *p = b->data + b->len;
    p = wire_put64(p, item->origin);
    p = wire_put64(p, item->incarnation);
    p = wire_put64(p, item->seq);
    p = wire_put32(p, (uint32_t)item->len);
    p = wire_put32(p, 0);
    if (item->len)
        memcpy(p, item->data, item->len);
    memset(p + item->len, 0, wire_pad8(item->len) - item->len);
    b->len = need;
    b->count++;
    return 0;
}

void repl_batch_seal(struct repl_batch *b, uint64_t term)
{
    uint8_t *p = wire_put32(b->data, REPL_BATCH_MAGIC);
    uint8_t *crc = p;
    p = wire_put32(p, 0);
    uint8_t *body = p;
    p = wire_put32(p, (uint32_t)b->len);
    p = wire_put32(p, b->count);
    wire_put64(p, term);
    wire_put32(crc, crc32c(0, body, b->len - 8));
}

int repl_batch_decode(const void *data, size_t len, uint64_t *term, struct repl_item *items, unsigned *count)
{
    struct wire_reader r;
    wire_reader_init(&r, data, len);
    uint32_t magic = wire_get32(&r), crc = wire_get32(&r), own = wire_get32(&r), n = wire_get32(&r);
    uint64_t t = wire_get64(&r);
    if (r.bad || magic != REPL_BATCH_MAGIC || own < REPL_BATCH_HEADER || own > len || own > REPL_BATCH_MAX || !n ||
        n > REPL_BATCH_ITEMS_MAX)
        return ERR_CORRUPT;
    if (crc32c(0, (const uint8_t *)data + 8, own - 8) != crc)
        return ERR_CORRUPT;
    r.end = (const uint8_t *)data + own;
    for (unsigned i = 0; i < n; i++) {
        struct repl_item *it = &items[i];
        it->origin = wire_get64(&r);
        it->incarnation = wire_get64(&r);
        it->seq = wire_get64(&r);
        it->len = wire_get32(&r);
        uint32_t zero = wire_get32(&r);
        if (r.bad || zero || it->len > REPL_COMMAND_MAX)
            return ERR_CORRUPT;
        it->data = wire_take(&r, wire_pad8(it->len));
    }
    if (r.bad || wire_left(&r))
        return ERR_CORRUPT;
    *term = t;
    *count = n;
    return 0;
}
