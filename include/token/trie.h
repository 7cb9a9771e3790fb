/** A trie over bytes: the longest of many texts at a place of another text. */
#ifndef FT_TOKEN_TRIE_H
#define FT_TOKEN_TRIE_H

#include <stdbool.h>
#include <stddef.h>

#include "token/map.h"

/** Zero-initialise to start. */
struct trie {
    struct map edges; /**< (node << 8 | byte) -> node; node 0 is the root */
    int32_t *ends;    /**< (n_nodes) value of the text that ends here, or -1 */
    int64_t n_nodes, capacity;
    bool starts[256]; /**< bytes that leave the root */
};

/** Adds a text of at least one byte with a value >= 0; a text that is there keeps its value. */
ft_status trie_add(struct trie *trie, int32_t value, const char *text, size_t bytes);

/** Node that text leads to from the root; -1 when none does. The root where bytes is 0. */
int64_t trie_walk(const struct trie *trie, const char *text, size_t bytes);

/**
 * Value of the longest text at the start of text, going on from node; -1 when there is none.
 *
 * @param[out] matched its bytes below node, at least one; untouched when there is none
 */
int32_t trie_longest(const struct trie *trie, int64_t node, const char *text, size_t bytes,
                     size_t *matched);

void trie_clear(struct trie *trie);

#endif
