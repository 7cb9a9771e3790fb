/**
 * Unigram language model: a text as the most probable sequence of tokens.
 *
 * Source: Kudo 2018, section 3.2; the Viterbi search of SentencePiece and `tokenizers`, whose
 * order of comparisons decides between equal sums.
 */
#ifndef FT_TOKEN_UNIGRAM_H
#define FT_TOKEN_UNIGRAM_H

#include "token/tokenizer.h"
#include "token/vocab.h"
#include "token/word_cache.h"

#define UNIGRAM_TOKEN_MAX 1024 /**< bytes of a token: bounds the time of a text */

struct unigram_node;
struct unigram_place;

/** Zero-initialise to start; fill with unigram_begin. */
struct unigram {
    const struct vocab *vocab; /**< borrowed */
    int32_t n_model;           /**< ids below are the model's */
    double *scores;            /**< (n_model) */
    int32_t unknown;           /**< stands for what the tokens do not cover */
    double unknown_score;
    bool byte_fallback;    /**< the unknown as tokens of its bytes, where there are all of them */
    int32_t byte_ids[256]; /**< token <0xNN> of each byte; -1: the vocabulary lacks it */
    struct unigram_node *trie; /**< double array over the tokens' bytes */
    int64_t n_nodes, trie_capacity;
    struct unigram_place *places; /**< scratch: the best way to each byte of a text */
    size_t capacity;
    struct word_cache cache;
};

/**
 * Fixes the model's vocabulary, which is complete and without gaps, and outlives u.
 *
 * @param[in] scores  (vocab->n) logarithms of probabilities, finite; copied
 * @param[in] unknown id of the unknown token
 */
ft_status unigram_begin(struct unigram *u, const struct vocab *vocab, const double *scores,
                        int32_t unknown, bool byte_fallback);

/** Appends the ids of one piece of valid UTF-8. O(n) times the longest token. */
ft_status unigram_encode(struct unigram *u, struct token_list *out, const char *text, size_t bytes);

/** As bpe_share: out reads the tables of u, which must live longer. unigram_clear_scratch. */
ft_status unigram_share(struct unigram *out, const struct unigram *u);

/** Releases what unigram_share gave. */
void unigram_clear_scratch(struct unigram *u);

void unigram_clear(struct unigram *u);

#endif
