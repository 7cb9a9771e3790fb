/** Element types of tensors in files: to f32 exactly, from f32 rounded to nearest, ties to even. */
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

/** Infinity stays, NaN becomes a quiet NaN. */
static inline uint16_t dtype_bf16_from_f32(float value)
{
    const uint32_t bits = dtype_bits_from_f32(value);
    const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? (bits >> 16 | 0x40u) : rounded);
}

/** What is too large becomes infinity, NaN a quiet NaN. */
static inline uint16_t dtype_f16_from_f32(float value)
{
    const uint32_t bits = dtype_bits_from_f32(value), size = bits & 0x7fffffffu;
    const uint32_t sign = bits >> 16 & 0x8000u;
    if (size > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u | (size >> 13 & 0x3ffu));
    if (size >= 0x477ff000u) /* 65520 rounds up */
        return (uint16_t)(sign | 0x7c00u);
    if (size < 0x38800000u) { /* 2^-14: adding 2^-1 leaves units of 2^-24 in the mantissa */
        const float shifted = dtype_f32_from_bits(size) + 0.5f;
        return (uint16_t)(sign | (dtype_bits_from_f32(shifted) - 0x3f000000u));
    }
    return (uint16_t)(sign | ((size + 0xfffu + (size >> 13 & 1u) - 0x38000000u) >> 13));
}

#endif
