/* Bounded queue that crosses threads: any number of producers, one consumer. Items are pointers; ownership passes
 * with them. A mutex is held for a few instructions only. When full, xq_push refuses (ERR_BUSY) and the producer
 * keeps the item: every caller states what it then does. */
#ifndef BASE_XQ_H
#define BASE_XQ_H

#include <pthread.h>
#include <stddef.h>

#include "base/err.h"

struct xq {
    pthread_mutex_t lock;
    void **ring;             /* under lock */
    size_t cap, head, count; /* under lock */
};

/* cap: most items held at once. 0 or ERR_NOMEM. */
ERR_CHECKED int xq_init(struct xq *q, size_t cap);
/* The caller has emptied it and no thread uses it any more. */
void xq_destroy(struct xq *q);
/* 0, or ERR_BUSY when full. *was_empty (may be NULL) tells whether the consumer needs a wake-up. */
ERR_CHECKED int xq_push(struct xq *q, void *item, int *was_empty);
/* Oldest item or NULL. Consumer thread only. */
void *xq_pop(struct xq *q);
size_t xq_count(struct xq *q);

#endif
