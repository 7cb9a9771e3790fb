/** Text as Python sees it: lower case, and words of the pattern \w\w+. Only for bag_of_words.c. */
#ifndef FT_TRAIN_WORDS_H
#define FT_TRAIN_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

/** Where a text is being read. */
struct words {
    const char *text;
    size_t bytes, at;
    struct buffer *word; /**< the caller's scratch */
};

/**
 * Puts the next word, in lower case and terminated, into w->word.
 *
 * @param[out] found false at the end of the text
 */
ft_status words_next(struct words *w, bool *found);

#endif
