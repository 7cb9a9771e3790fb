/*
 * Two tries, because `tokenizers` looks first for the tokens marked "normalized": false in the raw
 * text, and for the others in what is left between them, after normalisation. Where several texts
 * start at one place the longest wins; the search then goes on behind it.
 */
#include "token/added.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "token/classes.h"
#include "token/tokenizer.h"

ft_status added_add(struct added *added, struct added_token token, const char *text, size_t bytes)
{
    if (bytes == 0 || bytes > TOKENIZER_ADDED_MAX)
        return ft_fail(FT_ERR_INPUT, "the added token with id %d has %zu bytes, not 1 ... %d",
                       token.id, bytes, TOKENIZER_ADDED_MAX);
    if (added->n == added->capacity) {
        const int32_t capacity = added->capacity ? 2 * added->capacity : 64;
        struct added_token *tokens = mem_resize(added->tokens, (size_t)capacity, sizeof *tokens);
        if (!tokens)
            return FT_ERR_INTERNAL;
        added->tokens = tokens;
        added->capacity = capacity;
    }
    /* two that are one once normalised: the first wins */
    FT_TRY(trie_add(&added->tries[token.flags & ADDED_NORMALIZED ? 1 : 0], added->n, text, bytes));
    added->tokens[added->n++] = token;
    return FT_OK;
}

/** Start of the character that ends at `end` (> 0). */
static size_t step_back(const char *text, size_t end)
{
    do {
        end--;
    } while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80);
    return end;
}

static bool is_single_word(const char *text, size_t bytes, size_t start, size_t end)
{
    int n = 0;
    if (start > 0 && class_is_word(utf8_decode(text + step_back(text, start), &n)))
        return false;
    return end == bytes || !class_is_word(utf8_decode(text + end, &n));
}

static void strip(struct added_match *match, unsigned flags, const char *text, size_t bytes,
                  size_t taken)
{
    int n = 0;
    while (flags & ADDED_LSTRIP && match->start > taken) {
        const size_t before = step_back(text, match->start);
        if (!utf8_is_space(utf8_decode(text + before, &n)))
            break;
        match->start = before;
    }
    while (flags & ADDED_RSTRIP && match->end < bytes &&
           utf8_is_space(utf8_decode(text + match->end, &n)))
        match->end += (size_t)n;
}

bool added_find(const struct added *added, struct added_match *match, const char *text,
                size_t bytes, bool normalised, size_t from, size_t taken)
{
    const struct trie *trie = &added->tries[normalised];
    if (trie->n_nodes == 0)
        return false;
    for (size_t i = from; i < bytes;) {
        size_t matched = 0;
        if (!trie->starts[(unsigned char)text[i]]) {
            i++;
            continue;
        }
        const int32_t index = trie_longest(trie, 0, text + i, bytes - i, &matched);
        if (index < 0) {
            i++;
            continue;
        }
        const struct added_token *token = &added->tokens[index];
        *match = (struct added_match){i, i + matched, i + matched, token->id};
        i += matched;
        if (token->flags & ADDED_SINGLE_WORD && !is_single_word(text, bytes, match->start, i))
            continue;
        strip(match, token->flags, text, bytes, taken);
        return true;
    }
    return false;
}

void added_clear(struct added *added)
{
    for (int k = 0; k < 2; k++)
        trie_clear(&added->tries[k]);
    mem_free(added->tokens);
    *added = (struct added){0};
}
