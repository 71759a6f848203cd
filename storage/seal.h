/* Files that nobody reads without a key: recordings, on disk and on their way to other nodes.
 *
 * A sealed file is a header and chunks. The header holds the file's own random key, wrapped by a master key that is on no disk of the
 * cluster's state but in a file of each node (recording_key_file). Every chunk is sealed on its own, so that any part can be read or written
 * without the rest: AES-256-GCM (NIST SP 800-38D), a random nonce, and as associated data which file and which chunk it is, so that
 * chunks cannot change places, nor files their names.
 *
 *   header   "EVSEAL1" 0 | first 8 bytes of SHA-256(master key) | nonce 12 | the file's key, wrapped 32 | tag 16
 *   chunk    nonce 12 | as many bytes as were sealed | tag 16
 *
 * A chunk of zero bytes is none: a hole in the file (seal_hole).
 * Master keys: one line of 64 hexadecimal digits each; the first seals, all open, so that keys can be changed. Owner: who loads them; seal_keys_free
 * wipes them. They never change after that: any thread.
 * Errors: ERR_DENIED (no master key here fits the header), ERR_CORRUPT (not what was sealed), ERR_IO (the library fails: no random bytes, no memory). */
#ifndef STORAGE_SEAL_H
#define STORAGE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SEAL_HEADER_BYTES 76u
#define SEAL_EXTRA_BYTES 28u /* of each chunk */
#define SEAL_KEYS_MAX 8u

struct seal_keys;
struct seal_key {
    uint8_t bytes[32]; /* secret */
    uint64_t file;     /* which file it is for */
};

/* ERR_NOTFOUND, ERR_IO, ERR_DENIED (others than its owner may read it), ERR_INVAL (not such lines, or all of one digit), ERR_NOMEM. The text says no
 * byte of what is in it. */
ERR_CHECKED int seal_keys_load(const char *path, struct seal_keys **out, struct err_info *info);
void seal_keys_free(struct seal_keys *k); /* NULL is fine */

/* A key of its own for this file, and the header to put before its chunks. */
ERR_CHECKED int seal_new(const struct seal_keys *k, uint64_t file, struct seal_key *out,
                         uint8_t header[SEAL_HEADER_BYTES]);
/* The key from a header that was made before. */
ERR_CHECKED int seal_find(const struct seal_keys *k, uint64_t file, const uint8_t header[SEAL_HEADER_BYTES],
                          struct seal_key *out);
/* Whether a file that begins so is a sealed one. */
bool seal_is(const void *data, size_t len);

/* Writes len + SEAL_EXTRA_BYTES bytes. */
ERR_CHECKED int seal_close(const struct seal_key *k, uint64_t chunk, const void *plain, size_t len, uint8_t *out);
/* Writes len - SEAL_EXTRA_BYTES bytes, also when it fails (they are nothing then). */
ERR_CHECKED int seal_open(const struct seal_key *k, uint64_t chunk, const void *sealed, size_t len, uint8_t *out);
bool seal_hole(const void *sealed, size_t len);

/* Of files whose chunks are all of `chunk` bytes but for the last: how many bytes of content there are in `bytes` of file, and the other way round. */
uint64_t seal_content(uint64_t bytes, size_t chunk);
uint64_t seal_bytes(uint64_t content, size_t chunk);

#endif
