/*
 * One trie holds the tokens as they are written, the prefix "##" included. A word begins at the
 * root; what follows goes on from the node behind the prefix, so that nothing is pasted together.
 * The longest match from a place is one walk down, at most as deep as the longest token: a word of
 * n characters costs at most n such walks, and n is bounded. The linear algorithm (Song et al.
 * 2021) would pay for its failure links only on words that are not in the cache.
 */
#include "token/wordpiece.h"

#include <string.h>

#include "base/mem.h"

ft_status wordpiece_begin(struct wordpiece *w, const struct vocab *vocab, const char *prefix,
                          int32_t unknown, int64_t chars_max)
{
    for (int32_t id = 0; id < vocab->n; id++) {
        size_t bytes = 0;
        const char *text = vocab_text(vocab, id, &bytes);
        if (text)
            FT_TRY(trie_add(&w->trie, id, text, bytes));
    }
    w->inside = trie_walk(&w->trie, prefix, strlen(prefix));
    w->unknown = unknown;
    w->chars_max = chars_max;
    w->prefix = mem_copy_text(prefix);
    return w->prefix ? word_cache_create(&w->cache) : FT_ERR_INTERNAL;
}

static int64_t count_characters(const char *word, size_t bytes)
{
    int64_t n = 0;
    for (size_t i = 0; i < bytes; i++)
        n += ((unsigned char)word[i] & 0xc0) != 0x80;
    return n;
}

/** Appends the word's tokens as far as they go; false when they do not cover it. */
static ft_status append_pieces(const struct wordpiece *w, struct token_list *out, bool *covered,
                               const char *word, size_t bytes)
{
    size_t at = 0, matched = 0;
    for (int64_t node = 0; at < bytes && node >= 0; at += matched, node = w->inside) {
        const int32_t id = trie_longest(&w->trie, node, word + at, bytes - at, &matched);
        if (id < 0)
            break;
        FT_TRY(token_list_append(out, &id, 1));
    }
    *covered = at == bytes;
    return FT_OK;
}

static ft_status encode_anew(const struct wordpiece *w, struct token_list *out, const char *word,
                             size_t bytes)
{
    const int64_t start = out->n;
    bool covered = false;
    if (bytes <= (size_t)w->chars_max || count_characters(word, bytes) <= w->chars_max)
        FT_TRY(append_pieces(w, out, &covered, word, bytes));
    if (covered)
        return FT_OK;
    out->n = start;
    return token_list_append(out, &w->unknown, 1);
}

ft_status wordpiece_encode(struct wordpiece *w, struct token_list *out, const char *word,
                           size_t bytes)
{
    if (bytes == 0)
        return FT_OK;
    if (bytes > WORD_CACHE_BYTES)
        return encode_anew(w, out, word, bytes);
    uint64_t key[4];
    struct word_cache_line *place = word_cache_place(&w->cache, key, word, bytes);
    const struct word_cache_line *known = word_cache_find(&w->cache, place, key);
    if (known)
        return token_list_append(out, known->ids, known->n);
    const int64_t start = out->n;
    FT_TRY(encode_anew(w, out, word, bytes));
    word_cache_keep(&w->cache, place, key, out->ids + start, out->n - start);
    return FT_OK;
}

ft_status wordpiece_share(struct wordpiece *out, const struct wordpiece *w)
{
    *out = *w;
    return word_cache_create(&out->cache);
}

void wordpiece_clear_scratch(struct wordpiece *w)
{
    word_cache_clear(&w->cache);
}

void wordpiece_clear(struct wordpiece *w)
{
    wordpiece_clear_scratch(w);
    trie_clear(&w->trie);
    mem_free(w->prefix);
    *w = (struct wordpiece){0};
}
