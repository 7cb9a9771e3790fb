/**
 * Texts as TF-IDF vectors of words and pairs of neighbouring words: the features of the baseline
 * that every fine-tuned model has to beat.
 *
 * A word is a run of two or more letters, digits or underscores (Unicode), in lower case; a term is
 * a word or two words in a row. Terms of fewer than BAG_DOCUMENTS_MIN training documents are left
 * out. A term that stands c times in a text weighs (1 + ln c) * (1 + ln((1 + n) / (1 + df))), n and
 * df being the training documents and those with the term; a row is scaled to length 1. This is
 * scikit-learn's TfidfVectorizer(sublinear_tf=True, min_df=2, ngram_range=(1, 2)).
 *
 * Not collective. Time and memory are proportional to the texts.
 *
 *     bag_of_words_create, bag_of_words_add (training texts), bag_of_words_fit,
 *     bag_of_words_take_rows, bag_of_words_add (other texts), bag_of_words_take_rows, ...
 *
 * Source: Salton & Buckley 1988.
 */
#ifndef FT_TRAIN_BAG_OF_WORDS_H
#define FT_TRAIN_BAG_OF_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "optim/design.h"

enum { BAG_DOCUMENTS_MIN = 2 };

struct bag_of_words;

/** Gives an empty bag: bag_of_words_destroy. */
ft_status bag_of_words_create(struct bag_of_words **out);

/** Takes *bag (may be NULL), sets NULL. */
void bag_of_words_destroy(struct bag_of_words **bag);

/**
 * Adds a document, the next row. Until bag_of_words_fit its terms join the vocabulary.
 *
 * @param[in] text valid UTF-8; need not be terminated
 */
ft_status bag_of_words_add(struct bag_of_words *bag, const char *text, size_t bytes);

/**
 * Fixes vocabulary and weights: the documents so far are the training set.
 *
 * @return FT_OK; FT_ERR_INPUT when no term stands in BAG_DOCUMENTS_MIN documents
 */
ft_status bag_of_words_fit(struct bag_of_words *bag);

/**
 * The documents added since the last call, as rows; columns are terms in the order in which the
 * training texts bring them up (a word before the pair that it completes). Needs bag_of_words_fit.
 *
 * @param[out] rows gives the arrays: sparse_rows_clear. A text without known terms is a row of 0
 */
ft_status bag_of_words_take_rows(struct bag_of_words *bag, struct sparse_rows *rows);

/** Bytes of the vocabulary and its weights, as they would have to be stored. */
int64_t bag_of_words_bytes(const struct bag_of_words *bag);

#endif
