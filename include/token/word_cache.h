/**
 * The ids of words seen before: text repeats its words.
 *
 * A cache of 64-byte lines, one a word, for words of up to 31 bytes and 7 ids. A word can only be
 * in one of two neighbouring lines, and the newer one comes first, so that lookup and replacement
 * take constant time and no text can make them slow.
 *
 *     | word, zero-padded (31) | length (1) | n ids (4) | ids (7 * 4) |
 */
#ifndef FT_TOKEN_WORD_CACHE_H
#define FT_TOKEN_WORD_CACHE_H

#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "token/map.h"
#include "token/tokenizer.h"

#ifndef WORD_CACHE_LINES /* the fuzz targets have few */
#define WORD_CACHE_LINES (1 << 16)
#endif

enum { WORD_CACHE_BYTES = 31, WORD_CACHE_IDS = 7 };

struct word_cache_line {
    uint64_t key[4];
    int32_t n;
    int32_t ids[WORD_CACHE_IDS];
};

/** Zero-initialise to start. */
struct word_cache {
    struct word_cache_line *lines;
};

static inline ft_status word_cache_create(struct word_cache *cache)
{
    return FT_ALLOC(cache->lines, WORD_CACHE_LINES);
}

static inline void word_cache_clear(struct word_cache *cache)
{
    FT_FREE(cache->lines);
}

static inline void word_cache_key(uint64_t key[4], const char *word, size_t bytes)
{
    char padded[32] = {0};
    memcpy(padded, word, bytes);
    padded[WORD_CACHE_BYTES] = (char)bytes;
    memcpy(key, padded, sizeof padded);
}

static inline bool word_cache_same(const uint64_t a[4], const uint64_t b[4])
{
    return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3])) == 0;
}

/** The first of the two lines of a word of 1 ... WORD_CACHE_BYTES bytes; fills its key. */
static inline struct word_cache_line *
word_cache_place(const struct word_cache *cache, uint64_t key[4], const char *word, size_t bytes)
{
    word_cache_key(key, word, bytes);
    uint64_t mixed = map_mix(key[0] ^ key[3]) + key[1];
    mixed = bytes > 8 ? map_mix(mixed) + key[2] : mixed;
    return &cache->lines[mixed * 0x9e3779b97f4a7c15u >> 48 & (WORD_CACHE_LINES - 1)];
}

/** The line that holds the word, or NULL. */
static inline const struct word_cache_line *word_cache_find(const struct word_cache *cache,
                                                            const struct word_cache_line *place,
                                                            const uint64_t key[4])
{
    const struct word_cache_line *second = cache->lines + ((place - cache->lines) ^ 1);
    if (word_cache_same(place->key, key))
        return place;
    return word_cache_same(second->key, key) ? second : NULL;
}

/** Keeps the ids of a word, where they are not too many, before the word that was there. */
static inline void word_cache_keep(const struct word_cache *cache, struct word_cache_line *place,
                                   const uint64_t key[4], const int32_t *ids, int64_t n)
{
    if (n > WORD_CACHE_IDS)
        return;
    cache->lines[(place - cache->lines) ^ 1] = *place;
    memcpy(place->key, key, sizeof place->key);
    place->n = (int32_t)n;
    for (int64_t i = 0; i < n; i++)
        place->ids[i] = ids[i];
}

#endif
