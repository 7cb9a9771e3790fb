/** Types of the elements that activations are kept in, and what a pass needs to know of them. */
#ifndef FT_MATH_ELEM_H
#define FT_MATH_ELEM_H

#include <stddef.h>
#include <stdint.h>

enum elem { ELEM_F32, ELEM_BF16 };

static inline size_t elem_bytes(enum elem type)
{
    return type == ELEM_BF16 ? sizeof(uint16_t) : sizeof(float);
}

/** Where element i of a buffer lies. */
static inline void *elem_at(void *buffer, enum elem type, int64_t i)
{
    return (char *)buffer + i * (int64_t)elem_bytes(type);
}

static inline const void *elem_const_at(const void *buffer, enum elem type, int64_t i)
{
    return (const char *)buffer + i * (int64_t)elem_bytes(type);
}

#endif
