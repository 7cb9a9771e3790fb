/** Unicode normalisation form C of text (Unicode Standard Annex 15), by the tables of utf8proc. */
#ifndef FT_TOKEN_NORMAL_H
#define FT_TOKEN_NORMAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"

/** Scratch memory of normal_nfc. Zero-initialise to start. */
struct normal {
    int32_t *codes, *sorted;
    size_t capacity; /**< of each */
};

void normal_clear(struct normal *normal);

/** Appends the normal form of text, which is valid UTF-8. Linear in time for every text. */
ft_status normal_nfc(struct normal *normal, struct buffer *out, const char *text, size_t bytes);

#endif
