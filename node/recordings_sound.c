/* What was recorded, as it is kept and listened to: blobs sealed with a key of their own, and opened with the key of their header. */
#include <stdlib.h>
#include <string.h>

#include "node/recordings_int.h"

static int header_of(struct blobs *b, const struct seal_keys *keys, const char *blob, uint8_t header[SEAL_HEADER_BYTES],
                     uint64_t *bytes)
{
    size_t n = SEAL_HEADER_BYTES;
    int rc = keys ? blobs_size(b, blob, bytes) : ERR_DENIED;
    if (!rc)
        rc = blobs_read(b, blob, 0, header, &n);
    return rc ? rc : n == SEAL_HEADER_BYTES && seal_is(header, n) ? 0 : ERR_CORRUPT;
}

int rec_sound_bytes(struct blobs *b, const struct seal_keys *keys, const char *blob, uint64_t *bytes)
{
    uint8_t header[SEAL_HEADER_BYTES];
    uint64_t all;
    int rc = header_of(b, keys, blob, header, &all);
    if (!rc)
        *bytes = seal_content(all, REC_BLOB_CHUNK);
    return rc;
}

/* The part of one chunk that lies in from ... from + count. */
static int chunk_read(struct blobs *b, const char *blob, const struct seal_key *key, uint64_t chunk, uint64_t from,
                      size_t count, uint8_t *out)
{
    uint8_t sealed[REC_BLOB_CHUNK + SEAL_EXTRA_BYTES], plain[REC_BLOB_CHUNK];
    size_t n = sizeof sealed;
    uint64_t begin = chunk * REC_BLOB_CHUNK;
    int rc = blobs_read(b, blob, SEAL_HEADER_BYTES + chunk * sizeof sealed, sealed, &n);
    if (!rc)
        rc = seal_open(key, chunk, sealed, n, plain);
    if (rc)
        return rc;
    uint64_t first = from > begin ? from : begin, end = begin + n - SEAL_EXTRA_BYTES;
    uint64_t last = from + count < end ? from + count : end;
    if (last > first)
        memcpy(out + (first - from), plain + (first - begin), (size_t)(last - first));
    return 0;
}

int rec_sound_read(struct blobs *b, const struct seal_keys *keys, const char *blob, uint64_t id, uint64_t from,
                   size_t count, void **data)
{
    uint8_t header[SEAL_HEADER_BYTES], *out = NULL;
    struct seal_key key;
    uint64_t all = 0;
    int rc = header_of(b, keys, blob, header, &all);
    uint64_t content = rc ? 0 : seal_content(all, REC_BLOB_CHUNK);
    if (!rc && (from > content || count > content - from))
        rc = ERR_RANGE;
    if (!rc && count == content)
        rc = blobs_check(b, blob);
    if (!rc)
        rc = seal_find(keys, id, header, &key);
    if (!rc) {
        out = calloc(1, count + 1);
        rc = out ? 0 : ERR_NOMEM;
    }
    for (uint64_t chunk = from / REC_BLOB_CHUNK; !rc && chunk * REC_BLOB_CHUNK < from + count; chunk++)
        rc = chunk_read(b, blob, &key, chunk, from, count, out);
    if (rc)
        free(out);
    else
        *data = out;
    return rc;
}

int rec_sound_verify(struct blobs *b, const struct seal_keys *keys, const char *blob, uint64_t id, uint64_t *bytes,
                     uint64_t *chunk)
{
    uint8_t header[SEAL_HEADER_BYTES], plain[REC_BLOB_CHUNK];
    struct seal_key key;
    uint64_t all = 0;
    *bytes = 0;
    *chunk = REC_CHUNK_ALL;
    int rc = keys ? blobs_check(b, blob) : ERR_DENIED;
    if (rc)
        return rc;
    *chunk = REC_CHUNK_HEADER;
    rc = header_of(b, keys, blob, header, &all);
    if (!rc)
        rc = seal_find(keys, id, header, &key);
    *bytes = rc ? 0 : seal_content(all, REC_BLOB_CHUNK);
    for (uint64_t i = 0; !rc && i * REC_BLOB_CHUNK < *bytes; i++) {
        uint64_t from = i * REC_BLOB_CHUNK, left = *bytes - from;
        *chunk = i;
        rc = chunk_read(b, blob, &key, i, from, left < REC_BLOB_CHUNK ? (size_t)left : REC_BLOB_CHUNK, plain);
    }
    return rc;
}

/* ---- made */

int rec_target_open(struct rec_target *t, struct blobs *b, const struct seal_keys *keys, uint64_t id, uint64_t bytes)
{
    struct err_info info = {0};
    uint8_t header[SEAL_HEADER_BYTES];
    *t = (struct rec_target){.out = NULL};
    int rc = seal_new(keys, id, &t->key, header);
    if (!rc)
        rc = blob_writer_open(b, NULL, seal_bytes(bytes, REC_BLOB_CHUNK), &t->out, &info);
    if (!rc)
        rc = blob_writer_add(t->out, header, sizeof header);
    if (rc)
        blob_writer_drop(t->out);
    return rc;
}

static int flush(struct rec_target *t)
{
    uint8_t sealed[REC_BLOB_CHUNK + SEAL_EXTRA_BYTES];
    int rc = t->n ? seal_close(&t->key, t->chunk++, t->plain, t->n, sealed) : 0;
    if (!rc && t->n)
        rc = blob_writer_add(t->out, sealed, t->n + SEAL_EXTRA_BYTES);
    t->n = 0;
    return rc;
}

int rec_target_add(struct rec_target *t, const uint8_t *data, size_t len)
{
    int rc = 0;
    for (size_t at = 0; !rc && at < len;) {
        size_t n = len - at < sizeof t->plain - t->n ? len - at : sizeof t->plain - t->n;
        memcpy(t->plain + t->n, data + at, n);
        t->n += n;
        at += n;
        rc = t->n == sizeof t->plain ? flush(t) : 0;
    }
    return rc;
}

int rec_target_finish(struct rec_target *t, int rc, char blob[BLOB_NAME_MAX])
{
    if (!rc)
        rc = flush(t);
    if (!rc)
        return blob_writer_finish(t->out, blob);
    blob_writer_drop(t->out);
    return rc;
}
