#include "api/zip.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIMIT 0xFFFFFFFFu
#define MADE_BY 0x031Eu /* Unix, 3.0 */
#define NEEDS 20u       /* version to extract: 2.0 */
#define NEEDS_64 45u
#define UTF8_NAMES 0x0800u
#define MODE (0100644u << 16)
#define CENTRAL 46u
#define EXTRA_64 12u /* of a place beyond 4 GiB */
#define END_64 (56u + 20u)
#define END 22u

struct file {
    char *name;
    uint32_t crc, bytes;
    uint16_t time, date;
    uint64_t at; /* of its head */
};

struct zip {
    struct file *files;
    size_t n, room;
    uint64_t at;
};

int zip_new(struct zip **out)
{
    struct zip *z = calloc(1, sizeof *z);
    if (!z)
        return ERR_NOMEM;
    *out = z;
    return 0;
}

void zip_free(struct zip *z)
{
    if (!z)
        return;
    for (size_t i = 0; i < z->n; i++)
        free(z->files[i].name);
    free(z->files);
    free(z);
}

/* Four bits at a time. */
uint32_t zip_crc(uint32_t before, const void *data, size_t len)
{
    static const uint32_t table[16] = {0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u,
                                       0x4DB26158u, 0x5005713Cu, 0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu,
                                       0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu};
    const uint8_t *p = data;
    uint32_t crc = ~before;
    for (size_t i = 0; i < len; i++) {
        crc = table[(crc ^ p[i]) & 15u] ^ crc >> 4;
        crc = table[(crc ^ (uint32_t)(p[i] >> 4)) & 15u] ^ crc >> 4;
    }
    return ~crc;
}

/* ---- writing */

struct to {
    uint8_t *p;
    size_t len;
};

static void put(struct to *t, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        t->p[t->len++] = (uint8_t)(v >> 8 * i);
}

static void put_text(struct to *t, const char *text)
{
    size_t n = strlen(text);
    memcpy(t->p + t->len, text, n);
    t->len += n;
}

static int add(struct zip *z, const struct file *f)
{
    if (z->n == z->room) {
        size_t room = z->room ? 2 * z->room : 64;
        struct file *more = realloc(z->files, room * sizeof *more);
        if (!more)
            return ERR_NOMEM;
        z->files = more;
        z->room = room;
    }
    z->files[z->n++] = *f;
    return 0;
}

static void set_time(struct file *f, int64_t when_s)
{
    struct tm tm;
    time_t t = (time_t)when_s;
    bool known = gmtime_r(&t, &tm) && tm.tm_year >= 80 && tm.tm_year < 208;
    int clock = known ? tm.tm_hour << 11 | tm.tm_min << 5 | tm.tm_sec / 2 : 0;
    int day = known ? (tm.tm_year - 80) << 9 | (tm.tm_mon + 1) << 5 | tm.tm_mday : 0x21; /* 1980-01-01 */
    f->time = (uint16_t)clock;
    f->date = (uint16_t)day;
}

/* The same in both places: needs, flags, method, time, date, CRC, both sizes, length of the name. */
static void put_about(struct to *t, const struct file *f, unsigned needs)
{
    put(t, needs, 2);
    put(t, UTF8_NAMES, 2);
    put(t, 0, 2);
    put(t, f->time, 2);
    put(t, f->date, 2);
    put(t, f->crc, 4);
    put(t, f->bytes, 4);
    put(t, f->bytes, 4);
    put(t, strlen(f->name), 2);
}

int zip_file(struct zip *z, const char *name, uint32_t crc, uint64_t bytes, int64_t when_s, uint8_t out[ZIP_HEAD_MAX],
             size_t *len)
{
    if (bytes >= LIMIT || strlen(name) > ZIP_NAME_MAX)
        return ERR_TOOBIG;
    struct file f = {.name = strdup(name), .crc = crc, .bytes = (uint32_t)bytes, .at = z->at};
    set_time(&f, when_s);
    int rc = f.name ? add(z, &f) : ERR_NOMEM;
    if (rc) {
        free(f.name);
        return rc;
    }
    struct to t = {.p = out};
    put(&t, 0x04034b50u, 4);
    put_about(&t, &f, NEEDS);
    put(&t, 0, 2); /* no extra field */
    put_text(&t, name);
    z->at += t.len + bytes;
    *len = t.len;
    return 0;
}

/* ---- the end */

static void put_central(struct to *t, const struct file *f)
{
    bool far = f->at >= LIMIT;
    put(t, 0x02014b50u, 4);
    put(t, MADE_BY, 2);
    put_about(t, f, far ? NEEDS_64 : NEEDS);
    put(t, far ? EXTRA_64 : 0, 2);
    put(t, 0, 2); /* no comment */
    put(t, 0, 2); /* disk */
    put(t, 0, 2); /* bytes */
    put(t, MODE, 4);
    put(t, far ? LIMIT : f->at, 4);
    put_text(t, f->name);
    if (!far)
        return;
    put(t, 1, 2); /* ZIP64 */
    put(t, 8, 2);
    put(t, f->at, 8);
}

static void put_end_64(struct to *t, const struct zip *z, uint64_t bytes)
{
    uint64_t at = z->at + bytes;
    put(t, 0x06064b50u, 4);
    put(t, 44, 8); /* of what follows */
    put(t, MADE_BY, 2);
    put(t, NEEDS_64, 2);
    put(t, 0, 4);
    put(t, 0, 4);
    put(t, z->n, 8);
    put(t, z->n, 8);
    put(t, bytes, 8);
    put(t, z->at, 8);
    put(t, 0x07064b50u, 4); /* where that is */
    put(t, 0, 4);
    put(t, at, 8);
    put(t, 1, 4);
}

static uint64_t most(uint64_t v, uint64_t limit)
{
    return v < limit ? v : limit;
}

int zip_end(const struct zip *z, uint8_t **out, size_t *len)
{
    size_t room = END_64 + END;
    for (size_t i = 0; i < z->n; i++)
        room += CENTRAL + EXTRA_64 + strlen(z->files[i].name);
    struct to t = {.p = malloc(room)};
    if (!t.p)
        return ERR_NOMEM;
    for (size_t i = 0; i < z->n; i++)
        put_central(&t, &z->files[i]);
    uint64_t bytes = t.len;
    if (z->n >= 0xFFFFu || z->at >= LIMIT || bytes >= LIMIT)
        put_end_64(&t, z, bytes);
    put(&t, 0x06054b50u, 4);
    put(&t, 0, 4);
    put(&t, most(z->n, 0xFFFFu), 2);
    put(&t, most(z->n, 0xFFFFu), 2);
    put(&t, most(bytes, LIMIT), 4);
    put(&t, most(z->at, LIMIT), 4);
    put(&t, 0, 2);
    *out = t.p;
    *len = t.len;
    return 0;
}
