#include "token/map.h"

#include "base/mem.h"

static void insert(struct map *map, uint64_t key, uint64_t value)
{
    uint64_t i = map_mix(key) & (map->capacity - 1);
    while (map->slots[i].key != UINT64_MAX && map->slots[i].key != key)
        i = (i + 1) & (map->capacity - 1);
    map->n += map->slots[i].key != key;
    map->slots[i] = (struct map_slot){key, value};
}

static ft_status grow(struct map *map)
{
    struct map larger = {.capacity = map->capacity ? 2 * map->capacity : 64};
    larger.slots = mem_alloc_raw(larger.capacity, sizeof *larger.slots);
    if (!larger.slots)
        return FT_ERR_INTERNAL;
    for (uint64_t i = 0; i < larger.capacity; i++)
        larger.slots[i].key = UINT64_MAX;
    for (uint64_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].key != UINT64_MAX)
            insert(&larger, map->slots[i].key, map->slots[i].value);
    }
    mem_free(map->slots);
    *map = larger;
    return FT_OK;
}

ft_status map_put(struct map *map, uint64_t key, uint64_t value)
{
    if (2 * (map->n + 1) > map->capacity)
        FT_TRY(grow(map));
    insert(map, key, value);
    return FT_OK;
}

void map_clear(struct map *map)
{
    mem_free(map->slots);
    *map = (struct map){0};
}
