/**
 * The map of characters that SentencePiece compiles into its models (precompiled_charsmap): which
 * sequences are replaced by which text, NFKC with additions in most cases. It is applied as
 * `tokenizers` does.
 *
 *     | bytes of the array (u32) | double array (u32 each) | texts, each with a zero byte behind
 * it |
 *
 * Source: the darts-clone format (Yata): a unit holds label (bits 0-7), whether a value follows
 * (bit 8), whether the offset is shifted by 8 (bit 9) and the offset (bits 10-30); the unit of a
 * value has bit 31.
 */
#ifndef FT_TOKEN_CHARSMAP_H
#define FT_TOKEN_CHARSMAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/err.h"

struct charsmap;

/**
 * Reads a map.
 *
 * @return FT_OK; FT_ERR_INPUT (message: what is wrong); FT_ERR_INTERNAL (memory)
 */
ft_status charsmap_open(struct charsmap **out, const char *base64, size_t bytes);

/** Takes *map (may be NULL) and sets it to NULL. */
void charsmap_close(struct charsmap **map);

/** The text it was opened from. */
const char *charsmap_source(const struct charsmap *map, size_t *bytes);

/** Appends text, which is valid UTF-8, with all sequences replaced. O(n). */
ft_status charsmap_append(const struct charsmap *map, struct buffer *out, const char *text,
                          size_t bytes);

#endif
