#include "base/map.h"

#include <stdlib.h>
#include <string.h>

enum { MAP_FREE, MAP_USED, MAP_DELETED, MAP_FIRST_CAP = 16 };

static uint64_t map_mix(uint64_t x)
{
    /* splitmix64 finaliser */
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static uint64_t map_hash_str(const char *s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
    return map_mix(h);
}

void map_init(struct map *m)
{
    *m = (struct map){0};
}

void map_free(struct map *m)
{
    for (size_t i = 0; i < m->cap; i++)
        free(m->slots[i].skey);
    free(m->slots);
    map_init(m);
}

static bool map_same(const struct map_slot *s, uint64_t hash, const char *skey, uint64_t nkey)
{
    if (s->state != MAP_USED || s->hash != hash)
        return false;
    return skey ? s->skey && strcmp(s->skey, skey) == 0 : !s->skey && s->nkey == nkey;
}

static struct map_slot *map_find(const struct map *m, uint64_t hash, const char *skey, uint64_t nkey)
{
    if (!m->cap)
        return NULL;
    for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct map_slot *s = &m->slots[i];
        if (s->state == MAP_FREE)
            return NULL;
        if (map_same(s, hash, skey, nkey))
            return s;
    }
}

static struct map_slot *map_vacant(struct map_slot *slots, size_t cap, uint64_t hash)
{
    size_t i = hash & (cap - 1);
    while (slots[i].state == MAP_USED)
        i = (i + 1) & (cap - 1);
    return &slots[i];
}

static int map_grow(struct map *m)
{
    if (m->cap && (m->filled + 1) * 4 <= m->cap * 3)
        return 0;
    size_t cap = m->cap ? m->cap : MAP_FIRST_CAP;
    while ((m->used + 1) * 2 > cap)
        cap *= 2;
    struct map_slot *slots = calloc(cap, sizeof *slots);
    if (!slots)
        return ERR_NOMEM;
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].state == MAP_USED)
            *map_vacant(slots, cap, m->slots[i].hash) = m->slots[i];
    free(m->slots);
    m->slots = slots;
    m->cap = cap;
    m->filled = m->used;
    return 0;
}

static int map_put(struct map *m, uint64_t hash, const char *skey, uint64_t nkey, void *value)
{
    struct map_slot *s = map_find(m, hash, skey, nkey);
    if (s) {
        s->value = value;
        return 0;
    }
    if (map_grow(m))
        return ERR_NOMEM;
    char *copy = NULL;
    if (skey && !(copy = strdup(skey)))
        return ERR_NOMEM;
    s = map_vacant(m->slots, m->cap, hash);
    if (s->state == MAP_FREE)
        m->filled++;
    *s = (struct map_slot){.hash = hash, .skey = copy, .nkey = nkey, .value = value, .state = MAP_USED};
    m->used++;
    return 0;
}

static void *map_remove(struct map *m, struct map_slot *s)
{
    if (!s)
        return NULL;
    void *value = s->value;
    free(s->skey);
    *s = (struct map_slot){.state = MAP_DELETED};
    m->used--;
    return value;
}

int map_set(struct map *m, const char *key, void *value)
{
    return map_put(m, map_hash_str(key), key, 0, value);
}

int map_set_u64(struct map *m, uint64_t key, void *value)
{
    return map_put(m, map_mix(key), NULL, key, value);
}

void *map_get(const struct map *m, const char *key)
{
    struct map_slot *s = map_find(m, map_hash_str(key), key, 0);
    return s ? s->value : NULL;
}

void *map_get_u64(const struct map *m, uint64_t key)
{
    struct map_slot *s = map_find(m, map_mix(key), NULL, key);
    return s ? s->value : NULL;
}

void *map_del(struct map *m, const char *key)
{
    return map_remove(m, map_find(m, map_hash_str(key), key, 0));
}

void *map_del_u64(struct map *m, uint64_t key)
{
    return map_remove(m, map_find(m, map_mix(key), NULL, key));
}

bool map_next(const struct map *m, size_t *it, const struct map_slot **slot)
{
    while (*it < m->cap) {
        const struct map_slot *s = &m->slots[(*it)++];
        if (s->state == MAP_USED) {
            *slot = s;
            return true;
        }
    }
    return false;
}
