/* Who this node is, for ever: one small file that is replaced as a whole and fsynced, never edited in place.
 *
 * It is also the marker that guards bootstrap: libraft's own check passes on a populated folder whose metadata is gone,
 * so a folder whose identity says IDENTITY_MEMBER is never bootstrapped again. */
#ifndef RAFT_IDENTITY_H
#define RAFT_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum identity_state { IDENTITY_BOOTSTRAPPING = 1, IDENTITY_MEMBER = 2 };

struct identity {
    uint64_t id, cluster;
    uint64_t incarnation; /* of the process; grows at each start */
    uint8_t state;        /* enum identity_state */
    char name[64];
};

/* ERR_NOTFOUND when there is none, ERR_CORRUPT when it fails its check. */
ERR_CHECKED int identity_load(const char *dir, struct identity *out);
/* On disk, with the folder, when it returns 0; else ERR_IO or ERR_NOSPACE. */
ERR_CHECKED int identity_store(const char *dir, const struct identity *ident);

/* Writes a file as a whole: temporary name, fsync, rename, fsync of the folder. */
ERR_CHECKED int identity_write_file(const char *dir, const char *name, const void *data, size_t len);
/* Random bytes from the kernel. False if there are none. */
bool identity_random(void *out, size_t len);

#endif
