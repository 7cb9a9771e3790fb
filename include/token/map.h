/** Hash table from 64-bit keys to 64-bit values, for pairs of ids and for edges of a trie. */
#ifndef FT_TOKEN_MAP_H
#define FT_TOKEN_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/** Open addressing, at most half full. Zero-initialise to start. UINT64_MAX is no key. */
struct map {
    struct map_slot {
        uint64_t key, value;
    } * slots;
    uint64_t capacity; /**< a power of two; 0 while empty */
    uint64_t n;
};

/** Sets the value of key, replacing an older one. */
ft_status map_put(struct map *map, uint64_t key, uint64_t value);

/** Releases the memory and starts again. */
void map_clear(struct map *map);

static inline uint64_t map_mix(uint64_t key)
{
    key = (key ^ key >> 32) * 0xd6e8feb86659fd93u;
    key = (key ^ key >> 32) * 0xd6e8feb86659fd93u;
    return key ^ key >> 32;
}

/** Whether key is there; *value is untouched when not. */
static inline bool map_get(const struct map *map, uint64_t key, uint64_t *value)
{
    if (map->capacity == 0)
        return false;
    uint64_t i = map_mix(key) & (map->capacity - 1);
    while (map->slots[i].key != UINT64_MAX) {
        if (map->slots[i].key == key) {
            *value = map->slots[i].value;
            return true;
        }
        i = (i + 1) & (map->capacity - 1);
    }
    return false;
}

#endif
