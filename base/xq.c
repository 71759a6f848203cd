#include "base/xq.h"

#include <stdlib.h>

int xq_init(struct xq *q, size_t cap)
{
    *q = (struct xq){.cap = cap};
    q->ring = calloc(cap, sizeof *q->ring);
    if (!q->ring)
        return ERR_NOMEM;
    pthread_mutex_init(&q->lock, NULL);
    return 0;
}

void xq_destroy(struct xq *q)
{
    free(q->ring);
    q->ring = NULL;
    pthread_mutex_destroy(&q->lock);
}

int xq_push(struct xq *q, void *item, int *was_empty)
{
    int rc = ERR_BUSY;
    pthread_mutex_lock(&q->lock);
    if (q->count < q->cap) {
        if (was_empty)
            *was_empty = q->count == 0;
        q->ring[(q->head + q->count++) % q->cap] = item;
        rc = 0;
    }
    pthread_mutex_unlock(&q->lock);
    return rc;
}

void *xq_pop(struct xq *q)
{
    void *item = NULL;
    pthread_mutex_lock(&q->lock);
    if (q->count > 0) {
        item = q->ring[q->head];
        q->head = (q->head + 1) % q->cap;
        q->count--;
    }
    pthread_mutex_unlock(&q->lock);
    return item;
}

size_t xq_count(struct xq *q)
{
    pthread_mutex_lock(&q->lock);
    size_t n = q->count;
    pthread_mutex_unlock(&q->lock);
    return n;
}
