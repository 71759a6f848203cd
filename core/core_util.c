/* Memory that must not fail, text buffers, a heap. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/utf8.h"
#include "core/core_int.h"

void core_oom(void)
{
    log_error("core", "out of memory while applying a committed command: stopping; state and log are intact");
    abort();
}

void *core_alloc(size_t bytes)
{
    void *p = calloc(1, bytes ? bytes : 1);
    if (!p)
        core_oom();
    return p;
}

void *core_grow(void *p, size_t bytes)
{
    void *q = realloc(p, bytes ? bytes : 1);
    if (!q)
        core_oom();
    return q;
}

char *core_dup(const char *s)
{
    char *p = strdup(s);
    if (!p)
        core_oom();
    return p;
}

void core_pbset(char **field, const char *s)
{
    if (s && *field && strcmp(*field, s) == 0)
        return;
    char *copy = s && *s ? core_dup(s) : (char *)(uintptr_t)protobuf_c_empty_string;
    if (*field && *field != protobuf_c_empty_string)
        free(*field);
    *field = copy;
}

int core_row_number(void *ctx, const struct storage_row *row)
{
    *(uint64_t *)ctx = storage_row_int(row, 0);
    return 1;
}

int core_row_some(void *ctx, const struct storage_row *row)
{
    (void)ctx;
    (void)row;
    return 1;
}

void core_id_text(uint64_t id, char out[17])
{
    for (int i = 15; i >= 0; i--, id >>= 4)
        out[i] = "0123456789abcdef"[id & 15];
    out[16] = '\0';
}

bool core_fits(const char *s, size_t max)
{
    size_t n = strnlen(s, max);
    return n > 0 && n < max;
}

void sbuf_add(struct sbuf *b, const char *s, size_t n)
{
    if (b->len + n + 1 > b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 1024;
        while (cap < b->len + n + 1)
            cap *= 2;
        b->p = core_grow(b->p, cap);
        b->cap = cap;
    }
    memcpy(b->p + b->len, s, n);
    b->len += n;
    b->p[b->len] = '\0';
}

void sbuf_puts(struct sbuf *b, const char *s)
{
    sbuf_add(b, s, strlen(s));
}

void sbuf_uint(struct sbuf *b, uint64_t v)
{
    char t[20];
    size_t at = sizeof t;
    do
        t[--at] = (char)('0' + v % 10);
    while ((v /= 10) != 0);
    sbuf_add(b, t + at, sizeof t - at);
}

void sbuf_hex64(struct sbuf *b, uint64_t v)
{
    char t[17];
    core_id_text(v, t);
    sbuf_add(b, t, sizeof t - 1);
}

void sbuf_str(struct sbuf *b, const char *s)
{
    sbuf_add(b, "\"", 1);
    const char *from = s;
    while (*s) {
        unsigned char ch = (unsigned char)*s;
        size_t n = utf8_sequence(s); /* texts from SIP messages may hold anything */
        if (n > 0 && ch >= 0x20 && ch != '"' && ch != '\\' && ch != 0x7f) {
            s += n;
            continue;
        }
        sbuf_add(b, from, (size_t)(s - from));
        if (n == 0) {
            sbuf_puts(b, "\\ufffd");
        } else if (ch == '"' || ch == '\\') {
            char t[2] = {'\\', (char)ch};
            sbuf_add(b, t, 2);
        } else {
            char t[8];
            (void)snprintf(t, sizeof t, "\\u%04x", ch);
            sbuf_puts(b, t);
        }
        from = ++s;
    }
    sbuf_add(b, from, (size_t)(s - from));
    sbuf_add(b, "\"", 1);
}

static void kv_key(struct sbuf *b, const char *key)
{
    if (b->len && b->p[b->len - 1] != '{')
        sbuf_add(b, ",", 1);
    sbuf_add(b, "\"", 1);
    sbuf_puts(b, key);
    sbuf_add(b, "\":", 2);
}

void sbuf_kv(struct sbuf *b, const char *key, const char *value)
{
    kv_key(b, key);
    sbuf_str(b, value);
}

void sbuf_kv_uint(struct sbuf *b, const char *key, uint64_t value)
{
    kv_key(b, key);
    sbuf_uint(b, value);
}

void sbuf_kv_id(struct sbuf *b, const char *key, uint64_t value)
{
    kv_key(b, key);
    sbuf_add(b, "\"", 1);
    sbuf_hex64(b, value);
    sbuf_add(b, "\"", 1);
}

void sbuf_free(struct sbuf *b)
{
    free(b->p);
    memset(b, 0, sizeof *b);
}

/* ---- heap */

static bool before(const struct heap_item *a, const struct heap_item *b)
{
    return a->due != b->due ? a->due < b->due : a->tie < b->tie;
}

static void place(struct heap *h, size_t i, struct heap_item *it)
{
    h->v[i] = it;
    it->at = i + 1;
}

static void settle(struct heap *h, size_t i)
{
    struct heap_item *it = h->v[i];
    while (i > 0 && before(it, h->v[(i - 1) / 2])) {
        place(h, i, h->v[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->n)
            break;
        if (child + 1 < h->n && before(h->v[child + 1], h->v[child]))
            child++;
        if (!before(h->v[child], it))
            break;
        place(h, i, h->v[child]);
        i = child;
    }
    place(h, i, it);
}

void heap_set(struct heap *h, struct heap_item *it, uint64_t due, uint64_t tie)
{
    it->due = due;
    it->tie = tie;
    if (!it->at) {
        if (h->n == h->cap) {
            h->cap = h->cap ? h->cap * 2 : 64;
            h->v = core_grow(h->v, h->cap * sizeof *h->v);
        }
        place(h, h->n++, it);
    }
    settle(h, it->at - 1);
}

void heap_remove(struct heap *h, struct heap_item *it)
{
    if (!it->at)
        return;
    size_t i = it->at - 1;
    it->at = 0;
    struct heap_item *last = h->v[--h->n];
    if (last == it)
        return;
    place(h, i, last);
    settle(h, i);
}
