/** Unicode normalisation of text (Unicode Standard Annex 15), by the tables of utf8proc. */
#ifndef FT_TOKEN_NORMAL_H
#define FT_TOKEN_NORMAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"

/** Scratch memory. Zero-initialise to start. */
struct normal {
    int32_t *codes, *sorted;
    size_t capacity; /**< of each */
};

/** Codes that one code can become at most, and more: decompositions have at most 4 (UAX 15). */
enum { NORMAL_EXPANSION = 8 };

void normal_clear(struct normal *normal);

/** Makes room for n codes. Text of so many bytes decomposes to at most 2 * bytes codes; the last
 * one needs NORMAL_EXPANSION more. */
ft_status normal_reserve(struct normal *normal, size_t n);

/** Puts the canonical decomposition of a code at normal->codes + *n, where there is room, and
 * counts it in. */
ft_status normal_decompose(struct normal *normal, size_t *n, int32_t code);

/** Brings the first n codes into canonical order: marks of different classes by their class. */
void normal_order(struct normal *normal, size_t n);

/** Appends the normal form C of text, which is valid UTF-8. Linear in time for every text. */
ft_status normal_nfc(struct normal *normal, struct buffer *out, const char *text, size_t bytes);

#endif
