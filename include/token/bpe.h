/**
 * Byte-pair encoding of one word, over bytes or over characters.
 *
 * Source: Sennrich et al. 2016, section 3.2; Radford et al. 2019, section 2.2 (bytes).
 */
#ifndef FT_TOKEN_BPE_H
#define FT_TOKEN_BPE_H

#include "token/map.h"
#include "token/tokenizer.h"
#include "token/vocab.h"
#include "token/word_cache.h"

#define BPE_MERGES_MAX (1 << 24)

struct bpe_symbol;

/** Zero-initialise to start; fill with bpe_begin or bpe_begin_characters, and bpe_add_merge. */
struct bpe {
    const struct vocab *vocab; /**< borrowed */
    int32_t n_model;           /**< ids below are the model's, those from here on were added */
    int32_t byte_ids[256];     /**< token of each single byte; -1: the vocabulary lacks it */
    int32_t unknown;           /**< stands for what has no token; -1: such a byte or character is
                                    dropped */
    bool characters;           /**< words are characters, and this and the next four count */
    bool byte_fallback;        /**< a character without a token is byte_ids, where there are all */
    bool fuse_unknown;         /**< unknown characters in a row are one */
    bool crosses_space;        /**< a merge joins another character to U+2581 behind it */
    int32_t ascii_ids[128];    /**< token of each ASCII character; -1: the vocabulary lacks it */
    bool ignore_merges;        /**< a word that is a token is that token, whatever the merges say */
    struct map merges;         /**< (left << 32 | right) -> (rank << 32 | merged) */
    struct bpe_pair {
        int32_t left, right, merged;
    } * pairs; /**< by rank */
    int32_t n_pairs, pairs_capacity;
    struct bpe_symbol *symbols; /**< scratch: the word as a linked list */
    uint64_t *candidates;       /**< scratch: heap of possible merges, each rank << 32 | place */
    int64_t n_candidates, symbols_capacity, candidates_capacity;
    struct word_cache cache;
    struct buffer text; /**< scratch */
};

/** Fixes the model's vocabulary, which is complete now and outlives bpe. */
ft_status bpe_begin(struct bpe *bpe, const struct vocab *vocab);

/** As bpe_begin, for words of characters. byte_ids are then those of <0xNN>. */
ft_status bpe_begin_characters(struct bpe *bpe, const struct vocab *vocab);

/** Appends a merge of the next rank. A pair that comes again takes the later rank, as in
 * `tokenizers`. */
ft_status bpe_add_merge(struct bpe *bpe, const char *left, size_t left_bytes, const char *right,
                        size_t right_bytes);

/** Appends the ids of one word: of any bytes, or of valid UTF-8. O(n log n), without allocation
 * for short words. */
ft_status bpe_encode(struct bpe *bpe, struct token_list *out, const char *word, size_t bytes);

/**
 * Makes another one for another thread: out reads the tables of bpe, which must live longer, and
 * has scratch memory and a cache of its own. bpe_clear_scratch.
 */
ft_status bpe_share(struct bpe *out, const struct bpe *bpe);

/** Releases what bpe_share gave. */
void bpe_clear_scratch(struct bpe *bpe);

void bpe_clear(struct bpe *bpe);

#endif
