/**
 * Normalisers: what is done to a text before it is split, step by step, as tokenizer.json lists
 * it. BertNormalizer's own rules are in bert.h, the normal forms in normal.h.
 */
#ifndef FT_TOKEN_NORMALIZER_H
#define FT_TOKEN_NORMALIZER_H

#include <stdbool.h>

#include "token/bert.h"
#include "token/charsmap.h"
#include "token/normal.h"
#include "token/pattern.h"

#define NORMALIZER_STEPS_MAX 32

enum normalizer_kind {
    NORMALIZER_NFC,
    NORMALIZER_NFD,
    NORMALIZER_NFKC,
    NORMALIZER_NFKD,
    NORMALIZER_LOWERCASE,
    NORMALIZER_STRIP_ACCENTS,
    NORMALIZER_STRIP,
    NORMALIZER_REPLACE,
    NORMALIZER_PREPEND,
    NORMALIZER_NMT,
    NORMALIZER_PRECOMPILED,
    NORMALIZER_BERT,
    NORMALIZER_KINDS
};

struct normalizer_step {
    enum normalizer_kind kind;
    bool left, right;          /**< Strip: at which end */
    char *text;                /**< Prepend: what; Replace: by what */
    struct pattern *pattern;   /**< Replace */
    struct charsmap *charsmap; /**< Precompiled */
    struct bert bert;          /**< BertNormalizer */
};

/** Zero-initialise to start. */
struct normalizer {
    struct normalizer_step *steps;
    int n;
};

/** Scratch memory, one for each thread. Zero-initialise to start; pattern is borrowed. */
struct normalizer_scratch {
    struct normal normal;
    struct buffer texts[2];
    struct pattern_scratch *pattern;
};

/** Appends a step, empty but for its kind, and gives it to be filled. */
ft_status normalizer_add(struct normalizer *normalizer, struct normalizer_step **step,
                         enum normalizer_kind kind);

/** The step's name in tokenizer.json. */
const char *normalizer_name(enum normalizer_kind kind);

/** Kind of such a name; NORMALIZER_KINDS when it is none of them. */
enum normalizer_kind normalizer_by_name(const char *name);

/**
 * Brings text, which is valid UTF-8, to its normal form, where it is or in the scratch memory.
 *
 * @param[in,out] begins whether text begins where the whole text does; then: whether its first
 * character still
 *                       stands for the first one of the whole text
 */
ft_status normalizer_run(const struct normalizer *normalizer, struct normalizer_scratch *scratch,
                         const char **text, size_t *bytes, bool *begins);

/** Appends the value of "normalizer" in a tokenizer.json. */
ft_status normalizer_write(const struct normalizer *normalizer, struct buffer *out);

void normalizer_scratch_clear(struct normalizer_scratch *scratch);
void normalizer_clear(struct normalizer *normalizer);

#endif
