/*
 * A word starts as one symbol a byte, in a doubly linked list inside an array. A heap holds the
 * merges that are possible, lowest rank first and, among equals, leftmost first. Each merge taken
 * makes at most two new candidates, so a word of n bytes costs O(n log n) whatever it holds: a scan
 * for the lowest rank after each merge is faster below some 20 bytes, but quadratic on a megabyte
 * of one letter.
 *
 * A candidate that was overtaken (one of its symbols merged elsewhere) is recognised when it is
 * popped: the pair that now stands at its place no longer gives its token. If that pair gives the
 * same token by another merge it is taken at the old rank, as `tokenizers` does.
 *
 * Over characters a whole text may be one word, in which U+2581 stands for the spaces. Where no
 * merge joins another character to a U+2581 behind it, nothing ever crosses that border, so that
 * each part is a word by itself, short and likely to be in the cache.
 */
#include "token/bpe.h"

#include <string.h>

#include "base/mem.h"
#include "base/size.h"
#include "base/utf8.h"

#define META "\xe2\x96\x81" /* U+2581 */
enum { META_BYTES = 3 };

enum {
    HEAP_OFFSET = 3
}; /* the four children of an entry lie in one line of the processor's cache */

struct bpe_symbol {
    int32_t id; /* -1: merged into the symbol before */
    int32_t previous, next;
};

