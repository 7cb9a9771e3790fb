/** Text in columns of a terminal: padded to a width, or cut to it with an ellipsis. Local. */
#ifndef FT_TRAIN_COLUMNS_H
#define FT_TRAIN_COLUMNS_H

#include <stdbool.h>

#include "base/buffer.h"

/**
 * Columns that text takes as columns_put shows it: East Asian wide characters take two, combining
 * marks none.
 */
int columns_width(const char *text);

/**
 * Appends text in exactly `width` columns.
 *
 * Shorter text is padded with spaces on the right, or on the left. Longer text loses its middle, so
 * that names which differ only at their end stay apart: the start, U+2026, the end; never within a
 * character and its combining marks. Control characters are shown as a space, bytes that are not
 * UTF-8 as U+FFFD.
 *
 * @param[in] width at least 3
 * @return FT_OK, FT_ERR_INTERNAL (memory)
 */
ft_status columns_put(struct buffer *out, const char *text, int width, bool to_the_right);

#endif
