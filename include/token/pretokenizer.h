/**
 * Pre-tokenizers: how a normalised text is cut into pieces, step by step, as tokenizer.json lists
 * it. Each step cuts the pieces of the one before; a model then encodes each piece by itself.
 */
#ifndef FT_TOKEN_PRETOKENIZER_H
#define FT_TOKEN_PRETOKENIZER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"
#include "token/pattern.h"
#include "token/split.h"

#define PRETOKENIZER_STEPS_MAX 32

enum pretokenizer_kind {
    PRETOKENIZER_METASPACE,
    PRETOKENIZER_SPLIT,
    PRETOKENIZER_BYTE_LEVEL, /**< the model then reads bytes; always the last step */
    PRETOKENIZER_DIGITS,
    PRETOKENIZER_PUNCTUATION,
    PRETOKENIZER_WHITESPACE,
    PRETOKENIZER_WHITESPACE_SPLIT,
    PRETOKENIZER_BERT,
    PRETOKENIZER_KINDS
};

/** What becomes of the matches of a Split and of what lies between them. */
enum split_behavior {
    SPLIT_REMOVED,
    SPLIT_ISOLATED,
    SPLIT_MERGED_WITH_PREVIOUS,
    SPLIT_MERGED_WITH_NEXT,
    SPLIT_CONTIGUOUS,
    SPLIT_BEHAVIORS
};

/** Where Metaspace puts a replacement in front of a text that begins with none. */
enum prepend_scheme { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER, PREPEND_SCHEMES };

struct pretokenizer_step {
    enum pretokenizer_kind kind;
    char replacement[5];          /**< Metaspace: one character, terminated */
    enum prepend_scheme prepend;  /**< Metaspace */
    bool splits;                  /**< Metaspace: before each replacement */
    bool prefix_space;            /**< ByteLevel */
    bool use_regex;               /**< ByteLevel: GPT-2's words */
    bool each_digit;              /**< Digits: one by one */
    struct pattern *pattern;      /**< Split */
    enum split_behavior behavior; /**< Split, Punctuation */
    bool invert;                  /**< Split: matches and the rest change places */
};

/** Zero-initialise to start. */
struct pretokenizer {
    struct pretokenizer_step *steps;
    int n;
};

/** A piece of a text: a range of bytes that is not empty. */
struct piece {
    size_t start, end;
};

struct piece_list {
    struct piece *items;
    int64_t n, capacity;
};

/** Scratch memory, one for each thread. Zero-initialise to start; pattern and split are borrowed.
 * */
struct pretokenizer_scratch {
    struct piece_list pieces, next;
    struct buffer texts[2];
    struct pattern_scratch *pattern;
    const struct split *split; /**< SPLIT_GPT2 */
};

ft_status pretokenizer_add(struct pretokenizer *pretokenizer, struct pretokenizer_step **step,
                           enum pretokenizer_kind kind);

/* Names in tokenizer.json; the kinds' number when a name is none of them. */

const char *pretokenizer_name(enum pretokenizer_kind kind);
enum pretokenizer_kind pretokenizer_by_name(const char *name);
enum split_behavior split_behavior_by_name(const char *name);
enum prepend_scheme prepend_scheme_by_name(const char *name);

/**
 * Cuts text, which is valid UTF-8, into scratch->pieces; text may move to the scratch memory.
 *
 * @param[in] begins as of normalizer_run
 */
ft_status pretokenizer_run(const struct pretokenizer *pretokenizer,
                           struct pretokenizer_scratch *scratch, const char **text, size_t bytes,
                           bool begins);

/** Appends the value of "pre_tokenizer" in a tokenizer.json. */
ft_status pretokenizer_write(const struct pretokenizer *pretokenizer, struct buffer *out);

void pretokenizer_scratch_clear(struct pretokenizer_scratch *scratch);
void pretokenizer_clear(struct pretokenizer *pretokenizer);

#endif