static uint64_t pair_key(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

ft_status bpe_begin(struct bpe *bpe, const struct vocab *vocab)
{
    bpe->vocab = vocab;
    bpe->n_model = vocab->n;
    bpe->unknown = -1;
    for (int byte = 0; byte < 256; byte++) {
        const char value = (char)byte;
        bpe->text.used = 0;
        FT_TRY(vocab_from_bytes(&bpe->text, &value, 1));
        bpe->byte_ids[byte] = vocab_find(vocab, bpe->text.data, bpe->text.used);
    }
    return word_cache_create(&bpe->cache);
}

ft_status bpe_begin_characters(struct bpe *bpe, const struct vocab *vocab)
{
    bpe->vocab = vocab;
    bpe->n_model = vocab->n;
    bpe->unknown = -1;
    bpe->characters = true;
    vocab_find_byte_tokens(vocab, bpe->byte_ids);
    for (int c = 0; c < 128; c++) {
        const char value = (char)c;
        bpe->ascii_ids[c] = vocab_find(vocab, &value, 1);
    }
    bpe->crosses_space = vocab_find(vocab, META, META_BYTES) < 0;
    return word_cache_create(&bpe->cache);
}

static bool starts_with_space(const char *text, size_t bytes)
{
    return bytes >= META_BYTES && memcmp(text, META, META_BYTES) == 0;
}

static bool ends_with_space(const char *text, size_t bytes)
{
    return bytes >= META_BYTES && memcmp(text + bytes - META_BYTES, META, META_BYTES) == 0;
}

static ft_status find_part(const struct bpe *bpe, int32_t *id, const char *text, size_t bytes)
{
    char quote[VOCAB_QUOTE];
    *id = vocab_find(bpe->vocab, text, bytes);
    if (*id >= 0)
        return FT_OK;
    return ft_fail(FT_ERR_INPUT, "merge %d needs the token %s, which the vocabulary lacks",
                   bpe->n_pairs, vocab_quote(quote, text, bytes));
}

ft_status bpe_add_merge(struct bpe *bpe, const char *left, size_t left_bytes, const char *right,
                        size_t right_bytes)
{
    struct bpe_pair pair;
    if (bpe->n_pairs >= BPE_MERGES_MAX)
        return ft_fail(FT_ERR_INPUT, "more than %d merges", BPE_MERGES_MAX);
    FT_TRY(find_part(bpe, &pair.left, left, left_bytes));
    FT_TRY(find_part(bpe, &pair.right, right, right_bytes));
    bpe->text.used = 0;
    FT_TRY(buffer_append(&bpe->text, left, left_bytes));
    FT_TRY(buffer_append(&bpe->text, right, right_bytes));
    FT_TRY(find_part(bpe, &pair.merged, bpe->text.data, bpe->text.used));
    if (bpe->n_pairs == bpe->pairs_capacity) {
        const int32_t capacity = bpe->pairs_capacity ? 2 * bpe->pairs_capacity : 1024;
        struct bpe_pair *pairs = mem_resize(bpe->pairs, (size_t)capacity, sizeof *pairs);
        if (!pairs)
            return FT_ERR_INTERNAL;
        bpe->pairs = pairs;
        bpe->pairs_capacity = capacity;
    }
    if (starts_with_space(right, right_bytes) && !ends_with_space(left, left_bytes))
        bpe->crosses_space = true;
    FT_TRY(map_put(&bpe->merges, pair_key(pair.left, pair.right),
                   (uint64_t)bpe->n_pairs << 32 | (uint32_t)pair.merged));
    bpe->pairs[bpe->n_pairs++] = pair;
    return FT_OK;
}

ft_status bpe_share(struct bpe *out, const struct bpe *bpe)
{
    *out = *bpe;
    out->symbols = NULL;
    out->candidates = NULL;
    out->symbols_capacity = out->candidates_capacity = 0;
    out->text = (struct buffer){0};
    return word_cache_create(&out->cache);
}

void bpe_clear_scratch(struct bpe *bpe)
{
    FT_FREE(bpe->symbols);
    FT_FREE(bpe->candidates);
    word_cache_clear(&bpe->cache);
    buffer_clear(&bpe->text);
}

void bpe_clear(struct bpe *bpe)
{
    bpe_clear_scratch(bpe);
    map_clear(&bpe->merges);
    mem_free(bpe->pairs);
    *bpe = (struct bpe){0};
}

/** Room for a word of n bytes: a merge takes one candidate and makes at most two, so 2 n are
 * enough. */
static ft_status reserve(struct bpe *bpe, size_t n)
{
    if (n >= INT32_MAX / 4)
        return ft_fail(FT_ERR_INPUT, "a word of %zu bytes without a border: at most %d are read", n,
                       INT32_MAX / 4 - 1);
    const int64_t wanted = (int64_t)n < 1024 ? 1024 : (int64_t)n;
    if (wanted > bpe->symbols_capacity) {
        struct bpe_symbol *symbols = mem_resize(bpe->symbols, (size_t)wanted, sizeof *symbols);
        if (!symbols)
            return FT_ERR_INTERNAL;
        bpe->symbols = symbols;
        bpe->symbols_capacity = wanted;
    }
    if (2 * wanted > bpe->candidates_capacity) {
        uint64_t *candidates =
            mem_resize(bpe->candidates, (size_t)(2 * wanted + HEAP_OFFSET), sizeof *candidates);
        if (!candidates)
            return FT_ERR_INTERNAL;
        bpe->candidates = candidates;
        bpe->candidates_capacity = 2 * wanted;
    }
    return FT_OK;
}

static void push(struct bpe *bpe, uint64_t candidate)
{
    uint64_t *heap = bpe->candidates + HEAP_OFFSET;
    int64_t i = bpe->n_candidates++;
    while (i > 0 && heap[(i - 1) / 4] > candidate) {
        heap[i] = heap[(i - 1) / 4];
        i = (i - 1) / 4;
    }
    heap[i] = candidate;
}

static uint64_t pop(struct bpe *bpe)
{
    uint64_t *heap = bpe->candidates + HEAP_OFFSET;
    const uint64_t top = heap[0], last = heap[--bpe->n_candidates];
    const int64_t n = bpe->n_candidates;
    int64_t i = 0;
    for (int64_t first = 1; first < n; first = 4 * i + 1) {
        int64_t least = first;
        const int64_t end = first + 4 < n ? first + 4 : n;
        for (int64_t child = first + 1; child < end; child++)
            least = heap[child] < heap[least] ? child : least;
        if (heap[least] >= last)
            break;
        heap[i] = heap[least];
        i = least;
    }
    heap[i] = last;
    return top;
}

/** Adds the merge of the symbols at place and behind it, if there is one. */
static void push_pair(struct bpe *bpe, int32_t place)
{
    if (place < 0 || bpe->symbols[place].next < 0)
        return;
    uint64_t merge;
    const int32_t right = bpe->symbols[bpe->symbols[place].next].id;
    if (map_get(&bpe->merges, pair_key(bpe->symbols[place].id, right), &merge))
        push(bpe, (merge & 0xffffffff00000000u) | (uint32_t)place);
}

/** Fills the list with the word's bytes; gives the number of symbols. */
static int32_t fill_symbols(struct bpe *bpe, const char *word, size_t bytes)
{
    int32_t n = 0;
    for (size_t i = 0; i < bytes; i++) {
        int32_t id = bpe->byte_ids[(unsigned char)word[i]];
        id = id < 0 ? bpe->unknown : id;
        if (id < 0)
            continue;
        bpe->symbols[n] = (struct bpe_symbol){id, n - 1, n + 1};
        n++;
    }
    if (n > 0)
        bpe->symbols[n - 1].next = -1;
    return n;
}

static int32_t character_id(const struct bpe *bpe, const char *text, size_t bytes)
{
    if (bytes == 1)
        return bpe->ascii_ids[(unsigned char)*text];
    const int32_t id = vocab_find(bpe->vocab, text, bytes);
    return id < bpe->n_model ? id : -1;
}

static void add_symbol(struct bpe *bpe, int32_t *n, int32_t id)
{
    bpe->symbols[*n] = (struct bpe_symbol){id, *n - 1, *n + 1};
    ++*n;
}

/** Adds the tokens of a character's bytes; false where one is lacking. */
static bool add_bytes(struct bpe *bpe, int32_t *n, const char *text, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        if (bpe->byte_ids[(unsigned char)text[i]] < 0)
            return false;
    }
    for (int i = 0; i < bytes; i++)
        add_symbol(bpe, n, bpe->byte_ids[(unsigned char)text[i]]);
    return true;
}

/** As fill_symbols, by characters. An unknown one waits for the next known one: behind bytes that
 * stand between, as in `tokenizers`. */
