/**
 * What the BERT family does to a text before WordPiece: BertNormalizer and BertPreTokenizer of
 * `tokenizers`, with the Unicode tables that it uses.
 *
 * Source: Devlin et al. 2019 (its released code: clean text, spaces around Han characters, accents
 * stripped, lower case; words end at white space and at each punctuation character).
 */
#ifndef FT_TOKEN_BERT_H
#define FT_TOKEN_BERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"
#include "token/normal.h"
#include "token/ranges.h"

/** Zero-initialise to start, set the rules, then bert_prepare. */
struct bert {
    bool clean;  /**< controls and formats are dropped, white space becomes a space */
    bool spaced; /**< Han characters stand alone */
    bool strip;  /**< canonically decomposed, without nonspacing marks */
    bool lower;
    unsigned char ascii[128]; /**< what an ASCII character becomes; BERT_DROPPED: nothing */
};

enum { BERT_DROPPED = 0xff };

/** Derives the table from the rules. */
void bert_prepare(struct bert *bert);

/** Lower case of one character by itself; U+0130 becomes two, which is the caller's to do. */
uint32_t bert_to_lower(uint32_t code);

/** Appends text, which is valid UTF-8, with the rules applied. Linear in time for every text. */
ft_status bert_normalise(const struct bert *bert, struct normal *scratch, struct buffer *out,
                         const char *text, size_t bytes);

/**
 * The next word of text, which is valid UTF-8, at or after *at.
 *
 * @param[in,out] at where it begins, on return; bytes when there is none
 * @return its end: *at where there is none
 */
size_t bert_next_word(const char *text, size_t bytes, size_t *at);

/* The sets are without ASCII. */

/** Other characters (C: Cc, Cf, Co) and U+FFFD. */
extern const struct code_ranges bert_others;
/** Nonspacing marks (Mn). */
extern const struct code_ranges bert_marks;
/** Punctuation (P). */
extern const struct code_ranges bert_punctuation;

#endif
