/* Hash map from a string or a 64-bit number to a pointer. Open addressing, grows by doubling; the map owns copies of
 * string keys, never the values. One thread at a time. Iteration order is not defined: code whose result must be
 * the same on all nodes never depends on it. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct map_slot {
    uint64_t hash;
    char *skey; /* owned copy; NULL in a map of numbers */
    uint64_t nkey;
    void *value;
    uint8_t state; /* 0 free, 1 used, 2 deleted */
};

struct map {
    struct map_slot *slots;
    size_t cap, used, filled; /* filled counts used and deleted slots */
};

void map_init(struct map *m);
/* Frees keys and slots; values are the caller's. The map is empty and usable again afterwards. */
void map_free(struct map *m);

/* Insert or replace. 0 or ERR_NOMEM (map unchanged). */
ERR_CHECKED int map_set(struct map *m, const char *key, void *value);
ERR_CHECKED int map_set_u64(struct map *m, uint64_t key, void *value);
/* NULL when not there. */
void *map_get(const struct map *m, const char *key);
void *map_get_u64(const struct map *m, uint64_t key);
/* Removes; returns the value that was there, or NULL. */
void *map_del(struct map *m, const char *key);
void *map_del_u64(struct map *m, uint64_t key);

static inline size_t map_count(const struct map *m)
{
    return m->used;
}

/* for (size_t it = 0; map_next(m, &it, &slot);) ... Deleting keys while iterating is allowed, adding is not. */
bool map_next(const struct map *m, size_t *it, const struct map_slot **slot);

#endif
