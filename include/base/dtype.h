/** Element types of tensors in files, and exact conversions to f32. */
#ifndef FT_BASE_DTYPE_H
#define FT_BASE_DTYPE_H

#include <stdint.h>
#include <string.h>

static inline float dtype_f32_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t dtype_bits_from_f32(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/** bfloat16 to f32: exact. */
static inline float dtype_f32_from_bf16(uint16_t half)
{
    return dtype_f32_from_bits((uint32_t)half << 16);
}

/** IEEE half precision to f32: exact, subnormals, infinities and NaN included. */
static inline float dtype_f32_from_f16(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    const uint32_t exponent = (half >> 10) & 0x1fu, mantissa = half & 0x3ffu;
    if (exponent == 0x1f)
        return dtype_f32_from_bits(sign | 0x7f800000u | mantissa << 13);
    if (exponent != 0)
        return dtype_f32_from_bits(sign | (exponent + 112u) << 23 | mantissa << 13);
    const float magnitude = (float)mantissa * 0x1p-24f;
    return sign ? -magnitude : magnitude;
}

#endif
