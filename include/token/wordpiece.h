/**
 * WordPiece: a word as the fewest-first, greedily longest tokens from its start.
 *
 * Source: Schuster & Nakajima 2012; Devlin et al. 2019, section 3; the greedy longest match of
 * `tokenizers`.
 */
#ifndef FT_TOKEN_WORDPIECE_H
#define FT_TOKEN_WORDPIECE_H

#include "token/tokenizer.h"
#include "token/trie.h"
#include "token/vocab.h"
#include "token/word_cache.h"

#define WORDPIECE_CHARS_MAX 1000 /**< bounds the time of a word: characters times longest token */

/** Zero-initialise to start; fill with wordpiece_begin. */
struct wordpiece {
    struct trie trie;  /**< all tokens of the model */
    int64_t inside;    /**< node behind the prefix; -1: no token begins with it */
    int32_t unknown;   /**< stands for a word that the tokens do not cover, and for a longer one */
    int64_t chars_max; /**< characters of the longest word that is looked at */
    char *prefix;      /**< of tokens inside a word */
    struct word_cache cache;
};

/**
 * Fixes the model's tokens, which are complete now.
 *
 * @param[in] prefix    continuing_subword_prefix; copied
 * @param[in] unknown   id of unk_token
 * @param[in] chars_max 1 ... WORDPIECE_CHARS_MAX
 */
ft_status wordpiece_begin(struct wordpiece *w, const struct vocab *vocab, const char *prefix,
                          int32_t unknown, int64_t chars_max);

/** Appends the ids of one word of valid UTF-8. Without allocation unless out has to grow. */
ft_status wordpiece_encode(struct wordpiece *w, struct token_list *out, const char *word,
                           size_t bytes);

/** As bpe_share: out reads the tables of w, which must live longer. wordpiece_clear_scratch. */
ft_status wordpiece_share(struct wordpiece *out, const struct wordpiece *w);

/** Releases what wordpiece_share gave. */
void wordpiece_clear_scratch(struct wordpiece *w);

void wordpiece_clear(struct wordpiece *w);

#endif
