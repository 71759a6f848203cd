#include <stdlib.h>

#include "base/xq.h"
#include "node/node.h"

struct node_work {
    node_post_fn *fn;
    void *ctx;
};

struct node_post {
    struct xq q;
    uv_async_t wake;
    struct node *n;
};

static void node_post_run(uv_async_t *wake)
{
    struct node_post *p = wake->data;
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
    if (uv_async_init(&n->loop, &p->wake, node_post_run)) {
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

size_t node_post_waiting(struct node *n)
{
    return n->post ? xq_count(&n->post->q) : 0;
}
