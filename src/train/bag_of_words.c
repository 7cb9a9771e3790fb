/*
 * Terms are numbered as they come up, words and pairs alike. A word is found by the hash of its
 * bytes, which are then compared; a pair by the numbers of its words. Documents are kept as
 * (term, count) entries until the vocabulary is fixed, so that each text is read once; then rare
 * terms fall out and columns close up.
 *
 *     words    map: hash of bytes -> term          text: the words, each terminated
 *     pairs    map: first << 32 | second -> term
 *     terms    (n_terms) where its text is, df, count within the document at hand, column
 *     entries  (n_entries) term, count             starts: first entry of each document
 *
 * Two words of the same 64-bit hash are told apart by taking the next free key.
 */
#include "train/bag_of_words.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/pulse.h"
#include "token/map.h"
#include "words.h"

struct term {
    size_t text; /* of a word */
    int32_t df, count, column;
    float idf;
};

struct entry {
    int32_t term, count;
};

struct bag_of_words {
    struct map words, pairs;
    struct buffer text, word, terms, entries, starts;
    int32_t n_terms, n_columns;
    bool is_fitted;
};

ft_status bag_of_words_create(struct bag_of_words **out)
{
    const int64_t first = 0;
    struct bag_of_words *bag;
    *out = NULL;
    FT_TRY(FT_ALLOC(bag, 1));
    const ft_status status = buffer_append(&bag->starts, &first, sizeof first);
    if (status != FT_OK)
        bag_of_words_destroy(&bag);
    *out = bag;
    return status;
}

void bag_of_words_destroy(struct bag_of_words **bag)
{
    struct bag_of_words *b = *bag;
    if (!b)
        return;
    map_clear(&b->words);
    map_clear(&b->pairs);
    struct buffer *buffers[] = {&b->text, &b->word, &b->terms, &b->entries, &b->starts};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        buffer_clear(buffers[i]);
    FT_FREE(*bag);
}

static struct term *term_at(const struct bag_of_words *b, int32_t index)
{
    return (struct term *)(void *)b->terms.data + index;
}

static ft_status add_term(int32_t *index, struct bag_of_words *b, struct map *map, uint64_t key,
                          size_t text)
{
    const struct term term = {.text = text};
    if (b->n_terms == INT32_MAX)
        return ft_fail(FT_ERR_INPUT,
                       "the texts have more than %d different words and pairs of "
                       "words: use fewer of them (data.max_windows)",
                       INT32_MAX);
    FT_TRY(buffer_append(&b->terms, &term, sizeof term));
    *index = b->n_terms++;
    return map_put(map, key, (uint64_t)*index);
}

/* The term of the word in b->word; -1: unknown, and the vocabulary is fixed. */
static ft_status find_word(int32_t *index, struct bag_of_words *b)
{
    uint64_t key = hash_bytes(b->word.data, b->word.used).low, value;
    *index = -1;
    for (;; key++) {
        key = key == UINT64_MAX ? 0 : key; /* which is no key */
        if (!map_get(&b->words, key, &value))
            break;
        if (strcmp(b->text.data + term_at(b, (int32_t)value)->text, b->word.data) == 0) {
            *index = (int32_t)value;
            return FT_OK;
        }
    }
    if (b->is_fitted)
        return FT_OK;
    const size_t place = b->text.used;
    FT_TRY(buffer_append(&b->text, b->word.data, b->word.used));
    return add_term(index, b, &b->words, key, place);
}

static ft_status find_pair(int32_t *index, struct bag_of_words *b, int32_t first, int32_t second)
{
    const uint64_t key = (uint64_t)first << 32 | (uint32_t)second;
    uint64_t value;
    *index = -1;
    if (first < 0 || second < 0)
        return FT_OK;
    if (map_get(&b->pairs, key, &value))
        *index = (int32_t)value;
    else if (!b->is_fitted)
        return add_term(index, b, &b->pairs, key, 0);
    return FT_OK;
}

/* Counts a term of the document at hand, whose entries begin at `first`. */
static ft_status count_term(struct bag_of_words *b, int32_t index)
{
    if (index < 0)
        return FT_OK;
    struct term *term = term_at(b, index);
    if (term->count++ > 0)
        return FT_OK;
    const struct entry entry = {.term = index};
    return buffer_append(&b->entries, &entry, sizeof entry);
}

