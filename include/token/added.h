/** Added tokens: texts that are found as wholes before anything else is done to a text. */
#ifndef FT_TOKEN_ADDED_H
#define FT_TOKEN_ADDED_H

#include <stdbool.h>

#include "base/buffer.h"
#include "token/trie.h"

enum added_flag {
    ADDED_SPECIAL = 1,
    ADDED_LSTRIP = 2,      /**< takes the white space before it */
    ADDED_RSTRIP = 4,      /**< takes the white space behind it */
    ADDED_SINGLE_WORD = 8, /**< not inside a word */
    ADDED_NORMALIZED = 16  /**< looked for in normalised text */
};

struct added_token {
    int32_t id;
    unsigned flags; /**< enum added_flag */
};

/** Zero-initialise to start. */
struct added {
    struct added_token *tokens;
    int32_t n, capacity;
    struct trie tries[2]; /**< raw text, normalised text */
};

/** Where a token was found. */
struct added_match {
    size_t start, end; /**< what it takes, stripped white space included */
    size_t after;      /**< where to go on looking */
    int32_t id;
};

/** Adds a token found by its text: raw, or normalised where it has ADDED_NORMALIZED. */
ft_status added_add(struct added *added, struct added_token token, const char *text, size_t bytes);

/**
 * Finds the first token at or after *from whose text starts earliest, the longest of those.
 *
 * @param[in] normalised which tokens to look for
 * @param[in] taken      end of the match before: white space is not taken twice
 */
bool added_find(const struct added *added, struct added_match *match, const char *text,
                size_t bytes, bool normalised, size_t from, size_t taken);

void added_clear(struct added *added);

#endif
