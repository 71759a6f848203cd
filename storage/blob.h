/* Content-addressed files: prompts and what else is too large for the log, each named by the SHA-256 of its bytes.
 *
 * What for: replicated objects hold names; the bytes lie in DIR/<64 hex digits>, the same on every node (node/blobs.h moves them).
 *   A file never changes, so that equal contents are stored once and a damaged file is known by its name.
 * Files in DIR: the blobs; .part-* (being written; removed at open).
 * Crash: a file gets its name only when its bytes are on disk, and the name is on disk before the writer reports success.
 * Threads: any; each call waits for the disk, so never the core thread (blobs_open before the loops run is the exception). A
 *   struct blob_writer belongs to one thread at a time.
 * Limits: BLOB_BYTES_MAX a file, a quota over all (blobs_set_quota).
 * Errors: ERR_NOTFOUND, ERR_CORRUPT (the bytes are not those of the name: the file has been removed), ERR_NOSPACE (disk or
 *   quota, `info` says which), ERR_TOOBIG, ERR_IO, ERR_NOMEM. FIPS 180-4 (SHA-256). */
#ifndef STORAGE_BLOB_H
#define STORAGE_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define BLOB_NAME_MAX 65u /* 64 hex digits and NUL */
#define BLOB_BYTES_MAX (64u << 20)

struct blobs;
struct blob_writer;

/* Makes DIR (0700) when missing and removes what was left half-written. */
ERR_CHECKED int blobs_open(const char *dir, struct blobs **out, struct err_info *info);
/* No other call may be under way. NULL is fine. */
void blobs_close(struct blobs *b);
/* Most bytes of all files together; 0: no limit. What is there already stays. */
void blobs_set_quota(struct blobs *b, uint64_t bytes);
uint64_t blobs_bytes(struct blobs *b);

bool blob_name_ok(const char *name);
/* Its bytes, which are not read: 0 or ERR_NOTFOUND. */
ERR_CHECKED int blobs_size(struct blobs *b, const char *name, uint64_t *bytes);
/* The whole blob, checked; *data is malloc'ed and has a NUL behind its last byte. */
ERR_CHECKED int blobs_get(struct blobs *b, const char *name, void **data, size_t *len);
/* Up to *len bytes from `offset`, unchecked; *len becomes what there was. */
ERR_CHECKED int blobs_read(struct blobs *b, const char *name, uint64_t offset, void *buf, size_t *len);
/* Reads it all and holds it against its name. */
ERR_CHECKED int blobs_check(struct blobs *b, const char *name);
/* Stores bytes. Known ones become as young as new ones (see blobs_sweep). */
ERR_CHECKED int blobs_put(struct blobs *b, const void *data, size_t len, char name[BLOB_NAME_MAX],
                          struct err_info *info);
/* Checks it and makes it as young as a new one. */
ERR_CHECKED int blobs_renew(struct blobs *b, const char *name);
void blobs_remove(struct blobs *b, const char *name);

/* In pieces: `bytes` as they are expected (the quota is held against them), `name` what they must turn out to be, NULL: any. */
ERR_CHECKED int blob_writer_open(struct blobs *b, const char *name, uint64_t bytes, struct blob_writer **out,
                                 struct err_info *info);
ERR_CHECKED int blob_writer_add(struct blob_writer *w, const void *data, size_t len);
/* ERR_CORRUPT: not the bytes of that name. Frees the writer in any case. */
ERR_CHECKED int blob_writer_finish(struct blob_writer *w, char name[BLOB_NAME_MAX]);
void blob_writer_drop(struct blob_writer *w); /* NULL is fine */

/* Each blob; age: seconds since it was stored last. fn returns non-zero to stop. */
typedef int blobs_each_fn(void *ctx, const char *name, uint64_t bytes, uint64_t age_s);
ERR_CHECKED int blobs_each(struct blobs *b, blobs_each_fn *fn, void *ctx);
/* Removes each blob for which `keep` is false and that was stored more than grace_s ago: what is being uploaded is not named by
 * anything yet. Returns how many. */
typedef bool blobs_keep_fn(void *ctx, const char *name);
unsigned blobs_sweep(struct blobs *b, blobs_keep_fn *keep, void *ctx, uint64_t grace_s);

#endif