static int32_t fill_characters(struct bpe *bpe, const char *word, size_t bytes)
{
    int32_t n = 0;
    bool waits = false;
    int taken = 0;
    for (size_t i = 0; i < bytes; i += (size_t)taken) {
        (void)utf8_decode(word + i, &taken);
        const int32_t id = character_id(bpe, word + i, (size_t)taken);
        if (id >= 0) {
            if (waits)
                add_symbol(bpe, &n, bpe->unknown);
            waits = false;
            add_symbol(bpe, &n, id);
            continue;
        }
        if ((bpe->byte_fallback && add_bytes(bpe, &n, word + i, taken)) || bpe->unknown < 0)
            continue;
        if (waits && !bpe->fuse_unknown)
            add_symbol(bpe, &n, bpe->unknown);
        waits = true;
    }
    if (waits)
        add_symbol(bpe, &n, bpe->unknown);
    if (n > 0)
        bpe->symbols[n - 1].next = -1;
    return n;
}

static void merge_all(struct bpe *bpe, int32_t n)
{
    struct bpe_symbol *s = bpe->symbols;
    bpe->n_candidates = 0;
    for (int32_t i = 0; i + 1 < n; i++)
        push_pair(bpe, i);
    while (bpe->n_candidates > 0) {
        const uint64_t top = pop(bpe);
        const int32_t place = (int32_t)(uint32_t)top, next = s[place].next;
        const int32_t merged = bpe->pairs[top >> 32].merged;
        uint64_t merge;
        if (s[place].id < 0 || next < 0 ||
            !map_get(&bpe->merges, pair_key(s[place].id, s[next].id), &merge) ||
            (int32_t)(uint32_t)merge != merged)
            continue;
        s[place].id = merged;
        s[place].next = s[next].next;
        s[next].id = -1;
        if (s[place].next >= 0)
            s[s[place].next].previous = place;
        push_pair(bpe, s[place].previous);
        push_pair(bpe, place);
    }
}

/** Id of the token that is the word; -1 where there is none. */
static ft_status find_whole(struct bpe *bpe, int32_t *id, const char *word, size_t bytes)
{
    if (bpe->characters) {
        *id = vocab_find(bpe->vocab, word, bytes);
        return FT_OK;
    }
    bpe->text.used = 0;
    FT_TRY(vocab_from_bytes(&bpe->text, word, bytes));
    *id = vocab_find(bpe->vocab, bpe->text.data, bpe->text.used);
    return FT_OK;
}

/** The word by its merges, or whole where ignore_merges says so. */
static ft_status encode_anew(struct bpe *bpe, struct token_list *out, const char *word,
                             size_t bytes)
{
    if (bpe->ignore_merges) {
        int32_t id = -1;
        FT_TRY(find_whole(bpe, &id, word, bytes));
        if (id >= 0 && id < bpe->n_model)
            return token_list_append(out, &id, 1);
    }
    FT_TRY(reserve(bpe, bytes));
    const int32_t n =
        bpe->characters ? fill_characters(bpe, word, bytes) : fill_symbols(bpe, word, bytes);
    merge_all(bpe, n);
    int32_t kept = 0; /* the ids move to the front of the candidates' memory, which is free now */
    int32_t *ids = (int32_t *)(void *)bpe->candidates;
    for (int32_t i = n > 0 ? 0 : -1; i >= 0; i = bpe->symbols[i].next)
        ids[kept++] = bpe->symbols[i].id;
    return token_list_append(out, ids, kept);
}

/** A word, or a part of one that is a word by itself. */
static ft_status encode_part(struct bpe *bpe, struct token_list *out, const char *word,
                             size_t bytes)
{
    if (bytes > WORD_CACHE_BYTES)
        return encode_anew(bpe, out, word, bytes);
    uint64_t key[4];
    struct word_cache_line *place = word_cache_place(&bpe->cache, key, word, bytes);
    const struct word_cache_line *known = word_cache_find(&bpe->cache, place, key);
    if (known)
        return token_list_append(out, known->ids, known->n);
    const int64_t start = out->n;
    FT_TRY(encode_anew(bpe, out, word, bytes));
    word_cache_keep(&bpe->cache, place, key, out->ids + start, out->n - start);
    return FT_OK;
}

/** Offset of the first U+2581 behind another character; bytes where there is none. */
static size_t find_border(const char *word, size_t bytes)
{
    for (size_t i = 0; i < bytes;) {
        const char *at = memchr(word + i, META[0], bytes - i);
        if (!at)
            return bytes;
        i = (size_t)(at - word);
        if (starts_with_space(at, bytes - i) && i > 0 && !ends_with_space(word, i))
            return i;
        i++;
    }
    return bytes;
}

ft_status bpe_encode(struct bpe *bpe, struct token_list *out, const char *word, size_t bytes)
{
    if (!bpe->characters || bpe->crosses_space || bpe->ignore_merges)
        return bytes > 0 ? encode_part(bpe, out, word, bytes) : FT_OK;
    for (size_t at = 0; at < bytes;) {
        const size_t n = find_border(word + at, bytes - at);
        FT_TRY(encode_part(bpe, out, word + at, n));
        at += n;
    }
    return FT_OK;
}
