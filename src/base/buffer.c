#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

ft_status buffer_reserve(struct buffer *buffer, size_t bytes)
{
    const size_t needed = buffer->used + bytes + 1;
    if (needed <= buffer->capacity)
        return FT_OK;
    const size_t capacity = needed < 256 ? 256 : needed + needed / 2;
    char *data = mem_resize(buffer->data, capacity, 1);
    if (!data)
        return FT_ERR_INTERNAL;
    buffer->data = data;
    buffer->capacity = capacity;
    return FT_OK;
}

ft_status buffer_append(struct buffer *buffer, const void *data, size_t bytes)
{
    FT_TRY(buffer_reserve(buffer, bytes));
    if (bytes)
        memcpy(buffer->data + buffer->used, data, bytes);
    buffer->used += bytes;
    buffer->data[buffer->used] = '\0';
    return FT_OK;
}

ft_status buffer_print(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        return ft_fail(FT_ERR_INTERNAL, "cannot format text");
    FT_TRY(buffer_reserve(buffer, (size_t)n));
    va_start(args, format);
    (void)vsnprintf(buffer->data + buffer->used, (size_t)n + 1, format, args);
    va_end(args);
    buffer->used += (size_t)n;
    return FT_OK;
}

void buffer_clear(struct buffer *buffer)
{
    mem_free(buffer->data);
    *buffer = (struct buffer){0};
}
