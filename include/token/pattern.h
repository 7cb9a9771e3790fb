/**
 * Patterns from files: a text, or a regular expression in the part of its language that
 * `tokenizers` (Oniguruma) and PCRE2 read alike. Everything else of that language is refused,
 * never guessed.
 *
 * Read: characters; . | ( ) (?: ) (?i: ) (?= ) (?! ) (?<= ) (?<! ) $; classes in [ ] with ranges;
 * \r \n \t \f \v \s \S \d \w, \p{..} and \P{..} of general categories, escaped punctuation; * + ?
 * with ? or + behind them, {n} {n,} {n,m} with ? behind them. A pattern that matches the empty
 * text is refused.
 */
#ifndef FT_TOKEN_PATTERN_H
#define FT_TOKEN_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"

struct pattern;

#define PATTERN_MAX 4096 /**< bytes of a regular expression, and of a text */

/** What matching writes to: one for each thread. Zero-initialise to start. */
struct pattern_scratch {
    void *general, *context, *stack, *match; /**< PCRE2's */
    bool timed;                              /**< start is set */
    int64_t last_look; /**< coarse time of the last look at the clock, in nanoseconds */
    double start;      /**< of the calls for a text */
    double limit;      /**< seconds that they may take together */
};

/** Opens a pattern that is a text of at least one byte. */
ft_status pattern_open_text(struct pattern **out, const char *text);

/** Opens a regular expression. */
ft_status pattern_open_regex(struct pattern **out, const char *regex);

/** Takes *pattern (may be NULL) and sets it to NULL. */
void pattern_close(struct pattern **pattern);

/** As it was given to the one that opened it. */
const char *pattern_source(const struct pattern *pattern);

bool pattern_is_regex(const struct pattern *pattern);

/** Call before the first pattern_find for a text: what it may cost grows with its bytes. */
void pattern_begin(struct pattern_scratch *scratch, size_t bytes);

/**
 * Finds the first match at or after from in text, which is valid UTF-8.
 *
 * A pattern that takes too long is an error: one from a file may be of any complexity. The limit is
 * far beyond what a tokenizer's own pattern needs, and counts this thread's processor time.
 *
 * @param[out] start, end of the match; untouched where there is none
 * @return FT_OK; FT_ERR_INPUT (message: the pattern, where); FT_ERR_INTERNAL (memory)
 */
ft_status pattern_find(const struct pattern *pattern, struct pattern_scratch *scratch, bool *found,
                       size_t *start, size_t *end, const char *text, size_t bytes, size_t from);

void pattern_scratch_clear(struct pattern_scratch *scratch);

/** Appends PCRE2's spelling of a regular expression; inside of token/ alone. */
ft_status pattern_translate(struct buffer *out, const char *regex);

#endif
