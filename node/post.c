#include <pthread.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/xq.h"
#include "node/node.h"

struct node_work {
    node_post_fn *fn;
    void *ctx;
};

struct node_post {
    struct xq q;
    pthread_mutex_t lock;
    struct list_node lent; /* struct node_posted, oldest first; under lock */
    uv_async_t wake;
    struct node *n;
};

static struct node_posted *node_post_next_lent(struct node_post *p)
{
    struct node_posted *w = NULL;
    pthread_mutex_lock(&p->lock);
    if (!list_empty(&p->lent)) {
        w = list_entry(p->lent.next, struct node_posted, link);
        list_del(&w->link);
    }
    pthread_mutex_unlock(&p->lock);
    return w;
}

static void node_post_run(uv_async_t *wake)
{
    struct node_post *p = wake->data;
    for (struct node_posted *w; (w = node_post_next_lent(p));)
        w->fn(p->n, w->ctx);
    for (struct node_work *w; (w = xq_pop(&p->q));) {
        w->fn(p->n, w->ctx);
        free(w);
    }
}

int node_post_init(struct node *n)
{
    struct node_post *p = calloc(1, sizeof *p);
    if (!p)
        return ERR_NOMEM;
    p->n = n;
    int rc = xq_init(&p->q, NODE_POST_MAX);
    if (rc) {
        free(p);
        return rc;
    }
    p->wake.data = p;
    pthread_mutex_init(&p->lock, NULL);
    list_init(&p->lent);
    if (uv_async_init(&n->loop, &p->wake, node_post_run)) {
        pthread_mutex_destroy(&p->lock);
        xq_destroy(&p->q);
        free(p);
        return ERR_IO;
    }
    n->post = p;
    return 0;
}

static void node_post_closed(uv_handle_t *h)
{
    struct node_post *p = h->data;
    pthread_mutex_destroy(&p->lock);
    xq_destroy(&p->q);
    free(p);
}

void node_post_close(struct node *n)
{
    struct node_post *p = n->post;
    n->post = NULL;
    if (!p)
        return;
    node_post_run(&p->wake);
    uv_close((uv_handle_t *)&p->wake, node_post_closed);
}

int node_post(struct node *n, node_post_fn *fn, void *ctx)
{
    struct node_work *w = malloc(sizeof *w);
    if (!w)
        return ERR_NOMEM;
    w->fn = fn;
    w->ctx = ctx;
    int rc = xq_push(&n->post->q, w, NULL);
    if (rc) {
        free(w);
        return rc;
    }
    uv_async_send(&n->post->wake);
    return 0;
}

void node_post_lend(struct node *n, struct node_posted *w, node_post_fn *fn, void *ctx)
{
    struct node_post *p = n->post;
    *w = (struct node_posted){.fn = fn, .ctx = ctx};
    pthread_mutex_lock(&p->lock);
    list_push_back(&p->lent, &w->link);
    pthread_mutex_unlock(&p->lock);
    uv_async_send(&p->wake);
}

size_t node_post_waiting(struct node *n)
{
    return n->post ? xq_count(&n->post->q) : 0;
}
