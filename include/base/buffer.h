/** A growing block of bytes: text being built, tokens being collected. Zero-initialise to start. */
#ifndef FT_BASE_BUFFER_H
#define FT_BASE_BUFFER_H

#include <stddef.h>

#include "base/err.h"

struct buffer {
    char *data;      /**< kept terminated by a zero byte when it was filled by buffer_print */
    size_t used;     /**< bytes in use, the terminator not counted */
    size_t capacity; /**< bytes allocated */
};

/** Makes room for bytes more. */
ft_status buffer_reserve(struct buffer *buffer, size_t bytes);

/** Appends bytes. */
ft_status buffer_append(struct buffer *buffer, const void *data, size_t bytes);

/** Appends formatted text. */
ft_status buffer_print(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Releases the block and starts again. */
void buffer_clear(struct buffer *buffer);

#endif
