/** Builds GGUF files piece by piece, wrong ones too. */
#ifndef FT_TESTS_GGUF_BUILD_H
#define FT_TESTS_GGUF_BUILD_H

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"

/** The low bytes of value, little-endian. */
static inline void build_put(struct buffer *b, uint64_t value, size_t bytes)
{
    (void)buffer_append(b, &value, bytes);
}

static inline void build_put_f32(struct buffer *b, float value)
{
    (void)buffer_append(b, &value, sizeof value);
}

static inline void build_string(struct buffer *b, const char *text)
{
    build_put(b, strlen(text), 8);
    (void)buffer_append(b, text, strlen(text));
}

static inline void build_start(struct buffer *b, unsigned version, uint64_t n_tensors,
                               uint64_t n_entries)
{
    (void)buffer_append(b, "GGUF", 4);
    build_put(b, version, 4);
    build_put(b, n_tensors, 8);
    build_put(b, n_entries, 8);
}

static inline void build_key(struct buffer *b, const char *key, unsigned type)
{
    build_string(b, key);
    build_put(b, type, 4);
}

static inline void build_u32(struct buffer *b, const char *key, uint32_t value)
{
    build_key(b, key, 4);
    build_put(b, value, 4);
}

static inline void build_f32(struct buffer *b, const char *key, float value)
{
    build_key(b, key, 6);
    build_put_f32(b, value);
}

static inline void build_text(struct buffer *b, const char *key, const char *value)
{
    build_key(b, key, 8);
    build_string(b, value);
}

static inline void build_tensor(struct buffer *b, const char *name, unsigned n_dims,
                                const uint64_t *dims, unsigned type, uint64_t offset)
{
    build_string(b, name);
    build_put(b, n_dims, 4);
    for (unsigned i = 0; i < n_dims; i++)
        build_put(b, dims[i], 8);
    build_put(b, type, 4);
    build_put(b, offset, 8);
}

static inline void build_align(struct buffer *b, size_t unit)
{
    while (b->used % unit != 0)
        build_put(b, 0, 1);
}

#endif
