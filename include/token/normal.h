/** Unicode normalisation of text (Unicode Standard Annex 15), by the tables of utf8proc. */
#ifndef FT_TOKEN_NORMAL_H
#define FT_TOKEN_NORMAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"
#include "token/ranges.h"

/** Scratch memory. Zero-initialise to start. */
struct normal {
    int32_t *codes, *sorted;
    size_t capacity; /**< of each */
};

/** Codes that one code can become at most, and more: decompositions have at most 18 (UAX 15). */
enum { NORMAL_EXPANSION = 24 };

/** The forms: D, C, KD, KC. */
enum normal_form { NORMAL_D = 0, NORMAL_C = 1, NORMAL_KD = 2, NORMAL_KC = 3 };

/* Sets of characters without ASCII, in the Unicode version that `tokenizers` has for each. */

/** Combining marks (M). */
extern const struct code_ranges normal_combining;
/** Characters that the forms KD and KC decompose, and D and C do not, or otherwise. */
extern const struct code_ranges normal_compatible;
/** Characters that belong to one grapheme cluster with what stands before them. */
extern const struct code_ranges normal_joining;

void normal_clear(struct normal *normal);

/** Makes room for n codes. Text of so many bytes decomposes to at most 2 * bytes codes, in the
 * forms KD and KC 6 * bytes; the last one needs NORMAL_EXPANSION more. */
ft_status normal_reserve(struct normal *normal, size_t n);

/** Puts the canonical decomposition of a code at normal->codes + *n, where there is room, and
 * counts it in. */
ft_status normal_decompose(struct normal *normal, size_t *n, int32_t code);

/** Brings the first n codes into canonical order: marks of different classes by their class. */
void normal_order(struct normal *normal, size_t n);

/** Appends a normal form of text, which is valid UTF-8. Linear in time for every text. */
ft_status normal_append(struct normal *normal, struct buffer *out, enum normal_form form,
                        const char *text, size_t bytes);

#endif
