/** bfloat16: the upper half of an f32. Both conversions compile to plain vector code. */
#ifndef FT_MATH_BF16_H
#define FT_MATH_BF16_H

#include "base/dtype.h"

/** Exact. */
static inline float bf16_to_f32(uint16_t half)
{
    return dtype_f32_from_bf16(half);
}

/** Rounds to nearest, ties to even; infinity stays, NaN becomes a quiet NaN. */
static inline uint16_t bf16_from_f32(float value)
{
    return dtype_bf16_from_f32(value);
}

#endif
