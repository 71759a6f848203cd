#include "base/mem.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

struct mem_head {
    alignas(max_align_t) mem_destroy_fn *destroy;
    uint32_t refs;
};

static struct mem_head *mem_head(void *obj)
{
    return (struct mem_head *)obj - 1;
}

void *mem_new(size_t bytes, mem_destroy_fn *destroy)
{
    struct mem_head *h = calloc(1, sizeof *h + bytes);
    if (!h)
        return NULL;
    h->destroy = destroy;
    h->refs = 1;
    return h + 1;
}

void *mem_ref(void *obj)
{
    if (obj)
        mem_head(obj)->refs++;
    return obj;
}

void *mem_unref(void *obj)
{
    if (!obj)
        return NULL;
    struct mem_head *h = mem_head(obj);
    assert(h->refs > 0);
    if (--h->refs == 0) {
        if (h->destroy)
            h->destroy(obj);
        free(h);
    }
    return NULL;
}

char *mem_strdup(const char *s)
{
    return s ? strdup(s) : NULL;
}

int mem_strset(char **dst, const char *s)
{
    char *copy = mem_strdup(s);
    if (s && !copy)
        return ERR_NOMEM;
    free(*dst);
    *dst = copy;
    return 0;
}
