#include "token/trie.h"

#include "base/mem.h"

static ft_status add_node(struct trie *trie)
{
    if (trie->n_nodes == trie->capacity) {
        const int64_t capacity = trie->capacity ? 2 * trie->capacity : 256;
        int32_t *ends = mem_resize(trie->ends, (size_t)capacity, sizeof *ends);
        if (!ends)
            return FT_ERR_INTERNAL;
        trie->ends = ends;
        trie->capacity = capacity;
    }
    trie->ends[trie->n_nodes++] = -1;
    return FT_OK;
}

static uint64_t edge_key(uint64_t node, char byte)
{
    return node << 8 | (unsigned char)byte;
}

ft_status trie_add(struct trie *trie, int32_t value, const char *text, size_t bytes)
{
    if (trie->n_nodes == 0)
        FT_TRY(add_node(trie));
    trie->starts[(unsigned char)text[0]] = true;
    uint64_t node = 0;
    for (size_t i = 0; i < bytes; i++) {
        uint64_t next;
        if (!map_get(&trie->edges, edge_key(node, text[i]), &next)) {
            next = (uint64_t)trie->n_nodes;
            FT_TRY(add_node(trie));
            FT_TRY(map_put(&trie->edges, edge_key(node, text[i]), next));
        }
        node = next;
    }
    if (trie->ends[node] < 0)
        trie->ends[node] = value;
    return FT_OK;
}

int64_t trie_walk(const struct trie *trie, const char *text, size_t bytes)
{
    uint64_t node = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (!map_get(&trie->edges, edge_key(node, text[i]), &node))
            return -1;
    }
    return (int64_t)node;
}

int32_t trie_longest(const struct trie *trie, int64_t from, const char *text, size_t bytes,
                     size_t *matched)
{
    int32_t found = -1;
    uint64_t node = (uint64_t)from;
    for (size_t i = 0; i < bytes && map_get(&trie->edges, edge_key(node, text[i]), &node); i++) {
        if (trie->ends[node] >= 0) {
            found = trie->ends[node];
            *matched = i + 1;
        }
    }
    return found;
}

void trie_clear(struct trie *trie)
{
    map_clear(&trie->edges);
    mem_free(trie->ends);
    *trie = (struct trie){0};
}
