/* Snapshot images: files in a folder of their own, named by index and hash, and the manifest that stands for one in
 * libraft's snapshot. libraft checks nothing of a snapshot, so the manifest has magic, length and CRC32C, and the file
 * its SHA-256. No function here runs on the loop for longer than a few system calls, except where said. */
#ifndef RAFT_IMAGE_H
#define RAFT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "raft/repl.h"

#define IMAGE_ORIGINS_MAX 128u
#define IMAGE_MANIFEST_BYTES (64u + IMAGE_ORIGINS_MAX * 24u)
#define IMAGE_NAME_MAX 64u

struct image_origin {
    uint64_t id, incarnation, seq;
};

struct image_manifest {
    uint64_t index; /* of the state in the image */
    uint64_t bytes;
    uint8_t sha256[32];
    unsigned n_origins;
    struct image_origin origins[IMAGE_ORIGINS_MAX];
};

/* Always IMAGE_MANIFEST_BYTES, so that room can be kept before the image is known. */
void image_manifest_encode(uint8_t out[IMAGE_MANIFEST_BYTES], const struct image_manifest *m);
ERR_CHECKED int image_manifest_decode(const void *data, size_t len, struct image_manifest *out);

/* File name without folder. */
void image_name(char out[IMAGE_NAME_MAX], const struct image_manifest *m);
/* True when a file of that name and size is in the folder. */
bool image_present(const char *dir, const struct image_manifest *m);
/* Reads the whole file: not on the loop except at start. 0, ERR_NOTFOUND, ERR_CORRUPT, ERR_IO. */
ERR_CHECKED int image_check(const char *path, uint64_t bytes, const uint8_t sha256[32]);
/* Makes a finished file durable under its name in the folder. Blocks on the disk: in a worker. */
ERR_CHECKED int image_settle(const char *from, const char *dir, const char *name);
/* Removes all files but those named in keep[0, n) (names without folder), and what is left of transfers. */
void image_sweep(const char *dir, char keep[][IMAGE_NAME_MAX], unsigned n);

#endif