/* Moves the counts of the document at hand into its entries. */
static void settle_counts(struct bag_of_words *b, size_t first)
{
    for (size_t at = first; at < b->entries.used; at += sizeof(struct entry)) {
        struct entry *entry = (struct entry *)(void *)(b->entries.data + at);
        struct term *term = term_at(b, entry->term);
        entry->count = term->count;
        term->count = 0;
        term->df += !b->is_fitted;
    }
}

ft_status bag_of_words_add(struct bag_of_words *b, const char *text, size_t bytes)
{
    const size_t first = b->entries.used;
    struct words words = {.text = text, .bytes = bytes, .word = &b->word};
    int32_t before = -1, word, pair;
    pulse_mark();
    for (;;) {
        bool found;
        FT_TRY(words_next(&words, &found));
        if (!found)
            break;
        FT_TRY(find_word(&word, b));
        FT_TRY(find_pair(&pair, b, before, word));
        FT_TRY(count_term(b, word));
        FT_TRY(count_term(b, pair));
        before = word;
    }
    settle_counts(b, first);
    const int64_t end = (int64_t)(b->entries.used / sizeof(struct entry));
    return buffer_append(&b->starts, &end, sizeof end);
}

static int64_t count_documents(const struct bag_of_words *b)
{
    return (int64_t)(b->starts.used / sizeof(int64_t)) - 1;
}

ft_status bag_of_words_fit(struct bag_of_words *b)
{
    const double n = (double)count_documents(b);
    for (int32_t i = 0; i < b->n_terms; i++) {
        struct term *term = term_at(b, i);
        term->column = term->df >= BAG_DOCUMENTS_MIN ? b->n_columns++ : -1;
        term->idf = (float)(log((1.0 + n) / (1.0 + term->df)) + 1.0);
    }
    if (b->n_columns == 0)
        return ft_fail(FT_ERR_INPUT, "no word stands in %d of the %lld training texts",
                       BAG_DOCUMENTS_MIN, (long long)n);
    b->is_fitted = true;
    return FT_OK;
}

/* Row of a document from its entries; gives the number of values. */
static int64_t fill_row(int32_t *column, float *value, const struct bag_of_words *b,
                        const struct entry *entries, int64_t n)
{
    int64_t kept = 0;
    double square = 0;
    for (int64_t i = 0; i < n; i++) {
        const struct term *term = term_at(b, entries[i].term);
        if (term->column < 0)
            continue;
        column[kept] = term->column;
        value[kept] = (float)(1.0 + log(entries[i].count)) * term->idf;
        square += (double)value[kept] * (double)value[kept];
        kept++;
    }
    for (int64_t i = 0; i < kept; i++)
        value[i] = (float)((double)value[i] / sqrt(square));
    return kept;
}

static int64_t count_kept(const struct bag_of_words *b)
{
    const struct entry *entries = (const struct entry *)(const void *)b->entries.data;
    const int64_t n = (int64_t)(b->entries.used / sizeof *entries);
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++)
        kept += term_at(b, entries[i].term)->column >= 0;
    return kept;
}

ft_status bag_of_words_take_rows(struct bag_of_words *b, struct sparse_rows *rows)
{
    const struct entry *entries = (const struct entry *)(const void *)b->entries.data;
    const int64_t *starts = (const int64_t *)(const void *)b->starts.data;
    const int64_t n = count_documents(b), kept = count_kept(b);
    *rows = (struct sparse_rows){.n = n, .d = b->n_columns};
    ft_status status = FT_ALLOC(rows->row_start, n + 1);
    if (status == FT_OK)
        status = FT_ALLOC(rows->column, kept);
    if (status == FT_OK)
        status = FT_ALLOC(rows->value, kept);
    if (status != FT_OK) {
        sparse_rows_clear(rows);
        return status;
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = rows->row_start[i];
        rows->row_start[i + 1] = at + fill_row(rows->column + at, rows->value + at, b,
                                               entries + starts[i], starts[i + 1] - starts[i]);
    }
    b->entries.used = 0;
    b->starts.used = sizeof *starts;
    return FT_OK;
}

int64_t bag_of_words_bytes(const struct bag_of_words *bag)
{
    /* the words, and of each column its idf and the two words that it is made of */
    return (int64_t)bag->text.used +
           bag->n_columns * (int64_t)(sizeof(float) + 2 * sizeof(int32_t));
}
