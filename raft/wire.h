/* Little-endian reading and writing of bytes, shared by the codecs of this folder.
 *
 * A reader never passes its end: past it every get returns 0 and `bad` stays set, so that a decoder may read all its
 * fields and look once. A writer is used on memory whose size the caller has computed. One thread at a time. */
#ifndef RAFT_WIRE_H
#define RAFT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wire_reader {
    const uint8_t *at, *end;
    bool bad;
};

static inline void wire_reader_init(struct wire_reader *r, const void *data, size_t len)
{
    r->at = data;
    r->end = len ? r->at + len : r->at;
    r->bad = false;
}

static inline size_t wire_left(const struct wire_reader *r)
{
    return (size_t)(r->end - r->at);
}

/* Pointer to the next n bytes, or NULL. */
static inline const uint8_t *wire_take(struct wire_reader *r, size_t n)
{
    if (r->bad || n > wire_left(r)) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *p = r->at;
    r->at += n;
    return p;
}

static inline uint64_t wire_load(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = bytes; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

static inline uint64_t wire_get(struct wire_reader *r, unsigned bytes)
{
    const uint8_t *p = wire_take(r, bytes);
    return p ? wire_load(p, bytes) : 0;
}

static inline uint8_t wire_get8(struct wire_reader *r)
{
    return (uint8_t)wire_get(r, 1);
}
static inline uint16_t wire_get16(struct wire_reader *r)
{
    return (uint16_t)wire_get(r, 2);
}
static inline uint32_t wire_get32(struct wire_reader *r)
{
    return (uint32_t)wire_get(r, 4);
}
static inline uint64_t wire_get64(struct wire_reader *r)
{
    return wire_get(r, 8);
}

/* A string with a length byte, without NUL inside; out gets a terminator. Too long for cap is bad. */
static inline void wire_get_str(struct wire_reader *r, char *out, size_t cap)
{
    size_t n = wire_get8(r);
    const uint8_t *p = wire_take(r, n);
    out[0] = '\0';
    if (!p)
        return;
    if (n >= cap || memchr(p, 0, n)) {
        r->bad = true;
        return;
    }
    memcpy(out, p, n);
    out[n] = '\0';
}

static inline uint8_t *wire_store(uint8_t *p, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> (8 * i));
    return p + bytes;
}

static inline uint8_t *wire_put8(uint8_t *p, uint8_t v)
{
    return wire_store(p, v, 1);
}
static inline uint8_t *wire_put16(uint8_t *p, uint16_t v)
{
    return wire_store(p, v, 2);
}
static inline uint8_t *wire_put32(uint8_t *p, uint32_t v)
{
    return wire_store(p, v, 4);
}
static inline uint8_t *wire_put64(uint8_t *p, uint64_t v)
{
    return wire_store(p, v, 8);
}

/* At most 255 bytes of s. */
static inline uint8_t *wire_put_str(uint8_t *p, const char *s)
{
    size_t n = strnlen(s, 255);
    *p++ = (uint8_t)n;
    memcpy(p, s, n);
    return p + n;
}

static inline size_t wire_pad8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

#endif
